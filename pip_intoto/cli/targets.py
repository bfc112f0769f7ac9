"""What ``verify`` and ``explain`` are pointed at: files, directories, releases, lockfiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError, NothingVerified
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.web import Web
from pip_intoto.verifier.batch import Batch
from pip_intoto.verifier.local import policy_of
from pip_intoto.verifier.naming import kind_of
from pip_intoto.verifier.wanted import Pinned

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import Policy
    from pip_intoto.verdict import Verdict

#: How many lockfiles of a directory are named.
_SHOWN = 3
_PINNED = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*(?P<version>[^\s=;*,]+)\s*")


def expand(targets: Sequence[str]) -> Iterator[Path | Pinned]:
    """Give what the targets stand for, one by one; lockfiles as the files that they are.

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
                expected="a wheel or sdist, a directory of them, NAME==VERSION, or a lockfile",
            )
        yield path


def _distributions_in(folder: Path) -> Iterator[Path]:
    found = sorted(
        path for path in folder.iterdir() if kind_of(path.name) is not None and path.is_file()
    )
    if not found:
        # Imported here for start-up time: hardly anybody comes here.
        from pip_intoto.lockfiles.reading import is_lockfile

        locks = sorted(path.name for path in folder.iterdir() if is_lockfile(path))
        raise NothingVerified(
            f"{folder} holds neither wheels nor sdists",
            expected="*.whl or *.tar.gz files",
            found=", ".join(locks[:_SHOWN]),
            advice="Name the lockfile itself." if locks else "",
        )
    yield from found


class Judge:
    """Verdicts on single targets, against one policy."""

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
        batch = Batch(
            self._policy,
            web=Web(self._limits) if self._asks else None,
            index_url=self._index_url,
            limits=self._limits,
        )
        (checked,) = batch.one(target)
        return checked.verdict

    def newest(self, name: str) -> Verdict:
        """Judge the newest release of a project. Raises CommandError."""
        return self.verdict(Pinned(name=name, version=""))
