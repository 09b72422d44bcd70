"""The rss connector against a real nginx: ETag, Last-Modified, 304, gzip, 301, 410, 429 with Retry-After, slow body."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from connectors.rss import Config, Connector
from pipeline.clock import ManualClock
from pipeline.mention import Mention
from pipeline.ports import Context, Page
from tests.fixtures.feeds import item, rss

CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  types {{ application/rss+xml rss; }}
  log_format short '$uri $status $sent_http_content_encoding';
  access_log {folder}/access.log short;
  gzip on; gzip_types application/rss+xml; gzip_min_length 1;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  limit_req_zone $binary_remote_addr zone=few:1m rate=1r/m;
  server {{
    listen 127.0.0.1:{port};
    root {folder};
    location = /moved.rss {{ return 301 /feed.rss; }}
    location = /gone.rss {{ return 410; }}
    location = /limited.rss {{
      limit_req zone=few; limit_req_status 429; add_header Retry-After 700 always; try_files /feed.rss =404;
    }}
    location = /slow.rss {{ limit_rate 50; try_files /feed.rss =404; }}
  }}
}}
"""


class Nginx:
    def __init__(self, folder: Path) -> None:
        program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
        if program is None:
            pytest.fail("this test needs nginx: install it (Debian: apt-get install nginx-light)")
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "feed.rss").write_bytes(rss(*[item(str(number), f"Parcel {number}") for number in range(20)]))
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=self.port))
        self.process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])

    def ready(self) -> None:
        for _ in range(500):
            assert self.process.poll() is None, "nginx ended at once: see its words above"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail("nginx does not answer")

    def log(self) -> list[str]:
        return (self.folder / "access.log").read_text().split("\n")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path)
    try:
        server.ready()
        yield server
    finally:
        server.process.terminate()
        server.process.wait(timeout=10)


def answers(url: str, clock: ManualClock, cursor: str | None, **settings: Any) -> Page:
    config = Config(urls=[url], allow_private=True, **settings)
    with closing(cast(Any, Connector(config, Context("news", (), clock)).pages(cursor))) as pages:
        return next(page for page in cast(Iterator[Page], pages) if page.cursor is not None)


def mentions(page: Page) -> int:
    return sum(isinstance(found, Mention) for found in page.items)


def test_a_compressed_feed_is_read_once_and_then_answers_304(nginx: Nginx) -> None:
    clock = ManualClock()
    first = answers(nginx.url("/feed.rss"), clock, None)
    clock.advance(300)
    second = answers(nginx.url("/feed.rss"), clock, first.cursor)
    assert (mentions(first), mentions(second), second.heard) == (20, 0, True)
    assert nginx.log()[:2] == ["/feed.rss 200 gzip", "/feed.rss 304 -"]


def test_a_moved_feed_is_asked_at_its_new_place(nginx: Nginx) -> None:
    clock = ManualClock()
    first = answers(nginx.url("/moved.rss"), clock, None)
    clock.advance(300)
    answers(nginx.url("/moved.rss"), clock, first.cursor)
    assert mentions(first) == 20
    assert [line.split()[:2] for line in nginx.log() if line] == [
        ["/moved.rss", "301"],
        ["/feed.rss", "200"],
        ["/feed.rss", "304"],
    ]


def test_a_gone_feed_ends(nginx: Nginx) -> None:
    config = Config(urls=[nginx.url("/gone.rss")], allow_private=True)
    assert len(list(Connector(config, Context("news", (), ManualClock())).pages(None))) >= 1


def test_a_limited_feed_is_asked_again_when_it_said(nginx: Nginx) -> None:
    clock = ManualClock()
    first = answers(nginx.url("/limited.rss"), clock, None, interval_seconds=1)
    assert mentions(first) == 20
    clock.advance(1)
    with structlog.testing.capture_logs() as logs:
        answers(nginx.url("/limited.rss"), clock, first.cursor, interval_seconds=1)
    assert [(line["reason"], line["retry_secs"]) for line in logs] == [("HTTP 429", 700.0)]


def test_a_feed_that_drips_is_given_up(nginx: Nginx) -> None:
    with structlog.testing.capture_logs() as logs:
        answers(nginx.url("/slow.rss"), ManualClock(), None, timeout_seconds=1)
    assert [line["reason"] for line in logs] == ["no whole answer within 1 seconds"]
