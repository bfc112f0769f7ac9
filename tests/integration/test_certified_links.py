"""X1, whole: a chain of certificates in files, and the command as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import link_filename
from tests.unit.verification.authorities import certify, constraint, listed, sign_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.verification.authorities import Certified

NOW = datetime.now(timezone.utc)
valid_today = partial(certify, since=NOW - timedelta(days=2), until=NOW + timedelta(days=1))
ROOT = valid_today("root", authority=True)
OTHER_ROOT = valid_today("other root", authority=True)
INTERMEDIATE = valid_today("intermediate", by=ROOT, authority=True)
WHEEL = wheel("demo")
OWNER = key("owner")
URI = "spiffe://example.com/build"


def evidence(folder: Path, signer: Certified) -> None:
    """Write the directory form as in-toto-golang does, names of links included."""
    links = folder / "links"
    links.mkdir()
    build = authoring.step(
        "build",
        functionaries=[],
        expected_products=[["CREATE", "demo-*"], ["DISALLOW", "*"]],
    )
    asked = constraint(common_name="", uris=[URI], dns_names=[], emails=[], roots=["ab" * 32])
    layout = authoring.layout(
        expires=NOW + timedelta(days=1), keys=[], steps=[build | {"cert_constraints": [asked]}]
    )
    authorities: authoring.JsonObject = {
        "rootcas": listed(**{"ab" * 32: ROOT, "ef" * 32: OTHER_ROOT}),
        "intermediatecas": listed(**{"cd" * 32: INTERMEDIATE}),
    }
    path = WHEEL.write(folder)
    link = authoring.link("build", products={path.name: {"sha256": WHEEL.sha256}})
    signed = authoring.sign(layout | authorities, [OWNER], authoring.Envelope.METABLOCK)
    (folder / "root.layout").write_text(json.dumps(signed))
    (folder / "owner.pub").write_bytes(OWNER.public_pem())
    name = link_filename("build", signer.signing_key.keyid)
    (links / name).write_text(json.dumps(sign_with(link, signer)))


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["--layout", "root.layout", "--layout-key", "owner.pub", "--link-dir", "links"]
    return subprocess.run(
        [sys.executable, "-m", "pip_intoto", "verify", *words, WHEEL.filename],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.accepts("X1")
def test_X1_the_command_finds_and_verifies_links_signed_by_certificate(tmp_path: Path) -> None:
    evidence(tmp_path, valid_today(by=INTERMEDIATE, uris=[URI]))
    done = verify(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the certificate of '{URI}'" in done.stdout


@pytest.mark.rejects("X1")
@pytest.mark.parametrize(
    ("signer", "why"),
    [
        (
            valid_today(by=INTERMEDIATE, uris=[URI], until=NOW - timedelta(1)),
            "it expired at",
        ),
        (valid_today(by=OTHER_ROOT, uris=[URI]), "it satisfies no constraint of any step"),
        (valid_today(uris=[URI]), "it does not chain to a root of the layout"),
    ],
    ids=["expired", "other root", "self-signed"],
)
def test_X1_the_command_says_why_a_certificate_does_not_count(
    tmp_path: Path, signer: Certified, why: str
) -> None:
    evidence(tmp_path, signer)
    done = verify(tmp_path)
    assert done.returncode == 1
    assert "link-threshold-unmet" in done.stdout
    assert f"the certificate of '{URI}' does not count: {why}" in done.stdout
