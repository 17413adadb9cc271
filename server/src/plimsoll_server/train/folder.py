"""A folder that is there complete, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def published(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, which takes its place when the block ends well and is removed when it does not.

    What `target` held is gone then. A process killed within the block leaves a hidden `.NAME.partial-…` behind, and
    `target` as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=partial_prefix(target), dir=target.parent))
    try:
        yield partial
        partial.chmod(0o755)
        _put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_partials(target: Path) -> None:
    """What killed processes left. Only for who knows that nobody writes `target` now."""
    for left in target.parent.glob(f"{partial_prefix(target)}*"):
        shutil.rmtree(left, ignore_errors=True)


def partial_prefix(target: Path) -> str:
    return f".{target.name}.partial-"


def _put_in_place(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    with tempfile.TemporaryDirectory(prefix=partial_prefix(target), dir=target.parent) as aside:
        old = target.rename(Path(aside) / target.name)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise


def written(file: Path, text: str) -> None:
    """The file is replaced whole, or stays as it was."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(file)
