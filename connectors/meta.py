"""Facebook pages, Instagram accounts and Threads profiles: what is said there and about them, pushed by Meta.

One source is one network, because each has a callback address, ids and lengths of its own. The webhooks stand in
_meta_hooks.py, what they say in _meta_events.py, the Graph API with its limits in _meta_graph.py. A change is answered
when it is durable, and Meta sends what was not answered again for 36 hours, less and less often: what is older than
half of that when we are back may not come again, and is a gap, which is read back where Meta allows it (_meta_back.py).
Instagram tells of no deletion: the Rechecker asks for those, and for whatever a webhook lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, field_validator

from connectors._aside import Stopping, aside
from connectors._gone import gone
from connectors._inbox import Inbox
from connectors._listener import BACKOFF, IDLE_SECS, PAGE_ITEMS, listening
from connectors._meta_back import POSTS, Back
from connectors._meta_events import Reader
from connectors._meta_graph import HOSTS, VERSIONS, Account, Declined, Graph, Network, is_id
from connectors._meta_hooks import Hooks, again
from connectors._meta_reply import Answers, Reply
from pipeline.errors import SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention
from pipeline.ports import Backoff, Context, Gap, Page, Settings, Usage
from pipeline.posting import SigningSecret

log = structlog.get_logger(__name__)

REDELIVERED = timedelta(hours=36)
"""For so long Meta sends again what was not answered, "with decreasing frequency" (Webhooks, Event Notifications)."""
_CERTAIN = REDELIVERED / 2
"""At this age it comes once more for certain where pauses no more than double: the last time is in the second half."""
_CHECKS_AN_HOUR: Mapping[Network, float] = {"facebook": 100.0, "instagram": 100.0, "threads": 2_200 / 24 / 2}
"""Half of what is allowed: 2,200 queries in 24 hours at Threads, else 4,800 in 24 hours for each account, times the
people who engage with it (Graph API, Rate Limits), of whom there is one at least."""
_SAVED_SECS = 60.0
_QUOTA_SECS = 3_600.0
_REPLIES_A_DAY = "replies in 24 hours"


class Config(Settings):
    """Settings of the Meta connector.

    network               `facebook`, `instagram` or `threads`
    accounts              the pages, accounts or profiles (id, access_token)
    app_secret            the app's secret, which signs the webhooks
    verify_token          the token given to Meta with the address, at least 16 characters
    brand                 given to every mention
    host, port, path      where the webhooks arrive; port 0 takes a free one
    max_body_bytes        a longer request is answered 413
    durable_timeout_secs  after so long without durability a request is answered 503, to be sent again
    timeout_secs          to wait for an answer of the Graph API
    api_version           of the Graph API; left out, v24.0, of Threads v1.0
    api_base              where the API is; left out, the network's own
    reply                 that this source answers (private_pictures); left out, it does not
    """

    network: Network
    accounts: tuple[Account, ...] = Field(min_length=1, max_length=200)
    app_secret: SigningSecret
    verify_token: SigningSecret
    brand: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8648, ge=0, le=65535)
    path: str = Field(default="/meta", pattern=r"^/[^{}?#\s]*$")
    max_body_bytes: int = Field(default=4_000_000, ge=1, le=16_000_000)
    durable_timeout_secs: float = Field(default=8, gt=0, le=60)
    timeout_secs: float = Field(default=5, gt=0, le=60)
    api_version: str | None = Field(default=None, pattern=r"^v\d{1,3}\.\d$")
    api_base: str | None = Field(
        default=None, pattern=r"^(https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)$", max_length=200
    )
    reply: Reply | None = None

    @field_validator("accounts")
    @classmethod
    def _sendable(cls, accounts: tuple[Account, ...]) -> tuple[Account, ...]:
        for account in accounts:
            token = account.access_token.get_secret_value()
            if not token.isascii() or not token.isprintable() or " " in token:
                raise ValueError(f"the access token of account {account.id} is not one word of printable ASCII")
        return accounts

    @property
    def ids(self) -> list[str]:
        """The accounts' ids."""
        return [account.id for account in self.accounts]


def _graph(config: Config, context: Context) -> Graph:
    base = f"{config.api_base or HOSTS[config.network]}/{config.api_version or VERSIONS[config.network]}"
    return Graph(
        config.network,
        base,
        config.accounts,
        config.app_secret,
        config.verify_token,
        config.timeout_secs,
        context.clock,
    )


class Replier(Answers):
    """Answers as the account a mention came to (`_meta_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, config.network, config.ids, _graph(config, context), context.clock)


class _Cursor(Struct):
    """Until when Meta's webhooks were answered, in seconds since 1970."""

    answered: float = 0.0


class Connector:
    """Listens while its pages are read; the cursor says until when. `port` is the port it listens on, None when it does
    not."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = BACKOFF

    def __init__(self, config: Config, context: Context) -> None:
        self.port: int | None = None
        self._config = config
        self._clock = context.clock
        self._name = context.name
        self._reader = Reader(config.network, config.ids, context.name, config.brand)
        self._graph = _graph(config, context)
        self._quota: Usage | None = None

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What Meta sends; what was not answered while nobody listened, it sends again."""
        config, clock = self._config, self._clock
        inbox = Inbox(config.durable_timeout_secs)
        hooks = Hooks(self._reader, self._graph, inbox, config.app_secret, config.verify_token, clock)
        app = hooks.app(config.path, config.max_body_bytes, config.durable_timeout_secs)
        quota_due = saved = clock.monotonic()
        try:
            with listening("meta", app, inbox, config.host, config.port) as server:
                self.port = server.port
                log.info("listening for Meta's webhooks", network=config.network, host=config.host, port=server.port)
                gap = self._gap(cursor)
                yield Page(cursor=None if gap else self._cursor(), heard=False)
                if gap is not None:
                    yield from self._read_back(gap, inbox)
                while not clock.stopping:
                    if not server.thread.is_alive():
                        raise SourceUnavailable("the listener stopped")
                    if hooks.refused is not None:
                        raise SourceRefused(f"{hooks.refused}; look at sources.{self._name}.accounts")
                    if config.network == "threads" and clock.monotonic() >= quota_due:
                        quota_due = clock.monotonic() + _QUOTA_SECS
                        yield from self._ask_quota()
                    requests = inbox.take(PAGE_ITEMS, IDLE_SECS)
                    due = bool(requests) or clock.monotonic() - saved >= _SAVED_SECS
                    saved = clock.monotonic() if due else saved
                    yield Page(
                        [item for request in requests for item in request.items],
                        cursor=self._cursor() if due else None,
                        heard=bool(requests),
                        usage=self._usage() if due else (),
                    )
                    inbox.durable(requests)
        except Stopping:
            return
        finally:
            self.port = None
            self._graph.close()

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept change."""
        return [again(payload, self._reader, self._clock)]

    def _cursor(self) -> str:
        return msgspec.json.encode(_Cursor(self._clock.now().timestamp())).decode()

    def _gap(self, cursor: str | None) -> Gap | None:
        if cursor is None:
            return None
        try:
            since = datetime.fromtimestamp(msgspec.json.decode(cursor, type=_Cursor).answered, UTC)
        except (msgspec.MsgspecError, ValueError, OverflowError, OSError):
            since = datetime.fromtimestamp(0, UTC)
        if since.year < 2000:
            log.warning("the saved cursor cannot be read: whether something was missed is not known", via=self._name)
            return None
        until = self._clock.now() - _CERTAIN
        if since >= until:
            return None
        return Gap(
            since, until, "nobody answered Meta's webhooks", note="Meta sends again for 36 hours, less and less often"
        )

    def _read_back(self, gap: Gap, inbox: Inbox) -> Generator[Page, None, None]:
        """Fill the gap as far as can be; what is pushed meanwhile goes on. The cursor moves on with the last page."""
        back = Back(self._graph, self._reader, self._clock)
        try:
            for account in self._config.ids if back.can else ():
                for page in back.read(account, gap.since, gap.until):
                    yield page
                    if requests := inbox.take(PAGE_ITEMS, 0):
                        yield Page([item for request in requests for item in request.items])
                        inbox.durable(requests)
            if back.can:
                gap = dataclasses.replace(gap, repaired=True, note=f"the newest {POSTS} posts were looked through")
        except (SourceUnavailable, Declined) as error:
            gap = dataclasses.replace(gap, note=f"reading back failed: {error}"[:300])
        yield Page(cursor=self._cursor(), gaps=[gap], heard=False, usage=self._usage())

    def _usage(self) -> Sequence[Usage]:
        return (*self._graph.usage, *([self._quota] if self._quota is not None else ()))

    def _ask_quota(self) -> Generator[Page, None, None]:
        """How many of the replies of 24 hours the first profile has used (Threads, Retrieve Publishing Quota Limit)."""
        account = self._config.accounts[0].id
        fields = "reply_quota_usage,reply_config"
        try:
            answer = yield from aside(
                lambda: self._graph.get(account, f"{account}/threads_publishing_limit", fields=fields), self._clock
            )
        except (SourceUnavailable, Declined) as error:
            log.warning("how many replies are left is not told", via=self._name, reason=str(error))
            return
        self._quota = _quota(answer) or self._quota


def _quota(answer: Mapping[str, object]) -> Usage | None:
    data = answer.get("data")
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    config = first.get("reply_config")
    used = first.get("reply_quota_usage")
    limit = config.get("quota_total") if isinstance(config, dict) else None
    return Usage(_REPLIES_A_DAY, used, limit) if isinstance(used, int) and isinstance(limit, int) else None


class Rechecker:
    """Asks what became of comments and posts, one by one: what is gone or was reworded. Gone is what is not there while
    the account still sees its own posts' comments: Meta says the same of what a token may no longer see."""

    batch: ClassVar[int] = 10

    def __init__(self, config: Config, context: Context) -> None:
        self.source: str = config.network
        self.per_hour = _CHECKS_AN_HOUR[config.network] * (1 if config.network == "threads" else len(config.accounts))
        self._ids = config.ids
        self._graph = _graph(config, context)
        self._clock = context.clock
        self._words = "message" if config.network == "facebook" else "text"
        self._seen: Mapping[str, str] = {"facebook": "feed", "instagram": "media", "threads": "threads"}
        self._below = "comments.limit(1){id}" if config.network != "threads" else "id"

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals and rewordings; nothing of what others said elsewhere, which only webhooks show."""
        items: list[Item] = []
        sees: dict[str, bool] = {}
        for mention in mentions:
            account, id = mention.reply_ref.get("account", ""), mention.reply_ref.get("id", "")
            if mention.source != self.source or account not in self._ids or not is_id(id):
                continue
            if mention.reply_ref.get("theirs") == "yes":
                continue
            try:
                found = self._graph.get(account, id, fields=f"id,{self._words}")
            except Declined as refusal:
                if refusal.token:
                    raise SourceRefused(f"Meta does not take the access token of account {account}") from None
                if refusal.gone:
                    if account not in sees:
                        sees[account] = self._sees(account)
                    items += [gone(mention, self._clock.now())] if sees[account] else []
                continue
            text = found.get(self._words)
            if isinstance(text, str) and text.strip() and text != mention.text:
                items.append(replace(mention, text=text, edited_at=self._clock.now()))
        return items

    def _sees(self, account: str) -> bool:
        try:
            self._graph.get(account, f"{account}/{self._seen[self.source]}", fields=f"id,{self._below}", limit="1")
        except Declined:
            return False
        return True
