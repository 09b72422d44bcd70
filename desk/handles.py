"""The handles under which authors are known, as their mentions show them: `source:@handle`, whatever its case.

Kept for authors who have a case, by whoever follows the cases' events. The latest to show a handle has it: platforms
let people change theirs. It goes when nothing more of its author is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select

from pipeline.store.columns import fit
from pipeline.store.database import Transaction
from pipeline.store.fact_tables import handles
from pipeline.store.tables import mentions


def handle_key(source: str, handle: str) -> str:
    """How a handle is kept."""
    return fit(f"{source}:@{handle.lstrip('@').casefold()}")


def is_handle(account: str) -> bool:
    """Whether this names an account by its handle."""
    return account.partition(":")[2].startswith("@")


def normal(account: str) -> str:
    """An account as the tables have it: by id as it is, by handle in one case."""
    source, _, rest = account.partition(":")
    return handle_key(source, rest) if rest.startswith("@") else fit(account)


def authors_of(transaction: Transaction, accounts: Sequence[str]) -> dict[str, str]:
    """The authors (`source:author_id`) of those of these handles that are known."""
    query = select(handles).where(transaction.among(handles.c.handle, accounts))
    return {row.handle: row.author for row in transaction.run(query)}


def handles_of(transaction: Transaction, authors: Sequence[str]) -> dict[str, list[str]]:
    """The handles of these authors, by author."""
    found: dict[str, list[str]] = {}
    query = select(handles).where(transaction.among(handles.c.author, authors)).order_by(handles.c.handle)
    for row in transaction.run(query):
        found.setdefault(row.author, []).append(row.handle)
    return found


def remember(transaction: Transaction, seen: Mapping[str, str]) -> None:
    """Note who shows which handle (`source:@handle` to `source:author_id`)."""
    rows = [{"handle": handle, "author": seen[handle]} for handle in sorted(seen)]
    transaction.insert(handles, rows, "handle", update=["author"])


def drop_unheard(transaction: Transaction, authors: Sequence[str]) -> None:
    """Forget the handles of those of these authors of whom no mention is kept."""
    if authors:
        heard = set(
            transaction.run(select(mentions.c.author).where(transaction.among(mentions.c.author, authors))).scalars()
        )
        gone = [author for author in authors if fit(author) not in heard]
        transaction.run(delete(handles).where(transaction.among(handles.c.author, gone)))
