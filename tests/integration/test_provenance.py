"""pip installs from an index with PEP 740 provenance, under a policy that says who publishes.

The provenance is made by a Sigstore of these tests; what is real, of PyPI's, comes last.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import Built, sdist, wheel
from fixtures.sigstore import Sigstore, provenance, statement
from tests.integration import blocking, environments, loopback, standin
from tests.integration.blocking import blocked, outcome
from tests.integration.interpreters import NEWEST_PIP, PIPS, ROOT, Unavailable, own
from tests.integration.loopback import Redirect, Reset, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.environments import Completed, Environment
    from tests.integration.loopback import Index

SIGSTORE = Sigstore()
DEMO = wheel("demo")
#: Who publishes demo, as its certificates say.
RELEASE = {"repository": "acme/demo", "workflow": "release.yml", "ref": "refs/tags/v1.0"}
PYPI_PUBLISH = "https://docs.pypi.org/attestations/publish/v1"


@pytest.fixture(
    scope="module",
    params=[NEWEST_PIP, *(pytest.param(pip, marks=pytest.mark.matrix) for pip in PIPS[:-1])],
)
def attesting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """Give an environment that can check identities: it has the extra for that."""
    pytest.importorskip("sigstore")
    folder = tmp_path_factory.mktemp("attesting")
    try:
        return environments.create(
            folder, own(), str(request.param), armed=True, extras=("sigstore",)
        )
    except Unavailable as missing:
        pytest.skip(str(missing))


@dataclass
class Site:
    """An index, a policy that names who publishes demo, and a pip."""

    environment: Environment
    index: Index
    folder: Path
    identity: str = 'publisher = "github:acme/demo:release.yml"'
    head: str = 'unlisted = "deny"'
    trust_root: bytes = field(default_factory=SIGSTORE.trusted_root)

    def policy(self, rule: str = "") -> Path:
        (self.folder / "trusted_root.json").write_bytes(self.trust_root)
        path = self.folder / "policy.toml"
        path.write_text(
            f'version = 1\n{self.head}\n[sigstore]\ntrust-root = "trusted_root.json"\n'
            f"[identities.release]\n{self.identity}\n"
            '[[project]]\nname = "demo"\nrequire = ["publish"]\nidentities = ["release"]\n' + rule,
            encoding="utf-8",
        )
        return path

    def publish(self, built: Built = DEMO, **who: str) -> None:
        """List a file with provenance, made by whom the rest describes."""
        self.serve(built, attested(built, **who))

    def serve(self, built: Built, provenance: bytes) -> None:
        """List a file with this provenance."""
        self.index.add(built)
        self.index.attest(built, provenance)

    def install(self, *words: str | Path, rule: str = "") -> Completed:
        target = ("--target", str(self.folder / "target"))
        return self.environment.pip(
            "install", *target, *(words or ("demo",)), index=self.index, policy=self.policy(rule)
        )

    @property
    def installed(self) -> bool:
        return (self.folder / "target" / "demo.py").exists()

    def policy_of(self, project: str, publisher: str) -> Path:
        """Write a policy that rests on the trust root that the sigstore package brings along."""
        path = self.folder / "policy.toml"
        path.write_text(
            f'version = 1\nunlisted = "deny"\n[identities.release]\npublisher = "{publisher}"\n'
            f'[[project]]\nname = "{project}"\nrequire = ["publish"]\nidentities = ["release"]\n',
            encoding="utf-8",
        )
        return path


def attested(built: Built, predicate_type: str = PYPI_PUBLISH, **who: str) -> bytes:
    said = statement((built.filename, built.data), predicate_type=predicate_type)
    made = SIGSTORE.attestation(said, **{**RELEASE, **who})
    return json.dumps(provenance([made])).encode()


@pytest.fixture
def site(attesting: Environment, tmp_path: Path) -> Iterator[Site]:
    blocking.restore(attesting)
    with loopback.serving() as index:
        yield Site(environment=attesting, index=index, folder=tmp_path)
    blocking.restore(attesting)


# --- what installs --------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "html"])
def test_a_wheel_with_provenance_by_whom_the_policy_names_is_installed(
    site: Site, *, as_json: bool
) -> None:
    site.index.speaks_json = as_json
    site.publish()
    result = site.install()
    assert result.status == 0, result.output
    assert site.installed
    assert "1 verified" in result.output
    assert len(site.index.asked("/integrity/*")) == 1
    # pip reads the page, and the verifier does, for the address that it names.
    assert len(site.index.asked("/simple/demo/")) == 2


def test_an_sdist_is_not_built_before_its_provenance_verifies(site: Site) -> None:
    mark = site.folder / "code-ran"
    source = sdist("demo", runs=mark)
    site.publish(source, repository="evil/demo")
    result = site.install("--no-build-isolation", "demo")
    assert outcome(site.environment, result) == blocked("identity-repository-mismatch"), (
        result.output
    )
    assert not mark.exists()
    site.publish(source)
    result = site.install("--no-build-isolation", "demo")
    assert result.status == 0, result.output
    assert mark.exists()


def test_attestations_beside_the_file_will_do(site: Site) -> None:
    site.index.add(DEMO)
    site.index.put(f"/files/{DEMO.filename}.provenance", attested(DEMO))
    result = site.install()
    assert result.status == 0, result.output
    assert site.installed


def test_a_file_on_this_machine_has_its_provenance_beside_it(site: Site) -> None:
    path = DEMO.write(site.folder)
    result = site.install(path)
    assert outcome(site.environment, result) == blocked("attestation-missing"), result.output
    (site.folder / (DEMO.filename + ".provenance")).write_bytes(attested(DEMO))
    result = site.install(path)
    assert result.status == 0, result.output


def test_provenance_on_another_server_is_fetched_without_credentials(site: Site) -> None:
    site.index.add(DEMO)
    site.index.require("alice", "secret")
    with loopback.serving() as elsewhere:
        elsewhere.put("/there", attested(DEMO))
        site.index.name_provenance(DEMO, elsewhere.origin + "/there")
        result = site.environment.pip(
            *("install", "--target", str(site.folder / "target"), "demo"),
            policy=site.policy(),
            variables={"PIP_INDEX_URL": site.index.with_credentials("alice", "secret")},
        )
        assert result.status == 0, result.output
        (request,) = elsewhere.requests
        assert "authorization" not in request.headers
    assert "secret" not in result.output


def test_a_named_address_may_redirect(site: Site) -> None:
    site.publish()
    site.index.put("/moved", attested(DEMO))
    site.index.fault("/integrity/*", Redirect("/moved"))
    result = site.install()
    assert result.status == 0, result.output


# --- what is blocked ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ({"repository": "evil/demo"}, "identity-repository-mismatch"),
        ({"workflow": "other.yml"}, "identity-workflow-mismatch"),
        ({"issuer": "https://evil.example"}, "identity-issuer-mismatch"),
    ],
    ids=["repository", "workflow", "issuer"],
)
def test_provenance_by_somebody_else_is_blocked_and_both_are_shown(
    site: Site, who: dict[str, str], reason: str
) -> None:
    site.serve(DEMO, attested(DEMO, **who))
    result = site.install()
    assert outcome(site.environment, result) == blocked(reason), result.output
    assert not site.installed
    (claimed,) = who.values()
    assert claimed in result.words


def test_provenance_of_other_content_is_blocked(site: Site) -> None:
    site.serve(DEMO, attested(DEMO.tampered()))
    result = site.install()
    assert outcome(site.environment, result) == blocked("artifact-digest-mismatch"), result.output


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        # The statement that belongs to another file, word for word.
        (wheel("demo", "2.0"), "artifact-not-bound"),
        (wheel("other"), "statement-for-another-project"),
        # A statement about these very bytes, under another name.
        (replace(DEMO, filename="demo-2.0-py3-none-any.whl"), "statement-for-another-file"),
        (replace(DEMO, filename="other-1.0-py3-none-any.whl"), "statement-for-another-file"),
    ],
    ids=["release", "project", "name", "name-of-a-project"],
)
def test_provenance_of_another_file_is_blocked(site: Site, about: Built, reason: str) -> None:
    site.serve(DEMO, attested(about))
    result = site.install()
    assert outcome(site.environment, result) == blocked(reason), result.output
    assert not site.installed


def test_provenance_of_another_kind_is_blocked(site: Site) -> None:
    site.serve(DEMO, attested(DEMO, "https://example.org/other/v1"))
    result = site.install()
    assert outcome(site.environment, result) == blocked("predicate-missing"), result.output


def test_provenance_that_another_sigstore_vouches_for_is_blocked(site: Site) -> None:
    site.trust_root = Sigstore("another.example").trusted_root()
    site.publish()
    result = site.install()
    assert outcome(site.environment, result) == blocked("sigstore-invalid"), result.output


@pytest.mark.matrix
def test_without_sigstore_pip_is_told_what_to_install(
    environment: Environment, index: Index, tmp_path: Path
) -> None:
    site = Site(environment=environment, index=index, folder=tmp_path)
    site.publish()
    result = site.install()
    assert outcome(environment, result) == blocked("sigstore-unavailable"), result.output
    assert "pip-intoto[sigstore]" in result.words


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "html"])
def test_where_the_index_names_none_it_is_missing(site: Site, *, as_json: bool) -> None:
    site.index.speaks_json = as_json
    site.publish()
    site.index.name_provenance(DEMO, "")
    result = site.install()
    assert outcome(site.environment, result) == blocked("attestation-missing"), result.output
    assert "names no provenance" in result.words


def test_what_the_index_names_and_does_not_have_is_missing(site: Site) -> None:
    site.publish()
    site.index.remove(site.index.provenance_path(DEMO))
    result = site.install()
    assert outcome(site.environment, result) == blocked("attestation-missing"), result.output


@pytest.mark.parametrize(
    "fault",
    [
        Status(503),
        *(
            pytest.param(fault, marks=pytest.mark.matrix)
            for fault in (Status(403), Reset(), Redirect("ftp://x/"))
        ),
    ],
)
def test_an_outage_is_unreachable_and_neither_missing_nor_invalid(
    site: Site, fault: loopback.Fault
) -> None:
    site.publish()
    site.index.fault("/integrity/*", fault)
    result = site.install()
    assert outcome(site.environment, result) == blocked("source-unreachable"), result.output


def test_provenance_that_cannot_be_read_is_invalid(site: Site) -> None:
    site.serve(DEMO, b'{"version": 1, "attestation_bundles": 7}')
    result = site.install()
    assert outcome(site.environment, result) == blocked("metadata-malformed"), result.output


# --- a verifier that was taken over ---------------------------------------------------------

_ASKING = """
greet(); ready()
heard = []


def next_of(kind):
    while True:
        for message in heard:
            if message["type"] == kind:
                heard.remove(message)
                return message
        line = sys.stdin.buffer.readline()
        if not line:
            os._exit(0)
        heard.append(json.loads(line))


number = next_of("announce")["id"]
for count, url in enumerate({urls!r}):
    say(type="fetch", fetch=count, id=number, url=url, max_bytes=100_000, seconds=5)
    next_of("fetched")
asked = next_of("decide")
say(type="verdict", id=number, status="missing", reason="attestation-missing", action="block",
    summary="as told", expected="", found="", advice="", sha256=asked["sha256"], build="any",
    trace=[])
next_of("the end of pip")
"""


def test_the_gate_asks_for_provenance_only_where_it_has_read_of_it_itself(site: Site) -> None:
    site.publish()
    site.index.add(wheel("other"))
    site.index.attest(wheel("other"), attested(wheel("other")))
    origin = site.index.origin
    named = origin + site.index.provenance_path(DEMO)
    urls = [
        # Before the page was read, nothing is known of it.
        named,
        f"{origin}/simple/demo/",
        named,
        named + "/more",
        origin + site.index.provenance_path(wheel("other")),
        f"{origin}/simple/other/",
        f"{origin}/simple/",
        f"{origin}/secret",
        "http://169.254.169.254/latest",
    ]
    standin.appoint(site.environment, _ASKING.format(urls=urls))
    result = site.install()
    assert blocking.reason(result) == "attestation-missing", result.output
    asked = [request.path for request in site.index.requests]
    assert asked.count(site.index.provenance_path(DEMO)) == 1
    assert set(asked) <= {
        "/simple/demo/",
        f"/files/{DEMO.filename}",
        f"/files/{DEMO.filename}.metadata",
        site.index.provenance_path(DEMO),
    }


# --- what PyPI serves -----------------------------------------------------------------------

INTEROP = ROOT.parent / "shared" / "interop" / "pep740"
ABI3INFO = "abi3info-2024.10.8-py3-none-any.whl"


def real(filename: str) -> bytes:
    """Give a file of PyPI, or what it serves of one; skips where they are not at hand."""
    path = INTEROP / filename
    if not path.is_file():
        pytest.skip(f"there is no data of PyPI at {INTEROP}")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("publisher", "reason"),
    [
        ("github:woodruffw/abi3info:release.yml", ""),
        ("github:woodruffw/other:release.yml", "identity-repository-mismatch"),
        *(
            pytest.param(publisher, reason, marks=pytest.mark.matrix)
            for publisher, reason in (
                ("github:woodruffw/abi3info:release.yml@refs/tags/v2024.10.08", ""),
                ("github:woodruffw/abi3info:tests.yml", "identity-workflow-mismatch"),
                ("github:woodruffw/abi3info:release.yml@refs/heads/main", "identity-ref-mismatch"),
                ("gitlab:woodruffw/abi3info:release.yml", "identity-issuer-mismatch"),
            )
        ),
    ],
)
def test_real_provenance_installs_by_its_publisher_alone(
    site: Site, publisher: str, reason: str
) -> None:
    built = Built(name="abi3info", version="2024.10.8", filename=ABI3INFO, data=real(ABI3INFO))
    site.serve(built, real(ABI3INFO + ".provenance"))
    result = site.environment.pip(
        *("install", "--no-deps", "--target", str(site.folder / "target"), "abi3info"),
        index=site.index,
        policy=site.policy_of("abi3info", publisher),
    )
    assert blocking.reason(result) == reason, result.output
    assert (site.folder / "target" / "abi3info").exists() == (not reason)


def test_real_provenance_of_the_sdist_is_none_of_the_wheel(site: Site) -> None:
    built = Built(name="abi3info", version="2024.10.8", filename=ABI3INFO, data=real(ABI3INFO))
    site.serve(built, real("abi3info-2024.10.8.tar.gz.provenance"))
    result = site.environment.pip(
        *("install", "--no-deps", "--target", str(site.folder / "target"), "abi3info"),
        index=site.index,
        policy=site.policy_of("abi3info", "github:woodruffw/abi3info:release.yml"),
    )
    assert result.status == 1
    assert blocking.reason(result) in {"artifact-not-bound", "statement-for-another-file"}
    assert not (site.folder / "target").exists()
