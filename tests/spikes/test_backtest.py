from __future__ import annotations

import csv
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.commands.spikes import app
from pipeline.errors import ConfigError
from spikes.detector import THRESHOLDS, Detector

START = datetime(2026, 1, 5, tzinfo=UTC)
WIDTH = timedelta(minutes=5)


def lines(values: list[float], width: timedelta = WIDTH) -> list[str]:
    return [f"{(START + number * width).isoformat()},{value:g}" for number, value in enumerate(values)]


def burst() -> list[float]:
    return [float(3 + number % 4) for number in range(600)] + [200.0, 150.0, 5.0]


def write(path: Path, rows: list[str], header: str = "timestamp,value") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def run(file: Path, out: Path, *more: str) -> Result:
    result = CliRunner().invoke(app, ["backtest", str(file), "--out", str(out), *more])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_comes_back_with_the_score_and_the_alert_of_the_detector(tmp_path: Path) -> None:
    file, out = write(tmp_path / "in.csv", lines(burst())), tmp_path / "out.csv"
    result = run(file, out)
    assert result.exit_code == 0, result.output
    assert "603 rows, buckets of 0:05:00: 1 alerts" in result.output
    rows = read(out)
    detector = Detector(WIDTH)
    scores = [detector.step(START + number * WIDTH, value).score for number, value in enumerate(burst())]
    assert [float(row["anomaly_score"]) for row in rows] == scores
    assert [row["alert"] for row in rows] == [str(int(score >= THRESHOLDS["normal"])) for score in scores]
    assert [f"{row['timestamp']},{row['value']}" for row in rows] == lines(burst())
    assert rows[600]["alert"] == "1"


def test_a_prefix_of_a_file_gets_the_same_scores_and_so_does_the_file_again(tmp_path: Path) -> None:
    whole = tmp_path / "whole.csv"
    run(write(tmp_path / "in.csv", lines(burst())), whole)
    for length in (601, 20, 2):
        run(write(tmp_path / "in.csv", lines(burst())[:length]), tmp_path / "part.csv")
        assert read(tmp_path / "part.csv") == read(whole)[:length]
    run(write(tmp_path / "in.csv", lines(burst())), tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == whole.read_bytes()


def test_rows_that_cannot_be_read_are_named_and_kept_without_a_score(tmp_path: Path) -> None:
    rows = lines(burst())
    bad = {100: "yesterday,4", 200: f"{START.isoformat()},many", 300: "2026-01-06T01:00:00Z,-3", 400: "2026-01-06"}
    for place, text in bad.items():
        rows[place] = text
    out = tmp_path / "out.csv"
    result = run(write(tmp_path / "in.csv", rows), out)
    assert result.exit_code == 1
    for place in bad:
        assert f"line {place + 2}: " in result.stderr
    got = read(out)
    assert len(got) == len(rows)
    assert {number for number, row in enumerate(got) if row["anomaly_score"] == ""} == set(bad)
    assert got[100]["timestamp"] == "yesterday"
    assert got[600]["alert"] == "1"


def test_a_row_out_of_order_or_twice_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    rows = lines(burst())
    rows[10], rows[11] = rows[11], rows[10]
    with pytest.raises(ConfigError, match=r"line 13: .* is before .* in line 12"):
        run(write(tmp_path / "in.csv", rows), out)
    rows = lines(burst())
    rows[1500:] = rows[10:11]
    with pytest.raises(ConfigError, match=r"line 605: .* is before"):
        run(write(tmp_path / "in.csv", rows), out)
    with pytest.raises(ConfigError, match=r"line 3: .* is there twice"):
        run(write(tmp_path / "in.csv", lines(burst())[:1] * 2), out)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,value\n1,2\n", "line 1: there is no column timestamp"),
        ("", "there is no column timestamp"),
        ("timestamp,value\n", "has no row that can be read"),
        ("timestamp,value\n2026-01-05,3\n2026-01-12,4\n", "has a row every 7 days"),
    ],
)
def test_a_file_of_another_kind_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        run(tmp_path / "in.csv", tmp_path / "out.csv")


def test_a_missing_file_a_wrong_sensitivity_and_an_output_that_is_the_input_are_clear_errors(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", lines(burst()))
    with pytest.raises(ConfigError, match=r"none\.csv: No such file"):
        run(tmp_path / "none.csv", tmp_path / "out.csv")
    with pytest.raises(ConfigError, match="did you mean normal"):
        run(file, tmp_path / "out.csv", "--sensitivity", "norml")
    with pytest.raises(ConfigError, match="is the file to read"):
        run(file, file)
    with pytest.raises(ConfigError, match="is no file"):
        run(file, tmp_path)
    (tmp_path / "in.csv").write_bytes(b"timestamp,value\n2026-01-05,\xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        run(file, tmp_path / "out.csv")


def test_a_higher_sensitivity_alerts_no_less_often(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", lines(burst()))
    alerts = []
    for sensitivity in THRESHOLDS:
        run(file, tmp_path / "out.csv", "--sensitivity", sensitivity)
        alerts.append(sum(row["alert"] == "1" for row in read(tmp_path / "out.csv")))
    assert alerts == sorted(alerts)


def test_the_width_of_the_buckets_is_read_from_the_data(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", lines(burst()[-300:], timedelta(hours=1)))
    assert "buckets of 1:00:00" in run(file, tmp_path / "out.csv").output


def test_the_output_may_be_read_by_whom_the_system_lets(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        run(write(tmp_path / "in.csv", lines(burst())), tmp_path / "out.csv")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o644
