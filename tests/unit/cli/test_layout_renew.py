"""``pip-intoto layout renew``, from the command line to what consumers and in-toto say of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg
from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.shipped import write_directory
from fixtures.supply_chain import SupplyChain
from pip_intoto.cli import main
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.authoring import Document, Envelope
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.names import BUNDLE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    Renew = Callable[..., int]

OWNER, BOB = key("owner"), key("second-owner")
NOW = datetime.now(timezone.utc)
CHAIN = SupplyChain(project="demo", expires=NOW - timedelta(days=1))
TWO = replace(CHAIN, owners=(OWNER, BOB))
WHEEL = wheel("demo")
WHEN = f"{NOW + timedelta(days=100):%Y-%m-%d}"
WRITTEN = f"{WHEN}T23:59:59Z"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the owners' keys."""
    for name, each in (("owner", OWNER), ("bob", BOB), ("stranger", key("stranger"))):
        (tmp_path / f"{name}.pem").write_bytes(each.private_pem())
        (tmp_path / f"{name}.pub").write_bytes(each.public_pem())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def renew(place: Path) -> Renew:
    assert place.is_dir()

    def run(*arguments: str | Path, expires: str = WHEN) -> int:
        return main(["layout", "renew", "--expires", expires, *map(str, arguments)])

    return run


def published(chain: SupplyChain, folder: Path = Path("public")) -> Path:
    """A wheel with its bundle."""
    folder.mkdir(exist_ok=True)
    WHEEL.write(folder)
    path = folder / (WHEEL.filename + BUNDLE_SUFFIX)
    path.write_bytes(chain.bundle(WHEEL))
    return path


def expiries(bundle: Path) -> list[str]:
    found = [documents.read(line).payload for line in bundle.read_bytes().splitlines()]
    return [f"{each.expires:%Y-%m-%d}" for each in found if isinstance(each, Layout)]


def verifies(chain: SupplyChain, wheel: Path) -> bool:
    policy = chain.policy(Path("policy"))
    return main(["verify", "-q", "--policy", str(policy), str(wheel)]) == 0


def test_a_renewed_project_verifies_again(renew: Renew, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = published(CHAIN)
    wheel_ = Path("public") / WHEEL.filename
    assert not verifies(CHAIN, wheel_)
    capsys.readouterr()

    assert renew("--signing-key", "owner.pem", "public") == 0

    said = capsys.readouterr().out
    assert f"1 file renewed, from {CHAIN.expires:%Y-%m-%dT%H:%M:%SZ} to {WRITTEN}" in said
    assert str(bundle) in said
    assert verifies(CHAIN, wheel_)


def test_a_dry_run_says_the_same_and_writes_nothing(
    renew: Renew, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = published(CHAIN)
    before = bundle.read_bytes()
    assert renew("--dry-run", "--signing-key", "owner.pem", "public") == 0
    assert "1 file would be renewed" in capsys.readouterr().out
    assert bundle.read_bytes() == before


def test_two_owners_one_after_the_other(renew: Renew, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = published(TWO)
    wheel_ = Path("public") / WHEEL.filename

    assert renew("--signing-key", "owner.pem", "--key", "bob.pub", "public") == 0
    said = capsys.readouterr()
    assert "still to sign: bob; until then the old layout stays as well" in said.out
    assert f"--expires {WRITTEN}" in said.err
    assert not verifies(TWO, wheel_)
    assert len(expiries(bundle)) == 2
    capsys.readouterr()

    assert renew("--signing-key", "bob.pem", "public", expires=WRITTEN) == 0
    assert "not checked: the signature of key" in capsys.readouterr().out
    assert verifies(TWO, wheel_)
    assert len(expiries(bundle)) == 2

    assert renew("--signing-key", "bob.pem", "--key", "owner.pub", "public", expires=WRITTEN) == 0
    assert expiries(bundle) == [WHEN]
    assert verifies(TWO, wheel_)


def test_the_owners_in_the_source_are_known(
    renew: Renew, capsys: pytest.CaptureFixture[str]
) -> None:
    published(TWO)
    Path("supply-chain.toml").write_text(
        'version = 1\nproject = "demo"\nexpires = "1 year"\n[owners]\nkeys = ["anna", "bert"]\n'
        '[keys.anna]\npublic = "owner.pub"\n[keys.bert]\npublic = "bob.pub"\n'
        '[[step]]\nname = "build"\nfunctionaries = ["anna"]\n'
    )
    assert renew("--signing-key", "owner.pem", "public") == 0
    assert "still to sign: bert" in capsys.readouterr().out
    Path("supply-chain.toml").write_text("nonsense")
    assert renew("--signing-key", "bob.pem", "public") == 0
    assert "the owners in supply-chain.toml are not known" in capsys.readouterr().err


def test_what_is_not_the_owners_is_refused_by_name_and_the_rest_is_renewed(
    renew: Renew, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = published(CHAIN)
    foreign = Path("public/foreign.intoto.jsonl")
    foreign.write_bytes(replace(CHAIN, owners=(BOB,)).bundle(WHEEL))
    before = foreign.read_bytes()

    assert renew("--signing-key", "owner.pem", "public") == 2

    said = capsys.readouterr()
    assert f"error: {foreign}: key {OWNER.keyid[:8]} never signed a layout here" in said.err
    assert "1 file of 2 stayed" in said.err
    assert expiries(bundle) == [WHEN]
    assert foreign.read_bytes() == before


def test_different_layouts_are_not_renewed_without_a_word(
    renew: Renew, capsys: pytest.CaptureFixture[str]
) -> None:
    published(CHAIN)
    older = authoring.sign({**CHAIN.layout(), "readme": "given up"}, [OWNER])
    Path("public/old.intoto.jsonl").write_bytes(authoring.bundle([Document(older)]))
    assert renew("--signing-key", "owner.pem", "--dry-run", "public") == 0
    said = capsys.readouterr()
    assert said.out.count("1 file would be renewed") == 2
    assert "warning: these are different layouts" in said.err


def test_an_expiry_is_shortened_only_with_shorten(renew: Renew) -> None:
    bundle = published(replace(CHAIN, expires=datetime(2099, 1, 1, tzinfo=timezone.utc)))
    assert renew("--signing-key", "owner.pem", bundle) == 2
    assert expiries(bundle) == ["2099-01-01"]
    assert renew("--shorten", "--signing-key", "owner.pem", bundle) == 0
    assert expiries(bundle) == [WHEN]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--expires", "yesterday", "--signing-key", "owner.pem", "public"], "no expiry"),
        (["--expires", "2020-01-01", "--signing-key", "owner.pem", "public"], "into the past"),
        (["--expires", WHEN, "public"], "nobody signs"),
        (["--expires", WHEN, "--signing-key", "owner.pem", "gone"], "not there"),
        (
            ["--expires", WHEN, "--signing-key", "owner.pem", "--key", "bob.pem", "public"],
            "bob.pem cannot be used",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    place: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    published(CHAIN, place / "public")
    assert main(["layout", "renew", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_sublayouts_are_left_to_their_functionaries(
    renew: Renew, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = published(CHAIN)
    inner = authoring.sign({**CHAIN.layout(), "readme": "inner"}, [CHAIN.builder])
    with bundle.open("ab") as stream:
        stream.write(authoring.bundle([Document(inner, "build.12345678.link")]))
    assert renew("--signing-key", "owner.pem", "public") == 0
    said = capsys.readouterr().out
    assert "left alone: the sublayout for build, which expires before the layout does" in said
    assert expiries(bundle) == [WHEN, f"{CHAIN.expires:%Y-%m-%d}"]


def test_hostile_names_move_no_cursor(renew: Renew, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = Path("public/\x1b[2Jx.intoto.jsonl")
    published(CHAIN).rename(bundle)
    assert renew("--signing-key", "owner.pem", "public") == 0
    assert "\x1b" not in capsys.readouterr().out


def in_toto_verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("in-toto-verify")
    return subprocess.run(
        [program, "--layout", "root.layout", "--link-dir", ".", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("form", list(Envelope), ids=lambda form: form.value)
def test_renewed_layouts_verify_with_in_toto(form: Envelope, place: Path, renew: Renew) -> None:
    chain = replace(TWO, envelope=form)
    folder = write_directory(place / WHEEL.filename, chain.evidence(WHEEL))
    keys = ["--verification-keys", str(place / "owner.pub"), str(place / "bob.pub")]
    expired = in_toto_verify(folder, *keys)
    assert expired.returncode != 0
    assert "expired" in expired.stderr.lower()

    assert renew("--signing-key", "owner.pem", folder) == 0
    assert renew("--signing-key", "bob.pem", "--key", "owner.pub", folder) == 0

    found = in_toto_verify(folder, *keys)
    assert found.returncode == 0, found.stderr
    assert sorted(path.name for path in folder.glob("root.layout*")) == ["root.layout"]


@pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
@pytest.mark.parametrize("form", list(Envelope), ids=lambda form: form.value)
def test_K6_a_layout_signed_with_gnupg_is_renewed_with_gnupg(
    form: Envelope, place: Path, renew: Renew, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_directory(place / WHEEL.filename, CHAIN.evidence(WHEEL))
    path = folder / "root.layout"
    unsigned = authoring.sign(CHAIN.layout(), [], form)
    path.write_text(json.dumps(unsigned))
    with gnupg.keyring() as ring:
        monkeypatch.setenv("GNUPGHOME", str(ring.home))
        fingerprint = ring.key("alice", "rsa2048")
        gpg = ["--gpg", fingerprint, "--gpg-home", str(ring.home)]
        assert main(["sign", "-f", str(path), *gpg]) == 0
        assert renew(*gpg, folder) == 0
        document, layout = documents.load_layout(path)
        assert f"{layout.expires:%Y-%m-%d}" == WHEN
        assert len(document.keyids) == 1
        if form is Envelope.METABLOCK:
            found = in_toto_verify(folder, *gpg)
            assert found.returncode == 0, found.stderr
        plain = ["verify", "--layout", str(path), *gpg, "--link-dir", str(folder)]
        WHEEL.write(place)
        assert main([*plain, WHEEL.filename]) == 0


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_interrupted_while_it_renews_it_leaves_whole_files(place: Path) -> None:
    bundle = published(CHAIN, place / "public")
    for number in range(200):
        shutil.copy(bundle, bundle.with_name(f"demo-{number}.intoto.jsonl"))
    before = bundle.read_bytes()
    command = [sys.executable, "-m", "pip_intoto", "layout", "renew", "--expires", WHEN]
    command += ["--signing-key", "owner.pem", "public"]
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(root), str(root / "hooks")])
    with subprocess.Popen(command, cwd=place, env={**os.environ, "PYTHONPATH": path}) as renewing:
        while bundle.with_name("demo-0.intoto.jsonl").read_bytes() == before:
            assert renewing.poll() in {None, 0}
        renewing.kill()

    bundles = sorted((place / "public").glob("[!.]*.intoto.jsonl"))
    contents = {each.read_bytes() for each in bundles}
    assert len(bundles) == 201
    assert len(contents) <= 2
    assert all(re.fullmatch(rb"(\{.*\}\n){3}", content) for content in contents)
    assert main(["layout", "renew", "-q", *command[5:]]) == 0
    assert {each.read_bytes() for each in bundles}.isdisjoint({before})
