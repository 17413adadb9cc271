"""How much of the traffic a canary gets, by how many of the pods behind the one Service are its own.

This is the one place to add exact weights: where a Gateway routes by weight, a step's share is written into its
HTTPRoute, any number of pods will do, and `Step.pods` is what the load asks for instead of what the share asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Step:
    """Canary pods of one step, and the shares in percent that ask for so many."""

    pods: int
    percents: tuple[int, ...]


def canary_pods(percent: int, stable: int, most: int) -> int:
    """Pods whose share beside `stable` others comes nearest to `percent`: w·S / (1 - w), at least one."""
    others = 100 - percent
    nearest = (2 * percent * stable + others) // (2 * others)
    return min(most, max(1, nearest))


def steps_of(percents: Iterable[int], stable: int, most: int) -> tuple[Step, ...]:
    """The steps beside `stable` pods. Those that come out at the same number of pods are one."""
    counted = [(canary_pods(percent, stable, most), percent) for percent in percents]
    return tuple(
        Step(pods, tuple(percent for _, percent in group)) for pods, group in groupby(counted, key=lambda one: one[0])
    )


def weight_percent(canary: int, stable: int) -> int:
    """The share that `canary` pods have beside `stable` others, in whole percent."""
    return round(100 * canary / (canary + stable)) if canary else 0
