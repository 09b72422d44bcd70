"""A customer over all their accounts: what they said, their cases, what we answered; which accounts are one person;
everything held on them, for whoever may hand that over.

The id of an account may hold anything, slashes too. In the address it is encoded as a whole; forms send it as a field.
"""

from __future__ import annotations

import re
from shlex import quote
from typing import Annotated

import msgspec
from fastapi import APIRouter, Form, Path, Response
from pydantic import Field

from console.api import customers
from console.api.bodies import Link as LinkBody
from console.api.bodies import Said, Text
from console.pages.page import HEADERS, Page, Posted, Undo, changes, opens
from console.pages.words import plain, segment
from desk.audit import Event
from desk.subject_export import held_on

router = APIRouter(include_in_schema=False)

CustomerId = Annotated[str, Path(min_length=3, max_length=2000, pattern="^[^:]+:")]
Account = Annotated[Text, Field(min_length=3, max_length=2000, pattern="^[^:]+:")]
Links = Annotated[Page, changes("customers.link")]


class Pair(Posted):
    """Two accounts."""

    account: Account
    other: Annotated[Text, Field(min_length=3, max_length=400, pattern=r"^[^:]+:[\s\S]+$")]


class Linked(Pair):
    """Two accounts of one person, and what shows that."""

    evidence: Said


class One(Posted):
    """One account."""

    account: Account


@router.get("/customers/{id:path}")
def show_customer(id: CustomerId, page: Annotated[Page, opens("customers.read")]) -> Response:
    """The profile. The audit log notes that somebody looked."""
    found = customers.show_customer(id, page.me, page.given)
    months = found.said.months[-12:] if found.said else []
    most = max((it.mentions for it in months), default=0)
    erase = f"harken erase {quote(plain(found.id))}"
    return page.render("customer/show.html", c=found, months=months, most=most, erase=erase)


@router.post("/customers/link")
def link(form: Annotated[Linked, Form()], page: Links) -> Response:
    """Say that two accounts are one person."""
    customers.link_accounts(form.account, LinkBody(other=form.other, evidence=form.evidence), page.me, page.given)
    undo = Undo(page._("Undo"), "/customers/unlink", {"account": form.account, "other": form.other})
    return page.go(at(form.account), page._("Both accounts are one person now."), undo)


@router.post("/customers/unlink")
def unlink(form: Annotated[Pair, Form()], page: Links) -> Response:
    """Take that back."""
    customers.unlink_accounts(form.account, form.other, page.me, page.given)
    return page.go(at(form.account), page._("The link is taken back. The audit log keeps that it was there."))


@router.post("/customers/export")
def export(form: Annotated[One, Form()], page: Annotated[Page, changes("customers.export")]) -> Response:
    """Everything held on this account, as a file. The audit log notes it."""
    given = page.given
    document = held_on(given.store, form.account, given.clock.now())
    given.accounts.note(Event(page.me.actor, "customer.exported", f"customer:{form.account}"))
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", form.account)[:60].strip("-") or "customer"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="held-on-{name}.json"'}
    return Response(msgspec.json.format(msgspec.json.encode(document), indent=2), 200, headers, "application/json")


def at(account: str) -> str:
    """The page of an account."""
    return f"/customers/{segment(account)}"
