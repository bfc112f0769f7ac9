"""Envelopes, DSSE and Metablock: what was signed, and by whom allegedly (section 4.1, ITE-5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.link import Link
    from pip_intoto.metadata.strict_json import JsonValue

#: E4: the only payload type that carries layouts and links.
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature; ``keyid`` is a hint, and empty when the envelope gives none (E7)."""

    keyid: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A document as received, nothing of it believed.

    ``signed`` is what the signatures cover: the PAE of a DSSE envelope, the canonical JSON of a
    Metablock. ``sha256`` (lower-case hex) is over the document as received. ``notes`` says which
    signature entries were skipped, and why (V4).
    """

    kind: Literal["dsse", "metablock"]
    payload_type: str
    signatures: tuple[Signature, ...]
    signed: bytes = field(repr=False)
    sha256: str
    notes: tuple[str, ...] = ()
    _payload: bytes | dict[str, JsonValue] = field(repr=False, compare=False)


def parse_envelope(data: bytes, *, limits: Limits) -> Envelope:
    """The envelope in ``data``.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    raise NotImplementedError


def read_payload(envelope: Envelope, *, limits: Limits) -> Layout | Link:
    """The document inside; to be called only after one of the signatures verified (E5).

    Raises :class:`pip_intoto.errors.MetadataMalformed`,
    :class:`pip_intoto.errors.MetadataTooLarge` or
    :class:`pip_intoto.errors.LayoutFeatureUnsupported`.
    """
    raise NotImplementedError
