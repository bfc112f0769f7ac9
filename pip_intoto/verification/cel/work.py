"""What an evaluation may cost, and the ways in which it ends without a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

#: One of CEL's values: null, bool, int, celpy's unsigned int, float, str, bytes, list, dict with
#: text as its keys, celpy's timestamp and duration, and a type. Those of JSON are as they were
#: parsed, so that a large document costs nothing where nobody looks at it.
Value: TypeAlias = object

#: Characters that are gone through, or made, as fast as one operation.
CHARACTERS_A_STEP = 64


class NotAnExpression(Exception):
    """This is not CEL, or a part of it that is not supported."""


class Undecided(Exception):
    """There is no value. ``||`` and ``&&`` do without, where the other side decides."""


class Absent(Undecided):
    """What is asked for is not there."""


class TooCostly(Exception):
    """The evaluation takes more steps, or makes more, than is allowed. Nothing absorbs this."""


@dataclass(slots=True)
class Work:
    """What evaluation may still cost, and which scalars of the document it has looked at."""

    limits: Limits
    steps: int
    made: int
    seen: dict[str, Value] = field(default_factory=dict)
    #: patterns that were paid for
    patterns: set[str] = field(default_factory=set)

    def spend(self, steps: int = 1) -> None:
        """Pay for ``steps`` operations before they are carried out."""
        self.steps -= steps
        if self.steps < 0:
            raise TooCostly("takes too many steps")

    def read(self, *values: Value) -> None:
        """Pay for going through texts."""
        for value in values:
            if isinstance(value, (str, bytes)):
                self.spend(len(value) // CHARACTERS_A_STEP)

    def make(self, size: int) -> None:
        """Pay for a value of ``size`` characters or elements before it is made."""
        self.made -= size
        if self.made < 0:
            raise TooCostly("makes too much")
        self.spend(size // CHARACTERS_A_STEP)
