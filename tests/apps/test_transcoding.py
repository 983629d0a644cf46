"""What of a video is not in what is made of it."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch

from lolblur_synth.apps.transcoding import NOBODY, frame_spacing, losses, variable_rate
from lolblur_synth.video.metadata import Flaw, FlawKind
from lolblur_synth.video.probe import probe
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.support.footage import film


def test_a_whole_video_at_a_steady_rate_loses_nothing(tmp_path):
    scan = scan_stored(probe(film(tmp_path / "a.mkv", frames=5)))
    assert frame_spacing(scan) is None
    assert [*variable_rate(scan), *losses(scan, tmp_path / "b.mkv")] == []


def test_a_rate_that_varies_is_told_in_milliseconds(tmp_path):
    times = [Fraction(at, 50) for at in (0, 1, 2, 6, 7)]
    write_video(tmp_path / "a.mkv", [torch.rand(3, 32, 48) for _ in range(4)], times)
    scan = scan_stored(probe(tmp_path / "a.mkv"))
    assert frame_spacing(scan) == "20 to 80 ms apart"
    (line,) = variable_rate(scan)
    assert line == f"{tmp_path / 'a.mkv'}: its 4 frames are 20 to 80 ms apart; each is written once, at its own time"


def test_losses_are_told_a_line_each(tmp_path):
    scan = scan_stored(probe(film(tmp_path / "it's.mkv", frames=5)))
    flaws = tuple(Flaw(at, at, FlawKind.CONCEALED_DAMAGE) for at in range(9))
    lost, damaged, sound = losses(replace(scan, lost=2, flaws=flaws, sound=True), Path("out.mkv"))
    assert lost.endswith("frames that cannot be decoded, and are missing in out.mkv: 2")
    assert damaged.endswith("frames that may be damaged: 0, 1, 2, 3, 4, ... (9 in all)")
    assert "-map 0:v -map 1:a -c copy BOTH.mkv" in sound


def test_nobody_has_to_listen():
    assert NOBODY.progress(1, 2) is None
    assert NOBODY.warn("lost") is None
