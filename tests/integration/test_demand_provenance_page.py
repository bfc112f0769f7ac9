"""The page on demanding provenance, typed: by whom it is published, it is installed."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.sigstore import Sigstore, provenance, statement
from tests.integration import environments
from tests.integration.interpreters import NEWEST_PIP, ROOT, Unavailable, own
from tests.integration.pages import Shell, commands, sections

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.distributions import Built
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

PAGE = "docs/how-to/demand-provenance.md"
SIGSTORE = Sigstore()
PUBLISH = "https://docs.pypi.org/attestations/publish/v1"
SLSA = "https://slsa.dev/provenance/v1"
BUILD = {
    "buildDefinition": {"buildType": "https://example.org/build", "externalParameters": {}},
    "runDetails": {"builder": {"id": "https://example.org/builder"}},
}
DEMO, HELPER, THIRD = wheel("demo"), wheel("helper"), wheel("third")


@pytest.fixture
def attesting(tmp_path: Path) -> Environment:
    """Give an environment that can check identities."""
    pytest.importorskip("sigstore")
    try:
        return environments.create(tmp_path, own(), NEWEST_PIP, armed=True, extras=("sigstore",))
    except Unavailable as missing:
        pytest.skip(str(missing))


def attested(built: Built, repository: str, workflow: str, *, slsa: bool = False) -> bytes:
    who = {"repository": repository, "workflow": workflow, "ref": "refs/tags/v1"}
    about = (built.filename, built.data)
    said = [statement(about, predicate_type=PUBLISH)]
    if slsa:
        said.append(statement(about, predicate_type=SLSA, predicate=BUILD))
    return json.dumps(provenance([SIGSTORE.attestation(each, **who) for each in said])).encode()


def shown_policy() -> dict[str, object]:
    """Give the policy that the page shows, the first of its TOML blocks."""
    found = re.search(
        r"^```toml\n(.*?)^```$", (ROOT / PAGE).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return tomllib.loads(found[1])


def test_every_command_of_the_page_on_provenance_runs(
    attesting: Environment, index: Index, tmp_path: Path
) -> None:
    parts = sections(PAGE)
    assert {number: len(typed) for number, typed in parts.items()} == {
        "1": 2, "2": 1, "3": 0, "4": 2, "5": 2,
    }  # fmt: skip
    for built in (DEMO, HELPER, THIRD):
        index.add(built)
    index.attest(DEMO, attested(DEMO, "acme/demo", "release.yml"))
    index.attest(HELPER, attested(HELPER, "acme/helper", "publish.yml"))
    here = Shell(attesting, tmp_path, index)
    policy = here.work / "policy.toml"
    root = '[sigstore]\ntrust-root = "trusted_root.json"\n'
    policy.write_text(f'version = 1\nunlisted = "warn"\n\n{root}', encoding="utf-8")
    (here.work / "trusted_root.json").write_bytes(SIGSTORE.trusted_root())
    here.variables["INTOTO_POLICY"] = str(policy)
    (here.work / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n'
        + "".join(
            f'[[packages]]\nname = "{built.name}"\nversion = "1.0"\nindex = "{index.simple}"\n'
            f'wheels = [{{ url = "{index.url(built)}",'
            f' hashes = {{ sha256 = "{built.sha256}" }} }}]\n'
            for built in (DEMO, HELPER, THIRD)
        ),
        encoding="utf-8",
    )

    for command in (commands(PAGE)[0], *parts["1"]):
        done = here.run(command)
        assert done.status == 0, f"{command}\n{done.output}"
    written = tomllib.loads(policy.read_text("utf-8"))
    assert written.pop("sigstore")
    assert written == shown_policy()

    (verify,) = parts["2"]
    done = here.run(verify)
    assert done.status == 0, done.output
    assert "third" in done.output

    for command in parts["4"]:
        done = here.run(command)
        assert done.status == 0, f"{command}\n{done.output}"
    assert attesting.installed() == {"demo-1.0", "helper-1.0"}

    for command in parts["5"]:
        done = here.run(command)
        assert done.status == 0, f"{command}\n{done.output}"
    done = here.run(f"{verify} --refresh")
    assert done.status == 1, done.output
    assert "predicate-missing" in done.output
    index.attest(DEMO, attested(DEMO, "acme/demo", "release.yml", slsa=True))
    done = here.run(f"{verify} --refresh")
    assert done.status == 0, done.output

    # Whoever got hold of the index, or of an account there, is not whoever publishes it.
    index.attest(HELPER, attested(HELPER, "evil/helper", "publish.yml"))
    done = here.run("pip install --force-reinstall helper")
    assert done.status == 1, done.output
    assert "identity-repository-mismatch" in done.output
    index.name_provenance(HELPER, "")
    done = here.run("pip install --force-reinstall helper")
    assert done.status == 1, done.output
    assert "attestation-missing" in done.output
