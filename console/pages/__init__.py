"""The pages of the console: what a person sees in a browser. Each module is a part of it with its router."""

from __future__ import annotations

from fastapi import APIRouter

from console.pages import (
    admin,
    approvals,
    board,
    case,
    case_answer,
    case_work,
    charting,
    customer,
    dead,
    desk,
    flow,
    incidents,
    leads,
    report,
    rules,
    session,
)

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    desk.router,
    case.router,
    case_work.router,
    case_answer.router,
    approvals.router,
    customer.router,
    incidents.router,
    board.router,
    charting.router,
    leads.router,
    report.router,
    flow.router,
    dead.router,
    rules.router,
    admin.router,
)
"""Everything outside /api."""
