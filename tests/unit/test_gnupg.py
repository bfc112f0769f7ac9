"""Owners' keys out of GnuPG's keyring: ``--gpg`` and ``--gpg-home``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import gnupg, openpgp
from fixtures.keys import key
from fixtures.make import CHAINS
from fixtures.openpgp import OpenPGPKey
from pip_intoto.cli import main
from pip_intoto.errors import CommandError, PolicyInvalid
from pip_intoto.gnupg import export
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.keys import identity, load_public
from pip_intoto.policy.file import load_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
OWNER = OpenPGPKey(name="pgp-owner", subkeys=(OpenPGPKey(name="pgp-sub"),))


@pytest.fixture(scope="module")
def ring() -> Iterator[gnupg.Keyring]:
    with gnupg.keyring() as ring:
        yield ring


def exported(ring: gnupg.Keyring, keyid: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(export(keyid, str(ring.home)))
    return value


# --- export -----------------------------------------------------------------------------------


@needs_gnupg
@pytest.mark.accepts("K6")
@pytest.mark.parametrize("algorithm", gnupg.ALGORITHMS)
def test_K6_a_key_has_its_numbers_its_period_and_its_signing_subkeys(
    algorithm: str, ring: gnupg.Keyring
) -> None:
    master = ring.key(f"full-{algorithm}", algorithm, expires="1y")
    signing = ring.subkey(master, algorithm, expires="30d")
    ring.subkey(master, "rsa2048", usage="encr")
    value = exported(ring, master.upper())
    assert value["keyid"] == master
    # As `gpg --fingerprint` prints it.
    assert exported(ring, " ".join(master[at : at + 4] for at in range(0, 40, 4))) == value
    assert value["validity_period"] in range(364 * 86_400, 367 * 86_400)
    assert abs(value["creation_time"] - datetime.now(timezone.utc).timestamp()) < 120
    assert set(value["subkeys"]) == {signing}
    assert value["subkeys"][signing]["validity_period"] == 30 * 86_400
    key = load_public(json.dumps(value).encode(), limits=DEFAULT)
    assert len({identity(key), *(identity(subkey) for subkey in key.subkeys)}) == 2


@needs_gnupg
@pytest.mark.rejects("K6")
def test_GHSA_jjgp_whrp_gq8m_gnupg_is_asked_which_subkeys_may_sign(ring: gnupg.Keyring) -> None:
    master = ring.key("picky", "rsa2048")
    good, revoked = ring.subkey(master, "rsa2048"), ring.subkey(master, "ed25519")
    encrypting = ring.subkey(master, "rsa2048", usage="encr")
    assert set(exported(ring, master)["subkeys"]) == {good, revoked}
    command = ["gpg", "--homedir", str(ring.home), "--no-tty", "--command-fd", "0", "--yes"]
    command += ["--pinentry-mode", "loopback", "--passphrase", "", "--edit-key", master]
    answers = b"key 2\nrevkey\ny\n0\n\ny\nsave\n"
    subprocess.run(command, input=answers, check=True, capture_output=True)
    assert set(exported(ring, master)["subkeys"]) == {good}
    assert encrypting not in exported(ring, master)["subkeys"]


@needs_gnupg
@pytest.mark.rejects("K6")
def test_K6_a_key_that_has_expired_or_is_revoked_is_refused(ring: gnupg.Keyring) -> None:
    master = ring.key("passing", "ed25519")
    assert exported(ring, master)["keyid"] == master
    long_ago = ("--faked-system-time", "20200101T000000!")
    ring.run(*long_ago, "--quick-gen-key", "old", "ed25519", "sign", "1d")
    (past,) = ring.fingerprints("old")
    with pytest.raises(CommandError, match="is expired") as caught:
        export(past, str(ring.home))
    assert caught.value.found == "valid until 2020-01-02"
    certificate = ring.home / "openpgp-revocs.d" / f"{master.upper()}.rev"
    text = certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN")
    ring.run("--import", data=text)
    with pytest.raises(CommandError, match="is revoked"):
        export(master, str(ring.home))


@needs_gnupg
@pytest.mark.rejects("K6")
def test_K6_a_subkey_does_not_stand_for_its_master(ring: gnupg.Keyring) -> None:
    master = ring.key("main", "ed25519")
    subkey = ring.subkey(master, "ed25519")
    with pytest.raises(CommandError, match="is a subkey") as caught:
        export(subkey, str(ring.home))
    assert master in caught.value.expected


@needs_gnupg
@pytest.mark.rejects("K6")
def test_K6_a_key_that_in_toto_has_no_word_for(ring: gnupg.Keyring) -> None:
    master = ring.key("curve", "nistp256")
    with pytest.raises(CommandError, match="cannot use"):
        export(master, str(ring.home))
    signing = ring.key("mixed", "rsa2048")
    ring.subkey(signing, "nistp256/ecdsa")
    assert "subkeys" not in exported(ring, signing)


@needs_gnupg
@pytest.mark.rejects("K6")
def test_K6_a_key_that_is_not_there(ring: gnupg.Keyring, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no key"):
        export("ab" * 20, str(ring.home))
    with pytest.raises(CommandError, match="not a directory"):
        export("ab" * 20, str(tmp_path / "nowhere"))


@pytest.mark.rejects("K6")
@pytest.mark.parametrize(
    "keyid",
    [
        "",
        "alice",
        "abababab",
        "ab" * 8,
        "ab" * 32,
        "--output=x",
        "ab" * 20 + " x",
        "ab" * 20 + "\n",
    ],
)
def test_K6_only_whole_fingerprints_name_a_key(keyid: str) -> None:
    with pytest.raises(CommandError, match="fingerprint"):
        export(keyid)


def test_a_machine_without_gnupg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="not installed"):
        export("ab" * 20)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize("does", ["sleep 20", "exit 2", "printf 'pub:\\nfpr\\n::::\\n'"])
def test_a_gnupg_that_does_not_answer(
    does: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in = tmp_path / "gpg"
    stand_in.write_text(f"#!/bin/sh\nexec {does}\n" if " -" not in does else f"#!/bin/sh\n{does}\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(CommandError):
        export("ab" * 20, limits=replace(DEFAULT, gnupg_seconds=1))


# --- trust ------------------------------------------------------------------------------------


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.delenv("INTOTO_POLICY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    policy = tmp_path / "etc" / "policy.toml"
    return lambda *words: main(["trust", *map(str, words), "--policy", str(policy)])


@needs_gnupg
@pytest.mark.accepts("K6")
@pytest.mark.parametrize("inline", [(), ("--inline",)], ids=["file", "inline"])
def test_trust_add_takes_a_key_from_gnupg(
    inline: tuple[str, ...],
    ring: gnupg.Keyring,
    trust: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    owner, second = ring.key("owner", "ed25519"), ring.key("second", "rsa2048")
    home = ("--gpg-home", ring.home)
    words = ("add", "demo", "--gpg", owner, "--gpg", f"bob={second}", *home, *inline)
    assert trust(*words) == 0
    said = capsys.readouterr().err
    assert f"key gpg-{owner[-16:]}: eddsa, sha256:" in said
    assert "(from GnuPG)" in said or inline
    policy = load_policy(tmp_path / "etc" / "policy.toml")
    assert set(policy.keys) == {f"gpg-{owner[-16:]}", "bob"}
    (rule,) = policy.projects
    assert {each.key.keyid for each in rule.owners} == {owner, second}
    files = {path.name for path in tmp_path.glob("etc/keys/*")}
    assert files == (set() if inline else {f"gpg-{owner[-16:]}.json", "bob.json"})
    # The same key again, for another project, and under a name that is another's.
    assert trust("add", "other", "--gpg", owner, *home) == 0
    assert trust("add", "third", "--gpg", f"bob={ring.key('third', 'ed25519')}", *home) == 2
    assert "--gpg NAME=FINGERPRINT" in capsys.readouterr().err
    assert trust("add", "third", "--gpg", owner, "--gpg", owner, *home) == 2


@pytest.mark.accepts("K6")
@pytest.mark.parametrize("inline", [(), ("--inline",)], ids=["file", "inline"])
def test_trust_add_takes_the_json_of_in_toto(
    inline: tuple[str, ...], trust: Callable[..., int], tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "alice.json").write_text(json.dumps(OWNER.described()), encoding="ascii")
    assert trust("add", "demo", "--key", folder / "alice.json", *inline) == 0
    policy = load_policy(tmp_path / "etc" / "policy.toml")
    assert policy.keys["alice"].key.subkeys[0].keyid == OWNER.subkeys[0].keyid
    assert (tmp_path / "etc" / "keys" / "alice.json").exists() == (not inline)
    assert trust("revoke", folder / "alice.json", "--reason", "stolen", *inline) == 0
    (revoked,) = load_policy(tmp_path / "etc" / "policy.toml").revoked
    assert revoked.identities == policy.keys["alice"].identities
    assert len(revoked.identities) == 2
    assert trust("list") == 0


@pytest.mark.rejects("K6")
@pytest.mark.parametrize("inline", [(), ("--inline",)], ids=["file", "inline"])
def test_trust_add_does_not_take_an_earlier_state_of_a_key_for_the_current_one(
    inline: tuple[str, ...],
    trust: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "alice.json"
    path.write_text(json.dumps(OWNER.described()), encoding="ascii")
    assert trust("add", "demo", "--key", path, *inline) == 0
    assert trust("add", "other", "--key", path, *inline) == 0
    for later in (replace(OWNER, subkeys=()), replace(OWNER, validity=86_400)):
        path.write_text(json.dumps(later.described()), encoding="ascii")
        assert trust("add", "third", "--key", path, *inline) == 2
        assert "alice, but not as it is given now" in " ".join(capsys.readouterr().err.split())
    # The same key in PEM, with which none of its OpenPGP signatures would verify.
    path.write_bytes(key(OWNER.name).public_pem())
    assert trust("add", "third", "--key", path, *inline) == 2
    # By its name it is what the policy has.
    assert trust("add", "third", "--key", "alice") == 0
    assert trust("revoke", path, "--reason", "in any form") == 0


@pytest.mark.rejects("K6")
def test_trust_says_which_keys_have_expired(
    trust: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alice.json"
    path.write_text(json.dumps(replace(OWNER, validity=86_400).described()), encoding="ascii")
    assert trust("add", "demo", "--key", path) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"the OpenPGP key {OWNER.keyid} counts for nothing: it expired on 2024-01-02" in said
    assert trust("list") == 0
    assert ", expired on 2024-01-02" in capsys.readouterr().out


def test_trust_add_needs_a_key(
    trust: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo") == 2
    assert "--gpg FINGERPRINT" in capsys.readouterr().err
    assert trust("add", "demo", "--gpg", "alice") == 2
    assert "40 hex digits" in capsys.readouterr().err


@pytest.mark.rejects("K6")
def test_trust_add_says_what_is_wrong_with_a_json_key(
    trust: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alice.json"
    for content in ("{", "{}", json.dumps(OWNER.described() | {"keyval": {"public": {"q": "ab"}}})):
        path.write_text(content, encoding="ascii")
        assert trust("add", "demo", "--key", path) == 2
        assert "cannot be used" in capsys.readouterr().err
    escaped = json.dumps(OWNER.described()).replace("eddsa", "\\u0065ddsa", 1)
    path.write_text(escaped, encoding="ascii")
    assert trust("add", "demo", "--key", path, "--inline") == 2
    assert "as it is" in capsys.readouterr().err


# --- verify -----------------------------------------------------------------------------------


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
def test_verify_takes_a_layout_key_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = CHAINS / "openpgp-metablock"
    (wheel,) = stored.glob("*.whl")
    shutil.copy(wheel, tmp_path)
    for line in wheel.with_name(f"{wheel.name}.intoto.jsonl").read_text("ascii").splitlines():
        document = json.loads(line)
        (tmp_path / document.pop("name")).write_text(json.dumps(document), encoding="ascii")
    (key,) = (stored / "keys").glob("*.json")
    words = ["verify", "--layout", tmp_path / "root.layout", "--link-dir", tmp_path]
    words += [tmp_path / wheel.name, "--layout-key"]
    assert main([*map(str, words), str(key)]) == 0
    other = tmp_path / "other.json"
    other.write_text(json.dumps(OpenPGPKey(name="nobody").described()), encoding="ascii")
    assert main([*map(str, words), str(other)]) == 1
    assert "layout-signature-missing" in capsys.readouterr().out
    other.write_text(json.dumps(OpenPGPKey(name="x").described() | {"method": "pgp+x"}))
    assert main([*map(str, words), str(other)]) == 2
    assert "not supported" in capsys.readouterr().err


@pytest.mark.rejects("K6", "L9")
def test_verify_takes_no_subkey_beside_its_master(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", "--layout", tmp_path / "root.layout", "--link-dir", tmp_path]
    for name, of in (("master", OWNER), ("subkey", OWNER.subkeys[0])):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(of.described()), encoding="ascii")
        words += ["--layout-key", path]
    (tmp_path / "root.layout").write_text(json.dumps(openpgp.sign({"_type": "layout"}, [OWNER])))
    assert main([*map(str, words)]) == 2
    assert "subkey.json and master.json are of one OpenPGP key" in capsys.readouterr().err


def test_gpg_needs_a_layout(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--gpg", "ab" * 20], ["--gpg-home", "x"]):
        assert main(["verify", *words]) == 2
        assert "needs --layout" in capsys.readouterr().err


# --- policies ---------------------------------------------------------------------------------


@pytest.mark.accepts("K6")
@pytest.mark.rejects("K6")
def test_a_policy_knows_subkeys_as_their_masters(tmp_path: Path) -> None:
    path = openpgp.write_policy(tmp_path, "demo", [OWNER, OWNER.subkeys[0]])
    text = path.read_text("ascii")
    with pytest.raises(PolicyInvalid, match="the same key as"):
        load_policy(path)
    principal = 'principal = "alice"\n'
    path.write_text(text.replace('.json"\n', f'.json"\n{principal}'), encoding="ascii")
    policy = load_policy(path)
    assert {key.principal for key in policy.keys.values()} == {"alice"}
    assert policy.keys["pgp-owner"].identities[1] == policy.keys["pgp-sub"].identity
