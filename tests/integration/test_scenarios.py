"""All the ways in which pip comes by a file: verified, it goes on; otherwise nothing happens.

"Nothing" is taken at its word: exit status 1, no path added to the environment or the target, and
no build backend run, which would have left its mark.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import Backend, build_tool, sdist, wheel
from fixtures.supply_chain import SupplyChain
from tests.integration.interpreters import NEWEST_PIP, PIPS, PYTHONS, own
from tests.integration.world import Evidence, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import MakeEnvironment
    from tests.integration.loopback import Index

    Words = list[str | Path]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Prepares the world, and gives what is to be said to pip."""

    prepare: Callable[[World], Words]
    #: The first pip that has the feature.
    since: tuple[int, ...] = (22, 3)
    #: Why it is blocked when nothing lies beside the file.
    without_evidence: str = "layout-missing"

    @property
    def name(self) -> str:
        return self.prepare.__name__

    def exists_in(self, pip: str) -> bool:
        return tuple(int(part) for part in pip.split(".")) >= self.since

    def reason(self, evidence: Evidence) -> str:
        return self.without_evidence if evidence is Evidence.STRIPPED else evidence.value


# --- wheels ---------------------------------------------------------------------------------


def index_with_metadata(world: World) -> Words:
    world.serve(wheel("demo"))
    return ["install", "demo"]


def index_without_metadata(world: World) -> Words:
    world.serve(wheel("demo"), metadata=False)
    return ["install", "demo"]


def no_deps(world: World) -> Words:
    world.serve(wheel("demo"))
    return ["install", "--no-deps", "demo"]


def dependency(world: World) -> Words:
    world.serve(wheel("helper", requires=["demo"]), evidence=Evidence.GOOD)
    world.serve(wheel("demo"))
    return ["install", "helper"]


def find_links_folder(world: World) -> Words:
    path = world.place(wheel("demo"))
    return ["install", "--no-index", "--find-links", path.parent, "demo"]


def local_wheel(world: World) -> Words:
    return ["install", world.place(wheel("demo"))]


def direct_url(world: World) -> Words:
    return ["install", world.serve(wheel("demo"))]


def direct_reference(world: World) -> Words:
    return ["install", "demo @ " + world.serve(wheel("demo"))]


def requirements_file(world: World) -> Words:
    world.serve(wheel("demo"))
    path = world.folder / "requirements.txt"
    path.write_text("demo==1.0\n", encoding="utf-8")
    return ["install", "-r", path]


def requirements_file_with_hashes(world: World) -> Words:
    built = wheel("demo")
    world.serve(built)
    path = world.folder / "requirements.txt"
    path.write_text(f"demo==1.0 --hash=sha256:{built.sha256}\n", encoding="utf-8")
    return ["install", "--require-hashes", "-r", path]


def lock_file(world: World) -> Words:
    built = wheel("demo")
    url = world.serve(built)
    path = world.folder / "pylock.toml"
    path.write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "demo"\n'
        f'version = "1.0"\nwheels = [{{ url = "{url}", hashes = {{ sha256 = "{built.sha256}" }} }}]'
        "\n",
        encoding="utf-8",
    )
    return ["install", "-r", path]


def target(world: World) -> Words:
    world.serve(wheel("demo"))
    return ["install", "--target", world.elsewhere("target"), "demo"]


def prefix(world: World) -> Words:
    world.serve(wheel("demo"))
    return ["install", "--prefix", world.elsewhere("prefix"), "demo"]


def download(world: World) -> Words:
    world.serve(wheel("demo"))
    return ["download", "--dest", world.elsewhere("downloads"), "demo"]


def wheel_command(world: World) -> Words:
    world.serve(wheel("demo"))
    return ["wheel", "--wheel-dir", world.elsewhere("wheels"), "demo"]


def fast_deps(world: World) -> Words:
    world.serve(wheel("demo"), metadata=False)
    return ["install", "--use-feature=fast-deps", "demo"]


def legacy_resolver(world: World) -> Words:
    world.serve(wheel("demo"))
    return ["install", "--use-deprecated=legacy-resolver", "demo"]


# --- source archives ------------------------------------------------------------------------


def in_tree_backend(world: World) -> Words:
    world.serve(sdist("demo", runs=world.mark))
    return ["install", "demo"]


def local_sdist(world: World) -> Words:
    return ["install", world.place(sdist("demo", runs=world.mark))]


def sdist_without_isolation(world: World) -> Words:
    world.serve(sdist("demo", runs=world.mark))
    return ["install", "--no-build-isolation", "demo"]


def sdist_with_a_build_requirement(world: World) -> Words:
    world.serve(wheel("helper"), evidence=Evidence.GOOD)
    world.serve(sdist("demo", runs=world.mark, build_requires=["helper"]))
    return ["install", "demo"]


def bad_build_requirement(world: World) -> Words:
    # The sdist itself is in order; what the child pip would install for its build is not.
    world.serve(wheel("demo"))
    world.serve(sdist("helper", runs=world.mark, build_requires=["demo"]), evidence=Evidence.GOOD)
    return ["install", "helper"]


def bad_build_requirement_in_process(world: World) -> Words:
    return [*bad_build_requirement(world), "--use-feature=inprocess-build-deps"]


def bad_build_requirement_in_a_venv(world: World) -> Words:
    return [*bad_build_requirement(world), "--use-feature=venv-isolation"]


def sdist_downloaded(world: World) -> Words:
    world.serve(sdist("demo", runs=world.mark))
    return ["download", "--no-deps", "--dest", world.elsewhere("downloads"), "demo"]


def sdist_to_wheel(world: World) -> Words:
    world.serve(sdist("demo", runs=world.mark))
    return ["wheel", "--wheel-dir", world.elsewhere("wheels"), "demo"]


UNVERIFIED = "build-requirement-unverified"

SCENARIOS = [
    Scenario(index_with_metadata),
    Scenario(index_without_metadata),
    Scenario(no_deps),
    Scenario(dependency),
    Scenario(find_links_folder),
    Scenario(local_wheel),
    Scenario(direct_url),
    Scenario(direct_reference),
    Scenario(requirements_file),
    Scenario(requirements_file_with_hashes),
    Scenario(lock_file, since=(26, 1)),
    Scenario(target),
    Scenario(prefix),
    Scenario(download),
    Scenario(wheel_command),
    Scenario(fast_deps),
    Scenario(legacy_resolver),
    Scenario(in_tree_backend),
    Scenario(local_sdist),
    Scenario(sdist_without_isolation),
    Scenario(sdist_with_a_build_requirement),
    Scenario(bad_build_requirement, without_evidence=UNVERIFIED),
    Scenario(bad_build_requirement_in_process, since=(26, 0), without_evidence=UNVERIFIED),
    Scenario(bad_build_requirement_in_a_venv, since=(26, 2), without_evidence=UNVERIFIED),
    Scenario(sdist_downloaded),
    Scenario(sdist_to_wheel),
]

scenarios = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def check(scenario: Scenario, evidence: Evidence, world: World) -> None:
    """Let pip do what the scenario says, and look at what came of it."""
    if not scenario.exists_in(world.environment.pip_version):
        pytest.skip(f"pip {world.environment.pip_version} does not have it")
    result = world.pip(*scenario.prepare(world))
    if evidence is Evidence.GOOD:
        assert result.status == 0, result.output
        assert any("demo" in path or "helper" in path for path in world.landed())
    else:
        assert result.status == 1, result.output
        assert world.landed() == set()
        assert not world.mark.exists()
        assert scenario.reason(evidence) in result.output


@scenarios
@pytest.mark.parametrize("evidence", list(Evidence), ids=lambda evidence: evidence.name.lower())
def test_what_verifies_goes_on_and_nothing_else_does(
    scenario: Scenario,
    evidence: Evidence,
    make_environment: MakeEnvironment,
    index: Index,
    tmp_path: Path,
) -> None:
    environment = make_environment()
    check(
        scenario,
        evidence,
        World(environment=environment, index=index, folder=tmp_path, evidence=evidence),
    )


GOOD_AND_STRIPPED = pytest.mark.parametrize(
    "evidence", [Evidence.GOOD, Evidence.STRIPPED], ids=["good", "stripped"]
)


@pytest.mark.matrix
@pytest.mark.parametrize("pip", PIPS)
@pytest.mark.parametrize("python", PYTHONS)
@scenarios
@GOOD_AND_STRIPPED
def test_the_same_with_every_pip_and_python(
    python: str,
    pip: str,
    scenario: Scenario,
    evidence: Evidence,
    make_environment: MakeEnvironment,
    index: Index,
    tmp_path: Path,
) -> None:
    environment = make_environment(python, pip)
    check(
        scenario,
        evidence,
        World(environment=environment, index=index, folder=tmp_path, evidence=evidence),
    )


#: A taste of the matrix for every run: the oldest of each, and the ways in that differ most.
TASTE = [("3.8", "22.3.1"), ("3.9", "25.3"), ("3.13", NEWEST_PIP), (own().name, "23.2.1")]


@pytest.mark.parametrize(("python", "pip"), TASTE)
@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(index_with_metadata),
        Scenario(bad_build_requirement, without_evidence=UNVERIFIED),
    ],
    ids=lambda scenario: scenario.name,
)
@GOOD_AND_STRIPPED
def test_older_pips_and_other_pythons(
    python: str,
    pip: str,
    scenario: Scenario,
    evidence: Evidence,
    make_environment: MakeEnvironment,
    index: Index,
    tmp_path: Path,
) -> None:
    environment = make_environment(python, pip)
    check(
        scenario,
        evidence,
        World(environment=environment, index=index, folder=tmp_path, evidence=evidence),
    )


def test_the_command_that_explains_asks_the_index_that_pip_was_told_to_ask(
    make_environment: MakeEnvironment, index: Index, tmp_path: Path
) -> None:
    policy = SupplyChain(project="demo").policy(tmp_path / "policy")
    index.add(wheel("demo"))
    environment = make_environment()
    told = environment.pip("install", "--index-url", index.simple, "demo", policy=policy)
    assert f"pip-intoto explain --index-url {index.simple} demo==1.0\n" in told.output
    configured = environment.pip("install", "demo", index=index, policy=policy)
    assert "pip-intoto explain demo==1.0\n" in configured.output


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ('unlisted = "allow"', "pip-intoto: 0 verified, 1 unlisted\n"),
        ('unlisted = "warn"', "pip-intoto: 0 verified, 1 unlisted (stranger)\n"),
        ('mode = "warn"\nunlisted = "deny"', "WARNING: [unlisted] "),
    ],
)
def test_what_is_let_pass_although_nobody_listed_it_is_named_where_a_warning_is_wanted(
    head: str, said: str, make_environment: MakeEnvironment, index: Index, tmp_path: Path
) -> None:
    policy = SupplyChain(project="other").policy(tmp_path / "policy", head=head)
    index.add(wheel("stranger"))
    environment = make_environment()
    result = environment.pip("install", "stranger", index=index, policy=policy)
    assert result.status == 0, result.output
    assert said in result.output
    assert ("[unlisted]" in result.output) == ('mode = "warn"' in head)


def test_unlisted_projects_are_denied_when_the_policy_says_so(
    make_environment: MakeEnvironment, index: Index, tmp_path: Path
) -> None:
    world = World(
        environment=make_environment(), index=index, folder=tmp_path, evidence=Evidence.GOOD
    )
    world.serve(wheel("demo", requires=["stranger"]))
    index.add(wheel("stranger"))
    result = world.pip("install", "demo")
    assert result.status == 1, result.output
    assert world.landed() == set()
    assert "unlisted" in result.output
    assert "demo" in result.output


# --- with a history -------------------------------------------------------------------------


@pytest.fixture
def world(make_environment: MakeEnvironment, index: Index, tmp_path: Path) -> World:
    return World(
        environment=make_environment(),
        index=index,
        folder=tmp_path,
        evidence=Evidence.STRIPPED,
    )


def test_a_second_install_from_the_http_cache_is_verified_again(world: World) -> None:
    built = wheel("demo")
    world.serve(built, evidence=Evidence.GOOD)
    words = ["install", "--target", str(world.folder / "first"), "demo"]
    assert world.pip(*words).status == 0
    world.index.remove(f"/files/{built.filename}.intoto.jsonl")
    result = world.pip("install", "demo")
    assert result.status == 1, result.output
    assert "layout-missing" in result.output
    assert world.landed() == set()


def test_a_wheel_built_in_an_earlier_run_is_not_used(
    world: World, make_environment: MakeEnvironment
) -> None:
    # Built without the gate, with a home, and so with a cache, that both share.
    unguarded = make_environment(armed=False)
    world.index.add(sdist("demo", runs=world.mark))
    home = {"HOME": str(world.environment.home)}
    built = unguarded.pip("install", "demo", index=world.index, variables=home)
    assert built.status == 0, built.output
    world.mark.unlink()
    result = world.pip("install", "demo")
    assert result.status == 1, result.output
    assert "layout-missing" in result.output
    assert not world.mark.exists()
    assert world.landed() == set()


def test_pip_does_not_upgrade_itself_unverified(world: World) -> None:
    world.serve(wheel("pip", "99.0", modules={"pip/__init__.py": b"__version__ = '99.0'\n"}))
    result = world.pip("install", "--upgrade", "pip")
    assert result.status == 1, result.output
    assert "unlisted" in result.output
    assert world.landed() == set()


@pytest.mark.parametrize("evidence", list(Evidence), ids=lambda evidence: evidence.name.lower())
def test_installing_into_another_environment(
    evidence: Evidence, world: World, make_environment: MakeEnvironment
) -> None:
    other = make_environment(armed=False)
    world.serve(wheel("demo"), evidence=evidence)
    result = world.pip("--python", other.python, "install", "demo")
    if evidence is Evidence.GOOD:
        assert result.status == 0, result.output
        assert other.installed() == {"demo-1.0"}
    else:
        assert result.status == 1, result.output
        assert evidence.value in result.output
        assert other.added() == frozenset()


def test_the_stand_in_for_setuptools_is_verified_before_it_runs(world: World) -> None:
    world.index.add(build_tool(runs=world.mark))
    world.serve(
        sdist("demo", runs=world.folder / "setup-ran", backend=Backend.SETUP_PY),
        evidence=Evidence.GOOD,
    )
    result = world.pip("install", "demo")
    assert result.status == 1, result.output
    assert UNVERIFIED in result.output
    assert not world.mark.exists()
    assert world.landed() == set()


# --- without a file -------------------------------------------------------------------------


def project_folder(world: World) -> Path:
    path = world.folder / "checkout"
    path.mkdir()
    (path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        encoding="utf-8",
    )
    (path / "backend.py").write_text(f"open({str(world.mark)!r}, 'a').close()\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("option", ["", "--editable"])
def test_a_folder_is_denied_as_unlisted_before_its_backend_runs(option: str, world: World) -> None:
    words = [word for word in ("install", option, project_folder(world)) if word]
    result = world.pip(*words)
    assert result.status == 1, result.output
    assert "unverifiable" in result.output
    assert not world.mark.exists()


def test_a_checkout_of_a_listed_project_is_blocked_before_the_clone(world: World) -> None:
    world.serve(
        wheel("helper", requires=[f"demo @ git+file://{world.folder}/nowhere"]),
        evidence=Evidence.GOOD,
    )
    result = world.pip("install", "helper")
    assert result.status == 1, result.output
    assert "unverifiable" in result.output
    assert "git clone" not in result.output
    assert world.landed() == set()


def test_what_ran_is_what_the_evidence_names(world: World) -> None:
    # The digest in the page's link is the index's word, not the evidence's.
    built = wheel("demo")
    world.serve(built, evidence=Evidence.GOOD)
    assert world.pip("install", "demo").status == 0
    module = world.environment.site_packages / "demo.py"
    assert hashlib.sha256(module.read_bytes()).digest() == hashlib.sha256(b"VERSION = 1\n").digest()
