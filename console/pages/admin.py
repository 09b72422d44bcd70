"""Administration: what there is to look after, and the people with an account."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Form, Query, Response
from pydantic import Field

from console.api import accounts
from console.api.problems import Refused, missing
from console.api.schemas import Id, Part
from console.pages import admin_audit, admin_documents, admin_teams, admin_terms, admin_tokens
from console.pages.language import marked as _
from console.pages.page import Page, Posted, Undo, changes, opens
from console.pages.words import segment, url
from desk.roles import PERMISSIONS, ROLES, Action, Role
from desk.tokens import LONGEST
from desk.users import INVITATION, LINK, User

router = APIRouter(include_in_schema=False)
router.include_router(admin_teams.router)
router.include_router(admin_tokens.router)
router.include_router(admin_audit.router)
router.include_router(admin_documents.router)
router.include_router(admin_terms.router)

SHOWN = 50
"""People on one page."""

Reads = Annotated[Page, opens("users.manage")]
Manages = Annotated[Page, changes("users.manage")]
After = Annotated[str, Query(max_length=200)]


class Section(NamedTuple):
    """One part of the administration, for whoever has one of `needs`."""

    label: str
    path: str
    hint: str
    needs: tuple[Action, ...]


SECTIONS = (
    Section(
        _("People"), "/admin/people", _("Let people in, give them roles, and end what must end."), ("users.manage",)
    ),
    Section(
        _("Teams and skills"),
        "/admin/teams",
        _("Who works in which queues, in which languages, and how much at a time."),
        ("cases.assign", "users.manage"),
    ),
    Section(_("Tokens"), "/admin/tokens", _("What programs come in with, and until when."), ("users.manage",)),
    Section(
        _("Audit log"),
        "/admin/audit",
        _("Who saw and did what, in a log that tells when it was altered."),
        ("audit.read",),
    ),
)
"""Those that are not documents."""


class NewPerson(Posted):
    """Somebody to let in."""

    name: Annotated[str, Field(max_length=200)] = ""
    email: Annotated[str, Field(max_length=320)] = ""
    roles: Annotated[list[Role], Field(max_length=len(ROLES))] = []


class NewRoles(Posted):
    """The roles to have instead."""

    roles: Annotated[list[Role], Field(max_length=len(ROLES))] = []


@router.get("/admin")
def overview(page: Annotated[Page, opens()]) -> Response:
    """What the reader may look after."""
    mine = [it for it in SECTIONS if any(map(page.may, it.needs))]
    documents = admin_documents.shown(page)
    if not mine and not documents:
        raise Refused(403, page._("this is for whoever looks after people, calendars, macros or the audit log"))
    return page.render("admin/index.html", sections=mine, documents=documents)


@router.get("/admin/people")
def people(page: Reads, after: After = "", name: After = "") -> Response:
    """Everybody with an account, by name; with a name, on to that one."""
    found = page.given.accounts.user_named(name) if name else None
    if found is not None:
        return page.go(f"/admin/people/{found.id}")
    part = accounts.list_users(page.me, page.given, Part(limit=SHOWN, after=after or None))
    more = url("/admin/people", after=part.next) if part.next else None
    return page.render("admin/people.html", people=part.items, more=more, after=after, sought=name, roles=_roles())


@router.post("/admin/people")
def add(page: Manages, form: Annotated[NewPerson, Form()]) -> Response:
    """Make an account, and show its invitation this once."""
    user, secret = page.given.accounts.add_user(form.name, form.roles, page.me.actor, form.email.strip() or None)
    return _once(page, user, "invitation", secret.get_secret_value(), 201)


@router.get("/admin/people/{id}")
def person(page: Reads, id: Id) -> Response:
    """One of them: what they may, when they are at work, their tokens, and what was done about them."""
    user = _known(page, id)
    agents = page.given.agents
    log = page.may("audit.read")
    return page.render(
        "admin/person.html",
        user=user,
        roles=_roles(),
        agent=agents.get(user.actor),
        tokens=page.given.accounts.tokens(user.id, admin_tokens.SHOWN),
        entries=admin_audit.entries(page, about=user.actor, limit=10) if log else None,
        scopes=sorted(user.may),
        longest=LONGEST.days,
    )


@router.post("/admin/people/{id}/roles")
def set_roles(page: Manages, id: Id, form: Annotated[NewRoles, Form()]) -> Response:
    """Other roles; in force at once."""
    before = _known(page, id)
    accounts.set_roles(page.me, page.given, id, accounts.NewRoles.model_construct(roles=form.roles))
    undo = Undo(page._("Undo"), f"/admin/people/{segment(id)}/roles", {"roles": before.roles[0]})
    said = page._("%(name)s has these roles from now on.", name=before.name)
    return page.go(f"/admin/people/{segment(id)}", said, undo if len(before.roles) == 1 else None)


@router.post("/admin/people/{id}/invite")
def invite(page: Manages, id: Id) -> Response:
    """A new invitation; the one before, and a link, end."""
    user = _known(page, id)
    return _once(page, user, "invitation", page.given.accounts.invite(id, page.me.actor).get_secret_value())


@router.post("/admin/people/{id}/link")
def link(page: Manages, id: Id) -> Response:
    """A link that signs them in once, without a password; an invitation ends by it."""
    user = _known(page, id)
    return _once(page, user, "link", page.given.accounts.link(id, page.me.actor).get_secret_value())


@router.post("/admin/people/{id}/disable")
def disable(page: Manages, id: Id) -> Response:
    """They left: end their account, sessions, tokens and invitation at once."""
    user = accounts.disable(page.me, page.given, id)
    undo = Undo(page._("Let them in again"), f"/admin/people/{segment(id)}/enable")
    said = page._("%(name)s cannot come in any more. What they did stays.", name=user.name)
    return page.go(f"/admin/people/{segment(id)}", said, undo)


@router.post("/admin/people/{id}/enable")
def enable(page: Manages, id: Id) -> Response:
    """Let them in again, with the password they had."""
    user = accounts.enable(page.me, page.given, id)
    said = page._("%(name)s can come in again. Tokens have to be made anew.", name=user.name)
    return page.go(f"/admin/people/{segment(id)}", said)


@router.post("/admin/people/{id}/sign-out")
def sign_out(page: Manages, id: Id) -> Response:
    """End every session of theirs."""
    user = _known(page, id)
    ended = page.given.accounts.sign_out_everywhere(user.id, page.me.actor)
    if user.id == page.me.user.id:
        return page.go("/sign-in?left=1")
    said = page._("%(name)s was signed out everywhere (%(ended)s sessions).", name=user.name, ended=ended)
    return page.go(f"/admin/people/{segment(id)}", said)


def _known(page: Page, id: str) -> User:
    user = page.given.accounts.user(id)
    if user is None:
        raise missing("user")
    return user


def _once(page: Page, user: User, kind: str, secret: str, status: int = 200) -> Response:
    """What is shown this once, and never goes into an address of ours or a cookie."""
    base = page.given.public_url or str(page.request.base_url)
    return page.render(
        "admin/once.html",
        status,
        kind=kind,
        user=user,
        secret=f"{base.rstrip('/')}/welcome/{secret}",
        good=INVITATION if kind == "invitation" else LINK,
        back=f"/admin/people/{segment(user.id)}",
    )


def _roles() -> list[tuple[Role, list[Action]]]:
    return [(role, sorted(PERMISSIONS[role])) for role in ROLES]
