"""The pages of the console: what a person sees in a browser. Each module is a part of it with its router."""

from __future__ import annotations

from fastapi import APIRouter

from console.pages import session

ROUTERS: tuple[APIRouter, ...] = (session.router,)
"""Everything outside /api."""
