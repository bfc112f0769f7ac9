"""The command line's own requests: http and https, a few at once, with caps and deadlines.

Addresses of evidence are an index's to choose, so redirects are followed here, one by one; they
never lead from https to http, nor to another scheme; and credentials go to the origin that they
were given for, and nowhere else. Inside pip the gate does the same with sessions of its own.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from random import uniform
from typing import TYPE_CHECKING, BinaryIO

from pip_intoto.account import Traffic
from pip_intoto.sources.addresses import is_web, printable, redacted, split
from pip_intoto.sources.deadlines import Watch
from pip_intoto.sources.fetching import UNKNOWN, Response, Validators
from pip_intoto.sources.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

    from pip_intoto.limits import Limits
    from pip_intoto.sources.fetching import Fetch
    from pip_intoto.sources.hosts import Host

_OK = 200
_BLOCK = 64 * 1024
#: Answers that a server may take back a moment later.
_PASSING = (429, 502, 503, 504)
_TOO_MANY = 429
#: Seconds before the second attempt, more or less; doubled before each further one.
_BACK_OFF = 0.2
#: Seconds that a request may take beyond its own before nobody waits for it.
_GRACE = 1.0
#: Digits of a Retry-After that is still a number of seconds.
_LONG = 9
#: How deep the true cause of a failed request lies at most.
_NESTED = 10


class _Refused(Exception):
    """A redirect that the rules do not allow."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one attempt came to; ``error`` says why there was no answer.

    ``passing`` says that the next attempt may have one, ``refused`` that there was no connection,
    ``late`` that the time was over.
    """

    status: int | None
    error: str = ""
    passing: bool = False
    refused: bool = False
    late: bool = False


class Web:
    """Carries out fetches with ``requests``.

    ``credentials`` are the addresses that the user gave with user information in them (the index
    URL): it is sent to their origin alone.
    """

    def __init__(self, limits: Limits, credentials: Iterable[str] = ()) -> None:
        self._limits = limits
        self._credentials: dict[tuple[str, str, str], str] = {}
        self.remember_credentials(credentials)
        #: Sessions that nobody uses just now, for their connections.
        self._idle: list[requests.Session] = []
        self._hosts = Hosts(limits)
        self._watch = Watch()
        self._lock = threading.Lock()
        self._traffic = Traffic()

    def remember_credentials(self, addresses: Iterable[str]) -> None:
        """Take note of user information in these addresses, each for its own origin."""
        for address in map(split, addresses):
            if address.userinfo:
                self._credentials[address.origin] = address.userinfo

    @property
    def traffic(self) -> Traffic:
        """What was asked and received so far."""
        return self._traffic

    def fetch_many(self, fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        """Answer every fetch, at the latest when its seconds are over."""
        if len(fetches) == 1:
            return (self.fetch(fetches[0]),)
        responses: list[Response | None] = [None] * len(fetches)
        bodies = [_Body(fetch.max_bytes) for fetch in fetches]
        turns = threading.BoundedSemaphore(self._limits.fetches_at_once)

        def work(position: int) -> None:
            with turns:
                responses[position] = self._answer(fetches[position], bodies[position])

        threads = [
            # Daemons: looking up a host has no time-out, and must not hold the program.
            threading.Thread(target=work, args=(position,), daemon=True)
            for position in range(len(fetches))
        ]
        for thread in threads:
            thread.start()
        for thread, body in zip(threads, bodies, strict=True):
            while thread.is_alive() and time.monotonic() < body.due + _GRACE:
                thread.join(_GRACE)
        return tuple(
            response or Response(None, error="no complete answer in time") for response in responses
        )

    def fetch(self, fetch: Fetch) -> Response:
        """Carry out one fetch. Never raises for what the network or the server do."""
        return self._answer(fetch, _Body(fetch.max_bytes))

    def download(self, fetch: Fetch, target: BinaryIO) -> Response:
        """Carry out one fetch into ``target``, an empty file; the response has no body."""
        return self._answer(fetch, _Body(fetch.max_bytes, target))

    # --- one request ------------------------------------------------------------------------

    def _answer(self, fetch: Fetch, body: _Body) -> Response:
        host = self._hosts.of(split(fetch.url).origin)
        with host.turn():
            status, error = self._attempts(fetch, body, host)
        with self._lock:
            self._traffic = replace(
                self._traffic,
                requests=self._traffic.requests + body.requests,
                received=self._traffic.received + body.received,
                files=self._traffic.files + (body.received if body.is_file else 0),
            )
        if body.over:
            return Response(None, error=f"longer than {fetch.max_bytes} bytes", too_large=True)
        return Response(
            status,
            bytes(body.data),
            error,
            url=body.url,
            validators=body.validators,
            fleeting=body.fleeting,
        )

    def _attempts(self, fetch: Fetch, body: _Body, host: Host) -> tuple[int | None, str]:
        given_up = host.given_up
        if given_up:
            return None, given_up
        host.wait()
        body.due = time.monotonic() + fetch.seconds
        tried = _Tried(None)
        for attempt in range(self._limits.retries + 1):
            body.clear()
            tried = self._attempt(fetch, body, host)
            pause = self._pause(attempt, tried, body.retry_after, host)
            if pause is None or body.over:
                break
            if body.retry_after and tried.status is not None:
                # It is the server that wants the time.
                body.due += pause
            if attempt == self._limits.retries or time.monotonic() + pause >= body.due:
                break
            time.sleep(pause)
        if tried.status is not None:
            host.answered()
        elif tried.passing:
            host.failed(refused=tried.refused, late=tried.late)
        return tried.status, tried.error

    def _attempt(self, fetch: Fetch, body: _Body, host: Host) -> _Tried:
        # Imported here for start-up time: verification without network never needs it.
        import requests
        import urllib3

        try:
            with self._watch.until(body.due):
                return _Tried(self._follow(fetch, body, host.patience))
        except _Refused as refused:
            return _Tried(None, str(refused))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as failure:
            return _failed(failure, in_time=time.monotonic() < body.due)
        except ValueError as failure:
            # An address that requests cannot make sense of.
            return _Tried(None, printable(str(failure), 300))

    def _pause(self, attempt: int, tried: _Tried, retry_after: str, host: Host) -> float | None:
        """Choose the seconds before the next attempt; None when there is to be none."""
        if tried.status is None and (not tried.passing or host.is_slow):
            return None
        if tried.status is not None and tried.status not in _PASSING:
            return None
        asked = _seconds(retry_after) if tried.status is not None else None
        if asked is None:
            # Not all at the same moment again.
            return _BACK_OFF * 2.0**attempt * uniform(0.5, 1.5)  # noqa: S311 - no secret
        if tried.status == _TOO_MANY:
            host.rest(asked)
        return asked if asked <= self._limits.retry_after_seconds else None

    def _follow(self, fetch: Fetch, body: _Body, patience: int) -> int:
        session = self._session()
        try:
            status = self._hops(session, fetch, body, patience)
        except BaseException:
            session.close()
            raise
        self._idle.append(session)
        return status

    def _session(self) -> requests.Session:
        # Imported here for start-up time.
        from pip_intoto.sources.connections import Connections

        try:
            return self._idle.pop()
        except IndexError:
            return Connections()

    def _hops(
        self, session: requests.Session, fetch: Fetch, body: _Body, most_patience: int
    ) -> int:
        # Imported here for start-up time.
        from urllib.parse import urljoin

        headers = {"Accept-Encoding": "identity", "Cache-Control": "no-cache"}
        if fetch.accept:
            headers["Accept"] = fetch.accept
        if fetch.known.etag:
            headers["If-None-Match"] = fetch.known.etag
        if fetch.known.modified:
            headers["If-Modified-Since"] = fetch.known.modified
        url = fetch.url
        for _ in range(self._limits.redirects + 1):
            if not is_web(url):
                raise _Refused(f"refused: {redacted(url)} is no http or https address")
            patience = min(most_patience, body.due - time.monotonic())
            if patience <= 0:
                raise TimeoutError("no complete answer in time")
            # Whatever one server set must not travel to the next.
            session.cookies.clear()
            body.requests += 1
            with session.get(
                _without_userinfo(url),
                stream=True,
                allow_redirects=False,
                timeout=patience,
                headers=headers,
                # An `auth` also keeps requests from asking netrc for any host.
                auth=_Credentials(self._userinfo(url, fetch.url)),
            ) as response:
                if not response.is_redirect:
                    body.validators = Validators(
                        response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
                    )
                    body.fleeting = "no-store" in response.headers.get("Cache-Control", "").lower()
                    body.retry_after = response.headers.get("Retry-After", "")
                    if response.status_code == _OK:
                        body.url = url
                        _read(response, body)
                    return response.status_code
                target = urljoin(url, response.headers["location"])
            if not is_web(target):
                raise _Refused(f"refused: a redirect to {redacted(target)}")
            if split(url).scheme == "https" and split(target).scheme != "https":
                raise _Refused(f"refused: a redirect from https to {redacted(target)}")
            url = target
        raise _Refused(f"refused: more than {self._limits.redirects} redirects")

    def _userinfo(self, url: str, asked: str) -> str:
        """Find the credentials for ``url``: those that it was asked with, or the user's."""
        origin = split(url).origin
        if split(asked).userinfo and split(asked).origin == origin:
            return split(asked).userinfo
        return self._credentials.get(origin, "")


class _Body:
    """What of an answer has arrived, in memory or in a file."""

    def __init__(self, at_most: int, target: BinaryIO | None = None) -> None:
        self._at_most = at_most
        self._target = target
        self._size = 0
        self.data = bytearray()
        #: The address that it came from, after redirects.
        self.url = ""
        self.validators = UNKNOWN
        self.fleeting = False
        #: What the last answer says of when to ask again.
        self.retry_after = ""
        #: When it has to be there, in monotonic time.
        self.due = float("inf")
        #: How often was asked for it, and the bytes that came of it, all attempts together.
        self.requests = 0
        self.received = 0

    @property
    def is_file(self) -> bool:
        """Whether it goes into a file, and not into memory."""
        return self._target is not None

    @property
    def over(self) -> bool:
        """Whether the cap was reached; nothing more is taken then."""
        return self._size > self._at_most

    def clear(self) -> None:
        """Begin again."""
        self._size = 0
        self.data.clear()
        self.retry_after = ""
        if self._target is not None:
            self._target.seek(0)
            self._target.truncate()

    def take(self, chunk: bytes) -> None:
        """Add what has arrived."""
        self._size += len(chunk)
        self.received += len(chunk)
        if self.over:
            return
        if self._target is None:
            self.data += chunk
        else:
            self._target.write(chunk)


class _Credentials:
    """Basic authentication with exactly this user information, or none at all."""

    def __init__(self, userinfo: str) -> None:
        self._userinfo = userinfo

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Imported here for start-up time.
        from base64 import b64encode
        from urllib.parse import unquote

        request.headers.pop("Authorization", None)
        if self._userinfo:
            user, _, password = self._userinfo.partition(":")
            pair = f"{unquote(user)}:{unquote(password)}".encode()
            request.headers["Authorization"] = f"Basic {b64encode(pair).decode('ascii')}"
        return request


def _read(response: requests.Response, body: _Body) -> None:
    # What has arrived, rather than a full block: the clock is looked at in between.
    read = getattr(response.raw, "read1", None)
    if read is None:
        chunks = response.iter_content(_BLOCK)
    else:
        chunks = iter(lambda: read(_BLOCK, decode_content=True), b"")
    for chunk in chunks:
        body.take(chunk)
        if body.over:
            return
        if time.monotonic() > body.due:
            raise TimeoutError("the answer did not end in time")


def _seconds(retry_after: str) -> float | None:
    """Read a Retry-After: seconds, or a date; None when it is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal() and len(text) <= _LONG:
        return float(text)
    if not text:
        return None
    # Imported here because hardly any server sends a date.
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        return None
    return max(0.0, date.timestamp() - time.time())


def _without_userinfo(url: str) -> str:
    scheme, separator, rest = url.partition("#")[0].partition("://")
    # An @ behind the question mark is part of the query; taken for the end of user information,
    # it would lead to another host than the one that the credentials were chosen for.
    rest, question, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}{question}{query}"


def _failed(failure: Exception, *, in_time: bool) -> _Tried:
    """Say what went wrong in a few words, without the addresses that such errors quote."""
    # Imported here for start-up time; something failed, so that it is there.
    import requests
    import urllib3

    innermost: BaseException = failure
    refused = False
    for _ in range(_NESTED):
        refused |= isinstance(
            innermost,
            urllib3.exceptions.NewConnectionError
            | urllib3.exceptions.ConnectTimeoutError
            | requests.exceptions.SSLError
            | requests.exceptions.ProxyError,
        )
        reason = getattr(innermost, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        inner = inner or innermost.__cause__ or innermost.__context__
        if inner is None or inner is innermost:
            break
        innermost = inner
    late = not in_time or isinstance(innermost, TimeoutError)
    if late:
        words = "no complete answer in time"
    elif isinstance(innermost, OSError) and innermost.strerror:
        words = printable(innermost.strerror, 300)
    else:
        words = printable(f"{type(innermost).__name__}: {innermost}", 300)
    # An address that nobody can make sense of is no failure of the server's.
    passing = not isinstance(failure, ValueError)
    return _Tried(None, words, passing=passing, refused=refused, late=late)
