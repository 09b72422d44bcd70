"""A customer's page: what is known of them, which accounts are theirs, and what may be handed over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.pages.customer import at
from desk.handling import By
from tests.console.pages.seat import Page, Seat, words
from tests.console.work import Work


@pytest.fixture
def ana(work: Work) -> Seat:
    return Seat(work, "ana", "agent")


def address(account: str) -> str:
    return at(account)


def test_a_customer_is_shown_over_time_with_cases_and_our_answers(work: Work, ana: Seat) -> None:
    case = work.says("mastodon:1", author="kim", text="you lost it")
    token = work.services.cases.claim(case, ana.user.actor).lease.token
    work.room.send(case, By(ana.user.actor, token))
    work.room.sent(case, "mastodon:99")
    shown = ana.get("/customers/mastodon%3Akim")
    read = words(shown)
    assert "Posts 1" in read
    assert "complaint 1" in read
    assert "2026-01 1" in read
    assert f'href="/cases/{case}"' in shown
    assert "Only the platform has its words." in shown
    assert "customer.read" in [it.action for it in work.accounts.entries(about="customer:mastodon:kim")]


@pytest.mark.parametrize("id", ["12/7?x=1#y", "<script>alert(1)</script>", "\u202eabc", "a b+c&d", "../../admin"])
def test_an_id_may_hold_anything(work: Work, ana: Seat, id: str) -> None:
    work.says("webhook:1", author=id, text="hello there")
    shown = ana.get(address(f"webhook:{id}"))
    assert "Posts 1" in words(shown)
    assert "<script>alert" not in shown
    assert "\u202e" not in words(shown)


def test_who_is_not_known_is_not_found(ana: Seat) -> None:
    ana.get("/customers/mastodon%3Anobody", 404)
    ana.get("/customers/nobody", 422)


def test_accounts_are_linked_on_evidence_and_parted_again(work: Work, ana: Seat) -> None:
    work.says("mastodon:1", author="kim")
    work.says("bluesky:1", author="kim2")
    pair = {"account": "mastodon:kim", "other": "bluesky:kim2"}
    ana.send("/customers/link", 422, **pair, evidence=" ")
    shown = ana.after("/customers/link", **pair, evidence="names <both>")
    assert "Both accounts are one person now." in shown
    assert "names &lt;both&gt;" in shown
    assert 'href="/customers/bluesky%3Akim2"' in shown
    assert "names &lt;both" not in ana.after("/customers/unlink", **pair)
    refused = ana.send("/customers/link", 422, account="mastodon:kim", other="reddit:kim", evidence="the same name")
    assert "Reddit" in refused
    assert "the same name" in refused, "what was typed stays"


def test_everything_held_is_handed_out_by_who_may(work: Work, ana: Seat) -> None:
    work.says("mastodon:1", author="kim", text="you lost it")
    ana.send("/customers/export", 403, account="mastodon:kim")
    assert "Export it" not in ana.get("/customers/mastodon%3Akim")
    admin = Seat(work, "ada", "admin")
    shown = admin.get("/customers/mastodon%3Akim")
    assert "harken erase mastodon:kim" in shown
    assert not [it for it in Page(shown).all("a") if "erase" in it.get("href", "")]
    answer = admin.client.post("/customers/export", data={"csrf": admin.csrf, "account": "mastodon:kim"})
    document: dict[str, Any] = json.loads(answer.text)
    assert document["mentions"][0]["mention"]["text"] == "you lost it"
    assert answer.headers["content-disposition"] == 'attachment; filename="held-on-mastodon-kim.json"'
    assert "customer.exported" in [it.action for it in work.accounts.entries(about="customer:mastodon:kim")]


def test_who_may_not_read_or_link_does_not(work: Work) -> None:
    work.says("mastodon:1", author="kim")
    Seat(work, "olga", "operator").get("/customers/mastodon%3Akim", 403)
    dan = Seat(work, "dan", "draft_only")
    assert "Another account is the same person" not in dan.get("/customers/mastodon%3Akim")
    dan.send("/customers/link", 403, account="mastodon:kim", other="bluesky:x", evidence="same")
    answer = dan.client.post("/customers/link", data={"account": "mastodon:kim", "other": "x:1", "evidence": "so"})
    assert answer.status_code == 403
