"""The store: SQLAlchemy tables, migrations and transactions."""
