"""What all readers of this kind have in common: bytes that are no text, sizes, depth."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from pip_intoto.limits import LOCAL, Limits
from pip_intoto.lockfiles import documents, pdm, pins, pipfile, poetry, uv
from pip_intoto.lockfiles.reading import is_lockfile, reader_for
from pip_intoto.policy.places import find_places
from tests.unit.lockfiles.locks import Locks
from tests.unit.lockfiles.trees import Memory

ALL = [
    Locks(uv, "uv.lock"),
    Locks(poetry, "poetry.lock"),
    Locks(pdm, "pdm.lock"),
    Locks(pipfile, "Pipfile.lock"),
]


@pytest.fixture(params=ALL, ids=lambda locks: locks.path.name)
def locks(request: pytest.FixtureRequest) -> Locks:
    found = request.param
    assert isinstance(found, Locks)
    return found


def test_each_reads_the_files_of_its_name(locks: Locks) -> None:
    module = reader_for(locks.path.name)
    assert import_module(f"pip_intoto.lockfiles.{module}") is locks.reader


def test_names_are_recognised_as_the_list_of_readers_has_them() -> None:
    names = ["uv.lock", "tool.py.lock", "poetry.lock", "pdm.lock", "pdm.dev.lock", "Pipfile.lock"]
    for name in names:
        assert reader_for(name) in {"uv", "poetry", "pdm", "pipfile"}
        assert is_lockfile(Path(name))
    for name in ["uv.lock.bak", "py.lock", "pdm.a.b.lock", "pipfile.lock", "xpdm.lock"]:
        assert reader_for(name) is None
        assert not is_lockfile(Path(name))


def test_what_is_no_text_is_refused(locks: Locks) -> None:
    assert locks.refused(b"\n\xff", 2).message == "this is not UTF-8 text"


def test_what_is_too_large_is_refused(locks: Locks) -> None:
    assert locks.refused(b" " * (LOCAL.lock_bytes + 1), 1).message == "this lockfile is too large"


def test_what_is_nested_too_deeply_is_refused(locks: Locks) -> None:
    deep = "x = " + "[" * 20_000 + "]" * 20_000
    assert locks.refused('{"x": ' + deep[4:] + "}" if locks is ALL[3] else deep, 1).message


def test_too_many_projects_are_refused(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "LOCAL", Limits(lock_entries=1))
    texts = {
        "uv.lock": "version = 1\n[[package]]\n[[package]]\n",
        "poetry.lock": '[metadata]\nlock-version = "2.1"\n[[package]]\n[[package]]\n',
        "pdm.lock": '[metadata]\nlock_version = "4.5.1"\n[[package]]\n[[package]]\n',
        "Pipfile.lock": '{"_meta": {"pipfile-spec": 6},\n\n"default": {"a": {}, "b": {}}}',
    }
    line = 2 if locks is ALL[0] else 3
    assert locks.refused(texts[locks.path.name], line).message == "this lock has too many projects"


def test_lines_are_those_of_the_exact_way_to_read_toml() -> None:
    text = (
        '# top\na = 1\n[[x]]\nb = [\n  1,\n  { c = 2, d = 3 },\n]\n[x."y.z"]\ne = 4\n[[x]]\n'
        "[x.f]\n[[x.f.g]]\nh = 5\n"
    )
    document = documents.read_toml(ALL[0].path, Memory().add({ALL[0].path.name: text}))
    exact = find_places(text)
    assert len(exact.lines) > 10
    for at in exact.lines:
        assert document.line_of(at) == exact.line_of(at), at
