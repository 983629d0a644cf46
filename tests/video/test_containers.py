"""What containers tell beside the pictures: which stream is the video, when it starts, its edits, colours and name."""

import os
import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lolblur_synth.core.errors import SequenceError, UserError, shown
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video
from tests.support.clips import edit, encode, scene, textured, together

FAST = {"preset": "ultrafast", "bf": "2", "g": "10", "crf": "12"}


def opened(path: Path) -> VideoScan:
    return scan(probe(path))


# --- a start that is not at 0


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts", "flv", "asf"])
@pytest.mark.parametrize("late", [6, 25])
def test_a_whole_file_that_starts_late_is_not_cut_off(tmp_path, suffix, late):
    codec = "mpeg4" if suffix == "asf" else "libx264"
    path = encode(tmp_path / f"a.{suffix}", scene(50), codec, fps=25, pts=lambda n: n + late, options={"bf": "0"})
    found = opened(path)
    assert (found.frames, found.flaws) == (50, ())


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_file_that_starts_late_and_is_cut_off_is_refused_with_its_own_count(tmp_path, suffix):
    options = {"movflags": "faststart"} if suffix == "mp4" else {}
    clip = {"options": {"g": "10", "bf": "0"}, "container_options": options}
    path = encode(tmp_path / f"a.{suffix}", scene(100), fps=25, pts=lambda n: n + 50, **clip)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(SequenceError, match=r"cut off: of (100|99) frames that its header promises \d\d are there"):
        opened(path)


# --- which stream is the video


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


# --- edit lists


def test_edits_at_other_rates_give_each_stored_frame_once(tmp_path):
    clip = encode(tmp_path / "a.mov", scene(60), fps=240, options={"g": "10", "bf": "0"})
    plain = torch.stack(list(read_frames(opened(clip), 0, 60)))
    at = [round(frame * 64) for frame in (0, 10, 30)]  # in a track of 15360 units a second
    edit(clip, [(42, at[0], 1), (667, at[1], 0.125), (125, at[2], 1)])
    found = opened(clip)
    assert (found.frames, found.flaws, found.info.capture_fps) == (60, (), 240)
    assert torch.equal(torch.stack(list(read_frames(found, 0, 60))), plain)


@pytest.mark.parametrize("count", [0, 1, 2**32 - 1])
def test_an_edit_list_that_is_nonsense_is_no_trap(tmp_path, count):
    clip = edit(encode(tmp_path / "a.mov", scene(12), options={"bf": "0"}), [(48, 0, 1)])
    data = clip.read_bytes()
    at = data.index(b"elst") + 8
    clip.write_bytes(data[:at] + count.to_bytes(4, "big") + data[at + 4 :])
    assert opened(clip).frames == 12


# --- colours that the container alone tells


COLORS = {"color_trc": 1, "color_primaries": 1, "colorspace": 1, "color_range": 1}


@pytest.mark.parametrize(("transfer", "name"), [(18, "HLG"), (16, "PQ")])
def test_a_transfer_that_the_container_alone_tells_is_refused(tmp_path, transfer, name):
    color = COLORS | {"color_trc": transfer}
    clip = encode(tmp_path / "a.mov", scene(3), "prores_ks", "yuv422p10le", color=color)  # no frame of it says so
    with pytest.raises(SequenceError, match=rf"its transfer is {name}, not SDR; convert it first: ffmpeg"):
        probe(clip)


def test_primaries_that_the_container_alone_tells_are_refused(tmp_path):
    color = COLORS | {"color_primaries": 9}
    with pytest.raises(SequenceError, match="its primaries are wide-gamut"):
        probe(encode(tmp_path / "a.mov", scene(3), "prores_ks", "yuv422p10le", color=color))


@pytest.mark.parametrize(("code", "matrix"), [(1, "bt709"), (6, "bt601"), (9, "bt2020"), (2, "bt601")])
def test_the_matrix_that_the_container_alone_tells_is_taken(tmp_path, code, matrix):
    color = COLORS | {"colorspace": code}
    assert probe(encode(tmp_path / "a.mov", scene(3), "prores_ks", "yuv422p10le", color=color)).color_matrix == matrix


def test_where_both_speak_the_frame_wins(tmp_path):
    clip = encode(tmp_path / "a.mov", scene(3), color={"color_trc": 1, "color_primaries": 1, "colorspace": 1})
    data = clip.read_bytes()
    at = data.index(b"colrnclc") + 8
    clip.write_bytes(data[:at] + bytes((0, 9, 0, 18, 0, 9)) + data[at + 6 :])  # primaries, transfer, matrix
    assert probe(clip).color_matrix == "bt709"


# --- names


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


def test_what_is_printable_is_shown_as_it_is():
    assert shown(Path("/a b/ärger/日本.mp4")) == "/a b/ärger/日本.mp4"
    assert shown("a\tb\u202ec\udcff") == "a\\tb\\u202ec\\xff"
