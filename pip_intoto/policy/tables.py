"""TOML files that people write: every value knows its place, so that every error names the line.

What is read here is checked by whoever reads it; the words that a table may have, and the class of
the errors, are theirs as well.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from pip_intoto.policy.places import find_places
from pip_intoto.policy.vocabulary import nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pip_intoto.errors import PipIntotoError
    from pip_intoto.policy import places as toml
    from pip_intoto.policy.places import Places

_BOM = b"\xef\xbb\xbf"
#: Longer values are not quoted in messages.
_SHORT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a file is, for the errors about it.

    ``noun`` is its name in messages, ``example`` a line that such a file may have. ``tables`` says
    where each key belongs, in words, and ``reserved`` are keys that will mean something one day.
    """

    noun: str
    example: str
    error: type[PipIntotoError]
    #: What is raised for what is not TOML.
    syntax: type[PipIntotoError]
    tables: tuple[tuple[str, tuple[str, ...]], ...]
    reserved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of some kind, at a path that its errors begin with."""

    kind: Kind
    path: Path
    places: Places = field(repr=False)


def parse(content: bytes, path: Path, kind: Kind) -> Table:
    """The table that the whole file is. Raises the error of its kind."""
    the_file = f"the {kind.noun}"
    if content.startswith(_BOM):
        raise kind.error(
            f"{the_file} begins with a byte order mark",
            advice="Save it as UTF-8 without a byte order mark.",
            place=f"{path}:1",
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise kind.error(
            f"{the_file} is not UTF-8 text", advice="Save it as UTF-8.", place=f"{path}:{line}"
        ) from None
    try:
        values: dict[str, object] = tomllib.loads(text)
        places = find_places(text)
    except ValueError as error:  # TOMLDecodeError is one, and so is a number of 5,000 digits
        message, line = syntax_error(str(error), text)
        raise kind.syntax(
            message,
            # By far the most frequent mistake.
            advice=f"Text stands in quotes, as in `{kind.example}`."
            if "invalid value" in message and not message.endswith("at the end")
            else "",
            place=f"{path}:{line}",
        ) from None
    except RecursionError:
        raise kind.error(f"{the_file} is nested too deeply", place=str(path)) from None
    return Table(values, (), File(kind=kind, path=path, places=places), the_file)


def syntax_error(message: str, text: str) -> tuple[str, int]:
    """Put what the parser says of a text in words of our own; the line apart."""
    line = text.rstrip().count("\n") + 1
    where = re.search(r" \(at line (\d+), column (\d+)\)", message)
    if where is not None:
        message, line = message.replace(where[0], f" (column {where[2]})"), int(where[1])
    message = message.replace(" (at end of document)", ", at the end")
    return f"this is not TOML: {message[:1].lower()}{message[1:]}", line


def _kind(value: object) -> str:
    """What a value is, in the words of TOML."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, datetime):
        return "a date with a time"
    names: tuple[tuple[type, str], ...] = (
        (str, "a string"),
        (int, "an integer"),
        (float, "a float"),
        (date, "a date"),
        (list, "an array"),
        (dict, "a table"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "a time")


def as_written(value: object) -> str:
    """A short value as it could stand in the file; otherwise what kind it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str) and len(value) <= _SHORT:
        return f'"{value}"'
    return _kind(value)


@dataclass(frozen=True, slots=True)
class Value:
    """A value with its place in the file, for errors that name the line.

    All methods that want something of it raise the error of the file's kind.
    """

    value: object
    at: toml.Path
    file: File

    @property
    def line(self) -> int:
        """Where it begins, counted from 1."""
        return self.file.places.line_of(self.at)

    @property
    def place(self) -> str:
        """The file and the line, as errors give them."""
        return f"{self.file.path}:{self.line}"

    @property
    def key(self) -> str:
        """The last key on the way to the value."""
        return next((key for key in reversed(self.at) if isinstance(key, str)), "")

    def error(
        self, message: str, *, expected: str = "", found: str = "", advice: str = ""
    ) -> PipIntotoError:
        """The error to raise about this value."""
        return self.file.kind.error(
            message, expected=expected, found=found, advice=advice, place=self.place
        )

    def wrong_kind(self, expected: str, advice: str = "") -> PipIntotoError:
        """The error to raise about a value of another type than ``expected``."""
        return self.error(
            f"`{self.key}` must be {expected}",
            expected=expected,
            found=as_written(self.value),
            advice=advice,
        )

    def text(self) -> str:
        """A string that says something, on one line."""
        if not isinstance(self.value, str):
            raise self.wrong_kind("a string")
        if not self.value.strip():
            raise self.error(f"`{self.key}` is empty", advice="Fill it in, or remove the key.")
        if not self.value.isprintable():
            raise self.error(f"`{self.key}` has line breaks or control characters in it")
        return self.value

    def integer(self) -> int:
        """An integer, which ``true`` is not."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.wrong_kind("an integer")
        return self.value

    def choice(self, choices: Sequence[str]) -> str:
        """One of ``choices``."""
        expected = " | ".join(choices)
        if not isinstance(self.value, str) or self.value not in choices:
            near = nearest(str(self.value), choices)
            raise self.error(
                f"`{self.key}` cannot be {as_written(self.value)}",
                expected=expected,
                advice=f'Did you mean "{near}"?' if near else "",
            )
        return self.value

    def array(self, of: str) -> tuple[Value, ...]:
        """The elements of an array."""
        if not isinstance(self.value, list):
            advice = ""
            if isinstance(self.value, str):
                advice = f'Write {self.key} = ["{self.value}"].'
            raise self.wrong_kind(f"an array of {of}", advice)
        return tuple(
            Value(element, (*self.at, index), self.file) for index, element in enumerate(self.value)
        )

    def elements(self, of: str) -> tuple[Value, ...]:
        """The elements of an array that has any."""
        elements = self.array(of)
        if not elements:
            raise self.error(
                f"`{self.key}` is an empty array", advice="Fill it in, or remove the key."
            )
        return elements

    def table(self, name: str, known: Sequence[str]) -> Table:
        """A table that has no other keys than the known ones."""
        if not isinstance(self.value, dict):
            raise self.wrong_kind("a table")
        table = Table(self.value, self.at, self.file, name)
        table.refuse_unknown(known)
        return table


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file; its methods raise the error of the file's kind."""

    values: Mapping[str, object]
    at: toml.Path
    file: File
    #: As messages call it: ``[[project]] demo``.
    name: str

    @property
    def whole(self) -> Value:
        """The table as a value."""
        return Value(self.values, self.at, self.file)

    @property
    def line(self) -> int:
        """Where it begins, counted from 1."""
        return self.whole.line

    def called(self, name: str) -> Table:
        """The same table, which messages call ``name``."""
        return Table(self.values, self.at, self.file, name)

    def get(self, key: str) -> Value | None:
        """The value of a key, or None when it has none."""
        if key not in self.values:
            return None
        return Value(self.values[key], (*self.at, key), self.file)

    def need(self, key: str, advice: str) -> Value:
        """The value of a key that must be there."""
        value = self.get(key)
        if value is None:
            raise self.whole.error(f"{self.name} lacks `{key}`", advice=advice)
        return value

    def text(self, key: str) -> str:
        """The text of a key; empty when it is not there."""
        value = self.get(key)
        return "" if value is None else value.text()

    def tables(self, key: str, of: str) -> tuple[Value, ...]:
        """The elements of an array of tables, which may be absent."""
        value = self.get(key)
        if value is None:
            return ()
        if isinstance(value.value, dict):
            raise value.error(
                f"`{key}` must be an array of tables",
                advice=f"Write [[{key}]] with two brackets: there can be several {of}.",
            )
        if not isinstance(value.value, list):
            raise value.wrong_kind("an array of tables", f"Write [[{key}]] on a line of its own.")
        return () if not value.value else value.elements("tables")

    def check_version(self) -> None:
        """The file's ``version`` must be the one that is understood here."""
        noun = self.file.kind.noun
        value = self.need("version", "Write `version = 1` at the top.")
        if value.value is True or value.value != 1 or not isinstance(value.value, int):
            is_later = isinstance(value.value, int) and value.value > 1
            raise value.error(
                f"this {noun} is written for a later pip-intoto"
                if is_later
                else f"`version` cannot be {as_written(value.value)}",
                expected="version = 1",
                found=f"version = {as_written(value.value)}",
                advice="Upgrade pip-intoto." if is_later else "Write `version = 1`.",
            )

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Every key must be one of ``known``."""
        for key in self.values:
            if key not in known:
                raise self._unknown(key, known)

    def _unknown(self, key: str, known: Sequence[str]) -> PipIntotoError:
        kind = self.file.kind
        place = Value(self.values[key], (*self.at, key), self.file)
        if key in kind.reserved:
            return place.error(
                f"`{key}` in {self.name} is reserved for a later version of pip-intoto",
                advice="Remove it: this version would not heed it.",
            )
        home = next((name for name, keys in kind.tables if key in keys and keys is not known), None)
        near = nearest(key, known)
        if home is not None:
            advice = f"`{key}` belongs {home}."
        elif near:
            advice = f"Did you mean `{near}`?"
        else:
            advice = "Remove it."
        return place.error(
            f"unknown key `{key}` in {self.name}",
            expected=", ".join(known),
            found=key,
            advice=advice,
        )
