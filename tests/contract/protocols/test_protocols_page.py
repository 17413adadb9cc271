"""docs/protocols.md: its lines work as they stand, and its tables name what there is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from openapi_document import openapi_document
from plimsoll_server.api import problems
from plimsoll_server.api.problems import Problem

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "protocols.md").read_text("utf-8")
LINES = re.findall(r"^```sh (\S+)\n(curl .*)\n```$", PAGE, re.MULTILINE)
SERVERS = {
    "text-classification": "topics_url",
    "token-classification": "entities_url",
    "feature-extraction": "embeddings_url",
}


@pytest.mark.parametrize(("task", "line"), LINES, ids=[f"{number}" for number in range(len(LINES))])
def test_each_line_is_answered_with_json(task: str, line: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(SERVERS[task])
    done = subprocess.run(
        ["bash", "-c", line.replace("localhost:8080", url)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_each_block_of_the_page_is_a_line_that_is_tried() -> None:
    assert len(LINES) == PAGE.count("```") // 2 > 8


def test_the_table_names_every_path() -> None:
    named = {path.replace("NAME", "{name}") for path in re.findall(r"`(?:GET |POST )?(/[^`\s]*)`", PAGE)}
    documented = set(openapi_document()["paths"])
    versions = {path for path in documented if "/versions/" in path}
    assert documented - versions - {path.replace("{name}", "{model}") for path in named} - named == set()


def test_the_tables_name_every_kind_of_error_with_its_status() -> None:
    for problem in vars(problems).values():
        if isinstance(problem, Problem):
            (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {problem.status} |")]
            assert f"`{problem.code}`" in row, problem
            assert f"`{problem.kind}`" in row, problem
