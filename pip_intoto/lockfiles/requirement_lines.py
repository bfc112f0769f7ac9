"""The lines of a requirements file, cut as pip cuts them: what it installs is what is read here.

pip decodes a file by its byte order mark or its coding comment, joins lines that end in a
backslash, drops comments, fills in ``${VARIABLES}``, and gives everything from the first word with
a dash on to an option parser. Where pip takes something strange, so does this module.
"""

from __future__ import annotations

import codecs
import optparse
import re
import shlex
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from pip_intoto.distribution import Place
from pip_intoto.errors import LockfileInvalid
from pip_intoto.sources.addresses import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# A UTF-32 mark begins as a UTF-16 one does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_CODING_LINES = 2
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
#: User information, which may stand in half an address too, and queries, which may be signatures.
_CREDENTIALS = re.compile(r"(?<=:)(/*)\S+@")
_QUERY = re.compile(r"\?\S+")
_ALGORITHMS = {"sha256", "sha384", "sha512"}
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_SHELL = re.compile(r"""["'\\]""")
_BLANKS = re.compile(r"[ \t\r\n]+")
_SHOWN = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one line that say something of what is installed."""

    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    editables: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    #: ``--no-binary`` and ``--only-binary`` with their values, in the order in which they stand.
    forms: tuple[tuple[str, str], ...] = ()
    no_index: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line, joined out of one or more.

    ``requirement`` is what stands before the options; ``texts`` are the lines of the file, by
    number, before anything was filled in.
    """

    path: Path
    requirement: str
    options: Options
    texts: tuple[tuple[int, str], ...] = field(repr=False)

    @property
    def editable(self) -> str:
        """What is installed with ``-e``; empty for another line.

        pip takes the first of several on one line; and what stands before it, if there is anything.
        """
        named = self.options.editables
        return (self.requirement or named[0]) if named else ""

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place(self.path, self.texts[0][0])

    def digests(self) -> dict[str, Place]:
        """Where each sha256 on it stands, the first time."""
        found: dict[str, Place] = {}
        for number, text in self.texts:
            for digest in _DIGEST.findall(text):
                found.setdefault(digest.lower(), Place(self.path, number))
        return found

    def error(
        self, message: str, *, expected: str = "", found: str | None = None, advice: str = ""
    ) -> LockfileInvalid:
        """The error to raise about this line, or about ``found`` on it.

        ``found`` defaults to the line itself.
        """
        number = self.texts[0][0]
        if found:
            number = next((number for number, text in self.texts if found in text), number)
        if found is None:
            # As it is written: what was filled in may be a password.
            line = " ".join(text.strip() for _, text in self.texts)
            found = _QUERY.sub("?…", _CREDENTIALS.sub(r"\1…@", line))
        return LockfileInvalid(
            message,
            expected=expected,
            found=printable(found, _SHOWN),
            advice=advice or "Correct the line, or have the file written again.",
            place=str(Place(self.path, number)),
        )


def lines_of(content: bytes, path: Path, variables: Mapping[str, str]) -> Iterator[Line]:
    """Give the lines of a requirements file that say something. Raises LockfileInvalid."""
    for texts, joined in _joined(_numbered(_decoded(content, path))):
        text = _filled_in(_without_comment(joined).strip(), variables)
        if not text:
            continue
        requirement, words = _cut(text)
        bare = Line(path=path, requirement=requirement, options=Options(), texts=texts)
        if not words:
            yield bare
            continue
        try:
            options = _options(words)
        except _BadOption as bad:
            raise bare.error(f"pip takes no such line: {printable(str(bad), _SHOWN)}") from None
        yield Line(path=path, requirement=requirement, options=options, texts=texts)


# --- text -----------------------------------------------------------------------------------


def _decoded(content: bytes, path: Path) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decode(content[len(mark) :], encoding, path)
    for line in content.split(b"\n", _CODING_LINES)[:_CODING_LINES]:
        coding = _CODING.search(line) if line.startswith(b"#") else None
        if coding is not None:
            return _decode(content, coding[1].decode("ascii"), path)
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Imported here for start-up time. pip falls back on this too.
        import locale

        return _decode(content, locale.getpreferredencoding(do_setlocale=False), path)


def _decode(content: bytes, encoding: str, path: Path) -> str:
    line = 1
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    except (LookupError, ValueError):
        pass
    raise LockfileInvalid(
        "this is no text",
        expected=f"text in {printable(encoding, _SHOWN)}",
        advice="Save it as UTF-8.",
        place=f"{path}:{line}",
    )


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    """Lines as Python cuts them, which is at more characters than editors count lines by."""
    number = 1
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
        # Only the one separator at the end is one: none of them can stand before it.
        yield number, bare
        number += line[len(bare) :] in {"\n", "\r\n", "\r"}


def _joined(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[tuple[tuple[int, str], ...], str]]:
    """Lines that end in a backslash with the next one; a comment ends what it is joined to."""
    texts: list[tuple[int, str]] = []
    parts: list[str] = []
    for number, line in lines:
        texts.append((number, line))
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.strip("\\"))
            continue
        parts.append(f" {line}" if is_comment else line)
        yield tuple(texts), "".join(parts)
        texts, parts = [], []
    if texts:
        yield tuple(texts), "".join(parts)


def _without_comment(line: str) -> str:
    """Up to a ``#`` at the beginning or behind a space; others are fragments of URLs."""
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    return line if at < 0 else line[:at]


def _filled_in(line: str, variables: Mapping[str, str]) -> str:
    """With the variables that are set and not empty; the others stay as they are."""
    for name in dict.fromkeys(_VARIABLE.findall(line)):
        if value := variables.get(name):
            line = line.replace(f"${{{name}}}", value)
    return line


# --- options --------------------------------------------------------------------------------


class _BadOption(Exception):
    """The option parser refuses the line."""


class _Parser(optparse.OptionParser):
    def error(self, msg: str) -> NoReturn:
        raise _BadOption(msg)

    def exit(self, status: int = 0, msg: str | None = None) -> NoReturn:
        raise _BadOption(msg or str(status))


def _cut(line: str) -> tuple[str, str]:
    """What stands before the first word with a dash, and the rest."""
    if line.startswith("-"):
        return "", line
    requirement, dash, options = line.partition(" -")
    return (requirement.strip(), f"-{options}") if dash else (line, "")


def _options(text: str) -> Options:
    try:
        words = shlex.split(text) if _SHELL.search(text) else _BLANKS.split(text)
    except ValueError as error:
        raise _BadOption(str(error).lower()) from None
    # What stands between the options is passed over, as pip does.
    lists = (*_LISTS, "forms")
    values, _ = _parser().parse_args(words, optparse.Values(dict.fromkeys(lists)))

    def several(name: str) -> tuple[str, ...]:
        given: list[str] | None = getattr(values, name)
        return tuple(given or ())

    forms: list[tuple[str, str]] = values.forms or []
    if any(names.startswith("-") for _, names in forms):
        raise _BadOption("--no-binary / --only-binary option requires 1 argument")
    for digest in several("hashes"):
        algorithm, colon, _ = digest.partition(":")
        if not colon or algorithm not in _ALGORITHMS:
            raise _BadOption(f"--hash={digest} is no digest, such as --hash=sha256:…")
    return Options(
        requirements=several("requirements"),
        constraints=several("constraints"),
        editables=several("editables"),
        hashes=several("hashes"),
        # Of this one, the last counts.
        index_url=next(reversed(several("index_urls")), ""),
        extra_index_urls=several("extra_index_urls"),
        find_links=several("find_links"),
        forms=tuple(forms),
        no_index=bool(several("no_index")),
    )


#: What pip takes in such a file, by what it says here; what the last two have is passed over.
_LISTS = {
    "requirements": ("-r", "--requirement"),
    "constraints": ("-c", "--constraint"),
    "editables": ("-e", "--editable"),
    "hashes": ("--hash",),
    "index_urls": ("-i", "--index-url", "--pypi-url"),
    "extra_index_urls": ("--extra-index-url",),
    "find_links": ("-f", "--find-links"),
    "no_index": ("--no-index",),
    "texts": (
        *("--trusted-host", "--use-feature", "--all-releases", "--only-final"),
        *("-C", "--config-settings", "--global-option"),
    ),
    "flags": ("--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre"),
}
_FLAGS = {"no_index", "flags"}
#: What counts is which of these stands last.
_FORMS = ("--no-binary", "--only-binary")


@lru_cache(maxsize=1)
def _parser() -> optparse.OptionParser:
    parser = _Parser(add_help_option=False)
    for name, spellings in _LISTS.items():
        if name in _FLAGS:
            parser.add_option(*spellings, dest=name, action="append_const", const="yes")
        else:
            parser.add_option(*spellings, dest=name, action="append")
    for spelling in _FORMS:
        parser.add_option(spelling, action="callback", type="string", callback=_add_form)
    return parser


def _add_form(
    option: optparse.Option, _spelled: str, names: str, parser: optparse.OptionParser
) -> None:
    values = parser.values
    assert values is not None  # noqa: S101 - it is parsing
    values.forms = [*(values.forms or []), (option.get_opt_string(), names)]
