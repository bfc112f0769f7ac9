"""Binding: tying the file in hand to the chain, which in-toto by itself does not do.

The layout or the policy, never the links, says where the file must appear:

1.  If inspections have MATCH rules FROM a step in ``expected_materials``, every such inspection
    must consume the file by one of them. This decides.
2.  Otherwise the *binding step* is the policy's ``binds``, else the last of ``steps``; a
    sublayout counts through its summary link.
3.  In that step, every product whose last path segment is this filename has this sha256. Only
    when no product has the name are materials looked at.
4.  The entry must have been consumed by an explicit CREATE, MODIFY, MATCH or ALLOW (for
    materials: MATCH). What only the implicit ALLOW * lets through is not bound. In a step over
    statements that only say something of what is there (ITE-10), materials are what they are
    about, and an explicit ALLOW will do.
5.  No other step is ever a fallback.
6.  Where the layout keys serve more than one project, the rule that consumed the file must be
    *scoped*: the last segment of its pattern begins with the distribution's name and ``-``; or
    the policy pins the layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    ArtifactNotBound,
    LayoutNotForProject,
    RuleViolated,
)
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.rules import Allow, Create, Match, Modify
from pip_intoto.verification.artifact_rules import as_folder, check_item, consumers, shown_rule
from pip_intoto.verification.claims import about_something_else, only_informs
from pip_intoto.verification.filenames import last_segment, parsed
from pip_intoto.verification.patterns import literal_start_of_last_segment
from pip_intoto.verification.stations import of_station
from pip_intoto.verification.wording import NAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.layout import Inspection, Layout, Step
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.artifact_rules import Budget
    from pip_intoto.verification.record import Record, Side
    from pip_intoto.verification.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The file that is to be bound.

    ``project`` is the PEP 503 name, ``distribution`` and ``version`` are spelled as in
    ``filename``, which is the URL-decoded last segment. ``sha256`` is lower-case hex.
    """

    project: str
    distribution: str
    version: str
    filename: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Where the file was found: ``step build, products``, which rule consumed it, and notes."""

    place: str
    artifact: str
    rule: Rule
    notes: tuple[str, ...] = ()


def bind(
    subject: Subject,
    layout: Layout,
    records: Mapping[str, Record],
    trust: Trust,
    budget: Budget,
) -> Binding:
    """Return how the chain speaks of ``subject``.

    ``records`` holds what was reported of every step and inspection of ``layout``. Raises
    :class:`ArtifactNotBound`, :class:`ArtifactDigestMismatch` or :class:`LayoutNotForProject`.
    """
    steps = {step.name: step for step in layout.steps}
    # 1. "every such inspection must consume the file by one of them. This decides."
    deciding = deciding_inspections(layout)
    if deciding:
        bindings = []
        for inspection, rules in deciding.items():
            with of_station(inspection.name):
                bindings.append(_bind_by_inspection(subject, inspection, rules, records, budget))
        for inspection, binding in zip(deciding, bindings, strict=True):
            with of_station(inspection.name):
                _check_scope(subject, binding, trust)
        return bindings[-1]
    # 2. "the policy's `binds`, else the last of `steps`"; 5. and no other.
    name = binding_step(layout, trust)
    if name not in steps:
        raise ArtifactNotBound(
            f"The policy binds the file to the step {shown(name)}, which the layout does not have",
            expected=f"a step {shown(name)} in the layout",
            found=f"the steps {', '.join(shown(step) for step in steps)}",
            advice="Correct `binds` in the policy; ask the project which step makes its files.",
        )
    with of_station(name):
        binding = _bind_by_step(subject, steps[name], records, budget)
        _check_scope(subject, binding, trust)
    return binding


def deciding_inspections(layout: Layout) -> Mapping[Inspection, tuple[Match, ...]]:
    """Return the inspections that rule 1 speaks of, with their MATCH rules about steps."""
    steps = {step.name for step in layout.steps}
    tying = {
        inspection: tuple(
            rule
            for rule in inspection.expected_materials
            if isinstance(rule, Match) and rule.step in steps
        )
        for inspection in layout.inspections
    }
    return {inspection: rules for inspection, rules in tying.items() if rules}


def another_file(
    subject: Subject, layout: Layout, records: Mapping[str, Record], budget: Budget
) -> ArtifactDigestMismatch | None:
    """Say that the chain made another file of this name, where that is why an inspection failed.

    The rules of the inspection only say that they do not know the file. ``records`` holds what
    was reported of every step and inspection of ``layout``.
    """
    for inspection, rules in deciding_inspections(layout).items():
        for rule in rules:
            if rule.source_prefix:
                continue
            name = as_folder(rule.destination_prefix) + subject.filename
            record = records[rule.step]
            made = record.side(rule.destination).get(name)
            if made is None or made.get("sha256") in {None, subject.sha256}:
                continue
            place = f"step {rule.step}, {rule.destination}"
            try:
                _check_digest(subject, name, made, record, place)
            except ArtifactDigestMismatch as error:
                if foreign := _foreign_member(subject, inspection, records, budget):
                    error.found += f"; it holds {foreign}"
                return error
    return None


def _foreign_member(
    subject: Subject, inspection: Inspection, records: Mapping[str, Record], budget: Budget
) -> str:
    """Name what the inspection found in the file, and its rules do not know; empty for nothing."""
    record = records[inspection.name]
    products = {n: digests for n, digests in record.products.items() if n != subject.filename}
    inside = replace(record, products=products)
    try:
        check_item(
            replace(inspection, expected_materials=()), {**records, inspection.name: inside}, budget
        )
    except RuleViolated as violation:
        return violation.found
    return ""


def binding_step(layout: Layout, trust: Trust) -> str:
    """Return the name of the step that must carry the file, when no inspection decides."""
    return trust.binds or layout.steps[-1].name


def nearness(subject: Subject, record: Record) -> int:
    """Rank what a link says about the file: 0 this file, 1 its name only, 2 nothing."""
    rank = 2
    for artifacts in (record.products, record.materials):
        for name, digests in artifacts.items():
            if name.endswith(subject.filename) and last_segment(name) == subject.filename:
                if digests.get("sha256") == subject.sha256:
                    return 0
                rank = 1
    return rank


def _bind_by_inspection(
    subject: Subject,
    inspection: Inspection,
    rules: Sequence[Match],
    records: Mapping[str, Record],
    budget: Budget,
) -> Binding:
    place = f"inspection {inspection.name}"
    found = records[inspection.name].materials.get(subject.filename)
    if found is None:
        raise ArtifactNotBound(
            "The inspection did not see the file", expected=subject.filename, place=place
        )
    # The file was read again for the inspection; it is still the one that was asked about.
    _check_digest(subject, subject.filename, found, records[inspection.name], place)
    rule = consumers(inspection, "materials", frozenset({subject.filename}), records, budget).get(
        subject.filename
    )
    if rule is None or rule not in rules:
        wanted = [f"`{shown_rule(rule)}`" for rule in rules]
        raise ArtifactNotBound(
            "The evidence is not about this file: the inspection does not find it there",
            expected=f"the file consumed by {' or '.join(wanted[:NAMED])}",
            found=f"sha256 {subject.sha256}, "
            + (f"consumed by `{shown_rule(rule)}`" if rule else "not there"),
            place=f"{place}, expected_materials",
        )
    return Binding(place=place, artifact=subject.filename, rule=rule)


def _bind_by_step(
    subject: Subject, step: Step, records: Mapping[str, Record], budget: Budget
) -> Binding:
    record = records[step.name]
    # 3. "every product whose last path segment is this filename has this sha256"; "Only when no
    # product has the name are materials looked at."
    sides: tuple[Side, Side] = ("products", "materials")
    for side in sides:
        names, note = _names_of(subject, record.side(side), step, side)
        if names:
            break
    else:
        if step.expected_predicates:
            raise about_something_else(step, record, subject)
        raise ArtifactNotBound(
            f"The evidence is not about this file: the step {step.name} did not report it",
            expected=f"{shown(subject.filename)}, sha256 {subject.sha256}, among its products",
            found=_what_there_is(record),
            place=f"step {step.name}",
        )
    place = f"step {step.name}, {side}"
    for name in names:
        _check_digest(subject, name, record.side(side)[name], record, place)
    # 4. "The entry must have been consumed by an explicit CREATE, MODIFY, MATCH or ALLOW (for
    # materials: MATCH)."
    enough: tuple[type[Rule], ...] = (Create, Modify, Match, Allow)
    if side == "materials":
        enough = (Match, Allow) if only_informs(step) else (Match,)
    consumed = consumers(step, side, frozenset(names), records, budget)
    bound = [(name, rule) for name in names if isinstance(rule := consumed.get(name), enough)]
    if not bound:
        raise ArtifactNotBound(
            f"No rule of the step {step.name} speaks of this file",
            expected=f"a rule {_any_of(enough)} that fits {shown(names[0])}",
            found="none but the ALLOW * that every list of rules ends with unsaid"
            if names[0] not in consumed
            else f"`{shown_rule(consumed[names[0]])}`",
            advice="Ask the project owner for a layout whose rules name the file.",
            place=place,
        )
    # Several entries are the same bytes; one that a scoped rule consumed says the most.
    bound.sort(key=lambda entry: not _is_scoped(subject, entry[1]))
    return Binding(
        place=place, artifact=bound[0][0], rule=bound[0][1], notes=(note,) if note else ()
    )


def _any_of(rules: Sequence[type[Rule]]) -> str:
    *others, last = [rule.__name__.upper() for rule in rules]
    return f"{', '.join(others)} or {last}" if others else last


def _names_of(
    subject: Subject, artifacts: Mapping[str, Digests], step: Step, side: Side
) -> tuple[tuple[str, ...], str]:
    """Return which artifacts are the file by name, and a note when the name was not exact."""
    # In one order, whatever the order in which the link lists them.
    exact = tuple(
        sorted(
            name
            for name in artifacts
            if name.endswith(subject.filename) and last_segment(name) == subject.filename
        )
    )
    if exact:
        return exact, ""
    # "else, if exactly one candidate parses to the same name, version, build tag and tags, that
    # one, with a note".
    wanted = parsed(subject.filename)
    if wanted is None:
        return (), ""
    same = [name for name in artifacts if parsed(last_segment(name)) == wanted]
    if len(same) > 1:
        raise ArtifactNotBound(
            f"Several {side} are {shown(subject.filename)} under another spelling",
            expected="one of them, or the exact filename",
            found=", ".join(shown(name) for name in sorted(same)[:NAMED]),
            place=f"step {step.name}, {side}",
        )
    if not same:
        return (), ""
    return (same[0],), f"{shown(same[0])} was taken for {shown(subject.filename)}"


def _check_digest(
    subject: Subject, name: str, digests: Digests, record: Record, place: str
) -> None:
    # "The file is bound by sha256, present and right."
    found = digests.get("sha256")
    origin = f" ({record.origin})" if record.origin else ""
    if found is None:
        raise ArtifactNotBound(
            f"{shown(name)} is reported without a sha256",
            expected=f"sha256 {subject.sha256}",
            found=f"{_listed(digests)}{origin}",
            place=place,
        )
    if found != subject.sha256:
        raise ArtifactDigestMismatch(
            "The evidence is about another file of this name",
            expected=f"sha256 {found}, as reported of {shown(name)}{origin}",
            found=f"sha256 {subject.sha256}",
            place=place,
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in sorted(names)[:NAMED]) or "nothing"


def _what_there_is(record: Record) -> str:
    names = sorted(record.products)
    files = [name for name in names if name.endswith((".whl", ".tar.gz", ".zip"))]
    origin = f" ({record.origin})" if record.origin else ""
    count = "1 product" if len(names) == 1 else f"{len(names)} products"
    return f"{count}: {_listed(files or names)}{origin}"


def _check_scope(subject: Subject, binding: Binding, trust: Trust) -> None:
    # 6. "Where the layout keys serve more than one project, the rule that consumed the file must
    # be scoped"; "or `layout-sha256` pins it".
    if not trust.shared_keys or trust.layout_sha256 or _is_scoped(subject, binding.rule):
        return
    raise LayoutNotForProject(
        "The owner's keys also serve other projects, and nothing in the layout says that it is for"
        f" {subject.project}",
        expected=f"a rule for file names that begin with {shown(subject.distribution + '-')}",
        found=f"`{shown_rule(binding.rule)}`",
        place=binding.place,
    )


def _is_scoped(subject: Subject, rule: Rule) -> bool:
    """Tell whether the last segment of the rule's pattern begins with the name and ``-``."""
    if not isinstance(rule, (Create, Modify, Match, Allow)) or not subject.distribution:
        return False
    return literal_start_of_last_segment(rule.pattern).startswith(f"{subject.distribution}-")
