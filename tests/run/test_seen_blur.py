"""Blur of the footage itself, told in the plan, the record and the card where nobody tells the shutter."""

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.dataset.card import render as render_card
from lolblur_synth.dataset.summary import summarize
from lolblur_synth.ops.exposure import average
from lolblur_synth.run import seen_blur
from lolblur_synth.run.plan import VideoPlan
from lolblur_synth.run.planning import make_plan
from lolblur_synth.run.provenance import describe_source
from lolblur_synth.run.seen_blur import seen_exposure
from lolblur_synth.scenes import Scene, glide, render
from lolblur_synth.video import scan_cache
from lolblur_synth.video.images import read_image
from lolblur_synth.video.writer import write_video
from tests.support.staged import record

SIZE = (256, 320)


def pan(path: Path, ratio: float) -> Path:
    scene = Scene(read_image(PHOTOS / "window.jpg"), glide(5.0, 3.0))
    moments = [(step + 0.5) / 12 - 0.5 for step in range(12)] if ratio else [0.0]
    path.parent.mkdir(parents=True)

    def shot(t: int) -> torch.Tensor:
        return linear_to_srgb(average(srgb_to_linear(render(scene, t + ratio * moment, SIZE)) for moment in moments))

    write_video(path, (shot(t) for t in range(14)), Fraction(250))
    return path


@pytest.fixture(scope="module")
def blurred(tmp_path_factory) -> Path:
    return pan(tmp_path_factory.mktemp("blurred") / "v" / "a.mkv", 0.8).parent


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_cache, "folder", lambda: tmp_path / "scans")


def planned(videos: Path, out: Path, *more: str) -> VideoPlan:
    small = ["sequences.min_pairs=1", "sequences.pairs=1", "sequences.per_video=1", "sequences.shutter_ms=[24]", *more]
    (video,) = make_plan(videos, out, load(Config, [], small), {}).videos
    assert video.fault is None
    return video


def test_blurred_frames_are_told(blurred, tmp_path):
    video = planned(blurred, tmp_path / "d")
    assert video.scan
    assert video.scan.seen_exposure == pytest.approx(0.8, abs=0.2)
    assert any("its frames look blurred by about" in line for line in video.warnings)
    source = describe_source(video.scan, "a")
    assert (source.shutter.exposure_ratio, source.shutter.seen_ratio) == (None, video.scan.seen_exposure)
    assert f"| unknown, looks like {video.scan.seen_exposure:.2f} |" in render_card(summarize([record(source=source)]))


def test_sharp_frames_are_not(tmp_path):
    video = planned(pan(tmp_path / "v" / "a.mkv", 0).parent, tmp_path / "d")
    assert video.scan
    assert video.scan.seen_exposure is None
    assert not video.warnings


def test_it_is_not_looked_for_where_the_shutter_is_known(blurred, tmp_path, monkeypatch):
    monkeypatch.setattr(seen_blur, "moving_patches", lambda *_: pytest.fail("looked"))
    video = planned(blurred, tmp_path / "d", "video.source_shutter=1/500")
    assert video.scan
    assert math.isclose(video.scan.info.exposure_ratio or 0, 0.5)
    assert not video.warnings


def test_it_is_measured_once(blurred, tmp_path, monkeypatch):
    first = planned(blurred, tmp_path / "d").scan
    monkeypatch.setattr(seen_blur, "moving_patches", lambda *_: pytest.fail("measured again"))
    again = planned(blurred, tmp_path / "d").scan
    assert first
    assert again
    assert again.seen_exposure == first.seen_exposure is not None


def test_frames_that_are_gone_cost_nothing(blurred, tmp_path):
    """The run will tell that of its own accord."""
    scan = planned(blurred, tmp_path / "d").scan
    assert scan
    gone = replace(scan, content="0" * 64, pts=tuple(10**6 + n for n in range(scan.frames)))
    assert seen_exposure(gone, [range(scan.frames)]) is None
