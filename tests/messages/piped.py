"""What real pips print: the gate's own reasons, and the sentences of its two modes."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pip_intoto_gate
from fixtures.distributions import core_metadata, wheel
from fixtures.supply_chain import SupplyChain
from tests.integration import environments, interpreters, loopback, standin
from tests.integration.test_evasions import REPLACE, sdist_running
from tests.messages.situations import situation, steady

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

CHAIN = SupplyChain(project="demo")
WHEEL = wheel("demo")


@dataclass(frozen=True, slots=True)
class Desk:
    """A user's environment, an index, and a policy that lists demo."""

    folder: Path
    environment: Environment
    index: Index

    def policy(self, *, head: str = "") -> Path:
        """Write the policy."""
        return CHAIN.policy(self.folder / "policy", head=head)

    def install(self, *words: str, policy: Path | None = None, exit_status: int = 1) -> str:
        """Run ``pip install``, and give what it says from the first error or warning on."""
        done = self.environment.pip("install", *words, index=self.index, policy=policy)
        assert done.status == exit_status, done.output
        text = done.stdout + done.stderr
        found = re.search(r"^(error: |ERROR: |WARNING: ).*", text, re.MULTILINE | re.DOTALL)
        assert found is not None, text
        return self.steady(found[0])

    def steady(self, text: str) -> str:
        """Replace this machine's paths and ports."""
        words = {
            self.index.origin: "https://index.example",
            str(self.environment.root): "/home/you/venv",
            str(self.environment.home): "/home/you",
            str(self.folder / "policy"): "/etc/acme",
            str(self.folder): "/home/you",
            f"pip-intoto {pip_intoto_gate.VERSION}": "pip-intoto X.Y",
        }
        return steady(text, words)


@contextlib.contextmanager
def desk(folder: Path, *, pip: str = interpreters.NEWEST_PIP) -> Iterator[Desk]:
    """Set one up below *folder*.

    Raises:
        Unavailable: this machine lacks a part.

    """
    environment = environments.create(folder / "own", interpreters.own(), pip, armed=True)
    with loopback.serving() as index:
        yield Desk(folder, environment, index)


def at_the_mercy(folder: Path, lines: str, *, seconds: float = 20) -> str:
    """Install demo with a verifier that does what *lines* say."""
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        standin.appoint(here.environment, lines, seconds=seconds)
        return here.install("demo", policy=here.policy())


# --- as the verdict says --------------------------------------------------------------------


@situation("layout-missing.in-warn-mode")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.add(WHEEL)
        policy = here.policy(head='mode = "warn"')
        return here.install("demo", policy=policy, exit_status=0)


# --- the policy -----------------------------------------------------------------------------


@situation("layout-missing.of-a-dependency")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.add(WHEEL)
        here.index.add(wheel("app", requires=["demo>=1"]))
        (here.environment.home / "work" / "requirements.txt").write_text("app\n", "utf-8")
        return here.install("-r", "requirements.txt", policy=here.policy())


@situation("policy-missing")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        return here.install("demo", policy=folder / "policy" / "policy.toml")


@situation("policy-missing.enabled")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        standin.mark(here.environment)
        return here.install("demo")


@situation("policy-invalid")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        policy = here.policy(head="unlisted = deny")
        return here.install("demo", policy=policy)


@situation("policy-invalid.unknown-key")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        policy = here.policy(head='unlist = "deny"')
        return here.install("demo", policy=policy)


@situation("policy-invalid.publisher")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        policy = here.policy(head='[identities.release]\npublisher = "githb:acme/demo:release.yml"')
        return here.install("demo", policy=policy)


@situation("policy-invalid.unsigned")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        policy = here.policy(head='[[project]]\nname = "app"\nrequire = ["slsa-build"]')
        return here.install("demo", policy=policy)


@situation("policy-invalid.others-may-write")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        policy = here.policy()
        policy.chmod(0o666)
        return here.install("demo", policy=policy)


@situation("policy-invalid.variable")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        done = replace(here.environment, settings={"INTOTO_POLICY": "policy.toml"})
        return replace(here, environment=done).install("demo")


# --- the verifier ---------------------------------------------------------------------------


@situation("verifier-unavailable")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        nowhere = folder / "elsewhere" / "bin" / "python"
        standin.mark(here.environment, verifier=[str(nowhere), "-I", "verifier.py"])
        return here.install("demo", policy=here.policy())


@situation("verifier-unavailable.killed")
def _(folder: Path) -> str:
    return at_the_mercy(folder, "greet(); ready(); hear('decide'); die()")


@situation("verifier-unavailable.broken")
def _(folder: Path) -> str:
    return at_the_mercy(folder, "sys.exit('ModuleNotFoundError: No module named cryptography')")


@situation("verifier-unavailable.silent")
def _(folder: Path) -> str:
    return at_the_mercy(folder, "greet(); ready(); hear('decide'); sleep()", seconds=1)


@situation("verifier-unavailable.babbling")
def _(folder: Path) -> str:
    return at_the_mercy(folder, "raw(b'Hello, gate!\\n'); sleep()")


@situation("verifier-unavailable.marker")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        here.environment.rewrite(standin.marker(here.environment), "{")
        return here.install("demo", policy=here.policy())


@situation("verifier-version-mismatch")
def _(folder: Path) -> str:
    return at_the_mercy(folder, "greet(version='99.0'); sleep()")


# --- pip ------------------------------------------------------------------------------------


def changed_in_pip(environment: Environment, old: str, new: str) -> None:
    """Rename something everywhere in pip, so that pip itself goes on working."""
    for path in (environment.site_packages / "pip" / "_internal").rglob("*.py"):
        text = path.read_text("utf-8")
        changed = re.sub(rf"\b{old}\b", new, text)
        if changed != text:
            environment.rewrite(path, changed)


@situation("pip-unsupported")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        changed_in_pip(here.environment, "unpack_file", "unpack_archive_file")
        return here.install("demo", policy=here.policy())


@situation("pip-unsupported.gate-failed")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN)
        broken = here.environment.site_packages / "pip_intoto_gate" / "fetching.py"
        here.environment.rewrite(broken, "from nowhere import nothing\n")
        return here.install("demo", policy=here.policy())


# --- what is about to be installed ----------------------------------------------------------


@situation("would-overwrite-gate")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.add(wheel("other", data={"purelib/pip_intoto_gate.pth": b"\n"}))
        return here.install("other", policy=here.policy(head='unlisted = "allow"'))


@situation("would-overwrite-gate.target")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.add(wheel("other", modules={"pip_intoto_gate/gate.py": b"\n"}))
        target = str(here.environment.site_packages)
        policy = here.policy(head='unlisted = "allow"')
        return here.install("--target", target, "--upgrade", "other", policy=policy)


@situation("metadata-mismatch")
def _(folder: Path) -> str:
    # Newer pips notice it by themselves, and say so in words of their own.
    with desk(folder, pip="23.2.1") as here:
        injected = core_metadata("demo", "1.0", ["miner"])
        here.index.publish(WHEEL, CHAIN, metadata=injected)
        here.index.add(wheel("miner"))
        return here.install("demo", policy=here.policy(head='unlisted = "allow"'))


@situation("artifact-digest-mismatch.swapped")
def _(folder: Path) -> str:
    with desk(folder) as here:
        here.index.publish(WHEEL, CHAIN, metadata=False)
        code = REPLACE.format(evil=WHEEL.tampered().data, mark=str(folder / "swapped"))
        here.index.add(sdist_running(code, "swap"))
        policy = here.policy(head='unlisted = "allow"')
        return here.install("demo", "swap", policy=policy)


@situation("artifact-digest-mismatch.verdict")
def _(folder: Path) -> str:
    return at_the_mercy(folder, "greet(); ready(); verdict(sha256='0' * 64); hear('the end')")
