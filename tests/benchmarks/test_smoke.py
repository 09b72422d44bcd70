"""The benchmarks run and say what they found. How fast anything is, is no test's business."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import results, texts
from benchmarks.results import Gate, Row

pytestmark = pytest.mark.long


ROOT = Path(__file__).resolve().parents[2]


def test_the_smallest_measure_prints_a_row_and_leaves_it_as_json_lines(tmp_path: Path) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text("id,text\n1,what a great day\n2,worst train ever!!\n", encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks", "vader", "--quick", "--texts", str(posts)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "VADER alone" in done.stdout
    written = Path(done.stdout.split("also in ")[1].replace("\n", ""))
    head, row = map(json.loads, written.read_text(encoding="utf-8").splitlines())
    written.unlink()
    assert head["quick"] is True
    assert head["machine"]["Python"]
    assert row["measure"] == "vader"
    assert row["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nonsense"], "there is no measure nonsense"), (["vader", "--texts", "no.csv"], "No such file")],
)
def test_a_mistake_is_named_without_a_trace(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_made_posts_are_the_same_for_a_seed_and_shaped_like_real_ones() -> None:
    posts = texts.made(2000)
    assert posts == texts.made(2000)
    assert posts != texts.made(2000, seed=8)
    assert 90 < statistics.mean(map(len, posts)) < 118
    assert len(set(posts)) > 1990
    assert 0.05 < sum(not post.isascii() for post in posts) / len(posts) < 0.25


def test_a_file_without_the_column_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("id,body\n1,hello\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column named text; its columns are id, body"):
        texts.read(file)


def test_a_gate_judges_the_ratio_where_there_is_one() -> None:
    assert Row("m", "w", 0.1, "u", ratio=0.8, of="x", gate=Gate(0.75)).passed
    assert Row("m", "w", 10, "u", ratio=0.7, of="x", gate=Gate(0.75)).passed is False
    assert Row("m", "w", 399, "MB", gate=Gate(400, at_most=True)).passed
    assert Row("m", "w", 1, "u").passed is None


def test_results_replace_those_between_the_markers_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n", encoding="utf-8")
    rows = [Row("loops", "the function, bare", 4321.0, "messages/s")]
    for _ in range(2):
        results.write_readme(rows, {"Python": "3.11"}, quick=False, path=page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("4,321 messages/s") == 1


def test_a_run_of_one_measure_leaves_the_results_of_the_others(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"{results.BEGIN}\n{results.END}\n", encoding="utf-8")
    first = [
        Row("loops", "bare", 1111, "messages/s"),
        Row("spikes", "missed", 9, "of 9"),
        Row("spikes", "late", 8, "min"),
    ]
    results.write_readme(first, {"Python": "3.11"}, quick=True, path=page)
    results.write_readme([Row("spikes", "missed", 2, "of 9")], {"Python": "3.12"}, quick=False, path=page)
    text = page.read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert [line.split(" | ")[:3] for line in table[2:]] == [
        ["| loops", "bare", "1,111 messages/s"],
        ["| spikes", "missed", "2 of 9"],
    ]
    assert ", quick |" in table[2]
    assert ", quick |" not in table[3]
    assert "3.11" not in text


def test_the_page_has_its_markers() -> None:
    text = results.README.read_text(encoding="utf-8")
    assert text.index(results.BEGIN) < text.index(results.END)
