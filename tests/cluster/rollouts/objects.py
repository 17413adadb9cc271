"""Objects to roll out: of the real server with the demo's model, and of light ones that count as it does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from light_server import light

COUNTING_IMAGE = "test/counting-server:1"
REAL_IMAGE = "plimsoll/server:dev"
DEMO = Path(__file__).parents[3] / "examples" / "demo" / "domains.yaml"
TEXTS = (
    "sort a list of numbers in place",
    "open a socket and listen for connections",
    "parse the arguments of a command line",
    "read a row of a comma separated file",
    "wait until the thread has ended",
    "the digest of a message, as hexadecimal digits",
    "compile a regular expression and match a string",
    "format a date in the local time zone",
    "a heap queue, also called a priority queue",
    "decode bytes that are no valid text",
)
"""Short ones. One of ten has the word at which the spoiled model fails."""
BODIES = tuple({"inputs": text} for text in TEXTS)
LONGER_BODIES = tuple({"inputs": " ".join(4 * (TEXTS[number:] + TEXTS[:number]))} for number in range(len(TEXTS)))
"""About three hundred tokens: what a number format costs shows in the arithmetic, and hardly in what surrounds it."""


def real(name: str, replicas: int = 2, **sections: Any) -> dict[str, Any]:
    """The demo's object with a fixed number of pods, judged as often as Prometheus scrapes, in one step."""
    manifest: dict[str, Any] = yaml.safe_load(DEMO.read_text())
    manifest["metadata"] = {"name": name}
    return changed(
        manifest,
        **{
            "model": {"uri": "pvc://models/domains"},
            "scaling": {"provider": "None", "minReplicas": replicas, "maxReplicas": 8},
            "server": {"image": REAL_IMAGE},
            "rollout": ROLLOUT,
            **sections,
        },
    )


ROLLOUT = {"strategy": "Canary", "canary": {"steps": [30]}, "analysis": {"interval": "5s"}}
"""One step, and judged as often as this Prometheus scrapes."""


def counting(name: str, family: str = "steady", replicas: int = 2, **sections: Any) -> dict[str, Any]:
    """Its requests are judged as the real server's are, and cost nothing."""
    server = {"image": COUNTING_IMAGE, **sections.pop("server", {})}
    rollout = {**ROLLOUT, **sections.pop("rollout", {})}
    scaling = {"provider": "None", "minReplicas": replicas, "maxReplicas": 8, **sections.pop("scaling", {})}
    return light(
        name,
        model={"uri": "hf://org/model:" + "0" * 40, "family": family},
        scaling=scaling,
        server=server,
        rollout=rollout,
        **sections,
    )


def changed(manifest: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A copy with these fields in the place of what the spec had. Mappings are merged; None takes a field away."""
    copied = copy.deepcopy(manifest)
    for section, fields in sections.items():
        if isinstance(fields, dict):
            merged = {**copied["spec"].get(section, {}), **fields}
            copied["spec"][section] = {field: value for field, value in merged.items() if value is not None}
        else:
            copied["spec"][section] = fields
    return copied
