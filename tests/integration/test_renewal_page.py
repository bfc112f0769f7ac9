"""The page on renewing layouts can be followed, by one owner and by two."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.shipped import write_bundle
from fixtures.supply_chain import SupplyChain
from pip_intoto import verify
from pip_intoto.maintainer import documents
from pip_intoto.maintainer.keys import key_files
from pip_intoto.verdict import Status
from tests.integration.pages import sections
from tests.integration.programs import programs, variables

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/how-to/renew-a-layout.md"
SOON = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=7)
OWNERS = {"ada": key("owner"), "bob": key("second-owner")}
SOURCE = """
version = 1
project = "demo"
expires = "6 months"
owners = {keys = ["ada", "bob"]}
step = [{name = "build", functionaries = ["ada"], products = ["CREATE demo-*", "DISALLOW *"]}]
[keys.ada]
public = "../keys/ada.pub"
[keys.bob]
public = "../keys/bob.pub"
"""


@dataclass(frozen=True)
class Desk:
    """A working directory, and keys beside it."""

    folder: Path
    chain: SupplyChain

    def types(self, command: str) -> str:
        """Type one command, which must succeed; give what it said."""
        # The year of the page will be over some day.
        command = command.replace("2028-06-30", f"{SOON + timedelta(days=200):%Y-%m-%d}")
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=variables(self.folder.parent / "bin"),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    @property
    def verifies(self) -> bool:
        """Whether the published wheel does, for somebody who trusts all owners."""
        policy = self.chain.policy(self.folder / "user")
        (found,) = (self.folder / "public").glob("*.whl")
        return verify(found, policy=policy).status is Status.VERIFIED


def desk(folder: Path, chain: SupplyChain) -> Desk:
    work = folder / "work"
    (work / "public").mkdir(parents=True)
    for name, each in {**OWNERS, "owner": OWNERS["ada"]}.items():
        key_files.write_pair(folder / "keys" / name, each)
    programs(folder / "bin")
    built = wheel("demo")
    write_bundle(built.write(work / "public"), chain.evidence(built))
    documents.of(dict(chain.root().content)).write(work / "root.layout")
    return Desk(work, chain)


@pytest.mark.skipif(os.name != "posix", reason="the page is for a POSIX shell")
def test_one_owner_can_follow_the_page(tmp_path: Path) -> None:
    alone = desk(tmp_path, SupplyChain(project="demo", expires=SOON))
    said = {
        command: alone.types(command)
        for number in ("1", "2", "3")
        for command in sections(PAGE)[number]
    }
    assert len(said) == 6
    assert sum("Both layouts mean the same." in each for each in said.values()) == 1
    assert sum("2 files renewed" in each for each in said.values()) == 1
    assert alone.verifies


@pytest.mark.skipif(os.name != "posix", reason="the page is for a POSIX shell")
def test_two_owners_can_follow_the_page(tmp_path: Path) -> None:
    chain = replace(SupplyChain(project="demo", expires=SOON), owners=tuple(OWNERS.values()))
    both = desk(tmp_path, chain)
    (both.folder / "supply-chain.toml").write_text(SOURCE)
    first, second, *rest = sections(PAGE)["4"]

    assert "still to sign: bob" in both.types(first)
    assert (both.folder / "root.layout.renewed").is_file()
    assert both.verifies

    assert "still to sign" not in both.types(second)
    assert not (both.folder / "root.layout.renewed").exists()
    assert both.verifies
    assert len(re.findall(r"--append|status|diff|build", " ".join(rest))) >= 4
    for command in rest:
        both.types(command)
