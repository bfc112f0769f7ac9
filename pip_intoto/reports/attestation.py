"""A run as evidence for others: a signed Simple Verification Result for what was verified.

Only files that were verified become subjects of the statement, so that it says nothing good of any
other; what exceptions let through is listed apart. A run that verified nothing gives no statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError, NothingVerified
from pip_intoto.metadata.predicate_names import SVR
from pip_intoto.metadata.statement import STATEMENT, spelled_timestamp
from pip_intoto.metadata.verification_result import OURS, VERIFIED, VERIFIER
from pip_intoto.sources.addresses import printable
from pip_intoto.verdict import Status
from pip_intoto.verification.wording import publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pip_intoto.account import Account
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import Signer
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.verdict import ExceptionUsed, Station, SupplyChain, Verdict


def render(account: Account, signers: Sequence[Signer]) -> str:
    """Sign the result of ``account``, as one line of JSON, which may stand in a bundle.

    Raises :class:`NothingVerified`, and :class:`CommandError` when a key cannot sign.
    """
    if not signers:
        raise CommandError("an attestation is signed", expected="--signing-key KEY")
    made = statement(account)
    # Imported here for start-up time: most reports are not signed.
    from pip_intoto.maintainer import authoring

    signed = authoring.Document(authoring.sign(made, signers))
    return authoring.bundle([signed]).decode("ascii")


def statement(account: Account) -> JsonObject:
    """Give the statement, not signed yet. Raises :class:`NothingVerified`."""
    subjects = list(_subjects(account))
    if not subjects:
        raise NothingVerified(
            "nothing was verified that an attestation could be about",
            expected="at least one file that is verified by its evidence",
        )
    return {
        "_type": STATEMENT,
        "subject": [*subjects],
        "predicateType": SVR,
        "predicate": {
            "verifier": {"id": VERIFIER, "policies": _policies(account)},
            # The evidence, its expiry and all exceptions were held against this point in time.
            "timeCreated": spelled_timestamp(account.began),
            "properties": [VERIFIED],
            OURS: _run(account),
        },
    }


# --- the subjects ---------------------------------------------------------------------------


def _subjects(account: Account) -> Iterator[JsonObject]:
    verdicts = [checked.verdict for checked in account.checked]
    # The same bytes under another name, or from another index, may be no good: then the digest,
    # which is all that others match, is not vouched for.
    doubtful = {
        verdict.distribution.sha256 for verdict in verdicts if verdict.status is not Status.VERIFIED
    }
    seen = set()
    for verdict in verdicts:
        distribution, chain = verdict.distribution, verdict.chain
        key = (distribution.sha256, distribution.filename)
        if distribution.sha256 is None or distribution.sha256 in doubtful or key in seen:
            continue
        # Without a chain it rests on somebody else's word, such as an earlier result.
        if chain is not None:
            seen.add(key)
            yield _subject(verdict, distribution.sha256, chain)


def _subject(verdict: Verdict, sha256: str, chain: SupplyChain) -> JsonObject:
    distribution = verdict.distribution
    return {
        "name": printable(distribution.filename),
        "digest": {"sha256": sha256},
        "annotations": {
            OURS: {
                "project": printable(distribution.name),
                "version": printable(distribution.version),
                "layout": _digest(chain.layout_sha256),
                "layoutExpires": spelled_timestamp(chain.expires),
                "owners": _texts(chain.owners),
                **_publishers(chain),
                "documents": [_digest(sha256) for sha256 in chain.documents],
                "steps": [
                    {
                        "name": printable(station.name),
                        "threshold": station.wanted,
                        "principals": _texts(station.functionaries),
                        **_predicates(station),
                    }
                    for station in chain.stations
                    if not station.is_inspection
                ],
                "inspections": _texts(
                    station.name for station in chain.stations if station.is_inspection
                ),
                "binding": printable(chain.binding),
            }
        },
    }


def _publishers(chain: SupplyChain) -> JsonObject:
    """Whoever of the chain Sigstore vouches for; nothing where it vouches for nobody."""
    said = dict.fromkeys(map(publisher, chain.credentials))
    return {"publishers": _texts(said)} if said else {}


def _predicates(station: Station) -> JsonObject:
    return {"predicates": _texts(station.predicates)} if station.predicates else {}


# --- the run --------------------------------------------------------------------------------


def _policies(account: Account) -> list[JsonValue]:
    # "in that case, the value MUST be an empty array"
    if account.policy is None:
        return []
    return [{"name": _name(account.policy.path), **_digest(account.policy.sha256)}]


def _run(account: Account) -> JsonObject:
    return {
        "version": printable(account.version),
        "mode": "" if account.policy is None else account.policy.mode,
        "began": spelled_timestamp(account.began),
        "ended": spelled_timestamp(account.ended),
        "interrupted": account.interrupted,
        "locks": [{"name": _name(lock.path), **_digest(lock.sha256)} for lock in account.locks],
        "counts": {status.value: number for status, number in account.counts.items()},
        "exceptions": [
            _exception(checked.verdict, exception)
            for checked in account.checked
            if (exception := checked.verdict.exception) is not None
        ],
    }


def _exception(verdict: Verdict, exception: ExceptionUsed) -> JsonObject:
    distribution = verdict.distribution
    return {
        "project": printable(distribution.name),
        "version": printable(distribution.version),
        "name": printable(distribution.filename),
        **({} if distribution.sha256 is None else _digest(distribution.sha256)),
        "status": verdict.status.value,
        "owner": printable(exception.owner),
        "reason": printable(exception.reason),
        "expires": exception.expires.isoformat(),
        "waives": _texts(exception.waives),
    }


def _name(path: Path) -> str:
    """``path`` as others may know it: where it lies on this machine is nobody's business."""
    return printable(path.name if path.is_absolute() else path.as_posix())


def _digest(sha256: str) -> JsonObject:
    return {"digest": {"sha256": sha256}}


def _texts(texts: Iterable[str]) -> list[JsonValue]:
    # Text that is none in Unicode would make the whole statement unreadable.
    return [printable(text) for text in texts]
