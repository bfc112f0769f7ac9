"""A directory with a policy, and the keys that it names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pip_intoto.errors import PolicyInvalid
from pip_intoto.policy.file import load_policy

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.policy.model import Policy

KEYS = """\
[keys.alice]
public = "keys/alice.pub"
[keys.bob]
public = "keys/bob.pub"
"""
HEAD = "version = 1\n" + KEYS


def private_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def pem(name: str) -> str:
    public = private_key(name).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True)
class Folderful:
    """A directory with a policy and what it names."""

    path: Path

    @property
    def policy(self) -> Path:
        return self.path / "policy.toml"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o644)
        return path

    def load(self, text: str) -> Policy:
        return load_policy(self.write("policy.toml", text))

    def refuse(self, text: str) -> PolicyInvalid:
        with pytest.raises(PolicyInvalid) as caught:
            self.load(text)
        return caught.value
