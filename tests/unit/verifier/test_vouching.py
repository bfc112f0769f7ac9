"""Who published a file, as the attestations that lie beside it say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from fixtures.sigstore import GITHUB, Sigstore, statement
from pip_intoto.account import Checked
from pip_intoto.distribution import Distribution, Kind, Place
from pip_intoto.limits import DEFAULT
from pip_intoto.lockfiles.locked import Locked, Recorded
from pip_intoto.lockfiles.writing import Vouched
from pip_intoto.metadata.bundle import documents_in
from pip_intoto.metadata.identities import Identity
from pip_intoto.verdict import Action, Status, SupplyChain, Verdict
from pip_intoto.verifier.authenticating import authenticator_with
from pip_intoto.verifier.vouching import publishers, vouched

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


# --- what a lock is to record -----------------------------------------------------------------

KEY, OLD_KEY = "a" * 64, "b" * 64
ENTRY = Locked(name="demo", version="1.0", place=Place(Path("/project/pylock.toml"), 7))


def judged(status: Status, *keys: str) -> Checked:
    chain = SupplyChain(
        layout_sha256="0" * 64, owners=("alice",), expires=NOW, stations=(), owner_keys=keys
    )
    verified = status is Status.VERIFIED
    return Checked(
        verdict=Verdict(
            distribution=DEMO,
            status=status,
            reason=status.value,
            action=Action.PASS,
            summary="…",
            chain=chain if verified else None,
        )
    )


def test_what_verified_is_recorded() -> None:
    made = vouched(ENTRY, [judged(Status.VERIFIED, KEY)], {})
    assert made == Vouched(recorded=Recorded(version="1.0", layout_keys=(KEY,)))


def test_an_older_release_does_not_take_back_who_vouched_for_a_later_one() -> None:
    later = Recorded(version="2.0", identities=(identity("acme/demo"),), layout_keys=(KEY,))
    entry = replace(ENTRY, recorded=later)
    for status in (Status.VERIFIED, Status.UNLISTED):
        published = {DEMO: (identity("acme/demo"),)}
        made = vouched(entry, [judged(status, OLD_KEY)], published)
        assert made == Vouched(attested_by=(), recorded=later)


def test_a_stranger_is_recorded_on_first_use_alone() -> None:
    published = {DEMO: (identity("evil/demo"),)}
    entry = replace(ENTRY, attested_by=(identity("acme/demo"),))
    for status in (Status.VERIFIED, Status.UNLISTED):
        made = vouched(entry, [judged(status, KEY)], published)
        assert made.attested_by == entry.attested_by
        assert made.recorded is None or not made.recorded.identities
    made = vouched(ENTRY, [judged(Status.UNLISTED)], published, first_use=True)
    assert made.attested_by == (identity("evil/demo"),)


def test_what_did_not_verify_changes_nothing() -> None:
    entry = replace(ENTRY, recorded=Recorded(version="0.9", layout_keys=(OLD_KEY,)))
    for status in (Status.EXEMPT, Status.MISSING, Status.INVALID, Status.UNVERIFIABLE):
        checked = [judged(Status.VERIFIED, KEY), judged(status)]
        made = vouched(entry, checked, {DEMO: (identity("acme/demo"),)}, first_use=True)
        assert made == Vouched(attested_by=(), recorded=entry.recorded)
