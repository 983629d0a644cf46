"""A real run tells what happens, in its log and in its dataset, and nothing else takes these for its own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lolblur_synth.apps.status import status
from lolblur_synth.cli.main import cli
from lolblur_synth.core.events import EVENTS, Event
from lolblur_synth.dataset.progress import Counts, read_progress
from lolblur_synth.dataset.reader import read_dataset
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.verify import verify
from tests.support.footage import SMALL, film

OPTIONS = [*SMALL, "--no-report", "--set", "denoise.backend=none"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    film(folder / "a.mkv", seed=1)
    return folder


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *OPTIONS, *options])


def read(lines: bytes) -> list[Event]:
    return [EVENTS.validate_json(line) for line in lines.splitlines()]


@pytest.fixture(scope="module")
def made(videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "dataset"
    result = run(videos, out, "--log-json", str(out / "run.jsonl"), "--workers", "2")
    assert result.exit_code == 0, result.output
    return out


def test_the_log_tells_each_sequence_from_its_worker(made):
    events = read((made / "run.jsonl").read_bytes())
    assert [event.kind for event in events if not event.sequence] == ["begin", "end"]
    assert (events[0].total, events[-1].pairs, events[-1].text) == (4, 4, "done")
    for record in read_records(made).values():
        told = [event for event in events if event.sequence == record.id]
        assert [event.kind for event in told] == ["start", "pair", "pair", "made"]
        assert [event.pairs for event in told] == [0, 1, 2, 2]
        assert told[-1].seconds == record.seconds
        assert 0 < told[1].bytes < told[2].bytes
        assert len({event.worker for event in told}) == 1
        assert told[0].worker != events[0].worker
        assert all(event.memory > 50e6 for event in told)


def test_progress_tells_the_end_and_disturbs_nothing(made):
    told = read_progress(made / "progress.json")
    whole = Counts(sequences=2, pairs=4)
    assert (told.state, told.planned, told.made, told.kept) == ("done", whole, whole, Counts())
    assert told.under_way == []
    pictures = sum(path.stat().st_size for path in made.rglob("00*.png"))
    assert told.bytes_written == pictures
    assert verify(made) == (20, [])
    assert len(read_dataset(made)) == 4
    packed = CliRunner().invoke(cli, ["pack", str(made), "--to", "webdataset", "--out", str(made.parent / "packed")])
    assert packed.exit_code == 0, packed.output
    assert not list((made.parent / "packed").rglob("progress*"))


def test_a_run_that_goes_on_appends_to_its_log_and_keeps(made, videos):
    before = read((made / "run.jsonl").read_bytes())
    assert run(videos, made, "--log-json", str(made / "run.jsonl")).exit_code == 0
    events = read((made / "run.jsonl").read_bytes())
    assert events[: len(before)] == before
    assert [event.kind for event in events[len(before) :]] == ["begin", "end"]
    told = status(made).runs[0].progress
    assert (told.kept, told.made) == (Counts(sequences=2, pairs=4), Counts())


def test_a_log_on_standard_output_stands_there_alone(made, videos):
    result = run(videos, made, "--log-json", "-")
    assert result.exit_code == 0
    assert [event.kind for event in read(result.stdout_bytes)] == ["begin", "end"]
    assert "Dataset in" in result.stderr


def test_a_file_that_is_no_log_is_refused_before_anything_is_made(videos, tmp_path):
    clip = videos / "a.mkv"
    before = clip.read_bytes()
    result = run(videos, tmp_path / "d", "--log-json", str(clip))
    assert isinstance(result.exception, SystemExit) or result.exit_code
    assert clip.read_bytes() == before
    assert not (tmp_path / "d").exists()


def test_a_run_that_is_killed_or_stopped_is_told_apart(tmp_path):
    videos = tmp_path / "videos"
    film(videos / "long.mkv", frames=600, seed=1)  # which neither run comes to the end of
    command = [sys.executable, "-m", "lolblur_synth", "run", "--videos", str(videos), "--out", str(tmp_path / "d")]
    for number, state in ((signal.SIGKILL, "running"), (signal.SIGTERM, "stopped")):
        process = subprocess.Popen([*command, *OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        path, before = tmp_path / "d" / "progress.json", 0.0
        if path.exists():
            before = read_progress(path).started
        deadline = time.monotonic() + 120
        while not (path.exists() and read_progress(path).started > before):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(timeout=60)
        told = read_progress(path)
        assert (told.state, told.pid) == (state, process.pid)
    content = json.loads(CliRunner().invoke(cli, ["status", str(tmp_path / "d"), "--json"]).output)
    assert content["runs"][0]["progress"]["state"] == "stopped"
