"""What a TUF repository and in-toto promise together, through ``verify`` and through pip."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import FAR_FUTURE, SupplyChain
from fixtures.tufrepository import TufRepository
from pip_intoto.maintainer import authoring
from tests.integration import environments, interpreters
from tests.integration.loopback import Status
from tests.unit.cli.shells import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
FILE = f"demo/{WHEEL.filename}"
OWNER, BUILDER = "keys/owner.pub", "keys/builder.pub"
LAYOUT = "demo/root.layout"


@dataclass
class Release:
    """The evidence of one wheel, in a repository that is served by an index."""

    index: Index
    folder: Path
    repository: TufRepository = field(default_factory=TufRepository)

    def list(
        self, chain: SupplyChain = CHAIN, *, owner: SigningKey | None = None, **more: JsonObject
    ) -> None:
        """List what ``chain`` gives; ``layout`` is a payload to be signed in place of its own."""
        add = self.repository.add
        add(OWNER, (owner or key("owner")).public_pem())
        names = []
        for document in chain.evidence(WHEEL):
            content = document.content
            name = f"demo/{document.name}"
            if name == LAYOUT and "layout" in more:
                content = authoring.sign(more["layout"], chain.owners)
            add(name, authoring.written(content), in_toto=[OWNER] if name == LAYOUT else None)
            names.append(name)
        add(FILE, WHEEL.data, in_toto=names)

    def publish(self) -> None:
        """Sign and serve the present state."""
        self.repository.publish()
        self.serve(self.repository.files)

    def serve(self, files: dict[str, bytes]) -> None:
        """Serve any state."""
        for path, content in files.items():
            self.index.put(f"/tuf/{path}", content)

    def policy(self, *, rule: str = 'layout-keys = ["tuf:acme"]', head: str = "") -> Path:
        """Write a policy that trusts the repository's first root."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "root.json").write_bytes(self.repository.trusted)
        (self.folder / "owner.pub").write_bytes(key("owner").public_pem())
        path = self.folder / "policy.toml"
        path.write_text(
            f"""version = 1
{head}
[keys.owner]
public = "owner.pub"

[tuf.acme]
root = "root.json"
metadata = "{self.index.origin}/tuf/metadata/"
targets = "{self.index.origin}/tuf/targets/"

[[project]]
name = "demo"
{rule}
sources = ["tuf:acme"]
""",
            encoding="utf-8",
        )
        return path


@pytest.fixture
def release(index: Index, tmp_path: Path) -> Release:
    made = Release(index, tmp_path / "policy")
    made.list()
    made.publish()
    return made


class Verify:
    """Verifies the wheel in this process; gives the one verdict."""

    def __init__(self, shell: Shell, path: Path) -> None:
        self._shell = shell
        self._path = path

    def __call__(self, policy: Path) -> dict[str, Any]:
        status = self._shell.run("verify", "--format", "json", "--policy", policy, self._path)
        (verdict,) = json.loads(self._shell.out)["verdicts"]
        assert (status == 0) == (verdict["reason"] == "verified")
        found: dict[str, Any] = verdict
        return found

    def reason(self, policy: Path) -> str:
        """Give the reason alone."""
        return str(self(policy)["reason"])


@pytest.fixture
def verify(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Verify:
    monkeypatch.delenv("INTOTO_POLICY", raising=False)
    return Verify(Shell(capsys), WHEEL.write(tmp_path))


# --- who signs the layout -------------------------------------------------------------------


def test_the_repository_gives_layout_links_and_owners(release: Release, verify: Verify) -> None:
    assert verify.reason(release.policy()) == "verified"


def test_the_policy_may_name_the_owners_itself(release: Release, verify: Verify) -> None:
    assert verify.reason(release.policy(rule='layout-keys = ["owner"]')) == "verified"


def test_a_revoked_owner_signs_no_more(release: Release, verify: Verify) -> None:
    policy = release.policy()
    assert verify.reason(policy) == "verified"
    release.list(owner=key("second-owner"))
    release.publish()
    assert verify.reason(policy) == "layout-signature-missing"
    # With a layout that the new owner signed, all is well again.
    release.list(
        SupplyChain(project="demo", owners=(key("second-owner"),)), owner=key("second-owner")
    )
    release.publish()
    assert verify.reason(policy) == "verified"


def test_without_any_owner_nothing_verifies(release: Release, verify: Verify) -> None:
    release.repository.drop(OWNER)
    release.publish()
    verdict = verify(release.policy())
    assert verdict["reason"] == "layout-signature-missing"
    assert "gives out no keys" in verdict["summary"]


def test_every_owner_must_have_signed(release: Release, verify: Verify) -> None:
    release.repository.add("keys/second.pub", key("second-owner").public_pem())
    layout = release.repository.contents[LAYOUT]
    release.repository.add(LAYOUT, layout, in_toto=[OWNER, "keys/second.pub"])
    release.publish()
    assert verify.reason(release.policy()) == "layout-signature-missing"
    rule = 'layout-keys = ["tuf:acme"]\nthreshold = 1'
    assert verify.reason(release.policy(rule=rule)) == "verified"


def test_a_key_that_the_policy_revokes_counts_for_nothing(release: Release, verify: Verify) -> None:
    policy = release.policy()
    revoked = '[[revoked]]\nkey = "owner.pub"\nreason = "lost"\n'
    policy.write_text(policy.read_text() + revoked)
    assert verify.reason(policy) == "key-revoked"


def test_a_layout_for_another_project_is_not_enough(release: Release, verify: Verify) -> None:
    anything = SupplyChain(project="demo", build_products=(["CREATE", "*"],))
    release.list(anything)
    release.publish()
    assert verify.reason(release.policy()) == "layout-not-for-project"


# --- attacks --------------------------------------------------------------------------------


def test_an_older_state_is_refused(release: Release, verify: Verify) -> None:
    policy, old = release.policy(), dict(release.repository.files)
    release.publish()
    assert verify.reason(policy) == "verified"
    release.serve(old)
    assert verify.reason(policy) == "tuf-rollback"


def test_a_frozen_state_is_refused(release: Release, verify: Verify) -> None:
    release.repository.timestamp.expires = datetime(2020, 1, 1, tzinfo=timezone.utc)
    release.publish()
    assert verify.reason(release.policy()) == "tuf-expired"


def test_another_file_is_refused(release: Release, verify: Verify, tmp_path: Path) -> None:
    WHEEL.tampered().write(tmp_path)
    assert verify.reason(release.policy()) == "artifact-digest-mismatch"


def test_links_of_another_release_are_refused(release: Release, verify: Verify) -> None:
    other = wheel("demo", version="2.0")
    for document in CHAIN.evidence(other):
        release.repository.add(f"demo/{document.name}", authoring.written(document.content))
    release.publish()
    rule = 'layout-keys = ["owner"]'
    assert verify.reason(release.policy(rule=rule)) in {"artifact-not-bound", "rule-violated"}


def test_a_stolen_key_of_releases_cannot_name_owners(release: Release, verify: Verify) -> None:
    # ITE-2: the online role is delegated everything, and whoever has its key is the attacker.
    repository, thief = release.repository, key("stranger")
    repository.delegate("online", ["*", "*/*"])
    for name in (FILE, OWNER, LAYOUT):
        repository.drop(name)
    forged = SupplyChain(project="demo", owners=(thief,), author=thief, builder=thief)
    names = [f"demo/{document.name}" for document in forged.evidence(WHEEL)]
    for name, document in zip(names, forged.evidence(WHEEL), strict=True):
        lists = [OWNER] if name == LAYOUT else None
        repository.add(name, authoring.written(document.content), in_toto=lists, role="online")
    repository.add(OWNER, thief.public_pem(), role="online")
    repository.add(FILE, WHEEL.data, in_toto=names, role="online")
    release.publish()
    assert verify.reason(release.policy()) == "layout-signature-missing"


def test_a_root_is_rotated_and_the_old_keys_are_worth_nothing(
    release: Release, verify: Verify
) -> None:
    policy = release.policy()
    old = release.repository.replace_key("root")
    release.repository.replace_key("timestamp")
    release.publish()
    assert verify.reason(policy) == "verified"
    release.repository.signers["root"] = old
    release.repository.sign_root()
    release.publish()
    assert verify.reason(policy) == "tuf-invalid"


# --- keys of functionaries ------------------------------------------------------------------


def managed_key(of: SigningKey, target: str) -> JsonObject:
    """Name a key as a layout does that leaves it to a repository."""
    return {
        "keyid": of.keyid,
        "keytype": "tuf-target",
        "scheme": "tuf-target",
        "keyval": {"target": target},
    }


def managed_layout() -> JsonObject:
    """Give the layout with a builder whose key the repository gives out."""
    layout = CHAIN.layout()
    keys = layout["keys"]
    assert isinstance(keys, dict)
    keys[key("builder").keyid] = managed_key(key("builder"), BUILDER)
    return layout


def test_a_managed_key_is_found_in_the_repository(release: Release, verify: Verify) -> None:
    release.repository.add(BUILDER, key("builder").public_pem())
    release.list(layout=managed_layout())
    release.publish()
    assert verify.reason(release.policy()) == "verified"


@pytest.mark.parametrize("given", [None, "stranger"])
def test_whoever_has_no_managed_key_cannot_sign(
    given: str | None, release: Release, verify: Verify
) -> None:
    if given is not None:
        release.repository.add(BUILDER, key(given).public_pem())
    release.list(layout=managed_layout())
    release.publish()
    verdict = verify(release.policy())
    assert verdict["reason"] in {"link-missing", "link-threshold-unmet"}
    if given is None:
        assert "none of the sources gave it" in json.dumps(verdict["trace"])


def test_a_managed_key_of_a_sublayout_is_found_as_well(release: Release, verify: Verify) -> None:
    packer = key("packer")
    rules: dict[str, Any] = {"expected_products": [["CREATE", "demo-*"], ["DISALLOW", "*"]]}
    inner = authoring.layout(
        expires=FAR_FUTURE,
        keys=[packer],
        steps=[authoring.step("pack", functionaries=[packer], **rules)],
    )
    keys = inner["keys"]
    assert isinstance(keys, dict)
    keys[packer.keyid] = managed_key(packer, "keys/packer.pub")
    link = authoring.link(
        "pack",
        materials=CHAIN.sources("1.0"),
        products={WHEEL.filename: {"sha256": WHEEL.sha256}},
    )
    _, source, build = CHAIN.evidence(WHEEL)
    names = [LAYOUT, f"demo/{source.name}", f"demo/{build.name}", "demo/build/pack.link"]
    add = release.repository.add
    add(names[2], authoring.written(authoring.sign(inner, [CHAIN.builder])))
    add(names[3], authoring.written(authoring.sign(link, [packer])))
    add(FILE, WHEEL.data, in_toto=names)
    release.publish()
    assert verify.reason(release.policy()) != "verified"
    add("keys/packer.pub", packer.public_pem())
    release.publish()
    assert verify.reason(release.policy()) == "verified"


# --- what cannot be asked -------------------------------------------------------------------


def test_what_cannot_be_asked_is_unreachable_and_no_more(release: Release, verify: Verify) -> None:
    release.index.fault("/tuf/*", Status(500))
    assert verify.reason(release.policy()) == "source-unreachable"


def test_what_is_not_there_is_missing(index: Index, verify: Verify, tmp_path: Path) -> None:
    assert verify.reason(Release(index, tmp_path / "policy").policy()) == "layout-missing"


def test_the_state_directory_may_be_unwritable(
    release: Release, verify: Verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    verdict = verify(release.policy())
    assert verdict["reason"] == "verified"
    assert "is not kept" in json.dumps(verdict["trace"])


def test_what_the_repository_shows_is_asked_for_each_time(release: Release, verify: Verify) -> None:
    policy = release.policy()
    assert verify.reason(policy) == "verified"
    release.index.requests.clear()
    assert verify.reason(policy) == "verified"
    asked = [request.path for request in release.index.requests]
    assert "/tuf/metadata/timestamp.json" in asked
    # The snapshot is kept, and good as long as the timestamp names it.
    assert "/tuf/metadata/1.snapshot.json" not in asked


# --- through pip ----------------------------------------------------------------------------


@pytest.fixture
def with_tuf(tmp_path: Path) -> Environment:
    """Give an armed environment in which python-tuf is."""
    folder, pip = tmp_path / "venv", interpreters.NEWEST_PIP
    return environments.create(folder, interpreters.own(), pip, armed=True, extras=("tuf",))


@pytest.mark.matrix
def test_pip_installs_what_the_repository_vouches_for(
    release: Release, with_tuf: Environment
) -> None:
    release.index.add(WHEEL)
    result = with_tuf.pip("install", "demo", index=release.index, policy=release.policy())
    assert result.status == 0, result.output
    assert with_tuf.installed() == {"demo-1.0"}


@pytest.mark.matrix
def test_without_python_tuf_pip_is_told_what_to_install(
    release: Release, environment: Environment
) -> None:
    release.index.add(WHEEL)
    result = environment.pip("install", "demo", index=release.index, policy=release.policy())
    assert result.status != 0
    assert "tuf-unavailable" in result.output
    assert "pip-intoto[tuf]" in result.words


@pytest.mark.matrix
@pytest.mark.parametrize("attack", ["tuf-rollback", "tuf-expired", "artifact-digest-mismatch"])
def test_pip_installs_nothing_that_it_does_not(
    attack: str, release: Release, with_tuf: Environment
) -> None:
    policy, old = release.policy(), dict(release.repository.files)
    release.publish()
    release.index.add(WHEEL)
    variables = {"XDG_STATE_HOME": str(with_tuf.home / "state")}
    if attack == "tuf-rollback":
        words = ("download", "--no-deps", "demo")
        first = with_tuf.pip(*words, index=release.index, policy=policy, variables=variables)
        assert first.status == 0, first.output
        release.serve(old)
    elif attack == "tuf-expired":
        release.repository.timestamp.expires = datetime(2020, 1, 1, tzinfo=timezone.utc)
        release.publish()
    else:
        release.index.add(WHEEL, body=WHEEL.tampered().data)
    result = with_tuf.pip(
        "install", "demo", index=release.index, policy=policy, variables=variables
    )
    assert result.status != 0
    assert attack in result.output
    assert with_tuf.added() == frozenset()
