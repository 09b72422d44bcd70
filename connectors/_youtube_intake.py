"""What an answer of YouTube's brings that was not passed on yet, and which threads have more to be asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from connectors._youtube_items import Reader, Thread, Where, comment, thread, video
from connectors._youtube_watch import Growth, Watch
from pipeline.errors import BadItem
from pipeline.mention import Item, Mention
from pipeline.ports import Clock, Rejection

_KEEP_BYTES = 65_536
_REMEMBERED = 20_000


@dataclass
class Taken:
    """What one page brings; `marks` is to be remembered once it is durable."""

    items: list[Item | Rejection] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)


class Intake:
    """Shapes what is new or was changed; what was passed on is known by its id and the time of its wording."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._seen: OrderedDict[str, str] = OrderedDict()

    def knows(self, id: str) -> bool:
        """Whether it was passed on, as far as is remembered."""
        return id in self._seen

    def threads(self, found: Sequence[Any], watch: Watch, pages: int, most: int) -> Taken:
        """Threads with the replies that came with them, oldest first. Those with more go on the watch's list, to be
        read on so many pages at most; `most` threads are kept."""
        taken = Taken()
        for one in reversed(found):
            try:
                read = thread(one)
            except BadItem as error:
                self._refuse(one, error, taken)
                continue
            where, total = replace(read.where, title=watch.title(read.where.video)), read.snippet.totalReplyCount
            if not self._add(one, partial(self._opening, read, where.title), taken):
                continue
            for reply in read.replies.comments:
                self._add(reply, partial(self._comment, reply, where), taken)
            if total <= len({str(reply.get("id")) for reply in read.replies.comments}):
                watch.counted(where.thread, total, most)
            else:
                watch.grow(Growth(where, total, pages), most)
        return taken

    def replies(self, found: Iterable[Any], where: Where) -> Taken:
        """Replies of one thread."""
        taken = Taken()
        for one in found:
            self._add(one, partial(self._comment, one, where), taken)
        return taken

    def videos(self, found: Iterable[Any]) -> Taken:
        """Videos."""
        taken = Taken()
        for one in found:
            self._add(one, partial(self._video, one), taken)
        return taken

    def remember(self, marks: Mapping[str, str]) -> None:
        """The page is durable: what was remembered before would be lost as known if it were not."""
        for key, stamp in marks.items():
            self._seen[key] = stamp
            self._seen.move_to_end(key)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def forget(self) -> None:
        """Know nothing."""
        self._seen.clear()

    def _opening(self, read: Thread, title: str) -> Mention:
        return self._reader.opening(read, title, self._clock.now())

    def _comment(self, resource: Any, where: Where) -> Mention:
        return self._reader.comment(comment(resource), where, self._clock.now())

    def _video(self, resource: Any) -> Mention:
        return self._reader.video(video(resource), self._clock.now())

    def _add(self, resource: Any, shape: Callable[[], Mention], taken: Taken) -> bool:
        """Add what a resource says, unless it was passed on in these words; whether it could be read."""
        try:
            item = shape()
        except BadItem as error:
            self._refuse(resource, error, taken)
            return False
        stamp = str(item.edited_at or "")
        if self._seen.get(item.native_id) != stamp:
            taken.items.append(item)
            taken.marks[item.native_id] = stamp
        return True

    def _refuse(self, resource: Any, error: BadItem, taken: Taken) -> None:
        key = str(resource.get("id") or "without an id")[:100] if isinstance(resource, dict) else "that is none"
        if self._seen.get(key) != "bad":
            payload = msgspec.json.encode(resource)[:_KEEP_BYTES]
            taken.items.append(Rejection(payload, f"the resource {key}", str(error)))
            taken.marks[key] = "bad"
