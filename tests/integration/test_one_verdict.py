"""One package, one verdict: a link, provenance, a test result, and what is in the wheel itself.

A maintainer's key signs what the source is, a workflow's identity what it was built into, a key of
the tests' how they went; the layout ties the wheel's content to the source. Each piece that is
removed, forged or swapped is caught.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

import pip_intoto
from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.sigstore import Sigstore, as_attestation, statement
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import link_filename
from tests.integration import blocking, environments, loopback
from tests.integration.interpreters import NEWEST_PIP, Unavailable, own
from tests.unit.cli.shells import Shell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.maintainer.authoring import JsonObject
    from tests.integration.environments import Environment

pytest.importorskip("sigstore")
pytest.importorskip("celpy")

SOURCE = """\
version = 1
project = "demo"
expires = "1 year"

[owners]
keys = ["owner"]

[keys.owner]
public = "owner.pub"

[keys.author]
public = "author.pub"

[keys.ci]
public = "ci.pub"

[identities.release]
publisher = "github:acme/demo:release.yml"

[[step]]
name = "source"
functionaries = ["author"]
materials = ["DISALLOW *"]
products = ["CREATE pyproject.toml", "CREATE src/demo/*", "DISALLOW *"]

[[step]]
name = "build"
materials = ["ALLOW git+https://github.com/acme/demo@*", "DISALLOW *"]
products = ["CREATE demo-*.whl", "DISALLOW *"]

[[step.statement]]
predicate = "slsa-provenance"
functionaries = ["release"]
conditions = ["predicate.buildDefinition.buildType == 'https://actions.example/build/v1'"]

[[step]]
name = "test"
materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]

[[step.statement]]
predicate = "test-result"
functionaries = ["ci"]
conditions = ["predicate.result == 'PASSED' && size(predicate.failedTests) == 0"]

[[inspection]]
name = "wheel"
run = ["unzip", "-q", "demo-*.whl", "-d", "wheel"]
materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]
products = [
    "MATCH demo-*.whl WITH PRODUCTS FROM build",
    "MATCH demo/* IN wheel WITH PRODUCTS IN src FROM source",
    "ALLOW wheel/demo-*.dist-info/METADATA",
    "ALLOW wheel/demo-*.dist-info/WHEEL",
    "ALLOW wheel/demo-*.dist-info/RECORD",
    "DISALLOW *",
]
"""
CONTENT = {"demo/__init__.py": b"VERSION = 1\n"}
WHEEL = wheel("demo", modules=CONTENT)
OLD = wheel("demo", "0.9", modules=CONTENT)
EVIL = wheel("demo", modules={"demo/__init__.py": b"EVIL = True\n"})
SIGSTORE = Sigstore()
PROVENANCE = "https://slsa.dev/provenance/v1"
TESTED = "https://in-toto.io/attestation/test-result/v0.1"


def sha256(data: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(data).hexdigest()}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What three parties said, and the file in hand; each field is one thing that may be wrong."""

    source: str = "author"
    products: dict[str, bytes] = field(
        default_factory=lambda: {"src/demo/__init__.py": CONTENT["demo/__init__.py"]}
    )
    built: Built = WHEEL
    build_type: str = "https://actions.example/build/v1"
    repository: str = "acme/demo"
    workflow: str = "release.yml"
    sigstore: Sigstore = SIGSTORE
    tester: str = "ci"
    tested: Built = WHEEL
    result: dict[str, object] = field(
        default_factory=lambda: {"result": "PASSED", "configuration": [], "failedTests": []}
    )
    file: Built = WHEEL

    @property
    def link(self) -> JsonObject:
        products = {
            "pyproject.toml": sha256(b"[project]\n"),
            **{name: sha256(data) for name, data in self.products.items()},
        }
        return authoring.sign(authoring.link("source", products=products), [key(self.source)])

    @property
    def provenance(self) -> bytes:
        predicate = {
            "buildDefinition": {
                "buildType": self.build_type,
                "externalParameters": {},
                "resolvedDependencies": [
                    {
                        "uri": "git+https://github.com/acme/demo@refs/tags/v1.0",
                        "digest": {"gitCommit": "1" * 40},
                    }
                ],
            },
            "runDetails": {"builder": {"id": "https://actions.example"}},
        }
        said = statement(
            (self.built.filename, self.built.data), predicate_type=PROVENANCE, predicate=predicate
        )
        return self.sigstore.bundle(
            said, repository=self.repository, workflow=self.workflow, ref="refs/tags/v1.0"
        )

    @property
    def test_result(self) -> JsonObject:
        said = statement(
            (self.tested.filename, self.tested.data), predicate_type=TESTED, predicate=self.result
        )
        return authoring.sign(json.loads(json.dumps(said)), [key(self.tester)])


@dataclass(frozen=True)
class World:
    """A maintainer's folder with a signed layout, and a consumer's policy."""

    folder: Path

    @property
    def policy(self) -> Path:
        path = self.folder / "policy.toml"
        (self.folder / "trusted_root.json").write_bytes(SIGSTORE.trusted_root())
        path.write_text(
            'version = 1\n[sigstore]\ntrust-root = "trusted_root.json"\n'
            '[keys.owner]\npublic = "owner.pub"\n'
            '[[project]]\nname = "demo"\nlayout-keys = ["owner"]\n',
            encoding="utf-8",
        )
        return path

    def verdict(
        self, said: Evidence, *, without: str = "", among: Evidence | None = None
    ) -> pip_intoto.Verdict:
        """Ship the file with all that was said, but one piece; ``among`` more."""
        documents = {
            "layout": (self.folder / "root.layout").read_bytes(),
            "source": authoring.written(said.link),
            "build": said.provenance,
            "test": authoring.written(said.test_result),
        }
        lines = [
            json.dumps(json.loads(each)) for name, each in documents.items() if name != without
        ]
        if among is not None:
            lines[:0] = [
                json.dumps(json.loads(each))
                for each in (
                    authoring.written(among.link),
                    among.provenance,
                    authoring.written(among.test_result),
                )
            ]
        file = said.file.write(self.folder)
        bundle = self.folder / f"{file.name}.intoto.jsonl"
        bundle.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return pip_intoto.verify(file, self.policy)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def world(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    for name in ("owner", "author", "ci"):
        (tmp_path / f"{name}.pub").write_bytes(key(name).public_pem())
    (tmp_path / "owner.pem").write_bytes(key("owner").private_pem())
    (tmp_path / "supply-chain.toml").write_text(SOURCE, encoding="utf-8")
    assert shell.run("layout", "build", "--signing-key", "owner.pem", "--force") == 0, shell.err
    return World(tmp_path)


# --- the whole --------------------------------------------------------------------------------


def test_one_package_has_one_verdict(world: World) -> None:
    verdict = world.verdict(Evidence())
    assert verdict.reason == "verified", (verdict.summary, verdict.expected, verdict.found)
    chain = verdict.chain
    assert chain is not None
    assert [(each.name, each.predicates) for each in chain.stations] == [
        ("source", ()),
        ("build", (PROVENANCE,)),
        ("test", (TESTED,)),
        ("wheel", ()),
    ]
    assert chain.stations[1].functionaries == ("github:acme/demo:release.yml (refs/tags/v1.0)",)
    assert [each.repository for each in chain.credentials] == ["acme/demo"]
    # Nobody whom the layout names is missed in it.
    assert not [entry for entry in verdict.trace if entry.what == "note"]


def test_the_layout_is_the_same_wherever_it_is_read(shell: Shell, world: World) -> None:
    assert world.folder.is_dir()
    assert shell.run("layout", "show", "root.layout") == 0
    assert "github:acme/demo:release.yml" in shell.out
    assert "slsa-provenance by" in shell.out
    assert "test-result by" in shell.out
    shell.run("layout", "diff", "root.layout", "supply-chain.toml")
    assert shell.out.splitlines()[-1] in {"Both layouts mean the same.", "1 change: 1 neither"}
    assert shell.run("layout", "status", "--source", "supply-chain.toml") == 0, shell.err
    changed = SOURCE.replace("acme/demo:release.yml", "acme/demo:nightly.yml").replace(
        " && size(predicate.failedTests) == 0", ""
    )
    (world.folder / "supply-chain.toml").write_text(changed, encoding="utf-8")
    assert shell.run("layout", "diff", "--format", "json", "root.layout", "supply-chain.toml") == 1
    found = {(each["code"], each["place"]) for each in json.loads(shell.out)["changes"]}
    assert found - {("expiry", "layout")} == {
        ("functionary-added", "step build, slsa-provenance"),
        ("functionary-removed", "step build, slsa-provenance"),
        ("conditions", "step test, test-result"),
    }


def test_the_maintainer_puts_all_of_it_together(shell: Shell, world: World) -> None:
    said = Evidence()
    links, dist = world.folder / "links", world.folder / "dist"
    links.mkdir()
    dist.mkdir()
    (links / "source.link").write_bytes(authoring.written(said.link))
    attestation = json.dumps(as_attestation(said.provenance))
    (links / f"{WHEEL.filename}.slsa.attestation").write_text(attestation, encoding="utf-8")
    old = replace(said, built=OLD, tested=OLD)
    (links / "old.sigstore.json").write_bytes(old.provenance)
    file = WHEEL.write(dist)
    words = ("bundle", file, "--link-dir", links, "-o", dist)
    assert shell.run(*words) == 2
    assert "There is no test-result for it" in shell.err or "no test-result" in shell.err
    (world.folder / "ci.pem").write_bytes(key("ci").private_pem())
    (world.folder / "more.json").write_text('{"failedTests": []}', encoding="utf-8")
    attest = ("attest", "--test-result", "PASSED", "--predicate", "more.json")
    assert shell.run(*attest, "--signing-key", "ci.pem", "-o", links / "t.json", file) == 0
    assert shell.run(*words) == 0, shell.err
    assert "old.sigstore.json is left out" in shell.err
    assert len((dist / f"{WHEEL.filename}.intoto.jsonl").read_bytes().splitlines()) == 4
    assert pip_intoto.verify(file, world.policy).reason == "verified"


def test_without_a_policy_statements_lie_among_the_links(shell: Shell, world: World) -> None:
    by_keys = SOURCE.replace('functionaries = ["release"]', 'functionaries = ["author"]')
    (world.folder / "supply-chain.toml").write_text(by_keys, encoding="utf-8")
    assert shell.run("layout", "build", "--signing-key", "owner.pem", "--force") == 0, shell.err
    said = Evidence()
    links = world.folder / "links"
    links.mkdir()
    name = link_filename("source", key("author").keyid)
    (links / name).write_bytes(authoring.written(said.link))
    payload = json.loads(base64.b64decode(json.loads(said.provenance)["dsseEnvelope"]["payload"]))
    provenance = authoring.sign(payload, [key("author")])
    (links / "build.json").write_bytes(authoring.written(provenance))
    (links / "package.json").write_text('{"name": "of another tool"}', encoding="utf-8")
    file = WHEEL.write(world.folder)
    words = ("verify", "--layout", "root.layout", "--layout-key", "owner.pub", "--link-dir", links)
    assert shell.run(*words, file) == 1
    assert "predicate-missing" in shell.out
    (links / "test.json").write_bytes(authoring.written(said.test_result))
    assert shell.run(*words, file) == 0, shell.out
    # Nobody names the workflow: what it says is no matter.
    (links / "extra.sigstore").write_bytes(said.provenance)
    assert shell.run(*words, file) == 0, shell.out


# --- each piece -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ("layout", "layout-signature-missing"),
        ("source", "link-missing"),
        ("build", "predicate-missing"),
        ("test", "predicate-missing"),
    ],
)
def test_each_piece_that_is_removed_is_missed(world: World, without: str, reason: str) -> None:
    verdict = world.verdict(Evidence(), without=without)
    assert verdict.reason == reason, (verdict.summary, verdict.found)


WRONG: dict[str, tuple[str, Callable[[Evidence], Evidence]]] = {
    "a link by somebody else": ("link-missing", lambda it: replace(it, source="mallory")),
    "a link by the key of another step": (
        "link-threshold-unmet",
        lambda it: replace(it, source="ci"),
    ),
    "a link about another source": (
        "rule-violated",
        lambda it: replace(it, products={"src/demo/__init__.py": b"VERSION = 2\n"}),
    ),
    "provenance by another repository": (
        "identity-repository-mismatch",
        lambda it: replace(it, repository="mallory/demo"),
    ),
    "provenance by another workflow": (
        "identity-workflow-mismatch",
        lambda it: replace(it, workflow="nightly.yml"),
    ),
    "provenance in another log": (
        "sigstore-invalid",
        lambda it: replace(it, sigstore=Sigstore("elsewhere.example")),
    ),
    "provenance of another kind of build": (
        "attribute-violated",
        lambda it: replace(it, build_type="https://laptop.example/v1"),
    ),
    "provenance of an older release": (
        "rule-violated",
        lambda it: replace(it, built=OLD, tested=OLD),
    ),
    "provenance of another wheel of that name": (
        "artifact-digest-mismatch",
        lambda it: replace(it, built=EVIL, tested=EVIL),
    ),
    "a test result by somebody else": (
        "predicate-missing",
        lambda it: replace(it, tester="mallory"),
    ),
    "a test that failed": (
        "predicate-negative",
        lambda it: replace(it, result={**it.result, "result": "FAILED"}),
    ),
    "a test that only warned": (
        "attribute-violated",
        lambda it: replace(it, result={**it.result, "result": "WARNED"}),
    ),
    "a test of which nobody knows what failed": (
        "attribute-missing",
        lambda it: replace(it, result={"result": "PASSED", "configuration": []}),
    ),
    "a test of another wheel": ("rule-violated", lambda it: replace(it, tested=EVIL)),
    "a test of an older release": ("rule-violated", lambda it: replace(it, tested=OLD)),
    "another wheel": ("artifact-digest-mismatch", lambda it: replace(it, file=EVIL)),
    "another wheel that was built and tested": (
        "rule-violated",
        lambda it: replace(it, built=EVIL, tested=EVIL, file=EVIL),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_piece_that_is_forged_or_swapped_is_caught(world: World, case: str) -> None:
    reason, change = WRONG[case]
    verdict = world.verdict(change(Evidence()))
    assert verdict.reason == reason, (verdict.summary, verdict.expected, verdict.found)
    assert verdict.action.value == "block"


@pytest.mark.accepts("A5")
@pytest.mark.parametrize("case", WRONG)
def test_A5_what_is_right_counts_whatever_lies_beside_it(world: World, case: str) -> None:
    """What ignoring a piece would allow, the piece does not deny either, whoever signed it."""
    _, change = WRONG[case]
    wrong = change(Evidence())
    verdict = world.verdict(Evidence(), among=wrong)
    assert verdict.reason == "verified", (verdict.summary, verdict.expected, verdict.found)


# --- pip --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def equipped(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An armed environment that can check identities and conditions."""
    folder = tmp_path_factory.mktemp("equipped")
    extras = ("sigstore", "cel")
    try:
        return environments.create(folder, own(), NEWEST_PIP, armed=True, extras=extras)
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.matrix
@pytest.mark.parametrize("case", ["", *WRONG])
def test_pip_gives_the_same_verdict(world: World, equipped: Environment, case: str) -> None:
    reason, change = WRONG[case] if case else ("", lambda it: it)
    said = change(Evidence())
    world.verdict(said)
    bundle = world.folder / f"{said.file.filename}.intoto.jsonl"
    with loopback.serving() as index:
        index.add(said.file)
        index.put_evidence(said.file, bundle.read_bytes())
        words = ("install", "--no-deps", "--target", str(world.folder / "target"), "demo")
        result = equipped.pip(*words, index=index, policy=world.policy)
    assert blocking.reason(result) == reason, result.output
    assert (world.folder / "target" / "demo").exists() == (not reason)
