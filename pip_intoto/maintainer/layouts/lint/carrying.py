"""Whether the chain carries the file that is installed: the six rules of binding, seen ahead.

What :mod:`pip_intoto.verification.binding` will ask of a file is asked here of all files that a
project could release, by the patterns of their names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pip_intoto.maintainer.layouts.lint.findings import (
    RuleList,
    Severity,
    is_informational,
    place_of,
)
from pip_intoto.maintainer.layouts.reach import is_everything, opened, reach
from pip_intoto.metadata.rules import Allow, Create, Disallow, Match, Modify
from pip_intoto.policy.file import canonical_name
from pip_intoto.verification.artifact_rules import shown_rule
from pip_intoto.verification.binding import deciding_inspections
from pip_intoto.verification.inspections import Unpack, recognise
from pip_intoto.verification.patterns import escape, literal_start_of_last_segment, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pip_intoto.maintainer.layouts.lint.findings import Finding, Subject
    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.metadata.rules import Rule

_ENDINGS = (".whl", ".tar.gz", ".zip")
_SEPARATORS = "-_."
#: A layout that a consumer holds may leave the file's name to the policy (`parameters`).
_THE_FILE = "{filename}"
#: Folders of which one may believe that releases lie there, where a rule takes all of a folder.
_OF_RELEASES = {
    "dist",
    "build",
    "out",
    "output",
    "public",
    "release",
    "releases",
    "wheelhouse",
    "wheels",
}


def look_at_carrying(subject: Subject) -> Iterator[Finding]:
    """Which rule would bind the file, and whether it names the project."""
    deciding = deciding_inspections(subject.layout)
    yield from _unpacking(subject)
    # 1. "every such inspection must consume the file by one of them. This decides."
    for index, inspection in enumerate(subject.layout.inspections):
        if inspection not in deciding:
            continue
        rules = RuleList(inspection, index, "materials")
        takers = _takers(rules, _files_of(inspection, subject), subject)
        binding = [rule for rule in takers if rule in deciding[inspection]]
        if binding:
            yield from _scope(rules, binding, subject)
            continue
        yield rules.at.finding(
            "file-not-carried",
            Severity.ERROR,
            "the inspection has MATCH rules, and none of them takes the file",
            why="Where inspections MATCH the file against a step, each of them must find it"
            " there (rule 1 of binding). This one never does, so that nothing is installed.",
            instead=f"MATCH {_example(subject)} WITH PRODUCTS FROM {subject.layout.steps[-1].name},"
            " before any other rule for it",
        )
    if not deciding:
        yield from _last_step(subject)
    if not any(_looks_inside(inspection, subject) for inspection in subject.layout.inspections):
        name = subject.layout.steps[0].name
        yield place_of(subject.layout.steps[-1], len(subject.layout.steps) - 1).finding(
            "wheel-not-inspected",
            Severity.NOTE,
            "no inspection holds the content of the wheel against the sources",
            why="The chain then says which wheel it is, but what is in it is the word of whoever"
            " builds.",
            instead=f'[[inspection]] with run = ["unzip", "-q", "{_example(subject)}", "-d",'
            f' "wheel"] and MATCH … IN wheel WITH PRODUCTS FROM {name}',
        )


def _last_step(subject: Subject) -> Iterator[Finding]:
    # 2. "Otherwise the binding step is the policy's `binds`, else the last of `steps`".
    index = len(subject.layout.steps) - 1
    step = subject.layout.steps[index]
    files = tuple(_file_names(subject))
    # 3. "Only when no product has the name are materials looked at"; 4. "an explicit CREATE,
    # MODIFY, MATCH or ALLOW (for materials: MATCH)".
    products = RuleList(step, index, "products")
    takers = _takers(products, files, subject)
    if takers:
        yield from _scope(products, takers, subject)
        return
    materials = RuleList(step, index, "materials")
    takers = [
        rule
        for rule in _takers(materials, files, subject)
        if (isinstance(rule, Match) and _is_reported(rule, files, subject))
        # ADR 17: what a statement that only says something is about, it is about.
        or (isinstance(rule, Allow) and is_informational(step))
    ]
    if takers:
        yield from _scope(materials, takers, subject)
        return
    yield place_of(step, index).finding(
        "file-not-carried",
        Severity.ERROR,
        "this is the last step, and no rule of it takes the file that is installed",
        why="Unless an inspection does, the last step must speak of the file by an explicit rule"
        " (rules 2 to 5 of binding); what merely is not forbidden is artifact-not-bound.",
        instead=f'products = ["CREATE {_example(subject)}", "DISALLOW *"]; a policy may name'
        " another step with `binds`",
    )


def _takers(rules: RuleList, files: Iterable[str], subject: Subject) -> list[Rule]:
    """The rules that may consume one of the files before a rule forbids it.

    A step may have made it in whatever folder; what is unpacked has none.
    """
    found: list[Rule] = []
    for file in files:
        for rule in rules.rules:
            name = opened(reach(rule))
            if not rules.is_of_inspection:
                name = _last_segment(name)
            if isinstance(rule, Disallow):
                if subject.covers(rule.pattern, file):
                    break
            elif _consumes(rule, rules) and subject.meets(name, file):
                if rule not in found:
                    found.append(rule)
                # What it always takes, no later rule sees.
                if isinstance(rule, Allow) and subject.covers(rule.pattern, file):
                    break
    return found


def _is_reported(rule: Match, files: Iterable[str], subject: Subject) -> bool:
    """Whether the step that a MATCH is about may report a release, and not only the source."""
    for index, step in enumerate(subject.layout.steps):
        if step.name == rule.step:
            takers = _takers(RuleList(step, index, rule.destination), files, subject)
            return any(not _is_folder_of_source(taker) for taker in takers)
    return False


def _last_segment(pattern: str) -> str:
    found = parts(pattern)
    slashes = [at for at, part in enumerate(found) if part == "/"]
    return "".join(found[slashes[-1] + 1 :] if slashes else found)


def _is_folder_of_source(rule: Rule) -> bool:
    """Whether a rule takes all of a folder, and not of one for releases."""
    folder, slash, last = reach(rule).rpartition("/")
    return bool(slash) and is_everything(last) and folder not in _OF_RELEASES


def _consumes(rule: Rule, rules: RuleList) -> bool:
    if isinstance(rule, (Match, Allow)):
        return True
    # What an inspection looks at was there before: it is neither created nor modified.
    return (
        isinstance(rule, (Create, Modify))
        and rules.side == "products"
        and (not rules.is_of_inspection)
    )


# --- the files of a project -----------------------------------------------------------------


def _spellings(subject: Subject) -> list[str]:
    """How the layout spells the project in the names of files; all spellings, if it does not."""
    starts = (
        literal_start_of_last_segment(reach(rule))
        for rules in subject.lists()
        for rule in rules.rules
    )
    found = dict.fromkeys(
        start[:at]
        for start in starts
        for at, character in enumerate(start)
        if character == "-" and canonical_name(start[:at]) == subject.project
    )
    return [escape(name) for name in found] or ["".join(map(_any_spelling, subject.project))]


def _any_spelling(character: str) -> str:
    if character == "-":
        return f"[{_SEPARATORS}]"
    return f"[{character.upper()}{character}]" if character.isalpha() else character


def _file_names(subject: Subject) -> Iterator[str]:
    """Patterns of the files that the project may release."""
    starts = [f"{name}-" for name in _spellings(subject)] if subject.project else [""]
    for ending in _ENDINGS:
        for start in starts:
            yield f"{start}*{ending}"


def _files_of(inspection: Inspection, subject: Subject) -> tuple[str, ...]:
    """Patterns of the files that an inspection is about."""
    native = recognise(inspection.run)
    files = tuple(_file_names(subject))
    if not isinstance(native, Unpack):
        return files
    return tuple(file for file in files if _is_about(native, file, subject)) or files


def _is_about(native: Unpack, file: str, subject: Subject) -> bool:
    """Whether an unpacking may be about one of the files."""
    name = native.archive.removeprefix("./")
    # Only unzip reads it as a pattern; and no release has such characters in its name.
    if not native.wildcards and escape(name) != name:
        return False
    return subject.meets(opened(name), file)


def _example(subject: Subject) -> str:
    return f"{subject.project.replace('-', '_') or 'demo'}-*.whl"


# --- unpacking ------------------------------------------------------------------------------


def _unpacking(subject: Subject) -> Iterator[Finding]:
    for index, inspection in enumerate(subject.layout.inspections):
        native = recognise(inspection.run)
        if not isinstance(native, Unpack):
            continue
        at = place_of(inspection, index)
        files = [file for file in _file_names(subject) if _is_about(native, file, subject)]
        if not files:
            yield at.finding(
                "inspection-of-other-file",
                Severity.ERROR,
                f"{native.archive} is not the name of any file that the project releases",
                why="An inspection that unpacks another file than the one in hand fails."
                + ("" if native.wildcards else " Only unzip reads the name as a pattern."),
                instead=f'run = ["unzip", "-q", "{_example(subject)}", "-d", "wheel"]',
            )
            continue
        # The file itself is among the products of unpacking it.
        products = RuleList(inspection, index, "products")
        if products.rules and not _takers(products, files, subject):
            forbidding = next(
                (
                    each
                    for each, rule in enumerate(products.rules)
                    if isinstance(rule, Disallow)
                    and any(subject.covers(rule.pattern, file) for file in files)
                ),
                None,
            )
            if forbidding is not None:
                rule = products.rules[forbidding]
                yield products.at_rule(forbidding).finding(
                    "inspection-forbids-file",
                    Severity.ERROR,
                    f"`{shown_rule(rule)}` forbids the file itself, which lies beside what comes"
                    " out of it",
                    why="After unpacking, the archive is still there, and no rule before this one"
                    " takes it: every verification fails.",
                    instead=f"MATCH {_example(subject)} WITH PRODUCTS FROM"
                    f" {subject.layout.steps[-1].name}, before it",
                )


def _looks_inside(inspection: Inspection, subject: Subject) -> bool:
    native = recognise(inspection.run)
    return (native is None or isinstance(native, Unpack)) and any(
        isinstance(rule, Match) and rule.step in subject.steps
        for rule in inspection.expected_products
    )


# --- rule 6 ---------------------------------------------------------------------------------


def _scope(rules: RuleList, binding: Iterable[Rule], subject: Subject) -> Iterator[Finding]:
    for rule in binding:
        if not isinstance(rule, (Create, Modify, Match, Allow)):
            continue
        at = rules.at_rule(rules.rules.index(rule))
        if rule.pattern == _THE_FILE:
            continue
        if _names_project(literal_start_of_last_segment(rule.pattern), subject.project):
            continue
        if _names_project(literal_start_of_last_segment(_plain(rule.pattern)), subject.project):
            yield at.finding(
                "scope-in-brackets",
                Severity.NOTE,
                f"`{shown_rule(rule)}` names the project by a set of characters",
                why="It fits all spellings. But where a consumer trusts the same owner for"
                " several projects, only a name that stands there letter by letter counts (rule"
                " 6 of binding).",
                instead=f"{_example(subject)}, and a second rule for the other spelling",
            )
            continue
        yield at.finding(
            "not-scoped",
            Severity.WARNING,
            f"`{shown_rule(rule)}` does not say of which project the file is",
            why="Where a consumer trusts the same owner for several projects, evidence of one of"
            " them could be served for another; so it is refused, as layout-not-for-project (rule"
            " 6 of binding).",
            instead=str(rule).replace(rule.pattern, _example(subject), 1),
        )


def _names_project(start: str, project: str) -> bool:
    """Whether a pattern's last segment, which begins so, begins with the project and ``-``."""
    if not project:
        return re.match(r"[A-Za-z0-9][A-Za-z0-9._]*-", start) is not None
    ends = (at for at, character in enumerate(start) if character == "-")
    return any(canonical_name(start[:end]) == project for end in ends)


def _plain(pattern: str) -> str:
    """The pattern with sets of one character in several spellings taken for that character."""
    return "".join(_one_of(part) if len(part) > 1 else part for part in parts(pattern))


def _one_of(part: str) -> str:
    members = {canonical_name(character) for character in part[1:-1]}
    return members.pop() if len(members) == 1 and "!" not in part else part
