"""What probe tells, and what it refuses."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.images import write_png
from lolblur_synth.video.probe import probe
from tests.support.clips import as_planes, encode, encode_sound, frame_of, scene, show_by, textured
from tests.support.light import night, write_light
from tests.support.videos import picture_series


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
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "77" * 16, "encryption_kid": "1e" * 16}
    options["fflags"] = "+bitexact"  # else its random vector makes a frame of one in sixty that looks sound
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
        (constant_luminance, r"its colour matrix is BT.2020 with constant luminance, which is not known here; convert"),
        (lambda folder: folder / "a.mp4", r"no such file"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, make, message):
    with pytest.raises(SequenceError, match=message) as error:
        probe(make(tmp_path))
    assert str(error.value).startswith(str(tmp_path / "a."))
    assert "\n" not in str(error.value)


def test_what_is_turned_by_no_right_angle_is_refused(tmp_path):
    clip = encode(tmp_path / "a.mp4", scene(3), options={"preset": "ultrafast"})
    with pytest.raises(SequenceError, match="it is to be turned by 30 degrees; only multiples of 90 are known"):
        probe(show_by(clip, 56756, -32768, 32768, 56756))


def test_a_codec_that_is_not_known_is_told(tmp_path):
    clip = encode(tmp_path / "a.mp4", scene(3))
    clip.write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(SequenceError, match="FFmpeg does not know its codec; convert it by"):
        probe(clip)


def test_images_carry_no_rate(tmp_path):
    with pytest.raises(SequenceError, match=r"images carry no frame rate; give video\.capture_fps"):
        probe(picture_series(tmp_path / "f", [1, 2]))


COLORS = {"color_trc": 1, "color_primaries": 1, "colorspace": 1, "color_range": 1}


@pytest.mark.parametrize(("transfer", "name"), [(18, "HLG"), (16, "PQ")])
def test_a_transfer_that_the_container_alone_tells_is_taken_and_refused_where_nobody_takes_light(
    tmp_path, transfer, name
):
    color = COLORS | {"color_trc": transfer, "color_primaries": 9, "colorspace": 9}
    clip = encode(tmp_path / "a.mov", scene(3), "prores_ks", "yuv422p10le", color=color)  # no frame of it says so
    info = probe(clip, white=2.0)
    assert (info.transfer, info.primaries, info.color_matrix, info.white) == (name.lower(), "bt2020", "bt2020", 2.0)
    assert (info.rendering["transfer"], info.rendering["primaries"]) == (name.lower(), "bt2020")
    with pytest.raises(SequenceError, match=rf"its transfer is {name}, not SDR; convert it first: ffmpeg"):
        probe(clip)


def test_primaries_that_the_container_alone_tells_are_taken(tmp_path):
    color = COLORS | {"color_primaries": 12}
    info = probe(encode(tmp_path / "a.mov", scene(3), "prores_ks", "yuv422p10le", color=color))
    assert (info.primaries, info.transfer, info.holds_light) == ("p3-d65", "sdr", False)


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


def test_frames_of_light_are_told_by_their_samples_and_refused_where_nobody_takes_them(tmp_path):
    for number in range(2):
        write_light(tmp_path / f"{number}.exr", night(0, (24, 16)))
    info = probe(tmp_path, 250, white=2.0)
    assert (info.width, info.height, info.codec, info.pixel_format, info.bit_depth) == (24, 16, "exr", "rgbf32", 32)
    assert info.holds_light
    assert info.rendering["white"] == 2.0
    with pytest.raises(SequenceError, match="its frames are scene-linear light, which goes on above white"):
        probe(tmp_path, 250)


def test_pictures_of_integers_have_no_white_whatever_is_asked(tmp_path):
    write_png(tmp_path / "0.png", np.zeros((16, 24, 3), np.uint8))
    write_png(tmp_path / "1.png", np.zeros((16, 24, 3), np.uint8))
    info = probe(tmp_path, 250, white=2.0)
    assert not info.holds_light
    assert "white" not in info.rendering
