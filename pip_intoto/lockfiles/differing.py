"""What is different between two states of a lock: the entries that somebody has to look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pip_intoto.lockfiles.locked import Lock, Locked

_DIGESTS = re.compile(r"has no sha256\b.*\bonly\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``changed`` are entries of the newer lock; ``unchanged`` counts the others."""

    changed: tuple[Locked, ...]
    unchanged: int


def difference(older: Lock | None, newer: Lock) -> Difference:
    """Find the entries of ``newer`` that ``older`` does not have; all, when there is no older one.

    An entry is the same when everything that is installed by it is: project, version, files,
    digests and addresses. Where the lock names other indexes or folders than before, nothing is;
    nor is what no sha256 pins, but an address, a path, or another digest.
    """
    if older is None or _places(older) != _places(newer):
        return Difference(changed=newer.locked, unchanged=0)
    known = {content(locked) for locked in older.locked}
    changed = tuple(
        locked
        for locked in newer.locked
        if _is_loose(locked, newer) or content(locked) not in known
    )
    return Difference(changed=changed, unchanged=len(newer.locked) - len(changed))


def content(locked: Locked) -> tuple[object, ...]:
    """Give everything of an entry but the lines it stands on: what makes it another."""
    files = frozenset(
        (file.filename, file.url, file.path, file.sha256, file.size) for file in locked.files
    )
    return (
        locked.name,
        locked.version,
        locked.kind,
        locked.form,
        locked.url,
        locked.index,
        files,
    )


def _places(lock: Lock) -> tuple[object, ...]:
    return (lock.indexes, lock.find_links, lock.no_index)


def _is_loose(locked: Locked, lock: Lock) -> bool:
    """Whether it may be another file today, although the lock says the same as before."""
    if any(not file.sha256 for file in locked.files):
        return True
    # Of other digests only a note is left; and in folders, files come and go.
    return not locked.files and (bool(lock.find_links) or any(map(_DIGESTS.search, locked.notes)))
