"""Who may carry out the steps of one layout, and which documents they signed (T1, T3, X1, K6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pip_intoto.verification.evidence import Authorised
from pip_intoto.verification.signatures import Signing
from pip_intoto.verification.wording import short_keyid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.layout import Layout, Step
    from pip_intoto.verification.certificates import Holder
    from pip_intoto.verification.evidence import StepEvidence
    from pip_intoto.verification.pool import Pool
    from pip_intoto.verification.trust import Trust


class Functionaries:
    """The keys and certificates of one layout."""

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
        signed: tuple[Signing | Holder, ...] = self._pool.signings(document, self._keyring)
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
        return Signatories(document, signed, self._pool, self._trust, self._now)


@dataclass(frozen=True, slots=True)
class Signatories:
    """Those of a layout's functionaries who signed one document."""

    _document: Document
    signings: tuple[Signing | Holder, ...]
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
        strangers = []
        for signing in self.signings:
            # T3: by the key itself, not by the names that the layout has for it.
            principal, called = signing.principal(self._trust.principals)
            if isinstance(signing, Signing):
                called = called or f"key {short_keyid(signing.key.keyid)}"
            if not may_carry_out(signing, step):
                strangers.append(called)
            elif signing.is_among(self._trust.revoked):
                found.revoked[principal] = called
                self._pool.note(f"{origin}: the key of {called} is revoked by the policy")
            elif isinstance(signing, Signing) and (reason := signing.invalid_at(self._now)):
                # K6: an OpenPGP key signs nothing once its period of validity is over.
                found.invalid[principal] = f"{called}: {reason}"
                self._pool.note(f"{origin}, signed by {called}: {reason}")
            else:
                principals[principal] = called
                signings.add((principal, signing.identity))
        if strangers and not principals:
            found.strangers.append(f"{', '.join(strangers)} ({origin})")
        return Authorised(principals, frozenset(signings))


def may_carry_out(signing: Signing | Holder, step: Step) -> bool:
    """Tell whether ``step`` names the key, or asks for such a certificate (X1)."""
    if isinstance(signing, Signing):
        return not set(signing.keyids).isdisjoint(step.pubkeys)
    return signing.may_carry_out(step)
