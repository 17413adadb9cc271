"""How much a body of JSON may hold, counted before it is parsed: what its bytes unfold to is fifty times as much."""

from __future__ import annotations

import re

MAX_TOKENS = 1 << 20
"""Numbers of one request, whichever protocol: as many token ids as the longest text has bytes."""
MAX_PARTS = 4_096
"""Strings, keys among them, and lists and objects of one request. More than any protocol has a use for."""

_SMALL = 4_096
"""Bytes that unfold to nothing worth counting."""
_STRING = re.compile(rb'"[^"]*"')


def too_much_of(body: bytes) -> str | None:
    """What there is too much of, as a sentence; None where all is within its bound."""
    if len(body) <= _SMALL:
        return None
    # Where a backslash stands outside of a string, parsing ends, and nothing behind it unfolds.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    strings = plain.count(b'"') // 2
    if strings > MAX_PARTS:
        return _PARTS
    if _within(plain, strings):
        return None
    outside = _STRING.sub(b"", plain)
    if _within(outside, strings):
        return None
    return _NUMBERS if outside.count(b",") > MAX_TOKENS else _PARTS


def _within(text: bytes, strings: int) -> bool:
    return text.count(b",") <= MAX_TOKENS and strings + text.count(b"[") + text.count(b"{") <= MAX_PARTS


_PARTS = f"it holds more than {MAX_PARTS} strings, lists and objects; send fewer inputs at once"
_NUMBERS = f"it holds more than {MAX_TOKENS} numbers; send fewer token ids at once"
