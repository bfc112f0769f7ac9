"""Processes that tests interrupt, and whether any stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.integration.environments import Environment

PROC = Path("/proc")


@contextlib.contextmanager
def started(
    environment: Environment, *arguments: str | Path, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start pip as the leader of a group, as a shell does; in the end nothing of it is left."""
    process = subprocess.Popen(
        environment.command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment.variables(variables),
        cwd=environment.home / "work",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for number in of(environment):
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)


def stop(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal until pip ends: Ctrl-C to the whole group, anything else to pip alone.

    A signal that arrives between Python's last look for one and a system call that blocks waits
    until that call returns. Whoever stops a process sends another then; one is nearly always
    enough, and a pip that hangs for a reason of its own survives the second as well.
    """
    _deliver(process, number)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        _deliver(process, number)
        process.wait(15)


def _deliver(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if number is signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def of(environment: Environment) -> dict[int, str]:
    """Give the processes that run out of this environment or on behalf of it: id → command."""
    found: dict[int, str] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(environment.root.parent) in command:
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def verifiers(environment: Environment) -> dict[int, str]:
    """Give those of them that are verifiers."""
    return {
        number: command
        for number, command in of(environment).items()
        if "verifier/__main__.py" in command or "standin.py" in command or "limited.py" in command
    }


def busy(environment: Environment, *, seconds: float) -> bool:
    """Tell whether a verifier has used so much processor time."""
    for number in verifiers(environment):
        with contextlib.suppress(OSError):
            fields = (PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
            if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") >= seconds:
                return True
    return False


def comes_true(what: Callable[[], object], *, within: float = 15) -> bool:
    """Wait until *what* gives something true; False when it never does."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return bool(what())
