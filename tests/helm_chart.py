"""The chart as Helm renders it, for tests that ask questions about its objects."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[1] / "charts" / "plimsoll"
NAMESPACE = "plimsoll-system"
DEADLINE_SECONDS = 180

Object = dict[str, Any]
Values = Mapping[str, Any]

CHART_MODES: dict[str, Values] = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
"""Values for each way in which the chart is installed."""


@dataclass(frozen=True)
class Objects:
    """What one rendering holds."""

    all: tuple[Object, ...]

    def of(self, kind: str) -> list[Object]:
        return [found for found in self.all if found["kind"] == kind]

    def one(self, kind: str, name: str = "") -> Object:
        (found,) = [found for found in self.of(kind) if name in ("", found["metadata"]["name"])]
        return found

    @property
    def pod(self) -> Object:
        """Specification of the operator's pod."""
        (operator,) = [
            found
            for found in self.of("Deployment")
            if found["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
        ]
        spec: Object = operator["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        (container,) = self.pod["containers"]
        return dict(container)

    @property
    def environment(self) -> dict[str, str]:
        """The operator's variables that have a plain value."""
        return {entry["name"]: entry["value"] for entry in self.container["env"] if "value" in entry}


@dataclass(frozen=True)
class Chart:
    """The chart under a Helm of its own, which sees no settings of the user's, and one cluster at most."""

    helm: Path
    home: Path
    path: Path = CHART
    kubeconfig: Path | None = None

    def text(self, values: Values | None = None, *, namespace: str = NAMESPACE) -> str:
        """The rendered manifests. Raises AssertionError with Helm's message when it refuses."""
        done = self._helm("template", "plimsoll", str(self.path), "--namespace", namespace, values=values)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def render(self, values: Values | None = None, *, namespace: str = NAMESPACE) -> Objects:
        documents = yaml.safe_load_all(self.text(values, namespace=namespace))
        return Objects(tuple(document for document in documents if document))

    def accepts(self, values: Values, *options: str) -> bool:
        return self._helm("template", "plimsoll", str(self.path), *options, values=values).returncode == 0

    def refusal(self, values: Values, *options: str) -> str:
        """What Helm says to what it must refuse."""
        done = self._helm("template", "plimsoll", str(self.path), *options, values=values)
        assert done.returncode != 0, f"Helm accepts {json.dumps(values)}"
        return done.stderr

    def notes(self, values: Values | None = None) -> str:
        done = self._helm("install", "plimsoll", str(self.path), "-n", NAMESPACE, "--dry-run=client", values=values)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:")[2]

    def lint(self, values: Values | None = None) -> str:
        """What `helm lint --strict` objects to; empty when it is content."""
        done = self._helm("lint", "--strict", str(self.path), values=values)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def release(self, verb: str, *options: str, values: Values | None = None, namespace: str = NAMESPACE) -> str:
        """`install` or `upgrade` of the release plimsoll in the cluster. Raises AssertionError with Helm's message."""
        done = self._helm(verb, "plimsoll", str(self.path), "--namespace", namespace, *options, values=values)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rollback(self, revision: int, namespace: str) -> None:
        done = self._run("rollback", "plimsoll", str(revision), "--namespace", namespace)
        assert done.returncode == 0, done.stderr

    def uninstall(self, namespace: str) -> None:
        done = self._run("uninstall", "plimsoll", "--namespace", namespace, "--wait")
        assert done.returncode == 0, done.stderr

    def _helm(self, *arguments: str, values: Values | None) -> subprocess.CompletedProcess[str]:
        return self._run(*arguments, "--values", "-", stdin=json.dumps(values or {}))

    def _run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        folders = {f"HELM_{kind}_HOME": str(self.home) for kind in ("CACHE", "CONFIG", "DATA")}
        cluster = {"KUBECONFIG": str(self.kubeconfig or os.devnull)}
        return subprocess.run(
            [self.helm, *arguments],
            input=stdin,
            env={"PATH": os.defpath, "HOME": str(self.home), **folders, **cluster},
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
