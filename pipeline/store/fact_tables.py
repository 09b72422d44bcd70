"""The tables that figures are counted from, of people with several accounts, and of what a CRM says of them.

`case_facts`, `case_spans` and `case_breaches` follow from the cases' events and are made anew whenever a case changes;
they go with their case. A person is named by `handles.author`, `crm.account`, `links.account`, `links.other` and
`persons.account`; `links.evidence` is free text about them.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, Table

from pipeline.store.columns import Key, Moment, Note, Serial
from pipeline.store.tables import metadata

case_facts = Table(
    "case_facts",
    metadata,
    Column("case_id", Key, primary_key=True),
    Column("author", Key, nullable=False, comment="source:author_id"),
    Column("queue", Key, nullable=False, comment="where it is now"),
    Column("brand", Key, nullable=False, comment="empty where it is of none"),
    Column("source", Key, nullable=False),
    Column("team", Key, nullable=False, comment="of the agent; empty where nobody says"),
    Column("agent", Key, nullable=False, comment="user:ID of who answered first; empty where nobody did"),
    Column("opened_at", Moment, nullable=False),
    Column("answered_at", Moment, comment="first"),
    Column("first_response_secs", Float, comment="from what the customer said, by the clock on the wall"),
    Column("first_response_open_secs", Float, comment="the same in the open time of the queue's calendar"),
    Column("resolved_at", Moment, comment="for good: not reopened since"),
    Column("resolution_secs", Float),
    Column("resolution_open_secs", Float),
    Column("breaches", Integer, nullable=False),
    Column("reopenings", Integer, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("macro", Key, comment="of the last answer before it was resolved"),
    Column("sentiment_before", Float, comment="mean -1..1 of what the customer said up to our first answer"),
    Column("sentiment_after", Float, comment="and after it"),
    Column("handled_secs", Float, nullable=False, comment="how long people held it"),
    Index("ix_case_facts_author", "author"),
    Index("ix_case_facts_opened_at", "opened_at"),
    Index("ix_case_facts_answered_at", "answered_at"),
    Index("ix_case_facts_resolved_at", "resolved_at"),
)

case_spans = Table(
    "case_spans",
    metadata,
    Column("case_id", Key, primary_key=True),
    Column("number", Integer, primary_key=True, comment="1 from its opening, 2 from its first reopening, …"),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False, comment="9999-01-01 while it is open"),
    Column("ending", Key, nullable=False, comment="resolved, withdrawn, or empty while it is open"),
    Column("undone", Boolean, nullable=False, comment="whether the case was reopened after it"),
    Index("ix_case_spans_since", "since"),
    Index("ix_case_spans_until", "until"),
)

case_breaches = Table(
    "case_breaches",
    metadata,
    Column("case_id", Key, primary_key=True),
    Column("number", Integer, primary_key=True, comment="of the event"),
    Column("due", Moment, nullable=False, comment="when the promise was broken"),
    Index("ix_case_breaches_due", "due"),
)

handles = Table(
    "handles",
    metadata,
    Column("handle", Key, primary_key=True, comment="source:@handle, folded to one case"),
    Column("author", Key, nullable=False, index=True, comment="source:author_id of who showed it last"),
)

links = Table(
    "links",
    metadata,
    Column("account", Key, primary_key=True, comment="source:author_id; the lesser of the two"),
    Column("other", Key, primary_key=True, comment="source:author_id; the greater"),
    Column("evidence", Note, nullable=False, comment="why they are one person"),
    Column("actor", Key, nullable=False, comment="who said so"),
    Column("at", Moment, nullable=False),
    Column("ended_by", Key, comment="who took it back; a CRM does not bring it again"),
    Column("ended_at", Moment),
    Index("ix_links_other", "other"),
)

persons = Table(
    "persons",
    metadata,
    Column("account", Key, primary_key=True, comment="source:author_id"),
    Column("person", Key, nullable=False, index=True, comment="random"),
)

crm = Table(
    "crm",
    metadata,
    Column("load", Serial, primary_key=True, comment="the reading of the table that brought it"),
    Column("account", Key, primary_key=True, comment="source:author_id or source:@handle, folded to one case"),
    Column("segment", Key, nullable=False),
    Column("value", Float),
    Column("person", Key, comment="the CRM's own number of whom the account belongs to"),
    Index("ix_crm_person", "load", "person"),
)

crm_loads = Table(
    "crm_loads",
    metadata,
    Column("load", Serial, primary_key=True, autoincrement=True),
    Column("begun_at", Moment, nullable=False),
    Column("done_at", Moment, comment="the latest that is done is the one that counts"),
    Column("rows", Integer, nullable=False),
    Column("broken", Integer, nullable=False),
    sqlite_autoincrement=True,
)
