"""Who may buy, and who speaks well of a brand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from desk.advocates import Advocates
from desk.leads import Leads
from desk.refusals import Unfit
from pipeline.clock import ManualClock
from pipeline.mention import Intent, Sentiment, Tags
from pipeline.store import Store, scan
from tests.desk.build import Room
from tests.store.samples import NOON, filtered, minutes, routed

LATER = NOON + timedelta(days=1)


def tags(name: str, score: float = 0.8, mood: float = 0.0, **more: Any) -> Tags:
    label: Any = "positive" if mood > 0 else "negative" if mood < 0 else "neutral"
    words = (f"a {name}",)
    found: dict[str, Any] = {"brand": "acme", "intents": (Intent(name=name, score=score, words=words),)}
    return Tags(**found | {"sentiment": Sentiment(label=label, score=mood)} | more)


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store, ManualClock(NOON))


def leads(room: Room, **more: Any) -> Any:
    return Leads(room.store._db, ManualClock()).leads(NOON - timedelta(days=7), LATER, **more)


def advocates(room: Room, brands: list[str] | None = None) -> Any:
    return Advocates(room.store._db, ManualClock()).advocates(NOON - timedelta(days=7), LATER, brands)


def test_a_lead_says_why_it_is_one_and_where_it_is(room: Room) -> None:
    case = room.say("test:1", tags=tags("lead", 0.9), queue="sales", created_at=NOON)
    room.say("test:2", tags=tags("complaint"), created_at=NOON)
    room.say("test:3", tags=tags("lead", 0.3), created_at=NOON)
    (lead,) = leads(room).leads
    assert (lead.said.mention.id, lead.score, lead.words) == ("test:1", 0.9, ("a lead",))
    assert (lead.case, lead.state, lead.queue, lead.owner) == (case.id, "new", "sales", None)


def test_what_only_names_a_lead_is_none(room: Room) -> None:
    room.say("test:1", text='they said "name":"lead" to me', tags=tags("praise"), created_at=NOON)
    assert leads(room).leads == ()


def test_leads_come_newest_first_of_the_brand_that_is_asked_for(room: Room) -> None:
    for number in range(4):
        brand = "acme" if number % 2 else "globex"
        room.say(
            f"test:{number}", tags=tags("lead", brand=brand), author=f"a{number}", created_at=NOON + minutes(number)
        )
    room.hear(filtered("test:9", tags=tags("lead"), created_at=NOON))
    assert [it.said.mention.id for it in leads(room).leads] == ["test:3", "test:2", "test:1", "test:0"]
    assert [it.said.mention.id for it in leads(room, brands=["acme"]).leads] == ["test:3", "test:1"]


def test_leads_go_on_where_the_page_before_ended(room: Room) -> None:
    for number in range(5):
        room.say(f"test:{number}", tags=tags("lead"), author=f"a{number}", created_at=NOON + minutes(number // 2))
    seen, after = [], None
    while True:
        page = leads(room, after=after, limit=2)
        seen += [it.said.mention.id for it in page.leads]
        if (after := page.next) is None:
            break
    assert seen == ["test:4", "test:3", "test:2", "test:1", "test:0"]
    assert page.upto == NOON - timedelta(days=7)
    with pytest.raises(Unfit, match="after"):
        leads(room, after="nonsense")


def test_a_look_is_bounded_and_says_how_far_it_went(room: Room) -> None:
    room.hear(
        *(routed(f"test:{n}", tags=tags("praise" if n else "lead"), created_at=NOON + minutes(n)) for n in range(8))
    )
    with room.store._db.read() as transaction:

        def look(after: Any = None) -> scan.Found:
            return scan.newest(transaction, NOON, LATER, holding=b'"name":"lead"', after=after, looked_at=5)

        first = look()
        assert (first.mentions, first.next) == ([], (NOON + minutes(3), "test:3"))
        second = look(first.next)
        assert ([it.mention.id for it in second.mentions], second.next) == (["test:0"], None)


def test_advocates_praise_often_and_are_heard(room: Room) -> None:
    said = [("loud", 100_000), ("loud", 100), ("once", 100), ("mixed", 100)]
    for number, (author, reach) in enumerate(said):
        praise = tags("praise", 0.9, 0.8, reach=reach)
        room.say(f"test:{number}", author=author, tags=praise, text="lovely people", created_at=NOON + minutes(number))
    for number in range(3):
        room.say(f"test:1{number}", author="mixed", tags=tags("complaint", 0.9, -0.8), created_at=NOON)
    first, second = advocates(room)
    assert (first.account, first.praises, first.reach) == ("test:loud", 2, 100_000)
    assert (second.account, second.praises) == ("test:once", 1)
    assert first.score > second.score > 0
    assert first.newest.mention.id == "test:1"


def test_what_is_no_praise_of_their_own_makes_no_advocate(room: Room) -> None:
    room.say("test:1", author="a", tags=tags("praise", 0.9, 0.8, repost=True), created_at=NOON)
    room.say("test:2", author="b", tags=tags("praise", 0.3, 0.8), created_at=NOON)
    room.hear(filtered("test:3", "spam", author="c", tags=tags("praise", 0.9, 0.8), created_at=NOON))
    room.hear(routed("test:4", author="d", own=True, tags=tags("praise", 0.9, 0.8), created_at=NOON))
    room.say("test:5", author="e", tags=tags("praise", 0.9, 0.8, brand="globex"), created_at=NOON)
    assert advocates(room, ["acme"]) == []
    assert [it.account for it in advocates(room)] == ["test:e"]
