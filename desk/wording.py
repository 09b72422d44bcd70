"""What our people wrote in the events of cases: where it stands, and how to change it, without changing what happened.

The words of an event are no part of what follows from it but for its tags; a case whose tags were reworded is written
anew from its events.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
from sqlalchemy import delete, select, update

from desk import events
from desk.case import fold
from desk.events import Event, decode, encode
from desk.refusals import NoSuchCase
from desk.shelf import lock_case
from pipeline.store.case_tables import case_events, case_tags, cases
from pipeline.store.columns import fit
from pipeline.store.part import Part

Change = Callable[[str], str]

WORDS: dict[type[Event], tuple[str, ...]] = {
    events.Withdrawn: ("reason",),
    events.Freed: ("reason",),
    events.TakenOver: ("reason",),
    events.Transferred: ("reason",),
    events.Asked: ("question",),
    events.Escalated: ("reason",),
    events.Noted: ("text",),
    events.Tagged: ("add", "remove"),
    events.PriorityChanged: ("reason",),
    events.Resolved: ("reason",),
    events.Reopened: ("reason",),
    events.DraftRejected: ("reason",),
    events.DraftWithdrawn: ("reason",),
    events.ReplyFailed: ("reason",),
    events.AnsweredNatively: ("url",),
}
"""The fields that somebody wrote freely, by kind of event."""


def reworded(event: Event, change: Change) -> Event:
    """The event with its free words changed; the very same one where nothing was."""
    news: dict[str, str | tuple[str, ...]] = {}
    for name in WORDS.get(type(event), ()):
        said = getattr(event, name)
        new = change(said) if isinstance(said, str) else tuple(dict.fromkeys(change(one) for one in said))
        if new != said:
            news[name] = new
    return msgspec.structs.replace(event, **news) if news else event


class Wording(Part):
    """The words of `case_events`, and the tags that follow from them."""

    def reword(self, cases_named: list[str], change: Change) -> int:
        """Let `change` go over the words of these cases, each in a transaction that holds its author; returns how many
        cases that changed."""
        changed = 0
        for id in cases_named:
            with suppress(NoSuchCase):  # gone meanwhile
                changed += self._reword(id, change)
        return changed

    def _reword(self, id: str, change: Change) -> bool:
        query = select(case_events.c.seq, case_events.c.body).where(case_events.c.case_id == id)
        with self._db.write() as transaction:
            lock_case(transaction, id)
            rows = transaction.run(query.order_by(case_events.c.number)).all()
            before = [decode(row.body) for row in rows]
            after = [reworded(event, change) for event in before]
            changed = [(row.seq, new) for row, old, new in zip(rows, before, after, strict=True) if new is not old]
            for seq, event in changed:
                transaction.run(update(case_events).where(case_events.c.seq == seq).values(body=encode(event)))
            if any(isinstance(event, events.Tagged) for _, event in changed):
                case = fold(id, after)
                transaction.run(update(cases).where(cases.c.id == id).values(body=msgspec.json.encode(case)))
                transaction.run(delete(case_tags).where(case_tags.c.case_id == id))
                rows_of_tags = [{"case_id": id, "tag": fit(tag)} for tag in case.tags]
                if rows_of_tags:
                    transaction.run(case_tags.insert(), rows_of_tags)
        return bool(changed)
