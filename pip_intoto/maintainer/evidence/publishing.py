"""What those who publish a release tell those who install it: where, whose keys, and what else."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError
from pip_intoto.metadata.names import BUNDLE_SUFFIX
from pip_intoto.policy import placeholders
from pip_intoto.sources import template
from pip_intoto.verification.inspections import recognise
from pip_intoto.verification.substitution import parameters_of
from pip_intoto.verifier.naming import kind_of, normalized, parse_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pip_intoto.distribution import Distribution
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.layout import Layout

BESIDE = "beside"
#: What consumers write where releases lie on GitHub, with tags such as v1.0.
GITHUB = f"https://github.com/OWNER/REPOSITORY/releases/download/v{{version}}/{{filename}}{BUNDLE_SUFFIX}"
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerKey:
    """A key of a project owner. ``sha256`` is what `trust add` shows of it.

    ``text`` is the content of a file with the key: PEM, or JSON for an OpenPGP key. ``principal``
    is the party behind it.
    """

    name: str
    sha256: str
    text: str
    principal: str

    @property
    def suffix(self) -> str:
        """What such files end with."""
        return ".json" if self.text.lstrip().startswith("{") else ".pub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What consumers of one project are to be told."""

    project: str
    keys: tuple[OwnerKey, ...]
    threshold: int
    sources: tuple[str, ...] = ()
    index: str = ""

    @property
    def commands(self) -> str:
        """Shell lines that list the project, ready to be pasted.

        The keys are written into files by the lines themselves, so that nothing has to be
        downloaded, and nobody has to guess a file's name.
        """
        lines = []
        words = ["pip-intoto", "trust", "add", self.project]
        for called, key in self._called.items():
            name = f"{called}{key.suffix}"
            lines += [f"cat > {name} << 'EOF'", key.text.strip(), "EOF"]
            words += ["--key", name]
        if self.threshold < len(self.keys):
            words += ["--threshold", str(self.threshold)]
        if self.index:
            words += ["--index", self.index]
        for source in () if self.sources == (BESIDE,) else self.sources:
            words += ["--source", source]
        return "\n".join([*lines, shlex.join(words)]) + "\n"

    @property
    def fingerprints(self) -> tuple[tuple[str, str], ...]:
        """What `trust add` calls the keys, and shows of them."""
        return tuple((called, f"sha256:{key.sha256}") for called, key in self._called.items())

    @property
    def needs(self) -> tuple[str, ...]:
        """What has to be added to the policy where several keys are one party's.

        `trust add` takes each key for a party of its own.
        """
        parties = [key.principal for key in self.keys]
        return tuple(
            f"[keys.{called}]: principal = {json.dumps(key.principal)}"
            for called, key in self._called.items()
            if parties.count(key.principal) > 1
        )

    @property
    def _called(self) -> dict[str, OwnerKey]:
        """The keys by names that are not likely to be taken in somebody's policy."""
        found: dict[str, OwnerKey] = {}
        for key in self.keys:
            name = _UNFIT.sub("-", key.name).strip("-")
            name = name if name.startswith(self.project) else f"{self.project}-{name}"
            found[f"{name}-{key.sha256[:8]}" if name in found else name] = key
        return found


def public_text(key: PublicKey) -> str:
    """Spell a public key as PEM. Raises CommandError for an OpenPGP key, and UnusableKey."""
    if key.is_openpgp:
        raise CommandError(
            f"the OpenPGP key {key.keyid} stands in no file of its own",
            expected="--key with the file that has it in JSON",
        )
    # Imported here for start-up time: most commands have no key to write.
    from pip_intoto.maintainer.keys.key_files import to_pem

    return to_pem(key).decode("ascii")


# --- where ----------------------------------------------------------------------------------


def check_source(source: str) -> str:
    """Give the source as consumers name it. Raises CommandError and PolicyInvalid."""
    if source == BESIDE:
        return source
    if "://" not in source:
        raise CommandError(
            f"{source!r} is no place to publish at", expected='"beside", or a URL template'
        )
    template.expand(source, dict.fromkeys(placeholders.NAMES, "x"))
    return source


def address_of(source: str, distribution: Distribution) -> str:
    """Say where the evidence of a file has to lie for consumers who name this source."""
    if source == BESIDE:
        return f"{distribution.filename}{BUNDLE_SUFFIX}, beside {distribution.filename}"
    return template.expand(source, placeholders.values_for(distribution))


HOSTS = (
    (
        "a static index",
        f"FILE{BUNDLE_SUFFIX} beside FILE, where the index has it (`pip-intoto index` does so)",
    ),
    ("--find-links, a wheelhouse", f"FILE{BUNDLE_SUFFIX} in the same directory as FILE"),
    (
        "GitHub Releases",
        f"FILE{BUNDLE_SUFFIX} as an asset of the same release; users name --source '{GITHUB}'",
    ),
    (
        "PyPI",
        "it takes no such files: have them on GitHub or any web server, and name its --source",
    ),
)


# --- what else ------------------------------------------------------------------------------


def needs_of(layout: Layout) -> tuple[str, ...]:
    """Give the lines that the project's rule in a policy needs, besides keys and sources."""
    lines = []
    names = parameters_of(layout)
    if names:
        known = {"VERSION": "{version}", "NAME": "{distribution}", "PROJECT": "{project}"}
        values = ", ".join(f'{name} = "{known.get(name.upper(), "…")}"' for name in names)
        lines.append(f"parameters = {{ {values} }}")
    commands = [each.run for each in layout.inspections if recognise(each.run) is None]
    if commands:
        lines.append(f"inspections = [{', '.join(map(_array, commands))}]")
    return tuple(lines)


def _array(words: Sequence[str]) -> str:
    # TOML's basic strings are JSON's, but for the slash.
    return f"[{', '.join(json.dumps(word) for word in words)}]"


def _meaning(filename: str) -> tuple[str, str, str] | None:
    """Project, version and the rest, however they are spelled; None for other files."""
    kind = kind_of(filename)
    parts = None if kind is None else parse_filename(filename, kind)
    if kind is None or parts is None:
        return None
    rest = filename.lower()[len(parts[0]) + 1 + len(parts[1]) :]
    return normalized(parts[0]), parts[1].lower(), rest


def astray(bundles: Iterable[str], filenames: Iterable[str]) -> dict[str, str]:
    """Give each bundle that belongs to no file, and the file that it may be meant for, or ""."""
    known = set(filenames)
    meanings = {_meaning(name): name for name in known}
    found = {}
    for bundle in bundles:
        name = bundle.removesuffix(BUNDLE_SUFFIX)
        if name not in known:
            meant = _meaning(name)
            found[bundle] = "" if meant is None else meanings.get(meant, "")
    return found
