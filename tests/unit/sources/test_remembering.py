"""What is fetched once is not fetched again so soon, and is believed no more than a server is."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.fetching import Fetch, Response, Validators, drive, offline
from pip_intoto.sources.index import files_of
from pip_intoto.sources.remembering import Remembering, name_of
from pip_intoto.sources.web import Web
from tests.integration.loopback import Index, Status
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pip_intoto.sources.fetching import FetchMany

URL = "https://files.example/demo.whl.intoto.jsonl"
FETCH = Fetch(URL, 1_000, 5)
STATE = Validators('"1"', "Mon, 05 Oct 2026 10:00:00 GMT")


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A server, a clock, and runs that share a cache folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cache" / "evidence"
        self.clock = Clock()
        self.server = Repository({URL: b"evidence"})

    def run(self, *fetches: Fetch, refresh: bool = False) -> tuple[Response, ...]:
        """One run; a new one each time, so that nothing is remembered but on the disk."""
        remembering = self.remembering(refresh=refresh)
        responses = remembering.fetch_many(fetches or (FETCH,))
        remembering.close()
        return responses

    def remembering(self, *, refresh: bool = False) -> Remembering:
        return Remembering(self.server.fetch_many, self.folder, refresh=refresh, clock=self.clock)

    @property
    def asked(self) -> int:
        return len(self.server.asked)

    def files(self) -> dict[str, Path]:
        return {
            path.parent.name + path.name: path for path in self.folder.rglob("*") if path.is_file()
        }

    def body(self) -> Path:
        return self.files()[sha256(b"evidence").hexdigest()]

    def record(self) -> Path:
        return self.files()[name_of(FETCH)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# --- fresh, stale ---------------------------------------------------------------------------


def test_what_is_fresh_is_not_asked_for(site: Site) -> None:
    (first,), (second,) = site.run(), site.run()
    assert site.asked == 1
    assert (first.status, first.body) == (second.status, second.body) == (200, b"evidence")
    assert second.url == URL


def test_what_is_stale_is_asked_for_again(site: Site) -> None:
    site.run()
    site.clock.now += DEFAULT.evidence_fresh_seconds - 1
    site.run()
    assert site.asked == 1
    site.clock.now += 1
    site.server.files[URL] = b"newer evidence"
    (response,) = site.run()
    assert (site.asked, response.body) == (2, b"newer evidence")
    (again,) = site.run()
    assert (site.asked, again.body) == (2, b"newer evidence")


def test_what_a_source_wants_fresh_is_asked_for_each_time_and_not_kept(site: Site) -> None:
    fresh = replace(FETCH, fresh=True)
    site.run()
    assert site.run(fresh)[0].body == b"evidence"
    assert site.run(fresh)[0].body == b"evidence"
    assert site.asked == 3
    # Nor does the next one find what was fetched for somebody who wanted it fresh.
    site.run()
    assert site.asked == 4


def test_a_clock_that_was_set_back_makes_nothing_last(site: Site) -> None:
    site.run()
    site.clock.now -= 60
    site.run()
    assert site.asked == 2


def test_refresh_asks_for_everything_and_remembers_the_answers(site: Site) -> None:
    site.run()
    site.server.files[URL] = b"newer evidence"
    (response,) = site.run(refresh=True)
    assert (site.asked, response.body) == (2, b"newer evidence")
    (response,) = site.run()
    assert (site.asked, response.body) == (2, b"newer evidence")


def test_only_what_is_not_remembered_is_asked_for_and_all_is_answered_in_order(site: Site) -> None:
    urls = [f"https://files.example/{number}" for number in range(4)]
    site.server.files = {url: url.encode() for url in urls}
    site.run(Fetch(urls[1], 1_000, 5), Fetch(urls[3], 1_000, 5))
    responses = site.run(*(Fetch(url, 1_000, 5) for url in urls))
    assert [response.body.decode() for response in responses] == urls
    assert site.server.asked == [urls[1], urls[3], urls[0], urls[2]]


def test_an_answer_that_is_larger_than_wanted_is_asked_for_with_the_cap(site: Site) -> None:
    site.run()
    (response,) = site.run(replace(FETCH, max_bytes=3))
    assert response.too_large
    assert site.asked == 2


def test_pages_are_told_apart_by_what_is_accepted(site: Site) -> None:
    site.run()
    site.run(replace(FETCH, accept="text/html"))
    assert site.asked == 2


# --- conditional requests -------------------------------------------------------------------


def stale(site: Site, *answers: Response) -> list[Fetch]:
    """Let an answer with a state become stale; then the server gives *answers*, one a run."""
    site.server.answers[URL] = Response(200, b"evidence", validators=STATE)
    site.run()
    seen: list[Fetch] = []
    remembering = Remembering(noted(site, seen), site.folder, clock=site.clock)
    for answer in answers:
        site.clock.now += DEFAULT.evidence_fresh_seconds
        site.server.answers[URL] = answer
        (response,) = remembering.fetch_many((FETCH,))
        assert (response.status, response.body) == (200, b"evidence")
    return seen


def noted(site: Site, seen: list[Fetch]) -> FetchMany:
    """Carry requests out, and note them as they are."""

    def fetch_many(fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        seen.extend(fetches)
        return site.server.fetch_many(fetches)

    return fetch_many


def test_what_is_stale_is_asked_for_by_its_state(site: Site) -> None:
    (fetch, again) = stale(site, Response(304), Response(304))
    assert fetch.known == STATE
    # A server that does not repeat its state means the same one.
    assert again.known == STATE
    (response,) = site.run()
    assert (response.status, response.body) == (200, b"evidence")


def test_a_state_that_could_not_stand_in_a_header_is_not_sent_back(site: Site) -> None:
    odd = Validators('"1"\r\nAuthorization: x', "x" * 300)
    site.server.answers[URL] = Response(200, b"evidence", validators=odd)
    site.run()
    site.clock.now += DEFAULT.evidence_fresh_seconds
    seen: list[Fetch] = []
    Remembering(noted(site, seen), site.folder, clock=site.clock).fetch_many((FETCH,))
    assert seen == [FETCH]


def test_unchanged_means_nothing_to_whoever_did_not_ask_so(site: Site) -> None:
    site.server.answers[URL] = Response(304)
    (response,) = site.run()
    assert response.status == 304
    assert site.files() == {}


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        yield running


def test_a_real_server_is_asked_conditionally(index: Index, tmp_path: Path) -> None:
    index.revalidates = True
    index.put("/a", b"content")
    clock = Clock()
    remembering = Remembering(Web(DEFAULT).fetch_many, tmp_path / "evidence", clock=clock)
    fetch = Fetch(f"{index.origin}/a", 100, 5)
    for _ in range(2):
        (response,) = remembering.fetch_many((fetch,))
        assert (response.status, response.body) == (200, b"content")
        clock.now += DEFAULT.evidence_fresh_seconds
    assert "if-none-match" not in index.requests[0].headers
    assert index.requests[1].headers["if-none-match"].startswith('"')
    index.put("/a", b"changed")
    (response,) = remembering.fetch_many((fetch,))
    assert (response.status, response.body) == (200, b"changed")


def test_what_a_real_server_wants_nobody_to_keep_is_not_kept(index: Index, tmp_path: Path) -> None:
    index.put("/a", b"content")
    index.fault("/a", Status(200, b"content", {"Cache-Control": "private, No-Store"}))
    remembering = Remembering(Web(DEFAULT).fetch_many, tmp_path / "evidence")
    for _ in range(2):
        remembering.fetch_many((Fetch(f"{index.origin}/a", 100, 5),))
    assert len(index.requests) == 2


# --- what is not kept -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Response(404),
        Response(410),
        Response(401),
        Response(403),
        Response(429),
        Response(500),
        Response(503),
        Response(206, b"evid"),
        Response(None, error="no complete answer in time"),
        Response(None, too_large=True),
        Response(200, b"evidence", fleeting=True),
    ],
    ids=lambda answer: str(answer.status) + answer.error + "fleeting" * answer.fleeting,
)
def test_only_what_is_there_is_remembered(site: Site, answer: Response) -> None:
    site.server.answers[URL] = answer
    assert site.run() == (answer,)
    assert site.files() == {}
    del site.server.answers[URL]
    (response,) = site.run()
    assert response.body == b"evidence"


@pytest.mark.parametrize("status", [404, 410])
def test_evidence_that_was_taken_back_is_forgotten(site: Site, status: int) -> None:
    site.run()
    site.server.answers[URL] = Response(status)
    assert site.run(refresh=True)[0].status == status
    assert site.run()[0].status == status


@pytest.mark.parametrize("answer", [Response(503), Response(403), Response(None, error="silence")])
def test_what_is_stale_is_no_answer_where_the_server_gives_none(
    site: Site, answer: Response
) -> None:
    site.run()
    site.clock.now += DEFAULT.evidence_fresh_seconds
    site.server.answers[URL] = answer
    assert site.run() == (answer,)


def test_without_a_network_what_is_fresh_is_there_and_the_rest_unreachable(site: Site) -> None:
    site.run()
    remembering = Remembering(offline, site.folder, clock=site.clock)
    known, unknown = remembering.fetch_many((FETCH, replace(FETCH, url=URL + "2")))
    assert (known.status, known.body) == (200, b"evidence")
    assert unknown.status is None
    site.clock.now += DEFAULT.evidence_fresh_seconds
    assert remembering.fetch_many((FETCH,))[0].status is None


# --- secrets --------------------------------------------------------------------------------


def test_addresses_stand_on_the_disk_as_hashes_only(site: Site) -> None:
    secret = "https://user:hunter2@files.example/demo.whl?X-Amz-Signature=deadbeef#frag"
    site.server.files[secret] = b"evidence"
    site.run(Fetch(secret, 1_000, 5))
    site.run(Fetch(secret, 1_000, 5))
    assert site.asked == 1
    for name, path in site.files().items():
        text = name.encode() + path.read_bytes()
        assert not any(word in text for word in (b"hunter2", b"deadbeef", b"files.example"))


def test_credentials_do_not_tell_addresses_apart_and_queries_do() -> None:
    def name(url: str) -> str:
        return name_of(Fetch(url, 1, 1))

    assert name("https://a:b@host/x") == name("https://host/x") == name("https://host/x#f")
    assert name("https://host/x?a") != name("https://host/x?b")
    # An @ behind the question mark is no end of credentials.
    assert name("https://host/x?a@b") != name("https://host/x?c@b")


@pytest.mark.parametrize(
    "body",
    [
        b'{"files": [{"url": "https://files.example/a.whl?token=1"}]}',
        b'{"files": [{"url": "https://files.example/a.whl\\u003ftoken=1"}]}',
        b'<a href="https://user:word@files.example/a.whl">a.whl</a>',
        b'<a href="https://files.example/a.whl&#63;token=1">a.whl</a>',
    ],
)
def test_pages_with_secret_addresses_are_not_kept(site: Site, body: bytes) -> None:
    site.server.files[URL] = body
    site.run(replace(FETCH, accept="text/html"))
    assert site.files() == {}


def test_a_page_that_came_from_elsewhere_is_not_kept(site: Site) -> None:
    page = replace(FETCH, accept="text/html")
    moved = Response(200, b"<a href=a.whl>a.whl</a>", url="https://elsewhere.example/")
    site.server.answers[URL] = moved
    assert site.run(page) == site.run(page) == (moved,)
    assert site.asked == 2


def test_evidence_that_came_from_elsewhere_is_kept_without_that_address(site: Site) -> None:
    site.server.answers[URL] = Response(200, b"evidence", url="https://store.example/?sig=secret")
    site.run()
    assert site.run()[0].body == b"evidence"
    assert site.asked == 1


def test_index_pages_are_remembered(index: Index, tmp_path: Path) -> None:
    built = wheel("demo")
    index.publish(built, SupplyChain(project="demo"))
    remembering = Remembering(Web(DEFAULT).fetch_many, tmp_path / "evidence")
    found = [drive(files_of("demo", index.simple, DEFAULT), remembering.fetch_many)] * 2
    found.append(drive(files_of("demo", index.simple, DEFAULT), remembering.fetch_many))
    assert found[0] == found[2]
    assert found[0][0].url == index.url(built)
    assert len(index.requests) == 1


# --- broken, deleted, shared ----------------------------------------------------------------


def test_flipped_bits_are_found_out(site: Site) -> None:
    site.run()
    content = bytearray(site.body().read_bytes())
    for position in range(len(content)):
        content[position] ^= 1
        site.body().write_bytes(content)
        content[position] ^= 1
        assert site.run()[0].body == b"evidence"
        assert site.asked == position + 2
    # And what was broken is whole again.
    site.run()
    assert site.asked == len(content) + 1


@pytest.mark.parametrize("length", [0, 1, 40, 100])
def test_half_a_record_is_none(site: Site, length: int) -> None:
    site.run()
    record = site.record()
    record.write_bytes(record.read_bytes()[:length])
    assert site.run()[0].body == b"evidence"
    assert site.asked == 2


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"sha256": "../../../../etc/passwd"},
        {"sha256": "A" * 64},
        {"time": "now"},
        {"time": 1e9},
        {"etag": None},
        {"address": "0" * 64},
    ],
)
def test_a_record_that_says_something_else_is_none(site: Site, change: dict[str, object]) -> None:
    site.run()
    record = site.record()
    record.write_text(json.dumps({**json.loads(record.read_bytes()), **change}))
    assert site.run()[0].body == b"evidence"
    assert site.asked == 2


def test_a_record_of_another_address_is_no_answer(site: Site) -> None:
    other = replace(FETCH, url="https://files.example/other.jsonl")
    site.server.files[other.url] = b"other"
    site.run(FETCH, other)
    site.record().write_bytes(site.files()[name_of(other)].read_bytes())
    assert site.run()[0].body == b"evidence"


def test_the_folder_may_be_deleted_in_the_middle_of_a_run(site: Site) -> None:
    remembering = site.remembering()
    remembering.fetch_many((FETCH,))
    shutil.rmtree(site.folder.parent)
    assert remembering.fetch_many((FETCH,))[0].body == b"evidence"
    assert remembering.fetch_many((FETCH,))[0].body == b"evidence"
    assert site.asked == 2
    remembering.close()
    assert remembering.trouble == ""


def test_where_nothing_can_be_kept_everything_is_asked_for(site: Site) -> None:
    site.folder.parent.parent.mkdir(exist_ok=True)
    site.folder.parent.write_bytes(b"no folder")
    assert site.run()[0].body == b"evidence"
    assert site.run()[0].body == b"evidence"
    assert site.asked == 2
    assert site.remembering().trouble


def test_many_threads_and_runs_at_once(site: Site) -> None:
    urls = [f"https://files.example/{number}" for number in range(30)]
    site.server.files = {url: url.encode() for url in urls}
    wrong: list[str] = []

    def work() -> None:
        for url in urls:
            (response,) = site.run(Fetch(url, 1_000, 5))
            if response.body != url.encode():
                wrong.append(url)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    site.server.asked.clear()
    work()
    assert site.asked == 0
