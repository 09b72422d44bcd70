"""Dovecot for what comes and what was sent, and aiosmtpd for what goes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from tests.contract.repliers.email import SMTP_PASSWORD
from tests.fixtures import imap, mail
from tests.fixtures.circle import Cable
from tests.fixtures.smtp import Submission
from tests.servers.platforms.wired import Wired, cable_to


class Email(Wired):
    """Dovecot for what comes and for what was sent, and a submission server."""

    name = "email"
    secrets = {"MAIL_PASSWORD": mail.PASSWORD, "SMTP_PASSWORD": SMTP_PASSWORD}
    own = {"email": [mail.USER]}
    cannot = {
        "edit": "a mail that was sent cannot be changed any more",
        "delete": "a mail that is deleted from the mailbox is tidied up, not taken back",
    }

    def __init__(self, dovecot: mail.Dovecot, smtp: Submission, cable: Cable) -> None:
        self.cable, self._dovecot, self._smtp = cable, dovecot, smtp
        reply = {"host": "127.0.0.1", "port": smtp.port, "security": "none", "username": imap.USER}
        self.source = {
            "type": "email",
            "host": "127.0.0.1",
            "port": cable.port,
            "ca_file": str(dovecot.ca),
            "username": mail.USER,
            "password": "${MAIL_PASSWORD}",
            "brand": "acme",
            "folders": ["INBOX", "Sent"],
            "poll_secs": 0.5,
            "reply": reply | {"password": "${SMTP_PASSWORD}", "address": mail.USER, "sent": "Sent"},
        }

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Email]:
        with ExitStack() as stack:
            dovecot = stack.enter_context(mail.Dovecot().running())
            smtp = stack.enter_context(Submission(imap.USER, SMTP_PASSWORD).running())
            yield cls(dovecot, smtp, cable_to(stack, dovecot.imaps))

    def say(self, text: str, by: str) -> str:
        id = f"{uuid4().hex}@mail.example"
        self._dovecot.deliver(imap.letter(id, text, sender=f"{by} <{by}@mail.example>"))
        return id

    def answers(self, thing: str) -> Sequence[str]:
        sent = [mail for _, mail in self._smtp.taken if mail["In-Reply-To"] == f"<{thing}>"]
        return [body.get_content() for mail in sent if (body := mail.get_body(("plain",)))]
