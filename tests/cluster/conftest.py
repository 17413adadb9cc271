"""One sandbox for all tests on the real control plane: started once, taken down at the end whatever happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from older_release import OLDER_OPERATOR
from plimsoll_sandbox.fleet import NodeGroup
from plimsoll_sandbox.sandbox import Options, Sandbox
from plimsoll_sandbox.toolchain import Tools, plimsoll_home
from plimsoll_server.train.demo.cache import model_cache
from plimsoll_server.train.demo.corpus import standard_library
from plimsoll_server.train.demo.ensure import ensure_demo_model
from plimsoll_server.train.demo.texts import DemoText, demo_texts
from refusals import refusals_in

NODES = ("cpu:2", "nvidia-l4:2")
PROGRAMS = Path(__file__).parents[1] / "programs"
RESTART_BACKOFF_SECONDS = 1.0
"""Nothing is learnt from waiting ten seconds for a container that fails on purpose."""


@pytest.fixture(scope="session")
def image_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plimsoll's two images as the Dockerfiles make them, and the tests' own programs."""
    scripts = {f"test/{path.stem.replace('_', '-')}:1": _program(path) for path in sorted(PROGRAMS.glob("*.py"))}
    images = {
        "plimsoll/operator:dev": _installed("plimsoll-operator", "run"),
        "plimsoll/operator:next": _installed("plimsoll-operator", "run"),
        "plimsoll/operator:older": _image(
            command=[sys.executable, "-c", "from plimsoll_operator.main import main; main()"],
            args=["run"],
            env={"PYTHONPATH": str(OLDER_OPERATOR)},
        ),
        "plimsoll/server:dev": _installed("plimsoll-server", "serve"),
        **scripts,
        # The same program under a newer name: what tells two renderings apart.
        "test/light-server:2": scripts["test/light-server:1"],
    }
    path = tmp_path_factory.mktemp("images") / "images.yaml"
    path.write_text(yaml.safe_dump({"images": images}))
    return path


@pytest.fixture(scope="session")
def sandbox(tools: Tools, image_map: Path, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    _take_down_what_was_left()
    sandbox = Sandbox(f"test-{os.getpid()}")
    nodes = [NodeGroup.parse(group) for group in NODES]
    try:
        sandbox.up(tools, Options(nodes, image_map, restart_backoff_seconds=RESTART_BACKOFF_SECONDS))
        yield sandbox
        assert refusals_in(sandbox.audit_log) == [], "an operator was refused what it asked for, as the audit log says"
    finally:
        sandbox.down(keep_logs=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The demo's model, trained when this machine does not have it yet."""
    return ensure_demo_model(model_cache())


@pytest.fixture(scope="session")
def three_texts(demo_model: Path) -> list[DemoText]:
    return demo_texts(demo_model, standard_library())


def _take_down_what_was_left() -> None:
    """A test run that was killed could not: its process is in the sandbox's name."""
    for folder in (plimsoll_home() / "sandboxes").glob("test-*"):
        process = folder.name.split("-")[1]
        if process.isdigit() and not Path("/proc", process).exists():
            Sandbox(folder.name).down()


def _installed(program: str, argument: str) -> Mapping[str, Any]:
    return _image(command=[str(Path(sys.executable).with_name(program))], args=[argument])


def _program(path: Path) -> Mapping[str, Any]:
    return _image(command=[sys.executable, str(path)], args=[])


def _image(command: list[str], args: list[str], env: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    # Pods share this machine's network, so each listens on its own address only.
    return {"command": command, "args": args, "env": {"PLIMSOLL_BIND_ADDRESS": "$(POD_IP)", **(env or {})}}
