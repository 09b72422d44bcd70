"""The X connector against a stand-in that follows X's documents, faults included."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors._x_rules import MAX_CHARS, Rule, difference, rules_for
from connectors._x_stream import Lines
from connectors.x import Config, Connector
from pipeline.clock import ManualClock
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.mention import Kind, Mention, Removal
from pipeline.ports import Brand, Context, Gap, Page, Rejection, Usage
from tests.fixtures.x_server import START, TOKEN, USERS, XServer, post, snowflake

BRANDS = (Brand("acme", terms=("Acme",), handles=("AcmeCare",), own_accounts={"x": ("AcmeCare",)}),)
OURS = {"value": '("Acme" OR @AcmeCare)', "tag": "harken:acme:1"}


def connector(x: XServer, clock: ManualClock | None = None, **settings: Any) -> Connector:
    settings = {"bearer_token": SecretStr(TOKEN), "api_base": x.url, "batch_secs": 0.05} | settings
    return Connector(Config(**settings), Context("birds", BRANDS, clock or ManualClock(START)))


@contextmanager
def reading(source: Connector, x: XServer, cursor: str | None = None) -> Iterator[Iterator[Page]]:
    pages = source.pages(cursor)
    try:
        yield pages
    finally:
        pages.close()  # type: ignore[attr-defined]  # the port promises a generator
        x.wait_until_nobody_listens()


def until(pages: Iterator[Page], enough: Callable[[list[Page]], bool]) -> list[Page]:
    read: list[Page] = []
    patience = time.monotonic() + 20
    for page in pages:
        read.append(page)
        if enough(read):
            return read
        assert time.monotonic() < patience, "what was awaited did not come"
    return read


def items(read: list[Page]) -> list[Any]:
    return [item for page in read for item in page.items]


def gaps(read: list[Page]) -> list[Gap]:
    return [gap for page in read for gap in page.gaps]


def have(count: int) -> Callable[[list[Page]], bool]:
    return lambda read: len(items(read)) >= count


def fault(pages: Iterator[Page]) -> SourceUnavailable:
    """How the pages end."""
    try:
        until(pages, lambda _: False)
    except SourceUnavailable as error:
        return error
    raise AssertionError("it goes on")


def cursor_of(read: list[Page]) -> str:
    return [page.cursor for page in read if page.cursor is not None][-1]


def test_a_post_arrives_as_a_mention(x_server: XServer) -> None:
    text = "@AcmeCare my Acme parcel &lt;3 &amp;lt; https://t.co/x"
    entities = {
        "urls": [
            {"url": "https://t.co/x", "expanded_url": "https://acme.example/a?b&lt;=1&copy=2", "start": 1, "end": 2}
        ],
        "mentions": [{"username": "AcmeCare", "start": 0, "end": 9}],
    }
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(post(text, entities=entities, in_reply_to_user_id="22"))
        (mention,) = items(until(pages, have(1)))
    assert isinstance(mention, Mention)
    assert mention.id == f"x:{snowflake(START)}"
    assert mention.text == "@AcmeCare my Acme parcel <3 &lt; https://acme.example/a?b&lt;=1&copy=2"
    assert (mention.author.id, mention.author.handle, mention.author.followers) == ("11", "ana", 42)
    assert mention.author.verified
    assert (mention.created_at, mention.lang, mention.via) == (START, "en", "birds")
    assert mention.metrics.reposts == 3
    assert mention.metrics.views == 5
    assert mention.url == f"https://x.com/ana/status/{snowflake(START)}"
    assert mention.brand == "acme", "it answers the brand's own account"
    assert not mention.own
    assert mention.reply_ref["mentions"] == "AcmeCare"


def test_kinds_and_parents(x_server: XServer) -> None:
    first = post("Acme, the original", serial=1)
    includes = {"users": USERS, "tweets": [first]}
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        for serial, how in enumerate(("retweeted", "replied_to", "quoted"), 2):
            one = post(f"RT Acme {how}…", serial=serial, referenced_tweets=[{"type": how, "id": first["id"]}])
            x_server.push(data=one, includes=includes)
        repost, reply, quote = items(until(pages, have(3)))
    assert [m.kind for m in (repost, reply, quote)] == [Kind.REPOST, Kind.REPLY, Kind.QUOTE]
    assert {m.parent for m in (repost, reply, quote)} == {f"x:{first['id']}"}
    assert repost.text == "Acme, the original", "the repost's own text is cut short"


def test_long_posts_pictures_and_newer_field_names(x_server: XServer) -> None:
    one = post(
        "Acme starts like this…",
        lang="und",
        note_post={"text": "Acme starts like this and goes on"},
        referenced_posts=[{"type": "quoted", "id": "7"}],
        attachments={"media_keys": ["3_1", "3_2"]},
    )
    media = [{"media_key": "3_1", "type": "photo", "url": "https://pbs.example/1.jpg", "alt_text": "a torn box"}]
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(data=one, includes={"users": USERS, "media": media, "posts": []})
        (mention,) = items(until(pages, have(1)))
    assert mention.text == "Acme starts like this and goes on"
    assert mention.lang is None
    assert mention.kind is Kind.QUOTE
    assert [(medium.url, medium.alt) for medium in mention.media] == [("https://pbs.example/1.jpg", "a torn box")]


def test_an_edit_is_a_new_wording_of_the_first_post(x_server: XServer) -> None:
    later = START + timedelta(minutes=5)
    first = post("Acme is bad")
    edit = post("Acme is not so bad", later, edit_history_tweet_ids=[first["id"], snowflake(later)])
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(first, edit)
        before, after = items(until(pages, have(2)))
    assert before.id == after.id
    assert (after.created_at, after.edited_at) == (START, later)
    assert after.revision > before.revision
    assert after.reply_ref["id"] == edit["id"]


def test_own_posts_are_marked(x_server: XServer) -> None:
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(post("Acme says sorry", author_id="22"))
        (mention,) = items(until(pages, have(1)))
    assert mention.own


# ----------------------------------------------------------------------------------------------------------- rules


def test_rules_are_validated_then_synchronised_and_others_left_alone(x_server: XServer) -> None:
    foreign = {"value": "cats", "tag": "somebody else", "id": "1"}
    stale = {"value": '("Old")', "tag": "harken:gone:1", "id": "2"}
    x_server.rules = [foreign, stale]
    with reading(connector(x_server), x_server) as pages:
        next(pages)
    assert foreign in x_server.rules
    assert [(rule["value"], rule["tag"]) for rule in x_server.rules if rule != foreign] == [tuple(OURS.values())]
    posts = [(query.get("dry_run"), sorted(body)) for verb, _, query, body in x_server.requests if verb == "POST"]
    assert posts == [(["true"], ["add"]), (None, ["delete"]), (None, ["add"])]


def test_rules_already_there_are_not_sent_again(x_server: XServer) -> None:
    x_server.rules = [OURS | {"id": "7"}]
    with reading(connector(x_server), x_server) as pages:
        next(pages)
    assert x_server.paths("POST") == []


def test_a_rule_x_will_not_take_is_refused_before_anything_is_deleted(x_server: XServer) -> None:
    stale = {"value": '("Old")', "tag": "harken:gone:1", "id": "2"}
    x_server.rules = [stale]
    with (
        pytest.raises(SourceRefused, match=r"point_radius.*not a valid rule"),
        reading(connector(x_server, rules=("point_radius:[1 2 3]",)), x_server) as pages,
    ):
        next(pages)
    assert x_server.rules == [stale]


def test_posts_that_only_others_rules_matched_are_paid_for_but_not_taken(x_server: XServer) -> None:
    x_server.rules = [{"value": '"cats"', "tag": "", "id": "1"}]
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(post("cats and nothing else", serial=1), post("Acme and cats", serial=2))
        read = until(pages, have(1))
    assert [item.text for item in items(read)] == ["Acme and cats"]
    assert json.loads(cursor_of(read))["posts"] == 2


def test_many_terms_become_rules_of_allowed_length() -> None:
    terms = tuple(f"a fairly long product name number {number}" for number in range(200))
    rules = rules_for(
        (Brand("acme", terms=terms, handles=("acme", "not a handle"), own_accounts={"x": ("123",)}),),
        ("cats has:images",),
        langs=("en", "de"),
        reposts=False,
        narrow='-"apple pie"',
    )
    assert all(len(rule.value) <= MAX_CHARS for rule in rules)
    assert all(rule.value.endswith(') -is:retweet (lang:en OR lang:de) -"apple pie"') for rule in rules[:-1])
    assert rules[-1] == Rule("cats has:images", "harken:extra:1")
    together = " ".join(rule.value for rule in rules)
    assert all(f'"{term}"' in together for term in terms)
    assert "@acme" in together
    assert "to:123" in together
    assert len({rule.tag for rule in rules}) == len(rules)


def test_a_term_cannot_break_out_of_its_quotes() -> None:
    (rule,) = rules_for((Brand("b", terms=('x" OR (cats', "#tag")),), (), langs=(), reposts=True, narrow="")
    assert rule.value == '("x OR (cats" OR #tag)'


def test_a_rule_moved_to_another_tag_is_replaced() -> None:
    old, new = Rule("a", "harken:x:1", "5"), Rule("a", "harken:y:1")
    assert difference([new], [old]) == ([new], [old])
    assert difference([new], [Rule("a", "other", "6")]) == ([], [])


# ---------------------------------------------------------------------------------------------------------- faults


def test_a_bad_line_is_a_rejection_and_the_stream_goes_on(x_server: XServer) -> None:
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push_raw(b'{"data": {"id": "1", "text": "Acme')
        x_server.push(data={"id": "2", "text": "Acme without an author"})
        x_server.push(data={"id": "no number", "text": "Acme", "author_id": "11", "edit_history_tweet_ids": ["x"]})
        x_server.push(data={"kind": "of a new sort"})
        x_server.push(surprise=True)
        x_server.push(post("Acme at last"))
        read = items(until(pages, lambda read: any(isinstance(item, Mention) for item in items(read))))
    assert [type(item) for item in read] == [Rejection, Rejection, Rejection, Mention]
    assert "author_id" in read[1].reason
    with pytest.raises(BadItem, match="author_id"):
        connector(x_server).parse(read[1].payload)
    repaired = read[1].payload.replace(b'"text"', b'"author_id": "11", "text"')
    assert connector(x_server).parse(repaired)


def test_duplicates_and_disorder_are_borne(x_server: XServer) -> None:
    one, two = post("Acme one"), post("Acme two", START - timedelta(minutes=1))
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(one, one, two)
        first = until(pages, have(2))
        next(pages)
        x_server.push(one, post("Acme three", serial=9))
        second = until(pages, have(1))
    assert [item.text for item in items(first + second)] == ["Acme one", "Acme two", "Acme three"]


def test_silence_is_noticed_although_the_connection_stays_open(x_server: XServer) -> None:
    clock = ManualClock(START)
    with reading(connector(x_server, clock), x_server) as pages:
        until(pages, lambda read: read[-1].heard)  # a heartbeat
        x_server.push_raw("mute")
        until(pages, lambda read: not read[-1].heard)
        clock.advance(21)
        assert fault(pages).trouble == "silent"
        x_server.push_raw("close")


def test_a_page_that_takes_long_to_become_durable_is_not_silence(x_server: XServer) -> None:
    clock = ManualClock(START)
    with reading(connector(x_server, clock), x_server) as pages:
        until(pages, lambda read: read[-1].heard)
        clock.advance(60)  # the bus was away
        x_server.push(post("Acme"))
        assert items(until(pages, have(1)))


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_end_after_200_is_a_network_trouble_without_a_sign_of_life(x_server: XServer, how: str) -> None:
    x_server.script = [how]  # type: ignore[list-item]  # what happens to the connection
    pages = connector(x_server).pages(None)
    heard: list[bool] = []
    with pytest.raises(SourceUnavailable) as caught:
        heard.extend(page.heard for page in pages)
    assert caught.value.trouble == "network"
    assert not any(heard), "it would reset the backoff, and reconnect without a wait for ever"
    assert Connector.backoff["network"].delay(1) == 0
    assert Connector.backoff["network"].delay(100) == 16


def test_an_operational_disconnect_comes_after_the_posts_before_it(x_server: XServer) -> None:
    problem = {
        "title": "operational-disconnect",
        "disconnect_type": "UpstreamOperationalDisconnect",
        "detail": "This stream has been disconnected upstream for operational reasons.",
        "type": "https://api.x.com/2/problems/operational-disconnect",
    }
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(post("Acme before"))
        x_server.push(errors=[problem])
        assert [item.text for item in items(until(pages, have(1)))] == ["Acme before"]
        end = fault(pages)
    assert end.trouble == "network"
    assert "operational reasons" in str(end)


def test_partial_errors_beside_a_post_do_not_end_the_stream(x_server: XServer) -> None:
    problem = {"title": "Not Found Error", "detail": "Could not find tweet", "resource_type": "tweet"}
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(data=post("Acme answers a deleted post"), errors=[problem], matching_rules=[])
        assert items(until(pages, have(1)))


@pytest.mark.parametrize("path", ["stream", "rules"])
@pytest.mark.parametrize(
    ("status", "trouble"), [(503, "http"), (500, "http"), (402, "http"), (429, "rate_limited"), (301, "http")]
)
def test_http_troubles(x_server: XServer, path: str, status: int, trouble: str) -> None:
    reset = str(int(START.timestamp()) + 42)
    x_server.refuse(path, status, x_rate_limit_reset=reset)
    end = fault(connector(x_server).pages(None))
    assert end.trouble == trouble
    assert end.retry_after == (42 if status == 429 else None)


def test_a_reset_that_makes_no_sense_is_left_to_the_backoff(x_server: XServer) -> None:
    for reset in ("yesterday", "1", str(10**11)):
        x_server.refuse("stream", 429, x_rate_limit_reset=reset)
        assert fault(connector(x_server).pages(None)).retry_after is None


def test_a_second_connection_is_told_to_wait(x_server: XServer) -> None:
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        end = fault(connector(x_server).pages(None))
    assert (end.trouble, end.retry_after) == ("rate_limited", None)


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"errors": "odd"}', b'{"errors": [1]}'])
def test_odd_error_bodies_do_no_harm(x_server: XServer, body: bytes) -> None:
    x_server.refuse("rules", 503, body)
    assert fault(connector(x_server).pages(None)).trouble == "http"
    x_server.refuse("rules", 200, body)
    if body != b'{"errors": "odd"}' and body != b'{"errors": [1]}':
        assert fault(connector(x_server).pages(None)).trouble == "http"


def test_bad_credentials_stop_and_the_token_shows_nowhere(
    x_server: XServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = "BBBB-wrong-token"
    config = Config(bearer_token=SecretStr(bad), api_base=x_server.url)
    source = Connector(config, Context("birds", BRANDS, ManualClock(START)))
    with pytest.raises(SourceRefused) as caught:
        next(iter(source.pages(None)))
    seen = [repr(source), repr(config), str(caught.value), caplog.text, *capsys.readouterr()]
    assert not any(bad in text for text in seen)


def test_a_host_that_is_not_there_is_a_network_trouble() -> None:
    with XServer().running() as gone:
        pass
    assert fault(connector(gone).pages(None)).trouble == "network"


@pytest.mark.parametrize("token", ["", "two words", "with\nnewline"])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config(bearer_token=SecretStr(token))
    assert "newline" not in str(caught.value)


def test_the_token_travels_only_encrypted_or_on_this_machine() -> None:
    with pytest.raises(ValidationError):
        Config(bearer_token=SecretStr("a"), api_base="http://example.com")


# ---------------------------------------------------------------------------------------------------------- repair


def _away(x: XServer, clock: ManualClock, seconds: float, cursor: str | None = None) -> str:
    """Listen for a moment, then be away."""
    with reading(connector(x, clock), x, cursor) as pages:
        read = until(pages, lambda read: read[-1].heard)
        next(pages)
    clock.advance(seconds)
    x.now = clock.now()
    return cursor_of(read)


def test_a_gap_is_filled_by_recent_search(x_server: XServer) -> None:
    clock = ManualClock(START)
    saved = _away(x_server, clock, 600)
    missed = [post(f"Acme missed {n}", START + timedelta(minutes=n)) for n in range(1, 6)]
    x_server.archive = [*missed, post("of no interest", START + timedelta(minutes=2), serial=1)]
    with reading(connector(x_server, clock), x_server, saved) as pages:
        read = [next(pages)]
        x_server.push(post("Acme live", clock.now()))
        read += until(pages, have(1))
        assert not gaps(read), "X cannot be asked for the last seconds yet"
        while not gaps(read):
            clock.advance(20)
            x_server.now = clock.now()
            read.append(next(pages))
            x_server.push(missed[0])  # the stream may repeat what the search found
        read.append(next(pages))
    texts = [item.text for item in items(read)]
    assert texts[0] == "Acme live"
    assert sorted(texts[1:]) == [f"Acme missed {n}" for n in range(1, 6)]
    (gap,) = gaps(read)
    assert (gap.since, gap.until) == (START, START + timedelta(minutes=10))
    assert gap.repaired
    assert "differs" in gap.note
    assert "holes" not in json.loads(cursor_of(read))


def test_a_repair_cut_short_by_a_crash_is_taken_up_again(x_server: XServer) -> None:
    clock = ManualClock(START)
    saved = _away(x_server, clock, 600)
    saved = _away(x_server, clock, 30, saved)  # died before the repair was due
    x_server.archive = [post("Acme missed", START + timedelta(minutes=1))]
    with reading(connector(x_server, clock), x_server, saved) as pages:
        read = [next(pages)]
        while len(gaps(read)) < 2:
            clock.advance(20)
            x_server.now = clock.now()
            read.append(next(pages))
    assert [(gap.since, gap.repaired) for gap in gaps(read)] == [
        (START, True),
        (START + timedelta(minutes=10), True),
    ]
    assert [item.text for item in items(read)] == ["Acme missed"]


def test_what_lies_beyond_seven_days_stays_a_gap(x_server: XServer) -> None:
    clock = ManualClock(START)
    saved = _away(x_server, clock, 9 * 86_400)
    with reading(connector(x_server, clock), x_server, saved) as pages:
        read = [next(pages)]
        while len(gaps(read)) < 2:
            clock.advance(20)
            x_server.now = clock.now()
            read.append(next(pages))
    lost, filled = gaps(read)
    assert (lost.since, lost.repaired, filled.repaired) == (START, False, True)
    assert lost.until == filled.since


def test_a_search_that_is_refused_leaves_the_gap_unrepaired(x_server: XServer) -> None:
    clock = ManualClock(START)
    saved = _away(x_server, clock, 600)
    x_server.refuse("search", 403, b'{"title": "Client Forbidden"}')
    with reading(connector(x_server, clock), x_server, saved) as pages:
        next(pages)
        clock.advance(20)
        (gap,) = gaps(until(pages, gaps_are(1)))
    assert not gap.repaired
    assert "Client Forbidden" in gap.note


def gaps_are(count: int) -> Callable[[list[Page]], bool]:
    return lambda read: len(gaps(read)) >= count


def test_a_search_that_fails_for_now_is_tried_again(x_server: XServer) -> None:
    clock = ManualClock(START)
    saved = _away(x_server, clock, 600)
    x_server.refuse("search", 503)
    x_server.refuse("search", 429)
    with reading(connector(x_server, clock), x_server, saved) as pages:
        read = [next(pages)]
        while not gaps(read):
            clock.advance(61)
            x_server.now = clock.now()
            read.append(next(pages))
    assert gaps(read)[0].repaired


def test_repair_can_be_switched_off_and_the_gap_still_shows(x_server: XServer) -> None:
    clock = ManualClock(START)
    saved = _away(x_server, clock, 600)
    with reading(connector(x_server, clock, repair=False), x_server, saved) as pages:
        (gap,) = gaps(until(pages, gaps_are(1)))
    assert not gap.repaired
    assert "/2/tweets/search/recent" not in x_server.paths("GET")


class _Body:
    """A response and its body: two lines at once, then nothing until it is shut down."""

    def __init__(self) -> None:
        self.raw = self
        self.waiting = threading.Event()
        self._ended = threading.Event()
        self._chunks = [b"{}\r\n{}", b"\r\n"]

    def read1(self, amount: int) -> bytes:
        if self._chunks:
            return self._chunks.pop(0)
        self.waiting.set()
        self._ended.wait()
        return b""

    def shutdown(self) -> None:
        self._ended.set()

    def close(self) -> None:
        assert self._ended.is_set(), "a reader inside a read is woken by the shutdown only"


def test_a_line_counts_as_heard_when_it_arrived_not_when_it_was_taken() -> None:
    """A burst waits in memory: a cursor past it would hide it from the repair after a crash."""
    clock, body = ManualClock(START), _Body()
    with closing(Lines(body, clock)) as lines:  # type: ignore[arg-type]  # stands in for a response
        assert body.waiting.wait(5)
        clock.advance(300)
        taken = [lines.take(1), lines.take(1), lines.take(0)]
    assert [line and (line.text, line.arrived) for line in taken] == [(b"{}", START), (b"{}", START), None]


# ----------------------------------------------------------------------------------------------------------- money


def test_at_the_monthly_cap_reading_stops_and_the_gap_says_so(x_server: XServer) -> None:
    clock = ManualClock(START)
    source = connector(x_server, clock, monthly_cap_usd=0.015)
    with reading(source, x_server) as pages:
        next(pages)
        x_server.push(*(post(f"Acme {n}", serial=n) for n in range(5)))
        read = until(pages, gaps_are(1))
        end = fault(pages)
    assert len(items(read)) == 3
    (gap,) = gaps(read)
    february = datetime(2026, 2, 1, tzinfo=UTC)
    assert (gap.until, gap.repaired) == (february, False)
    assert [page.usage for page in read if page.usage][-1] == [
        Usage("posts", 3, None, february),
        Usage("USD", 3 * 0.005, 0.015, february),
    ]
    assert end.trouble == "rate_limited"
    assert end.retry_after == (february - START).total_seconds()

    requests = len(x_server.requests)
    again = connector(x_server, clock, monthly_cap_usd=0.015).pages(cursor_of(read))
    assert fault(again).trouble == "rate_limited", "after a restart too"
    assert len(x_server.requests) == requests, "and without a request"

    clock.advance((february - START).total_seconds() + 1)
    with reading(connector(x_server, clock, monthly_cap_usd=0.015), x_server, cursor_of(read)) as pages:
        next(pages)
        x_server.push(post("Acme in February", clock.now()))
        assert [item.text for item in items(until(pages, have(1)))] == ["Acme in February"]


def test_a_higher_cap_lets_it_go_on_at_once(x_server: XServer) -> None:
    clock = ManualClock(START)
    with reading(connector(x_server, clock, monthly_cap_usd=0.005), x_server) as pages:
        next(pages)
        x_server.push(post("Acme"))
        read = until(pages, gaps_are(1))
    with reading(connector(x_server, clock, monthly_cap_usd=5), x_server, cursor_of(read)) as pages:
        next(pages)
        x_server.push(post("Acme more", serial=3))
        assert items(until(pages, have(1)))


def test_the_meter_goes_on_from_the_cursor(x_server: XServer) -> None:
    saved = json.dumps({"heard": START.isoformat(), "month": "2026-01", "posts": 41})
    with reading(connector(x_server), x_server, saved) as pages:
        next(pages)
        x_server.push(post("Acme"))
        read = until(pages, have(1))
    assert json.loads(cursor_of(read))["posts"] == 42


# -------------------------------------------------------------------------------------------------------- removals


@pytest.mark.parametrize(
    ("data", "target", "reason"),
    [
        ({"delete": {"event_at": "now", "tweet": {"id": "5", "author_id": "11"}}}, "mention:x:5", "deleted"),
        ({"drop": {"tweet": {"id": "5"}}}, "mention:x:5", "compliance"),
        ({"event_type": "post.delete", "payload": {"id": "5", "author_id": "1"}}, "mention:x:5", "deleted"),
        ({"user_delete": {"user": {"id": "11"}}}, "author:x:11", "account_gone"),
        ({"user_protect": {"user": {"id": "11"}}}, "author:x:11", "account_hidden"),
    ],
)
def test_compliance_messages_are_removals(x_server: XServer, data: dict[str, Any], target: str, reason: str) -> None:
    with reading(connector(x_server), x_server) as pages:
        next(pages)
        x_server.push(data=data)
        (removal,) = items(until(pages, have(1)))
    assert isinstance(removal, Removal)
    assert (removal.target, removal.reason) == (target, reason)


def test_a_foreign_cursor_is_refused_with_its_remedy(x_server: XServer) -> None:
    with pytest.raises(SourceRefused, match="remove it"):
        next(iter(connector(x_server).pages("[]")))


def test_without_rules_there_is_nothing_to_listen_for(x_server: XServer) -> None:
    config = Config(bearer_token=SecretStr(TOKEN), api_base=x_server.url)
    source = Connector(config, Context("birds", (), ManualClock(START)))
    with pytest.raises(SourceRefused, match="nothing to listen for"):
        next(iter(source.pages(None)))


def test_context_narrows_a_brands_terms_but_not_its_handles_and_languages_narrow_both() -> None:
    brand = Brand("delta", ("delta",), ("Delta",), context=("flight", "lost bag"), languages=("en",))
    rules = rules_for([brand], (), langs=(), reposts=True, narrow="")
    assert [rule.value for rule in rules] == [
        '("delta") ("flight" OR "lost bag") (lang:en OR lang:und)',
        "(@Delta) (lang:en OR lang:und)",
    ]
