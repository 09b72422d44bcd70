"""The command from outside, on the embedded default: what a newcomer and an operator type."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pipeline.supervise import SUPERVISED
from tests.fixtures.in_process import Done, run_here

BRAND = {"acme": {"terms": ["acme"], "exclude": ["acme of perfection"]}}


class Shell:
    """Runs harken in a directory of its own."""

    def __init__(self, directory: Path, **config: Any) -> None:
        self.directory = directory
        self.configure(**config)

    def configure(self, **config: Any) -> None:
        settings = {"brands": BRAND, "http": {"port": 0}, "serve": {"port": 0}, **config}
        (self.directory / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")

    def write(self, name: str, content: str | bytes) -> str:
        path = self.directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pipeline.cli", *arguments]

    def run(self, *arguments: str, status: int = 0, typed: str = "") -> str:
        """What it prints, with its errors where it is to fail."""
        return self._answer(run_here(arguments, self.directory, self.environment, typed), arguments, status)

    def process(self, *arguments: str, status: int = 0, typed: str = "") -> str:
        """The same by a process of its own."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.directory, env=self.environment,
            input=typed, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return self._answer(Done(done.returncode, done.stdout, done.stderr), arguments, status)

    def _answer(self, done: Done, arguments: tuple[str, ...], status: int) -> str:
        assert done.status == status, f"{arguments}: {done.status}\n{done.stdout}\n{done.stderr}"
        return done.stdout if status == 0 else done.stdout + done.stderr

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status).splitlines()[-1])

    @property
    def environment(self) -> dict[str, str]:
        hidden = {"HARKEN_CONFIG", SUPERVISED}
        return {key: value for key, value in os.environ.items() if key not in hidden} | {"COLUMNS": "100"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def line(id: str, text: str, **fields: Any) -> str:
    made = {"id": id, "text": text, "author": "ana", "created_at": "2026-01-05T09:00:00Z", **fields}
    return json.dumps(made) + "\n"


def removal(id: str) -> str:
    return json.dumps(
        {
            "schema": "removal/1",
            "source": id.partition(":")[0],
            "mention": id,
            "reason": "deleted",
            "noticed_at": "2026-01-05T10:00:00Z",
        }
    )


CSV = b"""id,text,author_id,created_at
1,acme lost my parcel and nobody answers!,ana,Tue Oct 31 23:36:20 +0000 2017
2,,ana,2026-01-05T09:00:00Z
3,not \xff utf-8,ana,2026-01-05T09:00:00Z
4,"two
lines about acme",ben,2026-01-05T09:00:00Z
5,a bad date,ben,last Tuesday
6,nul \x00 byte,ben,2026-01-05T09:00:00Z
7,I love acme,cid,2026-01-05T09:00:00Z
"""
MAP = ("--map", "id=id", "--map", "text=text", "--map", "author=author_id", "--map", "created_at=created_at")


def test_a_file_goes_through_to_completion_and_again_changes_nothing(shell: Shell) -> None:
    file = shell.write("mentions.csv", CSV)
    first = shell.json("ingest", file, *MAP, "--source", "tickets", "--brand", "unheard-of")
    assert {key: first[key] for key in ("read", "taken_in", "queued", "dead", "removed", "in_flight", "balanced")} == {
        "read": 7, "taken_in": 7, "queued": 3, "dead": 4, "removed": 0, "in_flight": 0, "balanced": True,
    }  # fmt: skip
    before = shell.json("ledger")
    again = shell.json("ingest", file, *MAP, "--source", "tickets", "--brand", "unheard-of")
    assert again["new"] == 0
    assert {**again, "seconds": 0, "new": 0} == {**first, "seconds": 0, "new": 0}
    assert shell.json("ledger") == before
    letters = {letter["place"]: letter["reason"] for letter in shell.json("dead", "list")}
    assert list(letters) == ["line 3", "line 4", "line 7", "line 8"]


def test_each_figure_of_the_ledger_is_explained(shell: Shell) -> None:
    shell.run("ingest", shell.write("mentions.csv", CSV), *MAP, "--source", "tickets", "--brand", "acme")
    assert "balanced" in shell.run("ledger")
    (first, *_) = shell.json("queue", "list", "service")
    told = " ".join(shell.run("explain", first["id"]).split())
    for part in ("Taken in", "acme lost my parcel", "complaint", "Decided", "queue service", "because"):
        assert part in told
    assert shell.json("explain", first["id"])["routed"]["decision"]["queue"] == "service"
    assert "no such mention" in shell.run("explain", "tickets:999", status=2)
    assert "did you mean service" in shell.run("queue", "list", "servise", status=2)
    assert "Queue service" in shell.run("summary")
    assert shell.json("status")["dead_letters"] == 4


def test_a_lost_mention_unbalances_the_ledger(shell: Shell) -> None:
    shell.run("ingest", shell.write("mentions.csv", CSV), *MAP, "--source", "tickets", "--brand", "acme")
    with sqlite3.connect(shell.directory / "var/harken.db") as database:
        database.execute("DELETE FROM mentions WHERE id = 'tickets:7'")
    database.close()
    found = json.loads(shell.run("ledger", "--json", status=1).splitlines()[0])
    assert (found["balanced"], found["missing"]) == (False, 1)
    assert "tickets:7" in shell.run("ledger", status=1)
    file = str(shell.directory / "mentions.csv")
    shell.run("ingest", file, *MAP, "--source", "tickets", "--brand", "acme", status=1)
    shell.run("ledger", "--release-missing", status=1)
    shell.run("ingest", file, *MAP, "--source", "tickets", "--brand", "acme")
    assert shell.json("ledger")["balanced"]


def test_a_removal_withdraws_a_mention_from_every_file_we_wrote(shell: Shell) -> None:
    shell.configure(sinks={"archive": {"type": "jsonl", "path": "var/out/{day}.jsonl"}})
    text = "acme sold my secretphrase to a stranger"
    shell.run("ingest", shell.write("one.jsonl", line("t:1", text) + line("t:2", "acme is fine")), "--source", "t")
    assert _files_with(shell, b"secretphrase")
    shell.run("ingest", shell.write("two.jsonl", removal("t:1")), "--source", "t")
    assert _files_with(shell, b"secretphrase") == []
    assert shell.json("ledger")["removed"] == 1
    assert "Removed" in shell.run("explain", "t:1")
    shell.run("ingest", str(shell.directory / "one.jsonl"), "--source", "t")
    assert _files_with(shell, b"secretphrase") == []


def _files_with(shell: Shell, text: bytes) -> list[str]:
    return [str(path) for path in (shell.directory / "var").rglob("*") if path.is_file() and text in path.read_bytes()]


def test_a_hostile_text_is_stored_and_shown_harmlessly(shell: Shell) -> None:
    hostile = "acme [red]<script>alert(1)</script>\x1b[2J\u202e {{7*7}} '; DROP TABLE mentions; -- =cmd|' /C calc'!A0"
    shell.run("ingest", shell.write("one.jsonl", line("t:1", hostile)), "--source", "t", "--brand", "acme")
    shown = shell.run("explain", "t:1")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[red]<script>" in shown
    assert shell.json("explain", "t:1")["routed"]["mention"]["text"] == hostile


def test_new_rules_are_tried_on_history_and_move_nothing(shell: Shell) -> None:
    shell.run(
        "ingest",
        shell.write("one.jsonl", line("t:1", "acme lost my parcel, awful", created_at=_now())),
        "--source", "t",
    )  # fmt: skip
    rules = shell.write(
        "new.yaml",
        "version: '2'\nqueues: [service, marketing]\nrules:\n"
        "  - {name: all to marketing, when: always, queue: marketing}\n",
    )
    found = shell.json("route", "diff", "--rules", rules, "--since", "7d")
    assert (found["total"], found["moved"]) == (1, 1)
    assert "service" in shell.run("route", "diff", "--rules", rules)
    assert len(shell.json("queue", "list", "service")) == 1


def test_rules_have_tests_that_are_data(shell: Shell) -> None:
    good = "- name: praise\n  mention: {text: well done}\n  tags: {brand: acme}\n  expect: {rule: default}\n"
    assert "1 passed, 0 failed" in shell.run("route", "test", shell.write("good.yaml", good))
    bad = good.replace("rule: default", "queue: service, rule: spam")
    assert "0 passed, 1 failed" in shell.run("route", "test", shell.write("bad.yaml", bad), status=1)


def test_a_dead_letter_is_shown_discarded_and_counted(shell: Shell) -> None:
    shell.run("ingest", shell.write("mentions.csv", CSV), *MAP, "--source", "tickets", "--brand", "acme")
    first, *rest = (letter["id"] for letter in shell.json("dead", "list"))
    assert "no text" in shell.run("dead", "show", first)
    assert "say why" in shell.run("dead", "discard", first, status=2)
    shell.run("dead", "discard", first, "--why", "an empty row")
    found = shell.json("ledger")
    assert (found["dead"], found["filtered_by_reason"]["discarded"], found["balanced"]) == (len(rest), 1, True)
    assert "not a dead letter" in shell.run("dead", "retry", first, status=2)


def test_a_dead_letter_is_tried_again_by_its_connector(shell: Shell) -> None:
    file = shell.write("feed.jsonl", line("f:1", "acme is fine") + line("f:2", ""))
    shell.configure(sources={"file": {"type": "replay", "path": file}})
    _run_until_drained(shell)
    (letter,) = shell.json("dead", "list")
    assert "still unreadable" in shell.run("dead", "retry", letter["id"])


def test_the_configuration_is_checked_whole(shell: Shell) -> None:
    assert "sound" in shell.run("check")
    shell.configure(sources={"x": {"type": "rplay"}}, enrich={"intent": {}}, routing={"rules": "none.yaml"})
    shown = shell.run("check", status=2)
    assert "did you mean replay" in shown
    shell.configure(enrich={"urgency": {}, "sentiment": {}}, routing={"rules": "none.yaml"})
    shown = shell.run("check", status=2)
    assert "none.yaml" in shown
    assert "enrich.stages" in shown


def test_topics_and_schema(shell: Shell) -> None:
    assert "mentions.raw" in shell.run("topics", "apply")
    assert shell.run("topics", "apply").strip() == "nothing to change"
    shell.run("schema", "--out", str(shell.directory / "schema"))
    assert json.loads((shell.directory / "schema/asyncapi.json").read_text())["asyncapi"] == "3.0.0"
    assert "schema" in json.loads(shell.run("schema"))


def test_an_unknown_role_or_source_is_refused_with_the_nearest_name(shell: Shell) -> None:
    assert "did you mean enrich" in shell.run("run", "enrish", status=2)
    assert "no such source" in shell.run("run", "collect", "--source", "nowhere", status=2)


def test_a_source_that_is_refused_for_good_is_named_and_not_tried_again(shell: Shell) -> None:
    shell.configure(sources={"file": {"type": "replay", "path": "nowhere.csv"}})
    assert "nowhere.csv" in shell.run("run", "collect", status=3)


def test_up_runs_every_role_and_leaves_within_ten_seconds(shell: Shell) -> None:
    file = shell.write("feed.jsonl", "".join(line(f"f:{number}", f"acme {number}") for number in range(300)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shell.configure(sources={"file": {"type": "replay", "path": file}}, http={"port": port})
    with _running(shell, "up") as process:
        _until(lambda: shell.json("ledger")["queued"] == 300)
        roles = {role["role"]: role["processes"] for role in shell.json("status")["roles"]}
        assert roles == {"enrich": 1, "route": 1, "deliver": 1}
        assert _get(port + 1, "/healthz") == 200
        _until(lambda: _get(port + 1, "/readyz") == 200)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - asked < 12
    assert shell.json("ledger")["balanced"]


def test_a_killed_supervisor_takes_its_children_along(shell: Shell) -> None:
    with _running(shell, "up") as process:
        _until(lambda: len(_children(process.pid)) >= 4)  # collect has no source and finishes
        children = _children(process.pid)
        process.kill()
        process.wait()
        _until(lambda: not any(_alive(pid) for pid in children))


def test_a_mention_pushed_by_http_is_durable_when_it_is_answered_and_then_queued(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "a-secret-of-sufficient-length"  # noqa: S105 - it guards nothing
    monkeypatch.setenv("PUSH_SECRET", secret)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shell.configure(sources={"push": {"type": "webhook", "port": port, "secret": "${PUSH_SECRET}"}})
    body = line("1", "acme lost my parcel, where is it?").encode()
    stamp = str(int(time.time()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Harken-Timestamp": stamp, "X-Harken-Signature": f"sha256={signature}"}
    with _running(shell, "run", "collect"):
        _until(lambda: _post(port, body, headers) == 202)
        assert _post(port, body, headers) == 202
        assert _post(port, body, headers | {"X-Harken-Signature": "sha256=00"}) == 401
    assert shell.json("ledger")["in_flight"] == 1
    with _running(shell, "run", "enrich", "route", "deliver"):
        _until(lambda: shell.json("ledger")["queued"] == 1)
    assert secret not in (shell.directory / "log").read_text()


def test_metrics_are_served(shell: Shell) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shell.configure(http={"port": port})
    with _running(shell, "run", "route"):
        _until(lambda: _get(port, "/readyz") == 200)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b"harken_handled_total" in answer.read()


class _running:
    def __init__(self, shell: Shell, *arguments: str) -> None:
        log = (shell.directory / "log").open("wb")
        self.process = subprocess.Popen(
            shell.command(*arguments), cwd=shell.directory, stderr=log, stdout=log, env=shell.environment
        )
        log.close()

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)


def _post(port: int, body: bytes, headers: dict[str, str]) -> int:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/mentions", body, headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - an address of ours
            return int(answer.status)
    except OSError as error:
        return getattr(error, "code", 0)


def _run_until_drained(shell: Shell) -> None:
    with _running(shell, "run", "collect", "enrich", "route", "deliver"):
        _until(lambda: shell.json("ledger")["taken_in"] > 0 and shell.json("ledger")["in_flight"] == 0)


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "did not happen within a minute"
        time.sleep(0.2)


def _get(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except OSError as error:
        return getattr(error, "code", 0)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()
