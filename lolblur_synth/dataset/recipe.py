"""How a dataset was made, in sentences: a view of its summary that the card and the report share."""

from collections.abc import Iterator

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import SETTINGS, Folder
from lolblur_synth.dataset.records import SourceShutterRecord
from lolblur_synth.dataset.summary_types import DenoiseSummary, DrawSummary, MotionSummary, Range, Summary

FOLDER_MEANINGS: dict[Folder, str] = {
    "low_blur_noise": "dark, blurred, noisy: the input of a network",
    "low_blur": "the same without noise",
    "low_sharp": "the dark middle frame",
    "high_sharp_scaled": "the ground truth: the middle frame in normal light, slightly dimmed",
    "high_sharp_original": "the middle frame, denoised and resized, not dimmed",
}


def recipe(summary: Summary) -> list[str]:
    """The steps in their order, a sentence each without its full stop; names in backticks."""
    config, draws, count = summary.config, summary.draws, len(summary.sequences)
    windows = ", ".join(
        f"{frames} source frames -> {sub_frames} sub-frames" for frames, sub_frames in summary.exposures
    )
    lens = f", sigma {written(draws.defocus_sigma)} pixels" if draws.defocus_sigma else ""
    return [
        f"Denoise: {_denoising(summary.denoise, count)}",
        f"Dim to the ground truth by {written(draws.dim)}, darken by EC-Zero-DCE to exposure "
        f"{written(draws.exposure)}; lights above L* 97 keep theirs",
        f"Interpolate ({config.interpolate.backend}) to {written(summary.sub_frame_fps, ' fps')}: "
        f"{windows}{_trust(config, summary.motion)}",
        f"Reverse clipping: {_unclipping(summary)}",
        f"Average in {'linear light' if config.average.space == 'linear' else 'sRGB values'}: exposures of "
        f"{written(summary.milliseconds)} ms, one pair every 1/{config.sequences.fps:g} s{_rolling(draws)}",
        f"Defocus: {draws.defocused} of {count} sequences{lens}",
        f"Noise: {_noise(draws)}",
        *_encoding(summary),
    ]


def _rolling(draws: DrawSummary) -> str:
    if draws.rolling_ms is None:
        return ""
    return f"; a rolling shutter reads each out in {written(draws.rolling_ms)} ms, from top to bottom, the truth alike"


def _noise(draws: DrawSummary) -> str:
    if draws.noise == ("none",):
        return "none"
    levels = f"shot {written(draws.shot)}, read {written(draws.read)} (variance = shot x + read at "
    if draws.noise == ("linear",):
        return f"{levels}linear light x)"
    return f"{levels}raw light x, where the sensor is saturated at 1), by {' and '.join(draws.noise)}"


def _encoding(summary: Summary) -> Iterator[str]:
    """What a camera does beside; nothing by default."""
    response = summary.config.camera.response
    if response != "srgb":
        curve = response if isinstance(response, str) else f"a table of {len(response)} points, in `{SETTINGS}`"
        yield f"Response curve: {curve}, instead of sRGB's, in all five pictures"
    config, draws = summary.config, summary.draws
    if draws.sharpening:
        yield (
            f"Sharpening of `low_blur_noise`: {written(draws.sharpening)} times the difference to a Gaussian blur of "
            f"{config.isp.sharpen_radius:g} pixels"
        )
    if draws.jpeg_quality:
        yield (
            f"JPEG of `low_blur_noise` in {draws.compressed} of {len(summary.sequences)} sequences: quality "
            f"{written(draws.jpeg_quality)}, chroma {' and '.join(draws.subsampling)}"
        )


def _unclipping(summary: Summary) -> str:
    config, draws, count = summary.config, summary.draws, len(summary.sequences)
    held = (
        f"off in {draws.holding_light} of {count} sequences, whose footage holds its highlights "
        f"(white is {config.video.white:g}; the ground truth is clipped there)"
    )
    if draws.streak is None:
        return held
    boost = Range(255 * draws.streak.low, 255 * draws.streak.high)
    told = f"+ {written(boost)} of 255 where L* > {config.unclip.threshold:g}"
    return f"{told}; {held}" if draws.holding_light else told


def _trust(config: Config, motion: MotionSummary | None) -> str:
    if motion is None:
        return ""
    return (
        f". Motion between two frames is inconsistent on at most {motion.largest:.1%} of the picture; on more than "
        f"{config.interpolate.untrusted:.0%} in {motion.above} of {motion.judged} pairs"
    )


def _denoising(denoise: DenoiseSummary, count: int) -> str:
    sigma = written(denoise.sigma) if denoise.sigma else ""
    if not denoise.denoised:
        return f"the footage is clean, sigma {sigma} of 255, and left as it is" if sigma else "off"
    level = f"; noise of sigma {sigma} of 255" if sigma else ""
    return f"{denoise.denoised} of {count} sequences by {' and '.join(denoise.ways)}{level}"


def shutter_in_words(shutter: SourceShutterRecord) -> str:
    """The exposure ratio of a source and where it is from, or that it is unknown."""
    if shutter.exposure_ratio is None:
        return "unknown" if shutter.seen_ratio is None else f"unknown, looks like {shutter.seen_ratio:.2f}"
    return f"{shutter.exposure_ratio:.2f} ({f'{shutter.origin} {shutter.detail}'.rstrip()})"


def written(span: Range, unit: str = "") -> str:
    """A range in words.

    >>> written(Range(0.25, 2), " px"), written(Range(3, 3))
    ('0.25 to 2 px', '3')
    """
    low, high = f"{span.low:.4g}", f"{span.high:.4g}"
    return (low if low == high else f"{low} to {high}") + unit
