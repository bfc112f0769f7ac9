"""What every integration test can ask for: an index, an environment, a supply chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from fixtures.supply_chain import SupplyChain
from tests.integration import blocking, environments, interpreters, loopback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.environments import Environment
    from tests.integration.loopback import Index


class MakeEnvironment(Protocol):
    """Makes virtual environments; each call makes another one."""

    def __call__(
        self, python: str | None = None, pip: str = interpreters.NEWEST_PIP, *, armed: bool = True
    ) -> Environment:
        """Give an environment with this Python (the running one when None) and this pip."""


@pytest.fixture
def index() -> Iterator[Index]:
    """Start an empty index."""
    with loopback.serving() as started:
        yield started


@pytest.fixture(scope="session")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Give the environment whose verifier serves those that lack our dependencies."""
    folder = tmp_path_factory.mktemp("guard")
    return environments.create(folder, interpreters.own(), interpreters.NEWEST_PIP, armed=True)


@pytest.fixture
def make_environment(tmp_path: Path, request: pytest.FixtureRequest) -> MakeEnvironment:
    """Make environments below the test's own folder; skips when the machine lacks a part.

    With the running Python, our wheel is installed in them. Other Pythons lack our dependencies,
    and are armed by ``pip-intoto enable --python``.
    """
    count = 0

    def make(
        python: str | None = None, pip: str = interpreters.NEWEST_PIP, *, armed: bool = True
    ) -> Environment:
        nonlocal count
        count += 1
        try:
            found = interpreters.own() if python is None else interpreters.find(python)
            own = found.version == interpreters.own().version
            made = environments.create(tmp_path / f"venv-{count}", found, pip, armed=armed and own)
        except interpreters.Unavailable as reason:
            pytest.skip(str(reason))
        if own or not armed:
            return made
        guard: Environment = request.getfixturevalue("guard")
        return environments.enable(guard, made)

    return make


@pytest.fixture
def environment(make_environment: MakeEnvironment) -> Environment:
    """Give an armed environment with the newest pip."""
    return make_environment()


@pytest.fixture
def chain() -> SupplyChain:
    """Give the supply chain of the project demo."""
    return SupplyChain(project="demo")


@pytest.fixture
def policy(chain: SupplyChain, tmp_path: Path) -> Path:
    """Give a policy that lists demo, and nothing else, and denies what is not listed."""
    return chain.policy(tmp_path / "policy", head='unlisted = "deny"')


@pytest.fixture(
    scope="module",
    params=[
        interpreters.NEWEST_PIP,
        *(pytest.param(pip, marks=pytest.mark.matrix) for pip in interpreters.PIPS[:-1]),
    ],
)
def reused(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Give one environment for all tests of a module that add nothing to it."""
    try:
        folder = tmp_path_factory.mktemp("reused")
        return environments.create(folder, interpreters.own(), str(request.param), armed=True)
    except interpreters.Unavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture
def guarded(reused: Environment) -> Iterator[Environment]:
    """Give that environment, as it was made; what a test adds nevertheless is removed."""
    blocking.restore(reused)
    yield reused
    blocking.restore(reused)
