"""Answering on Bluesky: record keys, facets, and sessions. What every replier promises is in tests/contract."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors._bluesky_facets import facets, handles
from connectors._bluesky_reply import Reply, record_key
from connectors.bluesky import Config, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused
from pipeline.mention import Author, Media
from pipeline.ports import Action, Context
from tests.contract.repliers.bluesky import CID, POST, question
from tests.fixtures.jetstream import tid
from tests.fixtures.pds import PASSWORD, Pds
from tests.fixtures.pictures import JPEG, PNG, Gallery
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told

TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
"""The syntax of atproto.com/specs/tid."""


@pytest.fixture
def pds() -> Iterator[Pds]:
    with Pds().running() as pds:
        yield pds


def replier(pds: Pds, password: str = PASSWORD) -> Replier:
    reply = Reply(handle=pds.handle_of_account, password=SecretStr(password), service=pds.url, private_pictures=True)
    return Replier(Config(reply=reply), Context("bluesky", (), ManualClock()))


# ------------------------------------------------------------------------ record keys


@given(st.text(st.characters()))
def test_a_record_key_is_a_tid_that_depends_on_the_key_alone(key: str) -> None:
    assert TID.fullmatch(record_key(key))
    assert record_key(key) == record_key(key)


def test_ten_thousand_keys_have_ten_thousand_record_keys_of_the_past() -> None:
    tids = {record_key(f"draft-{number}") for number in range(10_000)}
    assert len(tids) == 10_000
    assert tid(datetime(2023, 1, 1, tzinfo=UTC)) <= min(tids) <= max(tids) < tid(datetime(2025, 4, 1, tzinfo=UTC))


# ----------------------------------------------------------------------------- facets


def marked(text: str, **dids: str) -> list[str]:
    """What is marked, cut out of the text's bytes."""
    found = facets(text, {handle.replace("_", "."): did for handle, did in dids.items()})
    return [text.encode()[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode() for one in found]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://acme.example/returns.", ["https://acme.example/returns"]),
        ("(https://acme.example/a_(b))", ["https://acme.example/a_(b)"]),
        ("Désolé 😀 https://acme.example/é, ok", ["https://acme.example/é"]),
        ("http://a.example HTTPS://b.example", ["http://a.example", "HTTPS://b.example"]),
        ("https:// xhttps://c.example javascript:alert(1)", []),
    ],
)
def test_links_are_marked_without_the_sentences_signs(text: str, links: list[str]) -> None:
    assert marked(text) == links


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@ana.bsky.social, hello", ["ana.bsky.social"]),
        ("Hi @Ana.Example. And @ana.example again", ["ana.example"]),
        ("ana@acme.example @nodots @-bad.example @a..b @1.2", []),
        ("https://x.example/@ana.example", []),
    ],
)
def test_handles_are_domain_names_after_an_at_sign(text: str, named: list[str]) -> None:
    assert handles(text) == named


def test_a_handle_is_marked_where_its_did_is_known() -> None:
    assert marked("😀 @ana.example and @ben.example", ana_example="did:plc:ana") == ["@ana.example"]


@given(st.text(alphabet="@.:/https()é😀ab -", max_size=60))
def test_marks_lie_within_the_text_on_whole_characters_and_do_not_overlap(text: str) -> None:
    end = 0
    for one in facets(text, dict.fromkeys(handles(text), "did:plc:x")):
        index = one["index"]
        assert end <= index["byteStart"] < index["byteEnd"] <= len(text.encode())
        text.encode()[index["byteStart"] : index["byteEnd"]].decode()
        end = index["byteEnd"]


def test_the_author_is_known_and_others_are_looked_up(pds: Pds) -> None:
    pds.handles["ben.example"] = "did:plc:ben"
    asked = mention(
        question().id, reply_ref=question().reply_ref, author=Author(id="did:plc:ana", handle="ana.example")
    )
    replier(pds).reply(asked, "@ana.example @ben.example @nobody.example", "key-1")
    (record,) = pds.records.values()
    assert [one["features"][0]["did"] for one in record["facets"]] == ["did:plc:ana", "did:plc:ben"]
    assert [one.query["handle"] for one in pds.asked if one.query] == [["ben.example"], ["nobody.example"]]


# --------------------------------------------------------------------------- sessions


def test_one_session_serves_many_replies(pds: Pds) -> None:
    ours = replier(pds)
    for number in range(5):
        ours.reply(question(), f"Answer {number}", f"key-{number}")
    assert pds.sessions == 1


@pytest.mark.parametrize("wholly", [False, True])
def test_a_session_that_ran_out_is_renewed_or_begun_anew(pds: Pds, wholly: bool) -> None:
    ours = replier(pds)
    ours.reply(question(), "First", "key-1")
    pds.expire(wholly=wholly)
    ours.reply(question(), "Second", "key-2")
    assert [record["text"] for record in pds.records.values()] == ["First", "Second"]
    opened = [one.path.rpartition(".")[2] for one in pds.asked if "Session" in one.path]
    assert opened == ["createSession", "refreshSession", *(["createSession"] if wholly else [])]


def test_a_wrong_password_is_refused_in_bluesky_s_words_and_not_shown(pds: Pds) -> None:
    with pytest.raises(ReplyRefused, match="Invalid identifier or password") as refusal:
        replier(pds, "wrong-password").reply(question(), "Hello", "key-1")
    assert pds.handle_of_account in refusal.value.reason
    assert "wrong-password" not in refusal.value.reason


def test_tokens_that_a_refusal_repeats_are_hidden(pds: Pds) -> None:
    ours = replier(pds)
    ours.reply(question(), "First", "key-1")
    pds.fail("putRecord", told(400, {"error": "InvalidRequest", "message": "no: access-token-1"}))
    with pytest.raises(ReplyRefused, match=re.escape("no: [hidden]")):
        ours.reply(question(), "Second", "key-2")


def test_the_reply_names_parent_and_root(pds: Pds) -> None:
    refs = {"uri": POST, "cid": CID, "root_uri": f"{POST}r", "root_cid": f"{CID}r"}
    replier(pds).reply(mention(f"bluesky:{POST}", reply_ref=refs), "Hello", "key-1")
    (record,) = pds.records.values()
    assert record["reply"] == {"root": {"uri": f"{POST}r", "cid": f"{CID}r"}, "parent": {"uri": POST, "cid": CID}}


# ------------------------------------------------------------------ pictures and likes


def test_pictures_are_the_posts_embed_and_may_be_gone_when_it_is_asked_for_again(pds: Pds) -> None:
    with Gallery().running() as gallery:
        media = [Media(url=gallery.hang_up("/1", PNG), alt="One"), Media(url=gallery.hang_up("/2", JPEG))]
        id = replier(pds).reply(question(), "Look", "key-1", media)
    (record,) = pds.records.values()
    images = record["embed"]["images"]
    assert record["embed"]["$type"] == "app.bsky.embed.images"
    assert [(one["alt"], one["image"]["mimeType"]) for one in images] == [("One", "image/png"), ("", "image/jpeg")]
    assert [pds.blobs[one["image"]["ref"]["$link"]] for one in images] == [PNG, JPEG]
    assert replier(pds).reply(question(), "Look", "key-1", media) == id, "the gallery has closed"


def test_a_picture_too_large_for_bluesky_is_refused_before_it_is_sent(pds: Pds) -> None:
    with Gallery().running() as gallery, pytest.raises(ReplyRefused, match="1,000,000"):
        replier(pds).reply(question(), "Look", "key-1", [Media(url=gallery.hang_up("/1", PNG + b"\0" * 1_000_000))])
    assert (pds.records, pds.blobs) == ({}, {})


def test_a_session_that_ran_out_is_renewed_for_a_picture_too(pds: Pds) -> None:
    ours = replier(pds)
    ours.reply(question(), "First", "key-1")
    pds.expire()
    with Gallery().running() as gallery:
        ours.reply(question(), "Look", "key-2", [Media(url=gallery.hang_up("/1", PNG))])
    assert list(pds.blobs.values()) == [PNG]


def test_a_like_is_one_however_often_and_under_whatever_key(pds: Pds) -> None:
    id = replier(pds).act("like", question(), "", "key-1")
    assert replier(pds).act("like", question(), "", "key-2") == id
    assert [one["subject"] for one in pds.likes.values()] == [{"uri": POST, "cid": CID}]
    assert id == f"at://{pds.did}/app.bsky.feed.like/{next(iter(pds.likes))}"


@pytest.mark.parametrize("action", ["message", "hide"])
def test_what_is_not_offered_says_so(pds: Pds, action: Action) -> None:
    ours = replier(pds)
    reason = ours.may(action, question())
    assert reason is not None
    with pytest.raises(ReplyRefused) as refusal:
        ours.act(action, question(), "Hello", "key-1")
    assert refusal.value.reason == reason


# --------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "in-the-file"},
        {"password": SecretStr(" ")},
        {"handle": "@care"},
        {"service": "http://pds.example"},
        {"service": "https://user:pass@pds.example"},
        {"service": "https://pds.example/xrpc"},
    ],
)
def test_a_wrong_account_is_told_before_it_is_used(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"handle": "care.acme.example", "password": SecretStr(PASSWORD)}
    assert Reply.model_validate(right)
    with pytest.raises(ValidationError):
        Reply.model_validate(right | wrong)
