"""One at a time, and nothing left behind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.name_lock import holding


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with holding(tmp_path / "name"):
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.02)
            inside -= 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == 1


@pytest.mark.parametrize(("stays", "left"), [(True, {"name", ".name.lock"}), (False, set())])
def test_the_lock_goes_with_what_it_locks(tmp_path: Path, stays: bool, left: set[str]) -> None:
    with holding(tmp_path / "name"):
        if stays:
            (tmp_path / "name").mkdir()
    assert {path.name for path in tmp_path.iterdir()} == left


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SandboxError, match=r"the sandboxes' folder .*file cannot be written"),
        holding(tmp_path / "file" / "name"),
    ):
        pass
