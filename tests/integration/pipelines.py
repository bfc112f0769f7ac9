"""What the action and the template for CI say, and machines on which their lines run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from tests.integration.interpreters import ROOT

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a job runs: a directory of its own, these tests' Python, and pip-intoto."""

    folder: Path
    programs: Path

    @classmethod
    def at(cls, folder: Path) -> Machine:
        """Set one up."""
        folder.mkdir(parents=True, exist_ok=True)
        programs = folder.with_name(f"{folder.name}-programs")
        programs.mkdir()
        python = shlex.quote(sys.executable)
        for name, words in (("python", ""), ("pip-intoto", "-m pip_intoto")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {python} {words} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
        return cls(folder=folder, programs=programs)

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
