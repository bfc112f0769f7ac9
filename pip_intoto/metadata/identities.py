"""Identities: functionaries who are known not by a key, but by who vouches for them.

An identity provider (the *issuer*) told Sigstore who signed; the certificate says so. A layout
lists such a functionary among its ``keys``, as securesystemslib spells them::

    {"keytype": "sigstore-oidc", "scheme": "Fulcio",
     "keyval": {"issuer": "https://accounts.example", "identity": "alice@example.org"}}

and for workflows, instead of ``identity`` or beside it, ``repository``, ``workflow``, ``ref`` and
``environment``. All are compared exactly: there are no patterns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pip_intoto.metadata.keys import PublicKey

KEYTYPE = "sigstore-oidc"
SCHEME = "Fulcio"
#: A key that a TUF repository gives out: ``{"keytype": "tuf-target", "scheme": "tuf-target",
#: "keyval": {"target": "keys/alice.pub"}}``.
MANAGED_KEYTYPE = "tuf-target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who must have signed. What is empty is not asked for; ``issuer`` never is.

    ``subject`` is the certificate's subject alternative name, to the letter: a mail address, or
    the URI of a workflow at a ref. ``repository`` is ``owner/name``; ``workflow`` is the file that
    defines it (``release.yml``, or a path in the repository, or in another one for workflows that
    are reused); ``ref`` is a full one (``refs/tags/v1.0``); ``environment`` is that of the
    deployment. The same one under two keyids is one.
    """

    keyid: str = field(compare=False)
    issuer: str
    subject: str = ""
    repository: str = ""
    workflow: str = ""
    ref: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedKey:
    """A key that a TUF repository gives out under the name ``target``."""

    keyid: str
    target: str


if TYPE_CHECKING:
    #: What a layout may list among its keys.
    Listed: TypeAlias = PublicKey | Identity | ManagedKey
