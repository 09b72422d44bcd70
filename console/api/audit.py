"""The audit log: who saw and did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from console.api.auth import Caller, needs
from console.api.bodies import Text
from console.api.models import AuditOut, Page
from console.api.refusals import answers
from console.api.schemas import MOST, V1, Asked
from console.api.services import Given
from console.api.views import Names

router = APIRouter(prefix=V1, tags=["audit"])

Word = Annotated[Text, Field(min_length=1, max_length=2000)]


class Wanted(Asked):
    """Rows older than this one, the newest first; of one actor (`user:ID`), or about one thing (`case:ID`,
    `customer:SOURCE:ID`)."""

    after: Annotated[int, Field(ge=1, le=2**53)] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100
    actor: Word | None = None
    about: Word | None = None


@router.get("/audit", responses=answers())
def list_audit(
    asked: Annotated[Wanted, Query()], me: Annotated[Caller, needs("audit.read")], given: Given
) -> Page[AuditOut]:
    """The log; `next` is what to ask for `after`."""
    del me
    rows = given.accounts.entries(asked.limit, asked.after, asked.actor, asked.about)
    names = Names(given.accounts)
    names.know(row.actor for row in rows)
    items = [
        AuditOut(
            seq=row.seq,
            at=row.at,
            actor=names.person(row.actor),
            action=row.action,
            about=row.about,
            facts=dict(row.facts) if row.facts is not None else None,
        )
        for row in rows
    ]
    return Page(items=items, next=str(rows[-1].seq) if len(rows) == asked.limit else None)
