"""Frozen dataclasses: they behave as those of ``dataclasses`` do, which these tests run beside."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import pytest

from pip_intoto import values
from pip_intoto.verdict import Outcome, TraceEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[..., Callable[[type], type]]

BOTH = pytest.mark.parametrize("dataclass", [dataclasses.dataclass, values.dataclass])


def point(dataclass: Decorator, **options: bool) -> type:
    @dataclass(frozen=True, **options)
    class Point:
        """A point."""

        ORIGIN: ClassVar[int] = 0

        x: int
        y: int = 2
        tags: list[str] = field(default_factory=list)
        note: str = field(default="", compare=False, repr=False)

        def sum(self) -> int:
            return self.x + self.y

    return Point


@BOTH
@pytest.mark.parametrize("slots", [True, False])
def test_fields_are_filled_by_place_by_name_and_by_default(
    dataclass: Decorator, slots: bool
) -> None:
    kind = point(dataclass, slots=slots)
    made = kind(1, tags=["a"])
    assert (made.x, made.y, made.tags, made.note, made.sum()) == (1, 2, ["a"], "", 3)
    assert repr(made).endswith("Point(x=1, y=2, tags=['a'])")
    assert kind(1).tags is not kind(1).tags
    assert hasattr(made, "__dict__") is not slots
    assert [each.name for each in fields(kind)] == ["x", "y", "tags", "note"]
    assert kind.__doc__ == "A point."


@BOTH
def test_what_is_missing_or_too_much_is_named(dataclass: Decorator) -> None:
    kind = point(dataclass, slots=True)
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 .*'x'"):
        kind()
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) got an unexpected .*'z'"):
        kind(1, z=2)
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        point(dataclass, kw_only=True)(1)
    assert point(dataclass, kw_only=True)(x=1).x == 1


@BOTH
@pytest.mark.parametrize("slots", [True, False])
def test_nothing_can_be_assigned_or_deleted(dataclass: Decorator, slots: bool) -> None:
    made = point(dataclass, slots=slots)(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        made.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'y'"):
        del made.y
    assert made.x == 1


@BOTH
def test_equal_are_those_of_one_class_that_hold_the_same(dataclass: Decorator) -> None:
    kind, other = point(dataclass, slots=True), point(dataclass, slots=True)
    assert kind(1, note="a") == kind(1, note="b")
    assert kind(1) != kind(2)
    assert kind(1) != other(1)
    assert kind(1) != (1, 2, [])
    assert hash(kind(1, tags=())) == hash(kind(1, tags=(), note="b"))
    with pytest.raises(TypeError, match="unhashable"):
        hash(kind(1))


@BOTH
def test_a_class_without_fields(dataclass: Decorator) -> None:
    @dataclass(frozen=True, slots=True)
    class Nothing:
        """Nothing."""

    assert Nothing() == Nothing()
    assert len({Nothing(), Nothing()}) == 1
    assert repr(Nothing()).endswith("Nothing()")


def test_a_class_that_says_nothing_of_itself_has_its_name_for_a_description() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Unsaid:
        x: int

    assert Unsaid.__doc__ == "Unsaid"
    assert Unsaid(1).x == 1


@BOTH
def test_own_methods_stay_and_may_keep_what_they_worked_out(dataclass: Decorator) -> None:
    @dataclass(frozen=True)
    class Named:
        """Something with a name."""

        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named) and self.shout == other.shout

        def __hash__(self) -> int:
            return hash(self.shout)

        def __repr__(self) -> str:
            return self.shout

        @cached_property
        def shout(self) -> str:
            return self.name.upper()

    assert Named("a") == Named("A")
    assert len({Named("a"), Named("A")}) == 1
    assert repr(Named("a")) == "A"


@BOTH
def test_a_class_derived_from_another_has_its_fields_too(dataclass: Decorator) -> None:
    @dataclass(frozen=True, slots=True)
    class Base:
        """A base."""

        x: int

    @dataclass(frozen=True, slots=True)
    class Derived(Base):
        """One that has more."""

        y: int = 0

    class Bare(Base):
        """One that has no more."""

        __slots__ = ()

    assert (Derived(1, 2).x, Derived(1, 2).y) == (1, 2)
    assert Derived(1) != Base(1)
    assert Bare(1) == Bare(1)
    assert Bare(1) != Base(1)


@BOTH
def test_one_can_be_made_from_another(dataclass: Decorator) -> None:
    kind = point(dataclass, slots=True)
    assert replace(kind(1, note="n"), y=5) == kind(1, 5)
    assert replace(kind(1, note="n"), y=5).note == "n"


def test_they_can_be_copied_and_pickled() -> None:
    entry = TraceEntry("what", Outcome.NOTE, "detail")
    assert copy.copy(entry) == entry
    assert copy.deepcopy(entry) == entry
    assert pickle.loads(pickle.dumps(entry)) == entry  # noqa: S301 - written just before


@BOTH
def test_those_that_are_not_frozen_are_ordinary(dataclass: Decorator) -> None:
    @dataclass(slots=True)
    class Counter:
        """A counter."""

        count: int = 0

    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
