"""What the canary strategy looks at: a rollout as it stands, and what is known of the revision on trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from plimsoll_operator.observed import Pod, Rejection, Workload
from plimsoll_operator.rollout.canary.stage import Stage
from plimsoll_operator.rollout.canary.weights import Step, steps_of, weight_percent
from plimsoll_operator.rollout.evidence import AnalysisSettings, Data, Verdict
from plimsoll_operator.rollout.situation import Phase, Situation
from plimsoll_operator.spec import Canary


@dataclass(frozen=True)
class Trial(Situation):
    """A rollout, and all that a canary is moved by beside its pods.

    `stable` is the hash of the stable revision, empty before there was one; `proven` are all that ever were stable.
    `asked_for` is the revision that the spec asks for, and `rejection` is why it is not the target; `restart` says that
    it is the stable one rendered anew. `taken_back` is why others were, by their hash. `before` and `stage` are what
    status has kept of this very canary. `spec` is the hash of the spec, whether it is paused or not, `ended` how often
    its containers were killed or ended by themselves, `ailment` in words what is wrong with the target's pods, `called`
    how the object is named to `kubectl plimsoll`, behind a verb.
    """

    stable: str
    proven: frozenset[str]
    asked_for: str
    rejection: Rejection | None
    restart: bool
    taken_back: Mapping[str, Rejection]
    settings: Canary
    analysis: AnalysisSettings
    min_replicas: int
    autoscaled: bool
    deadline: timedelta
    now: datetime
    before: Phase | None = None
    spec: str = ""
    stage: Stage = field(default_factory=Stage)
    verdict: Verdict | None = None
    data: Data = "NoMetrics"
    blind: timedelta = timedelta(0)
    ended: int = 0
    promote: bool = False
    paused: tuple[str, str] | None = None
    ailment: str = ""
    called: str = "NAME"

    @property
    def canary_ready(self) -> int:
        return self.running.ready if self.running else 0

    @cached_property
    def serving(self) -> tuple[Workload, ...]:
        """Other Deployments of revisions that have proven themselves: the stable one first."""
        return tuple(workload for workload in self.older if workload.revision in self.proven)

    @cached_property
    def unproven(self) -> tuple[Workload, ...]:
        """Canaries of before: taken back, or superseded by the target."""
        return tuple(workload for workload in self.older if workload.revision not in self.proven)

    @property
    def serving_ready(self) -> int:
        return sum(workload.ready for workload in self.serving)

    @property
    def size(self) -> int:
        """Pods that the canary stands beside."""
        return sum(workload.replicas for workload in self.serving)

    @property
    def steps(self) -> tuple[Step, ...]:
        """At the size of now: the autoscaler may have changed it since the last look."""
        return steps_of(self.settings.steps, self.size, self.settings.max_pods)

    @property
    def position(self) -> int:
        """The step that the canary is at, counted from one."""
        return min(self.stage.step, len(self.steps))

    @property
    def step(self) -> Step:
        return self.steps[self.position - 1]

    @property
    def weight(self) -> int:
        """Share of the ready pods that are the canary's, in percent."""
        return weight_percent(self.canary_ready, self.serving_ready)

    @property
    def requests(self) -> int:
        """That the canary has answered so far."""
        return int(self.verdict.requests) if self.verdict else 0

    def lasted(self, told: datetime, seen: datetime) -> timedelta:
        """For how long something does, by the kubelet's clock and by ours: where that one is ahead, by ours alone."""
        return self.now - (seen if told > self.now else max(told, seen))

    def left(self, workload: Workload) -> bool:
        """Whether these pods go since their revision was taken back."""
        return workload.revision in self.taken_back

    def withdrawn(self) -> dict[str, int]:
        """Former canaries go at once, unless nothing else answers."""
        return gone(self.unproven, others_ready=self.serving_ready + self.canary_ready)


def gone(leaving: tuple[Workload, ...], others_ready: int) -> dict[str, int]:
    """Every replica of `leaving` taken away; one that answers stays while no other pod does."""
    return {w.revision: 0 for w in leaving if w.replicas and (others_ready or not w.ready)}


def waiting_since(pod: Pod) -> datetime | None:
    """When a pod that has a node ceased to be ready, or got its node if it never was; None where that is not known."""
    if pod.ready or pod.terminating or pod.milestones is None or pod.milestones.scheduled is None:
        return None
    return max(pod.milestones.scheduled, pod.milestones.ready_changed or pod.milestones.scheduled)


def merged(*parts: Mapping[str, int]) -> dict[str, int]:
    """Replicas by revision; a later part counts more."""
    return {revision: count for part in parts for revision, count in part.items()}
