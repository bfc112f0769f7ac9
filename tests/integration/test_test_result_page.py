"""The page on test results is followed; and what it says of refusals is so."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from tests.integration.pages import sections
from tests.integration.programs import ROOT, programs, variables
from tests.unit.maintainer.sources import GOOD, write

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/how-to/require-a-test-result.md"
DEMO = wheel("demo")
_TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="programs of a shell")


class Reader:
    """Somebody who follows the page, in a folder with a wheel and a policy of their own."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        (self.work / "dist").mkdir(parents=True)
        (self.work / "dist" / DEMO.filename).write_bytes(DEMO.data)
        (self.work / "tox.ini").write_text("[tox]\n")
        self.policy = folder / "policy.toml"
        self.policy.write_text('version = 1\nunlisted = "warn"\n')
        self.policy.chmod(0o600)
        self._variables = {
            **variables(programs(folder / "bin")),
            "INTOTO_POLICY": str(self.policy),
            "NO_COLOR": "1",
        }

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.work,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )


def _blocks() -> list[str]:
    return _TOML.findall((ROOT / PAGE).read_text("utf-8"))


def test_every_command_of_the_page_on_test_results_runs(tmp_path: Path) -> None:
    pytest.importorskip("celpy")
    reader = Reader(tmp_path)
    typed = sections(PAGE)
    rule, conditions, step = _blocks()
    said = ""
    for command in (*typed["1"], *typed["2"]):
        done = reader.run(command)
        assert done.returncode == 0, (command, done.stderr)
        said = done.stdout
    assert "1 verified" in said
    assert rule in reader.policy.read_text()

    text = reader.policy.read_text().replace('require = ["test-result"]\n', conditions)
    reader.policy.write_text(text)
    install, verify = typed["3"]
    assert install == "pip install 'pip-intoto[cel]'"
    done = reader.run(verify)
    assert (done.returncode, "1 verified" in done.stdout) == (0, True), done.stdout

    (lint,) = typed["4"]
    source = GOOD.replace("[[inspection]]", f"{step}\n[[inspection]]")
    source += '\n[keys.tester]\npublic = "keys/tester.pub"\n'
    write(reader.work, source, "alice", "ben", "carl")
    done = reader.run(lint)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 errors" in done.stdout or not done.stdout


@pytest.mark.parametrize(
    ("attested", "condition", "reason"),
    [
        (None, "true", "attestation-missing"),
        ("--test-result FAILED", "true", "predicate-negative"),
        ("--test-result WARNED", "predicate.result == 'PASSED'", "attribute-violated"),
        ("--test-result PASSED", "predicate.coverage > 0.9", "attribute-missing"),
        ("--test-result PASSED", "predicate.result", "attribute-unusable"),
    ],
)
def test_what_the_page_says_is_blocked_is_blocked(
    tmp_path: Path, attested: str | None, condition: str, reason: str
) -> None:
    pytest.importorskip("celpy")
    reader = Reader(tmp_path)
    file = f"dist/{DEMO.filename}"
    reader.run("pip-intoto keygen keys/tester --no-password")
    if attested is not None:
        reader.run(
            f"pip-intoto attest {attested} --signing-key keys/tester.pem --bundle -o dist {file}"
        )
    reader.run("pip-intoto trust add demo --key keys/tester.pub --require test-result")
    table = f'[{{ predicate = "test-result", conditions = ["{condition}"] }}]'
    text = reader.policy.read_text()
    assert '["test-result"]' in text
    reader.policy.write_text(text.replace('["test-result"]', table))
    done = reader.run(f"pip-intoto verify {file}")
    assert done.returncode == 1
    assert f"[{reason}]" in done.stdout
