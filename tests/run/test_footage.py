"""What is said of footage before it is used."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import shown
from lolblur_synth.run.footage import scan_or_fault, warnings
from lolblur_synth.run.provenance import describe_source
from lolblur_synth.synthesis.sequences import shutter_at
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.shutter import ShutterOrigin, SourceShutter
from tests.support.footage import film


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "v/clip.mkv"
    film(path, frames=30, seed=2)
    return path


def fault_of(path: Path, *settings: str) -> str:
    found = scan_or_fault(path, load(Config, [], settings))
    assert isinstance(found, str)
    return shown(found)


def test_sound_footage_has_a_scan(clip):
    found = scan_or_fault(clip, Config())
    assert isinstance(found, VideoScan)
    assert (found.frames, found.info.capture_fps) == (30, 250)
    assert list(warnings(found, [shutter_at(Fraction(250), 24, 2000)], Config())) == []


def test_faults_name_what_to_set_and_not_the_file_again(clip, tmp_path):
    slow = fault_of(clip, "video.capture_fps=30")
    assert slow.startswith(
        "30 fps (given) is below 48: if it is slow motion, give its real rate with video.capture_fps"
    )
    allowed = fault_of(clip, "video.capture_fps=20", "video.allow_low_fps=true")
    assert allowed == "20 fps (given) is below the 24 of sequences.fps: pairs would repeat"
    (tmp_path / "text.mp4").write_text("this is no video")
    assert str(tmp_path) not in fault_of(tmp_path / "text.mp4")
    assert fault_of(tmp_path / "none.mp4")


def test_slow_rates_and_long_exposures_are_warned_of(clip):
    found = scan_or_fault(clip, load(Config, [], ["video.capture_fps=100"]))
    assert isinstance(found, VideoScan)
    low, long = warnings(found, [shutter_at(Fraction(100), 60, 2000)], Config())
    assert low.startswith("100 fps is below 120")
    assert long == "the shortest exposure at this rate, 60.0 ms, exceeds 41.7 ms"


def scan_with(clip: Path, shutter: str) -> VideoScan:
    found = scan_or_fault(clip, load(Config, [], [f"video.source_shutter={shutter}"]))
    assert isinstance(found, VideoScan)
    return found


@pytest.mark.parametrize(
    ("shutter", "ratio", "warning"),
    [
        ("1/500", 0.5, None),
        ("180deg", 0.5, None),
        ("0.0032", 0.8, "a shutter of 1/312.5 s (given) is 80% of the time from frame to frame: what moves is blurred"),
        (
            "1/2500",
            0.1,
            "a shutter of 1/2500 s (given) is 10% of the time from frame to frame: what moves in between",
        ),
    ],
)
def test_the_shutter_that_is_set_is_taken_and_judged(clip, shutter, ratio, warning):
    found = scan_with(clip, shutter)
    assert found.info.exposure_ratio == pytest.approx(ratio)
    told = describe_source(found, "a").shutter
    assert (told.origin, told.exposure_ratio) == (ShutterOrigin.GIVEN, pytest.approx(ratio))
    assert told.seconds == pytest.approx(ratio / 250)
    assert [line[: len(warning or "")] for line in warnings(found, [], Config())] == ([warning] if warning else [])


def test_a_shutter_that_is_longer_than_a_frame_is_a_fault_if_set_and_unknown_if_told(clip):
    assert fault_of(clip, "video.source_shutter=1/50") == (
        "video.source_shutter 1/50 s is longer than a frame at 250 fps lasts"
    )
    found = scan_with(clip, "1/500")
    tag = SourceShutter(Fraction(1, 50), None, ShutterOrigin.TAG, "x")
    wrong = replace(found, info=replace(found.info, shutter=tag))
    (line,) = warnings(wrong, [], Config())
    assert line == "a shutter of 1/50 s (tag x) is longer than a frame at 250 fps lasts: it counts as unknown"
    assert describe_source(wrong, "a").shutter.exposure_ratio is None


def test_a_shutter_is_no_part_of_what_is_scanned(clip, monkeypatch):
    scan_with(clip, "1/500")
    monkeypatch.setattr("lolblur_synth.run.footage.scan", lambda info: pytest.fail("scanned again"))
    assert scan_with(clip, "1/1000").info.exposure_ratio == pytest.approx(0.25)
