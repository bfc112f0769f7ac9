"""The layout source: the chain as people write it, in TOML.

A source names keys by name and rules by their words; a layout has key ids and lists. What is wrong
with a source as a text is an error here, with file and line; what is unwise about the chain that
it describes is for :mod:`pip_intoto.maintainer.layouts.lint` to say.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError, MetadataMalformed
from pip_intoto.limits import DEFAULT, LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.layouts.expiry import Period, end_of
from pip_intoto.maintainer.predicate_types import predicate_type
from pip_intoto.metadata.names import check_step_name
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.rules import parse_rule
from pip_intoto.policy.file import project_name
from pip_intoto.policy.named_identities import read_identities, signers_named
from pip_intoto.policy.named_keys import keys_named, read_keys, threshold_of
from pip_intoto.policy.tables import Kind, parse
from pip_intoto.policy.vocabulary import IDENTITY, KEY, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pip_intoto.maintainer.layouts.expiry import Expiry
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.policy.model import NamedIdentity, NamedKey, Signer
    from pip_intoto.policy.tables import Table, Value

#: Where a project's source lies, unless somebody says otherwise.
DEFAULT_NAME = "supply-chain.toml"
SUFFIX = ".toml"

TOP = (
    "version",
    "project",
    "expires",
    "envelope",
    "readme",
    "owners",
    "keys",
    "identities",
    "step",
    "inspection",
)
OWNERS = ("keys", "threshold")
STEP = (
    "name",
    "functionaries",
    "threshold",
    "command",
    "materials",
    "products",
    "conditions",
    "statement",
)
STATEMENT = ("predicate", "functionaries", "threshold", "conditions")
INSPECTION = ("name", "run", "materials", "products", "conditions")

_KIND = Kind(
    noun="layout source",
    example='project = "demo"',
    error=CommandError,
    syntax=CommandError,
    tables=(
        ("at the top of the file, before the first [table]", TOP),
        ("in [owners]", OWNERS),
        ("in a [[step]]", STEP),
        ("in an [[inspection]]", INSPECTION),
        ("in a [[step.statement]]", STATEMENT),
        ("in a [keys.…]", KEY),
        ("in an [identities.…]", IDENTITY),
    ),
)
_KEYWORDS = ("create", "delete", "modify", "allow", "disallow", "require", "match")


# --- the source as values -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRule:
    """An artifact rule, and the line where it stands."""

    rule: Rule
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatement:
    """One ``[[step.statement]]``: a kind of statement that the step must come with.

    ``predicate_type`` is a URI, ``conditions`` are expressions in CEL.
    """

    predicate_type: str
    functionaries: tuple[Signer, ...]
    threshold: int
    conditions: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStep:
    """One ``[[step]]``. One with ``statements`` has no functionaries of its own."""

    name: str
    functionaries: tuple[Signer, ...]
    threshold: int
    command: tuple[str, ...]
    materials: tuple[SourceRule, ...]
    products: tuple[SourceRule, ...]
    conditions: tuple[str, ...]
    statements: tuple[SourceStatement, ...]
    line: int

    @property
    def everybody(self) -> tuple[Signer, ...]:
        """All who may sign something for it, each once."""
        named = [
            *self.functionaries,
            *(who for each in self.statements for who in each.functionaries),
        ]
        return tuple({each.name: each for each in named}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInspection:
    """One ``[[inspection]]``."""

    name: str
    run: tuple[str, ...]
    materials: tuple[SourceRule, ...]
    products: tuple[SourceRule, ...]
    conditions: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutSource:
    """A checked layout source.

    ``project`` is the PEP 503 name. ``expires`` is counted from when the layout is built, or an
    aware datetime. ``threshold`` of the principals behind ``owners`` are to sign the layout.
    """

    path: Path
    project: str
    expires: Expiry
    envelope: authoring.Envelope
    readme: str
    owners: tuple[NamedKey, ...]
    threshold: int
    keys: Mapping[str, NamedKey]
    identities: Mapping[str, NamedIdentity]
    steps: tuple[SourceStep, ...]
    inspections: tuple[SourceInspection, ...]

    def line_of(self, place: str) -> int:
        """The line of a place in the layout: ``steps[2].expected_products[0]``; 1 for others.

        That of a list of rules is where its last rule stands.
        """
        matched = _PLACE.match(place)
        if matched is None:
            return 1
        items: tuple[SourceStep | SourceInspection, ...] = (
            self.steps if matched[1] == "steps" else self.inspections
        )
        item = items[int(matched[2])]
        if matched[3] is None:
            return item.line
        index = -1 if matched[4] is None else int(matched[4])
        if matched[3] == "predicates":
            stated = item.statements if isinstance(item, SourceStep) else ()
            return stated[index].line if stated else item.line
        rules = item.materials if matched[3] == "materials" else item.products
        return rules[index].line if rules else item.line


_PLACE = re.compile(
    r"(steps|inspect)\[(\d+)\](?:\.expected_(materials|products|predicates)(?:\[(\d+)\])?)?"
)


# --- from TOML ------------------------------------------------------------------------------


def is_source(path: Path) -> bool:
    """Whether a file is a layout source, by its name."""
    return path.suffix == SUFFIX


def load_source(path: Path) -> LayoutSource:
    """Read a layout source, with the keys that it names.

    Raises CommandError, which names the file and the line.
    """
    missing = "`pip-intoto init` writes one, in the directory of a Python project."
    return parse_source(files.read(path, DEFAULT.policy_bytes, missing=missing), path)


def parse_source(content: bytes, path: Path) -> LayoutSource:
    """Check the bytes of a source that lies at ``path``; keys are relative to it.

    Raises CommandError.
    """
    return _Reader(path, parse(content, path, _KIND)).source()


class _Reader:
    def __init__(self, path: Path, top: Table) -> None:
        self._path = path
        self._top = top
        #: Names of steps and inspections, with their lines.
        self._names: dict[str, int] = {}
        #: Whom steps may name.
        self._named: tuple[Mapping[str, NamedKey], Mapping[str, NamedIdentity]] = ({}, {})

    def source(self) -> LayoutSource:
        top = self._top
        top.check_version()
        top.refuse_unknown(TOP)
        keys = read_keys(top, self._file, DEFAULT)
        self._named = (keys, read_identities(top, keys))
        owners = self._table("owners", OWNERS, "Name the keys of those who sign the layout.")
        signing = keys_named(
            owners.need("keys", "Name the keys of [keys] that sign the layout."), keys, owners.name
        )
        envelope = top.get("envelope")
        forms = [form.value for form in authoring.Envelope]
        return LayoutSource(
            path=self._path,
            project=project_name(top.need("project", 'Write project = "demo".')),
            expires=_expires(top.need("expires", 'Write expires = "1 year".')),
            envelope=authoring.Envelope.DSSE
            if envelope is None
            else authoring.Envelope(envelope.choice(forms)),
            readme=self._readme(),
            owners=signing,
            threshold=threshold_of(
                owners.get("threshold"),
                signing,
                owners.name,
                default=len({key.principal for key in signing}),
            ),
            keys=keys,
            identities=self._named[1],
            steps=self._steps(),
            inspections=tuple(
                self._inspection(value) for value in top.tables("inspection", "inspections")
            ),
        )

    def _file(self, value: Value, what: str, at_most: int) -> tuple[Path, bytes]:
        """Read a file that the source names, relative to the source."""
        path = self._path.parent / value.text()
        try:
            return path, files.read(path, at_most)
        except CommandError as error:
            raise value.error(
                f"{what} cannot be used: {error.message}",
                expected=error.expected,
                found=error.found,
                advice="Correct the path; it is relative to the layout source.",
            ) from None

    def _table(self, key: str, known: tuple[str, ...], why: str) -> Table:
        return self._top.need(key, f"Add a table [{key}]. {why}").table(f"[{key}]", known)

    def _readme(self) -> str:
        value = self._top.get("readme")
        if value is None:
            return ""
        # Several lines are welcome here.
        if not isinstance(value.value, str):
            raise value.wrong_kind("a string")
        return value.value

    # --- steps and inspections ---

    def _steps(self) -> tuple[SourceStep, ...]:
        values = self._top.tables("step", "steps")
        if not values:
            # L6; a chain without steps says nothing of any file.
            raise self._top.whole.error(
                "the layout source has no steps",
                advice="Add a [[step]] for each step of the chain.",
            )
        return tuple(map(self._step, values))

    def _step(self, value: Value) -> SourceStep:
        table = value.table("[[step]]", STEP)
        name = self._name(table)
        table = table.called(f"[[step]] {name}")
        statements = tuple(
            self._statement(each, name) for each in table.tables("statement", "statements")
        )
        if statements:
            _refuse_of_links(table)
        return SourceStep(
            name=name,
            functionaries=() if statements else self._functionaries(table),
            threshold=_threshold(table.get("threshold")),
            command=_words(table.get("command")),
            materials=_rules(table.get("materials")),
            products=_rules(table.get("products")),
            conditions=_conditions(table.get("conditions")),
            statements=statements,
            line=table.line,
        )

    def _statement(self, value: Value, step: str) -> SourceStatement:
        table = value.table("[[step.statement]]", STATEMENT)
        table = table.called(f"[[step.statement]] of {step}")
        kind = table.need("predicate", 'Write predicate = "test-result", or the URI of a type.')
        try:
            type_uri = predicate_type(kind.text())
        except CommandError as error:
            raise kind.error(error.message, expected=error.expected, advice=error.advice) from None
        return SourceStatement(
            predicate_type=type_uri,
            functionaries=self._functionaries(table),
            threshold=_threshold(table.get("threshold")),
            conditions=_conditions(table.get("conditions")),
            line=table.line,
        )

    def _functionaries(self, table: Table) -> tuple[Signer, ...]:
        why = "Name those of [keys] and [identities] that may sign for it."
        return signers_named(table.need("functionaries", why), *self._named, table.name)

    def _inspection(self, value: Value) -> SourceInspection:
        table = value.table("[[inspection]]", INSPECTION)
        name = self._name(table)
        table = table.called(f"[[inspection]] {name}")
        run = table.need("run", 'Write run = ["unzip", "-q", "demo-*.whl", "-d", "wheel"].')
        words = _words(run)
        if not words:
            raise run.error("`run` is an empty array", advice="Say what is to be done.")
        return SourceInspection(
            name=name,
            run=words,
            materials=_rules(table.get("materials")),
            products=_rules(table.get("products")),
            conditions=_conditions(table.get("conditions")),
            line=table.line,
        )

    def _name(self, table: Table) -> str:
        value = table.need("name", 'Write name = "build".')
        name = value.text()
        try:
            check_step_name(Node(name))
        except MetadataMalformed as error:
            raise value.error(
                f'"{name}" cannot be the name of a step: {error.message}', expected=error.expected
            ) from None
        # S2, I2: "MUST be unique", across steps and inspections alike.
        if name in self._names:
            raise value.error(
                f'there is already a step or inspection "{name}", on line {self._names[name]}',
                advice="Give one of them another name.",
            )
        self._names[name] = value.line
        return name


def _refuse_of_links(table: Table) -> None:
    """ITE-10: functionaries, threshold and conditions of statements are each statement's own."""
    for key in ("functionaries", "threshold", "conditions", "command"):
        value = table.get(key)
        if value is not None:
            raise value.error(
                f"`{key}` of {table.name} has no meaning beside [[step.statement]]",
                advice="A command is reported by links alone: leave it out."
                if key == "command"
                else f"Write `{key}` into each [[step.statement]].",
            )


def _conditions(value: Value | None) -> tuple[str, ...]:
    """Expressions in CEL; several lines are welcome. What they say is for lint to look into."""
    if value is None:
        return ()
    found = tuple(_word(each) for each in value.array("conditions"))
    for element, text in zip(value.array("conditions"), found, strict=True):
        if not text.strip():
            raise element.error("this condition says nothing", expected="an expression in CEL")
    return found


def _threshold(value: Value | None) -> int:
    # That enough functionaries are there is for lint to say, which knows layouts as well.
    threshold = 1 if value is None else value.integer()
    if value is not None and threshold < 1:
        raise value.error(
            f"`threshold` cannot be {threshold}", expected="1 or more", found=str(threshold)
        )
    return threshold


def _words(value: Value | None) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value.value, str):
        words = ", ".join(f'"{word}"' for word in value.value.split())
        raise value.wrong_kind("an array of words", f"Write {value.key} = [{words}].")
    return tuple(_word(word) for word in value.array("words"))


def _word(value: Value) -> str:
    if not isinstance(value.value, str):
        raise value.wrong_kind("a string")
    return value.value


def _rules(value: Value | None) -> tuple[SourceRule, ...]:
    if value is None:
        return ()
    return tuple(
        SourceRule(rule=_rule(rule), line=rule.line) for rule in value.array("artifact rules")
    )


def _rule(value: Value) -> Rule:
    """A rule as a text, split as a shell does, or as a list of words, taken as they are."""
    if isinstance(value.value, list):
        words = [_word(word) for word in value.elements("words")]
    else:
        try:
            words = shlex.split(value.text())
        except ValueError as error:
            raise value.error(
                f"this rule cannot be split into words: {str(error).lower()}",
                found=value.text(),
                advice="A list of words is taken as it is.",
            ) from None
    try:
        return parse_rule(Node(list(words)), LOCAL)
    except MetadataMalformed as error:
        keyword = words[0].lower() if words else ""
        near = "" if keyword in _KEYWORDS else nearest(keyword, _KEYWORDS)
        raise value.error(
            error.message,
            expected=error.expected,
            found=error.found,
            advice=f"Did you mean {near.upper()}?" if near else "",
        ) from None


def _expires(value: Value) -> Expiry:
    found = value.value
    if isinstance(found, datetime):
        if found.tzinfo is None:
            raise value.error(
                "`expires` does not say in which time zone it is",
                advice=f"Write {found.isoformat()}Z for UTC.",
            )
        try:
            return found.astimezone(timezone.utc)
        except OverflowError:
            raise value.error("`expires` lies outside of the calendar") from None
    if isinstance(found, date):
        return end_of(found)
    if not isinstance(found, str):
        raise value.wrong_kind('a period such as "1 year", or a date')
    period = Period.of(found)
    if period is None:
        is_date = re.fullmatch(r"\d{4}-\d\d-\d\d.*", found)
        raise value.error(
            f'`expires` cannot be "{found}"' if found.isprintable() else "`expires` is no period",
            expected="N days, weeks, months or years; or a date without quotes",
            advice=f"Write {found} without quotes." if is_date else "",
        )
    return period
