"""Pipfile.lock: digests without filenames, and JSON that has lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pip_intoto.distribution import Kind
from pip_intoto.errors import LockfileInvalid
from pip_intoto.lockfiles import pipfile
from tests.unit.lockfiles.locks import WINDOWS, A, B, Locks, here, left_out, names

if TYPE_CHECKING:
    from pip_intoto.metadata.strict_json import JsonValue

LOCKS = Locks(pipfile, "Pipfile.lock")
META: dict[str, JsonValue] = {
    "pipfile-spec": 6,
    "sources": [{"name": "own", "url": "https://u:secret@e.org/simple"}],
}
WHEEL = "demo-1.0-py3-none-any.whl"


def lock(**packages: JsonValue) -> str:
    return json.dumps({"_meta": META, "default": packages, "develop": {}}, indent=1)


def release(**more: JsonValue) -> dict[str, JsonValue]:
    return {"hashes": [A, B], "version": "==1.0", **more}


def test_a_release_has_digests_with_lines_and_no_filenames() -> None:
    read = LOCKS.read(lock(Demo=release(index="own")))
    (demo,) = read.locked
    assert (demo.name, demo.version, demo.place.line) == ("demo", "1.0", 12)
    assert [(file.filename, file.sha256) for file in demo.files] == [("", A[7:]), ("", B[7:])]
    assert [file.place.line for file in demo.files] == [14, 15]
    assert demo.index == "https://u:secret@e.org/simple"
    assert read.indexes == ("https://u:secret@e.org/simple",)


def test_all_categories_are_read_and_what_two_have_is_one_release() -> None:
    windows = release(markers="sys_platform == 'win32'")
    text = json.dumps(
        {
            "_meta": META,
            "default": {"demo": release(), "old": windows},
            "develop": {"demo": release(hashes=[A]), "tester": release()},
            "docs": {"pages": release()},
        }
    )
    assert names(LOCKS.read(text)) == ["demo 1.0", "tester 1.0", "pages 1.0"]
    assert left_out(LOCKS.read(text)) == {"old 1.0": "its marker does not hold"}
    assert "old 1.0" in names(LOCKS.read(text, WINDOWS))


@pytest.mark.parametrize(
    ("package", "kind", "url"),
    [
        ({"git": "https://e.org/d", "ref": "01"}, Kind.VCS, "https://e.org/d@01"),
        ({"path": "libs/demo", "editable": True}, Kind.DIRECTORY, str(here("libs", "demo"))),
    ],
)
def test_trees_and_checkouts_have_no_files(package: JsonValue, kind: Kind, url: str) -> None:
    demo = LOCKS.one(lock(demo=package))
    assert (demo.kind, demo.url, demo.files) == (kind, url, ())


def test_a_direct_address_has_the_only_digest() -> None:
    url = f"https://e.org/{WHEEL}"
    demo = LOCKS.one(lock(demo={"file": url, "hashes": [A]}))
    assert (demo.files[0].url, demo.files[0].sha256, demo.url) == (url, A[7:], url)
    choices: list[JsonValue] = [[A, B], []]
    for hashes in choices:
        several = LOCKS.one(lock(demo={"path": f"dist/{WHEEL}", "hashes": hashes}))
        assert several.files[0].path == here("dist", WHEEL)
        assert several.files[0].sha256 == ""
        assert several.notes == (f"the lock has no single sha256 of {WHEEL}",)


@pytest.mark.parametrize("path", [".", "./"])
def test_the_project_itself_is_left_out(path: str) -> None:
    read = LOCKS.read(lock(e1839a8={"path": path, "editable": True}))
    assert (read.locked, left_out(read)) == ((), {"e1839a8": "the project itself"})


def test_other_digests_are_noted() -> None:
    demo = LOCKS.one(lock(demo=release(hashes=["md5:00"])))
    assert demo.notes == (
        "the lock has no sha256, only md5, of a file",
        "the lock has no sha256 of it",
    )


def test_a_file_that_only_another_digest_allows_does_not_hide_behind_sha256() -> None:
    # pip, which pipenv gives them to, takes a file that has any of them.
    hashes: list[JsonValue] = [f"sha256:{'1' * 64}", "sha512:00"]
    with pytest.raises(LockfileInvalid, match="digests of several kinds"):
        LOCKS.read(lock(demo=release(hashes=hashes)))
    direct = LOCKS.one(lock(demo={"file": f"https://h/{WHEEL}", "hashes": hashes}))
    assert direct.files[0].sha256 == ""


SHORT = '{"_meta": {"pipfile-spec": 6},\n "default": {\n%s}}'


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "this is not JSON"),
        ("{}", 1, "`_meta` is missing"),
        ("[]", 1, "the file must be an object"),
        ('{"_meta": {\n"pipfile-spec": 5}}', 2, "of pipfile-spec 5 is not known here"),
        (SHORT % '"demo": {},\n\n"demo": {}', 5, "a member stands twice in one object"),
        (SHORT % '"demo": {"version": "==1",\n"version": "==1"}', 4, "a member stands twice"),
        (SHORT % '"demo": {}', 3, "demo lacks a version"),
        (SHORT % '"demo": 3', 3, "`demo` must be an object"),
        (SHORT % '"demo": {"version":\n ">1"}', 3, "this is not one version"),
        (SHORT % '"demo": {\n"version": "==1", "index": "no"}', 4, "not among the sources"),
        (SHORT % '"demo": {"version": "==1", "hashes": [\n3]}', 4, "`hashes` must be a string"),
        (SHORT % '"demo": {"version": "==1", "hashes": [\n"x"]}', 4, "this is not a digest"),
        (SHORT % '"demo": {"version": "==1",\n"markers": "x"}', 4, "not an environment marker"),
        (SHORT % '"demo": {"version": "==1"', 3, "brackets or quotes do not pair up"),
        (SHORT % '"demo": {"version": \n\n nothing}', 5, "this is not JSON"),
        ("[" * 100 + "]" * 100, 1, "this document nests too deeply"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    assert message in LOCKS.refused(text, line).message


def test_credentials_are_in_no_message() -> None:
    text = lock(demo=release(index="other")).replace('"name": "own",', "")
    assert "secret" not in repr(vars(LOCKS.refused(text, 18)))
