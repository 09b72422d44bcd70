"""Sign-in through an OpenID Connect provider, against a real one on a port of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr
from starlette.testclient import TestClient

from console.api.oidc import Provider
from console.api.schemas import V1
from desk.users import User
from pipeline.clock import ManualClock
from tests.console.build import House, fresh
from tests.desk.staff import ADMIN

MAIL = "ana@example.org"
COOKIE = "harken_sign_in"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    httpx2.get(f"{url}/.well-known/openid-configuration").raise_for_status()
                    break
                except httpx2.TransportError:
                    assert process.poll() is None, "the provider ended by itself"
                    time.sleep(0.05)
            yield url
        finally:
            process.terminate()


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock, issuer: str) -> Iterator[House]:
    provider = Provider(issuer, "harken", SecretStr("hush"), "http://localhost")
    with fresh(tmp_path, clock) as store:
        yield House(store, clock, provider=provider, public_url="http://localhost")


def with_mail(house: House, name: str = "ana", mail: str = MAIL) -> User:
    user, _ = house.accounts.add_user(name, ["agent"], ADMIN, mail)
    return user


def claim(issuer: str, **claims: Any) -> None:
    httpx2.put(f"{issuer}/users/somebody", json=claims).raise_for_status()


def sent_to_provider(browser: TestClient) -> str:
    answer = browser.get(f"{V1}/oidc/sign-in", follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def sent_back(address: str) -> str:
    """The person agrees at the provider; returns the address it sends the browser back to."""
    answer = httpx2.post(address, data={"sub": "somebody"})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def come_in(browser: TestClient) -> Any:
    return browser.get(sent_back(sent_to_provider(browser)), follow_redirects=False)


def test_whose_verified_address_is_an_accounts_comes_in_as_it(house: House, issuer: str) -> None:
    ana = with_mail(house)
    claim(issuer, email=MAIL.upper(), email_verified=True)
    browser = house.client()
    assert browser.get(f"{V1}/session").json()["provider"] == f"{V1}/oidc/sign-in"
    answer = come_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get(f"{V1}/me").json()["user"]["id"] == ana.id
    assert COOKIE not in browser.cookies
    entry = house.accounts.entries(1)[0]
    assert (entry.actor, entry.action, entry.facts) == (ana.actor, "user.signed_in", {"via": "oidc"})


def test_the_provider_is_asked_with_pkce_state_and_nonce(house: House) -> None:
    browser = house.client()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent_to_provider(browser)).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"http://localhost{V1}/oidc/callback"
    assert set(asked["scope"].split()) == {"openid", "email"}
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 20
    assert len(asked["code_challenge"]) == 43


@pytest.mark.parametrize(
    "claims",
    [
        {"email": MAIL},
        {"email": MAIL, "email_verified": False},
        {"email": "nobody@example.org", "email_verified": True},
        {"email_verified": True},
        {},
    ],
)
def test_without_an_accounts_verified_address_nobody_comes_in(
    house: House, issuer: str, claims: dict[str, Any]
) -> None:
    with_mail(house)
    claim(issuer, **claims)
    browser = house.client()
    assert come_in(browser).status_code == 403
    assert browser.get(f"{V1}/me").status_code == 401
    assert [it.name for it in house.accounts.users()] == ["ana"]


def test_neither_a_disabled_account_nor_one_of_two_with_the_address_is_let_in(house: House, issuer: str) -> None:
    claim(issuer, email=MAIL, email_verified=True)
    ana = with_mail(house)
    house.accounts.disable(ana.id, ADMIN)
    assert come_in(house.client()).status_code == 403
    house.accounts.enable(ana.id, ADMIN)
    assert come_in(house.client()).status_code == 303
    with_mail(house, "anna")
    assert come_in(house.client()).status_code == 403


def test_a_sign_in_that_another_browser_began_is_refused(house: House, issuer: str) -> None:
    with_mail(house)
    claim(issuer, email=MAIL, email_verified=True)
    back = sent_back(sent_to_provider(house.client()))
    victim = house.client()
    assert victim.get(back).status_code == 400
    sent_to_provider(victim)
    assert victim.get(back).status_code == 400
    assert victim.get(f"{V1}/oidc/callback?state=x&code=y", headers={"Cookie": f"{COOKIE}=%%%"}).status_code == 400


def test_an_id_token_with_another_nonce_is_not_believed(house: House, issuer: str) -> None:
    with_mail(house)
    claim(issuer, email=MAIL, email_verified=True)
    browser = house.client()
    back = sent_back(sent_to_provider(browser))
    under_way = json.loads(urlsafe_b64decode(browser.cookies[COOKIE].strip('"')))
    forged = urlsafe_b64encode(json.dumps(under_way | {"nonce": "another"}).encode()).decode()
    assert house.client().get(back, headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 401


def test_an_id_token_that_another_key_signed_is_not_believed(house: House, issuer: str) -> None:
    with_mail(house)
    claim(issuer, email=MAIL, email_verified=True)
    browser = house.client()
    back = sent_back(sent_to_provider(browser))
    key = httpx2.get(f"{issuer}/jwks").json()["keys"][0]
    other = RSAKey.generate_key(2048, {"kid": key.get("kid", "")} if key.get("kid") else None)
    assert house.services.provider is not None
    house.services.provider._client.server_metadata["jwks"] = {"keys": [other.as_dict(private=False)]}
    assert browser.get(back).status_code == 401


def test_an_id_token_for_another_client_is_not_believed(house: House, issuer: str) -> None:
    with_mail(house)
    claim(issuer, email=MAIL, email_verified=True)
    browser = house.client()
    back = sent_back(sent_to_provider(browser))
    assert house.services.provider is not None
    house.services.provider.client_id = "somebody else"
    assert browser.get(back).status_code == 401


def test_a_code_is_good_once(house: House, issuer: str) -> None:
    with_mail(house)
    claim(issuer, email=MAIL, email_verified=True)
    browser = house.client()
    back = sent_back(sent_to_provider(browser))
    cookie = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    assert browser.get(back, follow_redirects=False).status_code == 303
    assert house.client().get(back, headers=cookie).status_code == 401


def test_who_says_no_at_the_provider_is_not_signed_in(house: House) -> None:
    browser = house.client()
    state = parse_qs(urlsplit(sent_to_provider(browser)).query)["state"][0]
    assert browser.get(f"{V1}/oidc/callback?error=access_denied&state={state}").status_code == 401


def test_a_provider_that_does_not_answer_is_said_so(house: House) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    absent = Provider(f"http://127.0.0.1:{port}", "harken", SecretStr("hush"), "http://localhost")
    client = House(house.services.store, house.clock, provider=absent).client()
    answer = client.get(f"{V1}/oidc/sign-in", follow_redirects=False)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_a_provider_with_another_name_than_configured_is_refused(house: House, issuer: str) -> None:
    alias = Provider(issuer.replace("127.0.0.1", "localhost"), "harken", SecretStr("hush"), "http://localhost")
    alias.issuer = issuer.replace("http", "https")
    client = House(house.services.store, house.clock, provider=alias).client()
    assert client.get(f"{V1}/oidc/sign-in", follow_redirects=False).status_code == 503


def test_the_secret_is_in_no_repr() -> None:
    assert "hush" not in repr(
        Provider("https://id.example.org", "harken", SecretStr("hush"), "https://desk.example.org")
    )
