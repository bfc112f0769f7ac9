"""Lockfiles as tables whose every value knows its line.

Tools write these files, so that keys which no reader asks for are passed over, and lines are looked
up where they are needed: a lock of many megabytes is parsed once, and its sections (one for each
project) are found by their headers alone.
"""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.distribution import Place
from pip_intoto.errors import LockfileInvalid, MetadataMalformed, MetadataTooLarge
from pip_intoto.limits import LOCAL
from pip_intoto.metadata import strict_json
from pip_intoto.policy.places import find_places
from pip_intoto.policy.tables import as_written, syntax_error

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pip_intoto.lockfiles.locked import Tree

#: The way to a value: keys, and the position in an array.
At: TypeAlias = "tuple[str | int, ...]"

_TOML_HEADER = re.compile(r"^[ \t]*(\[\[?)([^\[\]\n]+)\]\]?[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_TOML_KEY = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'|[^\s."\']+')
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s"\[\]{}:,]+', re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the text that belongs to one table: from ``start`` up to ``end``."""

    at: At
    start: int
    end: int
    line: int


class Document:
    """One lockfile, parsed. ``root`` is the table that the whole file is."""

    def __init__(self, path: Path, text: str, values: dict[str, object], syntax: _Syntax) -> None:
        self.path = path
        self.text = text
        self.syntax = syntax
        self.root = Entry(values, (), self)
        self._sections: dict[At, _Section] | None = None
        self._newlines: list[int] = []

    def line_of(self, at: At) -> int:
        """The line of a value, or of the nearest one above it that can be told."""
        section = self._section(at)
        within = self.syntax.lines_in(self.text[section.start : section.end])
        rest = at[len(section.at) :]
        while rest:
            if rest in within:
                return section.line + within[rest] - 1
            rest = rest[:-1]
        return section.line

    def section_line(self, at: At) -> int:
        """The line at which the section begins that a value is in."""
        return self._section(at).line

    def search(self, at: At) -> Search:
        """Search the section that a value is in, from its beginning."""
        section = self._section(at)
        return Search(self, section.start, section.end, section.line)

    def line_at(self, offset: int) -> int:
        """The line of a character."""
        if not self._newlines:
            self._newlines = [-1, *(match.start() for match in re.finditer("\n", self.text))]
        return bisect_right(self._newlines, offset - 1)

    def _section(self, at: At) -> _Section:
        if self._sections is None:
            self._sections = {}
            starts = self.syntax.sections(self.text)
            ends = [offset for _, offset in starts[1:]]
            for (key, start), end in zip(starts, [*ends, len(self.text)], strict=True):
                section = _Section(key, start, end, self.line_at(start))
                # A header opens the tables on the way to its own, too.
                for length in range(len(key), -1, -1):
                    if key[:length] in self._sections:
                        break
                    self._sections[key[:length]] = section
        while at not in self._sections:
            at = at[:-1]
        return self._sections[at]


class Search:
    """Finds values of one section in the order in which they stand there.

    What is out of order, or is written with escapes, has the line of what was found before: each
    character is looked at once, however many values there are.
    """

    def __init__(self, document: Document, start: int, end: int, line: int) -> None:
        self._document = document
        self._from, self._end, self._line = start, end, line

    def line_of(self, value: str) -> int:
        """The line of the next place where *value* stands."""
        found = self._document.text.find(value, self._from, self._end) if value else -1
        if found < 0:
            self._from = self._end
        else:
            self._line = self._document.line_at(found)
            self._from = found + len(value)
        return self._line


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a lock. What is not of the kind asked for raises LockfileInvalid."""

    value: object
    at: At
    document: Document

    @property
    def place(self) -> Place:
        """The file, and the line at which the value stands."""
        return Place(self.document.path, self.document.line_of(self.at))

    @property
    def section(self) -> Place:
        """The file, and the line at which the section begins that the value is in."""
        return Place(self.document.path, self.document.section_line(self.at))

    @property
    def key(self) -> str:
        """The last key on the way to the value; empty for the whole file."""
        return next((key for key in reversed(self.at) if isinstance(key, str)), "")

    def error(
        self, message: str, *, expected: str = "", found: str = "", advice: str = ""
    ) -> LockfileInvalid:
        """The error to raise about this value."""
        return LockfileInvalid(
            message, expected=expected, found=found, advice=advice, place=str(self.place)
        )

    def wrong_kind(self, expected: str) -> LockfileInvalid:
        """The error to raise about a value of another kind than *expected*."""
        what = f"`{self.key}`" if self.at else "the file"
        return self.error(
            f"{what} must be {expected}", expected=expected, found=as_written(self.value)
        )

    def table(self) -> dict[str, object]:
        """A table: keys and values."""
        if not isinstance(self.value, dict):
            raise self.wrong_kind(self.document.syntax.table)
        return self.value

    def members(self) -> Iterator[tuple[str, Entry]]:
        """The keys of a table, with their values."""
        for key, value in self.table().items():
            yield key, Entry(value, (*self.at, key), self.document)

    def get(self, key: str) -> Entry | None:
        """The value of a table's key, or None when it has none."""
        table = self.table()
        return Entry(table[key], (*self.at, key), self.document) if key in table else None

    def need(self, key: str) -> Entry:
        """The value of a key that a table must have."""
        value = self.get(key)
        if value is None:
            raise self.error(f"`{key}` is missing", expected=f"`{key}`")
        return value

    def elements(self) -> list[Entry]:
        """The elements of an array."""
        if not isinstance(self.value, list):
            raise self.wrong_kind("an array")
        return [
            Entry(value, (*self.at, index), self.document) for index, value in enumerate(self.value)
        ]

    def list(self, key: str) -> list[Entry]:
        """The elements of a table's array, which may be absent."""
        value = self.get(key)
        return [] if value is None else value.elements()

    def text(self) -> str:
        """A string on one line that says something."""
        if not isinstance(self.value, str):
            raise self.wrong_kind("a string")
        if not self.value.strip():
            raise self.error(f"`{self.key}` is empty")
        if not self.value.isprintable():
            raise self.error(f"`{self.key}` has line breaks or control characters in it")
        return self.value

    def text_of(self, key: str) -> str:
        """The string of a table's key; empty when it is not there."""
        value = self.get(key)
        return "" if value is None else value.text()

    def flag(self, key: str) -> bool:
        """The boolean of a table's key; False when it is not there."""
        value = self.get(key)
        if value is None:
            return False
        if not isinstance(value.value, bool):
            raise value.wrong_kind("a boolean")
        return value.value

    def count(self) -> int:
        """An integer, not below zero."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            raise self.wrong_kind("an integer, not below zero")
        return self.value

    def count_of(self, key: str) -> int | None:
        """The integer of a table's key; None when it is not there."""
        value = self.get(key)
        return None if value is None else value.count()


def read_toml(path: Path, tree: Tree) -> Document:
    """Read a lock in TOML. Raises LockfileInvalid, and CommandError when there is no such file."""
    text = _text(path, tree)
    try:
        values: dict[str, object] = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one, and so is a number of 5,000 digits
        message, line = syntax_error(str(error), text)
        raise LockfileInvalid(message, place=f"{path}:{line}") from None
    except RecursionError:
        raise LockfileInvalid("this is nested too deeply", place=f"{path}:1") from None
    return Document(path, text, values, TOML)


def read_json(path: Path, tree: Tree) -> Document:
    """Read a lock in JSON. Raises LockfileInvalid, and CommandError when there is no such file."""
    text = _text(path, tree)
    try:
        value = strict_json.parse(text.encode(), limits=LOCAL, max_bytes=LOCAL.lock_bytes)
    except (MetadataMalformed, MetadataTooLarge) as error:
        place = f"{path}:{_faulty_line(text)}"
        raise LockfileInvalid(
            error.message, expected=error.expected, found=error.found, place=place
        ) from None
    if not isinstance(value, dict):
        raise LockfileInvalid("the file must be an object", expected="an object", place=f"{path}:1")
    return Document(path, text, {**value}, JSON)


def _text(path: Path, tree: Tree) -> str:
    content = tree.read(path)
    if len(content) > LOCAL.lock_bytes:
        raise LockfileInvalid(
            "this lockfile is too large",
            expected=f"at most {LOCAL.lock_bytes} bytes",
            found=f"{len(content)} bytes",
            place=f"{path}:1",
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LockfileInvalid("this is not UTF-8 text", place=f"{path}:{line}") from None


# --- where things stand ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Syntax:
    """What TOML and JSON differ in, as far as places go.

    ``sections`` gives where each section begins, the whole file first; ``lines_in`` the lines of
    all values of one section, counted from 1, by the way to them from there.
    """

    table: str
    sections: Callable[[str], list[tuple[At, int]]]
    lines_in: Callable[[str], dict[At, int]]


def _toml_sections(text: str) -> list[tuple[At, int]]:
    sections: list[tuple[At, int]] = [((), 0)]
    if '"""' in text or "'''" in text:
        # What looks like a header may stand in a text of several lines. Tools write none.
        statements = find_places(text).statements
        return sections + [(each.path, each.start) for each in statements if each.is_header]
    counts: dict[At, int] = {}
    for match in _TOML_HEADER.finditer(text):
        keys = [key.strip("\"'") for key in _TOML_KEY.findall(match[2])]
        at: At = ()
        for key in keys[:-1]:
            at = (*at, key)
            if at in counts:
                at = (*at, counts[at])
        at = (*at, *keys[-1:])
        if match[1] == "[[":
            counts[at] = counts.get(at, -1) + 1
            at = (*at, counts[at])
        sections.append((at, match.start()))
    return sections


def _toml_lines(section: str) -> dict[At, int]:
    header = _TOML_HEADER.match(section)
    try:
        return find_places(section[header.end() :] if header else section).lines
    except (IndexError, ValueError, RecursionError):
        # A row of an array may look like a header, and then what is left is no TOML.
        return {}


def _json_sections(text: str) -> list[tuple[At, int]]:
    """The members of the whole, and of the objects in it."""
    return [((), 0), *((at, start) for at, start, _ in _json_places(text, deepest=2))]


def _json_lines(section: str) -> dict[At, int]:
    if not section.startswith('"'):
        return {}
    # It begins with its key, as if in an object of its own.
    places = _json_places("{" + section, deepest=LOCAL.json_depth)
    return {at[1:]: section.count("\n", 0, start) + 1 for at, start, _ in places}


def _json_places(text: str, deepest: int) -> Iterator[tuple[At, int, bool]]:
    """Where members and elements begin, and whether the object had such a member before."""
    opened: list[set[str] | None] = []  # the keys of objects; None for an array
    at: list[str | int] = []
    is_key_next = False
    for match in _JSON_TOKEN.finditer(text):
        word = match[0]
        keys = opened[-1] if opened else None
        if is_key_next and keys is not None and word.startswith('"'):
            is_key_next = False
            at[-1] = key = _unquoted(word)
            if len(at) <= deepest:
                yield tuple(at), match.start(), key in keys
            keys.add(key)
        elif word == ",":
            is_key_next = keys is not None
            if opened and keys is None:
                at[-1] = int(at[-1]) + 1
        elif word in {"}", "]"}:
            is_key_next = False
            if opened:
                opened.pop()
                at.pop()
        elif word != ":":
            if opened and keys is None and len(at) <= deepest:
                yield tuple(at), match.start(), False
            if word in {"{", "["}:
                is_key_next = word == "{"
                opened.append(set() if is_key_next else None)
                at.append("" if is_key_next else 0)


def _unquoted(word: str) -> str:
    try:
        return str(json.loads(word))
    except ValueError:
        return word


def _faulty_line(text: str) -> int:
    """The line at which a parser stops, or of a member that its object had before."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno
    except (ValueError, RecursionError):
        return 1
    places = _json_places(text, deepest=LOCAL.json_depth)
    repeated = next((offset for _, offset, again in places if again), 0)
    return text.count("\n", 0, repeated) + 1


TOML = _Syntax("a table", _toml_sections, _toml_lines)
JSON = _Syntax("an object", _json_sections, _json_lines)
