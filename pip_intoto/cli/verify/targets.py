"""What a run is about: the targets of the command line, with the entries of locks among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.account import LockUsed
from pip_intoto.cli.targets import expand
from pip_intoto.errors import CommandError, NothingVerified
from pip_intoto.lockfiles.differing import content, difference
from pip_intoto.lockfiles.reading import is_lockfile, read_lock
from pip_intoto.lockfiles.trees import AbsentThen, Disk, Revision
from pip_intoto.verifier.wanted import InLock

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from typing import TypeGuard

    from pip_intoto.account import LeftOut
    from pip_intoto.cli.terminal import Terminal
    from pip_intoto.lockfiles.locked import Interpreter, Lock, Locked
    from pip_intoto.verifier.wanted import Pinned, Wanted


class _Noted(Disk):
    """Files as they are now, and the digests of those that were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_so_far: dict[Path, LockUsed] = {}

    def read(self, path: Path) -> bytes:
        content = super().read(path)
        self.read_so_far[path] = LockUsed(path=path, sha256=sha256(content).hexdigest())
        return content


@dataclass(slots=True)
class Targets:
    """What is to be judged, in order, and what is not: ``older`` is the lock to compare with.

    ``interpreter`` is None where locks are read for all of them, and where nothing is for any but
    the one that runs this.
    """

    interpreter: Interpreter | None
    wanted: list[Wanted] = field(default_factory=list)
    older: list[Wanted] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    unchanged: int = 0
    _disk: _Noted = field(default_factory=_Noted)

    @property
    def locks_used(self) -> tuple[LockUsed, ...]:
        """Every file that was read for the locks, those that they include among them."""
        return tuple(self._disk.read_so_far.values())

    @classmethod
    def of(cls, args: argparse.Namespace, terminal: Terminal) -> Targets:
        """Read whatever the command line names. Raises the errors of this package."""
        named = list(expand(args.targets))
        interpreter = interpreter_for(args, needed=any(map(_is_lock, named)))
        targets = cls(interpreter)
        for target in named:
            if _is_lock(target):
                targets._add_lock(read_lock(target, targets._disk, interpreter), args, terminal)
            else:
                targets.wanted.append(target)
        for option in ("only_changed_since", "trust_diff"):
            if getattr(args, option) is not None and not targets.locks:
                raise CommandError(
                    f"--{option.replace('_', '-')} compares locks, and there is none",
                    expected="a lockfile among the targets",
                )
        if args.trust_diff is not None:
            try:
                targets._compare_with(older_lock(args.trust_diff, interpreter), args)
            except AbsentThen as absent:
                # As in the pull request that brings the first lock.
                terminal.tell(f"{absent}: everything is new")
        if not targets.wanted:
            targets._say_why_nothing(args, terminal)
        return targets

    def _say_why_nothing(self, args: argparse.Namespace, terminal: Terminal) -> None:
        if self.unchanged:
            said = f"nothing changed since {args.only_changed_since}: nothing is verified"
            if not args.allow_unchanged:
                said += "; --allow-unchanged takes that for success"
            terminal.tell(said)
        elif self.left_out and not args.all_files:
            terminal.tell(
                "nothing of the lock is for this interpreter: name another with --python, or take"
                " --all-files"
            )

    def _add_lock(self, lock: Lock, args: argparse.Namespace, terminal: Terminal) -> None:
        if not lock.locked and not lock.left_out:
            raise NothingVerified(f"{lock.path} pins nothing", expected="a lock with packages")
        for left_out in lock.left_out:
            what = f"{left_out.name} {left_out.version}".strip()
            terminal.detail(f"{left_out.place}: {what} is left out: {left_out.why}")
        self.locks.append(lock)
        self.left_out += lock.left_out
        if args.only_changed_since is not None:
            found = difference(self._before(lock, args.only_changed_since), lock)
            self.unchanged += found.unchanged
            self.wanted += _entries(lock, found.changed)
        else:
            self.wanted += _entries(lock)

    def _compare_with(self, older: Lock, args: argparse.Namespace) -> None:
        if args.only_changed_since:
            # What is in both was not looked at, and is no change.
            now = {content(entry) for lock in self.locks for entry in lock.locked}
            gone = (entry for entry in older.locked if content(entry) not in now)
            self.older += _entries(older, gone)
        else:
            self.older += _entries(older)

    def _before(self, lock: Lock, ref: str) -> Lock | None:
        """Read the lock as a revision has it; None when that did not have it yet."""
        try:
            return read_lock(lock.path, Revision(ref), self.interpreter)
        except AbsentThen:
            return None


def _is_lock(target: Path | Pinned) -> TypeGuard[Path]:
    return isinstance(target, Path) and is_lockfile(target)


def interpreter_for(args: argparse.Namespace, *, needed: bool) -> Interpreter | None:
    """Say what locks are read for: None for every interpreter. Raises CommandError."""
    if args.all_files or not (needed or args.python):
        return None
    # Imported here for start-up time, and not asked without need: most targets are wheels.
    from pip_intoto.lockfiles.interpreters import interpreter_of

    return interpreter_of(args.python)


def older_lock(spelled: str, interpreter: Interpreter | None) -> Lock:
    """Read the lock that ``--trust-diff`` names: a file, or REVISION:PATH. Raises CommandError."""
    path = Path(spelled)
    ref, colon, name = spelled.partition(":")
    if not colon and not path.exists():
        raise CommandError(
            f"there is no older lock {spelled}",
            expected="a file, or REVISION:PATH, such as origin/main:pylock.toml",
        )
    if path.exists():
        return read_lock(path, Disk(), interpreter)
    revision = Revision(ref)
    return read_lock(revision.path_of(name), revision, interpreter)


def _entries(lock: Lock, locked: Iterable[Locked] | None = None) -> Iterator[Wanted]:
    chosen = lock.locked if locked is None else locked
    return (InLock(entry=entry, lock=lock) for entry in chosen)
