"""The load line's arithmetic against published and measured figures."""

from __future__ import annotations

import pytest

from builders import PROFILES, make_spec
from plimsoll_operator.load_line import LoadLine, footprint, parameter_count, plan_load_line
from plimsoll_operator.model_shapes import PRESETS
from plimsoll_operator.spec import Tier, parse_spec
from plimsoll_operator.steps.load_line import load_line_of

MODERNBERT = PRESETS["modernbert-base"]
L4 = 23034 << 20
A100_40 = 40960 << 20


def line_of(
    max_tokens: int, concurrency: int, memory: int = L4, *, eager: bool = False, utilization: int = 85
) -> LoadLine:
    return plan_load_line(
        MODERNBERT,
        [Tier(name="t", max_tokens=max_tokens, concurrency=concurrency)],
        device_memory=memory,
        utilization_percent=utilization,
        precision="float32" if eager else "bfloat16",
        eager=eager,
    )


@pytest.mark.parametrize(("profile", "shared"), [("cpu", True), ("nvidia-l4", False)])
def test_what_is_remembered_takes_from_the_batches_where_they_share_the_memory(profile: str, shared: bool) -> None:
    """On a CPU; beside a GPU it is in the memory of the host."""

    def tokens(size: str) -> int:
        tiers = [{"name": "t", "maxTokens": 1}]
        spec = parse_spec(make_spec(gpu={"profile": profile}, tiers=tiers, server={"cache": {"maxSize": size}}))
        return load_line_of(spec, MODERNBERT, PROFILES[profile]).tiers[0].safe

    per_token = footprint(MODERNBERT, "float32", eager=False).per_token
    assert tokens("0") - tokens("1Gi") == pytest.approx((1 << 30) / per_token if shared else 0, abs=1)


def test_modernbert_base_weighs_what_it_is_published_to_weigh() -> None:
    assert parameter_count(MODERNBERT) == pytest.approx(149e6, rel=0.01)
    assert footprint(MODERNBERT, "bfloat16", eager=False).weights == pytest.approx(298e6, rel=0.01)


def test_bytes_per_token_agree_with_the_budget_and_with_the_measurement() -> None:
    assert footprint(MODERNBERT, "bfloat16", eager=False).per_token == pytest.approx(32e3, rel=0.02)
    assert footprint(MODERNBERT, "float32", eager=False).per_token == pytest.approx(63e3, rel=0.03)


def test_a_mixture_carries_all_experts_weights_and_a_tokens_rows_for_each_that_it_is_given_to() -> None:
    mixture = MODERNBERT.model_copy(update={"experts": 8, "experts_per_token": 2})
    hidden, inner = MODERNBERT.hidden_size, MODERNBERT.intermediate_size
    further = MODERNBERT.layers * (7 * 3 * hidden * inner + 8 * hidden)
    assert parameter_count(mixture) == parameter_count(MODERNBERT) + further
    assert footprint(mixture, "bfloat16", eager=False).per_token == 2 * 2 * (6 * hidden + 2 * (2 * hidden + 3 * inner))


@pytest.mark.parametrize(("tokens", "gib"), [(4096, 0.75), (32768, 48.0)])
def test_one_copy_of_eager_scores_has_its_known_size(tokens: int, gib: float) -> None:
    per_squared = footprint(MODERNBERT, "float32", eager=True).per_squared_token
    assert per_squared / 3 * tokens**2 / 2**30 == pytest.approx(gib)


@pytest.mark.parametrize(
    ("max_tokens", "concurrency", "memory", "fits"),
    [
        pytest.param(1024, 10, L4, True, id="1K x 10 on an L4 was safe"),
        pytest.param(4096, 10, L4, False, id="4K x 10 on an L4 lost 12 of 100"),
        pytest.param(8192, 1, L4, True, id="8K x 1 on an L4 was safe"),
        pytest.param(8192, 10, L4, False, id="8K x 10 on an L4 failed"),
        pytest.param(16384, 1, L4, False, id="16K needs more than an L4"),
        pytest.param(32768, 1, A100_40, False, id="32K in float32 is 48 GiB of scores alone"),
    ],
)
def test_dense_float32_attention_fails_where_it_was_seen_to_fail(
    max_tokens: int, concurrency: int, memory: int, fits: bool
) -> None:
    assert line_of(max_tokens, concurrency, memory, eager=True).within is fits


def test_flash_attention_shows_what_the_card_really_carries() -> None:
    assert [line_of(n, 1).tiers[0].safe for n in (4096, 8192, 32768)] == [147, 73, 18]


def test_the_line_is_the_largest_concurrency_whose_memory_fits() -> None:
    line = line_of(8192, 1, eager=True)
    memory = footprint(MODERNBERT, "float32", eager=True)
    safe = line.tiers[0].safe
    used = [line.weights_bytes + 700 * 2**20 + count * memory.of_request(8192) for count in (safe, safe + 1)]
    assert used[0] <= line.budget_bytes < used[1]


def test_a_device_too_small_for_the_weights_carries_nothing() -> None:
    assert line_of(512, 1, memory=500 << 20).tiers[0].safe == 0


def test_more_of_the_device_carries_more() -> None:
    assert line_of(8192, 1, utilization=95).tiers[0].safe > line_of(8192, 1, utilization=50).tiers[0].safe
