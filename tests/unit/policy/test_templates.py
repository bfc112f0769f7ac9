"""What `require` amounts to: layouts, against what Sigstore and keys of ours have signed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from fixtures.keys import key
from fixtures.sigstore import Sigstore, statement
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import (
    ArtifactDigestMismatch,
    EvidenceError,
    LayoutSignatureMissing,
    PolicyInvalid,
    PredicateMissing,
    PredicateNegative,
    RepositoryMismatch,
    StatementForAnotherFile,
    StatementForAnotherProject,
    WorkflowMismatch,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import documents_in
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.policy.file import load_policy
from pip_intoto.policy.model import NamedKey
from pip_intoto.policy.templates import TEMPLATES, compiled, written
from pip_intoto.verification.binding import Subject
from pip_intoto.verification.chain import verify
from pip_intoto.verification.substitution import parameters_of, substitute
from pip_intoto.verifier.authenticating import authenticator_with

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pip_intoto.policy.model import Policy
    from pip_intoto.verification.chain import Verified

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
WHEEL = "demo-1.0-py3-none-any.whl"
CONTENT = b"the wheel"
SIGSTORE = Sigstore()
RELEASE = {"repository": "acme/demo", "workflow": "release.yml"}
PASSED = "predicate.result == 'PASSED'"
CI = {"repository": "acme/demo", "workflow": "ci.yml"}
PROVENANCE = {
    "buildDefinition": {
        "buildType": "https://acme.example/build/v1",
        "externalParameters": {},
        "resolvedDependencies": [],
    },
    "runDetails": {"builder": {"id": "https://acme.example/builder"}},
}
HEAD = """\
version = 1
[sigstore]
trust-root = "trusted_root.json"
[identities.release]
publisher = "github:acme/demo:release.yml"
[identities.ci]
publisher = "github:acme/demo:ci.yml"
[[project]]
name = "demo"
"""


@dataclass(frozen=True)
class Consumer:
    """Somebody with a policy."""

    folder: Path

    def policy(self, rule: str) -> Policy:
        root = self.folder / "trusted_root.json"
        root.write_bytes(SIGSTORE.trusted_root())
        path = self.folder / "policy.toml"
        path.write_text(HEAD + rule)
        for each in (root, path):
            each.chmod(0o644)
        return load_policy(path)

    def verify(self, rule: str, *bundles: bytes, name: str = WHEEL) -> list[Verified]:
        policy = self.policy(rule)
        distribution = Distribution(
            name="demo",
            version="1.0",
            filename=name,
            kind=Kind.WHEEL,
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )
        documents = [
            document
            for number, bundle in enumerate(bundles)
            for document in documents_in(
                bundle, origin=f"bundle {number}", limits=DEFAULT
            ).documents
        ]
        subject = Subject(
            project="demo",
            distribution="demo",
            version="1.0",
            filename=name,
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )
        return [
            verify(
                documents,
                replace(trust, authenticator=authenticator_with(policy.trust_root)),
                subject,
                None,
                now=NOW,
                limits=DEFAULT,
            )
            for trust in policy.trusts_for(policy.projects[0], distribution)
        ]


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    return Consumer(tmp_path)


def signed(
    template: str,
    *,
    name: str = WHEEL,
    content: bytes = CONTENT,
    predicate: dict[str, object] | None = None,
    who: Mapping[str, str] = RELEASE,
) -> bytes:
    """A statement as the template of this name wants it, in a bundle of Sigstore's."""
    said = predicate if predicate is not None else SAID.get(template)
    kind = TEMPLATES[template].predicate_type if template in TEMPLATES else template
    return SIGSTORE.bundle(
        statement((name, content), predicate_type=kind, predicate=said),
        repository=who["repository"],
        workflow=who["workflow"],
    )


SAID: dict[str, dict[str, object]] = {
    "slsa-build": PROVENANCE,
    "slsa-build-v0.2": {
        "builder": {"id": "https://acme.example/builder"},
        "buildType": "https://acme.example/build/v1",
    },
    "test-result": {"result": "PASSED", "configuration": [{"uri": "https://acme.example/tox.ini"}]},
    "vsa": {
        "verifier": {"id": "https://acme.example/verifier"},
        "timeVerified": "2026-11-01T00:00:00Z",
        "resourceUri": "pkg:pypi/demo@1.0",
        "policy": {"uri": "https://acme.example/policy"},
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
    },
    "sbom-spdx": {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"},
    "sbom-spdx-v2.3": {"spdxVersion": "SPDX-2.3"},
    "sbom-spdx-v2": {"spdxVersion": "SPDX-2.2"},
    "sbom-cyclonedx": {"bomFormat": "CycloneDX"},
}


def require(*names: str) -> str:
    return f'require = {json.dumps(names)}\nidentities = ["release"]\n'


# --- what is met ----------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_met_by_a_statement_of_its_type(
    consumer: Consumer, template: str
) -> None:
    (verified,) = consumer.verify(require(template), signed(template))
    assert verified.functionaries == ("release",)
    assert verified.signed_by == ("policy",)


def test_all_that_is_required_must_be_there(consumer: Consumer) -> None:
    both = require("slsa-build", "publish")
    (verified,) = consumer.verify(both, signed("publish"), signed("slsa-build"))
    assert [station.name for station in verified.chain.stations] == ["slsa-build", "publish"]
    for missing in ("publish", "slsa-build"):
        with pytest.raises(EvidenceError):
            consumer.verify(both, signed(missing))


def test_a_statement_may_be_about_all_files_of_a_release(consumer: Consumer) -> None:
    of_all = statement((WHEEL, CONTENT), ("demo-1.0.tar.gz", b"the sdist"))
    assert consumer.verify(
        require("publish"), SIGSTORE.bundle(of_all, repository="acme/demo", workflow="release.yml")
    )


def test_names_with_brackets_are_no_patterns(consumer: Consumer) -> None:
    requirements = consumer.policy(require("publish")).projects[0].requirements
    layout = compiled(requirements, "a[b]*.whl", "policy").layout
    assert [rule.words for rule in layout.steps[0].expected_materials] == [
        ("ALLOW", "a[[]b][*].whl")
    ]


# --- what is not ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bundle", "error"),
    [
        (signed("publish", content=b"malware"), ArtifactDigestMismatch),
        (signed("publish", name="demo-0.9-py3-none-any.whl"), StatementForAnotherFile),
        (
            signed("publish", name="evil-1.0-py3-none-any.whl", content=b""),
            StatementForAnotherProject,
        ),
        (signed("sbom-spdx"), PredicateMissing),
        (signed("publish", who=CI), WorkflowMismatch),
        (signed("publish", who={**RELEASE, "repository": "evil/demo"}), RepositoryMismatch),
    ],
)
def test_what_does_not_meet_a_requirement_says_why(
    consumer: Consumer, bundle: bytes, error: type[EvidenceError]
) -> None:
    with pytest.raises(error):
        consumer.verify(require("publish"), bundle)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("test-result", {**SAID["test-result"], "result": "FAILED"}),
        ("vsa", {**SAID["vsa"], "verificationResult": "FAILED"}),
    ],
)
def test_who_says_that_it_failed_does_not_count(
    consumer: Consumer, template: str, said: dict[str, object]
) -> None:
    with pytest.raises(PredicateNegative):
        consumer.verify(require(template), signed(template, predicate=said))


@pytest.mark.parametrize("last", ["publish", "slsa-build", "slsa-build-v0.2"])
@pytest.mark.parametrize("first", ["test-result", "slsa-build", "publish", "slsa-build-v0.2"])
def test_every_requirement_is_about_the_file_and_not_only_the_one_that_binds(
    consumer: Consumer, first: str, last: str
) -> None:
    if first == last:
        first = "vsa"
    both = require(first, last)
    assert consumer.verify(both, signed(first), signed(last))
    for one, other in ((first, last), (last, first)):
        for changed in (
            signed(one, content=b"malware"),
            signed(one, name="demo-0.9-py3-none-any.whl", content=b"the last release"),
        ):
            with pytest.raises(EvidenceError):
                consumer.verify(both, changed, signed(other))


@pytest.mark.parametrize("middle", ["slsa-build-v0.2", "vsa"])
def test_what_stands_between_the_first_and_the_last_is_about_the_file_as_well(
    consumer: Consumer, middle: str
) -> None:
    three = ("slsa-build", middle, "publish")
    first, last = signed("slsa-build"), signed("publish")
    assert consumer.verify(require(*three), first, signed(middle), last)
    for changed in (
        signed(middle, content=b"malware"),
        signed(middle, name="demo-0.9-py3-none-any.whl", content=b"the last release"),
    ):
        with pytest.raises(EvidenceError):
            consumer.verify(require(*three), first, changed, last)


def test_identities_that_sign_layouts_are_asked_for_beside_what_is_required(
    consumer: Consumer,
) -> None:
    rule = 'layout-keys = ["ci"]\n' + require("publish")
    with pytest.raises(LayoutSignatureMissing):
        consumer.verify(rule, signed("publish"))


def test_keys_may_sign_what_is_required(consumer: Consumer) -> None:
    (required,) = consumer.policy(require("publish")).projects[0].requirements
    public = key("alice").public_key
    alice = NamedKey(name="alice", key=public, identity="", principal="alice", path=None, line=1)
    layout = compiled((replace(required, signers=(alice,)),), WHEEL, "policy").layout
    assert layout.keys == {public.keyid: public}
    assert layout.steps[0].expected_predicates[0].functionaries == (public.keyid,)


def test_each_requirement_can_have_signers_a_threshold_and_conditions_of_its_own(
    consumer: Consumer,
) -> None:
    tested = f'{{ predicate = "test-result", identities = ["ci"], conditions = ["{PASSED}"] }}'
    rule = f'require = ["publish", {tested}]\nidentities = ["release"]\n'
    assert consumer.verify(rule, signed("publish"), signed("test-result", who=CI))
    warned = {**SAID["test-result"], "result": "WARNED"}
    for bundle in (
        signed("test-result"),
        signed("test-result", who=CI, predicate=warned),
    ):
        with pytest.raises(EvidenceError):
            consumer.verify(rule, signed("publish"), bundle)


def test_T3_two_repositories_are_two_parties(consumer: Consumer) -> None:
    rule = """\
require = [{ predicate = "publish", threshold = 2 }]
identities = ["release", "mirror"]
[identities.mirror]
publisher = "github:mirror/demo:ci.yml"
"""
    mirror = signed("publish", who={"repository": "mirror/demo", "workflow": "ci.yml"})
    (verified,) = consumer.verify(rule, signed("publish"), mirror)
    assert set(verified.functionaries) == {"release", "mirror"}
    with pytest.raises(EvidenceError):
        consumer.verify(rule, signed("publish"), signed("publish", who=CI))


def test_T3_two_workflows_of_one_repository_are_one_party(consumer: Consumer) -> None:
    either = 'require = ["publish"]\nidentities = ["release", "ci"]\n'
    assert consumer.verify(either, signed("publish", who=CI))
    with pytest.raises(PolicyInvalid) as caught:
        consumer.policy(either.replace('"publish"', '{ predicate = "publish", threshold = 2 }'))
    assert caught.value.expected == "1"
    assert caught.value.advice.startswith("All workflows of one repository count once")


def test_a_revoked_identity_signs_nothing(consumer: Consumer) -> None:
    revoked = require("publish") + '[[revoked]]\nidentity = "release"\nreason = "taken over"\n'
    assert consumer.verify(require("publish"), signed("publish"))
    with pytest.raises(EvidenceError):
        consumer.verify(revoked, signed("publish"))


# --- written down ---------------------------------------------------------------------------


def test_a_layout_that_is_written_down_is_the_one_that_is_compiled(consumer: Consumer) -> None:
    rule = (
        'require = ["publish", "slsa-build", { predicate = "test-result", conditions = ["true"] }]'
    )
    requirements = consumer.policy(rule + '\nidentities = ["release"]').projects[0].requirements
    text = written(requirements)
    layout = parse_layout(Node(json.loads(text)), DEFAULT)
    assert parameters_of(layout) == ("filename",)
    named = substitute(layout, {"filename": WHEEL})
    held = compiled(requirements, WHEEL, "policy")
    assert named.steps == held.layout.steps
    assert named.identities == held.layout.identities
    assert held.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_layout_that_is_written_down_verifies_as_the_rule_does(consumer: Consumer) -> None:
    policy = consumer.policy(require("publish", "slsa-build"))
    path = consumer.folder / "demo.layout"
    path.write_text(written(policy.projects[0].requirements))
    path.chmod(0o644)
    held = 'layout = "demo.layout"\nparameters = { filename = "{filename}" }\n'
    (verified,) = consumer.verify(held, signed("publish"), signed("slsa-build"))
    assert verified.functionaries
    with pytest.raises(EvidenceError):
        consumer.verify(held, signed("publish"), signed("slsa-build", content=b"malware"))
