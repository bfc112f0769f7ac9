"""TUF as a source: what a repository gives, and what it does not get away with."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from fixtures.tufrepository import TufRepository
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.keys import identity, load_public
from pip_intoto.policy import model
from pip_intoto.sources.fetching import Response, drive
from pip_intoto.sources.tuf import TufPlace
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.sources.fetching import Fetch
    from pip_intoto.sources.finding import Finding

WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
FILE = f"demo/{WHEEL.filename}"
BASE = "https://tuf.example/"
OWNER = "keys/owner.pub"

DOCUMENTS = {
    f"demo/{document.name}": authoring.written(document.content)
    for document in CHAIN.evidence(WHEEL)
}
LAYOUT, *LINKS = DOCUMENTS


def made(*, consistent: bool = True, in_toto: object = None) -> TufRepository:
    """Make the repository as ITE-2 has it: the layout's target lists the owners' keys."""
    repository = TufRepository(consistent=consistent)
    repository.add(OWNER, key("owner").public_pem())
    for name, content in DOCUMENTS.items():
        repository.add(name, content, in_toto=[OWNER] if name == LAYOUT else None)
    repository.add(FILE, WHEEL.data, in_toto=list(DOCUMENTS) if in_toto is None else in_toto)
    repository.publish()
    return repository


def served(files: dict[str, bytes]) -> Repository:
    return Repository({BASE + path: content for path, content in files.items()})


def place(
    trusted: bytes,
    *,
    sha256: str = WHEEL.sha256,
    path: Path | None = None,
    limits: Limits = DEFAULT,
) -> TufPlace:
    named = model.TufRepository(
        name="acme",
        root=trusted,
        metadata=BASE + "metadata/",
        targets=BASE + "targets/",
        target="{project}/{filename}",
        line=1,
    )
    distribution = Distribution(
        name="demo",
        version="1.0",
        filename=WHEEL.filename,
        kind=Kind.WHEEL,
        sha256=sha256,
        path=path,
    )
    return TufPlace(named, distribution, limits)


def find(repository: TufRepository, files: dict[str, bytes] | None = None) -> Finding:
    """Look once, as one run does; what it keeps is there for the next."""
    shown = repository.files if files is None else files
    return served(shown).run(place(repository.trusted).find())


def fault_of(finding: Finding) -> str:
    """Give the reason code of the one fault."""
    assert not finding.documents
    assert not finding.missing
    assert not finding.unreachable
    (fault,) = finding.faults
    return fault.code


# --- what it gives --------------------------------------------------------------------------


@pytest.mark.parametrize("consistent", [True, False])
def test_layout_links_and_owner_keys_are_found(*, consistent: bool) -> None:
    found = find(made(consistent=consistent))
    assert not found.faults
    assert [document.data for document in found.documents] == list(DOCUMENTS.values())
    owner = load_public(key("owner").public_pem(), limits=DEFAULT)
    assert [identity(each) for each in found.keys] == [identity(owner)]


def test_an_object_says_which_is_which() -> None:
    lists = {"layout": [LAYOUT], "links": LINKS, "pubkeys": [OWNER], "comment": "unknown"}
    repository = made(in_toto=lists)
    repository.add(LAYOUT, DOCUMENTS[LAYOUT])
    repository.publish()
    found = find(repository)
    assert len(found.documents) == 3
    assert len(found.keys) == 1


def test_one_layout_needs_no_list() -> None:
    found = find(made(in_toto={"layout": LAYOUT, "links": LINKS}))
    assert len(found.documents) == 3


def test_a_bundle_may_be_a_target() -> None:
    repository = made(in_toto=["demo/all.intoto.jsonl"])
    repository.add("demo/all.intoto.jsonl", CHAIN.bundle(WHEEL))
    repository.publish()
    assert len(find(repository).documents) == 3


def test_a_delegated_role_may_list_the_file_and_its_links() -> None:
    repository = made()
    repository.delegate("releases", ["demo/*"])
    for name in (FILE, *LINKS):
        repository.drop(name)
    for name in LINKS:
        repository.add(name, DOCUMENTS[name], role="releases")
    repository.add(FILE, WHEEL.data, in_toto=list(DOCUMENTS), role="releases")
    repository.publish()
    found = find(repository)
    assert len(found.documents) == 3
    assert len(found.keys) == 1


def test_every_file_is_asked_for_once() -> None:
    repository = made()
    driver = served(repository.files)
    driver.run(place(repository.trusted).find())
    assert len(driver.asked) == len(set(driver.asked))
    # A next root that is not there, three kinds of metadata, and all targets at once.
    assert driver.rounds == 5


# --- what is not there ----------------------------------------------------------------------


def test_a_file_that_is_not_listed_is_missing() -> None:
    repository = made()
    repository.drop(FILE)
    repository.publish()
    found = find(repository)
    assert found.missing == (f"tuf:acme {FILE}",)
    assert not found.faults


def test_a_listed_file_without_metadata_is_missing_and_that_is_said() -> None:
    repository = made()
    repository.add(FILE, WHEEL.data)
    repository.publish()
    (missing,) = find(repository).missing
    assert "no in-toto metadata" in missing


def test_no_repository_at_the_address_is_missing() -> None:
    repository = made()
    found = find(repository, {})
    assert found.missing
    assert not found.unreachable
    assert not found.faults


@pytest.mark.parametrize(
    "answer", [Response(None, error="time ran out"), Response(500), Response(403)]
)
def test_a_repository_that_cannot_be_asked_is_unreachable(answer: Response) -> None:
    repository = made()
    driver = served(repository.files)
    driver.answers[BASE + "metadata/timestamp.json"] = answer
    found = driver.run(place(repository.trusted).find())
    assert len(found.unreachable) == 1
    assert not found.missing
    assert not found.faults


@pytest.mark.parametrize("gone", ["metadata/1.snapshot.json", "metadata/1.targets.json", OWNER])
def test_what_signed_metadata_lists_and_nobody_has_is_unreachable(gone: str) -> None:
    repository = made()
    left = {
        path: content
        for path, content in repository.files.items()
        if path != gone and not (gone == OWNER and path.endswith("owner.pub"))
    }
    assert len(left) == len(repository.files) - 1
    found = find(repository, left)
    assert len(found.unreachable) == 1
    assert not found.documents


# --- the file in hand -----------------------------------------------------------------------


def test_another_digest_than_the_listed_one_is_refused() -> None:
    repository = made()
    found = served(repository.files).run(place(repository.trusted, sha256="0" * 64).find())
    assert fault_of(found) == "artifact-digest-mismatch"


def test_another_length_than_the_listed_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / WHEEL.filename
    path.write_bytes(WHEEL.data + b"more")
    repository = made()
    found = served(repository.files).run(place(repository.trusted, path=path).find())
    assert fault_of(found) == "artifact-digest-mismatch"


# --- attacks --------------------------------------------------------------------------------


def test_an_older_state_is_a_rollback() -> None:
    repository = made()
    old = dict(repository.files)
    repository.publish()
    assert len(find(repository).documents) == 3
    assert fault_of(find(repository, old)) == "tuf-rollback"


def test_an_older_snapshot_below_a_new_timestamp_is_a_rollback() -> None:
    repository = made()
    repository.publish()
    find(repository)
    # Whoever has the keys of snapshot and timestamp, and not that of targets.
    repository.snapshot.meta["targets.json"].version = 1
    repository.sign("snapshot", repository.snapshot)
    repository.timestamp.snapshot_meta.version = repository.snapshot.version
    repository.sign("timestamp", repository.timestamp)
    assert fault_of(find(repository)) == "tuf-rollback"


def test_a_state_that_has_expired_is_a_freeze() -> None:
    repository = made()
    repository.timestamp.expires = datetime(2020, 1, 1, tzinfo=timezone.utc)
    repository.sign("timestamp", repository.timestamp)
    assert fault_of(find(repository)) == "tuf-expired"


@pytest.mark.parametrize("role", ["snapshot", "targets", "root"])
def test_any_expired_role_is_a_freeze(role: str) -> None:
    repository = made()
    past = datetime(2020, 1, 1, tzinfo=timezone.utc)
    if role == "root":
        repository.root.expires = past
        repository.sign_root()
    elif role == "snapshot":
        repository.snapshot.expires = past
    else:
        repository.roles["targets"].expires = past
    repository.publish()
    assert fault_of(find(repository)) == "tuf-expired"


@pytest.mark.parametrize("older", ["targets", "snapshot"])
def test_files_of_two_states_do_not_mix(older: str) -> None:
    repository = made(consistent=False)
    old = dict(repository.files)
    repository.publish()
    path = f"metadata/{older}.json"
    assert fault_of(find(repository, {**repository.files, path: old[path]})) == "tuf-invalid"


def test_metadata_by_other_keys_is_refused() -> None:
    repository = made()
    forger = made()
    shown = {**repository.files, "metadata/timestamp.json": forger.files["metadata/timestamp.json"]}
    assert fault_of(find(repository, shown)) == "tuf-invalid"


@pytest.mark.parametrize("garbage", [b"", b"not json", b"{}", b"[" * 10_000, b"\xff\xfe", b"null"])
def test_garbage_in_place_of_metadata_is_refused(garbage: bytes) -> None:
    repository = made()
    shown = {**repository.files, "metadata/timestamp.json": garbage}
    assert fault_of(find(repository, shown)) == "tuf-invalid"


@pytest.mark.parametrize("role", ["timestamp", "1.snapshot", "1.targets"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_one_changed_byte_of_metadata_is_refused(role: str, share: float) -> None:
    repository = made()
    path = f"metadata/{role}.json"
    data = bytearray(repository.files[path])
    # A byte that means something: TUF signs content, not spelling.
    place = next(at for at in range(int(len(data) * share), len(data)) if chr(data[at]).isalnum())
    data[place] = ord("7" if data[place] != ord("7") else "8")
    found = find(repository, {**repository.files, path: bytes(data)})
    assert not found.documents
    assert not found.keys
    assert [fault.code for fault in found.faults] == ["tuf-invalid"]


@pytest.mark.parametrize("path", ["metadata/timestamp.json", "metadata/2.root.json"])
def test_endless_metadata_is_cut_off(path: str) -> None:
    repository = made()
    shown = {**repository.files, path: b" " * (1024 * 1024)}
    assert fault_of(find(repository, shown)) == "tuf-invalid"


@pytest.mark.parametrize("longer", [True, False], ids=["longer", "other"])
def test_a_target_with_another_content_is_refused(*, longer: bool) -> None:
    repository = made()
    (path,) = [path for path in repository.files if path.endswith("root.layout")]
    content = repository.files[path]
    shown = {**repository.files, path: content + b" " if longer else content[:-1] + b" "}
    assert fault_of(find(repository, shown)) == "tuf-invalid"


def test_a_document_of_any_length_is_not_fetched() -> None:
    repository = made()
    repository.add(LAYOUT, b" " * (DEFAULT.document_bytes + 1))
    repository.publish()
    driver = served(repository.files)
    found = driver.run(place(repository.trusted).find())
    assert fault_of(found) == "metadata-too-large"
    assert not [url for url in driver.asked if url.startswith(BASE + "targets/")]


def test_more_than_all_evidence_may_be_is_not_kept() -> None:
    repository = made()
    limits = replace(DEFAULT, evidence_bytes=2_000)
    found = served(repository.files).run(place(repository.trusted, limits=limits).find())
    assert fault_of(found) == "metadata-too-large"


@pytest.mark.parametrize(
    "lists",
    ["demo/root.layout", 7, [7], [""], {"layout": 7}, {"links": [None]}, [["demo/root.layout"]]],
)
def test_a_list_of_another_form_is_refused(lists: object) -> None:
    assert fault_of(find(made(in_toto=lists))) == "tuf-invalid"


def test_metadata_that_is_named_and_not_listed_is_refused() -> None:
    assert fault_of(find(made(in_toto=["demo/none.layout"]))) == "tuf-invalid"


@pytest.mark.parametrize(
    "name",
    [
        "../elsewhere.layout",
        "//host/x",
        "x?y",
        "x#y",
        "a b",
        "%2e?",
        "%2e%2E/x",
        "x%2f..%2fx",
        "..%5Cx",
    ],
)
def test_no_name_leads_out_of_the_repository(name: str) -> None:
    repository = made(consistent=False, in_toto=[name])
    repository.add(name, DOCUMENTS[LAYOUT])
    repository.publish()
    driver = served(repository.files)
    assert fault_of(driver.run(place(repository.trusted).find())) == "tuf-invalid"
    assert not [url for url in driver.asked if url.startswith(BASE + "targets/")]


# --- keys -----------------------------------------------------------------------------------


def test_a_key_that_is_no_longer_listed_does_not_count() -> None:
    repository = made()
    repository.drop(OWNER)
    repository.publish()
    found = find(repository)
    assert len(found.documents) == 3
    assert not found.keys
    assert "does not list the key" in str(found.trace)


def test_a_key_that_a_delegated_role_lists_does_not_count() -> None:
    repository = made()
    repository.drop(OWNER)
    repository.delegate("online", ["*", "*/*"])
    repository.add(OWNER, key("owner").public_pem(), role="online")
    repository.publish()
    found = find(repository)
    assert not found.keys
    assert "top-level targets role does not list it" in str(found.trace)


def test_a_key_that_a_delegated_role_names_does_not_count() -> None:
    repository = made()
    repository.add("keys/builder.pub", key("builder").public_pem())
    repository.delegate("online", ["demo/*"])
    repository.drop(FILE)
    lists = {"layout": [LAYOUT], "links": LINKS, "pubkeys": ["keys/builder.pub"]}
    repository.add(FILE, WHEEL.data, in_toto=lists, role="online")
    repository.publish()
    found = find(repository)
    # The owner's, which the top-level role names with the layout, and no other.
    assert [each.public for each in found.keys] == [
        load_public(key("owner").public_pem(), limits=DEFAULT).public
    ]
    assert "which names it" in str(found.trace)


def test_what_a_link_lists_is_no_owner() -> None:
    repository = made()
    repository.add("keys/builder.pub", key("builder").public_pem())
    repository.add(LINKS[0], DOCUMENTS[LINKS[0]], in_toto=["keys/builder.pub"])
    repository.publish()
    assert len(find(repository).keys) == 1


def test_keys_of_functionaries_are_given_out_by_name() -> None:
    repository = made()
    repository.add("keys/builder.pub", key("builder").public_pem())
    repository.publish()
    asked = place(repository.trusted)
    driver = served(repository.files)
    driver.run(asked.find())
    before = len(driver.asked)
    found = driver.run(asked.find_keys(["keys/builder.pub", "keys/none.pub"]))
    assert [name for name, _ in found.managed] == ["keys/builder.pub"]
    assert "keys/none.pub" in str(found.trace)
    # Of the repository itself nothing is asked for again.
    assert len(driver.asked) == before + 1


# --- roots, and what is kept ----------------------------------------------------------------


@pytest.mark.parametrize("role", ["root", "timestamp", "targets"])
def test_keys_of_the_repository_can_be_replaced(role: str) -> None:
    repository = made()
    find(repository)
    repository.replace_key(role)
    repository.publish()
    repository.replace_key("root")
    repository.publish()
    assert len(find(repository).documents) == 3


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_key_that_was_replaced_signs_no_more(role: str) -> None:
    repository = made()
    find(repository)
    old = repository.replace_key(role)
    repository.signers[role] = old
    repository.publish()
    assert fault_of(find(repository)) == "tuf-invalid"


def test_a_new_root_needs_the_old_one_s_signature() -> None:
    repository = made()
    repository.replace_key("root")
    repository.root.version -= 1
    repository.sign_root()
    assert fault_of(find(repository)) == "tuf-invalid"


def test_after_new_keys_versions_may_begin_anew() -> None:
    repository = made()
    repository.timestamp.version = 1_000_000
    repository.publish()
    find(repository)
    repository.replace_key("timestamp")
    repository.timestamp.version = 1
    repository.publish()
    assert len(find(repository).documents) == 3
    old = dict(repository.files)
    repository.publish()
    find(repository)
    assert fault_of(find(repository, old)) == "tuf-rollback"


def test_a_root_that_is_withheld_is_remembered() -> None:
    repository = made()
    old = dict(repository.files)
    repository.replace_key("timestamp")
    repository.publish()
    find(repository)
    # The state before, with timestamps by the key that was replaced.
    assert fault_of(find(repository, old)) == "tuf-invalid"


def test_another_root_in_the_policy_is_another_repository() -> None:
    repository, other = made(), made()
    repository.publish()
    find(repository)
    assert len(find(other).documents) == 3


def test_a_look_that_failed_is_remembered_as_far_as_it_verified() -> None:
    repository = made()
    old = dict(repository.files)
    repository.publish()
    without = dict(repository.files)
    del without["metadata/2.targets.json"]
    assert find(repository, without).unreachable
    assert fault_of(find(repository, old)) == "tuf-rollback"


def test_an_older_look_that_ends_later_does_not_take_anything_back() -> None:
    repository = made()
    find(repository)
    old = dict(repository.files)
    driver = served(old)
    begun: list[Finding] = []

    def fetch_many(fetches: tuple[Fetch, ...]) -> tuple[Response, ...]:
        if not begun:
            # Another process comes and goes while this one waits for its first answer.
            repository.publish()
            begun.append(find(repository))
        return driver.fetch_many(fetches)

    assert drive(place(repository.trusted).find(), fetch_many).documents
    assert fault_of(find(repository, old)) == "tuf-rollback"


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"garbage", b'{"schema": 1, "files": {"../x": ""}}']
)
def test_what_is_kept_may_be_damaged(content: bytes, tmp_path: Path) -> None:
    repository = made()
    find(repository)
    state = tmp_path / "user-state" / "pip-intoto" / "tuf"
    (kept,) = [path for path in state.rglob("*") if path.is_file() and path.name != "lock"]
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_bytes(content)
    found = find(repository)
    assert len(found.documents) == 3
    assert "cannot be read" in str(found.trace)
    assert kept.read_bytes() != content
    assert "cannot be read" not in str(find(repository).trace)


@pytest.mark.skipif(os.name != "posix", reason="modes of folders")
def test_a_state_directory_that_cannot_be_used_is_said_and_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_bytes(b"")
    monkeypatch.setenv("XDG_STATE_HOME", str(nowhere))
    found = find(made())
    assert len(found.documents) == 3
    assert "is not kept" in str(found.trace)


def test_nothing_is_left_of_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "temporary"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    find(made())
    abandoned = place(made().trusted).find()
    abandoned.send(None)
    assert not list(room.iterdir())
    abandoned.close()


def test_python_tuf_is_loaded_only_where_a_repository_is_asked() -> None:
    code = (
        "import sys, pip_intoto.verifier.judge, pip_intoto.verifier.service\n"
        "import pip_intoto.sources.tuf\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] in"
        " {'tuf', 'securesystemslib', 'urllib3', 'requests'}))"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.stdout.split() == []
