"""Many distributions, judged at once: verdicts in the order in which they were asked for.

A few threads take one distribution each from the front of the line, and drive it to its verdict.
Nobody waits for a stranger: what stalls is given up in time and becomes a verdict of its own, and
so does what goes wrong unexpectedly. The line is read only so far ahead that the memory taken does
not grow with its length.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pip_intoto.account import Checked, Traffic
from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import (
    ArtifactDigestMismatch,
    CommandError,
    EvidenceError,
    MetadataTooLarge,
    PipIntotoError,
    SourceUnreachable,
    VerifierFailed,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.addresses import printable
from pip_intoto.sources.beside import local_path
from pip_intoto.sources.fetching import drive, offline
from pip_intoto.verifier.borrowing import Lender
from pip_intoto.verifier.choosing import Choice
from pip_intoto.verifier.judge import judge, refused
from pip_intoto.verifier.local import distribution_of
from pip_intoto.verifier.naming import normalized
from pip_intoto.verifier.releases import described, find, index_for
from pip_intoto.verifier.remembered import Witness
from pip_intoto.verifier.selecting import Selected, Selector
from pip_intoto.verifier.wanted import InLock, Known, Pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence

    from pip_intoto.distribution import Place
    from pip_intoto.limits import Limits
    from pip_intoto.lockfiles.locked import Interpreter
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.policy.model import Policy
    from pip_intoto.sources.fetching import FetchMany
    from pip_intoto.sources.web import Web
    from pip_intoto.verdict import Verdict
    from pip_intoto.verifier.borrowing import Borrowed
    from pip_intoto.verifier.finding_links import FoundFiles
    from pip_intoto.verifier.inspecting import Obtain
    from pip_intoto.verifier.pins import Pin
    from pip_intoto.verifier.records import Records
    from pip_intoto.verifier.remembered import Memory
    from pip_intoto.verifier.wanted import Wanted

#: Seconds between two looks at the clock while nothing is ready.
_GLANCE = 0.2
#: Threads that begin. As long as nobody waits for a server, more would only wait for each other.
_FIRST = 2
#: Seconds for which they may keep everybody waiting before another one helps.
_PATIENCE = 0.01


class Keeper(Protocol):
    """Takes the evidence of each distribution that is judged, whatever came of it."""

    def keep(self, distribution: Distribution, documents: Sequence[Document]) -> None:
        """Take the evidence; called from several threads."""
        ...


class Batch:
    """Judges many distributions against one policy.

    ``web`` fetches; None fetches nothing. ``fetch`` carries out requests for evidence and index
    pages in its place, and may be None as well. ``interpreter`` is what files of locks are chosen
    for; None is the one that runs this; ``all_files`` judges every file that a lock allows.
    ``records`` are of the layouts that were seen before. Of the projects in ``first_uses``, all
    evidence is found, although nobody asks for any. ``advance`` is called with how
    many more are done, on the thread that consumes.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        web: Web | None = None,
        fetch: FetchMany | None = None,
        index_url: str | None = None,
        interpreter: Interpreter | None = None,
        all_files: bool = False,
        find_links: FoundFiles | None = None,
        memory: Memory | None = None,
        keeper: Keeper | None = None,
        records: Records | None = None,
        first_uses: Container[str] = (),
        advance: Callable[[float], None] | None = None,
        now: datetime | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        self._policy = policy
        self._web = web
        self._fetch: FetchMany = fetch or (offline if web is None else web.fetch_many)
        self._asks = web is not None or fetch is not None
        self._index_url = index_url
        self._choice = Choice.here() if interpreter is None else Choice.of_interpreter(interpreter)
        self._selector = Selector(
            policy,
            choice=None if all_files else self._choice,
            index_url=index_url,
            found=find_links,
            limits=limits,
            first_uses=first_uses,
        )
        self._memory = memory
        self._keeper = keeper
        self._records = records
        self._advance = advance
        self._now = now or datetime.now(timezone.utc)
        self._limits = limits
        self._found = find_links
        self._lender = Lender(web, limits)
        self._cases = _Cases()
        self._line: _Line | None = None
        self._lock = threading.Lock()
        self._spared = 0
        #: What could not be judged at all, in order.
        self.failures: list[PipIntotoError] = []
        #: Somebody ended the run early; what was decided until then was given.
        self.interrupted = False

    @property
    def traffic(self) -> Traffic:
        """What went over the network so far."""
        traffic = Traffic() if self._web is None else self._web.traffic
        return replace(traffic, spared=self._spared)

    def check(self, wanted: Iterable[Wanted]) -> Generator[Checked, None, None]:
        """Judge everything; give the verdicts in order, each as soon as those before it are ready.

        One thing that is wanted may come to several files, and to none when it is among
        ``failures`` in the end. KeyboardInterrupt ends it early: what is decided is still given,
        and ``interrupted`` is set.
        """
        self._line = line = _Line(wanted, self._work, self._give_up, self._limits)
        try:
            for done in line.results(self._advance):
                yield from self._taken(done)
        except KeyboardInterrupt:
            self.interrupted = True
            line.stop()
            yield from self.remaining()
        finally:
            line.stop()
            self._lender.close()

    def remaining(self) -> Iterator[Checked]:
        """Give what is decided and was not given yet: for who is interrupted between verdicts."""
        if self._line is not None:
            for done in self._line.decided():
                yield from self._taken(done)

    def one(self, wanted: Wanted) -> tuple[Checked, ...]:
        """Judge one thing on this thread. Raises CommandError."""
        try:
            done = self._work(wanted, _Slot(wanted))
        finally:
            self._lender.close()
        if isinstance(done, PipIntotoError):
            raise done
        return done

    def _taken(self, done: _Done) -> tuple[Checked, ...]:
        if isinstance(done, PipIntotoError):
            self.failures.append(done)
            return ()
        return done

    # --- one thing, on a thread of the line --------------------------------------------------

    def _work(self, wanted: Wanted, slot: _Slot) -> _Done:
        try:
            return self._checked(wanted, slot)
        except CommandError as error:
            return error
        except PipIntotoError as error:
            return self._refused(wanted, slot, error)
        except (MemoryError, RecursionError) as error:
            what = "deeper nested" if isinstance(error, RecursionError) else "larger"
            too_much = MetadataTooLarge(f"the evidence is {what} than the verifier can bear")
            return self._refused(wanted, slot, too_much)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            failed = VerifierFailed(
                "the verifier failed", found=printable(f"{type(error).__name__}: {error}", 300)
            )
            return self._refused(wanted, slot, failed)

    def _give_up(self, wanted: Wanted, slot: _Slot) -> _Done:
        error = SourceUnreachable(
            "there was no verdict in time",
            expected=f"one within {self._limits.distribution_seconds} seconds",
        )
        return self._refused(wanted, slot, error)

    def _refused(self, wanted: Wanted, slot: _Slot, error: PipIntotoError) -> _Done:
        distribution = slot.distribution or _meant(wanted)
        if distribution is None:
            return error
        place, notes = slot.place, slot.notes
        if isinstance(wanted, InLock):
            place = place or wanted.entry.place
        verdict = refused(distribution, self._policy, error)
        return (*slot.decided, Checked(verdict=verdict, place=place, notes=notes))

    def _checked(self, wanted: Wanted, slot: _Slot) -> tuple[Checked, ...]:
        if isinstance(wanted, Path):
            selected: Sequence[Selected] = (Selected(distribution=distribution_of(wanted)),)
        elif isinstance(wanted, Known):
            selected = (
                Selected(distribution=wanted.distribution, place=wanted.place, notes=wanted.notes),
            )
        elif isinstance(wanted, Pinned):
            selected = (self._released(wanted),)
        else:
            if self._web is not None:
                self._web.remember_credentials((wanted.entry.index, *wanted.lock.indexes))
            selected = drive(self._selector.select(wanted), self._fetch)
        for each in selected:
            slot.distribution, slot.place, slot.notes = each.distribution, each.place, each.notes
            slot.decided = (*slot.decided, self._judged(each, slot))
        return slot.decided

    def _released(self, pinned: Pinned) -> Selected:
        """Look a release up; the file itself will tell its digest. Raises CommandError."""
        if not self._asks:
            raise CommandError(
                f"{pinned.name} cannot be looked up with --offline",
                expected="a file on this machine",
            )
        rule = self._policy.rule_for(normalized(pinned.name))
        index_url = index_for(self._index_url, "" if rule is None else rule.index)
        if self._web is not None:
            self._web.remember_credentials((index_url,))
        listed = find(
            pinned.name, pinned.version or None, index_url, self._fetch, self._limits, self._choice
        )
        return Selected(
            distribution=described(listed),
            size=listed.size,
            digests=frozenset({listed.sha256} - {""}),
        )

    def _judged(self, selected: Selected, slot: _Slot) -> Checked:
        known_by = f"{selected.place}" if selected.place is not None else "the index"
        with closing(self._lender.lend(selected.distribution, known_by)) as file:
            slot.file = file
            selected = self._with_digest(selected, file)
            slot.distribution = selected.distribution
            verdict = self._cases.once(
                (selected.distribution, selected.problem, selected.pin),
                lambda: self._verdict(selected, file),
            )
        return Checked(verdict=verdict, place=selected.place, notes=selected.notes)

    def _with_digest(self, selected: Selected, file: Borrowed) -> Selected:
        """Take the digest from the file where nothing else tells it, or the file is at hand."""
        distribution = selected.distribution
        if distribution.kind not in {Kind.WHEEL, Kind.SDIST} or selected.problem is not None:
            return selected
        local = distribution.path if distribution.path and distribution.path.exists() else None
        known = distribution.sha256 is not None
        if known and (local is None or selected.place is None or selected.at_hand):
            return selected
        if local is None and not self._selector.needs_file(distribution.name, selected.pin):
            return selected
        try:
            sha256 = file.sha256() if local is None else _sha256_of(local)
        except EvidenceError as error:
            return replace(selected, problem=error)
        allowed = selected.digests or {distribution.sha256 or sha256}
        if sha256 not in allowed:
            known_by = "the index lists" if selected.place is None else f"{selected.place} pins"
            problem = ArtifactDigestMismatch(
                f"{printable(distribution.filename)} is not the file that {known_by}",
                expected="sha256 " + " or ".join(sorted(allowed)),
                found=f"sha256 {sha256}",
            )
            return replace(selected, problem=problem)
        return replace(selected, distribution=replace(distribution, sha256=sha256))

    def _verdict(self, selected: Selected, file: Borrowed) -> Verdict:
        distribution = selected.distribution
        remembers = selected.problem is None and distribution.sha256 is not None
        # What a lock pins is held against the evidence itself.
        remembers = remembers and selected.pin is None
        if self._memory is not None and remembers:
            known = self._memory.get(distribution)
            if known is not None:
                self._count_spared(selected, file)
                return known
        witness = Witness(self._fetch)
        verdict = drive(
            judge(
                distribution,
                self._policy,
                problem=selected.problem,
                obtain=self._obtaining(distribution, file),
                found=witness.found,
                pin=selected.pin,
                records=self._records,
                now=self._now,
                limits=self._limits,
            ),
            witness.fetch_many,
        )
        if self._memory is not None and remembers:
            self._memory.put(verdict, witness)
        if self._keeper is not None:
            self._keeper.keep(distribution, witness.documents)
        self._count_spared(selected, file)
        return verdict

    def _obtaining(self, distribution: Distribution, file: Borrowed) -> Obtain | None:
        if distribution.url is None and self._found is None:
            return None
        return lambda: self._on_this_machine(distribution) or file.path()

    def _on_this_machine(self, distribution: Distribution) -> Path | None:
        """Find the file where it came from, or in --find-links, if it still has this digest."""
        if self._found is not None:
            served = self._found.serve(Selected(distribution=distribution)).distribution
            if served.path is not None:
                return served.path
        path = local_path(distribution.url or "")
        with suppress(OSError):
            if path is not None and path.is_file() and sha256_file(path) == distribution.sha256:
                return path
        return None

    def _count_spared(self, selected: Selected, file: Borrowed) -> None:
        if selected.size and selected.distribution.path is None and not file.was_fetched:
            with self._lock:
                self._spared += selected.size


def _sha256_of(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise SourceUnreachable(
            f"{path} cannot be read", found=str(error.strerror or error)
        ) from error


def _meant(wanted: Wanted) -> Distribution | None:
    """Describe what was wanted, as far as that is known without looking for it."""
    if isinstance(wanted, Known):
        return wanted.distribution
    if isinstance(wanted, Path):
        return None
    pinned = wanted.entry if isinstance(wanted, InLock) else wanted
    return Distribution(
        name=normalized(pinned.name),
        version=pinned.version,
        filename="",
        kind=Kind.SDIST,
        requested=True,
    )


# --- each distribution once -----------------------------------------------------------------

_Key: TypeAlias = "tuple[Distribution, EvidenceError | None, Pin | None]"


class _Pending:
    """A verdict that another thread is about to have."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.verdict: Verdict | None = None


class _Cases:
    """Judges each distribution once, however many places name it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[_Key, Verdict | _Pending] = {}

    def once(self, key: _Key, make: Callable[[], Verdict]) -> Verdict:
        """Give the verdict for ``key``: that of whoever was first."""
        pending = _Pending()
        with self._lock:
            known = self._known.setdefault(key, pending)
        if known is not pending:
            return self._awaited(known, make)
        try:
            pending.verdict = self._known[key] = make()
        except BaseException:
            # Who waits for it has to try for itself.
            del self._known[key]
            raise
        finally:
            pending.ready.set()
        return pending.verdict

    @staticmethod
    def _awaited(known: Verdict | _Pending, make: Callable[[], Verdict]) -> Verdict:
        if not isinstance(known, _Pending):
            return known
        known.ready.wait()
        return known.verdict or make()


# --- the line -------------------------------------------------------------------------------

#: The verdicts on one thing that was wanted, or why there are none.
_Done: TypeAlias = "tuple[Checked, ...] | PipIntotoError"


@dataclass(slots=True, eq=False)
class _Slot:
    """One place in the line. What is known of it is kept for when it has to be given up."""

    wanted: Wanted
    began: float = 0.0
    done: _Done | None = None
    distribution: Distribution | None = None
    place: Place | None = None
    notes: tuple[str, ...] = ()
    decided: tuple[Checked, ...] = ()
    file: Borrowed | None = None


class _Line:
    """Threads that take what is wanted from the front, and the results in order."""

    def __init__(
        self,
        wanted: Iterable[Wanted],
        work: Callable[[Wanted, _Slot], _Done],
        give_up: Callable[[Wanted, _Slot], _Done],
        limits: Limits,
    ) -> None:
        self._wanted = iter(wanted)
        self._work = work
        self._give_up = give_up
        self._limits = limits
        self._changed = threading.Condition()
        #: What was not given yet, in order; what nobody has begun; what is being worked on.
        self._slots: deque[_Slot] = deque()
        self._waiting: deque[_Slot] = deque()
        self._running: set[_Slot] = set()
        self._threads = 0
        self._idle = 0
        self._finished = 0
        self._awaited: _Slot | None = None
        self._stopped = False

    def results(self, advance: Callable[[float], None] | None) -> Iterator[_Done]:
        """Give the results in order."""
        told = 0
        while True:
            self._fill()
            if not self._slots:
                return
            head = self._slots[0]
            while head.done is None:
                self._wait_for(head)
                self._look_at_the_clock()
                if advance is not None and self._finished > told:
                    advance(self._finished - told)
                    told = self._finished
            self._slots.popleft()
            yield head.done

    def decided(self) -> Iterator[_Done]:
        """Give the results that are there, in order, and wait for none."""
        while self._slots:
            done = self._slots.popleft().done
            if done is not None:
                yield done

    def stop(self) -> None:
        """Begin nothing more. Threads that are at work end by themselves, and hold nobody up."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()

    def _fill(self) -> None:
        while len(self._slots) < self._limits.look_ahead:
            try:
                slot = _Slot(next(self._wanted))
            except StopIteration:
                return
            self._slots.append(slot)
            with self._changed:
                self._waiting.append(slot)
                starts = len(self._waiting) > self._idle and self._threads < min(
                    _FIRST, self._limits.judged_at_once
                )
                if self._idle:
                    self._changed.notify_all()
            if starts:
                self._start()

    def _start(self) -> None:
        self._threads += 1
        # Daemons: what a server or a resolver holds up must not hold the program.
        threading.Thread(target=self._run, name="judge", daemon=True).start()

    def _run(self) -> None:
        while (slot := self._next()) is not None:
            done = self._work(slot.wanted, slot)
            with self._changed:
                self._running.discard(slot)
                if slot.done is not None:
                    # It was given up, and another thread has taken this one's place.
                    return
                slot.done = done
                self._finished += 1
                if slot is self._awaited:
                    self._changed.notify_all()

    def _next(self) -> _Slot | None:
        with self._changed:
            while not self._waiting:
                if self._stopped:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            slot = self._waiting.popleft()
            slot.began = time.monotonic()
            self._running.add(slot)
            return slot

    def _wait_for(self, slot: _Slot) -> None:
        with self._changed:
            self._awaited = slot
            may_grow = bool(self._waiting) and self._threads < self._limits.judged_at_once
            if slot.done is not None or self._changed.wait(_PATIENCE if may_grow else _GLANCE):
                return
        if may_grow:
            self._start()

    def _look_at_the_clock(self) -> None:
        """Give up what takes too long, and let another thread go on in its place."""
        now, limits = time.monotonic(), self._limits
        with self._changed:
            overdue = [
                slot
                for slot in self._running
                if now - slot.began
                > limits.distribution_seconds
                + (limits.download_seconds if slot.file and slot.file.begun else 0)
            ]
            for slot in overdue:
                self._running.discard(slot)
                slot.done = self._give_up(slot.wanted, slot)
                self._finished += 1
        for _ in overdue:
            self._start()
