"""What a place gave: documents, and an account of everything that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pip_intoto.errors import EvidenceInvalid, MetadataMalformed, MetadataTooLarge
from pip_intoto.metadata.bundle import Document, documents_in
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.verdict import Outcome, TraceEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.keys import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer of one place.

    ``missing`` are addresses that answered "not here"; ``unreachable`` are sentences about those
    that could not be asked; ``faults`` are documents that were there and could not be read.
    Everything in it is redacted.
    """

    documents: tuple[Document, ...] = ()
    missing: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    faults: tuple[EvidenceInvalid, ...] = ()
    trace: tuple[TraceEntry, ...] = ()
    #: What was read, for the cap on all evidence of one distribution.
    size: int = 0
    #: Keys of owners, and those of functionaries by what a layout calls them, that came along.
    keys: tuple[PublicKey, ...] = ()
    managed: tuple[tuple[str, PublicKey], ...] = ()

    def __add__(self, other: Finding) -> Finding:
        return Finding(
            documents=self.documents + other.documents,
            missing=self.missing + other.missing,
            unreachable=self.unreachable + other.unreachable,
            faults=self.faults + other.faults,
            trace=self.trace + other.trace,
            size=self.size + other.size,
            keys=self.keys + other.keys,
            managed=self.managed + other.managed,
        )


class Place(Protocol):
    """One address where evidence may lie. Both calls are driven by the caller."""

    async def find(self) -> Finding:
        """Everything that can be found without knowing the layout."""
        ...

    async def find_named(self, names: Sequence[str]) -> Finding:
        """Documents of the directory form, by the file names that a verified layout gives."""
        ...


def nothing_at(origin: str) -> Finding:
    """The place answered, and has nothing."""
    return Finding(missing=(origin,), trace=(TraceEntry(origin, Outcome.NOTE, "nothing there"),))


def unreachable(origin: str, why: str) -> Finding:
    """The place could not be asked."""
    return Finding(
        unreachable=(f"{origin}: {why}",), trace=(TraceEntry(origin, Outcome.FAIL, why),)
    )


def fault(origin: str, error: EvidenceInvalid, size: int = 0) -> Finding:
    """Something is there, and cannot be read."""
    return Finding(
        faults=(error,), trace=(TraceEntry(origin, Outcome.FAIL, error.message),), size=size
    )


def too_large(origin: str, at_most: int) -> Finding:
    """Something is there, and was cut off at the cap."""
    return fault(
        origin,
        MetadataTooLarge(
            "the evidence is larger than anything that is read",
            expected=f"at most {at_most} bytes",
            found="more than that",
            place=origin,
        ),
        at_most,
    )


def read_bundle(data: bytes, *, origin: str, limits: Limits) -> Finding:
    """The documents of a bundle, or of whatever else has some (PEP 740); known by their content.

    Lines of unknown kinds are skipped and counted.
    """
    try:
        bundle = documents_in(data, origin=origin, limits=limits)
    except EvidenceInvalid as error:
        return fault(origin, error, len(data))
    detail = _count(len(bundle.documents), "document")
    if bundle.skipped:
        detail += f", {_count(bundle.skipped, 'line')} of other kinds skipped"
    outcome = Outcome.OK if bundle.documents else Outcome.NOTE
    return Finding(
        documents=bundle.documents,
        # A page of other things (an error page sent with status 200, say) is no evidence.
        missing=() if bundle.documents else (f"{origin} (which has no in-toto metadata in it)",),
        trace=(TraceEntry(origin, outcome, detail),),
        size=len(data),
    )


def read_attestations(data: bytes, *, origin: str, limits: Limits) -> Finding:
    """The same of a place for attestations alone: an object that cannot be read is a fault."""
    found = read_bundle(data, origin=origin, limits=limits)
    if found.documents or found.faults or data.lstrip()[:1] != b"{":
        return found
    notes = documents_in(data, origin=origin, limits=limits).notes
    error = MetadataMalformed(
        "this is no attestation",
        expected="a provenance object or attestation object as in PEP 740, or a Sigstore bundle",
        found=notes[0] if notes else "",
        place=origin,
    )
    return fault(origin, error, len(data))


def read_document(data: bytes, *, origin: str, name: str, limits: Limits) -> Finding:
    """One document of the directory form, known there as ``name``."""
    try:
        envelope = parse_envelope(data, limits=limits)
    except EvidenceInvalid as error:
        attested = _attested(data, origin=origin, limits=limits)
        if attested is not None:
            return attested
        error.place = f"{origin}, {error.place}".removesuffix(", ")
        return fault(origin, error, len(data))
    return Finding(
        documents=(Document(envelope=envelope, origin=origin, hint=name, data=data),),
        trace=(TraceEntry(origin, Outcome.OK, "1 document"),),
        size=len(data),
    )


def _attested(data: bytes, *, origin: str, limits: Limits) -> Finding | None:
    """What was no envelope may be an attestation, which holds one."""
    if not data.lstrip().startswith(b"{"):
        return None
    found = read_bundle(data, origin=origin, limits=limits)
    return found if found.documents else None


def is_plain(name: str) -> bool:
    """Whether a name of the directory form stays within the directory (N3)."""
    return all(
        segment not in {"", ".", ".."} and not set(segment) & set("\\\0:")
        for segment in name.split("/")
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
