"""Which files are recorded, and under which names."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer.steps.exclusion import Exclusion
from pip_intoto.maintainer.steps.listing import Selection
from tests.unit.maintainer.repositories import Repository, write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

POSIX = pytest.mark.skipif(os.name != "posix", reason="names and pipes as POSIX has them")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory that is in no repository."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return folder


def names(
    *paths: str,
    exclude: Collection[str] | None = None,
    strip: tuple[str, ...] = (),
    base: str = "",
    all_files: bool = False,
) -> list[str]:
    exclusion = Exclusion() if exclude is None else Exclusion(exclude)
    selection = Selection(base=base, strip=strip, exclusion=exclusion, all_files=all_files)
    return sorted(selection.find(paths).files)


# --- paths and names ------------------------------------------------------------------------


def test_files_and_folders_are_found_by_their_relative_names(here: Path) -> None:
    for name in ("a.py", "src/b.py", "src/deep/c.py"):
        write(here / name)
    assert names("a.py", "src") == ["a.py", "src/b.py", "src/deep/c.py"]
    assert names(".") == ["a.py", "src/b.py", "src/deep/c.py"]


@pytest.mark.parametrize("path", ["src", "./src", "src/", "src/./", "src/../src", ".//src"])
def test_however_a_path_is_spelled_names_are_normal(here: Path, path: str) -> None:
    write(here / "src" / "a.py")
    assert names(path) == ["src/a.py"]


def test_what_is_named_twice_is_found_once(here: Path) -> None:
    write(here / "src" / "a.py")
    assert names("src", "src/a.py", "src", strip=("src/",)) == ["a.py"]
    assert not Selection().find(["src", "src/a.py", "src"]).empty


def test_a_base_path_is_no_part_of_names(here: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "src" / "a.py")
    assert names("src", base=str(tmp_path / "elsewhere")) == ["src/a.py"]
    assert names(".", base=os.path.join("..", "elsewhere")) == ["src/a.py"]  # noqa: PTH118
    assert list(here.iterdir()) == []


def test_a_scheme_stays_before_the_name(here: Path) -> None:
    write(here / "src" / "a.py")
    assert names("file:src", "file:./src/a.py", strip=("src/",)) == ["file:a.py"]


def test_a_prefix_is_cut_off_only_where_it_stands_in_front(here: Path) -> None:
    for name in ("dist/a.whl", "other/dist/b.whl", "distance"):
        write(here / name)
    assert names(".", strip=("dist/",)) == ["a.whl", "distance", "other/dist/b.whl"]


def test_absolute_paths_become_relative_by_stripping(here: Path) -> None:
    write(here / "src" / "a.py")
    assert names(str(here / "src"), strip=(f"{here.as_posix()}/",)) == ["src/a.py"]


@pytest.mark.parametrize("prefixes", [("src/", "src/deep/"), ("a", "b", "ab")])
def test_no_prefix_may_begin_with_another(prefixes: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="one begins with the other"):
        Selection(strip=prefixes)


def test_two_files_never_share_a_name(here: Path) -> None:
    for name in ("one/a.py", "other/a.py"):
        write(here / name)
    with pytest.raises(CommandError, match=r"two files would have the name 'a\.py'") as caught:
        names("one", "other", strip=("one/", "other/"))
    assert caught.value.found == repr(os.path.normpath("one/a.py")) + " and " + repr(
        os.path.normpath("other/a.py")
    )


def test_a_path_that_is_not_there_is_an_error(here: Path) -> None:
    write(here / "a.py")
    with pytest.raises(CommandError, match=r"'b\.py' cannot be recorded: No such file"):
        names("a.py", "b.py")


@pytest.mark.parametrize("scheme", ["dir", "ostree"])
def test_what_is_not_recorded_by_file_is_told(scheme: str) -> None:
    with pytest.raises(CommandError, match=f"'{scheme}:src' cannot be recorded") as caught:
        names(f"{scheme}:src")
    assert "only files" in caught.value.advice


def test_folders_and_patterns_that_leave_nothing_are_told(here: Path) -> None:
    (here / "empty").mkdir()
    write(here / "a.pyc")
    listing = Selection().find(["empty", "a.pyc"])
    assert not listing.files
    assert listing.empty == ["empty", "a.pyc"]


def test_patterns_leave_out_files_and_whole_folders(here: Path) -> None:
    for name in ("a.py", "a.pyc", "tests/b.py", ".git/config", "x.link"):
        write(here / name)
    assert names(".", all_files=True) == ["a.py", "tests/b.py"]
    some = names(".", all_files=True, exclude=["tests", "x*"])
    assert some == [".git/config", "a.py", "a.pyc"]
    others = names(".", all_files=True, exclude=["a*", "!*.pyc", ".git/"])
    assert others == ["a.pyc", "tests/b.py", "x.link"]


# --- names that no link may hold -------------------------------------------------------------


@POSIX
def test_P9_a_name_that_leads_outside_is_refused(here: Path) -> None:
    write(here.parent / "a.py")
    with pytest.raises(CommandError, match="no link may hold") as caught:
        names("../a.py")
    assert caught.value.found == "'../a.py'"
    with pytest.raises(CommandError, match="no link may hold"):
        names(str(here.parent / "a.py"))


@POSIX
def test_P9_nothing_may_be_left_of_a_name(here: Path) -> None:
    write(here / "src" / "a.py")
    with pytest.raises(CommandError, match="no link may hold") as caught:
        names("src", strip=("src/a.py",))
    assert caught.value.found == "'', of 'src/a.py'"
    with pytest.raises(CommandError, match="no link may hold"):
        names("src", strip=("src",))


@POSIX
def test_a_backslash_would_be_a_slash_elsewhere(here: Path) -> None:
    write(here / "src" / "a\\b.py")
    with pytest.raises(CommandError, match="no link may hold"):
        names("src")


@LINUX
def test_J5_a_name_that_is_no_text_is_refused_by_name(here: Path) -> None:
    (Path(os.fsdecode(os.fsencode(here) + b"/\xff.py"))).touch()
    with pytest.raises(CommandError, match="no link may hold") as caught:
        names(".")
    assert caught.value.found == r"'\udcff.py'"
    assert names(".", exclude=["?.py"]) == []


@POSIX
@pytest.mark.parametrize("name", ["-rf.py", "a\nb.py", " ", "'\"$(x)`.py", "*.py", "é日.py", "%s"])
def test_odd_names_are_names(here: Path, name: str) -> None:
    write(here / "src" / name)
    assert names("src") == [f"src/{name}"]
    repository = Repository(here / "repository")
    repository.track(f"src/{name}")
    write(repository.folder / "src" / "junk")
    assert names("repository/src") == [f"repository/src/{name}"]


def test_there_may_not_be_more_than_a_link_holds(here: Path) -> None:
    for name in ("a", "b", "c"):
        write(here / name)
    with pytest.raises(CommandError, match="too many files"):
        Selection(limits=replace(LOCAL, artifacts=2)).find(["."])
    with pytest.raises(CommandError, match="too many files"):
        Selection(limits=replace(LOCAL, entries=2)).find(["."])
    assert len(Selection(limits=replace(LOCAL, artifacts=3, entries=3)).find(["."]).files) == 3
    Repository(here).track()
    with pytest.raises(CommandError, match="git tracks too much"):
        Selection(limits=replace(LOCAL, artifacts=2)).find(["."])


# --- links and what is no file ---------------------------------------------------------------


def test_links_are_followed_under_their_own_names(here: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "c.py")
    write(here / "src" / "a.py")
    (here / "src" / "b.py").symlink_to("a.py")
    (here / "src" / "far").symlink_to(tmp_path / "outside")
    assert names("src") == ["src/a.py", "src/b.py", "src/far/c.py"]


def test_links_to_folders_that_they_lie_in_are_not_followed(here: Path) -> None:
    write(here / "src" / "deep" / "a.py")
    (here / "src" / "deep" / "up").symlink_to(here / "src")
    (here / "src" / "deep" / "here").symlink_to(".")
    (here / "src" / "deep" / "top").symlink_to(here)
    listing = Selection().find(["src"])
    assert list(listing.files) == ["src/deep/a.py"]
    assert sorted(listing.strange) == ["src/deep/here", "src/deep/top", "src/deep/up"]


def test_links_that_lead_to_each_other_end_somewhere(here: Path) -> None:
    for one, other in (("one", "other"), ("other", "one")):
        write(here / one / f"{one}.py")
        (here / one / "over").symlink_to(here / other)
    listing = Selection().find(["one"])
    assert sorted(listing.files) == ["one/one.py", "one/over/other.py"]
    assert listing.strange == ["one/over/over"]


@POSIX
def test_pipes_and_links_to_nowhere_are_told(here: Path) -> None:
    write(here / "src" / "a.py")
    os.mkfifo(here / "src" / "pipe")
    (here / "src" / "broken").symlink_to("nowhere")
    listing = Selection().find(["src"])
    assert list(listing.files) == ["src/a.py"]
    assert sorted(listing.strange) == ["src/broken", "src/pipe"]


@POSIX
def test_a_pipe_that_somebody_names_is_an_error(here: Path) -> None:
    os.mkfifo(here / "pipe")
    (here / "device").symlink_to("/dev/zero")
    (here / "broken").symlink_to("nowhere")
    for name, why in (("pipe", "neither"), ("device", "neither"), ("broken", "No such file")):
        with pytest.raises(CommandError, match=why):
            names(name)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_an_error(here: Path) -> None:
    write(here / "src" / "hidden" / "a.py")
    (here / "src" / "hidden").chmod(0)
    try:
        with pytest.raises(CommandError, match="'src/hidden' cannot be recorded: Permission"):
            names("src")
    finally:
        (here / "src" / "hidden").chmod(0o755)


# --- git -------------------------------------------------------------------------------------


def test_only_what_git_tracks_is_recorded_of_a_source_tree(here: Path) -> None:
    repository = Repository(here)
    repository.track("src/a.py", "src/deep/b.py", ".gitignore")
    for name in ("src/junk", "src/deep/c.orig", "other/d"):
        write(here / name)
    listing = Selection().find(["src"])
    assert sorted(listing.files) == ["src/a.py", "src/deep/b.py"]
    assert listing.untracked == 2
    assert names(".") == [".gitignore", "src/a.py", "src/deep/b.py"]
    assert names("src", all_files=True) == [
        "src/a.py",
        "src/deep/b.py",
        "src/deep/c.orig",
        "src/junk",
    ]


def test_what_is_left_out_anyway_is_not_counted(here: Path) -> None:
    Repository(here).track("src/a.py")
    write(here / "src" / "a.pyc")
    assert Selection().find(["src", "."]).untracked == 0


def test_what_git_tracks_is_recorded_as_it_is_now(here: Path) -> None:
    repository = Repository(here)
    repository.track("src/a.py", "src/b.py", "src/c.py")
    write(here / "src" / "a.py", "changed, and not committed")
    (here / "src" / "b.py").unlink()
    write(here / "src" / "d.py")
    repository.git("add", "src/d.py")
    repository.git("rm", "--cached", "-q", "src/c.py")
    listing = Selection().find(["src"])
    assert listing.files == {name: name for name in ("src/a.py", "src/d.py")}
    assert listing.untracked == 1


def test_a_folder_in_which_git_tracks_nothing_is_recorded_as_it_is(here: Path) -> None:
    repository = Repository(here)
    repository.track("src/a.py")
    write(here / ".gitignore", "dist/")
    write(here / "dist" / "demo.whl")
    assert names("dist", "src") == ["dist/demo.whl", "src/a.py"]


def test_a_file_that_somebody_names_is_recorded_tracked_or_not(here: Path) -> None:
    Repository(here).track("src/a.py")
    write(here / "src" / "junk")
    assert names("src", "src/junk") == ["src/a.py", "src/junk"]


def test_patterns_apply_to_what_git_tracks_too(here: Path) -> None:
    Repository(here).track("src/a.py", "src/a.pyc", "src/x/b.py")
    assert names("src") == ["src/a.py", "src/x/b.py"]
    assert names("src", exclude=["x"]) == ["src/a.py", "src/a.pyc"]


def test_tracked_files_that_patterns_leave_out_are_told(here: Path) -> None:
    Repository(here).track("src/a.py", "src/x.linker.py", "src/old/y.pyc")
    write(here / "src" / "junk.pyc")
    listing = Selection().find(["src"])
    assert list(listing.files) == ["src/a.py"]
    assert listing.excluded == ["src/old/y.pyc", "src/x.linker.py"]
    assert listing.untracked == 0


def test_what_is_not_tracked_need_not_be_readable(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository(here).track("src/a.py", "closed/b.py")
    write(here / "data" / "private")
    really = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path).name in {"data", "closed"}:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return really(path)

    # (Root may read everything.)
    monkeypatch.setattr(os, "scandir", scandir)
    assert names("src", ".") == ["closed/b.py", "src/a.py"]
    with pytest.raises(CommandError, match=r"'(data|closed)' cannot be recorded: Permission"):
        names(".", all_files=True)


def test_many_other_files_do_not_keep_the_tracked_ones_from_being_recorded(here: Path) -> None:
    Repository(here).track("deep/down/a.py")
    for number in range(20):
        write(here / f"{number}" / "junk")
    listing = Selection(limits=replace(LOCAL, entries=5)).find(["."])
    assert list(listing.files) == ["deep/down/a.py"]
    (here / "link").symlink_to(".")
    listing = Selection(limits=replace(LOCAL, entries=1)).find(["link"])
    assert list(listing.files) == ["link/deep/down/a.py"]


def test_submodules_are_part_of_the_source(here: Path, tmp_path: Path) -> None:
    library = Repository(tmp_path / "library")
    library.track("lib.py")
    outer = Repository(tmp_path / "outer")
    outer.track("outer.py")
    outer.git("submodule", "-q", "add", str(library.folder), "inner")
    outer.track()
    repository = Repository(here)
    repository.track("a.py")
    repository.git("submodule", "-q", "add", str(outer.folder), "vendor/outer")
    repository.git("submodule", "-q", "update", "--init", "--recursive")
    repository.track()
    write(here / "vendor" / "outer" / "inner" / "junk")
    listing = Selection().find(["."])
    assert sorted(listing.files) == [
        ".gitmodules",
        "a.py",
        "vendor/outer/.gitmodules",
        "vendor/outer/inner/lib.py",
        "vendor/outer/outer.py",
    ]
    assert listing.untracked == 1
    assert names("vendor/outer/inner") == ["vendor/outer/inner/lib.py"]
    repository.git("submodule", "-q", "deinit", "--force", "vendor/outer")
    assert names(".") == [".gitmodules", "a.py"]


def test_a_repository_in_a_repository_is_asked_what_it_tracks(here: Path) -> None:
    repository = Repository(here)
    repository.track("a.py")
    inner = Repository(here / "inner")
    inner.track("b.py")
    write(inner.folder / "junk")
    assert names(".") == ["a.py"]
    assert Selection().find(["."]).untracked == 2
    repository.git("-c", "advice.addEmbeddedRepo=false", "add", "inner")
    assert names(".") == ["a.py", "inner/b.py"]


def test_a_tracked_link_leads_to_what_git_tracks_there(here: Path) -> None:
    repository = Repository(here)
    write(here / "data" / "d.txt")
    (here / "src").mkdir()
    (here / "src" / "data").symlink_to("../data")
    (here / "src" / "loop").symlink_to("..")
    (here / "src" / "broken").symlink_to("nowhere")
    repository.track("src/a.py")
    write(here / "data" / "junk")
    (here / "src" / "stray").symlink_to("../data")
    listing = Selection().find(["src"])
    assert sorted(listing.files) == ["src/a.py", "src/data/d.txt"]
    assert sorted(listing.strange) == ["src/broken", "src/loop"]
    assert listing.untracked == 2


def test_what_is_behind_a_new_link_is_not_what_git_tracks(here: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "b.py")
    repository = Repository(here)
    repository.track("a.py", "src/b.py")
    (here / "src" / "b.py").unlink()
    (here / "src").rmdir()
    (here / "src").symlink_to(tmp_path / "elsewhere")
    assert names(".") == ["a.py"]


def test_a_folder_by_way_of_a_link_is_the_folder(here: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.track("src/a.py")
    write(repository.folder / "src" / "junk")
    (here / "link").symlink_to(repository.folder / "src")
    assert names("link") == ["link/a.py"]
    assert names("src", base=str(repository.folder)) == ["src/a.py"]


def test_a_file_in_the_midst_of_a_merge_is_one_file(here: Path) -> None:
    repository = Repository(here)
    repository.track("a.py")
    repository.git("checkout", "-q", "-b", "other")
    write(here / "a.py", "theirs")
    repository.track()
    repository.git("checkout", "-q", "-")
    write(here / "a.py", "ours")
    repository.track()
    with pytest.raises(AssertionError):
        repository.git("merge", "-q", "other")
    assert names(".") == ["a.py"]


def test_the_repository_is_the_one_around_the_folder(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In hooks, git's own variables speak of the repository whose hook it is.
    other = Repository(tmp_path / "other")
    other.track("other.py")
    Repository(here).track("a.py")
    write(here / "junk")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.folder / ".git" / "index"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert names(".") == ["a.py"]


@POSIX
def test_git_runs_nothing_that_the_repository_brings(here: Path) -> None:
    repository = Repository(here)
    repository.track("a.py")
    for setting in ("core.fsmonitor", "core.hooksPath", "core.pager", "core.sshCommand"):
        script = write(here / ".git" / setting, f"#!/bin/sh\ntouch '{here}/ran-{setting}'\n")
        script.chmod(0o755)
        repository.git("config", setting, str(script))
    assert names(".") == ["a.py"]
    assert not [path for path in here.iterdir() if path.name.startswith("ran")]


def test_a_repository_that_git_cannot_read_is_an_error(here: Path) -> None:
    Repository(here).track("a.py")
    (here / ".git" / "index").write_bytes(b"not an index")
    with pytest.raises(CommandError, match="git cannot say what it tracks") as caught:
        names(".")
    assert "index" in caught.value.found
    assert "--all-files" in caught.value.advice
    assert names(".", all_files=True) == ["a.py"]


def test_git_may_not_take_for_ever(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository(here).track("a.py")
    git = write(tmp_path / "bin" / "git", "#!/bin/sh\nexec sleep 60\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(CommandError, match="git does not say"):
        Selection(limits=replace(LOCAL, git_seconds=1)).find(["."])


def test_without_git_everything_is_recorded_and_that_is_told(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository(here).track("a.py")
    write(here / "junk")
    monkeypatch.setenv("PATH", str(tmp_path))
    listing = Selection().find(["."])
    assert sorted(listing.files) == ["a.py", "junk"]
    assert listing.without_git
    (here / ".git").rename(tmp_path / "gone")
    assert not Selection().find(["."]).without_git


def test_a_git_out_of_the_working_directory_is_none(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository(here).track("a.py")
    write(here / "git", f"#!/bin/sh\n: > '{here}/ran'\n").chmod(0o755)
    monkeypatch.setenv("PATH", os.curdir)
    assert Selection().find(["a.py", "."]).without_git
    assert not (here / "ran").exists()


def test_names_that_are_asked_for_are_found_though_git_does_not_track_them(here: Path) -> None:
    Repository(here).track("a.py")
    write(here / "dist" / "demo.whl")
    write(here / "dist" / "junk")
    listing = Selection(regardless={"demo.whl"}, strip=("dist/",)).find(["."])
    assert sorted(listing.files) == ["a.py", "demo.whl"]
    assert listing.untracked == 1
