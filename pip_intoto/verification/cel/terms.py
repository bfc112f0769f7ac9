"""Functions of a scope: one for each operation of an expression, each paid for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.metadata.node import shown
from pip_intoto.verification.cel.values import KINDS, Kind, kind, truth
from pip_intoto.verification.cel.work import Absent, NotAnExpression, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pip_intoto.verification.cel.work import Value, Work

Scope: TypeAlias = "Mapping[str, Value]"
Term: TypeAlias = "Callable[[Scope, Work], Value]"

#: What a condition can name.
VARIABLES = frozenset({"type", "subject", "predicateType", "predicate"})


def constant(value: Value) -> Term:
    """A literal, or the name of a type."""

    def given(_scope: Scope, work: Work) -> Value:
        work.spend()
        return value

    return given


def variable(name: str, bound: frozenset[str]) -> Term:
    """What a macro binds, or the statement gives, under ``name``; else the type of that name."""
    if name not in bound and name not in VARIABLES:
        if name in KINDS:
            return constant(Kind(name))
        known = ", ".join(sorted(VARIABLES))
        raise NotAnExpression(f"there is no variable {shown(name)} (there are {known})")

    def bound_value(scope: Scope, work: Work) -> Value:
        work.spend()
        if name not in scope:
            raise Absent(name)
        return scope[name]

    return bound_value


def choice(condition: Term, yes: Term, no: Term) -> Term:
    """``condition ? yes : no``."""

    def evaluated(scope: Scope, work: Work) -> Value:
        work.spend()
        return (yes if truth(condition(scope, work)) else no)(scope, work)

    return evaluated


def decided(truths: Iterable[Callable[[], Value]], *, deciding: bool) -> bool:
    """CEL's ``||`` (``deciding`` true) and ``&&``: one that decides outweighs all errors."""
    undecided: Undecided | None = None
    for side in truths:
        try:
            if truth(side()) is deciding:
                return deciding
        except Undecided as error:
            undecided = undecided or error
    if undecided is not None:
        raise undecided
    return not deciding


def logic(left: Term, right: Term, *, deciding: bool) -> Term:
    """``left || right``, or ``left && right``."""

    def evaluated(scope: Scope, work: Work) -> bool:
        work.spend()
        return decided(
            (functools.partial(side, scope, work) for side in (left, right)), deciding=deciding
        )

    return evaluated


def binary(operation: Callable[[Value, Value, Work], Value], left: Term, right: Term) -> Term:
    """An operator between two values."""

    def evaluated(scope: Scope, work: Work) -> Value:
        work.spend()
        return operation(left(scope, work), right(scope, work), work)

    return evaluated


def unary(operation: Callable[[Value], Value], operand: Term) -> Term:
    """An operator before a value."""

    def evaluated(scope: Scope, work: Work) -> Value:
        work.spend()
        return operation(operand(scope, work))

    return evaluated


def selection(container: Term, member: str, path: str) -> Term:
    """``container.member``; ``path`` is where that is in the document, if it is known."""

    def evaluated(scope: Scope, work: Work) -> Value:
        work.spend()
        value = container(scope, work)
        if not isinstance(value, dict):
            raise Undecided(f"{kind(value)} has no member {shown(member)}")
        if member not in value:
            raise Absent(path or f"….{member}")
        return _noted(value[member], path, work)

    return evaluated


def indexing(container: Term, index: Term, path: str) -> Term:
    """``container[index]``, of a map or a list."""

    def evaluated(scope: Scope, work: Work) -> Value:
        work.spend()
        value, key = container(scope, work), index(scope, work)
        if isinstance(value, dict) and isinstance(key, str):
            work.read(key)
            if key not in value:
                raise Absent(path or f"…[{shown(key)}]")
            return _noted(value[key], path, work)
        if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
            if not 0 <= int(key) < len(value):
                raise Absent(path or f"…[{int(key)}]")
            return _noted(value[int(key)], path, work)
        raise Undecided(f"{kind(value)} has no index of type {kind(key)}")

    return evaluated


def _noted(value: Value, path: str, work: Work) -> Value:
    if path and not isinstance(value, (dict, list)):
        work.seen[path] = value
    return value


def elements(terms: Sequence[Term]) -> Term:
    """``[…, …]``."""

    def evaluated(scope: Scope, work: Work) -> list[Value]:
        work.make(1 + len(terms))
        return [term(scope, work) for term in terms]

    return evaluated


def members(keys: Sequence[Term], values: Sequence[Term]) -> Term:
    """``{…: …}``."""

    def evaluated(scope: Scope, work: Work) -> dict[str, Value]:
        work.make(1 + len(keys))
        made: dict[str, Value] = {}
        for key_term, value_term in zip(keys, values, strict=True):
            key = key_term(scope, work)
            if not isinstance(key, str) or key in made:
                raise Undecided("the keys of a map are texts, each used once")
            made[key] = value_term(scope, work)
        return made

    return evaluated


def call(
    name: str, function: Callable[..., Value], parameters: int, arguments: Sequence[Term]
) -> Term:
    """``name(…)``, or ``….name(…)``, where what is before the dot is the first argument."""
    if len(arguments) != parameters:
        raise NotAnExpression(f"{name}(…) takes {parameters} values, and not {len(arguments)}")

    def evaluated(scope: Scope, work: Work) -> Value:
        work.spend()
        return function(work, *(argument(scope, work) for argument in arguments))

    return evaluated
