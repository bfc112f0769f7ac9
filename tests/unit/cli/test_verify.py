"""``verify`` and ``explain`` as a user runs them: real files, a real index, real output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import pip_intoto
from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import PAST, SupplyChain
from pip_intoto.errors import CommandError, PolicyMissing
from pip_intoto.maintainer import authoring
from tests.integration.loopback import Index, Status
from tests.unit.cli import shells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")


class Shell(shells.Shell):
    """Gives reports as programs read them, too."""

    def report(self, *words: object) -> tuple[int, dict[str, Any]]:
        status = self.run("verify", "--format", "json", *words)
        report: dict[str, Any] = json.loads(self.out)
        return status, report


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    for name in ("INTOTO_POLICY", "PIP_INDEX_URL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        yield running


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return CHAIN.policy(tmp_path / "policy")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = WHEEL.write(tmp_path)
    (tmp_path / f"{WHEEL.filename}.intoto.jsonl").write_bytes(CHAIN.bundle(WHEEL))
    return path


# --- against a policy -------------------------------------------------------------------------


def test_a_good_file_is_verified(shell: Shell, good: Path, policy: Path) -> None:
    assert shell.run("verify", "--policy", policy, good) == 0
    assert f"{WHEEL.filename}: verified" in shell.out
    assert "1 verified" in shell.out


def test_a_tampered_file_is_blocked(shell: Shell, good: Path, policy: Path) -> None:
    good.write_bytes(WHEEL.tampered().data)
    assert shell.run("verify", "--policy", policy, good) == 1
    assert "artifact-digest-mismatch" in shell.out
    assert WHEEL.sha256 in shell.out
    assert WHEEL.tampered().sha256 in shell.out


def test_a_file_without_evidence_is_blocked(shell: Shell, tmp_path: Path, policy: Path) -> None:
    assert shell.run("verify", "--policy", policy, WHEEL.write(tmp_path)) == 1
    assert "missing [layout-missing], block" in shell.out


def test_a_wheelhouse(shell: Shell, good: Path, policy: Path) -> None:
    other = wheel("other").write(good.parent)
    assert shell.run("verify", "--policy", policy, good.parent) == 0
    assert f"{WHEEL.filename}: verified" in shell.out
    assert f"{other.name}: unlisted, warn" in shell.out
    assert "1 verified, 1 unlisted" in shell.out


def test_the_report_for_programs(shell: Shell, good: Path, policy: Path) -> None:
    status, report = shell.report("--policy", policy, good)
    assert status == 0
    assert report["schema"] == 1
    assert report["exit-status"] == 0
    (verdict,) = report["verdicts"]
    assert verdict["status"] == verdict["reason"] == "verified"
    assert verdict["action"] == "pass"
    assert verdict["distribution"]["sha256"] == WHEEL.sha256
    assert {entry["outcome"] for entry in verdict["trace"]} <= {"ok", "note", "fail"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_report_into_a_file(
    shell: Shell, good: Path, policy: Path, tmp_path: Path, form: str
) -> None:
    output = tmp_path / "report"
    assert shell.run("verify", "--policy", policy, good, "--format", form, "-o", output) == 0
    assert shell.out == ""
    assert "verified" in output.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no file can be called so")
def test_a_report_names_files_whose_names_are_no_text(
    shell: Shell, tmp_path: Path, policy: Path
) -> None:
    # Not UTF-8, and what some terminals take for the start of a command.
    named = "other-1\udcff\x9b.0.tar.gz"
    (tmp_path / named).write_bytes(b"")
    output = tmp_path / "out"
    words = ("verify", "--format", "json", tmp_path / named, "--policy", policy)
    assert shell.run(*words, "-o", output) == 2
    assert shell.run(*words) == 2
    for text in (output.read_text(), shell.out):
        assert json.loads(text)["verdicts"][0]["distribution"]["filename"] == named
        assert text.isascii()


def test_a_file_that_is_called_as_a_release_is_a_file(shell: Shell, policy: Path) -> None:
    policy.parents[1].joinpath("demo==1.0").write_bytes(b"")
    assert shell.run("verify", "--policy", policy, "demo==1.0") == 2
    assert "demo==1.0 is not named as a wheel or an sdist" in shell.err


def test_quiet_says_only_what_went_wrong(shell: Shell, good: Path, policy: Path) -> None:
    assert shell.run("verify", "-q", "--policy", policy, good) == 0
    assert shell.out == shell.err == ""


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nowhere-1.0-py3-none-any.whl"],
        ["demo>=1"],
        ["empty"],
        ["notes.txt"],
        ["--link-dir", ".", "x"],
        ["--offline", "demo==1.0"],
    ],
)
def test_what_cannot_be_verified_is_never_success(
    shell: Shell, tmp_path: Path, policy: Path, words: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no distribution")
    assert shell.run("verify", "--policy", policy, *words) == 2
    assert shell.err.startswith("error: ")


def test_only_unlisted_projects_is_nothing_verified(
    shell: Shell, tmp_path: Path, policy: Path
) -> None:
    assert shell.run("verify", "--policy", policy, wheel("other").write(tmp_path)) == 2


def test_a_block_outweighs_what_could_not_be_done(
    shell: Shell, tmp_path: Path, policy: Path
) -> None:
    (tmp_path / "notes.whl").write_text("no distribution")
    assert shell.run("verify", "--policy", policy, WHEEL.write(tmp_path), "notes.whl") == 1
    assert "notes.whl" in shell.err


def test_without_a_policy_there_is_no_verdict(
    shell: Shell, good: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTOTO_POLICY", str(tmp_path / "none.toml"))
    assert shell.run("verify", good) == 2
    assert "none.toml" in shell.err
    assert shell.run("verify", good, "--policy", tmp_path / "none.toml") == 2


def test_the_two_forms_are_not_mixed(shell: Shell, good: Path, policy: Path) -> None:
    assert shell.run("verify", "--policy", policy, "--layout", "x", good) == 2
    assert "--policy" in shell.err


# --- releases in an index ---------------------------------------------------------------------


def test_a_release_is_looked_up_fetched_and_verified(
    shell: Shell, index: Index, policy: Path
) -> None:
    index.publish(WHEEL, CHAIN)
    words = ("--policy", policy, "--index-url", index.simple, "Demo==1.0")
    status, report = shell.report(*words)
    assert status == 0
    assert report["verdicts"][0]["distribution"]["url"] == index.url(WHEEL)


def test_the_file_that_pip_would_choose(shell: Shell, index: Index, policy: Path) -> None:
    for other in (wheel("demo", "2.0"), wheel("demo", tag="cp27-none-win32")):
        index.add(other)
    index.publish(WHEEL, CHAIN)
    words = ("--policy", policy, "--index-url", index.simple, "demo==1")
    _, report = shell.report(*words)
    assert report["verdicts"][0]["distribution"]["filename"] == WHEEL.filename


@pytest.mark.parametrize(
    "name",
    [
        f"demo-{'1' * 5_000}.tar.gz",
        f"demo-1.0-{'1' * 5_000}-py3-none-any.whl",
        f"demo-1.0-{'-'.join(['.'.join(map(str, range(1_000)))] * 3)}.whl",
    ],
    ids=["version", "build", "tags"],
)
def test_names_that_no_file_can_have_are_passed_over(
    shell: Shell, index: Index, policy: Path, name: str
) -> None:
    files = [{"filename": name, "url": f"/files/{name}"}]
    index.fault("/simple/demo/", Status(200, json.dumps({"files": files}).encode()))
    assert shell.run("verify", "--policy", policy, "--index-url", index.simple, "demo==1.0") == 2
    assert "no file of demo 1.0" in shell.err


def test_credentials_are_used_and_never_shown(
    shell: Shell, index: Index, policy: Path, tmp_path: Path
) -> None:
    index.require("user", "hunter2")
    index.publish(WHEEL, CHAIN)
    url = index.with_credentials("user", "hunter2")
    words = ("--policy", policy, "--index-url", url, "demo==1.0")
    assert shell.run("verify", "-v", *words) == 0
    assert "hunter2" not in shell.out + shell.err
    output = tmp_path / "report.json"
    assert shell.run("verify", "--format", "json", "-o", output, *words) == 0
    assert "hunter2" not in output.read_text()
    assert shell.run("explain", *words) == 0
    assert "hunter2" not in shell.out + shell.err


@pytest.mark.parametrize(
    ("pattern", "status", "exit_status"),
    [("/simple/*", 500, 2), ("*.whl", 500, 2), ("*.intoto*", 403, 2), ("*.intoto*", 404, 1)],
)
def test_an_outage_is_told_from_absence(
    shell: Shell, index: Index, policy: Path, pattern: str, status: int, exit_status: int
) -> None:
    index.publish(WHEEL, CHAIN)
    index.fault(pattern, Status(status))
    words = ("--policy", policy, "--index-url", index.simple, "demo==1.0")
    found, report = shell.report(*words)
    assert found == exit_status
    assert report["verdicts"][0]["status"] == ("missing" if status == 404 else "unreachable")


def test_a_file_that_is_not_the_listed_one_is_blocked(
    shell: Shell, index: Index, policy: Path
) -> None:
    index.publish(WHEEL, CHAIN)
    index.put(f"/files/{WHEEL.filename}", WHEEL.tampered().data)
    words = ("--policy", policy, "--index-url", index.simple, "demo==1.0")
    status, report = shell.report(*words)
    assert status == 1
    assert report["verdicts"][0]["reason"] == "artifact-digest-mismatch"


@pytest.mark.parametrize("target", ["none==1.0", "demo==9", "demo==one"])
def test_a_release_that_is_not_there(shell: Shell, index: Index, policy: Path, target: str) -> None:
    index.publish(WHEEL, CHAIN)
    words = ("--policy", policy, "--index-url", index.simple, target)
    assert shell.run("verify", *words) == 2
    assert shell.err.startswith("error: ")


def test_offline_nobody_is_asked(shell: Shell, index: Index, good: Path, tmp_path: Path) -> None:
    chain_policy = CHAIN.policy(
        tmp_path / "templates", rule=f'sources = ["{index.origin}/{{filename}}"]'
    )
    assert shell.run("verify", "--policy", chain_policy, "--offline", good) == 2
    assert "--offline" in shell.out
    assert index.requests == []


# --- without a policy -------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A directory as the in-toto tools leave it: layout, links, key, product."""
    folder = tmp_path / "plain"
    folder.mkdir()
    for document in CHAIN.evidence(WHEEL):
        (folder / document.name).write_bytes(authoring.bundle([document]))
    (folder / "owner.pub").write_bytes(key("owner").public_pem())
    WHEEL.write(folder)
    return folder


def of(plain: Path, *more: object) -> list[object]:
    words: list[object] = ["verify", "--layout", plain / "root.layout", "--link-dir", plain]
    return [*words, "--layout-key", plain / "owner.pub", *more]


def test_plain_verification_of_a_file(shell: Shell, plain: Path) -> None:
    assert shell.run(*of(plain, plain / WHEEL.filename)) == 0
    (plain / WHEEL.filename).write_bytes(b"tampered")
    assert shell.run(*of(plain, plain / WHEEL.filename)) == 1
    assert "artifact-digest-mismatch" in shell.out


def test_plain_verification_without_a_file(shell: Shell, plain: Path) -> None:
    assert shell.run(*of(plain)) == 0
    (plain / CHAIN.evidence(WHEEL)[1].name).unlink()
    assert shell.run(*of(plain)) == 1
    assert "link-missing" in shell.out


def imported(*words: object) -> set[str]:
    """Run ``verify`` in a process of its own, and give the modules that it imported."""
    code = (
        "import sys; from pip_intoto.cli import main; status = main(sys.argv[1:]);"
        " print(*sys.modules, file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return set(done.stderr.split())


def test_plain_verification_imports_only_what_it_needs(plain: Path) -> None:
    modules = imported(*of(plain))
    assert "pip_intoto.verification.chain" in modules
    costly = {
        "asyncio",
        "cryptography.hazmat.primitives.serialization",
        "cryptography.x509",
        "email",
        "importlib.metadata",
        "packaging",
        "pip_intoto.policy.file",
        "pip_intoto.verification.certificates",
        "platformdirs",
        "requests",
        "rich",
        "securesystemslib",
        "signal",
        "subprocess",
        "tempfile",
    }
    assert costly.isdisjoint(modules)


def test_verification_of_a_file_imports_only_what_it_needs(good: Path, policy: Path) -> None:
    modules = imported("verify", "--policy", policy, "--no-cache", good)
    assert "pip_intoto.policy.file" in modules
    costly = {
        "asyncio",
        "csv",
        "email",
        "importlib.metadata",
        "packaging.markers",
        "packaging.specifiers",
        "pip_intoto.lockfiles.documents",
        "pip_intoto.lockfiles.interpreters",
        "pip_intoto.maintainer.git",
        "pip_intoto.reports.html",
        "pip_intoto.reports.machine",
        "pip_intoto.verifier.inventory",
        "requests",
        "rich",
        "securesystemslib",
    }
    assert costly.isdisjoint(modules)


def test_the_in_toto_tools_spelling_of_the_keys(shell: Shell, plain: Path) -> None:
    words = ["--layout", plain / "root.layout", "--link-dir", plain]
    keys = ["--verification-keys", plain / "owner.pub", plain / "owner.pub"]
    assert shell.run("verify", *words, *keys) == 0


def test_L9_every_key_must_have_signed(shell: Shell, plain: Path) -> None:
    (plain / "other.pub").write_bytes(key("other").public_pem())
    assert shell.run(*of(plain, "--layout-key", plain / "other.pub")) == 1
    assert "layout-signature-missing" in shell.out


@pytest.mark.accepts("L9")
def test_L9_key_files_with_the_same_name_are_two_keys(shell: Shell, plain: Path) -> None:
    for folder in ("one", "two"):
        (plain / folder).mkdir()
        (plain / folder / "key.pub").write_bytes(key(folder).public_pem())
    signed = authoring.sign(CHAIN.layout(), [key("one"), key("two")], CHAIN.envelope)
    (plain / "root.layout").write_bytes(authoring.bundle([authoring.Document(signed)]))
    words = ["verify", "--layout", plain / "root.layout", "--link-dir", plain, "--layout-keys"]
    assert shell.run(*words, plain / "one" / "key.pub", plain / "two" / "key.pub") == 0


def test_an_expired_layout(shell: Shell, plain: Path) -> None:
    expired = SupplyChain(project="demo", expires=PAST)
    (plain / "root.layout").write_bytes(authoring.bundle([expired.root()]))
    assert shell.run(*of(plain)) == 1
    assert "layout-expired" in shell.out


def test_a_layout_among_the_links_is_not_the_layout(shell: Shell, plain: Path) -> None:
    # Another layout by the same owner, which asks for less.
    lax = authoring.layout(expires=CHAIN.expires, keys=[], steps=[])
    signed = authoring.sign(lax, CHAIN.owners, CHAIN.envelope)
    document = authoring.Document(signed, "lax.12345678.link")
    (plain / document.name).write_bytes(authoring.bundle([document]))
    for link in CHAIN.evidence(WHEEL)[1:]:
        (plain / link.name).unlink()
    assert shell.run(*of(plain)) == 1
    assert "link-missing" in shell.out


def with_parts(plain: Path, **parts: Any) -> None:  # noqa: ANN401 - any member of a layout
    layout = CHAIN.layout()
    layout.update(parts)
    signed = authoring.Document(authoring.sign(layout, CHAIN.owners, CHAIN.envelope))
    (plain / "root.layout").write_bytes(authoring.bundle([signed]))


def test_commands_run_only_when_the_command_line_says_so(shell: Shell, plain: Path) -> None:
    ran = plain / "ran"
    with_parts(plain, inspect=[authoring.inspection("look", run=["touch", str(ran)])])
    assert shell.run(*of(plain)) == 1
    assert "inspection-not-allowed" in shell.out
    assert "--run-inspections" in shell.out
    assert not ran.exists()
    assert shell.run(*of(plain, "--run-inspections")) == 0
    assert ran.exists()


def test_parameters_are_substituted(shell: Shell, plain: Path, tmp_path: Path) -> None:
    steps = CHAIN.layout()["steps"]
    assert isinstance(steps, list)
    build = steps[1]
    assert isinstance(build, dict)
    build["expected_products"] = [["CREATE", "demo-{VERSION}-*"], ["DISALLOW", "*"]]
    with_parts(plain, steps=steps)
    assert shell.run(*of(plain, plain / WHEEL.filename)) == 1
    assert "--parameters FILE" in shell.out
    for version, status in (("1.0", 0), ("2.0", 1)):
        (tmp_path / "parameters.json").write_text(json.dumps({"VERSION": version}))
        words = of(plain, "--parameters", tmp_path / "parameters.json", plain / WHEEL.filename)
        assert shell.run(*words) == status
    (tmp_path / "parameters.json").write_text('{"VERSION": 1}')
    assert shell.run(*of(plain, "--parameters", tmp_path / "parameters.json")) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--layout", "root.layout"],
        ["--layout", "none", "--layout-key", "owner.pub"],
        ["--layout", "owner.pub", "--layout-key", "owner.pub"],
        ["--layout", "root.layout", "--layout-key", "root.layout"],
        ["--layout", "root.layout", "--layout-key", "owner.pub", "--link-dir", "none"],
        ["--layout", "root.layout", "--layout-key", "owner.pub", "none.whl"],
    ],
)
def test_what_the_command_line_names_must_be_there(
    shell: Shell, plain: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(plain)
    assert shell.run("verify", *words) == 2
    assert shell.err.startswith("error: ")


# --- explain ----------------------------------------------------------------------------------


def test_explain_draws_the_whole_trace(shell: Shell, good: Path, policy: Path) -> None:
    assert shell.run("explain", "--policy", policy, good) == 0
    for words in ("rule", "owners", "layout", "step source", "step build", "binding"):
        assert words in shell.out
    assert "VERIFIED [verified]: pip would install it" in shell.out
    good.write_bytes(WHEEL.tampered().data)
    assert shell.run("explain", "--policy", policy, good) == 1
    assert "INVALID [artifact-digest-mismatch]: pip would not install it" in shell.out


def test_explain_shows_one_verdict_at_a_time(shell: Shell, good: Path, policy: Path) -> None:
    wheel("other").write(good.parent)
    assert shell.run("explain", "--policy", policy, good.parent) == 2
    assert "one verdict at a time" in shell.err


# --- the library ------------------------------------------------------------------------------


def test_the_library_gives_verdicts(good: Path, policy: Path) -> None:
    verdict = pip_intoto.verify(str(good), policy=str(policy))
    assert verdict.status is pip_intoto.Status.VERIFIED
    assert verdict.reason == "verified"
    assert verdict.trace
    again = pip_intoto.verify(good, policy=pip_intoto.load_policy(policy))
    assert again.status is verdict.status


def test_the_library_raises_what_is_no_verdict(tmp_path: Path, good: Path) -> None:
    with pytest.raises(CommandError):
        pip_intoto.verify(tmp_path / "none-1.0-py3-none-any.whl", policy=tmp_path / "p.toml")
    with pytest.raises(PolicyMissing):
        pip_intoto.verify(good, policy=tmp_path / "p.toml")
    with pytest.raises(AttributeError):
        getattr(pip_intoto, "nothing")  # noqa: B009 - mypy would object to the plain spelling


def test_every_public_name_is_there() -> None:
    for name in pip_intoto.__all__:
        assert getattr(pip_intoto, name) is not None
    assert "verify" in dir(pip_intoto)
