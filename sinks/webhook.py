"""HTTP push: one POST a delivery, to an address of yours, so that a refusal concerns that one delivery alone.

The body is the record as JSON, `routed/1` or `removal/1` (`harken schema` prints both). `Idempotency-Key` is the same
on every attempt of the same delivery (draft-ietf-httpapi-idempotency-key-header); remember it and do a thing once.

With a secret, `X-Harken-Timestamp` (seconds since 1970) and `X-Harken-Signature` are sent: `sha256=` and, in
hexadecimal, HMAC-SHA256 with the secret over timestamp, a full stop and the body. It is what our own webhook connector
checks.

What the answer means: 2xx has it. 400 to 499 refuses this one for good, but for 401, 407 (our credentials are wrong,
not the record) and 408, 425, 429 (not now). All else (3xx, 5xx, no answer) is an unavailable destination: it is tried
again. A redirect is not followed: an address that moved is a thing for the operator to see.

The address is the operator's word, from the configuration, and nothing from outside gets into it; so a private address
is as good as a public one, and the usual one for a service next door.
"""

from __future__ import annotations

import string
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

import httpx2
import msgspec
from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from pipeline.errors import SinkUnavailable
from pipeline.ports import Delivery, Settings
from pipeline.posting import SigningSecret, checked, drain, refuses, retry_after, signed

_TOKEN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")


class Config(Settings):
    """Where to push to, and how. `url` and the values of `headers` may hold secrets and never print; take them from
    the environment as `${NAME}`."""

    url: SecretStr
    secret: SigningSecret | None = None
    headers: dict[str, SecretStr] = {}
    timeout_secs: float = Field(10.0, gt=0, le=60)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        try:
            httpx2.URL(url.get_secret_value())  # what will send it must read it too
            parsed = AnyHttpUrl(url.get_secret_value())
        except (httpx2.InvalidURL, ValueError):
            # Without the cause: its text would show the address.
            raise ValueError("not an http or https URL such as https://example.org/mentions") from None
        if parsed.username or parsed.password:
            raise ValueError("holds a user name or password; put them into headers, from the environment")
        return url

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        checked(headers, _TOKEN.issuperset)
        return headers


class Sink:
    """Pushes one delivery after the other over one kept connection. When a batch is interrupted, what was answered
    before is remembered and not sent again with the retry; after a crash it is, with its key."""

    def __init__(self, config: Config, now: Callable[[], float] = time.time) -> None:
        self._config = config
        self._now = now
        self._host = httpx2.URL(config.url.get_secret_value()).host
        self._client: httpx2.Client | None = None
        self._answered: dict[str, str | None] = {}

    def deliver(self, batch: Sequence[Delivery]) -> Sequence[str | None]:
        """Push the batch in order; raises SinkUnavailable at the first that gets no verdict."""
        for delivery in batch:
            if delivery.key not in self._answered:
                self._answered[delivery.key] = self._push(delivery)
        results = [self._answered[delivery.key] for delivery in batch]
        self._answered.clear()
        return results

    def close(self) -> None:
        """Close the connection; a later delivery opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _push(self, delivery: Delivery) -> str | None:
        try:
            body = msgspec.json.encode(delivery.record)
        except UnicodeEncodeError:
            return "its text is not valid Unicode and cannot be sent"
        if self._client is None:
            self._client = httpx2.Client(timeout=self._config.timeout_secs, follow_redirects=False)
        url = self._config.url.get_secret_value()
        try:
            with self._client.stream("POST", url, content=body, headers=self._headers(delivery.key, body)) as response:
                drain(response, self._config.timeout_secs)
        except httpx2.TimeoutException as error:
            raise SinkUnavailable(f"{self._host} did not answer in {self._config.timeout_secs:g} s") from error
        except httpx2.HTTPError as error:
            raise SinkUnavailable(f"{self._host} cannot be reached: {type(error).__name__}") from error
        return self._verdict(response)

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self._config.headers.items()}
        headers |= {
            "Content-Type": "application/json",
            "Idempotency-Key": quote(key, safe=string.punctuation.replace("%", "")),
            "User-Agent": "harken",
        }
        if self._config.secret is not None:
            headers |= signed(self._config.secret, str(int(self._now())), body)
        return headers

    def _verdict(self, response: httpx2.Response) -> str | None:
        status = response.status_code
        if 200 <= status < 300:
            return None
        if refuses(status):
            return f"{self._host} refused it with {status}"
        hint = ""
        if 300 <= status < 400:
            hint = "; redirects are not followed: set url to where it moved"
        elif status in (401, 407):
            hint = "; check secret and headers"
        raise SinkUnavailable(f"{self._host} answered {status}{hint}", retry_after=retry_after(response))
