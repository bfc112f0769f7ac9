"""The local record: an older layout does not come back with a newer release."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from fixtures.keys import key
from pip_intoto.errors import LayoutRollback
from pip_intoto.limits import DEFAULT, Limits
from pip_intoto.metadata.identities import GITHUB, Identity
from pip_intoto.verdict import SupplyChain
from pip_intoto.verification.trust import Owner, OwnerIdentity, OwnLayout, Trust
from pip_intoto.verifier.pins import trust_in
from pip_intoto.verifier.records import Records, is_judged, open_records, whose
from tests.unit.disks import disk, make_read_only

if TYPE_CHECKING:
    from pathlib import Path

ALICE, BOB = (Owner(key(name).public_key, name) for name in ("alice", "bob"))
NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


def chain(days: int, digest: str = "a") -> SupplyChain:
    return SupplyChain(
        layout_sha256=digest * 64,
        owners=("alice",),
        expires=NOW + timedelta(days=days),
        stations=(),
    )


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "state")


def test_a_layout_that_expires_earlier_does_not_come_back(records: Records, tmp_path: Path) -> None:
    records.note("demo", "2.0", chain(90))
    for version in ("2.0", "2.0.0", "2.1", "10.0", "not a version"):
        with pytest.raises(LayoutRollback) as caught:
            records.check("demo", version, chain(30, "b"))
        assert "a" * 64 in caught.value.expected
        assert "b" * 64 in caught.value.found
        assert "2026-12-22" in caught.value.found
        # What is to be deleted can be found.
        (record,) = (path for path in (tmp_path / "state" / "layouts").rglob("*") if path.is_file())
        assert str(record) in caught.value.advice


def test_older_versions_come_with_the_layouts_of_their_time(records: Records) -> None:
    records.note("demo", "2.0", chain(90))
    for version in ("1.9", "2.0rc1", "2.0.dev1"):
        records.check("demo", version, chain(1))
    records.note("demo", "1.9", chain(200, "c"))
    # What an older version came with is nobody's measure.
    records.check("demo", "2.0", chain(90))


def test_the_same_layout_and_later_ones_are_fine(records: Records) -> None:
    records.check("demo", "2.0", chain(90))
    records.note("demo", "2.0", chain(90))
    records.check("demo", "2.0", chain(90))
    records.check("demo", "2.1", chain(91))
    records.note("demo", "2.1", chain(91))
    with pytest.raises(LayoutRollback):
        records.check("demo", "2.1", chain(89))
    records.check("other", "2.1", chain(1))


def test_files_of_one_version_may_have_layouts_that_were_made_one_after_the_other(
    records: Records,
) -> None:
    records.note("demo", "2.0", chain(90))
    records.check("demo", "2.0", chain(89))
    # A later version has no such excuse.
    with pytest.raises(LayoutRollback):
        records.check("demo", "2.0.1", chain(89))


def test_what_was_noted_is_never_taken_back(records: Records) -> None:
    records.note("demo", "2.0", chain(90))
    records.note("demo", "2.0", chain(30))
    with pytest.raises(LayoutRollback):
        records.check("demo", "2.0", chain(60))


def test_the_latest_layout_of_a_version_is_its_measure(records: Records) -> None:
    for days in (30, 90, 89):
        records.note("demo", "2.0", chain(days))
    records.check("demo", "2.0", chain(89))
    # A day less, again and again, would lead anywhere.
    with pytest.raises(LayoutRollback):
        records.check("demo", "2.0", chain(88))


def test_a_record_outlives_the_process_that_wrote_it(tmp_path: Path) -> None:
    Records(tmp_path / "state").note("demo", "2.0", chain(90))
    with pytest.raises(LayoutRollback):
        Records(tmp_path / "state").check("demo", "2.0", chain(30))


def test_the_record_lies_in_the_users_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "users"))
    open_records().note("demo", "2.0", chain(90))
    with pytest.raises(LayoutRollback):
        open_records(tmp_path / "users" / "pip-intoto").check("demo", "2.0", chain(30))


# --- what goes wrong never fails anything -------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"project": "demo"}',
        b"\xff" * 3_000,
        # In UTC, a moment of the year 10000, and one of the year 0.
        *(
            b'{"project": "demo", "version": "2.0", "layout": "", "expires": "%s"}' % moment
            for moment in (b"9999-12-31T23:59:59-23:59", b"0001-01-01T00:00:00+23:59")
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    records = Records(tmp_path / "state")
    records.note("demo", "2.0", chain(90))
    (written,) = (path for path in (tmp_path / "state" / "layouts").rglob("*") if path.is_file())
    written.write_bytes(content)
    records.check("demo", "2.0", chain(30))
    records.note("demo", "2.0", chain(90))
    with pytest.raises(LayoutRollback):
        records.check("demo", "2.0", chain(30))


def test_one_projects_record_does_not_serve_for_another(tmp_path: Path) -> None:
    records = Records(tmp_path / "state")
    records.note("demo", "2.0", chain(90))
    records.note("other", "2.0", chain(10))
    one, other = (p for p in (tmp_path / "state" / "layouts").rglob("*") if p.is_file())
    one.write_bytes(other.read_bytes())
    records.check("demo" if b'"other"' in other.read_bytes() else "other", "2.0", chain(1))


def test_a_file_in_the_folders_place_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    records = Records(tmp_path / "state")
    records.note("demo", "2.0", chain(90))
    records.check("demo", "2.0", chain(30))
    assert str(tmp_path) in records.trouble


def test_a_disk_that_nobody_may_write_to_is_a_note(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "1m") as folder:
        Records(folder / "state").note("demo", "2.0", chain(90))
        make_read_only(folder)
        records = Records(folder / "state")
        records.note("demo", "2.1", chain(120))
        assert "cannot be" in records.trouble
        # What is there still counts.
        with pytest.raises(LayoutRollback):
            records.check("demo", "2.0", chain(30))


@pytest.mark.skipif(os.name != "posix", reason="others' rights are told by the mode")
def test_a_folder_that_others_may_write_to_is_not_believed(tmp_path: Path) -> None:
    Records(tmp_path / "state").note("demo", "2.0", chain(90))
    (tmp_path / "state" / "layouts").chmod(0o777)
    records = Records(tmp_path / "state")
    records.check("demo", "2.0", chain(30))
    assert "others may write" in records.trouble


def test_records_are_bounded(tmp_path: Path) -> None:
    limits = Limits(layout_records=8)
    records = Records(tmp_path / "state", limits=limits)
    for number in range(30):
        records.note(f"demo{number}", "1.0", chain(90))
    records.note("x" * 5_000, "1.0", chain(90))
    records.close()
    left = [path for path in (tmp_path / "state" / "layouts").rglob("*") if path.is_file()]
    assert 0 < len(left) <= 8
    assert all(path.stat().st_size <= DEFAULT.layout_record_bytes for path in left)


def _note(folder: Path, days: range) -> None:
    records = Records(folder)
    for day in days:
        records.note("demo", f"1.{day}", chain(day))


def test_many_processes_leave_the_latest(tmp_path: Path) -> None:
    spawning = get_context("spawn")
    writing = [
        spawning.Process(target=_note, args=(tmp_path / "state", range(first, 60, 4)))
        for first in range(1, 5)
    ]
    for process in writing:
        process.start()
    for process in writing:
        process.join()
        assert process.exitcode == 0
    records = Records(tmp_path / "state")
    records.check("demo", "1.59", chain(59))
    with pytest.raises(LayoutRollback):
        records.check("demo", "1.59", chain(57))


# --- whose layouts -------------------------------------------------------------------------------


def test_each_set_of_owners_has_a_record_of_its_own(records: Records) -> None:
    ours, theirs = whose(Trust(owners=(ALICE,), threshold=1)), whose(_known_as("acme/demo"))
    records.note("demo", "2.0", chain(90), ours)
    records.check("demo", "2.0", chain(30), theirs)
    records.note("demo", "2.0", chain(30), theirs)
    records.check("demo", "2.0", chain(30), theirs)
    with pytest.raises(LayoutRollback):
        records.check("demo", "2.0", chain(30), ours)


def test_a_set_of_owners_is_who_they_are() -> None:
    both = whose(Trust(owners=(ALICE, BOB), threshold=1))
    # Not what the policy calls them, nor in which order it lists them, nor who of them signs.
    renamed = Owner(replace(ALICE.key, keyid="0" * 64), "somebody")
    assert whose(Trust(owners=(BOB, renamed, ALICE), threshold=2)) == both
    # What it no longer believes was believed before: that forgets nothing.
    assert whose(Trust(owners=(ALICE, BOB), threshold=1, revoked=frozenset({"a" * 64}))) == both
    others = [
        Trust(owners=(ALICE,), threshold=1),
        Trust(owners=(), threshold=1),
        replace(_known_as("acme/demo"), owners=(ALICE, BOB)),
        _known_as("acme/demo"),
        _known_as("evil/demo"),
    ]
    assert len({both, *map(whose, others)}) == 1 + len(others)


def test_one_sets_record_does_not_serve_for_another(tmp_path: Path) -> None:
    records = Records(tmp_path / "state")
    records.note("demo", "2.0", chain(90), whose(_known_as("acme/demo")))
    (written,) = (path for path in (tmp_path / "state" / "layouts").rglob("*") if path.is_file())
    content = written.read_bytes()
    records.note("demo", "2.0", chain(10), whose(_known_as("evil/demo")))
    for path in (tmp_path / "state" / "layouts").rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    records.check("demo", "2.0", chain(10), whose(_known_as("evil/demo")))


def _known_as(repository: str) -> Trust:
    identity = Identity(keyid="", issuer=GITHUB, repository=repository)
    return Trust(owners=(), threshold=1, owner_identities=(OwnerIdentity(identity, "acme"),))


# --- which layouts -------------------------------------------------------------------------------


def test_only_layouts_that_others_could_bring_back_are_judged() -> None:
    judged = Trust(owners=(), threshold=1)
    assert is_judged(judged)
    assert not is_judged(Trust(owners=(), threshold=1, layout_sha256=("a" * 64,)))
    own = trust_in((), "demo-1.0.tar.gz", "the lock")
    assert isinstance(own.own_layout, OwnLayout)
    assert not is_judged(own)
