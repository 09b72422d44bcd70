"""What happens to an answer, from its first word until the platform has it: each function checks, then says how the
draft stands and records in the dossier what the case must know. Pure.

Whoever changes a draft holds its author, so that a draft and its case change together.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from desk import events, handling
from desk.case import State
from desk.dossier import Dossier
from desk.handling import By, said
from desk.refusals import Conflict, Unfit
from pipeline.mention import Media


class DraftState(StrEnum):
    """Where an answer stands.

    draft ──submit──▶ submitted ──approve──▶ approved ──send──▶ queued ──▶ sending ──▶ sent
      ▲ ▲                 └──────reject──▶ rejected               │  ▲        │ └─────▶ failed
      │ └──── an edit of any of these ─────┘                      │  └trouble─┘
      └──────── somebody else took the customer over ─────────────┴───────────┘
    withdrawn: what it answers is gone, or was answered otherwise. discarded: nobody wants it.
    """

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    DISCARDED = "discarded"


SENDER = "system:sender"
"""The actor of what the sender does."""

OPEN = frozenset({DraftState.DRAFT, DraftState.SUBMITTED, DraftState.APPROVED, DraftState.REJECTED, DraftState.FAILED})
"""What a person may still change."""

_SENDABLE = OPEN - {DraftState.REJECTED}
_ON_ITS_WAY = {DraftState.QUEUED: "is queued", DraftState.SENDING: "is being sent"}

_VARIABLE = re.compile(r"(?<!\{)\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)\}(?!\})")

DOUBT = "It may have reached the platform: look there before anything is sent again."
GONE = "What it answers was taken back."
GONE_WHILE_SENDING = "What it answers was taken back while it was being sent."


class Draft(Struct, frozen=True, kw_only=True):
    """A row of `drafts`. `key` is set while the outcome of an attempt to send is open, or known to be good; the same
    words under the same key are posted once, however often they are sent. `hands` are all who wrote at it.
    `private`: it is for its author alone. `copied_from` is the draft that was approved in its stead, as an answer to
    many."""

    id: str
    case: str
    author: str
    mention: str
    via: str
    state: DraftState
    text: str
    macro: str | None
    language: str
    writer: str
    hands: tuple[str, ...]
    created_at: datetime
    changed_at: datetime
    approver: str | None = None
    version: int = 1
    key: str | None = None
    sender: str | None = None
    token: int = 0
    awaiting: bool = False
    attempts: int = 0
    next_at: datetime | None = None
    reason: str = ""
    answer: str | None = None
    gone_at: datetime | None = None
    private: bool = False
    pictures: tuple[Media, ...] = ()
    copied_from: str | None = None

    @property
    def doubtful(self) -> bool:
        """Whether the platform may have it, though it did not say so."""
        return self.key is not None and self.attempts > 0


# ---------------------------------------------------------------------------- people


def words(text: str) -> str:
    """The text of an answer; raises Unfit where it cannot be one."""
    if "\0" in text:
        raise Unfit("text", "is not text: it holds a NUL")
    return said("text", text)


def edit(
    dossier: Dossier,
    draft: Draft,
    by: By,
    now: datetime,
    text: str,
    macro: str | None,
    language: str,
    version: int,
    *,
    private: bool,
    pictures: tuple[Media, ...],
) -> Draft:
    """Other words, other pictures, or for other eyes. What was submitted, approved, rejected or has failed is a draft
    again; so is what is queued, as long as the platform has never been asked."""
    check_editable(draft, version)
    dossier.open_case(draft.case)
    if draft.state is DraftState.QUEUED and not draft.attempts:
        draft = _taken_back(dossier, draft, by, now)
    before = (draft.text, draft.language, draft.private, draft.pictures)
    if (text, language, private, pictures) == before and draft.state is DraftState.DRAFT:
        return draft
    hands = draft.hands if by.user in draft.hands else (*draft.hands, by.user)
    return _changed(
        draft,
        now,
        state=DraftState.DRAFT,
        text=text,
        macro=macro or draft.macro,
        language=language,
        private=private,
        pictures=pictures,
        writer=by.user,
        hands=hands,
        approver=None,
        key=None,
        attempts=0,
        reason="",
    )


def check_editable(draft: Draft, version: int) -> None:
    """Return where its words may be changed by somebody who saw this version; else raise Conflict."""
    if draft.state is not DraftState.QUEUED or draft.attempts:
        _check_open(draft)
    if version != draft.version:
        raise Conflict(f"somebody changed it meanwhile: it is version {draft.version} now")


def submit(dossier: Dossier, draft: Draft, by: By, now: datetime) -> Draft:
    """Ask for somebody's approval; twice is once."""
    dossier.open_case(draft.case)
    if draft.state is DraftState.SUBMITTED:
        return draft
    if draft.state not in (DraftState.DRAFT, DraftState.FAILED):
        raise Conflict(f"it {_stands(draft)}: only a draft is submitted")
    dossier.record(draft.case, events.DraftSubmitted(at=now, actor=by.user, draft=draft.id))
    return _changed(draft, now, state=DraftState.SUBMITTED, approver=None, reason="")


def approve(dossier: Dossier, draft: Draft, by: By, now: datetime) -> Draft:
    """Let it be sent as it stands: by anybody who did not write at it."""
    dossier.open_case(draft.case)
    if draft.state is DraftState.APPROVED:
        return draft
    if draft.state is not DraftState.SUBMITTED:
        raise Conflict(f"it {_stands(draft)}: only what was submitted is approved")
    if by.user in draft.hands:
        raise Conflict("somebody else must approve what you wrote")
    dossier.record(draft.case, events.DraftApproved(at=now, actor=by.user, draft=draft.id))
    return _changed(draft, now, state=DraftState.APPROVED, approver=by.user)


def reject(dossier: Dossier, draft: Draft, by: By, now: datetime, reason: str) -> Draft:
    """Give it back to who wrote it, with what to change."""
    if draft.state not in (DraftState.SUBMITTED, DraftState.APPROVED):
        raise Conflict(f"it {_stands(draft)}: only what was submitted is rejected")
    reason = said("reason", reason)
    dossier.record(draft.case, events.DraftRejected(at=now, actor=by.user, draft=draft.id, reason=reason))
    return _changed(draft, now, state=DraftState.REJECTED, approver=None, reason=reason)


def discard(dossier: Dossier, draft: Draft, by: By, now: datetime) -> Draft:
    """Drop it, words and all; an answer that is queued is taken back, by whoever may change the case."""
    if draft.state is DraftState.DISCARDED:
        return draft
    if draft.state is DraftState.QUEUED:
        draft = _taken_back(dossier, draft, by, now)
    _check_open(draft)
    return _changed(
        draft, now, state=DraftState.DISCARDED, text="", pictures=(), reason=draft.reason if draft.doubtful else ""
    )


def check_sendable(draft: Draft, *, approved_only: bool) -> None:
    """Return where this draft may be queued as far as it alone tells. Raises Conflict, and Unfit where a variable is
    left in it."""
    if draft.state not in _SENDABLE:
        raise Conflict(f"it {_stands(draft)}")
    if approved_only and draft.approver is None:
        raise Conflict("somebody else must approve it first")
    check_whole(draft)


def check_whole(draft: Draft) -> None:
    """Return where nothing is left to fill in; raises Unfit."""
    if left := list(dict.fromkeys(found[0] for found in _VARIABLE.finditer(draft.text))):
        raise Unfit("text", f"{' and '.join(left)} {'is' if len(left) == 1 else 'are'} not filled in")


def queued(draft: Draft, by: By, now: datetime, key: str, *, awaiting: bool) -> Draft:
    """On its way, once its case knows."""
    return _changed(
        draft,
        now,
        state=DraftState.QUEUED,
        key=key,
        sender=by.user,
        token=by.token or 0,
        awaiting=awaiting,
        attempts=draft.attempts if key == draft.key else 0,
        next_at=now,
        reason="",
    )


def _taken_back(dossier: Dossier, draft: Draft, by: By, now: datetime) -> Draft:
    dossier.may_change(draft.case, by.token, by.user, now)
    return back(dossier, draft, now, "It was taken back.", actor=by.user)


# ---------------------------------------------------------------------------- sender


def begin(dossier: Dossier, draft: Draft, now: datetime, term: timedelta, *, there: bool) -> Draft:
    """Queued, or left behind while it was sent, to sending, for one sender until the end of the term. Or not: where
    what it answers is gone it is withdrawn, and where the case is closed or somebody else has come to hold its author
    it is a draft again."""
    case = dossier.case(draft.case)
    if draft.gone_at or not there:
        return withdraw(dossier, draft, now, GONE_WHILE_SENDING if draft.gone_at else GONE, forget=True)
    # What answers many also reaches those whose case was resolved with the one they followed.
    if not case.open and not (draft.copied_from and case.state is State.RESOLVED):
        return back(dossier, draft, now, f"The case is {case.state.value}.")
    if draft.key not in case.pending:
        return back(dossier, draft, now, "Its case no longer waits for it.")
    holder = dossier.lease.holder(now)
    if holder and holder != draft.sender and dossier.lease.token > draft.token:
        return back(dossier, draft, now, "Somebody else has taken the customer over.")
    return _changed(
        draft, now, state=DraftState.SENDING, attempts=draft.attempts + 1, next_at=now + term, reason=draft.reason
    )


def sent(draft: Draft, now: datetime, answer: str) -> Draft:
    """The platform has it, whatever we thought."""
    if draft.state is DraftState.SENT and draft.answer == answer:
        return draft
    reason = GONE_WHILE_SENDING if draft.gone_at else ""
    return _changed(draft, now, state=DraftState.SENT, answer=answer, next_at=None, reason=reason)


def again(dossier: Dossier, draft: Draft, now: datetime, reason: str, delay: float) -> Draft:
    """The platform could not be asked, or asks to wait: the same key, later."""
    if draft.gone_at:
        return withdraw(dossier, draft, now, GONE_WHILE_SENDING, forget=True)
    return _changed(draft, now, state=DraftState.QUEUED, next_at=now + timedelta(seconds=delay), reason=reason)


def failed(dossier: Dossier, draft: Draft, now: datetime, reason: str, *, doubtful: bool) -> Draft:
    """It did not go out, as the reason says; `doubtful` where it may have all the same: then it keeps its key."""
    if draft.gone_at:
        return withdraw(dossier, draft, now, GONE_WHILE_SENDING, forget=True, doubtful=doubtful)
    return _off(dossier, draft, now, DraftState.FAILED, reason, doubtful=doubtful)


def back(dossier: Dossier, draft: Draft, now: datetime, reason: str, *, actor: str = SENDER) -> Draft:
    """A draft again: nobody's approval counts any more, and what was sent to many is one person's answer."""
    return _off(
        dossier,
        replace(draft, approver=None, copied_from=None),
        now,
        DraftState.DRAFT,
        reason,
        doubtful=draft.doubtful,
        actor=actor,
    )


# ----------------------------------------------------------------------------- cases


def withdraw(
    dossier: Dossier, draft: Draft, now: datetime, reason: str, *, forget: bool, doubtful: bool | None = None
) -> Draft:
    """What it answers is gone or was answered otherwise; `forget` its words too."""
    doubtful = draft.doubtful if doubtful is None else doubtful
    dossier.record(draft.case, events.DraftWithdrawn(at=now, actor=SENDER, draft=draft.id, reason=reason))
    if forget:
        draft = replace(draft, text="", pictures=())
    draft = replace(draft, approver=None)
    return _off(dossier, draft, now, DraftState.WITHDRAWN, reason, doubtful=doubtful)


def gone(dossier: Dossier, draft: Draft, now: datetime) -> Draft:
    """What it answers was taken back: withdrawn, but where it is just being sent: then its end is waited for."""
    if draft.state is not DraftState.SENDING:
        return withdraw(dossier, draft, now, GONE, forget=True)
    return _changed(draft, now, text="", pictures=(), gone_at=now, reason=GONE_WHILE_SENDING)


def came_back(dossier: Dossier, draft: Draft, now: datetime, answer: str) -> Draft:
    """An answer of ours came back on the stream while this one was on its way. It is this one, but where the platform
    has never been asked: then somebody answered there."""
    if draft.state is DraftState.QUEUED and not draft.attempts:
        return answered(dossier, draft, now)
    return sent(draft, now, answer)


def answered(dossier: Dossier, draft: Draft, now: datetime) -> Draft:
    """Somebody answered on the platform itself while it was queued: it is not sent as well."""
    return withdraw(dossier, draft, now, "It was answered on the platform itself.", forget=False)


def _off(
    dossier: Dossier,
    draft: Draft,
    now: datetime,
    state: DraftState,
    reason: str,
    *,
    doubtful: bool,
    actor: str = SENDER,
) -> Draft:
    """No longer on its way."""
    if draft.key is not None:
        handling.reply_failed(dossier, draft.case, actor, now, draft.key, reason)
    told = f"{reason} {DOUBT}" if doubtful else reason
    return _changed(draft, now, state=state, next_at=None, reason=told, key=draft.key if doubtful else None)


def _changed(draft: Draft, now: datetime, **changes: Any) -> Draft:
    return replace(draft, version=draft.version + 1, changed_at=now, **changes)


def _check_open(draft: Draft) -> None:
    if draft.state not in OPEN:
        raise Conflict(f"it {_stands(draft)}")


def _stands(draft: Draft) -> str:
    told = _ON_ITS_WAY.get(draft.state, f"is {'a draft' if draft.state is DraftState.DRAFT else draft.state.value}")
    return f"{told}: {draft.reason}" if draft.state is DraftState.WITHDRAWN else told
