"""One reading of JSON, and no other: what two parsers could read differently is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pip_intoto.limits import Limits

JsonValue: TypeAlias = (
    "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
)


def parse(data: bytes, *, limits: Limits, max_bytes: int | None = None) -> JsonValue:
    """The value that ``data`` holds."""
    raise NotImplementedError
