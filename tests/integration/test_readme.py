"""Every command that the documentation tells people to type is run, as they would type it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from securesystemslib._gpg.functions import create_signature

from fixtures import gnupg
from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.shipped import write_bundle
from pip_intoto.metadata import canonical
from tests.integration.lockwriting import pylock
from tests.integration.pages import Shell, commands
from tests.integration.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.conftest import MakeEnvironment
    from tests.integration.loopback import Index


@pytest.fixture
def shell(make_environment: MakeEnvironment, index: Index, tmp_path: Path) -> Shell:
    """Give a shell in an environment in which our wheel is installed, and never enabled."""
    return Shell(make_environment(), tmp_path, index)


@pytest.fixture
def world(
    shell: Shell, index: Index, chain: SupplyChain, make_environment: MakeEnvironment
) -> Shell:
    """Put everything in place that the pages speak of."""
    built = wheel("demo")
    index.publish(built, chain)
    (shell.work / "alice.pub").write_bytes(key("owner").public_pem())
    (shell.work / "stolen.pub").write_bytes(key("thief").public_pem())
    house = shell.work / "wheelhouse"
    house.mkdir()
    write_bundle(built.write(house), chain.evidence(built))
    (shell.work / "pylock.toml").write_text(pylock(index, built), encoding="utf-8")
    other = make_environment(armed=False)
    (shell.work.parent / "other-environment").symlink_to(other.root)
    (shell.home / "service").mkdir()
    (shell.home / "service" / ".venv").symlink_to(other.root)
    return shell


#: Their commands need a project in git, and are typed in test_pipelines.py and test_publishing.py;
#: those about keys need a terminal, and are typed in test_keys_page.py; those about renewing need
#: what was published, and are typed in test_renewal_page.py; those about recording, in
#: test_recording_page.py; those about locks need some, and are typed in test_pull_requests_page.py,
#: test_rolling_out_page.py and test_other_installers_page.py; the
#: rest, in test_air_gapped_page.py and test_installed_page.py; those about attestations need a
#: Sigstore, and those about TUF a repository: each has a test beside its feature's.
IN_A_PROJECT = {
    "air-gapped.md",
    "check-what-is-installed.md",
    "demand-provenance.md",
    "distribute-with-tuf.md",
    "github-actions.md",
    "gitlab-ci.md",
    "keys.md",
    "pin-publishers.md",
    "publish-evidence.md",
    "publish-for-pypi.md",
    "record-steps.md",
    "renew-a-layout.md",
    "require-a-test-result.md",
    "roll-out.md",
    "two-builders.md",
    "uv-and-poetry.md",
    "verify-pull-requests.md",
}


@pytest.mark.parametrize(
    "page", sorted({path.name for path in (ROOT / "docs" / "how-to").glob("*.md")} - IN_A_PROJECT)
)
def test_every_command_of_the_how_to_pages_runs(page: str, world: Shell) -> None:
    assert world.run("pip-intoto enable").status == 0
    typed = commands(f"docs/how-to/{page}")
    assert typed
    if not any(command.startswith("pip-intoto trust add") for command in typed):
        assert world.run("pip-intoto trust add demo --key alice.pub").status == 0
    for command in typed:
        result = world.run(command)
        assert result.status == 0, f"$ {command}\n{result.output}"


def test_every_command_of_the_readme_runs(world: Shell) -> None:
    typed = commands("README.md")
    assert len(typed) > 10
    said = {}
    for command in typed:
        if command.startswith("make "):
            continue
        result = world.run(command)
        assert result.status == 0, f"$ {command}\n{result.output}"
        said[command] = result.output
    assert "1 verified" in said["pip install demo"]
    assert "1 listed: demo" in said["pip-intoto status"]
    assert "VERIFIED" in said["pip-intoto explain demo==1.0"]
    assert "failed" not in said["pip-intoto doctor"]
    assert "coverage: 100.0 %" in said["pip-intoto verify pylock.toml --fail-under 95"]
    assert (world.work / "report.html").exists()


def test_the_commands_for_maintainers_are_those_that_are_typed_elsewhere() -> None:
    """They need a project and a registry: test_tutorial.py and test_publishing.py have both."""
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = [
        command
        for block in re.findall(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        for command in re.sub(r" \\\n *", " ", block).splitlines()
    ]
    assert [shown[0], len(shown)] == ["pip install 'pip-intoto[maintainer]'", 11]
    typed = [
        re.sub(r"dist/demo\S+\.whl", "dist/*.whl", re.sub(r" \\\n *", " ", command))
        for page in ("tutorial/publish-a-project.md", "how-to/publish-evidence.md")
        for command in commands(f"docs/{page}")
    ]
    for command in shown:
        assert any(each.startswith(command) for each in typed), command


@pytest.mark.skipif(not gnupg.is_there(), reason="needs GnuPG")
def test_every_command_of_the_page_on_openpgp_runs(shell: Shell, chain: SupplyChain) -> None:
    layout = chain.layout()
    with gnupg.keyring() as owners, gnupg.keyring() as users:
        alice = owners.key("alice", "ed25519")
        (shell.work / "alice.asc").write_bytes(owners.run("--armor", "--export", alice))
        signature = create_signature(  # type: ignore[no-untyped-call]
            canonical.encode(layout), alice, str(owners.home)
        )
        signed = {"signed": layout, "signatures": [signature]}
        (shell.work / "root.layout").write_text(json.dumps(signed), encoding="utf-8")
        (shell.work / "links").mkdir()
        for link in chain.evidence(wheel("demo"))[1:]:
            (shell.work / "links" / link.name).write_text(json.dumps(link.content), "utf-8")
        shell.variables["GNUPGHOME"] = str(users.home)
        typed = commands("docs/explanation/openpgp.md")
        assert len(typed) == 3
        said = [shell.run(re.sub("[0-9A-F]{40}", alice.upper(), command)) for command in typed]
    assert [result.status for result in said] == [0, 0, 0], [result.output for result in said]
    assert ": 1 verified\n" in said[-1].output


def test_the_two_commands_for_contributors_are_targets_of_make() -> None:
    typed = [command for command in commands("README.md") if command.startswith("make ")]
    assert typed == ["make demo", "make test"]
    for command in typed:
        done = subprocess.run(
            ["make", "-n", command.removeprefix("make "), f"PYTHON={sys.executable}"],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr


def test_the_tutorial_can_be_followed(shell: Shell) -> None:
    said = {}
    for command in commands("docs/tutorial/first-verified-install.md"):
        result = shell.run(command)
        assert result.status == 0, f"$ {command}\n{result.output}"
        said[command.partition("\n")[0]] = result.output
    outputs = list(said.values())
    assert any("1 verified" in output for output in outputs)
    assert "The lighthouse is lit." in said["python -m lighthouse"]
    assert "artifact-digest-mismatch" in outputs[-2]
    assert "pip said no" in outputs[-2]
    assert "so did explain" in outputs[-1]


def test_the_blocked_install_of_the_readme_is_what_a_user_sees(
    shell: Shell, index: Index, chain: SupplyChain
) -> None:
    built = wheel("demo")
    index.add(built.tampered())
    index.put_evidence(built, chain.bundle(built))
    (shell.work / "alice.pub").write_bytes(key("owner").public_pem())
    assert shell.run("pip-intoto enable").status == 0
    assert shell.run("pip-intoto trust add demo --key alice.pub").status == 0
    said = shell.run("pip install demo").output
    readme = (ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n(error: .*?)^```$", readme, re.MULTILINE | re.DOTALL)
    for line in shown.splitlines():
        # Digests, key ids and addresses differ from one chain to the next.
        for part in re.split(r"[0-9a-f]{8}…?|https://…", line):
            assert part.rstrip() in said, part
