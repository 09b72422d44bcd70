"""Figures, the audit log and who is there, over HTTP."""

from __future__ import annotations

import csv
import io

import pytest

from desk.facts import Facts
from tests.console.work import Work

PERIOD = {"since": "2025-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}


def counted(work: Work) -> None:
    facts = Facts(work.services.database, work.clock, work.services.desk)
    while facts.follow():
        pass


def test_figures_of_a_period_by_queue(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    case = work.says("mastodon:1", author="a")
    work.says("mastodon:2", author="b", queue="marketing")
    token = ana.holding(case)
    ana.post(f"/cases/{case}/resolve", token=token)
    counted(work)
    told = lead.get("/figures", **PERIOD)
    assert told["by"] == "queue"
    by_queue = {it["key"]: it for it in told["items"]}
    assert by_queue["service"]["volume"] == 1
    assert by_queue["service"]["resolutions"] == 1
    assert by_queue["marketing"]["backlog"] == 1
    assert [it["key"] for it in lead.get("/figures", queue="service", **PERIOD)["items"]] == ["service"]


def test_figures_by_agent_show_the_id_that_the_rest_of_the_api_uses(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    case = work.says()
    ana.post(f"/cases/{case}/answered", token=ana.holding(case))
    counted(work)
    rows = lead.get("/figures", by="agent", **PERIOD)["items"]
    assert ana.user.id in [it["key"] for it in rows]
    assert [it["key"] for it in lead.get("/figures", by="agent", agent=ana.user.id, **PERIOD)["items"]] == [ana.user.id]


@pytest.mark.parametrize(
    ("headers", "query", "kind"),
    [
        ({"Accept": "text/csv"}, {}, "text/csv"),
        ({}, {"format": "csv"}, "text/csv"),
        ({"Accept": "text/csv"}, {"format": "json"}, "application/json"),
        ({"Accept": "text/html,*/*"}, {}, "application/json"),
        ({"Accept": "application/json, text/csv;q=0.5"}, {}, "application/json"),
    ],
)
def test_figures_come_as_csv_when_that_is_asked_for(
    work: Work, headers: dict[str, str], query: dict[str, str], kind: str
) -> None:
    lead = work.agent("lea", "lead")
    work.says()
    counted(work)
    answer = lead.client.get("/api/v1/figures", params=PERIOD | query, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].partition(";")[0] == kind
    if kind == "text/csv":
        [row] = list(csv.DictReader(io.StringIO(answer.text)))
        assert (row["key"], row["volume"]) == ("service", "1")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "2026-01-01T00:00:00Z"}, "until"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ({"since": "2026-01-01T00:00:00", "until": "2026-01-02T00:00:00Z"}, "since"),
        (PERIOD | {"by": "mood"}, "by"),
        (PERIOD | {"by": "hour"}, "by"),
        (PERIOD | {"by": "day", "timezone": "Mars/Olympus"}, "timezone"),
    ],
)
def test_a_period_that_cannot_be_used_is_named(work: Work, query: dict[str, str], field: str) -> None:
    told = work.agent("lea", "lead").get("/figures", 422, **query)
    assert told["errors"][0]["field"] == field


def test_a_lead_sets_people_up_and_they_say_when_they_are_there(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    ana.put("/me/presence", 409, presence="available")
    made = lead.put(
        f"/agents/{ana.user.id}", team="north", queues=["service"], languages=["en"], topics=["delivery"], capacity=5
    )
    assert made["user"] == {"id": ana.user.id, "name": "ana"}
    assert (made["presence"], made["there"]) == ("away", False)
    assert ana.put("/me/presence", presence="available")["there"]
    changed = lead.put(f"/agents/{ana.user.id}", capacity=1)
    assert (changed["team"], changed["capacity"], changed["presence"]) == ("north", 1, "available")
    work.clock.advance(121)
    [shown] = lead.get("/agents")["items"]
    assert (shown["presence"], shown["there"]) == ("available", False)
    case = work.says()
    ana.holding(case)  # who works was seen
    assert lead.get("/agents")["items"][0]["there"]


def test_what_cannot_be_set_is_named(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    lead.put("/agents/nobody", 404, capacity=1)
    for body, field in (
        ({"queues": ["nowhere"]}, "queues"),
        ({"languages": ["English"]}, "languages.0"),
        ({"capacity": -1}, "capacity"),
        ({"capacity": True}, "capacity"),
    ):
        assert lead.put(f"/agents/{ana.user.id}", 422, **body)["errors"][0]["field"] == field
    assert ana.put("/me/presence", 422, presence="asleep")["errors"][0]["field"] == "presence"


def test_the_audit_log_is_read_in_pages(work: Work) -> None:
    admin = work.agent("ada", "admin")
    first = admin.get("/audit", limit=2)
    second = admin.get("/audit", limit=500, after=first["next"])
    seqs = [it["seq"] for it in [*first["items"], *second["items"]]]
    assert seqs == list(range(seqs[0], 0, -1))
    assert {it["action"] for it in second["items"]} >= {"user.added"}
    assert admin.get("/audit", actor=admin.user.actor)["items"][0]["action"] == "user.password_set"
