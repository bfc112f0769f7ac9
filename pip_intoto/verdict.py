"""What was decided of one distribution: status, reason, action, and the trace that led there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from pip_intoto.credential import Credential
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
class Station:
    """One step or inspection of a supply chain, as it was found.

    ``functionaries`` are the principals that count, ``wanted`` is how many must. ``materials`` and
    ``products`` count artifacts; None where nothing is known of them. ``feeds`` names the steps
    whose artifacts its rules MATCH, ``predicates`` the types of statements that it asks for, and
    empty where it asks for links. ``outcome`` is FAIL where the chain broke, NOTE where that
    kept it from being looked at; ``detail`` says why.
    """

    name: str
    is_inspection: bool = False
    functionaries: tuple[str, ...] = ()
    wanted: int = 0
    materials: int | None = None
    products: int | None = None
    feeds: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()
    outcome: Outcome = Outcome.OK
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyChain:
    """The layout that decided, and what was found of each of its steps and inspections.

    ``layout_sha256`` is that of the layout's document as received, ``documents`` those of the
    links and sublayouts that the verdict rests on. ``binding`` says where the file appears; empty
    where it was not found.
    """

    layout_sha256: str
    owners: tuple[str, ...]
    expires: datetime
    stations: tuple[Station, ...]
    documents: tuple[str, ...] = ()
    binding: str = ""
    #: Keys that signed the layout (their identities, see metadata.keys), and whoever of the
    #: functionaries is known by an identity: what a later change of signer is held against.
    owner_keys: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionUsed:
    """The policy's exception that a verdict rests on. ``waives`` is empty where it waives all."""

    owner: str
    reason: str
    expires: date
    waives: tuple[str, ...]


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
    #: None where no layout could be believed, or none was looked for.
    chain: SupplyChain | None = None
    exception: ExceptionUsed | None = None
