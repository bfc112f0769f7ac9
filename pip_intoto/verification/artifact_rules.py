"""Artifact rules (specification, section 4.3.3).

    "if an artifact is successfully consumed by a rule, it is removed from the queue and cannot
    be consumed by subsequent rules"

The queue of a side begins with all its artifacts. Rules are processed one after the other (R7);
CREATE, DELETE, MODIFY, ALLOW and MATCH consume, DISALLOW and REQUIRE fail. What is left at the
end is allowed (R8): a layout that wants otherwise ends with DISALLOW *.

The work is linear in the artifacts for rules that name one artifact or all of them. Only rules
with a real pattern look at the whole queue, and a :class:`Budget` bounds how often.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.errors import EvidenceError, MetadataTooLarge, RuleViolated
from pip_intoto.metadata.artifacts import agreeing, modified
from pip_intoto.metadata.digests import ACCEPTED, differ
from pip_intoto.metadata.layout import Inspection
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.rules import Allow, Create, Delete, Disallow, Match, Modify, Require
from pip_intoto.verification.patterns import compile_pattern
from pip_intoto.verification.wording import NAMED, counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from collections.abc import Set as AbstractSet

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.digests import Digests
    from pip_intoto.metadata.layout import Step
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.patterns import Pattern
    from pip_intoto.verification.record import Record, Side

#: Comparisons of characters that take no longer than one of an ordinary name with a pattern.
_CHARACTERS = 4_096
#: Comparisons of an ordinary name with a pattern that take no longer than compiling a character.
_COMPILING = 16
#: Steps of a condition that take no longer than reading a character of one.
_READING = 8


class Budget:
    """How many comparisons of a name with a pattern are left, and how many steps of conditions."""

    def __init__(self, limits: Limits) -> None:
        self._allowed = limits.pattern_matches
        self._left = limits.pattern_matches
        #: Kept here as well, so that no choice of links has to compile them again.
        self._patterns: dict[str, Pattern] = {}
        #: Whoever takes steps takes them away, the last ones more than there are.
        self.condition_steps = limits.chain_condition_steps
        self._allowed_steps = limits.chain_condition_steps
        self._conditions: set[str] = set()

    def read_condition(self, expression: str) -> None:
        """Take away what it takes to read a condition; raises :class:`MetadataTooLarge`."""
        if expression not in self._conditions:
            self._conditions.add(expression)
            self.condition_steps -= _READING * len(expression)
        if self.condition_steps <= 0:
            raise MetadataTooLarge(
                "The conditions of the layout are too much work for so much evidence",
                expected=f"at most {self._allowed_steps} steps",
            )

    def spend(self, comparisons: int) -> None:
        """Take ``comparisons`` away; raises :class:`MetadataTooLarge` when there are none left."""
        self._left -= comparisons
        if self._left < 0:
            raise MetadataTooLarge(
                "The rules of the layout are too much work for so many artifacts",
                expected=f"at most {self._allowed} comparisons of a name with a pattern",
            )

    def pattern(self, text: str) -> Pattern:
        """Return the pattern that ``text`` stands for, and take away what it took to make it."""
        pattern = self._patterns.get(text)
        if pattern is None:
            pattern = self._patterns[text] = compile_pattern(text)
            self.spend(_COMPILING * pattern.length)
        return pattern

    def spend_on(self, pattern: Pattern, names: Collection[str]) -> None:
        """Take away what it takes to compare all ``names`` with ``pattern``."""
        # Long names with long patterns take longer, at worst each character with each.
        characters = pattern.length * sum(map(len, names)) if pattern.length else 0
        self.spend(len(names) + characters // _CHARACTERS)


class _Changes:
    """What an item created, deleted and modified; each worked out when first asked for."""

    def __init__(self, record: Record) -> None:
        self.materials = record.materials
        self.products = record.products
        self._created: frozenset[str] | None = None
        self._deleted: frozenset[str] | None = None
        self._modified: frozenset[str] | None = None

    @property
    def created(self) -> frozenset[str]:
        if self._created is None:
            self._created = frozenset(self.products.keys() - self.materials.keys())
        return self._created

    @property
    def deleted(self) -> frozenset[str]:
        if self._deleted is None:
            self._deleted = frozenset(self.materials.keys() - self.products.keys())
        return self._deleted

    @property
    def modified(self) -> frozenset[str]:
        if self._modified is None:
            self._modified = modified(self.materials, self.products)
        return self._modified

    def has(self, rule: Create | Delete | Modify, name: str) -> bool:
        """Tell whether one artifact changed as ``rule`` says, without looking at the others."""
        before, after = self.materials.get(name), self.products.get(name)
        if isinstance(rule, Create):
            return before is None and after is not None
        if isinstance(rule, Delete):
            return before is not None and after is None
        return before is not None and after is not None and differ(before, after)

    def all(self, rule: Create | Delete | Modify) -> frozenset[str]:
        """Return all artifacts that changed as ``rule`` says."""
        if isinstance(rule, Create):
            return self.created
        return self.deleted if isinstance(rule, Delete) else self.modified


def check_item(item: Step | Inspection, records: Mapping[str, Record], budget: Budget) -> None:
    """Process the rules of one step or inspection, materials first.

    ``records`` holds what was reported, by name, of the item and of all that its MATCH rules may
    refer to. Raises :class:`RuleViolated` and :class:`MetadataTooLarge`, of this station.
    """
    changes = _Changes(records[item.name])
    try:
        for side in SIDES:
            _Run(item, side, records, changes, budget).process()
    except EvidenceError as error:
        error.station = item.name
        raise


def consumers(
    item: Step | Inspection,
    side: Side,
    names: frozenset[str],
    records: Mapping[str, Record],
    budget: Budget,
) -> Mapping[str, Rule]:
    """Return which rule consumed each of ``names``; what no rule consumed is absent.

    The implicit ALLOW * at the end (R8) consumes nothing here. Raises as :func:`check_item`.
    """
    return _Run(item, side, records, _Changes(records[item.name]), budget).process(names)


SIDES: tuple[Side, Side] = ("materials", "products")


@dataclass(frozen=True, slots=True)
class _Run:
    """One pass over the rules of one side of an item."""

    item: Step | Inspection
    side: Side
    records: Mapping[str, Record]
    changes: _Changes
    budget: Budget
    #: All names, in order, once a rule has a prefix.
    sorted_names: list[str] = field(default_factory=list)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return rules_of(self.item, self.side)

    @property
    def artifacts(self) -> Mapping[str, Digests]:
        return self.records[self.item.name].side(self.side)

    def process(self, watched: frozenset[str] = frozenset()) -> Mapping[str, Rule]:
        consumed_by: dict[str, Rule] = {}
        queue = set(self.artifacts)
        # R7: rules "are applied sequentially on a queue of "materials" or "products"".
        for index, rule in enumerate(self.rules):
            if isinstance(rule, Require):
                # R6: "REQUIRE: indicates that a pattern must appear as a material or product of
                # this step"; it is a name, which must still be queued, and it consumes nothing.
                if rule.name not in queue:
                    raise self._not_there(index, rule)
            elif isinstance(rule, Disallow):
                # R5: "If a disallow rule pattern finds any remaining files in the artifact queue
                # it means that no prior rule has successfully consumed those artifacts".
                hits = self._hits(self.budget.pattern(rule.pattern), queue)
                if hits:
                    raise self._left_over(index, rule, hits)
            else:
                taken = self._consume(rule, queue)
                for name in watched.intersection(taken):
                    consumed_by[name] = rule
                if taken is queue:
                    queue = set()
                else:
                    queue.difference_update(taken)
        # R8: "There is an implicit "ALLOW *" at the end of each rule list."
        return consumed_by

    def _hits(self, pattern: Pattern, names: AbstractSet[str]) -> Collection[str]:
        if pattern.literal is not None:
            return (pattern.literal,) if pattern.literal in names else ()
        if pattern.everything:
            return names
        self.budget.spend_on(pattern, names)
        matches = pattern.matches
        return [name for name in names if matches(name)]

    def _consume(
        self, rule: Create | Delete | Modify | Allow | Match, queue: AbstractSet[str]
    ) -> Collection[str]:
        if isinstance(rule, Match):
            return self._consume_match(rule, queue)
        pattern = self.budget.pattern(rule.pattern)
        if isinstance(rule, Allow):
            # R4: "artifacts matched by the pattern are allowed as materials or products".
            return self._hits(pattern, queue)
        # R1: CREATE, "products matched by the pattern must not appear as materials of this step";
        # R2: DELETE, "materials matched by the pattern must not appear as products"; R3: MODIFY,
        # "products matched by this pattern must appear as materials of this step, and their
        # hashes must not be the same". On the other side, CREATE and DELETE find nothing.
        if pattern.literal is not None:
            name = pattern.literal
            return (name,) if name in queue and self.changes.has(rule, name) else ()
        changed = self.changes.all(rule)
        self.budget.spend(min(len(changed), len(queue)))
        return self._hits(pattern, changed & queue)

    def _consume_match(self, rule: Match, queue: AbstractSet[str]) -> Collection[str]:
        # R9: "Only if source and destination artifact match, will we mark it as consumed": the
        # name without its prefix matches the pattern, is there at the destination, below the
        # prefix given for it, and has the same digests.
        source = self.records.get(rule.step)
        if source is None:
            # R11: an unknown step consumes nothing.
            return ()
        theirs = source.side(rule.destination)
        # R10: the prefix ends at a slash, and there is no globbing inside it.
        source_prefix = as_folder(rule.source_prefix)
        destination_prefix = as_folder(rule.destination_prefix)
        pattern = self.budget.pattern(rule.pattern)
        queued: Collection[str]
        if pattern.literal is not None:
            name = source_prefix + pattern.literal
            queued = (name,) if name in queue else ()
        else:
            queued = self._queued_below(source_prefix, queue) if source_prefix else queue
            self.budget.spend_on(pattern, queued)
            if not pattern.everything:
                matches, start = pattern.matches, len(source_prefix)
                queued = [name for name in queued if matches(name[start:])]
        if source_prefix == destination_prefix:
            pairs = zip(queued, queued, strict=True)
        else:
            start = len(source_prefix)
            there = [destination_prefix + name[start:] for name in queued]
            pairs = zip(queued, there, strict=True)
        return agreeing(self.artifacts, theirs, pairs)

    def _queued_below(self, folder: str, queue: AbstractSet[str]) -> Collection[str]:
        """Return the queued names that begin with ``folder``, which ends with a slash."""
        names = self.sorted_names
        if not names:
            names += sorted(self.artifacts)
        # They stand together, from `folder/` up to but without `folder0`: "0" comes after "/".
        start = bisect_left(names, folder)
        end = bisect_left(names, folder[:-1] + chr(ord("/") + 1), start)
        self.budget.spend(min(end - start, len(queue)))
        # Rule after rule, few may be left of many.
        if len(queue) < end - start:
            return [name for name in queue if name.startswith(folder)]
        return [name for name in names[start:end] if name in queue]

    # --- what went wrong --------------------------------------------------------------------

    @property
    def _kind(self) -> str:
        return "inspection" if isinstance(self.item, Inspection) else "step"

    @property
    def _who(self) -> str:
        return f"The {self._kind} {self.item.name}"

    @property
    def _did(self) -> str:
        """What happened with an artifact of this side, in everyday words."""
        if isinstance(self.item, Inspection):
            return "found"
        return "used" if self.side == "materials" else "made"

    def _error(self, index: int, message: str, expected: str, found: str) -> RuleViolated:
        return RuleViolated(
            message,
            expected=expected,
            found=found,
            place=f"{self._kind} {self.item.name}, expected_{self.side}[{index}]",
        )

    def _left_over(self, index: int, rule: Disallow, hits: Collection[str]) -> RuleViolated:
        # The smallest name is found without sorting ten thousand.
        name = min(hits)
        more = len(hits) - 1
        others = f" and {counted(more, 'other')}" if more else ""
        return self._error(
            index,
            f"{self._who} {self._did} {shown(name)}{others}, which `{shown_rule(rule)}` in"
            " the layout forbids",
            self._nearest(name, self.rules[:index]),
            self._as_found(name),
        )

    def _not_there(self, index: int, rule: Require) -> RuleViolated:
        if rule.name in self.artifacts:
            by = self._consumer(rule.name, index)
            found = f"{self._as_found(rule.name)}, already consumed by {by}"
        else:
            segment = rule.name.rpartition("/")[2]
            near = [name for name in self.artifacts if name.rpartition("/")[2] == segment]
            found = f"{counted(len(self.artifacts), self.side[:-1])}, without it"
            if near:
                found += f", but with {', '.join(shown(name) for name in sorted(near)[:NAMED])}"
            found += self._origin()
        return self._error(
            index,
            f"{self._who} did not report {shown(rule.name)}, which the layout requires",
            f"{shown(rule.name)} among the {self.side}, not yet consumed by another rule",
            found,
        )

    def _consumer(self, name: str, index: int) -> str:
        """Name the rule that consumed ``name`` before the one at ``index``."""
        for earlier, rule in enumerate(self.rules[:index]):
            if not isinstance(rule, (Require, Disallow)) and name in self._consume(rule, {name}):
                return f"`{shown_rule(rule)}` (expected_{self.side}[{earlier}])"
        return "an earlier rule"

    def _origin(self) -> str:
        origin = self.records[self.item.name].origin
        return f" ({origin})" if origin else ""

    def _as_found(self, name: str) -> str:
        return f"{shown(name)}, {shown_digests(self.artifacts[name])}{self._origin()}"

    def _nearest(self, name: str, rules: tuple[Rule, ...]) -> str:
        """Say which earlier rule came nearest to consuming ``name``, and why it did not."""
        best = ""
        best_rank = 0
        for index, rule in enumerate(rules):
            rank, reason = self._almost(name, rule)
            if rank > best_rank:
                best_rank = rank
                best = f"`{shown_rule(rule)}` (expected_{self.side}[{index}]) {reason}"
        if best:
            return best
        return "nothing but what the rules before it allow" if rules else "nothing at all"

    def _almost(self, name: str, rule: Rule) -> tuple[int, str]:
        """Return how near ``rule`` came, 0 for not at all, and what was missing."""
        if isinstance(rule, (Require, Disallow, Allow)):
            return 0, ""
        if isinstance(rule, Match):
            return self._almost_match(name, rule)
        if not compile_pattern(rule.pattern).matches(name):
            return 0, ""
        here = "the other side has it too"
        if isinstance(rule, Modify):
            other = self.records[self.item.name].side(
                "products" if self.side == "materials" else "materials"
            )
            if name not in other:
                return 1, "wants it among materials and products both"
            return 3, f"wants it changed, and it is not: {shown_digests(other[name])}"
        if isinstance(rule, Create) and self.side == "materials":
            here = "it consumes products only"
        if isinstance(rule, Delete) and self.side == "products":
            here = "it consumes materials only"
        return 2, f"would allow it, but {here}"

    def _almost_match(self, name: str, rule: Match) -> tuple[int, str]:
        prefix = as_folder(rule.source_prefix)
        if not name.startswith(prefix):
            return 0, ""
        rest = name[len(prefix) :]
        if not compile_pattern(rule.pattern).matches(rest):
            return 0, ""
        source = self.records.get(rule.step)
        if source is None:
            return 3, f"would allow it, but there is no step {shown(rule.step)} to match with"
        destination = as_folder(rule.destination_prefix) + rest
        theirs = source.side(rule.destination)
        origin = f" ({source.origin})" if source.origin else ""
        if destination not in theirs:
            return 4, f"would allow it, but {shown(destination)} is not there{origin}"
        return 5, f"allows it with {shown_digests(theirs[destination])}{origin}"


def rules_of(item: Step | Inspection, side: Side) -> tuple[Rule, ...]:
    """Return the rules for one side of a step or an inspection, in their order."""
    return item.expected_materials if side == "materials" else item.expected_products


def as_folder(prefix: str) -> str:
    """Return a prefix as names begin with it: the slash at its end may be left out (R10)."""
    return prefix if not prefix or prefix.endswith("/") else prefix + "/"


def shown_rule(rule: Rule) -> str:
    """Return the rule for a message, on one line."""
    # Without quotes where it is plain, as people write it in a layout.
    text = str(rule)
    return text if text.isprintable() and len(text) <= _LONGEST_RULE else shown(text)


_LONGEST_RULE = 120


def shown_digests(digests: Digests) -> str:
    """Return what decides whether digests are equal; where nothing does, one of them."""
    if not digests:
        return "without a digest"
    algorithms = [algorithm for algorithm in ACCEPTED if algorithm in digests] or [min(digests)]
    return ", ".join(
        f"{shown(algorithm)[1:-1]} {shown(digests[algorithm])[1:-1]}" for algorithm in algorithms
    )
