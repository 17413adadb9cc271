"""The reading of an audit log that grows and is rotated: each event once, and none that is not asked for."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from audit_tail import AuditTail


def event(number: int, code: int = 200, about: str = "scale") -> str:
    return json.dumps({"about": about, "stageTimestamp": str(number), "responseStatus": {"code": code}}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """It has been written to before."""
    path = tmp_path / "audit.log"
    path.write_text(event(0))
    return path


def numbers(tail: AuditTail) -> list[int]:
    return [int(found["stageTimestamp"]) for found in tail.events()]


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_only_what_comes_is_told_and_only_what_is_wanted_and_went_well(log: Path) -> None:
    with closing(AuditTail(log, lambda line: "scale" in line)) as tail:
        append(log, event(1) + event(2, about="pods") + event(3, code=409) + event(4))
        assert numbers(tail) == [1, 4]
        assert numbers(tail) == [1, 4]


def test_a_line_that_is_being_written_is_told_when_it_is_whole(log: Path) -> None:
    with closing(AuditTail(log, lambda line: "scale" in line)) as tail:
        append(log, event(1) + event(2)[:12])
        assert numbers(tail) == [1]
        append(log, event(2)[12:])
        assert numbers(tail) == [1, 2]


def test_a_rotation_loses_nothing(log: Path) -> None:
    with closing(AuditTail(log, lambda line: "scale" in line)) as tail:
        append(log, event(1))
        assert numbers(tail) == [1]
        append(log, event(2))
        log.rename(log.with_name("audit-2026-11-21T15-00-00.000.log"))
        log.write_text(event(3))
        assert numbers(tail) == [1, 2, 3]
