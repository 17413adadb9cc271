"""Whatever the apiserver, the operators' processes and other writers of the Lease do: never may two operators write.

And in the end one may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_examples import examples
from lease_store import BLANK, Process, Store, Trouble
from virtual_time import run_in_virtual_time

REPLICAS = 3
"""One more than run: during an upgrade there are."""
END_SECONDS = 150

ACTS: dict[str, Callable[[Store], None]] = {
    "deletes": Store.delete,
    "puts back": Store.put_back,
    "takes the holder out": Store.blank_the_holder,
    "annotates": Store.annotate,
}


@dataclass(frozen=True)
class Act:
    """What somebody else does to the Lease."""

    what: str
    at: float


@dataclass(frozen=True)
class Stop:
    """One replica is told to end."""

    replica: int
    at: float


@dataclass(frozen=True)
class Story:
    troubles: tuple[Trouble, ...] = ()
    acts: tuple[Act, ...] = ()
    stops: tuple[Stop, ...] = ()
    lease: bool = True


# Not too far apart, so that one thing happens while another is still under way.
MOMENTS = st.integers(0, 400).map(lambda tenths: 15 + tenths / 10)
REPLICA = st.integers(0, REPLICAS - 1)
KINDS = ["refused", "lost", "unanswered", "reset", "frozen"]
TROUBLES = st.builds(Trouble, st.sampled_from(KINDS), REPLICA, MOMENTS, st.floats(0.1, 20))
STORIES = st.builds(
    Story,
    st.lists(TROUBLES, max_size=6).map(tuple),
    st.lists(st.builds(Act, st.sampled_from(sorted(ACTS)), MOMENTS), max_size=5).map(tuple),
    st.lists(st.builds(Stop, REPLICA, MOMENTS), max_size=3).map(tuple),
    st.booleans(),
)


async def told(story: Story) -> list[Process]:
    store = Store(dict(BLANK) if story.lease else None, story.troubles)
    processes = [
        Process(store, each, [s.at for s in sorted_by_time(story.stops) if s.replica == each])
        for each in range(REPLICAS)
    ]
    tasks = [asyncio.create_task(process.run()) for process in processes]
    clock = asyncio.get_running_loop().time
    for act in sorted_by_time(story.acts):
        await asyncio.sleep(max(0.0, act.at - clock()))
        ACTS[act.what](store)
    await asyncio.sleep(END_SECONDS - clock())
    for process in processes:
        for tenure in process.tenures:
            tenure.note()
    for task in tasks:
        task.cancel()
    return processes


def sorted_by_time(events: tuple[Any, ...]) -> list[Any]:
    return sorted(events, key=lambda event: event.at)


def rights(processes: list[Process]) -> list[tuple[float, float, int]]:
    """From when to when which process might write, in the order of beginning."""
    tenures = [tenure for process in processes for tenure in process.tenures]
    return sorted((begins, ends, number) for number, tenure in enumerate(tenures) for begins, ends in tenure.spans)


def check(story: Story) -> None:
    told_rights = rights(run_in_virtual_time(told(story)))
    last_end, last = -1.0, -1
    for begins, ends, number in told_rights:
        assert begins >= last_end or number == last, (
            f"two might write from {begins:.2f} until {min(last_end, ends):.2f}"
        )
        if ends > last_end:
            last_end, last = ends, number
    assert last_end >= END_SECONDS


CUT_OFF = Trouble("refused", 0, 20, 8.5)
"""The first leader is; replica 2 is kept away, so that replica 1 is its only rival."""
AWAY = Trouble("refused", 2, 15, 40)

KNOWN = {
    "put back while its holder gets no answers": Story((CUT_OFF, AWAY), (Act("deletes", 20.5), Act("puts back", 20.8))),
    "blanked while its holder is frozen": Story((Trouble("frozen", 0, 20, 8), AWAY), (Act("puts back", 20.5),)),
    "without its holder's name": Story((CUT_OFF, AWAY), (Act("takes the holder out", 20.5),)),
    "made anew, and the answer lost": Story((CUT_OFF, AWAY, Trouble("reset", 1, 24, 4)), (Act("deletes", 20.2),)),
    "given back by one that had taken it anew": Story((CUT_OFF,), (Act("deletes", 19.5),), (Stop(1, 26.5),)),
}


@pytest.mark.parametrize("story", KNOWN.values(), ids=KNOWN)
def test_never_two_may_write_when_the_lease_is(story: Story) -> None:
    check(story)


@examples(50)
@given(story=STORIES)
def test_never_two_may_write_and_in_the_end_one_may(story: Story) -> None:
    check(story)
