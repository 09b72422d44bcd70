"""Questions about answers: what there is, what a text looks like, which macros fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, select

from desk import eligibility, lengths, macros, pages
from desk.case import Case
from desk.desk import Desk
from desk.draft_records import Check, DraftPage, DraftView, Offer
from desk.draft_shelf import no_such, read_draft
from desk.drafting import OPEN, Draft, DraftState
from desk.handling import By
from desk.refusals import Conflict, NoSuchCase, Unfit
from desk.shelf import read_case
from desk.tone import Tone
from pipeline.codec import decode
from pipeline.mention import Kind, Mention, Routed
from pipeline.ports import Clock
from pipeline.store.account_tables import users
from pipeline.store.answer_tables import drafts
from pipeline.store.case_tables import case_mentions, cases
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part
from pipeline.store.tables import mentions

_LOOKED_AT = OPEN | {DraftState.QUEUED}
_newest = (drafts.c.created_at.desc(), drafts.c.id.desc())


class Asked(NamedTuple):
    """What an answer answers: the case, and the mention as it was routed."""

    case: Case
    routed: Routed

    @property
    def mention(self) -> Mention:
        """What was said."""
        return self.routed.mention

    @property
    def language(self) -> str:
        """ISO 639-1, empty where it is not known."""
        found = self.routed.tags.language
        code = found.code if found else ""
        return self.case.language if code in ("", "und") else code


class DraftQueries(Part):
    """Questions; none changes anything."""

    def __init__(self, database: Database, clock: Clock, desk: Desk, tone: Tone | None = None) -> None:
        super().__init__(database, clock)
        self._desk = desk
        self._given_tone = tone

    @cached_property
    def _tone(self) -> Tone:
        return self._given_tone or Tone()  # reads its vocabulary only where something is looked at

    def draft(self, id: str) -> DraftView:
        """One draft; raises NoSuchDraft."""
        with self._db.read() as transaction:
            return self._seen(transaction, id)

    def drafts(
        self, case: str | None = None, state: DraftState | None = None, after: str | None = None, limit: int = 100
    ) -> DraftPage:
        """A page of drafts, newest first; `after` is the `next` of the page before. Raises Unfit."""
        query = _views().order_by(*_newest)
        if case is not None:
            query = query.where(drafts.c.case_id == case)
        if state is not None:
            query = query.where(drafts.c.state == state)
        if after is not None:
            place = pages.place(after, pages.NEWEST, "a page")
            query = query.where(pages.older(drafts.c.created_at, drafts.c.id, place))
        limit = pages.bounded(limit)
        with self._db.read() as transaction:
            rows = transaction.run(query.limit(limit + 1)).all()
            views = self._views(transaction, rows[:limit])
        last = views[-1] if len(rows) > limit else None
        return DraftPage(tuple(views), pages.word((last.created_at, last.id)) if last else None)

    def check(
        self, case: str, text: str, *, mention: str | None = None, language: str | None = None, private: bool = False
    ) -> Check:
        """What this text looks like as an answer in this case, to `mention` or to what was said last, in public or
        `private`. Raises NoSuchCase, Unfit for a mention that is not in the case, Conflict where there is nothing to
        answer."""
        with self._db.read() as transaction:
            asked = asked_in(transaction, case, mention)
            ours = _quoted(transaction, [asked.mention])
        quoted = asked.mention.parent in ours
        return Check(**self._looked_at(text, asked, language or asked.language, quoted, private))

    def suggest(
        self, case: str, by: By | None = None, *, mention: str | None = None, most: int = 5
    ) -> tuple[Offer, ...]:
        """The macros that fit what was said, best first, filled in for this customer and for `by`. Raises as `check`
        does."""
        with self._db.read() as transaction:
            asked = asked_in(transaction, case, mention)
            values = self._values(transaction, asked, by)
        tags = asked.routed.tags
        found = macros.suggest(
            self._desk.macros.macros,
            tags.intents,
            tags.topics,
            asked.language or None,
            network=asked.mention.source,
            most=most,
        )
        return tuple(_offer(suggestion, values) for suggestion in found)

    def fill(
        self, case: str, macro: str, by: By | None = None, *, mention: str | None = None, language: str | None = None
    ) -> Offer:
        """This macro filled in so, whether or not it fits: in this language, else in the customer's where it has that,
        else in its first. Raises as `check` does, and Unfit for a macro or a language that there is not."""
        found = self._desk.macros.find(macro)
        if found is None:
            raise Unfit("macro", "there is none of this name")
        if language is not None and language not in found.texts:
            raise Unfit("language", f"the macro has texts in {', '.join(found.texts)}")
        with self._db.read() as transaction:
            asked = asked_in(transaction, case, mention)
            values = self._values(transaction, asked, by)
        spoken = language or (asked.language if asked.language in found.texts else next(iter(found.texts)))
        return _offer(macros.Suggestion(found, spoken, 0.0, ()), values)

    # ------------------------------------------------------------------------ inside

    def _seen(self, transaction: Transaction, id: str) -> DraftView:
        row = transaction.run(_views().where(drafts.c.id == id)).first()
        if row is None:
            raise no_such(id)
        return self._views(transaction, [row])[0]

    def _views(self, transaction: Transaction, rows: Sequence[Any]) -> list[DraftView]:
        said = [_routed(row.said) for row in rows]
        ours = _quoted(transaction, [it.mention for it in said if it])
        links = _links(transaction, [row.answer for row in rows if row.answer])
        return [self._view(row, it, ours, links) for row, it in zip(rows, said, strict=True)]

    def _view(self, row: Any, said: Routed | None, ours: set[str | None], links: Mapping[str, str]) -> DraftView:
        draft = read_draft(row)
        if said is None or draft.state not in _LOOKED_AT:
            seen: dict[str, Any] = {"warnings": (), "lengths": ()} | _not_here(draft, said)
        else:
            asked = Asked(read_case(row.case_body), said)
            seen = self._looked_at(draft.text, asked, draft.language, said.mention.parent in ours, draft.private)
        return DraftView(
            id=draft.id,
            case=draft.case,
            mention=draft.mention,
            via=draft.via,
            state=draft.state,
            text=draft.text,
            macro=draft.macro,
            language=draft.language,
            writer=draft.writer,
            approver=draft.approver,
            version=draft.version,
            created_at=draft.created_at,
            changed_at=draft.changed_at,
            attempts=draft.attempts,
            next_at=draft.next_at,
            reason=draft.reason,
            native_id=draft.answer.partition(":")[2] if draft.answer else None,
            url=links.get(draft.answer or ""),
            private=draft.private,
            pictures=draft.pictures,
            **seen,
        )

    def _looked_at(self, text: str, asked: Asked, language: str, quotes_ours: bool, private: bool) -> dict[str, Any]:
        mention = asked.mention
        first = asked.case.answers == 0
        intents = asked.routed.tags.intents
        alone = private or mention.kind is Kind.MESSAGE
        warnings = self._tone.check(text, mention, intents, language=language or None, first=first, private=alone)
        return {
            "warnings": warnings,
            "lengths": lengths.measure(text, mention.source, private=alone),
        } | _told(eligibility.through(mention, self._desk.vias, quotes_ours=quotes_ours, private=private))

    def _values(self, transaction: Transaction, asked: Asked, by: By | None) -> dict[str, str | None]:
        author = asked.mention.author
        agent = _name(transaction, by) if by else ""
        return {
            **self._desk.macros.values,
            "customer.first_name": macros.first_name(author.name),
            "customer.name": author.name,
            "customer.handle": author.handle.lstrip("@"),
            "case.reference": asked.case.id,
            "mention.url": eligibility.deep_link(asked.mention),
            "agent.first_name": macros.first_name(agent).title(),
            "agent.name": agent,
            "brand.name": asked.case.brand,
        }


def asked_in(transaction: Transaction, case: str, mention: str | None) -> Asked:
    """What an answer in this case answers: this mention, or what its author said last."""
    body = transaction.run(select(cases.c.body).where(cases.c.id == case)).scalar()
    if body is None:
        raise NoSuchCase(f"there is no case {case}")
    query = (
        select(mentions.c.body)
        .join(case_mentions, case_mentions.c.mention == mentions.c.id)
        .where(case_mentions.c.case_id == case, case_mentions.c.part == "said")
        .order_by(case_mentions.c.said_at.desc(), case_mentions.c.mention.desc())
        .limit(1)
    )
    if mention is not None:
        query = query.where(case_mentions.c.mention == mention)
    routed = _routed(transaction.run(query).scalar())
    if routed is None and mention is not None:
        raise Unfit("mention", "is not, or no longer, something the customer said in this case")
    if routed is None:
        raise Conflict(f"nothing is left to answer in case {case}")
    return Asked(read_case(body), routed)


def quotes_ours(transaction: Transaction, mention: Mention) -> bool:
    """Whether it quotes a post of our own, as far as we have that."""
    return mention.parent in _quoted(transaction, [mention])


def _quoted(transaction: Transaction, of: Sequence[Mention]) -> set[str | None]:
    """The ids of our own posts that these quote."""
    parents = [str(it.parent) for it in of if it.kind is Kind.QUOTE and it.parent]
    if not parents:
        return set()
    bodies = transaction.run(select(mentions.c.body).where(transaction.among(mentions.c.id, parents))).scalars()
    return {it.mention.id for it in map(_routed, bodies) if it and it.mention.own}


def _links(transaction: Transaction, answers: Sequence[str]) -> dict[str, str]:
    """Where our answers are to be seen, as far as that is known: those that came back, and where an id is enough."""
    if not answers:
        return {}
    found = {id: eligibility.address(*id.split(":", 1)) for id in answers}
    query = select(mentions.c.id, mentions.c.body).where(transaction.among(mentions.c.id, answers))
    for row in transaction.run(query):
        if (it := _routed(row.body)) and (link := eligibility.deep_link(it.mention)):
            found[row.id] = link
    return {id: link for id, link in found.items() if link}


def _name(transaction: Transaction, by: By) -> str:
    id = by.user.removeprefix("user:")
    return str(transaction.run(select(users.c.name).where(users.c.id == id)).scalar() or "")


def _views() -> Select[Any]:
    query = select(drafts, mentions.c.body.label("said"), cases.c.body.label("case_body"))
    query = query.join(mentions, mentions.c.id == drafts.c.mention, isouter=True)
    return query.join(cases, cases.c.id == drafts.c.case_id)


def _told(verdict: eligibility.Eligibility) -> dict[str, Any]:
    if isinstance(verdict, eligibility.Eligible):
        return {"eligible": True, "why_not": None, "deep_link": None}
    return {"eligible": False, "why_not": verdict.reason, "deep_link": verdict.deep_link or None}


def _not_here(draft: Draft, said: Routed | None) -> dict[str, Any]:
    if said is None:
        return {"eligible": False, "why_not": "It was deleted, so there is nothing left to answer.", "deep_link": None}
    return {"eligible": False, "why_not": f"It is {draft.state.value}.", "deep_link": None}


def _offer(suggestion: macros.Suggestion, values: Mapping[str, str | None]) -> Offer:
    filled = macros.fill(suggestion.macro, suggestion.language, values)
    return Offer(
        macro=suggestion.macro.name,
        title=suggestion.macro.title,
        language=suggestion.language,
        score=suggestion.score,
        reasons=suggestion.reasons,
        text=filled.text,
        missing=filled.missing,
    )


def _routed(body: bytes | None) -> Routed | None:
    return cast(Routed, decode(bytes(body))) if body else None
