"""What may be wrong with a supply chain, drawn: before it is signed, after it, or in its files."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from hypothesis import strategies as st

from pip_intoto.maintainer.authoring import Envelope
from tests.conformance.differential.chains import chains
from tests.conformance.differential.drawing import digest, odd_digests, rules
from tests.conformance.differential.engines import NOW
from tests.conformance.differential.papers import ROOT, Paper, items, obj, steps
from tests.conformance.differential.signing_keys import STRANGER, ed25519, functionaries, owners

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.metadata.strict_json import JsonValue
    from tests.conformance.differential.papers import Chain

Mutation: TypeAlias = "Callable[[st.DrawFn, Chain], None]"


@st.composite
def tampered_chains(draw: st.DrawFn, envelopes: Sequence[Envelope]) -> tuple[Chain, list[str]]:
    """Draw a chain, and do up to two things to it; return also what was done."""
    chain = draw(chains(envelopes))
    done = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 1, 2]))):
        mutation = draw(st.sampled_from(MUTATIONS))
        mutation(draw, chain)
        done.append(mutation.__name__)
    return chain, done


def _paper(draw: st.DrawFn, chain: Chain) -> Paper:
    return draw(st.sampled_from(chain.papers))


def _link(draw: st.DrawFn, chain: Chain) -> Paper:
    return draw(st.sampled_from(chain.links))


def _layout(draw: st.DrawFn, chain: Chain) -> Paper:
    return draw(st.sampled_from(chain.layouts))


def _step(draw: st.DrawFn, chain: Chain) -> JsonObject:
    return draw(st.sampled_from(steps(_layout(draw, chain).payload)))


def _side(draw: st.DrawFn, chain: Chain) -> JsonObject:
    return obj(_link(draw, chain).payload[draw(st.sampled_from(["materials", "products"]))])


# --- what is said, and honestly signed ------------------------------------------------------------


def expiry(draw: st.DrawFn, chain: Chain) -> None:
    seconds = draw(st.sampled_from([-86_400, -1, 0, 1, 86_400]))
    when = NOW + timedelta(seconds=seconds)
    _layout(draw, chain).payload["expires"] = f"{when:%Y-%m-%dT%H:%M:%SZ}"


def odd_expiry(draw: st.DrawFn, chain: Chain) -> None:
    _layout(draw, chain).payload["expires"] = draw(
        st.sampled_from(
            [
                "",
                None,
                "2030-02-30T00:00:00Z",
                "2030-01-01",
                "2030-01-01T00:00:00+00:00",
                5,
                "2030-01-01t00:00:00z",
                "2030-01-01T00:00:00Z ",
                "9999-12-31T23:59:59Z",
            ]
        )
    )


def threshold(draw: st.DrawFn, chain: Chain) -> None:
    _step(draw, chain)["threshold"] = draw(st.sampled_from([0, -1, True, False, 2, 3, "1", None]))


def other_threshold(draw: st.DrawFn, chain: Chain) -> None:
    _step(draw, chain)["threshold"] = draw(st.integers(1, 3))


def item_type(draw: st.DrawFn, chain: Chain) -> None:
    _step(draw, chain)["_type"] = draw(st.sampled_from(["inspection", "Step", "layout"]))


def payload_type(draw: st.DrawFn, chain: Chain) -> None:
    _paper(draw, chain).payload["_type"] = draw(st.sampled_from(["link", "layout", "Link", None]))


def left_out(draw: st.DrawFn, chain: Chain) -> None:
    paper = _paper(draw, chain)
    names = sorted(set(paper.payload) - {"steps"})
    del paper.payload[draw(st.sampled_from(names))]


def left_out_of_step(draw: st.DrawFn, chain: Chain) -> None:
    step = _step(draw, chain)
    step.pop(draw(st.sampled_from(sorted(set(step) - {"_type", "name"}))), None)


def unknown_member(draw: st.DrawFn, chain: Chain) -> None:
    place = draw(st.sampled_from([_paper(draw, chain).payload, _step(draw, chain)]))
    name = draw(st.sampled_from(["x-note", "Expires", "expected_predicates", "ü"]))
    values: list[JsonValue] = ["text", 1, [{"a": None}], {}]
    place[name] = draw(st.sampled_from(values))


def odd_value(draw: st.DrawFn, chain: Chain) -> None:
    paper = _paper(draw, chain)
    choices: list[JsonValue] = [None, [], {}, "", 5, ["a", 1], True]
    if paper.envelope is Envelope.DSSE:
        choices.append(1.5)
    name = draw(
        st.sampled_from(["readme"] if paper.is_layout else ["byproducts", "environment", "command"])
    )
    value = draw(st.sampled_from(choices))
    paper.payload[name] = (
        {"inner": value} if name == "byproducts" and draw(st.booleans()) else value
    )


def rule(draw: st.DrawFn, chain: Chain) -> None:
    step = _step(draw, chain)
    expected = items(step.setdefault("expected_products", []))
    names = [str(each.get("name")) for each in steps(chain.root.payload)]
    expected.insert(draw(st.integers(0, len(expected))), list(draw(rules(names))))


def broken_rule(draw: st.DrawFn, chain: Chain) -> None:
    expected = items(_step(draw, chain).setdefault("expected_materials", []))
    broken: list[JsonValue] = [
        ["ALLOW"], ["PERMIT", "*"], [], ["ALLOW", "*", "x"], ["ALLOW", 5], "ALLOW *",
        ["MATCH", "*", "WITH", "PRODUCT", "FROM", "fetch"], ["DI\u017fALLOW", "*"],
        ["MATCH", "*", "IN", "a", "WITH", "PRODUCTS", "FROM"], ["MATCH", "*"],
        ["match", "*", "in", "a", "with", "materials", "in", "b", "from", "fetch"],
    ]  # fmt: skip
    expected.append(draw(st.sampled_from(broken)))


def parameters(draw: st.DrawFn, chain: Chain) -> None:
    chain.parameters.update(
        draw(
            st.dictionaries(
                st.sampled_from(["NAME", "all", "x-y"]),
                st.sampled_from(["a", "src", "*", "b.py", "{all}", "[ab]"]),
                max_size=2,
            )
        )
    )
    pattern = draw(st.sampled_from(["{NAME}", "src/{all}", "{NAME}{all}", "{{NAME}}", "{x-y}*"]))
    expected = items(_step(draw, chain).setdefault("expected_products", []))
    expected.insert(0, [draw(st.sampled_from(["ALLOW", "DISALLOW", "CREATE"])), pattern])


def item_name(draw: st.DrawFn, chain: Chain) -> None:
    """Rename a step, and the links that are its own."""
    layout = _layout(draw, chain)
    step = draw(st.sampled_from(steps(layout.payload)))
    before, after = step["name"], draw(st.sampled_from(["other", "fetch", "a/b", "", "x\\y", "\t"]))
    folder = "" if layout.path == ROOT else layout.path.removesuffix(".link") + "/"
    step["name"] = after
    for paper in chain.papers:
        if paper.path.startswith(f"{folder}{before}."):
            paper.path = folder + after + paper.path[len(f"{folder}{before}") :]
            if not paper.is_layout:
                paper.payload["name"] = after


def link_name(draw: st.DrawFn, chain: Chain) -> None:
    _link(draw, chain).payload["name"] = draw(st.sampled_from(["fetch", "build", "", None, "ü"]))


def artifact(draw: st.DrawFn, chain: Chain) -> None:
    side = _side(draw, chain)
    side[
        draw(st.sampled_from(["extra", "./a", "src/../a", "/a", "a//b", "", "C:a", "..", "a\\b"]))
    ] = {**digest("x")}


def lost_artifact(draw: st.DrawFn, chain: Chain) -> None:
    side = _side(draw, chain)
    if side:
        del side[draw(st.sampled_from(sorted(side)))]


def changed_digest(draw: st.DrawFn, chain: Chain) -> None:
    side = _side(draw, chain)
    if side:
        content = "other"
        side[draw(st.sampled_from(sorted(side)))] = dict(
            draw(
                st.sampled_from(
                    [
                        digest(content),
                        digest(content),
                        *odd_digests(content),
                        {"sha256": "AB" * 32},
                        {"sha256": "abc"},
                        {"sha256": "xyz"},
                        {"new": "12"},
                    ]
                )
            )
        )


def spelled_digest(draw: st.DrawFn, chain: Chain) -> None:
    """Say the same in another way, in one of several links."""
    side = _side(draw, chain)
    for name, value in list(side.items()):
        side[name] = {**obj(value), "sha512": "ab" * 64}


# --- keys -------------------------------------------------------------------------------------


def authorised(draw: st.DrawFn, chain: Chain) -> None:
    step = _step(draw, chain)
    keyids = items(step.setdefault("pubkeys", []))
    choice = draw(st.integers(0, 3))
    if choice == 0 and keyids:
        keyids.pop()
    elif choice == 1 and keyids:
        keyids.append(keyids[0])
    elif choice == 2:
        keyids.append(draw(st.sampled_from(functionaries())).keyid)
    else:
        keyids.append(draw(st.sampled_from(["", "zz", "abc", "ab" * 80, "ab" * 20])))


def key_object(draw: st.DrawFn, chain: Chain) -> None:
    keys = obj(_layout(draw, chain).payload.setdefault("keys", {}))
    if not keys:
        return
    keyid = draw(st.sampled_from(sorted(keys)))
    key = dict(obj(keys[keyid]))
    choice = draw(st.integers(0, 6))
    if choice == 0:
        del key["keyid"]
    elif choice == 1:
        key["keyid"] = "ab" * 32
    elif choice == 2:
        key["scheme"] = draw(st.sampled_from(["rsassa-pss-sha224", "ed25519", "sphincs"]))
    elif choice == 3:
        key["keytype"] = draw(st.sampled_from(["ed25519", "rsa", "unknown"]))
    elif choice == 4:
        key["keyid_hash_algorithms"] = ["sha256"]
    elif choice == 5:
        key["keyval"] = {
            "public": draw(st.sampled_from(["", "ab" * 32, "-----BEGIN PUBLIC KEY-----\n"]))
        }
    else:
        del keys[keyid]
        return
    keys[keyid] = key


def second_name_of_key(draw: st.DrawFn, chain: Chain) -> None:
    """List one key under two keyids, and let it sign twice."""
    layout = _layout(draw, chain)
    step = draw(st.sampled_from(steps(layout.payload)))
    mine = [paper for paper in chain.links if paper.payload.get("name") == step.get("name")]
    if not mine or not mine[0].signers:
        return
    twice = mine[0].signers[0].called("cd" * 32)
    obj(layout.payload.setdefault("keys", {}))[twice.keyid] = twice.listed()
    items(step.setdefault("pubkeys", [])).append(twice.keyid)
    step["threshold"] = draw(st.integers(1, 2))
    folder = mine[0].path.rpartition("/")[0]
    path = f"{mine[0].payload['name']}.{twice.keyid[:8]}.link"
    chain.papers.append(
        Paper(
            path=f"{folder}/{path}" if folder else path,
            payload=dict(mine[0].payload),
            signers=[twice],
            envelope=mine[0].envelope,
        )
    )


def signers(draw: st.DrawFn, chain: Chain) -> None:
    paper = _paper(draw, chain)
    another = draw(st.sampled_from([STRANGER, *functionaries(), *owners()]))
    choice = draw(st.integers(0, 3))
    if choice == 0:
        paper.signers = []
    elif choice == 1:
        paper.signers = [another]
    elif choice == 2:
        paper.signers = [another, *paper.signers]
    else:
        paper.signers = [*paper.signers, *paper.signers]


def owner_keys(draw: st.DrawFn, chain: Chain) -> None:
    another = draw(st.sampled_from([ed25519(1), ed25519(2), STRANGER]))
    chain.owners = draw(st.sampled_from([[another], [*chain.owners, another], chain.owners[:1]]))
    chain.owners = list({key.keyid: key for key in chain.owners}.values())


# --- what was done after signing --------------------------------------------------------------


def signature(draw: st.DrawFn, chain: Chain) -> None:
    choice = draw(st.integers(0, 9))
    other = draw(st.sampled_from(functionaries())).keyid

    def edit(content: JsonObject) -> None:
        found = items(content["signatures"])
        if not found:
            return
        first = obj(found[0])
        sig = str(first["sig"])
        if choice == 0:
            first["keyid"] = other
        elif choice == 1:
            del first["keyid"]
        elif choice == 2:
            first["sig"] = ("0" if sig[0] != "0" else "1") + sig[1:]
        elif choice == 3:
            first["sig"] = sig[:-2]
        elif choice == 4:
            first["sig"] = "not a signature"
        elif choice == 5:
            del first["sig"]
        elif choice == 6:
            found.insert(0, dict(first) | {"sig": ("0" if sig[0] != "0" else "1") + sig[1:]})
        elif choice == 7:
            first["x-note"] = "unsigned"
        elif choice == 8:
            found.append("no signature")
        else:
            first["sig"] = sig.rstrip("=").replace("+", "-").replace("/", "_")

    _paper(draw, chain).edits.append(edit)


def unsigned_change(draw: st.DrawFn, chain: Chain) -> None:
    """Change what is said under a signature that stays as it was."""
    choice = draw(st.integers(0, 6))
    paper = _paper(draw, chain)

    def edit(payload: JsonObject) -> None:
        if choice == 0:
            payload["x-note"] = "added"
        elif choice == 1:
            payload["name"] = "build"
        elif choice == 2:
            for step in payload.get("steps") or []:  # type: ignore[union-attr]
                obj(step).pop("threshold", None)
        elif choice == 3:
            payload["expires"] = "2030-01-01T00:00:00Z"
        elif choice == 4:
            payload.pop("readme", None)
            payload.pop("environment", None)
        elif choice == 5:
            payload["products"] = {"a": digest("evil")}  # type: ignore[dict-item]
        else:
            for step in payload.get("steps") or []:  # type: ignore[union-attr]
                obj(step)["_type"] = "inspection"

    def in_envelope(content: JsonObject) -> None:
        if "signed" in content:
            edit(obj(content["signed"]))
        else:
            payload = obj(json.loads(base64.b64decode(str(content["payload"]))))
            edit(payload)
            content["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()

    paper.edits.append(in_envelope)


def envelope(draw: st.DrawFn, chain: Chain) -> None:
    choice = draw(st.integers(0, 5))

    def edit(content: JsonObject) -> None:
        if choice == 0:
            content["x-note"] = "beside"
        elif choice == 1:
            content["payloadType"] = "application/json"
        elif choice == 2:
            content["signed"] = content.get("signed", {"_type": "link"})
            content.setdefault("payload", "e30=")
        elif choice == 3:
            del content["signatures"]
        elif choice == 4 and "payload" in content:
            content["payload"] = str(content["payload"]).rstrip("=")
        elif choice == 5 and "payload" in content:
            content["payload"] = str(content["payload"]).replace("+", "-").replace("/", "_")

    _paper(draw, chain).edits.append(edit)


def flipped_byte(draw: st.DrawFn, chain: Chain) -> None:
    where, what = draw(st.floats(0, 1, exclude_max=True)), draw(st.sampled_from(b'"a0{},:\\ -'))

    def edit(data: bytes) -> bytes:
        at = int(where * len(data))
        return data[:at] + bytes([what]) + data[at + 1 :]

    _paper(draw, chain).byte_edits.append(edit)


def broken_bytes(draw: st.DrawFn, chain: Chain) -> None:
    choice = draw(st.integers(0, 5))

    def edit(data: bytes) -> bytes:
        return (
            data[:-1],
            data + b"x",
            b"\xef\xbb\xbf" + data,
            b"",
            data.replace(b'"signatures"', b'"signatures": [], "signatures"', 1),
            data.decode("utf-8", "replace").encode("utf-16"),
        )[choice]

    _paper(draw, chain).byte_edits.append(edit)


# --- files ----------------------------------------------------------------------------------------


def dropped(draw: st.DrawFn, chain: Chain) -> None:
    path = _paper(draw, chain).path

    def edit(files: dict[str, bytes]) -> None:
        files.pop(path, None)

    chain.file_edits.append(edit)


def renamed(draw: st.DrawFn, chain: Chain) -> None:
    path, other = _paper(draw, chain).path, _paper(draw, chain).path
    after = draw(st.sampled_from([other, "other.link", "fetch.abababab.link"]))

    def edit(files: dict[str, bytes]) -> None:
        if path in files:
            files[after] = files.pop(path)

    chain.file_edits.append(edit)


def copied(draw: st.DrawFn, chain: Chain) -> None:
    path, other = _paper(draw, chain).path, _paper(draw, chain).path

    def edit(files: dict[str, bytes]) -> None:
        if path in files:
            files[other] = files[path]

    chain.file_edits.append(edit)


def exchanged(draw: st.DrawFn, chain: Chain) -> None:
    path, other = _paper(draw, chain).path, _paper(draw, chain).path

    def edit(files: dict[str, bytes]) -> None:
        if path in files and other in files:
            files[path], files[other] = files[other], files[path]

    chain.file_edits.append(edit)


def stray_file(draw: st.DrawFn, chain: Chain) -> None:
    content = draw(st.sampled_from([b"", b"{}", b"[]", b"\xff", b'{"signed": {}}']))
    chain.file_edits.append(lambda files: files.update({"notes.link": content}))


def overlooked_file(draw: st.DrawFn, chain: Chain) -> None:
    name = draw(st.sampled_from(["evil.pyc", "x.link.py", ".git/hook", "a~", "plain.txt"]))
    chain.work[name] = b"x"


MUTATIONS: tuple[Mutation, ...] = (
    expiry,
    odd_expiry,
    threshold,
    other_threshold,
    other_threshold,
    item_type,
    payload_type,
    left_out,
    left_out_of_step,
    unknown_member,
    odd_value,
    rule,
    rule,
    broken_rule,
    parameters,
    item_name,
    link_name,
    artifact,
    lost_artifact,
    changed_digest,
    changed_digest,
    spelled_digest,
    authorised,
    key_object,
    second_name_of_key,
    signers,
    signers,
    owner_keys,
    signature,
    signature,
    unsigned_change,
    envelope,
    flipped_byte,
    flipped_byte,
    broken_bytes,
    dropped,
    renamed,
    copied,
    exchanged,
    stray_file,
    overlooked_file,
)
