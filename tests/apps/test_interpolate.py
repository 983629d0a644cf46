"""The `interpolate` command: more frames, those that were there untouched, and nothing blended over a cut."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.apps import interpolate
from lolblur_synth.apps.interpolate import UNTRUSTED, InterpolateOptions, interpolate_video, output_times
from lolblur_synth.apps.transcoding import Listener
from lolblur_synth.cli.main import cli
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.nets.weights.ncnn import write
from lolblur_synth.scenes import Scene, glide, render
from lolblur_synth.video.images import quantize, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames, read_stored
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.ops.interpolation.test_interpolate import psnr, texture
from tests.ops.interpolation.test_ncnn import needs_ncnn
from tests.support.clips import encode, scene
from tests.support.commands import message
from tests.support.rife_files import random_rife

SIZE = (64, 80)
FPS = Fraction(250)
SCENES = Scene(texture(), glide(2, 0.7)), Scene(1 - texture(5), glide(-1.5, 1))


def call(source: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["interpolate", "--input", str(source), "--out", str(out), *options])


def frames_of(path: Path) -> list[Tensor]:
    found = scan(probe(path))
    return list(read_frames(found, 0, found.frames))


def shots(scene: int, count: int) -> list[Tensor]:
    return [render(SCENES[scene], t, SIZE) for t in range(count)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.mkv"
    write_video(path, shots(0, 6), FPS)
    return path


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cut") / "two.mkv"
    write_video(path, shots(0, 6) + shots(1, 6), FPS)
    return path


@pytest.mark.parametrize("options", [["--fps", "2000"], ["--factor", "8"]])
def test_eight_times_the_rate(clip, tmp_path, options):
    result = call(clip, tmp_path / "out.mkv", *options)
    assert result.exit_code == 0, result.exception
    assert result.output.startswith("41 frames at 2000 fps from 6 at 250, by optical flow (auto: there is no CUDA); ")
    assert "motion is inconsistent on at most" in result.output
    assert probe(tmp_path / "out.mkv").stored_fps == 2000
    made, given_ = frames_of(tmp_path / "out.mkv"), frames_of(clip)
    assert len(made) == 41
    assert all(torch.equal(frame, made[8 * index]) for index, frame in enumerate(given_))
    assert min(psnr(frame, render(SCENES[0], index / 8, SIZE)) for index, frame in enumerate(made)) > 38
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_time_is_kept_where_frames_were_dropped(tmp_path):
    """The header of such a file tells an average."""
    kept = [n for n in range(40) if n not in (7, 20, 21, 22, 23, 24, 25)]
    pictures = scene(40)
    pts = [n * 360 for n in kept]
    source = encode(tmp_path / "a.mp4", [pictures[n] for n in kept], time_base=Fraction(1, 90_000), pts=pts.__getitem__)
    assert probe(source).stored_fps < 240
    result = call(source, tmp_path / "out.mkv", "--factor", "2")
    assert result.exit_code == 0, result.exception
    assert result.output.startswith("79 frames at 500 fps from 40 at 250")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_at_a_varying_rate_each_frame_counts_at_its_own_time(tmp_path, suffix):
    moments = [0, 0.3, 1, 1.9, 3, 3.4, 4.5, 5]  # in steps of 50 ms: on no timeline
    times = [Fraction(str(moment)) / 20 for moment in [*moments, 6]]
    source = tmp_path / f"a{suffix}"
    write_video(source, [render(SCENES[0], t, SIZE) for t in moments], times)
    result = call(source, tmp_path / "out.mkv", "--fps", "80")
    assert result.exit_code == 0, result.exception
    assert result.output.startswith("21 frames at 80 fps from 8 that are 15 to 55 ms apart, by optical flow")
    made, given_ = frames_of(tmp_path / "out.mkv"), list(read_stored(scan_stored(probe(source))))
    assert len(made) == 21
    assert all(torch.equal(made[4 * round(moments[n])], given_[n]) for n in (0, 2, 4, 7))
    assert min(psnr(frame, render(SCENES[0], index / 4, SIZE)) for index, frame in enumerate(made)) > 38


def test_any_higher_rate_at_exact_times(clip, tmp_path):
    assert call(clip, tmp_path / "out.mp4", "--fps", "600").exit_code == 0
    made = frames_of(tmp_path / "out.mp4")
    assert len(made) == 13
    assert probe(tmp_path / "out.mp4").stored_fps == 600
    assert all(torch.equal(made[12 * k], frame) for k, frame in enumerate(frames_of(clip)[::5]))
    assert min(psnr(frame, render(SCENES[0], index / 2.4, SIZE)) for index, frame in enumerate(made)) > 38


@given(st.fractions(1, 20, max_denominator=60), st.integers(2, 9))
@settings(max_examples=50)
def test_moments_of_all_gaps_are_those_of_the_whole(ratio: Fraction, frames: int):
    step = 1 / ratio
    parts = [moment for gap in range(frames) for moment in output_times(gap, gap + 1, step)]
    assert parts == output_times(0, frames, step)
    assert all(later - earlier == step for earlier, later in pairwise(parts))


def test_over_a_cut_the_nearest_frame_is_held(two_scenes, tmp_path):
    result = call(two_scenes, tmp_path / "out.mkv", "--factor", "4")
    assert result.exit_code == 0, result.exception
    assert "cut at frame 6: nothing is blended over it, the nearest frame is held" in result.output
    made, given_ = frames_of(tmp_path / "out.mkv"), frames_of(two_scenes)
    assert len(made) == 45
    assert all(torch.equal(frame, given_[5]) for frame in made[20:22])
    assert all(torch.equal(frame, given_[6]) for frame in made[22:25])
    assert not torch.equal(made[19], given_[5])
    assert not torch.equal(made[25], given_[6])
    for index, frame in enumerate(made[25:], 25):
        assert psnr(frame, render(SCENES[1], index / 4 - 6, SIZE)) > 38


def test_equal_frames_stay_equal(tmp_path):
    frame = shots(0, 1)[0]
    write_video(tmp_path / "still.mkv", [frame] * 4, FPS)
    for backend in ("flow", "linear"):
        assert call(tmp_path / "still.mkv", tmp_path / f"{backend}.mkv", "--factor", "3", "--backend", backend)
        made = frames_of(tmp_path / f"{backend}.mkv")
        assert len(made) == 10
        assert all(torch.equal(other, made[0]) for other in made)


def test_where_frames_are_missing_motion_goes_on(tmp_path):
    (tmp_path / "in").mkdir()
    for number, frame in enumerate(shots(0, 6)):
        if number not in (2, 3):
            write_png(tmp_path / f"in/{number:03d}.png", quantize(frame))
    result = call(tmp_path / "in", tmp_path / "out.mkv", "--factor", "2", "--capture-fps", "250")
    assert result.exit_code == 0, result.exception
    assert "missing frame 2, 3: motion goes on from the one before to the one after" in result.output
    made = frames_of(tmp_path / "out.mkv")
    assert len(made) == 11
    assert min(psnr(frame, render(SCENES[0], index / 2, SIZE)) for index, frame in enumerate(made)) > 33


def test_motion_that_cannot_be_trusted_is_told(tmp_path):
    wild = Scene(texture(), glide(21, 14))
    write_video(tmp_path / "wild.mkv", [render(wild, t, SIZE) for t in range(4)], FPS)
    result = call(tmp_path / "wild.mkv", tmp_path / "out.mkv", "--factor", "2")
    assert "motion that cannot be trusted, on more than 5% of the picture, after frame 0" in result.output
    assert Config().interpolate.untrusted == UNTRUSTED


def test_deeper_footage_stays_deep(tmp_path):
    write_video(tmp_path / "deep.mkv", shots(0, 3), FPS, bit_depth=16)
    refused = call(tmp_path / "deep.mkv", tmp_path / "out.mp4", "--factor", "2")
    assert "the 16 bits of deep.mkv need a file that ends in .mkv" in message(refused)
    assert call(tmp_path / "deep.mkv", tmp_path / "out.mkv", "--factor", "2").exit_code == 0
    made = frames_of(tmp_path / "out.mkv")
    assert probe(tmp_path / "out.mkv").bit_depth == 16
    assert all(torch.equal(frame, made[2 * k]) for k, frame in enumerate(frames_of(tmp_path / "deep.mkv")))
    assert (torch.stack(made).mul(65535).round().long() % 257 != 0).float().mean() > 0.9


def test_rife(clip, tmp_path):
    save_weights(tmp_path / "mine.safetensors", random_rife("4.0"), {})
    options = ["--factor", "2", "--backend", "rife", "--weights", str(tmp_path / "mine.safetensors")]
    result = call(clip, tmp_path / "out.mkv", *options)
    assert result.exit_code == 0, result.exception
    assert "11 frames at 500 fps from 6 at 250, by RIFE v4.0 on cpu; " in result.output
    made = frames_of(tmp_path / "out.mkv")
    assert all(torch.equal(frame, made[2 * k]) for k, frame in enumerate(frames_of(clip)))


@needs_ncnn
def test_rife_on_ncnn(tmp_path):
    clip = tmp_path / "short.mkv"
    write_video(clip, shots(0, 2), FPS)
    folder = tmp_path / "rife-v4.0-ncnn"
    folder.mkdir()
    write(random_rife("4.0"), folder)
    options = ["--factor", "2", "--backend", "rife-ncnn", "--weights", str(folder), "--device", "cpu"]
    result = call(clip, tmp_path / "out.mkv", *options)
    assert result.exit_code == 0, result.exception
    assert "by RIFE v4.0 on ncnn, the processor; " in result.output
    made = frames_of(tmp_path / "out.mkv")
    assert all(torch.equal(frame, made[2 * k]) for k, frame in enumerate(frames_of(clip)))


def test_frames_are_written_while_others_are_read(tmp_path, monkeypatch):
    """However long a video is, only a few frames are held."""
    read, most = [0], [0]

    def count(*arguments) -> Iterator[Tensor]:
        for frame in read_stored(*arguments):
            read[0] += 1
            yield frame

    def notice(done: int, total: int) -> None:
        assert total == 79
        most[0] = max(most[0], read[0] - done // 2)

    write_video(tmp_path / "long.mkv", shots(0, 40), FPS)
    monkeypatch.setattr(interpolate, "read_stored", count)
    out = tmp_path / "o.mkv"
    interpolate_video(tmp_path / "long.mkv", out, InterpolateOptions(factor=2), listener=Listener(notice, pytest.fail))
    assert read[0] == 40
    assert most[0] < 12


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "give either --fps or --factor"),
        (["--fps", "500", "--factor", "2"], "give either --fps or --factor"),
        (["--factor", "1"], "--factor 1: give a whole number from 2"),
        (["--fps", "250"], "--fps 250: give more than the 250 fps of a.mkv"),
        (["--fps", "nan"], "--fps nan: give more"),
        (["--fps", "inf"], "--fps inf: give more"),
        (["--factor", "100000"], "2.5e+07 fps are too many"),
        (["--factor", "2", "--backend", "rife", "--weights", "rife-v4.0"], "weights pull rife-v4.0`"),
        (["--factor", "2", "--backend", "rife", "--weights", "ec_zero_dce"], "holds ec_zero_dce, not rife"),
        (["--factor", "2", "--backend", "rife-ncnn"], "weights pull rife-v4.0 --ncnn`"),
        (["--factor", "2", "--device", "cuda"], "torch finds no CUDA device here"),
    ],
)
def test_requests_that_make_no_sense(clip, tmp_path, monkeypatch, options, told):
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "none"))
    result = call(clip, tmp_path / "out.mkv", *options)
    assert isinstance(result.exception, UserError)
    assert told in message(result)
    assert len(message(result).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be(clip, tmp_path):
    for source, out, told in (
        ("none.mkv", "o.mkv", "there is no such file"),
        (clip, "o.avi", "ends in .mkv or .mp4"),
        (clip, clip, "would replace the input"),
    ):
        assert told in message(call(tmp_path / source, tmp_path / out, "--factor", "2"))
    (tmp_path / "o.mkv").write_text("precious")
    assert "exists" in message(call(clip, tmp_path / "o.mkv", "--factor", "2"))
    assert (tmp_path / "o.mkv").read_text() == "precious"
    assert call(clip, tmp_path / "o.mkv", "--factor", "2", "--overwrite").exit_code == 0


def test_a_failure_on_the_way_leaves_what_was_there(clip, tmp_path, monkeypatch):
    def fail(*arguments) -> Iterator[Tensor]:
        yield from list(read_stored(*arguments))[:3]
        raise SequenceError("gone")

    monkeypatch.setattr(interpolate, "read_stored", fail)
    (tmp_path / "o.mkv").write_text("a result of before")
    result = call(clip, tmp_path / "o.mkv", "--factor", "2", "--overwrite")
    assert isinstance(result.exception, SequenceError)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["a result of before"]
