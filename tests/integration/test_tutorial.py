"""The tutorial of maintainers, typed from its first line to its last: for the project on the page,
and for released projects on other build backends.

The maintainers' part is typed at a desk, Dan's in an environment of his own.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration import pages
from tests.integration.maintaining import Desk
from tests.integration.releases import archive_of, needs_registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.conftest import MakeEnvironment

PAGE = "docs/tutorial/publish-a-project.md"

pytestmark = pytest.mark.registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A released project, and what the tutorial's own one is called in it."""

    requirement: str
    #: What Dan types to see that it is there.
    use: str
    #: A file of the source that gets into the wheel.
    source: str

    @property
    def name(self) -> str:
        return self.requirement.partition("==")[0]


#: One on each backend, and one with a compiled extension.
RELEASED = {
    "setuptools": Project(requirement="six==1.17.0", use="import six", source="six.py"),
    "flit": Project(requirement="tomli==2.2.1", use="import tomli", source="src/tomli/_parser.py"),
    "poetry-core": Project(
        requirement="tomlkit==0.13.3", use="import tomlkit", source="tomlkit/api.py"
    ),
    "hatchling": Project(
        requirement="colorama==0.4.6", use="import colorama", source="colorama/ansi.py"
    ),
    "compiled": Project(
        requirement="markupsafe==3.0.2",
        use="import markupsafe._speedups",
        source="src/markupsafe/_native.py",
    ),
}


@dataclass(slots=True, kw_only=True)
class Reader:
    """Somebody who types what the page says, and stays in the directory where that leads."""

    desk: Desk
    dan: pages.Shell
    where: Path
    said: dict[str, str] = field(default_factory=dict)

    def type(self, commands: Iterable[str], *, as_dan: bool = False) -> None:
        """Type commands, each of which has to succeed."""
        memory = self.desk.folder / "where"
        for command in commands:
            script = f"{command}\nstatus=$?; pwd > '{memory}'; exit $status"
            if as_dan:
                typed = self.dan.run(script, cwd=self.where)
                status, output = typed.status, typed.output
            else:
                done = self.desk.run("sh", "-c", script, cwd=self.where)
                status, output = done.status, done.output + done.errors
            assert status == 0, f"$ {command}\n{output}"
            self.where = Path(memory.read_text().strip())
            self.said[command.partition("\n")[0]] = output

    def output_of(self, words: str) -> str:
        """What the last command that has these words printed."""
        return [said for command, said in self.said.items() if words in command][-1]


@pytest.fixture
def reader(tmp_path: Path, make_environment: MakeEnvironment) -> Reader:
    """Somebody with git and a Python in which pip-intoto is, and Dan, who has another."""
    needs_registry()
    desk = Desk(folder=tmp_path / "desk", isolated=True)
    desk.project.rmdir()
    return Reader(desk=desk, dan=pages.Shell(make_environment(), tmp_path), where=desk.folder)


def follow(reader: Reader, steps: dict[str, list[str]]) -> None:
    """Type sections 2 to 7, the first of which has been typed, and look at what they show."""
    for number in "2345":
        reader.type(steps[number])
    assert "1 verified" in reader.output_of("pip-intoto check")
    reader.type(steps["6"], as_dan=True)
    assert "1 verified" in reader.output_of("pip install")

    replace, *_ = steps["7"]
    at = [command.startswith("pip install") for command in steps["7"]].index(True)
    assert replace.startswith("python -c")
    reader.type(steps["7"][: at - 1])
    reader.type(steps["7"][at - 1 : at + 1], as_dan=True)
    blocked = reader.output_of("pip install")
    assert "pip said no" in blocked
    assert "artifact-digest-mismatch" in blocked
    assert re.search(r"[\w.-]+\.whl: the evidence is about another file of this name", blocked)
    assert "step build, products" in blocked
    assert re.search(r"it holds 'wheel/[\w/]+\.py'", " ".join(blocked.split()))
    reader.type(steps["7"][at + 1 :])


def test_the_tutorial_of_maintainers_can_be_followed(reader: Reader) -> None:
    steps = pages.sections(PAGE)
    assert steps["1"][0] == "pip install 'pip-intoto[maintainer]'"
    reader.type(steps["1"][1:])
    follow(reader, steps)
    assert reader.output_of("python -m lighthouse") == "The lighthouse is lit.\n"
    refused = reader.output_of("pip-intoto check")
    assert "check said no" in refused
    assert "src/lighthouse/__main__.py" in refused
    assert "step build" in refused
    # What the page says of `init` is what it says.
    assert _record_commands(reader) == [re.sub(r" \\\n +", " ", command) for command in steps["4"]]


@pytest.mark.parametrize(
    "backend",
    [pytest.param(each, marks=pytest.mark.matrix) for each in RELEASED],
)
def test_the_tutorial_can_be_followed_with_a_released_project(backend: str, reader: Reader) -> None:
    project = RELEASED[backend]
    steps = pages.sections(PAGE)
    reader.where = _checkout(project, reader)
    for number in "23":
        reader.type(steps[number])
    # "they stand in supply-chain.toml"
    recorded = _record_commands(reader)
    words = {
        "python -m lighthouse": f"python -c '{project.use}'",
        "src/lighthouse/__main__.py": project.source,
        "lighthouse": project.name,
    }

    def adapted(command: str) -> str:
        if command.startswith("pip-intoto run"):
            return recorded["--step-name build" in command]
        for ours, theirs in words.items():
            command = command.replace(ours, theirs)
        return command

    theirs = {number: [adapted(command) for command in steps[number]] for number in "4567"}
    follow(reader, {"2": [], "3": [], **theirs})
    refused = reader.output_of("pip-intoto check")
    assert "check said no" in refused
    assert project.source in refused
    assert "step build" in refused


def _record_commands(reader: Reader) -> list[str]:
    text = (reader.where / "supply-chain.toml").read_text()
    return re.findall(r"^# +(pip-intoto run .*)$", re.sub(r" \\\n# +", " ", text), re.MULTILINE)


def _checkout(project: Project, reader: Reader) -> Path:
    """Put a released project under git, as its maintainers have it."""
    with tarfile.open(archive_of(project.requirement)) as archive:
        archive.extractall(reader.desk.folder, filter="data")
    (top,) = (path for path in reader.desk.folder.iterdir() if path.name.startswith(project.name))
    # What source archives have, and repositories do not.
    for left in [top / "PKG-INFO", *top.rglob("*.egg-info/*")]:
        left.unlink()
    with (top / ".gitignore").open("a") as ignored:
        ignored.write("\n/dist/\n/links/\n/wheel-metadata/\n/dist-evidence/\n")
    reader.desk.project = top
    reader.desk.commit(tag=f"v{project.requirement.partition('==')[2]}")
    return top
