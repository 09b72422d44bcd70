"""Discourse forums: every new post, by looking at the newest again and again, by webhooks, or by both.

`GET /posts.json` shows the forum's newest 50 posts, and those with an id below `before` (docs.discourse.org, "List
latest posts across topics"); older versions show what is readable among 50 ids instead, which may be nothing. What it
shows is what the account may read: without one, what everybody may. Its limits stand in _discourse_api.py, the webhooks
in _discourse_hooks.py. No delays between attempts are documented.

A webhook is told at once, of edits and deletions too, and only a forum's admin can set one up. Looking finds what a
webhook lost, notices edits among the newest 50 posts only, and no deletion: the Rechecker asks for those.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import ClassVar, NamedTuple

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, field_validator, model_validator

from connectors._aside import Stopping, aside, resting
from connectors._discourse_api import Account, Api, Declined
from connectors._discourse_hooks import KEEP_BYTES, Webhook, endpoint
from connectors._discourse_posts import Post, Reader, latest
from connectors._discourse_reply import Answers, Reply
from connectors._gone import gone
from connectors._inbox import Inbox
from connectors._pushed import Endpoint, Pushed, hear
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention, Removal
from pipeline.ports import Backoff, Context, Gap, Page, Rejection, Settings

log = structlog.get_logger(__name__)

PAGE = 50
"""Posts in one answer, or ids it looks at."""
DEEPEST = 5_000
"""Posts that are read back at most after a pause: 100 requests."""
_RESERVE = 5
"""Requests a minute that looking leaves for checks with the same key."""
_REMEMBERED = 5_000
_NOWHERE = (0, 0)
_AWAY_SECS = 300.0
_CHECKS = 0.4
"""The part of what the forum allows that may be spent on asking what became of posts."""
"""Silence after which a resumed forum is told as a gap that reading back has filled."""


class Config(Settings):
    """Settings of the Discourse connector.

    url            the forum's address
    account        who reads (username, api_key, user_key); left out, nobody: what everybody may read
    reply          who answers (the same settings, and private_pictures); left out, nobody does
    webhook        where the forum's webhooks arrive (secret, host, port, path); left out, there are none
    categories     ids of the categories that are taken, subcategories named one by one; left out, all
    brand          given to every mention: for a brand's own forum
    poll_secs      between two looks at the newest posts; 0: never, only webhooks
    backfill       posts that are taken on the first start
    timeout_secs   to wait for an answer of the forum
    message_title  the title of a private message
    """

    url: str = Field(
        pattern=r"^(https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^?#\s]*)?$", max_length=300
    )
    account: Account | None = None
    reply: Reply | None = None
    webhook: Webhook | None = None
    categories: tuple[int, ...] = Field(default=(), max_length=200)
    brand: str | None = None
    poll_secs: float = Field(default=60, ge=0)
    backfill: int = Field(default=PAGE, ge=0, le=DEEPEST)
    timeout_secs: float = Field(default=15, gt=0, le=60)
    message_title: str = Field(default="About your post", min_length=2, max_length=200)

    @field_validator("url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @model_validator(mode="after")
    def _hears_something(self) -> Config:
        if not self.poll_secs and self.webhook is None:
            raise ValueError("with poll_secs 0 there must be a webhook, or nothing is heard")
        return self


class Replier(Answers):
    """Answers as the account in `reply` (`_discourse_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        api = Api(config.url, config.reply, config.timeout_secs, context.clock)
        forum = Reader(config.url, context.name, config.brand).forum
        super().__init__(config.reply, api, forum, config.message_title, context.clock)


class _Mark(Struct, omit_defaults=True):
    """How far the forum was read: the id and the time of its newest post, and when it last answered; times are seconds
    since 1970. While it is read back: `below` which id to go on, how many posts are `left` to be read, and the newest
    post (`top`) that will be known in the end."""

    newest: int = 0
    written: float = 0.0
    asked: float = 0.0
    below: int = 0
    left: int = 0
    top: int = 0
    top_written: float = 0.0


class _Known(NamedTuple):
    """A post as it was passed on: its wording, and where it stood."""

    wording: str
    place: tuple[int, int]


class Connector:
    """Listens and looks for ever; the cursor is JSON, how far the looking came."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # Discourse documents none. A rebuild of a forum takes it away for some minutes.
        "network": Backoff(first=5, factor=2, cap=300),
        "http": Backoff(first=15, factor=2, cap=600),
        "rate_limited": Backoff(first=60, factor=2, cap=3600),
        "silent": Backoff(first=15, factor=2, cap=300),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._name = context.name
        self._reader = Reader(config.url, context.name, config.brand)
        self._api = Api(config.url, config.account, config.timeout_secs, context.clock)
        self._seen: OrderedDict[int, _Known] = OrderedDict()
        self._mark = _Mark()
        self._pushed = Pushed("discourse", config.webhook, self._receive)

    @property
    def port(self) -> int | None:
        """Where webhooks arrive; None when nobody listens."""
        return self._pushed.port

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is pushed and what is new; from None, the forum's newest `backfill` posts first."""
        mark = self._load(cursor)
        if mark != self._mark:
            self._seen.clear()  # what was remembered went with another place
        self._mark = mark
        try:
            with self._pushed as pushed:
                yield from hear(pushed, self._walk, self._config.poll_secs, self._clock)
        except Stopping:
            return
        except Declined as refusal:
            raise self._refused(refusal) from None
        finally:
            self._api.close()

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept post."""
        if len(payload) >= KEEP_BYTES:
            raise BadItem(f"the post was cut at {KEEP_BYTES:,} bytes when it was rejected")
        return [self._reader.item(self._reader.read(payload), self._clock.now())]

    def _receive(self, webhook: Webhook, inbox: Inbox) -> Endpoint:
        return endpoint(webhook, self._reader, self._wanted, inbox, self._clock.now)

    def _wanted(self, post: Post) -> bool:
        return not self._config.categories or post.category_id in self._config.categories

    # -------------------------------------------------------------------------------------------------- looking

    def _walk(self) -> Generator[Page, None, None]:
        """The forum from its newest post, or from where that was interrupted, back to what is known."""
        mark, now = self._mark, self._clock.now()
        start, oldest = mark, now
        if not mark.below:
            left = DEEPEST if mark.asked else self._config.backfill
            mark = replace(mark, left=left, top=mark.newest, top_written=mark.written)
        while True:
            posts, items, seen = self._shaped((yield from self._ask(mark.below)), mark.left)
            if posts:
                top = max(posts, key=lambda post: post.id)
                if top.id > mark.top:
                    mark = replace(mark, top=top.id, top_written=top.created_at.timestamp())
                oldest = min(oldest, *(post.created_at.astimezone(UTC) for post in posts))
            # An older forum shows the post `before` again, and nothing where among 50 ids none can be read.
            lowest = min((post.id for post in posts if not mark.below or post.id < mark.below), default=0)
            below = lowest or (mark.below - PAGE if mark.below and mark.newest else 0)
            mark = replace(mark, below=below, left=mark.left - (len(posts) or PAGE))
            met = below <= mark.newest
            if met or mark.left <= 0:
                break
            self._mark = mark
            yield self._page(items)
            self._remember(seen)
        gaps = self._gaps(start, met, oldest, now) if start.asked else []
        self._mark = _Mark(mark.top, mark.top_written, now.timestamp())
        yield self._page(items, gaps)
        self._remember(seen)

    def _page(self, items: Sequence[Item | Rejection], gaps: Sequence[Gap] = ()) -> Page:
        return Page(items, msgspec.json.encode(self._mark).decode(), gaps, usage=self._api.pace.usage)

    def _ask(self, before: int) -> Generator[Page, None, Sequence[bytes]]:
        yield from resting(self._api.pace.ready_in(_RESERVE), self._clock)
        if self._clock.stopping:
            raise Stopping
        params = {"before": str(before)} if before else {}
        answer: object = yield from aside(lambda: self._api.get("posts.json", params), self._clock)
        try:
            return latest(answer)
        except BadItem as error:
            raise SourceUnavailable(f"{self._reader.forum}: {error}", trouble="http") from error

    def _shaped(self, raws: Sequence[bytes], left: int) -> tuple[list[Post], list[Item | Rejection], dict[int, _Known]]:
        """The posts that can be read, what is new or changed of them, oldest first, and what to remember of it once it
        is durable."""
        posts: list[Post] = []
        items: list[Item | Rejection] = []
        marks: dict[int, _Known] = {}
        for number, raw in reversed(list(enumerate(raws))):
            try:
                post = self._reader.read(raw)
                posts.append(post)
                if number >= left or not (post.public and self._wanted(post)):
                    continue
                place, known = (post.topic_id, post.post_number), self._seen.get(post.id)
                wording = "gone" if post.gone else _digest(post)
                if known == (wording, place) or (known is None and post.gone):
                    continue
                if known is not None and known.place not in (place, _NOWHERE):
                    items.append(self._reader.removal(*known.place, self._clock.now()))
                marks[post.id] = _Known(wording, place)
                items.append(self._reader.item(post, self._clock.now(), edited=known is not None))
            except BadItem as error:
                key = _number_in(raw)
                if key not in self._seen:
                    items.append(Rejection(raw[:KEEP_BYTES], f"post {key} of {self._reader.forum}", str(error)))
                    marks[key] = _Known("bad", _NOWHERE)
        return posts, items, marks

    def _remember(self, marks: Mapping[int, _Known]) -> None:
        # Only now is the page durable: what was remembered before would be lost as known if it were not.
        for key, known in marks.items():
            self._seen[key] = known
            self._seen.move_to_end(key)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _gaps(self, mark: _Mark, met: bool, oldest: datetime, now: datetime) -> list[Gap]:
        asked = datetime.fromtimestamp(mark.asked, UTC)
        if not met:
            since = datetime.fromtimestamp(mark.written or mark.asked, UTC)
            note = f"only the newest {DEEPEST:,} posts were read back"
            return [Gap(since, max(since, oldest), f"{self._reader.forum} had more posts than that", note=note)]
        if (now - asked).total_seconds() > max(_AWAY_SECS, 3 * self._config.poll_secs):
            return [Gap(asked, now, f"{self._reader.forum} was not read", repaired=True, note="read back since")]
        return []

    def _refused(self, refusal: Declined) -> Exception:
        if refusal.status in (401, 403):
            return SourceRefused(
                f"{self._reader.forum} does not show its posts to this account: {refusal.words}; "
                f"look at sources.{self._name}.account"
            )
        if refusal.status in (301, 302, 303, 307, 308, 404, 410):
            return SourceRefused(
                f"{self._reader.forum} has no posts.json ({refusal.status}); look at sources.{self._name}.url"
            )
        return SourceUnavailable(f"{self._reader.forum} answered {refusal.status}: {refusal.words}", trouble="http")

    def _load(self, cursor: str | None) -> _Mark:
        try:
            return msgspec.json.decode(cursor or "{}", type=_Mark)
        except msgspec.MsgspecError:
            log.warning("the saved cursor cannot be read: starting with the backfill", via=self._name)
            return _Mark()


class Rechecker:
    """Asks for posts one by one (`GET /posts/ID.json`): what is gone, hidden, moved or reworded since. A call that
    meets the forum's limit leaves the rest for another time."""

    source = "discourse"
    batch: ClassVar[int] = 5

    def __init__(self, config: Config, context: Context) -> None:
        self._api = Api(config.url, config.account or config.reply, config.timeout_secs, context.clock)
        self.per_hour = self._api.an_hour * _CHECKS
        self._reader = Reader(config.url, context.name, config.brand)
        self._clock = context.clock

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals, rewordings, and posts that were moved under their new id."""
        items: list[Item] = []
        asked = 0
        for mention in mentions:
            post = mention.reply_ref.get("post", "")
            if mention.source != self.source or not post.isdecimal():
                continue
            if not mention.native_id.startswith(f"{self._reader.forum}/"):
                continue
            if asked and self._api.pace.ready_in():
                break
            asked += 1
            items += self._became(mention, post)
        return items

    def _became(self, mention: Mention, post: str) -> list[Item]:
        now = self._clock.now()
        try:
            found = self._reader.read(msgspec.json.encode(self._api.get(f"posts/{post}.json")))
            item = self._reader.item(found, now, edited=True)
        except Declined as refusal:
            if refusal.status in (404, 410):
                return [gone(mention, now)]
            if refusal.status == 401:
                raise SourceRefused(f"{self._reader.forum} does not accept the account: {refusal.words}") from None
            return []  # 403: it may have become private, or the account has lost a right; that cannot be told
        except BadItem:
            return []  # it is there; what it says cannot be told
        if isinstance(item, Removal):
            return [gone(mention, now)]
        if item.id != mention.id:
            return [gone(mention, now), item]
        if item.text == mention.text:
            return []
        return [replace(mention, text=item.text, edited_at=item.edited_at or now)]


def _digest(post: Post) -> str:
    words = f"{post.topic_title if post.post_number == 1 else ''}\0{post.raw or post.cooked}"
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _number_in(raw: bytes) -> int:
    """A number for a post that cannot be read: its id where it has one, else one made of its bytes."""
    try:
        found = msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        found = None
    id = found.get("id") if isinstance(found, dict) else None
    return id if isinstance(id, int) else -int.from_bytes(blake2b(raw, digest_size=6).digest(), "big")
