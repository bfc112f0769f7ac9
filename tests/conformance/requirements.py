"""The requirements, the tests that show them, and the page that lists both.

Tests are marked ``@pytest.mark.accepts("R10")`` where something that conforms is accepted, and
``@pytest.mark.rejects("R10")`` where a violation is refused. The marks are read off the sources,
so that collecting them needs nothing to be importable.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).absolute().parents[2]
TESTS = ROOT / "tests"
ACCEPTS, REJECTS = KINDS = ("accepts", "rejects")
#: kind of a requirement → how the page introduces it
_SOURCES = {
    "specification": "Specification, ",
    "ITE": "",
    "implementations": "Implementations; ",
    "hardening": "Hardening; ",
}
_FAMILIES = {
    "L": "layouts",
    "H": "formats",
    "K": "keys",
    "E": "envelopes",
    "C": "canonical JSON",
    "J": "JSON",
    "S": "steps",
    "T": "thresholds",
    "R": "artifact rules",
    "P": "patterns",
    "N": "names of links",
    "U": "sublayouts",
    "I": "inspections",
    "Q": "parameters",
    "X": "certificates",
    "V": "the workflow",
    "A": "attestations",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One entry of ``requirements.toml``, which says what the fields are."""

    id: str
    kind: str
    where: str
    python: str
    go: str
    quote: str = ""
    said: str = ""
    here: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Test:
    """A test: its file, relative to the project, and its name, with the parameters' id if given."""

    __test__ = False

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Marks:
    """For each kind of mark the tests by id, and marks that cannot count."""

    tests: Mapping[str, Mapping[str, Sequence[Test]]]
    faults: Sequence[str]


def load() -> tuple[Requirement, ...]:
    """Every requirement, in order."""
    text = (Path(__file__).parent / "requirements.toml").read_text("utf-8")
    return tuple(Requirement(**each) for each in tomllib.loads(text)["requirement"])


# --- marks ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Source:
    """One file of tests."""

    path: str
    tree: ast.Module
    #: What names of the module stand for, such as a list of parameters.
    named: dict[str, ast.expr] = field(default_factory=dict)
    #: Marks that belong to a test, by their place in the source.
    used: set[tuple[int, int]] = field(default_factory=set)

    def tests(self) -> Iterator[tuple[str, str, Test]]:
        """Kind, id and test of each mark that belongs to a test."""
        self.named = dict(_assignments(self.tree.body))
        yield from self._within(self.tree.body, [])

    def _within(
        self, body: Sequence[ast.stmt], inherited: list[ast.expr]
    ) -> Iterator[tuple[str, str, Test]]:
        own = [value for name, value in _assignments(body) if name == "pytestmark"]
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                yield from self._within(node.body, [*inherited, *own, *node.decorator_list])
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found = [
                    (kind, each, Test(self.path, node.name + case))
                    for expression in (*inherited, *own, *node.decorator_list)
                    for kind, each, case in self._marks(expression)
                ]
                yield from dict.fromkeys(found)

    def _marks(self, expression: ast.expr, case: str = "") -> Iterator[tuple[str, str, str]]:
        """Kinds, ids and cases in a decorator, in what a name stands for, or in a list of either.

        A case is the id of parameters in brackets, or empty.
        """
        if isinstance(expression, ast.Name) and expression.id in self.named:
            # Taken out meanwhile, so that a name in its own value does not go on for ever.
            value = self.named.pop(expression.id)
            yield from self._marks(value, case)
            self.named[expression.id] = value
        elif isinstance(expression, (ast.List, ast.Tuple)):
            for element in expression.elts:
                yield from self._marks(element, case)
        elif isinstance(expression, ast.Starred):
            yield from self._marks(expression.value)
        elif isinstance(expression, (ast.ListComp, ast.GeneratorExp)):
            yield from self._marks(expression.elt)
        elif isinstance(expression, ast.Call) and (kind := _kind(expression)):
            self.used.add((expression.lineno, expression.col_offset))
            yield from ((kind, each, case) for each in _ids(expression))
        elif isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
            if expression.func.attr == "parametrize":
                for argument in (*expression.args, *(each.value for each in expression.keywords)):
                    yield from self._marks(argument)
            elif expression.func.attr == "param":
                given = {keyword.arg: keyword.value for keyword in expression.keywords}
                named = given.get("id")
                if isinstance(named, ast.Constant) and isinstance(named.value, str):
                    case = f"[{named.value}]"
                if "marks" in given:
                    yield from self._marks(given["marks"], case)

    def faults(self) -> Iterator[str]:
        """Marks that belong to no test, or do not say their ids; to be called after tests()."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (kind := _kind(node)):
                where = f"{self.path}, line {node.lineno}: a mark {kind!r}"
                if (node.lineno, node.col_offset) not in self.used:
                    yield f"{where} belongs to no test"
                if node.keywords or not node.args or len(_ids(node)) != len(node.args):
                    yield f"{where} must name its ids as strings"


def _assignments(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _kind(call: ast.Call) -> str | None:
    """The kind of a mark ``pytest.mark.accepts(…)`` or ``mark.rejects(…)``."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in KINDS:
        return None
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return function.attr if name == "mark" else None


def _ids(call: ast.Call) -> list[str]:
    return [
        argument.value
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def marks(folder: Path = TESTS) -> Marks:
    """The marks in all files ``test_*.py`` below ``folder``."""
    tests: dict[str, dict[str, list[Test]]] = {kind: defaultdict(list) for kind in KINDS}
    faults: list[str] = []
    for path in sorted(folder.rglob("test_*.py")):
        name = path.relative_to(folder.parent).as_posix()
        source = _Source(name, ast.parse(path.read_text("utf-8"), name))
        for kind, each, test in source.tests():
            tests[kind][each].append(test)
        faults += source.faults()
    return Marks({kind: dict(found) for kind, found in tests.items()}, faults)


# --- what is missing, and the page ------------------------------------------------------------


def faults(found: Marks, requirements: Sequence[Requirement]) -> Iterator[str]:
    """Say which marks cannot count, and which ids nobody knows."""
    yield from found.faults
    known = {requirement.id for requirement in requirements}
    for kind in KINDS:
        for each, tests in found.tests[kind].items():
            if each not in known:
                yield f"{tests[0].path}: {tests[0].name} {kind} {each}, which is no requirement"


def missing(found: Marks, requirements: Sequence[Requirement]) -> Iterator[str]:
    """Say which requirements no test shows."""
    for requirement in requirements:
        for kind in KINDS:
            if not found.tests[kind].get(requirement.id):
                yield f"{requirement.id}: no test {kind} it"


def page() -> str:
    """The written part of the page."""
    requirements, found = load(), marks()
    parts: list[str] = []
    family = ""
    for requirement in requirements:
        if requirement.id[0] != family:
            family = requirement.id[0]
            parts.append(f"## {family}: {_FAMILIES[family]}")
        parts.append(_section(requirement, found))
    return "\n\n".join(parts)


def _section(requirement: Requirement, found: Marks) -> str:
    sentence = f"“{requirement.quote}”" if requirement.quote else requirement.said
    lines = [
        f"### {requirement.id}\n",
        f"{sentence} *({_SOURCES[requirement.kind]}{requirement.where})*\n",
        f"- Python: {requirement.python}",
        f"- Go: {requirement.go}",
        f"- **Here:** {requirement.here or 'the same.'}",
        f"- Accepted: {_listed(found.tests[ACCEPTS].get(requirement.id, ()))}",
        f"- Refused: {_listed(found.tests[REJECTS].get(requirement.id, ()))}",
    ]
    return "\n".join(lines)


def _listed(tests: Sequence[Test]) -> str:
    return ", ".join(f"[`{test.name}`](../../{test.path})" for test in sorted(tests)) or "no test"
