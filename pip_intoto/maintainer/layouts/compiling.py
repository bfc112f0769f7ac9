"""From a layout source to the layout that it describes: names become key ids, periods moments."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.limits import LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.metadata import openpgp
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.policy.model import NamedKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.layouts.layout_source import (
        LayoutSource,
        SourceRule,
        SourceStatement,
    )
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.strict_json import JsonValue
    from pip_intoto.policy.model import Signer


def compile_layout(source: LayoutSource, *, now: datetime) -> tuple[JsonObject, Layout]:
    """The layout that ``source`` describes, if it is built at ``now`` (aware), as JSON and checked.

    Raises CommandError when it would be no layout that pip-intoto reads.
    """
    payload = authoring.layout(
        expires=_expiry(source, now),
        keys=(),
        steps=(
            authoring.step(
                step.name,
                functionaries=map(_keyid, step.functionaries),
                threshold=step.threshold,
                expected_materials=_written(step.materials),
                expected_products=_written(step.products),
                expected_command=step.command,
                expected_predicates=map(_predicate, step.statements),
                expected_attributes=step.conditions,
            )
            for step in source.steps
        ),
        inspections=(
            authoring.inspection(
                inspection.name,
                run=inspection.run,
                expected_materials=_written(inspection.materials),
                expected_products=_written(inspection.products),
                expected_attributes=inspection.conditions,
            )
            for inspection in source.inspections
        ),
        readme=source.readme,
    )
    payload["keys"] = {
        _keyid(each): _listed(each) for step in source.steps for each in step.everybody
    }
    try:
        return payload, parse_layout(Node(payload), LOCAL)
    except EvidenceInvalid as error:
        raise CommandError(
            f"the source makes no layout that can be verified: {error.message}",
            expected=error.expected,
            found=error.found,
            place=f"{source.path}:{source.line_of(error.place)}",
        ) from None


def _expiry(source: LayoutSource, now: datetime) -> datetime:
    if isinstance(source.expires, datetime):
        return source.expires
    try:
        return source.expires.after(now.astimezone(timezone.utc))
    except OverflowError:
        raise CommandError(
            "the layout would expire behind the end of the calendar",
            expected="a year up to 9999",
            place=str(source.path),
        ) from None


def _written(rules: Iterable[SourceRule]) -> list[tuple[str, ...]]:
    return [each.rule.words for each in rules]


def _predicate(statement: SourceStatement) -> JsonObject:
    return authoring.predicate(
        statement.predicate_type,
        functionaries=map(_keyid, statement.functionaries),
        threshold=statement.threshold,
        expected_attributes=statement.conditions,
    )


def _keyid(signer: Signer) -> str:
    return signer.key.keyid if isinstance(signer, NamedKey) else signer.identity.keyid


def _listed(signer: Signer) -> JsonObject:
    """What the layout lists among its keys."""
    if isinstance(signer, NamedKey):
        return _key_object(signer.key)
    return authoring.identity_object(signer.identity)


def _key_object(key: PublicKey) -> JsonObject:
    if not key.is_openpgp:
        return authoring.key_object(key)
    # K6: "{type, method, hashes, keyval: {public: {n, e | ..}}, subkeys?, creation_time?,
    # validity_period?}"; K5: the implementations demand a keyid besides.
    numbers: JsonObject = dict(openpgp.read_numbers(key.public))
    described: JsonObject = {
        "keyid": key.keyid,
        "type": key.keytype,
        "method": key.scheme,
        "hashes": ["pgp+SHA2"],
        "keyval": {"private": "", "public": numbers},
    }
    if key.not_before is not None:
        described["creation_time"] = int(key.not_before.timestamp())
        if key.not_after is not None:
            described["validity_period"] = int((key.not_after - key.not_before).total_seconds())
    # K3: those of an unknown kind sign nothing.
    subkeys: dict[str, JsonValue] = {
        subkey.keyid: _key_object(subkey) for subkey in key.subkeys if subkey.public
    }
    if subkeys:
        described["subkeys"] = subkeys
    return described
