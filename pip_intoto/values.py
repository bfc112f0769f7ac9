"""Frozen dataclasses that take little time to define.

``dataclasses.dataclass(frozen=True)`` compiles six methods for each class, which takes 0.4 ms; all
the classes on the way to a verdict took a fifth of the time of a small verification. The decorator
here makes classes that behave the same, and type checkers take it for that one. But it compiles
only ``__init__``, which is different for each class and has to be quick; of the other methods, all
classes have the same. ``field``, ``fields`` and ``replace`` are those of ``dataclasses``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, FrozenInstanceError, fields
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass
    from typing import TypeVar

    T = TypeVar("T")
else:

    def dataclass(
        *, frozen: bool = False, slots: bool = False, kw_only: bool = False
    ) -> Callable[[type[T]], type[T]]:
        """Make the decorator; classes that are not frozen are left to ``dataclasses``."""
        if not frozen:
            return dataclasses.dataclass(slots=slots, kw_only=kw_only)
        return lambda cls: _frozen(cls, slots=slots, kw_only=kw_only)


__all__ = ["dataclass"]


def _frozen(cls: type[T], *, slots: bool, kw_only: bool) -> type[T]:
    # Methods that the class has of its own stay.
    own = frozenset(vars(cls))
    # Otherwise the signature would be worked out for it, of which a text in C is taken apart.
    cls.__doc__ = cls.__doc__ or cls.__name__
    make = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
    made = make(cls)
    for name, method in {**_SHARED, **_comparison(made), "__init__": _init(made)}.items():
        if name not in own:
            setattr(made, name, method)
    return made


class _Frozen:
    """What all classes have in common."""

    def __repr__(self) -> str:
        shown = [f"{each.name}={getattr(self, each.name)!r}" for each in _fields(self) if each.repr]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    # For copies: what `object` has would assign to the fields.
    def __getstate__(self) -> object:
        return [getattr(self, each.name) for each in _fields(self)]

    def __setstate__(self, state: Sequence[object]) -> None:
        for each, value in zip(_fields(self), state, strict=True):
            object.__setattr__(self, each.name, value)


_SHARED = {name: method for name, method in vars(_Frozen).items() if callable(method)}


def _fields(value: object) -> tuple[dataclasses.Field[object], ...]:
    return fields(value)  # type: ignore[arg-type]


def _comparison(cls: type) -> dict[str, object]:
    names = [each.name for each in _fields(cls) if each.compare]
    values: Callable[[object], object] = attrgetter(*names) if names else lambda _: ()

    def equal(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented  # type: ignore[no-any-return]
        return bool(values(self) == values(other))

    def hashed(self: object) -> int:
        return hash(values(self))

    return {"__eq__": equal, "__hash__": hashed}


def _init(cls: type) -> object:
    scope: dict[str, object] = {"_set": object.__setattr__, "_MISSING": MISSING}
    positional: list[str] = []
    keywords: list[str] = []
    body: list[str] = []
    for each in _fields(cls):
        parameter = value = each.name
        if each.default is not MISSING:
            scope[f"_default_{each.name}"] = each.default
            parameter += f"=_default_{each.name}"
        elif each.default_factory is not MISSING:
            scope[f"_make_{each.name}"] = each.default_factory
            parameter += "=_MISSING"
            value = f"_make_{each.name}() if {each.name} is _MISSING else {each.name}"
        (keywords if each.kw_only else positional).append(parameter)
        body.append(f"    _set(self, {each.name!r}, {value})\n")
    parameters = ", ".join(["self", *positional, *(["*", *keywords] if keywords else [])])
    # Nothing is in this text but the names of the fields, which are Python's own by now.
    exec(f"def __init__({parameters}):\n{''.join(body) or '    pass'}", scope)  # noqa: S102
    init = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"  # type: ignore[attr-defined]
    return init
