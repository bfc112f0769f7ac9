"""``pip-intoto compare``: what differs between two files that should be the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.artifacts.comparing import Form, compare
from pip_intoto.cli import BLOCKED
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.reports.lines import Tone
from pip_intoto.reports.machine import SCHEMA

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from pip_intoto.artifacts.comparing import Aspect, Changed, Comparison, Content, Side

HELP = "show what differs between two builds of one file"
EXAMPLES = """
  pip-intoto compare dist/demo-1.0-py3-none-any.whl other/dist/demo-1.0-py3-none-any.whl
  pip-intoto compare dist/demo-1.0.tar.gz other/dist/demo-1.0.tar.gz --format json

the exit status is 0 when they are equal byte for byte, 1 when they differ, 2 when one of them
cannot be read
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``compare``."""
    parser.add_argument("one", metavar="ONE", help="a wheel or sdist")
    parser.add_argument("other", metavar="OTHER", help="the same release, built elsewhere")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="of the report; default: text"
    )


def run(args: argparse.Namespace) -> int:
    """Compare, report, and tell by the exit status. Raises CommandError, EvidenceInvalid."""
    names = (str(args.one), str(args.other))
    compared = _compared(Path(names[0]), Path(names[1]))
    status = 0 if compared.equal else BLOCKED
    terminal = Terminal.of(args)
    if args.format == "json":
        # In ASCII: names of members may hold what drives a terminal.
        print(json.dumps(_described(compared, names, status), indent=2))
    else:
        _draw(terminal, compared, names)
    return status


def _compared(one: Path, other: Path) -> Comparison:
    forms = [Form.of(path.name) for path in (one, other)]
    for path, form in zip((one, other), forms, strict=True):
        if form is None:
            raise CommandError(
                f"{path} is not called like an archive",
                expected="a wheel (.whl) or an sdist (.tar.gz, .zip)",
            )
    if forms[0] is not forms[1] or forms[0] is None:
        raise CommandError(
            "files of two kinds have nothing to compare",
            expected="two wheels, or two sdists",
            found=f"{one.name} and {other.name}",
        )
    with one.open("rb") as ours, other.open("rb") as theirs:
        try:
            return compare(ours, theirs, forms[0], limits=LOCAL)
        except EvidenceInvalid as error:
            error.place = str(one if error.place == "one" else other)
            raise


# --- for people -----------------------------------------------------------------------------

_LINES = {"+": Tone.GOOD, "-": Tone.BAD, "@": Tone.FAINT}


def _draw(terminal: Terminal, compared: Comparison, names: tuple[str, str]) -> None:
    if compared.equal:
        terminal.report(f"equal: {Path(names[0]).name}", Tone.GOOD)
        terminal.report(f"  {_size(compared.one)}  sha256 {compared.one.sha256}")
        return
    terminal.report(f"different: {Path(names[0]).name}", Tone.BAD)
    for label, side, name in (
        ("one", compared.one, names[0]),
        ("other", compared.other, names[1]),
    ):
        terminal.report(f"  {label:<6} {name}")
        terminal.report(f"         {_size(side)}  sha256 {side.sha256}")
        if side.fault:
            terminal.report(f"         {side.fault}", Tone.BAD)
    for label, only in (("one", compared.only_in_one), ("other", compared.only_in_other)):
        _draw_only(terminal, label, only)
    if compared.changed:
        terminal.report()
        terminal.report(f"Other content: {_files(len(compared.changed))}", Tone.TITLE)
        for changed in compared.changed[: LOCAL.compared_members]:
            _draw_changed(terminal, changed)
        _draw_rest(terminal, len(compared.changed))
    for name in compared.followers:
        terminal.report(f"  {_line(name)}: follows from these")
    if compared.aspects:
        terminal.report()
        terminal.report(
            "Packed differently"
            if compared.changed or compared.only_in_one or compared.only_in_other
            else "The same files with the same content, packed differently",
            Tone.TITLE,
        )
        for aspect in compared.aspects:
            _draw_aspect(terminal, aspect)


def _draw_only(terminal: Terminal, label: str, only: Mapping[str, Content]) -> None:
    if only:
        terminal.report()
        terminal.report(f"Only in {label}: {_files(len(only))}", Tone.TITLE)
        for name in list(only)[: LOCAL.compared_members]:
            terminal.report(f"  {_line(name)}  {_size(only[name])}")
        _draw_rest(terminal, len(only))


def _draw_changed(terminal: Terminal, changed: Changed) -> None:
    terminal.report(f"  {_line(changed.name)}")
    for label, content in (("one", changed.one), ("other", changed.other)):
        terminal.report(f"    {label:<6} {_size(content)}  sha256 {content.sha256}")
    for line in changed.diff[2:]:
        terminal.report(f"    {line}", _LINES.get(line[:1], Tone.PLAIN))
    if changed.left_out:
        terminal.report(f"    … and {changed.left_out:,} more lines", Tone.FAINT)
    if changed.cure:
        terminal.report(f"    hint: {changed.cure}")


def _draw_aspect(terminal: Terminal, aspect: Aspect) -> None:
    of = f" of {aspect.count:,} members, as in {_line(aspect.where)}" if aspect.where else ""
    terminal.report(f"  {aspect.what}{of}")
    terminal.report(f"    one    {_line(aspect.one)}")
    terminal.report(f"    other  {_line(aspect.other)}")
    terminal.report(f"    hint: {aspect.cure}")


def _draw_rest(terminal: Terminal, count: int) -> None:
    if count > LOCAL.compared_members:
        terminal.report(f"  … and {count - LOCAL.compared_members:,} more", Tone.FAINT)


def _line(text: str) -> str:
    """A member's name as one line, whatever is in it."""
    return text if text.isprintable() else repr(text)[1:-1]


def _size(of: Side | Content) -> str:
    return f"{of.size:,} bytes" if of.size != 1 else "1 byte"


def _files(count: int) -> str:
    return f"{count:,} files" if count != 1 else "1 file"


# --- for programs ---------------------------------------------------------------------------


def _described(compared: Comparison, names: tuple[str, str], status: int) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "exit-status": status,
        "equal": compared.equal,
        **{
            label: {
                "path": name,
                "size": side.size,
                "sha256": side.sha256,
                "fault": side.fault or None,
                "only": {
                    member: {"size": content.size, "sha256": content.sha256}
                    for member, content in only.items()
                },
            }
            for label, name, side, only in (
                ("one", names[0], compared.one, compared.only_in_one),
                ("other", names[1], compared.other, compared.only_in_other),
            )
        },
        "changed": [
            {
                "name": changed.name,
                "one": {"size": changed.one.size, "sha256": changed.one.sha256},
                "other": {"size": changed.other.size, "sha256": changed.other.sha256},
                "diff": list(changed.diff),
                "lines-left-out": changed.left_out,
                "advice": changed.cure,
            }
            for changed in compared.changed
        ],
        "followers": list(compared.followers),
        "packed-differently": [
            {
                "what": aspect.what,
                "count": aspect.count,
                "where": aspect.where,
                "one": aspect.one,
                "other": aspect.other,
                "advice": aspect.cure,
            }
            for aspect in compared.aspects
        ],
    }
