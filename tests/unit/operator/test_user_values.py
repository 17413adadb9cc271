"""No value that the API accepts gets out of what it is put into: an environment, a document, a selector, a path."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given

from builders import NOW, POLICY, PROFILES, make_observed, make_owner, make_spec
from crd_values import names, specs
from drawn_examples import examples
from plimsoll_operator.cluster import kinds
from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.model_source import ClaimModel
from plimsoll_operator.names import LABEL_NAME
from plimsoll_operator.observed import Manifest
from plimsoll_operator.reconcile import reconcile
from plimsoll_operator.spec import parse_spec

often = examples(25)


def deployment_of(name: str, spec: dict[str, Any]) -> Manifest:
    observed = make_observed(spec, claim_found=True)
    plan = reconcile(replace(observed, owner=replace(make_owner(spec), name=name)), POLICY, NOW)
    [deployment] = [manifest for manifest in plan.apply if manifest["kind"] == "Deployment"]
    return deployment


def environment_of(spec: dict[str, Any]) -> dict[str, str]:
    template = pod_template("domains", parse_spec(spec), PROFILES["cpu"], None, "plimsoll/server:1")
    return {entry["name"]: entry["value"] for entry in template["spec"]["containers"][0]["env"] if "value" in entry}


@often
@given(specs())
def test_what_the_pod_is_told_holds_the_users_words_and_nothing_made_of_them(spec: dict[str, Any]) -> None:
    variables = environment_of(spec)
    assert [value for value in variables.values() if set(value) & set("$\n\0")] == []
    document = json.loads(variables["PLIMSOLL_CONFIG"])
    assert [tier["name"] for tier in document["tiers"]] == [tier["name"] for tier in spec["tiers"]]
    assert document["model"]["family"] == spec["model"].get("family", "modernbert")
    assert set(document) == {"version", "model", "tiers", "longInput", "memoryUtilizationPercent"}
    assert set(document["model"]) == {"location", "family", "task", "dtype", "attention"}


def test_no_variable_is_expanded_into_another_not_even_where_an_older_crd_let_it_through() -> None:
    """Kubernetes would put the token in the place of $(HF_TOKEN), and a tier's name is a label of every metric."""
    name = "$(HF_TOKEN)"
    value = environment_of(make_spec(tiers=[{"name": name, "maxTokens": 512}]))["PLIMSOLL_CONFIG"]
    assert "$(" not in value
    assert json.loads(value)["tiers"][0]["name"] == name


@often
@given(names(), specs())
def test_a_name_is_one_label_one_selector_and_one_part_of_a_path(name: str, spec: dict[str, Any]) -> None:
    deployment = deployment_of(name, spec)
    assert deployment["spec"]["selector"]["matchLabels"][LABEL_NAME] == name
    assert len(deployment["metadata"]["name"]) <= 63
    assert not set(name) & set(",=!()<> \t\n"), "the operator lists by LABEL=NAME"
    assert kinds.DEPLOYMENT.path("ns", deployment["metadata"]["name"]).count("/") == 7
    source = parse_spec(spec).model.source
    if isinstance(source, ClaimModel):
        path = kinds.CLAIM.path("ns", source.claim)
        assert path.count("/") == 6
        assert not {".", ".."} & {*path.split("/"), *source.location.split("/")}
