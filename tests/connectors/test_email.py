"""The mail connector against a local IMAP server: where it goes on from, what it waits for, what servers do to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from connectors._email_reply import Reply
from connectors.email import Config, Connector
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Mention
from pipeline.ports import Clock, Context, Gap, Page, Rejection
from tests.contract.jumping import JumpingClock
from tests.contract.test_connector import ids
from tests.fixtures.imap import PASSWORD, TOKEN, USER, Imap, letter


@pytest.fixture
def imap() -> Iterator[Imap]:
    with Imap().running() as imap:
        yield imap


def config(imap: Imap, **settings: Any) -> Config:
    given = {"port": imap.port, "password": SecretStr(PASSWORD), "timeout_secs": 5, "poll_secs": 0.2} | settings
    return Config(host="127.0.0.1", security="none", username=USER, **given)


class Run:
    """A run of the connector, page by page."""

    def __init__(self, config: Config, cursor: str | None = None, clock: Clock | None = None) -> None:
        self.cursor = cursor
        self.pages: list[Page] = []
        connector = Connector(config, Context("care", (), clock or SystemClock()))
        self.run = cast(Any, connector.pages(cursor))

    def until(self, enough: Callable[[], bool], most: int = 200) -> Run:
        with closing(self.run):
            self.on(enough, most)
        return self

    def on(self, enough: Callable[[], bool], most: int = 200) -> Run:
        """As `until`, and it can go on from there."""
        for page in self.run:
            self.pages.append(page)
            self.cursor = page.cursor or self.cursor
            if enough():
                return self
            assert len(self.pages) < most, self.pages
        raise AssertionError("it ended")

    def hears(self, *wanted: str) -> Run:
        return self.until(lambda: {f"email:{one}" for one in wanted} <= ids(self.pages))

    @property
    def mentions(self) -> list[Mention]:
        return [item for page in self.pages for item in page.items if isinstance(item, Mention)]

    @property
    def gaps(self) -> list[Gap]:
        return [gap for page in self.pages for gap in page.gaps]


def fails(config: Config) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as failure:
        Run(config).until(lambda: False, 20)
    return failure.value


# ------------------------------------------------------------------------------------------------------- going on


def test_the_cursor_is_exact(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    first = Run(config(imap)).hears("1@x")
    imap.deliver(letter("2@x"))
    second = Run(config(imap), first.cursor).hears("2@x")
    assert [one.native_id for one in second.mentions] == ["2@x"]
    assert not second.gaps


@pytest.mark.parametrize("fault", ["cut", "half"])
def test_a_connection_that_breaks_loses_nothing(imap: Imap, fault: str) -> None:
    for number in range(45):
        imap.deliver(letter(f"{number}@x"))
    run = Run(config(imap)).on(lambda: True)
    imap.faults.append(("UID FETCH", fault))
    with pytest.raises(SourceUnavailable) as failure:
        run.until(lambda: False)
    assert failure.value.trouble == "network"
    again = Run(config(imap), run.cursor).hears("44@x")
    assert len(run.mentions + again.mentions) == len(ids(run.pages + again.pages)) == 45


def test_new_numbers_are_a_repaired_gap_and_repeat_nothing(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    first = Run(config(imap)).hears("1@x")
    imap.deliver(letter("2@x"))
    imap.renumber()
    second = Run(config(imap), first.cursor).hears("2@x")
    assert [one.native_id for one in second.mentions] == ["2@x"]
    [gap] = second.gaps
    assert (gap.repaired, gap.reason) == (True, "the UIDVALIDITY of INBOX changed")
    assert not Run(config(imap), second.cursor).on(lambda: True).pages[0].items


def test_what_came_and_went_while_nobody_listened_is_a_gap(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    first = Run(config(imap)).hears("1@x")
    for number in (2, 3, 4):
        imap.deliver(letter(f"{number}@x"))
    del imap.boxes["INBOX"].mails[2], imap.boxes["INBOX"].mails[3]
    second = Run(config(imap), first.cursor).hears("4@x")
    [gap] = second.gaps
    assert gap.reason.startswith("2 mails came to INBOX")
    assert not gap.repaired


def test_a_mail_that_is_expunged_is_no_removal(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    first = Run(config(imap)).hears("1@x")
    del imap.boxes["INBOX"].mails[1]
    second = Run(config(imap), first.cursor).on(lambda: imap.times("IDLE") > 0)
    assert not ids(second.pages)


def test_the_first_start_reads_some_days_or_nothing(imap: Imap) -> None:
    now = SystemClock().now()
    imap.deliver(letter("old@x"), arrived=now - timedelta(days=30))
    imap.deliver(letter("late@x"), arrived=now - timedelta(days=2))
    assert [one.native_id for one in Run(config(imap)).hears("late@x").mentions] == ["late@x"]
    none = Run(config(imap, backfill_days=0)).on(lambda: True)
    assert not none.pages[0].items
    imap.deliver(letter("new@x"))
    assert [one.native_id for one in none.hears("new@x").mentions] == ["new@x"]


# ---------------------------------------------------------------------------------------------------------- waiting


def test_a_new_mail_is_told_of_at_once(imap: Imap) -> None:
    run = Run(config(imap, poll_secs=3_600)).on(lambda: imap.times("IDLE") > 0)
    imap.deliver(letter("1@x"))
    run.hears("1@x")


def test_waiting_is_begun_anew_in_time(imap: Imap) -> None:
    clock = ManualClock()
    run = Run(config(imap, idle_secs=1_700), clock=clock).on(lambda: imap.times("IDLE") == 1)
    clock.advance(1_701)
    run.until(lambda: imap.times("IDLE") == 2)


def test_a_server_that_does_not_tell_is_asked(imap: Imap) -> None:
    imap.idle = False
    clock = ManualClock()
    run = Run(config(imap, poll_secs=60), clock=clock).on(lambda: True)
    imap.deliver(letter("1@x"))
    run.hears("1@x")
    assert sum(clock.waits) == pytest.approx(60)
    assert imap.times("IDLE") == 0


def test_other_folders_are_looked_at_too_and_what_we_sent_is_our_own(imap: Imap) -> None:
    reply = Reply(host="127.0.0.1", port=9, security="none", username=USER, password=SecretStr("x"), address=USER)
    run = Run(config(imap, folders=("INBOX", "Sent"), reply=reply)).on(lambda: imap.times("IDLE") > 0)
    imap.deliver(letter("ours@x", sender=f"Care <{USER.title()}>"), "Sent")
    run.hears("ours@x")
    assert run.mentions[0].own


def test_nothing_is_marked_as_read_unless_it_is_wished_and_then_when_it_is_durable(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    Run(config(imap)).on(lambda: imap.times("IDLE") > 0)
    assert imap.times("EXAMINE") == 1
    assert (imap.times("SELECT"), imap.times("UID STORE")) == (0, 0)
    assert all("PEEK" in one for one in imap.asked if one.startswith("UID FETCH"))
    run = Run(config(imap, mark_seen=True)).on(lambda: True)
    assert not imap.boxes["INBOX"].mails[1].flags
    run.on(lambda: True)
    assert imap.boxes["INBOX"].mails[1].flags == {"\\Seen"}


# ---------------------------------------------------------------------------------------------------------- trouble


def test_a_silent_and_a_dripping_server_are_given_up(imap: Imap) -> None:
    for fault in ("silence", "drip"):
        imap.faults.append(("UID SEARCH", fault))
        assert fails(config(imap, timeout_secs=0.2)).trouble == "network"


def test_a_server_that_sends_more_than_asked_for_is_left(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    imap.faults.append(("UID FETCH", "huge"))
    failure = fails(config(imap))
    assert (failure.trouble, "1,000,000,000 bytes" in str(failure)) == ("network", True)


@pytest.mark.parametrize(
    ("verb", "answer", "trouble"),
    [
        ("LOGIN", "cut", "network"),
        ("LOGIN", "NO [UNAVAILABLE] the directory is down", "http"),
        ("LOGIN", "NO [ALERT] Too many simultaneous connections", "rate_limited"),
        ("EXAMINE", "NO [SERVERBUG] internal error", "http"),
        ("UID SEARCH", "NO [LIMIT] slower", "rate_limited"),
        ("UID SEARCH", "BAD what", "http"),
    ],
)
def test_what_passes_by_itself_is_for_later(imap: Imap, verb: str, answer: str, trouble: str) -> None:
    imap.faults.append((verb, answer))
    assert fails(config(imap)).trouble == trouble


def test_a_mail_the_server_cannot_give_out_does_not_hold_up_the_others(imap: Imap) -> None:
    for number in (1, 2, 3):
        imap.deliver(letter(f"{number}@x"))
    imap.faults += [("UID FETCH", "NO cannot open it"), ("UID FETCH", "NO cannot open it")]
    run = Run(config(imap)).hears("2@x", "3@x")
    [bad] = [item for page in run.pages for item in page.items if isinstance(item, Rejection)]
    assert (bad.place, "cannot open it" in bad.reason) == ("UID 1 in INBOX", True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"password": SecretStr("wrong")}, "account"),
        ({"password": None, "token": SecretStr("wrong")}, "account"),
        ({"password": SecretStr("schlüssel")}, "ASCII"),
        ({"folders": ("Nowhere",)}, "Nowhere"),
    ],
)
def test_what_only_the_operator_can_mend_is_refused(imap: Imap, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceRefused, match=words):
        Run(config(imap, **settings)).until(lambda: False)


def test_an_oauth_token_opens_the_mailbox(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    Run(config(imap, password=None, token=SecretStr(TOKEN))).hears("1@x")


def test_a_large_mail_is_read_from_its_beginning(imap: Imap) -> None:
    imap.deliver(letter("1@x", "The film is attached\n" + "x" * 5_000_000))
    assert len(Run(config(imap, max_bytes=16_384)).hears("1@x").mentions[0].text) < 16_384


def test_a_cursor_that_is_none_of_ours_begins_with_the_backfill(imap: Imap) -> None:
    imap.deliver(letter("1@x"))
    for cursor in ("", "null", '{"INBOX": 7}', '{"INBOX":{"validity":1,"uid":-5,"heard":0}}'):
        Run(config(imap), cursor).hears("1@x")


def test_settings_that_would_show_the_password_or_name_two_secrets_are_refused() -> None:
    given: dict[str, Any] = {"host": "mail.example", "username": USER, "password": SecretStr("x")}
    for wrong in ({"security": "none"}, {"token": SecretStr("y")}, {"password": None}, {"idle_secs": 1_800}):
        with pytest.raises(ValidationError):
            Config(**(given | wrong))
    assert Config(**given).security == "tls"


# ------------------------------------------------------------------------------------------------------------- a day


def test_in_a_day_of_faults_every_mail_comes_once_or_is_in_a_gap(imap: Imap) -> None:
    chance = random.Random(7)  # noqa: S311 - the same day every time
    clock = JumpingClock()
    delivered: dict[str, float] = {}
    lost: set[str] = set()
    imap.idle = False

    def deliver() -> None:
        id = f"email:{len(delivered)}@x"
        imap.deliver(letter(id.removeprefix("email:"), date=clock.now()), arrived=clock.now())
        delivered[id] = clock.now().timestamp()
        if chance.random() < 0.05:  # somebody is quicker
            imap.boxes["INBOX"].mails.popitem()
            lost.add(id)

    def fault() -> None:
        verb = chance.choice(["LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH"])
        imap.faults.append((verb, chance.choice(["cut", "half", "NO [UNAVAILABLE] later", "NO [LIMIT] slower"])))

    for _ in range(300):
        clock.at(chance.uniform(0, 80_000), deliver)
    for _ in range(60):
        clock.at(chance.uniform(0, 80_000), fault)
    for _ in range(3):
        clock.at(chance.uniform(0, 80_000), imap.renumber)
    connector = Connector(config(imap, poll_secs=600), Context("care", (), clock))
    pages: list[Page] = []
    cursor, failures = None, 0
    while clock.monotonic() < 86_400:
        try:
            with closing(cast(Any, connector.pages(cursor))) as run:
                for page in run:
                    pages.append(page)
                    cursor = page.cursor or cursor
                    if clock.monotonic() >= 86_400:
                        break
                    if not page.heard:
                        clock.advance(100)
        except SourceUnavailable as trouble:
            failures += 1
            clock.advance(connector.backoff[trouble.trouble].delay(1))
    heard = [item.id for page in pages for item in page.items if isinstance(item, Mention)]
    gaps = [gap for page in pages for gap in page.gaps]
    assert failures > 30
    assert len(heard) == len(set(heard))
    assert set(delivered) - set(heard) <= lost
    assert sum(gap.repaired for gap in gaps) == 3
