"""Every finding of lint: a layout that has it, beside one that has none."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from fixtures.keys import key
from fixtures.openpgp import CREATED, YEAR, OpenPGPKey
from pip_intoto.errors import MetadataTooLarge
from pip_intoto.limits import DEFAULT, Limits
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.layout_source import parse_source
from pip_intoto.maintainer.layouts.lint import CODES, Severity, lint
from pip_intoto.maintainer.layouts.owners import Owners, principals_of
from pip_intoto.metadata.identities import Identity
from pip_intoto.metadata.keys import PublicKey, load_pem, parse_key
from pip_intoto.metadata.layout import ExpectedPredicate, Inspection, parse_layout
from pip_intoto.metadata.link import parse_link
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.rules import parse_rule
from pip_intoto.verification.trust import Owner
from tests.unit.maintainer.sources import BUILD, GOOD, HEAD, NOW, SOURCE, WHEEL
from tests.unit.metadata.test_openpgp import dsa_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.layouts.layout_source import LayoutSource
    from pip_intoto.maintainer.layouts.lint import Finding
    from pip_intoto.metadata.layout import Layout
    from pip_intoto.metadata.link import Link
    from pip_intoto.metadata.strict_json import JsonValue

_PEMS = {name: key(name).public_pem().decode() for name in ("alice", "ben", "carl", "dora")}
MORE_KEYS = '\n[keys.dora]\npublic = "keys/dora.pub"\n'


def findings(
    text: str, links: Sequence[Link] = (), now: datetime = NOW, pems: Mapping[str, str] = _PEMS
) -> tuple[Finding, ...]:
    """Lint a source whose keys stand in it."""
    for name, pem in pems.items():
        text = text.replace(f'"keys/{name}.pub"', json.dumps(pem))
    source = parse_source(text.encode(), Path("supply-chain.toml"))
    return lint(
        compile_layout(source, now=NOW)[1],
        now=now,
        project=source.project,
        owners=Owners.of_source(source).trusted,
        principals=principals_of(source),
        links=links,
    )


def changed(before: str, after: str, text: str = GOOD) -> str:
    assert before in text
    return text.replace(before, after)


def codes(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.place) for finding in found]


def only(found: Sequence[Finding]) -> Finding:
    assert len(found) == 1, codes(found)
    return found[0]


def layout() -> Layout:
    text = GOOD
    for name, pem in _PEMS.items():
        text = text.replace(f'"keys/{name}.pub"', json.dumps(pem))
    return compile_layout(parse_source(text.encode(), Path("supply-chain.toml")), now=NOW)[1]


def link(
    name: str, materials: Mapping[str, str] | None = None, products: Mapping[str, str] | None = None
) -> Link:
    before, after = (
        {each: {"sha256": digest * 64} for each, digest in (names or {}).items()}
        for names in (materials, products)
    )
    return parse_link(Node(authoring.link(name, materials=before, products=after)), DEFAULT)


def test_a_good_layout_has_no_findings() -> None:
    assert findings(GOOD) == ()


def test_a_finding_says_what_why_and_what_instead() -> None:
    for finding in findings(changed('"CREATE demo-*.whl", "DISALLOW *"', '"ALLOW *"')):
        assert finding.what
        assert finding.why.endswith(".")
        assert finding.instead


# --- expiry -----------------------------------------------------------------------------------


def test_expired() -> None:
    end = NOW.replace(year=2027)
    assert findings(GOOD, now=end - timedelta(days=31)) == ()
    found = only(findings(GOOD, now=end + timedelta(seconds=1)))
    assert (found.code, found.severity, found.place) == ("expired", Severity.ERROR, "layout")


def test_L3_a_layout_is_still_valid_at_the_very_moment() -> None:
    assert only(findings(GOOD, now=NOW.replace(year=2027))).code == "expires-soon"


def test_expires_soon() -> None:
    found = only(findings(changed("1 year", "29 days")))
    assert (found.code, found.severity) == ("expires-soon", Severity.WARNING)
    assert "in 29 days" in found.what
    assert findings(changed("1 year", "30 days")) == ()


def test_expires_late() -> None:
    assert findings(changed("1 year", "2 years")) == ()
    found = only(findings(changed("1 year", "3 years")))
    assert (found.code, found.severity) == ("expires-late", Severity.WARNING)


def test_a_layout_that_a_consumer_holds_has_no_end_and_names_any_file() -> None:
    good = layout()
    end = good.expires.replace(year=9999)
    allow = tuple(
        parse_rule(Node([*rule])) for rule in (("ALLOW", "{filename}"), ("DISALLOW", "*"))
    )
    predicate = ExpectedPredicate(
        predicate_type=TEST_RESULT, functionaries=(good.steps[0].pubkeys[0],)
    )
    step = replace(
        good.steps[0], pubkeys=(), expected_predicates=(predicate,), expected_materials=allow,
        expected_products=(),
    )  # fmt: skip
    held = replace(good, expires=end, steps=(step,), inspections=())
    found = {each.code for each in lint(held, now=NOW, project="demo")}
    assert found == {"one-party", "unused-key", "wheel-not-inspected"}


# --- people -----------------------------------------------------------------------------------


def test_threshold_unreachable() -> None:
    text = changed('functionaries = ["carl"]', 'functionaries = ["carl", "dora"]\nthreshold = 2')
    assert findings(text + MORE_KEYS) == ()
    found = only(findings(changed("threshold = 2", "threshold = 3", text) + MORE_KEYS))
    assert (found.code, found.severity) == ("threshold-unreachable", Severity.ERROR)
    assert (found.place, found.what) == ("step build", "3 parties must sign, and there are 2")


def test_keys_of_one_principal_count_once() -> None:
    text = changed('functionaries = ["carl"]', 'functionaries = ["carl", "dora"]\nthreshold = 2')
    text += MORE_KEYS + 'principal = "carl"\n'
    assert only(findings(text)).what == "2 parties must sign, and there is 1"


def test_T3_one_key_under_two_ids_counts_once() -> None:
    step = layout().steps[1]
    carl = key("carl").public_key
    twice = replace(
        layout(),
        keys={**layout().keys, "ab" * 32: replace(carl, keyid="ab" * 32)},
        steps=(layout().steps[0], replace(step, pubkeys=(carl.keyid, "ab" * 32), threshold=2)),
    )
    found = only(lint(twice, now=NOW, project="demo"))
    assert (found.code, found.what) == (
        "threshold-unreachable",
        "2 parties must sign, and there is 1",
    )


def test_K6_several_subkeys_of_one_master_count_once() -> None:
    master = OpenPGPKey(name="m", subkeys=(OpenPGPKey(name="s"), OpenPGPKey(name="t")))
    text = changed('functionaries = ["carl"]', 'functionaries = ["carl"]\nthreshold = 2')
    found = findings(text, pems={**_PEMS, "carl": json.dumps(master.described())})
    assert ("threshold-unreachable", "step build") in codes(found)


def test_a_step_that_nobody_can_carry_out() -> None:
    steps = (layout().steps[0], replace(layout().steps[1], pubkeys=()))
    found = lint(replace(layout(), steps=steps), now=NOW, project="demo")
    assert "nobody can carry out this step" in [each.what for each in found]


def test_unknown_functionary() -> None:
    step = layout().steps[1]
    steps = (layout().steps[0], replace(step, pubkeys=(*step.pubkeys, "cd" * 32)))
    found = only(lint(replace(layout(), steps=steps), now=NOW, project="demo"))
    assert (found.code, found.severity, found.place) == (
        "unknown-functionary",
        Severity.ERROR,
        "step build",
    )


def test_unused_key() -> None:
    dora = key("dora").public_key
    more = replace(layout(), keys={**layout().keys, dora.keyid: dora})
    found = only(lint(more, now=NOW, project="demo"))
    assert (found.code, found.severity) == ("unused-key", Severity.NOTE)
    assert found.place == f"key {dora.keyid[:8]}"


def test_K3_unusable_key() -> None:
    carl = key("carl").keyid
    strange = PublicKey(keyid=carl, keytype="rot13", scheme="rot13", public="")
    found = lint(replace(layout(), keys={**layout().keys, carl: strange}), now=NOW, project="demo")
    assert codes(found) == [
        ("unusable-key", f"key {carl[:8]}"),
        ("threshold-unreachable", "step build"),
    ]
    assert {each.severity for each in found} == {Severity.ERROR}


def _rsa(bits: int) -> str:
    public = rsa.generate_private_key(65537, bits).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_K2_weak_key() -> None:
    found = only(findings(GOOD, pems={**_PEMS, "carl": _rsa(2048)}))
    assert (found.code, found.severity) == ("weak-key", Severity.WARNING)
    assert found.what == "carl has an RSA key of 2048 bits"


def test_K2_a_dsa_key_is_weak() -> None:
    carl = key("carl").keyid
    dsa = parse_key(Node(dsa_key(2048)), str(dsa_key(2048)["keyid"]))
    keys = {**layout().keys, carl: replace(dsa, keyid=carl)}
    found = only(lint(replace(layout(), keys=keys), now=NOW, project="demo"))
    assert (found.code, found.severity) == ("weak-key", Severity.WARNING)
    assert found.what.endswith("has a DSA key")


def test_K2_an_rsa_key_of_3072_bits_is_not_weak() -> None:
    assert findings(GOOD, pems={**_PEMS, "carl": _rsa(3072)}) == ()


def test_key_expires_first() -> None:
    ends_in = int(NOW.timestamp()) - CREATED
    for validity, expected in ((ends_in + YEAR // 2, 1), (ends_in + 2 * YEAR, 0), (0, 0)):
        pgp = OpenPGPKey(name="pgp", validity=validity)
        found = findings(GOOD, pems={**_PEMS, "carl": json.dumps(pgp.described())})
        assert [each.code for each in found] == ["key-expires-first"] * expected


def test_one_party() -> None:
    found = only(findings(changed('functionaries = ["carl"]', 'functionaries = ["ben"]')))
    assert (found.code, found.severity, found.place) == ("one-party", Severity.WARNING, "layout")
    assert found.what == "ben can carry out the whole chain alone"


def test_nobody_is_alone_where_a_threshold_asks_for_two() -> None:
    text = changed('functionaries = ["ben"]', 'functionaries = ["ben", "carl"]\nthreshold = 2')
    assert findings(text) == ()


_TESTED = """\

[[step]]
name = "test"
functionaries = ["dora"]
materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]
products = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]
"""


def test_shared_key() -> None:
    text = GOOD + _TESTED + MORE_KEYS
    assert findings(text) == ()
    both = changed('functionaries = ["carl"]', 'functionaries = ["ben", "carl"]', text)
    found = only(findings(both))
    assert (found.code, found.severity, found.place) == (
        "shared-key",
        Severity.WARNING,
        "step build",
    )
    assert found.what == "ben may also carry out the step source, which this one builds on"


def test_later_steps_are_often_carried_out_in_one_place() -> None:
    text = changed('functionaries = ["dora"]', 'functionaries = ["carl"]', GOOD + _TESTED)
    found = only(findings(text))
    assert (found.code, found.severity, found.place) == ("shared-key", Severity.NOTE, "step test")


def test_owner_is_functionary() -> None:
    found = only(findings(changed('functionaries = ["carl"]', 'functionaries = ["alice"]')))
    assert (found.code, found.severity, found.place) == (
        "owner-is-functionary",
        Severity.WARNING,
        "step build",
    )


@pytest.mark.parametrize("owner", ["master", "subkey"])
def test_K6_an_owner_whose_other_key_carries_out_a_step_is_functionary(owner: str) -> None:
    described = OpenPGPKey(name="m", subkeys=(OpenPGPKey(name="s"),)).described()
    master = parse_key(Node(described), str(described["keyid"]))
    keys = {"master": master, "subkey": master.subkeys[0]}
    other = next(each for name, each in keys.items() if name != owner)
    step = replace(layout().steps[1], pubkeys=(other.keyid,))
    changed = replace(
        layout(), keys={**layout().keys, master.keyid: master}, steps=(layout().steps[0], step)
    )
    owners = (Owner(key=keys[owner], principal="olga"),)
    found = lint(changed, now=NOW, project="demo", owners=owners)
    assert ("owner-is-functionary", "step build") in codes(found)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("build*", "has characters of patterns in it, which other tools expand"),
        ("a<b", "has characters that no file on Windows can have"),
        ("con", "is that of a device on Windows"),
        ("-rf", "begins or ends with what shells and tools take for something else"),
        ("bäume", "can be spelled in several ways: file systems may change it"),
    ],
)
def test_link_name(name: str, what: str) -> None:
    text = changed('name = "build"', f'name = "{name}"').replace("FROM build", f"FROM '{name}'")
    found = only(findings(text))
    assert (found.code, found.what) == ("link-name", f"the name of this step {what}")


def test_link_names_that_differ_only_in_capitals() -> None:
    text = changed('name = "build"', 'name = "Source"').replace("FROM build", "FROM Source")
    assert only(findings(text)).what == "the step source differs from this one only in capitals"


def test_N2_two_keys_whose_links_would_have_one_name() -> None:
    carl = key("carl").public_key
    dora = replace(key("dora").public_key, keyid=carl.keyid[:8] + "ef" * 28)
    step = replace(layout().steps[1], pubkeys=(carl.keyid, dora.keyid))
    more = replace(
        layout(),
        keys={**layout().keys, dora.keyid: dora},
        steps=(layout().steps[0], step),
    )
    found = only(lint(more, now=NOW, project="demo"))
    assert (found.code, found.place) == ("link-name", "step build")


# --- rules ------------------------------------------------------------------------------------


def test_R8_open_rules() -> None:
    found = only(findings(changed('"CREATE demo-*.whl", "DISALLOW *"', '"CREATE demo-*.whl"')))
    assert (found.code, found.severity, found.place) == (
        "open-rules",
        Severity.ERROR,
        "step build, products",
    )
    assert found.instead == 'products = […, "DISALLOW *"]'


def test_open_rules_do_less_harm_where_the_chain_begins() -> None:
    found = only(findings(changed('materials = ["DISALLOW *"]\n', "")))
    assert (found.code, found.severity, found.place) == (
        "open-rules",
        Severity.WARNING,
        "step source, materials",
    )
    assert found.what.endswith(": there are none")


def test_R4_where_the_chain_begins_anything_may_be_allowed() -> None:
    found = only(findings(changed('materials = ["DISALLOW *"]', 'materials = ["ALLOW *"]')))
    assert (found.code, found.severity) == ("open-rules", Severity.WARNING)


def test_open_rules_do_less_harm_where_the_file_was_tied_before() -> None:
    text = changed(
        'materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]',
        'materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build"]',
    )
    found = only(findings(text))
    assert (found.code, found.severity, found.place) == (
        "open-rules",
        Severity.WARNING,
        "inspection wheel, materials",
    )


@pytest.mark.parametrize("stars", ["*", "**"])
def test_allows_everything(stars: str) -> None:
    text = changed('"MATCH * WITH PRODUCTS FROM source", ', f'"ALLOW {stars}", ')
    found = findings(text)
    assert ("allows-everything", "step build, materials[0]") in codes(found)
    assert all(each.code != "open-rules" for each in found)


def test_allows_everything_that_is_new_in_the_last_step() -> None:
    found = findings(changed("CREATE demo-*.whl", "CREATE *"))
    assert codes(found) == [("allows-everything", "step build, products[0]")]
    assert found[0].severity is Severity.WARNING
    # What the source is, its author says.
    assert findings(changed("CREATE src/*", "CREATE *")) != found


def test_allows_everything_that_comes_out_of_the_file() -> None:
    found = findings(changed('    "ALLOW wheel/demo-*.dist-info/WHEEL",', '    "CREATE *",'))
    assert ("allows-everything", "inspection wheel, products[3]") in codes(found)


def test_a_star_behind_disallow_is_no_open_list() -> None:
    text = changed(
        '"CREATE demo-*.whl", "DISALLOW *"', '"CREATE demo-*.whl", "DISALLOW *", "ALLOW *"'
    )
    assert codes(findings(text)) == [("unreachable-rule", "step build, products[2]")]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("CREATE src/*", "CREATE src/*"),
        ("CREATE src/*", "CREATE src/demo.py"),
        ("ALLOW src/*", "DISALLOW src/*.py"),
        ("ALLOW src/*", "CREATE src/*"),
        ("DISALLOW src/*", "CREATE src/a"),
        ("CREATE src/a", "CREATE src/a"),
        ("MODIFY *.py", "MODIFY src/*.py"),
        ("ALLOW src/*", "MATCH *.py IN src WITH PRODUCTS FROM build"),
    ],
)
def test_unreachable_rule(earlier: str, later: str) -> None:
    text = changed('"CREATE src/*"', f'"{earlier}", "{later}"')
    found = [each for each in findings(text) if each.code == "unreachable-rule"]
    assert [each.place for each in found] == ["step source, products[1]"]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("CREATE src/*.py", "CREATE src/*"),
        ("CREATE src/*", "ALLOW src/*"),
        ("CREATE src/*", "MODIFY src/*"),
        ("REQUIRE src/a", "CREATE src/*"),
        ("DISALLOW src/b*", "CREATE src/*"),
        ("ALLOW src/*", "MATCH src/* IN lib WITH PRODUCTS FROM build"),
    ],
)
def test_a_rule_that_finds_something_is_reachable(earlier: str, later: str) -> None:
    text = changed('"CREATE src/*"', f'"{earlier}", "{later}"')
    assert "unreachable-rule" not in {each.code for each in findings(text)}


def test_matches_with_other_places_are_other_rules() -> None:
    rule = "MATCH demo/* IN wheel WITH PRODUCTS IN src FROM source"
    again = changed(f'"{rule}"', f'"{rule}", "{rule.replace("IN src", "IN lib")}"')
    assert findings(again) == ()
    wider = changed(f'"{rule}"', f'"{rule.replace("demo/*", "demo/x*")}", "{rule}"')
    assert findings(wider) == ()
    twice = changed(f'"{rule}"', f'"{rule}", "{rule.replace("demo/*", "demo/x")}"')
    assert codes(findings(twice)) == [("unreachable-rule", "inspection wheel, products[2]")]


def test_R6_require_never_met() -> None:
    text = changed('"CREATE src/*"', '"ALLOW src/*", "REQUIRE src/demo.py"')
    found = only(findings(text))
    assert (found.code, found.severity, found.place) == (
        "require-never-met",
        Severity.ERROR,
        "step source, products[1]",
    )


def test_R6_require_comes_first() -> None:
    assert findings(changed('"CREATE src/*"', '"REQUIRE src/demo.py", "CREATE src/*"')) == ()


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("MATCH * WITH PRODUCTS FROM source", "CREATE lib/*", "step build, materials[0]"),
        ("CREATE demo-*.whl", 'DELETE tmp/*", "CREATE demo-*.whl', "step build, products[0]"),
        ("ALLOW wheel/demo-*.dist-info/RECORD", "ALLOW weel/RECORD",
         "inspection wheel, products[4]"),
        ("demo/* IN wheel", "demo/* IN whl", "inspection wheel, products[1]"),
    ],
)  # fmt: skip
def test_rule_without_effect(before: str, after: str, place: str) -> None:
    assert ("rule-without-effect", place) in codes(findings(changed(before, after)))


def test_R11_match_unknown_step() -> None:
    found = findings(
        changed(
            'FROM source", "DISALLOW *"]\nproducts = ["CREATE demo',
            'FROM sauce", "DISALLOW *"]\nproducts = ["CREATE demo',
        )
    )
    assert codes(found) == [("match-unknown-step", "step build, materials[0]")]
    assert found[0].severity is Severity.ERROR


def test_a_step_cannot_match_an_inspection() -> None:
    found = findings(changed('["CREATE demo', '["MATCH x WITH PRODUCTS FROM wheel", "CREATE demo'))
    assert codes(found) == [("match-unknown-step", "step build, products[0]")]
    assert "comes after all steps" in found[0].what


def test_an_inspection_may_match_an_earlier_one() -> None:
    second = WHEEL.replace('name = "wheel"', 'name = "again"').replace(
        "ALLOW wheel/demo-*.dist-info/METADATA",
        "MATCH * IN wheel WITH PRODUCTS IN wheel FROM wheel",
    )
    assert findings(GOOD + second) == ()


def test_match_later_step() -> None:
    found = findings(
        changed(
            'materials = ["DISALLOW *"]',
            'materials = ["MATCH * WITH PRODUCTS FROM build", "DISALLOW *"]',
        )
    )
    assert codes(found) == [("match-later-step", "step source, materials[0]")]
    assert found[0].severity is Severity.WARNING


def test_match_itself() -> None:
    found = findings(changed('["CREATE demo', '["MATCH x WITH PRODUCTS FROM build", "CREATE demo'))
    assert codes(found) == [("match-itself", "step build, products[0]")]
    # Its own materials are something else: unchanged.
    unchanged = changed('["CREATE demo', '["MATCH x WITH MATERIALS FROM build", "CREATE demo')
    assert findings(unchanged) == ()
    # So is what is called otherwise.
    renamed = changed(
        '["CREATE demo', '["MATCH x IN a WITH PRODUCTS IN b FROM build", "CREATE demo'
    )
    assert findings(renamed) == ()


def test_unconnected_step() -> None:
    alone = BUILD.replace('"build"', '"lint"').replace(
        "MATCH * WITH PRODUCTS FROM source", "MATCH x WITH MATERIALS FROM lint"
    )
    text = changed(SOURCE, SOURCE + alone.replace("FROM lint", "FROM lint"))
    assert ("unconnected-step", "step lint") in codes(findings(text))


def test_a_chain_of_one_step_is_connected() -> None:
    text = (
        changed(SOURCE, "")
        .replace("MATCH * WITH PRODUCTS FROM source", "DISALLOW x")
        .replace("IN src FROM source", "FROM build")
    )
    assert "unconnected-step" not in {each.code for each in findings(text)}


def test_unbound_materials() -> None:
    text = changed(
        '"MATCH * WITH PRODUCTS FROM source"',
        '"MATCH * WITH PRODUCTS FROM source", "ALLOW setup.cfg"',
    )
    found = only(findings(text))
    assert (found.code, found.place) == ("unbound-materials", "step build, materials[1]")
    assert found.instead == "MATCH setup.cfg WITH PRODUCTS FROM source"
    # Before the first step there is none that could have made it.
    first = changed('materials = ["DISALLOW *"]', 'materials = ["ALLOW setup.cfg", "DISALLOW *"]')
    assert findings(first) == ()


# --- the wheel --------------------------------------------------------------------------------


def test_dist_info_pattern() -> None:
    found = only(
        findings(
            changed("ALLOW wheel/demo-*.dist-info/METADATA", "ALLOW wheel/*.dist-info/*")
            .replace('    "ALLOW wheel/demo-*.dist-info/WHEEL",\n', "")
            .replace('    "ALLOW wheel/demo-*.dist-info/RECORD",\n', "")
        )
    )
    assert (found.code, found.severity, found.place) == (
        "dist-info-pattern",
        Severity.ERROR,
        "inspection wheel, products[2]",
    )


@pytest.mark.parametrize(
    "rule",
    ["ALLOW wheel/demo/*", "ALLOW wheel/*.pth", "ALLOW wheel/demo-*.dist-info/entry_points.txt",
     "CREATE wheel/demo/*.py"],
)  # fmt: skip
def test_unbound_members(rule: str) -> None:
    text = changed("ALLOW wheel/demo-*.dist-info/METADATA", rule)
    found = only(findings(text))
    assert (found.code, found.place) == ("unbound-members", "inspection wheel, products[2]")


def test_unbound_members_in_a_folder_that_pip_spreads_out() -> None:
    rule = "ALLOW wheel/_fast.*.so"
    text = changed("ALLOW wheel/demo-*.dist-info/METADATA", rule)
    found = only(findings(text))
    assert (found.code, found.severity) == ("unbound-members", Severity.WARNING)
    assert "wheel/_fast.*.data/*" in found.what
    for before in ("wheel/_f*data/*", "wheel/_fast.*data/*", "wheel/_f*/*"):
        assert findings(changed(rule, f'DISALLOW {before}", "{rule}', text)) == ()
    # `_fast.data/` is another one.
    assert findings(changed(rule, f'DISALLOW wheel/_fast.*.data/*", "{rule}', text))


@pytest.mark.parametrize("name", ["demo/_fast.*.so", "_fast.abi3.so", "_f[ab]st.so"])
def test_members_that_are_in_no_such_folder(name: str) -> None:
    text = changed("ALLOW wheel/demo-*.dist-info/METADATA", f"ALLOW wheel/{name}")
    assert findings(text) == ()


def test_the_file_itself_may_be_allowed_beside_its_members() -> None:
    text = changed('"MATCH demo-*.whl WITH PRODUCTS FROM build",\n', '"ALLOW demo-*",\n')
    assert findings(text) == ()


def test_inspection_not_native() -> None:
    text = changed('["unzip", "-q", "demo-*.whl", "-d", "wheel"]', '["sh", "check.sh"]')
    found = only(findings(text))
    assert (found.code, found.severity, found.place) == (
        "inspection-not-native",
        Severity.WARNING,
        "inspection wheel",
    )


@pytest.mark.parametrize(
    "run",
    [
        ["unzip", "other-*.whl", "-d", "wheel"],
        # Nobody but unzip takes it for a pattern.
        ["python", "-m", "zipfile", "-e", "demo-*.whl", "wheel"],
    ],
)
def test_inspection_of_other_file(run: list[str]) -> None:
    text = changed('["unzip", "-q", "demo-*.whl", "-d", "wheel"]', json.dumps(run))
    found = only(findings(text))
    assert (found.code, found.severity) == ("inspection-of-other-file", Severity.ERROR)


def test_inspection_forbids_file() -> None:
    text = changed('    "MATCH demo-*.whl WITH PRODUCTS FROM build",\n', "")
    found = only(findings(text))
    assert (found.code, found.severity, found.place) == (
        "inspection-forbids-file",
        Severity.ERROR,
        "inspection wheel, products[4]",
    )


NO_INSPECTION = GOOD.replace(WHEEL, "")


def test_wheel_not_inspected() -> None:
    found = only(findings(NO_INSPECTION))
    assert (found.code, found.severity, found.place) == (
        "wheel-not-inspected",
        Severity.NOTE,
        "step build",
    )


@pytest.mark.parametrize(
    "rules",
    [
        '["CREATE build/*", "DISALLOW *"]',
        '["DISALLOW *", "CREATE demo-*.whl"]',
        '["REQUIRE demo.txt", "DISALLOW *"]',
        '["CREATE other-*.whl", "DISALLOW *"]',
        '["DISALLOW *"]',
    ],
)
def test_file_not_carried_by_the_last_step(rules: str) -> None:
    text = changed('["CREATE demo-*.whl", "DISALLOW *"]', rules, NO_INSPECTION).replace(
        "MATCH * WITH", "MATCH src/* WITH"
    )
    found = [each for each in findings(text) if each.code == "file-not-carried"]
    if "build/*" in rules:
        # The wheel may be made there.
        assert found == []
        return
    assert [(each.severity, each.place) for each in found] == [(Severity.ERROR, "step build")]


@pytest.mark.parametrize(
    "rules",
    [
        '["CREATE dist/demo-*.whl", "DISALLOW *"]',
        '["CREATE demo-1.*", "DISALLOW *"]',
        '["CREATE demo-{VERSION}-py3-none-any.whl", "DISALLOW *"]',
        '["CREATE Demo-*.whl", "DISALLOW *"]',
        '["CREATE demo-*.tar.gz", "DISALLOW *"]',
        '["DISALLOW *.exe", "ALLOW demo-*", "DISALLOW *"]',
        '["MATCH demo-*.whl WITH MATERIALS FROM build", "DISALLOW *"]',
    ],
)
def test_the_last_step_carries_the_file(rules: str) -> None:
    text = changed('["CREATE demo-*.whl", "DISALLOW *"]', rules, NO_INSPECTION)
    assert [each.code for each in findings(text)] == ["wheel-not-inspected"]


def test_the_last_step_may_carry_the_file_as_a_material() -> None:
    text = changed('"CREATE demo-*.whl", "DISALLOW *"', '"DISALLOW *"', GOOD.replace(WHEEL, ""))
    approved = """

[[step]]
name = "approve"
functionaries = ["dora"]
materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]
products = ["DISALLOW *"]
"""
    assert "file-not-carried" in {each.code for each in findings(text)}
    assert [each.code for each in findings(NO_INSPECTION + approved + MORE_KEYS)] == [
        "wheel-not-inspected"
    ]


def test_file_not_carried_by_an_inspection() -> None:
    found = findings(
        changed(
            'materials = ["MATCH demo-*.whl WITH PRODUCTS FROM build"',
            'materials = ["ALLOW demo-*.whl", "MATCH demo-*.whl WITH PRODUCTS FROM build"',
        )
    )
    assert ("file-not-carried", "inspection wheel, materials") in codes(found)


@pytest.mark.parametrize("pattern", ["*.whl", "*", "dist/*", "[a-z]*-1.0.whl", "demo*.whl"])
def test_not_scoped(pattern: str) -> None:
    found = findings(changed("CREATE demo-*.whl", f"CREATE {pattern}", NO_INSPECTION))
    assert ("not-scoped", "step build, products[0]") in codes(found)


DEMO_PKG = NO_INSPECTION.replace('project = "demo"', 'project = "demo-pkg"')


@pytest.mark.parametrize(
    "pattern", ["demo_pkg-*", "demo-pkg-*", "Demo.Pkg-*.whl", "dist/demo_pkg-1*"]
)
def test_every_spelling_of_the_name_is_a_scope(pattern: str) -> None:
    found = findings(changed("demo-*.whl", pattern, DEMO_PKG))
    assert [each.code for each in found] == ["wheel-not-inspected"]


@pytest.mark.parametrize("pattern", ["demo[-_]pkg-*", "demo[_-]pkg-*.whl", "[Dd]emo_pkg-*"])
def test_scope_in_brackets(pattern: str) -> None:
    found = findings(changed("demo-*.whl", pattern, DEMO_PKG))
    assert [each.code for each in found] == ["scope-in-brackets", "wheel-not-inspected"]
    assert {each.severity for each in found} == {Severity.NOTE}


def test_without_a_project_any_name_is_a_scope() -> None:
    assert lint(layout(), now=NOW) == ()
    first, build = layout().steps
    rules = parse_rule(Node(["CREATE", "*.whl"])), parse_rule(Node(["DISALLOW", "*"]))
    open_to_all = replace(
        layout(), steps=(first, replace(build, expected_products=rules)), inspections=()
    )
    assert ("not-scoped", "step build, products[0]") in codes(lint(open_to_all, now=NOW))


# --- links at hand ----------------------------------------------------------------------------

FITTING = (
    link("source", products={"src/demo/a.py": "1", "pyproject.toml": "2"}),
    link(
        "build",
        materials={"src/demo/a.py": "1", "pyproject.toml": "2"},
        products={"demo-1.0-py3-none-any.whl": "3"},
    ),
)


def test_links_that_fit_have_no_findings() -> None:
    assert findings(GOOD, FITTING) == ()


def test_matches_nothing() -> None:
    text = changed('"CREATE src/*"', '"CREATE src/*", "CREATE lib/*"')
    assert findings(text) == ()
    found = only(findings(text, FITTING))
    assert (found.code, found.severity, found.place) == (
        "matches-nothing",
        Severity.WARNING,
        "step source, products[1]",
    )
    assert "pyproject.toml" in found.instead


def test_matches_nothing_where_it_should_be_found() -> None:
    text = changed("IN src FROM source", "IN lib FROM source")
    found = only(findings(text, FITTING))
    assert (found.code, found.place) == ("matches-nothing", "inspection wheel, products[1]")


def test_unbound_artifact() -> None:
    text = changed('"CREATE pyproject.toml", "DISALLOW *"', '"CREATE setup.py"')
    found = [each for each in findings(text, FITTING) if each.code == "unbound-artifact"]
    assert [each.place for each in found] == ["step source, products"]
    assert "'pyproject.toml'" in found[0].what


def test_links_break_rule() -> None:
    source = link("source", products={"src/demo/a.py": "1", "pyproject.toml": "2", "evil": "6"})
    found = only(findings(GOOD, (source, FITTING[1])))
    assert (found.code, found.severity, found.place) == (
        "links-break-rule",
        Severity.WARNING,
        "step source, products",
    )
    assert "'evil'" in found.what


def test_what_parameters_will_be_is_not_guessed() -> None:
    text = changed("CREATE demo-*.whl", "CREATE demo-{VERSION}-*.whl")
    assert findings(text, FITTING) == ()


def test_links_of_other_steps_say_nothing() -> None:
    assert findings(GOOD, (link("nothing", products={"x": "1"}),)) == ()


# --- all of them ------------------------------------------------------------------------------


def test_every_code_has_a_test_that_names_it() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [code for code in CODES if f'"{code}"' not in text] == []
    assert sorted(CODES) == list(CODES)


def test_every_code_is_documented() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "reference", "lint.md").read_text("utf-8")
    documented = [line[5:-1] for line in page.splitlines() if line.startswith("### `")]
    assert sorted(documented) == list(CODES)


def test_too_much_work_is_refused() -> None:
    with pytest.raises(MetadataTooLarge):
        lint(layout(), now=NOW, project="demo", limits=Limits(pattern_matches=10))


_WORDS = st.text("ab*?[]-/.{}", min_size=1, max_size=6) | st.sampled_from(
    ["demo-*.whl", "source", "build", "wheel/*", "*", "x" * 30]
)
_RULES = st.one_of(
    st.tuples(
        st.sampled_from(["CREATE", "DELETE", "MODIFY", "ALLOW", "DISALLOW", "REQUIRE"]), _WORDS
    ),
    st.tuples(
        st.just("MATCH"), _WORDS, st.just("IN"), _WORDS, st.just("WITH"),
        st.sampled_from(["MATERIALS", "PRODUCTS"]), st.just("IN"), _WORDS, st.just("FROM"),
        st.sampled_from(["source", "build", "wheel", "nobody"]),
    ),
).map(lambda words: parse_rule(Node(list(words))))  # fmt: skip
_LISTS = st.lists(_RULES, max_size=6).map(tuple)
_RUNS = st.sampled_from(
    [("true",), ("unzip", "demo-*.whl"), ("unzip", "*", "-d", "wheel"), ("sh", "-c", "x")]
)


@given(
    st.lists(st.tuples(_LISTS, _LISTS), min_size=3, max_size=3),
    _RUNS,
    st.sampled_from(["", "demo"]),
)
def test_no_layout_is_too_strange_for_lint(
    rules: list[tuple[tuple[object, ...], tuple[object, ...]]], run: tuple[str, ...], project: str
) -> None:
    good = layout()
    steps = tuple(
        replace(step, expected_materials=materials, expected_products=products)  # type: ignore[arg-type]
        for step, (materials, products) in zip(good.steps, rules, strict=False)
    )
    materials, products = rules[2]
    inspection = Inspection(
        name="wheel",
        run=run,
        expected_materials=materials,  # type: ignore[arg-type]
        expected_products=products,  # type: ignore[arg-type]
    )
    strange = replace(good, steps=steps, inspections=(inspection,))
    found = lint(strange, now=NOW, project=project, links=FITTING)
    assert {each.code for each in found} <= set(CODES)
    for each in found:
        assert each.what
        assert each.why
        assert each.instead


# --- statements, conditions and identities -----------------------------------------------------

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
#: Whoever runs in a repository.
WORKFLOWS = {
    "issuer": "https://token.actions.githubusercontent.com",
    "repository": "acme/demo",
}
ANN = {"repository": "", "identity": "ann@acme.example"}
TESTED = ["MATCH demo-*.whl WITH PRODUCTS FROM build", "DISALLOW *"]


def _by(keyid: str) -> JsonObject:
    return {"predicateType": TEST_RESULT, "functionaries": [keyid]}


def expected(
    predicate_type: str = TEST_RESULT, who: str = "ben", **members: JsonValue
) -> JsonObject:
    return {"predicateType": predicate_type, "functionaries": [key(who).keyid], **members}


def with_steps(
    *steps: tuple[str, Sequence[JsonValue], Sequence[str]], keys: Mapping[str, object] | None = None
) -> tuple[Finding, ...]:
    """Lint the good layout with more steps: name, expected predicates, rules for materials."""
    (payload, _) = compile_layout(good_source(), now=NOW)
    document = json.loads(json.dumps(payload))
    document["keys"].update(keys or {})
    for name, predicates, materials in steps:
        step = authoring.step(
            name,
            functionaries=[],
            expected_materials=[rule.split() for rule in materials],
            expected_products=[],
        )
        step["expected_predicates"] = list(predicates)
        document["steps"].append(step)
    # The wheel's inspection goes on binding the file.
    return lint(parse_layout(Node(document), DEFAULT), now=NOW, project="demo")


def good_source() -> LayoutSource:
    text = GOOD
    for name, pem in _PEMS.items():
        text = text.replace(f'"keys/{name}.pub"', json.dumps(pem))
    return parse_source(text.encode(), Path("supply-chain.toml"))


def test_a_step_that_expects_a_statement_is_as_good_as_any() -> None:
    passed = expected(expected_attributes=["predicate.result == 'PASSED'"])
    assert with_steps(("test", [passed], TESTED)) == ()


def test_alike_predicates() -> None:
    found = only(with_steps(("test", [expected()], TESTED), ("again", [expected()], TESTED)))
    assert (found.code, found.severity) == ("alike-predicates", Severity.ERROR)
    assert found.place == "step again, predicates[0]"
    assert "the step test" in found.what
    assert found.path == "steps[3].expected_predicates[0]"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([expected()], [expected(who="carl")]),
        ([expected()], [expected("https://in-toto.io/attestation/release/v0.1")]),
        (
            [expected(expected_attributes=["predicate.url == 'a'"])],
            [expected(expected_attributes=["predicate.url == 'b'"])],
        ),
    ],
)
def test_alike_predicates_are_told_apart_by_signer_type_or_condition(
    one: Sequence[JsonValue], other: Sequence[JsonValue]
) -> None:
    found = with_steps(("test", one, TESTED), ("again", other, TESTED))
    assert "alike-predicates" not in {code for code, _ in codes(found)}


def test_alike_predicates_where_only_one_has_a_condition() -> None:
    one = expected(expected_attributes=["predicate.url == 'a'"])
    for first, second in ((one, expected()), (expected(), one)):
        found = only(with_steps(("test", [first], TESTED), ("again", [second], TESTED)))
        assert (found.code, found.place) == ("alike-predicates", "step again, predicates[0]")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"workflow": "release.yml"}, {}, True),
        ({"workflow": "release.yml"}, {"workflow": ".github/workflows/release.yml"}, True),
        ({"workflow": "release.yml"}, {"ref": "refs/heads/main"}, True),
        ({"workflow": "release.yml"}, {"workflow": "nightly.yml"}, False),
        ({}, {"repository": "acme/other"}, False),
        ({}, {"issuer": "https://gitlab.com"}, False),
        (ANN, ANN, True),
        ({}, ANN, False),
        ({}, {"repository": "", "identity": "https://github.com/acme/demo/x.yml@y"}, True),
    ],
)
def test_alike_predicates_by_identities_that_one_signer_may_both_be(
    one: dict[str, JsonValue], other: dict[str, JsonValue], *, alike: bool
) -> None:
    keys = {
        keyid: {"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": {**WORKFLOWS, **parts}}
        for keyid, parts in (("aa" * 32, one), ("bb" * 32, other))
    }
    first, second = (_by(each) for each in keys)
    found = codes(with_steps(("test", [first], TESTED), ("again", [second], TESTED), keys=keys))
    assert ("alike-predicates" in {code for code, _ in found}) == alike


def test_alike_predicates_are_told_apart_by_what_they_are_about() -> None:
    source = ["MATCH * WITH PRODUCTS FROM source", "DISALLOW *"]
    codes_ = codes(with_steps(("test", [expected()], TESTED), ("again", [expected()], source)))
    assert "alike-predicates" not in {code for code, _ in codes_}
    sdist = ["MATCH demo-*.tar.gz WITH PRODUCTS FROM build", "DISALLOW *"]
    codes_ = codes(with_steps(("test", [expected()], TESTED), ("again", [expected()], sdist)))
    assert "alike-predicates" not in {code for code, _ in codes_}


def test_alike_predicates_in_one_step() -> None:
    found = only(with_steps(("test", [expected(), expected()], TESTED)))
    assert (found.code, found.place) == ("alike-predicates", "step test, predicates[1]")
    assert "this step" in found.what


def test_unknown_functionary_of_a_predicate() -> None:
    predicate: JsonObject = {"predicateType": TEST_RESULT, "functionaries": ["ab" * 32]}
    assert codes(with_steps(("test", [predicate], TESTED))) == [
        ("unknown-functionary", "step test, predicates[0]"),
        ("threshold-unreachable", "step test, predicates[0]"),
    ]


def test_threshold_unreachable_of_a_predicate() -> None:
    found = only(with_steps(("test", [expected(threshold=2)], TESTED)))
    assert (found.code, found.place) == ("threshold-unreachable", "step test, predicates[0]")
    assert found.what == "2 must sign, and there is 1"
    nobody: JsonObject = {"predicateType": TEST_RESULT, "functionaries": []}
    found = only(with_steps(("test", [nobody], TESTED)))
    assert found.what == "nobody may sign this statement"


def test_unknown_predicate() -> None:
    for nearly in (TEST_RESULT + "/", "https://in-toto.io/attestation/test-results/v0.1"):
        found = only(with_steps(("test", [expected(nearly)], TESTED)))
        assert (found.code, found.severity) == ("unknown-predicate", Severity.WARNING)
        assert found.instead == TEST_RESULT
    for fine in ("https://acme.example/signed-off/v1", TEST_RESULT.replace("v0.1", "v0.2")):
        assert with_steps(("test", [expected(fine)], TESTED)) == ()
    later = with_steps(("test", [expected("https://slsa.dev/provenance/v1.0")], TESTED))
    assert "unknown-predicate" in {code for code, _ in codes(later)}


def test_unusable_condition() -> None:
    wrong = expected(expected_attributes=["predicate.result == 'PASSED'", "result = 'PASSED'"])
    found = only(with_steps(("test", [wrong], TESTED)))
    assert (found.code, found.severity) == ("unusable-condition", Severity.ERROR)
    assert found.place == "step test, predicates[0].attributes[1]"
    assert found.path == "steps[2].expected_predicates[0].expected_attributes[1]"
    assert "result = 'PASSED'" in found.what


def test_unusable_condition_of_a_link_or_an_inspection() -> None:
    good = layout()
    step = replace(good.steps[1], expected_attributes=("nope()",))
    inspection = replace(good.inspections[0], expected_attributes=("true", "1 +"))
    changed_ = replace(good, steps=(good.steps[0], step), inspections=(inspection,))
    found = lint(changed_, now=NOW, project="demo")
    assert codes(found) == [
        ("unusable-condition", "step build, attributes[0]"),
        ("unusable-condition", "inspection wheel, attributes[1]"),
    ]
    assert found[0].path == "steps[1].expected_attributes[0]"
    assert found[1].path == "inspect[0].expected_attributes[1]"


def test_conditions_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    # As where the extra is not installed.
    monkeypatch.setitem(sys.modules, "pip_intoto.verification.cel", None)
    found = only(with_steps(("test", [expected(expected_attributes=["true", "("])], TESTED)))
    assert (found.code, found.severity) == ("conditions-unread", Severity.NOTE)
    assert "pip-intoto[cel]" in found.instead


def test_open_identity() -> None:
    keyid = "cd" * 32
    issuer = "https://token.actions.githubusercontent.com"

    def found(**members: str) -> list[tuple[str, str]]:
        identity = {"keytype": "sigstore-oidc", "scheme": "Fulcio"}
        keyval = {"issuer": issuer, **members}
        predicate: JsonObject = {"predicateType": TEST_RESULT, "functionaries": [keyid]}
        listed = {keyid: {**identity, "keyval": keyval}}
        return codes(with_steps(("test", [predicate], TESTED), keys=listed))

    assert found(repository="demo/demo", workflow="test.yml") == []
    assert found(identity="alice@example.org") == []


def test_open_identity_names_whom_it_lets_in() -> None:
    good = layout()
    loose = {"cd" * 32: Identity(keyid="cd" * 32, issuer="https://accounts.example", workflow="w")}
    found = only(lint(replace(good, identities=loose), now=NOW, project="demo"))
    assert (found.code, found.severity, found.place) == (
        "open-identity",
        Severity.ERROR,
        "key cdcdcdcd",
    )
    assert "https://accounts.example" in found.why


def test_products_of_nothing() -> None:
    good = layout()
    predicate = ExpectedPredicate(
        predicate_type=TEST_RESULT, functionaries=(good.steps[0].pubkeys[0],)
    )
    step = replace(
        good.steps[1], name="test", pubkeys=(), expected_predicates=(predicate,),
        expected_materials=tuple(parse_rule(Node([*rule.split()])) for rule in TESTED),
    )  # fmt: skip
    found = only(lint(replace(good, steps=(*good.steps, step)), now=NOW, project="demo"))
    assert (found.code, found.place) == ("products-of-nothing", "step test, products")


def test_untied_statement() -> None:
    found = with_steps(("test", [expected()], ["DISALLOW *"]))
    assert ("untied-statement", "step test") in codes(found)
    # ADR 17: in the last step, an explicit ALLOW binds the file itself.
    about_the_file = ["ALLOW demo-*", "DISALLOW *"]
    found = with_steps(("test", [expected()], about_the_file))
    assert "untied-statement" not in {code for code, _ in codes(found)}


# --- the rest -----------------------------------------------------------------------------------


def test_a_layout_of_the_documentation_is_linted_as_json_reads_it() -> None:
    payload = authoring.layout(
        expires=NOW + timedelta(days=100),
        keys=[key("ben")],
        steps=[
            authoring.step(
                "build",
                functionaries=[key("ben")],
                expected_materials=[["DISALLOW", "*"]],
                expected_products=[["CREATE", "demo-*"], ["DISALLOW", "*"]],
            )
        ],
    )
    found = lint(parse_layout(Node(payload), DEFAULT), now=NOW, project="demo")
    assert [each.code for each in found] == ["one-party", "wheel-not-inspected"]


def test_a_pem_of_the_tests_is_one() -> None:
    assert load_pem(_PEMS["ben"].encode()).keyid == key("ben").keyid
    assert HEAD in GOOD
