"""A layout source for the tests of this package: a project, its owner, two functionaries."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from fixtures.keys import key

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)

HEAD = """\
version = 1
project = "demo"
expires = "1 year"

[owners]
keys = ["alice"]
"""
KEYS = """\

[keys.alice]
public = "keys/alice.pub"

[keys.ben]
public = "keys/ben.pub"

[keys.carl]
public = "keys/carl.pub"
"""
SOURCE = """\

[[step]]
name = "source"
functionaries = ["ben"]
materials = ["DISALLOW *"]
products = ["CREATE src/*", "CREATE pyproject.toml", "DISALLOW *"]
"""
BUILD = """\

[[step]]
name = "build"
functionaries = ["carl"]
materials = ["MATCH * WITH PRODUCTS FROM source", "DISALLOW *"]
products = ["CREATE demo-*.whl", "DISALLOW *"]
"""
WHEEL = """\

[[inspection]]
name = "wheel"
run = ["unzip", "-q", "demo-*.whl", "-d", "wheel"]
materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]
products = [
    "MATCH demo-*.whl WITH PRODUCTS FROM build",
    "MATCH demo/* IN wheel WITH PRODUCTS IN src FROM source",
    "ALLOW wheel/demo-*.dist-info/METADATA",
    "ALLOW wheel/demo-*.dist-info/WHEEL",
    "ALLOW wheel/demo-*.dist-info/RECORD",
    "DISALLOW *",
]
"""
GOOD = HEAD + KEYS + SOURCE + BUILD + WHEEL


def write(folder: Path, text: str = GOOD, *names: str) -> Path:
    """Write a source and the public keys that it names, and give its path."""
    (folder / "keys").mkdir(exist_ok=True)
    for name in names or ("alice", "ben", "carl"):
        (folder / "keys" / f"{name}.pub").write_bytes(key(name).public_pem())
    path = folder / "supply-chain.toml"
    path.write_text(text, encoding="utf-8")
    return path


IDENTITIES = """\

[identities.release]
publisher = "github:demo/demo:release.yml"
"""
#: A build that a workflow vouches for, and a test result by a key.
STATED = """\

[[step]]
name = "build"
materials = ["ALLOW *"]
products = ["CREATE demo-*.whl", "DISALLOW *"]

[[step.statement]]
predicate = "slsa-provenance"
functionaries = ["release"]

[[step]]
name = "test"
materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]

[[step.statement]]
predicate = "https://in-toto.io/attestation/test-result/v0.1"
functionaries = ["carl", "ben"]
threshold = 2
conditions = ["predicate.result == 'PASSED'"]
"""
ATTESTED = HEAD + KEYS + IDENTITIES + SOURCE + STATED + WHEEL
