"""What a mention does to its author's cases: it joins one, opens one again, or opens a new one. Pure.

The rules: what an author says joins their open case in the same conversation, else the one in the same queue of which
they last spoke within `join_hours`. It opens a case again that was resolved in the same conversation within
`reopen_hours`. Cases of two brands never mix. Anything else opens a case, which may follow another (`desk/waves.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b

from pydantic import Field

from desk import events
from desk.case import Case, State
from desk.dossier import Dossier
from pipeline.mention import Cluster, Kind, Mention, Routed
from pipeline.ports import Settings
from pipeline.store.columns import fit

INTAKE = "system:intake"
"""The actor of what mentions do."""

WAVE = "system:wave"
"""The actor of what is done to all copies of a text at once."""

_ANSWERS = frozenset({Kind.REPLY, Kind.COMMENT, Kind.MESSAGE, Kind.REVIEW})


class CaseSettings(Settings):
    """How mentions make cases, and how long a claim lasts."""

    join_hours: float = Field(default=24, ge=0)
    reopen_hours: float = Field(default=72, ge=0)
    wave_hours: float = Field(default=24, ge=0)
    wave_words: int = Field(default=8, ge=1)
    lease_seconds: float = Field(default=300, ge=10, le=86_400)


def _nobody(_it: Routed) -> Case | None:
    return None


def said(
    dossier: Dossier,
    it: Routed,
    now: datetime,
    settings: CaseSettings,
    leader: Callable[[Routed], Case | None] = _nobody,
) -> Case:
    """Something queued that no case holds yet; returns the case that does now. `leader` knows the case, if any, through
    which copies of it are worked."""
    case = _home(dossier, it, now, settings)
    if case is None:
        lead = None if dossier.lease.holder(now) else leader(it)
        case = _open(dossier, it, now, lead)
        return share_fate(dossier, case.id, lead, now) if lead else case
    if not case.open:
        dossier.record(case.id, events.Reopened(at=now, actor=INTAKE, reason="the customer wrote again"))
        dossier.share(case.id, now)
    return _add(dossier, case.id, it, now)


def decided_again(dossier: Dossier, id: str, it: Routed, now: datetime, *, dropped: bool) -> bool:
    """A new wording or decision on a mention of this case; `dropped` says that it did not count so far. Returns
    whether it is dropped now. Once a person has had to do with a case, the rules move it no more, but for the
    urgency."""
    case = dossier.cases[id]
    decision = it.decision
    if decision.queue is None:
        if dropped or not case.untouched:
            return dropped
        taken_back(dossier, id, it.mention.id, now, f"filtered: {decision.filtered}")
        return True
    if dropped:
        if not case.open:
            dossier.record(id, events.Reopened(at=now, actor=INTAKE, reason="the rules decided anew"))
            dossier.share(id, now)
        _add(dossier, id, it, now)
        return False
    alone = case.untouched and case.mentions == 1
    if alone and decision.queue != case.queue:
        dossier.record(
            id,
            events.Transferred(
                at=now,
                actor=INTAKE,
                queue=decision.queue,
                reason="the rules decided anew",
                rule=decision.rule,
                rules_version=decision.rules_version,
            ),
        )
    more_urgent = decision.priority.rank < case.priority.rank
    if case.open and (more_urgent or (alone and decision.priority is not case.priority)):
        dossier.record(
            id, events.PriorityChanged(at=now, actor=INTAKE, priority=decision.priority, reason=decision.rule)
        )
    return False


def taken_back(dossier: Dossier, id: str, mention: str, now: datetime, reason: str = "taken back") -> None:
    """A mention of this case is gone; with the last of them, the case is withdrawn."""
    case = dossier.record(id, events.MentionRemoved(at=now, actor=INTAKE, mention=fit(mention)))
    if case.open and case.mentions == 0:
        dossier.record(id, events.Withdrawn(at=now, actor=INTAKE, reason=reason))
        dossier.settle()


def answers(mention: Mention) -> bool:
    """Whether one of our own posts is an answer to its parent: not a repost or a quote of it."""
    return mention.parent is not None and mention.kind in _ANSWERS


def answered(dossier: Dossier, id: str, mention: Mention, now: datetime) -> None:
    """Our own answer came back on the stream: the one that was on its way from here, or one given elsewhere."""
    case = dossier.cases[id]
    if case.pending:
        key, native_id = case.pending[0], fit(mention.native_id)
        sent = events.ReplySent(at=now, actor=INTAKE, native_id=native_id, key=key, awaiting=case.asks)
        dossier.record(id, sent)
    else:
        dossier.record(id, events.AnsweredNatively(at=now, actor=INTAKE, url=mention.url))


def share_fate(dossier: Dossier, id: str, lead: Case, now: datetime) -> Case:
    """What follows a case that was answered, or resolved, is done with too."""
    if lead.done_at is None:
        return dossier.cases[id]
    how = "answered once, in" if lead.answers else "resolved with"
    case = dossier.record(id, events.Resolved(at=now, actor=WAVE, reason=f"{how} case {lead.id}", lead=lead.id))
    dossier.settle()
    return case


def family(it: Routed) -> str | None:
    """The wave of near-duplicates it is of."""
    return fit(it.tags.cluster.id) if it.tags.cluster else None


def case_id(mention: str) -> str:
    """The id of the case that this mention opens: short enough to type, the same on every worker."""
    return blake2b(mention.encode(), digest_size=8).hexdigest()


def _home(dossier: Dossier, it: Routed, now: datetime, settings: CaseSettings) -> Case | None:
    if not dossier.cases:
        return None
    thread, brand, said_at = fit(it.mention.thread), brand_of(it), it.mention.created_at
    ours = sorted((case for case in dossier.cases.values() if case.brand == brand), key=lambda case: case.last_said_at)
    for case in reversed(ours):
        if case.open and case.conversation == thread:
            return case
    window = timedelta(hours=settings.join_hours)
    for case in reversed(ours):
        if case.open and case.queue == it.decision.queue and abs(said_at - case.last_said_at) <= window:
            return case
    window = timedelta(hours=settings.reopen_hours)
    for case in reversed(ours):
        resolved_at = case.closed_at if case.state is State.RESOLVED else None
        if resolved_at and case.conversation == thread and now - resolved_at <= window:
            return case
    return None


def _open(dossier: Dossier, it: Routed, now: datetime, lead: Case | None) -> Case:
    mention, tags, decision = it.mention, it.tags, it.decision
    name = fit(mention.id)
    case = dossier.record(
        case_id(name),
        events.Opened(
            at=now,
            actor=INTAKE,
            queue=str(decision.queue),
            author=dossier.lease.author,
            conversation=fit(mention.thread),
            brand=brand_of(it),
            priority=decision.priority,
            mention=name,
            created_at=mention.created_at,
            due=decision.first_response_due,
            rule=decision.rule,
            rules_version=decision.rules_version,
            language=_language(it),
            topic=fit(tags.topics[0]) if tags.topics else "",
            family=family(it),
            lead=lead.id if lead else None,
        ),
    )
    dossier.share(case.id, now)
    return dossier.cases[case.id]


def _add(dossier: Dossier, id: str, it: Routed, now: datetime) -> Case:
    case, mention, decision = dossier.cases[id], it.mention, it.decision
    if case.lead:
        case = dossier.record(id, events.Freed(at=now, actor=INTAKE, reason="its author said more"))
    kind = events.CustomerReplied if case.answers else events.MentionAdded
    case = dossier.record(
        id,
        kind(
            at=now,
            actor=INTAKE,
            mention=fit(mention.id),
            created_at=mention.created_at,
            priority=decision.priority,
            due=decision.first_response_due,
        ),
    )
    if case.state is State.SNOOZED:
        case = dossier.record(id, events.Woken(at=now, actor=INTAKE))
    if (cluster := it.tags.cluster) and _is_wave(cluster, case):
        case = dossier.record(id, events.FamilyJoined(at=now, actor=INTAKE, family=fit(cluster.id)))
    return case


def _is_wave(cluster: Cluster, case: Case) -> bool:
    return not cluster.first and fit(cluster.id) != case.family


def brand_of(it: Routed) -> str | None:
    """The brand its case is about."""
    brand = it.tags.brand or it.mention.brand
    return fit(brand) if brand else None


def _language(it: Routed) -> str:
    code = it.tags.language.code if it.tags.language else ""
    return "" if code == "und" else code
