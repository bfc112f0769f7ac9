"""in-toto documents for the tests of this package, as Python values and signed for real."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pip_intoto.metadata import canonical
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

#: Real metadata, where a copy lies beside the repository.
INTEROP = Path(__file__).resolve().parents[4] / "shared" / "interop"
NO_INTEROP = f"needs the real metadata in {INTEROP.name}/, which is not part of the repository"

KEYID = "ab" * 32
SHA256 = hashlib.sha256(b"content").hexdigest()
SHA512 = hashlib.sha512(b"content").hexdigest()
EXPIRES = "2031-02-03T04:05:06Z"

# A key of nobody: its 32 secret bytes are known to all.
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED25519_HEX = ED25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
ED25519_PEM = (
    ED25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)


def key(**changes: JsonValue) -> dict[str, JsonValue]:
    """A key object."""
    value: dict[str, JsonValue] = {
        "keyid": KEYID,
        "keytype": "ed25519",
        "scheme": "ed25519",
        "keyval": {"public": ED25519_HEX},
    }
    return _changed(value, changes)


def step(**changes: JsonValue) -> dict[str, JsonValue]:
    """A step."""
    value: dict[str, JsonValue] = {
        "_type": "step",
        "name": "build",
        "threshold": 1,
        "expected_materials": [["DISALLOW", "*"]],
        "expected_products": [["CREATE", "demo-*.whl"], ["DISALLOW", "*"]],
        "pubkeys": [KEYID],
        "expected_command": ["python", "-m", "build"],
    }
    return _changed(value, changes)


def inspection(**changes: JsonValue) -> dict[str, JsonValue]:
    """An inspection."""
    value: dict[str, JsonValue] = {
        "_type": "inspection",
        "name": "unpack",
        "expected_materials": [],
        "expected_products": [],
        "run": ["true"],
    }
    return _changed(value, changes)


def layout(**changes: JsonValue) -> dict[str, JsonValue]:
    """A layout of one step and one inspection."""
    value: dict[str, JsonValue] = {
        "_type": "layout",
        "expires": EXPIRES,
        "readme": "",
        "keys": {KEYID: key()},
        "steps": [step()],
        "inspect": [inspection()],
    }
    return _changed(value, changes)


def link(**changes: JsonValue) -> dict[str, JsonValue]:
    """A link of the layout's step."""
    value: dict[str, JsonValue] = {
        "_type": "link",
        "name": "build",
        "command": ["python", "-m", "build"],
        "materials": {"pyproject.toml": {"sha256": SHA256}},
        "products": {"demo-1.0-py3-none-any.whl": {"sha256": SHA256, "sha512": SHA512}},
        "byproducts": {"return-value": 0, "stdout": "built\n", "stderr": ""},
        "environment": {},
    }
    return _changed(value, changes)


def _changed(value: dict[str, JsonValue], changes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """``value`` with other members; an ellipsis takes one away."""
    merged = {**value, **changes}
    return {name: each for name, each in merged.items() if cast("object", each) is not ...}


#: Takes a member away.
WITHOUT = cast("JsonValue", ...)


def node(value: JsonValue) -> Node:
    """``value`` as a parser hands it on."""
    return Node(value)


def as_json(value: JsonValue) -> bytes:
    """``value`` as any writer might spell it."""
    return json.dumps(value, indent=1).encode()


def pae(payload: bytes, payload_type: str = "application/vnd.in-toto+json") -> bytes:
    """What the signatures of a DSSE envelope cover, written down independently."""
    kind = payload_type.encode()
    return b" ".join(
        [b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload]
    )


def dsse(payload: JsonValue | bytes, /, **changes: JsonValue) -> dict[str, JsonValue]:
    """A DSSE envelope, signed with :data:`ED25519`."""
    body = payload if isinstance(payload, bytes) else as_json(payload)
    signature = ED25519.sign(pae(body))
    value: dict[str, JsonValue] = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": KEYID, "sig": base64.b64encode(signature).decode()}],
    }
    return _changed(value, changes)


def metablock(signed: JsonValue, /, **changes: JsonValue) -> dict[str, JsonValue]:
    """A Metablock, signed with :data:`ED25519`."""
    signature = ED25519.sign(canonical.encode(signed)).hex()
    value: dict[str, JsonValue] = {
        "signed": signed,
        "signatures": [{"keyid": KEYID, "sig": signature}],
    }
    return _changed(value, changes)
