"""Envelopes, DSSE and Metablock: what was signed, and by whom allegedly (section 4.1, ITE-5)."""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pip_intoto.errors import MetadataMalformed, MetadataTooLarge
from pip_intoto.metadata import canonical, strict_json
from pip_intoto.metadata.artifacts import Uniform
from pip_intoto.metadata.certificates import parse_signer
from pip_intoto.metadata.layout import Layout, parse_layout
from pip_intoto.metadata.link import Link, parse_link
from pip_intoto.metadata.node import Node, shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.openpgp import Headers
    from pip_intoto.metadata.statement import Statement
    from pip_intoto.metadata.strict_json import JsonValue

#: E4: the only payload type that carries layouts and links. Statements have it too: which of them
#: a payload is, its ``_type`` says, and no reader takes one for another.
PAYLOAD_TYPE = "application/vnd.in-toto+json"
#: A1: "``payloadType`` MUST be set to ``application/vnd.in-toto.<predicate>+json`` or to
#: ``application/vnd.in-toto+json``" for statements.
_STATEMENT_TYPE = re.compile(r"application/vnd\.in-toto(\.[A-Za-z0-9_-]{1,64})?\+json")
#: What the ``_type`` of a statement begins with, whatever its version.
_STATEMENTS = "https://in-toto.io/Statement/"

_LETTERS_AND_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_STANDARD = _LETTERS_AND_DIGITS + b"+/"
_URL_SAFE = _LETTERS_AND_DIGITS + b"-_"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_LONGEST_PADDING = 2
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


#: More bytes than this are not kept twice.
_LARGE = 4 * 1024 * 1024
#: So many artifacts take a while to bring into canonical form.
_MANY = 10_000


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature; ``keyid`` is a hint, and empty when the envelope gives none (E7).

    ``certificate`` is what the signer sent along to be known by (X1): PEM, not looked into.
    ``openpgp`` is what an OpenPGP signature, and no other, covers besides the document (K6).
    """

    keyid: str
    value: bytes
    certificate: str = field(default="", repr=False)
    openpgp: Headers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """The object that a Metablock signs, its materials and products taken out where uniform."""

    members: dict[str, JsonValue]
    uniform: dict[str, Uniform]


class Content:
    """What was signed of an envelope: equal for all copies, whoever signed them, and in order.

    Only where the beginning does not decide are digests of the whole made, which takes time.
    """

    __slots__ = ("_beginning", "_envelope")

    def __init__(self, envelope: Envelope, beginning: bytes) -> None:
        self._envelope = envelope
        self._beginning = beginning

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Content) or self._beginning != other._beginning:
            return False
        return self._envelope is other._envelope or self._digest() == other._digest()

    def __lt__(self, other: Content) -> bool:
        if self._beginning != other._beginning:
            return self._beginning < other._beginning
        return self._envelope is not other._envelope and self._digest() < other._digest()

    def __hash__(self) -> int:
        return hash(self._beginning)

    def _digest(self) -> bytes:
        return self._envelope._signed_digest  # noqa: SLF001 - theirs to share, in this module alone


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """A document as received, nothing of it believed.

    ``sha256`` (lower-case hex) is over the document as received. ``notes`` says which signature
    entries were skipped, and why (V4).
    """

    kind: Literal["dsse", "metablock"]
    payload_type: str
    signatures: tuple[Signature, ...]
    sha256: str
    notes: tuple[str, ...] = ()
    #: The Sigstore bundle that it came in, as JSON (media type v0.3), for who can check it.
    sigstore: bytes = field(default=b"", repr=False, compare=False)
    _payload: bytes | _Signed = field(repr=False, compare=False)

    @property
    def signed(self) -> bytes:
        """What the signatures cover: the PAE of a DSSE envelope, a Metablock's canonical JSON.

        Made anew each time where it is large, since it is as large as the document.
        """
        if not self._kept:
            signed = self._make_signed()
            if len(signed) > _LARGE:
                return signed
            self._kept.append(signed)
        return self._kept[0]

    @cached_property
    def _kept(self) -> list[bytes]:
        """What was signed, once it was made, unless it is large."""
        return []

    def _make_signed(self) -> bytes:
        payload = self._payload
        if isinstance(payload, bytes):
            return pre_authentication_encoding(self.payload_type, payload)
        # E2: over what was received, not over what was understood of it.
        return canonical.encode_members(payload.members, payload.uniform)

    @cached_property
    def content(self) -> Content:
        """What was signed, to be compared."""
        payload = self._payload
        if isinstance(payload, bytes):
            return Content(self, payload)
        if sum(map(len, payload.uniform.values())) < _MANY:
            return Content(self, self.signed)
        # Artifacts are nearly all of such a link, and its other members tell it from most others.
        return Content(self, canonical.encode_members(payload.members, {}))

    @cached_property
    def _signed_digest(self) -> bytes:
        return hashlib.sha256(self.signed).digest()

    @property
    def may_be_layout(self) -> bool:
        """False when no reader could find a layout in it; nothing is concluded from True.

        L1: a layout says so in its ``_type``. A payload that was not parsed yet (E5), and holds
        neither that word nor a JSON escape that could spell it, is no layout.
        """
        payload = self._payload
        if isinstance(payload, bytes):
            if self.payload_type != PAYLOAD_TYPE:
                return False
            return b"layout" in payload or (b"\\" in payload and b"\\u" in payload)
        return payload.members.get("_type") == "layout"


def pre_authentication_encoding(payload_type: str, body: bytes) -> bytes:
    """What a DSSE signature covers."""
    # E5: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body; both lengths count bytes.
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def parse_envelope(data: bytes, *, of_statement: bool = False, limits: Limits) -> Envelope:
    """The envelope in ``data``; see :func:`read_envelope`.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    return read_envelope(
        Node(strict_json.parse(data, limits=limits)),
        sha256=hashlib.sha256(data).hexdigest(),
        of_statement=of_statement,
        limits=limits,
    )


def read_envelope(
    node: Node, *, sha256: str, of_statement: bool = False, limits: Limits
) -> Envelope:
    """The envelope in ``node``, parsed from a document with the digest ``sha256``.

    One ``of_statement`` is DSSE. Raises as :func:`parse_envelope` does.
    """
    # E1: a payload makes it DSSE, and one that is bad is never passed over for "signed".
    if node.optional("payload") is not None:
        return _dsse(node, sha256, limits)
    if node.optional("signed") is not None and not of_statement:
        return _metablock(node, sha256, limits)
    raise node.malformed(
        "this is no in-toto envelope",
        expected='an object with the member "payload" (DSSE)'
        + ("" if of_statement else ' or "signed" (Metablock)'),
        found=shown(node.value),
    )


def _dsse(node: Node, sha256: str, limits: Limits) -> Envelope:
    payload_type = node.member("payloadType")
    kind = payload_type.string()
    # E4, A1
    if not _STATEMENT_TYPE.fullmatch(kind):
        raise payload_type.malformed(
            "this envelope carries nothing of in-toto", expected=PAYLOAD_TYPE, found=shown(kind)
        )
    encoded = node.member("payload")
    payload = decode_base64(encoded.string())
    if payload is None:
        raise encoded.malformed("this is not base64")
    signatures, notes = _signatures(node.member("signatures"), limits, is_dsse=True)
    return Envelope(
        kind="dsse",
        payload_type=kind,
        signatures=signatures,
        sha256=sha256,
        notes=notes,
        _payload=payload,
    )


def _metablock(node: Node, sha256: str, limits: Limits) -> Envelope:
    signed = node.member("signed").mapping()
    signatures, notes = _signatures(node.member("signatures"), limits, is_dsse=False)
    uniform = {
        side: artifacts
        for side in ("materials", "products")
        if (artifacts := Uniform.of(signed.get(side))) is not None
    }
    members = {name: value for name, value in signed.items() if name not in uniform}
    # C1: what has no canonical form is refused now, and not when a signature is checked.
    canonical.refuse_floats(members)
    return Envelope(
        kind="metablock",
        payload_type="",
        signatures=signatures,
        sha256=sha256,
        notes=notes,
        _payload=_Signed(members=members, uniform=uniform),
    )


def _signatures(
    node: Node, limits: Limits, *, is_dsse: bool
) -> tuple[tuple[Signature, ...], tuple[str, ...]]:
    """Signatures that can be checked, and a note for each that cannot (V4)."""
    count = len(node.sequence())
    if count > limits.signatures:
        raise MetadataTooLarge(
            "this document has too many signatures",
            expected=f"at most {limits.signatures}",
            found=str(count),
            place=node.place,
        )
    signatures: list[Signature] = []
    notes: list[str] = []
    for element in node.elements():
        try:
            signatures.append(_signature(element, limits, is_dsse=is_dsse))
        except MetadataMalformed as error:
            notes.append(str(error))
    return tuple(signatures), tuple(notes)


def _signature(node: Node, limits: Limits, *, is_dsse: bool) -> Signature:
    headers = node.optional("other_headers")
    # K6: "signature {keyid, signature, other_headers}"; securesystemslib's own signer calls the
    # second one "sig", as every other signature does.
    has_old_name = headers is not None and not is_dsse and node.optional("sig") is None
    sig = node.member("signature" if has_old_name else "sig")
    text = sig.string()
    value = decode_base64(text) if is_dsse else _from_hex(text)
    if not value:
        raise sig.malformed(
            "this is no signature",
            expected="base64" if is_dsse else "hex digits",
            found=shown(text),
        )
    # E7: the keyid is a hint, which may be missing.
    keyid = node.optional("keyid")
    is_hint = keyid is not None and isinstance(keyid.value, str) and len(keyid.value) <= limits.text
    return Signature(
        keyid=keyid.string() if keyid is not None and is_hint else "",
        value=value,
        certificate=parse_signer(node, limits),
        openpgp=None if headers is None else _openpgp(headers, limits),
    )


def _openpgp(node: Node, limits: Limits) -> Headers:
    # Imported here for start-up time: few documents have such signatures.
    from pip_intoto.metadata import openpgp

    return openpgp.headers(node, limits)


def _from_hex(text: str) -> bytes | None:
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def decode_base64(text: str) -> bytes | None:
    """What ``text`` encodes; None when it is no base64."""
    # E3: "either standard or URL-safe encoding is allowed"; the padding may be left out.
    if not text.isascii():
        return None
    encoded = text.encode()
    digits = encoded.rstrip(b"=")
    padding = len(encoded) - len(digits)
    is_padded_wrongly = padding and (padding > _LONGEST_PADDING or len(encoded) % 4)
    if is_padded_wrongly or len(digits) % 4 == 1:
        return None
    if digits.translate(None, _STANDARD):
        # One alphabet or the other, not both.
        if digits.translate(None, _URL_SAFE):
            return None
        digits = digits.translate(_TO_STANDARD)
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def read_payload(envelope: Envelope, *, limits: Limits) -> Layout | Link:
    """The document inside; to be called only after one of the signatures verified (E5).

    Raises :class:`pip_intoto.errors.MetadataMalformed`,
    :class:`pip_intoto.errors.MetadataTooLarge` or
    :class:`pip_intoto.errors.LayoutFeatureUnsupported`.
    """
    read = read_evidence(envelope, limits=limits)
    if isinstance(read, (Layout, Link)):
        return read
    # L1
    raise read.node.member("_type").malformed(
        "this is neither a layout nor a link",
        expected='"layout" or "link"',
        found="a statement",
    )


def read_evidence(envelope: Envelope, *, limits: Limits) -> Layout | Link | Statement:
    """The document inside, whichever it is; see :func:`read_payload`."""
    node, uniform = _opened(envelope, limits)
    kind = node.member("_type")
    # E4: "payloadType MUST be exactly application/vnd.in-toto+json" for layouts and links.
    if kind.string() in {"layout", "link"} and envelope.payload_type not in {"", PAYLOAD_TYPE}:
        raise MetadataMalformed(
            f"this envelope carries no {kind.string()}",
            expected=PAYLOAD_TYPE,
            found=shown(envelope.payload_type),
            place="payloadType",
        )
    if kind.string() == "layout":
        return parse_layout(node, limits)
    if kind.string() == "link":
        return parse_link(node, limits, uniform)
    if envelope.kind == "dsse" and kind.string().startswith(_STATEMENTS):
        # Imported here for start-up time: classic evidence has no statements.
        from pip_intoto.metadata.statement import parse_statement

        return parse_statement(node, limits)
    # L1
    raise kind.malformed(
        "this is neither a layout nor a link",
        expected='"layout" or "link"',
        found=shown(kind.value),
    )


def read_statement(envelope: Envelope, *, limits: Limits) -> Statement:
    """The statement inside; to be called only after one of the signatures verified (A2, E5).

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    # Imported here for start-up time: the gate's verifier reads no statements.
    from pip_intoto.metadata.statement import parse_statement

    return parse_statement(_opened(envelope, limits)[0], limits)


def _opened(envelope: Envelope, limits: Limits) -> tuple[Node, dict[str, Uniform]]:
    """The payload, and the materials and products that were taken out of it."""
    payload = envelope._payload  # noqa: SLF001 - ours, kept from everyone else
    if isinstance(payload, bytes):
        return Node(strict_json.parse(payload, limits=limits)), {}
    return Node(payload.members, "signed"), payload.uniform
