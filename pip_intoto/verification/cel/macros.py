"""Macros: ``all``, ``exists``, ``exists_one``, ``filter`` and ``map``, over lists and keys."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.verification.cel.terms import decided
from pip_intoto.verification.cel.values import kind, truth
from pip_intoto.verification.cel.work import Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pip_intoto.verification.cel.terms import Scope, Term
    from pip_intoto.verification.cel.work import Value, Work


def _elements(target: Term, scope: Scope, work: Work) -> Iterable[Value]:
    value = target(scope, work)
    if not isinstance(value, (list, dict)):
        raise Undecided(f"{kind(value)} has no elements")
    return value


def _each(body: Term, variable: str, item: Value, scope: Scope, work: Work) -> Value:
    work.spend()
    return body({**scope, variable: item}, work)


def _quantifier(deciding: bool) -> _Macro:  # noqa: FBT001 - `exists` is true, `all` is false
    def macro(target: Term, variable: str, bodies: Sequence[Term]) -> Term:
        (body,) = bodies

        def quantified(scope: Scope, work: Work) -> bool:
            items = _elements(target, scope, work)
            return decided(
                (functools.partial(_each, body, variable, item, scope, work) for item in items),
                deciding=deciding,
            )

        return quantified

    return macro


def _exists_one(target: Term, variable: str, bodies: Sequence[Term]) -> Term:
    (body,) = bodies

    def exists_one(scope: Scope, work: Work) -> bool:
        items = _elements(target, scope, work)
        return sum(truth(_each(body, variable, item, scope, work)) for item in items) == 1

    return exists_one


def _filter(target: Term, variable: str, bodies: Sequence[Term]) -> Term:
    (body,) = bodies

    def kept(scope: Scope, work: Work) -> list[Value]:
        made: list[Value] = []
        for item in _elements(target, scope, work):
            if truth(_each(body, variable, item, scope, work)):
                work.make(1)
                made.append(item)
        return made

    return kept


def _mapped(target: Term, variable: str, bodies: Sequence[Term]) -> Term:
    *conditions, body = bodies

    def mapped(scope: Scope, work: Work) -> list[Value]:
        made: list[Value] = []
        for item in _elements(target, scope, work):
            if all(truth(_each(one, variable, item, scope, work)) for one in conditions):
                work.make(1)
                made.append(_each(body, variable, item, scope, work))
        return made

    return mapped


_Macro: TypeAlias = "Callable[[Term, str, Sequence[Term]], Term]"
MACROS: dict[str, tuple[_Macro, tuple[int, ...]]] = {
    "all": (_quantifier(False), (2,)),  # noqa: FBT003
    "exists": (_quantifier(True), (2,)),  # noqa: FBT003
    "exists_one": (_exists_one, (2,)),
    "filter": (_filter, (2,)),
    "map": (_mapped, (2, 3)),
}
