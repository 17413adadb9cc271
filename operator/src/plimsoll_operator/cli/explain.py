"""`explain`: what a rollout was judged by, in words and as a plot: what was compared, the evidence, the decision."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from plimsoll_operator.cli.connection import Context, Kubeconfig, Namespace, target_of
from plimsoll_operator.cli.console import show
from plimsoll_operator.cli.errors import CliError, WrongInputError
from plimsoll_operator.cli.explanation.curves import curves_of
from plimsoll_operator.cli.explanation.document import document_of
from plimsoll_operator.cli.explanation.picture import MissingLibraryError, draw_png
from plimsoll_operator.cli.explanation.sections import sections
from plimsoll_operator.cli.explanation.story import Story, tell
from plimsoll_operator.cli.manifest import read_manifests
from plimsoll_operator.cli.name import Name
from plimsoll_operator.cli.output import Format, Output, show_json, told_if_it_fails
from plimsoll_operator.cli.status import read_with_pods
from plimsoll_operator.cluster.parse import is_active, parse_pod
from plimsoll_operator.observed import Manifest

Filename = Annotated[
    str,
    typer.Option(
        "--filename", "-f", help="An object saved by `kubectl get infd NAME -o yaml`, in place of a cluster's."
    ),
]
Png = Annotated[str, typer.Option(help="Also draw the plot into this PNG file.", show_default=False)]


def explain(
    name: Name = "",
    namespace: Namespace = "",
    png: Png = "",
    output: Output = Format.text,
    filename: Filename = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Tell what the last rollout was judged by: what was compared, the evidence over time, the decision and why."""
    if bool(name) == bool(filename):
        raise WrongInputError("expected the NAME of an InferenceDeployment, or -f FILE with a saved one")
    if filename and (namespace or context or kubeconfig):
        raise WrongInputError(
            "-f FILE is explained without a cluster: leave out --namespace, --context and --kubeconfig"
        )
    with told_if_it_fails(output):
        found, pods = _saved(filename) if filename else _live(name, namespace, context, kubeconfig)
    story = tell(found, [parse_pod(pod) for pod in pods if is_active(pod)])
    if output == Format.json:
        show_json(document_of(story))
    else:
        show(sections(story))
    if png:
        _draw(story, Path(png))


def _live(name: str, namespace: str, context: str, kubeconfig: str) -> tuple[Manifest, Iterable[Manifest]]:
    target = target_of(name, namespace, context, kubeconfig)
    found, pods = asyncio.run(read_with_pods(target))
    return found, pods or ()


def _saved(filename: str) -> tuple[Manifest, Iterable[Manifest]]:
    manifests = read_manifests(filename)
    if len(manifests) != 1:
        raise WrongInputError(f"{filename}: expected one InferenceDeployment, found {len(manifests)}")
    return manifests[0], ()


def _draw(story: Story, path: Path) -> None:
    curves = curves_of(story.trial) if story.trial else None
    if story.trial is None or curves is None:
        raise CliError(f"{story.name}: no evidence to draw: {story.verdict}, {story.summary or 'nothing was compared'}")
    try:
        path.write_bytes(draw_png(story, story.trial, curves))
    except MissingLibraryError as error:
        raise CliError(str(error)) from error
    except OSError as error:
        raise WrongInputError(f"--png {path}: {error}") from error
    typer.echo(f"drawn: {path}", err=True)
