"""``verify --layout``: plain in-toto verification, without a policy."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pip_intoto.account import Checked
from pip_intoto.cli.verify.accounting import account_of
from pip_intoto.errors import CommandError, EvidenceInvalid
from pip_intoto.verifier.plain import prepare, verify_plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pip_intoto.account import Account
    from pip_intoto.cli.terminal import Terminal
    from pip_intoto.metadata.keys import PublicKey


def account(args: argparse.Namespace, terminal: Terminal) -> Account:  # noqa: ARG001
    """Verify every target; without one, the working directory is the product."""
    began = datetime.now(timezone.utc)
    try:
        plain = prepare(
            layout=Path(args.layout),
            keys=[Path(key) for key in args.layout_keys],
            openpgp=[_master_key(keyid, args.gpg_home) for keyid in args.gpg],
            link_dir=Path(args.link_dir or "."),
            parameters=None if args.parameters is None else Path(args.parameters),
            run_inspections=args.run_inspections,
        )
    except EvidenceInvalid as error:
        raise CommandError(
            f"{args.layout} is no layout: {error}", expected=error.expected, found=error.found
        ) from error
    files: Sequence[Path | None] = [Path(target) for target in args.targets] or [None]
    checked = [Checked(verdict=verify_plain(plain, file)) for file in files]
    return account_of(args, checked, began=began)


def _master_key(keyid: str, home: str | None) -> PublicKey:
    # Imported here because most layouts are not signed with OpenPGP keys.
    from pip_intoto.gnupg import master_key

    return master_key(keyid, home)
