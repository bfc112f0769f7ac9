"""The page on what is installed is followed, in an environment of its own and for another one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from fixtures.distributions import wheel
from tests.integration.pages import Shell, commands

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index


def test_every_command_of_the_page_runs_and_finds_what_was_changed(
    environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    here, there, with_wheels = commands("docs/how-to/check-what-is-installed.md")
    built = wheel("demo")
    index.publish(built, chain)
    policy = chain.policy(environment.home / ".config" / "pip-intoto")
    done = environment.pip("install", "demo", index=index, policy=policy)
    assert done.status == 0, done.output
    shell = Shell(environment, tmp_path, index)
    service = environment.home / "service"
    service.mkdir()
    (service / ".venv").symlink_to(environment.root)
    (shell.work / "wheelhouse").mkdir()
    built.write(shell.work / "wheelhouse")
    for command in (here, there, with_wheels):
        done = shell.run(command)
        assert done.status == 0, done.output
        assert "demo-1.0-py3-none-any.whl: verified" in done.stdout
        assert "verified when it was installed on 20" in done.stdout
    environment.rewrite(environment.site_packages / "demo.py", "VERSION = 2\n")
    for command in (here, there, with_wheels):
        done = shell.run(command)
        assert done.status == 1, done.output
        assert "installed-files-changed" in done.stdout
        assert "changed: demo.py" in done.stdout
    shutil.rmtree(shell.work / "wheelhouse")
