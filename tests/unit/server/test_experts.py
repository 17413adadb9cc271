"""Grouped experts are the formula of one token after the other, forwards and backwards, whoever is given how many."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from moe_builders import token_by_token
from plimsoll_server.models.experts import Experts, Router, Routing
from plimsoll_server.models.experts_on_cpu import QuickExperts

WIDTH, INNER, EXPERTS = 16, 24, 8


def layer(chosen: int = 2, dtype: torch.dtype = torch.float32) -> tuple[Router, Experts]:
    torch.manual_seed(3)
    router, experts = Router(WIDTH, EXPERTS, chosen), Experts(WIDTH, INNER, EXPERTS)
    for weight in (*router.parameters(), *experts.parameters()):
        torch.nn.init.normal_(weight, std=0.3)
    return router.to(dtype), experts.to(dtype)


def some_rows(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(count)).to(dtype)


@pytest.mark.parametrize("way", [lambda experts: experts, QuickExperts], ids=["grouped", "on a CPU"])
@pytest.mark.parametrize("chosen", [1, 2, 3, EXPERTS])
@pytest.mark.parametrize("count", [1, 2, 7, 100, 3000])
def test_tokens_in_groups_come_out_as_one_by_one(
    count: int, chosen: int, way: Callable[[Experts], torch.nn.Module]
) -> None:
    router, experts = layer(chosen)
    rows = some_rows(count)
    with torch.inference_mode():
        routing = router(rows)
        expected = token_by_token(experts, rows, routing)
        torch.testing.assert_close(way(experts)(rows, routing), expected, atol=1e-5, rtol=1e-5)


def test_in_bfloat16_they_stay_near_float32() -> None:
    router, experts = layer()
    rows = some_rows(60)
    expected = token_by_token(experts, rows, routing := router(rows))
    halved = Routing(routing.experts, routing.shares.bfloat16(), routing.probabilities)
    found = experts.bfloat16()(rows.bfloat16(), halved)
    assert found.dtype is torch.bfloat16
    assert (found.float() - expected).abs().max() < 2e-2 * expected.abs().max()


def test_all_tokens_may_choose_the_same_experts() -> None:
    _, experts = layer()
    rows = some_rows(20)
    alike = Routing(torch.tensor([[5, 2]] * 20), torch.tensor([[0.75, 0.25]] * 20), torch.full((20, EXPERTS), 0.125))
    torch.testing.assert_close(experts(rows, alike), token_by_token(experts, rows, alike), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_those_of_one_by_one(dtype: torch.dtype) -> None:
    router, experts = layer(dtype=dtype)
    weights = [*router.parameters(), *experts.parameters()]
    towards = some_rows(30).to(dtype)

    def gradients(grouped: bool) -> list[Tensor]:
        rows = some_rows(30, dtype).requires_grad_()
        routing = router(rows)
        found = experts(rows, routing) if grouped else token_by_token(experts, rows, routing)
        return list(torch.autograd.grad((found * towards).sum(), [rows, *weights]))

    tolerance = 1e-5 if dtype is torch.float32 else 5e-2
    for found, expected in zip(gradients(True), gradients(False), strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected, atol=tolerance * float(expected.abs().max()), rtol=tolerance)


def test_a_router_gives_each_token_to_its_likeliest_experts_in_shares_of_one() -> None:
    router, _ = layer()
    with torch.no_grad():
        routing = router(some_rows(50))
    assert routing.probabilities.sum(-1) == pytest.approx(1.0, abs=1e-6)
    assert routing.shares.sum(-1) == pytest.approx(1.0, abs=1e-6)
    for chosen, probabilities in zip(routing.experts.tolist(), routing.probabilities, strict=True):
        assert sorted(chosen) == sorted(probabilities.argsort(descending=True)[:2].tolist())
