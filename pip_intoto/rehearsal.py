"""A stage of its own for ``doctor`` and ``demo``: an index on the loopback interface, and real pips
that see nothing of the user's configuration.

Nothing here leaves the machine, and everything lies in a temporary directory of the caller.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import subprocess
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote

from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

#: What a child keeps of our environment: what programs need to start, and the user's language.
_KEPT = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL")
_FILES = "files"


@dataclass(frozen=True, slots=True)
class Completed:
    """A child process that has ended; ``output`` is all that it said."""

    status: int
    output: str


def run(command: Sequence[str | Path], *, home: Path, **variables: str) -> Completed:
    """Run a child with a home of its own, without a terminal, and without our environment.

    Raises CommandError when it cannot be started or does not end.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment.update(HOME=str(home), USERPROFILE=str(home), APPDATA=str(home / "AppData"))
    environment.update(variables)
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=home,
            env=environment,
            timeout=DEFAULT.rehearsal_seconds,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{words[0]} did not end", found=" ".join(words)) from None
    except OSError as error:
        raise CommandError(f"{words[0]} cannot be run: {error.strerror or error}") from None
    return Completed(done.returncode, done.stdout)


def pip_variables(index: str) -> dict[str, str]:
    """Variables with which a pip asks ``index`` and no configuration, cache or proxy."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INPUT": "1",
        "PIP_RETRIES": "0",
        "PIP_PROGRESS_BAR": "off",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "no_proxy": "*",
    }


# --- the index ------------------------------------------------------------------------------


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder of :func:`publish` on the loopback interface; gives the index's URL."""
    handler = partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def publish(folder: Path, project: str, files: Mapping[str, bytes]) -> None:
    """Put files into the folder of an index, in place of all that ``project`` had there.

    Evidence lies beside the distributions and is not listed, as on any static server.
    """
    store = folder / _FILES / project
    store.mkdir(parents=True, exist_ok=True)
    for path in store.iterdir():
        path.unlink()
    for name, content in files.items():
        (store / name).write_bytes(content)
    links = [
        f'<a href="/{_FILES}/{project}/{quote(name)}">{html.escape(name)}</a><br>'
        for name in files
        if name.endswith((".whl", ".tar.gz"))
    ]
    page = folder / "simple" / project / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("<!DOCTYPE html><title>links</title>\n" + "\n".join(links), encoding="utf-8")


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing; the pips say what went wrong."""


# --- a wheel --------------------------------------------------------------------------------


def write_wheel(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a small pure wheel to ``path``, whose name says what it is of; gives ``path``."""
    name, version = path.name.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    everything = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{member},sha256={_url_safe(content)},{len(content)}\n"
        for member, content in everything.items()
    )
    everything[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in everything.items():
            archive.writestr(member, content)
    return path


def _url_safe(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
