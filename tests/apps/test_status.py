"""The status of runs: from their files alone, by the clock of the file system, on whatever host it is asked."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lolblur_synth.apps import status as module
from lolblur_synth.apps.status import status
from lolblur_synth.cli.main import cli
from lolblur_synth.core.disk_clock import disk_time
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.progress import Counts, Progress, UnderWay, progress_path, write_progress
from lolblur_synth.dataset.publish import publish
from tests.support.staged import stage


def ask(root: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["status", str(root), *options], standalone_mode=False)


def told(root: Path, name: str | None = None, **changes: Any) -> Path:
    """A run of four sequences, of which one is made, says how far it is."""
    fields: dict[str, Any] = {
        "name": name, "state": "running", "host": "node", "pid": 7, "started": 1000.0, "updated": 1060.0,
        "planned": Counts(sequences=4, pairs=40), "kept": Counts(), "made": Counts(sequences=1, pairs=10),
        "failed": Counts(), "videos_failed": 0, "pairs_per_hour": 100.0, "seconds_to_go": 600.0,
        "bytes_written": 1000, "peak_memory": 2000,
        "under_way": [
            UnderWay(worker="node:8", sequence="0000-1", operator="darken", pairs=3, total=10, since=1000.0)
        ],
    }  # fmt: skip
    path = progress_path(root, name)
    write_progress(path, Progress(**{**fields, **changes}))
    return path


@pytest.fixture
def root(tmp_path):
    (tmp_path / SETTINGS).write_text("seed: 0\n")
    return tmp_path


def age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_one_run_is_shown_with_what_is_under_way(root):
    told(root)
    output = ask(root).output
    for part in (
        "node:7",
        "running",
        "4 (40)",
        "1 (10)",
        "0:10:00",
        "1.0 kB",
        "0000-1",
        "darken",
        "3 of 10",
        "0:01:00",
    ):
        assert part in output
    content = json.loads(ask(root, "--json").output)
    assert content["runs"][0]["progress"]["under_way"][0]["operator"] == "darken"
    assert content["whole"]["planned"] == {"sequences": 4, "pairs": 40}
    assert (content["faults"], content["recorded"]) == ([], None)


def test_shards_are_added_up_and_the_last_one_counts_for_the_time(root):
    told(root, "shard-1-of-3")
    told(root, "shard-2-of-3", seconds_to_go=1200.0, peak_memory=5000)
    told(root, "shard-3-of-3", state="done", under_way=[], seconds_to_go=None, pairs_per_hour=70.0)
    whole = status(root).whole
    assert whole
    assert (whole.planned, whole.made) == (Counts(sequences=12, pairs=120), Counts(sequences=3, pairs=30))
    assert (whole.pairs_per_hour, whole.seconds_to_go, whole.peak_memory) == (200.0, 1200.0, 5000)
    assert "shard-2-of-3, node:7" in ask(root).output
    told(root, "shard-1-of-3", seconds_to_go=None, pairs_per_hour=None)  # it has just begun
    assert status(root).whole.seconds_to_go is None


def test_a_run_of_before_does_not_count_beside_the_parts_of_another(root):
    age(told(root), 50)
    told(root, "shard-1-of-1")
    assert [run.file for run in status(root).runs] == ["progress-shard-1-of-1.json"]
    age(root / "progress-shard-1-of-1.json", 100)
    assert [run.file for run in status(root).runs] == ["progress.json"]


@pytest.mark.parametrize("ahead", [-7200, 0, 7200])
def test_a_run_that_was_killed_is_found_whatever_the_clock_of_this_host_says(root, monkeypatch, ahead):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + ahead)
    path = told(root)
    assert not status(root).runs[0].silent
    age(path, 100)
    (run,) = status(root).runs
    assert run.silent
    assert run.age == pytest.approx(100, abs=20)
    assert "not heard of for 10" in ask(root).output
    assert status(root).whole.seconds_to_go is None
    age(told(root, state="done"), 100)
    assert not status(root).runs[0].silent


def test_where_nothing_can_be_written_it_waits_for_a_sign_of_life(root, monkeypatch):
    monkeypatch.setattr(module, "disk_time", lambda folder: None)
    monkeypatch.setattr(module, "HEARTBEAT", 0.2)
    monkeypatch.setattr(module, "_LONGEST_LOOK", 0.6)
    monkeypatch.setattr(module, "_LOOK", 0.05)
    path = told(root)
    age(path, 100)
    (run,) = status(root).runs
    assert run.silent
    assert 0.5 < run.age < 60
    monkeypatch.setattr(module, "sleep", lambda seconds: age(path, -1))  # the run writes meanwhile
    assert not status(root).runs[0].silent


def test_the_clock_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "before").touch()
    now = disk_time(tmp_path)
    (tmp_path / "after").touch()
    assert (tmp_path / "before").stat().st_mtime <= now <= (tmp_path / "after").stat().st_mtime
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after", "before"]
    assert disk_time(tmp_path / "gone") is None


def test_what_cannot_be_read_is_one_line_and_the_others_are_shown(root):
    told(root, "shard-1-of-2")
    told(root, "shard-2-of-2").write_text('{"format": 1')
    result = ask(root)
    assert "shard-1-of-2, node:7" in result.output
    assert isinstance(result.exception, SequenceError)
    assert str(result.exception).count("\n") == 0
    assert "progress-shard-2-of-2.json: damaged: " in str(result.exception)


def test_without_progress_the_records_tell(root):
    publish(root, stage(root))
    publish(root, stage(root, 0, (1,), 90, video=4, split="test"))
    stage(root, 1, (5,), 7, video=4)
    output = ask(root).output
    assert "by its records, sequences (pairs): train 1 (2), test 1 (1); 1 not finished" in output
    assert json.loads(ask(root, "--json").output)["recorded"]["splits"]["train"] == {"sequences": 1, "pairs": 2}


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a dataset made by lolblur-synth run"):
        status(tmp_path)


def test_names_in_it_are_shown_as_they_are(root):
    told(root, host="[red]x\x1b[31m", error="bad\nthing [bold]", state="failed", under_way=[])
    output = ask(root).output
    assert "[red]x" in output
    assert r"progress.json: bad\nthing [bold]" in output
    assert "\x1b" not in output
