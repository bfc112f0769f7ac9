"""What is unwise about a layout: rules that leave something open, keys that do too much.

Nothing is verified here, and nothing is read: values in, findings out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.layouts.lint.carrying import look_at_carrying
from pip_intoto.maintainer.layouts.lint.findings import Finding, Severity, Subject
from pip_intoto.maintainer.layouts.lint.links import look_at_links
from pip_intoto.maintainer.layouts.lint.people import look_at_people
from pip_intoto.maintainer.layouts.lint.rules import look_at_rules
from pip_intoto.maintainer.layouts.lint.statements import look_at_statements
from pip_intoto.verification.artifact_rules import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.link import Link
    from pip_intoto.verification.trust import Owner

__all__ = ["CODES", "Finding", "Severity", "lint"]

#: Every code that a finding may have.
CODES = (
    "alike-predicates",
    "allows-everything",
    "conditions-unread",
    "dist-info-pattern",
    "expired",
    "expires-late",
    "expires-soon",
    "file-not-carried",
    "inspection-forbids-file",
    "inspection-not-native",
    "inspection-of-other-file",
    "key-expires-first",
    "link-name",
    "links-break-rule",
    "match-itself",
    "match-later-step",
    "match-unknown-step",
    "matches-nothing",
    "not-scoped",
    "one-party",
    "open-identity",
    "open-rules",
    "owner-is-functionary",
    "products-of-nothing",
    "require-never-met",
    "rule-without-effect",
    "scope-in-brackets",
    "shared-key",
    "threshold-unreachable",
    "unbound-artifact",
    "unbound-materials",
    "unbound-members",
    "unconnected-step",
    "unknown-functionary",
    "unknown-predicate",
    "unreachable-rule",
    "untied-statement",
    "unusable-condition",
    "unusable-key",
    "unused-key",
    "weak-key",
    "wheel-not-inspected",
)


def lint(
    layout: Layout,
    *,
    now: datetime,
    project: str = "",
    owners: Sequence[Owner] = (),
    principals: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
    limits: Limits = LOCAL,
) -> tuple[Finding, ...]:
    """Everything that there is to say about ``layout``, the layout itself first, then its items.

    ``now`` is aware. ``project`` is the PEP 503 name of the distribution, ``owners`` are those who
    sign the layout, ``principals`` names parties by the identity of their keys; what is not known
    is not looked at. ``links`` are those at hand; their signatures are not looked at.

    Raises MetadataTooLarge when comparing the rules is more work than ``limits`` allow.
    """
    subject = Subject(
        layout=layout,
        now=now,
        project=project,
        owners=owners,
        principals={} if principals is None else principals,
        links=links,
        budget=Budget(limits),
    )
    found = [
        *look_at_people(subject),
        *look_at_statements(subject),
        *look_at_rules(subject),
        *look_at_carrying(subject),
        *look_at_links(subject),
    ]
    items = [f"step {step.name}" for step in layout.steps]
    items += [f"inspection {inspection.name}" for inspection in layout.inspections]
    order = {item: position for position, item in enumerate(["", *items])}
    return tuple(sorted(found, key=lambda finding: order[finding.item]))
