"""What tells the colours of a stream, which word counts, and what is refused for contradicting itself."""

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lolblur_synth.config.run import Config
from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.run.footage import warnings
from lolblur_synth.video.color_coding import NOTHING_TOLD, CameraLog, ColorCodes, ToldColors, color_coding
from lolblur_synth.video.metadata import VideoInfo
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.support.clips import describe, encode, remux
from tests.support.hdr import frame

of_this_year = pytest.mark.skipif(
    int(av.__version__.partition(".")[0]) < 18, reason="FFmpeg 7.1 tells what the stream says before it is decoded"
)
X265 = {"x265-params": "log-level=none"}
NLC = "<NonRealTimeMeta><AcquisitionRecord><Group>{}</Group></AcquisitionRecord></NonRealTimeMeta>"
SONY = '<Item name="CaptureGammaEquation" value="{}"/><Item value="{}" name="CaptureColorPrimaries"/>'
APPLE_LOG, APPLE_LOG_2 = b"com.apple.rec2020.apple-log", b"com.apple.apple-wide-gamut.apple-log"


def coded(
    transfer: int,
    primaries: int,
    matrix: int,
    told: ToldColors = NOTHING_TOLD,
    log: CameraLog | None = None,
    **more: Any,
) -> tuple[str, str, str]:
    fmt, lines = more.get("fmt", "yuv420p10le"), more.get("lines", 64)
    codes = ColorCodes(transfer, primaries, matrix, 1)
    found = color_coding(Path("a.mp4"), av.VideoFrame(96, lines, fmt), codes, log, told)
    return found.transfer, found.primaries, found.matrix


@pytest.mark.parametrize(
    ("codes", "meant"),
    [
        ((18, 9, 9), ("hlg", "bt2020", "bt2020")),
        ((16, 9, 9), ("pq", "bt2020", "bt2020")),
        ((18, 2, 2), ("hlg", "bt2020", "bt2020")),  # BT.2100 has no other
        ((16, 12, 9), ("pq", "p3-d65", "bt2020")),
        ((16, 12, 1), ("pq", "p3-d65", "bt709")),
        ((16, 11, 1), ("pq", "p3-dci", "bt709")),
        ((8, 1, 1), ("linear", "bt709", "bt709")),
        ((8, 2, 2), ("linear", "bt709", "bt601")),
        ((14, 9, 9), ("sdr", "bt2020", "bt2020")),
        ((1, 9, 2), ("sdr", "bt2020", "bt2020")),
        ((1, 12, 1), ("sdr", "p3-d65", "bt709")),
        ((1, 5, 5), ("sdr", "bt709", "bt601")),
        ((2, 2, 2), ("sdr", "bt709", "bt601")),
    ],
)
def test_codes_mean(codes, meant):
    assert coded(*codes) == meant


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ((18, 1, 9), "contradict each other: HLG, but primaries 1; set video.primaries"),
        ((16, 5, 9), "contradict each other: PQ, but primaries 5; set video.primaries"),
        ((18, 9, 1), "contradict each other: HLG with primaries bt2020, but bt709 matrix; set video.matrix"),
        ((16, 9, 6), "PQ with primaries bt2020, but bt601 matrix; set video.matrix"),
        ((16, 12, 2), "PQ with primaries p3-d65, but no matrix; set video.matrix"),
        ((16, 9, 14), "its colour matrix is ICtCp, which is not known here; convert"),
        ((16, 9, 10), "its colour matrix is BT.2020 with constant luminance, which is not known here"),
        ((16, 2, 15), "its colour matrix is IPT-C2, which is not known here"),
        ((9, 1, 1), "its transfer is logarithmic, whose curve is not known here; set video.transfer"),
        ((17, 10, 0), "its transfer is SMPTE 428, whose curve is not known here; set video.transfer"),
    ],
)
def test_what_contradicts_itself_or_is_not_known_is_refused_in_one_line(codes, told):
    with pytest.raises(SequenceError) as error:
        coded(*codes)
    assert told in str(error.value)
    assert str(error.value).startswith("a.mp4: ")
    assert "\n" not in str(error.value)


def test_what_a_person_tells_goes_before_all_else():
    assert coded(18, 1, 6, ToldColors(primaries="bt709", matrix="bt601")) == ("hlg", "bt709", "bt601")
    assert coded(18, 9, 9, ToldColors("sdr", "bt709", "bt709")) == ("sdr", "bt709", "bt709")
    assert coded(1, 1, 1, ToldColors("s-log3", "s-gamut3")) == ("s-log3", "s-gamut3", "bt709")
    assert coded(1, 1, 1, ToldColors("v-log")) == ("v-log", "v-gamut", "bt709")
    assert coded(9, 9, 9, ToldColors("apple-log")) == ("apple-log", "bt2020", "bt2020")
    unknown = CameraLog("s-log2", None, None, "C0001M01.XML")
    assert coded(1, 1, 1, ToldColors("sdr"), unknown) == ("sdr", "bt709", "bt709")


@pytest.mark.parametrize("transfer", ["s-log3", "apple-log"])
def test_the_primaries_of_a_log_are_not_guessed(transfer):
    with pytest.raises(SequenceError, match=r"nothing tells the primaries of its .*Log3?; set video\.primaries"):
        coded(2, 2, 2, ToldColors(transfer))


def test_rgb_has_no_matrix_that_could_contradict():
    assert coded(18, 9, 1, fmt="gbrp10le") == ("hlg", "bt2020", "bt709")
    assert coded(16, 9, 0, fmt="gbrp12le")[0] == "pq"


def log_clip(path: Path, transfer: str, primaries: str, matrix: str = "bt709", code: int = 1) -> Path:
    """A grey of 18 % beside a light of 2.5 times white; codes say nothing of it, or BT.709, as cameras write."""
    light = np.full((64, 96, 3), 0.18)
    light[:, 48:] = 2.5
    picture = frame(light, transfer, primaries, "yuv422p10le", matrix)
    color = {"colorspace": code, "color_primaries": code, "color_trc": code, "color_range": 1}
    return encode(path, [picture] * 2, "prores_ks", "yuv422p10le", color=color)


def grey_and_light(info: VideoInfo) -> list[float]:
    light = srgb_to_linear(next(read_frames(scan(info), 0, 1)))
    return [light[:, 20:44, 20:40].mean().item(), light[:, 20:44, 60:80].mean().item()]


@pytest.mark.parametrize(
    ("name", "primaries"), [(APPLE_LOG, "bt2020"), (APPLE_LOG_2, "apple-wide-gamut")], ids=["1", "2"]
)
def test_apple_log_is_told_by_its_box(tmp_path, name, primaries):
    clip = describe(log_clip(tmp_path / "a.mov", "apple-log", primaries, "bt2020", 2), b"logs", name)
    info = probe(clip, 240, white=1.0)
    assert (info.transfer, info.primaries, info.color_matrix) == ("apple-log", primaries, "bt2020")
    assert grey_and_light(info) == pytest.approx([0.18, 2.5], rel=0.02)
    with pytest.raises(SequenceError, match="its transfer is Apple Log, not SDR; convert it first, by a program"):
        probe(clip, 240)


def test_apple_log_is_told_by_a_tag(tmp_path):
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": 2, "color_range": 1}
    picture = frame(np.full((64, 96, 3), 0.18), "apple-log", "bt2020", "yuv422p10le")
    clip = encode(
        tmp_path / "a.mov",
        [picture] * 2,
        "prores_ks",
        "yuv422p10le",
        color=color,
        tags={"com.apple.proapps.customgamma": APPLE_LOG.decode()},
        container_options={"movflags": "use_metadata_tags"},
    )
    info = probe(clip, 240, white=1.0)
    assert (info.transfer, info.primaries) == ("apple-log", "bt2020")


def test_a_log_whose_curve_is_not_known_is_refused(tmp_path):
    clip = describe(log_clip(tmp_path / "a.mov", "apple-log", "bt2020", "bt2020", 2), b"logs", b"com.example.log")
    with pytest.raises(SequenceError, match=r"its transfer is 'com\.example\.log' by its box logs, whose curve is not"):
        probe(clip, 240, white=1.0)


@pytest.mark.parametrize(("primaries", "word"), [("s-gamut3", "s-gamut3"), ("s-gamut3.cine", "s-gamut3-cine")])
def test_sonys_log_is_told_beside_the_clip_and_in_it(tmp_path, primaries, word):
    clip = log_clip(tmp_path / "C0001.mov", "s-log3", primaries)
    assert not probe(clip, 240, white=1.0).holds_light
    text = NLC.format(SONY.format("s-log3-cine", word))
    (tmp_path / "C0001M01.XML").write_text(text)
    beside = probe(clip, 240, white=1.0)
    (tmp_path / "C0001M01.XML").unlink()
    handler = struct.pack(">I4s4x4s4s12xx", 33, b"hdlr", bytes(4), b"nrtm")
    xml = struct.pack(">I4s4x", 12 + len(text), b"xml ") + text.encode()
    clip.write_bytes(clip.read_bytes() + struct.pack(">I4s4x", 12 + len(handler + xml), b"meta") + handler + xml)
    inside = probe(clip, 240, white=1.0)
    for info in (beside, inside):
        assert (info.transfer, info.primaries, info.color_matrix) == ("s-log3", primaries, "bt709")
        assert grey_and_light(info) == pytest.approx([0.18, 2.5], rel=0.02)


@pytest.mark.parametrize(
    ("gamma", "primaries", "told"),
    [
        ("s-log2", "s-gamut", r"its transfer is 's-log2' by C0001M01\.XML, whose curve is not known here; convert it"),
        ("s-log3", "s-gamut", r"nothing tells the primaries of its S-Log3; set video\.primaries"),
    ],
)
def test_sonys_other_logs_are_refused(tmp_path, gamma, primaries, told):
    clip = log_clip(tmp_path / "C0001.mov", "s-log3", "s-gamut3")
    (tmp_path / "C0001M01.XML").write_text(NLC.format(SONY.format(gamma, primaries)))
    with pytest.raises(SequenceError, match=told):
        probe(clip, 240, white=1.0)
    converted = ToldColors("sdr")  # the XML of a clip that was converted since
    assert probe(clip, 240, white=1.0, told=converted).transfer == "sdr"


def test_a_gamma_of_sonys_that_is_no_log_leaves_it_to_the_codes(tmp_path):
    clip = log_clip(tmp_path / "C0001.mov", "s-log3", "s-gamut3")
    (tmp_path / "C0001M01.XML").write_text(NLC.format(SONY.format("s-cinetone", "rec709")))
    assert probe(clip, 240, white=1.0).transfer == "sdr"


def test_a_log_beside_codes_of_hlg_is_refused(tmp_path):
    picture = frame(np.full((64, 96, 3), 0.18), "hlg", "bt2020", "yuv422p10le")
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    clip = encode(tmp_path / "C0001.mov", [picture] * 2, "prores_ks", "yuv422p10le", color=color)
    (tmp_path / "C0001M01.XML").write_text(NLC.format(SONY.format("s-log3", "s-gamut3")))
    with pytest.raises(SequenceError, match=r"its transfer is S-Log3 by C0001M01\.XML, HLG by its stream; set"):
        probe(clip, 240, white=1.0)


@pytest.mark.parametrize(("profile", "compatibility", "refused"), [(5, 0, True), (8, 4, False), (8, 1, False)])
def test_dolby_vision_is_taken_where_its_base_layer_is(tmp_path, profile, compatibility, refused):
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    picture = frame(np.full((64, 96, 3), 0.18), "hlg", "bt2020", "yuv422p10le")
    clip = encode(tmp_path / "a.mov", [picture] * 2, "prores_ks", "yuv422p10le", color=color)
    kind = b"dvvC" if profile > 7 else b"dvcC"
    describe(clip, kind, bytes((1, 0, profile << 1, 0b101, compatibility << 4)) + bytes(19))
    if refused:
        with pytest.raises(SequenceError, match=r"Dolby Vision of profile 5, whose colours .* export it as HLG or PQ"):
            probe(clip, 240, white=1.0)
    else:
        assert probe(clip, 240, white=1.0).transfer == "hlg"


def test_dolby_vision_is_seen_in_matroska_too(tmp_path):
    picture = frame(np.full((64, 96, 3), 0.18), "hlg", "bt2020", "yuv420p10le")
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    clip = encode(tmp_path / "a.mp4", [picture] * 2, "libx265", "yuv420p10le", options=X265, color=color)
    describe(clip, b"dvcC", bytes((1, 0, 5 << 1, 0b101, 0)) + bytes(19))
    with pytest.raises(SequenceError, match="Dolby Vision of profile 5"):
        probe(remux(clip, tmp_path / "a.mkv"), 240, white=1.0)


@pytest.mark.parametrize(
    ("container", "disputed"),
    [
        ((18, 9, 9), False),
        ((2, 2, 2), False),
        ((1, 9, 9), True),
        ((18, 1, 9), True),
        ((18, 9, 6), True),
        ((18, 9, 0), False),
    ],
)
def test_colours_are_disputed_where_two_say_different_things(container, disputed):
    assert ColorCodes(18, 9, 9, 1).disputed(ColorCodes(*container, 1)) == disputed


@of_this_year
def test_where_container_and_stream_tell_other_transfers_the_stream_is_believed_and_it_is_told(tmp_path):
    picture = frame(np.full((64, 96, 3), 0.18), "hlg", "bt2020", "yuv420p10le")
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    clip = encode(tmp_path / "a.mov", [picture] * 12, "libx265", "yuv420p10le", options=X265, color=color)
    assert not probe(clip, 240, white=1.0).colors_disputed
    data = clip.read_bytes()
    at = data.index(b"colrnclc") + 8
    clip.write_bytes(data[:at] + bytes((0, 1, 0, 1, 0, 1)) + data[at + 6 :])
    found = scan(probe(clip, 240, white=1.0))
    assert (found.info.transfer, found.info.colors_disputed) == ("hlg", True)
    (told,) = warnings(found, [], Config())
    assert told.startswith(
        "its container tells other colours than its stream: taken for transfer hlg, primaries bt2020"
    )


@of_this_year
def test_a_matrix_in_dispute_is_told_and_settled_by_a_setting(tmp_path):
    """DNxHR as FFmpeg writes it calls its matrix BT.709's, whatever the container says."""
    pictures = [frame(np.full((128, 256, 3), 0.18), "hlg", "bt2020", "yuv422p10le")] * 2
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    clip = encode(tmp_path / "a.mov", pictures, "dnxhd", "yuv422p10le", options={"profile": "dnxhr_hqx"}, color=color)
    with pytest.raises(SequenceError, match=r"HLG with primaries bt2020, but bt709 matrix; set video\.matrix"):
        probe(clip, 240, white=1.0)
    info = probe(clip, 240, white=1.0, told=ToldColors(matrix="bt2020"))
    assert (info.transfer, info.color_matrix, info.colors_disputed) == ("hlg", "bt2020", True)
