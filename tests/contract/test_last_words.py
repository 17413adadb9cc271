"""Why a server cannot start is what the operator quotes: a plain sentence from its beginning, and no line of a log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from plimsoll_operator.cluster.parse import LAST_WORDS, parse_pod
from plimsoll_server.last_words import MOST_CHARACTERS, leave
from server_builders import server_config
from server_process import environment, process

WITH_A_FAULT = (sys.executable, str(Path(__file__).parents[1] / "programs" / "server_with_a_fault.py"))


def quoted(message: str) -> str:
    """What the operator makes of a container that ended with this termination message."""
    ended: dict[str, Any] = {"name": "server", "state": {"terminated": {"exitCode": 1, "message": message}}}
    return parse_pod({"metadata": {"name": "pod"}, "status": {"containerStatuses": [ended]}}).last_exit_message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "termination-log"
    file.write_text("what the attempt before left, which was longer than what there is to say now")
    return file


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param(server_config(Path("/nowhere/no-such-folder")), "no-such-folder does not exist", id="model"),
        pytest.param({}, "version", id="configuration"),
    ],
)
def test_what_keeps_a_server_from_starting_is_quoted(
    tmp_path: Path, file: Path, config: dict[str, Any], words: str
) -> None:
    variables = {**environment(config), "PLIMSOLL_TERMINATION_LOG": str(file)}
    with process(tmp_path, variables) as server:
        assert server.ends_with() == 1
    assert words in quoted(file.read_text())
    assert "{" not in quoted(file.read_text()), "a line of the log"


def test_a_fault_is_named_and_the_last_line_is_the_servers_own(tmp_path: Path, file: Path) -> None:
    """As the interpreter ends, libraries have their say: what was wrong stood far above the end of the log."""
    variables = {**environment(server_config(tmp_path)), "PLIMSOLL_TERMINATION_LOG": str(file)}
    with process(tmp_path, variables, command=WITH_A_FAULT) as server:
        assert server.ends_with() == 1
    assert quoted(file.read_text()) == "the server ended by a fault of its own, KeyError: see its log"
    last = json.loads(server.log.read_text().splitlines()[-1])
    assert last["level"] == "critical"
    assert "Traceback" in last["exception"]


def test_where_the_file_cannot_be_written_the_sentence_is_the_logs_last_line(tmp_path: Path) -> None:
    variables = {**environment({}), "PLIMSOLL_TERMINATION_LOG": "/nowhere/termination-log"}
    with process(tmp_path, variables) as server:
        assert server.ends_with() == 1
    assert json.loads(server.log.read_text().splitlines()[-1])["message"].startswith("cannot start: ")


def test_a_long_sentence_is_quoted_from_its_beginning(file: Path) -> None:
    leave(str(file), "found no folder " + "and a neighbour " * 100)
    assert MOST_CHARACTERS == LAST_WORDS
    assert quoted(file.read_text()).startswith("found no folder and a neighbour")


@pytest.mark.parametrize("path", ["", "/nowhere/termination-log", "/dev/full"])
def test_without_a_file_the_log_has_to_do(path: str) -> None:
    leave(path, "there is no model")
