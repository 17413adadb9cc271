"""Folders that are complete or absent, locks, and the progress display."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.folder import published, remove_partials
from plimsoll_server.train.lock import exclusive
from plimsoll_server.train.progress import Reporter

HANGS_WHILE_WRITING = """
import sys, time
from pathlib import Path
from plimsoll_server.train.folder import published

with published(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def write(target: Path, name: str) -> None:
    with published(target) as folder:
        (folder / name).write_text(name)


def test_a_folder_appears_when_it_is_complete_with_the_folders_above_it(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"

    with published(target) as folder:
        (folder / "weights").write_text("weights")
        assert not target.exists()

    assert contents(target) == {"weights": "weights"}
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o755


def test_an_empty_folder_and_a_full_one_are_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()

    for name in ("old", "new"):
        write(target, name)
        assert contents(target) == {name: name}
        assert list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "model", "old")

    with pytest.raises(IsADirectoryError), published(tmp_path / "model") as folder:
        folder.write_text("a folder takes no text")

    assert contents(tmp_path / "model") == {"old": "old"}
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_a_process_killed_while_writing_leaves_what_was_there_and_the_rest_can_be_swept(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write(target, "old")

    with subprocess.Popen([sys.executable, "-c", HANGS_WHILE_WRITING, target], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)

    assert contents(target) == {"old": "old"}
    [left] = set(tmp_path.iterdir()) - {target}
    assert left.name.startswith(".model.partial-")
    remove_partials(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_lock_is_taken_when_its_holder_lets_go(tmp_path: Path) -> None:
    waited: list[str] = []
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive(tmp_path / "lock", deadline_seconds=1, on_wait=lambda: None):
            held.set()
            release.wait(10)

    def let_go() -> None:
        waited.append("told")
        release.set()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with exclusive(tmp_path / "lock", deadline_seconds=10, on_wait=let_go):
        holder.join(10)

    assert waited == ["told"]


def test_waiting_for_a_lock_ends_at_the_deadline_and_says_what_to_do(tmp_path: Path) -> None:
    start = time.monotonic()
    with (
        exclusive(tmp_path / "lock", deadline_seconds=1, on_wait=lambda: None),
        pytest.raises(TrainingError, match="another process still holds it; end that process"),
        exclusive(tmp_path / "lock", deadline_seconds=0.1, on_wait=lambda: None),
    ):
        pytest.fail("two held it")

    assert time.monotonic() - start < 5


def test_without_a_terminal_progress_is_lines_with_what_is_left() -> None:
    file = io.StringIO()

    with Reporter(Console(file=file), seconds_between_lines=0).work("Training", 2) as advance:
        advance("(loss 2.00)")
        advance("")

    first, second, last = file.getvalue().splitlines()
    assert re.fullmatch(r"Training: 1 of 2, about \d+ s left \(loss 2.00\)", first)
    assert second == "Training: 2 of 2, about 0 s left"
    assert re.fullmatch(r"Training: done in \d+ s", last)


def test_on_a_terminal_progress_is_a_bar_and_one_line_that_stays() -> None:
    file = io.StringIO()

    with Reporter(Console(file=file, force_terminal=True, width=120, legacy_windows=False)).work(
        "Training", 1
    ) as advance:
        advance("[loss] 2.00")

    assert "━" in file.getvalue()
    assert "[loss] 2.00" in file.getvalue()
    assert re.search(r"Training: done in \d+ s\n$", file.getvalue())


def test_lines_are_few_when_the_work_is_fast(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(Console(stderr=True)).work("Training", 1000) as advance:
        for _ in range(1000):
            advance("")

    assert len(capsys.readouterr().err.splitlines()) < 5
