"""End to end: real clips in, a dataset out, the same pixels however the work is done."""

import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import pytest
import torch
import yaml
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.core.threads import torch_threads
from lolblur_synth.dataset import card
from lolblur_synth.dataset.layout import FOLDERS, RECORD
from lolblur_synth.dataset.locks import locked
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.summary import summarize
from lolblur_synth.dataset.verify import verify
from lolblur_synth.kernels.jit_cache import KernelCache
from lolblur_synth.metrics.psnr_ssim import psnr
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.run import build_sequence
from lolblur_synth.run.estimate import estimate
from lolblur_synth.run.execute import execute
from lolblur_synth.run.executors import base, serial
from lolblur_synth.run.executors.serial import Serial
from lolblur_synth.run.planning import make_plan
from lolblur_synth.video.images import read_image, read_pixels
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video
from tests.support.clips import copies_rates, encode, remux, scene, turn
from tests.support.footage import SMALL, film
from tests.support.rife_files import random_rife
from tests.support.staged import pictures_of


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *SMALL, *options])


def hashes(out: Path) -> dict[str, str]:
    return {str(path): sha256 for record in read_records(out).values() for path, sha256 in record.images()}


@pytest.fixture(scope="module")
def made(videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "dataset"
    result = run(videos, out)
    assert result.exit_code == 0, result.output
    return out


def test_layout_records_and_card(made):
    assert verify(made) == (2 * 4 * 5, [])
    train, test = pictures_of(made, "train"), pictures_of(made, "test")
    assert (len(train), len(test)) == (4, 4)  # by video
    assert all(path.is_file() for pair in train + test for path in pair.values())
    assert {path.stem for pair in train for path in pair.values()} == {"0001", "0002", "0003", "0004"}
    assert sorted(read_records(made)) == ["0000-0", "0000-1", "0001-0", "0001-1"]
    card = (made / "README.md").read_text()
    for part in ("8 pairs from 2 videos", "a.mkv", "b.mkv", "linear light", "exposure", "torch"):
        assert part in card
    assert (made / "contact_sheet.png").stat().st_size > 10000
    assert len((made / "manifest.jsonl").read_text().splitlines()) == 8
    assert not (made / "failed").exists()


def test_pictures_are_what_their_folders_say(made):
    for record in read_records(made).values():
        for pair in pictures_of(made, record.split):
            picture = {folder: read_image(path) for folder, path in pair.items()}
            assert {tuple(image.shape) for image in picture.values()} == {(3, 96, 128)}
            assert (picture["high_sharp_scaled"] <= picture["high_sharp_original"] + 1e-6).all()
            assert (picture["low_sharp"] <= picture["high_sharp_scaled"] + 1e-6).all()
            assert picture["low_sharp"].mean() < 0.8 * picture["high_sharp_scaled"].mean()
            assert 0 < (picture["low_blur_noise"] - picture["low_blur"]).abs().mean() < 0.03
            assert (picture["low_blur"] - picture["low_sharp"]).abs().mean() > 1e-3


def test_the_record_explains_a_pair(made):
    record = read_records(made)["0000-1"]
    assert record.source.name in {"a.mkv", "b.mkv"}
    assert record.source.capture_fps == "250"
    assert record.shutter.frames in {7, 9}
    assert record.shutter.sub_frames in {49, 65}
    for pair in record.pairs:
        assert pair.last - pair.first + 1 == record.shutter.frames
        assert 2 * pair.center == pair.first + pair.last
        assert pair.seconds == pair.center / 250
    assert {"decode", "darken", "expose", "noise", "write"} <= set(record.seconds)
    assert yaml.safe_load((made / "dataset.yaml").read_text())["seed"] == 0


def test_a_whole_camera_is_made_recorded_and_told(videos, made, tmp_path):
    """Rolling shutter, response curve, sharpening and JPEG: windows are longer, so that there are fewer."""
    camera = [
        "camera.rolling_ms=[8,16]",
        "camera.response=gamma2.2",
        "isp.sharpen=[0.2,0.6]",
        "isp.jpeg_quality=[70,90]",
    ]
    options = [word for setting in camera for word in ("--set", setting)]
    result = run(videos, tmp_path / "d", *options, "--set", "sequences.shutter_ms=24", "--set", "sequences.per_video=1")
    assert result.exit_code == 0, result.output
    record, usual = read_records(tmp_path / "d")["0000-0"], read_records(made)["0000-0"]
    assert 8 <= record.draws.rolling_ms <= 16
    assert record.shutter.readout == pytest.approx(2 * record.draws.rolling_ms)
    margin = 1 if record.draws.rolling_ms <= 8 else 2
    assert (record.shutter.gaps, record.shutter.frames) == (6, 7 + 2 * margin)
    assert all(pair.last - pair.first == 6 + 2 * margin for pair in record.pairs)
    assert record.pairs[0].center >= 5  # whose window begins in the video
    assert 70 <= record.draws.jpeg.quality <= 90
    card = (tmp_path / "d" / "README.md").read_text()
    for part in ("a rolling shutter reads each out in", "Response curve: gamma2.2", "Sharpening of", "JPEG of"):
        assert part in card
        assert part not in (made / "README.md").read_text()
    assert record.fingerprint != usual.fingerprint
    assert verify(tmp_path / "d")[1] == []


def test_the_record_tells_how_hard_a_pair_is(made):
    """Its pictures tell the PSNR; the hand that filmed goes up to 2 pixels a frame."""
    for record in read_records(made).values():
        for told, pair in zip(
            record.pairs, pictures_of(made, record.split)[record.pairs[0].number - 1 :], strict=False
        ):
            assert told.psnr == round(psnr(read_pixels(pair["low_blur"]), read_pixels(pair["low_sharp"])), 2)
            assert told.psnr_in_light
            assert told.psnr_in_light < told.psnr
            assert told.blur
            assert 0.2 * record.shutter.gaps < told.blur.mean < 2.2 * record.shutter.gaps
            assert told.blur.mean <= told.blur.p95
    lines = [json.loads(line) for line in (made / "manifest.jsonl").read_text().splitlines()]
    assert all(line["tier"] in ("easy", "medium", "hard") and line["blur"]["mean"] > 0 for line in lines)
    assert "## How the pictures are blurred" in (made / "README.md").read_text()


def test_without_flow_there_is_no_path(videos, tmp_path):
    result = run(videos, tmp_path / "d", "--set", "interpolate.backend=linear", "--set", "interpolate.fps=250")
    assert result.exit_code == 0, result.output
    pairs = [pair for record in read_records(tmp_path / "d").values() for pair in record.pairs]
    assert {pair.blur for pair in pairs} == {None}
    assert None not in {pair.tier for pair in pairs}
    assert "Paths are not measured" in (tmp_path / "d" / "README.md").read_text()


def test_sequences_of_one_video_draw_differently_and_are_not_consecutive(made):
    first, second = read_records(made)["0000-0"], read_records(made)["0000-1"]
    assert first.draws != second.draws
    assert first.pairs[-1].number + 1 == second.pairs[0].number


@pytest.mark.parametrize("options", [["--workers", "2"], ["--workers", "3", "--verbose"]])
def test_workers_change_no_pixel(videos, made, tmp_path, options):
    assert run(videos, tmp_path / "d", *options).exit_code == 0
    assert hashes(tmp_path / "d") == hashes(made)


@pytest.mark.parametrize("cores", [1, 3])
def test_cores_change_no_pixel(videos, made, tmp_path, monkeypatch, cores):
    """Neither the threads of a worker nor those of decoders, torch and OpenCV, which follow the cores."""
    monkeypatch.setattr("lolblur_synth.core.devices.cores", lambda: cores)
    seen = []
    attempt = serial.attempt
    monkeypatch.setattr(serial, "attempt", lambda *rest: [seen.append(rest[2].threads), attempt(*rest)][1])
    before = cv2.getNumThreads()
    cv2.setNumThreads(cores)
    try:
        with torch_threads(cores):
            assert run(videos, tmp_path / "d").exit_code == 0
    finally:
        cv2.setNumThreads(before)
    assert set(seen) == {cores}
    assert hashes(tmp_path / "d") == hashes(made)


def test_order_and_file_names_change_no_pixel(videos, made, tmp_path, monkeypatch):
    """The reverse order of work, and names that sort the other way round."""
    (tmp_path / "v").mkdir()
    (tmp_path / "v/2.mkv").symlink_to(videos / "a.mkv")
    (tmp_path / "v/1.mkv").symlink_to(videos / "b.mkv")
    forward = Serial.__call__
    monkeypatch.setattr(Serial, "__call__", lambda self, job, tasks: forward(self, job, tasks[::-1]))
    assert run(tmp_path / "v", tmp_path / "d").exit_code == 0
    assert sorted(hashes(tmp_path / "d").values()) == sorted(hashes(made).values())


@copies_rates
def test_footage_that_is_remuxed_and_retagged_is_the_same_video(videos, made, tmp_path):
    """It joins as what is there already, gives the same pixels elsewhere, and is never in both splits."""
    (tmp_path / "v").mkdir()
    for name, other in (("a.mkv", "b.avi"), ("b.mkv", "a.avi")):
        remux(videos / name, tmp_path / "v" / other, title="another")
    out = tmp_path / "d"
    shutil.copytree(made, out)
    assert run(tmp_path / "v", out).exit_code == 0
    assert hashes(out) == hashes(made)
    assert {path.name: path.read_bytes() for path in (out / "records").iterdir()} == {
        path.name: path.read_bytes() for path in (made / "records").iterdir()
    }
    assert run(tmp_path / "v", tmp_path / "e").exit_code == 0
    assert sorted(hashes(tmp_path / "e").values()) == sorted(hashes(made).values())
    for name in ("a.mkv", "b.mkv"):
        (tmp_path / "v" / name).symlink_to(videos / name)
    both = run(tmp_path / "v", tmp_path / "f")
    assert "2 not made" in str(both.exception)
    assert "not made: b.avi: same content as a.mkv, which is used" in both.output
    assert sorted(hashes(tmp_path / "f").values()) == sorted(hashes(made).values())


def test_footage_that_is_to_be_turned_is_made_anew_with_the_same_draws(tmp_path):
    clip = film(tmp_path / "v/a.mp4", frames=40)
    assert run(tmp_path / "v", tmp_path / "d").exit_code == 0
    turn(clip, 180)
    refused = run(tmp_path / "v", tmp_path / "d")
    assert "come from other settings" in str(refused.exception)
    assert run(tmp_path / "v", tmp_path / "e").exit_code == 0
    upright, turned = (read_records(tmp_path / name)["0000-0"] for name in "de")
    assert turned.draws == upright.draws
    assert turned.fingerprint != upright.fingerprint


def test_another_seed_gives_other_pixels(videos, made, tmp_path):
    assert run(videos, tmp_path / "d", "--seed", "1").exit_code == 0
    changed = {path for path, sha256 in hashes(tmp_path / "d").items() if "high_sharp_original" not in path}
    assert not {hashes(tmp_path / "d")[path] for path in changed} & set(hashes(made).values())


def test_kill_and_run_again(videos, made, tmp_path):
    out = tmp_path / "d"
    command = [sys.executable, "-m", "lolblur_synth", "run", "--videos", str(videos), "--out", str(out), *SMALL]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("records/*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in out.glob("records/*.json")}
    assert 1 <= len(done) < 4
    result = run(videos, out)
    assert result.exit_code == 0, result.output
    assert hashes(out) == hashes(made)
    assert verify(out) == (40, [])
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())  # kept, not made again


def test_kill_with_workers_leaves_no_writer_behind(videos, made, tmp_path):
    """Worker processes end with the run they belong to, so that the next one is alone in the folder."""
    out = tmp_path / "d"
    command = [sys.executable, "-m", "lolblur_synth", "run", "--videos", str(videos), "--out", str(out), *SMALL]
    process = subprocess.Popen([*command, "--workers", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob(".*.partial/*/*/*/*.png")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.3)
    before = sorted(path for path in out.rglob("*"))
    time.sleep(1.0)
    assert sorted(path for path in out.rglob("*")) == before
    assert run(videos, out).exit_code == 0
    assert hashes(out) == hashes(made)
    assert verify(out) == (40, [])


def test_a_second_run_makes_nothing(videos, made):
    before = {path: path.stat().st_mtime_ns for path in made.glob("records/*.json")}
    result = run(videos, made)
    assert result.exit_code == 0
    assert "kept" in result.output
    assert before == {path: path.stat().st_mtime_ns for path in made.glob("records/*.json")}


def test_other_settings_are_refused_with_their_names(videos, made):
    before = hashes(made)
    result = run(videos, made, "--set", "average.space=srgb", "--seed", "5")
    assert isinstance(result.exception, UserError)
    for part in ("average.space is linear there, srgb here", "seed is 0 there, 5 here", "overwrite"):
        assert part in str(result.exception)
    assert hashes(made) == before
    assert verify(made)[1] == []


def test_overwrite_makes_it_anew(videos, tmp_path):
    out = tmp_path / "d"
    assert run(videos, out).exit_code == 0
    before = hashes(out)
    only_a = tmp_path / "v"
    only_a.mkdir()
    (only_a / "a.mkv").symlink_to(videos / "a.mkv")
    assert run(only_a, out, "--seed", "5", "--overwrite").exit_code == 0
    assert verify(out) == (20, [])
    assert not set(hashes(out).values()) & set(before.values()) - {
        value for path, value in before.items() if "high_sharp_original" in path
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_overwrite_with_longer_sequences_loses_nothing(videos, tmp_path, workers):
    out, again = tmp_path / "d", ("--overwrite", "--workers", workers)
    assert run(videos, out, "--set", "sequences.pairs=1", "--set", "sequences.min_pairs=1").exit_code == 0
    assert run(videos, out, *again).exit_code == 0
    assert verify(out) == (40, [])
    assert run(videos, out, *again, "--set", "sequences.pairs=3", "--set", "sequences.per_video=1").exit_code == 0
    assert verify(out) == (2 * 3 * 5, [])


def test_overwrite_removes_sequences_that_a_video_no_longer_has(tmp_path):
    """At a higher rate of filming there are fewer windows."""
    film(tmp_path / "v/a.mkv", frames=64)
    options = ("--set", "sequences.pairs=2", "--set", "sequences.min_pairs=1")
    assert run(tmp_path / "v", tmp_path / "d", *options).exit_code == 0
    assert len(read_records(tmp_path / "d")) == 2
    (tmp_path / "v/aM01.XML").write_text('<VideoFrame captureFps="500p"/>')
    refused = run(tmp_path / "v", tmp_path / "d", *options)
    assert "come from other settings, weights, capture rate, device or version" in str(refused.exception)
    assert run(tmp_path / "v", tmp_path / "d", *options, "--overwrite").exit_code == 0
    records = read_records(tmp_path / "d").values()
    assert {record.source.capture_fps for record in records} == {"500"}
    assert len(records) == 1
    assert verify(tmp_path / "d")[1] == []


@pytest.mark.parametrize(
    "change", [{"weights": {"ec_zero_dce": "0" * 64}}, {"versions": {"lolblur-synth": "0", "pipeline": "1"}}]
)
def test_videos_do_not_join_what_was_made_otherwise(videos, made, tmp_path, change):
    out = tmp_path / "d"
    shutil.copytree(made, out)
    for path in (out / "records").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    film(tmp_path / "v/new.mkv", frames=40)
    refused = run(tmp_path / "v", out)
    assert "4 sequences there (0000-0, " in str(refused.exception)
    assert "other settings, weights, capture rate, device or version" in str(refused.exception)


def test_a_dataset_is_not_continued_on_another_kind_of_device(videos, made, monkeypatch):
    """There flow samples by another kernel."""
    config = load(Config, [], [*SMALL[1::2], "interpolate.backend=flow"])
    weights = {"ec_zero_dce": load_ec_zero_dce("ec_zero_dce")[1]}
    assert {s.status for s in make_plan(videos, made, config, weights).sequences} == {"keep"}
    monkeypatch.setattr("lolblur_synth.run.numbering.choose_device", lambda _: torch.device("cuda"))
    with pytest.raises(UserError, match="weights, capture rate, device or version"):
        make_plan(videos, made, config, weights)


def test_a_faulty_video_of_a_long_name_is_told_too(tmp_path):
    film(tmp_path / "v/a.mkv", frames=40)
    (tmp_path / f"v/{'ü' * 124}.mp4").write_text("no video")
    assert isinstance(run(tmp_path / "v", tmp_path / "d").exception, SequenceError)
    (told,) = (tmp_path / "d/failed").glob("*.json")
    assert json.loads(told.read_text())["name"] == f"{'ü' * 124}.mp4"
    assert (tmp_path / "d/README.md").is_file()


def test_videos_of_one_name_are_told_apart_and_what_is_left_out_is_named(tmp_path):
    film(tmp_path / "v/day1/clip.mkv", frames=40)
    (tmp_path / "v/day2").mkdir()
    (tmp_path / "v/day2/clip.mkv").write_text("no video")
    (tmp_path / "v/day2/a.insv").touch()
    result = run(tmp_path / "v", tmp_path / "v/dataset")
    assert isinstance(result.exception, SequenceError)
    assert "left out: day2/a.insv (of a 360 degree camera; export" in result.output
    (told,) = (tmp_path / "v/dataset/failed").glob("*.json")
    assert json.loads(told.read_text())["name"] == "day2/clip.mkv"
    assert json.loads((tmp_path / "v/dataset/records/0000-0.json").read_text())["source"]["name"] == "day1/clip.mkv"
    again = run(tmp_path / "v", tmp_path / "v/dataset", "--dry-run")
    assert "day1/clip.mkv" in again.output
    assert "kept: 1 sequences" in again.output
    assert "left out: dataset (made by this program" in again.output


def test_a_rate_that_timestamps_tell_to_be_too_low_is_refused(tmp_path):
    pictures = scene(12)
    (tmp_path / "v").mkdir()
    encode(tmp_path / "v/a.mkv", pictures, fps=60, time_base=Fraction(1, 1000), pts=lambda number: 100 * number)
    refused = run(tmp_path / "v", tmp_path / "d")
    assert "10 fps" in str(refused.exception)
    assert " is below 48" in str(refused.exception)


def test_overwrite_forgets_the_old_numbers_and_splits(videos, tmp_path):
    alone = tmp_path / "v"
    alone.mkdir()
    (alone / "a.mkv").symlink_to(videos / "a.mkv")
    assert run(alone, tmp_path / "d").exit_code == 0
    (alone / "a.mkv").unlink()
    (alone / "b.mkv").symlink_to(videos / "b.mkv")
    (alone / "text.mp4").write_text("no video, and no reason to keep what other settings made")
    result = run(alone, tmp_path / "d", "--overwrite", "--seed", "5")
    assert isinstance(result.exception, SequenceError)
    assert {(r.video, r.split, r.source.name) for r in read_records(tmp_path / "d").values()} == {(0, "train", "b.mkv")}
    assert verify(tmp_path / "d") == (20, [])


def test_a_folder_that_changed_since_it_was_planned_is_left_alone(videos, made, tmp_path):
    config = load(Config, [], [option for option in SMALL if option != "--set"])
    weights = {"ec_zero_dce": load_ec_zero_dce("ec_zero_dce")[1]}
    plan = make_plan(videos, tmp_path / "d", config, weights)
    assert run(videos, tmp_path / "d", "--seed", "5").exit_code == 0  # somebody else was quicker
    before = hashes(tmp_path / "d")
    with pytest.raises(UserError, match="another run has changed it"):
        execute(plan)
    assert hashes(tmp_path / "d") == before


def test_a_finished_sequence_survives_a_failure_to_publish(videos, made, tmp_path, monkeypatch):
    def fail(root, staging):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(base, "publish", fail)
    assert isinstance(run(videos, tmp_path / "d").exception, UserError)
    assert len(list((tmp_path / "d").glob(".*.partial/record.json"))) == 1
    monkeypatch.undo()
    assert run(videos, tmp_path / "d").exit_code == 0
    assert hashes(tmp_path / "d") == hashes(made)


def test_output_faster_than_the_footage_is_refused(videos, tmp_path):
    result = run(videos, tmp_path / "d", "--set", "sequences.fps=300", "--set", "sequences.shutter_ms=3")
    assert isinstance(result.exception, UserError)
    assert "pairs would repeat" in str(result.exception)


def test_blur_wider_than_the_picture_is_refused(videos, tmp_path):
    result = run(videos, tmp_path / "d", "--set", "defocus.sigma=12", "--set", "defocus.shape=1")
    assert isinstance(result.exception, UserError)
    assert "make kernels of" in str(result.exception)


def test_more_videos_join_a_dataset_and_numbers_stay(videos, tmp_path):
    growing = tmp_path / "v"
    growing.mkdir()
    (growing / "b.mkv").symlink_to(videos / "b.mkv")
    assert run(growing, tmp_path / "d").exit_code == 0
    before = hashes(tmp_path / "d")
    (growing / "a.mkv").symlink_to(videos / "a.mkv")
    assert run(growing, tmp_path / "d").exit_code == 0
    after = hashes(tmp_path / "d")
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)
    assert {record.split for record in read_records(tmp_path / "d").values()} == {"train", "test"}


def test_known_videos_are_planned_without_a_look_at_a_frame(videos, tmp_path, monkeypatch):
    config = load(Config, [], SMALL[1::2])
    weights = {"ec_zero_dce": load_ec_zero_dce("ec_zero_dce")[1]}
    plan = make_plan(videos, tmp_path / "d", config, weights)
    for name in ("probe", "scan"):
        monkeypatch.setattr(f"lolblur_synth.run.footage.{name}", lambda *_: pytest.fail("it is decoded again"))
    assert make_plan(videos, tmp_path / "d", config, weights) == plan


def test_a_kept_scan_that_is_of_other_frames_gives_no_picture(videos, tmp_path, monkeypatch):
    """As if the file system had told that nothing has changed: what is read is compared all the same."""
    (tmp_path / "v").mkdir()
    shutil.copy(videos / "a.mkv", tmp_path / "v/a.mkv")
    monkeypatch.setattr("lolblur_synth.video.scan_cache._Files.digest", lambda _: "0" * 64)
    make_plan(tmp_path / "v", tmp_path / "d", load(Config, [], SMALL[1::2]), {})
    shutil.copy(videos / "b.mkv", tmp_path / "v/a.mkv")
    result = run(tmp_path / "v", tmp_path / "d")
    assert isinstance(result.exception, SequenceError)
    assert "2 not made" in str(result.exception)
    assert not read_records(tmp_path / "d")


def test_dry_run_tells_everything_and_writes_nothing(videos, tmp_path):
    result = run(videos, tmp_path / "d", "--dry-run")
    assert result.exit_code == 0, result.output
    for part in ("a.mkv", "b.mkv", "250 fps", "4 sequences, 8 pairs", "Estimate from one pair", "GB"):
        assert part in result.output
    assert not (tmp_path / "d").exists()


def test_an_estimate_leaves_out_what_was_compiled_for_it(videos, tmp_path, monkeypatch):
    def first_compiles(task, plan, staging, *others):
        build(task, plan, staging, *others)
        made.append(task.id)
        if len(made) == 1:
            KernelCache.compiled += 1
            record = json.loads((staging / RECORD).read_text())
            (staging / RECORD).write_text(json.dumps(record | {"seconds": {"denoise": 1000.0}}))

    made, build = [], build_sequence.build_sequence
    monkeypatch.setattr("lolblur_synth.run.aside.build_sequence", first_compiles)
    weights = {"ec_zero_dce": load_ec_zero_dce("ec_zero_dce", "cpu")[1]}
    plan = make_plan(videos, tmp_path / "d", load(Config, [], SMALL[1::2]), weights)
    assert estimate(plan).seconds_per_pair < 500
    assert len(made) == 2


def test_one_bad_file_among_good_ones(videos, made, tmp_path):
    mixed = tmp_path / "v"
    mixed.mkdir()
    for name in ("a.mkv", "b.mkv"):
        (mixed / name).symlink_to(videos / name)
    (mixed / "text.mp4").write_text("this is no video")
    (mixed / "zero.mp4").touch()
    film(mixed / "short.mkv", frames=20, seed=3)
    (mixed / "copy.mkv").write_bytes((videos / "a.mkv").read_bytes())
    result = run(mixed, tmp_path / "d")
    assert isinstance(result.exception, SequenceError)
    assert "4 not made" in str(result.exception)
    for name in ("text.mp4", "zero.mp4", "short.mkv", "copy.mkv"):
        assert f"not made: {name}" in result.output
    assert "too few frames" in result.output
    assert "same content as a.mkv" in result.output or "same content as copy.mkv" in result.output
    assert sorted(hashes(tmp_path / "d").values()) == sorted(hashes(made).values())
    assert len(list((tmp_path / "d/failed").iterdir())) == 4


def test_nothing_usable_writes_nothing(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/text.mp4").write_text("this is no video")
    result = run(tmp_path / "v", tmp_path / "d")
    assert isinstance(result.exception, UserError)
    assert "text.mp4" in str(result.exception)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_no_videos(tmp_path, make):
    make(tmp_path / "v")
    assert isinstance(run(tmp_path / "v", tmp_path / "d").exception, UserError)


def test_a_foreign_folder_is_left_alone(videos, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    result = run(videos, tmp_path, "--overwrite")
    assert isinstance(result.exception, UserError)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_as_output(videos, tmp_path):
    (tmp_path / "d").write_text("x")
    assert run(videos, tmp_path / "d").exit_code == 2


def test_a_full_disk_stops_the_run_and_keeps_what_was_done(videos, made, tmp_path, monkeypatch):
    write, left = build_sequence.write_png, [15]

    def write_until_full(path, pixels):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, pixels)

    monkeypatch.setattr(build_sequence, "write_png", write_until_full)
    result = run(videos, tmp_path / "d")
    assert isinstance(result.exception, UserError)
    assert "No space left" in str(result.exception)
    assert len(read_records(tmp_path / "d")) == 1
    assert not list((tmp_path / "d").glob(".*.partial"))
    monkeypatch.undo()
    assert run(videos, tmp_path / "d").exit_code == 0
    assert hashes(tmp_path / "d") == hashes(made)


def test_fail_fast_names_the_sequence_that_failed(videos, tmp_path, monkeypatch):
    def fail(task, *rest):
        raise SequenceError("5 of 5 windows dropped", advice="film with less motion")

    monkeypatch.setattr(base, "build_sequence", fail)
    result = run(videos, tmp_path / "d", "--fail-fast")
    assert isinstance(result.exception, SequenceError)
    assert str(result.exception) == "0000-0 of a.mkv: 5 of 5 windows dropped; film with less motion"


def test_a_failing_sequence_is_recorded_and_the_others_are_made(videos, tmp_path, monkeypatch):
    make = base.build_sequence

    def make_all_but_one(task, *rest):
        if task.id == "0000-1":
            raise RuntimeError("boom")
        make(task, *rest)

    monkeypatch.setattr(base, "build_sequence", make_all_but_one)
    result = run(videos, tmp_path / "d")
    assert isinstance(result.exception, SequenceError)
    failure = json.loads((tmp_path / "d/failed/0000-1.json").read_text())
    assert "RuntimeError: boom" in failure["message"]
    assert "make_all_but_one" in failure["detail"]
    assert sorted(read_records(tmp_path / "d")) == ["0000-0", "0001-0", "0001-1"]


def test_sixteen_bit_and_all_folders(videos, tmp_path):
    assert run(videos, tmp_path / "d", "--set", "dataset.bit_depth=16", "--config", "paper").exit_code == 0
    pair = pictures_of(tmp_path / "d", "train")[0]
    assert set(pair) == set(FOLDERS)
    values = (read_image(pair["low_blur"]) * 65535).round()
    assert ((values % 257) != 0).float().mean() > 0.9  # more than 8-bit levels


def test_two_runs_do_not_share_a_folder(videos, tmp_path):
    with locked(tmp_path / "d"):
        result = run(videos, tmp_path / "d")
    assert isinstance(result.exception, UserError)
    assert "another run" in str(result.exception)


def test_footage_that_is_too_small_for_its_own_size(tmp_path):
    film(tmp_path / "v/tiny.mkv", size=(48, 80))
    result = run(tmp_path / "v", tmp_path / "d", "--size", "source")
    assert isinstance(result.exception, UserError)
    assert "80x48 is too small" in str(result.exception)


def test_the_size_of_the_source_can_be_kept(tmp_path):
    film(tmp_path / "v/odd.mkv", size=(71, 99))
    assert run(tmp_path / "v", tmp_path / "d", "--size", "source").exit_code == 0
    pair = pictures_of(tmp_path / "d", "train")[0]
    assert {tuple(read_image(path).shape) for path in pair.values()} == {(3, 71, 99)}


def test_auto_becomes_a_backend_by_name(videos, made):
    assert yaml.safe_load((made / "dataset.yaml").read_text())["interpolate"]["backend"] == "flow"
    assert {record.config.interpolate.backend for record in read_records(made).values()} == {"flow"}
    assert "3. Interpolate (flow) to 2000 fps" in (made / "README.md").read_text()
    again = run(videos, made, "--set", "interpolate.backend=flow")
    assert again.exit_code == 0
    assert "sub-frames by optical flow" in again.output
    assert "sub-frames by optical flow (auto: there is no CUDA)" in run(videos, made).output
    other = run(videos, made, "--set", "interpolate.backend=linear")
    assert "interpolate.backend is flow there, linear here" in str(other.exception)


def test_every_pair_tells_how_far_its_motion_can_be_trusted(made):
    shares = [pair.untrusted for record in read_records(made).values() for pair in record.pairs]
    assert all(share is not None and 0 <= share < 0.05 for share in shares)
    lines = [json.loads(line) for line in (made / "manifest.jsonl").read_text().splitlines()]
    assert [line["untrusted"] for line in lines] == shares
    assert (
        f"inconsistent on at most {max(shares):.1%} of the picture; on more than 5% in 0 of 8 pairs"
        in (made / "README.md").read_text()
    )


def test_the_card_names_what_only_some_sequences_were_made_by(made):
    one, other, *rest = read_records(made).values()
    changes = {"weights": other.weights | {"rife": "ab12" * 16}, "versions": other.versions | {"av": "0.1"}}
    more = other.model_copy(update=changes)
    told = card.render(summarize([one, more, *rest]))
    assert f"rife sha256 {'ab12' * 16}" in told
    assert f"av 0.1 and {one.versions['av']}" in told


def test_footage_that_is_dark_already_is_told(videos, tmp_path):
    found = scan(probe(videos / "a.mkv"))
    (tmp_path / "v").mkdir()
    dark = (frame * 0.04 for frame in read_frames(found, 0, found.frames))
    write_video(tmp_path / "v/dark.mkv", dark, Fraction(250))
    told = run(tmp_path / "v", tmp_path / "d", "--set", "darken.exposure=0.2").output
    assert told.count("where 0.200 was asked: the footage is darker than that already") == 2
    assert "darker than that already" not in run(videos, tmp_path / "e", "--set", "darken.exposure=0.2").output


def test_pictures_unlike_real_nights_are_told_in_one_line(videos, tmp_path):
    told = run(videos, tmp_path / "d", "--set", "darken.exposure=0.4").output.splitlines()
    (line,) = [line for line in told if "unlike photographs of real nights: " in line]
    assert line.startswith("unlike photographs of real nights: 4 of 4 sequences, by mean (of 255) (13.1 to 29.1 there)")
    assert "noise" not in line  # which was chosen
    assert line.endswith(f"lolblur-synth stats {tmp_path / 'd'} tells more")
    kept = run(videos, tmp_path / "d", "--set", "darken.exposure=0.4")
    assert "unlike photographs" not in kept.output


def test_motion_that_cannot_be_trusted_is_told_or_dropped(videos, made, tmp_path):
    pairs = {(record.id, pair.slot): pair for record in read_records(made).values() for pair in record.pairs}
    most = sorted({pair.untrusted for pair in pairs.values()})[-2]
    worst = [key for key, pair in pairs.items() if pair.untrusted > most]
    limit = ["--set", f"interpolate.untrusted={most}"]
    told = run(videos, tmp_path / "told", *limit)
    assert told.exit_code == 0
    assert f"{worst[0][0]}: 1 of 2 pairs hold motion that cannot be trusted" in told.output
    assert f" of the picture: {pairs[worst[0]].number:04d}; look at them" in told.output
    assert hashes(tmp_path / "told") == hashes(made)
    options = [*limit, "--set", "interpolate.reject=true", "--set", "sequences.min_pairs=1"]
    assert run(videos, tmp_path / "dropped", *options).exit_code == 0
    records = read_records(tmp_path / "dropped")
    assert {(record.id, pair.slot) for record in records.values() for pair in record.pairs} == pairs.keys() - {*worst}
    assert set(hashes(tmp_path / "dropped").values()) < set(hashes(made).values())
    (dropped,) = [r for r in records[worst[0][0]].rejects if r.reason.startswith("motion too large to be trusted")]
    assert dropped.slot == worst[0][1]
    card = (tmp_path / "dropped/README.md").read_text()
    assert "1 for: motion too large to be trusted." in card
    assert verify(tmp_path / "dropped")[1] == []


def test_a_sequence_of_which_too_little_can_be_trusted_fails(videos, tmp_path):
    options = ["--set", "interpolate.untrusted=1e-9", "--set", "interpolate.reject=true"]
    result = run(videos, tmp_path / "d", *options)
    assert isinstance(result.exception, SequenceError)
    assert "windows dropped: motion too large to be trusted at frame" in result.output
    assert "raise interpolate.untrusted" in result.output
    assert "Estimate from one pair" in run(videos, tmp_path / "e", *options, "--dry-run").output


def test_rife_and_its_weights_decide_what_is_kept(videos, tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mkv").symlink_to(videos / "a.mkv")
    weights = tmp_path / "mine.safetensors"
    settings = ["interpolate.backend=rife", f"interpolate.weights={weights}", "interpolate.fps=500"]
    options = ["--size", "64x64", *(part for setting in settings for part in ("--set", setting))]
    other = run(tmp_path / "v", tmp_path / "d", *options, "--set", "interpolate.weights=ec_zero_dce")
    assert "holds ec_zero_dce, not rife" in str(other.exception)
    assert not (tmp_path / "d").exists()
    sha256 = save_weights(weights, random_rife("4.0"), {})
    first = run(tmp_path / "v", tmp_path / "d", *options)
    assert first.exit_code == 0, first.exception
    assert "sub-frames by RIFE v4.0 on cpu" in first.output
    assert {record.weights["rife"] for record in read_records(tmp_path / "d").values()} == {sha256}
    assert f"rife sha256 {sha256}" in (tmp_path / "d/README.md").read_text()
    save_weights(weights, random_rife("4.25"), {})
    assert "come from other settings, weights" in str(run(tmp_path / "v", tmp_path / "d", *options).exception)
    assert verify(tmp_path / "d")[1] == []
