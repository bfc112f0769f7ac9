"""The lists of rules, each by itself: what they leave open, and what in them does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.maintainer.layouts.lint.findings import Severity, place_of
from pip_intoto.maintainer.layouts.reach import is_everything, opened, reach
from pip_intoto.metadata.layout import Inspection, Step
from pip_intoto.metadata.rules import Allow, Create, Delete, Disallow, Match, Modify, Require
from pip_intoto.verification.artifact_rules import as_folder, shown_rule
from pip_intoto.verification.inspections import Unpack, as_listed, recognise
from pip_intoto.verification.patterns import compile_pattern, escape, literal_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.maintainer.layouts.lint.findings import Finding, RuleList, Subject
    from pip_intoto.metadata.rules import Rule

_DIST_INFO = ".dist-info/"


def look_at_rules(subject: Subject) -> Iterator[Finding]:
    """Everything about rules that does not need to know which file is to be carried."""
    for rules in subject.lists():
        yield from _open(rules, subject)
        yield from _effect(rules, subject)
        yield from _matches(rules, subject)
        yield from _reachable(rules, subject)
        if rules.is_of_inspection and rules.side == "products":
            yield from _members(rules, subject)
        if not rules.is_of_inspection and rules.side == "materials":
            yield from _unbound(rules, subject)
    yield from _connected(subject)
    for index, inspection in enumerate(subject.layout.inspections):
        if recognise(inspection.run) is None:
            yield place_of(inspection, index).finding(
                "inspection-not-native",
                Severity.WARNING,
                f"{as_listed(inspection.run)} would have to be run by whoever installs",
                why="Commands out of metadata do not run, unless a policy lists exactly these"
                " words; until then every install stops with inspection-not-allowed.",
                instead='run = ["unzip", "-q", "demo-*.whl", "-d", "wheel"], which runs nothing',
            )


# --- open lists -----------------------------------------------------------------------------


def _open(rules: RuleList, subject: Subject) -> Iterator[Finding]:
    first = subject.is_first(rules)
    everything = False
    for index, rule in enumerate(rules.rules):
        if isinstance(rule, Disallow) and is_everything(rule.pattern):
            return
        # R4, R1: what they take is not held against anything.
        if isinstance(rule, Allow) and is_everything(rule.pattern) and not first:
            everything = True
            yield rules.at_rule(index).finding(
                "allows-everything",
                Severity.ERROR,
                f"`{shown_rule(rule)}` lets in whatever is there",
                why="What no rule ties to another step may be anything; all rules behind this one"
                " find nothing left.",
                instead="rules that name what is expected, and then DISALLOW *",
            )
        elif isinstance(rule, Create) and is_everything(rule.pattern) and rules.side == "products":
            last = not rules.is_of_inspection and rules.item is subject.layout.steps[-1]
            if last or rules.is_of_inspection:
                yield rules.at_rule(index).finding(
                    "allows-everything",
                    Severity.WARNING,
                    f"`{shown_rule(rule)}` lets in whatever is new",
                    why="The rule says nothing of which files there should be: one more, in the"
                    " same place, is as welcome.",
                    instead="CREATE demo-*.whl, and then DISALLOW *",
                )
    if everything:
        return
    # R8: "There is an implicit "ALLOW *" at the end of each rule list."
    harmless = first or (rules.is_of_inspection and rules.side == "materials")
    # One statement may be about all files of a release.
    harmless = harmless or (isinstance(rules.item, Step) and bool(rules.item.expected_predicates))
    yield rules.at.finding(
        "open-rules",
        Severity.WARNING if harmless else Severity.ERROR,
        f"the rules do not end with DISALLOW *{'' if rules.rules else ': there are none'}",
        why="in-toto allows whatever no rule speaks of, so that a file nobody expected changes"
        " nothing.",
        instead=f'{rules.side} = [{"…, " if rules.rules else ""}"DISALLOW *"]',
    )


def _unbound(rules: RuleList, subject: Subject) -> Iterator[Finding]:
    if subject.is_first(rules):
        return
    for index, rule in enumerate(rules.rules):
        if isinstance(rule, Allow) and not is_everything(rule.pattern):
            yield rules.at_rule(index).finding(
                "unbound-materials",
                Severity.WARNING,
                f"`{shown_rule(rule)}` lets the step use what no earlier step has made",
                why="Whoever can put such a file where the step is carried out decides what goes"
                " into the release, without any signature.",
                instead=f"MATCH {rule.pattern} WITH PRODUCTS FROM {subject.layout.steps[0].name}",
            )


# --- what does nothing ----------------------------------------------------------------------


def _effect(rules: RuleList, subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(rules.rules):
        # "CREATE in materials / DELETE in products never consume": created is what is only
        # among the products.
        wrong = Create if rules.side == "materials" else Delete
        if isinstance(rule, wrong):
            instead = "MATCH … FROM …, or ALLOW" if wrong is Create else "DELETE in the materials"
            yield rules.at_rule(index).finding(
                "rule-without-effect",
                Severity.WARNING,
                f"`{shown_rule(rule)}` never finds anything among {rules.side}",
                why="What a step has created is among its products only, what it has deleted"
                " among its materials only.",
                instead=instead,
            )
    native = recognise(rules.item.run) if isinstance(rules.item, Inspection) else None
    if not isinstance(native, Unpack) or rules.side != "products" or not native.folder:
        return
    # The products of unpacking are the file itself, and what is below the folder.
    below = escape(native.folder)
    for index, rule in enumerate(rules.rules):
        name = opened(reach(rule))
        # What has no folder is for the file itself.
        if isinstance(rule, (Disallow, Delete)) or "/" not in name:
            continue
        if not subject.meets(name, f"{below}*"):
            yield rules.at_rule(index).finding(
                "rule-without-effect",
                Severity.WARNING,
                f"`{shown_rule(rule)}` finds nothing: all members lie below {native.folder}",
                why="A rule that finds nothing ties nothing; what it was meant for is forbidden"
                " by a DISALLOW *, or let in without one.",
                instead=f"the same below {below}",
            )


# --- MATCH ----------------------------------------------------------------------------------


def _matches(rules: RuleList, subject: Subject) -> Iterator[Finding]:
    names = [step.name for step in subject.layout.steps]
    inspections = [inspection.name for inspection in subject.layout.inspections]
    for index, rule in enumerate(rules.rules):
        if not isinstance(rule, Match):
            continue
        at = rules.at_rule(index)
        known = names + (inspections if rules.is_of_inspection else [])
        if rule.step not in known:
            an_inspection = rule.step in inspections
            yield at.finding(
                "match-unknown-step",
                Severity.ERROR,
                f"`{shown_rule(rule)}` is about an inspection, which comes after all steps"
                if an_inspection
                else f"`{shown_rule(rule)}` is about a step that the layout does not have",
                # R11
                why="Such a rule finds nothing, so that what it should let through is forbidden"
                " by the DISALLOW * behind it.",
                instead=f"FROM {' or '.join(names)}",
            )
        elif rule.step == rules.item.name:
            same = as_folder(rule.source_prefix) == as_folder(rule.destination_prefix)
            if rule.destination == rules.side and same:
                yield at.finding(
                    "match-itself",
                    Severity.ERROR,
                    f"`{shown_rule(rule)}` compares the {rules.side} with themselves",
                    why="They are always equal: the rule lets in whatever the pattern fits.",
                    instead="FROM the step that has made them",
                )
        elif known.index(rule.step) > known.index(rules.item.name):
            yield at.finding(
                "match-later-step",
                Severity.WARNING,
                f"`{shown_rule(rule)}` is about a step that comes later",
                why="A step uses what earlier ones have made. Said the other way round, the later"
                " step is not held to anything: its own rules should name this one.",
                instead=f"in {rule.step}: MATCH {rule.pattern} WITH {rules.side.upper()} FROM"
                f" {rules.item.name}",
            )


def _connected(subject: Subject) -> Iterator[Finding]:
    if len(subject.layout.steps) == 1:
        return
    named = {
        (rules.item.name, rule.step)
        for rules in subject.lists()
        for rule in rules.rules
        if isinstance(rule, Match) and rule.step != rules.item.name
    }
    for index, step in enumerate(subject.layout.steps):
        if not any(step.name in pair for pair in named):
            yield place_of(step, index).finding(
                "unconnected-step",
                Severity.WARNING,
                "no rule ties this step to another",
                why="It is carried out beside the chain: what it used and made has nothing to do"
                " with the file that is installed.",
                instead=f"MATCH … WITH PRODUCTS FROM {step.name}, in a step or inspection; or, in"
                " this one, FROM another",
            )


# --- rules that no name reaches -------------------------------------------------------------


def _reachable(rules: RuleList, subject: Subject) -> Iterator[Finding]:
    # R7: "applied sequentially": what an earlier rule always takes, no later one finds.
    literal: dict[str, list[int]] = {}
    patterns: list[int] = []
    for index, rule in enumerate(rules.rules):
        name = reach(rule)
        exact = compile_pattern(name).literal
        earlier = sorted([*literal.get(name, ()), *patterns])
        by = next((each for each in earlier if _takes(rules.rules[each], rule, subject)), None)
        if by is not None:
            yield from _unreachable(rules, index, by)
        if exact is None:
            patterns.append(index)
        else:
            literal.setdefault(name, []).append(index)


def _takes(earlier: Rule, later: Rule, subject: Subject) -> bool:
    """Whether nothing that ``later`` could find is left behind ``earlier``."""
    if isinstance(earlier, (Allow, Disallow)):
        # R5: had DISALLOW found something, verification would have failed.
        return subject.covers(earlier.pattern, reach(later))
    if isinstance(earlier, Match):
        return (
            isinstance(later, Match)
            and _of_match(earlier) == _of_match(later)
            and subject.covers(earlier.pattern, later.pattern)
        )
    # R6: REQUIRE consumes nothing.
    if isinstance(earlier, Require):
        return False
    return type(earlier) is type(later) and subject.covers(earlier.pattern, reach(later))


def _of_match(rule: Match) -> tuple[str, str, str, str]:
    prefixes = as_folder(rule.source_prefix), as_folder(rule.destination_prefix)
    return (*prefixes, rule.destination, rule.step)


def _unreachable(rules: RuleList, index: int, by: int) -> Iterator[Finding]:
    rule, earlier = rules.rules[index], rules.rules[by]
    if isinstance(rule, Require):
        yield rules.at_rule(index).finding(
            "require-never-met",
            Severity.ERROR,
            f"`{shown_rule(rule)}` always fails: {rules.side}[{by}], `{shown_rule(earlier)}`, comes"
            " first",
            # R6
            why="What is required must still be there: an earlier rule has taken or forbidden it.",
            instead=f"the same before {rules.side}[{by}]; REQUIRE takes nothing away",
        )
        return
    # That ALLOW * leaves nothing to forbid is said where it stands.
    if isinstance(earlier, Allow) and is_everything(earlier.pattern):
        return
    yield rules.at_rule(index).finding(
        "unreachable-rule",
        Severity.WARNING,
        f"`{shown_rule(rule)}` never finds anything: {rules.side}[{by}], `{shown_rule(earlier)}`,"
        " comes first",
        why="Rules are applied one after the other, and what one of them takes, no other sees."
        " A DISALLOW that comes too late forbids nothing.",
        instead=f"the same before {rules.side}[{by}], or no such rule",
    )


# --- members of the wheel -------------------------------------------------------------------


def _members(rules: RuleList, subject: Subject) -> Iterator[Finding]:
    for index, rule in enumerate(rules.rules):
        if not isinstance(rule, (Allow, Create, Modify)) or is_everything(rule.pattern):
            continue
        pattern = rule.pattern
        at = rules.at_rule(index)
        inside = pattern.partition(_DIST_INFO)[2]
        if _DIST_INFO in pattern and not {"*", "?", "["}.isdisjoint(inside):
            yield at.finding(
                "dist-info-pattern",
                Severity.ERROR,
                f"`{shown_rule(rule)}` lets in more than metadata",
                # P1
                why="A star stands for slashes, too: any file in any folder below a directory of"
                " that name would do, and entry_points.txt, which says what runs.",
                instead="one rule for each file, by name: METADATA, WHEEL, RECORD; MATCH for"
                " entry_points.txt",
            )
        elif pattern.endswith(("*", "*.py", ".pth", "entry_points.txt")) and not _is_the_file(
            rule, rules, subject
        ):
            yield at.finding(
                "unbound-members",
                Severity.WARNING,
                f"`{shown_rule(rule)}` lets members into the wheel that nothing ties to the source",
                why="Whoever builds may put anything there, and it runs where it is installed.",
                instead="MATCH … IN wheel WITH PRODUCTS IN src FROM "
                f"{subject.layout.steps[0].name}; generated files by name",
            )
        elif _DIST_INFO not in pattern and (found := _spread_out(index, rules, subject)):
            yield at.finding(
                "unbound-members",
                Severity.WARNING,
                f"`{shown_rule(rule)}` lets in members of {found}",
                why="pip takes folders apart whose names end so, and puts what is in them outside"
                " the packages: beside other projects, or on the PATH.",
                instead=f"DISALLOW {found} before it",
            )


def _spread_out(index: int, rules: RuleList, subject: Subject) -> str:
    """The pattern of a wheel's `….data/` that a rule reaches, and no earlier one forbids."""
    native = recognise(rules.item.run) if isinstance(rules.item, Inspection) else None
    if not isinstance(native, Unpack):
        return ""
    folder = escape(native.folder)
    pattern = opened(reach(rules.rules[index]))
    head = literal_start(pattern.removeprefix(folder))
    if not pattern.startswith(folder) or "/" in head:
        return ""
    reached = [f"{folder}{head}*.data/*", *([f"{folder}{head}data/*"] if head[-1:] == "." else [])]
    forbidden = [rule.pattern for rule in rules.rules[:index] if isinstance(rule, Disallow)]
    return next(
        (
            each
            for each in reached
            if subject.meets(pattern, each)
            and not any(subject.covers(wide, each) for wide in forbidden)
        ),
        "",
    )


def _is_the_file(rule: Rule, rules: RuleList, subject: Subject) -> bool:
    """Whether a rule is for the file that is unpacked, which is among the products as well."""
    native = recognise(rules.item.run) if isinstance(rules.item, Inspection) else None
    if not isinstance(native, Unpack) or not native.folder:
        return False
    return not subject.meets(opened(reach(rule)), f"{escape(native.folder)}*")
