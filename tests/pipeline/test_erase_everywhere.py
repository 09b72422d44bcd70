"""An installation in which everything was used that could hold a person, and what `harken erase` leaves of them: every
byte of every file under it is searched, the logs that harken wrote among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from desk.audit import Audit, Event
from desk.cases import Cases
from desk.crm import Crm
from desk.crm_table import CrmTable
from desk.desk import Desk
from desk.drafts import Drafts
from desk.facts import Facts
from desk.handling import By
from desk.links import Links
from pipeline.clock import SystemClock
from pipeline.store.database import Database
from pipeline.store.tables import metadata
from tests.fixtures.in_process import run_here
from tests.pipeline.test_commands import Shell, line
from tests.sinks.receiver import SECRET, Receiver, receiving

pytestmark = pytest.mark.long


ZELDA = {"id": "u-98761", "handle": "zelda_q", "name": "Zelda Quince", "url": "https://t.example/zelda_q"}
AUTHOR = "t:u-98761"
THEIRS = (b"u-98761", b"zelda_q", b"zelda quince", b"violet")
"""Their id, handle (and address), name, and a word of theirs, in small letters."""


def said(own: bool = True) -> str:
    theirs = "".join(
        line(
            f"t:{number}", f"acme lost my violet parcel {number}, awful", author=ZELDA, conversation=f"t:{number // 3}"
        )
        for number in range(9)
    )
    broken = line("t:90", "acme lost my violet parcel", author=ZELDA, created_at="zelda_q, Tuesday")
    answer = line(
        "t:70", "@zelda_q we are sorry", author={"id": "brand", "handle": "acme"}, own=True, parent="t:0",
        conversation="t:0",
    )  # fmt: skip
    return theirs + line("t:50", "acme lost my parcel, awful", author="bob") + broken + (answer if own else "")


@contextmanager
def installation(directory: Path, receiver: Receiver, **config: Any) -> Iterator[Shell]:
    """A configuration with the desk, a folder of files and a webhook, whose roles log everything they log."""
    shell = Shell(directory)
    shell.configure(
        brands={"acme": {"terms": ["acme"], "own_accounts": {"t": ["brand"]}}},
        desk={"cases": True},
        sinks={
            "archive": {"type": "jsonl", "path": "var/out/{day}.jsonl"},
            "crm": {"type": "webhook", "url": receiver.url, "secret": "${SECRET}"},
        },
        log={"level": "debug", "format": "json"},
        **config,
    )
    yield shell


def run(shell: Shell, *arguments: str) -> str:
    """Run a command and keep what it logged in the installation's folder."""
    environment = shell.environment | {"SECRET": SECRET}
    done = run_here(arguments, shell.directory, environment)
    logs = shell.directory / "var" / "harken.log"
    logs.parent.mkdir(exist_ok=True)
    with logs.open("a", encoding="utf-8") as file:
        file.write(done.stderr)
    assert done.status == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def work(database: Database, folder: Path) -> None:
    """A day at the desk: their case is worked in every way, and named in another's."""
    clock = SystemClock()
    cases, links = Cases(database, clock), Links(database, clock)
    theirs, bobs = (str(cases.case_of(id)) for id in ("t:0", "t:50"))
    for id, words in ((theirs, "angry"), (bobs, "knows zelda_q")):
        by = By("user:ana", cases.claim(id, "user:ana").lease.token)
        cases.note(id, by, f"{words}: a thing of @zelda_q")
        cases.tag(id, by, ["parcel", "zelda_q"])
        cases.ask(id, by, "is zelda_q one of yours?", queue="marketing")
        cases.escalate(id, by, "zelda_q again")
        cases.snooze(id, by, datetime.now(UTC) + timedelta(days=1))
        Drafts(database, clock, cases, Desk()).write(id, by, "Dear Zelda Quince, like @zelda_q you wait")
        with database.write() as transaction:
            cases.reply_queued(transaction, id, by, "draft", f"key-{id}")
        with database.write() as transaction:
            cases.reply_failed(transaction, id, "system:sender", f"key-{id}", "zelda_q has blocked you")
        cases.transfer(id, by, "marketing", "zelda_q is an influencer", wrong_route=True)
    links.link(AUTHOR, "x:4711", "she signs as zelda_q in both", "user:ana")
    table = folder / "crm-of-somebody-else.csv"
    table.write_text("account,segment,value\nt:@zelda_q,gold,12\nt:bob,tin,1\n")
    Crm(database, clock, CrmTable(csv=table)).refresh()
    table.unlink()
    Facts(database, clock).follow()
    Audit(database, clock).note(Event("user:ana", "customer.seen", AUTHOR), Event("user:ana", "case.seen", theirs))


def found_in_files(folder: Path) -> dict[str, list[bytes]]:
    """Every file in the folder with what it still holds of the person but for the tombstone."""
    held = {}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes().lower().replace(f"author:{AUTHOR}".encode(), b"")
            if words := [word for word in THEIRS if word in data]:
                held[str(path.relative_to(folder))] = words
    return held


def found_in_tables(database: Database) -> dict[str, list[bytes]]:
    """Every table with what a column of it still holds of the person but for the tombstone."""
    held: dict[str, list[bytes]] = {}
    for table in metadata.sorted_tables:
        with database.read() as transaction:
            rows = transaction.run(select(table)).all()
        data = repr([tuple(row) for row in rows]).lower().encode().replace(f"author:{AUTHOR}".encode(), b"")
        if words := [word for word in THEIRS if word in data]:
            held[table.name] = words
    return held


def erase(shell: Shell, database: Database) -> dict[str, Any]:
    """Fill the installation, see that the person is everywhere, erase them; what the command says of it."""
    (shell.directory / "mentions.jsonl").write_text(said())
    run(shell, "ingest", "mentions.jsonl", "--source", "t")
    (shell.directory / "mentions.jsonl").unlink()
    work(database, shell.directory)
    everywhere = set(found_in_tables(database))
    assert everywhere >= {
        "audit", "case_authors", "case_events", "case_facts", "case_tags", "cases", "corrections", "crm",
        "dead_letters", "drafts", "handles", "links", "mentions", "persons",
    }  # fmt: skip
    assert any(name.endswith(".jsonl") for name in found_in_files(shell.directory))
    report: dict[str, Any] = json.loads(run(shell, "erase", AUTHOR, "--yes", "--json").splitlines()[-1])
    return report


def test_no_file_of_an_installation_holds_them_after_an_erasure(tmp_path: Path) -> None:
    with receiving() as receiver, installation(tmp_path, receiver) as shell:
        database = Database(f"sqlite:///{tmp_path}/var/harken.db")
        report = erase(shell, database)
        assert found_in_tables(database) == {}
        database.close()
        assert found_in_files(tmp_path) == {}
        assert report["clean"], report
        assert set(receiver.held) == {"t:50"}
        for place in ("table drafts", "table case_facts", "table crm", "table links", "table mentions"):
            assert report["removed"][place] > 0
        assert b"unreadable items" in (tmp_path / "var" / "harken.log").read_bytes()  # that it quotes them is left out
        assert "sound" in run(shell, "audit", "verify")
        assert json.loads(run(shell, "ledger", "--json").splitlines()[-1])["balanced"]
