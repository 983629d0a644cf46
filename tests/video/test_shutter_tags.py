"""The source's shutter, wherever a camera wrote it, in files that are made here from the standards alone."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenEXR
import pytest
import tifffile

from lolblur_synth.video.exif import exposure_time
from lolblur_synth.video.images import write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.shutter import ShutterOrigin
from lolblur_synth.video.shutter_tags import shutters_in
from tests.support.clips import encode, scene, textured


def clip(path: Path, tags: dict[str, str] | None = None) -> Path:
    return encode(path, scene(3), fps=240, tags=tags, container_options={"movflags": "use_metadata_tags"})


def told(path: Path) -> tuple[Fraction | None, ShutterOrigin, str] | None:
    info = probe(path, 240)
    return info.shutter and (info.shutter.time(Fraction(240)), info.shutter.origin, info.shutter.detail)


def test_nobody_tells(tmp_path):
    info = probe(clip(tmp_path / "a.mp4", {"title": "1/500"}))
    assert (info.shutter, info.exposure_ratio) == (None, None)


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("com.apple.quicktime.camera.shutter-speed-time", "0.002", Fraction(1, 500)),
        ("com.apple.quicktime.camera.shutterSpeedTime", "1/500", Fraction(1, 500)),
        ("com.apple.quicktime.camera.shutter_speed_angle", "10800", Fraction(1, 480)),
        ("com.apple.quicktime.camera.shutter-speed-angle", "90.00deg", Fraction(1, 960)),
    ],
)
def test_apples_tags_tell_a_time_or_an_angle_in_minutes(tmp_path, name, value, seconds):
    """SMPTE RDD 18: an angle without a unit is in minutes, 21600 in all."""
    assert told(clip(tmp_path / "a.mov", {name: value})) == (seconds, ShutterOrigin.TAG, name)


@pytest.mark.parametrize("value", ["", "auto", "0", "99999deg", "1/0"])
def test_tags_that_tell_nothing_are_passed_over(tmp_path, value):
    assert told(clip(tmp_path / "a.mov", {"com.apple.quicktime.camera.shutter-speed-time": value or " "})) is None


XML = """<?xml version="1.0"?><NonRealTimeMeta xmlns="urn:schemas-professionalDisc:nonRealTimeMeta:ver.2.00">
<AcquisitionRecord><Group name="CameraUnitMetadataSet"><Item name="CaptureGammaEquation" value="rec709"/>
<Item name="{}" value="{}"/></Group></AcquisitionRecord></NonRealTimeMeta>"""


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("ShutterSpeedAngle", "180.00deg", Fraction(1, 480)),
        ("ShutterSpeed_Angle", "90deg", Fraction(1, 960)),
        ("ShutterSpeed_Time", "1/500s", Fraction(1, 500)),
        ("ShutterSpeedTime", "2ms", Fraction(1, 500)),
        ("ShutterSpeedAngle", "180", None),
        ("ShutterSpeed_Time", "OFF", None),
    ],
)
def test_sonys_file_beside_the_clip(tmp_path, name, value, seconds):
    """Of an angle without a unit nobody knows whether it is degrees, hundredths of them, or minutes."""
    path = clip(tmp_path / "C0001.MP4")
    (tmp_path / "C0001M01.XML").write_text(XML.format(name, value))
    assert told(path) == (seconds and (seconds, ShutterOrigin.SIDECAR, "C0001M01.XML"))


def klv(key: bytes, kind: bytes, size: int, data: bytes) -> bytes:
    return key + kind + struct.pack(">BH", size, len(data) // size) + data + bytes(-len(data) % 4)


def telemetry(*seconds: float) -> bytes:
    """As a camera of GoPro's writes it: a device of streams, of which one is exposure times."""
    other = klv(b"STRM", b"\0", 1, klv(b"STNM", b"c", 1, b"Accelerometer") + klv(b"ACCL", b"s", 6, bytes(12)))
    shutters = klv(b"SHUT", b"f", 4, struct.pack(f">{len(seconds)}f", *seconds))
    stream = klv(b"STRM", b"\0", 1, klv(b"TSMP", b"L", 4, bytes(4)) + shutters)
    return klv(b"DEVC", b"\0", 1, klv(b"DVID", b"L", 4, bytes(4)) + other + stream)


@pytest.mark.skipif(int(av.__version__.split(".")[0]) < 18, reason="before 18 PyAV writes no track of telemetry")
@pytest.mark.parametrize(("seconds", "found"), [((1 / 480, 1 / 500), Fraction(1, 480)), ((0.0,), None)])
def test_gopros_telemetry(tmp_path, seconds, found):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        video, data = container.add_stream("libx264", rate=240), container.add_data_stream("bin_data")
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(textured(number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 240)
            container.mux(video.encode(frame))
        packet = av.Packet(telemetry(*seconds))
        packet.stream, packet.pts, packet.dts, packet.time_base = data, 0, 0, Fraction(1, 1000)
        container.mux(packet)
        container.mux(video.encode(None))
    assert b"gpmd" in path.read_bytes()
    assert told(path) == (found and (found, ShutterOrigin.TELEMETRY, "SHUT"))


def test_damaged_telemetry_tells_nothing_and_ends():
    whole = telemetry(1 / 480)
    assert list(shutters_in(whole)) == [Fraction(1, 480)]
    for length in range(len(whole) - 4):
        assert list(shutters_in(whole[:length])) == []
    assert list(shutters_in(b"DEVC\0\x01\xff\xff" * 3000)) == []


def exif(above: int, below: int, order: str = "<", directory: bool = True) -> bytes:
    """ExposureTime in Exif's directory, or in the first one as TIFF/EP has it."""
    entry = struct.pack(f"{order}HHHII", 1, 0x829A, 5, 1, 100) + bytes(4)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    block = head + (struct.pack(f"{order}HHHII", 1, 0x8769, 4, 1, 40) + bytes(4) if directory else entry)
    block = block.ljust(40, b"\0") + (entry if directory else b"")
    return block.ljust(100, b"\0") + struct.pack(f"{order}2I", above, below)


def jpeg(block: bytes) -> bytes:
    segment = b"Exif\0\0" + block
    comment = b"\xff\xfe\0\5abc"
    return b"\xff\xd8" + comment + b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment + b"\xff\xda\0\2"


def png(block: bytes) -> bytes:
    chunks = ((b"IHDR", bytes(13)), (b"IDAT", b"abc"), (b"eXIf", block), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + kind + d + bytes(4) for kind, d in chunks)


def webp(block: bytes) -> bytes:
    chunks = ((b"VP8X", bytes(11)), (b"EXIF", block))
    body = b"".join(kind + struct.pack("<I", len(d)) + d + bytes(len(d) % 2) for kind, d in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("directory", [True, False])
@pytest.mark.parametrize("kind", [jpeg, png, webp, bytes])
def test_exif_in_every_kind_of_file(kind: Callable[[bytes], bytes], order, directory):
    assert exposure_time(kind(exif(10, 5000, order, directory))) == Fraction(1, 500)
    assert exposure_time(kind(exif(0, 5000, order, directory))) is None
    assert exposure_time(kind(exif(10, 0, order, directory))) is None


@pytest.mark.parametrize("kind", [jpeg, png, webp, bytes])
def test_damaged_exif_tells_nothing(kind: Callable[[bytes], bytes]):
    whole = kind(exif(1, 500))
    for length in range(len(whole)):
        assert exposure_time(whole[:length]) in (None, Fraction(1, 500))
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        exposure_time(bytes(damaged))


def frames(folder: Path, write: Callable[[Path, int], None], suffix: str) -> Path:
    folder.mkdir()
    for number in range(8):
        write(folder / f"f_{number:03d}{suffix}", number)
    return folder


def test_numbered_tiff(tmp_path):
    def write(path: Path, number: int) -> None:
        tags = [(33434, 5, 1, (1, 1000), True)]
        tifffile.imwrite(path, textured(number), photometric="rgb", extratags=tags)

    folder = frames(tmp_path / "f", write, ".tif")
    assert told(folder) == (Fraction(1, 1000), ShutterOrigin.PICTURE, "ExposureTime")
    assert probe(folder, 240).exposure_ratio == pytest.approx(0.24)


@pytest.mark.parametrize(("seconds", "found"), [(0.002, Fraction(1, 500)), (-1.0, None), (float("inf"), None)])
def test_numbered_exr(tmp_path, seconds, found):
    def write(path: Path, number: int) -> None:
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "expTime": seconds}
        pixels = np.ascontiguousarray(textured(number).astype(np.float32) / 255)
        OpenEXR.File(header, {"RGB": pixels}).write(str(path))

    shutter = probe(frames(tmp_path / "f", write, ".exr"), 240, white=1.0).shutter
    assert (shutter and (shutter.seconds, shutter.detail)) == (found and (found, "expTime"))


def test_pictures_without_exif(tmp_path):
    assert told(frames(tmp_path / "f", lambda path, number: write_png(path, textured(number)), ".png")) is None


@pytest.mark.parametrize(("value", "ratio"), [("1/240", 1.0), ("1/239", 1.0), ("1/480", 0.5), ("1/200", None)])
def test_a_shutter_longer_than_a_frame_cannot_be(tmp_path, value, ratio):
    """But for what cameras round: 1/240 s at 240000/1001 fps."""
    info = probe(clip(tmp_path / "a.mov", {"camera.shutter-speed-time": value}))
    assert info.exposure_ratio == (ratio and pytest.approx(ratio, abs=0.005))
