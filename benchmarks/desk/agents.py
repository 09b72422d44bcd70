"""People at the desk, as HTTP clients: they take the next case, pick one, answer, let leases lapse, take over, hand
over, send twice, and send under tokens that are worth nothing any more. What they believe is not trusted: `audit.py`
reads the log."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx2

from benchmarks.desk.office import QUEUES, Person

API = "/api/v1"

ACTIONS = (
    *("next",) * 20,
    *("pick",) * 10,
    *("answer",) * 16,
    *("heartbeat",) * 8,
    *("answer late",) * 8,
    *("take over",) * 7,
    *("resolve",) * 5,
    *("look",) * 4,
    *("transfer",) * 4,
    *("release",) * 4,
    *("lapse",) * 2,
    *("note",) * 2,
    *("snooze",) * 2,
)
"""What a person does next, as often as it stands here. Answering is two actions: writing, sending."""

_WITH_A_CASE = frozenset(ACTIONS) - {"next", "pick", "take over", "answer late"}

ANSWERED = frozenset({200, 201, 204})
REFUSED = frozenset({409, 503})
"""Somebody else was quicker, or the store is busy: the only refusals there is a reason for."""

TIMEOUT_SECS = 60


def client(people: int) -> httpx2.AsyncClient:
    """What so many people call with. Connections are dropped long before the server drops them (uvicorn after 5 s)."""
    limits = httpx2.Limits(max_connections=2 * people, max_keepalive_connections=people, keepalive_expiry=1.0)
    return httpx2.AsyncClient(timeout=TIMEOUT_SECS, limits=limits, trust_env=False)


class Held(NamedTuple):
    """A case that was taken, and the token that came with it."""

    case: str
    queue: str
    token: int


class Attempt(NamedTuple):
    """A draft that somebody tried to send, and the status that was answered; None where no answer came."""

    draft: str
    actor: str
    token: int
    status: int | None


@dataclass
class Doings:
    """What all of them did: how often, what was refused, seconds for each that was done, every attempt to send, and
    what should not have been."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    took: dict[str, list[float]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def actions(self) -> int:
        """How many there were, refused ones too."""
        return self.done.total() + self.refused.total()


class Floor:
    """What all of them share: the connections, and the cases that are talked about. `pause` is how long each thinks
    between two actions, on average; `lapse` after how long (real seconds both) a lease has surely run out."""

    def __init__(self, caller: httpx2.AsyncClient, *, pause: float, lapse: float) -> None:
        self.caller = caller
        self.pause = pause
        self.lapse = lapse
        self.doings = Doings()
        self.known: deque[str] = deque(maxlen=400)

    async def work(self, people: Sequence[Person], addresses: Sequence[str], actions: int, seed: int) -> None:
        """Let everybody do their share."""
        agents = [
            Agent(self, person, addresses[place % len(addresses)], seed * 1000 + place)
            for place, person in enumerate(people)
        ]
        await asyncio.gather(*(agent.work(actions // len(people)) for agent in agents))


class Agent:
    """One of them."""

    def __init__(self, floor: Floor, person: Person, address: str, seed: int) -> None:
        self._floor = floor
        self._actor = person.actor
        self._url = f"{address}{API}"
        self._headers = {"Authorization": f"Bearer {person.secret}"}
        self._dice = random.Random(seed)  # noqa: S311 - nothing secret
        self._mine: list[Held] = []
        self._lost: deque[Held] = deque(maxlen=8)
        self._count = 0

    async def work(self, actions: int) -> None:
        """Do so many things, thinking in between."""
        while self._count < actions:
            await asyncio.sleep(self._dice.expovariate(1.0) * self._floor.pause)
            await self._one(self._dice.choice(ACTIONS))

    async def _one(self, action: str) -> None:
        if action == "pick":
            await self._pick()
        elif action == "take over" and self._floor.known:
            await self._take("take over", self._dice.choice(self._floor.known), "takeover", reason="they went home")
        elif action == "answer late" and self._lost:
            await self._answer(self._dice.choice(self._lost), late=True)
        elif action in _WITH_A_CASE and self._mine:
            await self._with(self._dice.choice(self._mine[-4:]), action)
        else:
            self._have(await self._post("next", "/next"))

    async def _with(self, held: Held, action: str) -> None:
        case = f"/cases/{held.case}"
        if action == "answer":
            await self._answer(held)
        elif action == "look":
            await self._call("look", "GET", case)
        elif action == "note":
            await self._post("note", f"{case}/note", text="they called as well")
        elif action == "heartbeat":
            if not await self._post("heartbeat", f"{case}/heartbeat", token=held.token):
                self._lose(held)
        elif action == "lapse":
            await asyncio.sleep(self._floor.lapse)
            self._count += 1
            self._floor.doings.done["lapse"] += 1
            self._lose(held)
        else:
            more: dict[str, str] = {}
            if action == "transfer":
                more = {"queue": next(queue for queue in QUEUES if queue != held.queue), "reason": "yours"}
            elif action == "snooze":
                more = {"until": f"{datetime.now(UTC) + timedelta(days=300):%Y-%m-%dT%H:%M:%SZ}"}
            await self._post(action, f"{case}/{action}", token=held.token, **more)
            self._lose(held)

    # ------------------------------------------------------------------------ taking

    async def _pick(self) -> None:
        """What the product has `next` against."""
        if not self._floor.known or self._dice.random() < 0.2:
            queue = self._dice.choice(QUEUES)
            page = await self._call("list", "GET", f"/queues/{queue}/cases?limit=50")
            self._floor.known.extend(case["id"] for case in (page or {"items": []})["items"])
        if self._floor.known:
            await self._take("claim", self._dice.choice(self._floor.known), "claim")

    async def _take(self, name: str, case: str, how: str, **body: Any) -> None:
        self._have(await self._post(name, f"/cases/{case}/{how}", **body))

    def _have(self, found: dict[str, Any] | None) -> None:
        if found:
            held = Held(found["case"]["id"], found["case"]["queue"], found["lease"]["token"])
            self._floor.known.append(held.case)
            self._mine = [it for it in self._mine if it.case != held.case] + [held]

    def _lose(self, held: Held) -> None:
        self._mine = [it for it in self._mine if it != held]
        self._lost.append(held)

    # --------------------------------------------------------------------- answering

    async def _answer(self, held: Held, *, late: bool = False) -> None:
        """Write and send; once in a while press the button twice. `late`: under a token that should be worth
        nothing."""
        suffix = " late" if late else ""
        words = f"We are sorry. ({self._actor}, {self._count})"
        draft = await self._post(f"write{suffix}", f"/cases/{held.case}/drafts", text=words)
        if not draft:
            return
        times = 2 if self._dice.random() < 0.15 else 1
        awaiting = self._dice.random() < 0.3
        sent = await asyncio.gather(*(self._send(f"send{suffix}", draft["id"], held, awaiting) for _ in range(times)))
        if not any(sent):
            self._lose(held)

    async def _send(self, name: str, draft: str, held: Held, awaiting: bool) -> bool:
        body = {"token": held.token, "awaiting": awaiting}
        answer = await self._asked(name, "POST", f"/drafts/{draft}/send", body)
        status = answer.status_code if answer is not None else None
        self._floor.doings.attempts.append(Attempt(draft, self._actor, held.token, status))
        return status == 200

    # -------------------------------------------------------------------------- HTTP

    async def _post(self, name: str, path: str, **body: Any) -> dict[str, Any] | None:
        return await self._call(name, "POST", path, body or None)

    async def _call(
        self, name: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """What was answered; None where it was refused, or there is nothing."""
        answer = await self._asked(name, method, path, body)
        found: dict[str, Any] | None = (
            answer.json() if answer is not None and answer.status_code in (200, 201) else None
        )
        return found

    async def _asked(self, name: str, method: str, path: str, body: dict[str, Any] | None) -> httpx2.Response | None:
        doings = self._floor.doings
        self._count += 1
        begun = time.perf_counter()
        try:
            answer = await self._floor.caller.request(method, self._url + path, json=body, headers=self._headers)
        except httpx2.TransportError as error:
            if isinstance(error, httpx2.TimeoutException):
                doings.faults.append(f"{name} was not answered within {TIMEOUT_SECS} s")
            doings.refused[f"{name}: no answer"] += 1  # whether it was done, its caller does not know, as in life
            return None
        if answer.status_code in ANSWERED:
            doings.done[name] += 1
            doings.took.setdefault(name, []).append(time.perf_counter() - begun)
        else:
            doings.refused[f"{name}: {answer.status_code}"] += 1
            if answer.status_code not in REFUSED:
                doings.faults.append(f"{name} was answered {answer.status_code}: {answer.text[:300]}")
        return answer
