"""Signing in and out, tokens, CSRF, invitations, and the accounts of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from console.api.schemas import V1
from desk.roles import PERMISSIONS
from desk.sessions import IDLE
from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.console.build import House, fresh
from tests.desk.staff import ADMIN, PASSWORD

OTHER = "another horse battery"


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with fresh(tmp_path, clock) as made:
        yield made


@pytest.fixture
def house(store: Store, clock: ManualClock) -> House:
    return House(store, clock)


def sign_in(client: TestClient, name: str = "ana", password: str = PASSWORD, **headers: str) -> Any:
    return client.post(f"{V1}/session", json={"name": name, "password": password}, headers=headers)


def test_who_signs_in_gets_a_cookie_no_script_can_read_and_a_csrf_token(house: House) -> None:
    house.person()
    client = house.client()
    answer = sign_in(client)
    assert answer.json()["user"]["name"] == "ana"
    cookie = answer.headers["set-cookie"].lower()
    assert "harken_session=" in cookie
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "domain" not in cookie
    me = client.get(f"{V1}/me").json()
    assert me["csrf"] == answer.json()["csrf"]
    assert me["by"] == "session"
    assert set(me["actions"]) == PERMISSIONS["agent"]


def test_with_https_the_cookie_is_bound_to_this_host_and_to_tls(store: Store, clock: ManualClock) -> None:
    house = House(store, clock, public_url="https://desk.example.org")
    house.person()
    cookie = sign_in(house.client()).headers["set-cookie"]
    assert cookie.startswith("__Host-harken_session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie


def test_signing_in_again_ends_the_session_of_the_cookie_that_came(house: House) -> None:
    house.person()
    browser = house.browser()
    before = browser.cookies["harken_session"]
    assert sign_in(browser).status_code == 200
    assert house.accounts.by_session(before) is None


def test_a_wrong_password_and_a_wrong_name_look_the_same(house: House) -> None:
    house.person()
    wrong, nobody = sign_in(house.client(), password=OTHER), sign_in(house.client(), name="nobody")
    assert (wrong.status_code, wrong.text) == (nobody.status_code, nobody.text)
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers


def test_after_too_many_wrong_passwords_one_has_to_wait(house: House) -> None:
    house.person()
    client = house.client()
    answers = [sign_in(client, password=OTHER) for _ in range(6)]
    assert [it.status_code for it in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert sign_in(client).status_code == 429


def test_a_forwarded_address_is_not_believed(house: House) -> None:
    house.person()
    for number in range(21):
        sign_in(house.client(), name=f"somebody{number}", **{"X-Forwarded-For": f"10.0.0.{number}"})
    assert sign_in(house.client(), **{"X-Forwarded-For": "10.0.1.1"}).status_code == 429


def test_a_session_ends_with_sign_out_and_when_idle(house: House) -> None:
    house.person()
    browser, other = house.browser(), house.browser()
    assert browser.delete(f"{V1}/session").status_code == 204
    assert browser.get(f"{V1}/me").status_code == 401
    assert other.get(f"{V1}/me").status_code == 200
    house.clock.advance(IDLE.total_seconds())
    assert other.get(f"{V1}/me").status_code == 401


# ------------------------------------------------------------------------- pages of other sites


def test_a_cookie_alone_changes_nothing(house: House) -> None:
    house.person()
    browser = house.browser()
    del browser.headers["X-CSRF-Token"]
    assert browser.delete(f"{V1}/session").status_code == 403
    assert browser.get(f"{V1}/me").status_code == 200


def test_the_csrf_token_of_another_session_is_refused(house: House) -> None:
    house.person()
    browser, other = house.browser(), house.browser()
    refused = browser.delete(f"{V1}/session", headers={"X-CSRF-Token": other.headers["X-CSRF-Token"]})
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 204),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_what_a_page_of_another_site_sends_is_refused(house: House, headers: dict[str, str], status: int) -> None:
    house.person()
    assert house.browser().delete(f"{V1}/session", headers=headers).status_code == status
    assert sign_in(house.client(), **headers).status_code == (200 if status == 204 else 403)


def test_behind_a_proxy_the_origin_is_the_public_one(store: Store, clock: ManualClock) -> None:
    house = House(store, clock, public_url="http://desk.example.org")
    house.person()
    assert sign_in(house.client(), Origin="http://desk.example.org").status_code == 200


# ------------------------------------------------------------------------------------- tokens


def test_a_token_needs_no_csrf_token_and_may_do_what_its_scopes_name(house: House) -> None:
    ana = house.person("ana", "admin")
    client = house.client()
    client.headers["Authorization"] = f"Bearer {house.token(ana, 'audit.read')}"
    assert client.get(f"{V1}/me").json()["actions"] == ["audit.read"]
    refused = client.get(f"{V1}/users")
    assert refused.status_code == 403
    assert refused.json()["needs"] == ["users.manage"]
    assert "users.manage" in refused.json()["detail"]


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer", "Basic YTpi", "", "Bearer harken_token_" + "a" * 43])
def test_a_token_that_is_none_is_refused_even_with_a_good_cookie(house: House, header: str) -> None:
    house.person()
    answer = house.browser().get(f"{V1}/me", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_disabled_person_is_out_at_once(house: House) -> None:
    ana = house.person()
    browser, client = house.browser(), house.client(ana)
    house.accounts.disable(ana.id, ADMIN)
    assert browser.get(f"{V1}/me").status_code == client.get(f"{V1}/me").status_code == 401


def test_one_makes_lists_and_revokes_tokens_of_ones_own(house: House) -> None:
    ana = house.person()
    browser = house.browser()
    issued = browser.post(f"{V1}/me/tokens", json={"scopes": ["cases.read"], "days": 30, "label": "nightly"})
    assert issued.status_code == 201
    secret, token = issued.json()["secret"], issued.json()["token"]
    assert browser.get(f"{V1}/me", headers={"Authorization": f"Bearer {secret}"}).json()["actions"] == ["cases.read"]
    listed = browser.get(f"{V1}/me/tokens")
    assert [it["id"] for it in listed.json()["items"]] == [token["id"]]
    assert secret not in listed.text
    assert browser.delete(f"{V1}/me/tokens/{token['id']}").status_code == 204
    assert browser.delete(f"{V1}/me/tokens/{token['id']}").status_code == 404
    assert house.accounts.by_token(secret) is None
    assert house.accounts.entries(1)[0].actor == ana.actor


def test_a_token_makes_no_tokens(house: House) -> None:
    client = house.client(house.person())
    assert client.post(f"{V1}/me/tokens", json={"scopes": ["cases.read"], "days": 1}).status_code == 403


def test_nobody_revokes_the_token_of_somebody_else(house: House) -> None:
    house.person()
    ben = house.person("ben")
    house.token(ben)
    id = house.accounts.tokens(ben.id)[0].id
    assert house.browser("ana").delete(f"{V1}/me/tokens/{id}").status_code == 404
    assert house.accounts.tokens(ben.id)[0].revoked_at is None


def test_no_token_goes_beyond_its_owners_roles(house: House) -> None:
    house.person()
    answer = house.browser().post(f"{V1}/me/tokens", json={"scopes": ["users.manage"], "days": 1})
    assert answer.status_code == 422


# ------------------------------------------------------------------------------------ accounts


def test_an_admin_adds_somebody_who_sets_a_password_by_the_invitation(house: House) -> None:
    house.person("bo", "admin")
    admin = house.browser("bo")
    added = admin.post(f"{V1}/users", json={"name": "Cleo", "roles": ["agent"], "email": "cleo@example.org"})
    assert added.status_code == 201
    assert added.json()["user"]["name"] == "cleo"
    assert not added.json()["user"]["has_password"]
    invitation = added.json()["invitation"]
    weak = house.client().post(f"{V1}/invitations/accept", json={"invitation": invitation, "password": "short"})
    assert [it["field"] for it in weak.json()["errors"]] == ["password"]
    accepted = house.client().post(f"{V1}/invitations/accept", json={"invitation": invitation, "password": OTHER})
    assert accepted.json()["has_password"]
    assert sign_in(house.client(), "cleo", OTHER).status_code == 200
    again = house.client().post(f"{V1}/invitations/accept", json={"invitation": invitation, "password": PASSWORD})
    assert again.status_code == 422
    assert invitation not in again.text


def test_users_come_in_pages(house: House) -> None:
    for name in ("ana", "ben", "cleo", "dan"):
        house.person(name, "admin")
    client = house.browser("ana")
    first = client.get(f"{V1}/users?limit=3").json()
    assert [it["name"] for it in first["items"]] == ["ana", "ben", "cleo"]
    rest = client.get(f"{V1}/users", params={"limit": 3, "after": first["next"]}).json()
    assert [it["name"] for it in rest["items"]] == ["dan"]
    assert rest["next"] is None


def test_tokens_come_in_pages(house: House) -> None:
    ana = house.person("ana", "admin")
    for _ in range(3):
        house.token(ana, "audit.read")
        house.clock.advance(1)
    client = house.browser("ana")
    first = client.get(f"{V1}/users/{ana.id}/tokens?limit=2").json()
    rest = client.get(f"{V1}/me/tokens", params={"limit": 2, "after": first["next"]}).json()
    assert [it["id"] for it in first["items"] + rest["items"]] == [it.id for it in house.accounts.tokens(ana.id)]
    assert rest["next"] is None
    assert client.get(f"{V1}/me/tokens?after=nonsense").status_code == 422


def test_an_admin_changes_roles_disables_enables_and_invites(house: House) -> None:
    ana = house.person()
    house.person("bo", "admin")
    admin = house.browser("bo")
    assert admin.put(f"{V1}/users/{ana.id}/roles", json={"roles": ["lead"]}).json()["roles"] == ["lead"]
    assert admin.post(f"{V1}/users/{ana.id}/disable").json()["disabled_at"]
    assert admin.post(f"{V1}/users/{ana.id}/invitation").status_code == 422
    assert admin.post(f"{V1}/users/{ana.id}/enable").json()["disabled_at"] is None
    assert admin.post(f"{V1}/users/{ana.id}/invitation").json()["invitation"].startswith("harken_invite_")
    token = admin.post(f"{V1}/users/{ana.id}/tokens", json={"scopes": ["cases.read"], "days": 1}).json()["token"]
    assert admin.delete(f"{V1}/tokens/{token['id']}").status_code == 204
    assert admin.get(f"{V1}/users/nobody").status_code == 404


def test_an_admin_cannot_lock_themselves_out(house: House) -> None:
    bo = house.person("bo", "admin")
    admin = house.browser("bo")
    assert admin.post(f"{V1}/users/{bo.id}/disable").status_code == 409
    assert admin.put(f"{V1}/users/{bo.id}/roles", json={"roles": ["agent"]}).status_code == 409
    assert admin.put(f"{V1}/users/{bo.id}/roles", json={"roles": ["agent", "admin"]}).status_code == 200


def test_a_session_is_not_kept_alive_by_being_looked_at(house: House) -> None:
    house.person()
    secret = house.browser().cookies["harken_session"]
    house.clock.advance(IDLE.total_seconds() / 2)
    assert house.accounts.by_session(secret, touch=False) is not None
    house.clock.advance(IDLE.total_seconds() / 2)
    assert house.accounts.by_session(secret) is None
    assert timedelta(hours=1) == IDLE
