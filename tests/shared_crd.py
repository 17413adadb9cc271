"""The CRD is a cluster's only one: how a test's release borrows it, and gives it back."""

from __future__ import annotations

import json
from typing import Any

from cluster_kit import Kit
from helm_chart import CHART

CRD = "inferencedeployments.plimsoll.dev"
ADOPT = ("--take-ownership", "--force-conflicts")
"""Options of Helm for a release whose CRD may be another's already."""

_MARKS = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")


def crd_owner(kit: Kit) -> dict[str, str]:
    """Helm's marks on the CRD; empty where it is not Helm's, or not there."""
    found = kit.kubectl("get", "crd", CRD, "--ignore-not-found", "-o", "json")
    annotations: dict[str, Any] = json.loads(found)["metadata"].get("annotations", {}) if found else {}
    return {mark: annotations[mark] for mark in _MARKS if mark in annotations}


def give_back(kit: Kit, owner: dict[str, str]) -> None:
    """The CRD as it is in the repository, and Helm's marks as they were: the release that had it may be upgraded."""
    source = CHART.parents[1] / "crds" / "plimsoll.dev_inferencedeployments.yaml"
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(source))
    kit.kubectl("wait", f"crd/{CRD}", "--for=condition=Established", "--timeout=30s")
    marks = [f"{mark}={owner[mark]}" if mark in owner else f"{mark}-" for mark in _MARKS]
    kit.kubectl("annotate", "--overwrite", "crd", CRD, *marks)
