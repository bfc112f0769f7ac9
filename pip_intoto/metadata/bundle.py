"""Bundles: many envelopes in one file of JSON Lines."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
#: Members that only documents have that Sigstore signed.
_OF_SIGSTORE = frozenset({"verificationMaterial", "verification_material", "attestation_bundles"})
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
            if not _is_of_sigstore(node):
                envelope = read_envelope(
                    node, sha256=sha256, of_statement=of_statements, limits=limits
                )
                documents.append(
                    Document(envelope=envelope, origin=where, hint=_hint(node), data=document)
                )
                continue
            found = _attested(node, document, origin=where, limits=limits)
        except (MetadataMalformed, MetadataTooLarge) as error:
            found = Bundle(documents=(), skipped=1, notes=(f"{where}: {error}",))
        documents += found.documents
        skipped += found.skipped
        notes += found.notes[: _NOTES - len(notes)]
    return Bundle(documents=tuple(documents), skipped=skipped, notes=tuple(notes))


def documents_in(data: bytes, *, origin: str, limits: Limits) -> Bundle:
    """Give the documents in ``data``, whatever it is: one document, or many.

    That is an envelope, a Sigstore bundle, an attestation or provenance object (PEP 740), over as
    many lines as it likes, or JSON Lines of these. Raises as :func:`parse_bundle` does.
    """
    if b"\n" in data.strip() and len(data) <= limits.document_bytes:
        with suppress(MetadataMalformed, MetadataTooLarge):
            node = Node(strict_json.parse(data, limits=limits))
            # On one line it would be one of JSON Lines: so it is read as such.
            return _whole(node, data, origin=origin, limits=limits)
    if b"\n" in data.strip():
        return parse_bundle(data, origin=origin, limits=limits)
    # There are no lines to speak of.
    found = parse_bundle(data.strip(), origin=origin, limits=limits)
    line = f"{origin}#line 1"
    return Bundle(
        documents=tuple(
            replace(each, origin=origin + each.origin[len(line) :]) for each in found.documents
        ),
        skipped=found.skipped,
        notes=found.notes,
    )


def _is_of_sigstore(node: Node) -> bool:
    """Tell whether it is a bundle of Sigstore, an attestation object, or a provenance object."""
    return isinstance(node.value, dict) and not _OF_SIGSTORE.isdisjoint(node.value)


def _whole(node: Node, data: bytes, *, origin: str, limits: Limits) -> Bundle:
    """Read one document that takes more than one line."""
    try:
        if _is_of_sigstore(node):
            return _attested(node, data, origin=origin, limits=limits)
        envelope = read_envelope(node, sha256=hashlib.sha256(data).hexdigest(), limits=limits)
    except (MetadataMalformed, MetadataTooLarge) as error:
        return Bundle(documents=(), skipped=1, notes=(f"{origin}: {error}",))
    document = Document(envelope=envelope, origin=origin, hint=_hint(node), data=data)
    return Bundle(documents=(document,), skipped=0)


def _attested(node: Node, data: bytes, *, origin: str, limits: Limits) -> Bundle:
    """Read what Sigstore signed, parsed from ``data``: one attestation, or several.

    A8: those that cannot be read are skipped. Raises as :func:`read_attestations` does.
    """
    # Imported here for start-up time: classic evidence has none.
    from pip_intoto.metadata.sigstore import read_attestations, read_attested

    documents: list[Document] = []
    notes: list[str] = []
    skipped = 0
    for attestation, name in read_attestations(node, limits):
        where = f"{origin}#{name}" if name else origin
        # One of several has no bytes of its own but those that it would have alone.
        own = (
            json.dumps(attestation.value, sort_keys=True, separators=(",", ":")).encode()
            if name
            else data
        )
        try:
            envelope = read_attested(
                attestation, sha256=hashlib.sha256(own).hexdigest(), limits=limits
            )
        except (MetadataMalformed, MetadataTooLarge) as error:
            skipped += 1
            if len(notes) < _NOTES:
                notes.append(f"{where}: {error}")
            continue
        documents.append(Document(envelope=envelope, origin=where, data=own))
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
