"""E-mail: one mail for every message, to all its recipients, in a thread for each incident.

The same message has the same Message-ID on every attempt, so that a mail system that has it shows it once; a follow-up
names the first in In-Reply-To and References (RFC 5322, section 3.6.4). A server can only have taken a mail without
our knowing in the moment between its end and the answer to it (RFC 1047).
"""

from __future__ import annotations

import html
import re
import smtplib
import ssl
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.ports import Secret
from spikes._notice import Notice, lines, subject
from spikes._target import Later, Outcome, Refused, TargetSettings, Told

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def is_address(text: str) -> bool:
    """Whether this is one mail address, without a name or brackets around it."""
    return _ADDRESS.fullmatch(text) is not None


class MailSettings(TargetSettings):
    """`host` and `port` of the mail server; `tls` is `starttls` (required, not merely offered), `tls` from the first
    byte, or `none`, which takes no password. `ca` is a file of certificates to trust instead of the system's. Mail
    goes from `sender` to every address in `to`."""

    host: str = Field(min_length=1, pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int | None = Field(None, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca: Path | None = None
    user: str | None = None
    password: Secret | None = None
    sender: str
    to: tuple[str, ...] = Field(min_length=1, max_length=50)

    @field_validator("sender", "to")
    @classmethod
    def _are_addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for one in (value,) if isinstance(value, str) else value:
            if not is_address(one):
                raise ValueError(f"{one!r} is not an address such as care@example.org")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> MailSettings:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.password is not None and self.tls == "none":
            raise ValueError("a password is not sent without TLS; set tls to starttls or tls")
        return self


class Mail:
    """Hands each message to the mail server."""

    keyed = True
    edits = False
    repeats = True

    def __init__(self, settings: MailSettings) -> None:
        self.sleeps = settings.quiet_hours
        self._settings = settings
        self._domain = settings.sender.rpartition("@")[2]

    @property
    def sender(self) -> str:
        """The address that mail goes from."""
        return self._settings.sender

    def send(self, notice: Notice, *, repeated: bool) -> Outcome:  # noqa: ARG002 - the Message-ID says it
        """Hand it over."""
        return self.hand(self._mail(notice), self._settings.to)

    def hand(self, mail: EmailMessage, to: Sequence[str]) -> Outcome:
        """Hand a mail of whatever kind to the server, for these addresses."""
        host = self._settings.host
        try:
            with self._connected() as server:
                refused = server.send_message(mail, self._settings.sender, list(to))
        except smtplib.SMTPAuthenticationError as error:
            return Later(f"{host} does not let us in ({error.smtp_code}); check user and password")
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            reason = f"{host} refused every recipient ({', '.join(map(str, sorted(codes)))})"
            return Refused(reason) if min(codes) >= 500 else Later(reason)
        except smtplib.SMTPResponseException as error:
            reason = f"{host} answered {error.smtp_code}"
            taken_back = isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused)
            return Refused(reason) if taken_back and error.smtp_code >= 500 else Later(reason)
        except ssl.SSLCertVerificationError:
            return Later(f"the certificate of {host} is not trusted; ca names a file of others")
        except smtplib.SMTPNotSupportedError:
            return Later(f"{host} does not offer what is asked of it; look at tls, user and password")
        except (smtplib.SMTPServerDisconnected, TimeoutError):  # smtplib makes the one of the other
            return Later(f"{host} broke off, or did not answer in {self._settings.timeout_secs:g} s", doubtful=True)
        except (smtplib.SMTPException, OSError) as error:
            return Later(f"{host} cannot be reached: {type(error).__name__}", doubtful=True)
        return Told(f"{host} refused {len(refused)} of {len(to)} recipients" if refused else "")

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        port = settings.port or _PORTS[settings.tls]
        # Our name is the sender's domain: asking for this machine's own may wait for a name server.
        domain, timeout = self._domain, settings.timeout_secs
        server: smtplib.SMTP
        if settings.tls == "tls":
            server = smtplib.SMTP_SSL(settings.host, port, domain, timeout=timeout, context=self._context())
        else:
            server = smtplib.SMTP(settings.host, port, domain, timeout=timeout)
        try:
            if settings.tls == "starttls":
                server.starttls(context=self._context())
            if settings.user is not None and settings.password is not None:
                server.login(settings.user, settings.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._settings.ca) if self._settings.ca else None)

    def _mail(self, notice: Notice) -> EmailMessage:
        """The mail. Headers are set from single lines alone, which `email` checks once more."""
        mail = EmailMessage(SMTP)
        mail["From"] = Address("harken", addr_spec=self._settings.sender)
        mail["To"] = [Address(addr_spec=one) for one in self._settings.to]
        mail["Date"] = format_datetime(notice.at)
        mail["Message-ID"] = f"<{notice.key}@{self._domain}>"
        first = f"<{notice.first_key}@{self._domain}>"
        if notice.key != notice.first_key:
            mail["In-Reply-To"] = first
            mail["References"] = first
        mail["Subject"] = subject(notice)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        told = lines(notice)
        mail.set_content("\n".join(told) + "\n")
        mail.add_alternative(_as_html(subject(notice), told), subtype="html")
        return mail


def _as_html(title: str, told: list[str]) -> str:
    paragraphs = "".join(f"<p>{html.escape(it)}</p>\n" for it in told if it)
    return f"<!DOCTYPE html>\n<html><body>\n<h1>{html.escape(title)}</h1>\n{paragraphs}</body></html>\n"
