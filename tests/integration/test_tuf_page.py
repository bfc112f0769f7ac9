"""The page on TUF, typed: a maintainer makes the repository, and a consumer installs from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from tests.integration import environments, interpreters
from tests.integration.pages import Shell, sections
from tests.integration.programs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.loopback import Index

PAGE = "docs/how-to/distribute-with-tuf.md"
DEMO = wheel("demo")
BUNDLE = f"{DEMO.filename}.intoto.jsonl"


def block(language: str) -> str:
    """Give the page's one block in a language."""
    found = re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / PAGE).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (text,) = found
    return str(text)


def serve(site: Path, index: Index) -> None:
    """Put the whole site on the server, as the page leaves to the maintainer."""
    for path in site.rglob("*"):
        if path.is_file():
            index.put(f"/{path.relative_to(site).as_posix()}", path.read_bytes())


@pytest.mark.matrix
def test_every_command_of_the_page_on_tuf_runs(index: Index, tmp_path: Path) -> None:
    environment = environments.create(
        tmp_path, interpreters.own(), interpreters.NEWEST_PIP, armed=True, extras=("tuf",)
    )
    here = Shell(environment, tmp_path / "shell", index)
    chain = SupplyChain(project="demo")
    second = SupplyChain(project="demo", owners=(key("second-owner"),))
    for folder in ("release/demo", "release/keys", "dist"):
        (here.work / folder).mkdir(parents=True)
    DEMO.write(here.work / "release" / "demo")
    DEMO.write(here.work / "dist")
    (here.work / "release" / "demo" / BUNDLE).write_bytes(chain.bundle(DEMO))
    (here.work / "release" / "keys" / "owner.pub").write_bytes(key("owner").public_pem())
    (here.work / "publish.py").write_text(block("python"), "utf-8")
    (here.work.parent / "second-owner.pub").write_bytes(key("second-owner").public_pem())
    (here.work.parent / "resigned.intoto.jsonl").write_bytes(second.bundle(DEMO))
    index.add(DEMO)

    def type_(*commands: str) -> None:
        for command in commands:
            done = here.run(command)
            assert done.status == 0, f"{command}\n{done.output}"
            if "publish.py" in command:
                serve(here.work / "site", index)

    parts = sections(PAGE)
    assert {number: len(typed) for number, typed in parts.items()} == {
        "1": 1, "2": 2, "3": 2, "4": 4,
    }  # fmt: skip
    type_(*parts["1"])
    root = (here.work / "site" / "metadata" / "1.root.json").read_bytes()
    (here.work / "1.root.json").write_bytes(root)
    policy = block("toml").replace("https://tuf.acme.example", index.origin)
    (here.work / "policy.toml").write_text(policy, "utf-8")
    type_(*parts["2"])
    assert environment.installed() == {"demo-1.0"}
    type_(*parts["3"])

    # What the page says of the old owner's layout.
    removal, copied, published, verified = parts["4"]
    type_(removal)
    serve(here.work / "site", index)
    type_(published)
    done = here.run(verified)
    assert done.status == 1, done.output
    assert "layout-signature-missing" in done.output
    type_(copied, published, verified)
