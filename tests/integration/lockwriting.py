"""Locks of what lies on an index of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixtures.distributions import Built
    from tests.integration.loopback import Index

_HEAD = 'lock-version = "1.0"\ncreated-by = "tests"\n'


def pylock(index: Index, *files: Built) -> str:
    """Give a ``pylock.toml`` that pins these wheels: the first on line 8, and so on every sixth."""
    packages = (
        f'\n[[packages]]\nname = "{file.name}"\nversion = "{file.version}"\n'
        f'index = "{index.simple}"\nwheels = [{{ url = "{index.url(file)}",'
        f' size = {len(file.data)}, hashes = {{ sha256 = "{file.sha256}" }} }}]\n'
        for file in files
    )
    return _HEAD + "".join(packages)
