"""Statements that steps expect (ITE-10), conditions on them (ITE-11), and identities."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from pip_intoto.errors import AttributesUnsupported, AttributeUnusable
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.layouts.lint.findings import (
    At,
    RuleList,
    Severity,
    is_informational,
    place_of,
)
from pip_intoto.maintainer.layouts.reach import reach
from pip_intoto.metadata.identities import PARTS
from pip_intoto.metadata.layout import Step
from pip_intoto.metadata.predicate_names import SHORT
from pip_intoto.metadata.predicates import link, transforms
from pip_intoto.metadata.rules import Allow, Create, Match, Modify
from pip_intoto.verification.attributes import parsed
from pip_intoto.verification.wording import short_keyid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.maintainer.layouts.lint.findings import Finding, Subject
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.metadata.layout import ExpectedPredicate
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.record import Side

#: Predicate types that are in use: what a type that nearly is one of them was meant to be.
_KNOWN = (*SHORT.values(), *link.TYPES)
_NEAR = 0.9
_VERSION = re.compile(r"/v?[0-9.]+$")


@dataclass(frozen=True, slots=True)
class _Expected:
    """One expected predicate, where it stands, and the keyids and identities that may sign it."""

    step: Step
    index: int
    predicate: ExpectedPredicate
    at: At
    signers: frozenset[Identity | str]


def look_at_statements(subject: Subject) -> Iterator[Finding]:
    """Expected predicates, conditions, and the identities among the keys."""
    yield from _identities(subject)
    yield from _conditions(subject)
    expected = list(_expected(subject))
    for each in expected:
        yield from _signers(each, subject)
        yield from _type(each)
    for one, other in combinations(expected, 2):
        yield from _alike(one, other, subject)
    for index, step in enumerate(subject.layout.steps):
        if is_informational(step):
            yield from _informational(step, index, subject)


def _expected(subject: Subject) -> Iterator[_Expected]:
    for index, step in enumerate(subject.layout.steps):
        place = place_of(step, index)
        for number, predicate in enumerate(step.expected_predicates):
            at = At(
                place.item,
                f"predicates[{number}]",
                f"{place.path}.expected_predicates[{number}]",
            )
            identities = subject.layout.identities
            # The same identity under two keyids is one.
            signers = frozenset(identities.get(each, each) for each in predicate.functionaries)
            yield _Expected(step, index, predicate, at, signers)


# --- who --------------------------------------------------------------------------------------


def _identities(subject: Subject) -> Iterator[Finding]:
    for keyid, identity in subject.layout.identities.items():
        if identity.subject or identity.repository:
            continue
        asked = identity.workflow or identity.ref or identity.environment
        yield At("", f"key {short_keyid(keyid)}", "keys").finding(
            "open-identity",
            Severity.ERROR,
            "this identity names neither a repository nor a subject"
            + ("" if asked else ", but only who vouches for it"),
            why=f"Everybody for whom {identity.issuer} vouches, which may be everybody, can sign"
            " with it.",
            instead="the repository and the workflow, or the subject of the certificate",
        )


def _signers(expected: _Expected, subject: Subject) -> Iterator[Finding]:
    predicate, at = expected.predicate, expected.at
    layout = subject.layout
    subkeys = {subkey.keyid for key in layout.keys.values() for subkey in key.subkeys}
    known = {*layout.keys, *layout.identities, *layout.managed, *subkeys}
    for keyid in predicate.functionaries:
        if keyid not in known:
            yield at.finding(
                "unknown-functionary",
                Severity.ERROR,
                f"the layout does not have the key {short_keyid(keyid)}, which is named here",
                why="Nobody can tell whether a signature is by that key.",
                instead="the key among the `keys` of the layout, or the predicate without it",
            )
    most = len(expected.signers & {*known, *layout.identities.values()})
    if most < predicate.threshold:
        yield at.finding(
            "threshold-unreachable",
            Severity.ERROR,
            f"{predicate.threshold} must sign, and there {'is' if most == 1 else 'are'} {most}"
            if predicate.threshold > 1
            else "nobody may sign this statement",
            why="The step can never be carried out, so that nothing is ever installed. The same"
            " identity under two ids counts once.",
            instead=f"threshold = {most}, or more functionaries" if most else "a functionary",
        )


def _type(expected: _Expected) -> Iterator[Finding]:
    written = expected.predicate.predicate_type
    if written in _KNOWN:
        return
    near = difflib.get_close_matches(written, _KNOWN, n=1, cutoff=_NEAR)
    if near and not _is_other_version(written, near[0]):
        yield expected.at.finding(
            "unknown-predicate",
            Severity.WARNING,
            f"{written} is no predicate type that is in use, and nearly {near[0]}",
            why="Types are compared to the letter: no statement of the other type counts.",
            instead=near[0],
        )


def _is_other_version(one: str, other: str) -> bool:
    """Whether both name the same predicate: ``v0.1`` and ``v0.2``, but not ``v1`` and ``v1.0``."""
    return _VERSION.sub("", one) == _VERSION.sub("", other) and not (
        one.startswith(other) or other.startswith(one)
    )


# --- what -------------------------------------------------------------------------------------


def _conditions(subject: Subject) -> Iterator[Finding]:
    for item, index in subject.items():
        place = place_of(item, index)
        lists: list[tuple[str, Sequence[str]]] = [("", item.expected_attributes)]
        if isinstance(item, Step):
            lists += [
                (f"predicates[{number}].", each.expected_attributes)
                for number, each in enumerate(item.expected_predicates)
            ]
        for part, expressions in lists:
            for number, expression in enumerate(expressions):
                where = f"{part}attributes[{number}]"
                path = f"{place.path}.expected_{where.replace('.attr', '.expected_attr')}"
                at = At(place.item, where, path)
                try:
                    parsed(expression, place=at.path, limits=DEFAULT)
                except AttributesUnsupported:
                    yield at.finding(
                        "conditions-unread",
                        Severity.NOTE,
                        "nothing is installed that reads conditions",
                        why="So nobody can say here whether they are right.",
                        instead="pip install 'pip-intoto[cel]'",
                    )
                    return
                except AttributeUnusable as error:
                    yield at.finding(
                        "unusable-condition",
                        Severity.ERROR,
                        f"this condition cannot be read: {error.found}",
                        why="It never holds, so that nothing is ever installed.",
                        instead=error.expected,
                    )


def _alike(one: _Expected, other: _Expected, subject: Subject) -> Iterator[Finding]:
    """A statement names no step: what else tells for which of two it is?"""
    if one.predicate.predicate_type != other.predicate.predicate_type:
        return
    if not any(_may_be_one(a, b) for a in one.signers for b in other.signers):
        return
    conditions, others = (set(each.predicate.expected_attributes) for each in (one, other))
    if not conditions <= others and not others <= conditions:
        return
    if one.step is not other.step and not _may_be_about_the_same(one, other, subject):
        return
    where = "this step" if one.step is other.step else f"the step {one.step.name}"
    yield other.at.finding(
        "alike-predicates",
        Severity.ERROR,
        f"a statement that serves {where} serves here as well",
        why="A statement names no step. The type is the same, somebody may sign both, and neither"
        " rules nor conditions say what each is about: one statement counts for two.",
        instead="conditions on both that no statement fulfils together, rules for different files,"
        " or other functionaries",
    )


def _may_be_one(one: Identity | str, other: Identity | str) -> bool:
    """Whether one signer may be both: what an identity leaves open, anybody may be."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    for part in PARTS:
        # One file, whether its name stands alone or behind the folder that all of them are in.
        asked = {getattr(each, part).removeprefix(".github/workflows/") for each in (one, other)}
        if len(asked - {""}) > 1:
            return False
    # A workflow's URI names its repository.
    return all(
        f"/{a.repository}/" in b.subject
        for a, b in ((one, other), (other, one))
        if a.repository and b.subject
    )


def _may_be_about_the_same(one: _Expected, other: _Expected, subject: Subject) -> bool:
    takers, others = _about(one), _about(other)
    if not takers or not others:
        return True
    return any(
        not (isinstance(a, Match) and isinstance(b, Match) and a.step != b.step)
        and subject.meets(reach(a), reach(b))
        for a in takers
        for b in others
    )


def _about(expected: _Expected) -> list[Rule]:
    """The rules that take what the statement is about."""
    side: Side = "products" if transforms(expected.predicate.predicate_type) else "materials"
    rules = RuleList(expected.step, expected.index, side).rules
    return [rule for rule in rules if isinstance(rule, (Allow, Create, Match, Modify))]


def _informational(step: Step, index: int, subject: Subject) -> Iterator[Finding]:
    place = place_of(step, index)
    if step.expected_products:
        yield At(place.item, "products", f"{place.path}.expected_products").finding(
            "products-of-nothing",
            Severity.WARNING,
            "these statements only say something of what is there, and have no products",
            why="Their subjects are materials. Rules for products are not held against anything.",
            instead="the same rules as materials",
        )
    rules = step.expected_materials
    if any(isinstance(rule, Match) for rule in rules):
        return
    if subject.layout.steps[-1] is step and any(isinstance(rule, Allow) for rule in rules):
        return
    yield place.finding(
        "untied-statement",
        Severity.WARNING,
        "nothing ties what these statements are about to another step",
        why="They count only where they are about the very file that is installed. A statement"
        " about the sources, or about what the file was built from, never will.",
        instead=f"materials = ["
        f'"MATCH * WITH PRODUCTS FROM {subject.layout.steps[0].name}", "DISALLOW *"]',
    )
