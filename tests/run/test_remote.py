"""End to end: footage in an object server gives the dataset that it gives from a folder."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.run.execute import execute
from lolblur_synth.run.planning import plan_run
from lolblur_synth.video.images import write_png
from lolblur_synth.video.reader import read_frames
from tests.support.clips import encode, scene, textured
from tests.support.commands import message
from tests.support.footage import SMALL, film

QUICK = [*SMALL, "--set", "denoise.backend=none", "--set", "interpolate.backend=linear", "--no-report"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Two clips, one of which an XML beside it tells the rate of."""
    folder = tmp_path_factory.mktemp("videos")
    film(folder / "a.mkv", seed=1)
    (folder / "day").mkdir()
    encode(folder / "day/C0001.MP4", scene(60, size=(128, 96)), fps=25)
    rate = '<NonRealTimeMeta><VideoFrame captureFps="240p" formatFps="25p"/></NonRealTimeMeta>'
    (folder / "day/C0001M01.XML").write_text(rate)
    (folder / "notes.txt").write_text("of the day")
    return folder


def run(videos: str | Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *QUICK, *options])


def manifest(out: Path) -> str:
    """Which names files, frames, draws and hashes of pixels."""
    return (out / "manifest.jsonl").read_text()


@pytest.fixture(scope="module")
def made(videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "dataset"
    result = run(videos, out, "--workers", "2")  # which are gone when another run of this process has credentials
    assert result.exit_code == 0, (result.output, result.exception)
    return out


def test_the_same_pictures_as_from_a_folder_and_a_second_run_reads_nothing(videos, made, objects, tmp_path):
    objects.put_folder(videos, "night/clips")
    url = objects.url("night/clips")
    result = run(url, tmp_path / "one")
    assert result.exit_code == 0, (result.output, result.exception)
    assert manifest(tmp_path / "one") == manifest(made)
    sources = {record.source.name: record.source for record in read_records(tmp_path / "one").values()}
    assert {name: source.url for name, source in sources.items()} == {
        "a.mkv": f"{url}/a.mkv", "day/C0001.MP4": f"{url}/day/C0001.MP4",
    }  # fmt: skip
    assert sources["day/C0001.MP4"].capture_fps == "240"
    assert sorted({path.rpartition("/")[2] for path in objects.proxy.read}) == sorted(
        {path.name for path in videos.rglob("*") if path.suffix not in ("", ".txt")}
    )
    assert len(objects.proxy.read) == len(set(objects.proxy.read))
    shutil.rmtree(tmp_path / "caches/footage")
    before = len(objects.proxy.asked)
    again = run(url, tmp_path / "one")
    assert (again.exit_code, manifest(tmp_path / "one")) == (0, manifest(made))
    assert all("?list-type=2" in asked for asked in objects.proxy.asked[before:])


def test_a_folder_of_frames_is_a_video_wherever_it_lies(objects, tmp_path):
    """In a folder of the URL, and as the URL."""
    for number in range(24):
        (tmp_path / "clips/frames").mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / f"clips/frames/f{number:04d}.png", textured(number, (96, 64), seed=3))
    objects.put_folder(tmp_path / "clips", "night")
    objects.put("night/frames/list.txt", b"which is no frame")
    config = load(Config, [], ["video.capture_fps=250", "sequences.min_pairs=1", "video.size=source"])
    local = plan_run(tmp_path / "clips", tmp_path / "out", config).videos[0]
    for folder in ("night", "night/frames"):
        (video,) = plan_run(objects.url(folder), tmp_path / "out", config).videos
        assert video.name == "frames"
        assert video.scan.content == local.scan.content
        shutil.rmtree(tmp_path / "caches/footage")
        pairs = zip(read_frames(video.scan, 3, 9), read_frames(local.scan, 3, 9), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    copies = [path.name for path in (tmp_path / "caches/footage").rglob("*.*") if path.suffix == ".png"]
    assert len(copies) == 24


def test_workers_fetch_by_themselves_within_the_bound(videos, made, objects, tmp_path):
    objects.put_folder(videos, "clips")
    assert run(objects.url("clips"), tmp_path / "out", "--dry-run").exit_code == 0
    shutil.rmtree(tmp_path / "caches/footage")
    largest = max(path.stat().st_size for path in videos.rglob("*"))
    bound = ("--cache-footage", str(tmp_path / "scratch"), "--cache-footage-gb", str(1.2 * largest / 1e9))
    result = run(objects.url("clips"), tmp_path / "out", "--workers", "2", *bound)
    assert result.exit_code == 0, (result.output, result.exception)
    assert manifest(tmp_path / "out") == manifest(made)
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").rglob("*.*")) <= 1.3 * largest
    assert all(record.config.run.cache_footage is None for record in read_records(tmp_path / "out").values())


def test_one_that_has_changed_between_plan_and_making_is_told_and_others_are_made(videos, objects, tmp_path):
    for name in "ab":
        objects.put(f"clips/{name}.mkv", film(tmp_path / f"{name}.mkv", seed=ord(name)))
    config = load(Config, [], [part for part in QUICK if "=" in part])
    plan = plan_run(objects.url("clips"), tmp_path / "out", config)
    objects.put("clips/a.mkv", tmp_path / "b.mkv")
    shutil.rmtree(tmp_path / "caches/footage")
    outcome = execute(plan)
    names = {record.source.name for record in read_records(tmp_path / "out").values()}
    assert names == {"b.mkv"}
    assert {failure.name for failure in outcome.failures} == {sequence.id for sequence in plan.videos[0].sequences}
    assert "a.mkv was replaced in the store since it was listed; run again" in outcome.failures[0].message


def test_a_video_that_cannot_be_had_is_a_fault_of_its_own(videos, objects, tmp_path):
    objects.put("clips/a.mkv", videos / "a.mkv")
    objects.put("clips/large.mkv", bytes(3_000_000))
    result = run(objects.url("clips"), tmp_path / "out", "--cache-footage-gb", "0.002")
    assert result.exit_code == 1
    assert "large.mkv: 0.0 GB, more than the 0.002 GB of footage that are kept here; raise --cache-footage-gb" in (
        " ".join(result.output.split())
    )
    assert {record.source.name for record in read_records(tmp_path / "out").values()} == {"a.mkv"}


def test_what_so_many_pairs_need_is_told_of_footage_elsewhere_too(videos, objects):
    objects.put("clips/a.mkv", videos / "a.mkv")
    options = [part for part in QUICK if part != "--no-report"]
    url = objects.url("clips")
    result = CliRunner().invoke(cli, ["plan", "--videos", url, "--samples", "1", "--pairs", "100", "--json", *options])
    assert result.exit_code == 0, (result.output, result.exception)
    assert json.loads(result.stdout)["costs"]["source_bytes"] == (videos / "a.mkv").stat().st_size


def test_readings_that_are_tried_again_are_told(videos, objects, tmp_path):
    objects.put("clips/a.mkv", videos / "a.mkv")
    objects.proxy.harms.append(("stall", 1000))
    result = run(objects.url("clips"), tmp_path / "out", "--set", "run.remote_timeout=3", "--verbose")
    assert result.exit_code == 0, (result.output, result.exception)
    assert "a.mkv cannot be read: no answer in 3 s; asking again from byte 0" in " ".join(result.output.split())


def test_names_that_lead_elsewhere_are_left_out(videos, objects, tmp_path):
    objects.put("clips/a.mkv", videos / "a.mkv")
    for name in ("../up.mkv", "x//y.mkv", "./z.mkv", "a.mkv/b.mkv", f"{'n' * 300}.mkv", "folder/"):
        objects.put(f"clips/{name}", b"1")
    result = run(objects.url("clips"), tmp_path / "out", "--dry-run")
    assert result.exit_code == 0, (result.output, result.exception)
    assert "(names that no file here may have)" in " ".join(result.output.split())
    assert [path.name for path in (tmp_path / "caches/footage").rglob("*.mkv")] == ["a.mkv"]


def test_nothing_secret_is_told(tmp_path):
    """Of a URL that cannot be reached."""
    url = "http://someone:p4ssword@127.0.0.1:9/clips/?X-Amz-Signature=5ecret"
    quick = ("--set", "run.remote_timeout=5", "--set", "run.remote_tries=1")
    result = run(url, tmp_path / "out", *quick)
    assert isinstance(result.exception, UserError)
    told = message(result)
    assert told.startswith("http://127.0.0.1:9/clips: ")
    assert "p4ssword" not in told + result.output
    assert "5ecret" not in told + result.output


def test_a_listing_is_not_a_reason_to_import_what_is_heavy():
    code = "import sys, lolblur_synth.cli.main; print({'fsspec', 's3fs', 'torch'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"
