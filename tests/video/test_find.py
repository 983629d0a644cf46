"""Folders as cards and datasets have them: footage is found, all else is left out with a reason."""

import os
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.video.file_types import SkipReason
from lolblur_synth.video.find import find_videos, numbered_images, runs_backwards, summed_up
from lolblur_synth.video.probe import probe
from tests.support.light import night, write_light


def pictures(folder: Path, names, size=(16, 12)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    encoded = {}
    for name in names:
        suffix = Path(name).suffix.lower()
        if suffix not in encoded:
            encoded[suffix] = cv2.imencode(suffix, np.zeros((size[1], size[0], 3), np.uint8))[1].tobytes()
        (folder / name).write_bytes(encoded[suffix])
    return folder


def frames(folder: Path, count=8, name="{:04d}.png", **kinds) -> Path:
    return pictures(folder, [name.format(number) for number in range(count)], **kinds)


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, *made: Path) -> tuple[list[str], dict[str, SkipReason]]:
    result = find_videos(folder, made, FOLDERS)
    assert all(one.path.exists() for one in result.videos)
    return [one.name for one in result.videos], {one.name: one.why for one in result.left_out}


def test_videos_are_found_by_name_at_any_depth_in_stable_order(tmp_path):
    files(tmp_path, "b.MP4", "a.mov", "c.webm", "day2/clip.mp4", "day1/x/clip.mp4", "day1/z.VOB")
    frames(tmp_path / "aa")
    names = ["a.mov", "aa", "b.MP4", "c.webm", "day1/x/clip.mp4", "day1/z.VOB", "day2/clip.mp4"]
    assert found(tmp_path) == (names, {})


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp"])
def test_folders_of_frames_of_every_kind(tmp_path, suffix):
    frames(tmp_path / "train/GOPR0372_07_00/sharp", name="{:06d}." + suffix)
    assert found(tmp_path) == (["train/GOPR0372_07_00/sharp"], {})
    assert found(tmp_path / "train/GOPR0372_07_00/sharp") == (["sharp"], {})


def test_a_folder_that_is_named_may_hold_two_frames(tmp_path):
    frames(tmp_path / "f", 2)
    assert found(tmp_path / "f") == (["f"], {})
    with pytest.raises(UserError, match=r"left out: f/0000\.png, f/0001\.png \(pictures that are no series of 8"):
        find_videos(tmp_path)


def test_a_camera_card(tmp_path):
    files(tmp_path, "DCIM/100GOPRO/GX010003.MP4", "DCIM/100GOPRO/GL010003.LRV", "DCIM/100GOPRO/GX010003.THM")
    pictures(tmp_path / "DCIM/100GOPRO", ["GOPR0001.JPG", "GOPR0002.JPG"])
    pictures(tmp_path / "DCIM/101CANON", [f"IMG_{number:04d}.JPG" for number in range(30)])
    files(tmp_path, "DCIM/100GOPRO/._GX010003.MP4", ".Trashes/a.mp4", "MISC/version.txt")
    names, left_out = found(tmp_path)
    assert names == ["DCIM/100GOPRO/GX010003.MP4"]
    photographs = [name for name, why in left_out.items() if why is SkipReason.CAMERA_FOLDER]
    assert len(photographs) == 30
    assert {name: why for name, why in left_out.items() if name not in photographs} == {
        ".Trashes": SkipReason.HIDDEN,
        "DCIM/100GOPRO/._GX010003.MP4": SkipReason.HIDDEN,
        "DCIM/100GOPRO/GL010003.LRV": SkipReason.PREVIEW,
        "DCIM/100GOPRO/GOPR0001.JPG": SkipReason.BESIDE_VIDEOS,
        "DCIM/100GOPRO/GOPR0002.JPG": SkipReason.BESIDE_VIDEOS,
        "DCIM/100GOPRO/GX010003.THM": SkipReason.PREVIEW,
        "MISC/version.txt": SkipReason.UNKNOWN,
    }


def test_what_is_not_read_is_named_with_what_to_do(tmp_path):
    files(tmp_path, "a.mp4", "b.insv", "c.BRAW", "d.R3D", "e/1.jxl", "f.nef", "g.360", "notes")
    lines = list(summed_up(find_videos(tmp_path).left_out))
    assert len(lines) == 4
    assert "b.insv, g.360 (of a 360 degree camera; export a flat video with its program)" in lines
    assert any(
        line.startswith("e/1.jxl, f.nef (pictures of a kind that is not read; convert them to PNG") for line in lines
    )


def test_photographs_are_no_frames(tmp_path):
    pictures(tmp_path / "mixed", [f"{n}.png" for n in range(6)])
    pictures(tmp_path / "mixed", ["6.png", "7.png"], size=(12, 16))
    pictures(tmp_path / "holes", [f"{n * n * n}.png" for n in range(9)])
    pictures(tmp_path / "few", [f"{n}.png" for n in range(7)])
    files(tmp_path, "a.mp4")
    names, left_out = found(tmp_path)
    assert names == ["a.mp4"]
    assert {name.split("/")[0] for name, why in left_out.items() if why is SkipReason.PHOTOGRAPH} == {
        "mixed",
        "holes",
        "few",
    }


def test_two_series_in_a_folder_are_told(tmp_path):
    pictures(tmp_path / "stereo", [f"frame_{n:04d}_{side}.png" for n in range(9) for side in "LR"])
    frames(tmp_path / "mono")
    pictures(tmp_path / "mono", ["cover.jpg"])
    names, left_out = found(tmp_path)
    assert (names, left_out) == (["mono"], {"stereo": SkipReason.NO_SERIES, "mono/cover.jpg": SkipReason.PHOTOGRAPH})
    with pytest.raises(SequenceError, match=r"two series .* frame_#_L \(9\) and frame_#_R \(9\); give each a folder"):
        numbered_images(tmp_path / "stereo")


def test_blurred_copies_of_deblurring_datasets_are_left_out(tmp_path):
    for name in ("sharp", "blur", "blur_gamma"):
        frames(tmp_path / "train/GOPR1" / name)
    frames(tmp_path / "motion_blur_study")
    names, left_out = found(tmp_path)
    assert names == ["motion_blur_study", "train/GOPR1/sharp"]
    assert left_out == {"train/GOPR1/blur": SkipReason.BLURRED, "train/GOPR1/blur_gamma": SkipReason.BLURRED}


def test_a_dataset_of_ours_is_no_footage(tmp_path):
    for folder in ("low_blur_noise", "low_sharp", "high_sharp_scaled"):
        frames(tmp_path / "dataset/train" / folder / "0000")
    files(tmp_path, "a.mp4")
    assert found(tmp_path) == (["a.mp4"], {"dataset/train": SkipReason.DATASET})
    for inside in ("train", "train/low_sharp", "train/low_sharp/0000"):
        with pytest.raises(UserError, match="layout of LOL-Blur, which is no footage; give the folder"):
            find_videos(tmp_path / "dataset" / inside, dataset_folders=FOLDERS)
    with pytest.raises(UserError, match=r"no video in it.*left out: train \(a dataset"):
        find_videos(tmp_path / "dataset", dataset_folders=FOLDERS)


def test_the_output_and_kept_frames_are_not_walked_into(tmp_path):
    key = "0123456789abcdef" * 4
    files(tmp_path, "a.mp4", "out/b.mp4", f"kept/{key}.mkv", f"kept/{key}.json", "kept/mine.mkv")
    names, left_out = found(tmp_path, tmp_path / "out", tmp_path / "none")
    assert names == ["a.mp4", "kept/mine.mkv"]
    assert left_out == {
        "out": SkipReason.OURS,
        f"kept/{key}.mkv": SkipReason.OURS,
        f"kept/{key}.json": SkipReason.UNKNOWN,
    }


def test_links_are_followed_once_and_never_for_ever(tmp_path):
    files(tmp_path, "disk/far/b.mp4", "videos/a.mp4", "videos/sub/c.mp4")
    videos = tmp_path / "videos"
    for name, target in {
        "far": tmp_path / "disk/far",
        "sub/up": videos,
        "self": videos / "self",
        "gone": videos / "nothing",
        "again.mp4": videos / "a.mp4",
        "twice": videos / "sub",
    }.items():
        (videos / name).symlink_to(target)
    names, left_out = found(videos)
    assert names == ["a.mp4", "far/b.mp4", "sub/c.mp4"]
    expected = {"again.mp4": SkipReason.TWICE, "twice": SkipReason.TWICE, "sub/up": SkipReason.TWICE}
    assert left_out == expected | {"self": SkipReason.DEAD_LINK, "gone": SkipReason.DEAD_LINK}


def test_pipes_and_sockets_are_skipped_with_a_word(tmp_path, monkeypatch):
    files(tmp_path, "a.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        assert found(tmp_path) == (["a.mp4"], {"pipe.mp4": SkipReason.SPECIAL, "socket.png": SkipReason.SPECIAL})


def test_names_of_every_kind_are_found_and_printable(tmp_path):
    strange = [b"a\nb.mp4", b"\x1b[31mred.mp4", b"\xff\xfe.mp4", b"c" * 236 + b".mp4", "日本.mp4".encode()]
    for name in strange:
        (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / os.fsdecode(b"bad\xffdir")).mkdir()
    files(tmp_path / os.fsdecode(b"bad\xffdir"), "x.mp4", "note\r.txt")
    names, left_out = found(tmp_path)
    assert set(names) == {
        r"a\nb.mp4",
        r"\x1b[31mred.mp4",
        r"\xff\xfe.mp4",
        "c" * 236 + ".mp4",
        "日本.mp4",
        r"bad\xffdir/x.mp4",
    }
    assert left_out == {r"bad\xffdir/note\r.txt": SkipReason.UNKNOWN}
    assert all(text.isprintable() for text in (*names, *left_out))


def test_deep_folders(tmp_path):
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "a.mp4").touch()
    assert found(tmp_path)[0] == ["d/" * 300 + "a.mp4"]


def test_where_no_video_is_found_the_reason_is_told(tmp_path):
    files(tmp_path, "a.txt", "b.insv")
    for name, message in (
        (".", r"no video in it.*a\.txt \(not a kind"),
        ("x", "no such folder"),
        ("a.txt", "not a folder"),
    ):
        with pytest.raises(UserError, match=message) as error:
            find_videos(tmp_path / name)
        assert "\n" not in str(error.value)


def test_frames_of_a_kind_that_is_not_read(tmp_path):
    files(tmp_path, *(f"{n:04d}.jxl" for n in range(9)))
    with pytest.raises(
        SequenceError, match=r"fewer than two numbered pictures in it; 0000\.jxl and its like: .*convert"
    ):
        numbered_images(tmp_path)


def test_numbers_after_a_dash_that_run_against_the_clock(tmp_path):
    names = [f"Img-{number:05d}.png" for number in range(60, 50, -1)]
    pictures(tmp_path, names)
    assert list(numbered_images(tmp_path).values()) == [tmp_path / name for name in names[::-1]]
    for later, name in enumerate(names):
        os.utime(tmp_path / name, (later, later))
    assert runs_backwards(tmp_path)
    with pytest.raises(SequenceError, match="as if the dash before them were a minus; number them from 0 on"):
        probe(tmp_path, 240)
    for later, name in enumerate(names[::-1]):
        os.utime(tmp_path / name, (later, later))
    assert not runs_backwards(tmp_path)
    assert probe(tmp_path, 240).capture_fps == 240


@pytest.mark.parametrize("suffix", [".exr", ".tif"])
def test_numbered_light_is_footage(tmp_path, suffix):
    for number in range(8):
        write_light(tmp_path / f"a/{number}{suffix}", night(0, (24, 16)))
        write_light(tmp_path / f"b/{number}{suffix}", night(0, (24 + 8 * number, 16)))
    videos, left_out = found(tmp_path)
    assert videos == ["a"]
    assert set(left_out.values()) == {SkipReason.PHOTOGRAPH}
