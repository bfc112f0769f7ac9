"""The page on rolling out is followed, and what it says of each step is so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from tests.integration.interpreters import ROOT
from tests.integration.lockwriting import pylock
from tests.integration.pages import sections
from tests.integration.pipelines import Machine

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.loopback import Index

PAGE = "docs/how-to/roll-out.md"
TEXT = (ROOT / PAGE).read_text("utf-8")
(BEGIN, DENY) = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
EXCEPTION = """
[[exception]]
project = "other"
version = "<2"
reason = "nobody there makes evidence yet"
owner = "ann@acme.example"
expires = 2099-12-31
"""
DEMO, OTHER = wheel("demo"), wheel("other")


@pytest.fixture
def machine(index: Index, tmp_path: Path) -> Machine:
    """Give a machine with a lock of one project that has evidence and one that has not."""
    made = Machine.at(tmp_path / "work")
    for folder in ("ci", "keys"):
        (made.folder / folder).mkdir()
    (made.folder / "keys" / "alice.pub").write_bytes(key("owner").public_pem())
    (made.folder / "ci" / "policy.toml").write_text(BEGIN, "utf-8")
    index.add(OTHER)
    (made.folder / "pylock.toml").write_text(pylock(index, DEMO, OTHER), "utf-8")
    return made


def test_the_page_can_be_followed(machine: Machine, index: Index, chain: SupplyChain) -> None:
    index.publish(DEMO, chain)
    policy = machine.folder / "ci" / "policy.toml"
    parts = sections(PAGE)
    assert {number: len(typed) for number, typed in parts.items()} == {
        "1": 1, "2": 2, "3": 1, "4": 1, "5": 1,
    }  # fmt: skip

    def types(command: str, status: int = 0) -> str:
        done = machine.run(command, {"PIP_INDEX_URL": index.simple})
        assert done.returncode == status, f"$ {command}\n{done.stdout}"
        return done.stdout

    def edit(old: str, new: str) -> None:
        text = policy.read_text("utf-8")
        assert text.count(old) == 1
        policy.write_text(text.replace(old, new), "utf-8")

    (look,) = parts["1"]
    assert "0 verified, 2 unlisted" in types(look, 2)
    assert (machine.folder / "report.html").exists()

    add, verify = parts["2"]
    assert "demo needs a layout signed by alice" in types(add)
    assert "1 verified, 1 unlisted" in types(verify)

    (hold,) = parts["3"]
    assert "coverage: 50.0 % (1 of 2 verified)" in types(hold)
    types(hold.replace("50", "51"), 1)

    (verify,) = parts["4"]
    edit('mode = "warn"\n', "")
    assert "unlisted, warn" in types(verify)

    (verify,) = parts["5"]
    edit('unlisted = "warn"\n', DENY)
    assert "unlisted, block" in types(verify, 1)
    with policy.open("a") as file:
        file.write(EXCEPTION)
    said = types(verify)
    assert "1 verified, 1 exempt" in said
    for part in ("until 2099-12-31", "ann@acme.example", "nobody there makes evidence yet"):
        assert part in said
    assert "coverage: 50.0 %" in said
    edit("2099-12-31", "2026-01-31")
    assert "unlisted, block" in types(verify, 1)


def test_nothing_is_listed_that_does_not_verify(machine: Machine, index: Index) -> None:
    index.add(DEMO)
    add, _ = sections(PAGE)["2"]
    done = machine.run(add, {"PIP_INDEX_URL": index.simple})
    assert done.returncode != 0
    assert "Nothing was written" in done.stdout
    assert (machine.folder / "ci" / "policy.toml").read_text("utf-8") == BEGIN


def test_in_warn_mode_what_would_block_is_shown_and_does_not(
    machine: Machine, index: Index, chain: SupplyChain
) -> None:
    index.publish(DEMO, chain)
    policy = machine.folder / "ci" / "policy.toml"
    add, verify = sections(PAGE)["2"]
    for command in (add, add.replace("demo", "other").replace(" --try", "")):
        done = machine.run(command, {"PIP_INDEX_URL": index.simple})
        assert done.returncode == 0, done.stdout
    warned = machine.run(verify)
    assert warned.returncode == 0
    assert "other-1.0-py3-none-any.whl: missing [layout-missing], warn\n" in warned.stdout
    policy.write_text(policy.read_text("utf-8").replace('mode = "warn"\n', ""), "utf-8")
    blocked = machine.run(verify)
    assert blocked.returncode == 1

    def findings(said: str) -> str:
        return said.partition("\n\n")[0].replace(", warn\n", ", block\n")

    assert findings(warned.stdout) == findings(blocked.stdout)
