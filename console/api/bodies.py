"""What callers send: each body is strict and forbids what it does not know, so that a typing error is told, not lost.

A text is any text but one with half a character (a lone surrogate), which no database holds. A time is RFC 3339 with
its zone: `2026-01-05T09:00:00Z`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from desk.handling import TAG_CHARS, TAGS, TEXT_CHARS

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?", re.ASCII
)


def _instant(value: object) -> object:
    if not isinstance(value, str) or not (found := _RFC3339.fullmatch(value)):
        raise ValueError("a time such as 2026-01-05T09:00:00Z")
    if not found[2]:
        raise ValueError("a time without a zone could mean any of 24: write 2026-01-05T09:00:00Z")
    return datetime.fromisoformat(value.upper())


def _whole(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("not text: it holds half a character")
    return text


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_integral)
"""JSON knows one kind of number: 7.0 is an integer there. Behind the bounds, or the document leaves them out."""

Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time with its zone, in JSON and in a query."""

Text = Annotated[str, AfterValidator(_whole)]
Said = Annotated[Text, Field(min_length=1, max_length=TEXT_CHARS, pattern=r"\S")]
"""A reason, a note, a question: something must be said."""

Name = Annotated[Text, Field(min_length=1, max_length=200)]
"""Of a queue, a macro, a user, or an id."""

Tag = Annotated[Text, Field(min_length=1, max_length=TAG_CHARS, pattern=r"^[^\x00\s]([^\x00]*[^\x00\s])?$")]
Token = Annotated[int, Field(ge=0, le=2**53 - 1), Whole]
"""The fencing token of a lease, as the claim gave it."""

Language = Annotated[str, Field(pattern="^[a-z]{2}$")]
PriorityName = Literal["urgent", "high", "normal", "low"]


class Body(BaseModel):
    """Of a request."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Held(Body):
    """By whoever holds the author, under their token."""

    token: Token


class Acting(Body):
    """What changes whose turn it is: the token is needed while anybody holds the author."""

    token: Token | None = None


class Reason(Body):
    """Why, in words that are kept."""

    reason: Said


class Transfer(Acting):
    """To another queue; `wrong_route` says that the rules should never have sent it here."""

    queue: Name
    reason: Said
    wrong_route: bool = False


class Snooze(Acting):
    """Until then, or until its author says more; within a year."""

    until: Instant


class Note(Body):
    """For colleagues."""

    text: Said


class Tags(Body):
    """Tags to put on and to take off."""

    add: Annotated[list[Tag], Field(max_length=TAGS)] = []
    remove: Annotated[list[Tag], Field(max_length=TAGS)] = []


class Question(Body):
    """To a queue or to one person (`user`, an id); one of them."""

    question: Said
    queue: Name | None = None
    user: Name | None = None


class Watch(Body):
    """Hear of it, or (`stop`) no longer."""

    stop: bool = False


class NewPriority(Acting):
    """How soon a person should look."""

    priority: PriorityName
    reason: Annotated[Text, Field(max_length=TEXT_CHARS)] = ""


class Resolve(Acting):
    """Close it; a reason may be given."""

    reason: Annotated[Text, Field(max_length=TEXT_CHARS)] = ""


class Natively(Acting):
    """Answered on the platform itself, at this address where it is known."""

    url: Annotated[Text, Field(max_length=TEXT_CHARS)] = ""


class Assign(Body):
    """Give it to this person (`user`, an id)."""

    user: Name


class Picture(Body):
    """A picture by its address, with a description for those who cannot see it."""

    url: Annotated[Text, Field(min_length=1, max_length=2000)]
    alt: Annotated[Text, Field(min_length=1, max_length=1000)]


class NewDraft(Acting):
    """An answer to one mention of the case; without `mention` to the last thing its author said. A token that is given
    must be good. `private`: to its author alone, where the network has that."""

    text: Annotated[Text, Field(max_length=TEXT_CHARS)]
    mention: Annotated[Text, Field(min_length=1, max_length=2000)] | None = None
    macro: Name | None = None
    language: Language | None = None
    private: bool = False
    pictures: Annotated[list[Picture], Field(max_length=10)] = []


class NewDeed(Body):
    """What is to be done with a mention of the case besides answering it; to hide wants the reason why."""

    mention: Annotated[Text, Field(min_length=1, max_length=2000)]
    action: Literal["like", "hide"]
    why: Annotated[Text, Field(max_length=TEXT_CHARS)] = ""


class DraftEdit(Acting):
    """Other words; `version` is the one that was edited. The token is needed for one that is queued."""

    text: Annotated[Text, Field(max_length=TEXT_CHARS)]
    macro: Name | None = None
    language: Language | None = None
    private: bool | None = None
    pictures: Annotated[list[Picture], Field(max_length=10)] | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1), Whole]


class Check(Body):
    """A text to look at, as an answer in this case, without keeping it; `private`: to its author alone."""

    case: Name
    text: Annotated[Text, Field(max_length=TEXT_CHARS)]
    mention: Annotated[Text, Field(min_length=1, max_length=2000)] | None = None
    language: Language | None = None
    private: bool = False


class Send(Held):
    """Send it under this token; `awaiting` says that it asks the customer for something, so that it is their turn."""

    awaiting: bool = False


class Fill(Body):
    """A macro for this case: in the customer's language where it has one, unless another is asked for."""

    case: Name
    language: Language | None = None
    mention: Annotated[Text, Field(min_length=1, max_length=2000)] | None = None


class Link(Body):
    """Another account (`source:author_id`) of the same person, and what shows that."""

    other: Annotated[Text, Field(min_length=3, max_length=400, pattern=r"^[^:]+:[\s\S]+$")]
    evidence: Said


class Presence(Body):
    """Whether work may be given to the caller."""

    presence: Literal["available", "away"]


class AgentChange(Body):
    """What somebody does on the desk; what is left out stays as it is. An empty list means any."""

    team: Annotated[Text, Field(max_length=200)] | None = None
    queues: Annotated[list[Name], Field(max_length=200)] | None = None
    languages: Annotated[list[Language], Field(max_length=50)] | None = None
    topics: Annotated[list[Name], Field(max_length=200)] | None = None
    capacity: Annotated[int, Field(ge=0, le=1000), Whole] | None = None
