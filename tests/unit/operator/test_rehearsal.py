"""Before the pods that serve are stopped for others, the apiserver is asked whether it would take these."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from builders import NOW, Cluster, make_observed
from plimsoll_operator.cluster.access import Access
from plimsoll_operator.cluster.apply import OwnerGoneError, carry_out
from plimsoll_operator.cluster.errors import ForbiddenError, UnavailableError
from plimsoll_operator.cluster.kube import Kube
from plimsoll_operator.observed import ObjectKey
from plimsoll_operator.plan import Plan, Rehearsal, Scale
from plimsoll_operator.quota import fits_once_freed, usage_of
from rollouts import settled, spec_of
from scripted_apiserver import Answer, ScriptedApiserver, refusal, scripted_apiserver

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "domains-new-"}, "spec": {"containers": []}}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "domains-new"}}
FREED = {"pods": Decimal(1), "requests.memory": Decimal(1 << 30)}
PLAN = Plan(rehearsal=Rehearsal(DEPLOYMENT, POD, FREED), scale=(Scale("domains-old", 0),))
OLD = ObjectKey("apps/v1", "Deployment", "domains-old")
OBSERVED = make_observed(children={OLD: {"metadata": {"uid": "uid-old"}}})
PODS = "POST /api/v1/namespaces/guardrails/pods"
DEPLOYMENTS = "POST /apis/apps/v1/namespaces/guardrails/deployments"
STOP = "PATCH /apis/apps/v1/namespaces/guardrails/deployments/domains-old/scale"


def rehearsals(cluster: Cluster, moves: int = 20) -> list[Plan]:
    plans = [cluster.reconcile() for _ in range(moves)]
    return [plan for plan in plans if plan.rehearsal is not None]


def test_recreate_stops_no_pod_before_the_new_ones_were_tried() -> None:
    cluster = settled(replicas=2, gpus=2, strategy="Recreate")
    cluster.change(spec_of(2, 2, "Recreate"))
    [plan] = rehearsals(cluster)
    assert plan.rehearsal is not None
    assert [scale.replicas for scale in plan.scale] == [0]
    assert plan.rehearsal.deployment is not None
    template = plan.rehearsal.deployment["spec"]["template"]
    assert plan.rehearsal.pod["spec"] == template["spec"]
    assert plan.rehearsal.pod["metadata"]["labels"] == template["metadata"]["labels"]
    assert plan.rehearsal.frees["requests.nvidia.com/gpu"] == 2


def test_a_rolling_update_needs_no_rehearsal_since_its_first_pod_comes_before_any_goes() -> None:
    cluster = settled(replicas=2, gpus=2)
    cluster.change(spec_of(2, 2))
    assert rehearsals(cluster) == []


@pytest.fixture
async def apiserver() -> AsyncIterator[ScriptedApiserver]:
    async with scripted_apiserver() as server:
        yield server


@pytest.fixture
async def kube(apiserver: ScriptedApiserver, tmp_path: Path) -> AsyncIterator[Kube]:
    apiserver.write_kubeconfig(tmp_path / "kubeconfig")
    async with Kube(Access(str(tmp_path / "kubeconfig")), timedelta(seconds=5), lambda *_: None) as client:
        yield client


async def test_both_are_tried_without_being_stored_and_then_the_old_ones_stop(
    apiserver: ScriptedApiserver, kube: Kube
) -> None:
    await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked() == [DEPLOYMENTS, PODS, STOP]
    assert [request.query.get("dryRun") for request in apiserver.requests] == ["All", "All", None]


FORBIDDEN = refusal(403, "Forbidden", 'pods "x" is forbidden: violates PodSecurity "restricted:latest"')
NO_ROOM = refusal(
    403,
    "Forbidden",
    'pods "x" is forbidden: exceeded quota: gpus, requested: pods=1, used: pods=9, limited: pods=8',
)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        pytest.param(PODS, FORBIDDEN, id="the pod breaks a policy"),
        pytest.param(PODS, NO_ROOM, id="no quota left even then"),
        pytest.param(DEPLOYMENTS, FORBIDDEN, id="the Deployment breaks a policy"),
    ],
)
async def test_what_is_refused_stops_nothing(
    apiserver: ScriptedApiserver, kube: Kube, line: str, answer: Answer
) -> None:
    apiserver.answer(line, answer)
    with pytest.raises(ForbiddenError, match="forbidden"):
        await carry_out(kube, OBSERVED, PLAN, NOW)
    assert STOP not in apiserver.asked()


async def test_a_policy_that_does_not_answer_stops_nothing(apiserver: ScriptedApiserver, kube: Kube) -> None:
    apiserver.answer(PODS, refusal(500, "InternalError", "failed calling webhook"))
    with pytest.raises(UnavailableError):
        await carry_out(kube, OBSERVED, PLAN, NOW)
    assert STOP not in apiserver.asked()


async def test_an_account_that_has_just_gone_is_no_refusal_and_stops_nothing(
    apiserver: ScriptedApiserver, kube: Kube
) -> None:
    gone = 'error looking up service account guardrails/domains: serviceaccount "domains" not found'
    apiserver.answer(PODS, refusal(403, "Forbidden", f'pods "domains-new-" is forbidden: {gone}'))
    with pytest.raises(UnavailableError, match="it is made anew"):
        await carry_out(kube, OBSERVED, PLAN, NOW)
    assert STOP not in apiserver.asked()


async def test_a_namespace_on_its_way_out_is_no_refusal(apiserver: ScriptedApiserver, kube: Kube) -> None:
    causes = {"causes": [{"reason": "NamespaceTerminating"}]}
    apiserver.answer(PODS, (403, {"kind": "Status", "message": "being terminated", "details": causes}))
    with pytest.raises(OwnerGoneError):
        await carry_out(kube, OBSERVED, PLAN, NOW)


@pytest.mark.parametrize(
    "answer",
    [
        refusal(
            403,
            "Forbidden",
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
        ),
        refusal(400, "BadRequest", 'admission webhook "policy.example" does not support dry run'),
    ],
    ids=["a quota that the old pods fill", "a webhook that cannot be tried"],
)
async def test_what_a_rehearsal_cannot_tell_holds_nothing_up(
    apiserver: ScriptedApiserver, kube: Kube, answer: Answer
) -> None:
    apiserver.answer(PODS, answer)
    await carry_out(kube, OBSERVED, PLAN, NOW)
    assert apiserver.asked()[-1] == STOP


QUOTAS = [
    pytest.param("requested: pods=1, used: pods=1, limited: pods=1", True, id="the one that ends"),
    pytest.param("requested: pods=1, used: pods=3, limited: pods=1", False, id="others as well"),
    pytest.param(
        "requested: pods=1,requests.memory=2Gi, used: pods=1,requests.memory=1Gi, limited: pods=1,requests.memory=1Gi",
        False,
        id="more than is freed",
    ),
    pytest.param(
        "requested: requests.memory=1Gi, used: requests.memory=4Gi, limited: requests.memory=4Gi", True, id="memory"
    ),
    pytest.param("requested: limits.cpu=1, used: limits.cpu=1, limited: limits.cpu=1", False, id="nothing of it freed"),
]


@pytest.mark.parametrize(("amounts", "fits"), QUOTAS)
def test_a_quota_is_counted_as_it_will_be_when_the_old_pods_have_ended(amounts: str, fits: bool) -> None:
    assert fits_once_freed(f'pods "x" is forbidden: exceeded quota: q, {amounts}', FREED) is fits


def test_another_refusal_is_no_matter_of_quota() -> None:
    assert not fits_once_freed("failed quota: q: must specify limits.cpu for: server", FREED)


def test_a_pod_takes_of_a_quota_what_it_requests_else_what_it_is_limited_to() -> None:
    resources = {"limits": {"memory": "2Gi", "nvidia.com/gpu": "1"}, "requests": {"memory": "1Gi", "cpu": "500m"}}
    taken = usage_of({"containers": [{"name": "server", "resources": resources}]}, pods=2)
    assert taken == {
        "pods": 2,
        "count/pods": 2,
        "limits.memory": 4 << 30,
        "limits.nvidia.com/gpu": 2,
        "requests.memory": 2 << 30,
        "requests.nvidia.com/gpu": 2,
        "requests.cpu": 1,
        "memory": 2 << 30,
        "cpu": 1,
    }
