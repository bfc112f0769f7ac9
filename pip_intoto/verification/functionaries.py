"""Who may carry out the steps of one layout, and which documents they signed (T1, T3, X1, K6).

They are keys, certificates of the layout's own authorities, and identities that Sigstore vouches
for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.errors import EvidenceInvalid
from pip_intoto.verification.evidence import Authorised
from pip_intoto.verification.identities import Bearer, nearest_mismatch, nearness
from pip_intoto.verification.signatures import Signing
from pip_intoto.verification.wording import short_keyid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pip_intoto.credential import Credential
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.layout import Layout, Step
    from pip_intoto.verification.certificates import Holder
    from pip_intoto.verification.evidence import StepEvidence
    from pip_intoto.verification.pool import Pool
    from pip_intoto.verification.trust import Trust


class Functionaries:
    """The keys, certificates and identities of one layout."""

    def __init__(self, layout: Layout, pool: Pool, trust: Trust, now: datetime) -> None:
        self._layout = layout
        self._pool = pool
        self._trust = trust
        self._now = now
        self._keyring = pool.functionaries(layout)
        self._certified = pool.certified(layout)

    def of(self, document: Document, evidence: Mapping[str, StepEvidence]) -> Signatories:
        """Return who of them signed ``document``; ``evidence`` notes whose certificate is no good.

        Raises MetadataTooLarge.
        """
        # V5: which of the layout's functionaries signed, whatever the keyids say (E7).
        signed: tuple[Signing | Holder | Bearer, ...] = self._pool.signings(document, self._keyring)
        # X1
        holders, refused = self._pool.holders(document, self._certified)
        for certificate in refused:
            # Of which step it is nobody knows, nor whether anybody should be believed about it.
            asking = [step for step in self._layout.steps if step.constraints]
            meant = [step for step in asking if certificate.concerns(step)]
            for step in meant or asking:
                evidence[step.name].uncertified.append(f"{certificate} ({document.origin})")
        for holder in holders:
            family, masters = self._keyring.kin(holder.identity)
            signed += (replace(holder, family=family, masters=masters),)
        if document.envelope.sigstore and self._layout.identities:
            signed += self._bearers(document, evidence)
        return Signatories(document, signed, self._layout, self._pool, self._trust, self._now)

    def _bearers(
        self, document: Document, evidence: Mapping[str, StepEvidence]
    ) -> tuple[Bearer, ...]:
        """Return who signed ``document`` with Sigstore, whether or not the layout asks for them."""
        self._pool.count_bundle()
        try:
            return (self._pool.bearer(document, tuple(self._layout.identities.values())),)
        except EvidenceInvalid as error:
            # Of which step it is nobody knows, nor whether anybody should be believed about it.
            for step in self._layout.steps:
                if not self._layout.identities.keys().isdisjoint(step.pubkeys):
                    _refuse(error, evidence[step.name])
            return ()


@dataclass(frozen=True, slots=True)
class Signatories:
    """Those of a layout's functionaries who signed one document."""

    _document: Document
    signings: tuple[Signing | Holder | Bearer, ...]
    _layout: Layout
    _pool: Pool
    _trust: Trust
    _now: datetime

    def __bool__(self) -> bool:
        return bool(self.signings)

    def authorised(self, step: Step, found: StepEvidence) -> Authorised:
        """Return the parties that may sign for ``step``, and are not revoked.

        ``found`` notes why others do not count.
        """
        origin = self._document.origin
        principals: dict[str, str] = {}
        signings: set[tuple[str, str]] = set()
        credentials: list[Credential] = []
        strangers = []
        for signing in self.signings:
            # T3: by the key itself, not by the names that the layout has for it.
            principal, called = signing.principal(self._trust.principals)
            if isinstance(signing, Signing):
                called = called or f"key {short_keyid(signing.key.keyid)}"
            if not may_carry_out(signing, step):
                if isinstance(signing, Bearer):
                    self._compare(signing, step, found)
                strangers.append(called)
            elif signing.is_among(self._trust.revoked):
                found.revoked[principal] = called
                what = called if isinstance(signing, Bearer) else f"the key of {called}"
                self._pool.note(f"{origin}: {what} is revoked by the policy")
            elif isinstance(signing, Signing) and (reason := signing.invalid_at(self._now)):
                # K6: an OpenPGP key signs nothing once its period of validity is over.
                found.invalid[principal] = f"{called}: {reason}"
                self._pool.note(f"{origin}, signed by {called}: {reason}")
            else:
                principals[principal] = called
                signings.add((principal, signing.identity))
                if isinstance(signing, Bearer):
                    credentials.append(signing.credential)
        if strangers and not principals:
            found.strangers.append(f"{', '.join(strangers)} ({origin})")
        return Authorised(principals, frozenset(signings), tuple(credentials))

    def _compare(self, bearer: Bearer, step: Step, found: StepEvidence) -> None:
        """Note what ``bearer`` lacks to be one of those that ``step`` asks for."""
        wanted = (self._layout.identities.get(keyid) for keyid in step.pubkeys)
        error = nearest_mismatch(filter(None, wanted), bearer.credential)
        if error is not None:
            error.place = self._document.origin
            _refuse(error, found)


def _refuse(error: EvidenceInvalid, found: StepEvidence) -> None:
    # One is kept: anybody may add as many as they like.
    if found.refused is None or nearness(error) > nearness(found.refused):
        found.refused = error


def may_carry_out(signing: Signing | Holder | Bearer, step: Step) -> bool:
    """Tell whether ``step`` names the key or identity, or asks for such a certificate (X1)."""
    if isinstance(signing, (Signing, Bearer)):
        return not set(signing.keyids).isdisjoint(step.pubkeys)
    return signing.may_carry_out(step)
