"""A case as its page shows it: posts in order with what was found in them, the answer that is being written, and what
the reader may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from console.api.details import detail
from console.api.models import CaseDetail, CaseOut, CheckOut, DraftOut, EligibilityOut, LengthOut, MentionOut, Person
from console.api.views import Names, cases_out, check_out
from console.pages.case_story import Entry, News, news, timeline
from console.pages.marking import cut, marked, words_of
from console.pages.page import Page
from desk.case_records import CaseFilter
from desk.crm import known
from desk.drafting import DraftState
from desk.eligibility import Powers
from desk.handling import By
from desk.labels import INTENTS, SENTIMENT, Corrected, Labels
from desk.lengths import measure
from desk.refusals import Conflict, Unfit
from pipeline.mention import Kind

EVENTS = 200
"""So many of the last events are told."""

OTHERS = 10
"""So many of the customer's other cases, open or closed, the newest."""

PEOPLE = 200
"""So many people to give it to, or to ask."""

COPIES = 20

WRITTEN = frozenset({DraftState.DRAFT, DraftState.REJECTED, DraftState.FAILED})
"""A draft that the composer goes on with."""

SHOWN = frozenset({DraftState.SUBMITTED, DraftState.APPROVED, DraftState.QUEUED, DraftState.SENDING, DraftState.SENT})
"""A draft that is shown beside it, besides what came to nothing."""


@dataclass(frozen=True)
class Label:
    """Something found in a post: `right` is what a person says of it, None where nobody said otherwise."""

    name: str
    found: str
    right: str | None
    by: str

    @property
    def holds(self) -> str:
        """What is to be believed."""
        return self.found if self.right is None else self.right


@dataclass(frozen=True)
class Post:
    """One utterance: `text` is all of it, `head` its beginning where it is long (else None)."""

    mention: MentionOut
    text: Markup
    head: Markup | None
    labels: Sequence[Label]

    @property
    def part(self) -> str:
        """said, dropped, answer or context."""
        return self.mention.part


@dataclass(frozen=True)
class Composer:
    """The answer that is being written: `answers` is what it answers. `check` is None where there are no words yet;
    `lengths` says what is left of the platform's limit all the same, `powers` what its source can do besides; for
    their author alone where it is `private`."""

    answers: MentionOut | None
    text: str = ""
    macro: str = ""
    draft: DraftOut | None = None
    check: CheckOut | None = None
    lengths: Sequence[LengthOut] = ()
    verdict: EligibilityOut | None = None
    powers: Powers = field(default_factory=Powers)
    private: bool = False


@dataclass(frozen=True)
class View:
    """Everything the template needs."""

    shown: CaseDetail
    posts: Sequence[Post]
    composer: Composer
    drafts: Sequence[DraftOut]
    timeline: Sequence[Entry]
    news: Sequence[News]
    past: Sequence[CaseOut]
    wave: CaseOut | None
    copies: int
    copied: Sequence[CaseOut]
    mine: bool
    holder: Person | None
    approval: bool
    queues: Sequence[str]
    people: Sequence[Person] = field(default_factory=list)
    segment: str = ""
    value: float | None = None

    @property
    def case(self) -> CaseOut:
        """The case itself."""
        return self.shown.case

    @property
    def token(self) -> int | str:
        """The reader's, as a form sends it; empty where they do not hold the customer."""
        return self.shown.lease.token if self.mine and self.shown.lease.token is not None else ""

    @property
    def first(self) -> Post | None:
        """The post whose labels and route the reader sees first: what the customer said last."""
        return next((it for it in reversed(self.posts) if it.part == "said" and it.mention.kept), None)


def view(
    page: Page,
    id: str,
    answer: str = "",
    macro: str = "",
    draft: str = "",
    text: str | None = None,
    private: bool | None = None,
) -> View:
    """The case for this reader: `answer` is the mention they answer, `macro` one to begin with, `draft` one to go on
    with, `text` what they typed, `private` whether they ticked that. Raises NoSuchCase."""
    given, me = page.given, page.me
    shown = detail(given, me, id)
    case = shown.case
    names = Names(given.accounts)
    history = given.cases.history(id, max(0, case.version - EVENTS), EVENTS)
    holder = shown.lease.holder if shown.lease.until and shown.lease.until > page.now else None
    mine = holder is not None and holder.id == me.user.id
    newest = given.cases.cases(CaseFilter(author=case.author), "newest", limit=OTHERS + 1).cases
    family = given.cases.family(id, limit=COPIES) if case.family else None
    corrected = Labels(given.database, given.clock).of_case(id)
    names.know(it.actor for it in corrected)
    composer = _composer(page, shown, answer, macro, draft, text, private)
    segment, value = _worth(page, case.author) if me.may("customers.read") else ("", None)
    return View(
        shown=shown,
        posts=_posts(shown, corrected, names),
        composer=composer,
        drafts=[
            it for it in shown.drafts if it.state in SHOWN and (composer.draft is None or it.id != composer.draft.id)
        ],
        timeline=timeline(page, names, history),
        news=news(page, names, history),
        past=cases_out([it for it in newest if it.id != id][:OTHERS], names),
        wave=cases_out([family.lead], names)[0] if family and family.lead.id != id else None,
        copies=family.copies if family else 0,
        copied=cases_out(family.page.cases, names) if family else [],
        mine=mine,
        holder=holder,
        approval=given.desk.rules(case.queue).approval == "always" or not me.may("replies.send"),
        queues=list(given.desk.queues),
        people=people(page) if me.may("cases.work") else [],
        segment=segment,
        value=value,
    )


def people(page: Page) -> list[Person]:
    """Who works on cases."""
    everybody = page.given.accounts.users(PEOPLE)
    return [Person(id=it.id, name=it.name) for it in everybody if not it.disabled_at and "cases.work" in it.may]


def _worth(page: Page, author: str) -> tuple[str, float | None]:
    """What a CRM calls them, and says they are worth."""
    with page.given.database.read() as transaction:
        found = known(transaction, [author])
    return (found.segment, found.value) if found else ("", None)


# ------------------------------------------------------------------------------ posts


def _posts(shown: CaseDetail, corrected: Sequence[Corrected], names: Names) -> list[Post]:
    right: dict[str, dict[str, Corrected]] = {}
    for it in corrected:
        right.setdefault(it.mention, {})[it.label] = it
    every = sorted([*shown.context, *shown.mentions], key=lambda it: (it.said_at, it.id))
    return [_post(it, right.get(it.id, {}), names) for it in every]


def _post(mention: MentionOut, right: Mapping[str, Corrected], names: Names) -> Post:
    words = _telling(mention) if mention.part == "said" else []
    short = cut(mention.text)
    head = marked(short, words) if short != mention.text else None
    labels = _labels(mention, right, names) if mention.part == "said" and mention.kept else []
    return Post(mention, marked(mention.text, words), head, labels)


def _telling(mention: MentionOut) -> list[str]:
    """The words by which it was tagged and routed."""
    tags, decision = mention.tags, mention.decision
    words = [word for word, _ in tags.sentiment.words] if tags and tags.sentiment else []
    words += [word for intent in tags.intents for word in intent.words] if tags else []
    return list(dict.fromkeys([*words, *(words_of(decision.evidence) if decision else [])]))


def _labels(mention: MentionOut, right: Mapping[str, Corrected], names: Names) -> list[Label]:
    tags = mention.tags
    found: dict[str, str] = {SENTIMENT: tags.sentiment.label if tags and tags.sentiment else ""}
    there = {it.name for it in tags.intents} if tags else set()
    found |= {name: "yes" if name in there else "no" for name in INTENTS}
    return [
        Label(name, value, right[name].right if name in right else None, _by(right.get(name), names))
        for name, value in found.items()
    ]


def _by(it: Corrected | None, names: Names) -> str:
    return names.person(it.actor).name if it else ""


# --------------------------------------------------------------------------- answering


def _composer(
    page: Page, shown: CaseDetail, answer: str, macro: str, draft: str, text: str | None, private: bool | None
) -> Composer:
    said = [it for it in shown.mentions if it.part == "said" and it.kept]
    held = _draft(page, shown, draft)
    wanted = answer or (held.mention if held else "")
    answers = next((it for it in said if it.id == wanted), said[-1] if said else None)
    if answers is None:
        return Composer(None, text or (held.text if held else ""), draft=held)
    worded = held.text if held else ""
    if text is not None:
        worded = text
    elif macro:
        worded = filled(page, shown.case.id, macro, answers.id)
    alone = bool(held and held.private) if private is None else private
    checked = looked_at(page, shown.case.id, worded, answers.id, alone) if worded.strip() else None
    in_private = alone or answers.kind is Kind.MESSAGE
    lengths = [LengthOut.model_validate(it) for it in measure("", answers.source, private=in_private)]
    return Composer(
        answers,
        worded,
        macro or (held.macro or "" if held else ""),
        held,
        checked,
        lengths,
        checked or answers.answerable,
        page.given.desk.powers.get(answers.via, Powers()),
        alone,
    )


def _draft(page: Page, shown: CaseDetail, id: str) -> DraftOut | None:
    """The one asked for, or else the reader's newest that is not done with."""
    if id:
        return next((it for it in shown.drafts if it.id == id), None)
    mine = (it for it in shown.drafts if it.state in WRITTEN and it.writer.id == page.me.user.id)
    return next(mine, None)


def filled(page: Page, case: str, macro: str, mention: str) -> str:
    """A macro's text for this case; empty where there is no such macro."""
    try:
        return page.given.drafts.fill(case, macro, By(page.me.actor), mention=mention).text
    except Unfit:
        return ""


def looked_at(page: Page, case: str, text: str, mention: str = "", private: bool = False) -> CheckOut | None:
    """What a text looks like as an answer; None where nothing is left to answer."""
    try:
        return check_out(page.given.drafts.check(case, text, mention=mention or None, private=private))
    except (Conflict, Unfit):
        return None


def choices(items: Sequence[Any]) -> list[tuple[str, Any]]:
    """Each with the key that chooses it: digits, then letters; what is beyond has none."""
    keys = "123456789abcdefghijklmnopqrstuvwxyz"
    return [(keys[number] if number < len(keys) else "", it) for number, it in enumerate(items)]
