"""One line for each step, as JSON: what a training did, for whoever has no TensorBoard."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from plimsoll_server.train.folder import written
from plimsoll_server.train.loop import Step


class StepLog:
    def __init__(self, file: Path, *, after_step: int) -> None:
        """Lines of later steps, from a run that did not get as far as the next checkpoint, are taken out."""
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
        written(file, "".join(lines[:after_step]))
        self._file = file

    def add(self, number: int, step: Step) -> None:
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": number, **dataclasses.asdict(step)}) + "\n")
