"""Answers by mail: whom they go to, where they hang, and what happens when the two servers do not do their part."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from connectors._email_reply import Reply
from connectors.email import Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Mention
from pipeline.ports import Context
from tests.contract.repliers.email import SMTP_PASSWORD, config, question
from tests.fixtures.imap import TOKEN, USER, Imap
from tests.fixtures.mail import certificate
from tests.fixtures.shapes import mention
from tests.fixtures.smtp import Submission


@pytest.fixture
def imap() -> Iterator[Imap]:
    with Imap().running() as imap:
        yield imap


@pytest.fixture
def smtp() -> Iterator[Submission]:
    with Submission(USER, SMTP_PASSWORD, TOKEN).running() as smtp:
        yield smtp


def replier(imap: Imap, smtp: Submission, **changes: Any) -> Replier:
    account = config(imap.port, smtp.port)
    assert account.reply is not None
    reply = account.reply.model_copy(update=changes)
    return Replier(account.model_copy(update={"reply": reply}), Context("care", (), ManualClock()))


def asked(**refs: str) -> Mention:
    one = question()
    return mention(one.id, reply_ref=one.reply_ref | refs)


def test_it_hangs_in_its_thread(imap: Imap, smtp: Submission) -> None:
    long = "x" * 200 + "@mail.example"
    id = replier(imap, smtp, reply_to="desk@acme.example").reply(
        asked(references=f"0@mail.example {long}", subject="AW: Re: RE: Päckchen"), "Soon", "key-1"
    )
    [(to, sent)] = smtp.taken
    assert to == ["ana@mail.example"]
    assert sent["Subject"] == "Re: Päckchen"
    assert sent["From"] == f"Acme Care <{USER}>"
    assert sent["Reply-To"] == "desk@acme.example"
    assert sent["Message-ID"] == f"<{id}>"
    assert sent["In-Reply-To"] == "<1@mail.example>"
    assert sent["References"].split() == ["<0@mail.example>", f"<{long}>", "<1@mail.example>"]
    assert sent.get_content_type() == "text/plain"
    assert sent["Content-Type"].params["format"] == "flowed"


def test_the_same_key_is_the_same_message_id_everywhere(imap: Imap, smtp: Submission) -> None:
    first = replier(imap, smtp, sent=None).reply(asked(), "Soon", "key-1")
    assert replier(imap, smtp, sent=None).reply(asked(), "Soon", "key-1") == first
    assert [one["Message-ID"] for _, one in smtp.taken] == [f"<{first}>"] * 2  # without a folder: sent twice
    assert replier(imap, smtp).reply(asked(), "Soon", "key-2") != first


def test_one_replier_remembers_what_it_sent_without_a_folder(imap: Imap, smtp: Submission) -> None:
    one = replier(imap, smtp, sent=None)
    assert one.reply(asked(), "Soon", "key-1") == one.reply(asked(), "Soon", "key-1")
    assert len(smtp.taken) == 1


def test_a_copy_is_kept_and_is_what_was_sent(imap: Imap, smtp: Submission) -> None:
    id = replier(imap, smtp).reply(asked(), "Soon", "key-1")
    [copy] = imap.boxes["Sent"].mails.values()
    assert f"<{id}>".encode() in copy.raw
    assert copy.flags == {"\\Seen"}


def test_what_cannot_be_looked_up_is_not_sent(imap: Imap, smtp: Submission) -> None:
    imap.faults.append(("EXAMINE", "cut"))
    with pytest.raises(SourceUnavailable):
        replier(imap, smtp).reply(asked(), "Soon", "key-1")
    with pytest.raises(ReplyRefused, match="Nowhere"):
        replier(imap, smtp, sent="Nowhere").reply(asked(), "Soon", "key-1")
    assert smtp.taken == []


def test_what_cannot_be_kept_is_sent_all_the_same(imap: Imap, smtp: Submission) -> None:
    imap.faults.append(("APPEND", "NO [OVERQUOTA] full"))
    with structlog.testing.capture_logs() as lines:
        assert replier(imap, smtp).reply(asked(), "Soon", "key-1")
    assert len(smtp.taken) == 1
    assert "OVERQUOTA" in lines[0]["reason"]


def test_a_mail_that_was_not_confirmed_counts_as_sent_and_is_flagged(imap: Imap, smtp: Submission) -> None:
    smtp.lose()
    with pytest.raises(SourceUnavailable):
        replier(imap, smtp).reply(asked(), "Soon", "key-1")
    assert [copy.flags for copy in imap.boxes["Sent"].mails.values()] == [{"\\Seen", "\\Flagged"}]
    assert replier(imap, smtp).reply(asked(), "Soon", "key-1")
    assert len(smtp.taken) == 1


def test_an_oauth_token_opens_the_submission_server(imap: Imap, smtp: Submission) -> None:
    assert replier(imap, smtp, password=None, token=SecretStr(TOKEN)).reply(asked(), "Soon", "key-1")
    with pytest.raises(ReplyRefused, match="account"):
        replier(imap, smtp, password=None, token=SecretStr("wrong")).reply(asked(), "Soon", "key-2")


def test_over_starttls_the_certificate_must_be_trusted(imap: Imap, tmp_path: Path) -> None:
    certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Submission(USER, SMTP_PASSWORD, tls=tls).running() as smtp:
        assert replier(imap, smtp, security="starttls", ca_file=tmp_path / "cert.pem").reply(asked(), "Soon", "key-1")
        with pytest.raises(ReplyRefused, match="ca_file"):
            replier(imap, smtp, security="starttls").reply(asked(), "Soon", "key-2")
        with pytest.raises(ReplyRefused, match="AUTH"):  # not without TLS
            replier(imap, smtp).reply(asked(), "Soon", "key-3")
    assert len(smtp.taken) == 1


def test_a_wrong_password_says_so(imap: Imap, smtp: Submission) -> None:
    with pytest.raises(ReplyRefused, match="does not accept this account"):
        replier(imap, smtp, password=SecretStr("wrong")).reply(asked(), "Soon", "key-1")


@pytest.mark.parametrize("text", [".", ".\n..\n.x", "> not a quotation", "From here on", "-- \nCare", "x" * 5_000])
def test_a_text_that_looks_like_the_protocol_arrives(imap: Imap, smtp: Submission, text: str) -> None:
    replier(imap, smtp).reply(asked(), text, "key-1")
    assert [one.text for one in smtp.given()] == [text]


def test_a_mail_without_an_id_is_answered_outside_of_a_thread(imap: Imap, smtp: Submission) -> None:
    refs = {"to": "ana@mail.example", "subject": ""}
    replier(imap, smtp).reply(mention("email:without-id.1", reply_ref=refs), "Soon", "key-1")
    [(_, sent)] = smtp.taken
    assert (sent["In-Reply-To"], sent["References"], sent["Subject"]) == (None, None, "Re: your message")


def test_a_hostile_subject_stays_a_subject(imap: Imap, smtp: Submission) -> None:
    replier(imap, smtp).reply(asked(subject="x\r\nBcc: eve@mail.example\r\n\r\nbuy"), "Soon", "key-1")
    [(to, sent)] = smtp.taken
    assert (to, sent["Bcc"]) == (["ana@mail.example"], None)
    assert sent["Subject"].startswith("Re: x")


@pytest.mark.parametrize(
    "refs",
    [
        {"closed": "automatic"},
        {"closed": "list"},
        {"closed": "report"},
        {"closed": "nobody"},
        {"to": ""},
        {"to": "a@b>\r\nRCPT TO:<c@d"},
        {"to": "päck@mail.example"},
        {"to": USER},
    ],
)
def test_nobody_is_answered_who_does_not_read_it(imap: Imap, smtp: Submission, refs: dict[str, str]) -> None:
    one = replier(imap, smtp)
    reason = one.eligible(asked(**refs))
    assert reason
    with pytest.raises(ReplyRefused):
        one.reply(asked(**refs), "Soon", "key-1")
    assert smtp.taken == []


def test_another_networks_mention_is_not_answered_by_mail(imap: Imap, smtp: Submission) -> None:
    assert "bluesky" in (replier(imap, smtp).eligible(mention("bluesky:1", reply_ref={"to": "a@b.example"})) or "")


def test_the_account_shows_no_secret() -> None:
    reply = Reply(host="mail.example", username=USER, password=SecretStr("hidden one"), address=USER)
    assert "hidden one" not in repr(reply) + str(reply)
