"""Bundles: many envelopes in one file of JSON Lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An envelope, where it came from, and the file name it has in the directory form.

    ``origin`` is a redacted address, with ``#line 3`` for the third line of a bundle. ``hint``
    (``build.1234abcd.link``, ``root.layout``, or empty) orders candidates and convinces nobody.
    """

    envelope: Envelope
    origin: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The documents of one file; ``skipped`` lines were none that is understood here.

    ``notes`` says of the first few skipped lines why.
    """

    documents: tuple[Document, ...]
    skipped: int
    notes: tuple[str, ...] = ()


def parse_bundle(data: bytes, *, origin: str, limits: Limits) -> Bundle:
    """The bundle in ``data``: order means nothing, byte-identical lines count once (A8).

    Raises :class:`pip_intoto.errors.MetadataMalformed` when this is no UTF-8 text, and
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    raise NotImplementedError


def write_bundle(lines: Iterable[tuple[str, bytes]]) -> bytes:
    """A bundle of ``(hint, envelope as JSON)`` pairs."""
    raise NotImplementedError
