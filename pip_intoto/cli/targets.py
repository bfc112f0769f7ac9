"""What ``verify`` and ``explain`` are pointed at: files, directories, ``name==version``."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import CommandError, EvidenceError, NothingVerified, SourceUnreachable
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.fetching import offline
from pip_intoto.sources.web import Web
from pip_intoto.verdict import Action, Outcome, Status, TraceEntry, Verdict
from pip_intoto.verifier.local import distribution_of, judge_with, policy_of
from pip_intoto.verifier.naming import kind_of, normalized
from pip_intoto.verifier.presenting import presentable
from pip_intoto.verifier.releases import download, find, index_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import Policy

_PINNED = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*(?P<version>[^\s=;*,]+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A release of a project, to be looked up in an index."""

    name: str
    version: str


def expand(targets: Sequence[str]) -> Iterator[Path | Pinned]:
    """Give what the targets stand for, one by one.

    Raises CommandError for a target that is nothing of the kind, and NothingVerified for a
    directory without distributions.
    """
    for target in targets:
        path = Path(target)
        if path.is_dir():
            yield from _distributions_in(path)
            continue
        pinned = _PINNED.fullmatch(target)
        if pinned is not None and not path.exists():
            yield Pinned(name=pinned["name"], version=pinned["version"])
            continue
        if not path.is_file():
            raise CommandError(
                f"there is no file {target}",
                expected="a wheel or sdist, a directory of them, or NAME==VERSION",
            )
        yield path


def _distributions_in(folder: Path) -> Iterator[Path]:
    found = sorted(
        path for path in folder.iterdir() if kind_of(path.name) is not None and path.is_file()
    )
    if not found:
        raise NothingVerified(
            f"{folder} holds neither wheels nor sdists", expected="*.whl or *.tar.gz files"
        )
    yield from found


class Judge:
    """Verdicts on targets, against one policy."""

    def __init__(
        self,
        policy: Policy,
        *,
        index_url: str | None = None,
        asks: bool = True,
        limits: Limits = DEFAULT,
    ) -> None:
        self._policy = policy
        self._index_url = index_url
        self._asks = asks
        self._limits = limits

    @classmethod
    def of(cls, args: argparse.Namespace) -> Judge:
        """As the options ask for. Raises PolicyMissing and PolicyInvalid."""
        return cls(policy_of(args.policy), index_url=args.index_url, asks=not args.offline)

    @property
    def policy(self) -> Policy:
        """What is held against."""
        return self._policy

    def verdict(self, target: Path | Pinned) -> Verdict:
        """Judge one target. Raises CommandError."""
        if isinstance(target, Path):
            return self._judge(distribution_of(target), Web(self._limits))
        try:
            with self.fetched(target.name, target.version) as (distribution, web):
                return self._judge(distribution, web)
        except EvidenceError as error:
            return verdict_of(error, target)

    @contextmanager
    def fetched(self, name: str, version: str | None) -> Iterator[tuple[Distribution, Web]]:
        """Fetch a release, the newest when ``version`` is None, for as long as it is looked at."""
        if not self._asks:
            raise CommandError(
                f"{name} cannot be looked up with --offline", expected="a file on this machine"
            )
        rule = self._policy.rule_for(normalized(name))
        index_url = index_for(self._index_url, "" if rule is None else rule.index)
        web = Web(self._limits, credentials=(index_url,))
        listed = find(name, version, index_url, web, self._limits)
        with tempfile.TemporaryDirectory(prefix="pip-intoto-") as folder:
            yield download(listed, Path(folder), web, self._limits), web

    def newest(self, name: str) -> Verdict:
        """Judge the newest release of a project. Raises CommandError and SourceUnreachable."""
        with self.fetched(name, None) as (distribution, web):
            return self._judge(distribution, web)

    def _judge(self, distribution: Distribution, web: Web) -> Verdict:
        fetch_many = web.fetch_many if self._asks else offline
        verdict = judge_with(distribution, self._policy, fetch_many, limits=self._limits)
        if verdict.status is Status.UNREACHABLE and not self._asks:
            advice = "Leave --offline out, or put the evidence beside the file."
            verdict = replace(verdict, advice=advice)
        return verdict


def verdict_of(error: EvidenceError, target: Pinned) -> Verdict:
    """Say of a release that could not even be fetched what that amounts to."""
    unreachable = isinstance(error, SourceUnreachable)
    return presentable(
        Verdict(
            distribution=Distribution(
                name=normalized(target.name),
                version=target.version,
                filename="",
                kind=Kind.SDIST,
                requested=True,
            ),
            status=Status.UNREACHABLE if unreachable else Status.INVALID,
            reason=error.code,
            action=Action.BLOCK,
            summary=f"{target.name} {target.version}: {error}.",
            expected=error.expected,
            found=error.found,
            advice=error.advice,
            trace=(TraceEntry("index", Outcome.FAIL, f"{error.message}: {error.found}"),),
        )
    )
