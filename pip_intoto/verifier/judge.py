"""One distribution in, one verdict out.

The order of questions is fixed, and each can end the matter:

1. Is there a file? A directory or checkout has nothing that could be verified.
2. Does a rule name the project, by the name that pip gives it or by the name of its file?
3. Does it come from the index that the rule binds it to? No exception waives this.
4. Does an exception in force waive all verification?
5. May it be built from source at all?
6. Is the file called what it is said to be?
7. Does the evidence, pooled over the sources, verify, and bind this file? Where the rule asks for
   a layout and for attestations besides, it must do so for each. Is the layout no older than the
   one that was seen here before?
8. Is it vouched for by whom the lock pins, if it pins anybody?
9. Is it a build requirement of something that wants those verified too?
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from pip_intoto.distribution import Kind
from pip_intoto.errors import (
    AttestationMissing,
    BuildNotAllowed,
    BuildRequirementUnverified,
    EvidenceError,
    EvidenceMissing,
    IndexMismatch,
    LayoutExpired,
    LinkMissing,
    MetadataMalformed,
    MetadataTooLarge,
    PipIntotoError,
    PolicyError,
    SourceUnreachable,
    TufInvalid,
    Unpinned,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.addresses import redacted, within
from pip_intoto.sources.fetching import OFFLINE
from pip_intoto.verdict import Action, ExceptionUsed, Outcome, Status, TraceEntry, Verdict
from pip_intoto.verifier.attempt import Attempt, verify
from pip_intoto.verifier.inspecting import inspector_for
from pip_intoto.verifier.naming import normalized, parse_filename, subject_of
from pip_intoto.verifier.presenting import presentable
from pip_intoto.verifier.search import Search, held_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from pip_intoto.credential import Credential
    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.policy.model import Policy, PolicyException, ProjectRule
    from pip_intoto.verdict import SupplyChain
    from pip_intoto.verification.binding import Subject
    from pip_intoto.verification.chain import Verified
    from pip_intoto.verification.trust import OwnLayout, Trust
    from pip_intoto.verifier.inspecting import Obtain
    from pip_intoto.verifier.pins import Pin
    from pip_intoto.verifier.records import Records

#: What to do where evidence is needed, and nobody may be asked.
_CURE_OF_OFFLINE = (
    "Leave --offline out, or bring the evidence here: verify --export writes it where there is a"
    " network, and --import reads it."
)
_T = TypeVar("_T")

#: What stands where a file is expected.
_WITHOUT_FILE = {Kind.DIRECTORY: "directory", Kind.VCS: "checkout"}


class Decision:
    """What is known of a distribution only once its file has arrived; awaiting it gives that."""

    __slots__ = ("value",)

    def __init__(self, value: Distribution | None = None) -> None:
        self.value = value

    @property
    def made(self) -> bool:
        """Whether it is known."""
        return self.value is not None

    def make(self, value: Distribution) -> None:
        """Say it."""
        self.value = value

    def __await__(self) -> Generator[Decision, None, Distribution]:
        while self.value is None:
            yield self
        return self.value


async def judge(
    announced: Distribution,
    policy: Policy,
    *,
    decision: Decision | None = None,
    problem: EvidenceError | None = None,
    obtain: Obtain | None = None,
    found: Callable[[tuple[Document, ...]], None] | None = None,
    pin: Pin | None = None,
    records: Records | None = None,
    now: datetime | None = None,
    limits: Limits = DEFAULT,
) -> Verdict:
    """Decide about one distribution.

    ``decision`` gives the distribution as it is once its bytes are there; until then, evidence
    is looked for on the strength of what was announced. Without it, ``announced`` is complete.
    ``problem`` says why there is no file to judge, where the policy asks for one. ``obtain``
    brings the file when an inspection needs it and it is not at hand. ``found`` is told the
    evidence that was found, whatever came of it. ``pin`` is what a lock says of who vouches for it,
    and ``records`` are of the layouts that were seen here before.
    Never raises an error of this package: whatever is wrong becomes the verdict.
    """
    decision = decision or Decision(announced)
    search = None if problem else await _begin(announced, policy, pin, limits)
    distribution = await decision
    if _identity(distribution) != _identity(announced):
        # The server named the file otherwise: what was found belongs to another distribution.
        search = None
    case = _Case(distribution, policy, search, now or datetime.now(timezone.utc), limits)
    case.problem, case.obtain, case.pin, case.records = problem, obtain, pin, records
    try:
        verdict = await case.verdict()
    except PipIntotoError as error:
        verdict = case.failed(error)
    if found is not None:
        found(case.evidence)
    return presentable(verdict)


def refused(distribution: Distribution, policy: Policy, error: PipIntotoError) -> Verdict:
    """Say that ``error`` kept a distribution from being judged."""
    case = _Case(distribution, policy, None, datetime.now(timezone.utc), DEFAULT)
    return presentable(case.failed(error))


def out_of_resources(distribution: Distribution, policy: Policy, *, recursion: bool) -> Verdict:
    """Say that the evidence was more than the verifier can bear."""
    case = _Case(distribution, policy, None, datetime.now(timezone.utc), DEFAULT)
    what = "deeper nested" if recursion else "larger"
    return presentable(
        case.failed(MetadataTooLarge(f"the evidence is {what} than the verifier can bear"))
    )


async def _begin(
    announced: Distribution, policy: Policy, pin: Pin | None, limits: Limits
) -> Search | None:
    """Look for evidence ahead of the file, where a rule names the project."""
    rule = policy.rule_for(announced.name)
    if rule is None or announced.kind not in {Kind.WHEEL, Kind.SDIST}:
        return None
    if announced.kind is Kind.SDIST and rule.build == "never":
        return None
    try:
        _check_index(rule, announced)
        search = Search(_searched(rule, pin, announced), announced, limits, policy.tuf)
        await search.begin()
    except PipIntotoError:
        # It will be met again, and said, when the distribution is decided about.
        return None
    return search


def _identity(distribution: Distribution) -> tuple[str, str, str]:
    return (distribution.name, distribution.version, distribution.filename)


class _Case:
    """A distribution on its way through the questions."""

    def __init__(
        self,
        distribution: Distribution,
        policy: Policy,
        search: Search | None,
        now: datetime,
        limits: Limits,
    ) -> None:
        self._distribution = distribution
        self._policy = policy
        self._search = search
        self._now = now
        self._limits = limits
        #: What was asked before any evidence was looked at, and after.
        self._before: list[TraceEntry] = []
        self._trace: list[TraceEntry] = []
        self._exception: PolicyException | None = None
        #: What the verdict rests on.
        self._chain: SupplyChain | None = None
        self._used: PolicyException | None = None
        #: A layout expired, which an exception waives.
        self._has_expired = False
        #: Why there is no file to judge.
        self.problem: EvidenceError | None = None
        #: What brings the file when an inspection needs it.
        self.obtain: Obtain | None = None
        #: What a lock says of who vouches for it.
        self.pin: Pin | None = None
        #: Of the layouts that were seen here before.
        self.records: Records | None = None

    @property
    def evidence(self) -> tuple[Document, ...]:
        """What the sources gave."""
        return tuple(self._search.evidence) if self._search else ()

    async def verdict(self) -> Verdict:
        """Ask the questions in order. Raises the errors of this package."""
        distribution, policy = self._distribution, self._policy
        rule = self._rule()
        if distribution.kind not in {Kind.WHEEL, Kind.SDIST} or isinstance(self.problem, Unpinned):
            return self._without_file(rule)
        if rule is not None:
            described = f"rule {rule.name!r}, line {rule.line}"
            self._before.append(TraceEntry("policy", Outcome.OK, described))
            self._before += _check_index(rule, distribution)
        self._exception = policy.exception_for(distribution, self._now.date())
        if self._exception is not None and not self._exception.waives:
            return self._exempt(self._exception, "and nothing of it was verified")
        try:
            if rule is not None:
                return await self._verified(rule)
            if self.pin is not None:
                await self._pinned_alone(self.pin)
            return self._unlisted()
        except EvidenceError as error:
            exception = self._waived(error.code)
            if exception is not None:
                self._note("exception", f"waives {error.code}: {error}")
                return self._exempt(exception, f"although {_lowered(error.message)}")
            raise

    def failed(self, error: PipIntotoError) -> Verdict:
        """Turn an error into the verdict that it amounts to."""
        if isinstance(error, EvidenceMissing | BuildRequirementUnverified) or (
            isinstance(error, LinkMissing) and not (self._search and self._search.gave_evidence)
        ):
            status = Status.MISSING
        elif isinstance(error, SourceUnreachable):
            status = Status.UNREACHABLE
        else:
            status = Status.INVALID
        advice = self._or_a_newer_exception(error.advice)
        self._trace.append(TraceEntry("verdict", Outcome.FAIL, f"{error.code}: {error}"))
        # Warn mode does not excuse a policy that cannot be used.
        action = Action.BLOCK if isinstance(error, PolicyError) else self._refusal()
        verdict = self._make(status, error.code, action, f"{self._title}: {_sentence(error)}")
        verdict = replace(verdict, expected=error.expected, found=error.found, advice=advice)
        return self._as_build_requirement(verdict)

    # --- 1. without a file ------------------------------------------------------------------

    def _without_file(self, rule: ProjectRule | None) -> Verdict:
        distribution = self._distribution
        what = _WITHOUT_FILE.get(distribution.kind, "requirement without a version")
        self._exception = self._policy.exception_for(distribution, self._now.date())
        if self._exception is not None and not self._exception.waives:
            return self._exempt(self._exception, f"although a {what} cannot be verified")
        # What the user names is the user's own; but a name that a rule covers must not be
        # had from a checkout just because that cannot be verified.
        theirs = distribution.kind is Kind.DIRECTORY and distribution.requested
        pin = self.pin if self.pin is not None and self.pin.binds(distribution) else None
        if pin is None and (rule is None or theirs):
            verdict = self._make(
                Status.UNVERIFIABLE,
                "unverifiable",
                self._as_unlisted(),
                f"{self._title} is a {what}: there is no file that evidence could be about.",
            )
            return self._as_build_requirement(verdict)
        # What the user named, on the command line or in a lock, needs no explanation.
        wanted = "" if distribution.requested else "a requirement names "
        verdict = self._make(
            Status.UNVERIFIABLE,
            "unverifiable",
            self._refusal(),
            (
                f"{distribution.name} is listed in the policy"
                if pin is None
                else f"{pin.origin} pins who attests {distribution.name}"
            )
            + f", and a {what} cannot be verified: there is no file that evidence could be about.",
        )
        return replace(
            verdict,
            expected=f"a wheel or sdist of {distribution.name}, with evidence",
            found=f"a {what}"
            if isinstance(self.problem, Unpinned)
            else wanted + (redacted(distribution.url or "") or f"a {what}"),
            advice=self.problem.advice
            if isinstance(self.problem, Unpinned)
            else f"Install a release of {distribution.name}, or write an [[exception]] for it in"
            " the policy.",
        )

    # --- 2. the rule ------------------------------------------------------------------------

    def _rule(self) -> ProjectRule | None:
        distribution = self._distribution
        rule = self._policy.rule_for(distribution.name)
        if rule is not None or distribution.kind not in {Kind.WHEEL, Kind.SDIST}:
            return rule
        parts = parse_filename(distribution.filename, distribution.kind, distribution.name)
        if parts is not None and self._policy.rule_for(normalized(parts[0])) is not None:
            # A listed project's file under another name: `subject_of` will refuse it.
            subject_of(replace(distribution, sha256=distribution.sha256 or "0" * 64))
        return None

    def _unlisted(self) -> Verdict:
        verdict = self._make(
            Status.UNLISTED,
            "unlisted",
            self._as_unlisted(),
            f"{self._title}: the policy does not list {self._distribution.name}.",
        )
        if verdict.action is not Action.PASS:
            verdict = replace(
                verdict,
                expected=f"a [[project]] for {self._distribution.name} in {self._policy.path}",
                advice=self._or_a_newer_exception(
                    f"List it with `pip-intoto trust add {self._distribution.name} --key …`, or"
                    " `--publisher …`."
                ),
            )
        return self._as_build_requirement(verdict)

    # --- 4. exceptions ----------------------------------------------------------------------

    def _or_a_newer_exception(self, advice: str) -> str:
        """Begin the advice with an exception that would cover the file, had it not expired."""
        expired = self._policy.expired_exception_for(self._distribution, self._now.date())
        if expired is None:
            return advice
        return f"The exception for it expired on {expired.expires}. {advice}"

    def _exempt(self, exception: PolicyException, what: str) -> Verdict:
        self._used = exception
        return self._make(
            Status.EXEMPT,
            "exempt",
            Action.PASS,
            f"{self._title} is exempt until {exception.expires}, {what}."
            f" {exception.owner} says why: {exception.reason.rstrip('.')}.",
        )

    def _waived(self, code: str) -> PolicyException | None:
        """Give the exception that waives ``code`` for this distribution."""
        exception = self._exception
        return exception if exception is not None and code in exception.waives else None

    # --- 5. to 7. the evidence --------------------------------------------------------------

    async def _verified(self, rule: ProjectRule) -> Verdict:
        distribution = self._distribution
        built = distribution.kind is Kind.SDIST and rule.build == "never"
        may_build = self._waived(BuildNotAllowed.code)
        if built and may_build is None:
            raise BuildNotAllowed(
                f"the policy does not let {distribution.name} be built from source",
                expected=f"a wheel of {distribution.name}",
                found="a source archive, from which pip would have to build",
            )
        subject = self._subject()
        search = self._searching(rule)
        verified: list[tuple[Trust, Verified]] = []
        for each in self._policy.trusts_for(rule, distribution):
            trust = self._completed(each, rule)
            one = await self._satisfying(search, trust, subject)
            if self.records is not None and _has_history(trust):
                self.records.check(
                    distribution.name, distribution.version, one.chain, _whose(trust)
                )
            verified.append((trust, one))
            self._trace += one.trace
        self._chain = chain = _joined([each.chain for _, each in verified])
        if self.pin is not None:
            self.pin.check(distribution, chain)
            await self._pinned(self.pin, search, subject, listed=True)
            self._chain = chain
        expired = self._waived(LayoutExpired.code)
        if self._has_expired and expired is not None:
            return self._exempt(expired, "although its layout has expired; all else is verified")
        if built and may_build is not None:
            return self._exempt(may_build, "although it is built from source; all else is verified")
        for trust, one in verified:
            if self.records is not None and _has_history(trust):
                self.records.note(distribution.name, distribution.version, one.chain, _whose(trust))
        return self._make(
            Status.VERIFIED,
            "verified",
            Action.PASS,
            f"{self._title} is verified: {_by_whom(verified)}.",
        )

    async def _satisfying(self, search: Search, trust: Trust, subject: Subject) -> Verified:
        """Verify, if need be without the expiry where an exception waives that.

        Raises EvidenceError.
        """
        try:
            return await self._pooled(search, trust, subject)
        except LayoutExpired as error:
            if self._waived(error.code) is None:
                raise
            # Waived is the expiry alone: all else is still verified.
            self._note("exception", f"waives {error.code}: {error}")
            self._has_expired = True
            trust = replace(trust, waived=frozenset({error.code}))
            return await self._pooled(search, trust, subject)
        except EvidenceMissing as error:
            if self.pin is None:
                raise
            raise self.pin.downgraded(error, self._distribution) from None

    async def _pinned_alone(self, pin: Pin) -> None:
        """Hold a file of a project that no rule lists against the lock. Raises EvidenceError."""
        subject = self._subject()
        search = self._searching(None)
        await self._pinned(pin, search, subject, listed=False)
        self._chain = None

    async def _pinned(self, pin: Pin, search: Search, subject: Subject, *, listed: bool) -> None:
        revoked = tuple(each.identity for each in self._policy.revoked_identities)
        trusts = pin.trusts(self._distribution, listed=listed)
        for each in trusts:
            trust = replace(self._completed(each, None), revoked_identities=revoked)
            try:
                one = await self._pooled(search, trust, subject)
            except EvidenceError as error:
                raise pin.explained(error, self._distribution) from None
            if not listed:
                # Whom the lock names may have changed, and who was recorded not.
                pin.check(self._distribution, one.chain, listed=False)
            self._trace += one.trace
            self._note("pin", pin.holds)
        if pin.first_use and not trusts:
            # Whoever vouches for it is yet to be seen: everything there is should be found.
            while await search.widen():
                pass
            attested = any(each.envelope.sigstore for each in search.evidence)
            if search.found.unreachable and not attested:
                # An outage does not say that nobody vouches, and nothing is to be forgotten for it.
                raise _not_fetched(search.found.unreachable)

    def _subject(self) -> Subject:
        """Say what evidence must be about. Raises EvidenceError."""
        if self.problem is not None:
            raise self.problem
        return subject_of(self._distribution)

    def _searching(self, rule: ProjectRule | None) -> Search:
        wanted = _searched(rule, self.pin, self._distribution)
        search = self._search or Search(wanted, self._distribution, self._limits, self._policy.tuf)
        search.settle(self._distribution)
        self._search = search
        return search

    def _completed(self, trust: Trust, rule: ProjectRule | None) -> Trust:
        if rule is not None and rule.layout is not None and not trust.layout_sha256:
            # The consumer's own layout is the one that counts; a source cannot offer another.
            trust = replace(trust, layout_sha256=(held_sha256(rule.layout),))
        return replace(trust, authenticator=_Authenticating(self._policy.trust_root))

    async def _pooled(self, search: Search, trust: Trust, subject: Subject) -> Verified:
        """Verify with what there is; find more for as long as that fails."""
        inspector = inspector_for(
            self._distribution, trust, obtain=self.obtain, limits=self._limits
        )
        while True:
            outcome = Attempt()
            # Some keys arrive with the evidence.
            completed = search.completed(trust)
            if search.documents and completed is not None:
                outcome = verify(
                    search.documents,
                    completed,
                    subject,
                    inspector,
                    now=self._now,
                    limits=self._limits,
                )
            self._chain = outcome.chain
            if outcome.verified is not None:
                return outcome.verified
            if await search.deepen(outcome.wanted) or await search.resolve(outcome.managed):
                continue
            if not await search.widen():
                self._trace += outcome.trace
                raise self._why(search, trust, outcome.error or search.lacking(trust))

    def _why(self, search: Search, trust: Trust, error: EvidenceError | None) -> EvidenceError:
        """Choose between invalid, unreachable and missing.

        If nothing verifies: invalid when any source gave evidence, else unreachable when any
        could not be asked, else missing.
        """
        faults = search.found.faults
        for fault in faults:
            # Whatever else was found: somebody shows this machine what is not so.
            if isinstance(fault, TufInvalid):
                return fault
        if search.evidence and error is not None:
            return error
        if faults:
            return faults[0]
        if error is not None and not isinstance(error, LinkMissing):
            # The layout that the consumer holds is itself at fault.
            return error
        unreachable = search.found.unreachable
        asked = "nothing at " + " or ".join(search.found.missing)
        if not search.found.missing:
            asked = "no place to look: none of the sources has an address for it"
        if unreachable:
            return _not_fetched(unreachable)
        if error is not None:
            return LinkMissing(error.message, expected=error.expected, found=asked)
        if trust.own_layout is not None:
            return AttestationMissing(
                "there is no attestation of it",
                expected=_asked_for(trust.own_layout),
                found=asked,
            )
        return EvidenceMissing(
            "there is no evidence of how it was made",
            expected=f"in-toto metadata, as in {self._distribution.filename}.intoto.jsonl"
            " beside the file",
            found=asked,
        )

    # --- 8. build requirements --------------------------------------------------------------

    def _as_build_requirement(self, verdict: Verdict) -> Verdict:
        """Refuse what would be built with although nothing verifies it."""
        for_what = self._distribution.building_for
        unverified = {Status.UNLISTED, Status.MISSING, Status.UNVERIFIABLE}
        if not for_what or verdict.status not in unverified:
            return verdict
        exception = self._waived(BuildRequirementUnverified.code)
        if exception is not None:
            waived = TraceEntry("build requirement", Outcome.NOTE, "an exception waives it")
            used = _used(exception)
            return replace(verdict, trace=(*verdict.trace, waived), exception=used)
        error = BuildRequirementUnverified(
            f"it is needed to build {for_what}, and nothing verifies it",
            advice=self._cure_of_build_requirement(),
        )
        self._trace.append(TraceEntry("build requirement", Outcome.FAIL, error.message))
        status = verdict.status
        return replace(
            self._make(
                Status.MISSING if status is Status.UNLISTED else status,
                error.code,
                self._refusal(),
                f"{self._title}: {error.message}.",
            ),
            expected=verdict.expected,
            found=verdict.found or verdict.summary,
            advice=error.advice,
        )

    def _cure_of_build_requirement(self) -> str:
        distribution = self._distribution
        project = distribution.building_for.partition(" ")[0]
        or_else = f'set `build = "any"` for {project}, whose build is then not verified.'
        if self._policy.rule_for(distribution.name) is None:
            return f"List {distribution.name} in the policy, or {or_else}"
        return f"Ask {distribution.name} to publish evidence for this file, or {or_else}"

    # --- parts ------------------------------------------------------------------------------

    @property
    def _title(self) -> str:
        distribution = self._distribution
        title = f"{distribution.name} {distribution.version}".strip()
        return distribution.filename or title or redacted(distribution.url or "")

    def _note(self, what: str, detail: str) -> None:
        self._trace.append(TraceEntry(what, Outcome.NOTE, detail))

    def _refusal(self) -> Action:
        """Block; in warn mode, say what enforce mode would do."""
        return Action.BLOCK if self._policy.mode == "enforce" else Action.WARN

    def _as_unlisted(self) -> Action:
        if self._policy.unlisted == "allow":
            return Action.PASS
        return self._refusal() if self._policy.unlisted == "deny" else Action.WARN

    def _make(self, status: Status, reason: str, action: Action, summary: str) -> Verdict:
        return Verdict(
            distribution=self._distribution,
            status=status,
            reason=reason,
            action=action,
            summary=summary,
            trace=(*self._before, *(self._search.trace if self._search else ()), *self._trace),
            chain=self._chain,
            exception=None if self._used is None else _used(self._used),
        )


class _Authenticating:
    """Checks attestations; what that takes is imported with the first one, for start-up time."""

    __slots__ = ("_trust_root",)

    def __init__(self, trust_root: bytes | None) -> None:
        self._trust_root = trust_root

    def authenticate(self, envelope: Envelope) -> Credential:
        from pip_intoto.verifier.authenticating import authenticator_with

        return authenticator_with(self._trust_root).authenticate(envelope)


def _asked_for(own: OwnLayout) -> str:
    """What a layout of the consumer's asks for, by the types of statements where it is those."""
    claims = [each for step in own.layout.steps for each in step.expected_predicates]
    types = " and ".join(dict.fromkeys(each.predicate_type for each in claims))
    return f"{types}, as {own.origin} asks" if types else f"what {own.origin} asks for"


def _not_fetched(unreachable: Sequence[str]) -> SourceUnreachable:
    return SourceUnreachable(
        "the evidence could not be fetched",
        expected="an answer from every place that may have it",
        found="; ".join(unreachable),
        advice=_CURE_OF_OFFLINE if all(each.endswith(OFFLINE) for each in unreachable) else "",
    )


def _has_history(trust: Trust) -> bool:
    # Imported here for start-up time: whoever has opened the records has imported it already.
    from pip_intoto.verifier.records import is_judged

    return is_judged(trust)


def _whose(trust: Trust) -> str:
    # Imported here for start-up time, as above.
    from pip_intoto.verifier.records import whose

    return whose(trust)


def _check_index(rule: ProjectRule, distribution: Distribution) -> list[TraceEntry]:
    """Hold the index page that listed the file against the rule. Raises IndexMismatch."""
    if not rule.index:
        return []
    if distribution.index is None and distribution.url is None:
        # A file on this machine, named on the command line of `verify`: it came from nowhere.
        return [TraceEntry("index", Outcome.NOTE, "where the file came from is not known")]
    if distribution.index is not None and within(distribution.index, rule.index):
        return [TraceEntry("index", Outcome.OK, redacted(distribution.index))]
    if distribution.index in {None, distribution.url}:
        raise IndexMismatch(
            f"the policy binds {distribution.name} to an index, and only an address of the file is"
            " known",
            expected=redacted(rule.index),
            found=redacted(distribution.url or ""),
            advice="An address does not say which index lists the file. Name the index (in"
            " pylock.toml as packages.index), or bind the project to where its files lie.",
        )
    raise IndexMismatch(
        f"{distribution.name} comes from another index than the policy binds it to",
        expected=redacted(rule.index),
        found=redacted(distribution.index),
    )


def _used(exception: PolicyException) -> ExceptionUsed:
    return ExceptionUsed(
        owner=exception.owner,
        reason=exception.reason,
        expires=exception.expires,
        waives=exception.waives,
    )


def _searched(rule: ProjectRule | None, pin: Pin | None, distribution: Distribution) -> ProjectRule:
    """Say where evidence is looked for."""
    if pin is not None:
        return pin.rule(rule, distribution.name)
    assert rule is not None  # noqa: S101 - without either, nothing is looked for
    return rule


def _joined(chains: Sequence[SupplyChain]) -> SupplyChain:
    """Make one of all that must hold: the first, with what the others rest on besides."""

    def union(parts: Iterable[tuple[_T, ...]]) -> tuple[_T, ...]:
        return tuple(dict.fromkeys(each for part in parts for each in part))

    return replace(
        chains[0],
        expires=min(each.expires for each in chains),
        stations=tuple(station for each in chains for station in each.stations),
        documents=union(each.documents for each in chains),
        owner_keys=union(each.owner_keys for each in chains),
        credentials=union(each.credentials for each in chains),
    )


def _by_whom(verified: Iterable[tuple[Trust, Verified]]) -> str:
    parts = []
    for trust, each in verified:
        functionaries = ", ".join(dict.fromkeys(each.functionaries))
        if trust.own_layout is not None:
            parts.append(f"it is attested by {functionaries}")
        else:
            owners = ", ".join(each.signed_by)
            parts.append(f"its layout is signed by {owners}, its steps by {functionaries}")
    return ", and ".join(parts)


def _sentence(error: PipIntotoError) -> str:
    """What happened, and where, to stand behind a colon."""
    message = _lowered(error.message).rstrip(".")
    if isinstance(error, MetadataMalformed):
        # Else "this" would be the file.
        message = f"its evidence cannot be read: {message}"
    # Some messages name the step themselves.
    where = f" ({error.place})" if error.place and error.place not in message else ""
    return f"{message}{where}."


def _lowered(message: str) -> str:
    """``message`` as it continues a sentence; RECORD and the like stay as they are."""
    word = message.partition(" ")[0]
    return message if len(word) > 1 and word.isupper() else message[:1].lower() + message[1:]
