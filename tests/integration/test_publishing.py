"""From links to a verified install: bundle, check, index, and a real pip with the gate armed."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fixtures.keys import key
from fixtures.supply_chain import SupplyChain
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import ROOT_LAYOUT, link_filename
from tests.integration.maintaining import Desk
from tests.integration.pages import commands
from tests.integration.programs import ROOT, programs
from tests.integration.test_reference_evidence import AUTHOR, BUILDER, OWNER, WHEEL, make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.environments import Completed, Environment

CHAIN = SupplyChain(project="demo")


class Maintainer:
    """Somebody with a release in ``dist``, its links in ``links``, and our commands."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self._environment = environment
        self.folder = folder
        for name in ("dist", "links"):
            (folder / name).mkdir(parents=True)
        (folder / "owner.pub").write_bytes(key("owner").public_pem())

    def has(self, *documents: authoring.Document) -> None:
        WHEEL.write(self.folder / "dist")
        for document in documents:
            content = json.dumps(document.content)
            where = self.folder if document.name == ROOT_LAYOUT else self.folder / "links"
            (where / document.name).write_text(content, encoding="utf-8")

    def run(self, *words: str) -> Completed:
        program = [str(self._environment.python), "-m", "pip_intoto"]
        return self._environment.run([*program, *words], cwd=self.folder)

    def does(self, *words: str) -> None:
        result = self.run(*words)
        assert result.status == 0, result.output


@pytest.fixture
def maintainer(environment: Environment, tmp_path: Path) -> Maintainer:
    """Give a maintainer who has made a release."""
    made = Maintainer(environment, tmp_path / "project")
    made.has(*CHAIN.evidence(WHEEL))
    return made


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep standard error for the tests."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve files as they lie there, as any static web server does."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def publish(maintainer: Maintainer, *form: str) -> Path:
    file = f"dist/{WHEEL.filename}"
    maintainer.does("bundle", file, *form)
    maintainer.does("check", file, "--key", "owner.pub")
    maintainer.does("index", "dist", "-o", "public")
    return maintainer.folder / "public"


def install(environment: Environment, simple: str, policy: Path) -> Completed:
    return environment.pip("install", "demo", policy=policy, variables={"PIP_INDEX_URL": simple})


@pytest.mark.parametrize("form", [[], ["--directory"]], ids=["bundle", "directory"])
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_what_was_bundled_and_indexed_is_installed_verified(
    form: list[str], scheme: str, maintainer: Maintainer, environment: Environment, policy: Path
) -> None:
    public = publish(maintainer, *form)
    with served(public) as address:
        simple = address if scheme == "http" else public.as_uri()
        result = install(environment, f"{simple}/simple/", policy)
    assert result.status == 0, result.output
    assert environment.installed() == {"demo-1.0"}
    assert "1 verified" in result.output


def test_a_byte_flipped_in_the_index_blocks(
    maintainer: Maintainer, guarded: Environment, policy: Path
) -> None:
    public = publish(maintainer)
    evidence = public / "files" / f"{WHEEL.filename}.intoto.jsonl"
    genuine = evidence.read_text()
    for line in range(3):
        documents = [json.loads(each) for each in genuine.splitlines()]
        payload = documents[line]["payload"]
        documents[line]["payload"] = ("A" if payload[0] != "A" else "B") + payload[1:]
        evidence.write_text("".join(json.dumps(each) + "\n" for each in documents))
        with served(public) as address:
            result = install(guarded, f"{address}/simple/", policy)
        assert result.status == 1, result.output
        assert guarded.added() == frozenset()


def test_a_wheel_swapped_in_the_index_blocks(
    maintainer: Maintainer, guarded: Environment, policy: Path
) -> None:
    public = publish(maintainer)
    # Whoever has the index has its pages, too.
    evil = WHEEL.tampered()
    (public / "files" / WHEEL.filename).write_bytes(evil.data)
    (public / "files" / f"{WHEEL.filename}.metadata").write_bytes(evil.metadata)
    page = public / "simple" / "demo" / "index.html"
    page.write_text(page.read_text().replace(WHEEL.sha256, evil.sha256))
    with served(public) as address:
        result = install(guarded, f"{address}/simple/", policy)
    assert result.status == 1
    assert "artifact-digest-mismatch" in result.output
    assert guarded.added() == frozenset()


def test_a_release_without_its_links_is_neither_bundled_nor_installed(
    maintainer: Maintainer, guarded: Environment, policy: Path
) -> None:
    for link in (maintainer.folder / "links").glob("build.*"):
        link.unlink()
    file = f"dist/{WHEEL.filename}"
    assert maintainer.run("bundle", file).status == 2
    maintainer.does("bundle", file, "--partial")
    assert maintainer.run("check", file, "--key", "owner.pub").status == 1
    maintainer.does("index", "dist", "-o", "public")
    with served(maintainer.folder / "public") as address:
        result = install(guarded, f"{address}/simple/", policy)
    assert result.status == 1
    assert "link-missing" in result.output


@pytest.mark.parametrize("dsse", [True, False], ids=["dsse", "metablock"])
def test_evidence_of_the_reference_s_own_commands_is_bundled_and_installed(
    *, dsse: bool, environment: Environment, tmp_path: Path
) -> None:
    documents = make(tmp_path / "chain", dsse=dsse)
    maintainer = Maintainer(environment, tmp_path / "project")
    maintainer.has(
        *(authoring.Document(json.loads(text), name) for name, text in documents.items())
    )
    public = publish(maintainer)
    policy = SupplyChain(project="demo", owners=(OWNER,)).policy(tmp_path / "policy")
    with served(public) as address:
        result = install(environment, f"{address}/simple/", policy)
    assert result.status == 0, result.output
    assert environment.installed() == {"demo-1.0"}


@pytest.mark.parametrize("dsse", [True, False], ids=["dsse", "metablock"])
def test_an_unpacked_bundle_verifies_with_the_reference(
    *, dsse: bool, environment: Environment, tmp_path: Path
) -> None:
    form = authoring.Envelope.DSSE if dsse else authoring.Envelope.METABLOCK
    chain = SupplyChain(project="demo", owners=(OWNER,), author=AUTHOR, builder=BUILDER)
    maintainer = Maintainer(environment, tmp_path / "project")
    maintainer.has(
        *(
            authoring.Document(
                authoring.sign(payload, [signer], form),
                link_filename(str(payload["name"]), signer.keyid),
            )
            for payload, signer in (
                (chain.source_link("1.0"), AUTHOR),
                (chain.build_link([WHEEL], "1.0"), BUILDER),
            )
        ),
        authoring.Document(authoring.sign(chain.layout(), [OWNER], form), ROOT_LAYOUT),
    )
    maintainer.does("bundle", f"dist/{WHEEL.filename}")
    bundle = f"dist-evidence/{WHEEL.filename}.intoto.jsonl"
    maintainer.does("bundle", "--unpack", bundle, "-o", "unpacked")
    unpacked = maintainer.folder / "unpacked" / f"{WHEEL.filename}.intoto"
    script = "import sys; from in_toto.in_toto_verify import main; sys.exit(main())"
    words = ["--layout", "root.layout", "--verification-keys", str(maintainer.folder / "owner.pub")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *words, "--link-dir", "."],
        check=False,
        capture_output=True,
        text=True,
        cwd=unpacked,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lines_of_check_are_all_that_a_user_types(
    maintainer: Maintainer, environment: Environment
) -> None:
    file = f"dist/{WHEEL.filename}"
    maintainer.does("bundle", file)
    report = json.loads(
        maintainer.run("check", file, "--key", "owner.pub", "--format", "json").stdout
    )
    maintainer.does("index", "dist", "-o", "public")
    found = programs(maintainer.folder / "bin", environment.python)
    (typed,) = [each["commands"] for each in report["announcements"]]
    said = environment.run(["sh", "-e", "-c", typed], variables={"PATH": f"{found}:/usr/bin:/bin"})
    assert said.status == 0, said.output
    for fingerprint in report["announcements"][0]["fingerprints"].values():
        assert fingerprint in said.output
    simple = (maintainer.folder / "public" / "simple").as_uri()
    result = environment.pip("install", "demo", variables={"PIP_INDEX_URL": f"{simple}/"})
    assert result.status == 0, result.output
    assert "1 verified" in result.output


# --- the pages ------------------------------------------------------------------------------

_SCRIPT = re.compile(r"^```(sh|python)\n(?:# (\w+\.py)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
_BACKEND = """\
import base64, hashlib, os, zipfile

INFO = "demo-1.0.dist-info"
METADATA = b"Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n"
WHEEL = b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.mkdir(os.path.join(directory, INFO))
    for name, content in (("METADATA", METADATA), ("WHEEL", WHEEL)):
        with open(os.path.join(directory, INFO, name), "wb") as file:
            file.write(content)
    return INFO

def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open("src/demo/__init__.py", "rb") as file:
        members = {"demo/__init__.py": file.read()}
    members[INFO + "/METADATA"], members[INFO + "/WHEEL"] = METADATA, WHEEL
    rows = [INFO + "/RECORD,,"]
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        rows.append("%s,sha256=%s,%d" % (name, digest.decode(), len(content)))
    members[INFO + "/RECORD"] = "\\n".join(rows + [""]).encode()
    name = "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return name
"""
_PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["src"]
[project]
name = "demo"
version = "1.0"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Give a project under git, and no keys yet."""
    made = Desk(folder=tmp_path / "desk")
    for path in (made.folder / "keys").iterdir():
        path.unlink()
    made.write(
        {
            "pyproject.toml": _PYPROJECT,
            "src/backend.py": _BACKEND,
            "src/demo/__init__.py": "VERSION = 1\n",
            ".gitignore": "/dist/\n/links/\n/wheel-metadata/\n/dist-evidence/\n__pycache__\n",
        }
    )
    made.commit()
    return made


def test_the_pages_on_publishing_can_be_followed(desk: Desk, environment: Environment) -> None:
    for page in ("publish-evidence.md", "publish-for-pypi.md"):
        for command in commands(f"docs/how-to/{page}"):
            desk.must("sh", "-c", command)
    project = desk.project
    policy = project / "policy.toml"
    owner = project.parent / "keys" / "owner.pub"
    desk.must("pip-intoto", "trust", "add", "demo", "--key", owner, "--policy", policy)
    result = install(environment, (project / "public" / "simple").as_uri(), policy)
    assert result.status == 0, result.output
    assert "1 verified" in result.output


def test_what_in_toto_s_own_tools_make_is_published_as_the_page_says(desk: Desk) -> None:
    for role in ("owner", "builder"):
        desk.must("pip-intoto", "keygen", f"../keys/{role}", "--no-password")
    page = (ROOT / "docs" / "how-to" / "publish-evidence.md").read_text("utf-8")
    scripts = _SCRIPT.findall(page)
    assert [language for language, _, _ in scripts] == ["python", "sh", "sh"]
    for language, name, text in scripts:
        if language == "python":
            (desk.project / name).write_text(text, encoding="utf-8")
        else:
            desk.must("sh", "-e", "-c", text)
