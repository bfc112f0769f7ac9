"""Evidence and files over a network that fails, lies, or wants something in return."""

from __future__ import annotations

import gzip
import os
import pty
import subprocess
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from fixtures.supply_chain import SupplyChain, write_policy
from tests.integration import loopback, standin
from tests.integration.blocking import blocked, changes, outcome
from tests.integration.loopback import Endless, Redirect, Reset, Stall, Status, Truncated
from tests.integration.weather import Answer, Drip, serving_securely

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.distributions import Built
    from tests.integration.environments import Environment
    from tests.integration.loopback import Fault, Index

EVIDENCE = "*.intoto.jsonl"


@pytest.fixture
def built() -> Built:
    return wheel("demo")


@pytest.fixture
def elsewhere() -> Iterator[Index]:
    """Give another server: another port, and so another origin."""
    with loopback.serving() as started:
        yield started


def to(folder: Path) -> tuple[str, str]:
    """Give the words that make pip install into *folder*, so that environments can be reused."""
    return "--target", str(folder / "target")


def arrived(folder: Path) -> bool:
    """Tell whether demo was installed there."""
    return (folder / "target" / "demo.py").exists()


# --- servers that fail ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (Status(500), "source-unreachable", "500"),
        (Status(403), "source-unreachable", "object stores"),
        (Status(429), "source-unreachable", "429"),
        (Status(204), "source-unreachable", "204"),
        (Status(206, body=b'{"a": 1}\n'), "source-unreachable", "206"),
        (Status(404), "layout-missing", "found: nothing at"),
        (Status(410), "layout-missing", "found: nothing at"),
        (Reset(), "source-unreachable", ""),
        (Stall(), "source-unreachable", "in time"),
        (Stall(sent=100), "source-unreachable", "time"),
        (Drip(), "source-unreachable", "in time"),
        (Endless(), "metadata-too-large", ""),
        (Endless(line=b"x" * 65536), "metadata-too-large", ""),
        (
            Answer(headers={"Content-Length": "100"}, body=b"{}"),
            "source-unreachable",
            "",
        ),
        (
            Answer(headers={"Content-Encoding": "gzip"}, body=gzip.compress(b"{}\n" * 10_000_000)),
            "metadata-too-large",
            "",
        ),
        (Answer(headers={"Content-Encoding": "gzip"}, body=b"no gzip"), "source-unreachable", ""),
        (Redirect("ftp://127.0.0.1/bundle"), "source-unreachable", "a redirect to ftp"),
        (Redirect("//[not-an-address/bundle"), "source-unreachable", ""),
        (Status(302), "source-unreachable", "302"),
    ],
    ids=[
        *("500", "403", "429", "204", "206", "404", "410"),
        *("reset", "stall", "stall-in-the-body", "drip", "endless", "one-endless-line"),
        *("cut-off", "a-bomb", "broken-compression"),
        *("redirect-to-ftp", "redirect-to-nonsense", "redirect-to-nowhere"),
    ],
)
def test_evidence_from_a_server_that_fails(
    fault: Fault,
    code: str,
    says: str,
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    index.publish(built, chain)
    index.fault("*.intoto*", fault)
    standin.appoint_real(guarded, fetch_seconds=1)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked(code), result.output
    assert says in result.words
    # One second for a request, two requests (bundle and directory), and a busy machine.
    assert result.seconds < 12
    assert index.asked("*.intoto*")


def test_one_dead_host_does_not_cost_its_patience_for_each_file(
    guarded: Environment, index: Index, elsewhere: Index, tmp_path: Path
) -> None:
    names = [f"demo{number}" for number in range(8)]
    for name in names:
        index.add(wheel(name))
    elsewhere.fault("*", Stall())
    policy = write_policy(
        tmp_path / "policy",
        [SupplyChain(project=name) for name in names],
        rule=f'sources = ["{elsewhere.origin}/{{filename}}.jsonl"]',
    )
    standin.appoint_real(guarded, fetch_seconds=1)
    result = guarded.pip("install", *names, index=index, policy=policy)
    assert outcome(guarded, result) == blocked("source-unreachable"), result.output
    assert elsewhere.requests
    assert result.seconds < 8


def test_what_nobody_listed_is_not_asked_for(
    guarded: Environment, built: Built, index: Index, tmp_path: Path
) -> None:
    index.add(built)
    policy = SupplyChain(project="other").policy(tmp_path / "policy", head='unlisted = "allow"')
    result = guarded.pip("install", *to(tmp_path), "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert not index.asked("*.intoto*")


# --- downloads ------------------------------------------------------------------------------


def large(module: bytes = bytes(range(256)) * 4_000) -> Built:
    return wheel("demo", modules={"demo.py": b"#" + module.replace(b"\n", b"").replace(b"\r", b"")})


def resumes(environment: Environment) -> bool:
    """Tell whether this pip can resume a download."""
    return tuple(map(int, environment.pip_version.split("."))) >= (25, 1)


def test_a_download_that_is_resumed_installs_when_the_digest_is_right(
    environment: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    index.publish(large(), chain, metadata=False)
    index.fault("*.whl", Truncated(at=100_000), times=1)
    result = environment.pip("install", "--resume-retries=2", "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert environment.installed() == {"demo-1.0"}
    assert [request.headers.get("range") for request in index.asked("*.whl")] == [
        None,
        "bytes=100000-",
    ]
    assert "1 verified" in result.output


def test_a_download_that_is_resumed_with_other_bytes_is_blocked(
    guarded: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    good = large()
    head = 100_000
    evil = (
        good.data[:head]
        + good.data[head : head + 1000].replace(b"A", b"B")
        + good.data[head + 1000 :]
    )
    assert evil != good.data
    index.add(good, metadata=False, digest=False, body=evil)
    index.put_evidence(good, chain.bundle(good))
    index.fault("*.whl", Truncated(at=head), times=1)
    words = ["--resume-retries=2"] if resumes(guarded) else []
    result = guarded.pip("install", *words, "demo", index=index, policy=policy)
    if resumes(guarded):
        assert outcome(guarded, result) == blocked("artifact-digest-mismatch"), result.output
    # Older pips take what came for the whole file, and cannot read it.
    assert result.status == 1, result.output
    assert changes(guarded) == frozenset()


def test_a_download_that_was_cut_off_is_blocked(
    guarded: Environment, index: Index, chain: SupplyChain, policy: Path
) -> None:
    built = large()
    index.add(built, metadata=False, digest=False)
    index.put_evidence(built, chain.bundle(built))
    index.fault("*.whl", Truncated(at=100_000))
    words = ["--resume-retries=0"] if resumes(guarded) else []
    result = guarded.pip("install", *words, "demo", index=index, policy=policy)
    assert result.status != 0, result.output
    assert changes(guarded) == frozenset()


@pytest.mark.parametrize("fault", [Status(500), Status(403), Reset()], ids=["500", "403", "reset"])
@pytest.mark.parametrize("pattern", ["/simple/*", "*.whl", "*.metadata"])
def test_an_index_that_fails_installs_nothing(
    pattern: str,
    fault: Fault,
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    index.publish(built, chain)
    index.fault(pattern, fault)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    if not index.asked(pattern):
        pytest.skip(f"pip {guarded.pip_version} does not ask for this")
    assert result.status in {1, 2}, result.output
    assert changes(guarded) == frozenset()


# --- credentials ----------------------------------------------------------------------------


def test_evidence_of_an_index_with_credentials(
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.publish(built, chain)
    index.require("user", "s3cret")
    variables = {"PIP_INDEX_URL": index.with_credentials("user", "s3cret")}
    result = guarded.pip("install", *to(tmp_path), "demo", policy=policy, variables=variables)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert "s3cret" not in result.output


def test_credentials_of_a_direct_url_serve_its_evidence_and_are_not_told(
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.publish(built, chain)
    index.require("user", "s3cret")
    url = index.url(built).replace("://", "://user:s3cret@")
    result = guarded.pip("install", *to(tmp_path), url, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    index.fault("*.intoto*", Status(500))
    result = guarded.pip("install", url, policy=policy)
    assert outcome(guarded, result) == blocked("source-unreachable"), result.output
    assert "s3cret" not in result.output


def test_netrc_is_not_asked_for_another_origin(
    guarded: Environment,
    built: Built,
    index: Index,
    elsewhere: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    # The netrc file knows hosts, but no ports: both servers are one host to it.
    netrc = guarded.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login user password s3cret\n", encoding="ascii")
    netrc.chmod(0o600)
    try:
        index.add(built)
        index.require("user", "s3cret")
        elsewhere.put("/bundle", chain.bundle(built))
        elsewhere.require("user", "s3cret")
        index.fault(EVIDENCE, Redirect(elsewhere.origin + "/bundle"))
        result = guarded.pip("install", "demo", index=index, policy=policy)
    finally:
        netrc.unlink()
    assert outcome(guarded, result) == blocked("source-unreachable"), result.output
    assert elsewhere.asked("/bundle")
    assert not [request for request in elsewhere.requests if "authorization" in request.headers]


def test_credentials_in_a_redirect_are_not_used(
    guarded: Environment,
    built: Built,
    index: Index,
    elsewhere: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.add(built)
    elsewhere.put("/bundle", chain.bundle(built))
    target = elsewhere.origin.replace("://", "://user:s3cret@") + "/bundle"
    index.fault(EVIDENCE, Redirect(target))
    result = guarded.pip("install", *to(tmp_path), "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert elsewhere.asked("/bundle")
    assert not [request for request in elsewhere.requests if "authorization" in request.headers]
    assert "s3cret" not in result.output


def test_cookies_do_not_travel(
    guarded: Environment,
    built: Built,
    index: Index,
    elsewhere: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.add(built)
    elsewhere.put("/bundle", chain.bundle(built))
    cookie = {"Set-Cookie": "session=s3cret; Path=/", "Location": elsewhere.origin + "/bundle"}
    index.fault(EVIDENCE, Status(302, headers=cookie))
    result = guarded.pip("install", *to(tmp_path), "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert not [request for request in elsewhere.requests if "cookie" in request.headers]


def test_a_server_of_the_policy_gets_no_credentials_of_the_index(
    guarded: Environment,
    built: Built,
    index: Index,
    elsewhere: Index,
    chain: SupplyChain,
    tmp_path: Path,
) -> None:
    index.add(built)
    index.require("user", "s3cret")
    elsewhere.put(f"/demo/1.0/{built.filename}.jsonl", chain.bundle(built))
    policy = chain.policy(
        tmp_path / "policy",
        rule=f'sources = ["{elsewhere.origin}/{{project}}/{{version}}/{{filename}}.jsonl"]',
    )
    variables = {"PIP_INDEX_URL": index.with_credentials("user", "s3cret")}
    result = guarded.pip("install", *to(tmp_path), "demo", policy=policy, variables=variables)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert [request.path for request in elsewhere.requests] == [f"/demo/1.0/{built.filename}.jsonl"]
    assert "authorization" not in elsewhere.requests[0].headers


@pytest.mark.parametrize("where", ["beside", "elsewhere"])
def test_nobody_is_asked_for_a_password(
    where: str,
    guarded: Environment,
    built: Built,
    index: Index,
    elsewhere: Index,
    policy: Path,
) -> None:
    """On a terminal, where pip would ask, and wait."""
    index.add(built)
    wants = Status(401, headers={"WWW-Authenticate": 'Basic realm="who are you"'})
    elsewhere.fault("*", wants)
    index.fault("*.intoto*", wants if where == "beside" else Redirect(elsewhere.origin + "/x"))
    variables = {"PIP_INDEX_URL": index.simple, "INTOTO_POLICY": str(policy)}
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:
                return
            if not block:
                return
            shown.append(block)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        process = subprocess.run(
            guarded.command("install", "demo"),
            check=False,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=guarded.variables(variables),
            cwd=guarded.home / "work",
            start_new_session=True,
            timeout=30,
        )
    finally:
        os.close(theirs)
        reader.join(5)
        os.close(ours)
    output = b"".join(shown).decode()
    assert process.returncode == 1, output
    assert "source-unreachable" in output
    assert "User for" not in output
    assert "Password" not in output
    assert changes(guarded) == frozenset()


# --- addresses ------------------------------------------------------------------------------


def test_a_redirect_on_the_same_server_is_followed(
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.add(built)
    index.put("/moved/bundle", chain.bundle(built))
    index.fault(EVIDENCE, Redirect("../moved/bundle"))
    result = guarded.pip("install", *to(tmp_path), "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)


def test_evidence_lies_beside_the_link_and_not_where_the_file_was_redirected(
    guarded: Environment,
    built: Built,
    index: Index,
    elsewhere: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.publish(built, chain)
    elsewhere.put("/blob", built.data)
    index.fault("*.whl", Redirect(elsewhere.origin + "/blob"))
    result = guarded.pip("install", *to(tmp_path), "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert [request.path for request in elsewhere.requests] == ["/blob"]


def test_a_presigned_address_is_asked_without_its_query_first(
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.publish(built, chain)
    index.fault(EVIDENCE, Status(403), times=1)
    url = index.url(built) + "?signature=s3cret"
    result = guarded.pip("install", *to(tmp_path), url, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert [request.query for request in index.asked(EVIDENCE)] == ["", "signature=s3cret"]
    index.fault("*.intoto*", Status(403))
    result = guarded.pip("install", url, policy=policy)
    assert outcome(guarded, result) == blocked("source-unreachable"), result.output
    assert "s3cret" not in result.output.partition("error:")[2]


def test_evidence_does_not_come_from_pips_cache(
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.add(built)
    forever = {"Cache-Control": "public, max-age=31536000"}
    index.fault(EVIDENCE, Status(200, chain.bundle(built), forever), times=1)
    result = guarded.pip("install", *to(tmp_path), "demo", index=index, policy=policy)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("layout-missing"), result.output


def test_evidence_goes_through_the_proxy_that_pip_goes_through(
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index.publish(built, chain)
    variables = {
        "PIP_INDEX_URL": "http://index.acme.example/simple/",
        "PIP_TRUSTED_HOST": "index.acme.example",
        "PIP_PROXY": index.origin,
        "no_proxy": "",
    }
    result = guarded.pip("install", *to(tmp_path), "demo", policy=policy, variables=variables)
    assert result.status == 0, result.output
    assert arrived(tmp_path)
    assert [request.headers["host"] for request in index.asked(EVIDENCE)] == ["index.acme.example"]


# --- https ----------------------------------------------------------------------------------


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Index, dict[str, str]]]:
    """Give an index behind TLS, and the variables with which pip believes its certificate."""
    with ExitStack() as stack:
        index, origin, authority = stack.enter_context(serving_securely(tmp_path))
        yield index, {"PIP_INDEX_URL": origin + "/simple/", "PIP_CERT": str(authority)}


def test_evidence_over_https(
    secure: tuple[Index, dict[str, str]],
    guarded: Environment,
    built: Built,
    chain: SupplyChain,
    policy: Path,
    tmp_path: Path,
) -> None:
    index, variables = secure
    index.publish(built, chain)
    result = guarded.pip("install", *to(tmp_path), "demo", policy=policy, variables=variables)
    assert result.status == 0, result.output
    assert arrived(tmp_path)


def test_a_redirect_from_https_to_http_is_not_followed(
    secure: tuple[Index, dict[str, str]],
    guarded: Environment,
    built: Built,
    elsewhere: Index,
    chain: SupplyChain,
    policy: Path,
) -> None:
    index, variables = secure
    index.add(built)
    elsewhere.put("/bundle", chain.bundle(built))
    index.fault(EVIDENCE, Redirect(elsewhere.origin + "/bundle"))
    result = guarded.pip("install", "demo", policy=policy, variables=variables)
    assert outcome(guarded, result) == blocked("source-unreachable"), result.output
    assert "from https to http" in result.words
    assert elsewhere.requests == []


def test_an_untrusted_certificate_is_unreachable(
    secure: tuple[Index, dict[str, str]],
    guarded: Environment,
    built: Built,
    index: Index,
    chain: SupplyChain,
    tmp_path: Path,
) -> None:
    _, variables = secure
    index.add(built)
    origin = variables["PIP_INDEX_URL"].removesuffix("/simple/")
    policy = chain.policy(tmp_path / "policy", rule=f'sources = ["{origin}/{{filename}}.jsonl"]')
    result = guarded.pip("install", "demo", index=index, policy=policy)
    assert outcome(guarded, result) == blocked("source-unreachable"), result.output
    assert "certificate verify failed" in result.words
