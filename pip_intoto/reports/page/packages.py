"""The table of distributions, and what stands behind each of its rows.

What stands behind a row is in ``noscript``. Without scripts a browser shows it as it is; with
scripts it takes it for a single text until somebody opens the row, and thousands of drawings cost
nothing until then.
"""

from __future__ import annotations

from datetime import MAXYEAR
from typing import TYPE_CHECKING

from pip_intoto.reports.page.overview import comparison
from pip_intoto.reports.page.palette import ORDER
from pip_intoto.reports.page.texts import items, line, lines
from pip_intoto.reports.wording import number
from pip_intoto.sources.addresses import redacted
from pip_intoto.verdict import Action, Outcome, Status
from pip_intoto.verification.wording import publisher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from pip_intoto.account import Checked
    from pip_intoto.reports.page.chains import Drawings
    from pip_intoto.verdict import ExceptionUsed, SupplyChain, TraceEntry, Verdict

_ACTIONS = {Action.PASS: "", Action.WARN: "warns", Action.BLOCK: "blocks"}
_OUTCOMES = {Outcome.OK: "", Outcome.NOTE: ' class="note"', Outcome.FAIL: ' class="fail"'}
_SPOKEN = {Outcome.OK: "", Outcome.NOTE: "note: ", Outcome.FAIL: "failed: "}


def table(checked: Sequence[Checked], drawings: Drawings, *, now: datetime) -> str:
    """The section with controls and table; what needs attention comes first."""
    order = {status: at for at, status in enumerate(ORDER)}
    sorted_rows = sorted(
        enumerate(checked),
        key=lambda each: (order[each[1].verdict.status], each[1].verdict.distribution.name),
    )
    rows = "".join(_row(at, each, drawings, now) for at, each in sorted_rows)
    return (
        '<section class="packages" aria-labelledby="packages">\n'
        '<h2 id="packages" tabindex="-1">Distributions</h2>\n'
        '<div class="controls" id="controls" role="search" hidden>'
        '<label for="text">Filter</label>'
        '<input type="search" id="text" autocomplete="off" spellcheck="false"'
        ' placeholder="name, file, reason, place, digest">'
        '<button type="button" id="expand">Open all shown</button>'
        '<button type="button" id="reset">Clear</button></div>\n'
        f'<p id="shown" role="status" aria-live="polite">{number(len(checked), "distribution")}</p>'
        '\n<table id="table"><thead><tr>'
        '<th scope="col" data-sort="status" aria-sort="ascending">Status</th>'
        '<th scope="col" data-sort="name">Distribution</th>'
        '<th scope="col">Finding</th>'
        '<th scope="col" data-sort="place">Place</th>'
        f'</tr></thead>\n{rows}</table>\n<button type="button" id="rest" hidden></button>'
        '<p id="none" hidden>Nothing matches.</p>\n</section>\n'
    )


def _row(at: int, checked: Checked, drawings: Drawings, now: datetime) -> str:
    verdict = checked.verdict
    distribution = verdict.distribution
    action = _ACTIONS[verdict.action]
    acts = f'<small class="{verdict.action.value}">{action}</small>' if action else ""
    filename = f"<small>{line(distribution.filename, 300)}</small>" if distribution.filename else ""
    place = f"<code>{line(str(checked.place), 300)}</code>" if checked.place else ""
    # What is verified has the same reason and much the same summary everywhere.
    reason = (
        "" if verdict.reason == verdict.status.value else f"<code>{line(verdict.reason)}</code> "
    )
    opened = "" if verdict.action is Action.PASS else " open"
    return (
        f'<tbody id="p{at}" class="{verdict.status.value}">'
        f'<tr><td><span class="pill"><span class="sign"></span> {verdict.status.value}</span>'
        f'{acts}</td><th scope="row"><span class="name"><b>{line(distribution.name, 200)}</b>'
        f" {line(distribution.version, 100)}</span>{filename}</th>"
        f"<td>{reason}{line(verdict.summary)}</td><td>{place}</td></tr>\n"
        f'<tr class="more"><td colspan="4"><noscript><details{opened}>'
        "<summary>Supply chain and trace</summary>"
        f"{''.join(_details(checked, drawings, now))}</details></noscript></td></tr></tbody>\n"
    )


def _details(checked: Checked, drawings: Drawings, now: datetime) -> Iterator[str]:
    verdict = checked.verdict
    yield '<div class="panel"><div class="drawing">'
    if verdict.chain is not None:
        caption = _caption(verdict, verdict.chain, now)
        yield (
            f"<figure>{drawings.draw(verdict, verdict.chain)}"
            f"<figcaption>{caption}</figcaption></figure>"
        )
    else:
        why = (
            "no layout could be believed"
            if verdict.status is Status.INVALID
            else "no layout is known"
        )
        yield f'<p class="empty">There is no supply chain to draw: {why}.</p>'
    yield '</div><div class="facts">'
    yield comparison(verdict.expected, verdict.found, verdict.advice)
    if verdict.exception is not None:
        yield _exception(verdict.exception, now)
    if checked.notes:
        noted = items([line(note) for note in checked.notes])
        yield f'<h3>Notes</h3><ul class="notes">{noted}</ul>'
    if verdict.trace:
        yield f'<h3>Trace</h3><ol class="trace">{_trace(verdict.trace)}</ol>'
    facts = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _facts(verdict)
    )
    yield f'<h3>File</h3><dl class="file">{facts}</dl></div></div>'


def _caption(verdict: Verdict, chain: SupplyChain, now: datetime) -> str:
    owners = items([line(owner, 100) for owner in chain.owners], "b") or "nobody"
    expires = f"{chain.expires:%Y-%m-%d}"
    end = (
        f", <strong>expired {expires}</strong>"
        if chain.expires < now
        else f", <span>expires {expires}</span>"
        # A layout of the policy's own holds as long as the policy does.
        if chain.expires.year < MAXYEAR
        else ""
    )
    outcomes = {station.outcome for station in chain.stations}
    # Nothing was looked at: then it is the layout that this is about.
    broke = Outcome.NOTE in outcomes and Outcome.FAIL not in outcomes
    where = f"<br><strong>✕ broke here: {line(verdict.reason)}</strong>" if broke else ""
    return f'Layout signed by <span class="owners">{owners}</span>{end}{where}'


def _exception(used: ExceptionUsed, now: datetime) -> str:
    waived = items([f"<code>{line(code, 80)}</code>" for code in used.waives], "span")
    end = "expired" if used.expires < now.date() else "expires"
    return (
        '<div class="exception exempt"><h3>Exception of the policy</h3>'
        f"<p>{lines(used.reason)}</p><p>Owner <b>{line(used.owner, 200)}</b>, {end}"
        f" <b>{used.expires.isoformat()}</b>, waives {waived or 'everything'}.</p></div>"
    )


def _trace(entries: Sequence[TraceEntry]) -> str:
    listed = [
        f"<li{_OUTCOMES[entry.outcome]}>"
        + (
            f'<span class="spoken">{_SPOKEN[entry.outcome]}</span>'
            if _SPOKEN[entry.outcome]
            else ""
        )
        + f"<b>{line(entry.what)}</b>"
        + (f" <span>{line(entry.detail)}</span>" if entry.detail else "")
        + "</li>"
        for entry in entries
    ]
    if len(listed) > _ENTRIES:
        listed[_ENTRIES:] = [f"<li>and {len(entries) - _ENTRIES:,} more entries</li>"]
    return "".join(listed)


#: Entries of a trace that are shown.
_ENTRIES = 200


def _facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Names and values; both are HTML."""
    distribution = verdict.distribution
    yield "Kind", distribution.kind.value
    if distribution.sha256 is not None:
        yield "sha256", f"<code>{line(distribution.sha256, 64)}</code>"
    for name, address in (("From", distribution.url), ("Index", distribution.index)):
        if address is not None:
            yield name, f"<code>{line(redacted(address), 500)}</code>"
    if distribution.building_for:
        yield "Builds", line(distribution.building_for, 200)
    chain = verdict.chain
    if chain is not None:
        yield "Layout", f"<code>{line(chain.layout_sha256, 64)}</code>"
        if chain.credentials:
            vouched = dict.fromkeys(line(publisher(each), 200) for each in chain.credentials)
            yield "Publishers", f'<ul class="plain">{items(list(vouched))}</ul>'
        if chain.documents:
            documents = items([f"<code>{line(each, 64)}</code>" for each in chain.documents])
            yield number(len(chain.documents), "document"), f'<ul class="plain">{documents}</ul>'
