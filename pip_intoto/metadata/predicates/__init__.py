"""Predicates: what statements say, as far as it decides something (ITE-6, ITE-10).

There are two kinds. *Transformational* ones are about something that was done: it used materials,
and their statement's subjects are its products. *Informational* ones say something of what is
there: their subjects are materials, and there are no products. What is not known to be
transformational is informational.

Predicate types are compared to the letter (A4). Members that are not known are ignored (A3); what
a known predicate must say is checked, since nobody is helped by a test result without a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.metadata.predicate_names import (
    PROVENANCE,
    PROVENANCE_V02,
    SVR,
    TEST_RESULT,
    VSA,
)
from pip_intoto.metadata.predicates import link, provenance, results
from pip_intoto.metadata.predicates.attested import Attested, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.statement import Statement

_TRANSFORMATIONAL: Mapping[str, Callable[[Statement, Limits], Attested]] = {
    **dict.fromkeys(link.TYPES, link.attested),
    PROVENANCE: provenance.attested_v1,
    PROVENANCE_V02: provenance.attested_v02,
}
#: What is known of informational ones: why a statement counts for nothing, empty when it counts.
_INFORMATIONAL: Mapping[str, Callable[[Statement, Limits], str]] = {
    VSA: results.failure_of_summary,
    SVR: results.failure_of_verification,
    TEST_RESULT: results.failure_of_test,
}


def transforms(predicate_type: str) -> bool:
    """Whether the predicate is about something that was done (ITE-10)."""
    return predicate_type in _TRANSFORMATIONAL


def attested(statement: Statement, limits: Limits) -> Attested:
    """What ``statement`` says of artifacts.

    Raises :class:`pip_intoto.errors.MetadataMalformed` or
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    transformational = _TRANSFORMATIONAL.get(statement.predicate_type)
    if transformational is not None:
        return transformational(statement, limits)
    informational = _INFORMATIONAL.get(statement.predicate_type)
    return Attested(
        # ITE-10: "consume artifacts as materials (recorded as the subject of such attestations)"
        materials=named(statement.subjects, statement.node.member("subject"), limits),
        failure="" if informational is None else informational(statement, limits),
    )
