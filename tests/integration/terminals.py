"""A real terminal for commands that ask: what is typed, and what is to be seen of it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Makes the terminal that it is told the one that `/dev/tty` stands for, as a shell does.
_LEAD = (
    "import os, sys\n"
    "os.close(os.open(sys.argv[1], os.O_RDWR))\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command did on a terminal; ``screen`` is what it showed there."""

    status: int
    screen: str
    out: str
    err: str


def converse(
    command: Sequence[str | Path],
    answers: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str],
    seconds: float = 30,
) -> Session:
    """Run a command on a terminal of its own, and answer each of its prompts.

    A prompt is what ends in ``": "``. What comes after the last answer is waited for. *command*
    begins with the path of a program.
    """
    master, slave = os.openpty()
    screen = b""
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _LEAD, os.ttyname(slave), *command],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(variables),
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + seconds
            for answer in answers:
                screen += _prompt(master, process, deadline)
                os.write(master, answer.encode() + b"\n")
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
            process.wait()
        while select.select([master], [], [], 0)[0]:
            screen += os.read(master, 4096)
    finally:
        os.close(slave)
        os.close(master)
    return Session(
        status=process.returncode, screen=screen.decode(), out=out.decode(), err=err.decode()
    )


def _prompt(master: int, process: subprocess.Popen[bytes], deadline: float) -> bytes:
    shown = b""
    while not shown.endswith(b": "):
        if select.select([master], [], [], 0.05)[0]:
            shown += os.read(master, 4096)
        elif process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"no prompt, but {shown!r}")
    return shown
