"""The gate's side of the conversation with a real verifier process, for tests."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pip_intoto

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

ENTRY = Path(pip_intoto.__file__).parent / "verifier" / "__main__.py"
SECONDS = 30


class Verifier:
    """A verifier process. ``files`` are what its fetches find, by URL."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.fetched: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(ENTRY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=os.sep,
            env={"MALLOC_ARENA_MAX": "1", "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]},
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._in, self._out, self._err = (
            self.process.stdin,
            self.process.stdout,
            self.process.stderr,
        )
        # A verifier that says nothing must not hang the tests.
        self._leash = threading.Timer(SECONDS, self.process.kill)
        self._leash.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leash.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self._in, self._out, self._err):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def write(self, line: bytes) -> None:
        self._in.write(line)
        self._in.flush()

    def say(self, **message: object) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        """The next message; {} at the end."""
        line = self._out.readline()
        message: dict[str, Any] = json.loads(line) if line else {}
        return message

    def end_input(self) -> None:
        self._in.close()

    def end(self) -> tuple[int, str]:
        """Wait for the end: exit status and last words."""
        status = self.process.wait(SECONDS)
        return status, self._err.read().decode()

    # --- whole exchanges --------------------------------------------------------------------

    def open(self, policy: Path, sha256: str | None = None) -> dict[str, Any]:
        assert self.hear()["type"] == "hello"
        self.say(type="open", policy=str(policy), sha256=sha256)
        return self.hear()

    def announce(self, number: int, **distribution: object) -> None:
        self.say(type="announce", id=number, distribution=distribution)

    def verdict(self) -> dict[str, Any]:
        """Answer fetches until a verdict comes."""
        while True:
            message = self.hear()
            if message.get("type") != "fetch":
                return message
            self.answer(message)

    def answer(self, fetch: dict[str, Any]) -> None:
        url = fetch["url"]
        self.fetched.append(url)
        body = self.files.get(url)
        if body is None:
            self.say(type="fetched", fetch=fetch["fetch"], status=404)
        else:
            encoded = base64.b64encode(body).decode()
            self.say(type="fetched", fetch=fetch["fetch"], status=200, body=encoded)
