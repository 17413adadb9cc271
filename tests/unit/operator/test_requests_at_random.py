"""Requests in any order, among changes, kills, verdicts and losses: each is answered once, and nothing is lost.

The same ones each time; `PLIMSOLL_EXAMPLES=1000` draws so many others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from canaries import Trials, canary_spec, changed
from drawn_examples import examples
from plimsoll_operator.observed import Revision
from plimsoll_operator.requests import VERBS
from plimsoll_operator.rollout.evidence import Decision
from rollouts import condition

bounded = examples(40)

FINAL = ("Accepted", "Refused", "Outdated")
VERSIONS = (1, 2, 3)


class Act(NamedTuple):
    """One thing that happens, `what` being the name of a function below."""

    what: str
    how: Any = None


ASKED = st.builds(
    Act,
    st.just("ask"),
    st.tuples(
        st.sampled_from(VERBS), st.sampled_from(["", "", "newest", "newest", "oldest", "0ld"]), st.integers(1, 9)
    ),
)
CHANGED = st.builds(Act, st.just("change"), st.sampled_from(VERSIONS))
JUDGED = st.builds(Act, st.just("judge"), st.sampled_from(["Undecided", "Promote", "Rollback"]))
BROKEN = st.builds(Act, st.just("break"), st.sampled_from(VERSIONS))
OTHERS = st.sampled_from([Act("unask"), Act("lose status"), Act("mend")])
# Of equally likely kinds: flatmap draws the kind first, one_of would prefer the first.
ACTS = st.sampled_from([ASKED, ASKED, ASKED, CHANGED, CHANGED, JUDGED, BROKEN, OTHERS]).flatmap(lambda kind: kind)
PROGRESS = st.one_of(
    st.builds(Act, st.just("reconcile"), st.integers(1, 5)),
    st.builds(Act, st.just("kill"), st.integers(0, 9)),
)
HISTORIES = st.lists(st.tuples(ACTS, PROGRESS), min_size=10, max_size=25).map(
    lambda pairs: [act for pair in pairs for act in pair]
)


class Life:
    """An object and what was ever answered and decided of it."""

    def __init__(self) -> None:
        self.trials = Trials(canary_spec(1, 2), gpus=12)
        self.trials.settle()
        self.answers: dict[tuple[str, str], bool] = {}
        self.taken_back: dict[str, int] = {}
        self.broke = False

    def happen(self, act: Act) -> None:
        trials = self.trials
        match act:
            case Act("ask", (verb, which, number)):
                trials.request(f"{verb}{self._bound(which)}#{number}")
            case Act("change", version):
                changed(trials, version)
            case Act("judge", decision):
                verdict: Decision = decision
                trials.decision = verdict
            case Act("break", version):
                trials.broken.add(f"pvc://models/v{version}")
                self.broke = True
            case Act("mend"):
                trials.broken.clear()
            case Act("unask"):
                trials.request(None)
            case Act("lose status"):
                trials.observed = replace(trials.observed, owner=replace(trials.observed.owner, status={}))
            case _:
                self._progress(act)

    def _progress(self, act: Act) -> None:
        match act:
            case Act("reconcile", times):
                for _ in range(times):
                    self.look()
            case Act("kill", writes):
                self.look(writes)

    def _bound(self, which: str) -> str:
        by_age = sorted(self.trials.observed.revisions, key=lambda revision: revision.number)
        names = {"": "", "newest": f"@{by_age[-1].hash}", "oldest": f"@{by_age[0].hash}", "0ld": "@0ld"}
        return names[which]

    def look(self, writes: int | None = None) -> None:
        before = {revision.hash: revision for revision in self.trials.observed.revisions}
        self.trials.reconcile(writes=writes)
        after = {revision.hash: revision for revision in self.trials.observed.revisions}
        for name, revision in after.items():
            self._compare(before.get(name), revision)
        self._check_answer()
        self._check_marks()
        assert self.trials.observed.ready or self.broke

    def _compare(self, before: Revision | None, after: Revision) -> None:
        """Count what requests decided: the reason of a rejection names the request, and only a retry lifts one."""
        was = before.rejected if before else None
        if after.rejected and not was and after.rejected.reason in ("Aborted", "RolledBackByRequest"):
            cause = f"{after.hash} {after.rejected.message}"
            self.taken_back[cause] = self.taken_back.get(cause, 0) + 1
            assert self.taken_back[cause] == 1, cause
        if before and before.ledger.count:
            assert after.ledger.count >= before.ledger.count

    def _check_answer(self) -> None:
        """What was once answered for good is never answered otherwise, whatever became of status."""
        told = self.trials.rollout.get("lastRequest", {})
        if told.get("outcome") in FINAL:
            done = told["outcome"] == "Accepted"
            assert self.answers.setdefault((told["id"], told["verb"]), done) == done, told

    def _check_marks(self) -> None:
        observed = self.trials.observed
        assert observed.stable is not None
        assert observed.stable.promoted
        assert sum(revision.stable for revision in observed.revisions) <= 2
        for revision in observed.revisions:
            ids = [entry.rstrip("!").rpartition("#")[2] for entry in revision.ledger.entries]
            assert len(set(ids)) == len(ids), ids


@bounded
@given(HISTORIES)
def test_each_request_is_answered_and_decides_once_and_the_spec_is_reached_in_the_end(acts: list[Act]) -> None:
    life = Life()
    for act in acts:
        life.happen(act)
    trials = life.trials
    trials.broken.clear()
    trials.decision = "Promote"
    for number, verb in enumerate(("resume", "retry", "promote")):
        trials.request(f"{verb}#last-{number}")
        trials.until(at_rest)
    assert trials.rollout["phase"] == "Idle"
    assert condition(trials.observed, "Ready")["status"] == "True"
    [stable] = [revision for revision in trials.observed.revisions if revision.stable]
    assert stable.input["model"] == trials.observed.owner.spec["model"]


@bounded
@given(HISTORIES)
def test_a_spec_that_returns_to_what_serves_ends_all_else_and_restarts_nothing(acts: list[Act]) -> None:
    life = Life()
    for act in acts:
        life.happen(act)
    trials = life.trials
    trials.request(None)
    trials.broken.clear()
    trials.reconcile()
    [stable] = [revision for revision in trials.observed.revisions if revision.stable]
    serving = trials.observed.workload(stable.hash)
    if stable.input["model"] == trials.observed.owner.spec["model"] or serving is None:
        return
    pods = {pod.name for pod in serving.pods if not pod.terminating}
    changed(trials, int(stable.input["model"]["uri"].rpartition("v")[2]))
    trials.until(at_rest)
    assert trials.rollout["phase"] == "Idle"
    assert trials.observed.stable is not None
    assert trials.observed.stable.hash == stable.hash
    assert pods <= {pod.name for pod in trials.pods}


def at_rest(trials: Trials) -> bool:
    return trials.rollout["phase"] in ("Idle", "RolledBack") and trials.reconcile().writes == 0
