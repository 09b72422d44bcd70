"""`harken terms preview`: what a change of a brand's terms would mean, on what is stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.store import Store
from tests.pipeline.test_commands import Shell
from tests.store.samples import routed, taken

NOW = datetime.now(UTC)
TEXTS = (
    "acme lost my parcel",
    "Acme of perfection, this cake",
    "the widget from acme is great",
    "my widget broke again",
    "@acmecare hello",
    "a widget factory",
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    url = f"sqlite:///{tmp_path}/harken.db"
    made = Shell(tmp_path, store={"url": url})
    store = Store(url, SystemClock())
    store.upgrade()
    for number, text in enumerate(TEXTS):
        it = routed(f"test:{number}", text=text, via="push", created_at=NOW - timedelta(days=number))
        store.take_in("push", None, [taken(it)])
        store.deliver([it], [])
    store.close()
    return made


def preview(shell: Shell, *options: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(shell.run("terms", "preview", "acme", "--json", *options))
    return found


def test_a_new_term_tells_what_it_would_have_gained(shell: Shell) -> None:
    found = preview(shell, "--add", "widget")
    assert (found["read"], found["before"], found["after"], found["gained"], found["lost"]) == (6, 2, 4, 2, 0)
    assert found["terms"] == {
        "acme": {"mentions": 2, "new": 0, "examples": []},
        "widget": {"mentions": 3, "new": 2, "examples": ["test:3", "test:5"]},
    }
    assert found["sources"] == {"push": 4}


def test_context_exclusions_handles_and_time_narrow_or_widen_it(shell: Shell) -> None:
    assert preview(shell, "--add", "widget", "--context", "broke")["after"] == 1
    assert preview(shell, "--exclude", "widget from acme")["lost_examples"] == ["test:2"]
    assert preview(shell, "--add", "@acmecare")["gained"] == 1
    assert preview(shell, "--add", "widget", "--since", "36h")["read"] == 2
    some = preview(shell, "--add", "widget", "--most", "2")
    assert (some["read"], some["whole"]) == (2, False)
    assert "Older ones than" in shell.run("terms", "preview", "acme", "--most", "2")


def test_what_a_paid_platform_would_be_asked_and_would_bill_is_told(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.configure(
        store={"url": f"sqlite:///{shell.directory}/harken.db"},
        sources={"push": {"type": "x", "bearer_token": "${X_TOKEN}", "price_per_post_usd": 0.01}},
    )
    monkeypatch.setenv("X_TOKEN", "t0ken")
    found = preview(shell, "--add", "widget")
    assert found["usd_month"] == {"push": pytest.approx(0.24, rel=0.01)}  # 4 in the 5 days that are stored
    assert found["queries"] == {"push": [{"query": '("acme" OR "widget")', "place": "", "note": ""}]}
    shown = shell.run("terms", "preview", "acme", "--add", "widget")
    assert "0.24 USD in 30 days" in shown
    assert "t0ken" not in shown


def test_what_is_not_a_term_cannot_be_removed_and_a_brand_needs_one(shell: Shell) -> None:
    assert "acme" in shell.run("terms", "preview", "acme", "--remove", "amce", status=2)
    assert "--add" in shell.run("terms", "preview", "acme", "--remove", "acme", status=2)
    assert "Globex" in shell.run("terms", "preview", "Globex", "--add", "globex")
