"""The search: what is found, in which order, and that nothing typed does more than look for words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from desk import search
from desk.refusals import Unfit
from desk.search import Hits, Search
from pipeline.clock import ManualClock
from pipeline.mention import Author, Media
from pipeline.store import Store
from pipeline.store.search_tables import searchable
from pipeline.store.words import MOST_ASKED, asked, words_of
from tests.desk.build import Room
from tests.store.samples import NOON, filtered, minutes, removal, routed


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    clock.advance((NOON + timedelta(days=1) - clock.now()).total_seconds())
    return Room(store, clock)


@pytest.fixture
def finder(store: Store, clock: ManualClock) -> Search:
    return Search(store._db, clock)


def ids(found: Hits) -> list[str]:
    return [hit.routed.mention.id for hit in found.items]


def left(store: Store) -> int:
    with store._db.read() as transaction:
        return len(transaction.run(select(searchable)).all())


def test_all_words_must_stand_in_it_in_whatever_case_and_order(room: Room, finder: Search) -> None:
    room.hear(routed("test:1", text="ACME lost my parcel, again!"), routed("test:2", text="acme found my parcel"))
    assert ids(finder.mentions("Parcel LOST")) == ["test:1"]
    assert ids(finder.mentions("parcel")) == ["test:2", "test:1"]
    assert ids(finder.mentions("parcels")) == []


def test_a_phrase_stands_there_word_by_word_and_within_one_part(room: Room, finder: Search) -> None:
    room.hear(
        routed("test:1", text="my parcel lost, found"),
        routed("test:2", text="lost my parcel"),
        routed("test:3", text="they lost", title="my parcel"),
    )
    assert ids(finder.mentions('"lost my parcel"')) == ["test:2"]
    assert ids(finder.mentions("\u201elost my\u201c")) == ["test:2"]
    assert ids(finder.mentions('"lost my parcel')) == ["test:2"], "its end may be forgotten"
    assert ids(finder.mentions("parcel-lost")) == ["test:1"], "one word to whoever types it"


def test_a_handle_finds_what_its_account_said(room: Room, finder: Search) -> None:
    said = routed("test:1", text="hello")
    ana = Author(id="7", handle="@Ana.Example", name="Ana Gram")
    by = type(said)(mention=_with(said.mention, author=ana), tags=said.tags, decision=said.decision)
    room.hear(by, routed("test:2", text="hello ana, hello @ana.example", author="ben"))
    for typed in ("@ana.example", "@ANA", "hello @ana", "gram"):
        assert ids(finder.mentions(typed)) == ["test:1"], typed
    assert ids(finder.mentions("ana")) == ["test:2", "test:1"]


def _with(mention: Any, **changes: Any) -> Any:
    return type(mention)(**{name: getattr(mention, name) for name in mention.__struct_fields__} | changes)


def test_the_newest_come_first_and_pages_go_on_where_the_last_ended(room: Room, finder: Search) -> None:
    room.hear(*(routed(f"test:{it}", text="parcel", created_at=NOON + minutes(it // 2)) for it in range(9)))
    pages, after = [], None
    while True:
        page = finder.mentions("parcel", after, limit=2)
        pages.append(ids(page))
        if (after := page.next) is None:
            break
    assert [len(page) for page in pages] == [2, 2, 2, 2, 1]
    assert [it for page in pages for it in page] == [f"test:{it}" for it in range(8, -1, -1)]


def test_a_case_is_found_once_with_the_newest_that_matches(room: Room, finder: Search) -> None:
    for it in range(6):
        room.say(f"test:{it}", text=f"parcel {it}", author="ana", conversation="c", created_at=NOON + minutes(it))
    other = room.say("test:9", text="parcel", author="ben", created_at=NOON - minutes(5))
    room.hear(filtered("test:8", text="parcel", created_at=NOON - minutes(1)))
    for limit in (1, 2, 50):
        first = finder.cases("parcel", limit=limit)
        found = [*first.items, *(finder.cases("parcel", first.next, limit).items if first.next else ())]
        assert [(it.routed.mention.id, it.case) for it in found] == [
            ("test:5", room.of("test:5").id),
            ("test:9", other.id),
        ]
    assert finder.mentions("parcel", limit=1).items[0].case == room.of("test:5").id
    assert len(finder.mentions("parcel").items) == 8


@pytest.mark.parametrize("near", [2, 5, 1000])
def test_what_is_rare_and_what_is_far_back_is_found_whichever_way_it_is_looked_for(
    room: Room, finder: Search, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "ONE_BY_ONE", near)
    ages = [0, 1, 30, 70, 500, 2000, 4000, 30_000, 90_000, 300_000, 600_000, 5_000_000]
    room.hear(
        *(
            routed(f"test:{it}", text="parcel even" if it % 2 else "parcel odd", created_at=NOON - minutes(age))
            for it, age in enumerate(ages)
        )
    )
    expected = [f"test:{it}" for it in range(len(ages))]
    assert ids(finder.mentions("parcel")) == expected
    assert ids(finder.mentions("even parcel")) == expected[1::2]
    page = finder.mentions("parcel", limit=5)
    assert ids(page) + ids(finder.mentions("parcel", page.next)) == expected


def test_words_that_are_written_otherwise_are_found(room: Room, finder: Search) -> None:
    texts = {
        "test:1": "\uff21cme\u200bWidget kaput \U0001f621",
        "test:2": "東京でアクメは最低",
        "test:3": "Cafe\u0301 straße",
        "test:4": "क्या हाल है",
        "test:5": "\u202eevil\u202c أكمي سيئة",
    }
    room.hear(*(routed(id, text=text) for id, text in texts.items()))
    room.hear(routed("test:6", text="", media=(Media(url="https://x.example/1", alt="a broken kettle"),)))
    for typed, id in {
        "acmewidget": "test:1",
        "\U0001f621": "test:1",
        "アクメ": "test:2",
        "最低": "test:2",
        "CAFÉ": "test:3",
        "STRASSE": "test:3",
        "हाल": "test:4",
        "evil": "test:5",
        "سيئة": "test:5",
        "kettle": "test:6",
    }.items():
        assert ids(finder.mentions(typed)) == [id], typed


HOSTILE = (
    "'; DROP TABLE mentions; --", "a & b | !c", "a:*", "'", "\\'", "a <-> b", "(", "\0", "x'\0y", "{{ 7*7 }}", '"',
    "NEAR(a b)", "a OR b", "-a", "^a", "%", "a" * 5000, "\U0010ffff", "@", '@"', "@'; x",
)  # fmt: skip


@pytest.mark.parametrize("typed", HOSTILE)
def test_nothing_typed_is_an_operator(room: Room, finder: Search, typed: str) -> None:
    room.hear(routed("test:1", text=typed[:200]), routed("test:2", text="nothing of it"))
    if asked(typed).words:
        assert "test:2" not in ids(finder.mentions(typed))
    else:
        with pytest.raises(Unfit):
            finder.mentions(typed)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60), typed=st.text(max_size=30))
def test_whatever_is_stored_and_typed_is_answered(room: Room, finder: Search, text: str, typed: str) -> None:
    room.hear(routed(f"test:{hash(text)}", text=text))
    words = words_of(text)
    if words:
        first = " ".join(words[:MOST_ASKED])
        assert f"test:{hash(text)}" in ids(finder.mentions(f'"{first}"', limit=500))
    if 0 < len(asked(typed).words) <= MOST_ASKED:
        finder.cases(typed)


def test_a_huge_text_is_stored_and_its_beginning_found(room: Room, finder: Search) -> None:
    huge = "begin " + "\ufdfa" * 30_000 + " ".join(f"w{it}" for it in range(200_000))
    room.hear(routed("test:1", text=huge, title="x" * 100_000))
    assert ids(finder.mentions("begin")) == ["test:1"]


def test_it_is_too_little_or_too_much_to_look_for(finder: Search) -> None:
    for typed in ("", "  ", "!?", "\ud800", '""', " ".join(f"w{it}" for it in range(17))):
        with pytest.raises(Unfit, match="q: "):
            finder.mentions(typed)
    with pytest.raises(Unfit, match="after: "):
        finder.mentions("word", after="nonsense")


def test_new_words_take_the_place_of_the_old(room: Room, finder: Search, clock: ManualClock) -> None:
    room.hear(routed("test:1", text="lost parcel"))
    room.hear(routed("test:1", text="found parcel", edited_at=NOON + minutes(5)))
    assert ids(finder.mentions("lost")) == []
    assert ids(finder.mentions("found parcel")) == ["test:1"]


def test_what_is_taken_back_leaves_no_word(room: Room, finder: Search, store: Store) -> None:
    room.hear(routed("test:1", text="lost parcel"), routed("test:2", text="lost umbrella", author="ben"))
    room.take_back("test:1")
    assert ids(finder.mentions("lost")) == ["test:2"]
    room.hear(removals=[removal(author="test:ben", at=NOON + timedelta(days=1))])
    assert ids(finder.mentions("lost")) == []
    assert left(store) == 0


def test_a_time_in_the_future_does_not_hide_what_is_new(room: Room, finder: Search) -> None:
    room.hear(routed("test:1", text="parcel", created_at=NOON + timedelta(days=9000)))
    room.hear(*(routed(f"test:{it}", text="parcel", created_at=NOON) for it in range(2, 5)))
    assert len(finder.mentions("parcel").items) == 4


def test_it_says_what_to_highlight(finder: Search) -> None:
    assert finder.mentions('Lost "my parcel" @Ana').words == ("lost", "my", "parcel", "@ana")
