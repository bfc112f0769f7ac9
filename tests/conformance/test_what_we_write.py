"""What this package writes is accepted by the reference implementation."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner, SSlibKey

from fixtures.shipped import write_directory
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys import signing
from pip_intoto.maintainer.keys.signing import KeyType
from pip_intoto.metadata.names import link_filename

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = {"sha256": "ab" * 32}
WHEEL = "demo-1.0-py3-none-any.whl"

envelopes = pytest.mark.parametrize("envelope", list(Envelope), ids=lambda form: form.value)
key_types = pytest.mark.parametrize("keytype", list(KeyType), ids=lambda kind: kind.value)


@key_types
def test_K4_keyids_are_those_of_the_reference(keytype: KeyType) -> None:
    key = signing.generate(keytype)
    theirs = SSlibKey.from_crypto(key.private.public_key())
    assert key.keyid == theirs.keyid
    assert authoring.key_object(key) == {"keyid": theirs.keyid, **theirs.to_dict()}


@key_types
def test_a_private_key_survives_its_file(keytype: KeyType) -> None:
    key = signing.generate(keytype)
    assert signing.load(key.private_pem()).keyid == key.keyid
    assert signing.load(key.private_pem(password=b"pw"), password=b"pw").keyid == key.keyid


@key_types
def test_the_reference_reads_our_private_keys(keytype: KeyType, tmp_path: Path) -> None:
    key = signing.generate(keytype)
    path = tmp_path / "key"
    path.write_bytes(key.private_pem())
    theirs = SSlibKey.from_crypto(key.private.public_key())
    signer = CryptoSigner.from_priv_key_uri(f"file2:{path}", theirs)
    theirs.verify_signature(signer.sign(b"data"), b"data")
    assert signer.public_key.keyid == key.keyid


def write_chain(folder: Path, envelope: Envelope, keytype: KeyType) -> None:
    """Write a two-step chain as the in-toto commands expect it: layout, links, owners' keys."""
    owners = [signing.generate(keytype), signing.generate()]
    author, builder = signing.generate(), signing.generate(keytype)
    expires = datetime.now(timezone.utc) + timedelta(days=30)
    layout = authoring.layout(
        expires=expires,
        readme='quotes " and \\ and ü',
        keys=[author, builder],
        steps=[
            authoring.step(
                "source",
                functionaries=[author],
                expected_products=[["CREATE", "src/*"], ["DISALLOW", "*"]],
            ),
            authoring.step(
                "build",
                functionaries=[builder],
                expected_materials=[
                    ["MATCH", "src/*", "WITH", "PRODUCTS", "FROM", "source"],
                    ["DISALLOW", "*"],
                ],
                expected_products=[["CREATE", "demo-*"], ["DISALLOW", "*"]],
            ),
        ],
    )
    source = authoring.link("source", products={"src/demo.py": DIGEST})
    build = authoring.link("build", materials={"src/demo.py": DIGEST}, products={WHEEL: DIGEST})
    for owner in owners:
        (folder / f"{owner.keyid[:8]}.pub").write_bytes(owner.public_pem())
    for name, payload, signers in (
        ("root.layout", layout, owners),
        (link_filename("source", author.keyid), source, [author]),
        (link_filename("build", builder.keyid), build, [builder]),
    ):
        document = authoring.sign(payload, signers, envelope)
        (folder / name).write_text(json.dumps(document), encoding="utf-8")


def reference_verifies(folder: Path) -> subprocess.CompletedProcess[str]:
    keys = sorted(path.name for path in folder.glob("*.pub"))
    script = "import sys; from in_toto.in_toto_verify import main; sys.exit(main())"
    arguments = ["--layout", "root.layout", "--verification-keys", *keys, "--link-dir", "."]
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


@envelopes
@key_types
def test_the_reference_verifies_our_chain(
    envelope: Envelope, keytype: KeyType, tmp_path: Path
) -> None:
    write_chain(tmp_path, envelope, keytype)
    result = reference_verifies(tmp_path)
    assert result.returncode == 0, result.stderr


@envelopes
def test_the_reference_refuses_our_chain_with_one_byte_changed(
    envelope: Envelope, tmp_path: Path
) -> None:
    write_chain(tmp_path, envelope, KeyType.ED25519)
    (link,) = tmp_path.glob("build.*.link")
    document = json.loads(link.read_text("utf-8"))
    signature = document["signatures"][0]
    signature["sig"] = ("0" if signature["sig"][0] != "0" else "1") + signature["sig"][1:]
    link.write_text(json.dumps(document), encoding="utf-8")
    assert reference_verifies(tmp_path).returncode != 0


def test_a_bundle_has_one_document_a_line_with_its_name() -> None:
    key = signing.generate()
    document = authoring.sign(authoring.link("build"), [key])
    name = link_filename("build", key.keyid)
    lines = authoring.bundle(
        [authoring.Document(document, name), authoring.Document(document)]
    ).splitlines()
    assert [json.loads(line).get("name") for line in lines] == [name, None]
    assert "name" not in document


def test_the_directory_form_reaches_into_sublayouts(tmp_path: Path) -> None:
    wheel = tmp_path / WHEEL
    document = authoring.Document({"a": 1}, "build.12345678/inner.abcdef01.link")
    directory = write_directory(wheel, [document])
    assert directory.name == WHEEL + ".intoto"
    assert json.loads((directory / document.name).read_text("ascii")) == {"a": 1}
