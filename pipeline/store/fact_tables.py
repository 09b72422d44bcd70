"""The tables that figures are counted from, of people with several accounts, and of what a CRM says of them.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations
