"""How properties are tried: on the same examples each time, or on as many others as `PLIMSOLL_EXAMPLES` says."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

MORE = int(os.environ.get("PLIMSOLL_EXAMPLES", "0"))


def same_each_time() -> None:
    """For the whole run: a failure is one of the change that is tested, never of the day."""
    settings.register_profile(
        "plimsoll", derandomize=not MORE, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("plimsoll")


def examples(count: int) -> settings:
    """Where fewer than Hypothesis' hundred tell enough, or more are needed."""
    return settings(max_examples=MORE or count)
