"""Environments are what their interpreters say they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pip_intoto import environments
from pip_intoto.environments import find_environment, is_same_directory
from pip_intoto.errors import CommandError
from pip_intoto.limits import Limits


def program(path: Path, text: str) -> Path:
    """Write a program that answers with *text*."""
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_without_a_name_it_is_the_environment_of_this_program() -> None:
    found = find_environment()
    assert found.python == Path(sys.executable)
    assert found.prefix == Path(sys.prefix)
    assert found.version == sys.version_info[:3]
    assert found.is_read


def test_a_virtual_environment_is_not_the_one_that_its_links_lead_to(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    for target in (tmp_path / "venv", tmp_path / "venv" / "bin" / "python"):
        found = find_environment(str(target))
        assert found.prefix == tmp_path / "venv"
        assert found.site_packages.is_relative_to(tmp_path / "venv")
        assert (found.pip, found.pip_number, found.pip_directory) == ("", (0, 0), None)


def test_an_interpreter_is_found_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some-python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_environment("some-python").version == sys.version_info[:3]


def test_what_is_printed_before_the_answer_is_no_harm(tmp_path: Path) -> None:
    answer = (
        '{"version": [3, 9, 1], "prefix": "/p", "executable": "/p/bin/python",'
        ' "site_packages": "/p/lib", "is_read": true, "pip": "24.0b1", "pip_directory": "/p/pip"}'
    )
    found = find_environment(str(program(tmp_path / "python", f"a greeting\n{answer}")))
    assert found.version == (3, 9, 1)
    assert found.pip_number == (24, 0)
    assert found.python == Path("/p/bin/python")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("hello", "is no Python that works"),
        ("[]", "is no Python that works"),
        ('{"version": "3.12"}', "too old"),
        ('{"version": [3, 12, "x"]}', "too old"),
        ('{"version": [2, 7, 18]}', "too old"),
        ('{"version": [3, 12, 0], "site_packages": ""}', "does not say where its packages go"),
    ],
)
def test_an_odd_answer_is_an_error(answer: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=said):
        find_environment(str(program(tmp_path / "python", answer)))


def test_what_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("", encoding="utf-8")
    with pytest.raises(CommandError, match="cannot be run"):
        find_environment(str(tmp_path / "python"))


def test_what_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setattr(environments, "DEFAULT", Limits(interpreter_seconds=1))
    with pytest.raises(CommandError, match="does not answer"):
        find_environment(str(slow))


def test_what_is_not_there_is_no_directory(tmp_path: Path) -> None:
    assert is_same_directory(tmp_path, tmp_path / "." / "")
    assert not is_same_directory(tmp_path, tmp_path / "gone")


def test_a_program_that_is_no_python_is_not_quoted_at_length(tmp_path: Path) -> None:
    """Many programs repeat the code that they were given."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "cannot open $3" | tr "\\n" " " >&2\n', encoding="utf-8")
    python.chmod(0o755)
    with pytest.raises(CommandError, match="is no Python that works") as caught:
        find_environment(str(python))
    assert caught.value.found == "a program that does not know what to do with Python code"
