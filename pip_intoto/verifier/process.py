"""The process that decides for the gate: one loop, no event library, no socket.

It says hello before it imports anything of weight, because the gate is waiting for that. Then it
reads the policy that it is told of, and judges each distribution as a coroutine: where that wants
something fetched, the gate is asked; where it wants the digest, the gate will say it.

Anything unexpected ends the process with a sentence on standard error. For the gate, a verifier
that ends early is a reason to block.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from pip_intoto import __version__
from pip_intoto.verifier.protocol import PROTOCOL, Garbage, Message, Wire

if TYPE_CHECKING:
    from types import FrameType

    from pip_intoto.limits import Limits
    from pip_intoto.verifier.protocol import Value

#: Exit statuses, after sysexits: the gate spoke garbage; a fault of our own.
_GARBAGE = 65
_FAULT = 70


def main() -> NoReturn:
    """Serve the gate on standard input and output until it closes them."""
    # Asked first of all: from the first message on, the parent may end at any moment.
    parent = os.getppid()
    wire = Wire.take()
    # Ctrl-C reaches pip, which ends this process by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        wire.send({"type": "hello", "protocol": PROTOCOL, "version": __version__})
        # Imported here for start-up time: the first message is on its way by now, and the rest
        # is loaded while the gate reads it.
        from pip_intoto.limits import DEFAULT

        _restrict(wire, DEFAULT)
        from pip_intoto.verifier.inbox import Inbox, leave

        inbox = Inbox(wire.incoming, parent, DEFAULT)
        inbox.start()
        from pip_intoto.verifier.service import Service

        service = Service(wire, DEFAULT)
        while True:
            service.handle(Message.parse(inbox.next()))
            if service.ended:
                leave("", 0)
    except Garbage as error:
        _leave(f"the gate said something unexpected: {error}", _GARBAGE)
    except BrokenPipeError:
        _leave("", 0)
    except MemoryError:
        _fail(wire, "it ran out of memory")
    except BaseException as error:  # noqa: BLE001  (whatever it is, the gate must hear of it)
        # Imported here for start-up time.
        import traceback

        traceback.print_exc()
        _fail(wire, f"it met an error of its own: {type(error).__name__}: {error}"[:1_000])


def _restrict(wire: Wire, limits: Limits) -> None:
    """Bound address space and processor time, where the system can."""
    try:
        # Imported here because Windows does not have it.
        import resource
    except ImportError:
        return

    def lower(what: int, soft: int, hard: int) -> None:
        _, ceiling = resource.getrlimit(what)
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        try:
            resource.setrlimit(what, (soft, hard))
        except (ValueError, OSError):
            # Some systems (macOS) know the name of a limit and refuse to set it.
            return

    def out_of_time(_signal: int, _frame: FrameType | None) -> None:
        _fail(wire, f"it used more than {limits.cpu_seconds} seconds of processor time")

    signal.signal(signal.SIGXCPU, out_of_time)
    lower(resource.RLIMIT_AS, limits.address_space, limits.address_space)
    # The hard limit kills: a second chance to end where the handler is never reached.
    lower(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 5)
    # A core file would hold what passed through the pipes.
    lower(resource.RLIMIT_CORE, 0, 0)


def _fail(wire: Wire, why: str) -> NoReturn:
    """Tell the gate that no verdict will come, and end."""
    message: dict[str, Value] = {
        "type": "failed",
        "reason": "verifier-unavailable",
        "summary": f"The verifier stopped: {why}.",
        "expected": "",
        "found": "",
        "advice": "",
        "place": "",
    }
    with contextlib.suppress(OSError, MemoryError):
        wire.send(message)
    _leave(why, _FAULT)


def _leave(why: str, status: int) -> NoReturn:
    if why:
        sys.stderr.write(f"pip-intoto verifier: {why}\n")
    sys.stderr.flush()
    # Without the interpreter's own farewell: pip waits for the end of this process.
    os._exit(status)
