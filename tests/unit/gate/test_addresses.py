"""Which server an address belongs to: whom credentials may be sent to."""

from __future__ import annotations

import pytest

from pip_intoto_gate.addresses import origin


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://User:Secret@Host.example/a?b") == ("https", "host.example", 443)
    assert origin("http://host.example:8080") == ("http", "host.example", 8080)


def test_an_address_that_tools_cut_at_different_places_has_none() -> None:
    # The standard library would ask good.example, requests asks evil.example.
    with pytest.raises(ValueError, match="backslash"):
        origin("https://evil.example\\@good.example/")
