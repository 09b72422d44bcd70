"""What happens to cases, or to incidents, as it happens: server-sent events, resumable by the id of the last one that
was seen.

One reader of each feed serves all streams of a process. A stream that is not taken fast enough is ended, as is one
whose session or token has ended: its client comes back with `Last-Event-ID` and has missed nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, NamedTuple, Protocol

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from console.api.auth import Caller, needs, still
from console.api.problems import Refused
from console.api.schemas import V1, Asked, Line
from console.api.services import Given, Services
from desk.case_records import Happening
from desk.feed import START, Feed, Place, place
from desk.refusals import Unfit
from desk.roles import Action
from pipeline.errors import StoreUnavailable
from pipeline.ports import Clock
from spikes.feed import Change, IncidentFeed

log = structlog.get_logger(__name__)

POLL_SECS = 1.0
"""How often the feed is read while anybody listens, whoever and however many they are."""

PING_SECS = 15
"""A comment so often, that nobody on the way takes a quiet stream for a dead one."""

SEND_SECS = 30.0
"""A client that takes nothing for so long is gone."""

CHECK_SECS = 60.0
"""How often a stream looks whether its caller is still one."""

BUFFER = 1000
"""Events that may wait for one client."""

PAGE = 500
"""Events read at a time."""

STREAMS = 1000
"""Streams of cases of one process, and as many of incidents; a further one is told to come again."""

SHOWN = ("due", "until", "owner", "user", "draft", "alarm", "priority", "lead", "wrong_route")
"""What is told of an event besides its kind: who and when, never a word that anybody wrote."""

router = APIRouter(prefix=V1, tags=["events"])


class Wanted(Asked):
    """Which events. `queue`: of cases that are in it now, and every transfer, since it may have been its own. `after`
    is an event's id, for who cannot send `Last-Event-ID`. `incidents`: of incidents, and of no case."""

    queue: Line | None = None
    case: Line | None = None
    incidents: bool = False
    after: Line | None = None

    @property
    def needs(self) -> Action:
        """Who listens may do this."""
        return "incidents.read" if self.incidents else "cases.read"


class News(Protocol):
    """One event as it goes out."""

    @property
    def place(self) -> Place:
        """Where it stands among the events of its feed."""

    def fits(self, wanted: Wanted) -> bool:
        """Whether it was asked for."""

    def message(self) -> ServerSentEvent:
        """On the wire."""


@dataclass(frozen=True)
class IncidentNews:
    """One event of an incident."""

    place: Place
    change: Change

    def fits(self, wanted: Wanted) -> bool:
        """Whether it was asked for."""
        return wanted.incidents

    def message(self) -> ServerSentEvent:
        """On the wire."""
        it = self.change
        data: dict[str, Any] = {
            "id": it.incident,
            "kind": it.kind,
            "severity": it.severity,
            "state": it.state,
            "brand": it.brand,
        }
        data |= {"number": it.number, "change": it.what, "at": it.at.isoformat(), "actor": it.actor}
        name = "incident.opened" if it.what == "opened" else "incident.changed"
        return ServerSentEvent(json.dumps(data, ensure_ascii=False), event=name, id=str(self.place))


@dataclass(frozen=True)
class CaseNews:
    """One event of a case; `queue` is where its case is now."""

    place: Place
    happening: Happening
    queue: str | None

    def fits(self, wanted: Wanted) -> bool:
        """Whether it was asked for."""
        if wanted.case is not None and self.happening.case != wanted.case:
            return False
        return wanted.queue in (None, self.queue) or self.happening.event.kind == "transferred"

    def message(self) -> ServerSentEvent:
        """On the wire."""
        event = self.happening.event
        data: dict[str, Any] = {"case": self.happening.case, "number": self.happening.number, "kind": event.kind}
        data |= {"at": event.at.isoformat(), "actor": event.actor, "queue": self.queue}
        for name in SHOWN:
            value = getattr(event, name, None)
            if value is not None:
                data[name] = value.isoformat() if hasattr(value, "isoformat") else value
        return ServerSentEvent(json.dumps(data, ensure_ascii=False), event=event.kind, id=str(self.place))


@dataclass(eq=False)
class Listener:
    """One stream: what happens after `since` comes to it."""

    since: Place
    send: MemoryObjectSendStream[News]
    receive: MemoryObjectReceiveStream[News]


class Source(NamedTuple):
    """A feed: its end, and the next page of events beyond a place."""

    end: Callable[[], Place]
    after: Callable[[Place], Sequence[News]]


class Hub:
    """Reads a feed once and tells everybody who listens. `run` is one task of the application; until somebody
    listens it reads nothing. It ends all streams when the clock is stopped."""

    def __init__(self, source: Source, clock: Clock, poll_secs: float = POLL_SECS, buffer: int = BUFFER) -> None:
        self.source = source
        self._clock = clock
        self._poll_secs = poll_secs
        self._buffer = buffer
        self._place = START
        self._listeners: set[Listener] = set()
        self._lock = anyio.Lock()

    async def run(self) -> None:
        """Until cancelled or stopped."""
        try:
            while not self._clock.stopping:
                try:
                    await self.tell()
                except Exception as error:
                    log.error("events cannot be read; every stream is ended", error=type(error).__name__)
                    self._end()
                await anyio.sleep(self._poll_secs)
        finally:
            self._end()

    async def tell(self) -> None:
        """Read what is new and pass it on; while the store does not answer, nothing is new."""
        async with self._lock:
            while self._listeners:
                try:
                    page = await run_sync(self.source.after, self._place)
                except StoreUnavailable as error:
                    log.warning("events are late: the store does not answer", reason=str(error))
                    return
                for told in page:
                    self._pass_on(told)
                    self._place = told.place
                if len(page) < PAGE:
                    return

    async def join(self) -> Listener:
        """Listen to what happens from now on; to be left again."""
        if self._clock.stopping or len(self._listeners) >= STREAMS:
            raise Refused(503, "no further stream can be opened: try again", {"Retry-After": "5"})
        async with self._lock:
            if not self._listeners:
                self._place = await run_sync(self.source.end)
            send, receive = anyio.create_memory_object_stream[News](self._buffer)
            listener = Listener(self._place, send, receive)
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Tell it nothing more; what it was told already, it may still take."""
        self._listeners.discard(listener)
        listener.send.close()

    def _end(self) -> None:
        for listener in list(self._listeners):
            self.leave(listener)

    def _pass_on(self, told: News) -> None:
        for listener in list(self._listeners):
            try:
                listener.send.send_nowait(told)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                self.leave(listener)


def read(feed: Feed, after: Place) -> list[CaseNews]:
    """The next page of events, each with the queue its case is in."""
    page = feed.after(after, PAGE)
    queues = feed.queues({it.case for _, it in page})
    return [CaseNews(at, it, queues.get(it.case)) for at, it in page]


def of_cases(feed: Feed) -> Source:
    """What happens to cases."""
    return Source(feed.end, lambda after: read(feed, after))


def of_incidents(feed: IncidentFeed) -> Source:
    """What happens to incidents."""
    return Source(feed.end, lambda after: [IncidentNews(at, it) for at, it in feed.after(after, PAGE)])


class Hubs:
    """The hubs of a process."""

    def __init__(self, given: Services) -> None:
        self.cases = Hub(of_cases(given.feed), given.clock)
        self.incidents = Hub(of_incidents(IncidentFeed(given.database, given.clock)), given.clock)

    async def run(self) -> None:
        """Both, until cancelled or stopped."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.cases.run)
            tasks.start_soon(self.incidents.run)


@dataclass
class Stream:
    """One client's stream: first what it missed, from the store, then what happens."""

    given: Services
    hub: Hub
    me: Caller
    wanted: Wanted
    after: Place | None
    listener: Listener = field(init=False)

    async def open(self) -> None:
        """Begin to listen, before the answer begins: what cannot be is an error still."""
        self.listener = await self.hub.join()

    async def messages(self) -> AsyncIterator[ServerSentEvent]:
        """What it is told, until there is no more."""
        async for told in self._all():
            if told.fits(self.wanted):
                yield told.message()

    def close(self) -> None:
        """Listen no more."""
        self.hub.leave(self.listener)
        self.listener.receive.close()

    async def _all(self) -> AsyncIterator[News]:
        at = self.after
        while at is not None and at < self.listener.since:
            try:
                page = await run_sync(self.hub.source.after, at)
            except StoreUnavailable:
                return
            if not page:
                break
            for told in page:
                if told.place <= self.listener.since:
                    yield told
            at = page[-1].place
        check_at = anyio.current_time() + CHECK_SECS
        while True:
            told_now: News | None = None
            with anyio.move_on_after(check_at - anyio.current_time()):
                try:
                    told_now = await self.listener.receive.receive()
                except anyio.EndOfStream:
                    return
            if told_now is not None and (self.after is None or told_now.place > self.after):
                yield told_now
            if anyio.current_time() >= check_at:
                if not await run_sync(self._welcome):
                    return
                check_at = anyio.current_time() + CHECK_SECS

    def _welcome(self) -> bool:
        try:
            now = still(self.given, self.me)
        except StoreUnavailable:
            return False  # who comes back is asked again
        return now is not None and now.may(self.wanted.needs)


class Answer(EventSourceResponse):
    """A stream as an answer; however it ends, nobody listens any more."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(
            stream.messages(),
            ping=PING_SECS,
            send_timeout=SEND_SECS,
            ping_message_factory=partial(ServerSentEvent, comment=""),
        )
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("a stream was ended: its client takes nothing")
        finally:
            self._stream.close()


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"description": "A stream that ends when it must.", "content": {"text/event-stream": {}}}},
)
async def events(
    request: Request,
    me: Annotated[Caller, needs()],
    given: Given,
    wanted: Annotated[Wanted, Query()],
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> EventSourceResponse:
    """What happens to cases (which needs `cases.read`) or to incidents (`incidents.read`), from now on or after the
    event named. Each has an id, its kind as the event's name, and data as JSON."""
    me.require(wanted.needs)
    if wanted.incidents and (wanted.queue or wanted.case):
        raise Unfit("incidents", "stands in place of queue and case")
    seen = last_event_id or wanted.after
    hubs: Hubs = request.app.state.hub
    hub = hubs.incidents if wanted.incidents else hubs.cases
    stream = Stream(given, hub, me, wanted, place(seen) if seen else None)
    await stream.open()
    return Answer(stream)
