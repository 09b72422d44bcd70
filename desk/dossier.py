"""One author's cases and the lease on that author: what is loaded, decided on and saved together. Pure.

Who answers an author answers in all of their cases, so the lease is the author's: it has an owner, an end, and a token
that grows with every new owner. What was given a token may act while that token is the author's and its lease runs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from desk import events
from desk.case import Case, apply, opened
from desk.events import Event
from desk.refusals import Conflict, NoSuchCase, Unfit

Ending = Callable[[int], Event]
"""What is recorded, given the token that ends."""

CLOCK = "system:clock"
"""The actor of what time alone does."""


class Lease(Struct, frozen=True):
    """Who may speak with an author. `token` is that of the last owner and never goes back."""

    author: str
    token: int = 0
    owner: str | None = None
    until: datetime | None = None

    def holder(self, now: datetime) -> str | None:
        """Whose it is at this time."""
        return self.owner if self.owner and self.until and now < self.until else None


class Dossier:
    """An author's lease and cases, and in `news` what was recorded since they were loaded, in order."""

    def __init__(self, lease: Lease, cases: dict[str, Case]) -> None:
        self.lease = lease
        self.cases = cases
        self.news: list[tuple[Case, Event]] = []

    def case(self, id: str) -> Case:
        """One of the cases; raises NoSuchCase."""
        try:
            return self.cases[id]
        except KeyError:
            raise NoSuchCase(f"there is no case {id}") from None

    def open_case(self, id: str) -> Case:
        """One of the cases; raises Conflict where it is closed."""
        case = self.case(id)
        if not case.open:
            raise Conflict(f"case {id} is {case.state.value}")
        return case

    def open_cases(self) -> list[Case]:
        """What may still have to be done for this author, oldest first."""
        return sorted((case for case in self.cases.values() if case.open), key=lambda case: (case.since, case.id))

    def record(self, id: str, *happened: Event) -> Case:
        """Let it have happened to one case; returns how that stands then."""
        for event in happened:
            case = opened(id, event) if isinstance(event, events.Opened) else apply(self.cases[id], event)
            self.cases[id] = case
            self.news.append((case, event))
        return self.cases[id]

    # ----------------------------------------------------------------------- leases

    def lapse(self, now: datetime) -> bool:
        """End a lease that has run out; whether one had."""
        if self.lease.owner is None or self.lease.holder(now):
            return False
        self._end(lambda token: events.LeaseExpired(at=now, actor=CLOCK, token=token))
        return True

    def claim(self, id: str, user: str, actor: str, now: datetime, term: timedelta) -> Lease:
        """Make `user` the owner of everything open of this author. Who owns it already keeps their token and gets the
        whole term again. Raises Conflict where somebody else does, or the case is closed."""
        self.lapse(now)
        self.open_case(id)
        if holder := self.lease.holder(now):
            if holder != user:
                raise self._held(now)
            self._turn_to(id, actor, now)
            return self._extend(now, actor, now + term)
        self.lease = Lease(self.lease.author, self.lease.token + 1, user, now + term)
        self._turn_to(id, actor, now)
        for case in self.open_cases():
            self._give(case.id, actor, now)
        return self.lease

    def take_over(self, id: str, user: str, reason: str, now: datetime, term: timedelta) -> Lease:
        """Make `user` the owner whoever was, under a new token. Raises Unfit without a reason, Conflict where the case
        is closed or theirs already."""
        self.lapse(now)
        self.open_case(id)
        if not reason.strip():
            raise Unfit("reason", "say why you take it over")
        if self.lease.holder(now) == user:
            raise Conflict(f"case {id} is yours already", holder=user, until=self.lease.until)
        self.lease = Lease(self.lease.author, self.lease.token + 1, user, now + term)
        self._turn_to(id, user, now)
        for case in self.open_cases():
            taken = events.TakenOver(
                at=now, actor=user, owner=user, token=self.lease.token, until=now + term, reason=reason
            )
            self.record(case.id, taken)
        return self.lease

    def heartbeat(self, token: int, user: str, now: datetime, term: timedelta) -> Lease:
        """Extend the lease; recorded only once less than half of the term is left, since nobody reads the rest.
        Raises Conflict for a token that is not the author's any more."""
        self.lapse(now)
        self.check(token, user, now)
        if self.lease.until and self.lease.until - now > term / 2:
            return self.lease
        return self._extend(now, user, now + term)

    def release(self, token: int, user: str, now: datetime) -> None:
        """Give everything of this author back to its queues. Raises Conflict as `heartbeat` does."""
        self.lapse(now)
        self.check(token, user, now)
        self._end(lambda held: events.Released(at=now, actor=user, token=held))

    def check(self, token: int, user: str | None, now: datetime) -> None:
        """Return where this token is good at this time (and is the user's, where one is named), else raise Conflict
        with who holds the author."""
        holder = self.lease.holder(now)
        if holder is None:
            raise Conflict("the lease has ended; take the case again")
        if token != self.lease.token or (user is not None and holder != user):
            raise self._held(now)

    def may_change(self, id: str, token: int | None, user: str, now: datetime) -> Case:
        """The open case, where this person may change it: under their token, or without one while nobody holds the
        author. Raises Conflict, NoSuchCase."""
        self.lapse(now)
        case = self.open_case(id)
        if token is not None:
            self.check(token, user, now)
        elif self.lease.holder(now):
            raise self._held(now)
        return case

    def share(self, id: str, now: datetime) -> None:
        """Put a case that has come to be open under the lease that its author is under, if any."""
        if self.lease.holder(now):
            self._give(id, CLOCK, now)

    def settle(self) -> None:
        """End a lease under which nothing is open any more."""
        if self.lease.owner and not self.open_cases():
            self.lease = replace(self.lease, owner=None, until=None)

    def hand_back(self, moved: str, actor: str, now: datetime) -> None:
        """End the lease because one case went to another queue: its next owner must be free to take the author."""
        self._end(lambda token: events.Released(at=now, actor=actor, token=token), but=moved)

    def _turn_to(self, id: str, actor: str, now: datetime) -> None:
        """Who takes a case itself, not another of its author, works it by itself and not through its wave's."""
        if self.cases[id].lead:
            self.record(id, events.Freed(at=now, actor=actor, reason="taken by hand"))

    def _give(self, id: str, actor: str, now: datetime) -> None:
        owner, until = self.lease.owner, self.lease.until
        if owner is None or until is None:
            raise ValueError(f"nobody holds {self.lease.author}")
        self.record(id, events.Claimed(at=now, actor=actor, owner=owner, token=self.lease.token, until=until))

    def _extend(self, now: datetime, actor: str, until: datetime) -> Lease:
        self.lease = replace(self.lease, until=until)
        for case in self.open_cases():
            self.record(case.id, events.LeaseExtended(at=now, actor=actor, token=self.lease.token, until=until))
        return self.lease

    def _end(self, ending: Ending, but: str | None = None) -> None:
        if self.lease.owner is None:
            return
        for case in self.open_cases():
            if case.id != but:
                self.record(case.id, ending(self.lease.token))
        self.lease = replace(self.lease, owner=None, until=None)

    def _held(self, now: datetime) -> Conflict:
        holder = self.lease.holder(now)
        return Conflict(f"held by {holder}", holder=holder, until=self.lease.until)
