"""What Sigstore vouches for is checked offline: whatever is wrong with it is sigstore-invalid."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.sigstore import (
    GITHUB,
    GITLAB,
    GOOGLE,
    SIGNED,
    STARTED,
    Fault,
    Sigstore,
    as_attestation,
    statement,
)
from pip_intoto.credential import Credential
from pip_intoto.errors import (
    MetadataMalformed,
    MetadataTooLarge,
    SigstoreInvalid,
    TrustRootExpired,
    TrustRootNotYetValid,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.bundle import documents_in
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.sigstore import read_attested
from pip_intoto.verifier.authenticating import authenticator_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.asymmetric import ec

    from fixtures.sigstore import Window
    from pip_intoto.errors import (
        EvidenceInvalid,
    )
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.strict_json import JsonValue

ROOT = Path(__file__).parents[3]
INTEROP = ROOT.parent / "shared" / "interop" / "pep740"
SIGSTORE = Sigstore()
TRUSTED = SIGSTORE.trusted_root()
SAID = statement(("demo-1.0.tar.gz", b"demo"))
WORKFLOW = {"repository": "acme/demo", "workflow": "release.yml", "ref": "refs/tags/v1.0"}


def signed(said: dict[str, object], **who: object) -> bytes:
    return SIGSTORE.bundle(said, **who)  # type: ignore[arg-type]


def rooted(part: str, window: Window) -> bytes:
    return SIGSTORE.trusted_root(**{part: window})


def read(data: bytes) -> Envelope:
    return read_attested(Node(strict_json.parse(data, limits=DEFAULT)), sha256="", limits=DEFAULT)


def authenticate(data: bytes, root: bytes = TRUSTED) -> Credential:
    return authenticator_with(root).authenticate(read(data))


# --- what is believed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issuer", "host"),
    [(GITHUB, "https://github.com.evil.example"), (GITLAB, "https://github.com")],
)
def test_an_issuer_vouches_for_repositories_at_its_own_host(issuer: str, host: str) -> None:
    with pytest.raises(SigstoreInvalid, match="does not vouch for"):
        authenticate(signed(SAID, issuer=issuer, host=host, **WORKFLOW))


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_bundles_of_every_version_are_believed(version: str) -> None:
    found = authenticate(signed(SAID, version=version, **WORKFLOW))
    assert found == Credential(
        issuer=GITHUB,
        subject="https://github.com/acme/demo/.github/workflows/release.yml@refs/tags/v1.0",
        signed_at=SIGNED,
        host="github.com",
        repository="acme/demo",
        workflow="release.yml",
        ref="refs/tags/v1.0",
    )


def test_a_subject_with_characters_that_nobody_sees_is_nobody() -> None:
    assert authenticate(signed(SAID, issuer=GOOGLE, subject="alice@acme.example")).subject
    with pytest.raises(SigstoreInvalid, match="does not name its holder"):
        authenticate(signed(SAID, issuer=GOOGLE, subject="alice\x1b[2K@acme.example"))


def test_attestation_objects_are_believed() -> None:
    data = json.dumps(SIGSTORE.attestation(SAID, **WORKFLOW)).encode()
    assert authenticate(data).repository == "acme/demo"


def test_what_a_certificate_says_is_read_word_for_word() -> None:
    reused = "tools/build/.github/workflows/wheels.yml"
    found = authenticate(
        signed(
            SAID,
            reused=f"{reused}@refs/heads/main",
            environment="pypi",
            **{**WORKFLOW, "ref": "refs/tags/demo@1.0"},
        )
    )
    assert found.subject == f"https://github.com/{reused}@refs/heads/main"
    assert (found.workflow, found.reused_workflow) == ("release.yml", reused)
    assert (found.ref, found.environment) == ("refs/tags/demo@1.0", "pypi")
    assert found.party == f"{GITHUB} github.com/acme/demo"
    found = authenticate(
        signed(
            SAID,
            issuer=GITLAB,
            host="https://gitlab.com",
            repository="acme/tools/demo",
            workflow="ci/release.yml",
            ref="refs/heads/main",
        )
    )
    assert found.subject == "https://gitlab.com/acme/tools/demo//ci/release.yml@refs/heads/main"
    assert (found.repository, found.workflow) == ("acme/tools/demo", "ci/release.yml")
    found = authenticate(signed(SAID, issuer=GOOGLE, subject="alice@acme.example"))
    assert (found.issuer, found.subject) == (GOOGLE, "alice@acme.example")
    assert found.party == f"{GOOGLE} alice@acme.example"
    assert not any((found.host, found.repository, found.workflow, found.ref, found.environment))


@pytest.mark.parametrize("name", ["release.yml@x.yml", "release.yml@refs.yml", "x@release.yml"])
def test_names_of_files_are_not_cut_short(name: str) -> None:
    found = authenticate(signed(SAID, **{**WORKFLOW, "workflow": name}))
    assert found.workflow == name


# --- what is not --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [fault for fault in get_args(Fault) if fault not in {"", "message-signature"}]
)
def test_whatever_is_wrong_with_a_bundle_is_said(fault: Fault) -> None:
    with pytest.raises(SigstoreInvalid) as caught:
        authenticate(signed(SAID, fault=fault, **WORKFLOW))
    assert caught.value.found or caught.value.expected


def test_a_bundle_that_signs_a_file_is_malformed() -> None:
    with pytest.raises(MetadataMalformed):
        read(signed(SAID, fault="message-signature", **WORKFLOW))


@pytest.mark.parametrize("root", [Sigstore("other.example").trusted_root(), None])
def test_another_sigstore_is_not_believed(root: bytes | None) -> None:
    with pytest.raises(SigstoreInvalid):
        authenticator_with(root).authenticate(read(signed(SAID, **WORKFLOW)))


_PATHS: tuple[tuple[str, ...], ...] = (
    ("dsseEnvelope",),
    ("dsseEnvelope", "payload"),
    ("dsseEnvelope", "signatures"),
    ("verificationMaterial",),
    ("verificationMaterial", "certificate"),
    ("verificationMaterial", "tlogEntries"),
)


@pytest.mark.parametrize("path", _PATHS, ids=".".join)
def test_no_part_of_one_bundle_serves_another(path: tuple[str, ...]) -> None:
    mine = json.loads(signed(SAID, **WORKFLOW))
    other = statement(("evil-1.0.tar.gz", b"evil"))
    theirs = json.loads(signed(other, **{**WORKFLOW, "repository": "evil/demo"}))
    here, there = mine, theirs
    for name in path[:-1]:
        here, there = here[name], there[name]
    here[path[-1]] = there[path[-1]]
    with pytest.raises(SigstoreInvalid):
        authenticate(json.dumps(mine).encode())


@pytest.mark.parametrize(
    "name",
    ["canonicalizedBody", "integratedTime", "inclusionPromise", "inclusionProof", "logIndex"],
)
def test_no_part_of_one_entry_serves_another(name: str) -> None:
    mine = json.loads(signed(SAID, **WORKFLOW))
    later = SIGNED + timedelta(minutes=2)
    other = statement(("evil-1.0.tar.gz", b"evil"))
    theirs = json.loads(signed(other, at=later, **WORKFLOW))
    (entry,) = mine["verificationMaterial"]["tlogEntries"]
    (another,) = theirs["verificationMaterial"]["tlogEntries"]
    entry[name] = "7" if name == "logIndex" else another[name]
    with pytest.raises(SigstoreInvalid):
        authenticate(json.dumps(mine).encode())


def test_a_certificate_that_expired_before_it_was_logged_is_worth_nothing() -> None:
    with pytest.raises(SigstoreInvalid, match="does not hold") as caught:
        authenticate(signed(SAID, fault="certificate-expired", **WORKFLOW))
    assert "not valid at" in caught.value.found


def test_certificates_that_come_along_vouch_for_nobody() -> None:
    own = json.loads(signed(SAID, version="0.2", fault="certificate-self-signed", **WORKFLOW))
    chain = own["verificationMaterial"]["x509CertificateChain"]["certificates"]
    (authority,) = json.loads(Sigstore("evil.example").trusted_root())["certificateAuthorities"]
    genuine = json.loads(signed(SAID, version="0.2", **WORKFLOW))
    listed = genuine["verificationMaterial"]["x509CertificateChain"]["certificates"]
    for certificates in (
        chain * 2,
        chain + authority["certChain"]["certificates"],
        chain + listed,
        authority["certChain"]["certificates"] + listed,
    ):
        own["verificationMaterial"]["x509CertificateChain"]["certificates"] = certificates
        with pytest.raises(SigstoreInvalid):
            authenticate(json.dumps(own).encode())
    listed += authority["certChain"]["certificates"]
    assert authenticate(json.dumps(genuine).encode()).repository == "acme/demo"


@pytest.mark.parametrize("part", ["authority", "log", "certificate_log"])
def test_who_did_not_count_at_the_time_vouches_for_nothing(part: str) -> None:
    data = signed(SAID, **WORKFLOW)
    before = rooted(part, (STARTED, SIGNED - timedelta(seconds=1)))
    with pytest.raises(TrustRootExpired):
        authenticate(data, before)
    after = rooted(part, (SIGNED + timedelta(seconds=1), None))
    with pytest.raises(TrustRootNotYetValid):
        authenticate(data, after)
    during = rooted(part, (SIGNED, SIGNED))
    assert authenticate(data, during).repository == "acme/demo"


class Twin(Sigstore):
    """Its authority has the name of another one's, and a key of its own."""

    def _key(self, role: str) -> ec.EllipticCurvePrivateKey:
        return Sigstore("twin.example")._key(role)


def test_an_authority_does_not_count_for_another_of_its_name() -> None:
    root = json.loads(rooted("authority", (STARTED, SIGNED - timedelta(seconds=1))))
    root["certificateAuthorities"] += json.loads(Twin().trusted_root())["certificateAuthorities"]
    with pytest.raises(SigstoreInvalid):
        authenticate(signed(SAID, **WORKFLOW), json.dumps(root).encode())


@pytest.mark.parametrize("part", ["tlogs", "ctlogs", "certificateAuthorities"])
def test_nobody_counts_for_ever(part: str) -> None:
    root = json.loads(TRUSTED)
    (one,) = root[part]
    del one.get("publicKey", one)["validFor"]
    with pytest.raises(SigstoreInvalid, match="trust root cannot be read"):
        authenticate(signed(SAID, **WORKFLOW), json.dumps(root).encode())


def test_a_log_that_is_not_named_is_not_guessed() -> None:
    # The library tries every key that it has where it does not know the id.
    bundle = json.loads(signed(SAID, **WORKFLOW))
    (entry,) = bundle["verificationMaterial"]["tlogEntries"]
    entry["logId"]["keyId"] = base64.b64encode(bytes(32)).decode()
    with pytest.raises(SigstoreInvalid, match="does not name"):
        authenticate(json.dumps(bundle).encode())


def test_without_a_time_that_somebody_vouches_for_nothing_is_believed() -> None:
    for missing in ("inclusionPromise", "integratedTime"):
        bundle = json.loads(signed(SAID, **WORKFLOW))
        del bundle["verificationMaterial"]["tlogEntries"][0][missing]
        with pytest.raises(SigstoreInvalid):
            authenticate(json.dumps(bundle).encode())


@pytest.mark.parametrize(
    "root",
    [
        b"",
        b"{}",
        b"garbage",
        b"[" * 10_000,
        b'{"mediaType": 7}',
        TRUSTED.replace(b'"start"', b'"begin"'),
        TRUSTED.replace(b"2020-01-01T00:00:00Z", b"sometime"),
        TRUSTED.replace(b"trustedroot", b"distrustedroot"),
        TRUSTED.replace(b"PKIX_ECDSA_P256_SHA_256", b"PKIX_UNHEARD_OF"),
        json.dumps({**json.loads(TRUSTED), "tlogs": []}).encode(),
        json.dumps({**json.loads(TRUSTED), "certificateAuthorities": []}).encode(),
        json.dumps({**json.loads(TRUSTED), "ctlogs": []}).encode(),
    ],
)
def test_a_trust_root_that_cannot_be_read_vouches_for_nothing(root: bytes) -> None:
    with pytest.raises(SigstoreInvalid):
        authenticate(signed(SAID, **WORKFLOW), root)


@pytest.mark.parametrize("is_known", [False, True])
def test_what_was_checked_is_what_others_read(is_known: bool) -> None:
    envelope = read(signed({**SAID, "note": is_known}, **WORKFLOW))
    if is_known:
        assert authenticator_with(TRUSTED).authenticate(envelope).repository == "acme/demo"
    other = replace(read(signed(SAID, **WORKFLOW)), sigstore=envelope.sigstore)
    with pytest.raises(SigstoreInvalid, match="another document"):
        authenticator_with(TRUSTED).authenticate(other)


def test_every_refusal_is_an_error_of_its_own() -> None:
    envelope = read(signed(SAID, fault="entry-promise-forged", **WORKFLOW))
    errors: list[EvidenceInvalid] = []
    for place in ("here", "there"):
        with pytest.raises(SigstoreInvalid) as caught:
            authenticator_with(TRUSTED).authenticate(envelope)
        assert caught.value.place == ""
        caught.value.place = place
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert errors[0].found == errors[1].found


# --- whatever comes -----------------------------------------------------------------------------

_HOSTILE: tuple[JsonValue, ...] = (
    None,
    True,
    -1,
    0,
    10**18,
    "",
    "0",
    "9" * 19,
    "-1",
    "\u2014 " * 2000,
    "A" * 4096,
    "AAAA",
    [],
    {},
    [[]],
    {"rawBytes": ""},
    base64.b64encode(bytes(range(256)) * 8).decode(),
)


def leaves(value: JsonValue, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))


_GENUINE = signed(SAID, **WORKFLOW)
_WHERE = [path for path in leaves(json.loads(_GENUINE)) if path]
_WHO = (
    Credential(
        issuer=GITHUB,
        subject="https://github.com/acme/demo/.github/workflows/release.yml@refs/tags/v1.0",
        signed_at=SIGNED,
        host="github.com",
        repository="acme/demo",
        workflow="release.yml",
        ref="refs/tags/v1.0",
    ),
)


def changed(path: tuple[str | int, ...], change: Callable[[JsonValue], JsonValue]) -> bytes:
    bundle = json.loads(_GENUINE)
    here = bundle
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = change(here[path[-1]])
    return json.dumps(bundle).encode()


def outcome(data: bytes) -> Credential | None:
    """Tell who signed; None where it is refused as it should be. Nothing else may come out."""
    try:
        return authenticate(data)
    except (MetadataMalformed, MetadataTooLarge, SigstoreInvalid):
        return None
    except (TrustRootExpired, TrustRootNotYetValid):
        return None


@pytest.mark.parametrize("path", _WHERE, ids=lambda path: ".".join(map(str, path)))
def test_no_value_in_any_place_comes_through(path: tuple[str | int, ...]) -> None:
    for value in _HOSTILE:
        data = changed(path, lambda _, value=value: value)  # type: ignore[misc]
        assert json.loads(data) == json.loads(_GENUINE) or outcome(data) is None


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_WHERE), st.integers(0, 4000), st.integers(1, 255))
def test_a_flipped_bit_is_noticed_or_means_nothing(
    path: tuple[str | int, ...], at: int, flip: int
) -> None:
    def flipped(value: JsonValue) -> JsonValue:
        if not isinstance(value, str) or not value:
            return value
        try:
            raw = bytearray(base64.b64decode(value, validate=True))
        except ValueError:
            raw = bytearray()
        if not raw:
            text = bytearray(value.encode())
            text[at % len(text)] ^= flip & 0x1F
            return text.decode("latin-1")
        raw[at % len(raw)] ^= flip
        return base64.b64encode(raw).decode()

    data = changed(path, flipped)
    found = outcome(data)
    # What is not covered by any signature may differ, and what is read off does not.
    assert found is None or found in _WHO


def test_hostile_text_takes_no_time() -> None:
    path = (
        "verificationMaterial",
        "tlogEntries",
        0,
        "inclusionProof",
        "checkpoint",
        "envelope",
    )
    started = time.process_time()
    for text in (
        "\u2014 " * 16_000,
        "\u2014 a" * 10_000,
        "\n" * 32_000,
        "a\n\n\u2014 " + "b" * 30_000,
    ):
        assert outcome(changed(path, lambda _, text=text: text)) is None  # type: ignore[misc]
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("path", "size"),
    [
        (("verificationMaterial", "certificate", "rawBytes"), DEFAULT.certificate_text),
        (
            ("verificationMaterial", "tlogEntries", 0, "canonicalizedBody"),
            DEFAULT.log_entry_text,
        ),
        (
            ("verificationMaterial", "tlogEntries", 0, "inclusionProof", "rootHash"),
            DEFAULT.text,
        ),
    ],
)
def test_oversized_parts_never_reach_the_library(path: tuple[str | int, ...], size: int) -> None:
    with pytest.raises((MetadataMalformed, MetadataTooLarge), match="too long"):
        read(changed(path, lambda _: "A" * (size + 4)))


def test_what_is_not_known_of_a_bundle_is_left_out() -> None:
    bundle = json.loads(_GENUINE)
    bundle["verificationMaterial"]["publicKey"] = {"hint": "mine"}
    bundle["verificationMaterial"]["tlogEntries"][0]["trusted"] = True
    envelope = read(json.dumps(bundle).encode())
    assert envelope.sigstore == read(_GENUINE).sigstore
    assert authenticator_with(TRUSTED).authenticate(envelope).repository == "acme/demo"


@pytest.mark.parametrize("count", [0, 2])
def test_one_signature_has_one_entry(count: int) -> None:
    bundle = json.loads(_GENUINE)
    material = bundle["verificationMaterial"]
    material["tlogEntries"] *= count
    with pytest.raises(MetadataMalformed):
        read(json.dumps(bundle).encode())
    with pytest.raises(MetadataMalformed):
        read(json.dumps(as_attestation(json.dumps(bundle).encode())).encode())


# --- in the process that verifies ---------------------------------------------------------------

_ALONE = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
def none(*_): raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = none
from pathlib import Path
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import documents_in
from pip_intoto.verifier.authenticating import authenticator_with
root, *paths = sys.argv[1:]
trusted = authenticator_with(Path(root).read_bytes() if root else None)
for path in paths:
    for each in documents_in(Path(path).read_bytes(), origin=path, limits=DEFAULT).documents:
        try:
            found = trusted.authenticate(each.envelope)
        except Exception as error:
            print(type(error).__name__)
        else:
            print(found.repository, found.workflow, found.ref)
"""


def alone(folder: Path, root: str, *paths: Path) -> list[str]:
    """Authenticate in a process as the verifier's is: little memory, no network, no home."""
    result = subprocess.run(
        [sys.executable, "-c", _ALONE, root, *map(str, paths)],
        cwd=ROOT,
        env={**os.environ, "HOME": "/nonexistent/home", "XDG_CACHE_HOME": "/nonexistent/cache"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not list(folder.glob("**/*.sqlite"))
    assert result.stderr == ""
    return result.stdout.splitlines()


def test_nothing_is_printed_and_little_memory_will_do(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(TRUSTED)
    paths = []
    for number, fault in enumerate(get_args(Fault)):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_bytes(signed(SAID, fault=fault, **WORKFLOW))
    said = alone(tmp_path, str(tmp_path / "root.json"), *paths)
    assert said[0] == "acme/demo release.yml refs/tags/v1.0"
    assert set(said[1:]) == {"SigstoreInvalid"}


def test_what_pypi_serves_is_believed_with_the_trust_root_of_the_library(tmp_path: Path) -> None:
    if not INTEROP.is_dir():
        pytest.skip("the attestations of PyPI are not here")
    said = alone(
        tmp_path,
        "",
        *sorted(INTEROP.glob("*.provenance")),
        *sorted(INTEROP.glob("*.attestation")),
    )
    assert sorted(set(said)) == [
        "trailofbits/pypi-attestations release.yml refs/tags/v0.0.19",
        "woodruffw/abi3info release.yml refs/tags/v2024.10.08",
    ]
    assert len(said) >= 5


def test_without_the_library_the_message_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(TRUSTED)
    (tmp_path / "bundle.json").write_bytes(_GENUINE)
    script = "import sys; sys.modules['sigstore'] = None\n" + _ALONE
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "root.json"), str(tmp_path / "bundle.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.split() == ["SigstoreUnavailable"]


def test_the_publisher_that_an_index_claims_is_not_read() -> None:
    bundle = {
        "version": 1,
        "attestation_bundles": [
            {
                "publisher": {"kind": ["anything"], "repository": 7},
                "attestations": [SIGSTORE.attestation(SAID, **WORKFLOW)],
            }
        ],
    }
    (found,) = documents_in(json.dumps(bundle).encode(), origin="x", limits=DEFAULT).documents
    assert authenticator_with(TRUSTED).authenticate(found.envelope).repository == "acme/demo"
