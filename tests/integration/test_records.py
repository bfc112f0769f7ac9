"""What the gate leaves beside what pip installs: a record of the file and of its verdict."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.distributions import Built, sdist, wheel
from pip_intoto.environments import find_environment
from pip_intoto.verifier.inventory import Inventory
from tests.integration.world import Evidence, World

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.verifier.installed import Installed
    from tests.integration.conftest import MakeEnvironment
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

RECORD = "pip_intoto.json"
ENTRY_POINTS = b"[console_scripts]\ndemo-tool = demo:main\n"

PAIRS = [
    pytest.param(None, "26.3", id="own-26.3"),
    *(
        pytest.param(python, pip, marks=pytest.mark.matrix, id=f"{python or 'own'}-{pip}")
        for python, pip in (
            *((None, pip) for pip in ("22.3.1", "23.2.1", "24.3.1", "25.3")),
            *(("3.8", pip) for pip in ("22.3.1", "24.3.1")),
            *(("3.9", pip) for pip in ("23.2.1", "25.3")),
        )
    ),
]


def with_everything(version: str = "1.0") -> Built:
    """Build a wheel that has something for each of pip's directories, and a command."""
    return wheel(
        "demo",
        version,
        modules={
            "demo/__init__.py": b"def main():\n    print('here')\n",
            "demo/data.txt": b"data\n",
            f"demo-{version}.dist-info/entry_points.txt": ENTRY_POINTS,
        },
        data={
            "scripts/demo-script": b"#!python\nprint('script')\n",
            "scripts/demo-plain": b"#!/bin/sh\necho plain\n",
            "data/share/demo/readme": b"read me\n",
            "headers/demo.h": b"/* nothing */\n",
            "purelib/demo_extra.py": b"EXTRA = 1\n",
        },
    )


def record_in(site_packages: Path, name: str = "demo-1.0") -> dict[str, Any]:
    """Read a record, having checked that RECORD names it as it is."""
    folder = site_packages / f"{name}.dist-info"
    data = (folder / RECORD).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    with (folder / "RECORD").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[-1] == [f"{name}.dist-info/{RECORD}", f"sha256={digest}", str(len(data))]
    found: dict[str, Any] = json.loads(data)
    assert found["files"] == [row for row in rows[:-1] if row[1]]
    return found


@pytest.fixture
def world(environment: Environment, index: Index, tmp_path: Path) -> World:
    return World(environment=environment, index=index, folder=tmp_path, evidence=Evidence.GOOD)


@pytest.mark.parametrize(("python", "pip"), PAIRS)
def test_an_install_leaves_a_record_of_file_verdict_and_rows(
    make_environment: MakeEnvironment, index: Index, tmp_path: Path, python: str | None, pip: str
) -> None:
    environment = make_environment(python, pip)
    world = World(environment=environment, index=index, folder=tmp_path, evidence=Evidence.GOOD)
    built = with_everything()
    url = world.serve(built)
    done = world.pip("install", "demo")
    assert done.status == 0, done.output
    record = record_in(environment.site_packages)
    policy = (tmp_path / "policy" / "policy.toml").read_bytes()
    assert record["policy"] == {"sha256": hashlib.sha256(policy).hexdigest(), "mode": "enforce"}
    assert record["verdict"] == {"status": "verified", "reason": "verified", "action": "pass"}
    assert (record["name"], record["version"], record["kind"]) == ("demo", "1.0", "wheel")
    assert (record["filename"], record["sha256"]) == (built.filename, built.sha256)
    assert (record["url"], record["index"]) == (url, f"{index.simple}demo/")
    assert record["requested"] is True
    assert "built" not in record
    assert record["schema"] == 1
    paths = {row[0] for row in record["files"]}
    assert {
        "demo/__init__.py",
        "demo_extra.py",
        "../../../bin/demo-tool",
        "../../../bin/demo-script",
        "../../../share/demo/readme",
        "demo-1.0.dist-info/INSTALLER",
        "demo-1.0.dist-info/METADATA",
    } <= paths
    # And pip takes it away again.
    done = world.pip("uninstall", "-y", "demo")
    assert done.status == 0, done.output
    assert not list(environment.site_packages.glob("demo*"))


@pytest.mark.parametrize(("python", "pip"), PAIRS)
def test_nothing_that_pip_writes_is_a_false_alarm(
    make_environment: MakeEnvironment, index: Index, tmp_path: Path, python: str | None, pip: str
) -> None:
    environment = make_environment(python, pip)
    world = World(environment=environment, index=index, folder=tmp_path, evidence=Evidence.GOOD)
    world.serve(with_everything())
    done = world.pip("install", "demo")
    assert done.status == 0, done.output
    inventory = Inventory(find_environment(str(environment.python)))
    demo = project(inventory, "demo")
    files = inventory.check_files(demo)
    assert files.are_intact, files
    assert files.against == "record"
    assert files.compared == len(record_in(environment.site_packages)["files"])
    assert demo.sha256 == with_everything().sha256
    # Nor with what was installed by others: pip itself has no record, and a list of its own.
    pip_itself = project(inventory, "pip")
    assert (pip_itself.record, pip_itself.version) == (None, pip)
    assert inventory.check_files(pip_itself).are_intact
    assert inventory.unclaimed == ()


def project(inventory: Inventory, name: str) -> Installed:
    (found,) = [project for project in inventory.projects if project.name == name]
    return found
