"""``pip-intoto trust``, from the command line to the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto.policy.file import load_policy
from tests.integration.loopback import Index, Status
from tests.unit.cli.conftest import fingerprint, public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Trust


# --- add ------------------------------------------------------------------------------------


def test_the_first_add_begins_a_policy_in_the_users_place(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo", "--key", "alice.pub") == 0
    rule = load_policy(policy).rule_for("demo")
    assert rule is not None
    assert rule.threshold == 1
    assert (policy.parent / "keys/alice.pub").read_bytes() == public("alice")
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        f"key alice: ed25519, {fingerprint('alice')} ({Path.cwd() / 'alice.pub'})\n"
        f"Created {policy}: demo needs a layout signed by alice.\n"
    )


def test_the_policy_in_force_is_the_one_that_is_changed(
    trust: Trust, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "ci/policy.toml"
    # The variable may name what is to be written now.
    monkeypatch.setenv("INTOTO_POLICY", str(named))
    assert trust("add", "demo", "--key", "alice.pub") == 0
    assert trust("add", "other", "--key", "alice") == 0
    assert [rule.name for rule in load_policy(named).projects] == ["demo", "other"]
    assert not policy.exists()


def test_a_policy_that_is_not_in_force_is_said_to_be_so(
    trust: Trust, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = tmp_path / "ci/policy.toml"
    assert trust("add", "demo", "--key", "alice.pub", "--policy", str(named)) == 0
    assert capsys.readouterr().err.endswith(
        "warning: this policy is not in force here: no policy is; --policy or $INTOTO_POLICY names"
        " it\n"
    )


def test_all_options_reach_the_file(trust: Trust, policy: Path) -> None:
    Path("evidence").mkdir()
    assert (
        trust(
            *("add", "Acme_*", "--key", "alice.pub", "--key", "boss=bob.pub", "--key", "carol.pub"),
            *("--threshold", "2", "--index", "https://pypi.acme.example/simple/"),
            *(
                "--source",
                "beside",
                "--source",
                "https://m.example/{project}",
                "--source",
                "evidence",
            ),
        )
        == 0
    )
    (rule,) = load_policy(policy).projects
    assert (rule.name, rule.threshold) == ("acme-*", 2)
    assert [owner.principal for owner in rule.owners] == ["alice", "boss", "carol"]
    assert rule.index == "https://pypi.acme.example/simple/"
    # A directory is meant from where the command runs, not from where the policy lies.
    assert [source.spelled for source in rule.sources] == [
        "beside",
        "https://m.example/{project}",
        str(Path.cwd() / "evidence"),
    ]


def test_inline_keys_leave_no_files(trust: Trust, policy: Path) -> None:
    assert trust("add", "demo", "--key", "alice.pub", "--inline") == 0
    assert load_policy(policy).files == (policy,)
    assert not (policy.parent / "keys").exists()


#: words, what the message begins with, a part of the advice
REFUSED = [
    (
        ["add", "Listed", "--key", "alice.pub"],
        "error: the policy already has a [[project]] listed, on line ",
        "`pip-intoto trust remove listed` first.",
    ),
    (
        ["add", "demo", "--key", "alice=bob.pub"],
        "error: the policy already has another key named alice",
        "Give this one a name of its own: --key NAME=",
    ),
    (
        ["add", "demo", "--key", "bob.pub", "--key", "b=bob.pub"],
        "error: b=bob.pub is the same key as ",
        "Name each key once: a threshold counts the owners, not the files.",
    ),
    (
        ["add", "demo", "--key", "absent.pub"],
        "error: there is no key file {cwd}/absent.pub\n",
        "  expected: a file, or a key of the policy: alice\n",
    ),
    (
        ["add", "demo", "--key", "notes.txt"],
        "error: {cwd}/notes.txt cannot be used: ",
        "Name the file of the public key.",
    ),
    (
        ["add", "demo", "--key", "bob.pub", "--threshold", "2"],
        "error: the threshold of [[project]] demo cannot be 2\n  expected: 1\n",
        "",
    ),
    (
        ["add", "demo", "--key", "bob.pub", "--source", "besides"],
        "error: 'besides' is not a source\n",
        "",
    ),
    (
        ["add", "demo", "--key", "bob.pub", "--index", "pypi.org"],
        'error: "pypi.org" is not a URL that can be used\n',
        "",
    ),
    (["add", "de mo", "--key", "bob.pub"], 'error: "de mo" is not the name of a project\n', ""),
    (["remove", "other"], "error: the policy has no [[project]] other\n  expected: listed\n", ""),
]


@pytest.mark.parametrize(
    ("words", "begins", "contains"), REFUSED, ids=[" ".join(words) for words, *_ in REFUSED]
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    trust: Trust,
    policy: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    begins: str,
    contains: str,
) -> None:
    Path("notes.txt").write_text("no key", encoding="utf-8")
    trust("add", "listed", "--key", "alice.pub")
    before = {path: path.read_bytes() for path in policy.parent.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert trust(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith(begins.replace("{cwd}", str(Path.cwd())))
    assert contains in error
    after = {path: path.read_bytes() for path in policy.parent.rglob("*") if path.is_file()}
    assert after == before


def test_a_policy_with_a_mistake_is_told_its_line(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.parent.mkdir(parents=True)
    policy.write_text("version = 1\nmoed = 1\n", encoding="utf-8")
    assert trust("add", "demo", "--key", "alice.pub") == 2
    assert capsys.readouterr().err.startswith(
        f"error: {policy}:2: unknown key `moed` in the policy\n"
    )


# --- remove and revoke ----------------------------------------------------------------------


def test_remove_says_what_holds_from_now_on(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust("add", "acme-*", "--key", "alice.pub")
    trust("add", "acme-core", "--key", "bob.pub")
    capsys.readouterr()
    assert trust("remove", "acme_core") == 0
    assert capsys.readouterr().err == (
        f"Changed {policy}: acme-core is no longer listed.\n"
        "acme-core now falls under acme-*, which needs a layout signed by alice.\n"
        "No rule uses these keys any more; they stay in [keys]: bob.\n"
    )
    assert trust("remove", "acme-*") == 0
    assert capsys.readouterr().err == (
        f"Changed {policy}: acme-* is no longer listed.\n"
        'What no rule names is installed unverified (unlisted = "warn").\n'
        "No rule uses these keys any more; they stay in [keys]: alice.\n"
    )
    assert load_policy(policy).projects == ()


def test_revoke_says_which_projects_lack_owners_now(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ["--key", "alice.pub", "--key", "bob.pub"]
    trust("add", "one", *keys, "--threshold", "1")
    trust("add", "two", *keys)
    capsys.readouterr()
    assert trust("revoke", "alice.pub", "--reason", "laptop stolen") == 0
    assert capsys.readouterr().err == (
        f"key alice: ed25519, {fingerprint('alice')}\n"
        f"Changed {policy}: the key is revoked, whether as owner, functionary or in a sublayout.\n"
        "warning: nothing of two will verify until it has new keys: 1 of the 2 principals that it"
        " needs are left\n"
    )
    (revoked,) = load_policy(policy).revoked
    assert revoked.reason == "laptop stolen"
    assert trust("revoke", "alice", "--reason", "again") == 2
    assert "already revoked" in capsys.readouterr().err


def test_a_revoked_key_that_is_trusted_anew_is_pointed_out(
    trust: Trust, capsys: pytest.CaptureFixture[str]
) -> None:
    trust("revoke", "carol.pub", "--reason", "left")
    assert trust("add", "demo", "--key", "carol.pub") == 0
    assert "these keys are revoked, and count for nothing: carol" in capsys.readouterr().err


# --- list -----------------------------------------------------------------------------------


@pytest.fixture
def full(trust: Trust, policy: Path) -> Path:
    trust("add", "demo", "--key", "alice.pub", "--key", "bob.pub")
    trust(
        *("add", "acme-*", "--key", "bob", "--index", "https://pypi.acme.example/simple/"),
        *("--source", "beside", "--source", "https://m.example/{project}"),
    )
    trust("revoke", "carol.pub", "--reason", "left")
    with policy.open("a", encoding="utf-8") as stream:
        stream.write(
            '[[exception]]\nproject = "legacy"\nversion = "<2"\nreason = "no layout before 2"\n'
            'owner = "security@acme.example"\nexpires = 2020-01-31\n'
        )
    return policy


def test_list_shows_the_policy(
    trust: Trust, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert trust("list") == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out == (
        f"""\
{full}: mode enforce, unlisted projects: warn
projects:
  demo    a layout signed by all of alice, bob
  acme-*  a layout signed by bob
          only from https://pypi.acme.example/simple/
          evidence: beside, https://m.example/{{project}}
keys:
  alice  ed25519, {fingerprint("alice")}
  bob    ed25519, {fingerprint("bob")}
exceptions:
  legacy  waives all verification of <2 until 2020-01-31, expired
          no layout before 2 (security@acme.example)
revoked:
  {fingerprint("carol")}
    left
"""
    )


def test_list_shows_who_may_use_the_parameters(
    trust: Trust, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "those who sign sublayouts may use the parameters"
    trust("list")
    assert said not in capsys.readouterr().out
    text = full.read_text()
    full.write_text(
        text.replace('name = "demo"\n', 'name = "demo"\nparameters-in-sublayouts = true\n')
    )
    assert trust("list") == 0
    assert f"all of alice, bob\n          {said}\n" in capsys.readouterr().out
    trust("list", "--format", "json")
    projects = json.loads(capsys.readouterr().out)["projects"]
    assert [each["parameters_in_sublayouts"] for each in projects] == [True, False]


def test_list_as_json_has_a_schema(
    trust: Trust, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert trust("list", "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == 1
    assert report["policy"] == str(full)
    assert report["sha256"] == hashlib.sha256(full.read_bytes()).hexdigest()
    assert [project["name"] for project in report["projects"]] == ["demo", "acme-*"]
    assert report["exceptions"][0]["expires"] == "2020-01-31"
    assert report["revoked"][0]["reason"] == "left"


def test_list_without_a_policy_names_the_places(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("list") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no policy here\n")
    assert str(policy) in error
    assert error.endswith("  [policy-missing]\n")


# --- help -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", "add", "list", "remove", "revoke"])
def test_help_has_examples(trust: Trust, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert trust(*command.split(), "--help") == 0
    shown = capsys.readouterr().out
    assert f"\n  pip-intoto trust {command}" in shown.partition("\nexamples:\n")[2]
    assert all(len(line) <= 100 for line in shown.splitlines())


# --- try ------------------------------------------------------------------------------------

CHAIN = SupplyChain(project="demo")
NEWEST = wheel("demo", "2.0")


@pytest.fixture
def index(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index with two releases of demo, of which only the newest has evidence."""
    with Index() as index:
        index.add(wheel("demo", "1.0"))
        index.publish(NEWEST, CHAIN)
        monkeypatch.setenv("PIP_INDEX_URL", index.simple)
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(variable, raising=False)
        (home.parent / "keys/owner.pub").write_bytes(CHAIN.owners[0].public_pem())
        yield index


@pytest.mark.usefixtures("index")
def test_try_shows_the_verdict_of_the_newest_release_before_writing(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo", "--key", "owner.pub", "--try") == 0
    output = capsys.readouterr()
    assert output.out.startswith("demo-2.0-py3-none-any.whl: verified\n")
    assert load_policy(policy).rule_for("demo") is not None


@pytest.mark.usefixtures("index")
def test_try_writes_nothing_when_another_key_signed(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo", "--key", "alice.pub", "--try") == 1
    output = capsys.readouterr()
    assert output.out.startswith(
        "demo-2.0-py3-none-any.whl: invalid [layout-signature-missing], block\n"
    )
    assert output.err.endswith(f"Nothing was written to {policy}; without --try it would be.\n")
    assert not policy.parent.exists()


def test_try_writes_nothing_in_warn_mode_either(trust: Trust, policy: Path, index: Index) -> None:
    policy.parent.mkdir(parents=True)
    policy.write_text('version = 1\nmode = "warn"\n', encoding="utf-8")
    index.remove(f"/files/{NEWEST.filename}.intoto.jsonl")
    assert trust("add", "demo", "--key", "owner.pub", "--try") == 1
    assert policy.read_text(encoding="utf-8") == 'version = 1\nmode = "warn"\n'


def test_try_tells_an_outage_from_a_failure(trust: Trust, policy: Path, index: Index) -> None:
    index.fault("*.intoto*", Status(500))
    assert trust("add", "demo", "--key", "owner.pub", "--try") == 2
    assert not policy.exists()


@pytest.mark.usefixtures("index")
def test_try_needs_a_project_that_the_index_has(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "other", "--key", "owner.pub", "--try") == 2
    assert "error: the index has no project 'other'" in capsys.readouterr().err
    assert trust("add", "demo*", "--key", "owner.pub", "--try") == 2
    assert "error: demo* stands for many projects" in capsys.readouterr().err
    assert not policy.exists()
