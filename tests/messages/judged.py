"""Verdicts on files, with real policies, keys and evidence from an index in memory."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pip._vendor.rich.console import Console

from fixtures.distributions import sdist, wheel
from fixtures.keys import key
from fixtures.supply_chain import PAST, SupplyChain, write_policy
from pip_intoto.distribution import Distribution, Kind
from pip_intoto.maintainer import authoring
from pip_intoto.metadata.names import ROOT_LAYOUT
from pip_intoto.policy.file import load_policy
from pip_intoto.reports.lines import verdict_lines
from pip_intoto.sources.fetching import OFFLINE, Response
from pip_intoto.verdict import Action
from pip_intoto.verifier.judge import judge
from pip_intoto_gate.blocked import Blocked
from pip_intoto_gate.cases import Case
from pip_intoto_gate.gate import Gate
from tests.messages.situations import situation, steady
from tests.unit.sources.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from fixtures.distributions import Built
    from pip_intoto.maintainer.authoring import Document, JsonObject
    from pip_intoto.verdict import Verdict

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
#: Why pip wants the file, in the words that the gate has for that.
WHY = "app==2.1, which is wanted by -r requirements.txt (line 3)"
INDEX = "https://index.example/simple/"
WHEEL = wheel("demo")
CHAIN = SupplyChain(project="demo")
STRANGER = key("stranger")


# --- how a user sees a verdict --------------------------------------------------------------


def told(folder: Path, verdict: Verdict, *, trace: bool = False) -> str:
    """Give what pip prints when it is stopped, else what ``pip-intoto verify`` prints."""
    if verdict.action is Action.BLOCK:
        text = framed(verdict)
    else:
        text = "\n".join(line.text for line in verdict_lines(verdict, trace=trace))
    return steady(text, {str(folder): "/etc/pip-intoto"})


def framed(verdict: Verdict) -> str:
    """Give pip's frame around the verdict, as the gate would have pip draw it."""
    distribution = verdict.distribution
    announcement = {
        "name": distribution.name,
        "filename": distribution.filename,
        "version": distribution.version,
        "kind": distribution.kind.value,
        "url": distribution.url or "",
        "index": distribution.index,
    }
    case = Case(1, announcement, WHY)
    case.verdict = {
        "action": verdict.action.value,
        "status": verdict.status.value,
        "reason": verdict.reason,
        "summary": verdict.summary,
        "expected": verdict.expected,
        "found": verdict.found,
        "advice": verdict.advice,
    }
    try:
        # A verdict that is there already needs neither a verifier nor a pip.
        object.__new__(Gate)._enforce(case)
    except Blocked as error:
        return drawn(error)
    raise AssertionError(verdict)


def drawn(error: Blocked) -> str:
    """Give the error as pip prints it."""
    paper = io.StringIO()
    # As pip sets up its console: lines are as long as they are, and the terminal wraps them.
    console = Console(file=paper, soft_wrap=True, width=100, color_system=None)
    console.print(error, overflow="ignore", crop=False)
    return paper.getvalue()


# --- what is judged -------------------------------------------------------------------------


def url_of(built: Built) -> str:
    return f"https://files.example/{built.filename}"


def bundle_of(built: Built = WHEEL) -> str:
    return url_of(built) + ".intoto.jsonl"


def distribution(
    built: Built = WHEEL,
    **changes: Any,  # noqa: ANN401 - any member
) -> Distribution:
    whole = Distribution(
        name=built.name,
        version=built.version,
        filename=built.filename,
        kind=Kind.WHEEL if built.filename.endswith(".whl") else Kind.SDIST,
        sha256=built.sha256,
        url=url_of(built),
        index=f"{INDEX}{built.name}/",
    )
    return replace(whole, **changes)


def checkout(*, requested: bool, name: str = "demo") -> Distribution:
    return Distribution(
        name=name,
        version="",
        filename="",
        kind=Kind.VCS,
        url=f"git+https://git.example/{name}@main",
        requested=requested,
    )


def judged(
    folder: Path,
    evidence: Iterable[Document] | bytes = b"",
    subject: Distribution | None = None,
    *,
    chain: SupplyChain = CHAIN,
    chains: Iterable[SupplyChain] = (),
    head: str = "",
    rule: str = "",
    tail: str = "",
    files: Mapping[str, bytes] | None = None,
    answers: Mapping[str, Response] | None = None,
) -> Verdict:
    """Judge *subject* (demo 1.0) with *evidence* beside it, by a policy in *folder*."""
    policy = write_policy(folder, chains or [chain], head=head, rule=rule)
    policy.write_text(with_names(policy.read_text("utf-8")) + "\n" + tail, "utf-8")
    body = evidence if isinstance(evidence, bytes) else authoring.bundle(evidence)
    served = dict(files or {})
    if body:
        served[bundle_of()] = body
    repository = Repository(served, dict(answers or {}))
    return repository.run(judge(subject or distribution(), load_policy(policy), now=NOW))


def with_names(policy: str) -> str:
    """Call the owners' keys what people would, and leave their files as they are."""
    for name, owner in (("alice", key("owner")), ("bob", key("second owner"))):
        called = f"key-{owner.keyid[:8]}"
        policy = policy.replace(f"[keys.{called}]", f"[keys.{name}]")
        policy = policy.replace(f'"{called}"', f'"{name}"')
    return policy


def exception(**members: str) -> str:
    given = {
        "project": '"demo"',
        "reason": '"no evidence before 2.0"',
        "owner": '"security@acme.example"',
        "expires": "2027-01-31",
        **members,
    }
    return "[[exception]]\n" + "\n".join(f"{name} = {value}" for name, value in given.items())


def with_layout(changed: JsonObject, *links: Document) -> tuple[Document, ...]:
    """Give the usual evidence with another layout, signed by the owners, or with other links."""
    signed = authoring.sign(changed, CHAIN.owners, CHAIN.envelope)
    usual = CHAIN.evidence(WHEEL)
    return (authoring.Document(signed, ROOT_LAYOUT), *(links or usual[1:]))


def build_rules(products: Iterable[authoring.Rule], **changes: Any) -> JsonObject:  # noqa: ANN401
    """Give the usual layout with other rules or members in its last step."""
    layout = CHAIN.layout()
    steps = layout["steps"]
    assert isinstance(steps, list)
    step = steps[-1]
    assert isinstance(step, dict)
    step["expected_products"] = [list(rule) for rule in products]
    step.update(changes)
    return layout


def inspected(
    run: list[str], built: Built = WHEEL, rules: Iterable[authoring.Rule] = ()
) -> tuple[Document, ...]:
    """Give evidence whose layout also wants an inspection."""
    whole_file = (["MATCH", "demo-*", "WITH", "PRODUCTS", "FROM", "build"], ["DISALLOW", "*"])
    layout = CHAIN.layout()
    layout["inspect"] = [
        authoring.inspection(
            "look-inside",
            run=run,
            expected_materials=rules or whole_file,
            expected_products=[["ALLOW", "*"]],
        )
    ]
    return with_layout(layout, *CHAIN.evidence(built)[1:])


def build_link(
    products: Mapping[str, Mapping[str, str]],
    signer: Any = None,  # noqa: ANN401
) -> Document:
    """Give the builder's report of a build with these products."""
    link = authoring.link("build", materials=CHAIN.sources("1.0"), products=products)
    return CHAIN.signed_link(link, signer or CHAIN.builder)


GOOD = CHAIN.evidence(WHEEL)


# --- nothing is wrong -----------------------------------------------------------------------


@situation("verified")
def _(folder: Path) -> str:
    return told(folder, judged(folder, GOOD), trace=True)


@situation("exempt")
def _(folder: Path) -> str:
    return told(folder, judged(folder, tail=exception()))


@situation("exempt.apart-from-expiry")
def _(folder: Path) -> str:
    expired = SupplyChain(project="demo", expires=PAST)
    waives = exception(waives='["layout-expired"]')
    return told(folder, judged(folder, expired.evidence(WHEEL), tail=waives))


@situation("exempt.waived")
def _(folder: Path) -> str:
    return told(folder, judged(folder, tail=exception(waives='["layout-missing"]')))


@situation("unlisted")
def _(folder: Path) -> str:
    return told(folder, judged(folder, subject=distribution(wheel("other"))))


@situation("unlisted.denied")
def _(folder: Path) -> str:
    return told(
        folder, judged(folder, subject=distribution(wheel("other")), head='unlisted = "deny"')
    )


@situation("unlisted.exception-expired")
def _(folder: Path) -> str:
    expired = exception(project='"other"', expires="2026-10-31")
    return told(folder, judged(folder, subject=distribution(wheel("other")), tail=expired))


@situation("unverifiable")
def _(folder: Path) -> str:
    subject = Distribution(
        name="other",
        version="",
        filename="",
        kind=Kind.DIRECTORY,
        url="file:///home/you/other",
        requested=True,
    )
    return told(folder, judged(folder, subject=subject))


@situation("unverifiable.listed")
def _(folder: Path) -> str:
    return told(folder, judged(folder, subject=checkout(requested=False)))


# --- missing, unreachable -------------------------------------------------------------------


@situation("layout-missing")
def _(folder: Path) -> str:
    return told(folder, judged(folder))


@situation("layout-missing.exception-expired")
def _(folder: Path) -> str:
    return told(folder, judged(folder, tail=exception(expires="2026-10-31")))


@situation("layout-missing.no-address")
def _(folder: Path) -> str:
    return told(folder, judged(folder, subject=distribution(url=None, index=None)))


@situation("source-unreachable")
def _(folder: Path) -> str:
    down = Response(None, error="no complete answer in time")
    return told(folder, judged(folder, answers={bundle_of(): down}))


@situation("source-unreachable.offline")
def _(folder: Path) -> str:
    nobody = Response(None, error=OFFLINE)
    places = (bundle_of(), bundle_of().removesuffix(".jsonl") + "/root.layout")
    return told(folder, judged(folder, answers=dict.fromkeys(places, nobody)))


@situation("source-unreachable.refused")
def _(folder: Path) -> str:
    return told(folder, judged(folder, answers={bundle_of(): Response(403)}))


# --- the layout -----------------------------------------------------------------------------


@situation("layout-signature-missing")
def _(folder: Path) -> str:
    strange = SupplyChain(project="demo", owners=(STRANGER,))
    return told(folder, judged(folder, strange.evidence(WHEEL)))


@situation("layout-signature-missing.one-of-two")
def _(folder: Path) -> str:
    both = SupplyChain(project="demo", owners=(key("owner"), key("second owner")))
    return told(folder, judged(folder, GOOD, chain=both))


@situation("layout-expired")
def _(folder: Path) -> str:
    expired = SupplyChain(project="demo", expires=PAST)
    return told(folder, judged(folder, expired.evidence(WHEEL)))


@situation("layout-not-for-project")
def _(folder: Path) -> str:
    loose = SupplyChain(project="demo", build_products=(["CREATE", "*"], ["DISALLOW", "*"]))
    chains = [loose, SupplyChain(project="other")]
    return told(folder, judged(folder, loose.evidence(WHEEL), chains=chains))


@situation("layout-not-for-project.pinned")
def _(folder: Path) -> str:
    rule = f'layout-sha256 = ["{"5" * 64}"]'
    return told(folder, judged(folder, GOOD, rule=rule))


@situation("layout-feature-unsupported")
def _(folder: Path) -> str:
    layout = CHAIN.layout()
    layout["functionaries"] = {"1": {}}
    return told(folder, judged(folder, with_layout(layout)))


@situation("layout-feature-unsupported.parameter")
def _(folder: Path) -> str:
    layout = build_rules([["CREATE", "demo-{VERSION}-*"], ["DISALLOW", "*"]])
    verdict = judged(folder, with_layout(layout), rule='parameters = { NAME = "demo" }')
    return told(folder, verdict)


@situation("key-revoked")
def _(folder: Path) -> str:
    folder.joinpath("stolen.pub").write_bytes(CHAIN.builder.public_pem())
    tail = '[[revoked]]\nkey = "stolen.pub"\nreason = "stolen in October"\n'
    return told(folder, judged(folder, GOOD, tail=tail))


@situation("key-revoked.of-the-layout")
def _(folder: Path) -> str:
    folder.joinpath("stolen.pub").write_bytes(CHAIN.owners[0].public_pem())
    tail = '[[revoked]]\nkey = "stolen.pub"\nreason = "stolen in October"\n'
    return told(folder, judged(folder, GOOD, tail=tail))


# --- links and rules ------------------------------------------------------------------------


@situation("link-missing")
def _(folder: Path) -> str:
    return told(folder, judged(folder, GOOD[:2]))


@situation("link-missing.layout-of-your-own")
def _(folder: Path) -> str:
    folder.joinpath("demo.layout").write_bytes(authoring.bundle(GOOD[:1]))
    return told(folder, judged(folder, rule='layout = "demo.layout"'))


@situation("link-threshold-unmet")
def _(folder: Path) -> str:
    forged = SupplyChain(project="demo", build_signer=key("author"))
    return told(folder, judged(folder, forged.evidence(WHEEL)))


@situation("link-threshold-unmet.one-of-two")
def _(folder: Path) -> str:
    rules = [["CREATE", "demo-*"], ["DISALLOW", "*"]]
    pubkeys = [CHAIN.builder.keyid, CHAIN.author.keyid]
    layout = build_rules(rules, threshold=2, pubkeys=pubkeys)
    return told(folder, judged(folder, with_layout(layout)))


@situation("links-disagree")
def _(folder: Path) -> str:
    rules = [["CREATE", "demo-*"], ["DISALLOW", "*"]]
    pubkeys = [CHAIN.builder.keyid, CHAIN.author.keyid]
    layout = build_rules(rules, threshold=2, pubkeys=pubkeys)
    other = build_link({WHEEL.filename: {"sha256": WHEEL.tampered().sha256}}, CHAIN.author)
    return told(folder, judged(folder, with_layout(layout, *GOOD[1:], other)))


@situation("rule-violated")
def _(folder: Path) -> str:
    other = CHAIN.signed_link(
        authoring.link(
            "build",
            materials={"src/module.py": {"sha256": "b" * 64}},
            products={WHEEL.filename: {"sha256": WHEEL.sha256}},
        ),
        CHAIN.builder,
    )
    return told(folder, judged(folder, (*GOOD[:2], other)))


@situation("rule-violated.unexpected-file")
def _(folder: Path) -> str:
    products = {name: {"sha256": WHEEL.sha256} for name in (WHEEL.filename, "install.sh")}
    return told(folder, judged(folder, (*GOOD[:2], build_link(products))))


@situation("rule-violated.required-file")
def _(folder: Path) -> str:
    layout = build_rules([["REQUIRE", "sbom.json"], ["CREATE", "demo-*"], ["DISALLOW", "*"]])
    return told(folder, judged(folder, with_layout(layout)))


# --- binding --------------------------------------------------------------------------------


@situation("artifact-not-bound")
def _(folder: Path) -> str:
    return told(folder, judged(folder, CHAIN.evidence(wheel("demo", "0.9"))))


@situation("artifact-not-bound.filename")
def _(folder: Path) -> str:
    subject = distribution(name="demo", filename="other-1.0-py3-none-any.whl")
    return told(folder, judged(folder, GOOD, subject))


@situation("artifact-not-bound.no-rule")
def _(folder: Path) -> str:
    return told(folder, judged(folder, with_layout(build_rules([["DISALLOW", "*.exe"]]))))


@situation("artifact-not-bound.no-such-step")
def _(folder: Path) -> str:
    return told(folder, judged(folder, GOOD, rule='binds = "release"'))


@situation("artifact-not-bound.inspection")
def _(folder: Path) -> str:
    path = WHEEL.write(folder)
    rules = [["MATCH", "*.tar.gz", "WITH", "PRODUCTS", "FROM", "build"]]
    evidence = inspected(["unzip", WHEEL.filename], rules=rules)
    return told(folder, judged(folder, evidence, distribution(path=path)))


@situation("artifact-digest-mismatch")
def _(folder: Path) -> str:
    subject = distribution(sha256=WHEEL.tampered().sha256)
    return told(folder, judged(folder, GOOD, subject))


# --- inspections and archives ---------------------------------------------------------------


@situation("archive-ambiguous")
def _(folder: Path) -> str:
    usual = wheel("demo", modules={"demo.py": b"GOOD = 1\n", "demo.p!": b"EVIL = 1\n"})
    # Two members of one name: one tool takes the first, another the last.
    twice = replace(usual, data=usual.data.replace(b"demo.p!", b"demo.py"))
    path = twice.write(folder)
    evidence = inspected(["unzip", twice.filename], twice)
    return told(folder, judged(folder, evidence, distribution(twice, path=path)))


@situation("inspection-not-allowed")
def _(folder: Path) -> str:
    path = WHEEL.write(folder)
    evidence = inspected(["sh", "-c", "scan demo-*.whl"])
    return told(folder, judged(folder, evidence, distribution(path=path)))


@situation("inspection-failed")
def _(folder: Path) -> str:
    path = WHEEL.write(folder)
    policy = 'inspections = [["false"]]'
    return told(folder, judged(folder, inspected(["false"]), distribution(path=path), rule=policy))


# --- metadata -------------------------------------------------------------------------------


@situation("metadata-malformed")
def _(folder: Path) -> str:
    layout = build_rules([["CRAETE", "demo-*"], ["DISALLOW", "*"]])
    return told(folder, judged(folder, with_layout(layout)))


@situation("layout-missing.page-instead")
def _(folder: Path) -> str:
    return told(folder, judged(folder, b"<!DOCTYPE html>\n<title>Welcome</title>\n"))


@situation("metadata-malformed.page-instead")
def _(folder: Path) -> str:
    page = b"<!DOCTYPE html>\n<title>Welcome</title>\n"
    files = {url_of(WHEEL) + ".intoto/root.layout": page}
    return told(folder, judged(folder, files=files))


@situation("metadata-too-large")
def _(folder: Path) -> str:
    endless = Response(None, error="longer than 8388608 bytes", too_large=True)
    return told(folder, judged(folder, answers={bundle_of(): endless}))


# --- where it comes from, and what it is built with -----------------------------------------


@situation("index-mismatch")
def _(folder: Path) -> str:
    rule = 'index = "https://pypi.acme.example/simple/"'
    return told(folder, judged(folder, GOOD, rule=rule))


@situation("build-not-allowed")
def _(folder: Path) -> str:
    source = sdist("demo", runs=folder)
    return told(folder, judged(folder, subject=distribution(source), rule='build = "never"'))


@situation("build-requirement-unverified")
def _(folder: Path) -> str:
    subject = distribution(wheel("backend"), building_for="demo 1.0")
    return told(folder, judged(folder, subject=subject))


@situation("build-requirement-unverified.listed")
def _(folder: Path) -> str:
    return told(folder, judged(folder, subject=distribution(building_for="app 2.1")))
