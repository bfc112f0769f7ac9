"""What in-toto 3.1.0 writes is read here, and its signatures verify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from in_toto.models.layout import Inspection, Layout, Step
from in_toto.models.link import Link
from in_toto.models.metadata import Envelope, Metablock
from in_toto.runlib import in_toto_run
from securesystemslib.signer import CryptoSigner, SSlibKey

from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import layout as ours
from pip_intoto.metadata import link as our_link
from pip_intoto.metadata.envelope import parse_envelope, read_payload
from pip_intoto.metadata.keys import PublicKey
from pip_intoto.verification.signatures import Keyring

if TYPE_CHECKING:
    from pathlib import Path

SIGNERS = {
    "ed25519": CryptoSigner.generate_ed25519(),
    "rsa": CryptoSigner.generate_rsa(),
    "ecdsa": CryptoSigner.generate_ecdsa(),
}
DIGEST = {"sha256": "ab" * 32}


def public(signer: CryptoSigner) -> PublicKey:
    key = signer.public_key
    assert isinstance(key, SSlibKey)
    return PublicKey(
        keyid=key.keyid, keytype=key.keytype, scheme=key.scheme, public=key.keyval["public"]
    )


def as_dict(signer: CryptoSigner) -> dict[str, Any]:
    key = signer.public_key
    return {"keyid": key.keyid, **key.to_dict()}


def link() -> Link:
    return Link(
        name="build",
        materials={"src/é.py": DIGEST},
        products={'dist/a "quoted" \\ name': DIGEST, "dist/b": {**DIGEST, "sha512": "cd" * 64}},
        byproducts={"stdout": 'a\n\t"b"\\\x01\x7f', "stderr": "", "return-value": -1},
        command=["make", "all\n"],
        environment={"workdir": "/x"},
    )


def layout() -> Layout:
    step = Step(name="build", threshold=2)
    step.pubkeys = [each.public_key.keyid for each in SIGNERS.values()]
    step.add_material_rule_from_string("MATCH * IN src WITH PRODUCTS IN lib FROM fetch")
    step.add_product_rule_from_string("CREATE dist/*")
    inspection = Inspection(name="unpack")
    inspection.set_run_from_string("python -m zipfile -e x .")
    inspection.add_product_rule_from_string("DISALLOW *")
    return Layout(
        steps=[step],
        inspect=[inspection],
        keys={each.public_key.keyid: as_dict(each) for each in SIGNERS.values()},
        expires="2031-02-03T04:05:06Z",
        readme="An é\n",
    )


@pytest.mark.accepts("C1", "E2", "E5", "E6", "L10")
@pytest.mark.parametrize("kind", ["metablock", "dsse"])
@pytest.mark.parametrize("what", [link, layout])
def test_E2_E5_envelopes_of_the_reference_verify(kind: str, what: Any, tmp_path: Path) -> None:  # noqa: ANN401 - theirs is untyped
    document = what()
    metadata = (
        Metablock(signed=document) if kind == "metablock" else Envelope.from_signable(document)
    )
    for signer in SIGNERS.values():
        metadata.create_signature(signer)
    path = tmp_path / "x.link"
    metadata.dump(str(path))
    envelope = parse_envelope(path.read_bytes(), limits=DEFAULT)
    assert envelope.kind == kind
    assert envelope.notes == ()
    keys = [public(each) for each in SIGNERS.values()]
    stranger = public(CryptoSigner.generate_ed25519())
    signings = Keyring([stranger, *keys]).signings(envelope)
    assert [signing.key for signing in signings] == keys
    if kind == "metablock":
        assert envelope.signed == document.signable_bytes
    parsed = read_payload(envelope, limits=DEFAULT)
    if isinstance(parsed, our_link.Link):
        assert parsed.name == document.name
        assert parsed.command == tuple(document.command)
        assert parsed.materials == document.materials
        assert parsed.products == document.products
        assert parsed.byproducts == document.byproducts
    else:
        assert isinstance(parsed, ours.Layout)
        assert parsed.keys == {key.keyid: key for key in keys}
        assert parsed.readme == document.readme
        assert parsed.expires.strftime("%Y-%m-%dT%H:%M:%SZ") == document.expires
        (step,), (inspection,) = parsed.steps, parsed.inspections
        assert (step.name, step.threshold) == ("build", 2)
        assert step.pubkeys == tuple(document.steps[0].pubkeys)
        for mine, theirs in ((step, document.steps[0]), (inspection, document.inspect[0])):
            for side in ("expected_materials", "expected_products"):
                rules = [list(rule.words) for rule in getattr(mine, side)]
                assert rules == getattr(theirs, side)
        assert inspection.run == tuple(document.inspect[0].run)


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
@pytest.mark.parametrize("use_dsse", [False, True])
def test_links_that_the_reference_records_are_read(
    use_dsse: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.py").write_text("print()\n")
    in_toto_run(
        "build",
        ["demo.py"],
        ["demo.py"],
        ["python", "-c", "print('a\\n')"],
        record_streams=True,
        signer=SIGNERS["ed25519"],
        use_dsse=use_dsse,
    )
    (path,) = tmp_path.glob("build.*.link")
    envelope = parse_envelope(path.read_bytes(), limits=DEFAULT)
    assert Keyring([public(SIGNERS["ed25519"])]).signings(envelope)
    parsed = read_payload(envelope, limits=DEFAULT)
    assert isinstance(parsed, our_link.Link)
    assert parsed.materials == parsed.products
    assert list(parsed.products) == ["demo.py"]
