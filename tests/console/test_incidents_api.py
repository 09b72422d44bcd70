"""Incidents over HTTP: found, read whole, worked on by the people who may, with one outgoing voice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from spikes.playbooks import read
from tests.console.work import Api, Work, storm


@pytest.fixture
def incident(work: Work) -> str:
    return storm(work)


@pytest.fixture
def mara(work: Work) -> Api:
    return work.agent("mara", "marketer")


def test_a_firestorm_is_listed_and_shown_whole(work: Work, mara: Api, incident: str) -> None:
    (listed,) = mara.get("/incidents")["items"]
    assert (listed["id"], listed["kind"], listed["severity"], listed["state"]) == (
        incident, "firestorm", "major", "open",
    )  # fmt: skip
    assert (listed["posts"], listed["authors"]) == (12, 12)
    shown = mara.get(f"/incidents/{incident}")
    assert shown["incident"] == listed
    assert "12 people" in shown["paragraph"]
    assert shown["story"]["first"]["mention"] == "x:storm0"
    assert [it["kind"] for it in shown["timeline"]] == ["opened"]
    assert shown["timeline"][0]["actor"] == {"id": "system:spikes", "name": "spikes"}
    assert sum(it["mentions"] for it in shown["cases"]) == 12
    assert shown["series"]["brand"] == "acme"
    assert len(shown["series"]["items"]) >= 15


def test_an_incident_is_worked_on_from_first_sight_to_review(work: Work, mara: Api, incident: str) -> None:
    where = f"/incidents/{incident}"
    taken = mara.post(f"{where}/acknowledge", text="on it")
    assert (taken["state"], taken["acknowledged_by"]["name"]) == ("acknowledged", "mara")
    mara.post(f"{where}/note", text="rang the station")
    out = mara.post(f"{where}/statement", text="We are sorry.", url="https://acme.example/news")
    assert out["state"] == "statement_out"
    assert mara.post(f"{where}/calm")["state"] == "calming"
    assert mara.post(f"{where}/close", text="quiet since noon")["closed_by"]["name"] == "mara"
    review = mara.get(f"{where}/review")
    assert (review["statements"], review["posts"]) == (["We are sorry."], 12)
    assert review["to_detection"] == timedelta(minutes=15).total_seconds()
    assert review["to_acknowledgement"] == timedelta(minutes=20).total_seconds()
    assert mara.post(f"{where}/reopen")["state"] == "reopened"
    timeline = mara.get(where)["timeline"]
    assert [it["kind"] for it in timeline] == [
        "opened", "acknowledged", "noted", "statement_out", "calming", "closed", "reopened",
    ]  # fmt: skip
    assert timeline[3]["text"] == "We are sorry."
    assert timeline[3]["says"] == {"url": "https://acme.example/news"}


def test_of_two_people_one_sees_to_it_and_the_other_is_told_who(work: Work, mara: Api, incident: str) -> None:
    lea = work.agent("lea", "lead")
    read = lea.get(f"/incidents/{incident}")["incident"]["version"]
    mara.post(f"/incidents/{incident}/acknowledge")
    assert "mara" in str(lea.post(f"/incidents/{incident}/acknowledge", 409)["holder"])
    assert lea.post(f"/incidents/{incident}/close", 409, text="over", version=read)


def test_an_agent_reads_incidents_and_changes_none(work: Work, incident: str) -> None:
    ana = work.agent("ana")
    assert ana.get(f"/incidents/{incident}")["incident"]["state"] == "open"
    for change in ("acknowledge", "calm", "close", "reopen"):
        assert ana.post(f"/incidents/{incident}/{change}", 403)["needs"] == ["incidents.work"]


def test_lists_are_filtered_and_come_in_pages(work: Work, mara: Api, incident: str) -> None:
    assert mara.get("/incidents", brand="other")["items"] == []
    assert mara.get("/incidents", state="closed")["items"] == []
    assert mara.get("/incidents", open=True, kind="firestorm", brand="acme")["items"]
    first = mara.get(f"/incidents/{incident}/cases", limit=7)
    rest = mara.get(f"/incidents/{incident}/cases", limit=7, after=first["next"])
    ids = [it["case"]["id"] for it in (*first["items"], *rest["items"])]
    assert len(set(ids)) == 12
    assert rest["next"] is None
    mara.get("/incidents", 422, after="nonsense")


def test_its_cases_follow_one_whose_answer_settles_them(work: Work, mara: Api, incident: str) -> None:
    cases = [it["case"]["id"] for it in mara.get(f"/incidents/{incident}/cases")["items"]]
    where = f"/incidents/{incident}/cases/follow"
    late = work.clock.now() - timedelta(minutes=10)
    other = work.says("x:train", author="t", text="acme train late as on any day", created_at=late)
    work.services.incidents.attach(incident, ["x:train"])
    assert mara.post(where, case=cases[0], note="one statement") == {"joined": 11, "left": 1}
    told = mara.get(f"/incidents/{incident}")["timeline"][-1]
    assert told["text"] == f"11 cases follow case {cases[0]}, 1 go on by themselves: one statement"
    assert mara.get(f"/cases/{other}")["case"]["lead"] is None
    mara.post(where, 422, case=work.says("x:other", author="o"), note="not of it")
    mara.post(where, 409, case=cases[1], note="it follows another")
    mara.post(f"/cases/{cases[0]}/answered", token=mara.holding(cases[0]), url="https://acme.example/news")
    work.room.cases.settle_waves()
    assert {mara.get(f"/cases/{id}")["case"]["state"] for id in cases[1:]} == {"resolved"}


def test_one_approved_statement_answers_its_cases(work: Work, mara: Api, incident: str) -> None:
    cases = [it["case"]["id"] for it in mara.get(f"/incidents/{incident}/cases")["items"]]
    lea, where = work.agent("lea", "lead"), f"/incidents/{incident}"
    mara.post(f"{where}/cases/follow", case=cases[0], note="one statement")
    draft = mara.post(f"/cases/{cases[0]}/drafts", 201, text="We are sorry.")["id"]
    mara.post(f"{where}/answer", 409, draft=draft)
    mara.post(f"/drafts/{draft}/submit")
    lea.post(f"/drafts/{draft}/approve")
    begun = mara.post(f"{where}/answer", draft=draft)
    assert (begun["state"], begun["lead"], begun["answer"]) == ("statement_out", cases[0], draft)
    shown = mara.get(where)
    assert shown["answers"] == {"draft": draft, "sent": 0, "waiting": 0, "failed": 0, "left": 11}
    assert shown["timeline"][-1]["says"]["draft"] == draft
    assert mara.post(f"{where}/answer/stop", text="wait")["answer"] is None
    mara.post(f"{where}/answer/stop", 409)


def test_a_token_that_may_not_send_starts_no_answers(work: Work, incident: str) -> None:
    client = work.client()
    mara = work.person("mara", "marketer")
    client.headers["Authorization"] = f"Bearer {work.token(mara, 'incidents.work')}"
    refused = client.post(f"/api/v1/incidents/{incident}/answer", json={"draft": "d"})
    assert (refused.status_code, refused.json()["needs"]) == (403, ["replies.send"])


def test_it_says_what_is_promised_and_whether_that_was_kept(work: Work, mara: Api, incident: str) -> None:
    assert mara.get(f"/incidents/{incident}")["incident"]["promises"] == []
    promising = read("playbooks: [{name: a, service_level: {acknowledge: 15m, statement: 1h}}]", "p")
    work.services.incidents._playbooks = promising
    mara.post(f"/incidents/{incident}/acknowledge")
    work.clock.advance(7200)
    (listed,) = mara.get("/incidents")["items"]
    assert [(it["name"], it["kept"]) for it in listed["promises"]] == [("acknowledge", True), ("statement", False)]
    assert [it["kept"] for it in mara.get(f"/incidents/{incident}/review")["promises"]] == [True, False]


def test_a_series_is_bounded_and_of_one_facet(work: Work, mara: Api) -> None:
    times = {"since": "2026-01-05T08:00:00Z", "until": "2026-01-05T09:00:00Z"}
    found = mara.get("/series", brand="acme", facet="topic", value="delivery", **times)
    assert (found["facet"], len(found["items"]), found["items"][0]["mentions"]) == ("topic", 12, 0)
    mara.get("/series", 422, brand="acme", facet="topic", **times)
    mara.get("/series", 422, brand="acme", value="delivery", **times)
    mara.get("/series", 422, brand="acme", since=times["until"], until=times["since"])
    mara.get("/series", 422, brand="acme", since="2020-01-01T00:00:00Z", until="2026-01-01T00:00:00Z")


def test_what_there_is_not_is_a_404(work: Work, mara: Api) -> None:
    for path in ("", "/review", "/cases"):
        mara.get(f"/incidents/none{path}", 404)
    mara.post("/incidents/none/acknowledge", 404)
