"""Which cluster, as whom and in which namespace: as kubectl decides it, from options, $KUBECONFIG and the context."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import yaml

from plimsoll_operator.cli.errors import CliError, WrongInputError
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.errors import ForbiddenError, UnavailableError
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.observed import Manifest

MANAGER = "kubectl-plimsoll"
TIMEOUT = timedelta(seconds=30)
LISTED = 10
"""Names that are offered when the one asked for is not there."""

_IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Namespace; that of the context when left out.", show_default=False)
]
Context = Annotated[str, typer.Option(help="Context of the kubeconfig; its current one when left out.")]
Kubeconfig = Annotated[str, typer.Option(help="Path of the kubeconfig; $KUBECONFIG or ~/.kube/config when left out.")]


@dataclass(frozen=True)
class Target:
    """One InferenceDeployment and how to reach it."""

    access: Access
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Kube]:
        async with Kube(self.access, TIMEOUT, lambda *_: None, manager=MANAGER) as kube:
            yield kube

    async def read(self, kube: Kube) -> Manifest:
        """The object as it is now. Raises CliError, KubeError."""
        try:
            found = await kube.find(INFERENCE_DEPLOYMENT, self.namespace, self.name)
        except UnavailableError as error:
            which = f"the cluster of context {self.access.context!r}" if self.access.context else "the cluster"
            raise UnavailableError(
                f"{which} gives no answer: see that it is up and can be reached from here, or choose another with "
                f"--context ({error})"
            ) from error
        return found if found is not None else await self._not_found(kube)

    async def _not_found(self, kube: Kube) -> NoReturn:
        if not await kube.discovers(INFERENCE_DEPLOYMENT):
            raise CliError("this cluster does not know InferenceDeployments: install the chart, or choose --context")
        try:
            there = await kube.list_all(INFERENCE_DEPLOYMENT, self.namespace)
        except ForbiddenError:
            there = []
        names = sorted(manifest["metadata"]["name"] for manifest in there)
        shown = ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")
        offer = f"it has {shown}" if names else "it has none; choose another with -n"
        raise CliError(f"InferenceDeployment {self.name!r} not found in namespace {self.namespace!r}: {offer}")


def target_of(name: str, namespace: str, context: str, kubeconfig: str) -> Target:
    """Raises WrongInputError when the kubeconfig cannot be read or lacks the context."""
    paths = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    files = [path for path in (Path(text).expanduser() for text in paths.split(os.pathsep) if text) if path.is_file()]
    if files:
        chosen = _context(files, context)
        access = Access(paths, chosen["name"], environment_proxies=True)
        return Target(access, namespace or (chosen.get("context") or {}).get("namespace") or "default", name)
    if kubeconfig or not _IN_CLUSTER_NAMESPACE.is_file():
        raise WrongInputError(f"expected a kubeconfig at {paths}, found none: set KUBECONFIG or --kubeconfig")
    own = _IN_CLUSTER_NAMESPACE.read_text(encoding="utf-8").strip()
    return Target(Access(environment_proxies=True), namespace or own, name)


def _context(files: list[Path], wanted: str) -> dict[str, Any]:
    """The context as the kubeconfigs have it. Of several files the first that says a thing counts, as for kubectl."""
    contexts: dict[str, dict[str, Any]] = {}
    current = wanted
    for config in map(_read, files):
        current = current or str(config.get("current-context") or "")
        contexts = {str(entry["name"]): dict(entry) for entry in config.get("contexts") or ()} | contexts
    if current not in contexts:
        found = f"expected a context {current!r}" if current else "no current context is set"
        where = os.pathsep.join(map(str, files))
        raise WrongInputError(
            f"{where}: {found}; it has {', '.join(sorted(contexts)) or 'none'}: choose with --context"
        )
    return contexts[current]


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        well_formed = isinstance(config, dict) and all(entry["name"] for entry in config.get("contexts") or ())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as error:
        raise WrongInputError(f"{path}: expected a kubeconfig: {error}") from error
    if not well_formed:
        raise WrongInputError(f"{path}: expected a kubeconfig, found {type(config).__name__}")
    return dict(config)
