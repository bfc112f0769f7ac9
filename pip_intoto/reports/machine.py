"""A run as JSON, for programs. ``schema`` rises only when a member changes its meaning.

``docs/reference/report.schema.json`` is the schema of it, ``docs/reference/report.md`` says what
the members mean.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pip_intoto.reports.wording import moment
from pip_intoto.sources.addresses import redacted
from pip_intoto.verification.wording import publisher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.account import Account, Change, LeftOut
    from pip_intoto.credential import Credential
    from pip_intoto.distribution import Distribution, Place
    from pip_intoto.errors import PipIntotoError
    from pip_intoto.verdict import ExceptionUsed, Station, SupplyChain, Verdict

SCHEMA = 1


def render(account: Account) -> str:
    """Render a report with one object a verdict, in the order of the targets."""
    return dumped(
        {
            "schema": SCHEMA,
            "version": account.version,
            "exit-status": account.exit_status,
            "interrupted": account.interrupted,
            "began": moment(account.began),
            "ended": moment(account.ended),
            "targets": list(account.targets),
            "policy": account.policy
            and {
                "path": str(account.policy.path),
                "sha256": account.policy.sha256,
                "mode": account.policy.mode,
            },
            "counts": {status.value: count for status, count in account.counts.items()},
            "coverage": account.coverage,
            "fail-under": account.fail_under,
            "left-out": [_left_out(each) for each in account.left_out],
            "unchanged": account.unchanged,
            "verdicts": [
                described(each.verdict, place=each.place, notes=each.notes)
                for each in account.checked
            ],
            "failures": [_failure(failure) for failure in account.failures],
            "changes": None
            if account.changes is None
            else [_change(change) for change in account.changes],
            "traffic": {
                "requests": account.traffic.requests,
                "received": account.traffic.received,
                "files": account.traffic.files,
                "spared": account.traffic.spared,
            },
        }
    )


def described(
    verdict: Verdict, *, place: Place | None = None, notes: Sequence[str] = ()
) -> dict[str, object]:
    """One verdict as it stands in a report."""
    return {
        "distribution": _distribution(verdict.distribution),
        "place": _place(place),
        "status": verdict.status.value,
        "reason": verdict.reason,
        "action": verdict.action.value,
        "summary": verdict.summary,
        "expected": verdict.expected,
        "found": verdict.found,
        "advice": verdict.advice,
        "notes": list(notes),
        "exception": verdict.exception and _exception(verdict.exception),
        "chain": verdict.chain and _chain(verdict.chain),
        "trace": [
            {"what": entry.what, "outcome": entry.outcome.value, "detail": entry.detail}
            for entry in verdict.trace
        ],
    }


def dumped(report: dict[str, object]) -> str:
    """A report as text, in ASCII: names of files may be no text, and hold what drives a terminal.

    Bytes of a file's name that are no UTF-8 are lone surrogates, as everywhere in Python. Each
    member has a line of its own, and so has each element of one that is a list.
    """
    members = (f"  {json.dumps(name)}: {_dumped(value)}" for name, value in report.items())
    return "{\n" + ",\n".join(members) + "\n}\n"


def _dumped(value: object) -> str:
    # `indent` would be four times as slow: with it, json does not use what is written in C.
    if not isinstance(value, list) or not value:
        return _harmless(json.dumps(value))
    return "[\n" + ",\n".join(f"    {_harmless(json.dumps(each))}" for each in value) + "\n  ]"


def _harmless(text: str) -> str:
    # The same JSON; but on standard output, CI services take `##[…]` for a command of theirs.
    return text.replace("##", "#\\u0023")


# --- the parts ------------------------------------------------------------------------------


def _distribution(distribution: Distribution) -> dict[str, object]:
    return {
        "name": distribution.name,
        "version": distribution.version,
        "filename": distribution.filename,
        "kind": distribution.kind.value,
        "sha256": distribution.sha256,
        "url": None if distribution.url is None else redacted(distribution.url),
        "index": None if distribution.index is None else redacted(distribution.index),
    }


def _place(place: Place | None) -> dict[str, object] | None:
    return None if place is None else {"file": str(place.path), "line": place.line}


def _exception(exception: ExceptionUsed) -> dict[str, object]:
    return {
        "owner": exception.owner,
        "reason": exception.reason,
        "expires": exception.expires.isoformat(),
        "waives": list(exception.waives),
    }


def _chain(chain: SupplyChain) -> dict[str, object]:
    return {
        "layout-sha256": chain.layout_sha256,
        "owners": list(chain.owners),
        "owner-keys": list(chain.owner_keys),
        "credentials": [_credential(credential) for credential in chain.credentials],
        "expires": moment(chain.expires),
        "documents": list(chain.documents),
        "binding": chain.binding,
        "stations": [_station(station) for station in chain.stations],
    }


def _credential(credential: Credential) -> dict[str, object]:
    return {
        "publisher": publisher(credential),
        "issuer": credential.issuer,
        "subject": credential.subject,
        "signed-at": moment(credential.signed_at),
        "host": credential.host,
        "repository": credential.repository,
        "workflow": credential.workflow,
        "reused-workflow": credential.reused_workflow,
        "ref": credential.ref,
        "environment": credential.environment,
    }


def _station(station: Station) -> dict[str, object]:
    return {
        "name": station.name,
        "kind": "inspection" if station.is_inspection else "step",
        "functionaries": list(station.functionaries),
        "predicates": list(station.predicates),
        "wanted": station.wanted,
        "materials": station.materials,
        "products": station.products,
        "feeds": list(station.feeds),
        "outcome": station.outcome.value,
        "detail": station.detail,
    }


def _left_out(left_out: LeftOut) -> dict[str, object]:
    return {
        "name": left_out.name,
        "version": left_out.version,
        "place": _place(left_out.place),
        "why": left_out.why,
    }


def _failure(failure: PipIntotoError) -> dict[str, object]:
    return {
        "code": failure.code,
        "message": failure.message,
        "place": failure.place,
        "expected": failure.expected,
        "found": failure.found,
        "advice": failure.advice,
    }


def _change(change: Change) -> dict[str, object]:
    return {
        "project": change.project,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "place": _place(change.place),
    }
