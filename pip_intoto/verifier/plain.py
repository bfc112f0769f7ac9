"""Plain in-toto verification: a layout, keys and a directory of links, without any policy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.artifacts.hashing import sha256_file
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.errors import (
    CommandError,
    EvidenceError,
    EvidenceInvalid,
    EvidenceMissing,
    InspectionNotAllowed,
    LayoutSignatureMissing,
)
from pip_intoto.limits import LOCAL
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.bundle import Document, documents_in
from pip_intoto.metadata.envelope import parse_envelope
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.metadata.node import Node
from pip_intoto.sources.fetching import drive, offline
from pip_intoto.sources.local import LocalDirectory
from pip_intoto.verdict import Action, Outcome, Status, TraceEntry, Verdict
from pip_intoto.verification import chain
from pip_intoto.verification.binding import Subject
from pip_intoto.verification.trust import Trust
from pip_intoto.verifier import key_files
from pip_intoto.verifier.inspecting import inspector_for
from pip_intoto.verifier.naming import kind_of, normalized, parse_filename
from pip_intoto.verifier.presenting import presentable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Inspection
    from pip_intoto.sources.finding import Finding
    from pip_intoto.verification.inspections import Inspector
    from pip_intoto.verification.record import Record
    from pip_intoto.verification.trust import Authenticator

#: What to do where there is no policy that could be changed, or have other keys.
_ADVICE = {
    InspectionNotAllowed.code: "If you trust the command, --run-inspections runs it.",
    LayoutSignatureMissing.code: "Ask the project's owner which keys are current.",
}


#: What files with statements are called: `<step>.json` and the like, and those of PEP 740.
_STATEMENTS = frozenset({".json", ".sigstore", ".attestation", ".provenance"})
#: Members that one of them has, and other JSON that lies about hardly ever.
_TRACES = (b"payloadType", b"verificationMaterial", b"verification_material")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """What plain verification goes by, read and checked."""

    layout: Document
    links: Finding
    statements: tuple[Document, ...]
    trust: Trust
    limits: Limits


def prepare(
    *,
    layout: Path,
    keys: Sequence[Path],
    openpgp: Sequence[PublicKey] = (),
    link_dir: Path,
    parameters: Path | None = None,
    run_inspections: bool = False,
    limits: Limits = LOCAL,
) -> Plain:
    """Read what the command line names.

    L9: every one of ``keys`` and ``openpgp`` must have signed the layout. Raises CommandError for
    files that cannot be read, and MetadataMalformed or MetadataTooLarge for a layout that is none.
    """
    if not keys and not openpgp:
        raise CommandError(
            "no layout key is given", expected="--layout-key FILE, or --gpg FINGERPRINT"
        )
    envelope = parse_envelope(files.read(layout, limits.document_bytes), limits=limits)
    owners = key_files.owners(keys, openpgp)
    if not link_dir.is_dir():
        raise CommandError(
            f"{link_dir} is not a directory", expected="--link-dir with the links of the steps"
        )
    statements = _statements(link_dir, limits)
    return Plain(
        layout=Document(envelope=envelope, origin=str(layout), hint=ROOT_LAYOUT),
        statements=statements,
        links=drive(LocalDirectory(link_dir, limits).find(), offline),
        trust=Trust(
            owners=owners,
            threshold=len(owners),
            # A sublayout among the links may be signed by an owner too: it is not the layout.
            layout_sha256=(envelope.sha256,),
            parameters={} if parameters is None else _parameters(parameters, limits),
            run_all_inspections=run_inspections,
            authenticator=_authenticator(statements),
        ),
        limits=limits,
    )


def _statements(folder: Path, limits: Limits) -> tuple[Document, ...]:
    """The statements in ``folder``; other files of such names are passed over."""
    found: list[Document] = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in _STATEMENTS or not path.is_file():
            continue
        if path.stat().st_size > limits.document_bytes:
            continue
        data = files.read(path, limits.document_bytes)
        if any(trace in data for trace in _TRACES):
            with suppress(EvidenceInvalid):
                found += documents_in(data, origin=str(path), limits=limits).documents
    return tuple(each for each in found if not each.envelope.may_be_layout)[: limits.documents]


def _authenticator(statements: Sequence[Document]) -> Authenticator | None:
    if not any(each.envelope.sigstore for each in statements):
        return None
    # Imported here for start-up time: classic evidence has no identities.
    from pip_intoto.verifier.authenticating import authenticator_with

    return authenticator_with(None)


def verify_plain(plain: Plain, file: Path | None, *, now: datetime | None = None) -> Verdict:
    """Verify ``file``; the working directory is the product when it is None.

    Raises CommandError for a file that cannot be read; all else is in the verdict.
    """
    inspector: Inspector | None
    if file is None:
        distribution = Distribution(
            name="", version="", filename="", kind=Kind.DIRECTORY, url=".", requested=True
        )
        subject = None
        inspector = _OfWorkingDirectory(plain)
    else:
        distribution, subject = _subject(file)
        inspector = inspector_for(distribution, plain.trust, limits=plain.limits)
    documents = [plain.layout]
    documents += [link for link in plain.links.documents if link.hint != ROOT_LAYOUT]
    documents += plain.statements
    title = "The working directory" if file is None else file.name
    try:
        verified = chain.verify(
            documents,
            plain.trust,
            subject,
            inspector,
            now=now or datetime.now(timezone.utc),
            limits=plain.limits,
        )
    except EvidenceError as error:
        return _refused(distribution, title, error, plain.links.trace)
    return presentable(
        Verdict(
            distribution=distribution,
            status=Status.VERIFIED,
            reason="verified",
            action=Action.PASS,
            summary=f"{title} is verified: its layout is signed by"
            f" {', '.join(verified.signed_by)}, its steps by {', '.join(verified.functionaries)}.",
            trace=(*plain.links.trace, *verified.trace),
            chain=verified.chain,
        )
    )


class _OfWorkingDirectory:
    """Carries out inspections in the working directory; many layouts have none."""

    def __init__(self, plain: Plain) -> None:
        self._plain = plain

    def concerns(self, inspection: Inspection) -> bool:
        """Tell whether the inspection is about what lies there."""
        return self._inspector().concerns(inspection)

    def inspect(self, inspection: Inspection) -> Record:
        """Carry out one inspection."""
        return self._inspector().inspect(inspection)

    def _inspector(self) -> Inspector:
        # Imported here because archives take their time to import.
        from pip_intoto.artifacts.inspector import DirectoryInspector

        return DirectoryInspector(
            Path(),
            run_all=self._plain.trust.run_all_inspections,
            limits=self._plain.limits,
        )


def _refused(
    distribution: Distribution, title: str, error: EvidenceError, trace: Sequence[TraceEntry]
) -> Verdict:
    missing = isinstance(error, EvidenceMissing)
    return presentable(
        Verdict(
            distribution=distribution,
            status=Status.MISSING if missing else Status.INVALID,
            reason=error.code,
            action=Action.BLOCK,
            summary=f"{title}: {str(error).rstrip('.')}.",
            expected=error.expected,
            found=error.found,
            advice=_ADVICE.get(error.code, error.advice),
            trace=(*trace, TraceEntry("verdict", Outcome.FAIL, f"{error.code}: {error}")),
            chain=error.chain,
        )
    )


def _subject(file: Path) -> tuple[Distribution, Subject]:
    """Describe any file: plain verification is not only about wheels and sdists."""
    try:
        sha256 = sha256_file(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be read", found=str(error.strerror or error)) from error
    kind = kind_of(file.name) or Kind.SDIST
    name, version = parse_filename(file.name, kind) or (file.stem, "")
    distribution = Distribution(
        name=normalized(name),
        version=version,
        filename=file.name,
        kind=kind,
        sha256=sha256,
        path=file.absolute(),
        requested=True,
    )
    subject = Subject(
        project=normalized(name),
        distribution=name,
        version=version,
        filename=file.name,
        sha256=sha256,
    )
    return distribution, subject


def _parameters(path: Path, limits: Limits) -> dict[str, str]:
    try:
        root = Node(strict_json.parse(files.read(path, limits.policy_bytes), limits=limits))
        return {name: value.string() for name, value in root.items()}
    except EvidenceError as error:
        raise CommandError(
            f"{path}: {error}", expected='an object of strings, {"VERSION": "1.0"}'
        ) from error
