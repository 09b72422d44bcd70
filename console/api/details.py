"""A case with everything one needs to work on it."""

from __future__ import annotations

from console.api.auth import Caller
from console.api.models import CaseDetail, FamilyOut, MentionOut, OfferOut
from console.api.services import Services
from console.api.views import (
    Names,
    case_out,
    cases_out,
    clock_out,
    context_out,
    deed_out,
    drafts_out,
    eligibility_out,
    lease_out,
    mention_out,
)
from desk.case import Case
from desk.case_records import CaseFilter, Said
from desk.deeds import Deeds
from desk.desk import Desk
from desk.eligibility import Powers, through
from desk.handling import By
from desk.refusals import Conflict
from pipeline.mention import Kind

MENTIONS = 500
CONTEXT = 50
OTHERS = 50
DRAFTS = 50
FAMILY = 100
"""The most that is shown of each; lists elsewhere have the rest."""


def detail(given: Services, me: Caller, id: str) -> CaseDetail:
    """The case, as this caller sees it. Raises NoSuchCase."""
    case = given.cases.case(id)
    names = Names(given.accounts)
    others = given.cases.cases(CaseFilter(author=case.author, open=True), limit=OTHERS).cases
    drafts = given.drafts.drafts(case=id, limit=DRAFTS).drafts
    context = given.cases.thread(id, CONTEXT)
    ours = {routed.mention.id for routed in context if routed.mention.own}
    return CaseDetail(
        case=case_out(case, names),
        lease=lease_out(case, me.actor, names),
        mentions=[_mention(said, given.desk, ours) for said in given.cases.said(id, MENTIONS)],
        context=[context_out(routed) for routed in context],
        others=cases_out([it for it in others if it.id != id], names),
        family=_family(given, case),
        drafts=drafts_out(drafts, names),
        deeds=[deed_out(it, names) for it in Deeds(given.database, given.clock, given.desk).of_case(id)],
        clocks=[clock_out(clock) for clock in given.keeper.clocks_of(id)],
        offers=_offers(given, me, id) if case.open else [],
    )


def _family(given: Services, case: Case) -> FamilyOut | None:
    if case.family is None:
        return None
    found = given.cases.cases(CaseFilter(family=case.family, open=True), limit=FAMILY)
    return FamilyOut(id=case.family, open=len(found.cases), more=found.next is not None)


def _offers(given: Services, me: Caller, id: str) -> list[OfferOut]:
    try:
        return [OfferOut.model_validate(it) for it in given.drafts.suggest(id, By(me.actor))]
    except Conflict:  # nothing is left to answer
        return []


def _mention(said: Said, desk: Desk, ours: set[str]) -> MentionOut:
    if said.routed is None or said.part == "answer":
        return mention_out(said)
    mention = said.routed.mention
    quotes = mention.kind is Kind.QUOTE and mention.parent in ours
    verdict = through(mention, desk.vias, quotes_ours=quotes, removed=said.part == "dropped")
    able = desk.powers.get(mention.via, Powers()).actions if said.part == "said" else ()
    return mention_out(said, eligibility_out(verdict)).model_copy(update={"actions": sorted(able)})
