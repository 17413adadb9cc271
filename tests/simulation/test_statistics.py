"""The promises of the analysis, held to account by simulation: the code that judges in the cluster judges here."""

from __future__ import annotations

import pytest

from plimsoll_operator.rollout.evidence.upper_bound import BETA
from simulation.conftest import Run
from simulation.scenarios import NULL, SETTINGS, WORSE
from simulation.trials import PLIMSOLL

pytestmark = pytest.mark.timeout(12 * 3600)

ALPHA = SETTINGS.false_rollback
LEAST_PROMOTED = {"impatient callers": 0.9, "quiet night, then a peak with kills": 0.9}
"""Within half an hour; of all others it is 95 %. A caller who gives up a fifth of one pod's requests for a minute makes
canaries worse than a promotion allows, and one that was killed at the peak waits until stable was half as often."""


@pytest.mark.parametrize("name", [scenario.name for scenario in NULL])
def test_a_good_canary_is_taken_back_no_more_often_than_allowed(run: Run, name: str) -> None:
    figures = run.healthy[name]["rules"][PLIMSOLL]
    assert figures["rolled_back_at_most"] <= ALPHA, figures


@pytest.mark.parametrize("name", [scenario.name for scenario in NULL])
def test_a_good_canary_is_promoted(run: Run, name: str) -> None:
    assert run.healthy[name]["rules"][PLIMSOLL]["promoted"] >= LEAST_PROMOTED.get(name, 0.95)


@pytest.mark.parametrize(
    ("name", "median", "ninetieth"),
    [
        ("errors 1 % for 0.1 %, 1 canary request/s", 900, 1800),
        ("all latencies doubled, 1 canary request/s", 100, 180),
    ],
    ids=["errors", "latency"],
)
def test_a_worse_canary_is_taken_back_after_few_requests(run: Run, name: str, median: int, ninetieth: int) -> None:
    found = run.worse[name]["rules"][PLIMSOLL]["requests"]
    assert found[0] is not None
    assert found[1] is not None
    assert (found[0] <= median, found[1] <= ninetieth) == (True, True), found


@pytest.mark.parametrize(
    "name",
    ["errors 5 % for 0.1 %, 10 canary requests/s", "all latencies doubled, 10 canary requests/s"],
    ids=["errors", "latency"],
)
def test_a_plain_fault_is_seen_within_a_minute(run: Run, name: str) -> None:
    slowest = run.worse[name]["rules"][PLIMSOLL]["seconds"][1]
    assert slowest is not None
    assert slowest <= 60


@pytest.mark.parametrize("name", [scenario.name for scenario in WORSE if scenario.hanging])
def test_a_canary_of_which_some_requests_hang_is_hardly_ever_promoted(run: Run, name: str) -> None:
    """1 % of them is the least that a bound of one point rules out, but for the chance that the bound is wrong."""
    assert run.worse[name]["rules"][PLIMSOLL]["promoted"] <= BETA
