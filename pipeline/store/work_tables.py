"""The tables of work: who is there and what they can do, and the clocks of cases.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations
