"""``pip-intoto keygen``, from the command line to the files; passwords on a real terminal."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg, softhsm
from pip_intoto.cli import main
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.keys import key_files
from pip_intoto.metadata.keys import identity, load_public
from pip_intoto.policy.file import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.maintainer.keys import signing
    from tests.integration.terminals import Session

ROOT = Path(__file__).parents[3]
VARIABLES = {
    **os.environ,
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}",
    "NO_COLOR": "1",
}
needs_terminals = pytest.mark.skipif(os.name != "posix", reason="needs POSIX terminals")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
needs_softhsm = pytest.mark.skipif(bool(softhsm.missing()), reason=softhsm.missing() or "it is")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def opened(path: str, password: str = "") -> signing.SigningKey:
    def ask(what: str) -> str:
        assert password, what
        return password

    return key_files.open_private(Path(path), ask)


@pytest.mark.parametrize(
    ("options", "scheme"),
    [
        ([], "ed25519"),
        (["--type", "ecdsa"], "ecdsa-sha2-nistp256"),
        (["--type", "ecdsa", "--size", "521"], "ecdsa-sha2-nistp521"),
        (["--type", "rsa", "--size", "2048"], "rsassa-pss-sha256"),
        (["--type", "ml-dsa"], "ml-dsa-65/1"),
        (["--type", "ml-dsa", "--size", "87"], "ml-dsa-87/1"),
    ],
)
def test_a_key_of_each_kind(
    options: list[str], scheme: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", "keys/owner", "--no-password", *options]) == 0
    assert names(folder / "keys") == ["owner.pem", "owner.pub"]
    key = opened("keys/owner.pem")
    assert key.scheme == scheme
    shown = capsys.readouterr()
    public = load_public(Path("keys/owner.pub").read_bytes(), limits=DEFAULT)
    assert public == key.public_key
    assert f"sha256:{identity(public)}" in shown.out
    assert key.keyid in shown.out
    assert "(not encrypted)" in shown.out
    assert "init --owner keys/owner.pub" in shown.err
    assert "warning" not in shown.err


def test_the_fingerprint_is_the_one_that_trust_add_shows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = folder / "policy.toml"
    assert main(["keygen", "owner", "--no-password"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "sha256:" in line]
    assert main(["trust", "add", "demo", "--key", "owner.pub", "--policy", str(policy)]) == 0
    assert line in capsys.readouterr().err
    assert load_policy(policy).keys["owner"].identity in line


def test_a_directory_that_is_missing_is_made_and_is_private(folder: Path) -> None:
    assert main(["keygen", "a/b/owner", "--no-password"]) == 0
    if os.name == "posix":
        assert stat.S_IMODE((folder / "a" / "b").stat().st_mode) == 0o700
    assert names(folder / "a" / "b") == ["owner.pem", "owner.pub"]


@pytest.mark.parametrize("present", ["owner.pem", "owner.pub"])
def test_nothing_is_overwritten_and_nobody_is_asked_in_vain(
    present: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / present).write_text("precious")
    assert main(["keygen", "owner", "-P"]) == 2
    assert f"{present} exists already" in capsys.readouterr().err
    assert names(folder) == [present]
    assert (folder / present).read_text() == "precious"


# --- passwords ------------------------------------------------------------------------------------


def test_in_a_script_somebody_has_to_decide(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", "owner"]) == 2
    shown = capsys.readouterr().err
    assert "shall the private key have a password?" in shown
    assert "--no-password" in shown
    assert "--password-file" in shown
    assert names(folder) == []


def test_a_password_out_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "password").write_text("hunter2\nnot this\n")
    assert main(["keygen", "owner", "--password-file", "password"]) == 0
    assert "(encrypted)" in capsys.readouterr().out
    assert opened("owner.pem", "hunter2").keyid


def test_a_password_on_the_command_line_is_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["keygen", "owner", "-P", "hunter2"]) == 0
    shown = capsys.readouterr()
    assert "hunter2" not in shown.out + shown.err
    assert opened("owner.pem", "hunter2").keyid


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--no-password", "-P", "x"], "a password, or --no-password"),
        (["-P", "x", "--password-file", "empty"], "there are two passwords"),
        (["--password-file", "empty"], "no password in its first line"),
        (["--password-file", "binary"], "no password in its first line"),
        (["--password-file", "none"], "none cannot be read"),
        (["--no-password", "--size", "1"], "ed25519 keys are not made in size 1"),
        (["--no-password", "--from", "x.pem"], "--no-password are for new keys"),
        (["--type", "rsa", "--gpg"], "--no-password are for new keys"),
        (["--from", "x.pem", "--gpg"], "one key at a time"),
    ],
)
def test_what_contradicts_itself_makes_no_key(
    options: list[str], problem: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").write_text("\nhunter2\n")
    (folder / "binary").write_bytes(b"\xff\n")
    assert main(["keygen", "owner", *options]) == 2
    assert problem in capsys.readouterr().err
    assert names(folder) == ["binary", "empty"]


def on_a_terminal(folder: Path, *words: str, answers: list[str]) -> Session:
    # Not at the top: it needs modules that are POSIX's.
    from tests.integration.terminals import converse

    command = [sys.executable, "-m", "pip_intoto", *words]
    return converse(command, answers, cwd=folder, variables=VARIABLES)


@needs_terminals
def test_on_a_terminal_a_password_is_asked_for_twice_and_never_shown(folder: Path) -> None:
    session = on_a_terminal(folder, "keygen", "owner", answers=["hunter2", "hunter2"])
    assert session.status == 0, session.err
    assert session.screen.count("Password for owner.pem (empty for none): ") == 1
    assert session.screen.count("The same password again: ") == 1
    assert "hunter2" not in session.screen + session.out + session.err
    assert "(encrypted)" in session.out
    assert opened("owner.pem", "hunter2").keyid


@needs_terminals
def test_an_empty_answer_means_no_password(folder: Path) -> None:
    session = on_a_terminal(folder, "keygen", "../" + folder.name + "/owner", answers=[""])
    assert session.status == 0, session.err
    assert "(not encrypted)" in session.out
    assert opened("owner.pem").keyid


@needs_terminals
def test_two_different_passwords_make_no_key(folder: Path) -> None:
    session = on_a_terminal(folder, "keygen", "owner", answers=["hunter2", "hunter3"])
    assert session.status == 2
    assert "the two passwords differ" in session.err
    assert names(folder) == []


@needs_terminals
def test_ctrl_c_at_the_prompt_leaves_nothing(folder: Path) -> None:
    session = on_a_terminal(folder, "keygen", "owner", answers=["\x03"])
    assert session.status == 130
    assert "Traceback" not in session.err
    assert names(folder) == []


@needs_terminals
def test_the_end_of_input_at_the_prompt_is_an_error(folder: Path) -> None:
    session = on_a_terminal(folder, "keygen", "owner", answers=["\x04"])
    assert session.status == 2
    assert "no terminal to ask for a password" in session.err
    assert names(folder) == []


def test_where_nothing_can_be_hidden_nothing_is_asked(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip_intoto", "keygen", "owner", "-P"],
        cwd=folder,
        env=VARIABLES,
        check=False,
        capture_output=True,
        text=True,
        input="hunter2\nhunter2\n",
        start_new_session=True,
    )
    assert done.returncode == 2
    assert "no terminal to ask for a password" in done.stderr
    assert names(folder) == []


# --- git ------------------------------------------------------------------------------------------


@needs_git
def test_a_key_that_git_would_take_is_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "-q", folder], check=True)
    assert main(["keygen", "keys/owner", "--no-password", "-q"]) == 0
    assert "keys/owner.pem lies in a git repository" in capsys.readouterr().err
    (folder / ".gitignore").write_text("*.pem\n")
    assert main(["keygen", "keys/other", "--no-password"]) == 0
    assert "warning" not in capsys.readouterr().err


# --- the public part of a key that is there ------------------------------------------------------


def test_the_public_part_of_a_private_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen", "owner", "-P", "hunter2"]) == 0
    before = (folder / "owner.pub").read_bytes()
    (folder / "owner.pub").unlink()
    assert main(["keygen", "owner", "--from", "owner.pem", "-P", "hunter3"]) == 2
    assert "not the key's password" in capsys.readouterr().err
    assert main(["keygen", "owner", "--from", "owner.pem", "-P", "hunter2"]) == 0
    assert (folder / "owner.pub").read_bytes() == before
    assert main(["keygen", "owner", "--from", "owner.pem", "-P", "hunter2"]) == 2
    assert "exists already" in capsys.readouterr().err


@needs_softhsm
def test_the_public_part_of_a_key_in_a_hardware_module(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = softhsm.module()
    for name, value in module.variables.items():
        monkeypatch.setenv(name, value)
    assert main(["keygen", "owner", "--from", module.uri()]) == 0
    assert names(folder) == ["owner.pub"]
    assert key_files.read_public(folder / "owner.pub").scheme == "ecdsa-sha2-nistp256"
    # This one is shown only after the PIN.
    assert main(["keygen", "hidden", "--from", module.uri(softhsm.HIDDEN)]) == 2
    assert main(["keygen", "hidden", "--from", module.uri(softhsm.HIDDEN), "-P", "4711"]) == 0


@pytest.fixture
def ring() -> Iterator[gnupg.Keyring]:
    with gnupg.keyring() as ring:
        yield ring


@needs_gnupg
def test_the_public_part_of_a_key_of_gnupgs(folder: Path, ring: gnupg.Keyring) -> None:
    master = ring.key("owner", "ed25519", usage="cert,sign")
    subkey = ring.subkey(master, "ed25519")
    home = str(ring.home)
    # With or without its id, and by its subkey: it is the master that owners are known by.
    for name, options in (
        ("a", ["--gpg", master, "--gpg-home", home]),
        ("b", ["--gpg", "--gpg-home", home]),
        ("c", ["--gpg", subkey, "--gpg-home", home]),
        ("d", ["--from", f"gnupg:{home}"]),
    ):
        assert main(["keygen", name, *options]) == 0
        key = key_files.read_public(folder / f"{name}.pub")
        assert (key.keyid, [each.keyid for each in key.subkeys]) == (master, [subkey])
    assert len(names(folder)) == 4
