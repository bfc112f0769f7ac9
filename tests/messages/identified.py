"""Verdicts on files whose attestations are signed by identities."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

from fixtures.sigstore import GOOGLE, SIGNED, STARTED, Sigstore, provenance, statement
from pip_intoto.policy.file import load_policy
from pip_intoto.verifier.authenticating import authenticator_with
from pip_intoto.verifier.judge import judge
from tests.messages.judged import NOW, WHEEL, distribution, told, url_of
from tests.messages.situations import situation
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

SIGSTORE = Sigstore()
WORKFLOW = {
    "repository": "acme/demo",
    "workflow": "release.yml",
    "ref": "refs/tags/v1.0",
    "environment": "pypi",
}
ASKED = (
    'publisher = "github:acme/demo:release.yml@refs/tags/v1.0"\nenvironment = "pypi"\n',
    'issuer = "https://accounts.google.com"\nsubject = "alice@acme.example"\n',
)


def _told(folder: Path, *, asked: str = ASKED[0], root: bytes | None = None, **who: object) -> str:
    """Give the verdict on a file that says who published it, by whom the rest describes."""
    (folder / "trusted_root.json").write_bytes(root or SIGSTORE.trusted_root())
    policy = folder / "policy.toml"
    policy.write_text(
        'version = 1\n[sigstore]\ntrust-root = "trusted_root.json"\n'
        f"[identities.release]\n{asked}"
        '[[project]]\nname = "demo"\nrequire = ["publish"]\nidentities = ["release"]\n',
        "utf-8",
    )
    said = statement((WHEEL.filename, WHEEL.data))
    made = SIGSTORE.attestation(said, **{**WORKFLOW, **who})
    served = {f"{url_of(WHEEL)}.provenance": json.dumps(provenance([made])).encode()}
    repository = Repository(served)
    return told(folder, repository.run(judge(distribution(), load_policy(policy), now=NOW)))


@situation("sigstore-invalid")
def _(folder: Path) -> str:
    return _told(folder, fault="entry-of-another-envelope")


@situation("sigstore-invalid.another-log")
def _(folder: Path) -> str:
    return _told(folder, root=Sigstore("other.example").trusted_root())


@situation("sigstore-unavailable")
def _(folder: Path) -> str:
    # As where the extra is not installed.
    authenticator_with.cache_clear()
    missing = dict.fromkeys(("sigstore", "sigstore.models", "sigstore.verify"))
    with patch.dict(sys.modules, missing):
        return _told(folder)


@situation("trust-root-expired")
def _(folder: Path) -> str:
    return _told(folder, root=SIGSTORE.trusted_root(log=(STARTED, SIGNED - timedelta(days=1))))


@situation("trust-root-not-yet-valid")
def _(folder: Path) -> str:
    window = (SIGNED + timedelta(days=1), None)
    return _told(folder, root=SIGSTORE.trusted_root(authority=window))


@situation("identity-issuer-mismatch")
def _(folder: Path) -> str:
    return _told(folder, issuer=GOOGLE, repository="", subject="alice@acme.example")


@situation("identity-repository-mismatch")
def _(folder: Path) -> str:
    return _told(folder, repository="evil/demo")


@situation("identity-workflow-mismatch")
def _(folder: Path) -> str:
    return _told(folder, workflow="test.yml")


@situation("identity-ref-mismatch")
def _(folder: Path) -> str:
    return _told(folder, ref="refs/heads/main")


@situation("identity-environment-mismatch")
def _(folder: Path) -> str:
    return _told(folder, environment="")


@situation("identity-subject-mismatch")
def _(folder: Path) -> str:
    return _told(
        folder, asked=ASKED[1], issuer=GOOGLE, repository="", subject="mallory@acme.example"
    )
