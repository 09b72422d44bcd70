"""The stream of events: what comes, in which order, to whom, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from console.api import events
from console.api.auth import Caller
from console.api.events import Hub, Stream, Wanted, of_cases
from console.api.problems import Refused
from console.api.schemas import V1
from desk.feed import Place, place
from desk.handling import By
from desk.users import User
from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.console.build import House, fresh
from tests.desk.staff import ADMIN

CONFIDED = "she wrote to us in confidence"


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    with fresh(tmp_path, clock) as store:
        yield House(store, clock)


class Radio:
    """A hub whose every reading of the feed is asked for by the test."""

    def __init__(self, house: House, buffer: int = 100) -> None:
        self.house = house
        self.me = house.person("ana")
        self.token = house.token(self.me)
        self.hub = Hub(of_cases(house.services.feed), house.clock, buffer=buffer)

    async def tune(self, after: Place | None = None, **wanted: str) -> Stream:
        held = self.house.accounts.by_token(self.token)
        assert held is not None
        me = Caller(held.user, held.may, "token", SecretStr(self.token), held.token.expires_at)
        stream = Stream(self.house.services, self.hub, me, Wanted(**wanted), after)
        await stream.open()
        return stream

    async def heard(self, stream: Stream) -> list[dict[str, Any]]:
        """What comes until the hub is closed."""
        await self.hub.tell()
        self.hub.leave(stream.listener)
        told = []
        async for message in stream.messages():
            lines = dict(line.split(": ", 1) for line in message.encode().decode().splitlines() if line)
            told.append(json.loads(lines["data"]) | {"id": lines["id"], "event": lines["event"]})
        stream.close()
        return told


def play(test: Callable[[], Awaitable[None]]) -> None:
    anyio.run(test)


def work(house: House, user: User, id: str = "test:1") -> str:
    """A case is opened, claimed and written about; five words of it must never be seen."""
    case = house.room.say(id, author=id, text=CONFIDED)
    held = house.room.cases.claim(case.id, user.actor)
    house.room.cases.note(case.id, By(user.actor, held.lease.token), CONFIDED)
    return case.id


def test_a_stream_begins_now_and_tells_what_happens_without_a_word_of_it(house: House) -> None:
    async def test() -> None:
        radio = Radio(house)
        work(house, radio.me, "test:0")
        stream = await radio.tune()
        case = work(house, radio.me)
        told = await radio.heard(stream)
        assert [it["kind"] for it in told] == ["opened", "claimed", "noted"]
        assert all(it["event"] == it["kind"] and it["case"] == case and it["queue"] == "service" for it in told)
        assert [it["number"] for it in told] == [1, 2, 3]
        assert told[1]["owner"] == told[1]["actor"] == radio.me.actor
        assert told[1]["until"].startswith("2026-01-05T09:05")
        assert CONFIDED not in str(told)
        assert "test:1" not in str(told)

    play(test)


def test_a_stream_goes_on_after_the_last_event_that_was_seen(house: House) -> None:
    async def test() -> None:
        radio = Radio(house)
        first = await radio.tune()
        work(house, radio.me, "test:0")
        seen = place((await radio.heard(first))[0]["id"])
        work(house, radio.me, "test:1")
        second = await radio.tune(after=seen)
        work(house, radio.me, "test:2")
        told = await radio.heard(second)
        assert [it["kind"] for it in told] == ["claimed", "noted", *["opened", "claimed", "noted"] * 2]
        assert len({it["id"] for it in told}) == len(told)

    play(test)


def test_a_stream_tells_of_one_case_or_one_queue_and_of_every_transfer(house: House) -> None:
    async def test() -> None:
        radio = Radio(house)
        by_case, by_queue = await radio.tune(case="none"), await radio.tune(queue="sales")
        case = work(house, radio.me)
        token = house.room.cases.case(case).token
        house.room.cases.transfer(case, By(radio.me.actor, token), "billing", "theirs")
        assert await radio.heard(by_case) == []
        assert [it["kind"] for it in await radio.heard(by_queue)] == ["transferred"]

    play(test)


def test_who_takes_too_little_is_cut_off_and_has_missed_nothing(house: House) -> None:
    async def test() -> None:
        radio = Radio(house, buffer=2)
        slow = await radio.tune()
        work(house, radio.me)
        told = await radio.heard(slow)
        assert [it["kind"] for it in told] == ["opened", "claimed"]
        again = await radio.tune(after=place(told[-1]["id"]))
        assert [it["kind"] for it in await radio.heard(again)] == ["noted"]

    play(test)


def test_one_reading_serves_all_who_listen_and_nobody_is_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = 0
    read = events.read

    def counted(*arguments: Any) -> Any:
        nonlocal readings
        readings += 1
        return read(*arguments)

    monkeypatch.setattr(events, "read", counted)

    async def test() -> None:
        radio = Radio(house)
        await radio.hub.tell()
        assert readings == 0
        streams = [await radio.tune() for _ in range(20)]
        work(house, radio.me)
        await radio.hub.tell()
        assert readings == 1
        assert all([len(await radio.heard(stream)) == 3 for stream in streams])

    play(test)


@pytest.mark.parametrize("how", ["revoked", "disabled", "roles"])
def test_a_stream_ends_soon_after_its_caller_may_no_longer(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(events, "CHECK_SECS", 0.01)

    async def test() -> None:
        radio = Radio(house)
        stream = await radio.tune()
        if how == "revoked":
            house.accounts.revoke(house.accounts.tokens(radio.me.id)[0].id, ADMIN)
        elif how == "disabled":
            house.accounts.disable(radio.me.id, ADMIN)
        else:
            house.accounts.set_roles(radio.me.id, ["operator"], ADMIN)
        with anyio.fail_after(30):
            assert [it async for it in stream.messages()] == []
        stream.close()

    play(test)


def test_all_streams_end_when_the_process_is_asked_to_stop(house: House) -> None:
    async def test() -> None:
        radio = Radio(house)
        stream = await radio.tune()
        house.clock.stop()
        await radio.hub.run()
        assert [it async for it in stream.messages()] == []
        stream.close()
        with pytest.raises(Refused):
            await radio.hub.join()

    play(test)


def test_when_events_cannot_be_read_streams_end_instead_of_falling_silent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        radio = Radio(house)
        stream = await radio.tune()

        def broken(*_: Any) -> Any:
            raise RuntimeError("an event of a later version")

        monkeypatch.setattr(events, "read", broken)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(radio.hub.run)
            with anyio.fail_after(30):
                assert [it async for it in stream.messages()] == []
            stream.close()
            assert not house.clock.stopping
            tasks.cancel_scope.cancel()

    play(test)


def test_an_id_that_is_none_is_refused_before_the_stream_begins(house: House) -> None:
    client = house.client(house.person())
    answer = client.get(f"{V1}/events", headers={"Last-Event-ID": "yesterday"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Last-Event-ID"


def test_only_who_may_read_cases_listens(house: House) -> None:
    assert house.client().get(f"{V1}/events").status_code == 401
    assert house.client(house.person("otto", "operator")).get(f"{V1}/events").status_code == 403


def test_over_http_a_stream_resumes_by_the_header(house: House) -> None:
    ana = house.person()
    work(house, ana)
    with house.client(ana) as client, client.stream("GET", f"{V1}/events", headers={"Last-Event-ID": "0-1"}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        names = []
        for line in answer.iter_lines():
            if line.startswith("event:"):
                names.append(line.removeprefix("event:").strip())
            if len(names) == 2:
                break
        assert names == ["claimed", "noted"]


def test_on_either_database_events_know_their_queue_and_an_address_its_account(
    store_url: str, clock: ManualClock
) -> None:
    store = Store(store_url, clock)
    store.upgrade()
    house = House(store, clock)
    ana, _ = house.accounts.add_user("ana", ["agent"], ADMIN, "Ana@Example.org")
    work(house, ana)
    assert [it.queue for it in events.read(house.services.feed, place("0-0"))] == ["service"] * 3
    signed_in = house.accounts.sign_in_vouched("ana@example.ORG", "oidc")
    assert signed_in is not None
    assert signed_in.user.id == ana.id
    assert house.client(ana).get(f"{V1}/me/tokens?limit=1").json()["next"] is None
    store.close()
