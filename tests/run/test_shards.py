"""Shards: many processes, one dataset, and the same pixels as of one run, whatever becomes of them."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch
from click import UsageError
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.cli.main import cli
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.layout import LEASES, SHARDS
from lolblur_synth.dataset.locks import locked
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.verify import verify
from lolblur_synth.run.build_sequence import Place
from lolblur_synth.run.execute import execute
from lolblur_synth.run.executors.serial import Serial
from lolblur_synth.run.plan import MOST_SHARDS, Plan, Shard
from lolblur_synth.run.planning import plan_run
from lolblur_synth.run.sharding import cut, digest, parse_shard
from tests.support.footage import SMALL, film


@pytest.fixture(scope="module")
def made(videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "d"
    assert run(videos, out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def plan(videos, tmp_path_factory) -> Plan:
    config = load(Config, (), [word for word in SMALL if word != "--set"])
    return plan_run(videos, tmp_path_factory.mktemp("planned") / "d", config)


def run(videos: Path, out: Path, *options: str) -> Result:
    words = ["run", "--videos", str(videos), "--out", str(out), *SMALL, "--no-report", *options]
    return CliRunner().invoke(cli, words)


def merge(out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["merge", str(out), *options])


def start(videos: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "lolblur_synth", "run", "--videos", str(videos), "--out", str(out), *SMALL]
    return subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def told_alike(out: Path, made: Path) -> bool:
    names = "manifest.jsonl", "train/metadata.jsonl", "test/metadata.jsonl"
    return all((out / name).read_bytes() == (made / name).read_bytes() for name in names)


@given(count=st.integers(1, 9))
def test_shards_share_all_sequences_evenly_and_each_falls_to_one(plan, count):
    cuts = [[task.id for task in cut(plan, Shard(number, count)).sequences] for number in range(1, count + 1)]
    assert sorted(chain.from_iterable(cuts)) == sorted(task.id for task in plan.sequences)
    assert max(map(len, cuts)) - min(map(len, cuts)) <= 1


def test_which_one_it_is_follows_from_content_alone(plan):
    def of(some: Plan) -> list[set[str]]:
        return [{task.recipe.key for task in cut(some, Shard(number, 2)).sequences} for number in (1, 2)]

    renamed = [
        replace(video, sequences=tuple(replace(task, id=task.id.replace("000", "004")) for task in video.sequences))
        for video in plan.videos
    ]
    assert of(replace(plan, videos=tuple(reversed(renamed)))) == of(plan)
    assert digest(replace(plan, videos=tuple(reversed(plan.videos)))) == digest(plan)
    assert digest(replace(plan, videos=plan.videos[:1])) != digest(plan)


@pytest.mark.parametrize(
    "text", ["0/4", "5/4", "1/0", "1", "a/b", "-1/2", "1/2/3", "1 / 2", f"1/{MOST_SHARDS + 1}", ""]
)
def test_what_is_no_shard_is_told(text):
    with pytest.raises(UserError, match="no shard; give i/n, i from 1 to n"):
        parse_shard(text)


def test_three_shards_at_once_make_what_one_run_makes(videos, made, tmp_path):
    out = tmp_path / "d"
    shards = [start(videos, out, "--shard", f"{number}/3") for number in (1, 2, 3)]
    assert [shard.wait(300) for shard in shards] == [0, 0, 0]
    assert not (out / "manifest.jsonl").exists()
    merged = merge(out)
    assert merged.exit_code == 0, merged.output
    assert "4 sequences, 8 pairs" in merged.output
    assert told_alike(out, made)
    assert verify(out) == (40, [])
    assert (out / "report.html").is_file()
    assert not (out / SHARDS).exists()
    assert list((out / LEASES).iterdir()) == []
    assert "no shards have made it, or they are merged already" in str(merge(out).exception)


def test_a_shard_that_is_killed_goes_on_and_what_is_missing_is_named(videos, made, tmp_path):
    out = tmp_path / "d"
    shard = start(videos, out, "--shard", "1/2")
    deadline = time.monotonic() + 120
    while not list(out.glob(".*.partial/*/*/*/*.png")) and time.monotonic() < deadline:
        time.sleep(0.005)
    shard.send_signal(signal.SIGKILL)
    shard.wait()
    early = merge(out, "--no-report")
    assert isinstance(early.exception, SequenceError)
    assert "shard 1/2: 2 sequences are not made\nshard 2/2: has not been run" in early.output
    assert not list(out.glob(".*.partial"))
    for number in (2, 1):
        assert run(videos, out, "--shard", f"{number}/2").exit_code == 0
    assert merge(out, "--no-report").exit_code == 0
    assert told_alike(out, made)
    assert verify(out) == (40, [])


def test_a_shard_does_not_touch_what_another_is_at(videos, tmp_path):
    out = tmp_path / "d"
    assert run(videos, out, "--shard", "1/2").exit_code == 0
    note = out / SHARDS / "1-of-2.json"
    theirs = out / ".0009-0.00c0ffee.partial"
    theirs.mkdir()
    (out / ".manifest.jsonl.partial").write_text("half")
    assert run(videos, out, "--shard", "2/2").exit_code == 0
    assert theirs.is_dir()
    assert (out / ".manifest.jsonl.partial").exists()
    assert note.exists()


def test_a_shard_is_made_by_one_process_and_no_run_or_merge_is_beside_it(videos, tmp_path):
    out = tmp_path / "d"
    assert run(videos, out, "--shard", "1/2").exit_code == 0
    before = sorted(out.rglob("*"))
    with locked(out, "shard-2-of-2"):
        for refused in (run(videos, out, "--shard", "2/2"), run(videos, out), merge(out)):
            assert "another run is writing there (process" in str(refused.exception)
    assert sorted(out.rglob("*")) == before


def test_another_number_of_shards_and_another_plan_are_refused(videos, made, tmp_path):
    out, more = tmp_path / "d", tmp_path / "more"
    assert run(videos, out, "--shard", "1/2").exit_code == 0
    told = str(run(videos, out, "--shard", "1/3").exception)
    assert "is being made in 2 shards; go on in 2, or finish it by a run without shard" in told
    shutil.copytree(videos, more)
    film(more / "c.mkv", seed=3)
    told = str(run(more, out, "--shard", "2/2").exception)
    assert "shard 1/2 has planned other sequences; give all shards the same footage" in told
    assert "other settings" in str(run(videos, out, "--shard", "2/2", "--seed", "5").exception)
    assert len(read_records(out)) == 2
    assert run(videos, out).exit_code == 0  # without shards it is finished
    assert told_alike(out, made)
    assert not (out / SHARDS).exists()


def test_what_cannot_be_made_is_told_by_the_merge(videos, tmp_path):
    footage, out = tmp_path / "v", tmp_path / "d"
    shutil.copytree(videos, footage)
    (footage / "broken.mkv").write_bytes(b"no video")
    for number in (1, 2):
        assert run(footage, out, "--shard", f"{number}/2").exit_code == 0
    merged = merge(out, "--no-report")
    assert isinstance(merged.exception, SequenceError)
    assert merged.output.count("not made: broken.mkv") == 1
    assert [path.name for path in (out / "failed").iterdir()] == ["broken.mkv.json"]
    assert not (out / SHARDS).exists()


def test_a_sequence_that_fails_is_in_the_note_of_its_shard(videos, tmp_path, monkeypatch):
    def fail(*_args):
        raise RuntimeError("boom")

    monkeypatch.setattr("lolblur_synth.run.executors.base.build_sequence", fail)
    out = tmp_path / "d"
    failed = run(videos, out, "--shard", "1/2")
    assert isinstance(failed.exception, SequenceError)
    note = json.loads((out / SHARDS / "1-of-2.json").read_text())
    assert (note["ended"], [failure["message"][-4:] for failure in note["failures"]]) == (True, ["boom"] * 2)


def test_overwriting_is_no_work_for_shards(videos, tmp_path):
    refused = CliRunner().invoke(
        cli,
        ["run", "--videos", str(videos), "--out", str(tmp_path / "d"), "--shard", "1/2", "--overwrite"],
        standalone_mode=False,
    )
    assert isinstance(refused.exception, UsageError)
    assert "cannot --overwrite what other shards have made" in str(refused.exception)


def test_more_shards_than_sequences(videos, made, tmp_path):
    out = tmp_path / "d"
    for number in range(1, 6):
        assert run(videos, out, "--shard", f"{number}/5").exit_code == 0
    assert merge(out, "--no-report").exit_code == 0
    assert told_alike(out, made)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"shard": {"number": 3, "count": 2}}', "damaged: sequences: Field required"),
        ("nonsense", "damaged: Invalid JSON"),
        (None, "it is that of shard 1/2"),
    ],
)
def test_a_damaged_note_is_named(content, told, videos, tmp_path):
    out = tmp_path / "d"
    assert run(videos, out, "--shard", "1/2").exit_code == 0
    note = out / SHARDS / "1-of-2.json"
    (out / SHARDS / "2-of-2.json").write_text(note.read_text() if content is None else content)
    result = merge(out)
    assert isinstance(result.exception, UserError)
    assert told in str(result.exception)
    assert str(result.exception).endswith("delete it and run that shard again")


def test_what_is_made_after_its_run_was_given_up_is_not_published(plan, tmp_path):
    """As by a worker on a cluster whose run was killed, when another has begun."""
    late = replace(plan, out=tmp_path / "d")

    class Late(Serial):
        def __call__(self, job, tasks):
            yield from super().__call__(replace(job, lease=replace(job.lease, token="0" * 32)), tasks)

    with pytest.raises(UserError, match="the run that this is for has ended, or stood still and was given up"):
        execute(late, executor=Late(Place(torch.device("cpu"), 1)))
    assert read_records(tmp_path / "d") == {}
