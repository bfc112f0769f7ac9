"""What the verifier process does with each message of the gate.

The gate waits until the policy is read. What judges distributions, the larger half of all, is only
imported after that, while pip asks its index.
"""

from __future__ import annotations

import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import PolicyError
from pip_intoto.policy.file import load_policy
from pip_intoto.policy.model import Template, Tuf
from pip_intoto.sources.fetching import Fetches, Response
from pip_intoto.verifier.protocol import Garbage

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Any

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Verdict
    from pip_intoto.verifier.judge import Decision
    from pip_intoto.verifier.protocol import Message, Value, Wire
    from pip_intoto.verifier.records import Records


class _Case:
    """One announced distribution on its way to a verdict."""

    __slots__ = ("announced", "asked", "coroutine", "decision", "open", "responses")

    def __init__(
        self, announced: Distribution, decision: Decision, coroutine: Coroutine[Any, Any, Verdict]
    ) -> None:
        self.announced = announced
        self.decision = decision
        self.coroutine = coroutine
        #: How many of the current requests are still unanswered.
        self.open = 0
        self.responses: list[Response] = []
        #: How many requests were made for it altogether.
        self.asked = 0


class Service:
    """The state of one conversation."""

    def __init__(self, wire: Wire, limits: Limits) -> None:
        self._wire = wire
        self._limits = limits
        self._policy: Policy | None = None
        self._records: Records | None = None
        self._cases: dict[int, _Case] = {}
        #: The request's number -> whose it is, and its position among the case's requests.
        self._fetches: dict[int, tuple[int, int]] = {}
        self._last_fetch = 0
        #: Set when the conversation is over.
        self.ended = False

    def handle(self, message: Message) -> None:
        """Carry out one message. Raises Garbage for one that makes no sense here."""
        kind = message.text("type")
        if kind == "open":
            self._open(message)
        elif kind == "announce":
            self._announce(message)
        elif kind == "decide":
            self._decide(message)
        elif kind == "fetched":
            self._fetched(message)
        else:
            raise Garbage(f"a message of type {kind!r}")

    # --- the policy -------------------------------------------------------------------------

    @property
    def _ready(self) -> Policy:
        if self._policy is None:
            raise Garbage("no 'open' yet")
        return self._policy

    def _open(self, message: Message) -> None:
        if self._policy is not None:
            raise Garbage("a second 'open'")
        try:
            policy = load_policy(
                Path(message.text("policy")), sha256=message.optional_text("sha256")
            )
        except PolicyError as error:
            self._wire.send(
                {
                    "type": "failed",
                    "reason": error.code,
                    "summary": error.message,
                    "expected": error.expected,
                    "found": error.found,
                    "advice": error.advice,
                    "place": error.place,
                }
            )
            self.ended = True
            return
        self._policy = policy
        templates: list[Value] = list(
            dict.fromkeys(
                source.url
                for rule in policy.projects
                for source in rule.sources
                if isinstance(source, Template)
            )
        )
        templates += _tuf_templates(policy)
        self._wire.send(
            {
                "type": "ready",
                "mode": policy.mode,
                "unlisted": policy.unlisted,
                "listed": len(policy.projects),
                "sha256": policy.sha256,
                "protected": [str(path) for path in policy.files],
                "templates": templates,
            }
        )
        from pip_intoto.verifier import judge  # noqa: F401 - now rather than when pip waits for it

    # --- one distribution -------------------------------------------------------------------

    def _announce(self, message: Message) -> None:
        from pip_intoto.verifier.judge import Decision, judge

        policy = self._ready
        number = message.number("id")
        if number in self._cases:
            raise Garbage(f"a second 'announce' of {number}")
        announced = _distribution(message.object("distribution"))
        decision = Decision()
        case = _Case(
            announced,
            decision,
            judge(
                announced,
                policy,
                decision=decision,
                records=self._opened_records(),
                limits=self._limits,
            ),
        )
        self._cases[number] = case
        self._advance(number, case, None)

    def _opened_records(self) -> Records:
        # Opened when pip has found something to download: most conversations end before.
        from pip_intoto.verifier.records import open_records

        if self._records is None:
            self._records = open_records(limits=self._limits)
        return self._records

    def _decide(self, message: Message) -> None:
        number = message.number("id")
        case = self._cases.get(number)
        if case is None or case.decision.made:
            raise Garbage(f"a 'decide' of {number}, which is not waiting for one")
        known = case.announced
        path = message.optional_text("path")
        case.decision.make(
            Distribution(
                name=message.optional_text("name") or known.name,
                version=message.optional_text("version") or known.version,
                filename=message.optional_text("filename") or known.filename,
                kind=known.kind,
                sha256=message.optional_text("sha256"),
                url=known.url,
                index=known.index,
                path=None if path is None else Path(path),
                requested=known.requested,
                building_for=known.building_for,
            )
        )
        if not case.open:
            self._advance(number, case, None)

    def _fetched(self, message: Message) -> None:
        fetch = message.number("fetch")
        if fetch not in self._fetches:
            raise Garbage(f"an answer to request {fetch}, which was not made")
        number, position = self._fetches.pop(fetch)
        case = self._cases[number]
        try:
            body = binascii.a2b_base64(message.optional_text("body") or "")
        except ValueError as error:
            raise Garbage(f"the body of request {fetch} is not base64") from error
        case.responses[position] = Response(
            status=message.optional_number("status"),
            body=body,
            error=message.optional_text("error") or "",
            too_large=message.flag("too_large"),
            url=message.optional_text("url") or "",
        )
        case.open -= 1
        if not case.open:
            responses, case.responses = tuple(case.responses), []
            self._advance(number, case, responses)

    def _advance(self, number: int, case: _Case, answer: tuple[Response, ...] | None) -> None:
        """Run a case until it has to wait, or to its verdict."""
        try:
            wanted = case.coroutine.send(answer)
        except StopIteration as stop:
            self._tell(number, stop.value)
            return
        except (MemoryError, RecursionError) as error:
            # What was being read goes with the frames; the other cases go on. The verdict is
            # told when it is asked for.
            case.coroutine = self._too_much(case, recursion=isinstance(error, RecursionError))
            wanted = None
        if wanted is None:
            self._advance(number, case, None)
            return
        if isinstance(wanted, Fetches):
            self._ask(number, case, wanted)

    async def _too_much(self, case: _Case, *, recursion: bool) -> Verdict:
        from pip_intoto.verifier.judge import out_of_resources

        return out_of_resources(await case.decision, self._ready, recursion=recursion)

    def _ask(self, number: int, case: _Case, wanted: Fetches) -> None:
        case.responses = [Response(None, error="too many requests for one distribution")] * len(
            wanted.fetches
        )
        allowed = wanted.fetches[: max(0, self._limits.fetches - case.asked)]
        case.asked += len(allowed)
        case.open = len(allowed)
        for position, fetch in enumerate(allowed):
            self._last_fetch += 1
            self._fetches[self._last_fetch] = (number, position)
            self._wire.send(
                {
                    "type": "fetch",
                    "fetch": self._last_fetch,
                    "id": number,
                    "url": fetch.url,
                    "max_bytes": fetch.max_bytes,
                    "seconds": int(fetch.seconds),
                }
            )
        if not allowed:
            self._advance(number, case, tuple(case.responses))

    def _tell(self, number: int, verdict: Verdict) -> None:
        del self._cases[number]
        rule = self._ready.rule_for(verdict.distribution.name)
        self._wire.send(
            {
                "type": "verdict",
                "id": number,
                "status": verdict.status.value,
                "reason": verdict.reason,
                "action": verdict.action.value,
                "summary": verdict.summary,
                "expected": verdict.expected,
                "found": verdict.found,
                "advice": verdict.advice,
                "sha256": verdict.distribution.sha256,
                "build": "any" if rule is None else rule.build,
                "trace": [
                    [entry.what, entry.outcome.value, entry.detail]
                    for entry in verdict.trace[: self._limits.trace_entries]
                ],
            }
        )


def _tuf_templates(policy: Policy) -> Iterator[str]:
    """Give what the policy's TUF repositories may be asked for: whatever lies below them."""
    names = {
        source.name
        for rule in policy.projects
        for source in rule.sources
        if isinstance(source, Tuf)
    }
    for name in sorted(names & policy.tuf.keys()):
        repository = policy.tuf[name]
        yield from dict.fromkeys(
            f"{base}{{path}}" for base in (repository.metadata, repository.targets)
        )


def _distribution(message: Message) -> Distribution:
    try:
        kind = Kind(message.text("kind"))
    except ValueError as error:
        raise Garbage(f"a distribution of an unknown kind: {error}") from error
    return Distribution(
        name=message.text("name"),
        version=message.text("version"),
        filename=message.text("filename"),
        kind=kind,
        url=message.optional_text("url"),
        index=message.optional_text("index"),
        requested=message.flag("requested"),
        building_for=message.optional_text("building_for") or "",
    )
