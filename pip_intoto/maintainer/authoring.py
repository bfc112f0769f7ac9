"""Write in-toto metadata: layouts, links, signed envelopes, and the files beside a release.

Everything here is a plain JSON object until it is written, so that tests may also build what an
honest maintainer never would.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pip_intoto.metadata import canonical
from pip_intoto.metadata.envelope import PAYLOAD_TYPE, pre_authentication_encoding
from pip_intoto.metadata.identities import listed, with_keyid
from pip_intoto.metadata.statement import STATEMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pip_intoto.maintainer.keys.signing import Signer
    from pip_intoto.metadata.identities import Identity
    from pip_intoto.metadata.strict_json import JsonValue

JsonObject: TypeAlias = "dict[str, JsonValue]"
#: Artifact name to digests by algorithm.
Artifacts: TypeAlias = "Mapping[str, Mapping[str, str]]"
#: An artifact rule as a list of words, ``["CREATE", "demo-*"]``.
Rule: TypeAlias = "Sequence[str]"


class Envelope(Enum):
    """The two ways of signing (ITE-5)."""

    METABLOCK = "metablock"
    DSSE = "dsse"


class VerificationKey(Protocol):
    """The public part of a key, as layouts list it; a signing key has one too."""

    @property
    def keyid(self) -> str:
        """The name under which signatures refer to the key."""

    @property
    def keytype(self) -> str:
        """``ed25519``, ``ecdsa``, ``rsa`` or ``ml-dsa``."""

    @property
    def scheme(self) -> str:
        """The signature scheme."""

    @property
    def public(self) -> str:
        """Hex digits for Ed25519, else PEM."""


@dataclass(frozen=True, slots=True)
class Document:
    """A signed document, and the name that it has in the directory form ("" for none)."""

    content: JsonObject
    name: str = ""


# --- payloads -------------------------------------------------------------------------------


def key_object(key: VerificationKey) -> JsonObject:
    """Give the public key object that stands in a layout's ``keys``."""
    # K1: the specification has no inner keyid; both implementations demand it.
    return {
        "keyid": key.keyid,
        "keytype": key.keytype,
        "scheme": key.scheme,
        "keyval": {"public": key.public},
    }


def identity_object(identity: Identity) -> JsonObject:
    """Give the object that stands in a layout's ``keys`` for a functionary without a key.

    Its keyid follows from what it says, whatever the identity's own is.
    """
    return {"keyid": with_keyid(identity).keyid, **listed(identity)}


def layout(
    *,
    expires: datetime,
    keys: Iterable[VerificationKey],
    steps: Iterable[JsonObject],
    inspections: Iterable[JsonObject] = (),
    readme: str = "",
) -> JsonObject:
    """Describe a supply chain. *expires* is an aware datetime in UTC."""
    return {
        "_type": "layout",
        "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "readme": readme,
        "keys": {key.keyid: key_object(key) for key in keys},
        "steps": list(steps),
        "inspect": list(inspections),
    }


def step(
    name: str,
    *,
    functionaries: Iterable[VerificationKey | str],
    threshold: int = 1,
    expected_materials: Iterable[Rule] = (),
    expected_products: Iterable[Rule] = (),
    expected_command: Iterable[str] = (),
    expected_predicates: Iterable[JsonObject] = (),
    expected_attributes: Iterable[str] = (),
) -> JsonObject:
    """Describe one step, and who may carry it out: keys, or keyids of what the layout lists.

    One with *expected_predicates* (ITE-10) has no *functionaries* and no threshold of its own.
    """
    described: JsonObject = {
        "_type": "step",
        "name": name,
        "threshold": threshold,
        "pubkeys": [each if isinstance(each, str) else each.keyid for each in functionaries],
        "expected_materials": _rules(expected_materials),
        "expected_products": _rules(expected_products),
        "expected_command": list(expected_command),
    }
    predicates = list(expected_predicates)
    if predicates:
        described["expected_predicates"] = [*predicates]
    return _with_attributes(described, expected_attributes)


def predicate(
    predicate_type: str,
    *,
    functionaries: Iterable[str],
    threshold: int = 1,
    expected_attributes: Iterable[str] = (),
) -> JsonObject:
    """Describe a statement that a step asks for (ITE-10); *functionaries* are keyids."""
    described: JsonObject = {
        "predicateType": predicate_type,
        "functionaries": list(functionaries),
        "threshold": threshold,
    }
    return _with_attributes(described, expected_attributes)


def _with_attributes(described: JsonObject, attributes: Iterable[str]) -> JsonObject:
    # ITE-11: "expectedAttributes: list of CEL expressions"; what has none stays a layout for
    # those who know of no such member.
    listed = list(attributes)
    return {**described, "expectedAttributes": [*listed]} if listed else described


def inspection(
    name: str,
    *,
    run: Iterable[str],
    expected_materials: Iterable[Rule] = (),
    expected_products: Iterable[Rule] = (),
    expected_attributes: Iterable[str] = (),
) -> JsonObject:
    """Describe one inspection: what the consumer does with the file in hand."""
    described: JsonObject = {
        "_type": "inspection",
        "name": name,
        "run": list(run),
        "expected_materials": _rules(expected_materials),
        "expected_products": _rules(expected_products),
    }
    return _with_attributes(described, expected_attributes)


def link(
    name: str,
    *,
    materials: Artifacts | None = None,
    products: Artifacts | None = None,
    command: Iterable[str] = (),
    byproducts: JsonObject | None = None,
    environment: JsonObject | None = None,
) -> JsonObject:
    """Report one step as it was carried out."""
    return {
        "_type": "link",
        "name": name,
        "command": list(command),
        "materials": _artifacts(materials or {}),
        "products": _artifacts(products or {}),
        "byproducts": byproducts or {},
        "environment": environment or {},
    }


def statement(
    subjects: Iterable[JsonObject], predicate_type: str, predicate: JsonObject
) -> JsonObject:
    """Attest something of *subjects*, which are resource descriptors with digests."""
    return {
        "_type": STATEMENT,
        "subject": list(subjects),
        "predicateType": predicate_type,
        "predicate": predicate,
    }


# --- signing --------------------------------------------------------------------------------


def sign(
    payload: JsonObject, signers: Iterable[Signer], form: Envelope = Envelope.DSSE
) -> JsonObject:
    """Sign *payload* with every key of *signers*, in the form asked for."""
    if form is Envelope.METABLOCK:
        # E2: the signature covers the canonical JSON of `signed`.
        signed = canonical.encode(payload)
        return {"signed": payload, "signatures": [signature(signed, key, form) for key in signers]}
    body = json.dumps(payload, sort_keys=True).encode("ascii")
    signed = pre_authentication_encoding(PAYLOAD_TYPE, body)
    return {
        "payload": base64.b64encode(body).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [signature(signed, key, form) for key in signers],
    }


def signature(signed: bytes, signer: Signer, form: Envelope) -> JsonObject:
    """Sign the bytes that an envelope's signatures cover, and give the entry for it."""
    made = signer.signature(signed)
    is_dsse = form is Envelope.DSSE
    # E3, E2: base64 in DSSE, hex digits in a Metablock.
    value = base64.b64encode(made.value).decode("ascii") if is_dsse else made.value.hex()
    if not made.other_headers:
        return {"keyid": made.keyid, "sig": value}
    # K6: "signature {keyid, signature, other_headers}"; DSSE has one name for all signatures.
    name = "sig" if is_dsse else "signature"
    return {"keyid": made.keyid, name: value, "other_headers": made.other_headers}


# --- files ----------------------------------------------------------------------------------


def written(content: JsonObject) -> bytes:
    """Spell a document as a file of its own has it."""
    return json.dumps(content, indent=1).encode("ascii") + b"\n"


def bundle(documents: Iterable[Document]) -> bytes:
    """Join documents into JSON Lines, with the name of each as an unsigned hint."""
    lines = []
    for document in documents:
        content = dict(document.content)
        if document.name:
            content["name"] = document.name
        lines.append(json.dumps(content, separators=(",", ":")) + "\n")
    return "".join(lines).encode("ascii")


def _rules(rules: Iterable[Rule]) -> list[JsonValue]:
    return [list(rule) for rule in rules]


def _artifacts(artifacts: Artifacts) -> JsonObject:
    return {name: dict(digests) for name, digests in artifacts.items()}
