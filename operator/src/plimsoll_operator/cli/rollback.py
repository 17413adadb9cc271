"""`rollback`: a revision that served before is stable again."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from plimsoll_operator.cli.completion import revisions_to_go_back_to
from plimsoll_operator.cli.connection import Context, Kubeconfig, Namespace, target_of
from plimsoll_operator.cli.errand import Errand, RequestId, Timeout, Wait, patience_of, run
from plimsoll_operator.cli.errors import CliError
from plimsoll_operator.cli.goals import IS_BACK
from plimsoll_operator.cli.name import Name
from plimsoll_operator.cli.output import Format, Output
from plimsoll_operator.observed import Manifest

Revision = Annotated[
    str,
    typer.Argument(
        help="Hash of the revision, or as much of it as is unmistakable; the one before the stable one when left out.",
        show_default=False,
        autocompletion=revisions_to_go_back_to,
    ),
]


def rollback(
    name: Name,
    revision: Revision = "",
    namespace: Namespace = "",
    wait: Wait = False,
    timeout: Timeout = "15m",
    request_id: RequestId = "",
    output: Output = Format.text,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Go back to a revision that served before; the one that the spec asks for is not tried again until `retry`.

    Where that one was taken back already, what served before it serves: to go further back, name the revision.
    """
    errand = Errand("rollback", partial(chosen, revision), IS_BACK, request_id=request_id)
    run(errand, target_of(name, namespace, context, kubeconfig), patience_of(timeout, wait=wait), output)


def chosen(wanted: str, found: Manifest) -> str:
    """The one revision of which the hash begins so. Raises CliError with those there are."""
    if not wanted:
        return ""
    revisions = [str(entry["hash"]) for entry in found.get("status", {}).get("revisions", ())]
    meant = [revision for revision in revisions if revision.startswith(wanted)]
    if len(meant) != 1:
        which = "none" if not meant else ", ".join(meant)
        raise CliError(
            f"expected a revision of {found['metadata']['name']}, of which {wanted!r} means {which}: "
            f"it has {', '.join(revisions) or 'no revision yet'}"
        )
    return meant[0]
