"""The options that say who signs, as all commands have them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg
from pip_intoto.cli.signers import Secrets, add_signer_options, signer_of, signers_of
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.keys import key_files, signing

if TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB = signing.generate(), signing.generate()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    key_files.write_pair(tmp_path / "alice", ALICE)
    key_files.write_pair(tmp_path / "bob", BOB, password="hunter2")
    return tmp_path


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_signer_options(parser)
    parser.add_argument("command", nargs="*")
    return parser.parse_args(words)


def test_signers_come_in_the_order_of_the_command_line() -> None:
    args = parsed("--signing-key", "bob.pem", "--signing-key", "alice.pem", "-P", "hunter2")
    assert [signer.keyid for signer in signers_of(args)] == [BOB.keyid, ALICE.keyid]


def test_one_signer_is_asked_for_and_one_is_given() -> None:
    assert signer_of(parsed("--signing-key", "alice.pem")).keyid == ALICE.keyid
    for words in (
        ["--signing-key", "alice.pem", "--signing-key", "bob.pem"],
        ["--signing-key", "alice.pem", "--gpg"],
        ["-g", "a", "-g", "b"],
    ):
        with pytest.raises(CommandError, match="one key each") as caught:
            signer_of(parsed(*words))
        assert caught.value.found == "2 keys"


def test_somebody_has_to_sign() -> None:
    for function in (signer_of, signers_of):
        with pytest.raises(CommandError, match="nobody signs") as caught:
            function(parsed())
        assert "--signing-key" in caught.value.expected
        assert "keygen" in caught.value.advice


def test_the_options_of_the_reference_stand_before_a_command() -> None:
    args = parsed("-g", "--", "make", "all")
    assert (args.gpg, args.command) == ([""], ["make", "all"])
    args = parsed("--signing-key", "bob.pem", "-P", "--", "make", "all")
    assert (args.password, args.command) == ("", ["make", "all"])


@pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
def test_a_key_of_gnupgs_by_id_and_by_default() -> None:
    with gnupg.keyring() as ring:
        keyid = ring.key("owner", "ed25519")
        home = ["--gpg-home", str(ring.home)]
        args = parsed("--signing-key", "alice.pem", "-g", keyid, "-g", *home)
        assert [signer.keyid for signer in signers_of(args)] == [ALICE.keyid, keyid, keyid]


def test_a_password_comes_from_where_the_options_say(folder: Path) -> None:
    (folder / "password").write_bytes("grüße \r\nand more".encode())
    assert Secrets.of(parsed("-P", "x"))("password") == "x"
    # Spaces may belong to it.
    assert Secrets.of(parsed("--password-file", "password"))("password") == "grüße "
    with pytest.raises(CommandError, match="two passwords"):
        Secrets.of(parsed("-P", "--password-file", "password"))
    with pytest.raises(CommandError, match="the PIN of hsm:2 is needed") as caught:
        Secrets.of(parsed())("PIN of hsm:2")
    assert "--password-file" in caught.value.expected
