"""Runs the commands that a user could type, each with a deadline, and keeps what they print in one log."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from plimsoll_sandbox.demo.story import DemoError

LAST_LINES = 8


class Commands:
    """Runs programs of the virtual environment and of the toolchain. Every error names `log`."""

    def __init__(self, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._environment = {**os.environ, **(environment or {})}

    def with_environment(self, **variables: str) -> Commands:
        """The same log, and more variables."""
        return Commands(self.log, {**self._environment, **variables})

    def run(self, *argv: str | Path, deadline: float = 60, stdin: str | None = None, watched: bool = False) -> str:
        """Standard output of a command that succeeds within `deadline` seconds. Raises DemoError.

        A long one is `watched`: what it tells on standard error, its progress, is shown as it comes.
        """
        command = [str(part) for part in argv]
        shown = shlex.join([Path(command[0]).name, *command[1:]])
        try:
            done = subprocess.run(  # noqa: S603  the arguments are our own
                command,
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=None if watched else subprocess.PIPE,
                text=True,
                timeout=deadline,
                env=self._environment,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"{shown} did not end within {deadline:.0f} s", self.log) from error
        with self.log.open("a") as log:
            log.write(f"$ {shown}\n{done.stdout}{done.stderr or ''}[exit {done.returncode}]\n")
        if done.returncode != 0:
            last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:])
            raise DemoError(f"{shown} failed:\n{last}", self.log)
        return done.stdout


def installed(program: str) -> Path:
    """A program of the virtual environment that runs the demo."""
    return Path(sys.executable).with_name(program)
