"""What is kept of TUF repositories: the newest state, whoever writes, and never too much."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pip_intoto.limits import DEFAULT
from pip_intoto.policy.model import TufRepository
from pip_intoto.sources.tuf_client import newer
from pip_intoto.sources.tuf_state import State

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.limits import Limits


def state(
    folder: Path, *, name: str = "acme", root: bytes = b"{}", limits: Limits = DEFAULT
) -> State:
    repository = TufRepository(
        name=name, root=root, metadata="https://a/", targets="https://b/", target="", line=1
    )
    return State(repository, limits, folder=folder / "tuf")


def seen(version: int, *, root: int = 1) -> dict[str, bytes]:
    """Give what somebody has seen, as far as ages go."""
    timestamp = json.dumps({"signed": {"version": version}}).encode()
    return {"timestamp.json": timestamp, f"root_history/{root}.root.json": b"a root"}


def test_what_is_kept_is_there_for_the_next(tmp_path: Path) -> None:
    assert state(tmp_path).load() == {}
    state(tmp_path).keep(seen(1), newer)
    assert state(tmp_path).load() == seen(1)


def test_an_older_state_takes_nothing_back(tmp_path: Path) -> None:
    state(tmp_path).keep(seen(3), newer)
    state(tmp_path).keep(seen(2), newer)
    assert state(tmp_path).load() == seen(3)


def test_after_a_newer_root_versions_may_begin_anew(tmp_path: Path) -> None:
    state(tmp_path).keep(seen(1_000_000), newer)
    state(tmp_path).keep(seen(1, root=2), newer)
    assert state(tmp_path).load() == seen(1, root=2)
    state(tmp_path).keep(seen(1_000_001), newer)
    assert state(tmp_path).load() == seen(1, root=2)


def test_the_newest_stays_however_many_write(tmp_path: Path) -> None:
    versions = [(number * 37) % 101 for number in range(101)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda version: state(tmp_path).keep(seen(version), newer), versions))
    assert state(tmp_path).load() == seen(100)


@pytest.mark.skipif(os.name != "posix", reason="locks of files")
def test_who_writes_and_never_ends_holds_nobody_up(tmp_path: Path) -> None:
    import fcntl

    limits = replace(DEFAULT, record_lock_seconds=0)
    state(tmp_path).keep(seen(1), newer)
    with (tmp_path / "tuf" / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        late = state(tmp_path, limits=limits)
        late.keep(seen(2), newer)
        assert "held by another process" in late.trouble
        assert late.load() == seen(1)
    state(tmp_path, limits=limits).keep(seen(2), newer)
    assert state(tmp_path).load() == seen(2)


def test_each_name_and_each_root_has_a_state_of_its_own(tmp_path: Path) -> None:
    state(tmp_path).keep(seen(1), newer)
    assert state(tmp_path, name="other").load() == {}
    assert state(tmp_path, root=b"[]").load() == {}


def test_too_much_is_not_kept_and_that_is_said(tmp_path: Path) -> None:
    kept = state(tmp_path, limits=replace(DEFAULT, tuf_state_bytes=100))
    kept.keep(seen(1), newer)
    assert "more than 100 bytes" in kept.trouble
    assert kept.load() == {}


def test_only_so_many_repositories_are_kept(tmp_path: Path) -> None:
    limits = replace(DEFAULT, tuf_states=4)
    for number in range(12):
        state(tmp_path, name=f"acme-{number}", limits=limits).keep(seen(1), newer)
    files = [path for path in (tmp_path / "tuf").rglob("*") if path.is_file()]
    assert len([path for path in files if path.name != "lock"]) <= 4


@pytest.mark.skipif(os.name != "posix", reason="modes of folders")
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "tuf").mkdir()
    (tmp_path / "tuf").chmod(0o777)
    kept = state(tmp_path)
    kept.keep(seen(1), newer)
    assert "others may write" in kept.trouble
    assert kept.load() == {}


@pytest.mark.parametrize(
    "name", ["../root.json", "targets.json", "root_history/01.root.json", "/etc/x"]
)
def test_no_other_name_becomes_a_file(name: str, tmp_path: Path) -> None:
    state(tmp_path).keep({**seen(1), name: b"x"}, newer)
    assert state(tmp_path).load() == seen(1)
