"""Requests that a page of another site, or somebody with a prepared address, has a browser send; each is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.fixtures.site import PASSWORD, Site

FORM = {"name": "ana", "password": PASSWORD}


@pytest.fixture
def anybody(site: Site) -> Iterator[httpx2.Client]:
    """Who has no session yet."""
    with httpx2.Client(base_url=site.url, timeout=60) as client:
        yield client


@pytest.fixture
def ana(site: Site, anybody: httpx2.Client) -> httpx2.Client:
    """Who has signed in."""
    assert anybody.post("/sign-in", data=FORM).status_code == 303
    return anybody


def token(client: httpx2.Client, path: str = "/me") -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def test_a_form_without_this_sessions_token_is_refused(ana: httpx2.Client, site: Site) -> None:
    case = site.says()
    for sent in ({}, {"csrf": "nonsense"}, {"csrf": token(ana)[::-1]}):
        assert ana.post(f"/cases/{case}/claim", data=sent).status_code == 403
    with httpx2.Client(base_url=site.url, timeout=60) as ben:
        ben.post("/sign-in", data=FORM | {"name": "ben"})
        assert ana.post(f"/cases/{case}/claim", data={"csrf": token(ben)}).status_code == 403
    assert site.cases.case(case).owner is None
    assert ana.post(f"/cases/{case}/claim", data={"csrf": token(ana)}).status_code == 303


def test_what_another_site_sent_is_refused_even_with_the_token(ana: httpx2.Client, site: Site) -> None:
    case = site.says()
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        sent = ana.post(f"/cases/{case}/claim", data={"csrf": token(ana)}, headers=headers)
        assert sent.status_code == 403, headers
        with httpx2.Client(base_url=site.url, timeout=60) as victim:
            assert victim.post("/sign-in", data=FORM, headers=headers).status_code == 403, headers
            assert not victim.cookies, headers


def test_a_session_that_was_planted_is_not_taken_over(anybody: httpx2.Client, site: Site) -> None:
    planted = "harken_session_" + "A" * 43
    anybody.cookies.set("harken_session", planted, domain="127.0.0.1")
    answer = anybody.post("/sign-in", data=FORM)
    assert planted not in answer.headers["set-cookie"]
    with httpx2.Client(base_url=site.url, timeout=60, cookies={"harken_session": planted}) as thief:
        assert thief.get("/me").status_code == 303


def test_signing_in_again_ends_the_session_before(ana: httpx2.Client, site: Site) -> None:
    first = ana.cookies["harken_session"]
    assert ana.post("/sign-in", data=FORM).status_code == 303
    assert ana.cookies["harken_session"] != first
    with httpx2.Client(base_url=site.url, timeout=60, cookies={"harken_session": first}) as thief:
        assert thief.get("/me").status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(anybody: httpx2.Client) -> None:
    said = anybody.post("/sign-in", data=FORM).headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said or "samesite=strict" in said
    assert "domain=" not in said


ELSEWHERE = (
    "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
    "javascript:alert(1)", "/\t/evil.example", "/%0d%0aLocation:%20https://evil.example",
    " //evil.example", "http:///evil.example", "@evil.example",
)  # fmt: skip


def test_no_address_leads_elsewhere_after_signing_in(site: Site) -> None:
    for next in ELSEWHERE:
        with httpx2.Client(base_url=site.url, timeout=60) as client:
            shown = client.get("/sign-in", params={"next": next})
            sent = client.post("/sign-in", data=FORM, params={"next": next})
            again = client.get("/sign-in", params={"next": next})
        assert sent.headers["location"].startswith("/"), next
        for answer in (shown, sent, again):
            leads = re.findall(r'(?:action|href)="([^"]*evil[^"]*)"', answer.text)
            for to in filter(None, [answer.headers.get("location", ""), *leads]):
                assert str(httpx2.URL(site.url).join(to)).startswith(site.url + "/"), (next, to)


def test_no_page_may_be_framed_and_none_runs_what_is_not_ours(ana: httpx2.Client, site: Site) -> None:
    case = site.says()
    for path in (
        "/sign-in?left=1",
        "/me",
        "/desk",
        f"/cases/{case}",
        "/nowhere",
        "/api/v1/queues",
        "/static/console.css",
    ):
        headers = ana.get(path).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy, path
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert headers["x-content-type-options"] == "nosniff", path


def test_a_name_that_is_not_ours_is_refused(ana: httpx2.Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "a b", "127.0.0.1:x"):
        answer = ana.get("/me", headers={"Host": host})
        assert answer.status_code in (400, 421), host
        assert "evil" not in answer.text, host


def test_what_a_proxy_header_claims_leads_nowhere(ana: httpx2.Client) -> None:
    lies = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Original-URL": "/admin"}
    answer = ana.get("/", headers=lies)
    assert answer.headers["location"] == "/desk"


def test_whoever_may_not_sees_no_page_of_others(ana: httpx2.Client) -> None:
    for path in ("/admin/people", "/flow", "/approvals", "/board", "/admin/audit", "/admin/tokens"):
        answer = ana.get(path)
        assert answer.status_code == 403, path
        assert "text/html" in answer.headers["content-type"]
