"""What ends a training before it has a model to show."""

from __future__ import annotations


class TrainingError(Exception):
    """The message says what was expected, what was found, and what to do."""
