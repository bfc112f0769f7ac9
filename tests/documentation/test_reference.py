"""The reference is complete and current: codes, keys, commands and limits."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from fixtures.keys import key
from pip_intoto.lockfiles import pylock
from pip_intoto.maintainer.layouts import layout_source
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.lint import lint
from pip_intoto.maintainer.layouts.owners import Owners
from pip_intoto.metadata import identities, publishers
from pip_intoto.policy import vocabulary
from pip_intoto.policy.file import load_policy

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
Table: TypeAlias = "dict[str, object]"

PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """Give docs/check.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_check", ROOT / "docs" / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def test_the_documentation_is_complete_and_current(check: ModuleType) -> None:
    assert check.problems() == []


def test_the_codes_of_the_gate_and_of_the_package_are_found(check: ModuleType) -> None:
    codes = check.reason_codes()
    assert {"layout-expired", "would-overwrite-gate", "pip-unsupported", "verified"} <= codes
    assert not {"missing", "error", "pip-intoto"} & codes


def test_a_code_without_documentation_is_noticed(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "reason_codes", lambda: {"verified", "brand-new"})
    assert "reasons.md lacks `brand-new`" in check.problems()
    assert "reasons.md describes `usage`, which nothing gives" in check.problems()


def test_help_that_changed_is_noticed(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check._WRITTEN, "commands.md", lambda: "something else")
    assert "commands.md is out of date; run `python docs/check.py --write`" in check.problems()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_policies_and_layout_sources_on_the_pages_have_known_keys_only(page: Path) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        written = tomllib.loads(block)
        is_source = not {"owners", "step", "inspection"}.isdisjoint(written)
        of_its_kind = _of_lock if "packages" in written else _of_policy
        for table, known in (_of_source if is_source else of_its_kind)(written):
            assert table.keys() <= set(known)


def _of_policy(written: Table) -> Iterator[tuple[Table, tuple[str, ...]]]:
    # Some pages show what stands in a table without its header.
    anywhere = tuple(key for _, keys in vocabulary.TABLES for key in keys)
    tables = [written, *_named(written, "keys")]
    for name in ("project", "exception", "revoked"):
        tables += _listed(written, name)
    return ((table, anywhere) for table in tables)


def _of_lock(written: Table) -> Iterator[tuple[Table, tuple[str, ...]]]:
    yield written, ("packages",)
    for package in _listed(written, "packages"):
        yield package, ("attestation-identities", "tool")
        for table in _named(package, "tool"):
            yield table, pylock.RECORDED
            yield from ((each, identities.PARTS) for each in _listed(table, "identities"))
        for publisher in _listed(package, "attestation-identities"):
            assert publishers.identity_of(publisher).issuer


def _of_source(written: Table) -> Iterator[tuple[Table, tuple[str, ...]]]:
    yield written, layout_source.TOP
    yield from ((key, vocabulary.KEY) for key in _named(written, "keys"))
    yield from ((step, layout_source.STEP) for step in _listed(written, "step"))
    yield from ((each, layout_source.INSPECTION) for each in _listed(written, "inspection"))
    owners = written.get("owners")
    if isinstance(owners, dict):
        yield owners, layout_source.OWNERS


def _named(written: Table, name: str) -> list[Table]:
    tables = written.get(name)
    return list(tables.values()) if isinstance(tables, dict) else []


def _listed(written: Table, name: str) -> list[Table]:
    tables = written.get(name)
    return tables if isinstance(tables, list) else []


def test_the_example_of_a_layout_source_is_one_and_has_no_findings(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "layout-source.md").read_text("utf-8")
    example = re.findall(r"^```toml\n(version.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "keys").mkdir()
    for name in ("alice", "bob", "ben", "carl"):
        (tmp_path / "keys" / f"{name}.pub").write_bytes(key(name).public_pem())
    path = tmp_path / "supply-chain.toml"
    path.write_text(example, encoding="utf-8")
    now = datetime.now(timezone.utc)
    source = layout_source.load_source(path)
    layout = compile_layout(source, now=now)[1]
    owners = Owners.of_source(source).trusted
    assert lint(layout, now=now, project=source.project, owners=owners) == ()


def test_every_key_of_a_layout_source_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "layout-source.md").read_text("utf-8")
    for known in (
        layout_source.TOP,
        layout_source.OWNERS,
        layout_source.STEP,
        layout_source.INSPECTION,
        vocabulary.KEY,
    ):
        assert [name for name in known if f"| `{name}` |" not in page] == []


def test_the_example_of_the_reference_is_a_policy(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "policy.md").read_text("utf-8")
    example = re.findall(r"^```toml\n(version.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "keys").mkdir()
    for name in ("alice", "bob"):
        (tmp_path / "keys" / f"{name}.pub").write_bytes(key(name).public_pem())
    (tmp_path / "policy.toml").write_text(example, encoding="utf-8")
    policy = load_policy(tmp_path / "policy.toml")
    assert [rule.name for rule in policy.projects] == ["demo", "tool"]
    assert [exception.project for exception in policy.exceptions] == ["legacy-tool"]


def test_it_runs_as_a_script() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "check.py"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
