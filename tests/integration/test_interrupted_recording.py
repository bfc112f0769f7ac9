"""Recording that ends before its time: no half link, and what was there before is there still."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pip_intoto.maintainer import documents
from pip_intoto.maintainer.keys import signing
from tests.unit import disks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")

KEY = signing.generate()
LINK = f"build.{KEY.keyid[:8]}.link"
UNFINISHED = f".{LINK}-unfinished"
_OWN = Path(__file__).parents[2]
_PROGRAM = [sys.executable, "-m", "pip_intoto"]
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


class Workshop:
    """A directory with a key, something to record, and a link of an earlier run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "key.pem").write_bytes(KEY.private_pem())
        (folder / "src").mkdir()
        (folder / "src" / "a.py").write_text("a")
        assert self.run("-p", "src", "-x").returncode == 0
        self.before = self.link.read_bytes()
        (folder / "src" / "b.py").write_text("b")

    @property
    def link(self) -> Path:
        return self.folder / LINK

    def variables(self) -> dict[str, str]:
        paths = os.pathsep.join([str(_OWN), str(_OWN / "hooks")])
        return {**os.environ, "PYTHONPATH": paths}

    def command(self, *arguments: str) -> list[str]:
        """A run of the step; the arguments end with the command."""
        return [*_PROGRAM, "run", "-n", "build", "--signing-key", "key.pem", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.call(self.command(*arguments))

    def call(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A run that goes on, in a group of its own, whose members all end with the context."""
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def nothing_was_lost(self) -> bool:
        """Whether the earlier link is as it was, and no new one came."""
        names = {path.name for path in self.folder.iterdir() if path.name.endswith(".link")}
        return names == {LINK} and self.link.read_bytes() == self.before


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- while files are hashed --------------------------------------------------------------------


@pytest.mark.parametrize("number", _ENDING, ids=lambda number: number.name)
def test_an_end_while_files_are_hashed(workshop: Workshop, number: signal.Signals) -> None:
    with (workshop.folder / "large").open("wb") as stream:
        stream.truncate(1 << 36)
    with workshop.started("-m", "large", "-x") as process:
        descriptors = Path(f"/proc/{process.pid}/fd")
        if descriptors.exists():
            until(lambda: (workshop.folder / "large").resolve() in targets(descriptors))
        else:
            time.sleep(2)
        process.send_signal(number)
        status = process.wait(20)
    assert status in (-number, 128 + number)
    assert workshop.nothing_was_lost()


def targets(folder: Path) -> list[Path]:
    """Where the links in a folder lead, which may vanish meanwhile."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                found.append(path.readlink())
    return found


# --- while the command runs --------------------------------------------------------------------

#: Says that it runs, and waits to be told to end.
_WAITS = "touch started; exec sleep 60"


@pytest.mark.parametrize("number", _ENDING, ids=lambda number: number.name)
@pytest.mark.parametrize("streams", [(), ("-s",)], ids=["shown", "kept"])
def test_an_end_while_the_command_runs(
    workshop: Workshop, number: signal.Signals, streams: tuple[str, ...]
) -> None:
    arguments = ("-m", "src", "-p", "src", *streams, "--", "sh", "-c", _WAITS)
    with workshop.started(*arguments) as process:
        until((workshop.folder / "started").exists)
        process.send_signal(number)
        status = process.wait(20)
        if number != signal.SIGKILL:
            # The command has ended, too: it was told.
            until(lambda: not others_of(process.pid))
    assert status in (-number, 128 + number)
    assert workshop.nothing_was_lost()


def others_of(group: int) -> list[str]:
    """Who else is in the group of processes, as far as one can see."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state != "Z" and stat.parent.name != str(group):
                found.append(stat.parent.name)
    return found


def test_a_command_may_have_something_to_do_before_it_ends(workshop: Workshop) -> None:
    script = "trap 'sleep 0.5; touch cleared; exit 7' TERM; touch started; sleep 60 & wait"
    with workshop.started("-p", "src", "--", "sh", "-c", script) as process:
        until((workshop.folder / "started").exists)
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM
        assert (workshop.folder / "cleared").exists()
    assert workshop.nothing_was_lost()


@pytest.mark.parametrize("caught", [True, False], ids=["caught", "not caught"])
def test_ctrl_c_is_between_the_user_and_the_command(workshop: Workshop, *, caught: bool) -> None:
    # As at a terminal, where the keyboard's signal reaches both at once.
    trap = "trap 'echo x >> caught; exit 0' INT; " if caught else ""
    script = f"{trap}touch started; while :; do sleep 0.05; done"
    status = at_a_terminal(workshop, workshop.command("-p", "src", "--", "sh", "-c", script))
    if caught:
        assert (workshop.folder / "caught").read_text() == "x\n"
        assert status == 0
        products = json.loads(workshop.link.read_bytes())["signed"]["products"]
        assert sorted(products) == ["src/a.py", "src/b.py"]
    else:
        assert status == 130
        assert workshop.nothing_was_lost()


def at_a_terminal(workshop: Workshop, command: list[str]) -> int:
    """Run a command in front of a terminal, press Ctrl-C once it has started; the exit status."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.chdir(workshop.folder)
        os.execve(command[0], command, workshop.variables())  # noqa: S606
    try:
        until((workshop.folder / "started").exists)
        os.write(terminal, b"\x03")
        waited = time.monotonic() + 20
        while time.monotonic() < waited:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
    finally:
        os.close(terminal)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("it did not end")


# --- while the link is written -----------------------------------------------------------------


def test_however_early_it_is_killed_a_link_is_whole(workshop: Workshop) -> None:
    for number in range(2000):
        (workshop.folder / "src" / f"{number}.py").touch()
    begin = time.monotonic()
    assert workshop.run("-p", "src", "-x").returncode == 0
    lasts = time.monotonic() - begin
    whole = workshop.link.read_bytes()
    chance = random.Random(4)
    for _ in range(15):
        workshop.link.write_bytes(workshop.before)
        with workshop.started("-p", "src", "-x") as process:
            # Writing is what it does last.
            time.sleep(lasts * chance.uniform(0.5, 1.1))
            process.kill()
            process.wait(20)
        assert workshop.link.read_bytes() in (workshop.before, whole)


def test_a_file_size_limit_leaves_the_earlier_link(workshop: Workshop) -> None:
    script = f"ulimit -f 0; exec {' '.join(workshop.command('-p', 'src', '-x'))}"
    result = workshop.call(["sh", "-c", script])
    assert result.returncode == 2
    assert "cannot be written: File too large" in result.stderr
    assert "What stood there before stands there still." in result.stderr
    assert workshop.nothing_was_lost()
    assert not [path for path in workshop.folder.iterdir() if path.name.startswith(".build")]


def test_a_full_disk_leaves_the_earlier_link(workshop: Workshop) -> None:
    with disks.disk(workshop.folder / "links", "64k") as links:
        assert workshop.run("-p", "src", "-x", "-d", "links").returncode == 0
        before = (links / LINK).read_bytes()
        disks.fill(links)
        (workshop.folder / "src" / "c.py").touch()
        result = workshop.run("-p", "src", "-x", "-d", "links")
        assert result.returncode == 2
        assert "No space left on device" in result.stderr
        assert (links / LINK).read_bytes() == before
        assert sorted(path.name for path in links.iterdir()) == [LINK, "filling"]


def test_a_directory_that_is_read_only_is_noticed_before_the_command(workshop: Workshop) -> None:
    with disks.disk(workshop.folder / "links", "64k") as links:
        disks.make_read_only(links)
        arguments = ("-p", "src", "-d", "links", "--", "touch", "ran")
        result = workshop.run(*arguments)
        assert result.returncode == 2
        assert "links is read-only" in result.stderr
        assert not (workshop.folder / "ran").exists()


# --- steps in two parts ------------------------------------------------------------------------


def record(workshop: Workshop, which: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ["-n", "build", "--signing-key", "key.pem", *arguments]
    return workshop.call([*_PROGRAM, "record", which, *options])


def test_what_was_begun_outlives_a_finish_that_fails(workshop: Workshop) -> None:
    assert record(workshop, "start", "-m", "src").returncode == 0
    begun = (workshop.folder / UNFINISHED).read_bytes()
    with disks.disk(workshop.folder / "links", "64k") as links:
        disks.fill(links)
        result = record(workshop, "stop", "-p", "src", "-d", "links")
        assert result.returncode == 2
        assert "No space left on device" in result.stderr
        assert [path.name for path in links.iterdir()] == ["filling"]
    assert (workshop.folder / UNFINISHED).read_bytes() == begun
    assert record(workshop, "stop", "-p", "src").returncode == 0
    assert not (workshop.folder / UNFINISHED).exists()
    _, link = documents.load_link(workshop.link)
    assert sorted(link.products) == ["src/a.py", "src/b.py"]


def test_a_finish_that_is_killed_can_be_tried_again(workshop: Workshop) -> None:
    assert record(workshop, "start", "-m", "src").returncode == 0
    with (workshop.folder / "large").open("wb") as stream:
        stream.truncate(1 << 36)
    command = [*_PROGRAM, "record", "stop", "-n", "build", "--signing-key", "key.pem"]
    process = subprocess.Popen(
        [*command, "-p", "large"], cwd=workshop.folder, env=workshop.variables()
    )
    time.sleep(1)
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    assert workshop.nothing_was_lost()
    assert record(workshop, "stop", "-p", "src").returncode == 0


# --- what must not be waited for ---------------------------------------------------------------


def test_a_pipe_among_the_files_is_not_waited_for(workshop: Workshop) -> None:
    os.mkfifo(workshop.folder / "src" / "pipe")
    result = workshop.run("-m", "src", "-x")
    assert result.returncode == 0
    assert "left out what is neither file nor folder: 'src/pipe'" in result.stderr


def test_what_the_command_left_running_is_not_waited_for(workshop: Workshop) -> None:
    begin = time.monotonic()
    result = workshop.run("-s", "-p", "src", "--", "sh", "-c", "echo said; sleep 30 >&2 &")
    assert result.returncode == 0
    assert time.monotonic() - begin < 20
    assert json.loads(workshop.link.read_bytes())["signed"]["byproducts"]["stdout"] == "said\n"


def test_output_that_nobody_reads_any_more_is_recorded(workshop: Workshop) -> None:
    script = " ".join(workshop.command("-s", "-p", "src", "--", "seq", "1", "20000"))
    result = workshop.call(["sh", "-c", f"{script} | head -n 1"])
    assert result.stdout == "1\n"
    assert workshop.link.read_bytes() != workshop.before
    said = json.loads(workshop.link.read_bytes())["signed"]["byproducts"]["stdout"]
    assert said.endswith("\n20000\n")
