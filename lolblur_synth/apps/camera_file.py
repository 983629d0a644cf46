"""A camera's calibration as a file that `noise.camera` takes, in the form of `configs/noise/cameras.yaml`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lolblur_synth.core.errors import shown
from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.ops.noise.calibration import DarkNoise, TransferCurve
from lolblur_synth.ops.noise.levels import Interval, tukey_lambda_variance
from lolblur_synth.video.raw import Raw


@dataclass(frozen=True)
class Calibration:
    """A camera's calibration, in digital numbers."""

    name: str
    first: Raw  # dark frame: what the files tell
    dark: DarkNoise
    darks: int
    flats: int
    white: int  # where samples saturate
    curve: TransferCurve | None  # None: of dark frames alone
    log_gain: Interval
    preset: str | None  # whose shot noise it has
    matrices: tuple[Matrix, ...]
    matrix_source: str
    notes: tuple[str, ...]  # what a person should know

    @property
    def bits(self) -> int:
        """Of the converter, the fewest that hold its white."""
        return next(bits for bits in (10, 12, 14, 16) if self.white < 1 << bits)

    @property
    def black(self) -> int:
        """The black level of all sites."""
        return round(sum(self.dark.black) / 4)

    @property
    def span(self) -> int:
        """Levels from black to white."""
        return self.white - self.black


def describe(found: Calibration) -> dict[str, str]:
    """What a calibration tells, each in a line."""
    levels = zip(found.first.pattern, found.dark.black, strict=True)
    told = {
        "shot noise": _shot(found),
        "read noise": _read(found),
        "row noise": _row(found),
        "black level": ", ".join(f"{letter} {level:.2f}" for letter, level in levels),
        "white level": f"{found.white} ({found.bits} bits)",
        "colours": found.matrix_source or "not known: there is no colour matrix",
    }
    return told | ({"fit": _fit(found.curve)} if found.curve else {})


def _shot(found: Calibration) -> str:
    curve, span = found.curve, found.span
    if curve is None:
        low, high = (math.exp(gain) / span for gain in found.log_gain)
        return f"{low:.3g} to {high:.3g} of white: not measured, but that of the preset {found.preset}"
    return (
        f"{curve.gain / span:.4g} of white, to {curve.gain_error:.2%}: {curve.gain:.4g} an electron, saturation at "
        f"{span / curve.gain:.0f} electrons"
    )


def _read(found: Calibration) -> str:
    noise, read = found.dark, found.dark.read**0.5
    shape = "normal" if noise.tukey_lambda is None else f"Tukey-lambda of shape {noise.tukey_lambda:.3f}"
    return f"{read:.4g}, {read / found.span:.3g} of white (standard deviation), to {noise.read_error:.2%}; {shape}"


def _row(found: Calibration) -> str:
    row = found.dark.row**0.5
    if not row:
        return "none that can be told from read noise"
    return f"{row:.4g}, {row / found.span:.3g} of white (standard deviation), to {found.dark.row_error:.1%}"


def _fit(curve: TransferCurve) -> str:
    return (
        f"{len(curve.light)} bins from {curve.light[0]:.0f} to {curve.light[-1]:.0f} above black, of {curve.blocks} "
        f"blocks, lie {curve.misfit:.1%} (rms) off the line; {curve.clipped:.0%} of all blocks are clipped"
    )


def as_yaml(found: Calibration) -> str:
    """A camera with where each value is from, and how well it is known."""
    frames = f"{found.darks} dark frames" + (f" and {found.flats} flats" if found.flats else "")
    height, width = found.first.samples.shape
    iso = f" at ISO {found.first.iso:g}" if found.first.iso else ""
    camera = shown(found.first.camera) or "a camera that they do not name"
    several = len(found.matrices) > 1
    names = [f"{found.name}-{number}" if several else found.name for number in range(1, len(found.matrices) + 1)]
    lines = [
        f"# By lolblur-synth calibrate, of {frames} of {width}x{height} by {camera}{iso}; in digital numbers.",
        *(f"#   {what}: {value}" for what, value in describe(found).items()),
        *(f"# Mind: {shown(note)}." for note in found.notes),
        "",
        *_matrices(found, names),
        "",
        "cameras:",
        f"  {found.name}:",
        f"    level: {_level(found)}  # logarithms of gain, and of the scales of read and row noise",
        f"    matrices: {'[' + ', '.join(names) + ']' if names else 'null  # name one'}",
        "    gains: null  # those of D65 in its matrix; or ranges: {red: [1.9, 2.4], blue: [1.5, 1.9]}",
        f"    converter: {{bits: {found.bits}, black: {found.black}, white: {found.white}}}",
        f"    tukey_lambda: {_shape(found)}  # by Gini's mean difference of dark frames; null is normal",
        f"    pattern: {found.first.pattern}",
    ]
    return "\n".join(lines) + "\n"


def _matrices(found: Calibration, names: list[str]) -> list[str]:
    if not names:
        return ["matrices: {}"]
    rows = [f"[{', '.join(_list(10000 * value for value in row) for row in matrix)}]" for matrix in found.matrices]
    lines = (f"  {name}: {row}  # {shown(found.matrix_source)}" for name, row in zip(names, rows, strict=True))
    return ["matrices:  # XYZ (D65) -> camera RGB, times 10000", *lines]


def _level(found: Calibration) -> str:
    noise, scale = found.dark, found.dark.read**0.5
    if noise.tukey_lambda is not None:
        scale /= tukey_lambda_variance(noise.tukey_lambda) ** 0.5
    row = _list((0, math.log(noise.row) / 2, 0)) if noise.row else "null"
    return f"{{log_gain: {_list(found.log_gain)}, read: {_list((0, math.log(scale), 0))}, row: {row}}}"


def _shape(found: Calibration) -> str:
    return "null" if found.dark.tukey_lambda is None else f"{found.dark.tukey_lambda:.4f}"


def _list(values: Iterable[float]) -> str:
    return f"[{', '.join(f'{value:.6g}' for value in values)}]"
