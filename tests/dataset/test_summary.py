"""Numbers of a dataset, as data, against what the records say."""

from dataclasses import replace

import pytest

from lolblur_synth.dataset.records import BlurAimRecord, Denoising, NoiseLevel, RejectRecord
from lolblur_synth.dataset.summary import summarize, summarize_sequence
from lolblur_synth.dataset.summary_types import (
    AimSummary,
    DroppedWindow,
    MotionSummary,
    Range,
    ShutterFrames,
    SplitSummary,
)
from lolblur_synth.ops.isp import Jpeg
from lolblur_synth.synthesis.draws import Draws
from lolblur_synth.synthesis.sequences import AimLimit, RejectKind
from lolblur_synth.video.metadata import FlawKind
from tests.support.staged import BLUR, SENSOR, STATISTICS, pair, record


def reject(slot, kind):
    return RejectRecord(slot=slot, center=10 * slot, reason=f"{kind} at frame {10 * slot}", kinds=[kind])


def test_pairs_sequences_and_videos_are_counted_by_split():
    summary = summarize([record(3, 0), record(3, 1, (31, 32, 33)), record(5, 0, split="test")])
    assert summary.splits == {"train": SplitSummary(1, 2, 5), "test": SplitSummary(1, 1, 2)}
    assert summary.pairs == 7
    assert [(video.number, video.split, video.pairs) for video in summary.videos] == [(3, "train", 5), (5, "test", 2)]
    assert summarize([record()]).splits["test"] == SplitSummary(0, 0, 0)


def test_a_window_that_both_sequences_of_a_video_list_is_one_reject():
    known = [reject(1, FlawKind.SCENE_CUT), reject(2, FlawKind.SCENE_CUT), reject(3, FlawKind.DECODE_ERROR)]
    found = reject(9, RejectKind.MOTION)
    summary = summarize([record(3, 0, rejects=known), record(3, 1, rejects=[*known, found]), record(4, 0)])
    assert summary.rejects == {"scene cut": 2, "decode error": 1, "motion too large to be trusted": 1}
    assert [video.rejects for video in summary.videos] == [4, 0]
    assert sum(summary.rejects.values()) == sum(video.rejects for video in summary.videos) == len(summary.dropped)
    assert summary.dropped[0] == DroppedWindow(3, 10, "scene cut", "scene cut at frame 10")


def test_draws_have_their_ranges():
    sharp = Draws(0.3, 0.8, 24.0, 0.1, None, 1e-4, 1e-6)
    draws = summarize([record(), record(4, draws=sharp)]).draws
    assert (draws.exposure, draws.dim, draws.shot) == (Range(0.1, 0.3), Range(0.8, 0.9), Range(1e-5, 1e-4))
    assert (draws.defocused, draws.defocus_sigma) == (1, Range(0.5, 1.0))
    assert summarize([record(draws=sharp)]).draws.defocus_sigma is None


def test_a_rolling_shutter_has_its_range_where_there_is_one():
    assert summarize([record()]).draws.rolling_ms is None
    rolling = record(4, draws=replace(record().draws, rolling_ms=12.5))
    assert summarize([record(), rolling]).draws.rolling_ms == Range(0, 12.5)


def test_sharpening_and_jpeg_have_their_ranges_where_they_are_on():
    plain = record().draws
    off = summarize([record()]).draws
    assert (off.sharpening, off.jpeg_quality, off.subsampling, off.compressed) == (None, None, (), 0)
    drawn = [plain, *(replace(plain, sharpening=0.3, jpeg=Jpeg(*jpeg)) for jpeg in ((70, "4:2:0"), (90, "4:4:4")))]
    draws = summarize([record(number, draws=draws) for number, draws in enumerate(drawn)]).draws
    assert (draws.sharpening, draws.jpeg_quality) == (Range(0, 0.3), Range(70, 90))
    assert (draws.subsampling, draws.compressed) == (("4:2:0", "4:4:4"), 2)


def test_models_of_noise_are_named_with_their_cameras():
    assert summarize([record()]).draws.noise == ("linear",)
    drawn = replace(record().draws, noise="bayer", sensor=SENSOR)
    assert summarize([record(), record(4, draws=drawn)]).draws.noise == ("bayer phone", "linear")


def blurred(*kinds):
    """Pairs of such directions and concentrations, PSNRs in light and lengths."""
    return [
        replace(pair(number), blur=replace(BLUR, direction=at, concentration=of, mean=length), psnr_in_light=psnr)
        for number, (at, of, psnr, length) in enumerate(kinds, 1)
    ]


def test_blur_is_counted_by_axis_and_tier():
    """170 degrees are nearer to 0 than to 150; the first pair of a still scene has no direction."""
    first = blurred((None, 0.0, 40.0, 0.0), (170.0, 0.9, 30.0, 2.0), (14.0, 0.5, 29.9, 4.0))
    second = blurred((16.0, 0.9, 24.0, 6.0), (90.0, 0.49, 23.9, 8.0))
    summary = summarize([record(pairs=first), record(4, pairs=second)])
    assert summary.blur
    assert summary.blur.directions == {0: 2, 30: 1, 60: 0, 90: 0, 120: 0, 150: 0}
    assert (summary.blur.pairs, summary.blur.undirected) == (5, 2)
    assert summary.blur.mean == pytest.approx((0, 0.4, 4, 7.6, 8))
    assert summary.difficulty
    assert summary.difficulty.tiers == {"easy": 2, "medium": 2, "hard": 1}
    assert summary.difficulty.in_light.median == 29.9
    assert summary.difficulty.thirds == pytest.approx((25.967, 29.967), abs=1e-3)


def test_shutters_that_were_chosen_are_summed_up():
    fast = BlurAimRecord(wanted=5, planned=8, reached=8.4, limit=AimLimit.TOO_FAST)
    summary = summarize([record(aim=BlurAimRecord(wanted=9, planned=10)), record(4, aim=fast), record(5)])
    assert summary.aim == AimSummary(2, Range(5, 9), Range(8.4, 8.4), 0, 1)
    assert summarize([record()]).aim is None


def test_blur_is_told_of_the_pairs_that_tell():
    untold = [replace(pair(3), blur=None, psnr=None, psnr_in_light=None)]
    without = summarize([record(pairs=untold)])
    assert (without.blur, without.difficulty) == (None, None)
    both = summarize([record(pairs=untold), record(4)])
    assert both.blur
    assert both.difficulty
    assert (both.blur.pairs, both.difficulty.pairs) == (2, 2)


def test_noise_and_what_was_done_about_it():
    level = NoiseLevel(sigma=4.0, space="srgb", a=(0, 0, 0), b=(0, 0, 0), white=True)
    noisy = record(noise=Denoising(backend="vbm4d", preset="fast", level=level))
    clean = record(4, noise=Denoising(backend="none", preset="best", level=level.model_copy(update={"sigma": 0.2})))
    denoise = summarize([noisy, clean]).denoise
    assert (denoise.denoised, denoise.ways, denoise.sigma) == (1, ("vbm4d fast",), Range(0.2, 4.0))
    assert summarize([record()]).denoise.sigma is None


def test_motion_is_judged_by_the_limit_of_the_settings():
    plain = record()
    limit = plain.config.interpolate.model_copy(update={"untrusted": 0.005})
    strict = record(config=plain.config.model_copy(update={"interpolate": limit}))
    assert summarize([strict]).motion == MotionSummary(0.01, 2, 2)
    assert summarize_sequence(strict).untrusted == {1: 0.01, 2: 0.01}
    assert summarize([plain]).motion == MotionSummary(0.01, 0, 2)
    assert summarize_sequence(plain).untrusted == {}


def test_a_sequence_measures_the_mean_of_its_pairs_and_takes_its_time():
    sequence = summarize_sequence(record(seconds={"darken": 1.5, "interpolate": 6.0, "write": 0.5}))
    assert (sequence.id, sequence.source, sequence.pairs) == ("0003-0", "a.mp4", 2)
    assert sequence.means["p99_grey"] == pytest.approx(9.0)
    assert (sequence.seconds, list(sequence.operators)) == (8.0, ["interpolate", "darken", "write"])


def test_operators_add_up_over_sequences():
    summary = summarize([record(seconds={"darken": 1.5, "write": 0.5}), record(4, seconds={"write": 2.0})])
    assert summary.operators == {"write": 2.5, "darken": 1.5}
    assert list(summary.operators) == ["write", "darken"]
    assert summary.seconds == 4


def test_statistics_are_summed_up_over_pairs_and_held_against_nights():
    """In the band of lightness, 3.8 to 12.3, is one of four."""
    pairs = [
        replace(pair(number), statistics=STATISTICS | {"lightness": value})
        for number, value in enumerate((2.0, 4.0, 20.0, 30.0), 1)
    ]
    lightness = summarize([record(pairs=pairs[:1]), record(4, pairs=pairs[1:])]).statistics["lightness"]
    assert (lightness.mean, lightness.outside) == (14, 0.75)
    assert (lightness.spread.least, lightness.spread.median, lightness.spread.most) == (2, 12, 30)


def test_all_that_a_name_stands_for_is_listed():
    more = {"lolblur-synth": "0.2.0", "pipeline": "3", "av": "14"}
    summary = summarize([record(), record(4, versions=more, weights={"ec_zero_dce": "e" * 64, "rife": "a" * 64})])
    assert summary.versions == {"lolblur-synth": ("0.1.0", "0.2.0"), "pipeline": ("3",), "av": ("14",)}
    assert summary.weights == {"ec_zero_dce": ("e" * 64,), "rife": ("a" * 64,)}
    assert (summary.made_by, summary.devices, summary.exposures) == ("0.1.0", ("cpu",), (ShutterFrames(9, 65),))
