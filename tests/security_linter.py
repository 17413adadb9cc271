"""kube-score, which looks for what is unsafe in Kubernetes objects."""

from __future__ import annotations

import json
import subprocess

from plimsoll_sandbox.toolchain import Tools

OPTIONAL = ("container-seccomp-profile", "container-ports-check")
"""Checks that it makes only when asked."""

CONTENT = 10
"""Its grade for what is as it should be."""


def objections(tools: Tools, manifests: str) -> set[str]:
    """The checks that are not content with some object."""
    optional = [f"--enable-optional-test={check}" for check in OPTIONAL]
    done = subprocess.run(
        [tools.kube_score, "score", *optional, "--kubernetes-version=v1.30", "--output-format=json", "-"],
        input=manifests,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("["), done.stderr
    checks = [check for found in json.loads(done.stdout) for check in found["checks"] if not check["skipped"]]
    assert checks
    return {check["check"]["id"] for check in checks if check["grade"] < CONTENT}
