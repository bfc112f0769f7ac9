"""Evidence requests, through sessions of the gate's own that are built as pip built its own.

Proxies, certificate authorities, trusted hosts and time-outs are pip's. What differs is what an
attacker could otherwise turn against the user, because evidence is fetched from addresses that
an index chose: nothing ever prompts, pip's HTTP cache is left out, redirects are followed here
and judged one by one, and credentials go only to the origin of the distribution and of the
configured indexes.
"""

from __future__ import annotations

import base64
import collections
import copy
import queue
import threading
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Callable

from pip_intoto_gate import limits
from pip_intoto_gate.addresses import origin

if TYPE_CHECKING:
    Message = dict[str, Any]
    Answer = Callable[[Message], None]

_LATE = "no complete answer in time"


class Refused(Exception):
    """A request or redirect that the rules do not allow."""


class Errand:
    """A request that is allowed: for which distribution's URL, as what, and who else looks at it.

    ``look`` is called with the address that answered and its body, before the verifier has them.
    """

    def __init__(
        self, beside: str, accept: str = "", look: Callable[[str, bytes], None] | None = None
    ) -> None:
        self.beside = beside
        self.accept = accept
        self.look = look


class Fetcher:
    """Carries out the verifier's requests, a few at once, and remembers hosts that failed.

    ``session`` is pip's. ``allowed`` is called with (distribution number, URL) and returns what
    may be done about it; it raises :class:`Refused`.
    """

    def __init__(self, session: Any, allowed: Callable[[object, str], Errand]) -> None:
        self._session = session
        self._allowed = allowed
        self._requests: queue.Queue[tuple[int, Message, float]] = queue.Queue()
        self._lock = threading.Lock()
        self._outstanding: dict[int, tuple[Answer, float]] = {}
        self._workers = 0
        self._idle = 0
        self._count = 0
        self._dead_hosts: dict[tuple[str, str, int | None], str] = {}
        self._anonymous: Any = None
        self._credentialed: Any = None

    def submit(self, request: Message, answer: Answer) -> None:
        """Answer ``request`` with a message, from another thread, within its seconds."""
        seconds = min(request["seconds"], limits.FETCH_SECONDS)
        deadline = time.monotonic() + seconds
        with self._lock:
            self._count += 1
            number = self._count
            self._outstanding[number] = answer, deadline
            if number == 1:
                threading.Thread(target=self._keep_time, daemon=True).start()
            if not self._idle and self._workers < limits.FETCHES_AT_ONCE:
                self._workers += 1
                threading.Thread(target=self._work, daemon=True).start()
        if number > limits.FETCHES:
            self._finish(number, _failed(f"more than {limits.FETCHES} requests"))
        else:
            self._requests.put((number, request, deadline))

    def _finish(self, number: int, message: Message) -> None:
        """Give the answer, unless time ran out first."""
        with self._lock:
            answer, _ = self._outstanding.pop(number, (None, None))
        if answer is not None:
            answer(message)

    def _keep_time(self) -> None:
        # A server that drips byte by byte holds its worker in a read that no time-out ends;
        # the verifier gets its answer from here, and other requests get another worker.
        while True:
            time.sleep(0.25)
            now = time.monotonic()
            with self._lock:
                late = [n for n, (_, deadline) in self._outstanding.items() if deadline < now]
                self._workers -= min(len(late), self._workers)
            for number in late:
                self._finish(number, _failed(_LATE))

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            number, request, deadline = self._requests.get()
            with self._lock:
                self._idle -= 1
            try:
                message = self._answer_to(request, deadline)
            except Refused as error:
                message = _failed(f"refused: {error}")
            except Exception as error:
                # Whatever pip, requests or the server do: the source could not be asked. Which of
                # the clocks that watch a silent server rings first makes no difference.
                late = time.monotonic() >= deadline
                message = _failed(_LATE if late else f"{type(error).__name__}: {error}")
            self._finish(number, message)

    def _answer_to(self, request: Message, deadline: float) -> Message:
        url = request["url"]
        errand = self._allowed(request["id"], url)
        cap = min(request["max_bytes"], limits.FETCH_BYTES)
        _check_scheme(url, "an address with")
        for _ in range(limits.REDIRECTS + 1):
            response = self._get(url, errand, deadline)
            try:
                if not response.is_redirect:
                    return _read_response(response, url, errand, cap, deadline)
                target = urllib.parse.urljoin(url, response.headers["location"])
            finally:
                response.close()
            _check_redirect(url, target)
            url = target
        raise Refused(f"more than {limits.REDIRECTS} redirects")

    def _get(self, url: str, errand: Errand, deadline: float) -> Any:
        host = origin(url)
        if host in self._dead_hosts:
            raise Refused(f"{host[1]} failed before: {self._dead_hosts[host]}")
        trusted = {origin(errand.beside)} | {
            origin(index) for index in getattr(self._session.auth, "index_urls", None) or ()
        }
        session = self._session_for(trusted=host in trusted)
        patience = min(limits.FETCH_SILENCE_SECONDS, max(1, deadline - time.monotonic()))
        headers = {"Accept-Encoding": "identity", "Cache-Control": "no-cache"}
        if errand.accept:
            headers["Accept"] = errand.accept
        try:
            return session.get(
                url, stream=True, allow_redirects=False, timeout=patience, headers=headers
            )
        except Exception as error:
            # Each further attempt would cost pip's whole back-off again.
            self._dead_hosts[host] = f"{type(error).__name__}: {error}"[:300]
            raise

    def _session_for(self, *, trusted: bool) -> Any:
        with self._lock:
            if self._anonymous is None:
                self._credentialed = _like(self._session, credentials=True)
                self._anonymous = _like(self._session, credentials=False)
            if trusted and self._credentialed.auth is not None:
                # What the user has typed since, for pip, opens the door for evidence too.
                self._credentialed.auth.passwords.update(
                    getattr(self._session.auth, "passwords", {})
                )
            return self._credentialed if trusted else self._anonymous


def _like(session: Any, *, credentials: bool) -> Any:
    """A session that behaves as pip's does on the network, and asks and remembers nothing."""
    clone = copy.copy(session)
    for name, value in vars(session).items():
        # requests copies only the attributes it knows; pip's own ones matter as much.
        vars(clone).setdefault(name, value)
    clone.cookies = copy.copy(session.cookies)
    clone.cookies.clear()
    clone.adapters = collections.OrderedDict(
        (prefix, _without_cache(adapter))
        for prefix, adapter in session.adapters.items()
        if prefix.startswith(("http://", "https://"))
    )
    if credentials:
        clone.auth = copy.copy(session.auth)
        if clone.auth is not None:
            clone.auth.prompting = False
            clone.auth.passwords = dict(getattr(session.auth, "passwords", {}))
    else:
        # An `auth` that does nothing also keeps requests from asking netrc.
        clone.auth = _no_credentials
        clone.cert = None
    return clone


def _no_credentials(request: Any) -> Any:
    request.headers.pop("Authorization", None)
    return request


def _without_cache(adapter: Any) -> Any:
    """A fresh adapter of the same kind, with few retries and no HTTP cache."""
    from pip._internal.network import session as network  # pip's, loaded long before

    retries = adapter.max_retries.new(total=limits.RETRIES, raise_on_status=False)
    options = {"max_retries": retries}
    for option in ("ssl_context", "use_ssl_context_for_proxy"):
        if hasattr(adapter, "_" + option):
            options[option] = getattr(adapter, "_" + option)
    insecure = isinstance(
        adapter, (network.InsecureHTTPAdapter, network.InsecureCacheControlAdapter)
    )
    return (network.InsecureHTTPAdapter if insecure else network.HTTPAdapter)(**options)


def _check_scheme(url: str, what: str) -> None:
    # What lies on this machine, the verifier reads for itself.
    scheme = urllib.parse.urlsplit(url).scheme.lower()
    if scheme not in ("http", "https"):
        raise Refused(f"{what} {scheme or 'nothing'}:")


def _check_redirect(source: str, target: str) -> None:
    _check_scheme(target, "a redirect to")
    if target.lower().startswith("http:") and source.lower().startswith("https:"):
        raise Refused("a redirect from https to http")


def _read_response(response: Any, url: str, errand: Errand, cap: int, deadline: float) -> Message:
    body = bytearray()
    if response.status_code == limits.OK:
        # `read1` is missing in urllib3 1.x, and `stream` waits for a whole chunk: small chunks
        # keep the deadline honest against a server that drips.
        for chunk in response.raw.stream(16 * 1024, decode_content=True):
            body += chunk
            if len(body) > cap:
                return _too_large(cap)
            if time.monotonic() > deadline:
                raise TimeoutError(_LATE)
        length = response.headers.get("Content-Length")
        if length is not None and length.isdigit() and response.raw.tell() < int(length):
            raise ConnectionError(f"{response.raw.tell()} of {length} bytes arrived")
    message = {"status": response.status_code, "body": base64.b64encode(body).decode("ascii")}
    if errand.look is not None and response.status_code == limits.OK:
        errand.look(url, bytes(body))
        # What is relative on a page is so to where it was found.
        message["url"] = url
    return message


def _failed(error: str) -> Message:
    return {"status": None, "error": error[: limits.SENTENCE]}


def _too_large(cap: int) -> Message:
    return dict(_failed(f"longer than {cap} bytes"), too_large=True)
