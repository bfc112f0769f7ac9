"""``verify`` by provenance (PEP 740): files, releases, locks; carried, and remembered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.distributions import wheel
from fixtures.sigstore import Sigstore, provenance, statement
from tests.integration.loopback import Index, Status
from tests.unit.cli import shells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.distributions import Built

pytest.importorskip("sigstore")

SIGSTORE = Sigstore()
DEMO, NEWER = wheel("demo"), wheel("demo", "1.1")
RELEASE = {"repository": "acme/demo", "workflow": "release.yml", "ref": "refs/tags/v1.0"}
INTEROP = Path(__file__).parents[4] / "shared" / "interop" / "pep740"


class Shell(shells.Shell):
    """Runs ``verify`` with the policy of these tests."""

    def verify(self, *words: object) -> tuple[int, list[tuple[str, str]]]:
        """Give the exit status, and status and reason of each verdict."""
        status = self.run(
            *("verify", "--policy", "policy.toml", "--format", "json", "--cache-dir", "cache"),
            *words,
        )
        assert self.out, self.err
        report: dict[str, Any] = json.loads(self.out)
        verdicts = report.get("distributions") or report.get("verdicts") or []
        return status, [(each["status"], each["reason"]) for each in verdicts]


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    write_policy()
    return Shell(capsys)


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        for built in (DEMO, NEWER):
            running.add(built)
            running.attest(built, attested(built))
        yield running


def attested(built: Built, **who: str) -> bytes:
    made = SIGSTORE.attestation(statement((built.filename, built.data)), **{**RELEASE, **who})
    return json.dumps(provenance([made])).encode()


def write_policy(
    name: str = "demo", publisher: str = "github:acme/demo:release.yml", rule: str = ""
) -> None:
    Path("trusted_root.json").write_bytes(SIGSTORE.trusted_root())
    root = '[sigstore]\ntrust-root = "trusted_root.json"\n' if name == "demo" else ""
    Path("policy.toml").write_text(
        f'version = 1\n{root}[identities.release]\npublisher = "{publisher}"\n'
        f'[[project]]\nname = "{name}"\nrequire = ["publish"]\nidentities = ["release"]\n{rule}',
        encoding="utf-8",
    )


def write_lock(*lines: str) -> Path:
    path = Path("pylock.toml")
    path.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "demo"\n'
        'version = "1.0"\n' + "\n".join(lines) + "\n",
        encoding="utf-8",
    )
    return path


def wheels_of(index: Index, built: Built = DEMO) -> str:
    return f'wheels = [{{ url = "{index.url(built)}", hashes = {{ sha256 = "{built.sha256}" }} }}]'


VERIFIED = (0, [("verified", "verified")])
MISSING = (1, [("missing", "attestation-missing")])


# --- a file ---------------------------------------------------------------------------------


def test_a_file_with_its_provenance_beside_it_is_verified(shell: Shell) -> None:
    path = DEMO.write(Path())
    assert shell.verify(path) == MISSING
    Path(DEMO.filename + ".provenance").write_bytes(attested(DEMO))
    assert shell.verify(path) == VERIFIED


@pytest.mark.parametrize("suffix", [".publish.attestation", ".intoto.jsonl", ".slsa.attestation"])
def test_an_attestation_is_known_by_its_content_wherever_it_lies(shell: Shell, suffix: str) -> None:
    path = DEMO.write(Path())
    (bundle,) = json.loads(attested(DEMO))["attestation_bundles"]
    (one,) = bundle["attestations"]
    Path(DEMO.filename + suffix).write_text(json.dumps(one, indent=1), encoding="utf-8")
    assert shell.verify(path) == VERIFIED


# --- a release ------------------------------------------------------------------------------


def test_of_a_release_the_page_is_read_once(shell: Shell, index: Index) -> None:
    assert shell.verify("--index-url", index.simple, "demo==1.0") == VERIFIED
    assert len(index.asked("/simple/demo/")) == 1
    assert len(index.asked("/integrity/*")) == 1


def test_a_release_without_provenance_is_missing(shell: Shell, index: Index) -> None:
    index.name_provenance(DEMO, "")
    assert shell.verify("--index-url", index.simple, "demo==1.0") == MISSING
    assert len(index.asked("/simple/demo/")) == 1


def test_a_release_whose_provenance_cannot_be_asked_is_unreachable(
    shell: Shell, index: Index
) -> None:
    index.fault("/integrity/*", Status(503))
    found = shell.verify("--index-url", index.simple, "demo==1.0")
    assert found == (2, [("unreachable", "source-unreachable")])


# --- a lock ---------------------------------------------------------------------------------


def test_a_lock_that_names_its_index_says_where_provenance_is(shell: Shell, index: Index) -> None:
    lock = write_lock(f'index = "{index.simple}"', wheels_of(index))
    assert shell.verify(lock) == VERIFIED


def test_a_lock_that_names_addresses_only_needs_an_index_to_be_named(
    shell: Shell, index: Index
) -> None:
    lock = write_lock(wheels_of(index))
    assert shell.verify(lock) == MISSING
    assert not index.asked("/simple/*")
    assert shell.verify("--index-url", index.simple, lock) == VERIFIED


def test_a_lock_with_digests_only_has_the_page_read_once(shell: Shell, index: Index) -> None:
    lock = Path("requirements.txt")
    lock.write_text(
        f"--index-url {index.simple}\ndemo==1.0 --hash=sha256:{DEMO.sha256}\n", encoding="utf-8"
    )
    assert shell.verify(lock) == VERIFIED
    assert len(index.asked("/simple/demo/")) == 1


def test_an_integrity_api_may_be_named_as_a_template(shell: Shell, index: Index) -> None:
    template = f"{index.origin}/integrity/{{project}}/{{version}}/{{filename}}/provenance"
    write_policy(rule=f'sources = ["{template}"]\n')
    assert shell.verify(write_lock(wheels_of(index))) == VERIFIED
    assert not index.asked("/simple/*")
    (request,) = index.asked("/integrity/*")
    assert request.headers["accept"].startswith("application/vnd.pypi.integrity.v1+json,")


# --- carried, and remembered ----------------------------------------------------------------


def test_provenance_is_carried_to_where_there_is_no_network(shell: Shell, index: Index) -> None:
    lock = write_lock(f'index = "{index.simple}"', wheels_of(index))
    assert shell.verify(lock, "--export", "evidence") == VERIFIED
    names = {path.name for path in Path("evidence").iterdir()}
    assert names == {f"{DEMO.filename}.intoto.jsonl", "manifest.json"}
    index.requests.clear()
    shutil.rmtree("cache")
    words = ("--offline", "--import", "evidence")
    assert shell.verify(lock, *words) == VERIFIED
    assert index.requests == []
    Path("evidence", f"{DEMO.filename}.intoto.jsonl").unlink()
    assert shell.verify(lock, *words) == MISSING


def test_provenance_is_remembered_and_not_asked_for_again(shell: Shell, index: Index) -> None:
    lock = write_lock(f'index = "{index.simple}"', wheels_of(index))
    assert shell.verify(lock) == VERIFIED
    index.requests.clear()
    assert shell.verify(lock) == VERIFIED
    assert not index.asked("/integrity/*")
    assert not index.asked("/simple/*")


def test_that_there_was_none_is_not_remembered(shell: Shell, index: Index) -> None:
    lock = write_lock(f'index = "{index.simple}"', wheels_of(index))
    index.remove(index.provenance_path(DEMO))
    assert shell.verify(lock) == MISSING
    index.attest(DEMO, attested(DEMO))
    assert shell.verify(lock) == VERIFIED


# --- what PyPI serves -----------------------------------------------------------------------

_REAL = [
    ("abi3info-2024.10.8-py3-none-any.whl", "github:woodruffw/abi3info:release.yml"),
    ("abi3info-2024.10.8.tar.gz", "github:woodruffw/abi3info:release.yml"),
    ("pypi_attestations-0.0.19.tar.gz", "github:trailofbits/pypi-attestations:release.yml"),
]


@pytest.mark.skipif(not INTEROP.is_dir(), reason=f"there is no data of PyPI at {INTEROP}")
@pytest.mark.parametrize(("filename", "publisher"), _REAL, ids=[name for name, _ in _REAL])
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("", "", "verified"),
        (":release", "-fork:release", "identity-repository-mismatch"),
        (":release", ":publish", "identity-workflow-mismatch"),
        (".yml", ".yml@refs/heads/main", "identity-ref-mismatch"),
        ("github", "gitlab", "identity-issuer-mismatch"),
    ],
)
def test_real_provenance_verifies_by_its_publisher_alone(
    shell: Shell, filename: str, publisher: str, old: str, new: str, reason: str
) -> None:
    changed = publisher.replace(old, new, 1)
    assert (changed != publisher) == bool(old)
    write_policy(filename.partition("-")[0].replace("_", "-"), changed)
    Path(filename).write_bytes((INTEROP / filename).read_bytes())
    Path(filename + ".provenance").write_bytes((INTEROP / (filename + ".provenance")).read_bytes())
    _, verdicts = shell.verify(filename)
    assert [found for _, found in verdicts] == [reason]
