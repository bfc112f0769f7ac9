"""One reading of JSON, and no other: what two parsers could read differently is refused.

Size, depth and digits are bounded before anything is built. The checks work on whole documents
with a handful of C-speed passes, because a link may list tens of thousands of artifacts.
"""

from __future__ import annotations

import functools
import re
from itertools import chain
from json.decoder import JSONDecodeError, JSONDecoder
from math import isinf
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pip_intoto.limits import Limits

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"

_BOMS = (
    (b"\xef\xbb\xbf", "a byte order mark"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
#: Everything but quotes, brackets and colons; and braces become brackets on the way.
_UNSTRUCTURED = bytes(set(range(256)) - set(b'"[]{}:'))
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")


def parse(data: bytes, *, limits: Limits, max_bytes: int | None = None) -> JsonValue:
    """The value that ``data`` holds: UTF-8, without a byte order mark, one value, nothing after.

    Members must be unique, numbers finite, integers of at most ``limits.json_digits`` digits
    (``-0`` is read as a float, since no integer has a sign and no value), and strings without
    lone surrogates. ``max_bytes`` defaults to ``limits.document_bytes``.

    Raises :class:`pip_intoto.errors.MetadataMalformed`, or
    :class:`pip_intoto.errors.MetadataTooLarge` when a limit is passed.
    """
    if max_bytes is None:
        max_bytes = limits.document_bytes
    if len(data) > max_bytes:  # J4
        raise MetadataTooLarge(
            "this document is too large",
            expected=f"at most {max_bytes} bytes",
            found=f"{len(data)} bytes",
        )
    text = _text(data)
    members = _structure(data, limits.json_depth)
    try:
        value: JsonValue = _decoder(limits.json_digits, limits.json_float_text).decode(text)
    except JSONDecodeError as error:
        raise MetadataMalformed(
            f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}",
            expected="a JSON document",
            found=shown(text[error.pos :]) if error.pos < len(text) else "the end of the text",
            place=f"line {error.lineno} column {error.colno}",
        ) from None
    except RecursionError:
        raise _too_deep(limits.json_depth) from None
    # J3: a member that stands twice is seen once by this parser, and maybe another time by
    # another. As many colons as members means that none was lost.
    if _count_members(value) != members:
        _refuse_duplicate(text)
    # J5: only escapes can bring these in, since the bytes were UTF-8.
    if b"\\" in data and _SURROGATE_ESCAPE.search(data) is not None:
        _refuse_lone_surrogates(value)
    return value


def _text(data: bytes) -> str:
    # J1
    for bom, name in _BOMS:
        if data.startswith(bom):
            raise MetadataMalformed(
                "this is not plain UTF-8", expected="UTF-8 without a byte order mark", found=name
            )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MetadataMalformed("this is not UTF-8", place=f"byte {error.start}") from None


def _structure(data: bytes, max_depth: int) -> int:
    """How many members the document's objects have; refuses it when it nests too deeply.

    Both are read off the brackets and colons outside strings. As far as a parser gets in a
    document that is broken, this sees the same brackets: a stray backslash or quote, which would
    shift the view, is where parsers stop.
    """
    first = data.find(b"\\")
    if first >= 0:
        end = data.rfind(b"\\") + 2
        escaped = data[first:end].replace(b"\\\\", b"").replace(b'\\"', b"")
        data = data[:first] + escaped + data[end:]
    # Two quotes side by side enclose nothing of interest: most strings are gone with them.
    structure = data.translate(_ONE_BRACKET, _UNSTRUCTURED).replace(b'""', b"")
    outside = b"".join(structure.split(b'"')[::2])
    members = outside.count(b":")
    brackets = outside.replace(b":", b"")
    # Each pass takes away the innermost level, so that nothing is left after as many passes as
    # the document is deep.
    for _ in range(max_depth):
        if not brackets:
            return members
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            raise MetadataMalformed("this is not JSON: brackets or quotes do not pair up")
        brackets = inner
    if brackets:
        raise _too_deep(max_depth)
    return members


def _too_deep(max_depth: int) -> MetadataTooLarge:
    return MetadataTooLarge(
        "this document nests too deeply", expected=f"at most {max_depth} levels"
    )


@functools.lru_cache(maxsize=8)
def _decoder(max_digits: int, max_float_text: int) -> JSONDecoder:
    def integer(text: str) -> int | float:
        # "-0" is no integer in canonical JSON: whoever wants integers will refuse the float.
        if text == "-0":
            return -0.0
        if len(text) - text.startswith("-") > max_digits:
            raise MetadataTooLarge(
                "this number is too long",
                expected=f"at most {max_digits} digits",
                found=shown(text),
            )
        return int(text)

    def number(text: str) -> float:
        if len(text) > max_float_text:
            raise MetadataTooLarge(
                "this number is too long",
                expected=f"at most {max_float_text} characters",
                found=shown(text),
            )
        value = float(text)
        if isinf(value):
            raise MetadataMalformed("this number is too great for a float", found=shown(text))
        return value

    def constant(text: str) -> NoReturn:
        raise MetadataMalformed("this is not JSON: no finite number", found=text)  # J2

    return JSONDecoder(parse_int=_typed(integer), parse_float=number, parse_constant=constant)


def _typed(integer: Callable[[str], int | float]) -> Callable[[str], int]:
    # The decoder's annotations promise more of this hook than the decoder does.
    return integer  # type: ignore[return-value]


def _count_members(value: JsonValue) -> int:
    """How many members all objects in ``value`` have together."""
    return sum(sum(map(len, objects)) for _, objects in levels(value))


def levels(value: JsonValue) -> Iterator[tuple[set[type], list[dict[str, JsonValue]]]]:
    """The types of the values, and the objects, on each level of ``value``, the outermost first."""
    level: list[JsonValue] = [value]
    while level:
        inner: list[JsonValue] = []
        # Most levels hold values of one kind only, and the largest ones hold nothing but strings.
        kinds = set(map(type, level))
        objects = [each for each in level if type(each) is dict] if dict in kinds else []
        yield kinds, objects
        inner += chain.from_iterable(map(dict.values, objects))
        if list in kinds:
            inner += chain.from_iterable([each for each in level if type(each) is list])
        level = inner


def _refuse_duplicate(text: str) -> NoReturn:
    """Read again, slowly, to name the member that stands twice."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        seen: dict[str, object] = {}
        for name, value in pairs:
            if name in seen:
                raise MetadataMalformed("a member stands twice in one object", found=shown(name))
            seen[name] = value
        return seen

    JSONDecoder(object_pairs_hook=unique).decode(text)
    raise MetadataMalformed("a member stands twice in one object")


def _refuse_lone_surrogates(value: JsonValue) -> None:
    level: list[JsonValue] = [value]
    while level:
        inner: list[JsonValue] = []
        for each in level:
            if isinstance(each, str):
                if not _is_text(each):
                    raise MetadataMalformed("half a surrogate pair in a string", found=shown(each))
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, dict):
                inner += each
                inner += each.values()
        level = inner


def _is_text(string: str) -> bool:
    try:
        string.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
