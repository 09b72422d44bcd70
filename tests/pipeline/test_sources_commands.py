"""`harken sources` and `harken gaps`, as the operator types them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.ports import Gap, Usage
from pipeline.store import Store
from tests.pipeline.test_commands import Shell
from tests.store.samples import taken

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(
        tmp_path,
        store={"url": f"sqlite:///{tmp_path}/harken.db"},
        sources={"news": {"type": "rss", "urls": ["https://example.org/feed.xml"], "recheck": {"per_hour": 0}}},
    )
    store = Store(f"sqlite:///{tmp_path}/harken.db", SystemClock())
    store.upgrade()
    hour = timedelta(hours=1)
    lost = Gap(NOW - 3 * hour, NOW - 2 * hour, "the line was\x1b[31m cut")
    again = Gap(NOW - 2.5 * hour, NOW - 1.5 * hour, "the line was cut again")
    found = Gap(NOW - 9 * hour, NOW - 8 * hour, "a restart", repaired=True, note="by search")
    usage = [Usage("requests", 90, 100, NOW + hour), Usage("USD", 1.5, 100)]
    store.take_in("news", "1", [taken("rss:1")], gaps=[lost, again, found], usage=usage)
    store.close()
    return made


def test_each_source_tells_what_it_brought_what_is_left_and_how_long_it_was_not_heard(shell: Shell) -> None:
    (source,) = json.loads(shell.run("sources", "--json"))
    assert (source["source"], source["type"], source["enabled"]) == ("news", "rss", True)
    assert (source["open_gaps"], source["open_gap_secs"]) == (2, 5400)
    assert source["usual_24h"] is None
    assert [(it["unit"], it["used"], it["left"]) for it in source["usage"]] == [
        ("USD", 1.5, 98.5),
        ("requests", 90, 10),
    ]
    shown = shell.run("sources")
    assert "90 of 100 requests" in shown
    assert "1.50 of 100.00 USD" in shown


def test_gaps_are_listed_with_their_reason_and_whether_they_were_repaired(shell: Shell) -> None:
    assert [it["repaired_at"] is None for it in json.loads(shell.run("gaps", "--json"))] == [True, True, False]
    assert [it["reason"] for it in json.loads(shell.run("gaps", "--json", "--since", "5h"))] == [
        "the line was cut again",
        "the line was\x1b[31m cut",
    ]
    shown = shell.run("gaps", "--open")
    assert "\x1b" not in shown
    assert "2 gaps, 2 open: 1:30:00 not heard." in shown
    assert "No gap" in shell.run("gaps", "--since", "1h")


def test_a_source_that_does_not_exist_is_named_with_those_that_do(shell: Shell) -> None:
    assert "news" in shell.run("gaps", "--source", "nwes", status=2)
