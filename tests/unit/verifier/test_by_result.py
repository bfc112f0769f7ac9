"""Verdicts that rest on an earlier run, with real evidence, keys and signatures."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import openpgp
from fixtures.distributions import sdist, wheel
from fixtures.keys import key
from fixtures.openpgp import OpenPGPKey
from fixtures.supply_chain import SupplyChain
from pip_intoto.account import Account, Checked, PolicyUsed
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL, Limits
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.metadata.envelope import pre_authentication_encoding
from pip_intoto.metadata.predicate_names import SVR
from pip_intoto.metadata.verification_result import OURS, VERIFIED, VERIFIER
from pip_intoto.policy.file import load_policy
from pip_intoto.reports import attestation
from pip_intoto.verdict import Action, Outcome, Status
from pip_intoto.verification.trust import Owner
from pip_intoto.verifier.by_result import Wanted, prepare, read
from pip_intoto.verifier.judge import judge
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fixtures.distributions import Built
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import SigningKey
    from pip_intoto.verdict import Verdict
    from pip_intoto.verifier.by_result import Results

CI = key("ci")
OTHER = key("other ci")
STRANGER = key("stranger")
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
CHAIN = SupplyChain(project="demo")
WHEEL = wheel("demo")
SDIST = sdist("demo", runs=Path("never"))
POLICY = "ab" * 32


def distribution(built: Built = WHEEL, **changes: Any) -> Distribution:  # noqa: ANN401
    known = Distribution(
        name=built.name,
        version=built.version,
        filename=built.filename,
        kind=Kind.WHEEL,
        sha256=built.sha256,
        url=f"https://files.example/{built.filename}",
    )
    return replace(known, **changes)


def statement(**changes: Any) -> JsonObject:  # noqa: ANN401 - any member of the predicate
    """Give a statement about the wheel, with members of its predicate replaced."""
    predicate = {
        "verifier": {
            "id": VERIFIER,
            "policies": [{"name": "policy.toml", "digest": {"sha256": POLICY}}],
        },
        "timeCreated": "2026-11-21T11:00:00Z",
        "properties": [VERIFIED],
        **changes,
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": WHEEL.filename, "digest": {"sha256": WHEEL.sha256}}],
        "predicateType": SVR,
        "predicate": predicate,
    }


def signed(payload: JsonObject | None = None, *signers: SigningKey) -> bytes:
    made = authoring.sign(statement() if payload is None else payload, signers or (CI,))
    return authoring.bundle([authoring.Document(made)])


def wanted(*keys: SigningKey, **changes: Any) -> Wanted:  # noqa: ANN401 - any member
    owners = tuple(Owner(each.public_key, f"{each.keyid[:4]}.pub") for each in keys or (CI,))
    return replace(Wanted(keys=owners, threshold=len(owners)), **changes)


def results(data: bytes, want: Wanted | None = None, *, limits: Limits = LOCAL) -> Results:
    return read(data, want or wanted(), origin="result.intoto.jsonl", now=NOW, limits=limits)


def outcome(
    data: bytes, want: Wanted | None = None, of: Distribution | None = None
) -> tuple[Status, str]:
    verdict = results(data, want).verdict(of or distribution())
    assert (verdict.action is Action.PASS) is (verdict.status is Status.VERIFIED)
    assert (verdict.status is Status.VERIFIED) is (verdict.reason == "verified")
    return verdict.status, verdict.reason


PASSES = (Status.VERIFIED, "verified")
MALFORMED = (Status.INVALID, "metadata-malformed")
UNSIGNED = (Status.INVALID, "result-signature-missing")
NOT_ACCEPTED = (Status.INVALID, "result-not-accepted")
NOT_CURRENT = (Status.INVALID, "result-not-current")
MISSING = (Status.MISSING, "result-missing")


# --- from evidence to a result to a verdict ---------------------------------------------------


def judged(folder: Path) -> Account:
    """Verify the wheel by its evidence, and an sdist that has none."""
    policy = load_policy(CHAIN.policy(folder))
    files = {f"https://files.example/{WHEEL.filename}.intoto.jsonl": CHAIN.bundle(WHEEL)}
    verdicts = [
        Repository(files).run(judge(each, policy))
        for each in (distribution(), distribution(SDIST, kind=Kind.SDIST))
    ]
    return Account(
        targets=("wheelhouse",),
        checked=tuple(Checked(verdict=each) for each in verdicts),
        exit_status=1,
        began=NOW - timedelta(minutes=1),
        ended=NOW,
        version="0.1.0",
        policy=PolicyUsed(path=policy.path, sha256=policy.sha256, mode=policy.mode),
    )


def test_what_one_run_verified_another_one_takes_on_its_word(tmp_path: Path) -> None:
    account = judged(tmp_path)
    (tmp_path / "result.intoto.jsonl").write_text(attestation.render(account, [CI]))
    (tmp_path / "ci.pub").write_bytes(CI.public_pem())
    assert account.policy is not None
    later = prepare(
        tmp_path / "result.intoto.jsonl",
        [tmp_path / "ci.pub"],
        max_age=timedelta(days=1),
        policy_sha256=account.policy.sha256,
        now=NOW,
    )
    verdict = later.verdict(distribution())
    assert verdict.status is Status.VERIFIED
    assert verdict.summary == (
        f"{WHEEL.filename} was verified at 2026-11-21T11:59:00Z, says ci.pub."
    )
    assert [entry.outcome for entry in verdict.trace] == [Outcome.OK, Outcome.NOTE, Outcome.OK]
    assert "pip-intoto 0.1.0" in verdict.trace[0].detail
    assert account.policy.sha256 in verdict.trace[1].detail
    # What was not verified then is not verified now.
    other = later.verdict(distribution(SDIST, kind=Kind.SDIST))
    assert (other.status, other.reason) == MISSING


def test_K6_a_result_by_an_openpgp_key_whose_validity_is_over_does_not_count(
    tmp_path: Path,
) -> None:
    holder = OpenPGPKey(name="result owner")
    path = tmp_path / "ci.json"
    result = tmp_path / "result.intoto.jsonl"
    result.write_text(json.dumps(openpgp.sign(statement(), [holder], Envelope.DSSE)))
    for validity, expected in ((0, PASSES), (3_600, UNSIGNED)):
        # The fingerprint, and so the signature, does not depend on when a key ends.
        path.write_text(json.dumps(replace(holder, validity=validity).described()))
        verdict = prepare(result, [path], now=NOW).verdict(distribution())
        assert (verdict.status, verdict.reason) == expected


def test_a_verdict_that_rests_on_a_result_has_no_chain() -> None:
    assert results(signed()).verdict(distribution()).chain is None


# --- 1. signatures ----------------------------------------------------------------------------


def test_the_signature_of_a_trusted_key_is_asked_for() -> None:
    assert outcome(signed()) == PASSES
    assert outcome(signed(None, STRANGER)) == UNSIGNED
    assert outcome(signed(), wanted(OTHER)) == UNSIGNED


def test_without_a_signature_it_is_none() -> None:
    made = authoring.sign(statement(), [CI])
    made["signatures"] = []
    assert outcome(json.dumps(made).encode()) == UNSIGNED


def test_the_threshold_counts_keys_and_not_signatures() -> None:
    both = wanted(CI, OTHER)
    assert outcome(signed(None, CI, OTHER), both) == PASSES
    assert outcome(signed(None, CI), both) == UNSIGNED
    assert outcome(signed(None, CI, CI), both) == UNSIGNED
    twice = wanted(CI, CI, threshold=2)
    assert outcome(signed(None, CI), twice) == UNSIGNED
    assert outcome(signed(None, CI), replace(both, threshold=1)) == PASSES


def test_A2_nothing_of_a_payload_is_looked_at_before_its_signature_verified() -> None:
    body = b"no JSON at all"
    made = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [],
    }
    assert outcome(json.dumps(made).encode()) == UNSIGNED


def test_no_byte_of_it_can_be_another() -> None:
    data = signed()
    whole = json.loads(data)
    for member in ("payload", "sig"):
        text = whole["payload"] if member == "payload" else whole["signatures"][0]["sig"]
        raw = bytearray(base64.b64decode(text))
        for position in range(0, len(raw), 7 if member == "payload" else 1):
            raw[position] ^= 1
            changed = json.loads(data)
            spoiled = base64.b64encode(raw).decode()
            if member == "payload":
                changed["payload"] = spoiled
            else:
                changed["signatures"][0]["sig"] = spoiled
            assert outcome(json.dumps(changed).encode()) == UNSIGNED
            raw[position] ^= 1


def test_the_payload_type_is_signed() -> None:
    changed = json.loads(signed())
    changed["payloadType"] = "application/vnd.in-toto.svr+json"
    assert outcome(json.dumps(changed).encode()) == UNSIGNED
    body = json.dumps(statement()).encode()
    named = pre_authentication_encoding("application/vnd.in-toto.svr+json", body)
    changed["payload"] = base64.b64encode(body).decode()
    changed["signatures"] = [authoring.signature(named, CI, authoring.Envelope.DSSE)]
    assert outcome(json.dumps(changed).encode()) == PASSES


# --- 2. statements, and no layouts ------------------------------------------------------------


def test_a_layout_is_no_result_though_the_key_signed_it() -> None:
    layout = SupplyChain(project="demo", owners=(CI,))
    for document in layout.evidence(WHEEL):
        data = authoring.bundle([document])
        expected = MALFORMED if document.name == "root.layout" else UNSIGNED
        assert outcome(data) == expected


def test_a_link_is_no_result_though_the_key_signed_it() -> None:
    assert outcome(signed(CHAIN.build_link([WHEEL], "1.0"))) == MALFORMED


# Whatever spells no "layout" is not even looked into.
@pytest.mark.parametrize("ours", [{}, {"layout": {}}])
def test_a_result_is_no_layout_though_the_owner_signed_it(tmp_path: Path, ours: JsonObject) -> None:
    # It has every member that a layout has, too.
    both = {**CHAIN.layout(), **statement(**{OURS: ours})}
    _, *links = CHAIN.evidence(WHEEL)
    evidence = [authoring.Document(authoring.sign(both, CHAIN.owners), "root.layout"), *links]
    url = f"https://files.example/{WHEEL.filename}.intoto.jsonl"
    repository = Repository({url: authoring.bundle(evidence)})
    verdict = repository.run(judge(distribution(), load_policy(CHAIN.policy(tmp_path))))
    assert (verdict.status, verdict.reason) == (Status.INVALID, "layout-signature-missing")
    assert verdict.chain is None


def test_a_result_among_the_evidence_is_no_link(tmp_path: Path) -> None:
    root, source, _ = CHAIN.evidence(WHEEL)
    both = {**CHAIN.build_link([WHEEL], "1.0"), **statement()}
    evidence = [root, source, authoring.Document(authoring.sign(both, [CHAIN.builder]))]
    url = f"https://files.example/{WHEEL.filename}.intoto.jsonl"
    repository = Repository({url: authoring.bundle(evidence)})
    verdict = repository.run(judge(distribution(), load_policy(CHAIN.policy(tmp_path))))
    assert verdict.status is Status.INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"predicateType": "https://slsa.dev/verification_summary/v1"},
        {"predicateType": "https://in-toto.io/attestation/svr/v0.1"},
        {"_type": "https://in-toto.io/Statement/v2"},
        {"predicate": {}},
        {"subject": [{"name": WHEEL.filename}]},
        {"subject": [{"name": WHEEL.filename, "digest": {"sha256": WHEEL.sha256.upper()}}]},
    ],
)
def test_what_is_no_result_is_refused(changes: JsonObject) -> None:
    assert outcome(signed({**statement(), **changes})) == MALFORMED


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"{}", b"[]", b"no JSON", b"\xff\xfe", b'{"payload": 1}', b'{"signed": {}}'],
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    assert outcome(data) == MALFORMED


def test_what_is_too_large_is_refused() -> None:
    found = results(signed(), limits=Limits(bundle_bytes=100)).verdict(distribution())
    assert (found.status, found.reason) == (Status.INVALID, "metadata-too-large")


# --- 3. who verified, and by what -------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"properties": []},
        {"properties": ["SLSA_BUILD_LEVEL_3"]},
        {"properties": [VERIFIED.lower()]},
        {"verifier": {"id": "https://example.com/verifier/v1", "policies": []}},
        {"verifier": {"id": VERIFIER + "0", "policies": []}},
    ],
)
def test_A5_only_what_says_that_pip_intoto_verified_counts(changes: dict[str, Any]) -> None:
    assert outcome(signed(statement(**changes))) == NOT_ACCEPTED


def test_properties_that_nobody_knows_take_nothing_away() -> None:
    assert outcome(signed(statement(properties=["X", VERIFIED]))) == PASSES


def test_a_policy_that_is_asked_for_must_be_the_one() -> None:
    assert outcome(signed(), wanted(policy_sha256=POLICY)) == PASSES
    assert outcome(signed(), wanted(policy_sha256="cd" * 32)) == NOT_ACCEPTED
    without = statement(verifier={"id": VERIFIER, "policies": []})
    assert outcome(signed(without), wanted(policy_sha256=POLICY)) == NOT_ACCEPTED
    assert outcome(signed(without)) == PASSES


def test_A5_nothing_that_is_ours_makes_anything_pass() -> None:
    ours = {"version": "9", "mode": "enforce", "counts": {"verified": 1}, "policies": [POLICY]}
    bad = statement(properties=[], **{OURS: ours})
    assert outcome(signed(bad)) == NOT_ACCEPTED
    other = statement(**{OURS: ours})
    other["subject"] = [
        {
            "name": SDIST.filename,
            "digest": {"sha256": SDIST.sha256},
            "annotations": {OURS: {"name": WHEEL.filename, "digest": {"sha256": WHEEL.sha256}}},
        }
    ]
    assert outcome(signed(other)) == MISSING


@pytest.mark.parametrize("ours", [None, [], "x", {"version": {}}])
def test_what_is_ours_and_odd_takes_nothing_away(ours: Any) -> None:  # noqa: ANN401
    assert outcome(signed(statement(**{OURS: ours}))) == PASSES


# --- 4. time ----------------------------------------------------------------------------------


def made_at(moment: datetime) -> bytes:
    return signed(statement(timeCreated=f"{moment:%Y-%m-%dT%H:%M:%SZ}"))


def test_an_old_result_is_as_good_as_a_new_one_unless_an_age_is_given() -> None:
    old = made_at(NOW - timedelta(days=30))
    assert outcome(old) == PASSES
    assert outcome(old, wanted(max_age=timedelta(days=30))) == PASSES
    older = made_at(NOW - timedelta(days=30, seconds=1))
    assert outcome(older, wanted(max_age=timedelta(days=30))) == NOT_CURRENT


def test_a_result_of_the_future_does_not_count_but_clocks_may_differ_a_little() -> None:
    skew = timedelta(seconds=LOCAL.clock_skew_seconds)
    assert outcome(made_at(NOW + skew)) == PASSES
    ahead = made_at(NOW + skew + timedelta(seconds=1))
    assert outcome(ahead) == NOT_CURRENT
    # However old it may be.
    assert outcome(ahead, wanted(max_age=timedelta(days=9_999))) == NOT_CURRENT


# --- 5. the file ------------------------------------------------------------------------------


def test_a_file_with_another_digest_is_another_file() -> None:
    other = distribution(sha256="cd" * 32)
    assert outcome(signed(), of=other) == (Status.INVALID, "artifact-digest-mismatch")


def test_a_file_that_is_no_subject_is_missing() -> None:
    verdict = results(signed()).verdict(distribution(SDIST))
    assert (verdict.status, verdict.reason) == MISSING
    assert "1 subject, none of them this file" in verdict.found


def test_verified_bytes_under_another_name_are_not_what_was_verified() -> None:
    verdict = results(signed()).verdict(distribution(filename="other-2.0-py3-none-any.whl"))
    assert (verdict.status, verdict.reason) == MISSING
    assert WHEEL.filename in verdict.found


def test_A6_a_subject_is_found_by_sha256_and_nothing_else() -> None:
    for digest in ({"md5": WHEEL.sha256}, {"sha3_256": WHEEL.sha256}, {"sha512": "ab" * 64}):
        value = statement()
        value["subject"] = [{"name": WHEEL.filename, "digest": {**digest}}]
        assert outcome(signed(value)) == MISSING


def test_what_has_no_digest_is_unverifiable() -> None:
    for of in (distribution(sha256=None), distribution(kind=Kind.DIRECTORY, sha256=None)):
        assert outcome(signed(), of=of) == (Status.UNVERIFIABLE, "unverifiable")


# --- several results --------------------------------------------------------------------------


def about(built: Built) -> bytes:
    value = statement()
    value["subject"] = [{"name": built.filename, "digest": {"sha256": built.sha256}}]
    return signed(value)


@pytest.mark.parametrize(
    "others",
    [
        [about(SDIST)],
        [signed(None, STRANGER), b"{}\n", b"no JSON\n"],
        [made_at(NOW + timedelta(days=9))],
        [authoring.bundle(CHAIN.evidence(WHEEL))],
    ],
)
def test_A8_in_a_bundle_any_result_may_be_the_one(others: Sequence[bytes]) -> None:
    assert outcome(b"".join([*others, signed()])) == PASSES
    assert outcome(b"".join([signed(), *others])) == PASSES
    assert outcome(b"".join(others))[0] is not Status.VERIFIED


def test_the_result_that_came_nearest_says_why_none_counts() -> None:
    future, foreign = made_at(NOW + timedelta(days=9)), signed(statement(properties=[]))
    strangers = signed(None, STRANGER)
    assert outcome(strangers + future + foreign) == NOT_CURRENT
    assert outcome(foreign + strangers) == NOT_ACCEPTED


def test_a_result_on_many_lines_is_read_as_well() -> None:
    made = authoring.sign(statement(), [CI])
    assert outcome(json.dumps(made, indent=2).encode()) == PASSES


# --- what the command line names --------------------------------------------------------------


def test_files_that_cannot_be_read_are_errors_of_the_command(tmp_path: Path) -> None:
    result, public = tmp_path / "result", tmp_path / "ci.pub"
    public.write_bytes(CI.public_pem())
    with pytest.raises(CommandError):
        prepare(result, [public])
    result.write_bytes(signed())
    with pytest.raises(CommandError, match="no key is given"):
        prepare(result, [])
    public.write_text("no key")
    with pytest.raises(CommandError, match="no public key"):
        prepare(result, [public])


def test_all_keys_that_are_named_must_have_signed(tmp_path: Path) -> None:
    paths = []
    for name, each in (("a.pub", CI), ("b.pub", OTHER), ("again.pub", CI)):
        (tmp_path / name).write_bytes(each.public_pem())
        paths.append(tmp_path / name)
    result = tmp_path / "result"
    result.write_bytes(signed())
    assert prepare(result, paths, now=NOW).verdict(distribution()).reason == UNSIGNED[1]
    result.write_bytes(signed(None, CI, OTHER))
    assert prepare(result, paths, now=NOW).verdict(distribution()).status is Status.VERIFIED


def test_texts_out_of_a_result_are_printable() -> None:
    evil = "evil\x1b[2J\u202e"
    value = statement(verifier={"id": evil, "policies": []}, **{OURS: {"version": evil}})
    good = statement(**{OURS: {"version": evil}})
    for data in (signed(value), signed(good)):
        verdict: Verdict = results(data).verdict(distribution())
        texts = [verdict.summary, verdict.found, *(entry.detail for entry in verdict.trace)]
        assert all(text.isprintable() for text in texts)
