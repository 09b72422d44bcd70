"""The table of commands in pipeline/cli.py: it stands in for modules that are imported only when they are called."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import COMMANDS, loaded

FOLDER = Path(__file__).parent.parent.parent / "pipeline" / "commands"


def modules() -> Iterator[str]:
    return (path.stem for path in sorted(FOLDER.glob("[!_]*.py")))


def functions_of(command: Any) -> Iterator[Any]:
    """What the command calls, or each command of the group, and of the groups in it."""
    for one in getattr(command, "commands", {}).values():
        yield from functions_of(one)
    if command.callback:
        yield inspect.unwrap(command.callback)


def is_command(function: Any) -> bool:
    first, *_ = [*inspect.signature(function).parameters.values(), None]
    returns = inspect.signature(function).return_annotation
    return first is not None and (first.annotation, returns) == ("typer.Context", "None")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_a_command_by_the_first_line_of_its_own_help(name: str) -> None:
    assert COMMANDS[name][1] == loaded(name).help.splitlines()[0]


def test_every_command_of_every_module_is_in_the_table() -> None:
    listed = {called for name in COMMANDS for called in functions_of(loaded(name))}
    sources = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py")]
    for name in modules():
        for key, value in vars(import_module(f"pipeline.commands.{name}")).items():
            if inspect.isfunction(value) and not key.startswith("_") and is_command(value):
                helps = any(f"{name}.{key}(context" in source for source in sources)
                assert value in listed or helps, f"{name}.{key} cannot be called"


def test_help_imports_no_command() -> None:
    shown = (
        "import sys; from typer.testing import CliRunner; from pipeline.cli import app; "
        "print(CliRunner().invoke(app, ['--help']).output); "
        "print([name for name in sys.modules if name.startswith(('pipeline.commands.', 'sqlalchemy', 'desk'))])"
    )
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f" {name} " in done.stdout for name in COMMANDS)
