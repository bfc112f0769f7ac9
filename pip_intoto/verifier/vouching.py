"""What a lock is to record of each project: who vouched for it when it was verified.

Only what holds is recorded: signers that the policy verified, publishers whose attestation of this
very file verifies. Of a project that no rule names, publishers are taken at their word the first
time, and only where the user says so: from then on, the lock pins them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

from pip_intoto.errors import EvidenceError
from pip_intoto.limits import DEFAULT
from pip_intoto.lockfiles.locked import Recorded
from pip_intoto.lockfiles.writing import Vouched
from pip_intoto.metadata.publishers import publisher_of
from pip_intoto.verdict import Status
from pip_intoto.verification.chain import verify
from pip_intoto.verifier.naming import subject_of
from pip_intoto.verifier.pins import identities_of, identity_of, is_older, trust_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.account import Checked
    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.lockfiles.locked import Locked
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.verification.trust import Authenticator


@dataclass(slots=True)
class Evidence:
    """Takes the evidence of everything that is judged, for who wants to know who signed it."""

    _found: dict[tuple[str, str, str | None], tuple[Document, ...]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def keep(self, distribution: Distribution, documents: Sequence[Document]) -> None:
        """Take the evidence; called from several threads."""
        attestations = tuple(each for each in documents if each.envelope.sigstore)
        if attestations:
            with self._lock:
                self._found[_file(distribution)] = attestations

    def of(self, distribution: Distribution) -> tuple[Document, ...]:
        """Give the attestations that were found of a file."""
        return self._found.get(_file(distribution), ())


def publishers(
    documents: Sequence[Document],
    distribution: Distribution,
    authenticator: Authenticator,
    *,
    revoked: tuple[Identity, ...] = (),
    now: datetime,
    limits: Limits = DEFAULT,
) -> tuple[Identity, ...]:
    """Say who published a file: of whom an attestation of it verifies, that it was published.

    ``revoked`` are those whom the policy wants nothing of.
    """
    found: dict[Identity, None] = {}
    for document in documents:
        try:
            identity = identity_of(authenticator.authenticate(document.envelope))
            if identity in found:
                continue
            trust = trust_in((identity,), distribution.filename, "the lock")
            trust = replace(trust, authenticator=authenticator, revoked_identities=revoked)
            # Each by itself: anybody may add as many as they like, of as many publishers.
            verify((document,), trust, subject_of(distribution), None, now=now, limits=limits)
        except EvidenceError:
            continue
        found[identity] = None
    return tuple(found)


def vouched(
    entry: Locked,
    checked: Sequence[Checked],
    published: Mapping[Distribution, Sequence[Identity]],
    *,
    first_use: bool = False,
) -> Vouched:
    """Say what a lock is to record of one entry, whose files came to ``checked``.

    What it says already, or an older lock did, stays where nothing better is known: where the
    project was not verified, or is of an older version than the recorded one. ``published`` says
    who published each file; they count where the policy verified them, where they are pinned
    already, and on ``first_use``.
    """
    before = Vouched(attested_by=entry.attested_by, recorded=entry.recorded)
    verdicts = [each.verdict for each in checked]
    statuses = {verdict.status for verdict in verdicts}
    if not verdicts or not statuses <= {Status.VERIFIED, Status.UNLISTED}:
        return before
    if entry.recorded is not None and is_older(entry.version, entry.recorded.version):
        return before
    chains = [verdict.chain for verdict in verdicts if verdict.chain is not None]
    signers = tuple(
        dict.fromkeys(each for chain in chains for each in identities_of(chain.credentials))
    )
    keys = tuple(dict.fromkeys(key for chain in chains for key in chain.owner_keys))
    recorded = () if entry.recorded is None else entry.recorded.identities
    believed = {*signers, *entry.attested_by, *recorded}
    # Of a package, whoever published every one of its files.
    by = tuple(
        identity
        for identity in _in_all([published.get(verdict.distribution, ()) for verdict in verdicts])
        if first_use or identity in believed
    )
    if Status.UNLISTED in statuses:
        signers, keys = by, ()
    if not signers and not keys:
        return before
    return Vouched(
        attested_by=entry.attested_by
        or tuple(each for each in by if publisher_of(each) is not None),
        recorded=Recorded(
            version=entry.version or verdicts[0].distribution.version,
            identities=signers,
            layout_keys=keys,
        ),
    )


def with_older(entry: Locked, older: Iterable[Locked]) -> Locked:
    """Take over what an older lock has recorded of the same project, where this one has nothing.

    Of several versions of it, the latest counts. Publishers that the new lock names are no record:
    the tool that made it has them from the index.
    """
    if entry.recorded:
        return entry
    known = [record for each in older if each.name == entry.name and (record := _record(each))]
    latest: Recorded | None = None
    for record in known:
        if latest is None or is_older(latest.version, record.version):
            latest = record
    return entry if latest is None else replace(entry, recorded=latest)


def _record(entry: Locked) -> Recorded | None:
    """What was recorded; or, in a lock that others wrote, whom it pins."""
    if entry.recorded is not None:
        return entry.recorded
    if not entry.attested_by or not entry.version:
        return None
    return Recorded(version=entry.version, identities=entry.attested_by)


def _in_all(found: Sequence[Sequence[Identity]]) -> tuple[Identity, ...]:
    return tuple(
        identity for identity in (found[0] if found else ()) if all(identity in f for f in found)
    )


def _file(distribution: Distribution) -> tuple[str, str, str | None]:
    return (distribution.name, distribution.filename, distribution.sha256)
