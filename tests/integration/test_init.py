"""`init` and `prepare` on small projects: what is in the wheel, and where it comes from.

The build backend is the one that is installed here, so that nothing is asked of a registry.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.layouts.layout_source import load_source
from pip_intoto.maintainer.projects import prepared
from tests.integration.maintaining import Desk, altered, write_key

if TYPE_CHECKING:
    from collections.abc import Mapping

HATCHLING = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "demo"
version = "1.0"
"""
SRC = {"pyproject.toml": HATCHLING, "src/demo/__init__.py": "def main() -> None: ...\n"}
#: A backend that says on which commit it ran, and litters.
OWN = """\
[build-system]
requires = []
build-backend = "own"
backend-path = ["."]
"""
OWN_BACKEND = """\
import pathlib, subprocess, zipfile

def version():
    words = ["git", "describe", "--tags", "--dirty"]
    return subprocess.check_output(words, text=True).strip().lstrip("v").replace("-", "+")

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    pathlib.Path("litter.egg-info").mkdir()
    info = pathlib.Path(folder, f"demo-{version()}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: demo\\nVersion: {version()}\\n")
    return info.name
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(folder=tmp_path)


def begun(desk: Desk, files: Mapping[str, str], *words: str) -> str:
    """Commit a project and have `init` look at it; what it said."""
    desk.write(files)
    desk.commit(tag="v1.0")
    done = desk.init(*words)
    assert done.status == 0, done.errors
    return done.errors


def rules(desk: Desk) -> list[str]:
    """What the inspection asks of the members of the wheel."""
    source = load_source(desk.project / "supply-chain.toml")
    inspection = next(each for each in source.inspections if each.name == "wheel")
    return [str(each.rule) for each in inspection.products]


def carried_out(desk: Desk) -> Path:
    desk.sign_layout()
    desk.author()
    return desk.build()


PREPARED = "IN wheel WITH PRODUCTS IN wheel-metadata FROM source"
PROJECTS = {
    "src layout": (SRC, "MATCH demo/* IN wheel WITH PRODUCTS IN src FROM source"),
    "flat layout": (
        {"pyproject.toml": HATCHLING, "demo/__init__.py": "", "tests/__init__.py": ""},
        "MATCH demo/* IN wheel WITH PRODUCTS FROM source",
    ),
    "one module": (
        {"pyproject.toml": HATCHLING, "demo.py": "x = 1\n"},
        "MATCH demo.py IN wheel WITH PRODUCTS FROM source",
    ),
    "a mapping of the backend": (
        {
            "pyproject.toml": HATCHLING
            + '[tool.hatch.build.targets.wheel.force-include]\n"lib/impl" = "demo"\n',
            "lib/impl/__init__.py": "",
            "lib/impl/a.py": "a = 1\n",
        },
        "MATCH * IN wheel/demo WITH PRODUCTS IN lib/impl FROM source",
    ),
    "a namespace package": (
        {
            "pyproject.toml": HATCHLING
            + '[tool.hatch.build.targets.wheel]\npackages = ["src/acme"]\n',
            "src/acme/demo/__init__.py": "",
        },
        "MATCH acme/demo/* IN wheel WITH PRODUCTS IN src FROM source",
    ),
    "commands": (
        {**SRC, "pyproject.toml": HATCHLING + '[project.scripts]\ndemo = "demo:main"\n'},
        f"MATCH demo-*.dist-info/entry_points.txt {PREPARED}",
    ),
    "a licence and a description": (
        {
            **SRC,
            "pyproject.toml": HATCHLING + 'readme = "README.md"\nlicense-files = ["LICENSE"]\n',
            "README.md": "Demo\n",
            "LICENSE": "Do what you like.\n",
        },
        f"MATCH demo-*.dist-info/licenses/LICENSE {PREPARED}",
    ),
    "a .pth out of the source": (
        {
            **SRC,
            "pyproject.toml": HATCHLING
            + '[tool.hatch.build.targets.wheel.force-include]\n"src/demo.pth" = "demo.pth"\n',
            "src/demo.pth": "import demo\n",
        },
        "MATCH demo.pth IN wheel WITH PRODUCTS IN src FROM source",
    ),
    "data out of the source": (
        {
            **SRC,
            "pyproject.toml": HATCHLING
            + '[tool.hatch.build.targets.wheel.shared-data]\n"man" = "share/man/man1"\n',
            "man/demo.1": "manual\n",
        },
        "MATCH demo.1 IN wheel/demo-1.0.data/data/share/man/man1 WITH PRODUCTS IN man FROM source",
    ),
    "another spelling of the name": (
        {
            **SRC,
            "pyproject.toml": HATCHLING.replace('"demo"', '"Demo.Pkg"')
            + '[tool.hatch.build.targets.wheel]\npackages = ["src/demo"]\n',
        },
        f"MATCH demo_pkg-*.dist-info/METADATA {PREPARED}",
    ),
}


@pytest.mark.parametrize(
    "layout",
    [
        *list(PROJECTS)[:2],
        *(pytest.param(layout, marks=pytest.mark.matrix) for layout in list(PROJECTS)[2:]),
    ],
)
def test_a_wheel_is_tied_to_its_source_and_verifies(desk: Desk, layout: str) -> None:
    files, rule = PROJECTS[layout]
    said = begun(desk, files)
    assert rule in rules(desk)
    assert "not tied" not in said
    linted = desk.must("pip-intoto", "layout", "lint")
    assert "0 errors, 0 warnings" in linted.output
    wheel = carried_out(desk)
    verdict = desk.verdict(wheel)
    assert verdict.reason == "verified", verdict.summary


def test_what_the_build_makes_up_is_allowed_by_its_own_name(desk: Desk, tmp_path: Path) -> None:
    hook = (
        "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
        "class Hook(BuildHookInterface):\n"
        "    def initialize(self, version, build_data):\n"
        "        with open(self.root + '/src/demo/_version.py', 'w') as out:\n"
        "            out.write('v = 1\\n')\n"
        "        build_data['artifacts'].append('src/demo/_version.py')\n"
    )
    files = {
        **SRC,
        "pyproject.toml": HATCHLING + "[tool.hatch.build.hooks.custom]\n",
        "hatch_build.py": hook,
        ".gitignore": "_version.py\n",
    }
    said = begun(desk, files)
    assert "generated, not tied to the source: demo/_version.py" in said
    assert "ALLOW wheel/demo/_version.py" in rules(desk)
    assert '"CREATE hatch_build.py"' in desk.source
    # The look at the project left nothing behind, not even what git ignores.
    assert not (desk.project / "src/demo/_version.py").exists()
    wheel = carried_out(desk)
    assert desk.verdict(wheel).reason == "verified"
    other = altered(
        wheel, tmp_path / "evil", lambda members: members.update({"demo/_other.py": b"evil\n"})
    )
    desk.report_build(other)
    verdict = desk.verdict(other)
    assert verdict.reason == "rule-violated"
    assert "demo/_other.py" in verdict.summary


@pytest.mark.matrix
def test_a_pth_without_a_source_is_refused_until_the_owner_decides(desk: Desk) -> None:
    hook = (
        "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
        "class Hook(BuildHookInterface):\n"
        "    def initialize(self, version, build_data):\n"
        "        with open(self.root + '/made.pth', 'w') as out: out.write('import demo\\n')\n"
        "        build_data['force_include']['made.pth'] = 'made.pth'\n"
    )
    files = {
        **SRC,
        "pyproject.toml": HATCHLING + "[tool.hatch.build.hooks.custom]\n",
        "hatch_build.py": hook,
        ".gitignore": "made.pth\n",
    }
    said = begun(desk, files)
    assert "warning: made.pth equals no source file: every start of Python reads it" in said
    verdict = desk.verdict(carried_out(desk))
    assert verdict.reason == "rule-violated"
    assert "made.pth" in verdict.summary
    path = desk.project / "supply-chain.toml"
    path.write_text(desk.source.replace('# "ALLOW wheel/made.pth"', '"ALLOW wheel/made.pth"'))
    desk.sign_layout()
    (wheel,) = (desk.folder / "made-by-builder").iterdir()
    assert desk.verdict(wheel).reason == "verified"


@pytest.mark.matrix
def test_members_of_another_place_are_refused_where_some_data_is_tied(
    desk: Desk, tmp_path: Path
) -> None:
    files, _ = PROJECTS["data out of the source"]
    begun(desk, files)
    wheel = carried_out(desk)
    for name in ("demo-1.0.data/scripts/pip", "demo-1.0.data/platlib/pip/__init__.py"):

        def add(members: dict[str, bytes], name: str = name) -> None:
            members[name] = b"evil"

        other = altered(wheel, tmp_path / "evil", add)
        desk.report_build(other)
        verdict = desk.verdict(other)
        assert verdict.reason == "rule-violated"
        assert name in verdict.summary


COMPILED = """\
import base64, hashlib, pathlib, zipfile

INFO = "demo-1.0.dist-info"
METADATA = "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n"
MEMBERS = {
    "demo/__init__.py": "",
    "demo/_fast.cpython-313-x86_64-linux-gnu.so": "machine code",
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n",
}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    rows = []
    for name, text in MEMBERS.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        rows.append(f"{name},sha256={digest.decode()},{len(text)}\\n")
    with zipfile.ZipFile(pathlib.Path(folder, "demo-1.0-py3-none-any.whl"), "w") as archive:
        for name, text in MEMBERS.items():
            archive.writestr(name, text)
        archive.writestr(f"{INFO}/RECORD", "".join([*rows, f"{INFO}/RECORD,,\\n"]))
    return "demo-1.0-py3-none-any.whl"
"""


@pytest.mark.matrix
def test_what_compilers_read_is_recorded(desk: Desk) -> None:
    files = {
        "pyproject.toml": OWN,
        "own.py": COMPILED,
        "demo/__init__.py": "",
        "ext/core/fast.c": "int x;\n",
        "ext/core/notes.txt": "",
        "ext/include/fast.h": "",
        "CMakeLists.txt": "",
        "tests/fake.c": "",
        "notes.txt": "",
    }
    said = begun(desk, files)
    assert "compiled, not tied to the source: demo/_fast.*.so" in said
    words = desk.commands()["build"]
    start = words.index("--materials") + 1
    assert words[start : words.index("--products")] == [
        *("pyproject.toml", "CMakeLists.txt", "own.py", "demo", "ext")
    ]
    # A backend without the hook for metadata: it comes out of a wheel.
    verdict = desk.verdict(carried_out(desk))
    assert verdict.reason == "verified", verdict.summary


def test_a_compiled_module_stays_where_it_is(desk: Desk, tmp_path: Path) -> None:
    # `*` crosses `/`, and to pip a folder that ends with `.data` is one, whatever its name.
    backend = COMPILED.replace('"demo/_fast.', '"_fast.')
    begun(desk, {"pyproject.toml": OWN, "own.py": backend, "demo/__init__.py": "", "f.c": ""})
    wheel = carried_out(desk)
    assert desk.verdict(wheel).reason == "verified"
    for name in (
        "_fast.1.data/purelib/sitecustomize.cpython-313-x86_64-linux-gnu.so",
        "_fast.data/purelib/sitecustomize.so",
        "_fast.1.data/scripts/python.pyd",
    ):

        def add(members: dict[str, bytes], name: str = name) -> None:
            members[name] = b"evil"

        other = altered(wheel, tmp_path / "evil", add)
        desk.report_build(other)
        verdict = desk.verdict(other)
        assert verdict.reason == "rule-violated"
        assert name in verdict.summary


@pytest.mark.matrix
def test_a_compiled_module_may_be_called_like_the_folder_of_its_libraries(desk: Desk) -> None:
    backend = COMPILED.replace(
        '"demo/_fast.cpython', '"demo.libs/libz.so": "z",\n    "demo.cpython'
    )
    files = {"pyproject.toml": OWN, "own.py": backend, "demo/__init__.py": "", "f.c": ""}
    begun(desk, files)
    assert "ALLOW wheel/demo.libs/*" in rules(desk)
    verdict = desk.verdict(carried_out(desk))
    assert verdict.reason == "verified", verdict.summary


# --- every step -----------------------------------------------------------------------------


def test_a_chain_of_every_step_is_carried_out_as_the_source_says(
    desk: Desk, tmp_path: Path
) -> None:
    begun(desk, SRC, "--steps", "source,review,build,repair,test,publish")
    commands = desk.commands()
    assert list(commands) == ["source", "review", "build", "repair", "test", "publish"]
    desk.sign_layout()
    desk.author()
    desk.must(*commands["review"])
    wheel = desk.build()

    def finish(wheel: Path) -> Path:
        """Repair, test and publish at one desk; what repairs is this test."""
        for name in ("dist", "wheelhouse"):
            (desk.project / name).mkdir(exist_ok=True)
            for path in (desk.project / name).iterdir():
                path.unlink()
        (desk.project / "dist" / wheel.name).write_bytes(wheel.read_bytes())
        tagged = wheel.name.replace("py2.py3-none-any", "py3-none-manylinux_2_17_x86_64")
        repair = (
            "import pathlib, sys;"
            f" pathlib.Path('wheelhouse', {tagged!r}).write_bytes("
            f"pathlib.Path('dist', {wheel.name!r}).read_bytes())"
        )
        for step, command in {
            "repair": ("python", "-c", repair),
            "test": ("python", "-c", "pass"),
            "publish": ("python", "-c", "pass"),
        }.items():
            words = commands[step]
            desk.must(*words[: words.index("--") + 1], *command)
        return desk.project / "wheelhouse" / tagged

    repaired = finish(wheel)
    verdict = desk.verdict(repaired)
    assert verdict.reason == "verified", verdict.summary
    # As it came out of the build, nobody published it.
    assert desk.verdict(wheel).reason == "rule-violated"
    # A newer wheel is not the one that was tested, nor the one that was published.
    newer = altered(wheel, tmp_path / "newer", lambda _: None)
    links = desk.project / "links"
    kept = {path.name: path.read_bytes() for path in links.iterdir()}
    desk.report_build(newer)
    newest = finish(newer)
    assert desk.verdict(newest).reason == "verified"
    for step, place in (("publish", "step publish"), ("test", "step test")):
        (link,) = (name for name in kept if name.startswith(f"{step}."))
        fresh = (links / link).read_bytes()
        (links / link).write_bytes(kept[link])
        verdict = desk.verdict(newest)
        assert verdict.reason == "rule-violated"
        assert place in verdict.summary
        (links / link).write_bytes(fresh)
    assert desk.verdict(newest).reason == "verified"


@pytest.mark.matrix
def test_a_test_of_nothing_is_no_test(desk: Desk) -> None:
    begun(desk, SRC, "--steps", "source,build,test")
    desk.sign_layout()
    desk.author()
    wheel = desk.build()
    words = desk.commands()["test"]
    (desk.project / "dist").mkdir()
    desk.must(*words[: words.index("--") + 1], "python", "-c", "pass")
    verdict = desk.verdict(wheel)
    assert verdict.reason in {"rule-violated", "artifact-not-bound"}
    assert "inspection tested" in verdict.summary


def test_source_that_nobody_reviewed_is_refused(desk: Desk) -> None:
    begun(desk, SRC, "--steps", "source,review,build")
    desk.sign_layout()
    desk.author()
    desk.must(*desk.commands()["review"])
    assert desk.verdict(desk.build()).reason == "verified"
    desk.write({"src/demo/__init__.py": "import os\n"})
    desk.git("commit", "-q", "-a", "-m", "later")
    desk.author()
    verdict = desk.verdict(desk.build("second"))
    assert verdict.reason == "rule-violated"
    assert "step review" in verdict.summary
    assert "src/demo/__init__.py" in verdict.summary


@pytest.mark.matrix
def test_source_archives_need_a_layout_of_their_own(desk: Desk) -> None:
    begun(desk, SRC)
    desk.sign_layout()
    desk.author()
    desk.build()
    archive = desk.folder / "demo-1.0.tar.gz"
    desk.git("archive", "--prefix=demo-1.0/", "-o", str(archive), "HEAD")
    assert desk.verdict(archive).reason == "inspection-failed"
    # As the last comment says: without the inspections, and with a rule for the archive.
    text = desk.source
    (desk.project / "supply-chain.toml").write_text(
        text[: text.index("[[inspection]]")].replace(
            '["CREATE demo-*.whl",', '["CREATE demo-*.whl", "CREATE demo-*.tar.gz",'
        )
    )
    desk.sign_layout()
    desk.report_build(archive)
    assert desk.verdict(archive).reason == "verified"


#: As setuptools does with a project that names no packages: every folder is one of them.
EVERY_FOLDER = (
    COMPILED
    + """
if pathlib.Path("links").exists():
    REFUSED
"""
)


@pytest.mark.parametrize("minds", ["raise SystemExit('two packages')", "MEMBERS['a.link'] = ''"])
def test_a_build_that_takes_links_for_a_package_has_them_elsewhere(minds: str, desk: Desk) -> None:
    backend = EVERY_FOLDER.replace("REFUSED", minds)
    said = begun(desk, {"pyproject.toml": OWN, "own.py": backend, "demo/__init__.py": ""})
    assert "the build takes a folder links for a package" in said
    assert "bundle dist/*.whl --link-dir ../demo-links" in said
    assert all("../demo-links" in words for words in desk.commands().values())
    desk.sign_layout()
    for words in desk.commands().values():
        desk.must(*words)
    assert sorted(path.name[:5] for path in (desk.folder / "demo-links").iterdir()) == [
        "build",
        "sourc",
    ]


def test_without_git_links_of_an_earlier_release_are_no_source(desk: Desk) -> None:
    backend = EVERY_FOLDER.replace("REFUSED", "raise SystemExit('two packages')")
    desk.write({"pyproject.toml": OWN, "own.py": backend, "demo/__init__.py": ""})
    desk.write({"links/source.1.link": "{}", "dist-evidence/demo.intoto.jsonl": ""})
    done = desk.init()
    assert done.status == 0, done.errors
    assert "CREATE links" not in desk.source
    assert "dist-evidence" not in desk.source


# --- init, what it says ---------------------------------------------------------------------


def test_nothing_is_overwritten(desk: Desk) -> None:
    begun(desk, SRC)
    before = desk.source
    done = desk.init()
    assert done.status == 2
    assert "supply-chain.toml exists already" in done.errors
    assert desk.source == before


def test_the_next_commands_are_said(desk: Desk) -> None:
    said = begun(desk, SRC, "--owner", "../keys/owner.pub", "--author", "keys/ben.pub")
    assert "pip-intoto keygen keys/ben" in said
    assert "keygen ../keys/owner" not in said
    assert "pip-intoto layout build --signing-key ../keys/owner.pem" in said
    typed = " ".join(said.replace("\\\n", "").split())
    for step, words in desk.commands().items():
        assert " ".join(words[: words.index("--") + 2]) in typed, step
    assert "pip-intoto bundle dist/*.whl pip-intoto check dist/*.whl" in typed


def test_the_next_commands_name_a_file_that_is_called_otherwise(desk: Desk) -> None:
    said = begun(desk, SRC, "-o", "chain.toml")
    assert "pip-intoto layout lint chain.toml" in said
    assert "pip-intoto check dist/*.whl --key ../keys/owner.pub" in said


def test_keys_are_named_after_their_files(desk: Desk) -> None:
    for name in ("keys/ann", "keys/ben", "other/ben"):
        write_key(desk.folder / name)
    begun(
        desk,
        SRC,
        *("--owner", "../keys/ann.pub", "--author", "../keys/ben.pub"),
        *("--author", "../other/ben.pub"),
    )
    source = load_source(desk.project / "supply-chain.toml")
    assert [key.name for key in source.owners] == ["ann"]
    assert [key.name for key in source.steps[0].functionaries] == ["ben", "ben-2"]


def test_one_key_in_two_files_is_one_key(desk: Desk) -> None:
    copy = desk.folder / "keys" / "copy.pub"
    copy.write_bytes((desk.folder / "keys" / "author.pub").read_bytes())
    begun(desk, SRC, "--author", "../keys/author.pub", "--author", "../keys/copy.pub")
    source = load_source(desk.project / "supply-chain.toml")
    assert [key.name for key in source.steps[0].functionaries] == ["author"]


def test_a_wheel_that_is_there_is_looked_into(desk: Desk, tmp_path: Path) -> None:
    begun(desk, SRC)
    wheel = carried_out(desk)
    done = desk.init("--wheel", wheel, "-o", tmp_path / "other.toml")
    assert done.status == 0, done.errors
    assert "builds a wheel" not in done.errors
    before = re.sub(r"\.\./", "", desk.source)
    assert re.sub(r"\.\./|project/", "", (tmp_path / "other.toml").read_text()) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other-1.0-py3-none-any.whl", "the wheel is of another project"),
        ("demo-1.0.tar.gz", "is not the filename of a wheel"),
        ("demo-2.0-py3-none-any.whl", "another version than the sources"),
    ],
)
def test_a_wheel_of_something_else_is_refused(
    desk: Desk, tmp_path: Path, name: str, said: str
) -> None:
    begun(desk, SRC)
    made = desk.build()
    wheel = tmp_path / name
    version = name.split("-")[1]

    def rename(members: dict[str, bytes]) -> None:
        for member in list(members):
            members[member.replace("-1.0.dist", f"-{version}.dist")] = members.pop(member)

    wheel.write_bytes(altered(made, tmp_path / "renamed", rename).read_bytes())
    done = desk.init("--wheel", wheel, "-o", "other.toml")
    assert done.status == 2
    assert said in done.errors
    assert not (desk.project / "other.toml").exists()


def test_a_private_key_is_not_taken_for_a_public_one(desk: Desk) -> None:
    desk.write(SRC)
    desk.commit()
    done = desk.init("--owner", "../keys/owner.pem")
    assert done.status == 2
    assert "owner.pem cannot be used as a public key" in done.errors
    assert "a private key" in done.errors
    assert "../keys/owner.pub" in done.errors


def test_what_is_no_key_is_said_before_anything_is_built(desk: Desk) -> None:
    desk.write(SRC)
    desk.commit()
    done = desk.init("--builder", "pyproject.toml")
    assert done.status == 2
    assert "pyproject.toml cannot be used as a public key" in done.errors
    assert "build backend runs" not in done.errors


def test_steps_that_nobody_knows_are_refused(desk: Desk) -> None:
    desk.write(SRC)
    done = desk.init("--steps", "source,bild")
    assert done.status == 2
    assert "there is no step bild" in done.errors


def test_a_folder_without_a_project_is_said(desk: Desk) -> None:
    done = desk.init()
    assert done.status == 2
    assert "there is no Python project" in done.errors


def test_a_folder_without_git_works_and_is_said(desk: Desk) -> None:
    desk.write(SRC)
    done = desk.init()
    assert done.status == 0, done.errors
    assert "warning: this is no git repository" in done.errors
    assert "MATCH demo/* IN wheel WITH PRODUCTS IN src FROM source" in rules(desk)


def test_changes_that_are_not_committed_are_said(desk: Desk) -> None:
    desk.write(SRC)
    desk.commit()
    desk.write({"src/demo/__init__.py": "changed = True\n"})
    done = desk.init()
    assert done.status == 0, done.errors
    assert "warning: not committed yet: src/demo/__init__.py." in done.errors


def test_a_backend_that_fails_is_quoted(desk: Desk) -> None:
    desk.write({**SRC, "pyproject.toml": HATCHLING.replace('version = "1.0"', 'version = "one"')})
    desk.commit()
    done = desk.init()
    assert done.status == 2
    assert "the build backend failed" in done.errors
    assert "Invalid version" in done.errors
    assert not (desk.project / "supply-chain.toml").exists()


def test_a_backend_that_is_not_there_is_said(desk: Desk) -> None:
    desk.write({**SRC, "pyproject.toml": HATCHLING.replace("hatchling.build", "no_such_backend")})
    desk.commit()
    done = desk.init()
    assert done.status == 2
    assert "'no_such_backend' is not available" in done.errors


@pytest.mark.skipif(os.name == "nt", reason="terminals are made otherwise there")
def test_on_a_terminal_it_asks_for_what_is_missing(desk: Desk) -> None:
    import pty

    desk.write(SRC)
    desk.commit()
    (desk.folder / "keys" / "ben.pub").write_bytes(
        (desk.folder / "keys" / "author.pub").read_bytes()
    )
    shim = desk.folder / "bin" / "pip-intoto"
    words = [shim, "init", "--no-isolation", "--builder", "../keys/builder.pub"]
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - the child
        os.chdir(desk.project)
        os.execv(sys.executable, [sys.executable, *map(str, words)])  # noqa: S606
    os.write(terminal, b"\n../keys/ben.pub\n")
    said = b""
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # what Linux says at the end
            break
        if not block:
            break
        said += block
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said
    os.close(terminal)
    assert b"Public key of who signs the layout [../keys/owner.pub]:" in said
    assert b"Public key of who carries out `build`" not in said
    source = load_source(desk.project / "supply-chain.toml")
    assert [key.name for key in source.owners] == ["owner"]
    assert [key.name for key in source.steps[0].functionaries] == ["ben"]


# --- prepare --------------------------------------------------------------------------------


def prepare(desk: Desk, *words: str | Path) -> tuple[int, str, str]:
    done = desk.run("pip-intoto", "prepare", "--no-isolation", *words)
    return done.status, done.output, done.errors


def test_prepare_lists_what_it_made(desk: Desk) -> None:
    desk.write({**SRC, "pyproject.toml": HATCHLING + '[project.scripts]\nx = "demo:main"\n'})
    desk.commit()
    status, output, _ = prepare(desk)
    assert status == 0
    names = ["METADATA", "entry_points.txt"]
    assert output.splitlines() == [f"wheel-metadata/demo-1.0.dist-info/{name}" for name in names]
    assert (
        "x = demo:main"
        in (desk.project / "wheel-metadata/demo-1.0.dist-info/entry_points.txt").read_text()
    )


def test_prepare_replaces_an_earlier_result_as_a_whole(desk: Desk) -> None:
    desk.write(SRC)
    desk.commit()
    assert prepare(desk)[0] == 0
    desk.write({"pyproject.toml": HATCHLING.replace("1.0", "2.0")})
    assert prepare(desk)[0] == 0
    assert [path.name for path in (desk.project / "wheel-metadata").iterdir()] == [
        "demo-2.0.dist-info"
    ]
    assert {path.name for path in desk.project.iterdir()} == {
        *(".git", "pyproject.toml", "src", "wheel-metadata")
    }


@pytest.mark.parametrize("foreign", ["notes.txt", "demo-1.0.dist-info/other"])
def test_prepare_replaces_nothing_else(desk: Desk, foreign: str) -> None:
    desk.write({**SRC, f"out/{foreign}": "mine\n"})
    desk.commit()
    status, _, said = prepare(desk, "-o", "out")
    assert status == 2
    assert "out holds other things than prepared metadata" in said
    assert (desk.project / "out" / foreign).read_text() == "mine\n"


def test_prepare_does_not_write_through_a_file_or_a_link(desk: Desk) -> None:
    desk.write({**SRC, "file": "mine\n"})
    desk.commit()
    assert "is no folder" in prepare(desk, "-o", "file")[2]
    if os.name == "posix":
        (desk.project / "link").symlink_to("src")
        assert "is no folder" in prepare(desk, "-o", "link")[2]
    assert (desk.project / "file").read_text() == "mine\n"


def test_a_failing_backend_leaves_the_earlier_result(desk: Desk) -> None:
    desk.write(SRC)
    desk.commit()
    assert prepare(desk)[0] == 0
    desk.write({"pyproject.toml": HATCHLING.replace('"1.0"', '"one"')})
    status, _, said = prepare(desk)
    assert status == 2
    assert "Invalid version" in said
    assert (desk.project / "wheel-metadata/demo-1.0.dist-info/METADATA").is_file()


def test_prepare_into_a_folder_that_is_not_there_is_said(desk: Desk) -> None:
    desk.write(SRC)
    desk.commit()
    status, _, said = prepare(desk, "-o", "nowhere/out")
    assert status == 2
    assert "nowhere/out cannot be written: No such file or directory" in said


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_prepare_that_is_killed_leaves_the_earlier_result(desk: Desk) -> None:
    desk.write({"pyproject.toml": OWN, "own.py": OWN_BACKEND})
    desk.commit(tag="v1.0")
    assert prepare(desk)[0] == 0
    reached = desk.folder / "reached"
    slow = f"import pathlib, time; pathlib.Path({str(reached)!r}).touch(); time.sleep(60)\n"
    desk.write({"own.py": slow})
    shim = desk.folder / "bin" / "pip-intoto"
    process = subprocess.Popen(
        [sys.executable, shim, "prepare", "--no-isolation"],
        cwd=desk.project,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not reached.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert reached.exists()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert {path.name for path in desk.project.iterdir()} == {
        *(".git", "own.py", "pyproject.toml", "wheel-metadata")
    }
    assert (desk.project / "wheel-metadata/demo-1.0.dist-info/METADATA").is_file()


def test_what_cannot_take_its_place_leaves_the_earlier_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / "src" / "demo").mkdir(parents=True)
    for name, text in SRC.items():
        (project / name).write_text(text)
    output = tmp_path / "out"
    first = prepared.prepare(project, output, isolated=False)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if target == output and not self.name.endswith(".old"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(CommandError, match="cannot be written: Input/output error"):
        prepared.prepare(project, output, isolated=False)
    assert [path.name for path in tmp_path.iterdir() if path != project] == ["out"]
    assert all((output / name).is_file() for name in first)


def test_prepare_takes_another_folder_as_its_source(desk: Desk) -> None:
    desk.write({f"packages/one/{name}": text for name, text in SRC.items()})
    desk.commit()
    status, output, _ = prepare(desk, "packages/one", "-o", "out")
    assert (status, output) == (0, "out/demo-1.0.dist-info/METADATA\n")


def test_versions_out_of_git_are_those_of_the_project(desk: Desk) -> None:
    desk.write({"pyproject.toml": OWN, "own.py": OWN_BACKEND, "readme.txt": ""})
    desk.commit(tag="v3.1")
    status, output, said = prepare(desk)
    assert (status, output) == (0, "wheel-metadata/demo-3.1.dist-info/METADATA\n"), said
    desk.write({"readme.txt": "changed\n"})
    assert prepare(desk)[1] == "wheel-metadata/demo-3.1+dirty.dist-info/METADATA\n"
    # What the backend leaves lying about, it leaves in a copy.
    assert not list(desk.project.glob("*.egg-info"))


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere refuse such names")
def test_a_name_that_no_metadata_can_hold_is_said(desk: Desk) -> None:
    desk.write({**SRC, os.fsdecode(b"README-\xff"): "read me\n"})
    desk.commit()
    done = desk.init()
    assert done.status == 2
    assert "a file whose name is not UTF-8" in done.errors


def test_metadata_is_what_a_build_backend_must_give(desk: Desk) -> None:
    broken = OWN_BACKEND.replace('"METADATA"', '"OTHER"')
    desk.write({"pyproject.toml": OWN, "own.py": broken})
    desk.commit(tag="v1")
    status, _, said = prepare(desk)
    assert status == 2
    assert "prepared no METADATA" in said


def test_without_the_library_the_way_to_it_is_said(desk: Desk) -> None:
    desk.write(SRC)
    desk.commit()
    # As if it were not installed: an import of it fails.
    shim = (desk.folder / "bin" / "pip-intoto").read_text()
    script = desk.folder / "without.py"
    script.write_text(shim.replace("import sys\n", "import sys\nsys.modules['build'] = None\n"))
    done = desk.run(sys.executable, script, "prepare")
    assert done.status == 2
    assert "pip install 'pip-intoto[maintainer]'" in done.errors
