"""How many requests a platform still takes from us: what it documents is counted here, what it says is believed.

Counted are the requests of this object in windows that slide with the clock, so that no window of that length, wherever
it begins, ever holds more than is allowed. Other processes with the same key are seen only in what the platform says.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors._http import retry_after
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock, Usage

_INSTANT = 1e-6
"""Less than so many seconds is no wait, but what rounding left of one that is over."""

LONGEST_WAIT_SECS = 24 * 3_600.0
"""Nobody's word makes us wait longer than this."""


@dataclass(frozen=True)
class Window:
    """`requests` in any `seconds`; `unit` is the name under which its use is told, another one for every window."""

    requests: int
    seconds: float
    unit: str = "requests"


class Pace:
    """A budget of requests in several windows at once. For one thread at a time.

    Ask `ready_in` (or `claim`) before a request, call `spent` when it is made, and hand `heard` or `told` what the
    answer said.
    """

    def __init__(self, clock: Clock, *windows: Window) -> None:
        if len({window.unit for window in windows}) < len(windows):
            raise ValueError("two windows of one unit could not be told apart")
        self._clock = clock
        self._made: dict[Window, deque[float]] = {window: deque() for window in windows}
        self._closed_until = float("-inf")
        self._said: dict[str, _Said] = {}

    def ready_in(self, reserve: int = 0) -> float:
        """Seconds until the next request is allowed, 0 for now. `reserve` requests of every window are left to others
        (answers, checks), a quarter of it at most."""
        now = self._clock.monotonic()
        waits = [self._closed_until - now]
        for window, made in self._windows():
            most = window.requests - min(reserve, window.requests // 4)
            if len(made) >= most:
                waits.append(made[len(made) - most] + window.seconds - now)
        for said in self._current():
            if said.remaining <= min(reserve, (said.limit or 0.0) // 4):
                waits.append(said.until - now)
        wait = min(max(0.0, *waits), LONGEST_WAIT_SECS)
        return wait if wait > _INSTANT else 0.0

    def claim(self, who: str, reserve: int = 0) -> None:
        """Count a request that is about to be made; raises SourceUnavailable (`rate_limited`, with the time to wait)
        where it is not allowed yet. `who` is the platform, for the message."""
        if wait := self.ready_in(reserve):
            raise SourceUnavailable(f"{who} takes no more requests for now", trouble="rate_limited", retry_after=wait)
        self.spent()

    def spent(self, requests: int = 1) -> None:
        """So many requests were made just now."""
        now = self._clock.monotonic()
        for _, made in self._windows():
            made.extend([now] * requests)
        for said in self._current():
            said.remaining = max(0.0, said.remaining - requests)

    def told(self, remaining: float, resets_secs: float, limit: float | None = None, unit: str | None = None) -> None:
        """The platform said how many requests are left (of `limit`) for the next `resets_secs`. `unit` is the window it
        speaks of; left out, the first one."""
        unit = unit or next((window.unit for window in self._made), "requests")
        resets_secs = min(max(0.0, resets_secs), LONGEST_WAIT_SECS)
        self._said[unit] = _Said(max(0.0, remaining), limit, self._clock.monotonic() + resets_secs)

    def closed(self, seconds: float) -> None:
        """The platform asked for a pause (429 with Retry-After): no request until it is over."""
        seconds = min(max(0.0, seconds), LONGEST_WAIT_SECS)
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)

    def heard(self, headers: Mapping[str, str]) -> float | None:
        """Believe an answer's headers (names in small letters): `Retry-After`, which is returned in seconds, and
        `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds, or seconds since 1970) as many platforms send them."""
        remaining, reset = (_number(headers.get(f"x-ratelimit-{name}")) for name in ("remaining", "reset"))
        if remaining is not None and reset is not None:
            since_1970 = self._clock.now().timestamp()
            wait = reset - since_1970 if reset > _A_YEAR_SECS else reset
            self.told(remaining, wait, _number(headers.get("x-ratelimit-limit")))
        pause = retry_after(headers.get("retry-after", ""), self._clock.now())
        if pause is not None:
            self.closed(pause)
        return pause

    @property
    def usage(self) -> tuple[Usage, ...]:
        """How much of every window is used: as the platform last said where it spoke of the whole, else as counted.
        A window that slides has room again, if not all of it, at `resets`."""
        told = {unit: said for unit, said in self._said.items() if said.limit is not None and said in self._current()}
        used = [
            Usage(window.unit, len(made), window.requests, self._at(made[0] + window.seconds) if made else None)
            for window, made in self._windows()
            if window.unit not in told
        ]
        used += [
            Usage(unit, max(0.0, said.limit - said.remaining), said.limit, self._at(said.until))
            for unit, said in told.items()
            if said.limit is not None
        ]
        return tuple(used)

    def _windows(self) -> list[tuple[Window, deque[float]]]:
        """Every window with the requests that are still in it."""
        now = self._clock.monotonic()
        for window, made in self._made.items():
            while made and made[0] + window.seconds <= now:
                made.popleft()
        return list(self._made.items())

    def _current(self) -> list[_Said]:
        now = self._clock.monotonic()
        return [said for said in self._said.values() if said.until > now]

    def _at(self, monotonic: float) -> datetime:
        return self._clock.now().astimezone(UTC) + timedelta(seconds=monotonic - self._clock.monotonic())


@dataclass(eq=False)
class _Said:
    """What is left until when, as the platform said it."""

    remaining: float
    limit: float | None
    until: float


_A_YEAR_SECS = 365 * 86_400.0
_NUMBER = re.compile(r"\d{1,11}(\.\d{0,9})?", re.ASCII)


def _number(value: str | None) -> float | None:
    return float(value) if value and _NUMBER.fullmatch(value.strip()) else None
