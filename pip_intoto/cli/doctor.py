"""``pip-intoto doctor``: proves by real installs that the gate works.

Canaries are offered to this environment's own pip by an index on the loopback interface: one that
must pass, and others that must not. They go to a temporary directory, so that nothing stays.

A policy of the system (in ``/etc``) cannot be set aside for this, by nobody: then the proofs are
what can be shown under that policy, and the rest is said to be open.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import arming, rehearsal
from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.cli.enable import add_python
from pip_intoto.cli.terminal import Terminal
from pip_intoto.environments import find_environment
from pip_intoto.errors import CommandError, PipIntotoError
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.keys import signing
from pip_intoto.metadata.names import ROOT_LAYOUT, link_filename
from pip_intoto.policy.extras import missing_extras
from pip_intoto.policy.file import load_policy
from pip_intoto.reports.lines import Tone, printable
from pip_intoto_gate.location import PolicyUnusable, candidates, locate
from pip_intoto_gate.settings import MARKER

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pip_intoto.environments import Environment
    from pip_intoto.policy.model import Policy

HELP = "prove that the gate works, by letting this environment's pip try to install canaries"
EXAMPLES = """
  pip-intoto doctor
  pip-intoto doctor --python ~/service/.venv
"""

_NAME = "pip-intoto-canary"
_STEM = "pip_intoto_canary"
#: Lines of pip's output that a failure quotes.
_QUOTED = 15
#: Programs that install without pip, and so without the gate.
_OTHER_INSTALLERS = ("uv", "poetry", "pdm", "pipenv", "pipx", "conda", "mamba", "pixi")


class _Outcome(Enum):
    PROVEN = "proven"
    FAILED = "failed"
    OPEN = "open"


_TONES = {_Outcome.PROVEN: Tone.GOOD, _Outcome.FAILED: Tone.BAD, _Outcome.OPEN: Tone.DOUBT}


@dataclass(frozen=True, slots=True)
class _Proof:
    """One claim about the gate, and what came of it."""

    outcome: _Outcome
    claim: str
    detail: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``doctor``."""
    add_python(parser)


def run(args: argparse.Namespace) -> int:
    """Report every proof; 1 when one failed, 2 when none could be made. Raises CommandError."""
    terminal = Terminal.of(args)
    environment = find_environment(args.python)
    if not environment.pip:
        raise CommandError(
            f"{environment.prefix} has no pip, so there is nothing to prove",
            advice="Name another environment with --python.",
        )
    terminal.report(f"pip {environment.pip} in {environment.prefix}", Tone.TITLE)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="pip-intoto-doctor-") as folder:
        for proof in _proofs(environment, Path(folder).resolve(), terminal):
            outcomes.append(proof.outcome)
            terminal.report(f"{proof.outcome.value:<6}  {proof.claim}", _TONES[proof.outcome])
            if proof.detail:
                terminal.report("        " + proof.detail.replace("\n", "\n        "))
    for limit in _limits(environment):
        terminal.report(f"{'open':<6}  {limit}", Tone.DOUBT)
    if _Outcome.FAILED in outcomes:
        return 1
    return 0 if _Outcome.PROVEN in outcomes else 2


# --- the proofs -----------------------------------------------------------------------------


def _proofs(environment: Environment, folder: Path, terminal: Terminal) -> Iterator[_Proof]:
    location = None
    policy = None
    problem = ""
    try:
        location = locate(prefix=str(environment.prefix))
        policy = load_policy(Path(location.path)) if location else None
    except (PolicyUnusable, PipIntotoError) as error:
        problem = str(error)
    broken = list(_hook(environment, is_active=bool(location or problem)))
    yield from broken
    if problem:
        yield _Proof(_Outcome.FAILED, "the policy in force can be read", problem)
    if policy is not None:
        for extra in missing_extras(policy.projects):
            yield _Proof(
                _Outcome.FAILED,
                "what the policy in force asks for can be checked",
                f"pip-intoto[{extra}] is not installed",
            )
    if broken:
        return
    stage = _Stage(environment, folder, terminal)
    with rehearsal.serving(folder / "index") as index:
        stage.set_up(index)
        if any(place.how == "system" and Path(place.path).exists() for place in candidates()):
            if policy is not None and _lets_canaries_pass(policy):
                yield stage.never_over_the_gate()
            yield _Proof(
                _Outcome.OPEN,
                "evidence that verifies lets pass, and altered files are blocked",
                "the policy of the system stands above the one that this proof needs",
            )
        else:
            yield from stage.under_a_policy_of_its_own()
        if policy is not None:
            yield stage.under_the_policy_in_force(policy)


def _hook(environment: Environment, *, is_active: bool) -> Iterator[_Proof]:
    armament = arming.look(environment)
    for problem in armament.problems:
        yield _Proof(_Outcome.FAILED, "the gate's files are in order", problem)
    claim = "pip in this environment asks the gate"
    if not armament.hooked:
        yield _Proof(_Outcome.FAILED, claim, "it is not armed; run `pip-intoto enable`")
    elif not armament.marked and not is_active:
        yield _Proof(
            _Outcome.FAILED,
            claim,
            "it is dormant: there is no policy, and nobody ran `pip-intoto enable`",
        )


class _Stage:
    """Canaries, an index that serves them, and the pip that is on trial."""

    def __init__(self, environment: Environment, folder: Path, terminal: Terminal) -> None:
        self._environment = environment
        self._folder = folder
        self._terminal = terminal
        self._index = ""
        self._installs = 0
        self._policy = folder / "policy" / "policy.toml"
        for directory in ("index", "policy", "home", "wheels"):
            (folder / directory).mkdir()

    def set_up(self, index: str) -> None:
        """Write canaries, evidence and policy: 1.0 is good, 2.0 was altered, 3.0 is bare."""
        self._index = index
        key = signing.generate()
        (self._policy.parent / "owner.pub").write_bytes(key.public_pem())
        self._policy.write_text(
            f'version = 1\n[keys.owner]\npublic = "owner.pub"\n'
            f'[[project]]\nname = "{_NAME}"\nlayout-keys = ["owner"]\n',
            encoding="utf-8",
        )
        good, altered, bare = (self._canary(f"{number}.0") for number in range(1, 4))
        before = altered.read_bytes()
        files = {
            good.name: good.read_bytes(),
            good.name + ".intoto.jsonl": _bundle(good, key),
            altered.name + ".intoto.jsonl": _bundle(altered, key),
            bare.name: bare.read_bytes(),
        }
        rehearsal.write_wheel(altered, {f"{_STEM}.py": b"SONG = 'altered'\n"})
        files[altered.name] = altered.read_bytes()
        if files[altered.name] == before:
            raise CommandError("the altered canary is the good one")
        overwriting = self._overwriting()
        files[overwriting.name] = overwriting.read_bytes()
        rehearsal.publish(self._folder / "index", _NAME, files)

    def under_a_policy_of_its_own(self) -> Iterator[_Proof]:
        """What a listed project goes through."""
        yield self._must_pass("a canary whose evidence verifies is installed", "1.0", "1 verified")
        yield self._must_stop(
            "the same canary, altered, is blocked", "2.0", "artifact-digest-mismatch"
        )
        yield self._must_stop("a canary without evidence is blocked", "3.0", "layout-missing")

    def never_over_the_gate(self) -> _Proof:
        """What is blocked under every policy."""
        return self._must_stop(
            "a canary that would overwrite the gate is blocked",
            "4.0",
            "would-overwrite-gate",
            in_force=True,
        )

    def under_the_policy_in_force(self, policy: Policy) -> _Proof:
        """That the user's own policy is heeded, by what it says of a project like the canary."""
        rule = policy.rule_for(_NAME)
        says = f"the policy in force ({policy.path}) is heeded"
        what, said = (
            ("what it does not list", "unlisted")
            if rule is None
            else ("a canary without evidence", "layout-missing")
        )
        if _lets_canaries_pass(policy):
            return self._must_pass(f"{says}: {what} passes", "3.0", said, in_force=True)
        return self._must_stop(f"{says}: {what} is blocked", "3.0", said, in_force=True)

    # --- pip ---

    def _must_pass(self, claim: str, version: str, said: str, *, in_force: bool = False) -> _Proof:
        done, place = self._install(version, in_force=in_force)
        arrived = (place / f"{_STEM}.py").exists()
        if done.status == 0 and arrived and said in done.output:
            return _Proof(_Outcome.PROVEN, claim)
        wanted = f"an installation, and the words {said!r}"
        return _Proof(_Outcome.FAILED, claim, self._contrast(wanted, done))

    def _must_stop(self, claim: str, version: str, code: str, *, in_force: bool = False) -> _Proof:
        done, place = self._install(version, in_force=in_force)
        arrived = [path for path in place.rglob("*") if path.is_file()]
        if done.status == 1 and not arrived and code in done.output:
            return _Proof(_Outcome.PROVEN, claim)
        wanted = f"exit status 1, {code!r}, and nothing installed"
        return _Proof(_Outcome.FAILED, claim, self._contrast(wanted, done))

    def _install(self, version: str, *, in_force: bool) -> tuple[rehearsal.Completed, Path]:
        self._installs += 1
        place = self._folder / f"installed-{self._installs}"
        place.mkdir()
        command: list[str | Path] = [self._environment.python, "-m", "pip", "install", "--no-deps"]
        command += ["--target", place, f"{_NAME}=={version}"]
        variables = rehearsal.pip_variables(self._index)
        if in_force:
            variables.update(_places_of_policies())
        else:
            variables["INTOTO_POLICY"] = str(self._policy)
        done = rehearsal.run(command, home=self._folder / "home", **variables)
        self._terminal.detail(" ".join(map(str, command)) + "\n" + done.output)
        return done, place

    @staticmethod
    def _contrast(wanted: str, done: rehearsal.Completed) -> str:
        output = printable(done.output).strip()
        lines = output[max(0, output.lower().find("error: ")) :].splitlines()
        said = lines if len(lines) <= _QUOTED else [*lines[:_QUOTED], "…"]
        return f"expected: {wanted}\nfound: exit status {done.status}; pip said:\n" + "\n".join(
            f"  {line}" for line in said
        )

    # --- canaries ---

    def _canary(self, version: str) -> Path:
        path = self._folder / "wheels" / f"{_STEM}-{version}-py3-none-any.whl"
        return rehearsal.write_wheel(path, {f"{_STEM}.py": b"SONG = 'cheep'\n"})

    def _overwriting(self) -> Path:
        """A wheel with a member called like the gate's marker, which no wheel may write anywhere.

        It goes to a temporary directory like the others: were there no gate, it would do no harm.
        """
        path = self._folder / "wheels" / f"{_STEM}-4.0-py3-none-any.whl"
        return rehearsal.write_wheel(path, {f"{_STEM}.py": b"", MARKER: b"{}"})


def _lets_canaries_pass(policy: Policy) -> bool:
    """Whether a canary without evidence gets as far as to the last look at its members."""
    return policy.mode == "warn" or (policy.rule_for(_NAME) is None and policy.unlisted != "deny")


def _places_of_policies() -> dict[str, str]:
    """The variables by which the policy in force was found here."""
    names = ("INTOTO_POLICY", "XDG_CONFIG_HOME", "HOME", "APPDATA", "ProgramData", "PROGRAMDATA")
    return {name: os.environ[name] for name in names if name in os.environ}


def _bundle(wheel: Path, key: signing.SigningKey) -> bytes:
    """Evidence that ``key``, as owner and as only functionary, built this wheel."""
    digest = {"sha256": sha256_file(wheel)}
    layout = authoring.layout(
        expires=datetime.now(timezone.utc) + timedelta(days=1),
        keys=[key],
        steps=[
            authoring.step(
                "build",
                functionaries=[key],
                expected_products=[["CREATE", f"{_STEM}-*"], ["DISALLOW", "*"]],
            )
        ],
    )
    link = authoring.link("build", products={wheel.name: digest})
    return authoring.bundle(
        [
            authoring.Document(authoring.sign(layout, [key]), ROOT_LAYOUT),
            authoring.Document(authoring.sign(link, [key]), link_filename("build", key.keyid)),
        ]
    )


# --- what no install can show ---------------------------------------------------------------


def _limits(environment: Environment) -> Iterator[str]:
    found = [name for name in _OTHER_INSTALLERS if shutil.which(name)]
    which = f" (here: {', '.join(found)})" if found else ""
    yield f"installers other than pip are not guarded{which}"
    other = _other_pip(environment)
    if other:
        yield f"the `pip` on your PATH belongs to another interpreter: {other}"
    yield "python -S, and a pip outside of this environment, do not see the gate"
    yield "pip install --user is guarded here; python -I and -s do not see a gate in a user site"


def _other_pip(environment: Environment) -> str:
    """The ``pip`` that a shell would run, unless it is this environment's."""
    found = shutil.which("pip")
    if found is None:
        return ""
    beside = environment.python.parent
    return "" if Path(found).parent.resolve() == beside.resolve() else found
