"""Bring a database to this version's tables: Alembic, from inside the package, without its command line.

A migration is one file in `migrations/versions/`; all that are due run in one transaction, so that a process killed
half way leaves the database as it was.
"""

from __future__ import annotations

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from pipeline.errors import ConfigError, Problem
from pipeline.store.database import UPGRADE, Database


def upgrade(database: Database) -> None:
    """Create or upgrade the tables; several processes may call it at once. Raises ConfigError for a newer database."""
    config = Config(stdout=io.StringIO(), output_buffer=io.StringIO())
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    database.prepare()
    with database.write() as transaction:
        transaction.lock(UPGRADE)
        present = set(MigrationContext.configure(transaction.connection).get_current_heads())
        if unknown := present - known:
            problem = Problem(
                "store.url",
                f"the database was written by a newer harken (revision {', '.join(sorted(unknown))})",
                "install that version, or restore a backup taken before its upgrade",
            )
            raise ConfigError([problem])
        config.attributes["connection"] = transaction.connection
        command.upgrade(config, "head")
