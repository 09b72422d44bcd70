"""Answers on Bluesky: a record `app.bsky.feed.post` with `reply`, put into the account's repository on its PDS; and
likes, which are records as well (`app.bsky.feed.like`).

From the lexicons of github.com/bluesky-social/atproto: `com.atproto.server.createSession` and `refreshSession` give
the tokens; `com.atproto.repo.putRecord` with `swapRecord` null writes a record only where none is yet, and answers 400
`InvalidSwap` where one is. The record's key is made from the reply's key, so that the same reply is the same record,
whoever sends it again and when: it cannot be posted twice. Limits of a PDS: 30 sessions and 3,000 requests in 5
minutes, 5,000 points of writing an hour, a putRecord being 2; a 429 names its end in `ratelimit-reset`. A like's record
key is made from the post it is for. Pictures are `com.atproto.repo.uploadBlob`, then `app.bsky.embed.images` of the
record: 4 of 1,000,000 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx2
import msgspec
from pydantic import Field, SecretStr, field_validator

from connectors._bluesky_facets import facets, handles
from connectors._bluesky_posts import POSTS
from connectors._exchange import Answer, exchange, said, sendable, until
from connectors._http import retry_after
from connectors._pictures import Bounds, Picture, fetched, few_enough
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Action, Clock, Context, Secret, Settings

LIKES = "app.bsky.feed.like"
_PICTURES = 4
_PICTURE_BYTES = 1_000_000
_NEEDED = ("uri", "cid", "root_uri", "root_cid")
_JSON = "application/json"
_LONGEST_WAIT_SECS = 24 * 3_600.0
_HANDLES = 10
"""How many handles of one text are looked up; more are left as plain text."""

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_TIDS_FROM_US = round(datetime(2023, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
_TIDS_BITS = 46
"""Record keys are spread over the 2^46 microseconds (2.2 years) from there on: never in the future."""


class Reply(Settings):
    """The account that answers: its handle (or did) and an app password (never the account's own), on which server
    (`service`: Bluesky's own entry, or the account's PDS), the seconds to wait for its answers, and whether pictures
    may be fetched from inside the private network."""

    handle: str = Field(pattern=r"^(did:[a-z]+:\S{1,240}|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)$", max_length=253)
    password: Secret
    service: str = Field(
        default="https://bsky.social", pattern=r"^(https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)$"
    )
    timeout_secs: float = Field(default=10, gt=0, le=60)
    private_pictures: bool = False

    @field_validator("password")
    @classmethod
    def _not_empty(cls, password: SecretStr) -> SecretStr:
        if not password.get_secret_value().strip():
            raise ValueError("the app password is empty")
        return password


@dataclass(frozen=True, repr=False)
class _Session:
    did: str
    access: str
    refresh: str


class Answers:
    """Posts replies and likes as one account; the session is opened with the first.

    Messages in private are not offered: they need an app password that may read all of the account's, and most accounts
    take them only from those they follow. Nor is hiding: a reply is hidden by rewriting the thread's own record.
    """

    pictures: ClassVar[int] = _PICTURES
    actions: ClassVar[frozenset[Action]] = frozenset({"like"})

    def __init__(self, reply: Reply, context: Context) -> None:
        self._reply = reply
        self._clock: Clock = context.clock
        self._session: _Session | None = None
        self._client: httpx2.Client | None = None

    def eligible(self, mention: Mention) -> str | None:
        """A reply names its parent and its thread's root by uri and cid: without them it hangs nowhere."""
        return self._unknown(mention, _NEEDED)

    def may(self, action: Action, mention: Mention) -> str | None:
        """What can be liked is any post whose uri and cid are known."""
        if action not in self.actions:
            return "harken offers this on other networks, and on Bluesky likes and answers only."
        return self._unknown(mention, _NEEDED[:2])

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:
        """Post it, and return the record's at-uri."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        sendable(text)
        few_enough(media, self.pictures)
        rkey = record_key(key)
        session = self._session or self._log_in()
        refs = mention.reply_ref
        record: dict[str, Any] = {
            "$type": POSTS,
            "text": text,
            "createdAt": self._now(),
            "reply": {
                "root": {"uri": refs["root_uri"], "cid": refs["root_cid"]},
                "parent": {"uri": refs["uri"], "cid": refs["cid"]},
            },
        }
        if marks := facets(text, self._dids(text, mention)):
            record["facets"] = marks
        if media:
            if self._is_there(session.did, rkey):  # its pictures may be gone by now
                return f"at://{session.did}/{POSTS}/{rkey}"
            bounds = Bounds(_PICTURES, _PICTURE_BYTES, None, self._reply.timeout_secs, self._reply.private_pictures)
            images = [
                {"image": self._upload(picture), "alt": picture.alt} for picture in fetched(media, bounds, self._clock)
            ]
            record["embed"] = {"$type": "app.bsky.embed.images", "images": images}
        return self._put(session.did, POSTS, rkey, record, "the answer")

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:  # noqa: ARG002 - a like is one by its post
        """Like it, and return the like's at-uri."""
        if reason := self.may(action, mention):
            raise ReplyRefused(reason)
        session = self._session or self._log_in()
        subject = {"uri": mention.reply_ref["uri"], "cid": mention.reply_ref["cid"]}
        record = {"$type": LIKES, "subject": subject, "createdAt": self._now()}
        return self._put(session.did, LIKES, record_key(f"like {subject['uri']}"), record, "the like")

    def _unknown(self, mention: Mention, needed: Sequence[str]) -> str | None:
        if mention.source != "bluesky":
            return f"It is from {mention.source}; this account answers on Bluesky."
        if missing := [name for name in needed if not mention.reply_ref.get(name)]:
            return f"What Bluesky needs to attach a reply is not known: {', '.join(missing)}."
        return None

    def _put(self, did: str, collection: str, rkey: str, record: Mapping[str, Any], what: str) -> str:
        """Write the record where there is none yet; its at-uri."""
        body = {"repo": did, "collection": collection, "rkey": rkey, "record": record, "swapRecord": None}
        answer = self._authorized("POST", "com.atproto.repo.putRecord", msgspec.json.encode(body))
        if answer.status != 200 and answer.json.get("error") != "InvalidSwap":
            raise self._fault(answer, what)
        return f"at://{did}/{collection}/{rkey}"

    def _is_there(self, did: str, rkey: str) -> bool:
        query = f"com.atproto.repo.getRecord?repo={did}&collection={POSTS}&rkey={rkey}"
        answer = self._authorized("GET", query)
        if answer.status not in (200, 400, 404):
            raise self._fault(answer, "looking for the answer")
        return answer.status == 200

    def _upload(self, picture: Picture) -> Any:
        answer = self._authorized("POST", "com.atproto.repo.uploadBlob", picture.content, picture.type)
        if answer.status != 200:
            raise self._fault(answer, "the picture")
        blob = answer.json.get("blob")
        if not isinstance(blob, dict):
            raise SourceUnavailable("Bluesky took the picture without saying where it is", trouble="http")
        return blob

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _dids(self, text: str, mention: Mention) -> Mapping[str, str]:
        """Whose dids the handles in the text are, as far as they can be found: the author's is known."""
        known = {mention.author.handle.lower(): mention.author.id} if mention.author.handle else {}
        for handle in handles(text)[:_HANDLES]:
            if handle not in known:
                answer = self._send("GET", f"com.atproto.identity.resolveHandle?handle={handle}")
                did = answer.json.get("did")
                if answer.status == 200 and isinstance(did, str):
                    known[handle] = did
        return known

    # --------------------------------------------------------------------------------------------------- session

    def _log_in(self) -> _Session:
        body = {"identifier": self._reply.handle, "password": self._reply.password.get_secret_value()}
        answer = self._send("POST", "com.atproto.server.createSession", msgspec.json.encode(body))
        if answer.status != 200:
            raise self._fault(answer, f"the handle {self._reply.handle} with this app password")
        return self._keep(answer)

    def _renew(self, session: _Session) -> _Session:
        """Tokens for old ones, or from the beginning where the old are no longer good for that."""
        answer = self._send("POST", "com.atproto.server.refreshSession", token=session.refresh)
        if answer.status == 200:
            return self._keep(answer)
        if answer.status in (400, 401):
            return self._log_in()
        raise self._fault(answer, "the session")

    def _keep(self, answer: Answer) -> _Session:
        try:
            tokens = msgspec.convert(answer.json, _Tokens)
        except msgspec.ValidationError as error:
            raise SourceUnavailable("Bluesky answered something that is no session", trouble="http") from error
        self._session = _Session(tokens.did, tokens.accessJwt, tokens.refreshJwt)
        return self._session

    def _authorized(self, verb: str, method: str, content: bytes = b"", type: str = _JSON) -> Answer:
        session = self._session or self._log_in()
        answer = self._send(verb, method, content, type, session.access)
        if answer.status == 401 or answer.json.get("error") in ("ExpiredToken", "InvalidToken"):
            answer = self._send(verb, method, content, type, self._renew(session).access)
        return answer

    # ------------------------------------------------------------------------------------------------------ wire

    def _send(self, verb: str, method: str, content: bytes = b"", type: str = _JSON, token: str = "") -> Answer:
        if self._client is None:
            self._client = httpx2.Client()
        headers = {"User-Agent": "harken", "Accept": _JSON}
        if content:
            headers["Content-Type"] = type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return exchange(
            self._client,
            verb,
            f"{self._reply.service}/xrpc/{method}",
            headers=headers,
            content=content,
            timeout_secs=self._reply.timeout_secs,
        )

    def _fault(self, answer: Answer, what: str) -> Exception:
        words = said(answer, self._secrets())
        if answer.status == 429:
            now = self._clock.now()
            wait = until(answer.headers.get("ratelimit-reset", ""), now, _LONGEST_WAIT_SECS)
            wait = wait or retry_after(answer.headers.get("retry-after", ""), now)
            return SourceUnavailable(
                f"Bluesky allows no more requests for now: {words}", trouble="rate_limited", retry_after=wait
            )
        if answer.status < 400 or answer.status >= 500 or answer.status == 408:
            return SourceUnavailable(f"Bluesky answered {answer.status}: {words}", trouble="http")
        return ReplyRefused(f"Bluesky refuses {what}: {words}")

    def _secrets(self) -> tuple[str, ...]:
        password = self._reply.password.get_secret_value()
        return (password, self._session.access, self._session.refresh) if self._session else (password,)


class _Tokens(msgspec.Struct):
    """The answer of createSession and refreshSession."""

    did: str
    accessJwt: str
    refreshJwt: str


def record_key(key: str) -> str:
    """A record key for the reply with this key: a TID (atproto.com/specs/tid: 53 bits of microseconds since 1970, 10
    bits of a clock's id, in 13 letters of base 32), as the lexicon asks of a post. Its time is not the post's, which
    `createdAt` tells: all its 56 free bits are the key's SHA-256, so that two keys do not meet."""
    bits = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:7], "big")
    value = (_TIDS_FROM_US + (bits >> 10)) << 10 | bits & 0x3FF
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(60, -5, -5))
