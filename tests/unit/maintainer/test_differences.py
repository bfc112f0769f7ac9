"""What a new layout changes in meaning: nothing that matters goes unsaid."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.keys import key
from fixtures.openpgp import OpenPGPKey
from pip_intoto.errors import RuleViolated
from pip_intoto.limits import DEFAULT, LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.keys.signing import SigningKey
from pip_intoto.maintainer.layouts.differences import Effect, differences
from pip_intoto.maintainer.layouts.layouts_in import Found
from pip_intoto.metadata.keys import identity
from pip_intoto.metadata.layout import Step, parse_layout
from pip_intoto.metadata.node import Node
from pip_intoto.metadata.rules import parse_rule
from pip_intoto.policy.publishers import parse_publisher
from pip_intoto.verification.artifact_rules import Budget, check_item, consumers
from pip_intoto.verification.record import Record
from tests.unit.verification.supply import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.layouts.differences import Change
    from pip_intoto.metadata.rules import Rule
    from pip_intoto.verification.record import Side

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
CLOSED = ("DISALLOW *",)


def rules(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


def step(name: str, **changes: object) -> JsonObject:
    made = authoring.step(name, functionaries=[ALICE])
    return made | changes  # type: ignore[return-value]


def chain(*steps: JsonObject, **changes: object) -> Found:
    listed = steps or (step("source"), step("build"))
    payload = authoring.layout(expires=NOW, keys=[ALICE, BOB, CAROL], steps=listed) | changes
    return Found(layout=parse_layout(Node(payload), LOCAL), origin="here")  # type: ignore[arg-type]


def with_products(*texts: str, name: str = "build") -> Found:
    return chain(step("source"), step(name, expected_products=rules(*texts)))


def only(old: Found, new: Found) -> Change:
    (change,) = differences(old, new)
    return change


def effects(old: Found, new: Found) -> dict[str, Effect]:
    return {change.code: change.effect for change in differences(old, new)}


# --- rules that mean the same -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["create demo-*", "disallow *"], ["CREATE demo-*", "DISALLOW *"]),
        (["CREATE a", "CREATE b", *CLOSED], ["CREATE b", "CREATE a", *CLOSED]),
        (["DISALLOW a*", "REQUIRE b"], ["REQUIRE b", "DISALLOW a*"]),
        (["CREATE a", "DISALLOW b*"], ["DISALLOW b*", "CREATE a"]),
        (["CREATE a", "CREATE a", *CLOSED], ["CREATE a", *CLOSED]),
        (["CREATE *", "CREATE demo", *CLOSED], ["CREATE *", *CLOSED]),
        (["CREATE a", *CLOSED, "ALLOW b"], ["CREATE a", *CLOSED]),
        (["ALLOW *", *CLOSED], ["ALLOW *"]),
        (["DELETE a", "CREATE b"], ["CREATE b"]),
        (["MATCH a WITH PRODUCTS FROM nowhere", "CREATE b"], ["CREATE b"]),
        (
            ["MATCH a IN x/ WITH PRODUCTS IN y FROM source"],
            ["match a in x with products in y/ from source"],
        ),
        (["CREATE {A}-1", "CREATE b-2"], ["CREATE b-2", "CREATE {A}-1"]),
    ],
)
def test_rules_that_are_written_differently_and_do_the_same_are_no_change(
    old: list[str], new: list[str]
) -> None:
    assert differences(with_products(*old), with_products(*new)) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Each could take the same artifact, and the first one does.
        (["CREATE demo-*", "ALLOW demo-1*"], ["ALLOW demo-1*", "CREATE demo-*"]),
        (["CREATE a*", "DISALLOW ab"], ["DISALLOW ab", "CREATE a*"]),
        (["CREATE a", "REQUIRE a"], ["REQUIRE a", "CREATE a"]),
        (["CREATE {A}", "CREATE b"], ["CREATE b", "CREATE {A}"]),
        (["MATCH * WITH PRODUCTS FROM source"], ["MATCH * WITH MATERIALS FROM source"]),
        (["MATCH * IN a/ WITH PRODUCTS FROM source"], ["MATCH * IN a// WITH PRODUCTS FROM source"]),
        # Behind DISALLOW * nothing is left; REQUIRE minds.
        ([*CLOSED], [*CLOSED, "REQUIRE a"]),
        # What only the implicit ALLOW * lets through binds no file (R8).
        (["CREATE a"], ["CREATE a", "ALLOW *"]),
    ],
)
def test_rules_that_may_do_something_else_are_a_change(old: list[str], new: list[str]) -> None:
    change = only(with_products(*old), with_products(*new))
    assert change.code == "rules"
    assert change.effect in {Effect.UNCLEAR, Effect.WEAKER, Effect.STRICTER}


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [
        (["CREATE a", *CLOSED], ["CREATE a"], Effect.WEAKER),
        (["CREATE a"], ["CREATE a", *CLOSED], Effect.STRICTER),
        (["CREATE a", *CLOSED], ["CREATE a", "CREATE b", *CLOSED], Effect.WEAKER),
        (["CREATE a", "CREATE b", *CLOSED], ["CREATE a", *CLOSED], Effect.STRICTER),
        # An open end lets in what no other rule speaks of, whatever else is forbidden.
        (["CREATE a", "CREATE b", *CLOSED], ["CREATE a"], Effect.WEAKER),
        (["CREATE a", "DISALLOW **"], ["CREATE a"], Effect.WEAKER),
        # What a rule took before is left to the REQUIRE behind it.
        (["CREATE a", "REQUIRE a"], ["REQUIRE a"], Effect.UNCLEAR),
        (["CREATE demo-*.whl", *CLOSED], ["CREATE demo-*", *CLOSED], Effect.WEAKER),
        (["CREATE demo-*", *CLOSED], ["CREATE demo-*.whl", *CLOSED], Effect.STRICTER),
        (["REQUIRE a", *CLOSED], [*CLOSED], Effect.WEAKER),
        (["DISALLOW a*"], ["DISALLOW *a*"], Effect.STRICTER),
        # The file would be taken by the next rule, which may bind it better.
        (["ALLOW *", "CREATE demo-*"], ["CREATE demo-*"], Effect.UNCLEAR),
        (["CREATE a", *CLOSED], ["CREATE b", *CLOSED], Effect.UNCLEAR),
    ],
)
def test_whether_rules_weaken(old: list[str], new: list[str], effect: Effect) -> None:
    assert only(with_products(*old), with_products(*new)).effect is effect


def test_an_open_list_is_called_so() -> None:
    change = only(with_products("CREATE a", *CLOSED), with_products("CREATE a"))
    assert change.place == "step build"
    assert change.gone == ("DISALLOW *",)
    assert "no rule names is let through" in change.means


NAMES = ("a", "ab", "b", "ba", "x/a", "x/b")
PATTERNS = ("*", "a*", "*a", "?b", "[ab]", "x/*", *NAMES)
WORDS = st.one_of(
    st.tuples(
        st.sampled_from(["CREATE", "DELETE", "MODIFY", "ALLOW", "DISALLOW"]),
        st.sampled_from(PATTERNS),
    ),
    st.tuples(st.just("REQUIRE"), st.sampled_from(NAMES)),
    st.builds(
        lambda pattern, prefix, step: ("MATCH", pattern, *prefix, "WITH", "PRODUCTS", "FROM", step),
        st.sampled_from(PATTERNS),
        st.sampled_from([(), ("IN", "x"), ("IN", "x/")]),
        st.sampled_from(["source", "nowhere"]),
    ),
)
LISTS = st.lists(WORDS, max_size=6)
ARTIFACTS = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(["1" * 64, "2" * 64]).map(lambda d: {"sha256": d})
)


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Two lists of rules of which one came out of the other."""
    old = draw(LISTS)
    new = list(old)
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(["insert", "remove", "swap", "replace"]))
        at = draw(st.integers(0, max(len(new) - 1, 0)))
        if kind == "insert":
            new.insert(at, draw(WORDS))
        elif new and kind == "remove":
            del new[at]
        elif new and kind == "replace":
            new[at] = draw(WORDS)
        elif len(new) > at + 1:
            new[at], new[at + 1] = new[at + 1], new[at]
    return old, new


def outcome(
    listed: Sequence[Rule], side: Side, records: Mapping[str, Record]
) -> Mapping[str, Rule] | None:
    """Which rule took which artifact; None when the rules refuse."""
    item = Step(
        name="build",
        threshold=1,
        expected_materials=tuple(listed) if side == "materials" else (),
        expected_products=tuple(listed) if side == "products" else (),
        pubkeys=(),
        expected_command=(),
    )
    try:
        check_item(item, records, Budget(DEFAULT))
    except RuleViolated:
        return None
    return consumers(item, side, frozenset(NAMES), records, Budget(DEFAULT))


def folded(taken: Mapping[str, Rule]) -> dict[str, str]:
    """By which rules, in one spelling."""
    return {name: str(rule).replace(" x/ ", " x ") for name, rule in taken.items()}


@settings(max_examples=600, deadline=None)
@given(
    pair=edited(),
    side=st.sampled_from(["materials", "products"]),
    materials=ARTIFACTS,
    products=ARTIFACTS,
    theirs=ARTIFACTS,
)
def test_what_is_called_the_same_or_stricter_is(
    pair: tuple[list[tuple[str, ...]], list[tuple[str, ...]]],
    side: Side,
    materials: dict[str, dict[str, str]],
    products: dict[str, dict[str, str]],
    theirs: dict[str, dict[str, str]],
) -> None:
    records = {
        "source": Record(materials={}, products=theirs),
        "build": Record(materials=materials, products=products),
    }
    found = [
        chain(step("source"), step("build", **{f"expected_{side}": [list(w) for w in words]}))
        for words in pair
    ]
    old, new = (
        outcome([parse_rule(Node(list(words))) for words in listed], side, records)
        for listed in pair
    )
    changes = differences(*found)
    if not changes:
        assert (old is None) == (new is None)
        assert folded(old or {}) == folded(new or {})
    elif all(change.effect is Effect.STRICTER for change in changes) and new is not None:
        # It was accepted before as well, and whatever a rule stands for, that rule stood for it
        # then, or a wider one in its place.
        assert old is not None
        assert new.keys() <= old.keys()
        assert all(type(new[name]) is type(old[name]) for name in new)


# --- who and how many -------------------------------------------------------------------------


def test_thresholds() -> None:
    two = chain(step("source"), step("build", threshold=2))
    assert only(two, chain()).effect is Effect.WEAKER
    assert only(chain(), two).effect is Effect.STRICTER
    assert "2 functionaries instead of 1" in only(chain(), two).what


def test_functionaries_are_known_by_their_keys() -> None:
    more = chain(step("source"), step("build", pubkeys=[ALICE.keyid, BOB.keyid]))
    added = effects(chain(), more)
    assert added["functionary-added"] is Effect.WEAKER
    assert effects(more, chain())["functionary-removed"] is Effect.STRICTER


@pytest.mark.parametrize("named", ["old", "new"])
def test_a_key_is_called_by_its_name_where_either_side_knows_it(named: str) -> None:
    more = chain(step("source"), step("build", pubkeys=[ALICE.keyid, BOB.keyid]))
    sides = {"old": chain(), "new": more}
    sides[named] = replace(sides[named], names={identity(BOB.public_key): "bob"})
    assert "by bob as well" in only(sides["old"], sides["new"]).what


def test_T3_a_key_that_is_listed_under_another_id_is_no_change() -> None:
    payload = authoring.layout(expires=NOW, keys=[ALICE, BOB, CAROL], steps=[step("build")])
    renamed = authoring.key_object(ALICE) | {"keyid": "f" * 64}
    keys = {"f" * 64: renamed, BOB.keyid: authoring.key_object(BOB)}
    keys[CAROL.keyid] = authoring.key_object(CAROL)
    other = chain(step("build", pubkeys=["f" * 64]), keys=keys)
    assert differences(chain(step("build")), other) == ()
    assert payload["keys"] != keys


def test_a_key_that_no_step_uses_is_mentioned_and_means_nothing() -> None:
    fewer = chain(keys={ALICE.keyid: authoring.key_object(ALICE)})
    change = only(chain(), fewer)
    assert (change.code, change.effect) == ("keys", Effect.NEITHER)
    assert len(change.gone) == 2


def openpgp(*keys: OpenPGPKey, pubkeys: Sequence[str]) -> Found:
    described = {each.keyid: each.described() for each in keys}
    return chain(step("build", pubkeys=list(pubkeys)), keys=described)


def test_K6_a_master_authorises_its_subkeys() -> None:
    sub = OpenPGPKey(name="sub")
    master = OpenPGPKey(name="master", subkeys=(sub,))
    narrow = openpgp(master, pubkeys=[sub.keyid])
    wide = openpgp(master, pubkeys=[master.keyid])
    assert effects(narrow, wide) == {"functionary-added": Effect.WEAKER}
    assert differences(wide, openpgp(master, pubkeys=[master.keyid, sub.keyid])) == ()


def test_K6_keys_that_were_one_party_and_count_for_themselves_are_weaker() -> None:
    sub = OpenPGPKey(name="sub")
    family = openpgp(
        OpenPGPKey(name="master", subkeys=(sub,)), pubkeys=[OpenPGPKey(name="master").keyid]
    )
    apart = openpgp(
        OpenPGPKey(name="master"), sub, pubkeys=[OpenPGPKey(name="master").keyid, sub.keyid]
    )
    assert effects(family, apart)["parties"] is Effect.WEAKER
    assert effects(apart, family)["parties"] is Effect.STRICTER


def test_K6_a_key_that_is_valid_for_longer_is_weaker() -> None:
    year, ever = OpenPGPKey(name="pgp", validity=1000), OpenPGPKey(name="pgp")
    old = openpgp(year, pubkeys=[year.keyid])
    new = openpgp(ever, pubkeys=[ever.keyid])
    assert effects(old, new) == {"functionary-changed": Effect.WEAKER}
    assert effects(new, old) == {"functionary-changed": Effect.STRICTER}


PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----"


def certified(name: str, root: str = "AAAA") -> Found:
    constraint = {"common_name": name, "roots": ["acme"]}
    authority = {"keyval": {"certificate": PEM.format(root)}}
    return chain(step("build", cert_constraints=[constraint]), rootcas={"acme": authority})


def test_X1_other_certificates_and_authorities_are_a_change() -> None:
    assert differences(certified("ann"), certified("ann")) == ()
    assert effects(certified("ann"), certified("bob")) == {"certificates": Effect.UNCLEAR}
    assert effects(certified("ann"), certified("ann", "BBBB")) == {"authorities": Effect.UNCLEAR}
    plain = chain(step("build"))
    assert effects(plain, certified("ann"))["certificates"] is Effect.WEAKER
    assert effects(certified("ann"), plain)["certificates"] is Effect.STRICTER


def test_a_key_that_signs_by_another_scheme_is_a_change() -> None:
    rsa = SigningKey.of(generate_private_key(65537, 2048))

    def by(scheme: str) -> Found:
        described = authoring.key_object(rsa) | {"scheme": scheme}
        return chain(step("build", pubkeys=[rsa.keyid]), keys={rsa.keyid: described})

    change = only(by("rsassa-pss-sha256"), by("rsa-pkcs1v15-sha256"))
    assert (change.code, change.effect) == ("functionary-changed", Effect.UNCLEAR)


def test_K3_keys_of_unknown_kinds_sign_nothing_and_change_nothing() -> None:
    def unknown(keytype: str) -> Found:
        keys = {
            ALICE.keyid: authoring.key_object(ALICE),
            "ab" * 32: {"keytype": keytype, "scheme": "x", "keyval": {"public": "y"}},
        }
        return chain(step("build", pubkeys=[ALICE.keyid, "ab" * 32]), keys=keys)

    assert differences(unknown("new"), unknown("newer")) == ()


# --- steps and inspections --------------------------------------------------------------------


def test_steps_that_come_and_go() -> None:
    more = chain(step("source"), step("test"), step("build"))
    assert only(chain(), more).effect is Effect.STRICTER
    assert only(more, chain()).effect is Effect.WEAKER
    assert only(more, chain()).place == "step test"


def test_a_step_that_is_only_called_otherwise_is_renamed_and_rules_about_it_follow() -> None:
    def named(name: str) -> Found:
        products = rules(f"MATCH a WITH PRODUCTS FROM {name}")
        return chain(step(name), step("build", expected_products=products))

    change = only(named("source"), named("tag"))
    assert (change.code, change.effect) == ("step-renamed", Effect.NEITHER)
    assert (change.gone, change.came) == (("source",), ("tag",))


def test_a_name_that_brings_a_dead_rule_to_life_is_no_mere_renaming() -> None:
    products = rules("MATCH a WITH PRODUCTS FROM tag", *CLOSED)
    old = chain(step("source"), step("build", expected_products=products))
    new = chain(step("tag"), step("build", expected_products=products))
    found = effects(old, new)
    assert "step-renamed" not in found
    assert found["rules"] is Effect.WEAKER


def test_the_order_of_steps_matters_at_its_ends_only() -> None:
    a, b, c, d = (step(name) for name in "abcd")
    assert effects(chain(a, b, c, d), chain(a, c, b, d)) == {"steps-reordered": Effect.NEITHER}
    assert effects(chain(a, b, c, d), chain(a, b, d, c)) == {
        "steps-reordered": Effect.UNCLEAR,
        "binding": Effect.UNCLEAR,
    }


def inspection(*materials: str, run: Sequence[str] = ("true",)) -> JsonObject:
    return authoring.inspection("wheel", run=run, expected_materials=rules(*materials))


def test_inspections_that_come_go_and_run_something_else() -> None:
    one = chain(inspect=[inspection()])
    assert effects(chain(), one) == {"inspection-added": Effect.STRICTER}
    assert effects(one, chain()) == {"inspection-removed": Effect.WEAKER}
    other = chain(inspect=[inspection(run=["sh", "-c", "true"])])
    assert only(one, other).code == "run"
    assert only(one, other).effect is Effect.UNCLEAR


def test_where_the_file_is_tied_to_the_chain_is_said() -> None:
    deciding = chain(inspect=[inspection("MATCH * WITH PRODUCTS FROM build")])
    found = {change.code: change for change in differences(chain(), deciding)}
    assert found["binding"].gone == ("the last step, build",)
    assert found["binding"].came == ("the inspection wheel",)


# --- the layout itself ------------------------------------------------------------------------


def test_expiry_envelope_readme_command_and_parameters_weaken_nothing() -> None:
    old = replace(chain(), form=Envelope.DSSE)
    later = authoring.layout(expires=NOW + timedelta(days=2), keys=(), steps=())["expires"]
    new = replace(
        chain(
            step("source", expected_command=["make"]),
            step("build"),
            expires=later,
            readme="read me",
        ),
        form=Envelope.METABLOCK,
    )
    found = {change.code: change for change in differences(old, new)}
    assert set(found) == {"expiry", "envelope", "readme", "command"}
    assert {change.effect for change in found.values()} == {Effect.NEITHER}
    assert "2 days longer" in found["expiry"].means
    assert "2 days less" in differences(new, old)[0].means


def test_Q1_a_parameter_of_a_command_must_be_given_as_well() -> None:
    rules_have_one = with_products("CREATE {NAME}")
    steps = [step("source"), step("build", expected_products=rules("CREATE {NAME}"))]
    steps[0]["expected_command"] = ["make", "{HOW}"]
    found = differences(rules_have_one, chain(*steps))
    (parameters,) = (change for change in found if change.code == "parameters")
    assert parameters.came == ("{HOW}",)


def test_parameters_that_are_new_must_be_given() -> None:
    found = differences(with_products("CREATE demo"), with_products("CREATE {NAME}"))
    (parameters,) = (change for change in found if change.code == "parameters")
    assert parameters.came == ("{NAME}",)


def test_large_layouts_are_compared_in_a_moment() -> None:
    texts = [f"CREATE file-{number}" for number in range(5_000)]
    old = with_products(*texts, *CLOSED)
    fewer = with_products(*texts[:2000], *texts[2001:], *CLOSED)
    assert only(old, fewer).gone == ("CREATE file-2000",)
    assert only(old, with_products(*texts, "ALLOW x", *CLOSED)).came == ("ALLOW x",)


@pytest.mark.parametrize("count", [100, 5_000])
def test_layouts_made_to_be_slow_are_compared_in_seconds(count: int) -> None:
    texts = [f"CREATE {'a*' * 40}{number}*" for number in range(count)]
    began = time.monotonic()
    assert differences(with_products(*texts), with_products(*reversed(texts)))
    longest = [f"ALLOW {'?*' * 2_000}{number}" for number in range(count // 50)]
    assert differences(with_products(*longest), with_products(*reversed(longest)))
    assert time.monotonic() - began < 20


# --- statements -------------------------------------------------------------------------------

BUILT, TESTED = "https://slsa.dev/provenance/v1", "https://in-toto.io/attestation/test-result/v0.1"
WORKFLOW = parse_publisher("github:acme/demo:release.yml")
OTHER_WORKFLOW = parse_publisher("github:acme/demo:nightly.yml")


def predicate(kind: str = BUILT, *who: str, **changes: object) -> JsonObject:
    made = authoring.predicate(kind, functionaries=who or (WORKFLOW.keyid,))
    return made | changes  # type: ignore[return-value]


def attested(*predicates: JsonObject, **changes: object) -> Found:
    """A chain with a step over statements."""
    made = authoring.step("build", functionaries=(), expected_predicates=predicates) | changes
    payload = authoring.layout(expires=NOW, keys=[ALICE], steps=[step("source"), made])  # type: ignore[list-item]
    identities = {
        each.keyid: authoring.identity_object(each) for each in (WORKFLOW, OTHER_WORKFLOW)
    }
    payload["keys"] = {**payload["keys"], **identities}  # type: ignore[dict-item]
    return Found(layout=parse_layout(Node(payload), LOCAL), origin="here")


def test_the_same_identity_under_another_keyid_is_the_same() -> None:
    old = attested(predicate())
    renamed = {"aa" * 32: replace(WORKFLOW, keyid="aa" * 32), OTHER_WORKFLOW.keyid: OTHER_WORKFLOW}
    steps = tuple(
        replace(
            each,
            expected_predicates=tuple(
                replace(one, functionaries=("aa" * 32,)) for one in each.expected_predicates
            ),
        )
        for each in old.layout.steps
    )
    new = replace(old, layout=replace(old.layout, identities=renamed, steps=steps))
    assert differences(old, new) == ()


@pytest.mark.parametrize(
    ("old", "new", "code", "effect"),
    [
        ([predicate()], [predicate(), predicate(TESTED)], "statement-added", Effect.STRICTER),
        ([predicate(), predicate(TESTED)], [predicate(TESTED)], "statement-removed", Effect.WEAKER),
        (
            [predicate(), predicate(TESTED)],
            [predicate(TESTED), predicate()],
            "statements-reordered",
            Effect.UNCLEAR,
        ),
        (
            [predicate()],
            [predicate(BUILT, WORKFLOW.keyid, OTHER_WORKFLOW.keyid)],
            "functionary-added",
            Effect.WEAKER,
        ),
        (
            [predicate(BUILT, WORKFLOW.keyid, OTHER_WORKFLOW.keyid)],
            [predicate()],
            "functionary-removed",
            Effect.STRICTER,
        ),
        ([predicate(threshold=2)], [predicate()], "threshold", Effect.WEAKER),
        ([predicate()], [predicate(expectedAttributes=["a"])], "conditions", Effect.STRICTER),
        ([predicate(expectedAttributes=["a"])], [predicate()], "conditions", Effect.WEAKER),
        (
            [predicate(expectedAttributes=["a"])],
            [predicate(expectedAttributes=["b"])],
            "conditions",
            Effect.UNCLEAR,
        ),
    ],
)
def test_what_is_asked_of_statements_is_compared(
    old: list[JsonObject], new: list[JsonObject], code: str, effect: Effect
) -> None:
    found = effects(attested(*old), attested(*new))
    # Whoever is named by no step any more is said as well.
    assert {name: each for name, each in found.items() if name != "keys"} == {code: effect}


def test_identities_are_called_by_what_they_publish() -> None:
    change = next(
        each
        for each in differences(
            attested(predicate()), attested(predicate(BUILT, OTHER_WORKFLOW.keyid))
        )
        if each.code == "functionary-added"
    )
    assert change.place == "step build, slsa-provenance"
    assert change.what == "may be signed by github:acme/demo:nightly.yml as well"


def test_statements_instead_of_links_are_another_thing() -> None:
    change = only(
        replace(
            attested(predicate()),
            layout=replace(attested(predicate()).layout, steps=chain().layout.steps),
        ),
        attested(predicate()),
    )
    assert (change.code, change.effect) == ("evidence", Effect.UNCLEAR)
    assert "statements (slsa-provenance)" in change.what


def test_conditions_on_links_and_inspections_are_compared() -> None:
    old, new = (
        chain(step("source"), step("build", expectedAttributes=each)) for each in ([], ["a == b"])
    )
    assert effects(old, new) == {"conditions": Effect.STRICTER}
    assert effects(new, old) == {"conditions": Effect.WEAKER}
