"""What the log of a failed command says about the cause."""

from __future__ import annotations

import re

# Causes that are not the project's, by what Go and pip print about them, and what to do about each.
CAUSES = (
    (
        re.compile(r"no space left on device", re.IGNORECASE),
        "The disk is full: free some space, or set PLIMSOLL_HOME to a folder on another disk.",
    ),
    (
        re.compile(r"signal: killed|cannot allocate memory|out of memory", re.IGNORECASE),
        "The machine ran out of memory: a build takes about 3 GiB. Starting again goes on from there.",
    ),
    (
        re.compile(
            r"dial tcp|no such host|i/o timeout|connection refused|connection reset|TLS handshake"
            r"|proxyconnect|NewConnectionError|name resolution|Max retries exceeded|No matching distribution",
            re.IGNORECASE,
        ),
        (
            "A package registry could not be reached. Check the network and the settings of its proxies (HTTPS_PROXY, "
            "GOPROXY for Go modules, PIP_INDEX_URL for Python), then start again: what is there is kept."
        ),
    ),
)
UNKNOWN = "The last lines of the log say why."

_URL = re.compile(r"(\w+://)[^/\s\"']+")
_LOOKUP = re.compile(r"(lookup|dial tcp:?(?: lookup)?|host=|Host: )\s*['\"]?[A-Za-z0-9.\[\]:-]+['\"]?")


def advice(lines: list[str]) -> str:
    """What to do about the failure that these lines tell of."""
    for pattern, answer in CAUSES:
        if any(pattern.search(line) for line in lines):
            return answer
    return UNKNOWN


def without_hosts(line: str) -> str:
    """The line without the addresses of registries: which one is used is the business of the machine's settings."""
    return _LOOKUP.sub(r"\1 …", _URL.sub(r"\1…", line))
