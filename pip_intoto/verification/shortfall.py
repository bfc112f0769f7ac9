"""Why too few of those who may carry out a step did: messages, and no decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.errors import (
    KeyRevoked,
    LinkMissing,
    LinksDisagree,
    LinkThresholdUnmet,
    PredicateMissing,
    UnusableKey,
)
from pip_intoto.metadata.digests import agree
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.names import link_filename
from pip_intoto.metadata.node import shown
from pip_intoto.verification.artifact_rules import SIDES, shown_digests
from pip_intoto.verification.claims import Claim, place_of, station_of
from pip_intoto.verification.link_names import keyids_of
from pip_intoto.verification.parties import count_parties
from pip_intoto.verification.wording import NAMED, counted, publisher, short_keyid, so_many_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.errors import EvidenceInvalid
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout, Step
    from pip_intoto.verification.choice import Candidate
    from pip_intoto.verification.evidence import StepEvidence
    from pip_intoto.verification.pool import Pool
    from pip_intoto.verification.trust import Trust


def too_few(
    step: Step, layout: Layout, found: StepEvidence, pool: Pool, trust: Trust
) -> EvidenceInvalid:
    """Say why no group of links reaches the step's threshold."""
    known = {
        principal: name
        for candidate in found.candidates
        for principal, name in candidate.principals.items()
    }
    signings = frozenset[tuple[str, str]]().union(*(each.signings for each in found.candidates))
    place = place_of(step)
    what = "an attestation" if isinstance(step, Claim) else "a link"
    wanted = so_many_of(
        step.threshold, _called(step, layout, trust), at_least=bool(step.constraints)
    )
    parties = count_parties(signings)
    if parties >= step.threshold:
        difference, of_archives = _difference(found.candidates)
        return LinksDisagree(
            f"Those who carried out the step {station_of(step)} report different results",
            expected=f"the same report from {wanted}",
            found=difference,
            advice=f"{LinksDisagree.advice} {_HOW_TO_SEE}" if of_archives else "",
            place=place,
        )
    if found.revoked and len(known.keys() | found.revoked.keys()) >= step.threshold:
        signed = [*known.values(), *(f"{who} (revoked)" for who in found.revoked.values())]
        return KeyRevoked(
            f"The step {station_of(step)} rests on a key that the policy revokes",
            expected=f"{what} signed by {wanted}",
            found=f"signed by {', '.join(signed)}",
            place=place,
        )
    for error, authorised in (*found.unfit, *found.failed):
        if count_parties(signings | authorised.signings) >= step.threshold:
            if not error.place.startswith(place):
                error.place = f"{place}, {error.place}" if error.place else place
            return error
    if found.refused is not None:
        # Nearer than whatever else is there: it is of the right kind.
        return found.refused
    claimed = _claims(step, layout, pool)
    faults = [error for error, _ in (*found.unfit, *found.failed)]
    skipped = (found.strangers, faults, found.revoked, found.invalid, found.uncertified)
    if known or claimed or any(skipped):
        parts = [f"signed by {', '.join(known.values()) or 'none of them'}"]
        if len(known) > parties:
            # T3: names of one key.
            parts[0] += ", which are not as many keys"
        elif len(found.candidates) > parties:
            # T3, K6: other links of the same key, or of the same party.
            parts[0] += f" ({len(found.candidates)} links, which count as {parties})"
        parts += [f"not authorised for this step: {who}" for who in found.strangers[:NAMED]]
        parts += [f"revoked by the policy: {who}" for who in found.revoked.values()][:NAMED]
        parts += [f"not valid now: {who}" for who in found.invalid.values()][:NAMED]
        parts += [f"{error}" for error in faults[:NAMED]]
        parts += [f"its signature does not verify: {origin}" for origin in claimed[:NAMED]]
        parts += found.uncertified[:NAMED]
        return LinkThresholdUnmet(
            f"Too few of those who may carry out the step {station_of(step)} signed for it",
            expected=f"{what} signed by {wanted}",
            found="; ".join(parts),
            place=place,
        )
    if isinstance(step, Claim):
        return _predicate_missing(step, wanted, pool)
    keyids = dict.fromkeys(keyids_of(step, layout))
    names = list(dict.fromkeys(link_filename(step.name, keyid) for keyid in keyids))
    return LinkMissing(
        f"The report (link) of the step {step.name} is missing",
        expected=f"{' or '.join(names[:NAMED]) or 'a link'}, signed by {wanted}",
        found=f"{counted(len(pool.documents), 'document')}, none of them a link of this step",
        place=place,
    )


def _predicate_missing(claim: Claim, wanted: str, pool: Pool) -> PredicateMissing:
    attested = ", ".join(shown(kind)[1:-1] for kind in pool.predicate_types()[:NAMED])
    return PredicateMissing(
        f"An attestation of the step {claim.step.name} is missing",
        expected=f"a statement of the type {claim.predicate.predicate_type}, signed by {wanted}",
        found=f"{counted(len(pool.documents), 'document')}, "
        + (
            f"which attest {attested}"
            if attested
            else "none of them such a statement by somebody known here"
        ),
        place=claim.place,
    )


def _called(step: Step, layout: Layout, trust: Trust) -> list[str]:
    """Return what messages call those who may carry out ``step``."""
    names: dict[str, None] = {}
    for keyid in step.pubkeys:
        whose = layout.identities.get(keyid)
        if whose is not None:
            names[trust.identities.get(whose) or publisher(whose)] = None
            continue
        key = layout.keys.get(keyid)
        ident = None if key is None else _identity(key)
        name = None if ident is None else trust.principals.get(ident)
        names[name or f"key {short_keyid(keyid)}"] = None
    if step.constraints:
        # X1. Imported here for start-up time: few layouts have certificates.
        from pip_intoto.verification.certificates import described

        names.update(dict.fromkeys(map(described, step.constraints)))
    return list(names)


def _identity(key: PublicKey) -> str | None:
    try:
        return identity(key)
    except UnusableKey:
        return None


def _claims(step: Step, layout: Layout, pool: Pool) -> list[str]:
    """Return where documents came from that say they are links of ``step``, and are not.

    What they say is not signed: it makes a message, never a decision.
    """
    keyids = set(keyids_of(step, layout))
    names = {link_filename(step.name, keyid) for keyid in keyids}
    return [
        document.origin
        for document in pool.documents
        if not pool.was_read(document)
        and (
            document.hint.rpartition("/")[2] in names
            if document.hint
            else any(found.keyid in keyids for found in document.envelope.signatures)
        )
    ]


_ARCHIVES = (".whl", ".tar.gz", ".zip")
_HOW_TO_SEE = "Whoever has both files sees it with `pip-intoto compare ONE OTHER`."


def _difference(candidates: Sequence[Candidate]) -> tuple[str, bool]:
    """Name one artifact on which the first two links that differ do, and what each says of it.

    Also returned is whether a wheel or an sdist is among those on which they differ.
    """
    first = candidates[0].record
    for other in (candidate.record for candidate in candidates[1:]):
        for side in SIDES:
            ours, theirs = first.side(side), other.side(side)
            differing = [
                name
                for name in ours.keys() | theirs.keys()
                if name not in ours or name not in theirs or not agree(ours[name], theirs[name])
            ]
            if differing:
                name = min(differing)
                others = len(differing) - 1
                more = f" and {counted(others, 'other')}" if others else ""
                said = [
                    f"{shown_digests(all_of[name]) if name in all_of else 'absent'} ({origin})"
                    for all_of, origin in ((ours, first.origin), (theirs, other.origin))
                ]
                return (
                    f"different {side}, {shown(name)}{more}: {'; '.join(said)}",
                    any(
                        name in ours and name in theirs and name.endswith(_ARCHIVES)
                        for name in differing
                    ),
                )
    origins = ", ".join(candidate.record.origin for candidate in candidates[:NAMED])
    return f"digests that cannot be compared ({origins})", False
