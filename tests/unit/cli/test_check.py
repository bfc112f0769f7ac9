"""``check``: what somebody who installs the files would see, and is to be told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import PAST, SupplyChain, write_policy
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.policy.file import load_policy
from tests.integration.programs import programs
from tests.unit.cli.test_bundle import CHAIN, WHEEL, public, shell

if TYPE_CHECKING:
    from tests.unit.cli.shells import Shell

__all__ = ["shell"]

EVIDENCE = Path("dist-evidence")
FILE = Path("dist") / WHEEL.filename


def put(chain: SupplyChain = CHAIN, filename: str = WHEEL.filename) -> Path:
    EVIDENCE.mkdir(exist_ok=True)
    path = EVIDENCE / f"{filename}.intoto.jsonl"
    path.write_bytes(chain.bundle(WHEEL))
    return path


def commands(out: str) -> str:
    """The lines that are to be pasted."""
    found = re.search(r"^cat > .*^pip-intoto trust add [^\n]*$", out, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def test_a_release_that_verifies(shell: Shell) -> None:
    put()
    assert shell.run("check", FILE, "--key", public("owner")) == 0
    assert shell.out.startswith(f"{WHEEL.filename}: verified\n")
    for host in ("static index", "--find-links", "GitHub Releases", "PyPI"):
        assert host in shell.out
    assert shell.err == "1 verified\n"


def test_evidence_is_found_beside_the_file_and_where_it_is_said_to_be(shell: Shell) -> None:
    put().rename(Path("dist") / f"{WHEEL.filename}.intoto.jsonl")
    assert shell.run("check", FILE, "--key", public("owner")) == 0
    Path("elsewhere").mkdir()
    beside = Path("dist") / f"{WHEEL.filename}.intoto.jsonl"
    beside.rename(Path("elsewhere") / beside.name)
    assert shell.run("check", FILE, "--key", public("owner")) == 1
    assert shell.run("check", FILE, "--key", public("owner"), "--evidence", "elsewhere") == 0


def test_a_plain_directory_of_links_is_nothing_that_can_be_published(shell: Shell) -> None:
    EVIDENCE.mkdir()
    for document in CHAIN.evidence(WHEEL):
        (EVIDENCE / document.name).write_text(json.dumps(document.content))
    assert shell.run("check", FILE, "--key", public("owner")) == 1
    assert "pip-intoto bundle" in shell.out


@pytest.mark.parametrize(
    ("chain", "reason", "advice"),
    [
        (replace(CHAIN, expires=PAST), "layout-expired", "pip-intoto layout renew"),
        (
            replace(CHAIN, owners=(key("thief"),)),
            "layout-signature-missing",
            "pip-intoto layout status",
        ),
        (replace(CHAIN, build_signer=key("thief")), "link-missing", "Carry out the step"),
        (
            replace(CHAIN, build_products=(["DISALLOW", "*"],)),
            "rule-violated",
            "record the steps again",
        ),
    ],
)
def test_what_would_be_blocked_is_shown_with_its_trace(
    chain: SupplyChain, reason: str, advice: str, shell: Shell
) -> None:
    put(chain)
    assert shell.run("check", FILE, "--key", public("owner")) == 1
    assert f"[{reason}], block" in shell.out
    assert f"fail  verdict: {reason}" in shell.out
    # It is the maintainer who reads this, and not somebody who installs.
    assert advice in shell.out
    assert "Do not install" not in shell.out
    assert "Ask the project" not in shell.out
    # Nobody should paste what does not work.
    assert "trust add" not in shell.out


def test_a_changed_file_is_blocked(shell: Shell) -> None:
    put()
    WHEEL.tampered().write(Path("dist"))
    assert shell.run("check", FILE, "--key", public("owner")) == 1
    assert "artifact-digest-mismatch" in shell.out
    assert "hint: The file is not the one that the step recorded" in shell.out


def test_evidence_over_the_limits_of_others_is_blocked_and_said(shell: Shell) -> None:
    bundle = put()
    with bundle.open("ab") as stream:
        stream.write(b"{}" + b" " * DEFAULT.bundle_bytes + b"\n")
    assert shell.run("check", FILE, "--key", public("owner")) == 1
    assert "metadata-too-large" in shell.out
    assert f"at most {DEFAULT.bundle_bytes}" in shell.err


def test_thresholds_are_those_of_trust_add(shell: Shell) -> None:
    put()
    owners = ["--key", public("owner"), "--key", public("second")]
    assert shell.run("check", FILE, *owners) == 1
    assert shell.run("check", FILE, *owners, "--threshold", 1) == 0
    assert "--threshold 1" in commands(shell.out)


def test_with_somebody_s_policy_which_stays_as_it_is(shell: Shell, tmp_path: Path) -> None:
    put()
    policy = write_policy(
        tmp_path / "consumer",
        [CHAIN],
        head='mode = "warn"',
        rule='index = "https://pypi.acme.example/simple/"\nsources = ["https://a.example/{sha256}"]',
    )
    before = policy.read_bytes()
    assert shell.run("check", FILE, "--policy", policy) == 0
    assert "--index https://pypi.acme.example/simple/" in shell.out
    assert "'https://a.example/{sha256}'" in shell.out
    assert policy.read_bytes() == before
    put(replace(CHAIN, expires=PAST))
    # What their policy only warns about is not fit to be published.
    assert shell.run("check", FILE, "--policy", policy) == 1


def test_a_policy_that_does_not_list_the_project_is_no_success(
    shell: Shell, tmp_path: Path
) -> None:
    put()
    policy = SupplyChain(project="other").policy(tmp_path / "consumer")
    assert shell.run("check", FILE, "--policy", policy) == 1
    assert "unlisted" in shell.out


def test_the_user_s_own_policy_is_not_looked_at(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put()
    monkeypatch.setenv("INTOTO_POLICY", str(tmp_path / "missing.toml"))
    assert shell.run("check", FILE, "--key", public("owner")) == 0
    assert not (tmp_path / "missing.toml").exists()


def test_without_anybody_s_key_there_is_nothing_to_hold_it_against(shell: Shell) -> None:
    put()
    assert shell.run("check", FILE) == 2
    assert "--key" in shell.err


SOURCE = """\
version = 1
project = "demo"
expires = "1 year"
[owners]
keys = ["alice"]
[keys.alice]
public = "owner.pub"
[[step]]
name = "build"
functionaries = ["alice"]
products = ["CREATE demo-*", "DISALLOW *"]
"""


def test_the_owners_of_the_layout_source_are_the_default(shell: Shell) -> None:
    put()
    public("owner")
    Path("supply-chain.toml").write_text(SOURCE)
    assert shell.run("check", "dist") == 0
    assert "signed by alice" in shell.out
    pem = key("owner").public_pem().decode()
    inline = SOURCE.replace('"owner.pub"', f'"""\n{pem}"""')
    Path("supply-chain.toml").write_text(inline)
    assert shell.run("check", "dist") == 0
    assert pem in shell.out


def test_keys_of_one_party_are_told_to_be_so(shell: Shell) -> None:
    put()
    public("owner")
    public("second")
    two = SOURCE.replace('keys = ["alice"]', 'keys = ["alice", "laptop"]\nthreshold = 1')
    two = two.replace(
        "[[step]]", '[keys.laptop]\npublic = "second.pub"\nprincipal = "alice"\n[[step]]'
    )
    Path("supply-chain.toml").write_text(two)
    assert shell.run("check", "dist") == 0
    for called in ("demo-alice", "demo-laptop"):
        assert f'[keys.{called}]: principal = "alice"' in shell.out


@pytest.mark.parametrize("words", [[], ["demo==1.0"], ["links"], ["nothing.whl"]])
def test_nothing_to_check_is_never_success(words: list[str], shell: Shell) -> None:
    Path("links").mkdir(exist_ok=True)
    assert shell.run("check", *words, "--key", public("owner")) == 2


def test_where_it_is_going_to_lie_is_said_for_every_file(shell: Shell) -> None:
    put()
    template = "https://meta.acme.example/{project}/{version}/{filename}.intoto.jsonl"
    assert shell.run("check", FILE, "--key", public("owner"), "--publish-at", template) == 0
    assert f"https://meta.acme.example/demo/1.0/{WHEEL.filename}.intoto.jsonl" in shell.out
    assert f"--source '{template}'" in commands(shell.out)


@pytest.mark.parametrize("source", ["nowhere", "https://{project}.example/", "https://x/{nothing}"])
def test_a_place_that_no_consumer_could_name_is_refused(source: str, shell: Shell) -> None:
    put()
    assert shell.run("check", FILE, "--key", public("owner"), "--publish-at", source) == 2


def test_warnings_before_it_is_too_late(shell: Shell) -> None:
    soon = datetime.now(timezone.utc) + timedelta(days=3)
    put(replace(CHAIN, expires=soon))
    put(filename="Demo-1.0-py3-none-any.whl")
    put(filename="demo-0.9-py3-none-any.whl")
    wheel("demo", "1.1").write(Path("dist"))
    assert shell.run("check", FILE, "--key", public("owner")) == 0
    assert "expires on" in shell.err
    assert f"is looked for as {WHEEL.filename}.intoto.jsonl" in shell.err
    assert "demo-0.9-py3-none-any.whl.intoto.jsonl belongs to no file" in shell.err
    assert "demo-1.1-py3-none-any.whl has no evidence" in shell.err


def test_what_consumers_need_besides_is_said(shell: Shell) -> None:
    layout = CHAIN.layout()
    layout["inspect"] = [
        authoring.inspection("look", run=["python", "check.py"]),
        authoring.inspection("unpack", run=["unzip", "-q", WHEEL.filename]),
    ]
    steps = layout["steps"]
    assert isinstance(steps, list)
    assert isinstance(steps[1], dict)
    steps[1]["expected_products"] = [["CREATE", "demo-{VERSION}-*"], ["DISALLOW", "*"]]
    root = authoring.Document(authoring.sign(layout, CHAIN.owners), ROOT_LAYOUT)
    put().write_bytes(authoring.bundle([root, *CHAIN.evidence(WHEEL)[1:]]))
    status = shell.run("check", FILE, "--key", public("owner"), "--format", "json")
    assert status == 1
    assert json.loads(shell.out)["policy-needs"] == [
        'parameters = { VERSION = "{version}" }',
        'inspections = [["python", "check.py"]]',
    ]


def test_the_report_for_programs(shell: Shell) -> None:
    put()
    words = ["--publish-at", "https://a.example/{filename}", "--format", "json"]
    assert shell.run("check", FILE, "--key", public("owner"), *words) == 0
    report = json.loads(shell.out)
    assert report["schema"] == 1
    assert report["exit-status"] == 0
    assert report["verdicts"][0]["status"] == "verified"
    assert report["files"][0]["addresses"] == [f"https://a.example/{WHEEL.filename}"]
    (announced,) = report["announcements"]
    assert announced["project"] == "demo"
    assert list(announced["fingerprints"]) == ["demo-owner"]


@pytest.mark.parametrize("terminal", ["sh", "bash"])
def test_the_lines_for_the_readme_work_in_a_real_shell(
    terminal: str, shell: Shell, tmp_path: Path
) -> None:
    put()
    owners = ["--key", f"Ålice & co={public('owner')}", "--key", public("second")]
    template = "https://meta.acme.example/{project}/{filename}.intoto.jsonl"
    words = [*owners, "--threshold", 1, "--publish-at", "beside", "--publish-at", template]
    # A name that is no bare word is part of the file's name.
    assert shell.run("check", FILE, *words) == 2
    owners[1] = f"alice={public('owner')}"
    words[: len(owners)] = owners
    assert shell.run("check", FILE, *words) == 0
    typed = commands(shell.out)
    shown = re.findall(r"sha256:[0-9a-f]{64}", shell.out)
    home = tmp_path / "home"
    home.mkdir()
    programs(home)
    policy = home / "policy.toml"
    done = subprocess.run(
        [terminal, "-e", "-c", typed],
        check=False,
        capture_output=True,
        text=True,
        cwd=home,
        env={
            "PATH": f"{home}:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "INTOTO_POLICY": str(policy),
        },
    )
    assert done.returncode == 0, done.stderr
    for fingerprint in shown:
        assert fingerprint in done.stderr
    (rule,) = load_policy(policy).projects
    assert rule.name == "demo"
    assert rule.threshold == 1
    assert len(rule.owners) == 2
    assert [source.spelled for source in rule.sources] == ["beside", template]
