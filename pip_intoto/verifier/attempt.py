"""One attempt at verification with the evidence that has been found so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import EvidenceError
from pip_intoto.verification.chain import root_layouts, verify_chain, wanted_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.verification.binding import Subject
    from pip_intoto.verification.chain import RootLayout, Verified
    from pip_intoto.verification.inspections import Inspector
    from pip_intoto.verification.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of it; ``wanted`` are files of the directory form that might help."""

    verified: Verified | None = None
    error: EvidenceError | None = None
    wanted: tuple[str, ...] = ()


def verify(
    documents: Sequence[Document],
    trust: Trust,
    subject: Subject,
    inspector: Inspector,
    *,
    now: datetime,
    limits: Limits,
) -> Attempt:
    """Try every root layout among ``documents``; the first that verifies is enough.

    When none does, the error is that of the first, which is the likeliest candidate.
    """
    try:
        roots = root_layouts(documents, trust, now, limits=limits)
    except EvidenceError as error:
        return Attempt(error=error)
    attempts: list[Attempt] = []
    for root in roots:
        attempt = _verify_under(root, documents, trust, subject, inspector, now, limits)
        if attempt.verified is not None:
            return attempt
        attempts.append(attempt)
    return Attempt(
        error=attempts[0].error,
        wanted=tuple(dict.fromkeys(name for attempt in attempts for name in attempt.wanted)),
    )


def _verify_under(
    root: RootLayout,
    documents: Sequence[Document],
    trust: Trust,
    subject: Subject,
    inspector: Inspector,
    now: datetime,
    limits: Limits,
) -> Attempt:
    try:
        verified = verify_chain(root, documents, trust, subject, inspector, now=now, limits=limits)
    except EvidenceError as error:
        return Attempt(
            error=error, wanted=tuple(wanted_names(root, documents, trust, limits=limits))
        )
    return Attempt(verified=verified)
