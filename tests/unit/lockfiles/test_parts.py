"""What an entry is made of, and what is no such thing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pip_intoto.distribution import Place
from pip_intoto.errors import LockfileInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles import poetry
from pip_intoto.lockfiles.conditions import Conditions
from pip_intoto.lockfiles.documents import read_toml
from pip_intoto.lockfiles.parts import as_sha256, is_filename, named_in
from pip_intoto.lockfiles.pins import filename
from tests.unit.lockfiles.locks import A, Locks
from tests.unit.lockfiles.trees import FOLDER, LINUX, Memory

PATH = FOLDER / "poetry.lock"


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "..\\x.whl", "a\nb", "a\u202eb"])
def test_no_folder_and_nothing_invisible_hides_in_a_filename(name: str) -> None:
    assert not is_filename(name)
    assert is_filename("demo-1.0.tar.gz")


@pytest.mark.parametrize("name", [".", "..", "a" * (LOCAL.filename + 1)])
def test_a_lock_names_files_that_can_be(name: str) -> None:
    document = read_toml(PATH, Memory(poetry__lock=f'\nfile = "{name}"'))
    with pytest.raises(LockfileInvalid, match="not a file's name") as caught:
        filename(document.root.need("file"))
    assert caught.value.place == str(Place(PATH, 2))
    assert len(caught.value.found) < LOCAL.filename + 10


def test_a_filename_may_be_as_long_as_the_limit() -> None:
    document = read_toml(PATH, Memory(poetry__lock=f'file = "{"a" * LOCAL.filename}"'))
    assert len(filename(document.root.need("file"))) == LOCAL.filename


def test_a_sha256_is_lower_case_whatever_the_lock_has() -> None:
    assert as_sha256("AB" * 32) == "ab" * 32
    assert as_sha256("ab" * 31) == as_sha256("xy" * 32) == ""
    upper = A[:7] + A[7:].upper()
    text = (
        '[[package]]\nname = "demo"\nversion = "1.0"\ngroups = ["main"]\n'
        f'files = [{{file = "demo-1.0.tar.gz", hash = "{upper}"}}]\n'
        '[metadata]\nlock-version = "2.1"\n'
    )
    assert Locks(poetry, PATH.name).one(text).files[0].sha256 == A[7:]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("De.mo_x-1.0.0-py3-none-any.whl", ("de-mo-x", "1.0.0")),
        ("demo-1.0RC1.tar.gz", ("demo", "1.0rc1")),
        ("demo-1.0-py3.whl", None),
        ("demo-new.tar.gz", None),
        ("-1.0.tar.gz", None),
        (f"demo-{'1' * 5_000}.tar.gz", None),
        ("demo-1.0.exe", None),
    ],
)
def test_filenames_say_name_and_version(name: str, parts: tuple[str, str] | None) -> None:
    assert named_in(name) == parts


def test_a_python_before_its_release_is_one_of_those_that_are_allowed() -> None:
    markers = {**LINUX.markers, "python_version": "3.14", "python_full_version": "3.14.0rc1"}
    early = Conditions(replace(LINUX, markers=markers))
    assert early.allows_python(">=3.9")
    assert not early.allows_python(">=3.15")
    assert early.allows_python("<3.9 || >=3.13")
