"""Where the demo's model is kept: one per Python and state of these sources. Needs no torch."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from plimsoll_server.train.demo.recipe import Recipe

MODEL_NAME = "domains"

DEMO = Recipe()


def model_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """`models` in $PLIMSOLL_HOME, else in `plimsoll` of the user's cache folder. Not created here."""
    home = environment.get("PLIMSOLL_HOME")
    if not home:
        home = str(Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "plimsoll")
    return Path(home).expanduser().absolute() / "models"


def cached_model(cache: Path, recipe: Recipe = DEMO) -> Path:
    """Where the model of this Python and these sources is, or will be: a folder `domains` alone in one of its own."""
    return cache / f"demo-{_key(recipe)}" / MODEL_NAME


def _key(recipe: Recipe) -> str:
    digest = hashlib.sha256(f"{platform.python_version()} {recipe}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
