"""A new expiry for layouts that were published: in bundles, and in files of their own.

Nothing of a layout but ``expires`` changes, and nothing of a bundle but the layout: links stay
byte for byte. What was signed before stays where it is until the renewed layout carries a
signature of everybody who had signed it, so that consumers who ask for several owners go on
verifying while these sign one after the other, on their own machines. A file is either as it was
or renewed, never half, and whoever renews again with the same date finishes what was begun.

The root layout is the one that the owner signed, which is verified; a sublayout is signed for a
step of another layout, and is its functionary's to renew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.layouts.expiry import written
from pip_intoto.maintainer.layouts.layouts_in import steps_signed_for
from pip_intoto.maintainer.layouts.reissue import (
    NotRenewed,
    apart_from_expiry,
    bundle_line,
    joined,
    may_be_layout,
    with_expiry,
)
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.envelope import read_envelope
from pip_intoto.metadata.keys import identities, identity
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.metadata.node import Node
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.wording import counted, short_keyid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.maintainer.documents import SignedDocument
    from pip_intoto.maintainer.keys.signing import Signer
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.keys import PublicKey

# --- what came of it ------------------------------------------------------------------------


class State(Enum):
    """What becomes of one file."""

    RENEWED = "renewed"
    #: It was renewed already, and lacked a signature.
    SIGNED = "signed"
    #: There is nothing left to do.
    DONE = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sublayout:
    """A layout that stands in for steps, and is left alone."""

    steps: tuple[str, ...]
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of the root layout in one file.

    ``digest`` is equal for layouts that differ in expiry and signatures only. ``missing`` are
    those who signed what is to be replaced, and not yet the renewed layout; ``unknown`` seem to
    have, but nobody here has their public key. While there are any, what they signed stays.
    """

    state: State
    digest: str
    before: datetime
    expires: datetime
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    sublayouts: tuple[Sublayout, ...] = ()
    #: Expiry of other layouts of the same owner, which are left alone.
    others: tuple[datetime, ...] = ()


# --- one file -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """A layout as it stands in a file.

    ``signers`` are the identities of those who signed, verified. ``strangers`` are keyids of
    signatures of which nobody here has the key.
    """

    document: SignedDocument
    layout: Layout
    digest: str
    signers: frozenset[str]
    strangers: tuple[str, ...]

    @property
    def sha256(self) -> str:
        return self.document.envelope.sha256


@dataclass(frozen=True, slots=True)
class _Copy:
    """A layout, and where it stands: in which line of a bundle, or in which file."""

    index: int
    found: _Layout
    hint: str

    @property
    def expires(self) -> datetime:
        return self.found.layout.expires


@dataclass(slots=True)
class _Change:
    """What to do with the documents of one file, by their index.

    ``put`` is written over what is there, ``beside`` behind it; ``dropped`` goes.
    """

    put: dict[int, SignedDocument] = field(default_factory=dict)
    beside: dict[int, SignedDocument] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    states: set[State] = field(default_factory=set)
    missing: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)

    @property
    def state(self) -> State:
        if self.states == {State.DONE} and (self.dropped or self.put):
            return State.RENEWED
        return next(state for state in State if state in self.states)


class Renewer:
    """Renews layouts to one date, in the name of one or more owners.

    ``owners`` are the public keys of all who sign, by the names to call them, as far as they are
    known. The same layout in many files is read, signed and checked once. With ``signs`` False
    nothing is signed: what :meth:`bundle` and :meth:`layout` say is what would be done.
    """

    def __init__(
        self,
        signers: Sequence[Signer],
        expires: datetime,
        *,
        now: datetime,
        owners: Mapping[str, PublicKey] | None = None,
        shorten: bool = False,
        signs: bool = True,
    ) -> None:
        self._signers = signers
        self._expires = expires
        self._now = now
        self._shorten = shorten
        self._signs = signs
        named = dict(owners or {})
        keys = [*(signer.public_key for signer in signers), *named.values()]
        self._own = {ident for signer in signers for ident in identities(signer.public_key)}
        self._names = {ident: name for name, key in named.items() for ident in identities(key)}
        self._keyring = Keyring(keys, now=now)
        self._keyids = {each.keyid for key in keys for each in (key, *key.subkeys)}
        self._layouts: dict[bytes, _Layout | None] = {}
        self._unsigned: dict[str, SignedDocument] = {}
        self._signed: dict[tuple[bytes, str], SignedDocument] = {}
        self._steps: dict[tuple[str, str], tuple[str, ...]] = {}

    def bundle(self, data: bytes) -> tuple[Outcome, bytes]:
        """The bundle in ``data`` with its root layout renewed; all other lines stay as they are.

        Raises NotRenewed, and CommandError when a key cannot sign.
        """
        lines = data.split(b"\n")
        outcome, change = self._change(lines, [""] * len(lines), len(lines))
        made: list[bytes] = []
        for index, line in enumerate(lines):
            end = b"\r" if line.endswith(b"\r") else b""
            if index in change.put:
                made.append(bundle_line(change.put[index]) + end)
            elif index not in change.dropped:
                made.append(line)
            if index in change.beside:
                made.append(bundle_line(change.beside[index]) + end)
        return outcome, b"\n".join(made)

    def layout(
        self, main: bytes, pending: bytes | None = None, links: Mapping[str, bytes] | None = None
    ) -> tuple[Outcome, bytes, bytes | None]:
        """The same for a file that holds one layout and nothing else.

        While not all have signed who should, the renewed layout waits in a second file,
        ``pending``, None when there is none. ``links`` are the documents beside them, by name,
        among which sublayouts may be. Gives both contents. Raises as :meth:`bundle` does.
        """
        roots = [main] if pending is None else [main, pending]
        names = [ROOT_LAYOUT] * len(roots) + list(links or ())
        outcome, change = self._change([*roots, *(links or {}).values()], names, len(roots))
        made: list[bytes] = []
        for index, content in enumerate(roots):
            if index in change.put:
                made.append(change.put[index].to_bytes())
            elif index not in change.dropped:
                made.append(content)
        made += [document.to_bytes() for document in change.beside.values()]
        if len(made) > 2:  # noqa: PLR2004 - the layout, and the one that is to replace it
            raise NotRenewed(
                "the layout was renewed to another date, which others are still to sign",
                advice="Give --expires that date, or remove the renewed layout.",
            )
        return outcome, made[0], made[1] if len(made) > 1 else None

    # --- which layout it is -----------------------------------------------------------------

    def _change(
        self, documents_: Sequence[bytes], names: Sequence[str], roots: int
    ) -> tuple[Outcome, _Change]:
        """What to do; the first ``roots`` documents may be the root layout."""
        likely = [index for index, data in enumerate(documents_) if may_be_layout(data)]
        copies = list(self._copies(documents_, names, likely))
        if not self._own_roots(copies, roots):
            # Whoever writes letters as escapes gets past the short look.
            copies = list(self._copies(documents_, names, range(len(documents_))))
        own = self._roots(copies, roots)
        latest = max(own, key=lambda copy: copy.expires)
        family = [
            copy
            for copy in copies
            if copy.index < roots and copy.found.digest == latest.found.digest
        ]
        change = self._renewed(family, [copy for copy in own if copy in family])
        sublayouts = {
            copy.found.sha256: Sublayout(steps=steps, expires=copy.expires)
            for copy in copies
            if copy not in family and (steps := self._steps_of(latest.found, copy.found))
        }
        others = {copy.expires: None for copy in own if copy not in family}
        outcome = Outcome(
            state=change.state,
            digest=latest.found.digest,
            before=latest.expires,
            expires=self._expires,
            missing=tuple(change.missing),
            unknown=tuple(change.unknown),
            sublayouts=tuple(sublayouts.values()),
            others=tuple(others),
        )
        return outcome, change

    def _copies(
        self, documents_: Sequence[bytes], names: Sequence[str], indices: Iterable[int]
    ) -> Iterator[_Copy]:
        for index in indices:
            data = documents_[index].strip(b" \t\r\n")
            key = hashlib.sha256(data).digest()
            if key not in self._layouts:
                self._layouts[key] = self._read(data) if data else None
            found = self._layouts[key]
            if found is not None:
                hint = names[index] or found.document.content.get("name")
                yield _Copy(index, found, hint if isinstance(hint, str) else "")

    def _read(self, data: bytes) -> _Layout | None:
        try:
            document = documents.read(data)
        except EvidenceInvalid as error:
            self._refuse_if_own(data, error)
            return None
        if not isinstance(document.payload, Layout):
            return None
        signers: set[str] = set()
        strangers: dict[str, None] = {}
        for signature in document.envelope.signatures:
            verified = self._verified(replace(document.envelope, signatures=(signature,)))
            signers |= verified
            if not verified and signature.keyid not in self._keyids:
                strangers[signature.keyid] = None
        return _Layout(
            document=document,
            layout=document.payload,
            digest=apart_from_expiry(document),
            signers=frozenset(signers),
            strangers=tuple(strangers),
        )

    def _refuse_if_own(self, data: bytes, error: EvidenceInvalid) -> None:
        """Raise NotRenewed for a layout of the owner's that cannot be read."""
        try:
            node = Node(strict_json.parse(data, limits=LOCAL))
            envelope = read_envelope(node, sha256="", limits=LOCAL)
        except EvidenceInvalid:
            return
        if envelope.may_be_layout and self._own & self._verified(envelope):
            raise NotRenewed(
                f"the layout cannot be read: {error}", expected=error.expected, found=error.found
            ) from error

    def _verified(self, envelope: Envelope) -> frozenset[str]:
        """The identities of those who signed, as far as their keys are known."""
        try:
            return frozenset(each.identity for each in self._keyring.signings(envelope))
        except EvidenceInvalid:
            # More signatures than anybody checks.
            return frozenset()

    def _own_roots(self, copies: Iterable[_Copy], roots: int) -> list[_Copy]:
        return [copy for copy in copies if copy.index < roots and copy.found.signers & self._own]

    def _roots(self, copies: Sequence[_Copy], roots: int) -> list[_Copy]:
        """What the owner signed as an owner. Raises NotRenewed when there is nothing."""
        own = self._own_roots(copies, roots)
        if not own:
            raise self._foreign(copies)
        found = [copy for copy in own if not self._is_sublayout(copy, own)]
        if not found:
            # The owner is a functionary of all of them: then it is the names that tell.
            found = [copy for copy in own if copy.hint == ROOT_LAYOUT]
            if len({copy.found.digest for copy in found}) != 1:
                raise NotRenewed(
                    "nobody can tell the root layout from the sublayouts here",
                    expected=f"one layout with the name {ROOT_LAYOUT}",
                    found=f"{len(own)} layouts by {self._called}, who is a functionary of each",
                )
        return found

    def _foreign(self, copies: Sequence[_Copy]) -> NotRenewed:
        if not copies:
            return NotRenewed("there is no layout here")
        keyids = sorted({keyid for copy in copies for keyid in copy.found.document.keyids})
        return NotRenewed(
            f"{self._called} never signed a layout here",
            expected="a layout that whoever signs now has signed before",
            found=f"{counted(len(copies), 'layout')}, signed by"
            f" {', '.join(f'key {short_keyid(keyid)}' for keyid in keyids) or 'nobody'}",
            advice="`pip-intoto sign` signs a layout for the first time.",
        )

    @property
    def _called(self) -> str:
        keys = [signer.public_key for signer in self._signers]
        return " and ".join(
            self._names.get(identity(key), f"key {short_keyid(key.keyid)}") for key in keys
        )

    def _is_sublayout(self, copy: _Copy, among: Iterable[_Copy]) -> bool:
        return any(
            self._steps_of(other.found, copy.found)
            for other in among
            if other.found.digest != copy.found.digest
        )

    def _steps_of(self, root: _Layout, sublayout: _Layout) -> tuple[str, ...]:
        """The steps of ``root`` for which ``sublayout`` was signed (U1)."""
        key = (root.sha256, sublayout.sha256)
        if key not in self._steps:
            self._steps[key] = steps_signed_for(
                root.layout, sublayout.document.envelope, now=self._now
            )
        return self._steps[key]

    # --- renewing it ------------------------------------------------------------------------

    def _renewed(self, family: Sequence[_Copy], own: Sequence[_Copy]) -> _Change:
        """Renew the layout that all of ``family`` are copies of, with one expiry or another."""
        longest = max(copy.expires for copy in family)
        if longest > self._expires and not self._shorten:
            raise NotRenewed(
                "the layout lasts longer already",
                expected=f"a date after {written(longest)}",
                found=written(self._expires),
                advice="--shorten says that it shall end earlier.",
            )
        change = _Change()
        # ITE-5: a bundle may have the same layout in both envelopes, for older readers.
        for form in authoring.Envelope:
            signed = [copy for copy in own if copy.found.document.form is form]
            if signed:
                copies = [copy for copy in family if copy.found.document.form is form]
                self._renew_form(copies, max(signed, key=lambda copy: copy.expires), change)
        return change

    def _renew_form(self, copies: Sequence[_Copy], base: _Copy, change: _Change) -> None:
        """Put the renewed layout in the place of ``copies``, or beside ``base``."""
        there = [copy for copy in copies if copy.expires == self._expires]
        present, signers = self._present(there, base)
        made = self._signed_by_owner(present, signers)
        is_new = bool(self._still_to_sign(signers))
        change.states.add(State.RENEWED if not there else State.SIGNED if is_new else State.DONE)
        replaced = [
            copy
            for copy in copies
            if copy not in there and self._is_covered(copy.found, made, signers, change)
        ]
        change.dropped |= {copy.index for copy in (*replaced, *there[1:])}
        if there:
            if made is not there[0].found.document:
                change.put[there[0].index] = made
        elif base in replaced:
            change.put[base.index] = made
            change.dropped.discard(base.index)
        else:
            change.beside[base.index] = made

    def _is_covered(
        self, old: _Layout, made: SignedDocument, signers: frozenset[str], change: _Change
    ) -> bool:
        """Whether all who signed ``old`` have signed the renewed layout; notes who has not."""
        missing = old.signers - signers - self._own
        unknown = {keyid for keyid in old.strangers if keyid in made.keyids}
        change.missing |= dict.fromkeys(
            self._names.get(ident, f"key sha256:{ident[:16]}") for ident in sorted(missing)
        )
        for keyid in old.strangers:
            where = change.unknown if keyid in unknown else change.missing
            where[f"key {short_keyid(keyid)}" if keyid else "a key without a name"] = None
        return bool(old.signers) and not missing and not old.strangers

    def _present(
        self, there: Sequence[_Copy], base: _Copy
    ) -> tuple[SignedDocument, frozenset[str]]:
        """The renewed layout as far as it is signed, and by whom."""
        if not there:
            found = base.found
            if found.sha256 not in self._unsigned:
                self._unsigned[found.sha256] = with_expiry(found.document, self._expires)
            return self._unsigned[found.sha256], frozenset()
        first = there[0].found
        if len(there) == 1:
            return first.document, first.signers
        document = joined([copy.found.document for copy in there])
        return document, self._verified(document.envelope)

    def _still_to_sign(self, signed: frozenset[str]) -> list[Signer]:
        return [
            signer
            for signer in self._signers
            if not signed.intersection(identities(signer.public_key))
        ]

    def _signed_by_owner(self, document: SignedDocument, signed: frozenset[str]) -> SignedDocument:
        signers = self._still_to_sign(signed)
        if not signers or not self._signs:
            return document
        key = (document.envelope.signed, json.dumps(document.content.get("signatures")))
        if key not in self._signed:
            made = document.signed_by(signers, keep=True)
            verified = self._verified(made.envelope)
            for signer in signers:
                if not verified.intersection(identities(signer.public_key)):
                    raise CommandError(
                        f"a signature of key {short_keyid(signer.keyid)} does not verify",
                        advice="Its private and its public key may not belong together.",
                    )
            self._signed[key] = made
        return self._signed[key]
