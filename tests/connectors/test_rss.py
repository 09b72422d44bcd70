from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors._entries import read_feed, to_mention
from connectors._html import text_of
from connectors._http import _public, retry_after, shown
from connectors._times import parse_time
from connectors.rss import Config, Connector
from pipeline.clock import ManualClock
from pipeline.mention import Mention
from pipeline.ports import Context, Gap, Page, Rejection
from tests.fixtures.feeds import Answer, FeedHost, item, rss


@pytest.fixture
def host() -> Iterator[FeedHost]:
    with FeedHost() as feeds:
        yield feeds


class Reader:
    """A connector on a clock moved by hand; `round` reads until every feed that is due has answered once."""

    def __init__(
        self, *urls: str, cursor: str | None = None, clock: ManualClock | None = None, **settings: Any
    ) -> None:
        settings = {"allow_private": True, "timeout_seconds": 10} | settings
        self.clock = clock or ManualClock()
        self.cursor = cursor
        self.urls = urls
        self.config = Config(urls=list(urls), **settings)

    def round(self, answers: int | None = None) -> list[Page]:
        """The pages of so many answers (one a feed), from the saved cursor on."""
        pages: list[Page] = []
        with closing(_generator(self.config, self.clock, self.cursor)) as run:
            for page in run:
                if page.cursor is not None:
                    pages.append(page)
                    self.cursor = page.cursor
                if len(pages) == (len(self.urls) if answers is None else answers):
                    break
        return pages

    def mentions(self) -> list[Mention]:
        return [found for page in self.round() for found in page.items if isinstance(found, Mention)]

    def later(self, seconds: float = 300) -> Reader:
        self.clock.advance(seconds)
        return self


def _generator(config: Config, clock: ManualClock, cursor: str | None) -> Any:
    return Connector(config, Context("news", (), clock)).pages(cursor)


def texts(mentions: list[Mention]) -> list[str]:
    return [mention.text for mention in mentions]


def test_an_entry_becomes_a_mention_in_plain_text(host: FeedHost) -> None:
    html = "<p>The <b>parcel</b> is late &amp; cold.</p><script>x()</script><p>Again<br>and again</p>"
    extra = '<author>ana@example.org (Ana)</author><enclosure url="http://a/p.jpg" type="image/jpeg" length="1"/>'
    host.answers["/f"] = Answer(rss(item("g1", "Late", html, extra=extra), title="The Paper", language="en-GB"))
    (mention,) = Reader(host.url("/f"), brand="Acme").mentions()
    assert mention.text == "The parcel is late & cold.\nAgain\nand again"
    assert (mention.title, mention.url, mention.lang) == ("Late", "http://news.example/g1", "en-GB")
    assert (mention.author.name, mention.brand, mention.via) == ("ana@example.org (Ana)", "Acme", "news")
    assert mention.created_at == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert [media.url for media in mention.media] == ["http://a/p.jpg"]
    assert mention.id.startswith("rss:")


def test_atom_is_read_with_its_dates(host: FeedHost) -> None:
    host.answers["/f"] = Answer(
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>urn:1</id><title>A</title>'
        b'<link href="/a"/><published>2026-01-01T00:00:00Z</published><updated>2026-01-02T00:00:00+01:00</updated>'
        b'<content type="html">&lt;p&gt;Body&lt;/p&gt;</content><summary>short</summary></entry></feed>'
    )
    (mention,) = Reader(host.url("/f")).mentions()
    assert (mention.text, mention.url) == ("Body", host.url("/a"))
    assert mention.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert mention.edited_at == datetime(2026, 1, 1, 23, tzinfo=UTC)


def test_the_next_request_is_conditional_and_304_brings_nothing(host: FeedHost) -> None:
    host.answers["/f"] = Answer(rss(item("1", "One")), modified="Mon, 05 Jan 2026 08:00:00 GMT")
    reader = Reader(host.url("/f"), user_agent="harken test")
    assert len(reader.mentions()) == 1
    (page,) = reader.later().round()
    assert (list(page.items), page.heard) == ([], True)
    first, second = host.asked("/f")
    assert "if-none-match" not in first
    assert second["if-none-match"].startswith('"')
    assert second["if-modified-since"] == "Mon, 05 Jan 2026 08:00:00 GMT"
    assert second["user-agent"] == "harken test"


def test_a_feed_is_not_asked_again_before_its_interval(host: FeedHost) -> None:
    host.answers["/f"] = Answer(rss(item("1", "One")))
    reader = Reader(host.url("/f"), interval_seconds=600)
    reader.round()
    with closing(_generator(reader.config, reader.later(599).clock, reader.cursor)) as run:
        assert [next(run).heard for _ in range(2)] == [False, False]
    assert len(host.asked("/f")) == 1
    reader.later(1).round()
    assert len(host.asked("/f")) == 2


def test_only_new_and_changed_entries_are_passed_on_and_a_change_is_a_later_revision(host: FeedHost) -> None:
    host.answers["/f"] = Answer(rss(item("1", "One", "first"), item("2", "Two", "second")))
    reader = Reader(host.url("/f"))
    first = {mention.id: mention for mention in reader.mentions()}
    host.answers["/f"] = Answer(
        rss(item("3", "Three", "third"), item("1", "One", "corrected"), item("2", "Two", "second"))
    )
    corrected, new = reader.later().mentions()
    assert (corrected.text, new.text) == ("corrected", "third")
    assert corrected.revision > first[corrected.id].revision
    assert corrected.created_at == first[corrected.id].created_at
    host.answers["/f"].tagged = False
    assert reader.later().mentions() == []


def test_two_entries_with_one_id_do_not_take_turns_for_ever(host: FeedHost) -> None:
    host.answers["/f"] = Answer(rss(item("1", "New", "b"), item("1", "Old", "a")), tagged=False)
    reader = Reader(host.url("/f"))
    assert texts(reader.mentions()) == ["b"]
    assert reader.later().mentions() == []


def test_an_entry_without_an_id_goes_by_its_link_or_its_words(host: FeedHost) -> None:
    host.answers["/f"] = Answer(
        rss("<item><link>http://a/1</link><title>a</title></item>", "<item><title>b</title></item>"), tagged=False
    )
    reader = Reader(host.url("/f"))
    ids = {mention.id for mention in reader.mentions()}
    assert len(ids) == 2
    assert reader.later().mentions() == []
    assert {mention.id for mention in Reader(host.url("/f")).mentions()} == ids


def test_gzip_is_unpacked_and_a_bomb_is_not(host: FeedHost) -> None:
    host.answers["/f"] = Answer(rss(item("1", "One", "packed")), gzipped=True)
    bomb = gzip.compress(gzip.compress(b" " * 50_000_000)[:0] + b" " * 50_000_000)
    host.answers["/bomb"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    reader = Reader(host.url("/f"), host.url("/bomb"), max_bytes=100_000)
    with structlog.testing.capture_logs() as logs:
        assert texts(reader.mentions()) == ["packed"]
    assert [line["reason"] for line in logs] == ["the answer is over 100,000 bytes"]


@pytest.mark.parametrize("status", [301, 308])
def test_a_permanent_move_is_remembered_and_said_once(host: FeedHost, status: int) -> None:
    host.answers["/old"] = Answer(status=status, headers={"Location": "/new"})
    host.answers["/new"] = Answer(rss(item("1", "One")))
    reader = Reader(host.url("/old"))
    with structlog.testing.capture_logs() as logs:
        (before,) = reader.mentions()
        assert reader.later().mentions() == []
    assert len(host.asked("/old")) == 1
    assert len(host.asked("/new")) == 2
    assert [line["event"] for line in logs] == ["the feed has moved: change its address"]
    assert [mention.id for mention in Reader(host.url("/old")).mentions()] == [before.id]


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_redirect_is_followed_and_not_remembered(host: FeedHost, status: int) -> None:
    host.answers["/old"] = Answer(status=status, headers={"Location": "/new"})
    host.answers["/new"] = Answer(rss(item("1", "One")))
    reader = Reader(host.url("/old"))
    assert len(reader.mentions()) == 1
    reader.later().round()
    assert len(host.asked("/old")) == 2


def test_a_feed_that_is_gone_ends_and_when_all_have_ended_so_does_the_connector(host: FeedHost) -> None:
    host.answers["/f"] = Answer(status=410)
    reader = Reader(host.url("/f"))
    pages = list(_generator(reader.config, reader.clock, None))
    assert list(_generator(reader.config, reader.clock, pages[-1].cursor)) == []
    assert len(host.asked("/f")) == 1


FAILURES: list[tuple[Answer, str]] = [
    (Answer(status=404), "HTTP 404"),
    (Answer(status=500), "HTTP 500"),
    (Answer(status=302, headers={"Location": "/bad"}), "more than 5 redirects"),
    (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "file is not fetched"),
    (Answer(status=302, headers={"Location": "http://a:b/"}), "the address is not valid"),
    (Answer(b"<html><body>Log in</body></html>"), "the answer is not a feed"),
    (Answer(b"\x00\x01\x02"), "the answer is not a feed"),
    (Answer(b"<rss><channel>" + b"<a/>" * 250_000), "the answer is not a feed"),
    (Answer(b"not gzip", headers={"Content-Encoding": "gzip"}), "cannot be unpacked"),
    (Answer(b"x", headers={"Content-Encoding": "br"}), "was not asked for"),
    (Answer(b"x" * 3_000_000), "over 2,000,000 bytes"),
    (Answer(b"<rss>", endless=True), "no whole answer within 2 seconds"),
]


@pytest.mark.parametrize(("answer", "reason"), FAILURES, ids=[reason for _, reason in FAILURES])
def test_a_feed_in_trouble_is_put_off_and_the_others_go_on(host: FeedHost, answer: Answer, reason: str) -> None:
    host.answers["/bad"] = answer
    host.answers["/good"] = Answer(rss(item("1", "One")))
    seconds = 2 if answer.endless else 20
    urls = (host.url("/bad"), host.url("/good"))
    reader = Reader(*urls, max_bytes=2_000_000, timeout_seconds=seconds, interval_seconds=10)
    with structlog.testing.capture_logs() as logs:
        assert texts(reader.mentions()) == ["One"]
    (line,) = (line for line in logs if line["event"] == "the feed failed")
    assert reason in line["reason"]
    asked = len(host.asked("/bad"))
    reader.later(15).round(answers=1)
    assert len(host.asked("/bad")) == asked
    assert len(host.asked("/good")) == 2


def test_waits_grow_with_every_failure_and_end_with_success(host: FeedHost) -> None:
    reader = Reader(host.url("/f"), interval_seconds=1)
    with structlog.testing.capture_logs() as logs:
        for _ in range(4):
            reader.later(100_000).round()
        host.answers["/f"] = Answer(rss(item("1", "One")))
        reader.later(100_000).round()
        host.answers.clear()
        reader.later(100_000).round()
    assert [line["retry_secs"] for line in logs] == [60, 120, 240, 480, 60]


@pytest.mark.parametrize("dated", [False, True])
def test_retry_after_is_obeyed_across_a_restart(host: FeedHost, dated: bool) -> None:
    clock = ManualClock()
    until = clock.now() + timedelta(seconds=5000)
    value = format_datetime(until, usegmt=True) if dated else "5000"
    host.answers["/f"] = Answer(status=429, headers={"Retry-After": value})
    reader = Reader(host.url("/f"), clock=clock, interval_seconds=1)
    reader.round()
    with closing(_generator(reader.config, reader.later(4990).clock, reader.cursor)) as run:
        next(run)
    assert len(host.asked("/f")) == 1
    reader.later(10).round()
    assert len(host.asked("/f")) == 2


def test_after_an_outage_a_gap_says_whether_the_feed_still_held_what_was_missed(host: FeedHost) -> None:
    def outage(after: Answer) -> Gap:
        host.answers["/f"] = Answer(rss(item("1", "One")))
        reader = Reader(host.url("/f"))
        heard = reader.clock.now()
        reader.round()
        host.answers["/f"] = Answer(status=500)
        assert reader.later().round()[0].gaps == ()
        host.answers["/f"] = after
        ((gap,),) = [page.gaps for page in reader.later(500).round()]
        assert (gap.since, gap.until) == (heard, reader.clock.now())
        return gap

    assert outage(Answer(rss(item("2", "Two"), item("1", "One")))).repaired
    assert not outage(Answer(rss(item("3", "Three"), item("2", "Two")))).repaired
    assert outage(Answer(rss(item("1", "One")))).repaired


def test_a_feed_that_turned_over_between_two_requests_is_a_gap(host: FeedHost) -> None:
    host.answers["/f"] = Answer(rss(*[item(f"a{n}", "a") for n in range(6)]))
    reader = Reader(host.url("/f"))
    assert reader.round()[0].gaps == []
    host.answers["/f"] = Answer(rss(*[item(f"b{n}", "b") for n in range(6)]))
    (gap,) = reader.later().round()[0].gaps
    assert not gap.repaired
    assert "are new" in gap.reason


def test_entries_of_a_feed_with_broken_xml_are_salvaged_and_an_empty_one_is_rejected_once(host: FeedHost) -> None:
    body = b"<rss><channel><item><title>ok &amp; fine</title></item><item><title>a & b <b></title></item>"
    body += b"<item/><item><title>cut"
    host.answers["/f"] = Answer(body, tagged=False)
    reader = Reader(host.url("/f"))
    items = [found for page in reader.round() for found in page.items]
    assert "ok & fine" in [found.text for found in items if isinstance(found, Mention)]
    (rejection,) = (found for found in items if isinstance(found, Rejection))
    assert rejection.reason == "an entry without title and text"
    assert rejection.place.startswith("entry ")
    assert reader.later().round()[0].items == []


def test_an_entry_without_a_readable_date_or_from_the_future_was_said_now(host: FeedHost) -> None:
    host.answers["/f"] = Answer(
        rss(item("1", "a", date="some day"), item("2", "b", date="Mon, 05 Jan 2099 08:00:00 +0000"))
    )
    reader = Reader(host.url("/f"))
    assert {mention.created_at for mention in reader.mentions()} == {reader.clock.now()}


def test_a_private_address_is_not_fetched_and_neither_is_a_redirect_to_one(host: FeedHost) -> None:
    host.answers["/f"] = Answer(rss(item("1", "One")))
    for url in (host.url("/f"), host.url("/f").replace("127.0.0.1", "localhost")):
        with structlog.testing.capture_logs() as logs:
            Reader(url, allow_private=False).round()
        assert "is a private address" in logs[0]["reason"]
    assert host.requests == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert _public(address) is public


def test_a_key_in_an_address_is_not_logged(host: FeedHost) -> None:
    with structlog.testing.capture_logs() as logs:
        Reader(host.url("/f?key=sesame")).round()
    assert logs
    assert "sesame" not in str(logs)
    assert shown("https://a.org:8443/feed?key=sesame") == "https://a.org:8443/feed"


@pytest.mark.parametrize("url", ["ftp://a/f", "file:///etc/passwd", "a/b", "http://", "https://ana:pw@a.org/f", ""])
def test_an_address_that_cannot_be_fetched_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ValidationError):
        Config(urls=[url])


@pytest.mark.parametrize(
    ("value", "seconds"), [("5", 5.0), ("999999999", 86_400.0), ("", None), ("soon", None), ("-1", None)]
)
def test_retry_after_is_seconds_at_most_a_day(value: str, seconds: float | None) -> None:
    assert retry_after(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


HTML = [
    ("a<br>b", "a\nb"),
    ("<ul><li>x</li><li>y</li></ul>", "x\ny"),
    ("1 &lt; 2 &#8212; &hellip;", "1 < 2 — …"),
    ("<style>p{}</style>seen<script>if (a < b) {}</script>", "seen"),
    ("<svg><text>hidden</text></svg>seen<!-- not --> <title>not</title>", "seen"),
    ('<P CLASS="a>b">x</P\n>y <2 & 3> z', "x\ny <2 & 3> z"),
    ("seen<p a='unclosed", "seen"),
    ("soft\nwrapped", "soft wrapped"),
    ("  many   spaces\n\n\nhere ", "many spaces here"),
]


@pytest.mark.parametrize(("html", "text"), HTML)
def test_html_becomes_the_text_a_reader_sees(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize("part", ["<", "<p a='", '<p a="', "<!--", "<div>", "<script>", "<a ", "&#", "&a", "</"])
def test_broken_markup_repeated_without_end_is_read_in_one_pass(part: str) -> None:
    # What is scanned again from every place takes hours at this length, not the blink it should.
    assert len(text_of(part * (200_000 // len(part)))) <= 200_000


@given(st.text(max_size=200))
def test_any_text_at_all_can_be_read_as_html(html: str) -> None:
    assert "  " not in text_of(html)


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_a_feed_or_none(body: bytes) -> None:
    for entry in read_feed("k", "http://a/", "", b"<rss><channel><item><title>" + body) or []:
        if entry.title or entry.text:
            mention = to_mention(entry, "v", None, datetime(2026, 1, 1, tzinfo=UTC))
            assert "\0" not in mention.text
            assert mention.text.encode()


TIMES: list[tuple[Callable[[datetime], str], timedelta]] = [
    (datetime.isoformat, timedelta(0)),
    (lambda at: at.strftime("%Y-%m-%d %H:%M:%S %z"), timedelta(seconds=1)),
    (lambda at: at.strftime("%a %b %d %H:%M:%S %z %Y"), timedelta(seconds=1)),
    (lambda at: format_datetime(at), timedelta(seconds=1)),
    (lambda at: str(int(at.timestamp())), timedelta(seconds=1)),
    (lambda at: str(int(at.timestamp() * 1000)), timedelta(milliseconds=2)),
]


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(TIMES),
)
def test_a_time_written_in_any_known_format_is_read_back(
    moment: datetime, written: tuple[Callable[[datetime], str], timedelta]
) -> None:
    form, exact = written
    found = parse_time(form(moment))
    assert found.tzinfo is UTC
    assert abs(found - moment) <= exact


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "31.12.2025", "10/11/2017", "2026-02-30", "2026-01-05T25:00", "20260105", "1969-12-31"),
        *("2100-01-01", "12", "2026-01-05Z", "9" * 5000),
    ],
)
def test_what_is_no_time_for_sure_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="a time"):
        parse_time(value)


def test_a_feed_that_breaks_off_is_asked_for_again_and_not_taken_for_unchanged(host: FeedHost) -> None:
    whole = rss(item("g1", "One"), item("g2", "Two"))
    host.answers["/f"] = Answer(whole[: whole.index(b"<item>", 200)], headers={"ETag": '"1"'}, tagged=False)
    reader = Reader(host.url("/f"))
    assert texts(reader.mentions()) == ["One"]
    host.answers["/f"] = Answer(whole, headers={"ETag": '"1"'}, tagged=False)
    assert texts(reader.later().mentions()) == ["Two"]
    assert "if-none-match" not in host.asked("/f")[-1]
    reader.later().round()
    assert host.asked("/f")[-1]["if-none-match"] == '"1"'


def test_a_packed_answer_that_breaks_off_is_a_failure_and_not_a_short_feed(host: FeedHost) -> None:
    packed = gzip.compress(rss(item("g1", "One")))
    host.answers["/f"] = Answer(packed[:-12], headers={"Content-Encoding": "gzip"})
    assert Reader(host.url("/f")).mentions() == []
    host.answers["/f"] = Answer(packed, headers={"Content-Encoding": "gzip"})
    assert texts(Reader(host.url("/f")).mentions()) == ["One"]
