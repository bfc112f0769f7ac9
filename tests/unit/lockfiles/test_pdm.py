"""pdm.lock, in the versions of its format."""

from __future__ import annotations

import pytest

from pip_intoto.distribution import Kind
from pip_intoto.lockfiles import pdm
from tests.unit.lockfiles.locks import WINDOWS, A, B, Locks, here, left_out, names

LOCKS = Locks(pdm, "pdm.lock")
WHEEL = "demo-1.0-py3-none-any.whl"


def head(
    version: str = "4.5.1", strategy: str = '"inherit_metadata"', python: str = ">=3.9"
) -> str:
    target = f'[[metadata.targets]]\nrequires_python = "{python}"\n\n' if python else ""
    return f'[metadata]\nstrategy = [{strategy}]\nlock_version = "{version}"\n\n{target}'


def package(name: str, version: str = "1.0", more: str = "", files: str = "") -> str:
    listed = f"files = [\n    {files},\n]\n" if files else ""
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\n{more}{listed}\n'


def test_a_release_has_files_with_digests_and_lines() -> None:
    demo = LOCKS.one(head() + package("demo", files=f'{{file = "{WHEEL}", hash = "{A}"}}'))
    (file,) = demo.files
    assert (file.filename, file.sha256, file.url, file.place.line) == (WHEEL, A[7:], "", 12)
    assert (demo.place.line, demo.index) == (8, "")


def test_static_urls_are_the_addresses_of_the_files() -> None:
    url = f"https://e.org/{WHEEL}"
    demo = LOCKS.one(head() + package("demo", files=f'{{url = "{url}#sha256=1", hash = "{A}"}}'))
    assert (demo.files[0].url, demo.files[0].filename) == (url, WHEEL)
    assert demo.url == ""


def test_entries_for_several_sets_of_extras_are_one_release() -> None:
    text = head() + package("demo", files=f'{{file = "{WHEEL}", hash = "{A}"}}')
    text += package(
        "demo",
        more='extras = ["fast"]\nmarker = "sys_platform == \'win32\'"\n',
        files=f'{{file = "{WHEEL}", hash = "{A}"}}, {{file = "demo-1.0.tar.gz", hash = "{B}"}}',
    )
    assert [file.filename for file in LOCKS.one(text).files] == [WHEEL]
    assert [file.filename for file in LOCKS.one(text, None).files] == [WHEEL, "demo-1.0.tar.gz"]
    assert LOCKS.read(text).left_out == ()
    windows_first = text.replace('name = "demo"', 'name = "demo"\nmarker = "os_name == \'nt\'"', 1)
    assert left_out(LOCKS.read(windows_first)) == {"demo 1.0": "its marker does not hold"}
    assert len(LOCKS.one(windows_first, WINDOWS).files) == 2


@pytest.mark.parametrize(
    ("more", "kind", "url"),
    [
        ('git = "https://e.org/d"\nrevision = "01"\n', Kind.VCS, "https://e.org/d@01"),
        ('path = "./libs/demo"\neditable = true\n', Kind.DIRECTORY, str(here("libs", "demo"))),
    ],
)
def test_trees_and_checkouts_have_no_files(more: str, kind: Kind, url: str) -> None:
    demo = LOCKS.one(head() + package("demo", more=more))
    assert (demo.kind, demo.url, demo.files) == (kind, url, ())


@pytest.mark.parametrize("path", [".", "./"])
def test_the_project_itself_is_left_out(path: str) -> None:
    read = LOCKS.read(head() + package("demo", more=f'path = "{path}"\neditable = true\n'))
    assert (read.locked, left_out(read)) == ((), {"demo 1.0": "the project itself"})


def test_a_lock_for_several_pythons_is_for_each_of_them() -> None:
    other = '[[metadata.targets]]\nrequires_python = ">=3.13"\n\n'
    for text in (head() + other, head(python="") + other + head().partition("\n\n")[2]):
        assert len(LOCKS.read(text + package("demo", files=f'{{file = "{WHEEL}"}}')).locked) == 1
    neither = head(python=">=3.14") + other + package("demo")
    assert left_out(LOCKS.read(neither)) == {"demo 1.0": "the lock is for Python >=3.14 || >=3.13"}


def test_a_direct_address_and_a_path_are_the_file() -> None:
    files = f'{{file = "{WHEEL}", hash = "{A}"}}'
    url = f"https://e.org/{WHEEL}"
    remote = LOCKS.one(head() + package("demo", more=f'url = "{url}"\n', files=files))
    assert (remote.files[0].url, remote.files[0].sha256, remote.url) == (url, A[7:], url)
    local = LOCKS.one(head() + package("demo", more=f'path = "./dist/{WHEEL}"\n'))
    assert local.files[0].path == here("dist", WHEEL)
    assert local.notes == (f"the lock has no digest of {WHEEL}",)


def test_until_4_2_all_files_stand_together() -> None:
    files = f'{{url = "https://e.org/{WHEEL}", hash = "{A}"}}'
    text = package("demo") + package("demo", more='extras = ["fast"]\n')
    text += '[metadata]\nlock_version = "4.2"\n\n[metadata.files]\n'
    text += f'"demo 1.0" = [\n    {files},\n]\n'
    demo = LOCKS.one(text)
    assert (demo.files[0].sha256, demo.files[0].place.line) == (A[7:], 15)
    assert LOCKS.one(text.replace('"demo 1.0"', '"demo 2.0"')).notes == (
        "the lock names no files of it",
    )


def test_without_inherited_metadata_pythons_say_what_is_installed() -> None:
    text = head(strategy="") + package("demo", more='requires_python = "<3.10"\n')
    text += package("demo", "2.0") + package("demo", "3.0")
    read = LOCKS.read(text)
    assert left_out(read) == {"demo 1.0": "it is for Python <3.10"}
    assert names(read) == ["demo 2.0", "demo 3.0"]
    assert "does not say which is for this interpreter" in read.locked[0].notes[-1]
    inherited = text.replace("strategy = []", 'strategy = ["inherit_metadata"]')
    assert len(LOCKS.read(inherited).locked) == 3


def test_a_lock_for_another_python_installs_nothing() -> None:
    read = LOCKS.read(head(python=">=3.13") + package("demo"))
    assert left_out(read) == {"demo 1.0": "the lock is for Python >=3.13"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "`metadata` is missing"),
        ("[metadata]\n", 1, "`lock_version` is missing"),
        (head("5.0"), 3, "pdm.lock of lock_version 5.0 is not known here"),
        (head() + package("demo") + package("demo"), 12, "demo 1.0 is locked twice"),
        (head() + package("demo", more="editable = 1\n"), 11, "`editable` must be a boolean"),
        (head() + '[[package]]\nname = "demo"\n', 8, "demo lacks a version"),
        (head() + package("demo", files="{}"), 12, "neither `file` nor `url`"),
        (head() + package("demo", files='{file = "a", hash = "x"}'), 12, "not a digest"),
        (head() + package("demo", more='extras = "x"\n'), 11, "`extras` must be an array"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    assert message in LOCKS.refused(text, line).message
