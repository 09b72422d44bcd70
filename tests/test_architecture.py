"""Who may know whom, read from the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"pipeline", "connectors", "enrich", "routing", "sinks", "desk", "spikes", "console", "tests", "benchmarks"}
CORE = {"pipeline.mention", "pipeline.ports", "pipeline.errors"}

# Which of our modules a module may import, by the first pattern that matches its dotted name.
ALLOWED: dict[str, set[str]] = {
    "pipeline.mention": set(),
    "pipeline.errors": set(),
    "pipeline.ports": {"pipeline.errors", "pipeline.mention"},
    "pipeline.clock": set(),
    "pipeline.posting": {"pipeline.ports"},
    "pipeline.codec": {"pipeline.errors", "pipeline.mention"},
    "pipeline.registry": {"pipeline.errors"},
    "pipeline.metrics": set(),
    "pipeline.bus": CORE | {"pipeline.bus", "pipeline.clock"},
    "pipeline.store": CORE | {"pipeline.codec", "pipeline.store"},
    "pipeline.ledger": CORE | {"pipeline.store"},
    "pipeline.wiring": {"pipeline", "routing", "enrich", "desk", "spikes", "console"},
    "pipeline.commands": {"pipeline", "routing", "desk", "spikes", "console"},
    "pipeline.cli": {"pipeline"},
    "pipeline": {"pipeline"},
    "connectors": CORE | {"pipeline.posting", "connectors._"},
    "enrich": CORE | {"enrich._"},
    "routing": CORE | {"routing"},
    "sinks": CORE | {"pipeline.posting", "sinks._"},
    "console": CORE | {"pipeline.clock", "pipeline.store", "routing", "desk", "spikes", "console"},
    "spikes": CORE | {"pipeline.codec", "pipeline.clock", "pipeline.posting", "pipeline.store", "desk", "spikes"},
    "desk": CORE | {"pipeline.codec", "pipeline.store", "pipeline.clock", "desk"},
}

# Loops and everything else in pipeline/ know ports, never adapters: only these may name one.
NAMES_ADAPTERS = {"pipeline.wiring", "pipeline.registry"}


def modules() -> Iterator[tuple[str, Path]]:
    for room in ("pipeline", "connectors", "enrich", "routing", "sinks", "desk", "spikes", "console"):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield name, path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one if one.endswith("_") else one + ".") for one in allowed)


@pytest.mark.parametrize(("name", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_module_imports_only_what_the_table_allows(name: str, path: Path) -> None:
    room = max((pattern for pattern in ALLOWED if within(name, {pattern})), key=len)
    for imported in imports(path):
        if imported.split(".")[0] in OURS:
            assert within(imported, ALLOWED[room]), f"{name} may not import {imported}"


@pytest.mark.parametrize(("name", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_only_wiring_names_an_adapter(name: str, path: Path) -> None:
    if not name.startswith("pipeline") or name.startswith("pipeline.bus") or within(name, NAMES_ADAPTERS):
        return
    for imported in imports(path):
        assert not within(imported, {"connectors", "enrich", "sinks", "pipeline.bus"}), f"{name} names {imported}"


def test_the_table_has_no_dead_rows() -> None:
    names = [name for name, _ in modules()]
    for pattern in ALLOWED:
        assert any(within(name, {pattern}) for name in names), f"{pattern} matches nothing"
