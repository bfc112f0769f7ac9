"""How wide text is in a font of fixed width, and how it is cut and broken to fit."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How wide a character of fixed width is at most, for one unit of the font's size.
MONO = 0.61


def columns(text: str) -> int:
    """How many columns ``text`` takes: wide characters of East Asia take two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, with an ellipsis where some of it is gone."""
    return text if columns(text) <= width else text[: cut_at(text, width - 1)] + "…"


def cut_at(text: str, width: int) -> int:
    """How many characters of ``text`` fit, at least one."""
    taken = 0
    for count, character in enumerate(text):
        taken += columns(character)
        if taken > width:
            return max(count, 1)
    return len(text)


def break_at(text: str, width: int) -> int:
    """Where to break ``text``: behind a space, a slash or a dash, if one comes late enough."""
    end = cut_at(text, width)
    return next((place for sign in " /-" if (place := text.rfind(sign, end // 2, end) + 1)), end)


def broken(text: str, width: int) -> Iterator[str]:
    """``text`` in lines of at most ``width`` columns."""
    while columns(text) > width:
        end = break_at(text, width)
        yield text[:end].rstrip(" ")
        text = text[end:].lstrip(" ")
    yield text
