"""Errors that more than one layer speaks of."""

from __future__ import annotations


class StartError(Exception):
    """The server cannot start. The message says what was expected, what was found, and what to do."""
