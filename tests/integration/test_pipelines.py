"""The action and the template for CI: what they are, and that their lines do what they say."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.layout_source import load_source
from pip_intoto.metadata.names import link_filename
from tests.integration import environments
from tests.integration.interpreters import ROOT
from tests.integration.lockwriting import pylock
from tests.integration.pages import commands
from tests.integration.pipelines import (
    ACTION,
    INPUT_OF,
    OURS,
    ROLES,
    TEMPLATE,
    Machine,
    Runner,
    checkout,
    job,
    listing,
    loaded,
    mapping,
    of_role,
    script,
    shown_on,
    steps,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fixtures.supply_chain import SupplyChain
    from tests.integration.conftest import MakeEnvironment
    from tests.integration.loopback import Index

SOURCES = "pyproject.toml README.md src"
BUILD = "python -m pip wheel --no-deps --wheel-dir dist ."
WHEEL = "demo-1.0-py2.py3-none-any.whl"


# --- the two files --------------------------------------------------------------------------


def test_the_action_has_one_step_for_each_role() -> None:
    names = [step.name for step in steps()]
    assert [of_role(role).name for role in ROLES] == names[2:]
    assert names[:2] == ["Install pip-intoto", "Refuse an unknown role"]
    assert {step.shell for step in steps()} == {"bash"}


@pytest.mark.parametrize("role", ROLES)
def test_the_template_has_the_lines_of_the_action(role: str) -> None:
    assert script(f".pip-intoto-{role}") == of_role(role).lines
    assert script(f".pip-intoto-{role}", "before_script") == steps()[0].lines


@pytest.mark.parametrize("role", ROLES)
def test_both_set_the_same_variables_to_the_same(role: str) -> None:
    inputs = mapping(loaded(ACTION)["inputs"])
    written = of_role(role).variables
    defaults = mapping(job(f".pip-intoto-{role}")["variables"])
    # The key has no default, and what GitLab's settings say must not be hidden by one.
    assert written.keys() - defaults.keys() <= {"INTOTO_SIGNING_KEY"}
    for name, value in written.items():
        given = INPUT_OF[name]
        assert given in inputs
        expression = re.fullmatch(r"\$\{\{ inputs\.([\w-]+)(?: \|\| (.+))? \}\}", value)
        assert expression is not None, value
        assert expression[1] == given
        default = mapping(inputs[given]).get("default")
        if expression[2] and expression[2].startswith("format("):
            assert default == ""
            assert defaults[name] == BUILD
            assert expression[2] == f"format('{BUILD.replace('dist', '{0}')}', inputs.dist)"
        elif expression[2]:
            assert default == ""
            assert defaults[name] == expression[2].strip("'")
        elif name in defaults:
            assert defaults[name] == default


def test_every_variable_of_the_lines_is_set_and_every_input_is_used() -> None:
    used = {"role"}
    for step in steps():
        named = set(re.findall(r"\$\{?(INTOTO_\w+)", step.lines))
        assert named == step.variables.keys(), step.name
        used |= {INPUT_OF[name] for name in named}
    assert used == mapping(loaded(ACTION)["inputs"]).keys()
    said = TEMPLATE.read_text("utf-8")
    assert all(f"#   {name} " in said for name in INPUT_OF if name != "INTOTO_SIGNING_KEY")


def test_no_value_can_become_a_part_of_a_script() -> None:
    """Expressions are put into scripts as text: they stand in `env` and `if` only."""
    for step in steps():
        assert "${{" not in step.lines
        assert "eval" not in step.lines
    for name in loaded(TEMPLATE):
        assert "$[[" not in str(mapping(loaded(TEMPLATE)[name]).get("script"))
    text = ACTION.read_text("utf-8")
    for line in text.splitlines():
        if "${{" in line and not line.startswith("#"):
            assert re.match(r" +(if|INTOTO_\w+): \$\{\{", line), line


def test_no_other_action_is_used_and_nothing_prints_the_key() -> None:
    listed = mapping(loaded(ACTION)["runs"])["steps"]
    assert isinstance(listed, list)
    assert all("uses" not in mapping(step) for step in listed)
    for role in ("source", "build"):
        lines = of_role(role).lines
        assert "set -x" not in lines
        # Into a file that only this user reads, removed however the step ends.
        made = lines.index("key=$(mktemp)")
        removed = lines.index("trap 'rm -f \"$key\"' EXIT")
        written = lines.index('printf \'%s\\n\' "$INTOTO_SIGNING_KEY" > "$key"')
        forgotten = lines.index("unset INTOTO_SIGNING_KEY")
        assert made < removed < written < forgotten < lines.index("pip-intoto run")


def test_both_go_into_the_sdist_and_neither_into_the_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(environments.built_wheel()) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".yml")]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as packed:
        names = {name.partition("/")[2] for name in packed.getnames() if "/hooks/ci/" in name}
    assert names == {str(path.relative_to(ROOT)) for path in (ACTION, TEMPLATE)}


# --- machines -------------------------------------------------------------------------------

NAMES = ("owner", "author", "builder", "second")


def pem(name: str) -> str:
    return key(name).private_pem().decode("ascii")


def begun(machine: Machine) -> None:
    """Put a project into a machine's folder, and into git."""
    if shutil.which("git") is None or shutil.which("bash") is None:
        pytest.skip("needs git and bash")
    (machine.folder / "src" / "demo").mkdir(parents=True)
    for path, text in {
        "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n'
        'build-backend = "hatchling.build"\n\n'
        '[project]\nname = "demo"\nversion = "1.0"\nreadme = "README.md"\n',
        "README.md": "# Demo\n",
        "src/demo/__init__.py": "ANSWER = 42\n",
    }.items():
        (machine.folder / path).write_text(text, encoding="utf-8")
    done = machine.run("git init -q . && git add .")
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository with a project, and what `init` and `layout build` make for it."""
    origin = Machine.at(tmp_path_factory.mktemp("origin") / "demo")
    begun(origin)
    (origin.folder / "keys").mkdir()
    for name in NAMES:
        (origin.folder / "keys" / f"{name}.pub").write_bytes(key(name).public_pem())
    described = origin.run(
        "pip-intoto init --yes --owner keys/owner.pub --author keys/author.pub"
        " --builder keys/builder.pub"
    )
    assert described.returncode == 0, described.stdout
    publish(origin, "supply-chain.toml", "root.layout")
    source = (origin.folder / "supply-chain.toml").read_text("utf-8")
    agreed = source.replace(
        "[keys.builder]", '[keys.second]\npublic = "keys/second.pub"\n\n[keys.builder]'
    ).replace('functionaries = ["builder"]', 'functionaries = ["builder", "second"]\nthreshold = 2')
    assert "[keys.second]" in agreed
    assert "threshold = 2\nmaterials" in agreed
    (origin.folder / "two.toml").write_text(agreed, encoding="utf-8")
    publish(origin, "two.toml", "two.layout")
    commit = (
        "git add . && git -c user.name=Ann -c user.email=ann@acme.example commit -qm Release"
        " --date '2026-01-02T03:04:05Z'"
    )
    assert origin.run(commit).returncode == 0
    return origin.folder


def publish(machine: Machine, source: str, layout: str) -> None:
    """Make a layout of its source, and have the owner sign it."""
    payload, _ = compile_layout(
        load_source(machine.folder / source), now=datetime.now(timezone.utc)
    )
    document = authoring.sign(payload, [key("owner")], Envelope.DSSE)
    (machine.folder / layout).write_text(json.dumps(document), encoding="utf-8")


def machine_with(origin: Path, folder: Path, *artifacts: Path) -> Machine:
    """Give a machine with a fresh checkout, and the artifacts of earlier jobs."""
    machine = checkout(origin, folder)
    for artifact in artifacts:
        shutil.copytree(artifact, folder / artifact.name, dirs_exist_ok=True)
    return machine


def succeeds(machine: Machine, name: str, **variables: str) -> str:
    done = machine.job(name, **variables)
    assert done.returncode == 0, done.stdout
    return done.stdout


def source_job(origin: Path, folder: Path) -> Path:
    """Record the sources on a machine of their own; give the links."""
    machine = machine_with(origin, folder)
    succeeds(
        machine,
        ".pip-intoto-source",
        INTOTO_SIGNING_KEY=pem("author"),
        INTOTO_SOURCES=SOURCES,
    )
    return machine.folder / "links"


def build_job(machine: Machine, name: str, **variables: str) -> str:
    """Build on a machine with the key called *name*."""
    return succeeds(
        machine,
        ".pip-intoto-build",
        INTOTO_SIGNING_KEY=pem(name),
        INTOTO_SOURCES=SOURCES,
        **variables,
    )


# --- source, build, bundle, verify ----------------------------------------------------------


def test_a_release_goes_through_all_jobs_and_is_verified(origin: Path, tmp_path: Path) -> None:
    links = source_job(origin, tmp_path / "source")
    builder = machine_with(origin, tmp_path / "build")
    build_job(builder, "builder")
    publisher = machine_with(origin, tmp_path / "bundle", links, builder.folder / "links",
                         builder.folder / "dist")  # fmt: skip
    succeeds(publisher, ".pip-intoto-bundle", INTOTO_OWNER_KEYS="keys/owner.pub")
    bundle = publisher.folder / "dist-evidence" / f"{WHEEL}.intoto.jsonl"
    assert bundle.exists()
    # Owners by name, as supply-chain.toml has them, are the same.
    bundle.unlink()
    succeeds(publisher, ".pip-intoto-bundle")
    # And now somebody who installs it.
    consumer = Machine.at(tmp_path / "consumer")
    for path in (publisher.folder / "dist" / WHEEL, bundle, origin / "keys" / "owner.pub"):
        shutil.copy(path, consumer.folder)
    trusted = consumer.run("pip-intoto trust add demo --key owner.pub --policy policy.toml")
    assert trusted.returncode == 0, trusted.stdout
    verify = {"INTOTO_POLICY_FILE": "policy.toml", "INTOTO_TARGETS": WHEEL}
    assert "1 verified" in succeeds(consumer, ".pip-intoto-verify", **verify)
    with (consumer.folder / WHEEL).open("ab") as file:
        file.write(b"one more")
    done = consumer.job(".pip-intoto-verify", **verify)
    assert done.returncode == 1
    assert "0 verified, 1 invalid" in done.stdout


def test_the_backend_may_be_kept_away_from_the_authors_key(origin: Path, tmp_path: Path) -> None:
    without_key = machine_with(origin, tmp_path / "prepare")
    done = without_key.run("pip-intoto prepare -o wheel-metadata")
    assert done.returncode == 0, done.stdout
    author = machine_with(origin, tmp_path / "source", without_key.folder / "wheel-metadata")
    succeeds(
        author,
        ".pip-intoto-source",
        INTOTO_SIGNING_KEY=pem("author"),
        INTOTO_SOURCES=SOURCES,
        INTOTO_COMMAND="true",
    )
    builder = machine_with(origin, tmp_path / "build")
    build_job(builder, "builder")
    publisher = machine_with(origin, tmp_path / "bundle", author.folder / "links",
                             builder.folder / "links", builder.folder / "dist")  # fmt: skip
    said = succeeds(publisher, ".pip-intoto-bundle", INTOTO_OWNER_KEYS="keys/owner.pub")
    assert "1 verified" in said


@pytest.mark.parametrize("name", [".pip-intoto-source", ".pip-intoto-build"])
def test_the_key_is_private_gone_afterwards_and_never_printed(
    name: str, origin: Path, tmp_path: Path
) -> None:
    machine = machine_with(origin, tmp_path / "machine")
    (machine.folder / "look.sh").write_text(
        'ls -l "$TMPDIR"\nenv\nmkdir -p dist wheel-metadata\n: > dist/x\n: > wheel-metadata/x\n',
        encoding="utf-8",
    )
    said = succeeds(
        machine,
        name,
        INTOTO_SIGNING_KEY=pem("author"),
        INTOTO_SOURCES=SOURCES,
        INTOTO_COMMAND="sh look.sh",
    )
    assert re.search(r"^-rw------- .* tmp\.\w+$", said, re.MULTILINE)
    assert "INTOTO_SIGNING_KEY" not in said
    assert "INTOTO_SOURCES=" in said
    for line in pem("author").splitlines():
        assert line not in said
    assert not list(machine.programs.glob("tmp.*"))
    # Nor when it fails.
    failed = machine.job(
        name,
        INTOTO_SIGNING_KEY=pem("author"),
        INTOTO_SOURCES="not-there",
        INTOTO_COMMAND="sh look.sh",
    )
    assert failed.returncode != 0
    assert not list(machine.programs.glob("tmp.*"))
    assert "PRIVATE" not in failed.stdout


def test_what_lay_in_dist_is_not_signed_as_built(origin: Path, tmp_path: Path) -> None:
    machine = machine_with(origin, tmp_path / "machine")
    (machine.folder / "dist").mkdir()
    (machine.folder / "dist" / "demo-6.6-py3-none-any.whl").write_bytes(b"planted")
    # Where git tracks something in a folder, it is all that is recorded of it.
    assert machine.run("git add dist").returncode == 0
    done = machine.job(
        ".pip-intoto-build", INTOTO_SIGNING_KEY=pem("builder"), INTOTO_SOURCES=SOURCES
    )
    assert done.returncode != 0
    assert "dist is there before the build" in done.stdout
    assert not (machine.folder / "links").exists()


def test_a_key_may_be_a_file_that_the_runner_made(origin: Path, tmp_path: Path) -> None:
    machine = machine_with(origin, tmp_path / "machine")
    path = tmp_path / "key of the job"
    path.write_text(pem("builder"), encoding="ascii")
    path.chmod(0o600)
    succeeds(
        machine,
        ".pip-intoto-build",
        INTOTO_SIGNING_KEY=str(path),
        INTOTO_SOURCES=SOURCES,
    )
    assert path.exists()
    assert [link.name for link in (machine.folder / "links").iterdir()] == [
        link_filename("build", key("builder").keyid)
    ]


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        (".pip-intoto-source", {"INTOTO_SOURCES": "src"}, "INTOTO_SIGNING_KEY"),
        (".pip-intoto-build", {"INTOTO_SIGNING_KEY": "x"}, "INTOTO_SOURCES"),
        (".pip-intoto-verify", {"INTOTO_TARGETS": "dist"}, "INTOTO_POLICY_FILE"),
        (".pip-intoto-verify", {"INTOTO_POLICY_FILE": "p"}, "INTOTO_TARGETS"),
    ],
)
def test_what_is_not_given_is_asked_for(
    name: str, variables: Mapping[str, str], said: str, tmp_path: Path
) -> None:
    done = Machine.at(tmp_path / "machine").job(name, **variables)
    assert done.returncode != 0
    assert re.search(rf"{said}: is (empty|not set)", done.stdout)


def test_values_are_words_and_nothing_more(origin: Path, tmp_path: Path) -> None:
    machine = machine_with(origin, tmp_path / "machine")
    evil = "$(touch${IFS}evil) `touch evil` ; touch evil * && evil"
    for name in ("source", "build", "bundle", "verify"):
        done = machine.job(
            f".pip-intoto-{name}",
            INTOTO_SIGNING_KEY=evil,
            **{
                variable: evil
                for variable in mapping(job(f".pip-intoto-{name}")["variables"])
                if variable != "INTOTO_REQUIREMENT"
            },
        )
        assert done.returncode != 0
        assert not (machine.folder / "evil").exists()


def test_targets_are_no_options(tmp_path: Path) -> None:
    # They may come out of somebody else's pull request.
    machine = Machine.at(tmp_path / "machine")
    (machine.folder / "policy.toml").write_text("version = 1\n", encoding="utf-8")
    done = machine.job(
        ".pip-intoto-verify", INTOTO_POLICY_FILE="policy.toml", INTOTO_TARGETS="--help"
    )
    assert done.returncode == 2
    assert "usage: pip-intoto verify" not in done.stdout
    assert "--help" in done.stdout


def test_a_lock_is_a_target_and_the_summary_says_what_came_of_it(
    index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    machine = Machine.at(tmp_path / "machine")
    built, other = wheel("demo"), wheel("other")
    index.publish(built, chain)
    index.add(other)
    chain.policy(machine.folder)
    for name, files in (("pylock.toml", (built,)), ("pylock.more.toml", (built, other))):
        (machine.folder / name).write_text(pylock(index, *files), encoding="utf-8")
    summary = tmp_path / "summary.md"
    summary.write_text("# What the step before has said\n", encoding="utf-8")
    variables = {"INTOTO_POLICY_FILE": "policy.toml", "GITHUB_STEP_SUMMARY": str(summary)}

    def verified(targets: str, options: str) -> int:
        given = {**variables, "INTOTO_TARGETS": targets, "INTOTO_OPTIONS": options}
        return machine.job(".pip-intoto-verify", **given).returncode

    assert (
        verified("pylock.toml pylock.more.toml", "--fail-under 60 --format json -o all.json") == 0
    )
    assert json.loads((machine.folder / "all.json").read_text("utf-8"))["counts"]["verified"] == 2
    assert verified("pylock.more.toml", "--fail-under 60") == 1
    assert verified("pylock.toml", "--only-changed-since HEAD") == 2
    (machine.folder / "policy.toml").write_text("version = 1\nmodus = 1\n", encoding="utf-8")
    assert verified("pylock.toml", "") == 2
    # Those two had nothing to say; and nobody's summary was replaced.
    headings = re.findall(r"^#.*", summary.read_text("utf-8"), re.MULTILINE)
    assert headings == [
        "# What the step before has said",
        "## ✅ pip-intoto: passed, 2 of 3 distributions verified",
        "## ❌ pip-intoto: blocked, 1 of 2 distributions verified",
    ]
    assert not list(machine.programs.glob("tmp.*"))
    assert index.asked("*.whl") == []


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ("; touch evil", "no file ;"),
        ("$(touch${IFS}evil)", "no file $(touch${IFS}evil)"),
        ("`touch evil`", "no file `touch"),
        ("| touch evil", "no file |"),
        ("--fail-under *", "--fail-under: '*'"),
    ],
)
def test_options_are_words_of_one_command(options: str, first: str, tmp_path: Path) -> None:
    machine = Machine.at(tmp_path / "machine")
    (machine.folder / "policy.toml").write_text("version = 1\n", encoding="utf-8")
    # Nothing that lies there becomes a word.
    (machine.folder / "5").mkdir()
    done = machine.job(
        ".pip-intoto-verify",
        INTOTO_POLICY_FILE="policy.toml",
        INTOTO_TARGETS="5",
        INTOTO_OPTIONS=options,
    )
    assert done.returncode == 2
    assert first in done.stdout
    assert not (machine.folder / "evil").exists()


def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    done = Machine.at(tmp_path / "machine").run(steps()[1].lines)
    assert done.returncode == 2
    assert "expected source, build, bundle or verify" in done.stdout
    named = re.findall(r'"(\w+)"', steps()[1].condition)
    assert tuple(named) == ROLES


def test_pip_intoto_is_installed_unless_it_is_there(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    environment = make_environment(armed=False)
    environments.transplant(environment.site_packages)
    machine = Machine.at(tmp_path / "machine")
    variables = {
        "PATH": f"{environment.root / 'bin'}:/usr/bin:/bin",
        "PYTHONPATH": "",
        "PIP_NO_DEPS": "1",
    }
    lines = steps()[0].lines
    done = machine.run(lines, {**variables, "INTOTO_REQUIREMENT": "none"})
    assert (done.returncode, done.stdout) == (0, "")
    assert not (environment.root / "bin" / "pip-intoto").exists()
    wheel = environments.built_wheel()
    done = machine.run(lines, {**variables, "INTOTO_REQUIREMENT": str(wheel)})
    assert done.returncode == 0, done.stdout
    program = environment.root / "bin" / "pip-intoto"
    assert program.stat().st_mode & stat.S_IXUSR
    assert "pip-intoto" in machine.run("pip-intoto --version", variables).stdout


# --- two builders ---------------------------------------------------------------------------


def two_builds(origin: Path, tmp_path: Path) -> tuple[Machine, Machine]:
    """Record the sources once, and build on two machines with a key each."""
    links = source_job(origin, tmp_path / "source")
    one = machine_with(origin, tmp_path / "one", links)
    build_job(one, "builder")
    other = machine_with(origin, tmp_path / "another-directory" / "other")
    build_job(other, "second", INTOTO_RESULTS="other")
    return one, other


def gathered(origin: Path, tmp_path: Path, one: Machine, other: Machine) -> Machine:
    """Bring the artifacts of both to the machine that publishes."""
    return machine_with(origin, tmp_path / "bundle", one.folder / "dist", one.folder / "links",
                    other.folder / "other")  # fmt: skip


TWO = {"INTOTO_OTHERS": "other", "INTOTO_LAYOUT": "two.layout"}


def test_two_builders_that_agree_are_verified(origin: Path, tmp_path: Path) -> None:
    one, other = two_builds(origin, tmp_path)
    publisher = gathered(origin, tmp_path, one, other)
    said = succeeds(publisher, ".pip-intoto-bundle", **TWO)
    assert f"equal: {WHEEL}" in said
    assert "1 verified" in said
    # One of them alone is not enough.
    alone = machine_with(origin, tmp_path / "alone", one.folder / "dist", one.folder / "links")
    done = alone.job(".pip-intoto-bundle", INTOTO_LAYOUT="two.layout")
    assert done.returncode != 0
    assert "build" in done.stdout


def test_two_builders_that_differ_are_blocked_and_the_difference_is_shown(
    origin: Path, tmp_path: Path
) -> None:
    links = source_job(origin, tmp_path / "source")
    one = machine_with(origin, tmp_path / "one", links)
    build_job(one, "builder")
    other = machine_with(origin, tmp_path / "other")
    (other.folder / "evil.sh").write_text(
        f"echo 'ANSWER = 43' > src/demo/__init__.py\n{BUILD}\n"
        "git checkout -q src/demo/__init__.py\n",
        encoding="utf-8",
    )
    succeeds(
        other,
        ".pip-intoto-build",
        INTOTO_SIGNING_KEY=pem("second"),
        INTOTO_SOURCES=SOURCES,
        INTOTO_COMMAND="sh -e evil.sh",
        INTOTO_RESULTS="other",
    )
    publisher = gathered(origin, tmp_path, one, other)
    done = publisher.job(".pip-intoto-bundle", **TWO)
    assert done.returncode == 1
    assert f"different: {WHEEL}" in done.stdout
    assert "\n  demo/__init__.py\n" in done.stdout
    assert "\n    -ANSWER = 42\n    +ANSWER = 43\n" in done.stdout
    assert "demo-1.0.dist-info/RECORD: follows from these" in done.stdout
    assert not (publisher.folder / "dist-evidence").exists()
    # Whoever puts it together all the same is stopped by the threshold, and told where to look.
    done = publisher.run(
        f"pip-intoto bundle dist/{WHEEL} --layout two.layout --link-dir links --partial\n"
        f"pip-intoto check dist/{WHEEL}"
    )
    assert done.returncode == 1
    assert "links-disagree" in done.stdout
    assert "pip-intoto compare" in done.stdout


def test_the_commits_time_and_one_umask_make_builds_equal(origin: Path, tmp_path: Path) -> None:
    machine = machine_with(origin, tmp_path / "machine")
    (machine.folder / "look.sh").write_text(
        'echo "epoch $SOURCE_DATE_EPOCH"; umask; mkdir -p dist; : > dist/x\n', encoding="utf-8"
    )
    lines = "umask 077\n" + script(".pip-intoto-build")
    variables = {
        **{
            name: str(value)
            for name, value in mapping(job(".pip-intoto-build")["variables"]).items()
        },
        "INTOTO_SIGNING_KEY": pem("builder"),
        "INTOTO_SOURCES": SOURCES,
        "INTOTO_COMMAND": "sh look.sh",
    }
    said = machine.run(lines, variables).stdout
    time = machine.run("git log -1 --format=%ct").stdout.strip()
    assert f"epoch {time}\n0022\n" in said
    shutil.rmtree(machine.folder / "dist")
    said = machine.run(lines, {**variables, "SOURCE_DATE_EPOCH": "5"}).stdout
    assert "epoch 5\n" in said


# --- the pages ------------------------------------------------------------------------------

PAGES = ("github-actions.md", "gitlab-ci.md", "two-builders.md", "verify-pull-requests.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer:
    """The machine of somebody who follows a page in the directory of the project."""

    machine: Machine
    keys: Path

    def types(self, command: str) -> str:
        done = self.machine.run(command)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def follows(self, page: str) -> dict[str, str]:
        """Type every command of a page; give what each said."""
        typed = commands(f"docs/how-to/{page}")
        assert typed
        return {command: self.types(command) for command in typed}

    def secrets(self) -> dict[str, str]:
        """Give what the pages have people put into the settings."""
        return {
            f"{name.upper()}_KEY": path.read_text("ascii")
            for name in ("author", "builder", "second")
            if (path := self.keys / f"{name}.pem").exists()
        }

    def runner(self) -> Runner:
        return Runner(
            origin=self.machine.folder,
            folder=self.keys.parent / "runner",
            secrets=self.secrets(),
        )


@pytest.fixture
def maintainer(tmp_path: Path) -> Maintainer:
    """Give a maintainer with a project in git, and the key of an owner."""
    machine = Machine.at(tmp_path / "demo")
    begun(machine)
    made = Maintainer(machine=machine, keys=tmp_path / "keys")
    made.types("pip-intoto keygen --no-password ../keys/owner")
    made.types("git config user.name Ann; git config user.email ann@acme.example")
    made.types("git add . && git commit -qm Begun")
    return made


def test_the_page_on_github_can_be_followed(maintainer: Maintainer) -> None:
    maintainer.follows("github-actions.md")
    release, verify = shown_on("how-to/github-actions.md")
    runner = maintainer.runner()
    machines, log = runner.workflow(release)
    assert "1 verified" in log
    assert (machines["bundle"].folder / "dist-evidence" / f"{WHEEL}.intoto.jsonl").exists()
    house = maintainer.machine.folder / "wheelhouse"
    for part in ("dist", "dist-evidence"):
        shutil.copytree(runner.folder / "artifacts" / "release" / part, house, dirs_exist_ok=True)
    maintainer.types("git add . && git commit -qm 'What we install'")
    _, log = runner.workflow(verify)
    assert "1 verified" in log


@pytest.mark.matrix
def test_the_page_on_gitlab_can_be_followed(maintainer: Maintainer) -> None:
    maintainer.follows("gitlab-ci.md")
    pipeline, verify = shown_on("how-to/gitlab-ci.md")
    machines, log = maintainer.runner().pipeline(pipeline)
    assert "1 verified" in log
    assert (machines["bundle"].folder / "dist-evidence" / f"{WHEEL}.intoto.jsonl").exists()
    hidden = mapping(verify["verify"])["extends"]
    known = mapping(job(str(hidden))["variables"])
    assert mapping(mapping(verify["verify"])["variables"]).keys() <= known.keys()


@pytest.mark.matrix
def test_the_page_on_two_builders_can_be_followed(maintainer: Maintainer) -> None:
    maintainer.follows("github-actions.md")
    page = (ROOT / "docs" / "how-to" / "two-builders.md").read_text("utf-8")
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    source = maintainer.machine.folder / "supply-chain.toml"
    for command in commands("docs/how-to/two-builders.md"):
        if command == "pip-intoto layout lint":
            source.write_text(edited(source.read_text("utf-8"), diff), encoding="utf-8")
        said = maintainer.types(command)
        if command.startswith("pip-intoto compare"):
            assert said.startswith(f"equal: {WHEEL}\n")
    workflow, pipeline = shown_on("how-to/two-builders.md")
    runner = maintainer.runner()
    machines, log = runner.workflow(workflow)
    assert f"equal: {WHEEL}" in log
    assert "1 verified" in log
    links = {path.name for path in (machines["bundle"].folder / "links").iterdir()}
    assert len(links) == 3
    again = replace(runner, folder=runner.folder.with_name("gitlab"))
    _, log = again.pipeline(pipeline)
    assert f"equal: {WHEEL}" in log
    assert "1 verified" in log
    # The same machine twice is not two builders.
    alone = {**runner.secrets, "SECOND_KEY": runner.secrets["BUILDER_KEY"]}
    _, log = replace(runner, folder=runner.folder.with_name("alone"), secrets=alone).workflow(
        workflow
    )
    assert log.endswith("bundle failed")


def edited(text: str, diff: str) -> str:
    """Apply what a page shows as a diff: added lines go where its lines stand one after another."""
    lines = diff.splitlines()
    before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    after = "\n".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(before) == 1
    return text.replace(before, after)


@pytest.mark.parametrize("page", PAGES)
def test_actions_on_the_pages_are_named_by_commit_and_their_inputs_exist(page: str) -> None:
    inputs = mapping(loaded(ACTION)["inputs"])
    uses = 0
    for block in shown_on(f"how-to/{page}"):
        for described in mapping(block.get("jobs", {})).values():
            for step in map(mapping, listing(mapping(described)["steps"])):
                uses += 1
                assert "run" not in step
                if step["uses"] == OURS:
                    assert mapping(step["with"]).keys() <= inputs.keys()
                else:
                    # Those of the service itself, no others.
                    named = str(step["uses"])
                    assert re.fullmatch(
                        r"(actions|github/codeql-action)/[\w-]+@[0-9a-f]{40}", named
                    )
    assert bool(uses) is (page != "gitlab-ci.md")
