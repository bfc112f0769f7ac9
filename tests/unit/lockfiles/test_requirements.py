from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.distribution import Kind
from pip_intoto.errors import CommandError, LockfileInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles import requirements
from pip_intoto.lockfiles.reading import reader_for
from pip_intoto.lockfiles.trees import Disk
from tests.unit.lockfiles.trees import FOLDER, LINUX, Memory, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.lockfiles.locked import Interpreter, Lock, Locked

NAME = "requirements.txt"
PATH = FOLDER / NAME
ONE, TWO, THREE = sha256("1"), sha256("2"), sha256("a")


def read(
    text: str | bytes,
    interpreter: Interpreter | None = None,
    *,
    others: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Lock:
    tree = Memory().add({NAME: text, **(others or {})})
    return requirements.read(PATH, tree, interpreter, variables=variables or {})


def entry(text: str, interpreter: Interpreter | None = None, **others: str) -> Locked:
    (locked,) = read(text, interpreter, others=named(others)).locked
    return locked


def refused(text: str | bytes, interpreter: Interpreter | None = None, **others: str) -> str:
    with pytest.raises(LockfileInvalid) as caught:
        read(text, interpreter, others=named(others))
    assert caught.value.message
    return caught.value.place.removeprefix(f"{FOLDER}{os.sep}")


def named(others: Mapping[str, str]) -> dict[str, str]:
    """Files by name, as keyword arguments can spell them."""
    return {name.replace("__", "."): text for name, text in others.items()}


def digests(locked: Locked) -> list[tuple[str, int]]:
    return [(file.sha256, file.place.line) for file in locked.files]


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt", "dev-requirements.in"])
def test_its_names_are_those_that_people_use(name: str) -> None:
    assert reader_for(name) == "requirements"


@pytest.mark.parametrize("name", ["setup.py", "requirements.toml", "notes.in", "a.txt.gz"])
def test_other_names_are_not_recognised(name: str) -> None:
    assert reader_for(name) != "requirements"


# --- lines ----------------------------------------------------------------------------------


def test_a_pin_with_digests_knows_the_line_of_each() -> None:
    text = (
        f"# tools\n\nDe_Mo==1.0 \\\n    --hash=sha256:{ONE} \\\n    --hash=sha256:{THREE.upper()}\n"
    )
    locked = entry(text)
    assert (locked.name, locked.version, locked.place.line) == ("de-mo", "1.0", 3)
    assert digests(locked) == [(ONE, 4), (THREE, 5)]
    assert {file.filename for file in locked.files} == {""}
    assert locked.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "demo==1.0",
        "demo == 1.0 # why",
        "demo==\\\n1.0",
        "demo[a, b]==1.0",
        "demo>=0.5,==1.0",
        "demo===1.0",
        "demo (==1.0)",
        "demo==1.0 ; python_version > '3'",
        "demo==1.0 --config-settings=a=b",
        "demo==1.0\r\n",
        "\fdemo==1.0",
        "demo==1.0 \\\n",
        "demo==1.0 \\\n # said here",
        "  demo==1.0",
    ],
)
def test_a_pin_is_found_however_it_is_written(text: str) -> None:
    locked = entry(text, LINUX)
    assert (locked.name, locked.version, locked.files) == ("demo", "1.0", ())


def test_lines_are_counted_as_editors_count_them() -> None:
    assert entry("a\fb\v".replace("a", "#").replace("b", "#") + "\n\r\n\rdemo==1").place.line == 4


def test_a_comment_ends_the_line_that_it_is_joined_to() -> None:
    lock = read("demo==1.0 \\\n# no more\nother==2.0\n")
    assert [each.name for each in lock.locked] == ["demo", "other"]


def test_a_hash_sign_inside_a_word_is_no_comment() -> None:
    locked = entry(f"demo @ https://h/demo-1.0.tar.gz#sha256={ONE}")
    assert digests(locked) == [(ONE, 1)]


@pytest.mark.parametrize(
    "content",
    [
        "demo==1.0 # é".encode(),
        b"\xef\xbb\xbfdemo==1.0",
        "\ufeffdemo==1.0".encode("utf-16-le"),
        "\ufeffdemo==1.0".encode("utf-16-be"),
        "\ufeffdemo==1.0".encode("utf-32-le"),
        "\ufeffdemo==1.0".encode("utf-32-be"),
        b"# -*- coding: latin-1 -*-\ndemo==1.0 # \xe9",
        b"#!/usr/bin/pip\n# coding=cp1252\ndemo==1.0 # \x80",
    ],
)
def test_the_encoding_is_found_as_pip_finds_it(content: bytes) -> None:
    assert [each.name for each in read(content).locked] == ["demo"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"demo==1.0\n# \xff\xfe\xff", 2),
        (b"# coding: klingon\ndemo==1", 1),
        (b"# coding: hex\ndemo==1", 1),
        (b"# coding: undefined\ndemo==1", 1),
        (b"\xff\xfed", 1),
    ],
)
def test_what_is_no_text_is_an_error_with_its_line(content: bytes, line: int) -> None:
    assert refused(content) == f"requirements.txt:{line}"


def test_variables_are_filled_in_where_they_are_set() -> None:
    lock = read(
        "--index-url https://${USER}:${WORD}@h/${lower}/${EMPTY}$USER\n${NAME}==1.0\n",
        variables={"USER": "u", "WORD": "p", "NAME": "demo", "EMPTY": "", "lower": "x"},
    )
    assert lock.indexes == ("https://u:p@h/${lower}/${EMPTY}$USER",)
    assert lock.locked[0].name == "demo"


def test_what_was_filled_in_is_not_shown_in_errors() -> None:
    with pytest.raises(LockfileInvalid) as caught:
        read("demo @ nowhere://me:${WORD}@h/x", variables={"WORD": "hunter2"})
    assert "hunter2" not in f"{caught.value} {caught.value.found}"
    with pytest.raises(LockfileInvalid) as caught:
        read("demo @ nowhere://me:hunter2@h/x")
    assert "hunter2" not in f"{caught.value} {caught.value.found}"


@pytest.mark.parametrize(
    "text",
    [
        "demo==1.0 --no-such-option",
        "--no-such-option",
        "demo==1.0 --hash",
        "demo==1.0 --hash=sha256",
        f"demo==1.0 --hash=md5:{ONE}",
        "demo==1.0 --hash=sha256:abc",
        "demo==1.0 --hash='sha256:abc",
        f"demo==1.0 --hash=sha256:{'g' * 64}",
        "demo==1.0\t--hash=sha256:abc",
        "demo=1.0",
        "demo==",
        "==1.0",
        "demo==1.0 ; os_name",
        f"demo==1.0 ; {'(' * 5000}",
        "demo @ ftp://h/demo-1.0.tar.gz",
        "demo @ nothing",
        "-e https://h/demo-1.0.tar.gz",
        "git+https://h/x.git@a -e",
        "--no-binary --pre",
        "-e ftp://h/demo",
        "https://h/demo-1.0.tar.gz#sha256=12",
        "-r",
        "-h",
        "./a\x00b",
        "demo==1.0, ==2.0",
        "demo==1.0, <1",
        f"demo=={'9' * 5000}",
        f"demo==1,>{'9' * 5000}",
    ],
)
def test_what_pip_does_not_take_is_an_error_with_its_line(text: str) -> None:
    assert refused(f"first==1\n{text}\n") == "requirements.txt:2"


def test_a_digest_that_is_none_is_named_with_its_own_line() -> None:
    assert (
        refused(f"demo==1 \\\n --hash=sha256:{ONE} \\\n --hash=sha256:12") == "requirements.txt:3"
    )


def test_a_marker_without_meaning_is_an_error_where_it_counts() -> None:
    assert refused("demo==1 ; 'a' in extras", LINUX) == "requirements.txt:1"


# --- what is not pinned ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["demo", "demo>=1", "demo==1.*", "demo~=1.0", "demo[a]!=2"])
def test_what_is_not_pinned_is_an_entry_that_says_so(text: str) -> None:
    locked = entry(f"{text} --hash=sha256:{ONE}")
    assert (locked.version, locked.files, locked.kind, locked.url) == ("", (), None, "")
    assert locked.notes[0].startswith("not pinned")


def test_other_digests_than_sha256_are_noted() -> None:
    assert entry("demo==1 --hash=sha512:00").notes == ("the lock has no sha256 of it, only sha512",)


@pytest.mark.parametrize(
    "text",
    [
        f"demo==1 --hash=sha512:00 --hash=sha256:{ONE}",
        f"demo @ https://h/demo-1-py3-none-any.whl#sha512=00 --hash=sha256:{ONE}",
        f"demo==1 --hash=sha512:00 --hash=sha256:{ONE}\n-c c.txt",
    ],
)
def test_a_file_that_only_another_digest_allows_does_not_hide_behind_sha256(text: str) -> None:
    # pip installs any file that has one of the digests, whatever the others say.
    with pytest.raises(LockfileInvalid, match="digests of several kinds"):
        entry(text, c__txt="demo==1")


def test_only_digests_that_all_lines_allow_count() -> None:
    both = f"demo==1 --hash=sha256:{ONE}\ndemo==1 --hash=sha256:{ONE} --hash=sha384:00"
    assert digests(entry(both)) == [(ONE, 1)]


@pytest.mark.parametrize("option", ["--no-binary", "--only-binary"])
@pytest.mark.parametrize("names", [":all:", "De.Mo", "a,de-mo"])
def test_what_pip_is_told_of_forms_is_noted(option: str, names: str) -> None:
    assert option in entry(f"{option} {names}\nde_mo==1").notes[0]
    assert entry(f"{option} {names}\n{option}=:none:\nde_mo==1").notes == ()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("--no-binary demo\ndemo==1", Kind.SDIST),
        ("--only-binary demo\ndemo==1", Kind.WHEEL),
        ("demo==1 --no-binary demo", Kind.SDIST),
        ("other==1 --no-binary demo\ndemo==1", Kind.SDIST),
        ("demo==1\n--only-binary demo --no-binary demo", Kind.SDIST),
        ("demo==1\n--no-binary demo --only-binary demo", Kind.WHEEL),
        ("--only-binary demo\n--no-binary :all:\ndemo==1", Kind.SDIST),
        ("--no-binary :all:\n--only-binary demo\ndemo==1", Kind.WHEEL),
        ("--no-binary demo,:all:,:none:,other\ndemo==1", None),
        ("--no-binary :all:\n--no-binary :none:\ndemo==1", None),
    ],
)
def test_the_form_that_pip_takes_is_that_of_the_last_word_anywhere(
    text: str, form: Kind | None
) -> None:
    (found,) = (each for each in read(text).locked if each.name == "demo")
    assert found.form is form


# --- addresses, paths, checkouts ------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"demo @ https://h/d/demo-1.0-py3-none-any.whl#sha256={ONE}",
        f"demo[a] @ https://h/d/demo-1.0-py3-none-any.whl#egg=x&sha256={ONE} ; os_name == 'posix'",
        f"https://h/d/demo-1.0-py3-none-any.whl#sha256={ONE}",
        f"https://h/d/demo-1.0-py3-none-any.whl --hash=sha256:{ONE}",
        f"https://h/d/demo-1.0-py3-none-any.whl#egg=demo --hash=sha256:{ONE}",
    ],
)
def test_a_direct_address_is_a_file(text: str) -> None:
    locked = entry(text, LINUX)
    assert (locked.name, locked.version, locked.kind) == ("demo", "1.0", None)
    assert locked.url == "https://h/d/demo-1.0-py3-none-any.whl"
    (file,) = locked.files
    assert (file.filename, file.url, file.sha256) == (
        "demo-1.0-py3-none-any.whl",
        locked.url,
        ONE,
    )


def test_a_direct_address_may_have_several_digests_or_none() -> None:
    text = f"demo @ https://h/demo-1.0.tar.gz#sha256={ONE} --hash=sha256:{TWO}"
    assert digests(entry(text)) == [(ONE, 1), (TWO, 1)]
    assert digests(entry("demo @ https://h/demo-1.0.tar.gz")) == [("", 1)]


def test_an_address_may_name_a_project_and_no_version() -> None:
    locked = entry("https://h/main.zip#egg=De_mo[extra]&subdirectory=x")
    assert (locked.name, locked.version, locked.files[0].filename) == ("de-mo", "", "main.zip")


def test_a_filename_says_no_version_of_another_project() -> None:
    address = "https://h/demo-1.0-py3-none-any.whl"
    assert (entry(f"demo @ {address}").version, entry(f"other @ {address}").version) == ("1.0", "")


def test_an_address_that_names_no_project_cannot_be_verified() -> None:
    locked = entry("https://me:secret@h/main.zip")
    assert (locked.version, locked.files, locked.url, locked.kind) == ("", (), "", None)
    assert "does not say which project" in locked.notes[0]
    assert "secret" not in locked.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "demo @ git+https://git.example/demo@abc",
        "git+https://git.example/demo@abc#egg=demo",
        "-e git+https://git.example/demo@abc#egg=demo&subdirectory=x",
        '-e "demo @ git+https://git.example/demo@abc"',
        "--editable='demo@git+https://git.example/demo@abc'",
    ],
)
def test_a_checkout_has_no_file(text: str) -> None:
    locked = entry(text)
    assert (locked.name, locked.kind, locked.files) == ("demo", Kind.VCS, ())
    assert locked.url == "git+https://git.example/demo@abc"


def test_an_option_behind_a_requirement_makes_it_editable_as_pip_has_it() -> None:
    locked = entry("./folder -e elsewhere")
    assert (locked.name, locked.kind) == ("folder", Kind.DIRECTORY)


def test_a_checkout_without_a_name_is_called_after_its_address() -> None:
    locked = entry("git+ssh://git@git.example/team/De_Mo.git@v1")
    assert (locked.name, locked.kind) == ("de-mo", Kind.VCS)
    assert "does not say which project" in locked.notes[0]
    assert entry("-e git:git.example/x#egg=demo").kind is Kind.VCS


@pytest.mark.parametrize("text", [".", "./", "-e .", "-e .[dev]", "./ ; os_name == 'posix'"])
def test_a_folder_is_called_as_its_project_says(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).write_text(text)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'De_Mo'\n")
    (locked,) = requirements.read(Path(NAME), Disk(), LINUX).locked
    assert (locked.name, locked.kind, locked.files) == ("de-mo", Kind.DIRECTORY, ())
    assert locked.url == tmp_path.as_uri()
    assert locked.notes == ()


@pytest.mark.parametrize("content", ["", "[project]\nname = 1", "[", "[project]\nname = '-'"])
def test_a_folder_that_does_not_say_its_project_is_called_after_itself(content: str) -> None:
    tree = Memory().add({NAME: "./Some_Thing", "../Some_Thing/pyproject.toml": content})
    (locked,) = requirements.read(PATH, tree, None, variables={}).locked
    assert (locked.name, locked.kind) == ("some-thing", Kind.DIRECTORY)
    assert "after its folder" in locked.notes[0]


@pytest.mark.parametrize("text", ["./dist/demo-1.0.tar.gz", "dist/demo-1.0.tar.gz[extra]"])
def test_a_path_is_relative_to_the_working_directory_as_pip_has_it(text: str) -> None:
    locked = entry(f"{text} --hash=sha256:{ONE}")
    (file,) = locked.files
    assert (locked.name, locked.version) == ("demo", "1.0")
    assert file.path == Path.cwd() / "dist" / "demo-1.0.tar.gz"
    assert (file.sha256, file.url) == (ONE, "")


def test_a_file_url_is_a_path_or_a_folder(tmp_path: Path) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    assert entry(wheel.as_uri()).files[0].path == wheel
    assert entry(f"demo @ {tmp_path.as_uri()}").kind is Kind.DIRECTORY
    assert entry(f"-e {tmp_path.as_uri()}#egg=demo").name == "demo"


# --- options --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ("-i https://a/simple", ("https://a/simple",)),
        ("--index-url=https://a/simple", ("https://a/simple",)),
        ("--pypi-url https://a/simple", ("https://a/simple",)),
        ("--extra-index-url https://b/", ("https://pypi.org/simple/", "https://b/")),
        ("-i https://a/\n--extra-index-url https://b/", ("https://a/", "https://b/")),
        ("--extra-index-url https://b/\n-i https://a/", ("https://a/",)),
        ("--extra-index-url https://b/ -i https://a/", ("https://a/", "https://b/")),
        ("-i https://a/\n--no-index", ()),
        ("--no-index\n-i https://a/", ()),
        ("--index https://a/", ("https://a/",)),
    ],
)
def test_indexes_are_those_that_pip_would_ask(text: str, indexes: tuple[str, ...]) -> None:
    lock = read(f"{text}\ndemo==1\n")
    assert lock.indexes == indexes
    assert lock.no_index == ("--no-index" in text)


def test_an_option_beside_a_requirement_is_not_heeded_as_pip_has_it() -> None:
    assert read("demo==1 --index-url https://a/").indexes == ()


def test_folders_to_look_in_are_beside_the_file_where_they_exist(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / NAME).write_text("-f wheels\n--find-links elsewhere\n-f https://h/links\n")
    lock = requirements.read(tmp_path / NAME, Disk(), None)
    assert lock.find_links == (str(tmp_path / "wheels"), "elsewhere", "https://h/links")


# --- other files ----------------------------------------------------------------------------


def test_included_files_are_read_in_their_place() -> None:
    lock = read(
        "first==1\n-r sub/more.txt\nlast==3\n",
        others={"sub/more.txt": "-r../again.txt\nmiddle==2\n", "again.txt": "# nothing\n"},
    )
    assert [(each.name, each.place.path.as_posix(), each.place.line) for each in lock.locked] == [
        ("first", "project/requirements.txt", 1),
        ("middle", "project/sub/more.txt", 2),
        ("last", "project/requirements.txt", 3),
    ]
    assert [path.name for path in lock.files] == [NAME, "more.txt", "again.txt"]


def test_a_file_may_be_included_twice() -> None:
    assert entry("-r more.txt\n-r more.txt", more__txt="demo==1").version == "1"


@pytest.mark.parametrize("option", ["-r", "-c"])
def test_a_circle_is_an_error_with_its_line(option: str) -> None:
    assert refused("a==1\n-r b.txt", b__txt=f"\n\n{option} requirements.txt") == "b.txt:3"
    assert refused(f"{option} ./requirements.txt") == "requirements.txt:1"


@pytest.mark.parametrize("option", ["-r nowhere.txt", "-c nowhere.txt", "-r ./a/../none.txt"])
def test_an_included_file_that_is_missing_is_an_error_with_the_line_that_includes_it(
    option: str,
) -> None:
    assert refused(f"a==1\n{option}\n") == "requirements.txt:2"


def test_the_file_itself_missing_is_no_fault_of_the_lock() -> None:
    with pytest.raises(CommandError):
        requirements.read(PATH, Memory(), None)


def test_files_of_other_machines_are_not_fetched() -> None:
    assert refused("-r https://h/requirements.txt") == "requirements.txt:1"
    assert refused("-r file://share/requirements.txt") == "requirements.txt:1"


def test_a_file_url_can_be_included(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("demo==1")
    (tmp_path / NAME).write_text(f"-r {(tmp_path / 'b.txt').as_uri()}")
    assert requirements.read(tmp_path / NAME, Disk(), None).locked[0].name == "demo"


@pytest.mark.parametrize(
    ("limit", "place"),
    [
        ("requirements_depth", "b.txt:1"),
        ("requirements_files", "b.txt:1"),
        ("lock_bytes", "requirements.txt:2"),
        ("lock_entries", "c.txt:1"),
    ],
)
def test_what_is_included_has_limits(limit: str, place: str) -> None:
    tree = Memory(b__txt="-r c.txt", c__txt="demo==1").add({NAME: "a==1\n-r b.txt"})
    sizes = {"lock_bytes": 14, "requirements_files": 2}
    limits = replace(LOCAL, **{limit: sizes.get(limit, 1)})
    with pytest.raises(LockfileInvalid, match="too many") as caught:
        requirements.read(PATH, tree, None, limits=limits, variables={})
    assert caught.value.place.endswith(place)


def test_digests_of_one_line_have_a_limit() -> None:
    text = f"demo==1 --hash=sha256:{ONE} --hash=sha256:{TWO}"
    with pytest.raises(LockfileInvalid, match="too many digests"):
        requirements.read(
            PATH, Memory().add({NAME: text}), None, limits=replace(LOCAL, lock_files=1)
        )


def test_lines_that_are_joined_have_a_limit() -> None:
    few = replace(LOCAL, lock_files=3)
    for more, is_too_many in ((2, False), (3, True)):
        tree = Memory().add({NAME: "demo==1" + " \\\n" * more + " "})
        if is_too_many:
            with pytest.raises(LockfileInvalid, match="too many digests"):
                requirements.read(PATH, tree, None, limits=few)
        else:
            assert requirements.read(PATH, tree, None, limits=few).locked[0].version == "1"


# --- several lines about one project --------------------------------------------------------


def test_a_constraint_pins_what_a_requirement_leaves_open() -> None:
    locked = entry("demo>=1\n-c cons.txt", cons__txt=f"other==5\n\nDEMO==1.5 --hash=sha256:{ONE}\n")
    assert (locked.version, locked.place.line) == ("1.5", 1)
    assert digests(locked) == [(ONE, 3)]
    assert locked.files[0].place.path.name == "cons.txt"


def test_a_constraint_may_be_an_address() -> None:
    locked = entry("demo\n-c c.txt", c__txt="demo @ https://h/demo-1.0.tar.gz")
    assert (locked.version, locked.url) == ("1.0", "https://h/demo-1.0.tar.gz")


def test_a_constraint_alone_installs_nothing() -> None:
    assert read("-c c.txt", others={"c.txt": "demo==1"}).locked == ()


@pytest.mark.parametrize("text", ["-e .", "./folder", "https://h/main.zip"])
def test_a_constraint_that_pip_does_not_take_is_an_error(text: str) -> None:
    assert refused("demo\n-c c.txt", c__txt=f"\n{text}") == "c.txt:2"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("demo==1", "demo==2"),
        ("demo==1", "demo>1"),
        ("demo==1", "demo===1.5"),
        ("demo @ https://h/demo-1.0.tar.gz", "demo==2"),
        ("demo @ https://h/demo-1.0.tar.gz", "demo @ https://h/demo-1.1.tar.gz"),
        (f"demo==1 --hash=sha256:{ONE}", f"demo==1 --hash=sha256:{TWO}"),
    ],
)
def test_lines_that_contradict_each_other_are_an_error(first: str, second: str) -> None:
    assert refused(f"{first}\n{second}", LINUX) == "requirements.txt:2"
    assert refused(f"{first}\n{second}") == "requirements.txt:2"
    assert refused(f"{first}\n-c c.txt", LINUX, c__txt=second) == "c.txt:1"


def test_lines_that_agree_are_one_entry() -> None:
    text = (
        f"demo\ndemo[a]==1.0 --hash=sha256:{ONE} --hash=sha256:{TWO}\ndemo==1 --hash=sha256:{TWO}\n"
    )
    locked = entry(text, LINUX)
    assert (locked.version, locked.place.line) == ("1.0", 1)
    assert digests(locked) == [(TWO, 2)]


def test_a_marker_that_is_false_leaves_a_project_out() -> None:
    lock = read("demo==1 ; sys_platform == 'win32'\nother==2 ; os_name == 'posix'", LINUX)
    assert [each.name for each in lock.locked] == ["other"]
    (left,) = lock.left_out
    assert (left.name, left.version, left.place.line) == ("demo", "1", 1)
    assert "win32" in left.why


def test_each_interpreter_gets_its_own_version() -> None:
    text = "demo==1 ; python_version < '3.9'\ndemo==2 ; python_version >= '3.9'\n"
    assert entry(text, LINUX).version == "2"
    assert [each.version for each in read(text).locked] == ["1", "2"]


def test_without_an_interpreter_each_condition_is_seen_for_itself() -> None:
    lock = read("demo\n-c c.txt", others={"c.txt": "demo==1 ; os_name == 'nt'"})
    assert [each.version for each in lock.locked] == ["", "1"]
    assert entry("demo ; os_name == 'nt'\n-c c.txt", c__txt="demo==1").version == "1"


def test_many_lines_about_one_project_are_an_error() -> None:
    limits = replace(LOCAL, lock_files=2)
    with pytest.raises(LockfileInvalid, match="too many lines"):
        requirements.read(PATH, Memory().add({NAME: "demo\n" * 3}), None, limits=limits)


# --- speed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["#" + " " * 100_000 + "x", " " * 100_000 + "x", "[" * 100_000, "\\" * 100_000, "${A" * 50_000],
)
def test_long_lines_take_no_long_time(line: str) -> None:
    began = time.process_time()
    with suppress(LockfileInvalid):
        read(f"demo==1\n{line}\n")
    assert time.process_time() - began < 2


def test_five_thousand_requirements_are_read_in_a_moment() -> None:
    text = "".join(
        f"demo-{number}==1.0 \\\n    --hash=sha256:{number:064x} \\\n    --hash=sha256:{TWO}\n"
        for number in range(5_000)
    )
    began = time.process_time()
    assert len(read(text, LINUX).locked) == 5_000
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    "text",
    [
        "demo @ ftp://me:secret@h/x?sig=secret",
        "demo @ https:me:secret@h/demo-1.0.zip",
        "-r https://me:secret@h/x.txt?sig=secret",
        "-r https://me:se/cret@h/secret@x.txt",
        "demo @ https://h/demo-1.0.zip?sig=secret ; nonsense",
        "--index-url https://me:secret@h/simple?sig=secret --frob",
    ],
)
def test_no_secret_of_a_line_is_in_the_message_about_it(text: str) -> None:
    with pytest.raises(LockfileInvalid) as caught:
        read(text)
    assert "secret" not in f"{caught.value} {caught.value.found}"
