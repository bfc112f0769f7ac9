"""Which addresses of provenance the gate lets through: what it derives, or has read itself."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from fixtures.distributions import wheel
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import MetadataMalformed
from pip_intoto.limits import DEFAULT
from pip_intoto.sources import index, pep740
from pip_intoto.sources.index import read_page
from pip_intoto_gate import addresses, limits, pages
from pip_intoto_gate.cases import Case
from pip_intoto_gate.fetching import Refused
from pip_intoto_gate.gate import Gate

if TYPE_CHECKING:
    from pathlib import Path

NAME = wheel("demo").filename
PAGE = "https://index.example/simple/demo/"
URL = f"https://files.example/{NAME}"
PROVENANCE = "https://index.example/integrity/demo/provenance"


def as_json(*files: object) -> bytes:
    return json.dumps({"files": files}).encode()


def listed(provenance: object = PROVENANCE, name: object = NAME) -> dict[str, object]:
    return {"filename": name, "url": URL, "provenance": provenance}


# --- what is read on a page -----------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        as_json(listed()),
        as_json(listed("/integrity/demo/provenance#x")),
        as_json(listed("/other", "other.whl"), listed()),
        f'<a href="/{NAME}#sha256=0" data-provenance="{PROVENANCE}">x</a>'.encode(),
        f'<base href="https://index.example/integrity/"><a href="{URL}"'
        ' data-provenance="demo/provenance">'.encode(),
        f'<a href="/{NAME}" data-provenance="/integrity/demo/provenance">'.encode(),
        '<base href="https://index.example/"><base href="https://evil.example/">'
        f'<a href="{URL}" data-provenance="integrity/demo/provenance">'.encode(),
        b"<!-- -->" * limits.PAGE_COMMENTS
        + f'<a href="/{NAME}" data-provenance="{PROVENANCE}">'.encode(),
    ],
    ids=range(8),
)
def test_gate_and_verifier_read_the_same_in_a_page(page: bytes) -> None:
    assert pages.provenance_of(NAME, page, PAGE) == {PROVENANCE}
    found = read_page(page, PAGE, PAGE, DEFAULT)
    assert [each.provenance for each in found if each.filename == NAME] == [PROVENANCE]


@pytest.mark.parametrize(
    "page",
    [
        as_json(listed(None)),
        as_json(listed("")),
        as_json(listed(7)),
        as_json(listed(["https://evil.example/"])),
        as_json(listed(name="other.whl")),
        as_json(listed(name=None)),
        as_json("no object"),
        b'{"files": 1}',
        b'{"files": {}}',
        b"{",
        b'{"files": ' + b"[" * 100_000,
        b"",
        b"\xff\xfe\x00",
        f'<a data-provenance="{PROVENANCE}">no address</a>'.encode(),
        f'<a href="/other.whl" data-provenance="{PROVENANCE}">'.encode(),
        f'<link href="/{NAME}" data-provenance="{PROVENANCE}">'.encode(),
        b"<!-- -->" * limits.PAGE_COMMENTS
        + f'<!-- --><a href="/{NAME}" data-provenance="{PROVENANCE}">'.encode(),
        b"<!--" * 200 + f'<a href="/{NAME}" data-provenance="{PROVENANCE}">'.encode(),
        as_json(listed("https://[nonsense")),
        as_json(listed()) + b" " * limits.PAGE_BYTES,
        # What Python's parser has no error for.
        f'<![nonsense[ ]]><a href="/{NAME}" data-provenance="{PROVENANCE}">'.encode(),
        f'<![><a href="/{NAME}" data-provenance="{PROVENANCE}">'.encode(),
    ],
    ids=range(22),
)
def test_a_page_that_names_none_for_this_file_lets_nothing_through(page: bytes) -> None:
    assert pages.provenance_of(NAME, page, PAGE) == set()


@pytest.mark.parametrize("page", [b"<![nonsense[ ]]>", b"<![>", b"<!-- -->" * 101])
def test_the_verifier_has_an_error_for_what_is_no_page(page: bytes) -> None:
    with pytest.raises(MetadataMalformed):
        read_page(page, PAGE, PAGE, DEFAULT)


def test_a_page_is_asked_for_as_the_verifier_asks_for_it() -> None:
    assert pages.ACCEPT == index.ACCEPT
    assert DEFAULT.provenance_page_bytes <= limits.PAGE_BYTES
    assert DEFAULT.page_comments == limits.PAGE_COMMENTS


# --- PyPI -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        "https://pypi.org/simple/demo/",
        "https://pypi.org.example/simple/demo/",
        "http://pypi.org/simple/demo/",
        PAGE,
        "",
        None,
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.0+local", "..", "", "1/2"])
def test_gate_and_verifier_derive_the_same_address_of_pypi(page: str | None, version: str) -> None:
    derived = addresses.integrity_of(page, "demo", version, NAME)
    about = Distribution(name="demo", version=version, filename=NAME, kind=Kind.WHEEL)
    asked = pep740.integrity_address(page or "", about)
    # What the gate would not let through, the verifier may ask for in vain.
    assert derived in {asked, ""}
    assert bool(derived) == (page == "https://pypi.org/simple/demo/" and version.startswith("1.0"))


# --- what the gate allows -------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    settings = SimpleNamespace(verifier=["python", "/nowhere/pip_intoto/verifier/__main__.py"])
    made = Gate(str(tmp_path), SimpleNamespace(settings=settings), {})  # type: ignore[arg-type]
    made._verifier = SimpleNamespace(  # type: ignore[assignment]
        ready=lambda: {"templates": []}, close=lambda: None
    )
    return made


def announce(gate: Gate, *, index: str | None = PAGE, filename: str = NAME, url: str = URL) -> int:
    announcement = {
        "name": "demo",
        "version": "1.0",
        "filename": filename,
        "url": url,
        "index": index,
    }
    gate._cases.append(Case(len(gate._cases) + 1, announcement, "a test"))
    return len(gate._cases)


def refuses(gate: Gate, number: int, url: str) -> bool:
    try:
        gate._evidence_belongs_to(number, url)
    except Refused:
        return True
    return False


@pytest.mark.parametrize("suffix", pep740.SUFFIXES)
def test_attestations_beside_the_file_are_allowed(gate: Gate, suffix: str) -> None:
    number = announce(gate, url=URL + "?token=secret")
    assert not refuses(gate, number, URL + suffix)
    assert not refuses(gate, number, f"{URL}{suffix}?token=secret")
    for other in ("x" + suffix, suffix + ".x", suffix + "?token=other", "/.." + suffix):
        assert refuses(gate, number, URL + other)


def test_the_page_that_listed_the_file_is_allowed_and_no_other(gate: Gate) -> None:
    number = announce(gate)
    errand = gate._evidence_belongs_to(number, PAGE)
    assert errand.accept == pages.ACCEPT
    for other in ("https://index.example/simple/", PAGE + "x", PAGE + "?q", PAGE.upper(), ""):
        assert refuses(gate, number, other)
    without = announce(gate, index=None)
    assert refuses(gate, without, PAGE)
    assert refuses(gate, without, "None")


def test_provenance_is_allowed_once_the_gate_has_read_of_it_for_this_very_file(gate: Gate) -> None:
    first, second = announce(gate), announce(gate, filename="demo-2.0-py3-none-any.whl")
    assert refuses(gate, first, PROVENANCE)
    look = gate._evidence_belongs_to(first, PAGE).look
    assert look is not None
    look(PAGE, as_json(listed(), listed("/for-another", "other.whl")))
    errand = gate._evidence_belongs_to(first, PROVENANCE)
    assert errand.beside == URL
    assert refuses(gate, first, PROVENANCE + "/more")
    assert refuses(gate, first, "https://index.example/for-another")
    # What was read for one file lets nothing through for another.
    assert refuses(gate, second, PROVENANCE)


def test_of_pypi_the_integrity_api_of_exactly_this_file_is_allowed(gate: Gate) -> None:
    number = announce(gate, index="https://pypi.org/simple/demo/")
    assert not refuses(gate, number, f"https://pypi.org/integrity/demo/1.0/{NAME}/provenance")
    for other in ("demo/1.1", "other/1.0", "demo/1.0/.."):
        assert refuses(gate, number, f"https://pypi.org/integrity/{other}/{NAME}/provenance")
    elsewhere = announce(gate)
    assert refuses(gate, elsewhere, f"https://pypi.org/integrity/demo/1.0/{NAME}/provenance")
