"""Copies the chart's GPU table to where `kubectl plimsoll plan` finds it. `--check` only tells whether it is current.

The chart's values hold the one copy that is edited by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "charts/plimsoll/values.yaml"
COPY = ROOT / "operator/src/plimsoll_operator/cli/gpu_profiles.yaml"
HEADING = "# Written by charts/sync_profiles.py from the chart's gpuProfiles: edit them there.\n"


class _Plain(yaml.SafeDumper):
    """Writes what several profiles share out in full."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  its signature is PyYAML's
        return True


def wanted() -> str:
    table = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))["gpuProfiles"]
    return HEADING + yaml.dump(table, Dumper=_Plain, sort_keys=False)


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(f"expected nothing or --check, found {' '.join(arguments)}", file=sys.stderr)  # noqa: T201
        return 2
    current = COPY.is_file() and COPY.read_text(encoding="utf-8") == wanted()
    if not arguments:
        COPY.write_text(wanted(), encoding="utf-8")
        return 0
    if not current:
        print(f"{COPY.relative_to(ROOT)} is not current: run python charts/sync_profiles.py")  # noqa: T201
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
