"""docs/operator.md names every metric of the operator, and none that it does not have."""

from __future__ import annotations

import re
from pathlib import Path

from plimsoll_operator.telemetry import Telemetry
from plimsoll_operator.workqueue import Backlog

PAGE = Path(__file__).parents[2] / "docs" / "operator.md"


def exported() -> set[str]:
    telemetry = Telemetry()
    telemetry.watch_queue(lambda: Backlog(0, 0.0))
    telemetry.watch_lease(lambda: True, lambda: 0.0)
    page = telemetry.page().body.decode()
    return {
        name
        for name in re.findall(r"^# TYPE (\S+) ", page, re.MULTILINE)
        if name.startswith("plimsoll_") and not name.endswith("_created")
    }


def test_the_table_of_metrics_is_complete() -> None:
    told = re.findall(r"^\| `(plimsoll_operator_\w+)", PAGE.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(exported())
