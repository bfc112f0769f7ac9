"""Running one command that the policy, or the command line, allows (I4).

Without a shell, without input, in a directory that the caller gives. Of the environment the
command sees the absolute part of ``PATH`` and what says which language to speak; ``HOME`` and
the places for temporary files are an empty directory of its own, and everything else, which may
be a secret, is gone. It is stopped, and all that it started with it, when it takes too long or
says too much.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.errors import InspectionFailed
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO

    from pip_intoto.limits import Limits

#: What a command may know of the environment, besides PATH.
_VARIABLES = ("SYSTEMROOT", "COMSPEC", "PATHEXT", "LANG", "LC_ALL")
#: Where programs look for a place of their own.
_PLACES = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")
_BLOCK = 64 * 1024
_TAIL = 1_024
_TAIL_SHOWN = 70
#: How often a command that goes on is looked at, and how long its last words are waited for.
_GLANCE = 0.1
_LAST_WORDS = 1.0

#: Commands that run at this moment, and the directories made for them, for :func:`stop_all`.
_running: set[subprocess.Popen[bytes]] = set()
scratches: set[Path] = set()
#: Another thread is ending this process, which takes it no longer than that.
_ending = threading.Event()
_FAREWELL = 10.0


@dataclass(slots=True)
class _Said:
    """What a command said: how much, and how it ended."""

    length: int = 0
    tail: bytes = b""


def run_command(
    run: Sequence[str], directory: Path, home: Path, *, place: str, limits: Limits
) -> None:
    """Run ``run`` in ``directory``, with ``home`` as its only other directory, until it ends.

    Raises :class:`InspectionFailed` unless it ends in time, with status 0, and says no more than
    ``limits.inspection_output`` bytes.
    """
    try:
        process = subprocess.Popen(
            list(run),
            cwd=directory,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            # A group of its own, so that its children end with it.
            start_new_session=os.name == "posix",
        )
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise InspectionFailed(
            "The inspection's command cannot be run", found=f"{why}: {shown(run[0])}", place=place
        ) from error
    said = _Said()
    _running.add(process)
    # Threads are what every system has for reading while waiting.
    listener = threading.Thread(
        target=_listen, args=(process.stdout, said, limits.inspection_output), daemon=True
    )
    listener.start()
    try:
        status = _await(process, said, limits)
    finally:
        # Whatever the command left behind must not touch the files any more.
        _stop(process)
        process.wait()
        if _ending.is_set():
            # Why the command failed is nobody's business any more, and two threads must not
            # take the process down at once.
            time.sleep(_FAREWELL)
        _running.discard(process)
        listener.join(_LAST_WORDS)
    tail = said.tail.decode("utf-8", "replace").strip()
    words = "; it said: " + shown(tail[-_TAIL_SHOWN:]) if tail else ""
    if said.length > limits.inspection_output:
        raise InspectionFailed(
            "The inspection's command said too much, and was stopped",
            expected=f"at most {limits.inspection_output} bytes",
            found=f"more{words}",
            place=place,
        )
    if status is None:
        raise InspectionFailed(
            "The inspection's command did not end",
            expected=f"an end within {limits.inspection_seconds} seconds",
            found=f"none{words}",
            place=place,
        )
    # I4: "If the result is not 0, then the inspection was not successful and validation should
    # halt."
    if status != 0:
        raise InspectionFailed(
            "The inspection's command did not succeed",
            expected="exit status 0",
            found=f"exit status {status}{words or ', without a word'}",
            place=place,
        )


def stop_all() -> None:
    """Stop every command that runs, and clear up after it: this process is about to end."""
    _ending.set()
    for process in tuple(_running):
        _stop(process)
    for scratch in tuple(scratches):
        shutil.rmtree(scratch, ignore_errors=True)


def _environment(home: Path) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    # A relative entry, the empty one among them, would be looked up beside the product.
    entries = os.environ.get("PATH", "").split(os.pathsep)
    absolute = [entry for entry in entries if Path(entry).is_absolute()]
    environment["PATH"] = os.pathsep.join(absolute) or os.defpath
    return environment | dict.fromkeys(_PLACES, str(home))


def _listen(pipe: FileIO, said: _Said, at_most: int) -> None:
    # Closed as soon as it is too much, so that the command is not only stopped but unheard.
    with suppress(OSError), pipe:
        while said.length <= at_most and (block := pipe.read(_BLOCK)):
            said.length += len(block)
            said.tail = (said.tail + block)[-_TAIL:]


def _await(process: subprocess.Popen[bytes], said: _Said, limits: Limits) -> int | None:
    """Return the exit status; None when the command has to be stopped."""
    deadline = time.monotonic() + limits.inspection_seconds
    while True:
        left = deadline - time.monotonic()
        try:
            return process.wait(max(0.0, min(_GLANCE, left)))
        except subprocess.TimeoutExpired:
            if left <= 0 or said.length > limits.inspection_output:
                return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
