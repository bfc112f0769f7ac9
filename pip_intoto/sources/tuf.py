"""Evidence from a TUF repository: ``tuf:NAME`` in the policy (ITE-2, ITE-3).

The repository lists the distribution, with its digests, and in the target's custom metadata the
in-toto metadata that goes with it. Two forms are understood::

    "custom": {"in-toto": ["demo/root.layout", "demo/build.1a2b3c4d.link"]}
    "custom": {"in-toto": {"layout": ["demo/root.layout"], "links": [...], "pubkeys": [...]}}

The first is ITE-2's, where the layout's own target lists the public keys of its owners in the same
way. All of these are targets of the repository themselves, with digests and lengths that are held
against what arrives.

What a key signs is decided by whoever lists it. A role for new releases has a key on a server, and
must not be able to introduce owners; so keys count only where the top-level targets role itself
lists them, and itself names them: ITE-2 has it sign "all of the public keys used to verify each
version of the root layout".

What the repository has shown is kept from run to run (:mod:`pip_intoto.sources.tuf_state`): without
that, an older state, signed and not expired, could not be told from the current one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pip_intoto.errors import (
    ArtifactDigestMismatch,
    EvidenceInvalid,
    MetadataTooLarge,
    TufInvalid,
    TufUnavailable,
    UnusableKey,
)
from pip_intoto.metadata.keys import identity, load_public
from pip_intoto.metadata.names import LINK_SUFFIX
from pip_intoto.metadata.node import shown
from pip_intoto.policy import placeholders
from pip_intoto.sources.fetching import Fetches
from pip_intoto.sources.finding import (
    Finding,
    fault,
    nothing_at,
    read_bundle,
    read_document,
    unreachable,
)
from pip_intoto.sources.tuf_state import State
from pip_intoto.verdict import Outcome, TraceEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.policy.model import TufRepository
    from pip_intoto.sources.tuf_client import Session, Target, View

    T = TypeVar("T")

_MEMBERS = {"layout": True, "links": True, "pubkeys": False}
#: What the end of a target's name says of it.
_BUNDLE = ".jsonl"
_KEY = ".pub"


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the repository lists for a distribution, and what it holds; None where it is unknown."""

    version: int
    documents: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class TufPlace:
    """One TUF repository, asked about one distribution."""

    def __init__(
        self,
        repository: TufRepository,
        distribution: Distribution,
        limits: Limits,
        state: State | None = None,
    ) -> None:
        self._repository = repository
        self._distribution = distribution
        self._limits = limits
        self._state = State(repository, limits) if state is None else state
        self._session: Session | None = None
        self._target = placeholders.fill(repository.target, placeholders.values_for(distribution))
        self.origin = f"tuf:{repository.name}"

    async def find(self) -> Finding:
        """Fetch what the repository lists for the distribution."""
        return await self._asked(self._list, self._found)

    async def find_named(self, names: Sequence[str]) -> Finding:  # noqa: ARG002
        """Nothing more: the repository lists the whole evidence of a file."""
        return Finding()

    async def find_keys(self, targets: Sequence[str]) -> Finding:
        """Fetch the keys of functionaries that a verified layout names as targets."""
        wanted = tuple(dict.fromkeys(targets))[: self._limits.keys]

        def listed(view: View) -> _Listed:
            notes: list[str] = []
            found = [self._key(view, name, notes) for name in wanted]
            keys = view.contents(each for each in found if each is not None)
            return _Listed(view.version, keys=keys, notes=tuple(notes))

        def read(listed: _Listed) -> Finding:
            keys, notes = self._read_keys(listed)
            return Finding(
                managed=tuple(keys.items()), trace=notes, size=sum(map(len, listed.keys.values()))
            )

        return await self._asked(listed, read)

    # --- asking -----------------------------------------------------------------------------

    async def _asked(self, work: Callable[[View], T], read: Callable[[T], Finding]) -> Finding:
        """Do ``work`` with the repository, and say what came of it."""
        try:
            # Imported here for start-up time: python-tuf is needed where a policy names it.
            from pip_intoto.sources.tuf_client import Absent, Session, Unreachable, Wanted, newer
        except ImportError:
            return fault(
                self.origin,
                TufUnavailable(
                    "the policy names a TUF repository, and python-tuf is not installed"
                ),
            )
        session = self._session = self._session or Session(
            self._repository, self._state.load(), self._limits
        )
        try:
            while True:
                outcome = session.look(work)
                if not isinstance(outcome, Wanted):
                    return read(outcome) + self._notes()
                wanted = tuple({fetch.url: fetch for fetch in outcome.fetches}.values())
                answers = await Fetches(wanted)
                for fetch, answer in zip(wanted, answers, strict=True):
                    session.answers[fetch.url] = answer
                self._check_amount(session)
        except Absent as error:
            return nothing_at(f"{self.origin} ({error})")
        except Unreachable as error:
            return unreachable(self.origin, str(error))
        except EvidenceInvalid as error:
            return fault(self.origin, error)
        except OSError as error:
            return unreachable(self.origin, f"there is no room to work: {error.strerror or error}")
        finally:
            # Whatever came of it: what was verified has been seen.
            self._state.keep(session.kept, newer)

    def _notes(self) -> Finding:
        notes = []
        if self._state.is_lost:
            notes.append(
                "what it showed before cannot be read, so that an older state would not be noticed"
            )
        if self._state.trouble:
            notes.append(
                "what it shows is not kept, so that an older state would not be noticed at the next"
                f" run: {self._state.trouble}"
            )
        return Finding(trace=tuple(TraceEntry(self.origin, Outcome.NOTE, each) for each in notes))

    def _check_amount(self, session: Session) -> None:
        size = sum(len(answer.body) for answer in session.answers.values())
        limits = self._limits
        if size > limits.evidence_bytes or len(session.answers) > limits.fetches:
            raise MetadataTooLarge(
                "the TUF repository has too much for one distribution",
                expected=f"at most {limits.evidence_bytes} bytes in {limits.fetches} requests",
                place=self.origin,
            )

    # --- what is listed ---------------------------------------------------------------------

    def _list(self, view: View) -> _Listed | None:
        """Everything that the repository lists for the distribution; None if it knows no such."""
        target = view.target(self._target)
        if target is None:
            return None
        self._check_file(target)
        documents, keys = self._names_in(target)
        notes: list[str] = []
        owners: dict[str, Target] = {}
        listed: list[Target] = []
        named = [(target, name) for name in keys]
        for name in documents:
            if name.endswith(_KEY):
                named.append((target, name))
                continue
            found = self._listed(view, name)
            listed.append(found)
            if not name.endswith(LINK_SUFFIX):
                named += [(found, key) for each in self._names_in(found) for key in each]
        for by, name in named:
            key = self._key(view, name, notes, named_by=by)
            if key is not None:
                owners[key.name] = key
        self._check_lengths([*listed, *owners.values()])
        contents = view.contents([*listed, *owners.values()])
        return _Listed(
            view.version,
            documents={each.name: contents[each.name] for each in listed},
            keys={name: contents[name] for name in owners},
            notes=tuple(notes),
        )

    def _check_file(self, target: Target) -> None:
        """Hold the file in hand against what the repository lists."""
        distribution = self._distribution
        if not target.sha256:
            raise TufInvalid(
                "the TUF repository lists the file without a sha256",
                expected="a sha256 among the digests of each target",
                place=f"{self.origin} {target.name}",
            )
        if target.sha256 != distribution.sha256:
            raise ArtifactDigestMismatch(
                "the TUF repository lists another file of this name",
                expected=f"sha256 {target.sha256}",
                found=f"sha256 {distribution.sha256}",
                place=f"{self.origin} {target.name}",
            )
        size = None if distribution.path is None else distribution.path.stat().st_size
        if size is not None and size != target.length:
            raise ArtifactDigestMismatch(
                "the TUF repository lists the file with another length",
                expected=f"{target.length} bytes",
                found=f"{size} bytes",
                place=f"{self.origin} {target.name}",
            )

    def _names_in(self, target: Target) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The targets that hold in-toto metadata, and those that hold keys. Raises TufInvalid."""
        listed = target.in_toto
        if listed is None:
            return (), ()
        if not isinstance(listed, dict):
            return self._names(listed, target), ()
        documents: list[str] = []
        keys: list[str] = []
        for member, of_documents in _MEMBERS.items():
            value = listed.get(member, [])
            # One layout is usual.
            names = self._names([value] if isinstance(value, str) else value, target)
            (documents if of_documents else keys).extend(names)
        return tuple(documents), tuple(keys)

    def _names(self, value: object, target: Target) -> tuple[str, ...]:
        names = value if isinstance(value, list) else None
        if names is None or not all(
            isinstance(name, str) and 0 < len(name) <= self._limits.text for name in names
        ):
            raise TufInvalid(
                "the TUF repository lists in-toto metadata in a form that is not understood",
                expected='"in-toto": a list of targets, or an object with such lists as "layout",'
                ' "links" and "pubkeys"',
                found=shown(value),
                place=f"{self.origin} {target.name}",
            )
        if len(names) > self._limits.documents:
            raise MetadataTooLarge(
                "the TUF repository lists too many documents for one distribution",
                expected=f"at most {self._limits.documents}",
                found=str(len(names)),
                place=f"{self.origin} {target.name}",
            )
        return tuple(dict.fromkeys(names))

    def _listed(self, view: View, name: str) -> Target:
        found = view.target(name)
        if found is None:
            raise TufInvalid(
                "the TUF repository names in-toto metadata that it does not list",
                expected=f"{shown(name)} among its targets",
                place=f"{self.origin} {self._target}",
            )
        return found

    def _key(
        self, view: View, name: str, notes: list[str], *, named_by: Target | None = None
    ) -> Target | None:
        """The target of a key that counts; None, and a note, of one that does not."""
        found = view.target(name)
        if found is None:
            notes.append(f"it does not list the key {shown(name)}")
        elif not found.by_top:
            notes.append(
                f"the key {shown(name)} does not count: the top-level targets role does not list it"
            )
        elif named_by is not None and not named_by.by_top:
            notes.append(
                f"the key {shown(name)} does not count: {shown(named_by.name)}, which names it, is"
                " not listed by the top-level targets role"
            )
        elif found.length > self._limits.key_bytes:
            notes.append(f"the key {shown(name)} is too large")
        else:
            return found
        return None

    def _check_lengths(self, targets: Iterable[Target]) -> None:
        for target in targets:
            cap = self._cap(target.name)
            if target.length > cap:
                raise MetadataTooLarge(
                    "the TUF repository lists a document that is larger than anything that is read",
                    expected=f"at most {cap} bytes",
                    found=f"{target.length} bytes",
                    place=f"{self.origin} {target.name}",
                )

    def _cap(self, name: str) -> int:
        limits = self._limits
        return limits.bundle_bytes if name.endswith(_BUNDLE) else limits.document_bytes

    # --- what it amounts to -----------------------------------------------------------------

    def _found(self, listed: _Listed | None) -> Finding:
        where = f"{self.origin} {self._target}"
        if listed is None:
            return nothing_at(where)
        if not listed.documents and not listed.keys:
            return nothing_at(f"{where} (which it lists, and no in-toto metadata for it)")
        keys, notes = self._read_keys(listed)
        detail = f"lists the file with this digest (timestamp {listed.version})"
        found = Finding(
            keys=tuple(keys.values()),
            trace=(TraceEntry(where, Outcome.OK, detail), *notes),
            size=sum(map(len, listed.keys.values())),
        )
        for name, content in listed.documents.items():
            origin = f"{self.origin} {name}"
            if name.endswith(_BUNDLE):
                found += read_bundle(content, origin=origin, limits=self._limits)
            else:
                hint = name.rpartition("/")[2]
                found += read_document(content, origin=origin, name=hint, limits=self._limits)
        return found

    def _read_keys(self, listed: _Listed) -> tuple[dict[str, PublicKey], tuple[TraceEntry, ...]]:
        keys: dict[str, PublicKey] = {}
        notes = [TraceEntry(self.origin, Outcome.NOTE, note) for note in listed.notes]
        for name, content in listed.keys.items():
            try:
                key = load_public(content, limits=self._limits)
                # Some are found out only when they are used.
                identity(key)
                keys[name] = key
            except UnusableKey as error:
                detail = f"the key {shown(name)} cannot be used: {error.message}"
                notes.append(TraceEntry(self.origin, Outcome.NOTE, detail))
        return keys, tuple(notes)
