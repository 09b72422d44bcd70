"""A mail in bytes to a mention: what people wrote, who they are and where it belongs, in whatever state."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._email_flowed import flowed, unflowed
from connectors._email_parse import Letter, identity, mention_of
from connectors._email_trim import trimmed
from pipeline.errors import BadItem
from pipeline.mention import Mention
from tests.fixtures.imap import letter

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def read(raw: bytes, own: tuple[str, ...] = ()) -> Mention:
    return mention_of(Letter(raw, len(raw), NOW), "care", None, own)


def mixed(*parts: bytes, head: bytes = b"") -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return (
        b'From: ana@mail.example\r\nMessage-ID: <1@x>\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
        + head
        + b"\r\n"
        + body
    )


def test_who_what_and_when() -> None:
    one = read(letter("1@x", "Acme & co", date=NOW - timedelta(minutes=3), Subject="=?utf-8?q?P=C3=A4ckchen?="))
    assert (one.id, one.text, one.title, one.conversation) == ("email:1@x", "Acme & co", "Päckchen", "email:1@x")
    assert (one.author.id, one.author.name, one.created_at) == (
        "ana@mail.example",
        "Ana Roy",
        NOW - timedelta(minutes=3),
    )
    assert one.parent is None
    assert one.reply_ref == {"to": "Ana@mail.example", "subject": "Päckchen", "message_id": "1@x"}


@pytest.mark.parametrize(
    ("references", "answered", "conversation", "parent"),
    [
        ("<1@x> <2@x>", "<2@x>", "1@x", "2@x"),
        ("<1@x>\r\n <2@x>", "", "1@x", "2@x"),
        ("", "Your mail of Monday <2@x>", "2@x", "2@x"),
        ("no ids at all", "", "3@x", None),
    ],
)
def test_a_thread_is_its_first_mails(references: str, answered: str, conversation: str, parent: str | None) -> None:
    one = read(letter("3@x", References=references, In_Reply_To=answered))
    assert one.conversation == f"email:{conversation}"
    assert one.parent == (parent and f"email:{parent}")


def test_an_answer_names_the_whole_thread_but_no_endless_one() -> None:
    references = read(letter("last@x", References=" ".join(f"<{n}@x>" for n in range(500)))).reply_ref["references"]
    assert references.split()[:2] == ["0@x", "481@x"]
    assert len(references.split()) == 20


def test_without_a_message_id_the_same_mail_has_the_same_id_and_another_has_another() -> None:
    first, again, other = letter(None, "one", date=NOW), letter(None, "one", date=NOW), letter(None, "two", date=NOW)
    assert read(first).id == read(again).id != read(other).id
    assert identity(Letter(first, 0, NOW)) == read(first).native_id
    assert "message_id" not in read(first).reply_ref


def test_replies_go_where_the_sender_wants_them() -> None:
    assert read(letter(Reply_To="Desk <desk@mail.example>")).reply_ref["to"] == "desk@mail.example"


def test_what_comes_from_our_own_address_is_our_own() -> None:
    assert read(letter(sender="Care <CARE@acme.example>"), ("care@acme.example",)).own
    assert not read(letter(sender='"care@acme.example" <eve@mail.example>'), ("care@acme.example",)).own


@pytest.mark.parametrize(
    ("headers", "sign", "closed"),
    [
        ({"Auto_Submitted": "auto-replied (vacation)"}, "Auto-Submitted", "automatic"),
        ({"Precedence": "bulk"}, "Precedence", "list"),
        ({"X_Auto_Response_Suppress": "All"}, "X-Auto-Response-Suppress", ""),
        ({"List_Id": "<news.mail.example>"}, "list", "list"),
        ({"Content_Type": "multipart/report; report-type=delivery-status; boundary=b"}, "report", "report"),
    ],
)
def test_machines_and_lists_are_told_apart(headers: Any, sign: str, closed: str) -> None:
    one = read(letter(**headers))
    assert any(sign in said for said in one.suspicions)
    assert one.reply_ref.get("closed", "") == closed


def test_auto_submitted_no_is_a_person() -> None:
    one = read(letter(Auto_Submitted="no"))
    assert (one.suspicions, one.reply_ref.get("closed")) == ((), None)


def test_plain_text_is_preferred_and_attachments_are_names_and_sizes() -> None:
    one = read(
        mixed(
            b"Content-Type: text/html\r\n\r\n<p>as a page</p>",
            b"Content-Type: text/plain\r\n\r\nas text",
            b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="../la bel.png"\r\n\r\nQUJDREVG',
        )
    )
    assert one.text == "as text"
    assert [media.alt for media in one.media] == ["../la bel.png, 6 bytes"]
    assert one.media[0].url == "mid:1@x"


def test_a_page_is_read_as_text_without_what_it_quotes() -> None:
    page = (
        b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Still late</p><script>x()</script>"
        b'<div class="gmail_quote">On Monday Care wrote:<blockquote>Soon</blockquote></div>'
    )
    assert read(mixed(page)).text == "Still late"


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("iso-8859-1", "Päckchen „5 €“".encode("cp1252"), "Päckchen „5 €“"),
        ("us-ascii", "Päckchen".encode(), "Päckchen"),
        ("utf-8", "Päckchen".encode("latin-1"), "Päckchen"),
        ("iso-2022-jp", "荷物".encode("iso-2022-jp"), "荷物"),
        ("gb2312", "包裹".encode("gb2312"), "包裹"),
        ("no-such-charset", b"parcel", "parcel"),
        ("zlib", b"parcel", "parcel"),
        ("punycode", b"parcel", "parcel"),
    ],
)
def test_letters_are_right_even_where_the_charset_is_wrong(charset: str, octets: bytes, text: str) -> None:
    raw = f"From: a@x\r\nMessage-ID: <1@x>\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode() + octets
    assert read(raw).text == text


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Jan 2026 09:00:00 +0000", "Mon, 5 Jan 1970 09:00:00 +0000",
                                  "Mon, 5 Jan 2099 09:00:00 +9999", "Mon, 5 Jan 99999 09:00:00 +0000"])  # fmt: skip
def test_an_absurd_date_is_when_it_arrived(date: str) -> None:
    assert read(letter(Date=date)).created_at == NOW


def test_a_mail_without_text_is_its_subject() -> None:
    assert read(letter(text="", Subject="Call me")).text == "Call me"
    assert read(letter(text="", Subject="")).text == "(no text)"


@pytest.mark.parametrize("raw", [b"", b"no mail", letter(sender=""), letter(sender="nobody"), letter(sender="<>")])
def test_what_names_no_sender_is_a_bad_item(raw: bytes) -> None:
    with pytest.raises(BadItem):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        letter(Content_Type="text/plain; " + "a=b;" * 5_000),
        letter(Content_Type="text/plain; " + '"(' * 5_000),
        letter(Content_Type="(" * 100_000),
        letter(Subject="=?utf-8?q?" * 20_000),
        letter(sender="(" * 100_000 + "a@x"),
        letter(References="<" * 100_000),
        b"From: a@x\r\n" + b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
                                       for n in range(3_000)),
        letter(text="\n" * 1_999 + "end"),
        letter(text="On " + "x " * 50_000),
        letter(text="<" * 100_000, Content_Type="text/html"),
    ],
    ids=["parameters", "quotes", "comments", "words", "sender", "references", "nested", "blank", "attribution", "html"],
)  # fmt: skip
def test_a_hostile_mail_takes_no_time_and_raises_nothing_else(raw: bytes) -> None:
    began = time.process_time()
    with suppress(BadItem):
        read(raw)
    assert time.process_time() - began < 5  # hostile input that is not bounded takes minutes


@given(st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_a_mention_or_a_bad_item(tail: bytes) -> None:
    for raw in (tail, b"From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n" + tail):
        with suppress(BadItem):
            assert read(raw).text


@pytest.mark.parametrize(
    ("text", "is_reply", "kept"),
    [
        ("Thanks!\n\nOn Mon, 5 Jan 2026, Care <care@x> wrote:\n> Soon\n> Really", True, "Thanks!"),
        ("Danke\n\nAm 5.1.2026 um 09:00 schrieb\nCare <care@x>:\n> Bald", True, "Danke"),
        ("On Monday Care wrote:\n> Soon\n\nAnd when is that?", True, "And when is that?"),
        ("Still late\n\n-----Original Message-----\nFrom: Care\nSent: Monday", True, "Still late"),
        ("Still late\n\n________________________________\nVon: Care\nGesendet: Montag\nAn: Ana\nBetreff: x", True,
         "Still late"),
        ("It is late\n-- \nAna Roy\n+49 1234", False, "It is late"),
        ("It is late\n\nSent from my iPhone", False, "It is late"),
        ("> 5 days late\nso what now?", False, "> 5 days late\nso what now?"),
        ("> only a quotation", True, "> only a quotation"),
        ("He wrote: I am late\nand he was", False, "He wrote: I am late\nand he was"),
        ("From: the shop\nnothing came", False, "From: the shop\nnothing came"),
    ],
)  # fmt: skip
def test_quotations_and_signatures_go_and_nothing_else(text: str, is_reply: bool, kept: str) -> None:
    assert trimmed(text, is_reply) == kept


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=400))
@settings(max_examples=60, deadline=None)
def test_what_flows_is_whole_again(text: str) -> None:
    plain = "\n".join(line if line == "-- " else line.rstrip(" ") for line in text.split("\n"))
    assert unflowed(flowed(text)) == plain
    assert all(not line.startswith(">") for line in flowed(text).split("\n"))


def test_long_lines_are_wrapped_for_those_who_read_them_as_they_are() -> None:
    assert max(map(len, flowed("parcel " * 100).split("\n"))) <= 78


def test_flowing_text_with_deleted_spaces_is_whole_again() -> None:
    assert unflowed("荷物が \n来ない", delsp=True) == "荷物が来ない"
