"""Functionaries and owners who are known by an identity: real bundles, checked for real."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from fixtures.sigstore import GITHUB, GOOGLE, SIGNED, STARTED, Sigstore
from pip_intoto.credential import Credential
from pip_intoto.errors import (
    EnvironmentMismatch,
    IssuerMismatch,
    KeyRevoked,
    LayoutSignatureMissing,
    LinkThresholdUnmet,
    MetadataMalformed,
    PredicateMissing,
    RefMismatch,
    RepositoryMismatch,
    SigstoreInvalid,
    SigstoreUnavailable,
    SubjectMismatch,
    TrustRootExpired,
    TrustRootNotYetValid,
    WorkflowMismatch,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import documents_in
from pip_intoto.metadata.identities import Identity
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.verification import functionaries
from pip_intoto.verification.identities import (
    Bearer,
    bearer,
    mismatch,
    nearest_mismatch,
    nearness,
    satisfies,
)
from pip_intoto.verification.trust import OwnerIdentity
from pip_intoto.verifier.authenticating import authenticator_with
from tests.unit.verification.supply import (
    BUILDER,
    OWNER,
    TAGGER,
    build_link,
    build_step,
    check,
    document,
    ident,
    layout,
    passes,
    tag_link,
    tag_step,
    trust,
)
from tests.unit.verification.test_statements import PROVENANCE, build, provenance

if TYPE_CHECKING:
    from pip_intoto.errors import (
        EvidenceInvalid,
        IdentityMismatch,
    )
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.verification.trust import Trust

SIGSTORE = Sigstore()
ROOT = SIGSTORE.trusted_root()
WORKFLOW = {
    "repository": "acme/demo",
    "workflow": "release.yml",
    "ref": "refs/tags/v1.0",
    "environment": "pypi",
}
KEYID = "ab" * 32
OTHER_KEYID = "cd" * 32
CREDENTIAL = Credential(
    issuer=GITHUB,
    subject="https://github.com/acme/demo/.github/workflows/release.yml@refs/tags/v1.0",
    signed_at=SIGNED,
    host="github.com",
    repository="acme/demo",
    workflow="release.yml",
    ref="refs/tags/v1.0",
    environment="pypi",
)
IDENTITY = Identity(
    keyid=KEYID,
    issuer=GITHUB,
    subject=CREDENTIAL.subject,
    repository="acme/demo",
    workflow="release.yml",
    ref="refs/tags/v1.0",
    environment="pypi",
)


def listed(**members: str) -> JsonObject:
    """List an identity as a layout does."""
    return {
        "keytype": "sigstore-oidc",
        "scheme": "Fulcio",
        "keyval": {"issuer": GITHUB, **members},
    }


def with_identities(value: JsonObject, **identities: JsonObject) -> JsonObject:
    """Add identities to the keys of a layout; their names are repeated to make keyids."""
    keys = {name * (64 // len(name)): each for name, each in identities.items()}
    own = value["keys"]
    assert isinstance(own, dict)
    return {**value, "keys": {**own, **keys}}


def attested(statement: JsonObject, *, sigstore: Sigstore = SIGSTORE, **who: object) -> Document:
    """Sign with Sigstore, and read it back as it would arrive."""
    data = sigstore.bundle(statement, **{**WORKFLOW, **who})  # type: ignore[arg-type]
    (found,) = documents_in(data, origin="attestation", limits=DEFAULT).documents
    return found


def trusting(**changes: object) -> Trust:
    """Trust the owner's key, and our Sigstore."""
    return replace(trust(), **{"authenticator": authenticator_with(ROOT), **changes})  # type: ignore[arg-type]


def by_workflow(**identity: str) -> JsonObject:
    """Describe a chain whose wheel is built by a workflow."""
    step = build(
        {"predicateType": PROVENANCE, "functionaries": [KEYID], "threshold": 1},
    )
    return with_identities(layout(step), ab=listed(**(identity or {"repository": "acme/demo"})))


def release(root: JsonObject, *evidence: Document) -> list[Document]:
    """Give a signed layout and evidence."""
    return [document(root, OWNER, origin="root"), *evidence]


# --- what is compared ---------------------------------------------------------------------------


def test_whoever_is_all_that_is_asked_for_satisfies_an_identity() -> None:
    assert satisfies(CREDENTIAL, IDENTITY)
    assert mismatch(IDENTITY, CREDENTIAL) is None
    assert satisfies(CREDENTIAL, Identity(keyid="", issuer=GITHUB, repository="acme/demo"))


@pytest.mark.parametrize(
    ("part", "value", "error"),
    [
        ("issuer", "https://gitlab.com", IssuerMismatch),
        ("repository", "acme/other", RepositoryMismatch),
        ("repository", "ACME/demo", RepositoryMismatch),
        ("repository", "acme", RepositoryMismatch),
        ("workflow", "test.yml", WorkflowMismatch),
        ("workflow", "elease.yml", WorkflowMismatch),
        ("workflow", "*", WorkflowMismatch),
        ("ref", "refs/tags/v1", RefMismatch),
        ("ref", "v1.0", RefMismatch),
        ("environment", "PyPI", EnvironmentMismatch),
        ("subject", "https://github.com/acme/demo", SubjectMismatch),
    ],
)
def test_every_part_is_compared_to_the_letter(
    part: str, value: str, error: type[IdentityMismatch]
) -> None:
    found = mismatch(replace(IDENTITY, **{part: value}), CREDENTIAL)
    assert type(found) is error
    assert value in found.expected
    assert str(getattr(CREDENTIAL, part)) in found.found


def test_what_a_certificate_does_not_say_is_not_what_is_asked_for() -> None:
    found = mismatch(IDENTITY, replace(CREDENTIAL, environment=""))
    assert isinstance(found, EnvironmentMismatch)
    assert found.found.startswith("no environment")


def test_the_first_difference_is_named_and_the_nearest_identity() -> None:
    far = replace(IDENTITY, repository="acme/other", ref="refs/heads/main")
    near = replace(IDENTITY, ref="refs/heads/main")
    assert type(mismatch(far, CREDENTIAL)) is RepositoryMismatch
    assert type(nearest_mismatch([far, near], CREDENTIAL)) is RefMismatch
    assert nearest_mismatch([far, IDENTITY], CREDENTIAL) is None
    assert nearest_mismatch([], CREDENTIAL) is None


def test_a_workflow_may_be_spelled_with_its_folder() -> None:
    identity = replace(IDENTITY, workflow=".github/workflows/release.yml")
    assert satisfies(CREDENTIAL, identity)
    assert not satisfies(replace(CREDENTIAL, workflow="x/release.yml"), identity)


def test_a_reused_workflow_is_named_with_its_repository() -> None:
    reused = "acme/tools/.github/workflows/build.yml"
    credential = replace(CREDENTIAL, reused_workflow=reused)
    assert satisfies(credential, replace(IDENTITY, workflow=reused))
    assert satisfies(credential, IDENTITY)
    assert not satisfies(credential, replace(IDENTITY, workflow="build.yml"))


def test_who_reuses_a_workflow_is_not_the_one_whose_it_is() -> None:
    # The certificate of whoever calls a workflow that may be reused has the callee's URI.
    named = Identity(keyid="", issuer=GITHUB, subject=CREDENTIAL.subject)
    caller = replace(
        CREDENTIAL,
        repository="evil/caller",
        workflow="go.yml",
        reused_workflow="acme/demo/.github/workflows/release.yml",
    )
    assert satisfies(CREDENTIAL, named)
    found = mismatch(named, caller)
    assert isinstance(found, RepositoryMismatch)
    assert "evil/caller" in found.found
    assert isinstance(nearest_mismatch([named], caller), RepositoryMismatch)
    # Who says which repository may call it gets what was asked for.
    assert satisfies(caller, replace(named, repository="evil/caller"))
    # What is revoked is revoked for all who reuse it.
    assert bearer(caller, [], named={}, revoked=[named]).revoked
    # Others have subjects that say nothing of where the repository is.
    elsewhere = replace(CREDENTIAL, subject="https://ci.example/acme/demo")
    assert satisfies(elsewhere, replace(named, subject=elsewhere.subject))


@pytest.mark.rejects("T1")
def test_T1_a_caller_of_the_workflow_does_not_sign_for_a_step() -> None:
    root = by_workflow(identity=CREDENTIAL.subject)
    assert passes(release(root, attested(provenance())), trusted=trusting())
    theirs = attested(
        provenance(),
        repository="evil/caller",
        workflow="go.yml",
        reused="acme/demo/.github/workflows/release.yml@refs/tags/v1.0",
    )
    with pytest.raises(RepositoryMismatch):
        check(release(root, theirs), trusted=trusting())


@pytest.mark.rejects("T3")
def test_T3_workflows_of_one_repository_are_one_party() -> None:
    def party(credential: Credential) -> tuple[str, str]:
        return bearer(credential, [IDENTITY], named={}, revoked=()).principal({})

    test = replace(CREDENTIAL, workflow="test.yml", subject="another")
    assert party(CREDENTIAL)[0] == party(test)[0]
    assert party(CREDENTIAL)[0] != party(replace(CREDENTIAL, repository="acme/other"))[0]
    named = bearer(CREDENTIAL, [IDENTITY], named={IDENTITY: "releases"}, revoked=())
    assert named.principal({}) == ("principal releases", "releases")
    assert isinstance(named, Bearer)
    assert named.keyids == (KEYID,)


# --- layouts ------------------------------------------------------------------------------------


def parsed(root: JsonObject) -> object:
    return parse_layout(Node(root), DEFAULT)


def test_layouts_list_identities_among_their_keys() -> None:
    found = parse_layout(Node(by_workflow(repository="a/b", workflow="c", ref="d")), DEFAULT)
    assert found.identities[KEYID] == Identity(
        keyid=KEYID, issuer=GITHUB, repository="a/b", workflow="c", ref="d"
    )
    assert KEYID not in found.keys


@pytest.mark.parametrize(
    "identity",
    [
        listed(),  # everybody
        listed(issuer="", identity="a@acme.example"),
        listed(repository="acme/demo", branch="main"),
        listed(repository="acme/de\x00mo"),
        listed(repository="acme/demo") | {"scheme": "ed25519"},
        listed(repository="acme/demo") | {"keyid": OTHER_KEYID},
        listed(repository="x" * 5000),
    ],
)
def test_identities_that_ask_for_nobody_in_particular_are_malformed(identity: JsonObject) -> None:
    with pytest.raises(MetadataMalformed):
        parsed(with_identities(layout(), ab=identity))


# --- steps --------------------------------------------------------------------------------------


@pytest.mark.accepts("T1")
def test_a_workflow_signs_for_a_step() -> None:
    documents = release(by_workflow(**WORKFLOW), attested(provenance(materials={})))
    verified = check(documents, trusted=trusting())
    assert verified.chain.credentials == (CREDENTIAL,)
    assert verified.functionaries == (
        "github:acme/demo:release.yml (refs/tags/v1.0, environment pypi)",
    )


@pytest.mark.rejects("T1")
@pytest.mark.parametrize(
    ("who", "error"),
    [
        ({"repository": "evil/demo"}, RepositoryMismatch),
        ({"workflow": "test.yml"}, WorkflowMismatch),
        ({"ref": "refs/heads/main"}, RefMismatch),
        ({"environment": ""}, EnvironmentMismatch),
        ({"issuer": GOOGLE, "repository": "", "subject": "a@acme.example"}, IssuerMismatch),
        ({"fault": "entry-promise-forged"}, SigstoreInvalid),
        ({"sigstore": Sigstore("evil.example")}, SigstoreInvalid),
    ],
)
def test_T1_a_step_is_not_signed_by_others(
    who: dict[str, object], error: type[EvidenceInvalid]
) -> None:
    evidence = attested(provenance(materials={}), **who)  # type: ignore[arg-type]
    with pytest.raises(error) as caught:
        check(release(by_workflow(**WORKFLOW), evidence), trusted=trusting())
    assert type(caught.value) is error
    assert "attestation" in caught.value.place


def test_others_beside_it_do_no_harm() -> None:
    documents = release(
        by_workflow(**WORKFLOW),
        attested(provenance(materials={}), repository="evil/demo"),
        attested(provenance(materials={}), fault="entry-proof-forged"),
        attested(provenance(materials={})),
    )
    assert passes(documents, trusted=trusting())
    assert passes(documents[::-1], trusted=trusting())


@pytest.mark.parametrize(
    ("window", "error"),
    [
        ((STARTED, SIGNED - timedelta(days=1)), TrustRootExpired),
        ((SIGNED + timedelta(days=1), None), TrustRootNotYetValid),
    ],
)
def test_a_trust_root_that_did_not_count_at_the_time(
    window: object, error: type[EvidenceInvalid]
) -> None:
    root = SIGSTORE.trusted_root(log=window)  # type: ignore[arg-type]
    documents = release(by_workflow(), attested(provenance(materials={})))
    with pytest.raises(error):
        check(documents, trusted=trusting(authenticator=authenticator_with(root)))


def test_without_anything_that_checks_identities_nobody_is_believed() -> None:
    documents = release(by_workflow(), attested(provenance(materials={})))
    with pytest.raises(SigstoreUnavailable):
        check(documents, trusted=trusting(authenticator=None))


def test_nothing_is_authenticated_where_no_identity_is_asked_for() -> None:
    class Never:
        def authenticate(self, _: object) -> Credential:
            raise AssertionError

    documents = [
        *release(layout(), attested(provenance())),
        document(tag_link(), TAGGER),
        document(build_link(), BUILDER),
    ]
    assert passes(documents, trusted=trust(authenticator=Never()))


@pytest.mark.rejects("J4")
def test_J4_strangers_attestations_take_no_more_time_each_than_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ranked = []

    def counting(error: EvidenceInvalid) -> int:
        ranked.append(error)
        return nearness(error)

    monkeypatch.setattr(functionaries, "nearness", counting)
    evidence = [
        attested(provenance({f"file {number}": {"sha256": "ab" * 32}}), repository="evil/x")
        for number in range(40)
    ]
    nearer = attested(provenance(), workflow="test.yml")
    root = by_workflow(repository="acme/demo", workflow="release.yml")
    with pytest.raises(WorkflowMismatch):
        check(release(root, *evidence[:20], nearer, *evidence[20:]), trusted=trusting())
    assert 0 < len(ranked) <= 2 * (len(evidence) + 1)


@pytest.mark.rejects("T3")
def test_T3_two_workflows_of_a_repository_do_not_make_two() -> None:
    step = build({"predicateType": PROVENANCE, "functionaries": [KEYID], "threshold": 2})
    root = with_identities(layout(step), ab=listed(repository="acme/demo"))
    documents = release(
        root,
        attested(provenance(materials={})),
        attested(provenance(materials={}), workflow="test.yml"),
    )
    with pytest.raises(LinkThresholdUnmet):
        check(documents, trusted=trusting())


@pytest.mark.accepts("T1", "T3")
def test_a_key_and_an_identity_are_two_parties_unless_the_policy_says_otherwise() -> None:
    step = build(
        {"predicateType": PROVENANCE, "functionaries": [KEYID, BUILDER.keyid], "threshold": 2}
    )
    root = with_identities(layout(step), ab=listed(repository="acme/demo"))
    documents = release(
        root,
        attested(provenance(materials={})),
        document(provenance(materials={}), BUILDER),
    )
    assert passes(documents, trusted=trusting())
    who = Identity(keyid="", issuer=GITHUB, repository="acme/demo")
    one = trusting(identities={who: "alice"}, principals={ident(BUILDER): "alice"})
    with pytest.raises(LinkThresholdUnmet):
        check(documents, trusted=one)


def test_a_revoked_identity_counts_nowhere() -> None:
    documents = release(by_workflow(), attested(provenance(materials={})))
    revoked = (Identity(keyid="", issuer=GITHUB, repository="acme/demo", workflow="release.yml"),)
    with pytest.raises(KeyRevoked):
        check(documents, trusted=trusting(revoked_identities=revoked))
    other = (replace(revoked[0], workflow="test.yml"),)
    assert passes(documents, trusted=trusting(revoked_identities=other))


def test_nobody_attested_what_is_asked_for() -> None:
    with pytest.raises(PredicateMissing):
        check(release(by_workflow()), trusted=trusting())


@pytest.mark.accepts("S6")
def test_an_identity_signs_links_and_sublayouts_as_keys_do() -> None:
    step = build_step(pubkeys=[KEYID])
    root = with_identities(layout(tag_step(), step), ab=listed(repository="acme/demo"))
    tag = document(tag_link(), TAGGER)
    assert passes(release(root, tag, attested(build_link())), trusted=trusting())
    with pytest.raises(RepositoryMismatch):
        check(
            release(root, tag, attested(build_link(), repository="evil/demo")),
            trusted=trusting(),
        )
    inner = layout(build_step(pubkeys=[BUILDER.keyid], expected_materials=[], expected_products=[]))
    documents = release(root, tag, attested(inner), document(build_link(), BUILDER))
    assert passes(documents, trusted=trusting())


# --- owners -------------------------------------------------------------------------------------

OWNER_IDENTITY = OwnerIdentity(
    Identity(keyid="", issuer=GITHUB, repository="acme/demo", workflow="release.yml"), "acme"
)


def owned(*, threshold: int = 1, **changes: object) -> Trust:
    return replace(
        trusting(owner_identities=(OWNER_IDENTITY,), threshold=threshold),
        **{"owners": (), **changes},  # type: ignore[arg-type]
    )


def links() -> list[Document]:
    return [document(tag_link(), TAGGER), document(build_link(), BUILDER)]


@pytest.mark.accepts("V1", "L9")
def test_V1_an_identity_signs_the_layout() -> None:
    verified = check([attested(layout()), *links()], trusted=owned())
    assert verified.signed_by == ("acme",)
    assert verified.chain.credentials == (CREDENTIAL,)


@pytest.mark.rejects("V1", "L9")
@pytest.mark.parametrize(
    ("who", "error"),
    [
        ({"repository": "evil/demo"}, RepositoryMismatch),
        ({"workflow": "test.yml"}, WorkflowMismatch),
        ({"fault": "envelope-signed-by-another-key"}, SigstoreInvalid),
    ],
)
def test_V1_no_other_identity_signs_the_layout(
    who: dict[str, object], error: type[EvidenceInvalid]
) -> None:
    documents = [attested(layout(), **who), *links()]  # type: ignore[arg-type]
    with pytest.raises(error):
        check(documents, trusted=owned())


def test_one_owner_is_one_however_they_sign() -> None:
    both = [document(layout(), OWNER), attested(layout()), *links()]
    with pytest.raises(LayoutSignatureMissing):
        check(both, trusted=owned(owners=trust().owners, threshold=2))


@pytest.mark.parametrize("threshold", [1, 0])
def test_a_revoked_owner_is_none(threshold: int) -> None:
    with pytest.raises(KeyRevoked):
        check(
            [attested(layout()), *links()],
            trusted=owned(threshold=threshold, revoked_identities=(OWNER_IDENTITY.identity,)),
        )


class Counting:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def authenticate(self, envelope: Envelope) -> Credential:
        self.asked += 1
        return authenticator_with(SIGSTORE.trusted_root()).authenticate(envelope)


def test_so_many_layouts_are_authenticated_and_no_more() -> None:
    strangers = [attested(layout(), repository=f"evil/{number}") for number in range(3)]
    counting = Counting()
    with pytest.raises(RepositoryMismatch):
        check(
            [*strangers, *links()],
            trusted=owned(authenticator=counting),
            limits=replace(DEFAULT, attestations=2),
        )
    assert counting.asked == 2


def test_statements_of_owners_are_no_layouts() -> None:
    statement = json.loads(json.dumps(provenance())) | {"readme": "layout"}
    with pytest.raises(LayoutSignatureMissing):
        check([attested(statement), *links()], trusted=owned())
