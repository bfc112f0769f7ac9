"""The evidence of one distribution, pooled over the places that its rule names, in order.

Nothing is asked for before it is needed: the next place only when what the earlier ones gave does
not verify, and the files of the directory form only by names that a verified layout gives.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from pip_intoto.errors import LayoutSignatureMissing, MetadataTooLarge
from pip_intoto.metadata.bundle import Document
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.policy import placeholders
from pip_intoto.policy.model import Beside, Folder, Pep740, Template, Tuf
from pip_intoto.sources import beside, folder, pep740, template
from pip_intoto.sources.finding import Finding, fault
from pip_intoto.verdict import Outcome, TraceEntry
from pip_intoto.verification.trust import Owner
from pip_intoto.verification.wording import short_keyid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.policy.model import HeldLayout, ProjectRule, Source, TufRepository
    from pip_intoto.sources.finding import Place
    from pip_intoto.sources.tuf import TufPlace
    from pip_intoto.verification.trust import Trust


class Search:
    """What has been found so far, and where else to look."""

    def __init__(
        self,
        rule: ProjectRule,
        distribution: Distribution,
        limits: Limits,
        repositories: Mapping[str, TufRepository] | None = None,
    ) -> None:
        self._limits = limits
        self._repositories = repositories or {}
        #: Who gives out the keys of the layout's owners; empty where the policy has them.
        self._owners_from = f"tuf:{rule.owners_from}" if rule.owners_from else ""
        self._distribution = distribution
        self._sources: list[Source] = list(rule.sources)
        self._places: list[Place] = []
        #: Places that were asked, and the names that each was asked for since.
        self._asked: list[tuple[Place, set[str]]] = []
        #: Those of them that are TUF repositories, and the keys that they were asked for.
        self._tuf: list[TufPlace] = []
        self._resolved: set[str] = set()
        self._seen: set[str] = set()
        #: What the sources gave.
        self.evidence: list[Document] = []
        #: What the consumer holds: it needs no source, and is no evidence that one has answered.
        self.held: tuple[Document, ...] = ()
        self.found = Finding()
        #: Keys of the layout's owners, where the repository that the rule names gave them.
        self.owner_keys: tuple[PublicKey, ...] = ()
        self.trace: list[TraceEntry] = []
        if rule.layout is not None:
            self.held = (_held(rule.layout, limits),)
            self.trace.append(
                TraceEntry(self.held[0].origin, Outcome.OK, "a layout held by the consumer")
            )

    @property
    def documents(self) -> tuple[Document, ...]:
        """Everything to verify with."""
        return (*self.held, *self.evidence)

    @property
    def gave_evidence(self) -> bool:
        """Whether any source has anything, be it readable or not."""
        return bool(self.evidence or self.found.faults)

    def settle(self, distribution: Distribution) -> None:
        """Take note of what is known only now: the digest, which templates may need."""
        self._distribution = distribution

    async def begin(self) -> None:
        """Look for the first evidence, as far as that is possible without the digest."""
        while not self.evidence and self._next_needs_no_digest():
            await self.widen()

    async def widen(self) -> bool:
        """Ask the next place; False when there is none left, or the caps are reached."""
        place = self._next_place()
        if place is None or self._full:
            return False
        finding = await place.find()
        self._take(finding)
        if any(place is each and each.origin == self._owners_from for each in self._tuf):
            self.owner_keys += finding.keys
        self._asked.append((place, set()))
        return True

    async def deepen(self, names: Iterable[str]) -> bool:
        """Ask every place asked so far for files of the directory form; False if none is new."""
        wanted = tuple(names)
        before = len(self.evidence)
        for place, already in self._asked:
            fresh = tuple(name for name in wanted if name not in already)
            already.update(fresh)
            if fresh and not self._full:
                self._take(await place.find_named(fresh))
        return len(self.evidence) > before

    async def resolve(self, targets: Iterable[str]) -> bool:
        """Ask for keys that a layout names as targets of TUF; False if that brings none."""
        before = len(self.found.managed)
        fresh = tuple(name for name in dict.fromkeys(targets) if name not in self._resolved)
        self._resolved.update(fresh)
        for place in self._tuf:
            if fresh and not self._full:
                self._take(await place.find_keys(fresh))
        return len(self.found.managed) > before

    def completed(self, trust: Trust) -> Trust | None:
        """Return ``trust`` with the keys that TUF gave out; None while there are no owners."""
        # The first source that gives a key under a name is the one that counts.
        trust = replace(trust, managed=dict(reversed(self.found.managed)))
        if not self._owners_from or trust.own_layout is not None:
            return trust
        owners = tuple(
            Owner(key, trust.principals.get(found) or f"key {short_keyid(key.keyid)}")
            for found, key in {identity(key): key for key in self.owner_keys}.items()
        )
        if not owners:
            return None
        parties = len({owner.principal for owner in owners})
        # Whoever has the repository's keys may have more projects there: the layout must say that
        # it speaks of this one.
        return replace(trust, owners=owners, threshold=trust.threshold or parties, shared_keys=True)

    def lacking(self, trust: Trust) -> LayoutSignatureMissing | None:
        """Say that there are layouts, and nobody who could have signed them, if that is so."""
        if self.found.unreachable or not self.evidence or self.completed(trust) is not None:
            return None
        return LayoutSignatureMissing(
            "the TUF repository gives out no keys of those who sign the layout",
            expected=f"public keys in {self._owners_from} that its top-level targets role lists",
            found="none that count",
        )

    @property
    def _full(self) -> bool:
        return (
            self.found.size > self._limits.evidence_bytes
            or len(self.evidence) > self._limits.documents
        )

    def _take(self, finding: Finding) -> None:
        self.found += finding
        self.trace += finding.trace
        for document in finding.documents:
            # The same document in two places is one: it must not use up the caps twice.
            if document.envelope.sha256 not in self._seen:
                self._seen.add(document.envelope.sha256)
                self.evidence.append(document)
        if self._full:
            error = MetadataTooLarge(
                "there is too much evidence for one distribution",
                expected=f"at most {self._limits.documents} documents and"
                f" {self._limits.evidence_bytes} bytes",
            )
            self.found += fault("evidence", error)

    def _next_needs_no_digest(self) -> bool:
        if self._places:
            return True
        if not self._sources:
            return False
        source = self._sources[0]
        if isinstance(source, Tuf):
            return False
        return not isinstance(source, Template) or not template.needs_digest(source.url)

    def _next_place(self) -> Place | None:
        while not self._places and self._sources:
            self._places += self._places_of(self._sources.pop(0))
        return self._places.pop(0) if self._places else None

    def _places_of(self, source: Source) -> Sequence[Place]:
        if isinstance(source, Beside):
            found = beside.places(self._distribution, self._limits, on_disk=source.on_disk)
            if not found:
                self.trace.append(
                    TraceEntry("beside", Outcome.NOTE, "the file has no address to look beside")
                )
            return found
        if isinstance(source, Pep740):
            return pep740.places(self._distribution, self._limits, on_disk=source.on_disk)
        if isinstance(source, Folder):
            return folder.places(source.path, self._distribution.filename, self._limits)
        if isinstance(source, Template):
            return template.places(
                source.url, placeholders.values_for(self._distribution), self._limits
            )
        return self._tuf_place(source.name)

    def _tuf_place(self, name: str) -> tuple[Place, ...]:
        repository = self._repositories.get(name)
        if repository is None:
            return ()
        # Imported here for start-up time: few policies name one.
        from pip_intoto.sources.tuf import TufPlace

        self._tuf.append(TufPlace(repository, self._distribution, self._limits))
        return (self._tuf[-1],)


def _held(layout: HeldLayout, limits: Limits) -> Document:
    return Document(
        envelope=parse_envelope(layout.content, limits=limits),
        origin=str(layout.path),
        hint=ROOT_LAYOUT,
    )


def held_sha256(layout: HeldLayout) -> str:
    """The digest that pins a layout which the consumer holds."""
    return sha256(layout.content).hexdigest()
