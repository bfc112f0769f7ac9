"""Two lists of rules: whether they let the same artifacts through, and if not, what is stricter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.layouts.differences.changes import Change, Effect
from pip_intoto.maintainer.layouts.globs import covers, meets
from pip_intoto.maintainer.layouts.reach import is_closed, is_everything, opened, reach
from pip_intoto.metadata.rules import Allow, Create, Delete, Disallow, Match, Require
from pip_intoto.verification.artifact_rules import as_folder
from pip_intoto.verification.patterns import literal_start

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.record import Side


def rule_changes(
    place: str,
    side: Side,
    before: tuple[Sequence[Rule], Layout],
    after: tuple[Sequence[Rule], Layout],
) -> Iterator[Change]:
    """What is different about one side of an item; both lists come with their layouts."""
    old, new = (_effective(rules, side, _names_in(layout)) for rules, layout in (before, after))
    if _same_effect(old, new):
        return
    gone, came, effect = _compared(old, new)
    if is_closed(old) and not is_closed(new):
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


def _names_in(layout: Layout) -> frozenset[str]:
    return frozenset(each.name for each in layout.items)


def _effective(rules: Sequence[Rule], side: Side, names: Collection[str]) -> tuple[Rule, ...]:
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
        is_empty = is_empty or (isinstance(rule, (Disallow, Allow)) and is_everything(rule.pattern))
        kept.append(rule)
    if len(kept) > LOCAL.searched_rules:
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
    head = literal_start(wide)
    # What a parameter will stand for is not known; and most patterns have nothing in common.
    if "{" in wide or head == wide or not narrow.startswith(head):
        return False
    return len(wide) * len(narrow) <= LOCAL.compared_patterns and covers(wide, opened(narrow))


def _may_meet(one: str, other: str) -> bool:
    """Whether there may be a name that both patterns match."""
    heads = literal_start(one), literal_start(other)
    if not (heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])):
        return False
    return len(one) * len(other) > LOCAL.compared_patterns or meets(one, other)


def _reach(rule: Rule) -> str:
    return opened(reach(rule))


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
            if pairs > LOCAL.compared_rules or not _independent(rule, other):
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


def _meaning(
    old: Sequence[Rule],
    new: Sequence[Rule],
    gone: Sequence[Rule],
    came: Sequence[Rule],
    effect: Effect,
) -> str:
    if is_closed(old) and not is_closed(new):
        return "anything that no rule names is let through now"
    if is_closed(new) and not is_closed(old):
        return "what no rule names is refused now"
    if effect is Effect.WEAKER:
        return "may let artifacts through that were refused"
    if effect is Effect.STRICTER:
        return "refuses artifacts that were let through"
    if Counter(gone) == Counter(came):
        return "several rules may take the same artifact, and the first one does"
    return "other artifacts are let through, and others refused"


def _compared(
    old: Sequence[Rule], new: Sequence[Rule]
) -> tuple[tuple[Rule, ...], tuple[Rule, ...], Effect]:
    """Which rules are only in one of the lists, and what that means."""
    before, after = _without_common_ends(old, new)
    if max(len(before), len(after)) > LOCAL.aligned_rules:
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
    if len(later) > LOCAL.compared_rules:
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
