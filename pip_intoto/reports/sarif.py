"""A run as SARIF 2.1.0, for services that show findings in the code: GitHub, GitLab, Azure.

A result points at the line that names the distribution, most often in a lockfile. Verified ones
have none, nor has what the policy lets through without a word: these services show every result as
a finding. What an exception lets through is a note, suppressed with the exception's reason.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from pip_intoto.reports import wording
from pip_intoto.reports.lines import one_line, parts, printable, subject
from pip_intoto.reports.reasons import reason
from pip_intoto.verdict import Action, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pip_intoto.account import Account, Checked
    from pip_intoto.distribution import Distribution
    from pip_intoto.errors import PipIntotoError
    from pip_intoto.verdict import ExceptionUsed

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
#: What relative paths are relative to: where the command ran, which should be the checkout.
_ROOT = "%SRCROOT%"
_LEVELS = {Action.BLOCK: "error", Action.WARN: "warning", Action.PASS: "note"}

_Object = dict[str, object]


def render(account: Account) -> str:
    """Render a log with one run."""
    told = [each for each in account.checked if _is_finding(each)]
    codes = list(dict.fromkeys(each.verdict.reason for each in told))
    notifications = _notifications(account)
    run = {
        "tool": {
            "driver": {
                "name": "pip-intoto",
                "version": account.version,
                "rules": [_rule(code) for code in codes],
                "notifications": [
                    {"id": code} for code in dict.fromkeys(code for code, _, _ in notifications)
                ],
            }
        },
        "invocations": [
            {
                # Whether the tool could do its work, not whether it liked what it saw.
                "executionSuccessful": not (account.failures or account.interrupted),
                "exitCode": account.exit_status,
                "exitCodeDescription": wording.outcome(account),
                "startTimeUtc": wording.moment(account.began),
                "endTimeUtc": wording.moment(account.ended),
                "toolExecutionNotifications": [
                    {
                        "descriptor": {"id": code},
                        "level": level,
                        "message": _message(text),
                    }
                    for code, level, text in notifications
                ],
            }
        ],
        "originalUriBaseIds": {
            _ROOT: {"description": {"text": "The directory in which pip-intoto ran."}}
        },
        "automationDetails": {"id": "pip-intoto/"},
        "columnKind": "unicodeCodePoints",
        "results": _results(told, codes),
        "properties": {
            "counts": {status.value: count for status, count in account.counts.items()},
            "coverage": account.coverage,
        },
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _is_finding(checked: Checked) -> bool:
    verdict = checked.verdict
    return verdict.action is not Action.PASS or verdict.status is Status.EXEMPT


# --- rules ----------------------------------------------------------------------------------


def _rule(code: str) -> _Object:
    about = reason(code)
    rule: _Object = {
        "id": code,
        "shortDescription": {"text": about.title.replace("`", "'")},
        "properties": {"tags": ["supply-chain", "in-toto"]},
    }
    if about.cause:
        plain = f"Cause: {about.cause}\n\nCure: {about.cure}"
        rule["fullDescription"] = {"text": f"{about.title} {about.cause}".replace("`", "'")}
        rule["help"] = {
            "text": plain.replace("`", "'"),
            "markdown": f"**Cause.** {about.cause}\n\n**Cure.** {about.cure}",
        }
    return rule


# --- results --------------------------------------------------------------------------------


def _results(told: Iterable[Checked], codes: Sequence[str]) -> list[_Object]:
    rules = {code: index for index, code in enumerate(codes)}
    seen: Counter[str] = Counter()
    results = []
    for each in told:
        verdict = each.verdict
        identity = _identity(each)
        seen[identity] += 1
        result: _Object = {
            "ruleId": verdict.reason,
            "ruleIndex": rules[verdict.reason],
            "level": _LEVELS[verdict.action],
            "message": _message(_text(each)),
            "locations": [_location(each)],
            # The first is the one that GitHub goes by. It stays the same when lines move, and is
            # another for another file or reason: what somebody dismissed is not dismissed forever.
            "partialFingerprints": {
                "primaryLocationLineHash": f"{identity[:16]}:{seen[identity]}",
                "distribution/v1": identity,
            },
            "properties": {
                "status": verdict.status.value,
                "action": verdict.action.value,
                "sha256": verdict.distribution.sha256,
            },
        }
        if verdict.exception is not None:
            result["suppressions"] = [_suppression(verdict.exception)]
        results.append(result)
    return results


def _text(checked: Checked) -> str:
    verdict = checked.verdict
    about = subject(verdict.distribution)
    # Most summaries begin with it.
    named = verdict.summary.startswith(about)
    said = [verdict.summary if named else f"{about}: {verdict.summary}"]
    said += [f"{label.capitalize()}: {text}" for label, text in parts(verdict)]
    said += [f"Note: {note}" for note in checked.notes]
    return "\n".join(said)


def _identity(checked: Checked) -> str:
    distribution = checked.verdict.distribution
    what = (
        "" if checked.place is None else checked.place.path.as_posix(),
        checked.verdict.reason,
        distribution.name,
        distribution.version,
        distribution.filename,
        distribution.sha256,
    )
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _suppression(exception: ExceptionUsed) -> _Object:
    return {
        "kind": "external",
        "status": "accepted",
        "justification": printable(
            f"{exception.reason} ({exception.owner}, until {exception.expires})"
        ),
    }


# --- places ---------------------------------------------------------------------------------


def _location(checked: Checked) -> _Object:
    distribution = checked.verdict.distribution
    location: _Object = {"logicalLocations": [_logical(distribution)]}
    if checked.place is not None:
        location["physicalLocation"] = {
            "artifactLocation": _artifact(checked.place.path),
            "region": {"startLine": checked.place.line},
        }
    elif distribution.path is not None and not distribution.path.is_absolute():
        # A file that was given itself, and not the private copy of one from an index.
        location["physicalLocation"] = {"artifactLocation": _artifact(distribution.path)}
    return location


def _logical(distribution: Distribution) -> _Object:
    name, version = one_line(distribution.name), one_line(distribution.version)
    return {
        "name": name,
        "fullyQualifiedName": f"{name}=={version}" if version else name,
        "kind": "package",
    }


def _artifact(path: Path) -> _Object:
    # Names that are no UTF-8 have lone surrogates for their bytes; other surrogates are no name.
    text = path.as_posix().encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if path.is_absolute():
        return {"uri": f"file://{'' if text.startswith('/') else '/'}{quote(text, safe='/:')}"}
    return {"uri": quote(text), "uriBaseId": _ROOT}


# --- what is not about a distribution -------------------------------------------------------


def _notifications(account: Account) -> list[tuple[str, str, str]]:
    """Give code, level and text of each."""
    told = [(failure.code, "error", _failure(failure)) for failure in account.failures]
    if wording.falls_short(account):
        told.append(("fail-under", "error", f"The coverage is {wording.coverage(account)}."))
    if account.exit_status and not account.counts[Status.VERIFIED]:
        told.append(("nothing-verified", "error", "Nothing was verified."))
    if account.interrupted:
        told.append(
            ("interrupted", "warning", "The run was interrupted; its results are not all there.")
        )
    return told


def _failure(failure: PipIntotoError) -> str:
    said = [str(failure)]
    said += [f"{label.capitalize()}: {text}" for label, text in parts(failure)]
    return "\n".join(said)


def _message(text: str) -> _Object:
    # `[text](address)` is a link, and braces are placeholders, in any message.
    plain = printable(text).replace("](", "] (").replace("{", "{{").replace("}", "}}")
    return {"text": plain}
