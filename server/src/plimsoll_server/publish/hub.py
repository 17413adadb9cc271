"""The hub's own client: a repository, a branch, one commit with everything, a tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from plimsoll_server.models.checksums import SUMS_FILE
from plimsoll_server.publish.errors import PublishingError
from plimsoll_server.publish.files import CARD, Chosen


@dataclass(frozen=True, slots=True)
class Wanted:
    repository: str
    branch: str
    tag: str | None
    private: bool
    message: str


def upload(chosen: Chosen, card: str, sums: str, wanted: Wanted) -> str:
    """The commit. Raises PublishingError; a commit is there whole or not at all."""
    api = HfApi()
    try:
        api.create_repo(wanted.repository, private=wanted.private, exist_ok=True)
        if wanted.branch != "main":
            api.create_branch(wanted.repository, branch=wanted.branch, exist_ok=True)
        commit = api.create_commit(
            wanted.repository,
            operations=_operations(chosen, card, sums),
            commit_message=wanted.message,
            revision=wanted.branch,
        )
        if wanted.tag is not None:
            api.create_tag(wanted.repository, tag=wanted.tag, revision=commit.oid)
    except HfHubHTTPError as error:
        raise PublishingError(_refused(wanted.repository, error)) from error
    except (OSError, ValueError) as error:
        raise PublishingError(f"{wanted.repository} could not be published: {error}") from error
    return commit.oid


def _operations(chosen: Chosen, card: str, sums: str) -> Sequence[CommitOperationAdd]:
    written = {CARD: card.encode(), SUMS_FILE: sums.encode()}
    return [
        *(CommitOperationAdd(chosen.name(file), str(file)) for file in chosen.files),
        *(CommitOperationAdd(name, content) for name, content in written.items()),
    ]


def _refused(repository: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    said = (error.server_message or "").strip().split("\n", 1)[0][:300]
    match status:
        case 401:
            what = "the token is not valid; give one by HF_TOKEN, or log in with `hf auth login`"
        case 403:
            what = "the token may not write there; it needs the right to write to this repository"
        case 404:
            what = "there is no such namespace, or the token may not see it; check the name before the slash"
        case 409:
            what = "somebody else changed it meanwhile, or the tag is there already; look, and start again"
        case _:
            what = "try again later"
    return f"the hub refused {repository} with status {status}: {what}" + (f" (it says: {said})" if said else "")
