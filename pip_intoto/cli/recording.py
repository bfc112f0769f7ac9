"""The options and the words that the commands have in common which record files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.cli.progress import progress_for
from pip_intoto.cli.signers import signer_of
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.steps.exclusion import USUAL, Exclusion
from pip_intoto.maintainer.steps.functionary import Functionary
from pip_intoto.maintainer.steps.listing import Selection
from pip_intoto.metadata.node import shown
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    import argparse

    from pip_intoto.cli.terminal import Terminal
    from pip_intoto.maintainer.steps.functionary import Report
    from pip_intoto.maintainer.steps.listing import Listing

_SHOWN = 3


def add_step_name(parser: argparse.ArgumentParser) -> None:
    """Add ``--step-name``."""
    parser.add_argument(
        "-n", "--step-name", metavar="NAME", required=True, help="the step, as the layout calls it"
    )


def add_paths(parser: argparse.ArgumentParser, short: str, long: str, text: str) -> None:
    """Add an option that takes files and directories, and may be given again."""
    parser.add_argument(
        short, long, metavar="PATH", nargs="+", action="extend", default=[], help=text
    )


def add_selection_options(parser: argparse.ArgumentParser, *, exclude: str = "") -> None:
    """Add what says which files are recorded, and how they are named; ``exclude`` is short."""
    spellings = ([exclude] if exclude else []) + ["--exclude"]
    parser.add_argument(
        *spellings,
        dest="exclude_patterns",
        metavar="PATTERN",
        nargs="+",
        action="extend",
        help=f"leave out what these patterns fit, as in a .gitignore (default: {' '.join(USUAL)})",
    )
    parser.add_argument(
        "--all-files",
        action="store_true",
        help="record all that lies in a directory, not only what git tracks in it",
    )
    parser.add_argument(
        "--lstrip-paths",
        metavar="PREFIX",
        nargs="+",
        action="extend",
        default=[],
        help="cut these off the front of names; none may begin with another",
    )


def add_base_path(parser: argparse.ArgumentParser) -> None:
    """Add ``--base-path``."""
    parser.add_argument(
        "--base-path",
        metavar="DIR",
        default="",
        help="where paths begin; names in the link do not have it (default: here)",
    )


def add_metadata_directory(parser: argparse.ArgumentParser) -> None:
    """Add ``--metadata-directory``."""
    parser.add_argument(
        "-d",
        "--metadata-directory",
        metavar="DIR",
        type=Path,
        default=Path(),
        help="where the link is written, made if need be (default: here)",
    )


def add_use_dsse(parser: argparse.ArgumentParser) -> None:
    """Add ``--use-dsse``."""
    parser.add_argument(
        "--use-dsse", action="store_true", help="sign in a DSSE envelope (default: a Metablock)"
    )


def form_of(args: argparse.Namespace) -> Envelope:
    """The envelope that ``--use-dsse`` asks for."""
    return Envelope.DSSE if args.use_dsse else Envelope.METABLOCK


def selection_of(args: argparse.Namespace) -> Selection:
    """As the options ask for. Raises CommandError when they make no sense."""
    patterns = USUAL if args.exclude_patterns is None else args.exclude_patterns
    return Selection(
        base=getattr(args, "base_path", ""),
        strip=tuple(dict.fromkeys(args.lstrip_paths)),
        exclusion=Exclusion(patterns),
        all_files=args.all_files,
    )


def functionary_of(args: argparse.Namespace, terminal: Terminal) -> Functionary:
    """Who signs, and how; what is noticed on the way is told. Raises CommandError."""
    selection = selection_of(args)
    return Functionary(
        name=args.step_name,
        signer=signer_of(args),
        selection=selection,
        noticed=lambda side, listing: tell_of(terminal, side, listing),
        progress=progress_for(terminal),
    )


def tell_of(terminal: Terminal, side: str, listing: Listing) -> None:
    """Say what was passed over, in one line each."""
    terminal.detail(f"{side}: {counted(len(listing.files), 'file')}")
    if listing.untracked:
        terminal.tell(
            f"{side}: left out {counted(listing.untracked, 'file')} that git does not track"
            " (--all-files records them)"
        )
    if listing.excluded:
        terminal.tell(
            f"{side}: left out {counted(len(listing.excluded), 'file')} that git tracks, and"
            f" --exclude or its default fits: {_some(listing.excluded)}"
        )
    if listing.without_git:
        terminal.warn(
            f"{side}: there is no git to ask what belongs to the source; everything is recorded"
        )
    if listing.strange:
        terminal.warn(f"{side}: left out what is neither file nor folder: {_some(listing.strange)}")
    if listing.empty:
        terminal.warn(f"{side}: nothing is recorded of {_some(listing.empty)}")


def tell_report(terminal: Terminal, report: Report) -> None:
    """Say where the link is, and what it has."""
    terminal.tell(
        f"{report.path}: {counted(report.materials, 'material')},"
        f" {counted(report.products, 'product')}"
    )
    if report.size > DEFAULT.document_bytes:
        terminal.warn(
            f"this link has {report.size} bytes, and those who install read no more than"
            f" {DEFAULT.document_bytes}: record fewer files"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shown(name) for name in names[:_SHOWN]) + more
