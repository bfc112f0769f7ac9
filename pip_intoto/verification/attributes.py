"""Conditions on what statements and links say (ITE-11): expressions in CEL.

What they may cost is bounded, and counted rather than timed: the same condition over the same
statement ends the same way on every machine.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    AttributeMissing,
    AttributesUnsupported,
    AttributeUnusable,
    AttributeViolated,
)
from pip_intoto.metadata.node import shown
from pip_intoto.verification.artifact_rules import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.verification.cel.terms import Term
    from pip_intoto.verification.cel.work import Work

#: Characters of an expression that a message shows.
_SHOWN = 240
#: Values of a document that a message shows.
_VALUES = 4


def check(
    expressions: Sequence[str],
    statement_like: Mapping[str, JsonValue],
    *,
    place: str,
    limits: Limits,
    budget: Budget | None = None,
) -> None:
    """Every one of ``expressions`` evaluates to true over ``statement_like``.

    The members of ``statement_like`` are the variables: ``type``, ``subject``, ``predicateType``
    and ``predicate``. ``place`` is where the list of expressions stands in the layout. ``budget``
    is what conditions may still cost in all, and pays for these.

    Raises :class:`pip_intoto.errors.AttributeViolated` when one evaluates to false,
    :class:`pip_intoto.errors.AttributeMissing` when it asks for something that is not there,
    :class:`pip_intoto.errors.AttributeUnusable` when it cannot be evaluated or is no truth value,
    :class:`pip_intoto.errors.AttributesUnsupported` without the library that evaluates it, and
    :class:`pip_intoto.errors.MetadataTooLarge` when there is nothing left to pay with.
    """
    if not expressions:
        return
    _installed(place)
    from pip_intoto.verification import cel

    budget = budget or Budget(limits)
    for expression in expressions:
        budget.read_condition(expression)
    work = cel.Work(limits, limits.condition_steps, limits.condition_made)
    try:
        _hold(expressions, statement_like, work, place, limits)
    finally:
        # Those that begin may end: the next ones find that nothing is left.
        budget.condition_steps -= limits.condition_steps - work.steps


def _hold(
    expressions: Sequence[str],
    statement_like: Mapping[str, JsonValue],
    work: Work,
    place: str,
    limits: Limits,
) -> None:
    from pip_intoto.verification import cel

    for number, expression in enumerate(expressions):
        where = f"{place}[{number}]"
        term = parsed(expression, place=where, limits=limits)
        work.seen.clear()
        try:
            holds = term(statement_like, work)
        except cel.Absent as error:
            raise AttributeMissing(
                f"a condition asks for {error}, which the evidence does not say",
                expected=_expression(expression),
                found=_values(work.seen) or "nothing there",
                place=where,
            ) from None
        except cel.Undecided as error:
            raise AttributeUnusable(
                "a condition cannot be evaluated over this evidence",
                expected=_expression(expression),
                found=str(error),
                place=where,
            ) from None
        except (cel.TooCostly, RecursionError) as error:
            reason = str(error) if isinstance(error, cel.TooCostly) else "nests too deeply"
            raise AttributeUnusable(
                f"a condition {reason}",
                expected=f"at most {limits.condition_steps} steps and {limits.condition_made}"
                " characters made",
                found=_expression(expression),
                place=where,
            ) from None
        if not isinstance(holds, bool):
            raise AttributeUnusable(
                "a condition is neither true nor false",
                expected="true or false",
                found=f"{_expression(expression)} is {_value(holds)}",
                place=where,
            )
        if not holds:
            raise AttributeViolated(
                "a condition does not hold",
                expected=_expression(expression),
                found=_values(work.seen) or "false",
                place=where,
            )


def parsed(expression: str, *, place: str, limits: Limits) -> Term:
    """The function that ``expression`` stands for; this finds all faults of the text alone.

    Raises :class:`pip_intoto.errors.AttributeUnusable` when it is no expression, and
    :class:`pip_intoto.errors.AttributesUnsupported` without the library that reads it.
    """
    _installed(place)
    from pip_intoto.verification import cel

    try:
        return _compiled(expression, limits)
    except (cel.NotAnExpression, RecursionError) as error:
        reason = str(error) if isinstance(error, cel.NotAnExpression) else "nests too deeply"
        raise AttributeUnusable(
            "a condition is not CEL",
            expected="an expression such as predicate.result == 'PASSED'",
            found=f"{_expression(expression)}: {reason}",
            place=place,
        ) from None


def _installed(place: str) -> None:
    # Start-up: what reads CEL takes 200 ms to import, and most layouts have no conditions.
    try:
        import pip_intoto.verification.cel  # noqa: F401
    except ImportError:
        raise AttributesUnsupported(
            "there are conditions, and nothing is installed that evaluates them",
            expected="the extra pip-intoto[cel]",
            place=place,
        ) from None


@functools.lru_cache(maxsize=64)
def _compiled(expression: str, limits: Limits) -> Term:
    from pip_intoto.verification import cel

    return cel.compiled(expression, limits)


def _expression(text: str) -> str:
    """An expression for a message: on one line, without control characters, bounded."""
    plain = "".join(c if c.isprintable() else " " for c in text[: _SHOWN + 1])
    return plain if len(plain) <= _SHOWN else plain[:_SHOWN] + "…"


def _values(seen: Mapping[str, object]) -> str:
    shown_ = [f"{_expression(path)} = {_value(seen[path])}" for path in list(seen)[:_VALUES]]
    return ", ".join(shown_) + (" …" if len(seen) > _VALUES else "")


def _value(value: object) -> str:
    if value is None or isinstance(value, (bool, dict, list, str)):
        return shown(value)
    return shown(str(value))[1:-1]
