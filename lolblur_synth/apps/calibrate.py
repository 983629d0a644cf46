"""The `calibrate` command: a camera's noise, black level and colours from its own RAW frames."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lolblur_synth.apps.camera_file import Calibration, as_yaml
from lolblur_synth.apps.outputs import check_file
from lolblur_synth.apps.raw_series import Progress, RawSeries
from lolblur_synth.apps.transfer_plot import plot_transfer
from lolblur_synth.config.cameras import cameras, known
from lolblur_synth.config.yaml_reader import parse_yaml
from lolblur_synth.core.errors import UserError, listed, setting
from lolblur_synth.core.files import write_text
from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.ops.noise.calibration import (
    ROUNDING,
    SITES,
    DarkNoise,
    DarkPair,
    FlatPair,
    TransferCurve,
    dark_noise,
    measure_dark,
    measure_flat,
    transfer_curve,
)
from lolblur_synth.ops.noise.camera import Camera
from lolblur_synth.ops.noise.levels import CountedLevel, Interval, ScaledLevel
from lolblur_synth.video.images import write_png
from lolblur_synth.video.raw import Raw

_ALIKE = 0.04  # of their light, that flats of one exposure differ by at most: lamps do by less
_APART = 1.5  # times the light of the darkest flats, that the brightest have at least
_FLOOR = 0.01  # share of samples that are 0, where dark frames count as clipped
_PILED = 0.01  # share of samples at the largest code, where that counts as saturation
_UNSURE = 0.05  # relative standard error of shot noise that is too much
_MISFIT, _SITES = 0.1, 0.05  # of the curve beside its line, and of sites' gains, that are told


def check_outputs(out: Path, plot: Path | None, flat: Path | None, camera: str | None, *, overwrite: bool) -> None:
    """Raise `UserError` for outputs that cannot be written, a plot of nothing, and a preset that is none."""
    check_file(out, (".yaml", ".yml"), overwrite=overwrite)
    if plot:
        check_file(plot, (".png",), overwrite=overwrite, parameter="plot")
    if plot and not flat:
        raise UserError("is of flats", where=f"{setting('plot')} {plot}", advice=f"give {setting('flat')} too")
    if not flat and not camera:
        raise UserError(
            "dark frames do not tell shot noise",
            where=setting("dark"),
            advice=f"give {setting('flat')}, or by {setting('camera')} a preset whose shot noise is to be taken",
        )
    try:
        known(camera) if camera else None
    except ValueError as error:
        raise UserError(error, where=f"{setting('camera')} {camera}") from None


def calibrate(dark: Path, flat: Path | None, preset: str | None, name: str, progress: Progress) -> Calibration:
    """Calibrate a camera from dark frames, and flat frames of several exposures, in a folder each.

    Without flats, shot noise is that of a preset, as are colours where the RAW files have none. Raises `UserError` for
    frames that cannot tell, and `SequenceError` for a file that cannot be read.
    """
    darks = RawSeries(dark, "dark", progress)
    noise = _dark_noise(darks)
    flats = RawSeries(flat, "flat", progress, passes=3) if flat else None
    if flats:
        flats.check_alike(flats.paths[0], flats.first, darks.first, f"the dark frame {darks.paths[0].name}")
    curve, white, notes = _transfer(flats, noise) if flats else (None, int(darks.first.white), [])
    span = white - round(sum(noise.black) / 4)
    gain = (math.log(curve.gain),) * 2 if curve else _preset_gain(cameras()[preset or ""], span)
    matrices, source = _matrices(darks.first, preset)
    if not matrices:
        notes.append(
            f"its RAW files have no colour matrix: write one into its matrices, or give a preset by {setting('camera')}"
        )
    return Calibration(
        name=_as_word(name),
        first=darks.first,
        dark=noise,
        darks=len(darks.paths),
        flats=len(flats.paths) if flats else 0,
        white=white,
        curve=curve,
        log_gain=gain,
        preset=None if curve else preset,
        matrices=matrices,
        matrix_source=source,
        notes=tuple(notes),
    )


def _as_word(name: str) -> str:
    """A name as a word of YAML that stands for itself."""
    word = re.sub(r"[^\w.-]", "-", name)
    plain = re.match(r"\w", word) and parse_yaml(word, "name") == word
    return word if plain else f"camera-{word}"


def _dark_noise(darks: RawSeries) -> DarkNoise:
    pairs = [measure_dark(one.samples, other.samples) for one, other in pairwise(darks.frames(darks.paths))]
    for number, pair in enumerate(pairs):
        _check_dark(pair, darks, number)
    noise = dark_noise(pairs, *darks.first.samples.shape)
    if noise.read == 0:
        raise UserError(
            "its frames do not differ, or by their rounding only",
            where=darks.where,
            advice="take frames as the camera has them",
        )
    return noise


def _check_dark(pair: DarkPair, darks: RawSeries, number: int) -> None:
    """Raise `UserError` for frames that are not dark, or whose noise is clipped."""
    names = f"{darks.paths[number].name} and {darks.paths[number + 1].name}"
    if pair.floor > _FLOOR:
        raise UserError(
            f"{pair.floor:.0%} of the samples of {names} are 0: black is clipped off, which hides read noise",
            where=darks.where,
            advice="take RAW that keeps its black level",
        )
    sigma = pair.read**0.5
    told, first = darks.first.black, darks.first
    above = max(level - black for level, black in zip(pair.black, told, strict=True)) if any(told) else 0.0
    lit = f"{above:.1f} above their black level of {min(told):g}" if above > max(4.0, 2 * sigma) else ""
    if pair.uneven > max(3.0, sigma):
        lit = f"{pair.uneven:.1f} brighter at one place than on the whole"
    if lit:
        raise UserError(
            f"{names} are not dark: {lit}, of {first.white}",
            where=darks.where,
            advice="cap the lens and the finder, and expose briefly",
        )


def _transfer(flats: RawSeries, noise: DarkNoise) -> tuple[TransferCurve, int, list[str]]:
    """The photon transfer curve of flats, where they saturate, and what is to be said of them."""
    measured = [
        _Flat.of(path, frame, noise) for path, frame in zip(flats.paths, flats.frames(flats.paths), strict=True)
    ]
    piled = [flat.piled for flat in measured if flat.piled is not None]
    white = min([int(flats.first.white), *piled])
    pairs, alone = _pairs(measured)
    if not pairs:
        raise UserError(
            "no two of its frames are of one exposure, within 4 % of their light",
            where=flats.where,
            advice="take two or more of each exposure",
        )
    found = []
    for one, other in pairs:
        first, second = flats.frames([one.path, other.path])
        found.append(measure_flat(first.samples, second.samples, noise.black, white))
        _check_flat(found[-1], one, other, flats)
    curve = transfer_curve(found, noise.read + ROUNDING)
    _check_levels(found, curve, flats)
    assert curve is not None
    notes = []
    if alone:
        notes.append(f"left out, as no other flat is of their exposure: {listed([flat.path.name for flat in alone])}")
    brightest = max(flat.most for flat in measured)
    if white < flats.first.white:
        notes.append(f"samples saturate at {white}, below the {flats.first.white} that the files tell")
    elif brightest < white / 2:
        notes.append(f"no sample exceeds {brightest} of {white}: add a clipped flat, if white may be lower")
    return curve, white, [*notes, *_doubts(curve)]


@dataclass(frozen=True)
class _Flat:
    """A flat frame, as it is sorted."""

    path: Path
    light: float  # mean of all sites above black
    most: int  # largest sample
    piled: int | None  # the code at which many samples are, as they saturate there

    @staticmethod
    def of(path: Path, frame: Raw, noise: DarkNoise) -> "_Flat":
        samples, most = frame.samples, int(frame.samples.max())
        here, below = (float((samples == code).mean()) for code in (most, most - 1))
        light = [float(samples[site].mean()) - black for site, black in zip(SITES, noise.black, strict=True)]
        saturates = here > _PILED and here > 2 * below and most > frame.white / 2
        return _Flat(path, float(np.mean(light)), most, most if saturates else None)


def _pairs(flats: Sequence[_Flat]) -> tuple[list[tuple[_Flat, _Flat]], list[_Flat]]:
    """Neighbours in time of one exposure, and flats whose exposure no other has."""
    groups: list[list[_Flat]] = []
    for flat in sorted(flats, key=lambda flat: flat.light):
        alike = groups and flat.light - groups[-1][0].light <= max(_ALIKE * groups[-1][0].light, 4.0)
        groups[-1].append(flat) if alike else groups.append([flat])
    pairs = [pair for group in groups for pair in pairwise(sorted(group, key=lambda flat: flat.path.name))]
    return pairs, [group[0] for group in groups if len(group) == 1]


def _check_flat(pair: FlatPair, one: _Flat, other: _Flat, flats: RawSeries) -> None:
    if pair.strange:
        raise UserError(
            f"{one.path.name} and {other.path.name} differ by more than noise: something moved, or light changed",
            where=flats.where,
            advice="take an even surface out of focus, camera and light at rest",
        )


def _check_levels(pairs: Sequence[FlatPair], curve: TransferCurve | None, flats: RawSeries) -> None:
    """Raise `UserError` where the flats do not tell a curve."""
    advice = "take two or more frames at each of several exposures, a factor of two apart"
    lights = [float(pair.light[pair.kept].mean()) for pair in pairs if pair.kept.mean() > 0.1]
    if curve is None or not lights:
        raise UserError(
            "all of its frames are clipped", where=flats.where, advice="expose some for a tenth to a half of white"
        )
    if max(lights) < _APART * min(lights):
        raise UserError(
            f"all that are not clipped are of one level, {min(lights):.0f} to {max(lights):.0f} above black",
            where=flats.where,
            advice=advice,
        )
    if curve.gain_error > _UNSURE:
        raise UserError(
            f"too dark or too few: they tell shot noise to {curve.gain_error:.0%} only",
            where=flats.where,
            advice="take brighter ones, or more",
        )


def _doubts(curve: TransferCurve) -> Iterator[str]:
    low, high = min(curve.site_gains), max(curve.site_gains)
    if high > (1 + _SITES) * low + 8 * curve.gain_error * high:
        yield f"colours have gains of {low:.4g} to {high:.4g}: the camera multiplies its RAW, and one is fitted to all"
    if curve.misfit > _MISFIT:
        yield f"the curve is no line: its variance is {curve.misfit:.0%} (rms) off; look at the plot"


def _preset_gain(camera: Camera, span: int) -> Interval:
    """Logarithms of a preset's shot noise in digital numbers of another converter."""
    level = camera.level
    if isinstance(level, CountedLevel):
        assert camera.converter is not None
        shift = math.log(span / camera.converter.span)
        return level.log_gain[0] + shift, level.log_gain[1] + shift
    low, high = (level.shot * scale for scale in level.scale) if isinstance(level, ScaledLevel) else level.shot
    return math.log(low * span), math.log(high * span)


def _matrices(frame: Raw, preset: str | None) -> tuple[tuple[Matrix, ...], str]:
    if frame.matrix is not None:
        return (frame.matrix,), frame.matrix_source
    if preset is not None:
        return cameras()[preset].matrices, f"those of {preset}, as the RAW files have none"
    return (), ""


def write_calibration(found: Calibration, out: Path, plot: Path | None) -> None:
    """Write a camera in the form of `configs/noise/cameras.yaml`, and the plot of its photon transfer curve."""
    write_text(out, as_yaml(found))
    if plot and found.curve:
        write_png(plot, plot_transfer(found.curve, found.span))
