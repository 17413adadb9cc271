"""Numbers as the documentation writes them."""

from __future__ import annotations

IN_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
