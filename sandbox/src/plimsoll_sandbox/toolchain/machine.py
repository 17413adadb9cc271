"""Programs that the machine already has.

The rule: a program stands in for ours when it is on KUBEBUILDER_ASSETS or PATH under its usual name and prints exactly
the pinned version. A near version is not used, because what was tested is the pinned one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plimsoll_sandbox.toolchain.recipes import Recipe

ANSWER_SECONDS = 20


def on_machine(recipe: Recipe, environment: Mapping[str, str]) -> Path | None:
    """The machine's own program for a recipe, when it fits."""
    if not recipe.on_machine:
        return None
    folders = [environment.get("KUBEBUILDER_ASSETS", ""), environment.get("PATH", "")]
    found = shutil.which(recipe.name, path=os.pathsep.join(folder for folder in folders if folder))
    if found is None or not prints_version(Path(found), recipe):
        return None
    return Path(found).absolute()


def prints_version(binary: Path, recipe: Recipe) -> bool:
    """Whether the program, asked for its version, answers in time and with the pinned one as a word of its own."""
    try:
        answer = subprocess.run(  # noqa: S603 - asking a program for its version is the point
            [binary, *recipe.version_command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    words = answer.stdout.decode(errors="replace").replace(",", " ").split()
    return answer.returncode == 0 and recipe.version in words
