"""What two patterns have to do with each other: whether one takes all that the other could."""

from __future__ import annotations

from functools import lru_cache

from pip_intoto.verification.patterns import compile_pattern, parts

_ANY = "*"
_ONE = "?"


def covers(wide: str, narrow: str) -> bool:
    """Tell whether every name that ``narrow`` matches is matched by ``wide``, as far as is seen.

    True is certain. False may be wrong where stars of both overlap in ways that nobody writes.
    """
    if wide == narrow:
        return True
    a, b = _parts(wide), _parts(narrow)
    # A row says of each rest of `narrow` whether the rest of `wide` from here on covers it.
    below = [False] * len(b) + [True]
    for part in reversed(a):
        row = [False] * (len(b) + 1)
        for at in range(len(b), -1, -1):
            if part == _ANY:
                row[at] = below[at] or (at < len(b) and row[at + 1])
            elif at < len(b) and b[at] != _ANY:
                row[at] = below[at + 1] and _takes_all(part, b[at])
        below = row
    return below[0]


def meets(one: str, other: str) -> bool:
    """Tell whether there may be a name that both patterns match. False is certain."""
    a, b = _parts(one), _parts(other)
    # Behind the end of `one`, only stars of `other` may be left.
    below = [all(part == _ANY for part in b[at:]) for at in range(len(b) + 1)]
    for part in reversed(a):
        row = [False] * (len(b) + 1)
        for at in range(len(b), -1, -1):
            if part == _ANY:
                row[at] = below[at] or (at < len(b) and row[at + 1])
            elif at < len(b) and b[at] == _ANY:
                row[at] = row[at + 1] or below[at]
            elif at < len(b):
                row[at] = below[at + 1] and _may_share(part, b[at])
        below = row
    return below[0]


@lru_cache(maxsize=1024)
def _parts(text: str) -> tuple[str, ...]:
    found = parts(text)
    # Several stars in a row are one.
    return tuple(
        part for at, part in enumerate(found) if part != _ANY or found[at - 1 : at] != (_ANY,)
    )


def _is_set(part: str) -> bool:
    return len(part) > 1


def _takes_all(wide: str, narrow: str) -> bool:
    """Whether one part stands for every character that another does."""
    if wide in {_ONE, narrow}:
        return True
    if narrow == _ONE:
        return False
    if _is_set(narrow):
        members = _members(narrow)
        return bool(members) and all(_takes_all(wide, member) for member in members)
    return _is_set(wide) and bool(compile_pattern(wide).matches(narrow))


def _may_share(one: str, other: str) -> bool:
    """Whether there may be a character that both parts stand for."""
    if _ONE in {one, other} or one == other:
        return True
    if not _is_set(other):
        return _is_set(one) and bool(compile_pattern(one).matches(other))
    members = _members(other)
    return not members or any(_may_share(one, member) for member in members)


def _members(part: str) -> tuple[str, ...]:
    """The characters of a set that lists them; empty for what has ranges, or is the rest."""
    inner = part[1:-1]
    if inner.startswith("!") or "-" in inner[1:-1]:
        return ()
    return tuple(inner)
