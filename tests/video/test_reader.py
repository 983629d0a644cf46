"""Which frames come out of which range of which file."""

from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video import reader
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from tests.support.clips import as_planes, encode, frame_of, scene, textured
from tests.support.videos import BLOCKS, LOSSLESS, as_tensor, deep, opened, picture_series, pixels

ENCODERS = "ffv1 gif huffyuv libvpx-vp9 libx264 libx264rgb libx265 mjpeg mpeg2video mpeg4 png prores_ks"


def test_encoders_that_the_tests_need_are_there():
    missing = [name for name in ENCODERS.split() if name not in av.codecs_available]
    assert not missing


CLIPS = {
    "mpeg4.mp4": ("mpeg4", "yuv420p", {"bf": "2", "g": "8", "qmax": "3"}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"g": "8", "qmax": "3"}),
    "mpeg4_b.avi": ("mpeg4", "yuv420p", {"bf": "2", "g": "8", "qmax": "3"}),
    "h264.mp4": ("libx264", "yuv420p", {"bf": "3", "g": "8"}),
    "h264.mov": ("libx264", "yuv420p", {"bf": "3", "g": "8", "x264-params": "open-gop=1"}),
    "h264.mkv": ("libx264", "yuv420p", {"bf": "3", "g": "8", "x264-params": "open-gop=1"}),
    "h264.ts": ("libx264", "yuv420p", {"bf": "3", "g": "8"}),
    "h264.avi": ("libx264", "yuv420p", {"bf": "3", "g": "8"}),
    "h264.h264": ("libx264", "yuv420p", {"bf": "3", "g": "8"}),
    "hevc.mp4": ("libx265", "yuv420p10le", {"x265-params": "keyint=8:bframes=3:open-gop=1:log-level=none"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"g": "8", "deadline": "realtime", "cpu-used": "8"}),
    "ffv1.mkv": ("ffv1", "yuv422p10le", {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "mjpeg.mov": ("mjpeg", "yuvj422p", {}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {"bf": "2", "g": "8"}),
}


@pytest.mark.parametrize("name", CLIPS)
def test_a_range_is_the_same_as_that_range_of_everything(tmp_path, name):
    codec, pixel_format, options = CLIPS[name]
    pictures = scene(26)
    clip = encode(tmp_path / name, pictures, codec, pixel_format, 25 if codec == "mpeg2video" else 250, options=options)
    found = opened(clip)
    everything = torch.stack(list(read_frames(found, 0, 26)))
    assert (found.frames, found.flaws) == (26, ())
    for start, stop in ((0, 3), (7, 8), (9, 17), (20, 26), (5, 5)):
        assert torch.equal(torch.stack([*read_frames(found, start, stop), everything[0]])[:-1], everything[start:stop])
    distance = (everything[:, None] - as_tensor(pictures)[None]).abs().mean((2, 3, 4))
    assert distance.argmin(1).tolist() == list(range(26))  # each frame is its own picture


@pytest.mark.parametrize("start", [0, 3, 9, 11])
def test_an_edit_list_that_starts_between_key_frames(tmp_path, start):
    options = {"g": "8", "bf": "2", **LOSSLESS}
    pictures = scene(24)
    clip = encode(tmp_path / "a.mp4", pictures, "libx264rgb", "rgb24", pts=lambda n: n - start, options=options)
    found = opened(clip)
    assert (found.frames, found.flaws) == (24 - start, ())
    assert torch.equal(torch.stack(list(read_frames(found, 2, 9))), as_tensor(pictures[start + 2 : start + 9]))


def test_frames_are_contiguous_float32_in_range(tmp_path):
    found = opened(encode(tmp_path / "a.mp4", [np.full((64, 96, 3), value, np.uint8) for value in (0, 128, 255)]))
    for size, shape in (("source", (3, 64, 96)), ((40, 30), (3, 30, 40)), ((200, 100), (3, 100, 200))):
        for frame in read_frames(found, 0, 3, size):
            assert (tuple(frame.shape), frame.dtype, frame.is_contiguous()) == (shape, torch.float32, True)
            assert 0 <= frame.min() <= frame.max() <= 1


def test_a_frame_that_is_missing_is_stood_in_for_by_the_one_before(tmp_path):
    kept = [0, 1, 2, 3, 6, 7, 8, 9]
    pictures = scene(10)
    clip = encode(tmp_path / "a.mkv", [pictures[n] for n in kept], "ffv1", "bgr0", pts=lambda n: kept[n])
    found = opened(clip)
    shown = [0, 1, 2, 3, 3, 3, 6, 7, 8, 9]
    for start, stop in ((0, 10), (4, 8), (5, 6), (5, 7)):
        expected = as_tensor([pictures[n] for n in shown[start:stop]])
        assert torch.equal(torch.stack(list(read_frames(found, start, stop))), expected)


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (4, 3), (0, 6)])
def test_a_range_lies_within_the_video(tmp_path, start, stop):
    found = opened(encode(tmp_path / "a.mp4", scene(5)))
    with pytest.raises(ValueError, match="of a video that has 5"):
        next(read_frames(found, start, stop))


def test_a_file_that_changed_since_the_scan_is_noticed(tmp_path):
    found = opened(encode(tmp_path / "a.mp4", scene(9)))
    encode(tmp_path / "a.mp4", scene(4))
    with pytest.raises(SequenceError, match=r"a\.mp4: frame \d is gone or not the one .* changed during the run"):
        list(read_frames(found, 2, 9))


def test_a_frame_that_is_not_the_one_that_was_scanned_is_noticed(tmp_path):
    found = opened(encode(tmp_path / "a.mp4", scene(9)))
    checksums = (*found.checksums[:5], 0, *found.checksums[6:])
    frames = read_frames(replace(found, checksums=checksums), 4, 7)
    assert next(frames).shape == (3, 64, 96)
    with pytest.raises(SequenceError, match="frame 5 is decoded otherwise than before, although the file is the same"):
        next(frames)


def test_every_sample_of_a_frame_counts(tmp_path):
    """One sample of chroma in a row that none of eight is."""
    planes = as_planes(BLOCKS, "yuv420p", "bt709", False)
    found = opened(encode(tmp_path / "a.mkv", [frame_of(planes, (96, 64), "yuv420p")] * 3, "ffv1"))
    planes[2][13, 7] ^= 1
    encode(tmp_path / "a.mkv", [frame_of(planes, (96, 64), "yuv420p")] * 3, "ffv1")
    with pytest.raises(SequenceError, match="frame 1 is gone or not the one that was scanned"):
        next(read_frames(found, 1, 3))


def test_where_seeking_gives_other_frames_the_file_is_read_from_the_beginning(tmp_path, monkeypatch):
    found = opened(encode(tmp_path / "a.mp4", scene(30), options={"g": "8"}))
    truth = torch.stack(list(read_frames(found, 12, 25)))
    checksum, seen = reader.frame_checksum, list[int]()

    def lie(frame: av.VideoFrame) -> int:
        """As if it came from a decoder that lacks what the first packet told."""
        seen.append(found.pts.index(frame.pts))
        return checksum(frame) + (seen == [*range(12, 21)])

    monkeypatch.setattr(reader, "frame_checksum", lie)
    assert torch.equal(torch.stack(list(read_frames(found, 12, 25))), truth)
    assert seen == [*range(12, 21), *range(20, 25)]


def test_threads_change_no_pixel(tmp_path):
    found = opened(encode(tmp_path / "a.mp4", scene(12)))
    every = [torch.stack(list(read_frames(found, 3, 12, (80, 48), threads))) for threads in (1, 2, 5)]
    assert torch.equal(every[0], every[1])
    assert torch.equal(every[0], every[2])


def test_a_folder_of_images_is_read_by_number(tmp_path):
    folder = picture_series(tmp_path / "f", [8, 9, 10, 12], "shot2_{}.png")
    found = opened(folder, Fraction(250))
    assert (found.info.capture_fps, found.info.capture_source) == (250, "given")
    assert (found.info.codec, found.info.pixel_format, found.info.bit_depth) == ("png", "rgb24", 8)
    assert found.pts == (0, 1, 2, None, 4)
    assert [(flaw.first, flaw.last, flaw.kind) for flaw in found.flaws] == [(3, 3, "missing frame")]
    assert found.time(4) == Fraction(4, 250)
    assert torch.equal(torch.stack(list(read_frames(found, 1, 5))), as_tensor([textured(n) for n in (9, 10, 10, 12)]))
    assert next(read_frames(found, 0, 1, (40, 40))).shape == (3, 40, 40)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_picture_that_is_replaced_during_a_run_is_noticed(tmp_path, channel):
    folder = picture_series(tmp_path / "f", [0, 1, 2, 3])
    found = opened(folder, Fraction(250))
    replaced = textured(2)
    replaced[13, 7, channel] ^= 1
    cv2.imwrite(str(folder / "2.png"), replaced[..., ::-1])
    assert len(list(read_frames(found, 0, 2))) == 2
    with pytest.raises(SequenceError, match=r"f: frame 2 is gone or not the one .* changed during the run; run again"):
        list(read_frames(found, 1, 4))


@pytest.mark.parametrize(
    ("name", "stored", "shown"),
    [
        ("{}.tif", deep(1)[..., ::-1], deep(1)),
        ("{}.png", deep(1)[..., 0], np.repeat(deep(1)[..., :1], 3, 2)),
        ("{}.png", np.dstack((deep(1)[..., ::-1], deep(2)[..., 0])), deep(1)),
    ],
    ids=["rgb", "grey", "alpha"],
)
def test_images_of_16_bits(tmp_path, name, stored, shown):
    for number in range(2):
        cv2.imwrite(str(tmp_path / name.format(number)), stored)
    assert probe(tmp_path, 240).bit_depth == 16
    assert torch.equal(pixels(tmp_path, Fraction(240)), as_tensor([shown, shown]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: cv2.imwrite(str(folder / "3.png"), np.zeros((9, 9, 3), np.uint8)), r"3\.png: .*another size"),
        (lambda folder: cv2.imwrite(str(folder / "3.png"), deep(3)), r"3\.png: .*depth"),
        (lambda folder: (folder / "3.png").write_bytes(b"no image"), r"3\.png: "),
        (lambda folder: (folder / "03.png").write_bytes(b""), r"03\.png and 3\.png have one number"),
    ],
)
def test_a_bad_image_is_named(tmp_path, spoil, message):
    spoil(picture_series(tmp_path / "f", [1, 2, 3]))
    with pytest.raises(SequenceError, match=message):
        opened(tmp_path / "f", Fraction(250))
