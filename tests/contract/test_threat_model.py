"""The threat model and the security policy name tests and documents that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", ROWS, ids=[row.split(" | ")[0].strip("| ") for row in ROWS])
def test_every_threat_names_the_test_that_shows_what_stops_it(row: str) -> None:
    shown = re.findall(r"`([^`]+)`", row.split(" | ")[2])
    assert shown
    assert [path for path in shown if not (ROOT / "tests" / path).exists()] == []


def test_the_policy_links_what_exists() -> None:
    policy = (ROOT / "SECURITY.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", policy)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
