"""Ways around the gate: names that hide, files that change, members that reach for the guard."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fixtures import distributions
from fixtures.distributions import Built, sdist, wheel
from fixtures.supply_chain import SupplyChain, write_policy
from tests.integration.blocking import blocked, changes, outcome, reason
from tests.integration.loopback import Status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.environments import Environment
    from tests.integration.loopback import Index

ALLOW = 'unlisted = "allow"'
MODES = pytest.mark.parametrize("mode", ["enforce", "warn"])


@pytest.fixture
def lenient(chain: SupplyChain, tmp_path: Path) -> Path:
    """Give a policy that lists demo, and lets everything else pass."""
    return chain.policy(tmp_path / "lenient", head=ALLOW)


def sdist_running(code: str, name: str, *, early: bool = False) -> Built:
    """Build an sdist whose backend runs *code* when the wheel is built, after its metadata.

    With *early*, it already runs when its metadata is asked for.
    """
    stem = f"{name}-1.0"
    ready = distributions._backend(wheel(name)).decode()
    marked = ready.replace("def build_wheel(", f"{_METADATA}def build_wheel(").replace(
        "metadata_directory=None):\n", f"metadata_directory=None):\n    exec({code!r}, {{}})\n"
    )
    files = {
        "PKG-INFO": distributions.core_metadata(name, "1.0"),
        "pyproject.toml": (
            b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        ),
        "backend.py": (f"exec({code!r}, {{}})\n" * early + marked.replace("NAME", name)).encode(),
    }
    members = {f"{stem}/{path}": content for path, content in files.items()}
    return Built(
        name=name,
        version="1.0",
        filename=f"{stem}.tar.gz",
        data=distributions._tar_gz(members),
    )


_METADATA = """\
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.mkdir(os.path.join(directory, 'NAME-1.0.dist-info'))
    with open(os.path.join(directory, 'NAME-1.0.dist-info', 'METADATA'), 'w') as file:
        file.write('Metadata-Version: 2.1\\nName: NAME\\nVersion: 1.0\\n')
    return 'NAME-1.0.dist-info'
"""


# --- members that reach for the guard -------------------------------------------------------


def with_entry_points(text: str) -> Built:
    modules = {"stranger.py": b"", "stranger-1.0.dist-info/entry_points.txt": text.encode()}
    return wheel("stranger", modules=modules)


@MODES
@pytest.mark.parametrize(
    "text",
    [
        "[console_scripts]\n../pip-intoto.toml = stranger:main\n",
        "[gui_scripts]\n../pip-intoto.toml = stranger:main\n",
        "[console_scripts]\nfine = stranger:main\n\n  ..//bin/../pip-intoto.toml=stranger:main\n",
        "[other]\na = b:c\n[console_scripts]\n../{packages}/pip_intoto_gate.pth = stranger:main\n",
        "[console_scripts]\n{home}/.config/pip-intoto/policy.toml = stranger:main\n",
        "[console_scripts]\n# a comment\n[open = stranger:x\n../pip-intoto.toml = stranger:main\n",
    ],
    ids=["console", "gui", "odd-spelling", "hook", "absolute", "a-section-that-is-none"],
)
def test_an_entry_point_that_would_replace_policy_or_hook(
    text: str, mode: str, guarded: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    packages = guarded.site_packages.relative_to(guarded.root)
    index.add(with_entry_points(text.format(packages=packages, home=guarded.home)))
    policy = chain.policy(tmp_path / "policy", head=f'mode = "{mode}"\n{ALLOW}')
    result = guarded.pip("install", "stranger", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("would-overwrite-gate"), result.output


@MODES
def test_a_script_that_would_replace_the_policy(
    mode: str, guarded: Environment, index: Index, chain: SupplyChain
) -> None:
    # A policy that somebody keeps among the scripts of the environment.
    policy = chain.policy(guarded.root / "bin", head=f'mode = "{mode}"\n{ALLOW}')
    before = policy.read_bytes()
    index.add(wheel("stranger", data={"scripts/policy.toml": b"version = 1\n"}))
    result = guarded.pip("install", "stranger", index=index, policy=policy)
    assert (result.status, reason(result)) == (1, "would-overwrite-gate"), result.output
    assert policy.read_bytes() == before
    assert guarded.installed() == frozenset()


@MODES
def test_a_member_that_would_replace_a_key(
    mode: str, guarded: Environment, index: Index, chain: SupplyChain
) -> None:
    policy = chain.policy(guarded.root / "etc", head=f'mode = "{mode}"\n{ALLOW}')
    (key,) = (policy.parent / "keys").iterdir()
    before = key.read_bytes()
    index.add(wheel("stranger", data={f"data/etc/keys/{key.name}": b"my own key"}))
    result = guarded.pip("install", "stranger", index=index, policy=policy)
    assert (result.status, reason(result)) == (1, "would-overwrite-gate"), result.output
    assert key.read_bytes() == before
    assert guarded.installed() == frozenset()


def test_a_prefix_that_makes_a_policy_of_a_member(
    guarded: Environment, index: Index, lenient: Path
) -> None:
    index.add(wheel("stranger", data={"data/pip-intoto/policy.toml": b"version = 1\n"}))
    prefix = guarded.home / ".config"
    result = guarded.pip("install", "--prefix", prefix, "stranger", index=index, policy=lenient)
    assert outcome(guarded, result) == blocked("would-overwrite-gate"), result.output
    assert not (prefix / "pip-intoto").exists()


@pytest.mark.parametrize("spelling", ["plain", "through a link"])
def test_a_prefix_that_is_the_environment_by_another_name(
    spelling: str, guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    index.add(wheel("stranger", modules={"pip_intoto_gate.pth": b"\n"}))
    prefix = guarded.root
    if spelling != "plain":
        prefix = tmp_path / "link"
        prefix.symlink_to(guarded.root)
    words: list[str | Path] = ["install", "--ignore-installed", "--prefix", prefix, "stranger"]
    result = guarded.pip(*words, index=index, policy=lenient)
    assert outcome(guarded, result) == blocked("would-overwrite-gate"), result.output


def test_a_target_that_is_the_environment(
    guarded: Environment, index: Index, lenient: Path
) -> None:
    index.add(wheel("stranger", modules={"pip_intoto_gate.pth": b"\n", "stranger.py": b""}))
    hook = guarded.site_packages / "pip_intoto_gate.pth"
    before = hook.read_bytes()
    words: list[str | Path] = [
        "install",
        "--upgrade",
        "--target",
        guarded.site_packages,
        "stranger",
    ]
    result = guarded.pip(*words, index=index, policy=lenient)
    after = hook.read_bytes() if hook.exists() else None
    if after != before:
        guarded.rewrite(hook, before.decode())
    assert outcome(guarded, result) == blocked("would-overwrite-gate"), result.output
    assert after == before


@pytest.mark.parametrize("place", ["pip-intoto/policy.toml", "pip-intoto/beside-the-policy"])
@pytest.mark.parametrize("root", ["", "stranger-1.0.data/data/"], ids=["module", "data"])
def test_a_target_in_which_a_member_becomes_a_policy(
    root: str, place: str, guarded: Environment, index: Index, lenient: Path
) -> None:
    index.add(wheel("stranger", modules={root + place: b"version = 1\n"}))
    target = guarded.home / ".config"
    result = guarded.pip("install", "--target", target, "stranger", index=index, policy=lenient)
    made = (target / "pip-intoto").exists()
    shutil.rmtree(target, ignore_errors=True)
    assert outcome(guarded, result) == blocked("would-overwrite-gate"), result.output
    assert not made


def test_a_listed_and_verified_wheel_may_not_replace_the_hook_either(
    guarded: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    built = wheel("demo", data={"purelib/pip_intoto_gate.pth": b"\n"})
    index.publish(built, chain)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("would-overwrite-gate"), result.output


# --- names that hide ------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["My.Demo", "my_demo", "MY-DEMO", "my--demo"])
def test_another_spelling_of_a_listed_name(
    spelling: str, guarded: Environment, index: Index, tmp_path: Path
) -> None:
    policy = SupplyChain(project="my-demo").policy(tmp_path / "policy", head=ALLOW)
    index.add(wheel("my-demo"))
    result = guarded.pip("install", spelling, index=index, policy=policy)
    assert outcome(guarded, result) == blocked("layout-missing"), result.output


@pytest.mark.parametrize("place", ["url", "file"])
def test_an_innocent_filename_whose_metadata_says_a_listed_name(
    place: str, guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    built = replace(
        sdist("demo", runs=tmp_path / "ran"), name="innocent", filename="innocent-1.0.tar.gz"
    )
    index.add(built)
    named = index.url(built) if place == "url" else str(built.write(tmp_path))
    result = guarded.pip("install", named, index=index, policy=lenient)
    assert result.status == 1, result.output
    assert changes(guarded) == frozenset()
    assert reason(result), result.output
    assert "demo" in result.words


def test_an_innocent_wheel_with_a_listed_project_inside(
    guarded: Environment, index: Index, lenient: Path
) -> None:
    built = replace(wheel("demo"), name="innocent", filename="innocent-1.0-py3-none-any.whl")
    index.add(built)
    result = guarded.pip("install", "innocent", index=index, policy=lenient)
    assert result.status == 1, result.output
    assert changes(guarded) == frozenset()


def test_an_innocent_address_that_answers_with_a_listed_file(
    guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    built = sdist("demo", runs=tmp_path / "ran")
    named = {"Content-Disposition": f'attachment; filename="{built.filename}"'}
    index.fault("/get/innocent-1.0.tar.gz", Status(200, built.data, named))
    url = index.origin + "/get/innocent-1.0.tar.gz"
    result = guarded.pip("install", url, index=index, policy=lenient)
    assert outcome(guarded, result) == blocked("layout-missing"), result.output
    assert not (tmp_path / "ran").exists()


def test_a_listed_address_that_answers_with_an_innocent_name(
    guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    built = sdist("demo", runs=tmp_path / "ran")
    named = {"Content-Disposition": 'attachment; filename="innocent-1.0.tar.gz"'}
    index.fault("/files/demo-1.0.tar.gz", Status(200, built.data, named))
    index.add(built)
    for wanted in ("demo", index.url(built), f"demo @ {index.url(built)}"):
        result = guarded.pip("install", wanted, index=index, policy=lenient)
        assert result.status == 1, result.output
        assert changes(guarded) == frozenset()
        assert reason(result), result.output


@pytest.mark.parametrize(
    "reference",
    ["git+{origin}/demo.git", "git+{origin}/demo.git@main#subdirectory=x", "hg+{origin}/demo"],
    ids=["git", "git-subdirectory", "hg"],
)
def test_a_checkout_that_metadata_wants_is_blocked_before_the_clone(
    reference: str, guarded: Environment, index: Index, lenient: Path
) -> None:
    url = reference.format(origin=index.origin)
    index.add(wheel("stranger", requires=[f"demo @ {url}"]))
    result = guarded.pip("install", "stranger", index=index, policy=lenient)
    assert outcome(guarded, result) == blocked("unverifiable"), result.output
    assert not index.asked("/demo*")


def test_a_file_that_metadata_wants_is_verified(
    guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    path = sdist("demo", runs=tmp_path / "ran").write(tmp_path)
    index.add(wheel("stranger", requires=[f"demo @ {path.as_uri()}"]))
    result = guarded.pip("install", "stranger", index=index, policy=lenient)
    assert outcome(guarded, result) == blocked("layout-missing"), result.output
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_metadata_wants_is_blocked_before_its_backend_runs(
    guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    mark = tmp_path / "ran"
    (folder / "setup.py").write_text(f"open({str(mark)!r}, 'w').close()\n", encoding="utf-8")
    index.add(wheel("stranger", requires=[f"demo @ {folder.as_uri()}"]))
    result = guarded.pip("install", "stranger", index=index, policy=lenient)
    assert outcome(guarded, result) == blocked("unverifiable"), result.output
    assert not mark.exists()


def test_a_checkout_without_a_name_that_turns_out_to_be_a_listed_project(
    guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    subprocess.run(
        ["tar", "-xzf", sdist("demo", runs=tmp_path / "ran").write(tmp_path), "-C", source],
        check=True,
    )
    who = ["-c", "user.name=x", "-c", "user.email=x@acme.example"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=source / "demo-1.0", check=True, capture_output=True)
    url = "git+" + (source / "demo-1.0").as_uri()
    result = guarded.pip("install", url, index=index, policy=lenient)
    assert outcome(guarded, result) == blocked("unverifiable"), result.output
    assert "demo is listed in the policy" in result.words


# --- build requirements ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "code"),
    [("verified", "build-requirement-unverified"), ("never", "build-not-allowed"), ("any", "")],
)
def test_what_the_policy_says_of_building(
    build: str,
    code: str,
    guarded: Environment,
    index: Index,
    chain: SupplyChain,
    tmp_path: Path,
) -> None:
    index.add(wheel("tool"))
    index.publish(sdist("demo", runs=tmp_path / "ran", build_requires=["tool"]), chain)
    policy = chain.policy(tmp_path / "policy", head=ALLOW, rule=f'build = "{build}"')
    result = guarded.pip("install", "demo", index=index, policy=policy)
    if code:
        assert outcome(guarded, result) == blocked(code), result.output
        assert not (tmp_path / "ran").exists()
    else:
        assert result.status == 0, result.output
        assert guarded.installed() == {"demo-1.0"}
        assert (tmp_path / "ran").exists()


def test_build_requirements_of_build_requirements_are_verified_too(
    guarded: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    # `tool` by itself may be built with anything; for `demo` it may not.
    tool = SupplyChain(project="tool")
    index.add(wheel("deep"))
    index.publish(sdist("tool", runs=tmp_path / "tool", build_requires=["deep"]), tool)
    index.publish(sdist("demo", runs=tmp_path / "demo", build_requires=["tool"]), chain)
    policy = write_policy(tmp_path / "policy", [chain, tool], head=ALLOW)
    text = policy.read_text("utf-8")
    at = text.index('name = "tool"')
    policy.write_text(text[:at] + 'build = "any"\n' + text[at:], encoding="utf-8")
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("build-requirement-unverified"), result.output
    assert not (tmp_path / "tool").exists()
    assert not (tmp_path / "demo").exists()


def test_a_policy_that_a_build_rewrites_does_not_serve_the_next_child(
    guarded: Environment, index: Index, chain: SupplyChain, tmp_path: Path
) -> None:
    policy = chain.policy(tmp_path / "policy", head=ALLOW)
    weaker = policy.read_text("utf-8").replace('"demo"', '"nothing"')
    evil = sdist_running(f"open({str(policy)!r}, 'w').write({weaker!r})", "aaa", early=True)
    index.add(evil)
    index.add(sdist("demo", runs=tmp_path / "demo"))
    index.add(sdist("zzz", runs=tmp_path / "zzz", build_requires=["demo"]))
    result = guarded.pip("install", "aaa", "zzz", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("policy-invalid"), result.output
    assert policy.read_text("utf-8") == weaker
    assert not (tmp_path / "demo").exists()


# --- files that change ----------------------------------------------------------------------

REPLACE = """\
import glob, os, tempfile
for path in glob.glob(os.path.join(tempfile.gettempdir(), '**', 'demo-1.0-*.whl'), recursive=True):
    os.chmod(path, 0o600)
    open(path, 'wb').write({evil!r})
    open({mark!r}, 'a').close()
"""

ALTER = """\
import glob, os, tempfile
for path in glob.glob(os.path.join(tempfile.gettempdir(), '**', 'demo-1.0-*.whl'), recursive=True):
    before = os.stat(path)
    with open(path, 'r+b') as file:
        file.seek(40)
        file.write(b'#')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    open({mark!r}, 'a').close()
"""


@pytest.mark.parametrize("code", [REPLACE, ALTER], ids=["replaced", "altered-without-a-trace"])
@pytest.mark.parametrize("place", ["index", "index-without-metadata", "local"])
def test_a_verified_file_that_a_build_swaps_before_it_is_installed(
    place: str,
    code: str,
    guarded: Environment,
    index: Index,
    chain: SupplyChain,
    lenient: Path,
    tmp_path: Path,
) -> None:
    built = wheel("demo")
    index.publish(built, chain, metadata=place == "index")
    mark = tmp_path / "swapped"
    index.add(sdist_running(code.format(evil=built.tampered().data, mark=str(mark)), "evil"))
    wanted: str | Path = "demo"
    if place == "local":
        wanted = built.write(tmp_path)
        (tmp_path / f"{built.filename}.intoto.jsonl").write_bytes(chain.bundle(built))
    result = guarded.pip("install", wanted, "evil", index=index, policy=lenient)
    assert mark.exists(), result.output
    assert outcome(guarded, result) == blocked("artifact-digest-mismatch"), result.output


def test_a_wheel_that_was_built_here_and_swaps_another_is_caught_as_well(
    guarded: Environment, index: Index, lenient: Path, tmp_path: Path
) -> None:
    # Both are unlisted, and both may be installed; but what was looked at is what is installed.
    other = wheel("other")
    index.add(other)
    mark = tmp_path / "swapped"
    code = REPLACE.replace("demo-1.0", "other-1.0")
    index.add(sdist_running(code.format(evil=other.tampered().data, mark=str(mark)), "evil"))
    result = guarded.pip("install", "other", "evil", index=index, policy=lenient)
    assert mark.exists(), result.output
    assert outcome(guarded, result) == blocked("artifact-digest-mismatch"), result.output


# --- evidence that is no file ---------------------------------------------------------------


@pytest.mark.parametrize("what", ["pipe", "folder", "endless-device", "loop"])
def test_evidence_that_is_no_file_neither_hangs_nor_passes(
    what: str, guarded: Environment, policy: Path, tmp_path: Path
) -> None:
    path = wheel("demo").write(tmp_path)
    evidence = tmp_path / f"{path.name}.intoto.jsonl"
    if what == "pipe":
        os.mkfifo(evidence)
    elif what == "folder":
        evidence.mkdir()
    else:
        evidence.symlink_to("/dev/zero" if what == "endless-device" else evidence)
    result = guarded.pip("install", path, policy=policy)
    assert result.status == 1, result.output
    assert reason(result) in {"layout-missing", "source-unreachable"}, result.output
    assert changes(guarded) == frozenset()
    assert result.seconds < 10


# --- the policy -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "policy-invalid"),
        ("policy.toml", "policy-invalid"),
        ("{folder}", "policy-invalid"),
        ("{folder}/absent.toml", "policy-missing"),
        ("{folder}/dangling.toml", "policy-missing"),
        ("{folder}/policy.toml/below", "policy-missing"),
    ],
    ids=["empty", "relative", "folder", "absent", "dangling", "below-a-file"],
)
def test_a_variable_that_names_no_policy_blocks(
    value: str, code: str, guarded: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    index.add(sdist("demo", runs=tmp_path / "ran"))
    (policy.parent / "dangling.toml").symlink_to(policy.parent / "nothing")
    named = value.format(folder=policy.parent)
    variables = {"INTOTO_POLICY": named}
    result = guarded.pip("install", "demo", index=index, variables=variables, cwd=policy.parent)
    assert outcome(guarded, result) == blocked(code), result.output
    assert not (tmp_path / "ran").exists()
    assert guarded.pip("list", variables=variables).status == 0


def test_a_policy_in_a_folder_that_others_may_write_blocks(
    guarded: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    index.publish(wheel("demo"), chain)
    policy.parent.chmod(0o777)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("policy-invalid"), result.output
    assert "may be written by everybody" in result.words
