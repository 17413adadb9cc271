"""What callers get: the paths of the sandbox's programs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plimsoll_sandbox.toolchain.collection import GITOPS_APIS, collect
from plimsoll_sandbox.toolchain.home import plimsoll_home
from plimsoll_sandbox.toolchain.progress import progress_on
from plimsoll_sandbox.toolchain.recipes import (
    CONTROLPLANE,
    HELM_CLIENT,
    KSTATUS_READER,
    KUBE_SCORE_LINTER,
    KUBECONFORM_CHECKER,
    KWOK_SIMULATOR,
    PROMETHEUS_SERVER,
    PROMTOOL,
    RECIPES,
)
from plimsoll_sandbox.toolchain.workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console


@dataclass(frozen=True)
class Tools:
    """Programs, each to be run by its path alone."""

    controlplane: Path  # with a subcommand: etcd, kube-apiserver, kube-controller-manager, kube-scheduler
    metrics_adapter: Path
    kubectl: Path
    prometheus: Path
    promtool: Path
    helm: Path
    kubeconform: Path
    kube_score: Path


def ensure_tools(console: Console) -> Tools:
    """Every tool, built now where it is missing (minutes, once; shown on the console). Blocks: no event loop here."""
    found = Workshop(plimsoll_home(), os.environ, progress_on(console)).ensure(RECIPES)
    controlplane = found[CONTROLPLANE.name]
    return Tools(
        controlplane=controlplane,
        metrics_adapter=controlplane.parent / "metrics-adapter",
        kubectl=controlplane.parent / "kubectl",
        prometheus=found[PROMETHEUS_SERVER.name],
        promtool=found[PROMTOOL.name],
        helm=found[HELM_CLIENT.name],
        kubeconform=found[KUBECONFORM_CHECKER.name],
        kube_score=found[KUBE_SCORE_LINTER.name],
    )


def ensure_kwok(console: Console) -> Path:
    """KWOK, which nothing but the measurement of many objects needs. Built and shown like the others."""
    return Workshop(plimsoll_home(), os.environ, progress_on(console)).ensure((KWOK_SIMULATOR,))[KWOK_SIMULATOR.name]


def ensure_kstatus(console: Console) -> Path:
    """The reader of status that only tests ask. Built and shown like the others."""
    return Workshop(plimsoll_home(), os.environ, progress_on(console)).ensure((KSTATUS_READER,))[KSTATUS_READER.name]


def ensure_gitops_apis(console: Console) -> Path:
    """The folder with the CustomResourceDefinitions of Argo CD and Flux, which only tests ask. Fetched likewise."""
    return collect(Workshop(plimsoll_home(), os.environ, progress_on(console)), GITOPS_APIS)
