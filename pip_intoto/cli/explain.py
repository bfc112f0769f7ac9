"""``pip-intoto explain``: the whole way to one verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.cli import add_policy_options
from pip_intoto.cli.outcomes import exit_status
from pip_intoto.cli.targets import Judge, expand
from pip_intoto.cli.terminal import Terminal
from pip_intoto.cli.trusted import required
from pip_intoto.errors import CommandError
from pip_intoto.reports.lines import Tone
from pip_intoto.verdict import Action, Outcome

if TYPE_CHECKING:
    import argparse

    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import TraceEntry, Verdict

HELP = "show the whole trace of one verdict"
EXAMPLES = """
  pip-intoto explain dist/demo-1.0-py3-none-any.whl
  pip-intoto explain demo==1.0 --policy ci/policy.toml
"""

_MARKS = {Outcome.OK: "ok  ", Outcome.NOTE: "·   ", Outcome.FAIL: "FAIL"}
_TONES = {Outcome.OK: Tone.GOOD, Outcome.NOTE: Tone.FAINT, Outcome.FAIL: Tone.BAD}
_DECIDED = {
    Action.PASS: ("pip would install it", Tone.GOOD),
    Action.WARN: ("pip would install it, with a warning", Tone.DOUBT),
    Action.BLOCK: ("pip would not install it", Tone.BAD),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``explain``."""
    parser.add_argument("target", metavar="TARGET", help="a wheel or sdist, or NAME==VERSION")
    add_policy_options(parser)


def run(args: argparse.Namespace) -> int:
    """Judge one target, draw the trace, and give the exit status as ``verify`` does."""
    targets = list(expand([args.target]))
    if len(targets) != 1:
        raise CommandError(
            "explain shows one verdict at a time",
            expected="one wheel or sdist",
            found=f"{len(targets)} of them in {args.target}",
            advice="Use `pip-intoto verify` for a whole directory.",
        )
    judge = Judge.of(args)
    verdict = judge.verdict(targets[0])
    _draw(Terminal.of(args), verdict, judge.policy)
    return exit_status([verdict])


def _draw(terminal: Terminal, verdict: Verdict, policy: Policy) -> None:
    distribution = verdict.distribution
    title = distribution.filename or f"{distribution.name} {distribution.version}"
    terminal.report(title, Tone.TITLE)
    rule = policy.rule_for(distribution.name)
    facts = [
        ("project", f"{distribution.name} {distribution.version}".strip()),
        ("sha256", distribution.sha256 or "not known"),
        ("policy", f"{policy.path} ({policy.mode}, unlisted: {policy.unlisted})"),
        ("rule", f"{rule.name!r}, line {rule.line}" if rule else "none names the project"),
    ]
    if rule is not None:
        if rule.owners_from:
            facts.append(("owners", f"those whose keys tuf:{rule.owners_from} gives out"))
        elif rule.is_signed:
            facts.append(("owners", f"{rule.threshold} of: {', '.join(rule.principals)}"))
        if besides := required(rule):
            facts.append(("requires", besides))
        facts.append(("evidence", ", then ".join(source.spelled for source in rule.sources)))
    for name, value in facts:
        terminal.report(f"  {name:<9} {value}")
    terminal.report()
    terminal.report("What was looked at", Tone.TITLE)
    for number, entry in enumerate(verdict.trace, 1):
        _draw_entry(terminal, entry, last=number == len(verdict.trace))
    terminal.report()
    would, tone = _DECIDED[verdict.action]
    terminal.report(f"{verdict.status.value.upper()} [{verdict.reason}]: {would}", tone)
    terminal.report(f"  {verdict.summary}")
    for name, value in (
        ("expected", verdict.expected),
        ("found", verdict.found),
        ("hint", verdict.advice),
    ):
        if value:
            terminal.report(f"  {name:<9} {value}")


def _draw_entry(terminal: Terminal, entry: TraceEntry, *, last: bool) -> None:
    """Draw one step of the way: a branch, how it went, and what was seen below it."""
    branch, below = ("└─", "  ") if last else ("├─", "│ ")
    terminal.report(f"  {branch} {_MARKS[entry.outcome]}  {entry.what}", _TONES[entry.outcome])
    if entry.detail:
        terminal.report(f"  {below}       {entry.detail}")
