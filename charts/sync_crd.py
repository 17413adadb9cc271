"""Copies the CRD into the chart, where a template installs and upgrades it. `--check` only tells whether it is current.

crds/ holds the one copy that is edited by hand. The chart's is the same bytes; its template adds what Helm needs.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "crds/plimsoll.dev_inferencedeployments.yaml"
COPY = ROOT / "charts/plimsoll/files/crd.yaml"


def is_current() -> bool:
    return COPY.is_file() and COPY.read_bytes() == SOURCE.read_bytes()


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if not is_current():
            print(f"{COPY.relative_to(ROOT)} differs from {SOURCE.relative_to(ROOT)}: run python charts/sync_crd.py")  # noqa: T201
        return 0 if is_current() else 1
    if arguments:
        print(f"expected nothing or --check, found {' '.join(arguments)}", file=sys.stderr)  # noqa: T201
        return 2
    COPY.write_bytes(SOURCE.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
