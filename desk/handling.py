"""What people do with a case besides taking it: each function checks, then records. Pure.

`by` is who does it: a user and, where they hold the author, their token. What changes whose turn it is (transfer,
snooze, resolve, priority) needs the token while anybody holds the author; what only adds (a note, a tag, a question,
watching, an escalation) never does. All raise Conflict where the case's state does not allow it, NoSuchCase, and Unfit
for a value that cannot be used.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from desk import events
from desk.case import Case, State
from desk.dossier import Dossier
from desk.refusals import Conflict, Unfit
from pipeline.mention import Priority

TEXT_CHARS = 10_000
"""Longest note, question or reason."""

TAG_CHARS = 60
TAGS = 50
"""How long a tag may be, and how many a case may have."""

WATCHERS = 50
"""How many may watch one case."""

LONGEST_SNOOZE = timedelta(days=366)


class By(NamedTuple):
    """Who acts (`user:ID`), and under which token."""

    user: str
    token: int | None = None


def transfer(
    dossier: Dossier, id: str, by: By, now: datetime, queue: str, reason: str, *, wrong_route: bool = False
) -> Case:
    """Hand it to another queue, owned by nobody there. The lease on the author ends with it, for all of their cases:
    who takes it there must be able to."""
    case = dossier.may_change(id, by.token, by.user, now)
    if queue == case.queue:
        raise Unfit("queue", f"case {id} is in {queue} already")
    moved = events.Transferred(
        at=now, actor=by.user, queue=said("queue", queue), reason=said("reason", reason), wrong_route=wrong_route
    )
    dossier.hand_back(id, by.user, now)
    return dossier.record(id, moved)


def snooze(dossier: Dossier, id: str, by: By, now: datetime, until: datetime) -> Case:
    """Let it rest until then, or until its author says more."""
    dossier.may_change(id, by.token, by.user, now)
    if not now < until <= now + LONGEST_SNOOZE:
        raise Unfit("until", "a time to come, within a year")
    return dossier.record(id, events.Snoozed(at=now, actor=by.user, until=until))


def wake(dossier: Dossier, id: str, actor: str, now: datetime) -> Case:
    """End a snooze."""
    case = dossier.open_case(id)
    if case.state is not State.SNOOZED:
        raise Conflict(f"case {id} is {case.state.value}, not snoozed")
    return dossier.record(id, events.Woken(at=now, actor=actor))


def resolve(dossier: Dossier, id: str, by: By, now: datetime, reason: str = "") -> Case:
    """Close it."""
    case = dossier.may_change(id, by.token, by.user, now)
    if case.pending:
        raise Conflict(f"case {id} has an answer on its way")
    case = dossier.record(id, events.Resolved(at=now, actor=by.user, reason=reason[:TEXT_CHARS]))
    dossier.settle()
    return case


def reopen(dossier: Dossier, id: str, by: By, now: datetime, reason: str) -> Case:
    """Take up again what was resolved. It comes under the lease that its author is under, if any."""
    case = dossier.case(id)
    if case.state is not State.RESOLVED:
        raise Conflict(f"case {id} is {case.state.value}, not resolved")
    dossier.lapse(now)
    dossier.record(id, events.Reopened(at=now, actor=by.user, reason=said("reason", reason)))
    dossier.share(id, now)
    return dossier.case(id)


def prioritise(dossier: Dossier, id: str, by: By, now: datetime, priority: Priority, reason: str = "") -> Case:
    """Set how soon a person should look."""
    case = dossier.may_change(id, by.token, by.user, now)
    if case.priority is priority:
        return case
    return dossier.record(id, events.PriorityChanged(at=now, actor=by.user, priority=priority, reason=reason))


def note(dossier: Dossier, id: str, by: By, now: datetime, text: str) -> Case:
    """Write something down for colleagues, on a closed case too."""
    dossier.case(id)
    return dossier.record(id, events.Noted(at=now, actor=by.user, text=said("text", text)))


def tag(
    dossier: Dossier, id: str, by: By, now: datetime, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> Case:
    """Put tags on and take tags off, on a closed case too; what changes nothing is not recorded."""
    case = dossier.case(id)
    new = tuple(sorted({_tag(one) for one in add} - set(case.tags) - set(remove)))
    old = tuple(sorted(set(remove) & set(case.tags)))
    if len(case.tags) + len(new) - len(old) > TAGS:
        raise Unfit("add", f"a case has at most {TAGS} tags")
    if not new and not old:
        return case
    return dossier.record(id, events.Tagged(at=now, actor=by.user, add=new, remove=old))


def ask(
    dossier: Dossier,
    id: str,
    by: By,
    now: datetime,
    question: str,
    *,
    queue: str | None = None,
    user: str | None = None,
) -> Case:
    """Ask another queue, or one person, without giving the case up."""
    dossier.open_case(id)
    if bool(queue) == bool(user):
        raise Unfit("queue", "ask either a queue or a user")
    asked = events.Asked(at=now, actor=by.user, question=said("question", question), queue=queue, user=user)
    return dossier.record(id, asked)


def escalate(dossier: Dossier, id: str, by: By, now: datetime, reason: str) -> Case:
    """Ask for a lead."""
    dossier.open_case(id)
    return dossier.record(id, events.Escalated(at=now, actor=by.user, reason=said("reason", reason)))


def watch(dossier: Dossier, id: str, by: By, now: datetime, *, stop: bool = False) -> Case:
    """Hear of it from now on, or no longer; twice is once."""
    case = dossier.case(id)
    if (by.user in case.watchers) is not stop:
        return case
    if not stop and len(case.watchers) >= WATCHERS:
        raise Conflict(f"{WATCHERS} people watch case {id} already")
    return dossier.record(id, events.Watched(at=now, actor=by.user, user=by.user, stop=stop))


# ----------------------------------------------------------------------------- answers


def queue_reply(
    dossier: Dossier, id: str, by: By, now: datetime, draft: str, key: str, *, awaiting: bool = False
) -> Case:
    """Say that an answer is on its way. Only the author's holder may, so the token is not optional here; the same key
    again changes nothing, another one must wait until that is sent or has failed."""
    case = dossier.open_case(id)
    if by.token is None:
        raise Unfit("token", "take the case first")
    dossier.check(by.token, by.user, now)
    if key in case.pending:
        return case
    if case.pending:
        raise Conflict(f"another answer of case {id} is on its way")
    queued = events.ReplyQueued(at=now, actor=by.user, draft=draft, key=key, awaiting=awaiting)
    return dossier.record(id, queued)


def reply_failed(dossier: Dossier, id: str, actor: str, now: datetime, key: str, reason: str) -> Case:
    """Say that the platform refused it; what was sent, or failed, already is left alone."""
    case = dossier.case(id)
    if key not in case.pending:
        return case
    return dossier.record(id, events.ReplyFailed(at=now, actor=actor, key=key, reason=reason[:TEXT_CHARS]))


def reply_sent(
    dossier: Dossier, id: str, actor: str, now: datetime, native_id: str, key: str, *, awaiting: bool = False
) -> Case:
    """Say that the platform has it."""
    sent = events.ReplySent(at=now, actor=actor, native_id=native_id, key=key, awaiting=awaiting)
    dossier.case(id)
    return dossier.record(id, sent)


def answer_natively(dossier: Dossier, id: str, by: By, now: datetime, url: str) -> Case:
    """Say that it was answered on the platform itself."""
    dossier.may_change(id, by.token, by.user, now)
    return dossier.record(id, events.AnsweredNatively(at=now, actor=by.user, url=url[:TEXT_CHARS]))


def said(field: str, text: str) -> str:
    """What a person wrote, where it can be kept; raises Unfit."""
    if not text.strip():
        raise Unfit(field, "must not be empty")
    if len(text) > TEXT_CHARS:
        raise Unfit(field, f"at most {TEXT_CHARS:,} characters")
    if _has_surrogate(text):
        raise Unfit(field, "is not text: it holds half a character")
    return text


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _tag(name: str) -> str:
    if not 0 < len(name.strip()) <= TAG_CHARS or "\0" in name or _has_surrogate(name):
        raise Unfit("add", f"a tag has 1 to {TAG_CHARS} characters")
    return name.strip()
