"""The threat model and the security policy name tests and documents that are there."""

from __future__ import annotations

import ast
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
    assert [name for name in shown if not is_a_test(name)] == []


def is_a_test(name: str) -> bool:
    """Whether `name`, as pytest takes it below tests/, is of a function that is there."""
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / "tests" / path).read_text("utf-8"))
    defined = [found.name for found in tree.body if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)]
    return function.startswith("test_") and function in defined


def test_the_policy_links_what_exists() -> None:
    policy = (ROOT / "SECURITY.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", policy)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
