"""When a part fails, nothing is installed, no build backend runs, and the reason says which part.

The verifiers of the first half are stand-ins (:mod:`tests.integration.standin`); pip is real.
"""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import sdist, wheel
from fixtures.supply_chain import SupplyChain, write_policy
from pip_intoto.maintainer import authoring
from pip_intoto_gate.seams import INSTALL_COMMAND, RUNNABLE_PIP, SEAMS
from tests.integration import processes, standin
from tests.integration.blocking import blocked, changes, outcome, reason
from tests.integration.loopback import Stall
from tests.integration.weather import Hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.maintainer.authoring import JsonObject
    from tests.integration.environments import Environment
    from tests.integration.loopback import Index


@pytest.fixture(params=["wheel", "sdist"])
def kind(request: pytest.FixtureRequest, index: Index, tmp_path: Path) -> str:
    """List demo as a wheel or as an sdist that leaves the mark *built* when it is built."""
    if request.param == "wheel":
        index.add(wheel("demo"))
    else:
        index.add(sdist("demo", runs=tmp_path / "built"))
    return str(request.param)


# --- the stand-ins themselves ---------------------------------------------------------------


@pytest.mark.usefixtures("kind")
def test_a_stand_in_that_does_its_work_lets_demo_through(
    environment: Environment, index: Index, policy: Path
) -> None:
    standin.appoint(environment, "greet(); ready(); verdict(); hear('the end')")
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert environment.installed() == {"demo-1.0"}


# --- a verifier that fails ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A verifier's lines, what is said of them, and the patience with them."""

    name: str
    lines: str
    says: str
    code: str = "verifier-unavailable"
    seconds: float = 20


FAULTS = [
    Fault("killed-before-a-word", "die()", "exit status -9"),
    Fault("killed-after-the-greeting", "greet(); die()", "exit status -9"),
    Fault("killed-when-ready", "greet(); ready(); die()", "exit status -9"),
    Fault("killed-at-the-announcement", "greet(); ready(); hear('announce'); die()", "status -9"),
    Fault("killed-at-the-question", "greet(); ready(); hear('decide'); die()", "exit status -9"),
    Fault(
        "killed-in-the-middle-of-a-verdict",
        'greet(); ready(); hear(\'decide\'); raw(b\'{"type": "verdict", "id"\'); die()',
        "without an end",
    ),
    Fault("segmentation-fault", "greet(); ready(); die(signal.SIGSEGV)", "exit status -11"),
    Fault("leaves-politely", "greet(); ready(); hear('decide')", "exit status 0"),
    Fault("traceback", "greet(); ready(); 1 / 0", "ZeroDivisionError"),
    Fault("silent-from-the-start", "sleep()", "silence for 1 seconds", seconds=1),
    Fault("silent-after-the-greeting", "greet(); sleep()", "silence for 1 seconds", seconds=1),
    Fault("silent-when-asked", "greet(); ready(); hear('decide'); sleep()", "silence", seconds=1),
    Fault(
        "deaf-and-silent",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); greet(); ready(); sleep()",
        "silence for 1 seconds",
        seconds=1,
    ),
    Fault("no-json", "raw(b'Hello, gate!\\n'); sleep()", "JSONDecodeError"),
    Fault("no-utf-8", "raw(b'\\xff\\xfe{}\\n'); sleep()", "UnicodeDecodeError"),
    Fault("no-object", "raw(b'[1, 2]\\n'); sleep()", "not an object"),
    Fault("a-number", "raw(b'7\\n'); sleep()", "not an object"),
    Fault("an-empty-line", "raw(b'\\n'); sleep()", "JSONDecodeError"),
    Fault("deep-nesting", "raw(b'[' * 200_000 + b'\\n'); sleep()", "RecursionError"),
    Fault("no-type", "greet(); raw(b'{}\\n'); sleep()", "KeyError"),
    Fault("unknown-type", "greet(); say(type='dance'); sleep()", "unknown type, 'dance'"),
    Fault("no-greeting", "ready(); sleep()", "'ready' before a greeting"),
    Fault("a-line-without-end", "greet(); raw(b'x' * 5_000_000); sleep()", "without an end"),
    Fault("a-line-cut-off", "greet(); raw(b'{\"type\":')", "without an end"),
    Fault("never-ending", "greet()\nwhile True: raw(b'x' * 65536)", "without an end"),
    Fault(
        "verdict-without-a-number",
        "greet(); ready(); verdict(id=None); hear('the end')",
        "no message",
    ),
    Fault(
        "verdict-with-odd-number",
        "greet(); ready(); verdict(id=[1]); hear('the end')",
        "no message",
    ),
    Fault(
        "verdict-without-action",
        "greet(); ready(); verdict(action=None); hear('the end')",
        "no mess",
    ),
    Fault(
        "verdict-with-odd-action",
        "greet(); ready(); verdict(action='may'); hear('the end')",
        "no mess",
    ),
    Fault(
        "verdict-without-status",
        "greet(); ready(); verdict(status=3); hear('the end')",
        "no message",
    ),
    Fault(
        "verdict-on-other-bytes",
        "greet(); ready(); verdict(sha256='0' * 64); hear('the end')",
        "about another file",
        code="artifact-digest-mismatch",
    ),
    Fault(
        "verdict-on-no-bytes",
        "greet(); ready(); verdict(sha256=None); hear('the end')",
        "about another file",
        code="artifact-digest-mismatch",
    ),
    Fault(
        "odd-fetch",
        "greet(); ready(); asked = hear('announce'); say(type='fetch'); sleep()",
        "no message",
    ),
    Fault(
        "fetch-with-odd-seconds",
        "greet(); ready(); asked = hear('announce')\n"
        "say(type='fetch', fetch=1, id=asked['id'], url='http://127.0.0.1:9/', max_bytes=1,"
        " seconds='many')\nsleep()",
        "no message",
    ),
    Fault(
        "another-version",
        "greet(version='99.0'); sleep()",
        "found: pip-intoto 99.0, protocol 1",
        code="verifier-version-mismatch",
    ),
    Fault(
        "another-protocol",
        "greet(protocol=2); sleep()",
        "found: pip-intoto 0.1.0, protocol 2",
        code="verifier-version-mismatch",
    ),
    Fault(
        "gives-up",
        "greet(); hear('open')\n"
        "say(type='failed', reason='policy-invalid', summary='it is odd', place='p.toml:3')",
        "p.toml:3: it is odd",
        code="policy-invalid",
    ),
    Fault(
        "out-of-memory",
        "greet(); ready(); resource.setrlimit(resource.RLIMIT_AS, (2 ** 27, 2 ** 27))\n"
        "bytes(2 ** 28)",
        "MemoryError",
    ),
    Fault(
        "out-of-processor-time",
        "greet(); ready(); resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
        "exit status -",
    ),
    Fault(
        "a-grandchild-holds-the-pipe",
        "greet(); ready(); subprocess.Popen(['/bin/sleep', '50']); hear('decide')",
        "silence for 1 seconds",
        seconds=1,
    ),
    Fault(
        "a-grandchild-in-another-session-holds-the-pipe",
        "greet(); ready()\n"
        "subprocess.Popen(['/bin/sleep', '8'], start_new_session=True); hear('decide')",
        "silence for 1 seconds",
        seconds=1,
    ),
    Fault(
        "ten-megabytes-of-last-words",
        "greet(); ready(); sys.stderr.write('alas ' * 2_000_000); die()",
        "alas alas",
    ),
]


#: Source archives wait for their verdict elsewhere than wheels; a few faults show it.
SDIST_TOO = {
    "killed-before-a-word",
    "killed-at-the-question",
    "silent-when-asked",
    "no-json",
    "a-line-without-end",
    "verdict-on-other-bytes",
    "another-version",
}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(fault, kind, id=f"{fault.name}-{kind}")
        for fault in FAULTS
        for kind in ("wheel", "sdist")
        if kind == "wheel" or fault.name in SDIST_TOO
    ],
    indirect=["kind"],
)
@pytest.mark.usefixtures("kind")
def test_a_failing_verifier_blocks(
    fault: Fault, guarded: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    standin.appoint(guarded, fault.lines, seconds=fault.seconds)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked(fault.code), result.output
    assert not (tmp_path / "built").exists()
    assert fault.says in result.words
    assert "Traceback (most recent call last)" not in result.stdout
    # The slowest of them is one of a second's patience; the rest is for a busy machine.
    assert result.seconds < fault.seconds + 10
    assert processes.comes_true(lambda: not processes.verifiers(guarded))


def test_a_verifier_whose_interpreter_is_gone_blocks(
    guarded: Environment, kind: str, index: Index, policy: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone" / "python"
    standin.mark(guarded, verifier=[str(gone), "-I", str(guarded.home / "verifier.py")])
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("verifier-unavailable"), (kind, result.output)
    assert str(gone) in result.words
    assert not (tmp_path / "built").exists()


def test_a_verifier_whose_entry_is_gone_blocks(
    guarded: Environment, kind: str, index: Index, policy: Path, tmp_path: Path
) -> None:
    gone = guarded.home / "gone" / "verifier" / "__main__.py"
    standin.mark(guarded, verifier=[str(guarded.python), "-I", str(gone)])
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("verifier-unavailable"), (kind, result.output)
    assert "No such file" in result.words
    assert not (tmp_path / "built").exists()


@pytest.mark.usefixtures("kind")
def test_a_verifier_that_may_not_be_executed_blocks(
    guarded: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text"
    text.write_text("no program", encoding="ascii")
    standin.mark(guarded, verifier=[str(text)])
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("verifier-unavailable"), result.output
    assert "Permission denied" in result.words


def test_warn_mode_excuses_a_verifier_that_fails_once_the_mode_is_known(
    environment: Environment, index: Index, policy: Path
) -> None:
    index.add(wheel("demo"))
    standin.appoint(environment, "greet(); ready(mode='warn'); hear('decide'); die()")
    result = environment.pip("install", "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert environment.installed() == {"demo-1.0"}
    assert "[verifier-unavailable] demo-1.0-py3-none-any.whl" in result.words


def test_warn_mode_does_not_excuse_a_verdict_on_other_bytes(
    guarded: Environment, index: Index, policy: Path
) -> None:
    index.add(wheel("demo"))
    standin.appoint(
        guarded, "greet(); ready(mode='warn'); verdict(sha256='0' * 64); hear('the end')"
    )
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("artifact-digest-mismatch"), result.output


# --- the real verifier at its limits --------------------------------------------------------


def test_evidence_that_needs_more_memory_than_there_is_blocks(
    guarded: Environment, index: Index, policy: Path
) -> None:
    built = wheel("demo")
    index.add(built)
    # 4 MB of empty objects are more than 100 MB once they are parsed.
    payload = b'{"payload": "", "payloadType": "", "signatures": [' + b"{}," * 1_300_000 + b"{}]}"
    index.put_evidence(built, payload + b"\n")
    standin.appoint_real(guarded, address_space=80 * 1024 * 1024)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert result.status == 1, result.output
    assert reason(result) in {"metadata-too-large", "verifier-unavailable"}, result.output
    assert changes(guarded) == frozenset()


def test_a_verifier_without_the_memory_to_start_blocks(
    guarded: Environment, index: Index, policy: Path
) -> None:
    index.add(wheel("demo"))
    standin.appoint_real(guarded, address_space=10 * 1024 * 1024)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("verifier-unavailable"), result.output


def laborious(built: Built) -> tuple[SupplyChain, bytes]:
    """Give evidence, properly signed, that takes the verifier very long: rules times artifacts."""
    rules = [["ALLOW", f"*a*{number}*b"] for number in range(18_000)]
    chain = SupplyChain(project="demo", build_products=(*rules, ["DISALLOW", "*"]))
    link = chain.build_link([built], built.version)
    products: JsonObject = {f"{'a' * 200}{number}": {"sha256": "0" * 64} for number in range(1_100)}
    bundle = authoring.bundle(
        (
            chain.root(),
            chain.signed_link(chain.source_link(built.version), chain.author),
            chain.signed_link({**link, "products": products}, chain.builder),
        )
    )
    return chain, bundle


def test_evidence_that_needs_more_processor_time_than_is_allowed_blocks(
    guarded: Environment, index: Index, policy: Path
) -> None:
    built = wheel("demo")
    index.add(built)
    _, bundle = laborious(built)
    index.put_evidence(built, bundle)
    standin.appoint_real(guarded, cpu_seconds=1, pattern_matches=10**9)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("verifier-unavailable"), result.output
    assert "more than 1 seconds of processor time" in result.words
    assert result.seconds < 15


# --- pip interrupted, terminated, killed ----------------------------------------------------

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]


def _at_the_index_page(index: Index, _built: Built, _hold: Hold) -> Callable[[], object]:
    index.fault("/simple/demo/", _hold)
    return lambda: index.asked("/simple/demo/")


def _at_the_metadata(index: Index, _built: Built, hold: Hold) -> Callable[[], object]:
    index.fault("*.metadata", hold)
    return lambda: index.asked("*.metadata")


def _in_the_download(index: Index, _built: Built, _hold: Hold) -> Callable[[], object]:
    index.fault("/files/*.whl", Stall(sent=100))
    return lambda: index.asked("/files/*.whl")


def _waiting_for_evidence(index: Index, _built: Built, hold: Hold) -> Callable[[], object]:
    index.fault("*.intoto.jsonl", hold)
    return lambda: index.asked("*.intoto.jsonl") and index.asked("/files/*.whl")


POINTS = {
    "index-page": _at_the_index_page,
    "metadata": _at_the_metadata,
    "download": _in_the_download,
    "evidence": _waiting_for_evidence,
}


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("point", POINTS)
def test_no_verifier_stays_behind_a_pip_that_is_stopped(
    point: str,
    number: signal.Signals,
    guarded: Environment,
    index: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    built = wheel("demo")
    index.publish(built, chain)
    if point == "metadata" and tuple(map(int, guarded.pip_version.split("."))) < (23, 2):
        pytest.skip(f"pip {guarded.pip_version} does not ask for metadata alone")
    with Hold() as hold:
        reached = POINTS[point](index, built, hold)
        variables = {"PIP_INDEX_URL": index.simple, "INTOTO_POLICY": str(policy)}
        with processes.started(guarded, "install", "demo", variables=variables) as process:
            assert processes.comes_true(reached)
            assert processes.comes_true(lambda: processes.verifiers(guarded))
            processes.stop(process, number)
            assert processes.comes_true(lambda: not processes.of(guarded))
    assert process.returncode != 0
    assert changes(guarded) == frozenset()
    if number is signal.SIGINT:
        assert not list((guarded.home / "tmp").glob("pip-intoto-*"))


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_verifier_at_work_notices_that_pip_has_gone(
    number: signal.Signals, guarded: Environment, index: Index, policy: Path
) -> None:
    built = wheel("demo")
    index.add(built)
    _, bundle = laborious(built)
    index.put_evidence(built, bundle)
    standin.appoint_real(guarded, pattern_matches=10**9)
    variables = {"PIP_INDEX_URL": index.simple, "INTOTO_POLICY": str(policy)}
    with processes.started(guarded, "install", "demo", variables=variables) as process:
        assert processes.comes_true(lambda: processes.busy(guarded, seconds=0.7))
        processes.stop(process, number)
        assert processes.comes_true(lambda: not processes.of(guarded))
    assert changes(guarded) == frozenset()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_no_verifier_stays_behind_a_build_that_is_stopped(
    number: signal.Signals,
    guarded: Environment,
    index: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    # The build opens its mark for writing, which waits until somebody reads.
    mark = tmp_path / "mark"
    os.mkfifo(mark)
    index.publish(sdist("demo", runs=mark), chain)
    variables = {"PIP_INDEX_URL": index.simple, "INTOTO_POLICY": str(policy)}
    with processes.started(guarded, "install", "demo", variables=variables) as process:
        assert processes.comes_true(lambda: "_in_process.py" in str(processes.of(guarded)))
        assert processes.verifiers(guarded)
        processes.stop(process, number)
        assert processes.comes_true(lambda: not processes.verifiers(guarded))
        # What is left is pip's own child, if anything.
        # Kept open: the build may not have come as far as its mark yet.
        reader = os.open(mark, os.O_RDONLY | os.O_NONBLOCK)
        assert processes.comes_true(lambda: not processes.of(guarded))
        os.close(reader)
    assert changes(guarded) == frozenset()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_no_verifier_stays_behind_a_child_pip_that_is_orphaned(
    number: signal.Signals, guarded: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    tool, project = SupplyChain(project="tool"), SupplyChain(project="demo")
    index.publish(wheel("tool"), tool)
    index.publish(sdist("demo", runs=tmp_path / "built", build_requires=["tool"]), project)
    write_policy(policy.parent, (tool, project), head='unlisted = "deny"')
    with Hold() as hold:
        index.fault("/simple/tool/", hold)
        variables = {"PIP_INDEX_URL": index.simple, "INTOTO_POLICY": str(policy)}
        with processes.started(guarded, "install", "demo", variables=variables) as process:
            assert processes.comes_true(lambda: index.asked("/simple/tool/"))
            assert processes.comes_true(lambda: len(processes.verifiers(guarded)) == 2)
            processes.stop(process, number)
            # The child is pip's own and may finish what it is at; its verifier goes with it.
            assert processes.comes_true(lambda: len(processes.verifiers(guarded)) < 2)
            hold.release()
            assert processes.comes_true(lambda: not processes.of(guarded))
    assert not (tmp_path / "built").exists()
    assert changes(guarded) == frozenset()


# --- what the gate reads ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version = 1\nmode = enforce\n", "policy.toml:2"),
        ("", "is empty"),
        ("version = 99\n", "policy.toml:1"),
        ('version = 1\nmdoe = "warn"\n', "mode"),
        (
            'version = 1\nmode = "warn"\nunlisted = "allow"\n[[project]]\nname = "x"\n',
            "layout-keys",
        ),
        ("version = 1\n# \N{LATIN SMALL LETTER E WITH ACUTE}\0\n", "policy.toml:2"),
    ],
    ids=["no-toml", "empty", "another-version", "unknown-key", "no-keys", "control-character"],
)
def test_a_policy_that_cannot_be_read_blocks(
    text: str, says: str, guarded: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    index.add(sdist("demo", runs=tmp_path / "built"))
    policy.write_text(text, encoding="utf-8")
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("policy-invalid"), result.output
    assert says in result.words
    assert not (tmp_path / "built").exists()


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "",
        "[]",
        "7",
        '{"verifier": "python"}',
        '{"verifier": [7]}',
        '{"seconds": -1}',
        '{"seconds": "many"}',
        "[" * 100_000,
        "\xff",
    ],
    ids=[
        "text",
        "empty",
        "list",
        "number",
        "verifier-a-word",
        "verifier-no-words",
        "no-patience",
        "odd-patience",
        "deep",
        "latin-1",
    ],
)
def test_a_broken_marker_blocks(
    text: str, guarded: Environment, index: Index, policy: Path, tmp_path: Path
) -> None:
    index.add(sdist("demo", runs=tmp_path / "built"))
    standin.marker(guarded).write_bytes(text.encode("latin-1"))
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("verifier-unavailable"), result.output
    assert "pip_intoto_gate.json" in result.words
    assert not (tmp_path / "built").exists()
    assert guarded.pip("list").status == 0


@pytest.fixture
def breakable(guarded: Environment) -> Iterator[Callable[[Path, str], None]]:
    """Overwrite files of the environment for one test."""
    before: dict[Path, str] = {}

    def overwrite(path: Path, text: str) -> None:
        before.setdefault(path, path.read_text("utf-8"))
        guarded.rewrite(path, text)

    yield overwrite
    for path, text in before.items():
        guarded.rewrite(path, text)


@pytest.mark.parametrize("text", ["def broken(", "X = 1"], ids=["syntax", "names-gone"])
@pytest.mark.parametrize(
    "name",
    ["seams", "opening", "gate", "conversation", "blocked", "settings", "location", "fetching"],
)
def test_a_broken_file_of_the_gate_blocks(
    name: str,
    text: str,
    guarded: Environment,
    breakable: Callable[[Path, str], None],
    index: Index,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.add(sdist("demo", runs=tmp_path / "built"))
    breakable(guarded.site_packages / "pip_intoto_gate" / f"{name}.py", text + "\n")
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("pip-unsupported"), result.output
    assert not (tmp_path / "built").exists()


# --- a pip that is not what it was -----------------------------------------------------------


#: Byte code of what is put back a moment later must not stay behind.
NO_CACHE = {"PYTHONDONTWRITEBYTECODE": "1"}


def rename(
    environment: Environment, breakable: Callable[[Path, str], None], old: str, new: str
) -> None:
    """Rename something everywhere in pip, so that pip itself goes on working."""
    for path in (environment.site_packages / "pip" / "_internal").rglob("*.py"):
        text = path.read_text("utf-8")
        changed = re.sub(rf"\b{old}\b", new, text)
        if changed != text:
            breakable(path, changed)


@pytest.mark.parametrize(
    "name",
    sorted(
        {seam.name.rpartition(".")[2] for seam in (*SEAMS, INSTALL_COMMAND, *RUNNABLE_PIP)}
        - {"__init__"}
    ),
)
def test_a_pip_without_a_seam_is_not_supported(
    name: str,
    guarded: Environment,
    breakable: Callable[[Path, str], None],
    index: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    index.publish(wheel("demo"), chain)
    rename(guarded, breakable, name, name + "_of_old")
    result = guarded.pip("install", "demo", index=index, policy=policy, variables=NO_CACHE)
    assert outcome(guarded, result) == blocked("pip-unsupported"), result.output
    assert name in result.words
    listed = guarded.pip("list", policy=policy, variables=NO_CACHE)
    assert listed.status == 0, listed.output
    assert "pip-intoto" in listed.stdout


@pytest.mark.parametrize("module", ["operations.prepare", "wheel_builder", "utils.unpacking"])
def test_a_pip_without_a_module_is_not_supported(
    module: str,
    guarded: Environment,
    breakable: Callable[[Path, str], None],
    index: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    index.publish(wheel("demo"), chain)
    path = guarded.site_packages.joinpath("pip", "_internal", *module.split("."))
    moved = path.with_name(path.name + "_of_old.py")
    text = path.with_suffix(".py").read_text("utf-8")
    rename(guarded, breakable, module.replace(".", r"\."), module + "_of_old")
    path.with_suffix(".py").rename(moved)
    try:
        result = guarded.pip("install", "demo", index=index, policy=policy, variables=NO_CACHE)
        listed = guarded.pip("list", policy=policy, variables=NO_CACHE)
    finally:
        moved.unlink()
        guarded.rewrite(path.with_suffix(".py"), text)
    assert outcome(guarded, result) == blocked("pip-unsupported"), result.output
    assert module in result.words
    assert listed.status == 0, listed.output


def test_a_pip_that_is_too_old_is_not_supported(
    guarded: Environment,
    breakable: Callable[[Path, str], None],
    index: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    index.publish(wheel("demo"), chain)
    face = guarded.site_packages / "pip" / "__init__.py"
    text = face.read_text("utf-8")
    breakable(face, re.sub(r'__version__ = "[^"]+"', '__version__ = "21.3.1"', text))
    result = guarded.pip("install", "demo", index=index, policy=policy, variables=NO_CACHE)
    assert outcome(guarded, result) == blocked("pip-unsupported"), result.output
    assert "support for pip 21.3.1" in result.words
    assert guarded.pip("list", policy=policy, variables=NO_CACHE).status == 0
