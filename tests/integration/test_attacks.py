"""Attacks, each by name, against a real pip with the gate in it."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import core_metadata, sdist, wheel
from fixtures.keys import key
from fixtures.shipped import write_bundle
from fixtures.supply_chain import FAR_FUTURE, SupplyChain, write_policy
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import ROOT_LAYOUT
from tests.integration import loopback
from tests.integration.interpreters import NEWEST_PIP
from tests.integration.loopback import Redirect, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fixtures.distributions import Built
    from tests.integration.conftest import MakeEnvironment
    from tests.integration.environments import Completed, Environment
    from tests.integration.loopback import Exchange, Index

EVIDENCE = "*.intoto*"


def refused(result: Completed, environment: Environment, reason: str) -> None:
    """Assert that nothing happened, for this reason."""
    assert result.status == 1, result.output
    assert environment.added() == frozenset()
    assert reason in result.output


# --- genuine evidence in the wrong place ----------------------------------------------------


def test_evidence_of_another_version(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    built = wheel("demo", "2.0")
    index.add(built)
    index.put_evidence(built, chain.bundle(wheel("demo", "1.0")))
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "artifact-not-bound")


def test_evidence_of_another_project_under_the_same_keys(
    environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    # Whoever may release `other` must not be able to release `demo` by it.
    catch_all = (["CREATE", "*"], ["DISALLOW", "*"])
    other = SupplyChain(project="other", build_products=catch_all)
    built = wheel("demo")
    index.add(built)
    index.put_evidence(built, other.bundle(built))
    policy = write_policy(tmp_path / "policy", [chain, other])
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "layout-not-for-project")


def test_a_sublayout_served_as_the_root(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    built = wheel("demo")
    layout = authoring.layout(
        expires=FAR_FUTURE,
        keys=[key("packer")],
        steps=[
            authoring.step(
                "pack",
                functionaries=[key("packer")],
                expected_products=[["CREATE", "demo-*"], ["DISALLOW", "*"]],
            )
        ],
    )
    signed = authoring.sign(layout, [chain.builder])
    link = authoring.link("pack", products={built.filename: {"sha256": built.sha256}})
    index.add(built)
    index.put_evidence(
        built,
        authoring.bundle(
            [
                authoring.Document(signed, ROOT_LAYOUT),
                chain.signed_link(link, key("packer")),
            ]
        ),
    )
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "layout-signature-missing")


def test_an_older_layout_beside_a_newer_release(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    # The owner has replaced it; it is signed all the same, and has not expired.
    before = replace(chain, expires=FAR_FUTURE - timedelta(days=30))
    index.publish(wheel("demo", "1.0"), replace(chain, expires=FAR_FUTURE))
    words = ("download", "--no-deps", "--dest", str(environment.home / "downloaded"))
    assert environment.pip(*words, "demo", index=index, policy=policy).status == 0
    index.publish(wheel("demo", "1.1"), before)
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "layout-rollback")
    # The record is of this machine: on one that is new it is not known.
    elsewhere = {"XDG_STATE_HOME": str(environment.home / "new")}
    result = environment.pip("install", "demo", index=index, policy=policy, variables=elsewhere)
    assert result.status == 0, result.output


def test_early_step(environment: Environment, index: Index, policy: Path) -> None:
    # A stolen key of a first step names the evil wheel; the later links are an older release's.
    chain = SupplyChain(project="demo", build_products=(["ALLOW", "*"],))
    old, evil = wheel("demo", "1.0"), wheel("demo", "1.1")
    early = authoring.link(
        "source", products={**chain.sources("1.0"), evil.filename: {"sha256": evil.sha256}}
    )
    # The layout lets its first step produce anything, as lax layouts do.
    layout = chain.layout()
    steps = layout["steps"]
    assert isinstance(steps, list)
    assert isinstance(steps[0], dict)
    steps[0]["expected_products"] = [["ALLOW", "*"]]
    root = authoring.Document(authoring.sign(layout, chain.owners), ROOT_LAYOUT)
    build = chain.signed_link(chain.build_link([old], "1.0"), chain.builder)
    index.add(evil)
    index.put_evidence(
        evil, authoring.bundle([root, chain.signed_link(early, chain.author), build])
    )
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "artifact-not-bound")


def test_skipped_approval(environment: Environment, index: Index, policy: Path) -> None:
    # The last step was never carried out for this file; the last release's link is replayed.
    chain = SupplyChain(project="demo")
    old, new = wheel("demo", "1.0"), wheel("demo", "1.1")
    approver = key("approver")
    layout = chain.layout()
    steps, keys = layout["steps"], layout["keys"]
    assert isinstance(steps, list)
    assert isinstance(keys, dict)
    keys[approver.keyid] = authoring.key_object(approver)
    approve = authoring.step(
        "approve",
        functionaries=[approver],
        expected_materials=[["MATCH", "demo-*", "WITH", "PRODUCTS", "FROM", "build"]],
        expected_products=[["ALLOW", "demo-*"], ["DISALLOW", "*"]],
    )
    steps.append(approve)
    root = authoring.Document(authoring.sign(layout, chain.owners), ROOT_LAYOUT)
    source = chain.signed_link(chain.source_link("1.1"), chain.author)
    build = chain.signed_link(chain.build_link([new], "1.1"), chain.builder)

    def approval(file: Built) -> authoring.Document:
        artifacts = {file.filename: {"sha256": file.sha256}}
        link = authoring.link("approve", materials=artifacts, products=artifacts)
        return chain.signed_link(link, approver)

    index.add(new)
    index.put_evidence(new, authoring.bundle([root, source, build, approval(old)]))
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "artifact-not-bound")
    # With the approval, the same file passes: it was the approval that was lacking.
    index.put_evidence(new, authoring.bundle([root, source, build, approval(new)]))
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert result.status == 0, result.output


def test_one_key_under_two_ids(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    # T3: a functionary is a key, whatever it is called; one key is not a threshold of two.
    twice = [chain.builder, replace(chain.builder, keyid="ff" * 32)]
    layout = chain.layout()
    steps, keys = layout["steps"], layout["keys"]
    assert isinstance(steps, list)
    assert isinstance(keys, dict)
    for spelling in twice:
        keys[spelling.keyid] = authoring.key_object(spelling)
    assert isinstance(steps[1], dict)
    steps[1]["pubkeys"] = [spelling.keyid for spelling in twice]
    steps[1]["threshold"] = 2
    built = wheel("demo")
    link = chain.build_link([built], "1.0")
    index.add(built)
    index.put_evidence(
        built,
        authoring.bundle(
            [
                authoring.Document(authoring.sign(layout, chain.owners), ROOT_LAYOUT),
                chain.signed_link(chain.source_link("1.0"), chain.author),
                *(chain.signed_link(link, spelling) for spelling in twice),
            ]
        ),
    )
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "link-threshold-unmet")


# --- wheels that reach for the guard --------------------------------------------------------


GUARDED = {
    "policy of the environment": {"data/pip-intoto.toml": b"version = 1\n"},
    "hook": {"purelib/pip_intoto_gate.pth": b"\n"},
    "start file": {"platlib/pip_intoto_gate.start": b"\n"},
    "boot module": {"purelib/pip_intoto_boot.py": b"def arm(): pass\n"},
    "gate": {"purelib/pip_intoto_gate/gate.py": b"\n"},
    "marker": {"purelib/pip_intoto_gate.json": b"{}"},
    "verifier": {"purelib/pip_intoto/verifier/judge.py": b"\n"},
}


@pytest.mark.parametrize("mode", ["enforce", "warn"])
@pytest.mark.parametrize("members", GUARDED.values(), ids=GUARDED)
def test_data_members_that_would_replace_policy_or_hook(
    members: Mapping[str, bytes],
    mode: str,
    environment: Environment,
    index: Index,
    chain: SupplyChain,
    tmp_path: Path,
) -> None:
    index.add(wheel("stranger", data=members))
    policy = chain.policy(tmp_path / "policy", head=f'mode = "{mode}"\nunlisted = "allow"')
    result = environment.pip("install", "stranger", index=index, policy=policy)
    refused(result, environment, "would-overwrite-gate")


def test_ordinary_members_that_would_replace_the_hook(
    environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    index.add(wheel("stranger", modules={"pip_intoto_gate.pth": b"\n"}))
    policy = chain.policy(tmp_path / "policy", head='unlisted = "allow"')
    result = environment.pip("install", "stranger", index=index, policy=policy)
    refused(result, environment, "would-overwrite-gate")


#: pip normalises the paths of members before it writes them.
DETOURS = {
    "dot": "./purelib/pip_intoto_gate.pth",
    "slashes": "/data/pip-intoto.toml",
    "there and back": "headers/../purelib/pip_intoto_gate.json",
    "below": "purelib/nowhere/../pip_intoto_gate/gate.py",
}


@pytest.mark.parametrize("member", DETOURS.values(), ids=DETOURS)
def test_data_members_that_reach_policy_or_hook_by_a_detour(
    member: str, environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    index.add(wheel("stranger", data={member: b"\n"}))
    policy = chain.policy(tmp_path / "policy", head='unlisted = "allow"')
    result = environment.pip("install", "stranger", index=index, policy=policy)
    refused(result, environment, "would-overwrite-gate")


#: What Python imports instead of `pip_intoto_boot.py` when it lies beside it.
SHADOWS = {
    "package": "pip_intoto_boot/__init__.py",
    "extension": "pip_intoto_boot.abi3.so",
    "bytecode": "__pycache__/pip_intoto_boot.cpython-311.pyc",
}


@pytest.mark.parametrize("member", SHADOWS.values(), ids=SHADOWS)
def test_members_that_would_be_imported_instead_of_the_hook(
    member: str, environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    index.add(wheel("stranger", modules={member: b"\n"}))
    policy = chain.policy(tmp_path / "policy", head='unlisted = "allow"')
    result = environment.pip("install", "stranger", index=index, policy=policy)
    refused(result, environment, "would-overwrite-gate")


# --- an index that lies ---------------------------------------------------------------------


@pytest.mark.parametrize("filename", ["demo-9.0.tar.gz", "demo-9.0-py3-none-any.whl"])
@pytest.mark.parametrize("place", ["wheelhouse", "page"])
def test_a_directory_that_is_listed_like_a_file(
    place: str,
    filename: str,
    environment: Environment,
    index: Index,
    chain: SupplyChain,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "house" / filename
    folder.mkdir(parents=True)
    mark = tmp_path / "ran"
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "backend.py").write_text(f"open({str(mark)!r}, 'a').close()\n")
    house = folder.parent.as_uri()
    if place == "page":
        page = (
            f'<!DOCTYPE html><html><body><a href="{folder.as_uri()}">{filename}</a></body></html>'
        )
        index.fault("/house.html", Status(200, page.encode(), {"Content-Type": "text/html"}))
        house = f"{index.origin}/house.html"
    policy = chain.policy(tmp_path / "policy", head='unlisted = "allow"')
    result = environment.pip("install", "demo", "--find-links", house, index=index, policy=policy)
    refused(result, environment, "unverifiable")
    assert not mark.exists()


EXCEPTION = """
[[exception]]
project = "demo"
version = "<2"
reason = "no layout before 2.0"
owner = "security@acme.example"
expires = 2099-01-01
"""


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_server_that_names_a_file_as_a_version_that_is_exempt(
    kind: str, environment: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    evil = wheel("demo", "9.0") if kind == "wheel" else sdist("demo", "9.0", runs=tmp_path / "ran")
    index.add(evil)
    renamed = evil.filename.replace("9.0", "1.0")
    disposition = {"Content-Disposition": f'attachment; filename="{renamed}"'}
    index.fault(f"/files/{evil.filename}", Status(200, evil.data, disposition))
    policy.write_text(policy.read_text() + EXCEPTION)
    result = environment.pip("install", "demo==9.0", index=index, policy=policy)
    refused(result, environment, "artifact-not-bound")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("pip", ["23.2.1", NEWEST_PIP])
def test_a_requirement_injected_through_pep_658(
    pip: str,
    make_environment: MakeEnvironment,
    index: Index,
    chain: SupplyChain,
    tmp_path: Path,
) -> None:
    environment = make_environment(pip=pip)
    injected = core_metadata("demo", "1.0", ["stranger"])
    index.publish(wheel("demo"), chain, metadata=injected)
    index.add(wheel("stranger"))
    policy = chain.policy(tmp_path / "policy", head='unlisted = "allow"')
    result = environment.pip("install", "demo", index=index, policy=policy)
    # Newer pips notice it by themselves, and say so in words of their own.
    refused(result, environment, "metadata-mismatch" if pip != NEWEST_PIP else "etadata")


def test_evidence_redirected_to_a_file(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path, tmp_path: Path
) -> None:
    built = wheel("demo")
    index.add(built)
    bundle = tmp_path / "bundle"
    bundle.write_bytes(chain.bundle(built))
    index.fault("*.intoto.jsonl", Redirect(bundle.as_uri()))
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "source-unreachable")


def test_credentials_do_not_follow_evidence_to_another_host(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    built = wheel("demo")
    index.add(built)
    index.require("user", "secret")
    with loopback.serving() as elsewhere:
        elsewhere.put("/bundle", chain.bundle(built))
        index.fault("*.intoto.jsonl", Redirect(elsewhere.origin + "/bundle"))
        result = environment.pip(
            "install",
            "demo",
            policy=policy,
            variables={"PIP_INDEX_URL": index.with_credentials("user", "secret")},
        )
        asked = elsewhere.asked("*")
    assert result.status == 0, result.output
    assert [request.path for request in asked] == ["/bundle"]
    assert "authorization" not in asked[0].headers
    assert "secret" not in result.output


def test_an_endless_chain_of_redirects(
    environment: Environment, index: Index, policy: Path
) -> None:
    built = wheel("demo")
    index.add(built)
    index.fault("*.intoto.jsonl", Redirect(f"/files/{built.filename}.intoto.jsonl"))
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "source-unreachable")
    assert len(index.asked("*.intoto.jsonl")) < 20


@pytest.mark.parametrize("status", [401, 403, 407, 500, 503])
def test_refused_evidence_neither_prompts_nor_passes(
    status: int, environment: Environment, index: Index, policy: Path
) -> None:
    index.add(wheel("demo"))
    asks = {"WWW-Authenticate": 'Basic realm="who are you"'} if status == 401 else {}
    index.fault(EVIDENCE, Status(status, headers=asks))
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "source-unreachable")
    assert "User for" not in result.output
    assert "Traceback" not in result.output


def test_the_other_index_is_not_the_one_that_the_policy_binds_to(
    environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    policy = chain.policy(tmp_path / "policy", rule='index = "https://pypi.acme.example/simple/"')
    index.publish(wheel("demo"), chain)
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "index-mismatch")


# --- races ----------------------------------------------------------------------------------


class SwapAndServe:
    """Replaces a file on disk the moment that pip asks for something else."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        self.happened = threading.Event()

    def happen(self, exchange: Exchange) -> None:
        self._path.write_bytes(self._content)
        self.happened.set()
        exchange.serve()


def test_a_file_swapped_after_it_was_looked_at(
    environment: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    built = wheel("demo", requires=["helper"])
    path = built.write(tmp_path)
    write_bundle(path, chain.evidence(built))
    helper = SupplyChain(project="helper")
    index.publish(wheel("helper"), helper)
    swap = SwapAndServe(path, built.tampered().data)
    index.fault("/files/helper-1.0-py3-none-any.whl", swap, times=1)
    policy = write_policy(tmp_path / "policy", [chain, helper], head='unlisted = "deny"')
    result = environment.pip("install", path, index=index, policy=policy)
    assert swap.happened.is_set()
    assert result.status == 0, result.output
    # What was verified is what was installed; the evil file was never opened again.
    assert (environment.site_packages / "demo.py").read_bytes() == b"VERSION = 1\n"


# --- the policy -----------------------------------------------------------------------------


def test_INTOTO_POLICY_naming_nothing_blocks(
    environment: Environment, index: Index, tmp_path: Path
) -> None:
    index.add(wheel("demo"))
    result = environment.pip("install", "demo", index=index, policy=tmp_path / "absent.toml")
    refused(result, environment, "absent.toml")


def test_a_policy_that_does_not_parse_blocks(
    environment: Environment, index: Index, policy: Path
) -> None:
    index.add(wheel("demo"))
    policy.write_text("version = 1\nmode = enforce\n", encoding="utf-8")
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "policy-invalid")
    assert f"{policy}:2" in result.words.replace(" ", "")


@pytest.mark.skipif(os.name != "posix", reason="the modes of POSIX")
@pytest.mark.parametrize("what", ["policy", "key"])
def test_a_policy_that_others_may_write_blocks(
    what: str, environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    index.publish(wheel("demo"), chain)
    path = policy if what == "policy" else next((policy.parent / "keys").iterdir())
    path.chmod(path.stat().st_mode | stat.S_IWOTH)
    result = environment.pip("install", "demo", index=index, policy=policy)
    refused(result, environment, "policy-invalid")


def test_a_policy_that_vanishes_while_pip_runs_still_decides(
    environment: Environment, index: Index, policy: Path
) -> None:
    class Remove:
        """Removes the policy once pip has begun."""

        def happen(self, exchange: Exchange) -> None:
            policy.unlink(missing_ok=True)
            exchange.serve()

    index.add(wheel("demo"))
    index.fault("/simple/demo/", Remove())
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert not policy.exists()
    assert result.status == 1, result.output
    assert environment.added() == frozenset()


def test_enabled_without_a_policy_blocks(environment: Environment, index: Index) -> None:
    enabled = environment.run([environment.python, "-m", "pip_intoto", "enable"])
    assert enabled.status == 0, enabled.output
    for path in environment.home.rglob("policy.toml"):
        path.unlink()
    before = environment.installed()
    index.add(wheel("demo"))
    result = environment.pip("install", "demo", index=index)
    assert result.status == 1, result.output
    assert "policy-missing" in result.output
    assert environment.installed() == before


def test_the_working_directory_cannot_bring_a_policy_or_a_gate(
    environment: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "hostile"
    (folder / "pip_intoto_gate").mkdir(parents=True)
    evil = "raise SystemExit('code of the working directory ran')\n"
    for name in ("pip_intoto_gate/__init__.py", "pip_intoto_boot.py", "json.py", "hashlib.py"):
        (folder / name).write_text(evil, encoding="utf-8")
    (folder / "pip-intoto.toml").write_text('version = 1\nunlisted = "allow"\n', encoding="utf-8")
    index.add(wheel("demo"))
    command: list[str | Path] = [environment.python, "-I", "-m", "pip", "install", "demo"]
    variables = {"PIP_INDEX_URL": index.simple, "INTOTO_POLICY": str(policy)}
    result = environment.run(command, variables=variables, cwd=folder)
    refused(result, environment, "layout-missing")
    assert "code of the working directory" not in result.output


def test_no_process_is_left_behind(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    index.publish(wheel("demo"), chain)
    assert environment.pip("install", "demo", index=index, policy=policy).status == 0
    listed = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True)
    assert str(environment.root) not in listed.stdout
