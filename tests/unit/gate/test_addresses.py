"""Which server an address belongs to: whom credentials may be sent to."""

from __future__ import annotations

import pytest

from pip_intoto_gate.addresses import fits_any, origin


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://User:Secret@Host.example/a?b") == ("https", "host.example", 443)
    assert origin("http://host.example:8080") == ("http", "host.example", 8080)


def test_an_address_that_tools_cut_at_different_places_has_none() -> None:
    # The standard library would ask good.example, requests asks evil.example.
    with pytest.raises(ValueError, match="backslash"):
        origin("https://evil.example\\@good.example/")


def test_what_a_template_allows_stays_below_what_it_fixes() -> None:
    templates = ("https://host.example/evidence/{project}?v={version}", "https://other.example/one")
    for path in ("demo", "a/b/demo?v=1.0", "demo?v=../1.0", "..demo", "%2B%2e"):
        assert fits_any(templates, f"https://host.example/evidence/{path}")
    # requests decodes dots, servers decode slashes.
    for path in ("../x", "a/../../x", "%2e%2E/x", ".%2e/x", "..%2fx", "..%5Cx", "..\\x", "./x"):
        assert not fits_any(templates, f"https://host.example/evidence/{path}"), path
    assert fits_any(templates, "https://other.example/one")
    assert not fits_any(templates, "https://other.example/one/two")
