"""A program of yours: one POST of JSON for every message.

`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) is the same on every attempt of the same message, with
the same body. `message` in the body is the same for all messages of one incident to this target, and `sequence` grows:
keep the highest, replace what you hold.

With a secret, `X-Harken-Timestamp` (seconds since 1970) and `X-Harken-Signature` are sent: `sha256=` and, in
hexadecimal, HMAC-SHA256 with the secret over timestamp, a full stop and the body, as the webhook sink does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from pydantic import SecretStr, field_validator

from pipeline.posting import SigningSecret, checked, signed
from spikes._notice import Notice
from spikes._post import address, post
from spikes._target import Outcome, TargetSettings


class WebhookSettings(TargetSettings):
    """Where to post to, and how. `url` and the values of `headers` may hold secrets and never print. Programs do not
    sleep: `quiet_hours` do not hold unless set."""

    url: SecretStr
    secret: SigningSecret | None = None
    headers: dict[str, SecretStr] = {}
    quiet_hours: bool = False

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        return address(url)

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        checked(headers, lambda name: name.isascii() and name.replace("-", "").replace("_", "").isalnum())
        return headers


class Webhook:
    """Posts each message as `alert/1`."""

    keyed = True
    edits = True
    repeats = True

    def __init__(self, settings: WebhookSettings, now: Callable[[], float] = time.time) -> None:
        self.sleeps = settings.quiet_hours
        self._settings = settings
        self._now = now

    def send(self, notice: Notice, *, repeated: bool) -> Outcome:  # noqa: ARG002 - the key says it
        """Post it, with its key."""
        body = msgspec.json.encode({"schema": "alert/1", **msgspec.to_builtins(notice)})
        headers = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": notice.key, "User-Agent": "harken"}
        if self._settings.secret is not None:
            headers |= signed(self._settings.secret, str(int(self._now())), body)
        return post(self._settings.url, body, headers, self._settings.timeout_secs)
