"""Macros: answers written once, and one of them filled in for a case."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from console.api import bodies
from console.api.bodies import Name
from console.api.drafts import Writes
from console.api.models import FilledOut, MacroOut, Page
from console.api.problems import missing
from console.api.queues import Reads
from console.api.refusals import answers
from console.api.schemas import V1, Asked, Id
from console.api.services import Given
from desk.handling import By
from desk.macros import Macro, variables

router = APIRouter(prefix=f"{V1}/macros", tags=["macros"])


class Wanted(Asked):
    """Macros with a text in this language, that may be used on this network."""

    language: bodies.Language | None = None
    network: Name | None = None


@router.get("", responses=answers())
def list_macros(asked: Annotated[Wanted, Query()], me: Reads, given: Given) -> Page[MacroOut]:
    """Every macro there is, in the file's order."""
    del me
    return Page(items=[_out(it) for it in given.desk.macros.macros if _fits(it, asked)])


@router.post("/{name}/fill", responses=answers(404, 409))
def fill_macro(name: Id, body: bodies.Fill, me: Writes, given: Given) -> FilledOut:
    """A macro's text for one case, in the customer's language where it has that and no other is asked for."""
    if given.desk.macros.find(name) is None:
        raise missing("macro")
    offer = given.drafts.fill(body.case, name, By(me.actor), mention=body.mention, language=body.language)
    return FilledOut(macro=name, language=offer.language, text=offer.text, missing=list(offer.missing))


def _fits(macro: Macro, asked: Wanted) -> bool:
    spoken = asked.language is None or asked.language in macro.texts
    return spoken and (asked.network is None or not macro.networks or asked.network in macro.networks)


def _out(macro: Macro) -> MacroOut:
    named = dict.fromkeys(name for text in macro.texts.values() for name in variables(text))
    return MacroOut(
        name=macro.name,
        title=macro.title,
        texts=dict(macro.texts),
        intents=list(macro.intents),
        topics=list(macro.topics),
        networks=list(macro.networks),
        variables=list(named),
    )
