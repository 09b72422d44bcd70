"""`harken serve`: the API for the people on the desk."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import structlog
import typer
import uvicorn

from pipeline.clock import SystemClock
from pipeline.commands.common import settings
from pipeline.errors import ConfigError, HarkenError, Problem, Stop, Unavailable
from pipeline.http import serving
from pipeline.logs import configure
from pipeline.patience import Interrupted, patiently
from pipeline.service import stop_on_signals
from pipeline.supervise import leave_with_parent
from pipeline.wiring import Parts

log = structlog.get_logger(__name__)

LEAVE_SECS = 6
"""How long requests that are being answered may take once we are asked to stop; streams of events end in one."""


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Where to listen; else serve.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Else serve.port; 0 picks a free one.")] = None,
    http_port: Annotated[int | None, typer.Option(help="Where to show /metrics of this process.")] = None,
) -> None:
    """Answer the API at /api/v1 until told to stop; shows its address."""
    config = settings(context).config_for("sources")
    if http_port is not None:
        config = config.serving_on(http_port)
    configure(config.file.log, role="serve")
    clock = SystemClock()
    stop_on_signals(clock)
    leave_with_parent(clock.stop)
    chosen = config.file.serve
    parts = Parts(config, clock)
    try:
        parts.desk  # noqa: B018 - a wrong setting is said before anything is waited for
        with (
            _listening(chosen.host if host is None else host, chosen.port if port is None else port) as listener,
            serving(config.file.http.host, config.file.http.port, dict, lambda: _not_ready(parts)),
        ):
            patiently(clock, "store", parts.store.upgrade)
            _answer(parts, clock, listener)
    except Interrupted:
        pass
    finally:
        parts.close()


def _answer(parts: Parts, clock: SystemClock, listener: socket.socket) -> None:
    app: Any = parts.application()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=LEAVE_SECS,
        )
    )
    # Not on this thread, where it would take the signals for itself: it is to stop with the clock.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="serve", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        clock.wait(0.05)
        if clock.stopping:
            break
    if server.started:
        typer.echo(f"The desk answers at {_address(listener)}{'' if parts.config.file.desk.cases else _NO_CASES}")
        patiently(clock, "store", lambda: _greet(parts))
    while not clock.wait(0.2) and thread.is_alive():
        pass
    server.should_exit = True
    thread.join(LEAVE_SECS + 2)
    if not clock.stopping:
        raise Stop("the server ended by itself; its last message says why")


_NO_CASES = " (desk.cases is off: mentions become no cases)"


def _greet(parts: Parts) -> None:
    if not parts.accounts.users(limit=1):
        typer.echo("Nobody has an account yet. Make the first: harken users add NAME --role admin --password-stdin")


def _not_ready(parts: Parts) -> dict[str, str]:
    try:
        parts.store.ping()
    except Unavailable as error:
        return {"store": str(error)}
    except HarkenError as error:
        return {"store": type(error).__name__}
    return {}


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket there. Unlike the port of metrics it is never replaced by another: people have its address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            remedy = "name another with serve.host and serve.port, or --host and --port"
            raise ConfigError([Problem(f"serve: {host} port {port}", str(error.strerror), remedy)]) from None
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
