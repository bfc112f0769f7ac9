"""``pip-intoto sign``: who signs, what is kept, what is written where; and ``--verify``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg, softhsm
from fixtures.sigstore import Sigstore
from pip_intoto import gnupg as gpg
from pip_intoto.cli import main
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys import key_files, signing
from pip_intoto.verification.signatures import Keyring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey

ROOT = Path(__file__).parents[3]
VARIABLES = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}", "NO_COLOR": "1"}
ALICE, BOB, BEN = signing.generate(), signing.generate(), signing.generate()
LAYOUT = authoring.layout(
    expires=datetime(2100, 1, 1, tzinfo=timezone.utc),
    keys=[BEN],
    steps=[authoring.step("build", functionaries=[BEN])],
)

needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
needs_softhsm = pytest.mark.skipif(bool(softhsm.missing()), reason=softhsm.missing() or "it is")
needs_terminals = pytest.mark.skipif(os.name != "posix", reason="needs POSIX terminals")
forms = pytest.mark.parametrize("form", list(Envelope), ids=lambda form: form.value)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work among the keys of three people."""
    monkeypatch.chdir(tmp_path)
    for name, key in (("alice", ALICE), ("bob", BOB), ("ben", BEN)):
        key_files.write_pair(tmp_path / name, key)
    return tmp_path


def unsigned(name: str = "root.layout", form: Envelope = Envelope.DSSE) -> Path:
    path = Path(name)
    path.write_text(json.dumps(authoring.sign(LAYOUT, [], form)))
    return path


def link(name: str = "build", form: Envelope = Envelope.DSSE) -> Path:
    path = Path("unsigned.link")
    path.write_text(json.dumps(authoring.sign(authoring.link(name), [ALICE], form)))
    return path


def good(path: Path, *keys: SigningKey) -> list[SigningKey]:
    """Give those whose signatures on the document verify."""
    envelope = documents.load(path).envelope
    found = {
        signed.key.keyid for signed in Keyring([key.public_key for key in keys]).signings(envelope)
    }
    return [key for key in keys if key.keyid in found]


# --- sign -----------------------------------------------------------------------------------------


@forms
def test_several_owners_at_once_and_the_layout_stays_where_it_is(form: Envelope) -> None:
    path = unsigned(form=form)
    assert main(["sign", "-f", str(path), "-k", "alice.pem", "bob.pem"]) == 0
    assert good(path, ALICE, BOB, BEN) == [ALICE, BOB]
    assert documents.load(path).form is form


@forms
def test_owners_one_after_the_other(form: Envelope, capsys: pytest.CaptureFixture[str]) -> None:
    path = unsigned(form=form)
    assert main(["sign", "-f", str(path), "-k", "alice.pem"]) == 0
    assert main(["sign", "-f", str(path), "-k", "bob.pem", "--append"]) == 0
    assert good(path, ALICE, BOB) == [ALICE, BOB]
    shown = capsys.readouterr().err
    assert "warning" not in shown
    assert f"signed by {ALICE.keyid[:8]}, {BOB.keyid[:8]}" in shown


def test_signatures_of_others_are_replaced_as_in_toto_does_it_but_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = unsigned()
    assert main(["sign", "-f", str(path), "-k", "alice.pem"]) == 0
    assert main(["sign", "-f", str(path), "-k", "bob.pem", "-q"]) == 0
    assert good(path, ALICE, BOB) == [BOB]
    shown = capsys.readouterr().err
    assert f"lacks 1 signature that there was before, of {ALICE.keyid[:8]}" in shown
    assert "--append keeps them" in shown


def test_another_file_for_what_is_signed() -> None:
    path = unsigned("unsigned.layout")
    before = path.read_bytes()
    assert main(["sign", "-f", str(path), "-k", "alice.pem", "-o", "root.layout"]) == 0
    assert path.read_bytes() == before
    assert good(Path("root.layout"), ALICE) == [ALICE]


@pytest.mark.accepts("N1")
@forms
def test_N1_a_link_goes_where_its_new_key_says(
    form: Envelope, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = link(form=form)
    before = path.read_bytes()
    assert main(["sign", "-f", str(path), "-k", "ben.pem"]) == 0
    made = folder / f"build.{BEN.keyid[:8]}.link"
    assert good(made, ALICE, BEN) == [BEN]
    assert path.read_bytes() == before
    shown = capsys.readouterr().err
    assert f"lacks 1 signature that there was before, of {ALICE.keyid[:8]}" in shown
    # Links have one signature: there is nothing to append.
    assert "--append" not in shown


def test_a_layout_that_expired_is_signed_but_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path("root.layout")
    path.write_text(json.dumps(authoring.sign({**LAYOUT, "expires": "2020-01-01T00:00:00Z"}, [])))
    assert main(["sign", "-f", str(path), "-k", "alice.pem"]) == 0
    assert "the layout expired on 2020-01-01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "no key was named"),
        (["-k", "alice.pem", "bob.pem"], "links are signed by one key each"),
        (["-k", "alice.pem", "-g"], "links are signed by one key each"),
        (["-k", "alice.pem", "-a"], "links are signed by one key each"),
        (["-k", "alice.pub"], "not a private key that can be read"),
        (["-k", "alice.pub"], "The private key is likely to be alice.pem."),
        (["-k", "none.pem"], "none.pem cannot be read"),
        (["-k", "none.pem"], "`pip-intoto keygen PATH` makes a key."),
        (["-k", "nonsense:x"], "names no signing key"),
        (["-k", "alice.pem", "-o", "missing/x.link"], "missing/x.link cannot be written"),
        (["-k", "alice.pem", "-P", "x", "--password-file", "y"], "there are two passwords"),
        (["--verify"], "no key was named"),
        (["--verify", "-g"], "which key of GnuPG's"),
        (["--verify", "-k", "alice.pub", "-a"], "--append is for signing"),
        (["--verify", "-k", "alice.pub", "-o", "x"], "--output is for signing"),
        (["--verify", "-k", "alice.pem"], "alice.pem cannot be used as a public key"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    options: list[str], problem: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = link()
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert main(["sign", "-f", str(path), *options]) == 2
    assert problem in capsys.readouterr().err
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


@pytest.mark.rejects("N3")
def test_N3_a_link_whose_name_leaves_the_directory_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = link("../build")
    assert main(["sign", "-f", str(path), "-k", "ben.pem"]) == 2
    assert "cannot be part of a file name" in capsys.readouterr().err
    assert not list(folder.parent.glob("*.link"))
    # Wherever somebody says that it goes.
    assert main(["sign", "-f", str(path), "-k", "ben.pem", "-o", "x.link"]) == 2


@pytest.mark.parametrize("content", ["garbage", "{}", '{"signed": {}, "signatures": []}'])
def test_what_is_no_document_is_not_signed(
    content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("root.layout")
    path.write_text(content)
    assert main(["sign", "-f", str(path), "-k", "alice.pem"]) == 2
    assert "root.layout" in capsys.readouterr().err
    assert path.read_text() == content
    assert main(["sign", "-f", "none", "-k", "alice.pem"]) == 2
    assert "none cannot be read" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="needs limits on the size of files")
def test_when_the_disk_is_full_the_layout_stays_as_it_was(folder: Path) -> None:
    path = unsigned()
    before = path.read_bytes()
    script = (
        "import resource, sys\n"
        "from pip_intoto.cli import main\n"
        "before = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))\n"
        "status = main(sys.argv[1:])\n"
        # What else the process writes at its end is to be whole.
        "resource.setrlimit(resource.RLIMIT_FSIZE, before)\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "sign", "-f", path, "-k", "alice.pem"],
        cwd=folder,
        env=VARIABLES,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "root.layout cannot be written" in done.stderr
    assert path.read_bytes() == before
    assert not list(folder.glob(".root.layout*"))


# --- passwords ------------------------------------------------------------------------------------


def test_an_encrypted_key_opens_with_its_password_only(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key_files.write_pair(folder / "safe", ALICE, password="hunter2")
    path = unsigned()
    before = path.read_bytes()
    (folder / "password").write_text("hunter2\n")
    for options in (["-P", "wrong"], []):
        assert main(["sign", "-f", str(path), "-k", "safe.pem", *options]) == 2
    shown = capsys.readouterr().err
    assert "safe.pem: this is not the key's password" in shown
    assert "the password of safe.pem is needed, and there is no terminal" in shown
    assert "wrong" not in shown
    assert path.read_bytes() == before
    assert main(["sign", "-f", str(path), "-k", "safe.pem", "--password-file", "password"]) == 0
    assert good(path, ALICE) == [ALICE]


def test_a_password_that_one_key_needs_is_no_trouble_to_the_other(folder: Path) -> None:
    key_files.write_pair(folder / "safe", ALICE, password="hunter2")
    path = unsigned()
    assert main(["sign", "-f", str(path), "-k", "safe.pem", "bob.pem", "-P", "hunter2"]) == 0
    assert good(path, ALICE, BOB) == [ALICE, BOB]


@needs_terminals
@pytest.mark.parametrize("options", [[], ["--prompt"], ["-P"]])
def test_on_a_terminal_the_password_is_asked_for(folder: Path, options: list[str]) -> None:
    from tests.integration.terminals import converse

    key_files.write_pair(folder / "safe", ALICE, password="hunter2")
    path = unsigned()
    command = [sys.executable, "-m", "pip_intoto", "sign", "-f", path.name, "-k", "safe.pem"]
    command += options
    session = converse(command, ["wrong"], cwd=folder, variables=VARIABLES)
    assert session.status == 2
    assert "not the key's password" in session.err
    session = converse(command, ["hunter2"], cwd=folder, variables=VARIABLES)
    assert session.status == 0, session.err
    assert "Password of safe.pem: " in session.screen
    assert "hunter2" not in session.screen + session.out + session.err
    assert good(path, ALICE) == [ALICE]


# --- verify ---------------------------------------------------------------------------------------


@forms
def test_verify_says_of_each_key_whether_its_signature_is_good(
    form: Envelope, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "root.layout"
    content = authoring.sign(LAYOUT, [ALICE, BOB], form)
    signatures = content["signatures"]
    assert isinstance(signatures, list)
    assert isinstance(signatures[0], dict)
    assert isinstance(signatures[1], dict)
    signatures[1]["sig"] = signatures[0]["sig"]
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    assert main(["sign", "-f", "root.layout", "--verify", "-k", "alice.pub"]) == 0
    assert f"alice.pub, key {ALICE.keyid[:8]}: good signature" in capsys.readouterr().out
    command = ["sign", "-f", "root.layout", "--verify", "-k", "alice.pub", "bob.pub", "ben.pub"]
    assert main(command) == 1
    shown = capsys.readouterr()
    assert "alice.pub" in shown.out.splitlines()[0]
    assert "good signature" in shown.out.splitlines()[0]
    assert "the signature is not good" in shown.out.splitlines()[1]
    assert "no signature" in shown.out.splitlines()[2]
    assert "1 of 3 keys verified, 2 signatures in all" in shown.err
    assert path.read_bytes() == before


@pytest.mark.accepts("E7")
def test_E7_verify_does_not_rely_on_the_keyid(folder: Path) -> None:
    content = authoring.sign(LAYOUT, [ALICE])
    content["signatures"][0]["keyid"] = BOB.keyid  # type: ignore[call-overload, index]
    (folder / "root.layout").write_text(json.dumps(content))
    assert main(["sign", "-f", "root.layout", "--verify", "-k", "alice.pub"]) == 0
    assert main(["sign", "-f", "root.layout", "--verify", "-k", "bob.pub"]) == 1


# --- keys that lie elsewhere ----------------------------------------------------------------------


@needs_softhsm
def test_a_hardware_module_signs_and_is_verified(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = softhsm.module()
    for name, value in module.variables.items():
        monkeypatch.setenv(name, value)
    path = unsigned()
    uri = module.uri()
    assert main(["keygen", "owner", "--from", uri]) == 0
    assert main(["sign", "-f", str(path), "-k", uri, "bob.pem"]) == 2
    assert f"the PIN of {uri} is needed" in capsys.readouterr().err
    assert main(["sign", "-f", str(path), "-k", uri, "bob.pem", "-P", softhsm.PIN]) == 0
    assert main(["sign", "-f", str(path), "--verify", "-k", "owner.pub", uri, "bob.pub"]) == 0
    assert capsys.readouterr().out.count("good signature") == 3
    assert (folder / "owner.pub").exists()


@pytest.fixture(scope="module")
def ring() -> Iterator[gnupg.Keyring]:
    with gnupg.keyring() as ring:
        yield ring


@needs_gnupg
@pytest.mark.accepts("K6")
@forms
def test_K6_gnupg_signs_and_is_verified(
    form: Envelope, ring: gnupg.Keyring, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    master = ring.key(f"owner {form.value}", "ed25519", usage="cert,sign")
    subkey = ring.subkey(master, "ed25519")
    home = ["--gpg-home", str(ring.home)]
    path = unsigned(form=form)
    assert main(["sign", "-f", str(path), "--gpg", master, *home]) == 0
    assert documents.load(path).keyids == (subkey,)
    assert main(["sign", "-f", str(path), "--verify", "-g", master, subkey, *home]) == 0
    assert main(["keygen", "owner", "-g", master, *home]) == 0
    assert main(["sign", "-f", str(path), "--verify", "-k", "owner.pub", "alice.pub"]) == 1
    assert "owner.pub" in capsys.readouterr().out.rpartition("good signature")[0]
    # A link is named after the key that really signed.
    assert main(["sign", "-f", str(link()), "--gpg", master, *home]) == 0
    assert (folder / f"build.{subkey[:8]}.link").exists()


@needs_gnupg
@pytest.mark.rejects("K6")
def test_K6_an_expired_key_is_not_good(
    ring: gnupg.Keyring, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    keyid = ring.key("expires", "ed25519", expires="1y")
    home = str(ring.home)
    path = unsigned()
    assert main(["sign", "-f", str(path), "--gpg", keyid, "--gpg-home", home]) == 0
    described = json.loads(gpg.export(keyid, home))
    described["creation_time"] -= 400 * 86_400
    (folder / "owner.pub").write_text(json.dumps(described))
    assert main(["sign", "-f", str(path), "--verify", "-k", "owner.pub"]) == 1
    assert "the key expired on" in capsys.readouterr().out


@needs_gnupg
def test_a_key_that_gnupg_does_not_have(
    ring: gnupg.Keyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = unsigned()
    before = path.read_bytes()
    nobody = "ab" * 20
    home = ["--gpg-home", str(ring.home)]
    assert main(["sign", "-f", str(path), "--gpg", nobody, *home]) == 2
    assert "No secret key" in capsys.readouterr().err
    assert main(["sign", "-f", str(path), "--verify", "--gpg", nobody, *home]) == 2
    assert f"GnuPG has no key {nobody}" in capsys.readouterr().err
    assert main(["sign", "-f", str(path), "--gpg", "--gpg-home", "missing"]) == 2
    assert "missing is not a directory" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(path.parent.absolute()))
    assert shutil.which("gpg") is None
    assert main(["sign", "-f", str(path), "--gpg", nobody, *home]) == 2
    assert "GnuPG is not installed" in capsys.readouterr().err
    assert path.read_bytes() == before


# --- statements -------------------------------------------------------------------------------


def statement() -> JsonObject:
    subject: JsonObject = {"name": "demo.whl", "digest": {"sha256": "0" * 64}}
    return authoring.statement([subject], "https://acme.example/Reviewed/v1", {"by": "Ben"})


def test_several_people_sign_a_statement_and_each_is_verified(folder: Path) -> None:
    path = folder / "reviewed.json"
    path.write_bytes(authoring.written(authoring.sign(statement(), [ALICE])))
    assert main(["sign", "-f", str(path), "-k", "bob.pem", "--append"]) == 0
    assert main(["sign", "-f", str(path), "--verify", "-k", "alice.pub", "bob.pub"]) == 0
    assert main(["sign", "-f", str(path), "--verify", "-k", "ben.pub"]) == 1


def test_what_sigstore_vouches_for_is_nobodys_to_sign_or_verify_with_a_key(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "reviewed.sigstore.json"
    path.write_bytes(Sigstore().bundle(statement(), subject="ben@acme.example"))
    before = path.read_bytes()
    assert main(["sign", "-f", str(path), "--verify", "-k", "alice.pub"]) == 1
    assert "whoever signed this has no key" in capsys.readouterr().out
    assert main(["sign", "-f", str(path), "-k", "alice.pem"]) == 2
    assert "no key can sign it" in capsys.readouterr().err
    assert path.read_bytes() == before
