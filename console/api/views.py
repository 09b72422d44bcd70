"""From the desk's records to what the API answers with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from console.api.customer_models import AnswerOut, CustomerOut, LinkedOut, LinkOut, SaidOut
from console.api.models import (
    AuthorOut,
    CaseOut,
    CheckOut,
    ClockOut,
    DecisionOut,
    DeedOut,
    DraftOut,
    EligibilityOut,
    HappeningOut,
    HeldCase,
    LeaseOut,
    LengthOut,
    MediaOut,
    MentionOut,
    Person,
    Scored,
    SentimentOut,
    TagsOut,
    WarningOut,
)
from desk.accounts import Accounts
from desk.case import Case
from desk.case_records import Happening, Said
from desk.deeds import Deed
from desk.dossier import Lease
from desk.draft_records import Check, DraftView
from desk.eligibility import Eligibility, Eligible
from desk.explanations import why
from desk.lengths import Length
from desk.links import Person as Linked
from desk.profiles import Profile
from desk.service_levels import Clock
from desk.tone import ToneWarning
from pipeline.mention import Author, Routed, Tags

_USER = "user:"
_PEOPLE = ("owner", "user")
"""The fields of an event that name a user."""


class Names:
    """The names of users, each looked up once for one answer. Not to be shared among requests."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._known: dict[str, str] = {}

    def know(self, actors: Iterable[str | None]) -> None:
        """Look up all of these in one question."""
        ids = {user_id(actor) for actor in actors if actor and actor.startswith(_USER)}
        if unknown := ids - self._known.keys():
            self._known |= dict.fromkeys(unknown, "") | self._accounts.names(unknown)

    def person(self, actor: str) -> Person:
        """`user:ID` as a person; any other actor by its own id. A user who is not known has an empty name."""
        if not actor.startswith(_USER):
            return Person(id=actor, name=actor.partition(":")[2] or actor)
        self.know([actor])
        id = user_id(actor)
        return Person(id=id, name=self._known[id])

    def maybe(self, actor: str | None) -> Person | None:
        """The same; nobody is nobody."""
        return None if actor is None else self.person(actor)


def actor_of(id: str) -> str:
    """A user's id as events name them."""
    return _USER + id


def user_id(actor: str) -> str:
    """The id in `user:ID`; any other actor as it is."""
    return actor.removeprefix(_USER)


def case_out(case: Case, names: Names) -> CaseOut:
    """A case."""
    names.know([case.owner, *case.watchers])
    fields = msgspec.structs.asdict(case) | {
        "standing": case.standing.name.lower(),
        "owner": names.maybe(case.owner),
        "watchers": [names.person(it) for it in case.watchers],
        "pending": len(case.pending),
    }
    return CaseOut.model_validate(fields)


def cases_out(cases: Sequence[Case], names: Names) -> list[CaseOut]:
    """Some cases, with one question for all the names."""
    names.know(actor for case in cases for actor in (case.owner, *case.watchers))
    return [case_out(case, names) for case in cases]


def held_out(case: Case, lease: Lease, names: Names) -> HeldCase:
    """What the caller has just taken, or kept."""
    held = LeaseOut(holder=names.maybe(lease.owner), until=lease.until, token=lease.token)
    return HeldCase(case=case_out(case, names), lease=held)


def lease_out(case: Case, viewer: str, names: Names) -> LeaseOut:
    """The lease on the case's author; the token only for whoever holds it."""
    return LeaseOut(
        holder=names.maybe(case.owner), until=case.until, token=case.token if case.owner == viewer else None
    )


def happening_out(happening: Happening, names: Names) -> HappeningOut:
    """One event; users in it become people."""
    event = happening.event
    says: dict[str, Any] = msgspec.to_builtins(event)
    for known in ("at", "actor", "kind"):
        says.pop(known, None)
    for field in _PEOPLE:
        if says.get(field):
            says[field] = names.person(says[field]).model_dump()
    return HappeningOut(
        number=happening.number, at=event.at, actor=names.person(event.actor), kind=event.kind, says=says
    )


def mention_out(said: Said, answerable: EligibilityOut | None = None) -> MentionOut:
    """One utterance of a case, or only that it was, where it is not kept."""
    source = said.mention.partition(":")[0]
    if said.routed is None:
        return MentionOut(id=said.mention, part=said.part, said_at=said.said_at, kept=False, source=source)
    mention, decision = said.routed.mention, said.routed.decision
    return MentionOut(
        id=said.mention,
        part=said.part,
        said_at=said.said_at,
        kept=True,
        source=mention.source,
        via=mention.via,
        kind=mention.kind,
        author=author_out(mention.source, mention.author),
        title=mention.title,
        text=mention.text,
        url=mention.url,
        parent=mention.parent,
        own=mention.own,
        rating=mention.rating,
        edited_at=mention.edited_at,
        media=[MediaOut.model_validate(it) for it in mention.media],
        tags=tags_out(said.routed.tags),
        decision=DecisionOut.model_validate(decision),
        answerable=answerable,
    )


def eligibility_out(verdict: Eligibility) -> EligibilityOut:
    """Whether something can be answered from here."""
    if isinstance(verdict, Eligible):
        return EligibilityOut(eligible=True, why_not=None, deep_link=None)
    return EligibilityOut(eligible=False, why_not=verdict.reason, deep_link=verdict.deep_link or None)


def context_out(routed: Routed) -> MentionOut:
    """What somebody else said in the same thread."""
    return mention_out(Said(routed.mention.id, "context", routed.mention.created_at, routed))


def author_out(source: str, author: Author) -> AuthorOut:
    """An author, under the customer's id."""
    return AuthorOut(
        id=f"{source}:{author.id}",
        handle=author.handle,
        name=author.name,
        followers=author.followers,
        verified=author.verified,
        url=author.url,
    )


def tags_out(tags: Tags) -> TagsOut:
    """What was found in a mention."""
    return TagsOut(
        brand=tags.brand,
        language=tags.language.code if tags.language else None,
        sentiment=SentimentOut.model_validate(tags.sentiment) if tags.sentiment else None,
        intents=[Scored(name=it.name, score=it.score, words=list(it.words)) for it in tags.intents],
        topics=list(tags.topics),
        urgency=tags.urgency.score if tags.urgency else None,
        spam=tags.spam.score if tags.spam else None,
        repost=tags.repost,
        reach=tags.reach,
    )


def clock_out(clock: Clock) -> ClockOut:
    """A promise, and why it stands as it does."""
    return ClockOut(
        name=clock.name,
        number=clock.number,
        state=clock.state.value,
        priority=clock.priority,
        calendar=clock.calendar.name,
        timezone=clock.calendar.timezone.key,
        target_secs=clock.target.total_seconds(),
        elapsed_secs=clock.elapsed.total_seconds(),
        remaining_secs=clock.remaining.total_seconds(),
        started=clock.started,
        due=clock.due,
        ended=clock.ended,
        why=list(why(clock)),
    )


def warnings_out(warnings: Iterable[ToneWarning]) -> list[WarningOut]:
    """What to look at in a draft."""
    return [WarningOut.model_validate(it) for it in warnings]


def lengths_out(lengths: Iterable[Length]) -> list[LengthOut]:
    """What a text uses of each limit."""
    return [LengthOut.model_validate(it) for it in lengths]


def check_out(found: Check) -> CheckOut:
    """What a text looks like as an answer."""
    return CheckOut(
        eligible=found.eligible,
        why_not=found.why_not,
        deep_link=found.deep_link,
        warnings=warnings_out(found.warnings),
        lengths=lengths_out(found.lengths),
    )


def draft_out(draft: DraftView, names: Names) -> DraftOut:
    """An answer."""
    names.know([draft.writer, draft.approver])
    fields = msgspec.structs.asdict(draft) | {
        "writer": names.person(draft.writer),
        "approver": names.maybe(draft.approver),
        "warnings": warnings_out(draft.warnings),
        "lengths": lengths_out(draft.lengths),
        "pictures": [{"url": it.url, "alt": it.alt} for it in draft.pictures],
    }
    return DraftOut.model_validate(fields)


def deed_out(deed: Deed, names: Names) -> DeedOut:
    """What was asked for besides an answer."""
    fields = msgspec.structs.asdict(deed) | {"actor": names.person(deed.actor)}
    return DeedOut.model_validate({name: fields[name] for name in DeedOut.model_fields})


def drafts_out(drafts: Sequence[DraftView], names: Names) -> list[DraftOut]:
    """Some answers, with one question for all the names."""
    names.know(actor for draft in drafts for actor in (draft.writer, draft.approver))
    return [draft_out(draft, names) for draft in drafts]


def linked_out(person: Linked, names: Names) -> LinkedOut:
    """All accounts of one person."""
    names.know(link.actor for link in person.links)
    links = [
        LinkOut(account=it.account, other=it.other, evidence=it.evidence, actor=names.person(it.actor), at=it.at)
        for it in person.links
    ]
    return LinkedOut(id=person.id, accounts=list(person.accounts), links=links)


def customer_out(profile: Profile, names: Names) -> CustomerOut:
    """A customer."""
    found = profile.customer
    said = None
    if found:
        source = found.id.partition(":")[0]
        fields = {name: getattr(found, name) for name in SaidOut.model_fields if name != "author"}
        said = SaidOut.model_validate({**fields, "author": author_out(source, found.author)}, from_attributes=True)
    return CustomerOut(
        id=profile.account,
        person=linked_out(profile.person, names),
        said=said,
        mentions=profile.mentions,
        cases=profile.cases,
        open_cases=profile.open_cases,
        latest=cases_out(profile.latest, names),
        answers=[AnswerOut.model_validate(it) for it in profile.answers],
        segment=profile.segment,
        value=profile.value,
    )
