"""What keeps a model from being published."""

from __future__ import annotations


class PublishingError(Exception):
    """The message says what was expected, what was found, and what to do. Nothing was published."""
