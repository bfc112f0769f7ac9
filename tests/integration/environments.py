"""Virtual environments with a given pip, armed or not, and pip run in them.

An environment is a copy of a template, made of hard links, so that each test has its own for the
price of some milliseconds. The gate is armed by installing the real wheel, built from this
checkout by its real build backend; our dependencies come from the environment of the tests, so
that nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from tests.integration import measuring
from tests.integration.interpreters import CACHE, ROOT, Unavailable, own, pip_wheel, runs
from tests.integration.locking import made_once, remove_stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.integration.interpreters import Python
    from tests.integration.loopback import Index

#: No pip of these tests needs longer, unless it hangs.
PATIENCE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A child process that has ended."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def output(self) -> str:
        """Both streams, for assertions that do not care which."""
        return self.stdout + self.stderr

    @property
    def words(self) -> str:
        """The output without pip's frames and line breaks, for sentences that were wrapped."""
        return " ".join(self.output.replace("│", " ").replace("╰─>", " ").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One virtual environment of one test.

    ``policy`` is what ``INTOTO_POLICY`` says in every process started here, when it is set.
    """

    root: Path
    home: Path
    version: tuple[int, int]
    pip_version: str
    before: frozenset[str]
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.root / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """Where wheels go."""
        return self.root / "lib" / "python{}.{}".format(*self.version) / "site-packages"

    def variables(self, changes: Mapping[str, str] | None = None) -> dict[str, str]:
        """Give the whole environment of a child: nothing of this machine's pip or home."""
        variables = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            # Of the test that runs: several share an environment, and no layouts.
            "XDG_STATE_HOME": os.environ.get("XDG_STATE_HOME", str(self.home / "state")),
            "TMPDIR": str(self.home / "tmp"),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_RETRIES": "0",
            # Closed, unless a test names an index: nothing leaves this machine.
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple/",
            "no_proxy": "*",
        }
        variables.update(self.settings)
        variables.update(changes or {})
        return variables

    def command(self, *arguments: str | Path) -> list[str]:
        """Give the words that run this environment's pip."""
        return [str(self.python), "-m", "pip", *map(str, arguments)]

    def pip(
        self,
        *arguments: str | Path,
        index: Index | None = None,
        policy: Path | None = None,
        variables: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Completed:
        """Run pip to its end."""
        changes = dict(variables or {})
        if index is not None:
            changes.setdefault("PIP_INDEX_URL", index.simple)
        if policy is not None:
            changes["INTOTO_POLICY"] = str(policy)
        return self.run(self.command(*arguments), variables=changes, cwd=cwd)

    def run(
        self,
        command: Iterable[str | Path],
        *,
        variables: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Completed:
        """Run any command in the scrubbed environment, without a terminal, in an empty folder."""
        started = time.monotonic()
        result = subprocess.run(
            [str(word) for word in command],
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=self.variables(variables),
            cwd=cwd or self.home / "work",
            timeout=PATIENCE,
        )
        return Completed(
            status=result.returncode,
            stdout=result.stdout,
            stderr=result.stderr,
            seconds=time.monotonic() - started,
        )

    def rewrite(self, path: Path, text: str) -> None:
        """Change one file of this environment only: its files are hard links to a template."""
        other = path.with_name(path.name + ".new")
        other.write_text(text, encoding="utf-8")
        other.replace(path)

    def installed(self) -> frozenset[str]:
        """Give what was added since the environment was made: ``name-version`` of each."""
        suffix = ".dist-info"
        return frozenset(
            path.name.removesuffix(suffix)
            for path in self.site_packages.glob("*" + suffix)
            if str(path.relative_to(self.root)) not in self.before
        )

    def added(self) -> frozenset[str]:
        """Give every path that was not there when the environment was made, caches apart."""
        return listing(self.root) - self.before


def listing(root: Path) -> frozenset[str]:
    """Give all paths below *root*, without byte code."""
    found: set[str] = set()
    for directory, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        base = Path(os.path.relpath(directory, root))
        found.update(str(base / name) for name in (*folders, *files))
    return frozenset(found)


def enable(guard: Environment, guarded: Environment) -> Environment:
    """Arm *guarded* from *guard*, as ``pip-intoto enable --python`` does; give it as it is then.

    The verifier is the one of *guard*, which must outlive the other.
    """
    result = guard.run([guard.python, "-m", "pip_intoto", "enable", "--python", guarded.python])
    if result.status:
        raise RuntimeError(f"enable --python failed:\n{result.output}")
    return replace(guarded, before=listing(guarded.root))


# --- templates ------------------------------------------------------------------------------


def create(
    folder: Path, python: Python, pip: str, *, armed: bool, extras: tuple[str, ...] = ()
) -> Environment:
    """Make an environment below *folder*, by itself or with our wheel installed.

    *extras* are those of our wheel whose dependencies are there as well.

    Raises:
        Unavailable: the pair does not run, or the machine lacks a part.

    """
    if not runs(python, pip):
        raise Unavailable(f"pip {pip} does not support Python {python.name}")
    template = armed_template(python, pip, extras) if armed else plain_template(python, pip)
    root = folder / "environment"
    _copy(template, root)
    home = folder / "home"
    for path in (home, home / "tmp", home / "work"):
        path.mkdir(parents=True)
    return Environment(
        root=root,
        home=home,
        version=python.version,
        pip_version=pip,
        before=listing(root),
    )


def plain_template(python: Python, pip: str) -> Path:
    """Give an environment with nothing but pip."""

    def make(target: Path) -> None:
        _must([python.path, "-I", "-m", "venv", "--without-pip", target])
        packages = _site_packages(target, python)
        with zipfile.ZipFile(pip_wheel(pip)) as archive:
            archive.extractall(packages)
        (packages / f"pip-{pip}.dist-info" / "INSTALLER").write_text("pip\n", encoding="ascii")
        subprocess.run(
            [target / "bin" / "python", "-I", "-m", "compileall", "-q", packages / "pip"],
            check=False,
            capture_output=True,
        )

    folder = CACHE / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    path = made_once(folder / f"plain-{python.name}-{pip}", make)
    if not (path / "bin" / "python").exists():
        raise Unavailable(f"the Python {python.name} below {path} is gone; remove that folder")
    return path


def armed_template(python: Python, pip: str, extras: tuple[str, ...] = ()) -> Path:
    """Give an environment with pip, this package's wheel, and the package's dependencies."""
    if python.version != own().version:
        raise Unavailable("our dependencies are at hand for the running Python only")
    digest = checkout_digest()
    measured = "-measured" if measuring.active() else ""
    key = "-".join(["armed", python.name, pip + measured, *extras])

    def make(target: Path) -> None:
        _copy(plain_template(python, pip), target)
        packages = _site_packages(target, python)
        transplant(packages, extras)
        _must(
            [
                *(target / "bin" / "python", "-I", "-m", "pip", "--isolated", "install"),
                *("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"),
                built_wheel(),
            ],
            env={"PATH": os.defpath, "PIP_CONFIG_FILE": os.devnull, "HOME": str(target)},
        )
        if measuring.active():
            measuring.install(packages)

    folder = CACHE / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    path = made_once(folder / f"{key}-{digest}", make)
    remove_stale(folder, f"{key}-{'[0-9a-f]' * len(digest)}*", path)
    return path


def built_wheel() -> Path:
    """Build this package's wheel with its own build backend, once for each state of the files."""

    def make(target: Path) -> None:
        target.mkdir()
        _must([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target], cwd=ROOT)

    folder = CACHE / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    path = made_once(folder / checkout_digest(), make)
    remove_stale(folder, "*", path)
    (wheel,) = path.glob("*.whl")
    return wheel


def checkout_digest() -> str:
    """Give a name to the present state of what goes into the wheel."""
    digest = hashlib.sha256()
    for base in (ROOT / "pip_intoto", ROOT / "hooks", ROOT / "pyproject.toml", ROOT / "README.md"):
        files = sorted(base.rglob("*")) if base.is_dir() else [base]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def transplant(packages: Path, extras: tuple[str, ...] = ()) -> None:
    """Copy the run-time dependencies of this package out of the environment of the tests."""
    for distribution in _closure(extras):
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if file.parts[0] == ".." or not source.is_file():
                continue
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                _link(str(source), str(target))


def _closure(of_extras: tuple[str, ...]) -> list[importlib.metadata.Distribution]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = list(project["dependencies"])
    for extra in of_extras:
        wanted += project["optional-dependencies"][extra]
    found: dict[str, importlib.metadata.Distribution] = {}
    while wanted:
        requirement = Requirement(wanted.pop())
        extras = ("", *requirement.extras)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras):
            continue
        distribution = importlib.metadata.distribution(requirement.name)
        known = found.setdefault(requirement.name, distribution)
        for further in (distribution.requires or ()) if known is distribution else ():
            inner = Requirement(further)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in extras
            ):
                inner.marker = None
                wanted.append(str(inner))
    return list(found.values())


def _must(
    command: list[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=env)
    if result.returncode:
        raise RuntimeError(f"{command} failed:\n{result.stdout}{result.stderr}")


def _site_packages(root: Path, python: Python) -> Path:
    return root / "lib" / f"python{python.name}" / "site-packages"


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copy2(source, target)
