"""The evidence of one distribution, pooled over the places that its rule names, in order.

Nothing is asked for before it is needed: the next place only when what the earlier ones gave does
not verify, and the files of the directory form only by names that a verified layout gives.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from pip_intoto.errors import MetadataTooLarge
from pip_intoto.metadata.bundle import Document
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.policy import placeholders
from pip_intoto.policy.model import Beside, Folder, Template
from pip_intoto.sources import beside, folder, template
from pip_intoto.sources.finding import Finding, fault
from pip_intoto.verdict import Outcome, TraceEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import HeldLayout, ProjectRule, Source
    from pip_intoto.sources.finding import Place


class Search:
    """What has been found so far, and where else to look."""

    def __init__(self, rule: ProjectRule, distribution: Distribution, limits: Limits) -> None:
        self._limits = limits
        self._distribution = distribution
        self._sources: list[Source] = list(rule.sources)
        self._places: list[Place] = []
        #: Places that were asked, and the names that each was asked for since.
        self._asked: list[tuple[Place, set[str]]] = []
        self._seen: set[str] = set()
        #: What the sources gave.
        self.evidence: list[Document] = []
        #: What the consumer holds: it needs no source, and is no evidence that one has answered.
        self.held: tuple[Document, ...] = ()
        self.found = Finding()
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
        self._take(await place.find())
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
        if isinstance(source, Folder):
            return folder.places(source.path, self._distribution.filename, self._limits)
        if isinstance(source, Template):
            return template.places(
                source.url, placeholders.values_for(self._distribution), self._limits
            )
        return ()


def _held(layout: HeldLayout, limits: Limits) -> Document:
    return Document(
        envelope=parse_envelope(layout.content, limits=limits),
        origin=str(layout.path),
        hint=ROOT_LAYOUT,
    )


def held_sha256(layout: HeldLayout) -> str:
    """The digest that pins a layout which the consumer holds."""
    return sha256(layout.content).hexdigest()
