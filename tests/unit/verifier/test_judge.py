"""Verdicts: every status and action, with real policies, keys and evidence."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.distributions import sdist, wheel
from fixtures.keys import key
from fixtures.supply_chain import PAST, SupplyChain
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.limits import DEFAULT, Limits
from pip_intoto.maintainer import authoring
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.fetching import Fetches, Response
from pip_intoto.verdict import Action, Status
from pip_intoto.verifier.judge import Decision, judge, out_of_resources
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Verdict

INDEX = "https://index.example/simple/"
WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
BLOCKED = (Action.BLOCK,)


def url_of(built: Built) -> str:
    return f"https://files.example/{built.filename}"


def bundle_of(built: Built) -> str:
    return url_of(built) + ".intoto.jsonl"


def distribution(
    built: Built = WHEEL,
    **changes: Any,  # noqa: ANN401 - any member
) -> Distribution:
    return replace(
        Distribution(
            name=built.name,
            version=built.version,
            filename=built.filename,
            kind=Kind.WHEEL if built.filename.endswith(".whl") else Kind.SDIST,
            sha256=built.sha256,
            url=url_of(built),
            index=f"{INDEX}{built.name}/",
        ),
        **changes,
    )


def good() -> Repository:
    return Repository({bundle_of(WHEEL): CHAIN.bundle(WHEEL)})


class Consumer:
    """A policy in a directory of its own, and verdicts by it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def policy(
        self, chain: SupplyChain = CHAIN, *, head: str = "", rule: str = "", tail: str = ""
    ) -> Policy:
        path = chain.policy(self._folder, head=head, rule=rule)
        path.write_text(path.read_text() + "\n" + tail)
        return load_policy(path)

    def judge(
        self,
        repository: Repository,
        subject: Distribution | None = None,
        *,
        policy: Policy | None = None,
        limits: Limits = DEFAULT,
    ) -> Verdict:
        return repository.run(
            judge(subject or distribution(), policy or self.policy(), limits=limits)
        )


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    return Consumer(tmp_path)


def outcome(verdict: Verdict) -> tuple[Status, str, Action]:
    return verdict.status, verdict.reason, verdict.action


VERIFIED = (Status.VERIFIED, "verified", Action.PASS)


# --- verified -------------------------------------------------------------------------------


def test_good_evidence_in_a_bundle_is_verified(consumer: Consumer) -> None:
    repository = good()
    verdict = consumer.judge(repository)
    assert outcome(verdict) == VERIFIED
    assert repository.asked == [bundle_of(WHEEL)]
    assert WHEEL.filename in verdict.summary
    assert not verdict.expected


def test_good_evidence_in_the_directory_form_is_verified(consumer: Consumer) -> None:
    files = {
        f"{url_of(WHEEL)}.intoto/{document.name}": authoring.bundle([document])
        for document in CHAIN.evidence(WHEEL)
    }
    repository = Repository(files)
    assert outcome(consumer.judge(repository)) == VERIFIED
    assert repository.asked[:2] == [bundle_of(WHEEL), f"{url_of(WHEEL)}.intoto/root.layout"]
    assert set(repository.asked[2:]) == set(files) - {repository.asked[1]}


def test_the_files_of_the_directory_form_are_asked_for_at_once(consumer: Consumer) -> None:
    files = {
        f"{url_of(WHEEL)}.intoto/{document.name}": authoring.bundle([document])
        for document in CHAIN.evidence(WHEEL)
    }
    repository = Repository(files)
    consumer.judge(repository)
    assert repository.rounds == 3


def test_an_unsigned_layout_names_no_files(consumer: Consumer) -> None:
    stranger = SupplyChain(project="demo", owners=(key("stranger"),))
    repository = Repository(
        {f"{url_of(WHEEL)}.intoto/root.layout": authoring.bundle([stranger.root()])}
    )
    verdict = consumer.judge(repository)
    assert verdict.reason == "layout-signature-missing"
    assert len(repository.asked) == 2


def test_an_expired_layout_names_no_files(consumer: Consumer) -> None:
    expired = SupplyChain(project="demo", expires=PAST)
    repository = Repository(
        {f"{url_of(WHEEL)}.intoto/root.layout": authoring.bundle([expired.root()])}
    )
    assert consumer.judge(repository).reason == "layout-expired"
    assert len(repository.asked) == 2


def test_evidence_is_pooled_over_the_sources(consumer: Consumer) -> None:
    layout, *links = CHAIN.evidence(WHEEL)
    policy = consumer.policy(
        rule='sources = ["beside", "https://meta.example/{project}/{version}/{filename}.jsonl"]'
    )
    elsewhere = f"https://meta.example/demo/1.0/{WHEEL.filename}.jsonl"
    repository = Repository(
        {bundle_of(WHEEL): authoring.bundle([layout]), elsewhere: authoring.bundle(links)}
    )
    assert outcome(consumer.judge(repository, policy=policy)) == VERIFIED
    # And the other way round: a bundle without a root layout is evidence all the same.
    repository = Repository(
        {bundle_of(WHEEL): authoring.bundle(links), elsewhere: authoring.bundle([layout])}
    )
    assert outcome(consumer.judge(repository, policy=policy)) == VERIFIED


def test_a_later_source_is_not_asked_when_an_earlier_one_verifies(consumer: Consumer) -> None:
    policy = consumer.policy(rule='sources = ["beside", "https://meta.example/{filename}"]')
    repository = good()
    consumer.judge(repository, policy=policy)
    assert len(repository.asked) == 1


def test_links_of_the_directory_form_are_found_for_a_layout_from_elsewhere(
    consumer: Consumer,
) -> None:
    layout, *links = CHAIN.evidence(WHEEL)
    policy = consumer.policy(rule='sources = ["beside", "https://meta.example/{filename}"]')
    files = {f"{url_of(WHEEL)}.intoto/{link.name}": authoring.bundle([link]) for link in links}
    files[f"https://meta.example/{WHEEL.filename}"] = authoring.bundle([layout])
    assert outcome(consumer.judge(Repository(files), policy=policy)) == VERIFIED


def test_a_layout_held_by_the_consumer(consumer: Consumer, tmp_path: Path) -> None:
    layout, *links = CHAIN.evidence(WHEEL)
    (tmp_path / "demo.layout").write_bytes(authoring.bundle([layout]))
    policy = consumer.policy(rule='layout = "demo.layout"')
    repository = Repository({bundle_of(WHEEL): authoring.bundle(links)})
    assert outcome(consumer.judge(repository, policy=policy)) == VERIFIED


def test_a_layout_held_by_the_consumer_asks_for_its_links_by_name(
    consumer: Consumer, tmp_path: Path
) -> None:
    layout, *links = CHAIN.evidence(WHEEL)
    (tmp_path / "demo.layout").write_bytes(authoring.bundle([layout]))
    policy = consumer.policy(rule='layout = "demo.layout"')
    files = {f"{url_of(WHEEL)}.intoto/{link.name}": authoring.bundle([link]) for link in links}
    assert outcome(consumer.judge(Repository(files), policy=policy)) == VERIFIED
    nothing = consumer.judge(Repository(), policy=policy)
    assert outcome(nothing) == (Status.MISSING, "link-missing", Action.BLOCK)


def test_no_source_replaces_a_layout_that_the_consumer_holds(
    consumer: Consumer, tmp_path: Path
) -> None:
    held = SupplyChain(project="demo", builder=key("the only builder"))
    (tmp_path / "demo.layout").write_bytes(authoring.bundle([held.root()]))
    policy = consumer.policy(rule='layout = "demo.layout"')
    verdict = consumer.judge(good(), policy=policy)
    assert outcome(verdict)[::2] == (Status.INVALID, Action.BLOCK)


def test_a_template_may_need_the_digest(consumer: Consumer) -> None:
    policy = consumer.policy(rule='sources = ["https://meta.example/{sha256}.jsonl"]')
    repository = Repository({f"https://meta.example/{WHEEL.sha256}.jsonl": CHAIN.bundle(WHEEL)})
    decision = Decision()
    coroutine = judge(distribution(sha256=None), policy, decision=decision)
    # Nothing can be asked before the digest is known.
    assert coroutine.send(None) is decision
    decision.make(distribution())
    wanted = coroutine.send(None)
    assert isinstance(wanted, Fetches)
    with pytest.raises(StopIteration) as stop:
        coroutine.send(repository.fetch_many(wanted.fetches))
    assert stop.value.value.status is Status.VERIFIED


def test_a_folder_of_evidence(consumer: Consumer, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / f"{WHEEL.filename}.intoto.jsonl").write_bytes(CHAIN.bundle(WHEEL))
    policy = consumer.policy(rule=f'sources = ["{(tmp_path / "evidence").as_posix()}"]')
    repository = Repository()
    assert outcome(consumer.judge(repository, policy=policy)) == VERIFIED
    assert repository.asked == []


# --- missing, unreachable, invalid ------------------------------------------------------------


def test_nothing_anywhere_is_missing(consumer: Consumer) -> None:
    verdict = consumer.judge(Repository())
    assert outcome(verdict) == (Status.MISSING, "layout-missing", Action.BLOCK)
    assert bundle_of(WHEEL) in verdict.found


def test_a_source_that_cannot_be_asked_is_unreachable(consumer: Consumer) -> None:
    repository = Repository(answers={bundle_of(WHEEL): Response(403)})
    verdict = consumer.judge(repository)
    assert outcome(verdict) == (Status.UNREACHABLE, "source-unreachable", Action.BLOCK)
    assert "403" in verdict.found
    assert "object stores" in verdict.found


def test_evidence_that_fails_is_invalid_even_if_another_source_is_down(
    consumer: Consumer,
) -> None:
    policy = consumer.policy(rule='sources = ["beside", "https://meta.example/{filename}"]')
    repository = good()
    repository.answers[f"https://meta.example/{WHEEL.filename}"] = Response(500)
    verdict = consumer.judge(repository, distribution(sha256="0" * 64), policy=policy)
    assert outcome(verdict) == (Status.INVALID, "artifact-digest-mismatch", Action.BLOCK)


def test_evidence_elsewhere_makes_up_for_a_source_that_is_down(consumer: Consumer) -> None:
    policy = consumer.policy(rule='sources = ["beside", "https://meta.example/{filename}"]')
    repository = Repository(
        {f"https://meta.example/{WHEEL.filename}": CHAIN.bundle(WHEEL)},
        answers={bundle_of(WHEEL): Response(500)},
    )
    assert outcome(consumer.judge(repository, policy=policy)) == VERIFIED


def test_evidence_that_cannot_be_read_is_invalid(consumer: Consumer) -> None:
    repository = Repository({f"{url_of(WHEEL)}.intoto/root.layout": b"{"})
    verdict = consumer.judge(repository)
    assert outcome(verdict) == (Status.INVALID, "metadata-malformed", Action.BLOCK)


def test_an_endless_bundle_is_too_large(consumer: Consumer) -> None:
    repository = Repository(
        answers={bundle_of(WHEEL): Response(None, error="cut off", too_large=True)}
    )
    assert consumer.judge(repository).reason == "metadata-too-large"


def test_a_bundle_without_a_layout_is_evidence_but_not_a_layout(consumer: Consumer) -> None:
    _layout, *links = CHAIN.evidence(WHEEL)
    repository = Repository({bundle_of(WHEEL): authoring.bundle(links)})
    verdict = consumer.judge(repository)
    assert outcome(verdict) == (Status.INVALID, "layout-signature-missing", Action.BLOCK)


def test_evidence_of_another_file_is_invalid(consumer: Consumer) -> None:
    other = wheel("demo", "2.0")
    repository = Repository({bundle_of(WHEEL): CHAIN.bundle(other)})
    verdict = consumer.judge(repository)
    assert outcome(verdict)[::2] == (Status.INVALID, Action.BLOCK)


def test_all_evidence_of_one_distribution_is_bounded(consumer: Consumer) -> None:
    repository = Repository({bundle_of(WHEEL): CHAIN.bundle(wheel("demo", "2.0"))})
    policy = consumer.policy(rule='sources = ["beside", "https://meta.example/{filename}"]')
    verdict = consumer.judge(repository, policy=policy, limits=Limits(evidence_bytes=100))
    assert verdict.action is Action.BLOCK
    assert repository.asked == [bundle_of(WHEEL)]


# --- the policy -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "action"),
    [
        ('unlisted = "allow"', Action.PASS),
        ('unlisted = "warn"', Action.WARN),
        ('unlisted = "deny"', Action.BLOCK),
        ('mode = "warn"\nunlisted = "allow"', Action.PASS),
        ('mode = "warn"\nunlisted = "deny"', Action.WARN),
    ],
)
def test_unlisted_is_as_the_policy_says_and_never_blocks_in_warn_mode(
    consumer: Consumer, head: str, action: Action
) -> None:
    repository = Repository()
    verdict = consumer.judge(
        repository, distribution(wheel("other")), policy=consumer.policy(head=head)
    )
    assert outcome(verdict) == (Status.UNLISTED, "unlisted", action)
    assert repository.asked == []


def test_warn_mode_says_what_enforce_mode_would_do(consumer: Consumer) -> None:
    policy = consumer.policy(head='mode = "warn"')
    verdict = consumer.judge(Repository(), policy=policy)
    assert outcome(verdict) == (Status.MISSING, "layout-missing", Action.WARN)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("https://index.example/simple/demo/", "verified"),
        ("https://index.example:443/simple/demo/", "verified"),
        ("https://index.example/simple-evil/demo/", "index-mismatch"),
        ("http://index.example/simple/demo/", "index-mismatch"),
        (None, "index-mismatch"),
    ],
)
def test_a_rule_may_bind_a_project_to_its_index(
    consumer: Consumer, index: str | None, reason: str
) -> None:
    policy = consumer.policy(rule=f'index = "{INDEX}"')
    repository = good()
    verdict = consumer.judge(repository, distribution(index=index), policy=policy)
    assert verdict.reason == reason
    if reason != "verified":
        assert verdict.action is Action.BLOCK
        assert repository.asked == []


def tomorrow() -> date:
    return datetime.now(timezone.utc).date() + timedelta(days=1)


def exception(**members: str) -> str:
    given = {
        "project": '"demo"',
        "reason": '"known and accepted"',
        "owner": '"security@acme.example"',
        "expires": str(tomorrow()),
        **members,
    }
    return "[[exception]]\n" + "\n".join(f"{name} = {value}" for name, value in given.items())


def test_an_exception_exempts_and_is_said(consumer: Consumer) -> None:
    repository = Repository()
    verdict = consumer.judge(repository, policy=consumer.policy(tail=exception()))
    assert outcome(verdict) == (Status.EXEMPT, "exempt", Action.PASS)
    assert "known and accepted" in verdict.summary
    assert "security@acme.example" in verdict.summary


def test_an_exception_that_has_expired_is_said_and_exempts_nothing(consumer: Consumer) -> None:
    policy = consumer.policy(tail=exception(expires="2020-01-01"))
    verdict = consumer.judge(Repository(), policy=policy)
    assert verdict.status is Status.MISSING
    assert "2020-01-01" in verdict.advice


def test_an_address_is_not_called_another_index(consumer: Consumer) -> None:
    policy = consumer.policy(rule=f'index = "{INDEX}"')
    subject = distribution(index=None)
    alone = replace(subject, index=subject.url)  # so do locks have it that name no index
    for each in (subject, alone):
        verdict = consumer.judge(good(), each, policy=policy)
        assert verdict.reason == "index-mismatch"
        assert "only an address of the file is known" in verdict.summary
        assert verdict.found == subject.url
        assert "packages.index" in verdict.advice


def test_no_exception_waives_the_index(consumer: Consumer) -> None:
    policy = consumer.policy(rule=f'index = "{INDEX}"', tail=exception())
    verdict = consumer.judge(good(), distribution(index="https://evil.example/"), policy=policy)
    assert verdict.reason == "index-mismatch"


def test_an_exception_for_an_expired_layout_waives_nothing_else(consumer: Consumer) -> None:
    expired = SupplyChain(project="demo", expires=PAST)
    policy = consumer.policy(tail=exception(waives='["layout-expired"]'))
    repository = Repository({bundle_of(WHEEL): expired.bundle(WHEEL)})
    verdict = consumer.judge(repository, policy=policy)
    assert outcome(verdict) == (Status.EXEMPT, "exempt", Action.PASS)
    tampered = consumer.judge(repository, distribution(sha256="0" * 64), policy=policy)
    assert outcome(tampered) == (Status.INVALID, "artifact-digest-mismatch", Action.BLOCK)
    assert outcome(consumer.judge(good(), policy=policy)) == VERIFIED


def test_an_exception_for_missing_evidence_does_not_waive_bad_evidence(
    consumer: Consumer,
) -> None:
    policy = consumer.policy(tail=exception(waives='["layout-missing"]'))
    assert consumer.judge(Repository(), policy=policy).status is Status.EXEMPT
    stranger = SupplyChain(project="demo", owners=(key("stranger"),))
    bad = Repository({bundle_of(WHEEL): stranger.bundle(WHEEL)})
    assert consumer.judge(bad, policy=policy).status is Status.INVALID


def test_a_revoked_key_counts_for_nothing(consumer: Consumer, tmp_path: Path) -> None:
    (tmp_path / "stolen.pub").write_bytes(CHAIN.builder.public_pem())
    tail = '[[revoked]]\nkey = "stolen.pub"\nreason = "stolen"\n'
    verdict = consumer.judge(good(), policy=consumer.policy(tail=tail))
    assert outcome(verdict) == (Status.INVALID, "key-revoked", Action.BLOCK)


# --- sdists and build requirements ------------------------------------------------------------


def test_a_project_that_is_never_built_is_blocked_before_anything_is_fetched(
    consumer: Consumer, tmp_path: Path
) -> None:
    source = sdist("demo", runs=tmp_path / "ran")
    repository = Repository({bundle_of(source): CHAIN.bundle(source)})
    policy = consumer.policy(rule='build = "never"')
    verdict = consumer.judge(repository, distribution(source), policy=policy)
    assert outcome(verdict) == (Status.INVALID, "build-not-allowed", Action.BLOCK)
    assert repository.asked == []
    assert outcome(consumer.judge(repository, distribution(source))) == VERIFIED


@pytest.mark.parametrize("built", [wheel("tool"), WHEEL], ids=["unlisted", "missing"])
def test_a_build_requirement_must_be_verified_where_the_rule_wants_it(
    consumer: Consumer, built: Built
) -> None:
    subject = distribution(built, building_for="thing 1.0")
    verdict = consumer.judge(
        Repository(), subject, policy=consumer.policy(head='unlisted = "allow"')
    )
    assert outcome(verdict) == (Status.MISSING, "build-requirement-unverified", Action.BLOCK)
    assert "thing 1.0" in verdict.summary


def test_an_exception_for_building_leaves_the_source_to_be_verified(
    consumer: Consumer, tmp_path: Path
) -> None:
    source = sdist("demo", runs=tmp_path / "ran")
    policy = consumer.policy(rule='build = "never"', tail=exception(waives='["build-not-allowed"]'))
    repository = Repository({bundle_of(source): CHAIN.bundle(source)})
    verdict = consumer.judge(repository, distribution(source), policy=policy)
    assert outcome(verdict) == (Status.EXEMPT, "exempt", Action.PASS)
    bare = consumer.judge(Repository(), distribution(source), policy=policy)
    assert outcome(bare) == (Status.MISSING, "layout-missing", Action.BLOCK)


def test_an_exception_lets_a_build_requirement_be_what_it_is_elsewhere(consumer: Consumer) -> None:
    tail = exception(project='"tool"', waives='["build-requirement-unverified"]')
    policy = consumer.policy(head='unlisted = "allow"', tail=tail)
    subject = distribution(wheel("tool"), building_for="thing 1.0")
    verdict = consumer.judge(Repository(), subject, policy=policy)
    assert outcome(verdict) == (Status.UNLISTED, "unlisted", Action.PASS)


def test_a_verified_build_requirement_passes(consumer: Consumer) -> None:
    assert outcome(consumer.judge(good(), distribution(building_for="thing 1.0"))) == VERIFIED


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"filename": "other-1.0-py3-none-any.whl"},
        {"filename": "demo-2.0-py3-none-any.whl"},
        {"filename": "demo.whl"},
        {"filename": "demo-1.0.tar.gz"},
    ],
)
def test_a_file_must_be_called_what_it_is_taken_for(
    consumer: Consumer, changes: dict[str, Any]
) -> None:
    verdict = consumer.judge(good(), replace(distribution(), **changes))
    assert outcome(verdict) == (Status.INVALID, "artifact-not-bound", Action.BLOCK)


def test_spellings_of_one_name_and_version_are_one(consumer: Consumer) -> None:
    built = wheel("Demo.Thing", "1.0.0")
    chain = SupplyChain(project="Demo.Thing")
    repository = Repository({bundle_of(built): chain.bundle(built)})
    verdict = consumer.judge(
        repository,
        distribution(built, name="demo-thing", version="1.0"),
        policy=consumer.policy(chain),
    )
    assert outcome(verdict) == VERIFIED


def test_a_name_that_changes_with_the_file_drops_what_was_found(consumer: Consumer) -> None:
    decision = Decision()
    announced = distribution(filename="download", sha256=None)
    repository = good()
    coroutine = judge(announced, consumer.policy(), decision=decision)
    wanted = coroutine.send(None)
    decision.make(distribution())
    with pytest.raises(StopIteration) as stop:  # noqa: PT012 - it ends at some request
        while True:
            assert isinstance(wanted, Fetches)
            wanted = coroutine.send(repository.fetch_many(wanted.fetches))
    assert stop.value.value.status is Status.VERIFIED


# --- what has no file -------------------------------------------------------------------------


def no_file(kind: Kind, *, requested: bool, name: str = "demo") -> Distribution:
    return Distribution(
        name=name,
        version="",
        filename="",
        kind=kind,
        url="git+https://user:secret@host.example/demo@main",
        requested=requested,
    )


@pytest.mark.parametrize(
    ("kind", "requested", "listed", "action"),
    [
        (Kind.DIRECTORY, True, True, Action.WARN),
        (Kind.DIRECTORY, True, False, Action.WARN),
        (Kind.DIRECTORY, False, True, Action.BLOCK),
        (Kind.DIRECTORY, False, False, Action.WARN),
        (Kind.VCS, True, True, Action.BLOCK),
        (Kind.VCS, True, False, Action.WARN),
        (Kind.VCS, False, True, Action.BLOCK),
        (Kind.VCS, False, False, Action.WARN),
    ],
)
def test_without_a_file_the_policy_alone_decides(
    consumer: Consumer, kind: Kind, *, requested: bool, listed: bool, action: Action
) -> None:
    subject = no_file(kind, requested=requested, name="demo" if listed else "other")
    verdict = consumer.judge(Repository(), subject)
    assert outcome(verdict) == (Status.UNVERIFIABLE, "unverifiable", action)
    assert "secret" not in repr(replace(verdict, distribution=distribution()))
    if action is Action.BLOCK:
        named = "" if requested else "a requirement names "
        found = f"{named}git+https://host.example/demo@main"
        assert verdict.found.replace("****@", "") == found


def test_a_checkout_may_be_exempt(consumer: Consumer) -> None:
    policy = consumer.policy(tail=exception())
    verdict = consumer.judge(Repository(), no_file(Kind.VCS, requested=False), policy=policy)
    assert verdict.status is Status.EXEMPT


# --- the file itself --------------------------------------------------------------------------


def inspected_layout(chain: SupplyChain, run: list[str]) -> bytes:
    layout = chain.layout()
    layout["inspect"] = [
        authoring.inspection(
            "unpack",
            run=run,
            expected_materials=[
                ["MATCH", "demo-*", "WITH", "PRODUCTS", "FROM", "build"],
                ["DISALLOW", "*"],
            ],
            expected_products=[["ALLOW", "*"]],
        )
    ]
    _, *links = chain.evidence(WHEEL)
    signed = authoring.Document(authoring.sign(layout, chain.owners, chain.envelope))
    return authoring.bundle([signed, *links])


def test_an_inspection_reads_the_private_copy(consumer: Consumer, tmp_path: Path) -> None:
    path = WHEEL.write(tmp_path)
    body = inspected_layout(CHAIN, ["unzip", WHEEL.filename])
    repository = Repository({bundle_of(WHEEL): body})
    assert outcome(consumer.judge(repository, distribution(path=path))) == VERIFIED


def test_a_copy_that_changed_is_noticed(consumer: Consumer, tmp_path: Path) -> None:
    path = WHEEL.write(tmp_path)
    path.write_bytes(WHEEL.tampered().data)
    body = inspected_layout(CHAIN, ["unzip", WHEEL.filename])
    repository = Repository({bundle_of(WHEEL): body})
    verdict = consumer.judge(repository, distribution(path=path))
    assert verdict.reason == "artifact-digest-mismatch"


def test_a_command_never_sees_a_copy_that_changed(consumer: Consumer, tmp_path: Path) -> None:
    path = WHEEL.write(tmp_path)
    path.write_bytes(WHEEL.tampered().data)
    ran = tmp_path / "ran"
    policy = consumer.policy(rule=f'inspections = [["touch", "{ran}"]]')
    repository = Repository({bundle_of(WHEEL): inspected_layout(CHAIN, ["touch", str(ran)])})
    verdict = consumer.judge(repository, distribution(path=path), policy=policy)
    assert verdict.reason == "artifact-digest-mismatch"
    assert not ran.exists()


def test_without_the_file_nothing_is_inspected(consumer: Consumer) -> None:
    body = inspected_layout(CHAIN, ["unzip", WHEEL.filename])
    verdict = consumer.judge(Repository({bundle_of(WHEEL): body}))
    assert verdict.action is Action.BLOCK


def test_a_command_that_the_policy_does_not_name_does_not_run(
    consumer: Consumer, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    path = WHEEL.write(tmp_path)
    repository = Repository({bundle_of(WHEEL): inspected_layout(CHAIN, ["touch", str(ran)])})
    verdict = consumer.judge(repository, distribution(path=path))
    assert verdict.reason == "inspection-not-allowed"
    assert not ran.exists()


# --- the words --------------------------------------------------------------------------------


def test_nothing_in_a_verdict_drives_a_terminal(consumer: Consumer) -> None:
    name = "demo-1.0\x1b[2J\u202e-py3-none-any.whl"
    verdict = consumer.judge(Repository(), distribution(filename=name))
    shown = verdict.summary + verdict.found + verdict.expected
    shown += "".join(entry.what + entry.detail for entry in verdict.trace)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_no_secret_is_in_a_verdict(consumer: Consumer) -> None:
    secret = f"https://user:hunter2@files.example/{WHEEL.filename}?token=hunter2"
    subject = distribution(url=secret, index="https://user:hunter2@index.example/simple/demo/")
    policy = consumer.policy(rule='index = "https://other.example/"')
    for verdict in (
        consumer.judge(Repository(), subject),
        consumer.judge(Repository(), subject, policy=policy),
    ):
        words = [verdict.summary, verdict.expected, verdict.found, verdict.advice]
        words += [entry.what + entry.detail for entry in verdict.trace]
        assert "hunter2" not in "".join(words)


def test_more_than_the_verifier_can_bear_blocks(consumer: Consumer) -> None:
    verdict = out_of_resources(distribution(), consumer.policy(), recursion=True)
    assert outcome(verdict) == (Status.INVALID, "metadata-too-large", Action.BLOCK)


def test_the_verdict_is_about_the_digest_that_was_decided(consumer: Consumer) -> None:
    sha256 = hashlib.sha256(b"something else").hexdigest()
    assert consumer.judge(good(), distribution(sha256=sha256)).distribution.sha256 == sha256
