"""The demo's model, trained once per Python and state of these sources."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from plimsoll_server.train.demo.corpus import standard_library
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.record import is_trained_model
from plimsoll_server.train.demo.train_model import train_model
from plimsoll_server.train.folder import remove_partials
from plimsoll_server.train.lock import exclusive
from plimsoll_server.train.progress import Reporter

MODEL_NAME = "domains"
WAIT_SECONDS = 900.0
"""For another process that trains the same model; several times what a slow machine needs."""

_RECIPE = Recipe()


def model_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """`models` in $PLIMSOLL_HOME, else in `plimsoll` of the user's cache folder. Not created here."""
    home = environment.get("PLIMSOLL_HOME")
    if not home:
        home = str(Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "plimsoll")
    return Path(home).expanduser().absolute() / "models"


def cached_model(cache: Path, recipe: Recipe = _RECIPE) -> Path:
    """Where the model of this Python and these sources is, or will be: a folder `domains` alone in one of its own."""
    return cache / f"demo-{_key(recipe)}" / MODEL_NAME


def ensure_demo_model(cache: Path, reporter: Reporter | None = None, recipe: Recipe = _RECIPE) -> Path:
    """The cached model, trained first if it is not there; two callers do not train it twice. Raises TrainingError."""
    reporter = reporter or Reporter(Console(stderr=True))
    model = cached_model(cache, recipe)
    if is_trained_model(model):
        return model
    model.parent.mkdir(parents=True, exist_ok=True)
    lock = model.parent / ".lock"
    with exclusive(
        lock,
        deadline_seconds=WAIT_SECONDS,
        on_wait=lambda: reporter.say("Another process is training the model: waiting for it"),
    ):
        if not is_trained_model(model):
            remove_partials(model)
            train_model(model, standard_library(), recipe, reporter)
    return model


def _key(recipe: Recipe) -> str:
    digest = hashlib.sha256(f"{platform.python_version()} {recipe}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
