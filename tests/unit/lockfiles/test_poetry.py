"""poetry.lock, in the versions of its format."""

from __future__ import annotations

import pytest

from pip_intoto.distribution import Kind
from pip_intoto.lockfiles import poetry
from tests.unit.lockfiles.locks import OLD, WINDOWS, A, B, C, Locks, here, left_out, names

LOCKS = Locks(poetry, "poetry.lock")


def package(name: str, version: str = "1.0", more: str = "", files: str | None = None) -> str:
    if files is None:
        files = f'{{file = "{name}-{version}-py3-none-any.whl", hash = "{A}"}}'
    listed = f"files = [\n    {files},\n]\n" if files else ""
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n'
        f'python-versions = "*"\n{listed}{more}\n'
    )


def lock(*packages: str, version: str = "2.1", python: str = ">=3.9", more: str = "") -> str:
    tail = f'[metadata]\nlock-version = "{version}"\npython-versions = "{python}"\n{more}'
    return "".join(packages) + tail


MAIN = 'groups = ["main"]\n'


def source(kind: str, url: str, more: str = "") -> str:
    return f'{MAIN}\n[package.source]\ntype = "{kind}"\nurl = "{url}"\n{more}'


def test_a_release_has_files_with_digests_and_lines() -> None:
    demo = LOCKS.one(lock(package("demo", more=source("legacy", "https://e.org/simple"))))
    assert (demo.name, demo.version, demo.place.line) == ("demo", "1.0", 1)
    assert demo.index == "https://e.org/simple"
    (file,) = demo.files
    assert (file.filename, file.sha256, file.url) == ("demo-1.0-py3-none-any.whl", A[7:], "")
    assert (file.place.line, demo.notes) == (7, ())


@pytest.mark.parametrize(
    ("kind", "url", "more", "expected"),
    [
        ("git", "https://e.org/d.git", 'resolved_reference = "01"\n', "https://e.org/d.git@01"),
        ("directory", "libs/demo", "", str(here("libs", "demo"))),
    ],
)
def test_trees_and_checkouts_have_no_files(kind: str, url: str, more: str, expected: str) -> None:
    demo = LOCKS.one(lock(package("demo", more=source(kind, url, more), files="")))
    assert demo.kind is (Kind.VCS if kind == "git" else Kind.DIRECTORY)
    assert (demo.url, demo.files) == (expected, ())


def test_a_direct_address_and_a_path_have_the_digest_of_the_lock() -> None:
    name = "demo-1.0-py3-none-any.whl"
    remote = LOCKS.one(lock(package("demo", more=source("url", f"https://e.org/{name}"))))
    assert (remote.files[0].url, remote.files[0].sha256) == (f"https://e.org/{name}", A[7:])
    assert remote.files[0].place.line == 7
    local = LOCKS.one(lock(package("demo", more=source("file", f"dist/{name}"))))
    assert (local.files[0].path, local.files[0].sha256) == (here("dist", name), A[7:])
    bare = LOCKS.one(lock(package("demo", more=source("url", f"https://e.org/{name}"), files="")))
    assert bare.notes == (f"the lock has no digest of {name}",)
    # The one file is it, whatever the address calls it.
    query = LOCKS.one(lock(package("demo", more=source("url", f"https://e.org/{name}?x=1"))))
    assert query.files[0].sha256 == A[7:]


def test_markers_say_what_is_installed() -> None:
    windows = "markers = \"sys_platform == 'win32'\"\n"
    by_group = (
        'groups = ["main", "dev"]\n'
        "markers = {main = \"python_version < '3.10'\", dev = \"sys_platform == 'win32'\"}\n"
    )
    extra = "markers = \"extra == 'speedy' and sys_platform == 'linux'\"\n"
    text = lock(
        package("windows", more=MAIN + windows),
        package("either", more=by_group),
        package("always", more='groups = ["main", "dev"]\nmarkers = {dev = "os_name == \'x\'"}\n'),
        package("speedy", more=MAIN + extra),
    )
    assert names(LOCKS.read(text)) == ["always 1.0", "speedy 1.0"]
    assert left_out(LOCKS.read(text)) == dict.fromkeys(
        ("windows 1.0", "either 1.0"), "its markers do not hold"
    )
    assert names(LOCKS.read(text, WINDOWS)) == ["windows 1.0", "either 1.0", "always 1.0"]
    assert names(LOCKS.read(text, OLD)) == ["either 1.0", "always 1.0", "speedy 1.0"]
    assert len(LOCKS.read(text, None).locked) == 4


def test_before_2_1_pythons_say_what_is_installed_and_the_rest_is_noted() -> None:
    old = package("demo", "1.0").replace('"*"', '"<3.10"')
    new = package("demo", "2.0").replace('"*"', '">=3.10,<3.11 || >=3.12"')
    any_ = package("demo", "3.0").replace('"*"', '"^3.4"')
    read = LOCKS.read(lock(old, new, any_, package("other"), version="2.0"))
    assert names(read) == ["demo 2.0", "demo 3.0", "other 1.0"]
    assert left_out(read) == {"demo 1.0": "it is for Python <3.10"}
    noted = "of several versions, lock-version 2.0 does not say which is for this interpreter"
    assert [locked.notes for locked in read.locked] == [(noted,), (noted,), ()]


def test_in_1_1_all_files_stand_at_the_end_by_project() -> None:
    files = (
        "\n[metadata.files]\ndemo = [\n"
        f'    {{file = "demo-1.0-py3-none-any.whl", hash = "{A}"}},\n'
        f'    {{file = "demo-2.0.tar.gz", hash = "{B}"}},\n'
        f'    {{file = "strange.zip", hash = "{C}"}},\n]\n'
    )
    marker = "marker = \"sys_platform == 'win32'\"\n"
    text = lock(
        package("demo", "1.0", files=""),
        package("demo", "2.0", files="", more=marker),
        version="1.1",
        more=files,
    )
    first, second = LOCKS.read(text, None).locked
    assert [file.filename for file in first.files] == ["demo-1.0-py3-none-any.whl", "strange.zip"]
    assert [file.filename for file in second.files] == ["demo-2.0.tar.gz", "strange.zip"]
    assert [file.place.line for file in second.files] == [21, 22]
    assert left_out(LOCKS.read(text)) == {"demo 2.0": "its marker does not hold"}
    without = text.replace('lock-version = "1.1"\n', "")
    assert LOCKS.read(without, None).locked[0].files[0].sha256 == A[7:]


def test_a_lock_for_another_python_installs_nothing() -> None:
    read = LOCKS.read(lock(package("demo", more=MAIN), python=">=3.13"))
    assert left_out(read) == {"demo 1.0": "the lock is for Python >=3.13"}


def test_numbers_that_nobody_counts_to_leave_nothing_out() -> None:
    endless = "1" * 5_000
    assert names(LOCKS.read(lock(package("demo", more=MAIN), python=f">={endless}"))) == [
        "demo 1.0"
    ]
    files = f'\n[metadata.files]\ndemo = [{{file = "demo-2.0.tar.gz", hash = "{B}"}}]\n'
    several = [package("demo", version, files="") for version in (endless, "2.0")]
    first, second = LOCKS.read(lock(*several, version="1.1", more=files)).locked
    assert (first.version, first.files) == (endless, ())
    assert second.files[0].sha256 == B[7:]


def test_a_release_without_files_is_noted() -> None:
    text = package("demo", more=MAIN, files="").replace("python-", "files = []\npython-")
    assert LOCKS.one(lock(text)).notes == ("the lock names no files of it",)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "`metadata` is missing"),
        ("[metadata]\n", 1, "`lock-version` is missing"),
        (lock(version="3.0"), 2, "poetry.lock of lock-version 3.0 is not known here"),
        (lock().replace('"2.1"', "2.1"), 2, "`lock-version` must be a string"),
        (lock(package("demo")), 1, "`groups` is missing"),
        (lock(package("demo", more=MAIN), package("demo", more=MAIN)), 11, "locked twice"),
        (lock(package("demo", more=source("ftp", "x"))), 12, "this source is not known"),
        (lock(package("demo", more=MAIN + "markers = 'x'\n")), 10, "not an environment marker"),
        (
            lock(package("demo", more=f"{MAIN}markers = \"python_version > '{'1' * 5_000}'\"\n")),
            10,
            "not an environment marker",
        ),
        (lock(package("demo", more=MAIN, files="3")), 7, "`files` must be a table"),
        (lock(package("demo", more=MAIN, files='{file = "../x"}')), 7, "not a file's name"),
        (lock(package("demo", more=MAIN, files="{}")), 7, "`file` is missing"),
        (lock(package("demo", more=MAIN))[:-9], 13, "this is not TOML"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    assert message in LOCKS.refused(text, line).message
