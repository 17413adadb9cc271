"""What a shell offers for a name or a revision: those that the cluster has. Whatever goes wrong, nothing is offered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import TypeVar

import typer

from plimsoll_operator.cli.connection import Target, target_of
from plimsoll_operator.cli.errors import CliError
from plimsoll_operator.cli.report import age
from plimsoll_operator.cluster.errors import KubeError
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT
from plimsoll_operator.observed import Manifest

PATIENCE_SECONDS = 3.0
"""For a person who has pressed a key."""

Found = TypeVar("Found")
Candidates = list[tuple[str, str]]
"""Words and what each is."""


def names(context: typer.Context, incomplete: str) -> Candidates:
    """The InferenceDeployments of the namespace that begin so."""
    target = _target(context, "")
    there = _asked(_all(target)) if target else None
    return [
        (name, str(manifest["spec"].get("model", {}).get("uri", "")))
        for manifest in there or ()
        if (name := str(manifest["metadata"]["name"])).startswith(incomplete)
    ]


def revisions_to_go_back_to(context: typer.Context, incomplete: str) -> Candidates:
    """Revisions that served before and do not now."""
    target = _target(context, str(context.params.get("name") or ""))
    found = _asked(_one(target)) if target else None
    entries = found.get("status", {}).get("revisions", ()) if found else ()
    return [
        (str(entry["hash"]), f"number {entry['number']}, {age(entry['createdAt'], datetime.now(UTC))} old")
        for entry in entries
        if entry.get("promoted") and not entry.get("stable") and str(entry["hash"]).startswith(incomplete)
    ]


def _target(context: typer.Context, name: str) -> Target | None:
    """As the options say that stand before the word to complete."""
    given = {option: str(context.params.get(option) or "") for option in ("namespace", "context", "kubeconfig")}
    try:
        return target_of(name, **given)
    except CliError:
        return None


async def _all(target: Target) -> list[Manifest]:
    async with target.connected() as kube:
        return await kube.list_all(INFERENCE_DEPLOYMENT, target.namespace)


async def _one(target: Target) -> Manifest | None:
    async with target.connected() as kube:
        return await kube.find(INFERENCE_DEPLOYMENT, target.namespace, target.name)


def _asked(question: Coroutine[None, None, Found]) -> Found | None:
    try:
        return asyncio.run(asyncio.wait_for(question, PATIENCE_SECONDS))
    except (KubeError, TimeoutError, OSError):
        return None
