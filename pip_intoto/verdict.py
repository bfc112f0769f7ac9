"""What was decided of one distribution: status, reason, action, and the trace that led there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pip_intoto.distribution import Distribution


class Status(Enum):
    """The seven outcomes; they are never mixed."""

    VERIFIED = "verified"
    EXEMPT = "exempt"
    UNLISTED = "unlisted"
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    INVALID = "invalid"
    UNVERIFIABLE = "unverifiable"


class Action(Enum):
    """What the gate does about a verdict."""

    PASS = "pass"
    WARN = "warn"
    BLOCK = "block"


class Outcome(Enum):
    """How one step of the trace went."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One thing that was looked at on the way to a verdict, and how it went."""

    what: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision about one distribution.

    ``reason`` is a stable kebab-case code (``verified``, ``exempt``, ``unlisted``,
    ``unverifiable``, or the ``code`` of a class in :mod:`pip_intoto.errors`). ``summary`` is one
    sentence; ``expected``, ``found`` and ``advice`` are empty where there is nothing to say.
    """

    distribution: Distribution
    status: Status
    reason: str
    action: Action
    summary: str
    expected: str = ""
    found: str = ""
    advice: str = ""
    trace: tuple[TraceEntry, ...] = ()
