"""What the document of the API says, held against what the API does, by schemathesis: every operation with values that
fit its schema and values that do not, over a desk with real work in it, as somebody who may do everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from desk.roles import ROLES
from pipeline.clock import ManualClock
from tests.console.work import Api, Work, storm
from tests.fixtures.postgres import store_in

pytestmark = pytest.mark.long


EXAMPLES = 6
"""Cases drawn for each operation, half of them with values that do not fit."""

ENDLESS = "/api/v1/events"
SLOW = {"/api/v1/session", "/api/v1/invitations/accept"}
"""These hash a password, and after a few wrong ones say 429 to all."""

DECIDED_LATER = {
    "/api/v1/cases/{id}/transfer": "there may be no such queue",
    "/api/v1/cases/{id}/assign": "there may be no such user",
    "/api/v1/cases/{id}/ask": "either a queue or a user, that there are",
    "/api/v1/cases/{id}/snooze": "the time may be over",
    "/api/v1/cases/{id}/priority": "it may have that priority",
    "/api/v1/cases/{id}/tag": "50 tags at most with those the case has",
    "/api/v1/cases/{id}/drafts": "there may be no such mention or macro",
    "/api/v1/cases/{id}/deeds": "the mention may not be in the case, its source not able, the reason missing",
    "/api/v1/drafts/check": "the mention may not be in the case",
    "/api/v1/drafts/{id}": "there may be no such macro",
    "/api/v1/drafts/{id}/send": "its text may have something that is not filled in, or be empty",
    "/api/v1/drafts": "`after` is of another list",
    "/api/v1/queues/{queue}/cases": "`after` is of another list",
    "/api/v1/search": "`after` is of another list",
    "/api/v1/cases": "`after` is of another list, or the order needs an owner",
    "/api/v1/customers/{id}/cases": "`after` is of another list",
    "/api/v1/customers/{id}/links": "the accounts may not be linked",
    "/api/v1/brands/{name}/preview": "a new brand has a term or a handle",
    "/api/v1/macros/{name}/fill": "the macro may not have that language",
    "/api/v1/incidents": "`after` is of another list",
    "/api/v1/incidents/{id}/acknowledge": "the version may be of the future",
    "/api/v1/incidents/{id}/statement": "the version may be of the future",
    "/api/v1/incidents/{id}/calm": "the version may be of the future",
    "/api/v1/incidents/{id}/close": "the version may be of the future",
    "/api/v1/incidents/{id}/reopen": "the version may be of the future",
    "/api/v1/incidents/{id}/cases/follow": "the case may be none of the incident's",
    "/api/v1/series": "the end may be before the start or too far away, the value of another facet",
    "/api/v1/figures": "the end may be before the start, the time zone unknown",
    "/api/v1/corrections": "`after` is of another list",
    "/api/v1/corrections/labels": "`after` is of another list",
    "/api/v1/agents/{user}": "there may be no such queue",
    "/api/v1/users": "the name may not do, or is taken",
    "/api/v1/users/{id}/roles": "roles and people",
    "/api/v1/users/{id}/tokens": "roles and people; `after` is of another list",
    "/api/v1/users/{id}/invitation": "who is disabled is not invited",
    "/api/v1/me/tokens": "`after` is of another list",
}
"""Where a request that fits the schema may still hold a value that cannot be used (422): what only the desk knows."""

CHECKS = {"positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422"]}}
CONFIG: dict[str, Any] = {
    "generation": {"deterministic": True, "max-examples": EXAMPLES, "no-shrink": True, "database": "none"},
    "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": False}},
    "operations": [{"include-path": path, "checks": CHECKS} for path in DECIDED_LATER],
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """A desk with cases in every state, drafts, macros, people, figures."""
    folder: Path = tmp_path_factory.mktemp("api")
    clock = ManualClock()
    store = store_in(folder, clock)
    yield Work(store, clock)
    store.close()


@pytest.fixture(scope="module")
def everything(busy: Work) -> Api:
    """Whoever may do everything, with their work."""
    api = busy.agent("ada", *ROLES)
    cases = [busy.says(f"mastodon:{n}", author=f"a{n % 7}", queue=("service", "marketing")[n % 2]) for n in range(12)]
    for case in cases[::3]:
        api.post(f"/cases/{case}/claim")
        api.post(f"/cases/{case}/drafts", 201, text="We are sorry.")
    api.post(f"/cases/{cases[1]}/transfer", queue="service", reason="not ours", wrong_route=True)
    api.put(f"/agents/{api.user.id}", team="north")
    storm(busy)
    return api


@pytest.fixture(scope="module")
def document(busy: Work, everything: Api) -> Any:
    bearer = everything.client.headers["Authorization"].removeprefix("Bearer ")
    auth = {"openapi": {"token": {"bearer": bearer}}}
    config = SchemathesisConfig.from_dict(CONFIG | {"headers": {"Host": "localhost"}, "auth": auth})
    schema: Any = schemathesis.openapi.from_dict(_strict(busy.app.openapi()), config=config)
    schema.app = busy.app
    schema = schema.exclude(path=ENDLESS).exclude(path=list(SLOW))
    ids = {
        "cases": [it["id"] for it in everything.get("/cases")["items"]],
        "drafts": [it["id"] for it in everything.get("/drafts")["items"]],
        "queues": ["service", "marketing"],
        "customers": ["mastodon:a1", "mastodon:a2"],
        "macros": ["sorry"],
        "agents": [everything.user.id],
        "incidents": [it["id"] for it in everything.get("/incidents")["items"]],
    }

    @schema.hook  # type: ignore[untyped-decorator]  # it is typed for no hook
    def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        """Real ids in half of the cases: else all there is to see is that nothing is there."""
        known = ids.get(context.operation.path.split("/")[3], [])
        return {name: _real(value, known) for name, value in (path_parameters or {}).items()}

    return schema


def _real(value: Any, known: list[str]) -> Any:
    number = crc32(repr(value).encode("utf-8", "surrogatepass"))
    fits = isinstance(value, str) and (":" in value or not any(":" in id for id in known))
    return known[number // 2 % len(known)] if known and fits and number % 2 else value


def _strict(document: dict[str, Any]) -> dict[str, Any]:
    """Without the answer that stands for any other: each status has to be named."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if len(operation["responses"]) > 3:
                operation["responses"].pop("default", None)
    return document


def test_the_api_does_what_its_document_says(document: Any) -> None:
    wrong: list[str] = []
    called: dict[str, int] = {}
    for event in from_schema(document).execute():
        if isinstance(event, NonFatalError | FatalError):
            wrong.append(str(event))
        if isinstance(event, ScenarioFinished):
            label = event.recorder.label
            called[label] = called.get(label, 0) + len(event.recorder.cases)
            wrong += [
                f"{label}: {check.name}: {check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                for checks in event.recorder.checks.values()
                for check in checks
                if check.failure_info is not None
            ]
    assert not wrong, "\n\n".join(wrong)
    assert min(called.values()) >= 5, called
