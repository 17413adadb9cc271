"""`plimsoll-server publish`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_MOST_TOLD = 10


def publish(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder such as `train` makes.")],
    repository: Annotated[str, typer.Argument(metavar="ORG/REPO", help="Made where there is none.")],
    branch: Annotated[str, typer.Option(help="To commit to; made where there is none.")] = "main",
    tag: Annotated[str | None, typer.Option(help="For the commit, such as v1.2.", show_default=False)] = None,
    license_name: Annotated[
        str | None,
        typer.Option("--license", help="In the place of the card's, such as apache-2.0.", show_default=False),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="In the place of the card's, such as en.", show_default=False)
    ] = None,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "Publish the model",
    private: Annotated[bool, typer.Option("--private", help="Where the repository is made.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be published, without a network.")] = False,
) -> None:
    """Publish a model on the hub: weights in safetensors, tokenizer, a complete card and checksums, in one commit.
    Prints what to write into spec.model.uri last.

    The token is read from HF_TOKEN, or from where `hf auth login` has left it."""
    from plimsoll_server.publish.card import complete_card
    from plimsoll_server.publish.errors import PublishingError
    from plimsoll_server.publish.files import checksums, choose, sizes

    try:
        if not _REPOSITORY.fullmatch(repository):
            raise PublishingError(f"expected ORG/REPO such as my-org/domains, found {repository!r}")
        chosen = choose(model)
        labels = tuple(map(str, (chosen.config.id2label or {}).values()))
        card = complete_card(chosen, repository, labels, license_name, language)
        sums = checksums(chosen, card)
        for name, size in sizes(chosen):
            typer.echo(f"{size:>14,}  {name}")
        _tell_left(chosen.left, model)
        if dry_run:
            typer.echo(f"\n{card}\n{sums}\nNothing was published (--dry-run).")
            return
        from plimsoll_server.publish.hub import Wanted, upload

        commit = upload(chosen, card, sums, Wanted(repository, branch, tag, private, message))
    except (PublishingError, OSError) as error:
        typer.echo(f"plimsoll-server: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"hf://{repository}:{commit}")


def _tell_left(left: tuple[Path, ...], folder: Path) -> None:
    if left:
        names = ", ".join(file.relative_to(folder).as_posix() for file in left[:_MOST_TOLD])
        more = f" and {len(left) - _MOST_TOLD} more" if len(left) > _MOST_TOLD else ""
        typer.echo(f"Not published, for no server reads it: {names}{more}", err=True)
