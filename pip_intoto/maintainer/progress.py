"""How far long work has come: the work says so, and somebody else may draw it.

The work never knows whether anybody looks. :data:`SILENT` is for when nobody does.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

#: Called with how much more is done, in the units of the total: 1 for a file, 0.1 for a tenth.
Advance: TypeAlias = "Callable[[float], None]"


class Progress(Protocol):
    """Who is told how far something has come."""

    def task(self, label: str, total: float | None = None) -> AbstractContextManager[Advance]:
        """Begin something that takes a while; ``total`` is None when nobody knows how long.

        The end of the context is the end of the work, however it ended.
        """


class _Silent:
    def task(
        self,
        label: str,  # noqa: ARG002  # the protocol's names
        total: float | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[Advance]:
        return nullcontext(_nothing)


def _nothing(_more: float) -> None:
    pass


SILENT: Progress = _Silent()
"""Nobody looks."""
