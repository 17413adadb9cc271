"""`deployment_validation_report.json`: every check with what was expected and found."""

from __future__ import annotations

import dataclasses
from typing import Any

from plimsoll_server.trial.trial import Trial


def validation(trial: Trial, origin: dict[str, Any]) -> dict[str, Any]:
    groups: dict[str, Any] = {name: [_entry(check) for check in checks] for name, checks in trial.checks.items()}
    failed = [check.name for checks in trial.checks.values() for check in checks if not check.passed]
    subject = trial.subject
    return {
        **origin,
        "model": {"family": subject.family, "window": subject.window, "labels": subject.labels},
        "passed": not failed,
        "failed": failed,
        **groups,
        "measurements": dataclasses.asdict(trial.measurements),
        "reference": dataclasses.asdict(trial.reference),
    }


def _entry(check: Any) -> dict[str, Any]:
    entry = dataclasses.asdict(check)
    if not entry["why"]:
        del entry["why"]
    return entry
