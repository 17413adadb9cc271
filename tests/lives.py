"""Objects that have seen some revisions, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from builders import POLICY, Cluster
from plimsoll_operator.observed import Revision
from plimsoll_operator.reconcile import STEPS
from plimsoll_operator.spec import parse_spec
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.request import heed_the_request
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


def served_life() -> Life:
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
