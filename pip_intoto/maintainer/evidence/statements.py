"""Which statements belong beside a file: those about it, and those that the layout asks for.

Whose keys signed them is looked at here. Whether Sigstore vouches for the others is for those to
say who verify, with a trust root of theirs; here it is enough that they are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import EvidenceInvalid, PredicateMissing
from pip_intoto.metadata.envelope import read_evidence
from pip_intoto.metadata.link import Link
from pip_intoto.metadata.predicate_names import as_filename, spelled
from pip_intoto.metadata.predicates import attested
from pip_intoto.metadata.predicates.link import TYPES
from pip_intoto.metadata.statement import Statement
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.wording import publisher, short_keyid, so_many_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.layout import ExpectedPredicate, Layout
    from pip_intoto.verification.binding import Subject

#: What every statement has in it, in both spellings that JSON has for a slash.
_TRACES = (b"/Statement/v", rb"\/Statement\/v")


def statement_in(envelope: Envelope, limits: Limits) -> Statement | None:
    """The statement in an envelope, whoever signed it; None where something else is in it."""
    if envelope.kind != "dsse" or not any(trace in envelope.signed for trace in _TRACES):
        return None
    try:
        found = read_evidence(envelope, limits=limits)
    except EvidenceInvalid:
        return None
    return found if isinstance(found, Statement) else None


def as_link(statement: Statement, limits: Limits) -> Link | None:
    """The link that a statement is, as those of steps that ask for links; None for others."""
    if statement.predicate_type not in TYPES:
        return None
    try:
        said = attested(statement, limits)
    except EvidenceInvalid:
        return None
    return Link(
        name=said.step,
        command=said.command,
        materials=said.materials,
        products=said.products,
        byproducts=None,
        environment=None,
    )


def is_about(statement: Statement, subject: Subject) -> bool:
    """Whether it has the file's digest among its subjects, under whatever name."""
    return any(each.digests.get("sha256") == subject.sha256 for each in statement.subjects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A statement that a step asks for. ``signers`` are keyids; empty where Sigstore vouches."""

    document: Document
    statement: Statement
    predicate: ExpectedPredicate
    signers: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in a bundle, which nobody relies on."""
        kind = as_filename(self.predicate.predicate_type)
        return f"{kind}.{self.signers[0][:8]}.json" if self.signers else f"{kind}.sigstore.json"


def asked_for(
    layout: Layout, documents: Sequence[Document], *, now: datetime, limits: Limits
) -> dict[str, list[Stated]]:
    """The statements that count for each step of ``layout`` that asks for any.

    Those that Sigstore vouches for count where the step names an identity.
    """
    keyring = Keyring(layout.keys.values(), now=now, limits=limits)
    found: dict[str, list[Stated]] = {
        step.name: [] for step in layout.steps if step.expected_predicates
    }
    if not found:
        return found
    for document in documents:
        statement = statement_in(document.envelope, limits)
        if statement is None:
            continue
        signings = () if document.envelope.sigstore else keyring.signings(document.envelope)
        for step in layout.steps:
            for predicate in step.expected_predicates:
                signers = tuple(
                    each.key.keyid
                    for each in signings
                    if not set(each.keyids).isdisjoint(predicate.functionaries)
                )
                vouched = bool(document.envelope.sigstore) and any(
                    keyid in layout.identities for keyid in predicate.functionaries
                )
                if statement.predicate_type == predicate.predicate_type and (signers or vouched):
                    found[step.name].append(
                        Stated(
                            document=document,
                            statement=statement,
                            predicate=predicate,
                            signers=signers,
                        )
                    )
    return found


def lacking(
    layout: Layout, predicates: Sequence[ExpectedPredicate], stated: Sequence[Stated]
) -> Iterator[PredicateMissing]:
    """Say which of the statements that one step asks for are not there."""
    for predicate in predicates:
        there = [each for each in stated if each.predicate == predicate]
        keys = {keyid for each in there for keyid in each.signers}
        # Whom Sigstore vouches for is not known here: each document may be another one's.
        count = len(keys) + sum(not each.signers for each in there)
        if count < predicate.threshold:
            names = [_called(layout, keyid) for keyid in predicate.functionaries]
            yield PredicateMissing(
                f"There is no {spelled(predicate.predicate_type)} for it"
                if not there
                else f"Too few have signed the {spelled(predicate.predicate_type)} for it",
                expected=f"a statement signed by {so_many_of(predicate.threshold, names)}",
                found=f"{count} of {predicate.threshold}",
            )


def _called(layout: Layout, keyid: str) -> str:
    whose = layout.identities.get(keyid)
    return f"key {short_keyid(keyid)}" if whose is None else publisher(whose)
