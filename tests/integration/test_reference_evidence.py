"""Evidence made by the reference implementation's own commands passes the gate."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from in_toto.models.metadata import Envelope, Metablock
from securesystemslib.signer import CryptoSigner, SSlibKey

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import ROOT_LAYOUT
from tests.integration import reference

if TYPE_CHECKING:
    from pathlib import Path

    from in_toto.models.layout import Layout

    from pip_intoto.maintainer.keys.signing import SigningKey
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

OWNER, AUTHOR, BUILDER = key("owner"), key("author"), key("builder")
WHEEL = wheel("demo")

dsse = pytest.mark.parametrize("dsse", [True, False], ids=["dsse", "metablock"])


def in_toto_run(folder: Path, signer: SigningKey, *arguments: str) -> None:
    """Record a step with ``in-toto-run``."""
    pem = folder.with_name(f"{signer.keyid[:8]}.pem")
    pem.write_bytes(signer.private_pem())
    reference.in_toto_run(folder, "--signing-key", pem, *arguments)


def layout() -> Layout:
    """Describe the chain with the reference's own classes."""
    described = reference.layout(AUTHOR.keyid, BUILDER.keyid)
    for functionary in (AUTHOR, BUILDER):
        public = SSlibKey.from_crypto(functionary.private.public_key())
        described.keys[public.keyid] = {"keyid": public.keyid, **public.to_dict()}
    return described


def make(folder: Path, *, dsse: bool) -> dict[str, bytes]:
    """Carry out and record the chain; give every document by its file name."""
    folder.mkdir()
    form = ["--use-dsse"] if dsse else []
    write = "import pathlib; pathlib.Path('demo.py').write_text('VERSION = 1')"
    in_toto_run(
        folder,
        AUTHOR,
        *("--step-name", "source", "--products", ".", *form, "--", sys.executable, "-c", write),
    )
    (folder.parent / WHEEL.filename).write_bytes(WHEEL.data)
    copy = f"import shutil; shutil.copy('../{WHEEL.filename}', '.')"
    in_toto_run(
        folder,
        BUILDER,
        *("--step-name", "build", "--materials", ".", "--products", "."),
        *(*form, "--", sys.executable, "-c", copy),
    )
    signer = CryptoSigner(OWNER.private)
    document = Envelope.from_signable(layout()) if dsse else Metablock(signed=layout())
    document.create_signature(signer)
    document.dump(str(folder / ROOT_LAYOUT))
    names = [path for path in folder.iterdir() if path.suffix in {".layout", ".link"}]
    return {path.name: path.read_bytes() for path in names}


@dsse
@pytest.mark.parametrize("bundled", [True, False], ids=["bundle", "directory"])
def test_what_the_reference_made_is_installed(
    *, dsse: bool, bundled: bool, environment: Environment, index: Index, tmp_path: Path
) -> None:
    documents = make(tmp_path / "chain", dsse=dsse)
    assert len(documents) == 3
    index.add(WHEEL)
    if bundled:
        parsed = [authoring.Document(json.loads(text), name) for name, text in documents.items()]
        index.put_evidence(WHEEL, authoring.bundle(parsed))
    else:
        index.put_directory(WHEEL, documents)
    policy = SupplyChain(project="demo", owners=(OWNER,)).policy(tmp_path / "policy")
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert environment.installed() == {"demo-1.0"}


@dsse
@pytest.mark.parametrize("which", ["root.layout", "source", "build"])
def test_one_byte_changed_in_any_document_blocks(
    *, dsse: bool, which: str, environment: Environment, index: Index, tmp_path: Path
) -> None:
    documents = make(tmp_path / "chain", dsse=dsse)
    (name,) = [name for name in documents if name.startswith(which)]
    document = json.loads(documents[name])
    if dsse:
        payload = document["payload"]
        middle = len(payload) // 2
        other = "A" if payload[middle] != "A" else "B"
        document["payload"] = payload[:middle] + other + payload[middle + 1 :]
    else:
        signature = document["signatures"][0]["sig"]
        document["signatures"][0]["sig"] = ("1" if signature[0] == "0" else "0") + signature[1:]
    documents[name] = json.dumps(document).encode()
    index.add(WHEEL)
    index.put_directory(WHEEL, documents)
    policy = SupplyChain(project="demo", owners=(OWNER,)).policy(tmp_path / "policy")
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert result.status == 1, result.output
    assert environment.added() == frozenset()
