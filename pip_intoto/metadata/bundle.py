"""Bundles: many envelopes in one file of JSON Lines."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.envelope import read_envelope
from pip_intoto.metadata.names import is_normal_artifact_name
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.envelope import Envelope

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
#: Skipped lines that a bundle says more about than their number.
_NOTES = 8
_HINT = re.compile(r"[^\x00-\x1f\x7f\\]{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An envelope, where it came from, and the file name it has in the directory form.

    ``origin`` is a redacted address, with ``#line 3`` for the third line of a bundle. ``hint``
    (``build.1234abcd.link``, ``root.layout``, or empty) orders candidates and convinces nobody.
    ``data`` is the document as received, where somebody may want to pass it on.
    """

    envelope: Envelope
    origin: str
    hint: str = ""
    data: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The documents of one file; ``skipped`` lines were none that is understood here.

    ``notes`` says of the first few skipped lines why.
    """

    documents: tuple[Document, ...]
    skipped: int
    notes: tuple[str, ...] = ()


def parse_bundle(
    data: bytes, *, origin: str, of_statements: bool = False, limits: Limits
) -> Bundle:
    """The bundle in ``data``; ``origin`` says where it came from, without secrets.

    A8: lines that are no layout's or link's envelope (no statement's, where it is one
    ``of_statements``) are skipped and counted, order means nothing, and byte-identical lines count
    once. Raises
    :class:`pip_intoto.errors.MetadataMalformed` when ``data`` is not UTF-8 at all, and
    :class:`pip_intoto.errors.MetadataTooLarge` when it is over ``limits.bundle_bytes`` or
    ``limits.bundle_lines``.
    """
    if len(data) > limits.bundle_bytes:
        raise _too_large("bytes", limits.bundle_bytes, len(data))
    if data.startswith(_BOMS):
        # J1: else the first line alone would be lost without a word.
        raise MetadataMalformed(
            "this is not plain UTF-8", expected="UTF-8 without a byte order mark", place=origin
        )
    count = data.count(b"\n") + 1
    if count > limits.bundle_lines:
        raise _too_large("lines", limits.bundle_lines, count)
    documents: list[Document] = []
    notes: list[str] = []
    skipped = 0
    seen: set[str] = set()
    for number, line in enumerate(data.split(b"\n"), start=1):
        document = line.strip(b" \t\r")
        sha256 = hashlib.sha256(document).hexdigest()
        if not document or sha256 in seen:
            continue
        seen.add(sha256)
        where = f"{origin}#line {number}"
        try:
            node = Node(strict_json.parse(document, limits=limits))
            envelope = read_envelope(node, sha256=sha256, of_statement=of_statements, limits=limits)
        except (MetadataMalformed, MetadataTooLarge) as error:
            skipped += 1
            if len(notes) < _NOTES:
                notes.append(f"{where}: {error}")
            continue
        documents.append(Document(envelope=envelope, origin=where, hint=_hint(node), data=document))
    return Bundle(documents=tuple(documents), skipped=skipped, notes=tuple(notes))


def _too_large(what: str, most: int, found: int) -> MetadataTooLarge:
    return MetadataTooLarge(
        f"this bundle has too many {what}", expected=f"at most {most}", found=str(found)
    )


def _hint(node: Node) -> str:
    """The unsigned member "name", as long as it could be a file name of the directory form."""
    name = node.optional("name")
    if name is None or not isinstance(name.value, str) or not _HINT.fullmatch(name.value):
        return ""
    return name.value if is_normal_artifact_name(name.value) else ""
