"""Verifiers that do what a test tells them, in the place of the real one.

A stand-in is a small script, named in the file beside the gate that also names the real verifier.
It is written as a few lines with the words of :data:`_WORDS`::

    appoint(environment, "greet(); ready(); die()")
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pip_intoto_gate import settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Environment

_WORDS = '''\
import json, os, resource, signal, subprocess, sys, time


def raw(data):
    while data:
        data = data[os.write(1, data):]


def say(**message):
    raw(json.dumps(message).encode() + b"\\n")


def hear(kind):
    """Wait for a message of this type; leave when pip has gone, as the real verifier does."""
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            os._exit(0)
        message = json.loads(line)
        if message["type"] == kind:
            return message


def greet(**changes):
    say(**dict({"type": "hello", "protocol": 1, "version": "0.1.0"}, **changes))


def ready(**changes):
    hear("open")
    say(**dict({"type": "ready", "mode": "enforce", "unlisted": "deny", "listed": 1,
        "sha256": None, "protected": [], "templates": []}, **changes))


def verdict(**changes):
    asked = hear("decide")
    say(**dict({"type": "verdict", "id": asked["id"], "status": "verified",
        "reason": "verified", "action": "pass", "summary": "as told", "expected": "",
        "found": "", "advice": "", "sha256": asked["sha256"], "build": "any", "trace": []},
        **changes))


def die(signal_number=signal.SIGKILL):
    os.kill(os.getpid(), signal_number)
    time.sleep(60)


def sleep():
    time.sleep(60)


'''

#: Lets the real verifier run with other limits: what takes half a minute takes a second.
_REAL = """\
import dataclasses, sys
sys.path[:0] = [{packages!r}]
from pip_intoto import limits
limits.DEFAULT = dataclasses.replace(limits.DEFAULT, **{changes!r})
from pip_intoto.verifier.process import main
main()
"""


def appoint(environment: Environment, lines: str, *, seconds: float = 20) -> None:
    """Have a script of these lines be the verifier, with so many seconds to give a sign of life."""
    script = _entry(environment, "standin.py", _WORDS + lines + "\n")
    mark(environment, verifier=[str(environment.python), "-I", str(script)], seconds=seconds)


def appoint_real(environment: Environment, *, seconds: float = 20, **limits: int) -> None:
    """Have the real verifier serve, with other limits than its own."""
    text = _REAL.format(packages=str(environment.site_packages), changes=limits)
    script = _entry(environment, "limited.py", text)
    mark(environment, verifier=[str(environment.python), "-I", str(script)], seconds=seconds)


def _entry(environment: Environment, name: str, text: str) -> Path:
    # As deep as the real entry in its package, which is what no wheel may overwrite.
    folder = environment.home / "standin" / "verifier"
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    script.write_text(text, encoding="utf-8")
    return script


def mark(environment: Environment, **members: object) -> None:
    """Write the file that ``pip-intoto enable`` leaves beside the gate."""
    text = json.dumps({"enabled": True, **members})
    environment.rewrite(marker(environment), text)


def unmark(environment: Environment) -> None:
    """Give the environment its real verifier back."""
    marker(environment).unlink(missing_ok=True)


def marker(environment: Environment) -> Path:
    """Tell where that file lies."""
    return environment.site_packages / settings.MARKER
