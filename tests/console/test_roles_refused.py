"""Every endpoint of the desk's work, for every role: allowed or refused exactly as `desk/roles.py` says.

What an endpoint needs stands here once more, so that a change of it is a decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from console.api import work as routers
from desk.roles import PERMISSIONS, ROLES, Action, Role
from tests.console.work import Work

V1 = "/api/v1"
NEEDS: dict[str, Action] = {
    "GET /queues": "cases.read",
    "GET /queues/{queue}/cases": "cases.read",
    "GET /cases": "cases.read",
    "GET /search": "cases.read",
    "POST /queues/{queue}/next": "cases.work",
    "POST /next": "cases.work",
    "GET /cases/{id}": "cases.read",
    "GET /cases/{id}/history": "cases.read",
    "POST /cases/{id}/claim": "cases.work",
    "POST /cases/{id}/heartbeat": "cases.work",
    "POST /cases/{id}/release": "cases.work",
    "POST /cases/{id}/takeover": "cases.take_over",
    "POST /cases/{id}/assign": "cases.assign",
    "POST /cases/{id}/transfer": "cases.work",
    "POST /cases/{id}/snooze": "cases.work",
    "POST /cases/{id}/wake": "cases.work",
    "POST /cases/{id}/note": "cases.work",
    "POST /cases/{id}/tag": "cases.work",
    "POST /cases/{id}/ask": "cases.work",
    "POST /cases/{id}/escalate": "cases.work",
    "POST /cases/{id}/watch": "cases.work",
    "POST /cases/{id}/priority": "cases.work",
    "POST /cases/{id}/resolve": "cases.work",
    "POST /cases/{id}/reopen": "cases.work",
    "POST /cases/{id}/answered": "cases.work",
    "GET /drafts": "cases.read",
    "POST /cases/{id}/deeds": "replies.send",
    "POST /cases/{id}/drafts": "drafts.write",
    "POST /drafts/check": "drafts.write",
    "GET /drafts/{id}": "cases.read",
    "PUT /drafts/{id}": "drafts.write",
    "POST /drafts/{id}/submit": "drafts.write",
    "POST /drafts/{id}/approve": "drafts.approve",
    "POST /drafts/{id}/reject": "drafts.approve",
    "POST /drafts/{id}/discard": "drafts.write",
    "POST /drafts/{id}/send": "drafts.write",
    "GET /macros": "cases.read",
    "POST /macros/{name}/fill": "drafts.write",
    "POST /brands/{name}/preview": "system.manage",
    "GET /customers/{id:path}": "customers.read",
    "GET /customers/{id:path}/cases": "customers.read",
    "POST /customers/{id:path}/links": "customers.link",
    "DELETE /customers/{id:path}/links": "customers.link",
    "GET /figures": "figures.read",
    "GET /incidents": "incidents.read",
    "GET /series": "incidents.read",
    "GET /incidents/{id}": "incidents.read",
    "GET /incidents/{id}/review": "incidents.read",
    "GET /incidents/{id}/cases": "incidents.read",
    "POST /incidents/{id}/acknowledge": "incidents.work",
    "POST /incidents/{id}/statement": "incidents.work",
    "POST /incidents/{id}/calm": "incidents.work",
    "POST /incidents/{id}/close": "incidents.work",
    "POST /incidents/{id}/reopen": "incidents.work",
    "POST /incidents/{id}/note": "incidents.work",
    "POST /incidents/{id}/cases/follow": "incidents.work",
    "POST /incidents/{id}/answer": "incidents.work",
    "POST /incidents/{id}/answer/stop": "incidents.work",
    "GET /corrections": "corrections.export",
    "GET /corrections/labels": "corrections.export",
    "GET /corrections/confusion": "figures.read",
    "GET /agents": "cases.read",
    "PUT /agents/{user}": "cases.assign",
    "PUT /me/presence": "cases.work",
    "GET /audit": "audit.read",
}


def routes() -> Iterator[str]:
    for router in routers.ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                yield f"{method} {route.path.removeprefix(V1)}"


def call(client: TestClient, endpoint: str) -> Any:
    """Call it with ids of nothing and, where it takes one, a body of nothing."""
    method, path = endpoint.split()
    for hole in ("{queue}", "{id:path}", "{id}", "{name}", "{user}"):
        path = path.replace(hole, "none:none")
    return client.request(method, V1 + path, json={} if method in ("POST", "PUT") else None)


def test_what_every_endpoint_needs_is_written_down_here() -> None:
    assert sorted(routes()) == sorted(NEEDS)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_call_what_its_actions_allow_and_nothing_else(work: Work, role: Role) -> None:
    client = work.agent("ana", role).client
    for endpoint, action in NEEDS.items():
        answer = call(client, endpoint)
        assert (answer.status_code == 403) is (action not in PERMISSIONS[role]), f"{endpoint}: {answer.text}"
        if answer.status_code == 403:
            assert answer.json()["needs"] == [action]


def test_nobody_unknown_may_call_anything(work: Work) -> None:
    nobody = work.client()
    liar = work.client()
    liar.headers["Authorization"] = "Bearer harken_token_" + "x" * 40
    for endpoint in NEEDS:
        assert call(nobody, endpoint).status_code == 401, endpoint
        assert call(liar, endpoint).status_code == 401, endpoint


def test_a_token_may_do_no_more_than_its_scopes(work: Work) -> None:
    lead = work.person("lea", "lead", "admin", "operator")
    one_of_each = {action: endpoint for endpoint, action in NEEDS.items()}.values()
    for action in sorted(set(NEEDS.values())):
        client = work.client()
        client.headers["Authorization"] = f"Bearer {work.token(lead, *sorted(lead.may - {action}))}"
        for endpoint in (it for it, needed in NEEDS.items() if needed == action or it in one_of_each):
            assert (call(client, endpoint).status_code == 403) is (NEEDS[endpoint] == action), endpoint


def test_a_session_without_its_csrf_token_changes_nothing(work: Work) -> None:
    work.person("ana", "lead", "admin", "operator")
    browser = work.browser("ana")
    del browser.headers["X-CSRF-Token"]
    for endpoint in NEEDS:
        refused = call(browser, endpoint).status_code == 403
        assert refused is not endpoint.startswith("GET"), endpoint
