"""What can be wrong with a model before it serves."""

from __future__ import annotations

from plimsoll_server.errors import StartError


class ModelError(StartError):
    """The model cannot be served as configured. The message says what was found and what to do."""


class LeakError(RuntimeError):
    """Attention did not run once per layer on the packed sequences, so their tokens may have seen each other."""
