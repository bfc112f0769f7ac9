"""What a comparison says of one thing that is different."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

#: Characters of one item that a sentence shows.
_LONGEST = 60


class Effect(Enum):
    """What a change means for those who verify."""

    #: Something may be accepted that was refused before.
    WEAKER = "weaker"
    #: Nothing is accepted that was refused before, and something is refused that was accepted.
    STRICTER = "stricter"
    #: As much is asked of the evidence as before.
    NEITHER = "neither"
    #: Both may be.
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is different.

    ``code`` says of which kind it is, ``place`` where (``step build``), ``what`` how it was and
    how it is, ``means`` what follows for the consumer. ``gone`` and ``came`` are what stood only
    in the old layout, and only in the new one.
    """

    code: str
    place: str
    what: str
    means: str
    effect: Effect
    gone: tuple[str, ...] = ()
    came: tuple[str, ...] = ()


def only(old: Iterable[str], new: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands only in ``old``, and only in ``new``, in order."""
    before, after = set(old), set(new)
    return tuple(sorted(before - after)), tuple(sorted(after - before))


def by_sets(gone: Collection[object], came: Collection[object]) -> Effect:
    """What it means where each item accepts more, and an item fewer accepts less."""
    if gone and came:
        return Effect.UNCLEAR
    return Effect.WEAKER if came else Effect.STRICTER


def told(noun: str, gone: Sequence[str], came: Sequence[str]) -> str:
    """Say of a set what came to it, and what is gone: ``has the parameter {X}``."""
    parts = []
    for word, items in (("has", came), ("has no longer", gone)):
        if items:
            shown = ", ".join(
                each if len(each) <= _LONGEST else each[:_LONGEST] + "…" for each in items
            )
            parts.append(f"{word} the {noun}{'s' if len(items) > 1 else ''} {shown}")
    return "; ".join(parts)
