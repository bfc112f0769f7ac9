"""Where the bytes of a lock come from: the disk, and revisions in git."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pip_intoto.errors import CommandError, LockfileInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.lockfiles.reading import read_lock
from pip_intoto.lockfiles.trees import AbsentThen, Disk, Revision

# --- the disk -------------------------------------------------------------------------------


def test_a_lock_is_read_from_the_disk(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("demo==1.0")
    lock = read_lock(tmp_path / "requirements.txt", Disk(), None)
    assert (lock.format, lock.locked[0].name) == ("requirements", "demo")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("demo==1.0")
    with pytest.raises(CommandError, match="too large"):
        read_lock(tmp_path / "requirements.txt", Disk(replace(LOCAL, lock_bytes=3)), None)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        read_lock(tmp_path / "requirements.txt", Disk(), None)


# --- git ------------------------------------------------------------------------------------


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        author = {
            f"GIT_{who}_{what}": "x"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return subprocess.run(
            ["git", *words],
            check=True,
            cwd=self.root,
            env={"PATH": os.environ["PATH"], **author, **plain},
            capture_output=True,
            text=True,
        ).stdout

    def write(self, **files: str) -> None:
        for name, content in files.items():
            path = self.root / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)

    def commit(self, **files: str) -> None:
        self.write(**files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("git") / "repository")
    made.commit(
        requirements_txt="demo==1.0", sub__requirements_txt="inner==1.0\n-r ../requirements.txt"
    )
    made.git("tag", "v1")
    made.commit(requirements_txt="demo==2.0", gone__constraints_txt="old==1")
    (made.root / "link.txt").symlink_to("requirements.txt")
    made.commit(new_txt="demo==3")
    made.git("rm", "-q", "-r", "gone")
    made.commit(requirements_txt="demo==4.0")
    made.write(requirements_txt="demo==5.0")
    return made


def names(path: Path, ref: str) -> list[str]:
    return [f"{each.name} {each.version}" for each in read_lock(path, Revision(ref), None).locked]


@pytest.mark.parametrize(
    ("ref", "version"), [("HEAD", "4.0"), ("main", "4.0"), ("v1", "1.0"), ("HEAD~2", "2.0")]
)
def test_a_file_is_read_as_a_revision_has_it(
    repository: Repository, ref: str, version: str
) -> None:
    assert names(repository.root / "requirements.txt", ref) == [f"demo {version}"]


def test_it_works_from_a_folder_of_the_repository_with_what_is_included(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.root / "sub")
    assert names(Path("requirements.txt"), "v1") == ["inner 1.0", "demo 1.0"]
    assert names(Path("../requirements.txt"), "v1") == ["demo 1.0"]


def test_the_folder_of_a_file_may_be_gone_by_now(repository: Repository) -> None:
    assert not (repository.root / "gone").exists()
    assert names(repository.root / "gone" / "constraints.txt", "HEAD~2") == ["old 1"]


def test_a_repository_around_the_program_is_not_asked(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert names(repository.root / "requirements.txt", "v1") == ["demo 1.0"]


@pytest.mark.parametrize("name", ["new.txt", "never.txt", "sub/x/never.txt", "link.txt"])
def test_a_file_that_did_not_exist_then_is_told_from_all_else(
    repository: Repository, name: str
) -> None:
    with pytest.raises(AbsentThen, match=r"there is no .* in v1"):
        names(repository.root / name, "v1")


def test_a_folder_is_no_file(repository: Repository) -> None:
    with pytest.raises(AbsentThen, match="no file"):
        Revision("v1").read(repository.root / "sub")


def test_a_link_is_not_followed(repository: Repository) -> None:
    with pytest.raises(CommandError, match="symbolic link"):
        names(repository.root / "link.txt", "HEAD")


def test_an_included_file_that_did_not_exist_then_is_the_fault_of_the_line(
    repository: Repository,
) -> None:
    repository.commit(sub__bad_txt="\n-r ../nowhere.txt")
    with pytest.raises(LockfileInvalid) as caught:
        names(repository.root / "sub" / "bad.txt", "HEAD")
    assert caught.value.place.endswith("bad.txt:2")


def test_an_unknown_revision_is_named(repository: Repository) -> None:
    with pytest.raises(CommandError, match="knows no commit nowhere") as caught:
        names(repository.root / "requirements.txt", "nowhere")
    assert not isinstance(caught.value, AbsentThen)
    assert "fetch" in caught.value.advice


@pytest.mark.parametrize("ref", ["", "-p", "--output=x", "a\0b", "a\nb"])
def test_what_cannot_be_a_revision_is_not_given_to_git(ref: str) -> None:
    with pytest.raises(CommandError, match="cannot be a revision"):
        Revision(ref)


@pytest.mark.parametrize("ref", ["HEAD:requirements.txt", "v1^{tree}", ":/x", "HEAD..v1", "a b"])
def test_what_names_no_commit_is_an_error(repository: Repository, ref: str) -> None:
    with pytest.raises(CommandError, match="knows no commit"):
        names(repository.root / "requirements.txt", ref)


def test_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="in no git repository"):
        names(tmp_path / "requirements.txt", "HEAD")


def test_no_git_is_an_error(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CommandError, match="no git") as caught:
        names(repository.root / "requirements.txt", "HEAD")
    assert "Install git" in caught.value.advice


def test_a_file_that_was_too_large_is_not_read(repository: Repository) -> None:
    tree = Revision("HEAD", replace(LOCAL, lock_bytes=3))
    with pytest.raises(CommandError, match="too large"):
        tree.read(repository.root / "requirements.txt")


def test_a_path_that_looks_like_an_option_or_a_pattern_is_a_path(repository: Repository) -> None:
    for name in ("--help.txt", "*.txt", ":(top)requirements.txt"):
        with pytest.raises(AbsentThen):
            Revision("v1").read(repository.root / name)
