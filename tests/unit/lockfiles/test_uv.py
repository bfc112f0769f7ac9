"""uv.lock: sources, files, and what the graph leads to."""

from __future__ import annotations

import time

import pytest

from pip_intoto.distribution import Kind
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles import uv
from tests.unit.lockfiles.locks import OLD, WINDOWS, A, B, C, Locks, here, left_out, names

LOCKS = Locks(uv, "uv.lock")
HEAD = 'version = 1\nrevision = 3\nrequires-python = ">=3.9"\n\n'
REGISTRY = 'source = { registry = "https://u:secret@packages.example.org/simple" }\n'


def package(name: str, version: str = "1.0", source: str = REGISTRY, more: str = "") -> str:
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\n{source}{more}\n'


def project(*dependencies: str, more: str = "") -> str:
    edges = "".join(f"    {{ {edge} }},\n" for edge in dependencies)
    return (
        package("app", "0.1", 'source = { virtual = "." }\n', f"dependencies = [\n{edges}]\n")
        + more
    )


def test_a_release_has_files_with_sizes_digests_and_lines() -> None:
    demo = LOCKS.one(
        HEAD
        + project('name = "demo"')
        + package(
            "Demo",
            more=f'sdist = {{ url = "https://e.org/demo-1.0.tar.gz", hash = "{A}", size = 7 }}\n'
            "wheels = [\n"
            f'    {{ url = "https://e.org/x/demo-1.0%2Bcpu-py3-none-any.whl", hash = "{B}" }},\n'
            "]\n",
        )
    )
    assert (demo.name, demo.version, demo.place.line) == ("demo", "1.0", 13)
    assert demo.index == "https://u:secret@packages.example.org/simple"
    sdist, wheel = demo.files
    assert (sdist.filename, sdist.sha256, sdist.size) == ("demo-1.0.tar.gz", A[7:], 7)
    assert (wheel.filename, wheel.sha256) == ("demo-1.0+cpu-py3-none-any.whl", B[7:])
    assert (sdist.place.line, wheel.place.line) == (17, 19)
    assert wheel.url == "https://e.org/x/demo-1.0%2Bcpu-py3-none-any.whl"
    assert (demo.kind, demo.notes) == (None, ())


@pytest.mark.parametrize(
    ("source", "kind", "url"),
    [
        (
            '{ git = "https://e.org/demo?rev=main#0123" }',
            Kind.VCS,
            "https://e.org/demo?rev=main#0123",
        ),
        ('{ directory = "../demo" }', Kind.DIRECTORY, str(here("..").parent.parent / "demo")),
        ('{ editable = "libs/demo" }', Kind.DIRECTORY, str(here("libs", "demo"))),
    ],
)
def test_trees_and_checkouts_have_no_files(source: str, kind: Kind, url: str) -> None:
    demo = LOCKS.one(
        HEAD + project('name = "demo"') + package("demo", source=f"source = {source}\n")
    )
    assert (demo.kind, demo.url, demo.files) == (kind, url, ())


def test_a_direct_address_is_the_file() -> None:
    text = package(
        "demo",
        source='source = { url = "https://e.org/demo-1.0.tar.gz#x" }\n',
        more=f'sdist = {{ hash = "{A}" }}\n',
    )
    demo = LOCKS.one(HEAD + project('name = "demo"') + text)
    assert demo.files[0].url == "https://e.org/demo-1.0.tar.gz"
    assert (demo.files[0].filename, demo.files[0].sha256) == ("demo-1.0.tar.gz", A[7:])
    assert (demo.index, demo.kind) == ("", None)


def test_a_path_is_the_file_below_the_folder_of_the_lock() -> None:
    text = package(
        "demo",
        source='source = { path = "dist/demo-1.0-py3-none-any.whl" }\n',
        more='wheels = [{ filename = "demo-1.0-py3-none-any.whl" }]\n',
    )
    demo = LOCKS.one(HEAD + project('name = "demo"') + text)
    assert demo.files[0].path == here("dist", "demo-1.0-py3-none-any.whl")
    assert demo.notes == ("the lock has no digest of demo-1.0-py3-none-any.whl",)


def test_a_file_url_is_a_file_on_this_machine() -> None:
    wheel = here("demo-1.0-py3-none-any.whl")
    demo = LOCKS.one(
        HEAD
        + project('name = "demo"')
        + package("demo", more=f'wheels = [{{ url = "{wheel.as_uri()}" }}]\n')
    )
    assert (demo.files[0].path, demo.files[0].url) == (wheel, "")


def test_a_project_with_too_many_files_is_refused() -> None:
    file = f'    {{ url = "https://e.org/demo-1.0.tar.gz", hash = "{A}" }},\n'
    text = HEAD + package("demo", more=f"wheels = [\n{file * (LOCAL.lock_files + 1)}]\n")
    assert LOCKS.refused(text, 2_010).message == "this project has too many files"


def test_files_of_a_local_index_are_relative_to_it() -> None:
    text = package(
        "demo",
        source='source = { registry = "wheels" }\n',
        more=f'wheels = [{{ path = "demo-1.0-py3-none-any.whl", hash = "{A}" }}]\n',
    )
    demo = LOCKS.one(HEAD + project('name = "demo"') + text)
    assert demo.files[0].path == here("wheels", "demo-1.0-py3-none-any.whl")
    assert demo.index == ""


def test_other_digests_and_no_files_are_noted() -> None:
    file = 'wheels = [{ url = "https://e.org/demo-1.0-py3-none-any.whl", hash = "md5:00" }]\n'
    text = (
        HEAD
        + project('name = "demo"', 'name = "bare"')
        + package("demo", more=file)
        + package("bare")
    )
    demo, bare = LOCKS.read(text).locked
    assert demo.files[0].sha256 == ""
    assert demo.notes == ("the lock has no sha256, only md5, of demo-1.0-py3-none-any.whl",)
    assert bare.notes == ("the lock names no files of it",)


# --- what is installed ----------------------------------------------------------------------


def test_edges_are_followed_where_their_markers_hold() -> None:
    text = (
        HEAD
        + project('name = "direct", marker = "sys_platform == \'win32\'"', 'name = "other"')
        + package("direct", more='dependencies = [{ name = "below" }]\n')
        + package("below")
        + package("other")
        + package("lonely")
    )
    assert names(LOCKS.read(text)) == ["other 1.0"]
    unneeded = "nothing that is installed for this interpreter requires it"
    assert left_out(LOCKS.read(text)) == {
        "app 0.1": "the project itself",
        **dict.fromkeys(("direct 1.0", "below 1.0", "lonely 1.0"), unneeded),
    }
    assert names(LOCKS.read(text, WINDOWS)) == ["direct 1.0", "below 1.0", "other 1.0"]
    everything = LOCKS.read(text, None)
    assert names(everything) == ["direct 1.0", "below 1.0", "other 1.0", "lonely 1.0"]
    assert left_out(everything) == {"app 0.1": "the project itself"}


def test_each_interpreter_has_one_of_several_versions() -> None:
    edges = [
        f'name = "demo", version = "{version}", {REGISTRY.strip()}, marker = "{marker}"'
        for version, marker in (
            ("1.0", "python_version < '3.10'"),
            ("2.0", "python_version >= '3.10'"),
        )
    ]
    text = HEAD + project(*edges) + package("demo") + package("demo", "2.0")
    assert names(LOCKS.read(text)) == ["demo 2.0"]
    assert names(LOCKS.read(text, OLD)) == ["demo 1.0"]
    assert names(LOCKS.read(text, None)) == ["demo 1.0", "demo 2.0"]


def test_all_extras_and_groups_of_the_project_are_installed_and_asked_for_extras_of_others() -> (
    None
):
    groups = (
        '[package.optional-dependencies]\nspeedy = [{ name = "fast", extra = ["c"] }]\n\n'
        '[package.dev-dependencies]\ndev = [{ name = "tester" }]\n\n'
    )
    fast = (
        '[package.optional-dependencies]\nc = [{ name = "compiled" }]\nd = [{ name = "not" }]\n\n'
    )
    packages = [package(name) for name in ("tester", "compiled", "not")]
    text = HEAD + project(more=groups) + package("fast") + fast + "".join(packages)
    assert names(LOCKS.read(text)) == ["fast 1.0", "tester 1.0", "compiled 1.0"]


def test_what_depends_on_a_choice_of_extras_is_installed() -> None:
    cpu = "sys_platform == 'linux' and extra == 'extra-3-app-cpu'"
    not_gpu = "'extra-3-app-gpu' != extra and sys_platform == 'win32'"
    text = (
        HEAD
        + project(f'name = "cpu", marker = "{cpu}"', f'name = "gpu", marker = "{not_gpu}"')
        + package("cpu")
        + package("gpu")
    )
    assert names(LOCKS.read(text)) == ["cpu 1.0"]
    assert names(LOCKS.read(text, WINDOWS)) == ["gpu 1.0"]


def test_members_of_a_workspace_are_the_project_and_trees_are_not() -> None:
    text = (
        HEAD
        + '[manifest]\nmembers = ["app", "core"]\n\n'
        + project('name = "core"', 'name = "tree"', 'name = "empty"')
        + package(
            "core",
            source='source = { editable = "core" }\n',
            more='dependencies = [{ name = "demo" }]\n',
        )
        + package("tree", source='source = { directory = "tree" }\n')
        + package("empty", source='source = { virtual = "empty" }\n')
        + package("demo")
    )
    lock = LOCKS.read(text)
    assert names(lock) == ["tree 1.0", "demo 1.0"]
    assert left_out(lock) == {
        "app 0.1": "the project itself",
        "core 1.0": "a member of the workspace itself",
        "empty 1.0": "a virtual project, which is never installed",
    }


def test_a_script_begins_with_its_requirements() -> None:
    manifest = (
        '[manifest]\nrequirements = [{ name = "demo", extras = ["x"] }, '
        '{ name = "windows", marker = "sys_platform == \'win32\'" }]\n\n'
        '[manifest.dependency-groups]\ndev = [{ name = "forked" }]\n\n'
    )
    text = (
        HEAD
        + manifest
        + package("demo", more='[package.optional-dependencies]\nx = [{ name = "extra" }]\n')
        + package("extra")
        + package("windows")
        + package("forked", "1.0", more="resolution-markers = [\"python_version < '3.10'\"]\n")
        + package("forked", "2.0", more="resolution-markers = [\"python_version >= '3.10'\"]\n")
    )
    assert names(LOCKS.read(text)) == ["demo 1.0", "extra 1.0", "forked 2.0"]


def test_without_a_beginning_nothing_is_left_out() -> None:
    assert names(LOCKS.read(HEAD + package("demo") + package("other"))) == ["demo 1.0", "other 1.0"]


def test_one_marker_of_several_that_holds_is_enough() -> None:
    markers = "[\"sys_platform == 'win32'\", \"sys_platform == 'linux'\"]"
    manifest = '[manifest]\nrequirements = [{ name = "demo" }, { name = "other" }]\n\n'
    demo = package("demo", more=f"resolution-markers = {markers}\n")
    assert names(LOCKS.read(HEAD + manifest + demo + package("other"))) == ["demo 1.0", "other 1.0"]


def test_cycles_come_to_an_end() -> None:
    text = HEAD + project('name = "a"')
    text += package("a", more='dependencies = [{ name = "b" }]\n')
    text += package("b", more='dependencies = [{ name = "a" }]\n')
    assert names(LOCKS.read(text)) == ["a 1.0", "b 1.0"]


def test_a_lock_for_another_python_installs_nothing() -> None:
    text = HEAD.replace(">=3.9", ">=3.13") + project('name = "demo"') + package("demo")
    lock = LOCKS.read(text)
    assert lock.locked == ()
    assert left_out(lock)["demo 1.0"] == "the lock is for Python >=3.13"
    assert names(LOCKS.read(text, None)) == ["demo 1.0"]


# --- what cannot be read --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "`version` is missing"),
        ("version = 2\n", 1, "uv.lock of version 2 is not known here"),
        ("revision = 1\nversion = true\n", 2, "`version` must be an integer"),
        ("version = 1\npackage = 3\n", 2, "`package` must be an array"),
        (HEAD + "[[package]]\n", 5, "`source` is missing"),
        (HEAD + package("demo", source='source = "registry+x"\n'), 8, "`source` must be a table"),
        (HEAD + package("demo", source='source = { svn = "x" }\n'), 8, "this source is not known"),
        (HEAD + package("demo").replace('version = "1.0"\n', ""), 5, "demo lacks a version"),
        (HEAD + package("-"), 6, "this is not a project's name"),
        (HEAD + package("demo") + package("demo"), 10, "demo 1.0 is locked twice"),
        (HEAD.replace("revision = 3", 'revision = "3"'), 2, "`revision` must be an integer"),
        (
            HEAD + project('name = "demo", version = "2.0"') + package("demo"),
            10,
            "which of the locked packages demo 2.0 is, cannot be told",
        ),
        (HEAD + project('name = "demo"'), 10, "demo is required here, and is not locked"),
        (
            HEAD + project('name = "demo"') + package("demo") + package("demo", "2.0"),
            10,
            "which of the locked packages demo is, cannot be told",
        ),
        (
            HEAD + project('name = "demo", marker = "x == 1"') + package("demo"),
            10,
            "not an environment marker",
        ),
        (HEAD + package("demo", more="wheels = [\n{}]\n"), 10, "neither `url` nor `path`"),
        (
            HEAD + package("demo", more='wheels = [\n{ url = "https://e.org/" }]\n'),
            10,
            "names no file",
        ),
        (
            HEAD + package("demo", more='wheels = [\n{ url = "https://e.org/a%2Fb" }]\n'),
            10,
            "not a file's name",
        ),
        (
            HEAD
            + package(
                "demo", more='sdist = { path = "a",\n hash = "sha256:00" }\n'.replace("\n h", " h")
            ),
            9,
            "this is not a sha256 digest",
        ),
        (
            HEAD + package("demo", more='sdist = { path = "a", hash = "00" }\n'),
            9,
            "this is not a digest",
        ),
        (HEAD + package("demo", more='sdist = { path = "a", size = -1 }\n'), 9, "not below zero"),
        (HEAD + package("demo") + '[[package]\nname = "x"\n', 10, "this is not TOML"),
        (
            HEAD + 'x = """\n[[package]]\n"""\ny = [1,\n2]\n' + package("demo", source=""),
            10,
            "`source` is missing",
        ),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    assert message in LOCKS.refused(text, line).message


def test_credentials_are_in_no_message() -> None:
    source = 'source = { url = "https://u:secret@e.org/" }\n'
    assert "secret" not in repr(vars(LOCKS.refused(HEAD + package("demo", source=source), 5)))


def test_growth_is_linear() -> None:
    """Ten times as many packages, each of which requires ten others, take ten times as long."""

    def seconds(count: int) -> float:
        packages = [
            package(
                f"p{number}",
                more="dependencies = ["
                + ", ".join(f'{{ name = "p{(number + step) % count}" }}' for step in range(10))
                + f']\nwheels = [{{ url = "https://e.org/p{number}-1.0-py3-none-any.whl", hash = "{C}" }}]\n',  # noqa: E501
            )
            for number in range(count)
        ]
        text = HEAD + project('name = "p0"') + "".join(packages)
        began = time.perf_counter()
        assert len(LOCKS.read(text).locked) == count
        return time.perf_counter() - began

    short, long = (min(seconds(count) for _ in range(3)) for count in (100, 1_000))
    assert long < 40 * short
