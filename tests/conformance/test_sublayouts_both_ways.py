"""A build that is a supply chain of its own: its layout, its links, and either side's tools.

Whoever makes the layouts, whoever records the steps, and in either envelope: `in-toto-verify` and
`pip-intoto verify` say the same, of the directory and of what `bundle` packed and unpacked.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias

import pytest
from in_toto.models.layout import Layout, Step
from in_toto.models.metadata import Envelope, Metablock
from securesystemslib.signer import SSlibKey

from fixtures.distributions import wheel
from fixtures.keys import key
from pip_intoto.cli import main
from tests.conformance.test_what_we_record import our_command, posix, run, their_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = posix

WHEEL = wheel("demo")
MAKE = "import shutil; shutil.copy('../made.whl', 'dist/" + WHEEL.filename + "')"
#: Who carries out a step, and the rules for its materials and its products.
Steps: TypeAlias = "dict[str, tuple[str, list[str], list[str]]]"
#: Who does what: carl answers for the build, and lets dora and erin carry it out.
PEOPLE = ("owner", "ben", "carl", "dora", "erin")
END = "DISALLOW *"
ROOT: Steps = {
    "source": ("ben", [END], ["CREATE src/*", END]),
    "build": ("carl", ["MATCH src/* WITH PRODUCTS FROM source", END], ["CREATE demo-*.whl", END]),
}
BELOW: Steps = {
    "compile": ("dora", ["ALLOW src/*", END], ["CREATE out/*", END]),
    "pack": ("erin", ["MATCH out/* WITH PRODUCTS FROM compile", END], ["CREATE demo-*.whl", END]),
}
RECORDED = {
    "source": ["-p", "src", "--", "sh", "-c", "mkdir src; echo 1 > src/demo.py"],
    "compile": ["-m", "src", "-p", "out", "--", "sh", "-c", "mkdir out; cp src/demo.py out"],
    "pack": [
        *("-m", "out", "-p", "dist", "--lstrip-paths", "dist/", "--"),
        *("sh", "-c", f'mkdir dist; "{sys.executable}" -c "{MAKE}"'),
    ],
}
LINKS = "links"
INNER = f"{LINKS}/build.{key('carl').keyid[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A directory in which a chain with a sublayout has been carried out."""

    folder: Path
    dsse: bool

    def ours(self, steps: Steps, owner: str, to: str) -> None:
        """Build and sign a layout with `pip-intoto`."""
        people = {owner, *(who for who, _, _ in steps.values())}
        form = "dsse" if self.dsse else "metablock"
        text = f'version = 1\nproject = "demo"\nexpires = "30 days"\nenvelope = "{form}"\n'
        text += f'[owners]\nkeys = ["{owner}"]\n'
        text += "".join(f'[keys.{who}]\npublic = "../keys/{who}.pub"\n' for who in sorted(people))
        for name, (who, materials, products) in steps.items():
            text += f'[[step]]\nname = "{name}"\nfunctionaries = ["{who}"]\n'
            text += f"materials = {json.dumps(materials)}\nproducts = {json.dumps(products)}\n"
        (self.folder / "chain.toml").write_text(text)
        signer = f"../keys/{owner}.pem"
        assert main(["layout", "build", "chain.toml", "--signing-key", signer, "-o", to]) == 0

    def theirs(self, steps: Steps, owner: str, to: str) -> None:
        """Describe a layout with in-toto's classes, and sign it with `in-toto-sign`."""
        layout = Layout()
        expires = datetime.now(timezone.utc) + timedelta(days=30)
        layout.expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
        for name, (who, materials, products) in steps.items():
            public = SSlibKey.from_crypto(key(who).private.public_key())
            layout.keys[public.keyid] = {"keyid": public.keyid, **public.to_dict()}
            step = Step(name=name)
            step.pubkeys = [public.keyid]
            step.expected_materials = [rule.split() for rule in materials]
            step.expected_products = [rule.split() for rule in products]
            layout.steps.append(step)
        document = Envelope.from_signable(layout) if self.dsse else Metablock(signed=layout)
        document.dump(str(self.folder / to))
        signer = f"../keys/{owner}.pem"
        done = run(self.folder, [*their_command("sign"), "-f", to, "-k", signer, "-o", to])
        assert done.returncode == 0, done.stderr

    def record(self, command: list[str], step: str, who: str, into: str) -> None:
        """Carry out one step with either side's `run`."""
        words = ["-n", step, "--signing-key", f"../keys/{who}.pem", "-d", into]
        words += ["--use-dsse"] if self.dsse else []
        done = run(self.folder, [*command, *words, *RECORDED[step]])
        assert done.returncode == 0, done.stderr

    def accepted(self, layout: str, links: str) -> set[str]:
        """Say which side verifies the chain."""
        owner = str(self.folder.parent / "keys" / "owner.pub")
        words = ["--layout", layout, "--verification-keys", owner, "--link-dir", links]
        by = set()
        if run(self.folder, [*their_command("verify"), *words]).returncode == 0:
            by.add("theirs")
        words = ["--layout", layout, "--layout-key", owner, "--link-dir", links]
        if main(["verify", *words, f"dist/{WHEEL.filename}"]) == 0:
            by.add("ours")
        return by


envelopes = pytest.mark.parametrize("dsse", [True, False], ids=["dsse", "metablock"])
made = pytest.mark.parametrize(
    ("layouts", "recording"),
    [
        ("ours", "theirs"),
        pytest.param("theirs", "ours", marks=pytest.mark.matrix),
        pytest.param("ours", "both", marks=pytest.mark.matrix),
    ],
)


def carried_out(
    folder: Path, *, dsse: bool, layouts: str, recording: str, monkeypatch: pytest.MonkeyPatch
) -> Project:
    project = Project(folder=folder / "project", dsse=dsse)
    (folder / "keys").mkdir()
    (project.folder / INNER).mkdir(parents=True)
    for who in PEOPLE:
        (folder / "keys" / f"{who}.pem").write_bytes(key(who).private_pem())
        (folder / "keys" / f"{who}.pub").write_bytes(key(who).public_pem())
    (folder / "made.whl").write_bytes(WHEEL.data)
    monkeypatch.chdir(project.folder)
    here, there = our_command("run"), their_command("run")
    commands = {"ours": [here] * 3, "theirs": [there] * 3, "both": [here, there, here]}[recording]
    project.record(commands[0], "source", "ben", LINKS)
    project.record(commands[1], "compile", "dora", INNER)
    project.record(commands[2], "pack", "erin", INNER)
    make = project.ours if layouts == "ours" else project.theirs
    make(BELOW, "carl", f"{INNER}.link")
    make(ROOT, "owner", "root.layout")
    return project


@envelopes
@made
@pytest.mark.accepts("U1", "U2", "U3")
def test_U1_a_sublayout_verifies_on_both_sides_and_so_does_its_bundle_unpacked(
    *, dsse: bool, layouts: str, recording: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = carried_out(
        tmp_path, dsse=dsse, layouts=layouts, recording=recording, monkeypatch=monkeypatch
    )
    assert project.accepted("root.layout", LINKS) == {"ours", "theirs"}
    file = f"dist/{WHEEL.filename}"
    assert main(["bundle", file]) == 0
    bundle = f"dist-evidence/{WHEEL.filename}.intoto.jsonl"
    assert main(["check", file, "--key", "../keys/owner.pub"]) == 0
    assert main(["bundle", "--unpack", bundle, "-o", "unpacked"]) == 0
    unpacked = f"unpacked/{WHEEL.filename}.intoto"
    names = {path.name for path in (project.folder / unpacked).rglob("*") if path.is_file()}
    signed = {path.name for path in (project.folder / LINKS).rglob("*.link")}
    assert names == {*signed, "root.layout"}
    shutil.rmtree(project.folder / LINKS)
    assert project.accepted(f"{unpacked}/root.layout", unpacked) == {"ours", "theirs"}


def _another_file(project: Project) -> None:
    """Erin's link is about another wheel, signed with her key."""
    (project.folder / "dist" / WHEEL.filename).write_bytes(b"another")
    words = ["-n", "pack", "--signing-key", "../keys/erin.pem", "-d", INNER, "-x", "-m", "out"]
    words += ["-p", "dist", "--lstrip-paths", "dist/", *(["--use-dsse"] if project.dsse else [])]
    assert run(project.folder, [*our_command("run"), *words]).returncode == 0
    (project.folder / "dist" / WHEEL.filename).write_bytes(WHEEL.data)


def _other_source(project: Project) -> None:
    """Dora compiled something that ben never wrote."""
    (project.folder / "src" / "demo.py").write_text("2")
    words = ["-n", "compile", "--signing-key", "../keys/dora.pem", "-d", INNER, "-x", "-m", "src"]
    words += ["-p", "out", *(["--use-dsse"] if project.dsse else [])]
    assert run(project.folder, [*our_command("run"), *words]).returncode == 0


def _no_inner_link(project: Project) -> None:
    (project.folder / INNER / f"pack.{key('erin').keyid[:8]}.link").unlink()


def _another_owner(project: Project) -> None:
    """The sublayout is signed by somebody whom the step does not name."""
    (project.folder / f"{INNER}.link").unlink()
    project.ours(BELOW, "dora", f"{INNER}.link")


@pytest.mark.parametrize(
    ("spoil", "by"),
    [
        # (in-toto verifies the chain alone; what the chain is about, it does not ask.)
        (_another_file, {"theirs"}),
        (_other_source, set()),
        (_no_inner_link, set()),
        (_another_owner, set()),
    ],
)
@pytest.mark.rejects("U1", "U2", "U3")
def test_U1_what_is_wrong_in_a_sublayout_is_refused_on_both_sides(
    spoil: Callable[[Project], None],
    by: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = carried_out(
        tmp_path, dsse=True, layouts="ours", recording="theirs", monkeypatch=monkeypatch
    )
    spoil(project)
    assert project.accepted("root.layout", LINKS) == by
