"""`kubectl plimsoll`, found on PATH by kubectl as people have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster_kit import Kit


@dataclass(frozen=True)
class Plugin:
    kit: Kit

    def __call__(self, *argv: str) -> tuple[int, str]:
        """Exit code and everything that was said."""
        done = self._kubectl("plimsoll", *argv)
        return done.returncode, done.stdout + done.stderr

    def document(self, verb: str, name: str, *options: str) -> tuple[int, dict[str, Any]]:
        """Exit code, and what `-o json` prints for scripts."""
        done = self._kubectl("plimsoll", verb, name, *options, "-n", self.kit.namespace, "-o", "json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def completed(self, *words: str) -> list[str]:
        """What kubectl offers for the last of these words, as its shells' scripts ask it."""
        said = self._kubectl("__complete", "plimsoll", *words)
        *offered, directive = said.stdout.splitlines()
        assert directive.startswith(":"), (said.stdout, said.stderr)
        return [line.partition("\t")[0] for line in offered]

    def _kubectl(self, *argv: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            [str(self.kit.kubectl_path), *argv],
            env={"PATH": path, "KUBECONFIG": str(self.kit.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
