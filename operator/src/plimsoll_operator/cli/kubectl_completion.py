"""`kubectl_complete-plimsoll`: kubectl runs it from PATH to complete `kubectl plimsoll …`, in the protocol of Cobra.

The words so far come as arguments, the last of them incomplete. Candidates go to standard output, one a line with a tab
before what it is, and behind them a line that says whether files are offered too.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from io import StringIO

from plimsoll_operator.cli.main import app

PROGRAM = "kubectl-plimsoll"
TAKES_A_FILE = ("-f", "--filename", "--profiles", "--png", "--kubeconfig")

FILES_TOO = ":0"
NO_FILES = ":4"


def main() -> None:
    words = sys.argv[1:] or [""]
    os.environ.update(asked_of_typer(words))
    offered = StringIO()
    # The program ends itself, having printed what there is.
    with redirect_stdout(offered), suppress(SystemExit):
        app(prog_name=PROGRAM)
    print("\n".join([*filter(None, offered.getvalue().splitlines()), directive(words)]))  # noqa: T201


def asked_of_typer(words: Sequence[str]) -> Mapping[str, str]:
    """The environment by which typer is asked for completions, with what each is: as it prints them for fish."""
    *complete, incomplete = words
    line = shlex.join([PROGRAM, *complete]) + " " + (shlex.quote(incomplete) if incomplete else "")
    return {
        "_KUBECTL_PLIMSOLL_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": line,
        # It would break the line that says what a candidate is.
        "COLUMNS": "10000",
    }


def directive(words: Sequence[str]) -> str:
    return FILES_TOO if len(words) > 1 and words[-2] in TAKES_A_FILE else NO_FILES
