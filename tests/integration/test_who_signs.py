"""Every command that signs, with every way to name a key: a file, a URI, a password typed."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg, softhsm
from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto import cli
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.keys import key_files, signing
from pip_intoto.maintainer.keys.signers import open_signer
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.names import BUNDLE_SUFFIX
from pip_intoto.verification.signatures import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pip_intoto.metadata.keys import PublicKey

_ROOT = Path(__file__).parents[2]
VARIABLES = {**os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'hooks'}", "NO_COLOR": "1"}
PASSWORD = "correct horse"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals, and a shell's programs")
needs_softhsm = pytest.mark.skipif(bool(softhsm.missing()), reason=softhsm.missing() or "it is")
needs_gnupg = pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")


# --- the commands --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """A command line that signs, and where what it signed lies then; ``KEY`` is the key."""

    words: str
    #: A pattern, below the working directory.
    signed: str
    prepare: Callable[[Path, str], None] = lambda _folder, _key: None


def _unsigned(folder: Path, _key: str) -> None:
    expires = datetime.now(timezone.utc) + timedelta(days=30)
    step = authoring.step("build", functionaries=[signing.generate()])
    layout = authoring.layout(expires=expires, keys=[], steps=[step])
    layout["steps"][0]["pubkeys"] = []  # type: ignore[call-overload,index]
    (folder / "root.layout").write_text(json.dumps(authoring.sign(layout, [])))


def _source(folder: Path, _key: str) -> None:
    (folder / "supply-chain.toml").write_text(
        'version = 1\nproject = "demo"\nexpires = "30 days"\n'
        '[owners]\nkeys = ["owner"]\n[keys.owner]\npublic = "signer.pub"\n'
        '[keys.ben]\npublic = "ben.pub"\n'
        '[[step]]\nname = "build"\nfunctionaries = ["ben"]\nmaterials = ["DISALLOW *"]\n'
        'products = ["CREATE demo-*.whl", "DISALLOW *"]\n'
    )
    (folder / "ben.pub").write_bytes(key_files.to_pem(signing.generate().public_key))


def _built(folder: Path, key: str) -> None:
    _source(folder, key)
    done = run(folder, "layout", "build", "--signing-key", key, password=True)
    assert done.returncode == 0, done.stderr


def _begun(folder: Path, key: str) -> None:
    done = run(folder, "record", "start", "-n", "edit", "--signing-key", key, password=True)
    assert done.returncode == 0, done.stderr


def _link(folder: Path, _key: str) -> None:
    link = authoring.sign(authoring.link("build"), [signing.generate()])
    (folder / "other.link").write_text(json.dumps(link))


def _published(folder: Path, _key: str) -> None:
    chain = SupplyChain(project="demo")
    path = wheel("demo").write(folder)
    path.with_name(path.name + BUNDLE_SUFFIX).write_bytes(chain.bundle(wheel("demo")))
    (owner,) = chain.owners
    (folder / "owner.pub").write_bytes(owner.public_pem())
    (folder / "policy.toml").write_text(
        'version = 1\n[keys.owner]\npublic = "owner.pub"\n'
        '[[project]]\nname = "demo"\nlayout-keys = ["owner"]\n'
    )


def _built_wheel(folder: Path, _key: str) -> None:
    wheel("demo").write(folder)


COMMANDS = {
    "attest": Signs(
        words="attest --test-result PASSED --signing-key KEY demo-1.0-py3-none-any.whl",
        signed="test-result.*.json",
        prepare=_built_wheel,
    ),
    "verify": Signs(
        words="verify demo-1.0-py3-none-any.whl --policy policy.toml --no-cache"
        " --format attestation -o result.jsonl --signing-key KEY",
        signed="result.jsonl",
        prepare=_published,
    ),
    "run": Signs(words="run -n build --signing-key KEY -x", signed="build.*.link"),
    "record start": Signs(
        words="record start -n edit --signing-key KEY", signed=".edit.*.link-unfinished"
    ),
    "record stop": Signs(
        words="record stop -n edit --signing-key KEY", signed="edit.*.link", prepare=_begun
    ),
    "sign": Signs(words="sign -f root.layout -k KEY", signed="root.layout", prepare=_unsigned),
    "sign a link": Signs(words="sign -f other.link -k KEY", signed="build.*.link", prepare=_link),
    "layout build": Signs(
        words="layout build --signing-key KEY --force", signed="root.layout", prepare=_source
    ),
    "layout renew": Signs(
        words="layout renew --expires 2098-01-01 --signing-key KEY root.layout",
        signed="root.layout",
        prepare=_built,
    ),
}
#: What the others do besides is tested elsewhere.
_OFTEN = {"run", "sign", "layout build"}
every_command = pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=() if name in _OFTEN else pytest.mark.matrix) for name in COMMANDS],
)


def words_of(command: str, key: str) -> list[str]:
    return [key if word == "KEY" else word for word in COMMANDS[command].words.split()]


def run(
    folder: Path, *words: str, password: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal; with the password, where one is needed."""
    more = ("--password-file", "../password") if password else ()
    return subprocess.run(
        [sys.executable, "-m", "pip_intoto", *words, *more],
        cwd=folder,
        env={**VARIABLES, **variables},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def check_signed(folder: Path, command: str, key: PublicKey) -> None:
    """See that what the command wrote has this key's signature."""
    (path,) = folder.glob(COMMANDS[command].signed)
    if command == "verify":
        envelope = parse_envelope(path.read_bytes(), of_statement=True, limits=DEFAULT)
    else:
        envelope = documents.load(path).envelope
    assert [signing.key for signing in Keyring([key]).signings(envelope)] == [key]


def test_every_command_with_an_option_for_a_private_key_is_looked_at_here() -> None:
    """`keygen --from` shows a public key, and has tests of its own."""
    package = "pip_intoto.cli"
    lines = [[name] for name in cli.COMMANDS]
    for group in ("layout", "record"):
        lines += [[group, each] for each in import_module(f"{package}.{group}").COMMANDS]
    found = set()
    for words in lines:
        parser = argparse.ArgumentParser()
        cli.load(words[-1], ".".join([package, *words[:-1]])).configure(parser)
        if "--password-file" in parser._option_string_actions:
            found.add(" ".join(words))
    assert found - {"keygen"} == {name.removesuffix(" a link") for name in COMMANDS}


# --- the ways ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return work


def encrypted(folder: Path) -> PublicKey:
    key = signing.generate()
    key_files.write_pair(folder / "signer", key, password=PASSWORD)
    return key.public_key


@every_command
def test_the_password_of_an_encrypted_key_is_asked_for_on_a_terminal(
    command: str, folder: Path
) -> None:
    from tests.integration.terminals import converse

    key = encrypted(folder)
    COMMANDS[command].prepare(folder, "signer.pem")
    program = [sys.executable, "-m", "pip_intoto", *words_of(command, "signer.pem")]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    wrong = converse(program, ["battery staple"], cwd=folder, variables=VARIABLES)
    assert wrong.status == 2
    assert "not the key's password" in wrong.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    done = converse(program, [PASSWORD], cwd=folder, variables=VARIABLES)
    assert done.status == 0, done.err
    assert "Password of signer.pem: " in done.screen
    assert PASSWORD not in done.screen + done.out + done.err
    check_signed(folder, command, key)


@every_command
def test_without_a_terminal_the_password_comes_out_of_a_file_or_nothing_is_written(
    command: str, folder: Path
) -> None:
    key = encrypted(folder)
    COMMANDS[command].prepare(folder, "signer.pem")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    refused = run(folder, *words_of(command, "signer.pem"))
    assert refused.returncode == 2
    assert "there is no terminal to ask for it" in refused.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    done = run(folder, *words_of(command, "signer.pem"), password=True)
    assert done.returncode == 0, done.stderr
    check_signed(folder, command, key)


@every_command
def test_the_uri_of_a_file_is_a_key(command: str, folder: Path) -> None:
    key = signing.generate()
    key_files.write_pair(folder / "signer", key)
    COMMANDS[command].prepare(folder, "file2:signer.pem")
    done = run(folder, *words_of(command, "file2:signer.pem"))
    assert done.returncode == 0, done.stderr
    check_signed(folder, command, key.public_key)


@needs_softhsm
@every_command
def test_the_uri_of_a_hardware_module_is_a_key(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = softhsm.module()
    for name, value in module.variables.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(VARIABLES, name, value)
    (folder.parent / "password").write_text(softhsm.PIN + "\n")
    key = open_signer(module.uri(), lambda _: softhsm.PIN).public_key
    (folder / "signer.pub").write_bytes(key_files.to_pem(key))
    COMMANDS[command].prepare(folder, module.uri())
    done = run(folder, *words_of(command, module.uri()), password=True)
    assert done.returncode == 0, done.stderr
    check_signed(folder, command, key)


@contextmanager
def keyring() -> Iterator[tuple[gnupg.Keyring, PublicKey]]:
    from pip_intoto import gnupg as ours

    with gnupg.keyring() as ring:
        keyid = ring.key("signer", "ed25519")
        yield ring, ours.public_key(keyid, str(ring.home))


@needs_gnupg
@every_command
def test_the_uri_of_gnupg_is_a_key(command: str, folder: Path) -> None:
    with keyring() as (ring, key):
        run(folder, "keygen", "signer", "--from", f"gnupg:{ring.home}")
        COMMANDS[command].prepare(folder, f"gnupg:{ring.home}")
        done = run(folder, *words_of(command, f"gnupg:{ring.home}"))
        assert done.returncode == 0, done.stderr
        check_signed(folder, command, key)


#: With libraries that are not here, or servers that nobody reaches.
ELSEWHERE = ["awskms:key", "gcpkms:projects/p", "azurekms:vault/key", "hv:owner"]


@every_command
@pytest.mark.parametrize("uri", ELSEWHERE)
def test_what_cannot_be_reached_is_said_and_nothing_is_written(
    command: str, uri: str, folder: Path
) -> None:
    encrypted(folder)
    COMMANDS[command].prepare(folder, "signer.pem")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = run(folder, *words_of(command, uri), PATH=os.defpath)
    assert done.returncode == 2
    assert uri in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
