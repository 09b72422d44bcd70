"""Settings of the desk from plain data, with every problem, its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from pipeline.errors import ConfigError, Problem
from pipeline.ports import Settings

T = TypeVar("T", bound=Settings)
_KEY = "[key]"


def wrong(message: str, remedy: str) -> PydanticCustomError:
    """What a validator raises, so that the remedy reaches the reader apart from the message."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "remedy": remedy})


def validated(model: type[T], values: object, path: str) -> T:
    """`values` as `model`; raises ConfigError with every problem below `path`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise ConfigError([_problem(model, path, detail) for detail in details]) from None


def nearest(word: object, known: Iterable[str]) -> str:
    """The remedy for an unknown word: its nearest neighbour, or all there are."""
    names = sorted(known)
    near = get_close_matches(str(word), names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(names) or 'none'}"


def _problem(model: type[BaseModel], path: str, detail: ErrorDetails) -> Problem:
    place = path
    for step in detail["loc"]:
        if step != _KEY:
            place += f"[{step}]" if isinstance(step, int) else f".{step}"
    message, remedy = detail["msg"].removeprefix("Value error, "), ""
    if detail["type"] == "wrong":
        remedy = str(detail["ctx"]["remedy"])
    elif detail["type"] == "extra_forbidden":
        message = "there is no such setting"
        remedy = nearest(detail["loc"][-1], _fields(model, detail["loc"][:-1]))
    elif detail["type"] == "missing":
        message, remedy = "is missing", "write it down"
    return Problem(place, message, remedy)


def _fields(model: type[BaseModel], steps: tuple[Any, ...]) -> Iterable[str]:
    """The settings that may stand where `steps` lead; a step into a list or mapping keeps the model of its parts."""
    for step in steps:
        if step in model.model_fields:
            model = _inner(model.model_fields[step].annotation) or model
    return model.model_fields


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _inner(part))), None)
