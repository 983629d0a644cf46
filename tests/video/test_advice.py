from fractions import Fraction
from pathlib import Path

import pytest

from lolblur_synth.core.errors import shown
from lolblur_synth.video.advice import convert
from lolblur_synth.video.metadata import RateOrigin, VideoInfo


@pytest.mark.parametrize(
    ("suffix", "line"),
    [
        (".mp4", "ffmpeg -i IN -crf 8 -movflags use_metadata_tags OUT.mp4"),
        (".mkv", "ffmpeg -i IN -crf 8 OUT.mkv"),
    ],
)
def test_tags_of_the_file_are_kept(suffix, line):
    assert convert("-crf 8", suffix=suffix) == line


@pytest.mark.parametrize("origin", RateOrigin)
def test_a_rate_that_a_conversion_loses_is_to_be_given_afterwards(origin):
    info = VideoInfo(
        Path("a"), 96, 64, Fraction(30), Fraction(240_000, 1001), origin, "", "h264", "yuv420p", 8, "bt709", "full", 0
    )
    told = "and give video.capture_fps 239.76 from then on" in shown(convert("-crf 8", info))
    assert told == (origin in (RateOrigin.TRACK_TAG, RateOrigin.BOX, RateOrigin.SIDECAR))
