"""What the operator renders, under a security linter: what kube-score objects to is either mended or explained here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from builders import NOW, POLICY, make_observed, make_spec
from plimsoll_operator.reconcile import reconcile
from plimsoll_sandbox.toolchain import Tools
from security_linter import objections

EXPLAINED: Mapping[str, str] = {
    "container-resources": "spec.server.resources is the user's to say; the GPU is what is scarce",
    "container-ephemeral-storage-request-and-limit": "so is this part of it",
    "container-image-pull-policy": "pods keep the revision's image, and a tag is one version for good",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints keep them apart, unless spec.pod says otherwise",
    "horizontalpodautoscaler-replicas": "one GPU is what many can spare: spec.scaling.minReplicas is the user's to say",
}
"""Each check that objects, and why that stands."""

SPECS = {
    "the least": make_spec(),
    "model from the hub, over TLS": make_spec(
        model={"uri": "hf://org/model:" + "0" * 40}, server={"tlsSecret": "certificate"}
    ),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_the_linter_objects_to_nothing_that_is_not_explained(tools: Tools, spec: dict[str, Any]) -> None:
    children = [json.dumps(child, default=dict) for child in reconcile(make_observed(spec), POLICY, NOW).apply]
    # One document each; a ControllerRevision's data is no kind that the linter knows.
    known = [child for child in children if json.loads(child)["kind"] != "ControllerRevision"]
    assert objections(tools, "\n---\n".join(known)) == set(EXPLAINED)
