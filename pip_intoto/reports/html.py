"""A run as one HTML file: totals, a table to search, and each supply chain drawn.

It needs no network and no other file. All that is in it and was written by others is escaped where
it is put in; see :mod:`pip_intoto.reports.page.document` for what else keeps scripts out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pip_intoto.reports.page import overview, packages
from pip_intoto.reports.page.chains import Drawings
from pip_intoto.reports.page.document import document

if TYPE_CHECKING:
    from pip_intoto.account import Account


def render(account: Account) -> str:
    """Render the account as an HTML document, in characters that UTF-8 can write."""
    drawings = Drawings()
    table = packages.table(account.checked, drawings, now=account.ended)
    title = f"{overview.outcome(account)} · pip-intoto"
    return document(
        title=title,
        body=(
            '<a class="skip" href="#packages">Skip to the distributions</a>\n'
            f"<main>\n{overview.head(account)}{overview.failures(account.failures)}"
            f"{overview.changes(account.changes)}{drawings.shapes()}{table}"
            f"{overview.reasons(account)}</main>\n"
        ),
    )
