"""The demo's model, trained once."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from plimsoll_server.train.demo.cache import DEMO, cached_model
from plimsoll_server.train.demo.corpus import standard_library
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.record import is_trained_model
from plimsoll_server.train.demo.train_model import train_model
from plimsoll_server.train.folder import remove_partials
from plimsoll_server.train.lock import exclusive
from plimsoll_server.train.progress import Reporter

WAIT_SECONDS = 900.0
"""For another process that trains the same model; several times what a slow machine needs."""


def ensure_demo_model(cache: Path, reporter: Reporter | None = None, recipe: Recipe = DEMO) -> Path:
    """The cached model, trained first if it is not there; two callers do not train it twice. Raises TrainingError."""
    reporter = reporter or Reporter(Console(stderr=True))
    model = cached_model(cache, recipe)
    if is_trained_model(model):
        return model
    model.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(
        model.parent / ".lock",
        deadline_seconds=WAIT_SECONDS,
        on_wait=lambda: reporter.say("Another process is training the model: waiting for it"),
    ):
        if not is_trained_model(model):
            remove_partials(model)
            train_model(model, standard_library(), recipe, reporter)
    return model
