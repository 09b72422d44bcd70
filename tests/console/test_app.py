"""What holds for every address: errors, bounds, headers, names, logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import APIRouter
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient
from structlog.testing import LogCapture

from console.api.app import ROUTERS, application
from console.api.guard import HEADERS, MOST_BYTES, Broken
from console.api.schemas import V1
from desk.refusals import Conflict
from desk.roles import ACTIONS
from pipeline.clock import ManualClock
from pipeline.errors import StoreUnavailable
from pipeline.store import Store
from tests.console.build import House, fresh
from tests.desk.staff import PASSWORD

OPEN = {
    ("get", f"{V1}/session"),
    ("post", f"{V1}/session"),
    ("post", f"{V1}/invitations/accept"),
    ("get", f"{V1}/oidc/sign-in"),
    ("get", f"{V1}/oidc/callback"),
}
"""What is open to everybody."""


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with fresh(tmp_path, clock) as made:
        yield made


@pytest.fixture
def house(store: Store, clock: ManualClock) -> House:
    return House(store, clock)


@pytest.fixture
def logged() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], cache_logger_on_first_use=False)
    yield capture
    structlog.configure(**before)


def failing(house: House, error: Exception) -> TestClient:
    """The application with one more address, which fails."""
    router = APIRouter(prefix=V1)

    @router.get("/fails/{what}")
    def fails(what: str) -> None:
        raise error

    app = application(house.services)
    app.include_router(router)
    return TestClient(app, base_url="http://localhost")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", f"{V1}/nowhere", 404), ("PATCH", f"{V1}/me", 405), ("GET", f"{V1}/me", 401)],
)
def test_every_error_is_a_problem_document(house: House, method: str, path: str, status: int) -> None:
    answer = house.client().request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"]
    assert body["detail"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"json": {"name": "ana", "password": PASSWORD, "nmae": 1}}, "nmae"),
        ({"json": {"name": "ana"}}, "password"),
        ({"json": {"name": ["ana"], "password": PASSWORD}}, "name"),
        ({"json": {"name": "a\x00na", "password": PASSWORD}}, "name"),
        ({"json": {"name": "ana", "password": "x" * 1001}}, "password"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, "body"),
        ({"content": b'{"name": "\\ud800", "password": "x"}', "headers": {"Content-Type": "application/json"}}, "name"),
        ({"data": {"name": "ana"}}, "body"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_shown(house: House, sent: dict[str, Any], field: str) -> None:
    answer = house.client().post(f"{V1}/session", **sent)
    assert answer.status_code == 422
    assert field in [it["field"] for it in answer.json()["errors"]]
    assert PASSWORD not in answer.text


def test_an_unknown_parameter_is_refused(house: House) -> None:
    answer = house.client(house.person("bo", "admin")).get(f"{V1}/users?limt=3")
    assert [it["field"] for it in answer.json()["errors"]] == ["limt"]
    assert answer.status_code == 422


def test_a_list_is_bounded(house: House) -> None:
    assert house.client(house.person("bo", "admin")).get(f"{V1}/users?limit=501").status_code == 422


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_not_read(house: House, declared: bool) -> None:
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(64):
            taken += 65_536
            yield b"x" * 65_536

    headers = {"Content-Type": "application/json"}
    if declared:
        headers["Content-Length"] = str(MOST_BYTES + 1)
    answer = house.client().post(
        f"{V1}/session", content=b"x" * (MOST_BYTES + 1) if declared else chunks(), headers=headers
    )
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_answer_tells_browsers_to_keep_and_frame_nothing(house: House) -> None:
    for path in ("/healthz", f"{V1}/openapi.json", f"{V1}/nowhere", f"{V1}/me"):
        headers = house.client().get(path).headers
        for name, value in HEADERS.items():
            assert headers[name] == value


def test_only_its_own_name_or_an_address_is_answered(store: Store, clock: ManualClock) -> None:
    client = House(store, clock, public_url="https://desk.example.org").client()

    def status(host: str) -> int:
        return client.get("/healthz", headers={"Host": host}).status_code

    for host in ("localhost", "localhost:8460", "127.0.0.1:1", "[::1]:8460", "10.1.2.3"):
        assert status(host) == 200, host
    for host in ("desk.example.org", "DESK.example.org:443"):
        assert status(host) == 200, host
    for host in ("evil.example.org", "desk.example.org.evil.example", "desk.example.org@evil.example"):
        assert status(host) == 421, host
    for host in ("127.0.0.1.evil.example", "localhost:80@evil.example", "[::1", ""):
        assert status(host) == 421, host


def test_a_conflict_says_who_holds_it_and_until_when(house: House) -> None:
    ana = house.person("ana")
    until = house.clock.now()
    body = failing(house, Conflict("ana has it", holder=ana.actor, until=until)).get(f"{V1}/fails/1").json()
    assert body["status"] == 409
    assert body["holder"] == {"id": ana.id, "name": "ana"}
    assert body["until"] == "2026-01-05T09:00:00Z"


def test_while_the_store_does_not_answer_one_is_told_when_to_come_again(house: House) -> None:
    answer = failing(house, StoreUnavailable("the store does not answer: password=hunter2")).get(f"{V1}/fails/1")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "hunter2" not in answer.text


def test_a_fault_of_ours_shows_nothing_and_is_logged_without_what_was_sent(house: House, logged: LogCapture) -> None:
    answer = failing(house, RuntimeError("token=hunter2")).get(f"{V1}/fails/secretly?word=hush")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text
    failed = next(it for it in logged.entries if it["event"] == "request failed")
    assert failed["error"] == "RuntimeError"
    assert "fails:" in failed["where"]
    assert not any(word in str(logged.entries) for word in ("hunter2", "secretly", "hush"))


def test_an_answer_that_breaks_off_shows_nothing_either(house: House, logged: LogCapture) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("hunter2")

    router = APIRouter(prefix=V1)
    router.add_api_route("/breaks", lambda: StreamingResponse(breaks()))
    app = application(house.services)
    app.include_router(router)
    with pytest.raises(Broken) as raised:
        TestClient(app, base_url="http://localhost").get(f"{V1}/breaks")
    assert raised.value.__suppress_context__
    assert "hunter2" not in str(logged.entries)


def test_readiness_follows_the_store(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert house.client().get("/readyz").status_code == 200

    def down() -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(house.services.store, "ping", down)
    assert house.client().get("/readyz").status_code == 503
    assert house.client().get("/healthz").status_code == 200


def test_the_log_has_the_route_and_the_user_and_no_secret(house: House, logged: LogCapture) -> None:
    ana = house.person("ana", "admin")
    browser = house.browser("ana")
    cookie = browser.cookies["harken_session"]
    token = house.token(ana)
    browser.get(f"{V1}/users/{ana.id}?hush=hush")
    house.client().get(f"{V1}/users", headers={"Authorization": f"Bearer {token}"})
    house.client().get(f"{V1}/users", headers={"Authorization": "Bearer hush-not-a-token"})
    house.client().post(f"{V1}/session", json={"name": "hush", "password": "hush hush hush"})
    requests = [it for it in logged.entries if it["event"] == "request"]
    assert [(it["method"], it["route"], it["status"], it["user"]) for it in requests] == [
        ("POST", f"{V1}/session", 200, ana.id),
        ("GET", f"{V1}/users/{{id}}", 200, ana.id),
        ("GET", f"{V1}/users", 200, ana.id),
        ("GET", f"{V1}/users", 401, None),
        ("POST", f"{V1}/session", 401, None),
    ]
    assert all(it["ms"] >= 0 for it in requests)
    told = str(logged.entries)
    assert not any(secret in told for secret in (cookie, token, PASSWORD, browser.headers["X-CSRF-Token"], "hush"))


# ------------------------------------------------------------------------------ the document


def test_the_document_is_openapi_3_1_and_names_the_cookie(store: Store, clock: ManualClock) -> None:
    document = House(store, clock, public_url="https://desk.example.org").client().get(f"{V1}/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    assert document["components"]["securitySchemes"]["session"]["name"] == "__Host-harken_session"
    assert "Problem" in document["components"]["schemas"]


def test_no_page_loads_anything_from_another_host(house: House) -> None:
    assert house.client().get("/docs").status_code == 404
    assert house.client().get("/redoc").status_code == 404


def test_every_operation_but_the_open_ones_needs_a_caller_and_known_actions(house: House) -> None:
    document = house.app.openapi()
    names = [it["operationId"] for path in document["paths"].values() for it in path.values()]
    assert len(names) == len(set(names))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if (method, path) in OPEN:
                assert "security" not in operation
                continue
            schemes = {name: actions for one in operation["security"] for name, actions in one.items()}
            assert set(schemes) == {"token", "session"}, path
            assert schemes["token"] == schemes["session"]
            assert set(schemes["token"]) <= set(ACTIONS)


def test_every_router_says_its_whole_path() -> None:
    assert all(router.prefix.startswith(V1) for router in ROUTERS)


def test_without_a_provider_nothing_leads_to_one(house: House) -> None:
    assert house.client().get(f"{V1}/oidc/sign-in").status_code == 404
    assert house.client().get(f"{V1}/session").json() == {"password": True, "provider": None}
