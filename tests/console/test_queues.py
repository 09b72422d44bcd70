"""Queues over HTTP: how they stand, lists, and the next case."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from pipeline.clock import ManualClock
from pipeline.mention import Priority
from pipeline.store import Store
from tests.console.work import Api, Work
from tests.store.samples import NOON, minutes


def test_queues_are_listed_with_what_is_ready_held_and_due(work: Work) -> None:
    ana = work.agent()
    work.says("mastodon:1", author="a", priority=Priority.URGENT)
    work.says("mastodon:2", author="b", priority=Priority.LOW)
    held = work.says("mastodon:3", author="c")
    ana.holding(held)
    marketing, service = ana.get("/queues")["items"]
    assert marketing == marketing | {"name": "marketing", "ready": 0, "approval": "always", "first_due": None}
    assert service == service | {"name": "service", "ready": 2, "held": 1, "resting": 0, "urgent": 1, "low": 1}


def test_next_gives_the_most_urgent_case_and_its_token(work: Work) -> None:
    ana = work.agent()
    work.says("mastodon:1", author="a", priority=Priority.NORMAL)
    urgent = work.says("mastodon:2", author="b", priority=Priority.URGENT)
    taken = ana.post("/queues/service/next")
    assert taken["case"]["id"] == urgent
    assert taken["case"]["owner"] == {"id": ana.user.id, "name": "ana"}
    assert taken["lease"]["token"] == 1


def test_next_of_an_empty_queue_is_no_content(work: Work) -> None:
    assert work.agent().post("/queues/service/next", 204) is None


def test_an_unknown_queue_is_not_found(work: Work) -> None:
    ana = work.agent()
    ana.get("/queues/nowhere/cases", 404)
    ana.post("/queues/nowhere/next", 404)


def test_a_queue_the_rules_dropped_is_listed_while_it_has_cases(work: Work) -> None:
    ana = work.agent()
    work.says("mastodon:1", queue="old")
    assert "old" in [it["name"] for it in ana.get("/queues")["items"]]
    assert len(ana.get("/queues/old/cases")["items"]) == 1
    assert ana.post("/queues/old/next")["case"]["queue"] == "old"


def test_who_is_set_up_for_some_queues_takes_from_these_only(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    work.says("mastodon:1", author="a", queue="service", priority=Priority.URGENT)
    wanted = work.says("mastodon:2", author="b", queue="marketing")
    lead.put(f"/agents/{ana.user.id}", queues=["marketing"])
    assert "service" in ana.post("/queues/service/next", 403)["detail"]
    assert ana.post("/next")["case"]["id"] == wanted
    assert ana.post("/next", 204) is None


def test_next_over_all_queues_is_for_whoever_is_not_set_up(work: Work) -> None:
    ana = work.agent()
    work.says("mastodon:1", author="a", queue="marketing", priority=Priority.LOW)
    urgent = work.says("mastodon:2", author="b", queue="service", priority=Priority.URGENT)
    assert ana.post("/next")["case"]["id"] == urgent


def test_languages_decide_what_next_gives(work: Work) -> None:
    ana, lead = work.agent(), work.agent("lea", "lead")
    work.says("mastodon:1")  # in English
    lead.put(f"/agents/{ana.user.id}", languages=["fr"])
    ana.post("/queues/service/next", 204)
    lead.put(f"/agents/{ana.user.id}", languages=["fr", "en"])
    ana.post("/queues/service/next")


def test_pages_of_a_queue_hold_every_case_once(store: Store, clock: ManualClock) -> None:
    work = Work(store, clock)
    ana = work.agent()
    made = {work.says(f"mastodon:{n}", author=str(n), created_at=NOON + minutes(n)) for n in range(7)}
    for order in ("urgency", "newest", "oldest"):
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = ana.get("/queues/service/cases", order=order, limit=3, **after)
            seen += [it["id"] for it in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert sorted(seen) == sorted(made)


def test_lists_can_be_filtered(work: Work) -> None:
    ana = work.agent()
    mine = work.says("mastodon:1", author="a", brand="acme", priority=Priority.URGENT)
    other = work.says("mastodon:2", author="b", queue="marketing")
    token = ana.holding(mine)
    ana.post(f"/cases/{other}/tag", add=["legal"])

    def ids(path: str = "/cases", **query: object) -> list[str]:
        return [it["id"] for it in ana.get(path, **query)["items"]]

    assert ids(owner="me") == ids(owner=ana.user.id) == [mine]
    assert ids(owner="me", order="urgency") == [mine]
    assert ids(author="mastodon:b") == ids(tag="legal") == ids("/queues/marketing/cases") == [other]
    assert ids(priority="urgent") == ids(state="claimed") == [mine]
    assert ids(state=["claimed", "new"]) == [other, mine] or ids(state=["claimed", "new"]) == [mine, other]
    assert ids(due_before="1999-01-01T00:00:00Z") == []
    ana.post(f"/cases/{mine}/resolve", token=token)
    assert ids(open="true") == [other]
    assert ids(open="false") == [mine]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 501}, "limit"),
        ({"limit": 0}, "limit"),
        ({"after": "nonsense"}, "after"),
        ({"state": "gone"}, "state.0"),
        ({"priority": "asap"}, "priority"),
        ({"due_before": "2026-01-05T09:00:00"}, "due_before"),
        ({"due_before": "0"}, "due_before"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(work: Work, query: dict[str, object], field: str) -> None:
    told = work.agent().get("/queues/service/cases", 422, **query)
    assert [it["field"] for it in told["errors"]] == [field]


def test_by_urgency_needs_a_queue_or_an_owner(work: Work) -> None:
    assert work.agent().get("/cases", 422, order="urgency")["errors"][0]["field"] == "order"


def test_a_lease_that_ran_out_is_given_to_the_next(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    ana.holding(case)
    assert ben.post("/queues/service/next", 204) is None
    work.clock.advance(timedelta(seconds=301).total_seconds())
    assert ben.post("/queues/service/next")["lease"]["token"] == 2


@pytest.mark.postgres
def test_twenty_who_ask_at_once_are_never_given_the_same_case(postgres_url: str, clock: ManualClock) -> None:
    store = Store(postgres_url, clock)
    store.upgrade()
    work = Work(store, clock)
    made = {work.says(f"mastodon:{n}", author=str(n)) for n in range(60)}
    people = [work.agent(f"agent{n}") for n in range(20)]
    together = Barrier(len(people))

    def three(ana: Api) -> list[str]:
        together.wait()
        return [ana.post("/queues/service/next")["case"]["id"] for _ in range(3)]

    with ThreadPoolExecutor(len(people)) as pool:
        taken = [id for ids in pool.map(three, people) for id in ids]
    assert sorted(taken) == sorted(made)
    assert people[0].post("/queues/service/next", 204) is None
    store.close()
