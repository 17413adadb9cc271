"""The comparison itself, with a model of next to no work: everyone starts, answers alike, and is written down."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from serving import record
from serving.chart import draw
from serving.contest import ContestError, contestant
from serving.folders import model_folder
from serving.rates import rates_of
from serving.record import keep
from serving.services import PADDED, PLIMSOLL, Service, pipeline, plimsoll
from serving.shapes import TRIVIAL, Shape
from serving.side_by_side import side_by_side
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


def scripted(shape: Shape, folder: Path, say: Callable[[str], None]) -> Sequence[Service]:
    """The second ends at the fourth text of the first round: one to compare, one to warm up, and three go before."""

    def service(name: str, answers: int, least_words: int) -> Service:
        script = Path(__file__).parents[2] / "programs" / "scripted_service.py"
        started = plimsoll(shape, folder)
        told = (str(answers), str(least_words))
        return replace(started, name=name, command=lambda port: [sys.executable, str(script), str(port), *told])

    return [service(PLIMSOLL, 1_000, 0), service("ends", 5, 0), service("refuses", 1_000, 100)]


def test_what_became_of_a_service_is_told_and_its_figures_are_not(tmp_path: Path) -> None:
    """It would be the faster one: its last answers took no time."""
    said: list[str] = []
    workloads = [Workload(TRIVIAL, Lengths(size, size), at_once=1, count=8, rounds=1) for size in (8, 9)]
    cells = side_by_side(workloads, None, shared=False, tell=said.append, among=scripted)
    assert [[served.service for served in cell.services] for cell in cells] == [[PLIMSOLL]] * 2
    refused = {"refuses": "answered 413 alone"}
    assert [cell.left_out for cell in cells] == [
        {"ends": "ended by SIGKILL", **refused},
        {"ends": "not asked, ended by SIGKILL at 1 layers, 8 tokens, 1 at once", **refused},
    ]
    keep("crowds", cells, "bench", tmp_path, shared=False)
    assert "| 1 | 8 | 1 | ends: ended by SIGKILL |" in "\n".join(serving_lines(tmp_path / "server.json"))


def test_a_contestant_that_ends_is_named(tmp_path: Path) -> None:
    with contestant("transformers", tmp_path / "nothing") as entrant, pytest.raises(ContestError, match="transformers"):
        entrant.seconds(16)


def test_a_quick_run_is_not_shown_beside_figures_of_another_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LOOKED_AT", tmp_path)
    monkeypatch.setattr(record, "commit", lambda: "before")
    keep("rates", [], "bench", tmp_path, shared=False)
    monkeypatch.setattr(record, "commit", lambda: "now")
    keep("peaks", [], "bench", tmp_path, shared=False)
    keep("services", [], "bench", tmp_path, shared=False)
    assert set(json.loads((tmp_path / "server.json").read_text())) == {"peaks", "services"}
