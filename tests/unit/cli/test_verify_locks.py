"""``verify`` with lockfiles, as a user runs it: a real index, real evidence, real output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain, write_policy
from tests.integration.loopback import Index
from tests.unit.cli import shells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.distributions import Built

DEMO, NEWER, OTHER = wheel("demo"), wheel("demo", "1.1"), wheel("other")
LOCK = Path("pylock.toml")


class Shell(shells.Shell):
    """Runs ``verify`` with the policy of these tests."""

    def verify(self, *words: object) -> int:
        return self.run("verify", "--policy", "policy/policy.toml", *words)

    def report(self, *words: object) -> dict[str, Any]:
        self.verify("--format", "json", *words)
        report: dict[str, Any] = json.loads(self.out)
        return report


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    chains = [SupplyChain(project=name) for name in ("demo", "other")]
    write_policy(tmp_path / "policy", chains)
    return Shell(capsys)


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as running:
        for built in (DEMO, NEWER, OTHER):
            running.publish(built, SupplyChain(project=built.name))
        yield running


def lock(index: Index, *wheels: Built, path: Path = LOCK) -> Path:
    """Write a lock of *wheels*; the wheel of each stands in the fourth line of its table."""
    text = 'lock-version = "1.0"\ncreated-by = "test"\n'
    for built in wheels:
        text += (
            f'\n[[packages]]\nname = "{built.name}"\nversion = "{built.version}"\n'
            f'wheels = [{{ url = "{index.url(built)}", size = {len(built.data)},'
            f' hashes = {{ sha256 = "{built.sha256}" }} }}]\n'
        )
    path.write_text(text)
    return path


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {each["distribution"]["filename"]: each["status"] for each in report["verdicts"]}


def git(*words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


# --- what a lock pins -------------------------------------------------------------------------


def test_a_lock_is_verified_without_downloading_its_wheels(shell: Shell, index: Index) -> None:
    report = shell.report(lock(index, DEMO, OTHER))
    assert statuses(report) == {DEMO.filename: "verified", OTHER.filename: "verified"}
    assert report["exit-status"] == 0
    assert index.asked("*.whl") == []
    assert report["traffic"]["spared"] == len(DEMO.data) + len(OTHER.data)


def test_each_finding_names_the_line_of_the_lock(shell: Shell, index: Index) -> None:
    index.remove(f"/files/{OTHER.filename}.intoto.jsonl")
    assert shell.verify(lock(index, DEMO, OTHER)) == 1
    assert f"{OTHER.filename}: missing [layout-missing], block" in shell.out
    line = LOCK.read_text().splitlines().index(f'name = "{OTHER.name}"') + 3
    assert f"at: pylock.toml:{line}" in shell.out
    assert "1 verified, 1 missing" in shell.out
    assert "coverage: 50.0 % (1 of 2 verified)" in shell.out


def test_locks_files_and_releases_are_judged_in_one_run(
    shell: Shell, index: Index, tmp_path: Path
) -> None:
    release = f"{NEWER.name}=={NEWER.version}"
    file = DEMO.write(tmp_path)
    (tmp_path / f"{DEMO.filename}.intoto.jsonl").write_bytes(
        SupplyChain(project="demo").bundle(DEMO)
    )
    report = shell.report(lock(index, OTHER), file, release, "--index-url", index.simple)
    assert list(statuses(report).values()) == ["verified"] * 3


def test_a_lock_that_pins_nothing_is_no_success(shell: Shell) -> None:
    LOCK.write_text('lock-version = "1.0"\ncreated-by = "test"\npackages = []\n')
    assert shell.verify(LOCK) == 2
    assert "[nothing-verified]" in shell.err


def test_a_malformed_lock_is_an_error_with_its_line(shell: Shell) -> None:
    LOCK.write_text('lock-version = "1.0"\ncreated-by = "test"\n\npackages = 7\n')
    assert shell.verify(LOCK) == 2
    assert "pylock.toml:4" in shell.err
    assert "[lockfile-invalid]" in shell.err


def test_what_is_not_for_this_interpreter_is_counted_and_verifies_nothing(
    shell: Shell, index: Index
) -> None:
    lock(index, DEMO)
    marker = "marker = \"os_name == 'nowhere'\"\n"
    LOCK.write_text(LOCK.read_text().replace("wheels =", f"{marker}wheels ="))
    report = shell.report(LOCK)
    (left_out,) = report["left-out"]
    assert (left_out["name"], left_out["why"]) == (
        "demo",
        'its marker is false here: os_name == "nowhere"',
    )
    assert (report["verdicts"], report["exit-status"]) == ([], 2)
    assert "0 verified" in shell.err
    # It is no lock that pins nothing.
    assert "[nothing-verified]" not in shell.err


def test_what_could_not_be_judged_is_said_once(shell: Shell, index: Index) -> None:
    assert shell.verify(lock(index, DEMO), "none==1.0", "--index-url", index.simple) == 2
    assert shell.err.count("the index has no project 'none'") == 1
    assert "no project" not in shell.out
    assert f"{DEMO.filename}: verified" in shell.out


# --- coverage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "status"), [("50", 0), ("100", 0), ("0", 0)])
def test_coverage_that_is_enough(shell: Shell, index: Index, percent: str, status: int) -> None:
    assert shell.verify(lock(index, DEMO), "--fail-under", percent) == status


def test_coverage_below_what_is_asked_for(shell: Shell, index: Index) -> None:
    unlisted = wheel("unlisted")
    index.add(unlisted)
    words = lock(index, DEMO, unlisted)
    assert shell.verify(words) == 0
    assert shell.verify(words, "--fail-under", "50.1") == 1
    assert "50.1" in shell.out


@pytest.mark.parametrize("percent", ["-1", "100.5", "nan", "half", ""])
def test_a_percentage_is_a_number_from_0_to_100(shell: Shell, index: Index, percent: str) -> None:
    assert shell.verify(lock(index, DEMO), f"--fail-under={percent}") == 2
    assert f"argument --fail-under: {percent!r} is no percentage: 0 to 100" in shell.err


@pytest.mark.parametrize("days", ["-1", "0.5", "soon", "", "999999999999"])
def test_an_age_is_a_whole_number_of_days(shell: Shell, days: str) -> None:
    assert shell.verify("result.intoto.jsonl", f"--max-age={days}") == 2
    assert f"argument --max-age: {days!r} is no number of days" in shell.err


def test_what_a_target_can_be_is_said_of_one_that_is_none(shell: Shell) -> None:
    assert shell.verify("uv.lokc") == 2
    assert "expected: a wheel or sdist, a directory of them, NAME==VERSION, or a lock" in shell.err


# --- what changed -----------------------------------------------------------------------------


def test_only_what_changed_since_a_revision(shell: Shell, index: Index) -> None:
    git("init", "--quiet")
    lock(index, DEMO, OTHER)
    git("add", str(LOCK))
    git("commit", "--quiet", "-m", "one")
    report = shell.report(lock(index, NEWER, OTHER), "--only-changed-since", "HEAD")
    assert list(statuses(report)) == [NEWER.filename]
    assert report["exit-status"] == 0
    assert index.asked(f"*{OTHER.filename}*") == []


def test_where_nothing_changed_nothing_is_verified(shell: Shell, index: Index) -> None:
    git("init", "--quiet")
    lock(index, DEMO)
    git("add", str(LOCK))
    git("commit", "--quiet", "-m", "one")
    assert shell.verify(LOCK, "--only-changed-since", "HEAD") == 2
    assert "nothing changed since HEAD" in shell.err
    assert shell.verify(LOCK, "--only-changed-since", "HEAD", "--allow-unchanged") == 0


def test_a_lock_that_a_revision_does_not_have_is_all_new(shell: Shell, index: Index) -> None:
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    report = shell.report(lock(index, DEMO), "--only-changed-since", "HEAD")
    assert list(statuses(report)) == [DEMO.filename]


def test_an_unknown_revision_is_an_error(shell: Shell, index: Index) -> None:
    git("init", "--quiet")
    assert shell.verify(lock(index, DEMO), "--only-changed-since", "nowhere") == 2
    assert "nowhere" in shell.err


def test_a_trust_diff_tells_what_is_newly_unverified(shell: Shell, index: Index) -> None:
    older = lock(index, DEMO, path=Path("pylock.old.toml"))
    index.remove(f"/files/{NEWER.filename}.intoto.jsonl")
    report = shell.report(lock(index, NEWER, OTHER), "--trust-diff", older)
    kinds = {change["project"]: change["kind"] for change in report["changes"]}
    assert kinds == {"demo": "newly-unverified", "other": "newly-verified"}


def test_a_trust_diff_against_a_revision(shell: Shell, index: Index, tmp_path: Path) -> None:
    git("init", "--quiet")
    (tmp_path / "below").mkdir()
    lock(index, DEMO, OTHER, path=Path("below", LOCK))
    git("add", "below")
    git("commit", "--quiet", "-m", "one")
    lock(index, OTHER)
    for spelled in ("HEAD:below/pylock.toml", "HEAD:./below/pylock.toml"):
        report = shell.report(LOCK, "--trust-diff", spelled)
        assert [(each["project"], each["kind"]) for each in report["changes"]] == [
            ("demo", "removed")
        ]


def test_against_a_revision_without_the_lock_everything_is_new(shell: Shell, index: Index) -> None:
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    report = shell.report(lock(index, DEMO), "--trust-diff", f"HEAD:{LOCK}")
    assert "everything is new" in shell.err
    assert [(each["project"], each["kind"]) for each in report["changes"]] == [
        ("demo", "newly-verified")
    ]


def test_a_trust_diff_of_what_changed_knows_what_did_not(shell: Shell, index: Index) -> None:
    git("init", "--quiet")
    lock(index, DEMO, OTHER)
    git("add", str(LOCK))
    git("commit", "--quiet", "-m", "one")
    words = ("--only-changed-since", "HEAD", "--trust-diff", f"HEAD:{LOCK}")
    report = shell.report(lock(index, OTHER, NEWER), *words)
    assert report["changes"] == []
    assert report["unchanged"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no file there has a colon in its name")
def test_a_file_with_a_colon_in_its_name_is_a_file_and_no_revision(
    shell: Shell, index: Index, tmp_path: Path
) -> None:
    (tmp_path / "HEAD:").mkdir()
    older = lock(index, DEMO, path=Path("HEAD:", LOCK))
    report = shell.report(lock(index, NEWER), "--trust-diff", older)
    assert report["changes"] == []


@pytest.mark.parametrize("option", ["--only-changed-since", "--trust-diff"])
def test_comparing_needs_a_lock(shell: Shell, tmp_path: Path, option: str) -> None:
    assert shell.verify(DEMO.write(tmp_path), option, "HEAD:x") == 2
    assert "there is none" in shell.err


# --- where there is no network ----------------------------------------------------------------


def test_evidence_is_carried_to_where_there_is_no_network(shell: Shell, index: Index) -> None:
    lock(index, DEMO, OTHER)
    assert shell.verify(LOCK, "--export", "evidence") == 0
    index.requests.clear()
    report = shell.report(LOCK, "--offline", "--import", "evidence")
    assert list(statuses(report).values()) == ["verified", "verified"]
    assert index.requests == []


def test_what_the_cache_knows_is_carried_too(shell: Shell, index: Index) -> None:
    lock(index, DEMO, OTHER)
    assert shell.verify(LOCK) == 0
    assert shell.verify(LOCK, "--export", "evidence") == 0
    assert shell.verify(LOCK, "--offline", "--import", "evidence") == 0
    assert "2 verified" in shell.out


def test_without_the_network_and_without_an_import_nothing_is_reached(
    shell: Shell, index: Index
) -> None:
    assert shell.verify(lock(index, DEMO), "--offline") == 2
    assert "1 unreachable" in shell.out


def test_what_was_verified_is_remembered(shell: Shell, index: Index) -> None:
    lock(index, DEMO, OTHER)
    assert shell.verify(LOCK) == 0
    index.requests.clear()
    assert shell.verify(LOCK) == 0
    assert index.requests == []
    assert shell.verify(LOCK, "--refresh") == 0
    assert len(index.requests) == 2
    assert shell.verify(LOCK, "--no-cache") == 0
    assert len(index.requests) == 4


# --- reports ----------------------------------------------------------------------------------


def test_several_reports_of_one_run(shell: Shell, index: Index, tmp_path: Path) -> None:
    words = [
        f"--report={name}={name}.out" for name in ("json", "sarif", "junit", "markdown", "html")
    ]
    index.remove(f"/files/{OTHER.filename}.intoto.jsonl")
    assert shell.verify(lock(index, DEMO, OTHER), *words) == 1
    for name in ("json", "sarif", "junit", "markdown", "html"):
        report = (tmp_path / f"{name}.out").read_text("utf-8")
        assert OTHER.filename in report
        assert "layout-missing" in report
    assert f"{DEMO.filename}: verified" in shell.out


@pytest.mark.parametrize("report", ["json", "json=", "pdf=report.pdf", "=x"])
def test_a_report_has_a_format_and_a_file(shell: Shell, index: Index, report: str) -> None:
    assert shell.verify(lock(index, DEMO), "--report", report) == 2
    assert "FORMAT=FILE" in shell.err
    assert index.requests == []


def test_a_report_into_a_folder_that_is_not_there_is_an_error_at_once(
    shell: Shell, index: Index
) -> None:
    assert shell.verify(lock(index, DEMO), "--report", "json=nowhere/report.json") == 2
    assert "nowhere" in shell.err
    assert index.requests == []


def test_what_signs_nothing_is_said_before_anything_is_verified(shell: Shell, index: Index) -> None:
    assert shell.verify(lock(index, DEMO), "--signing-key", "alice.pem") == 2
    assert "--signing-key signs attestations" in shell.err
    assert index.requests == []


# --- options that do not go together ----------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--layout", "root.layout", "--result", "result.jsonl"),
        ("--layout", "root.layout", "--installed"),
        ("--result", "result.jsonl", "--offline"),
        ("--result", "result.jsonl", "--layout-key", "alice.pub"),
        ("--max-age", "3"),
        ("--max-age", "0"),
        ("--layout-key", "alice.pub"),
        ("--allow-unchanged",),
        ("--no-cache", "--refresh"),
        ("--no-cache", "--cache-dir", "cache"),
        ("--signing-key", "alice.pem"),
        ("--format", "attestation"),
    ],
    ids=" ".join,
)
def test_options_that_contradict_each_other(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.run("verify", *words, "demo.whl") == 2
    assert shell.err.startswith("error: ")
    assert "[usage]" in shell.err
