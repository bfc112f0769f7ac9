"""``verify --format attestation`` and ``verify --result``: a run as evidence for a later one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from pip_intoto.metadata.names import BUNDLE_SUFFIX
from tests.unit.cli.shells import Shell

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = wheel("demo")
RESULT = "result.intoto.jsonl"


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    """Give a shell where a run has vouched for one wheel."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    chain = SupplyChain(project="demo")
    chain.policy(tmp_path / "policy")
    path = WHEEL.write(tmp_path)
    path.with_name(path.name + BUNDLE_SUFFIX).write_bytes(chain.bundle(WHEEL))
    for name in ("ci", "other"):
        (tmp_path / f"{name}.pem").write_bytes(key(name).private_pem())
        (tmp_path / f"{name}.pub").write_bytes(key(name).public_pem())
    shell = Shell(capsys)
    words = ("--policy", "policy/policy.toml", "--signing-key", "ci.pem")
    assert shell.run("verify", *words, "--format", "attestation", "-o", RESULT, path) == 0
    assert shell.err == "1 verified\n"
    path.with_name(path.name + BUNDLE_SUFFIX).unlink()
    return shell


def test_a_result_is_evidence_for_the_files_that_it_names(shell: Shell) -> None:
    assert shell.run("verify", "--result", RESULT, "--result-key", "ci.pub", WHEEL.filename) == 0
    assert f"{WHEEL.filename}: verified" in shell.out


def test_a_result_is_evidence_for_what_a_lock_pins(shell: Shell, tmp_path: Path) -> None:
    text = (
        "lock-version = '1.0'\ncreated-by = 'test'\n"
        f"[[packages]]\nname = 'demo'\nversion = '1.0'\nwheels = [{{url ="
        f" 'https://files.example/{WHEEL.filename}', hashes = {{sha256 = '{WHEEL.sha256}'}}}}]\n"
    )
    lock = tmp_path / "pylock.toml"
    words = ("verify", "--result", RESULT, "--result-key", "ci.pub", lock)
    lock.write_text(text)
    assert shell.run(*words) == 0
    lock.write_text(text.replace(WHEEL.sha256, "0" * 64))
    assert shell.run(*words) == 1
    assert "artifact-digest-mismatch" in shell.out


def test_another_key_makes_it_no_evidence(shell: Shell) -> None:
    assert shell.run("verify", "--result", RESULT, "--result-key", "other.pub", WHEEL.filename) == 1
    assert "result-signature-missing" in shell.out
    both = ("--result-key", "ci.pub", "--result-key", "other.pub")
    assert shell.run("verify", "--result", RESULT, *both, WHEEL.filename) == 1


def test_a_changed_file_is_not_the_one_that_it_names(shell: Shell, tmp_path: Path) -> None:
    WHEEL.tampered().write(tmp_path)
    assert shell.run("verify", "--result", RESULT, "--result-key", "ci.pub", WHEEL.filename) == 1
    assert "artifact-digest-mismatch" in shell.out


def test_a_changed_result_is_none(shell: Shell, tmp_path: Path) -> None:
    envelope = json.loads((tmp_path / RESULT).read_bytes())
    payload = envelope["payload"]
    envelope["payload"] = payload[:100] + ("A" if payload[100] != "A" else "B") + payload[101:]
    (tmp_path / RESULT).write_text(json.dumps(envelope))
    assert shell.run("verify", "--result", RESULT, "--result-key", "ci.pub", WHEEL.filename) == 1
    assert "result-signature-missing" in shell.out


def test_a_result_may_be_too_old(shell: Shell) -> None:
    words = ("verify", "--result", RESULT, "--result-key", "ci.pub", WHEEL.filename)
    assert shell.run(*words, "--max-age", "1") == 0
    assert shell.run(*words, "--max-age", "0") == 1
    assert "result-not-current" in shell.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--result-key", "ci.pub"), "nothing to verify"),
        ((WHEEL.filename,), "--result-key"),
        (("--result-key", "none.pub", WHEEL.filename), "none.pub"),
        (("--result-key", "ci.pub", "demo==1.0"), "looked up in an index"),
    ],
)
def test_what_cannot_be_looked_up_is_an_error(
    shell: Shell, words: tuple[str, ...], said: str
) -> None:
    assert shell.run("verify", "--result", RESULT, *words) == 2
    assert said in shell.err


def test_nothing_verified_is_not_attested(shell: Shell, tmp_path: Path) -> None:
    other = wheel("other").write(tmp_path)
    words = ("--policy", "policy/policy.toml", "--signing-key", "ci.pem", other)
    reports = ("--report", "attestation=none.jsonl", "--report", "json=report.json")
    assert shell.run("verify", *words, *reports) == 2
    assert "[nothing-verified]" in shell.err
    assert not (tmp_path / "none.jsonl").exists()
    # The others say what there is to say.
    assert json.loads((tmp_path / "report.json").read_bytes())["counts"]["unlisted"] == 1
    assert f"{other.name}: unlisted" in shell.out
