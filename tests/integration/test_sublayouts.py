"""Sublayouts and inspections, whole: the directory form on an index, and a real pip (U, I)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import FAR_FUTURE, SupplyChain
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import link_filename

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.maintainer.authoring import JsonObject
    from tests.integration.environments import Completed, Environment
    from tests.integration.loopback import Index

CHAIN = SupplyChain(project="demo")
VENDOR, PACKER = key("vendor"), key("packer")
WHEEL = wheel("demo")
#: Says which file it looks at, and that there is nothing else.
LOOKS = ("import os; assert os.listdir() == ['demo-1.0-py3-none-any.whl'], os.listdir()",)


def below(step: str, signer: str) -> str:
    return f"{step}.{key(signer).keyid[:8]}/"


def made_of(step: JsonObject, *inspections: JsonObject) -> JsonObject:
    return authoring.layout(
        expires=FAR_FUTURE, keys=[VENDOR, PACKER], steps=[step], inspections=inspections
    )


def documents(built: Built, run: Sequence[str] = ("./look",)) -> dict[str, bytes]:
    """The builder has a vendor do the build, who has a packer do it, and looks at the result."""
    rules = {"expected_products": [["CREATE", "demo-*"], ["DISALLOW", "*"]]}
    inspection = authoring.inspection("look", run=list(run))
    vendors = made_of(authoring.step("vendor", functionaries=[VENDOR], **rules), inspection)  # type: ignore[arg-type]
    packers = made_of(authoring.step("pack", functionaries=[PACKER], **rules))  # type: ignore[arg-type]
    link = authoring.link(
        "pack",
        materials=CHAIN.sources("1.0"),
        products={built.filename: {"sha256": built.sha256}},
    )
    builder, vendor = below("build", "builder"), below("vendor", "vendor")
    root, source, _ = CHAIN.evidence(built)
    contents = {
        root.name: root.content,
        source.name: source.content,
        builder.replace("/", ".link"): authoring.sign(vendors, [CHAIN.builder]),
        builder + vendor.replace("/", ".link"): authoring.sign(packers, [VENDOR]),
        builder + vendor + link_filename("pack", PACKER.keyid): authoring.sign(link, [PACKER]),
        builder + link_filename("look", CHAIN.builder.keyid): authoring.sign(
            authoring.link("look", products={}), [CHAIN.builder]
        ),
    }
    return {name: json.dumps(content).encode() for name, content in contents.items()}


def plainly(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Verify without a policy, as the in-toto tools do."""
    words = ["--layout", "root.layout", "--layout-key", "owner.pub", "--link-dir", ".", *options]
    return subprocess.run(
        [sys.executable, "-m", "pip_intoto", "verify", *words, WHEEL.filename],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def lay_out(folder: Path, files: dict[str, bytes]) -> None:
    WHEEL.write(folder)
    (folder / "owner.pub").write_bytes(key("owner").public_pem())
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.accepts("U2", "U5")
def test_U5_a_directory_of_links_holds_those_of_sublayouts_and_reports(tmp_path: Path) -> None:
    lay_out(tmp_path, documents(WHEEL))
    done = plainly(tmp_path, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "inspection look: reported, not seen here" in done.stdout
    assert not (tmp_path / "look.link").exists()


@pytest.mark.rejects("U2", "U5")
def test_U5_a_command_of_a_sublayout_does_not_run_whatever_the_command_line_says(
    tmp_path: Path,
) -> None:
    files = documents(WHEEL, ("touch", str(tmp_path / "evil")))
    del files[REPORT]
    lay_out(tmp_path, files)
    done = plainly(tmp_path, "--run-inspections")
    assert done.returncode == 1
    assert "inspection-not-allowed" in done.stdout
    assert not (tmp_path / "evil").exists()


REPORT = below("build", "builder") + link_filename("look", CHAIN.builder.keyid)


def install(
    environment: Environment, index: Index, folder: Path, files: dict[str, bytes], rule: str = ""
) -> Completed:
    index.add(WHEEL)
    index.put_directory(WHEEL, files)
    policy = CHAIN.policy(folder / "policy", rule=rule)
    return environment.pip("install", "demo", index=index, policy=policy)


@pytest.mark.accepts("U1", "U2", "U3", "U5")
def test_U5_an_index_is_asked_for_sublayouts_their_links_and_reports(
    environment: Environment, index: Index, tmp_path: Path
) -> None:
    files = documents(WHEEL)
    result = install(environment, index, tmp_path, files)
    assert result.status == 0, result.output
    assert environment.added()
    for name in files:
        assert index.asked(f"*.intoto/{name}"), name


@pytest.mark.rejects("U5")
def test_U5_without_the_report_nothing_is_installed(
    environment: Environment, index: Index, tmp_path: Path
) -> None:
    files = documents(WHEEL)
    del files[REPORT]
    result = install(environment, index, tmp_path, files)
    assert result.status == 1
    assert environment.added() == frozenset()
    assert "inspection-not-allowed" in result.output
    assert index.asked(f"*.intoto/{REPORT}")


@pytest.mark.rejects("U2")
def test_U2_without_the_inner_link_nothing_is_installed(
    environment: Environment, index: Index, tmp_path: Path
) -> None:
    files = documents(WHEEL)
    del files[next(name for name in files if "/pack." in name)]
    result = install(environment, index, tmp_path, files)
    assert result.status == 1
    assert environment.added() == frozenset()
    assert "link-missing" in result.output


def listed(command: Sequence[str]) -> str:
    return f"inspections = [{json.dumps(list(command))}]"


@pytest.mark.accepts("I4", "I5")
def test_I5_a_command_that_the_policy_lists_looks_at_the_file_and_nothing_else(
    environment: Environment, index: Index, tmp_path: Path
) -> None:
    command = (sys.executable, "-I", "-c", *LOOKS)
    files = documents(WHEEL, command)
    del files[REPORT]
    result = install(environment, index, tmp_path, files, listed(command))
    assert result.status == 0, result.output
    assert environment.added()


@pytest.mark.rejects("I4", "U5")
def test_I4_a_command_that_fails_is_not_mended_by_a_report(
    environment: Environment, index: Index, tmp_path: Path
) -> None:
    command = (sys.executable, "-I", "-c", "raise SystemExit('it looks bad')")
    result = install(environment, index, tmp_path, documents(WHEEL, command), listed(command))
    assert result.status == 1
    assert environment.added() == frozenset()
    assert "inspection-failed" in result.output
    assert "it looks bad" in result.output
