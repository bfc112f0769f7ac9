"""What the action and the template for CI say, and machines on which their lines run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from tests.integration.interpreters import ROOT
from tests.integration.programs import program, programs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACTION = ROOT / "hooks" / "ci" / "github" / "action.yml"
TEMPLATE = ROOT / "hooks" / "ci" / "gitlab.yml"

#: The action's input that sets a variable of the template.
INPUT_OF = {
    "INTOTO_SIGNING_KEY": "signing-key",
    "INTOTO_SOURCES": "sources",
    "INTOTO_STEP": "step",
    "INTOTO_COMMAND": "command",
    "INTOTO_DIST": "dist",
    "INTOTO_LINKS": "links",
    "INTOTO_RESULTS": "results",
    "INTOTO_OTHERS": "others",
    "INTOTO_LAYOUT": "layout",
    "INTOTO_EVIDENCE": "evidence",
    "INTOTO_OWNER_KEYS": "owner-keys",
    "INTOTO_POLICY_FILE": "policy",
    "INTOTO_TARGETS": "targets",
    "INTOTO_INDEX_URL": "index-url",
    "INTOTO_OPTIONS": "options",
    "INTOTO_REQUIREMENT": "pip-intoto",
}
ROLES = ("source", "build", "bundle", "verify")
_ROLE = re.compile(r"\$\{\{ inputs\.role == '(\w+)' \}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the action: what it runs, and the variables that it gets, as they are written."""

    name: str
    condition: str
    shell: str
    lines: str
    variables: dict[str, str] = field(default_factory=dict)


def loaded(path: Path) -> dict[str, object]:
    """Give a YAML file's mapping."""
    content = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def mapping(value: object) -> dict[str, object]:
    """Give *value*, which has to be a mapping."""
    assert isinstance(value, dict)
    return value


def steps() -> list[Step]:
    """Give all steps of the action."""
    listed = mapping(loaded(ACTION)["runs"])["steps"]
    assert isinstance(listed, list)
    return [
        Step(
            name=str(step["name"]),
            condition=str(step.get("if", "")),
            shell=str(step["shell"]),
            lines=str(step["run"]),
            variables={name: str(value) for name, value in mapping(step.get("env", {})).items()},
        )
        for step in map(mapping, listed)
    ]


def of_role(role: str) -> Step:
    """Give the step of the action that does the work of a role."""
    (step,) = (
        step for step in steps() if (found := _ROLE.fullmatch(step.condition)) and found[1] == role
    )
    return step


def job(name: str) -> dict[str, object]:
    """Give a hidden job of the template with all that it extends, as GitLab merges them."""
    own = mapping(loaded(TEMPLATE)[name])
    if "extends" not in own:
        return own
    above = job(str(own["extends"]))
    variables = {**mapping(above.get("variables", {})), **mapping(own.get("variables", {}))}
    return {**above, **own, "variables": variables}


def script(name: str, part: str = "script") -> str:
    """Give the lines of a job of the template."""
    lines = job(name)[part]
    assert isinstance(lines, list)
    return "\n".join(map(str, lines))


_HERE = 'case $1 in init | prepare) set -- "$@" --no-isolation ;; esac\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a job runs: a directory of its own, these tests' Python, and pip-intoto."""

    folder: Path
    programs: Path

    @classmethod
    def at(cls, folder: Path) -> Machine:
        """Set one up."""
        folder.mkdir(parents=True, exist_ok=True)
        found = programs(folder.with_name(f"{folder.name}-programs"))
        # The build backend that is installed here, so that nothing is downloaded.
        python = shlex.quote(sys.executable)
        program(found, "pip-intoto", f'{_HERE}exec {python} -m pip_intoto "$@"')
        return cls(folder=folder, programs=found)

    def run(
        self, lines: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run lines as a runner does: bash that ends at the first failure, without a terminal."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", lines],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # One log, as people see it.
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            cwd=self.folder,
            env={
                "PATH": f"{self.programs}:/usr/bin:/bin",
                "HOME": str(self.programs),
                "TMPDIR": str(self.programs),
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hooks'}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PIP_CONFIG_FILE": os.devnull,
                # Closed: nothing leaves this machine.
                "PIP_INDEX_URL": "http://127.0.0.1:9/simple/",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                # The same for pip; its options that say "no" are set by a "no".
                "PIP_NO_BUILD_ISOLATION": "0",
                "LC_ALL": "C.UTF-8",
                "NO_COLOR": "1",
                **(variables or {}),
            },
            timeout=300,
        )

    def job(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a job of the template; *variables* are those that a project sets."""
        given = {name: str(value) for name, value in mapping(job(name)["variables"]).items()}
        return self.run(script(name), {**given, **variables})


# --- whole pipelines, as the pages show them ------------------------------------------------

_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
_PINNED = re.compile(r"[\w./-]+@([0-9a-f]{40}|COMMIT)")
OURS = "OWNER/pip-intoto/hooks/ci/github@COMMIT"


def shown_on(page: str) -> list[dict[str, object]]:
    """Give the YAML blocks of a page that are mappings: workflows and pipelines."""
    blocks = map(yaml.safe_load, _BLOCK.findall((ROOT / "docs" / page).read_text("utf-8")))
    return [mapping(block) for block in blocks if isinstance(block, dict)]


def listing(value: object) -> list[object]:
    """Give *value*, which has to be a list."""
    assert isinstance(value, list)
    return value


def checkout(origin: Path, folder: Path) -> Machine:
    """Give a machine with a fresh checkout."""
    machine = Machine.at(folder)
    cloned = machine.run(f"git clone -q {shlex.quote(str(origin))} .")
    assert cloned.returncode == 0, cloned.stdout
    return machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs the jobs of a pipeline one after another, each on a machine of its own.

    It knows of both services what the pages use, and no more. ``secrets`` are what an owner puts
    into the settings.
    """

    origin: Path
    folder: Path
    secrets: Mapping[str, str]

    def workflow(self, workflow: Mapping[str, object]) -> tuple[dict[str, Machine], str]:
        """Run a workflow of GitHub; give the machines of all jobs that were run, and the log."""
        machines: dict[str, Machine] = {}
        log = ""
        for name, described in mapping(workflow["jobs"]).items():
            work = mapping(described)
            needs = work.get("needs", [])
            assert {*([needs] if isinstance(needs, str) else listing(needs))} <= machines.keys()
            machines[name] = Machine.at(self.folder / name)
            failed = False
            for step in map(mapping, listing(work["steps"])):
                assert step.get("if", "always()") == "always()"
                if failed and "if" not in step:
                    continue
                done = self._step(step, machines[name])
                log += done.stdout
                failed = failed or done.returncode != 0
            if failed:
                return machines, f"{log}\n{name} failed"
        return machines, log

    def summary(self, name: str) -> str:
        """Give what a job of a workflow wrote for people to read."""
        return self._summary(self.folder / name).read_text("utf-8")

    @staticmethod
    def _summary(folder: Path) -> Path:
        return folder.with_name(f"{folder.name}-summary.md")

    def _step(
        self, step: Mapping[str, object], machine: Machine
    ) -> subprocess.CompletedProcess[str]:
        given = {
            name: _EXPRESSION.sub(lambda found: self._secret(found[1]), str(value))
            for name, value in mapping(step.get("with", {})).items()
        }
        uses = str(step["uses"])
        assert _PINNED.fullmatch(uses), uses
        if uses == OURS:
            inputs = mapping(loaded(ACTION)["inputs"])
            assert given.keys() <= inputs.keys()
            values = {
                name: str(mapping(about).get("default", "")) for name, about in inputs.items()
            }
            values.update(given)
            ours = of_role(values["role"])
            variables = {name: _value(text, values) for name, text in ours.variables.items()}
            summary = {"GITHUB_STEP_SUMMARY": str(self._summary(machine.folder))}
            return machine.run(ours.lines, {**variables, **summary})
        store = self.folder / "artifacts" / given.get("name", "")
        target = machine.folder / given.get("path", ".").strip()
        match uses.partition("@")[0].partition("/")[2]:
            case "checkout":
                return machine.run(f"git clone -q {shlex.quote(str(self.origin))} .")
            case "upload-artifact":
                paths = given["path"].split()
                if len(paths) == 1:
                    shutil.copytree(target, store)
                else:
                    # What several paths have in common is cut off: here, the working directory.
                    for path in paths:
                        shutil.copytree(machine.folder / path, store / path)
            case "download-artifact":
                shutil.copytree(store, target, dirs_exist_ok=True)
            case "codeql-action/upload-sarif":
                return machine.run(f"cp {shlex.quote(given['sarif_file'])} ../shown.sarif")
            case other:
                assert other == "setup-python"
        return machine.run(":")

    def _secret(self, expression: str) -> str:
        assert expression.startswith("secrets.")
        return self.secrets[expression.removeprefix("secrets.")]

    def pipeline(self, pipeline: Mapping[str, object]) -> tuple[dict[str, Machine], str]:
        """Run a pipeline of GitLab; give the machines of all jobs that were run, and the log."""
        machines: dict[str, Machine] = {}
        log = ""
        kept: dict[str, dict[str, Path]] = {}
        names = [name for name, about in pipeline.items() if "extends" in str(about)]
        stages = list(map(str, listing(pipeline["stages"])))
        stage_of = {name: stages.index(str(mapping(pipeline[name])["stage"])) for name in names}
        for name in sorted(names, key=stage_of.__getitem__):
            own = mapping(pipeline[name])
            above = job(str(own["extends"]))
            given = {**mapping(above["variables"]), **mapping(own.get("variables", {}))}
            variables = {key: _expanded(str(value), self.secrets) for key, value in given.items()}
            machine = machines[name] = checkout(self.origin, self.folder / name)
            # Jobs of one stage run side by side, and have nothing of each other.
            for earlier in (each for each in kept if stage_of[each] < stage_of[name]):
                for path, artifact in kept[earlier].items():
                    shutil.copytree(artifact, machine.folder / path, dirs_exist_ok=True)
            done = machine.run(script(str(own["extends"])), variables)
            log += done.stdout
            if done.returncode:
                return machines, f"{log}\n{name} failed"
            described = mapping({**above, **own}["artifacts"])
            paths = [_expanded(str(path), variables) for path in listing(described["paths"])]
            kept[name] = {path: machine.folder / path for path in paths}
        return machines, log


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], text)


def _value(text: str, inputs: Mapping[str, str]) -> str:
    """Evaluate the expressions that the action uses."""
    found = _EXPRESSION.fullmatch(text)
    assert found is not None
    first, _, second = found[1].partition(" || ")
    value = inputs[first.removeprefix("inputs.")]
    if value or not second:
        return value
    formatted = re.fullmatch(r"format\('(.+)', inputs\.(\w+)\)", second)
    return formatted[1].format(inputs[formatted[2]]) if formatted else second.strip("'")
