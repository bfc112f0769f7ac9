"""The verifier process as the gate meets it: real processes, real pipes."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import pip_intoto
from fixtures.distributions import wheel
from fixtures.supply_chain import FAR_FUTURE, SupplyChain
from pip_intoto.limits import DEFAULT
from tests.unit.verifier.conversation import ENTRY, Verifier

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
URL = f"https://files.example/{WHEEL.filename}"
BUNDLE = URL + ".intoto.jsonl"
#: Without what measures coverage in children, which has imports of its own.
UNMEASURED = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def demo(**changes: object) -> dict[str, Any]:
    return {
        "name": "demo",
        "version": "1.0",
        "filename": WHEEL.filename,
        "kind": "wheel",
        "url": URL,
        "index": "https://index.example/simple/demo/",
        "requested": True,
        "building_for": "",
        **changes,
    }


def test_hello_comes_first_and_unasked() -> None:
    with Verifier() as verifier:
        assert verifier.hear() == {
            "type": "hello",
            "protocol": 1,
            "version": pip_intoto.__version__,
        }


def test_the_policy_is_reported(tmp_path: Path) -> None:
    policy = CHAIN.policy(
        tmp_path, rule='sources = ["beside", "https://meta.example/{project}/{filename}"]'
    )
    with Verifier() as verifier:
        ready = verifier.open(policy)
        assert ready["type"] == "ready"
        assert (ready["mode"], ready["unlisted"], ready["listed"]) == ("enforce", "warn", 1)
        assert ready["sha256"] == hashlib.sha256(policy.read_bytes()).hexdigest()
        assert str(policy) in ready["protected"]
        assert any(path.endswith(".pub") for path in ready["protected"])
        assert ready["templates"] == ["https://meta.example/{project}/{filename}"]


def test_a_policy_that_is_another_than_the_parents_fails(tmp_path: Path) -> None:
    with Verifier() as verifier:
        failed = verifier.open(CHAIN.policy(tmp_path), sha256="0" * 64)
        assert (failed["type"], failed["reason"]) == ("failed", "policy-invalid")
        assert verifier.end()[0] == 0


def test_a_policy_that_does_not_parse_fails_with_its_place(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("version = 1\nmode = \n")
    with Verifier() as verifier:
        failed = verifier.open(policy)
        assert failed["reason"] == "policy-invalid"
        assert "policy.toml:2" in failed["place"]
        assert failed["summary"]
        assert failed["advice"]


def test_a_missing_policy_fails(tmp_path: Path) -> None:
    with Verifier() as verifier:
        assert verifier.open(tmp_path / "none.toml")["type"] == "failed"


def test_evidence_is_fetched_on_announcement_and_the_verdict_follows_the_digest(
    tmp_path: Path,
) -> None:
    with Verifier({BUNDLE: CHAIN.bundle(WHEEL)}) as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        verifier.announce(1, **demo())
        fetch = verifier.hear()
        assert fetch == {
            "type": "fetch",
            "fetch": 1,
            "id": 1,
            "url": BUNDLE,
            "max_bytes": DEFAULT.bundle_bytes,
            "seconds": DEFAULT.fetch_seconds,
        }
        verifier.answer(fetch)
        verifier.say(type="decide", id=1, sha256=WHEEL.sha256, path=None)
        verdict = verifier.hear()
        assert (verdict["type"], verdict["id"]) == ("verdict", 1)
        assert (verdict["status"], verdict["action"]) == ("verified", "pass")
        assert verdict["sha256"] == WHEEL.sha256
        assert verdict["build"] == "verified"
        assert [
            what for what, outcome, _ in verdict["trace"] if outcome == "ok" and "/" not in what
        ] == ["policy", "layout", "step source", "step build", "binding"]


def test_the_layout_of_what_was_verified_is_recorded_and_an_older_one_is_refused(
    tmp_path: Path,
) -> None:
    earlier = SupplyChain(project="demo", expires=FAR_FUTURE - timedelta(days=30))
    found = []
    for chain in (CHAIN, earlier):
        with Verifier({BUNDLE: chain.bundle(WHEEL)}) as verifier:
            verifier.open(CHAIN.policy(tmp_path))
            verifier.announce(1, **demo())
            verifier.answer(verifier.hear())
            verifier.say(type="decide", id=1, sha256=WHEEL.sha256, path=None)
            found.append(verifier.hear()["reason"])
    assert found == ["verified", "layout-rollback"]


def test_a_digest_may_come_before_the_evidence(tmp_path: Path) -> None:
    with Verifier({BUNDLE: CHAIN.bundle(WHEEL)}) as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        verifier.announce(1, **demo())
        verifier.say(type="decide", id=1, sha256=WHEEL.sha256, path=None)
        assert verifier.verdict()["status"] == "verified"


def test_another_digest_is_blocked(tmp_path: Path) -> None:
    with Verifier({BUNDLE: CHAIN.bundle(WHEEL)}) as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        verifier.announce(1, **demo())
        verifier.say(type="decide", id=1, sha256="0" * 64, path=None)
        verdict = verifier.verdict()
        assert (verdict["status"], verdict["reason"]) == ("invalid", "artifact-digest-mismatch")
        assert verdict["action"] == "block"


def test_many_distributions_are_on_their_way_at_once(tmp_path: Path) -> None:
    with Verifier({BUNDLE: CHAIN.bundle(WHEEL)}) as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        for number in range(1, 9):
            verifier.announce(number, **demo())
        fetches = [verifier.hear() for _ in range(8)]
        assert [fetch["id"] for fetch in fetches] == list(range(1, 9))
        for number in range(8, 0, -1):
            verifier.say(type="decide", id=number, sha256=WHEEL.sha256, path=None)
        for fetch in reversed(fetches):
            verifier.answer(fetch)
        verdicts = [verifier.hear() for _ in range(8)]
        assert [verdict["id"] for verdict in verdicts] == list(range(8, 0, -1))
        assert {verdict["status"] for verdict in verdicts} == {"verified"}


def test_a_name_that_becomes_known_later_counts(tmp_path: Path) -> None:
    with Verifier({BUNDLE: CHAIN.bundle(WHEEL)}) as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        verifier.announce(1, **demo(name="", version="", filename="download"))
        verifier.say(
            type="decide",
            id=1,
            sha256=WHEEL.sha256,
            path=None,
            name="demo",
            version="1.0",
            filename=WHEEL.filename,
        )
        assert verifier.verdict()["status"] == "verified"


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[]\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"type":"dance"}\n',
        b'{"type":7}\n',
        b'{"type":"announce","id":1}\n',
        b'{"type":"open","policy":7}\n',
        b'{"type":"decide","id":99,"sha256":null,"path":null}\n',
        b'{"type":"fetched","fetch":99,"status":200}\n',
        b'{"type":"announce","id":true,"distribution":{}}\n',
        (
            b'{"type":"announce","id":1,"distribution":{"name":"a","version":"","filename":"",'
            b'"kind":"rocket"}}\n'
        ),
    ],
)
def test_garbage_from_the_gate_ends_it(line: bytes, tmp_path: Path) -> None:
    with Verifier() as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        verifier.write(line)
        assert verifier.hear() == {}
        status, words = verifier.end()
        assert status == 65
        assert "unexpected" in words


def test_a_body_that_is_not_base64_ends_it(tmp_path: Path) -> None:
    with Verifier() as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        verifier.announce(1, **demo())
        fetch = verifier.hear()["fetch"]
        verifier.say(type="fetched", fetch=fetch, status=200, body="abc")
        assert verifier.end()[0] == 65


def test_a_line_without_end_ends_it(tmp_path: Path) -> None:
    with Verifier() as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        with pytest.raises(BrokenPipeError):  # noqa: PT012 - the pipe breaks at some block
            for _ in range(DEFAULT.message_bytes // (1 << 20) + 2):
                verifier.write(b"a" * (1 << 20))
            for _ in range(100):
                verifier.write(b"a")
                time.sleep(0.05)
        status, words = verifier.end()
        assert status == 65
        assert "longer than" in words


def test_the_end_of_its_input_ends_it_at_once(tmp_path: Path) -> None:
    with Verifier() as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        verifier.announce(1, **demo())
        began = time.monotonic()
        verifier.end_input()
        assert verifier.end() == (0, "")
        assert time.monotonic() - began < 5


@posix
def test_ctrl_c_is_the_gates_to_handle() -> None:
    with Verifier() as verifier:
        verifier.hear()
        os.kill(verifier.process.pid, signal.SIGINT)
        time.sleep(0.2)
        assert verifier.process.poll() is None
        verifier.end_input()
        assert verifier.end() == (0, "")


@posix
def test_the_death_of_the_parent_ends_it_even_if_somebody_holds_the_pipe() -> None:
    # The parent starts a verifier, hands the pipe's end to a grandchild, and dies.
    parent = (
        "import os, subprocess, sys\n"
        f"v = subprocess.Popen([sys.executable, '-I', {str(ENTRY)!r}], stdin=subprocess.PIPE,\n"
        "                     stdout=subprocess.PIPE)\n"
        "v.stdout.readline()\n"
        "holder = subprocess.Popen(['sleep', '30'], pass_fds=[v.stdin.fileno()],\n"
        "                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,\n"
        "                          stderr=subprocess.DEVNULL)\n"
        "print(v.pid, holder.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], capture_output=True, text=True, check=True, timeout=30
    )
    verifier, holder = map(int, done.stdout.split())
    try:
        deadline = time.monotonic() + 10
        while _is_running(verifier) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _is_running(verifier)
    finally:
        os.kill(holder, signal.SIGKILL)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit address space")
def test_a_document_that_takes_more_memory_than_there_is_gives_a_verdict(tmp_path: Path) -> None:
    # One line of the largest size allowed, in the form that takes the most memory once parsed.
    hostile = b'{"payload":[' + b"{}," * (1_300_000) + b"{}]}\n"
    bundles = b"".join(hostile.replace(b"payload", b"payload%d" % number) for number in range(2))
    with Verifier({BUNDLE: bundles}) as verifier:
        verifier.open(CHAIN.policy(tmp_path))
        for number in range(1, 4):
            verifier.announce(number, **demo())
            verifier.say(type="decide", id=number, sha256=WHEEL.sha256, path=None)
        verdicts = [verifier.verdict() for _ in range(3)]
        assert {verdict["action"] for verdict in verdicts} == {"block"}
        # And it is still there for the next.
        verifier.files[BUNDLE] = CHAIN.bundle(WHEEL)
        verifier.announce(9, **demo())
        verifier.say(type="decide", id=9, sha256=WHEEL.sha256, path=None)
        assert verifier.verdict()["status"] == "verified"


@posix
def test_stray_prints_do_not_enter_the_protocol(tmp_path: Path) -> None:
    script = tmp_path / "stray.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:0] = {[str(ENTRY.parents[2]), str(ENTRY.parents[2] / 'hooks')]!r}\n"
        "from pip_intoto.verifier.protocol import Wire\n"
        "wire = Wire.take()\n"
        "print('stray', flush=True)\n"
        "assert not sys.stdin.read()\n"
        "wire.send({'type': 'hello'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", str(script)],
        input=b"a line of the gate\n",
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == b'{"type":"hello"}\n'
    assert done.stderr == b"stray\n"


def test_nothing_heavy_is_imported_before_the_first_message() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", str(ENTRY)],
        input=b"",
        capture_output=True,
        env=UNMEASURED,
        check=True,
        timeout=30,
    )
    # The input has ended: how far the imports came after the first message is a race, but the
    # modules that the first message needs are the first ones.
    modules = [line.rpartition(b"|")[2].strip() for line in done.stderr.splitlines()]
    hello_needs = modules[: modules.index(b"pip_intoto.verifier.process") + 1]
    heavy = {b"cryptography", b"dataclasses", b"inspect", b"pathlib", b"datetime", b"asyncio"}
    assert not heavy & set(hello_needs)


def test_no_module_of_the_gates_path_imports_what_costs_start_up() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import pip_intoto.verifier.service\n"
        "import pip_intoto.verifier.judge\n"
        "print(sorted(sys.modules))\n"
    )
    root = ENTRY.parents[2]
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(root), str(root / "hooks")],
        capture_output=True,
        env=UNMEASURED,
        text=True,
        check=True,
        timeout=30,
    )
    costly = (
        "securesystemslib", "requests", "rich", "asyncio", "http", "http.client", "email",
        "importlib.metadata", "urllib.request", "packaging.version", "socket", "ssl", "argparse",
        "logging", "html.parser", "subprocess", "zipfile", "tarfile",
    )  # fmt: skip
    loaded = {name for name in costly if f"'{name}'" in done.stdout}
    assert not loaded


def test_base64_of_the_largest_bundle_fits_a_line() -> None:
    assert len(base64.b64encode(bytes(DEFAULT.bundle_bytes))) + 1024 < DEFAULT.message_bytes


@posix
def test_an_endless_loop_ends_with_a_reason(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(
        f"import sys; sys.path[:0] = {[str(ENTRY.parents[2]), str(ENTRY.parents[2] / 'hooks')]!r}\n"
        "from pip_intoto.limits import Limits\n"
        "from pip_intoto.verifier.process import _restrict\n"
        "from pip_intoto.verifier.protocol import Wire\n"
        "_restrict(Wire.take(), Limits(cpu_seconds=1))\n"
        "while True:\n"
        "    pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", str(script)], capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 70
    assert b'"reason":"verifier-unavailable"' in done.stdout
    assert b"processor time" in done.stderr
