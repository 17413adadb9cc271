"""Everything that an object told of its rollout, each with the moment: no look comes too late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from api_client import Api, Object
from api_watch import watching
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT


@dataclass(frozen=True)
class Told:
    """A status. `at` is when it was seen, in seconds of the epoch; `current` tells whether it is of the newest spec."""

    at: float
    current: bool
    status: Mapping[str, Any]

    @classmethod
    def of(cls, manifest: Object) -> Told:
        status = manifest.get("status", {})
        return cls(time.time(), status.get("observedGeneration") == manifest["metadata"]["generation"], status)

    @property
    def rollout(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.status.get("rollout", {})
        return found

    @property
    def phase(self) -> str:
        return str(self.rollout.get("phase", ""))

    def condition(self, kind: str) -> Mapping[str, Any]:
        return next((found for found in self.status.get("conditions", ()) if found["type"] == kind), {})


@dataclass
class RolloutHistory:
    """Statuses in the order in which they were written, the first as it was found."""

    told: list[Told] = field(default_factory=list)

    @property
    def last(self) -> Told:
        return self.told[-1]

    def phases(self) -> list[tuple[str, float]]:
        """Each phase with the moment at which it began; a phase that comes again is there again."""
        turns: list[tuple[str, float]] = []
        for told in self.told:
            if not turns or turns[-1][0] != told.phase:
                turns.append((told.phase, told.at))
        return turns

    def first(self, such: Callable[[Told], bool]) -> Told | None:
        return next((told for told in tuple(self.told) if such(told)), None)

    def since(self, moment: float) -> list[Told]:
        return [told for told in tuple(self.told) if told.at >= moment]

    def __str__(self) -> str:
        return "\n".join(
            f"{told.at % 1000:.1f} {told.phase} {told.rollout.get('reason')}: {told.rollout.get('message')}"
            for index, told in enumerate(self.told)
            if index == 0 or self.told[index - 1].rollout.get("message") != told.rollout.get("message")
        )


@contextmanager
def rollout_history(api: Api, name: str) -> Iterator[RolloutHistory]:
    """Follows an InferenceDeployment that exists until the block ends."""
    history = RolloutHistory()

    def begin(found: list[Object]) -> None:
        history.told.extend(Told.of(manifest) for manifest in found)

    def see(event: Object) -> None:
        history.told.append(Told.of(event["object"]))

    with watching(api, INFERENCE_DEPLOYMENT, {"fieldSelector": f"metadata.name={name}"}, begin, see):
        yield history
