"""Whether what is installed is still what was installed, and what is said of it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.distributions import sdist, wheel
from pip_intoto.arming import HOOKS, gate_source
from pip_intoto.distribution import Kind
from pip_intoto.environments import find_environment
from pip_intoto.errors import CommandError
from pip_intoto.verdict import Action, Status
from pip_intoto.verifier.inventory import Inventory
from pip_intoto_gate import records
from tests.unit.verifier.homes import DEMO, Home, digest_of, fit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [True, False])
def test_files_as_they_were_installed_are_intact(home: Home, record: bool) -> None:
    home.install(record=record)
    files = home.files()
    assert files.are_intact
    assert (files.compared, files.against) == (6, "record" if record else "RECORD")


@pytest.mark.parametrize("record", [True, False])
def test_an_edited_and_a_removed_module_are_named(home: Home, record: bool) -> None:
    home.install(record=record)
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    (home.site / "demo/sub/b.py").unlink()
    files = home.files()
    assert (files.changed, files.missing) == (("demo/__init__.py",), ("demo/sub/b.py",))


def test_a_RECORD_that_was_rewritten_to_fit_helps_nobody(home: Home) -> None:
    info = home.install()
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    (home.site / "demo/evil.py").write_bytes(b"\n")
    fit(info)
    files = home.files()
    assert files.changed == ("demo/__init__.py",)
    assert files.unexpected == ("demo/evil.py",)


@pytest.mark.parametrize(
    "path",
    [
        "demo/evil.py",
        "demo/__init__.cpython-311-x86_64-linux-gnu.so",
        "demo/sub/deep/er/evil.pyc",
        "demo/run.PTH",
        "alone.so",
        "alone/__init__.py",
    ],
)
def test_what_can_be_imported_and_is_in_no_list_is_named(home: Home, path: str) -> None:
    home.install()
    (home.site / path).parent.mkdir(parents=True, exist_ok=True)
    (home.site / path).write_bytes(b"\n")
    assert home.files().unexpected == (path,)


@pytest.mark.parametrize(
    "path", ["demo/notes.txt", "demo/__pycache__/b.cpython-311.pyc", "demo/sub/table.json"]
)
def test_what_cannot_be_imported_or_was_compiled_is_no_alarm(home: Home, path: str) -> None:
    home.install()
    (home.site / path).parent.mkdir(parents=True, exist_ok=True)
    (home.site / path).write_bytes(b"\n")
    assert home.files().are_intact


def test_projects_that_share_a_folder_do_not_accuse_each_other(home: Home) -> None:
    shared = {"demo/__init__.py": b"", "demo/plugins/one.py": b""}
    home.install(wheel("demo", modules=shared))
    home.install(wheel("other", modules={"demo/plugins/two.py": b"", "demo/three.py": b""}))
    inventory = home.inventory()
    assert [inventory.check_files(project).are_intact for project in inventory.projects] == [
        True,
        True,
    ]


def test_a_link_out_of_the_environment_is_not_followed(home: Home) -> None:
    home.install()
    outside = home.folder / "outside"
    outside.mkdir()
    for name in ("demo/__init__.py", "demo/sub/b.py"):
        (outside / Path(name).name).write_bytes((home.site / name).read_bytes())
    (home.site / "demo/__init__.py").unlink()
    (home.site / "demo/__init__.py").symlink_to(outside / "__init__.py")
    (home.site / "demo/sub/b.py").unlink()
    (home.site / "demo/sub").rmdir()
    (home.site / "demo/sub").symlink_to(outside)
    changed = home.files().changed
    assert changed == tuple(
        f"{name} (leads out of the environment)" for name in ("demo/__init__.py", "demo/sub/b.py")
    )


def test_a_link_inside_the_environment_is_read(home: Home) -> None:
    home.install()
    store = home.prefix / "store"
    (home.site / "demo/__init__.py").rename(store)
    (home.site / "demo/__init__.py").symlink_to(store)
    assert home.files().are_intact
    store.write_bytes(b"A = 2\n")
    assert home.files().changed == ("demo/__init__.py",)


def test_a_folder_that_is_added_as_a_link_is_named(home: Home) -> None:
    home.install()
    (home.site / "demo/evil").symlink_to(home.folder)
    assert home.files().unexpected == ("demo/evil",)


def test_a_list_that_leads_elsewhere_makes_nothing_read(home: Home) -> None:
    info = home.install(record=False)
    secret = home.folder / "secret"
    secret.write_bytes(b"secret\n")
    up = os.path.relpath(secret, home.site)
    with (info / "RECORD").open("a", newline="") as file:
        rows = [[path, digest_of(b"secret\n"), "7"] for path in (up, str(secret), "demo/..")]
        csv.writer(file).writerows(rows)
    changed = home.files().changed
    paths = (up, secret, "demo/..")
    assert changed == tuple(f"{path} (leads out of the environment)" for path in paths)


@pytest.mark.parametrize("listing", [b"\xff\xfe", b'"', b"\0,\0\n", b",,\n\n", None])
def test_a_list_that_cannot_be_read_is_no_list(home: Home, listing: bytes | None) -> None:
    info = home.install(record=False)
    (info / "RECORD").unlink()
    if listing is not None:
        (info / "RECORD").write_bytes(listing)
    assert (home.files().compared, home.files().against) == (0, "")
    assert home.checked().notes[-1] == "there is no list of its files"


@pytest.mark.parametrize(
    "digest", ["md5=abc", "sha256=abc", "sha256=%", "sha256", "=", "sha512=YQ"]
)
def test_a_digest_that_says_nothing_is_not_compared(home: Home, digest: str) -> None:
    info = home.install(record=False)
    (info / "RECORD").write_text(f"demo/__init__.py,{digest},1\n")
    assert home.files().compared == 0


def test_other_digests_are_compared_as_well(home: Home) -> None:
    info = home.install(record=False)
    found = base64.urlsafe_b64encode(hashlib.sha512(b"A = 1\n").digest()).decode()
    (info / "RECORD").write_text(f"demo/__init__.py,sha512={found},\n")
    assert (home.files().compared, home.files().changed) == (1, ())
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    assert home.files().changed == ("demo/__init__.py",)


def test_what_is_no_file_any_more_is_changed_and_not_waited_for(home: Home) -> None:
    home.install()
    (home.site / "demo/__init__.py").unlink()
    os.mkfifo(home.site / "demo/__init__.py")
    (home.site / "alone.py").unlink()
    (home.site / "alone.py").mkdir()
    assert home.files().changed == (
        "demo/__init__.py (cannot be read)",
        "alone.py (cannot be read)",
    )


def test_a_huge_file_in_the_place_of_a_small_one_is_not_read_whole(home: Home) -> None:
    home.install()
    with (home.site / "alone.py").open("wb") as file:
        file.truncate(2**40)
    assert home.files().changed == ("alone.py (too large)",)


def test_folders_without_end_are_walked_without_recursion(home: Home) -> None:
    home.install()
    deep = home.site / "demo"
    for _ in range(600):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "evil.py").write_bytes(b"\n")
    assert len(home.files().unexpected) == 1


def test_the_wheel_itself_tells_what_a_forged_record_hides(home: Home) -> None:
    info = home.install()
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    (home.site / "demo/evil.py").write_bytes(b"\n")
    fit(info)
    path = info / records.FILENAME
    forged = json.loads(path.read_text())
    with (info / "RECORD").open(newline="") as file:
        forged["files"] = [row for row in csv.reader(file) if row[1]]
    path.write_text(json.dumps(forged))
    inventory = home.inventory()
    (demo,) = inventory.projects
    assert inventory.check_files(demo).are_intact  # whoever can write there can do that
    files = inventory.check_files(demo, home.wheelhouse / DEMO.filename)
    assert (files.changed, files.against) == (("demo/__init__.py",), "wheel")
    assert files.unexpected == ("demo/evil.py",)
    assert home.checked().verdict.status is Status.VERIFIED
    assert home.checked(find_links=home.wheelhouse).verdict.reason == "installed-files-changed"


def test_a_wheel_that_contradicts_itself_is_no_help_and_no_end(home: Home) -> None:
    odd = wheel("demo")
    with zipfile.ZipFile(io.BytesIO(odd.data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["demo.py"] = b"OTHER = 1\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    home.install(replace(odd, data=packed.getvalue()))
    checked = home.checked(find_links=home.wheelhouse)
    assert checked.verdict.reason == "installed-files-changed"  # not what its own RECORD says
    assert any("The wheel holds 'demo.py' with other content" in note for note in checked.notes)


def test_another_wheel_than_the_one_that_was_installed_is_refused(home: Home) -> None:
    home.install()
    inventory = home.inventory()
    other = DEMO.tampered().write(home.folder)
    with pytest.raises(CommandError, match="not what demo was installed from"):
        inventory.check_files(inventory.projects[0], other)
    with pytest.raises(CommandError, match="cannot be read"):
        inventory.check_files(inventory.projects[0], home.folder / "nowhere.whl")


def test_what_belongs_to_nobody_is_named_and_the_gate_is_not(home: Home) -> None:
    home.install()
    (home.site / "evil.pth").write_text("import os\n")
    (home.site / "stray").mkdir()
    (home.site / "stray" / "a.py").write_text("\n")
    (home.site / "stray" / "b.py").write_text("\n")
    for name, content in HOOKS.items():
        (home.site / name).write_text(content)
    source = gate_source() / "pip_intoto_gate"
    (home.site / "pip_intoto_gate").mkdir()
    (home.site / "pip_intoto_gate" / "gate.py").write_bytes((source / "gate.py").read_bytes())
    unclaimed = [path.relative_to(home.site).as_posix() for path in home.inventory().unclaimed]
    assert unclaimed == ["evil.pth", "stray/a.py"]
    (home.site / "pip_intoto_gate.pth").write_text("import evil\n")
    (home.site / "pip_intoto_gate" / "gate.py").unlink()
    os.mkfifo(home.site / "pip_intoto_gate" / "gate.py")
    added = {home.site / "pip_intoto_gate.pth", home.site / "pip_intoto_gate" / "gate.py"}
    assert added <= set(home.inventory().unclaimed)


# --- what is installed ----------------------------------------------------------------------


def test_a_record_tells_the_file_and_how_it_was_decided(home: Home) -> None:
    info = home.install()
    demo = home.demo()
    assert (demo.name, demo.version, demo.installer) == ("demo", "1.0", "pip")
    assert (demo.filename, demo.sha256) == (DEMO.filename, DEMO.sha256)
    assert str(demo.place) == f"{info / 'RECORD'}:1"
    assert demo.notes[0].startswith("verified when it was installed on 20")


def test_a_record_of_a_build_tells_the_sdist_and_the_wheel(home: Home) -> None:
    source = sdist("demo", runs=home.folder / "mark")
    home.install(source=source)
    demo = home.demo()
    assert (demo.filename, demo.sha256) == (source.filename, source.sha256)
    assert demo.distribution is not None
    assert demo.distribution.kind is Kind.SDIST
    assert demo.record is not None
    assert demo.record.built_sha256 == DEMO.sha256
    assert home.files().are_intact
    inventory = home.inventory()
    built = DEMO.write(home.folder)
    assert inventory.check_files(inventory.projects[0], built).are_intact


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"version": "2.0"}, "the record that lies there is about demo 2.0, and does not count"),
        ({"name": "six"}, "the record that lies there is about six 1.0, and does not count"),
        ({"schema": 2}, "the record of its install is of another version of pip-intoto: not read"),
        ({"schema": "1"}, "the record of its install cannot be read, and does not count"),
        ({"kind": "egg"}, "the record of its install cannot be read, and does not count"),
        ({"sha256": None}, "the record of its install has no digest, and does not count"),
        ({"sha256": "../" * 22}, "the record of its install has no digest, and does not count"),
    ],
)
def test_a_record_that_does_not_fit_does_not_count(
    home: Home, change: dict[str, object], note: str
) -> None:
    path = home.install() / records.FILENAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    demo = home.demo()
    assert demo.record is None
    assert demo.distribution is None
    assert note in demo.notes


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\0", b"[]", b"[" * 100_000, b"{}", b'{"a":1,"a":1}']
)
def test_a_record_that_is_none_does_not_count(home: Home, data: bytes) -> None:
    (home.install() / records.FILENAME).write_bytes(data)
    demo = home.demo()
    assert demo.record is None
    assert "the record of its install cannot be read, and does not count" in demo.notes
    assert home.files().against == "RECORD"


def test_a_record_that_a_wheel_brought_past_the_gate_does_not_count(home: Home) -> None:
    info = home.install()
    (info / "INSTALLER").write_text("uv\n")
    demo = home.demo()
    assert demo.record is None
    assert demo.notes == (
        "a record lies there that uv left",
        "installed by uv, which no hook reaches",
    )


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"\0\xff" * 50_000,
        b"Name: ../../evil\nVersion: 1.0\n",
        b"Name: demo\nName: six\nVersion: 1.0\n",
        b"Name: demo\n",
        b"Name: demo\nVersion: 1.0\nVersion: 2.0\n",
        b"Name: demo\nVersion: 1.0/../2.0\n",
        b"X: " + b"x" * 1_000_000 + b"\nName: demo\nVersion: 1.0\n",
        None,
    ],
)
def test_hostile_metadata_is_told_and_nothing_of_it_believed(
    home: Home, metadata: bytes | None
) -> None:
    info = home.install()
    if metadata is None:
        (info / "METADATA").unlink()
    else:
        (info / "METADATA").write_bytes(metadata)
    demo = home.demo()
    assert (demo.name, demo.version, demo.record) == ("demo", "1.0", None)
    assert demo.problem.startswith("its METADATA" if metadata is not None else "it has no METADATA")
    verdict = home.checked().verdict
    assert (verdict.status, verdict.reason) == (Status.INVALID, "installed-files-changed")
    assert verdict.action is Action.BLOCK


def test_a_folder_with_an_evil_name_shows_no_control_characters(home: Home) -> None:
    (home.site / "\x1b[2Jevil-1.0.dist-info").mkdir()
    demo = home.demo()
    assert demo.name.isprintable()
    assert demo.problem


def test_what_an_interrupted_uninstall_leaves_is_no_project(home: Home) -> None:
    home.install().rename(home.site / "~emo-1.0.dist-info")
    assert home.inventory().projects == ()


def test_what_was_installed_before_wheels_is_listed(home: Home) -> None:
    folder = home.site / "old-1.0.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Name: old\nVersion: 1.0\n")
    (folder / "top_level.txt").write_text("old\n")
    (home.site / "old").mkdir()
    (home.site / "old" / "__init__.py").write_text("")
    (home.site / "older-2.0.egg-info").write_text("Name: older\nVersion: 2.0\n")
    (folder / "installed-files.txt").write_text("PKG-INFO\n../old/__init__.py\n")
    inventory = home.inventory()
    assert [(found.name, found.version) for found in inventory.projects] == [
        ("old", "1.0"),
        ("older", "2.0"),
    ]
    assert inventory.unclaimed == ()
    files = inventory.check_files(inventory.projects[0])
    assert (files.compared, files.against, files.are_intact) == (0, "", True)


@pytest.mark.parametrize(
    ("said", "kind", "sha256"),
    [
        ({"dir_info": {"editable": True}}, Kind.DIRECTORY, ""),
        ({"vcs_info": {"vcs": "git"}}, Kind.VCS, ""),
        ({"archive_info": {"hashes": {"sha256": "a" * 64}}}, Kind.WHEEL, "a" * 64),
        ({"archive_info": {"hash": f"sha256={'b' * 64}"}}, Kind.WHEEL, "b" * 64),
        ({"archive_info": {}}, None, ""),
    ],
)
def test_an_address_that_something_was_installed_from_is_used(
    home: Home, said: dict[str, object], kind: Kind | None, sha256: str
) -> None:
    info = home.install(record=False)
    url = f"https://user:secret@host.example/{DEMO.filename}"
    (info / "direct_url.json").write_text(json.dumps({"url": url, **said}))
    demo = home.demo()
    assert demo.sha256 == sha256
    assert (demo.distribution and demo.distribution.kind) is kind
    if demo.distribution is not None:
        assert demo.distribution.url == f"https://host.example/{DEMO.filename}"


def test_this_environment_is_what_it_is() -> None:
    inventory = Inventory(find_environment())
    names = {project.name for project in inventory.projects}
    assert {"pytest", "packaging", "cryptography"} <= names
    pytest_itself = next(found for found in inventory.projects if found.name == "pytest")
    assert inventory.check_files(pytest_itself).are_intact


# --- verdicts -------------------------------------------------------------------------------


def test_what_was_verified_and_is_intact_is_verified_now(home: Home) -> None:
    info = home.install()
    checked = home.checked()
    assert checked.verdict.status is Status.VERIFIED
    assert checked.place is not None
    assert checked.place.path == info / "RECORD"
    assert len(checked.notes) == 1


def test_evidence_decides_now_and_not_the_record(home: Home) -> None:
    home.install(evidence=False)
    checked = home.checked()
    assert (checked.verdict.status, checked.verdict.reason) == (Status.MISSING, "layout-missing")
    assert checked.notes[0].startswith("verified when it was installed")


def test_a_record_of_another_file_convinces_nobody(home: Home) -> None:
    path = home.install() / records.FILENAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    checked = home.checked()
    assert checked.verdict.reason == "artifact-digest-mismatch"


def test_changed_files_make_a_verified_project_invalid(home: Home) -> None:
    home.install()
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    checked = home.checked()
    verdict = checked.verdict
    assert (verdict.status, verdict.action) == (Status.INVALID, Action.BLOCK)
    assert verdict.reason == "installed-files-changed"
    assert verdict.found == "changed: demo/__init__.py"
    assert verdict.chain is not None
    assert "changed since it was installed: demo/__init__.py" in checked.notes
    assert home.checked(head='mode = "warn"').verdict.action is Action.WARN


def test_many_changes_are_counted_and_not_all_named(home: Home) -> None:
    home.install()
    for number in range(8):
        (home.site / f"demo/evil{number}.py").write_bytes(b"\n")
    assert home.checked().verdict.found.endswith("demo/evil4.py, 3 more")


EXCEPTION = """
[[exception]]
project = "demo"
reason = "ours"
owner = "me@acme.example"
expires = 2999-01-01
"""


def test_what_an_exception_waives_stays_exempt_and_its_changes_are_said(home: Home) -> None:
    home.install(status="exempt")
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    checked = home.checked(tail=EXCEPTION)
    assert checked.verdict.status is Status.EXEMPT
    assert checked.notes[0].startswith("exempt when it was installed")
    assert "changed since it was installed: demo/__init__.py" in checked.notes


def test_an_exception_that_waives_a_part_does_not_waive_the_files(home: Home) -> None:
    home.install(evidence=False)
    (home.site / "demo/__init__.py").write_bytes(b"A = 2\n")
    checked = home.checked(tail=EXCEPTION + 'waives = ["layout-missing"]\n')
    assert checked.verdict.reason == "installed-files-changed"


@pytest.mark.parametrize(("unlisted", "action"), [("allow", "warn"), ("deny", "block")])
def test_an_unlisted_project_that_changed_is_never_silent(
    home: Home, unlisted: str, action: str
) -> None:
    home.install(wheel("other"), status="unlisted", evidence=False)
    head = f'unlisted = "{unlisted}"'
    checked = home.checked(head=head)
    assert checked.verdict.status is Status.UNLISTED
    assert checked.notes[0].endswith("(unlisted)")
    (home.site / "other.py").write_bytes(b"A = 2\n")
    verdict = home.checked(head=head).verdict
    assert (verdict.status, verdict.action.value) == (Status.INVALID, action)


def test_without_a_record_a_listed_project_is_unverifiable(home: Home) -> None:
    home.install(installer="uv", record=False)
    checked = home.checked()
    verdict = checked.verdict
    assert (verdict.status, verdict.reason) == (Status.UNVERIFIABLE, "unverifiable")
    assert verdict.action is Action.BLOCK
    assert verdict.found == "installed by uv, which no hook reaches"
    assert "lock" in verdict.advice
    assert any("the installer's own list" in note for note in checked.notes)


def test_without_a_record_an_unlisted_project_is_unlisted_and_an_exempt_one_exempt(
    home: Home,
) -> None:
    home.install(record=False)
    assert home.checked(tail=EXCEPTION).verdict.status is Status.EXEMPT
    second = home.folder / "second"
    second.mkdir()
    home = Home(second)
    home.install(wheel("other"), record=False, evidence=False)
    assert home.checked().verdict.status is Status.UNLISTED


def test_an_editable_install_is_unverifiable(home: Home) -> None:
    info = home.install(record=False)
    said = {"url": "file:///src/demo", "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(said))
    verdict = home.checked().verdict
    assert verdict.status is Status.UNVERIFIABLE
