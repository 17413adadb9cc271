"""`kubectl plimsoll explain`: each phase of a canary in words, as a script reads it, and as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import trials
from judged_canary import judged_rollout
from plimsoll_operator.cli.console import show
from plimsoll_operator.cli.explanation.curves import curves_of
from plimsoll_operator.cli.explanation.sections import sections
from plimsoll_operator.cli.explanation.story import tell
from plimsoll_operator.observed import Pod
from trials import CANARY, STABLE, make_evidence, make_object, make_rejection, make_signal

Told = Callable[..., str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """What a pipe gets to read of an object and its pods."""

    def run(found: dict[str, Any], *pods: Pod) -> str:
        show(sections(tell(found, pods)))
        return capsys.readouterr().out

    return run


def under(phase: str, reason: str = "", **evidence: Any) -> dict[str, Any]:
    return make_object(phase, reason=reason or phase, evidence=make_evidence(**evidence))


def quiet() -> dict[str, Any]:
    return under("Analysing", "NoTraffic", data="NoTraffic")


def crash_looping() -> dict[str, Any]:
    """It never served, so nothing was compared: the history alone knows why."""
    because = {"reason": "CrashLoop", "message": "two starts failed, exit code 1: its last words: no config.json"}
    revisions = [{"hash": CANARY, "number": 2, "askedFor": True, "rejected": because}]
    return make_object("RolledBack", {"revisions": revisions}, message="taken back")


def rejected(reason: str) -> dict[str, Any]:
    return make_object("RolledBack", make_rejection(reason), canary="", evidence=make_evidence())


PHASES = {
    "starting": (make_object("Surging"), "the canary starts", "the comparison begins when the first pod"),
    "under analysis": (trials.analysing(), "under analysis", "it waits for you after 30m without a decision"),
    "no metrics": (under("Analysing", "NoMetrics", data="NoMetrics"), "Prometheus gives no answer", "prometheus.url"),
    "no traffic": (
        under("Analysing", "NoTraffic", data="NoTraffic"),
        "there is nothing to compare",
        "after 30m without data it is held, and has all of that time again",
    ),
    "the next step": (
        make_object("Surging", evidence=make_evidence(), step=2, steps=3),
        "the canary starts",
        "it goes on when the pods of step 2 are ready",
    ),
    "canary unseen": (under("Analysing", "CanaryMissing", data="CanaryMissing"), "no series", "port 9090"),
    "promoting": (
        make_object("Promoting", stable=CANARY, canary="", evidence=make_evidence(decision="Promote")),
        "being promoted",
        "the canary grows to full size",
    ),
    "promoted": (
        make_object("Idle", stable=CANARY, canary="", evidence=make_evidence(decision="Promote", message="no harm")),
        "promoted",
        f"revision {CANARY} serves; kubectl plimsoll rollback domains -n guardrails",
    ),
    "rolling back": (
        make_object("RollingBack", make_rejection("MoreErrors"), evidence=make_evidence(decision="Rollback")),
        "being rolled back",
        "retry domains -n guardrails tries the very same",
    ),
    "rolled back": (trials.rolled_back(), "rolled back on errors", f"the spec of revision {STABLE} ends the rollout"),
    "taken back by request": (rejected("Aborted"), "Aborted: so it is", "who took it back"),
    "taken back for memory": (rejected("OOMKilled"), "OOMKilled: so it is", "lower memoryUtilizationPercent"),
    "crash loop": (crash_looping(), "CrashLoop: two starts failed", "kubectl plimsoll retry domains -n guardrails"),
    "paused": (under("Paused"), "paused", "kubectl plimsoll resume domains -n guardrails"),
    "inconclusive": (under("Inconclusive"), "undecided", "kubectl plimsoll promote domains -n guardrails, or kubectl"),
    "no GPU": (make_object("Surging", reason="NoFreeGPU"), "the canary starts", "free or add a GPU"),
    "frozen": (make_object("Paused", reason="Frozen"), "paused", "wait for the thaw"),
    "never judged": (make_object("Idle", canary=""), "at rest", "no rollout was compared yet"),
    "parked": (make_object("Paused", reason="Untried"), "paused", "raise spec.scaling.minReplicas"),
    "another strategy": (make_object("Progressing"), "rolling out", "one after the other"),
}


def stalled(
    reason: str, phase: str, history: dict[str, Any] | None = None, generation: int = 2, **rollout: Any
) -> dict[str, Any]:
    condition = {"type": "Stalled", "status": "True", "reason": reason, "message": "nothing got on for 600 s; a quota"}
    told = {"conditions": [{**condition, "observedGeneration": generation}], **(history or {})}
    return make_object(phase, told, **rollout)


LATE = "ProgressDeadlineExceeded"
OLDER = {"revisions": [{"hash": CANARY, "stable": True, "promoted": True}, {"hash": STABLE, "promoted": True}]}
SET_BACK = {"revisions": [{"hash": STABLE, "stable": True, "promoted": True, "askedFor": True}, {"hash": CANARY}]}
"""The spec asks for the only revision that ever served."""
LEFT = make_rejection("RolledBackByRequest", promoted=True)
TAKEN_BACK = make_rejection("MoreErrors")
STALLED = [
    pytest.param(LATE, "Surging", {}, {}, "kubectl plimsoll abort domains -n", id="a canary"),
    pytest.param(LATE, "Progressing", {}, {}, "kubectl plimsoll abort domains -n", id="a rolling update"),
    pytest.param(
        LATE,
        "Promoting",
        {"stable": CANARY, "canary": ""},
        OLDER,
        "kubectl plimsoll rollback domains -n",
        id="a promotion",
    ),
    pytest.param(LATE, "RollingBack", {}, LEFT, "kubectl plimsoll retry domains -n", id="a rollback by request"),
    pytest.param(LATE, "RollingBack", {}, TAKEN_BACK, "kubectl plimsoll retry domains -n", id="a rollback"),
    pytest.param(LATE, "RollingBack", {}, SET_BACK, "change the spec", id="a change taken back in git"),
    pytest.param(LATE, "Progressing", {"stable": ""}, {}, "change the spec", id="a first revision"),
    pytest.param("ClaimNotFound", "Idle", {}, {}, "create the claim", id="a cause with advice of its own"),
    pytest.param("OfANewerOperator", "Idle", {}, {}, "do what is named above", id="any other"),
]


def test_who_paused_by_the_spec_is_not_sent_to_resume_which_is_refused_then() -> None:
    found = under("Paused")
    found["spec"].setdefault("rollout", {})["paused"] = True
    told = tell(found, []).next
    assert told[0] == "spec.rollout.paused: false, in the spec, lets it go on"
    assert "resume" not in " ".join(told)


@pytest.mark.parametrize(("reason", "phase", "rollout", "history", "advice"), STALLED)
def test_an_object_that_gets_no_further_says_so_first_and_never_to_do_nothing(
    told: Told, reason: str, phase: str, rollout: dict[str, Any], history: dict[str, Any], advice: str
) -> None:
    text = told(stalled(reason, phase, history, **rollout))
    assert text.splitlines()[:2] == [f"guardrails/domains  stalled: {reason}", "nothing got on for 600 s; a quota"]
    do = text.partition("WHAT TO DO NEXT\n")[2]
    assert advice in do
    assert "abort" not in do or phase != "RollingBack", "it is refused of what was taken back already"
    assert not do.startswith("nothing")


def test_what_an_earlier_spec_was_stalled_by_is_not_told_of_this_one(told: Told) -> None:
    assert "stalled" not in told(stalled("ClaimNotFound", "Surging", generation=1))


def test_of_what_was_taken_back_the_decision_is_told(told: Told) -> None:
    found = trials.rolled_back()
    found["status"]["conditions"] = stalled("RolledBack", "RolledBack")["status"]["conditions"]
    assert told(found).startswith("guardrails/domains  rolled back\n")


SETTINGS = [
    pytest.param("onInconclusive", "Promote", trials.analysing, "it is promoted after 30m without", id="promote"),
    pytest.param("onInconclusive", "Rollback", trials.analysing, "it is rolled back after 30m without", id="roll back"),
    pytest.param("onNoData", "Promote", quiet, "after 30m without data it is promoted", id="promote unseen"),
    pytest.param("onNoData", "Rollback", quiet, "after 30m without data it is rolled back", id="roll back unseen"),
]


@pytest.mark.parametrize(("setting", "value", "make", "advice"), SETTINGS)
def test_what_time_brings_is_told_by_the_objects_own_settings(
    told: Told, setting: str, value: str, make: Callable[[], dict[str, Any]], advice: str
) -> None:
    found = make()
    found["spec"]["rollout"] = {"canary": {setting: value}}
    assert advice in told(found).partition("WHAT TO DO NEXT")[2]


def test_on_the_way_back_by_git_there_is_nothing_to_mend_or_to_retry(told: Told) -> None:
    going_back = make_object("RollingBack", canary="", evidence=make_evidence())
    assert told(going_back).partition("WHAT TO DO NEXT\n")[2].splitlines() == [
        "nothing: the canary's pods end, what served before goes on"
    ]


def test_on_the_way_back_by_request_it_is_told_what_serves_until_then_and_how_to_take_it_again(told: Told) -> None:
    going_back = make_object("RollingBack", LEFT, evidence=make_evidence(decision="Promote"))
    do = told(going_back).partition("WHAT TO DO NEXT\n")[2]
    assert "the canary's pods end" not in do
    assert f"nothing while pods of revision {STABLE} get ready: they take over one by one" in do
    assert f"kubectl plimsoll retry domains -n guardrails goes on with revision {CANARY} after all" in do


COMING_BACK = {"revisions": [{"hash": CANARY, "promoted": True, "askedFor": True}, {"hash": STABLE, "stable": True}]}


def test_a_revision_that_served_before_comes_back_without_a_comparison(told: Told) -> None:
    """Though the figures of its own trial, long ago, may still be kept."""
    text = told(make_object("Surging", COMING_BACK, evidence=make_evidence(decision="Promote")))
    assert text.startswith("guardrails/domains  comes back\n")
    assert "WHAT WAS COMPARED" not in text
    assert "it served before, so it is not compared" in text.partition("WHAT TO DO NEXT\n")[2]


@pytest.mark.parametrize("reason", ["Paused", "Frozen"])
def test_whoever_returns_to_what_served_need_not_wait_for_the_end_of_a_hold(told: Told, reason: str) -> None:
    do = told(make_object("Paused", COMING_BACK, reason=reason)).partition("WHAT TO DO NEXT\n")[2]
    assert do.startswith(f"kubectl plimsoll rollback domains -n guardrails {CANARY} goes back to it now")


def test_every_command_to_copy_names_the_namespace(told: Told) -> None:
    for phase, (found, *_) in PHASES.items():
        commands = told(found).partition("WHAT TO DO NEXT")[2].split("kubectl plimsoll ")[1:]
        assert all(" domains -n guardrails" in command for command in commands), phase


def test_memory_is_bounded_in_requests_however_many_share_a_batch(told: Told) -> None:
    oom = make_signal("oom", part="batches", canaryExposures="78", upperBound="0.013", allowed="0.01")
    text = told(under("Analysing", requests=300, signals=[oom]))
    [line] = [line for line in text.splitlines() if line.startswith("out of memory: ")]
    assert line.startswith("out of memory: 300 of about ")
    assert line.endswith("requests; its bound 1.3 % of requests must fall below 1 % of requests")
    assert "0 of 78 batches" in text


def test_a_bound_is_told_by_the_counts_that_it_is_of(told: Told) -> None:
    """What speaks most against the canary need not be what is furthest from a promotion."""
    bound = {"boundPart": "requests", "boundExposures": "100", "boundBad": "1"}
    errors = make_signal("errors", part="abandoned", canaryExposures="900", canaryBad="90", canaryRate="0.1", **bound)
    [line] = [line for line in told(under("Analysing", signals=[errors])).splitlines() if "its bound" in line]
    assert line.startswith("errors (failed requests): 412 of about "), "as people count, not as failures come together"


def test_a_tier_that_tells_by_itself_is_named_and_the_bound_is_of_all(told: Told) -> None:
    of_tier = {"tier": "long", "part": "requests", "canaryExposures": "4", "canaryBad": "4", "canaryRate": "1"}
    bound = {"boundPart": "requests", "boundExposures": "400", "boundBad": "4"}
    text = told(under("Analysing", signals=[make_signal("errors", "62", **of_tier, **bound)]))
    assert "errors (failed requests) in tier long" in text
    [line] = [line for line in text.splitlines() if "its bound" in line]
    assert line.startswith("errors (failed requests): 412 of about ")


@pytest.mark.parametrize(("found", "verdict", "advice"), PHASES.values(), ids=PHASES.keys())
def test_every_phase_says_how_it_stands_and_what_to_do(
    told: Told, found: dict[str, Any], verdict: str, advice: str
) -> None:
    text = told(found)
    assert verdict in text
    assert advice in text.partition("WHAT TO DO NEXT")[2]


def test_a_rollout_under_analysis_tells_what_is_still_missing(told: Told) -> None:
    text = told(trials.analysing())
    assert "412 of the canary" in text
    assert "2 of 3, 29 % of the requests" in text
    missing = text.partition("STILL MISSING TO PROMOTE\n")[2].partition("\n\n")[0].splitlines()
    assert len(missing) == 2, "latency is below what is allowed and must not be named"
    assert missing[0].startswith("errors: 412 of about ")
    assert missing[0].endswith("requests; its bound 1.3 % must fall below 1.1 %")
    assert missing[1] == "step 3, the last one"


def test_a_rate_above_what_is_allowed_is_not_promised_a_number_of_requests(told: Told) -> None:
    bad = make_signal("errors", canaryRate="0.02", canaryBad="8", upperBound="0.04")
    assert "more of the same will not bring it there" in told(under("Analysing", signals=[bad]))


FAILING = make_signal("errors", part="requests", canaryRate="1", canaryBad="412", upperBound="1")
UNCOMPARED = {"part": "0.001", "canaryRate": "0", "upperBound": "1", "allowed": "1"}


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        pytest.param({"canaryExposures": "0"}, "of the canary's answers none was measured", id="the canary only fails"),
        pytest.param({"stableExposures": "0"}, "of the stable revision's answers none was measured", id="stable idles"),
        pytest.param({}, "too few of the canary's answers are of tiers that", id="it serves other tiers"),
    ],
)
def test_a_bound_that_is_none_is_not_told_but_why_there_is_none(told: Told, counts: dict[str, str], why: str) -> None:
    latency = make_signal("latency", **UNCOMPARED, **counts)
    missing = told(under("Inconclusive", signals=[FAILING, latency])).partition("STILL MISSING")[2]
    assert f"slow answers: cannot be compared, for {why}" in missing
    assert "below 100 %" not in missing


@pytest.mark.parametrize("phase", ["Analysing", "Inconclusive", "Paused"])
def test_what_callers_of_the_canary_meet_comes_before_all_advice(told: Told, phase: str) -> None:
    first = told(under(phase, signals=[FAILING])).partition("WHAT TO DO NEXT\n")[2].splitlines()[0]
    assert "errors (failed requests) 100 % (412 of 412 requests), stable 0.1 % (4 of 4,120);" in first
    assert "kubectl plimsoll abort domains -n guardrails ends that now" in first
    assert "callers of the canary meet" not in told(under(phase, signals=[make_signal("errors")]))


def test_more_time_is_offered_only_where_it_can_decide(told: Told) -> None:
    latency = make_signal("latency", **UNCOMPARED)
    for_good = told(under("Inconclusive", signals=[FAILING, latency])).partition("WHAT TO DO NEXT")[2]
    assert "neither more requests nor a larger spec.rollout.canary.maxDuration will promote it" in for_good
    open_still = told(under("Inconclusive", signals=[make_signal("errors"), latency])).partition("WHAT TO DO NEXT")[2]
    assert "with a larger spec.rollout.canary.maxDuration it goes on" in open_still


def test_a_signal_that_was_never_measured_is_named(told: Told) -> None:
    missing = told(under("Analysing", signals=[make_signal("errors")])).partition("STILL MISSING TO PROMOTE")[2]
    assert "out of memory: not measured yet" in missing
    assert "slow answers: not measured yet" in missing


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (make_signal("latency", part="0.25"), "slow answers (above 250 ms)"),
        (make_signal("latency", part="2.5"), "slow answers (above 2.5 s)"),
        (make_signal("latency", part="objective"), "slow answers (above the objective)"),
        (make_signal("oom", part="kills", canaryBad="3", canaryExposures="12.5"), "3 in 12 pod-minutes"),
        (make_signal("oom", part="batches"), "(0 of 412 batches)"),
        (make_signal("errors", part="abandoned"), "errors (callers gave up)"),
        (make_signal("errors", part="refused"), "errors (refused as invalid)"),
        (make_signal("warmth"), "warmth"),
    ],
    ids=["bucket", "bucket of seconds", "objective", "kills", "batches", "abandoned", "refused", "a newer operator's"],
)
def test_a_signal_is_told_in_its_own_units(told: Told, signal: dict[str, Any], words: str) -> None:
    assert words in told(under("Analysing", signals=[signal]))


def test_what_the_pods_whole_lives_hold_back_is_named(told: Told) -> None:
    """Of all requests one batch is little: the bound is reached, and it ran out of memory where stable never did."""
    said = "out of memory once in 6 canary pod-minutes against none in 60 on stable: not promoted while that is so"
    found = under("Analysing", signal="oom", message=said, signals=[trials.make_oom(), make_signal("errors")])
    assert said in told(found).partition("STILL MISSING TO PROMOTE")[2]


def test_what_the_pods_whole_lives_took_back_is_told_beside_the_evidence_that_did_not(told: Told) -> None:
    said = "killed for memory 3 times in 6 canary pod-minutes against none in 180 on stable"
    found = make_object(
        "RolledBack",
        make_rejection("OOMKilled"),
        canary="",
        evidence=make_evidence(
            decision="Rollback", signal="oom", reason="OOMKilled", message=said, signals=[trials.make_oom()]
        ),
    )
    text = told(found)
    assert f"over the whole lives of the pods: {said}" in text.partition("EVIDENCE")[2].partition("DECISION")[0]
    assert "over the whole lives" not in told(trials.rolled_back())


def test_no_table_is_wider_than_a_terminal(told: Told) -> None:
    """Where the longest names and large counts come together."""
    large = {"canaryExposures": "112345", "canaryBad": "2247", "stableExposures": "912345", "stableBad": "9123"}
    signals = [make_signal("errors", "1074", part="refused", **large), make_signal("restarts", canaryExposures="12.5")]
    tables = told(under("Analysing", signals=signals)).partition("EVIDENCE")[2].partition("\n\nSTILL MISSING")[0]
    assert max(len(line) for line in tables.splitlines()) <= 120


def test_what_never_happened_holds_no_promotion_back(told: Told) -> None:
    never = make_signal("restarts", "1", canaryRate="0", stableRate="0", upperBound="0", allowed="1")
    text = told(under("Analysing", signals=[never, make_signal("errors")]))
    row = next(line for line in text.splitlines() if line.startswith("restarts"))
    assert "pod-minutes" in row
    assert "restarts" not in text.partition("BOUNDS")[2], "no bound is asked of it"
    assert "restarts" not in text.partition("STILL MISSING")[2]


def test_the_decisions_own_point_is_of_the_step_before(told: Told) -> None:
    """The operator writes no step any more at that moment."""
    found = trials.rolled_back()
    del found["status"]["rollout"]["history"][-1]["step"]
    del found["status"]["rollout"]["history"][-1]["weightPercent"]
    assert "1 at the end, 10 % of the requests" in told(found)
    assert "0 %" not in told(found).partition("└")[2].partition("DECISION")[0].replace("10 %", "")


def test_a_rollback_tells_the_moment_the_figures_and_the_reason(told: Told) -> None:
    text = told(trials.rolled_back())
    assert "2026-05-04 03:01:40 UTC, 1m40s after the start: MoreErrors: 1.9 % of 500 requests failed" in text
    assert "1.9 % (10 of 500 requests)" in text
    assert "STILL MISSING" not in text


def test_the_decision_is_told_at_its_own_moment_not_at_that_of_the_last_measurement(told: Told) -> None:
    """Prometheus was lost after 100 s; the third kill for memory decided 20 minutes later."""
    found = trials.rolled_back()
    found["status"]["rollout"]["decidedAt"] = trials.at(1300)
    trial = tell(found, ()).trial
    assert "2026-05-04 03:21:40 UTC, 21m40s after the start: MoreErrors" in told(found)
    assert trial is not None
    curves = curves_of(trial)
    assert curves is not None
    assert curves.end == 1300


def test_the_moment_of_an_earlier_decision_is_not_told_of_this_trial(told: Told) -> None:
    found = trials.rolled_back()
    found["status"]["rollout"]["decidedAt"] = trials.at(-60)
    assert "2026-05-04 03:01:40 UTC, 1m40s after the start" in told(found)


def test_the_plot_shows_the_threshold_the_steps_and_the_decision(told: Told) -> None:
    text = told(trials.rolled_back())
    assert any(line.endswith("●") for line in rows_up_to_the_threshold(text)), "it is reached at the end"
    assert "✕ rolled back on errors" in text
    steps = told(trials.analysing()).splitlines()
    assert any("10 %" in line and "29 %" in line for line in steps)
    assert not any("✕" in line or "✓" in line for line in steps), "nothing is decided yet"


def test_a_signal_with_a_threshold_of_its_own_is_named_beside_the_line(told: Told) -> None:
    found = make_object(
        "Analysing",
        evidence=make_evidence(signals=[make_signal("errors"), make_signal("oom", threshold="800", part="batches")]),
        history=trials.make_points(0.9, 0.8),
    )
    assert "rolled back above (out of memory above 800)" in told(found)


@pytest.fixture(scope="module")
def harmed() -> dict[str, Any]:
    """Judged and written down by the operator's own code."""
    rollout = judged_rollout(canary_errors=0.02)
    because = make_rejection(rollout["evidence"]["reason"], rollout["evidence"]["message"])
    return make_object("RolledBack", because, canary="", **rollout)


def rows_up_to_the_threshold(text: str) -> list[str]:
    lines = text.partition("(log scale)\n")[2].splitlines()
    threshold = next(n for n, line in enumerate(lines) if line.lstrip().startswith("400 ┤"))
    return lines[: threshold + 1]


def test_what_the_operator_writes_is_what_is_told(told: Told, harmed: dict[str, Any]) -> None:
    text = told(harmed)
    assert "rolled back on errors" in text
    assert "MoreErrors: errors" in text
    for called in ("errors", "slow answers (above 250 ms)", "out of memory"):
        assert any(line.startswith(called) for line in text.splitlines())
    assert any(line.endswith("●") for line in rows_up_to_the_threshold(text)), "it is reached at the end"


def test_a_canary_without_harm_is_told_by_its_bounds(told: Told) -> None:
    text = told(make_object("Idle", stable=CANARY, canary="", **judged_rollout(canary_errors=0.001)))
    assert "guardrails/domains  promoted" in text
    assert "NoWorse: no worse than stable" in text
    assert "✓ promoted" in text


def test_evidence_that_suffices_before_the_last_step_is_no_decision_yet(told: Told) -> None:
    enough = make_evidence(decision="Promote", reason="NoWorse", signals=[make_signal("errors", upperBound="0.004")])
    text = told(make_object("Analysing", evidence=enough, step=1, steps=2, history=trials.make_points(0.9, 0.8)))
    assert "under analysis" in text
    assert "DECISION" not in text
    assert "✓" not in text
    assert "step 2, the last one" in text.partition("STILL MISSING")[2]


DECIDED_OTHERWISE = {
    "aborted": (
        make_object(
            "RolledBack",
            make_rejection("Aborted", "by request 7"),
            canary="",
            evidence=make_evidence(),
        ),
        "Aborted: by request 7",
    ),
    "promoted by request": (
        make_object(
            "Idle",
            stable=CANARY,
            canary="",
            evidence=make_evidence(),
            lastRequest={"verb": "promote", "id": "8", "revision": CANARY},
        ),
        "promoted by request 8",
    ),
    "promoted without evidence": (
        make_object("Idle", stable=CANARY, canary="", evidence=make_evidence(promotedBecause="onNoData is Promote")),
        "onNoData is Promote",
    ),
    "promoted for a reason that nobody kept": (
        make_object("Idle", stable=CANARY, canary="", evidence=make_evidence()),
        "promoted though the evidence was undecided",
    ),
}


@pytest.mark.parametrize(("found", "words"), DECIDED_OTHERWISE.values(), ids=DECIDED_OTHERWISE.keys())
def test_what_the_evidence_did_not_decide_is_not_laid_at_its_door(
    told: Told, found: dict[str, Any], words: str
) -> None:
    decision = told(found).partition("DECISION\n")[2].splitlines()[0]
    assert decision.startswith(words)


def test_a_crash_before_any_measurement_has_no_moment_of_one(told: Told) -> None:
    crash = make_evidence(decision="Rollback", reason="FailsToStart", message="two starts failed", until=trials.at(0))
    because = make_rejection("FailsToStart", "two starts failed")
    decision = told(make_object("RolledBack", because, canary="", evidence=crash)).partition("DECISION\n")[2]
    assert decision.startswith("FailsToStart: two starts failed")


def test_a_change_taken_back_in_git_leaves_no_decision(told: Told) -> None:
    found = make_object("Idle", canary="", evidence=make_evidence(), history=trials.make_points(0.9, 0.8))
    text = told(found)
    assert "DECISION" not in text
    assert "✕ withdrawn" in text


def test_what_the_canarys_pods_lack_is_told_beside_the_evidence(told: Told) -> None:
    pod = Pod("domains-x", CANARY, ready=False, scheduled=True, terminating=False, restarts=3, last_exit_code=1)
    assert "CrashLoop: pod domains-x ends again and again" in told(trials.analysing(), pod)


def test_a_new_canary_is_not_told_the_old_ones_evidence(told: Told) -> None:
    text = told(make_object("Surging", canary="0000000000", evidence=make_evidence()))
    assert "WHAT WAS COMPARED" not in text
    assert CANARY not in text
