"""Patterns of artifact rules: the glob(7) of the specification, as its implementations read it.

A pattern is matched against the whole name (P1), by code points (P5), always with case (P4).
``*`` and ``?`` stand for any characters, ``/`` and newlines included (P1, P7); ``[abc]``,
``[a-z]`` and ``[!a]`` for one; a backslash is a backslash (P6).

Most rules name one artifact, or everything, or a folder. These never reach a regular
expression; the others are compiled once (P8: the translation does not backtrack).
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pip_intoto.errors import LayoutFeatureUnsupported
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Callable

_SPECIAL = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, ready to match.

    ``literal`` is the one name it can match, or None; ``everything`` says that it is ``*``.
    ``length`` is how many characters each one of a name may be held against; 0 for what needs no
    regular expression.
    """

    matches: Callable[[str], object]
    literal: str | None = None
    everything: bool = False
    length: int = 0


def _always(_name: str) -> bool:
    return True


@lru_cache(maxsize=DEFAULT.pattern_cache)
def compile_pattern(text: str) -> Pattern:
    """Turn the text of a rule into a :class:`Pattern`.

    Raises :class:`LayoutFeatureUnsupported` for what an old Python cannot read.
    """
    special = _SPECIAL.search(text)
    if special is None:
        return Pattern(text.__eq__, literal=text)
    if text == "*":
        return Pattern(_always, everything=True)
    star = special.start()
    if text[star] == "*":
        head, tail = text[:star], text[star + 1 :]
        if not tail:
            return Pattern(_starts_with(head))
        if not head and _SPECIAL.search(tail) is None:
            return Pattern(_ends_with(tail))
    # P2, P3: `^` is literal, an unclosed `[` is literal, `[c-a]` matches nothing. This is what
    # the standard library's translation yields, and what layouts are written for.
    try:
        return Pattern(re.compile(fnmatch.translate(text)).match, length=len(text))
    except re.error as error:
        # `[c-a]`, before Python 3.10.6.
        raise LayoutFeatureUnsupported(
            "This Python cannot read a pattern of the layout", found=shown(text)
        ) from error


def _starts_with(head: str) -> Callable[[str], object]:
    return lambda name: name.startswith(head)


def _ends_with(tail: str) -> Callable[[str], object]:
    return lambda name: name.endswith(tail)


def escape(text: str) -> str:
    """Return the pattern that matches exactly ``text`` (Q3)."""
    return _SPECIAL.sub(r"[\g<0>]", text)


def literal_start_of_last_segment(text: str) -> str:
    """Return what every name matched by ``text`` has at the start of the pattern's last segment.

    The last segment is what follows the last ``/`` that is not inside brackets. The result ends
    at the first ``*``, ``?`` or ``[``.
    """
    start = 0
    position = 0
    while position < len(text):
        if text[position] == "[":
            position = _end_of_brackets(text, position)
        elif text[position] == "/":
            start = position + 1
        position += 1
    return literal_start(text[start:])


def literal_start(text: str) -> str:
    """Return what every name matched by ``text`` begins with: all before ``*``, ``?`` or ``[``."""
    special = _SPECIAL.search(text)
    return text if special is None else text[: special.start()]


def parts(text: str) -> tuple[str, ...]:
    """Split a pattern into what stands for one character each, and stars.

    A part is ``*``, ``?``, a whole set such as ``[a-z]``, or a character that is itself.
    """
    found = []
    position = 0
    while position < len(text):
        end = _end_of_brackets(text, position) if text[position] == "[" else position
        found.append(text[position : end + 1])
        position = end + 1
    return tuple(found)


def in_brackets(text: str) -> set[int]:
    """Return the places that lie between brackets, or after one that never closes."""
    places: set[int] = set()
    start = text.find("[")
    while start >= 0:
        end = _end_of_brackets(text, start)
        if end == start:
            end = len(text)
        places.update(range(start + 1, end))
        start = text.find("[", end)
    return places


def _end_of_brackets(text: str, start: int) -> int:
    """Return where the set that opens at ``start`` closes; ``start`` itself if it never does."""
    position = start + 1
    if text[position : position + 1] == "!":
        position += 1
    if text[position : position + 1] == "]":
        position += 1
    end = text.find("]", position)
    return start if end < 0 else end
