"""The index in a process of its own: it shares no interpreter lock with what is measured."""

from __future__ import annotations

import contextlib
import multiprocessing
from typing import TYPE_CHECKING

from tests.integration import loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    #: Puts files and faults into an index. Module-level, because another process calls it.
    Fill = Callable[[loopback.Index], None]


@contextlib.contextmanager
def serving(fill: Fill) -> Iterator[str]:
    """Start an index that *fill* has filled; give the URL for ``--index-url``."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, fill), daemon=True)
    process.start()
    # Closed here, so that the end of the child ends the wait below.
    theirs.close()
    try:
        yield str(ours.recv())
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, fill: Fill) -> None:
    with loopback.serving() as index:
        fill(index)
        pipe.send(index.simple)
        with contextlib.suppress(EOFError):
            pipe.recv()
