"""What exists is documented: every metric, setting, command, connector, stage and sink."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from pipeline import metrics, registry
from pipeline.cli import COMMANDS, loaded
from pipeline.config import File

DOCS = Path(__file__).parent.parent.parent / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def commands() -> list[str]:
    def below(command: Any, path: tuple[str, ...]) -> list[str]:
        if hasattr(command, "commands"):
            return [name for key, inner in command.commands.items() for name in below(inner, (*path, key))]
        return [" ".join(path)]

    return [name for key in COMMANDS for name in below(loaded(key), ("harken", key))]


@pytest.mark.parametrize("name", [name for name in vars(metrics) if name.isupper()])
def test_a_metric_is_documented(name: str) -> None:
    metric = getattr(metrics, name)
    assert isinstance(metric, MetricWrapperBase)
    shown = metric._name + ("_total" if isinstance(metric, Counter) else "")
    assert f"`{shown}` | {', '.join(metric._labelnames)}" in page("metrics.md")


@pytest.mark.parametrize("command", commands())
def test_a_command_is_documented(command: str) -> None:
    assert f"`{command}" in page("cli.md")


@pytest.mark.parametrize("name", registry.names("connectors"))
def test_a_connector_has_a_page_that_names_its_settings(name: str) -> None:
    settings = registry.load("connectors", name, "test").Config.model_fields
    for setting in settings:
        assert f"`{setting}`" in page(f"connectors/{name}.md"), setting


@pytest.mark.parametrize("name", ["bluesky", "mastodon", "reddit", "webhook", "x", "youtube"])
def test_the_account_a_connector_answers_from_is_documented(name: str) -> None:
    module = registry.load("connectors", name, "test")
    account, _ = get_args(module.Config.model_fields["reply"].annotation)
    for setting in account.model_fields:
        assert f"`reply.{setting}`" in page(f"connectors/{name}.md"), setting


@pytest.mark.parametrize("name", registry.names("enrich"))
def test_a_stage_and_its_settings_are_documented(name: str) -> None:
    assert f"## {name}" in page("stages.md")
    for setting in registry.load("enrich", name, "test").Config.model_fields:
        assert f"`{setting}`" in page("stages.md"), setting


@pytest.mark.parametrize("name", registry.names("sinks"))
def test_a_sink_and_its_settings_are_documented(name: str) -> None:
    for setting in registry.load("sinks", name, "test").Config.model_fields:
        assert f"`{setting}`" in page("sinks.md"), setting


@pytest.mark.parametrize("name", registry.names("pipeline.bus"))
def test_a_bus_and_its_settings_are_documented(name: str) -> None:
    for setting in registry.load("pipeline.bus", name, "test").Config.model_fields:
        assert any(f"`{setting}{end}" in page("bus.md") for end in ("`", ".")), setting


def test_every_setting_of_the_configuration_is_documented() -> None:
    text = page("configuration.md")
    for name, field in File.model_fields.items():
        assert f"`{name}`" in text
        for inner in getattr(field.annotation, "model_fields", {}):
            assert f"`{name}.{inner}`" in text, f"{name}.{inner}"
