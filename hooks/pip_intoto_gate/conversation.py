"""The conversation with the verifier: one process, JSON lines over two pipes.

Three threads serve it, so that pip's own thread never blocks on a pipe: one writes, one reads
and hands out fetches, and pip's thread only ever waits for a verdict, with a deadline. Whatever
goes wrong ends the conversation with a :class:`Failure`, and every later question is answered
with the same failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

from pip_intoto_gate import limits

if TYPE_CHECKING:
    from typing import BinaryIO

    Message = dict[str, Any]

PROTOCOL = 1

#: What must stand in the messages that decide something, and with which type or values.
_SHAPES: dict[str, dict[str, Any]] = {
    "ready": {"mode": ("enforce", "warn"), "protected": list, "templates": list},
    "verdict": {
        "id": int,
        "status": str,
        "reason": str,
        "action": ("pass", "warn", "block"),
        "summary": str,
    },
}

#: What the verifier gets of the environment: what an interpreter needs to start, and what says
#: where this user's state lies. No more.
_ALLOWED_VARIABLES = (
    *("SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "TZ"),
    *("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_STATE_HOME"),
)


def _check_shape(message: Message, shape: dict[str, Any]) -> None:
    """Refuse a message that lacks what the gate decides by. Raises KeyError and TypeError."""
    for name, wanted in shape.items():
        value = message[name]
        if not (value in wanted if isinstance(wanted, tuple) else isinstance(value, wanted)):
            raise TypeError(f"a {message['type']} whose {name} is {value!r:.40}")


class Failure(Exception):
    """The verifier cannot be relied on. Carries a reason code and what to tell the user."""

    def __init__(
        self, reason: str, summary: str, expected: str = "", found: str = "", advice: str = ""
    ) -> None:
        super().__init__(summary)
        self.reason = reason
        self.summary = summary
        self.expected = expected
        self.found = found
        self.advice = advice


class Conversation:
    """One verifier process, from its start to its end. ``command`` is the verifier's."""

    def __init__(self, command: list[str], seconds: float, version: str) -> None:
        self._command = command
        self._seconds = seconds
        self._version = version
        self._fetch: Callable[[Message, Callable[[Message], None]], None] = _nothing_to_fetch
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._owner = os.getpid()
        self._outgoing: queue.Queue[Message | None] = queue.Queue()
        self._changed = threading.Condition()
        self._greeted = False
        self._ready: Message | None = None
        self._verdicts: dict[int, Message] = {}
        self._failure: Failure | None = None
        self._closing = False
        self._last_sign = time.monotonic()

    def start(self, policy: str, sha256: str | None) -> None:
        """Start the verifier; it reads the policy while pip goes on."""
        environment = {name: os.environ[name] for name in _ALLOWED_VARIABLES if name in os.environ}
        # One arena: each further one reserves 64 MiB of the address space that is limited.
        environment["MALLOC_ARENA_MAX"] = "1"
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=os.path.abspath(os.sep),
                env=environment,
                close_fds=True,
                # A session of its own: Ctrl-C is pip's to handle, and the whole group can be
                # killed, grandchildren that hold our pipe included.
                start_new_session=os.name != "nt",
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            found = f"{self._command[0]}: {why}"
            self._fail("verifier-unavailable", "The verifier could not be started.", found)
            return
        self._last_sign = time.monotonic()
        self.send({"type": "open", "policy": policy, "sha256": sha256})
        for work, pipe in (
            (self._write, self._process.stdin),
            (self._read, self._process.stdout),
        ):
            threading.Thread(target=work, args=(pipe,), daemon=True).start()

    def fetch_with(self, fetch: Callable[[Message, Callable[[Message], None]], None]) -> None:
        """Say who fetches, before anything is announced.

        ``fetch(request, answer)`` must call ``answer(message)`` once, from any thread.
        """
        self._fetch = fetch

    def send(self, message: Message) -> None:
        """Queue a message; never blocks."""
        self._outgoing.put(message)

    def ready(self) -> Message:
        """What the verifier said of the policy, once it has; raises :class:`Failure`.

        It stays said when the verifier fails later: the mode decides what a failure does.
        """
        return self._ready or self._wait(lambda: self._ready)

    def verdict(self, number: int) -> Message:
        """The verdict on distribution ``number``; raises :class:`Failure`."""
        return self._wait(lambda: self._verdicts.get(number))

    def close(self) -> None:
        """End the verifier; may be called more than once, and by nobody but its parent."""
        process = self._process
        if process is None or os.getpid() != self._owner:
            # A forked child runs exit handlers too; the verifier is not its own to end.
            return
        with self._changed:
            self._closing = True
        self._outgoing.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limits.FAREWELL_SECONDS)
        self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limits.FAREWELL_SECONDS)
        self._process = None

    # --- the three threads ----------------------------------------------------------------

    def _wait(self, answer: Callable[[], Message | None]) -> Message:
        # Silence counts from now: before, nobody may have asked for anything.
        began = time.monotonic()
        with self._changed:
            while True:
                if self._failure is not None:
                    raise self._failure
                found = answer()
                if found is not None:
                    return found
                patience = max(began, self._last_sign) + self._seconds - time.monotonic()
                if patience <= 0:
                    break
                self._changed.wait(patience)
        raise self._fail(
            "verifier-unavailable",
            "The verifier did not answer in time.",
            f"silence for {self._seconds:g} seconds",
        )

    def _write(self, pipe: BinaryIO) -> None:
        try:
            while True:
                message = self._outgoing.get()
                if message is None:
                    break
                pipe.write(json.dumps(message).encode("ascii") + b"\n")
                pipe.flush()
            pipe.close()
        except (OSError, ValueError):
            # A broken pipe; the reading thread sees the end too, and says why.
            pass

    def _read(self, pipe: BinaryIO) -> None:
        try:
            while True:
                line = pipe.readline(limits.MESSAGE_BYTES + 1)
                if not line:
                    break
                if len(line) > limits.MESSAGE_BYTES or not line.endswith(b"\n"):
                    raise ValueError(f"a line of {len(line)} bytes without an end")
                message = json.loads(line.decode("utf-8"))
                if not isinstance(message, dict):
                    raise TypeError("a message that is not an object")
                self._receive(message)
        except Failure as failure:
            self._set_failure(failure)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            self._fail(
                "verifier-unavailable",
                "The verifier answered something that is no message.",
                f"{type(error).__name__}: {error}"[:200],
            )
        else:
            if not self._closing:
                self._fail(
                    "verifier-unavailable",
                    "The verifier ended before it had given its verdict.",
                    self._last_words(),
                )

    def _receive(self, message: Message) -> None:
        kind = message["type"]
        if kind == "hello":
            if (message["protocol"], message["version"]) != (PROTOCOL, self._version):
                raise Failure(
                    "verifier-version-mismatch",
                    "The gate and the verifier are of different versions.",
                    expected=f"pip-intoto {self._version}, protocol {PROTOCOL}",
                    found=f"pip-intoto {message['version']}, protocol {message['protocol']}",
                    advice="Run `pip-intoto enable` again for this environment.",
                )
            self._greeted = True
        elif not self._greeted:
            raise ValueError(f"{kind!r:.40} before a greeting")
        elif kind == "failed":
            place = message.get("place") or ""
            raise Failure(
                str(message["reason"]),
                (place + ": " if place else "") + str(message["summary"]).rstrip(".") + ".",
                *(str(message.get(part) or "") for part in ("expected", "found", "advice")),
            )
        elif kind == "fetch":
            number = message["fetch"]
            self._fetch(
                message,
                lambda answer: self._answered(dict(answer, type="fetched", fetch=number)),
            )
        elif kind in _SHAPES:
            _check_shape(message, _SHAPES[kind])
        else:
            raise ValueError(f"a message of an unknown type, {kind!r:.40}")
        with self._changed:
            self._last_sign = time.monotonic()
            if kind == "ready":
                self._ready = message
            elif kind == "verdict":
                self._verdicts[message["id"]] = message
            self._changed.notify_all()

    def _answered(self, message: Message) -> None:
        # A fetch that came back is a sign of life too: a slow server is not a dead verifier.
        with self._changed:
            self._last_sign = time.monotonic()
        self.send(message)

    # --- endings --------------------------------------------------------------------------

    def _fail(self, reason: str, summary: str, found: str) -> Failure:
        failure = Failure(
            reason,
            summary,
            expected="a verdict from " + " ".join(self._command),
            found=found,
            advice="Run `pip-intoto doctor`; to repair, `pip-intoto enable` again.",
        )
        return self._set_failure(failure)

    def _set_failure(self, failure: Failure) -> Failure:
        """Keep the first failure, which is the cause of the others, and return it."""
        with self._changed:
            first = self._failure = self._failure or failure
            self._changed.notify_all()
        self._kill()
        return first

    def _kill(self) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            if os.name == "nt":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)

    def _last_words(self) -> str:
        process = self._process
        if process is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limits.FAREWELL_SECONDS)
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - limits.STDERR_TAIL))
        tail = self._stderr.read().decode("utf-8", "replace").strip()
        return _ending(process.returncode) + (f"; it said: {tail}" if tail else "")


def _ending(status: int | None) -> str:
    """How a process ended, with the name of the signal that ended it."""
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):
            return f"exit status {status} ({signal.Signals(-status).name})"
    return f"exit status {status}"


def _nothing_to_fetch(_request: Message, _answer: Callable[[Message], None]) -> None:
    raise ValueError("a fetch before anything was announced")
