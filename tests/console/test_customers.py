"""Customers over HTTP: a profile, its cases, links to other accounts; and that looking leaves a trace."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.console.work import Work
from tests.store.samples import NOON, minutes


def test_a_profile_tells_of_an_account_over_time(work: Work) -> None:
    ana = work.agent()
    case = work.says("mastodon:1", author="kim", created_at=NOON)
    work.says("mastodon:2", author="kim", created_at=NOON + minutes(1))
    shown = ana.get("/customers/mastodon:kim")
    assert shown["id"] == "mastodon:kim"
    assert (shown["mentions"], shown["open_cases"]) == (2, 1)
    assert shown["said"]["sentiment"] == -0.6
    assert shown["said"]["author"]["id"] == "mastodon:kim"
    assert shown["said"]["months"] == [{"month": "2026-01", "mentions": 2, "sentiment": -0.6}]
    assert [it["id"] for it in shown["latest"]] == [case]
    assert shown["person"]["accounts"] == ["mastodon:kim"]


def test_the_last_answers_are_shown(work: Work) -> None:
    ana = work.agent()
    case = work.says("mastodon:1", author="kim")
    token = ana.holding(case)
    draft = ana.post(f"/cases/{case}/drafts", 201, text="We are sorry.")
    ana.post(f"/drafts/{draft['id']}/send", token=token)
    key = work.room.cases.case(case).pending[0]
    work.room.sent(case, "mastodon:77", key)
    [answer] = ana.get("/customers/mastodon:kim")["answers"]
    assert (answer["case"], answer["mention"]) == (case, "mastodon:77")


def test_looking_at_somebody_stands_in_the_audit_log(work: Work) -> None:
    ana, admin = work.agent(), work.agent("ada", "admin")
    work.says("mastodon:1", author="kim")
    ana.get("/customers/mastodon:kim")
    ana.get("/customers/mastodon:kim/cases")
    rows = admin.get("/audit", about="customer:mastodon:kim")["items"]
    assert [it["action"] for it in rows] == ["customer.cases_read", "customer.read"]
    assert rows[0]["actor"] == {"id": ana.user.id, "name": "ana"}


def test_nobody_known_is_not_found_and_leaves_no_trace(work: Work) -> None:
    work.agent().get("/customers/mastodon:nobody", 404)
    assert work.accounts.entries(about="customer:mastodon:nobody") == []


@pytest.mark.parametrize(
    "author", ["https://m.example/@kim", "a/cases/b", "50% off?#x", "käthe 🌊", "a+b", "../up", "a b"]
)
def test_an_id_may_hold_anything(work: Work, author: str) -> None:
    ana = work.agent()
    case = work.says("mastodon:1", author=author)
    path = f"/customers/{quote(f'mastodon:{author}', safe='')}"
    assert ana.get(path)["id"] == f"mastodon:{author}"
    assert [it["id"] for it in ana.get(f"{path}/cases")["items"]] == [case]
    assert [it["id"] for it in ana.get("/cases", author=f"mastodon:{author}")["items"]] == [case]


def test_two_accounts_are_one_person_because_somebody_shows_it(work: Work) -> None:
    ana = work.agent()
    work.says("mastodon:1", author="kim")
    work.says("x:1", author="kim2", via="x")
    linked = ana.post("/customers/mastodon:kim/links", 201, other="x:kim2", evidence="says so on her page")
    assert linked["accounts"] == ["mastodon:kim", "x:kim2"]
    assert linked["links"][0]["evidence"] == "says so on her page"
    assert linked["links"][0]["actor"]["name"] == "ana"
    shown = ana.get("/customers/x:kim2")
    assert shown["person"]["accounts"] == ["mastodon:kim", "x:kim2"]
    assert shown["mentions"] == 2
    assert ana.delete("/customers/mastodon:kim/links", other="x:kim2")["accounts"] == ["mastodon:kim"]


def test_a_link_that_cannot_be_is_refused_by_field(work: Work) -> None:
    ana = work.agent()
    work.says("mastodon:1", author="kim")
    path = "/customers/mastodon:kim/links"
    for body, field in (
        ({"other": "x:kim2", "evidence": " "}, "evidence"),
        ({"other": "kim2", "evidence": "her page"}, "other"),
        ({"other": "reddit:t2_k", "evidence": "her page"}, "other"),
        ({"other": "mastodon:kim", "evidence": "her page"}, "other"),
    ):
        assert ana.post(path, 422, **body)["errors"][0]["field"] == field
    assert ana.delete(path, 422, other="x:kim2")["errors"][0]["field"] == "other"


def test_a_profile_that_is_read_shows_no_more_than_the_role_may(work: Work) -> None:
    work.says("mastodon:1", author="kim")
    work.agent("bo", "operator").get("/customers/mastodon:kim", 403)
