"""A pinned revision of a repository on the hub, in the cache: fetched by the hub's own client, and told apart by what
can keep it from being fetched."""

from __future__ import annotations

import errno
from pathlib import Path

from plimsoll_server.models.errors import ModelError

FILES_BESIDE_WEIGHTS = ("config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json")
"""Those that are read."""
_WANTED = (*FILES_BESIDE_WEIGHTS, "*.safetensors", "*.safetensors.index.json")
"""An index says only once it is there how its shards are called."""


def fetch(repo: str, revision: str) -> Path:
    """The folder with the needed files of `repo` at `revision`. Raises ModelError."""
    # Imported here: a server of a local folder needs no HTTP client.
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(_WANTED)))
    except Exception as error:  # the client's transport and cache raise types of their own, too many to name
        raise ModelError(_told(error, repo, revision)) from error


def _told(error: BaseException, repo: str, revision: str) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    what = f"{repo} at {revision}"
    # The client falls back to its cache first, and says only then that there is nothing.
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, HfHubHTTPError):
        error = error.__cause__
    match error:
        case GatedRepoError():
            return (
                f"the hub refused {repo}: it is gated. Accept its conditions with an account there, and give that "
                "account's token by spec.server.hubTokenSecret"
            )
        case RepositoryNotFoundError():
            return (
                f"the hub refused {repo}: it does not exist, or it is private. Check the name; a private one needs "
                "spec.server.hubTokenSecret"
            )
        case RevisionNotFoundError():
            return f"{repo} has no commit {revision}; copy one from the repository's history"
        case HfHubHTTPError():
            return _refused(what, error.response.status_code)
        case OSError(errno=errno.ENOSPC):
            return f"no space is left in the cache (HF_HOME) for {what}; enlarge it"
        case OSError(errno=errno.EACCES | errno.EROFS | errno.EPERM | errno.ENOENT | errno.ENOTDIR):
            return f"the cache (HF_HOME) cannot be written: {error.strerror}, {error.filename}; mount it writable"
        case OSError() if "onsistency check" in str(error):
            return f"{what} arrived incomplete: {_first_line(error)}. Start again; a proxy on the way may cut downloads"
        case _:
            return (
                f"{what} could not be fetched and is not in the cache: {_first_line(error)}. Check the network policy "
                "and the proxy settings, or serve the model from a volume"
            )


def _refused(what: str, status: int) -> str:
    if status == 401:
        return f"the hub refused {what}: 401, the token is not valid (any more); renew spec.server.hubTokenSecret's"
    if status == 403:
        return f"the hub refused {what}: 403, the token may not read it; spec.server.hubTokenSecret needs one that may"
    if status == 429:
        return (
            f"the hub limits requests from here (429) and did not give {what}; give a token by "
            "spec.server.hubTokenSecret, or serve the model from a volume"
        )
    return f"the hub failed with status {status} for {what}; try again later, or serve the model from a volume"


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__
