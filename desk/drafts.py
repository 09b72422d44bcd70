"""Answers as people work with them: written, looked over, approved, sent.

A draft is its own outbox: `send` queues it in the transaction that checks the token, and `replies.py` hands it to the
platform.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import select

from desk import drafting, eligibility, macros
from desk._validated import nearest
from desk.cases import Cases
from desk.desk import Desk
from desk.dossier import Dossier
from desk.draft_queries import Asked, DraftQueries, asked_in, quotes_ours
from desk.draft_records import DraftView
from desk.draft_shelf import case_of, held, put_drafts
from desk.drafting import Draft, DraftState
from desk.eligibility import Powers
from desk.handling import By
from desk.refusals import Conflict, NoSuchDraft, Unfit
from desk.shelf import dossier_of, lock_case, save
from desk.tone import Tone
from pipeline.mention import Media
from pipeline.ports import Clock
from pipeline.store.answer_tables import drafts
from pipeline.store.columns import fit
from pipeline.store.database import Database, Transaction

_SENT_ALREADY = frozenset({DraftState.QUEUED, DraftState.SENDING, DraftState.SENT})

LANGUAGE_CHARS = 35
"""Longest language tag (RFC 5646, section 4.4.1)."""


class Drafts(DraftQueries):
    """The drafts, on the store's database, with the rules of the desk. A method that changes something has done so when
    it returns, and has left no trace when it raises.

    `by` is who acts, and under which token: where one is given it must be good, so that who lost a case hears of it;
    only `send` needs one. What a person may do is the caller's to check, but two things are checked here: nobody
    approves their own words, and what needs approval is not sent without.

    Raises NoSuchCase, NoSuchDraft; Conflict with who holds the customer, or because the draft or its case does not
    stand so that it could be done; Unfit; StoreUnavailable as the store does. Safe to share among threads.
    """

    def __init__(self, database: Database, clock: Clock, cases: Cases, desk: Desk, tone: Tone | None = None) -> None:
        super().__init__(database, clock, desk, tone)
        self._cases = cases

    def write(
        self,
        case: str,
        by: By,
        text: str,
        *,
        mention: str | None = None,
        macro: str | None = None,
        language: str | None = None,
        id: str | None = None,
        version: int | None = None,
        private: bool | None = None,
        pictures: Sequence[Media] | None = None,
    ) -> DraftView:
        """Write a new answer to `mention`, or to what was said last; or, with `id`, other words for one, where nobody
        has changed it since `version`. `macro` names the one it was made of; without a text its own is taken, filled
        in as far as values are known. `private`: to its author alone; `pictures` go with it, each described. None
        leaves either as it is. What was submitted or approved is a draft again."""
        if id is not None:
            return self._edit(case, by, text, macro, language, id, version, private, pictures)
        with self._db.write() as transaction, _opened(transaction, case) as dossier:
            now = self._clock.now()
            dossier.open_case(case)
            _check_token(dossier, by, now)
            asked = asked_in(transaction, case, mention)
            spoken = _language(language) or asked.language
            text, spoken = self._worded(transaction, asked, by, text, macro, spoken)
            shown = tuple(pictures or ())
            self._check_powers(asked.mention.via, private=bool(private), pictures=shown)
            if private and (reason := self._spent(transaction, asked.mention.via, asked.mention.id)):
                raise Unfit("private", reason)
            draft = Draft(
                id=secrets.token_hex(8),
                case=case,
                author=asked.case.author,
                mention=fit(asked.mention.id),
                via=asked.mention.via,
                state=DraftState.DRAFT,
                text=text,
                macro=macro,
                language=spoken,
                private=bool(private),
                pictures=shown,
                writer=by.user,
                hands=(by.user,),
                created_at=now,
                changed_at=now,
            )
            put_drafts(transaction, [draft])
            return self._seen(transaction, draft.id)

    def submit(self, id: str, by: By) -> DraftView:
        """Ask for somebody's approval."""
        return self._change(id, by, lambda dossier, draft, now: drafting.submit(dossier, draft, by, now))

    def approve(self, id: str, by: By) -> DraftView:
        """Let it be sent as it stands; nobody who wrote at it can."""
        return self._change(id, by, lambda dossier, draft, now: drafting.approve(dossier, draft, by, now))

    def reject(self, id: str, by: By, reason: str) -> DraftView:
        """Give it back to who wrote it."""
        return self._change(id, by, lambda dossier, draft, now: drafting.reject(dossier, draft, by, now, reason))

    def discard(self, id: str, by: By) -> DraftView:
        """Drop it; an answer that is queued is taken back by whoever may change the case."""
        return self._change(id, by, lambda dossier, draft, now: drafting.discard(dossier, draft, by, now))

    def send(self, id: str, by: By, *, may_send: bool = False, awaiting: bool = False) -> DraftView:
        """Queue it for the platform, under a token that is good now. `may_send` says that `by` needs nobody's approval
        but where the queue asks for it; `awaiting` that the answer asks the customer for something, so that it is their
        turn. Again by the same person it changes nothing."""
        with self._db.write() as transaction:
            case = case_of(transaction, id)
            lock_case(transaction, case)
            now = self._clock.now()
            draft = held(transaction, id)
            if draft.state in _SENT_ALREADY and draft.sender == by.user:
                return self._seen(transaction, id)
            asked = self._answerable(transaction, draft)
            rules = self._desk.rules(asked.case.queue)
            drafting.check_sendable(draft, approved_only=not may_send or rules.approval == "always")
            # The same words after an attempt whose end nobody knows go out under its key: they are posted once.
            key = draft.key or f"{draft.id}-{draft.version}"
            self._cases.reply_queued(transaction, case, by, draft.id, key, awaiting=awaiting)
            mine = replace(draft, copied_from=None)  # a person's own decision, whatever it was a copy of
            put_drafts(transaction, [drafting.queued(mine, by, now, key, awaiting=awaiting)])
            return self._seen(transaction, id)

    # ------------------------------------------------------------------------ inside

    def _edit(
        self,
        case: str,
        by: By,
        text: str,
        macro: str | None,
        language: str | None,
        id: str,
        version: int | None,
        private: bool | None,
        pictures: Sequence[Media] | None,
    ) -> DraftView:
        if version is None:
            raise Unfit("version", "say which version you changed")

        def change(dossier: Dossier, draft: Draft, now: datetime) -> Draft:
            if draft.case != case:
                raise NoSuchDraft(f"there is no draft {id} in case {case}")
            drafting.check_editable(draft, version)
            asked = asked_in(transaction, case, draft.mention)
            spoken = _language(language) or draft.language
            worded, spoken = self._worded(transaction, asked, by, text, macro, spoken)
            alone = draft.private if private is None else private
            shown = draft.pictures if pictures is None else tuple(pictures)
            self._check_powers(draft.via, private=alone, pictures=shown)
            if alone and (reason := self._spent(transaction, draft.via, draft.mention, draft.id)):
                raise Unfit("private", reason)
            return drafting.edit(dossier, draft, by, now, worded, macro, spoken, version, private=alone, pictures=shown)

        with self._db.write() as transaction:
            return self._changed(transaction, id, by, change)

    def _change(self, id: str, by: By, command: Callable[[Dossier, Draft, datetime], Draft]) -> DraftView:
        with self._db.write() as transaction:
            return self._changed(transaction, id, by, command)

    def _changed(
        self, transaction: Transaction, id: str, by: By, command: Callable[[Dossier, Draft, datetime], Draft]
    ) -> DraftView:
        with _opened(transaction, case_of(transaction, id)) as dossier:
            now = self._clock.now()
            draft = held(transaction, id)
            _check_token(dossier, by, now)
            changed = command(dossier, draft, now)
            if changed is not draft:
                put_drafts(transaction, [changed])
        return self._seen(transaction, id)

    def _worded(
        self, transaction: Transaction, asked: Asked, by: By, text: str, macro: str | None, language: str
    ) -> tuple[str, str]:
        """The text, or the macro's, and the language it is in."""
        if macro is None:
            return drafting.words(text), language
        found = self._desk.macros.find(macro)
        if found is None:
            raise Unfit(
                "macro", f"there is none of this name; {nearest(macro, [it.name for it in self._desk.macros.macros])}"
            )
        if text.strip():
            return drafting.words(text), language
        language = language or next(iter(found.texts))
        if language not in found.texts:
            raise Unfit("language", f"the macro has texts in {', '.join(found.texts)}")
        return macros.fill(found, language, self._values(transaction, asked, by)).text, language

    def _check_powers(self, via: str, *, private: bool, pictures: Sequence[Media]) -> None:
        """Raise Unfit for what this source cannot send."""
        powers = self._desk.powers.get(via, Powers())
        if private and "message" not in powers.actions:
            raise Unfit("private", "nobody can be written to in private through this source")
        if private and pictures:
            raise Unfit("pictures", "a private message is words alone")
        if len(pictures) > powers.pictures:
            most = f"{powers.pictures} at most" if powers.pictures else "none"
            raise Unfit("pictures", f"an answer through this source takes {most}")
        for picture in pictures:
            if not eligibility.safe(picture.url):
                raise Unfit("pictures", f"{picture.url[:100]} is no address of a picture: it begins with https://")
            if not picture.alt.strip():
                raise Unfit("pictures", "each needs a description, for those who cannot see it")

    def _spent(self, transaction: Transaction, via: str, mention: str, draft: str = "") -> str:
        """Why this may not be written to in private again, by another draft than this; empty where it may."""
        if "message" not in self._desk.powers.get(via, Powers()).once:
            return ""
        another = select(drafts.c.id).where(
            drafts.c.mention == fit(mention),
            drafts.c.private.is_(True),
            drafts.c.state.in_([state.value for state in _SENT_ALREADY]),
            drafts.c.id != draft,
        )
        if transaction.run(another.limit(1)).first() is None:
            return ""
        return "It has had a private message, or one is on its way, and its network allows no other."

    def _answerable(self, transaction: Transaction, draft: Draft) -> Asked:
        """What it answers, where that can be answered from here; raises Conflict."""
        try:
            asked = asked_in(transaction, draft.case, draft.mention)
        except Unfit:
            raise Conflict(draft.reason or drafting.GONE) from None
        if draft.private and (reason := self._spent(transaction, draft.via, draft.mention, draft.id)):
            raise Conflict(reason)
        ours = quotes_ours(transaction, asked.mention)
        verdict = eligibility.through(asked.mention, self._desk.vias, quotes_ours=ours, private=draft.private)
        if isinstance(verdict, eligibility.Ineligible):
            raise Conflict(verdict.reason)
        return asked


@contextmanager
def _opened(transaction: Transaction, case: str) -> Iterator[Dossier]:
    """The dossier this case is in, held; saved at the end of the block."""
    dossier = dossier_of(transaction, case)
    before = {dossier.lease.author: dossier.lease}
    yield dossier
    save(transaction, [dossier], before)


def _check_token(dossier: Dossier, by: By, now: datetime) -> None:
    if by.token is not None:
        dossier.check(by.token, by.user, now)


def _language(language: str | None) -> str:
    if language and (len(language) > LANGUAGE_CHARS or not language.replace("-", "").isalnum()):
        raise Unfit("language", "is a language tag such as en")
    return language or ""
