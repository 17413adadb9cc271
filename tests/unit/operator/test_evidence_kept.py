"""What status keeps of a comparison for whoever asks later: why it was promoted, and what its bounds are of."""

from __future__ import annotations

from typing import Any

from builders import Cluster
from measured import Traffic, promoted_undecided, trial, watch


def evidence(cluster: Cluster) -> dict[str, Any]:
    return dict(cluster.observed.owner.status["rollout"]["evidence"])


def test_why_a_canary_was_promoted_without_evidence_is_kept_when_the_rollout_is_over() -> None:
    cluster = promoted_undecided()
    rollout = cluster.observed.owner.status["rollout"]
    assert (rollout["phase"], rollout["stable"]) == ("Idle", evidence(cluster)["canary"])
    assert "onInconclusive is Promote" in evidence(cluster)["promotedBecause"]


def test_a_bound_says_what_it_is_of() -> None:
    cluster = trial()
    watch(cluster, Traffic(), Traffic(), looks=5)
    bounded = {one["name"]: one for one in evidence(cluster)["signals"]}
    assert bounded["oom"]["boundPart"] == "batches"
    assert float(bounded["errors"]["boundExposures"]) > 0
    assert float(bounded["errors"]["boundBad"]) == 0
