"""The stream of incidents: what comes of them, to whom, without a word that anybody wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from console.api.auth import Caller
from console.api.events import Hub, Stream, Wanted, of_incidents
from console.api.schemas import V1
from desk.feed import START, Place, place
from desk.roles import ROLES
from pipeline.clock import ManualClock
from pipeline.store import Store
from spikes.detection import Severity
from spikes.feed import IncidentFeed
from spikes.incidents import Incidents
from tests.console.build import House, fresh
from tests.desk.staff import ADMIN
from tests.spikes.seen import seen

CONFIDED = "told us in confidence"


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    with fresh(tmp_path, clock) as store:
        yield House(store, clock)


class Desk:
    """Incidents that are seen and worked on."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.incidents = Incidents(store._db, clock)
        self.feed = IncidentFeed(store._db, clock)

    def see(self, minute: float = 0, severity: Severity = Severity.MINOR, **changes: Any) -> str:
        with self.store._db.write() as transaction:
            return self.incidents.detected(transaction, seen(minute, severity=severity, **changes)).id


async def heard(house: House, work: Any, after: Place | None = None) -> list[dict[str, Any]]:
    """What a stream of incidents tells while this work is done."""
    hub = Hub(of_incidents(IncidentFeed(house.services.database, house.clock)), house.clock)
    user = house.person("olga", "operator")
    token = house.accounts.by_token(house.token(user))
    assert token is not None
    me = Caller(token.user, token.may, "token", SecretStr("x"), token.token.expires_at)
    stream = Stream(house.services, hub, me, Wanted(incidents=True), after)
    await stream.open()
    work()
    await hub.tell()
    hub.leave(stream.listener)
    told = []
    async for message in stream.messages():
        lines = dict(line.split(": ", 1) for line in message.encode().decode().splitlines() if line)
        told.append(json.loads(lines["data"]) | {"place": lines["id"], "event": lines["event"]})
    stream.close()
    house.accounts.disable(user.id, ADMIN)
    return told


def test_it_tells_what_becomes_of_incidents_and_no_word_of_it(house: House) -> None:
    desk = Desk(house.room.store, house.clock)
    desk.see()

    def work() -> None:
        id = desk.see(3000)
        desk.see(3010, severity=Severity.CRITICAL)
        desk.incidents.acknowledge(id, "user:mara", text=CONFIDED)
        desk.incidents.note(id, "user:mara", CONFIDED)
        house.room.say("test:1", text=CONFIDED)

    told = anyio.run(heard, house, work)
    assert [it["event"] for it in told] == ["incident.opened", *["incident.changed"] * 3]
    assert [it["change"] for it in told] == ["opened", "grew", "acknowledged", "noted"]
    assert [it["number"] for it in told] == [1, 2, 3, 4]
    (id,) = {it["id"] for it in told}
    now = desk.incidents.incident(id)
    stands = {(it["kind"], it["severity"], it["state"], it["brand"]) for it in told}
    assert stands == {(now.kind.value, "critical", "acknowledged", now.brand)}
    assert CONFIDED not in str(told)


def test_it_goes_on_after_the_last_event_that_was_seen(house: House) -> None:
    desk = Desk(house.room.store, house.clock)
    id = desk.see()
    desk.incidents.acknowledge(id, "user:mara")
    ((first, _), (last, _)) = desk.feed.after(START)
    assert desk.feed.end() == last
    told = anyio.run(heard, house, lambda: desk.incidents.close(id, "user:mara"), first)
    assert [it["change"] for it in told] == ["acknowledged", "closed"]
    assert place(told[0]["place"]) == last


def test_what_commits_late_is_not_passed_over(store: Store, clock: ManualClock) -> None:
    if store._db.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    desk = Desk(store, clock)
    id = desk.see()
    before = desk.feed.end()
    with store._db.write() as transaction:
        transaction.run(select(func.pg_current_xact_id()))  # it has its number from here on
        desk.incidents.acknowledge(id, "user:mara")
        assert desk.feed.after(before) == []
    ((_, change),) = desk.feed.after(before)
    assert (change.what, change.state, change.severity) == ("acknowledged", "acknowledged", "minor")


@pytest.mark.parametrize("role", ROLES)
def test_only_who_may_read_incidents_listens(house: House, role: str) -> None:
    user = house.person("per", role)
    client = house.client(user)
    refused = client.get(f"{V1}/events?incidents=1", headers={"Last-Event-ID": "no id"}).status_code
    assert refused == (422 if "incidents.read" in user.may else 403)
    refused = client.get(f"{V1}/events", headers={"Last-Event-ID": "no id"}).status_code
    assert refused == (422 if "cases.read" in user.may else 403)


def test_incidents_stand_in_place_of_queues_and_cases(house: House) -> None:
    answer = house.client(house.person()).get(f"{V1}/events?incidents=1&queue=service")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "incidents"


def test_over_http_a_stream_of_incidents_resumes_by_the_header(house: House) -> None:
    desk = Desk(house.room.store, house.clock)
    id = desk.see()
    desk.incidents.acknowledge(id, "user:mara")
    url = f"{V1}/events?incidents=1"
    with house.client(house.person()) as client, client.stream("GET", url, headers={"Last-Event-ID": "0-1"}) as answer:
        names = (line.removeprefix("event:").strip() for line in answer.iter_lines() if line.startswith("event:"))
        assert next(names) == "incident.changed"
