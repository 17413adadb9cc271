"""A model of each family behind an InferenceDeployment: planned by its own arithmetic, served, asked."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from bayesian_builders import bayesian_model
from cluster_kit import Kit
from moe_builders import moe_model
from plimsoll_sandbox.demo.cluster import model_volume
from plimsoll_sandbox.sandbox import Sandbox
from scaled_builders import scaled_model
from server_builders import random_model

pytestmark = pytest.mark.cluster

SIZES: dict[str, Any] = {
    "hidden_size": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "intermediate_size": 192,
    "max_position_embeddings": 256,
}
DIMENSIONS: dict[str, Any] = {"layers": 4, "hiddenSize": 128, "heads": 4, "intermediateSize": 192}
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Kind:
    build: Callable[..., Path]
    further: dict[str, int]
    """Dimensions that it has beside the ordinary ones."""
    per_token: int
    """Bytes in float32 by the arithmetic of docs/load-line.md: what each token of a batch is planned with."""


FAMILIES = {
    "modernbert": Kind(random_model, {"localWindow": 64, "globalEvery": 3}, 2 * (6 * 128 + 3 * 192) * 4),
    "scaled": Kind(scaled_model, {}, 2 * (6 * 128 + 3 * 192) * 4),
    "bayesian": Kind(bayesian_model, {}, 2 * (6 * 128 + 3 * 192) * 4),
    "moe": Kind(moe_model, {"experts": 8}, 2 * (6 * 128 + 2 * (2 * 128 + 3 * 192)) * 4),
}


@pytest.fixture(scope="module")
def models(kit: Kit) -> Iterator[Path]:
    """A folder that pods read as the claim `families`. Not in pytest's own, which only its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-families-"))
    folder.chmod(0o755)
    _, volume, claim = model_volume(folder, kit.namespace, "families")
    for part in (volume["spec"]["claimRef"], claim["metadata"]):
        part["name"] = "families"
    items = {"apiVersion": "v1", "kind": "List", "items": [volume, claim]}
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(items))
    yield folder
    kit.kubectl("delete", "pvc", "families", "--wait=false")
    kit.kubectl("delete", "pv", "families", "--wait=false")
    shutil.rmtree(folder)


def weights_of(folder: Path) -> tuple[int, int]:
    """Their number, and that of the vocabulary."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        count = sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118 - it has no iterator
    return count, json.loads((folder / "config.json").read_text())["vocab_size"]


def asked(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
        return json.load(response)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_the_family_is_planned_served_and_asked(
    kit: Kit, sandbox: Sandbox, models: Path, family: str
) -> None:
    kind = FAMILIES[family]
    folder = kind.build(models / family, **SIZES)
    for file in (folder, *folder.iterdir()):
        file.chmod(0o755 if file.is_dir() else 0o644)
    weights, vocabulary = weights_of(folder)
    name = f"family-{family}"
    model = {
        "uri": f"pvc://families/{family}",
        "family": family,
        "dimensions": {**DIMENSIONS, "vocabSize": vocabulary, **kind.further},
    }
    tiers = [{"name": "short", "maxTokens": 64, "concurrency": 4}, {"name": "long", "maxTokens": 256, "concurrency": 2}]
    spec = {
        "model": model,
        "gpu": {"profile": "cpu"},
        "tiers": tiers,
        "server": {"resources": {"limits": {"memory": "1536Mi"}}},
    }
    metadata = {"name": name, "namespace": kit.namespace}
    kit.apply(
        {"apiVersion": "plimsoll.dev/v1alpha1", "kind": "InferenceDeployment", "metadata": metadata, "spec": spec}
    )
    try:
        kit.wait_for(name, "Ready", "True", deadline=180)
        lines = kit.get("infd", name)["status"]["loadLine"]
        assert {line["bytesPerToken"] for line in lines} == {kind.per_token}
        # Positions are not in the arithmetic, and a feed-forward without a gate has a matrix less than it counts.
        assert lines[0]["weightsBytes"] == pytest.approx(4 * weights, rel=0.15)

        url = sandbox.url(kit.namespace, name)
        info = asked(f"{url}/info")
        assert info["family"] == family
        assert [tier["running_limit"] for tier in info["tiers"]] == [line["requestedConcurrency"] for line in lines]
        answer = asked(f"{url}/predict", {"inputs": "the tide"})
        assert sum(label["score"] for label in answer) == pytest.approx(1, abs=1e-3)
    finally:
        kit.kubectl("delete", "infd", name, "--wait=false")
