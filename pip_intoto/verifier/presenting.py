"""Verdicts as they may be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pip_intoto.sources.addresses import printable
from pip_intoto.verdict import TraceEntry

if TYPE_CHECKING:
    from pip_intoto.verdict import ExceptionUsed, Station, SupplyChain, Verdict

#: Characters of a name, and of what else stands on a line with others.
_NAME = 500


def presentable(verdict: Verdict) -> Verdict:
    """Make everything printable: much of it was an attacker's to choose."""
    return replace(
        verdict,
        summary=printable(verdict.summary),
        expected=printable(verdict.expected),
        found=printable(verdict.found),
        advice=printable(verdict.advice),
        trace=tuple(
            TraceEntry(printable(entry.what, _NAME), entry.outcome, printable(entry.detail, 1_000))
            for entry in verdict.trace
        ),
        chain=None if verdict.chain is None else _chain(verdict.chain),
        exception=None if verdict.exception is None else _exception(verdict.exception),
    )


def _chain(chain: SupplyChain) -> SupplyChain:
    return replace(
        chain,
        owners=_names(chain.owners),
        stations=tuple(map(_station, chain.stations)),
        binding=printable(chain.binding, _NAME),
    )


def _station(station: Station) -> Station:
    return replace(
        station,
        name=printable(station.name, _NAME),
        functionaries=_names(station.functionaries),
        # As the names of the stations themselves, so that they are still the same.
        feeds=_names(station.feeds),
        detail=printable(station.detail, 1_000),
        predicates=_names(station.predicates),
    )


def _exception(exception: ExceptionUsed) -> ExceptionUsed:
    return replace(
        exception, owner=printable(exception.owner, _NAME), reason=printable(exception.reason)
    )


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(printable(name, _NAME) for name in names)
