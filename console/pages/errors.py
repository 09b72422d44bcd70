"""Errors as a person reads them: what happened, what to do, and what they had typed, so that it is not lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.responses import RedirectResponse

from console.api import problems
from console.api.problems import Problem
from console.pages import words
from console.pages.page import HEADERS, Page, SignInFirst, visitor
from pipeline.errors import Unavailable

_SECRET = frozenset({"csrf", "password", "again", "current", "secret", "token"})
"""Fields that are not shown again."""

_API = "/api/"


def install(app: FastAPI) -> None:
    """Have every error outside the API answered by a page; those of the API stay problem documents."""
    for error, answer in problems.ANSWERS.items():
        app.add_exception_handler(error, _either(answer))
    app.add_exception_handler(SignInFirst, _sign_in)


def _either(answer: Callable[[Request, Any], Response]) -> Callable[[Request, Any], Response]:
    def handle(request: Request, error: Any) -> Response:
        found = answer(request, error)
        return found if request.url.path.startswith(_API) else shown(request, found)

    return handle


def shown(request: Request, answer: Response) -> Response:
    """The page for a problem document."""
    problem = Problem.model_validate(json.loads(bytes(answer.body)))
    form = request.scope.get("harken.form") or {}
    typed = [(name, text) for name, text in form.items() if name not in _SECRET and isinstance(text, str) and text]
    try:
        page = visitor(request, request.app.state.services)
    except Unavailable:
        page = Page(request, request.app.state.services, None)
    back = words.url(request.url.path) if request.method == "GET" else ""
    found = page.render("error.html", problem.status, problem=problem, typed=typed, back=back)
    if retry := answer.headers.get("retry-after"):
        found.headers["Retry-After"] = retry
    return found


def _sign_in(request: Request, error: Any) -> Response:
    del request
    return RedirectResponse(words.url("/sign-in", next=error.back if error.back != "/" else None), 303, dict(HEADERS))
