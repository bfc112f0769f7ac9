"""K6: what in-toto's own commands sign through GnuPG passes the gate; what is amiss does not."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from in_toto.models.metadata import Envelope, Metablock
from securesystemslib.signer import GPGSigner, Key

from fixtures import gnupg
from fixtures.distributions import wheel
from fixtures.make import CHAINS
from pip_intoto.cli import main
from pip_intoto.gnupg import export
from pip_intoto.metadata.names import ROOT_LAYOUT
from tests.integration import reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from in_toto.models.layout import Layout

    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

WHEEL = wheel("demo")

needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
both = pytest.mark.parametrize("dsse", [True, False], ids=["dsse", "metablock"])


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Fingerprints of the keys of one project, and the keyring that has them."""

    ring: gnupg.Keyring
    owner: str
    author: str
    #: Signs with a subkey.
    builder: str
    subkey: str

    @property
    def home(self) -> str:
        return str(self.ring.home)


@pytest.fixture(scope="module", params=["rsa2048", "ed25519"])
def people(request: pytest.FixtureRequest) -> Iterator[People]:
    with gnupg.keyring() as ring:
        builder = ring.key("builder", request.param, usage="cert,sign", expires="2y")
        yield People(
            ring=ring,
            owner=ring.key("owner", request.param, expires="1y"),
            author=ring.key("author", request.param),
            builder=builder,
            subkey=ring.subkey(builder, request.param, expires="1y"),
        )


def in_toto_run(folder: Path, people: People, keyid: str, *arguments: str) -> None:
    """Record a step with ``in-toto-run --gpg``."""
    reference.in_toto_run(folder, "--gpg", keyid, "--gpg-home", people.home, *arguments)


def layout(people: People) -> Layout:
    described = reference.layout(people.author, people.builder)
    for keyid in (people.author, people.builder):
        # What in-toto itself exports, which with ed25519 lacks subkeys and periods.
        described.add_functionary_key_from_gpg_keyid(keyid, gpg_home=people.home)
        ours = json.loads(export(keyid, people.home))
        theirs = described.keys[keyid]
        assert {**ours, **theirs} == ours
        described.keys[keyid] = ours
    return described


def signer(people: People, keyid: str) -> GPGSigner:
    """Give securesystemslib's signer; its own import knows no subkeys of ed25519 keys."""
    exported = json.loads(export(people.builder if keyid == people.subkey else keyid, people.home))
    described = exported["subkeys"][keyid] if keyid == people.subkey else exported
    public = Key.from_dict(
        keyid,
        {
            "keytype": described["type"],
            "scheme": described["method"],
            "keyval": described["keyval"],
        },
    )
    return GPGSigner(public, people.home)


def make(folder: Path, people: People, *, dsse: bool) -> dict[str, bytes]:
    """Carry out and record the chain; give every document by its file name."""
    folder.mkdir()
    write = "import pathlib; pathlib.Path('demo.py').write_text('VERSION = 1')"
    in_toto_run(
        folder,
        people,
        people.author,
        *("--step-name", "source", "--products", ".", "--", sys.executable, "-c", write),
    )
    (folder.parent / WHEEL.filename).write_bytes(WHEEL.data)
    copy = f"import shutil; shutil.copy('../{WHEEL.filename}', '.')"
    in_toto_run(
        folder,
        people,
        people.builder,
        *("--step-name", "build", "--materials", ".", "--products", "."),
        *("--", sys.executable, "-c", copy),
    )
    link = folder / f"build.{people.subkey[:8]}.link"
    assert link.exists()
    if dsse:
        # The command cannot: in-toto's signer for GnuPG knows Metablocks only.
        for path, keyid in (
            (link, people.subkey),
            (folder / f"source.{people.author[:8]}.link", people.author),
        ):
            sealed = Envelope.from_signable(Metablock.load(str(path)).signed)
            sealed.create_signature(signer(people, keyid))
            sealed.dump(str(path))
    document = Envelope.from_signable(layout(people)) if dsse else Metablock(signed=layout(people))
    if dsse:
        document.create_signature(signer(people, people.owner))
    else:
        document.sign_gpg(people.owner, people.home)
    document.dump(str(folder / ROOT_LAYOUT))
    names = [path for path in folder.iterdir() if path.suffix in {".layout", ".link"}]
    return {path.name: path.read_bytes() for path in names}


def plainly(folder: Path, people: People, *owners: str) -> int:
    root = folder / ROOT_LAYOUT
    words = ["verify", "--layout", root, "--link-dir", folder, folder / WHEEL.filename]
    return main([*map(str, words), "--gpg", *owners, "--gpg-home", people.home])


@needs_gnupg
@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
@both
def test_K6_the_command_line_takes_owners_from_gnupg(
    *, dsse: bool, people: People, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "chain"
    make(folder, people, dsse=dsse)
    assert plainly(folder, people, people.owner) == 0
    assert plainly(folder, people, people.author) == 1
    assert "layout-signature-missing" in capsys.readouterr().out
    # L9: each of them must have signed.
    assert plainly(folder, people, people.owner, people.author) == 1
    owner = folder / "owner.json"
    owner.write_bytes(export(people.owner, people.home))
    words = ["--layout", folder / ROOT_LAYOUT, "--link-dir", folder]
    words += ["--layout-key", owner, folder / WHEEL.filename]
    assert main(["verify", *map(str, words)]) == 0
    link = folder / f"build.{people.subkey[:8]}.link"
    content = link.read_bytes()
    at = content.index(b'"other_headers": "') + len('"other_headers": "') + 70
    link.write_bytes(
        content[:at] + (b"1" if content[at : at + 1] == b"0" else b"0") + content[at + 1 :]
    )
    assert plainly(folder, people, people.owner) == 1


@needs_gnupg
@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
@both
def test_K6_what_gnupg_signed_is_installed(
    *, dsse: bool, people: People, environment: Environment, index: Index, tmp_path: Path
) -> None:
    documents = make(tmp_path / "chain", people, dsse=dsse)
    assert len(documents) == 3
    index.add(WHEEL)
    index.put_directory(WHEEL, documents)
    policy = tmp_path / "policy" / "policy.toml"
    for owner, is_good in ((people.author, False), (people.owner, True)):
        policy.unlink(missing_ok=True)
        words = ["trust", "add", "demo", "--gpg", f"owner-{owner[:4]}={owner}"]
        assert main([*words, "--gpg-home", people.home, "--policy", str(policy)]) == 0
        assert (policy.parent / "keys" / f"owner-{owner[:4]}.json").exists()
        result = environment.pip("install", "demo", index=index, policy=policy)
        assert result.status == (0 if is_good else 1), result.output
        assert environment.installed() == ({"demo-1.0"} if is_good else set())


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
@pytest.mark.parametrize(
    ("name", "reason"),
    [("openpgp-metablock", ""), ("openpgp-expired-subkey", "link-threshold-unmet")],
)
def test_K6_a_stored_chain_is_installed_without_gnupg(
    name: str, reason: str, environment: Environment, index: Index
) -> None:
    index.add(WHEEL)
    index.put_evidence(WHEEL, (CHAINS / name / f"{WHEEL.filename}.intoto.jsonl").read_bytes())
    result = environment.pip("install", "demo", index=index, policy=CHAINS / name / "policy.toml")
    assert result.status == (1 if reason else 0), result.output
    assert reason in result.output
    assert environment.installed() == (set() if reason else {"demo-1.0"})
