"""A test that fails is named at once, and not only when a run of half an hour is over."""

from __future__ import annotations

import pytest


class ToldAtOnce:
    """A plugin of the process that prints; with several workers that is the one that started them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line("")  # the dots of the tests before it stand in this line
            terminal.write_line(f"{report.when} of {report.nodeid} failed: {_first_line(report)}", red=True)


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    return text.splitlines()[0][:200] if text else ""
