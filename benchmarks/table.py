"""Writes the tables and the plot of docs/benchmarks.md from the figures beside this file. `--check` only tells whether
they are current."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chunking_table import chunking_lines
from kernels_table import kernel_lines
from origin import origin
from overload_table import overload_lines
from preemption_table import preemption_lines
from rollout_table import rollout_lines
from scaling_table import scaling_lines
from serving_gpu_table import gpu_lines
from serving_table import serving_lines
from statistics_table import statistics_lines
from training_table import training_lines
from workers_table import workers_lines

FOLDER = Path(__file__).resolve().parent
DOCS = FOLDER.parent / "docs"
PAGE = DOCS / "benchmarks.md"
PHASES = {
    "fill": "all created at once",
    "storm": "all changed at once",
    "rest": "left alone",
    "restart": "operator killed and started",
}
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 180, 56, 28

Run = Mapping[str, Any]


def section(run: Run, plot: str) -> Iterator[str]:
    """The figures of one run, as a person reads them."""
    memory = run["memory_at_rest"]
    yield f"### {run['objects']} objects\n"
    yield f"{origin(run)}\n"
    yield "| | " + " | ".join(f"{PHASES[phase['name']]}" for phase in run["phases"]) + " |"
    yield "|---|" + "---:|" * len(run["phases"])
    for title, value in ROWS.items():
        yield f"| {title} | " + " | ".join(value(phase) for phase in run["phases"]) + " |"
    growth = memory["last_mib"] - memory["first_mib"]
    yield (
        f"\nResident memory over {memory['minutes']:.0f} minutes at rest: {memory['first_mib']} MiB in the first "
        f"quarter, {memory['last_mib']} MiB in the last ({growth:+.1f}), {memory['most_mib']} MiB at most.\n"
    )
    yield f"![Resident memory at rest]({plot})\n"


ROWS: Mapping[str, Callable[[Run], str]] = {
    "took, s": lambda phase: _number(phase["seconds"]),
    "an object was Ready after, s (p50 / p99)": lambda phase: _spread(phase["seconds_to_ready"], 0),
    "reconciles": lambda phase: str(phase["reconcile_seconds"]["count"]),
    "reconcile, s (p50 / p99)": lambda phase: _spread(phase["reconcile_seconds"], 2),
    "longest wait in the queue, s": lambda phase: _number(phase["queue_age_seconds"]),
    "requests per object": lambda phase: str(phase["requests_per_object"]),
    "writes": lambda phase: str(phase["writes"]),
    "refused": lambda phase: str(phase["refused"]),
    "operator's CPU, % of a core": lambda phase: str(phase["cpu_percent"]),
    "resident memory at most, MiB": lambda phase: _number(phase["resident_mib"]),
    "machine's load average": lambda phase: str(phase["load_average"]),
}


def svg(series: Sequence[tuple[float, float]]) -> str:
    """Memory over time, from zero up: what grows is seen to grow, and what does not is seen not to."""
    top = 50 * (int(max(mib for _, mib in series) // 50) + 1)
    last = max(minute for minute, _ in series) or 1
    across, down = WIDTH - LEFT - 12, HEIGHT - BOTTOM - 12

    def at(minute: float, mib: float) -> str:
        return f"{LEFT + across * minute / last:.1f},{12 + down * (1 - mib / top):.1f}"

    namespace, view = "http://www.w3.org/2000/svg", f"0 0 {WIDTH} {HEIGHT}"
    lines = [
        f'<svg xmlns="{namespace}" viewBox="{view}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for mib in range(0, top + 1, 50):
        y = at(0, mib).partition(",")[2]
        lines.append(f'<path d="M{LEFT},{y} H{WIDTH - 12}" stroke="#ddd"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end" fill="#555">{mib} MiB</text>')
    points = " ".join(at(minute, mib) for minute, mib in series)
    lines.append(f'<polyline points="{points}" fill="none" stroke="#1a6fb0" stroke-width="2"/>')
    lines.append(f'<text x="{LEFT}" y="{HEIGHT - 8}" fill="#555">0</text>')
    lines.append(f'<text x="{WIDTH - 12}" y="{HEIGHT - 8}" text-anchor="end" fill="#555">{last:.0f} min</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def rendered() -> dict[Path, str]:
    """Content of each file that is made here."""
    runs = sorted((json.loads(path.read_text()) for path in FOLDER.glob("operator-*.json")), key=_size)
    files = {DOCS / _plot(run): svg(run["memory_at_rest"]["series"]) for run in runs}
    blocks = {
        "figures": [line for run in runs for line in section(run, _plot(run))],
        "rollouts": rollout_lines(FOLDER / "rollouts.json"),
        "scaling": scaling_lines(FOLDER / "scaling.json"),
        "server": serving_lines(FOLDER / "server.json"),
        "server-gpu": gpu_lines(FOLDER / "server-gpu.json"),
        "workers": workers_lines(FOLDER / "workers.json"),
        "kernels": kernel_lines(FOLDER / "kernels.json"),
        "preemption": preemption_lines(FOLDER / "preemption.json"),
        "statistics": statistics_lines(FOLDER / "rollout-statistics.json"),
        "training": training_lines(FOLDER / "training.json"),
        "chunking": chunking_lines(FOLDER / "chunking.json"),
        "overload": overload_lines(FOLDER / "overload.json"),
    }
    page = PAGE.read_text()
    for block, lines in blocks.items():
        page = filled(page, block, "\n".join(lines))
    return files | {PAGE: page}


def filled(page: str, block: str, text: str) -> str:
    """The page with this text between the marks of a block."""
    begin, end = f"<!-- {block}: begin -->", f"<!-- {block}: end -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{text}\n{end}{rest.partition(end)[2]}"


def _plot(run: Run) -> str:
    return f"benchmarks-memory-{run['objects']}.svg"


def _size(run: Run) -> int:
    return int(run["objects"])


def _spread(spread: Run | None, digits: int) -> str:
    return f"{spread['p50']:.{digits}f} / {spread['p99']:.{digits}f}" if spread else ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def main() -> int:
    files = rendered()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(
                f"{path.name} is not what the figures in benchmarks/ say: run python benchmarks/table.py\n"
            )
        return 1 if stale else 0
    for path in stale:
        path.write_text(files[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
