"""What the consumer trusts for one distribution, as values: who, how many, which layouts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.credential import Credential
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout


class Authenticator(Protocol):
    """Checks what Sigstore vouches for, with a trust root of its own."""

    def authenticate(self, envelope: Envelope) -> Credential:
        """Give what the certificate says of who signed ``envelope``, a Sigstore bundle.

        Raises SigstoreInvalid, SigstoreUnavailable, TrustRootExpired or TrustRootNotYetValid.
        """
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """A key that may sign the layout, and the party behind it."""

    key: PublicKey
    principal: str


@dataclass(frozen=True, slots=True)
class OwnerIdentity:
    """An identity that may sign the layout, and the party behind it."""

    identity: Identity
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLayout:
    """A layout that the consumer wrote, or that the policy's `require` amounts to.

    Nobody has signed it: it holds as the policy does. ``origin`` says where it stands, and
    ``sha256`` is over what was read.
    """

    layout: Layout
    origin: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What evidence for one distribution is held against.

    ``threshold`` of the principals in ``owners`` must have signed the layout, or of those in
    ``owner_identities``, who count alike. Keys are told
    apart by :func:`pip_intoto.metadata.keys.identity`: those in ``revoked`` count nowhere, and
    those in ``principals`` count for the named party.
    """

    owners: tuple[Owner, ...]
    threshold: int
    owner_identities: tuple[OwnerIdentity, ...] = ()
    #: Lower-case hex sha256 of the layout documents that will do; empty for any.
    layout_sha256: tuple[str, ...] = ()
    revoked: frozenset[str] = frozenset()
    principals: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: Those who sign sublayouts may use the parameters as well.
    parameters_in_sublayouts: bool = False
    #: The step that must carry the file; empty for the layout's last.
    binds: str = ""
    #: The layout keys serve other projects as well, so the layout must speak of this one.
    shared_keys: bool = False
    #: Commands, word for word, that inspections may run.
    allowed_commands: tuple[tuple[str, ...], ...] = ()
    #: Every command of the root layout may run (never those of sublayouts).
    run_all_inspections: bool = False
    #: Reason codes that do not count here; only ``layout-expired`` can be waived on the way.
    waived: frozenset[str] = frozenset()
    #: In place of any layout that others sign; then there are no owners, and no threshold.
    own_layout: OwnLayout | None = None
    #: None where nobody is known by an identity.
    authenticator: Authenticator | None = None
    #: Keys that a TUF repository gives out, by the name of the target.
    managed: Mapping[str, PublicKey] = field(default_factory=dict)
    #: Parties of the policy that are known by identities, with their names.
    identities: Mapping[Identity, str] = field(default_factory=dict)
    #: Whoever satisfies one of these counts nowhere.
    revoked_identities: tuple[Identity, ...] = ()
