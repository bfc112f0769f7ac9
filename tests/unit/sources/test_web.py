"""Real requests to a real server on the loopback interface, with its faults."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto.account import Traffic
from pip_intoto.errors import CommandError, SourceUnreachable
from pip_intoto.limits import DEFAULT, Limits
from pip_intoto.sources.deadlines import Watch
from pip_intoto.sources.fetching import Fetch, drive
from pip_intoto.sources.hosts import Host
from pip_intoto.sources.index import files_of
from pip_intoto.sources.web import Web
from tests.integration.loopback import Endless, Index, Redirect, Reset, Stall, Status, Truncated
from tests.integration.weather import serving_securely
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pip_intoto.sources.fetching import Response
    from tests.integration.loopback import Exchange

WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks again without being told when does so soon."""
    monkeypatch.setattr("pip_intoto.sources.web._BACK_OFF", 0.02)


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        running.put("/a", b"content")
        yield running


@pytest.fixture
def other() -> Iterator[Index]:
    with Index() as running:
        running.put("/a", b"elsewhere")
        yield running


def fetch(index: Index, path: str = "/a", *, max_bytes: int = 1000, seconds: float = 5) -> Fetch:
    return Fetch(index.origin + path, max_bytes, seconds)


def test_a_file_is_fetched(index: Index) -> None:
    response = Web(DEFAULT).fetch(fetch(index))
    assert (response.status, response.body, response.error) == (200, b"content", "")
    assert response.url == index.origin + "/a"


def test_a_missing_file_is_told_by_its_status(index: Index) -> None:
    assert Web(DEFAULT).fetch(fetch(index, "/none")).status == 404


def test_many_are_fetched_at_once_and_answered_in_order(index: Index) -> None:
    for number in range(20):
        index.put(f"/{number}", str(number).encode())
    fetches = tuple(fetch(index, f"/{number}") for number in range(20))
    responses = Web(DEFAULT).fetch_many(fetches)
    assert [response.body for response in responses] == [str(n).encode() for n in range(20)]


def test_an_endless_answer_is_cut_off_at_the_cap(index: Index) -> None:
    index.fault("/a", Endless())
    response = Web(DEFAULT).fetch(fetch(index, max_bytes=1_000_000))
    assert response.status is None
    assert response.too_large


def test_what_has_as_many_bytes_as_are_allowed_is_taken_and_no_more(index: Index) -> None:
    assert Web(DEFAULT).fetch(fetch(index, max_bytes=7)).body == b"content"
    assert Web(DEFAULT).fetch(fetch(index, max_bytes=6)).too_large


def test_a_stalling_server_costs_its_seconds_and_no_more(index: Index) -> None:
    index.fault("/a", Stall())
    began = time.monotonic()
    (response,) = Web(DEFAULT).fetch_many((fetch(index, seconds=0.3),))
    assert response.status is None
    assert "in time" in response.error
    assert time.monotonic() - began < 20


def test_a_dripping_server_costs_its_seconds_and_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not ended.wait(0.1):
                    try:
                        connection.sendall(b"a")
                    except OSError:
                        return

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        began = time.monotonic()
        (response,) = Web(DEFAULT).fetch_many((Fetch(url, 10_000, 0.3),))
        ended.set()
    assert response.status is None
    assert time.monotonic() - began < 20


def test_a_reset_is_tried_again_and_then_said(index: Index) -> None:
    index.fault("/a", Reset(), times=1)
    assert Web(DEFAULT).fetch(fetch(index)).status == 200
    index.fault("/a", Reset())
    response = Web(DEFAULT).fetch(fetch(index))
    assert response.status is None
    assert "reset" in response.error.lower()


def test_a_server_that_is_busy_is_asked_again(index: Index) -> None:
    index.fault("/a", Status(503), times=2)
    assert Web(DEFAULT).fetch(fetch(index)).status == 200
    index.fault("/a", Status(503))
    assert Web(DEFAULT).fetch(fetch(index)).status == 503


def test_a_refusal_is_not_asked_again(index: Index) -> None:
    index.fault("/a", Status(403))
    assert Web(DEFAULT).fetch(fetch(index)).status == 403
    assert len(index.asked("/a")) == 1


def test_a_host_that_is_not_there_is_said_without_its_address() -> None:
    url = "http://user:hunter2@127.0.0.1:9/a?token=hunter2"
    response = Web(Limits(retries=0)).fetch(Fetch(url, 10, 5))
    assert response.status is None
    assert "refused" in response.error.lower()
    assert "hunter2" not in response.error


# --- redirects ------------------------------------------------------------------------------


def test_a_redirect_to_another_host_is_followed_without_credentials(
    index: Index, other: Index
) -> None:
    index.require("user", "pass word")
    index.fault("/a", Redirect(other.origin + "/a"))
    web = Web(DEFAULT, credentials=(index.with_credentials("user", "pass word"),))
    response = web.fetch(fetch(index))
    assert response.body == b"elsewhere"
    assert "authorization" in index.asked("/a")[0].headers
    assert "authorization" not in other.asked("/a")[0].headers


def test_credentials_of_an_address_stay_with_its_origin(index: Index, other: Index) -> None:
    index.fault("/a", Redirect(other.origin + "/a"))
    url = index.origin.replace("://", "://user:secret@") + "/a"
    assert Web(DEFAULT).fetch(Fetch(url, 1000, 5)).body == b"elsewhere"
    assert "authorization" in index.asked("/a")[0].headers
    assert "authorization" not in other.asked("/a")[0].headers


def test_credentials_of_one_origin_are_not_sent_to_another_port(index: Index, other: Index) -> None:
    web = Web(DEFAULT, credentials=(index.with_credentials("user", "secret"),))
    web.fetch(fetch(other))
    assert "authorization" not in other.asked("/a")[0].headers


def test_credentials_go_where_the_host_ends_at_a_question_mark_and_nowhere_else(
    index: Index, other: Index
) -> None:
    web = Web(DEFAULT, credentials=(index.with_credentials("user", "secret"),))
    # By the rules of URLs the host is that of the index, and the rest a query.
    elsewhere = other.origin.removeprefix("http://")
    other.fault("/a", Redirect(f"{index.origin}?@{elsewhere}/b"))
    other.put("/b", b"caught")
    assert web.fetch(fetch(other)).body != b"caught"
    assert not other.asked("/b")


def test_netrc_is_never_asked(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    Web(DEFAULT).fetch(fetch(index))
    assert "authorization" not in index.asked("/a")[0].headers


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,evil", "javascript:x"]
)
def test_a_redirect_never_leaves_http(index: Index, target: str) -> None:
    index.fault("/a", Redirect(target))
    response = Web(DEFAULT).fetch(fetch(index))
    assert response.status is None
    assert response.error.startswith("refused")


def test_a_redirect_never_leads_from_https_to_http(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_securely(tmp_path) as (secure, origin, authority):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        secure.fault("/a", Redirect(index.origin + "/a"))
        secure.put("/b", b"safe")
        assert Web(DEFAULT).fetch(Fetch(origin + "/b", 1000, 5)).body == b"safe"
        response = Web(DEFAULT).fetch(Fetch(origin + "/a", 1000, 5))
    assert response.status is None
    assert "from https to http" in response.error
    assert not index.asked("/a")


def test_five_redirects_are_followed_and_not_six(index: Index) -> None:
    for number in range(6):
        index.fault(f"/{number}", Redirect(f"/{number + 1}"))
    index.put("/6", b"the end")
    assert Web(DEFAULT).fetch(fetch(index, "/1")).body == b"the end"
    assert "more than 5 redirects" in Web(DEFAULT).fetch(fetch(index, "/0")).error


def test_cookies_do_not_travel(index: Index) -> None:
    index.fault("/a", Status(200, b"x", {"Set-Cookie": "tracking=1; Path=/"}), times=1)
    web = Web(DEFAULT)
    web.fetch(fetch(index))
    web.fetch(fetch(index))
    assert "cookie" not in index.asked("/a")[1].headers


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http:///a", "http://[::1/a", "nonsense"])
def test_only_web_addresses_are_fetched(url: str) -> None:
    response = Web(DEFAULT).fetch(Fetch(url, 10, 1))
    assert response.status is None
    assert response.error


def test_a_download_goes_into_its_file_and_begins_anew_when_it_broke(index: Index) -> None:
    index.fault("/a", Status(503, b"half of something else"), times=1)
    target = io.BytesIO()
    response = Web(DEFAULT).download(fetch(index), target)
    assert (response.status, response.body) == (200, b"")
    assert target.getvalue() == b"content"


# --- the index ------------------------------------------------------------------------------


def test_an_index_in_json(index: Index) -> None:
    index.add(WHEEL)
    (listed,) = drive(files_of("demo", index.simple, DEFAULT), Web(DEFAULT).fetch_many)
    assert listed.filename == WHEEL.filename
    assert listed.url == index.url(WHEEL)
    assert listed.sha256 == WHEEL.sha256
    assert listed.page == index.simple + "demo/"


def test_an_index_in_html() -> None:
    page = (
        "<!doctype html><html><head><base href='/root/'></head><body>"
        f"<a href='../files/{WHEEL.filename}#sha256={WHEEL.sha256}'>x</a>"
        "<a href='https://files.example/demo-0.9.tar.gz' data-yanked=''>y</a>"
        "<a href='file:///etc/passwd'>z</a><a>no</a>"
    )
    repository = Repository({"https://index.example/simple/demo/": page.encode()})
    listed = repository.run(files_of("demo", "https://index.example/simple", DEFAULT))
    assert [file.url for file in listed] == [
        f"https://index.example/files/{WHEEL.filename}",
        "https://files.example/demo-0.9.tar.gz",
    ]
    assert [file.yanked for file in listed] == [False, True]
    assert listed[0].sha256 == WHEEL.sha256


@pytest.mark.parametrize("address", ["http://[x/", "http://\u2100.example/"])
def test_an_address_that_is_none_is_passed_over(address: str) -> None:
    files = [{"filename": WHEEL.filename, "url": url} for url in (address, "/a.whl")]
    pages = (
        json.dumps({"files": files}),
        f"<base href='{address}'><a href='{address}'>x</a><a href='/a.whl'>y</a>",
    )
    for page in pages:
        repository = Repository({"https://index.example/simple/demo/": page.encode()})
        (listed,) = repository.run(files_of("demo", "https://index.example/simple", DEFAULT))
        assert listed.url == "https://index.example/a.whl"


def test_a_project_that_the_index_does_not_have(index: Index) -> None:
    with pytest.raises(CommandError, match="no project"):
        drive(files_of("none", index.simple, DEFAULT), Web(DEFAULT).fetch_many)


def test_an_index_that_is_down(index: Index) -> None:
    index.fault("/simple/*", Status(500))
    with pytest.raises(SourceUnreachable):
        drive(files_of("demo", index.simple, DEFAULT), Web(DEFAULT).fetch_many)


def test_an_index_is_on_the_web() -> None:
    with pytest.raises(CommandError):
        Repository().run(files_of("demo", "file:///srv/simple", DEFAULT))


# --- many at once, and servers that want to be left alone ------------------------------------


def test_many_threads_share_one_web_and_no_host_is_asked_by_more_than_a_few(index: Index) -> None:
    limits = Limits(fetches_at_once=3)
    web = Web(limits)
    now, most = 0, 0
    lock = threading.Lock()

    class Counting:
        def happen(self, exchange: Exchange) -> None:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1
            exchange.serve()

    index.fault("/a", Counting())
    answers: list[Response] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(web.fetch_many((fetch(index),) * 4)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.body for answer in answers] == [b"content"] * 32
    assert 1 < most <= 3
    assert (web.traffic.requests, web.traffic.received) == (32, 32 * len(b"content"))


def test_a_download_counts_as_bytes_of_files(index: Index) -> None:
    web = Web(DEFAULT)
    web.fetch(fetch(index))
    web.download(fetch(index), io.BytesIO())
    assert web.traffic == Traffic(requests=2, received=14, files=7)


def test_a_server_says_when_to_ask_again(index: Index) -> None:
    date = formatdate(time.time() + 2, usegmt=True)
    for path, code, after in (("/b", 429, "1"), ("/c", 503, "1"), ("/d", 503, date)):
        index.put(path, b"later")
        index.fault(path, Status(code, headers={"Retry-After": after}), times=1)

    def seconds_of(path: str, seconds: float) -> float:
        began = time.monotonic()
        assert Web(DEFAULT).fetch(fetch(index, path, seconds=seconds)).status == 200
        return time.monotonic() - began

    with ThreadPoolExecutor() as pool:
        # It is the server that wants the time: a second of one's own is enough.
        *took, until_date = pool.map(seconds_of, ("/b", "/c", "/d"), (1, 1, 5))
    assert all(1 <= seconds < 20 for seconds in took)
    assert 0.5 <= until_date < 20


@pytest.mark.parametrize("after", ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_a_pause_that_is_too_long_is_not_waited_for(index: Index, after: str) -> None:
    index.fault("/a", Status(503, headers={"Retry-After": after}))
    began = time.monotonic()
    assert Web(DEFAULT).fetch(fetch(index)).status == 503
    assert time.monotonic() - began < 20
    assert len(index.asked("/a")) == 1


@pytest.mark.parametrize("after", ["soon", "-1", "٣", "Fri, 31 Feb 2999 99:00:00", "9" * 400])
def test_a_pause_that_is_none_is_as_if_it_were_not_there(index: Index, after: str) -> None:
    index.fault(
        "/a", Status(503, headers={"Retry-After": after.encode().decode("latin-1")}), times=1
    )
    assert Web(DEFAULT).fetch(fetch(index)).status == 200


def test_who_is_asked_too_often_is_left_alone_by_everybody(index: Index) -> None:
    index.put("/b", b"other")
    index.fault("/a", Status(429, headers={"Retry-After": "1"}), times=1)
    web = Web(DEFAULT)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(web.fetch, fetch(index))
        while not index.asked("/a"):
            time.sleep(0.01)
        time.sleep(0.2)
        began = time.monotonic()
        assert web.fetch(fetch(index, "/b")).status == 200
        assert time.monotonic() - began > 0.5
        assert first.result().status == 200


def test_a_host_that_is_not_there_is_given_up_after_a_few_requests() -> None:
    web = Web(Limits(retries=0, host_refusals=3))
    urls = [f"http://127.0.0.1:9/{number}" for number in range(5)]
    errors = [web.fetch(Fetch(url, 10, 5)).error for url in urls]
    assert all("refused" in error.lower() for error in errors[:3])
    assert all("not asked" in error for error in errors[3:])
    assert web.traffic.requests == 3


def test_one_answer_counts_more_than_the_refusals_before_it() -> None:
    host = Host(Limits(host_refusals=2))
    for _ in range(3):
        host.failed(refused=True, late=False)
        host.answered()
    assert host.given_up == ""
    host.failed(refused=True, late=False)
    host.failed(refused=True, late=False)
    assert "found no connection" in host.given_up


def test_paths_that_stall_say_nothing_of_the_others(index: Index) -> None:
    index.fault("/stalls*", Stall())
    web = Web(Limits(retries=0, host_silences=2))
    for number in range(2):
        assert web.fetch(fetch(index, f"/stalls/{number}", seconds=0.3)).status is None
        assert web.fetch(fetch(index)).status == 200


def test_a_host_that_is_silent_is_given_up_in_the_end(index: Index) -> None:
    index.fault("*", Stall())
    web = Web(Limits(retries=0, host_silences=2))
    web.fetch_many(tuple(fetch(index, f"/{number}", seconds=0.3) for number in range(2)))
    began = time.monotonic()
    assert "2 requests before had no answer" in web.fetch(fetch(index)).error
    assert time.monotonic() - began < 10


def test_silence_is_borne_for_less_long_once_it_has_cost_much(index: Index) -> None:
    index.fault("/stalls*", Stall())
    web = Web(Limits(host_timeouts=1, short_silence_seconds=1, retries=2))
    web.fetch(fetch(index, "/stalls/1", seconds=0.3))
    began = time.monotonic()
    assert web.fetch(fetch(index, "/stalls/2", seconds=30)).status is None
    assert time.monotonic() - began < 20
    assert len(index.asked("/stalls/2")) == 1


@pytest.mark.parametrize(
    ("head", "is_proxy"),
    [
        (b"", False),
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", True),
    ],
)
def test_an_answer_that_drips_ends_with_its_seconds(
    head: bytes, is_proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(head)
            while not ended.wait(0.05):
                try:
                    connection.sendall(b"a")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        if is_proxy:
            use_proxy(monkeypatch, url)
            url = "http://files.example/a"
        began = time.monotonic()
        response = Web(DEFAULT).fetch(Fetch(url, 10_000, 0.3))
        ended.set()
    assert (response.status, response.error) == (None, "no complete answer in time")
    assert time.monotonic() - began < 20


def test_an_answer_that_is_cut_short_is_none(index: Index) -> None:
    index.fault("/a", Truncated(at=3))
    assert Web(DEFAULT).fetch(fetch(index)).status is None


def test_a_proxy_of_the_environment_is_used_and_ends_in_time_as_well(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_proxy(monkeypatch, index.origin)
    web = Web(DEFAULT)
    assert web.fetch(Fetch("http://files.example/a", 1000, 5)).body == b"content"
    index.fault("/a", Stall())
    began = time.monotonic()
    assert web.fetch(Fetch("http://files.example/a", 1000, 0.3)).status is None
    assert time.monotonic() - began < 20


def test_a_proxy_is_for_some_hosts_and_not_for_others(
    index: Index, other: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_proxy(monkeypatch, index.origin)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    web = Web(DEFAULT)
    assert web.fetch(Fetch("http://files.example/a", 1000, 5)).body == b"content"
    assert web.fetch(fetch(other)).body == b"elsewhere"
    assert len(index.asked("/a")) == 1


def use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", url)


def test_nobody_looks_at_the_clock_once_nothing_is_asked() -> None:
    before = set(threading.enumerate())
    with Watch().until(time.monotonic() + 60):
        (watching,) = set(threading.enumerate()) - before
    watching.join(5)
    assert not watching.is_alive()


def test_credentials_of_several_indexes(index: Index, other: Index) -> None:
    web = Web(DEFAULT, credentials=(index.with_credentials("one", "first"),))
    web.remember_credentials((other.with_credentials("two", "second"), "https://x.example/"))
    index.require("one", "first")
    other.require("two", "second")
    assert [web.fetch(fetch(each)).status for each in (index, other)] == [200, 200]
