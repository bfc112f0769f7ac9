"""OLPC canonical JSON: the bytes that the signatures of a Metablock cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue


def encode(value: JsonValue) -> bytes:
    """``value`` in canonical form, as UTF-8."""
    raise NotImplementedError
