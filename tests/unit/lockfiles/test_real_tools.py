"""The same project, locked by each tool: the same distributions and digests come out.

What each format cannot say is listed in ``SAYS``, and in docs/reference/lockfiles.md.
"""

from __future__ import annotations

import json

import pytest

from fixtures import locks
from pip_intoto.lockfiles.reading import read_lock
from pip_intoto.lockfiles.trees import Disk
from tests.unit.lockfiles.locks import OLD, left_out, names
from tests.unit.lockfiles.real import ELSEWHERE, FORKED, SAYS, TOOLS, contents, expected, read


@pytest.mark.parametrize("all_interpreters", [False, True], ids=["linux", "all"])
@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_locks_the_same_distributions(tool: str, *, all_interpreters: bool) -> None:
    lock = read(locks.LOCKS, tool, all_interpreters=all_interpreters)
    assert contents(lock) == expected(tool, all_interpreters=all_interpreters)


@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_format_says_beyond_names_and_digests(tool: str) -> None:
    lock, says = read(locks.LOCKS, tool), SAYS[tool]
    files = [file for locked in lock.locked for file in locked.files]
    assert {bool(file.url) for file in files} == {says.has_urls}
    assert {file.size is not None for file in files} == {says.has_sizes}
    indexes = {*lock.indexes, *(locked.index for locked in lock.locked if locked.index)}
    simple = f"{locks.ADDRESS}/simple"
    assert {index.rstrip("/") for index in indexes} == ({simple} if says.has_index else set())
    assert all(locked.notes == () for locked in lock.locked)
    assert all(locked.place.line > 0 for locked in lock.locked)


@pytest.mark.parametrize("tool", TOOLS)
def test_every_file_has_the_line_that_it_stands_on(tool: str) -> None:
    for locked in read(locks.LOCKS, tool).locked:
        lines = locked.place.path.read_text("utf-8").splitlines()
        for file in locked.files:
            line = lines[file.place.line - 1]
            assert (file.filename or file.sha256) in line or tool == "pip", (file, line)


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if not SAYS[tool].has_no_markers])
def test_what_is_for_elsewhere_is_left_out_for_a_reason(tool: str) -> None:
    why = left_out(read(locks.LOCKS, tool))
    assert set(why) - {"app 0.1"} == (set() if SAYS[tool].is_for_one else ELSEWHERE)
    assert all(why.values())


@pytest.mark.parametrize("tool", FORKED)
def test_of_several_versions_each_interpreter_has_one(tool: str) -> None:
    path = locks.LOCKS / tool / locks.TOOLS[tool].writes
    assert names(read(locks.LOCKS, tool)) == ["theta 2.0"]
    assert names(read_lock(path, Disk(), OLD)) == ["theta 1.0"]
    assert names(read(locks.LOCKS, tool, all_interpreters=True)) == ["theta 1.0", "theta 2.0"]


def test_the_list_of_distributions_is_what_the_script_builds() -> None:
    listed = json.loads((locks.LOCKS / "distributions.json").read_text("ascii"))
    assert listed == {file.filename: file.sha256 for file in locks.distributions()}
