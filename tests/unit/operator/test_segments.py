"""Which tiers of two revisions are compared: those that serve the same texts, whatever they are called."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plimsoll_operator.rollout.measuring.segments import Served, Strata, matched, strata

Ladder = Mapping[str, float]

TWO = {"short": 512, "long": 4096}
THREE = {"short": 512, "long": 4096, "xlong": 8192}

CASES = {
    "the same tiers": (TWO, TWO, {"short": ("short", "short"), "long": ("long", "long")}),
    "renamed": (
        {"small": 512, "large": 4096},
        TWO,
        {"small": ("small", "short"), "large": ("large", "long")},
    ),
    "two names exchanged": (
        {"long": 512, "short": 4096},
        TWO,
        {"long": ("long", "short"), "short": ("short", "long")},
    ),
    "a border moved: what is between the common ones is one": (
        {"short": 2048, "long": 4096},
        TWO,
        {"short+long": ("short long", "short long")},
    ),
    "a border moved among others": (
        {"a": 128, "b": 256, "c": 1024, "d": 4096},
        {"a": 128, "b": 512, "c": 1024, "d": 4096},
        {"a": ("a", "a"), "b+c": ("b c", "b c"), "d": ("d", "d")},
    ),
    "one divided in two": (
        THREE,
        {"short": 512, "long": 8192},
        {"short": ("short", "short"), "long+xlong": ("long xlong", "long")},
    ),
    "two made one": ({"all": 4096}, TWO, {"all": ("all", "short long")}),
    "a longer one added": (THREE, TWO, {"short": ("short", "short"), "long": ("long", "long"), "xlong": ("xlong", "")}),
    "the longest one gone": (
        TWO,
        THREE,
        {"short": ("short", "short"), "long": ("long", "long"), "xlong of stable": ("", "xlong")},
    ),
    "the longest one gone, its name another's": (
        {"short": 512, "xlong": 4096},
        THREE,
        {"short": ("short", "short"), "xlong": ("xlong", "long"), "xlong of stable": ("", "xlong")},
    ),
    "a shorter one added": ({"tiny": 64, "short": 512}, {"short": 512}, {"tiny+short": ("tiny short", "short")}),
    "the last one longer: the canary's longer texts would look slower": (
        {"short": 512, "long": 8192},
        TWO,
        {"short": ("short", "short"), "long": ("long", ""), "long of stable": ("", "long")},
    ),
    "the last one shorter": (
        {"short": 512, "long": 2048},
        TWO,
        {"short": ("short", "short"), "long": ("long", "long")},
    ),
    "the only one longer": ({"all": 8192}, {"all": 4096}, {"all": ("all", "all")}),
    "no common border": ({"a": 300, "b": 900}, {"a": 500, "b": 700}, {"a+b": ("a b", "a b")}),
    "no common border, and more beyond": (
        {"a": 300},
        {"a": 500, "b": 700},
        {"a": ("a", "a"), "b of stable": ("", "b")},
    ),
    "nothing above the last border but what one serves without an end": (
        {"short": 512, "long": inf},
        {"short": 512},
        {"short": ("short", "short"), "long": ("long", "")},
    ),
}


@pytest.mark.parametrize(("canary", "stable", "expected"), CASES.values(), ids=CASES.keys())
def test_tiers_are_matched_by_what_they_serve(
    canary: Ladder, stable: Ladder, expected: Mapping[str, tuple[str, str]]
) -> None:
    """Expected are the names of each stratum's tiers, of the canary and of stable."""
    found = strata(canary, stable)
    members = {
        name: (
            " ".join(tier for tier in canary if found.of(tier, is_canary=True) == name),
            " ".join(tier for tier in stable if found.of(tier, is_canary=False) == name),
        )
        for name in {*found.of_canary.values(), *found.of_stable.values()}
    }
    assert members == expected


MIXED = {
    "the same tiers": (TWO, TWO, set()),
    "renamed": ({"small": 512, "long": 4096}, TWO, set()),
    "a border moved": ({"short": 1024, "long": 4096, "xlong": 8192}, THREE, {"short", "long"}),
    "one divided in two": (THREE, {"short": 512, "long": 8192}, {"long", "xlong"}),
    "a longer one added": (THREE, TWO, {"xlong"}),
    "the last one shorter": ({"short": 512, "long": 2048}, TWO, {"long"}),
    "no common border": ({"short": 500}, {"short": 512}, {"short"}),
}


@pytest.mark.parametrize(("canary", "stable", "mixed"), MIXED.values(), ids=MIXED.keys())
def test_an_objective_compares_only_in_a_tier_that_has_its_equal(
    canary: Ladder, stable: Ladder, mixed: set[str]
) -> None:
    assert strata(canary, stable).mixed == mixed


def test_a_label_that_is_no_tier_stays_what_it_is() -> None:
    found = strata(THREE, TWO)
    assert (found.of("none", is_canary=True), found.of("none", is_canary=False)) == ("none", "none")


@pytest.mark.parametrize(("canary", "stable"), [(None, Served(TWO)), (Served(TWO), None)])
def test_tiers_of_a_revision_that_cannot_be_read_are_matched_by_name(
    canary: Served | None, stable: Served | None
) -> None:
    found = matched(canary, stable)
    assert found.of("latency") == found.of("errors") == Strata()


@pytest.mark.parametrize("signal", ["errors", "oom"])
def test_what_a_longer_tier_fails_at_belongs_to_the_last_segment_of_both(signal: str) -> None:
    found = matched(Served(THREE), Served(TWO)).of(signal)
    assert found.of("xlong", is_canary=True) == found.of("long", is_canary=True) == "long+xlong"
    assert found.of("long", is_canary=False) == "long+xlong"


LONGER = {
    "both answer longer texts under their last tier": (True, True, "long+xlong", "long+xlong"),
    "neither does": (False, False, "xlong", "long"),
    "the canary alone does": (True, False, "xlong", "long"),
    "stable alone does": (False, True, "long+xlong", "long+xlong"),
}


@pytest.mark.parametrize(("canary", "stable", "longest", "long"), LONGER.values(), ids=LONGER.keys())
def test_a_longer_tiers_latency_is_compared_where_stable_answers_such_texts(
    canary: bool, stable: bool, longest: str, long: str
) -> None:
    found = matched(Served(THREE, answers_longer=canary), Served(TWO, answers_longer=stable)).of("latency")
    assert (found.of("xlong", is_canary=True), found.of("long", is_canary=False)) == (longest, long)


def test_a_canary_that_begins_to_answer_longer_texts_does_not_look_slower_for_it() -> None:
    latency = matched(Served(TWO, answers_longer=True), Served(TWO)).latency
    assert latency.of("short", is_canary=False) == "short"
    assert latency.of("long", is_canary=False) != latency.of("long", is_canary=True)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    """Up to five tiers of two sets of names, the last one perhaps without an end."""
    ends: list[float] = sorted(draw(st.sets(st.integers(1, 9), min_size=1, max_size=5)))
    if draw(st.booleans()):
        ends[-1] = inf
    names = draw(st.permutations("abcde"))
    return dict(zip(names, ends, strict=False))


@given(canary=ladders(), stable=ladders())
def test_each_tier_is_in_one_stratum(canary: Ladder, stable: Ladder) -> None:
    found = strata(canary, stable)
    assert (found.of_canary.keys(), found.of_stable.keys()) == (canary.keys(), stable.keys())


@given(ladder=ladders())
def test_the_same_tiers_are_matched_as_by_name(ladder: Ladder) -> None:
    found = strata(ladder, ladder)
    assert found == Strata({tier: tier for tier in ladder}, {tier: tier for tier in ladder})


@given(canary=ladders(), stable=ladders())
def test_strata_are_as_fine_as_the_same_texts_allow(canary: Ladder, stable: Ladder) -> None:
    """Tiers that share a text, or share one with the same tier, make a stratum, and no others."""
    assume(max(canary.values()) <= max(stable.values()))
    assert _by_stratum(canary, stable) == _sharing_texts(canary, stable)


@given(canary=ladders(), stable=ladders())
def test_longer_texts_of_the_canary_are_compared_with_none_unless_there_is_nothing_else(
    canary: Ladder, stable: Ladder
) -> None:
    assume(max(canary.values()) > max(stable.values()))
    assume({*canary.values()} & {*stable.values()})
    found = strata(canary, stable)
    longest = max(canary, key=canary.__getitem__)
    assert found.of(longest, is_canary=True) not in found.of_stable.values()


def _by_stratum(canary: Ladder, stable: Ladder) -> set[frozenset[tuple[str, str]]]:
    found = strata(canary, stable)
    groups: dict[str, set[tuple[str, str]]] = {}
    for side, of in (("canary", found.of_canary), ("stable", found.of_stable)):
        for tier, stratum in of.items():
            groups.setdefault(stratum, set()).add((side, tier))
    return {frozenset(group) for group in groups.values()}


def _sharing_texts(canary: Ladder, stable: Ladder) -> set[frozenset[tuple[str, str]]]:
    """Text by text: 10 tokens are longer than every tier that has an end."""
    groups = {frozenset({(side, tier)}) for side, of in (("canary", canary), ("stable", stable)) for tier in of}
    for tokens in range(1, 11):
        serving = {
            (side, min(fitting, key=of.__getitem__))
            for side, of in (("canary", canary), ("stable", stable))
            if (fitting := [tier for tier in of if tokens <= of[tier]])
        }
        met = {group for group in groups if group & serving}
        groups = groups - met | {frozenset().union(*met)} if met else groups
    return groups
