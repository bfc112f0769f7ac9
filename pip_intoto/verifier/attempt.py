"""One attempt at verification with the evidence that has been found so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import EvidenceError
from pip_intoto.verification import chain, roots
from pip_intoto.verification.managed import wanted_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.verdict import SupplyChain, TraceEntry
    from pip_intoto.verification.binding import Subject
    from pip_intoto.verification.chain import Verified
    from pip_intoto.verification.inspections import Inspector
    from pip_intoto.verification.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of it.

    ``wanted`` are files of the directory form that might help, and ``managed`` targets of TUF
    repositories that hold keys which the layout names. ``trace`` is what was found before the
    error.
    """

    verified: Verified | None = None
    error: EvidenceError | None = None
    wanted: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()
    trace: tuple[TraceEntry, ...] = ()

    @property
    def chain(self) -> SupplyChain | None:
        """The chain that holds, or how far it does; None where no layout could be believed."""
        if self.verified is not None:
            return self.verified.chain
        return None if self.error is None else self.error.chain


def verify(
    documents: Sequence[Document],
    trust: Trust,
    subject: Subject | None,
    inspector: Inspector | None,
    *,
    now: datetime,
    limits: Limits,
) -> Attempt:
    """Verify with whichever root layout carries the file."""
    try:
        return Attempt(
            verified=chain.verify(documents, trust, subject, inspector, now=now, limits=limits)
        )
    except EvidenceError as error:
        return _failed(error, documents, trust, now, limits)


def _failed(
    error: EvidenceError,
    documents: Sequence[Document],
    trust: Trust,
    now: datetime,
    limits: Limits,
) -> Attempt:
    """Say what is missing by name: only a layout whose signatures and expiry hold may do so."""
    try:
        layouts = roots.root_layouts(documents, trust, now, limits=limits)[: limits.choices]
        wanted = dict.fromkeys(
            name
            for root in layouts
            for name in chain.wanted_names(root, documents, trust, now, limits=limits)
        )
        managed = wanted_keys(layouts, documents, trust, now, limits=limits)
        found = chain.survey(layouts[0], documents, trust, now, limits=limits)
    except EvidenceError:
        return Attempt(error=error)
    return Attempt(
        error=error,
        wanted=tuple(wanted),
        managed=managed,
        trace=(*layouts[0].trace, *found),
    )
