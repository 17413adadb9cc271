"""Where a model lies: a local folder, or a pinned revision on the hub that is fetched into the cache."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path

from plimsoll_server.models.errors import ModelError

_HUB = re.compile(r"^hf://(?P<repo>\w[\w.-]*/\w[\w.-]*):(?P<revision>[0-9a-f]{40})$")
_NEEDED_FILES = ("config.json", "tokenizer.json", "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True, slots=True)
class Located:
    folder: Path
    revision: str | None
    """The hub's commit; None for a local folder, whose content nobody pins."""


def locate(location: str) -> Located:
    """The folder of `location`, fetched first when it is on the hub. Raises ModelError."""
    if match := _HUB.match(location):
        return Located(_fetch(match["repo"], match["revision"]), match["revision"])
    if location.startswith("hf:"):
        raise ModelError(
            f"model location {location!r} is not hf://ORG/REPO:REVISION with a revision of 40 hexadecimal digits; "
            "copy the commit from the repository's history, a branch name may move"
        )
    folder = Path(location)
    if not folder.is_absolute():
        raise ModelError(f"model location {location!r} is neither hf://ORG/REPO:REVISION nor an absolute path")
    if not folder.is_dir():
        raise ModelError(f"model folder {folder} does not exist; {_neighbours(folder)}")
    return Located(folder, None)


def _neighbours(folder: Path) -> str:
    if not folder.parent.is_dir():
        return f"neither does {folder.parent}: is the volume mounted?"
    names = sorted(entry.name for entry in folder.parent.iterdir())[:10]
    return f"{folder.parent} holds {', '.join(names) or 'nothing'}: check the path within the volume"


def _fetch(repo: str, revision: str) -> Path:
    # Imported here: a server of a local folder needs no HTTP client.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(_NEEDED_FILES)))
    except HfHubHTTPError as error:
        raise ModelError(
            f"the hub refused {repo} at {revision}: {_first_line(error)}. Check repository and revision; a private or "
            "gated one needs spec.server.hubTokenSecret"
        ) from error
    except Exception as error:  # the client's transport and cache raise types of their own, too many to name
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise ModelError(f"no space is left in the cache (HF_HOME) for {repo} at {revision}; enlarge it") from error
        raise ModelError(
            f"{repo} at {revision} could not be fetched and is not in the cache: {_first_line(error)}. Check the "
            "network policy and the proxy settings, or serve the model from a volume"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__
