"""Which of the optional parts of this package a policy needs, and are not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.policy.model import NamedIdentity, Tuf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pip_intoto.metadata.layout import Layout
    from pip_intoto.policy.model import ProjectRule

#: The module that each extra brings.
_MODULES = {"sigstore": "sigstore", "cel": "celpy", "tuf": "tuf"}


def missing_extras(rules: Iterable[ProjectRule]) -> tuple[str, ...]:
    """Name the extras that these rules need here, and do not find.

    Layouts that others sign may need more; what they need is not known before they are met.
    """
    needed = {extra for rule in rules for extra in _needed(rule)}
    if not needed:
        return ()
    # Imported here for start-up time: most policies need none.
    from importlib.util import find_spec

    return tuple(
        name for name, module in _MODULES.items() if name in needed and not find_spec(module)
    )


def _needed(rule: ProjectRule) -> Iterator[str]:
    if rule.owner_identities:
        yield "sigstore"
    if rule.owners_from or any(isinstance(source, Tuf) for source in rule.sources):
        yield "tuf"
    for each in rule.requirements:
        if any(isinstance(signer, NamedIdentity) for signer in each.signers):
            yield "sigstore"
        if each.conditions:
            yield "cel"
    if rule.own_layout is not None:
        yield from _needed_by(rule.own_layout.layout)


def _needed_by(layout: Layout) -> Iterator[str]:
    if layout.identities:
        yield "sigstore"
    if layout.managed:
        yield "tuf"
    predicates = [each for step in layout.steps for each in step.expected_predicates]
    if any(each.expected_attributes for each in (*layout.items, *predicates)):
        yield "cel"
