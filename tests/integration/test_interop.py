"""Evidence that others have made: what verifies, and what each change of it is told.

The real files (wheels and sdists of PyPI with their provenance, a rebuilder's link) are no part of
the project: where they are absent, these tests are skipped. The same is asked of provenance made
by a Sigstore of our own, which is always there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pip_intoto
from fixtures.distributions import Built, wheel
from fixtures.keys import key
from fixtures.sigstore import SIGNED, STARTED, Sigstore, provenance, statement
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.keys import load_public
from pip_intoto.metadata.names import link_filename
from tests.integration import environments, loopback
from tests.integration.blocking import blocked, outcome
from tests.integration.interpreters import NEWEST_PIP, Unavailable, own
from tests.unit.cli.shells import Shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.environments import Environment

pytest.importorskip("sigstore")

INTEROP = Path(__file__).parents[3] / "shared" / "interop"
NO_REAL_DATA = f"there is no real data in {INTEROP.parent.name}/{INTEROP.name}"
GITHUB = "https://token.actions.githubusercontent.com"
PUBLISH = "https://docs.pypi.org/attestations/publish/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A file with its provenance, and who published it. ``root`` is empty for the public one."""

    project: str
    version: str
    filename: str
    data: bytes
    evidence: dict[str, bytes]
    repository: str
    ref: str
    signed: datetime
    root: Callable[[datetime, datetime | None], bytes]
    default_root: bytes = b""

    @property
    def workflow(self) -> str:
        return "release.yml"


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """Somebody who has the file on this machine, and a policy; what differs from what is right."""

    release: Release
    folder: Path
    filename: str = ""
    project: str = ""
    data: bytes = b""
    identity: str = ""
    require: str = "publish"
    root: bytes = b""
    evidence: dict[str, bytes] | None = field(default=None)

    def prepared(self) -> tuple[Path, Path]:
        """Lay file, evidence and policy out; give file and policy."""
        release = self.release
        file = self.folder / (self.filename or release.filename)
        file.write_bytes(self.data or release.data)
        evidence = release.evidence if self.evidence is None else self.evidence
        for suffix, content in evidence.items():
            (self.folder / (file.name + suffix)).write_bytes(content)
        root = self.root or release.default_root
        named = ""
        if root:
            (self.folder / "trusted_root.json").write_bytes(root)
            named = '[sigstore]\ntrust-root = "trusted_root.json"\n'
        identity = self.identity or f'publisher = "github:{release.repository}:{release.workflow}"'
        policy = self.folder / "policy.toml"
        policy.write_text(
            f"version = 1\n{named}[identities.release]\n{identity}\n"
            f'[[project]]\nname = "{self.project or release.project}"\n'
            f'require = ["{self.require}"]\nidentities = ["release"]\n',
            encoding="utf-8",
        )
        return file, policy

    def verdict(self) -> pip_intoto.Verdict:
        return pip_intoto.verify(*self.prepared())


# --- releases ---------------------------------------------------------------------------------


def of_our_own() -> Release:
    built = wheel("demo")
    sigstore = Sigstore()
    ref = "refs/tags/v1.0"
    who = {"repository": "acme/demo", "workflow": "release.yml", "ref": ref}
    said = statement((built.filename, built.data))
    made = sigstore.attestation(said, **who)
    return Release(
        project="demo",
        version="1.0",
        filename=built.filename,
        data=built.data,
        evidence={".provenance": json.dumps(provenance([made])).encode()},
        repository="acme/demo",
        ref=ref,
        signed=SIGNED,
        root=lambda begin, end: sigstore.trusted_root(authority=(begin, end)),
        default_root=sigstore.trusted_root(),
    )


def of_pypi(filename: str, project: str, version: str, repository: str, ref: str) -> Release:
    folder = INTEROP / "pep740"
    if not folder.is_dir():
        pytest.skip(NO_REAL_DATA)
    content = (folder / f"{filename}.provenance").read_bytes()
    attestation = json.loads(content)["attestation_bundles"][0]["attestations"][0]
    entry = attestation["verification_material"]["transparency_entries"][0]
    return Release(
        project=project,
        version=version,
        filename=filename,
        data=(folder / filename).read_bytes(),
        evidence={".provenance": content},
        repository=repository,
        ref=ref,
        signed=datetime.fromtimestamp(int(entry["integratedTime"]), timezone.utc),
        root=of_the_public_root,
    )


def of_the_public_root(begin: datetime, end: datetime | None) -> bytes:
    """The public Sigstore's, but for when its certificate authorities count."""
    package = importlib.util.find_spec("sigstore")
    assert package is not None
    assert package.origin is not None
    store = Path(package.origin).parent / "_store"
    (path,) = store.glob("*tuf-repo-cdn.sigstore.dev/trusted_root.json")
    root = json.loads(path.read_bytes())
    window = {"start": spelled(begin), **({} if end is None else {"end": spelled(end)})}
    for authority in root["certificateAuthorities"]:
        authority["validFor"] = window
    return json.dumps(root).encode()


def spelled(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


RELEASES: dict[str, Callable[[], Release]] = {
    "ours": of_our_own,
    "abi3info wheel": lambda: of_pypi(
        "abi3info-2024.10.8-py3-none-any.whl",
        "abi3info",
        "2024.10.8",
        "woodruffw/abi3info",
        "refs/tags/v2024.10.08",
    ),
    "abi3info sdist": lambda: of_pypi(
        "abi3info-2024.10.8.tar.gz",
        "abi3info",
        "2024.10.8",
        "woodruffw/abi3info",
        "refs/tags/v2024.10.08",
    ),
    "pypi-attestations sdist": lambda: of_pypi(
        "pypi_attestations-0.0.19.tar.gz",
        "pypi-attestations",
        "0.0.19",
        "trailofbits/pypi-attestations",
        "refs/tags/v0.0.19",
    ),
}


@pytest.fixture(params=RELEASES)
def consumer(request: pytest.FixtureRequest, tmp_path: Path) -> Consumer:
    return Consumer(release=RELEASES[request.param](), folder=tmp_path)


# --- provenance -------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True], ids=["workflow", "workflow and ref"])
def test_whoever_the_policy_names_has_published_it(consumer: Consumer, *, exact: bool) -> None:
    release = consumer.release
    publisher = f"github:{release.repository}:{release.workflow}"
    publisher += f"@{release.ref}" if exact else ""
    verdict = replace(consumer, identity=f'publisher = "{publisher}"').verdict()
    assert verdict.reason == "verified", (verdict.summary, verdict.found)
    assert verdict.chain is not None
    (credential,) = verdict.chain.credentials
    assert (credential.repository, credential.ref) == (release.repository, release.ref)
    assert credential.signed_at == release.signed
    (station,) = verdict.chain.stations
    assert station.predicates == (PUBLISH,)


def _named(consumer: Consumer, **parts: str) -> Consumer:
    release = consumer.release
    said = {
        "issuer": GITHUB,
        "repository": release.repository,
        "workflow": release.workflow,
        **parts,
    }
    return replace(
        consumer, identity="\n".join(f'{part} = "{value}"' for part, value in said.items())
    )


def _renamed(consumer: Consumer, project: str = "") -> Consumer:
    name = consumer.release.filename
    distribution = name.partition("-")[0]
    version = name[len(distribution) :]
    if project:
        # With other content as well: else it would be another file's, whoever's that is.
        data = consumer.release.data + b"\0"
        if name.endswith(".whl"):  # pip itself refuses one with another project's metadata
            data = wheel(project, consumer.release.version).data
        return replace(consumer, filename=project + version, project=project, data=data)
    if name.endswith(".whl"):
        return replace(consumer, filename=name.replace("-py3", "-1-py3"))
    post = replace(consumer.release, version=f"{consumer.release.version}.post1")
    return replace(consumer, release=post, filename=name.replace(".tar.gz", ".post1.tar.gz"))


DAY = timedelta(days=1)
#: What may not be as it should be, by the reason that is given for it.
OTHERS: dict[str, Callable[[Consumer], Consumer]] = {
    "identity-issuer-mismatch": lambda it: _named(it, issuer="https://gitlab.com"),
    "identity-repository-mismatch": lambda it: _named(it, repository="acme/fork"),
    "identity-workflow-mismatch": lambda it: _named(it, workflow="nightly.yml"),
    "identity-ref-mismatch": lambda it: _named(it, ref="refs/heads/main"),
    "identity-environment-mismatch": lambda it: _named(it, environment="elsewhere"),
    "identity-subject-mismatch": lambda it: _named(it, subject="https://github.com/a/b@c"),
    "predicate-missing": lambda it: replace(it, require="slsa-build"),
    "artifact-digest-mismatch": lambda it: replace(it, data=it.release.data + b"\0"),
    "statement-for-another-file": _renamed,
    "statement-for-another-project": lambda it: _renamed(it, "other"),
    "trust-root-expired": lambda it: replace(
        it, root=it.release.root(STARTED, it.release.signed - DAY)
    ),
    "trust-root-not-yet-valid": lambda it: replace(
        it, root=it.release.root(it.release.signed + DAY, None)
    ),
    "attestation-missing": lambda it: replace(it, evidence={}),
    "sigstore-invalid": lambda it: replace(it, root=Sigstore("elsewhere.example").trusted_root()),
}


@pytest.mark.parametrize("reason", OTHERS)
def test_each_difference_has_a_reason_of_its_own(consumer: Consumer, reason: str) -> None:
    verdict = OTHERS[reason](consumer).verdict()
    assert verdict.reason == reason, (verdict.summary, verdict.expected, verdict.found)
    assert verdict.action.value == "block"


def test_a_difference_shows_both_sides(tmp_path: Path) -> None:
    consumer = Consumer(release=of_our_own(), folder=tmp_path)
    verdict = OTHERS["identity-repository-mismatch"](consumer).verdict()
    assert "acme/fork" in verdict.expected
    assert "acme/demo" in verdict.found


def test_forged_evidence_is_nobodys(tmp_path: Path) -> None:
    release = of_our_own()
    forged = Sigstore("elsewhere.example").attestation(
        statement((release.filename, release.data)),
        repository=release.repository,
        workflow=release.workflow,
        ref=release.ref,
    )
    evidence = {".provenance": json.dumps(provenance([forged])).encode()}
    verdict = Consumer(release=release, folder=tmp_path, evidence=evidence).verdict()
    assert verdict.reason == "sigstore-invalid"


# --- the command, and locks -------------------------------------------------------------------


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def lock(consumer: Consumer, repository: str = "") -> Path:
    """A lock of the file, which pins who publishes it."""
    release = consumer.release
    kind = "wheels" if release.filename.endswith(".whl") else "sdist"
    listed = "[[packages.wheels]]" if kind == "wheels" else "[packages.sdist]"
    path = consumer.folder / "pylock.toml"
    path.write_text(
        'lock-version = "1.0"\ncreated-by = "tests"\n'
        f'[[packages]]\nname = "{consumer.project or release.project}"\n'
        f'version = "{release.version}"\n'
        '[[packages.attestation-identities]]\nkind = "GitHub"\n'
        f'repository = "{repository or release.repository}"\nworkflow = "{release.workflow}"\n'
        f'{listed}\npath = "{consumer.filename or release.filename}"\n'
        f'hashes = {{ sha256 = "{hashlib.sha256(consumer.data or release.data).hexdigest()}" }}\n',
        encoding="utf-8",
    )
    return path


def test_the_command_and_a_lock_give_the_same_verdict(shell: Shell, consumer: Consumer) -> None:
    file, policy = consumer.prepared()
    for target in (file, lock(consumer)):
        assert shell.run("verify", "--format", "json", "--policy", policy, target) == 0, shell.err
        report = json.loads(shell.out)
        (verdict,) = report["verdicts"]
        assert verdict["reason"] == "verified"
        (credential,) = verdict["chain"]["credentials"]
        assert credential["publisher"] == (
            f"github:{consumer.release.repository}:release.yml ({consumer.release.ref})"
        )
        assert verdict["chain"]["stations"][0]["predicates"] == [PUBLISH]


@pytest.mark.parametrize("reason", OTHERS)
def test_a_lock_shows_each_difference(shell: Shell, consumer: Consumer, reason: str) -> None:
    consumer = OTHERS[reason](consumer)
    _, policy = consumer.prepared()
    assert shell.run("verify", "--format", "json", "--policy", policy, lock(consumer)) == 1
    (verdict,) = json.loads(shell.out)["verdicts"]
    assert verdict["reason"] == reason, verdict


def test_a_lock_that_pins_somebody_else_is_told(shell: Shell, consumer: Consumer) -> None:
    _, policy = consumer.prepared()
    pinned = lock(consumer, "acme/before")
    assert shell.run("verify", "--format", "json", "--policy", policy, pinned) == 1
    (verdict,) = json.loads(shell.out)["verdicts"]
    assert verdict["reason"] == "signer-changed", verdict
    assert "acme/before" in verdict["expected"]
    assert consumer.release.repository in verdict["found"]


# --- pip --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def attesting(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An armed environment that can check identities."""
    folder = tmp_path_factory.mktemp("attesting")
    try:
        return environments.create(folder, own(), NEWEST_PIP, armed=True, extras=("sigstore",))
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.matrix
@pytest.mark.parametrize("reason", OTHERS)
def test_pip_is_stopped_by_each_difference(
    attesting: Environment, consumer: Consumer, reason: str
) -> None:
    """The index serves what the consumer would have had beside the file."""
    consumer = OTHERS[reason](consumer)
    file, policy = consumer.prepared()
    project, version = consumer.project or consumer.release.project, consumer.release.version
    built = Built(name=project, version=version, filename=file.name, data=file.read_bytes())
    with loopback.serving() as index:
        index.add(built)
        if consumer.evidence is None:
            index.attest(built, consumer.release.evidence[".provenance"])
        result = attesting.pip("install", "--no-deps", project, index=index, policy=policy)
    assert outcome(attesting, result) == blocked(reason), result.output


@pytest.mark.parametrize(
    "suffixes", [(".publish.attestation",), (".publish.attestation", ".slsa.attestation")]
)
def test_attestations_beside_a_file_count_as_provenance_does(
    tmp_path: Path, suffixes: tuple[str, ...]
) -> None:
    release = RELEASES["pypi-attestations sdist"]()
    folder = INTEROP / "pep740"
    evidence = {
        suffix: (folder / f"{release.filename}{suffix}").read_bytes() for suffix in suffixes
    }
    consumer = Consumer(release=release, folder=tmp_path, evidence=evidence)
    assert consumer.verdict().reason == "verified"
    built = replace(consumer, require="slsa-build").verdict()
    if len(suffixes) == 1:
        assert built.reason == "predicate-missing"
        return
    assert built.reason == "verified", (built.summary, built.found)
    assert built.chain is not None
    assert built.chain.stations[0].predicates == (PROVENANCE,)


# --- a rebuilder ------------------------------------------------------------------------------

REBUILDER = INTEROP / "rebuilder"
DEB = "librust-as-slice-dev_0.2.1-1+b2_amd64.deb"
REBUILT = f"rebuild {DEB}"


@pytest.fixture
def rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a layout that asks for the rebuilder's link, the link, and the package."""
    if not REBUILDER.is_dir():
        pytest.skip(NO_REAL_DATA)
    who = load_public(next(REBUILDER.glob("*.pub")).read_bytes(), limits=DEFAULT)
    link = json.loads(next(REBUILDER.glob("*.link")).read_bytes())
    assert set(link["signed"]["products"][DEB]) == {"sha256", "sha512"}
    layout = authoring.layout(
        expires=datetime.now(timezone.utc) + DAY,
        keys=[who],
        steps=[
            authoring.step(
                REBUILT,
                functionaries=[who],
                expected_materials=[["ALLOW", "*.buildinfo"], ["DISALLOW", "*"]],
                expected_products=[["CREATE", "librust-as-slice-dev_*"], ["DISALLOW", "*"]],
            )
        ],
    )
    signed = authoring.sign(layout, [key("owner")])
    (tmp_path / "root.layout").write_bytes(authoring.written(signed))
    (tmp_path / "owner.pub").write_bytes(key("owner").public_pem())
    (tmp_path / link_filename(REBUILT, who.keyid)).write_text(json.dumps(link), encoding="utf-8")
    shutil.copy(REBUILDER / DEB, tmp_path / DEB)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_layout(shell: Shell, *words: str) -> dict[str, str]:
    """The verdict on the package by the layout, without a policy."""
    shell.run(
        *("verify", "--format", "json", "--layout", "root.layout", "--layout-key", "owner.pub"),
        *words,
        DEB,
    )
    (verdict,) = json.loads(shell.out)["verdicts"]
    assert isinstance(verdict, dict)
    return verdict


def test_a_rebuilders_link_verifies_by_both_of_its_digests(shell: Shell, rebuilt: Path) -> None:
    assert rebuilt.is_dir()
    assert by_layout(shell)["reason"] == "verified"


def test_a_package_that_nobody_rebuilt_does_not(shell: Shell, rebuilt: Path) -> None:
    with (rebuilt / DEB).open("ab") as file:
        file.write(b"\0")
    assert by_layout(shell)["reason"] == "artifact-digest-mismatch"


def test_a_rebuilders_link_with_another_second_digest_is_nobodys(
    shell: Shell, rebuilt: Path
) -> None:
    (path,) = rebuilt.glob("*.link")
    link = json.loads(path.read_bytes())
    link["signed"]["products"][DEB]["sha512"] = "0" * 128
    path.write_text(json.dumps(link), encoding="utf-8")
    assert by_layout(shell)["reason"] in {"link-missing", "link-threshold-unmet"}
