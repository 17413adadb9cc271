"""What tests share: the sandbox's tools, the chart under its Helm, and a Redis."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from drawn_examples import same_each_time
from helm_chart import Chart
from plimsoll_sandbox.toolchain import Tools, ensure_tools
from redis_process import RedisProcess, running_redis
from told_at_once import ToldAtOnce

same_each_time()


def pytest_configure(config: pytest.Config) -> None:
    """Asked to end, end as on Ctrl-C: with every fixture taken down, the sandbox among them."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # one of several workers prints nothing itself
        config.pluginmanager.register(ToldAtOnce(config))


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Built once where they are missing, which takes minutes and is shown."""
    return ensure_tools(Console(stderr=True))


@pytest.fixture(scope="session")
def chart(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(helm=tools.helm, home=Path(tmp_path_factory.mktemp("helm")))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    """One for each test, empty."""
    with running_redis(tmp_path) as process:
        yield process
