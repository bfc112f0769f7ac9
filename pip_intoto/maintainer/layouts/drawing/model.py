"""What there is to be drawn of a layout: steps, inspections, the file, and what flows between.

All texts here are neutralised: names in layouts are their authors' to choose, and none of them may
move a cursor or turn a line round. Escaping for a format is that format's business. Long lists are
cut, so that a layout with a thousand rules is still a drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from pip_intoto.errors import UnusableKey
from pip_intoto.maintainer.layouts.reach import is_closed, is_everything
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.layout import Inspection
from pip_intoto.metadata.predicate_names import spelled
from pip_intoto.metadata.predicates import transforms
from pip_intoto.metadata.rules import Allow, Create, Delete, Disallow, Match, Modify, Require
from pip_intoto.sources.addresses import printable
from pip_intoto.verification.artifact_rules import as_folder
from pip_intoto.verification.binding import deciding_inspections
from pip_intoto.verification.wording import command, counted, publisher, short_keyid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.maintainer.layouts.layouts_in import Found
    from pip_intoto.metadata.layout import ExpectedPredicate, Layout, Step
    from pip_intoto.metadata.rules import Rule

#: Patterns of one kind that are shown, and keys of one step.
_SHOWN = 5
#: Characters of one name or pattern that are shown.
_LONGEST = 120


class Kind(Enum):
    """What a node stands for."""

    STEP = "step"
    INSPECTION = "inspection"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true of a node: ``creates`` and the patterns, cut short.

    ``is_doubt`` marks what its author may want to look at again.
    """

    label: str
    items: tuple[str, ...]
    is_doubt: bool = False

    def __str__(self) -> str:
        return f"{self.label} {', '.join(self.items)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step, an inspection, or the file that the consumer gets."""

    kind: Kind
    name: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Artifacts that MATCH rules carry from one node to another; both are indices.

    ``items`` are their names as patterns, cut short; empty where nothing needs to be said.
    """

    source: int
    target: int
    items: tuple[str, ...] = ()

    @property
    def is_forward(self) -> bool:
        """Whether it goes the way in which the layout lists its steps."""
        return self.source < self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One layout: its nodes in the order of the layout, and the edges between them."""

    title: str
    subtitle: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def without(self, edges: Iterable[Edge]) -> Chart:
        """The same chart with some edges told in words, where they end, instead of drawn."""
        told = set(edges)
        facts: dict[int, list[Fact]] = {}
        for edge in self.edges:
            if edge in told:
                facts.setdefault(edge.target, []).append(self.told(edge))
        return replace(
            self,
            nodes=tuple(
                replace(node, facts=(*_cut_facts(facts.get(index, ())), *node.facts))
                for index, node in enumerate(self.nodes)
            ),
            edges=tuple(edge for edge in self.edges if edge not in told),
        )

    def told(self, edge: Edge) -> Fact:
        """An edge in words, as seen from where it ends."""
        source = self.nodes[edge.source]
        if source.kind is Kind.FILE:
            return Fact("looks at", ("the file",))
        later = "" if edge.is_forward else ", which comes later"
        return Fact("takes", (f"{', '.join(edge.items)} from {source.name}{later}",))


def chart_of(found: Found, *, now: datetime) -> Chart:
    """What there is to be drawn of one layout; ``now`` (aware) says whether it has expired."""
    layout = found.layout
    first_inspection = len(layout.steps) + 1
    index = {step.name: number for number, step in enumerate(layout.steps)}
    index |= {
        each.name: first_inspection + number for number, each in enumerate(layout.inspections)
    }
    called = _Called(layout, found.names)
    nodes = [
        Node(kind=Kind.STEP, name=_text(step.name), facts=tuple(_facts(step, index, called)))
        for step in layout.steps
    ]
    nodes.append(_file(layout))
    nodes += [
        Node(kind=Kind.INSPECTION, name=_text(each.name), facts=tuple(_facts(each, index, called)))
        for each in layout.inspections
    ]
    edges = [edge for each in layout.items for edge in _carried(each, index)]
    edges += _to_file(layout, index)
    expired = "expired" if layout.expires < now else "expires"
    counts = counted(len(layout.steps), "step")
    if layout.inspections:
        counts += f", {counted(len(layout.inspections), 'inspection')}"
    stands_for = f", stands in for {_listed(found.stands_for)}" if found.stands_for else ""
    return Chart(
        title=_text(found.origin),
        subtitle=f"{counts}, {expired} {layout.expires:%Y-%m-%d}{stands_for}",
        nodes=tuple(nodes),
        edges=tuple(edges),
    )


# --- nodes ------------------------------------------------------------------------------------


class _Called:
    """What to call the keys and identities of a layout."""

    def __init__(self, layout: Layout, names: Mapping[str, str]) -> None:
        self._names: dict[str, str] = {}
        for key in layout.keys.values():
            for each in (key, *key.subkeys):
                name = f"key {short_keyid(each.keyid)}"
                try:
                    name = _text(names.get(identity(each), name))
                except UnusableKey:
                    name += " (unusable)"
                self._names.setdefault(each.keyid, name)
        for keyid, whose in layout.identities.items():
            self._names.setdefault(keyid, _text(publisher(whose)))
        for keyid, managed in layout.managed.items():
            self._names.setdefault(keyid, _text(f"TUF's {managed.target}"))

    def __call__(self, keyid: str) -> str:
        return self._names.get(keyid, f"key {short_keyid(keyid)} (missing)")


def _facts(item: Step | Inspection, index: Mapping[str, int], called: _Called) -> Iterator[Fact]:
    if isinstance(item, Inspection):
        yield Fact("runs", (_text(command(item.run)),))
    elif item.expected_predicates:
        yield from _stated(item.expected_predicates, called)
    else:
        who = [called(keyid) for keyid in item.pubkeys]
        who += ["holders of certificates"] if item.constraints else []
        yield _signed("by", who, item.threshold, is_open=bool(item.constraints))
    if item.expected_attributes:
        yield Fact("if", tuple(_cut(item.expected_attributes)))
    materials, products = item.expected_materials, item.expected_products
    both = (*materials, *products)
    for label, rules in (
        ("takes from anywhere", _patterns(materials, Allow)),
        ("uses up", _patterns(materials, Delete)),
        ("creates", _patterns(products, Create)),
        ("changes", _patterns(both, Modify)),
        ("lets through", _patterns(products, Allow)),
        ("requires", [rule.name for rule in both if isinstance(rule, Require)]),
        ("refuses", [each for each in _patterns(both, Disallow) if not is_everything(each)]),
    ):
        if rules:
            yield Fact(label, tuple(_cut(rules)))
    lost = [rule.step for rule in both if isinstance(rule, Match) and rule.step not in index]
    if lost:
        yield Fact("matches what is not there:", tuple(_cut(lost)), is_doubt=True)
    is_open = [
        side
        for side, rules in (("materials", materials), ("products", products))
        if not is_closed(rules) and not (side == "products" and _makes_nothing(item))
    ]
    if is_open:
        yield Fact("is open to any", (" and ".join(is_open),), is_doubt=True)


def _stated(predicates: Iterable[ExpectedPredicate], called: _Called) -> Iterator[Fact]:
    """The statements that a step asks for, and on what conditions."""
    listed = list(predicates)
    for each in listed[:_SHOWN]:
        who = [called(keyid) for keyid in each.functionaries]
        yield _signed(f"{_text(spelled(each.predicate_type))} by", who, each.threshold)
        if each.expected_attributes:
            yield Fact("if", tuple(_cut(each.expected_attributes)))
    if len(listed) > _SHOWN:
        yield Fact("and", (counted(len(listed) - _SHOWN, "statement"),))


def _signed(label: str, who: Sequence[str], threshold: int, *, is_open: bool = False) -> Fact:
    count = f"{threshold} of " if threshold > 1 or len(who) > 1 else ""
    short = threshold > len(who) and not is_open
    return Fact(label, (f"{count}{_listed(who) or 'nobody'}",), is_doubt=short or not who)


def _makes_nothing(item: Step | Inspection) -> bool:
    """Whether it is only said what is there: such statements have no products (ITE-10)."""
    predicates = () if isinstance(item, Inspection) else item.expected_predicates
    return bool(predicates) and not any(transforms(each.predicate_type) for each in predicates)


def _patterns(
    rules: Iterable[Rule], kind: type[Create | Delete | Modify | Allow | Disallow]
) -> list[str]:
    return [rule.pattern for rule in rules if type(rule) is kind]


def _file(layout: Layout) -> Node:
    """The file, and what ties it to the chain unless a policy says otherwise."""
    deciding = [each.name for each in deciding_inspections(layout)]
    by = f"inspection {_listed(deciding)}" if deciding else f"step {_text(layout.steps[-1].name)}"
    return Node(
        kind=Kind.FILE, name="the installed file", facts=(Fact("is tied to the chain by", (by,)),)
    )


# --- edges ------------------------------------------------------------------------------------


def _carried(item: Step | Inspection, index: Mapping[str, int]) -> Iterator[Edge]:
    """What the MATCH rules of ``item`` bring, by where it comes from."""
    rules: list[Rule] = [*item.expected_materials, *item.expected_products]
    if isinstance(item, Inspection):
        # What it finds at first, and still finds in the end, is the file, which has its own edge.
        rules = [rule for rule in item.expected_products if rule not in item.expected_materials]
    here = index[item.name]
    brought: dict[int, list[str]] = {}
    for rule in rules:
        source = index.get(rule.step) if isinstance(rule, Match) else None
        if isinstance(rule, Match) and source is not None and source != here:
            brought.setdefault(source, []).append(_carries(rule))
    for source, patterns in brought.items():
        yield Edge(source=source, target=here, items=tuple(_cut(patterns)))


def _carries(rule: Match) -> str:
    """``src/demo/* as wheel/demo/*``: what it is called there, and here where that differs."""
    there = as_folder(rule.destination_prefix) + rule.pattern
    here = as_folder(rule.source_prefix) + rule.pattern
    used = "the materials " if rule.destination == "materials" else ""
    return f"{used}{there}" + (f" as {here}" if here != there else "")


def _to_file(layout: Layout, index: Mapping[str, int]) -> Iterator[Edge]:
    """What makes the file, and who looks at it."""
    file = len(layout.steps)
    made: dict[int, list[str]] = {}
    for rules in deciding_inspections(layout).values():
        for rule in rules:
            made.setdefault(index[rule.step], []).append(_carries(rule))
    if not made:
        # Where no inspection says otherwise, it is the last step that must have made the file.
        last = layout.steps[-1]
        made[file - 1] = [
            rule.pattern
            for rule in last.expected_products
            if isinstance(rule, (Create, Modify, Allow, Match))
        ]
    for source, patterns in made.items():
        yield Edge(source=source, target=file, items=tuple(_cut(patterns)))
    for each in layout.inspections:
        yield Edge(source=file, target=index[each.name])


# --- texts ------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """``text`` on one line, without what moves a cursor or turns a line round, and bounded."""
    shown = printable(text, _LONGEST)
    return shown if len(shown) <= _LONGEST + 1 else shown[:_LONGEST] + "…"


def _cut(texts: Iterable[str]) -> list[str]:
    """The first few, each once, and how many more there are."""
    listed = [_text(text) or "(nothing)" for text in dict.fromkeys(texts)]
    if len(listed) <= _SHOWN + 1:
        return listed
    return [*listed[:_SHOWN], f"and {len(listed) - _SHOWN} more"]


def _cut_facts(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    if len(facts) <= _SHOWN + 1:
        return tuple(facts)
    return (*facts[:_SHOWN], Fact("takes", (f"more from {len(facts) - _SHOWN} others",)))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_cut(names))
