"""The command line's frame: help, exit statuses, errors, colours, and readers who go away."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pip_intoto import __version__, cli
from pip_intoto.cli import COMMANDS, load, main
from pip_intoto.cli.terminal import Terminal, wants_colour
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import CommandError, LayoutExpired
from pip_intoto.reports.lines import error_lines, printable, verdict_lines
from pip_intoto.verdict import Action, Outcome, Status, TraceEntry, Verdict
from tests.integration.interpreters import ROOT

if TYPE_CHECKING:
    import argparse

PROGRAM = [sys.executable, "-m", "pip_intoto"]
ENVIRONMENT = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}", "PATH": os.defpath}


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**ENVIRONMENT, **variables},
    )


# --- help -----------------------------------------------------------------------------------


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^    {name}( |$)", said, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_commands_help_has_runnable_looking_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert "examples:" in said
    assert f"pip-intoto {name}" in said.split("examples:")[1]
    assert max(len(line) for line in said.splitlines()) <= 100


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pip-intoto {__version__}\n"


def test_only_the_command_that_is_asked_for_is_loaded() -> None:
    code = (
        "import sys; from pip_intoto.cli import main; main(['status', '--help']);"
        " print([m for m in sys.modules if m.startswith('pip_intoto.cli.')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=ENVIRONMENT
    )
    assert "pip_intoto.cli.status" in done.stderr
    for other in ("demo", "doctor", "verify", "trust"):
        assert f"pip_intoto.cli.{other}'" not in done.stderr


# --- exit statuses --------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["status", "--no-such-option"]])
def test_mistakes_on_the_command_line_end_with_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "usage: pip-intoto" in streams.err


def test_an_error_of_ours_ends_with_2_and_is_told_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_args: argparse.Namespace) -> int:
        raise CommandError("it failed", expected="a", found="b", advice="c", place="p:1")

    monkeypatch.setattr(load("status"), "run", fail)
    assert main(["status"]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == "error: p:1: it failed\n  expected: a\n  found: b\n  hint: c\n  [usage]\n"


def test_an_error_of_the_system_ends_with_2_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_args: argparse.Namespace) -> int:
        raise FileNotFoundError(2, "No such file or directory", "gone.txt")

    monkeypatch.setattr(load("status"), "run", fail)
    assert main(["status"]) == 2
    assert capsys.readouterr().err == "error: gone.txt: No such file or directory\n"


def test_ctrl_c_ends_without_a_traceback() -> None:
    code = (
        "import time; from pip_intoto import cli\n"
        "cli.load('status').run = lambda args: print('ready', flush=True) or time.sleep(60)\n"
        "raise SystemExit(cli.main(['status']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == cli.INTERRUPTED == 130
    assert errors == "interrupted\n"


def test_a_reader_who_goes_away_is_no_traceback() -> None:
    code = (
        "from pip_intoto import cli\n"
        "cli.load('status').run = lambda args: [print('x' * 1000) for _ in range(1000)] and 0\n"
        "raise SystemExit(cli.main(['status']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=30) == 2
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_python_dash_m_is_the_same_program() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"pip-intoto {__version__}\n")


@pytest.mark.parametrize("words", [["trust", "-q", "list"], ["trust", "list", "-q"]])
def test_quiet_may_stand_before_and_after_a_commands_command(words: list[str]) -> None:
    parsed = cli.parser_for(words).parse_args(words)
    assert parsed.quiet is True
    assert parsed.verbose is False


# --- what people read -----------------------------------------------------------------------


def verdict(summary: str = "It has expired.") -> Verdict:
    return Verdict(
        distribution=Distribution(
            name="demo", version="1.0", filename="demo-1.0-py3-none-any.whl", kind=Kind.WHEEL
        ),
        status=Status.INVALID,
        reason="layout-expired",
        action=Action.BLOCK,
        summary=summary,
        expected="a layout that holds",
        found="one that held until yesterday",
        advice="Ask for another.",
        trace=(
            TraceEntry("bundle", Outcome.OK, "3 documents"),
            TraceEntry("sublayouts", Outcome.NOTE),
            TraceEntry("expiry", Outcome.FAIL, "first line\nsecond line"),
        ),
    )


def test_a_verdict_says_what_was_decided_and_why() -> None:
    assert [line.text for line in verdict_lines(verdict())] == [
        "demo-1.0-py3-none-any.whl: invalid [layout-expired], block",
        "  It has expired.",
        "  expected: a layout that holds",
        "  found: one that held until yesterday",
        "  hint: Ask for another.",
    ]


def test_a_trace_has_a_line_for_each_entry(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().verdict(verdict(), trace=True)
    said = capsys.readouterr().out
    assert "  ok    bundle: 3 documents\n" in said
    assert "  note  sublayouts\n" in said
    assert "  fail  expiry: first line\n        second line\n" in said


def test_what_comes_from_metadata_cannot_drive_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Terminal().verdict(verdict("\x1b[2Jgone\r\u202eevil\x00"))
    said = capsys.readouterr().out
    assert "\\x1b[2Jgone\\x0d\\x202eevil\\x00" in said
    assert not set(said) & {"\x1b", "\r", "\u202e", "\x00"}
    assert all("\x1b" not in line for line in error_lines(LayoutExpired("\x1b[31m")))


def test_endless_text_is_cut() -> None:
    assert len(printable("x" * 100_000)) < 5_000


def test_quiet_silences_the_way_and_not_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True)
    terminal.tell("on the way")
    terminal.detail("more")
    terminal.warn("careful")
    terminal.report("the report")
    streams = capsys.readouterr()
    assert streams.out == "the report\n"
    assert streams.err == "warning: careful\n"


def test_verbose_says_more(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(verbose=True).detail("more")
    assert capsys.readouterr().err == "more\n"


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, False),
    ],
)
def test_colours_are_the_readers_choice(
    variables: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(sys.stdout) is coloured
    Terminal().verdict(verdict())
    said = capsys.readouterr().out
    assert ("\x1b[31m" in said) is coloured
    assert "layout-expired" in said


def test_a_terminal_that_cannot_spell_a_name_still_gets_the_report() -> None:
    done = run("status", "--python", "naïve-日本", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "na\\xefve" in done.stderr
