"""What happened to a case, told in sentences for people; and what somebody who works on it must hear at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from console.api.views import Names
from console.pages.names import NAMES
from console.pages.page import Page
from desk import events
from desk.case_records import Happening
from desk.events import Event

TONES = {"breached": "bad", "escalated": "warn", "warned": "warn", "reply_failed": "bad", "withdrawn": "warn"}


class Entry(NamedTuple):
    """One line of the timeline: what happened, a moment that belongs to it, and the words somebody wrote."""

    at: datetime
    kind: str
    text: str
    until: datetime | None = None
    quote: str = ""
    tone: str = ""


class News(NamedTuple):
    """Something that whoever works on the case must hear at once."""

    text: str
    tone: str
    quote: str = ""


def timeline(page: Page, names: Names, history: Sequence[Happening]) -> list[Entry]:
    """The newest first; that a lease goes on is not told."""
    names.know(it.event.actor for it in history)
    names.know(getattr(it.event, "owner", None) for it in history)
    told = [it.event for it in history if not isinstance(it.event, events.LeaseExtended)]
    return [entry(page, names, event) for event in reversed(told)]


def entry(page: Page, names: Names, event: Event) -> Entry:
    """One event as a line."""
    said = getattr(event, "reason", "") or getattr(event, "question", "") or getattr(event, "text", "")
    until = getattr(event, "due", None) if isinstance(event, events.Warned | events.Breached) else None
    if isinstance(event, events.Snoozed):
        until = event.until
    return Entry(event.at, event.kind, _sentence(page, names, event), until, said, TONES.get(event.kind, ""))


def _sentence(page: Page, names: Names, event: Event) -> str:
    _ = page._
    who: Any = names.person(event.actor).name
    match event:
        case events.Opened():
            return _("It came to %(queue)s by the rule %(rule)s", queue=event.queue, rule=event.rule or "-")
        case events.MentionAdded():
            return _("The customer said more")
        case events.CustomerReplied():
            return _("The customer wrote again after our answer")
        case events.MentionRemoved():
            return _("The customer took a post back")
        case events.Withdrawn():
            return _("Nothing is left to answer")
        case events.FamilyJoined():
            return _("It belongs to a wave of copies")
        case events.Freed():
            return _("It is worked by itself from now on")
        case events.Claimed() if event.actor == event.owner:
            return _("%(name)s took it", name=who)
        case events.Claimed() if event.actor.startswith("user:"):
            return _("%(name)s gave it to %(other)s", name=who, other=names.person(event.owner).name)
        case events.Claimed():
            return _("%(name)s has it", name=names.person(event.owner).name)
        case events.LeaseExtended():
            return _("%(name)s is still at it", name=who)
        case events.LeaseExpired():
            return _("The lease ran out")
        case events.Released():
            return _("%(name)s gave it back", name=who)
        case events.TakenOver():
            return _("%(name)s took it over", name=who)
        case events.Transferred() if event.rule:
            return _("The rules sent it to %(queue)s", queue=event.queue)
        case events.Transferred() if event.wrong_route:
            return _("%(name)s sent it to %(queue)s, as it was routed wrong", name=who, queue=event.queue)
        case events.Transferred():
            return _("%(name)s handed it to %(queue)s", name=who, queue=event.queue)
        case events.LabelCorrected():
            found, right = value_name(page, event.found), value_name(page, event.right)
            label = label_name(page, event.label)
            return _(
                "%(name)s corrected %(label)s from %(found)s to %(right)s",
                name=who,
                label=label,
                found=found,
                right=right,
            )
        case events.Asked():
            whom = event.queue or names.person(event.user or "").name
            return _("%(name)s asked %(whom)s", name=who, whom=whom)
        case events.Watched() if event.stop:
            return _("%(name)s no longer watches it", name=who)
        case events.Watched():
            return _("%(name)s watches it", name=who)
        case events.Escalated() if event.alarm:
            return _("A promise was broken for long: a lead should look")
        case events.Escalated():
            return _("%(name)s called a lead", name=who)
        case events.Noted():
            return _("%(name)s noted", name=who)
        case events.Tagged() if event.add and event.remove:
            both = {"add": ", ".join(event.add), "remove": ", ".join(event.remove)}
            return _("%(name)s put on the tags %(add)s and took off %(remove)s", name=who, **both)
        case events.Tagged() if event.remove:
            return _("%(name)s took off the tags %(tags)s", name=who, tags=", ".join(event.remove))
        case events.Tagged():
            return _("%(name)s put on the tags %(tags)s", name=who, tags=", ".join(event.add))
        case events.PriorityChanged():
            return _("%(name)s set the priority to %(priority)s", name=who, priority=_(event.priority.value))
        case events.Snoozed():
            return _("%(name)s let it rest until", name=who)
        case events.Woken() if event.actor.startswith("user:"):
            return _("%(name)s woke it", name=who)
        case events.Woken():
            return _("It woke up")
        case events.Resolved() if event.lead:
            return _("It was resolved with the case that it followed")
        case events.Resolved():
            return _("%(name)s resolved it", name=who)
        case events.Reopened():
            return _("%(name)s opened it again", name=who)
        case events.Warned():
            return _("A promise is in danger: it breaks at")
        case events.Breached():
            return _("A promise was broken at")
        case events.DraftSubmitted():
            return _("%(name)s asked for approval of an answer", name=who)
        case events.DraftApproved():
            return _("%(name)s approved an answer", name=who)
        case events.DraftRejected():
            return _("%(name)s rejected an answer", name=who)
        case events.DraftWithdrawn():
            return _("An answer was withdrawn")
        case events.ReplyQueued():
            return _("%(name)s sent an answer on its way", name=who)
        case events.ReplySent():
            return _("The platform has our answer")
        case events.ReplyFailed():
            return _("An answer did not go out")
        case events.AnsweredNatively():
            return _("It was answered on the platform itself")


def label_name(page: Page, label: str) -> str:
    """A label as people call it."""
    return page._(NAMES[label]) if label in NAMES else label


def value_name(page: Page, value: str) -> str:
    """What a label says, as people call it."""
    _ = page._
    known = {
        "": _("nothing"),
        "yes": _("yes"),
        "no": _("no"),
        "positive": _("positive"),
        "neutral": _("neutral"),
        "negative": _("negative"),
    }
    return known.get(value, value)


def news(page: Page, names: Names, history: Sequence[Happening]) -> list[News]:
    """What came between the reader and this case: somebody took it from them, or it ran out; the customer took a post
    back since the reader took the case; nothing is left of it."""
    _, me = page._, page.me.actor
    found: dict[str, News] = {}
    owner: str | None = None
    for event in (it.event for it in history):
        match event:
            case events.TakenOver() if owner == me and event.owner != me:
                text = _(
                    "%(name)s took this customer over. You can send nothing to them now; what you wrote is still here.",
                    name=names.person(event.actor).name,
                )
                found["lease"] = News(text, "bad", event.reason)
            case events.LeaseExpired() if owner == me:
                text = _("Your time on this case ran out. Take it again before you send.")
                found["lease"] = News(text, "warn")
            case events.Claimed() | events.TakenOver() if event.owner == me:
                found.pop("lease", None)
            case events.Withdrawn():
                found["gone"] = News(_("Nothing is left to answer: the customer took everything back."), "bad")
            case events.MentionRemoved():
                text = _("The customer took a post back. What you wrote is still here; see whether it still fits.")
                found["gone"] = News(text, "bad")
            case events.ReplySent() | events.Resolved() | events.Reopened() | events.CustomerReplied():
                found.pop("gone", None)
        match event:
            case events.Claimed() | events.TakenOver():
                owner = event.owner
            case events.LeaseExpired() | events.Released() | events.Transferred() | events.Resolved():
                owner = None
    return list(found.values())
