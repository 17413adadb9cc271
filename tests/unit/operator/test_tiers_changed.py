"""A change of `tiers` is judged by what it does to the texts, whatever tier they are counted under."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, Cluster, make_spec
from measured import Tiers, Traffic, begun, measured, watch
from plimsoll_operator.observed import Manifest
from plimsoll_operator.rollout.evidence import ABANDONED, BATCHES, FAILURES, INCIDENTS, OBJECTIVE, REFUSED, SeriesKey
from plimsoll_operator.rollout.evidence import Interval as Found
from plimsoll_operator.rollout.measuring.counters import intervals
from plimsoll_operator.rollout.measuring.measurements import Inquiry
from plimsoll_operator.rollout.measuring.segments import Served, matched

STEP = timedelta(seconds=10)
SLOW = SeriesKey("latency", "0.25")


def interval(canary: Tiers, stable: Tiers, of_canary: Served, of_stable: Served, **objectives: timedelta) -> Found:
    inquiry = Inquiry("guardrails", "domains", "new", "old", NOW - STEP, NOW, NOW + STEP, STEP, 2)
    told = measured(inquiry, canary, stable)
    [found] = intervals(told, "new", "old", objectives, matching=matched(of_canary, of_stable))
    return found


def seen(found: Found, key: SeriesKey) -> Mapping[str, tuple[float, float, float, float]]:
    """Canary, bad of it, stable, bad of it: by stratum."""
    counts = found.counts.get(key, {})
    return {stratum.tier: (one.canary, one.canary_bad, one.stable, one.stable_bad) for stratum, one in counts.items()}


def test_tiers_that_were_renamed_are_compared_with_what_they_were() -> None:
    small, short = Traffic(ok=1, failed=9, tier="small"), Traffic(ok=30, slow=3)
    found = interval(small, short, Served({"small": 512}), Served({"short": 512}))
    assert seen(found, FAILURES) == {"small": (100, 90, 300, 0)}
    assert seen(found, SLOW) == {"small": (10, 0, 300, 30)}
    assert seen(found, BATCHES) == {"small": (100, 0, 300, 0)}


def test_texts_that_moved_to_another_tier_are_compared_with_themselves() -> None:
    canary = (Traffic(ok=9, slow=1), Traffic(ok=1, slow=1, tier="long"))
    stable = (Traffic(ok=24), Traffic(ok=6, slow=6, tier="long"))
    before, after = Served({"short": 512, "long": 4096}), Served({"short": 2048, "long": 4096})
    assert seen(interval(canary, stable, after, before), SLOW) == {"short+long": (100, 20, 300, 60)}


FAILED = {
    INCIDENTS: (100, 30, 300, 0),
    FAILURES: (100, 30, 300, 0),
    ABANDONED: (130, 30, 300, 0),
    REFUSED: (200, 70, 600, 300),
}


@pytest.mark.parametrize(("key", "expected"), FAILED.items(), ids=lambda one: getattr(one, "part", None))
def test_failures_of_a_longer_tier_belong_to_the_longest_that_stable_has(
    key: SeriesKey, expected: tuple[float, ...]
) -> None:
    longer = Traffic(ok=0, failed=3, abandoned=3, tier="xlong")
    before, after = Served({"short": 512}), Served({"short": 512, "xlong": 4096})
    found = interval((Traffic(ok=7), longer), Traffic(ok=30), after, before)
    assert seen(found, key) == {"short+xlong": expected}


def test_a_longer_tier_that_runs_out_of_memory_does_so_beside_all_that_stable_ran() -> None:
    longer = Traffic(ok=3, out_of_memory=1, tier="xlong")
    before, after = Served({"short": 512}), Served({"short": 512, "xlong": 4096})
    found = interval((Traffic(ok=7), longer), Traffic(ok=30), after, before)
    assert seen(found, BATCHES) == {"short+xlong": (100, 10, 300, 0)}


def test_answers_of_a_longer_tier_have_none_to_be_compared_with() -> None:
    longer = Traffic(ok=3, slow=3, tier="xlong")
    before, after = Served({"short": 512}), Served({"short": 512, "xlong": 4096})
    found = interval((Traffic(ok=7), longer), Traffic(ok=30), after, before)
    assert seen(found, SLOW) == {"short": (70, 0, 300, 0), "xlong": (30, 30, 0, 0)}


def test_longer_texts_that_stable_cuts_into_chunks_are_compared_with_those() -> None:
    canary = (Traffic(ok=7), Traffic(ok=3, slow=3, tier="xlong"))
    before = Served({"short": 512}, answers_longer=True)
    after = Served({"short": 512, "xlong": 4096}, answers_longer=True)
    assert seen(interval(canary, Traffic(ok=30, slow=9), after, before), SLOW) == {"short+xlong": (100, 30, 300, 90)}


def test_requests_that_have_no_tier_stay_apart() -> None:
    canary = (Traffic(tier="small"), Traffic(ok=1, tier="none"))
    stable = (Traffic(), Traffic(ok=3, tier="none"))
    found = interval(canary, stable, Served({"small": 512}), Served({"short": 512}))
    assert seen(found, FAILURES) == {"small": (100, 0, 100, 0), "none": (10, 0, 30, 0)}


OBJECTIVES: dict[str, tuple[Mapping[str, float], Set[str]]] = {
    "the same": ({"short": 512, "long": 4096}, {"short", "long"}),
    "renamed": ({"little": 512, "much": 4096}, {"short", "long"}),
    "exchanged": ({"long": 512, "short": 4096}, {"short", "long"}),
    "moved": ({"short": 1024, "long": 4096}, set()),
    "one less": ({"short": 512}, {"short"}),
}


@pytest.mark.parametrize(("stable", "judged"), OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_an_objective_is_judged_where_a_tier_has_its_equal(stable: Mapping[str, float], judged: Set[str]) -> None:
    canary = (Traffic(ok=9, slow=1), Traffic(ok=4, slow=2, tier="long"))
    before = tuple(Traffic(ok=20, tier=tier) for tier in stable)
    objectives = {"short": timedelta(milliseconds=250), "long": timedelta(milliseconds=250)}
    after = Served({"short": 512, "long": 4096})
    assert seen(interval(canary, before, after, Served(stable), **objectives), OBJECTIVE).keys() == judged


# Through the whole reconcile, as status tells it.
def retiered(before: Mapping[str, int], after: Mapping[str, int], **sections: Any) -> Cluster:
    def spec(tiers: Mapping[str, int]) -> Manifest:
        return make_spec(
            tiers=[{"name": name, "maxTokens": longest} for name, longest in tiers.items()],
            scaling={"minReplicas": 3, "provider": "None"},
            rollout={"strategy": "Canary"},
            **sections,
        )

    return begun(spec(before), spec(after))


def decided(cluster: Cluster, canary: Tiers, stable: Tiers, looks: int = 30) -> str:
    """What the evidence comes to within so many looks."""
    for _ in range(looks):
        watch(cluster, canary, stable)
        evidence = cluster.observed.owner.status["rollout"]["evidence"]
        if evidence["decision"] != "Undecided":
            return f"{evidence['decision']} {evidence['reason']}"
    return "Undecided"


ONE, TWO = {"short": 512}, {"short": 512, "long": 4096}
REJECT = {"longInput": {"policy": "Reject"}}
MIXED = (Traffic(ok=8), Traffic(ok=2, slow=2, tier="long"))

CHANGES: dict[str, tuple[Mapping[str, int], Mapping[str, int], Tiers, Tiers, Manifest, str]] = {
    "renamed, and all fails": (
        *(ONE, {"small": 512}, Traffic(ok=0, failed=10, tier="small"), Traffic(), {}),
        "Rollback MoreErrors",
    ),
    "renamed, and all is slow": (
        *(ONE, {"small": 512}, Traffic(slow=10, tier="small"), Traffic(), {}),
        "Rollback HigherLatency",
    ),
    "renamed, and all is well": (ONE, {"small": 512}, Traffic(tier="small"), Traffic(), {}, "Promote NoWorse"),
    "a longer one that fails": (
        *(ONE, TWO, (Traffic(ok=7), Traffic(ok=0, failed=3, tier="long")), Traffic(), REJECT),
        "Rollback MoreErrors",
    ),
    "a longer one that takes longer": (
        *(ONE, TWO, (Traffic(ok=7), Traffic(ok=3, slow=3, tier="long")), Traffic(), REJECT),
        "Promote NoWorse",
    ),
    "a longer one that takes as long as chunks did": (
        *(ONE, TWO, (Traffic(ok=7), Traffic(ok=3, slow=3, tier="long")), Traffic(slow=3), {}),
        "Promote NoWorse",
    ),
    "the longest gone, its texts cut into chunks": (TWO, ONE, Traffic(slow=2), MIXED, {}, "Promote NoWorse"),
    "texts moved to a shorter tier": (
        *(TWO, {"short": 2048, "long": 4096}),
        *((Traffic(ok=9, slow=1), Traffic(ok=1, slow=1, tier="long")), MIXED, {}),
        "Promote NoWorse",
    ),
    "texts moved to a shorter tier, and all is slow": (
        *(TWO, {"short": 2048, "long": 4096}),
        *((Traffic(ok=9, slow=9), Traffic(ok=1, slow=1, tier="long")), MIXED, {}),
        "Rollback HigherLatency",
    ),
    "names kept, and nothing in common": (
        *(TWO, {"short": 1024, "long": 8192}),
        *((Traffic(ok=9, slow=1), Traffic(ok=1, slow=1, tier="long")), MIXED, {}),
        "Promote NoWorse",
    ),
}


@pytest.mark.parametrize(
    ("before", "after", "canary", "stable", "sections", "expected"), CHANGES.values(), ids=CHANGES.keys()
)
def test_a_change_of_tiers_is_judged_by_what_it_does(
    before: Mapping[str, int], after: Mapping[str, int], canary: Tiers, stable: Tiers, sections: Any, expected: str
) -> None:
    assert decided(retiered(before, after, **sections), canary, stable) == expected


def test_where_a_revisions_own_tiers_cannot_be_read_names_decide() -> None:
    """As in a history that a newer operator wrote."""
    cluster, newer = retiered(ONE, {"small": 512}), {"policy": "Unheard"}
    stable = cluster.observed.stable
    assert stable is not None
    children = {
        key: {**child, "data": {**child["data"], "input": {**child["data"]["input"], "longInput": newer}}}
        if key.kind == "ControllerRevision" and child["metadata"]["name"] == stable.name
        else child
        for key, child in cluster.observed.children.items()
    }
    cluster.store(children)
    assert decided(cluster, Traffic(ok=0, failed=10, tier="small"), Traffic()) == "Undecided"
    assert decided(cluster, Traffic(ok=0, failed=10), Traffic()) == "Rollback MoreErrors"
