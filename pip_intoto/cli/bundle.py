"""``pip-intoto bundle``: the layout and its links, in one file beside each release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError, PipIntotoError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer.evidence import bundling, evidence_files
from pip_intoto.metadata.names import BUNDLE_SUFFIX, DIRECTORY_SUFFIX, ROOT_LAYOUT
from pip_intoto.verification.wording import counted
from pip_intoto.verifier.local import distribution_of
from pip_intoto.verifier.naming import subject_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.errors import EvidenceError
    from pip_intoto.maintainer.evidence.bundling import Gathered, Paper, Placed, Shortfall

HELP = "put the layout and its links into one file beside each release"
EXAMPLES = """
  # root.layout and links/ -> dist-evidence/demo-1.0-py3-none-any.whl.intoto.jsonl
  pip-intoto bundle dist/demo-1.0-py3-none-any.whl --layout root.layout --link-dir links

  # all files of a release, the evidence into a directory of your choice
  pip-intoto bundle dist/* --layout root.layout --link-dir links -o public/files

  # the directory form, as the in-toto tools read it; and from one form to the other
  pip-intoto bundle dist/* --directory
  pip-intoto bundle --unpack dist-evidence/demo-1.0-py3-none-any.whl.intoto.jsonl
  pip-intoto bundle --pack dist-evidence/demo-1.0-py3-none-any.whl.intoto/
"""

_LINKS = "links"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``bundle``."""
    parser.add_argument("files", metavar="FILE", nargs="*", help="a wheel or sdist of the release")
    parser.add_argument(
        "--layout", metavar="FILE", type=Path, help=f"the signed layout (default: {ROOT_LAYOUT})"
    )
    parser.add_argument(
        "--link-dir",
        metavar="DIR",
        type=Path,
        help="where the links lie, whatever they are called, those of sublayouts below it"
        f" (default: {_LINKS})",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="where to write (default: beside the folder of the file, dist-evidence for dist)",
    )
    parser.add_argument(
        "--directory",
        action="store_true",
        help="write the directory form, FILE.intoto/, instead of a bundle",
    )
    parser.add_argument(
        "--partial", action="store_true", help="write what there is, although something is missing"
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--pack", metavar="DIR", type=Path, help="make a bundle of FILE.intoto/, and nothing else"
    )
    forms.add_argument(
        "--unpack",
        metavar="BUNDLE",
        type=Path,
        help="make FILE.intoto/ of FILE.intoto.jsonl, and nothing else",
    )


def run(args: argparse.Namespace) -> int:
    """Write the evidence of every file, or of none. Raises the errors of this package."""
    terminal = Terminal.of(args)
    if args.pack is None and args.unpack is None:
        return _bundle(terminal, args)
    for option, value in (
        ("FILE", args.files),
        ("--layout", args.layout),
        ("--link-dir", args.link_dir),
        ("--directory", args.directory),
        ("--partial", args.partial),
    ):
        if value:
            raise CommandError(
                f"{option} has no meaning with {'--pack' if args.pack else '--unpack'}",
                expected="a directory to pack, or a bundle to unpack, and -o",
            )
    if args.pack is not None:
        return _pack(terminal, args.pack, args.output)
    return _unpack(terminal, args.unpack, args.output)


# --- gathering ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is going to be written for one file."""

    file: Path
    gathered: Gathered
    target: Path

    @property
    def placed(self) -> tuple[Placed, ...]:
        return self.gathered.placed


def _bundle(terminal: Terminal, args: argparse.Namespace) -> int:
    if not args.files:
        raise CommandError("no file is given", expected="the wheels and sdists of a release")
    now = datetime.now(timezone.utc)
    for file in args.files:
        # A pattern that fits nothing arrives as it was typed.
        if not Path(file).exists():
            raise CommandError(f"there is no file {file}", expected="a wheel or sdist")
    root = evidence_files.read_document(
        args.layout or Path(ROOT_LAYOUT), missing="`pip-intoto layout build` makes it."
    )
    papers, notes = evidence_files.read_folder(args.link_dir or Path(_LINKS))
    for note in notes:
        terminal.warn(note)
    plans = []
    for file in dict.fromkeys(map(Path, args.files)):
        subject = subject_of(distribution_of(file))
        gathered = bundling.gather(root, papers, subject, now=now)
        name = evidence_files.directory_name if args.directory else evidence_files.bundle_name
        folder = args.output or evidence_files.folder_for(file)
        plans.append(_Plan(file=file, gathered=gathered, target=folder / name(file.name)))
    _check_targets(plans)
    _check_complete(terminal, root, plans, partial=args.partial)
    # What a directory cannot hold is said before anything is written.
    directories = [bundling.by_name(plan.placed) if args.directory else None for plan in plans]
    for plan, by_name in zip(plans, directories, strict=True):
        for left in plan.gathered.left_out:
            terminal.tell(f"{plan.file.name}: {left}")
        for note in plan.gathered.notes:
            terminal.detail(note)
        if by_name is None:
            _tell_what_is_replaced(terminal, plan)
            _write_bundle(terminal, plan.target, plan.placed)
        else:
            _write_directory(plan.target, by_name)
        links = counted(len(plan.placed) - 1, "link")
        terminal.report(f"{plan.target}: the layout and {links}")
    return 0


def _check_targets(plans: Sequence[_Plan]) -> None:
    """Raises CommandError when what is written for one file would take the place of another's."""
    file_of: dict[Path, Path] = {}
    for plan in plans:
        other = file_of.setdefault(plan.target, plan.file)
        if other != plan.file:
            raise CommandError(
                f"two files would have the bundle {plan.target}",
                expected="files of different names",
                found=f"{other} and {plan.file}",
            )


def _tell_what_is_replaced(terminal: Terminal, plan: _Plan) -> None:
    """Links that are nowhere else may have been made for a release that is published."""
    try:
        papers, _ = evidence_files.read_bundle(plan.target)
    except PipIntotoError:
        # There is none, or none that anybody could use.
        return
    kept = {each.paper.document.envelope.signed for each in plan.placed}
    gone = [
        paper.document.hint
        for paper in papers
        if not paper.document.envelope.may_be_layout and paper.document.envelope.signed not in kept
    ]
    if gone:
        terminal.warn(f"{plan.target} had other links, which are replaced: {', '.join(gone)}")


def _check_complete(
    terminal: Terminal, root: Paper, plans: Sequence[_Plan], *, partial: bool
) -> None:
    """Say all that is missing at once. Raises CommandError, unless a part will do."""
    problems: list[str] = []
    made: dict[str, None] = {}
    if not root.document.envelope.signatures:
        problems.append(f"{root.document.origin}: nobody has signed the layout")
    for plan in plans:
        about = f"{plan.file.name}: " if len(plans) > 1 else ""
        for short in plan.gathered.missing:
            where = f"step {short.step}" + (f" ({short.within})" if short.within else "")
            problems.append(f"{about}{where}: {_described(short.error)}")
            made[_maker(short)] = None
        unbound = plan.gathered.unbound
        if unbound is not None and not plan.gathered.missing:
            problems.append(f"{about}{_described(unbound)}")
    if not problems:
        return
    found = "\n".join(dict.fromkeys(problems))
    if partial:
        terminal.warn(f"this evidence does not verify:\n{found}")
        return
    raise CommandError(
        "the evidence is not complete, and nothing was written",
        expected="a signed layout, and for each of its steps as many links or statements as it"
        " asks for",
        found=found,
        advice="\n".join(["Make what is missing, or give --partial.", *made]),
    )


def _maker(short: Shortfall) -> str:
    """The command that makes what is missing."""
    if short.of_statements:
        return "pip-intoto attest --predicate-type TYPE … --signing-key KEY -o links FILE"
    return f"pip-intoto run --step-name {short.step} --signing-key KEY … -- COMMAND"


def _described(error: EvidenceError) -> str:
    message = error.message[:1].lower() + error.message[1:]
    return f"{message}; expected {error.expected}; found {error.found}"


# --- from one form to the other -------------------------------------------------------------


def _pack(terminal: Terminal, directory: Path, output: Path | None) -> int:
    papers, notes = evidence_files.read_folder(directory)
    for note in notes:
        raise CommandError(f"{directory} cannot be packed: {note}")
    if not papers:
        raise CommandError(f"there is no evidence in {directory}", expected="a layout and links")
    placed = [
        bundling.Placed(paper=paper, names=(paper.document.hint,))
        for paper in sorted(papers, key=_layout_first)
    ]
    name = directory.absolute().name.removesuffix(DIRECTORY_SUFFIX)
    folder = output or directory.absolute().parent
    target = folder / evidence_files.bundle_name(name)
    _write_bundle(terminal, target, placed)
    terminal.report(f"{target}: {counted(len(placed), 'document')}")
    return 0


def _layout_first(paper: Paper) -> tuple[bool, str]:
    return paper.document.hint != ROOT_LAYOUT, paper.document.hint


def _unpack(terminal: Terminal, bundle: Path, output: Path | None) -> int:
    papers, notes = evidence_files.read_bundle(bundle)
    for note in notes:
        terminal.warn(note)
    if not bundle.name.endswith(BUNDLE_SUFFIX):
        raise CommandError(
            f"{bundle} is not named as a bundle",
            expected=f"a file like demo-1.0.whl{BUNDLE_SUFFIX}",
        )
    named = bundling.named(papers, now=datetime.now(timezone.utc))
    name = bundle.name.removesuffix(BUNDLE_SUFFIX)
    target = (output or bundle.absolute().parent) / evidence_files.directory_name(name)
    _write_directory(target, named)
    terminal.report(f"{target}: {counted(len(named), 'document')}")
    return 0


# --- the disk -------------------------------------------------------------------------------


def _write_bundle(terminal: Terminal, target: Path, placed: Sequence[Placed]) -> None:
    data = bundling.lines(placed)
    papers = tuple(each.paper for each in placed)
    over = evidence_files.too_large_for_others(papers, len(data), DEFAULT)
    if over:
        terminal.warn(f"{target.name} is larger than what pip's gate reads: {over}")
    files.make_folder(target.parent)
    files.replace(target, data)


def _write_directory(target: Path, by_name: dict[str, Paper]) -> None:
    files.make_folder(target.parent)
    evidence_files.replace_directory(target, evidence_files.directory_of(by_name))
