"""Drafts in and out of their table, inside a transaction that holds their authors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, select

from desk.drafting import Draft, DraftState
from desk.refusals import NoSuchDraft
from pipeline.mention import Media
from pipeline.store.answer_tables import drafts
from pipeline.store.database import Transaction

_columns = [column.name for column in drafts.c if column.name != "id"]
_hands = msgspec.json.Decoder(tuple[str, ...]).decode
_pictures = msgspec.json.Decoder(tuple[Media, ...]).decode


def read_draft(row: Any) -> Draft:
    """The draft in a row of `drafts`."""
    fields = {name: value for name, value in row._mapping.items() if name in drafts.c}
    fields |= {"case": fields.pop("case_id"), "state": DraftState(row.state), "hands": _hands(row.hands)}
    fields |= {"private": bool(row.private), "pictures": _pictures(row.pictures)}
    return Draft(**fields)


def find_drafts(transaction: Transaction, *conditions: ColumnElement[bool]) -> list[Draft]:
    """These drafts, held."""
    rows = transaction.run(select(drafts).where(*conditions).order_by(drafts.c.id).with_for_update())
    return [read_draft(row) for row in rows]


def held(transaction: Transaction, id: str) -> Draft:
    """One draft, held; its author is held before. Raises NoSuchDraft."""
    for draft in find_drafts(transaction, drafts.c.id == id):
        return draft
    raise no_such(id)


def case_of(transaction: Transaction, id: str) -> str:
    """The case of a draft, which never changes; raises NoSuchDraft."""
    case = transaction.run(select(drafts.c.case_id).where(drafts.c.id == id)).scalar()
    if case is None:
        raise no_such(id)
    return str(case)


def no_such(id: str) -> NoSuchDraft:
    """What is raised for an id that no draft has."""
    return NoSuchDraft(f"there is no draft {id}")


def put_drafts(transaction: Transaction, changed: Sequence[Draft]) -> None:
    """Write them."""
    rows = [_row(draft) for draft in sorted(changed, key=lambda draft: draft.id)]
    transaction.insert(drafts, rows, "id", update=_columns)


def _row(draft: Draft) -> dict[str, Any]:
    row = msgspec.structs.asdict(draft)
    return row | {
        "case_id": row.pop("case"),
        "state": draft.state.value,
        "hands": msgspec.json.encode(draft.hands).decode(),
        "pictures": msgspec.json.encode(draft.pictures).decode(),
    }
