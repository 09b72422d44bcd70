"""Answers pushed to whoever pushed the mentions: one POST a reply, signed as what they push is signed.

The body is `{"mention": …, "native_id": …, "text": …, "media": […], "key": …}`: our id of the mention, theirs, the
words, the pictures as `{"url": …, "alt": …}` for the receiver to fetch, and a key that is the same on every attempt of
the same reply; `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) says it again. `X-Harken-Timestamp` and
`X-Harken-Signature` are those of webhook.py. The answer is 2xx with `{"id": …}`, the reply's id there: the same for the
same key, however often it comes.

The address is the operator's word, from the configuration, and nothing from outside gets into it: a private address is
as good as a public one. A redirect is not followed.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import quote

import httpx2
import msgspec
from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from connectors._exchange import Answer, exchange, said
from connectors._http import retry_after
from connectors._pictures import few_enough
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Context, Settings
from pipeline.posting import SigningSecret, signed

_NOT_NOW = frozenset({408, 425})
_ID_LENGTH = 500


class Reply(Settings):
    """Where answers are pushed to (`url`, which may hold a secret and never prints), the secret that signs them (at
    least 16 characters), and the seconds to wait for an answer."""

    url: SecretStr
    secret: SigningSecret
    timeout_secs: float = Field(default=10, gt=0, le=60)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        try:
            httpx2.URL(url.get_secret_value())  # what will send it must read it too
            parsed = AnyHttpUrl(url.get_secret_value())
        except (httpx2.InvalidURL, ValueError):
            # Without the cause: its text would show the address.
            raise ValueError("not an http or https URL such as https://shop.example/answers") from None
        if parsed.username or parsed.password:
            raise ValueError("holds a user name or password; the signature says who we are")
        return url


class Answers:
    """Pushes replies to the mentions of one source. The protocol sets no number of pictures: as many as elsewhere."""

    pictures: ClassVar[int] = 4

    def __init__(self, reply: Reply, context: Context) -> None:
        self._reply = reply
        self._via = context.name
        self._clock = context.clock
        self._host = httpx2.URL(reply.url.get_secret_value()).host
        self._client: httpx2.Client | None = None

    def eligible(self, mention: Mention) -> str | None:
        """Only what this source brought can go back to where it came from."""
        if mention.via != self._via:
            return f"It did not come in through {self._via}, so an answer cannot go back that way."
        return None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:
        """Push it, and return the id the receiver gave it."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        shown = [{"url": one.url, "alt": one.alt} for one in media]
        try:
            body = msgspec.json.encode(
                {"mention": mention.id, "native_id": mention.native_id, "text": text, "media": shown, "key": key}
            )
        except UnicodeEncodeError as error:
            raise ReplyRefused("The text is not valid Unicode and cannot be sent.") from error
        if self._client is None:
            self._client = httpx2.Client()
        stamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": quote(key, safe=string.punctuation.replace("%", "")),
            "User-Agent": "harken",
        } | signed(self._reply.secret, stamp, body)
        url = self._reply.url.get_secret_value()
        answer = exchange(
            self._client, "POST", url, headers=headers, content=body, timeout_secs=self._reply.timeout_secs
        )
        if not 200 <= answer.status < 300:
            raise self._fault(answer)
        return self._id(answer)

    def _id(self, answer: Answer) -> str:
        id = answer.json.get("id")
        if isinstance(id, int) and not isinstance(id, bool):
            id = str(id)
        if not isinstance(id, str) or not id.isprintable() or not 0 < len(id) <= _ID_LENGTH:
            # It may well have it: with the same key again it can say so.
            raise SourceUnavailable(f"{self._host} answered {answer.status} without the reply's id", trouble="http")
        return id

    def _fault(self, answer: Answer) -> Exception:
        url = self._reply.url.get_secret_value()
        path = httpx2.URL(url).raw_path.decode("ascii")
        words = said(answer, (self._reply.secret.get_secret_value(), url, path if path != "/" else ""))
        if answer.status == 429:
            return SourceUnavailable(
                f"{self._host} takes no more answers for now: {words}",
                trouble="rate_limited",
                retry_after=retry_after(answer.headers.get("retry-after", ""), self._clock.now()),
            )
        if 400 <= answer.status < 500 and answer.status not in _NOT_NOW:
            return ReplyRefused(f"{self._host} refuses the answer: {words}")
        hint = "; redirects are not followed: set reply.url to where it moved" if answer.status < 400 else ""
        return SourceUnavailable(
            f"{self._host} answered {answer.status}{hint}: {words}",
            trouble="http",
            retry_after=retry_after(answer.headers.get("retry-after", ""), self._clock.now()),
        )
