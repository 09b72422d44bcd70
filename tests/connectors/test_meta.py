"""Being told by Meta, asking what it only named, and answering on its three networks; what every connector promises is
in tests/contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from connectors._meta_events import Reader
from connectors._meta_graph import Account, Network
from connectors._meta_shapes import Need
from connectors.meta import Config, Connector, Rechecker, Replier
from pipeline.clock import ManualClock
from pipeline.errors import BadItem, ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Media, Mention, Removal
from pipeline.ports import Context, Page, Rejection, Usage
from tests.contract.repliers.meta import asked, settings
from tests.fixtures.meta import (
    PAGE,
    POST,
    START,
    TOKEN,
    VERIFY,
    Meta,
    comment,
    error,
    limited,
    pushed,
    signed,
    threads,
)
from tests.fixtures.stand_in import Told


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page while nobody sends comes sooner than it otherwise would."""
    monkeypatch.setattr("connectors.meta.IDLE_SECS", 0.01)


@pytest.fixture
def meta() -> Iterator[Meta]:
    with Meta().running() as server:
        yield server


def read(network: Network, body: bytes) -> list[Item | Need | None]:
    reader = Reader(network, [PAGE], "meta", None)
    return [reader.item(event, START) for event in reader.events(body)]


def one(network: Network, body: bytes) -> Mention:
    (item,) = read(network, body)
    assert isinstance(item, Mention)
    return item


class Hearing:
    """A connector that listens; `push` sends and lets the pages go on until it is answered."""

    def __init__(self, config: Config, clock: ManualClock) -> None:
        self.connector = Connector(config, Context("meta", (), clock))
        self.pages: list[Page] = []

    @contextmanager
    def on(self, cursor: str | None = None) -> Iterator[Hearing]:
        with closing(cast(Any, self.connector.pages(cursor))) as self.run, httpx2.Client(trust_env=False) as self.http:
            self.pages.append(next(self.run))
            yield self

    def url(self) -> str:
        return f"http://127.0.0.1:{self.connector.port}/meta"

    def push(self, body: bytes, **headers: str) -> int:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(self.http.post, self.url(), content=body, headers=signed(body) | headers, timeout=10)
            while not sent.done():
                self.pages.append(next(self.run))
            return sent.result().status_code

    @property
    def items(self) -> list[Item | Rejection]:
        return [item for page in self.pages for item in page.items]


@pytest.fixture
def hearing(meta: Meta) -> Hearing:
    return Hearing(settings(meta.url, 1), ManualClock(START))


# ------------------------------------------------------------------------------------------------------------ webhooks


def test_the_address_proves_itself_by_the_challenge(hearing: Hearing) -> None:
    with hearing.on():
        ask = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "1158201444"}
        answer = hearing.http.get(hearing.url(), params=ask)
        assert (answer.status_code, answer.text) == (200, "1158201444")
        assert answer.headers["content-type"].startswith("text/plain")
        for change in ({"hub.verify_token": "wrong"}, {"hub.verify_token": "é"}, {"hub.mode": "unsubscribe"}):
            assert hearing.http.get(hearing.url(), params=ask | change).status_code == 403
        for challenge in ("", "<script>", "1" * 999):
            assert hearing.http.get(hearing.url(), params=ask | {"hub.challenge": challenge}).status_code == 400


def test_only_what_the_app_signed_is_read(hearing: Hearing) -> None:
    body = pushed(comment(1))
    with hearing.on():
        for wrong in (
            "",
            "sha256=",
            signed(body + b" ")["X-Hub-Signature-256"],
            signed(body, "other")["X-Hub-Signature-256"],
        ):
            assert hearing.push(body, **{"X-Hub-Signature-256": wrong}) == 401
        assert hearing.items == []
        assert hearing.push(body) == 200
        assert len(hearing.items) == 1


def test_what_comes_again_is_answered_and_taken_once(hearing: Hearing) -> None:
    with hearing.on():
        body = pushed(comment(1), comment(2))
        assert [hearing.push(body), hearing.push(body)] == [200, 200]
        assert hearing.push(pushed(comment(2), comment(3))) == 200
        assert [item.native_id for item in hearing.items if isinstance(item, Mention)] == ["500_1", "500_2", "500_3"]


def test_what_is_not_durable_is_to_be_sent_again(meta: Meta) -> None:
    hearing = Hearing(settings(meta.url, durable_timeout_secs=0.2), ManualClock(START))
    body = pushed(comment(1))
    with hearing.on():
        answer = hearing.http.post(hearing.url(), content=body, headers=signed(body), timeout=10)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("body", [b"no", b"[]", b"[" * 9_999, b'{"entry": 7}'])
def test_a_body_that_is_none_of_metas_is_refused(hearing: Hearing, body: bytes) -> None:
    with hearing.on():
        assert hearing.push(body) == 400


def test_more_than_a_batch_or_a_long_body_is_refused(meta: Meta) -> None:
    hearing = Hearing(settings(meta.url, max_body_bytes=50_000), ManualClock(START))
    with hearing.on():
        assert hearing.push(pushed(*[("feed", 1)] * 1_001)) == 413
        assert hearing.push(b" " * 50_001) == 413


def test_other_accounts_and_other_objects_are_none_of_ours() -> None:
    assert read("facebook", pushed(comment(1), account="999")) == []
    assert read("facebook", pushed(comment(1), object="user")) == []
    assert read("facebook", pushed(("leadgen", {"id": "1"}))) == [None]


@pytest.mark.parametrize("network", ["facebook", "instagram"])
def test_what_meta_no_longer_sends_is_read_back(meta: Meta, network: Network) -> None:
    def said(id: str, hours: float, **more: Any) -> dict[str, Any]:
        when = (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S+0000")
        return {"id": id, "message": id, "text": id, "created_time": when, "timestamp": when, **more}

    reply = said("500_2", 2, parent={"id": "500_1"}) if network == "facebook" else said("502", 2)
    first = said("500_1", 1) if network == "facebook" else said("501", 1, replies={"data": [reply]})
    rows = [first, reply, said("500_3", -1)] if network == "facebook" else [first, {"id": "no time"}]
    meta.edges["feed"] = [[said(POST, -9, comments={"data": rows})], [said(f"{PAGE}_7", 3), {"id": "x"}]]
    meta.edges["media"] = [[said("600", -9, comments={"data": rows})]]
    clock = ManualClock(START)
    hearing = Hearing(settings(meta.url, network=network), clock)
    with hearing.on():
        cursor = hearing.pages[0].cursor
    clock.advance(40 * 3_600)
    hearing.pages.clear()
    with hearing.on(cursor):
        while not hearing.pages[-1].gaps:
            assert hearing.pages[-1].cursor is None, "a crash meanwhile begins anew"
            hearing.pages.append(next(hearing.run))
    (gap,) = hearing.pages[-1].gaps
    assert gap.repaired
    found = [item for item in hearing.items if isinstance(item, Mention)]
    if network == "facebook":
        assert [one.native_id for one in found] == ["500_1", "500_2", f"{PAGE}_7"]
        assert (found[1].parent, found[1].conversation) == ("facebook:500_1", f"facebook:{POST}")
    else:
        assert [one.native_id for one in found] == ["501", "502"]
        assert (found[1].parent, found[1].conversation) == ("instagram:501", "instagram:600")
        assert found[1].created_at == START + timedelta(hours=2)


def test_when_reading_back_fails_the_gap_stays(meta: Meta) -> None:
    clock = ManualClock(START + timedelta(hours=40))
    hearing = Hearing(settings(meta.url), clock)
    meta.fail("/feed", error(400, 10, "Not allowed."))
    with hearing.on(json.dumps({"answered": START.timestamp()})):
        while not hearing.pages[-1].gaps:
            hearing.pages.append(next(hearing.run))
    (gap,) = hearing.pages[-1].gaps
    assert not gap.repaired
    assert "Not allowed" in gap.note


def test_a_short_absence_loses_nothing_and_of_a_long_one_the_beginning_is_a_gap(meta: Meta) -> None:
    clock = ManualClock(START)
    hearing = Hearing(settings(meta.url, network="threads"), clock)
    with hearing.on():
        cursor = hearing.pages[0].cursor
        assert not hearing.pages[0].gaps
    clock.advance(17 * 3_600)
    with hearing.on(cursor):
        assert not hearing.pages[-1].gaps
    clock.advance(5 * 3_600)
    with hearing.on(cursor):
        hearing.pages.append(next(hearing.run))
        (gap,) = hearing.pages[-1].gaps
    assert (gap.since, gap.until, gap.repaired) == (START, START + timedelta(hours=4), False)


# ------------------------------------------------------------------------------------------------------- what it says


def test_a_comment_hangs_in_its_thread() -> None:
    first = one("facebook", pushed(comment(1, photo="https://x.example/p.jpg")))
    reply = one("facebook", pushed(comment(2, "Mine too", parent_id="500_1")))
    assert (first.kind, first.conversation, first.parent) == (Kind.COMMENT, f"facebook:{POST}", f"facebook:{POST}")
    assert (first.author.id, first.author.name) == ("77", "Ana")
    assert first.created_at == START - timedelta(seconds=60)
    assert first.media == (Media("https://x.example/p.jpg"),)
    assert (reply.parent, reply.conversation) == (first.id, first.conversation)
    assert reply.reply_ref == {"account": PAGE, "id": "500_2", "top": "500_1", "place": POST}


def test_what_the_account_itself_says_is_known_for_its_own() -> None:
    field, value = comment(1)
    ours = one("facebook", pushed((field, value | {"from": {"id": PAGE, "name": "Acme"}})))
    published = one("threads", threads("publish", {"id": "9", "username": "acme", "text": "Hello"}))
    assert ours.own
    assert published.own
    assert not one("facebook", pushed(comment(1))).own


def test_a_visitors_post_begins_a_thread() -> None:
    value = {
        "item": "photo",
        "post_id": f"{PAGE}_9",
        "verb": "add",
        "message": "Look",
        "link": "https://x.example/1.jpg",
    }
    item = one("facebook", pushed(("feed", value)))
    assert (item.kind, item.parent, item.thread) == (Kind.POST, None, item.id)
    assert item.author.id == f"unknown-{PAGE}_9", "Meta did not say who"
    assert item.created_at == START


def test_edits_and_removals_are_told_and_hiding_withdraws_nothing() -> None:
    edited = one("facebook", pushed(comment(1, "It came", verb="edited")))
    assert (edited.text, edited.edited_at) == ("It came", START)
    (gone,) = read("facebook", pushed(comment(1, verb="remove", message=None)))
    assert isinstance(gone, Removal)
    assert (gone.mention, gone.conversation) == ("facebook:500_1", f"facebook:{POST}")
    for verb in ("hide", "unhide", "block"):
        assert read("facebook", pushed(comment(1, verb=verb))) == [None]
    assert read("facebook", pushed(("feed", {"item": "reaction", "verb": "add", "post_id": POST}))) == [None]


def test_a_comment_on_instagram_has_the_time_of_its_telling() -> None:
    value = {"id": "31", "from": {"id": "5", "username": "ana"}, "text": "Hi", "media": {"id": "30"}, "parent_id": "29"}
    item = one("instagram", pushed(("comments", value), object="instagram"))
    assert (item.id, item.parent, item.conversation) == ("instagram:31", "instagram:29", "instagram:30")
    assert (item.created_at, item.author.handle) == (START, "ana")
    assert item.reply_ref["top"] == "29"


def test_a_reply_on_threads_and_one_taken_back() -> None:
    value = {
        "id": "8901",
        "username": "ana",
        "text": "Reply",
        "media_type": "TEXT_POST",
        "permalink": "https://www.threads.net/@ana/post/Pp",
        "replied_to": {"id": "567"},
        "root_post": {"id": "123", "owner_id": PAGE, "username": "acme"},
        "timestamp": "2026-01-05T08:33:16+0000",
    }
    item = one("threads", threads("replies", value))
    assert (item.kind, item.conversation, item.parent) == (Kind.REPLY, "threads:123", "threads:567")
    assert (item.author.id, item.url) == ("ana", "https://www.threads.net/@ana/post/Pp")
    assert item.created_at == START - timedelta(seconds=26 * 60 + 44)
    quoted = one("threads", threads("mentions", {"id": "9", "username": "b", "text": "@acme", "is_quote_post": True}))
    assert (quoted.kind, quoted.reply_ref["theirs"]) == (Kind.QUOTE, "yes")
    (gone,) = read("threads", threads("delete", {"id": "8901", "deleted_at": "2026-01-05T08:40:00+0000"}))
    assert isinstance(gone, Removal)
    assert gone.mention == "threads:8901"


@pytest.mark.parametrize("id", ["../../me", "1_2_3", "", "1?x=y", "a", "1" * 99])
def test_no_id_of_theirs_leads_a_request_elsewhere(id: str) -> None:
    with pytest.raises(BadItem):
        read("facebook", pushed(("mention", {"item": "post", "verb": "add", "post_id": id})))


# --------------------------------------------------------------------------------------------------------- asked for


def test_what_was_only_named_is_asked_for(meta: Meta, hearing: Hearing) -> None:
    shown = {"id": "66_2", "message": "Dear Acme", "created_time": "2026-01-05T08:00:00+0000", "from": {"id": "66"}}
    meta.nodes["66_2"] = shown | {"permalink_url": "https://www.facebook.com/66/posts/2"}
    with hearing.on():
        assert hearing.push(pushed(("mention", {"item": "post", "verb": "add", "post_id": "66_2"}))) == 200
        (item,) = hearing.items
        assert isinstance(item, Mention)
        assert (item.text, item.author.id, item.reply_ref["theirs"]) == ("Dear Acme", "66", "yes")
        assert hearing.push(pushed(("mention", {"item": "post", "verb": "add", "post_id": "66_3"}))) == 200
        assert len(hearing.items) == 1, "what is gone by now is nothing to withdraw"
    assert meta.asked[0].path == "/v24.0/66_2"
    assert len(meta.asked[0].query["appsecret_proof"][0]) == 64


@pytest.mark.parametrize("about", [{"media_id": "40"}, {"media_id": "40", "comment_id": "41"}])
def test_who_names_the_account_on_instagram_is_asked_for(meta: Meta, about: dict[str, str]) -> None:
    stamp = {"timestamp": "2026-01-05T08:00:00+0000", "username": "ana"}
    meta.nodes |= {"40": {"id": "40", "caption": "@acme!", **stamp}, "41": {"id": "41", "text": "@acme?", **stamp}}
    hearing = Hearing(settings(meta.url, network="instagram"), ManualClock(START))
    with hearing.on():
        assert hearing.push(pushed(("mentions", about), object="instagram")) == 200
    (item,) = hearing.items
    assert isinstance(item, Mention)
    assert (item.text, item.kind) == (("@acme?", Kind.COMMENT) if "comment_id" in about else ("@acme!", Kind.POST))
    assert (item.conversation, item.author.handle) == ("instagram:40", "ana")


def test_while_the_api_fails_meta_is_to_send_again_and_what_was_found_is_kept(meta: Meta, hearing: Hearing) -> None:
    for number in (2, 3):
        meta.nodes[f"66_{number}"] = {"id": f"66_{number}", "message": f"Text {number}"}
    body = pushed(*(("mention", {"item": "post", "verb": "add", "post_id": f"66_{n}"}) for n in (2, 3)))
    meta.fail("66_3", error(500, 2, "later"))
    with hearing.on():
        assert hearing.push(body) == 503
        assert hearing.push(body) == 200
    assert len(hearing.items) == 2
    assert len([one for one in meta.asked if one.path.endswith("66_2")]) == 1


@pytest.mark.parametrize("status", [302, 403, 404, 410])
def test_what_somebody_between_us_and_meta_refuses_meta_is_to_send_again(
    meta: Meta, hearing: Hearing, status: int
) -> None:
    meta.nodes["66_2"] = {"id": "66_2", "message": "Text"}
    body = pushed(("mention", {"item": "post", "verb": "add", "post_id": "66_2"}))
    meta.fail("66_2", Told(status, b"<html>Sign in to the network</html>"))
    with hearing.on():
        assert hearing.push(body) == 503
        assert hearing.push(body) == 200
    (item,) = hearing.items
    assert isinstance(item, Mention)


def test_what_meta_does_not_show_is_kept_aside_and_a_dead_token_stops(meta: Meta, hearing: Hearing) -> None:
    body = pushed(("mention", {"item": "post", "verb": "add", "post_id": "66_2"}))
    meta.fail("66_2", error(403, 10, "Requires pages_read_engagement"))
    with hearing.on():
        assert hearing.push(body) == 200
        (rejection,) = hearing.items
        assert isinstance(rejection, Rejection)
        assert "pages_read_engagement" in rejection.reason
        meta.fail("66_4", error(400, 190, f"Error validating access token {TOKEN}"))

        def named() -> None:
            hearing.push(pushed(("mention", {"item": "post", "verb": "add", "post_id": "66_4"})))
            next(hearing.run)

        with pytest.raises(SourceRefused, match=r"sources\.meta\.accounts") as refusal:
            named()
    assert TOKEN not in str(refusal.value)


def test_what_is_used_of_the_allowances_is_told(meta: Meta, hearing: Hearing) -> None:
    meta.headers = {
        "X-App-Usage": '{"call_count":28,"total_time":40,"total_cputime":3}',
        "X-Business-Use-Case-Usage": json.dumps({"9": [{"type": "pages", "call_count": 71, "total_time": 5}]}),
    }
    meta.nodes["66_2"] = {"id": "66_2", "message": "Text"}
    with hearing.on():
        hearing.push(pushed(("mention", {"item": "post", "verb": "add", "post_id": "66_2"})))
    usage = next(page.usage for page in hearing.pages if page.usage)
    assert [*usage] == [Usage("app usage in percent", 40, 100), Usage("pages usage in percent", 71, 100)]


@pytest.mark.parametrize("headers", ['{"call_count":NaN}', "[]", "7", "[" * 9_000, '{"a":[{"call_count":true}]}'])
def test_allowances_that_cannot_be_read_are_none(meta: Meta, headers: str) -> None:
    meta.headers = {"X-App-Usage": headers, "X-Business-Use-Case-Usage": headers}
    assert replier(meta).reply(asked(), "Sorry", "key")


def test_threads_tells_how_many_replies_are_left(meta: Meta) -> None:
    hearing = Hearing(settings(meta.url, network="threads"), ManualClock(START))
    with hearing.on():
        hearing.push(threads("delete", {"id": "1"}))
        hearing.pages.append(next(hearing.run))
    usage = [one for page in hearing.pages for one in page.usage]
    assert Usage("replies in 24 hours", 3, 1_000) in usage
    assert ("queries a day", 1, 2_200) in [(one.unit, one.used, one.limit) for one in usage]


# ----------------------------------------------------------------------------------------------------------- answering


def replier(meta: Meta, network: Network = "facebook") -> Replier:
    return Replier(settings(meta.url, network=network), Context("meta", (), ManualClock(START)))


def test_an_answer_to_a_reply_stands_under_the_comment_that_began_it(meta: Meta) -> None:
    ref = {"account": PAGE, "id": "500_2", "top": "500_1", "place": POST}
    replier(meta).reply(asked("500_2", reply_ref=ref), "Sorry", "key")
    assert meta.made[-1][0] == "500_1/comments"


def test_an_answer_is_found_again_behind_others(meta: Meta) -> None:
    first = replier(meta).reply(asked(), "First", "key-1")
    for number in range(4):
        replier(meta).reply(asked(), f"Answer {number}", f"key-{number}")
    assert replier(meta).reply(asked(), "First", "key-1") == first
    assert len(meta.made) == 5


def test_on_instagram_an_answer_stands_under_the_comment_and_once(meta: Meta) -> None:
    mine = asked("31", "instagram", "30")
    id = replier(meta, "instagram").reply(mine, "Sorry", "key")
    assert replier(meta, "instagram").reply(mine, "Sorry", "key") == id
    assert meta.made == [
        ("31/replies", {"message": "Sorry", "appsecret_proof": meta.made[0][1]["appsecret_proof"]}, id)
    ]
    with pytest.raises(ReplyRefused, match="picture"):
        replier(meta, "instagram").reply(mine, "Look", "key", [Media("https://x.example/1.png")])


def test_who_named_the_account_on_instagram_is_answered_where_they_did(meta: Meta) -> None:
    ref = {"account": PAGE, "id": "41", "top": "41", "place": "40", "theirs": "yes"}
    replier(meta, "instagram").reply(asked("41", "instagram", reply_ref=ref), "Thank you", "key")
    where, form, _ = meta.made[0]
    assert where == f"{PAGE}/mentions"
    assert (form["media_id"], form["comment_id"], form["message"]) == ("40", "41", "Thank you")


def test_on_threads_an_answer_is_made_and_then_published_once(meta: Meta) -> None:
    mine = asked("567", "threads", "123", kind=Kind.REPLY)
    id = replier(meta, "threads").reply(mine, "Sorry", "key")
    assert [where for where, _, _ in meta.made] == [f"{PAGE}/threads", f"{PAGE}/threads_publish"]
    assert meta.made[0][1] == {"media_type": "TEXT", "text": "Sorry", "reply_to_id": "567"}
    assert meta.made[1][1] == {"creation_id": meta.made[0][2]}
    assert replier(meta, "threads").reply(mine, "Sorry", "key") == id
    assert meta.asked[0].path == f"/v1.0/{PAGE}/replies"


def test_an_answer_made_on_threads_and_never_published_is_made_anew(meta: Meta) -> None:
    mine = asked("567", "threads", "123", kind=Kind.REPLY)
    meta.fail("/threads_publish", error(500, 2, "later"))
    with pytest.raises(SourceUnavailable):
        replier(meta, "threads").reply(mine, "Sorry", "key")
    replier(meta, "threads").reply(mine, "Sorry", "key")
    assert len(meta.posts("/threads_publish")) == 1


def test_a_picture_on_threads_is_waited_for(meta: Meta) -> None:
    mine, picture = asked("567", "threads", "123", kind=Kind.REPLY), [Media("https://x.example/1.png", "A label")]
    meta.container = ["IN_PROGRESS", "FINISHED"]
    replier(meta, "threads").reply(mine, "Look", "key", picture)
    assert meta.made[0][1]["image_url"] == "https://x.example/1.png"
    assert meta.made[0][1]["alt_text"] == "A label"
    meta.container = ["ERROR"]
    with pytest.raises(ReplyRefused, match="picture"):
        replier(meta, "threads").reply(mine, "Another", "key", picture)
    meta.container = ["IN_PROGRESS"] * 8
    with pytest.raises(SourceUnavailable) as later:
        replier(meta, "threads").reply(mine, "A third", "key", picture)
    assert later.value.retry_after == 30


def test_a_comment_is_liked_and_hidden_where_the_network_allows_it(meta: Meta) -> None:
    facebook, instagram, on_threads = replier(meta), replier(meta, "instagram"), replier(meta, "threads")
    assert facebook.act("like", asked(), "", "key") == "500_1"
    facebook.act("hide", asked(), "", "key")
    instagram.act("hide", asked("31", "instagram", "30"), "", "key")
    on_threads.act("hide", asked("567", "threads", "123", kind=Kind.REPLY), "", "key")
    done = [(where, {name: form[name] for name in form if name != "appsecret_proof"}) for where, form, _ in meta.made]
    assert done == [
        ("500_1/likes", {}),
        ("500_1", {"is_hidden": "true"}),
        ("31", {"hide": "true"}),
        ("567/manage_reply", {"hide": "true"}),
    ]
    assert "like" in (instagram.may("like", asked("31", "instagram", "30")) or "")
    assert "own posts" in (facebook.may("hide", asked(kind=Kind.POST)) or "")
    with pytest.raises(ReplyRefused):
        on_threads.act("message", asked("567", "threads", "123"), "Hi", "key")


@pytest.mark.parametrize(
    ("network", "kind"), [("facebook", Kind.COMMENT), ("facebook", Kind.POST), ("instagram", Kind.COMMENT)]
)
def test_a_second_private_message_is_not_told_to_be_sent(meta: Meta, network: Network, kind: Kind) -> None:
    mine = asked("500_1" if network == "facebook" else "31", network, "500", kind=kind)
    first = replier(meta, network).act("message", mine, "Your number?", "key-1")
    with pytest.raises(ReplyRefused, match="not sent"):
        replier(meta, network).act("message", mine, "And your address?", "key-2")
    with pytest.raises(ReplyRefused, match="not sent"):
        replier(meta, network).act("message", mine, "Why?", "key-3")  # they said so, not we
    assert replier(meta, network).act("message", mine, "Your number?", "key-1") == first
    meta.fail("me/conversations" if network == "instagram" or kind is Kind.POST else "500_1", error(403, 10, "No."))
    with pytest.raises(ReplyRefused, match="does not show") as refusal:
        replier(meta, network).act("message", mine, "Your number?", "key-1")
    assert "No." in refusal.value.reason
    assert len(meta.posts("me/messages")) == 1


def test_who_commented_is_written_to_in_private_once_and_within_a_week(meta: Meta) -> None:
    mine = asked(created_at=START - timedelta(days=6))
    sent = replier(meta).act("message", mine, "Your number?", "key")
    assert sent.startswith("m_")
    assert replier(meta).act("message", mine, "Your number?", "key") == sent, "there is one already"
    ((form, _),) = meta.posts("me/messages")
    assert json.loads(form["recipient"]) == {"comment_id": "500_1"}
    assert json.loads(form["message"]) == {"text": "Your number?"}
    assert "7 days" in (replier(meta).may("message", asked(created_at=START - timedelta(days=8))) or "")


def test_a_limit_in_minutes_is_waited_for(meta: Meta) -> None:
    meta.post_fault(limited(1_200))
    with pytest.raises(SourceUnavailable) as later:
        replier(meta).reply(asked(), "Sorry", "key")
    assert (later.value.trouble, later.value.retry_after) == ("rate_limited", 1_200)
    meta.post_fault(error(400, 4, "Application request limit reached"))
    with pytest.raises(SourceUnavailable) as later:
        replier(meta).reply(asked(), "Sorry", "key")
    assert (later.value.trouble, later.value.retry_after) == ("rate_limited", None)


# ---------------------------------------------------------------------------------------------------------- rechecking


def recheck(meta: Meta, *mentions: Mention, network: Network = "facebook") -> list[Item]:
    rechecker = Rechecker(settings(meta.url, network=network), Context("meta", (), ManualClock(START)))
    return list(rechecker.recheck(mentions))


def test_no_more_is_asked_than_meta_allows(meta: Meta) -> None:
    def a_day(network: Network) -> float:
        config = settings(meta.url, network=network)
        return 24 * Rechecker(config, Context("meta", (), ManualClock(START))).per_hour

    assert a_day("threads") == pytest.approx(2_200 / 2)
    assert a_day("facebook") == a_day("instagram") == pytest.approx(4_800 / 2)


def test_what_is_gone_or_reworded_is_told(meta: Meta) -> None:
    meta.nodes["500_1"] = {"id": "500_1", "message": "Acme lost my parcel"}
    meta.nodes["500_2"] = {"id": "500_2", "message": "It came"}
    reworded, gone = recheck(meta, asked(), asked("500_2"), asked("500_3"))
    assert isinstance(reworded, Mention)
    assert (reworded.text, reworded.edited_at) == ("It came", START)
    assert isinstance(gone, Removal)
    assert gone.mention == "facebook:500_3"


def test_a_lost_right_withdraws_nothing(meta: Meta) -> None:
    meta.blind = True
    assert recheck(meta, asked(), asked("500_2")) == []
    assert len(meta.asked) == 3
    meta.fail("500_1", error(400, 190, "expired"))
    with pytest.raises(SourceRefused):
        recheck(meta, asked())
    elsewhere = {"account": PAGE, "id": "41", "top": "41", "place": "40", "theirs": "yes"}
    assert recheck(meta, asked("41", "instagram", reply_ref=elsewhere), network="instagram") == []


# ------------------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    "changes",
    [
        {"accounts": ()},
        {"accounts": (Account(id=PAGE, access_token=SecretStr("two words")),)},
        {"api_version": "24"},
        {"api_base": "http://graph.facebook.com"},
        {"app_secret": SecretStr("short")},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings("https://graph.facebook.com", **changes)
