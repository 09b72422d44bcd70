"""The Bluesky connector against a stand-in that follows Jetstream's documents, faults included."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.bluesky import Config, Connector
from pipeline.clock import ManualClock
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.mention import Kind, Mention, Removal
from pipeline.ports import Brand, Context, Page, Rejection
from tests.fixtures.jetstream import ACME, ANA, BEN, START, V1, V2, Jetstream, tid

BRANDS = (Brand("acme", terms=("Acme", "acme & sons"), own_accounts={"bluesky": (ACME,)}), Brand("zed", ("Zed Cola",)))


def connector(*hosts: Jetstream, clock: ManualClock | None = None, **settings: Any) -> Connector:
    config = Config(hosts=tuple(host.url for host in hosts), **{"batch_secs": 0.05} | settings)
    return Connector(config, Context("sky", BRANDS, clock or ManualClock()))


@contextmanager
def reading(source: Connector, cursor: str | None = None) -> Iterator[Iterator[Page]]:
    pages = source.pages(cursor)
    try:
        yield pages
    finally:
        pages.close()  # type: ignore[attr-defined]  # the port promises a generator


def until(pages: Iterator[Page], enough: Callable[[list[Page]], bool]) -> list[Page]:
    """Pages up to the one with which it is enough (the stand-in is told what to send, so it comes)."""
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


def ids(read: list[Page]) -> set[str]:
    return {item.id for item in items(read)}


def have(count: int) -> Callable[[list[Page]], bool]:
    return lambda read: len(items(read)) >= count


def cursor_of(read: list[Page]) -> str:
    return [page.cursor for page in read if page.cursor is not None][-1]


def marker(server: Jetstream, count: int = 1) -> None:
    """Posts that are always taken: when they arrive, everything before them has been decided."""
    for _ in range(count):
        server.post("Acme again")


@pytest.fixture(params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_a_matching_post_arrives_as_a_mention_in_both_versions(jetstream: Jetstream, version: int) -> None:
    with reading(connector(jetstream, version=version)) as pages:
        assert not next(pages).heard
        jetstream.identity(ANA, "ana.test")
        jetstream.post("nothing of interest")
        uri = jetstream.post("My ACME's parcel is late", langs=["de"])
        mention = items(until(pages, have(1)))[0]
    assert isinstance(mention, Mention)
    assert mention.id == f"bluesky:{uri}"
    assert mention.author.id == ANA
    assert mention.author.handle == "ana.test"
    assert (mention.kind, mention.lang, mention.via) == (Kind.POST, "de", "sky")
    assert mention.created_at == START + timedelta(seconds=2)
    assert mention.url == f"https://bsky.app/profile/{ANA}/post/{uri.rpartition('/')[2]}"
    assert mention.conversation == mention.id
    assert mention.reply_ref["uri"] == mention.reply_ref["root_uri"] == uri
    assert jetstream.requests[0].startswith(V1 if version == 1 else V2)


def test_a_reply_names_its_thread_and_what_is_needed_to_answer_it(jetstream: Jetstream) -> None:
    root = {"uri": f"at://{BEN}/app.bsky.feed.post/root", "cid": "cid-root"}
    parent = {"uri": f"at://{ACME}/app.bsky.feed.post/parent", "cid": "cid-parent"}
    with reading(connector(jetstream)) as pages:
        next(pages)
        uri = jetstream.post("still waiting", reply={"root": root, "parent": parent})
        mention = items(until(pages, have(1)))[0]
    assert mention.kind is Kind.REPLY
    assert mention.conversation == f"bluesky:{root['uri']}"
    assert mention.parent == f"bluesky:{parent['uri']}"
    assert mention.brand == "acme", "a reply to the brand's own post is about the brand whatever it says"
    assert mention.reply_ref == {
        "uri": uri,
        "cid": mention.reply_ref["cid"],
        "root_uri": root["uri"],
        "root_cid": "cid-root",
        "parent_uri": parent["uri"],
        "parent_cid": "cid-parent",
    }
    assert mention.reply_ref["cid"].startswith("cid-")


def test_quotes_pictures_and_link_cards_are_read(jetstream: Jetstream) -> None:
    quoted = f"at://{BEN}/app.bsky.feed.post/q"
    image = {"alt": "an Acme parcel, torn", "image": {"$type": "blob", "ref": {"$link": "bafy1"}, "size": 1}}
    with_media = {
        "$type": "app.bsky.embed.recordWithMedia",
        "record": {"$type": "app.bsky.embed.record", "record": {"uri": quoted, "cid": "c"}},
        "media": {"$type": "app.bsky.embed.images", "images": [image]},
    }
    card = {"external": {"uri": "https://example.com/a", "title": "Acme & Sons", "description": "a shop"}}
    with reading(connector(jetstream)) as pages:
        next(pages)
        jetstream.post("look", embed=with_media)
        jetstream.post("this shop", embed=card)
        jetstream.post("look", embed={"$type": "app.bsky.embed.somethingNew", "acme": 1})
        marker(jetstream)
        quote, shop, _ = items(until(pages, have(3)))
    assert (quote.kind, quote.parent) == (Kind.QUOTE, f"bluesky:{quoted}")
    assert quote.media[0].alt == "an Acme parcel, torn"
    assert "bafy1" in quote.media[0].url
    assert shop.media[0].url == "https://example.com/a"


def test_terms_are_heard_whole_and_through_escapes(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        for text in ("acmeology", "zed and cola", "zed\ncola", "#Acme!", "I like \u24d0cme"):
            jetstream.post(text)
        marker(jetstream)
        heard = [item.text for item in items(until(pages, have(4)))]
    assert heard == ["zed\ncola", "#Acme!", "I like \u24d0cme", "Acme again"]


def test_a_resumed_stream_loses_nothing_and_repeats_little(jetstream: Jetstream, version: int) -> None:
    source = connector(jetstream, version=version)
    with reading(source) as pages:
        next(pages)
        marker(jetstream, 3)
        before = until(pages, have(3))
    marker(jetstream, 2)
    with reading(connector(jetstream, version=version), cursor_of(before)) as pages:
        again = until(pages, lambda read: len(ids(read) | ids(before)) == 5)
    assert len(items(again)) <= (5 if version == 1 else 3), "v2 repeats one, v1 what lies within the rewind"


def test_what_was_handed_over_is_not_repeated_within_one_process(jetstream: Jetstream, version: int) -> None:
    source = connector(jetstream, version=version)
    with reading(source) as pages:
        next(pages)
        marker(jetstream, 3)
        read = until(pages, have(3))
        next(pages)  # control came back: the page is durable
    marker(jetstream)
    with reading(source, cursor_of(read)) as pages:
        again = items(until(pages, have(1)))
    assert [item.id for item in again] == [f"bluesky:at://{ANA}/app.bsky.feed.post/{tid(jetstream.time(3))}"]


def test_a_page_that_was_not_made_durable_comes_again(jetstream: Jetstream, version: int) -> None:
    source = connector(jetstream, version=version)
    with reading(source) as pages:
        next(pages)
        marker(jetstream)
        first = until(pages, have(1))
        next(pages)
        jetstream.post("Acme, not yet durable")
        lost = until(pages, have(1))
    with reading(source, cursor_of(first)) as pages:
        again = items(until(pages, have(1)))
    assert again[0].id == items(lost)[0].id


def test_a_delete_is_passed_on_only_where_it_may_concern_us(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        ours, theirs = jetstream.post("Acme!"), jetstream.post("something else", BEN)
        jetstream.delete(theirs)
        jetstream.delete(ours)
        mention, removal = items(until(pages, have(2)))
    assert isinstance(removal, Removal)
    assert (removal.mention, removal.reason) == (mention.id, "deleted")
    assert removal.conversation == mention.conversation


def test_after_a_restart_without_memory_deletes_of_older_posts_are_all_passed_on(jetstream: Jetstream) -> None:
    clock = ManualClock(START)
    with reading(connector(jetstream, clock=clock)) as pages:
        next(pages)
        ours, theirs = jetstream.post("Acme!"), jetstream.post("something else", BEN)
        read = until(pages, have(1))
    clock.advance(3_600)
    jetstream.now += timedelta(hours=2)
    later = jetstream.post("written after the restart", BEN)
    for uri in (ours, theirs, later):
        jetstream.delete(uri)
    marker(jetstream)
    with reading(connector(jetstream, clock=clock), cursor_of(read)) as pages:
        seen = items(until(pages, lambda read: any(isinstance(i, Mention) and "again" in i.text for i in items(read))))
    removed = [item.mention for item in seen if isinstance(item, Removal)]
    assert removed == [f"bluesky:{ours}", f"bluesky:{theirs}"]


def test_a_memory_file_keeps_other_peoples_deletes_out_after_a_restart(jetstream: Jetstream, tmp_path: Path) -> None:
    memory = tmp_path / "var" / "authors"
    with reading(connector(jetstream, memory=memory)) as pages:
        next(pages)
        ours, theirs = jetstream.post("Acme!"), jetstream.post("something else", BEN)
        read = until(pages, have(1))
        next(pages)
    for uri in (theirs, ours):
        jetstream.delete(uri)
    with reading(connector(jetstream, memory=memory), cursor_of(read)) as pages:
        seen = items(until(pages, lambda read: any(isinstance(i, Removal) for i in items(read))))
    assert [i.mention for i in seen if isinstance(i, Removal)] == [f"bluesky:{ours}"]
    assert memory.stat().st_size == 8


def test_a_lost_memory_file_is_noticed_and_nothing_is_dropped(jetstream: Jetstream, tmp_path: Path) -> None:
    memory = tmp_path / "authors"
    clock = ManualClock(START + timedelta(hours=1))
    with reading(connector(jetstream, memory=memory, clock=clock)) as pages:
        next(pages)
        ours = jetstream.post("Acme!")
        read = until(pages, have(1))
    memory.unlink()
    jetstream.delete(ours)
    with reading(connector(jetstream, memory=memory, clock=clock), cursor_of(read)) as pages:
        seen = items(until(pages, lambda read: any(isinstance(i, Removal) for i in items(read))))
    assert f"bluesky:{ours}" in [i.mention for i in seen if isinstance(i, Removal)]


def test_an_edit_replaces_the_wording_even_where_it_no_longer_names_the_brand(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        uri = jetstream.post("Acme is bad")
        jetstream.post("they are bad", rkey=uri.rpartition("/")[2], operation="update")
        jetstream.post("somebody else's edit", BEN, operation="update")
        marker(jetstream)
        first, edit, last = items(until(pages, have(3)))
    assert (edit.id, edit.text) == (first.id, "they are bad")
    assert edit.edited_at is not None
    assert edit.revision > first.revision
    assert last.text == "Acme again"


@pytest.mark.parametrize(
    ("status", "reason"),
    [("deleted", "account_gone"), ("takendown", "account_gone"), ("deactivated", "account_hidden")],
)
def test_an_account_that_goes_takes_its_mentions_with_it(jetstream: Jetstream, status: str, reason: str) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        jetstream.post("Acme!")
        jetstream.account(BEN, False, status)
        jetstream.account(ANA, False, "throttled")
        jetstream.account(ANA, True)
        jetstream.account(ANA, False, status)
        _, removal = items(until(pages, have(2)))
    assert (removal.author, removal.reason) == (f"bluesky:{ANA}", reason)


def test_reposts_are_taken_where_asked_for(jetstream: Jetstream) -> None:
    kind = {"collection": "app.bsky.feed.repost"}
    with reading(connector(jetstream, reposts=True)) as pages:
        next(pages)
        uri = jetstream.post("Acme is great")
        jetstream.post("", BEN, subject={"uri": uri, "cid": "c"}, **kind)
        jetstream.post("", BEN, subject={"uri": f"at://{BEN}/app.bsky.feed.post/x", "cid": "c"}, **kind)
        marker(jetstream)
        original, repost, last = items(until(pages, have(3)))
    assert (repost.kind, repost.parent, repost.text) == (Kind.REPOST, original.id, "Acme is great")
    assert last.kind is Kind.POST


def test_a_broken_frame_is_a_rejection_and_the_stream_goes_on(jetstream: Jetstream, version: int) -> None:
    half = '{"$type":"message","payload":{"$type":"x#commit","seq":3,"did":"did:plc:acme'
    with reading(connector(jetstream, version=version)) as pages:
        next(pages)
        jetstream.raw(half)
        jetstream.post("hello", langs=5)  # unreadable, but no term in it: not ours
        jetstream.post("Acme", langs=5)
        jetstream.raw('{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#sync","seq":9}}')
        marker(jetstream)
        seen = items(until(pages, lambda read: any(isinstance(i, Mention) for i in items(read))))
    rejected = [item for item in seen if isinstance(item, Rejection)]
    assert rejected[0].payload == half.encode()
    assert "not a post" in rejected[1].reason
    assert len(rejected) == (2 if version == 2 else 3), "a v2 sync frame is no event of v1"
    with pytest.raises(BadItem):
        connector(jetstream).parse(rejected[1].payload)


def test_a_rejected_frame_can_be_parsed_again(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        jetstream.post("Acme " + "x" * 100, langs=[5])
        (rejected,) = items(until(pages, have(1)))
    (mention,) = connector(jetstream).parse(rejected.payload.replace(b"[5]", b"[]"))
    assert isinstance(mention, Mention)
    assert mention.text.startswith("Acme xxx")
    with pytest.raises(BadItem):
        connector(jetstream).parse(b"{")


@pytest.mark.parametrize("how", ["reset", "close", "slow"])
def test_a_broken_connection_is_reported_after_what_came_before_it(jetstream: Jetstream, how: str) -> None:
    read: list[Page] = []
    with reading(connector(jetstream)) as pages:
        next(pages)
        marker(jetstream)
        jetstream.end(how)
        with pytest.raises(SourceUnavailable) as caught:
            read.extend(page for page in pages)
    assert caught.value.trouble == "network"
    assert [item.text for item in items(read)] == ["Acme again"]


def test_an_error_frame_alone_does_not_count_as_a_sign_of_life(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        jetstream.end("slow")
        assert not next(pages).heard


def test_silence_is_noticed(jetstream: Jetstream) -> None:
    clock = ManualClock()
    with reading(connector(jetstream, clock=clock, silence_secs=30)) as pages:
        assert not next(pages).heard
        clock.advance(31)
        with pytest.raises(SourceUnavailable) as caught:
            next(pages)
    assert caught.value.trouble == "silent"


def test_auto_falls_back_to_v1_where_the_host_has_no_v2() -> None:
    with Jetstream(versions=(1,)).running() as old:
        with reading(connector(old)) as pages:
            next(pages)
            marker(old)
            assert items(until(pages, have(1)))
        assert [request.partition("?")[0] for request in old.requests] == [V2, V1]
        with pytest.raises(SourceRefused, match="no Jetstream v2"), reading(connector(old, version=2)) as pages:
            next(pages)


def test_a_cursor_too_old_for_v2_is_a_gap_and_listening_goes_on(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        marker(jetstream)
        read = until(pages, have(1))
    marker(jetstream, 4)
    jetstream.floor = 3
    with reading(connector(jetstream), cursor_of(read)) as pages:
        again = until(pages, have(2))
    (gap,) = [gap for page in again for gap in page.gaps]
    assert (gap.since, gap.until, gap.repaired) == (jetstream.time(0), jetstream.time(3), False)
    assert "CursorTooOld" in gap.reason


def test_a_cursor_too_old_for_v1_is_a_gap_though_nobody_says_so(jetstream: Jetstream) -> None:
    clock = ManualClock(START)
    with reading(connector(jetstream, clock=clock, version=1)) as pages:
        next(pages)
        marker(jetstream)
        read = until(pages, have(1))
    clock.advance(40 * 3_600)
    marker(jetstream, 4)
    jetstream.floor = 3
    with reading(connector(jetstream, clock=clock, version=1), cursor_of(read)) as pages:
        again = until(pages, have(2))
    (gap,) = [gap for page in again for gap in page.gaps]
    assert (gap.since, gap.until) == (jetstream.time(0), jetstream.time(3))
    assert "36 hours" in gap.reason


def test_a_long_absence_that_was_replayed_in_full_is_no_gap(jetstream: Jetstream) -> None:
    clock = ManualClock(START)
    with reading(connector(jetstream, clock=clock)) as pages:
        next(pages)
        marker(jetstream)
        read = until(pages, have(1))
    clock.advance(40 * 3_600)
    marker(jetstream)
    with reading(connector(jetstream, clock=clock), cursor_of(read)) as pages:
        again = until(pages, lambda read: len({item.id for item in items(read)}) == 2)
    assert not [gap for page in again for gap in page.gaps]


def test_another_host_is_resumed_by_time_and_not_by_seq(jetstream: Jetstream, other_jetstream: Jetstream) -> None:
    source = connector(jetstream, other_jetstream)
    with reading(source) as pages:
        next(pages)
        marker(jetstream, 3)
        read = until(pages, have(3))
        next(pages)
    for text in ("Acme again", "Acme again", "Acme again", "Acme elsewhere"):
        other_jetstream.post(text)
    jetstream.refuse(503)
    jetstream.refuse(503)
    for _ in range(2):
        with pytest.raises(SourceUnavailable) as caught, reading(source, cursor_of(read)) as pages:
            next(pages)
        assert caught.value.trouble == "http"
    with reading(source, cursor_of(read)) as pages:
        again = until(pages, have(1))
    assert [item.text for item in items(again)] == ["Acme elsewhere"], "known by repository, record and revision"
    asked = other_jetstream.requests[0]
    assert f"cursor={int((jetstream.time(2) - timedelta(seconds=5)).timestamp() * 1_000_000)}" in asked
    assert json.loads(cursor_of(again))["host"] == other_jetstream.url


def test_a_seq_of_another_archive_is_resumed_by_time(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
        marker(jetstream)
        read = until(pages, have(1))
    stale = json.dumps(json.loads(cursor_of(read)) | {"seq": 999_999})
    marker(jetstream)
    with reading(connector(jetstream), stale) as pages:
        again = until(pages, lambda read: len({item.id for item in items(read)}) == 2)
    assert not [gap for page in again for gap in page.gaps]


@pytest.mark.parametrize(("status", "trouble"), [(429, "rate_limited"), (500, "http"), (403, "http")])
def test_refusals_say_how_long_to_wait(jetstream: Jetstream, status: int, trouble: str) -> None:
    jetstream.refuse(status, **{"Retry-After": "17"})
    with pytest.raises(SourceUnavailable) as caught, reading(connector(jetstream)) as pages:
        next(pages)
    assert caught.value.trouble == trouble
    assert caught.value.retry_after == (17 if status == 429 else None)


def test_a_host_that_is_not_there_is_a_network_trouble() -> None:
    with Jetstream().running() as gone:
        pass
    with pytest.raises(SourceUnavailable) as caught, reading(connector(gone, connect_secs=2)) as pages:
        next(pages)
    assert caught.value.trouble == "network"


def test_the_subscription_asks_for_markers_and_only_for_posts(jetstream: Jetstream) -> None:
    with reading(connector(jetstream)) as pages:
        next(pages)
    query = jetstream.requests[0]
    assert "kinds=commit&kinds=identity&kinds=account&collections=app.bsky.feed.post" in query
    assert "cursor" not in query


def test_a_foreign_cursor_is_refused_with_its_remedy(jetstream: Jetstream) -> None:
    with pytest.raises(SourceRefused, match="remove it"), reading(connector(jetstream), "12") as pages:
        next(pages)


def test_without_a_brand_there_is_nothing_to_listen_for(jetstream: Jetstream) -> None:
    source = Connector(Config(hosts=(jetstream.url,)), Context("sky", (), ManualClock()))
    with pytest.raises(SourceRefused, match="nothing to listen for"), reading(source) as pages:
        next(pages)
