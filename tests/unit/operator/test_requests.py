"""What becomes of each request: carried out, waiting, or refused with what to do instead."""

from __future__ import annotations

import pytest

import canaries
from builders import Cluster
from lives import Life, served_life, taken_back, under_way
from plimsoll_operator.observed import Rejection
from plimsoll_operator.requests import VERBS
from plimsoll_operator.steps.verbs import table
from rollouts import reject, spec_of


@pytest.fixture
def served() -> Life:
    return served_life()


def test_every_verb_that_can_be_read_has_an_answer() -> None:
    assert set(table.VERBS) == set(VERBS)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        pytest.param("promote#1", "RollingUpdate", id="promote where nothing is judged"),
        pytest.param("abort#1", "is the stable one. `kubectl plimsoll rollback", id="abort without a canary"),
        pytest.param("retry#1", "was not taken back", id="retry of what serves"),
        pytest.param("rollback@3#1", "is the stable one and the one that the spec asks for", id="rollback to itself"),
        pytest.param("rollback@0ld#1", "is not in the history: it has ", id="rollback to what is forgotten"),
        pytest.param("resume#1", "nothing is held", id="resume of what is not paused"),
    ],
)
def test_at_rest_what_makes_no_sense_is_refused_with_what_to_do(served: Life, asked: str, says: str) -> None:
    before = served.cluster.pods
    served.cluster.request(asked if "0ld" in asked else served.bound(asked))
    served.cluster.settle()
    assert served.told()["outcome"] == "Refused"
    assert says in served.told()["message"]
    assert served.cluster.pods == before
    assert served.stable == served.revision(3)


def test_a_refusal_advises_no_rollback_where_there_is_nothing_to_go_back_to() -> None:
    cluster = canaries.served(2)
    for verb in ("abort", "rollback"):
        cluster.request(f"{verb}#{verb}")
        cluster.settle()
        told = cluster.observed.owner.status["rollout"]["lastRequest"]
        assert (told["id"], told["outcome"]) == (verb, "Refused")
        assert "kubectl plimsoll" not in told["message"]


def test_an_abort_takes_the_canary_back_and_touches_no_pod_that_serves(served: Life) -> None:
    serving = {pod.name for pod in served.cluster.pods}
    under_way(served)
    told = served.ask("abort@4#now")
    assert (told["outcome"], told["revision"]) == ("Accepted", served.revision(4).hash)
    rejected = served.revision(4).rejected
    assert rejected is not None
    assert rejected.reason == "Aborted"
    assert "request now" in rejected.message
    assert {pod.name for pod in served.cluster.pods if pod.revision == served.revision(3).hash} == serving
    assert served.stable == served.revision(3)


def test_a_revision_that_was_taken_back_is_not_started_again_when_its_input_is_applied_again(served: Life) -> None:
    taken_back(served)
    served.change(3)
    served.cluster.settle()
    pods = list(served.cluster.pods)
    served.change(4)
    states = served.cluster.settle()
    assert served.cluster.pods == pods
    assert all(state.workload(served.revision(4).hash) is None for state in states)
    assert served.revision(4).rejected == Rejection("Errors", "12 of 400 requests failed")


def test_a_spec_that_goes_back_to_the_stable_revision_restarts_nothing(served: Life) -> None:
    taken_back(served)
    pods = [pod for pod in served.cluster.pods if pod.revision == served.revision(3).hash]
    served.change(3)
    served.cluster.settle()
    assert served.cluster.pods == pods
    assert served.cluster.observed.owner.status["rollout"]["phase"] == "Idle"


def test_a_new_change_after_one_that_was_taken_back_is_a_new_rollout(served: Life) -> None:
    taken_back(served)
    served.change(5)
    served.cluster.settle()
    assert served.stable == served.revision(5)


def test_a_retry_starts_the_revision_again(served: Life) -> None:
    taken_back(served)
    served.cluster.broken.clear()
    assert served.ask("retry@4#1")["outcome"] == "Accepted"
    assert served.stable == served.revision(4)


def test_a_retry_that_fails_again_stays_taken_back(served: Life) -> None:
    taken_back(served)
    served.ask("retry@4#1")
    reject(served.cluster, served.revision(4).hash, "Aborted: once more")
    served.lose_status()
    served.cluster.settle()
    assert served.revision(4).rejected == Rejection("Aborted", "once more")
    assert served.told()["outcome"] == "Accepted"


@pytest.mark.parametrize("asked", ["abort@4#1", "rollback@3#1"])
def test_a_retry_after_a_person_took_it_back_rolls_out_again(served: Life, asked: str) -> None:
    under_way(served)
    served.ask(asked)
    served.cluster.broken.clear()
    served.ask("retry@4#2")
    assert served.stable == served.revision(4)


def test_a_restart_of_what_was_taken_back_is_refused(served: Life) -> None:
    taken_back(served)
    told = served.ask("restart#1")
    assert told["outcome"] == "Refused"
    assert "retry" in told["message"]


def test_a_first_revision_can_neither_be_promoted_nor_aborted() -> None:
    life = Life(Cluster(spec_of(1, 1, strategy="Canary"), gpus=2))
    life.cluster.broken.add("pvc://models/v1")
    life.cluster.settle()
    assert "it needs no promotion" in life.ask("promote@1#1")["message"]
    assert "change the spec" in life.ask("abort@1#2")["message"]
    assert life.told()["outcome"] == "Refused"


def test_a_first_revision_that_was_taken_back_keeps_its_pods() -> None:
    life = Life(Cluster(spec_of(1, 1), gpus=2))
    life.cluster.broken.add("pvc://models/v1")
    life.cluster.settle()
    reject(life.cluster, life.revision(1).hash)
    life.cluster.settle()
    assert [pod.revision for pod in life.cluster.pods] == [life.revision(1).hash]


def test_a_promotion_that_waits_is_of_no_revision_that_comes_later(served: Life) -> None:
    under_way(served, strategy="Canary")
    served.cluster.request("promote#1")
    served.cluster.reconcile()
    assert (served.told()["outcome"], served.told()["revision"]) == ("Waiting", served.revision(4).hash)
    served.change(5, strategy="Canary")
    for _ in range(6):
        served.cluster.reconcile()
    assert served.told()["outcome"] == "Outdated"
    assert served.stable == served.revision(3)


def test_a_promotion_waits_for_a_pod_that_is_ready(served: Life) -> None:
    under_way(served, strategy="Canary")
    served.cluster.request(served.bound("promote@4#1"))
    answer = served.draft().answer
    assert answer is not None
    assert (answer.outcome, served.draft().order) == ("Waiting", "")
    served.cluster.broken.clear()
    served.cluster.pass_time()
    served.cluster.pass_time()
    assert served.draft().order == "promote"
