"""``verify --result``: by an attestation of an earlier run, instead of by a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from pip_intoto.account import Account
    from pip_intoto.cli.terminal import Terminal


def account(args: argparse.Namespace, terminal: Terminal) -> Account:
    """Look every target up in the result."""
    raise NotImplementedError
