"""What is written, and when it is shown."""

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch

from lolblur_synth.core.errors import UserError
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames, read_stored
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.support.clips import scene
from tests.support.videos import as_tensor, opened, pixels

RATES = [Fraction(240_000, 1001), Fraction(30_000, 1001), Fraction(240), Fraction(250), Fraction(2000)]
UNEVEN = [Fraction(value, 90_000) for value in (3870, 6870, 9870, 18_870, 27_870, 27_900, 39_870, 48_870)]


def times_in(path: Path) -> list[Fraction]:
    """By the container, to the end of the last frame."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        times = [frame.pts * Fraction(stream.time_base) for frame in container.decode(stream)]
        return [*times, Fraction(container.start_time + container.duration, 1_000_000)]


@pytest.mark.parametrize("fps", RATES, ids=str)
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_what_is_written_losslessly_is_read_back(tmp_path, name, fps):
    pictures = as_tensor(scene(12, size=(98, 66)))
    write_video(tmp_path / name, iter(pictures), fps)
    found = opened(tmp_path / name)
    assert (found.info.stored_fps, found.info.capture_fps) == (fps, fps)
    assert torch.equal(torch.stack(list(read_frames(found, 0, 12))), pictures)
    assert max(abs(time - n / fps) for n, time in enumerate(times_in(tmp_path / name))) < Fraction(1, 900_000)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "error"), [("a.mkv", Fraction(1, 2_000_000)), ("a.mp4", 0)])
def test_times_that_are_given_are_those_of_the_file(tmp_path, name, error):
    pictures = as_tensor(scene(7))
    write_video(tmp_path / name, pictures, UNEVEN)
    *times, end = times_in(tmp_path / name)
    assert max(abs(time - given) for time, given in zip(times, UNEVEN[:-1], strict=True)) <= error
    found = scan_stored(probe(tmp_path / name))
    assert torch.equal(torch.stack(list(read_stored(found))), pictures)
    assert float(end) == pytest.approx(float(UNEVEN[-1]), abs=0.05)  # PyAV's duration leaves out when it begins


def test_values_are_rounded_and_clipped(tmp_path):
    frame = torch.tensor([-0.2, 0.4999 / 255, 0.5001 / 255, 1.3]).repeat(3, 16, 4)
    write_video(tmp_path / "a.mkv", [frame, frame], Fraction(250))
    assert (pixels(tmp_path / "a.mkv")[0, 0, 0, :4] * 255).round().tolist() == [0, 0, 1, 255]


def test_lossy_files_are_those_of_a_camera(tmp_path):
    pictures = as_tensor(scene(12))
    write_video(tmp_path / "a.mp4", pictures, Fraction(250), crf=12)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.color_range) == ("h264", "yuv420p", 1)
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
    assert probe(tmp_path / "a.mp4").stored_fps == 250
    error = pixels(tmp_path / "a.mp4") - pictures
    assert error.abs().mean() < 5 / 255
    assert error.mean((0, 2, 3)).abs().max() < 0.7 / 255  # no tint


def test_equal_frames_give_equal_files(tmp_path):
    for name in ("a.mkv", "b.mkv"):
        write_video(tmp_path / name, as_tensor(scene(5)), Fraction(250))
    one, other = (hashlib.sha256((tmp_path / name).read_bytes()).digest() for name in ("a.mkv", "b.mkv"))
    assert one == other


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    def breaks():
        yield as_tensor(scene(1))[0]
        raise KeyError("the renderer")

    (tmp_path / "a.mkv").write_text("before")
    with pytest.raises(KeyError):
        write_video(tmp_path / "a.mkv", breaks(), Fraction(250))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize(
    ("name", "size", "crf", "message"),
    [
        ("none/a.mkv", (96, 64), None, r"the folder .*none does not exist"),
        ("a.webm", (96, 64), None, r"written as \.mkv or \.mp4"),
        ("a.mp4", (97, 63), 12, r"cannot be written"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, name, size, crf, message):
    with pytest.raises(UserError, match=message):
        write_video(tmp_path / name, as_tensor(scene(2, size=size)), Fraction(250), crf=crf)
    assert not list(tmp_path.iterdir())


def test_a_video_has_frames(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        write_video(tmp_path / "a.mkv", [], Fraction(250))
    assert not list(tmp_path.iterdir())
