"""Option for option: what in-toto's commands take, ours take, but for what the page names."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from pip_intoto.cli import main, parser_for

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "differences.md"
SECTION = PAGE.read_text("utf-8").partition("\n### Options\n")[2].partition("\n#")[0]

#: What only one side has, and options whose defaults differ; each stands on the page.
ONLY_THEIRS = {"run": {"--version"}, "record": {"--version"}, "sign": {"--version"}}
ONLY_OURS = {
    "run": {"--all-files", "--allow-failure", "--password-file"},
    "record start": {"--all-files", "--password-file"},
    "record stop": {"--all-files", "--password-file"},
    "sign": {"--password", "-P", "--password-file"},
    "match-products": {"--all-files", "--quiet", "-q"},
}
OTHER_DEFAULTS = {"run": {"--run-timeout"}}
COMMANDS = ("run", "record", "record start", "record stop", "sign", "match-products")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What can be said about an option from outside."""

    spellings: frozenset[str]
    values: str | int | None
    required: bool
    default: object


def options(parser: argparse.ArgumentParser) -> dict[str, Option]:
    """Give a parser's options by each spelling; arguments without a name by the number of them."""
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        named = bool(action.option_strings)
        default = action.default
        option = Option(
            spellings=frozenset(action.option_strings),
            values=action.nargs,
            required=action.required if named else False,
            # What is not given is spelled in several ways.
            default=None if default in (argparse.SUPPRESS, "", False, Path()) else default or None,
        )
        for spelling in action.option_strings or [f"words: {action.nargs}"]:
            found[spelling] = option
    return found


def below(parser: argparse.ArgumentParser, names: list[str]) -> argparse.ArgumentParser:
    for name in names:
        (commands,) = (
            each for each in parser._actions if isinstance(each, argparse._SubParsersAction)
        )
        parser = commands.choices[name]
    return parser


def theirs(command: str) -> dict[str, Option]:
    name, *rest = command.split()
    module = import_module(f"in_toto.in_toto_{name.replace('-', '_')}")
    return options(below(module.create_parser(), rest))


def ours(command: str) -> dict[str, Option]:
    words = command.split()
    return options(below(parser_for(words), words))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_theirs_is_ours_and_what_is_added_stands_on_the_page(command: str) -> None:
    there, here = theirs(command), ours(command)
    common = {"-v", "--verbose", "-q", "--quiet"} if command == "record" else set()
    assert there.keys() - here.keys() == ONLY_THEIRS.get(command, set())
    assert here.keys() - there.keys() == ONLY_OURS.get(command, set()) | common
    for spelling in (there.keys() ^ here.keys()) - common:
        assert f"{spelling}`" in SECTION, spelling


@pytest.mark.parametrize("command", COMMANDS)
def test_options_of_both_take_the_same_values_and_have_the_same_defaults(command: str) -> None:
    there, here = theirs(command), ours(command)
    shared = there.keys() & here.keys()
    assert len(shared) > 1
    others = set()
    for spelling in shared:
        one, other = there[spelling], here[spelling]
        assert one.spellings == other.spellings, spelling
        assert (one.values, one.required) == (other.values, other.required), spelling
        if one.default != other.default:
            others.add(spelling)
    assert others == OTHER_DEFAULTS.get(command, set())
    for spelling in others:
        assert f"{spelling}`" in SECTION, spelling


def status_of_theirs(words: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    name, *rest = words
    monkeypatch.setattr("sys.argv", [f"in-toto-{name}", *rest])
    with pytest.raises(SystemExit) as end:
        import_module(f"in_toto.in_toto_{name}").main()
    return end.value.code


def test_only_whole_options_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-n", "x", "--no-comm", "--metadata", "links"]
    there = import_module("in_toto.in_toto_run").create_parser().parse_args(words)
    assert (there.no_command, there.metadata_directory) == (True, "links")
    assert main(["run", *words]) == 2
    assert "--no-comm" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "run -n build -- true",
        "run --signing-key k -- true",
        "run -n build --signing-key k",
        "run -n build --signing-key k --gpg abc -- true",
        "record start",
        "record start -n edit",
        "record stop -n edit",
        "sign",
        "sign -f x",
        "sign -f x -k k --verify -o y",
        "sign -f x -k k --verify --append",
        "sign -f x --verify --gpg",
    ],
)
def test_mistakes_on_the_command_line_end_alike(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of_theirs(words.split(), monkeypatch) == 2
    capsys.readouterr()
    assert main(words.split()) == 2
    assert capsys.readouterr().err


def test_an_option_may_be_given_again() -> None:
    """Theirs takes the last one and forgets the others without a word."""
    words = ["-n", "x", "-x", "-m", "a", "-m", "b"]
    assert parser_for(["run"]).parse_args(["run", *words]).materials == ["a", "b"]
    there = import_module("in_toto.in_toto_run").create_parser().parse_args(words)
    assert there.materials == ["b"]
    assert "given again" in SECTION
