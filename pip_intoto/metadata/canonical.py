r"""OLPC canonical JSON: the bytes that the signatures of a Metablock cover.

C1: members sorted by code point, no whitespace, integers only, and in strings nothing escaped
but ``"`` and ``\\``. With control characters raw it is not JSON, but the standard library's
encoder comes within a few replacements of it, at more than twice the speed of one in Python.
"""

from __future__ import annotations

from json.encoder import JSONEncoder
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataMalformed
from pip_intoto.metadata.strict_json import levels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.metadata.artifacts import Uniform
    from pip_intoto.metadata.strict_json import JsonValue

_ENCODER = JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)
#: Stands for an escaped backslash while escapes are undone: UTF-8 never holds this byte.
_BACKSLASH = b"\xff"
_SHORT_ESCAPES = {rb"\n": b"\n", rb"\r": b"\r", rb"\t": b"\t", rb"\b": b"\b", rb"\f": b"\f"}
_LONG_ESCAPES = {rb"\u%04x" % code: b"%c" % code for code in range(32)}


def encode(value: JsonValue) -> bytes:
    """``value`` in canonical form, as UTF-8.

    Raises :class:`pip_intoto.errors.MetadataMalformed` for what has no canonical form: floats,
    and strings that are no text.
    """
    refuse_floats(value)
    return _as_bytes(_ENCODER.encode(value))


def encode_members(plain: Mapping[str, JsonValue], artifacts: Mapping[str, Uniform]) -> bytes:
    """The canonical form of the object that has the members of both, which share none.

    ``plain`` must have passed :func:`refuse_floats`. Raises as :func:`encode` does.
    """
    pieces: list[bytes] = []
    for name in sorted([*plain, *artifacts]):
        pieces += (b"," if pieces else b"{", _as_bytes(_ENCODER.encode(name)), b":")
        uniform = artifacts.get(name)
        # Each piece becomes bytes at once: the text of many artifacts is large.
        if uniform is not None:
            pieces.append(uniform.canonical().encode("utf-8"))
        else:
            pieces.append(_as_bytes(_ENCODER.encode(plain[name])))
    return b"".join([*pieces, b"}"]) if pieces else b"{}"


def _as_bytes(text: str) -> bytes:
    """The canonical form that ``text`` would be, but for the escapes in it."""
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError:
        raise MetadataMalformed("half a surrogate pair has no canonical form") from None
    # Most documents have their few escapes close together, in the byproducts.
    first = encoded.find(b"\\")
    if first < 0:
        return encoded
    end = encoded.rfind(b"\\") + len(rb"\u0000")
    return encoded[:first] + _without_escapes(encoded[first:end]) + encoded[end:]


def _without_escapes(text: bytes) -> bytes:
    """``text`` with control characters as they are; quotes and backslashes stay escaped."""
    text = text.replace(rb"\\", _BACKSLASH)
    # What begins with a backslash now is an escaped quote, which stays, or a control character.
    for escape, character in _SHORT_ESCAPES.items():
        text = text.replace(escape, character)
    if rb"\u" in text:
        for escape, character in _LONG_ESCAPES.items():
            text = text.replace(escape, character)
    return text.replace(_BACKSLASH, rb"\\")


def refuse_floats(value: JsonValue) -> None:
    """Raises :class:`pip_intoto.errors.MetadataMalformed` if there is a float in ``value``."""
    if any(float in kinds for kinds, _ in levels(value)):
        raise MetadataMalformed("a number that is no integer has no canonical form")
