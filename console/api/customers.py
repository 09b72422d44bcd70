"""Customers: one profile over all their accounts, their cases, and which accounts are one person.

A customer's id is `source:author_id`. In the path it is percent-encoded as a whole, since an author's id may
hold anything, slashes too: `webhook%3A12%2F7`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from console.api import bodies
from console.api.auth import Caller, needs
from console.api.customer_models import CustomerOut, LinkedOut
from console.api.models import CaseOut, Page
from console.api.problems import missing
from console.api.queues import page
from console.api.refusals import answers
from console.api.schemas import V1, Part
from console.api.services import Given, Services
from console.api.views import Names, customer_out, linked_out
from desk.audit import Event
from desk.case_records import CaseFilter, Order
from desk.profiles import Profiles

router = APIRouter(prefix=f"{V1}/customers", tags=["customers"])

Reads = Annotated[Caller, needs("customers.read")]
Links = Annotated[Caller, needs("customers.link")]
CustomerId = Annotated[str, Path(min_length=3, max_length=2000, pattern="^[^:]+:")]


class InOrder(Part):
    """A part of the cases, in this order."""

    order: Order = "newest"


# The shorter path comes last: it would match the longer ones too.


@router.get("/{id:path}/cases", responses=answers())
def list_cases_of_customer(
    id: CustomerId, asked: Annotated[InOrder, Query()], me: Reads, given: Given
) -> Page[CaseOut]:
    """Everything this account brought up, open or closed. The audit log notes that somebody looked."""
    _saw(given, me, "customer.cases_read", id)
    return page(given, CaseFilter(author=id), asked.order, asked)


@router.post("/{id:path}/links", status_code=201, responses=answers())
def link_accounts(id: CustomerId, body: bodies.Link, me: Links, given: Given) -> LinkedOut:
    """Say that another account is the same person, and what shows it. Never for Reddit, on either side."""
    return linked_out(given.links.link(id, body.other, body.evidence, me.actor), Names(given.accounts))


@router.delete("/{id:path}/links", responses=answers())
def unlink_accounts(
    id: CustomerId,
    other: Annotated[str, Query(min_length=3, max_length=2000, pattern="^[^:]+:")],
    me: Links,
    given: Given,
) -> LinkedOut:
    """Take that back."""
    return linked_out(given.links.unlink(id, other, me.actor), Names(given.accounts))


@router.get("/{id:path}", responses=answers(404))
def show_customer(id: CustomerId, me: Reads, given: Given) -> CustomerOut:
    """The profile of whoever this account belongs to. The audit log notes that somebody looked."""
    profile = Profiles(given.database, given.clock).profile(id)
    if profile is None:
        raise missing("customer")
    _saw(given, me, "customer.read", profile.account, *profile.person.accounts)
    return customer_out(profile, Names(given.accounts))


def _saw(given: Services, me: Caller, action: str, *accounts: str) -> None:
    given.accounts.note(*(Event(me.actor, action, f"customer:{account}") for account in dict.fromkeys(accounts)))
