"""What becomes of each request: carried out, waiting, or refused with what to do instead; once, and as it is bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from builders import POLICY, Cluster
from plimsoll_operator.observed import Rejection, Revision
from plimsoll_operator.reconcile import STEPS
from plimsoll_operator.requests import VERBS
from plimsoll_operator.spec import parse_spec
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.request import heed_the_request
from plimsoll_operator.steps.verbs import table
from rollouts import reject, spec_of


@dataclass
class Life:
    """An object and the revisions that it came by, by the version of the model: v1, v2, …"""

    cluster: Cluster

    def revision(self, version: int) -> Revision:
        uri = f"pvc://models/v{version}"
        [found] = [each for each in self.cluster.observed.revisions if each.input["model"]["uri"] == uri]
        return found

    @property
    def stable(self) -> Revision:
        assert self.cluster.observed.stable is not None
        return self.cluster.observed.stable

    def change(self, version: int, **rollout: Any) -> None:
        self.cluster.change(spec_of(version, 1, **rollout))

    def ask(self, text: str) -> dict[str, Any]:
        """Ask, with `@1` for the revision of version 1; what was answered once nothing moves any more."""
        self.cluster.request(self.bound(text))
        self.cluster.settle()
        return self.told()

    def bound(self, text: str) -> str:
        verb, at, rest = text.partition("@")
        version, _, request_id = rest.partition("#")
        return f"{verb}@{self.revision(int(version)).hash}#{request_id}" if at else text

    def told(self) -> dict[str, Any]:
        return dict(self.cluster.observed.owner.status["rollout"]["lastRequest"])

    def lose_status(self) -> None:
        self.cluster.observed = replace(self.cluster.observed, owner=replace(self.cluster.observed.owner, status={}))

    def draft(self) -> Draft:
        """As the request's own step leaves it."""
        observed = self.cluster.observed
        draft = Draft(observed, POLICY, self.cluster.now, parse_spec(observed.owner.spec))
        for step in STEPS[: STEPS.index(heed_the_request) + 1]:
            draft = step(draft)
        return draft


@pytest.fixture
def served() -> Life:
    """Versions 1 to 3 were stable one after the other, and 3 is."""
    life = Life(Cluster(spec_of(1, 1), gpus=4))
    for version in (1, 2, 3):
        life.change(version)
        life.cluster.settle()
    return life


def under_way(life: Life, version: int = 4, strategy: str = "RollingUpdate", **rollout: Any) -> Life:
    """A revision that never gets ready is on its way."""
    life.cluster.broken.add(f"pvc://models/v{version}")
    life.change(version, strategy=strategy, **rollout)
    for _ in range(6):
        life.cluster.reconcile()
    assert not life.revision(version).stable
    return life


def taken_back(life: Life) -> Life:
    under_way(life)
    reject(life.cluster, life.revision(4).hash)
    life.cluster.settle()
    return life


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


@pytest.mark.parametrize("verb", ["promote", "abort", "retry", "restart", "pause", "resume"])
def test_what_is_bound_to_another_revision_than_the_one_asked_for_is_outdated(served: Life, verb: str) -> None:
    under_way(served)
    assert served.ask(f"{verb}@3#1")["outcome"] == "Outdated"
    assert served.draft().order == ""
    assert served.draft().paused is None
    assert served.revision(4).rejected is None


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


def test_a_rollback_without_a_name_goes_to_the_revision_that_was_stable_before(served: Life) -> None:
    told = served.ask("rollback#1")
    assert (told["outcome"], told["revision"]) == ("Accepted", served.revision(2).hash)
    assert served.stable == served.revision(2)
    assert served.cluster.observed.ready == 1
    rejected = served.revision(3).rejected
    assert rejected is not None
    assert rejected.reason == "RolledBackByRequest"


def test_a_second_rollback_without_a_name_goes_one_further(served: Life) -> None:
    served.ask("rollback#1")
    served.ask("rollback#2")
    assert served.stable == served.revision(1)


def test_a_rollback_to_a_named_revision_runs_the_template_that_it_ran_then(served: Life) -> None:
    template = served.revision(1).template["spec"]
    served.cluster.policy = replace(POLICY, server_image="plimsoll/server:2")
    served.ask("rollback@1#1")
    assert served.stable == served.revision(1)
    [deployment] = [live for key, live in served.cluster.observed.children.items() if key.kind == "Deployment"]
    assert deployment["spec"]["template"]["spec"] == template


def test_a_rollback_never_leaves_less_than_what_served(served: Life) -> None:
    served.cluster.request(served.bound("rollback@1#1"))
    assert all(state.ready >= 1 for state in served.cluster.settle())


def test_during_a_canary_a_rollback_must_say_where_to(served: Life) -> None:
    under_way(served)
    told = served.ask("rollback#1")
    assert told["outcome"] == "Refused"
    assert "`kubectl plimsoll abort domains -n guardrails`" in told["message"]
    served.ask("rollback@3#2")
    assert served.told()["outcome"] == "Accepted"
    assert served.stable == served.revision(3)
    assert served.revision(4).rejected is not None


def test_a_rollback_to_a_revision_that_never_served_is_refused(served: Life) -> None:
    under_way(served)
    served.change(5)
    served.cluster.settle()
    told = served.ask("rollback@4#1")
    assert told["outcome"] == "Refused"
    assert "never served" in told["message"]


@pytest.mark.parametrize("writes", range(12))
@pytest.mark.parametrize("asked", ["rollback#1", "rollback@1#1"])
def test_an_operator_killed_at_any_write_of_a_rollback_goes_back_once(served: Life, asked: str, writes: int) -> None:
    served.cluster.request(served.bound(asked))
    back = served.revision(1 if "@" in asked else 2).hash
    for _ in range(30):
        served.cluster.reconcile(writes=writes)
        served.lose_status()
    served.cluster.settle()
    assert served.stable.hash == back
    assert served.revision(3).rejected is not None
    assert served.told()["outcome"] == "Accepted"


def test_a_spec_set_back_after_a_rollback_is_at_rest(served: Life) -> None:
    served.ask("rollback#1")
    pods = list(served.cluster.pods)
    served.change(2)
    served.cluster.settle()
    assert served.cluster.pods == pods
    assert served.cluster.observed.owner.status["rollout"]["phase"] == "Idle"


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


def test_a_pause_in_the_spec_cannot_be_overruled_by_a_promotion(served: Life) -> None:
    under_way(served, strategy="Canary")
    served.cluster.broken.clear()
    served.cluster.pass_time()
    served.cluster.pass_time()
    served.change(4, strategy="Canary", paused=True)
    served.cluster.request(served.bound("promote@4#1"))
    answer = served.draft().answer
    assert answer is not None
    assert answer.outcome == "Waiting"
    assert "spec.rollout.paused" in answer.message


def test_a_pause_lasts_until_it_is_resumed_whatever_else_is_asked_for(served: Life) -> None:
    served.ask("pause#1")
    served.ask("restart#2")
    served.lose_status()
    served.cluster.request(None)
    paused = served.draft().paused
    assert paused is not None
    assert "request 1: `kubectl plimsoll resume domains -n guardrails`" in paused.message
    assert served.ask("resume#3")["outcome"] == "Accepted"
    assert served.draft().paused is None


def test_a_pause_that_goes_back_into_the_annotation_pauses_nothing_more(served: Life) -> None:
    served.ask("pause#1")
    served.ask("resume#2")
    served.lose_status()
    served.ask("pause#1")
    assert served.draft().paused is None


def test_a_pause_bound_to_a_canary_holds_no_other(served: Life) -> None:
    under_way(served)
    served.ask("pause@4#1")
    assert served.draft().paused is not None
    served.change(5)
    served.cluster.settle()
    assert served.draft().paused is None
    assert served.stable == served.revision(5)


def test_a_pause_of_the_spec_outlasts_a_resume_and_says_so(served: Life) -> None:
    served.ask("pause#1")
    served.change(3, paused=True)
    assert "spec.rollout.paused holds rollouts still" in served.ask("resume#2")["message"]
    assert served.draft().paused is not None
    assert "set it to false" in served.ask("resume#3")["message"]
    assert served.told()["outcome"] == "Refused"


@pytest.mark.parametrize("asked", ["abort@4#1", "retry@4#1", "rollback#1", "pause#1", "resume#1", "promote#1"])
def test_an_answer_stays_when_nothing_new_is_asked(served: Life, asked: str) -> None:
    under_way(served)
    told = served.ask(asked)
    served.change(5)
    served.cluster.settle()
    served.cluster.request(None)
    served.cluster.settle()
    assert served.told() == told


def test_a_refusal_stays_one_when_status_is_lost_and_what_it_asked_for_would_make_sense(served: Life) -> None:
    assert served.ask("abort#1")["outcome"] == "Refused"
    under_way(served)
    served.lose_status()
    served.cluster.settle()
    assert served.told()["outcome"] == "Refused"
    assert served.revision(4).rejected is None


def test_an_id_that_was_used_for_another_verb_is_refused(served: Life) -> None:
    under_way(served)
    served.ask("abort@4#1")
    told = served.ask("retry@4#1")
    assert told["outcome"] == "Refused"
    assert "each request one of its own" in told["message"]
    served.lose_status()
    served.cluster.settle()
    assert served.told()["message"] == told["message"]
    assert served.ask("abort@4#1")["outcome"] == "Accepted"
    assert served.revision(4).rejected is not None


def test_of_two_requests_in_quick_succession_the_one_that_is_seen_counts(served: Life) -> None:
    under_way(served)
    served.cluster.request(served.bound("abort@4#1"))
    served.ask("pause#2")
    assert served.revision(4).rejected is None
    assert served.told()["id"] == "2"


def test_a_revision_that_the_spec_asks_for_is_never_forgotten(served: Life) -> None:
    taken_back(served)
    served.change(4, revisionHistoryLimit=0)
    served.cluster.settle()
    assert {each.hash for each in served.cluster.observed.revisions} == {
        served.revision(3).hash,
        served.revision(4).hash,
    }
    assert served.revision(4).rejected is not None


def test_failed_attempts_do_not_push_the_revision_to_roll_back_to_out_of_the_history(served: Life) -> None:
    for version in (4, 5, 6):
        under_way(served, version, revisionHistoryLimit=2)
        served.ask(f"abort@{version}#{version}")
    served.change(3, revisionHistoryLimit=2)
    served.cluster.settle()
    assert [each.hash for each in served.cluster.observed.revisions if each.promoted and not each.stable] == [
        served.revision(2).hash
    ]
    assert len(served.cluster.observed.revisions) == 3
    served.ask("rollback#9")
    assert served.stable == served.revision(2)
