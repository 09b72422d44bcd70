"""Where answers go: a server that takes them as the receiver of the webhook connector does, and is not always well.

It is the judge of what went out: it keeps every post it was sent, and what it made of it.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MOODS = ("well",) * 82 + ("busy",) * 8 + ("lost for words",) * 5 + ("unwilling",) * 5
"""How it takes a post. busy: not now, come again. lost for words: it has it, and fails to say so. unwilling: never."""

BUSY_SECS = 6
"""When to come again, by the clock of those who answer."""


@dataclass(frozen=True)
class Post:
    """One request: the key, what it answers, its words, whether customers can read it now, and whether we said so.
    `began_at` is when its sender made sure that it may go out; None where that is not known."""

    key: str
    mention: str
    text: str
    kept: bool
    told: bool
    began_at: datetime | None


class Platform:
    """The server. `began` tells when the sender of a key looked last whether it may go out."""

    def __init__(self, seed: int, began: Callable[[str], datetime | None]) -> None:
        self.posts: list[Post] = []
        self.calm = False
        self._dice = random.Random(seed)  # noqa: S311 - nothing secret
        self._began = began
        self._ids: dict[str, str] = {}
        self._lock = threading.Lock()
        self._back: list[tuple[str, str, str]] = []
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its address, while it runs."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}/answers"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve on a free port of this machine."""
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                """Take one answer."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = platform.take(body)
                said = json.dumps(answer).encode()
                self.send_response(status)
                if status == 503:
                    self.send_header("Retry-After", str(BUSY_SECS))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="platform", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def take(self, body: dict[str, str]) -> tuple[int, dict[str, str]]:
        """What becomes of one post: the status, and what is said."""
        key, mention = body["key"], body["mention"]
        began_at = self._began(key)
        with self._lock:
            mood = "well" if self.calm else self._dice.choice(MOODS)
            known = key in self._ids
            if known and mood == "unwilling":
                mood = "well"  # what it has it does not refuse
            kept = mood in ("well", "lost for words")
            if kept and not known:
                self._ids[key] = f"answer-{len(self._ids) + 1}"
                self._back.append((mention, self._ids[key], body["text"]))
            self.posts.append(Post(key, mention, body["text"], kept, mood == "well", began_at))
        if mood == "well":
            return 200, {"id": self._ids[key]}
        status = {"busy": 503, "lost for words": 500, "unwilling": 403}[mood]
        return status, {"error": mood}

    def came_back(self) -> list[tuple[str, str, str]]:
        """What was answered since the last call, as it comes back on the stream: the mention that was answered, the
        answer's id here, its words."""
        with self._lock:
            back, self._back = self._back, []
        return back
