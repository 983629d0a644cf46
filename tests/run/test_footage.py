"""What is said of footage before it is used."""

from fractions import Fraction
from pathlib import Path

import pytest

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import shown
from lolblur_synth.run.footage import scan_or_fault, warnings
from lolblur_synth.synthesis.sequences import shutter_at
from lolblur_synth.video.metadata import VideoScan
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
