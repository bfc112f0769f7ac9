"""What the gate leaves beside what pip installs: a record of the file and of its verdict."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.distributions import sdist, wheel
from fixtures.supply_chain import SupplyChain
from pip_intoto.environments import find_environment
from pip_intoto.limits import DEFAULT
from pip_intoto.policy.file import load_policy
from pip_intoto.sources.web import Web
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.inventory import Inventory
from pip_intoto.verifier.judging_installed import check_installed
from tests.integration import measuring
from tests.integration.world import Evidence, World

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.distributions import Built
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
    assert unclaimed(inventory) == []


def unclaimed(inventory: Inventory) -> list[Path]:
    """Give what belongs to no project, but for what measures coverage there."""
    return [path for path in inventory.unclaimed if path.name != measuring.PTH]


def project(inventory: Inventory, name: str) -> Installed:
    (found,) = [project for project in inventory.projects if project.name == name]
    return found


def statuses(record: dict[str, Any]) -> tuple[str, str, str]:
    verdict = record["verdict"]
    return verdict["status"], verdict["reason"], verdict["action"]


def test_an_upgrade_replaces_the_record_and_a_reinstall_renews_it(world: World) -> None:
    site = world.environment.site_packages
    old, new = with_everything("1.0"), with_everything("2.0")
    world.serve(old)
    assert world.pip("install", "demo").status == 0
    assert record_in(site)["sha256"] == old.sha256
    world.serve(new)
    assert world.pip("install", "--upgrade", "demo").status == 0
    assert not (site / "demo-1.0.dist-info").exists()
    assert record_in(site, "demo-2.0")["sha256"] == new.sha256
    (site / "demo-2.0.dist-info" / RECORD).write_text("{}")
    assert world.pip("install", "--force-reinstall", "demo").status == 0
    assert record_in(site, "demo-2.0")["sha256"] == new.sha256


def test_what_passes_without_verification_is_recorded_as_that(world: World) -> None:
    site = world.environment.site_packages
    policy = SupplyChain(project="demo").policy(world.folder / "lenient", head='mode = "warn"')
    world.serve(wheel("demo"), evidence=Evidence.STRIPPED)
    world.index.add(wheel("stranger"))
    done = world.environment.pip("install", "demo", "stranger", index=world.index, policy=policy)
    assert done.status == 0, done.output
    assert statuses(record_in(site)) == ("missing", "layout-missing", "warn")
    assert record_in(site)["policy"]["mode"] == "warn"
    assert statuses(record_in(site, "stranger-1.0")) == ("unlisted", "unlisted", "warn")


def test_a_wheel_built_here_is_recorded_with_the_sdist_it_came_from(world: World) -> None:
    source = sdist("demo", runs=world.mark)
    world.serve(source)
    done = world.pip("install", "demo")
    assert done.status == 0, done.output
    record = record_in(world.environment.site_packages)
    assert (record["kind"], record["filename"]) == ("sdist", source.filename)
    assert record["sha256"] == source.sha256
    built = wheel("demo")
    assert record["built"] == {"filename": built.filename, "sha256": built.sha256}
    assert statuses(record) == ("verified", "verified", "pass")
    inventory = Inventory(find_environment(str(world.environment.python)))
    assert inventory.check_files(project(inventory, "demo")).are_intact


def test_a_directory_is_recorded_as_one(world: World, tmp_path: Path) -> None:
    with tarfile.open(sdist("tree", runs=world.mark).write(tmp_path)) as archive:
        archive.extractall(tmp_path / "src", filter="data")
    policy = world.folder / "lenient"
    done = world.environment.pip(
        *("install", tmp_path / "src" / "tree-1.0"),
        policy=SupplyChain(project="demo").policy(policy),
    )
    assert done.status == 0, done.output
    record = record_in(world.environment.site_packages, "tree-1.0")
    assert (record["kind"], record["sha256"]) == ("directory", None)
    assert record["url"] == (tmp_path / "src" / "tree-1.0").as_uri()
    assert statuses(record)[0] == "unverifiable"


def test_credentials_are_not_recorded(world: World) -> None:
    world.serve(wheel("demo"))
    secret = world.index.simple.replace("://", "://user:secret@")
    done = world.pip("install", "demo", PIP_INDEX_URL=secret)
    assert done.status == 0, done.output
    record = record_in(world.environment.site_packages)
    assert record["index"] == f"{world.index.simple}demo/"
    assert "secret" not in json.dumps(record)


@pytest.mark.parametrize("option", ["--target", "--prefix"])
def test_a_record_goes_where_the_project_goes(world: World, option: str) -> None:
    world.serve(wheel("demo"))
    elsewhere = world.elsewhere("elsewhere")
    done = world.pip("install", option, elsewhere, "demo")
    assert done.status == 0, done.output
    (found,) = elsewhere.rglob(RECORD)
    assert record_in(found.parent.parent)["filename"] == wheel("demo").filename
    assert not list(world.environment.site_packages.glob(f"demo*/{RECORD}"))


def test_a_record_that_cannot_be_left_stops_nothing(world: World) -> None:
    world.serve(wheel("demo"))
    site = world.environment.site_packages
    (site / "Demo-1.0.dist-info").mkdir()
    done = world.pip("install", "-v", "--ignore-installed", "demo")
    assert done.status == 0, done.output
    assert "pip-intoto leaves no record of demo: 2 .dist-info folders" in done.words
    assert not (site / "demo-1.0.dist-info" / RECORD).exists()


#: Where a wheel may not bring a record: its own, by .data another project's, by a detour.
BROUGHT = {
    "own": ({f"stranger-1.0.dist-info/{RECORD}": b"{}"}, {}),
    "a folder": ({f"stranger-1.0.dist-info/{RECORD}/x": b"{}"}, {}),
    "capital": ({"stranger-1.0.dist-info/PIP_Intoto.json": b"{}"}, {}),
    "data": ({}, {f"purelib/demo-1.0.dist-info/{RECORD}": b"{}"}),
    "detour": ({}, {f"purelib/x/../demo-1.0.dist-info/{RECORD}": b"{}"}),
}


@pytest.mark.parametrize(("modules", "data"), BROUGHT.values(), ids=BROUGHT)
def test_no_wheel_brings_a_record(
    guarded: Environment,
    index: Index,
    tmp_path: Path,
    modules: dict[str, bytes],
    data: dict[str, bytes],
) -> None:
    index.add(wheel("stranger", modules={"stranger.py": b"", **modules}, data=data))
    policy = SupplyChain(project="demo").policy(tmp_path / "policy", head='unlisted = "allow"')
    done = guarded.pip("install", "stranger", index=index, policy=policy)
    assert done.status == 1, done.output
    assert "would-overwrite-gate" in done.output
    assert guarded.added() == frozenset()


def test_what_is_changed_after_a_real_install_is_found(world: World) -> None:
    world.serve(with_everything())
    assert world.pip("install", "demo").status == 0
    site = world.environment.site_packages
    world.environment.rewrite(site / "demo" / "__init__.py", "def main():\n    print('evil')\n")
    (site / "demo" / "data.txt").unlink()
    (world.environment.root / "bin" / "demo-tool").write_text("#!/bin/sh\nevil\n")
    (site / "demo" / "evil.py").write_text("")
    (site / "evil.pth").write_text("import os\n")
    policy = load_policy(world.policy())
    inventory = Inventory(find_environment(str(world.environment.root)))
    files = inventory.check_files(project(inventory, "demo"))
    assert set(files.changed) == {"demo/__init__.py", "../../../bin/demo-tool"}
    assert (files.missing, files.unexpected) == (("demo/data.txt",), ("demo/evil.py",))
    assert unclaimed(inventory) == [site / "evil.pth"]
    checked = {
        found.verdict.distribution.name: found.verdict
        for found in check_installed(inventory, policy, Batch(policy, web=Web(DEFAULT)).check)
    }
    assert checked["demo"].reason == "installed-files-changed"
    assert checked["pip"].reason == "unlisted"
