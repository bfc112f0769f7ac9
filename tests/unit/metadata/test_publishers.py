"""Publishers as locks and indexes spell them, and the identities that they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pip_intoto.metadata.identities import GITHUB, GITLAB, GOOGLE, Identity
from pip_intoto.metadata.publishers import UnusablePublisher, identity_of, publisher_of

WORKFLOW = Identity(keyid="", issuer=GITHUB, repository="acme/demo", workflow="release.yml")


@pytest.mark.parametrize(
    "identity",
    [
        WORKFLOW,
        Identity(keyid="", issuer=GITLAB, repository="a/b/c", workflow="ci/release.yml"),
        Identity(keyid="", issuer=GOOGLE, subject="a@acme.example"),
    ],
)
def test_a_publisher_is_written_as_it_is_read(identity: Identity) -> None:
    publisher = publisher_of(identity)
    assert publisher is not None
    assert identity_of(publisher) == identity


@pytest.mark.parametrize(
    "identity",
    [
        replace(WORKFLOW, issuer="https://gitlab.acme.example"),
        replace(WORKFLOW, ref="refs/tags/v1"),
        replace(WORKFLOW, workflow=""),
        Identity(keyid="", issuer=GITHUB, subject="a@acme.example"),
    ],
)
def test_an_identity_that_no_kind_can_express_is_no_publisher(identity: Identity) -> None:
    assert publisher_of(identity) is None


@pytest.mark.parametrize(
    ("publisher", "member"),
    [
        ({}, "kind"),
        ({"kind": 1}, "kind"),
        ({"kind": "github", "repository": "a/b", "workflow": "c.yml"}, "kind"),
        ({"kind": "GitHub", "repository": "a/b"}, "workflow"),
        ({"kind": "GitHub", "repository": "a/b", "workflow": " "}, "workflow"),
        ({"kind": "GitHub", "repository": ["a/b"], "workflow": "c.yml"}, "repository"),
        ({"kind": "Google", "email": "a\nb"}, "email"),
    ],
)
def test_a_publisher_that_nobody_could_be_held_against_is_refused(
    publisher: dict[str, object], member: str
) -> None:
    with pytest.raises(UnusablePublisher) as caught:
        identity_of(publisher)
    assert caught.value.member == member
