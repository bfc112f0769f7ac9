"""Simple Verification Results (predicate ``svr`` 0.2), and what pip-intoto says in one besides.

    "A Simple Verification Result (SVR) communicates that an artifact has been evaluated against
    one or more policies, and records the properties that were verified".

What goes beyond the predicate stands in members called :data:`OURS`, which other readers ignore
(A3). Nothing here makes anything pass that would not pass without it (A5): a verdict rests on the
subjects, the verifier, its policies, the time and the properties alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.metadata.node import shown
from pip_intoto.metadata.predicate_names import SVR
from pip_intoto.metadata.statement import parse_resource, parse_timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.statement import Resource, Statement

#: Who verified. It rises when a property changes its meaning.
VERIFIER = "urn:pip-intoto:verifier:1"
#: The property: in-toto evidence satisfies a layout that the verifier's policy trusts for the
#: subject, and the layout binds the subject, a file of this name with this digest.
VERIFIED = "PIP_INTOTO_VERIFIED"
#: The member that holds what is ours, in the predicate and among the annotations of subjects.
#: "Field names SHOULD avoid special characters like `.` and `$`".
OURS = "pipIntoto"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """A checked result. ``created`` is aware, in UTC; ``version`` is empty where none is given."""

    subjects: tuple[Resource, ...]
    verifier: str
    policies: tuple[Resource, ...]
    created: datetime
    properties: tuple[str, ...]
    version: str = ""


def parse_result(statement: Statement, limits: Limits) -> VerificationResult:
    """The result that ``statement`` is.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    predicate = statement.predicate
    # A1, A4: what it is says the statement, in these very words.
    if statement.predicate_type != SVR:
        raise predicate.malformed(
            "this statement is no verification result",
            expected=SVR,
            found=shown(statement.predicate_type),
        )
    verifier = predicate.member("verifier")
    # "The `verifier.policies` field MUST be present."
    policies = verifier.member("policies").elements()
    ours = predicate.optional(OURS)
    members = ours.value if ours is not None and isinstance(ours.value, dict) else {}
    version = members.get("version")
    return VerificationResult(
        subjects=statement.subjects,
        verifier=verifier.member("id").string(longest=limits.text),
        policies=tuple(parse_resource(policy, limits) for policy in policies),
        created=parse_timestamp(predicate.member("timeCreated")),
        properties=predicate.member("properties").strings(longest=limits.text),
        version=version if isinstance(version, str) else "",
    )
