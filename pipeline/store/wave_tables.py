"""The tables of waves of near-duplicates.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations
