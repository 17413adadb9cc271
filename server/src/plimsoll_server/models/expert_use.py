"""What the routers of a network choose, counted as it runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from plimsoll_server.models.experts import Router, Routing
from plimsoll_server.models.experts_on_cpu import QuickExperts
from plimsoll_server.types import ExpertUse


class ExpertMeter:
    """For the thread that runs the network. Nothing is fetched from the device before `take`."""

    def __init__(self, routers: Sequence[Router], experts: Sequence[nn.Module]) -> None:
        self._given = [
            torch.zeros(len(router.weight), dtype=torch.int64, device=router.weight.device) for router in routers
        ]
        self._entropy = [torch.zeros((), device=router.weight.device) for router in routers]
        self._routed = [0] * len(routers)
        self._quick = [each for each in experts if isinstance(each, QuickExperts)]
        for number, router in enumerate(routers):
            router.register_forward_hook(partial(self._note, number))

    def take(self) -> ExpertUse:
        """Since the last time."""
        allocated = sum(each.buffers_allocated for each in self._quick)
        use = ExpertUse(
            given=tuple(tuple(given.tolist()) for given in self._given),
            routed=tuple(self._routed),
            entropy=tuple(entropy.item() for entropy in self._entropy),
            buffers_allocated=allocated,
            buffers_reused=sum(each.buffers_asked for each in self._quick) - allocated,
        )
        for total in (*self._given, *self._entropy):
            total.zero_()
        self._routed = [0] * len(self._routed)
        for each in self._quick:
            each.buffers_allocated = each.buffers_asked = 0
        return use

    def _note(self, number: int, router: Router, _: object, routing: Routing) -> None:
        self._given[number] += torch.bincount(routing.experts.flatten(), minlength=len(router.weight))
        # A text whose numbers are none has none here either: it would stay in the sum for good.
        self._entropy[number] += torch.special.entr(routing.probabilities).nan_to_num(0.0).sum()
        self._routed[number] += len(routing.experts)
