"""Answers on Mastodon: POST /api/v1/statuses with `in_reply_to_id`, as one account; likes and direct messages.

From docs.joinmastodon.org/methods/statuses and methods/media: `Idempotency-Key` makes the same status posted once, for
one hour (app/services/post_status_service.rb); so whatever has to be sent again later is first looked for among the
account's posts since the one to be answered. A picture is posted before its status, and may have to be waited for (202,
then 206 until it is ready). Limits: 300 requests in 5 minutes, 30 pictures in 30 minutes, 4 pictures a post.

An answer keeps the visibility of what it answers, a direct message being answered by one, and begins with its author's
name: without it nobody would be told. A post seen on another server than the account's is looked up there by its uri.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlencode

import httpx2
import msgspec
from msgspec import Struct
from pydantic import Field, SecretStr, field_validator

from connectors._exchange import Answer, exchange, said, sendable
from connectors._http import retry_after
from connectors._mastodon_api import reset_secs, trusted
from connectors._mastodon_posts import SOURCE, moment
from connectors._pictures import Bounds, Picture, fetched, few_enough
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Action, Context, Secret, Settings

_Read = TypeVar("_Read")

_PICTURES = 4
_PICTURE_BYTES = 16_777_216
"""`configuration.media_attachments.image_size_limit` of an instance by default."""
_ALT = 1_500
"""`configuration.media_attachments.description_limit` by default."""
_REMEMBERED = timedelta(minutes=55)
"""How old a post is, at least, for which the server may have forgotten its key: 1 hour, less what clocks differ."""
_LOOKED_THROUGH = 40
_MOST_BYTES = 2_000_000
_READY_TRIES = 20
_NOT_NOW = frozenset({408, 425, 429})
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


class Reply(Settings):
    """The account that answers: on which server, its token (scopes `read`, `write:statuses`, `write:media`,
    `write:favourites`), the seconds to wait for an answer, and whether pictures may be fetched from inside the private
    network."""

    server: str = Field(pattern=r"^(https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)$")
    access_token: Secret
    timeout_secs: float = Field(default=10, gt=0, le=60)
    private_pictures: bool = False

    @field_validator("access_token")
    @classmethod
    def _one_word(cls, token: SecretStr) -> SecretStr:
        value = token.get_secret_value()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("an access token is one word of printable ASCII")
        return token


class _Sent(Struct):
    """A status of ours."""

    id: str
    uri: str
    created_at: str = ""
    in_reply_to_id: str | None = None


class Answers:
    """Posts replies as one account; nothing is asked before the first."""

    pictures: ClassVar[int] = _PICTURES
    actions: ClassVar[frozenset[Action]] = frozenset({"like", "message"})

    def __init__(self, reply: Reply, context: Context) -> None:
        self._reply = reply
        self._clock = context.clock
        self._host = httpx2.URL(reply.server).host
        self._client: httpx2.Client | None = None
        self._me = ""

    def eligible(self, mention: Mention) -> str | None:
        """What was said in private can be answered only from where it arrived."""
        refs = mention.reply_ref
        if mention.source != SOURCE:
            return f"It is from {mention.source}; this account answers on Mastodon."
        if missing := [name for name in ("server", "id", "acct", "visibility") if not refs.get(name)]:
            return f"What Mastodon needs to attach a reply is not known: {', '.join(missing)}."
        if refs["visibility"] not in ("public", "unlisted") and refs["server"] != self._reply.server:
            return f"It was not said in public but to an account on {refs['server']}: only that one can answer it."
        return None

    def may(self, action: Action, mention: Mention) -> str | None:
        """Likes and messages go wherever answers do."""
        if action not in self.actions:
            return "On Mastodon one cannot hide what others wrote."
        return self.eligible(mention)

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:
        """Post it, and return its uri."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        visibility = mention.reply_ref["visibility"]
        if visibility not in ("public", "unlisted", "private", "direct"):  # of a compatible server: the narrowest
            visibility = "direct"
        return self._say(mention, text, key, visibility, media)

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:
        """Favour it, or write to its author directly; returns the mention's own id, or the message's uri."""
        if reason := self.may(action, mention):
            raise ReplyRefused(reason)
        if action == "message":
            return self._say(mention, text, key, "direct", ())
        answer = self._send("POST", f"/api/v1/statuses/{quote(self._target(mention), safe='')}/favourite")
        self._hold(answer, "the like")
        return mention.native_id

    def _say(self, mention: Mention, text: str, key: str, visibility: str, media: Sequence[Media]) -> str:
        sendable(text)
        few_enough(media, self.pictures)
        target = self._target(mention)
        here = mention.reply_ref["server"] == self._reply.server
        text = _addressed(text, mention.reply_ref["acct"] if here else mention.author.handle)
        if posted := self._posted_before(target, text):
            return posted
        body: dict[str, Any] = {"status": text, "in_reply_to_id": target, "visibility": visibility}
        if media:
            bounds = Bounds(_PICTURES, _PICTURE_BYTES, _ALT, self._reply.timeout_secs, self._reply.private_pictures)
            body["media_ids"] = [self._upload(picture) for picture in fetched(media, bounds, self._clock)]
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest(),
        }
        answer = self._send("POST", "/api/v1/statuses", msgspec.json.encode(body), headers)
        self._hold(answer, "the answer")
        return self._read(answer, _Sent).uri

    # -------------------------------------------------------------------------------------------------- the thread

    def _target(self, mention: Mention) -> str:
        """The id on the account's server of what is to be answered."""
        refs = mention.reply_ref
        if refs["server"] == self._reply.server:
            if not _ID.fullmatch(refs["id"]):
                raise ReplyRefused("The id of the post to answer is none.")
            return refs["id"]
        query = urlencode({"q": mention.native_id, "type": "statuses", "resolve": "true", "limit": 1})
        answer = self._send("GET", f"/api/v2/search?{query}")
        self._hold(answer, "looking up the post")
        found = self._read(answer, _Searched).statuses
        target = next((one.id for one in found if one.uri == mention.native_id), "")
        if not _ID.fullmatch(target):
            raise ReplyRefused(
                f"{self._host} cannot find the post on {refs['server']}, so it cannot be answered there."
            )
        return target

    def _posted_before(self, target: str, text: str) -> str | None:
        """The uri of this answer where it was given so long ago that the server may have forgotten the key."""
        if not self._me:
            answer = self._send("GET", "/api/v1/accounts/verify_credentials")
            self._hold(answer, "the token")
            self._me = self._read(answer, _Me).id
        query = urlencode({"limit": _LOOKED_THROUGH, "min_id": target, "exclude_reblogs": "true"})
        answer = self._send("GET", f"/api/v1/accounts/{quote(self._me, safe='')}/statuses?{query}")
        self._hold(answer, "looking for the answer")
        try:
            ours = msgspec.json.decode(answer.body, type=list[_Sent])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SourceUnavailable(f"{self._host} answered something that are no posts", trouble="http") from error
        forgotten = self._clock.now() - _REMEMBERED
        for one in ours:
            written = moment(one.created_at)
            if one.in_reply_to_id == target and _ID.fullmatch(one.id) and written and written <= forgotten:
                source = self._send("GET", f"/api/v1/statuses/{one.id}/source")
                self._hold(source, "looking for the answer")
                if _same(self._read(source, _Source).text, text):
                    return one.uri
        return None

    def _upload(self, picture: Picture) -> str:
        """The id of the picture on the server, once it is ready there."""
        form = httpx2.Request(
            "POST",
            self._reply.server,
            files={"file": (picture.name, picture.content, picture.type)},
            data={"description": picture.alt} if picture.alt else {},
        )
        headers = {"Content-Type": form.headers["Content-Type"]}
        answer = self._send("POST", "/api/v2/media", form.read(), headers)
        for _ in range(_READY_TRIES):
            self._hold(answer, "the picture")
            id = self._read(answer, _Uploaded).id
            if not _ID.fullmatch(id):
                raise SourceUnavailable(f"{self._host} took the picture without naming its id", trouble="http")
            if answer.status == 200:
                return id
            if self._clock.wait(1):
                break
            answer = self._send("GET", f"/api/v1/media/{id}")
        raise SourceUnavailable(f"{self._host} is not done with the picture", trouble="http")

    # -------------------------------------------------------------------------------------------------------- wire

    def _send(self, method: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        if self._client is None:
            self._client = httpx2.Client(verify=trusted(), trust_env=False)
        return exchange(
            self._client,
            method,
            self._reply.server + path,
            headers={
                "Authorization": f"Bearer {self._reply.access_token.get_secret_value()}",
                "User-Agent": "harken",
                "Accept": "application/json",
                "Connection": "close",  # too few requests to keep one open for
                **(headers or {}),
            },
            content=content,
            timeout_secs=self._reply.timeout_secs,
            read_at_most=_MOST_BYTES,
        )

    def _hold(self, answer: Answer, what: str) -> None:
        """Raise where it is not what was asked for."""
        if 200 <= answer.status < 300:
            return
        words = said(answer, (self._reply.access_token.get_secret_value(),))
        now = self._clock.now()
        wait = retry_after(answer.headers.get("retry-after", ""), now)
        if answer.status == 429:
            raise SourceUnavailable(
                f"{self._host} allows no more requests for now: {words}",
                trouble="rate_limited",
                retry_after=reset_secs(answer.headers, now) if wait is None else wait,
            )
        if 400 <= answer.status < 500 and answer.status not in _NOT_NOW:
            raise ReplyRefused(f"{self._host} refuses {what}: {words}")
        raise SourceUnavailable(f"{self._host} answered {answer.status}: {words}", trouble="http", retry_after=wait)

    def _read(self, answer: Answer, type: type[_Read]) -> _Read:
        try:
            return msgspec.convert(answer.json, type)
        except msgspec.ValidationError as error:
            raise SourceUnavailable(f"{self._host} answered something else than asked for", trouble="http") from error


class _Me(Struct):
    id: str


class _Source(Struct):
    text: str = ""


class _Uploaded(Struct):
    id: str


class _Searched(Struct):
    statuses: list[_Sent] = []


def _addressed(text: str, acct: str) -> str:
    """The text with the author named, in front where they are not named yet."""
    named = re.search(rf"(?<![\w@])@{re.escape(acct)}(?![\w@]|[.-]\w)", text, re.IGNORECASE)
    return text if named else f"@{acct} {text}"


def _same(one: str, other: str) -> bool:
    """Whether two texts are one, however the server kept spaces and signs nobody sees."""
    return one.replace("\x00", "").split() == other.replace("\x00", "").split()
