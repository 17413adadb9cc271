"""Which module of the standard library speaks of which topic.

A name stands for a module or for a package with all that is in it. Modules come and go between Python versions: a name
that this one lacks is skipped. Modules of mixed or no topic are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

TOPICS: Mapping[str, tuple[str, ...]] = {
    "concurrency": (
        *("_threading_local", "asyncio", "concurrent", "contextvars", "multiprocessing", "queue", "sched"),
        "threading",
    ),
    "development": (
        *("ast", "bdb", "cmd", "code", "codeop", "compileall", "cProfile", "dis", "doctest", "inspect", "lib2to3"),
        *("modulefinder", "opcode", "pdb", "profile", "pstats", "py_compile", "pyclbr", "pydoc", "rlcompleter"),
        *("symtable", "tabnanny", "timeit", "token", "tokenize", "trace", "traceback", "tracemalloc", "unittest"),
        "warnings",
    ),
    "files": (
        *("_compression", "_pyio", "bz2", "dbm", "filecmp", "fileinput", "fnmatch", "genericpath", "glob", "gzip"),
        *("lzma", "mailbox", "ntpath", "os", "pathlib", "platform", "posixpath", "pty", "shelve", "shutil", "stat"),
        *("subprocess", "tarfile", "tempfile", "tty", "zipfile"),
    ),
    "networking": (
        *("asynchat", "asyncore", "cgi", "ftplib", "http", "imaplib", "ipaddress", "nntplib", "poplib", "smtpd"),
        *("smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib", "webbrowser", "wsgiref", "xmlrpc"),
    ),
    "numbers": (
        *("_pydatetime", "_pydecimal", "_pylong", "_strptime", "bisect", "calendar", "colorsys", "datetime"),
        *("decimal", "fractions", "heapq", "numbers", "random", "secrets", "statistics", "uuid", "zoneinfo"),
    ),
    "text": (
        *("_markupbase", "base64", "codecs", "configparser", "csv", "difflib", "email", "encodings", "gettext"),
        *("html", "json", "locale", "mimetypes", "plistlib", "pprint", "quopri", "re", "reprlib", "shlex"),
        *("sre_parse", "string", "stringprep", "textwrap", "tomllib", "xml"),
    ),
}
