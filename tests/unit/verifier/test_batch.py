"""Many distributions at once: their order, their neighbours' faults, and the end of a run."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.shipped import write_bundle
from fixtures.supply_chain import SupplyChain, write_policy
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import CommandError, SourceUnreachable
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.fetching import Response
from pip_intoto.sources.web import Web
from pip_intoto.verdict import Action, Status
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.borrowing import Lender
from pip_intoto.verifier.finding_links import FoundFiles
from pip_intoto.verifier.wanted import Known, Pinned
from tests.integration.loopback import Index, Truncated
from tests.integration.loopback import Status as Answer
from tests.unit.sources.repository import Repository
from tests.unit.verifier.locks import FILES, INDEX, LINUX, LOCK, digest_of, entry, file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.account import Checked
    from pip_intoto.limits import Limits
    from pip_intoto.metadata.bundle import Document
    from pip_intoto.policy.model import Policy
    from pip_intoto.sources.fetching import Fetch
    from pip_intoto.verdict import Verdict
    from pip_intoto.verifier.remembered import Witness
    from pip_intoto.verifier.wanted import Wanted

NAMES = tuple(f"part-{number:02}" for number in range(40))
WHEELS = {name: wheel(name) for name in NAMES}
DEMO = wheel("demo")
CHAIN = SupplyChain(project="demo")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    chains = [SupplyChain(project=name) for name in NAMES]
    return load_policy(write_policy(tmp_path_factory.mktemp("policy"), chains))


def bundle_url(built: Built) -> str:
    return f"{FILES}{built.filename}.intoto.jsonl"


def everything() -> Repository:
    return Repository(
        {bundle_url(WHEELS[name]): SupplyChain(project=name).bundle(WHEELS[name]) for name in NAMES}
    )


def known(built: Built) -> Known:
    return Known(
        distribution=Distribution(
            name=built.name,
            version=built.version,
            filename=built.filename,
            kind=Kind.WHEEL,
            sha256=built.sha256,
            url=FILES + built.filename,
        )
    )


def all_known() -> list[Known]:
    return [known(WHEELS[name]) for name in NAMES]


def statuses(checked: Sequence[Checked]) -> list[Status]:
    return [each.verdict.status for each in checked]


class Slowly:
    """A driver that looks at each request before the repository answers it."""

    def __init__(self, repository: Repository, look: Callable[[str], None]) -> None:
        self._repository = repository
        self._look = look

    def __call__(self, fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        for fetch in fetches:
            self._look(fetch.url)
        return self._repository.fetch_many(fetches)


# --- order, and neighbours ------------------------------------------------------------------


def test_verdicts_come_in_the_order_of_what_was_wanted(policy: Policy) -> None:
    def look(url: str) -> None:
        time.sleep(0.02 if "part-00" in url or "part-07" in url else 0)

    batch = Batch(policy, fetch=Slowly(everything(), look))
    checked = list(batch.check(all_known()))
    assert [each.verdict.distribution.name for each in checked] == list(NAMES)
    assert set(statuses(checked)) == {Status.VERIFIED}


def test_each_distribution_has_its_own_verdict_whatever_befalls_the_others(policy: Policy) -> None:
    repository = everything()
    urls = [bundle_url(WHEELS[name]) for name in NAMES]
    chain = SupplyChain(project=NAMES[2])
    stripped = chain.evidence(WHEELS[NAMES[2]])[1:]
    del repository.files[urls[1]]
    repository.files[urls[2]] = authoring.bundle(stripped)
    repository.files[urls[3]] = chain.bundle(WHEELS[NAMES[3]].tampered())
    repository.answers[urls[4]] = Response(500)
    repository.answers[urls[5]] = Response(None, error="no complete answer in time")
    checked = list(Batch(policy, fetch=repository.fetch_many).check(all_known()))
    assert statuses(checked)[:6] == [
        Status.VERIFIED,
        Status.MISSING,
        Status.INVALID,
        Status.INVALID,
        Status.UNREACHABLE,
        Status.UNREACHABLE,
    ]
    assert set(statuses(checked)[6:]) == {Status.VERIFIED}


@pytest.mark.parametrize("error", [ValueError("unheard of"), RecursionError(), MemoryError()])
def test_what_nobody_expected_is_the_verdict_of_one(policy: Policy, error: Exception) -> None:
    def look(url: str) -> None:
        if "part_03" in url:
            raise error

    checked = list(Batch(policy, fetch=Slowly(everything(), look)).check(all_known()))
    verdicts = [each.verdict for each in checked]
    odd = verdicts.pop(3)
    assert (odd.status, odd.action) == (Status.INVALID, Action.BLOCK)
    expected = "verifier-unavailable" if isinstance(error, ValueError) else "metadata-too-large"
    assert odd.reason == expected
    assert {verdict.status for verdict in verdicts} == {Status.VERIFIED}


def test_the_line_is_read_only_so_far_ahead(policy: Policy) -> None:
    read = 0

    def wanted() -> Iterator[Known]:
        nonlocal read
        for one in itertools.cycle(all_known()):
            read += 1
            yield one

    batch = Batch(policy, fetch=everything().fetch_many, limits=replace(DEFAULT, look_ahead=5))
    checked = batch.check(wanted())
    for _ in range(20):
        assert next(checked).verdict.status is Status.VERIFIED
    assert read <= 26
    checked.close()


def test_what_is_named_twice_is_judged_once_and_said_twice(policy: Policy) -> None:
    repository = everything()
    built = WHEELS[NAMES[0]]
    twice = [entry(file_of(built, line=line), name=NAMES[0]) for line in (3, 9)]
    checked = list(Batch(policy, fetch=repository.fetch_many, interpreter=LINUX).check(twice))
    assert [str(each.place) for each in checked] == [f"{LOCK}:3", f"{LOCK}:9"]
    assert checked[0].verdict is checked[1].verdict
    assert repository.asked == [bundle_url(built)]


def test_a_burst_after_a_pause_is_judged_by_more_than_one_thread(policy: Policy) -> None:
    now, most = 0, 0
    lock = threading.Lock()

    def look(_url: str) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    def wanted() -> Iterator[Known]:
        first, *rest = all_known()
        yield first
        time.sleep(0.2)
        yield from rest

    list(Batch(policy, fetch=Slowly(everything(), look)).check(wanted()))
    assert most > 2


def test_progress_is_told_to_who_consumes(policy: Policy) -> None:
    told: list[tuple[float, int]] = []
    batch = Batch(
        policy,
        fetch=everything().fetch_many,
        advance=lambda more: told.append((more, threading.get_ident())),
    )
    list(batch.check(all_known()))
    assert sum(more for more, _ in told) == len(NAMES)
    assert {thread for _, thread in told} == {threading.get_ident()}


def test_nothing_wanted_is_no_verdict(policy: Policy) -> None:
    assert list(Batch(policy).check([])) == []


def test_a_file_that_cannot_be_read_is_a_failure_and_no_verdict(
    policy: Policy, tmp_path: Path
) -> None:
    good = WHEELS[NAMES[0]].write(tmp_path)
    batch = Batch(policy)
    checked = list(batch.check([tmp_path / "none-1.0-py3-none-any.whl", good]))
    assert statuses(checked) == [Status.MISSING]
    assert [type(failure) for failure in batch.failures] == [CommandError]


# --- the end of a run -----------------------------------------------------------------------


def test_what_has_no_verdict_in_time_is_given_up_and_the_rest_goes_on(policy: Policy) -> None:
    held = threading.Event()

    def look(url: str) -> None:
        if "part_00" in url or "part_01" in url:
            held.wait(20)

    limits = replace(DEFAULT, distribution_seconds=1, judged_at_once=2)
    began = time.monotonic()
    checked = list(
        Batch(policy, fetch=Slowly(everything(), look), limits=limits).check(all_known())
    )
    held.set()
    assert time.monotonic() - began < 10
    assert statuses(checked)[:2] == [Status.UNREACHABLE] * 2
    assert "no verdict in time" in checked[0].verdict.summary
    assert set(statuses(checked)[2:]) == {Status.VERIFIED}


def test_an_interrupted_run_gives_what_was_decided_and_begins_nothing_more(
    policy: Policy,
) -> None:
    asked: list[str] = []
    held = threading.Event()

    def look(url: str) -> None:
        asked.append(url)
        if "part_10" in url:
            held.wait(20)

    def advance(_more: float) -> None:
        # As if somebody pressed Ctrl-C while one is waited for.
        if sum("part_" in url for url in asked) >= 12:
            raise KeyboardInterrupt

    limits = replace(DEFAULT, judged_at_once=2)
    wanted = (one for one in all_known())
    batch = Batch(policy, fetch=Slowly(everything(), look), limits=limits, advance=advance)
    began = time.monotonic()
    checked = list(batch.check(wanted))
    assert batch.interrupted
    assert time.monotonic() - began < 10
    names = [each.verdict.distribution.name for each in checked]
    assert names == sorted(names)
    assert NAMES[10] not in names
    assert set(statuses(checked)) <= {Status.VERIFIED}
    time.sleep(0.1)
    so_far = len(asked)
    time.sleep(0.1)
    assert len(asked) == so_far
    held.set()


def test_who_is_interrupted_between_verdicts_can_have_the_rest(policy: Policy) -> None:
    batch = Batch(policy, fetch=everything().fetch_many)
    verdicts = batch.check(all_known())
    first = next(verdicts)
    deadline = time.monotonic() + 10
    time.sleep(0.5)
    verdicts.close()
    rest = list(batch.remaining())
    assert time.monotonic() < deadline
    names = [each.verdict.distribution.name for each in (first, *rest)]
    assert len(names) > 1
    assert names == sorted(set(names))


# --- locks ----------------------------------------------------------------------------------


@pytest.fixture
def demo(tmp_path: Path) -> Policy:
    return load_policy(CHAIN.policy(tmp_path))


def evidence(bundle: bytes = b"") -> Repository:
    return Repository({bundle_url(DEMO): bundle or CHAIN.bundle(DEMO)})


def judged(policy: Policy, wanted: Wanted, repository: Repository | None = None) -> Checked:
    batch = Batch(
        policy,
        fetch=(repository or evidence()).fetch_many,
        index_url=INDEX,
        interpreter=LINUX,
    )
    (checked,) = batch.check([wanted])
    return checked


def test_an_entry_is_judged_by_the_locks_digest_without_its_file(demo: Policy) -> None:
    repository = evidence()
    batch = Batch(demo, fetch=repository.fetch_many, interpreter=LINUX)
    (checked,) = batch.check([entry(file_of(DEMO, line=4), notes=("a note",))])
    assert checked.verdict.status is Status.VERIFIED
    assert (str(checked.place), checked.notes) == (f"{LOCK}:4", ("a note",))
    assert repository.asked == [bundle_url(DEMO)]
    assert batch.traffic.spared == len(DEMO.data)


def test_evidence_of_another_digest_than_the_locks_does_not_count(demo: Policy) -> None:
    checked = judged(demo, entry(file_of(DEMO)), evidence(CHAIN.bundle(DEMO.tampered())))
    assert checked.verdict.reason == "artifact-digest-mismatch"


def test_a_release_that_no_index_has_blocks(demo: Policy) -> None:
    verdict = judged(demo, entry(digest_of(DEMO))).verdict
    assert (verdict.status, verdict.reason) == (Status.MISSING, "release-missing")
    assert verdict.action is Action.BLOCK
    assert verdict.summary.startswith("demo 1.0: ")


def test_an_index_that_cannot_be_asked_is_unreachable(demo: Policy) -> None:
    repository = Repository(answers={INDEX + "demo/": Response(503)})
    verdict = judged(demo, entry(digest_of(DEMO)), repository).verdict
    assert (verdict.status, verdict.reason) == (Status.UNREACHABLE, "source-unreachable")


def test_what_is_not_pinned_is_unverifiable_and_blocks_where_a_rule_names_it(
    demo: Policy,
) -> None:
    verdict = judged(demo, entry(version="")).verdict
    assert (verdict.status, verdict.reason) == (Status.UNVERIFIABLE, "unverifiable")
    assert verdict.action is Action.BLOCK
    verdict = judged(demo, entry(version="", name="other")).verdict
    assert (verdict.status, verdict.action) == (Status.UNVERIFIABLE, Action.WARN)


def test_a_checkout_of_a_listed_project_blocks(demo: Policy) -> None:
    wanted = entry(kind=Kind.VCS, version="", url="git+https://user:secret@x.example/demo")
    verdict = judged(demo, wanted).verdict
    assert (verdict.status, verdict.action) == (Status.UNVERIFIABLE, Action.BLOCK)
    assert "secret" not in str(verdict.found)


def test_a_directory_is_the_users_own(demo: Policy) -> None:
    verdict = judged(demo, entry(kind=Kind.DIRECTORY, version="", url="file:///work")).verdict
    assert (verdict.status, verdict.action) == (Status.UNVERIFIABLE, Action.WARN)


def test_unlisted_projects_are_unlisted(demo: Policy) -> None:
    verdict = judged(demo, entry(digest_of(wheel("other")), name="other")).verdict
    assert (verdict.status, verdict.action) == (Status.UNLISTED, Action.WARN)


@pytest.mark.parametrize(
    ("index", "url", "reason"),
    [
        (INDEX, FILES, "verified"),
        ("https://elsewhere.example/simple/", FILES, "index-mismatch"),
        ("", FILES, "index-mismatch"),
        ("", INDEX + "files/", "verified"),
    ],
)
def test_the_index_of_a_rule_holds_for_locks(
    tmp_path: Path, index: str, url: str, reason: str
) -> None:
    policy = load_policy(CHAIN.policy(tmp_path, rule=f'index = "{INDEX}"'))
    file = replace(file_of(DEMO), url=url + DEMO.filename)
    repository = Repository({f"{file.url}.intoto.jsonl": CHAIN.bundle(DEMO)})
    assert judged(policy, entry(file, index=index), repository).verdict.reason == reason


def test_an_exception_is_heeded_before_any_index_is_asked_in_vain(tmp_path: Path) -> None:
    path = CHAIN.policy(tmp_path)
    path.write_text(
        path.read_text() + '[[exception]]\nproject = "demo"\nreason = "r"\nowner = "o"\n'
        "expires = 2999-01-01\n"
    )
    verdict = judged(load_policy(path), entry(digest_of(DEMO))).verdict
    assert (verdict.status, verdict.action) == (Status.EXEMPT, Action.PASS)


def test_the_interpreter_chooses_the_file(demo: Policy) -> None:
    linux = wheel("demo", tag="cp39-cp39-linux_x86_64")
    repository = Repository({bundle_url(linux): CHAIN.bundle(linux)})
    wanted = entry(file_of(DEMO), file_of(linux))
    assert judged(demo, wanted, repository).verdict.status is Status.VERIFIED
    batch = Batch(demo, fetch=repository.fetch_many, interpreter=LINUX, all_files=True)
    checked = list(batch.check([wanted]))
    assert statuses(checked) == [Status.MISSING, Status.VERIFIED]


def test_evidence_beside_files_on_this_machine(demo: Policy, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    DEMO.write(links)
    (links / f"{DEMO.filename}.intoto.jsonl").write_bytes(CHAIN.bundle(DEMO))
    batch = Batch(demo, interpreter=LINUX, find_links=FoundFiles([links]))
    checked = list(batch.check([entry(file_of(DEMO)), entry(digest_of(DEMO))]))
    assert statuses(checked) == [Status.VERIFIED] * 2


def test_a_file_on_this_machine_that_is_not_the_locks_blocks(demo: Policy, tmp_path: Path) -> None:
    path = DEMO.tampered().write(tmp_path)
    verdict = judged(demo, entry(replace(file_of(DEMO, url=False), path=path))).verdict
    assert verdict.reason == "artifact-digest-mismatch"
    assert str(LOCK) in verdict.summary


def test_offline_a_release_cannot_be_looked_up(demo: Policy) -> None:
    batch = Batch(demo)
    assert list(batch.check([Pinned(name="demo", version="1.0")])) == []
    assert "--offline" in batch.failures[0].message


# --- memory and keepers ---------------------------------------------------------------------


class Notebook:
    """A memory, and a keeper, that say what they were told."""

    def __init__(self, known: dict[str, Verdict] | None = None) -> None:
        self.known = known or {}
        self.put_: list[tuple[Verdict, int]] = []
        self.kept: list[tuple[str, int]] = []

    def get(self, distribution: Distribution) -> Verdict | None:
        return self.known.get(distribution.filename)

    def put(self, verdict: Verdict, witness: Witness) -> None:
        self.put_.append((verdict, len(witness.documents)))

    def keep(self, distribution: Distribution, documents: Sequence[Document]) -> None:
        self.kept.append((distribution.filename, len(documents)))


def test_a_verdict_is_remembered_and_its_evidence_is_kept(demo: Policy) -> None:
    book = Notebook()
    wanted = [entry(file_of(DEMO))]
    batch = Batch(demo, fetch=evidence().fetch_many, interpreter=LINUX, memory=book, keeper=book)
    (checked,) = batch.check(wanted)
    assert book.put_ == [(checked.verdict, 3)]
    assert book.kept == [(DEMO.filename, 3)]
    again = Notebook({DEMO.filename: checked.verdict})
    (known,) = Batch(demo, interpreter=LINUX, memory=again).check(wanted)
    assert known.verdict is checked.verdict
    assert again.put_ == []


# --- files that inspections want ------------------------------------------------------------


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        yield running


def inspected(run: list[str]) -> SupplyChain:
    """A chain whose layout has an inspection that consumes the wheel."""

    class Inspected(SupplyChain):
        def layout(self) -> authoring.JsonObject:
            layout = super().layout()
            layout["inspect"] = [
                authoring.inspection(
                    "look",
                    run=run,
                    expected_materials=[
                        ["MATCH", "demo-*", "WITH", "PRODUCTS", "FROM", "build"],
                        ["DISALLOW", "*"],
                    ],
                    expected_products=[["ALLOW", "*"]],
                )
            ]
            return layout

    return Inspected(project="demo")


UNPACK = ["unzip", DEMO.filename, "-d", "unpacked"]


def check_on(
    index: Index, policy: Policy, chain: SupplyChain, *, limits: Limits = DEFAULT
) -> tuple[Verdict, Batch]:
    index.publish(DEMO, chain)
    file = replace(file_of(DEMO, line=5), url=index.url(DEMO))
    batch = Batch(policy, web=Web(limits), interpreter=LINUX, limits=limits)
    (checked,) = batch.check([entry(file, index=index.simple)])
    return checked.verdict, batch


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_the_file_is_fetched_for_an_inspection_and_not_kept(
    demo: Policy, index: Index, temporary: Path
) -> None:
    verdict, batch = check_on(index, demo, inspected(UNPACK))
    assert verdict.status is Status.VERIFIED
    assert len(index.asked("/files/*.whl")) == 1
    assert (batch.traffic.files, batch.traffic.spared) == (len(DEMO.data), 0)
    assert list(temporary.iterdir()) == []


def test_an_inspection_that_does_nothing_needs_no_file(demo: Policy, index: Index) -> None:
    verdict, _ = check_on(index, demo, inspected(["true"]))
    assert verdict.status is Status.VERIFIED
    assert index.asked("/files/*.whl") == []


def test_no_file_is_fetched_where_the_rules_of_the_steps_fail(demo: Policy, index: Index) -> None:
    chain = replace(inspected(UNPACK), build_products=(["DISALLOW", "*"],))
    verdict, _ = check_on(index, demo, chain)
    assert verdict.reason == "rule-violated"
    assert index.asked("/files/*.whl") == []


def test_no_file_is_fetched_for_a_command_that_is_not_allowed(demo: Policy, index: Index) -> None:
    verdict, _ = check_on(index, demo, inspected(["python", "check.py"]))
    assert verdict.reason == "inspection-not-allowed"
    assert index.asked("/files/*.whl") == []


def test_another_file_than_the_locks_is_a_digest_that_differs(
    demo: Policy, index: Index, temporary: Path
) -> None:
    index.fault("/files/*.whl", Answer(200, DEMO.tampered().data))
    verdict, _ = check_on(index, demo, inspected(UNPACK))
    assert verdict.reason == "artifact-digest-mismatch"
    assert f"{LOCK}:5" in verdict.expected
    assert index.origin in verdict.found
    assert list(temporary.iterdir()) == []


def test_a_file_that_cannot_be_fetched_is_unreachable(
    demo: Policy, index: Index, temporary: Path
) -> None:
    index.fault("/files/*.whl", Truncated(at=20))
    verdict, _ = check_on(index, demo, inspected(UNPACK))
    assert (verdict.status, verdict.reason) == (Status.UNREACHABLE, "source-unreachable")
    assert list(temporary.iterdir()) == []


def test_a_file_that_broke_off_is_fetched_from_its_beginning(demo: Policy, index: Index) -> None:
    index.fault("/files/*.whl", Truncated(at=20), times=1)
    verdict, _ = check_on(index, demo, inspected(UNPACK))
    assert verdict.status is Status.VERIFIED
    assert len(index.asked("/files/*.whl")) == 2


def test_a_server_that_failed_is_not_asked_for_the_same_file_again(index: Index) -> None:
    url = index.origin + "/files/none.whl"
    lender = Lender(Web(DEFAULT), DEFAULT)
    with closing(lender):
        borrowed = lender.lend(replace(known(DEMO).distribution, url=url), "pylock.toml:1")
        for _ in range(2):
            with pytest.raises(SourceUnreachable, match="could not be fetched"):
                borrowed.path()
    assert len(index.asked("/files/none.whl")) == 1


def came_from(path: Path) -> Known:
    """DEMO as a record of its install has it, which pip took from a folder on this machine."""
    usual = known(DEMO)
    return replace(usual, distribution=replace(usual.distribution, url=path.as_uri()))


def test_a_file_that_came_from_this_machine_is_inspected_where_it_lies(
    demo: Policy, tmp_path: Path
) -> None:
    path = DEMO.write(tmp_path)
    write_bundle(path, inspected(UNPACK).evidence(DEMO))
    (checked,) = Batch(demo).check([came_from(path)])
    assert checked.verdict.status is Status.VERIFIED
    assert path.read_bytes() == DEMO.data


def test_a_file_that_is_another_by_now_is_inspected_in_find_links(
    demo: Policy, tmp_path: Path
) -> None:
    (tmp_path / "links").mkdir()
    kept = DEMO.write(tmp_path / "links")
    path = DEMO.tampered().write(tmp_path)
    write_bundle(path, inspected(UNPACK).evidence(DEMO))
    (without,) = Batch(demo).check([came_from(path)])
    assert without.verdict.status is Status.UNREACHABLE
    (checked,) = Batch(demo, find_links=FoundFiles([kept.parent])).check([came_from(path)])
    assert checked.verdict.status is Status.VERIFIED
    assert kept.read_bytes() == DEMO.data


def test_a_file_is_not_fetched_beyond_the_cap(demo: Policy, index: Index) -> None:
    limits = replace(DEFAULT, download_bytes=100)
    verdict, _ = check_on(index, demo, inspected(UNPACK), limits=limits)
    assert verdict.status is Status.UNREACHABLE
    assert "longer than 100 bytes" in verdict.found


def test_the_digest_of_a_direct_address_is_that_of_its_file(demo: Policy, index: Index) -> None:
    index.publish(DEMO, CHAIN)
    file = replace(file_of(DEMO, digest=False), url=index.url(DEMO))
    batch = Batch(demo, web=Web(DEFAULT), interpreter=LINUX)
    (checked,) = batch.check([entry(file, url=file.url)])
    assert checked.verdict.status is Status.VERIFIED
    assert checked.verdict.distribution.sha256 == DEMO.sha256
    assert "was fetched to know it" in checked.notes[0]


def test_digests_of_the_lock_hold_where_the_index_lists_none(demo: Policy, index: Index) -> None:
    index.publish(DEMO, CHAIN)
    index.add(DEMO, digest=False)
    batch = Batch(demo, web=Web(DEFAULT), interpreter=LINUX, index_url=index.simple)
    good, bad = batch.check([entry(digest_of(DEMO)), entry(digest_of(DEMO.tampered(), line=2))])
    assert good.verdict.status is Status.VERIFIED
    assert bad.verdict.reason == "artifact-digest-mismatch"


def test_credentials_of_a_locks_index_are_used_for_its_evidence(demo: Policy, index: Index) -> None:
    index.require("user", "secret")
    index.publish(DEMO, CHAIN)
    wanted = entry(digest_of(DEMO), indexes=(index.with_credentials("user", "secret"),))
    (checked,) = Batch(demo, web=Web(DEFAULT), interpreter=LINUX).check([wanted])
    assert checked.verdict.status is Status.VERIFIED
    assert "secret" not in repr(checked.verdict.trace)
