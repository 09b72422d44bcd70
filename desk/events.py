"""What can happen to a case: frozen, tagged by `kind`, each with its time and who did it.

`actor` is `user:ID` or `system:WHAT`. A case is what follows from its events, in order (`desk/case.py`). Adding a kind,
or a field with a default, keeps old events readable; anything else would need them rewritten.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pipeline.mention import Moment, Priority

LabelName = Literal["sentiment", "complaint", "praise", "lead", "question"]
"""What can be corrected of what was found in a mention: how it sounds, and each of the intents."""

LabelValue = Literal["", "positive", "neutral", "negative", "yes", "no"]
"""What it is: of the sentiment one of three, empty where none was found; of an intent whether it holds."""


def _kind(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=_kind):
    at: Moment
    actor: str

    @property
    def kind(self) -> str:
        """Its name on disk: `taken_over`."""
        return str(type(self).__struct_config__.tag)


# --------------------------------------------------------------- what customers do


class Opened(_Event, frozen=True):
    """A mention of nobody's case. `due` is when its first answer is due; `rule` the one that chose the queue; `lead`
    the case of its wave that is worked in its stead."""

    queue: str
    author: str
    conversation: str
    priority: Priority
    mention: str
    created_at: Moment
    brand: str | None = None
    due: Moment | None = None
    rule: str = ""
    rules_version: str = ""
    language: str = ""
    topic: str = ""
    family: str | None = None
    lead: str | None = None


class MentionAdded(_Event, frozen=True):
    """Its author said more before they were answered: the case is as urgent as the most urgent of it."""

    mention: str
    created_at: Moment
    priority: Priority
    due: Moment | None = None


class CustomerReplied(_Event, frozen=True):
    """Its author said more after they were answered: it is a person's turn again, by `due`."""

    mention: str
    created_at: Moment
    priority: Priority
    due: Moment | None = None


class MentionRemoved(_Event, frozen=True):
    """One of its mentions was taken back, or turned out to need nobody."""

    mention: str


class Withdrawn(_Event, frozen=True):
    """Nothing is left to answer."""

    reason: str


class FamilyJoined(_Event, frozen=True):
    """It belongs to a wave of near-duplicates. `lead` is the case of it that is now worked in its stead."""

    family: str
    lead: str | None = None


class Freed(_Event, frozen=True):
    """It is no longer worked through another case of its wave, but by itself. `leads`: the others are through it."""

    reason: str
    leads: bool = False


# ------------------------------------------------------------------ who works on it


class Claimed(_Event, frozen=True):
    """`owner` alone may answer, under this token, until the lease runs out."""

    owner: str
    token: int
    until: Moment


class LeaseExtended(_Event, frozen=True):
    """The owner is still there."""

    token: int
    until: Moment


class LeaseExpired(_Event, frozen=True):
    """The owner was not heard of; the case is anybody's again."""

    token: int


class Released(_Event, frozen=True):
    """The owner gave it back."""

    token: int


class TakenOver(_Event, frozen=True):
    """Another owner, who says why; the token of the one before is worth nothing from here on."""

    owner: str
    token: int
    until: Moment
    reason: str


# ------------------------------------------------------------------- what people do


class Transferred(_Event, frozen=True):
    """It went to another queue, owned by nobody. `wrong_route`: it should never have come here, says the actor;
    `rule` is the routing rule where a new decision moved it."""

    queue: str
    reason: str
    wrong_route: bool = False
    rule: str = ""
    rules_version: str = ""


class LabelCorrected(_Event, frozen=True):
    """What was found in a mention is wrong, says the actor: `found` is what it was tagged with, `right` what holds."""

    mention: str
    label: LabelName
    found: LabelValue
    right: LabelValue


class Asked(_Event, frozen=True):
    """A question to a queue or a user; the case stays where it is."""

    question: str
    queue: str | None = None
    user: str | None = None


class Watched(_Event, frozen=True):
    """`user` wants to hear of it, or (`stop`) no longer."""

    user: str
    stop: bool = False


class Escalated(_Event, frozen=True):
    """A lead should look. `alarm` is the key of the service level's alarm that asks for it; empty where a person
    does."""

    reason: str
    alarm: str = ""


class Noted(_Event, frozen=True):
    """For colleagues; the customer never sees it."""

    text: str


class Tagged(_Event, frozen=True):
    """Tags put on and taken off."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class PriorityChanged(_Event, frozen=True):
    """By a person, or by a new decision of the rules."""

    priority: Priority
    reason: str = ""


class Snoozed(_Event, frozen=True):
    """Not before then, unless its author says more."""

    until: Moment


class Woken(_Event, frozen=True):
    """The snooze is over."""


class Resolved(_Event, frozen=True):
    """Done. `lead` is the case of its wave whose answer settled it."""

    reason: str = ""
    lead: str | None = None


class Reopened(_Event, frozen=True):
    """Not done after all."""

    reason: str


# ---------------------------------------------------------------------- service levels


class Warned(_Event, frozen=True):
    """A promise is in danger: `alarm` is its key (`desk/service_levels.py`), `due` when it breaks."""

    alarm: str
    due: Moment


class Breached(_Event, frozen=True):
    """A promise was broken at `due`."""

    alarm: str
    due: Moment


# ----------------------------------------------------------------------------- answers


class DraftSubmitted(_Event, frozen=True):
    """An answer waits for somebody's approval."""

    draft: str


class DraftApproved(_Event, frozen=True):
    """It may be sent."""

    draft: str


class DraftRejected(_Event, frozen=True):
    """It goes back to who wrote it."""

    draft: str
    reason: str


class DraftWithdrawn(_Event, frozen=True):
    """What it answers is gone, or was answered otherwise."""

    draft: str
    reason: str


class ReplyQueued(_Event, frozen=True):
    """An answer is on its way, under this idempotency key. `awaiting`: it asks the customer for something.
    `copied_from` is the draft that was approved in its stead, as an answer to many."""

    draft: str
    key: str
    awaiting: bool = False
    copied_from: str = ""


class ReplySent(_Event, frozen=True):
    """The platform has it, as `native_id`. `awaiting`: it asks the customer for something, so that it is their turn.
    `key` is empty where no answer of ours was known to be on its way."""

    native_id: str
    key: str = ""
    awaiting: bool = False


class ReplyFailed(_Event, frozen=True):
    """The platform refused it, in its own words."""

    reason: str
    key: str


class AnsweredNatively(_Event, frozen=True):
    """Somebody answered on the platform itself, not from here."""

    url: str = ""


Event = (
    Opened
    | MentionAdded
    | CustomerReplied
    | MentionRemoved
    | Withdrawn
    | FamilyJoined
    | Freed
    | Claimed
    | LeaseExtended
    | LeaseExpired
    | Released
    | TakenOver
    | Transferred
    | LabelCorrected
    | Asked
    | Watched
    | Escalated
    | Noted
    | Tagged
    | PriorityChanged
    | Snoozed
    | Woken
    | Resolved
    | Reopened
    | Warned
    | Breached
    | DraftSubmitted
    | DraftApproved
    | DraftRejected
    | DraftWithdrawn
    | ReplyQueued
    | ReplySent
    | ReplyFailed
    | AnsweredNatively
)

encode = msgspec.json.Encoder().encode
"""An event to the bytes that are kept."""

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)

decode = _decoder.decode
"""The bytes that were kept to the event."""
