"""Who published a file, as the attestations that lie beside it say."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from fixtures.sigstore import GITHUB, Sigstore, statement
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import documents_in
from pip_intoto.metadata.identities import Identity
from pip_intoto.verifier.authenticating import authenticator_with
from pip_intoto.verifier.vouching import publishers

if TYPE_CHECKING:
    from pip_intoto.credential import Credential
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Envelope

NOW = datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
WHEEL = wheel("demo")
SIGSTORE = Sigstore()
DEMO = Distribution(
    name="demo",
    version="1.0",
    filename=WHEEL.filename,
    kind=Kind.WHEEL,
    sha256=WHEEL.sha256,
    url=f"https://files.example/{WHEEL.filename}",
    index="https://index.example/simple/demo/",
)


class Counting:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._real = authenticator_with(SIGSTORE.trusted_root())

    def authenticate(self, envelope: Envelope) -> Credential:
        self.asked += 1
        return self._real.authenticate(envelope)


def attested(data: bytes = WHEEL.data, **who: str) -> Document:
    said = statement((WHEEL.filename, data))
    who = {"repository": "acme/demo", "workflow": "release.yml", "ref": "refs/tags/v1.0", **who}
    bundle = SIGSTORE.bundle(said, **who)  # type: ignore[arg-type]
    (document,) = documents_in(bundle, origin="attestation", limits=DEFAULT).documents
    return document


def identity(repository: str, workflow: str = "release.yml") -> Identity:
    return Identity(keyid="", issuer=GITHUB, repository=repository, workflow=workflow)


def test_who_says_that_they_published_this_file_has() -> None:
    documents = [
        attested(),
        attested(ref="refs/heads/main"),
        attested(repository="evil/caller"),
        attested(b"another file", repository="evil/other"),
        attested(repository="acme/revoked"),
    ]
    found = publishers(
        documents, DEMO, Counting(), revoked=(identity("acme/revoked", ""),), now=NOW
    )
    assert found == (identity("acme/demo"), identity("evil/caller"))


def test_many_strangers_take_no_more_time_each_than_one() -> None:
    strangers = [attested(b"another file", workflow=f"{number}.yml") for number in range(40)]
    counting = Counting()
    assert publishers([*strangers, attested()], DEMO, counting, now=NOW) == (identity("acme/demo"),)
    assert counting.asked <= 2 * (len(strangers) + 1)
