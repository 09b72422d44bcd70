from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from routing.documents import nearest, read


def test_only_true_false_null_and_numbers_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("[no, on, 22:00, 2026-01-05, 010, 1e3, nope, truely, true, null, ~, -3, 0.5]")
    assert read(path) == [
        *("no", "on", "22:00", "2026-01-05", "010", "1e3", "nope", "truely"),
        *(True, None, None, -3, 0.5),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: [\n", "a.yaml:3:1: not YAML"),
        ("a: 1\na: 2\n", "a.yaml:2:1: not YAML: the key 'a' is given twice"),
        ("a: &x [1]\nb: *x\n", "not YAML: an alias"),
        ("a: !!python/object/apply:os.system [ls]\n", "a.yaml:1:4: not YAML: could not determine a constructor"),
        ("? [a]\n: 1\n", "not YAML: found unhashable key"),
        ("a: !!int x\n", "not YAML"),
        ("[" * 2000, "not YAML"),
        ("a: \x01\n", "not YAML"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert problem in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: Größe".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        read(tmp_path / "latin.yaml")


def test_the_nearest_name_is_the_remedy() -> None:
    assert nearest("complant", ["complaint", "praise"]) == "did you mean complaint?"
    assert nearest("zzz", ["b", "a"]) == "known here: a, b"
