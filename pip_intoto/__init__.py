"""pip install, verified: in-toto supply-chain verification for pip.

As a library: ``pip_intoto.verify("dist/demo-1.0-py3-none-any.whl", policy="policy.toml")`` gives
a verdict with ``status``, ``reason`` and ``trace``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pip_intoto.distribution import Distribution, Kind
    from pip_intoto.errors import PipIntotoError
    from pip_intoto.policy.file import load_policy
    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Action, Outcome, Status, TraceEntry, Verdict
    from pip_intoto.verifier.local import verify

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Distribution",
    "Kind",
    "Outcome",
    "PipIntotoError",
    "Policy",
    "Status",
    "TraceEntry",
    "Verdict",
    "__version__",
    "load_policy",
    "verify",
]

#: Where each public name lives. They are imported when they are asked for: the verifier process
#: imports this package too, and the gate waits for its first message.
_HOMES = {
    "Action": "verdict",
    "Distribution": "distribution",
    "Kind": "distribution",
    "Outcome": "verdict",
    "PipIntotoError": "errors",
    "Policy": "policy.model",
    "Status": "verdict",
    "TraceEntry": "verdict",
    "Verdict": "verdict",
    "load_policy": "policy.file",
    "verify": "verifier.local",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Imported here for start-up time.
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
