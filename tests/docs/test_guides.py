"""The guides are true: every command in them exists with its options, and every setting in them is accepted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from desk.desk import Desk
from pipeline.cli import loaded
from pipeline.config import load

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("agents", "leads", "administration", "firestorms")
ROWS = [
    pytest.param(row, id=f"{name}: {row}")
    for name in GUIDES
    for row in dict.fromkeys(
        re.findall(r"^harken .*$", (DOCS / f"{name}.md").read_text(encoding="utf-8"), re.MULTILINE)
        + re.findall(r"`(harken [^`]+)`", (DOCS / f"{name}.md").read_text(encoding="utf-8"))
    )
]
BLOCKS = [
    pytest.param(name, block, id=f"{name} {number}")
    for name in GUIDES
    for number, block in enumerate(
        re.findall(r"```yaml\n(.*?)```", (DOCS / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)
    )
]


@pytest.mark.parametrize("row", ROWS)
def test_a_command_of_a_guide_can_be_called_so(row: str) -> None:
    _, name, *words = shlex.split(row, comments=True)
    command: Any = loaded(name)
    while hasattr(command, "commands") and words:
        command = command.commands[words.pop(0)]
    if words:  # without any it only names the command
        command.make_context(name, words, resilient_parsing=False)


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_the_settings_of_a_guide_are_accepted(name: str, block: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(block, encoding="utf-8")
    file = load(path, {"OIDC_SECRET": "made-up"}, set()).file
    desk = file.desk.model_copy(update={"macros": None})  # a file that the page does not show
    made = Desk.from_settings(desk, ("service", "press", "marketing"))
    assert not file.desk.calendars or made.calendars
