"""Good objects are taken as they are: every example, every bound from its good side, and nothing is written in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import InferenceApi

pytestmark = pytest.mark.cluster

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.yaml"))
COMMIT, DIGEST = "0123456789" * 4, "01234567" * 8
SIZES = {"layers": 22, "hiddenSize": 768, "heads": 12, "intermediateSize": 1152, "vocabSize": 50368}
TAINTS = [
    {"operator": "Exists"},
    {"key": "a", "effect": "NoExecute", "tolerationSeconds": 5},
    {"key": "a", "value": ""},
]

GOOD: dict[str, dict[str, Any]] = {
    "a hub model": {"model": {"uri": f"hf://Org-1/My_Model.v2:{COMMIT}"}},
    "a claim's root": {"model": {"uri": "pvc://models"}},
    "a hub cache in a claim": {"model": {"uri": "pvc://models/models--org--repo/snapshots/0a/"}},
    "an image of a registry with a port and a tag": {
        "model": {"uri": f"oci://r.example:5000/a/b-c:v1@sha256:{DIGEST}"}
    },
    "flash attention in bfloat16": {"model": {"uri": "pvc://m", "attention": "flash", "dtype": "bfloat16"}},
    "dimensions without local layers": {"model": {"uri": "pvc://m", "dimensions": SIZES}},
    "dimensions that say so": {"model": {"uri": "pvc://m", "dimensions": SIZES | {"localWindow": 0, "globalEvery": 1}}},
    "a union of spans": {
        "model": {"uri": "pvc://m", "task": "token-classification"},
        "longInput": {"aggregation": "Union"},
    },
    "a maximum of embeddings": {
        "model": {"uri": "pvc://m", "task": "feature-extraction"},
        "longInput": {"aggregation": "Max"},
    },
    "eight tiers": {"tiers": [{"name": f"t{n}", "maxTokens": 512 * n} for n in range(1, 9)]},
    "an overlap of just half a chunk": {"longInput": {"chunkTokens": 2048}},
    "a model that is parked": {"scaling": {"minReplicas": 0, "provider": "None"}},
    "a minimum above the default maximum": {"scaling": {"minReplicas": 20}},
    "the longest window of an HPA": {"scaling": {"scaleDownStabilization": "60m"}},
    "no window": {"scaling": {"scaleDownStabilization": "0s"}},
    "the longest deadline": {"rollout": {"progressDeadline": "86400s"}},
    "quantities of all kinds": {
        "server": {"resources": {"requests": {"cpu": 1}, "limits": {"cpu": "1500m", "memory": "1e9"}}}
    },
    "huge pages": {"server": {"resources": {"limits": {"hugepages-2Mi": "100Mi", "memory": "1Gi"}}}},
    "an image by digest": {"server": {"image": f"r.example/plimsoll/server@sha256:{DIGEST}"}},
    "tolerations as in a pod": {"pod": {"tolerations": TAINTS, "nodeSelector": {"a.example/b": "", "zone": "eu-1_a"}}},
}


@pytest.mark.parametrize("sections", GOOD.values(), ids=GOOD.keys())
def test_a_good_object_is_accepted(
    sections: dict[str, Any], inference_api: InferenceApi, make_object: Callable[..., dict[str, Any]]
) -> None:
    answer = inference_api.kubectl("create", "--dry-run=server", "-f", "-", send=[make_object("good", **sections)])
    assert answer.status == 0, answer.err


def test_a_name_of_fifty_characters_is_accepted(
    inference_api: InferenceApi, make_object: Callable[..., dict[str, Any]]
) -> None:
    answer = inference_api.kubectl("create", "--dry-run=server", "-f", "-", send=[make_object("d" * 50)])
    assert answer.status == 0, answer.err


@pytest.fixture(params=EXAMPLES, ids=[file.stem for file in EXAMPLES])
def applied(request: pytest.FixtureRequest, inference_api: InferenceApi) -> Iterator[Path]:
    """An example, applied as its reader would."""
    file: Path = request.param
    answer = inference_api.kubectl("apply", "--server-side", "-f", str(file))
    assert (answer.status, answer.err) == (0, ""), "neither an error nor a warning"
    yield file
    inference_api.kubectl("delete", "-f", str(file), "--wait=false")


def test_an_applied_spec_is_stored_as_it_was_written_with_no_default_added(
    applied: Path, inference_api: InferenceApi
) -> None:
    sent = yaml.safe_load(applied.read_text(encoding="utf-8"))
    stored = inference_api.stored(sent["metadata"]["name"])
    assert json.dumps(stored["spec"], sort_keys=True) == json.dumps(sent["spec"], sort_keys=True)


def test_a_pipeline_sees_no_difference_after_it_applied(applied: Path, inference_api: InferenceApi) -> None:
    answer = inference_api.kubectl("diff", "--server-side", "-f", str(applied))
    assert (answer.status, answer.out) == (0, "")
