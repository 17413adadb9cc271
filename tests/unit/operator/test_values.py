"""Small values: quantities, durations, model URIs, specs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from builders import make_spec
from plimsoll_operator.duration import parse_duration
from plimsoll_operator.gpu_profiles import InvalidGpuProfileError, parse_gpu_profiles
from plimsoll_operator.model_source import parse_model_source
from plimsoll_operator.quantity import parse_bytes, parse_quantity
from plimsoll_operator.spec import InvalidSpecError, parse_spec, revision_input

REVISION = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("4", "4"),
        (4, "4"),
        ("1.5Gi", "1610612736"),
        ("1e3", "1000"),
        ("2k", "2000"),
        ("23034Mi", "24152899584"),
    ],
)
def test_quantities_are_exact(text: str | int, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(("text", "value"), [("500m", 1), ("1.5", 2), ("1Ki", 1024), (7, 7)])
def test_a_part_of_a_byte_counts_as_one(text: str | int, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1GiB", "1..5", "0", "-1Gi"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
    ],
)
def test_durations_are_read(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "5", "m", "1h30m", "-5s", "5 m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30s or 5m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        (f"hf://org/model:{REVISION}", f"hf://org/model:{REVISION}"),
        ("pvc://claim/a/b", "/models/a/b"),
        ("pvc://claim", "/models"),
        (f"oci://r/i@sha256:{DIGEST}", "/models"),
    ],
)
def test_a_model_is_found_where_its_uri_puts_it(uri: str, location: str) -> None:
    assert parse_model_source(uri).location == location


@pytest.mark.parametrize(
    "uri", ["", "hf://org/model", "hf://org/model:main", "oci://r/i:latest", "pvc://c/../x", "http://x/y"]
)
def test_a_model_that_is_not_pinned_or_not_safe_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="expected hf://"):
        parse_model_source(uri)


def test_an_error_of_the_spec_names_the_field() -> None:
    with pytest.raises(InvalidSpecError, match=r"spec\.tiers\.0\.maxTokens"):
        parse_spec(make_spec(tiers=[{"name": "a", "maxTokens": "many"}]))


def test_an_input_without_defaults_is_the_same_as_one_with_them() -> None:
    bare = parse_spec(make_spec())
    written = parse_spec(
        make_spec(longInput={"policy": "Auto"}, pod={"topologySpread": True}, scaling={"minReplicas": 3})
    )
    assert revision_input(bare) == revision_input(written)


def test_an_objective_changes_no_pod_so_it_makes_no_revision() -> None:
    tier = {"name": "short", "maxTokens": 512}
    bare, judged = (make_spec(tiers=[tier | objective]) for objective in ({}, {"latencyObjective": "250ms"}))
    assert parse_spec(judged).tiers[0].latency_objective == timedelta(milliseconds=250)
    assert revision_input(parse_spec(bare)) == revision_input(parse_spec(judged))


def test_a_rollout_is_a_canary_unless_the_spec_says_otherwise() -> None:
    spec = {name: section for name, section in make_spec().items() if name != "rollout"}
    assert parse_spec(spec).rollout.strategy == "Canary"
    assert parse_spec(spec).rollout.canary.steps == (10, 30, 50)


@pytest.mark.parametrize("entry", [None, {}, {"memory": "much"}, {"memory": "0"}])
def test_a_bad_profile_is_named(entry: object) -> None:
    with pytest.raises(InvalidGpuProfileError, match=r"gpuProfiles\.x1"):
        parse_gpu_profiles({"x1": entry})
