"""Accounts of runs, as reports render them: one with all in it, a large, a hostile one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath

from pip_intoto.account import Account, Change, Checked, LeftOut, PolicyUsed, Traffic
from pip_intoto.credential import Credential
from pip_intoto.distribution import Distribution, Kind, Place
from pip_intoto.errors import CommandError, LockfileInvalid
from pip_intoto.verdict import (
    Action,
    ExceptionUsed,
    Outcome,
    Station,
    Status,
    SupplyChain,
    TraceEntry,
    Verdict,
)

BEGAN = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
LOCK = Path("locks/pylock.toml")
INDEX = "https://pypi.acme.example/simple/"

#: What a stranger can put into names, versions and messages, and each of it may do harm somewhere.
HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "\u202eevil\u2066",
    "nul\x00bell\x07del\x7fnel\x85",
    "lone \ud800 surrogate, \ufffe and \uffff",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]><evil attribute='1'/>&amp;&#x41;",
    "a | b | c",
    "`code` ``code`` ~~~",
    "[link](https://evil.example) ![image](https://evil.example/x.png)",
    "@everyone #1 GH-1 https://evil.example/auto",
    "line\n::error file=x::injected\n::set-output name=x::y\n##vso[task.complete]done",
    "line\r\n# heading\n\n- item\n\n<details open>\n\n```\n",
    "*bold* _it_ ~no~ \\| \\ &lt; $x$ {{ x }} ${{ secrets.X }}",
    "\u2028separated\u2029",
)


def account(**changes: object) -> Account:
    """Give an account with all seven statuses, places, notes, chains, changes and failures."""
    whole = Account(
        targets=("locks/pylock.toml", "wheelhouse"),
        checked=everything(),
        exit_status=1,
        began=BEGAN,
        ended=BEGAN + timedelta(seconds=3, milliseconds=250),
        version="0.1.0",
        policy=PolicyUsed(
            path=Path("/etc/pip-intoto/policy.toml"), sha256=_sha256("policy"), mode="enforce"
        ),
        failures=(
            LockfileInvalid(
                "the version is not one that is known",
                expected='lock-version = "1.0"',
                found='lock-version = "9.9"',
                place="locks/pylock.next.toml:1",
            ),
            CommandError("gone.whl: there is no such file", expected="a wheel or sdist"),
        ),
        left_out=tuple(
            LeftOut(name=name, version="1.0", place=Place(LOCK, line), why="its marker is false")
            for line, name in enumerate(("colorama", "pywin32", "tzdata"), 200)
        ),
        unchanged=2,
        changes=changed(),
        traffic=Traffic(requests=410, received=1_234_567, files=200_000, spared=180_400_000),
        fail_under=95.0,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def everything() -> tuple[Checked, ...]:
    """Give one distribution of each status, and some that differ in action or place."""
    return (
        Checked(verdict=verified("flask", "3.1.0"), place=Place(LOCK, 12)),
        Checked(
            verdict=verified("click", "8.1.7"),
            place=Place(LOCK, 40),
            notes=("the lock has no digest; the index's was used",),
        ),
        Checked(verdict=exempt(), place=Place(LOCK, 60)),
        Checked(verdict=unlisted(), place=Place(LOCK, 80)),
        Checked(verdict=missing(), place=Place(LOCK, 100)),
        Checked(verdict=unreachable(), place=Place(LOCK, 120)),
        Checked(
            verdict=invalid(),
            place=Place(LOCK, 140),
            notes=("two files of the lock would do here; the first was chosen",),
        ),
        # No file names it: a wheel in a directory that was given.
        Checked(verdict=replace(invalid("werkzeug", "3.0.4"), reason="layout-expired")),
        Checked(verdict=unverifiable(), place=Place(Path("requirements/dev tools.txt"), 7)),
        Checked(verdict=warned(), place=Place(LOCK, 160)),
    )


def changed() -> tuple[Change, ...]:
    """Give one change of each kind."""
    return (
        Change(
            project="flask",
            kind="newly-verified",
            before="missing [layout-missing]",
            after="verified",
            place=Place(LOCK, 12),
        ),
        Change(
            project="jinja2",
            kind="newly-unverified",
            before="verified",
            after="invalid [rule-violated]",
            place=Place(LOCK, 140),
        ),
        Change(
            project="click",
            kind="signer-changed",
            before="alice and bob",
            after="alice and mallory",
            place=Place(LOCK, 40),
        ),
        Change(
            project="click",
            kind="layout-changed",
            before=f"layout {_sha256('old')[:12]}",
            after=f"layout {_sha256('layout click')[:12]}",
            place=Place(LOCK, 40),
        ),
        Change(
            project="rich",
            kind="status-changed",
            before="13.8 unlisted",
            after="13.9 missing [layout-missing]",
            place=Place(LOCK, 1),
        ),
        Change(project="nose", kind="removed", before="1.3.7, unlisted", after=""),
    )


def large(number: int, *, blocked_every: int = 50) -> Account:
    """Give an account of ``number`` distributions, of which every so many are blocked."""
    return account(
        checked=tuple(
            Checked(
                verdict=(
                    invalid(f"project-{at}", "1.0")
                    if at % blocked_every == 0
                    else verified(f"project-{at}", "1.0")
                ),
                place=Place(LOCK, at * 8 + 1),
            )
            for at in range(number)
        ),
        failures=(),
        changes=None,
    )


def clean(number: int = 2) -> Account:
    """Give an account in which all is verified."""
    return account(
        checked=tuple(
            Checked(verdict=verified(f"project-{at}", "1.0"), place=Place(LOCK, at + 1))
            for at in range(number)
        ),
        exit_status=0,
        failures=(),
        changes=None,
        left_out=(),
        unchanged=0,
        fail_under=None,
    )


def hostile() -> Account:
    """Give an account in which every text that others write is one of :data:`HOSTILE`."""
    return account(
        checked=tuple(
            checked
            for at, text in enumerate(HOSTILE)
            for checked in (
                _poisoned(invalid(f"bad-{at}"), text),
                _poisoned(replace(verified(f"good-{at}")), text),
                _poisoned(replace(unlisted(), exception=exempt().exception), text),
            )
        ),
        targets=HOSTILE,
        failures=tuple(
            CommandError(text, expected=text, found=text, advice=text, place=text)
            for text in HOSTILE
        ),
        changes=tuple(
            Change(
                project=text,
                kind="newly-unverified",
                before=text,
                after=text,
                place=Place(Path(text.replace("\x00", "")), 3),
            )
            for text in HOSTILE
        ),
    )


def _poisoned(verdict: Verdict, text: str) -> Checked:
    chain, exception = verdict.chain, verdict.exception
    poisoned = replace(
        verdict,
        distribution=replace(
            verdict.distribution,
            name=text,
            version=text,
            filename=text,
            url=f"https://user:hunter2@host.example/{text}?token=hunter2",
        ),
        summary=text,
        expected=text,
        found=text,
        advice=text,
        trace=(TraceEntry(text, Outcome.FAIL, text),),
        chain=chain
        and replace(
            chain,
            owners=(text,),
            binding=text,
            owner_keys=(text,),
            credentials=(published(text),),
            stations=(
                Station(
                    name=text,
                    functionaries=(text, text),
                    wanted=2,
                    feeds=(text,),
                    predicates=(text,),
                    outcome=Outcome.FAIL,
                    detail=text,
                ),
            ),
        ),
        exception=exception and replace(exception, owner=text, reason=text, waives=(text,)),
    )
    # A path has no NUL, whoever chose it.
    place = Place(Path(text.replace("\x00", "")), 7)
    return Checked(verdict=poisoned, place=place, notes=(text,))


# --- verdicts, one maker a status -----------------------------------------------------------


def distribution(name: str, version: str = "1.0") -> Distribution:
    """Give a wheel of the index that all of them come from."""
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return Distribution(
        name=name,
        version=version,
        filename=filename,
        kind=Kind.WHEEL,
        sha256=_sha256(filename),
        url=f"https://files.acme.example/{PurePosixPath(name[:1], filename)}",
        index=f"{INDEX}{name}/",
    )


def chain(name: str, *, broken: bool = False) -> SupplyChain:
    """Give a chain of three steps and an inspection; a broken one broke at the second step."""
    after = Outcome.NOTE if broken else Outcome.OK
    waiting = "the chain broke before" if broken else ""
    return SupplyChain(
        layout_sha256=_sha256(f"layout {name}"),
        owners=("alice", "bob"),
        expires=datetime(2027, 6, 30, tzinfo=timezone.utc),
        stations=(
            Station(
                name="source",
                functionaries=("alice",),
                wanted=1,
                materials=0,
                products=42,
                detail="",
            ),
            Station(
                name="build",
                functionaries=("builder-1", "builder-2"),
                wanted=2,
                materials=42,
                products=1,
                feeds=("source",),
                outcome=Outcome.FAIL if broken else Outcome.OK,
                detail="src/demo/extra.py is in no material of source" if broken else "",
            ),
            Station(
                name="approve",
                functionaries=("carol",),
                wanted=1,
                materials=1,
                products=1,
                feeds=("build",),
                outcome=after,
                detail=waiting,
            ),
            Station(
                name="unpack",
                is_inspection=True,
                materials=1,
                products=40,
                feeds=("approve", "source"),
                outcome=after,
                detail=waiting,
            ),
        ),
        documents=tuple(_sha256(f"link {step} {name}") for step in ("source", "build", "approve")),
        binding="" if broken else "products of step 'approve'",
    )


def published(text: str = "acme/demo") -> Credential:
    """Give what a certificate says of a workflow in a repository of this name."""
    return Credential(
        issuer="https://token.actions.githubusercontent.com",
        subject=f"https://github.com/{text}/.github/workflows/release.yml@refs/tags/v1",
        signed_at=BEGAN,
        host="https://github.com",
        repository=text,
        workflow="release.yml",
        ref="refs/tags/v1",
        environment=text,
    )


def attested() -> Verdict:
    """Give a verdict that rests on provenance, by a layout of the policy's own."""
    verdict = verified()
    assert verdict.chain is not None
    built = Station(
        name="build",
        functionaries=("github:acme/demo:release.yml (refs/tags/v1)",),
        wanted=1,
        materials=1,
        products=1,
        predicates=("https://slsa.dev/provenance/v1", "https://acme.example/Reviewed/v2"),
    )
    chain = replace(
        verdict.chain,
        owners=("policy",),
        expires=datetime.max.replace(tzinfo=timezone.utc),
        stations=(built,),
        owner_keys=(_sha256("owner"),),
        credentials=(published(),),
    )
    return replace(verdict, chain=chain)


def verified(name: str = "flask", version: str = "3.1.0") -> Verdict:
    """Give a verdict that passes."""
    return Verdict(
        distribution=distribution(name, version),
        status=Status.VERIFIED,
        reason="verified",
        action=Action.PASS,
        summary=f"{name} {version} is verified: alice and bob signed its layout.",
        trace=(
            TraceEntry("policy", Outcome.OK, f"rule '{name}', line 7"),
            TraceEntry("bundle beside the file", Outcome.OK, "4 documents"),
            TraceEntry("layout", Outcome.OK, "signed by alice and bob"),
        ),
        chain=chain(name),
    )


def exempt() -> Verdict:
    """Give a verdict that rests on an exception of the policy."""
    return Verdict(
        distribution=distribution("legacy-tool", "1.9"),
        status=Status.EXEMPT,
        reason="exempt",
        action=Action.PASS,
        summary="legacy-tool 1.9 is exempt until 2027-03-31, and nothing of it was verified."
        " security@acme.example says why: upstream ships no layout before 2.0.",
        trace=(TraceEntry("policy", Outcome.NOTE, "exception, line 30"),),
        exception=ExceptionUsed(
            owner="security@acme.example",
            reason="upstream ships no layout before 2.0",
            expires=date(2027, 3, 31),
            waives=(),
        ),
    )


def unlisted() -> Verdict:
    """Give a verdict about a project that no rule names, with a warning."""
    return Verdict(
        distribution=distribution("left-pad", "0.1"),
        status=Status.UNLISTED,
        reason="unlisted",
        action=Action.WARN,
        summary="No rule of the policy names left-pad.",
        advice="List it with `pip-intoto trust add left-pad --key …`, or `--publisher …`.",
    )


def missing() -> Verdict:
    """Give a verdict about a project whose evidence is nowhere."""
    return Verdict(
        distribution=distribution("rich", "13.9"),
        status=Status.MISSING,
        reason="layout-missing",
        action=Action.BLOCK,
        summary="There is no evidence for rich 13.9.",
        expected="a layout signed by alice and bob",
        found="nothing beside the file",
        advice="Ask the project to publish evidence.",
        trace=(TraceEntry("bundle beside the file", Outcome.NOTE, "404"),),
    )


def unreachable() -> Verdict:
    """Give a verdict about a project whose source could not be asked."""
    return Verdict(
        distribution=distribution("numpy", "2.1.3"),
        status=Status.UNREACHABLE,
        reason="source-unreachable",
        action=Action.BLOCK,
        summary="The evidence of numpy 2.1.3 could not be asked for.",
        expected="an answer from files.acme.example",
        found="status 500",
        advice="Try again later; if it persists, ask whoever runs the server.",
        trace=(TraceEntry("bundle beside the file", Outcome.FAIL, "status 500"),),
    )


def invalid(name: str = "jinja2", version: str = "3.1.4") -> Verdict:
    """Give a verdict about a project whose chain broke."""
    return Verdict(
        distribution=distribution(name, version),
        status=Status.INVALID,
        reason="rule-violated",
        action=Action.BLOCK,
        summary=f"A rule of step 'build' of {name} {version} is violated.",
        expected="every material of 'build' to be a product of 'source'",
        found="src/demo/extra.py, which 'source' does not have",
        advice="Do not install this file before the project has explained the difference.",
        trace=(
            TraceEntry("layout", Outcome.OK, "signed by alice and bob"),
            TraceEntry("step 'build'", Outcome.FAIL, "DISALLOW * refused src/demo/extra.py"),
        ),
        chain=chain(name, broken=True),
    )


def unverifiable() -> Verdict:
    """Give a verdict about a checkout, for which there is no file."""
    return Verdict(
        distribution=Distribution(
            name="own-tool",
            version="",
            filename="",
            kind=Kind.VCS,
            url="git+https://token@git.acme.example/own-tool.git@main",
        ),
        status=Status.UNVERIFIABLE,
        reason="unverifiable",
        action=Action.WARN,
        summary="own-tool is a checkout: there is no file that evidence could be about.",
        advice="Install a released wheel or sdist.",
    )


def warned() -> Verdict:
    """Give a verdict that would block, and that the mode of the policy lets through."""
    return replace(missing(), distribution=distribution("tqdm", "4.67"), action=Action.WARN)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


#: A run of each sort, for what must hold of all.
RUNS = {
    "everything": account(),
    "nothing": account(checked=(), changes=(), failures=(), policy=None, exit_status=2),
    "interrupted": account(interrupted=True, exit_status=130, fail_under=None),
    "clean": clean(),
    "hostile": hostile(),
}
