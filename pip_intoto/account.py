"""What a run came to: a verdict for each distribution, where it is named, and the totals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.verdict import Status

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pip_intoto.distribution import Place
    from pip_intoto.errors import PipIntotoError
    from pip_intoto.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One distribution and its verdict. ``place`` is None where no file names it.

    ``notes`` say what is not of the verdict and worth knowing: "the lock has no digest; the
    index's was used".
    """

    verdict: Verdict
    place: Place | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went over the network: requests, and bytes of answers.

    ``files`` are bytes of distributions among them (a native inspection wants the file itself);
    ``spared`` are bytes of distributions that were not fetched, as far as their sizes are known.
    """

    requests: int = 0
    received: int = 0
    files: int = 0
    spared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyUsed:
    """The policy of a run; None in its place is plain verification against a layout."""

    path: Path
    sha256: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockUsed:
    """A file that a run read a lock from. ``sha256`` is lower-case hex, over what was read."""

    path: Path
    sha256: str


#: The kinds of changes in trust, what matters most first.
CHANGES = (
    "newly-unverified",
    "signer-changed",
    "status-changed",
    "layout-changed",
    "newly-verified",
    "removed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A project that the lock has, and that is not installed for this interpreter."""

    name: str
    version: str
    place: Place
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different in trust between two states of a lock, for one project.

    ``kind`` is one of :data:`CHANGES`. ``before`` and ``after`` say what was and what is, in words:
    "1.0 verified: layout 3f2a91c0 signed by alice".
    """

    project: str
    kind: str
    before: str
    after: str
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One run of ``verify``, for the reports.

    ``targets`` are as the user wrote them. ``failures`` are what could not be judged at all.
    ``began`` and ``ended`` are aware. ``left_out`` are projects of locks that are not for this
    interpreter, ``unchanged`` those that were passed over because they did not change.
    ``fail_under`` is a percentage. ``interrupted`` says that somebody ended it early.
    """

    targets: tuple[str, ...]
    checked: tuple[Checked, ...]
    exit_status: int
    began: datetime
    ended: datetime
    version: str
    policy: PolicyUsed | None = None
    locks: tuple[LockUsed, ...] = ()
    failures: tuple[PipIntotoError, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unchanged: int = 0
    changes: tuple[Change, ...] | None = None
    traffic: Traffic = field(default_factory=Traffic)
    fail_under: float | None = None
    interrupted: bool = False

    @property
    def counts(self) -> dict[Status, int]:
        """How many of each status, all seven of them, in the order of :class:`Status`."""
        return counted([checked.verdict for checked in self.checked])

    @property
    def coverage(self) -> float:
        """Verified distributions in percent of all; 0 where there is none."""
        return coverage_of([checked.verdict for checked in self.checked])


def counted(verdicts: list[Verdict]) -> dict[Status, int]:
    """Count verdicts by status, all seven of them."""
    counts = dict.fromkeys(Status, 0)
    for verdict in verdicts:
        counts[verdict.status] += 1
    return counts


def coverage_of(verdicts: list[Verdict]) -> float:
    """Verified ones in percent of all; 0 where there is none.

    What an exception lets through is not verified.
    """
    if not verdicts:
        return 0.0
    return 100 * counted(verdicts)[Status.VERIFIED] / len(verdicts)
