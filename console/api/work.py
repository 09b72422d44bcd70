"""The routers of the desk's work."""

from __future__ import annotations

from fastapi import APIRouter

from console.api import (
    agents,
    audit,
    brands,
    cases,
    corrections,
    customers,
    drafts,
    figures,
    incidents,
    macros,
    queues,
    search,
)

ROUTERS: tuple[APIRouter, ...] = (
    queues.router,
    search.router,
    cases.router,
    drafts.router,
    macros.router,
    brands.router,
    customers.router,
    figures.router,
    incidents.router,
    corrections.router,
    agents.router,
    audit.router,
)
"""In no particular order: no path of one matches what is another's."""
