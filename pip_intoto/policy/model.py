"""The policy as values: projects, their owners, what they require, exceptions, what is revoked.

Everything here was checked when the file was read (:mod:`pip_intoto.policy.file`); nothing here
touches the disk or the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pip_intoto.metadata.keys import identities
from pip_intoto.policy import placeholders
from pip_intoto.verification.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path
    from typing import Literal, TypeAlias

    from packaging.specifiers import SpecifierSet

    from pip_intoto.distribution import Distribution
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.verification.trust import Owner, OwnerIdentity, OwnLayout

    Mode: TypeAlias = Literal["enforce", "warn"]
    Unlisted: TypeAlias = Literal["allow", "warn", "deny"]
    Build: TypeAlias = Literal["verified", "any", "never"]


# --- where evidence is looked for -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beside:
    """Beside the distribution itself: the bundle, then the directory form.

    ``on_disk`` leaves out what would have to be fetched.
    """

    on_disk: bool = False

    @property
    def spelled(self) -> str:
        """As the policy spells it."""
        return "beside"


@dataclass(frozen=True, slots=True)
class Template:
    """A URL with placeholders, none of them in scheme or authority."""

    url: str

    @property
    def spelled(self) -> str:
        """As the policy spells it."""
        return self.url


@dataclass(frozen=True, slots=True)
class Folder:
    """A local directory; ``path`` is absolute."""

    path: Path

    @property
    def spelled(self) -> str:
        """As messages spell it."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Pep740:
    """Provenance that the index names, and attestations beside the distribution (PEP 740).

    ``on_disk`` leaves out what would have to be fetched.
    """

    on_disk: bool = False

    @property
    def spelled(self) -> str:
        """As the policy spells it."""
        return "pep740"


@dataclass(frozen=True, slots=True)
class Tuf:
    """A TUF repository: ``[tuf.NAME]``."""

    name: str

    @property
    def spelled(self) -> str:
        """As the policy spells it."""
        return f"tuf:{self.name}"


if TYPE_CHECKING:
    Source: TypeAlias = Beside | Template | Folder | Pep740 | Tuf


# --- the parts ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey:
    """One entry of ``[keys]``. ``identity`` is the key's own, whatever its name."""

    name: str
    key: PublicKey
    identity: str
    principal: str
    #: None when the key stands in the policy itself.
    path: Path | None
    line: int

    @property
    def identities(self) -> tuple[str, ...]:
        """Its own identity, and those of its subkeys, which are its holder's as well (K6)."""
        return identities(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedIdentity:
    """One entry of ``[identities]``."""

    name: str
    identity: Identity
    principal: str
    line: int


if TYPE_CHECKING:
    Signer: TypeAlias = NamedKey | NamedIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One entry of a project's ``require``: an attestation that must be there.

    ``name`` becomes the name of a step. ``threshold`` of the principals behind ``signers`` must
    have signed a statement with this ``predicate_type``, of which all ``conditions`` (CEL) hold.
    """

    name: str
    predicate_type: str
    signers: tuple[Signer, ...]
    threshold: int
    conditions: tuple[str, ...]
    line: int

    @property
    def keys(self) -> Mapping[str, PublicKey]:
        """The signers' keys, by keyid."""
        keys = [each.key for each in self.signers if isinstance(each, NamedKey)]
        return {key.keyid: key for key in keys}

    @property
    def identities(self) -> Mapping[str, Identity]:
        """The signers' identities, by keyid."""
        found = [each.identity for each in self.signers if isinstance(each, NamedIdentity)]
        return {identity.keyid: identity for identity in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class TufRepository:
    """One entry of ``[tuf]``: ``root`` is the content of the trusted root's file.

    ``metadata`` and ``targets`` are URLs that end with a slash. ``target`` is the name of the
    distribution among the targets, with placeholders.
    """

    name: str
    root: bytes
    metadata: str
    targets: str
    target: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLayout:
    """A layout that the consumer holds, as it was read together with the policy."""

    path: Path
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRule:
    """One ``[[project]]``: who must have signed what for the projects that ``name`` covers.

    ``name`` is a PEP 503 name, or a prefix with one trailing ``*``. ``threshold`` counts
    principals. ``index`` is empty where any index will do, ``binds`` where the last step binds.
    ``shared_keys`` says that a layout key also serves another project.
    """

    name: str
    owners: tuple[Owner, ...]
    threshold: int
    index: str
    sources: tuple[Source, ...]
    layout: HeldLayout | None
    layout_sha256: tuple[str, ...]
    binds: str
    build: Build
    parameters: Mapping[str, str]
    parameters_in_sublayouts: bool
    inspections: tuple[tuple[str, ...], ...]
    shared_keys: bool
    line: int
    #: Identities that sign layouts, beside the keys in ``owners``.
    owner_identities: tuple[OwnerIdentity, ...] = ()
    #: The ``[tuf]`` repository that gives out the owners' keys; the ``threshold`` is then 0 where
    #: all of those must have signed.
    owners_from: str = ""
    #: A layout that the consumer holds, and nobody needs to have signed.
    own_layout: OwnLayout | None = None
    requirements: tuple[Requirement, ...] = ()

    @property
    def is_signed(self) -> bool:
        """Whether a layout that others signed is asked for."""
        return bool(self.owners or self.owner_identities or self.owners_from)

    @property
    def principals(self) -> tuple[str, ...]:
        """Who is named as signing layouts, each once."""
        keys = [owner.principal for owner in self.owners]
        others = [owner.principal for owner in self.owner_identities]
        return tuple(dict.fromkeys([*keys, *others]))

    @property
    def is_glob(self) -> bool:
        """Whether the name stands for every project that begins like it."""
        return self.name.endswith("*")

    def covers(self, name: str) -> bool:
        """Whether the rule is about the project with this PEP 503 name."""
        if self.is_glob:
            return name.startswith(self.name[:-1])
        return name == self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyException:
    """One ``[[exception]]``: what is let through although it does not verify.

    ``version`` is None where every version is meant. An empty ``waives`` waives the whole
    verification; otherwise only failures with these reason codes are waived. ``expires`` is the
    last day (UTC) on which it holds.
    """

    project: str
    version: SpecifierSet | None
    sha256: tuple[str, ...]
    waives: tuple[str, ...]
    reason: str
    owner: str
    expires: date
    line: int

    def covers(self, distribution: Distribution) -> bool:
        """Whether it is about this distribution, be it expired or not.

        A digest that is not known yet is in no list.
        """
        if distribution.name != self.project:
            return False
        if self.sha256 and distribution.sha256 not in self.sha256:
            return False
        if self.version is None:
            return True
        # Imported here for start-up time: most policies have no exception for the project.
        from packaging.version import InvalidVersion, Version

        try:
            version = Version(distribution.version)
        except InvalidVersion:
            return False
        return self.version.contains(version, prereleases=True)

    def holds(self, today: date) -> bool:
        """Whether it has not expired."""
        return today <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedIdentity:
    """One ``[[revoked]]``: whoever satisfies this identity counts for nothing, in whatever role."""

    identity: Identity
    reason: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One ``[[revoked]]``: a key that counts for nothing, in whatever role or spelling."""

    identity: str
    key: PublicKey
    reason: str
    line: int

    @property
    def identities(self) -> tuple[str, ...]:
        """Its own identity, and those of its subkeys, which it takes with it (K6)."""
        return identities(self.key)


# --- the whole ------------------------------------------------------------------------------


# Without slots, so that what follows from the rules can be worked out once.
@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the consumer decided. ``sha256`` is over exactly the bytes that were read.

    ``files`` are all files that it rests on, absolute: the policy, its keys, its layouts.
    """

    path: Path
    sha256: str
    mode: Mode
    unlisted: Unlisted
    keys: Mapping[str, NamedKey]
    projects: tuple[ProjectRule, ...]
    exceptions: tuple[PolicyException, ...]
    revoked: tuple[Revoked, ...]
    files: tuple[Path, ...]
    identities: Mapping[str, NamedIdentity] = field(default_factory=dict)
    revoked_identities: tuple[RevokedIdentity, ...] = ()
    #: The content of ``[sigstore] trust-root``; None for what the sigstore package brings along.
    trust_root: bytes | None = None
    tuf: Mapping[str, TufRepository] = field(default_factory=dict)

    def rule_for(self, name: str) -> ProjectRule | None:
        """Find the rule for a PEP 503 name: exact beats glob, the longer glob the shorter."""
        exact = self._exact_rules.get(name)
        if exact is not None:
            return exact
        globs = self._globs
        return next(
            (
                globs[name[:length]]
                for length in self._glob_lengths
                if length <= len(name) and name[:length] in globs
            ),
            None,
        )

    def exception_for(self, distribution: Distribution, today: date) -> PolicyException | None:
        """Find the exception in force: what waives everything before what waives a part."""
        covering = [
            exception
            for exception in self._exceptions_of.get(distribution.name, ())
            if exception.holds(today) and exception.covers(distribution)
        ]
        return min(covering, key=lambda exception: bool(exception.waives), default=None)

    def expired_exception_for(
        self, distribution: Distribution, today: date
    ) -> PolicyException | None:
        """Find the exception that would cover it, had it not expired: the latest of them."""
        expired = [
            exception
            for exception in self._exceptions_of.get(distribution.name, ())
            if not exception.holds(today) and exception.covers(distribution)
        ]
        return max(expired, key=lambda exception: exception.expires, default=None)

    def trusts_for(self, rule: ProjectRule, distribution: Distribution) -> tuple[Trust, ...]:
        """Say what verification must hold the distribution's evidence against: each of these.

        First come layouts that others signed, then the one that the consumer holds, then what
        the rule requires besides.
        """
        signed = self.trust_for(rule, distribution)
        trusts = [signed] if rule.is_signed else []
        own = replace(
            signed,
            owners=(),
            owner_identities=(),
            threshold=0,
            shared_keys=False,
            layout_sha256=(),
        )
        if rule.own_layout is not None:
            trusts.append(replace(own, own_layout=rule.own_layout))
        if rule.requirements:
            # Imported here for start-up time: what knows of predicates is needed by such rules.
            from pip_intoto.policy import templates

            line = rule.requirements[0].line
            trusts.append(
                replace(
                    own,
                    own_layout=templates.compiled(
                        rule.requirements, distribution.filename, f"{self.path.name}:{line}"
                    ),
                    # These are about layouts of others: this one names its file, and no command.
                    parameters={},
                    binds="",
                    allowed_commands=(),
                )
            )
        return tuple(trusts)

    def trust_for(self, rule: ProjectRule, distribution: Distribution) -> Trust:
        """Say what verification must hold the distribution's evidence against.

        A parameter that waits for the file's digest is missing until the digest is known, so that
        a layout which needs it does not verify before.
        """
        values = placeholders.values_for(distribution)
        return Trust(
            owners=rule.owners,
            threshold=rule.threshold,
            layout_sha256=rule.layout_sha256,
            revoked=self._revoked_identities,
            principals=self._principals,
            parameters={
                name: placeholders.fill(value, values)
                for name, value in rule.parameters.items()
                if values.keys() >= set(placeholders.names_in(value))
            },
            parameters_in_sublayouts=rule.parameters_in_sublayouts,
            binds=rule.binds,
            shared_keys=rule.shared_keys,
            allowed_commands=rule.inspections,
            owner_identities=rule.owner_identities,
            identities=self._parties,
            revoked_identities=self._refused,
        )

    # A policy may list thousands of projects, each with keys of its own, and is asked for each.

    @cached_property
    def _exact_rules(self) -> dict[str, ProjectRule]:
        return {rule.name: rule for rule in self.projects if not rule.is_glob}

    @cached_property
    def _globs(self) -> dict[str, ProjectRule]:
        return {rule.name[:-1]: rule for rule in self.projects if rule.is_glob}

    @cached_property
    def _glob_lengths(self) -> list[int]:
        return sorted({len(prefix) for prefix in self._globs}, reverse=True)

    @cached_property
    def _exceptions_of(self) -> dict[str, list[PolicyException]]:
        found: dict[str, list[PolicyException]] = {}
        for exception in self.exceptions:
            found.setdefault(exception.project, []).append(exception)
        return found

    @cached_property
    def _revoked_identities(self) -> frozenset[str]:
        return frozenset(each for revoked in self.revoked for each in revoked.identities)

    @cached_property
    def _principals(self) -> dict[str, str]:
        return {each: key.principal for key in self.keys.values() for each in key.identities}

    @cached_property
    def _parties(self) -> dict[Identity, str]:
        return {each.identity: each.principal for each in self.identities.values()}

    @cached_property
    def _refused(self) -> tuple[Identity, ...]:
        return tuple(each.identity for each in self.revoked_identities)
