"""What verdicts say of the chain, and of the exception that they rest on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import PAST, SupplyChain
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.maintainer import authoring
from pip_intoto.policy.file import load_policy
from pip_intoto.verdict import ExceptionUsed, Outcome, Status
from pip_intoto.verifier.judge import judge
from pip_intoto.verifier.presenting import presentable
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.maintainer.authoring import Document
    from pip_intoto.verdict import Verdict

WHEEL = wheel("demo")
BUNDLE = f"https://files.example/{WHEEL.filename}.intoto.jsonl"
CHAIN = SupplyChain(project="demo")
EXCEPTION = """
[[exception]]
project = "demo"
reason = "upstream is slow"
owner = "security@acme.example"
expires = 2199-03-31
"""


def judged(
    folder: Path,
    evidence: Sequence[Document] | None,
    *,
    chain: SupplyChain = CHAIN,
    tail: str = "",
    rule: str = "",
    built: Built = WHEEL,
) -> Verdict:
    """Judge the wheel by a policy that trusts ``chain``, with this evidence beside it."""
    path = chain.policy(folder, rule=rule)
    path.write_text(path.read_text() + tail)
    distribution = Distribution(
        name=built.name,
        version=built.version,
        filename=built.filename,
        kind=Kind.WHEEL,
        sha256=built.sha256,
        url=f"https://files.example/{built.filename}",
    )
    repository = Repository({} if evidence is None else {BUNDLE: authoring.bundle(evidence)})
    return repository.run(judge(distribution, load_policy(path)))


def test_a_verified_file_has_its_chain_and_no_exception(tmp_path: Path) -> None:
    verdict = judged(tmp_path, CHAIN.evidence(WHEEL), tail=EXCEPTION + 'waives=["layout-expired"]')
    assert verdict.status is Status.VERIFIED
    assert verdict.chain is not None
    assert {station.outcome for station in verdict.chain.stations} == {Outcome.OK}
    assert verdict.chain.binding
    assert len(verdict.chain.documents) == len(CHAIN.evidence(WHEEL)) - 1
    assert verdict.exception is None


def test_a_blocked_file_has_the_chain_that_broke(tmp_path: Path) -> None:
    verdict = judged(tmp_path, CHAIN.evidence(WHEEL)[:-1])
    assert verdict.reason == "link-missing"
    assert verdict.chain is not None
    assert Outcome.FAIL in {station.outcome for station in verdict.chain.stations}


def test_a_layout_that_the_consumer_holds_is_drawn_though_nothing_is_beside(
    tmp_path: Path,
) -> None:
    (tmp_path / "held.layout").write_bytes(authoring.written(CHAIN.root().content))
    verdict = judged(tmp_path, None, rule='layout = "held.layout"')
    assert (verdict.status, verdict.reason) == (Status.MISSING, "link-missing")
    assert verdict.chain is not None
    assert {station.outcome for station in verdict.chain.stations} == {Outcome.FAIL}
    assert verdict.chain.documents == ()


@pytest.mark.parametrize("evidence", [None, (), "strangers"])
def test_where_no_layout_can_be_believed_there_is_no_chain(
    tmp_path: Path, evidence: Sequence[Document] | str | None
) -> None:
    strangers = SupplyChain(project="demo", owners=(key("stranger"),))
    found = strangers.evidence(WHEEL) if isinstance(evidence, str) else evidence
    verdict = judged(tmp_path, found)
    assert verdict.status in {Status.INVALID, Status.MISSING}
    assert verdict.chain is None


def test_an_expired_layout_is_drawn_only_where_an_exception_believes_it(tmp_path: Path) -> None:
    expired = SupplyChain(project="demo", expires=PAST)
    blocked = judged(tmp_path, expired.evidence(WHEEL), chain=expired)
    assert (blocked.reason, blocked.chain, blocked.exception) == ("layout-expired", None, None)
    waives = EXCEPTION + 'waives = ["layout-expired"]'
    exempt = judged(tmp_path, expired.evidence(WHEEL), chain=expired, tail=waives)
    assert exempt.status is Status.EXEMPT
    assert exempt.chain is not None
    assert exempt.chain.expires == PAST
    assert exempt.exception == ExceptionUsed(
        owner="security@acme.example",
        reason="upstream is slow",
        expires=date(2199, 3, 31),
        waives=("layout-expired",),
    )


def test_what_is_waived_entirely_has_an_exception_and_no_chain(tmp_path: Path) -> None:
    verdict = judged(tmp_path, CHAIN.evidence(WHEEL), tail=EXCEPTION)
    assert verdict.status is Status.EXEMPT
    assert verdict.chain is None
    assert verdict.exception is not None
    assert verdict.exception.waives == ()


def test_names_in_a_chain_are_made_printable_and_still_fit_each_other(tmp_path: Path) -> None:
    verdict = judged(tmp_path, CHAIN.evidence(WHEEL), tail=EXCEPTION)
    verdict = replace(verdict, chain=judged(tmp_path, CHAIN.evidence(WHEEL)).chain)
    assert verdict.chain is not None
    assert verdict.exception is not None
    first, *others = verdict.chain.stations
    evil = "tag\x1b[2J\u202e" + "x" * 5_000
    stations = (
        replace(first, name=evil, detail=evil, predicates=(evil,)),
        *(replace(each, feeds=(evil,), functionaries=(evil,)) for each in others),
    )
    shown = presentable(
        replace(
            verdict,
            chain=replace(verdict.chain, stations=stations, owners=(evil,), binding=evil),
            exception=replace(verdict.exception, owner=evil, reason=evil),
        )
    )
    assert shown.chain is not None
    assert shown.exception is not None
    assert "\x1b" not in repr(shown.chain).replace("\\x1b", "")
    assert all(text.isprintable() for text in (shown.exception.owner, shown.exception.reason))
    named, *others = shown.chain.stations
    drawn = (named.name, named.detail, *named.predicates)
    for text in (*drawn, *shown.chain.owners, shown.chain.binding):
        assert text.isprintable()
        assert len(text) <= 1_000
    assert all(each.feeds == (named.name,) == each.functionaries for each in others)
