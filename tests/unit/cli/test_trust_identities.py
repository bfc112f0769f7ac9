"""``pip-intoto trust`` with publishers and what is required, from the command line to the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.sigstore import GITHUB, GOOGLE, Sigstore, provenance, statement
from pip_intoto.cli import main
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.policy.editing import STARTING_POLICY
from pip_intoto.policy.file import load_policy
from pip_intoto.policy.model import NamedIdentity
from tests.integration.loopback import Index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Trust

RELEASE = "github:acme/demo:release.yml"


@pytest.fixture
def home(home: Path) -> Path:
    """Have somebody's key in the working directory who tests."""
    Path("tester.pub").write_bytes(Path("alice.pub").read_bytes())
    return home


# --- add ------------------------------------------------------------------------------------


def test_a_publisher_is_all_that_is_needed(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "Demo", "--publisher", RELEASE) == 0
    assert capsys.readouterr().err == (
        f"identity demo: {RELEASE}\nCreated {policy}: demo needs publish attested by demo.\n"
    )
    assert policy.read_text() == STARTING_POLICY + (
        f'\n[identities.demo]\npublisher = "{RELEASE}"\n'
        '\n[[project]]\nname = "demo"\nrequire = ["publish"]\nidentities = ["demo"]\n'
    )


def test_several_publishers_and_requirements(trust: Trust, policy: Path) -> None:
    assert (
        trust(
            *("add", "demo", "--publisher", RELEASE),
            *("--publisher", "github:acme/demo:ci.yml@refs/heads/main"),
            *("--publisher", "builder=gitlab:acme/mirror"),
            *("--issuer", GOOGLE, "--subject", "ann@acme.example"),
            *("--require", "slsa-build", "--require", "publish", "--index", "https://i.example/"),
        )
        == 0
    )
    loaded = load_policy(policy)
    assert list(loaded.identities) == ["demo", "demo-ci", "builder", "ann-acme-example"]
    assert loaded.identities["demo-ci"].identity.ref == "refs/heads/main"
    assert loaded.identities["ann-acme-example"].identity.subject == "ann@acme.example"
    (rule,) = loaded.projects
    assert [each.name for each in rule.requirements] == ["slsa-build", "publish"]
    assert {each.name for each in rule.requirements[0].signers} == set(loaded.identities)


def test_an_identity_of_the_policy_is_used_again(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo", "--publisher", f"release={RELEASE}") == 0
    assert trust("add", "other", "--publisher", RELEASE) == 0
    assert trust("add", "third", "--publisher", "release") == 0
    assert f"identity release: {RELEASE} (in the policy, line 7)\n" in capsys.readouterr().err
    loaded = load_policy(policy)
    assert list(loaded.identities) == ["release"]
    assert [rule.requirements[0].signers[0].name for rule in loaded.projects] == ["release"] * 3


def test_keys_sign_what_is_required_where_there_is_no_publisher(trust: Trust, policy: Path) -> None:
    assert trust("add", "demo", "--key", "tester.pub", "--require", "test-result") == 0
    assert trust("add", "both", "--key", "tester", "--publisher", RELEASE) == 0
    demo, both = load_policy(policy).projects
    assert not demo.is_signed
    assert [signer.name for signer in demo.requirements[0].signers] == ["tester"]
    assert both.principals == ("tester",)
    assert isinstance(both.requirements[0].signers[0], NamedIdentity)


def test_a_pattern_may_require_provenance_of_everything(trust: Trust, policy: Path) -> None:
    assert trust("add", "*", "--publisher", "github:acme/all:release.yml") == 0
    rule = load_policy(policy).rule_for("anything")
    assert rule is not None
    assert rule.requirements


def test_what_is_required_can_be_written_as_a_layout(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--publisher", RELEASE, "--require", "slsa-build", "--as-layout", "demo.layout")
    assert trust("add", "demo", *words) == 0
    path = Path.cwd() / "demo.layout"
    told = capsys.readouterr().err
    assert f"demo needs what your layout {path} asks for.\n" in told
    assert f"What is required stands in {path}; check what you change" in told
    layout = parse_layout(Node(json.loads(path.read_text())), DEFAULT)
    assert [each.workflow for each in layout.identities.values()] == ["release.yml"]
    (rule,) = load_policy(policy).projects
    assert rule.own_layout is not None
    assert rule.own_layout.layout == layout
    assert rule.parameters == {"filename": "{filename}"}
    assert trust("add", "other", *words) == 2
    assert f"{path} is there" in capsys.readouterr().err
    assert len(load_policy(policy).projects) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--require", "publish"), "nobody is named who signs what is required"),
        (("--publisher", "githb:acme/demo"), "Did you mean github:…?"),
        (("--publisher", "github:acme/*"), "is not a repository of github"),
        (("--publisher", RELEASE, "--publisher", RELEASE), "is named twice"),
        (("--publisher", RELEASE, "--require", "slsa"), 'Did you mean "slsa-build"?'),
        (("--publisher", RELEASE, "--require", "sbom"), "sbom-cyclonedx"),
        (("--publisher", RELEASE, "--threshold", "1"), "is about layouts that others sign"),
        (("--issuer", GITHUB), "--issuer and --subject say together who signs"),
        (("--subject", "ann"), "--issuer and --subject say together who signs"),
        (("--issuer", "google", "--subject", "a"), "'google' is not an issuer"),
        (("--key", "tester.pub", "--as-layout", "x"), "--as-layout writes down what is required"),
        (
            ("--key", "tester.pub", "--publisher", RELEASE, "--as-layout", "x"),
            "keys sign layouts of others",
        ),
        (("--key", "tester.pub", "--publisher", f"tester={RELEASE}"), "somebody else named tester"),
    ],
)
def test_mistakes_change_nothing(
    trust: Trust,
    policy: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    assert trust("add", "demo", *words) == 2
    assert said in capsys.readouterr().err
    assert not policy.exists()


def test_a_missing_extra_is_said_at_once(
    trust: Trust, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pip_intoto.policy.extras._MODULES", {"sigstore": "no_such_module"})
    assert trust("add", "demo", "--publisher", RELEASE) == 0
    assert "pip install 'pip-intoto[sigstore]'" in capsys.readouterr().err


# --- try ------------------------------------------------------------------------------------


@pytest.fixture
def index(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    assert home.is_dir()
    with Index() as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.simple)
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(variable, raising=False)
        yield index


@pytest.mark.parametrize(("workflow", "status"), [("release.yml", 0), ("other.yml", 1)])
def test_try_verifies_the_newest_release_by_its_attestations(
    trust: Trust,
    policy: Path,
    index: Index,
    capsys: pytest.CaptureFixture[str],
    workflow: str,
    status: int,
) -> None:
    sigstore = Sigstore()
    built = wheel("demo", "1.0")
    signed = sigstore.attestation(
        statement((built.filename, built.data)), repository="acme/demo", workflow=workflow
    )
    index.add(built)
    index.attest(built, json.dumps(provenance([signed])).encode())
    policy.parent.mkdir(parents=True)
    (policy.parent / "root.json").write_bytes(sigstore.trusted_root())
    policy.write_text('version = 1\n[sigstore]\ntrust-root = "root.json"\n')
    assert trust("add", "demo", "--publisher", RELEASE, "--try") == status
    told = capsys.readouterr()
    assert ("identity-workflow-mismatch" in told.out) == bool(status)
    assert bool(load_policy(policy).projects) == (not status)


# --- list, remove, revoke -------------------------------------------------------------------


def test_list_shows_identities_and_what_is_required(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo", "--publisher", RELEASE, "--require", "slsa-build") == 0
    assert trust("add", "loose", "--publisher", "github:acme/loose") == 0
    assert trust("revoke", "github:evil/demo", "--reason", "typosquatter") == 0
    capsys.readouterr()
    assert trust("list") == 0
    assert capsys.readouterr().out == (
        f"{policy}: mode enforce, unlisted projects: warn\n"
        "projects:\n"
        "  demo   slsa-build attested by demo\n"
        "  loose  publish attested by loose\n"
        "keys: none\n"
        "identities:\n"
        f"  demo   {RELEASE}\n"
        "  loose  github:acme/loose, any workflow\n"
        "revoked:\n"
        "  github:evil/demo\n"
        "    typosquatter\n"
    )
    assert trust("list", "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["workflow"] for each in listed["identities"]] == ["release.yml", None]
    assert listed["projects"][0]["requires"][0]["signers"] == ["demo"]
    assert listed["revoked_identities"][0]["repository"] == "evil/demo"


def test_remove_says_which_identities_nobody_uses_any_more(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo", "--publisher", RELEASE) == 0
    assert trust("add", "other", "--publisher", RELEASE) == 0
    assert trust("remove", "demo") == 0
    assert "identities" not in capsys.readouterr().err.rpartition("Changed")[2]
    assert trust("remove", "other") == 0
    assert (
        "No rule uses these identities any more; they stay in [identities]: demo."
        in capsys.readouterr().err
    )
    assert load_policy(policy).projects == ()


def test_revoke_takes_identities_by_name_and_publishers(
    trust: Trust, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trust("add", "demo", "--publisher", RELEASE) == 0
    assert trust("revoke", "demo", "--reason", "taken over") == 0
    assert (
        "warning: nothing of demo will verify until somebody else may sign its publish\n"
        in capsys.readouterr().err
    )
    assert policy.read_text().endswith('[[revoked]]\nidentity = "demo"\nreason = "taken over"\n')
    assert trust("revoke", RELEASE, "--reason", "again") == 2
    assert "already revoked, on line 15: taken over" in capsys.readouterr().err
    assert trust("list") == 0
    assert f"  demo  {RELEASE}, revoked\n" in capsys.readouterr().out
    assert trust("revoke", "github:evil/x", "--reason", "typosquatter") == 0
    assert len(load_policy(policy).revoked_identities) == 2


# --- status ---------------------------------------------------------------------------------


def test_status_names_what_is_attested_and_what_is_not_installed(
    trust: Trust,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert home.is_dir()
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "config/pip-intoto/policy.toml"
    assert main(["trust", "add", "demo", "--publisher", RELEASE, "--policy", str(path)]) == 0
    monkeypatch.setenv("INTOTO_POLICY", str(path))
    capsys.readouterr()
    main(["status"])
    shown = capsys.readouterr().out
    assert "by attestations alone: demo\n" in shown
    assert "identities: demo\n" in shown
    assert "problem: the policy needs" not in shown
    monkeypatch.setattr("pip_intoto.policy.extras._MODULES", {"sigstore": "no_such_module"})
    assert main(["status"]) == 2
    shown = capsys.readouterr().out
    assert "problem: the policy needs what checks identities (Sigstore)" in shown
    assert "hint: pip install 'pip-intoto[sigstore]'" in shown
    assert main(["status", "--format", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["policy"]["missing_extras"] == ["sigstore"]
    assert trust is not None
