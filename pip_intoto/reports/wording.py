"""How reports put numbers and changes: the same words in every format that people read."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING

from pip_intoto.account import CHANGES
from pip_intoto.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pip_intoto.account import Account, Change, Traffic

_KILO = 1_000


def number(count: int, what: str) -> str:
    """``1 request``, ``1,200 requests``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def size(count: int) -> str:
    """A number of bytes in the unit that suits it: ``1.2 MB``."""
    if count < _KILO:
        return number(count, "byte")
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < _KILO:
            return f"{amount:.1f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} GB"


def percent(share: float) -> str:
    """A percentage with one decimal, never rounded up: 99.96 is not 100."""
    return f"{int(share * 10) / 10:.1f} %"


def moment(of: datetime) -> str:
    """A point in time in UTC, as RFC 3339 has it; for programs."""
    return of.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def buckets(counts: Mapping[Status, int]) -> str:
    """The counts of a run, never mixed: ``392 verified, 3 exempt, 5 missing``.

    ``verified`` is always among them, the others where there are any.
    """
    return ", ".join(
        f"{count} {status.value}"
        for status, count in counts.items()
        if count or status is Status.VERIFIED
    )


def coverage(account: Account) -> str:
    """``98.0 % (392 of 400 verified)``, and whether that is enough."""
    verified, all_of_them = account.counts[Status.VERIFIED], len(account.checked)
    said = f"{percent(account.coverage)} ({verified:,} of {all_of_them:,} verified)"
    if falls_short(account):
        said += f", below the {account.fail_under:g} % that are asked for"
    elif account.fail_under is not None and account.checked:
        said += f"; {account.fail_under:g} % are asked for"
    return said


def falls_short(account: Account) -> bool:
    """Whether fewer are verified than ``--fail-under`` asks for; of nothing, no share is."""
    wanted = account.fail_under
    return wanted is not None and bool(account.checked) and account.coverage < wanted


def outcome(account: Account) -> str:
    """What the run came to, in few words, for a title."""
    if account.interrupted:
        return "interrupted"
    if account.exit_status == 0:
        return "passed" if account.checked else "nothing has changed"
    if account.exit_status == 1:
        return "blocked"
    if not account.counts[Status.VERIFIED]:
        return "nothing verified"
    return "not decided"


def traffic(of: Traffic) -> str:
    """What went over the network, against what the files would have cost; may be empty."""
    if not of.requests:
        return ""
    said = f"fetched {size(of.received - of.files)} of evidence in {number(of.requests, 'request')}"
    if of.files:
        said += f", and {size(of.files)} of files that had to be looked into"
    if of.spared:
        said += f"; the files themselves would have been {size(of.spared + of.files)}"
    return said


def passed_over(account: Account) -> list[str]:
    """What was not looked at, and why; one sentence each."""
    said = []
    if account.left_out:
        what = number(len(account.left_out), "project")
        said.append(f"{what} of the lock left out: not installed here (-v names them)")
    if account.unchanged:
        said.append(f"{number(account.unchanged, 'project')} passed over, unchanged")
    return said


def change(of: Change) -> str:
    """``was, now is``: one change in trust."""
    match of.before, of.after:
        case "", after:
            return after
        case before, "":
            return f"was {before}"
        case before, after:
            return f"{before} → {after}"
    raise AssertionError  # pragma: no cover - a pair is one of these


def kind(of: Change) -> str:
    """The kind of a change as words."""
    return of.kind.replace("-", " ")


def by_weight(changes: tuple[Change, ...]) -> list[Change]:
    """Changes with those first that somebody should look at."""
    weights = {kind: weight for weight, kind in enumerate(CHANGES)}
    return sorted(changes, key=lambda each: weights.get(each.kind, 0))
