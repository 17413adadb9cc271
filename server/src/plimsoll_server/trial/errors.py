"""What ends a trial before it has figures to show."""

from __future__ import annotations


class TrialError(Exception):
    """The message says what was expected, what was found, and what to do."""
