"""Bring a database to this version's tables: Alembic, from inside the package, without its command line.

A migration is one file in `migrations/versions/`; all that are due run in one transaction, so that a process killed
half way leaves the database as it was.
"""

from __future__ import annotations

import io
from pathlib import Path

from sqlalchemy import inspect, text

from pipeline.errors import ConfigError, Problem
from pipeline.store.database import UPGRADE, Database

MIGRATIONS = Path(__file__).parent / "migrations"

NEWEST = max(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*_*.py"))
"""The revision this version works with."""


def upgrade(database: Database) -> None:
    """Create or upgrade the tables; several processes may call it at once. Raises ConfigError for a newer database."""
    database.prepare()
    if not _is_newest(database):
        _upgrade(database)


def _is_newest(database: Database) -> bool:
    with database.read() as transaction:
        if not inspect(transaction.connection).has_table("alembic_version"):
            return False
        present = transaction.connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return present == [NEWEST]


def _upgrade(database: Database) -> None:
    # Imported here: it takes longer to load than most commands take to answer, and is rarely needed.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config(stdout=io.StringIO(), output_buffer=io.StringIO())
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
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
