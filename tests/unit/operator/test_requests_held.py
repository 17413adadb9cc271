"""While rollouts are held a person still gets away from what is bad: back to what served, or on by a promotion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from canaries import Trials, changed, look, pods_of, rejection_of, served
from plimsoll_operator.observed import Manifest, Revision
from rollouts import condition


def bad_and_promoted() -> Trials:
    """Version 2 has taken version 1's place, and is bad."""
    trials = changed(served(2))
    trials.decision = "Promote"
    trials.until(lambda trials: trials.rollout["phase"] == "Idle" and trials.of(1) is None)
    trials.decision = "Undecided"
    return trials


def frozen(trials: Trials) -> None:
    trials.policy = replace(trials.policy, frozen=True)


def paused_by_the_spec(trials: Trials) -> None:
    spec = trials.observed.owner.spec
    trials.change({**spec, "rollout": {**spec["rollout"], "paused": True}})


def paused_by_request(trials: Trials) -> None:
    trials.request("pause#hold")
    look(trials)


Hold = Callable[[Trials], None]
HOLDS = pytest.mark.parametrize("hold", [frozen, paused_by_the_spec, paused_by_request])


def revision(trials: Trials, version: int) -> Revision:
    uri = f"pvc://models/v{version}"
    return next(found for found in trials.observed.revisions if found.input["model"]["uri"] == uri)


def ask(trials: Trials, text: str) -> Manifest:
    trials.request(text)
    trials.settle()
    told: Manifest = trials.rollout["lastRequest"]
    return told


def put_back(hold: Hold) -> Trials:
    """Version 2 is bad, rollouts are held, and git asks for version 1 again."""
    trials = bad_and_promoted()
    hold(trials)
    changed(trials, 1)
    trials.settle()
    assert (trials.rollout["phase"], trials.of(1)) == ("Paused", None)
    return trials


@HOLDS
@pytest.mark.parametrize("named", [True, False], ids=["by name", "without a name"])
@pytest.mark.parametrize("strategy", ["Canary", "RollingUpdate"])
def test_a_revision_that_served_and_that_git_asks_for_again_is_gone_back_to_at_once(
    hold: Hold, named: bool, strategy: str
) -> None:
    trials = put_back(hold)
    changed(trials, 1, strategy=strategy)
    name = revision(trials, 1).hash
    told = ask(trials, f"rollback@{name}#now" if named else "rollback#now")
    assert (told["outcome"], told["revision"]) == ("Accepted", name)
    assert "the spec is that of this revision already" in told["message"]
    assert (trials.rollout["phase"], trials.rollout["stable"]) == ("Idle", name)
    assert (len(pods_of(trials.observed, 1)), trials.of(2)) == (2, None)
    assert condition(trials.observed, "Ready")["status"] == "True"
    assert rejection_of(trials.observed, 2) is None


@pytest.mark.parametrize("writes", range(10))
def test_an_operator_killed_at_any_write_of_it_goes_back_once(writes: int) -> None:
    trials = put_back(frozen)
    trials.request("rollback#now")
    for _ in range(30):
        trials.reconcile(writes=writes)
        trials.observed = replace(trials.observed, owner=replace(trials.observed.owner, status={}))
        assert trials.observed.ready >= 1
    trials.settle()
    assert trials.rollout["stable"] == revision(trials, 1).hash
    assert trials.rollout["lastRequest"]["outcome"] == "Accepted"


@HOLDS
def test_who_looks_at_what_is_held_is_told_the_way_back(hold: Hold) -> None:
    trials = put_back(hold)
    assert trials.rollout["message"].endswith(
        "revision {0} served before: `kubectl plimsoll rollback domains -n guardrails {0}` goes back to it now".format(
            revision(trials, 1).hash
        )
    )


@pytest.mark.parametrize(
    ("hold", "says"),
    [
        (frozen, "the chart's freeze holds revision {0}: this is carried out after the thaw"),
        (paused_by_the_spec, "spec.rollout.paused holds revision {0}: set it to false, and this is carried out"),
    ],
)
def test_a_promotion_that_is_held_names_the_hold_and_what_to_do(hold: Hold, says: str) -> None:
    trials = put_back(hold)
    told = ask(trials, "promote#now")
    name = revision(trials, 1).hash
    back = f"`kubectl plimsoll rollback domains -n guardrails {name}` goes back to it now"
    assert told["outcome"] == "Waiting"
    assert told["message"] == f"{says.format(name)}. It served before: {back}"


@pytest.mark.parametrize("hold", [frozen, paused_by_the_spec])
def test_what_nobody_has_seen_serve_stays_held(hold: Hold) -> None:
    trials = bad_and_promoted()
    hold(trials)
    changed(trials, 3)
    trials.settle()
    unproven = revision(trials, 3).hash
    assert "rollback" not in trials.rollout["message"]
    told = ask(trials, "promote#now")
    assert (told["outcome"], "rollback" in told["message"]) == ("Waiting", False)
    for text in ("rollback#1", f"rollback@{unproven}#2"):
        assert ask(trials, text)["outcome"] == "Refused"
    assert (trials.rollout["phase"], trials.of(3)) == ("Paused", None)


@pytest.mark.parametrize("version", [1, 3], ids=["one that served before", "an unproven one"])
def test_a_promotion_ends_a_pause_that_was_asked_for_also_where_no_pod_had_begun(version: int) -> None:
    trials = bad_and_promoted()
    paused_by_request(trials)
    changed(trials, version)
    trials.settle()
    assert (trials.rollout["phase"], trials.of(version)) == ("Paused", None)
    trials.request("promote#now")
    states = trials.settle()
    assert min(state.ready for state in states) >= 2
    assert trials.rollout["lastRequest"]["outcome"] == "Accepted"
    assert (trials.rollout["phase"], trials.rollout["stable"]) == ("Idle", revision(trials, version).hash)
    trials.request(None)
    changed(trials, 4)
    look(trials, 2)
    assert trials.rollout["phase"] != "Paused"


def test_a_promotion_that_is_withdrawn_before_a_pod_was_ready_has_ended_no_pause() -> None:
    trials = bad_and_promoted()
    paused_by_request(trials)
    trials.broken.add("pvc://models/v3")
    changed(trials, 3)
    trials.request("promote#now")
    look(trials, 4)
    assert trials.rollout["phase"] == "Surging"
    assert "no pod of revision" in trials.rollout["lastRequest"]["message"]
    trials.request(None)
    look(trials, 2)
    assert trials.rollout["phase"] == "Paused"


def test_on_its_way_unheld_it_needs_no_rollback_and_one_by_name_hurries_it() -> None:
    trials = bad_and_promoted()
    trials.broken.add("pvc://models/v1")
    changed(trials, 1)
    look(trials, 4)
    name = revision(trials, 1).hash
    trials.request("rollback#1")
    look(trials)
    told = trials.rollout["lastRequest"]
    assert told["outcome"] == "Refused"
    assert f"`kubectl plimsoll rollback domains -n guardrails {name}` leaves the other for it now" in told["message"]
    trials.request(f"rollback@{name}#2")
    look(trials, 2)
    assert (trials.rollout["lastRequest"]["outcome"], trials.rollout["stable"]) == ("Accepted", name)
