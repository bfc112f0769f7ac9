"""``pip-intoto run`` and ``record``: options, exit statuses, and what they say."""

from __future__ import annotations

import base64
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pip_intoto.cli import main
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import documents
from pip_intoto.maintainer.keys import signing
from pip_intoto.maintainer.steps import functionary
from pip_intoto.maintainer.steps.execution import Outcome, execute
from tests.unit.maintainer.repositories import Repository, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from pip_intoto.metadata.link import Link

KEY = signing.generate()
OTHER = signing.generate()
LINK = f"build.{KEY.keyid[:8]}.link"
UNFINISHED = f".{LINK}-unfinished"
POSIX = pytest.mark.skipif(os.name != "posix", reason="a shell as POSIX has it")

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with something to record, beside the keys."""
    for name, key in (("key", KEY), ("other", OTHER)):
        (tmp_path / f"{name}.pem").write_bytes(key.private_pem())
    folder = tmp_path / "here"
    write(folder / "src" / "a.py", "a")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return folder


def run(*arguments: str) -> int:
    return main(["run", "-n", "build", "--signing-key", "../key.pem", *arguments])


def record(which: str, *arguments: str, key: str = "key") -> int:
    return main(["record", which, "-n", "build", "--signing-key", f"../{key}.pem", *arguments])


def link(path: str = LINK) -> Link:
    _, read = documents.load_link(Path(path))
    return read


# --- options --------------------------------------------------------------------------------


@POSIX
def test_the_command_stands_behind_two_dashes(capfd: Captured) -> None:
    assert (
        run("-m", "src", "-p", "src", "--", "sh", "-c", 'printf "%s " "$@"', "-", "-n", "--", "-x")
        == 0
    )
    assert link().command == ("sh", "-c", 'printf "%s " "$@"', "-", "-n", "--", "-x")
    out, err = capfd.readouterr()
    assert out == "-n -- -x "
    assert err == f"{LINK}: 1 material, 1 product\n"


@POSIX
def test_a_product_of_an_earlier_release_is_noticed_beside_the_new_one(
    here: Path, capfd: Captured
) -> None:
    write(here / "dist" / "demo-1.0.whl", "old")
    time.sleep(0.3)
    assert run("-p", "dist", "--", "touch", "dist/demo-1.1.whl") == 0
    assert "'dist/demo-1.0.whl': there before the command" in capfd.readouterr().err
    # What the step used may stay as it is, and a folder that is old as a whole is its subject.
    assert run("-m", "dist", "-p", "dist", "src", "--", "touch", "dist/demo-1.2.whl") == 0
    assert run("-p", "dist", "src", "-x") == 0
    assert "there before" not in capfd.readouterr().err


@POSIX
def test_a_command_without_options_needs_no_dashes() -> None:
    assert run("-m", "src", "-p", "src", "--use-dsse", "touch", "src/b.py") == 0
    assert link().command == ("touch", "src/b.py")
    assert list(link().products) == ["src/a.py", "src/b.py"]


def test_paths_may_be_given_again() -> None:
    write(Path("b.py"))
    assert run("-m", "src", "-m", "b.py", "-x") == 0
    assert list(link().materials) == ["b.py", "src/a.py"]


def test_there_must_be_a_command_or_none(capsys: Captured) -> None:
    assert run("-m", "src") == 2
    assert "there is no command" in capsys.readouterr().err
    assert run("-m", "src", "-x", "--", "rm", "-r", "src") == 0
    assert (link().command, link().byproducts) == ((), {})
    assert Path("src").exists()


@pytest.mark.parametrize("name", ["../build", "", "a/b", "..", "a\nb"])
def test_N3_a_step_name_cannot_leave_the_directory(name: str, capsys: Captured) -> None:
    assert main(["run", "-n", name, "--signing-key", "../key.pem", "-x"]) == 2
    assert "cannot be part of a file name" in capsys.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == ["src"]


@POSIX
def test_J5_words_that_are_no_text_are_refused_before_the_command_runs(capsys: Captured) -> None:
    assert run("-p", "src", "--", "touch", "ran", "\udcff") == 2
    assert r"'\udcff'" in capsys.readouterr().err
    assert not Path("ran").exists()
    assert main(["run", "-n", "a\udcff", "--signing-key", "../key.pem", "-x"]) == 2


def test_the_directory_of_links_is_made() -> None:
    assert run("-p", "src", "-x", "-d", "new/links") == 0
    assert list(link(f"new/links/{LINK}").products) == ["src/a.py"]


def test_a_directory_that_cannot_be_made_is_an_error(capsys: Captured) -> None:
    assert run("-p", "src", "-d", "src/a.py/links", "--", "no-such-program") == 2
    assert "links cannot be made" in capsys.readouterr().err


def test_a_link_is_written_in_place_of_an_earlier_one() -> None:
    assert run("-p", "src", "-x") == 0
    write(Path("src/b.py"))
    assert run("-p", "src", "-x") == 0
    assert list(link().products) == ["src/a.py", "src/b.py"]


@pytest.mark.parametrize("dsse", [False, True])
def test_the_file_of_a_link_is_what_was_signed(*, dsse: bool) -> None:
    odd = ['"}, "', "a}, b", 'x\\"}, "y', "é\n"] if os.name == "posix" else ["a}, b"]
    for name in odd:
        # (A name with a backslash is for the next test.)
        write(Path("src", name.replace("\\", "")))
    assert run("-p", "src", "-x", *(["--use-dsse"] if dsse else [])) == 0
    text = Path(LINK).read_text(encoding="ascii")
    content = json.loads(text)
    if dsse:
        payload = json.loads(base64.b64decode(content["payload"]))
    else:
        payload = content["signed"]
        # One line each, for those who compare links.
        assert sum('"sha256"' in line for line in text.splitlines()) == len(payload["products"])
    assert sorted(payload["products"]) == sorted(link().products)
    assert len(payload["products"]) == 1 + len(odd)


def test_nothing_is_read_from_the_working_directory_or_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GHSA-wc64-c5rv-32pf
    write(Path(".in_totorc"), "[in-toto settings]\nARTIFACT_EXCLUDE_PATTERNS = *\n")
    monkeypatch.setenv("IN_TOTO_ARTIFACT_EXCLUDE_PATTERNS", "*")
    monkeypatch.setenv("IN_TOTO_ARTIFACT_BASE_PATH", "/")
    assert run("-p", "src", "-x") == 0
    assert list(link().products) == ["src/a.py"]


# --- the command's end ----------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("exit 3", 3, "exit status 3"),
        ("kill -9 $$", 137, "signal SIGKILL"),
        ("kill -40 $$", 168, "signal 40"),
    ],
)
def test_a_command_that_fails_leaves_no_link(
    script: str, status: int, said: str, capfd: Captured
) -> None:
    assert run("-p", "src", "--", "sh", "-c", script) == status
    assert f"the command failed: {said}. No link was written" in capfd.readouterr().err
    assert not Path(LINK).exists()


@POSIX
def test_a_link_of_a_failure_must_be_asked_for(capfd: Captured) -> None:
    assert run("-p", "src", "--allow-failure", "--", "sh", "-c", "exit 3") == 3
    assert "exit status 3. The link says so." in capfd.readouterr().err
    assert cast("dict[str, Any]", link().byproducts)["return-value"] == 3


def test_a_command_that_cannot_be_started_is_an_error(capsys: Captured) -> None:
    assert run("-p", "src", "--", "no-such-program") == 2
    assert "'no-such-program' cannot be run: No such file" in capsys.readouterr().err
    assert not Path(LINK).exists()


@POSIX
def test_a_timeout_stops_the_command(capsys: Captured) -> None:
    assert run("-p", "src", "--run-timeout", "1", "--", "sleep", "60") == 2
    assert "did not end in time, and was stopped" in capsys.readouterr().err
    assert not Path(LINK).exists()


@POSIX
def test_a_command_that_does_not_want_to_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pip_intoto.maintainer.steps.execution._GRACE", 0.2)
    script = "trap '' TERM; touch started; while :; do sleep 0.1; done"
    assert run("--run-timeout", "1", "--", "sh", "-c", script) == 2
    assert Path("started").exists()


@POSIX
def test_streams_are_kept_when_asked_for(capfd: Captured) -> None:
    assert run("-s", "--", "sh", "-c", r"echo out; printf 'a\r\nb\rc\377' >&2") == 0
    assert link().byproducts == {"stdout": "out\n", "stderr": "a\nb\nc�", "return-value": 0}
    assert capfd.readouterr().out == "out\n"
    assert run("--", "echo", "out") == 0
    assert link().byproducts == {"stdout": "", "stderr": "", "return-value": 0}
    assert capfd.readouterr().out == "out\n"


@POSIX
def test_a_command_that_says_too_much_is_cut_short() -> None:
    from dataclasses import replace

    limits = replace(LOCAL, recorded_output=10)
    outcome = execute(["seq", "1", "1000"], keep_streams=True, seconds=None, limits=limits)
    assert outcome == Outcome(status=0, stdout="1\n2\n3\n4\n5\n", stderr="", shortened=True)


@POSIX
def test_commands_may_be_run_by_other_threads() -> None:
    # Only the main thread may keep signals.
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(execute, ["true"], keep_streams=False, seconds=None, limits=LOCAL)
        assert done.result() == Outcome(status=0)


@POSIX
def test_what_is_cut_short_is_told(monkeypatch: pytest.MonkeyPatch, capfd: Captured) -> None:
    monkeypatch.setattr(functionary, "LOCAL", LOCAL)
    size = LOCAL.recorded_output + 1
    assert run("-s", "--", "sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x") == 0
    said = cast("dict[str, Any]", link().byproducts)["stdout"]
    assert len(said) == LOCAL.recorded_output
    assert "only the beginning is in it" in capfd.readouterr().err


# --- what is told ---------------------------------------------------------------------------


def test_what_git_does_not_track_is_told_in_one_line(here: Path, capsys: Captured) -> None:
    Repository(here).track()
    write(here / "src" / "junk")
    assert run("-m", "src", "-x") == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        "materials: left out 1 file that git does not track (--all-files records them)"
    )
    assert len(said) == 2
    assert run("-m", "src", "-x", "--all-files") == 0
    assert list(link().materials) == ["src/a.py", "src/junk"]


def test_tracked_files_that_the_default_leaves_out_are_told(here: Path, capsys: Captured) -> None:
    Repository(here).track("src/x.linker.py")
    assert run("-m", "src", "-x") == 0
    assert capsys.readouterr().err.startswith(
        "materials: left out 1 file that git tracks, and --exclude or its default fits:"
        " 'src/x.linker.py'\n"
    )


def test_quiet_says_nothing_but_warnings(here: Path, capsys: Captured) -> None:
    Repository(here).track()
    write(here / "src" / "junk")
    Path("empty").mkdir()
    assert run("-q", "-m", "src", "empty", "-x") == 0
    assert capsys.readouterr().err == "warning: materials: nothing is recorded of 'empty'\n"


def test_many_strange_things_are_told_briefly(capsys: Captured) -> None:
    for number in range(5):
        Path("src", f"{number}").symlink_to("nowhere")
    assert run("-m", "src", "-x") == 0
    assert " and 2 more" in capsys.readouterr().err


def test_links_that_nobody_would_read_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from dataclasses import replace

    from pip_intoto.cli import recording
    from pip_intoto.limits import DEFAULT

    monkeypatch.setattr(recording, "DEFAULT", replace(DEFAULT, document_bytes=100))
    assert run("-m", "src", "-x") == 0
    assert "read no more than 100: record fewer files" in capsys.readouterr().err


# --- steps in two parts ---------------------------------------------------------------------


@pytest.mark.parametrize("dsse", [False, True])
def test_a_step_is_begun_and_finished(capsys: Captured, *, dsse: bool) -> None:
    assert record("start", "-m", "src", *(["--use-dsse"] if dsse else [])) == 0
    assert "`pip-intoto record stop` finishes it" in capsys.readouterr().err
    write(Path("src/b.py"))
    assert record("stop", "-p", "src", "-d", "links") == 0
    assert not Path(UNFINISHED).exists()
    finished = link(f"links/{LINK}")
    assert list(finished.materials) == ["src/a.py"]
    assert list(finished.products) == ["src/a.py", "src/b.py"]
    assert ("payload" in json.loads(Path("links", LINK).read_bytes())) == dsse


def test_nothing_can_be_finished_that_was_not_begun(capsys: Captured) -> None:
    assert record("stop", "-p", "src") == 2
    said = capsys.readouterr().err
    assert f"there is nothing to finish: {UNFINISHED} does not exist" in said
    assert "record start" in said
    assert not Path(LINK).exists()


def test_what_was_begun_with_another_key_is_not_finished(capsys: Captured) -> None:
    assert record("start", "-m", "src", key="other") == 0
    before = {path.name: path.read_bytes() for path in Path().glob(".build*")}
    assert record("stop", "-p", "src") == 2
    said = capsys.readouterr().err
    assert "there is nothing to finish" in said
    assert OTHER.keyid[:8] in said
    assert {path.name: path.read_bytes() for path in Path().glob(".build*")} == before


def _by_another(content: dict[str, Any]) -> None:
    Path(".build.other").unlink(missing_ok=True)
    assert record("start", "-m", "src", key="other") == 0
    name = f".build.{OTHER.keyid[:8]}.link-unfinished"
    content.clear()
    content.update(json.loads(Path(name).read_bytes()))


def _with_more(content: dict[str, Any]) -> None:
    content["signed"]["materials"]["src/evil.py"] = {"sha256": "0" * 64}


def _unsigned(content: dict[str, Any]) -> None:
    content["signatures"] = []


@pytest.mark.parametrize("change", [_by_another, _with_more, _unsigned])
@pytest.mark.rejects("E2")
def test_E2_what_was_begun_must_be_as_it_was_signed(
    change: Callable[[dict[str, Any]], None], capsys: Captured
) -> None:
    assert record("start", "-m", "src") == 0
    content = json.loads(Path(UNFINISHED).read_bytes())
    change(content)
    changed = json.dumps(content)
    Path(UNFINISHED).write_text(changed)
    assert record("stop", "-p", "src") == 2
    assert "is not signed by this key, or was changed since" in capsys.readouterr().err
    assert Path(UNFINISHED).read_text() == changed
    assert not Path(LINK).exists()


@pytest.mark.rejects("N4")
def test_N4_what_was_begun_is_about_the_step_that_is_finished(capsys: Captured) -> None:
    command = ["record", "start", "-n", "other", "--signing-key", "../key.pem", "-m", "src"]
    assert main(command) == 0
    Path(f".other.{KEY.keyid[:8]}.link-unfinished").rename(UNFINISHED)
    assert record("stop", "-p", "src") == 2
    assert "is about another step" in capsys.readouterr().err
    assert not Path(LINK).exists()


def test_a_link_of_an_earlier_release_is_no_beginning(capsys: Captured) -> None:
    assert record("start", "-m", "src") == 0
    assert record("stop", "-p", "src", "-d", "links") == 0
    # Everybody has it, and this key has signed it.
    Path("links", LINK).rename(UNFINISHED)
    assert record("stop", "-p", "src") == 2
    assert "is of a step that was finished" in capsys.readouterr().err
    assert not Path(LINK).exists()


def test_a_link_that_is_finished_though_its_beginning_stays_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert record("start", "-m", "src") == 0

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert record("stop", "-p", "src", "-d", "links") == 2
    said = capsys.readouterr().err
    assert f"{Path('links', LINK)} is written, but {UNFINISHED} cannot be removed" in said
    assert list(link(f"links/{LINK}").products) == ["src/a.py"]


def test_what_cannot_be_read_is_not_finished(capsys: Captured) -> None:
    Path(UNFINISHED).write_text("{")
    assert record("stop", "-p", "src") == 2
    assert UNFINISHED in capsys.readouterr().err
    assert Path(UNFINISHED).read_text() == "{"


def test_a_step_that_is_begun_again_forgets_the_first_time() -> None:
    assert record("start", "-m", "src") == 0
    write(Path("src/b.py"))
    assert record("start", "-m", "src") == 0
    assert record("stop") == 0
    assert list(link().materials) == ["src/a.py", "src/b.py"]
    assert list(link().products) == []


# --- match-products -------------------------------------------------------------------------


def test_differences_are_told_one_a_line(here: Path, capsys: Captured) -> None:
    write(here / "src" / "b.py")
    assert run("-q", "-p", "src", "-x") == 0
    capsys.readouterr()
    matching = ["match-products", "-l", LINK]
    assert main([*matching, "-p", "src"]) == 0
    assert capsys.readouterr().out == f"all 2 files are products of {LINK}\n"
    write(here / "src" / "a.py", "other")
    (here / "src" / "b.py").unlink()
    write(here / "src" / "c.py")
    assert main(matching) == 1
    assert capsys.readouterr().out.splitlines() == [
        "only in products: src/b.py",
        "not in products: src/c.py",
        "digests differ: src/a.py",
    ]
    assert main([*matching, "-q", "-e", "c.py"]) == 1
    assert capsys.readouterr() == ("", "")


def test_products_that_git_does_not_track_are_compared_too(here: Path, capsys: Captured) -> None:
    Repository(here).track()
    write(here / "dist" / "demo.whl")
    assert run("-q", "-p", "src", "dist", "-x") == 0
    write(here / "junk")
    assert main(["match-products", "-l", LINK]) == 0
    write(here / "dist" / "demo.whl", "other")
    assert main(["match-products", "-l", LINK]) == 1
    assert "digests differ: dist/demo.whl" in capsys.readouterr().out


def test_nothing_that_matches_nothing_is_no_success(capsys: Captured) -> None:
    assert run("-q", "-x") == 0
    Path("empty").mkdir()
    assert main(["match-products", "-l", LINK, "-p", "empty"]) == 2
    assert "no file to compare" in capsys.readouterr().err


def test_verbose_says_how_much_there_is(capsys: Captured) -> None:
    assert run("-v", "-m", "src", "-x") == 0
    assert capsys.readouterr().err.startswith("materials: 1 file\nproducts: 0 files\n")
