"""The programs that the sandbox runs, built from Go modules once and kept in one cache folder.

Promises: nothing is written outside `plimsoll_home()`; a tool is there completely or not at all; a finished tool is
never changed, a changed input makes another one; every wait has a deadline; a failure names the log to read.
"""

from plimsoll_sandbox.toolchain.errors import ToolchainError
from plimsoll_sandbox.toolchain.home import plimsoll_home
from plimsoll_sandbox.toolchain.tools import Tools, ensure_gitops_apis, ensure_kstatus, ensure_kwok, ensure_tools

__all__ = [
    "ToolchainError",
    "Tools",
    "ensure_gitops_apis",
    "ensure_kstatus",
    "ensure_kwok",
    "ensure_tools",
    "plimsoll_home",
]
