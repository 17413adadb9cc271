"""The chart under a security linter: what kube-score objects to is either mended or explained here."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from helm_chart import CHART_MODES, Chart
from plimsoll_sandbox.toolchain import Tools
from security_linter import objections

EXPLAINED: Mapping[str, str] = {
    "container-resources": "no CPU limit: a throttled operator is a late one",
    "container-security-context-user-group-id": "the image's user is not root; OpenShift assigns its own",
    "container-image-pull-policy": "a tag is one version for good; whoever writes over tags has image.pullPolicy",
    "pod-probes-identical": "no Service sends it anything: ready and alive are the same question, of its heartbeat",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints keep replicas apart, by zone as well",
    "pod-networkpolicy": "networkPolicy.enabled=false is for clusters with policies of their own",
    "deployment-has-poddisruptionbudget": "a worker of jobs that is evicted loses nothing: its turn is another's",
    "container-ephemeral-storage-request-and-limit": "resources=null is for namespaces with a LimitRange",
}
"""Each check that objects to some way of installing the chart, and why that stands."""

WHERE_TAKEN_AWAY = {"pod-networkpolicy", "container-ephemeral-storage-request-and-limit"}
"""Of these, what the chart has unless its values say otherwise."""


@pytest.fixture(scope="module")
def found(chart: Chart, tools: Tools) -> Mapping[str, set[str]]:
    """What is objected to in each way of installing."""
    return {mode: objections(tools, chart.text(values)) for mode, values in CHART_MODES.items()}


def test_the_linter_objects_to_nothing_that_is_not_explained(found: Mapping[str, set[str]]) -> None:
    assert set().union(*found.values()) == set(EXPLAINED)


@pytest.mark.parametrize("mode", sorted(CHART_MODES.keys() - {"minimal"}))
def test_what_values_may_take_away_is_there_otherwise(found: Mapping[str, set[str]], mode: str) -> None:
    assert not found[mode] & WHERE_TAKEN_AWAY


UNSAFE: list[tuple[str, str, str]] = [
    (
        "readOnlyRootFilesystem: true",
        "readOnlyRootFilesystem: false",
        "container-security-context-readonlyrootfilesystem",
    ),
    ("allowPrivilegeEscalation: false", "privileged: true", "container-security-context-privileged"),
    ("        seccompProfile:\n          type: RuntimeDefault\n", "", "container-seccomp-profile"),
    ("kind: NetworkPolicy", "kind: ConfigMap", "pod-networkpolicy"),
]


@pytest.mark.parametrize(("safe", "unsafe", "check"), UNSAFE, ids=[check for *_, check in UNSAFE])
def test_something_unsafe_would_be_found(chart: Chart, tools: Tools, safe: str, unsafe: str, check: str) -> None:
    assert check in objections(tools, chart.text().replace(safe, unsafe))
