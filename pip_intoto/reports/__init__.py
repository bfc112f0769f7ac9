"""Reports: one renderer a format. Each turns an :class:`~pip_intoto.account.Account` into text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pip_intoto.account import Account

#: The formats, and the modules that render them.
FORMATS = {
    "text": "text",
    "json": "machine",
    "sarif": "sarif",
    "junit": "junit",
    "markdown": "markdown",
    "html": "html",
}


class Renderer(Protocol):
    """What each module of this package offers."""

    def render(self, account: Account) -> str:
        """Render the account; the text ends with a newline."""
        ...


def renderer(name: str) -> Renderer:
    """Give the renderer of one of :data:`FORMATS`."""
    # Imported here for start-up time: a run has one report or two.
    return cast("Renderer", import_module(f"{__name__}.{FORMATS[name]}"))
