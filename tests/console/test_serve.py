"""`harken serve` from outside: a process, its address, its stream, and how it leaves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from console.api.schemas import V1
from pipeline.clock import SystemClock
from pipeline.config import ServeSettings
from pipeline.store import Store
from tests.console.build import House
from tests.desk.staff import PASSWORD

pytestmark = pytest.mark.long


class Served:
    """One `harken serve` on a free port, and a store to look into from here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = {
            "brands": {"acme": {"terms": ["acme"]}},
            "store": {"url": f"sqlite:///{folder}/store.db"},
            "desk": {"cases": True},
            "serve": {"port": 0},
            "http": {"port": 0},
            "log": {"format": "json"},
        }
        (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        self.url = ""
        self.process = self.start()

    def begin(self) -> None:
        """Wait until it says where it is."""
        first = self.line()
        assert first.startswith("The console answers at http://127.0.0.1:"), first + self.log()
        self.url = first.removeprefix("The console answers at ")

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipeline.cli", "--config", "config.yaml", "serve", *options]
        with (self.folder / "serve.log").open("ab") as log:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.folder)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def log(self) -> str:
        return (self.folder / "serve.log").read_text(encoding="utf-8")

    def leave(self) -> int:
        """SIGTERM; TimeoutExpired after the ten seconds that supervisors allow."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def close(self) -> None:
        """Kill it where it still runs."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served"))
    try:
        served.begin()
        yield served
    finally:
        served.close()


def test_a_port_that_is_taken_is_said_with_a_remedy(served: Served) -> None:
    port = served.url.rpartition(":")[2]
    second = served.start("--port", port)
    assert second.wait(120) == 2
    assert second.stdout is not None
    second.stdout.close()
    assert f"port {port}" in served.log()
    assert "serve.port" in served.log()


def test_people_sign_in_hear_what_happens_and_it_leaves_in_time(served: Served) -> None:
    link = served.line().rpartition(": ")[2]
    with httpx2.Client(base_url=served.url, timeout=30) as first:
        assert first.post(link).headers["location"] == "/"
        assert first.get("/me").status_code == 200
        assert first.post(link).status_code == 422, "it works once"
    store = Store(f"sqlite:///{served.folder}/store.db", SystemClock())
    room = House(store, SystemClock())  # type: ignore[arg-type] # a test moves that clock; this one moves by itself
    ana = room.person("ana")
    with httpx2.Client(base_url=served.url, timeout=30) as client:
        assert client.get("/healthz").json() == client.get("/readyz").json() == {"ok": True}
        signed_in = client.post(f"{V1}/session", json={"name": "ana", "password": PASSWORD})
        assert signed_in.status_code == 200
        assert client.get(f"{V1}/me").json()["user"]["id"] == ana.id
        with client.stream("GET", f"{V1}/events") as stream:
            lines = stream.iter_lines()
            case = room.room.say("test:1", text="nobody may read this in a log")
            told = next(json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
            assert (told["case"], told["kind"], told["queue"]) == (case.id, "opened", "service")
            assert served.leave() == 0
            assert [line for line in lines if line.startswith("data: ")] == []
    store.close()
    log = served.log()
    assert '"route": "/api/v1/session"' in log
    secrets = ("nobody may read this", PASSWORD, signed_in.json()["csrf"], "harken_session_", "harken_link_")
    assert not any(it in log for it in secrets)
    assert '"level": "error"' not in log


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    assert socket.getaddrinfo(ServeSettings().host, None)[0][4][0] == "127.0.0.1"


@pytest.mark.parametrize(
    "url", ["desk.example.org", "https://desk.example.org/harken", "ftp://desk.example.org", "https://"]
)
def test_a_public_url_that_is_no_origin_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="without a path"):
        ServeSettings(public_url=url)


def test_a_provider_needs_a_public_url_and_tls() -> None:
    secret = {"client_id": "harken", "client_secret": "hush"}
    with pytest.raises(ValueError, match="https"):
        ServeSettings.model_validate(
            {"public_url": "https://d.example", "oidc": {"issuer": "http://id.example"} | secret}
        )
