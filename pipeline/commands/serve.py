"""`harken serve`: the console and its API, for the people on the desk."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
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
from pipeline.service import stop_on_signals, watching
from pipeline.store import Store
from pipeline.supervise import leave_with_parent
from pipeline.wiring import Parts
from pipeline.worker import Beat

log = structlog.get_logger(__name__)

FIRST = "first"
FIRST_ROLES = ("admin", "lead", "marketer", "operator")
"""The account of whoever starts it before there is any: all of it is theirs until they make others."""

ASK_SECS = 1.0
"""How long somebody who has called, and not asked yet, may take for it when we are asked to stop."""

LEAVE_SECS = 6
"""How long requests that are being answered may take once we are asked to stop; streams of events end in one."""


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Where to listen; else serve.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Else serve.port; 0 picks a free one.")] = None,
    http_port: Annotated[int | None, typer.Option(help="Where to show /metrics of this process.")] = None,
) -> None:
    """Answer the console, and the API at /api/v1, until told to stop; shows their address."""
    config = settings(context).config_for("sources")
    if http_port is not None:
        config = config.serving_on(http_port)
    configure(config.file.log, role="serve")
    clock = SystemClock()
    leave_with_parent(stop_on_signals(clock))
    chosen = config.file.serve
    store = Parts(config, clock).store
    Parts(config, clock).desk  # noqa: B018 - a wrong setting is said before anything is waited for
    with (
        _listening(chosen.host if host is None else host, chosen.port if port is None else port) as listener,
        serving(config.file.http.host, config.file.http.port, dict, lambda: _not_ready(store)),
        suppress(Interrupted),
    ):
        said = False
        while not clock.stopping:
            parts = Parts(config, clock)
            try:
                patiently(clock, "store", parts.prepare)
                if not said:
                    beat = Beat(store, f"serve-{os.getpid()}", "serve", lambda: 0, clock)
                    threading.Thread(target=beat.run, name="beat-serve", daemon=True).start()
                _answer(parts, clock, listener, quietly=said)
            finally:
                parts.close()
            said = True
    store.close()


def _answer(parts: Parts, clock: SystemClock, listener: socket.socket, quietly: bool) -> None:
    """Answer until we are asked to stop, or other documents are in force. Who calls in between waits: the listening
    socket stays open, and only a copy of it is closed with the server."""
    app: Any = parts.application()
    changed = threading.Event()
    threading.Thread(target=watching(parts, ["serve"], changed.set), name="documents", daemon=True).start()
    server = Patient(
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
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener.dup()]}, name="serve", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        clock.wait(0.05)
        if clock.stopping:
            break
    if server.started and not quietly:
        typer.echo(f"The console answers at {_address(listener)}{'' if parts.config.file.desk.cases else _NO_CASES}")
        patiently(clock, "store", lambda: _greet(parts, _address(listener)))
    while not clock.wait(0.2) and thread.is_alive() and not changed.is_set():
        pass
    server.should_exit = True
    thread.join(LEAVE_SECS + 2)
    if not clock.stopping and not changed.is_set():
        raise Stop("the server ended by itself; its last message says why")


class Patient(uvicorn.Server):
    """Hears out whom it has taken in already: uvicorn closes a connection on which nothing was asked yet, and who had
    just called would have no answer."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody in any more, let those who came ask, and stop."""
        for server in self.servers:
            server.close()
        end = asyncio.get_running_loop().time() + ASK_SECS
        await asyncio.sleep(ASK_SECS / 20)  # what was accepted becomes a connection
        while self._unasked() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(ASK_SECS / 20)
        await super().shutdown(sockets)

    def _unasked(self) -> bool:
        return any(getattr(it, "cycle", None) is None for it in self.server_state.connections)


_NO_CASES = " (desk.cases is off: mentions become no cases)"


def _greet(parts: Parts, address: str) -> None:
    """Show whoever started this how to come in, as long as nobody has a password: a link that works once. Only where
    this machine alone hears us, since whoever reads this terminal may come in as an administrator."""
    accounts = parts.accounts
    known = accounts.users(limit=2)
    if len(known) > 1 or (known and (known[0].has_password or known[0].disabled_at)):
        return
    if not ip_address(parts.config.file.serve.host).is_loopback:
        typer.echo("Nobody can sign in yet. Make the first account: harken users add NAME --role admin")
        return
    first = known[0] if known else accounts.add_user(FIRST, FIRST_ROLES, "system:serve")[0]
    link = accounts.link(first.id, "system:serve").get_secret_value()
    typer.echo(f"Open it as {first.name}, once, within a quarter of an hour: {address}/welcome/{link}")


def _not_ready(store: Store) -> dict[str, str]:
    try:
        store.ping()
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
