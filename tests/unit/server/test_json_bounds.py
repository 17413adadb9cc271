"""What a body may hold is counted before it is parsed, and what is wrong with it is told once, not for each entry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plimsoll_server.api.json_bounds import MAX_PARTS, MAX_TOKENS, too_much_of

TESTS = Path(__file__).resolve().parents[2]
MEBIBYTE = 1 << 20
ROOM = 160 * MEBIBYTE
"""One error for each entry, or each entry as an object, would take a gigabyte."""
ERRORS_OF_ONE_ENTRY = 8


@pytest.mark.parametrize("size", [MEBIBYTE, pytest.param(4 * MEBIBYTE, marks=pytest.mark.thorough)])
def test_no_large_body_of_any_protocol_takes_much_more_room_than_itself(size: int) -> None:
    done = subprocess.run(
        [sys.executable, TESTS / "programs" / "body_reader.py", str(size), str(ROOM)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    took = json.loads(done.stdout)
    assert took["most_errors"] <= ERRORS_OF_ONE_ENTRY
    assert took["read"] > 0, "token ids of an ordinary request are among them"


def test_a_body_that_there_is_no_memory_for_is_refused_for_now() -> None:
    """The library that reads it panics then, which is no Exception: callers got 500, and the log forty lines."""
    done = subprocess.run(
        [sys.executable, TESTS / "programs" / "body_without_memory.py"],
        env={**os.environ, "PYTHONPATH": str(TESTS), "RUST_BACKTRACE": "0"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "OverloadedError", done.stderr[-2000:]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        pytest.param(b"[" + b"1," * (MAX_TOKENS - 1) + b"1]", None, id="as many numbers as may be"),
        pytest.param(b"[" + b"1," * (MAX_TOKENS + 1) + b"1]", "numbers", id="too many numbers"),
        pytest.param(b"[" + b'"a",' * MAX_PARTS + b'"a"]', "strings, lists and objects", id="too many strings"),
        pytest.param(b"[" + b"[]," * MAX_PARTS + b"[]]", "strings, lists and objects", id="too many lists"),
        pytest.param(b"[" + b"{}," * MAX_PARTS + b"{}]", "strings, lists and objects", id="too many objects"),
        pytest.param(b'["' + b"[{,}]" * MAX_TOKENS + b'"]', None, id="a text of brackets and commas"),
        pytest.param(b'["' + b'\\"[\\\\' * MAX_PARTS + b'"]', None, id="a text with quotes"),
        pytest.param(
            b"[" + b'"\\\\",' * MAX_PARTS + b"1]", "strings, lists and objects", id="backslashes before quotes"
        ),
        pytest.param(b'["\\\\"' + b",[]" * MAX_PARTS + b"]", "strings, lists and objects", id="a backslash at its end"),
    ],
)
def test_what_stands_in_a_text_is_not_counted(body: bytes, refused: str | None) -> None:
    found = too_much_of(body)
    assert found is None if refused is None else found is not None and refused in found
