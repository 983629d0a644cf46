"""The rate of the sensor, wherever a camera wrote it, and conversions that do not lose it."""

import struct
from fractions import Fraction
from pathlib import Path

import pytest

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.run.provenance import describe_source
from lolblur_synth.video.metadata import RateOrigin
from lolblur_synth.video.probe import probe
from lolblur_synth.video.rates import exact_rate
from lolblur_synth.video.scan import scan
from tests.support.clips import encode, insert_box, scene, together

TAG = "com.android.capture.fps"


def clip(path: Path, tags: dict[str, str] | None = None, **kinds) -> Path:
    return encode(path, scene(3), fps=30, tags=tags, container_options={"movflags": "use_metadata_tags"}, **kinds)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("tag", [TAG, TAG.upper(), "com.Android.capture.FPS"])
def test_androids_tag_is_found_in_any_case(tmp_path, name, tag):
    info = probe(clip(tmp_path / name, {tag: "240.000000"}))
    assert (info.stored_fps, info.capture_fps, info.capture_origin) == (30, 240, RateOrigin.TAG)
    assert info.capture_source == "tag com.android.capture.fps"


def test_androids_tag_is_found_at_a_track(tmp_path):
    path = together(tmp_path / "a.mkv", clip(tmp_path / "a.mp4"), track_tags={TAG: "240"})
    info = probe(path)
    assert (info.capture_fps, info.capture_origin) == (240, RateOrigin.TRACK_TAG)


def smta(*boxes: tuple[bytes, bytes]) -> bytes:
    return bytes(4) + b"".join(struct.pack(">I4s", 8 + len(data), kind) + data for kind, data in boxes)


@pytest.mark.parametrize(
    ("boxes", "fps"),
    [
        ([(b"saut", b"SAMS\0\x0c\1\4")], 240),
        ([(b"saut", b"SAMS\1\3\0\x0d")], 120),
        ([(b"saut", b"SAMS\0\x15\1\0"), (b"srfr", struct.pack(">I", 480 << 16))], 480),
    ],
)
def test_samsungs_slow_motion_tells_its_rate_in_a_box(tmp_path, boxes, fps):
    info = probe(insert_box(clip(tmp_path / "a.mp4", {"title": "x"}), [b"moov", b"udta"], b"smta", smta(*boxes)))
    assert (info.stored_fps, info.capture_fps, info.capture_source) == (30, fps, "box smta")


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0", smta((b"saut", b"SAMS\0\1\1\1")), smta((b"saut", b"SA"))])
def test_samsungs_other_modes_tell_no_rate(tmp_path, data):
    info = probe(insert_box(clip(tmp_path / "a.mp4", {"title": "x"}), [b"moov", b"udta"], b"smta", data))
    assert (info.capture_fps, info.capture_origin) == (30, RateOrigin.STREAM)


SONY = (
    '<NonRealTimeMeta><VideoFormat><VideoFrame videoCodec="AVC"{} formatFps="23.98p"/></VideoFormat></NonRealTimeMeta>'
)


@pytest.mark.parametrize(
    ("video", "sidecar"),
    [
        ("C0001.MP4", "C0001M01.XML"),
        ("C0001.mp4", "C0001M01.xml"),
        ("c0001.mp4", "c0001m01.xml"),
        ("c0001.mp4", "C0001M01.XML"),
    ],
)
def test_sonys_file_beside_the_clip_is_found_in_any_case(tmp_path, video, sidecar):
    path = clip(tmp_path / video)
    (tmp_path / sidecar).write_text(SONY.format(' captureFps="239.76p"'))
    info = probe(path)
    assert (info.capture_fps, info.capture_source) == (Fraction(240000, 1001), f"sidecar {sidecar}")


@pytest.mark.parametrize("text", [SONY.format(""), "", "not even XML"])
def test_where_sonys_file_tells_no_rate_it_is_that_of_the_stream(tmp_path, text):
    path = clip(tmp_path / "C0001.MP4")
    (tmp_path / "C0001M01.XML").write_text(text)
    info = probe(path)
    assert (info.capture_fps, info.capture_origin) == (30, RateOrigin.STREAM)


def test_a_rate_of_sonys_that_is_none_is_no_reason_to_guess(tmp_path):
    path = clip(tmp_path / "C0001.MP4")
    (tmp_path / "C0001M01.XML").write_text(SONY.format(' captureFps="fast"'))
    with pytest.raises(
        SequenceError, match=r"no capture rate in sidecar C0001M01\.XML, but 'fast'; give video\.capture_fps"
    ):
        probe(path)


def test_a_record_tells_the_rates_source_in_words(tmp_path):
    source = describe_source(scan(probe(clip(tmp_path / "a.mp4", {TAG: "240"}))), "a.mp4")
    assert source.capture_source == "tag com.android.capture.fps"


def test_conversions_keep_the_tags_or_tell_what_to_give(tmp_path):
    keeps = r"ffmpeg -i IN -vf zscale.* -crf 8 -movflags use_metadata_tags OUT\.mp4$"
    hdr = {"color_trc": 18, "color_primaries": 9, "colorspace": 9}
    with pytest.raises(SequenceError, match=keeps):
        probe(clip(tmp_path / "a.mp4", {TAG: "240"}, color=hdr))
    (tmp_path / "b.mp4").write_bytes((tmp_path / "a.mp4").read_bytes().replace(TAG.encode(), b"x" * len(TAG)))
    (tmp_path / "bM01.XML").write_text(SONY.format(' captureFps="239.76p"'))
    with pytest.raises(SequenceError, match=keeps[:-1] + ", and give video.capture_fps 239.76 from then on"):
        probe(tmp_path / "b.mp4")


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
