"""The page on sites without a network, typed on both sides of the gap."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from tests.integration.pages import Shell, sections

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

PAGE = "docs/how-to/air-gapped.md"
DEMO = wheel("demo")


def test_every_command_of_the_page_on_air_gaps_runs(
    environment: Environment, chain: SupplyChain, index: Index, tmp_path: Path
) -> None:
    parts = sections(PAGE)
    assert {number: len(typed) for number, typed in parts.items()} == {
        "1": 1, "2": 0, "3": 2, "4": 3,
    }  # fmt: skip
    index.publish(DEMO, chain)
    here = Shell(environment, tmp_path, index)
    (here.work / "wheelhouse").mkdir()
    DEMO.write(here.work / "wheelhouse")
    chain.policy(here.work)
    (here.work / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "demo"\nversion = "1.0"\n'
        f'wheels = [{{ url = "{index.url(DEMO)}", hashes = {{ sha256 = "{DEMO.sha256}" }} }}]\n',
        encoding="utf-8",
    )
    (export,) = parts["1"]
    done = here.run(export)
    assert done.status == 0, done.output
    names = sorted(path.name for path in (here.work / "evidence").iterdir())
    assert names == [f"{DEMO.filename}.intoto.jsonl", "manifest.json"]

    # The other side: nobody answers, and nothing is remembered.
    there = tmp_path / "there"
    shutil.copytree(here.work, there)
    index.requests.clear()
    policy = there / "policy.toml"
    here.variables |= {"XDG_CACHE_HOME": str(tmp_path / "none"), "INTOTO_POLICY": str(policy)}
    for command in (*parts["3"], *parts["4"]):
        done = here.run(command, there)
        assert done.status == 0, f"{command}\n{done.output}"
    assert environment.installed() == {"demo-1.0"}
    assert index.requests == []

    # What is lost on the way is missing there, and that is no success.
    (there / "evidence" / f"{DEMO.filename}.intoto.jsonl").unlink()
    done = here.run(parts["3"][0], there)
    assert done.status == 1, done.output
    assert "layout-missing" in done.output
