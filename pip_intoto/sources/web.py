"""The command line's own requests: http and https, a few at once, with caps and deadlines.

Addresses of evidence are an index's to choose, so redirects are followed here, one by one; they
never lead from https to http, nor to another scheme; and credentials go to the origin that they
were given for, and nowhere else. Inside pip the gate does the same with sessions of its own.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, BinaryIO

from pip_intoto.account import Traffic
from pip_intoto.sources.addresses import is_web, printable, redacted, split
from pip_intoto.sources.fetching import UNKNOWN, Response, Validators

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

    from pip_intoto.limits import Limits
    from pip_intoto.sources.fetching import Fetch

_OK = 200
_BLOCK = 64 * 1024
#: Answers that a server may take back a moment later.
_PASSING = (429, 502, 503, 504)
#: Seconds before the second attempt; doubled before each further one.
_BACK_OFF = 0.2
#: How deep the true cause of a failed request lies at most.
_NESTED = 10


class _Refused(Exception):
    """A redirect that the rules do not allow."""


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

    def remember_credentials(self, addresses: Iterable[str]) -> None:
        """Take note of user information in these addresses, each for its own origin."""
        for address in map(split, addresses):
            if address.userinfo:
                self._credentials[address.origin] = address.userinfo

    @property
    def traffic(self) -> Traffic:
        """What was asked and received so far."""
        return Traffic()

    def fetch_many(self, fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        """Answer every fetch, at the latest when its seconds are over."""
        responses: list[Response | None] = [None] * len(fetches)
        turns = threading.BoundedSemaphore(self._limits.fetches_at_once)

        def work(position: int) -> None:
            with turns:
                responses[position] = self.fetch(fetches[position])

        threads = [
            # Daemons: a server that drips byte by byte holds its thread in a read that no
            # time-out ends, and must not hold the program.
            threading.Thread(target=work, args=(position,), daemon=True)
            for position in range(len(fetches))
        ]
        for thread in threads:
            thread.start()
        rounds = -(-len(fetches) // self._limits.fetches_at_once)
        deadline = time.monotonic() + rounds * max((fetch.seconds for fetch in fetches), default=0)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
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
        status, error = self._attempts(fetch, body)
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

    def _attempts(self, fetch: Fetch, body: _Body) -> tuple[int | None, str]:
        # Imported here for start-up time: verification without network never needs it.
        import requests
        import urllib3

        deadline = time.monotonic() + fetch.seconds
        status: int | None = None
        error = ""
        for attempt in range(self._limits.retries + 1):
            if attempt:
                pause = _BACK_OFF * 2.0 ** (attempt - 1)
                if time.monotonic() + pause >= deadline:
                    break
                time.sleep(pause)
            body.clear()
            try:
                status, error = self._follow(fetch, body, deadline), ""
            except _Refused as refused:
                return None, str(refused)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as failure:
                status, error = None, _explain(failure)
            except ValueError as failure:
                # An address that requests cannot make sense of.
                return None, printable(str(failure), 300)
            if body.over or (status is not None and status not in _PASSING):
                break
        return status, error

    def _follow(self, fetch: Fetch, body: _Body, deadline: float) -> int:
        # Imported here for start-up time.
        import requests

        try:
            session = self._idle.pop()
        except IndexError:
            session = requests.Session()
        try:
            status = self._hops(session, fetch, body, deadline)
        except BaseException:
            session.close()
            raise
        # Whatever one server set must not travel to the next.
        session.cookies.clear()
        self._idle.append(session)
        return status

    def _hops(self, session: requests.Session, fetch: Fetch, body: _Body, deadline: float) -> int:
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
            patience = min(self._limits.silence_seconds, deadline - time.monotonic())
            if patience <= 0:
                raise TimeoutError("no complete answer in time")
            session.cookies.clear()
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
                    if response.status_code == _OK:
                        body.url = url
                        _read(response, body, deadline)
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

    @property
    def over(self) -> bool:
        """Whether the cap was reached; nothing more is taken then."""
        return self._size > self._at_most

    def clear(self) -> None:
        """Begin again."""
        self._size = 0
        self.data.clear()
        if self._target is not None:
            self._target.seek(0)
            self._target.truncate()

    def take(self, chunk: bytes) -> None:
        """Add what has arrived."""
        self._size += len(chunk)
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


def _read(response: requests.Response, body: _Body, deadline: float) -> None:
    for chunk in response.iter_content(_BLOCK):
        body.take(chunk)
        if body.over:
            return
        if time.monotonic() > deadline:
            raise TimeoutError("the answer did not end in time")


def _without_userinfo(url: str) -> str:
    scheme, separator, rest = url.partition("#")[0].partition("://")
    # An @ behind the question mark is part of the query; taken for the end of user information,
    # it would lead to another host than the one that the credentials were chosen for.
    rest, question, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}{question}{query}"


def _explain(failure: Exception) -> str:
    """Say what went wrong in a few words, without the addresses that such errors quote."""
    innermost: BaseException = failure
    for _ in range(_NESTED):
        reason = getattr(innermost, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        inner = inner or innermost.__cause__ or innermost.__context__
        if inner is None or inner is innermost:
            break
        innermost = inner
    if isinstance(innermost, TimeoutError):
        return "no complete answer in time"
    if isinstance(innermost, OSError) and innermost.strerror:
        return printable(innermost.strerror, 300)
    return printable(f"{type(innermost).__name__}: {innermost}", 300)
