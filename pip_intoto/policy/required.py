"""What a project's rule asks for by itself: ``require``, and a ``layout`` that nobody signed."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from pip_intoto.errors import PipIntotoError
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.envelope import parse_envelope, read_payload
from pip_intoto.metadata.layout import Layout, parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.policy.model import NamedKey, Requirement
from pip_intoto.policy.named_identities import signers_named
from pip_intoto.policy.named_keys import threshold_of
from pip_intoto.policy.vocabulary import REQUIRE, nearest
from pip_intoto.verification.trust import OwnLayout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.policy.model import HeldLayout, NamedIdentity, Signer
    from pip_intoto.policy.tables import Table, Value

#: A name becomes that of a step, which the names of evidence files contain.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")


def read_requirements(
    table: Table, keys: Mapping[str, NamedKey], identities: Mapping[str, NamedIdentity]
) -> tuple[Requirement, ...]:
    """What the rule in ``table`` requires. Raises the error of the file's kind."""
    value = table.get("require")
    default = table.get("identities")
    if value is None:
        if default is not None:
            raise default.error(
                f"`identities` says who signs what is required, and {table.name} requires nothing",
                advice='Add require = ["publish"]. Who signs layouts stands in `layout-keys`.',
            )
        return ()
    signers: tuple[Signer, ...] = ()
    if default is not None:
        signers = _no_openpgp(default, signers_named(default, keys, identities, table.name))
    found: list[Requirement] = []
    uses_default = False
    for element in value.elements("templates and tables"):
        requirement = (
            _from_template(element, signers, table.name)
            if isinstance(element.value, str)
            else _from_table(element, signers, table.name, keys, identities)
        )
        uses_default |= requirement.signers is signers
        twin = next((other for other in found if other.name == requirement.name), None)
        if twin is not None:
            raise element.error(
                f"{table.name} requires `{requirement.name}` twice",
                advice="Remove one, or give each table a `name` of its own.",
            )
        found.append(requirement)
    if default is not None and not uses_default:
        raise default.error(
            f"nothing that {table.name} requires uses `identities`: each names its own",
            advice="Remove it here, or there.",
        )
    return tuple(found)


def read_held_layout(held: HeldLayout, value: Value, limits: Limits) -> OwnLayout:
    """A layout that the consumer holds, and nobody needs to have signed.

    It is bare, or in an envelope whose signatures are not looked at. Raises the error of the
    file's kind.
    """
    try:
        content = strict_json.parse(held.content, limits=limits)
        if isinstance(content, dict) and content.get("_type") == "layout":
            layout = parse_layout(Node(content), limits)
        else:
            payload = read_payload(parse_envelope(held.content, limits=limits), limits=limits)
            if not isinstance(payload, Layout):
                raise value.error(f"{held.path} is not a layout")
            layout = payload
    except PipIntotoError as error:
        if isinstance(error, value.file.kind.error):
            raise
        where = f" ({error.place})" if error.place else ""
        raise value.error(
            f"{held.path} cannot be used as a layout: {error.message}{where}",
            expected=error.expected,
            found=error.found,
            advice=f"Correct it; `pip-intoto layout lint {held.path.name}` says more.",
        ) from None
    return OwnLayout(layout=layout, origin=str(held.path), sha256=sha256(held.content).hexdigest())


def _from_template(value: Value, signers: tuple[Signer, ...], of: str) -> Requirement:
    # Imported here for start-up time: most policies require nothing.
    from pip_intoto.policy.templates import TEMPLATES

    name = value.text()
    template = TEMPLATES.get(name)
    if template is None:
        near = nearest(name, TEMPLATES)
        advice = f'Did you mean "{near}"?' if near else ""
        if name == "sbom":
            advice = 'Say which: "sbom-spdx" or "sbom-cyclonedx".'
        raise value.error(
            f'nothing is called "{name}" that could be required',
            expected=", ".join(TEMPLATES) + '; or a table { predicate = "https://…" }',
            advice=advice,
        )
    _need_signers(value, signers, of)
    return Requirement(
        name=name,
        predicate_type=template.predicate_type,
        signers=signers,
        threshold=1,
        conditions=template.conditions,
        line=value.line,
    )


def _from_table(
    value: Value,
    default: tuple[Signer, ...],
    of: str,
    keys: Mapping[str, NamedKey],
    identities: Mapping[str, NamedIdentity],
) -> Requirement:
    # Imported here for start-up time, as above.
    from pip_intoto.policy.templates import TEMPLATES

    table = value.table(f"a table in `require` of {of}", REQUIRE)
    predicate = table.need(
        "predicate", 'Name a template, or the predicate type: predicate = "https://…".'
    )
    kind = predicate.text()
    template = TEMPLATES.get(kind)
    if template is None and not _TYPE.fullmatch(kind):
        near = nearest(kind, TEMPLATES)
        raise predicate.error(
            f'"{kind}" is not a predicate type',
            expected="a URI, compared to the letter; or one of " + ", ".join(TEMPLATES),
            advice=f'Did you mean "{near}"?' if near else "",
        )
    named = table.get("name")
    name = kind.rstrip("/").replace(":", "/") if named is None else named.text()
    if named is None and template is None:
        name = "-".join(part for part in kind.split("/")[-2:] if part)
    if not _NAME.fullmatch(name):
        raise (named or predicate).error(
            f'"{name}" cannot be the name of a requirement',
            expected="letters, digits, and . _ - between them",
            advice="" if named else "Give it a `name`.",
        )
    own = table.get("identities")
    signers = default
    if own is not None:
        signers = _no_openpgp(own, signers_named(own, keys, identities, table.name))
    _need_signers(value, signers, of)
    conditions = table.get("conditions")
    own_conditions = (
        () if conditions is None else tuple(each.text() for each in conditions.elements("CEL"))
    )
    return Requirement(
        name=name,
        predicate_type=kind if template is None else template.predicate_type,
        signers=signers,
        threshold=threshold_of(table.get("threshold"), signers, table.name, default=1),
        conditions=(*(() if template is None else template.conditions), *own_conditions),
        line=table.line,
    )


def _need_signers(value: Value, signers: tuple[Signer, ...], of: str) -> None:
    if not signers:
        raise value.error(
            f"{of} does not say who must have signed what it requires",
            expected='identities = ["…"]: names of [identities] or [keys]',
            advice="Anybody can sign an attestation; it says something only with a name under it.",
        )


def _no_openpgp(value: Value, signers: tuple[Signer, ...]) -> tuple[Signer, ...]:
    for signer in signers:
        if isinstance(signer, NamedKey) and signer.key.is_openpgp:
            raise value.error(
                f"the key `{signer.name}` is an OpenPGP key, which signs no statements",
                advice="Name an identity, or a key in PEM form.",
            )
    return signers
