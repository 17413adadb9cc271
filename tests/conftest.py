"""What tests share: the sandbox's tools, and the chart under its Helm."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from helm_chart import Chart
from plimsoll_sandbox.toolchain import Tools, ensure_tools


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Built once where they are missing, which takes minutes and is shown."""
    return ensure_tools(Console(stderr=True))


@pytest.fixture(scope="session")
def chart(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(helm=tools.helm, home=Path(tmp_path_factory.mktemp("helm")))
