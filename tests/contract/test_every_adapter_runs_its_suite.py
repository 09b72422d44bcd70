"""No adapter without its contract suite: the files in a port's folder against the suite's `ADAPTERS` and its tests.

A suite is parametrised by `ADAPTERS`, a mapping whose keys are the names of the adapters' modules; they stand in the
tests' ids. Parts of an adapter are `_name.py`, or `kafka_clients.py` beside `kafka.py`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.contract import test_actor, test_day, test_rechecker, test_replier

ROOT = Path(__file__).parents[2]

PORTS = {
    "pipeline/bus": ("test_bus", r"\w+Bus"),
    "connectors": ("test_connector", "Connector"),
    "enrich": ("test_stage", "Stage"),
    "sinks": ("test_sink", "Sink"),
}
"""Folder -> its suite, and the class that makes a module an adapter."""

NO_ADAPTERS = {
    "enrich/pipeline.py": "puts the stages in order and checks it; it is no stage",
}
"""Files in those folders that are no adapters, and why. A class of the port's in one of them fails the test."""


def files(folder: str) -> list[Path]:
    names = {path.stem for path in (ROOT / folder).glob("*.py")}
    return sorted(
        path
        for path in (ROOT / folder).glob("*.py")
        if not path.stem.startswith("_") and not ("_" in path.stem and path.stem.partition("_")[0] in names)
    )


def classes(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef)}


@pytest.fixture(scope="module")
def listing() -> str:
    """What pytest collects in this folder; a suite that cannot be imported is missing from it, with its error."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "tests/contract"]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout


@pytest.mark.parametrize("folder", PORTS)
def test_every_adapter_is_listed_in_its_suite(folder: str) -> None:
    suite, _ = PORTS[folder]
    present = {path.stem for path in files(folder) if f"{folder}/{path.name}" not in NO_ADAPTERS}
    assert set(import_module(f"tests.contract.{suite}").ADAPTERS) == present


@pytest.mark.parametrize("folder", PORTS)
def test_every_listed_adapter_has_tests_in_its_suite(folder: str, listing: str) -> None:
    suite, _ = PORTS[folder]
    brackets = re.findall(rf"^tests/contract/{suite}\.py::.*?\[(.*)\]$", listing, re.MULTILINE)
    tested = {word for words in brackets for word in words.split("-")}
    assert set(import_module(f"tests.contract.{suite}").ADAPTERS) <= tested, listing[-2000:]


@pytest.mark.parametrize("folder", PORTS)
def test_a_file_without_the_ports_class_needs_a_written_reason_and_one_with_it_has_no_excuse(folder: str) -> None:
    _, pattern = PORTS[folder]
    adapters = {path for path in files(folder) if any(re.fullmatch(pattern, name) for name in classes(path))}
    excused = {ROOT / name for name in NO_ADAPTERS if Path(name).parent.as_posix() == folder}
    assert adapters == set(files(folder)) - excused


def test_every_excuse_is_for_a_file_that_exists() -> None:
    assert all((ROOT / name).is_file() for name in NO_ADAPTERS)


SUITES = {
    "Bus": "test_bus",
    "Producer": "test_bus",
    "Consumer": "test_bus",
    "Clock": "test_clock",
    "Connector": "test_connector",
    "Stage": "test_stage",
    "Sink": "test_sink",
    "Replier": "test_replier",
    "Actor": "test_actor",
    "Rechecker": "test_rechecker",
}
"""Each port of pipeline/ports.py and its suite."""


def test_every_port_has_a_suite() -> None:
    ports = {
        node.name
        for node in ast.parse((ROOT / "pipeline/ports.py").read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    }
    assert ports == set(SUITES)
    for suite in SUITES.values():
        assert (ROOT / f"tests/contract/{suite}.py").is_file()


def test_every_connector_that_answers_runs_the_repliers_suite(listing: str) -> None:
    answering = {path.stem for path in files("connectors") if "Replier" in classes(path)}
    assert set(test_replier.ADAPTERS) == answering
    for name in answering:
        assert re.search(rf"^tests/contract/test_replier\.py::.*\[{name}[\]-]", listing, re.MULTILINE), listing[-2000:]


def test_every_connector_that_does_more_than_answer_runs_the_actors_suite_with_each_of_its_actions(
    listing: str,
) -> None:
    answering = {path.stem: import_module(f"connectors.{path.stem}") for path in files("connectors")}
    acting = {name: module.Replier for name, module in answering.items() if hasattr(module, "Replier")}
    acting = {name: replier for name, replier in acting.items() if hasattr(replier, "actions")}
    assert set(test_actor.ADAPTERS) == set(acting)
    for name, replier in acting.items():
        for action in replier.actions:
            assert re.search(rf"^tests/contract/test_actor\.py::.*\[{name}-{action}[\]-]", listing, re.MULTILINE), (
                f"{name} offers to {action}, which its suite does not try",
                listing[-2000:],
            )


def test_every_connector_that_asks_what_became_of_mentions_runs_the_recheckers_suite(listing: str) -> None:
    asking = {path.stem for path in files("connectors") if "Rechecker" in classes(path)}
    assert set(test_rechecker.ADAPTERS) == asking
    for name in asking:
        assert re.search(rf"^tests/contract/test_rechecker\.py::.*\[{name}[\]-]", listing, re.MULTILINE), listing[
            -2000:
        ]


def test_every_connector_lives_through_a_day_of_faults(listing: str) -> None:
    elsewhere = test_day.ELSEWHERE
    assert {*test_day.DAYS, *elsewhere} == {path.stem for path in files("connectors")}
    assert not set(test_day.DAYS) & set(elsewhere)
    for name in test_day.DAYS:
        assert re.search(rf"^tests/contract/test_day\.py::.*\[{name}-", listing, re.MULTILINE), listing[-2000:]
    for name, where in elsewhere.items():
        file, _, test = where.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, where
        if file.startswith("tests/contract/"):
            assert re.search(rf"^{re.escape(where)}\[{name}-", listing, re.MULTILINE), listing[-2000:]


def test_a_connector_that_answers_has_a_setting_for_the_account_and_no_other_has() -> None:
    for path in files("connectors"):
        settings = import_module(f"connectors.{path.stem}").Config.model_fields
        assert ("reply" in settings) == ("Replier" in classes(path)), path.stem
