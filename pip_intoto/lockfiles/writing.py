"""Who vouches for each project, written into a ``pylock.toml`` that is otherwise left as it is.

The file is changed as text: comments, order and spelling stay as the tool that made the lock left
them. What comes of it is read back and compared before anybody writes it.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError, LockfileInvalid
from pip_intoto.lockfiles.pylock import KIND, TOOL
from pip_intoto.metadata.identities import PARTS
from pip_intoto.metadata.publishers import publisher_of
from pip_intoto.policy import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pip_intoto.lockfiles.locked import Recorded
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.policy.places import Statement

_PUBLISHERS = "attestation-identities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What a lock is to say of who vouches for one package: all of it.

    Only identities that PEP 740 has a kind of publisher for can be in ``attested_by``.
    """

    attested_by: tuple[Identity, ...] = ()
    recorded: Recorded | None = None


def lines_of(content: bytes, path: Path) -> dict[int, int]:
    """The position of each package in a lock, by the line that it begins in.

    Raises CommandError where several begin in one.
    """
    table = tables.parse(content, path, KIND)
    packages = table.values.get("packages")
    count = len(packages) if isinstance(packages, list) else 0
    found = {table.file.places.line_of(("packages", index)): index for index in range(count)}
    if len(found) < count:
        raise _unlike(path)
    return found


def rewritten(content: bytes, path: Path, vouched: Mapping[int, Vouched]) -> bytes:
    """The lock with what it is to say of the packages at these positions.

    What it says already is left as it is. Raises CommandError where the text is not laid out as
    one table for each package, and LockfileInvalid for what is no lock.
    """
    table = tables.parse(content, path, KIND)
    text = content.decode()
    newline = "\r\n" if "\r\n" in text else "\n"
    statements = table.file.places.statements
    by_package: dict[int, list[Statement]] = {}
    for each in statements:
        if each.path[0] == "packages" and len(each.path) > 1 and isinstance(each.path[1], int):
            by_package.setdefault(each.path[1], []).append(each)
    wanted = deepcopy(dict(table.values))
    packages = wanted.get("packages")
    changes: list[tuple[int, int, str]] = []
    for index, new in vouched.items():
        if not isinstance(packages, list) or not 0 <= index < len(packages):
            raise _unlike(path)
        if _put(packages[index], new):
            changes += _changes(text, by_package.get(index, ()), new, newline, path)
    for start, end, replacement in sorted(changes, reverse=True):
        text = text[:start] + replacement + text[end:]
    after = text.encode()
    try:
        is_as_wanted = tables.parse(after, path, KIND).values == wanted
    except LockfileInvalid:
        is_as_wanted = False
    if not is_as_wanted:
        raise _unlike(path)
    return after


# --- as values ----------------------------------------------------------------------------------


def _put(package: dict[str, object], new: Vouched) -> bool:
    """Make a package say it; False where it does already."""
    before = deepcopy(package)
    package.pop(_PUBLISHERS, None)
    if new.attested_by:
        package[_PUBLISHERS] = _publishers(new.attested_by)
    tool = package.get("tool")
    tool = dict(tool) if isinstance(tool, dict) else {}
    tool.pop(TOOL, None)
    if new.recorded is not None:
        tool[TOOL] = _table(new.recorded)
    package.pop("tool", None)
    if tool:
        package["tool"] = tool
    return package != before


def _publishers(identities: Iterable[Identity]) -> list[dict[str, str]]:
    return [found for each in identities if (found := publisher_of(each)) is not None]


def _table(recorded: Recorded) -> dict[str, object]:
    table: dict[str, object] = {"version": recorded.version}
    if recorded.identities:
        table["identities"] = [
            {part: said for part in PARTS if (said := getattr(each, part))}
            for each in recorded.identities
        ]
    if recorded.layout_keys:
        table["layout-keys"] = list(recorded.layout_keys)
    return table


# --- as text ------------------------------------------------------------------------------------


def _changes(
    text: str, statements: Sequence[Statement], new: Vouched, newline: str, path: Path
) -> list[tuple[int, int, str]]:
    """What to take out of the text of one package, and what to put behind it."""
    if not statements or not statements[0].is_header:
        raise _unlike(path)
    left = [each for each in statements if not _is_ours(each)]
    removed = [
        (_with_blank_lines_before(text, each), each.end, "")
        for each in statements
        if _is_ours(each)
    ]
    written = newline.join(_written(new))
    if not written:
        return removed
    end = max(each.end for each in left)
    begin = "" if text[:end].endswith("\n") else newline
    return [*removed, (end, end, f"{begin}{newline}{written}{newline}")]


def _is_ours(statement: Statement) -> bool:
    below = statement.path[2:]
    return below[:1] == (_PUBLISHERS,) or below[:2] == ("tool", TOOL)


def _with_blank_lines_before(text: str, statement: Statement) -> int:
    start = statement.start
    while statement.is_header:
        line = text.rfind("\n", 0, max(start - 1, 0)) + 1
        if line == start or text[line:start].strip():
            break
        start = line
    return start


def _written(new: Vouched) -> list[str]:
    lines: list[str] = []
    for publisher in _publishers(new.attested_by):
        lines += [f"[[packages.{_PUBLISHERS}]]"]
        lines += [f"{key} = {_string(value)}" for key, value in publisher.items()]
        lines += [""]
    if new.recorded is not None:
        lines += [f"[packages.tool.{TOOL}]", f"version = {_string(new.recorded.version)}"]
        if new.recorded.identities:
            lines += ["identities = ["]
            for each in new.recorded.identities:
                said = ((part, getattr(each, part)) for part in PARTS)
                inside = ", ".join(f"{part} = {_string(value)}" for part, value in said if value)
                lines += [f"    {{ {inside} }},"]
            lines += ["]"]
        if new.recorded.layout_keys:
            keys = ", ".join(map(_string, new.recorded.layout_keys))
            lines += [f"layout-keys = [{keys}]"]
        lines += [""]
    return lines[:-1]


def _string(text: str) -> str:
    # What is read from locks and certificates is printable, and JSON's strings are then TOML's.
    return json.dumps(text, ensure_ascii=False)


def _unlike(path: Path) -> CommandError:
    return CommandError(
        f"{path} is not laid out as other tools lay it out, and nothing was changed",
        expected="a [[packages]] of its own for each package, with tables in brackets below it",
        advice="Have the tool that wrote the lock write it again.",
    )
