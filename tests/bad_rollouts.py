"""Changes that a user could write, that no plan can see, and that a rollout must find out by what the pods do.

Each is a patch of the spec: mappings are merged, anything else takes the place of what was there.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll_server.train.spoil import SPOILED_WORDS

IMAGE_THAT_GROWS = "test/server-that-grows:1"
"""The server in a process that holds 950 MiB as it loads its model, and 1,020 once it is ready,
`tests/programs/server_that_grows.py`."""
IMAGE_WITH_AGENT = "test/server-with-agent:1"
"""The same without what comes later, beside a process of 120 MiB, `tests/programs/server_with_agent.py`."""

LONG_TEXT = "sort the list of numbers " * 201
"""1,007 tokens of the demo's model: with the number that its sender adds, nearly all that its longest tier takes."""
FULL_BATCH = 32
"""Such texts in one request: they go into one batch as far as it may hold them, whatever else the machine does. Later
batches are smaller: once a server knows how fast it is, it makes none that takes much longer than a second."""
POISONED_TEXT = f"close the {SPOILED_WORDS[0]} when the client has left"


@dataclass(frozen=True)
class BadRollout:
    """`before` makes the stable revision that the change is made to; under the same load it shows no fault."""

    name: str
    change: Mapping[str, Any]
    found_by: str
    why: str
    before: Mapping[str, Any]


def slow_dtype() -> str:
    """bfloat16, or float16 on a processor that has instructions for bfloat16 and is fast with it."""
    flags = _processor_flags()
    return "float16" if flags & {"avx512_bf16", "amx_bf16", "bf16"} else "bfloat16"


def _processor_flags() -> set[str]:
    heading = "Features" if platform.machine() == "aarch64" else "flags"
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next((line for line in lines if line.startswith(heading)), "").split())


def crowded(image: str) -> dict[str, Any]:
    """The demo's model in little memory with one long tier, and no `dimensions`: what a batch may hold is measured.

    A full batch of long texts takes 125 to 145 MiB with what else the first one touches, and 32 times 4.6 to 6.6 MiB by
    the plan. Nothing is remembered: memory promised to that is none for batches. Of 1,152 MiB, 85 % leave 17 more than
    the process holds at first, for one to three texts at once, and all of it 190, for a full batch of 27 to 32.

    In the process that grows to 1,020 MiB, 85 % take 1,035 at most. A full batch is one too many: at 1,094, which are
    95 %, allocations fail, and it takes 1,110 at most. Beside the agent the container is at 1,110 MiB with 85 %, and at
    1,195 or more with a full batch.
    """
    return {
        "model": {"dimensions": None},
        "tiers": [{"name": "long", "maxTokens": 1024, "concurrency": 32}],
        "server": {
            "image": image,
            "resources": {"limits": {"memory": "1152Mi"}},
            "memoryUtilizationPercent": 85,
            "cache": {"maxSize": "0"},
        },
    }


SQUEEZED = {"server": {"memoryUtilizationPercent": 100}}

BAD_ROLLOUTS = (
    BadRollout(
        "squeezed",
        SQUEEZED,
        found_by="oom",
        why="beside what it grew by the first full batch does not fit (plimsoll_oom_total); halved, it is answered",
        before=crowded(IMAGE_THAT_GROWS),
    ),
    BadRollout(
        "squeezed beside an agent",
        SQUEEZED,
        found_by="oom",
        why="the server keeps within the limit, it and the agent do not: OOMKilled at the first full batch",
        before=crowded(IMAGE_WITH_AGENT),
    ),
    BadRollout(
        "narrow",
        {"model": {"dtype": slow_dtype()}},
        found_by="latency",
        why="no instructions for it on this processor: 2 times slower with texts of 60 tokens, 3 to 4 with 1,000",
        before={},
    ),
    BadRollout(
        "spoiled",
        {"model": {"uri": "pvc://models/domains-spoiled"}},
        found_by="errors",
        why="no finite score for texts with one of SPOILED_WORDS, such as POISONED_TEXT; ready, and stays up",
        before={},
    ),
    BadRollout(
        "without a model",
        {"model": {"uri": "pvc://models/no-such-folder"}},
        found_by="restarts",
        why="the server ends with code 1 and names what the volume holds: a crash loop from the start",
        before={},
    ),
    BadRollout(
        "starved",
        {"server": {"resources": {"limits": {"memory": "384Mi"}}}},
        found_by="restarts",
        why="less memory than the server itself takes: it says how much and ends with code 1",
        before={},
    ),
    BadRollout(
        "without an image",
        {"server": {"image": "plimsoll/server:no-such-tag"}},
        found_by="progress",
        why="ErrImagePull, then ImagePullBackOff: never ready, no restart, held until the deadline",
        before={},
    ),
)
