"""``bundle`` as a maintainer runs it: real files, real output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from pip_intoto.maintainer import authoring
from tests.unit.cli.shells import Shell

if TYPE_CHECKING:
    from fixtures.distributions import Built

WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
BUNDLE = Path("dist-evidence") / f"{WHEEL.filename}.intoto.jsonl"
SOURCE = f"source.{CHAIN.author.keyid[:8]}.link"
BUILD = f"build.{CHAIN.builder.keyid[:8]}.link"

unprivileged = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)


def release(built: Built, chain: SupplyChain = CHAIN, prefix: str = "") -> None:
    Path("dist").mkdir(exist_ok=True)
    Path("links").mkdir(exist_ok=True)
    built.write(Path("dist"))
    for document in chain.evidence(built)[1:]:
        (Path("links") / f"{prefix}{document.name}").write_text(json.dumps(document.content))
    Path("root.layout").write_text(json.dumps(chain.root().content))


@pytest.fixture
def shell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Shell:
    for name in ("INTOTO_POLICY", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    release(WHEEL)
    return Shell(capsys)


def lines(path: Path) -> list[str]:
    return [json.loads(line)["name"] for line in path.read_text().splitlines()]


def leftovers() -> list[str]:
    return [path.name for path in Path().rglob(".*")]


# --- bundle ---------------------------------------------------------------------------------


def test_a_layout_that_cannot_be_read_is_the_maintainers_own(shell: Shell) -> None:
    for content in ("{}", json.dumps({"signed": {"_type": "layout"}, "signatures": []})):
        Path("root.layout").write_text(content)
        assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
        assert "root.layout" in shell.err
        assert "Ask the project" not in shell.err


def test_a_layout_that_is_not_there_is_still_to_be_built(shell: Shell) -> None:
    Path("root.layout").unlink()
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
    assert "`pip-intoto layout build` makes it" in shell.err


@pytest.mark.parametrize("name", ["dist/*.whl", "dist/none-1.0-py3-none-any.whl"])
def test_a_file_that_is_not_there_is_said_to_be_missing(name: str, shell: Shell) -> None:
    assert shell.run("bundle", name) == 2
    assert f"there is no file {name}" in shell.err


def test_the_bundle_lies_beside_the_folder_of_the_file(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    assert lines(BUNDLE) == ["root.layout", BUILD, SOURCE]
    assert shell.out == f"{BUNDLE}: the layout and 2 links\n"
    # twine stops on files that it does not know.
    assert [path.name for path in Path("dist").iterdir()] == [WHEEL.filename]


def test_links_are_found_whatever_they_are_called(shell: Shell) -> None:
    Path("links", "sub").mkdir()
    Path("links", SOURCE).rename("links/sub/one.json")
    Path("links", BUILD).rename("links/another")
    Path("links", "README").write_text("not JSON")
    Path("links", "some.json").write_text("{}")
    assert shell.run("bundle", f"dist/{WHEEL.filename}", "-o", "out") == 0
    assert lines(Path("out", BUNDLE.name)) == ["root.layout", BUILD, SOURCE]


def test_links_that_are_replaced_by_other_ones_are_said(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    assert "replaced" not in shell.err
    # Carried out again, while the first wheel was still in dist/.
    again = CHAIN.evidence(WHEEL, wheel("demo", tag="py2-none-any"))[2]
    (Path("links") / again.name).write_text(json.dumps(again.content))
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    assert f"{BUNDLE} had other links, which are replaced: {BUILD}" in shell.err


def test_several_releases_get_a_bundle_each(shell: Shell) -> None:
    newer = wheel("demo", "1.1")
    release(newer, prefix="1.1-")
    assert shell.run("bundle", f"dist/{WHEEL.filename}", f"dist/{newer.filename}") == 0
    assert shell.err.count("is left out") == 4
    assert shell.run("check", "dist", "--key", public("owner")) == 0
    assert "2 verified" in shell.err


def test_two_files_of_one_name_do_not_share_a_bundle(shell: Shell) -> None:
    Path("other").mkdir()
    WHEEL.write(Path("other"))
    files = (f"dist/{WHEEL.filename}", f"other/{WHEEL.filename}")
    assert shell.run("bundle", *files, "-o", "out") == 2
    assert f"two files would have the bundle {Path('out', BUNDLE.name)}" in shell.err
    assert not Path("out").exists()
    assert shell.run("bundle", *files) == 0


def public(name: str) -> Path:
    path = Path(f"{name}.pub")
    path.write_bytes(key(name).public_pem())
    return path


def test_all_that_is_missing_is_said_at_once_and_nothing_is_written(shell: Shell) -> None:
    for link in Path("links").iterdir():
        link.unlink()
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
    for step in ("source", "build"):
        assert f"step {step}: " in shell.err
        assert f"pip-intoto run --step-name {step} " in shell.err
    assert not BUNDLE.parent.exists()
    assert shell.run("bundle", f"dist/{WHEEL.filename}", "--partial") == 0
    assert lines(BUNDLE) == ["root.layout"]
    assert "does not verify" in shell.err


def test_when_one_file_lacks_something_no_bundle_is_written(shell: Shell) -> None:
    wheel("demo", "2.0").write(Path("dist"))
    assert shell.run("bundle", *sorted(Path("dist").iterdir())) == 2
    assert "demo-2.0-py3-none-any.whl" in shell.err
    assert not BUNDLE.exists()


def test_when_one_file_has_two_links_of_one_name_no_directory_is_written(shell: Shell) -> None:
    newer = wheel("demo", "1.1")
    release(newer, prefix="1.1-")
    Path("links", f"1.1-{BUILD}").unlink()
    for number in ("1", "2"):
        materials = {**CHAIN.sources("1.1"), "cache": {"sha256": number * 64}}
        products = {newer.filename: {"sha256": newer.sha256}}
        payload = authoring.link("build", materials=materials, products=products)
        link = CHAIN.signed_link(payload, CHAIN.builder)
        Path("links", f"{number}.link").write_text(json.dumps(link.content))
    files = (f"dist/{WHEEL.filename}", f"dist/{newer.filename}")
    assert shell.run("bundle", *files, "--directory") == 2
    assert "two documents have the name" in shell.err
    assert BUILD in shell.err.partition("two documents")[2]
    assert not BUNDLE.parent.exists()
    assert shell.run("bundle", *files, "--partial") == 0


def test_a_layout_that_nobody_signed_is_not_bundled(shell: Shell) -> None:
    unsigned = authoring.sign(CHAIN.layout(), [], authoring.Envelope.DSSE)
    Path("root.layout").write_text(json.dumps(unsigned))
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
    assert "nobody has signed the layout" in shell.err


def test_a_link_of_another_key_does_not_count(shell: Shell) -> None:
    thief = SupplyChain(project="demo", build_signer=key("thief"))
    Path("links", BUILD).write_text(json.dumps(thief.evidence(WHEEL)[2].content))
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
    assert "step build" in shell.err
    assert "step source" not in shell.err


def test_bytes_flipped_in_a_link_are_noticed(shell: Shell) -> None:
    link = json.loads(Path("links", BUILD).read_text())
    middle = len(link["payload"]) // 2
    other = "A" if link["payload"][middle] != "A" else "B"
    link["payload"] = link["payload"][:middle] + other + link["payload"][middle + 1 :]
    Path("links", BUILD).write_text(json.dumps(link))
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
    assert "its signature does not verify" in shell.err


def test_a_file_that_no_link_speaks_of_is_not_bundled(shell: Shell) -> None:
    WHEEL.tampered().write(Path("dist"))
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
    assert "no link speaks of" in shell.err


def test_both_forms_are_written_and_turned_into_each_other(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    before = BUNDLE.read_bytes()
    assert shell.run("bundle", "--unpack", BUNDLE, "-o", "unpacked") == 0
    directory = Path("unpacked") / f"{WHEEL.filename}.intoto"
    assert sorted(path.name for path in directory.iterdir()) == [BUILD, "root.layout", SOURCE]
    for name in (BUILD, SOURCE):
        assert json.loads((directory / name).read_text()) == json.loads(
            Path("links", name).read_text()
        )
    assert shell.run("bundle", "--pack", f"{directory}/", "-o", "packed") == 0
    assert Path("packed", BUNDLE.name).read_bytes() == before
    assert shell.run("bundle", f"dist/{WHEEL.filename}", "--directory", "-o", "direct") == 0
    for path in directory.iterdir():
        assert (Path("direct") / directory.name / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "..", "a/../../b", "x\\y"])
def test_a_hostile_bundle_is_not_unpacked(name: str, shell: Shell, tmp_path: Path) -> None:
    evil = CHAIN.signed_link(authoring.link(name), key("thief"))
    content = authoring.bundle([*CHAIN.evidence(WHEEL), evil])
    Path("evil.whl.intoto.jsonl").write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    assert shell.run("bundle", "--unpack", "evil.whl.intoto.jsonl") == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_hints_of_a_bundle_lead_nowhere(shell: Shell, tmp_path: Path) -> None:
    documents = [
        authoring.Document(document.content, f"../../{number}")
        for number, document in enumerate(CHAIN.evidence(WHEEL))
    ]
    Path("x.whl.intoto.jsonl").write_bytes(authoring.bundle(documents))
    assert shell.run("bundle", "--unpack", "x.whl.intoto.jsonl", "-o", "deep/er") == 0
    unpacked = tmp_path / "deep" / "er" / "x.whl.intoto"
    assert sorted(path.name for path in unpacked.iterdir()) == [BUILD, "root.layout", SOURCE]
    assert not (tmp_path / "0").exists()


def test_a_bundle_that_is_too_large_is_not_unpacked(shell: Shell) -> None:
    with Path("huge.whl.intoto.jsonl").open("wb") as stream:
        stream.truncate(300 * 1024 * 1024)
    assert shell.run("bundle", "--unpack", "huge.whl.intoto.jsonl") == 2
    assert "too large" in shell.err


def test_other_files_are_never_replaced(shell: Shell) -> None:
    target = Path("dist-evidence") / f"{WHEEL.filename}.intoto"
    target.mkdir(parents=True)
    (target / "precious.txt").write_text("mine")
    assert shell.run("bundle", f"dist/{WHEEL.filename}", "--directory") == 2
    assert "precious.txt" in shell.err
    assert (target / "precious.txt").read_text() == "mine"
    assert leftovers() == []


def test_a_directory_of_evidence_is_replaced_as_a_whole(shell: Shell) -> None:
    target = Path("dist-evidence") / f"{WHEEL.filename}.intoto"
    target.mkdir(parents=True)
    (target / "stale.12345678.link").write_text("{}")
    assert shell.run("bundle", f"dist/{WHEEL.filename}", "--directory") == 0
    assert not (target / "stale.12345678.link").exists()
    assert leftovers() == []


def test_a_file_where_the_folder_should_be_is_an_error(shell: Shell) -> None:
    BUNDLE.parent.write_text("mine")
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 2
    assert "dist-evidence cannot be made" in shell.err
    assert BUNDLE.parent.read_text() == "mine"


@unprivileged
def test_a_read_only_directory_leaves_the_old_bundle(shell: Shell) -> None:
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    before = BUNDLE.read_bytes()
    BUNDLE.parent.chmod(0o500)
    try:
        for form in ([], ["--directory"]):
            assert shell.run("bundle", f"dist/{WHEEL.filename}", *form) == 2
            assert "cannot be written" in shell.err
    finally:
        BUNDLE.parent.chmod(0o700)
    assert BUNDLE.read_bytes() == before
    assert leftovers() == []


def test_a_full_disk_leaves_the_old_bundle(shell: Shell) -> None:
    """Writing stops at a size of file that the operating system allows."""
    resource = pytest.importorskip("resource")
    assert shell.run("bundle", f"dist/{WHEEL.filename}") == 0
    before = BUNDLE.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "pip_intoto", "bundle", f"dist/{WHEEL.filename}"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert BUNDLE.read_bytes() == before
    assert leftovers() == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing.whl"],
        ["root.layout"],
        ["--pack", "nothing"],
        ["--pack", "links", "--partial"],
        ["--unpack", "root.layout"],
        ["dist/demo-1.0-py3-none-any.whl", "--layout", "nothing"],
        ["dist/demo-1.0-py3-none-any.whl", "--link-dir", "nothing"],
        ["dist/demo-1.0-py3-none-any.whl", "--layout", f"links/{BUILD}"],
    ],
)
def test_what_makes_no_sense_is_said(words: list[str], shell: Shell) -> None:
    assert shell.run("bundle", *words) == 2
    assert shell.err.startswith("error: ")
    assert not BUNDLE.exists()
