"""What hundreds of objects may cost. Every bound says why it is where it is; the figures are in benchmarks/."""

from __future__ import annotations

import pytest

from scale.figures import Figures
from scale.measurement import Plan

pytestmark = pytest.mark.timeout(6 * 3600)

REQUESTS_PER_ROUND = 12
"""Of one object at rest: a read of the object, of the profile table and of each kind of child, and its share of the
list of all. Watches wake the operator; what it decides from it reads anew."""
MEMORY_LIMIT_MIB = 512
"""The chart's limit: above it the operator is killed."""


def test_every_object_becomes_ready(figures: Figures, plan: Plan) -> None:
    for name in ("fill", "storm"):
        ready = figures.phase(name).seconds_to_ready
        assert ready is not None
        assert ready.count == plan.objects


def test_nothing_is_refused(figures: Figures) -> None:
    # A conflict with another writer is no fault, but hundreds would be: the operator is the only one of its fields.
    refused = {phase.name: phase.refused for phase in figures.phases}
    assert sum(refused.values()) <= figures.objects / 10, refused


def test_at_rest_nothing_is_written(figures: Figures) -> None:
    assert figures.phase("rest").writes == 0


def test_at_rest_each_object_costs_a_round_of_reads_a_minute(figures: Figures) -> None:
    rest = figures.phase("rest")
    rounds = rest.seconds / 60 + 1  # one may have begun before, and one end after
    assert rest.requests_per_object <= REQUESTS_PER_ROUND * rounds


def test_at_rest_a_change_waits_behind_nobody(figures: Figures) -> None:
    # All objects fall due once a minute, and not at once.
    assert figures.phase("rest").queue_age_seconds <= 10


def test_memory_at_rest_is_flat(figures: Figures) -> None:
    # What is kept per object would show in minutes; 4 % is what the allocator's own mood costs.
    memory = figures.memory_at_rest
    assert memory.last_mib <= memory.first_mib * 1.04


def test_the_charts_memory_limit_leaves_half_free(figures: Figures) -> None:
    assert max(phase.resident_mib for phase in figures.phases) < MEMORY_LIMIT_MIB / 2


def test_a_new_operator_finds_all_as_it_should_be(figures: Figures) -> None:
    assert figures.phase("restart").writes == 0
