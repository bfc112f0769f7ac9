"""Whether the documentation is complete and current: ``python docs/check.py``.

Some pages have parts that are written by this script, between two markers; ``--write`` writes them
again. The rest is prose, and the script only looks for what must not be missing: every reason code,
every key of a policy, every command.
"""

# ruff: noqa: INP001, T201

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

ROOT = Path(__file__).absolute().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "hooks")]

from pip_intoto import cli, errors, limits  # noqa: E402 - the path is set above
from pip_intoto.policy import placeholders, templates, vocabulary  # noqa: E402
from pip_intoto.verdict import Status  # noqa: E402
from tests.conformance import requirements  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFERENCE = ROOT / "docs" / "reference"
_BEGIN, _END = "<!-- written by docs/check.py: {} -->", "<!-- until here -->"
_KEBAB = re.compile(r"[a-z]+(-[a-z]+)+")
#: Words of the gate that look like reason codes, and are none.
_NO_CODES = {"pip-intoto", "site-packages", "dist-packages", "no-cache", "data-provenance"}
_CODE_HEADING = re.compile(r"^### `([a-z-]+)`$", re.MULTILINE)
#: The same reasons for reports: what reasons.md says, without its links.
_REASONS = ROOT / "pip_intoto" / "reports" / "reasons.json"
_REASON = re.compile(
    r"### `(?P<code>[a-z-]+)`\n\n(?P<title>.+?)\n\n"
    r".*?\*\*Cause\.\*\* (?P<cause>.+?)\n\*\*Cure\.\*\* (?P<cure>.+?)(\n\n|\n?$)",
    re.DOTALL,
)
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def problems() -> list[str]:
    """Say everything that is missing or out of date; empty when all is well."""
    return [*_reasons(), *_policy(), *_conformance(), *_generated(), *_index()]


# --- prose that must be complete ------------------------------------------------------------


def reason_codes() -> set[str]:
    """Every code that a verdict, an error or the gate can carry."""
    codes = {status.value for status in Status} - {"missing", "unreachable", "invalid"}
    pending: list[type[errors.PipIntotoError]] = [errors.PipIntotoError]
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        codes.add(error.code)
    codes.discard(errors.PipIntotoError.code)
    for path in (ROOT / "hooks" / "pip_intoto_gate").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            word = node.value if isinstance(node, ast.Constant) else None
            if isinstance(word, str) and _KEBAB.fullmatch(word) and word not in _NO_CODES:
                codes.add(word)
    return codes


def _reasons() -> Iterator[str]:
    page = (REFERENCE / "reasons.md").read_text("utf-8")
    documented = _CODE_HEADING.findall(page)
    for code in sorted(reason_codes() - set(documented)):
        yield f"reasons.md lacks `{code}`"
    for code in sorted(set(documented) - reason_codes()):
        yield f"reasons.md describes `{code}`, which nothing gives"
    for code in sorted({code for code in documented if documented.count(code) > 1}):
        yield f"reasons.md describes `{code}` twice"
    for section in re.split(r"^(?=#{2,3} )", page, flags=re.MULTILINE):
        heading = _CODE_HEADING.match(section)
        if heading and not ("**Cause.**" in section and "**Cure.**" in section):
            yield f"reasons.md: `{heading[1]}` needs a **Cause.** and a **Cure.**"


def _reasons_for_reports() -> str:
    page = _LINK.sub(r"\1", (REFERENCE / "reasons.md").read_text("utf-8"))
    reasons = {
        found["code"]: {part: " ".join(found[part].split()) for part in ("title", "cause", "cure")}
        for section in re.split(r"^(?=#{2,3} )", page, flags=re.MULTILINE)
        if (found := _REASON.match(section))
    }
    return json.dumps(reasons, indent=2, ensure_ascii=False) + "\n"


def _policy() -> Iterator[str]:
    page = (REFERENCE / "policy.md").read_text("utf-8")
    for keys in (
        vocabulary.TOP,
        vocabulary.KEY,
        vocabulary.IDENTITY,
        vocabulary.SIGSTORE,
        vocabulary.TUF,
        vocabulary.PROJECT,
        vocabulary.REQUIRE,
        vocabulary.EXCEPTION,
        vocabulary.REVOKED,
        vocabulary.RESERVED,
        vocabulary.WAIVABLE,
    ):
        for key in keys:
            if f"`{key}`" not in page:
                yield f"policy.md lacks `{key}`"
    for name in placeholders.NAMES:
        if f"`{{{name}}}`" not in page:
            yield f"policy.md lacks `{{{name}}}`"
    for template in templates.TEMPLATES.values():
        row = f"| `{template.name}` | {template.meaning} | `{template.predicate_type}` |"
        if row not in _LINK.sub(r"\1", page):
            yield f"policy.md lacks the row {row}"


def _conformance() -> Iterator[str]:
    marks, known = requirements.marks(), requirements.load()
    yield from requirements.faults(marks, known)
    yield from requirements.missing(marks, known)


def _index() -> Iterator[str]:
    """Every page can be reached from the first one."""
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT / "docs").as_posix()
        if name != "README.md" and f"({name})" not in index:
            yield f"docs/README.md does not lead to {name}"


# --- parts that are written -----------------------------------------------------------------


def _help(*words: str) -> str:
    """What a command prints for ``--help``, the same on every Python and terminal."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), mock.patch.dict(os.environ, NO_COLOR="1"):
        cli.main([*words, "--help"])
    return told.getvalue().rstrip()


def _commands() -> str:
    parts = []
    words: list[tuple[str, ...]] = [(), *((name,) for name in cli.COMMANDS)]
    for name in cli.COMMANDS:
        at = words.index((name,)) + 1
        words[at:at] = [(name, below) for below in getattr(cli.load(name), "COMMANDS", ())]
    for command in words:
        title = " ".join(("pip-intoto", *command))
        parts.append(f"## `{title}`\n\n```text\n{_help(*command)}\n```")
    return "\n\n".join(parts)


def _limits() -> str:
    lines = ["| | | fetched | named by you |", "|---|---|---:|---:|"]
    about = _about_limits()
    for field in dataclasses.fields(limits.Limits):
        fetched, local = (
            _sized(field.name, getattr(of, field.name)) for of in (limits.DEFAULT, limits.LOCAL)
        )
        shown = "same" if fetched == local else local
        lines.append(f"| `{field.name}` | {about[field.name]} | {fetched} | {shown} |")
    return "\n".join(lines)


def _about_limits() -> dict[str, str]:
    """What the comments of the source say: a note above one, else the heading of several."""
    about: dict[str, str] = {}
    heading = note = ""
    for line in Path(limits.__file__).read_text("utf-8").splitlines():
        match line.strip().split(maxsplit=1):
            case ["#", text]:
                heading = text[0].lower() + text[1:]
            case ["#:", text]:
                note = text
            case [name, *_] if name.endswith(":"):
                about[name[:-1]] = note or heading
                note = ""
    return about


def _sized(name: str, value: int) -> str:
    if name.endswith("_seconds"):
        return f"{value} s"
    if name.endswith("_bytes") or name in _BYTES:
        for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
            if value % size == 0:
                return f"{value // size} {unit}"
    return f"{value:,}"


_BYTES = {"address_space", "inspection_output"}
_WRITTEN: dict[str, Callable[[], str]] = {
    "commands.md": _commands,
    "conformance.md": requirements.page,
    "limits.md": _limits,
}


def _generated() -> Iterator[str]:
    for name in _WRITTEN:
        path = REFERENCE / name
        if path.read_text("utf-8") != _with_parts(path):
            yield f"{name} is out of date; run `python docs/check.py --write`"
    if _REASONS.read_text("utf-8") != _reasons_for_reports():
        yield f"{_REASONS.name} is out of date; run `python docs/check.py --write`"


def _with_parts(path: Path) -> str:
    page = path.read_text("utf-8")
    begin = _BEGIN.format(path.stem)
    head, _, rest = page.partition(begin)
    tail = rest.partition(_END)[2]
    return f"{head}{begin}\n{_WRITTEN[path.name]()}\n{_END}{tail}"


def main() -> int:
    """Check, or write; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", action="store_true", help="write the written parts again")
    parser.add_argument("--missing", action="store_true", help="list requirements without tests")
    arguments = parser.parse_args()
    if arguments.missing:
        for line in requirements.missing(requirements.marks(), requirements.load()):
            print(line)
        return 0
    if arguments.write:
        for name in _WRITTEN:
            path = REFERENCE / name
            path.write_text(_with_parts(path), encoding="utf-8")
        _REASONS.write_text(_reasons_for_reports(), encoding="utf-8")
    found = problems()
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
