"""The tables of answers: drafts, which are their own outbox.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations
