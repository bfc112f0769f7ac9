"""Simple Verification Results 0.2, as predicates."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import MetadataMalformed
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.predicate_names import SVR
from pip_intoto.metadata.statement import STATEMENT, parse_statement
from pip_intoto.metadata.verification_result import (
    OURS,
    VERIFIED,
    VERIFIER,
    parse_result,
)
from tests.unit.metadata.documents import SHA256, WITHOUT, node

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.metadata.verification_result import VerificationResult


def predicate(**changes: JsonValue) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {
        "verifier": {"id": VERIFIER, "policies": [{"digest": {"sha256": SHA256}}]},
        "timeCreated": "2026-11-21T12:00:00Z",
        "properties": [VERIFIED],
        **changes,
    }
    return {name: each for name, each in value.items() if each is not WITHOUT}


def parsed(predicate: JsonValue, kind: str = SVR) -> VerificationResult:
    value: JsonValue = {
        "_type": STATEMENT,
        "subject": [{"name": "demo.whl", "digest": {"sha256": SHA256}}],
        "predicateType": kind,
        "predicate": predicate,
    }
    return parse_result(parse_statement(node(value), DEFAULT), DEFAULT)


def test_a_result_says_who_verified_what_when_by_which_policy() -> None:
    result = parsed(predicate())
    assert result.verifier == VERIFIER
    assert [policy.digests for policy in result.policies] == [{"sha256": SHA256}]
    assert result.created == datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
    assert result.properties == (VERIFIED,)
    assert [subject.name for subject in result.subjects] == ["demo.whl"]
    assert result.version == ""


def test_results_of_other_verifiers_are_read_as_well() -> None:
    value = predicate(
        verifier={"id": "https://example.com/publication_verifier/v2", "policies": []},
        properties=["SLSA_BUILD_LEVEL_3", "COMPANY_RELEASE_APPROVED"],
    )
    assert parsed(value).policies == ()
    assert parsed(value).properties == ("SLSA_BUILD_LEVEL_3", "COMPANY_RELEASE_APPROVED")


def test_A3_members_that_nobody_knows_are_ignored() -> None:
    assert parsed(predicate(later=[1])) == parsed(predicate())


@pytest.mark.parametrize(
    ("ours", "version"),
    [
        ({"version": "0.1.0"}, "0.1.0"),
        ({}, ""),
        ({"version": 5}, ""),
        ([], ""),
        ("0.1.0", ""),
        (None, ""),
    ],
)
def test_A5_what_is_ours_is_read_if_it_can_be_and_decides_nothing(
    ours: JsonValue, version: str
) -> None:
    assert parsed(predicate(**{OURS: ours})).version == version


@pytest.mark.parametrize(
    "kind",
    [
        "https://in-toto.io/attestation/svr/v0.1",
        "https://in-toto.io/attestation/svr/v0.2/",
        "https://in-toto.io/attestation/SVR/v0.2",
        "https://slsa.dev/verification_summary/v1",
        "",
    ],
)
def test_A4_another_predicate_is_no_result(kind: str) -> None:
    with pytest.raises(MetadataMalformed, match="no verification result"):
        parsed(predicate(), kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"verifier": WITHOUT},
        {"verifier": {"policies": []}},
        # "Producers MUST include `verifier.policies`".
        {"verifier": {"id": VERIFIER}},
        {"verifier": {"id": VERIFIER, "policies": None}},
        {"verifier": {"id": VERIFIER, "policies": [{}]}},
        {"verifier": {"id": 1, "policies": []}},
        {"verifier": "x"},
        {"timeCreated": WITHOUT},
        {"timeCreated": "yesterday"},
        {"timeCreated": 1_700_000_000},
        {"properties": WITHOUT},
        {"properties": VERIFIED},
        {"properties": [1]},
        {"properties": [None]},
    ],
)
def test_what_a_result_must_have_is_asked_for(changes: dict[str, JsonValue]) -> None:
    with pytest.raises(MetadataMalformed):
        parsed(predicate(**changes))


def test_an_empty_predicate_is_no_result() -> None:
    with pytest.raises(MetadataMalformed, match="'verifier' is missing"):
        parsed({})
