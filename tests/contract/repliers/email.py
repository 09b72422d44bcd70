"""A submission server, and an IMAP server whose folder of sent mail says what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._email_reply import Reply
from connectors.email import Config
from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, PATIENCE, Stand
from tests.fixtures.imap import PASSWORD, USER, Imap
from tests.fixtures.shapes import mention
from tests.fixtures.smtp import Submission

SMTP_PASSWORD = "battery staple"  # noqa: S105 - of the stand-in
_NOBODY = 9


def question() -> Mention:
    """Somebody's mail, as the connector hands it on."""
    refs = {"to": "ana@mail.example", "subject": "My parcel", "message_id": "1@mail.example"}
    return mention("email:1@mail.example", reply_ref=refs)


def config(imap: int, smtp: int, patience: float = PATIENCE, *, user: str = USER, password: str = PASSWORD) -> Config:
    """The account on these ports."""
    reply = Reply(
        host="127.0.0.1",
        port=smtp,
        security="none",
        username=USER,
        password=SecretStr(SMTP_PASSWORD),
        timeout_secs=patience,
        address=USER,
        name="Acme Care",
        sent="Sent",
        private_pictures=True,
    )
    return Config(
        host="127.0.0.1",
        port=imap,
        security="none",
        username=user,
        password=SecretStr(password),
        timeout_secs=patience,
        reply=reply,
    )


def over(imap: int, smtp: Submission, *, user: str = USER, password: str = PASSWORD) -> Stand:
    """This account on these servers."""
    return Stand(
        config=config(imap, smtp.port, user=user, password=password),
        impatient=config(imap, smtp.port, IMPATIENCE, user=user, password=password),
        unreachable=config(_NOBODY, _NOBODY, user=user, password=password),
        mention=question(),
        cannot=mention("email:2@mail.example"),
        secrets=(password, SMTP_PASSWORD),
        replies=smtp.given,
        refuse=lambda words: smtp.answer(f"550 5.7.1 {words}"),
        lose=smtp.lose,
        hang=smtp.hang,
        fail=lambda: smtp.answer("451 4.3.0 try later"),
        limit=lambda seconds: smtp.answer(f"450 4.7.1 Rate limit exceeded, try again in {seconds} seconds"),
    )


class EmailHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Imap().running() as imap, Submission(USER, SMTP_PASSWORD).running() as smtp:
            yield over(imap.port, smtp)


harness = EmailHarness()
