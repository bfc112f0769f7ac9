from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import packaging
import pytest
from packaging.markers import default_environment
from packaging.tags import sys_tags

from pip_intoto.errors import CommandError
from pip_intoto.lockfiles.interpreters import interpreter_of

# What pip in that interpreter goes by, asked in another way than the code under test does.
_ORACLE = """\
import json, sys
sys.dont_write_bytecode = True
try:
    sys.path.insert(0, sys.argv[1])
    from packaging import markers, tags
except Exception:
    sys.path.pop(0)
    for name in [name for name in sys.modules if name.startswith("packaging")]:
        del sys.modules[name]
    from pip._vendor.packaging import markers, tags
print(json.dumps([markers.default_environment(), [str(tag) for tag in tags.sys_tags()]]))
"""
PYTHONS = sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
OLDEST = (3, 8)


def version_of(python: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in python.parents[1].name.split(".")[:2] if part.isdigit())


def test_the_running_interpreter_is_not_started_again() -> None:
    here = interpreter_of(None)
    assert here.markers == dict(default_environment())
    assert here.tags == tuple(sys_tags())


def test_asked_from_outside_it_says_the_same() -> None:
    assert interpreter_of(sys.executable) == interpreter_of(None)
    assert interpreter_of(sys.prefix) == interpreter_of(None)


@pytest.mark.matrix
@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: python.parents[1].name)
def test_every_python_says_what_its_own_pip_would_go_by(python: Path) -> None:
    if version_of(python) < OLDEST:
        with pytest.raises(CommandError, match="too old"):
            interpreter_of(str(python))
        return
    folder = Path(packaging.__path__[0]).parent
    done = subprocess.run(
        [python, "-c", _ORACLE, folder], check=True, capture_output=True, text=True, cwd="/"
    )
    markers, tags = json.loads(done.stdout)
    found = interpreter_of(str(python))
    assert dict(found.markers) == markers
    assert [str(tag) for tag in found.tags] == tags
    assert found.markers["python_version"] == python.parents[1].name.rpartition(".")[0]


def test_nothing_is_written_beside_packaging() -> None:
    cache = Path(packaging.__path__[0]) / "__pycache__"
    other = next(
        (python for python in PYTHONS if (3, 9) <= version_of(python) != sys.version_info[:2]), None
    )
    if other is None:
        pytest.skip("there is no other Python here")
    before = set(cache.iterdir()) if cache.is_dir() else set()
    interpreter_of(str(other))
    assert (set(cache.iterdir()) if cache.is_dir() else set()) == before


def script(tmp_path: Path, text: str) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="a shell script plays the interpreter")
@pytest.mark.parametrize(
    "second",
    ["echo '[]'", "echo no", "echo '{}'", 'echo \'{"markers": {}, "tags": ["a-b-c"]}\'', "exit 3"],
)
def test_an_interpreter_that_does_not_answer_is_an_error(tmp_path: Path, second: str) -> None:
    # It says what it is, by its own name, and nothing more.
    program = str(tmp_path / "python")
    script(
        tmp_path,
        f'case "$3" in *sys_tags*) {second} ;;\n'
        f'*) {sys.executable} "$@" | sed "s#{sys.executable}#{program}#" ;; esac',
    )
    with pytest.raises(CommandError, match="does not say which wheels it takes"):
        interpreter_of(program)


@pytest.mark.parametrize("target", ["/nowhere/python", "no-such-python", "."])
def test_what_is_no_interpreter_is_an_error(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError):
        interpreter_of(target)
