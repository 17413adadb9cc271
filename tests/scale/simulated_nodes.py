"""Nodes with GPUs, and pods on them, that exist in the API alone: KWOK plays the kubelets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from cluster_kit import Kit

GPUS_PER_NODE = 8
PROFILE = "nvidia-l4"
STAGES = Path(__file__).with_name("stages.yaml")
MARK = {"plimsoll.dev/simulated": "true"}
POD_NETWORK = "127.250.0.1/16"
"""Nobody listens there, so whoever asks a pod for its metrics is refused at once instead of waiting."""


@contextmanager
def simulated_nodes(kwok: Path, kit: Kit, gpus: int, log_path: Path) -> Iterator[None]:
    """At least so many GPUs, on nodes that are ready; the nodes leave with the sandbox."""
    count = -(-gpus // GPUS_PER_NODE)
    with log_path.open("ab") as log:
        process = subprocess.Popen(_command(kwok, kit.kubeconfig), stdout=log, stderr=log)
    try:
        kit.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(map(_node, range(count))), deadline=300)
        selector = ",".join(f"{name}={value}" for name, value in MARK.items())
        kit.kubectl("wait", "nodes", "-l", selector, "--for=condition=Ready", "--timeout=240s", deadline=300)
        assert process.poll() is None, log_path.read_text()
        yield
    finally:
        process.kill()
        process.wait(10)


def _command(kwok: Path, kubeconfig: Path) -> list[str]:
    return [
        str(kwok),
        f"--kubeconfig={kubeconfig}",
        f"--config={STAGES}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-label-selector={next(iter(MARK))}",
        "--node-lease-duration-seconds=40",
        f"--cidr={POD_NETWORK}",
    ]


def _node(number: int) -> dict[str, Any]:
    name = f"simulated-{number}"
    room = {"cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": str(GPUS_PER_NODE)}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "nvidia.com/gpu.product": "NVIDIA-L4"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels | MARK},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]},
        "status": {"capacity": room, "allocatable": room, "phase": "Running"},
    }
