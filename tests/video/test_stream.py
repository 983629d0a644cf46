"""Which stream of a file is the video, whatever the name of the file."""

import os
import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.writer import write_video
from tests.support.clips import encode, scene, textured, together
from tests.support.videos import opened

FAST = {"preset": "ultrafast", "bf": "2", "g": "10", "crf": "12"}


def cover(folder: Path, size: tuple[int, int], frames: int = 1) -> Path:
    return encode(folder / "cover.mov", scene(frames, size=size), "mjpeg", "yuvj420p", fps=25)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("size", "frames"), [((96, 64), 1), ((192, 128), 1), ((192, 128), 4)])
def test_a_cover_or_thumbnails_before_the_video_are_passed_over(tmp_path, suffix, size, frames):
    video = encode(tmp_path / "v.mp4", scene(60), options=FAST)
    found = opened(together(tmp_path / f"a.{suffix}", cover(tmp_path, size, frames), video))
    assert (found.info.codec, found.frames, found.flaws) == ("h264", 60, ())
    assert torch.equal(next(read_frames(found, 7, 8)), next(read_frames(opened(video), 7, 8)))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_of_two_videos_the_larger_is_taken(tmp_path, suffix):
    small, large = (encode(tmp_path / f"{w}.mp4", scene(30, size=(w, 64)), options=FAST) for w in (96, 128))
    for name, clips in (("a", (small, large)), ("b", (large, small))):
        assert probe(together(tmp_path / f"{name}.{suffix}", *clips)).width == 128


NAMES = ["rec-12:30:00", "http:x", "new\nline", "\x1b[31mred", os.fsdecode(b"caf\xe9"), "50%d", "x" * 240]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_read_and_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = Path(f"{name}.mkv")
    pictures = [torch.from_numpy(textured(n).transpose(2, 0, 1) / 255).float() for n in range(3)]
    write_video(path, pictures, Fraction(250))
    found = opened(path)
    assert found.frames == 3
    assert torch.equal(next(read_frames(found, 1, 2)), pictures[1])
    assert list(Path().iterdir()) == [path]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_told_in_one_printable_line(tmp_path, name):
    (tmp_path / f"{name}.mp4").touch()
    with pytest.raises(SequenceError) as empty:
        probe(tmp_path / f"{name}.mp4")
    with pytest.raises(UserError) as unwritten:
        write_video(tmp_path / f"{name}.webm", [], Fraction(250))
    for error in (empty, unwritten):
        assert str(error.value).isprintable()
        assert str(error.value).encode().decode() == str(error.value)
        assert re.match(r"[^ ]*(rec-12:30:00|http:x|new\\nline|\\x1b\[31mred|caf\\xe9|50%d|x{240})\.", str(error.value))
