"""``pip-intoto status``: which policy is in force, and whether the gate heeds it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import __version__, arming
from pip_intoto.cli.enable import add_python
from pip_intoto.cli.terminal import Terminal
from pip_intoto.environments import OLDEST_PIP, find_environment
from pip_intoto.errors import PipIntotoError
from pip_intoto.policy.extras import missing_extras
from pip_intoto.policy.file import load_policy
from pip_intoto.reports.lines import Tone
from pip_intoto_gate.location import PolicyUnusable, locate

if TYPE_CHECKING:
    import argparse

    from pip_intoto.arming import Armament
    from pip_intoto.environments import Environment
    from pip_intoto.policy.model import Policy

HELP = "say which policy is in force, and whether the gate is armed"
EXAMPLES = """
  pip-intoto status
  pip-intoto status --python ~/service/.venv
  pip-intoto status --format json
"""

_HOW = {
    "system": "for everybody on this machine",
    "variable": "named by $INTOTO_POLICY",
    "user": "this user's own",
    "prefix": "the environment's own",
}


#: What each extra is needed for.
_EXTRAS = {
    "sigstore": "what checks identities (Sigstore), which is not installed",
    "cel": "what evaluates conditions (CEL), which is not installed",
    "tuf": "what reads TUF repositories, which is not installed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The policy in force, as far as it can be told."""

    path: str
    how: str
    policy: Policy | None
    problem: str
    advice: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``status``."""
    add_python(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Report; 2 when something is there that cannot work, else 0. Raises CommandError."""
    terminal = Terminal.of(args)
    environment = find_environment(args.python)
    armament = arming.look(environment)
    found = _find_policy(environment)
    state = _state(armament, found)
    if args.format == "json":
        terminal.report(json.dumps(_as_json(environment, armament, found, state), indent=2))
    else:
        _report(terminal, environment, armament, found, state)
    # Armed without a policy, every install is blocked: something is there that cannot work.
    is_stuck = state == "armed" and not found.path
    # And so is everything for which nothing can be checked.
    if found.policy is not None and missing_extras(found.policy.projects):
        is_stuck = True
    return 2 if found.problem or armament.problems or is_stuck else 0


def _find_policy(environment: Environment) -> _Found:
    path = how = ""
    try:
        location = locate(prefix=str(environment.prefix))
        if location is None:
            return _Found(path="", how="", policy=None, problem="", advice="")
        path, how = location.path, location.how
        policy = load_policy(Path(path))
    except (PolicyUnusable, PipIntotoError) as error:
        place = error.path if isinstance(error, PolicyUnusable) else path
        return _Found(path=place, how=how, policy=None, problem=str(error), advice=error.advice)
    return _Found(path=path, how=how, policy=policy, problem="", advice="")


def _state(armament: Armament, found: _Found) -> str:
    if not armament.hooked:
        return "off"
    if armament.marked or found.path:
        return "armed"
    return "dormant"


_STATES = {
    "armed": "armed: pip asks the policy before it installs anything",
    "dormant": "dormant: it is installed, nobody ran `pip-intoto enable`, and there is no policy",
    "off": "off: pip installs without verification; `pip-intoto enable` arms the gate",
}


def _report(
    terminal: Terminal, environment: Environment, armament: Armament, found: _Found, state: str
) -> None:
    number = "{}.{}.{}".format(*environment.version)
    terminal.report(f"environment  {environment.prefix}")
    terminal.report(f"             Python {number}, " + _pip(environment))
    terminal.report(f"gate         {_STATES[state]}", Tone.GOOD if state == "armed" else Tone.DOUBT)
    if armament.version:
        terminal.report(f"             version {armament.version}")
    for problem in armament.problems:
        terminal.report(f"             problem: {problem}", Tone.BAD)
    policy = found.policy
    if found.problem:
        terminal.report(f"policy       {found.path}")
        terminal.report(f"             problem: {found.problem}", Tone.BAD)
        if found.advice:
            terminal.report(f"             hint: {found.advice}")
    elif policy is None:
        blocks = " (so every install is blocked)" if state == "armed" else ""
        terminal.report(f"policy       none{blocks}", Tone.DOUBT)
        terminal.report("             hint: `pip-intoto trust add NAME --key owner.pub` writes one")
    else:
        terminal.report(f"policy       {found.path} ({_HOW[found.how]})")
        terminal.report(f"             mode {policy.mode}, unlisted projects: {policy.unlisted}")
        names = ", ".join(rule.name for rule in policy.projects)
        terminal.report(
            f"             {len(policy.projects)} listed" + (f": {names}" * bool(names))
        )
        if required := [rule.name for rule in policy.projects if not rule.is_signed]:
            who = ", ".join(policy.identities)
            terminal.report(f"             by attestations alone: {', '.join(required)}")
            terminal.report(f"             identities: {who or 'none'}")
        if policy.exceptions or policy.revoked or policy.revoked_identities:
            revoked = f"revoked keys: {len(policy.revoked)}"
            if policy.revoked_identities:
                revoked += f", revoked identities: {len(policy.revoked_identities)}"
            terminal.report(f"             exceptions: {len(policy.exceptions)}, {revoked}")
        for extra in missing_extras(policy.projects):
            terminal.report(f"             problem: the policy needs {_EXTRAS[extra]}", Tone.BAD)
            terminal.report(f"             hint: pip install 'pip-intoto[{extra}]'")
        if not policy.projects:
            terminal.report("             hint: pip-intoto trust add NAME --key owner.pub")


def _pip(environment: Environment) -> str:
    if not environment.pip:
        return "no pip"
    return f"pip {environment.pip}" + ("" if _supports(environment) else " (not supported)")


def _supports(environment: Environment) -> bool:
    return environment.pip_number >= OLDEST_PIP


def _as_json(
    environment: Environment, armament: Armament, found: _Found, state: str
) -> dict[str, object]:
    policy = found.policy
    return {
        "schema": 1,
        "pip_intoto": __version__,
        "environment": {
            "prefix": str(environment.prefix),
            "python": str(environment.python),
            "python_version": "{}.{}.{}".format(*environment.version),
            "site_packages": str(environment.site_packages),
            "pip_version": environment.pip or None,
            "pip_supported": bool(environment.pip) and _supports(environment),
        },
        "gate": {
            "state": state,
            "hooked": armament.hooked,
            "enabled": armament.marked,
            "version": armament.version or None,
            "verifier": list(armament.verifier),
            "problems": list(armament.problems),
        },
        "policy": {
            "path": found.path or None,
            "how": found.how or None,
            "mode": policy.mode if policy else None,
            "unlisted": policy.unlisted if policy else None,
            "listed": [rule.name for rule in policy.projects] if policy else [],
            "exceptions": len(policy.exceptions) if policy else 0,
            "revoked": len(policy.revoked) if policy else 0,
            "identities": list(policy.identities) if policy else [],
            "revoked_identities": len(policy.revoked_identities) if policy else 0,
            "missing_extras": list(missing_extras(policy.projects)) if policy else [],
            "problem": found.problem or None,
        },
    }
