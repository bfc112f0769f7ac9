"""What a project says of itself, in pyproject.toml, or before there was one.

Only what nobody else can tell is read: which backend builds it, and which files that backend reads.
Name and version are taken from the wheel that it makes.
"""

from __future__ import annotations

import configparser
import re
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

#: What PEP 517 says of projects that say nothing.
_LEGACY = "setuptools.build_meta:__legacy__"
#: What build backends look for at the top of a project, whatever pyproject.toml says.
_READ_BY_HABIT = ("setup.py", "setup.cfg", "MANIFEST.in", "hatch.toml", "hatch_build.py")
_LICENCES = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
#: The keys of [project] that become entry_points.txt.
_SCRIPTS = ("scripts", "gui-scripts", "entry-points")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project as its files describe it.

    ``name`` is as it is spelled there, "" where only the backend knows it. ``reads`` are the
    files that the backend reads for the metadata, as far as one can tell.
    """

    name: str
    backend: str
    dynamic: tuple[str, ...]
    has_entry_points: bool
    reads: tuple[str, ...]


def read_project(directory: Path, names: Iterable[str]) -> Project:
    """Read the project in ``directory``, whose files are ``names``. Raises CommandError."""
    present = sorted(name for name in names if "/" not in name)
    if "pyproject.toml" not in present and "setup.py" not in present:
        raise CommandError(
            f"there is no Python project in {directory}",
            expected="pyproject.toml or setup.py, known to git if there is a repository",
            found="a pyproject.toml that git does not track: git add it"
            if (directory / "pyproject.toml").exists()
            else "neither",
            advice="Change to the directory of the project first.",
        )
    values = _pyproject(directory) if "pyproject.toml" in present else {}
    project = _table(values, "project")
    tool = _table(values, "tool")
    poetry = _table(tool, "poetry")
    name = project.get("name") or poetry.get("name") or _name_in_setup_cfg(directory, present)
    dynamic = _strings(project.get("dynamic"))
    backend = _table(values, "build-system").get("build-backend")
    return Project(
        name=name if isinstance(name, str) else "",
        backend=backend if isinstance(backend, str) else _LEGACY,
        dynamic=dynamic,
        has_entry_points=any(key in project or key in dynamic for key in _SCRIPTS),
        reads=tuple(_reads(values, sorted(names))),
    )


def _reads(values: Mapping[str, object], names: list[str]) -> Iterator[str]:
    """The files that are read besides the packages, in the order of their names."""
    project, tool = _table(values, "project"), _table(values, "tool")
    patterns = ["pyproject.toml", *_READ_BY_HABIT, *_LICENCES]
    for described in (project.get("readme"), _table(tool, "poetry").get("readme")):
        patterns += _files_in(described)
    if "readme" not in project:
        patterns.append("README*")
    patterns += _strings(project.get("license-files"))
    patterns += _files_in(project.get("license"))
    dynamic = _table(_table(tool, "setuptools"), "dynamic")
    for described in dynamic.values():
        patterns += _files_in(described)
    patterns += _files_in(_table(_table(tool, "hatch"), "version").get("path"))
    # A backend that the project brings along.
    build_system = _table(values, "build-system")
    for folder in _strings(build_system.get("backend-path")):
        module = str(build_system.get("build-backend", "")).partition(":")[0].replace(".", "/")
        below = "" if folder in {".", ""} else f"{folder.strip('/')}/"
        patterns += [f"{below}{module}.py", f"{below}{module}/*"]
    for name in names:
        if any(_fits(name, pattern) for pattern in patterns):
            yield name


def _fits(name: str, pattern: str) -> bool:
    """Whether ``pattern`` means this file; ``*`` stays in its folder, ``**`` does not."""
    if pattern.count("/") != name.count("/") and "**" not in pattern:
        return False
    return fnmatchcase(name, pattern)


def _files_in(value: object) -> list[str]:
    """The names of files in a value: ``"README.md"``, or ``{file = …}`` with one or several."""
    if isinstance(value, dict):
        value = value.get("file")
    return [value] if isinstance(value, str) else list(_strings(value))


def _pyproject(directory: Path) -> dict[str, object]:
    path = directory / "pyproject.toml"
    try:
        return tomllib.loads(files.read(path, DEFAULT.policy_bytes).decode())
    except ValueError as error:
        raise CommandError(f"{path} is not TOML", found=str(error)) from None


def _name_in_setup_cfg(directory: Path, present: list[str]) -> str:
    if "setup.cfg" not in present:
        return ""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(files.read(directory / "setup.cfg", DEFAULT.policy_bytes).decode())
    except (configparser.Error, ValueError):
        return ""
    name = parser.get("metadata", "name", fallback="")
    return name if re.fullmatch(r"[A-Za-z0-9._-]+", name) else ""


def _table(values: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(each for each in value if isinstance(each, str))
