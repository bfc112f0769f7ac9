"""X1: links that are signed by certificate. The certificates are real, and made here."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import NameOID
from cryptography.x509.oid import ExtendedKeyUsageOID

from fixtures import openpgp
from fixtures.keys import key
from fixtures.openpgp import OpenPGPKey
from pip_intoto.errors import (
    KeyRevoked,
    LinkMissing,
    LinkThresholdUnmet,
    MetadataTooLarge,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.envelope import read_payload
from pip_intoto.metadata.keys import identity, load_pem, parse_key
from pip_intoto.metadata.layout import Layout
from pip_intoto.metadata.node import Node
from pip_intoto.verification.certificates import Certified
from tests.unit.verification.authorities import (
    DAY,
    SPIFFE,
    bundled,
    certify,
    constraint,
    key_object,
    listed,
    sign_with,
    signed_with,
    usage,
    with_sha1,
)
from tests.unit.verification.supply import (
    BUILDER,
    NOW,
    OWNER,
    PRODUCTS,
    TAGGER,
    as_document,
    build_link,
    build_step,
    check,
    digests,
    document,
    layout,
    passes,
    tag_link,
    tag_step,
    trust,
)

if TYPE_CHECKING:
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.verification.chain import Verified
    from pip_intoto.verification.trust import Trust
    from tests.unit.verification.authorities import Certified as Signer

ROOT = certify("root", authority=True)
OTHER_ROOT = certify("other root", authority=True)
INTERMEDIATE = certify("intermediate", by=ROOT, authority=True)
BUILD = certify(by=INTERMEDIATE, uris=[SPIFFE])


def root(*constraints: JsonObject, step: JsonObject | None = None, **changes: object) -> Document:
    """Sign a layout whose last step is carried out by somebody with a certificate."""
    authorities: JsonObject = {
        "rootcas": listed(aa=ROOT),
        "intermediatecas": listed(bb=INTERMEDIATE),
    }
    asking = step or build_step(
        pubkeys=[], cert_constraints=list(constraints or [constraint(uris=[SPIFFE])])
    )
    described = layout(tag_step(), asking, **(authorities | changes))  # type: ignore[arg-type]
    return document(described, OWNER, hint="root.layout", origin="root")


def evidence(*links: Document, layout: Document | None = None) -> list[Document]:
    """Give the layout, the link of the first step, and those of the last one."""
    return [layout or root(), document(tag_link(), TAGGER, origin="tag link"), *links]


def built_by(
    *signers: Signer,
    layout: Document | None = None,
    now: datetime = NOW,
    trusted: Trust | None = None,
    limits: Limits = DEFAULT,
) -> Verified:
    """Verify a chain in which each signer reports the build."""
    links = [
        signed_with(build_link(), each, origin=f"build link {number}")
        for number, each in enumerate(signers)
    ]
    return check(evidence(*links, layout=layout), now=now, trusted=trusted, limits=limits)


def refused(
    *signers: Signer,
    layout: Document | None = None,
    now: datetime = NOW,
    limits: Limits = DEFAULT,
) -> str:
    """Give what was found instead of somebody who may build."""
    with pytest.raises(LinkThresholdUnmet) as caught:
        built_by(*signers, layout=layout, now=now, limits=limits)
    return caught.value.found


# --- what is accepted ---------------------------------------------------------------------------


@pytest.mark.accepts("X1")
@pytest.mark.parametrize("envelope", Envelope)
@pytest.mark.parametrize("member", ["cert", "certificate"])
def test_X1_a_certificate_over_an_intermediate_to_a_root(envelope: Envelope, member: str) -> None:
    link = signed_with(build_link(), BUILD, envelope=envelope, member=member)
    verified = check(evidence(link))
    assert link.envelope.sha256 in verified.links
    assert f"the certificate of '{SPIFFE}'" in verified.functionaries


@pytest.mark.accepts("X1")
@pytest.mark.parametrize("step_member", ["cert_constraints", "certConstraints"])
def test_X1_the_spelling_of_the_draft(step_member: str) -> None:
    asked = constraint(uris=[SPIFFE], trustBundleIds=["bundle"])
    del asked["roots"]
    described = root(
        step=build_step(pubkeys=[], **{step_member: [asked]}),
        rootcas={},
        intermediatecas={},
        trustBundles={"bundle": bundled([ROOT], [INTERMEDIATE])},
    )
    assert built_by(BUILD, layout=described).links


@pytest.mark.accepts("X1", "K2")
@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["ed25519", "ecdsa", "rsa"],
)
def test_X1_keys_of_every_kind(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    above = certify("of its kind", key=key, authority=True)
    assert built_by(
        certify(by=above, key=key, uris=[SPIFFE]), layout=root(rootcas=listed(aa=above))
    ).links


@pytest.mark.accepts("X1")
def test_X1_extensions_as_in_the_world() -> None:
    purposes = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    above = certify(
        "usual root",
        authority=True,
        path_length=1,
        uris=["spiffe://example.com"],
        extensions=[(usage("key_cert_sign", "crl_sign"), True)],
    )
    middle = certify(
        "usual intermediate",
        by=above,
        authority=True,
        path_length=0,
        extensions=[
            (usage("key_cert_sign"), True),
            (x509.AuthorityKeyIdentifier(b"1", None, None), False),
            (x509.PolicyConstraints(0, None), False),
        ],
    )
    signer = certify(
        by=middle,
        uris=[SPIFFE],
        extensions=[
            (usage("digital_signature", "key_encipherment"), True),
            (purposes, False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
        ],
    )
    described = root(rootcas=listed(aa=above), intermediatecas=listed(bb=middle))
    assert built_by(signer, layout=described).links


@pytest.mark.accepts("X1")
def test_X1_a_root_that_is_the_signers_own_certificate() -> None:
    alone = certify("alone", uris=[SPIFFE])
    assert built_by(alone, layout=root(rootcas=listed(aa=alone))).links


def test_X1_until_the_last_second() -> None:
    signer = certify(by=INTERMEDIATE, uris=[SPIFFE], since=NOW, until=NOW)
    assert built_by(signer).links


def test_X1_the_path_that_is_good_among_several() -> None:
    """Two certificates for one authority: the first has expired, and leads nowhere."""
    again = certify(
        "intermediate", by=ROOT, key=INTERMEDIATE.key, authority=True, until=NOW - DAY / 2
    )
    assert built_by(BUILD, layout=root(intermediatecas=listed(b1=again, b2=INTERMEDIATE))).links


@pytest.mark.accepts("X1")
def test_X1_a_listed_key_needs_no_certificate() -> None:
    step = build_step(cert_constraints=[constraint(uris=[SPIFFE])])
    described = root(step=step)
    assert passes(evidence(document(build_link(), BUILDER), layout=described))
    assert built_by(BUILD, layout=described).links


@pytest.mark.accepts("X1")
def test_X1_a_listed_key_counts_whatever_its_certificate_is_worth() -> None:
    expired = certify(by=INTERMEDIATE, uris=[SPIFFE], until=NOW - timedelta(seconds=1))
    key = expired.signing_key
    described = document(
        layout(
            tag_step(),
            build_step(pubkeys=[key.keyid], cert_constraints=[constraint(uris=[SPIFFE])]),
            keys=[TAGGER, key],
            rootcas=listed(aa=ROOT),
        ),
        OWNER,
    )
    assert set(built_by(expired, layout=described).functionaries) == {
        f"key {key.keyid[:8]}",
        f"key {TAGGER.keyid[:8]}",
    }


@pytest.mark.accepts("X1", "U1")
def test_X1_a_sublayout_signed_by_certificate() -> None:
    inner = layout(
        build_step(
            name="inner", expected_materials=[["ALLOW", "*"]], expected_products=[["ALLOW", "*"]]
        )
    )
    sub = signed_with(inner, BUILD, origin="sublayout")
    link = document(build_link() | {"name": "inner"}, BUILDER)
    assert passes(evidence(sub, link))


# --- what an authority must be ------------------------------------------------------------------


@pytest.mark.rejects("X1")
def test_X1_a_root_that_the_layout_does_not_have() -> None:
    stranger = certify(by=certify("root", authority=True), uris=[SPIFFE])
    # Of the same name: only its signature tells it from the one that is trusted.
    assert "its key did not make the signature on the certificate below" in refused(stranger)
    other = certify(by=OTHER_ROOT, uris=[SPIFFE])
    found = refused(other)
    assert f"the certificate of '{SPIFFE}' does not count: it does not chain to a root" in found
    assert "build link 0" in found


@pytest.mark.rejects("X1")
@pytest.mark.parametrize("nothing", [{}, None])
def test_X1_a_layout_without_roots_lets_nobody_sign_by_certificate(nothing: object) -> None:
    assert "does not chain to a root" in refused(BUILD, layout=root(rootcas=nothing))


@pytest.mark.rejects("X1")
def test_X1_an_intermediate_is_no_root() -> None:
    above = certify("above", authority=True)
    middle = certify("middle", by=above, authority=True)
    signer = certify(by=middle, uris=[SPIFFE])
    assert "does not chain" in refused(signer, layout=root(intermediatecas=listed(bb=middle)))


@pytest.mark.rejects("X1")
def test_X1_a_root_that_signed_itself_and_is_not_listed() -> None:
    assert "does not chain" in refused(certify("alone", uris=[SPIFFE], authority=True))


@pytest.mark.rejects("X1")
@pytest.mark.parametrize("who", ["signer", "intermediate", "root"])
@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        (NOW - DAY, NOW - timedelta(seconds=1), "it expired at 2026-11-21T11:59:59Z"),
        (NOW + timedelta(seconds=1), NOW + DAY, "it is not valid before 2026-11-21T12:00:01Z"),
    ],
    ids=["expired", "not yet"],
)
def test_X1_everybody_must_be_valid_now(
    who: str, since: datetime, until: datetime, why: str
) -> None:
    def dates(whose: str) -> dict[str, datetime]:
        return {"since": since, "until": until} if who == whose else {}

    above = certify("above", authority=True, **dates("root"))  # type: ignore[arg-type]
    middle = certify("middle", by=above, authority=True, **dates("intermediate"))  # type: ignore[arg-type]
    signer = certify(by=middle, uris=[SPIFFE], **dates("signer"))  # type: ignore[arg-type]
    described = root(rootcas=listed(aa=above), intermediatecas=listed(bb=middle))
    assert why in refused(signer, layout=described)


NO_AUTHORITY = "it is no certificate of an authority"
UNMARKED_AUTHORITIES = [
    ({"authority": False}, NO_AUTHORITY),
    (
        {
            "authority": False,
            "extensions": [(x509.BasicConstraints(ca=False, path_length=None), True)],
        },
        NO_AUTHORITY,
    ),
    (
        {"authority": True, "extensions": [(usage("digital_signature"), True)]},
        "not for certificates",
    ),
    (
        {
            "authority": True,
            "extensions": [(x509.NameConstraints([x509.DNSName("example.com")], None), False)],
        },
        "name constraints, which are not supported",
    ),
    (
        {"authority": True, "extensions": [(x509.PolicyConstraints(0, None), True)]},
        "its critical extension 2.5.29.36 is not supported",
    ),
    (
        {
            "authority": True,
            "extensions": [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), False)],
        },
        "it is for other purposes",
    ),
]


@pytest.mark.rejects("X1")
@pytest.mark.parametrize("who", ["intermediate", "root"])
@pytest.mark.parametrize(("marks", "why"), UNMARKED_AUTHORITIES)
def test_X1_an_authority_must_be_one(who: str, marks: JsonObject, why: str) -> None:
    good: JsonObject = {"authority": True}
    above = certify("above", **(marks if who == "root" else good))  # type: ignore[arg-type]
    middle = certify("middle", by=above, **(marks if who == "intermediate" else good))  # type: ignore[arg-type]
    described = root(rootcas=listed(aa=above), intermediatecas=listed(bb=middle))
    assert why in refused(certify(by=middle, uris=[SPIFFE]), layout=described)


@pytest.mark.rejects("X1")
def test_X1_a_signer_certifies_nobody() -> None:
    """The classic: a leaf used as an authority, sent along as an intermediate."""
    forged = certify(by=BUILD, uris=[SPIFFE])
    assert "does not chain" in refused(forged)
    assert NO_AUTHORITY in refused(
        forged, layout=root(intermediatecas=listed(b1=INTERMEDIATE, b2=BUILD))
    )


@pytest.mark.accepts("X1")
@pytest.mark.rejects("X1")
def test_X1_the_length_of_a_path_is_the_authoritys_to_say() -> None:
    for allowed in (0, 1):
        above = certify("above", authority=True, path_length=allowed)
        middle = certify("middle", by=above, authority=True)
        described = root(rootcas=listed(aa=above), intermediatecas=listed(bb=middle))
        signer = certify(by=middle, uris=[SPIFFE])
        if allowed:
            assert built_by(signer, layout=described).links
        else:
            assert "it allows 0 authorities below it, not 1" in refused(signer, layout=described)


@pytest.mark.rejects("X1")
def test_X1_a_weak_signature_on_a_certificate() -> None:
    key = rsa.generate_private_key(65537, 2048)
    above = certify("above", key=key, authority=True)
    described = root(rootcas=listed(aa=above))
    signer = certify(by=above, uris=[SPIFFE])
    assert built_by(signer, layout=described).links
    assert "it signed with sha1" in refused(with_sha1(signer, key), layout=described)


@pytest.mark.rejects("X1", "K2")
def test_X1_weak_keys_sign_nothing_and_certify_nobody() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    assert "this RSA key is too weak" in refused_certificate(
        certify(by=INTERMEDIATE, key=weak, uris=[SPIFFE])
    )
    above = certify("above", key=weak, authority=True)
    described = root(rootcas=listed(aa=above))
    with pytest.raises(LinkThresholdUnmet) as caught:
        built_by(certify(by=above, uris=[SPIFFE]), layout=described)
    assert "does not chain" in caught.value.found


def refused_certificate(certificate: Signer) -> str:
    """Give what is said of a certificate, whatever key signed."""
    link = signed_with(build_link(), BUILD, certificates=[certificate])
    with pytest.raises(LinkThresholdUnmet) as caught:
        check(evidence(link))
    return caught.value.found


@pytest.mark.rejects("X1")
@pytest.mark.parametrize(
    ("extension", "why"),
    [
        (usage("key_encipherment"), "its key is not for signatures"),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), "for other purposes"),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b""), "extension 1.2.3.4"),
    ],
)
def test_X1_a_certificate_for_something_else(extension: x509.ExtensionType, why: str) -> None:
    signer = certify(by=INTERMEDIATE, uris=[SPIFFE], extensions=[(extension, True)])
    assert why in refused(signer)


@pytest.mark.rejects("X1")
def test_X1_a_path_without_end() -> None:
    """Authorities that certify each other lead nowhere, however many there are."""
    keys = [ed25519.Ed25519PrivateKey.generate() for _ in range(6)]
    authorities = [certify(f"ring {n}", key=key, authority=True) for n, key in enumerate(keys)]
    ring = {
        f"{n}{m}": certify(f"ring {n}", key=keys[n], by=authorities[m], authority=True)
        for n in range(6)
        for m in range(6)
        if n != m
    }
    described = root(intermediatecas=listed(**ring))
    found = refused(certify(by=authorities[0], uris=[SPIFFE]), layout=described)
    assert f"the certificate of '{SPIFFE}' does not count" in found


@pytest.mark.rejects("X1")
def test_X1_a_path_that_is_too_long() -> None:
    chain = [certify("0", authority=True)]
    for number in range(1, DEFAULT.certificate_path):
        chain.append(certify(str(number), by=chain[-1], authority=True))
    described = root(
        rootcas=listed(aa=chain[0]),
        intermediatecas=listed(**{f"b{n}": each for n, each in enumerate(chain[1:])}),
    )
    assert built_by(certify(by=chain[-2], uris=[SPIFFE]), layout=described).links
    found = refused(certify(by=chain[-1], uris=[SPIFFE]), layout=described)
    assert "it is too far from the signer" in found


# --- constraints --------------------------------------------------------------------------------

FULL = certify(
    "Bob",
    by=INTERMEDIATE,
    organizations=["Example Corp"],
    uris=[SPIFFE, "https://example.com/bob"],
    dns_names=["build.example.com"],
    emails=["bob@example.com"],
)
EXACTLY: JsonObject = {
    "common_name": "Bob",
    "organizations": ["Example Corp"],
    "uris": ["https://example.com/bob", SPIFFE],
    "dns_names": ["build.example.com"],
    "emails": ["bob@example.com"],
    "roots": ["aa"],
}


@pytest.mark.accepts("X1")
@pytest.mark.parametrize("member", EXACTLY)
def test_X1_each_value_or_any(member: str) -> None:
    only = constraint(**{member: EXACTLY[member]})
    for asked in (EXACTLY, EXACTLY | {member: constraint()[member]}, only):
        assert built_by(FULL, layout=root(asked)).links


@pytest.mark.rejects("X1")
@pytest.mark.parametrize(
    "changes",
    [
        {"common_name": "bob"},
        {"common_name": ""},
        {"common_name": None},
        {"organizations": []},
        {"organizations": [""]},
        {"organizations": ["Example Corp", "Other Corp"]},
        {"uris": [SPIFFE]},
        {"uris": [SPIFFE, "https://example.com/alice"]},
        {"uris": [SPIFFE, "*"]},
        {"uris": ["spiffe://example.com/*", "https://example.com/bob"]},
        {"dns_names": ["*.example.com"]},
        {"dns_names": []},
        {"emails": ["alice@example.com"]},
        {"emails": None},
        {"roots": []},
        {"roots": ["root"]},
    ],
    ids=str,
)
def test_X1_one_value_more_or_less_will_not_do(changes: JsonObject) -> None:
    asked = EXACTLY | changes
    assert "satisfies no constraint of any step" in refused(FULL, layout=root(asked))


@pytest.mark.rejects("X1")
@pytest.mark.parametrize("member", EXACTLY)
def test_X1_a_member_that_is_left_out_allows_nothing(member: str) -> None:
    asked = {name: value for name, value in EXACTLY.items() if name != member}
    assert "satisfies no constraint of any step" in refused(FULL, layout=root(asked))


@pytest.mark.accepts("X1")
@pytest.mark.parametrize("nothing", [[], [""], None])
def test_X1_nothing_where_there_must_be_nothing(nothing: object) -> None:
    asked = constraint(
        common_name="", organizations=nothing, dns_names=nothing, emails=nothing, uris=[SPIFFE]
    )
    assert built_by(BUILD, layout=root(asked)).links


@pytest.mark.rejects("X1")
def test_X1_two_common_names_are_not_one() -> None:
    two = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Bob"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Mallory"),
        ]
    )
    plain = certify("Bob", by=INTERMEDIATE)
    builder = (
        x509.CertificateBuilder()
        .subject_name(two)
        .issuer_name(INTERMEDIATE.certificate.subject)
        .public_key(plain.key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    double = replace(plain, certificate=builder.sign(INTERMEDIATE.key, None))
    for name in ("Bob", "Mallory"):
        asked = root(constraint(common_name=name))
        assert "satisfies no constraint" in refused(double, layout=asked)
    assert built_by(plain, layout=root(constraint(common_name="Bob"))).links


@pytest.mark.rejects("X1")
def test_X1_one_value_twice_is_not_two_values() -> None:
    wanted = ["build.example.com", "release.example.com"]
    asked = root(constraint(dns_names=wanted))
    assert built_by(certify(by=INTERMEDIATE, dns_names=wanted), layout=asked).links
    twice = certify(by=INTERMEDIATE, dns_names=["build.example.com"] * 2)
    assert "satisfies no constraint of any step" in refused(twice, layout=asked)


@pytest.mark.accepts("X1")
def test_X1_one_constraint_of_several_is_enough() -> None:
    asked = root(constraint(uris=["spiffe://example.com/other"]), constraint(uris=[SPIFFE]))
    assert built_by(BUILD, layout=asked).links


@pytest.mark.rejects("X1")
def test_X1_what_two_constraints_allow_between_them_is_not_allowed() -> None:
    asked = root(EXACTLY | {"common_name": "Alice"}, EXACTLY | {"emails": ["alice@example.com"]})
    assert "satisfies no constraint" in refused(FULL, layout=asked)


@pytest.mark.rejects("X1", "S6")
def test_X1_a_certificate_for_one_step_is_none_for_another() -> None:
    described = root(step=build_step(pubkeys=[], cert_constraints=[constraint(uris=[SPIFFE])]))
    tag = signed_with(tag_link(), BUILD, origin="tag by the builder")
    with pytest.raises(LinkThresholdUnmet) as caught:
        check([described, tag, signed_with(build_link(), BUILD)])
    assert caught.value.place == "step tag"
    assert f"not authorised for this step: the certificate of '{SPIFFE}'" in caught.value.found


@pytest.mark.rejects("X1")
def test_X1_a_step_without_constraints_takes_no_certificates() -> None:
    with pytest.raises(LinkMissing):
        built_by(BUILD, layout=root(step=build_step()))


# --- the two bugs of in-toto-golang -------------------------------------------------------------


@pytest.mark.accepts("X1")
@pytest.mark.rejects("X1")
def test_X1_roots_are_compared_with_the_root_of_the_chain_not_with_all_of_the_layout() -> None:
    """Go's checkRoots: a layout with the roots A and B would take B's word where A's is asked."""
    ours, theirs = certify(by=ROOT, uris=[SPIFFE]), certify(by=OTHER_ROOT, uris=[SPIFFE])
    both = {"rootcas": listed(aa=ROOT, cc=OTHER_ROOT)}
    only_ours = root(constraint(uris=[SPIFFE], roots=["aa"]), **both)
    assert built_by(ours, layout=only_ours).links
    assert "satisfies no constraint of any step" in refused(theirs, layout=only_ours)
    either = root(constraint(uris=[SPIFFE], roots=["aa", "cc"]), **both)
    assert built_by(ours, layout=either).links
    assert built_by(theirs, layout=either).links
    anyone = root(constraint(uris=[SPIFFE]), **both)
    assert built_by(theirs, layout=anyone).links


@pytest.mark.accepts("X1")
def test_X1_every_root_that_a_certificate_chains_to_is_found() -> None:
    """An authority that both roots certify: the constraint decides, not the first path."""
    by_ours = certify("shared", by=ROOT, authority=True)
    by_theirs = certify("shared", by=OTHER_ROOT, key=by_ours.key, authority=True)
    authorities = {
        "rootcas": listed(aa=ROOT, cc=OTHER_ROOT),
        "intermediatecas": listed(b1=by_ours, b2=by_theirs),
    }
    signer = certify(by=by_ours, uris=[SPIFFE])
    for asked in ("aa", "cc"):
        described = root(constraint(uris=[SPIFFE], roots=[asked]), **authorities)
        assert built_by(signer, layout=described).links


@pytest.mark.rejects("X1")
@pytest.mark.parametrize("threshold", [1, 2])
def test_X1_one_authorised_link_does_not_authorise_the_next(threshold: int) -> None:
    """Go's isAuthorizedSignature: once a listed key signed, nobody looks at later certificates."""
    stranger = certify(by=certify("nobody", authority=True), uris=[SPIFFE])
    step = build_step(cert_constraints=[constraint(uris=[SPIFFE])], threshold=threshold)
    evil = build_link({**PRODUCTS, "evil.py": digests("evil")})
    described = root(step=step)
    links = [
        document(build_link(), BUILDER, origin="good"),
        signed_with(evil, stranger, origin="stranger"),
    ]
    if threshold == 1:
        verified = check(evidence(*links, layout=described))
        assert verified.functionaries == (f"key {BUILDER.keyid[:8]}", f"key {TAGGER.keyid[:8]}")
    else:
        with pytest.raises(LinkThresholdUnmet) as caught:
            check(evidence(*links, layout=described))
        assert "does not chain to a root" in caught.value.found
    # ... and the other way round: a listed key does not keep a certificate from being looked at.
    if threshold == 2:
        good = [links[0], signed_with(build_link(), BUILD)]
        assert passes(evidence(*good, layout=described))


# --- signatures ---------------------------------------------------------------------------------


@pytest.mark.rejects("X1")
def test_X1_a_signature_by_another_key_than_the_certificates() -> None:
    thief = certify(by=OTHER_ROOT, uris=[SPIFFE])
    link = signed_with(build_link(), thief, certificates=[BUILD])
    with pytest.raises(LinkThresholdUnmet) as caught:
        check(evidence(link))
    assert "its key did not make the signature" in caught.value.found


@pytest.mark.rejects("X1", "E5")
def test_X1_nothing_signed_is_nothing() -> None:
    content = sign_with(build_link(), BUILD)
    content["signed"] = build_link({**PRODUCTS, "evil.py": digests("evil")})
    with pytest.raises(LinkThresholdUnmet):
        check(evidence(as_document(content)))
    with pytest.raises(LinkMissing):
        check(evidence(as_document(content | {"signatures": []})))


@pytest.mark.rejects("X1")
@pytest.mark.parametrize(
    "spoiled",
    [
        "",
        "nonsense",
        BUILD.pem.replace("MI", "IM"),
        BUILD.pem + INTERMEDIATE.pem,
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n\u00e9\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ],
)
def test_X1_V4_what_is_no_certificate_is_skipped(spoiled: str) -> None:
    content = sign_with(build_link(), BUILD)
    content["signatures"][0]["cert"] = spoiled  # type: ignore[index,call-overload]
    with pytest.raises((LinkThresholdUnmet, LinkMissing)):
        check(evidence(as_document(content)))
    assert passes(evidence(as_document(content), signed_with(build_link(), BUILD)))


@pytest.mark.rejects("X1", "V4")
def test_X1_V4_no_bytes_are_more_than_a_certificate_that_does_not_count() -> None:
    """Damage anywhere, in what the library parses late as well, is a reason and no exception."""
    chance = random.Random(7)
    described = read_payload(root().envelope, limits=DEFAULT)
    assert isinstance(described, Layout)
    certified = Certified(described, now=NOW, revoked=frozenset(), limits=DEFAULT)
    for _ in range(400):
        damaged = bytearray(BUILD.certificate.public_bytes(Encoding.DER))
        # In what is signed, or in front of it.
        place = chance.randrange(len(damaged) - len(BUILD.certificate.signature) - 8)
        damaged[place] ^= 1 << chance.randrange(8)
        lines = base64.encodebytes(bytes(damaged)).decode()
        content = sign_with(build_link(), BUILD)
        content["signatures"][0]["cert"] = (  # type: ignore[index,call-overload]
            f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n"
        )
        holders, refused = certified.signers(as_document(content).envelope)
        assert not holders
        assert len(refused) == 1


@pytest.mark.rejects("X1", "V4")
@pytest.mark.parametrize(
    "cert", [5, ["x"], "x" * (DEFAULT.certificate_text + 1)], ids=["number", "list", "long"]
)
def test_X1_V4_an_entry_that_is_malformed_is_skipped_with_a_note(cert: object) -> None:
    content = json.loads(json.dumps(sign_with(build_link(), BUILD)))
    content["signatures"].append(content["signatures"][0] | {"cert": cert})
    link = as_document(content)
    assert len(link.envelope.signatures) == 1
    assert "signatures[1].cert" in link.envelope.notes[0]
    assert passes(evidence(link))


@pytest.mark.rejects("X1")
def test_X1_a_signature_with_two_certificates_has_none() -> None:
    content = sign_with(build_link(), BUILD)
    content["signatures"][0]["certificate"] = FULL.pem  # type: ignore[index,call-overload]
    assert as_document(content).envelope.signatures == ()
    content["signatures"][0]["certificate"] = BUILD.pem  # type: ignore[index,call-overload]
    assert passes(evidence(as_document(content)))


# --- parties ------------------------------------------------------------------------------------


def two(*constraints: JsonObject, **changes: object) -> Document:
    asked = list(constraints or [constraint(roots=["aa"])])
    return root(step=build_step(pubkeys=[], cert_constraints=asked, threshold=2), **changes)


@pytest.mark.accepts("X1", "T1")
def test_X1_two_certificates_with_different_names_are_two() -> None:
    assert built_by(BUILD, FULL, layout=two()).links


@pytest.mark.rejects("X1", "T3")
def test_X1_T3_two_certificates_for_the_same_names_are_one() -> None:
    renewed = certify(by=INTERMEDIATE, uris=[SPIFFE])
    assert "signed by the certificate of" in refused(BUILD, renewed, layout=two())
    elsewhere = certify(by=OTHER_ROOT, uris=[SPIFFE])
    described = two(constraint(), rootcas=listed(aa=ROOT, cc=OTHER_ROOT))
    assert "signed by the certificate of" in refused(BUILD, elsewhere, layout=described)


@pytest.mark.rejects("X1", "T3")
def test_X1_T3_one_key_with_two_certificates_is_one() -> None:
    alias = certify(by=INTERMEDIATE, key=BUILD.key, uris=["spiffe://example.com/alias"])
    assert "signed by the certificate of" in refused(BUILD, alias, layout=two())


@pytest.mark.rejects("X1", "T3")
def test_X1_T3_a_listed_key_and_its_certificate_are_one() -> None:
    key = BUILD.signing_key
    described = document(
        layout(
            tag_step(),
            build_step(pubkeys=[key.keyid], cert_constraints=[constraint()], threshold=2),
            keys=[TAGGER, key],
            rootcas=listed(aa=ROOT),
            intermediatecas=listed(bb=INTERMEDIATE),
        ),
        OWNER,
    )
    with pytest.raises(LinkThresholdUnmet):
        built_by(BUILD, layout=described)
    assert built_by(BUILD, FULL, layout=described).links


@pytest.mark.rejects("X1", "T3")
def test_X1_T3_a_certificate_counts_for_the_party_that_the_policy_gives_its_key() -> None:
    other = key("other")
    described = document(
        layout(
            tag_step(),
            build_step(pubkeys=[other.keyid], cert_constraints=[constraint()], threshold=2),
            keys=[TAGGER, other],
            rootcas=listed(aa=ROOT),
            intermediatecas=listed(bb=INTERMEDIATE),
        ),
        OWNER,
    )
    documents = evidence(
        signed_with(build_link(), BUILD), document(build_link(), other), layout=described
    )
    assert passes(documents)
    certified = identity(load_pem(BUILD.signing_key.public_pem()))
    listed_key = identity(load_pem(other.public_pem()))
    assert passes(documents, trusted=trust(principals={certified: "alice", listed_key: "bob"}))
    with pytest.raises(LinkThresholdUnmet):
        passes(documents, trusted=trust(principals={certified: "alice", listed_key: "alice"}))


@pytest.mark.rejects("X1", "K6", "T3")
def test_X1_K6_a_certified_subkey_counts_with_its_master() -> None:
    subkey = OpenPGPKey(name="laptop")
    master = OpenPGPKey(name="master", subkeys=(subkey,))
    private = key("laptop").private
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    certified = certify(by=INTERMEDIATE, key=private, uris=[SPIFFE])
    described = layout(
        tag_step(),
        build_step(pubkeys=[master.keyid], cert_constraints=[constraint()], threshold=2),
        keys=[TAGGER],
        rootcas=listed(aa=ROOT),
        intermediatecas=listed(bb=INTERMEDIATE),
    )
    keys = described["keys"]
    assert isinstance(keys, dict)
    keys[master.keyid] = master.described()
    chain = evidence(layout=document(described, OWNER))
    by_master = as_document(openpgp.sign(build_link(), [master]))
    assert passes([*chain, by_master, signed_with(build_link(), FULL)])
    with pytest.raises(LinkThresholdUnmet):
        passes([*chain, by_master, signed_with(build_link(), certified)])
    # And is revoked with it.
    known = parse_key(Node(master.described()), master.keyid)
    revoked = trust(revoked=frozenset({identity(known)}))
    both = [signed_with(build_link(), FULL), signed_with(build_link(), certified)]
    assert passes([*chain, *both])
    with pytest.raises(KeyRevoked):
        passes([*chain, *both], trusted=revoked)


@pytest.mark.rejects("X1")
def test_X1_a_revoked_key_counts_for_nobody() -> None:
    def revoking(certificate: Signer) -> Trust:
        key = load_pem(certificate.signing_key.public_pem())
        return trust(revoked=frozenset({identity(key)}))

    with pytest.raises(KeyRevoked):
        built_by(BUILD, trusted=revoking(BUILD))
    for authority in (INTERMEDIATE, ROOT):
        with pytest.raises(LinkThresholdUnmet) as caught:
            built_by(BUILD, trusted=revoking(authority))
        assert "the policy revokes its key" in caught.value.found


# --- what is said -------------------------------------------------------------------------------


def test_X1_the_message_says_whose_certificate_would_do() -> None:
    with pytest.raises(LinkMissing) as caught:
        check(evidence())
    assert f"a certificate with URI '{SPIFFE}'" in caught.value.expected


@pytest.mark.rejects("X1")
def test_X1_the_message_names_the_certificate_that_was_meant_for_the_step() -> None:
    """Of two certificates that have expired, each is named where it would have counted."""
    late = NOW - timedelta(seconds=1)
    other = "spiffe://example.com/tag"
    described = root(
        rootcas=listed(aa=ROOT),
        step=build_step(pubkeys=[], cert_constraints=[constraint(uris=[SPIFFE])]),
    )
    links = [
        signed_with(build_link(), certify(by=INTERMEDIATE, uris=[uri], until=late), origin=uri)
        for uri in (other, SPIFFE)
    ]
    with pytest.raises(LinkThresholdUnmet) as caught:
        check(evidence(links[1], layout=described))
    assert f"the certificate of '{SPIFFE}' does not count: it expired at" in caught.value.found
    verified = check(evidence(*links, signed_with(build_link(), BUILD), layout=described))
    said = [entry.detail for entry in verified.trace if "does not count" in entry.detail]
    assert len(said) == 2


def test_X1_authorities_that_cannot_be_read_are_noted() -> None:
    spoiled = key_object(ROOT, "cc")
    spoiled["keyval"] = {
        "certificate": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"
    }
    verified = built_by(BUILD, layout=root(rootcas=listed(aa=ROOT) | {"cc": spoiled}))
    assert any("the root 'cc', which is of no use" in entry.detail for entry in verified.trace)


@pytest.mark.rejects("X1")
def test_X1_certificates_are_not_looked_into_without_end() -> None:
    with pytest.raises(MetadataTooLarge):
        built_by(BUILD, limits=replace(DEFAULT, chain_signature_checks=4))
    ring = {
        f"b{n}": certify(
            "intermediate", by=ROOT, key=INTERMEDIATE.key, authority=True, until=NOW - DAY / 2
        )
        for n in range(4)
    }
    described = root(intermediatecas=listed(**ring, bb=INTERMEDIATE))
    assert built_by(BUILD, layout=described, limits=replace(DEFAULT, certificate_tries=6)).links
    few = replace(DEFAULT, certificate_tries=4)
    assert "does not count" in refused(BUILD, layout=described, limits=few)
