"""``lock``: who vouches for each project, pinned in the lock, and held against later ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.sigstore import GOOGLE, Sigstore, provenance, statement
from fixtures.supply_chain import SupplyChain, write_policy
from pip_intoto.cli import BLOCKED, FAILED
from tests.integration.loopback import Index, Status
from tests.unit.cli import shells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.distributions import Built

DEMO, NEWER, OTHER, OTHER_NEWER, OTHER_OLDER = (
    wheel("demo"),
    wheel("demo", "1.1"),
    wheel("other"),
    wheel("other", "1.1"),
    wheel("other", "0.9"),
)
LOCK = Path("pylock.toml")
SIGSTORE = Sigstore()
RELEASE = {"repository": "acme/other", "workflow": "release.yml", "ref": "refs/tags/v1.0"}
EVIL = {"repository": "evil/other", "workflow": "release.yml", "ref": "refs/tags/v1.0"}
PINNED = 'repository = "acme/other"'

pytestmark = pytest.mark.usefixtures("user_policy")


class Shell(shells.Shell):
    def lock(self, *words: object) -> int:
        return self.run("lock", "--policy", "policy/policy.toml", *words)

    def verify(self, *words: object) -> dict[str, str]:
        """Give the reason of each file."""
        options = ("--policy", "policy/policy.toml", "--format", "json", "--no-cache")
        self.run("verify", *options, *words)
        found: dict[str, str] = {
            each["distribution"]["filename"]: each["reason"]
            for each in json.loads(self.out)["verdicts"]
        }
        return found


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    pytest.importorskip("sigstore")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    policy = write_policy(tmp_path / "policy", [SupplyChain(project="demo")])
    (policy.parent / "trusted_root.json").write_bytes(SIGSTORE.trusted_root())
    add_to_policy('[sigstore]\ntrust-root = "trusted_root.json"\n')
    return Shell(capsys)


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        for built in (DEMO, NEWER):
            running.publish(built, SupplyChain(project="demo"))
        for built in (OTHER, OTHER_NEWER, OTHER_OLDER):
            running.add(built)
        yield running


def add_to_policy(text: str) -> None:
    policy = Path("policy/policy.toml")
    policy.write_text(f"{policy.read_text()}\n{text}")


def attest(index: Index, built: Built, **who: str) -> None:
    published = statement((built.filename, built.data))
    index.attest(
        built,
        json.dumps(provenance([SIGSTORE.attestation(published, **(who or RELEASE))])).encode(),
    )


def lock(index: Index, *wheels: Built, path: Path = LOCK) -> Path:
    text = '# by a test\nlock-version = "1.0"\ncreated-by = "test"\n'
    for built in wheels:
        text += (
            f'\n[[packages]]\nname = "{built.name}"\nversion = "{built.version}"\n'
            f'index = "{index.simple}"\n'
            f'wheels = [{{ url = "{index.url(built)}",'
            f' hashes = {{ sha256 = "{built.sha256}" }} }}]\n'
        )
    path.write_text(text)
    return path


# --- writing ----------------------------------------------------------------------------------


def test_what_the_policy_verified_is_recorded(shell: Shell, index: Index) -> None:
    before = lock(index, DEMO, OTHER).read_text()
    assert shell.lock(LOCK) == 0, shell.err
    after = LOCK.read_text()
    assert 'version = "1.0"\nlayout-keys = ["' in after
    assert after.count("[packages.tool.pip-intoto]") == 1
    assert "demo 1.0: layout key " in shell.out
    assert f"{LOCK}: written" in shell.out
    assert "other 1.0: nothing is recorded" in shell.err
    assert "--first-use other" in shell.err
    assert all(line in after for line in before.splitlines())
    assert shell.verify(LOCK) == {DEMO.filename: "verified", OTHER.filename: "unlisted"}


def test_locking_twice_changes_nothing(shell: Shell, index: Index) -> None:
    attest(index, OTHER)
    lock(index, DEMO, OTHER)
    assert shell.lock(LOCK, "--first-use-all") == 0
    once = LOCK.read_bytes()
    for words in ((), ("--first-use-all",), ("--first-use", "other")):
        assert shell.lock(LOCK, *words) == 0
        assert LOCK.read_bytes() == once
        assert "says so already" in shell.out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_is_not_waited_for(shell: Shell) -> None:
    os.mkfifo(LOCK)
    assert shell.lock(LOCK) == FAILED
    assert f"{LOCK} is not a file" in shell.err


def test_check_writes_nothing(shell: Shell, index: Index) -> None:
    before = lock(index, DEMO).read_bytes()
    assert shell.lock(LOCK, "--check") == BLOCKED
    assert LOCK.read_bytes() == before
    assert "does not say so" in shell.out
    assert shell.lock(LOCK) == 0
    assert shell.lock(LOCK, "--check") == 0


def test_nobody_is_believed_who_is_not_named_unless_the_user_says_so(
    shell: Shell, index: Index
) -> None:
    attest(index, OTHER)
    lock(index, OTHER)
    assert shell.lock(LOCK) == 0
    assert "pip-intoto" not in LOCK.read_text()
    assert shell.lock(LOCK, "--first-use", "Other") == 0, shell.err
    text = LOCK.read_text()
    assert f'kind = "GitHub"\n{PINNED}\nworkflow = "release.yml"\n' in text
    assert "[packages.tool.pip-intoto]" in text
    assert "published by github:acme/other:release.yml" in shell.out
    assert shell.verify(LOCK) == {OTHER.filename: "unlisted"}


def test_who_claims_to_publish_is_not_believed(shell: Shell, index: Index) -> None:
    published = statement((OTHER.filename, b"another file"))
    index.attest(
        OTHER, json.dumps(provenance([SIGSTORE.attestation(published, **RELEASE)])).encode()
    )
    lock(index, OTHER)
    assert shell.lock(LOCK, "--first-use-all") == 0
    assert "pip-intoto" not in LOCK.read_text()
    assert "nobody attested it" in shell.err


def test_an_identity_of_a_kind_that_locks_have_no_word_for_is_recorded(
    shell: Shell, index: Index
) -> None:
    attest(index, OTHER, issuer="https://id.example", subject="a@acme.example")
    lock(index, OTHER)
    assert shell.lock(LOCK, "--first-use-all") == 0
    assert "attestation-identities" not in LOCK.read_text()
    assert 'issuer = "https://id.example", subject = "a@acme.example"' in LOCK.read_text()
    assert shell.verify(LOCK) == {OTHER.filename: "unlisted"}
    attest(index, OTHER, issuer=GOOGLE, subject="a@acme.example")
    assert shell.verify(LOCK) == {OTHER.filename: "signer-changed"}


# --- enforcing --------------------------------------------------------------------------------


@pytest.fixture
def pinned(shell: Shell, index: Index) -> Shell:
    attest(index, OTHER)
    lock(index, OTHER)
    assert shell.lock(LOCK, "--first-use", "other") == 0
    return shell


def test_a_change_of_publisher_is_a_finding_with_both(pinned: Shell, index: Index) -> None:
    attest(index, OTHER, **EVIL)
    assert pinned.verify(LOCK) == {OTHER.filename: "signer-changed"}
    pinned.run("verify", "--policy", "policy/policy.toml", "--no-cache", LOCK)
    assert "acme/other" in pinned.out
    assert "evil/other" in pinned.out
    assert "--first-use other" in pinned.out


def test_a_change_of_publisher_is_not_written(pinned: Shell, index: Index) -> None:
    attest(index, OTHER, **EVIL)
    before = LOCK.read_bytes()
    assert pinned.lock(LOCK) == BLOCKED
    assert pinned.lock(LOCK, "--first-use-all") == BLOCKED
    assert LOCK.read_bytes() == before
    assert "signer-changed" in pinned.out
    # Whoever has asked the project says so.
    assert pinned.lock(LOCK, "--first-use", "other") == 0
    assert 'repository = "evil/other"' in LOCK.read_text()
    assert PINNED not in LOCK.read_text()
    assert "before: published by github:acme/other:release.yml" in pinned.out


def test_an_outage_is_no_reason_to_forget_who_vouched(pinned: Shell, index: Index) -> None:
    before = LOCK.read_bytes()
    index.fault("/integrity/*", Status(500))
    for words in (("--first-use", "other"), ("--first-use-all",)):
        assert pinned.lock(LOCK, *words) == FAILED
        assert "source-unreachable" in pinned.out
        assert LOCK.read_bytes() == before


def test_whoever_is_forgotten_is_named(pinned: Shell, index: Index) -> None:
    index.name_provenance(OTHER, "")
    index.remove(index.provenance_path(OTHER))
    assert pinned.lock(LOCK) == BLOCKED
    assert pinned.lock(LOCK, "--first-use", "other") == 0
    assert PINNED not in LOCK.read_text()
    assert "other 1.0: nothing is recorded any more: nobody attested it" in pinned.out
    assert "before: published by github:acme/other:release.yml" in pinned.out


def test_a_pinned_file_without_an_attestation_is_a_downgrade(pinned: Shell, index: Index) -> None:
    index.name_provenance(OTHER, "")
    index.remove(index.provenance_path(OTHER))
    assert pinned.verify(LOCK) == {OTHER.filename: "evidence-downgrade"}
    text = LOCK.read_text()
    LOCK.write_text(text[: text.index("[packages.tool.pip-intoto]")])
    assert pinned.verify(LOCK) == {OTHER.filename: "attestation-missing"}


@pytest.mark.parametrize(
    "source",
    [
        'vcs = { type = "git", url = "https://git.example/o", commit-id = "0" }',
        'directory = { path = "other" }',
    ],
)
def test_where_there_is_no_file_nobody_can_have_attested_it(pinned: Shell, source: str) -> None:
    text = re.sub("(?m)^wheels = .*$", source, LOCK.read_text())
    text = re.sub("(?m)^index = .*\n", "", text)
    LOCK.write_text(text)
    assert pinned.run("verify", "--policy", "policy/policy.toml", LOCK) == BLOCKED
    assert "unverifiable" in pinned.out
    assert "pylock.toml:5 pins who attests other" in " ".join(pinned.out.split())
    assert pinned.lock(LOCK) == BLOCKED
    assert LOCK.read_text() == text


@pytest.mark.parametrize("code", ["evidence-downgrade", "attestation-missing"])
def test_missing_evidence_can_be_excepted_with_owner_and_expiry(
    pinned: Shell, index: Index, code: str
) -> None:
    index.name_provenance(OTHER, "")
    index.remove(index.provenance_path(OTHER))
    if code == "attestation-missing":
        text = LOCK.read_text()
        LOCK.write_text(text[: text.index("[packages.tool.pip-intoto]")])
    add_to_policy(
        f'[[exception]]\nproject = "other"\nwaives = ["{code}"]\nreason = "they moved"\n'
        'owner = "alice"\nexpires = 2999-01-01\n'
    )
    assert pinned.verify(LOCK) == {OTHER.filename: "exempt"}
    # An exception is no evidence: what was recorded stays.
    before = LOCK.read_bytes()
    assert pinned.lock(LOCK) == 0
    assert LOCK.read_bytes() == before


def test_a_change_of_signer_cannot_be_waived_in_part(pinned: Shell) -> None:
    add_to_policy(
        '[[exception]]\nproject = "other"\nwaives = ["signer-changed"]\nreason = "no"\n'
        'owner = "alice"\nexpires = 2999-01-01\n'
    )
    assert pinned.run("verify", "--policy", "policy/policy.toml", LOCK) == FAILED
    assert "policy-invalid" in pinned.err


def test_whom_the_policy_revokes_is_neither_believed_nor_recorded(
    shell: Shell, index: Index
) -> None:
    attest(index, OTHER)
    lock(index, OTHER)
    unpinned = LOCK.read_bytes()
    assert shell.lock(LOCK, "--first-use-all") == 0
    add_to_policy('[[revoked]]\npublisher = "github:acme/other:release.yml"\nreason = "stolen"\n')
    assert shell.verify(LOCK) != {OTHER.filename: "unlisted"}
    LOCK.write_bytes(unpinned)
    assert shell.lock(LOCK, "--first-use-all") == 0
    assert LOCK.read_bytes() == unpinned
    assert "nobody attested it" in shell.err


def test_the_publisher_of_a_listed_project_is_recorded_where_the_user_says_so(
    shell: Shell, index: Index
) -> None:
    attest(index, DEMO)
    lock(index, DEMO)
    assert shell.lock(LOCK) == 0
    assert "attestation-identities" not in LOCK.read_text()
    assert shell.lock(LOCK, "--first-use", "demo") == 0
    assert PINNED in LOCK.read_text()
    assert "layout-keys" in LOCK.read_text()
    assert shell.verify(LOCK) == {DEMO.filename: "verified"}
    attest(index, DEMO, **EVIL)
    assert shell.verify(LOCK) == {DEMO.filename: "signer-changed"}


# --- the next lock ----------------------------------------------------------------------------


def test_what_an_older_lock_recorded_is_taken_over(pinned: Shell, index: Index) -> None:
    LOCK.rename("pylock.old.toml")
    attest(index, OTHER_NEWER)
    lock(index, OTHER_NEWER)
    assert pinned.lock(LOCK, "--from", "pylock.old.toml") == 0, pinned.err
    assert PINNED in LOCK.read_text()
    assert 'version = "1.1"\nidentities' in LOCK.read_text()


def test_an_older_lock_may_be_a_revision(pinned: Shell, index: Index) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@a.example"]
    for words in (["init", "-q"], ["add", "pylock.toml"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    attest(index, OTHER_NEWER, **EVIL)
    before = lock(index, OTHER_NEWER).read_bytes()
    assert pinned.lock(LOCK, "--from", "HEAD:pylock.toml") == BLOCKED
    assert "signer-changed" in pinned.out
    assert LOCK.read_bytes() == before


def test_a_later_release_without_evidence_is_a_downgrade(pinned: Shell, index: Index) -> None:
    LOCK.rename("pylock.old.toml")
    lock(index, OTHER_NEWER)
    assert pinned.lock(LOCK, "--from", "pylock.old.toml") == BLOCKED
    assert "evidence-downgrade" in pinned.out
    assert "other 1.0 came with evidence, and 1.1 comes with none" in pinned.out.replace("\n", " ")


def test_who_another_tool_says_has_published_does_not_replace_who_did_before(
    pinned: Shell, index: Index
) -> None:
    LOCK.rename("pylock.old.toml")
    attest(index, OTHER_NEWER, **EVIL)
    before = lock(index, OTHER_NEWER)
    before.write_text(
        f'{before.read_text()}[[packages.attestation-identities]]\nkind = "GitHub"\n'
        'repository = "evil/other"\nworkflow = "release.yml"\n'
    )
    text = before.read_bytes()
    assert pinned.lock(LOCK, "--from", "pylock.old.toml") == BLOCKED
    assert "signer-changed" in pinned.out
    assert LOCK.read_bytes() == text


def test_an_older_release_is_not_judged_by_what_came_later(pinned: Shell, index: Index) -> None:
    LOCK.rename("pylock.old.toml")
    lock(index, OTHER_OLDER)
    assert pinned.lock(LOCK, "--from", "pylock.old.toml") == 0
    assert 'version = "1.0"\nidentities' in LOCK.read_text()
    assert pinned.verify(LOCK) == {OTHER_OLDER.filename: "unlisted"}


def test_a_layout_by_another_key_is_a_change_as_well(shell: Shell, index: Index) -> None:
    lock(index, DEMO)
    assert shell.lock(LOCK) == 0
    text = re.sub('(?<=layout-keys = \\[").', lambda digit: "10"[digit[0] == "1"], LOCK.read_text())
    LOCK.write_text(text)
    assert shell.verify(LOCK) == {DEMO.filename: "signer-changed"}


def test_a_listed_project_whose_evidence_is_gone_is_a_downgrade(shell: Shell, index: Index) -> None:
    lock(index, DEMO)
    assert shell.lock(LOCK) == 0
    index.remove(f"/files/{DEMO.filename}.intoto.jsonl")
    assert shell.verify(LOCK) == {DEMO.filename: "evidence-downgrade"}


def test_a_rule_that_asks_for_a_layout_and_for_an_attestation_asks_for_both(
    shell: Shell, index: Index
) -> None:
    policy = Path("policy/policy.toml")
    text = policy.read_text()
    rule = 'require = ["publish"]\nidentities = ["release"]\n'
    text = text.replace("layout-keys", rule + "layout-keys", 1)
    policy.write_text(text + '[identities.release]\npublisher = "github:acme/other:release.yml"\n')
    lock(index, DEMO)
    assert shell.verify(LOCK) != {DEMO.filename: "verified"}
    attest(index, DEMO)
    assert shell.verify(LOCK) == {DEMO.filename: "verified"}
    attest(index, DEMO, **EVIL)
    assert shell.verify(LOCK) == {DEMO.filename: "identity-repository-mismatch"}
    attest(index, DEMO)
    index.remove(f"/files/{DEMO.filename}.intoto.jsonl")
    assert shell.verify(LOCK) == {DEMO.filename: "layout-signature-missing"}


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("uv.lock", "uv export --format pylock.toml"),
        ("requirements.txt", "pip lock"),
        ("poetry.lock", "pip lock"),
        ("something.else", "pip lock"),
    ],
)
def test_locks_of_other_formats_are_refused(shell: Shell, name: str, advice: str) -> None:
    Path(name).write_text("")
    assert shell.lock(name) == FAILED
    assert advice in shell.err
    assert not Path(name).read_text()


def test_a_name_that_the_lock_does_not_have_is_a_mistake(shell: Shell, index: Index) -> None:
    before = lock(index, DEMO).read_bytes()
    assert shell.lock(LOCK, "--first-use", "dmeo") == FAILED
    assert "dmeo" in shell.err
    assert LOCK.read_bytes() == before


def test_what_does_not_verify_keeps_the_lock_from_being_written(shell: Shell, index: Index) -> None:
    index.remove(f"/files/{NEWER.filename}.intoto.jsonl")
    attest(index, OTHER)
    before = lock(index, NEWER, OTHER).read_bytes()
    assert shell.lock(LOCK, "--first-use-all") == BLOCKED
    assert "layout-missing" in shell.out
    assert LOCK.read_bytes() == before


def test_what_cannot_be_asked_keeps_the_lock_from_being_written(shell: Shell, index: Index) -> None:
    before = lock(index, DEMO).read_bytes()
    assert shell.lock(LOCK, "--offline") == FAILED
    assert LOCK.read_bytes() == before


def test_the_help_has_examples(shell: Shell) -> None:
    assert shell.run("lock", "--help") == 0
    assert "pip-intoto lock pylock.toml --first-use" in shell.out
