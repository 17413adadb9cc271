"""What the demo reads of its object, asked by a program in the place of kubectl that answers as it is told to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plimsoll_sandbox.demo.cluster import DemoCluster
from plimsoll_sandbox.demo.commands import Commands
from plimsoll_sandbox.demo.story import DemoError

KUBECTL = """#!/bin/sh
# Prints the files of its folder one after the other, and the last one again and again.
cd "$(dirname "$0")/answers" || exit 1
set -- *
cat "$1"
[ $# -gt 1 ] && rm "$1"
exit 0
"""


def cluster(folder: Path, *objects: dict[str, Any]) -> DemoCluster:
    answers = folder / "answers"
    answers.mkdir()
    for number, found in enumerate(objects):
        (answers / f"{number}.json").write_text(json.dumps(found))
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    return DemoCluster(Commands(folder / "log"), kubectl, folder / "helm")


def found(generation: int, observed: int, ready: str, reason: str, stalled: str = "False") -> dict[str, Any]:
    conditions = [
        {"type": "Ready", "status": ready, "reason": reason, "message": "as told"},
        {"type": "Stalled", "status": stalled, "reason": reason, "message": "as told"},
    ]
    return {
        "metadata": {"generation": generation},
        "status": {"observedGeneration": observed, "conditions": conditions},
    }


TAKEN_BACK = found(3, observed=2, ready="False", reason="RolledBack", stalled="True")


def test_what_is_told_of_the_spec_before_is_no_answer_to_this_one(tmp_path: Path) -> None:
    demo = cluster(tmp_path, TAKEN_BACK, found(3, observed=3, ready="True", reason="Serving"))
    assert list(demo.changes_until_ready(deadline=60)) == ["Ready=True  Serving: as told"]


def test_an_object_that_is_stalled_ends_the_wait_with_its_own_words(tmp_path: Path) -> None:
    demo = cluster(tmp_path, found(3, observed=3, ready="False", reason="RolledBack", stalled="True"))
    with pytest.raises(DemoError, match="stalled: as told"):
        list(demo.changes_until_ready(deadline=60))
