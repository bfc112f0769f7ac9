"""Copies of a project: what git tracks, as it lies there, with its history and no litter."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from pip_intoto.errors import CommandError
from pip_intoto.maintainer.projects.checkouts import read_checkout
from tests.unit.maintainer.repositories import git


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")


def repository(folder: Path, *names: str) -> Path:
    write(folder, *names)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "tag", "v1.2")
    return folder


def copied(project: Path, folder: Path) -> Path:
    folder.mkdir()
    return read_checkout(project).copy(folder)


def everything(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def test_a_copy_holds_what_git_tracks_as_it_lies_there(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", "pyproject.toml", "src/demo.py", "gone.txt")
    write(project, "untracked.py", "build/lib/demo.py")
    (project / "src/demo.py").write_text("changed\n")
    (project / "gone.txt").unlink()
    checkout = read_checkout(project)
    assert checkout.files == ("pyproject.toml", "src/demo.py")
    assert checkout.changed() == ("gone.txt", "src/demo.py")
    copy = copied(project, tmp_path / "copy")
    assert everything(copy) == {"pyproject.toml", "src/demo.py"}
    assert (copy / "src/demo.py").read_text() == "changed\n"


@pytest.mark.skipif(os.name == "nt", reason="the filter is a shell's")
def test_looking_at_a_project_runs_nothing_that_it_brings_along(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", "pyproject.toml")
    ran = tmp_path / "ran"
    # Whoever unpacks somebody's archive has their .git/config.
    for setting in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor"):
        git(project, "config", setting, f"touch '{ran}'; cat")
    (project / ".git/info/attributes").write_text("* filter=evil\n")
    os.utime(project / "pyproject.toml", (1, 1))
    checkout = read_checkout(project)
    copy = checkout.copy(tmp_path)
    assert not ran.exists()
    assert (copy / "pyproject.toml").is_file()
    assert checkout.changed() == ()


def test_a_copy_has_the_history_and_an_index_of_its_own(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", "pyproject.toml")
    copy = copied(project, tmp_path / "copy")
    assert git(copy, "describe", "--tags", "--dirty") == "v1.2"
    assert Path(git(copy, "rev-parse", "--show-toplevel")) == copy.resolve()
    write(copy, "litter.txt")
    git(copy, "add", "litter.txt")
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "worktree", "list").count("\n") == 0


def test_a_change_that_is_not_committed_is_one_in_the_copy_too(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", "pyproject.toml")
    (project / "pyproject.toml").write_text("changed\n")
    copy = copied(project, tmp_path / "copy")
    assert git(copy, "describe", "--tags", "--dirty") == "v1.2-dirty"


def test_a_further_worktree_can_be_copied(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", "pyproject.toml")
    git(project, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    write(tmp_path / "other", "new.py")
    git(tmp_path / "other", "add", "new.py")
    copy = copied(tmp_path / "other", tmp_path / "copy")
    assert everything(copy) == {"pyproject.toml", "new.py"}
    assert git(copy, "rev-parse", "--abbrev-ref", "HEAD") == "other"


def test_a_project_below_the_top_is_copied_with_what_is_around_it(tmp_path: Path) -> None:
    top = repository(tmp_path / "top", "README.md", "packages/demo/pyproject.toml")
    checkout = read_checkout(top / "packages" / "demo")
    assert checkout.project == PurePosixPath("packages/demo")
    assert checkout.files == ("pyproject.toml",)
    assert checkout.path("pyproject.toml").is_file()
    copy = copied(top / "packages" / "demo", tmp_path / "copy")
    assert (copy / "pyproject.toml").is_file()
    assert (copy / "../../README.md").is_file()


def test_submodules_are_copied(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", "lib.c")
    project = repository(tmp_path / "project", "pyproject.toml")
    git(project, "submodule", "add", "-q", str(library), "vendor/library")
    assert "vendor/library/lib.c" in read_checkout(project).files
    copy = copied(project, tmp_path / "copy")
    assert (copy / "vendor/library/lib.c").is_file()


@pytest.mark.skipif(os.name == "nt", reason="links take a privilege there")
def test_links_stay_links(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, "real/a.py")
    (project / "alias").symlink_to("real")
    (project / "dangling").symlink_to("nowhere")
    repository(project)
    copy = copied(project, tmp_path / "copy")
    assert (copy / "alias").readlink() == Path("real")
    assert (copy / "dangling").is_symlink()


def test_without_git_what_tools_leave_behind_is_left_out(tmp_path: Path) -> None:
    project = tmp_path / "project"
    wanted = {"pyproject.toml", "build/__init__.py", "src/dist/a.py", "demo.egg-info/SOURCES.txt"}
    left = ("dist/a.whl", "src/__pycache__/a.pyc", ".venv/pyvenv.cfg", ".venv/lib/a.py", ".tox/a")
    write(project, *wanted, *left, "wheel-metadata/demo-1.0.dist-info/METADATA")
    if os.name == "posix":
        (project / "alias").symlink_to("src")
    checkout = read_checkout(project)
    assert checkout.git is None
    assert {name for name in checkout.files if name != "alias"} == wanted
    copy = copied(project, tmp_path / "copy")
    assert everything(copy) >= wanted
    assert (copy / "alias").is_symlink() == (os.name == "posix")


def test_a_repository_without_commits_can_be_copied(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, "pyproject.toml")
    git(project, "init", "-q")
    git(project, "add", "--all")
    assert everything(copied(project, tmp_path / "copy")) == {"pyproject.toml"}


def test_what_git_says_of_a_broken_repository_is_said(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", "pyproject.toml")
    (project / ".git" / "config").write_text("[broken\n")
    with pytest.raises(CommandError, match="git does not say") as refused:
        read_checkout(project)
    assert "config" in refused.value.found


def test_hooks_around_this_program_do_not_name_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", "other.py")
    project = repository(tmp_path / "project", "pyproject.toml")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert read_checkout(project).files == ("pyproject.toml",)


@pytest.mark.skipif(os.name == "nt", reason="scripts are no programs there")
def test_a_git_out_of_the_working_directory_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = repository(tmp_path / "project", "pyproject.toml")
    script = project / "git"
    script.write_text(f"#!/bin/sh\n: > '{project}/ran'\n")
    script.chmod(0o755)
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", os.curdir)
    assert read_checkout(project).git is None
    assert not (project / "ran").exists()


def test_a_project_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a directory"):
        read_checkout(tmp_path / "nowhere")
