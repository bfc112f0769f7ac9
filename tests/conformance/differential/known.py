"""Known differences from the reference in whole chains.

Each is decided by looking at the case, never at what came out. One that is strict is refused
here and accepted there; one that is lenient the other way round; some may be either, because
what a rule does not consume may be forbidden by the next one, or required.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tests.conformance.differential import about_envelopes as envelopes
from tests.conformance.differential import about_layouts as layouts
from tests.conformance.differential import about_links as links
from tests.conformance.differential.known_in_rules import RULE_DIFFERENCES
from tests.conformance.differential.reading import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.differential.papers import Case


class Here(Enum):
    """What this engine does and the reference does not."""

    REFUSED = "refused here, accepted there"
    ACCEPTED = "accepted here, refused there"
    EITHER = "one or the other"


@dataclass(frozen=True, slots=True)
class Difference:
    """One known difference."""

    name: str
    #: Requirement ids.
    ids: tuple[str, ...]
    here: Here
    #: As docs/reference/differences.md has it.
    what: str
    applies: Callable[[View], bool]


def explaining(case: Case, *, refused_here: bool) -> list[str]:
    """Return the names of the differences that the case could show, in this direction."""
    view = View(case)
    wanted = Here.REFUSED if refused_here else Here.ACCEPTED
    return [
        each.name
        for each in DIFFERENCES
        if each.here in {wanted, Here.EITHER} and each.applies(view)
    ]


DIFFERENCES = (
    Difference(
        "unsigned-members",
        ("E2", "L8"),
        Here.REFUSED,
        "members of a Metablock that were added, or left out, after it was signed",
        envelopes.not_understood,
    ),
    Difference(
        "name-of-another-step",
        ("N4",),
        Here.REFUSED,
        "a link whose `name` is another step's",
        links.name_of_another_step,
    ),
    Difference(
        "duplicate-members",
        ("J2", "J3"),
        Here.REFUSED,
        "JSON with members that stand twice, more than 64 levels,"
        " or integers of more than 19 digits",
        envelopes.ambiguous,
    ),
    Difference(
        "deep-nesting",
        ("J4",),
        Here.REFUSED,
        "JSON with members that stand twice, more than 64 levels,"
        " or integers of more than 19 digits",
        envelopes.deep,
    ),
    Difference(
        "long-numbers",
        ("J4",),
        Here.REFUSED,
        "JSON with members that stand twice, more than 64 levels,"
        " or integers of more than 19 digits",
        envelopes.long_number,
    ),
    Difference(
        "mixed-alphabets",
        ("E3",),
        Here.REFUSED,
        "base64 that mixes the standard and the URL-safe alphabet, hex with spaces in it",
        envelopes.two_alphabets,
    ),
    Difference(
        "spaced-hex",
        ("E2",),
        Here.REFUSED,
        "base64 that mixes the standard and the URL-safe alphabet, hex with spaces in it",
        envelopes.spaced_signature,
    ),
    Difference(
        "two-keyids-of-a-key",
        ("K5",),
        Here.REFUSED,
        "a key that is listed under another key id than its own",
        envelopes.two_names_in_key,
    ),
    Difference(
        "short-rsa",
        ("K2",),
        Here.REFUSED,
        "RSA keys shorter than 2048 bits",
        envelopes.short_rsa,
    ),
    Difference(
        "key-counted-twice",
        ("T3", "K4"),
        Here.REFUSED,
        "the same public key under two key ids, counted twice",
        envelopes.key_twice,
    ),
    Difference(
        "odd-keyid",
        ("K5", "N1"),
        Here.REFUSED,
        "key ids of fewer than 8 or more than 128 hex digits",
        envelopes.odd_keyid,
    ),
    Difference(
        "no-expiry",
        ("L3",),
        Here.REFUSED,
        "a layout without `expires`",
        layouts.no_expiry,
    ),
    Difference(
        "no-steps",
        ("L6",),
        Here.REFUSED,
        "a layout without steps",
        layouts.no_steps,
    ),
    Difference(
        "low-threshold",
        ("S3",),
        Here.REFUSED,
        "thresholds of 0, negative ones, `true`",
        layouts.low_threshold,
    ),
    Difference(
        "wrong-type-of-step",
        ("S1", "I1"),
        Here.REFUSED,
        "steps and inspections whose `_type` says otherwise",
        layouts.wrong_item_type,
    ),
    Difference(
        "step-name",
        ("N3", "S2"),
        Here.REFUSED,
        "step names with slashes, or `..`",
        layouts.bad_item_name,
    ),
    Difference(
        "extension",
        ("X1", "L8"),
        Here.REFUSED,
        "members of extensions that restrict what a layout accepts, and are not supported",
        layouts.extension,
    ),
    Difference(
        "command-of-no-words",
        ("L10", "S7"),
        Here.REFUSED,
        "commands that are no lists of strings",
        layouts.commands_of_no_words,
    ),
    Difference(
        "no-value",
        ("Q2",),
        Here.REFUSED,
        "a parameter in a layout for which no values are given",
        layouts.nothing_to_substitute,
    ),
    Difference(
        "parameters-in-sublayout",
        ("Q1", "U1"),
        Here.REFUSED,
        "a parameter in a sublayout, to which no values are given",
        layouts.parameters_in_sublayout,
    ),
    Difference(
        "abnormal-artifact",
        ("P9",),
        Here.REFUSED,
        "artifact names such as `dir/../foo`, `./foo`, `/foo`",
        links.abnormal_artifact,
    ),
    Difference(
        "no-artifacts",
        ("L10",),
        Here.REFUSED,
        "a link without the member `materials` or `products`",
        links.no_artifacts,
    ),
    Difference(
        "malformed-digest",
        ("H1",),
        Here.REFUSED,
        "digests of the wrong length, or an empty set of digests on both sides",
        links.malformed_digest,
    ),
    Difference(
        "command-of-inspection",
        ("I3", "I4"),
        Here.REFUSED,
        "commands of inspections, unless the policy or the command line names them",
        layouts.command,
    ),
    Difference(
        "overlooked-files",
        ("I6",),
        Here.EITHER,
        "inspections that overlook `*.pyc`, `*.link*`, `.git` and `*~`",
        layouts.overlooked,
    ),
    Difference(
        "widening-value",
        ("Q3",),
        Here.EITHER,
        "values of parameters that act as patterns",
        layouts.widening_value,
    ),
    Difference(
        "format-syntax",
        ("Q2", "Q4"),
        Here.EITHER,
        "braces that are no `{NAME}` are characters like any others",
        layouts.format_syntax,
    ),
    Difference(
        "unknown-members",
        ("E2", "L8"),
        Here.ACCEPTED,
        "unknown members in a signed Metablock",
        envelopes.not_understood,
    ),
    Difference(
        "float",
        ("J2",),
        Here.ACCEPTED,
        "a number that is no integer, in what nobody reads of a DSSE envelope",
        envelopes.float_inside,
    ),
    Difference(
        "padding",
        ("E3",),
        Here.ACCEPTED,
        "base64 without its padding",
        envelopes.without_padding,
    ),
    Difference(
        "wrong-hint",
        ("E7",),
        Here.ACCEPTED,
        "signatures without a key id, or with one that two keys share",
        envelopes.hint_is_wrong,
    ),
    Difference(
        "same-hint-twice",
        ("E6", "E7"),
        Here.ACCEPTED,
        "several signatures with one key id, each of which is tried",
        envelopes.same_hint_twice,
    ),
    Difference(
        "malformed-signature",
        ("T1", "V4"),
        Here.ACCEPTED,
        "something among the signatures that is none, beside good ones",
        envelopes.malformed_signature,
    ),
    Difference(
        "openpgp-signature",
        ("K6", "V4"),
        Here.ACCEPTED,
        "an OpenPGP signature in the name of a key of another kind",
        envelopes.openpgp_signature,
    ),
    Difference(
        "no-keyid-in-key",
        ("K1",),
        Here.ACCEPTED,
        "a key without a key id of its own inside",
        envelopes.no_name_in_key,
    ),
    Difference(
        "unknown-key",
        ("K3",),
        Here.ACCEPTED,
        "a key of an unknown kind that nobody needs",
        envelopes.unknown_key,
    ),
    Difference(
        "expires-now",
        ("L3",),
        Here.ACCEPTED,
        "a layout in the second in which it expires",
        layouts.expires_now,
    ),
    Difference(
        "readme-null",
        ("L4",),
        Here.ACCEPTED,
        "`null` for a readme, byproducts or environment in a DSSE envelope",
        layouts.readme_is_null,
    ),
    Difference(
        "opaque-null",
        ("L10",),
        Here.ACCEPTED,
        "`null` for a readme, byproducts or environment in a DSSE envelope",
        links.opaque_null,
    ),
    Difference(
        "place",
        ("N1", "N2", "U2"),
        Here.ACCEPTED,
        "links and layouts under any file name, and links with several signatures",
        links.place_is_no_matter,
    ),
    Difference(
        "root-elsewhere",
        ("N1",),
        Here.ACCEPTED,
        "links and layouts under any file name, and links with several signatures",
        links.root_elsewhere,
    ),
    Difference(
        "dissent",
        ("T2",),
        Here.ACCEPTED,
        "valid links of one step that disagree, when those that agree meet the threshold",
        links.dissent,
    ),
    Difference(
        "unreadable-link",
        ("T1", "V4"),
        Here.ACCEPTED,
        "one broken link among enough good ones",
        links.unreadable_beside_others,
    ),
    Difference(
        "failing-sublayout",
        ("T1", "U1"),
        Here.ACCEPTED,
        "one sublayout that fails, when enough others verify",
        links.sublayout_beside_others,
    ),
    *(
        Difference(each.name, each.ids, Here.EITHER, each.what, links.in_rules(each))
        for each in RULE_DIFFERENCES
    ),
)
