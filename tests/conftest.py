"""What holds for all tests: nothing is remembered between them and whoever runs them, and in
continuous integration a package registry that is away does not look like success.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def caches_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test, and what it starts, the caches of a user who has just come."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user-state"))


class RegistryWatch:
    """Counts the tests that need the registry, and fails a run in which all of them skipped."""

    def __init__(self) -> None:
        self._ran = 0
        self._skipped = 0

    @property
    def _all_skipped(self) -> bool:
        return bool(self._skipped and not self._ran)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of one result."""
        if "registry" in report.keywords:
            self._skipped += report.skipped
            self._ran += report.when == "call" and not report.skipped

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a run without any of them into a failure."""
        if self._all_skipped and not session.exitstatus:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        if self._all_skipped:
            terminalreporter.write_line(
                f"All {self._skipped} tests that need the package registry were skipped.", red=True
            )


def pytest_configure(config: pytest.Config) -> None:
    """Watch, where skipping must not go unnoticed; workers report to the main process."""
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(RegistryWatch())
