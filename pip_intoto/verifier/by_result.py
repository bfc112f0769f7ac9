"""Verdicts that rest on an earlier run: on a Simple Verification Result that a trusted key signed.

Who gives the key says that whoever holds it verifies well. What the result must be is asked in
this order, and nothing of it is parsed before the first question is answered (A2):

1. Did enough of the trusted keys sign it?
2. Is it a statement, and a verification result?
3. Did pip-intoto verify, by the policy that is asked for?
4. Is it of today, or as old as may be?
5. Is one of its subjects this file: the digest, and the name?

A file with several results is a bundle (A8): any of them may be the one that carries the file, and
one that does not count takes nothing away from the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import (
    ArtifactDigestMismatch,
    CommandError,
    EvidenceError,
    EvidenceInvalid,
    MetadataMalformed,
    ResultMissing,
    ResultNotAccepted,
    ResultNotCurrent,
    ResultSignatureMissing,
)
from pip_intoto.limits import LOCAL
from pip_intoto.metadata.bundle import Document, parse_bundle
from pip_intoto.metadata.envelope import parse_envelope, read_statement
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.statement import spelled_timestamp
from pip_intoto.metadata.verification_result import VERIFIED, VERIFIER, parse_result
from pip_intoto.verdict import Action, Outcome, Status, TraceEntry, Verdict
from pip_intoto.verification.roots import count_signers
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.wording import NAMED, counted, so_many_of
from pip_intoto.verifier import key_files
from pip_intoto.verifier.presenting import presentable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.verification_result import VerificationResult
    from pip_intoto.verification.trust import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a result must be to count.

    ``threshold`` of the parties in ``keys`` must have signed it. ``policy_sha256`` is lower-case
    hex, empty where any policy will do; ``max_age`` is None where any age will.
    """

    keys: tuple[Owner, ...]
    threshold: int
    max_age: timedelta | None = None
    policy_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Believed:
    """A result that counts, by whom it is signed, and where it came from."""

    result: VerificationResult
    signed_by: tuple[str, ...]
    origin: str


class Results:
    """What earlier runs vouch for, as far as it counts."""

    def __init__(self, believed: Iterable[_Believed], error: EvidenceInvalid | None) -> None:
        #: Why none counts; None when one does.
        self.error = error
        #: What they say, by the digest and by the name of their subjects.
        self._by_sha256: dict[str, list[tuple[_Believed, str]]] = {}
        self._by_name: dict[str, list[tuple[_Believed, str]]] = {}
        for each in believed:
            for subject in each.result.subjects:
                # A6: the file's digest is a sha256, and nothing else is held against it.
                sha256 = subject.digests.get("sha256", "")
                if sha256:
                    self._by_sha256.setdefault(sha256, []).append((each, subject.name))
                    self._by_name.setdefault(subject.name, []).append((each, sha256))

    def verdict(self, distribution: Distribution) -> Verdict:
        """Decide about one distribution; never raises an error of this package."""
        try:
            if distribution.sha256 is None:
                return _without_digest(distribution)
            return self._verified(distribution, distribution.sha256)
        except EvidenceError as error:
            return _refused(distribution, error)

    def _verified(self, distribution: Distribution, sha256: str) -> Verdict:
        if self.error is not None:
            raise self.error
        filename = distribution.filename
        same_bytes = self._by_sha256.get(sha256, [])
        # "Subject artifacts are matched purely by digest"; the name is asked for as well, because
        # it says which project the file is installed for.
        found = next((each for each, name in same_bytes if name == filename), None)
        if found is not None:
            return _accepted(distribution, sha256, found)
        if filename in self._by_name:
            each, other = self._by_name[filename][0]
            raise ArtifactDigestMismatch(
                "The verification result is about another file of this name",
                expected=f"sha256 {other}, as {each.origin} says",
                found=f"sha256 {sha256}",
            )
        other_names = dict.fromkeys(shown(name) for _, name in same_bytes)
        raise ResultMissing(
            "the verification result does not vouch for it",
            expected=f"{shown(filename)}, sha256 {sha256}, among its subjects",
            found=f"these bytes under another name: {', '.join([*other_names][:NAMED])}"
            if other_names
            else f"{counted(len(self._by_sha256), 'subject')}, none of them this file",
        )


def prepare(
    result: Path,
    keys: Sequence[Path],
    *,
    max_age: timedelta | None = None,
    policy_sha256: str = "",
    now: datetime | None = None,
    limits: Limits = LOCAL,
) -> Results:
    """Read what the command line names; all of ``keys`` must have signed.

    Raises CommandError for files that cannot be read, and for keys that are none.
    """
    owners = key_files.owners(keys)
    if not owners:
        raise CommandError("no key is given for the result", expected="--result-key FILE")
    wanted = Wanted(
        keys=owners, threshold=len(owners), max_age=max_age, policy_sha256=policy_sha256
    )
    data = files.read(result, limits.bundle_bytes)
    return read(data, wanted, origin=str(result), now=now, limits=limits)


def read(
    data: bytes,
    wanted: Wanted,
    *,
    origin: str,
    now: datetime | None = None,
    limits: Limits = LOCAL,
) -> Results:
    """Read the envelope, or the bundle of several, in ``data``.

    ``now`` is aware. Never raises an error of this package: what is wrong with a result that does
    not count is said by every verdict, of that which came nearest.
    """
    moment = now or datetime.now(timezone.utc)
    believed: list[_Believed] = []
    faults: list[_NotBelieved] = []
    try:
        documents = _documents(data, origin, limits)
    except EvidenceInvalid as error:
        return Results((), error)
    for document in documents:
        try:
            believed.append(_believe(document, wanted, moment, limits))
        except _NotBelieved as fault:
            faults.append(fault)
    nearest = max(faults, key=lambda fault: fault.question, default=None)
    return Results(believed, nearest.error if nearest and not believed else None)


def _documents(data: bytes, origin: str, limits: Limits) -> tuple[Document, ...]:
    bundle = parse_bundle(data, origin=origin, of_statements=True, limits=limits)
    if bundle.documents:
        return bundle.documents
    # One envelope on many lines; or none, and then it says what is wrong with it.
    try:
        envelope = parse_envelope(data, of_statement=True, limits=limits)
    except EvidenceInvalid as error:
        raise _placed(error, origin) from None
    return (Document(envelope=envelope, origin=origin),)


class _NotBelieved(Exception):
    """A result that does not count, and at which question it failed."""

    def __init__(self, question: int, error: EvidenceInvalid) -> None:
        super().__init__(str(error))
        self.question = question
        self.error = error


def _believe(document: Document, wanted: Wanted, now: datetime, limits: Limits) -> _Believed:
    origin = document.origin
    # 1. A2: "verify the envelope" before its payload is parsed.
    try:
        names = _signed_by(document, wanted, now, limits)
    except EvidenceInvalid as error:
        raise _NotBelieved(1, error) from None
    # 2.
    try:
        result = parse_result(read_statement(document.envelope, limits=limits), limits)
    except EvidenceInvalid as error:
        raise _NotBelieved(2, _placed(error, origin)) from None
    # 3.
    if unlike := _unlike(result, wanted, origin):
        raise _NotBelieved(3, unlike)
    # 4.
    if untimely := _untimely(result, wanted, now, origin, limits):
        raise _NotBelieved(4, untimely)
    return _Believed(result=result, signed_by=names, origin=origin)


def _signed_by(
    document: Document, wanted: Wanted, now: datetime, limits: Limits
) -> tuple[str, ...]:
    keyring = Keyring((owner.key for owner in wanted.keys), now=now, limits=limits)
    signed = keyring.signings(document.envelope)
    signing = [
        (owner, each)
        for owner in wanted.keys
        for each in signed
        # K6: an OpenPGP key signs nothing once its period of validity is over.
        if each.key is owner.key and not each.invalid_at(now)
    ]
    names = tuple(sorted({owner.principal for owner, _ in signing}))
    if not names or count_signers(signing) < wanted.threshold:
        whose = so_many_of(wanted.threshold, sorted({owner.principal for owner in wanted.keys}))
        raise ResultSignatureMissing(
            "The verification result is not signed by those who are trusted for it",
            expected=f"a result signed by {whose}",
            found=f"signed by {', '.join(names) or 'nobody who counts'} ({document.origin})",
        )
    return names


def _unlike(result: VerificationResult, wanted: Wanted, origin: str) -> ResultNotAccepted | None:
    if result.verifier != VERIFIER or VERIFIED not in result.properties:
        properties = ", ".join(map(shown, result.properties[:NAMED])) or "nothing"
        return ResultNotAccepted(
            "The verification result does not say that pip-intoto verified the files",
            expected=f"{VERIFIED}, by {VERIFIER}",
            found=f"{properties}, by {shown(result.verifier)} ({origin})",
        )
    policies = [policy.digests.get("sha256", "") for policy in result.policies]
    if wanted.policy_sha256 and wanted.policy_sha256 not in policies:
        said = " and ".join(f"sha256 {sha256}" for sha256 in policies[:NAMED] if sha256)
        return ResultNotAccepted(
            "The files were verified by another policy",
            expected=f"the policy with sha256 {wanted.policy_sha256}",
            found=f"{said or 'no policy'} ({origin})",
        )
    return None


def _untimely(
    result: VerificationResult, wanted: Wanted, now: datetime, origin: str, limits: Limits
) -> ResultNotCurrent | None:
    created = spelled_timestamp(result.created)
    if result.created > now + timedelta(seconds=limits.clock_skew_seconds):
        return ResultNotCurrent(
            "The verification result is of a time that is yet to come",
            expected=f"a result made before {spelled_timestamp(now)}",
            found=f"made at {created} ({origin})",
            advice="Compare this machine's clock with that of the machine that made it.",
        )
    if wanted.max_age is not None and now - result.created > wanted.max_age:
        return ResultNotCurrent(
            "The verification result is too old",
            expected=f"a result made after {spelled_timestamp(now - wanted.max_age)}",
            found=f"made at {created} ({origin})",
        )
    return None


def _placed(error: EvidenceInvalid, origin: str) -> EvidenceInvalid:
    error.place = f"{origin}: {error.place}" if error.place else origin
    if isinstance(error, MetadataMalformed):
        error.advice = "Have the result made again: `pip-intoto verify --format attestation`."
    return error


# --- verdicts -------------------------------------------------------------------------------


def _accepted(distribution: Distribution, sha256: str, found: _Believed) -> Verdict:
    result = found.result
    signers = ", ".join(found.signed_by)
    created = spelled_timestamp(result.created)
    version = f" {result.version}" if result.version else ""
    policies = [policy.digests.get("sha256", "") for policy in result.policies]
    named = " and ".join(f"sha256 {policy}" for policy in policies[:NAMED] if policy)
    return presentable(
        Verdict(
            distribution=distribution,
            status=Status.VERIFIED,
            reason="verified",
            action=Action.PASS,
            summary=f"{distribution.filename} was verified at {created}, says {signers}.",
            trace=(
                TraceEntry(
                    "result",
                    Outcome.OK,
                    f"signed by {signers}; made at {created} by pip-intoto{version}"
                    f" ({found.origin})",
                ),
                TraceEntry("policy", Outcome.NOTE, f"verified by {named or 'no policy'}"),
                TraceEntry(
                    "subject", Outcome.OK, f"{shown(distribution.filename)}, sha256 {sha256}"
                ),
            ),
        )
    )


def _without_digest(distribution: Distribution) -> Verdict:
    title = distribution.filename or distribution.name
    return presentable(
        Verdict(
            distribution=distribution,
            status=Status.UNVERIFIABLE,
            reason="unverifiable",
            action=Action.BLOCK,
            summary=f"{title}: there is no file, and no digest, that a result could be about.",
        )
    )


def _refused(distribution: Distribution, error: EvidenceError) -> Verdict:
    title = distribution.filename or distribution.name
    message = error.message[:1].lower() + error.message[1:].rstrip(".")
    where = f" ({error.place})" if error.place else ""
    return presentable(
        Verdict(
            distribution=distribution,
            status=Status.MISSING if isinstance(error, ResultMissing) else Status.INVALID,
            reason=error.code,
            action=Action.BLOCK,
            summary=f"{title}: {message}{where}.",
            expected=error.expected,
            found=error.found,
            advice=error.advice,
            trace=(TraceEntry("verdict", Outcome.FAIL, f"{error.code}: {error}"),),
        )
    )
