"""``pip-intoto enable``: arm the gate in this environment, or in another one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import arming
from pip_intoto.cli.terminal import Terminal
from pip_intoto.environments import find_environment
from pip_intoto.errors import PipIntotoError
from pip_intoto.policy.editing import open_draft
from pip_intoto.policy.file import load_policy
from pip_intoto.reports.lines import Tone
from pip_intoto_gate.location import PolicyUnusable, candidates, locate

if TYPE_CHECKING:
    import argparse

    from pip_intoto.environments import Environment

HELP = "arm the gate in this environment, or in another one"
EXAMPLES = """
  # from now on, pip in this environment verifies what it installs
  pip-intoto enable

  # the same in another environment, which needs nothing but pip
  pip-intoto enable --python ~/service/.venv
  pip-intoto enable --python /opt/tools/bin/python3.9
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``enable``."""
    add_python(parser)


def add_python(parser: argparse.ArgumentParser) -> None:
    """Add the option that names another environment."""
    parser.add_argument(
        "--python",
        metavar="ENV",
        help="a virtual environment or an interpreter (default: the environment of pip-intoto)",
    )


def run(args: argparse.Namespace) -> int:
    """Arm the gate; idempotent. Raises CommandError."""
    terminal = Terminal.of(args)
    environment = find_environment(args.python)
    for change in arming.arm(environment):
        terminal.detail(change)
    pip = f"pip {environment.pip}" if environment.pip else "no pip"
    terminal.tell(f"The gate is armed in {environment.prefix} ({pip}).", Tone.GOOD)
    remark = arming.pip_remark(environment)
    if remark:
        terminal.warn(remark)
    _tell_policy(terminal, environment)
    return 0


def _tell_policy(terminal: Terminal, environment: Environment) -> None:
    """Say what is in force there, and begin a policy where there is none."""
    try:
        location = locate(prefix=str(environment.prefix))
        path = Path(location.path) if location is not None else _begin(terminal)
        policy = load_policy(path)
    except (PolicyUnusable, PipIntotoError) as error:
        terminal.warn(f"no policy can be used, so every install is blocked: {error}")
        if error.advice:
            terminal.tell(f"  {error.advice}")
        return
    count = len(policy.projects)
    if count:
        effect = f"; its mode is {policy.mode}."
    elif policy.unlisted == "deny":
        effect = " yet, and denies what it does not list: every install is blocked."
    else:
        effect = " yet, so nothing is verified."
    plural = "" if count == 1 else "s"
    terminal.tell(f"The policy {policy.path} lists {count or 'no'} project{plural}{effect}")
    if not count:
        terminal.tell("List the first one: pip-intoto trust add NAME --key owner.pub")


def _begin(terminal: Terminal) -> Path:
    """Write a starting policy where the user's own lies; nobody else needs to read it."""
    path = next(Path(place.path) for place in candidates() if place.how in ("user", "prefix"))
    _make_private(path.parent)
    open_draft(path).write()
    if os.name == "posix":
        path.chmod(0o600)
    terminal.tell(f"There was no policy; this one blocks nothing yet: {path}")
    return path


def _make_private(directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
