"""The application that answers HTTP: the pages, the API under /api/v1, and whether it is alive and ready."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio
from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from console import pages
from console.api import accounts, events, oidc, problems, session, work
from console.api.auth import cookie_name
from console.api.events import Hubs
from console.api.guard import Guard
from console.api.schemas import V1
from console.api.services import Given, Services
from console.pages import assets, errors

ROUTERS: tuple[APIRouter, ...] = (session.router, accounts.router, events.router, *work.ROUTERS)
"""Everything under /api/v1 but what is an option."""

health = APIRouter(include_in_schema=False)


class Api(FastAPI):
    """Its document says what FastAPI does not know by itself: errors are problem documents, and the cookie's name."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document."""
        if self.openapi_schema is None:
            document = super().openapi()
            schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"] |= schema.pop("$defs") | {"Problem": schema}
            document["components"]["securitySchemes"]["session"]["name"] = cookie_name(self.state.services.https)
            self.openapi_schema = document
        return self.openapi_schema


def application(services: Services) -> FastAPI:
    """The application over these parts; it opens nothing until it is asked."""
    app = Api(
        title="harken",
        summary="The desk: queues, cases, answers, customers, figures.",
        version=version("harken"),
        openapi_url=f"{V1}/openapi.json",
        docs_url=None,  # these pages load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=_operation,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=[Middleware(Guard, clock=services.clock, public_url=services.public_url)],
        responses={
            "default": {
                "description": "It was not done: why.",
                "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
        },
    )
    app.state.services = services
    app.state.hub = Hubs(services)
    problems.install(app)
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    if services.provider is not None:
        app.include_router(oidc.router)
    for router in pages.ROUTERS:
        app.include_router(router)
    app.mount(assets.ROOT, assets.Assets())
    app.include_router(health)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app.state.hub.run)
        yield
        tasks.cancel_scope.cancel()


def _operation(route: APIRoute) -> str:
    return route.name


@health.get("/healthz")
async def alive() -> dict[str, bool]:
    """Whether this process answers."""
    return {"ok": True}


@health.get("/readyz", response_class=Response)
def ready(given: Given) -> Response:
    """Whether it can work: the store answers, or 503."""
    given.store.ping()
    return Response('{"ok":true}', media_type="application/json")
