"""The conversation between gate and verifier: JSON lines over binary pipes, one object a line.

The gate is the other side of the same project, but not of the same installation: everything it
says is checked, and anything unexpected ends the conversation (and so blocks the install).
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, TypeAlias, Union

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Rises when a message changes in a way that the other side must know of.
PROTOCOL = 1

#: What a message may consist of.
Value: TypeAlias = Union[str, int, bool, "list[Value]", "dict[str, Value]", None]


class Garbage(Exception):
    """The gate said something that it never says."""


class Message:
    """One object from the gate, read member by member with the type that each must have."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members

    @classmethod
    def parse(cls, line: bytes) -> Message:
        """Read one line. Raises Garbage."""
        try:
            members = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Garbage(f"a line is not JSON: {error}") from error
        if not isinstance(members, dict):
            raise Garbage("a line is not an object")
        return cls(members)

    def text(self, name: str) -> str:
        """A string member. Raises Garbage."""
        value = self._members.get(name)
        if not isinstance(value, str):
            raise Garbage(f"{name!r} is not a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string member that may be null or absent. Raises Garbage."""
        return None if self._members.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        """An integer member. Raises Garbage."""
        value = self._members.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Garbage(f"{name!r} is not an integer")
        return value

    def optional_number(self, name: str) -> int | None:
        """An integer member that may be null or absent. Raises Garbage."""
        return None if self._members.get(name) is None else self.number(name)

    def flag(self, name: str) -> bool:
        """A boolean member; absent is false. Raises Garbage."""
        value = self._members.get(name, False)
        if not isinstance(value, bool):
            raise Garbage(f"{name!r} is not a boolean")
        return value

    def object(self, name: str) -> Message:
        """A member that is an object. Raises Garbage."""
        value = self._members.get(name)
        if not isinstance(value, dict):
            raise Garbage(f"{name!r} is not an object")
        return Message(value)


class Wire:
    """The two pipes, moved away from descriptors 0 and 1."""

    __slots__ = ("incoming", "outgoing")

    def __init__(self, incoming: int, outgoing: int) -> None:
        self.incoming = incoming
        self.outgoing = outgoing

    @classmethod
    def take(cls) -> Wire:
        """Move the pipes away, so that no stray print or read enters the protocol."""
        wire = cls(os.dup(0), os.dup(1))
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(wire.incoming, os.O_BINARY)
            msvcrt.setmode(wire.outgoing, os.O_BINARY)
        return wire

    def send(self, message: Mapping[str, Value]) -> None:
        """Write one line. Raises OSError when nobody reads any more."""
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        # Lone surrogates can come from file names; the line must be UTF-8 whatever they are.
        line = memoryview(text.encode("utf-8", "backslashreplace") + b"\n")
        while line:
            line = line[os.write(self.outgoing, line) :]
