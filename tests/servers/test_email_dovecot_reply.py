"""Answers by mail with a real Dovecot for the folder of sent mail: the repliers' whole suite."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from pipeline.clock import ManualClock
from tests.contract.repliers.email import SMTP_PASSWORD, over
from tests.contract.test_replier import *  # noqa: F403  # every test of the suite, with the fixture below
from tests.contract.test_replier import Suite
from tests.fixtures.imap import USER
from tests.fixtures.mail import PASSWORD, Dovecot
from tests.fixtures.smtp import Submission


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot().running() as dovecot:
        yield dovecot


@pytest.fixture
def user() -> str:
    """An account of this test's own."""
    return f"care-{uuid4().hex[:8]}@acme.example"


@pytest.fixture(name="suite")
def suite_of_the_server(dovecot: Dovecot, user: str) -> Iterator[Suite]:
    with Submission(USER, SMTP_PASSWORD).running() as smtp:
        yield Suite("email", over(dovecot.imap, smtp, user=user, password=PASSWORD), ManualClock())


def sent(dovecot: Dovecot, user: str) -> dict[str, bytes]:
    """What lies in the folder of sent mail, by its file name, which ends with the flags."""
    return {path.name: path.read_bytes() for path in (dovecot.folder / "mail" / user / ".Sent" / "cur").iterdir()}


def test_a_copy_of_what_was_sent_is_kept_and_read(suite: Suite, dovecot: Dovecot, user: str) -> None:
    id = suite.reply()
    [(name, copy)] = sent(dovecot, user).items()
    assert f"Message-ID: <{id}>".encode() in copy
    assert name.endswith(",S")


def test_a_mail_that_was_not_confirmed_is_flagged_for_a_person(suite: Suite, dovecot: Dovecot, user: str) -> None:
    suite.stand.lose()
    suite.fails()
    assert [name.rpartition(",")[2] for name in sent(dovecot, user)] == ["FS"]
