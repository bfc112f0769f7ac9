"""What the gate does about a verdict, and that it does so each time it is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pip._internal.req.constructors import install_req_from_line

from fixtures.distributions import wheel
from pip_intoto_gate.blocked import Blocked
from pip_intoto_gate.gate import Gate

if TYPE_CHECKING:
    from pathlib import Path


class Verifier:
    """Answers every question with one action."""

    def __init__(self, action: str) -> None:
        self._action = action
        self._digests: dict[int, str | None] = {}

    def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "decide":
            self._digests[message["id"]] = message["sha256"]

    def ready(self) -> dict[str, Any]:
        return {"mode": "enforce", "protected": [], "templates": []}

    def verdict(self, number: int) -> dict[str, Any]:
        return {
            "status": "invalid",
            "reason": "rule-violated",
            "action": self._action,
            "summary": "It is not what it should be.",
            "sha256": self._digests[number],
        }

    def close(self) -> None:
        pass


def test_a_block_stays_a_block_when_pip_swallows_the_error_and_asks_again(tmp_path: Path) -> None:
    built = wheel("demo")
    path = tmp_path / built.filename
    path.write_bytes(built.data)
    settings = SimpleNamespace(verifier=["python", "/nowhere/pip_intoto/verifier/__main__.py"])
    gate = Gate(str(tmp_path), SimpleNamespace(settings=settings), {})  # type: ignore[arg-type]
    gate._verifier = Verifier("block")  # type: ignore[assignment]
    req = install_req_from_line(f"demo @ {path.as_uri()}")
    req.local_file_path = str(path)
    scheme = SimpleNamespace(
        **dict.fromkeys(("purelib", "platlib", "scripts", "headers", "data"), str(tmp_path / "env"))
    )
    for _ in range(2):
        with pytest.raises(Blocked, match="rule-violated"):
            gate.settle([req])
    with pytest.raises(Blocked, match="rule-violated"):
        gate.sweep([req], lambda _req: scheme)


@pytest.mark.parametrize(
    ("requirement", "name", "version"),
    [
        ("demo @ https://host/demo-1.0.tar.gz", "demo", "1.0"),
        # An old spelling of 9.0.post1, and not a version that an exception for "<2" covers.
        ("demo @ https://host/demo-9.0-1.tar.gz", "demo", "9.0-1"),
        ("acme.demo @ https://host/acme-demo-9.0-1.zip", "acme-demo", "9.0-1"),
        ("https://host/acme-demo-1.0.zip", "acme-demo", "1.0"),
        ("demo @ https://host/demo-1.0-1-py3-none-any.whl", "demo", "1.0"),
    ],
)
def test_what_is_announced_is_the_version_that_pip_takes_it_for(
    requirement: str, name: str, version: str, tmp_path: Path
) -> None:
    settings = SimpleNamespace(verifier=["python", "/nowhere/pip_intoto/verifier/__main__.py"])
    gate = Gate(str(tmp_path), SimpleNamespace(settings=settings), {})  # type: ignore[arg-type]
    gate._verifier = Verifier("pass")  # type: ignore[assignment]
    announced = gate.announce(install_req_from_line(requirement)).announcement
    assert (announced["name"], announced["version"]) == (name, version)
