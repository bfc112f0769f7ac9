"""How messages put who must sign, and who has signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from pip_intoto.credential import Credential
from pip_intoto.metadata.identities import Identity
from pip_intoto.verification.wording import publisher

GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = Identity(keyid="", issuer=GITHUB, repository="acme/demo", workflow="release.yml")


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        (WORKFLOW, "github:acme/demo:release.yml"),
        (replace(WORKFLOW, workflow=""), "github:acme/demo"),
        (replace(WORKFLOW, ref="refs/tags/v1"), "github:acme/demo:release.yml (refs/tags/v1)"),
        (
            replace(WORKFLOW, ref="refs/tags/v1", environment="pypi"),
            "github:acme/demo:release.yml (refs/tags/v1, environment pypi)",
        ),
        (replace(WORKFLOW, issuer="https://gitlab.com"), "gitlab:acme/demo:release.yml"),
        (
            replace(WORKFLOW, issuer="https://gitlab.acme.example", ref="refs/heads/main"),
            "acme/demo:release.yml (https://gitlab.acme.example, refs/heads/main)",
        ),
        (
            Identity(keyid="", issuer="https://accounts.google.com", subject="a@acme.example"),
            "google:a@acme.example",
        ),
        (
            Identity(keyid="", issuer="https://id.acme.example", subject="a@acme.example"),
            "a@acme.example (https://id.acme.example)",
        ),
    ],
)
def test_who_vouches_for_whom_is_said_in_short(identity: Identity, said: str) -> None:
    assert publisher(identity) == said


def test_a_certificate_is_put_as_the_identity_that_it_satisfies() -> None:
    credential = Credential(
        issuer=GITHUB,
        subject="https://github.com/acme/demo/.github/workflows/release.yml@refs/tags/v1",
        signed_at=datetime(2026, 11, 22, tzinfo=timezone.utc),
        host="github.com",
        repository="acme/demo",
        workflow="release.yml",
        ref="refs/tags/v1",
    )
    assert publisher(credential) == "github:acme/demo:release.yml (refs/tags/v1)"
