"""Identities: functionaries who are known not by a key, but by who vouches for them.

An identity provider (the *issuer*) told Sigstore who signed; the certificate says so. A layout
lists such a functionary among its ``keys``, as securesystemslib spells them::

    {"keytype": "sigstore-oidc", "scheme": "Fulcio",
     "keyval": {"issuer": "https://accounts.example", "identity": "alice@example.org"}}

and for workflows, instead of ``identity`` or beside it, ``repository``, ``workflow``, ``ref`` and
``environment``. All are compared exactly: there are no patterns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.metadata import canonical
from pip_intoto.metadata.keys import check_inner_name, check_keyid
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.strict_json import JsonValue

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
GOOGLE = "https://accounts.google.com"
#: Who vouches for most of those who sign, by the names that policies and messages have for them.
PROVIDERS = {"github": GITHUB, "gitlab": GITLAB, "google": GOOGLE}

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


#: What an identity may say, in the order in which it is written down.
PARTS = ("issuer", "subject", "repository", "workflow", "ref", "environment")
#: The members of an identity in a layout, and what they are called here.
_MEMBERS = {"identity" if part == "subject" else part: part for part in PARTS}


def is_identity(node: Node) -> bool:
    """Tell whether a layout lists an identity, and not a key."""
    return _keytype(node) == KEYTYPE


def is_managed(node: Node) -> bool:
    """Tell whether a layout lists a key that a TUF repository gives out."""
    return _keytype(node) == MANAGED_KEYTYPE


def parse_identity(node: Node, keyid: str, limits: Limits) -> Identity:
    """Read the identity that a layout lists as ``keyid``.

    Raises :class:`pip_intoto.errors.MetadataMalformed`. A member that is not known would restrict
    who may sign: so none is passed over (A5).
    """
    values = _values(node, keyid, SCHEME)
    parts = {}
    for name, value in values.items():
        if name not in _MEMBERS:
            raise value.malformed(
                "identities have no such member", expected=", ".join(_MEMBERS), found=shown(name)
            )
        text = value.string(longest=limits.text)
        if not text.isprintable():
            raise value.malformed("this has characters that nobody sees", found=shown(text))
        parts[_MEMBERS[name]] = text
    if not parts.get("issuer"):
        raise values.malformed("this identity does not say who vouches for it", expected="issuer")
    if not parts.get("subject") and not parts.get("repository"):
        raise values.malformed(
            "this identity is everybody for whom the issuer vouches",
            expected="identity or repository as well",
        )
    return Identity(keyid=keyid, **parts)


def listed(identity: Identity) -> dict[str, JsonValue]:
    """An identity as a layout lists it among its ``keys``, without a keyid."""
    said: dict[str, JsonValue] = {
        member: value for member, part in _MEMBERS.items() if (value := getattr(identity, part))
    }
    return {"keytype": KEYTYPE, "scheme": SCHEME, "keyval": said}


def with_keyid(identity: Identity) -> Identity:
    """The same identity under the keyid that follows from what it says."""
    # As K4 has it for keys: the SHA-256 of what is listed.
    digest = hashlib.sha256(canonical.encode(listed(identity))).hexdigest()
    return replace(identity, keyid=digest)


def parse_managed(node: Node, keyid: str, limits: Limits) -> ManagedKey:
    """Read what a layout says of a key that a TUF repository gives out.

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    target = _values(node, keyid, MANAGED_KEYTYPE).member("target")
    if not target.string(longest=limits.text):
        raise target.malformed("this names no target")
    return ManagedKey(keyid=keyid, target=target.string())


def _keytype(node: Node) -> object:
    keytype = node.optional("keytype")
    return None if keytype is None else keytype.value


def _values(node: Node, keyid: str, scheme: str) -> Node:
    check_keyid(keyid, node)
    check_inner_name(keyid, node.optional("keyid"), "the key has another keyid")
    named = node.member("scheme")
    if named.string() != scheme:
        raise named.malformed(
            "this scheme is not known for it", expected=shown(scheme), found=shown(named.value)
        )
    return node.member("keyval")
