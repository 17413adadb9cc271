"""Back to a revision that served before: which one, what it runs, and that it happens once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import POLICY, Cluster
from canaries import changed, look, pods_of
from canaries import served as served_canary
from lives import Life, served_life, taken_back, under_way
from rollouts import spec_of


@pytest.fixture
def served() -> Life:
    return served_life()


def test_a_rollback_without_a_name_goes_to_the_revision_that_was_stable_before(served: Life) -> None:
    told = served.ask("rollback#1")
    assert (told["outcome"], told["revision"]) == ("Accepted", served.revision(2).hash)
    assert served.stable == served.revision(2)
    assert served.cluster.observed.ready == 1
    rejected = served.revision(3).rejected
    assert rejected is not None
    assert rejected.reason == "RolledBackByRequest"


def test_a_second_rollback_must_say_where_to(served: Life) -> None:
    served.ask("rollback#1")
    told = served.ask("rollback#2")
    assert told["outcome"] == "Refused"
    assert served.stable == served.revision(2)
    served.ask("rollback@1#3")
    assert served.stable == served.revision(1)


def test_a_change_that_was_taken_back_by_itself_is_not_rolled_back_once_more(served: Life) -> None:
    """Who is called by an alert on the bad canary, once it is gone, must not end the good revision."""
    taken_back(served)
    why, good = served.revision(4).rejected, served.revision(3)
    told = served.ask("rollback#three-in-the-morning")
    assert told["outcome"] == "Refused"
    assert told["message"] == (
        f"revision {served.revision(4).hash} was taken back already (Errors), and {good.hash}, which served before "
        f"it, serves: `kubectl plimsoll rollback domains -n guardrails {served.revision(2).hash}` goes further back"
    )
    assert served.stable == good
    assert served.revision(4).rejected == why


def test_where_nothing_older_served_the_refusal_says_so() -> None:
    life = Life(Cluster(spec_of(1, 1), gpus=4))
    life.cluster.settle()
    taken_back(life)
    assert life.ask("rollback#1")["message"].endswith("the history has no other revision that served before")


def test_back_at_a_revision_that_starts_no_more_the_way_out_is_named_and_leads_out() -> None:
    trials = changed(served_canary(2))
    trials.decision = "Promote"
    trials.until(lambda trials: trials.rollout["phase"] == "Idle" and trials.of(1) is None)
    trials.decision = "Undecided"
    back, left = (revision.hash for revision in sorted(trials.observed.revisions, key=lambda each: each.number))
    trials.broken.add("pvc://models/v1")
    for request in ("rollback#1", "rollback#2"):
        trials.request(request)
        look(trials, 5)
    assert (trials.rollout["phase"], trials.rollout["stable"]) == ("RollingBack", back)
    assert trials.rollout["lastRequest"]["message"] == (
        f"revision {left} was taken back already (RolledBackByRequest), and {back}, which served before it, is to "
        f"serve, but no pod of it is ready: `kubectl plimsoll retry domains -n guardrails` tries {left} again; "
        "the history has no other revision that served before"
    )
    trials.request("retry#3")
    look(trials, 3)
    trials.crashing |= pods_of(trials.observed, 1)
    states = trials.until_phase("Idle")
    assert min(state.ready for state in states) == 2
    assert trials.rollout["stable"] == left


def test_going_further_back_keeps_what_a_revision_was_rejected_for(served: Life) -> None:
    taken_back(served)
    why = served.revision(4).rejected
    assert served.ask("rollback@2#1")["outcome"] == "Accepted"
    assert served.stable == served.revision(2)
    assert served.revision(4).rejected == why


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
