"""The layout source: what it comes to, and what each mistake is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.keys import key
from fixtures.openpgp import OpenPGPKey
from pip_intoto.errors import CommandError
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.authoring import Envelope
from pip_intoto.maintainer.documents import load_layout, read_layout
from pip_intoto.maintainer.layouts.compiling import compile_layout
from pip_intoto.maintainer.layouts.expiry import Period
from pip_intoto.maintainer.layouts.layout_source import is_source, load_source, parse_source
from pip_intoto.metadata.layout import parse_layout
from pip_intoto.metadata.node import Node
from tests.unit.maintainer.sources import (
    ATTESTED,
    BUILD,
    GOOD,
    HEAD,
    KEYS,
    NOW,
    SOURCE,
    WHEEL,
    write,
)

if TYPE_CHECKING:
    from pip_intoto.maintainer.layouts.layout_source import LayoutSource
    from pip_intoto.metadata.layout import Layout


def parsed(source: LayoutSource, now: datetime = NOW) -> Layout:
    return parse_layout(Node(compile_layout(source, now=now)[0]), DEFAULT)


def refused(tmp_path: Path, text: str) -> CommandError:
    path = write(tmp_path, text)
    with pytest.raises(CommandError) as caught:
        load_source(path)
    assert caught.value.place.startswith(str(path))
    return caught.value


def line(error: CommandError) -> int:
    return int(error.place.rpartition(":")[2])


# --- what it comes to -----------------------------------------------------------------------


def test_a_source_makes_the_layout_that_it_describes(tmp_path: Path) -> None:
    layout = parsed(load_source(write(tmp_path)))
    ben, carl = key("ben").public_key, key("carl").public_key
    assert layout.keys == {ben.keyid: ben, carl.keyid: carl}
    assert [(step.name, step.pubkeys, step.threshold) for step in layout.steps] == [
        ("source", (ben.keyid,), 1),
        ("build", (carl.keyid,), 1),
    ]
    assert [str(rule) for rule in layout.steps[1].expected_materials] == [
        "MATCH * WITH PRODUCTS FROM source",
        "DISALLOW *",
    ]
    assert layout.inspections[0].run == ("unzip", "-q", "demo-*.whl", "-d", "wheel")
    assert layout.expires == NOW.replace(year=2027)


def test_owners_and_their_threshold_are_the_sources_own(tmp_path: Path) -> None:
    text = GOOD.replace('keys = ["alice"]', 'keys = ["alice", "ben"]\nthreshold = 1')
    source = load_source(write(tmp_path, text))
    assert ([owner.name for owner in source.owners], source.threshold) == (["alice", "ben"], 1)
    # The layout does not list the keys that only sign it.
    assert key("alice").keyid not in parsed(source).keys


def test_all_owners_must_sign_unless_the_source_says_otherwise(tmp_path: Path) -> None:
    text = GOOD.replace('keys = ["alice"]', 'keys = ["alice", "ben"]')
    assert load_source(write(tmp_path, text)).threshold == 2


def test_the_envelope_is_dsse_unless_the_source_says_otherwise(tmp_path: Path) -> None:
    assert load_source(write(tmp_path)).envelope is Envelope.DSSE
    text = GOOD.replace("[owners]", 'envelope = "metablock"\n[owners]')
    assert load_source(write(tmp_path, text)).envelope is Envelope.METABLOCK


def test_a_readme_of_several_lines_stands_in_the_layout(tmp_path: Path) -> None:
    text = GOOD.replace("[owners]", 'readme = """\nWho\nand why\n"""\n[owners]')
    assert parsed(load_source(write(tmp_path, text))).readme == "Who\nand why\n"


def test_a_rule_as_a_text_is_split_as_a_shell_does(tmp_path: Path) -> None:
    text = GOOD.replace('"CREATE src/*"', "\"CREATE 'my docs/*.txt'\"")
    rules = load_source(write(tmp_path, text)).steps[0].products
    assert rules[0].rule.words == ("CREATE", "my docs/*.txt")


def test_a_rule_as_a_list_is_taken_as_it_is(tmp_path: Path) -> None:
    text = GOOD.replace('"CREATE src/*"', r"""["create", 'a "b" \c']""")
    rules = load_source(write(tmp_path, text)).steps[0].products
    assert rules[0].rule.words == ("CREATE", r'a "b" \c')


def test_a_step_may_name_its_command_and_its_threshold(tmp_path: Path) -> None:
    text = GOOD.replace(
        'functionaries = ["carl"]',
        'functionaries = ["carl", "ben"]\nthreshold = 2\ncommand = ["python", "-m", "build"]',
    )
    step = parsed(load_source(write(tmp_path, text))).steps[1]
    assert (step.threshold, step.expected_command) == (2, ("python", "-m", "build"))


def test_rules_and_command_may_be_left_out_or_empty(tmp_path: Path) -> None:
    text = (
        HEAD + KEYS + '[[step]]\nname = "s"\nfunctionaries = ["ben"]\ncommand = []\nproducts = []\n'
    )
    step = parsed(load_source(write(tmp_path, text))).steps[0]
    assert (step.expected_command, step.expected_materials, step.expected_products) == ((), (), ())


def test_a_key_may_stand_in_the_source_itself(tmp_path: Path) -> None:
    pem = key("ben").public_pem().decode()
    text = GOOD.replace('"keys/ben.pub"', f'"""\n{pem}"""')
    assert load_source(write(tmp_path, text, "alice", "carl")).keys["ben"].key.keyid == (
        key("ben").keyid
    )


def test_K6_an_openpgp_key_stands_in_the_layout_as_in_toto_writes_it(tmp_path: Path) -> None:
    master = OpenPGPKey(
        name="master", validity=86_400, subkeys=(OpenPGPKey(name="sub", validity=3_600),)
    )
    path = write(tmp_path, GOOD.replace("keys/ben.pub", "keys/ben.json"))
    (tmp_path / "keys" / "ben.json").write_text(json.dumps(master.described()))
    payload, _ = compile_layout(load_source(path), now=NOW)
    assert payload["keys"][master.keyid] == master.described()  # type: ignore[index,call-overload]
    assert parse_layout(Node(payload), DEFAULT).steps[0].pubkeys == (master.keyid,)


def test_the_layout_keeps_its_meaning_in_either_envelope(tmp_path: Path) -> None:
    path = write(tmp_path)
    payload, layout = compile_layout(load_source(path), now=NOW)
    for form in Envelope:
        written = tmp_path / f"{form.value}.layout"
        written.write_text(json.dumps(authoring.sign(payload, [key("alice")], form)))
        assert load_layout(written)[1] == layout


def test_a_source_is_known_by_its_suffix() -> None:
    assert is_source(Path("a/supply-chain.toml"))
    assert not is_source(Path("a/root.layout"))


def test_every_rule_has_the_line_where_it_stands(tmp_path: Path) -> None:
    path = write(tmp_path)
    source = load_source(path)
    lines = path.read_text().splitlines()
    for place, text in (
        ("steps[1]", "[[step]]"),
        ("steps[1].expected_products[0]", "CREATE demo-*.whl"),
        ("inspect[0].expected_products[1]", "MATCH demo/* IN wheel"),
        ("expires", "version = 1"),
    ):
        assert text in lines[source.line_of(place) - 1]


# --- when it expires ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"1 day"', datetime(2026, 11, 22, 12, tzinfo=timezone.utc)),
        ('"2 weeks"', datetime(2026, 12, 5, 12, tzinfo=timezone.utc)),
        ('"2 months"', datetime(2027, 1, 21, 12, tzinfo=timezone.utc)),
        ('"10 years"', datetime(2036, 11, 21, 12, tzinfo=timezone.utc)),
        ("2027-03-31", datetime(2027, 3, 31, 23, 59, 59, tzinfo=timezone.utc)),
        ("2027-03-31T12:00:00Z", datetime(2027, 3, 31, 12, tzinfo=timezone.utc)),
        ("2027-03-31T12:00:00+02:00", datetime(2027, 3, 31, 10, tzinfo=timezone.utc)),
    ],
)
def test_the_expiry_is_counted_or_written(tmp_path: Path, written: str, expected: datetime) -> None:
    source = load_source(write(tmp_path, GOOD.replace('"1 year"', written)))
    assert parsed(source).expires == expected


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        ("2027-01-31", Period(1, "month"), "2027-02-28"),
        ("2028-01-31", Period(1, "month"), "2028-02-29"),
        ("2028-02-29", Period(1, "year"), "2029-02-28"),
        ("2026-12-31", Period(2, "month"), "2027-02-28"),
    ],
)
def test_months_end_where_the_calendar_ends_them(start: str, period: Period, end: str) -> None:
    assert period.after(datetime.fromisoformat(start)) == datetime.fromisoformat(end)


@given(
    st.integers(1, 9999),
    st.sampled_from(["day", "week", "month", "year"]),
    st.datetimes(timezones=st.just(timezone.utc)),
)
def test_a_period_ends_later_or_behind_the_calendar(count: int, unit: str, start: datetime) -> None:
    try:
        assert Period(count, unit).after(start) >= start + timedelta(days=1)
    except OverflowError:
        assert start.year + count > 9990 or unit in {"day", "week", "month"}


def test_a_layout_cannot_outlast_the_calendar(tmp_path: Path) -> None:
    source = load_source(write(tmp_path, GOOD.replace("1 year", "9999 years")))
    with pytest.raises(CommandError, match="behind the end of the calendar"):
        compile_layout(source, now=NOW)


@pytest.mark.parametrize(
    ("written", "message", "advice"),
    [
        ('"soon"', '`expires` cannot be "soon"', ""),
        ('"0 days"', '`expires` cannot be "0 days"', ""),
        ('"2027-03-31"', '`expires` cannot be "2027-03-31"', "Write 2027-03-31 without quotes."),
        ("2027-03-31T12:00:00", "`expires` does not say in which time zone it is",
         "Write 2027-03-31T12:00:00Z for UTC."),
        ("0001-01-01T00:00:00+02:00", "`expires` lies outside of the calendar", ""),
        ("365", '`expires` must be a period such as "1 year", or a date', ""),
        ('"a\\nb"', "`expires` is no period", ""),
    ],
)  # fmt: skip
def test_an_expiry_that_is_none_is_refused(
    tmp_path: Path, written: str, message: str, advice: str
) -> None:
    error = refused(tmp_path, GOOD.replace('"1 year"', written))
    assert (error.message, error.advice, line(error)) == (message, advice, 3)


# --- mistakes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "message", "advice", "where"),
    [
        ("version = 1", "version = 2", "this layout source is written for a later pip-intoto",
         "Upgrade pip-intoto.", "version"),
        ("project =", "projekt =", "unknown key `projekt` in the layout source",
         "Did you mean `project`?", "projekt"),
        ('project = "demo"\n', "", "the layout source lacks `project`",
         'Write project = "demo".', "version"),
        ('"demo"', '"de mo"', '"de mo" is not the name of a project', "", "project"),
        ('expires = "1 year"\n', "", "the layout source lacks `expires`",
         'Write expires = "1 year".', "version"),
        ('[owners]\nkeys = ["alice"]\n', "", "the layout source lacks `owners`",
         "Add a table [owners]. Name the keys of those who sign the layout.", "version"),
        ('keys = ["alice"]', 'keys = ["alic"]',
         "[owners] names the key `alic`, which [keys] does not have", "Did you mean `alice`?",
         "alic"),
        ('keys = ["alice"]', 'keys = ["alice"]\nthreshold = 2',
         "the threshold of [owners] cannot be 2", "", "threshold"),
        ('functionaries = ["carl"]', 'functionaries = ["dora"]',
         "[[step]] build names the key `dora`, which [keys] does not have",
         "Add [keys.dora] or [identities.dora].",
         "dora"),
        ('functionaries = ["carl"]\n', "", "[[step]] build lacks `functionaries`",
         "Name those of [keys] and [identities] that may sign for it.", 'name = "build"'),
        ('functionaries = ["carl"]', 'functionaries = ["carl"]\nthreshold = 0',
         "`threshold` cannot be 0", "", "threshold"),
        ('functionaries = ["carl"]', 'functionaries = ["carl"]\nexpected_products = []',
         "unknown key `expected_products` in [[step]]", "Did you mean `products`?",
         "expected_products"),
        ('name = "build"', 'name = "source"',
         'there is already a step or inspection "source", on line 18',
         "Give one of them another name.", 'name = "source"\nfunctionaries = ["carl"]'),
        ('name = "wheel"', 'name = "build"',
         'there is already a step or inspection "build", on line 24',
         "Give one of them another name.", 'name = "build"\nrun'),
        ('name = "build"', 'name = "a/b"',
         '"a/b" cannot be the name of a step: this name cannot be part of a file name', "", "a/b"),
        ('"CREATE src/*"', '"CRATE src/*"', "this is no artifact rule", "Did you mean CREATE?",
         "CRATE"),
        ('"CREATE src/*"', '"CREATE src/* lib/*"', "this is no artifact rule", "", "lib"),
        ('"CREATE src/*"', '"CREATE \'src"',
         "this rule cannot be split into words: no closing quotation",
         "A list of words is taken as it is.", "'src"),
        ('"CREATE src/*"', '["CREATE", 1]', "`products` must be a string", "", '"CREATE", 1'),
        ('"CREATE src/*"', "[]", "`products` is an empty array",
         "Fill it in, or remove the key.", "[]"),
        ('["CREATE src/*", "CREATE pyproject.toml", "DISALLOW *"]', '"DISALLOW *"',
         "`products` must be an array of artifact rules", 'Write products = ["DISALLOW *"].',
         'products = "'),
        ('run = ["unzip", "-q", "demo-*.whl", "-d", "wheel"]', "run = []",
         "`run` is an empty array", "Say what is to be done.", "run"),
        ('run = ["unzip", "-q", "demo-*.whl", "-d", "wheel"]', 'run = "unzip demo.whl"',
         "`run` must be an array of words", 'Write run = ["unzip", "demo.whl"].', "run"),
        ('"keys/ben.pub"', '"keys/nobody.pub"', None,
         "Correct the path; it is relative to the layout source.", "nobody"),
        ("[[step]]", "[step]", "`step` must be an array of tables",
         "Write [[step]] with two brackets: there can be several steps.", "[step]"),
        ("[owners]", "readme = 1\n[owners]", "`readme` must be a string", "", "readme"),
        ("[owners]", 'envelope = "dsee"\n[owners]', '`envelope` cannot be "dsee"',
         'Did you mean "dsse"?', "dsee"),
        ("version = 1", "version = one", "this is not TOML: invalid value (column 11)",
         'Text stands in quotes, as in `project = "demo"`.', "one"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_a_cure(
    tmp_path: Path, before: str, after: str, message: str | None, advice: str, where: str
) -> None:
    # Where only one step is to be broken, the other is left out.
    whole = GOOD if before != "[[step]]" else HEAD + KEYS + SOURCE
    text = whole.replace(before, after, 1)
    assert text != whole
    error = refused(tmp_path, text)
    if message is not None:
        assert error.message == message
    assert error.advice == advice
    at = text.index(where)
    assert line(error) in range(text.count("\n", 0, at), text.count("\n", 0, at) + 2)


def test_a_layout_has_steps(tmp_path: Path) -> None:
    assert refused(tmp_path, HEAD + KEYS).message == "the layout source has no steps"


def test_a_private_key_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "keys" / "ben.pub").write_bytes(key("ben").private_pem())
    with pytest.raises(CommandError, match="is a private key"):
        load_source(path)


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        load_source(tmp_path / "supply-chain.toml")


def test_K5_what_makes_no_layout_is_an_error_with_a_place(tmp_path: Path) -> None:
    master = OpenPGPKey(name="master")
    other = OpenPGPKey(name="other").described() | {"keyid": master.keyid}
    path = write(
        tmp_path,
        GOOD.replace("keys/ben.pub", "keys/ben.json").replace("keys/carl.pub", "keys/carl.json"),
    )
    (tmp_path / "keys" / "ben.json").write_text(
        json.dumps(
            OpenPGPKey(name="another").described()
            | {"subkeys": {master.keyid: OpenPGPKey(name="master").described()}}
        )
    )
    (tmp_path / "keys" / "carl.json").write_text(json.dumps(other))
    with pytest.raises(CommandError, match="two keys have the same keyid") as caught:
        compile_layout(load_source(path), now=NOW)
    assert caught.value.place == f"{path}:1"


# --- whatever stands in it ------------------------------------------------------------------

_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)
_RULES = st.one_of(
    st.tuples(
        st.sampled_from(["CREATE", "DELETE", "MODIFY", "ALLOW", "DISALLOW", "REQUIRE"]), _WORDS
    ),
    st.tuples(
        st.just("MATCH"), _WORDS, st.just("WITH"), st.just("PRODUCTS"), st.just("FROM"), _WORDS
    ),
)


@given(st.lists(_RULES, max_size=5), st.integers(1, 3))
def test_a_layout_read_again_says_what_the_source_says(
    rules: list[tuple[str, ...]], threshold: int
) -> None:
    pem = json.dumps(key("ben").public_pem().decode())
    text = f"""
version = 1
project = "demo"
expires = 2027-01-01
owners.keys = ["ben"]
keys.ben.public = {pem}

[[step]]
name = "build"
functionaries = ["ben"]
threshold = {threshold}
products = {json.dumps([list(rule) for rule in rules], ensure_ascii=False)}
"""
    source = parse_source(text.encode(), Path("supply-chain.toml"))
    step = parsed(source).steps[0]
    assert [rule.words for rule in step.expected_products] == rules
    assert step.threshold == threshold
    assert parsed(replace(source, steps=source.steps)) == parsed(source)


@given(st.text(max_size=40) | st.sampled_from([GOOD, BUILD, WHEEL]).map(lambda text: text[::-1]))
def test_what_is_no_source_is_refused_with_a_place(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_source(text.encode("utf-8", "surrogatepass"), Path("/nowhere/supply-chain.toml"))
    assert caught.value.place.startswith("/nowhere/supply-chain.toml")


# --- statements and identities --------------------------------------------------------------


def test_steps_may_ask_for_statements(tmp_path: Path) -> None:
    layout = parsed(load_source(write(tmp_path, ATTESTED)))
    ben, carl = key("ben").keyid, key("carl").keyid
    (release,) = layout.identities.values()
    assert (release.issuer, release.repository, release.workflow) == (
        "https://token.actions.githubusercontent.com",
        "demo/demo",
        "release.yml",
    )
    source, build, test = layout.steps
    assert (source.pubkeys, source.expected_predicates) == ((ben,), ())
    assert build.pubkeys == test.pubkeys == ()
    (provenance,), (tested,) = build.expected_predicates, test.expected_predicates
    assert provenance.predicate_type == "https://slsa.dev/provenance/v1"
    assert (provenance.functionaries, provenance.threshold) == ((release.keyid,), 1)
    assert tested.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    assert (tested.functionaries, tested.threshold) == ((carl, ben), 2)
    assert tested.expected_attributes == ("predicate.result == 'PASSED'",)
    assert set(layout.keys) == {ben, carl}


def test_conditions_stand_on_steps_with_links_and_on_inspections(tmp_path: Path) -> None:
    text = GOOD.replace('name = "build"\n', 'name = "build"\nconditions = ["a", "b"]\n')
    text = text.replace('name = "wheel"\n', 'name = "wheel"\nconditions = ["c"]\n')
    layout = parsed(load_source(write(tmp_path, text)))
    assert layout.steps[1].expected_attributes == ("a", "b")
    assert layout.inspections[0].expected_attributes == ("c",)


def test_a_layout_that_asks_for_nothing_new_has_no_new_members(tmp_path: Path) -> None:
    payload = json.dumps(compile_layout(load_source(write(tmp_path)), now=NOW)[0])
    assert "expected_predicates" not in payload
    assert "expectedAttributes" not in payload


@pytest.mark.parametrize(
    ("old", "new", "message", "advice", "at"),
    [
        (
            'predicate = "slsa-provenance"',
            'predicate = "slsa-provenence"',
            '"slsa-provenence" is no type of predicate',
            "Did you mean slsa-provenance?",
            "slsa-provenence",
        ),
        (
            'predicate = "slsa-provenance"\n',
            "",
            "[[step.statement]] of build lacks `predicate`",
            'Write predicate = "test-result", or the URI of a type.',
            "[[step.statement]]",
        ),
        (
            'functionaries = ["release"]',
            'functionaries = ["releases"]',
            (
                "[[step.statement]] of build names the key `releases`, which neither [keys] nor"
                " [identities] has"
            ),
            "Did you mean `release`?",
            "releases",
        ),
        (
            'name = "test"\n',
            'name = "test"\nfunctionaries = ["carl"]\n',
            "`functionaries` of [[step]] test has no meaning beside [[step.statement]]",
            "Write `functionaries` into each [[step.statement]].",
            'functionaries = ["carl"]\nmaterials',
        ),
        (
            "threshold = 2",
            "threshhold = 2",
            "unknown key `threshhold` in [[step.statement]]",
            "Did you mean `threshold`?",
            "threshhold",
        ),
        (
            "[\"predicate.result == 'PASSED'\"]",
            '[" "]',
            "this condition says nothing",
            "",
            '[" "]',
        ),
    ],
)
def test_a_mistake_in_a_statement_is_told(
    tmp_path: Path, old: str, new: str, message: str, advice: str, at: str
) -> None:
    text = ATTESTED.replace(old, new, 1)
    error = refused(tmp_path, text)
    assert (error.message, error.advice) == (message, advice)
    assert line(error) == text[: text.index(at)].count("\n") + 1


def test_an_attested_layout_is_the_same_once_it_was_signed(tmp_path: Path) -> None:
    source = load_source(write(tmp_path, ATTESTED))
    payload, layout = compile_layout(source, now=NOW)
    for form in Envelope:
        path = tmp_path / f"{form.value}.layout"
        path.write_bytes(authoring.written(authoring.sign(payload, [key("alice")], form)))
        assert load_layout(path)[1] == layout


def test_a_layout_may_stand_in_no_envelope(tmp_path: Path) -> None:
    payload, layout = compile_layout(load_source(write(tmp_path, ATTESTED)), now=NOW)
    path = tmp_path / "held.layout"
    path.write_bytes(authoring.written(payload))
    assert read_layout(path) == (None, layout)
