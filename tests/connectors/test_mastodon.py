"""Mastodon: what is taken, how it is told apart, and what becomes of it. The promises of all are in tests/contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr, ValidationError

from connectors._mastodon_timelines import searches, tag_of
from connectors.mastodon import Config, Rechecker, Server, queries
from pipeline.clock import SystemClock
from pipeline.errors import SourceUnavailable
from pipeline.mention import Kind, Mention, Metrics, Removal
from pipeline.ports import Brand, Context
from tests.fixtures.ear import heard
from tests.fixtures.mastodon import Mastodon
from tests.fixtures.mastodon_listening import ACME, WIRES, Ahead, connector, settled, speak
from tests.fixtures.mastodon_streams import TOKEN
from tests.fixtures.stand_in import told

BROKEN = '{"stream": ["user"], "event": "update", "payload": "\\ud83d"}'


@pytest.fixture
def town() -> Iterator[Mastodon]:
    with Mastodon().running() as town:
        yield town


@pytest.fixture
def village() -> Iterator[Mastodon]:
    with Mastodon("village.example", "clerk").running() as village:
        yield village


@WIRES
def test_a_post_its_edit_and_its_deletion_arrive_as_they_happen(town: Mastodon, wire: str) -> None:
    with heard(connector(town, **speak(town, wire))) as ear:
        ear.until(lambda: settled(ear))
        post = town.post("My #acme parcel is lost")
        ear.until(lambda: len(ear.items) == 1)
        town.edit(post["id"], "My #acme parcel is found")
        ear.until(lambda: len(ear.items) == 2)
        town.delete(post["id"])
        ear.until(lambda: len(ear.items) == 3)
    first, second, third = ear.items
    assert isinstance(first, Mention)
    assert isinstance(second, Mention)
    assert isinstance(third, Removal)
    assert (first.id, first.edited_at) == (f"mastodon:{post['uri']}", None)
    assert (second.id, second.text) == (first.id, "My #acme parcel is found")
    assert second.revision > first.revision
    assert (third.mention, third.conversation) == (first.id, first.id)


def test_a_mention_says_who_where_and_what_an_answer_needs(town: Mastodon) -> None:
    town.post(
        "@care Ça va?",
        "ben",
        spoiler_text="Parcel",
        language="fr",
        poll={"options": [{"title": "Yes"}, {"title": "No"}]},
        media_attachments=[{"url": "https://cache/1", "remote_url": "https://far/1", "description": "A box"}],
    )
    with heard(connector(town)) as ear:
        ear.until(lambda: bool(ear.items))
    (found,) = ear.items
    assert isinstance(found, Mention)
    assert (found.title, found.text, found.lang, found.brand) == ("Parcel", "@care Ça va?\nYes\nNo", "fr", "acme")
    assert (found.author.id, found.author.handle, found.author.followers) == ("ben@town.example",) * 2 + (12,)
    assert [(one.url, one.alt) for one in found.media] == [("https://far/1", "A box")]
    assert found.metrics == Metrics(likes=2, reposts=1, replies=0)
    assert found.reply_ref["server"] == town.url
    assert {found.reply_ref["id"]} == set(town.statuses)
    assert (found.reply_ref["visibility"], found.reply_ref["acct"]) == ("public", "ben")


def test_threads_hang_together_also_where_their_beginning_was_never_seen(town: Mastodon) -> None:
    root = town.post("Hello", visibility="unlisted")
    middle = town.post("What?", reply_to=root["id"])
    with heard(connector(town)) as ear:
        ear.until(lambda: settled(ear))
        town.post("@care help", reply_to=middle["id"])
        ear.until(lambda: bool(ear.items))
    mention = ear.mention("@care help")
    assert mention.kind is Kind.REPLY
    assert mention.conversation == f"mastodon:{root['uri']}"
    assert mention.parent == f"mastodon:{middle['uri']}"


def test_a_direct_message_a_quote_and_a_repost_are_told_apart(town: Mastodon) -> None:
    original = town.post("Acme is great", "ben@far.example", visibility="unlisted")
    with heard(connector(town, reposts=True)) as ear:
        ear.until(lambda: settled(ear))
        town.post("@care my address", visibility="direct")
        town.post("See #acme", quote={"state": "accepted", "quoted_status": original})
        reblog = town.post("", "care", reblog=original)
        town.emit("update", json.dumps(reblog), "user")
        ear.until(lambda: len(ear.items) == 3)
    found = {one.kind: one for one in ear.items if isinstance(one, Mention)}
    assert set(found) == {Kind.MESSAGE, Kind.QUOTE, Kind.REPOST}
    assert found[Kind.QUOTE].parent == found[Kind.REPOST].parent == f"mastodon:{original['uri']}"
    assert found[Kind.REPOST].text == "Acme is great"


def test_of_the_live_feed_only_what_may_concern_a_brand_is_taken_and_of_a_list_everything(town: Mastodon) -> None:
    with heard(connector(town, feed="all", lists=("3",))) as ear:
        ear.until(lambda: settled(ear))
        town.post("nothing to see")
        town.post("ACME's parcel")
        listed = town.post("what a day", visibility="private")
        town.emit("update", json.dumps(listed), "list:3")
        ear.until(lambda: len(ear.items) == 2)
    assert ear.texts == ["ACME's parcel", "what a day"]


def test_a_live_feed_that_is_switched_off_is_not_asked_for(town: Mastodon) -> None:
    town.live_feeds = {"local": "disabled", "remote": "disabled"}
    with heard(connector(town, feed="all")) as ear:
        ear.until(lambda: settled(ear))
    assert "public" not in town.streamed
    assert "hashtag:acme" in town.streamed


def test_one_post_on_two_servers_is_one_mention_and_one_removal(town: Mastodon, village: Mastodon) -> None:
    with heard(connector(town, village)) as ear:
        ear.until(lambda: settled(ear))
        uri = "https://far.example/1"
        here, there = town.post("#acme", uri=uri), village.post("#acme", uri=uri)
        village.post("#acme there")
        ear.until(lambda: len(ear.items) == 2)
        town.delete(here["id"])
        village.delete(there["id"])
        village.post("#acme later")
        ear.until(lambda: "#acme later" in ear.texts)
    assert sorted(ear.texts) == ["#acme", "#acme later", "#acme there", f"- mention:mastodon:{uri}"]


def test_a_deletion_is_understood_after_a_restart(town: Mastodon, tmp_path: Path) -> None:
    with heard(connector(town, memory=tmp_path / "seen")) as ear:
        post = town.post("#acme")
        ear.until(lambda: settled(ear) and bool(ear.items))
    with heard(connector(town, memory=tmp_path / "seen"), ear.cursor) as again:
        again.until(lambda: settled(again))
        town.emit("delete", "12345", "user")
        town.delete(post["id"])
        again.until(lambda: bool(again.items) and isinstance(again.items[-1], Removal))
    assert again.texts[-1] == f"- mention:mastodon:{post['uri']}"


def test_what_is_no_event_is_kept_and_what_is_unknown_passed_over(town: Mastodon) -> None:
    with heard(connector(town)) as ear:
        ear.until(lambda: settled(ear))
        for raw in ("{", "[]", '{"stream": ["user"], "event": "update", "payload": "{}"}', BROKEN):
            town.raw(raw)
        town.emit("filters_changed", "", "user")
        town.emit("conversation", "{}", "user")
        town.notify("favourite", town.post("mine", "care"))
        town.post("Go on #acme")
        ear.until(lambda: "Go on #acme" in ear.texts)
    assert len(ear.rejected) == 4
    assert sorted(ear.texts) == ["Go on #acme", "mine"]


def test_terms_are_searched_where_that_is_allowed_and_from_then_on_only_for_what_is_new(town: Mastodon) -> None:
    clock = Ahead()
    town.post("Nobody tags Acme")
    with heard(connector(town, clock=clock, search_secs=600)) as ear:
        ear.until(lambda: "Nobody tags Acme" in ear.texts)
        town.post("Acme again")
        clock.by = 601
        ear.until(lambda: "Acme again" in ear.texts)
        town.fail("/search", told(403, {"error": "This method requires an authenticated user"}))
        clock.by = 1_202
        ear.until(lambda: sum(one.path.endswith("/search") for one in town.asked) == 3)
        clock.by = 1_803
        for _ in range(3):
            ear.pull()
    asked = [one.query for one in town.asked if one.path.endswith("/search")]
    assert [one["q"] for one in asked] == [['"Acme"']] * 3
    assert [one["min_id"] for one in asked] == [["0"], *([id] for id in town.statuses)]
    assert len(ear.items) == 2


def test_what_became_of_stored_posts_is_asked(town: Mastodon) -> None:
    with heard(connector(town)) as ear:
        posts = [town.post(f"{number} #acme") for number in range(3)]
        ear.until(lambda: len(ear.items) == 3)
    mentions = [one for one in ear.items if isinstance(one, Mention)]
    town.delete(posts[0]["id"])
    town.edit(posts[1]["id"], "Reworded #acme")
    config = Config(servers=(Server(url=town.url, access_token=SecretStr(TOKEN)),))
    rechecker = Rechecker(config, Context("toots", (ACME,), SystemClock()))
    gone, anew = rechecker.recheck([*mentions, msgspec.structs.replace(mentions[0], reply_ref={})])
    assert isinstance(gone, Removal)
    assert gone.mention == mentions[0].id
    assert isinstance(anew, Mention)
    assert (anew.id, anew.text, anew.author) == (mentions[1].id, "Reworded #acme", mentions[1].author)
    town.fail("/api/v1/statuses", told(404, {"error": "no such method"}))
    assert [type(one) for one in rechecker.recheck(mentions)] == [Removal, Mention]
    town.fail("/api/v1/statuses", told(503, {}))
    with pytest.raises(SourceUnavailable):
        rechecker.recheck(mentions)


def test_terms_become_hashtags_and_searches() -> None:
    assert [tag_of(term) for term in ("Acme & Sons", "#Été_1", "42", "...")] == ["acmesons", "été_1", "", ""]
    assert searches([Brand("a", terms=('say "hi"', "from:me"))], ()) == ['"say hi"', '"from:me"']
    config = Config(servers=(Server(url="https://town.example", access_token=SecretStr("t")),))
    found = queries(config, [Brand("acme", terms=("Acme & Sons",))])
    assert [(one.text, one.brand, one.place) for one in found] == [
        ("#acmesons", "acme", "https://town.example"),
        ('"Acme & Sons"', "acme", "https://town.example"),
    ]


def test_settings_that_cannot_be_meant_are_refused() -> None:
    server = Server(url="https://town.example", access_token=SecretStr("t"))
    for wrong in ({"servers": ()}, {"servers": (server, server)}, {"servers": (server,), "hashtags": ("42",)}):
        with pytest.raises(ValidationError):
            Config.model_validate(wrong)
    for url in ("town.example", "http://town.example", "https://town.example/", "https://u:p@town.example"):
        with pytest.raises(ValidationError):
            Server(url=url, access_token=SecretStr("t"))
