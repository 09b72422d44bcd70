"""The application over a fresh store, with people who can call it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from console.api.app import application
from console.api.services import Services
from desk.feed import Feed
from desk.users import User
from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.desk.build import Room
from tests.desk.staff import ADMIN, PASSWORD, accounts_of, person
from tests.fixtures.postgres import store_in


@contextmanager
def fresh(folder: Path, clock: ManualClock) -> Iterator[Store]:
    """An empty store in this folder. What HTTP adds does not depend on the database, whose tests are elsewhere."""
    store = store_in(folder, clock)
    yield store
    store.close()


class House:
    """The application, the store under it, and the shortest ways to call."""

    def __init__(self, store: Store, clock: ManualClock, **changes: Any) -> None:
        self.clock = clock
        self.room = Room(store, clock)
        self.accounts = accounts_of(store, clock)
        absent: Any = None
        services = Services(
            database=store._db,
            store=store,
            clock=clock,
            accounts=self.accounts,
            cases=self.room.cases,
            feed=Feed(store._db, clock),
            desk=absent,
            drafts=absent,
            agents=absent,
            keeper=absent,
            figures=absent,
            links=absent,
            incidents=absent,
            documents=absent,
            operations=absent,
            listening=absent,
        )
        self.services = replace(services, **changes)
        self.app: FastAPI = application(self.services)

    def person(self, name: str = "ana", *roles: str) -> User:
        return person(self.accounts, name, *roles)

    def token(self, user: User, *scopes: str) -> str:
        _, secret = self.accounts.issue_token(user.id, scopes or sorted(user.may), timedelta(days=1), ADMIN)
        return secret.get_secret_value()

    def client(self, user: User | None = None, **options: Any) -> TestClient:
        """Who sends a token of this person with every request; without one, nobody."""
        made = TestClient(self.app, base_url="http://localhost", **options)
        if user is not None:
            made.headers["Authorization"] = f"Bearer {self.token(user)}"
        return made

    def browser(self, name: str = "ana") -> TestClient:
        """Who has signed in, and sends the CSRF token with every request."""
        made = TestClient(self.app, base_url="http://localhost")
        signed_in = made.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert signed_in.status_code == 200, signed_in.text
        made.headers["X-CSRF-Token"] = signed_in.json()["csrf"]
        return made
