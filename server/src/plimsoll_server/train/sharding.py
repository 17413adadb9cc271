"""Weights, gradients and the optimiser's state, of which each process keeps a part (FSDP2: PyTorch's `fully_shard`)."""

from __future__ import annotations

from typing import Any

from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from plimsoll_server.train.processes import Processes


def shard(network: Any, processes: Processes) -> None:
    """Layer by layer: a layer's whole weights exist only while it runs."""
    mesh = init_device_mesh(processes.device.type, (processes.count,))
    for layer in network.layers:
        fully_shard(layer, mesh=mesh)
    # PyTorch would leave these whole until the backward pass, which an examination does not have.
    fully_shard(network, mesh=mesh, reshard_after_forward=True)
    if hasattr(network, "read"):
        register_fsdp_forward_method(network, "read")
