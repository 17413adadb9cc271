"""Where a model lies: a folder, which may be a mounted volume or image, or a pinned revision on the hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.hub import fetch

_HUB = re.compile(r"^hf://(?P<repo>\w[\w.-]*/\w[\w.-]*):(?P<revision>[0-9a-f]{40})$")
_MOUNTED = ("pvc:", "oci:")


@dataclass(frozen=True, slots=True)
class Located:
    folder: Path
    revision: str | None
    """The hub's commit; None for a folder."""
    weights: str = ""
    """Tells these files from any others; the same for the same files, wherever they lie. Empty: nobody has looked."""
    verified_by: str = ""
    """What the files were compared with: hub, or SHA256SUMS. Empty: there is nothing to compare them with."""


def locate(location: str) -> Located:
    """The folder of `location`, fetched first when it is on the hub. Raises ModelError."""
    if match := _HUB.match(location):
        return Located(fetch(match["repo"], match["revision"]), match["revision"])
    if location.startswith("hf:"):
        raise ModelError(
            f"model location {location!r} is not hf://ORG/REPO:REVISION with a revision of 40 hexadecimal digits; "
            "copy the commit from the repository's history, a branch name may move"
        )
    if location.startswith(_MOUNTED):
        raise ModelError(
            f"model location {location!r} is for the operator, which mounts it; a server is told the folder where it "
            "is mounted, such as /models"
        )
    folder = Path(location)
    if not folder.is_absolute():
        raise ModelError(f"model location {location!r} is neither hf://ORG/REPO:REVISION nor an absolute path")
    _require_folder(folder)
    return Located(folder, None)


def _require_folder(folder: Path) -> None:
    try:
        if not folder.exists():
            raise ModelError(f"model folder {folder} does not exist; {_neighbours(folder)}")
        if not folder.is_dir():
            raise ModelError(f"{folder} is a file; the model location is the folder with the model's files")
        if not os.listdir(folder):  # noqa: PTH208  a failure to read it is told here
            raise ModelError(f"model folder {folder} is empty: has the model been copied into the volume?")
    except PermissionError as error:
        raise ModelError(
            f"model folder {error.filename} cannot be read by user {os.getuid()}; let everybody read and enter it "
            "(chmod -R a+rX), or set the volume's fsGroup"
        ) from error
    except OSError as error:
        raise ModelError(f"the model folder cannot be read ({error.strerror}), check the path: {folder}") from error


def _neighbours(folder: Path) -> str:
    if not folder.parent.is_dir():
        return f"neither does {folder.parent}: is the volume mounted?"
    names = sorted(entry.name for entry in folder.parent.iterdir())[:10]
    return f"{folder.parent} holds {', '.join(names) or 'nothing'}: check the path within the volume"
