"""Identities, requirements, trust roots and TUF repositories in a policy, and their mistakes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from fixtures.sigstore import GITHUB, GITLAB, GOOGLE, Sigstore
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import AttestationMissing, EvidenceDowngrade, PolicyInvalid
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.identities import Identity, listed, with_keyid
from pip_intoto.policy.extras import missing_extras
from pip_intoto.policy.model import Beside, Pep740, Tuf
from pip_intoto.policy.publishers import NoPublisher, parse_publisher
from pip_intoto.policy.vocabulary import WAIVABLE
from tests.unit.policy.folders import HEAD
from tests.unit.verification.supply import OWNER, layout, tag_step

if TYPE_CHECKING:
    from pip_intoto.policy.model import Policy
    from tests.unit.policy.folders import Folderful

RELEASE = """\
[identities.release]
publisher = "github:acme/demo:release.yml"
"""
DEMO = """\
[[project]]
name = "demo"
"""
REQUIRED = DEMO + 'require = ["publish"]\nidentities = ["release"]\n'


def wheel(name: str = "demo") -> Distribution:
    return Distribution(
        name=name,
        version="1.0",
        filename=f"{name}-1.0-py3-none-any.whl",
        kind=Kind.WHEEL,
        sha256="ab" * 32,
    )


# --- publishers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("github:acme/demo", {"issuer": GITHUB, "repository": "acme/demo"}),
        (
            "github:acme/demo.py:release.yml",
            {"issuer": GITHUB, "repository": "acme/demo.py", "workflow": "release.yml"},
        ),
        (
            "github:acme/demo:.github/workflows/release.yaml@refs/tags/v1.0",
            {
                "issuer": GITHUB,
                "repository": "acme/demo",
                "workflow": ".github/workflows/release.yaml",
                "ref": "refs/tags/v1.0",
            },
        ),
        (
            "gitlab:acme/tools/demo:.gitlab-ci.yml",
            {"issuer": GITLAB, "repository": "acme/tools/demo", "workflow": ".gitlab-ci.yml"},
        ),
        ("google:ann@acme.example", {"issuer": GOOGLE, "subject": "ann@acme.example"}),
    ],
)
def test_a_publisher_is_short_for_an_identity(text: str, asked: dict[str, str]) -> None:
    assert parse_publisher(text) == Identity(keyid="", **asked)


@pytest.mark.parametrize(
    "text",
    [
        "acme/demo",
        "github:acme",
        "github:acme/*",
        "github:*/demo",
        "github:acme/demo:",
        "github:acme/demo:release",
        "github:acme/demo:*.yml",
        "github:acme/demo:release.yml@main",
        "github:acme/demo:release.yml@",
        "github:acme/demo/x",
        "gitlab:demo",
        "google:ann",
        "google:*@acme.example",
        "githb:acme/demo",
        "https://github.com/acme/demo",
        "",
    ],
)
def test_what_is_no_publisher_is_refused(text: str) -> None:
    with pytest.raises(NoPublisher):
        parse_publisher(text)


def test_an_identity_has_a_keyid_that_follows_from_what_it_says() -> None:
    one = with_keyid(Identity(keyid="", issuer=GITHUB, repository="a/b"))
    other = with_keyid(Identity(keyid="", issuer=GITHUB, subject="a/b"))
    assert one.keyid == parse_publisher("github:a/b").keyid
    assert one.keyid != other.keyid
    assert len(one.keyid) == 64
    assert listed(one) == {
        "keytype": "sigstore-oidc",
        "scheme": "Fulcio",
        "keyval": {"issuer": GITHUB, "repository": "a/b"},
    }


# --- what a policy says ---------------------------------------------------------------------


def test_identities_are_read_in_both_spellings(folder: Folderful) -> None:
    policy = folder.load(
        HEAD
        + RELEASE
        + f"""\
[identities.parts]
issuer = "{GITHUB}"
repository = "acme/demo"
workflow = "release.yml"
principal = "release"
[identities.deploy]
publisher = "github:acme/demo:release.yml"
ref = "refs/heads/main"
environment = "pypi"
"""
    )
    release, parts, deploy = policy.identities.values()
    assert release.identity == parts.identity
    assert release.principal == parts.principal == "release"
    assert (deploy.identity.ref, deploy.identity.environment) == ("refs/heads/main", "pypi")
    assert deploy.principal == "deploy"
    assert [each.line for each in policy.identities.values()] == [6, 8, 13]


def test_a_rule_may_require_attestations_alone(folder: Folderful) -> None:
    policy = folder.load(HEAD + RELEASE + REQUIRED)
    (rule,) = policy.projects
    assert not rule.is_signed
    assert rule.sources == (Beside(), Pep740())
    (requirement,) = rule.requirements
    assert (requirement.name, requirement.threshold, requirement.line) == ("publish", 1, 10)
    (trust,) = policy.trusts_for(rule, wheel())
    assert (trust.owners, trust.threshold) == ((), 0)
    assert trust.own_layout is not None
    assert trust.own_layout.origin == "policy.toml:10"
    assert dict(trust.identities) == {policy.identities["release"].identity: "release"}


def test_what_is_required_stands_beside_layouts_that_others_sign(
    folder: Folderful,
) -> None:
    both = REQUIRED + 'layout-keys = ["alice", "bob"]\nbinds = "build"\n'
    both += 'parameters = { V = "{version}" }\ninspections = [["python", "x.py"]]\n'
    policy = folder.load(HEAD + RELEASE + both)
    signed, required = policy.trusts_for(policy.projects[0], wheel())
    assert (len(signed.owners), signed.threshold, signed.own_layout) == (2, 2, None)
    assert (signed.binds, dict(signed.parameters)) == ("build", {"V": "1.0"})
    assert (required.owners, required.binds, dict(required.parameters)) == ((), "", {})
    assert required.allowed_commands == ()
    assert required.own_layout is not None


def test_what_is_required_has_one_digest_for_all_files(folder: Folderful) -> None:
    text = HEAD + RELEASE + REQUIRED.replace('"demo"', '"acme-*"')
    policy = folder.load(text)
    digests = {
        trust.own_layout.sha256
        for name in ("acme-a", "acme-b")
        for trust in policy.trusts_for(policy.projects[0], wheel(name))
        if trust.own_layout is not None
    }
    assert len(digests) == 1
    stricter = folder.load(text.replace('"publish"', '"publish", "vsa"'))
    (trust,) = stricter.trusts_for(stricter.projects[0], wheel("acme-a"))
    assert trust.own_layout is not None
    assert trust.own_layout.sha256 not in digests


def test_identities_may_sign_layouts_beside_keys(folder: Folderful) -> None:
    policy = folder.load(HEAD + RELEASE + DEMO + 'layout-keys = ["alice", "release"]\n')
    (trust,) = policy.trusts_for(policy.projects[0], wheel())
    assert ([owner.principal for owner in trust.owners], trust.threshold) == (["alice"], 2)
    assert [owner.principal for owner in trust.owner_identities] == ["release"]
    assert policy.projects[0].sources == (Beside(),)


def test_an_identity_that_signs_layouts_of_several_projects_is_shared(
    folder: Folderful,
) -> None:
    one = DEMO + 'layout-keys = ["release"]\n'
    policy = folder.load(HEAD + RELEASE + one + one.replace("demo", "other"))
    assert [rule.shared_keys for rule in policy.projects] == [True, True]


def test_a_layout_that_the_consumer_holds_needs_no_signature(
    folder: Folderful,
) -> None:
    bare = layout(tag_step())
    for said in (bare, authoring.sign(bare, (OWNER,))):
        content = json.dumps(said).encode()
        folder.write("own.layout", content)
        policy = folder.load(HEAD + DEMO + 'layout = "own.layout"\n')
        (rule,) = policy.projects
        assert rule.layout is None
        (trust,) = policy.trusts_for(rule, wheel())
        assert trust.own_layout is not None
        assert trust.own_layout.sha256 == hashlib.sha256(content).hexdigest()
        assert trust.own_layout.origin == str(folder.path / "own.layout")
        assert [step.name for step in trust.own_layout.layout.steps] == ["tag"]
        assert folder.path / "own.layout" in policy.files


def test_a_trust_root_is_read_with_the_policy(folder: Folderful) -> None:
    root = Sigstore().trusted_root()
    path = folder.write("trusted_root.json", root)
    policy = folder.load('version = 1\n[sigstore]\ntrust-root = "trusted_root.json"\n')
    assert policy.trust_root == root
    assert path in policy.files
    assert folder.load("version = 1\n").trust_root is None


TUF = """\
[tuf.acme]
root = "root.json"
metadata = "https://tuf.acme.example/metadata"
targets = "https://tuf.acme.example/targets/"
"""


def test_a_tuf_repository_gives_out_keys(folder: Folderful) -> None:
    folder.write("root.json", b"{}")
    policy = folder.load("version = 1\n" + TUF + DEMO + 'layout-keys = ["tuf:acme"]\n')
    acme = policy.tuf["acme"]
    assert (acme.root, acme.metadata) == (b"{}", "https://tuf.acme.example/metadata/")
    assert acme.target == "{project}/{filename}"
    (rule,) = policy.projects
    assert (rule.owners_from, rule.owners, rule.threshold) == ("acme", (), 0)
    assert rule.shared_keys
    assert rule.sources == (Tuf("acme"), Beside())
    assert len(policy.trusts_for(rule, wheel())) == 1
    policy = folder.load(
        "version = 1\n"
        + TUF
        + 'target = "{filename}"\n'
        + DEMO
        + 'layout-keys = ["tuf:acme"]\nthreshold = 2\nsources = ["pep740", "tuf:acme"]\n'
    )
    assert policy.projects[0].threshold == 2
    assert policy.projects[0].sources == (Pep740(), Tuf("acme"))
    assert policy.tuf["acme"].target == "{filename}"


def test_identities_are_revoked_by_name_or_as_publishers(folder: Folderful) -> None:
    policy = folder.load(
        HEAD
        + RELEASE
        + REQUIRED
        + """\
[[revoked]]
identity = "release"
reason = "taken over"
[[revoked]]
publisher = "github:evil/demo"
reason = "typosquatter"
[[revoked]]
key = "keys/alice.pub"
reason = "stolen"
"""
    )
    assert [each.line for each in policy.revoked_identities] == [12, 15]
    assert len(policy.revoked) == 1
    (trust,) = policy.trusts_for(policy.projects[0], wheel())
    assert trust.revoked_identities == (
        policy.identities["release"].identity,
        parse_publisher("github:evil/demo"),
    )


def test_exceptions_may_waive_that_an_attestation_is_missing() -> None:
    assert {AttestationMissing.code, EvidenceDowngrade.code} <= set(WAIVABLE)


# --- mistakes -------------------------------------------------------------------------------

MISTAKES = [
    # text below HEAD, line, part of the message, part of the advice
    ("[identities]\nrelease = 1", 7, "`release` must be a table", "[identities.release]"),
    ('[identities]\npublisher = "x"', 7, "`publisher` must be a table", "Give it a name"),
    ("identities = 1", 6, "", ""),
    ('[identities.alice]\npublisher = "github:a/b"', 6, "has the name of a key", "another name"),
    ('[identities.x]\npublishr = "github:a/b"', 7, "unknown key `publishr`", "`publisher`"),
    ("[identities.x]\n", 6, "[identities.x] lacks `issuer`", "publisher = "),
    ('[identities.x]\npublisher = "githb:a/b"', 7, "is not a publisher", "github:…"),
    ('[identities.x]\npublisher = "github:a/*"', 7, "not a repository", "pattern"),
    (
        '[identities.x]\npublisher = "github:a/b:c.yml"\nworkflow = "d.yml"',
        8,
        "`publisher` says already what `workflow` is",
        "Remove one",
    ),
    (
        '[identities.x]\npublisher = "github:a/b"\nissuer = "https://x.example"',
        8,
        "`publisher` says already what `issuer` is",
        "Remove one",
    ),
    ('[identities.x]\nissuer = "x.example"\nsubject = "a"', 7, "is not an issuer", ""),
    ('[identities.x]\nissuer = "https://x.example"', 6, "is everybody for whom", "Say who"),
    (
        '[identities.x]\nissuer = "https://x.example"\nrepository = "acme/*"',
        8,
        "`repository` looks like a pattern",
        "compared exactly",
    ),
    (
        '[identities.x]\nissuer = "https://x.example"\nrepository = "a/b"\nref = "main"',
        9,
        '"main" is not a full ref',
        "",
    ),
    (
        RELEASE + '[identities.x]\npublisher = "github:acme/demo:release.yml"',
        8,
        "is the same as [identities.release] on line 6",
        "the same principal",
    ),
    (DEMO + 'require = ["publish"]', 8, "does not say who must have signed", "name under it"),
    (RELEASE + REQUIRED.replace("publish", "publsh"), 10, 'called "publsh"', '"publish"'),
    (RELEASE + REQUIRED.replace("publish", "sbom"), 10, 'called "sbom"', "sbom-spdx"),
    (RELEASE + REQUIRED.replace('["publish"]', "[]"), 10, "`require` is an empty array", ""),
    (
        RELEASE + REQUIRED.replace('["publish"]', '["publish", "publish"]'),
        10,
        "requires `publish` twice",
        "`name`",
    ),
    (
        RELEASE + REQUIRED.replace('["release"]', '["relese"]'),
        11,
        "names the key `relese`, which neither [keys] nor [identities] has",
        "`release`",
    ),
    (
        RELEASE + DEMO + 'layout-keys = ["alice"]\nidentities = ["release"]',
        11,
        "demo requires nothing",
        "require = ",
    ),
    (
        RELEASE + DEMO + 'require = [{ predicat = "publish" }]\nidentities = ["release"]',
        10,
        "unknown key `predicat`",
        "`predicate`",
    ),
    (
        RELEASE + DEMO + 'require = [{ predicate = "publsh" }]\nidentities = ["release"]',
        10,
        '"publsh" is not a predicate type',
        '"publish"',
    ),
    (
        RELEASE
        + DEMO
        + 'require = [{ predicate = "publish", threshold = 2 }]\nidentities = ["release"]',
        10,
        "cannot be 2",
        "",
    ),
    (
        RELEASE
        + DEMO
        + 'require = [{ predicate = "publish", name = "a/b" }]\nidentities = ["release"]',
        10,
        '"a/b" cannot be the name of a requirement',
        "",
    ),
    (
        RELEASE
        + DEMO
        + 'identities = ["release"]\n'
        + 'require = [{ predicate = "publish", identities = ["release"] }]',
        10,
        "each names its own",
        "Remove it",
    ),
    (RELEASE + REQUIRED + "threshold = 1", 12, "is about layouts that others sign", "layout-keys"),
    (
        RELEASE + REQUIRED + f'layout-sha256 = ["{"a" * 64}"]',
        12,
        "is about layouts that others sign",
        "",
    ),
    *(
        (RELEASE + REQUIRED + said, 12, "is about a layout, and [[project]] demo asks for none", "")
        for said in (
            'binds = "publish"',
            'parameters = { VERSION = "{version}" }',
            "parameters-in-sublayouts = true",
            'inspections = [["true"]]',
        )
    ),
    (DEMO + 'layout = "keys/alice.pub"', 8, "cannot be used as a layout", "layout lint"),
    ("[sigstore]\n", 6, "[sigstore] lacks `trust-root`", "trusted_root.json"),
    ('[sigstore]\ntrust-rot = "x"', 7, "unknown key `trust-rot`", "`trust-root`"),
    ('[sigstore]\ntrust-root = "keys/alice.pub"', 7, "is not a trust root of Sigstore", ""),
    ("[tuf]\nacme = 1", 7, "`acme` must be a table", "[tuf.acme]"),
    ('[tuf]\nroot = "x"', 7, "`root` must be a table", "Give it a name"),
    (TUF.replace("targets =", "target ="), 6, "[tuf.acme] lacks `targets`", ""),
    (TUF.replace("https://tuf.acme.example/metadata", "metadata"), 8, "not a URL", ""),
    (TUF + 'target = "{file}"', 10, "unknown placeholder {file}", "{filename}"),
    (TUF.replace('"root.json"', '"absent.json"'), 7, "the TUF root is not there", ""),
    (DEMO + 'layout-keys = ["tuf:acme"]', 8, "there is no [tuf.acme]", "Add [tuf.acme]"),
    (
        TUF + DEMO + 'layout-keys = ["tuf:acne"]',
        12,
        "there is no [tuf.acne]",
        "Did you mean tuf:acme?",
    ),
    (
        TUF + DEMO + 'layout-keys = ["tuf:acme", "alice"]',
        12,
        "does not stand beside others",
        "",
    ),
    (
        TUF + DEMO + 'layout-keys = ["tuf:acme"]\nthreshold = 0',
        13,
        "cannot be 0",
        "",
    ),
    (DEMO + 'layout-keys = ["alice"]\nsources = ["pep741"]', 9, "not a source", '"pep740"'),
    (DEMO + 'layout-keys = ["alice"]\nsources = ["tuf:x"]', 9, "there is no [tuf.x]", ""),
    ('[[revoked]]\nidentity = "x"\nreason = "r"', 7, "[identities] does not have", "Add"),
    ('[[revoked]]\npublisher = "x"\nreason = "r"', 7, '"x" is not a publisher', ""),
    (
        '[[revoked]]\nkey = "keys/bob.pub"\npublisher = "github:a/b"\nreason = "r"',
        8,
        "has `key` and `publisher`",
        "one [[revoked]] for each",
    ),
    ('[[revoked]]\npublisher = "github:a/b"', 6, "[[revoked]] lacks `reason`", "identity"),
    ("issuer = 1", 6, "", ""),
]


@pytest.mark.parametrize(("text", "line", "message", "advice"), MISTAKES)
def test_mistakes_are_told_with_their_line(
    folder: Folderful,
    text: str,
    line: int,
    message: str,
    advice: str,
) -> None:
    folder.write("root.json", b"{}")
    error = folder.refuse(HEAD + text)
    assert error.place == f"{folder.policy}:{line}"
    assert message in error.message
    assert advice in error.advice


def test_an_openpgp_key_signs_no_statements(folder: Folderful) -> None:
    described = {
        "keyid": "7b3abb26b97b655ab9296bd15b0bd02e1c768c43",
        "type": "rsa",
        "method": "pgp+rsa-pkcsv1.5",
        "hashes": ["pgp+SHA2"],
        "keyval": {"private": "", "public": {"e": "010001", "n": "c" + "3" * 511}},
    }
    folder.write("keys/gpg.json", json.dumps(described))
    with pytest.raises(PolicyInvalid, match="signs no statements"):
        folder.load(
            'version = 1\n[keys.gpg]\npublic = "keys/gpg.json"\n'
            + DEMO
            + 'require = ["publish"]\nidentities = ["gpg"]\n'
        )


# --- what has to be installed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "extras"),
    [
        (DEMO + 'layout-keys = ["alice"]', ()),
        (DEMO + 'require = ["publish"]\nidentities = ["alice"]', ()),
        (REQUIRED, ("sigstore",)),
        (DEMO + 'layout-keys = ["release"]', ("sigstore",)),
        (
            DEMO
            + 'identities = ["alice"]\n'
            + 'require = [{ predicate = "publish", conditions = ["true"] }]',
            ("cel",),
        ),
        (DEMO + 'layout-keys = ["tuf:acme"]', ("tuf",)),
        (DEMO + 'layout = "own.layout"', ("cel",)),
    ],
)
def test_extras_are_named_where_they_are_needed_and_not_there(
    folder: Folderful,
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    extras: tuple[str, ...],
) -> None:
    folder.write("root.json", b"{}")
    own = layout({**tag_step(), "expected_attributes": ["true"]})
    folder.write("own.layout", json.dumps(own))
    policy: Policy = folder.load(HEAD + RELEASE + TUF + rule)
    assert missing_extras(policy.projects) == ()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert missing_extras(policy.projects) == extras
