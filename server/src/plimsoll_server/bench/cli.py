"""`plimsoll-server bench SUITE`. A suite is a command in the `cli` of its package, and a line here."""

from __future__ import annotations

import typer

from plimsoll_server.bench.calibration.cli import calibration
from plimsoll_server.bench.massive.cli import massive
from plimsoll_server.bench.moe.cli import moe
from plimsoll_server.bench.speed.cli import latency, memory, throughput

bench = typer.Typer(no_args_is_help=True, help="Measure models, by suites.")

for suite in (latency, throughput, memory, calibration, massive, moe):
    bench.command()(suite)
