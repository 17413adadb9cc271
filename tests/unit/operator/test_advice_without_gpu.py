"""What is advised while no GPU is free: nothing that the rollout itself has ruled out."""

from __future__ import annotations

from plimsoll_operator.cli.explanation.advice import advice
from trials import make_object


def test_no_place_of_a_pod_is_offered_that_may_not_be_given_up() -> None:
    lines = list(advice(make_object("Surging", reason="NoFreeGPU"), None, ""))
    assert any("free or add a GPU" in line for line in lines)
    assert not any("Replace" in line for line in lines)
