"""What the kubelet finds in the termination message file, whenever the process ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plimsoll_server.pack_record import PackRecord


def test_what_runs_stands_in_the_file_and_nothing_after(tmp_path: Path) -> None:
    file = tmp_path / "termination-log"
    file.touch()
    record = PackRecord(str(file))
    with record.running("long", 8192, 1):
        assert json.loads(file.read_text()) == {"tier": "long", "tokens": 8192, "sequences": 1}
    assert file.read_text() == ""
    with record.running("short", 96, 3):
        assert json.loads(file.read_text()) == {"tier": "short", "tokens": 96, "sequences": 3}


def test_of_several_packs_the_largest_stands_there_while_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "termination-log"
    file.touch()
    record = PackRecord(str(file))
    with record.running("short", 96, 3):
        with record.running("long", 8192, 1), record.running("short", 32, 1):
            assert json.loads(file.read_text())["tier"] == "long"
        assert json.loads(file.read_text()) == {"tier": "short", "tokens": 96, "sequences": 3}
    assert file.read_text() == ""


def test_nothing_stands_in_the_file_after_a_batch_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "termination-log"
    file.touch()
    record = PackRecord(str(file))
    with pytest.raises(RuntimeError), record.running("long", 8192, 1):
        raise RuntimeError
    assert file.read_text() == ""


@pytest.mark.parametrize("path", ["", "/nowhere/termination-log", "/dev/full"])
def test_without_a_file_to_write_the_batch_runs_all_the_same(path: str) -> None:
    record = PackRecord(path)
    ran = 0
    for _ in range(2):
        with record.running("long", 8192, 1):
            ran += 1
    assert ran == 2
