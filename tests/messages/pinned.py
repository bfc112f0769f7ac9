"""What is said where somebody else vouches than before, or nobody does any more."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from fixtures.sigstore import Sigstore, provenance, statement
from fixtures.supply_chain import FAR_FUTURE, SupplyChain
from pip_intoto.lockfiles.locked import Recorded
from pip_intoto.metadata.identities import GITHUB, Identity
from pip_intoto.policy.file import load_policy
from pip_intoto.reports.lines import verdict_lines
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.records import Records
from pip_intoto.verifier.wanted import Known
from tests.messages.situations import situation, steady
from tests.unit.sources.repository import Repository
from tests.unit.verifier.locks import FILES, LINUX, entry, file_of
from tests.unit.verifier.test_judge import bundle_of, distribution

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pip_intoto.verifier.wanted import Wanted

SIGSTORE = Sigstore()
OTHER = wheel("other", "1.1")
PUBLISHER = Identity(keyid="", issuer=GITHUB, repository="acme/other", workflow="release.yml")


def told(folder: Path, wanted: Wanted, repository: Repository, *, keeps: bool = False) -> str:
    path = SupplyChain(project="demo").policy(folder)
    (folder / "trusted_root.json").write_bytes(SIGSTORE.trusted_root())
    path.write_text(f'{path.read_text()}\n[sigstore]\ntrust-root = "trusted_root.json"\n')
    records = Records(folder / "state") if keeps else None
    batch = Batch(
        load_policy(path), fetch=repository.fetch_many, interpreter=LINUX, records=records
    )
    checked = list(batch.check([wanted]))[-1]
    lines = verdict_lines(checked.verdict, place=checked.place)
    text = "\n".join(line.text for line in lines)
    return steady(text, {str(folder): "/etc/pip-intoto"})


def pinned(*, recorded: bool) -> Wanted:
    wanted = entry(file_of(OTHER), name="other", version="1.1")
    record = Recorded(version="1.0", identities=(PUBLISHER,)) if recorded else None
    return replace(wanted, entry=replace(wanted.entry, attested_by=(PUBLISHER,), recorded=record))


def attested(repository: str) -> Repository:
    attestation = SIGSTORE.attestation(
        statement((OTHER.filename, OTHER.data)),
        repository=repository,
        workflow="release.yml",
        ref="refs/tags/v1.1",
    )
    content = json.dumps(provenance([attestation])).encode()
    return Repository({f"{FILES}{OTHER.filename}.provenance": content})


@situation("signer-changed")
def _(folder: Path) -> str:
    return told(folder, pinned(recorded=True), attested("evil/other"))


@situation("attestation-missing.pinned")
def _(folder: Path) -> str:
    return told(folder, pinned(recorded=False), Repository())


@situation("evidence-downgrade")
def _(folder: Path) -> str:
    return told(folder, pinned(recorded=True), Repository())


@situation("layout-rollback")
def _(folder: Path) -> str:
    def release(version: str, expires_before: int) -> tuple[Wanted, Repository]:
        built = wheel("demo", version)
        expires = FAR_FUTURE - timedelta(days=expires_before)
        chain = SupplyChain(project="demo", expires=expires)
        return Known(distribution=distribution(built)), Repository(
            {bundle_of(built): chain.bundle(built)}
        )

    def both() -> Iterator[str]:
        for version, expires_before in (("1.0", 0), ("1.1", 30)):
            wanted, repository = release(version, expires_before)
            yield told(folder, wanted, repository, keeps=True)

    return list(both())[-1]
