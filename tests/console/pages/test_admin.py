"""Administration: people, teams, tokens, the audit log and the documents, as forms in a browser do it."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from console.pages.admin_documents import KINDS
from console.pages.differences import differences
from console.pages.document_views import readable
from desk.documents import Documents, Kind
from desk.macros import read
from desk.roles import ROLES
from desk.users import User
from pipeline.store.account_tables import audit
from tests.console.pages.test_session_pages import signed_in, token, visitor
from tests.console.work import ANSWERS, Work

HOSTILE = "<script>alert(1)</script>{{7*7}}\u202e'\"--"


class Browser:
    """Somebody signed in, with these roles, who sends forms."""

    def __init__(self, work: Work, name: str, *roles: str) -> None:
        self.user: User = work.person(name, *roles)
        self.client: TestClient = signed_in(work, name)
        self.csrf = token(self.client)

    def see(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, path: str, status: int = 303, **fields: Any) -> Any:
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        assert answer.status_code == status, answer.text
        return answer

    def done(self, path: str, **fields: Any) -> str:
        """What the page after it says."""
        return self.see(self.send(path, **fields).headers["location"])


@pytest.fixture
def documented(work: Work) -> Work:
    """With every document as a configuration has it; macros are really checked."""
    given = {
        "macros": ANSWERS,
        "brands": "larkline:\n  terms: [larkline, nightlark]\n",
        "retention": "cases_days: 365\n",
    }

    def checked(body: str) -> None:
        read(body, "macros")

    def kind(name: str) -> Kind:
        return Kind(lambda: given.get(name, ""), checked if name == "macros" else lambda body: None)

    documents = Documents(work.services.database, work.clock, {name: kind(name) for name in KINDS})
    object.__setattr__(work.services, "documents", documents)
    return work


@pytest.fixture
def admin(work: Work) -> Browser:
    return Browser(work, "ada", "admin")


def shown_once(text: str) -> str:
    found = re.search(r'id="once"[^>]* value="([^"]+)"', text)
    assert found
    return html.unescape(found[1])


# ---------------------------------------------------------------------------- people


def test_somebody_is_let_in_by_an_invitation_that_is_shown_this_once(work: Work, admin: Browser) -> None:
    shown = admin.send("/admin/people", 201, name="Ben", roles=["agent", "lead"], email="ben@example.org")
    assert shown.headers["cache-control"] == "no-store"
    address = shown_once(shown.text)
    assert address.startswith("http://localhost/welcome/harken_invite_")
    listed = admin.see("/admin/people")
    assert "ben@example.org" in listed
    assert "invited" in listed
    assert "harken_invite_" not in listed
    ben = work.accounts.user_named("ben")
    assert ben is not None
    assert ben.roles == ("agent", "lead")
    coming = visitor(work)
    path = address.removeprefix("http://localhost")
    assert coming.post(path, data={"password": "a sentence that only I know"}).status_code == 303


def test_a_name_that_cannot_be_used_is_told_and_what_was_typed_is_kept(admin: Browser) -> None:
    answer = admin.send("/admin/people", 422, name="Ben Ito", roles="agent", email="ben@example.org")
    assert "a name has 2 to 64 characters" in answer.text
    assert "ben@example.org" in answer.text


def test_a_one_time_link_signs_in_and_ends_an_invitation(work: Work, admin: Browser) -> None:
    work.person("ben")
    ben = work.accounts.user_named("ben")
    assert ben
    shown = admin.send(f"/admin/people/{ben.id}/link", 200)
    path = shown_once(shown.text).removeprefix("http://localhost")
    coming = visitor(work)
    assert coming.post(path).status_code == 303
    assert "ben" in coming.get("/me").text


def test_roles_are_given_and_hold_at_once_in_open_sessions(work: Work, admin: Browser) -> None:
    ben = Browser(work, "ben", "agent")
    ben.see("/admin/audit", 403)
    said = admin.done(f"/admin/people/{ben.user.id}/roles", roles=["agent", "admin"])
    assert "ben has these roles from now on." in said
    ben.see("/admin/audit")


def test_nobody_takes_their_own_administration_away_or_disables_themselves(admin: Browser) -> None:
    refused = admin.send(f"/admin/people/{admin.user.id}/roles", 409, roles="agent")
    assert "another admin can do that" in refused.text
    admin.send(f"/admin/people/{admin.user.id}/disable", 409)
    assert f"/admin/people/{admin.user.id}/disable" not in admin.see(f"/admin/people/{admin.user.id}")


def test_an_account_is_disabled_and_that_can_be_undone_with_a_button(work: Work, admin: Browser) -> None:
    ben = Browser(work, "ben", "agent")
    said = admin.done(f"/admin/people/{ben.user.id}/disable")
    assert "ben cannot come in any more" in said
    assert f'action="/admin/people/{ben.user.id}/enable"' in said
    assert ben.client.get("/me").status_code == 303
    admin.send(f"/admin/people/{ben.user.id}/invite", 422)
    assert "ben can come in again" in admin.done(f"/admin/people/{ben.user.id}/enable")


def test_somebody_is_signed_out_everywhere(work: Work, admin: Browser) -> None:
    ben = Browser(work, "ben", "agent")
    other = signed_in(work, "ben")
    assert "signed out everywhere (2 sessions)" in admin.done(f"/admin/people/{ben.user.id}/sign-out")
    assert [client.get("/me").status_code for client in (ben.client, other)] == [303, 303]


def test_many_people_are_shown_page_by_page_and_found_by_name(work: Work, admin: Browser) -> None:
    for number in range(55):
        work.accounts.add_user(f"person{number:02}", ["agent"], "system:test")
    first = admin.see("/admin/people")
    more = re.search(r'href="(/admin/people\?after=[^"]+)"', first)
    assert more
    assert "person54" not in first
    assert "person54" in admin.see(html.unescape(more[1]))
    found = admin.client.get("/admin/people?name=Person33")
    assert found.headers["location"].startswith("/admin/people/")
    assert "There is nobody called" in admin.see("/admin/people?name=nobody-at-all")


# ---------------------------------------------------------------------------- teams


def test_a_lead_sets_somebody_up_for_work_and_can_undo_a_change(work: Work) -> None:
    lead, ben = Browser(work, "lea", "lead"), work.person("ben")
    assert f'href="/admin/teams/{ben.id}"' in lead.see("/admin/teams")
    fields = {"team": "night", "queues": "service", "languages": "EN, de", "topics": "delivery", "capacity": "4"}
    said = lead.done(f"/admin/teams/{ben.id}", **fields)
    assert "ben is set up so from now on." in said
    assert "night" in said
    agent = work.services.agents.get(ben.actor)
    assert agent is not None
    assert (agent.queues, agent.languages, agent.topics, agent.capacity) == (
        ("service",),
        ("en", "de"),
        ("delivery",),
        4,
    )
    changed = lead.done(f"/admin/teams/{ben.id}", **(fields | {"team": "day"}))
    assert '<input type="hidden" name="team" value="night">' in changed
    assert "checked" in lead.see(f"/admin/teams/{ben.id}")


@pytest.mark.parametrize(("field", "value"), [("queues", "nowhere"), ("languages", "english"), ("capacity", "-1")])
def test_a_setup_that_cannot_be_is_told_with_its_field(work: Work, field: str, value: str) -> None:
    lead, ben = Browser(work, "lea", "lead"), work.person("ben")
    answer = lead.send(f"/admin/teams/{ben.id}", 422, **{"capacity": "3", field: value})
    assert field in answer.text


def test_an_admin_sees_teams_and_does_not_change_them(work: Work, admin: Browser) -> None:
    ben = work.person("ben")
    assert "A lead can change this." in admin.see(f"/admin/teams/{ben.id}")
    admin.send(f"/admin/teams/{ben.id}", 403, capacity="3")


# ---------------------------------------------------------------------------- tokens


def test_one_makes_a_token_of_ones_own_sees_it_once_and_ends_it(work: Work) -> None:
    ben = Browser(work, "ben", "agent")
    shown = ben.send("/me/tokens", 201, label=HOSTILE, days="30", scopes=["cases.read"])
    secret = shown_once(shown.text)
    calling = visitor(work, Authorization=f"Bearer {secret}")
    assert calling.get("/api/v1/me").status_code == 200
    listed = ben.see("/me/tokens")
    assert secret not in listed
    assert "<script>alert" not in listed
    (made,) = work.accounts.tokens(ben.user.id)
    assert "The token has ended" in ben.done(f"/me/tokens/{made.id}/revoke")
    assert calling.get("/api/v1/me").status_code == 401


def test_a_token_may_not_do_what_its_owner_may_not(work: Work) -> None:
    ben = Browser(work, "ben", "agent")
    assert "do not allow users.manage" in ben.send("/me/tokens", 422, label="x", scopes="users.manage").text
    assert "at least one scope" in ben.send("/me/tokens", 422, label="x").text


def test_an_admin_makes_and_ends_tokens_of_others_and_nobody_else_does(work: Work, admin: Browser) -> None:
    ben = Browser(work, "ben", "agent")
    shown = admin.send(f"/admin/people/{ben.user.id}/tokens", 201, label="nightly", scopes="cases.read")
    assert shown_once(shown.text).startswith("harken_token_")
    listed = admin.see("/admin/tokens")
    assert "nightly" in listed
    assert f'href="/admin/people/{ben.user.id}"' in listed
    (made,) = work.accounts.tokens(ben.user.id)
    _, other = Browser(work, "eve", "agent"), work.person("kim")
    eve = Browser(work, "eva", "agent")
    eve.send(f"/me/tokens/{made.id}/revoke", 404)
    eve.send(f"/admin/tokens/{made.id}/revoke", 403)
    eve.send(f"/admin/people/{other.id}/tokens", 403, label="x", scopes="cases.read")
    admin.done(f"/admin/tokens/{made.id}/revoke")
    admin.send(f"/admin/tokens/{made.id}/revoke", 404)


# ---------------------------------------------------------------------------- audit


def test_the_log_is_shown_by_person_and_by_what_it_is_about(work: Work, admin: Browser) -> None:
    ben = work.person("ben")
    admin.send(f"/admin/people/{ben.id}/disable")
    assert "user.disabled" in admin.see("/admin/audit?actor=ada")
    about = admin.see(f"/admin/audit?about=user:{ben.id}")
    assert "user.disabled" in about
    assert f'href="/admin/people/{ben.id}"' in about
    assert "user.disabled" not in admin.see("/admin/audit?actor=ben")
    assert "There is nobody called" in admin.see("/admin/audit?actor=nobody-at-all")
    assert "<script>alert" not in admin.see(f"/admin/audit?about={HOSTILE}&actor={HOSTILE}")


def test_the_log_goes_on_page_by_page(work: Work, admin: Browser) -> None:
    for number in range(101):
        work.accounts.add_user(f"person{number:03}", ["agent"], "system:test")
    first = admin.see("/admin/audit?actor=system:test")
    more = re.search(r'href="(/admin/audit\?[^"]*after=\d+)"', first)
    assert more
    assert "user.added" in admin.see(html.unescape(more[1]))


def test_verifying_says_that_all_is_well_with_the_head_to_note_and_then_what_was_altered(
    work: Work, admin: Browser
) -> None:
    sound = admin.send("/admin/audit/verify", 200).text
    assert "The log is as it was written." in sound
    head = re.search(r"\d+:[0-9a-f]{64}", sound)
    assert head
    assert "as it was written" in admin.send("/admin/audit/verify", 200, head=head[0]).text
    with work.services.database.write() as transaction:
        transaction.run(update(audit).where(audit.c.seq == 1).values(action="user.loved"))
    altered = admin.send("/admin/audit/verify", 200).text
    assert "The log was altered." in altered
    assert "Row 1:" in altered
    assert "a head looks like" in html.unescape(admin.send("/admin/audit/verify", 422, head="x").text)


# ---------------------------------------------------------------------------- documents


def test_macros_are_read_with_example_names_in_them(documented: Work) -> None:
    lea = Browser(documented, "lea", "lead")
    text = lea.see("/admin/documents/macros")
    assert "Hello Ana, we are sorry. See acme.example/help, ask for Ben Ito." in text
    assert "As the configuration says" in text


def test_brands_and_retention_are_read_as_tables(documented: Work) -> None:
    lea = Browser(documented, "lea", "lead")
    assert "larkline, nightlark" in lea.see("/admin/documents/brands")
    assert "365" in lea.see("/admin/documents/retention")
    assert "Nothing is set." in lea.see("/admin/documents/service_levels")


def test_a_change_is_checked_shown_saved_and_put_back(documented: Work) -> None:
    lea = Browser(documented, "lea", "lead")
    edit = "/admin/documents/macros/edit"
    body = ANSWERS.replace("Thank you!", "Thank you, {customer.first_name}!")
    checked = lea.send(edit, 200, do="check", expected="0", body=body.replace("\n", "\r\n"), why="warmer").text
    assert "Nothing is wrong with it. It is not saved yet." in checked
    assert checked.count('<tr class="added">') == 1
    assert 'value="warmer"' in checked
    assert documented.services.documents.current("macros").version == 0
    said = lea.done(edit, do="save", expected="0", body=body, why="warmer")
    assert "Version 1 is saved" in said
    assert "Thank you, Ana!" in said
    shown = lea.see("/admin/documents/macros/versions/1")
    assert "Thank you, {customer.first_name}!" in shown
    before = lea.see("/admin/documents/macros/versions/0")
    assert 'action="/admin/documents/macros/put-back"' in before
    back = lea.done("/admin/documents/macros/put-back", version="0", expected="1", why="too warm")
    assert "as version 2" in back
    assert "Thank you, Ana!" not in back


def test_what_is_wrong_is_said_with_its_line_and_the_text_is_kept(documented: Work) -> None:
    lea = Browser(documented, "lea", "lead")
    body = ANSWERS.replace("{customer.first_name}", "{customer.nickname}", 1)
    for do, status in (("check", 200), ("save", 422)):
        text = lea.send("/admin/documents/macros/edit", status, do=do, expected="0", body=body, why="x").text
        assert "there is no variable {customer.nickname}" in text
        assert "Line 7" in text
        assert text.count("{customer.nickname}") >= 2


def test_a_change_without_a_reason_is_not_saved(documented: Work) -> None:
    lea = Browser(documented, "lea", "lead")
    text = lea.send("/admin/documents/macros/edit", 422, do="save", expected="0", body="macros: []", why=" ").text
    assert "Say why in a few words" in text
    assert "macros: []</textarea>" in text


def test_of_two_who_save_at_once_the_later_sees_what_the_other_did_and_loses_no_word(documented: Work) -> None:
    lea, ada = Browser(documented, "lea", "lead"), Browser(documented, "ada", "admin")
    edit = "/admin/documents/macros/edit"
    lea.send(edit, do="save", expected="0", body="macros: []\n", why="fewer")
    late = ada.send(edit, 409, do="save", expected="0", body=ANSWERS, why="mine").text
    assert "somebody was faster" in late
    assert "we are sorry" in late
    assert 'name="expected" value="1"' in late
    assert '<tr class="removed">' in late
    ada.send(edit, do="save", expected="1", body=ANSWERS, why="mine")


def test_a_document_is_changed_by_whoever_may_and_by_nobody_else(documented: Work) -> None:
    may = {
        "macros": {"lead", "admin"},
        "calendars": {"lead", "admin"},
        "service_levels": {"lead", "admin"},
        "brands": {"operator"},
        "playbooks": {"lead"},
        "retention": {"admin"},
    }
    assert may.keys() == KINDS.keys()
    for role in ROLES:
        browser = Browser(documented, f"the-{role}".replace("_", "-"), role)
        for kind, writers in may.items():
            path, writes = f"/admin/documents/{kind}", role in writers
            reads = role in ("lead", "admin", "operator")
            assert (f'href="{path}/edit"' in browser.see(path, 200 if reads else 403)) == writes
            browser.see(f"{path}/edit", 200 if writes else 403)
            browser.send(f"{path}/edit", 200 if writes else 403, do="check", expected="0", body="")
            if not writes:
                browser.send(f"{path}/put-back", 403, version="0", expected="0", why="x")


def test_a_hostile_text_is_shown_and_does_nothing(documented: Work) -> None:
    lea = Browser(documented, "lea", "lead")
    said = "<img src=x onerror=alert(1)> javascript:alert(2)"
    body = f"macros:\n  - name: x\n    title: {json.dumps(HOSTILE)}\n    texts: {{en: '{said}'}}\n"
    pages = [
        lea.send("/admin/documents/macros/edit", 200, do="check", expected="0", body=body, why=HOSTILE).text,
        lea.done(
            "/admin/documents/macros/edit", do="save", expected="0", body=body.replace("{{7*7}}", ""), why=HOSTILE
        ),
        lea.see("/admin/documents/macros/versions/1"),
    ]
    for text in pages:
        assert "<script>alert" not in text
        assert "<img" not in text.replace('<img src="/', "")
        assert 'href="javascript' not in text
        assert "49" not in re.sub(r"[0-9a-f]{16,}", "", text).replace("{{7*7}}", "")
    assert not [text for text in pages[1:] if "\u202e" in text], "only a field holds it, to be corrected"


def test_what_does_not_exist_is_said_to_be_missing(documented: Work) -> None:
    lea = Browser(documented, "lea", "lead")
    lea.see("/admin/documents/rules", 404)
    lea.see("/admin/documents/macros/versions/7", 404)
    lea.see("/admin/teams/nobody", 404)
    ada = Browser(documented, "ada", "admin")
    ada.see("/admin/people/nobody", 404)


# ---------------------------------------------------------------------------- all of it


def test_the_overview_shows_what_one_may_look_after(documented: Work) -> None:
    seen = {
        "agent": set(),
        "lead": {"/admin/teams", "/admin/documents/macros"},
        "operator": {"/admin/documents/macros"},
        "admin": {"/admin/people", "/admin/teams", "/admin/tokens", "/admin/audit", "/admin/documents/macros"},
    }
    for role, paths in seen.items():
        text = Browser(documented, f"the-{role}", role).see("/admin", 200 if paths else 403)
        assert {path for path in seen["admin"] if f'href="{path}"' in text} == paths


def test_no_page_of_it_opens_to_who_is_not_signed_in(documented: Work) -> None:
    client = visitor(documented)
    for path in ("/admin", "/admin/people", "/admin/audit", "/admin/tokens", "/admin/teams", "/me/tokens"):
        assert client.get(path).headers["location"].startswith("/sign-in")
    assert client.post("/admin/people", data={"name": "eve", "roles": "admin"}).headers["location"] == "/sign-in"


def test_a_form_without_this_sessions_token_changes_nothing(work: Work, admin: Browser) -> None:
    ben = work.person("ben")
    for path in (f"/admin/people/{ben.id}/disable", "/admin/people", "/admin/audit/verify"):
        assert admin.client.post(path, data={"csrf": "0" * 64, "name": "eve", "roles": "admin"}).status_code == 403
    assert work.accounts.user_named("eve") is None


def test_differences_show_what_changed_with_three_lines_around_it() -> None:
    before = "\n".join(map(str, range(20)))
    after = before.replace("\n2\n", "\ntwo\n").replace("\n17\n", "\n")
    lines = differences(before, after)
    assert [(it.kind, it.before, it.after, it.text) for it in lines if it.kind in ("added", "removed")] == [
        ("removed", 3, None, "2"),
        ("added", None, 3, "two"),
        ("removed", 18, None, "17"),
    ]
    assert [it.kind for it in lines].count("gap") == 1
    assert differences(before, before) == []


def test_a_text_that_cannot_be_read_is_shown_as_it_is_written() -> None:
    assert readable("macros", "macros: [") == readable("playbooks", "x: y") == readable("brands", "[a]")
    table = readable("calendars", "office: {timezone: UTC, hours: {mon: 9-5}}\nother: {timezone: UTC}").table
    assert table is not None
    assert table.rows == [("office", ["UTC", "mon: 9-5"]), ("other", ["UTC", ""])]
