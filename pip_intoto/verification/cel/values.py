"""Values: their types, how they compare, and the operators."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pip_intoto.verification.cel import library
from pip_intoto.verification.cel.work import Undecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.verification.cel.work import Value, Work


@dataclass(frozen=True, slots=True)
class Kind:
    """A type, as ``type(…)`` gives it and names such as ``string`` mean it."""

    name: str


def kind(value: Value) -> str:
    """The name of the type of ``value``."""
    # The order matters: a bool is an int to Python, and so is celpy's unsigned int.
    if value is None:
        return "null_type"
    for type_, name in _TYPES:
        if isinstance(value, type_):
            return name
    return "type"


_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (library.Unsigned, "uint"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "map"),
    (datetime, "timestamp"),
    (timedelta, "duration"),
)
KINDS = frozenset({"null_type", *(name for _, name in _TYPES)})


def number(value: Value) -> int | float | None:
    """A number as Python compares it: exactly, whatever its types."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else None


def _equal(left: Value, right: Value, work: Work) -> bool:
    """Values of different types are different, but for numbers; never an error."""
    work.spend()
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return one == other
    if kind(left) != kind(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _equal(a, b, work) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(
            key in right and _equal(value, right[key], work) for key, value in left.items()
        )
    work.read(left)
    return left == right


def _unequal(left: Value, right: Value, work: Work) -> bool:
    return not _equal(left, right, work)


def _in(item: Value, container: Value, work: Work) -> bool:
    if isinstance(container, dict):
        work.read(item)
        return isinstance(item, str) and item in container
    if isinstance(container, list):
        return any(_equal(item, one, work) for one in container)
    raise Undecided(f"{kind(container)} has no elements")


def _ordered(
    compare: Callable[[int | float, int | float], bool], symbol: str
) -> Callable[[Value, Value, Work], bool]:
    def ordered(left: Value, right: Value, work: Work) -> bool:
        one, other = number(left), number(right)
        if one is not None and other is not None:
            return compare(one, other)
        work.read(left)
        # -1, 0 or 1, so that one function serves all types that have an order.
        if isinstance(left, bool) and isinstance(right, bool):
            return compare(left, right)
        if isinstance(left, str) and isinstance(right, str):
            return compare((left > right) - (left < right), 0)
        if isinstance(left, bytes) and isinstance(right, bytes):
            return compare((left > right) - (left < right), 0)
        if isinstance(left, datetime) and isinstance(right, datetime):
            return compare((left > right) - (left < right), 0)
        if isinstance(left, timedelta) and isinstance(right, timedelta):
            return compare((left > right) - (left < right), 0)
        raise _no_such(symbol, left, right)

    return ordered


def _no_such(symbol: str, left: Value, right: Value) -> Undecided:
    return Undecided(f"there is no {kind(left)} {symbol} {kind(right)}")


def _joined(left: Value, right: Value, work: Work) -> Value:
    if isinstance(left, str) and isinstance(right, str):
        work.make(len(left) + len(right))
        return left + right
    if isinstance(left, bytes) and isinstance(right, bytes):
        work.make(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        work.make(len(left) + len(right))
        return left + right
    return _sum(left, right, work)


_INTEGERS = frozenset({("int", "int"), ("uint", "uint")})
_TIMES = {
    "+": {("timestamp", "duration"), ("duration", "timestamp"), ("duration", "duration")},
    "-": {("timestamp", "timestamp"), ("timestamp", "duration"), ("duration", "duration")},
}


def _arithmetic(
    symbol: str, of_floats: Callable[[float, float], float] | None
) -> Callable[[Value, Value, Work], Value]:
    kinds = _INTEGERS | _TIMES.get(symbol, set())
    function = library.function(f"_{symbol}_")

    def calculated(left: Value, right: Value, _work: Work) -> Value:
        if of_floats is not None and isinstance(left, float) and isinstance(right, float):
            return of_floats(left, right)
        if (kind(left), kind(right)) not in kinds:
            raise _no_such(symbol, left, right)
        return library.calculated(function, left, right)

    return calculated


def _quotient(left: float, right: float) -> float:
    if right:
        return left / right
    # IEEE 754, which CEL's doubles follow.
    return (
        math.nan
        if not left or math.isnan(left)
        else math.copysign(math.inf, left) * (math.copysign(1, right))
    )


def negative(value: Value) -> Value:
    """``-value``."""
    if isinstance(value, float):
        return -value
    if kind(value) != "int":
        raise Undecided(f"{kind(value)} has no negative")
    return library.calculated(operator.neg, value)


def truth(value: Value) -> bool:
    """``value`` where only true or false will do."""
    if not isinstance(value, bool):
        raise Undecided(f"{kind(value)} where true or false is needed")
    return value


def inverse(value: Value) -> bool:
    """``!value``."""
    return not truth(value)


_sum = _arithmetic("+", operator.add)
BINARY: dict[str, Callable[[Value, Value, Work], Value]] = {
    "relation_eq": _equal,
    "relation_ne": _unequal,
    "relation_in": _in,
    "relation_lt": _ordered(operator.lt, "<"),
    "relation_le": _ordered(operator.le, "<="),
    "relation_gt": _ordered(operator.gt, ">"),
    "relation_ge": _ordered(operator.ge, ">="),
    "addition_add": _joined,
    "addition_sub": _arithmetic("-", operator.sub),
    "multiplication_mul": _arithmetic("*", operator.mul),
    "multiplication_div": _arithmetic("/", _quotient),
    "multiplication_mod": _arithmetic("%", None),
}
