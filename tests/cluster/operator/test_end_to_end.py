"""From `kubectl apply` to a classified long text: the real server with a really trained model, and real scaling."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster_kit import Kit, eventually
from plimsoll_sandbox.demo.cluster import model_volume
from plimsoll_sandbox.sandbox import Sandbox
from plimsoll_server.train.demo.texts import DemoText

pytestmark = pytest.mark.cluster

EXAMPLE = Path(__file__).parents[3] / "examples" / "demo" / "domains.yaml"
REQUEST_SECONDS = 60
START_SECONDS = 240
"""For the autoscaler's look and the start of a torch server, on cores that are busy with requests."""


@pytest.fixture(scope="module")
def domains(kit: Kit, demo_model: Path) -> dict[str, Any]:
    """The demo's object, serving the demo's model."""
    volumes = {"apiVersion": "v1", "kind": "List", "items": list(model_volume(demo_model.parent))}
    kit.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(volumes))
    manifest: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    manifest["spec"]["model"]["uri"] = f"pvc://models/{demo_model.name}"
    kit.apply(manifest)
    kit.wait_for("domains", "Ready", "True", deadline=180)
    return manifest


def ask(url: str, path: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{url}{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_three_texts_are_classified_and_the_longest_is_read_in_chunks(
    kit: Kit, sandbox: Sandbox, domains: dict[str, Any], three_texts: list[DemoText]
) -> None:
    url = sandbox.url(kit.namespace, "domains")
    window = domains["spec"]["tiers"][-1]["maxTokens"]
    for text in three_texts:
        status, answer = ask(url, "/predict", {"inputs": text.text})
        assert status == 200, answer
        assert sum(label["score"] for label in answer) == pytest.approx(1, abs=1e-3)
        assert text.topic in {label["label"] for label in answer}
    assert three_texts[-1].tokens > window, "the last text must be longer than the largest tier"


def test_the_load_line_in_status_is_what_the_server_got(kit: Kit, sandbox: Sandbox, domains: dict[str, Any]) -> None:
    del domains
    with urllib.request.urlopen(f"{sandbox.url(kit.namespace, 'domains')}/info", timeout=REQUEST_SECONDS) as response:
        tiers = {tier["name"]: tier for tier in json.load(response)["tiers"]}
    for line in kit.get("infd", "domains")["status"]["loadLine"]:
        granted = min(line["requestedConcurrency"], line["safeConcurrency"])
        assert tiers[line["tier"]]["running_limit"] == granted


def test_the_start_is_timed_by_phase(kit: Kit, domains: dict[str, Any]) -> None:
    del domains
    starts = {start.pop("pod"): start for start in kit.get("infd", "domains")["status"]["starts"]}
    [pod] = kit.pods("domains")
    start = starts[pod["metadata"]["name"]]
    assert start.pop("revision") == pod["metadata"]["labels"]["plimsoll.dev/revision"]
    whole = start.pop("readySeconds")
    assert start.keys() == {"scheduledSeconds", "imageSeconds", "weightsSeconds", "warmUpSeconds"}
    # Four phases and the whole, each rounded.
    assert abs(sum(start.values()) - whole) <= 3
    assert start["weightsSeconds"] > 0, "nothing loads torch in no time"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_replicas_follow_the_saturation_up_and_down(
    kit: Kit, sandbox: Sandbox, domains: dict[str, Any], three_texts: list[DemoText]
) -> None:
    del domains
    url = sandbox.url(kit.namespace, "domains")
    enough = False

    def client(which: int) -> None:
        """Never the same text twice: an answer that is remembered is no load."""
        for number in itertools.count():
            if enough:
                return
            ask(url, "/predict", {"inputs": f"{three_texts[1].text} {which} {number}"})

    with ThreadPoolExecutor(8) as clients:
        for number in range(8):
            clients.submit(client, number)
        try:
            eventually(lambda: _ready(kit) >= 2, START_SECONDS, lambda: kit.kubectl("describe", "hpa", "domains"))
        finally:
            enough = True
    eventually(lambda: _ready(kit) == 1, 150, lambda: kit.kubectl("describe", "hpa", "domains"))


def _ready(kit: Kit) -> int:
    return int(kit.get("infd", "domains")["status"]["readyReplicas"])
