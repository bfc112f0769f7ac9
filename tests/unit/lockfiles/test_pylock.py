from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.distribution import Kind
from pip_intoto.errors import CommandError, LockfileInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles import pylock
from pip_intoto.lockfiles.locked import Recorded
from pip_intoto.lockfiles.reading import reader_for
from pip_intoto.metadata.identities import GITHUB, GITLAB, GOOGLE, Identity
from tests.unit.lockfiles.trees import FOLDER, LINUX, Memory, sha256

if TYPE_CHECKING:
    from pip_intoto.lockfiles.locked import Interpreter, Lock, Locked

PATH = FOLDER / "pylock.toml"
TOP = 'lock-version = "1.0"\ncreated-by = "a test"\n'

TWO = f"""\
{TOP}
[[packages]]
name = "demo"
version = "1.0"
index = "https://index.example/simple/"

[[packages.wheels]]
url = "https://files.example/demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
size = 12
hashes = {{sha256 = "{sha256("1")}"}}

[[packages.wheels]]
name = "demo-1.0-cp312-cp312-win_amd64.whl"
url = "https://files.example/behind/a/redirect"
hashes = {{sha256 = "{sha256("2").upper()}"}}

[packages.sdist]
path = "../dist/demo-1.0.tar.gz"
hashes = {{sha256 = "{sha256("3")}"}}

[[packages]]
name = "only-there"
version = "2.0"
marker = "sys_platform == 'win32'"
[packages.sdist]
url = "https://files.example/only_there-2.0.tar.gz"
hashes = {{sha256 = "{sha256("4")}"}}
"""


def read(text: str | bytes, interpreter: Interpreter | None = None) -> Lock:
    return pylock.read(PATH, Memory(pylock__toml=text), interpreter)


def refused(text: str | bytes, interpreter: Interpreter | None = None) -> LockfileInvalid:
    with pytest.raises(LockfileInvalid) as caught:
        read(text, interpreter)
    assert caught.value.message
    return caught.value


def package(body: str) -> str:
    return f'{TOP}[[packages]]\nname = "demo"\nversion = "1.0"\n{body}\n'


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.dev.toml", "pylock.a-b.toml"])
def test_its_names_are_those_of_the_specification(name: str) -> None:
    assert reader_for(name) == "pylock"
    assert reader_for(name.upper()) is None


@pytest.mark.parametrize("name", ["pylock.a.b.toml", "pylock..toml", "pylock.toml.txt", "a.toml"])
def test_other_names_are_not_recognised(name: str) -> None:
    assert reader_for(name) != "pylock"


def test_every_file_of_every_package_is_there_without_an_interpreter() -> None:
    lock = read(TWO)
    assert [(each.name, each.version, each.place.line) for each in lock.locked] == [
        ("demo", "1.0", 4),
        ("only-there", "2.0", 23),
    ]
    assert lock.left_out == ()
    assert (lock.format, lock.path, lock.files) == ("pylock", PATH, (PATH,))
    demo = lock.locked[0]
    assert demo.index == "https://index.example/simple/"
    linux, windows, sdist = demo.files
    assert (linux.filename, linux.size, linux.place.line) == (
        "demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        12,
        9,
    )
    assert (windows.filename, windows.url) == (
        "demo-1.0-cp312-cp312-win_amd64.whl",
        "https://files.example/behind/a/redirect",
    )
    assert [file.sha256 for file in demo.files] == [sha256("1"), sha256("2"), sha256("3")]
    assert (sdist.url, sdist.path) == ("", Path.cwd() / "dist" / "demo-1.0.tar.gz")


def test_one_interpreter_gets_the_file_that_it_would_install() -> None:
    lock = read(TWO, LINUX)
    (demo,) = lock.locked
    assert [file.sha256 for file in demo.files] == [sha256("1")]
    (left,) = lock.left_out
    assert (left.name, left.version, left.place.line) == ("only-there", "2.0", 23)
    assert "sys_platform" in left.why


def test_the_sdist_is_chosen_where_no_wheel_fits() -> None:
    lock = read(TWO, replace(LINUX, tags=LINUX.tags[2:]))
    assert [file.filename for file in lock.locked[0].files] == ["demo-1.0.tar.gz"]


def test_a_package_without_a_file_for_the_interpreter_is_an_error_with_its_line() -> None:
    wheel = "demo-1.0-cp39-cp39-win_amd64.whl"
    text = package(f'wheels = [{{url = "https://h/{wheel}", hashes = {{sha256 = "{"1" * 64}"}}}}]')
    error = refused(text, LINUX)
    assert error.place == f"{PATH}:3"
    assert "--all-files" in error.advice
    assert "packages[" not in error.found
    assert len(read(text).locked) == 1


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ('requires-python = ">=3.13"', "requires-python"),
        ("environments = [\"sys_platform == 'win32'\"]", "environments"),
    ],
)
def test_a_lock_for_other_interpreters_is_an_error_with_its_line(line: str, at: str) -> None:
    error = refused(f"{TOP}{line}\npackages = []\n", LINUX)
    assert error.place == f"{PATH}:3", at
    assert len(read(f"{TOP}{line}\npackages = []\n").locked) == 0


def test_two_packages_of_one_name_for_one_interpreter_are_an_error() -> None:
    one = package('directory = {path = "."}')
    error = refused(one + one.removeprefix(TOP), LINUX)
    assert error.place == f"{PATH}:7"
    assert [each.place.line for each in read(one + one.removeprefix(TOP)).locked] == [3, 7]


def test_groups_that_are_not_default_are_left_out() -> None:
    text = package("marker = \"'dev' in dependency_groups\"\ndirectory = {path = '.'}")
    assert [left.name for left in read(text, LINUX).left_out] == ["demo"]
    default = text.replace(TOP, TOP + 'dependency-groups = ["dev"]\ndefault-groups = ["dev"]\n')
    assert [each.name for each in read(default, LINUX).locked] == ["demo"]


def test_a_checkout_has_no_file() -> None:
    vcs = 'vcs = {type = "git", url = "https://git.example/demo", commit-id = "abc"}'
    (entry,) = read(package(vcs), LINUX).locked
    assert (entry.kind, entry.url) == (Kind.VCS, "git+https://git.example/demo@abc")
    assert entry.files == ()


def test_a_directory_has_no_file() -> None:
    (entry,) = read(package('directory = {path = "../lib", editable = true}'), LINUX).locked
    assert entry.kind is Kind.DIRECTORY
    assert entry.url == (Path.cwd() / "lib").as_uri()


def test_an_archive_is_a_file() -> None:
    archive = (
        'archive = {url = "https://files.example/v1.zip", subdirectory = "py",'
        f' hashes = {{sha256 = "{sha256("a")}"}}}}'
    )
    (entry,) = read(package(archive), LINUX).locked
    assert [(file.filename, file.sha256) for file in entry.files] == [("v1.zip", sha256("a"))]
    assert entry.kind is None
    assert "folder of the archive" in entry.notes[0]


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    uri = (tmp_path / "demo-1.0.tar.gz").as_uri()
    text = package(f'sdist = {{url = "{uri}", hashes = {{sha256 = "{sha256("1")}"}}}}')
    (file,) = read(text).locked[0].files
    assert (file.path, file.url) == (tmp_path / "demo-1.0.tar.gz", "")


def test_only_sha256_counts_and_others_are_noted() -> None:
    text = package(
        'sdist = {url = "https://h/demo-1.0.tar.gz", hashes = {sha512 = "00", md5 = "1"}}'
    )
    (entry,) = read(text).locked
    assert entry.files[0].sha256 == ""
    assert entry.notes == ("the lock has no sha256 of demo-1.0.tar.gz, only md5, sha512",)


def test_the_version_is_that_of_the_files_where_the_package_has_none() -> None:
    text = package(
        f'sdist = {{url = "https://h/demo-1.0.tar.gz", hashes = {{sha256 = "{"1" * 64}"}}}}'
    )
    assert read(text.replace('\nversion = "1.0"\n', "\n")).locked[0].version == "1.0"


def test_files_of_several_versions_are_an_error() -> None:
    wheels = ", ".join(
        f'{{url = "https://h/demo-{version}-py3-none-any.whl", hashes = {{sha256 = "{"1" * 64}"}}}}'
        for version in ("1.0", "2.0")
    )
    text = package(f"wheels = [{wheels}]").replace('\nversion = "1.0"\n', "\n")
    assert refused(text).found == "1.0, 2.0"


@pytest.mark.parametrize("other", ["sha512", "md5", "SHA256"])
def test_a_file_that_only_another_digest_allows_does_not_hide_behind_sha256(other: str) -> None:
    # Installers take a file that has any of them.
    wheels = (
        'wheels = [{url = "https://h/demo-1.0-py3-none-any.whl",'
        f' hashes = {{{other} = "{sha256("5")}", sha256 = "{sha256("6")}"}}}}]'
    )
    text = f'{TOP}[[packages]]\nname = "demo"\nversion = "1.0"\n{wheels}\n'
    error = refused(text)
    assert "several digests" in error.message
    assert error.place == f"{PATH}:6"


def test_a_later_minor_version_is_read_and_noted() -> None:
    lock = read(TWO.replace('"1.0"\ncreated', '"1.7"\ncreated'))
    assert all("version 1.7" in each.notes[0] for each in lock.locked)


@pytest.mark.parametrize(
    "version", ['"2.0"', '"0.9"', '"1!1.0"', '"one"', f'"{"1" * 5000}"', "1.0", "true", '""']
)
def test_an_unknown_lock_version_is_an_error_with_its_line(version: str) -> None:
    error = refused(f"# a comment\nlock-version = {version}\ncreated-by = 'x'\npackages = []\n")
    assert error.place == f"{PATH}:2"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("", 3),
        ("wheels = 1", 6),
        ("wheels = [\n  {}\n]", 7),
        ('wheels = [\n {url = "https://h/other-1.0-py3-none-any.whl", hashes = {a = "b"}}\n]', 7),
        ('sdist = {url = "https://h/demo-9.tar.gz", hashes = {sha256 = "x"}}', 6),
        ('sdist = {url = "https://h/demo-1.0.tar.gz"}', 6),
        ('sdist = {url = "https://h/demo-1.0.tar.gz", hashes = {sha256 = "x"}}', 6),
        ('sdist = {url = "https://h/demo-1.0.tar.gz", hashes = {sha256 = 1}}', 6),
        ('sdist = {url = "ftp://h/demo-1.0.tar.gz", hashes = {sha256 = "x"}}', 6),
        ('sdist = {url = "https://[/demo-1.0.tar.gz", hashes = {sha256 = "x"}}', 3),
        ('sdist = {url = "demo-1.0.tar.gz", hashes = {sha256 = "x"}}', 6),
        ('sdist = {path = "a\\u0000/demo-1.0.tar.gz", hashes = {sha256 = "x"}}', 6),
        ('sdist = {path = "demo-1.0.tar.gz", size = -1, hashes = {sha256 = "x"}}', 6),
        ('marker = "("\ndirectory = {path = "."}', 6),
        (f'marker = "{"(" * 5000}"\ndirectory = {{path = "."}}', 6),
        ('requires-python = "three"\ndirectory = {path = "."}', 6),
        ('vcs = {type = "git", commit-id = "1"}', 6),
        ('vcs = {type = "git\\u001b", url = "https://h", commit-id = "1"}', 6),
        ('directory = {path = "."}\narchive = {path = "x", hashes = {a = "b"}}', 3),
        ('index = "no index"\ndirectory = {path = "."}', 6),
    ],
)
def test_what_is_wrong_in_a_package_is_named_with_its_line(body: str, line: int) -> None:
    assert refused(package(body)).place == f"{PATH}:{line}"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ('url = "ftp://h/demo-1.0.tar.gz"', "no address that files are fetched from"),
        ('url = "demo-1.0.tar.gz"', "no address that files are fetched from"),
        ('path = "a\\u0000/demo-1.0.tar.gz"', "control characters"),
        ('path = "a\\\\b-1.0.tar.gz"', "not a file's name"),
        (f'path = "{"a" * LOCAL.filename}-1.0.tar.gz"', "not a file's name"),
        ('path = "demo-1.0.tar.gz", size = -1', "size"),
        ('path = "demo-1.0.tar.gz", size = 1.5', "size"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(file: str, message: str) -> None:
    error = refused(package(f'archive = {{{file}, hashes = {{sha256 = "{sha256("1")}"}}}}'))
    assert message in error.message
    assert error.place == f"{PATH}:6"


def test_a_version_that_nobody_can_count_to_is_an_error() -> None:
    text = package('directory = {path = "."}').replace('"1.0"\ndir', f'"{"1" * 5000}"\ndir')
    assert refused(text).place == f"{PATH}:5"


def test_a_path_does_not_hide_in_a_filename() -> None:
    wheel = "demo-1.0-1/../../x-py3-none-any.whl"
    text = package(
        f'wheels = [{{name = "{wheel}", path = "x", hashes = {{sha256 = "{sha256("1")}"}}}}]'
    )
    assert "not a file's name" in refused(text).message


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"\xef\xbb\xbf" + TOP.encode(),
        b"",
        TOP.encode(),
        TWO[:400].encode(),
        b"a = " + b"[" * 100_000,
        b"lock-version = " + b"9" * 5_000,
        (TOP + "packages = 1\n").encode(),
        (TOP + 'packages = ["x"]\n').encode(),
        TWO.replace("created-by", "created-for").encode(),
        TWO.replace('"demo"', '"De_mo"').encode(),
    ],
)
def test_what_is_no_lock_at_all_is_an_error_with_a_place(content: bytes) -> None:
    assert refused(content).place.startswith(str(PATH))


def test_a_marker_that_means_nothing_in_a_lock_is_an_error() -> None:
    error = refused(package("marker = \"extra == 'a'\"\ndirectory = {path = '.'}"), LINUX)
    assert "condition" in error.message
    assert error.place == f"{PATH}:6"
    text = f"{TOP}environments = [\"'a' in extras\"]\npackages = []\n"
    assert refused(text, LINUX).place == f"{PATH}:3"


def test_too_many_packages_are_an_error_before_they_are_looked_at() -> None:
    few = replace(LOCAL, lock_entries=1)
    with pytest.raises(LockfileInvalid, match="too many projects") as caught:
        pylock.read(PATH, Memory(pylock__toml=TWO), None, limits=few)
    assert caught.value.place == f"{PATH}:4"


def test_too_many_wheels_are_an_error() -> None:
    few = replace(LOCAL, lock_files=1)
    with pytest.raises(LockfileInvalid, match="too many files") as caught:
        pylock.read(PATH, Memory(pylock__toml=TWO), None, limits=few)
    assert caught.value.place == f"{PATH}:9"


def test_a_file_that_is_not_there_is_no_fault_of_the_lock() -> None:
    with pytest.raises(CommandError):
        pylock.read(PATH, Memory(), None)


def test_time_grows_with_the_size_and_not_faster() -> None:
    def seconds(count: int) -> float:
        text = TOP + "".join(
            f'[[packages]]\nname = "demo-{number}"\nversion = "1.0"\nwheels = [\n'
            f'{{url = "https://h/demo_{number}-1.0-py3-none-any.whl",'
            f' hashes = {{sha256 = "{number:064x}"}}}},\n]\n'
            for number in range(count)
        )
        began = time.process_time()
        assert len(read(text, LINUX).locked) == count
        return time.process_time() - began

    seconds(10)  # imports
    few = min(seconds(200) for _ in range(3))
    assert seconds(1_600) < 8 * 4 * few


# --- who vouches for it ---------------------------------------------------------------------

KEY = "ab" * 32
PUBLISHER = """
[[packages.attestation-identities]]
kind = "GitHub"
repository = "acme/demo"
workflow = "release.yml"
"""
GITHUB_WORKFLOW = Identity(keyid="", issuer=GITHUB, repository="acme/demo", workflow="release.yml")


def vouched(text: str) -> Locked:
    (entry,) = read(f'{TOP}\n[[packages]]\nname = "demo"\nversion = "1.0"\n{text}{WHEEL}').locked
    return entry


WHEEL = f"""
[[packages.wheels]]
url = "https://files.example/demo-1.0-py3-none-any.whl"
hashes = {{sha256 = "{sha256("1")}"}}
"""


def test_publishers_that_a_lock_pins_become_identities() -> None:
    gitlab = (
        '[[packages.attestation-identities]]\nkind = "GitLab"\nrepository = "acme/group/demo"\n'
        'workflow_filepath = ".gitlab-ci.yml"\n'
    )
    google = '[[packages.attestation-identities]]\nkind = "Google"\nemail = "a@acme.example"\n'
    assert vouched(PUBLISHER + gitlab + google).attested_by == (
        GITHUB_WORKFLOW,
        Identity(keyid="", issuer=GITLAB, repository="acme/group/demo", workflow=".gitlab-ci.yml"),
        Identity(keyid="", issuer=GOOGLE, subject="a@acme.example"),
    )


def test_a_publisher_twice_is_one_and_unknown_members_are_passed_over() -> None:
    assert vouched(PUBLISHER + PUBLISHER + "claims = {a = 1}\n").attested_by == (GITHUB_WORKFLOW,)


def test_an_environment_is_not_compared_and_a_note_says_so() -> None:
    entry = vouched(PUBLISHER + 'environment = "pypi"\n')
    assert entry.attested_by == (GITHUB_WORKFLOW,)
    assert any("environment is not compared" in note for note in entry.notes)


def test_of_several_publishers_those_of_unknown_kinds_are_noted() -> None:
    entry = vouched(PUBLISHER + '[[packages.attestation-identities]]\nkind = "Forgejo"\n')
    assert entry.attested_by == (GITHUB_WORKFLOW,)
    assert any("Forgejo" in note for note in entry.notes)


def test_a_lock_that_pins_only_publishers_nobody_knows_is_refused() -> None:
    def pinning(publishers: str) -> LockfileInvalid:
        return refused(f'{TOP}\n[[packages]]\nname = "demo"\nversion = "1.0"\n{publishers}{WHEEL}')

    unknown = pinning('[[packages.attestation-identities]]\nkind = "Forgejo"\n')
    assert "who must have attested demo" in unknown.message
    assert unknown.found == "Forgejo"
    incomplete = pinning('[[packages.attestation-identities]]\nkind = "GitHub"\n')
    assert "`repository`" in incomplete.message
    assert "`repository`" in pinning(PUBLISHER.replace("acme/demo", "acme\\ndemo")).message


def test_what_was_recorded_is_read() -> None:
    recorded = vouched(
        f'[packages.tool.pip-intoto]\nversion = "0.9"\nlayout-keys = ["{KEY}"]\nidentities = ['
        '{issuer = "https://id.example", subject = "a@acme.example"}]\n'
    ).recorded
    assert recorded == Recorded(
        version="0.9",
        identities=(Identity(keyid="", issuer="https://id.example", subject="a@acme.example"),),
        layout_keys=(KEY,),
    )
    assert vouched('[packages.tool.other]\nversion = "0.9"\n').recorded is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("identities = []\n", "lacks `version`"),
        ('version = "1"\nsigners = []\n', "unknown key `signers`"),
        (
            'version = "1"\nlayout-keys = ["abc"]\n',
            "no",
        ),
        ('version = "1"\nidentities = [{issuer = "https://id.example"}]\n', "nobody in particular"),
        ('version = "1"\nidentities = [{subject = "a"}]\n', "lacks `issuer`"),
        ('version = "1"\nidentities = ["a"]\n', "table"),
        ("version = 1\n", "string"),
        ('version = "1"\nlayout-keys = [' + '"a",' * 600 + "]\n", "too many"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(table: str, said: str) -> None:
    error = refused(
        f'{TOP}\n[[packages]]\nname = "demo"\nversion = "1.0"\n'
        f"[packages.tool.pip-intoto]\n{table}{WHEEL}"
    )
    assert said in error.message
    assert error.place.startswith(str(PATH))
