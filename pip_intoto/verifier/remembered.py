"""Verdicts that were reached before, for as long as everything that they rest on is the same.

Only "verified" is remembered: every other verdict may change for the better at any moment, and
whoever has just mended something is to see it. A remembered verdict is found under a digest of

- the file: its name, version, filename and sha256, and where it comes from;
- the policy, as it was read: every rule, owner and threshold, the material of every key, the
  content of every layout that the consumer holds, every exception and revocation;
- the limits, this package's version, and the form of what is kept here.

It counts only while

- each address that gave evidence is known, by a record that is still fresh, to have last sent
  exactly what the verdict was reached with;
- sigstore-python brings along the trust root that it did, where the policy names none and
  somebody is known by an identity;
- none of its layouts has expired, and it is no older than ``verdict_fresh_seconds``;
- its time does not lie in the future;
- it carries a code that only somebody with this user's secret can make.

Absent evidence does not matter: what is added to the evidence of something verified does not make
it worse. Not remembered is what rests on OpenPGP keys or certificates, which end by clocks of
their own; on files of this machine, which nobody has to ask for; on commands that the policy
allows, which may say something else tomorrow; or on an exception.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import threading
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from pip_intoto import __version__, files
from pip_intoto.credential import Credential
from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.envelope import parse_envelope, read_payload
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.node import Node
from pip_intoto.policy.model import Folder
from pip_intoto.shelf import Shelf
from pip_intoto.sources.addresses import is_web
from pip_intoto.sources.remembering import Remembering, name_of
from pip_intoto.verdict import Action, Outcome, Station, Status, SupplyChain, TraceEntry, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pip_intoto.distribution import Distribution
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.policy.model import Policy, ProjectRule
    from pip_intoto.sources.fetching import Fetch, FetchMany, Response

#: Rises when an entry means something else, or is reached otherwise.
_SCHEMA = 3
_OK = 200
_SECRET_BYTES = 32
_SECRET = re.compile(rb"[0-9a-f]{64}\n")
_CODE_LENGTH = 64
_OTHERS = 0o077


class Memory(Protocol):
    """What remembers verdicts. Safe to use from several threads; neither call ever raises."""

    def get(self, distribution: Distribution) -> Verdict | None:
        """Return the verdict about this distribution, if it would be the same today."""
        ...

    def put(self, verdict: Verdict, witness: Witness) -> None:
        """Remember a verdict that was just reached, or forget the one before it."""
        ...


@dataclass(slots=True)
class Witness:
    """Sees what one verdict is reached with: it carries out the requests, and is told the rest.

    ``sent`` has the digest of what each address sent, by its name; ``documents`` the evidence.
    """

    driver: FetchMany
    sent: dict[str, str] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()

    def fetch_many(self, fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        """Answer every fetch, in order."""
        responses = self.driver(fetches)
        for fetch, response in zip(fetches, responses, strict=True):
            if response.status == _OK and not response.too_large:
                self.sent[name_of(fetch)] = hashlib.sha256(response.body).hexdigest()
        return responses

    def found(self, documents: tuple[Document, ...]) -> None:
        """Take note of the evidence."""
        self.documents = documents


class Remembered:
    """The verdicts of one policy.

    ``secret`` authenticates what is kept. ``current`` gives the digest of what an address last
    sent, by its name; None where that has to be asked anew. Without ``recalls``, everything is
    decided anew, and remembered.
    """

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        secret: bytes,
        current: Callable[[str], str | None],
        *,
        recalls: bool = True,
        limits: Limits = DEFAULT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        shelf = (limits.verdict_cache_bytes, limits.verdict_cache_entries)
        self._shelf = Shelf(folder, most_bytes=shelf[0], most_entries=shelf[1])
        self._policy = policy
        self._secret = secret
        self._current = current
        self._recalls = recalls
        self._limits = limits
        self._clock = clock
        # Of the policy in memory, and not of the files it came from: they may have changed since.
        # All of it is values, whose representations say everything.
        self._common = _digest(repr(policy), repr(limits), __version__, str(_SCHEMA))
        #: How many verdicts were recalled.
        self.recalled = 0
        self._lock = threading.Lock()
        #: When the layouts that were looked into expire, by digest; None for what is none.
        self._expiry: dict[str, datetime | None] = {}

    @property
    def trouble(self) -> str:
        """Why nothing is remembered; empty while all is well."""
        return self._shelf.trouble

    def close(self) -> None:
        """Bring what is kept back to its size."""
        self._shelf.close()

    def get(self, distribution: Distribution) -> Verdict | None:
        """Return the verdict about this distribution, if it would be the same today."""
        if not self._recalls or distribution.sha256 is None:
            return None
        key = self._key(distribution)
        data = self._shelf.get(key, self._limits.verdict_bytes)
        if data is None:
            return None
        code, content = data[:_CODE_LENGTH], data[_CODE_LENGTH:]
        if not hmac.compare_digest(code, self._code(key, content)):
            return None
        try:
            entry = Node(strict_json.parse(content, limits=self._limits))
            now = int(self._clock())
            if not entry.member("made").integer() <= now < entry.member("until").integer():
                return None
            root = entry.member("trust_root").string()
            if root and root != _embedded_trust_root():
                return None
            for name, sha256 in entry.member("evidence").items():
                if self._current(name) != sha256.string():
                    return None
            verdict = _verdict(entry, distribution)
        except (EvidenceInvalid, ValueError, KeyError):
            return None
        with self._lock:
            self.recalled += 1
        return verdict

    def put(self, verdict: Verdict, witness: Witness) -> None:
        """Remember a verdict that was just reached, or forget the one before it."""
        if verdict.distribution.sha256 is None:
            return
        key = self._key(verdict.distribution)
        until = self._until(verdict, witness)
        if until is None:
            self._shelf.drop(key)
            return
        # The policy's own is a part of the policy.
        embedded = self._policy.trust_root is None and _rests_on_identities(verdict)
        root = _embedded_trust_root() if embedded else ""
        if embedded and not root:
            self._shelf.drop(key)
            return
        entry = {
            "made": int(self._clock()),
            "until": until,
            "evidence": witness.sent,
            "trust_root": root,
            **_written(verdict),
        }
        # Text that is no Unicode does not occur in what was made presentable.
        content = json.dumps(entry, separators=(",", ":")).encode("ascii")
        if len(content) + _CODE_LENGTH <= self._limits.verdict_bytes:
            self._shelf.put(key, self._code(key, content) + content)

    # --- what it is found under -------------------------------------------------------------

    def _key(self, distribution: Distribution) -> str:
        address = (distribution.url or "").partition("#")[0].partition("?")[0]
        return _digest(
            self._common,
            distribution.name,
            distribution.version,
            distribution.filename,
            distribution.kind.value,
            distribution.sha256 or "",
            # Evidence is looked for beside it; a query is no part of that.
            address,
            distribution.index or "",
            distribution.building_for,
        )

    def _code(self, key: str, content: bytes) -> bytes:
        return hmac.digest(self._secret, key.encode("ascii") + content, "sha256").hex().encode()

    # --- whether, and for how long ----------------------------------------------------------

    def _until(self, verdict: Verdict, witness: Witness) -> int | None:
        """Return the second (since 1970) at which it counts no more; None if it never does."""
        chain = verdict.chain
        rule = self._policy.rule_for(verdict.distribution.name)
        if (
            (verdict.status, verdict.action) != (Status.VERIFIED, Action.PASS)
            or verdict.exception is not None
            or chain is None
            or rule is None
            or not _asks_only_the_web(rule, verdict.distribution)
            or not witness.sent
        ):
            return None
        # What nobody remembers could not be compared with anything later.
        if any(self._current(name) != sha256 for name, sha256 in witness.sent.items()):
            return None
        found = {document.envelope.sha256: document.envelope for document in witness.documents}
        try:
            if rule.layout is not None:
                held = parse_envelope(rule.layout.content, limits=self._limits)
                found[held.sha256] = held
            rests_on = {sha256: found[sha256] for sha256 in chain.documents}
            # One that nobody has signed is part of the policy.
            root = (found[chain.layout_sha256],) if rule.is_signed else ()
            if any(map(_ends_otherwise, (*root, *rests_on.values()))):
                return None
            # When the layout itself ends, the verdict says.
            expiries = [self._expires(envelope) for envelope in rests_on.values()]
        except (EvidenceInvalid, KeyError):
            return None
        ends = [chain.expires, *(expires for expires in expiries if expires is not None)]
        now = int(self._clock())
        until = min(now + self._limits.verdict_fresh_seconds, *(int(e.timestamp()) for e in ends))
        return until if until > now else None

    def _expires(self, envelope: Envelope) -> datetime | None:
        """Return when a document of the chain expires, which signatures were good for (E5)."""
        if not envelope.may_be_layout:
            return None
        if envelope.sha256 not in self._expiry:
            payload = read_payload(envelope, limits=self._limits)
            self._expiry[envelope.sha256] = payload.expires if isinstance(payload, Layout) else None
        return self._expiry[envelope.sha256]


def _asks_only_the_web(rule: ProjectRule, distribution: Distribution) -> bool:
    """Whether all that the rule has looked at is requests, which are compared."""
    return (
        not rule.inspections
        and distribution.url is not None
        and is_web(distribution.url)
        and not any(isinstance(source, Folder) for source in rule.sources)
    )


def _rests_on_identities(verdict: Verdict) -> bool:
    return verdict.chain is not None and bool(verdict.chain.credentials)


def _embedded_trust_root() -> str:
    # Imported here for start-up time: few verdicts rest on identities.
    from pip_intoto.verifier.authenticating import embedded_sha256

    return embedded_sha256()


def _ends_otherwise(envelope: Envelope) -> bool:
    """Whether a signature may end by the clock of its key or certificate."""
    return any(each.certificate or each.openpgp is not None for each in envelope.signatures)


def _digest(*parts: str) -> str:
    # As JSON, so that no two lists of parts look alike.
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()


# --- verdicts as JSON -----------------------------------------------------------------------


def _written(verdict: Verdict) -> dict[str, object]:
    chain = verdict.chain
    assert chain is not None  # noqa: S101 - only such verdicts are remembered
    return {
        "summary": verdict.summary,
        "trace": [[entry.what, entry.outcome.value, entry.detail] for entry in verdict.trace],
        "chain": {
            "layout": chain.layout_sha256,
            "owners": chain.owners,
            "expires": _spelled(chain.expires),
            "documents": chain.documents,
            "binding": chain.binding,
            "owner_keys": chain.owner_keys,
        },
        "credentials": [
            {**asdict(credential), "signed_at": _spelled(credential.signed_at)}
            for credential in chain.credentials
        ],
        "stations": [
            {
                "name": station.name,
                "is_inspection": station.is_inspection,
                "functionaries": station.functionaries,
                "wanted": station.wanted,
                "materials": station.materials,
                "products": station.products,
                "feeds": station.feeds,
                "predicates": station.predicates,
                "outcome": station.outcome.value,
                "detail": station.detail,
            }
            for station in chain.stations
        ],
    }


def _verdict(entry: Node, distribution: Distribution) -> Verdict:
    """Read a verdict. Raises MetadataMalformed, and ValueError for words that mean nothing."""
    chain = entry.member("chain")
    return Verdict(
        distribution=distribution,
        status=Status.VERIFIED,
        reason=Status.VERIFIED.value,
        action=Action.PASS,
        summary=entry.member("summary").string(),
        trace=tuple(_trace(entry.member("trace"))),
        chain=SupplyChain(
            layout_sha256=chain.member("layout").string(),
            owners=chain.member("owners").strings(),
            expires=datetime.fromisoformat(chain.member("expires").string()),
            stations=tuple(map(_station, entry.member("stations").elements())),
            documents=chain.member("documents").strings(),
            binding=chain.member("binding").string(),
            owner_keys=chain.member("owner_keys").strings(),
            credentials=tuple(map(_credential, entry.member("credentials").elements())),
        ),
    )


def _spelled(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat()


def _credential(node: Node) -> Credential:
    said = {name: value.string() for name, value in node.items()}
    return Credential(
        issuer=said["issuer"],
        subject=said["subject"],
        signed_at=datetime.fromisoformat(said["signed_at"]),
        host=said["host"],
        repository=said["repository"],
        workflow=said["workflow"],
        reused_workflow=said["reused_workflow"],
        ref=said["ref"],
        environment=said["environment"],
    )


def _trace(node: Node) -> Iterator[TraceEntry]:
    for element in node.elements():
        what, outcome, detail = element.strings()
        yield TraceEntry(what, Outcome(outcome), detail)


def _station(node: Node) -> Station:
    return Station(
        name=node.member("name").string(),
        is_inspection=node.member("is_inspection").value is True,
        functionaries=node.member("functionaries").strings(),
        wanted=node.member("wanted").integer(),
        materials=_count(node.member("materials")),
        products=_count(node.member("products")),
        feeds=node.member("feeds").strings(),
        predicates=node.member("predicates").strings(),
        outcome=Outcome(node.member("outcome").string()),
        detail=node.member("detail").string(),
    )


def _count(node: Node) -> int | None:
    return None if node.value is None else node.integer()


# --- both caches of a run -------------------------------------------------------------------


class Caches:
    """The evidence and the verdicts that are remembered, and what carries requests out for both.

    ``memory`` is None where verdicts are not remembered. ``troubles`` are sentences about what is
    not used, and why: nothing of that fails a run.
    """

    def __init__(
        self,
        evidence: Remembering,
        verdicts: Remembered | None,
        troubles: tuple[str, ...] = (),
    ) -> None:
        self._evidence = evidence
        self._verdicts = verdicts
        self._troubles = troubles
        self.fetch_many: FetchMany = evidence.fetch_many
        self.memory: Memory | None = verdicts

    @property
    def recalled(self) -> int:
        """How many verdicts were not reached, but recalled."""
        return self._verdicts.recalled if self._verdicts else 0

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is not remembered, and why."""
        found = [*self._troubles, self._evidence.trouble]
        found += [self._verdicts.trouble] if self._verdicts else []
        return tuple(dict.fromkeys(trouble for trouble in found if trouble))

    def close(self) -> None:
        """Bring what is kept back to its size, at the end of a run, however it ends."""
        self._evidence.close()
        if self._verdicts:
            self._verdicts.close()


def open_caches(
    fetch_many: FetchMany,
    policy: Policy,
    *,
    folder: Path | None = None,
    secret: Path | None = None,
    refresh: bool = False,
    recalls: bool = True,
    limits: Limits = DEFAULT,
    clock: Callable[[], float] = time.time,
) -> Caches:
    """Open the caches in ``folder``, the user's own by default. Never raises.

    ``secret`` is the file with the secret that authenticates verdicts. ``refresh`` asks for
    everything again and decides anew; without ``recalls``, only the latter: whoever wants to see
    the evidence itself must look at it.
    """
    # Imported here for start-up time.
    from platformdirs import user_cache_path, user_state_path

    folder = folder or user_cache_path("pip-intoto", appauthor=False)
    evidence = Remembering(
        fetch_many, folder / "evidence", refresh=refresh, limits=limits, clock=clock
    )
    try:
        known = _secret(secret or user_state_path("pip-intoto", appauthor=False) / "verdicts.key")
    except CommandError as error:
        return Caches(evidence, None, (f"verdicts are not remembered: {error}",))
    verdicts = Remembered(
        folder / "verdicts",
        policy,
        known,
        evidence.current,
        recalls=recalls and not refresh,
        limits=limits,
        clock=clock,
    )
    return Caches(evidence, verdicts)


def _secret(path: Path) -> bytes:
    """Read this user's secret, which is made when it is first wanted. Raises CommandError."""
    # The gate's own code, as for the policy. Imported here for start-up time.
    from pip_intoto_gate.location import others_may_write

    if not os.path.lexists(path):
        files.make_folder(path.parent, mode=0o700)
        try:
            files.write_new(
                path, secrets.token_hex(_SECRET_BYTES).encode() + b"\n", mode=files.PRIVATE
            )
        except CommandError:
            # Unless another process was faster, reading it fails too.
            if not os.path.lexists(path):
                raise
    with files.reading(path):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        # A pipe would be waited for.
        raise CommandError(f"{path} is no file")
    data = files.read(path, _CODE_LENGTH + 1)
    reason, mode = others_may_write(path), stat.S_IMODE(status.st_mode)
    if reason is None and os.name == "posix" and mode & _OTHERS:
        reason = f"others may read it (mode {mode:04o})"
    if reason is not None:
        raise CommandError(f"{path} is not secret: {reason}")
    if not _SECRET.fullmatch(data):
        raise CommandError(f"{path} holds no secret", advice="Delete it: a new one is made.")
    return bytes.fromhex(data.decode("ascii"))
