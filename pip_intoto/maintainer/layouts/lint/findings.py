"""What lint says, and what it looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.layouts import globs
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.layout import Inspection
from pip_intoto.metadata.predicates import transforms
from pip_intoto.verification.artifact_rules import SIDES, Budget, rules_of
from pip_intoto.verification.wording import short_keyid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout, Step
    from pip_intoto.metadata.link import Link
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.record import Side
    from pip_intoto.verification.trust import Owner

    Item: TypeAlias = Step | Inspection

#: Comparing patterns costs as much as comparing names, for so many characters with each other.
_CELLS = 8


class Severity(Enum):
    """How bad a finding is; only errors make lint fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a layout, or may be.

    ``code`` is stable, and described in ``docs/reference/lint.md``. ``item`` is ``step build`` or
    ``inspection wheel``, empty for the layout as a whole; ``where`` a part of it, ``products[1]``.
    ``path`` is the same place as in the document, ``steps[1].expected_products[1]``.
    """

    code: str
    severity: Severity
    item: str = ""
    where: str = ""
    path: str = ""
    #: What is wrong, why it matters, and what to write instead.
    what: str
    why: str
    instead: str

    @property
    def place(self) -> str:
        """Item and part in one: ``step build, products[1]``; ``layout`` for the whole."""
        return ", ".join(part for part in (self.item, self.where) if part) or "layout"


@dataclass(frozen=True, slots=True)
class At:
    """Where findings are made: the layout, an item of it, or a rule."""

    item: str = ""
    where: str = ""
    path: str = ""

    def finding(
        self, code: str, severity: Severity, what: str, *, why: str, instead: str
    ) -> Finding:
        """Say something of this place."""
        return Finding(
            code=code,
            severity=severity,
            item=self.item,
            where=self.where,
            path=self.path,
            what=what,
            why=why,
            instead=instead,
        )


@dataclass(frozen=True, slots=True)
class RuleList:
    """The rules of one side of one step or inspection; ``index`` is the item's among its kind."""

    item: Item
    index: int
    side: Side

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in their order."""
        return rules_of(self.item, self.side)

    @property
    def is_of_inspection(self) -> bool:
        """Whether it belongs to an inspection."""
        return isinstance(self.item, Inspection)

    @property
    def at(self) -> At:
        """The place of the list."""
        place = place_of(self.item, self.index)
        return At(place.item, self.side, f"{place.path}.expected_{self.side}")

    def at_rule(self, index: int) -> At:
        """The place of one rule."""
        return At(self.at.item, f"{self.side}[{index}]", f"{self.at.path}[{index}]")


def is_informational(item: Item) -> bool:
    """Whether a step expects statements, and none of something that was done: no products."""
    predicates = () if isinstance(item, Inspection) else item.expected_predicates
    return bool(predicates) and not any(transforms(each.predicate_type) for each in predicates)


def place_of(item: Item, index: int) -> At:
    """The place of a step or an inspection."""
    if isinstance(item, Inspection):
        return At(f"inspection {item.name}", "", f"inspect[{index}]")
    return At(f"step {item.name}", "", f"steps[{index}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A layout, and what is known around it.

    ``now`` is aware. ``project`` is the PEP 503 name, empty when it is not known. ``principals``
    names parties by the identity of their keys. ``links`` are those at hand, and nothing is said
    of their signatures.
    """

    layout: Layout
    now: datetime
    project: str = ""
    owners: Sequence[Owner] = ()
    principals: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[Link] = ()
    budget: Budget = field(default_factory=lambda: Budget(LOCAL))

    @property
    def steps(self) -> Mapping[str, Step]:
        """The steps by name."""
        return {step.name: step for step in self.layout.steps}

    def items(self) -> Iterator[tuple[Item, int]]:
        """All steps and inspections, with their index."""
        yield from ((step, index) for index, step in enumerate(self.layout.steps))
        yield from ((each, index) for index, each in enumerate(self.layout.inspections))

    def lists(self) -> Iterator[RuleList]:
        """All lists of rules that are held against something."""
        for item, index in self.items():
            for side in SIDES:
                if side == "materials" or not is_informational(item):
                    yield RuleList(item, index, side)

    def is_first(self, rules: RuleList) -> bool:
        """Whether these are the materials that the chain begins with."""
        return rules.side == "materials" and rules.item is self.layout.steps[0]

    def called(self, key: PublicKey) -> str:
        """What messages call a key that can be used."""
        return self.principals.get(identity(key)) or f"key {short_keyid(key.keyid)}"

    def covers(self, wide: str, narrow: str) -> bool:
        """As :func:`pip_intoto.maintainer.layouts.globs.covers`; raises MetadataTooLarge."""
        self.budget.spend(1 + len(wide) * len(narrow) // _CELLS)
        return globs.covers(wide, narrow)

    def meets(self, one: str, other: str) -> bool:
        """As :func:`pip_intoto.maintainer.layouts.globs.meets`; raises MetadataTooLarge."""
        self.budget.spend(1 + len(one) * len(other) // _CELLS)
        return globs.meets(one, other)
