"""What each table holds of a customer, how long, and what an erasure does with it. A table or a column that is added
without a word here fails a test, and `docs/privacy.md` shows what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Table

from pipeline.store.tables import metadata


@dataclass(frozen=True)
class Holding:
    """One table. `personal` are the columns that tell something of a customer, and what; `plain` those that can hold
    text and do not. `period` is what ends it, `erased` what an erasure does.

    `accounts` are columns that name a customer's account: a row belongs to whom one of them names. `words` are columns
    in which our people write freely: in a row that is another's, what names the erased person is struck out, unless its
    `state` is one of `busy`. `staff`: the rows are about our own people, whatever they are called. `counted`: what is
    left when its case has expired, for figures, without a name.
    """

    period: str
    erased: str
    personal: Mapping[str, str] = field(default_factory=dict)
    plain: str = ""
    accounts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    staff: bool = False
    counted: bool = False


class PersonalColumn(NamedTuple):
    """A line of the table in the documentation."""

    table: str
    column: str
    tells: str
    period: str
    erased: str


_CASE = "`cases_days` after the case was closed"
_INCIDENT = "`incidents_days` after the incident was closed"
_WITH_CASE = "goes with the case"
_COUNTED = "stays for figures, without author and case, when the case goes"
_LINK = "until it is taken back or the account is erased"

HOLDINGS: dict[str, Holding] = {
    "intake": Holding(
        "`ids_days` after its mention went",
        "the id stays, or is replaced where it names the account",
        {"id": "the post's id, which on some networks names its author", "digest": "a short hash of the content"},
        "source via",
    ),
    "cursors": Holding(
        "until its source moves on",
        "told, not changed: the source would lose its place",
        {"cursor": "where a source goes on, in its own words"},
        "via",
    ),
    "gaps": Holding("stays", "told, not changed", {"reason": "may quote a value", "note": "may too"}, "id via"),
    "source_hours": Holding("stays", "nothing of a person is in it", plain="id via"),
    "source_usage": Holding("until the source says anew", "nothing of a person is in it", plain="id via unit"),
    "rechecks": Holding(
        "until the next of the source's mentions are checked",
        "what names them is struck out; the check goes on from near there",
        {"position": "the id of the post that was checked last"},
        "via",
        words=("position",),
    ),
    "mentions": Holding(
        "`mentions_days`, or with its closed case",
        "deleted",
        {
            "id": "the post's id",
            "author": "who said it",
            "conversation": "where they said it",
            "body": "all of it: text, author, links, what was found in it",
        },
        "source via kind brand outcome queue filtered rule rules_version",
        ("author",),
    ),
    "searchable": Holding(
        "goes with its mention",
        "deleted",
        {
            "mention": "the post's id",
            "author": "who said it",
            "words": "the words of its text, title and pictures, and of its author's name and handle",
        },
        accounts=("author",),
    ),
    "tombstones": Holding(
        "stays: it keeps late copies out",
        "one is left, with the account's id",
        {"target": "the id of a post or an account"},
        "source reason",
    ),
    "removed": Holding(
        "`ids_days`",
        "the id stays, or is replaced where it names the account",
        {"id": "the post's id", "conversation": "where it stood; emptied once it is off the topics"},
        "source reason",
    ),
    "dead_letters": Holding(
        "`dead_letters_days`",
        "deleted",
        {
            "id": "the post's id",
            "intake_id": "the same",
            "author": "who said it",
            "place": "may name a file",
            "reason": "may quote a value",
            "payload": "all of it",
            "note": "what one of us wrote about it",
        },
        "source via role stage state",
        ("author",),
        words=("note",),
    ),
    "outbox": Holding(
        "`outbox_days` after it was sent; the emptied row of a mention that is kept stays with it",
        "withdrawn, or emptied",
        {"mention_id": "the post's id", "payload": "all of it while it waits", "last_error": "may quote a value"},
        "key sink kind state",
    ),
    "workers": Holding("a day", "nothing to do", plain="member role"),
    # --------------------------------------------------------------------- the desk
    "cases": Holding(
        _CASE,
        "deleted",
        {
            "author": "whose it is",
            "conversation": "where it was said",
            "language": "in which they write",
            "family": "the wave their words belong to",
            "body": "all of these",
        },
        "id brand queue routed_queue state topic owner lead returned_by",
        ("author",),
    ),
    "case_events": Holding(
        _CASE,
        "deleted; in other people's cases what names them is struck out",
        {"body": "who, which posts, and what our people wrote: notes, reasons, questions"},
        "case_id kind",
    ),
    "case_mentions": Holding(_CASE, "deleted", {"mention": "the post's id"}, "case_id part"),
    "case_authors": Holding(
        "with their last case", "deleted", {"author": "with whom somebody may speak"}, "owner", ("author",)
    ),
    "case_tags": Holding(
        _CASE, "deleted; in other people's cases what names them is struck out", {"tag": "our word for it"}, "case_id"
    ),
    "corrections": Holding(
        f"{_CASE}; the record goes with its mention",
        "deleted; in other people's cases what names them is struck out",
        {"mention": "the post's id", "reason": "what our people wrote", "body": "all of the post"},
        "case_id actor routed_queue right_queue rule rules_version",
        words=("reason",),
    ),
    "label_corrections": Holding(_CASE, "deleted", {"mention": "the post's id"}, "case_id label actor found right"),
    "followers": Holding("stays", "nothing to do", plain="name"),
    "drafts": Holding(
        _CASE,
        "deleted; in other people's what names them is struck out, but for one that is being sent",
        {
            "author": "whom it answers",
            "mention": "the post's id",
            "text": "what we say to them",
            "pictures": "what we show them",
            "language": "in which they write",
            "reason": "why it came back, in the platform's or our words",
            "answer": "the id of our answer",
        },
        "id case_id via state macro writer hands approver key sender copied_from",
        ("author",),
        words=("text", "reason"),
        busy=("queued", "sending"),
    ),
    "deeds": Holding(
        _CASE,
        "deleted; in other people's what names them is struck out",
        {
            "id": "the post's id",
            "author": "whose post it is",
            "mention": "the post's id",
            "why": "why one of us hid it, in their words",
            "reason": "why it failed, in the platform's words",
        },
        "case_id via action state actor",
        ("author",),
        words=("why", "reason"),
    ),
    "case_clocks": Holding(_CASE, "deleted", plain="case_id"),
    "clock_rules": Holding("stays", "nothing to do", plain="name digest place"),
    "case_facts": Holding(
        _COUNTED,
        "deleted, so that figures fall by theirs",
        {"author": "whose case it was"},
        "case_id queue brand source team agent macro",
        ("author",),
        counted=True,
    ),
    "case_spans": Holding(_COUNTED, "deleted", plain="case_id ending", counted=True),
    "case_breaches": Holding(_COUNTED, "deleted", plain="case_id", counted=True),
    "handles": Holding(
        "with the last mention and case of theirs",
        "deleted",
        {"handle": "the name they showed last", "author": "whose it is"},
        accounts=("author",),
    ),
    "links": Holding(
        _LINK,
        "deleted",
        {
            "account": "an account of theirs",
            "other": "another",
            "evidence": "why they are one person, as one of us wrote",
        },
        "actor ended_by",
        ("account", "other"),
        words=("evidence",),
    ),
    "persons": Holding(
        _LINK, "deleted", {"account": "an account of theirs", "person": "a random number"}, "", ("account",)
    ),
    "crm": Holding(
        "until the table is read anew",
        "deleted; take them out of the table that it is read from too",
        {
            "account": "an account, or the handle of one",
            "segment": "what the CRM calls them",
            "value": "what they are worth to it",
            "person": "its number for them",
        },
        "",
        ("account",),
    ),
    "crm_loads": Holding("stays", "nothing to do"),
    # -------------------------------------------------------------------- firestorms
    "spike_brands": Holding("stays", "nothing to do", plain="brand"),
    "spike_mentions": Holding(
        "`spikes.keep_hours` before the newest of its brand, by whole days; where history came, twice as long after it",
        "deleted; the numbers that it was counted in stay",
        {"id": "the post's id", "author": "who said it", "facets": "the topics and intents found in it"},
        "brand",
        ("author",),
    ),
    "spike_buckets": Holding(
        "hours and days stay, five minutes `spikes.history_days`", "nothing to do: numbers", plain="id series"
    ),
    "spike_states": Holding(
        "`spikes.history_days` after the last of its series", "nothing to do: numbers", plain="id brand facet side body"
    ),
    "spike_detections": Holding(
        "`spikes.history_days`", "nothing to do: numbers", plain="id brand facet side kind severity body"
    ),
    "spike_partitions": Holding("stays", "nothing to do", plain="partition"),
    "incidents": Holding(_INCIDENT, "nothing to do", plain="id strand brand kind state part_of body"),
    "incident_strands": Holding("stays", "nothing to do", plain="strand"),
    "incident_detections": Holding(_INCIDENT, "nothing to do", plain="id incident facet value body"),
    "incident_events": Holding(
        _INCIDENT,
        "what names them is struck out",
        {"text": "what our people wrote: notes, reasons, statements"},
        "incident kind actor body",
        words=("text",),
    ),
    "incident_mentions": Holding(
        f"goes with its mention, or {_INCIDENT}",
        "deleted",
        {"mention": "the post's id", "author": "who said it"},
        "incident part",
        ("author",),
    ),
    "alerts": Holding(
        "30 days after the incident was closed, or with it",
        "what names them is struck out",
        {"title": "what is said, in short; may quote", "paragraph": "the same, at more length"},
        "incident brand kind state change url playbook",
        words=("title", "paragraph"),
    ),
    "alert_messages": Holding(
        "30 days after the incident was closed, or with it",
        "told, not changed: it is emptied once it is sent",
        {"body": "the message while it is under way: what is said, in short; may quote"},
        "id incident target state last_state said reason",
    ),
    # ------------------------------------------------------------------- our people
    "agents": Holding(
        "stays with the account",
        "nothing to do: our own people",
        plain="user team queues languages topics presence",
        staff=True,
    ),
    "users": Holding("stays", "nothing to do: our own people", plain="id name email roles password", staff=True),
    "invitations": Holding("3 days", "nothing to do: our own people", plain="digest user_id", staff=True),
    "api_tokens": Holding("stays", "nothing to do: our own people", plain="id digest user_id label scopes", staff=True),
    "sessions": Holding("12 hours", "nothing to do: our own people", plain="digest user_id", staff=True),
    "throttles": Holding("a day", "nothing to do", plain="bucket"),
    "documents": Holding(
        "stays: every version, so that it is known what was in force when",
        "nothing to do: what our own people write for everybody",
        plain="id kind actor why made_from body",
        staff=True,
    ),
    "desk_keys": Holding("stays", "nothing to do", plain="name key"),
    "audit": Holding(
        "`audit_days`",
        "about whom and the facts are taken out of their rows, and the chain still holds",
        {"about": "whose case or profile was seen or changed", "facts": "names, numbers and reasons, never a text"},
        "at actor action salt seal digest",
    ),
}


def personal_columns() -> Iterator[PersonalColumn]:
    """Every column that tells something of a customer, by table."""
    for table, held in sorted(HOLDINGS.items()):
        for column, tells in held.personal.items():
            yield PersonalColumn(table, column, tells, held.period, held.erased)


def tables_of_cases() -> list[Table]:
    """Every table whose rows hang on a case by `case_id`."""
    return [table for table in metadata.sorted_tables if "case_id" in table.c]
