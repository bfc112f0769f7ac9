"""GnuPG: public keys out of its keyring, in the JSON that in-toto writes (K6), and signatures.

in-toto has securesystemslib read what ``gpg --export`` gives. That loses the period of validity
and the subkeys of Ed25519 keys, and takes subkeys that are revoked, or that only encrypt, for
signing keys. GnuPG knows better, and its listing for programs says all that is needed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.errors import CommandError, UnusableKey
from pip_intoto.limits import DEFAULT
from pip_intoto.metadata.keys import load_public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pip_intoto.limits import Limits
    from pip_intoto.metadata.keys import PublicKey
    from pip_intoto.metadata.strict_json import JsonValue

#: Shorter ids can be forged, or stand for several keys.
_FINGERPRINT = re.compile(r"(?:0x)?([0-9A-Fa-f]{40})")
#: Algorithm → type, method, and the names of its numbers in GnuPG's order.
_ALGORITHMS = {
    "1": ("rsa", "pgp+rsa-pkcsv1.5", ("n", "e")),
    "17": ("dsa", "pgp+dsa-fips-180-2", ("p", "q", "g", "y")),
    "22": ("eddsa", "pgp+eddsa-ed25519", ("curve", "q")),
}
#: What field 2 of the listing says of keys that cannot be relied on.
_UNFIT = {"r": "revoked", "e": "expired", "i": "invalid", "d": "disabled"}
#: What GnuPG says in its language for programs once it has signed; the last word is the key.
_CREATED = re.compile(r"^\[GNUPG:\] SIG_CREATED .* ([0-9A-F]{40})\s*$", re.MULTILINE)
_ED25519 = "092b06010401da470f01"
#: What an Ed25519 key begins with as a point (RFC 9580, 11.2.1: "native point format").
_NATIVE = "40"


@dataclass(slots=True, kw_only=True)
class _Listed:
    """A key, or a subkey, as ``gpg --with-colons`` lists it."""

    validity: str
    algorithm: str
    created: str
    expires: str
    capabilities: str
    fingerprint: str = ""
    numbers: list[str] = field(default_factory=list)


def export(keyid: str, home: str | None = None, *, limits: Limits = DEFAULT) -> bytes:
    """The key with the fingerprint ``keyid``, and its signing subkeys, as a JSON document.

    ``home`` is GnuPG's directory, None for its default. Subkeys that GnuPG holds for revoked,
    expired or unfit to sign are left out. Raises CommandError when there is no such key, or when
    it is one of those itself.
    """
    fingerprint = _fingerprint(keyid)
    master, *subkeys = _listed(fingerprint, home, limits)
    if master.fingerprint != fingerprint:
        # K6: who trusts a subkey does not trust its master.
        raise CommandError(
            f"{fingerprint} is a subkey",
            expected=f"the fingerprint of its master key, which is {master.fingerprint}",
        )
    if master.validity in _UNFIT:
        raise CommandError(
            f"the OpenPGP key {fingerprint} is {_UNFIT[master.validity]}, says GnuPG",
            found=_until(master),
            advice="Ask its owner for the current key.",
        )
    document = _key_object(master)
    if document is None:
        raise CommandError(
            f"the OpenPGP key {fingerprint} is of a kind that in-toto cannot use",
            expected="rsa, dsa or ed25519",
            found=f"algorithm {master.algorithm}",
        )
    described: dict[str, JsonValue] = {
        subkey.fingerprint: found
        for subkey in subkeys
        if subkey.validity not in _UNFIT
        and "s" in subkey.capabilities
        and (found := _key_object(subkey)) is not None
    }
    if described:
        document["subkeys"] = described
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def master_of(keyid: str, home: str | None = None, *, limits: Limits = DEFAULT) -> str:
    """The fingerprint of the master key that ``keyid``, a fingerprint, belongs to.

    Raises CommandError when there is no such key.
    """
    return _listed(_fingerprint(keyid), home, limits)[0].fingerprint


def master_key(keyid: str, home: str | None = None, *, limits: Limits = DEFAULT) -> PublicKey:
    """The master key with the fingerprint ``keyid``, and its signing subkeys.

    Raises CommandError as :func:`export` does, and when the key is too weak.
    """
    try:
        return load_public(export(keyid, home, limits=limits), limits=limits)
    except UnusableKey as error:
        raise CommandError(
            f"the OpenPGP key {keyid} cannot be used: {error}",
            expected=error.expected,
            found=error.found,
        ) from error


def public_key(keyid: str, home: str | None = None, *, limits: Limits = DEFAULT) -> PublicKey:
    """The key with the fingerprint ``keyid``, with its subkeys; of a subkey nothing but itself.

    Raises CommandError as :func:`master_key` does.
    """
    fingerprint = _fingerprint(keyid)
    master = master_key(master_of(fingerprint, home, limits=limits), home, limits=limits)
    # K6: who trusts a subkey does not trust its master.
    for key in (master, *master.subkeys):
        if key.keyid == fingerprint:
            return key
    raise CommandError(
        f"{fingerprint} is a subkey that cannot sign", expected="one that is valid, and may sign"
    )


def sign(data: bytes, user: str, home: str | None) -> tuple[str, bytes]:
    """Have GnuPG sign ``data``: the fingerprint of the key that did, and the signature's packet.

    ``user`` is what GnuPG calls a user id, such as a fingerprint; "" for its default key. Takes as
    long as somebody takes to type a passphrase or to touch a card. Raises CommandError.
    """
    command = [*_command(home), "--status-fd", "2", "--digest-algo", "SHA256", "--no-armor"]
    command += [f"--local-user={user}"] if user else []
    try:
        signed = subprocess.run(
            [*command, "--detach-sign"],
            check=False,
            capture_output=True,
            input=data,
            env={**os.environ, **_terminal()},
        )
    except OSError as error:
        raise CommandError("GnuPG cannot be run", found=str(error)) from error
    said = signed.stderr.decode("utf-8", "replace")
    created = _CREATED.search(said)
    if signed.returncode or created is None:
        plain = [line for line in said.splitlines() if not line.startswith("[GNUPG:]")]
        raise CommandError(
            f"GnuPG does not sign with {user or 'its default key'}",
            found="\n".join(plain[-3:]),
            advice="`gpg --list-secret-keys` shows the keys that can sign; --gpg-home says where"
            " they are.",
        )
    return created[1].lower(), signed.stdout


def _fingerprint(keyid: str) -> str:
    # `gpg --fingerprint` prints them in groups.
    matched = _FINGERPRINT.fullmatch(keyid.replace(" ", ""))
    if matched is None:
        raise CommandError(
            f"{keyid!r} is not the fingerprint of an OpenPGP key",
            expected="40 hex digits",
            advice="`gpg --list-keys` shows the fingerprints of your keys.",
        )
    return matched[1].lower()


def _listed(fingerprint: str, home: str | None, limits: Limits) -> list[_Listed]:
    """The master key and its subkeys."""
    keys = list(_parsed(_listing(fingerprint, home, limits)))
    if not keys or [key for key, is_master in keys if is_master] != [keys[0][0]]:
        raise CommandError(
            f"GnuPG has no key {fingerprint}, or several",
            expected=f"one public key in {home or 'its default directory'}",
            advice="`gpg --import FILE` takes a key into a keyring; --gpg-home says which.",
        )
    return [key for key, _ in keys]


def _parsed(listing: str) -> Iterator[tuple[_Listed, bool]]:
    # GnuPG's doc/DETAILS describes the fields; its numbers begin with 1.
    key: _Listed | None = None
    is_master = False
    for line in listing.splitlines():
        fields = [*line.split(":"), *[""] * 12]
        if fields[0] in {"pub", "sub"}:
            if key is not None:
                yield key, is_master
            is_master = fields[0] == "pub"
            key = _Listed(
                validity=fields[1],
                algorithm=fields[3],
                created=fields[5],
                expires=fields[6],
                capabilities=fields[11],
            )
            if "D" in key.capabilities:
                key.validity = "d"
        elif key is not None and fields[0] == "fpr" and not key.fingerprint:
            key.fingerprint = fields[9].lower()
        elif key is not None and fields[0] == "pkd":
            key.numbers.append(fields[3].lower())
    if key is not None:
        yield key, is_master


def _key_object(key: _Listed) -> dict[str, JsonValue] | None:
    """The key as in-toto describes it; None when it has no word for such keys."""
    keytype, method, names = _ALGORITHMS.get(key.algorithm, ("", "", ()))
    numbers: dict[str, JsonValue] = dict(zip(names, key.numbers, strict=False))
    if not method or numbers.keys() != set(names):
        return None
    if keytype == "eddsa":
        if numbers.pop("curve") != _ED25519:
            return None
        numbers["q"] = key.numbers[1].removeprefix(_NATIVE)
    described: dict[str, JsonValue] = {
        "keyid": key.fingerprint,
        "type": keytype,
        "method": method,
        "hashes": ["pgp+SHA2"],
        "keyval": {"private": "", "public": numbers},
        "creation_time": int(key.created),
    }
    if key.expires:
        described["validity_period"] = int(key.expires) - int(key.created)
    return described


def _until(key: _Listed) -> str:
    if not key.expires:
        return ""
    return f"valid until {datetime.fromtimestamp(int(key.expires), timezone.utc):%Y-%m-%d}"


def _listing(keyid: str, home: str | None, limits: Limits) -> str:
    command = [*_command(home), "--batch", "--no-tty", "--no-auto-check-trustdb"]
    command += ["--with-colons", "--fixed-list-mode", "--with-key-data", "--list-keys", keyid]
    try:
        listed = subprocess.run(
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
            timeout=limits.gnupg_seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError("GnuPG cannot be run", found=str(error)) from error
    # Status 2 is also "no such key": then nothing is listed.
    return listed.stdout.decode("utf-8", "replace")


def _command(home: str | None) -> list[str]:
    gpg = shutil.which("gpg") or shutil.which("gpg2")
    if gpg is None:
        raise CommandError(
            "GnuPG is not installed", expected="a command gpg", advice="Install GnuPG."
        )
    if home is not None and not Path(home).is_dir():
        raise CommandError(f"{home} is not a directory", expected="--gpg-home with GnuPG's keyring")
    return [gpg] if home is None else [gpg, "--homedir", home]


def _terminal() -> dict[str, str]:
    """Where GnuPG's agent may ask: it would look at standard input, which is no terminal here."""
    if "GPG_TTY" not in os.environ:
        for descriptor in (2, 1, 0):
            with suppress(OSError, AttributeError):
                return {"GPG_TTY": os.ttyname(descriptor)}
    return {}
