"""Ways to compute one and the same layer of experts, from the one that is written first to the server's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional
from transformers import MixtralConfig
from transformers.models.mixtral.modeling_mixtral import MixtralExperts

from plimsoll_server.bench.moe.shapes import CHOSEN, EXPERTS, LayerShape
from plimsoll_server.models.experts import Experts, Router, Routing
from plimsoll_server.models.experts_on_cpu import QuickExperts, can_quicken

Way = Callable[[Tensor, Routing], Tensor]
"""Rows (tokens, width) to rows."""

OURS = "plimsoll"
TOKEN_LOOP, DENSE, EXPERT_LOOP = "loop over tokens", "all experts for all tokens", "loop over experts, masked"
TRANSFORMERS = ("eager", "batched_mm", "grouped_mm")
"""Its layer's settings, of which the fastest counts."""
_LARGEST_GATHER = 2 << 30
"""Bytes of weights that `batched_mm` may gather, a copy for each token and expert: beyond, it is left out."""


def layer(shape: LayerShape, dtype: torch.dtype, device: torch.device) -> tuple[Router, Experts]:
    torch.manual_seed(0)
    router, experts = Router(shape.width, EXPERTS, CHOSEN), Experts(shape.width, shape.inner, EXPERTS)
    for weight in (*router.parameters(), *experts.parameters()):
        torch.nn.init.normal_(weight, std=shape.width**-0.5)
    return router.to(device, dtype), experts.to(device, dtype)


def ways(shape: LayerShape, experts: Experts) -> Mapping[str, Way]:
    """By name, all on the same weights."""
    return {
        OURS: QuickExperts(experts) if can_quicken(experts) else experts,
        TOKEN_LOOP: lambda rows, routing: token_by_token(experts, rows, routing),
        DENSE: lambda rows, routing: all_for_all(experts, rows, routing),
        EXPERT_LOOP: lambda rows, routing: expert_by_expert(experts, rows, routing),
        **{
            f"transformers, {setting}": _of_transformers(shape, experts, setting)
            for setting in _settings(shape, experts)
        },
    }


def token_by_token(experts: Experts, rows: Tensor, routing: Routing) -> Tensor:
    outputs = torch.zeros_like(rows)
    for place, (chosen, shares) in enumerate(zip(routing.experts.tolist(), routing.shares.tolist(), strict=True)):
        for expert, share in zip(chosen, shares, strict=True):
            outputs[place] += share * _through(experts, expert, rows[place])
    return outputs


def all_for_all(experts: Experts, rows: Tensor, routing: Routing) -> Tensor:
    """Shares are 0 for the experts that a token was not given to. One expert after the other: at once their outputs
    would take eight times the memory, in no less time."""
    shares = rows.new_zeros(len(rows), len(experts.down)).scatter_(1, routing.experts, routing.shares)
    outputs = torch.zeros_like(rows)
    for expert in range(len(experts.down)):
        outputs += _through(experts, expert, rows) * shares[:, expert : expert + 1]
    return outputs


def expert_by_expert(experts: Experts, rows: Tensor, routing: Routing) -> Tensor:
    outputs = torch.zeros_like(rows)
    for expert in range(len(experts.down)):
        places, choice = (routing.experts == expert).nonzero(as_tuple=True)
        found = _through(experts, expert, rows[places])
        outputs.index_add_(0, places, found * routing.shares[places, choice].unsqueeze(1))
    return outputs


def _through(experts: Experts, expert: int, rows: Tensor) -> Tensor:
    gate, up = functional.linear(rows, experts.gate_up[expert]).chunk(2, dim=-1)
    return functional.linear(functional.gelu(gate) * up, experts.down[expert])


def _settings(shape: LayerShape, experts: Experts) -> list[str]:
    weights = 3 * shape.width * shape.inner * experts.down.element_size()
    gathers = shape.tokens * CHOSEN * weights <= _LARGEST_GATHER
    return [setting for setting in TRANSFORMERS if setting != "batched_mm" or gathers]


def _of_transformers(shape: LayerShape, experts: Experts, setting: str) -> Way:
    config = MixtralConfig(
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_local_experts=EXPERTS,
        num_experts_per_tok=CHOSEN,
        hidden_act="gelu",
    )
    config._experts_implementation = setting  # noqa: SLF001  where transformers keeps it
    with torch.device("meta"):
        module = MixtralExperts(config)
    module.gate_up_proj, module.down_proj = experts.gate_up, experts.down
    return lambda rows, routing: module(rows, routing.experts, routing.shares)
