"""X1: what layouts say of certificates, in both spellings, and what they must not say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import LayoutFeatureUnsupported, MetadataTooLarge
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.certificates import Authority, Constraint
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from tests.unit.metadata.documents import inspection, layout, step

if TYPE_CHECKING:
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.strict_json import JsonValue

#: Nobody looks into it here.
PEM = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
OTHER_PEM = PEM.replace("MAA=", "MAAB")


def read(**changes: JsonValue) -> Layout:
    return parse_layout(Node(layout(**changes)), DEFAULT)


def refused(**changes: JsonValue) -> LayoutFeatureUnsupported:
    with pytest.raises(LayoutFeatureUnsupported) as caught:
        read(**changes)
    return caught.value


def certified(pem: JsonValue = PEM, **changes: JsonValue) -> dict[str, JsonValue]:
    """A certificate as in-toto-golang lists it."""
    value: dict[str, JsonValue] = {
        "keyid": "ab",
        "keytype": "rsa",
        "scheme": "rsassa-pss-sha256",
        "keyval": {"public": "", "certificate": pem},
    }
    return value | changes


def bundle(**changes: JsonValue) -> dict[str, JsonValue]:
    """A bundle as ITE-7 lists it."""
    value: dict[str, JsonValue] = {"bundleid": "b", "roots": [PEM], "intermediates": [OTHER_PEM]}
    return value | changes


def constraints(*asked: JsonValue, member: str = "cert_constraints") -> tuple[Constraint, ...]:
    return read(steps=[step(**{member: list(asked)})]).steps[0].constraints


@pytest.mark.accepts("X1")
def test_X1_authorities_as_in_toto_golang_lists_them() -> None:
    found = read(rootcas={"ab": certified()}, intermediatecas={"ab": certified(OTHER_PEM)})
    assert found.authorities.roots == (Authority("ab", PEM),)
    assert found.authorities.intermediates == (OTHER_PEM,)


@pytest.mark.accepts("X1")
def test_X1_authorities_as_the_draft_lists_them() -> None:
    found = read(trustBundles={"b": bundle(roots=[PEM, OTHER_PEM]), "c": {"roots": [PEM]}})
    assert found.authorities.roots == (
        Authority("b", PEM),
        Authority("b", OTHER_PEM),
        Authority("c", PEM),
    )
    assert found.authorities.intermediates == (OTHER_PEM,)


@pytest.mark.rejects("X1")
@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"rootcas": ["x"]}, "rootcas"),
        ({"rootcas": {"ab": PEM}}, "rootcas.ab"),
        ({"rootcas": {"": certified(keyid="")}}, "rootcas['']"),
        ({"rootcas": {"cd": certified()}}, "rootcas.cd.keyid"),
        ({"rootcas": {"ab": certified(keyval={"public": ""})}}, "rootcas.ab.keyval"),
        ({"rootcas": {"ab": certified(5)}}, "rootcas.ab.keyval.certificate"),
        ({"rootcas": {"ab": certified("")}}, "rootcas.ab.keyval.certificate"),
        ({"rootcas": {"ab": certified(PEM + PEM)}}, "rootcas.ab.keyval.certificate"),
        ({"rootcas": {"ab": certified(PEM.replace("CERT", "SERT"))}}, "rootcas.ab"),
        ({"intermediatecas": {"ab": certified("x" * 40_000)}}, "intermediatecas.ab"),
        ({"trustBundles": {"b": {"intermediates": [PEM]}}}, "trustBundles.b"),
        ({"trustBundles": {"b": bundle(roots=[])}}, "trustBundles.b.roots"),
        ({"trustBundles": {"b": bundle(roots=["x"])}}, "trustBundles.b.roots[0]"),
        ({"trustBundles": {"b": bundle(roots=PEM)}}, "trustBundles.b.roots"),
        ({"trustBundles": {"b": bundle(intermediates=[5])}}, "trustBundles.b.intermediates[0]"),
        ({"trustBundles": {"b": bundle(leaves=[PEM])}}, "trustBundles.b.leaves"),
        ({"trustBundles": {"c": bundle()}}, "trustBundles.c.bundleid"),
        ({"trustBundles": {"ab": {"roots": [PEM]}}, "rootcas": {"ab": certified()}}, ""),
    ],
)
def test_X1_authorities_that_are_not_understood_are_not_skipped(
    changes: dict[str, JsonValue], place: str
) -> None:
    assert refused(**changes).place.startswith(place)


@pytest.mark.accepts("X1")
@pytest.mark.parametrize("member", ["cert_constraints", "certConstraints"])
@pytest.mark.parametrize("roots", ["roots", "trustBundleIds"])
def test_X1_constraints_in_either_spelling(member: str, roots: str) -> None:
    asked: dict[str, JsonValue] = {
        "common_name": "Bob",
        "dns_names": ["*"],
        "emails": ["bob@example.com", "bob@example.org"],
        "organizations": [],
        "uris": [""],
        roots: ["ab"],
    }
    assert constraints(asked, member=member) == (
        Constraint(
            common_name=frozenset({"Bob"}),
            dns_names=None,
            emails=frozenset({"bob@example.com", "bob@example.org"}),
            organizations=frozenset(),
            uris=frozenset(),
            roots=frozenset({"ab"}),
        ),
    )


@pytest.mark.rejects("X1")
def test_X1_what_is_left_out_allows_nothing() -> None:
    nothing = Constraint(
        common_name=frozenset(),
        dns_names=frozenset(),
        emails=frozenset(),
        organizations=frozenset(),
        uris=frozenset(),
        roots=frozenset(),
    )
    empty: dict[str, JsonValue] = {
        "common_name": None,
        "dns_names": None,
        "emails": None,
        "organizations": None,
        "uris": None,
        "roots": None,
    }
    assert constraints({}, empty) == (nothing, nothing)


@pytest.mark.rejects("X1")
def test_X1_a_star_is_any_only_by_itself() -> None:
    (asked,) = constraints({"uris": ["*", "x"], "common_name": "*x"})
    assert asked.uris == frozenset({"*", "x"})
    assert asked.common_name == frozenset({"*x"})


@pytest.mark.rejects("X1")
@pytest.mark.parametrize(
    "changes",
    [
        {"cert_constraints": ["x"]},
        {"cert_constraints": {"common_name": "*"}},
        {"cert_constraints": [{"common_name": ["*"]}]},
        {"cert_constraints": [{"uris": "*"}]},
        {"cert_constraints": [{"uris": [5]}]},
        {"cert_constraints": [{"uris": ["x" * 5_000]}]},
        {"cert_constraints": [{"ip_addresses": []}]},
        {"cert_constraints": [{"roots": ["*"], "trustBundleIds": ["*"]}]},
        {"cert_constraints": [{}], "certConstraints": [{}]},
    ],
)
def test_X1_constraints_that_are_not_understood_are_not_skipped(
    changes: dict[str, JsonValue],
) -> None:
    assert refused(steps=[step(**changes)]).place.startswith("steps[0].cert")


@pytest.mark.rejects("X1")
@pytest.mark.parametrize("member", ["cert_constraints", "certConstraints"])
def test_X1_inspections_have_no_constraints(member: str) -> None:
    asking = inspection() | {member: [{"common_name": "*"}]}
    assert refused(inspect=[asking]).place == f"inspect[0].{member}"


@pytest.mark.accepts("J4")
@pytest.mark.rejects("J4")
def test_X1_J4_certificates_and_constraints_are_limited_in_number() -> None:
    few = replace(DEFAULT, certificates=2, certificate_constraints=2)
    for number in (2, 3):
        for changes in (
            {"trustBundles": {"b": bundle(roots=[PEM] * (number - 1))}},
            {"steps": [step(cert_constraints=[{}] * number)]},
            {"steps": [step(name=f"{i}", cert_constraints=[{}]) for i in range(number)]},
        ):
            node = Node(layout(**changes))
            if number > 2:
                with pytest.raises(MetadataTooLarge):
                    parse_layout(node, few)
            else:
                assert parse_layout(node, few).steps
