"""Answers by mail: handed to a submission server (RFC 6409), and laid into the folder of sent mail by IMAP.

SMTP knows no idempotency key. So the Message-ID is made from the answer's key, always the same, and before anything is
sent the folder of sent mail is searched for it. What is left, and why, stands in docs/connectors/email.md:

- the server took the mail and its answer got lost (RFC 5321, 4.5.3.2.6: it has usually taken it): it counts as sent,
  and its copy is flagged for a person to look at;
- the process dies between the sending and the laying down: it is sent again, with the same Message-ID, by which many
  mail systems drop the second;
- without a folder of sent mail only this process remembers what it sent.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from typing import ClassVar

import structlog
from pydantic import Field

from connectors._email_account import Security, Server, bounded, xoauth2
from connectors._email_flowed import flowed
from connectors._email_imap import Declined, Mailbox
from connectors._email_parse import SOURCE, ids
from connectors._exchange import plain, sendable
from connectors._pictures import Bounds, Picture, fetched, few_enough
from pipeline.errors import ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Context

log = structlog.get_logger(__name__)

_PICTURES = 5
_PICTURE_BYTES = 3_000_000
"""Five of these, in base64, stay below the 25 MB that common servers take."""
_CALL_TIMES = 4
_REMEMBERED = 2_000
_SUBJECT_CHARS = 200
_LONGEST_WAIT_SECS = 24 * 3_600.0
_ADDRESS = r"^[^@\s<>\x00-\x20\x7f-\uffff]{1,64}@[A-Za-z0-9.-]{1,253}$"
_ANSWERED = re.compile(r"^(\s*(re|aw|antw|sv|vs|rif|res|ref|odp)\s*(\[\d{1,3}\])?\s*:)+\s*", re.IGNORECASE)
_TOO_MANY = re.compile(r"rate|limit|too many|too fast|throttl|quota", re.IGNORECASE)
_WAIT = re.compile(r"\b(\d{1,5})\s*(s|sec|second|min|minute|h|hour)s?\b", re.IGNORECASE)
_CLOSED: Mapping[str, str] = {
    "report": "It is a report on a mail's delivery: nobody would read the answer.",
    "automatic": "A machine wrote it: nobody would read the answer.",
    "list": "It came over a mailing list or was sent to many: the answer would go to a list or to nobody.",
    "nobody": "Its sender takes no mail.",
}


class Reply(Server):
    """The server that takes our mail for others (port 465, or 587 with starttls), and who we are there.

    address           from which the answers come
    name              that people see beside it
    reply_to          where answers to the answers go, where not to `address`
    sent              the folder of sent mail: searched before sending, and given a copy after it
    private_pictures  whether pictures may be fetched from inside the private network
    """

    port: int = Field(default=465, ge=1, le=65535)
    security: Security = "tls"
    address: str = Field(pattern=_ADDRESS, max_length=320)
    name: str = Field(default="", max_length=100)
    reply_to: str | None = Field(default=None, pattern=_ADDRESS)
    sent: str | None = Field(default=None, min_length=1, max_length=200)
    private_pictures: bool = False


class _InDoubt(Exception):
    """The whole mail was handed over, and nothing was heard of it."""


class Answers:
    """Sends answers from one address; every answer by connections of its own, as they are few."""

    pictures: ClassVar[int] = _PICTURES

    def __init__(self, reply: Reply, account: Server, port: int, context: Context) -> None:
        self._reply = reply
        self._account = account
        self._port = port
        self._clock = context.clock
        self._name = context.name
        self._sent: OrderedDict[str, None] = OrderedDict()

    def eligible(self, mention: Mention) -> str | None:
        """There must be an address, and somebody who reads what arrives there."""
        if mention.source != SOURCE:
            return f"It is from {mention.source}; this account answers mail."
        if reason := _CLOSED.get(mention.reply_ref.get("closed", "")):
            return reason
        to = mention.reply_ref.get("to", "")
        if not re.match(_ADDRESS, to):
            return "It names no address that can be answered."
        return "It is our own." if to.lower() == self._reply.address.lower() else None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:
        """Send it, unless it was sent already; return its Message-ID without brackets."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        sendable(text)
        id = self._message_id(key)
        if id in self._sent or self._is_there(id):
            return id
        bounds = Bounds(_PICTURES, _PICTURE_BYTES, None, self._reply.timeout_secs, self._reply.private_pictures)
        letter = self._letter(mention, text, id, fetched(media, bounds, self._clock))
        try:
            self._hand_over(mention.reply_ref["to"], letter)
        except _InDoubt:
            self._keep(letter, flags=(b"\\Seen", b"\\Flagged"))
            log.warning("an answer was handed over and not confirmed: look for it at the mail server", via=self._name)
            raise SourceUnavailable(f"{self._reply.host} did not confirm that it took the mail") from None
        self._sent[id] = None
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        self._keep(letter)
        return id

    def _message_id(self, key: str) -> str:
        """The same for the same key, whoever sends it and when."""
        digest = hashlib.sha256(f"{self._name}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
        return f"harken.{digest[:40]}@{self._reply.address.rpartition('@')[2]}"

    # --------------------------------------------------------------------------------------------------- sent mail

    @contextmanager
    def _mailbox(self, readonly: bool) -> Iterator[Mailbox]:
        mailbox = Mailbox(self._account, self._port, 0)
        try:
            mailbox.open()
            if readonly:
                mailbox.select(self._reply.sent or "", readonly)
            yield mailbox
        finally:
            mailbox.close()

    def _is_there(self, id: str) -> bool:
        if self._reply.sent is None:
            return False
        try:
            with self._mailbox(readonly=True) as mailbox:
                return bool(mailbox.find(id))
        except (Declined, SourceRefused) as error:
            raise ReplyRefused(f"The folder of sent mail ({self._reply.sent}) cannot be searched: {error}") from None

    def _keep(self, letter: bytes, flags: Sequence[bytes] = (b"\\Seen",)) -> None:
        """Lay a copy into the folder of sent mail; where that fails the mail is sent all the same."""
        if self._reply.sent is None:
            return
        try:
            with self._mailbox(readonly=False) as mailbox:
                mailbox.append(self._reply.sent, letter, flags)
        except (Declined, SourceRefused, SourceUnavailable) as error:
            log.warning("an answer was sent and could not be kept", via=self._name, reason=str(error))

    # -------------------------------------------------------------------------------------------------------- letter

    def _letter(self, mention: Mention, text: str, id: str, pictures: Sequence[Picture]) -> bytes:
        reply, refs = self._reply, mention.reply_ref
        message = EmailMessage(policy=policy.SMTP)
        message["From"] = Address(" ".join(reply.name.split()), addr_spec=reply.address)
        message["To"] = Address(addr_spec=refs["to"])
        if reply.reply_to:
            message["Reply-To"] = Address(addr_spec=reply.reply_to)
        message["Subject"] = _subject(refs.get("subject", ""))
        message["Date"] = format_datetime(self._clock.now())
        message.set_content(flowed(text), cte="quoted-printable", params={"format": "flowed"})
        for picture in pictures:
            main, _, sub = picture.type.partition("/")
            message.add_attachment(
                picture.content, maintype=main, subtype=sub, filename=picture.name, disposition="inline"
            )
            part = list(message.iter_attachments())[-1]
            if alt := "".join(sign if sign.isprintable() else " " for sign in picture.alt):
                part["Content-Description"] = alt
        # By hand: the library folds a long id as if it were words, and nobody recognises it then.
        return _threading(id, refs).encode() + message.as_bytes()

    # ---------------------------------------------------------------------------------------------------------- SMTP

    def _hand_over(self, to: str, letter: bytes) -> None:
        smtp: smtplib.SMTP | None = None
        try:
            smtp = self._connected()
            with bounded(_CALL_TIMES * self._reply.timeout_secs, partial(_cut, smtp)):
                self._send(smtp, to, letter)
            return
        except (OSError, ValueError) as error:  # of which smtplib's and TLS's are some
            meant = self._meant(error)
        finally:
            if smtp is not None:
                smtp.close()
        raise meant  # out here, so that it does not carry along what the server said, which may be our secret

    def _meant(self, error: Exception) -> Exception:
        host = self._reply.host
        if isinstance(error, ssl.SSLCertVerificationError):
            words = self._plain(error.verify_message)
            return ReplyRefused(f"The certificate of {host} cannot be trusted ({words}): set ca_file.")
        if isinstance(error, TimeoutError):
            return SourceUnavailable(f"{host} did not answer within {self._reply.timeout_secs:g} seconds")
        if isinstance(error, smtplib.SMTPResponseException):
            return self._fault(error.smtp_code, error.smtp_error)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return ReplyRefused(f"{host} cannot do what is asked: {self._plain(str(error))}")
        return SourceUnavailable(f"{host} cannot be reached ({type(error).__name__})")

    def _connected(self) -> smtplib.SMTP:
        reply = self._reply
        if reply.security == "tls":
            return smtplib.SMTP_SSL(reply.host, reply.port, timeout=reply.timeout_secs, context=reply.context())
        return smtplib.SMTP(reply.host, reply.port, timeout=reply.timeout_secs)

    def _send(self, smtp: smtplib.SMTP, to: str, letter: bytes) -> None:
        """Until the server has said that it took the mail; raises _InDoubt where it has it all and said nothing."""
        reply = self._reply
        if reply.security == "starttls":
            smtp.starttls(context=reply.context())
        if reply.token is None:
            smtp.login(reply.username, reply.secret)
        else:
            smtp.ehlo_or_helo_if_needed()
            # Asked again, after a refusal, the server waits for an empty line.
            smtp.auth("XOAUTH2", lambda challenge=None: xoauth2(reply) if challenge is None else "")
        for code, words in (smtp.mail(reply.address), smtp.rcpt(to), smtp.docmd("DATA")):
            if code not in (250, 251, 354):
                raise smtplib.SMTPResponseException(code, words)
        smtp.send(re.sub(rb"(?m)^\.", b"..", letter) + b".\r\n")
        try:
            code, words = smtp.getreply()
        except smtplib.SMTPServerDisconnected:
            raise _InDoubt from None
        if code < 0:
            raise _InDoubt
        if code != 250:
            raise smtplib.SMTPResponseException(code, words)

    def _fault(self, code: int, said: bytes | str) -> Exception:
        """What the server's answer means (RFC 5321, 4.2.1): 4xx may pass, 5xx is for good."""
        words = self._plain(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)
        host = self._reply.host
        if not 400 <= code < 500:
            if code in (530, 534, 535, 538):
                return ReplyRefused(f"{host} does not accept this account: {words}")
            return ReplyRefused(f"{host} refuses the mail: {words}")
        if not _TOO_MANY.search(words):
            return SourceUnavailable(f"{host} answers {code}: {words}", trouble="http")
        wait = _WAIT.search(words)
        unit = {"s": 1, "m": 60, "h": 3_600}[wait[2][0].lower()] if wait else 1
        seconds = min(int(wait[1]) * unit, _LONGEST_WAIT_SECS) if wait else None
        return SourceUnavailable(f"{host} takes no more for now: {words}", trouble="rate_limited", retry_after=seconds)

    def _plain(self, words: str) -> str:
        return plain(words, (self._reply.secret, self._account.secret))


def _cut(smtp: smtplib.SMTP) -> None:
    """End the connection under whoever reads it: closing alone would wait for them."""
    if smtp.sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)


def _subject(subject: str) -> str:
    """`Re:` once, in front of what it is about."""
    bare = _ANSWERED.sub("", " ".join("".join(sign if sign.isprintable() else " " for sign in subject).split()))
    return f"Re: {bare[:_SUBJECT_CHARS] or 'your message'}"


def _threading(id: str, refs: Mapping[str, str]) -> str:
    """The headers that hang it into its thread (RFC 5322, 3.6.4), folded between ids."""
    parent = [one for one in ids(f"<{refs.get('message_id', '')}>") if one.isascii()]
    known = [one for one in refs.get("references", "").split() if one.isascii()]
    references = [*(one for one in known if one not in parent), *parent]
    lines = [f"Message-ID: <{id}>"]
    if parent:
        lines.append(f"In-Reply-To: <{parent[0]}>")
    if references:
        lines.append("References: " + "\r\n ".join(f"<{one}>" for one in references))
    return "\r\n".join(lines) + "\r\n"
