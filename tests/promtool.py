"""promtool: plays rules through on series that a test writes down, and reads queries as Prometheus would."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

DEADLINE_SECONDS = 120


def objections(promtool: Path, *arguments: str) -> str:
    """What it objects to; empty when it is content."""
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def played(
    promtool: Path,
    folder: Path,
    rules: Sequence[Mapping[str, Any]],
    series: Mapping[str, str],
    expected: Sequence[Mapping[str, Any]],
) -> str:
    """What differs from the `expected` alert_rule_tests, `series` given once a minute; empty when nothing does."""
    _write(folder / "rules.yaml", {"groups": [{"name": "tested", "rules": list(rules)}]})
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": list(expected),
    }
    _write(folder / "test.yaml", {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]})
    return objections(promtool, "test", "rules", str(folder / "test.yaml"))


def _write(path: Path, document: Mapping[str, Any]) -> None:
    # JSON is YAML that quotes what promtool's parser might take for a number.
    path.write_text(json.dumps(document), encoding="utf-8")


def rules_of(path: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text("utf-8"))["groups"] for rule in group["rules"]]
