"""Every table and column says what it holds of a customer, and the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, Text

from pipeline.store.columns import Key, Note
from pipeline.store.holdings import HOLDINGS, personal_columns
from pipeline.store.tables import metadata

PAGE = Path(__file__).parent.parent.parent / "docs" / "privacy.md"


def test_somebody_decided_about_every_table() -> None:
    assert set(HOLDINGS) == set(metadata.tables)


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_somebody_decided_about_every_column_that_can_hold_text(name: str) -> None:
    table, held = metadata.tables[name], HOLDINGS[name]
    text = {column.name for column in table.c if isinstance(column.type, Key | Note | Text | LargeBinary)}
    said = [*held.personal, *held.plain.split()]
    assert text <= set(said) <= {column.name for column in table.c}
    assert len(said) == len(set(said))
    assert set(held.accounts) | set(held.words) <= set(held.personal)
    assert held.period
    assert held.erased


def test_the_page_on_privacy_shows_every_column_that_tells_something_of_a_customer() -> None:
    lines = [f"| `{it.table}.{it.column}` | {it.tells} | {it.period} | {it.erased} |" for it in personal_columns()]
    page = PAGE.read_text(encoding="utf-8")
    assert "\n".join(lines) in page, "write into docs/privacy.md:\n" + "\n".join(lines)
