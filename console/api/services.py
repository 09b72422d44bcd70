"""What the endpoints work with: made once, by whoever starts the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from pipeline.ports import Clock
from pipeline.store import Store
from pipeline.store.database import Database

if TYPE_CHECKING:
    from console.api.oidc import Provider
    from console.listening import Listening
    from console.operations import Operations
    from desk.accounts import Accounts
    from desk.cases import Cases
    from desk.desk import Desk
    from desk.documents import Documents
    from desk.drafts import Drafts
    from desk.feed import Feed
    from desk.figures import Figures
    from desk.keeper import Keeper
    from desk.links import Links
    from desk.presence import Agents
    from spikes.incidents import Incidents


@dataclass(frozen=True)
class Services:
    """The parts of one process. `public_url` is how browsers reach it, empty where that was not said; `provider` is
    who else may say who somebody is."""

    database: Database
    store: Store
    clock: Clock
    accounts: Accounts
    cases: Cases
    feed: Feed
    desk: Desk
    drafts: Drafts
    agents: Agents
    keeper: Keeper
    figures: Figures
    links: Links
    incidents: Incidents
    documents: Documents
    operations: Operations
    listening: Listening
    public_url: str = ""
    provider: Provider | None = None

    @property
    def https(self) -> bool:
        """Whether browsers reach it encrypted."""
        return self.public_url.startswith("https://")


def services(request: Request) -> Services:
    """Those of the application that answers this request."""
    found = request.app.state.services
    assert isinstance(found, Services)  # noqa: S101 - for the type checker: `application` puts them there
    return found


Given = Annotated[Services, Depends(services)]
"""For an endpoint's parameter: `async def queues(given: Given)`."""
