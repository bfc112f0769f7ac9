"""One case before both sides. Each says what it raised, or None when the chain holds."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import in_toto.models.layout
import in_toto.verifylib
from in_toto.models.metadata import Metadata

from pip_intoto.artifacts.inspector import DirectoryInspector
from pip_intoto.errors import EvidenceError, EvidenceInvalid
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.bundle import Document
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.keys import PublicKey
from pip_intoto.verification.chain import verify
from pip_intoto.verification.trust import Owner, Trust
from tests.conformance.differential.papers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.differential.papers import Case

#: For both sides, the time is this.
NOW = dt.datetime(2026, 11, 21, 12, 0, 0, tzinfo=dt.timezone.utc)


def here(case: Case, work: Path) -> EvidenceError | None:
    """Judge with this engine; nothing but its own errors may come out of it."""
    documents = []
    for name, data in case.files.items():
        # What is no envelope at all is skipped, as in a folder of evidence.
        with contextlib.suppress(EvidenceInvalid):
            envelope = parse_envelope(data, limits=DEFAULT)
            documents.append(Document(envelope=envelope, origin=name, hint=name))
    owners = tuple(
        Owner(
            PublicKey(keyid=key.keyid, keytype=key.keytype, scheme=key.scheme, public=key.public),
            f"owner {number}",
        )
        for number, key in enumerate(case.owners)
    )
    trust = Trust(owners=owners, threshold=len(owners), parameters=case.parameters)
    try:
        verify(documents, trust, None, DirectoryInspector(work), now=NOW)
    except EvidenceError as error:
        return error
    return None


def there(case: Case, links: Path, work: Path) -> Exception | None:
    """Judge with the reference, which reads files and looks at the working directory."""
    try:
        with _reference_at(work):
            in_toto.verifylib.in_toto_verify(
                Metadata.load(str(links / ROOT)),
                {key.keyid: dict(key.listed()) for key in case.owners},
                link_dir_path=str(links),
                substitution_parameters=dict(case.parameters) or None,
                persist_inspection_links=False,
            )
    except Exception as error:  # noqa: BLE001 - whatever it says is its answer
        return error
    return None


def judge(case: Case) -> tuple[Exception | None, EvidenceError | None]:
    """Return what the reference says, and what this engine says."""
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        # Deep enough for names that lead out of it.
        links, work = Path(folder, "evidence", "links"), Path(folder, "work")
        for below, files in ((links, case.files), (work, case.work)):
            below.mkdir(parents=True)
            for name, data in files.items():
                path = below / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        # The reference may leave files of its own in the working directory.
        ours = here(case, work)
        return there(case, links, work), ours


def reference_reads(data: bytes) -> bool:
    """Tell whether the reference can load one document, whoever signed it."""
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        path = Path(folder, "document")
        path.write_bytes(data)
        try:
            with _reference_at(Path(folder)):
                Metadata.load(str(path)).get_payload()
        except Exception:  # noqa: BLE001 - it raises whatever comes its way
            return False
    return True


@contextlib.contextmanager
def _reference_at(work: Path) -> Iterator[None]:
    """Keep what the reference changes and reads of this process to itself."""

    class Stopped(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Stopped:
            return cls.fromtimestamp(NOW.timestamp(), tz)

        @classmethod
        def today(cls) -> Stopped:
            return cls.now()

    modules = in_toto.verifylib, in_toto.models.layout
    clocks = [module.datetime for module in modules]
    before = Path.cwd()
    os.chdir(work)
    logging.disable(logging.CRITICAL)
    in_toto.verifylib.datetime = SimpleNamespace(datetime=Stopped)
    in_toto.models.layout.datetime = Stopped
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.chdir(before)
        logging.disable(logging.NOTSET)
        for module, original in zip(modules, clocks, strict=True):
            module.datetime = original
        in_toto.verifylib.RULE_TRACE.clear()
