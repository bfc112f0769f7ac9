"""Where in the text of a TOML file each key stands, and which lines a table takes.

The values come from the TOML parser of the standard library, which forgets where it found them.
This module reads the same text once more for the places alone: for messages that name a line, and
for edits that leave comments and order as they are. It relies on the parser having accepted the
text.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TypeAlias

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The way to a value: keys, and the position in an array.
Path: TypeAlias = tuple[str | int, ...]

#: Blanks and comments, any number of them.
_BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*")
_BARE_KEY = re.compile(r"[^ \t.=\]]*")
_BARE_ENDS = ",]}#\n"


@dataclass(frozen=True, slots=True)
class Statement:
    """A table header, or a key with its value: where it begins and where its last line ends.

    ``start`` is the offset of the first line's beginning, ``end`` is behind the last line's
    newline. ``line`` counts from 1.
    """

    path: Path
    is_header: bool
    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class Places:
    """The statements of one file, in order, and the line of every value."""

    statements: tuple[Statement, ...]
    lines: dict[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of the value, or of the nearest one above it; 1 where there is none."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return 1


def find_places(text: str) -> Places:
    """Read the places of all statements of a valid TOML document."""
    reader = _Reader(text)
    reader.read()
    return Places(tuple(reader.statements), reader.lines)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.statements: list[Statement] = []
        self.lines: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}
        self._counted_to = 0
        self._line = 1

    def read(self) -> None:
        table: Path = ()
        while self._skip_to_statement():
            start = self.text.rfind("\n", 0, self.at) + 1
            line = self._line_here()
            is_header = self.text[self.at] == "["
            if is_header:
                table = path = self._header()
                self._record(path, 0, line)
            else:
                path = table + self._keys()
                self._record(path, len(table), line)
                self.at += 1  # the equals sign
                self._value(path)
            newline = self.text.find("\n", self.at)
            self.at = len(self.text) if newline < 0 else newline + 1
            self.statements.append(Statement(path, is_header, start, self.at, line))

    def _record(self, path: Path, above: int, line: int) -> None:
        """Give a value its line, and the tables that are opened on the way to it."""
        for length in range(above + 1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line

    def _skip_to_statement(self) -> bool:
        """Step over blanks and comments; False at the end of the text."""
        self.at = self._behind(_BLANK)
        return self.at < len(self.text)

    def _behind(self, pattern: re.Pattern[str]) -> int:
        """The end of what matches here; it may be nothing."""
        found = pattern.match(self.text, self.at)
        return self.at if found is None else found.end()

    def _header(self) -> Path:
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        keys = self._keys()
        path: Path = ()
        for key in keys[:-1]:
            path += (key,)
            if path in self._arrays:
                path += (self._arrays[path],)
        path += (keys[-1],)
        if is_array:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            path += (self._arrays[path],)
        return path

    def _keys(self) -> Path:
        """Read a key, dotted or not, up to the character behind it."""
        keys: list[str] = []
        while True:
            self._skip_to_statement()
            start = self.at
            if self.text[start] in "\"'":
                self._string()
                keys.append(str(tomllib.loads("key = " + self.text[start : self.at])["key"]))
            else:
                self.at = self._behind(_BARE_KEY)
                keys.append(self.text[start : self.at])
            self._skip_to_statement()
            if self.text[self.at] != ".":
                return tuple(keys)
            self.at += 1

    def _value(self, path: Path) -> None:
        self._skip_to_statement()
        self.lines.setdefault(path, self._line_here())
        character = self.text[self.at]
        if character in "\"'":
            self._string()
        elif character == "[":
            self._array(path)
        elif character == "{":
            self._inline_table(path)
        else:
            while self.at < len(self.text) and self.text[self.at] not in _BARE_ENDS:
                self.at += 1

    def _string(self) -> None:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            self.at = self._end_of(quote * 3, self.at + 3)
            # Up to two quotes may stand right before the closing three.
            while self.text.startswith(quote, self.at):
                self.at += 1
        else:
            self.at = self._end_of(quote, self.at + 1)

    def _end_of(self, quotes: str, at: int) -> int:
        end = self.text.index(quotes, at)
        while quotes[0] == '"' and (escape := self.text.find("\\", at, end)) >= 0:
            at = escape + 2
            if at > end:  # what looked like the end was escaped
                end = self.text.index(quotes, at)
        return end + len(quotes)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while True:
            self._skip_to_statement()
            character = self.text[self.at]
            if character == "]":
                self.at += 1
                return
            if character == ",":
                self.at += 1
                continue
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while True:
            self._skip_to_statement()
            character = self.text[self.at]
            if character == "}":
                self.at += 1
                return
            if character == ",":
                self.at += 1
                continue
            line = self._line_here()
            keys = self._keys()
            self._record(path + keys, len(path), line)
            self.at += 1
            self._value(path + keys)
