"""Schemas that others publish, as they publish them: kept in the cache, never in the repository."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.integration.interpreters import CACHE
from tests.integration.locking import made_once

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS = 20
_GITHUB = "https://raw.githubusercontent.com/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A file in a repository, at a commit; only this very content counts."""

    repository: str
    commit: str
    path: str
    sha256: str


#: By the technical committee of OASIS.
SARIF = Published(
    repository="oasis-tcs/sarif-spec",
    commit="e0583813964ec43cea53b6b531b402866095ed1f",
    path="sarif-2.1/schema/sarif-schema-2.1.0.json",
    sha256="c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e",
)
#: What Jenkins holds reports against.
JUNIT = Published(
    repository="jenkinsci/xunit-plugin",
    commit="8c515de2804b3fd591a3b0f1ff8908a1b1a41887",
    path="src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd",
    sha256="a1a816f58d1bf95ebabf371994df0b9246dee66ea9572fbec4f9296f1b2c0ff6",
)


def text_of(published: Published) -> str:
    """Give a schema, downloaded once; skip the test when that cannot be done."""

    def download(target: Path) -> None:
        address = f"{published.repository}/{published.commit}/{published.path}"
        try:
            with urllib.request.urlopen(_GITHUB + address, timeout=_SECONDS) as answer:
                target.write_bytes(answer.read())
        except (urllib.error.URLError, TimeoutError) as error:
            pytest.skip(f"{published.repository} cannot be reached: {error}")

    name = published.path.rpartition("/")[2]
    content = made_once(CACHE / "schemas" / name, download).read_bytes()
    assert hashlib.sha256(content).hexdigest() == published.sha256
    return content.decode("utf-8")
