"""What a layout says of certificates: its authorities, and who may carry out a step (X1).

Certificates are an extension: ITE-7, a draft, and in-toto-golang, the only implementation. Both
spellings are read: ``rootcas`` and ``intermediatecas`` with ``roots`` in constraints, or
``trustBundles`` with ``trustBundleIds``. Nothing of it restricts a chain unless it is understood,
so that whatever is not understood is refused and never skipped. Certificates stay the text that
they are (PEM) until somebody is to be judged by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import LayoutFeatureUnsupported, MetadataMalformed, MetadataTooLarge
from pip_intoto.metadata.keys import check_inner_name
from pip_intoto.metadata.node import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.node import Node

_ANY = "*"
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*")
_NAMES = ("common_name", "dns_names", "emails", "organizations", "uris")
_ROOTS = ("roots", "trustBundleIds")
_STEP_MEMBERS = ("cert_constraints", "certConstraints")


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate (PEM) that the layout trusts; constraints call it ``name``."""

    name: str
    certificate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorities:
    """The certificates that chains of this layout may end in, and lead over."""

    roots: tuple[Authority, ...] = ()
    intermediates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What the certificate of somebody who carries out a step must say.

    Each member holds the very values that the certificate must have; it is None when any will
    do, and empty when there must be none. ``roots`` are names of authorities, one of which the
    certificate must chain to.
    """

    common_name: frozenset[str] | None
    dns_names: frozenset[str] | None
    emails: frozenset[str] | None
    organizations: frozenset[str] | None
    uris: frozenset[str] | None
    roots: frozenset[str] | None


def parse_authorities(layout: Node, limits: Limits) -> Authorities:
    """The authorities of ``layout``, in either spelling.

    Raises :class:`pip_intoto.errors.LayoutFeatureUnsupported` for what is not understood, and
    :class:`pip_intoto.errors.MetadataTooLarge`.
    """
    try:
        roots = [*_listed_keys(layout, "rootcas", limits), *_bundled(layout, "roots", limits)]
        intermediates = [
            *_listed_keys(layout, "intermediatecas", limits),
            *_bundled(layout, "intermediates", limits),
        ]
        both = {name for name, _ in _members(layout, "rootcas")} & {
            name for name, _ in _members(layout, "trustBundles")
        }
        if both:
            raise layout.malformed("two authorities have the same name", found=shown(min(both)))
    except MetadataMalformed as error:
        raise _not_understood(error) from error
    check_count("certificates", len(roots) + len(intermediates), limits.certificates, layout)
    return Authorities(
        roots=tuple(roots), intermediates=tuple(each.certificate for each in intermediates)
    )


def parse_constraints(step: Node, limits: Limits) -> tuple[Constraint, ...]:
    """The constraints of ``step``, one of which a certificate must satisfy.

    Raises as :func:`parse_authorities` does.
    """
    used = [node for node in map(step.optional, _STEP_MEMBERS) if node is not None and node.value]
    if not used:
        return ()
    try:
        if len(used) > 1:
            raise used[1].malformed("the constraints of this step stand in two places")
        return tuple(_constraint(each, limits) for each in used[0].elements())
    except MetadataMalformed as error:
        raise _not_understood(error) from error


def parse_signer(signature: Node, limits: Limits) -> str:
    """The certificate (PEM, not looked into) that a signature names as its signer's, or "".

    Raises :class:`pip_intoto.errors.MetadataMalformed`.
    """
    texts = [
        node.string(longest=limits.certificate_text)
        for node in (signature.optional("cert"), signature.optional("certificate"))
        if node is not None and node.value not in (None, "")
    ]
    if len(set(texts)) > 1:
        raise signature.malformed("this signature names two certificates")
    return texts[0] if texts else ""


def _listed_keys(layout: Node, member: str, limits: Limits) -> Iterator[Authority]:
    """Certificates as in-toto-golang lists them: key objects by keyid."""
    for name, key in _members(layout, member):
        _check_name(name, key, limits)
        check_inner_name(name, key.optional("keyid"), "the certificate has another keyid")
        yield Authority(name, _pem(key.member("keyval").member("certificate"), limits))


def _bundled(layout: Node, kind: str, limits: Limits) -> Iterator[Authority]:
    """Certificates as ITE-7 lists them: bundles of roots and intermediates."""
    for name, bundle in _members(layout, "trustBundles"):
        _check_name(name, bundle, limits)
        _check_members(bundle, ("bundleid", "roots", "intermediates"))
        check_inner_name(name, bundle.optional("bundleid"), "the bundle has another id")
        # A bundle of no roots would be one that nothing belongs to.
        if not bundle.member("roots").sequence():
            raise bundle.member("roots").malformed("this bundle has no roots")
        listed = bundle.optional(kind)
        if listed is not None and listed.value is not None:
            for certificate in listed.elements():
                yield Authority(name, _pem(certificate, limits))


def _members(layout: Node, name: str) -> list[tuple[str, Node]]:
    node = layout.optional(name)
    # An empty one asks for nothing: some tools write all members, used or not.
    return [] if node is None or node.value in (None, [], {}) else list(node.items())


def _constraint(node: Node, limits: Limits) -> Constraint:
    _check_members(node, (*_NAMES, *_ROOTS))
    roots = [each for each in map(node.optional, _ROOTS) if each is not None]
    if len(roots) > 1:
        raise roots[1].malformed("the roots of this constraint stand in two places")
    common_name = node.optional("common_name")
    return Constraint(
        common_name=frozenset()
        if common_name is None or common_name.value is None
        else _allowed([common_name.string(longest=limits.text)]),
        dns_names=_values(node.optional("dns_names"), limits),
        emails=_values(node.optional("emails"), limits),
        organizations=_values(node.optional("organizations"), limits),
        uris=_values(node.optional("uris"), limits),
        roots=_values(roots[0] if roots else None, limits),
    )


def _values(node: Node | None, limits: Limits) -> frozenset[str] | None:
    # What is left out allows nothing: so in-toto-golang reads it, and writes `null` for it.
    if node is None or node.value is None:
        return frozenset()
    return _allowed(list(node.strings(longest=limits.text)))


def _allowed(values: list[str]) -> frozenset[str] | None:
    # "Wildcards may be used to specify that any value meets the constraint whereas an empty array
    # means there should be no values for that attribute of the certificate." (ITE-7)
    if values == [_ANY]:
        return None
    # One empty value is in-toto-golang's way to say none.
    return frozenset() if values == [""] else frozenset(values)


def _pem(node: Node, limits: Limits) -> str:
    text = node.string(longest=limits.certificate_text)
    if not _PEM.fullmatch(text):
        raise node.malformed(
            "this is not one certificate in PEM form",
            expected="-----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----",
            found=shown(text[:40]),
        )
    return text


def _check_name(name: str, node: Node, limits: Limits) -> None:
    if not 0 < len(name) <= limits.text:
        raise node.malformed(
            "this is no name for an authority", expected=f"1 to {limits.text} characters"
        )


def _check_members(node: Node, known: tuple[str, ...]) -> None:
    for name, member in node.items():
        if name not in known:
            raise member.malformed(
                "the layout asks certificates for something that pip-intoto does not know",
                expected=f"no members but {', '.join(known)}",
                found=shown(name),
            )


def check_count(what: str, count: int, most: int, node: Node) -> None:
    """Raise :class:`pip_intoto.errors.MetadataTooLarge` when ``node`` has more than ``most``."""
    if count > most:
        raise MetadataTooLarge(
            f"this layout has too many {what}",
            expected=f"at most {most}",
            found=str(count),
            place=node.place,
        )


def _not_understood(error: MetadataMalformed) -> LayoutFeatureUnsupported:
    return LayoutFeatureUnsupported(
        f"what the layout says of certificates is not understood: {error.message}",
        expected=error.expected,
        found=error.found,
        place=error.place,
    )
