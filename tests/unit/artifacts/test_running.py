"""Commands that are allowed are run, and kept within bounds: real processes, real signals."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.artifacts.inspector import DirectoryInspector, FileInspector
from pip_intoto.artifacts.running import run_command
from pip_intoto.errors import InspectionFailed, InspectionNotAllowed
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.layout import Inspection

if TYPE_CHECKING:
    from pip_intoto.limits import Limits
    from pip_intoto.verification.record import Record

NAME = "demo-1.0-py3-none-any.whl"
posix = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")


def inspection(*run: str) -> Inspection:
    return Inspection(name="look", expected_materials=(), expected_products=(), run=run)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "private-copy"
    path.write_bytes(b"a wheel")
    return path


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", textwrap.dedent(code))


def run(file: Path, *command: str, limits: Limits = DEFAULT) -> Record:
    inspector = FileInspector(file, NAME, allowed_commands=[command], limits=limits)
    return inspector.inspect(inspection(*command))


def failure(file: Path, *command: str, limits: Limits = DEFAULT) -> InspectionFailed:
    with pytest.raises(InspectionFailed) as caught:
        run(file, *command, limits=limits)
    return caught.value


def quick(seconds: int = 2) -> Limits:
    return replace(DEFAULT, inspection_seconds=seconds)


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was never written")


def is_gone(pid: int) -> bool:
    """Wait until a process has ended; one that nobody has collected yet has ended too."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


# --- which commands run ---------------------------------------------------------------------


@pytest.mark.parametrize("listed", [("python",), ("python", "-c"), ("python -c pass",), ()])
def test_a_command_runs_word_for_word_or_not_at_all(file: Path, listed: tuple[str, ...]) -> None:
    inspector = FileInspector(file, NAME, allowed_commands=[listed])
    with pytest.raises(InspectionNotAllowed):
        inspector.inspect(inspection("python", "-c", "pass"))


def test_no_shell_reads_the_words(file: Path, tmp_path: Path) -> None:
    evil = f"; touch {tmp_path}/evil; $(touch {tmp_path}/evil) `touch {tmp_path}/evil` *"
    command = python(f"import sys; sys.exit(sys.argv[1:] != [{evil!r}])")
    assert run(file, *command, evil).products.keys() == {NAME}
    assert not (tmp_path / "evil").exists()


@pytest.mark.rejects("I4")
@pytest.mark.parametrize("word", ["no-such-command-anywhere", "", "a\0b", "./" + NAME, "."])
def test_I4_a_command_that_cannot_be_run_fails(file: Path, word: str) -> None:
    assert failure(file, word).message == "The inspection's command cannot be run"


@pytest.mark.accepts("I5")
def test_I5_the_directory_holds_the_file_and_nothing_else(file: Path) -> None:
    command = python(f"""
        import os
        assert os.listdir() == [{NAME!r}]
        assert open({NAME!r}, "rb").read() == b"a wheel"
        assert os.listdir(os.environ["HOME"]) == []
        """)
    assert run(file, *command).products == run(file, *command).materials


@pytest.mark.accepts("I6")
def test_I6_no_record_is_written_into_the_working_directory(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    run(file, *python("open('made', 'w')"))
    FileInspector(file, NAME).inspect(inspection("true"))
    DirectoryInspector(Path()).inspect(inspection("true"))
    assert list(work.iterdir()) == []


# --- what a command sees --------------------------------------------------------------------


def test_a_command_sees_few_variables(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "PYTHONPATH", "LD_PRELOAD", "PIP_INDEX_URL", "INTOTO_POLICY", "SSH_AUTH"):
        monkeypatch.setenv(name, "secret")
    command = python("""
        import os
        allowed = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "HOME", "USERPROFILE", "TMPDIR", "TEMP",
                   "TMP", "SYSTEMROOT", "COMSPEC", "PATHEXT"}
        assert set(os.environ) <= allowed, set(os.environ) - allowed
        assert "secret" not in os.environ.values()
        """)
    assert run(file, *command).products.keys() == {NAME}


@pytest.mark.parametrize("path", [".:", "", ".", "bin", ":/usr/bin:"])
def test_programs_are_never_looked_up_beside_the_product(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("evil", "bin/evil"):
        script = tmp_path / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", path)
    with pytest.raises(InspectionFailed):
        DirectoryInspector(tmp_path, run_all=True).inspect(inspection("evil"))
    assert not (tmp_path / "ran").exists()


def test_a_command_has_no_input_and_no_other_descriptors(file: Path) -> None:
    with file.open() as opened:
        os.set_inheritable(opened.fileno(), True)  # noqa: FBT003
        command = python(f"""
            import os, sys
            assert sys.stdin.read() == ""
            try:
                os.fstat({opened.fileno()})
            except OSError:
                sys.exit()
            raise SystemExit("a descriptor came along")
            """)
        assert run(file, *command).products.keys() == {NAME}


# --- how a command ends ---------------------------------------------------------------------


@pytest.mark.accepts("I4")
def test_I4_status_0_is_success_whatever_was_said(file: Path) -> None:
    command = python("import sys; print('out'); print('error: !', file=sys.stderr)")
    assert run(file, *command).products.keys() == {NAME}


@pytest.mark.rejects("I4")
@pytest.mark.parametrize("status", [1, 2, 126, 127, 255])
def test_I4_every_other_status_is_failure(file: Path, status: int) -> None:
    assert f"exit status {status}" in failure(file, *python(f"raise SystemExit({status})")).found


@posix
@pytest.mark.rejects("I4")
@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL", "SIGSEGV"])
def test_I4_a_command_that_a_signal_ends_fails(file: Path, signal: str) -> None:
    command = python(f"import os, signal; os.kill(os.getpid(), signal.{signal})")
    assert "exit status -" in failure(file, *command).found


@posix
@pytest.mark.rejects("I4")
def test_I4_a_command_that_goes_on_is_ended_with_its_children(file: Path, tmp_path: Path) -> None:
    # Parent, child and grandchild ignore what asks them to end.
    code = f"""
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.fork()
        os.fork()
        with open({str(tmp_path / "pids")!r}, "a") as pids:
            pids.write(f"{{os.getpid()}} ")
        time.sleep(60)
        """
    started = time.monotonic()
    error = failure(file, *python(code), limits=quick())
    assert error.message == "The inspection's command did not end"
    assert time.monotonic() - started < 20
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 4
    assert all(is_gone(pid) for pid in pids)


@posix
@pytest.mark.accepts("I5")
def test_I5_what_a_command_leaves_behind_ends_before_the_products_are_recorded(
    file: Path, tmp_path: Path
) -> None:
    code = f"""
        import os, time
        if os.fork():
            os._exit(0)
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        while True:
            open("late", "w").write(str(time.time()))
        """
    record = run(file, *python(code))
    # It may have been ended before it wrote anything at all.
    assert record.products.keys() <= {NAME, "late"}
    if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text()):
        assert is_gone(int(pid))


@posix
def test_a_child_in_another_session_does_not_hold_the_verifier_up(file: Path) -> None:
    # It keeps the pipe open; what it says is not heard any more.
    code = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            time.sleep(15)
        """
    started = time.monotonic()
    assert run(file, *python(code)).products.keys() == {NAME}
    assert time.monotonic() - started < 10


@pytest.mark.rejects("I4")
def test_I4_a_command_that_prints_without_end_is_stopped(file: Path) -> None:
    code = "import sys\nwhile True: sys.stdout.write('garbage ' * 10_000)"
    started = time.monotonic()
    error = failure(file, *python(code), limits=replace(DEFAULT, inspection_output=1_000_000))
    assert error.message == "The inspection's command said too much, and was stopped"
    assert error.expected == "at most 1000000 bytes"
    assert time.monotonic() - started < 20


@pytest.mark.rejects("I4")
@pytest.mark.parametrize(("size", "fails"), [(1_000, False), (1_001, True)])
def test_I4_output_is_bounded_even_when_the_command_succeeds(
    file: Path, size: int, fails: bool
) -> None:
    command = python(f"import os; os.write(1, b'x' * {size - 500}); os.write(2, b'y' * 500)")
    limits = replace(DEFAULT, inspection_output=1_000)
    if fails:
        assert "said too much" in failure(file, *command, limits=limits).message
    else:
        assert run(file, *command, limits=limits).products.keys() == {NAME}


@pytest.mark.parametrize(
    "said",
    [b"", b"\xff\xfe\x00garbage", b"\x1b[2J\x1b]0;title\x07", b"x" * 100_000, b"\n" * 5_000,
     "\u202eevil\u2028".encode()],
)  # fmt: skip
def test_what_a_failing_command_says_is_quoted_and_never_obeyed(file: Path, said: bytes) -> None:
    error = failure(file, *python(f"import os; os.write(1, {said!r}); os._exit(1)"))
    assert len(error.found) < 300
    assert error.found.isprintable()


def test_a_command_cannot_make_cleaning_up_fail(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = """
        import os
        os.mkdir("locked")
        open("locked/file", "w").close()
        os.chmod("locked", 0)
        os.chmod(".", 0o500)
        """
    # For root there is no locked folder.
    with suppress(InspectionFailed):
        assert NAME in run(file, *python(code)).products
    assert list(tmp_path.iterdir()) == [file]


def test_folders_without_end_are_an_error_of_ours(file: Path) -> None:
    code = """
        import os
        for _ in range(30):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        """
    assert "cannot be recorded" in failure(file, *python(code)).message


def test_a_pipe_that_a_command_leaves_behind_is_not_waited_for(file: Path) -> None:
    error = failure(file, *python("import os; os.mkfifo('pipe')"))
    assert "neither a file nor a folder" in error.message


@posix
def test_interrupting_ends_the_command(tmp_path: Path) -> None:
    """Whatever ends the wait ends the command: here what Ctrl-C does."""
    program = f"""
        import sys
        from pathlib import Path
        from pip_intoto.artifacts.running import run_command
        from pip_intoto.limits import DEFAULT
        code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
        here = Path({str(tmp_path)!r})
        run_command([sys.executable, "-c", code], here, here, place="", limits=DEFAULT)
        """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    pid = int(wait_for(tmp_path / "pid"))
    os.kill(process.pid, 2)
    assert process.wait(20) != 0
    assert is_gone(pid)


@posix
def test_the_end_of_the_verifier_ends_the_command(tmp_path: Path) -> None:
    """The leash of the verifier ends the process from another thread, at once."""
    program = f"""
        import sys, threading, time
        from pathlib import Path
        from pip_intoto.artifacts.running import run_command
        from pip_intoto.limits import DEFAULT
        from pip_intoto.verifier.inbox import leave
        here = Path({str(tmp_path)!r})
        def leash():
            while not (here / "pid").exists() or not (here / "pid").read_text():
                time.sleep(0.02)
            leave("", 7)
        threading.Thread(target=leash, daemon=True).start()
        code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
        run_command([sys.executable, "-c", code], here, here, place="", limits=DEFAULT)
        """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
        timeout=60,
    )
    assert process.returncode == 7
    assert is_gone(int((tmp_path / "pid").read_text()))


@posix
def test_the_end_of_the_verifier_leaves_no_copy_behind(tmp_path: Path) -> None:
    (tmp_path / "demo.whl").write_bytes(b"secret")
    program = f"""
        import sys, tempfile, threading, time
        from pathlib import Path
        from pip_intoto.artifacts.inspector import FileInspector
        from pip_intoto.metadata.layout import Inspection
        from pip_intoto.verifier.inbox import leave
        here = Path({str(tmp_path)!r})
        tempfile.tempdir = str(here / "temporary")
        def leash():
            while not list(here.glob("temporary/*/inspection/started")):
                time.sleep(0.02)
            leave("", 7)
        threading.Thread(target=leash, daemon=True).start()
        code = "import time; open('started', 'w').close(); time.sleep(60)"
        FileInspector(here / "demo.whl", "demo.whl", run_all=True).inspect(
            Inspection(name="look", run=(sys.executable, "-c", code), expected_materials=(),
                       expected_products=())
        )
        """
    (tmp_path / "temporary").mkdir()
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
        timeout=60,
    )
    assert process.returncode == 7
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_directory_that_is_gone_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InspectionFailed):
        run_command(["true"], tmp_path / "gone", tmp_path, place="here", limits=DEFAULT)


def test_no_place_for_temporary_files_is_an_error_of_ours(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert "no place" in failure(file, *python("pass")).message
