from __future__ import annotations

import csv
import gc
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors._mapping import MAX_PAYLOAD
from connectors._records import MAX_ROW, csv_rows, json_rows
from connectors.replay import Config, Connector
from pipeline.clock import ManualClock
from pipeline.errors import BadItem, SourceRefused
from pipeline.mention import Kind, Mention, Removal
from pipeline.ports import Context, Page, Rejection

HEADER = b"id,text,author,created_at\n"
AT = "2026-01-05T09:00:00Z"
MAP = {"id": "id", "text": "text", "author": "author", "created_at": "created_at"}


def write(folder: Path, content: bytes, name: str = "care.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def connector(path: Path, clock: ManualClock | None = None, **settings: Any) -> Connector:
    return Connector(Config(path=path, **settings), Context("file", (), clock or ManualClock()))


def items(pages: Iterable[Page]) -> list[Any]:
    return [item for page in pages for item in page.items]


def read(path: Path, **settings: Any) -> list[Any]:
    return items(connector(path, **settings).pages(None))


def good(found: Sequence[Any]) -> list[str]:
    return [item.id for item in found if isinstance(item, Mention)]


def bad(found: Sequence[Any]) -> list[tuple[str, str]]:
    return [(item.place, item.reason) for item in found if isinstance(item, Rejection)]


def test_a_row_becomes_a_mention_with_the_file_s_name_as_source(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + b'1,"Hello, ""world""\nagain &amp; &copy=1",ana,Tue Oct 31 23:36:20 +0000 2017\n')
    (mention,) = read(path, brand="Acme")
    assert mention.id == "care:1"
    assert mention.text == 'Hello, "world"\nagain & &copy=1'
    assert mention.author.id == "ana"
    assert mention.created_at == datetime(2017, 10, 31, 23, 36, 20, tzinfo=UTC)
    assert (mention.brand, mention.via, mention.kind, mention.thread) == ("Acme", "file", Kind.POST, "care:1")


def test_every_field_can_be_mapped(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        b"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u\n"
        b"1,Bad,7,Ana,@ana,12.0,true,1509492980,1509492990000,review,9,8,de,http://x/1,Title,4,1,2,3,4,Zeta\n",
    )
    names = "id text author author_name handle followers verified created_at edited_at kind conversation parent lang"
    fields = [*names.split(), *"url title rating likes reposts replies views brand".split()]  # noqa: SIM905 - shorter
    (mention,) = read(path, map=dict(zip(fields, "abcdefghijklmnopqrstu", strict=True)), rating_max=5)
    assert (mention.author.name, mention.author.handle, mention.author.followers) == ("Ana", "ana", 12)
    assert mention.author.verified
    assert mention.created_at == datetime(2017, 10, 31, 23, 36, 20, tzinfo=UTC)
    assert mention.edited_at == mention.created_at + timedelta(seconds=10)
    assert (mention.kind, mention.conversation, mention.parent) == (Kind.REVIEW, "care:9", "care:8")
    assert (mention.lang, mention.url, mention.title) == ("de", "http://x/1", "Title")
    assert (mention.rating, mention.brand) == (0.8, "Zeta")
    metrics = mention.metrics
    assert (metrics.likes, metrics.reposts, metrics.replies, metrics.views) == (1, 2, 3, 4)


BROKEN = [
    (b"90,,ana,2026-01-05\n", "no text"),
    (b",hello,ana,2026-01-05\n", "no id"),
    (b"91,caf\xe9,ana,2026-01-05\n", "not valid UTF-8: byte 0xe9 at position 6"),
    (b"92," + b"x" * 2_000_000 + b",ana,2026-01-05\n", "over the limit"),
    (b'93,"' + b"twenty characters...\n" * 100_000 + b'",ana,2026-01-05\n', "over the limit"),
    (b"94," + b"y" * 150_000 + b",ana,2026-01-05\n", "text has 150,000 characters"),
    (b'95,"' + b"y" * 150_000 + b'",ana,2026-01-05\n', "field larger than field limit"),
    (b"96,hello,ana,31.12.2025\n", "created_at: '31.12.2025' is not a time that can be read"),
    (b"97,hello,ana,2026-02-30\n", "is not a time"),
    (b"98,hel\0lo,ana,2026-01-05\n", "holds a NUL byte"),
    (b"99,hello,ana\n", "has 3 cells where the header has 4"),
    (b"99,hello,ana,2026-01-05,more\n", "has 5 cells where the header has 4"),
    (b"99,he\rllo,ana,2026-01-05\n", "not readable as CSV"),
    (b'99,"never closed,ana,2026-01-05\n', "a quote opened on this line is never closed"),
    (b"x" * 600 + b",hello,ana,2026-01-05\n", "an id has 600 characters"),
]


@pytest.mark.parametrize(("row", "reason"), BROKEN, ids=[reason[:24] for _, reason in BROKEN])
def test_a_broken_row_is_rejected_alone_with_its_line(tmp_path: Path, row: bytes, reason: str) -> None:
    before = b'1,"two\nlines",ana,2026-01-05\n'
    after = b'3,fine,ana,2026-01-05\n4,"also, fine",ana,2026-01-05\n\n5,"a ""b""",ana,2026-01-05\n'
    path = write(tmp_path, HEADER + before + row + after)
    found = read(path)
    assert good(found) == ["care:1", "care:3", "care:4", "care:5"]
    ((place, said),) = bad(found)
    assert place == "line 4"
    assert reason in said
    rejection = next(item for item in found if isinstance(item, Rejection))
    assert rejection.payload == (HEADER + row)[:MAX_PAYLOAD] or "never closed" in said


def test_all_kinds_of_broken_rows_together_leave_the_good_ones_alone(tmp_path: Path) -> None:
    rows = b"".join(b'%d,"good, %d",ana,2026-01-05\n' % (n, n) + row for n, (row, _) in enumerate(BROKEN))
    found = read(write(tmp_path, HEADER + rows + b"77,last,ana,2026-01-05"))
    assert good(found) == [f"care:{n}" for n in [*range(len(BROKEN)), 77]]
    assert len(bad(found)) == len(BROKEN)


JSON_BROKEN = [
    (b'{"id": "1", "text": ', "not JSON"),
    (b"[1]", "not a JSON object"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"id":"1","text":"a\\u0000b","author":"x","created_at":"2026-01-05"}', "NUL"),
    (b'{"id":"1","text":"\\ud800","author":"x","created_at":"2026-01-05"}', "not JSON"),
    (b'{"id":"1","text":"\xff","author":"x","created_at":"2026-01-05"}', "not valid UTF-8"),
    (b'{"id":"1","text":["a"],"author":"x","created_at":"2026-01-05"}', "text is a list"),
    (b'{"id":"1","text":"a","author":"x"}', "no created_at"),
    (b'{"id":"1","text":"a","created_at":"2026-01-05","likes":"many"}', "likes 'many' is not a whole number"),
    (b'{"id":"1","text":"a","created_at":"2026-01-05","rating":4}', "rating_max"),
    (b'{"id":"1","text":"a","created_at":"2026-01-05","kind":"shout"}', "kind 'shout' is not one of"),
    (b'{"schema":"mention/99","id":"a:1"}', "of a known version"),
    (
        b'{"schema":"mention/1","id":"b:1","source":"a","text":"x","author":{"id":"c"},'
        b'"created_at":"2026-01-05T09:00:00Z"}',
        "is not its source",
    ),
    (
        b'{"schema":"mention/1","id":"a:1","source":"a","text":"x","author":{"id":"c"},'
        b'"created_at":"9999-12-31T23:59:59-11:00"}',
        "outside 1970 to 2100",
    ),
    (b'{"schema":"removal/1","source":"a","reason":"deleted","noticed_at":"2026-01-05T09:00:00Z"}', "exactly one"),
]


@pytest.mark.parametrize(("row", "reason"), JSON_BROKEN, ids=[reason[:24] for _, reason in JSON_BROKEN])
def test_a_broken_json_line_is_rejected_alone(tmp_path: Path, row: bytes, reason: str) -> None:
    fine = {"id": 5, "text": "fine", "author": {"id": "u", "handle": "u"}, "created_at": 1767603600}
    path = write(tmp_path, row + b"\n\n" + json.dumps(fine).encode(), "a.jsonl")
    gc.collect()  # what other tests left is finalised here, not where the nesting has used up the stack
    found = read(path)
    assert good(found) == ["a:5"]
    ((place, said),) = bad(found)
    assert place == "line 1"
    assert reason in said


def test_json_lines_in_wire_shapes_keep_their_own_ids(tmp_path: Path) -> None:
    mention = {"schema": "mention/1", "id": "x:1", "source": "x", "text": "hi", "author": {"id": "u"}}
    removal = {"schema": "removal/1", "source": "x", "reason": "deleted", "noticed_at": AT, "mention": "x:1"}
    lines = [mention | {"created_at": "2026-01-05T10:00:00+01:00"}, removal]
    path = write(tmp_path, b"\xef\xbb\xbf" + "\n".join(map(json.dumps, lines)).encode(), "demo.jsonl")
    first, second = read(path, brand="Acme")
    assert isinstance(first, Mention)
    assert (first.id, first.brand, first.via) == ("x:1", "Acme", "file")
    assert first.created_at == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert isinstance(second, Removal)
    assert (second.target, second.via) == ("mention:x:1", "file")


def test_a_map_reaches_into_nested_json(tmp_path: Path) -> None:
    line = {"data": {"id": 7, "body": "late"}, "user": {"id": 3}, "at": "2026-01-05 09:00"}
    path = write(tmp_path, json.dumps(line).encode(), "d.jsonl")
    (mention,) = read(path, map={"id": "data.id", "text": "data.body", "author": "user.id", "created_at": "at"})
    assert (mention.id, mention.text, mention.author.id) == ("d:7", "late", "3")


def test_replies_join_the_thread_whichever_row_comes_first(tmp_path: Path) -> None:
    rows = [("4", "3.0"), ("3", "2.0"), ("2", ""), ("5", "4"), ("6", "6"), ("8", " ")]
    content = "id,text,at,to\n" + "".join(f"{id},hi,2026-01-05,{to}\n" for id, to in rows)
    found = read(
        write(tmp_path, content.encode()), map={"id": "id", "text": "text", "created_at": "at", "parent": "to"}
    )
    assert {mention.id: mention.thread for mention in found} == {
        "care:4": "care:3",
        "care:3": "care:3",
        "care:2": "care:3",
        "care:5": "care:3",
        "care:6": "care:6",
        "care:8": "care:8",
    }
    assert [mention.parent for mention in found] == ["care:3", "care:2", None, "care:4", None, None]


def test_two_people_without_a_name_are_not_one_person(tmp_path: Path) -> None:
    first, second = read(write(tmp_path, HEADER + b"1,a,,2026-01-05\n2,b,,2026-01-05\n"))
    assert first.author.id != second.author.id


def test_a_file_without_times_has_the_file_s_own_so_that_reading_it_again_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, b"id,text\n1,hello\n")
    (first,) = read(path)
    clock = ManualClock()
    clock.advance(3600)
    (second,) = items(connector(path, clock).pages(None))
    assert first.created_at == second.created_at == datetime.fromtimestamp(path.stat().st_mtime, UTC)


@pytest.mark.parametrize("page_size", [1, 2, 7])
def test_a_restart_goes_on_exactly_after_the_last_saved_page(tmp_path: Path, page_size: int) -> None:
    rows = b"".join(b'%d,"line\n%d",ana,2026-01-05,%d\n' % (n, n, max(0, n - 2)) for n in range(20))
    rows = rows.replace(b'"line\n7"', b'"line 7')
    path = write(tmp_path, b"id,text,author,created_at,parent\n" + rows)
    whole = items(connector(path, page_size=page_size).pages(None))
    done: list[Any] = []
    cursor: str | None = None
    for _ in range(100):
        page = next(iter(connector(path, page_size=page_size).pages(cursor)))
        if not page.items:
            break
        done += page.items
        cursor = page.cursor
    assert done == whole
    assert len(bad(whole)) == 1
    assert len(good(whole)) == 19


def test_a_finished_file_yields_nothing_until_rows_are_added(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + b"1,a,x,2026-01-05\n")
    (page,) = connector(path).pages(None)
    assert items(connector(path).pages(page.cursor)) == []
    with path.open("ab") as file:
        file.write(b"2,b,x,2026-01-05\n")
    assert good(items(connector(path).pages(page.cursor))) == ["care:2"]


@pytest.mark.parametrize(
    "cursor", ["", "nonsense", '{"offset": 99999, "line": 4, "seen": "x"}', '{"offset":-1,"line":1}']
)
def test_a_cursor_of_another_file_starts_over(tmp_path: Path, cursor: str) -> None:
    path = write(tmp_path, HEADER + b"1,a,x,2026-01-05\n")
    assert good(items(connector(path).pages(cursor))) == ["care:1"]


def test_the_original_pace_is_kept_and_divided_by_the_speed(tmp_path: Path) -> None:
    seconds = [0, 10, 4, 70]
    rows = b"".join(b"%d,a,x,%d\n" % (n, 1767603600 + second) for n, second in enumerate(seconds))
    clock = ManualClock()
    heard = []
    for page in connector(write(tmp_path, HEADER + rows), clock, speed=10).pages(None):
        heard += [(item.id, round(clock.monotonic(), 3)) for item in page.items if isinstance(item, Mention)]
        assert max(clock.waits, default=0) <= 1.0
    assert [id for id, _ in heard] == ["care:0", "care:1", "care:2", "care:3"]
    # A mention is handed over with its page: at the latest when the next one is not due yet.
    assert [at for _, at in heard] == [0.0, 1.0, 1.0, 7.0]


def test_a_page_is_handed_over_before_the_wait_for_the_next_mention(tmp_path: Path) -> None:
    rows = b"".join(b"%d,a,x,%d\n" % (n, 1767603600 + 5 * n) for n in range(3))
    clock = ManualClock()
    due = {
        item.id: clock.monotonic()
        for page in connector(write(tmp_path, HEADER + rows), clock, speed=1).pages(None)
        for item in page.items
        if isinstance(item, Mention)
    }
    assert due == {"care:0": 0.0, "care:1": 5.0, "care:2": 10.0}


def test_anchored_to_now_the_newest_is_now_and_a_restart_keeps_the_move(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + b"1,a,x,2020-01-01\n2,b,x,2020-01-03\n3,c,x,2020-01-02\n")
    clock = ManualClock()
    start = clock.now()
    pages = [page for page in connector(path, clock, anchor="now", page_size=1).pages(None) if page.items]
    assert [start - item.created_at for item in items(pages)] == [timedelta(days=days) for days in (2, 0, 1)]
    clock.advance(86_400)
    again = items(connector(path, clock, anchor="now").pages(pages[0].cursor))
    assert [item.created_at for item in again] == [item.created_at for item in items(pages[1:])]


@pytest.mark.parametrize(
    ("content", "settings", "said"),
    [
        (b"", {}, "is empty: a CSV file begins with a row of column names"),
        (
            b"tweet_id,text\n",
            {"map": {"id": "tweetid", "text": "text"}},
            "'tweet_id'?); its columns are tweet_id, text",
        ),
        (b"ident,text\n", {}, "has no column 'id' for id"),
        (b"id,text,text\n", {}, "two columns 'text'"),
        ("id,text\n".encode("utf-16"), {}, "header of care.csv cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_remedy(
    tmp_path: Path, content: bytes, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(SourceRefused) as refused:
        read(write(tmp_path, content), **settings)
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="No such file"):
        read(tmp_path / "none.csv")


def test_a_map_with_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(ValidationError, match="did you mean 'author'"):
        Config(path=Path("a.csv"), map={"id": "id", "text": "text", "autor": "a"})
    with pytest.raises(ValidationError, match="needs id and text: text missing"):
        Config(path=Path("a.csv"), map={"id": "id"})
    with pytest.raises(ValidationError, match="without a colon"):
        Config(path=Path("a.csv"), source="a:b")


def test_a_rejected_row_can_be_read_again_once_it_is_corrected_even_without_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + b"1,hello,ana,tomorrow\n")
    reader = connector(path, map=MAP)
    (rejection,) = items(reader.pages(None))
    path.unlink()
    with pytest.raises(BadItem, match="tomorrow"):
        reader.parse(rejection.payload)
    (mention,) = reader.parse(rejection.payload.replace(b"tomorrow", b"2026-01-05"))
    assert isinstance(mention, Mention)
    assert mention.id == "care:1"


def test_a_row_that_was_cut_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    path = write(tmp_path, b"id,created_at,text\n1,2026-01-05," + b"x" * 300_000 + b"\n")
    reader = connector(path)
    (rejection,) = items(reader.pages(None))
    assert len(rejection.payload) == MAX_PAYLOAD
    with pytest.raises(BadItem, match="cut"):
        reader.parse(rejection.payload)


def test_a_stopped_clock_ends_the_replay_after_the_page(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + b"1,a,x,2026-01-05\n2,b,x,2026-01-05\n")
    clock = ManualClock()
    pages = connector(path, clock, page_size=1).pages(None)
    assert good(next(pages).items) == ["care:1"]
    clock.stop()
    assert list(pages) == []


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(st.lists(st.lists(cells, min_size=2, max_size=4).filter(lambda row: any(cell.strip() for cell in row))))
def test_what_a_csv_writer_wrote_is_split_into_the_same_rows(table: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    content = text.getvalue().encode()
    rows = list(csv_rows(io.BytesIO(content)))
    assert [next(csv.reader([row.raw.decode()])) for row in rows] == table
    assert not any(row.fault for row in rows)
    for row in rows:
        assert row.line == content[: row.offset].count(b"\n") + 1
        assert next(csv_rows(io.BytesIO(content), row.offset, row.line)) == row


@given(st.lists(st.sampled_from([b'"', b",", b"\n", b"\r\n", b"a", b'""', b"\xff", b"\0", b'","']), max_size=40))
def test_no_bytes_are_skipped_or_read_twice_whatever_they_are(parts: list[bytes]) -> None:
    content = b"".join(parts)
    for reader in (csv_rows, json_rows):
        end = 0
        for row in reader(io.BytesIO(content)):
            assert content[end : row.offset].strip() == b""
            assert content[row.offset : row.end] == row.raw
            end = row.end
        assert content[end:].strip() == b""


def test_a_line_longer_than_memory_allows_is_skipped_without_holding_it() -> None:
    content = b"1,a\n" + b"x" * 9_000_000 + b"\n2,b\n"
    rows = list(csv_rows(io.BytesIO(content)))
    assert [(row.line, bool(row.fault)) for row in rows] == [(1, False), (2, True), (3, False)]
    assert len(rows[1].raw) < 5_000_000
    assert rows[1].end - rows[1].offset > MAX_ROW
