"""The documents at hand, and what is known of each: who signed it, and what it says.

Nothing of a payload is looked at before a signature on its envelope verified (E5), and each
payload is read once, however many layouts it may serve. The notes that come up on the way are
kept here, and the work that signatures make is counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import (
    EvidenceInvalid,
    LayoutFeatureUnsupported,
    MetadataMalformed,
    MetadataTooLarge,
    SigstoreUnavailable,
)
from pip_intoto.metadata.envelope import read_evidence
from pip_intoto.metadata.node import shown
from pip_intoto.verdict import Outcome, TraceEntry
from pip_intoto.verification.identities import bearer
from pip_intoto.verification.signatures import Keyring, expired
from pip_intoto.verification.wording import short_keyid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Content
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.link import Link
    from pip_intoto.metadata.statement import Statement
    from pip_intoto.verification.certificates import Certified, Holder, Refused
    from pip_intoto.verification.identities import Bearer
    from pip_intoto.verification.signatures import Signing
    from pip_intoto.verification.trust import Trust

#: What it takes to check a bundle: certificates, promises, the log's signatures, and its own.
_CHECKS_OF_A_BUNDLE = 8

Payload: TypeAlias = "Layout | Link | Statement"


class Pool:
    """All evidence for one distribution, in an order of its own."""

    def __init__(
        self, documents: Sequence[Document], trust: Trust, now: datetime, limits: Limits
    ) -> None:
        self.documents = in_one_order(documents, limits)
        self._trust = trust
        self._now = now
        self._limits = limits
        self._signature_checks = 0
        self._payloads: dict[str, Payload | None] = {}
        #: Signed by somebody who counts, and not what in-toto says it must be.
        self.malformed: dict[str, EvidenceInvalid] = {}
        #: Links that are no step's, and those of them that are an inspection's report (U5).
        self._strays: dict[str, str] = {}
        self._reports: set[str] = set()
        self._notes: dict[str, None] = {}

    def note(self, text: str) -> None:
        """Keep what is worth knowing and does not decide anything."""
        if len(self._notes) < self._limits.trace_entries:
            self._notes[text] = None

    def note_stray(self, document: Document, text: str) -> None:
        """Keep what is to be said of a link of no step, unless it turns out to be a report."""
        self._strays[document.envelope.sha256] = text

    def is_report(self, document: Document) -> None:
        """Take back what :meth:`note_stray` was told."""
        self._reports.add(document.envelope.sha256)

    def notes(self) -> tuple[TraceEntry, ...]:
        """Return what was noted, and which links are of nothing here."""
        strays = [text for sha256, text in self._strays.items() if sha256 not in self._reports]
        return tuple(
            TraceEntry("note", Outcome.NOTE, text)
            for text in [*self._notes, *strays][: self._limits.trace_entries]
        )

    def functionaries(self, layout: Layout) -> Keyring:
        """Return the keys that may sign for some step."""
        # K6: a step may name a subkey; and whose subkey a key is decides for whom it counts.
        listed = {**layout.keys, **self._managed(layout)}
        masters = [key for key in listed.values() if key.subkeys]
        keys = {key.keyid: key for key in masters}
        for step in layout.steps:
            # S6: "a list of KEYIDs … of the keys that can sign the link metadata that
            # corresponds to this step".
            for keyid in step.pubkeys:
                key = listed.get(keyid)
                if key is not None:
                    keys[keyid] = key
                elif keyid in layout.managed:
                    self.note(
                        f"step {step.name} names a key that a TUF repository gives out as"
                        f" {shown(layout.managed[keyid].target)}, and none of the sources gave it:"
                        " whoever has it cannot sign"
                    )
                elif keyid not in layout.identities and not any(
                    keyid == sub.keyid for key in masters for sub in key.subkeys
                ):
                    self.note(
                        f"step {step.name} names the key {short_keyid(keyid)}, which the layout"
                        " does not hold"
                    )
        keyring = Keyring(keys.values(), now=self._now, limits=self._limits)
        for key in keyring.unusable:
            # K3: a key of an unknown kind only matters when it is needed.
            self.note(f"the layout names the key {short_keyid(key.keyid)}, which is not usable")
        return keyring

    def _managed(self, layout: Layout) -> dict[str, PublicKey]:
        """Return the keys that TUF repositories gave out, under the layout's names for them."""
        keys: dict[str, PublicKey] = {}
        for keyid, managed in layout.managed.items():
            key = self._trust.managed.get(managed.target)
            if key is not None:
                # A subkey that is called as somebody else's key is would sign for their steps.
                own = (sub for sub in key.subkeys if sub.keyid not in layout.keys)
                keys[keyid] = replace(key, keyid=keyid, subkeys=tuple(own))
        return keys

    def _count_checks(self, checks: int) -> None:
        self._signature_checks += checks
        if self._signature_checks > self._limits.chain_signature_checks:
            raise MetadataTooLarge(
                "The evidence has too many signatures for the layout's keys",
                expected=f"at most {self._limits.chain_signature_checks} signatures times keys",
            )

    def signings(self, document: Document, keyring: Keyring) -> tuple[Signing, ...]:
        """Return which keys of ``keyring`` signed ``document``; raises MetadataTooLarge."""
        self._count_checks(len(document.envelope.signatures) * len(keyring))
        for note in document.envelope.notes:
            self.note(f"{document.origin}: {note}")
        for signature in document.envelope.signatures:
            if when := expired(signature, self._now):
                self.note(f"{document.origin}: its OpenPGP signature expired on {when:%Y-%m-%d}")
        try:
            return keyring.signings(document.envelope)
        except MetadataTooLarge as error:
            self.note(f"{document.origin} was skipped: {error}")
            return ()

    def certified(self, layout: Layout) -> Certified | None:
        """Return who may sign for some step by certificate; None when nobody may."""
        if not any(step.constraints for step in layout.steps):
            return None
        # Imported here for start-up time: few layouts have certificates.
        from pip_intoto.verification.certificates import Certified

        certified = Certified(
            layout, now=self._now, revoked=self._trust.revoked, limits=self._limits
        )
        for what in certified.unreadable:
            self.note(f"the layout names {what}")
        return certified

    def holders(
        self, document: Document, certified: Certified | None
    ) -> tuple[tuple[Holder, ...], tuple[Refused, ...]]:
        """Return who signed ``document`` by certificate, and which certificates do not count."""
        if certified is None:
            return (), ()
        self._count_checks(certified.work(document.envelope))
        holders, refused = certified.signers(document.envelope)
        for certificate in refused:
            self.note(f"{document.origin}: {certificate}")
        return holders, refused

    def count_bundle(self) -> None:
        """Count the work of checking one Sigstore bundle; raises MetadataTooLarge."""
        self._count_checks(_CHECKS_OF_A_BUNDLE)

    def bearer(self, document: Document, identities: Sequence[Identity]) -> Bearer:
        """Return who signed ``document`` with Sigstore, and which of ``identities`` that is.

        Raises what the authenticator raises.
        """
        authenticator = self._trust.authenticator
        if authenticator is None:
            raise SigstoreUnavailable(
                "An identity has to be checked, and nothing here can", place=document.origin
            )
        try:
            credential = authenticator.authenticate(document.envelope)
        except EvidenceInvalid as error:
            self.note(f"{document.origin} was skipped: {error}")
            error.place = error.place or document.origin
            raise
        return bearer(
            credential,
            identities,
            named=self._trust.identities,
            revoked=self._trust.revoked_identities,
        )

    def was_read(self, document: Document) -> bool:
        """Tell whether somebody who counts signed it, so that its payload was looked at."""
        return document.envelope.sha256 in self._payloads

    def payload(self, document: Document) -> Payload | None:
        """Return what a document says, which somebody who counts signed; None when malformed."""
        sha256 = document.envelope.sha256
        if sha256 not in self._payloads:
            self._payloads[sha256] = None
            try:
                self._payloads[sha256] = read_evidence(document.envelope, limits=self._limits)
            except (LayoutFeatureUnsupported, MetadataMalformed, MetadataTooLarge) as error:
                # V4: one bad document is skipped; the others may be enough.
                self.note(f"{document.origin} was skipped: {error}")
                error.place = f"{document.origin}: {error.place}".removesuffix(": ")
                self.malformed[sha256] = error
        return self._payloads[sha256]

    def predicate_types(self) -> list[str]:
        """Return what the statements attest that somebody who counts signed."""
        # Imported here for start-up time: classic evidence has no statements.
        from pip_intoto.metadata.statement import Statement

        read = [each for each in self._payloads.values() if isinstance(each, Statement)]
        return sorted({statement.predicate_type for statement in read})


def in_one_order(documents: Sequence[Document], limits: Limits) -> tuple[Document, ...]:
    """Return the documents, those that are byte for byte the same only once.

    A8: the order in which they came means nothing. They are put into one of their own, by what
    was signed, so that it never decides which of several is taken. Raises
    :class:`MetadataTooLarge`.
    """
    if len(documents) > limits.documents:
        raise MetadataTooLarge(
            "There are too many documents",
            expected=f"at most {limits.documents}",
            found=str(len(documents)),
        )
    unique: dict[str, Document] = {}
    for document in sorted(documents, key=_own_order):
        unique.setdefault(document.envelope.sha256, document)
    return tuple(unique.values())


def _own_order(document: Document) -> tuple[Content, list[bytes], str, str]:
    envelope = document.envelope
    signatures = sorted(signature.value for signature in envelope.signatures)
    return envelope.content, signatures, envelope.sha256, document.hint
