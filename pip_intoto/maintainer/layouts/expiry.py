"""When a layout ends: how a source and a command line say it, and how layouts write it."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto.errors import CommandError

if TYPE_CHECKING:
    from datetime import date

_PERIOD = re.compile(r"([1-9][0-9]{0,3}) *(day|week|month|year)s?")
_MONTHS = 12
_YEARS = 9999
_LAST_SECOND = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class Period:
    """How long a layout lasts, by the calendar: ``unit`` is day, week, month or year."""

    count: int
    unit: str

    @classmethod
    def of(cls, text: str) -> Period | None:
        """Read ``6 months``; None for what is no period."""
        matched = _PERIOD.fullmatch(text)
        return None if matched is None else cls(int(matched[1]), matched[2])

    def after(self, start: datetime) -> datetime:
        """The moment at which it is over. Raises OverflowError behind the year 9999."""
        if self.unit in {"day", "week"}:
            return start + timedelta(days=self.count * (7 if self.unit == "week" else 1))
        months = start.month - 1 + self.count * (_MONTHS if self.unit == "year" else 1)
        year, month = start.year + months // _MONTHS, months % _MONTHS + 1
        if year > _YEARS:
            raise OverflowError
        # The 31st of a month that has thirty days, the 29th of February.
        day = min(start.day, calendar.monthrange(year, month)[1])
        return start.replace(year=year, month=month, day=day)


#: A period is counted from when the layout is built; a moment is aware, in UTC.
Expiry: TypeAlias = Period | datetime


def end_of(day: date) -> datetime:
    """The last moment of a day: what expires on a day is good for all of it."""
    return datetime.combine(day, _LAST_SECOND, timezone.utc)


def written(moment: datetime) -> str:
    """As layouts write it (H2)."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def expiry_of(text: str, *, now: datetime) -> datetime:
    """The moment that ``text`` means, in UTC: a date, date and time, or a period from ``now``.

    A date means its end, and a period ends with a day, so that whoever renews again on the same
    day renews to the same moment. Raises CommandError.
    """
    text = text.strip()
    period = Period.of(text)
    try:
        if period is not None:
            return end_of(period.after(now.astimezone(timezone.utc)).date())
        # Before 3.11, Python does not know what Z means.
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except (ValueError, OverflowError):
        raise CommandError(
            "this is no expiry",
            expected="2027-12-31, 2027-12-31T12:00:00Z, or a period such as '6 months'",
            found=text,
        ) from None
    if re.fullmatch(r"[0-9-]+", text):
        return end_of(moment.date())
    if moment.tzinfo is None:
        raise CommandError(
            "this expiry does not say in which time zone it is",
            expected=f"{moment:%Y-%m-%dT%H:%M:%S}Z for UTC",
            found=text,
        )
    return moment.astimezone(timezone.utc).replace(microsecond=0)
