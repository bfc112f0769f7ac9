"""What a lock pins beside digests: who attested a project, and who vouched for it before.

Two things stand in a lock. ``attestation-identities`` (PEP 751) are publishers, one of whom must
have attested every file of the package: that is the layout of one step, and the engine which
verifies layouts decides it. What `pip-intoto lock` recorded is who vouched for the project at some
version: whoever vouches for the same version or a later one is held against it, and so is a
release that comes with no evidence any more. Older versions are not judged by it: a maintenance
release may be signed as it was then.

A pin adds to the policy, and takes nothing from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    AttestationMissing,
    EvidenceDowngrade,
    EvidenceMissing,
    IdentityMismatch,
    LinkMissing,
    PredicateMissing,
    SignerChanged,
)
from pip_intoto.metadata.identities import Identity, with_keyid
from pip_intoto.metadata.predicate_names import PUBLISH
from pip_intoto.policy.model import Beside, NamedIdentity, Pep740, ProjectRule, Requirement
from pip_intoto.verification.trust import Trust
from pip_intoto.verification.wording import publisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pip_intoto.credential import Credential
    from pip_intoto.distribution import Distribution, Place
    from pip_intoto.errors import EvidenceError
    from pip_intoto.lockfiles.locked import Locked, Recorded
    from pip_intoto.policy.model import Source
    from pip_intoto.verdict import SupplyChain

_STEP = "publish"
#: Where attestations of a pinned file are looked for.
_SOURCES: tuple[Source, ...] = (Beside(), Pep740())
#: Signers that a message names.
_NAMED = 5
#: Characters of a key's identity that tell it from others.
_SHORT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What a lock says of who vouches for one entry.

    ``first_use`` says that nobody is pinned yet, and that whatever evidence there is should be
    found, so that it can be.
    """

    attested_by: tuple[Identity, ...] = ()
    recorded: Recorded | None = None
    place: Place | None = None
    first_use: bool = False

    # --- where to look, and for what --------------------------------------------------------

    def rule(self, rule: ProjectRule | None, name: str) -> ProjectRule:
        """Say where evidence is looked for: where the policy's rule says, and beside that, where
        publishers' attestations lie. For a project without a rule it stands in for one.
        """
        if rule is None:
            return _stand_in(name)
        more = tuple(source for source in _SOURCES if source not in rule.sources)
        if not (self.attested_by or self.first_use):
            return rule
        return replace(rule, sources=(*rule.sources, *more))

    def trusts(self, distribution: Distribution, *, listed: bool) -> tuple[Trust, ...]:
        """Say what must verify beside what the policy asks for; nothing where nothing is pinned.

        For a project that no rule lists, those who were recorded stand for those who are pinned:
        nobody else asks who they are.
        """
        wanted = self.attested_by
        if (
            not wanted
            and not listed
            and self.recorded is not None
            and self._is_judged(distribution)
        ):
            wanted = self.recorded.identities
        if not wanted:
            return ()
        return (trust_in(wanted, distribution.filename, self.origin),)

    def binds(self, distribution: Distribution) -> bool:
        """Whether somebody must have vouched for it: without a file, nobody can have."""
        if self.attested_by:
            return True
        recorded = self.recorded
        named = recorded is not None and bool(recorded.identities or recorded.layout_keys)
        return named and self._is_judged(distribution)

    @property
    def origin(self) -> str:
        """Where it stands: ``pylock.toml:7``."""
        return "the lock" if self.place is None else f"{self.place.path.name}:{self.place.line}"

    @property
    def holds(self) -> str:
        """What is to be said of a pin that holds, for a project that no rule lists."""
        return f"attested by whom {self.origin} pins"

    # --- what was found -----------------------------------------------------------------------

    def check(self, distribution: Distribution, chain: SupplyChain, *, listed: bool = True) -> None:
        """Hold who vouches for a verified distribution against those who did before.

        Somebody new beside the others is no change, and neither is somebody who is missed when
        nobody is new: how many it takes is the policy's question. Of a project that no rule lists,
        there is no layout whose keys could be compared. Raises SignerChanged.
        """
        recorded = self.recorded
        if recorded is None or not self._is_judged(distribution):
            return
        before = list(map(publisher, recorded.identities))
        now = list(map(publisher, identities_of(chain.credentials)))
        if listed:
            before += _short(recorded.layout_keys)
            now += _short(chain.owner_keys)
        if _replaced(before, now):
            raise self._changed(distribution, _listed(before), _listed(now))

    def explained(self, error: EvidenceError, distribution: Distribution) -> EvidenceError:
        """Say of an error under one of :meth:`trusts` what it means for the pin."""
        if isinstance(error, IdentityMismatch):
            return self._changed(
                distribution,
                _listed(map(publisher, self._wanted), " or "),
                error.found,
                because=error.message,
            )
        if isinstance(error, EvidenceMissing | LinkMissing | PredicateMissing):
            missing = AttestationMissing(
                f"{self.origin} pins who attests {distribution.name}, and nobody attested this"
                " file",
                expected=f"an attestation by {_listed(map(publisher, self._wanted), ' or ')}",
                found=error.found,
            )
            return self.downgraded(missing, distribution)
        return error

    def downgraded(self, error: EvidenceError, distribution: Distribution) -> EvidenceError:
        """Say of missing evidence whether there was some before; otherwise ``error`` itself."""
        recorded = self.recorded
        if (
            not isinstance(error, EvidenceMissing)
            or recorded is None
            or not (recorded.identities or recorded.layout_keys)
            or not self._is_judged(distribution)
        ):
            return error
        by = [*map(publisher, recorded.identities), *_short(recorded.layout_keys)]
        return EvidenceDowngrade(
            f"{distribution.name} {recorded.version} came with evidence, and"
            f" {distribution.version} comes with none",
            expected=f"evidence, as {recorded.version} had it by {_listed(by)} ({self.origin})",
            found=error.found or error.message,
        )

    # --- parts ------------------------------------------------------------------------------

    @property
    def _wanted(self) -> tuple[Identity, ...]:
        return self.attested_by or (self.recorded.identities if self.recorded else ())

    def _is_judged(self, distribution: Distribution) -> bool:
        """Whether it is of the recorded version, or of a later one."""
        assert self.recorded is not None  # noqa: S101 - asked only where something is recorded
        return not is_older(distribution.version, self.recorded.version)

    def _changed(
        self, distribution: Distribution, before: str, now: str, *, because: str = ""
    ) -> SignerChanged:
        since = f" at {self.recorded.version}" if self.recorded else ""
        lock = "pylock.toml" if self.place is None else self.place.path.name
        return SignerChanged(
            f"somebody else vouches for {distribution.name} than {self.origin} pins"
            + (f": {because[:1].lower()}{because[1:]}" if because else ""),
            expected=f"{before}{since}",
            found=now,
            advice="Find out from the project whether it releases from elsewhere now. If so, accept"
            f" it with `pip-intoto lock {lock} --first-use {distribution.name}`; if not, do not"
            " install this file.",
        )


def pin_of(entry: Locked, *, first_use: bool = False) -> Pin | None:
    """Say what a lock pins of one entry; None where it says nothing of it."""
    if not (entry.attested_by or entry.recorded or first_use):
        return None
    return Pin(
        attested_by=entry.attested_by,
        recorded=entry.recorded,
        place=entry.place,
        first_use=first_use,
    )


# --- the layout that a pin amounts to -----------------------------------------------------------


def trust_in(identities: Sequence[Identity], filename: str, origin: str) -> Trust:
    """Trust any of ``identities`` to have published the file of this name."""
    # Imported here for start-up time: what knows of predicates is needed by such locks.
    from pip_intoto.policy.templates import compiled

    signers = tuple(
        NamedIdentity(name=publisher(each), identity=with_keyid(each), principal="", line=0)
        for each in identities
    )
    published = Requirement(
        name=_STEP, predicate_type=PUBLISH, signers=signers, threshold=1, conditions=(), line=0
    )
    own = compiled((published,), filename, origin)
    return Trust(owners=(), threshold=0, own_layout=own)


def _stand_in(name: str) -> ProjectRule:
    return ProjectRule(
        name=name,
        owners=(),
        threshold=0,
        index="",
        sources=_SOURCES,
        layout=None,
        layout_sha256=(),
        binds="",
        build="any",
        parameters={},
        parameters_in_sublayouts=False,
        inspections=(),
        shared_keys=False,
        line=0,
    )


# --- who signed ---------------------------------------------------------------------------------


def identity_of(credential: Credential) -> Identity:
    """Say by what the same signer would be known at the next release.

    A workflow is known by its repository and file, whatever it ran for; everybody else by who
    they are.
    """
    if credential.repository and credential.workflow:
        return Identity(
            keyid="",
            issuer=credential.issuer,
            repository=credential.repository,
            workflow=credential.workflow,
        )
    return Identity(keyid="", issuer=credential.issuer, subject=credential.subject)


def identities_of(credentials: Iterable[Credential]) -> tuple[Identity, ...]:
    """Say it of several, each once."""
    return tuple(dict.fromkeys(map(identity_of, credentials)))


def is_older(version: str, other: str) -> bool:
    """Whether a version comes before another; what is no version comes before none."""
    if version == other:
        return False
    # Imported here for start-up time: only what was recorded before is compared.
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) < Version(other)
    except InvalidVersion:
        return False


def _replaced(before: Iterable[str], now: Iterable[str]) -> bool:
    """Whether somebody vouches who did not, and somebody who did does not any more."""
    was, is_now = set(before), set(now)
    return not was <= is_now and not is_now <= was


def _short(keys: Iterable[str]) -> list[str]:
    return [f"key {key[:_SHORT]}" for key in keys]


def _listed(names: Iterable[str], joined: str = ", ") -> str:
    named = list(names)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return (joined.join(named[:_NAMED]) or "nobody") + more
