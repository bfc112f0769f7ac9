"""A maintainer's desk: keys, a project under git, and a shell in which ``pip-intoto`` is a command.

What is typed there comes out of the comments of ``supply-chain.toml``: they are tested with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.keys import key_files, signing
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.layout_source import load_source
from pip_intoto.verifier import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pip_intoto.verdict import Verdict

_ROOT = Path(__file__).parents[2]
_SHIM = f"""\
#!{sys.executable}
import sys
sys.path[:0] = {[str(_ROOT), str(_ROOT / "hooks")]!r}
from pip_intoto.cli import main
sys.exit(main())
"""
ROLES = ("owner", "author", "builder", "reviewer", "publisher")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    status: int
    output: str
    errors: str


@dataclass(slots=True, kw_only=True)
class Desk:
    """``project`` is the author's checkout; keys lie in ``keys/`` beside it.

    Without ``isolated``, builds use the backends that are installed here, and no registry.
    """

    folder: Path
    isolated: bool = False
    project: Path = field(init=False)

    def __post_init__(self) -> None:
        self.project = self.folder / "project"
        self.project.mkdir(parents=True)
        (self.folder / "home").mkdir()
        commands = self.folder / "bin"
        commands.mkdir()
        shim = commands / "pip-intoto"
        shim.write_text(_SHIM)
        shim.chmod(0o755)
        for role in ROLES:
            write_key(self.folder / "keys" / role)

    # --- the shell ---

    def run(self, *words: str | Path, cwd: Path | None = None) -> Done:
        """Run a command, in the project unless told otherwise."""
        ours = ("HOME", "PATH", "PYTHONPATH", "VIRTUAL_ENV")
        done = subprocess.run(
            [str(word) for word in words],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=cwd or self.project,
            env={
                **{name: value for name, value in os.environ.items() if name not in ours},
                "HOME": str(self.folder / "home"),
                "PATH": os.pathsep.join(
                    [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
                ),
                "GIT_CONFIG_GLOBAL": os.devnull,
                **{f"GIT_{role}_NAME": "author" for role in ("AUTHOR", "COMMITTER")},
                **{f"GIT_{role}_EMAIL": "author@example.org" for role in ("AUTHOR", "COMMITTER")},
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "NO_COLOR": "1",
            },
        )
        return Done(status=done.returncode, output=done.stdout, errors=done.stderr)

    def must(self, *words: str | Path, cwd: Path | None = None) -> Done:
        """Run a command that has to succeed."""
        done = self.run(*words, cwd=cwd)
        assert done.status == 0, f"{words}: {done.output}\n{done.errors}"
        return done

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Ask git."""
        return self.must("git", *words, cwd=cwd).output

    # --- the project ---

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Put files into the project."""
        for name, content in files.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, tag: str = "") -> None:
        """Put what lies in the project under git."""
        self.git("init", "-q")
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "all")
        if tag:
            self.git("tag", tag)

    def init(self, *words: str | Path) -> Done:
        """Write ``supply-chain.toml``."""
        isolation = () if self.isolated else ("--no-isolation",)
        return self.run("pip-intoto", "init", "--yes", *isolation, *words)

    @property
    def source(self) -> str:
        """What ``init`` wrote."""
        return (self.project / "supply-chain.toml").read_text()

    # --- the chain ---

    def commands(self) -> dict[str, list[str]]:
        """The command lines in the comments of the source, by step."""
        text = re.sub(r" \\\n# +", " ", self.source)
        typed = re.findall(r"^# +(pip-intoto run .*)$", text, re.MULTILINE)
        lines = [shlex.split(line) for line in typed]
        return {words[words.index("--step-name") + 1]: self._adapted(words) for words in lines}

    def _adapted(self, words: list[str]) -> list[str]:
        if self.isolated:
            return words
        if "prepare" in words:
            return [*words, "--no-isolation"]
        if "wheel" in words:
            return [*words[:-1], "--no-build-isolation", "--no-index", words[-1]]
        return words

    def sign_layout(self) -> Path:
        """Build the layout and sign it, as the owner."""
        source = load_source(self.project / "supply-chain.toml")
        payload, _ = compile_layout(source, now=datetime.now(timezone.utc))
        owner = signing.load((self.folder / "keys" / "owner.pem").read_bytes())
        path = self.project / "root.layout"
        path.write_text(json.dumps(authoring.sign(payload, [owner])))
        return path

    def author(self) -> None:
        """Carry out the source step, where the project is."""
        self.must(*self.commands()["source"])

    def build(self, name: str = "builder") -> Path:
        """Carry out the build in a clone of its own; gives the wheel."""
        clone = self.folder / name
        self.must("git", "clone", "-q", self.project, clone)
        self.must(*self.commands()["build"], cwd=clone)
        (link,) = (clone / "links").iterdir()
        (self.project / "links").mkdir(exist_ok=True)
        (self.project / "links" / link.name).write_bytes(link.read_bytes())
        (wheel,) = (clone / "dist").glob("*.whl")
        made = self.folder / f"made-by-{name}" / wheel.name
        made.parent.mkdir()
        made.write_bytes(wheel.read_bytes())
        return made

    def report_build(self, wheel: Path, name: str = "builder") -> None:
        """Sign that ``wheel`` came out of the build: its key may be in the wrong hands."""
        clone = self.folder / name
        words = self.commands()["build"]
        for path in (clone / "dist").iterdir():
            path.unlink()
        (clone / "dist" / wheel.name).write_bytes(wheel.read_bytes())
        self.must(*words[: words.index("--")], "-x", cwd=clone)
        (link,) = (clone / "links").iterdir()
        (self.project / "links" / link.name).write_bytes(link.read_bytes())

    def verdict(self, wheel: Path) -> Verdict:
        """What plain verification says of a wheel, against the links that there are."""
        return plain.verify_plain(
            plain.prepare(
                layout=self.project / "root.layout",
                keys=[self.folder / "keys" / "owner.pub"],
                link_dir=self.project / "links",
            ),
            wheel,
        )


def write_key(path: Path) -> None:
    """Make a key: ``<path>.pem`` and ``<path>.pub``."""
    key_files.write_pair(path, signing.generate())


def altered(wheel: Path, folder: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write the wheel anew with other members, and a RECORD that fits them: as pip likes it."""
    with zipfile.ZipFile(wheel) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}
    change(members)
    record = next(name for name in members if re.fullmatch(r"[^/]+\.dist-info/RECORD", name))
    rows = [
        f"{name},sha256={_url_safe(content)},{len(content)}"
        for name, content in members.items()
        if name != record
    ]
    members[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / wheel.name, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return folder / wheel.name


def members_of(wheel: Path) -> list[str]:
    """The names of all files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _url_safe(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
