"""The configuration: what runs as it stands, and what is said about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline import config as configuration
from pipeline.config import Config, File
from pipeline.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent


def load(tmp_path: Path, text: str, **environment: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return configuration.load(path, environment)


def problems(tmp_path: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **environment)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_configuration_is_valid_without_any_variable() -> None:
    config = configuration.load(ROOT / "config.yaml", {})
    assert [source.name for source in config.sources] == ["demo"]
    assert [stage.name for stage in config.stages] == list(configuration.STAGES)


def test_the_shipped_configuration_shows_the_defaults() -> None:
    shown = File.model_validate(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")))
    defaults = File()
    for name in ("topics", "store", "routing", "worker", "desk", "http", "log", "enrich"):
        assert getattr(shown, name) == getattr(defaults, name), name


def test_the_shipped_configuration_shows_and_explains_every_setting() -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    for name, field in File.model_fields.items():
        assert f"\n{name}:" in text
        for inner in getattr(field.annotation, "model_fields", {}):
            assert f"\n  {inner}:" in text, f"{name}.{inner} is not shown"


def test_no_file_at_all_is_the_defaults() -> None:
    assert configuration.load(None, {}).bus.settings.model_dump()


def test_every_problem_is_reported_at_once_with_its_path_and_a_remedy(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        workr: {}
        topics: {partitions: 0, retention_hour: 3}
        sources:
          a: {type: replya, path: x}
          b: {type: x, bearer_token: hunter2hunter2}
          c: {type: replay, pathh: x.csv}
        enrich: {sentimnt: {}}
        store: {url: "mysql://localhost/x"}
        """,
    )
    text = "\n".join(found)
    assert "workr: there is no such setting (did you mean worker?)" in text
    assert "topics.partitions:" in text
    assert "topics.retention_hour: there is no such setting (did you mean retention_hours?)" in text
    assert "store.url: the store is sqlite or postgresql" in text
    assert "sources.a.type: there is no 'replya' in connectors (did you mean replay?)" in text
    assert "sources.b.bearer_token: a secret is written as ${NAME}" in text
    assert "sources.c.pathh: there is no such setting (did you mean path?)" in text
    assert "enrich.sentimnt: there is no 'sentimnt' in enrich (did you mean sentiment?)" in text
    assert "hunter2" not in text


def test_a_secret_comes_from_the_environment_and_is_never_printed(tmp_path: Path) -> None:
    config = load(tmp_path, "sources: {push: {type: webhook, secret: '${KEY}'}}", KEY="correct-horse-battery-staple")
    assert config.sources[0].settings.secret.get_secret_value() == "correct-horse-battery-staple"  # type: ignore[attr-defined]
    assert "correct-horse" not in repr(config)


def test_a_missing_variable_is_named_unless_the_part_is_switched_off(tmp_path: Path) -> None:
    text = "sources: {push: {type: webhook, enabled: %s, secret: '${HARKEN_NO_SUCH}'}}"
    assert "HARKEN_NO_SUCH is not set" in problems(tmp_path, text % "true")[0]
    assert load(tmp_path, text % "false").sources == ()


def test_a_database_password_may_not_stand_in_the_file(tmp_path: Path) -> None:
    assert "taken from the environment" in problems(tmp_path, "store: {url: 'postgresql+psycopg://a:b@h/d'}")[0]
    config = load(tmp_path, "store: {url: 'postgresql+psycopg://a:${PW}@h/d'}", PW="s3cret-word")
    assert "s3cret-word" not in repr(config)


def test_a_brands_competitors_are_found_by_their_names_and_other_terms(tmp_path: Path) -> None:
    brand = load(tmp_path, "brands: {acme: {competitors: {Globex: ['@globex_help'], Initech: []}}}").brands[0]
    assert brand.competitors == {"Globex": ("@globex_help",), "Initech": ()}
    for nobody in ("{'': [x]}", "{Globex: ['@']}"):
        (problem,) = problems(tmp_path, f"brands: {{acme: {{competitors: {nobody}}}}}")
        assert "brands.acme.competitors: each competitor has a name" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a: [", "config.yaml:1:"), ("- 1", "the configuration"), ("bus: {}", "bus.type: is missing")],
)
def test_what_is_no_configuration_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problems(tmp_path, text)[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        configuration.load(tmp_path / "none.yaml", {})
