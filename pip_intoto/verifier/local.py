"""Judging what lies on this machine, and what an index offers, with requests of our own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.distribution import Distribution
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.sources.fetching import drive
from pip_intoto.sources.web import Web
from pip_intoto.verifier.judge import judge
from pip_intoto.verifier.naming import kind_of, normalized, parse_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import Policy
    from pip_intoto.sources.fetching import Fetch, Response
    from pip_intoto.verdict import Verdict


def distribution_of(path: Path) -> Distribution:
    """Describe the wheel or sdist at ``path``, digest included.

    Raises CommandError when it cannot be read, or is neither.
    """
    kind = kind_of(path.name)
    parts = None if kind is None else parse_filename(path.name, kind)
    if kind is None or parts is None:
        raise CommandError(
            f"{path} is not named as a wheel or an sdist",
            expected="a file like demo-1.0-py3-none-any.whl or demo-1.0.tar.gz",
            found=path.name,
            advice="A lockfile is known by its name, like pylock.toml, uv.lock or requirements.txt,"
            " and only `pip-intoto verify` takes it.",
        )
    try:
        sha256 = sha256_file(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be read", found=str(error.strerror or error)) from error
    return Distribution(
        name=normalized(parts[0]),
        version=parts[1],
        filename=path.name,
        kind=kind,
        sha256=sha256,
        path=path.absolute(),
        requested=True,
    )


def judge_with(
    distribution: Distribution,
    policy: Policy,
    fetch_many: Callable[[tuple[Fetch, ...]], tuple[Response, ...]],
    *,
    now: datetime | None = None,
    limits: Limits = DEFAULT,
) -> Verdict:
    """Judge one distribution; ``fetch_many`` carries out its requests."""
    return drive(judge(distribution, policy, now=now, limits=limits), fetch_many)


def verify(path: str | Path, policy: str | Path | Policy | None = None) -> Verdict:
    """Verify one wheel or sdist on this machine against a policy.

    ``policy`` is the policy's file; the one in force here when None. What is wrong with the
    evidence is in the verdict. Raises CommandError for a file that cannot be read or is no
    distribution, PolicyMissing and PolicyInvalid.
    """
    return judge_with(distribution_of(Path(path)), policy_of(policy), Web(DEFAULT).fetch_many)


def policy_of(policy: str | Path | Policy | None) -> Policy:
    """Read the policy that is named; the one in force here when None.

    Raises PolicyMissing and PolicyInvalid.
    """
    # Imported here for start-up time.
    from pip_intoto.errors import PolicyMissing
    from pip_intoto.policy.file import load_policy, policy_in_force
    from pip_intoto.policy.model import Policy as PolicyValue

    if isinstance(policy, PolicyValue):
        return policy
    path = policy_in_force() if policy is None else Path(policy)
    if path is None:
        raise PolicyMissing(
            "no policy is in force here",
            expected="a policy file",
            advice="Name one with --policy, or write one with `pip-intoto trust add`.",
        )
    return load_policy(path.absolute())
