"""What the rollouts of a run took, as it is kept in benchmarks/rollouts.json."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cluster.rollouts.outcome import Outcome
from scale.figures import ROOT, machine, today, versions

SHARED = {"story", "judged_by", "began"}
"""What all takes of a story have in common."""
PATH = ROOT / "benchmarks" / "rollouts.json"


@dataclass(frozen=True)
class Take:
    """One rollout. Seconds begin at the first bad response of the canary, or with the change where there was none."""

    story: str
    judged_by: str
    """The reason that the object told."""
    began: str
    decided_seconds: float
    """Until the object told the decision."""
    back_seconds: float | None
    """Until the canary's last response; None where it never got a request."""
    canary_rate: float
    """Requests per second that the canary got."""
    failed: int
    requests: int
    load_average: float

    @classmethod
    def of(
        cls, story: str, outcome: Outcome, began: str, since: float, decided_at: float, back: float | None = None
    ) -> Take:
        return cls(
            story=story,
            judged_by=outcome.reason,
            began=began,
            decided_seconds=round(decided_at - since, 1),
            back_seconds=None if back is None else round(back, 1),
            canary_rate=round(outcome.canary_rate, 1),
            failed=len(outcome.failed),
            requests=len(outcome.answers),
            load_average=round(os.getloadavg()[0], 1),
        )


@dataclass
class Figures:
    """Collects the takes of a run."""

    published: bool = False
    """Whether they are kept: then nothing else runs beside them."""
    takes: list[Take] = field(default_factory=list)

    def add(self, take: Take) -> None:
        self.takes.append(take)

    def write(self, command: str, path: Path = PATH) -> None:
        """In the place of what earlier runs tell of these stories; the others remain, with the run that they are of."""
        stories = [self._story(story) for story in dict.fromkeys(take.story for take in self.takes)]
        run = {"command": command, "date": today(), "machine": machine(), "versions": versions(), "stories": stories}
        earlier = json.loads(path.read_text())["runs"] if path.exists() else []
        path.write_text(json.dumps({"runs": [*_without(earlier, stories), run]}, indent=2) + "\n")

    def _story(self, story: str) -> dict[str, Any]:
        takes = [take for take in self.takes if take.story == story]
        back = [take.back_seconds for take in takes if take.back_seconds is not None]
        return {
            "name": story,
            "judged_by": takes[0].judged_by,
            "began": takes[0].began,
            "decided_seconds": _spread([take.decided_seconds for take in takes]),
            "back_seconds": _spread(back) if back else None,
            "takes": [{key: value for key, value in asdict(take).items() if key not in SHARED} for take in takes],
        }


def _without(runs: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    names = {story["name"] for story in told}
    for run in runs:
        if left := [story for story in run["stories"] if story["name"] not in names]:
            yield {**run, "stories": left}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "least": min(values),
        "median": round(statistics.median(values), 1),
        "most": max(values),
        "count": len(values),
    }
