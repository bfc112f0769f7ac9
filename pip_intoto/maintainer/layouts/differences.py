"""What a new layout changes in meaning, whatever it changes in text.

Two root layouts mean the same when every chain that satisfies one satisfies the other, and binds
the same file by the same rules. That is decided by what can be proved with little work, and always
in the same direction: what is called the same is the same, and what is called stricter accepts
nothing that was refused before. Where neither is certain, the change is shown, and called unclear.

Keys are compared by what they are, not by the ids that they are listed under (K4, T3).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import UnusableKey
from pip_intoto.maintainer.layouts.expiry import written
from pip_intoto.maintainer.layouts.globs import covers, meets
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.layout import Inspection, Step
from pip_intoto.metadata.rules import Allow, Create, Delete, Disallow, Match, Require
from pip_intoto.verification.artifact_rules import as_folder
from pip_intoto.verification.binding import deciding_inspections
from pip_intoto.verification.patterns import escape
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.wording import command, counted, short_keyid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.maintainer.layouts.layouts_in import Found
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.rules import Rule

_Item: TypeAlias = Step | Inspection
#: Pairs of rules that are held against each other before two lists count as different.
_PAIRS = 20_000
#: Rules of one list that are searched for those that do nothing.
_SEARCHED = 100
#: Rules of one list that are lined up with those of another.
_LINED_UP = 2_000
#: Characters of one pattern times those of another that are compared: what takes milliseconds.
_WORTH_IT = 40_000
_SPECIAL = re.compile(r"[*?\[]")
_PARAMETER = re.compile(r"\{[A-Za-z0-9_-]+\}")


class Effect(Enum):
    """What a change means for those who verify."""

    #: Something may be accepted that was refused before.
    WEAKER = "weaker"
    #: Nothing is accepted that was refused before, and something is refused that was accepted.
    STRICTER = "stricter"
    #: As much is asked of the evidence as before.
    NEITHER = "neither"
    #: Both may be.
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is different.

    ``code`` says of which kind it is, ``place`` where (``step build``), ``what`` how it was and
    how it is, ``means`` what follows for the consumer. ``gone`` and ``came`` are what stood only
    in the old layout, and only in the new one.
    """

    code: str
    place: str
    what: str
    means: str
    effect: Effect
    gone: tuple[str, ...] = ()
    came: tuple[str, ...] = ()


def differences(old: Found, new: Found) -> tuple[Change, ...]:
    """What ``new`` changes; empty when both mean the same."""
    return tuple(_Comparison(old, new).changes())


class _Comparison:
    def __init__(self, old: Found, new: Found) -> None:
        self._found = (old, new)
        before, after = old.layout, new.layout
        self._renamed = {
            **_renamed(before, after, _of_steps),
            **_renamed(before, after, _of_inspections),
        }
        self._old = _with_names(before, self._renamed)
        self._new = after
        self._names = {**_names(before, old.names), **_names(after, new.names)}

    def changes(self) -> Iterator[Change]:
        yield from self._whole()
        yield from self._items("step", _of_steps(self._old), _of_steps(self._new))
        yield from self._items("inspection", _of_inspections(self._old), _of_inspections(self._new))
        yield from self._binding()
        yield from self._keys()

    # --- the layout itself ------------------------------------------------------------------

    def _whole(self) -> Iterator[Change]:
        before, after = self._old, self._new
        if before.expires != after.expires:
            later = after.expires > before.expires
            days = abs((after.expires - before.expires).days)
            yield Change(
                code="expiry",
                place="layout",
                what=f"expires {written(after.expires)} instead of {written(before.expires)}",
                means="accepts the same evidence, "
                + (f"{counted(days, 'day')} longer" if later else f"{counted(days, 'day')} less"),
                effect=Effect.NEITHER,
                gone=(written(before.expires),),
                came=(written(after.expires),),
            )
        forms = [found.form for found in self._found]
        if forms[0] is not None and forms[1] is not None and forms[0] is not forms[1]:
            yield Change(
                code="envelope",
                place="layout",
                what=f"is signed as {forms[1].value} instead of {forms[0].value}",
                means="readers that know one envelope only may not find it",
                effect=Effect.NEITHER,
                gone=(forms[0].value,),
                came=(forms[1].value,),
            )
        if before.readme != after.readme:
            yield Change(
                code="readme",
                place="layout",
                what="has another readme",
                means="nothing: it is for people",
                effect=Effect.NEITHER,
                gone=(before.readme,),
                came=(after.readme,),
            )
        gone, came = _only(_parameters(before), _parameters(after))
        if gone or came:
            yield Change(
                code="parameters",
                place="layout",
                what=_sets("parameter", gone, came),
                means="consumers whose policy does not give each of them a value are refused"
                if came
                else "policies need not give these a value any more",
                effect=Effect.NEITHER,
                gone=gone,
                came=came,
            )

    def _binding(self) -> Iterator[Change]:
        """Where the file itself must appear (what binds it to the chain)."""
        before, after = _binds(self._old), _binds(self._new)
        if before != after:
            yield Change(
                code="binding",
                place="layout",
                what=f"the file is tied to the chain by {after} instead of {before}",
                means="another place must speak of the file, unless the consumer's policy names"
                " the step",
                effect=Effect.UNCLEAR,
                gone=(before,),
                came=(after,),
            )

    def _keys(self) -> Iterator[Change]:
        gone, came = _only(_unused(self._old), _unused(self._new))
        # A key that is put to use is a change of the step.
        used = set().union(*(_used(layout) for layout in (self._old, self._new)))
        gone, came = (tuple(each for each in side if each not in used) for side in (gone, came))
        if gone or came:
            names = tuple(map(self._name, gone)), tuple(map(self._name, came))
            yield Change(
                code="keys",
                place="layout",
                what=_sets("key of no step", *names),
                means="nothing: nobody may sign a step with it",
                effect=Effect.NEITHER,
                gone=names[0],
                came=names[1],
            )
        sides = [_authorities(layout) for layout in (self._old, self._new)]
        gone, came = _only(*sides)
        if gone or came:
            is_used = any(
                step.constraints for layout in (self._old, self._new) for step in layout.steps
            )
            yield Change(
                code="authorities",
                place="layout",
                what=_sets("certificate", gone, came),
                means="other certificates may sign for steps"
                if is_used
                else "nothing: no step asks for certificates",
                effect=_by_sets(gone, came) if is_used else Effect.NEITHER,
                gone=gone,
                came=came,
            )

    def _name(self, ident: str) -> str:
        return self._names.get(ident, f"key sha256:{ident[:16]}")

    # --- steps and inspections --------------------------------------------------------------

    def _items(
        self, kind: str, before: Sequence[_Item], after: Sequence[_Item]
    ) -> Iterator[Change]:
        old, new = ({each.name: each for each in side} for side in (before, after))
        for was, name in self._renamed.items():
            if name in new:
                yield Change(
                    code=f"{kind}-renamed",
                    place=f"{kind} {name}",
                    what=f"was called {was}, and is the same otherwise",
                    means="links that call it by the old name do not count any more",
                    effect=Effect.NEITHER,
                    gone=(was,),
                    came=(name,),
                )
        for each in before:
            if each.name not in new:
                yield Change(
                    code=f"{kind}-removed",
                    place=f"{kind} {each.name}",
                    what="is gone",
                    means="nobody has to show any more that it was carried out"
                    if kind == "step"
                    else "nobody looks into the file this way any more",
                    effect=Effect.WEAKER,
                    gone=(each.name,),
                )
        for each in after:
            if each.name not in old:
                who = f", by {self._who(each)}" if isinstance(each, Step) else ""
                yield Change(
                    code=f"{kind}-added",
                    place=f"{kind} {each.name}",
                    what=f"is new{who}",
                    means="evidence without its link is refused"
                    if kind == "step"
                    else "files that do not pass it are refused",
                    effect=Effect.STRICTER,
                    came=(each.name,),
                )
        yield from self._order(kind, before, after)
        for name, each in new.items():
            if name in old:
                yield from self._item(f"{kind} {name}", old[name], each)

    def _who(self, step: Step) -> str:
        names = sorted(self._name(ident) for ident in _allowed(step, self._new))
        several = f"{step.threshold} of " if step.threshold > 1 else ""
        return several + (", ".join(names) or "holders of certificates")

    def _order(
        self, kind: str, before: Sequence[_Item], after: Sequence[_Item]
    ) -> Iterator[Change]:
        common = {each.name for each in before} & {each.name for each in after}
        old, new = ([each.name for each in side if each.name in common] for side in (before, after))
        if old == new:
            return
        # U3: a layout as a whole stands for the materials of its first step and the products of
        # its last; the steps between them may come in any order.
        same_ends = kind == "step" and (before[0].name, before[-1].name) == (
            after[0].name,
            after[-1].name,
        )
        yield Change(
            code=f"{kind}s-reordered",
            place="layout",
            what=f"{kind}s come in another order: {', '.join(new)}",
            means="nothing: rules say themselves which step they mean"
            if same_ends
            else "the first and the last step stand for the whole chain, and may be others now"
            if kind == "step"
            else "a later inspection may see what an earlier one left",
            effect=Effect.NEITHER if same_ends else Effect.UNCLEAR,
            gone=tuple(old),
            came=tuple(new),
        )

    def _item(self, place: str, old: _Item, new: _Item) -> Iterator[Change]:
        if isinstance(old, Step) and isinstance(new, Step):
            yield from self._functionaries(place, old, new)
            if old.expected_command != new.expected_command:
                yield Change(
                    code="command",
                    place=place,
                    what=f"is expected to run `{command(new.expected_command)}` instead of"
                    f" `{command(old.expected_command)}`",
                    means="a note where a link says otherwise: the command is not enforced (S7)",
                    effect=Effect.NEITHER,
                    gone=old.expected_command,
                    came=new.expected_command,
                )
        elif isinstance(old, Inspection) and isinstance(new, Inspection) and old.run != new.run:
            yield Change(
                code="run",
                place=place,
                what=f"runs `{command(new.run)}` instead of `{command(old.run)}`",
                means="something else is done with the file; policies that name the command must"
                " name the new one",
                effect=Effect.UNCLEAR,
                gone=old.run,
                came=new.run,
            )
        names = [{each.name for each in _all(layout)} for layout in (self._old, self._new)]
        for side, before, after in (
            ("materials", old.expected_materials, new.expected_materials),
            ("products", old.expected_products, new.expected_products),
        ):
            yield from _rules(
                place, side, _effective(before, side, names[0]), _effective(after, side, names[1])
            )

    def _functionaries(self, place: str, old: Step, new: Step) -> Iterator[Change]:
        if old.threshold != new.threshold:
            lower = new.threshold < old.threshold
            yield Change(
                code="threshold",
                place=place,
                what=f"asks for {counted(new.threshold, 'functionary').replace('ys', 'ies')}"
                f" instead of {old.threshold}",
                means="fewer have to agree" if lower else "more have to agree",
                effect=Effect.WEAKER if lower else Effect.STRICTER,
                gone=(str(old.threshold),),
                came=(str(new.threshold),),
            )
        before, after = _allowed(old, self._old), _allowed(new, self._new)
        for ident in sorted(after.keys() - before.keys()):
            yield Change(
                code="functionary-added",
                place=place,
                what=f"may be carried out by {self._name(ident)} as well",
                means="links that this key signs count",
                effect=Effect.WEAKER,
                came=(self._name(ident),),
            )
        for ident in sorted(before.keys() - after.keys()):
            yield Change(
                code="functionary-removed",
                place=place,
                what=f"may not be carried out by {self._name(ident)} any more",
                means="links that this key signed do not count any more",
                effect=Effect.STRICTER,
                gone=(self._name(ident),),
            )
        common = sorted(before.keys() & after.keys())
        for ident in common:
            if before[ident] != after[ident]:
                yield _key_changed(place, self._name(ident), before[ident], after[ident])
        yield from _parties_changed(place, _parties(common, self._old), _parties(common, self._new))
        gone, came = _only(map(str, old.constraints), map(str, new.constraints))
        if gone or came:
            yield Change(
                code="certificates",
                place=place,
                what="asks certificates for something else",
                means="others may sign this step by certificate",
                effect=_by_sets(gone, came),
                gone=gone,
                came=came,
            )


# --- names ----------------------------------------------------------------------------------


def _of_steps(layout: Layout) -> Sequence[Step]:
    return layout.steps


def _of_inspections(layout: Layout) -> Sequence[Inspection]:
    return layout.inspections


def _all(layout: Layout) -> tuple[_Item, ...]:
    return (*layout.steps, *layout.inspections)


def _renamed(
    before: Layout, after: Layout, items: Callable[[Layout], Sequence[_Item]]
) -> dict[str, str]:
    """Old names by new ones, of what is the same but for its name."""
    old, new = ({each.name: each for each in items(layout)} for layout in (before, after))
    gone = [each for each in items(before) if each.name not in new]
    came = [each for each in items(after) if each.name not in old]
    if len(gone) != len(came):
        return {}
    # A rule about a step that is not there does nothing, and would come to life with the name.
    spoken = _spoken_of(before), _spoken_of(after)
    if spoken[0].intersection(each.name for each in came) or (
        spoken[1].intersection(each.name for each in gone)
    ):
        return {}
    if any("{" in name for side in spoken for name in side):
        return {}
    # All of them together, since they may refer to each other; then without those that differ.
    pairs = {was.name: now.name for was, now in zip(gone, came, strict=True)}
    while pairs:
        named = _with_names(before, pairs)
        renamed = {each.name: each for each in items(named)}
        differ = [
            was for was, now in pairs.items() if not _same(renamed[now], named, new[now], after)
        ]
        if not differ:
            return pairs
        pairs = {was: now for was, now in pairs.items() if was not in differ}
    return {}


def _spoken_of(layout: Layout) -> set[str]:
    """The steps and inspections that MATCH rules name, whether they are there or not."""
    return {
        rule.step
        for each in _all(layout)
        for rule in (*each.expected_materials, *each.expected_products)
        if isinstance(rule, Match)
    }


def _same(one: _Item, one_in: Layout, other: _Item, other_in: Layout) -> bool:
    if isinstance(one, Step) and isinstance(other, Step):
        keys = _allowed(one, one_in), _allowed(other, other_in)
        one, other = replace(one, pubkeys=()), replace(other, pubkeys=())
        return one == other and keys[0] == keys[1]
    return one == other


def _with_names(layout: Layout, names: Mapping[str, str]) -> Layout:
    if not names:
        return layout

    def rules(listed: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            replace(rule, step=names.get(rule.step, rule.step)) if isinstance(rule, Match) else rule
            for rule in listed
        )

    return replace(
        layout,
        steps=tuple(
            replace(
                step,
                name=names.get(step.name, step.name),
                expected_materials=rules(step.expected_materials),
                expected_products=rules(step.expected_products),
            )
            for step in layout.steps
        ),
        inspections=tuple(
            replace(
                each,
                name=names.get(each.name, each.name),
                expected_materials=rules(each.expected_materials),
                expected_products=rules(each.expected_products),
            )
            for each in layout.inspections
        ),
    )


# --- keys -----------------------------------------------------------------------------------

#: From when until when.
_Validity: TypeAlias = "tuple[datetime | None, datetime | None]"
#: How a key may sign: scheme, its validity, and its master's.
_Way: TypeAlias = "tuple[str, _Validity, _Validity | None]"


def _signing(layout: Layout) -> Iterator[tuple[str, tuple[str, ...], _Way]]:
    """Identity, keyids and way of every key that can sign; the others sign nothing (K3)."""
    for key in layout.keys.values():
        try:
            yield identity(key), (key.keyid,), (key.scheme, _validity(key), None)
        except UnusableKey:
            continue
        for subkey in key.subkeys:
            try:
                ident = identity(subkey)
            except UnusableKey:
                continue
            # K6: who names the master accepts its subkeys.
            way = (subkey.scheme, _validity(subkey), _validity(key))
            yield ident, (subkey.keyid, key.keyid), way


def _validity(key: PublicKey) -> _Validity:
    return key.not_before, key.not_after


def _allowed(step: Step, layout: Layout) -> dict[str, frozenset[_Way]]:
    """Who may carry out a step, by identity, and how they sign."""
    allowed: dict[str, frozenset[_Way]] = {}
    for ident, keyids, way in _signing(layout):
        if not set(keyids).isdisjoint(step.pubkeys):
            allowed[ident] = allowed.get(ident, frozenset()) | {way}
    return allowed


def _key_changed(place: str, name: str, before: frozenset[_Way], after: frozenset[_Way]) -> Change:
    schemes = [sorted({way[0] for way in ways}) for ways in (before, after)]
    if schemes[0] != schemes[1]:
        what = f"{name} signs with {', '.join(schemes[1])} instead of {', '.join(schemes[0])}"
        means = "what was signed the other way does not count"
        effect = Effect.UNCLEAR
    else:
        what = f"{name} is valid for another time"
        means = "outside of that time its links do not count"
        effect = _by_sets(before - after, after - before)
        if len(before) == len(after) == 1:
            (old,), (new,) = before, after
            wider, narrower = _lasts(new, old), _lasts(old, new)
            effect = Effect.WEAKER if wider else Effect.STRICTER if narrower else Effect.UNCLEAR
    return Change(code="functionary-changed", place=place, what=what, means=means, effect=effect)


def _lasts(wide: _Way, narrow: _Way) -> bool:
    """Whether a key is valid whenever it would be otherwise."""
    return all(
        _begins(one, other) and _ends(one, other)
        for one, other in zip(wide[1:], narrow[1:], strict=True)
        if one is not None and other is not None
    ) and ((wide[2] is None) == (narrow[2] is None))


def _begins(wide: _Validity, narrow: _Validity) -> bool:
    return wide[0] is None or (narrow[0] is not None and wide[0] <= narrow[0])


def _ends(wide: _Validity, narrow: _Validity) -> bool:
    return wide[1] is None or (narrow[1] is not None and wide[1] >= narrow[1])


def _parties(identities: Iterable[str], layout: Layout) -> frozenset[frozenset[str]]:
    """Which of the keys count as one, because they belong to one OpenPGP key (K6)."""
    keyring = Keyring(layout.keys.values())
    kin = {ident: frozenset(keyring.kin(ident)[0] or (ident,)) for ident in identities}
    return frozenset(
        frozenset(other for other in kin if kin[other] & family) for family in kin.values()
    )


def _parties_changed(
    place: str, before: frozenset[frozenset[str]], after: frozenset[frozenset[str]]
) -> Iterator[Change]:
    if before == after:
        return
    finer = all(any(one <= other for other in before) for one in after)
    coarser = all(any(one <= other for other in after) for one in before)
    yield Change(
        code="parties",
        place=place,
        what="counts other keys as those of one functionary",
        means="keys count for themselves that were one party"
        if finer
        else "keys are one party that counted for themselves",
        effect=Effect.WEAKER if finer else Effect.STRICTER if coarser else Effect.UNCLEAR,
    )


def _used(layout: Layout) -> set[str]:
    return {ident for step in layout.steps for ident in _allowed(step, layout)}


def _unused(layout: Layout) -> set[str]:
    return {ident for ident, _, _ in _signing(layout)} - _used(layout)


def _names(layout: Layout, known: Mapping[str, str]) -> dict[str, str]:
    """What to call the keys: as a source does, else by the id that the layout has."""
    names: dict[str, str] = {}
    for ident, keyids, _ in _signing(layout):
        names.setdefault(ident, f"key {short_keyid(keyids[0])}")
    return {**names, **known}


def _authorities(layout: Layout) -> list[str]:
    roots = [
        f"{each.name}: {''.join(each.certificate.split())}" for each in layout.authorities.roots
    ]
    return [*roots, *("".join(each.split()) for each in layout.authorities.intermediates)]


# --- rules ----------------------------------------------------------------------------------


def _effective(rules: Sequence[Rule], side: str, names: Collection[str]) -> tuple[Rule, ...]:
    """The rules in one spelling, without those that cannot do anything."""
    kept: list[Rule] = []
    is_empty = False
    for rule in rules:
        if isinstance(rule, Create if side == "materials" else Delete):
            # R1, R2: CREATE finds nothing among materials, DELETE nothing among products.
            continue
        if isinstance(rule, Match):
            # R11: an unknown step consumes nothing.
            if rule.step not in names and "{" not in rule.step:
                continue
            # R10: the slash at the end of a prefix may be left out.
            rule = replace(  # noqa: PLW2901 - the same rule in one spelling
                rule,
                source_prefix=as_folder(rule.source_prefix),
                destination_prefix=as_folder(rule.destination_prefix),
            )
        # R5, R4: nothing is queued behind DISALLOW * or ALLOW *, and only REQUIRE would mind.
        if is_empty and not isinstance(rule, Require):
            continue
        is_empty = is_empty or (isinstance(rule, (Disallow, Allow)) and rule.pattern == "*")
        kept.append(rule)
    if len(kept) > _SEARCHED:
        return tuple(kept)
    return tuple(rule for index, rule in enumerate(kept) if not _is_idle(rule, kept[:index]))


def _is_idle(rule: Rule, before: Sequence[Rule]) -> bool:
    """Whether an earlier rule has done all that ``rule`` could do."""
    if isinstance(rule, Require):
        return False
    if isinstance(rule, Match):
        return rule in before
    return any(_widens(each.pattern, rule.pattern) for each in before if type(each) is type(rule))


def _widens(wide: str, narrow: str) -> bool:
    """Whether the pattern ``wide`` surely matches all that ``narrow`` does."""
    if wide == narrow:
        return True
    head = _head(wide)
    # What a parameter will stand for is not known; and most patterns have nothing in common.
    if "{" in wide or head == wide or not narrow.startswith(head):
        return False
    return len(wide) * len(narrow) <= _WORTH_IT and covers(wide, _reach_of(narrow))


def _may_meet(one: str, other: str) -> bool:
    """Whether there may be a name that both patterns match."""
    heads = _head(one), _head(other)
    if not (heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])):
        return False
    return len(one) * len(other) > _WORTH_IT or meets(one, other)


def _head(pattern: str) -> str:
    """What every name begins with that ``pattern`` matches."""
    special = _SPECIAL.search(pattern)
    return pattern if special is None else pattern[: special.start()]


def _reach_of(pattern: str) -> str:
    """A pattern for all that ``pattern`` may match, whatever its parameters are."""
    if "{" not in pattern:
        return pattern
    # Q3: between brackets, no value stands for itself.
    return "*" if "[" in pattern else _PARAMETER.sub("*", pattern)


def _reach(rule: Rule) -> str:
    """A pattern for all names that ``rule`` may concern."""
    if isinstance(rule, Require):
        return _reach_of_text(rule.name)
    if isinstance(rule, Match):
        return _reach_of_text(rule.source_prefix) + _reach_of(rule.pattern)
    return _reach_of(rule.pattern)


def _reach_of_text(text: str) -> str:
    return "*".join(map(escape, _PARAMETER.split(text)))


def _is_check(rule: Rule) -> bool:
    """Whether it can fail, and consumes nothing; all others consume, and cannot fail."""
    return isinstance(rule, (Disallow, Require))


def _independent(one: Rule, other: Rule) -> bool:
    """Whether two rules that follow each other surely do the same the other way round."""
    return (_is_check(one) and _is_check(other)) or not _may_meet(_reach(one), _reach(other))


def _same_effect(old: Sequence[Rule], new: Sequence[Rule]) -> bool:
    """Whether ``new`` is ``old`` but for swaps of neighbours that do not depend on each other."""
    if old == new:
        return True
    # R7: rules work in their order. What is left when equal ends are taken away decides.
    old, new = _without_common_ends(old, new)
    if len(old) != len(new):
        return False
    left = list(new)
    pairs = 0
    for rule in old:
        for index, other in enumerate(left):
            if other == rule:
                del left[index]
                break
            pairs += 1
            if pairs > _PAIRS or not _independent(rule, other):
                return False
        else:
            return False
    return True


def _without_common_ends(
    old: Sequence[Rule], new: Sequence[Rule]
) -> tuple[Sequence[Rule], Sequence[Rule]]:
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return old[start : len(old) - end], new[start : len(new) - end]


def _rules(place: str, side: str, old: tuple[Rule, ...], new: tuple[Rule, ...]) -> Iterator[Change]:
    if _same_effect(old, new):
        return
    gone, came, effect = _compared(old, new)
    if _is_closed(old) and not _is_closed(new):
        # Whatever else there is: something passes now that did not.
        effect = Effect.WEAKER
    if gone or came:
        what = f"has other rules for its {side}"
    else:
        what = f"has the rules for its {side} in another order"
        gone, came = map(tuple, _without_common_ends(old, new))
    yield Change(
        code="rules",
        place=place,
        what=what,
        means=_meaning(old, new, gone, came, effect),
        effect=effect,
        gone=tuple(map(str, gone)),
        came=tuple(map(str, came)),
    )


def _meaning(
    old: Sequence[Rule],
    new: Sequence[Rule],
    gone: Sequence[Rule],
    came: Sequence[Rule],
    effect: Effect,
) -> str:
    if _is_closed(old) and not _is_closed(new):
        return "anything that no rule names is let through now"
    if _is_closed(new) and not _is_closed(old):
        return "what no rule names is refused now"
    if effect is Effect.WEAKER:
        return "may let artifacts through that were refused"
    if effect is Effect.STRICTER:
        return "refuses artifacts that were let through"
    if Counter(gone) == Counter(came):
        return "several rules may take the same artifact, and the first one does"
    return "other artifacts are let through, and others refused"


def _is_closed(rules: Sequence[Rule]) -> bool:
    return any(isinstance(rule, Disallow) and rule.pattern == "*" for rule in rules)


_Compared: TypeAlias = "tuple[tuple[Rule, ...], tuple[Rule, ...], Effect]"


def _compared(old: Sequence[Rule], new: Sequence[Rule]) -> _Compared:
    """Which rules are only in one of the lists, and what that means."""
    before, after = _without_common_ends(old, new)
    if max(len(before), len(after)) > _LINED_UP:
        gone, came = Counter(before) - Counter(after), Counter(after) - Counter(before)
        return tuple(gone.elements()), tuple(came.elements()), Effect.UNCLEAR
    effects: set[Effect] = set()
    only_old: list[Rule] = []
    only_new: list[Rule] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        gone_here, came_here = old[start:end], new[new_start:new_end]
        only_old += gone_here
        only_new += came_here
        pairs = list(zip(gone_here, came_here, strict=False))
        if len(gone_here) == len(came_here) and all(_is_refined(*pair) for pair in pairs):
            for index, (was, now) in enumerate(pairs):
                effects.add(_refined(was, now, old[start + index + 1 :], new[new_end:]))
        else:
            effects |= {_removed(old, index) for index in range(start, end)}
            effects |= {_added(rule) for rule in came_here}
    if Counter(only_old) == Counter(only_new):
        return (), (), Effect.UNCLEAR
    effect = effects.pop() if len(effects) == 1 else Effect.UNCLEAR
    moved = Counter(only_old) & Counter(only_new)
    return _less(only_old, moved), _less(only_new, moved), Effect.UNCLEAR if moved else effect


def _less(rules: Sequence[Rule], moved: Counter[Rule]) -> tuple[Rule, ...]:
    left = moved.copy()
    kept = []
    for rule in rules:
        if left[rule]:
            left[rule] -= 1
        else:
            kept.append(rule)
    return tuple(kept)


def _removed(rules: Sequence[Rule], index: int) -> Effect:
    rule, later = rules[index], rules[index + 1 :]
    if _is_check(rule):
        return Effect.WEAKER
    # What it took is left to the rules behind it: to be required, or to stand for the file.
    return Effect.STRICTER if _alone(rule, later) else Effect.UNCLEAR


def _alone(rule: Rule, later: Sequence[Rule]) -> bool:
    """Whether no later rule but a DISALLOW may concern what ``rule`` does."""
    if len(later) > _PAIRS:
        return False
    return not any(
        _may_meet(_reach(rule), _reach(other)) for other in later if not isinstance(other, Disallow)
    )


def _added(rule: Rule) -> Effect:
    return Effect.STRICTER if _is_check(rule) else Effect.WEAKER


def _is_refined(was: Rule, now: Rule) -> bool:
    """Whether one is the other with a wider or narrower pattern."""
    if type(was) is not type(now) or isinstance(was, Require) or isinstance(now, Require):
        return False
    is_match = isinstance(was, Match) and isinstance(now, Match)
    if is_match and replace(was, pattern=now.pattern) != now:
        return False
    return _widens(was.pattern, now.pattern) or _widens(now.pattern, was.pattern)


def _refined(was: Rule, now: Rule, later: Sequence[Rule], later_now: Sequence[Rule]) -> Effect:
    if isinstance(was, Require) or isinstance(now, Require):
        return Effect.UNCLEAR
    wider = _widens(now.pattern, was.pattern)
    if _is_check(was):
        return Effect.STRICTER if wider else Effect.WEAKER
    if wider:
        return Effect.WEAKER
    # A narrower rule leaves more to those behind it, as one that is gone does.
    is_alone = _alone(was, later) and _alone(was, later_now)
    return Effect.STRICTER if is_alone else Effect.UNCLEAR


# --- the rest -------------------------------------------------------------------------------


def _binds(layout: Layout) -> str:
    """What ties the file to the chain, in words."""
    deciding = [each.name for each in deciding_inspections(layout)]
    if deciding:
        many = "inspections" if len(deciding) > 1 else "inspection"
        return f"the {many} {', '.join(sorted(deciding))}"
    return f"the last step, {layout.steps[-1].name}"


def _parameters(layout: Layout) -> set[str]:
    return {
        name
        for each in _all(layout)
        for rule in (*each.expected_materials, *each.expected_products)
        for word in rule.words
        if "{" in word
        for name in _PARAMETER.findall(word)
    }


def _only(old: Iterable[str], new: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    before, after = set(old), set(new)
    return tuple(sorted(before - after)), tuple(sorted(after - before))


def _by_sets(gone: Collection[object], came: Collection[object]) -> Effect:
    if gone and came:
        return Effect.UNCLEAR
    return Effect.WEAKER if came else Effect.STRICTER


def _sets(noun: str, gone: Sequence[str], came: Sequence[str]) -> str:
    parts = []
    for word, items in (("has", came), ("has no longer", gone)):
        if items:
            shown = ", ".join(
                each if len(each) <= _LONGEST else each[:_LONGEST] + "…" for each in items
            )
            parts.append(f"{word} the {noun}{'s' if len(items) > 1 else ''} {shown}")
    return "; ".join(parts)


_LONGEST = 60
