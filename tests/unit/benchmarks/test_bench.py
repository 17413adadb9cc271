"""The comparison itself, with a model of next to no work: everyone starts, answers alike, and is written down."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from serving.chart import draw
from serving.contest import ContestError, contestant
from serving.folders import model_folder
from serving.rates import rates_of
from serving.record import keep
from serving.running import Running
from serving.services import PADDED, PLIMSOLL, Service, pipeline, plimsoll
from serving.shapes import TRIVIAL, Shape
from serving.side_by_side import Cell, side_by_side
from serving.texts import Lengths
from serving.workloads import Workload
from serving_table import serving_lines


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIMSOLL_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def two_and_a_broken_one(shape: Shape, folder: Path, say: Callable[[str], None]) -> Sequence[Service]:
    broken = Service("broken", lambda port: [sys.executable, "-c", "exit('no such model')"], str.encode, list)
    return [plimsoll(shape, folder), broken, pipeline(PADDED, folder, 8)]


def test_a_run_from_models_to_tables_and_a_chart(tmp_path: Path) -> None:
    said: list[str] = []
    found = rates_of(TRIVIAL, model_folder(TRIVIAL), [16], 2, shared=True, tell=said.append)
    cells = side_by_side(
        [Workload(TRIVIAL, Lengths(8, 24), at_once=4, count=12)],
        2,
        shared=True,
        tell=said.append,
        among=two_and_a_broken_one,
    )
    assert any("broken is left out" in line and "no such model" in line for line in said)
    assert [(rate.tokens, rate.rounds) for rate in found] == [(16, 2)]
    assert [(served.service, served.refused) for served in cells[0].services] == [(PLIMSOLL, {}), (PADDED, {})]
    assert all(served.peak > 100 << 20 for served in cells[0].services)

    for part, figures in (("rates", found), ("services", cells)):
        keep(part, figures, "bench", tmp_path, shared=True)
    draw(json.loads((tmp_path / "server.json").read_text()), tmp_path / "server.png")
    lines = "\n".join(serving_lines(tmp_path / "server.json"))
    assert (tmp_path / "server.png").stat().st_size > 10_000
    assert PADDED in lines
    assert "by processor time" in lines


@pytest.mark.parametrize(
    ("program", "fate"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("exit(3)", "ended with status 3"),
        ("import time; time.sleep(60)", "runs and does not answer"),
    ],
)
def test_what_became_of_a_service_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, fate: str
) -> None:
    monkeypatch.setattr("serving.running._FATE_SECONDS", 5.0 if "ended" in fate else 0.1)
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        service = Service(PADDED, lambda _: [], str.encode, list)
        left_out = {service.name: Running(service, 0, process, tmp_path / "log", shared=False).fate()}
        process.kill()
    keep("crowds", [Cell(3, "8", 32, 32, 1, [], left_out)], "bench", tmp_path, shared=False)
    lines = "\n".join(serving_lines(tmp_path / "server.json"))
    assert f"| 3 | 8 | 32 | {PADDED}: {fate} |" in lines


def test_a_contestant_that_ends_is_named(tmp_path: Path) -> None:
    with contestant("transformers", tmp_path / "nothing") as entrant, pytest.raises(ContestError, match="transformers"):
        entrant.seconds(16)
