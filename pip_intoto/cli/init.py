"""``pip-intoto init``: look at a project, and write the supply chain that it could have."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.cli.prepare import add_isolation
from pip_intoto.cli.progress import progress_for
from pip_intoto.cli.terminal import Terminal
from pip_intoto.errors import CommandError
from pip_intoto.maintainer.keys.key_files import read_public
from pip_intoto.maintainer.layouts.layout_source import DEFAULT_NAME
from pip_intoto.maintainer.projects import starting, trial
from pip_intoto.maintainer.projects.members import Origin
from pip_intoto.maintainer.projects.starting import Key, Start
from pip_intoto.metadata.keys import identity
from pip_intoto.reports.lines import Tone
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable, Sequence

    from pip_intoto.maintainer.projects.trial import Examined, Trial

HELP = "look at a Python project, and write the source of its layout"
EXAMPLES = """
  # in the directory of a project: build it once, see what is in the wheel, write
  # supply-chain.toml with the steps source and build
  pip-intoto init --owner ../keys/owner.pub --author ../keys/author.pub \\
      --builder ../keys/builder.pub

  # look into a wheel that is there already, and let somebody else review the source
  pip-intoto init --wheel dist/demo-1.0-py3-none-any.whl \\
      --steps source,review,build --reviewer ../keys/reviewer.pub
"""

#: Whose keys there are, and what they do, in the order of the chain.
_ROLES = {
    "owner": "signs the layout",
    "author": "carries out `source`",
    "reviewer": "carries out `review`",
    "builder": "carries out `build`, `repair` and `test`",
    "publisher": "carries out `publish`",
}
_FEW = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``init``."""
    for role, does in _ROLES.items():
        parser.add_argument(
            f"--{role}",
            metavar="FILE",
            type=Path,
            action="append",
            default=[],
            help=f"public key of who {does}; may be given again (default: ../keys/{role}.pub)",
        )
    parser.add_argument(
        "--steps",
        metavar="NAMES",
        default=",".join(starting.NEEDED),
        help=f"of {','.join(starting.STEPS)} (default: {','.join(starting.NEEDED)})",
    )
    parser.add_argument(
        "--wheel",
        metavar="FILE",
        type=Path,
        help="look into this wheel of the project; without it, one is built",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        default=Path(DEFAULT_NAME),
        help=f"the file to write, which must not be there yet (default: {DEFAULT_NAME})",
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing, and take the defaults")
    add_isolation(parser)


def run(args: argparse.Namespace) -> int:
    """Write the layout source. Raises CommandError."""
    terminal = Terminal.of(args)
    output: Path = args.output
    if os.path.lexists(output):
        raise CommandError(
            f"{output} exists already",
            expected="a name that is free: nothing is overwritten",
            advice="Name another file with -o, and take over from it what you need.",
        )
    steps = _steps(args.steps)
    examined = trial.examine(Path())
    _tell_what_is_there(terminal, examined)
    roles = _roles(args, steps, output)
    _tell_what_runs(terminal, examined, builds=args.wheel is None)
    tried = trial.try_out(
        examined, args.wheel, isolated=args.isolated, progress=progress_for(terminal)
    )
    start = Start(
        project=tried.project,
        distribution=tried.distribution,
        wheel=tried.wheel,
        backend=examined.project.backend,
        roles=roles,
        steps=steps,
        recorded=tried.recorded,
        folders=tried.folders,
        prepared=tried.prepared,
        origins=tried.origins,
        links=_links(tried),
    )
    files.write_new(output, _encoded(starting.compose(start)))
    _tell_what_was_found(terminal, tried)
    _tell_what_to_do(terminal, output, start)
    return 0


def _links(tried: Trial) -> str:
    return trial.LINKS if tried.beside else f"../{tried.project}-{trial.LINKS}"


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        # As Python has names of files that are not UTF-8; no metadata can hold them.
        raise CommandError(
            "the project has a file whose name is not UTF-8",
            found=repr(text[error.start - 20 : error.end + 20]),
            advice="Rename it: names in links and layouts are UTF-8.",
        ) from None


def _steps(names: str) -> frozenset[str]:
    chosen = {name.strip() for name in names.split(",")} - {""}
    unknown = sorted(chosen - starting.STEPS.keys())
    if unknown:
        raise CommandError(
            f"there is no step {unknown[0]} to begin with",
            expected=", ".join(starting.STEPS),
            advice="Steps of other names can be added to the file afterwards.",
        )
    return frozenset(chosen.union(starting.NEEDED))


# --- keys -----------------------------------------------------------------------------------


def _roles(
    args: argparse.Namespace, steps: Iterable[str], output: Path
) -> dict[str, tuple[Key, ...]]:
    """The keys of everybody who has something to do in these steps."""
    needed = {"owner", *(starting.STEPS[step] for step in steps)}
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not args.yes
    paths: dict[str, Sequence[Path]] = {}
    for role in _ROLES:
        given: list[Path] = getattr(args, role)
        if role in needed:
            paths[role] = given or [_asked(role) if asks else Path(f"../keys/{role}.pub")]
    keys: dict[str, Key] = {}
    for path in dict.fromkeys(path for each in paths.values() for path in each):
        # One key is one key, whatever its files are called.
        keys.setdefault(_identity(path), _key(path, output, [key.name for key in keys.values()]))
    return {
        role: tuple(dict.fromkeys(keys[_identity(path)] for path in each))
        for role, each in paths.items()
    }


def _key(path: Path, output: Path, taken: Collection[str]) -> Key:
    """What the source calls a key: after its file, and by a path that is relative to itself."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", path.name.partition(".")[0]) or "key"
    others = (f"{name}-{number}" for number in range(2, len(taken) + 2))
    return Key(
        name=next(each for each in (name, *others) if each not in taken),
        public=Path(os.path.relpath(path, output.parent)).as_posix(),
    )


def _asked(role: str) -> Path:
    default = f"../keys/{role}.pub"
    print(f"Public key of who {_ROLES[role]} [{default}]: ", end="", file=sys.stderr, flush=True)
    return Path(sys.stdin.readline().strip() or default).expanduser()


def _identity(path: Path) -> str:
    """What tells a key from others: what it is, or where it will be.

    Raises CommandError for a file that is there, and is no public key.
    """
    return identity(read_public(path)) if path.exists() else str(path)


# --- telling --------------------------------------------------------------------------------


def _tell_what_is_there(terminal: Terminal, examined: Examined) -> None:
    checkout, project = examined.checkout, examined.project
    dynamic = f" (dynamic: {', '.join(project.dynamic)})" if project.dynamic else ""
    terminal.tell(f"Project: {project.name or 'its name is in the wheel'}{dynamic}")
    terminal.tell(f"Build backend: {project.backend}")
    if checkout.git is None:
        terminal.warn(
            "this is no git repository: everything below the package folders will be recorded,"
            " whatever lies there."
        )


def _tell_what_runs(terminal: Terminal, examined: Examined, *, builds: bool) -> None:
    terminal.tell(
        "The project's own build backend runs now, in a temporary copy: it prepares the metadata"
        + (" and builds a wheel." if builds else ".")
    )
    changed = examined.checkout.changed()
    if changed:
        more = "" if len(changed) <= _FEW else f" and {len(changed) - _FEW} more"
        terminal.warn(
            f"not committed yet: {', '.join(changed[:_FEW])}{more}. The build is of the files as"
            " they are now."
        )


def _tell_what_was_found(terminal: Terminal, tried: Trial) -> None:
    origins = tried.origins
    tied = (*origins.matched, *origins.versioned)
    terminal.tell(
        f"{tried.wheel}: {counted(sum(len(rule.members) for rule in tied), 'file')} of the source,"
        f" {len(origins.prepared)} of metadata that the backend prepares from it."
    )
    if not tried.beside:
        terminal.warn(
            f"the build takes a folder {trial.LINKS} for a package of the project, so that the"
            f" commands put links into {_links(tried)}. It would not if pyproject.toml named the"
            " packages."
        )
    for allowed in origins.allowed:
        if allowed.origin is not Origin.BUILD:
            terminal.tell(f"  {allowed.origin.value}, not tied to the source: {allowed.pattern}")
    if origins.versioned:
        terminal.warn("rules for files outside the packages name the version; see the file.")
    for refused in origins.refused:
        terminal.warn(
            f"{refused.pattern} {refused.why}. There is no rule for it, and wheels with it are"
            " refused until you write one; see the file."
        )


def _tell_what_to_do(terminal: Terminal, output: Path, start: Start) -> None:
    terminal.tell(f"Written: {output}. Read it, it is yours.", Tone.GOOD)
    every = dict.fromkeys(key for keys in start.roles.values() for key in keys)
    missing = [key for key in every if not (output.parent / key.public).exists()]
    named = "" if output == Path(DEFAULT_NAME) else f" {output}"
    first = [
        *(f"pip-intoto keygen {key.public.removesuffix('.pub')}" for key in missing),
        f"pip-intoto layout lint{named}",
        f"pip-intoto layout build{named} --signing-key {start.roles['owner'][0].private}",
    ]
    wheels = f"{start.folder}/*.whl"
    links = "" if start.links == trial.LINKS else f" --link-dir {start.links}"
    owners = "".join(f" --key {key.public}" for key in start.roles["owner"]) if named else ""
    terminal.tell("Next:")
    for line in first:
        terminal.tell(f"  {line}")
    terminal.tell(f"Then, for each release, with no {start.folder} and no {start.links} there yet:")
    for command in starting.commands(start):
        for line in command:
            terminal.tell(f"  {line}")
    terminal.tell(f"  pip-intoto bundle {wheels}{links}")
    terminal.tell(f"  pip-intoto check {wheels}{owners}")
