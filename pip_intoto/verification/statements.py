"""Statements as evidence: which claims of a layout one serves, and what it amounts to there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import PredicateNegative
from pip_intoto.metadata.digests import agree
from pip_intoto.metadata.predicate_names import LINK
from pip_intoto.metadata.predicates import attested, link
from pip_intoto.metadata.statement import STATEMENT
from pip_intoto.verification.claims import kind_of, place_of, station_of
from pip_intoto.verification.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.layout import Step
    from pip_intoto.metadata.predicates.attested import Attested
    from pip_intoto.metadata.statement import Statement
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.verification.artifact_rules import Budget
    from pip_intoto.verification.binding import Subject


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement, and what it says of artifacts."""

    statement: Statement
    said: Attested

    @classmethod
    def read(cls, statement: Statement, limits: Limits) -> Stated:
        """Look into the predicate; raises MetadataMalformed or MetadataTooLarge."""
        return cls(statement, attested(statement, limits))

    def may_serve(self, step: Step) -> bool:
        """Tell whether it is of the kind that a claim asks for, or a link of a classic step."""
        kind = self.statement.predicate_type
        # A4: type URIs are opaque, and compared to the letter.
        if kind != kind_of(step):
            return False
        # N4: "the NAME field must be set to the same identifier as the step described in the
        # layout".
        return kind not in link.TYPES or self.said.step == station_of(step)

    def is_about(self, subject: Subject | None) -> bool:
        """Tell whether it has the digest of the file in hand."""
        return subject is not None and any(
            digests.get("sha256") == subject.sha256
            for side in (self.said.materials, self.said.products)
            for digests in side.values()
        )

    def record(
        self, step: Step, subject: Subject | None, origin: str, budget: Budget, limits: Limits
    ) -> Record:
        """Return what it reports for ``step``; ``budget`` pays for the conditions on it.

        Raises :class:`PredicateNegative`, or what a condition raises that does not hold.
        """
        if self.said.failure:
            raise PredicateNegative(
                f"The statement counts for nothing: {self.said.failure}",
                expected=f"a statement of the type {self.statement.predicate_type} that says yes",
                found=origin,
                place=place_of(step),
            )
        if step.expected_attributes:
            check_attributes(
                step.expected_attributes,
                self.statement.variables,
                place_of(step),
                budget,
                limits,
            )
        return Record(
            materials=_with_its_name(self.said.materials, subject),
            products=_with_its_name(self.said.products, subject),
            origin=origin,
        )


def _with_its_name(
    artifacts: Mapping[str, Digests], subject: Subject | None
) -> Mapping[str, Digests]:
    """Call what has no name, and the digest of the file in hand, as the file is called.

    "Subject artifacts are matched purely by digest".
    """
    nameless = "" if subject is None else f"sha256:{subject.sha256}"
    if subject is None or nameless not in artifacts:
        return artifacts
    named = dict(artifacts)
    digests = named.pop(nameless)
    known = named.get(subject.filename, digests)
    if not agree(known, digests):
        # It stands there under its name as well, with another digest: that one is to be seen.
        return artifacts
    named[subject.filename] = {
        algorithm: digest for algorithm, digest in known.items() if digests.get(algorithm) == digest
    }
    return named


def check_attributes(
    expressions: Sequence[str],
    variables: Mapping[str, JsonValue],
    place: str,
    budget: Budget,
    limits: Limits,
) -> None:
    """Evaluate conditions (ITE-11).

    Raises AttributeViolated, AttributeMissing, AttributeUnusable, AttributesUnsupported or
    MetadataTooLarge.
    """
    # Imported here for start-up time: few layouts have conditions.
    from pip_intoto.verification import attributes

    attributes.check(
        expressions,
        variables,
        place=f"{place}, expected_attributes",
        limits=limits,
        budget=budget,
    )


def as_statement(
    *,
    name: str,
    record: Record,
    command: Sequence[str] = (),
    byproducts: JsonValue = None,
    environment: JsonValue = None,
) -> Mapping[str, JsonValue]:
    """Give a link, or what an inspection found, as conditions see the statement of a link."""
    products = _listed(record.products)
    return {
        "type": STATEMENT,
        "subject": products,
        "predicateType": LINK,
        "predicate": {
            "name": name,
            "command": list(command),
            "materials": _listed(record.materials),
            "products": products,
            "byproducts": {} if byproducts is None else byproducts,
            "environment": {} if environment is None else environment,
        },
    }


def _listed(artifacts: Mapping[str, Digests]) -> JsonValue:
    return [{"name": name, "digest": dict(digests)} for name, digests in artifacts.items()]
