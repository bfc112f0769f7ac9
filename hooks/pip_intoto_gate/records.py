"""Records of installs: what a project was installed from, and what was decided about it.

A record is a file of the project's own ``.dist-info``, named in pip's RECORD like the others. So it
goes where the project goes (``--target``, ``--prefix``, ``--root``, a build environment), and it
leaves with it: uninstalling, upgrading and rolling back take it along, whoever does that.

It is a note and no evidence: who can write into an environment can write this too. The verdict that
counts is found again, by the digest that is noted here.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

from pip_intoto_gate import VERSION, addresses, limits
from pip_intoto_gate.digests import hash_stream
from pip_intoto_gate.requirements import normalized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto_gate.cases import Case

#: Of the format; it rises only when a meaning changes.
SCHEMA = 1
FILENAME = "pip_intoto.json"
#: Where a record may lie, in a path in comparable form: no wheel brings one.
PLACE = re.compile(r"\.dist-info[\\/]pip_intoto\.json(?:[\\/]|$)")


class Unrecordable(Exception):
    """What pip has installed is not where, or not what, a record could be about."""


def content(case: Case, wheel: str, sha256: str, policy: dict[str, Any]) -> dict[str, Any]:
    """What there is to say about the file ``wheel``, which was decided about as ``case``.

    ``policy`` has the ``sha256`` and the ``mode`` of the policy in force.
    """
    announced, verdict = case.announcement, case.verdict or {}
    record = {
        "schema": SCHEMA,
        "pip-intoto": VERSION,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kind": announced["kind"],
        "filename": announced["filename"],
        "sha256": case.sha256,
        "url": _redacted(announced["url"]),
        "index": _redacted(announced["index"]),
        "requested": announced["requested"],
        "verdict": {part: verdict.get(part) for part in ("status", "reason", "action")},
        "policy": policy,
    }
    if announced["kind"] != "wheel":
        # pip has built a wheel of it, and that is what was installed.
        record["built"] = {"filename": os.path.basename(wheel), "sha256": sha256}
    return record


def leave(name: str, version: str, scheme: Any, record: dict[str, Any]) -> None:
    """Put ``record`` beside what pip has just installed, with the rows of pip's own RECORD.

    ``scheme`` is pip's. Raises :class:`Unrecordable`, OSError and ValueError.
    """
    folder = _dist_info(name, version, scheme)
    own = f"{os.path.basename(folder)}/{FILENAME}"
    listing = os.path.join(folder, "RECORD")
    with open(listing, "rb") as file:
        text = file.read(limits.METADATA_BYTES + 1)
    if len(text) > limits.METADATA_BYTES:
        raise Unrecordable(f"{listing} is longer than {limits.METADATA_BYTES} bytes")
    rows = [
        row
        for row in csv.reader(io.StringIO(text.decode("utf-8"), newline=""))
        if row and row[0] != own
    ]
    files = list(_files(rows, os.path.dirname(folder)))
    version = os.path.basename(folder)[: -len(".dist-info")].partition("-")[2]
    whole = dict(record, name=normalized(name), version=version, files=files)
    data = (json.dumps(whole) + "\n").encode("ascii")
    digest = _encoded(hashlib.sha256(data).digest())
    listed = io.StringIO(newline="")
    csv.writer(listed).writerows([*rows, [own, f"sha256={digest}", str(len(data))]])
    # First into RECORD: a row without a file troubles nobody, but a file without a row would stay
    # behind when the project goes.
    with _beside(listing, data) as written:
        with _beside(listing, listed.getvalue().encode("utf-8")) as relisted:
            os.replace(relisted, listing)
        os.replace(written, os.path.join(folder, FILENAME))


def _files(rows: list[list[str]], root: str) -> Iterator[list[str]]:
    """Path, digest and size of each file that was installed below ``root``."""
    for row in rows:
        path, digest, size = (*row, "", "")[:3]
        whole = os.path.join(root, path)
        if digest:
            yield [path, digest, size]
        elif (
            not path.endswith((".pyc", ".dist-info/RECORD"))
            and not os.path.isabs(path)
            and os.path.normpath(path).split(os.sep, 1)[0] != os.pardir
            and os.path.isfile(whole)
        ):
            # The wheel's own RECORD does not tell; what pip wrote a moment ago does.
            with contextlib.suppress(OSError), open(whole, "rb") as file:
                yield [path, f"sha256={_encoded(bytes.fromhex(hash_stream(file)))}", ""]


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _dist_info(name: str, version: str, scheme: Any) -> str:
    """The folder that pip has written for the project."""
    found: list[str] = []
    for root in dict.fromkeys((scheme.purelib, scheme.platlib)):
        for entry in os.listdir(root) if os.path.isdir(root) else ():
            stem, dash, rest = entry.partition("-")
            if dash and rest.endswith(".dist-info") and normalized(stem) == normalized(name):
                path = os.path.join(str(root), entry)
                if os.path.isdir(path) and not os.path.islink(path):
                    found.append(path)
    if len(found) > 1:
        # `pip install --ignore-installed` leaves the folder of another version where it is.
        found = [path for path in found if path.endswith(f"-{version}.dist-info")]
    if len(set(map(os.path.realpath, found))) != 1:
        raise Unrecordable(f"{len(found)} .dist-info folders could be that of {name} {version}")
    return found[0]


@contextlib.contextmanager
def _beside(path: str, data: bytes) -> Iterator[str]:
    """A file with ``data`` and the mode of ``path``, in the same folder, until it is renamed."""
    written = f"{path}.{os.getpid()}.{hashlib.sha256(data).hexdigest()[:8]}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(written, flags, 0o600), "wb") as file:
            file.write(data)
        os.chmod(written, os.stat(path).st_mode & 0o777)
        yield written
    finally:
        with contextlib.suppress(OSError):
            os.unlink(written)


def _redacted(url: Any) -> str | None:
    """``url`` without what may be secret in it: user, password, query."""
    if not url:
        return None
    try:
        return addresses.without_user(str(url)).partition("#")[0].partition("?")[0]
    except ValueError:
        return None
