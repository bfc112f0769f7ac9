"""Layouts: what the project owner wants done, and by whom (section 4.3)."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pip_intoto.errors import LayoutFeatureUnsupported
from pip_intoto.metadata.certificates import (
    Authorities,
    check_count,
    parse_authorities,
    parse_constraints,
)
from pip_intoto.metadata.identities import is_identity, is_managed, parse_identity, parse_managed
from pip_intoto.metadata.keys import check_keyid, parse_key
from pip_intoto.metadata.names import check_step_name
from pip_intoto.metadata.node import shown
from pip_intoto.metadata.rules import parse_rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.certificates import Constraint
    from pip_intoto.metadata.identities import Identity, ManagedKey
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.node import Node
    from pip_intoto.metadata.rules import Rule


_EXPIRES = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")
#: Members of the prototype of ITE-10, and of ITE-7 as nobody spells them: they restrict or widen
#: what the layout accepts. To ignore one would be to verify another layout than the one that was
#: signed.
_EXTENSIONS_OF_LAYOUTS = (
    "rootCas",
    "intermediateCas",
    "trust_bundles",
    "functionaries",
    "subjects",
)
_EXTENSIONS_OF_STEPS = ("expectedMaterials", "expectedProducts")
#: X1: certificates sign for steps; ITE-10: so do statements.
_EXTENSIONS_OF_INSPECTIONS = (
    *_EXTENSIONS_OF_STEPS,
    "cert_constraints",
    "certConstraints",
    "expected_predicates",
    "expectedPredicates",
    "predicates",
)
#: ITE-10 spells its members as the specification does, its prototype and ITE-11 do not.
_PREDICATES = ("expected_predicates", "expectedPredicates")
_ATTRIBUTES = ("expected_attributes", "expectedAttributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPredicate:
    """A kind of statement that a step must come with (ITE-10).

    ``threshold`` of ``functionaries`` (keyids) must have signed one with this ``predicate_type``,
    and the conditions ``expected_attributes`` (CEL, ITE-11) must all be true of it.
    """

    predicate_type: str
    functionaries: tuple[str, ...]
    threshold: int = 1
    expected_attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that ``threshold`` of the functionaries must have done.

    They are the keys ``pubkeys`` (keyids), and whoever has a certificate that satisfies one of
    ``constraints``. A step with ``expected_predicates`` (ITE-10) has none of these, and a
    threshold for each predicate. ``expected_attributes`` (ITE-11) are conditions on a link.
    """

    name: str
    threshold: int
    expected_materials: tuple[Rule, ...]
    expected_products: tuple[Rule, ...]
    pubkeys: tuple[str, ...]
    expected_command: tuple[str, ...]
    constraints: tuple[Constraint, ...] = ()
    expected_predicates: tuple[ExpectedPredicate, ...] = ()
    expected_attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A command that the verifier is asked to run (or to carry out natively)."""

    name: str
    expected_materials: tuple[Rule, ...]
    expected_products: tuple[Rule, ...]
    run: tuple[str, ...]
    expected_attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A checked layout; it has at least one step, and ``expires`` is aware, in UTC."""

    expires: datetime
    readme: str
    keys: Mapping[str, PublicKey]
    steps: tuple[Step, ...]
    inspections: tuple[Inspection, ...]
    authorities: Authorities = field(default_factory=Authorities)
    #: Functionaries who are known by who vouches for them, by keyid.
    identities: Mapping[str, Identity] = field(default_factory=dict)
    #: Functionaries whose keys a TUF repository gives out, by keyid.
    managed: Mapping[str, ManagedKey] = field(default_factory=dict)

    @property
    def items(self) -> tuple[Step | Inspection, ...]:
        """All steps, and then all inspections: what has a name and rules."""
        return (*self.steps, *self.inspections)


def parse_layout(node: Node, limits: Limits) -> Layout:
    """The layout in ``node``.

    Raises :class:`pip_intoto.errors.MetadataMalformed`,
    :class:`pip_intoto.errors.MetadataTooLarge`, or
    :class:`pip_intoto.errors.LayoutFeatureUnsupported` for members of known extensions that are
    not understood. Other unknown members are ignored (L8, A3).
    """
    _check_type(node, "layout")  # L1
    _refuse_extensions(node, _EXTENSIONS_OF_LAYOUTS)
    _check_size(node, limits)
    readme = node.optional("readme")
    listed = list(node.member("keys").items())
    layout = Layout(
        expires=_expires(node.member("expires")),
        readme="" if readme is None or readme.value is None else readme.string(),
        keys={
            keyid: parse_key(key, keyid)
            for keyid, key in listed
            if not is_identity(key) and not is_managed(key)
        },
        identities={
            keyid: parse_identity(key, keyid, limits) for keyid, key in listed if is_identity(key)
        },
        managed={
            keyid: parse_managed(key, keyid, limits) for keyid, key in listed if is_managed(key)
        },
        steps=tuple(_step(step, limits) for step in node.member("steps").elements()),
        inspections=tuple(_inspection(each, limits) for each in node.member("inspect").elements()),
        authorities=parse_authorities(node, limits),
    )
    if not layout.steps:
        raise node.member("steps").malformed(
            "a layout without steps verifies nothing", expected="at least one step"
        )
    for what, count, most in (
        (
            "constraints",
            sum(len(step.constraints) for step in layout.steps),
            limits.certificate_constraints,
        ),
        ("predicates", sum(len(step.expected_predicates) for step in layout.steps), limits.steps),
        ("conditions", sum(map(_conditions, layout.items)), limits.attributes),
    ):
        check_count(what, count, most, node)
    _check_names(node)
    _check_keyids(node, layout)
    return layout


def _conditions(item: Step | Inspection) -> int:
    predicates = item.expected_predicates if isinstance(item, Step) else ()
    return len(item.expected_attributes) + sum(len(each.expected_attributes) for each in predicates)


def _check_type(node: Node, expected: str) -> None:
    kind = node.member("_type")
    if kind.string() != expected:
        raise kind.malformed(
            f"this is no {expected}", expected=f'"{expected}"', found=shown(kind.value)
        )


def _refuse_extensions(node: Node, names: tuple[str, ...]) -> None:
    for name in names:
        member = node.optional(name)
        # An empty one asks for nothing: some tools write all members, used or not.
        if member is not None and member.value not in (None, [], {}):
            raise LayoutFeatureUnsupported(
                "the layout uses a feature that pip-intoto does not know how to check",
                expected=f"a layout without {name!r}",
                found=f"{name!r}",
                place=member.place,
            )


def _check_size(node: Node, limits: Limits) -> None:
    steps = node.member("steps").sequence()
    inspections = node.member("inspect").sequence()
    rules = sum(
        len(side.sequence())
        for name in ("steps", "inspect")
        for each in node.member(name).elements()
        for side in (each.optional("expected_materials"), each.optional("expected_products"))
        if side is not None
    )
    # K6: subkeys are keys.
    keys = sum(1 + _subkeys(key) for _, key in node.member("keys").items())
    named = [each.optional("pubkeys") for each in node.member("steps").elements()]
    of_one_step = max((len(each.sequence()) for each in named if each is not None), default=0)
    for what, count, most in (
        ("steps and inspections", len(steps) + len(inspections), limits.steps),
        ("keys", keys, limits.keys),
        ("keys for one step", of_one_step, limits.keys),
        ("rules", rules, limits.rules),
    ):
        check_count(what, count, most, node)


def _subkeys(node: Node) -> int:
    subkeys = node.optional("subkeys")
    return 0 if subkeys is None else len(subkeys.mapping())


def _expires(node: Node) -> datetime:
    # L3, H2: "YYYY-MM-DDTHH:MM:SSZ", in UTC.
    text = node.string()
    matched = _EXPIRES.fullmatch(text)
    if matched is not None:
        year, month, day, hour, minute, second = map(int, matched.groups())
        with contextlib.suppress(ValueError):  # the 30th of February
            return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    raise node.malformed(
        "this is no date in UTC", expected="YYYY-MM-DDTHH:MM:SSZ", found=shown(text)
    )


def _step(node: Node, limits: Limits) -> Step:
    _check_type(node, "step")  # S1
    _refuse_extensions(node, _EXTENSIONS_OF_STEPS)
    command = node.optional("expected_command")
    step = Step(
        name=check_step_name(node.member("name")),
        threshold=_threshold(node),
        expected_materials=_rules(node.optional("expected_materials"), limits),
        expected_products=_rules(node.optional("expected_products"), limits),
        pubkeys=_keyids(node.optional("pubkeys")),
        expected_command=() if command is None else command.strings(),
        constraints=parse_constraints(node, limits),
        expected_predicates=_predicates(node, limits),
        expected_attributes=_attributes(node, limits),
    )
    # ITE-10: "The original `pubkeys` field is updated to `functionaries`"; "`threshold` applies
    # per predicate type rather than the step as a whole". One that has both says two things.
    if step.expected_predicates and (
        step.pubkeys or step.constraints or step.expected_attributes or step.threshold > 1
    ):
        raise node.malformed(
            "this step asks for links and for statements at once",
            expected="functionaries, a threshold and conditions in each expected predicate alone",
            found="some that are the step's own",
        )
    return step


def _threshold(node: Node) -> int:
    threshold = node.optional("threshold")
    # S3: "MUST be an integer"; what some writers leave out is 1.
    if threshold is None:
        return 1
    if threshold.integer() < 1:
        raise threshold.malformed(
            "a threshold below 1 asks for nobody",
            expected="1 or more",
            found=shown(threshold.value),
        )
    return threshold.integer()


def _keyids(node: Node | None) -> tuple[str, ...]:
    # T2: a functionary who is named twice is still one.
    keyids = [] if node is None else [check_keyid(k.string(), k) for k in node.elements()]
    return tuple(dict.fromkeys(keyids))


def _predicates(node: Node, limits: Limits) -> tuple[ExpectedPredicate, ...]:
    # ITE-10: "expected_predicates: list of expectedStepPredicates"
    listed = _in_one_spelling(node, _PREDICATES)
    return () if listed is None else tuple(_predicate(each, limits) for each in listed.elements())


def _predicate(node: Node, limits: Limits) -> ExpectedPredicate:
    kind = node.member("predicateType")
    if not kind.string(longest=limits.text):
        raise kind.malformed("this names no predicate type", expected="the URI of one")
    functionaries = node.optional("functionaries")
    if functionaries is not None:
        check_count("functionaries", len(functionaries.sequence()), limits.keys, node)
    return ExpectedPredicate(
        predicate_type=kind.string(),
        functionaries=_keyids(functionaries),
        threshold=_threshold(node),
        expected_attributes=_attributes(node, limits),
    )


def _attributes(node: Node, limits: Limits) -> tuple[str, ...]:
    # ITE-11: "expectedAttributes: list of CEL expressions"
    listed = _in_one_spelling(node, _ATTRIBUTES)
    return () if listed is None else tuple(_condition(each, limits) for each in listed.elements())


def _condition(node: Node, limits: Limits) -> str:
    if isinstance(node.value, dict):
        # As the prototype has it. Its two ways to let things pass would each make a signed
        # condition one that need not hold.
        for name in ("allowIfNoClaim", "warn"):
            member = node.optional(name)
            if member is not None and member.value not in (None, False):
                raise LayoutFeatureUnsupported(
                    "the layout has a condition that need not hold",
                    expected=f"a condition without {name!r}",
                    found=f"{name!r}",
                    place=member.place,
                )
        node = node.member("rule")
    if not node.string(longest=limits.text).strip():
        raise node.malformed("this condition says nothing", expected="an expression in CEL")
    return node.string()


def _in_one_spelling(node: Node, names: tuple[str, str]) -> Node | None:
    """The member that has one of ``names``; None where there is none, or it asks for nothing."""
    found = [member for name in names if (member := node.optional(name)) is not None]
    if len(found) > 1:
        raise node.malformed(
            "this has a member in two spellings", expected=f"{names[0]!r} alone", found=f"{names}"
        )
    return found[0] if found and found[0].value not in (None, [], {}) else None


def _inspection(node: Node, limits: Limits) -> Inspection:
    _check_type(node, "inspection")  # I1
    _refuse_extensions(node, _EXTENSIONS_OF_INSPECTIONS)
    run = node.member("run")
    # I3
    if not run.sequence():
        raise run.malformed("an inspection must say what to run", expected="at least one word")
    return Inspection(
        name=check_step_name(node.member("name")),
        expected_materials=_rules(node.optional("expected_materials"), limits),
        expected_products=_rules(node.optional("expected_products"), limits),
        run=run.strings(),
        expected_attributes=_attributes(node, limits),
    )


def _rules(node: Node | None, limits: Limits) -> tuple[Rule, ...]:
    if node is None:
        return ()
    return tuple(parse_rule(rule, limits) for rule in node.elements())


def _check_names(node: Node) -> None:
    # S2, I2: "MUST be unique", across steps and inspections alike.
    seen: set[str] = set()
    for members in ("steps", "inspect"):
        for each in node.member(members).elements():
            name = each.member("name")
            if name.string() in seen:
                raise name.malformed(
                    "two steps or inspections have the same name", found=shown(name.value)
                )
            seen.add(name.string())


def _check_keyids(node: Node, layout: Layout) -> None:
    # K5, K6: steps name keys by keyid. A subkey that is called as somebody else's key is would
    # sign for the steps that are theirs.
    named: dict[str, PublicKey] = {}
    others = layout.identities.keys() | layout.managed.keys()
    for listed in layout.keys.values():
        for key in (listed, *listed.subkeys):
            if key.keyid in others:
                raise node.member("keys").malformed(
                    "a key and an identity have the same keyid", found=shown(key.keyid)
                )
            known = named.setdefault(key.keyid, key)
            if (known.scheme, known.public) != (key.scheme, key.public):
                raise node.member("keys").malformed(
                    "two keys have the same keyid", found=shown(key.keyid)
                )
