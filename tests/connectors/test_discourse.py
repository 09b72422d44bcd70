"""Looking at a forum, being told by it, and what became of its posts; what every connector promises is in
tests/contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr, ValidationError
from starlette.exceptions import HTTPException

from connectors._discourse_api import Account
from connectors._discourse_hooks import Webhook, take, verify
from connectors._discourse_posts import Reader, without_quotes
from connectors._discourse_reply import Reply
from connectors.discourse import Config, Connector, Rechecker, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Media, Mention, Metrics, Removal
from pipeline.ports import Context, Gap, Page, Rejection
from tests.contract.repliers.discourse import asked, settings
from tests.fixtures.discourse import ACCOUNT, HERE, KEY, SECRET, START, Forum, post, pushed, signed, when
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Told, told

WEBHOOK = Webhook(port=0, secret=SecretStr(SECRET))


@pytest.fixture
def forum() -> Iterator[Forum]:
    with Forum().running() as server:
        yield server


class Reading:
    """A connector on a clock moved by hand; `looks` looks so often at the newest posts, from the saved cursor on."""

    def __init__(self, forum: Forum, **changes: Any) -> None:
        self.clock = ManualClock(START)
        account = Account(username=ACCOUNT, api_key=SecretStr(KEY))
        self.config = Config(**({"url": forum.url, "account": account} | changes))
        self.cursor: str | None = None
        self.again()

    def again(self) -> None:
        """As after a restart."""
        self.connector = Connector(self.config, Context("forum", (), self.clock))

    def looks(self, number: int = 1) -> list[Page]:
        pages: list[Page] = []
        with closing(cast(Any, self.connector.pages(self.cursor))) as run:
            for page in run:
                pages.append(page)
                self.cursor = page.cursor or self.cursor
                number -= page.cursor is not None and "below" not in page.cursor
                if not number:
                    next(run)  # the page is durable only when the generator goes on
                    break
        return pages


def named(pages: list[Page]) -> list[str]:
    return [name(item) for page in pages for item in page.items if not isinstance(item, Rejection)]


def name(item: Item) -> str:
    return (item.native_id if isinstance(item, Mention) else item.target).rpartition(f"{HERE}/")[2]


def mentions(pages: list[Page]) -> list[Mention]:
    return [item for page in pages for item in page.items if isinstance(item, Mention)]


def gaps(pages: list[Page]) -> list[Gap]:
    return [gap for page in pages for gap in page.gaps]


def test_a_first_start_takes_so_many_posts_and_no_more(forum: Forum) -> None:
    forum.add(*(post(id) for id in range(1, 201)))
    assert named(Reading(forum, backfill=70).looks()) == [f"7/{id}" for id in [*range(151, 201), *range(131, 151)]]
    nothing = Reading(forum, backfill=0)
    assert named(nothing.looks()) == []
    forum.add(post(201))
    assert named(nothing.looks()) == [f"7/{id}" for id in range(152, 202)], "the newest page is looked at whole"


def test_a_second_look_passes_on_only_what_is_new_or_reworded(forum: Forum) -> None:
    forum.add(post(1, age=600), post(2, age=500))
    reading = Reading(forum)
    reading.looks()
    forum.add(post(1, "It came", age=600, version=2, updated_at=when(60)), post(3, age=-30))
    forum.posts[2]["reads"] = 99
    forum.posts[2]["updated_at"] = when(70)
    again, new = mentions(reading.looks())
    assert (again.text, again.edited_at) == ("It came", START + timedelta(seconds=60))
    assert (again.native_id, new.native_id) == (f"{HERE}/7/1", f"{HERE}/7/3")


def test_an_edit_of_the_first_five_minutes_keeps_its_version_and_is_noticed_still(forum: Forum) -> None:
    forum.add(post(1, age=600))
    reading = Reading(forum)
    assert mentions(reading.looks())[0].edited_at is None
    forum.add(post(1, "It is late", age=600, updated_at=when(9)))
    reading.clock.advance(60)
    assert mentions(reading.looks())[0].edited_at == START + timedelta(seconds=9)


def test_each_look_comes_in_its_time(forum: Forum) -> None:
    reading = Reading(forum, poll_secs=45)
    reading.looks(3)
    assert sum(reading.clock.waits) == pytest.approx(90, abs=1)
    assert len(forum.asked) == 3


@pytest.mark.parametrize("by_ids", [False, True], ids=["newer", "older"])
def test_after_a_pause_the_forum_is_read_back_to_what_was_known(forum: Forum, by_ids: bool) -> None:
    forum.by_ids = by_ids
    forum.add(*(post(id, age=7_200) for id in range(1, 4)))
    reading = Reading(forum)
    reading.looks()
    # In between stand 100 ids of private messages, which an older forum shows as an empty page.
    forum.add(*(post(id) for id in [*range(10, 60), *range(160, 230)]))
    reading.clock.advance(7_200)
    pages = reading.looks()
    assert {*named(pages)} == {f"7/{id}" for id in [*range(10, 60), *range(160, 230)]}
    (gap,) = gaps(pages)
    assert gap.repaired
    assert gap.until - gap.since == pytest.approx(timedelta(hours=2), abs=timedelta(seconds=1))


def test_more_than_is_read_back_is_a_gap_that_stays(forum: Forum) -> None:
    forum.add(post(1, age=60))
    reading = Reading(forum)
    reading.looks()
    forum.add(*(post(id, age=-id) for id in range(2, 5_100)))
    reading.clock.advance(6_000)
    pages = reading.looks()
    assert len(named(pages)) == 5_000
    (gap,) = gaps(pages)
    assert not gap.repaired
    assert (gap.since, gap.until) == (START - timedelta(seconds=60), START + timedelta(seconds=100))


def test_no_more_than_55_of_the_60_requests_a_minute_are_for_looking(forum: Forum) -> None:
    forum.add(*(post(id) for id in range(1, 4_000)))
    reading = Reading(forum, backfill=4_000)
    pages = reading.looks()
    assert len(forum.asked) == 81, "80 pages, and one that is empty"
    assert reading.clock.monotonic() == pytest.approx(60, abs=1)
    assert pages[-1].usage[0].unit == "requests a minute"
    assert pages[-1].usage[0].limit == 60


def test_a_user_key_is_held_to_20_a_minute_and_to_its_day_and_says_who_it_is(forum: Forum) -> None:
    account = Account(username=ACCOUNT, api_key=SecretStr(KEY), user_key=True)
    pages = Reading(forum, account=account).looks()
    assert [(usage.unit, usage.used, usage.limit) for usage in pages[-1].usage] == [
        ("requests a minute", 1, 20),
        ("requests a day", 1, 2_880),
    ]
    assert forum.asked[0].headers["user-api-key"] == KEY
    assert "api-username" not in forum.asked[0].headers
    Reading(forum, account=None).looks()
    assert not {"user-api-key", "api-key"} & forum.asked[1].headers.keys()


def test_reading_back_goes_on_where_it_was_interrupted_and_loses_nothing(forum: Forum) -> None:
    forum.add(post(1))
    reading = Reading(forum)
    reading.looks()
    forum.add(*(post(id) for id in range(2, 200)))
    reading.again()
    with closing(cast(Any, reading.connector.pages(reading.cursor))) as run:
        first = next(page for page in run if page.items)
    assert named([first]) == [f"7/{id}" for id in range(150, 200)]
    forum.add(post(200))
    before, reading.cursor = reading.cursor, first.cursor
    reading.again()
    assert {*named(reading.looks())} == {f"7/{id}" for id in range(1, 150)}, "from there down"
    assert {*named(reading.looks())} >= {"7/200"}
    reading.cursor = before
    reading.again()
    assert {*named(reading.looks())} >= {f"7/{id}" for id in range(2, 201)}, "the page was not durable"


def test_a_post_is_told_with_its_thread_its_words_and_its_pictures(forum: Forum) -> None:
    cooked = (
        '<aside class="quote no-group"><blockquote><img src="/theirs.png"></blockquote></aside><p>So late '
        '<img src="/images/emoji/x.png" class="emoji"> '
        '<img src="/uploads/box.png?a=1&amp;b=2" alt="The &quot;box&quot;"></p>'
    )
    quoted = 'So late\n\n![The "box"|690x388](upload://abc.png)'
    forum.add(
        post(1, "Where are parcels?", locale="pt_BR", topic_title="Parcels & letters"),
        post(
            4, f'[quote="bob, post:1, topic:7"]\nwe hate\n[quote]you[/quote]\nAcme\n[/quote]\n{quoted}', cooked=cooked
        ),
        post(5, "Me too", reply_to_post_number=4, username="bob", user_id=6, name=None),
    )
    first, second, third = mentions(Reading(forum).looks())
    assert (first.kind, first.title, first.parent, first.lang) == (Kind.POST, "Parcels & letters", None, "pt-BR")
    assert first.thread == second.thread == third.thread == first.id == f"discourse:{HERE}/7/1"
    assert (second.kind, second.title, second.parent) == (Kind.REPLY, "", first.id)
    assert third.parent == second.id
    assert second.text == 'So late\n\nThe "box"'
    assert second.media == (Media(f"{forum.url}/uploads/box.png?a=1&b=2", 'The "box"'),)
    assert second.metrics == Metrics(likes=2, replies=0, views=3)
    assert second.url == f"{forum.url}/t/parcels/7/4"
    assert (third.author.id, third.author.handle, third.author.name) == (f"{HERE}/6", f"bob@{HERE}", "")
    assert third.reply_ref == {"topic": "7", "number": "5", "post": "5", "username": "bob"}


def test_html_is_read_where_there_is_no_markdown() -> None:
    reader = Reader("https://forum.example/community/", "forum", None)
    cooked = '<aside class="quote"><p>theirs</p></aside><p>Mine &amp; yours</p><p>again</p>'
    item = reader.item(reader.read(json.dumps(post(4, raw="", cooked=cooked)).encode()), START)
    assert isinstance(item, Mention)
    assert item.text == "Mine & yours\nagain"
    assert item.native_id == "forum.example/community/7/4"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("[quote]all[/quote]", "[quote]all[/quote]"),
        ("[quote=x]open", "[quote=x]open"),
        ("a[quote]b[/quote]c", "ac"),
        ("![|1x1](upload://a) b", "b"),
        ("[quote" * 50_000, "[quote" * 50_000),
        ("[quote]" * 50_000, "[quote]" * 50_000),
        ("![](" * 50_000, "![](" * 50_000),
        ("![|" * 50_000, "![|" * 50_000),
    ],
)
def test_what_is_quoted_is_not_theirs(raw: str, text: str) -> None:
    assert without_quotes(raw) == text


def test_categories_whispers_and_private_messages_are_left_out(forum: Forum) -> None:
    forum.add(post(1), post(2, category_id=9), post(3, post_type=4), post(4, category_id=None))
    assert named(Reading(forum, categories=(4,)).looks()) == ["7/1"]
    assert len(named(Reading(forum).looks())) == 3


@pytest.mark.parametrize("how", [{"hidden": True}, {"user_deleted": True}])
def test_what_was_hidden_or_deleted_by_its_author_is_withdrawn_once(forum: Forum, how: dict[str, Any]) -> None:
    forum.add(post(1), post(2, **how))
    reading = Reading(forum)
    assert named(reading.looks()) == ["7/1"], "never taken, so there is nothing to withdraw"
    forum.add(post(1, **how))
    assert named(reading.looks()) == ["7/1"]
    assert named(reading.looks()) == []


def test_a_post_that_was_moved_leaves_its_old_place(forum: Forum) -> None:
    forum.add(post(1), post(2))
    reading = Reading(forum)
    reading.looks()
    forum.add(post(2, topic_id=8, post_number=1))
    gone, moved = (item for page in reading.looks() for item in page.items)
    assert isinstance(gone, Removal)
    assert isinstance(moved, Mention)
    assert (name(gone), name(moved)) == ("7/2", "8/1")


@pytest.mark.parametrize(
    ("answer", "trouble", "wait"),
    [
        (told(502, {}), "http", None),
        (told(429, {"errors": ["no"], "extras": {"wait_seconds": 41}}), "rate_limited", 41),
        (told(429, {}, Retry_After="7"), "rate_limited", 7),
        (Told(200, b"<html>"), "http", None),
        (told(200, {"posts": []}), "http", None),
    ],
)
def test_a_fault_is_for_later(forum: Forum, answer: Told, trouble: str, wait: float | None) -> None:
    forum.fail("/posts.json", answer)
    with pytest.raises(SourceUnavailable) as failure:
        Reading(forum).looks()
    assert failure.value.trouble == trouble
    assert failure.value.retry_after == wait


@pytest.mark.parametrize(("status", "setting"), [(403, "account"), (404, "url"), (301, "url")])
def test_what_only_the_operator_can_mend_names_the_setting(forum: Forum, status: int, setting: str) -> None:
    forum.fail("/posts.json", told(status, {"errors": ["The API username or key is invalid."]}))
    with pytest.raises(SourceRefused, match=rf"sources\.forum\.{setting}"):
        Reading(forum).looks()


def test_it_must_hear_something() -> None:
    with pytest.raises(ValidationError, match="nothing is heard"):
        Config(url="https://forum.example", poll_secs=0)
    assert Config(url="https://forum.example/", poll_secs=0, webhook=WEBHOOK).url == "https://forum.example"


# ----------------------------------------------------------------------------------------------------------- webhooks


def taken(event: str, body: bytes) -> list[Item | Rejection]:
    reader = Reader(f"https://{HERE}", "forum", None)
    return take(body, event, reader, lambda post: post.category_id == 4, START)


def test_only_what_the_forum_signed_is_read() -> None:
    body = pushed(post(1))
    verify(WEBHOOK, signed(body, "post_created")["X-Discourse-Event-Signature"], body)
    for signature in ("", "sha256=", signed(body + b" ", "post_created")["X-Discourse-Event-Signature"], "é"):
        with pytest.raises(HTTPException) as refusal:
            verify(WEBHOOK, signature, body)
        assert refusal.value.status_code == 401


def test_new_and_edited_posts_are_mentions_and_destroyed_ones_removals() -> None:
    (new,) = taken("post_created", pushed(post(1)))
    (back,) = taken("post_recovered", pushed(post(1)))
    (edited,) = taken("post_edited", pushed(post(1, updated_at=when(60))))
    assert isinstance(new, Mention)
    assert isinstance(edited, Mention)
    assert new == back
    assert (new.edited_at, edited.edited_at) == (None, START + timedelta(seconds=60))
    (gone,) = taken("post_destroyed", pushed(post(1, category_id=9, deleted_at=when(9))))
    assert isinstance(gone, Removal)
    assert (gone.mention, gone.conversation) == (f"discourse:{HERE}/7/1", f"discourse:{HERE}/7/1")


def test_a_destroyed_topic_takes_all_its_posts_with_it() -> None:
    items = taken("topic_destroyed", json.dumps({"topic": {"id": 7, "highest_post_number": 3}}).encode())
    assert [name(cast(Item, item)) for item in items] == ["7/1", "7/2", "7/3"]
    assert len(taken("topic_destroyed", b'{"topic": {"id": 7, "highest_post_number": 99999999}}')) == 1_000


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        ("post_created", {"topic_archetype": "private_message"}),
        ("post_destroyed", {"topic_archetype": "private_message"}),
        ("post_created", {"post_type": 4}),
        ("post_created", {"category_id": 9}),
        ("post_created", {"hidden": True}),
        ("user_created", {}),
    ],
)
def test_what_is_private_elsewhere_or_of_no_interest_is_not_taken(event: str, changes: dict[str, Any]) -> None:
    assert taken(event, pushed(post(1, **changes))) == []


def test_an_unreadable_post_is_kept_and_an_unreadable_body_refused() -> None:
    (rejection,) = taken("post_created", b'{"post": {"id": 1}}')
    assert isinstance(rejection, Rejection)
    assert rejection.payload == b'{"id": 1}'
    for event, body in (("post_created", b"no"), ("topic_destroyed", b"{}"), ("post_edited", b"[" * 9_999)):
        with pytest.raises(HTTPException) as refusal:
            taken(event, body)
        assert refusal.value.status_code == 400


def test_the_forum_is_answered_when_its_post_is_durable_and_a_ping_at_once(forum: Forum) -> None:
    connector = Connector(
        Config(url=forum.url, poll_secs=0, webhook=WEBHOOK.model_copy(update={"durable_timeout_secs": 0.2})),
        Context("forum", (), ManualClock(START)),
    )
    with closing(cast(Any, connector.pages(None))) as run, httpx2.Client(trust_env=False) as client:
        next(run)

        def push(event: str, body: bytes) -> int:
            url = f"http://127.0.0.1:{connector.port}/discourse"
            return client.post(url, content=body, headers=signed(body, event), timeout=5).status_code

        assert push("ping", b'{"ping": "OK"}') == 200
        assert push("post_created", pushed(post(1))) == 503, "nobody has made it durable"
    assert forum.asked == []


# ---------------------------------------------------------------------------------------------------------- rechecking


def recheck(forum: Forum, *mentions: Mention, **changes: Any) -> list[Item]:
    rechecker = Rechecker(Config(**({"url": forum.url} | changes)), Context("forum", (), ManualClock(START)))
    return list(rechecker.recheck(mentions))


@pytest.mark.parametrize(("key", "a_day"), [(None, 43_200), (False, 86_400), (True, 2_880)])
def test_asking_and_looking_once_a_minute_fit_into_what_a_forum_allows(key: bool | None, a_day: int) -> None:
    config = Config(url="https://forum.example")
    if key is not None:
        config = config.model_copy(update={"account": Account(username="acme", api_key=SecretStr("k"), user_key=key)})
    rechecker = Rechecker(config, Context("forum", (), ManualClock(START)))
    looks = 86_400 / config.poll_secs
    assert 0.3 * a_day < 24 * rechecker.per_hour <= a_day - looks


def test_what_became_of_posts_is_asked_for(forum: Forum) -> None:
    forum.add(post(1, "Acme lost my parcel"), post(2, "Reworded", updated_at=when(5)), post(3, deleted_at=when(1)))
    forum.add(post(5, topic_id=8, post_number=1), post(6, hidden=True))
    items = recheck(forum, *(asked(number) for number in range(1, 7)))
    gone = [item.mention for item in items if isinstance(item, Removal)]
    assert gone == [f"discourse:{HERE}/7/{number}" for number in (3, 4, 5, 6)]
    reworded, moved = (item for item in items if isinstance(item, Mention))
    assert (reworded.text, reworded.edited_at) == ("Reworded", START + timedelta(seconds=5))
    assert moved.native_id == f"{HERE}/8/1"


def test_what_cannot_be_told_is_left_out(forum: Forum) -> None:
    elsewhere = mention("discourse:forum.example/7/1", reply_ref={"post": "1"})
    forum.fail("/posts/1.json", told(403, {"errors": ["no"]}))
    assert recheck(forum, asked(1), elsewhere) == []
    assert len(forum.asked) == 1
    forum.fail("/posts/1.json", told(401, {}))
    with pytest.raises(SourceRefused):
        recheck(forum, asked(1))
    account = Account(username=ACCOUNT, api_key=SecretStr(KEY), user_key=True)
    assert len(recheck(forum, *(asked(number) for number in range(10, 40)), account=account)) == 20


# ----------------------------------------------------------------------------------------------------------- answering


def answering(forum: Forum, **changes: Any) -> Replier:
    return Replier(settings(forum.url, **changes), Context("forum", (), ManualClock(START)))


def test_an_answer_hangs_under_the_post(forum: Forum) -> None:
    forum.add(post(3))
    assert answering(forum).reply(asked(), "Sorry", "key") == f"{HERE}/7/4"
    assert forum.asked[-1].json == {"raw": "Sorry", "topic_id": 7, "reply_to_post_number": 3}
    assert forum.asked[-1].headers["api-username"] == ACCOUNT


def test_an_answer_is_found_again_behind_twenty_older_ones_and_not_under_another_post(forum: Forum) -> None:
    forum.add(post(3), *(post(id, f"Answer {id}", username=ACCOUNT, reply_to_post_number=2) for id in range(10, 40)))
    forum.add(post(40, "Sorry  \r\n", username=ACCOUNT, reply_to_post_number=3))
    assert answering(forum).reply(asked(), "Sorry", "another key") == f"{HERE}/7/40"
    assert answering(forum).reply(asked(2), "Sorry", "key") == f"{HERE}/7/41"


def test_words_the_forum_has_just_had_are_looked_for_once_more(forum: Forum) -> None:
    forum.add(post(3))
    forum.fail("/t/7.json", told(200, {"post_stream": {"posts": [], "stream": []}}))
    forum.add(post(4, "Sorry", username=ACCOUNT, reply_to_post_number=3))
    forum.refusal = ["Body is too similar to what you recently posted"]
    assert answering(forum).reply(asked(), "Sorry", "key") == f"{HERE}/7/4"
    forum.refusal = ["Body is too similar to what you recently posted"]
    with pytest.raises(ReplyRefused, match="too similar"):
        answering(forum).reply(asked(), "Other words", "key")


def test_an_answer_that_a_moderator_looks_at_first_says_so(forum: Forum) -> None:
    forum.add(post(3))
    forum.approve = True
    assert answering(forum).reply(asked(), "Sorry", "key") == "pending/12"


def test_a_like_is_given_once(forum: Forum) -> None:
    forum.add(post(3))
    replier = answering(forum)
    assert replier.may("like", asked()) is None
    assert replier.act("like", asked(), "", "key") == replier.act("like", asked(), "", "key") == f"{HERE}/7/3"
    assert forum.likes == 1
    forum.liked.clear()
    forum.fail("/post_actions.json", told(403, {"errors": ["You cannot like your own post"]}))
    with pytest.raises(ReplyRefused, match="your own post"):
        replier.act("like", asked(), "", "key")


def test_a_private_message_goes_out_once(forum: Forum) -> None:
    replier = answering(forum)
    forum.lose("/posts.json")
    with pytest.raises(SourceUnavailable):
        replier.act("message", asked(), "Please send us the number", "key")
    assert answering(forum).act("message", asked(), "Please send us the number", "key") == f"{HERE}/900/1"
    ((_, body),) = forum.messages.values()
    assert (body["archetype"], body["target_recipients"], body["title"]) == (
        "private_message",
        "ana",
        "About your post",
    )
    assert "once" not in (replier.may("message", asked()) or "")
    assert "twice" in (answering(forum, user_key=True).may("message", asked()) or "")
    assert "moderators" in (replier.may("hide", asked()) or "")
    with pytest.raises(ReplyRefused, match="moderators"):
        replier.act("hide", asked(), "", "key")


def test_a_description_cannot_break_out_of_its_picture(forum: Forum) -> None:
    from tests.fixtures.pictures import PNG, Gallery

    forum.add(post(3))
    with Gallery().running() as gallery:
        media = [Media(url=gallery.hang_up("/a.png", PNG), alt="a](x)\n[b|1x1\\")]
        answering(forum).reply(asked(), "Look", "key", media)
    raw = forum.asked[-1].json["raw"]
    assert raw.startswith("Look\n\n![a (x) b 1x1 ](upload://")
    assert PNG in forum.asked[-2].body


def test_an_account_keeps_its_key_to_itself() -> None:
    account = Reply(username=ACCOUNT, api_key=SecretStr(KEY))
    assert KEY not in f"{account!r} {account}"
