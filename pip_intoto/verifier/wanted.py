"""What a run is asked to judge: files, releases, entries of locks, and what is known already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pip_intoto.distribution import Distribution, Place
    from pip_intoto.lockfiles.locked import Lock, Locked


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A release of a project, to be looked up in an index; the newest when ``version`` is empty."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InLock:
    """One entry of a lock."""

    entry: Locked
    lock: Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A distribution of which everything is known, its digest included, and what to say of it."""

    distribution: Distribution
    place: Place | None = None
    notes: tuple[str, ...] = ()


#: A path is a wheel or sdist on this machine.
Wanted: TypeAlias = Path | Pinned | InLock | Known
