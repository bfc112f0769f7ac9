"""A bar on the terminal for work that takes long, and nothing for work that does not."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from pip_intoto.maintainer.progress import SILENT
from pip_intoto.reports.lines import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from pip_intoto.cli.terminal import Terminal
    from pip_intoto.maintainer.progress import Advance, Progress

#: Seconds after which somebody begins to wonder.
PATIENCE = 1.0


def progress_for(terminal: Terminal) -> Progress:
    """Bars on standard error when that is a terminal, unless the user wants it quiet."""
    stream = sys.stderr
    if terminal.quiet or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return SILENT
    return Bars(stream)


class Bars:
    """Draws one bar at a time, once its task has taken longer than :data:`PATIENCE`."""

    def __init__(self, stream: TextIO, patience: float = PATIENCE) -> None:
        self._stream = stream
        self._patience = patience

    @contextmanager
    def task(self, label: str, total: float | None = None) -> Iterator[Advance]:
        """Draw how far this task is, from when it takes long until it ends."""
        bar = _Bar(self._stream, printable(label), total, self._patience)
        try:
            yield bar.advance
        finally:
            bar.close()


class _Bar:
    def __init__(self, stream: TextIO, label: str, total: float | None, patience: float) -> None:
        self._stream = stream
        self._label = label
        self._total = total
        self._due = time.monotonic() + patience
        self._done = 0.0
        self._shown: tuple[RichProgress, TaskID] | None = None

    def advance(self, more: float) -> None:
        self._done += more
        now = time.monotonic()
        if now < self._due:
            return
        # The eye is content with a few pictures a second, and the work wants the time.
        self._due = now + 0.1
        if self._shown is None:
            self._shown = self._appear()
        bars, task = self._shown
        bars.update(task, completed=self._done)

    def close(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()

    def _appear(self) -> tuple[RichProgress, TaskID]:
        # Imported here because most work is done before anybody would look. rich knows NO_COLOR.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%" if self._total else "{task.completed:.0f}"),
            TimeRemainingColumn(),
            console=Console(file=self._stream, highlight=False),
            # It goes when the work is done: what remains to be said, the command says.
            transient=True,
        )
        task = bars.add_task(self._label, total=self._total)
        bars.start()
        return bars, task
