"""The first choice may take too much and never too little; the memory may pass on too much and never too little."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._bluesky_jetstream import to_us
from connectors._bluesky_memory import Authors, tid_us
from connectors._bluesky_watch import Watch
from pipeline.ports import Brand
from tests.fixtures.jetstream import START, tid

NOW = to_us(START)
HOUR = 3_600_000_000
edge = st.sampled_from(["", " ", "\n", ".", "#", "@", "'s ", "(", "!", "_", "-"])
anything = st.text(max_size=40)


@given(term=st.text(min_size=1, max_size=12).filter(str.strip), before=anything, after=anything, left=edge, right=edge)
def test_a_term_that_stands_by_itself_is_always_heard(
    term: str, before: str, after: str, left: str, right: str
) -> None:
    left, right = left or " ", right or " "
    assert Watch((Brand("b", terms=(term,)),)).hears(f"{before} {left}{term}{right} {after}")


@given(text=st.text(alphabet="abc ,.", max_size=60))
def test_a_word_is_not_heard_inside_another(text: str) -> None:
    heard = Watch((Brand("b", terms=("ab",)),)).hears(text)
    assert heard == ("ab" in text.replace(",", " ").replace(".", " ").split())


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("AT&T", "my at&t bill"),
        ("L'Oréal", "l\u2019oréal again"),
        ("Café", "CAFE\u0301 time"),
        ("アクメ", "私のアクメの荷物"),
        ("🍏", "buy🍏now"),
        ("Straße", "STRASSE 5"),
    ],
)
def test_spellings_and_scripts(term: str, text: str) -> None:
    assert Watch((Brand("b", terms=(term,)),)).hears(text)


def test_a_post_to_two_brands_belongs_to_neither() -> None:
    brands = (
        Brand("a", own_accounts={"bluesky": ("did:plc:a",)}),
        Brand("b", own_accounts={"bluesky": ("did:plc:b",)}),
    )
    watch = Watch(brands)
    assert watch.addressed(["did:plc:a", "did:plc:x"]) == "a"
    assert watch.addressed(["did:plc:a", "did:plc:b"]) is None


@given(seconds=st.integers(min_value=0, max_value=10**9))
def test_a_record_key_tells_its_time(seconds: int) -> None:
    moment = START + timedelta(seconds=seconds)
    assert tid_us(tid(moment)) == to_us(moment)


@given(key=st.text(max_size=14))
def test_any_other_key_tells_none_or_some_time(key: str) -> None:
    time = tid_us(key)
    assert time is None or 0 <= time < 2**55


@given(passed_on=st.sets(st.text(min_size=1, max_size=8)), lost=st.booleans())
def test_what_was_passed_on_is_always_held(passed_on: set[str], lost: bool) -> None:
    memory = Authors()
    memory.resume(0, 0, NOW)
    memory.add(passed_on)
    authors = len(memory)
    if lost:
        memory = Authors()
    memory.resume(authors, memory.complete_since, NOW + HOUR)
    written = tid(START)
    assert all(memory.author(did) and memory.record(did, written, NOW + 2 * HOUR) for did in passed_on)


def test_a_lost_memory_still_knows_what_cannot_be_ours() -> None:
    memory = Authors()
    memory.resume(5, 0, NOW)
    later = tid(START + timedelta(hours=1))
    assert not memory.record("did:plc:x", later, NOW + 2 * HOUR), "written after the memory began"
    assert memory.record("did:plc:x", tid(START - timedelta(hours=1)), NOW + 2 * HOUR)
    assert memory.record("did:plc:x", "self", NOW + 2 * HOUR), "a key without a time"
    assert memory.record("did:plc:x", tid(START + timedelta(days=9)), NOW + 2 * HOUR), "a key from the future"


def test_a_full_memory_passes_everything_on() -> None:
    memory = Authors(limit=1)
    memory.resume(0, 0, NOW)
    assert not memory.author("did:plc:x")
    memory.add(["did:plc:a"])
    memory.add(["did:plc:b"])
    assert memory.author("did:plc:b")


def test_a_torn_file_is_mended_and_an_unwritable_one_borne(tmp_path: Path) -> None:
    file = tmp_path / "authors"
    first = Authors(file)
    first.resume(0, 0, NOW)
    first.add(["did:plc:a", "did:plc:b"])
    file.write_bytes(file.read_bytes() + b"abc")
    again = Authors(file)
    again.resume(2, 0, NOW)
    assert (len(again), again.complete_since, file.stat().st_size) == (2, 0, 16)
    nowhere = Authors(tmp_path)  # a folder
    nowhere.resume(0, 0, NOW)
    nowhere.add(["did:plc:a"])
    assert nowhere.author("did:plc:a")
