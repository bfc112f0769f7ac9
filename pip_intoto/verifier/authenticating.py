"""Whether what Sigstore vouches for holds, and who signed: sigstore-python's work, offline.

The library is imported here and nowhere else, when the first attestation is to be checked. It is
given a trust root by the policy, or the one that its package brings along; its own ways to get a
newer one, over the network and into the home directory, are not used.

What the library leaves open is decided here first:

- It takes a log's key for good whenever the log has had it. A trust root says from when to when
  each authority and each log counts: those that did not count *when the signature was made* are
  left out of what the library is given, and if the signer's are among them, that is the reason.
- It tries all logs where an entry names one that is not known. That is an error here.
- Several timestamps of an authority may say several things. Without a log's own time there must
  be exactly one.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import re
import threading
import warnings
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto.credential import Credential
from pip_intoto.errors import (
    EvidenceInvalid,
    MetadataMalformed,
    MetadataTooLarge,
    SigstoreInvalid,
    SigstoreUnavailable,
    TrustRootExpired,
    TrustRootNotYetValid,
)
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.envelope import pre_authentication_encoding
from pip_intoto.metadata.identities import GITHUB, GITLAB
from pip_intoto.metadata.node import Node, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cryptography.x509 import Certificate
    from sigstore.models import Bundle
    from sigstore.verify import Verifier

    from pip_intoto.metadata.envelope import Envelope
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.verification.trust import Authenticator

#: Where Sigstore's own trust root stands in the library's package.
_PRODUCTION = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
_LONGEST_REASON = 300
#: So many answers are remembered.
_REMEMBERED = 4_096

#: Fulcio's extensions, as its own list of object identifiers has them.
_FULCIO = "1.3.6.1.4.1.57264.1."
_ISSUER_AS_TEXT = f"{_FULCIO}1"
_REPOSITORY_AS_TEXT = f"{_FULCIO}5"
_REF_AS_TEXT = f"{_FULCIO}6"
_OTHER_NAME = f"{_FULCIO}7"
_ISSUER = f"{_FULCIO}8"
_SIGNER_URI = f"{_FULCIO}9"
_REPOSITORY_URI = f"{_FULCIO}12"
_REF = f"{_FULCIO}14"
_CONFIG_URI = f"{_FULCIO}18"
_ENVIRONMENT = f"{_FULCIO}23"
_UTF8_STRING = 0x0C
_LONG_FORM = 0x80
#: Where the repositories are that these vouch for. Who they are is compared, and not where.
_HOSTS = {GITHUB: "github.com", GITLAB: "gitlab.com"}
_WORKFLOWS = ".github/workflows/"
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?Z", re.ASCII
)


@functools.lru_cache(maxsize=8)
def authenticator_with(trust_root: bytes | None) -> Authenticator:
    """Return what checks attestations with ``trust_root``; None for the one of the library.

    The same trust root gives the same authenticator, which remembers what it has checked.
    """
    return _Offline(trust_root)


class _Offline:
    """Checks bundles, each of them once, in as many threads as like."""

    def __init__(self, trust_root: bytes | None) -> None:
        self._given = trust_root
        self._lock = threading.Lock()
        self._root: _TrustRoot | None = None
        self._known: dict[bytes, Credential | _Refusal] = {}

    def authenticate(self, envelope: Envelope) -> Credential:
        """Give what the certificate says of who signed ``envelope``."""
        # Of both: what one bundle vouches for, another document beside it does not share.
        both = (envelope.signed, envelope.sigstore)
        which = b"".join(hashlib.sha256(each).digest() for each in both)
        with self._lock:
            known = self._known.get(which)
            if known is None:
                try:
                    known = self._authenticate(envelope)
                except SigstoreUnavailable:
                    # Somebody may install it.
                    raise
                except EvidenceInvalid as error:
                    known = _Refusal(error)
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[which] = known
        if isinstance(known, _Refusal):
            raise known.again()
        return known

    def _authenticate(self, envelope: Envelope) -> Credential:
        if not envelope.sigstore:
            raise SigstoreInvalid("This document is no Sigstore bundle")
        try:
            # What the libraries would have otherwise in a document, and read all the same.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._checked(envelope)
        except (EvidenceInvalid, MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except ImportError as error:
            raise SigstoreUnavailable(
                "An attestation was signed with Sigstore, and sigstore-python is not installed",
                expected="the package sigstore",
                found="" if isinstance(error, ModuleNotFoundError) else _brief(error),
            ) from error
        except BaseException as error:
            # Whatever it is: a library that stumbles over a document has not verified it. (What
            # is written in Rust panics with errors that are no Exception.)
            raise SigstoreInvalid(
                "What Sigstore vouches for does not hold", found=_brief(error)
            ) from error

    def _checked(self, envelope: Envelope) -> Credential:
        _quiet()
        # Imported here for start-up time, and since it may not be installed.
        from sigstore.models import Bundle

        if self._root is None:
            self._root = _TrustRoot(self._given)
        bundle = Bundle.from_json(envelope.sigstore)
        signed_at = _signed_at(envelope, bundle)
        verifier = self._root.verifier_at(signed_at, _Named(envelope, bundle))
        payload_type, payload = verifier.verify_dsse(bundle, _Anybody())
        # It has checked the very envelope that others will read.
        if pre_authentication_encoding(payload_type, payload) != envelope.signed:
            raise SigstoreInvalid("The bundle holds another document than was checked")
        return credential_of(bundle.signing_certificate, signed_at)


class _Anybody:
    """A policy of the library: who signed is for others to judge."""

    def verify(self, cert: Certificate) -> None:
        """Accept every certificate."""


class _Refusal:
    """Why an attestation does not count, to be raised as often as it is asked for."""

    def __init__(self, error: EvidenceInvalid) -> None:
        self._kind = type(error)
        self._message = error.message
        self._expected = error.expected
        self._found = error.found
        self._place = error.place

    def again(self) -> EvidenceInvalid:
        """Give a new error: those who catch one write into it where it came from."""
        return self._kind(
            self._message, expected=self._expected, found=self._found, place=self._place
        )


class _Named:
    """Which authority and which logs a bundle names; nothing of it is believed."""

    def __init__(self, envelope: Envelope, bundle: Bundle) -> None:
        from cryptography.x509 import ExtensionNotFound, PrecertificateSignedCertificateTimestamps

        entry = json.loads(envelope.sigstore)["verificationMaterial"]["tlogEntries"][0]
        self.log: str = entry["logId"]["keyId"]
        certificate = bundle.signing_certificate
        self.issuer = certificate.issuer
        self.is_timestamped = bundle.verification_material.timestamp_verification_data is not None
        self.certificate_log = ""
        with contextlib.suppress(ExtensionNotFound):
            promises = certificate.extensions.get_extension_for_class(
                PrecertificateSignedCertificateTimestamps
            ).value
            for promise in promises:
                self.certificate_log = base64.b64encode(promise.log_id).decode("ascii")


class _TrustRoot:
    """Who is trusted, and from when to when."""

    def __init__(self, given: bytes | None) -> None:
        try:
            node = Node(
                strict_json.parse(
                    _embedded() if given is None else given,
                    limits=DEFAULT,
                    max_bytes=DEFAULT.trust_root_bytes,
                )
            )
            self._media_type = node.member("mediaType").string()
            self._logs = list(_parts(node, "tlogs", "publicKey"))
            self._certificate_logs = list(_parts(node, "ctlogs", "publicKey"))
            self._authorities = list(_parts(node, "certificateAuthorities", ""))
            self._timestamps = list(_parts(node, "timestampAuthorities", ""))
        except (MetadataMalformed, MetadataTooLarge) as error:
            raise SigstoreInvalid(
                "The trust root cannot be read", found=str(error), place="the trust root"
            ) from error
        self._verifiers: dict[tuple[tuple[int, ...], ...], Verifier] = {}

    def verifier_at(self, when: datetime, named: _Named) -> Verifier:
        """Return what verifies with those who counted at ``when``.

        Raises TrustRootExpired, TrustRootNotYetValid or SigstoreInvalid, about those that the
        bundle names.
        """
        self._require(
            "log", self._logs, when, lambda part: _log_id(part) == named.log, is_listed=True
        )
        self._require(
            "certificate log",
            self._certificate_logs,
            when,
            lambda part: _log_id(part) == named.certificate_log,
            is_listed=bool(named.certificate_log),
        )
        self._require(
            "certificate authority",
            self._authorities,
            when,
            lambda part: named.issuer in part.names,
            is_listed=False,
        )
        if named.is_timestamped:
            self._require("timestamp authority", self._timestamps, when, None, is_listed=False)
        parts = (self._logs, self._certificate_logs, self._authorities, self._timestamps)
        counting = tuple(
            tuple(number for number, part in enumerate(each) if part.counts_at(when))
            for each in parts
        )
        if counting not in self._verifiers:
            logs, certificate_logs, authorities, timestamps = (
                [each[number].value for number in numbers]
                for each, numbers in zip(parts, counting, strict=True)
            )
            root: dict[str, JsonValue] = {
                "mediaType": self._media_type,
                "tlogs": logs,
                "ctlogs": certificate_logs,
                "certificateAuthorities": authorities,
                "timestampAuthorities": timestamps,
            }
            self._verifiers[counting] = _verifier(json.dumps(root).encode("ascii"))
        return self._verifiers[counting]

    def _require(
        self,
        what: str,
        parts: Sequence[_Part],
        when: datetime,
        concerns: Callable[[_Part], bool] | None,
        *,
        is_listed: bool,
    ) -> None:
        """See to it that one of those that the bundle names counted at ``when``."""
        meant = [part for part in parts if concerns is None or concerns(part)]
        if any(part.counts_at(when) for part in meant):
            return
        if not meant:
            if is_listed:
                raise SigstoreInvalid(
                    f"The attestation comes from a {what} that the trust root does not name",
                    expected=f"a {what} of the trust root",
                )
            # The library finds out what is wrong: nobody of the trust root signed it.
            return
        ended = [part.end for part in meant if part.end is not None and part.end < when]
        moment = f"{when:%Y-%m-%dT%H:%M:%SZ}"
        if ended:
            raise TrustRootExpired(
                f"The {what} did not count any more when the attestation was made",
                expected=f"one that counted on {moment}",
                found=f"it counted until {max(ended):%Y-%m-%dT%H:%M:%SZ}",
            )
        raise TrustRootNotYetValid(
            f"The {what} did not count yet when the attestation was made",
            expected=f"one that counted on {moment}",
            found=f"it counts from {min(part.start for part in meant):%Y-%m-%dT%H:%M:%SZ}",
        )


class _Part:
    """An authority or a log of the trust root."""

    def __init__(self, value: JsonValue, start: datetime, end: datetime | None) -> None:
        self.value = value
        self.start = start
        self.end = end

    def counts_at(self, when: datetime) -> bool:
        return self.start <= when and (self.end is None or when <= self.end)

    @functools.cached_property
    def names(self) -> frozenset[object]:
        """The subjects of an authority's certificates."""
        from cryptography.x509 import load_der_x509_certificate

        chain = Node(self.value).member("certChain").member("certificates")
        return frozenset(
            load_der_x509_certificate(
                base64.b64decode(each.member("rawBytes").string(), validate=True)
            ).subject
            for each in chain.elements()
        )


def _parts(root: Node, name: str, holder: str) -> Iterator[_Part]:
    listed = root.optional(name)
    if listed is None or listed.value is None:
        return
    for each in listed.elements():
        window = (each.member(holder) if holder else each).optional("validFor")
        if window is None or window.value is None:
            # It would count for ever: no trust root is meant that way.
            raise each.malformed("this does not say from when to when it counts")
        end = window.optional("end")
        yield _Part(
            each.value,
            _time(window.member("start")),
            None if end is None or end.value is None else _time(end),
        )


def _time(node: Node) -> datetime:
    matched = _TIME.fullmatch(node.string())
    if matched is not None:
        with contextlib.suppress(ValueError):
            return datetime.strptime(f"{matched[1]}+0000", "%Y-%m-%dT%H:%M:%S%z")
    raise node.malformed("this is no time", expected="YYYY-MM-DDTHH:MM:SSZ")


def _log_id(part: _Part) -> str:
    """Return the id of a log, as it follows from its key: the trust root may spell another."""
    key = Node(part.value).member("publicKey").member("rawBytes").string()
    digest = hashlib.sha256(base64.b64decode(key, validate=True)).digest()
    return base64.b64encode(digest).decode("ascii")


def _verifier(root: bytes) -> Verifier:
    from sigstore.models import TrustedRoot
    from sigstore.verify import Verifier
    from sigstore_models.trustroot.v1 import TrustedRoot as Parsed

    # The public way is to read a file, and there is none.
    return Verifier(trusted_root=TrustedRoot(Parsed.from_json(root)))


def _embedded() -> bytes:
    from importlib.resources import files

    found = files("sigstore") / "_store" / _PRODUCTION / "trusted_root.json"
    return found.read_bytes()


@functools.lru_cache(maxsize=1)
def embedded_sha256() -> str:
    """Give the digest of the library's trust root, without importing it; empty where it is not."""
    from importlib.util import find_spec
    from pathlib import Path

    found = find_spec("sigstore")
    for folder in (found and found.submodule_search_locations) or ():
        with contextlib.suppress(OSError):
            data = (Path(folder) / "_store" / _PRODUCTION / "trusted_root.json").read_bytes()
            return hashlib.sha256(data).hexdigest()
    return ""


def _signed_at(envelope: Envelope, bundle: Bundle) -> datetime:
    """Return when it was signed: the library will check that the log, or an authority, said so."""
    entry = json.loads(envelope.sigstore)["verificationMaterial"]["tlogEntries"][0]
    if "inclusionPromise" in entry and int(entry.get("integratedTime", "0")):
        return datetime.fromtimestamp(int(entry["integratedTime"]), tz=timezone.utc)
    data = bundle.verification_material.timestamp_verification_data
    times = [] if data is None else data.rfc3161_timestamps
    if len(times) != 1:
        raise SigstoreInvalid(
            "Nobody says when the attestation was signed",
            expected="a log's promise with its time, or one timestamp",
            found=f"{len(times)} timestamps",
        )
    stamped = times[0].tst_info.gen_time
    return stamped if stamped.tzinfo else stamped.replace(tzinfo=timezone.utc)


@functools.lru_cache(maxsize=1)
def _quiet() -> None:
    """Keep the libraries from writing to standard error: what they have to say, they raise."""
    import logging

    # Without a handler, what is logged there would be printed.
    for name in ("sigstore", "sigstore_models", "tuf"):
        logging.getLogger(name).addHandler(logging.NullHandler())


def _brief(error: BaseException) -> str:
    """Return what an error says, on one line of bounded length."""
    said = " ".join(str(error)[: 4 * _LONGEST_REASON].split()) or type(error).__name__
    printable = "".join(char if char.isprintable() else "?" for char in said)
    return printable if len(printable) <= _LONGEST_REASON else f"{printable[:_LONGEST_REASON]}…"


# --- what a certificate says --------------------------------------------------------------------


def credential_of(certificate: Certificate, signed_at: datetime) -> Credential:
    """Read who signed out of a certificate of Fulcio's that verified. Raises SigstoreInvalid."""
    said = _extensions(certificate)
    issuer = said.get(_ISSUER) or said.get(_ISSUER_AS_TEXT, "")
    if not issuer:
        raise SigstoreInvalid("The certificate does not say who vouches for its holder")
    host, repository = _repository(said, issuer)
    if host and host != _HOSTS.get(issuer, host):
        raise SigstoreInvalid(
            "The certificate names a repository at a host that its issuer does not vouch for",
            expected=_HOSTS[issuer],
            found=shown(host),
        )
    ref = said.get(_REF) or said.get(_REF_AS_TEXT, "")
    config = _path(said.get(_CONFIG_URI, ""), ref, host, repository)
    signer = _path(said.get(_SIGNER_URI, ""), ref, host, repository)
    return Credential(
        issuer=issuer,
        subject=_subject(certificate),
        signed_at=signed_at,
        host=host,
        repository=repository,
        workflow=config or signer,
        reused_workflow=signer if config and signer != config else "",
        ref=ref,
        environment=said.get(_ENVIRONMENT, ""),
    )


def _extensions(certificate: Certificate) -> dict[str, str]:
    """Return what Fulcio put into its extensions, by object identifier."""
    from cryptography.x509 import UnrecognizedExtension

    said: dict[str, str] = {}
    for extension in certificate.extensions:
        oid = extension.oid.dotted_string
        if not oid.startswith(_FULCIO) or not isinstance(extension.value, UnrecognizedExtension):
            continue
        value = extension.value.value
        # The first six are text as it is, the others a UTF8String in DER.
        number = int(oid.removeprefix(_FULCIO).partition(".")[0])
        try:
            text = (
                value if number < int(_OTHER_NAME.rpartition(".")[2]) else _utf8(value)
            ).decode()
        except ValueError as error:
            raise SigstoreInvalid(
                "The certificate has an extension that cannot be read", found=oid
            ) from error
        if not text.isprintable():
            raise SigstoreInvalid(
                "The certificate has an extension that cannot be read", found=shown(text)
            )
        said[oid] = text
    return said


def _utf8(der: bytes) -> bytes:
    """Return what a UTF8String in DER holds. Raises ValueError."""
    if len(der) < 2 or der[0] != _UTF8_STRING:  # noqa: PLR2004 - tag and length
        raise ValueError("this is no UTF8String")
    length, start = der[1], 2
    if length >= _LONG_FORM:
        start += length - _LONG_FORM
        length = int.from_bytes(der[2:start], "big")
    if len(der) - start != length:
        raise ValueError("this string has another length than it says")
    return der[start:]


def _subject(certificate: Certificate) -> str:
    """Return the one name that the certificate has."""
    from cryptography.x509 import (
        OtherName,
        RFC822Name,
        SubjectAlternativeName,
        UniformResourceIdentifier,
    )

    names = list(certificate.extensions.get_extension_for_class(SubjectAlternativeName).value)
    if len(names) == 1:
        (name,) = names
        subject = ""
        if isinstance(name, (RFC822Name, UniformResourceIdentifier)):
            subject = name.value
        elif isinstance(name, OtherName) and name.type_id.dotted_string == _OTHER_NAME:
            subject = _utf8(name.value).decode()
        if subject and subject.isprintable():
            return subject
    raise SigstoreInvalid(
        "The certificate does not name its holder",
        expected="one mail address, URI, or user name",
        found=f"{len(names)} names",
    )


def _repository(said: dict[str, str], issuer: str) -> tuple[str, str]:
    """Return the host of the repository, and what the repository is called there."""
    scheme, slashes, rest = said.get(_REPOSITORY_URI, "").partition("://")
    host, slash, repository = rest.partition("/")
    if scheme == "https" and slashes and host and slash and repository:
        return host, repository
    # Certificates before 2023 have no URIs.
    old = said.get(_REPOSITORY_AS_TEXT, "")
    return ("github.com", old) if old and issuer == GITHUB else ("", "")


def _path(uri: str, ref: str, host: str, repository: str) -> str:
    """Return which workflow a URI names, without its ref.

    ``release.yml`` for one of GitHub's in the repository itself, else the path there; behind the
    repository's name where it is another one.
    """
    # Names of tags have an @ in them as often as not; names of files may as well.
    path = uri.removesuffix(f"@{ref}") if ref else uri
    if path == uri:
        path = uri.partition("@refs/")[0] if "@refs/" in uri else uri.rpartition("@")[0] or uri
    if not host or not path.startswith(f"https://{host}/"):
        return path
    path = path.removeprefix(f"https://{host}/")
    own = f"{repository}/"
    if not path.startswith(own):
        return path
    path = path.removeprefix(own)
    # GitLab writes two slashes behind the project, and has no folder that all of them are in.
    return path[1:] if path.startswith("/") else path.removeprefix(_WORKFLOWS)
