"""Carrying out a step, and reporting it in a link that is signed.

In one go (`run`), or begun and finished in two (`record`), as the commands of in-toto do it: what
one of them begins, the other can finish.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeAlias

from pip_intoto import files
from pip_intoto.errors import CommandError
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring, documents
from pip_intoto.maintainer.progress import SILENT
from pip_intoto.maintainer.steps.execution import execute
from pip_intoto.maintainer.steps.listing import Selection
from pip_intoto.maintainer.steps.recording import digests_of
from pip_intoto.metadata.names import LINK_SUFFIX, check_step_name, link_filename
from pip_intoto.metadata.node import Node, shown
from pip_intoto.verification.signatures import Keyring
from pip_intoto.verification.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.maintainer.authoring import Envelope, JsonObject
    from pip_intoto.maintainer.keys.signing import Signer
    from pip_intoto.maintainer.progress import Progress
    from pip_intoto.maintainer.steps.execution import Outcome
    from pip_intoto.maintainer.steps.listing import Listing
    from pip_intoto.metadata.link import Link
    from pip_intoto.metadata.strict_json import JsonValue

#: Nanoseconds that a file's time may lie behind the clock that programs ask.
_CLOCKS_DIFFER = 100_000_000

Recorded: TypeAlias = "dict[str, dict[str, str]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a step: the link, where it lies, and how the command ended, if there was one.

    ``path`` is None when the command failed, and no link was written. ``older`` are products that
    were there before the command was run, beside others that it made, and that it did not touch.
    """

    path: Path | None
    materials: int
    products: int
    size: int = 0
    outcome: Outcome | None = None
    older: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Functionary:
    """Who carries out the step ``name``, and how its files are found.

    ``noticed`` is called with "materials" or "products", and what was found of them, before they
    are hashed.
    """

    name: str
    signer: Signer
    selection: Selection = field(default_factory=Selection)
    noticed: Callable[[str, Listing], None] = lambda _side, _listing: None
    progress: Progress = SILENT
    limits: Limits = LOCAL

    def __post_init__(self) -> None:
        check_step_name(Node(self.name, "--step-name"))
        _check_words([self.name])

    def carry_out(
        self,
        command: Sequence[str],
        *,
        materials: Iterable[str],
        products: Iterable[str],
        directory: Path,
        form: Envelope,
        keep_streams: bool = False,
        seconds: float | None = None,
        even_failed: bool = False,
    ) -> Report:
        """Record, run ``command`` (nothing, if it is empty), record, and write the link.

        When the command fails, there is no link, unless ``even_failed``. Raises CommandError.
        """
        _check_words(command)
        path = _prepared(directory) / link_filename(self.name, self.signer.keyid)
        before = self._recorded("materials", self.selection.find(materials))
        started = time.time_ns()
        outcome = None
        if command:
            outcome = execute(
                command, keep_streams=keep_streams, seconds=seconds, limits=self.limits
            )
            if outcome.status != 0 and not even_failed:
                return Report(path=None, materials=len(before), products=0, outcome=outcome)
        made = self.selection.find(products)
        link = authoring.link(
            self.name,
            materials=before,
            products=self._recorded("products", made),
            command=command,
            byproducts=_byproducts(outcome),
        )
        report = self._write(link, path, form, outcome)
        return replace(report, older=_older(made.files, before, started) if command else ())

    def begin(self, *, materials: Iterable[str], directory: Path, form: Envelope) -> Report:
        """Record what the step uses, and keep it in ``directory`` until :meth:`finish`.

        Takes the place of what was begun before. Raises CommandError.
        """
        link = authoring.link(
            self.name, materials=self._recorded("materials", self.selection.find(materials))
        )
        return self._write(link, directory / self._unfinished(self.signer.keyid), form, None)

    def finish(self, *, products: Iterable[str], begun_in: Path, directory: Path) -> Report:
        """Add what the step made to what :meth:`begin` kept, and write the link.

        What was begun must be signed by the same key. Raises CommandError, and what
        :func:`pip_intoto.maintainer.documents.read` raises.
        """
        path = _prepared(directory) / link_filename(self.name, self.signer.keyid)
        unfinished, form, begun = self._begun(begun_in)
        link = authoring.link(
            self.name,
            materials=begun.materials,
            products=self._recorded("products", self.selection.find(products)),
            command=begun.command,
            byproducts=_opaque(begun.byproducts),
            environment=_opaque(begun.environment),
        )
        report = self._write(link, path, form, None)
        try:
            unfinished.unlink()
        except OSError as error:
            raise CommandError(
                f"{path} is written, but {unfinished} cannot be removed",
                found=str(error.strerror or error),
                advice="Remove it, or the next `record stop` would finish it again.",
            ) from None
        return report

    def _write(
        self, link: JsonObject, path: Path, form: Envelope, outcome: Outcome | None
    ) -> Report:
        content = _written(authoring.sign(link, [self.signer], form))
        files.replace(path, content)
        return Report(
            path=path,
            materials=_count(link["materials"]),
            products=_count(link["products"]),
            size=len(content),
            outcome=outcome,
        )

    def _recorded(self, side: str, listing: Listing) -> Recorded:
        self.noticed(side, listing)
        return digests_of(listing.files, label=f"recording {side}", progress=self.progress)

    # --- what was begun ---------------------------------------------------------------------

    def _unfinished(self, keyid: str) -> str:
        return f".{link_filename(self.name, keyid)}-unfinished"

    def _begun(self, directory: Path) -> tuple[Path, Envelope, Link]:
        """What was begun with this key: its file, envelope and content."""
        path = directory / self._unfinished(self.signer.keyid)
        if not os.path.lexists(path):
            raise CommandError(
                f"there is nothing to finish: {path} does not exist",
                expected="a step that was begun here, with the same key",
                found=", ".join(self._begun_by_others(directory)),
                advice="`pip-intoto record start` begins a step, in the same directory.",
            )
        document, link = documents.load_link(path, limits=self.limits)
        # What it says goes into a link under our name: nobody else may have written it.
        keyring = Keyring([self.signer.public_key], now=datetime.now(timezone.utc))
        if not keyring.signings(document.envelope):
            raise CommandError(
                f"{path} is not signed by this key, or was changed since",
                expected=f"a signature by {self.signer.keyid}",
                advice="Begin the step again: what it used is no longer known for certain.",
            )
        # N4: a signed report of one step must not stand in for another.
        if link.name != self.name:
            raise CommandError(
                f"{path} is about another step", expected=shown(self.name), found=shown(link.name)
            )
        if link.products:
            # Links lie beside every release, signed by this key: one of them in this place would
            # lend its materials to the products of today.
            raise CommandError(
                f"{path} is of a step that was finished",
                expected="what `record start` leaves, which has no products yet",
                found=counted(len(link.products), "product"),
                advice="Begin the step again: what it used is no longer known for certain.",
            )
        return path, document.form, link

    def _begun_by_others(self, directory: Path) -> list[str]:
        begin, _, end = self._unfinished("").rpartition(LINK_SUFFIX)
        return sorted(
            shown(path.name)
            for path in directory.iterdir()
            if path.name.startswith(begin) and path.name.endswith(LINK_SUFFIX + end)
        )


def _older(made: Mapping[str, str], before: Collection[str], started: int) -> tuple[str, ...]:
    """Which of the files ``made``, name → path, are left from earlier beside new ones.

    A whole folder that is old is what the command was about; an old wheel beside a new one is
    what somebody forgot, or planted.
    """
    changed: dict[str, list[tuple[str, bool]]] = {}
    for name, path in made.items():
        if name not in before:
            with suppress(OSError):
                # When the system noted it, which nobody can set back as they can st_mtime.
                is_old = os.stat(path).st_ctime_ns < started - _CLOCKS_DIFFER
                changed.setdefault(os.path.dirname(path), []).append((name, is_old))
    return tuple(
        name
        for files_there in changed.values()
        if not all(is_old for _, is_old in files_there)
        for name, is_old in files_there
        if is_old
    )


def _written(content: JsonObject) -> bytes:
    """The document as its file has it: one line for each artifact, for those who compare links."""
    link = content.get("signed")
    if not isinstance(link, dict):
        return authoring.written(content)
    members = ",\n".join(f'  "{name}": {_member(value)}' for name, value in link.items())
    signatures = json.dumps(content["signatures"])
    return f'{{\n "signed": {{\n{members}\n }},\n "signatures": {signatures}\n}}\n'.encode("ascii")


def _member(value: JsonValue) -> str:
    text = json.dumps(value)
    if not isinstance(value, dict) or not value:
        return text
    # With an indentation, the standard library leaves its fast path, and links may be large. In
    # JSON no text has a quote without a backslash in front: this ends a member, whatever it holds.
    inside = text[1:-1].replace('}, "', '},\n   "')
    return f"{{\n   {inside}\n  }}"


def _count(artifacts: JsonValue) -> int:
    return len(artifacts) if isinstance(artifacts, dict) else 0


def _opaque(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _check_words(words: Iterable[str]) -> None:
    """Refuse what no link can hold, before anything is done that a link should report."""
    for word in words:
        try:
            word.encode("utf-8")
        except UnicodeEncodeError:
            raise CommandError(
                "no link can hold the name of the step, or a word of the command",
                expected="text in UTF-8",
                found=shown(word),
            ) from None


def _byproducts(outcome: Outcome | None) -> JsonObject:
    if outcome is None:
        return {}
    return {
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
        "return-value": outcome.status,
    }


def _prepared(directory: Path) -> Path:
    """The directory, which is made if need be: who waited for a command wants its link."""
    files.make_folder(directory)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise CommandError(f"{directory} is read-only", expected="a directory for the link")
    return directory
