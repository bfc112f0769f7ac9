"""Connections that can be shut in time (:mod:`pip_intoto.sources.deadlines`)."""

# ruff: noqa: FBT001, FBT002 - the signatures are those of the classes below these

from __future__ import annotations

from typing import TYPE_CHECKING

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pip_intoto.sources.addresses import split
from pip_intoto.sources.deadlines import use

if TYPE_CHECKING:
    from typing import Any

    from urllib3 import PoolManager


class _Plain(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        use(self.sock)

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        use(self.sock)
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _Secure(_Plain, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class Adapter(HTTPAdapter):
    """Makes such connections, to servers and to proxies."""

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **options: object
    ) -> None:
        """Make those that lead to servers."""
        super().init_poolmanager(connections, maxsize, block, **options)
        _prepare(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: object) -> PoolManager:
        """Make those that lead to a proxy."""
        manager: PoolManager = super().proxy_manager_for(proxy, **options)
        # One of a SOCKS proxy has connections of its own kind.
        if manager.pool_classes_by_scheme["http"] is HTTPConnectionPool:
            _prepare(manager)
        return manager


class Connections(Session):
    """Keeps such connections, for requests that differ in nothing but their addresses."""

    def __init__(self) -> None:
        super().__init__()
        #: What the environment says of an origin: its proxies, and who vouches for it.
        self._settings: dict[tuple[str, str, str], Any] = {}
        for scheme in ("http://", "https://"):
            self.mount(scheme, Adapter())

    def merge_environment_settings(self, url: Any, *given: Any) -> Any:  # noqa: ANN401
        """Ask the environment once for each origin: it takes longer than the rest of a request."""
        origin = split(url).origin
        if origin not in self._settings:
            self._settings[origin] = super().merge_environment_settings(url, *given)
        return self._settings[origin].copy()


def _prepare(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
