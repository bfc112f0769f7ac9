"""The head of the page: what the run came to, in a sentence, in numbers, and under what terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.reports.lines import OF_CHANGE, Tone
from pip_intoto.reports.page.palette import MEANINGS, ORDER
from pip_intoto.reports.page.texts import items, line, lines, prose
from pip_intoto.reports.reasons import reason
from pip_intoto.reports.wording import by_weight, falls_short, kind, number, percent, size
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pip_intoto.account import Account, Change
    from pip_intoto.errors import PipIntotoError

#: The bar's length, and the least that one distribution takes of it.
_BAR = 1_000
_LEAST = 5

_EXITS = {
    0: "nothing blocks",
    1: "something blocks",
    2: "not all could be looked at",
    130: "interrupted",
}

#: How a change is meant, as a class of the style sheet; others have that of what no rule names.
_TONES = {Tone.GOOD: "verified", Tone.DOUBT: "missing", Tone.BAD: "invalid"}


def outcome(account: Account) -> str:
    """What the run came to, in one sentence."""
    total = len(account.checked)
    actions = [checked.verdict.action for checked in account.checked]
    blocked, warned = actions.count(Action.BLOCK), actions.count(Action.WARN)
    if account.interrupted:
        return f"Interrupted after {number(total, 'distribution')}"
    if blocked:
        return f"{blocked:,} of {number(total, 'distribution')} blocked"
    if account.failures:
        return f"{number(len(account.failures), 'target')} could not be judged"
    if not total:
        return "Nothing has changed" if account.unchanged else "Nothing was looked at"
    if falls_short(account):
        return f"Coverage of {percent(account.coverage)} is too low"
    if not account.counts[Status.VERIFIED]:
        return "Nothing was verified"
    if warned:
        return f"{warned:,} of {number(total, 'distribution')} with a warning"
    return "The distribution passes" if total == 1 else f"All {total:,} distributions pass"


def head(account: Account) -> str:
    """Title, targets, coverage, counts and terms."""
    blocked = account.exit_status == 1
    tone = "invalid" if blocked else "verified" if account.exit_status == 0 else "unreachable"
    targets = items([f"<code>{line(target, 300)}</code>" for target in account.targets])
    return (
        f'<header class="{tone}">\n'
        '<div class="top"><p class="brand">pip-intoto'
        f" {line(account.version, 60)} <span>supply-chain verification</span></p>"
        '<button type="button" id="theme" hidden>Theme: automatic</button></div>\n'
        f'<h1><span class="sign"></span> {outcome(account)}</h1>\n'
        f'<ul class="targets" aria-label="Targets">{targets}</ul>\n</header>\n'
        f"{_totals(account)}{_terms(account)}"
    )


def _totals(account: Account) -> str:
    counts = account.counts
    asked = ""
    if account.fail_under is not None:
        kept = "missed" if falls_short(account) else "reached"
        asked = f", at least {account.fail_under:g} % wanted: {kept}"
    share, unit = percent(account.coverage).split(" ")
    tiles = "".join(
        f'<li class="{status.value}" data-status="{status.value}"><span class="tile">'
        f'<span class="sign"></span><span class="word">{status.value}</span>'
        f'<span class="count">{counts[status]:,}</span></span></li>'
        for status in reversed(ORDER)
    )
    meanings = "".join(
        f'<div class="{status.value}"><dt><span class="sign"></span> {status.value}</dt>'
        f"<dd>{MEANINGS[status]}</dd></div>"
        for status in reversed(ORDER)
    )
    return (
        '<section class="totals" aria-labelledby="totals">\n<h2 id="totals">Totals</h2>\n'
        f'<p class="coverage"><b>{share}<small> {unit}</small></b>'
        f" <span>coverage: {counts[Status.VERIFIED]:,} of"
        f" {number(len(account.checked), 'distribution')} verified{asked}</span>"
        f"</p>\n{_bar(counts, account)}"
        f'<ul class="tiles">{tiles}</ul>\n'
        '<details class="words"><summary>What the words mean</summary>'
        f"<dl>{meanings}</dl></details>\n</section>\n"
    )


def _bar(counts: dict[Status, int], account: Account) -> str:
    """All counts as one bar, in which even a single distribution can be seen."""
    present = [status for status in reversed(ORDER) if counts[status]]
    if not present:
        return ""
    room = _BAR - _LEAST * len(present)
    x = 0.0
    parts = []
    for status in present:
        width = _LEAST + room * counts[status] / len(account.checked)
        parts.append(
            f'<rect class="{status.value}" x="{x:.1f}" width="{max(width - 2, 2):.1f}"'
            ' height="10"/>'
        )
        x += width
    return (
        f'<svg class="bar" viewBox="0 0 {_BAR} 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(parts)}</svg>\n"
    )


def _terms(account: Account) -> str:
    return (
        '<section class="terms" aria-labelledby="terms">\n<h2 id="terms">The run</h2>\n<dl>'
        + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _facts(account))
        + "</dl>\n</section>\n"
    )


def _facts(account: Account) -> Iterator[tuple[str, str]]:
    """Names and values; both are HTML."""
    policy = account.policy
    if policy is None:
        yield "Policy", "none: verified against a layout"
    else:
        digest = f"<code>{line(policy.sha256[:16])}…</code>"
        terms = f'<span class="muted">mode {line(policy.mode, 40)}, sha256 {digest}</span>'
        yield "Policy", f"<code>{line(str(policy.path), 300)}</code><br>{terms}"
    took = (account.ended - account.began).total_seconds()
    began = f"{account.began:%Y-%m-%d %H:%M:%S %Z}"
    moment = f'<time datetime="{account.began.isoformat()}">{began}</time>'
    yield "When", f'{moment}<br><span class="muted">took {took:.1f} s</span>'
    yield "Exit status", f"{account.exit_status}: {_EXITS.get(account.exit_status, 'an error')}"
    traffic = account.traffic
    sent = f"{number(traffic.requests, 'request')}, {size(traffic.received)} received"
    notes = []
    if traffic.files:
        notes.append(f"{size(traffic.files)} of them files")
    if traffic.spared:
        notes.append(f"{size(traffic.spared)} not downloaded")
    yield "Network", sent + (f'<br><span class="muted">{", ".join(notes)}</span>' if notes else "")
    passed_over = []
    if account.left_out:
        passed_over.append(f"{len(account.left_out):,} not installed here")
    if account.unchanged:
        passed_over.append(f"{account.unchanged:,} unchanged")
    if passed_over:
        yield "Passed over", "<br>".join(passed_over)


def failures(errors: Sequence[PipIntotoError]) -> str:
    """What could not be judged at all; empty where there is nothing."""
    if not errors:
        return ""
    listed = items(
        [
            f"<p><code>{line(error.code, 80)}</code> {line(error.message)}</p>"
            + (f'<p class="muted"><code>{line(error.place, 300)}</code></p>' if error.place else "")
            + comparison(error.expected, error.found, error.advice)
            for error in errors
        ]
    )
    return (
        '<section class="failures invalid" aria-labelledby="failures">\n'
        f'<h2 id="failures">Could not be judged</h2>\n<ul class="plain">{listed}</ul>\n</section>\n'
    )


def reasons(account: Account) -> str:
    """Cause and cure of each reason that kept something from passing; empty where none did."""
    codes = {error.code for error in account.failures} | {
        checked.verdict.reason
        for checked in account.checked
        if checked.verdict.action is not Action.PASS
    }
    meant = {code: reason(code) for code in sorted(codes)}
    listed = "".join(
        f"<div><dt><code>{line(code, 80)}</code></dt><dd>{prose(each.title)}"
        f"{_more('Cause', each.cause)}{_more('Cure', each.cure)}</dd></div>"
        for code, each in meant.items()
        if each.cause
    )
    if not listed:
        return ""
    return (
        '<section class="reasons" aria-labelledby="reasons">\n'
        f'<h2 id="reasons">What the reasons mean</h2>\n<dl>{listed}</dl>\n</section>\n'
    )


def _more(what: str, text: str) -> str:
    return f'<p><span class="muted">{what}:</span> {prose(text)}</p>' if text else ""


def changes(found: Sequence[Change] | None) -> str:
    """What changed in trust; empty where nobody asked."""
    if found is None:
        return ""
    heading = (
        '<section class="changes" aria-labelledby="changes">\n'
        '<h2 id="changes">Changes in trust</h2>\n'
    )
    if not found:
        return f"{heading}<p>Nothing has changed in trust.</p>\n</section>\n"
    rows = "".join(
        f'<tr class="{_tone(each)}">'
        f'<th scope="row">{line(each.project, 200)}</th>'
        f'<td><span class="pill">{line(kind(each), 60)}</span></td>'
        f"<td>{_side(each.before)}</td><td>{_side(each.after)}</td>"
        f"<td><code>{line(str(each.place), 300) if each.place else ''}</code></td></tr>\n"
        for each in by_weight(tuple(found))
    )
    return (
        f'{heading}<table><thead><tr><th scope="col">Project</th><th scope="col">Change</th>'
        '<th scope="col">Before</th><th scope="col">After</th><th scope="col">Place</th>'
        f"</tr></thead>\n<tbody>\n{rows}</tbody></table>\n</section>\n"
    )


def _tone(change: Change) -> str:
    return _TONES.get(OF_CHANGE.get(change.kind, Tone.PLAIN), "unlisted")


def _side(text: str) -> str:
    return line(text) if text else '<span class="muted">not there</span>'


def comparison(expected: str, found: str, advice: str) -> str:
    """What was expected, what was found, and what to do; empty where all are."""
    pairs = [
        f'<div><dt>{name}</dt><dd class="{style}">{lines(text)}</dd></div>'
        for name, style, text in (
            ("Expected", "expected", expected),
            ("Found", "found", found),
            ("What to do", "advice", advice),
        )
        if text
    ]
    return f'<dl class="compared">{"".join(pairs)}</dl>' if pairs else ""
