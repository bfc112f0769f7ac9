"""Signed documents on disk: read as they are, shown checked, changed only in their signatures.

What was signed is never written anew by reading it: a document keeps its envelope, its members
and their order, so that other people's signatures stay good.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import (
    CommandError,
    EvidenceInvalid,
    LayoutFeatureUnsupported,
    MetadataMalformed,
    MetadataTooLarge,
)
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.bundle import documents_in
from pip_intoto.metadata.envelope import read_envelope, read_evidence
from pip_intoto.metadata.layout import Layout, parse_layout
from pip_intoto.metadata.link import Link
from pip_intoto.metadata.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import Signer
    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.statement import Statement
    from pip_intoto.metadata.strict_json import JsonValue


#: The errors' own advice is for those who install what others have made.
_ADVICE: Mapping[type[EvidenceInvalid], str] = {
    MetadataMalformed: "Make it again: `pip-intoto layout build` makes layouts, `pip-intoto run`"
    " makes links.",
    MetadataTooLarge: "Make it smaller; the limits are in the reference documentation.",
    LayoutFeatureUnsupported: "Upgrade pip-intoto, or make a layout without the feature.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A layout, link or statement in its envelope; nothing is said about its signatures.

    ``content`` is the JSON object as it stands in the file, ``envelope`` and ``payload`` are the
    same, checked.
    """

    content: JsonObject
    envelope: Envelope
    payload: Layout | Link | Statement

    @property
    def form(self) -> authoring.Envelope:
        """Metablock or DSSE."""
        return authoring.Envelope(self.envelope.kind)

    @property
    def keyids(self) -> tuple[str, ...]:
        """Whose signatures it has, allegedly."""
        return tuple(signature.keyid for signature in self.envelope.signatures)

    def signed_by(self, signers: Iterable[Signer], *, keep: bool) -> SignedDocument:
        """The same document with new signatures; ``keep`` adds them to those that it has.

        A signature under the keyid of a new one is replaced. Raises CommandError when a key
        cannot sign, and for what Sigstore vouches for.
        """
        if self.envelope.sigstore:
            raise CommandError(
                "whoever signed this has no key, and no key can sign it besides",
                expected="a layout, a link or a statement in an envelope of its own",
                found="an attestation that Sigstore vouches for",
            )
        made = [authoring.signature(self.envelope.signed, key, self.form) for key in signers]
        keyids = {signature["keyid"] for signature in made}
        present = Node(self.content).member("signatures").sequence() if keep else []
        kept = [each for each in present if not _is_under(each, keyids)]
        return of({**self.content, "signatures": [*kept, *made]})

    def to_bytes(self) -> bytes:
        """The document as a file has it."""
        return authoring.written(self.content)

    def write(self, path: Path) -> None:
        """Write it in one step, in the place of what is there. Raises CommandError."""
        files.replace(path, self.to_bytes())


def of(content: JsonObject, *, limits: Limits = LOCAL) -> SignedDocument:
    """Check what was made here, as everything that is read. Raises as :func:`read` does."""
    return read(json.dumps(content).encode("ascii"), limits=limits)


def read(data: bytes, *, limits: Limits = LOCAL) -> SignedDocument:
    """Read a document, signed or not yet; an attestation that Sigstore vouches for is one.

    Raises MetadataMalformed, MetadataTooLarge or LayoutFeatureUnsupported, and CommandError where
    there are several.
    """
    content = Node(strict_json.parse(data, limits=limits))
    try:
        sha256 = hashlib.sha256(data).hexdigest()
        envelope = read_envelope(content, sha256=sha256, limits=limits)
    except MetadataMalformed:
        envelopes = vouched_for(data, limits=limits)
        if not envelopes:
            raise
        if len(envelopes) > 1:
            raise CommandError(
                "there is more than one attestation",
                expected="one document",
                found=f"{len(envelopes)} attestations",
            ) from None
        envelope = envelopes[0]
    return SignedDocument(
        content=content.mapping(), envelope=envelope, payload=read_evidence(envelope, limits=limits)
    )


def vouched_for(data: bytes, *, limits: Limits = LOCAL) -> tuple[Envelope, ...]:
    """The attestations in ``data`` that Sigstore vouches for: a bundle of its own, or PEP 740's.

    Raises MetadataMalformed and MetadataTooLarge.
    """
    found = documents_in(data, origin="", limits=limits).documents
    return tuple(each.envelope for each in found if each.envelope.sigstore)


def load(path: Path, *, limits: Limits = LOCAL) -> SignedDocument:
    """Read the document in a file.

    Raises CommandError for a file that cannot be read, and what :func:`read` raises, with the
    file's name before the place.
    """
    data = files.read(path, limits.document_bytes)
    with of_ours(str(path)):
        return read(data, limits=limits)


@contextmanager
def of_ours(origin: str) -> Iterator[None]:
    """Add to what is wrong with a document where it is from, and advice for whoever made it."""
    try:
        yield
    except EvidenceInvalid as error:
        error.place = f"{origin}: {error.place}" if error.place else origin
        if error.advice == type(error).advice:
            found = (text for kind, text in _ADVICE.items() if isinstance(error, kind))
            error.advice = next(found, error.advice)
        raise


def load_layout(path: Path, *, limits: Limits = LOCAL) -> tuple[SignedDocument, Layout]:
    """Read the layout in a file. Raises as :func:`load`, and CommandError for a link."""
    document = load(path, limits=limits)
    if not isinstance(document.payload, Layout):
        kind = "link" if isinstance(document.payload, Link) else "statement"
        raise CommandError(f"{path} is a {kind}", expected="a layout")
    return document, document.payload


def read_layout(path: Path, *, limits: Limits = LOCAL) -> tuple[authoring.Envelope | None, Layout]:
    """Read the layout in a file, which may stand in no envelope, and the form of the envelope.

    Those who install may hold layouts that nobody has signed. Raises as :func:`load_layout`.
    """
    data = files.read(path, limits.document_bytes)
    with of_ours(str(path)):
        content = Node(strict_json.parse(data, limits=limits))
        is_bare = isinstance(content.value, dict) and content.value.get("_type") == "layout"
        if is_bare:
            return None, parse_layout(content, limits)
    document, layout = load_layout(path, limits=limits)
    return document.form, layout


def load_link(path: Path, *, limits: Limits = LOCAL) -> tuple[SignedDocument, Link]:
    """Read the link in a file. Raises as :func:`load`, and CommandError for a layout."""
    document = load(path, limits=limits)
    if not isinstance(document.payload, Link):
        kind = "layout" if isinstance(document.payload, Layout) else "statement"
        raise CommandError(f"{path} is a {kind}", expected="a link")
    return document, document.payload


def _is_under(signature: JsonValue, keyids: Iterable[JsonValue]) -> bool:
    return isinstance(signature, dict) and signature.get("keyid") in keyids
