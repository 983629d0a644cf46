"""Files in and out: what probe tells or refuses, which pixels come out of which frame, what is written."""

import hashlib
import zlib
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.video import reader
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.rates import exact_rate
from lolblur_synth.video.reader import read_frames, read_stored
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.support.clips import H273, WEIGHTS, as_planes, encode, encode_sound, frame_of, mirror, scene, textured, turn

ENCODERS = "ffv1 gif huffyuv libvpx-vp9 libx264 libx264rgb libx265 mjpeg mpeg2video mpeg4 png prores_ks"
LOSSLESS = {"qp": "0", "preset": "ultrafast"}


def opened(path: Path, capture_fps: Fraction | None = None) -> VideoScan:
    return scan(probe(path, capture_fps))


def pixels(path: Path, capture_fps: Fraction | None = None) -> torch.Tensor:
    found = opened(path, capture_fps)
    return torch.stack(list(read_frames(found, 0, found.frames)))


def as_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2) / np.float32(np.iinfo(pictures[0].dtype).max))


def test_encoders_that_the_tests_need_are_there():
    missing = [name for name in ENCODERS.split() if name not in av.codecs_available]
    assert not missing


# --- probe


def test_probe_describes_an_ordinary_clip(tmp_path):
    color = {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1}
    info = probe(encode(tmp_path / "a.mp4", scene(3), color=color))
    assert (info.path, info.width, info.height) == (tmp_path / "a.mp4", 96, 64)
    assert (info.stored_fps, info.capture_fps, info.capture_source) == (250, 250, "stream rate")
    assert (info.codec, info.pixel_format, info.bit_depth) == ("h264", "yuv420p", 8)
    assert (info.color_matrix, info.color_range, info.rotation) == ("bt709", "limited", 0)


@pytest.mark.parametrize(("height", "matrix"), [(64, "bt601"), (718, "bt601"), (720, "bt709")])
def test_the_matrix_is_guessed_from_the_lines_where_nothing_tells_it(tmp_path, height, matrix):
    clip = encode(tmp_path / "a.mp4", scene(2, size=(64, height)), "mpeg4")
    assert probe(clip).color_matrix == matrix


def slow_motion(path: Path, fps: str) -> Path:
    tags = {"com.android.capture.fps": fps}
    return encode(path, scene(3), fps=30, tags=tags, container_options={"movflags": "use_metadata_tags"})


def test_slow_motion_tells_the_rate_of_the_sensor_in_a_tag(tmp_path):
    info = probe(slow_motion(tmp_path / "a.mp4", "240.000000"))
    assert (info.stored_fps, info.capture_fps) == (30, 240)
    assert info.capture_source == "tag com.android.capture.fps"


def test_sony_tells_the_rate_of_the_sensor_beside_the_clip(tmp_path):
    clip = encode(tmp_path / "C0001.mp4", scene(3), fps=Fraction(24000, 1001))
    (tmp_path / "C0001M01.XML").write_text(
        '<NonRealTimeMeta><VideoFormat><VideoFrame videoCodec="AVC_1920_1080_HP@L41" captureFps="239.76p" '
        'formatFps="23.98p"/></VideoFormat></NonRealTimeMeta>'
    )
    info = probe(clip)
    assert (info.stored_fps, info.capture_fps) == (Fraction(24000, 1001), Fraction(240000, 1001))
    assert info.capture_source == "sidecar C0001M01.XML"


def test_the_rate_that_is_given_wins(tmp_path):
    info = probe(slow_motion(tmp_path / "a.mp4", "240"), 960)
    assert (info.stored_fps, info.capture_fps, info.capture_source) == (30, 960, "given")


def test_a_tag_that_is_no_rate_is_no_reason_to_guess(tmp_path):
    with pytest.raises(SequenceError, match=r"a\.mp4: .*tag com\.android\.capture\.fps.*'fast'.*video\.capture_fps"):
        probe(slow_motion(tmp_path / "a.mp4", "fast"))


@pytest.mark.parametrize(
    ("told", "exact"),
    [
        (250, Fraction(250)),
        (239.76, Fraction(240000, 1001)),
        (119.88, Fraction(120000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (959.04, Fraction(960000, 1001)),
        (240.0, Fraction(240)),
        (12.5, Fraction(25, 2)),
        (Fraction(1001, 7), Fraction(143)),
        (0.004, Fraction(1, 250)),
    ],
)
def test_rates_are_exact(told, exact):
    assert exact_rate(told) == exact


@pytest.mark.parametrize("fps", [0, -25.0, float("nan"), float("inf")])
def test_a_rate_is_above_0(tmp_path, fps):
    with pytest.raises(UserError, match=r"^video\.capture_fps .*above 0"):
        probe(tmp_path, fps)


def no_video(folder: Path) -> Path:
    return encode_sound(folder / "a.mp4")


def empty(folder: Path) -> Path:
    (folder / "a.mp4").touch()
    return folder / "a.mp4"


def text(folder: Path) -> Path:
    (folder / "a.mp4").write_text("not a video\n" * 99)
    return folder / "a.mp4"


def headless(folder: Path) -> Path:
    clip = encode(folder / "a.mp4", scene(9))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    return clip


def encrypted(folder: Path) -> Path:
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0f" * 16, "encryption_kid": "1e" * 16}
    return encode(folder / "a.mp4", scene(9), container_options=options)


def high_dynamic_range(folder: Path) -> Path:
    frame = frame_of(as_planes(textured(0) / 255, "yuv420p10le", "bt2020", False), (96, 64), "yuv420p10le")
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    return encode(folder / "a.mkv", [frame] * 2, "ffv1", "yuv420p10le", color=color)


def constant_luminance(folder: Path) -> Path:
    return encode(folder / "a.mp4", scene(2), color={"colorspace": 10})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_video, r"no video in it, only audio"),
        (empty, r"empty \(0 bytes\); copy it again"),
        (text, r"no video, or cut off"),
        (headless, r"no video, or cut off"),
        (encrypted, r"damaged or encrypted"),
        (high_dynamic_range, r"transfer is PQ.*ffmpeg -i IN -vf zscale.*tonemap"),
        (constant_luminance, r"colour matrix 10 is not known"),
        (lambda folder: folder / "a.mp4", r"no such file"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, make, message):
    with pytest.raises(SequenceError, match=message) as error:
        probe(make(tmp_path))
    assert str(error.value).startswith(str(tmp_path / "a."))
    assert "\n" not in str(error.value)


def picture_series(folder: Path, numbers: list[int], name: str = "{}.png", **kinds) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        cv2.imwrite(str(folder / name.format(number)), textured(number, **kinds)[..., ::-1])
    return folder


# --- reading


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


BLOCKS = np.kron(np.random.default_rng(3).random((4, 6, 3)), np.ones((16, 16, 1)))
DEPTHS = {"yuv444p": 8, "yuv420p": 8, "yuv422p": 8, "yuv444p10le": 10, "yuv420p10le": 10, "yuv422p12le": 12}


@pytest.mark.parametrize(("pixel_format", "matrix", "full"), list(product(DEPTHS, WEIGHTS, (False, True))))
def test_colours_survive(tmp_path, pixel_format, matrix, full):
    planes = as_planes(BLOCKS, pixel_format, matrix, full)
    color = {"colorspace": H273[matrix], "color_range": 2 if full else 1}
    frames = [frame_of(planes, (96, 64), pixel_format)] * 2
    found = opened(encode(tmp_path / "a.mkv", frames, "ffv1", pixel_format, color=color))
    assert (found.info.color_matrix, found.info.color_range) == (matrix, "full" if full else "limited")
    assert found.info.bit_depth == DEPTHS[pixel_format]
    decoded = next(read_frames(found, 1, 2)).permute(1, 2, 0).numpy()
    inside = (slice(None), slice(5, 11), slice(None), slice(5, 11))  # away from where chroma is interpolated
    error = np.abs(decoded - BLOCKS).reshape(4, 16, 6, 16, 3)[inside].max()
    assert error <= {8: 1.5, 10: 0.4, 12: 0.1}[DEPTHS[pixel_format]] / 255  # what rounding to these samples costs


@pytest.mark.parametrize(("pixel_format", "full"), [("gray", 1), ("gray", 0), ("gray10le", 1), ("gray16le", 1)])
def test_grey_is_spread_over_the_channels(tmp_path, pixel_format, full):
    (luma,) = as_planes(BLOCKS, pixel_format, "bt709", full)
    frames = [frame_of([luma], (96, 64), pixel_format)] * 2
    color = {"color_range": 2 if full else 1}
    frame = pixels(encode(tmp_path / "a.mkv", frames, "ffv1", pixel_format, color=color))[0]
    depth = av.VideoFormat(pixel_format).components[0].bits
    expected = luma / (2**depth - 1) if full else (luma - 16.0) / 219
    assert torch.equal(frame[0], frame[1])
    assert torch.equal(frame[0], frame[2])
    assert np.abs(frame[0].numpy() - expected).max() < 1e-6


@pytest.mark.parametrize(("codec", "pixel_format", "between"), [("libx264", "yuv420p", 0), ("mjpeg", "yuvj420p", 0.5)])
def test_chroma_lies_where_its_standard_puts_it(tmp_path, codec, pixel_format, between):
    ramp = 80 + 2 * np.arange(48)
    blue = np.broadcast_to(ramp[::2] + 2 * between, (32, 24)).astype(np.uint8)
    grey = np.full((64, 48), 128, np.uint8)
    frames = [frame_of([grey, blue, grey[::2, ::2]], (48, 64), pixel_format)] * 2
    options = {"qp": "0"} if codec == "libx264" else {"qmin": "1", "qmax": "1"}
    color = {"colorspace": 6, "color_range": 2}
    frame = pixels(encode(tmp_path / "a.mkv", frames, codec, pixel_format, options=options, color=color))[0]
    decoded = (frame[2] * 255 - 128).numpy() / 1.772 + 128
    assert abs((decoded - ramp)[:, 8:-8].mean()) < 0.1  # half a column beside would be 1


def deep(number: int) -> np.ndarray:
    return textured(number).astype(np.uint16) * 257 - np.uint16(number * 3)


def as_frames(pictures: list[np.ndarray], source: str, pixel_format: str) -> list[av.VideoFrame]:
    return [av.VideoFrame.from_ndarray(picture, source).reformat(format=pixel_format) for picture in pictures]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mkv", "ffv1", "bgr0"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.mp4", "libx264rgb", "rgb24"),
        ("a.avi", "huffyuv", "rgb24"),
        ("a.mov", "png", "rgba"),
    ],
)
def test_rgb_comes_through_unchanged(tmp_path, name, codec, pixel_format):
    pictures = scene(4)
    clip = encode(tmp_path / name, as_frames(pictures, "rgb24", pixel_format), codec, pixel_format, options={"qp": "0"})
    assert probe(clip).color_range == "full"
    assert torch.equal(pixels(clip), as_tensor(pictures))


@pytest.mark.parametrize(("codec", "pixel_format"), [("png", "rgb48be"), ("ffv1", "gbrp16le")])
def test_16_bit_rgb_keeps_its_depth(tmp_path, codec, pixel_format):
    pictures = [deep(number) for number in range(3)]
    clip = encode(
        tmp_path / ("a.mov" if codec == "png" else "a.mkv"),
        as_frames(pictures, "rgb48le", pixel_format),
        codec,
        pixel_format,
    )
    assert probe(clip).bit_depth == 16
    assert torch.equal(pixels(clip), as_tensor(pictures))


def test_alpha_is_dropped(tmp_path):
    planes = as_planes(BLOCKS, "yuv444p", "bt709", False)
    see_through = [frame_of([*planes, planes[0] // 2], (96, 64), "yuva444p")] * 2
    color = {"colorspace": 1, "color_range": 1}
    with_alpha = pixels(encode(tmp_path / "a.mkv", see_through, "ffv1", "yuva444p", color=color))
    opaque = [frame_of(planes, (96, 64), "yuv444p")] * 2
    assert torch.equal(with_alpha, pixels(encode(tmp_path / "b.mkv", opaque, "ffv1", "yuv444p", color=color)))


def test_a_palette_is_looked_up(tmp_path):
    steps = np.kron(np.arange(24).reshape(4, 6) * 10, np.ones((16, 16)))
    grey = np.repeat(steps[..., None], 3, 2).astype(np.uint8)
    pictures = [grey, np.roll(grey, 16, 1)]
    clip = encode(tmp_path / "a.gif", [as_frames([p], "rgb24", "gray")[0] for p in pictures], "gif", "gray", fps=50)
    assert torch.equal(pixels(clip), as_tensor(pictures))


@pytest.mark.parametrize("size", [(97, 63), (33, 65), (34, 2)])
def test_odd_sizes(tmp_path, size):
    pictures = scene(3, size=size)
    clip = encode(tmp_path / "a.mkv", pictures, "ffv1", "yuv420p", color={"colorspace": 6})
    assert (probe(clip).width, probe(clip).height) == size
    decoded = pixels(clip)
    assert decoded.shape == (3, 3, size[1], size[0])
    assert (decoded - as_tensor(pictures)).abs().mean() < 8 / 255


def test_what_would_come_out_otherwise_than_it_is_shown_is_refused(tmp_path):
    clip = encode(tmp_path / "a.mp4", scene(3), options={"preset": "ultrafast"})
    with pytest.raises(SequenceError, match="it is to be mirrored; apply that first: ffmpeg"):
        probe(mirror(clip))
    wide = encode(tmp_path / "b.mp4", scene(3), color={"color_primaries": 9, "color_trc": 14, "colorspace": 9})
    with pytest.raises(SequenceError, match="its primaries are wide-gamut; convert it first: ffmpeg"):
        probe(wide)


def test_a_codec_that_is_not_known_is_told(tmp_path):
    clip = encode(tmp_path / "a.mp4", scene(3))
    clip.write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(SequenceError, match="FFmpeg does not know its codec; convert it by"):
        probe(clip)


@pytest.mark.parametrize(("rotation", "quarters"), [(90, 1), (180, 2), (270, 3), (-90, 3)])
def test_the_display_matrix_turns_frames_counter_clockwise(tmp_path, rotation, quarters):
    pictures = scene(2)
    clip = encode(tmp_path / "a.mp4", pictures, "libx264rgb", "rgb24", options=LOSSLESS)
    found = opened(turn(clip, rotation))
    upright = as_tensor(pictures).rot90(quarters, (2, 3))
    assert (found.info.width, found.info.height) == (upright.shape[3], upright.shape[2])
    assert found.info.rotation == rotation % 360
    assert torch.equal(torch.stack(list(read_frames(found, 0, 2))), upright)
    small = next(read_frames(found, 0, 1, (32, 32)))
    straight = opened(encode(tmp_path / "b.mp4", [np.ascontiguousarray(np.rot90(p, quarters)) for p in pictures],
                             "libx264rgb", "rgb24", options=LOSSLESS))  # fmt: skip
    assert torch.allclose(small, next(read_frames(straight, 0, 1, (32, 32))), atol=1e-6)


def test_pixels_become_square(tmp_path):
    clip = encode(tmp_path / "a.mp4", scene(2), "libx264rgb", "rgb24", options=LOSSLESS, aspect=Fraction(4, 3))
    found = opened(clip)
    assert (found.info.width, found.info.height) == (128, 64)
    wide = next(read_frames(found, 0, 1))
    stretched = cv2.resize(textured(0).astype(np.float32), (128, 64), interpolation=cv2.INTER_CUBIC)
    assert np.abs(wide.permute(1, 2, 0).numpy() * 255 - stretched.clip(0, 255)).max() < 1e-3
    assert next(read_frames(found, 0, 1, (64, 64))).shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("size", "crop"),
    [((48, 32), (0, 96, 0, 64)), ((32, 32), (16, 80, 0, 64)), ((48, 16), (0, 96, 16, 48)), ((96, 32), (0, 96, 16, 48))],
)
def test_size_is_covered_and_the_middle_kept(tmp_path, size, crop):
    left, right, top, bottom = crop
    clip = encode(tmp_path / "a.mkv", scene(2), "ffv1", "bgr0")
    frame = next(read_frames(opened(clip), 1, 2, size))
    middle = as_tensor(scene(2))[1][:, top:bottom, left:right]
    expected = torch.nn.functional.avg_pool2d(middle, (middle.shape[1] // size[1], middle.shape[2] // size[0]))
    assert torch.allclose(frame, expected, atol=1e-6)


def test_enlarging_is_cubic_and_stays_in_range(tmp_path):
    edge = np.zeros((64, 96, 3), np.uint8)
    edge[:, 48:] = 255
    clip = encode(tmp_path / "a.mkv", [edge, edge], "ffv1", "bgr0")
    frame = next(read_frames(opened(clip), 0, 1, (288, 192)))
    expected = cv2.resize(edge.astype(np.float32) / 255, (288, 192), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    assert np.abs(frame.permute(1, 2, 0).numpy() - expected).max() < 1e-6


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
    before = torch.get_num_threads()
    every = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        every.append(torch.stack(list(read_frames(found, 3, 12, (80, 48)))))
    torch.set_num_threads(before)
    assert torch.equal(*every)


# --- folders of numbered images


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


def test_images_carry_no_rate(tmp_path):
    with pytest.raises(SequenceError, match=r"images carry no frame rate; give video\.capture_fps"):
        probe(picture_series(tmp_path / "f", [1, 2]))


# --- writing


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


def test_a_matroska_file_of_microseconds_is_sound(tmp_path):
    """Its tags, and the checksums of what was changed."""
    write_video(tmp_path / "a.mkv", as_tensor(scene(7)), UNEVEN)
    with av.open(str(tmp_path / "a.mkv")) as container:
        (stream,) = container.streams.video
        assert stream.time_base == Fraction(1, 1_000_000)
        assert stream.metadata["DURATION"] == "00:00:00.543000000"
        assert container.duration == 543_000
    data = (tmp_path / "a.mkv").read_bytes()
    for element in (bytes.fromhex("1549a966"), bytes.fromhex("1254c367")):  # Info and Tags; both begin with CRC-32
        at = data.index(element, data.index(element) + 4) + 4  # the seek head names them first
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width]) & (1 << 7 * width) - 1
        assert data[at + width : at + width + 2] == b"\xbf\x84"
        content = data[at + width + 6 : at + width + size]
        assert zlib.crc32(content).to_bytes(4, "little") == data[at + width + 2 : at + width + 6]


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
