"""The examples below `--help` of each maintainers' command are typed, each in a project of its own.

All of them are read by the parser; those that need a certain hardware module, or a certain key of
GnuPG's, are not carried out.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import gnupg
from pip_intoto import cli
from tests.integration.maintaining import Desk
from tests.integration.test_publishing import _BACKEND, _PYPROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals, and a shell's programs")

#: The first command of those for maintainers.
FIRST = "keygen"
GROUPS = ("layout", "record")
WHEEL = "demo-1.0-py3-none-any.whl"
#: What nobody has but whoever it was written for.
SOMEBODYS = re.compile(r"hsm:|--gpg [0-9A-F]{40}")
#: Where the examples say so, another exit status than 0.
STATUSES = {
    "layout diff root.layout new.layout": 1,
    "layout diff --format json root.layout new.layout": 1,
    # The source would last some seconds longer.
    f"layout diff public/{WHEEL}.intoto.jsonl supply-chain.toml": 1,
}
#: What a verifier says of a file, as SLSA spells it.
SUMMARY = {
    "verifier": {"id": "https://acme.example/verifier"},
    "timeVerified": "2026-01-01T00:00:00Z",
    "resourceUri": "pkg:pypi/demo@1.0",
    "policy": {"uri": "https://acme.example/policy"},
    "verificationResult": "PASSED",
    "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Commands that belong together: what stands between two blank lines."""

    command: str
    lines: tuple[str, ...]


def blocks_of(text: str, command: str) -> list[Block]:
    found = []
    for part in re.split(r"\n\s*\n", text):
        joined = re.sub(r" \\\n\s+", " ", part)
        lines = tuple(re.findall(r"^ +(pip-intoto .*)$", joined, re.MULTILINE))
        if lines:
            found.append(Block(command=command, lines=lines))
    return found


def blocks(names: tuple[str, ...]) -> list[Block]:
    found = []
    for name in names:
        found += blocks_of(cli.load(name).EXAMPLES, name)
        if name in GROUPS:
            package = f"pip_intoto.cli.{name}"
            for each in import_module(package).COMMANDS:
                found += blocks_of(cli.load(each, package).EXAMPLES, f"{name} {each}")
    return found


EVERY = blocks(cli.COMMANDS)
MAINTAINERS = blocks(cli.COMMANDS[cli.COMMANDS.index(FIRST) :])
RUN = [block for block in MAINTAINERS if not any(map(SOMEBODYS.search, block.lines))]


def named(block: Block) -> str:
    return " ".join(block.lines[0].removeprefix("pip-intoto ").split()[:6])


def words_of(line: str) -> list[str]:
    words = shlex.split(line, comments=True)[1:]
    if "--" not in words:
        words = [each for word in words for each in (sorted(glob.glob(word)) or [word])]  # noqa: PTH207
    return words


@pytest.mark.parametrize("block", EVERY, ids=named)
def test_examples_are_command_lines(block: Block) -> None:
    for line in block.lines:
        words = words_of(line)
        args = cli.parser_for(words).parse_args(words)
        assert block.command.split()[0] in {args.command, "layout", "prepare"}


def test_few_examples_are_not_carried_out() -> None:
    assert len(MAINTAINERS) > 35
    assert len(MAINTAINERS) - len(RUN) <= 4


# --- the project ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a desk at which a release has been made, by two owners."""
    desk = Desk(folder=tmp_path_factory.mktemp("examples") / "desk")
    ignored = ("dist", "links", "wheel-metadata", "dist-evidence", "public", "other", "consumer")
    desk.write(
        {
            "pyproject.toml": _PYPROJECT,
            "README.md": "A demonstration\n",
            "src/backend.py": _BACKEND,
            "src/demo/__init__.py": "VERSION = 1\n",
            "tests/test_demo.py": "def test_nothing():\n    assert True\n",
            ".gitignore": "".join(f"/{name}/\n" for name in ignored)
            + "*.layout\n*.pem\n*.pub\n*.link\n__pycache__\n",
        }
    )
    desk.commit()
    keys = desk.folder / "keys"
    for copied, names in {"owner": ("alice",), "reviewer": ("bob", "carol", "rita", "ci")}.items():
        for name in names:
            for kind in ("pem", "pub"):
                shutil.copy(keys / f"{copied}.{kind}", keys / f"{name}.{kind}")
    done = desk.init()
    assert done.status == 0, done.errors
    source = desk.source.replace('expires = "1 year"', 'expires = "10 days"')
    source = re.sub(r'(\[owners\]\nkeys = \["owner")\]', r'\1, "bob"]', source)
    source = source.replace(
        "[keys.owner]", '[keys.bob]\npublic = "../keys/bob.pub"\n\n[keys.owner]'
    )
    (desk.project / "supply-chain.toml").write_text(source)
    desk.author()
    wheel = desk.build()
    (desk.project / "dist").mkdir()
    shutil.copy(wheel, desk.project / "dist")
    desk.must("pip-intoto", "layout", "build")
    shutil.copy(desk.project / "root.layout", desk.project / "unsigned.layout")
    desk.must("pip-intoto", "layout", "build", "-o", "new.layout")
    for owner in ("owner", "bob"):
        desk.must("pip-intoto", "sign", "-f", "root.layout", "-a", "-k", f"../keys/{owner}.pem")
    desk.must("pip-intoto", "bundle", f"dist/{WHEEL}")
    desk.must("pip-intoto", "index", "dist", "-o", "public")
    desk.must(
        "pip-intoto", "run", "-n", "review", "--signing-key", "../keys/rita.pem", "-x", "-p", "."
    )
    _under_the_names_of_the_examples(desk)
    return desk.folder


def _under_the_names_of_the_examples(desk: Desk) -> None:
    project = desk.project
    (build,) = (project / "links").glob("build.*.link")
    shutil.copy(build, project / "links" / "build.28b28e31.link")
    shutil.copy(build, project / "build.2f89b927.link")
    (review,) = project.glob("review.*.link")
    review.rename(project / "links" / "review.28b28e31.link")
    for name in ("alice", "bob", "carol", "builder", "owner"):
        for kind in ("pem", "pub"):
            shutil.copy(desk.folder / "keys" / f"{name}.{kind}", project)
    (project / "builder.password").write_text("secret\n")
    (project / "tox.ini").write_text("[tox]\n")
    (project / "scan.json").write_text("{}\n")
    (project / "summary.json").write_text(json.dumps(SUMMARY))
    shutil.copy(project / "supply-chain.toml", project / "chain.toml")
    text = (project / "chain.toml").read_text()
    # Another chain than that of the release.
    (project / "weaker.toml").write_text(text.replace('"DISALLOW *"', '"ALLOW *"', 1))
    desk.must("pip-intoto", "layout", "build", "weaker.toml", "-o", "new.layout", "--force")
    shutil.copytree(project / "dist", project / "other" / "dist")
    shutil.copytree(project / "dist-evidence", project / "evidence")
    bundle = f"{WHEEL}.intoto.jsonl"
    (project / "public" / "demo").mkdir()
    for place in ("public", "public/demo"):
        shutil.copy(project / "dist-evidence" / bundle, project / place)
    words = ("trust", "add", "demo", "--key", "owner.pub", "--policy", "consumer/policy.toml")
    (project / "consumer").mkdir()
    desk.must("pip-intoto", *words)
    # Its directory form, for --pack.
    desk.must("pip-intoto", "bundle", f"dist/{WHEEL}", "--directory", "-o", "directory")
    shutil.copytree(project / "directory", project / "dist-evidence", dirs_exist_ok=True)


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a copy of that project, in which the test works."""
    folder = tmp_path / "desk"
    shutil.copytree(prepared, folder, symlinks=True)
    monkeypatch.chdir(folder / "project")
    programs = [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(programs))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with ExitStack() as stack:
        if gnupg.is_there():
            ring = stack.enter_context(gnupg.keyring())
            ring.key("somebody", "ed25519")
            monkeypatch.setenv("GNUPGHOME", str(ring.home))
        yield folder / "project"


def _sdists(project: Path) -> None:
    for place in ("dist", "other/dist"):
        shutil.make_archive(str(project / place / "demo-1.0"), "gztar", project / "src")


def _begin(project: Path) -> None:
    assert project.is_dir()
    words = ["record", "start", "-n", "edit", "--signing-key", "../keys/author.pem", "-m", "src"]
    assert cli.main(words) == 0


def _without(*names: str) -> None:
    for name in names:
        Path(name).unlink(missing_ok=True)


def _make_room(block: Block, project: Path) -> None:
    """What an example begins with, where it is not a project with a release."""
    line = block.lines[0]
    if block.command == "keygen":
        _without(
            "../keys/owner.pem", "../keys/owner.pub", "builder.pem", "builder.pub", "owner.pub"
        )
        if "--from" not in line:
            _without("owner.pem")
    if block.command == "init":
        _without("supply-chain.toml")
    if block.command == "compare":
        _sdists(project)
    if block.command == "record stop":
        _begin(project)


@pytest.mark.parametrize("block", RUN, ids=named)
def test_examples_do_what_they_say(block: Block, project: Path) -> None:
    if not gnupg.is_there() and any("--gpg" in line for line in block.lines):
        pytest.skip("needs GnuPG")
    _make_room(block, project)
    for line in block.lines:
        if block.command == "keygen" and "password" not in line and "--from" not in line:
            _without("owner.pem", "owner.pub")
            assert _on_a_terminal(words_of(line), project) == 0, line
            continue
        # The day after which somebody renews it is to come.
        dated = line.replace("2027", str(datetime.now(timezone.utc).year + 1))
        if "--password-file" in line:
            _without("builder.pem", "builder.pub")
        words = words_of(dated)
        assert cli.main(words) == STATUSES.get(line.removeprefix("pip-intoto "), 0), line


def _on_a_terminal(words: list[str], project: Path) -> int:
    from tests.integration.terminals import converse

    program = project.parent / "bin" / "pip-intoto"
    # No password.
    return converse([program, *words], [""], cwd=project, variables=os.environ).status
