"""A request is bound as it says, answered once, and remembered: pauses, IDs, and what the history keeps."""

from __future__ import annotations

import pytest

from lives import Life, served_life, taken_back, under_way


@pytest.fixture
def served() -> Life:
    return served_life()


@pytest.mark.parametrize("verb", ["promote", "abort", "retry", "restart", "pause", "resume"])
def test_what_is_bound_to_another_revision_than_the_one_asked_for_is_outdated(served: Life, verb: str) -> None:
    under_way(served)
    assert served.ask(f"{verb}@3#1")["outcome"] == "Outdated"
    assert served.draft().order == ""
    assert served.draft().paused is None
    assert served.revision(4).rejected is None


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


@pytest.mark.parametrize(("asked", "about"), [("abort@4#1", 4), ("abort#1", 4), ("rollback@1#1", 1)])
def test_an_id_that_is_given_again_after_others_is_answered_with_the_revision_that_it_was_about(
    served: Life, asked: str, about: int
) -> None:
    under_way(served)
    first = served.ask(asked)
    assert (first["outcome"], first["revision"]) == ("Accepted", served.revision(about).hash)
    served.ask("pause#2")
    served.ask("resume#3")
    again = served.ask(asked)
    assert (again["outcome"], again["revision"]) == ("Accepted", first["revision"])


def test_an_id_that_is_given_again_for_another_revision_is_still_about_the_first(served: Life) -> None:
    """As by a script that asks for what the spec says by now."""
    under_way(served)
    first = served.ask("abort@4#1")
    served.ask("pause#2")
    under_way(served, 5)
    assert served.ask("abort@5#1")["revision"] == first["revision"]
    assert served.revision(5).rejected is None


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
    kept = served.cluster.observed.revisions
    assert {each.hash for each in kept if each.promoted and not each.stable} == {
        served.revision(1).hash,
        served.revision(2).hash,
    }
    assert len([each for each in kept if not each.rejected]) == 3
    served.ask("rollback#9")
    assert served.stable == served.revision(2)
