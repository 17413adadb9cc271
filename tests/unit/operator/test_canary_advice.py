"""Steps that whole pods cannot give, told in advance."""

from __future__ import annotations

from typing import Any

import pytest

from builders import make_spec
from plimsoll_operator.rollout.canary.advice import steps_that_cannot_be_had
from plimsoll_operator.spec import parse_spec


def advice(scaling: dict[str, Any], strategy: str = "Canary", **canary: Any) -> tuple[str, ...]:
    return steps_that_cannot_be_had(
        parse_spec(make_spec(scaling=scaling, rollout={"strategy": strategy, "canary": canary}))
    )


def fixed(pods: int) -> dict[str, Any]:
    return {"provider": "None", "minReplicas": pods}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            advice(fixed(1)),
            (
                (
                    "with 1 pod (minReplicas) the steps 10, 30 and 50 % give the canary 50 % of the requests "
                    "(canary.steps: [50] says the same)"
                ),
            ),
            id="one pod gives half",
        ),
        pytest.param(
            advice(fixed(4)),
            (
                (
                    "with 4 pods (minReplicas) the step 10 % gives the canary 20 %; the steps 30 and 50 % give the "
                    "canary 33 % of the requests, since maxPods is 2 (canary.steps: [20, 33] says the same)"
                ),
            ),
            id="steps merge, and the cap counts",
        ),
        pytest.param(advice(fixed(9), steps=[10, 30, 50], maxPods=16), (), id="all as written"),
        pytest.param(
            advice({"minReplicas": 9, "maxReplicas": 20}, steps=[10]), (), id="at the smallest and the largest size"
        ),
        pytest.param(
            advice({"minReplicas": 1, "maxReplicas": 18}, steps=[10]),
            ("with 1 pod (minReplicas) the step 10 % gives the canary 50 % of the requests",),
            id="at one of them",
        ),
        pytest.param(advice(fixed(0)), (), id="parked"),
        pytest.param(advice(fixed(1), strategy="RollingUpdate"), (), id="no canary"),
    ],
)
def test_a_step_that_cannot_be_had_is_told_with_what_it_comes_to(
    lines: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert lines == expected
