from __future__ import annotations

import pytest

from pip_intoto.sources.addresses import is_web, printable, redacted, split, within


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a%20b.whl", "https://host/a%20b.whl"),
        ("https://user:secret@host:8443/a.whl", "https://host:8443/a.whl"),
        ("https://host/a.whl?X-Signature=secret#sha256=aa", "https://host/a.whl?…"),
        ("https://token@host", "https://host"),
        ("https://a@b@host/a", "https://host/a"),
        ("https://user:se?cret@host/a", "https://user:se?…"),
        ("/home/me/a.whl", "/home/me/a.whl"),
        ("file:///tmp/a.whl?x=secret", "file:///tmp/a.whl?…"),
        ("user:secret@host/simple/", "host/simple/"),
        ("https://user:se/cret@host/simple/", "https://host/simple/"),
        ("https://host/@scope/a.whl", "https://host/@scope/a.whl"),
        ("https://host:8443/@scope/a.whl", "https://host:8443/@scope/a.whl"),
        ("https://[::1]/@scope/a.whl", "https://[::1]/@scope/a.whl"),
        ("https://host/\x1b[31ma\u202e", "https://host/\\x1b[31ma\\u202e"),
    ],
)
def test_no_secret_is_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_what_is_shown_is_bounded() -> None:
    assert printable("a" * 20, 10) == "a" * 9 + "…"
    assert printable("zwei\nzeilen") == "zwei\\nzeilen"


def test_a_url_is_cut_and_never_rewritten() -> None:
    address = split("HTTPS://User@Example.COM.:443/a%2Fb;v=1?q#fragment")
    assert address.origin == ("https", "example.com", "443")
    assert address.path == "/a%2Fb;v=1"
    assert address.query == "q"
    assert address.userinfo == "User"
    assert split("https://host/").origin == split("https://host:443/x").origin
    assert split("https://[::1]:8080/").host == "[::1]"
    assert split("https://[::1]/").port == "443"
    assert split("a/relative/path").scheme == ""


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("https://pypi.acme.example/simple/demo/", True),
        ("https://pypi.acme.example:443/simple", True),
        ("https://user@pypi.acme.example/simple/demo/", True),
        ("https://pypi.acme.example/simple-evil/demo/", False),
        ("https://pypi.acme.example/simple/../evil/demo/", False),
        ("https://pypi.acme.example/simple/%2e%2E/evil/", False),
        ("https://pypi.acme.example/", False),
        ("http://pypi.acme.example/simple/demo/", False),
        ("https://pypi.acme.example:8443/simple/demo/", False),
        ("https://pypi.acme.example.evil.example/simple/demo/", False),
        ("https://pypi.acme.example/simple/..%2Fother/", False),
        ("https://pypi.acme.example/simple/a%2f..%2F..%2Fother/", False),
        ("https://pypi.acme.example/simple/%2e%2E%5cother/", False),
        ("https://pypi.acme.example/simple/..\\other/", False),
        ("https://pypi.acme.example/simple/a%2Fb/", True),
    ],
)
def test_an_index_is_scheme_host_port_and_whole_path_segments(url: str, *, inside: bool) -> None:
    assert within(url, "https://pypi.acme.example/simple/") is inside


def test_only_http_and_https_are_fetched() -> None:
    assert is_web("https://host/a")
    assert not any(map(is_web, ["file:///a", "ftp://host/a", "https:///a", "data:,a", "a"]))
