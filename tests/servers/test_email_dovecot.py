"""The mail connector against a real Dovecot: the connectors' whole suite, and what only a real server can tell."""

from __future__ import annotations

import imaplib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from pydantic import SecretStr

import connectors.email as mail
from pipeline.clock import SystemClock
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Kind, Mention
from pipeline.ports import Context, Page
from tests.contract.connectors import Ready
from tests.contract.repliers.email import SMTP_PASSWORD
from tests.contract.repliers.email import config as answering
from tests.contract.test_connector import *  # noqa: F403  # every test of the suite, with the fixture below
from tests.contract.test_connector import Suite, ids
from tests.fixtures.imap import USER as SENDER
from tests.fixtures.imap import letter
from tests.fixtures.mail import PASSWORD, Dovecot
from tests.fixtures.smtp import Submission

PATIENCE = 30.0


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot().running() as dovecot:
        yield dovecot


@pytest.fixture
def user() -> str:
    """An account of this test's own."""
    return f"care-{uuid4().hex[:8]}@acme.example"


def config(dovecot: Dovecot, user: str, **settings: Any) -> mail.Config:
    given = {"host": "127.0.0.1", "port": dovecot.imaps, "ca_file": dovecot.ca, "timeout_secs": 10} | settings
    return mail.Config(username=user, password=SecretStr(PASSWORD), **given)


@pytest.fixture(name="suite")
def suite_of_the_server(dovecot: Dovecot, user: str) -> Suite:
    for number in range(21):
        dovecot.deliver(letter(f"{number}@mail.example", f"Acme lost parcel {number}"), user)
    dovecot.deliver(letter("nobody@mail.example", sender=""), user)
    ready = Ready(
        config=config(dovecot, user),
        source="email",
        expected=frozenset(f"email:{number}@mail.example" for number in range(21)),
        bad=1,
        secrets=(PASSWORD,),
        failing=config(dovecot, user, ca_file=None),
    )
    harness = type("Finite", (), {"finite": False})()
    return Suite("email", harness, ready)


class Listening:
    """A connector that is read in a thread of its own, restarted from its cursor as the supervisor would."""

    def __init__(self, config: mail.Config) -> None:
        self.pages: list[Page] = []
        self.cursor: str | None = None
        self.troubles: list[SourceUnavailable] = []
        self._clock = SystemClock()
        self._connector = mail.Connector(config, Context("care", (), self._clock))
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._clock.stopping:
            try:
                with closing(cast(Any, self._connector.pages(self.cursor))) as run:
                    for page in run:
                        self.pages.append(page)
                        self.cursor = page.cursor or self.cursor
            except SourceUnavailable as trouble:
                self.troubles.append(trouble)

    def __enter__(self) -> Listening:
        self._thread.start()
        try:
            self.until(lambda: any(page.heard for page in self.pages))
        except BaseException:
            self._clock.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._clock.stop()
        self._thread.join(timeout=PATIENCE)
        assert not self._thread.is_alive()

    @property
    def mentions(self) -> list[Mention]:
        return [item for page in self.pages for item in page.items if isinstance(item, Mention)]

    def until(self, enough: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not enough():
            assert self._thread.is_alive()
            assert time.monotonic() < end, (self.pages, self.troubles)
            time.sleep(0.01)

    def hears(self, *wanted: str) -> None:
        self.until(lambda: {f"email:{one}" for one in wanted} <= ids(self.pages))


def unread(dovecot: Dovecot, user: str) -> list[bytes]:
    with imaplib.IMAP4("127.0.0.1", dovecot.imap) as line:
        line.login(user, PASSWORD)
        line.select("INBOX", readonly=True)
        return cast(list[bytes], line.search(None, "UNSEEN")[1])[0].split()


def test_a_mail_delivered_is_told_of_at_once_and_stays_unread(dovecot: Dovecot, user: str) -> None:
    # It would not look again for an hour: what comes, comes by IDLE.
    with Listening(config(dovecot, user, idle_secs=1_700, poll_secs=3_600)) as listening:
        dovecot.deliver(letter("new@mail.example", "Acme: wo ist mein Päckchen? ☹"), user)
        listening.hears("new@mail.example")
    heard = listening.mentions[0]
    assert (heard.text, heard.author.id, heard.kind) == (
        "Acme: wo ist mein Päckchen? ☹",
        "ana@mail.example",
        Kind.MESSAGE,
    )
    assert heard.reply_ref["to"].lower() == "ana@mail.example"
    assert unread(dovecot, user) == [b"1"]


def test_what_was_taken_is_marked_as_read_where_that_is_wished(dovecot: Dovecot, user: str) -> None:
    dovecot.deliver(letter("old@mail.example"), user)
    with Listening(config(dovecot, user, mark_seen=True)) as listening:
        listening.hears("old@mail.example")
        listening.until(lambda: unread(dovecot, user) == [])


def test_over_starttls_it_is_the_same(dovecot: Dovecot, user: str) -> None:
    dovecot.deliver(letter("safe@mail.example"), user)
    with Listening(config(dovecot, user, port=dovecot.imap, security="starttls")) as listening:
        listening.hears("safe@mail.example")


def test_a_certificate_nobody_vouches_for_is_refused(dovecot: Dovecot, user: str) -> None:
    connector = mail.Connector(config(dovecot, user, ca_file=None), Context("care", (), SystemClock()))
    with pytest.raises(SourceRefused, match="ca_file"):
        list(connector.pages(None))


def test_a_wrong_password_is_for_the_operator(dovecot: Dovecot, user: str) -> None:
    wrong = config(dovecot, user).model_copy(update={"password": SecretStr("wrong")})
    with pytest.raises(SourceRefused, match="account"):
        list(mail.Connector(wrong, Context("care", (), SystemClock())).pages(None))


def test_a_forced_disconnect_loses_nothing(dovecot: Dovecot, user: str) -> None:
    with Listening(config(dovecot, user)) as listening:
        for number in range(10):
            dovecot.deliver(letter(f"{number}@mail.example"), user)
            if number % 3 == 0:
                dovecot.disconnect(user)
        listening.hears(*(f"{number}@mail.example" for number in range(10)))
        assert listening.troubles
    assert len(listening.mentions) == 10


def test_new_numbers_are_a_gap_that_is_repaired_and_repeat_nothing(dovecot: Dovecot, user: str) -> None:
    dovecot.deliver(letter("1@mail.example"), user)
    with Listening(config(dovecot, user)) as listening:
        listening.hears("1@mail.example")
        time.sleep(1.1)  # a UIDVALIDITY is a time in seconds
        dovecot.renumber(user)
        dovecot.deliver(letter("2@mail.example"), user)
        listening.hears("2@mail.example")
    gaps: Sequence[Any] = [gap for page in listening.pages for gap in page.gaps]
    assert [gap.repaired for gap in gaps] == [True]
    assert "UIDVALIDITY" in gaps[0].reason
    assert [one.native_id for one in listening.mentions] == ["1@mail.example", "2@mail.example"]


def test_an_answer_hangs_in_its_thread_and_is_our_own_when_it_returns(dovecot: Dovecot, user: str) -> None:
    with Submission(SENDER, SMTP_PASSWORD).running() as smtp:
        reply = answering(dovecot.imap, smtp.port, user=user).reply
        both = config(dovecot, user, folders=("INBOX", "Sent"), poll_secs=0.5, reply=reply)
        with Listening(both) as listening:
            dovecot.deliver(letter("first@mail.example"), user)
            asked = letter(
                "2nd@mail.example",
                "Still not here\n\nOn Monday Care wrote:\n> Soon.",
                References="<first@mail.example>",
                In_Reply_To="<first@mail.example>",
                Subject="RE: My parcel",
            )
            dovecot.deliver(asked, user)
            listening.hears("2nd@mail.example")
            question = next(one for one in listening.mentions if one.native_id == "2nd@mail.example")
            assert (question.text, question.conversation) == ("Still not here", "email:first@mail.example")
            replier = mail.Replier(both, Context("care", (), SystemClock()))
            id = replier.reply(question, "We are looking into it", "key-1")
            assert mail.Replier(both, Context("care", (), SystemClock())).reply(question, "We look", "key-1") == id
            listening.hears(id)
    [(to, sent)] = smtp.taken
    assert to == ["Ana@mail.example"]
    assert sent["Subject"] == "Re: My parcel"
    assert sent["In-Reply-To"] == "<2nd@mail.example>"
    assert sent["References"] == "<first@mail.example> <2nd@mail.example>"
    ours = next(one for one in listening.mentions if one.native_id == id)
    assert (ours.own, ours.conversation, ours.parent) == (True, "email:first@mail.example", "email:2nd@mail.example")
    assert datetime.now(UTC) - ours.created_at < timedelta(minutes=5)


def test_a_mail_of_50_mb_is_read_from_its_beginning_only(dovecot: Dovecot, user: str) -> None:
    head = letter("big@mail.example", "The film is attached").replace(b"text/plain; charset=utf-8", b"text/plain")
    dovecot.deliver(head + b"x" * 70 + (b"\r\n" + b"x" * 70) * 700_000, user)
    with Listening(config(dovecot, user)) as listening:
        listening.hears("big@mail.example")
    assert listening.mentions[0].text.startswith("The film is attached")
    assert len(listening.mentions[0].text) <= 100_000
