"""Functions and methods that expressions may call."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pip_intoto.metadata.node import shown
from pip_intoto.verification.cel import library
from pip_intoto.verification.cel.values import Kind, kind, number, truth
from pip_intoto.verification.cel.work import TooCostly, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.verification.cel.work import Value, Work


def _size(_work: Work, value: Value) -> int:
    if not isinstance(value, (str, bytes, list, dict)):
        raise Undecided(f"{kind(value)} has no size")
    return len(value)


def _of_texts(
    name: str, function: Callable[[str, str], bool]
) -> Callable[[Work, Value, Value], bool]:
    def of_texts(work: Work, text: Value, part: Value) -> bool:
        if not isinstance(text, str) or not isinstance(part, str):
            raise Undecided(f"{name}(…) is of texts, and not of {kind(text)} and {kind(part)}")
        work.read(text, part)
        return function(text, part)

    return of_texts


def _matches(work: Work, text: Value, pattern: Value) -> bool:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise Undecided(f"matches(…) is of texts, and not of {kind(text)} and {kind(pattern)}")
    if len(pattern) > work.limits.condition_pattern:
        raise TooCostly("has a pattern that is too long")
    if pattern not in work.patterns:
        work.spend(_PATTERN)
    found, size = library.pattern(pattern)
    if pattern not in work.patterns:
        work.patterns.add(pattern)
        work.spend(size // _COMPILED_A_STEP)
    # As UTF-8 takes up to four bytes for a character.
    length = len(text) if text.isascii() else 4 * len(text)
    work.spend(length * size // _SEARCHED_A_STEP)
    return found(text)


# Measured, so that a step takes as long as any other (4 µs): for a pattern that is none, for
# instructions that are compiled, and for instructions times bytes that are searched.
_PATTERN = 100
_COMPILED_A_STEP = 16
_SEARCHED_A_STEP = 1024


# celpy's own patterns for durations take exponential time, it takes "now" for a time, and the
# numbers of Python for those of CEL. What passes these has one meaning.
_INT_TEXT = re.compile(r"-?[0-9]{1,19}")
_UINT_TEXT = re.compile(r"[0-9]{1,20}")
_DOUBLE_TEXT = re.compile(r"-?[0-9]{1,24}(?:\.[0-9]{1,24})?(?:[eE][+-]?[0-9]{1,3})?")
_TIME_TEXT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION_TEXT = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h)){1,6}")


def _number_made(
    made: Callable[[Value], Value], text: re.Pattern[str]
) -> Callable[[Work, Value], Value]:
    def converted(_work: Work, value: Value) -> Value:
        if isinstance(value, str) and text.fullmatch(value) is None:
            raise Undecided(f"{shown(value)} is no number")
        if kind(value) not in {"int", "uint", "double", "string", "timestamp"}:
            raise Undecided(f"{kind(value)} is no number")
        return library.calculated(made, value)

    return converted


def _double(_work: Work, value: Value) -> float:
    if isinstance(value, str) and _DOUBLE_TEXT.fullmatch(value) is not None:
        return _finite(float(value))
    plain = number(value)
    if plain is None:
        raise Undecided(f"{shown(value) if isinstance(value, str) else kind(value)} is no number")
    return float(plain)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise Undecided("a number is out of range")
    return number


def _string(work: Work, value: Value) -> str:
    if isinstance(value, (str, bytes)):
        work.make(len(value))
        try:
            return value if isinstance(value, str) else value.decode()
        except UnicodeDecodeError:
            raise Undecided("these bytes are no text") from None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (int, float, datetime, timedelta)):
        raise Undecided(f"{kind(value)} is no text")
    return str(value)


def _bytes(work: Work, value: Value) -> bytes:
    if not isinstance(value, (str, bytes)):
        raise Undecided(f"{kind(value)} cannot be bytes")
    work.make(len(value))
    return value.encode() if isinstance(value, str) else value


def _bool(_work: Work, value: Value) -> bool:
    if value in ("true", "false"):
        return value == "true"
    return truth(value)


def _time(
    made: Callable[..., Value], text: re.Pattern[str], name: str
) -> Callable[[Work, Value], Value]:
    def converted(_work: Work, value: Value) -> Value:
        if kind(value) == name:
            return value
        if not isinstance(value, str) or text.fullmatch(value) is None:
            raise Undecided(
                f"{shown(value) if isinstance(value, str) else kind(value)} is no {name}"
            )
        return library.calculated(made, value)

    return converted


def _type(_work: Work, value: Value) -> Kind:
    return Kind(kind(value))


def _as_it_is(_work: Work, value: Value) -> Value:
    return value


def _part_of_time(name: str, *, of_durations: bool) -> Callable[[Work, Value], Value]:
    function = library.function(name)

    def part(_work: Work, value: Value) -> Value:
        if kind(value) != "timestamp" and not (of_durations and kind(value) == "duration"):
            raise Undecided(f"{kind(value)} has no {name}()")
        return library.calculated(function, value)

    return part


#: Name → function, and how many values it takes.
FUNCTIONS: dict[str, tuple[Callable[..., Value], int]] = {
    "size": (_size, 1),
    "type": (_type, 1),
    "dyn": (_as_it_is, 1),
    "matches": (_matches, 2),
    "int": (_number_made(library.Whole, _INT_TEXT), 1),
    "uint": (_number_made(library.Unsigned, _UINT_TEXT), 1),
    "double": (_double, 1),
    "string": (_string, 1),
    "bytes": (_bytes, 1),
    "bool": (_bool, 1),
    "timestamp": (_time(library.Timestamp, _TIME_TEXT, "timestamp"), 1),
    "duration": (_time(library.Duration, _DURATION_TEXT, "duration"), 1),
}
#: The value before the dot counts. Time zones other than UTC are those of the machine: none here.
METHODS: dict[str, tuple[Callable[..., Value], int]] = {
    "size": (_size, 1),
    "matches": (_matches, 2),
    "contains": (_of_texts("contains", str.__contains__), 2),
    "startsWith": (_of_texts("startsWith", str.startswith), 2),
    "endsWith": (_of_texts("endsWith", str.endswith), 2),
    **{
        name: (_part_of_time(name, of_durations=False), 1)
        for name in (
            "getFullYear",
            "getMonth",
            "getDate",
            "getDayOfMonth",
            "getDayOfWeek",
            "getDayOfYear",
            "getMilliseconds",
        )
    },
    **{
        name: (_part_of_time(name, of_durations=True), 1)
        for name in ("getHours", "getMinutes", "getSeconds")
    },
}
