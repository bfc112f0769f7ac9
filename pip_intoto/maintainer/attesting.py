"""Attesting: signed statements about files, other than links."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError, EvidenceInvalid, MetadataMalformed
from pip_intoto.limits import DEFAULT, LOCAL
from pip_intoto.maintainer import authoring
from pip_intoto.maintainer.documents import of_ours
from pip_intoto.maintainer.steps.recording import digests_of
from pip_intoto.metadata import strict_json
from pip_intoto.metadata.bundle import parse_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pip_intoto.limits import Limits
    from pip_intoto.maintainer.authoring import JsonObject
    from pip_intoto.maintainer.keys.signing import Signer
    from pip_intoto.metadata.strict_json import JsonValue

#: What a test result may say.
RESULTS = ("PASSED", "WARNED", "FAILED")


def result_of_tests(
    result: str, *, configuration: Iterable[Path] = (), url: str = "", about: JsonObject | None
) -> JsonObject:
    """The predicate of a test result; ``about`` has members besides, none of them these.

    Raises CommandError for files that cannot be read, or members that are said twice.
    """
    made: JsonObject = {"result": result, "configuration": [*described(configuration)]}
    if url:
        made["url"] = url
    twice = [name for name in made if name in (about or {})]
    if twice:
        raise CommandError(
            f"the predicate says `{twice[0]}` already",
            expected="either --predicate with it, or the option for it",
        )
    return {**made, **(about or {})}


def described(paths: Iterable[Path]) -> list[JsonObject]:
    """Files as resource descriptors: name and sha256.

    Raises CommandError for what is no file, and for two files with one name.
    """
    named: dict[str, str] = {}
    for path in paths:
        if not path.name or path.is_dir():
            raise CommandError(f"{path} is a directory", expected="files")
        if named.setdefault(path.name, str(path)) != str(path):
            # "names SHOULD be unique": who verifies tells files apart by them.
            raise CommandError(
                f"two files are called {path.name}",
                expected="files of different names",
                found=f"{named[path.name]} and {path}",
            )
    digests = digests_of(named)
    return [{"name": name, "digest": {**digests[name]}} for name in named]


def read_predicate(path: Path, *, limits: Limits = LOCAL) -> JsonObject:
    """The predicate in a JSON file. Raises CommandError, MetadataMalformed or MetadataTooLarge."""
    data = files.read(path, limits.document_bytes)
    try:
        value: JsonValue = strict_json.parse(data, limits=limits)
    except MetadataMalformed as error:
        error.place = f"{path}: {error.place}" if error.place else str(path)
        error.advice = "Correct it, or have whatever made it make it again."
        raise
    if not isinstance(value, dict):
        raise CommandError(f"{path} has no predicate", expected="a JSON object")
    if "predicateType" in value and "predicate" in value:
        raise CommandError(
            f"{path} is a whole statement",
            expected="what stands in its `predicate`, and nothing around it",
        )
    return value


def attested(
    subjects: Sequence[JsonObject],
    type_uri: str,
    predicate: JsonObject,
    signers: Iterable[Signer],
    *,
    limits: Limits = LOCAL,
) -> JsonObject:
    """The statement in a DSSE envelope, signed, and read again as those who verify do.

    Raises CommandError for what nobody would accept, and where a key cannot sign.
    """
    content = authoring.sign(authoring.statement(subjects, type_uri, predicate), signers)
    _check(content, limits)
    return content


def _check(content: JsonObject, limits: Limits) -> None:
    # Imported here: only what is made here is looked into.
    from pip_intoto.metadata import predicates
    from pip_intoto.metadata.envelope import parse_envelope, read_statement

    try:
        envelope = parse_envelope(
            json.dumps(content).encode("ascii"), of_statement=True, limits=limits
        )
        predicates.attested(read_statement(envelope, limits=limits), limits)
    except EvidenceInvalid as error:
        raise CommandError(
            f"this makes no statement that anybody accepts: {error.message}",
            expected=error.expected,
            found=error.found,
            place=error.place,
        ) from None


def with_line(data: bytes, content: JsonObject, origin: str, *, limits: Limits = DEFAULT) -> bytes:
    """The bundle ``data`` with one more document; the others stay as they are.

    A document that is there already is not added again. Raises CommandError when more would be
    there than anybody reads, MetadataMalformed and MetadataTooLarge for what is no bundle.
    """
    with of_ours(origin):
        parse_bundle(data, origin=origin, of_statements=True, limits=LOCAL)
    line = authoring.bundle([authoring.Document(content)])
    present = {hashlib.sha256(each.strip(b" \t\r")).digest() for each in data.split(b"\n")}
    if hashlib.sha256(line.rstrip(b"\n")).digest() in present:
        return data
    separator = b"" if not data or data.endswith(b"\n") else b"\n"
    made = data + separator + line
    count = made.count(b"\n")
    if len(made) > limits.bundle_bytes or count > limits.bundle_lines:
        raise CommandError(
            f"{origin} would be larger than what is read of it",
            expected=f"{limits.bundle_bytes} bytes in {limits.bundle_lines} lines",
            found=f"{len(made)} bytes in {count} lines",
        )
    return made
