"""What became of a rollout: what its requests, its pods and its object tell, and the seconds that things took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pod_history import PodHistory
from rollout_history import RolloutHistory
from traffic import Answer

Judge = Callable[[Answer], bool]


@dataclass(frozen=True)
class Outcome:
    """Moments are seconds of the epoch. `stable` and `canary` are hashes of revisions."""

    changed_at: float
    stable: str
    canary: str
    answers: list[Answer]
    told: RolloutHistory
    pods: PodHistory
    before: frozenset[str]
    """UIDs of the stable revision's pods when the change came."""
    events: list[dict[str, Any]]
    owner: dict[str, Any]
    """The object at the end."""

    def __str__(self) -> str:
        answers = Counter((answer.revision or "nobody", answer.status) for answer in self.answers)
        return f"{self.told}\n{dict(answers)}, {self.canary_rate:.1f} requests a second to {self.canary}"

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.good]

    @property
    def from_canary(self) -> list[Answer]:
        """Whatever came after the change from the canary; what nobody answered was the canary's too."""
        return [a for a in self.answers if a.answered >= self.changed_at and a.revision in ("", self.canary)]

    @property
    def canary_rate(self) -> float:
        """Requests per second that the canary got while it got any."""
        asked = [answer.asked for answer in self.from_canary]
        return len(asked) / max(1.0, max(asked) - min(asked)) if asked else 0.0

    def first(self, bad: Judge) -> float:
        """When the first bad response of the canary came."""
        return min(answer.answered for answer in self.from_canary if bad(answer))

    def seconds_until_back(self, bad: Judge) -> float:
        """From the first bad response of the canary to its last response: after it, all traffic is on stable."""
        return max(answer.answered for answer in self.from_canary) - self.first(bad)

    def moment_of(self, *phases: str) -> float:
        """When the object first told one of these phases after the change."""
        found = self.told.first(lambda told: told.at >= self.changed_at and told.phase in phases)
        assert found is not None, f"never in {phases}: {self.told}"
        return found.at

    @property
    def rejected_at(self) -> float:
        return self.moment_of("RollingBack", "RolledBack")

    @property
    def stable_now(self) -> str:
        return str(self.owner["status"]["rollout"]["stable"])

    @property
    def reason(self) -> str:
        """Why the canary was rejected; Promoted where it was not."""
        revisions = self.owner["status"]["revisions"]
        canary = next(revision for revision in revisions if revision["hash"] == self.canary)
        return str(canary.get("rejected", {}).get("reason", "Promoted"))

    @property
    def canary_pods(self) -> set[str]:
        """UIDs of every pod that the canary ever had."""
        return self.pods_of(self.canary)

    def pods_of(self, revision: str) -> set[str]:
        return {uid for state in self.pods.states for uid, pod in state.items() if pod.revision == revision}

    @property
    def killed(self) -> set[str]:
        """UIDs of the pods of which a container was killed for memory."""
        return {uid for state in self.pods.states for uid, pod in state.items() if pod.killed}

    @property
    def at_the_end(self) -> set[str]:
        return {uid for uid, pod in self.pods.states[-1].items() if not pod.leaving}

    def events_of(self, reason: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["reason"] == reason]


def failed(answer: Answer) -> bool:
    return not answer.good


def slower_than(seconds: float) -> Judge:
    return lambda answer: answer.seconds > seconds
