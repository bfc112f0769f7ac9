"""What a new layout changes in meaning, whatever it changes in text.

Two root layouts mean the same when every chain that satisfies one satisfies the other, and binds
the same file by the same rules. That is decided by what can be proved with little work, and always
in the same direction: what is called the same is the same, and what is called stricter accepts
nothing that was refused before. Where neither is certain, the change is shown, and called unclear.

Keys are compared by what they are, not by the ids that they are listed under (K4, T3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.maintainer.layouts.differences.changes import Change, Effect, only, told
from pip_intoto.maintainer.layouts.differences.functionaries import (
    Names,
    allowed,
    key_changes,
    step_changes,
)
from pip_intoto.maintainer.layouts.differences.renames import renamed, with_names
from pip_intoto.maintainer.layouts.differences.rules import rule_changes
from pip_intoto.maintainer.layouts.differences.statements import (
    condition_changes,
    statement_changes,
)
from pip_intoto.maintainer.layouts.expiry import written
from pip_intoto.metadata.layout import Inspection, Step
from pip_intoto.verification.artifact_rules import SIDES, rules_of
from pip_intoto.verification.binding import deciding_inspections
from pip_intoto.verification.substitution import parameters_of
from pip_intoto.verification.wording import command, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.maintainer.layouts.differences.renames import Item
    from pip_intoto.maintainer.layouts.layouts_in import Found
    from pip_intoto.metadata.layout import Layout

__all__ = ["Change", "Effect", "differences"]


def differences(old: Found, new: Found) -> tuple[Change, ...]:
    """What ``new`` changes; empty when both mean the same."""
    return tuple(_Comparison(old, new).changes())


class _Comparison:
    def __init__(self, old: Found, new: Found) -> None:
        self._found = (old, new)
        before, after = old.layout, new.layout
        self._renamed = renamed(before, after)
        self._old = with_names(before, self._renamed)
        self._new = after
        self._names = Names(old, new)

    def changes(self) -> Iterator[Change]:
        yield from self._whole()
        old, new = self._old, self._new
        yield from self._items("step", old.steps, new.steps)
        yield from self._items("inspection", old.inspections, new.inspections)
        yield from self._binding()
        yield from key_changes(old, new, self._names)

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
        sides = [[f"{{{name}}}" for name in parameters_of(each)] for each in (before, after)]
        gone, came = only(*sides)
        if gone or came:
            yield Change(
                code="parameters",
                place="layout",
                what=told("parameter", gone, came),
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

    # --- steps and inspections --------------------------------------------------------------

    def _items(self, kind: str, before: Sequence[Item], after: Sequence[Item]) -> Iterator[Change]:
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
        names = sorted(map(self._names, allowed(step, self._new)))
        several = f"{step.threshold} of " if step.threshold > 1 else ""
        return several + (", ".join(names) or "holders of certificates")

    def _order(self, kind: str, before: Sequence[Item], after: Sequence[Item]) -> Iterator[Change]:
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

    def _item(self, place: str, old: Item, new: Item) -> Iterator[Change]:
        if isinstance(old, Step) and isinstance(new, Step):
            asked = ((old, self._old), (new, self._new))
            if old.expected_predicates or new.expected_predicates:
                yield from statement_changes(place, *asked, self._names)
            else:
                yield from step_changes(place, *asked, self._names)
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
        yield from condition_changes(place, old.expected_attributes, new.expected_attributes)
        for side in SIDES:
            yield from rule_changes(
                place, side, (rules_of(old, side), self._old), (rules_of(new, side), self._new)
            )


def _binds(layout: Layout) -> str:
    """What ties the file to the chain, in words."""
    deciding = [each.name for each in deciding_inspections(layout)]
    if deciding:
        many = "inspections" if len(deciding) > 1 else "inspection"
        return f"the {many} {', '.join(sorted(deciding))}"
    return f"the last step, {layout.steps[-1].name}"
