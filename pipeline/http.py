"""What every process shows of itself: /metrics for Prometheus, /healthz (alive) and /readyz (able to work)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)

Health = Callable[[], dict[str, str]]
"""What is wrong now: a part's name to one sentence; empty when all is well."""


def application(alive: Health, ready: Health) -> Starlette:
    """The three addresses; 503 with the reasons when `alive` or `ready` finds something wrong."""

    def verdict(check: Health) -> Callable[[Request], object]:
        async def answer(_request: Request) -> Response:
            wrong = await run_in_threadpool(check)
            return JSONResponse({"ok": not wrong, "wrong": wrong}, status_code=503 if wrong else 200)

        return answer

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", verdict(alive)), Route("/readyz", verdict(ready))]
    )


@contextmanager
def serving(host: str, port: int, alive: Health, ready: Health) -> Iterator[int]:
    """Serve on a thread while the context lasts; yields the port. A port in use is replaced by a free one, and said
    so: a second process of a role must not fail for its metrics."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.bind((host, 0))
        log.warning("metrics port taken", wanted=port, using=listener.getsockname()[1], reason=error.strerror)
    chosen: int = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(application(alive, ready), log_config=None, access_log=False, lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="metrics", daemon=True)
    thread.start()
    log.info("metrics", address=f"http://{host}:{chosen}/metrics")
    try:
        yield chosen
    finally:
        server.should_exit = True
        thread.join(timeout=2)
        listener.close()
