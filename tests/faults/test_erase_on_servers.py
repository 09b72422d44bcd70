"""An erasure on Kafka and PostgreSQL: nothing of the person in any column of any table, in any file, in any log. What
stays on the topics until their retention is told, as docs/privacy.md has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from desk.traces import records
from pipeline.bus.kafka import KafkaBus
from pipeline.store.database import Database
from tests.pipeline.test_erase_everywhere import AUTHOR, erase, found_in_files, found_in_tables, installation, run, said
from tests.sinks.receiver import receiving


@pytest.mark.kafka
@pytest.mark.postgres
def test_no_column_and_no_file_holds_them_after_an_erasure_on_servers(
    tmp_path: Path, kafka_broker: Any, kafka_bus: KafkaBus, postgres_url: str
) -> None:
    prefix = f"e{uuid4().hex[:8]}"
    servers = {
        "bus": {"type": "kafka", "servers": [kafka_broker.bootstrap]},
        "topics": {"prefix": prefix, "partitions": 2, "retention_hours": 48},
        "store": {"url": postgres_url},
    }
    with receiving() as receiver, installation(tmp_path, receiver, **servers) as shell:
        database = Database(postgres_url)
        report = erase(shell, database)
        assert report["clean"], report
        assert found_in_tables(database) == {}
        assert found_in_files(tmp_path) == {}
        assert set(receiver.held) == {"t:50"}
        # Their words are on the log still, and the command says where and for how long.
        (kafka,) = (it for it in report["cannot_reach"] if it.startswith("Kafka"))
        assert f"{prefix}.raw" in kafka
        assert "48 h" in kafka
        assert any(b"violet" in record.value for record in records(kafka_bus, f"{prefix}.raw"))
        assert any("VACUUM" in it for it in report["cannot_reach"])
        # What comes again from a file or a backup is kept out.
        (shell.directory / "again.jsonl").write_text(said(own=False))
        run(shell, "ingest", "again.jsonl", "--source", "t")
        (shell.directory / "again.jsonl").unlink()
        assert "mentions" not in found_in_tables(database)
        assert "No trace is left" in run(shell, "erase", AUTHOR, "--yes")
        assert found_in_tables(database) == {}
        database.close()
