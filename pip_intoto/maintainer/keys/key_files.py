"""Keys in files: ``owner.pem`` is the private one, ``owner.pub`` the public one, both in PEM."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from pip_intoto import files
from pip_intoto.errors import CommandError, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.maintainer import git
from pip_intoto.maintainer.keys import signing
from pip_intoto.metadata.keys import identity, is_private, load_public, material

if TYPE_CHECKING:
    from pathlib import Path

    from pip_intoto.maintainer.keys.signing import Secrets, SigningKey
    from pip_intoto.metadata.keys import PublicKey

PRIVATE_SUFFIX = ".pem"
PUBLIC_SUFFIX = ".pub"
#: Directories for keys are their owner's alone, as the files in them are.
_PRIVATE_DIRECTORY = 0o700


def open_private(path: Path, secrets: Secrets) -> SigningKey:
    """Read the private key in a file; ``secrets`` is asked for a password where it takes one.

    Raises CommandError.
    """
    missing = "`pip-intoto keygen PATH` makes a key."
    pem = files.read(path, DEFAULT.key_bytes, missing=missing)
    password = None
    if signing.is_encrypted(pem):
        password = secrets(f"password of {path}").encode()
    try:
        return signing.load(pem, password=password)
    except CommandError as error:
        error.place = str(path)
        if path.suffix == PUBLIC_SUFFIX:
            error.advice = f"The private key is likely to be {path.with_suffix(PRIVATE_SUFFIX)}."
        raise


def read_public(path: Path) -> PublicKey:
    """Read the public key in a file: PEM, or an OpenPGP key in JSON. Raises CommandError."""
    data = files.read(path, DEFAULT.key_bytes)
    try:
        key = load_public(data, limits=DEFAULT)
        identity(key)
    except UnusableKey as error:
        private = is_private(data)
        beside = path.with_suffix(PUBLIC_SUFFIX)
        advice = f"`pip-intoto keygen OWNER --from {path}` writes its public part to OWNER.pub."
        if beside.exists():
            advice = f"The public key is likely to be {beside}; else {advice}"
        raise CommandError(
            f"{path} cannot be used as a public key: {error.message}",
            expected=error.expected or "a public key in PEM, or an OpenPGP key in JSON",
            found="a private key" if private else error.found,
            advice=advice if private else "",
        ) from None
    return key


def paths_of(base: Path) -> tuple[Path, Path]:
    """Where a key called ``base`` has its private and its public part; either may be ``base``."""
    if base.suffix in {PRIVATE_SUFFIX, PUBLIC_SUFFIX}:
        base = base.with_suffix("")
    if base.name in {"", ".."}:
        raise CommandError(f"{str(base)!r} is no name for a key", expected="such as keys/owner")
    return (
        base.with_name(base.name + PRIVATE_SUFFIX),
        base.with_name(base.name + PUBLIC_SUFFIX),
    )


def write_pair(base: Path, key: SigningKey, *, password: str = "") -> tuple[Path, Path]:
    """Write a key's two files, both or neither, and never over others; give their paths.

    The private one is encrypted when there is a password. A directory that is missing is made.
    Raises CommandError.
    """
    private, public = paths_of(base)
    pem = key.private_pem(password=password.encode() or None)
    # This one first: what is taken back is never the private key.
    write_public(public, key.public_pem())
    try:
        files.write_new(private, pem, mode=files.PRIVATE)
    except BaseException:
        with suppress(OSError):
            public.unlink()
        raise
    return private, public


def write_public(path: Path, content: bytes) -> None:
    """Write a public key where nothing is yet. Raises CommandError."""
    files.make_folder(path.parent, mode=_PRIVATE_DIRECTORY)
    files.write_new(path, content)


def to_pem(key: PublicKey) -> bytes:
    """The PEM form of a key, which policies read. Raises UnusableKey."""
    # Imported here for start-up time: it is the long way to read and write keys of all kinds.
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return material(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def git_would_take(path: Path) -> bool:
    """Whether a file lies in git's work tree, and nothing tells git to ignore it."""
    folder = os.path.realpath(path.parent)
    if not git.is_in_repository(folder):
        return False
    try:
        answer = git.ask(folder, "check-ignore", "-q", "--", path.name)
    except CommandError:
        # Who is warned without need loses less than who is not warned.
        return True
    return answer is None or answer.status != 0
