"""One case over HTTP: what is shown of it, and what people do with it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from desk.handling import By
from desk.labels import Labels
from pipeline.mention import Cluster, Kind, Tags
from tests.console.work import ANGRY, Work
from tests.store.samples import NOON, minutes, removal, routed

WAVE = msgspec.structs.replace(ANGRY, cluster=Cluster(id="wave-1", first=True))


def test_a_case_shows_what_was_said_and_what_was_made_of_it(work: Work) -> None:
    ana = work.agent()
    case = work.says("mastodon:1", text="you lost my parcel", author="kim", url="https://m.example/1")
    shown = ana.get(f"/cases/{case}")
    assert shown["case"]["id"] == case
    assert shown["case"]["standing"] == "ready"
    [said] = shown["mentions"]
    assert said["text"] == "you lost my parcel"
    assert said["author"]["id"] == "mastodon:kim"
    assert said["tags"]["sentiment"] == {"label": "negative", "score": -0.6, "words": [["lost", -1.3]]}
    assert said["tags"]["intents"] == [{"name": "complaint", "score": 0.9, "words": ["lost"]}]
    assert said["answerable"] == {"eligible": True, "why_not": None, "deep_link": None}
    assert said["decision"]["rule"] == "complaints"


def test_a_case_shows_its_clocks_and_why_they_stand_so(work: Work) -> None:
    case = work.says()
    [clock] = work.agent().get(f"/cases/{case}")["clocks"]
    assert (clock["name"], clock["state"], clock["target_secs"]) == ("first_response", "running", 1800)
    assert "First response running" in clock["why"][0]
    assert "Europe/Berlin" in clock["why"][1]


def test_a_case_offers_macros_that_fit_filled_in(work: Work) -> None:
    case = work.says("mastodon:1", author="kim")
    [offer] = work.agent().get(f"/cases/{case}")["offers"]
    assert offer["macro"] == "sorry"
    assert "acme.example/help, ask for ana" in offer["text"]
    assert offer["missing"] == ["customer.first_name"]


def test_what_cannot_be_answered_from_here_says_why_and_where_it_can(work: Work) -> None:
    case = work.says("hackernews:7", via="hn")
    answerable = work.agent().get(f"/cases/{case}")["mentions"][0]["answerable"]
    assert not answerable["eligible"]
    assert "Hacker News" in answerable["why_not"]
    assert answerable["deep_link"] == "https://news.ycombinator.com/item?id=7"


def test_a_case_shows_the_thread_around_it(work: Work) -> None:
    own: dict[str, Any] = {"queue": None, "filtered": "own", "own": True, "author": "brand"}
    work.room.hear(routed("mastodon:0", conversation="mastodon:0", text="our offer", **own))
    work.room.hear(routed("mastodon:9", conversation="mastodon:9", author="x", text="elsewhere"))
    case = work.says(
        "mastodon:1", conversation="mastodon:0", parent="mastodon:0", kind=Kind.REPLY, created_at=NOON + minutes(1)
    )
    [around] = work.agent().get(f"/cases/{case}")["context"]
    assert (around["id"], around["text"], around["part"], around["own"]) == ("mastodon:0", "our offer", "context", True)


def test_a_case_shows_the_customers_other_open_cases_and_its_wave(work: Work) -> None:
    ana = work.agent()
    first = work.says("mastodon:1", author="kim", tags=WAVE)
    other = work.says("mastodon:2", author="kim", queue="marketing", brand="zenith", tags=Tags(brand="zenith"))
    work.says("mastodon:3", author="lou", tags=WAVE)
    shown = ana.get(f"/cases/{first}")
    assert [it["id"] for it in shown["others"]] == [other]
    assert shown["family"]["open"] == 2


def test_what_was_taken_back_is_shown_as_gone_without_its_words(work: Work) -> None:
    case = work.says("mastodon:1", text="something private")
    work.room.hear(removals=[replace_source(removal("mastodon:1", at=NOON))])
    shown = work.agent().client.get(f"/api/v1/cases/{case}")
    assert "something private" not in shown.text
    [gone] = shown.json()["mentions"]
    assert (gone["part"], gone["kept"], gone["text"]) == ("dropped", False, "")


def replace_source(it: Any) -> Any:
    return msgspec.structs.replace(it, source="mastodon")


def test_only_the_holder_is_shown_the_token(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    token = ana.holding(case)
    assert ana.get(f"/cases/{case}")["lease"]["token"] == token
    seen = ben.get(f"/cases/{case}")["lease"]
    assert seen["token"] is None
    assert seen["holder"] == {"id": ana.user.id, "name": "ana"}


def test_history_tells_who_did_what_in_pages(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    token = ana.holding(case)
    ana.post(f"/cases/{case}/note", text="called the depot")
    ana.post(f"/cases/{case}/ask", question="is it there?", user=ben.user.id)
    ana.post(f"/cases/{case}/resolve", token=token, reason="arrived")
    first = ana.get(f"/cases/{case}/history", limit=2)
    second = ana.get(f"/cases/{case}/history", after=first["next"], limit=100)
    told = [*first["items"], *second["items"]]
    assert [it["kind"] for it in told] == ["opened", "claimed", "noted", "asked", "resolved"]
    assert told[1]["actor"] == {"id": ana.user.id, "name": "ana"}
    assert told[2]["says"] == {"text": "called the depot"}
    assert told[3]["says"]["user"] == {"id": ben.user.id, "name": "ben"}
    assert second["next"] is None


def test_a_case_that_is_not_there_is_not_found(work: Work) -> None:
    ana = work.agent()
    ana.get("/cases/nowhere", 404)
    ana.get("/cases/nowhere/history", 404)
    ana.post("/cases/nowhere/claim", 404)


# ---------------------------------------------------------------------------- leases


def test_who_comes_second_is_told_who_holds_it_and_until_when(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    ana.holding(case)
    told = ben.post(f"/cases/{case}/claim", 409)
    assert told["holder"]["name"] == "ana"
    assert told["until"]


def test_a_heartbeat_keeps_the_lease_and_a_release_ends_it(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    token = ana.holding(case)
    for _ in range(4):
        work.clock.advance(200)
        ana.post(f"/cases/{case}/heartbeat", token=token)
    ben.post(f"/cases/{case}/claim", 409)
    assert ana.post(f"/cases/{case}/release", token=token)["owner"] is None
    ben.post(f"/cases/{case}/claim")


def test_a_stale_token_changes_nothing_and_is_told_who_holds_it(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    stale = ana.holding(case)
    ben.post(f"/cases/{case}/takeover", reason="ana went home")
    for action, body in (
        ("resolve", {}),
        ("transfer", {"queue": "marketing", "reason": "theirs"}),
        ("snooze", {"until": "2026-01-06T09:00:00Z"}),
        ("priority", {"priority": "low"}),
        ("answered", {}),
        ("heartbeat", {}),
        ("release", {}),
    ):
        told = ana.post(f"/cases/{case}/{action}", 409, token=stale, **body)
        assert told["holder"]["name"] == "ben", action
    assert ana.get(f"/cases/{case}")["case"]["state"] == "claimed"


def test_without_a_token_nobody_changes_what_somebody_holds(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    ana.holding(case)
    assert ben.post(f"/cases/{case}/resolve", 409, reason="done")["holder"]["name"] == "ana"


def test_a_take_over_needs_a_reason_and_stands_in_the_audit_log(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    ana.holding(case)
    assert ben.post(f"/cases/{case}/takeover", 422, reason=" ")["errors"][0]["field"] == "reason"
    assert ben.post(f"/cases/{case}/takeover", reason="ana went home")["lease"]["token"] == 2
    [entry] = work.accounts.entries(about=f"case:{case}")
    assert (entry.actor, entry.action) == (ben.user.actor, "case.taken_over")


def test_a_lead_gives_a_case_to_somebody_who_works(work: Work) -> None:
    ana, lead, boss = work.agent(), work.agent("lea", "lead"), work.agent("bo", "operator")
    case = work.says()
    given = lead.post(f"/cases/{case}/assign", user=ana.user.id)
    assert given["owner"] == {"id": ana.user.id, "name": "ana"}
    for nobody in ("nobody", boss.user.id):
        assert lead.post(f"/cases/{case}/assign", 422, user=nobody)["errors"][0]["field"] == "user"


# ------------------------------------------------------------------------- working on it


def test_work_on_a_case_is_done_and_shown(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    token = ana.holding(case)
    assert ana.post(f"/cases/{case}/tag", add=["legal", "vip"], remove=["old"])["tags"] == ["legal", "vip"]
    assert ana.post(f"/cases/{case}/watch")["watchers"] == [{"id": ana.user.id, "name": "ana"}]
    assert ana.post(f"/cases/{case}/watch", stop=True)["watchers"] == []
    assert ana.post(f"/cases/{case}/priority", priority="urgent", token=token)["priority"] == "urgent"
    assert ana.post(f"/cases/{case}/escalate", reason="a lawyer writes")["escalated"]
    assert ana.post(f"/cases/{case}/ask", question="whose is it?", queue="marketing")["owner"]
    assert ana.post(f"/cases/{case}/answered", token=token, url="https://m.example/2")["state"] == "replied"
    assert ana.post(f"/cases/{case}/resolve", token=token, reason="sent anew")["state"] == "resolved"
    assert ana.post(f"/cases/{case}/resolve", 409)["detail"]
    assert ana.post(f"/cases/{case}/reopen", reason="it did not arrive")["state"] == "reopened"


def test_a_snooze_rests_until_its_time_or_until_somebody_wakes_it(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    until = (work.clock.now() + timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    assert ana.post(f"/cases/{case}/snooze", until=until)["wakes_at"] == until
    assert ana.post(f"/cases/{case}/wake")["state"] == "new"
    ana.post(f"/cases/{case}/wake", 409)


@pytest.mark.parametrize("until", ["2026-01-06T09:00:00", "tomorrow", 5, "1999-01-01T00:00:00Z", None])
def test_a_snooze_needs_a_time_to_come_with_its_zone(work: Work, until: object) -> None:
    case = work.says()
    told = work.agent().post(f"/cases/{case}/snooze", 422, until=until)
    assert [it["field"] for it in told["errors"]] == ["until"]


def test_a_transfer_frees_the_customer_for_the_other_queue(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben", "marketer")
    case = work.says()
    token = ana.holding(case)
    moved = ana.post(f"/cases/{case}/transfer", token=token, queue="marketing", reason="a sale")
    assert (moved["queue"], moved["owner"]) == ("marketing", None)
    assert ben.post("/queues/marketing/next")["case"]["id"] == case


def test_a_transfer_to_nowhere_names_the_field_and_the_queues(work: Work) -> None:
    case = work.says()
    told = work.agent().post(f"/cases/{case}/transfer", 422, queue="marketign", reason="a sale")
    [error] = told["errors"]
    assert error["field"] == "queue"
    assert "marketing, service" in error["message"] or "service, marketing" in error["message"]


def test_a_question_goes_to_a_queue_or_a_person_that_there_is(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    for body, field in (
        ({}, "queue"),
        ({"queue": "service", "user": ana.user.id}, "queue"),
        ({"queue": "nowhere"}, "queue"),
        ({"user": "nobody"}, "user"),
    ):
        assert ana.post(f"/cases/{case}/ask", 422, question="who?", **body)["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("note", {"text": ""}, "text"),
        ("note", {"text": "x" * 10_001}, "text"),
        ("note", {"text": "half \ud800 a character"}, "text"),
        ("note", {"txt": "hello", "text": "hello"}, "txt"),
        ("note", {"text": 5}, "text"),
        ("tag", {"add": ["x" * 61]}, "add.0"),
        ("tag", {"add": "vip"}, "add"),
        ("release", {}, "token"),
        ("release", {"token": "5"}, "token"),
        ("release", {"token": 2**60}, "token"),
        ("priority", {"priority": "asap"}, "priority"),
        ("escalate", {"reason": "\t"}, "reason"),
    ],
)
def test_a_body_that_cannot_be_used_names_its_field(work: Work, action: str, body: dict[str, Any], field: str) -> None:
    case = work.says()
    ana = work.agent()
    told = ana.client.post(
        f"/api/v1/cases/{case}/{action}",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert told.status_code == 422, told.text
    assert [it["field"] for it in told.json()["errors"]] == [field]


# ----------------------------------------------------------------------- corrections


def test_routed_wrong_is_counted_and_exported_with_words_and_tags(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    cases = [work.says(f"mastodon:{n}", author=str(n), text=f"post {n}") for n in range(5)]
    for case in cases[:4]:
        ana.post(f"/cases/{case}/transfer", queue="marketing", reason="a sale", wrong_route=True)
        work.clock.advance(1)
    ana.post(f"/cases/{cases[4]}/resolve")
    period = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    rows: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = lead.get("/corrections", limit=3, **period, **after)
        rows += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert [it["case"] for it in rows] == cases[:4]
    assert rows[0]["text"] == "post 0"
    assert rows[0]["tags"]["topics"] == ["delivery"]
    assert rows[0]["actor"]["name"] == "ana"
    counted = {
        (it["routed_queue"], it["right_queue"]): it["cases"]
        for it in lead.get("/corrections/confusion", **period)["items"]
    }
    assert counted == {("service", "marketing"): 4, ("service", "service"): 1}
    assert [it.action for it in work.accounts.entries(about="corrections")] == ["corrections.exported"] * 2


def test_what_was_tagged_wrong_is_exported_in_pages(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    labels = Labels(work.services.database, work.clock)
    for number in range(3):
        case = work.says(f"mastodon:{number}", author=str(number), conversation=str(number), text=f"post {number}")
        labels.correct(case, By(ana.user.actor), f"mastodon:{number}", "sentiment", "neutral")
    period = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    first = lead.get("/corrections/labels", limit=2, **period)
    second = lead.get("/corrections/labels", limit=2, after=first["next"], **period)
    rows = [*first["items"], *second["items"]]
    assert [it["text"] for it in rows] == ["post 0", "post 1", "post 2"]
    assert (rows[0]["label"], rows[0]["found"], rows[0]["right"]) == ("sentiment", "negative", "neutral")
    assert rows[0]["actor"]["name"] == "ana"
    assert second["next"] is None
    lead.get("/corrections/labels", 422, after="nonsense", **period)
