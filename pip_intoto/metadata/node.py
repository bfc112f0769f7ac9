"""A JSON value that knows its place in the document, so that every error can say where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataMalformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.metadata.strict_json import JsonValue

_SHOWN = 80
_PLAIN_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def shown(value: object) -> str:
    """``value`` for a message: short, on one line, without control or invisible characters."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


class Node:
    """One value of a parsed document, and where it stands: ``steps[2].expected_products[0]``.

    Each method that wants a type raises :class:`pip_intoto.errors.MetadataMalformed` when the
    value is of another.
    """

    __slots__ = ("_above", "_step", "value")

    def __init__(self, value: JsonValue, place: str = "") -> None:
        self.value = value
        self._above: Node | None = None
        #: The name or index below the node above; without one, the whole place.
        self._step: str | int = place

    @property
    def place(self) -> str:
        """Where the value stands; put together only when an error asks for it."""
        if self._above is None:
            return str(self._step)
        above = self._above.place
        if isinstance(self._step, int):
            return f"{above}[{self._step}]"
        if not _PLAIN_MEMBER.fullmatch(self._step):
            return f"{above}[{shown(self._step)}]"
        return f"{above}.{self._step}" if above else self._step

    def malformed(self, message: str, *, expected: str = "", found: str = "") -> MetadataMalformed:
        """The error to raise about this value."""
        return MetadataMalformed(message, expected=expected, found=found, place=self.place)

    def mapping(self) -> dict[str, JsonValue]:
        """The value, which must be an object."""
        if not isinstance(self.value, dict):
            raise self._wanted("an object")
        return self.value

    def sequence(self) -> list[JsonValue]:
        """The value, which must be a list."""
        if not isinstance(self.value, list):
            raise self._wanted("a list")
        return self.value

    def string(self, *, longest: int | None = None) -> str:
        """The value, which must be a string of at most ``longest`` characters."""
        if not isinstance(self.value, str):
            raise self._wanted("a string")
        if longest is not None and len(self.value) > longest:
            raise self.malformed(
                "this text is too long",
                expected=f"at most {longest} characters",
                found=f"{len(self.value)} characters",
            )
        return self.value

    def integer(self) -> int:
        """The value, which must be an integer; ``true`` and ``1.0`` are none."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._wanted("an integer")
        return self.value

    def strings(self, *, longest: int | None = None) -> tuple[str, ...]:
        """The value, which must be a list of strings."""
        words = [word for word in self.sequence() if type(word) is str]
        if len(words) == len(self.sequence()) and (
            longest is None or max(map(len, words), default=0) <= longest
        ):
            return tuple(words)
        # One of them is wrong: look at each, to say which.
        return tuple(element.string(longest=longest) for element in self.elements())

    def member(self, name: str) -> Node:
        """The member ``name`` of this object; it must be there."""
        found = self.optional(name)
        if found is None:
            raise self.malformed(f"the member {name!r} is missing")
        return found

    def optional(self, name: str) -> Node | None:
        """The member ``name`` of this object, or None when it has none (``null`` is a value)."""
        value = self.mapping()
        return self.inner(name, value[name]) if name in value else None

    def inner(self, name: str, value: JsonValue) -> Node:
        """``value``, standing where the member ``name`` of this object would."""
        return self._below(value, name)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Names and values of this object's members."""
        for name, value in self.mapping().items():
            yield name, self.inner(name, value)

    def elements(self) -> Iterator[Node]:
        """The elements of this list."""
        for index, value in enumerate(self.sequence()):
            yield self._below(value, index)

    def _below(self, value: JsonValue, step: str | int) -> Node:
        node = Node(value)
        node._above = self
        node._step = step
        return node

    def _wanted(self, what: str) -> MetadataMalformed:
        return self.malformed(f"this must be {what}", expected=what, found=shown(self.value))
