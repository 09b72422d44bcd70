"""A program of yours: one POST of JSON for every message.

`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) is the same on every attempt of the same message, with
the same body. `message` in the body is the same for all messages of one incident to this target, and `sequence` grows:
keep the highest, replace what you hold.

With a secret, `X-Harken-Timestamp` (seconds since 1970) and `X-Harken-Signature` are sent: `sha256=` and, in
hexadecimal, HMAC-SHA256 with the secret over timestamp, a full stop and the body, as the webhook sink does.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

import msgspec
from pydantic import SecretStr, field_validator

from pipeline.ports import Secret
from spikes._notice import Notice
from spikes._post import address, post
from spikes._target import Outcome, TargetSettings

_OURS = frozenset(
    {"content-type", "content-length", "host", "idempotency-key", "transfer-encoding", "user-agent"}
    | {"x-harken-signature", "x-harken-timestamp"}
)


class WebhookSettings(TargetSettings):
    """Where to post to, and how. `url` and the values of `headers` may hold secrets and never print. Programs do not
    sleep: `quiet_hours` do not hold unless set."""

    url: SecretStr
    secret: Secret | None = None
    headers: dict[str, SecretStr] = {}
    quiet_hours: bool = False

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        return address(url)

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < 16:
            raise ValueError("a signing secret has at least 16 characters (make one with `openssl rand -hex 32`)")
        return secret

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"{name!r} is no name for a header")
            if name.lower() in _OURS:
                raise ValueError(f"{name} is set by harken itself; remove it")
            if not value.get_secret_value().isascii() or not value.get_secret_value().isprintable():
                raise ValueError(f"the value of {name} holds what no header can")
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
            stamp = str(int(self._now()))
            key = self._settings.secret.get_secret_value().encode()
            digest = hmac.new(key, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
            headers |= {"X-Harken-Timestamp": stamp, "X-Harken-Signature": f"sha256={digest}"}
        return post(self._settings.url, body, headers, self._settings.timeout_secs)
