"""Alembic's environment and the migrations, run by `pipeline.store.migrate`."""
