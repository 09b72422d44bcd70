"""Coming in, leaving, and what one sets for oneself."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from desk.users import LINK
from tests.console.work import Work
from tests.desk.staff import PASSWORD

CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def visitor(work: Work, **headers: str) -> TestClient:
    made = TestClient(work.app, base_url="http://localhost", follow_redirects=False)
    made.headers |= headers
    return made


def signed_in(work: Work, name: str = "ana") -> TestClient:
    client = visitor(work)
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return client


def token(client: TestClient, path: str = "/me") -> str:
    found = CSRF.search(client.get(path).text)
    assert found
    return found[1]


def test_who_is_not_signed_in_is_asked_to_and_comes_back_to_where_they_wanted_to_go(work: Work) -> None:
    work.person("ana")
    client = visitor(work)
    asked = client.get("/me?x=1")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=%2Fme%3Fx%3D1")
    form = client.get(asked.headers["location"])
    assert 'action="/sign-in?next=%2Fme%3Fx%3D1"' in form.text
    answer = client.post("/sign-in?next=%2Fme%3Fx%3D1", data={"name": "ana", "password": PASSWORD})
    assert answer.headers["location"] == "/me?x=1"
    assert client.get("/me").status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)"],
)
def test_signing_in_never_leads_to_another_site(work: Work, elsewhere: str) -> None:
    work.person("ana")
    client = visitor(work)
    assert "evil" not in client.get("/sign-in", params={"next": elsewhere}).text
    answer = client.post("/sign-in", params={"next": elsewhere}, data={"name": "ana", "password": PASSWORD})
    assert answer.headers["location"] == "/"


def test_a_wrong_password_says_so_and_keeps_the_name_alone(work: Work) -> None:
    work.person("ana")
    answer = visitor(work).post("/sign-in", data={"name": "ana", "password": "not this one at all"})
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert 'value="ana"' in answer.text
    assert "not this one" not in answer.text


def test_a_session_that_was_planted_is_replaced_at_sign_in(work: Work) -> None:
    work.person("ana")
    client = visitor(work)
    planted = "harken_session_" + "a" * 43
    client.cookies.set("harken_session", planted, domain="localhost.local")
    answer = client.post("/sign-in", data={"name": "ana", "password": PASSWORD})
    assert planted not in answer.headers["set-cookie"]


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_of_another_site_can_neither_sign_in_nor_do_anything(work: Work, headers: dict[str, str]) -> None:
    work.person("ana")
    data = {"name": "ana", "password": PASSWORD}
    assert visitor(work, **headers).post("/sign-in", data=data).status_code == 403
    client = signed_in(work)
    csrf = token(client)
    assert client.post("/sign-out", data={"csrf": csrf}, headers=headers).status_code == 403
    assert client.get("/me").status_code == 200


def test_a_form_without_this_sessions_token_does_nothing(work: Work) -> None:
    work.person("ana")
    client, other = signed_in(work), signed_in(work)
    for sent in ({}, {"csrf": "0" * 64}, {"csrf": token(other)}):
        answer = client.post("/sign-out", data=sent)
        assert answer.status_code == 403
        assert "open the page again" in answer.text
    assert client.get("/me").status_code == 200


def test_signing_out_ends_this_session_and_everywhere_all_of_them(work: Work) -> None:
    work.person("ana")
    one, two, three = signed_in(work), signed_in(work), signed_in(work)
    assert one.post("/sign-out", data={"csrf": token(one)}).headers["location"] == "/sign-in?left=1"
    assert [client.get("/me").status_code for client in (one, two, three)] == [303, 200, 200]
    two.post("/sign-out-everywhere", data={"csrf": token(two)})
    assert [client.get("/me").status_code for client in (one, two, three)] == [303, 303, 303]


def test_a_link_lets_in_once_and_looking_at_it_does_not_use_it_up(work: Work) -> None:
    ana = work.person("ana")
    path = f"/welcome/{work.accounts.link(ana.id, 'system:test').get_secret_value()}"
    first, second = visitor(work), visitor(work)
    assert first.get(path).status_code == 200
    assert first.post(path).headers["location"] == "/"
    assert first.get("/me").status_code == 200
    assert second.post(path).status_code == 422
    assert second.get("/me").status_code == 303


def test_a_link_ends(work: Work) -> None:
    ana = work.person("ana")
    path = f"/welcome/{work.accounts.link(ana.id, 'system:test').get_secret_value()}"
    work.clock.advance(LINK.total_seconds() + 1)
    answer = visitor(work).post(path)
    assert answer.status_code == 422
    assert "ask for a new one" in answer.text


def test_an_invitation_sets_a_password_and_a_weak_one_leaves_it_good(work: Work) -> None:
    _, secret = work.accounts.add_user("new", ["agent"], "system:test")
    path = f"/welcome/{secret.get_secret_value()}"
    client = visitor(work)
    assert client.post(path, data={"password": "short"}).status_code == 422
    assert client.post(path, data={"password": PASSWORD}).headers["location"] == "/"
    assert client.get("/").headers["location"] == "/desk"


@pytest.mark.parametrize(
    ("roles", "first"),
    [
        (("agent",), "/desk"),
        (("marketer",), "/board"),
        (("operator",), "/flow"),
        (("admin",), "/admin"),
        (("lead",), "/desk"),
    ],
)
def test_every_role_has_a_first_screen_of_its_own(work: Work, roles: tuple[str, ...], first: str) -> None:
    work.person("ana", *roles)
    assert signed_in(work).get("/").headers["location"] == first


def test_a_new_password_needs_the_old_one_and_ends_every_session(work: Work) -> None:
    work.person("ana")
    client = signed_in(work)
    new = "another sentence only I know"
    wrong = client.post("/me/password", data={"csrf": token(client), "current": "guess guess guess", "password": new})
    assert wrong.status_code == 422
    assert "guess guess" not in wrong.text
    right = client.post("/me/password", data={"csrf": token(client), "current": PASSWORD, "password": new})
    assert right.headers["location"] == "/sign-in?left=1"
    assert client.get("/me").status_code == 303
    assert visitor(work).post("/sign-in", data={"name": "ana", "password": new}).status_code == 303


def test_language_and_colours_are_kept_in_the_browser(work: Work) -> None:
    work.person("ana")
    client = signed_in(work)
    client.post("/me/view", data={"csrf": token(client), "language": "en", "theme": "dark"})
    assert 'data-theme="dark"' in client.get("/me").text
    assert client.post("/me/view", data={"csrf": token(client), "language": "xx", "theme": "dark"}).status_code == 422


def test_nothing_else_may_be_loaded_run_or_put_around_a_page(work: Work) -> None:
    work.person("ana")
    client = signed_in(work)
    for path in ("/sign-in", "/me", "/nowhere"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_what_is_not_there_is_a_page_outside_the_api_and_a_document_in_it(work: Work) -> None:
    page, document = visitor(work).get("/nowhere"), visitor(work).get("/api/v1/nowhere")
    assert (page.status_code, document.status_code) == (404, 404)
    assert page.headers["content-type"].startswith("text/html")
    assert document.headers["content-type"] == "application/problem+json"


def test_a_name_that_is_not_ours_is_refused(work: Work) -> None:
    assert visitor(work, Host="evil.example").get("/sign-in").status_code == 421


def test_assets_are_kept_by_browsers_and_their_address_changes_with_them(work: Work) -> None:
    client = visitor(work)
    found = re.search(r'href="(/static/[0-9a-f]{12}/console\.css)"', client.get("/sign-in").text)
    assert found
    assert "immutable" in client.get(found[1]).headers["cache-control"]
    assert client.get("/static/000000000000/console.css").status_code == 404
    assert client.get(found[1].replace("console.css", "../page.py")).status_code == 404
