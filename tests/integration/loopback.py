"""A package index on the loopback interface, with evidence beside the files, and with faults.

It serves PEP 503 and PEP 691 pages, PEP 658 metadata (under the names of PEP 714, since pip before
23.2 stumbles over the others), PEP 740 provenance, ranges, and whatever else was put
under a path. Faults are given by path pattern::

    index.fault("*.intoto.jsonl", Status(500))
    index.fault("/files/demo-*.whl", Truncated(at=1000), times=1)
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from fixtures.distributions import Built
    from fixtures.supply_chain import SupplyChain

JSON = "application/vnd.pypi.simple.v1+json"
#: What an endless body and a paced one are cut into.
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """What lies under a path."""

    body: bytes
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)


class Exchange(Protocol):
    """What a fault can do with the request in hand."""

    resource: Resource | None
    closing: threading.Event

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, promised: int | None = None
    ) -> None:
        """Send a whole response; *promised* is the Content-Length when it is to differ."""

    def serve(self) -> None:
        """Answer as if nothing were wrong."""

    def begin(self, headers: Mapping[str, str]) -> None:
        """Send the head of a 200 that has no Content-Length."""

    def send(self, data: bytes) -> bool:
        """Send bytes of the body; False once the client has gone."""

    def reset(self) -> None:
        """Drop the connection so that the client sees a reset."""


class Fault(Protocol):
    """Something other than the usual answer."""

    def happen(self, exchange: Exchange) -> None:
        """Answer, or do not."""


@dataclass(frozen=True, slots=True)
class Status:
    """Answers with a status, and a body that says nothing."""

    code: int
    body: bytes = b"no\n"
    headers: Mapping[str, str] = field(default_factory=dict)

    def happen(self, exchange: Exchange) -> None:
        exchange.answer(self.code, self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Sends the client elsewhere."""

    to: str
    code: int = 302

    def happen(self, exchange: Exchange) -> None:
        exchange.answer(self.code, {"Location": self.to}, b"")


@dataclass(frozen=True, slots=True)
class Delay:
    """Waits, and then serves as usual."""

    seconds: float

    def happen(self, exchange: Exchange) -> None:
        exchange.closing.wait(self.seconds)
        exchange.serve()


@dataclass(frozen=True, slots=True)
class Stall:
    """Sends a head and *sent* bytes of a body, and then nothing until the index closes."""

    sent: int = 0

    def happen(self, exchange: Exchange) -> None:
        exchange.begin({})
        if exchange.send(b" " * self.sent):
            exchange.closing.wait()


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets the connection without an answer."""

    def happen(self, exchange: Exchange) -> None:
        exchange.reset()


@dataclass(frozen=True, slots=True)
class Endless:
    """Sends lines for as long as the client reads."""

    line: bytes = b'{"ignored": true}\n'

    def happen(self, exchange: Exchange) -> None:
        block = self.line * (CHUNK // len(self.line))
        exchange.begin({})
        while not exchange.closing.is_set() and exchange.send(block):
            pass


@dataclass(frozen=True, slots=True)
class Truncated:
    """Promises the whole file, sends *at* bytes of it, and drops the connection.

    Requests with a range are served, so that a client can resume; give ``times=1`` when it may
    also begin anew.
    """

    at: int

    def happen(self, exchange: Exchange) -> None:
        resource = exchange.resource
        if resource is None:
            exchange.serve()
            return
        exchange.answer(
            HTTPStatus.OK,
            {"ETag": _etag(resource.body), "Accept-Ranges": "bytes"},
            resource.body[: self.at],
            promised=len(resource.body),
        )


@dataclass(frozen=True, slots=True)
class Paced:
    """Serves at so many bytes a second."""

    bytes_per_second: float

    def happen(self, exchange: Exchange) -> None:
        resource = exchange.resource
        if resource is None:
            exchange.serve()
            return
        exchange.begin({"Content-Length": str(len(resource.body))})
        started = time.monotonic()
        for position in range(0, len(resource.body), CHUNK):
            due = started + position / self.bytes_per_second
            exchange.closing.wait(max(0.0, due - time.monotonic()))
            if not exchange.send(resource.body[position : position + CHUNK]):
                return


@dataclass(slots=True)
class _Planned:
    pattern: str
    fault: Fault
    left: int | None


class Index:
    """A package index in this process. Use it as a context manager."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        #: Answers 304 to whoever has the resource already.
        self.revalidates = False
        #: Has its pages as JSON, for whoever asks for that.
        self.speaks_json = True
        self._resources: dict[str, Resource] = {}
        self._projects: dict[str, list[tuple[str, str, str]]] = {}
        #: Where pages say that a file's provenance is, by its name.
        self._provenance: dict[str, str] = {}
        self._faults: list[_Planned] = []
        self._credentials: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.index = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:port``, without credentials."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def simple(self) -> str:
        """The URL for ``--index-url``."""
        return self.origin + "/simple/"

    def with_credentials(self, user: str, password: str) -> str:
        """Give the URL for ``--index-url`` with credentials in it."""
        return self.simple.replace("://", f"://{quote(user, safe='')}:{quote(password, safe='')}@")

    def url(self, file: Built) -> str:
        """Give the URL of a file."""
        return self.origin + "/files/" + quote(file.filename)

    # What is served

    def put(self, path: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Serve *body* under *path*."""
        with self._lock:
            self._resources[path] = Resource(body, content_type)

    def remove(self, path: str) -> None:
        """Serve nothing under *path* any more."""
        with self._lock:
            del self._resources[path]

    def add(
        self, file: Built, *, metadata: bytes | bool = True, digest: bool = True, body: bytes = b""
    ) -> None:
        """List a file. *metadata* is for PEP 658: True for the wheel's own, False for none.

        *digest* says whether the page tells the file's sha256. *body* is served in place of the
        file's own bytes.
        """
        path = "/files/" + file.filename
        content = body or file.data
        self.put(path, content)
        core = file.metadata if metadata is True else metadata or b""
        if core:
            self.put(path + ".metadata", core)
        project = file.name.lower().replace("_", "-").replace(".", "-")
        listed = self._projects.setdefault(project, [])
        listed[:] = [entry for entry in listed if entry[0] != file.filename]
        listed.append(
            (
                file.filename,
                hashlib.sha256(content).hexdigest() if digest else "",
                hashlib.sha256(core).hexdigest() if core else "",
            )
        )
        self.put(f"/simple/{project}/", b"")

    def publish(self, file: Built, chain: SupplyChain, *, metadata: bytes | bool = True) -> None:
        """List a file with its evidence beside it, as a bundle."""
        self.add(file, metadata=metadata)
        self.put_evidence(file, chain.bundle(file))

    def put_evidence(self, file: Built, bundle: bytes) -> None:
        """Serve a bundle beside *file*."""
        self.put(f"/files/{file.filename}.intoto.jsonl", bundle)

    def put_directory(self, file: Built, documents: Mapping[str, bytes]) -> None:
        """Serve evidence in the directory form beside *file*."""
        for name, content in documents.items():
            self.put(f"/files/{file.filename}.intoto/{name}", content)

    def provenance_path(self, file: Built) -> str:
        """Give the path of a file's provenance, spelled as PyPI spells it."""
        return f"/integrity/{file.name}/{file.version}/{file.filename}/provenance"

    def attest(self, file: Built, provenance: bytes) -> None:
        """Serve PEP 740 provenance of a listed file, and name it on the page."""
        path = self.provenance_path(file)
        self.put(path, provenance, "application/vnd.pypi.integrity.v1+json")
        self.name_provenance(file, self.origin + quote(path))

    def name_provenance(self, file: Built, url: str) -> None:
        """Have the page say that a file's provenance is at *url*; nothing when it is empty."""
        with self._lock:
            self._provenance[file.filename] = url

    # What goes wrong

    def fault(self, pattern: str, fault: Fault, *, times: int | None = None) -> None:
        """Let *fault* happen to requests whose path fits *pattern*, the first *times* times."""
        with self._lock:
            self._faults.append(_Planned(pattern, fault, times))

    def require(self, user: str, password: str, pattern: str = "*") -> None:
        """Answer 401 to requests without these credentials."""
        token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        self._credentials.append((pattern, f"Basic {token}"))

    # What was asked

    def asked(self, pattern: str) -> list[Request]:
        """Give the requests whose path fits *pattern*, in order."""
        with self._lock:
            return [request for request in self.requests if fnmatchcase(request.path, pattern)]

    # For the handler

    def record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def refuses(self, request: Request) -> bool:
        return any(
            fnmatchcase(request.path, pattern) and request.headers.get("authorization") != token
            for pattern, token in self._credentials
        )

    def next_fault(self, request: Request) -> Fault | None:
        with self._lock:
            for planned in self._faults:
                if planned.left == 0 or not fnmatchcase(request.path, planned.pattern):
                    continue
                if isinstance(planned.fault, Truncated) and "range" in request.headers:
                    continue
                if planned.left is not None:
                    planned.left -= 1
                return planned.fault
        return None

    def resource(self, request: Request) -> Resource | None:
        with self._lock:
            found = self._resources.get(request.path)
        if found is None or not request.path.startswith("/simple/"):
            return found
        files = self._projects[request.path.split("/")[2]]
        if self.speaks_json and JSON in request.headers.get("accept", ""):
            return Resource(_json_page(request.path, files, self._provenance), JSON)
        return Resource(_html_page(files, self._provenance), "text/html; charset=utf-8")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    index: Index

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away in the middle are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet, which is a third of the time of small answers.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server
    resource: Resource | None = None

    def setup(self) -> None:
        self.closing = self.server.index.closing
        super().setup()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep standard error for the tests."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.request_ = Request(
            method=self.command,
            path=unquote(parts.path),
            query=parts.query,
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        index = self.server.index
        index.record(self.request_)
        if index.refuses(self.request_):
            self.answer(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": 'Basic realm="index"'}, b"")
            return
        self.resource = index.resource(self.request_)
        fault = index.next_fault(self.request_)
        if fault is None:
            self.serve()
        else:
            fault.happen(self)

    do_HEAD = do_GET  # noqa: N815 - http.server looks for this name

    def serve(self) -> None:
        resource = self.resource
        if resource is None:
            self.answer(HTTPStatus.NOT_FOUND, {}, b"nothing here\n")
            return
        headers = {
            "Content-Type": resource.content_type,
            "Accept-Ranges": "bytes",
            "ETag": _etag(resource.body),
            **resource.headers,
        }
        asked = self.request_.headers.get("if-none-match")
        if self.server.index.revalidates and asked == headers["ETag"]:
            self.answer(HTTPStatus.NOT_MODIFIED, {"ETag": headers["ETag"]}, b"")
            return
        start, end = _range(self.request_.headers.get("range", ""), len(resource.body))
        if (start, end) == (0, len(resource.body)):
            self.answer(HTTPStatus.OK, headers, resource.body)
        else:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(resource.body)}"
            self.answer(HTTPStatus.PARTIAL_CONTENT, headers, resource.body[start:end])

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, promised: int | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if promised is None else promised))
            if promised is not None:
                self.close_connection = True
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()

    def begin(self, headers: Mapping[str, str]) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.send_response(HTTPStatus.OK)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    def send(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:
            return False
        return True

    def reset(self) -> None:
        self.close_connection = True
        # Closing with a linger time of nought sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def _range(header: str, size: int) -> tuple[int, int]:
    if not header.startswith("bytes=") or "," in header:
        return 0, size
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


def _html_page(files: list[tuple[str, str, str]], provenance: Mapping[str, str]) -> bytes:
    lines = ["<!DOCTYPE html>", "<html><body>"]
    for filename, digest, metadata in files:
        fragment = f"#sha256={digest}" if digest else ""
        attribute = f' data-core-metadata="sha256={metadata}"' if metadata else ""
        if provenance.get(filename):
            attribute += f' data-provenance="{html.escape(provenance[filename])}"'
        reference = html.escape(f"/files/{quote(filename)}{fragment}")
        lines.append(f'<a href="{reference}"{attribute}>{html.escape(filename)}</a><br>')
    return "\n".join([*lines, "</body></html>", ""]).encode()


def _json_page(
    path: str, files: list[tuple[str, str, str]], provenance: Mapping[str, str]
) -> bytes:
    return json.dumps(
        {
            "meta": {"api-version": "1.3"},
            "name": path.split("/")[2],
            "files": [
                {
                    "filename": filename,
                    "url": f"/files/{quote(filename)}",
                    "hashes": {"sha256": digest} if digest else {},
                    "core-metadata": {"sha256": metadata} if metadata else False,
                    "provenance": provenance.get(filename) or None,
                }
                for filename, digest, metadata in files
            ],
        }
    ).encode()


@contextlib.contextmanager
def serving() -> Iterator[Index]:
    """Start an index, and stop it in the end."""
    with Index() as index:
        yield index
