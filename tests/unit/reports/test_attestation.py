"""Runs as Simple Verification Results: what they vouch for, and what they do not."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.keys import key
from pip_intoto.account import Checked, LockUsed
from pip_intoto.errors import CommandError, MetadataMalformed, NothingVerified
from pip_intoto.limits import LOCAL
from pip_intoto.metadata.bundle import parse_bundle
from pip_intoto.metadata.envelope import PAYLOAD_TYPE, read_payload, read_statement
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.predicate_names import SVR
from pip_intoto.metadata.statement import STATEMENT, parse_statement
from pip_intoto.metadata.verification_result import VERIFIED, VERIFIER, parse_result
from pip_intoto.reports import attestation
from pip_intoto.verdict import Status
from pip_intoto.verification.signatures import Keyring
from tests.unit.reports.accounts import (
    account,
    attested,
    clean,
    exempt,
    hostile,
    invalid,
    large,
    missing,
    unlisted,
    unreachable,
    verified,
)

if TYPE_CHECKING:
    from pip_intoto.account import Account
    from pip_intoto.verdict import Verdict

CI = key("ci")
OTHER = key("other ci")


def stated(of: Account) -> dict[str, Any]:
    """Give the statement as a reader of JSON gets it."""
    statement: dict[str, Any] = json.loads(json.dumps(attestation.statement(of)))
    return statement


def of(*verdicts: Verdict, **changes: Any) -> Account:  # noqa: ANN401 - any member
    return account(checked=tuple(Checked(verdict=each) for each in verdicts), **changes)


def names(of: Account) -> list[str]:
    return [subject["name"] for subject in stated(of)["subject"]]


# --- what it vouches for --------------------------------------------------------------------


def test_it_is_a_simple_verification_result() -> None:
    statement = stated(account())
    assert statement["_type"] == STATEMENT
    assert statement["predicateType"] == SVR
    predicate = statement["predicate"]
    assert predicate["verifier"]["id"] == VERIFIER
    assert predicate["properties"] == [VERIFIED]
    assert predicate["timeCreated"] == "2026-11-21T12:00:00Z"


def test_only_what_is_verified_is_a_subject() -> None:
    whole = account()
    expected = [
        (verdict.distribution.filename, {"sha256": verdict.distribution.sha256})
        for checked in whole.checked
        if (verdict := checked.verdict).status is Status.VERIFIED
    ]
    found = [(subject["name"], subject["digest"]) for subject in stated(whole)["subject"]]
    assert found == expected
    assert len(found) == 2


def test_what_an_exception_lets_through_is_no_subject_but_told() -> None:
    told = exempt()
    assert told.exception is not None
    statement = stated(of(verified(), told))
    assert len(statement["subject"]) == 1
    assert statement["predicate"]["pipIntoto"]["exceptions"] == [
        {
            "project": told.distribution.name,
            "version": told.distribution.version,
            "name": told.distribution.filename,
            "digest": {"sha256": told.distribution.sha256},
            "status": "exempt",
            "owner": told.exception.owner,
            "reason": told.exception.reason,
            "expires": told.exception.expires.isoformat(),
            "waives": list(told.exception.waives),
        }
    ]


@pytest.mark.parametrize("other", [exempt, unlisted, missing, unreachable, invalid])
def test_a_run_that_verified_nothing_gives_no_statement(other: Any) -> None:  # noqa: ANN401
    for nothing in (of(other()), of()):
        with pytest.raises(NothingVerified):
            attestation.statement(nothing)
        with pytest.raises(NothingVerified):
            attestation.render(nothing, [CI])


def test_bytes_that_are_verified_here_and_not_there_are_not_vouched_for() -> None:
    good = verified()
    elsewhere = replace(invalid(), distribution=replace(good.distribution, index="https://x/"))
    assert names(of(good, verified("click"), elsewhere)) == names(of(verified("click")))


def test_the_same_file_in_two_locks_is_one_subject() -> None:
    assert len(names(of(verified(), verified()))) == 1


def test_the_same_bytes_under_two_names_are_two_subjects() -> None:
    good = verified()
    renamed = replace(good, distribution=replace(good.distribution, filename="flask-3.1.0.zip"))
    assert len(set(names(of(good, renamed)))) == 2


def test_what_is_verified_by_an_earlier_result_is_not_vouched_for_again() -> None:
    with pytest.raises(NothingVerified):
        attestation.statement(of(replace(verified(), chain=None)))


def test_what_has_no_digest_is_no_subject() -> None:
    good = verified()
    unknown = replace(good, distribution=replace(good.distribution, sha256=None))
    with pytest.raises(NothingVerified):
        attestation.statement(of(unknown))


# --- what it says besides -------------------------------------------------------------------


def test_each_subject_says_by_which_documents_and_by_whom_it_is_verified() -> None:
    good = verified()
    chain = good.chain
    assert chain is not None
    ours = stated(of(good))["subject"][0]["annotations"]["pipIntoto"]
    assert ours == {
        "project": "flask",
        "version": "3.1.0",
        "layout": {"digest": {"sha256": chain.layout_sha256}},
        "layoutExpires": "2027-06-30T00:00:00Z",
        "owners": ["alice", "bob"],
        "documents": [{"digest": {"sha256": sha256}} for sha256 in chain.documents],
        "steps": [
            {"name": "source", "threshold": 1, "principals": ["alice"]},
            {"name": "build", "threshold": 2, "principals": ["builder-1", "builder-2"]},
            {"name": "approve", "threshold": 1, "principals": ["carol"]},
        ],
        "inspections": ["unpack"],
        "binding": chain.binding,
    }


def test_the_policy_is_named_by_its_digest_and_not_by_where_it_lies() -> None:
    whole = account()
    assert whole.policy is not None
    policies = stated(whole)["predicate"]["verifier"]["policies"]
    assert policies == [{"name": "policy.toml", "digest": {"sha256": whole.policy.sha256}}]


def test_without_a_policy_the_list_of_policies_is_there_and_empty() -> None:
    assert stated(account(policy=None))["predicate"]["verifier"]["policies"] == []


def test_the_run_says_version_clock_counts_and_whether_it_was_ended_early() -> None:
    ours = stated(account(interrupted=True))["predicate"]["pipIntoto"]
    assert ours["version"] == "0.1.0"
    assert ours["mode"] == "enforce"
    assert (ours["began"], ours["ended"]) == ("2026-11-21T12:00:00Z", "2026-11-21T12:00:03Z")
    assert ours["interrupted"] is True
    assert ours["counts"]["verified"] == 2
    assert set(ours["counts"]) == {status.value for status in Status}


def test_locks_are_named_as_they_were_given_unless_that_says_where_they_lie() -> None:
    locks = (
        LockUsed(path=Path("locks/pylock.toml"), sha256="ab" * 32),
        LockUsed(path=Path("/home/you/project/uv.lock"), sha256="cd" * 32),
    )
    assert stated(account(locks=locks))["predicate"]["pipIntoto"]["locks"] == [
        {"name": "locks/pylock.toml", "digest": {"sha256": "ab" * 32}},
        {"name": "uv.lock", "digest": {"sha256": "cd" * 32}},
    ]


def test_the_time_is_that_at_which_verification_began() -> None:
    late = account(ended=account().began + timedelta(days=3))
    assert stated(late)["predicate"]["timeCreated"] == "2026-11-21T12:00:00Z"


# --- signed ---------------------------------------------------------------------------------


def test_it_is_one_line_of_a_bundle_that_every_signer_signed() -> None:
    text = attestation.render(account(), [CI, OTHER])
    assert text.isascii()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    bundle = parse_bundle(text.encode(), origin="here", of_statements=True, limits=LOCAL)
    envelope = bundle.documents[0].envelope
    assert envelope.payload_type == PAYLOAD_TYPE
    signed = Keyring([CI.public_key, OTHER.public_key]).signings(envelope)
    assert {each.key.keyid for each in signed} == {CI.keyid, OTHER.keyid}
    result = parse_result(read_statement(envelope, limits=LOCAL), LOCAL)
    assert result.version == "0.1.0"
    assert [subject.name for subject in result.subjects] == names(account())


def test_the_payload_is_the_statement() -> None:
    envelope = json.loads(attestation.render(account(), [CI]))
    assert json.loads(base64.b64decode(envelope["payload"])) == stated(account())


def test_the_same_run_gives_the_same_bytes() -> None:
    assert attestation.render(account(), [CI]) == attestation.render(account(), [CI])


def test_it_is_no_layout_and_no_link() -> None:
    bundle = parse_bundle(attestation.render(account(), [CI]).encode(), origin="here", limits=LOCAL)
    with pytest.raises(MetadataMalformed, match="neither a layout nor a link"):
        read_payload(bundle.documents[0].envelope, limits=LOCAL)


def test_nobody_cannot_sign() -> None:
    with pytest.raises(CommandError, match="an attestation is signed"):
        attestation.render(clean(), [])


def test_whatever_names_there_are_it_can_be_read_again_and_shows_no_secrets() -> None:
    text = attestation.render(hostile(), [CI])
    bundle = parse_bundle(text.encode(), origin="here", of_statements=True, limits=LOCAL)
    result = parse_result(read_statement(bundle.documents[0].envelope, limits=LOCAL), LOCAL)
    assert len(result.subjects) == sum(
        checked.verdict.status is Status.VERIFIED for checked in hostile().checked
    )
    payload = base64.b64decode(json.loads(text)["payload"]).decode()
    assert "hunter2" not in payload
    assert all(subject.name.isprintable() for subject in result.subjects)


def test_a_large_run_is_within_the_limits_of_files_that_a_user_names() -> None:
    text = attestation.render(large(5_000), [CI])
    assert len(text) < LOCAL.document_bytes // 10


# --- the page -------------------------------------------------------------------------------


PAGE = Path(__file__).parents[3] / "docs" / "reference" / "verification-result.md"


def members(value: object) -> set[str]:
    """Give the names of all members, but for the statuses that are counted."""
    if isinstance(value, list):
        return {name for each in value for name in members(each)}
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(members(each) for name, each in value.items() if name != "counts"))


def test_the_page_explains_every_member() -> None:
    page = PAGE.read_text("utf-8")
    lock = LockUsed(path=Path("uv.lock"), sha256="ab" * 32)
    for name in members(stated(account(locks=(lock,)))):
        assert re.search(rf"[`.]{name}[`.]", page), name


def test_the_example_of_the_page_is_what_a_run_gives() -> None:
    text = PAGE.read_text("utf-8").partition("```json\n")[2].partition("```")[0]
    lock = LockUsed(path=Path("uv.lock"), sha256="ab" * 32)
    assert members(json.loads(text)) == members(stated(account(locks=(lock,))))
    read = parse_result(parse_statement(Node(json.loads(text)), LOCAL), LOCAL)
    assert read.properties == (VERIFIED,)


def test_whom_sigstore_vouches_for_stands_in_the_statement() -> None:
    (subject,) = stated(of(attested()))["subject"]
    ours = subject["annotations"]["pipIntoto"]
    assert ours["publishers"] == [
        "github:acme/demo:release.yml (refs/tags/v1, environment acme/demo)"
    ]
    assert ours["steps"][0]["predicates"][0] == "https://slsa.dev/provenance/v1"
    (plain,) = stated(of(verified()))["subject"]
    assert "publishers" not in plain["annotations"]["pipIntoto"]
