"""The passes of V-BM4D over a stream of frames, and what a pass has to filter: below both backends and the stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor

from lolblur_synth.kernels.jit import Ints

Preset = Literal["fast", "best"]


@dataclass(frozen=True)
class Pass:
    """One way over the stream: hard thresholding, or Wiener filtering by the result of the pass before."""

    wiener: bool  # else hard thresholding
    step: int  # pixels between reference blocks
    grouped: bool = False  # volumes are filtered together with similar ones, else each by itself
    noise: float = 1.0  # variance in the frames that are matched, as a share of the noise of the footage
    match_tolerance: float = 2.5  # squared difference of blocks of a trajectory, in those that noise makes
    slope_tolerance: float = 0.25  # and in energies of their slopes: they lie between pixels
    threshold_dc: float = 2.1  # hard threshold of the mean over time, in standard deviations
    threshold_ac: float = 3.4  # and of its other frequencies: most of what is there is noise


ALONE = Pass(wiener=False, step=4)
HARD = Pass(wiener=False, step=7, threshold_dc=2.3, threshold_ac=3.0)
SINGLE = Pass(wiener=True, step=6, noise=0.09, match_tolerance=8.0, slope_tolerance=0.15)
GROUPED = Pass(wiener=True, step=5, grouped=True, noise=0.09, match_tolerance=8.0, slope_tolerance=0.15)
PRESETS: dict[Preset, tuple[Pass, ...]] = {"fast": (ALONE,), "best": (HARD, SINGLE, GROUPED)}
REFINEMENTS: dict[Preset, int] = {"fast": 0, "best": 2}  # of optical flow: five take a fifth of `fast` for 0.03 dB


class Frame(NamedTuple):
    """A frame on its way through the passes."""

    noisy: Tensor  # (C, H, W), with a border of PAD
    pilot: Tensor  # the basic estimate: what the pass before made of it
    forward: Tensor  # (h, w, 2): the flow to the next frame, every LATTICE pixels
    backward: Tensor  # and to the one before


@dataclass(frozen=True)
class Job:
    """The volumes of one reference frame, and the running sums in which they are aggregated."""

    window: Sequence[Frame]
    reference: int
    size: tuple[int, int]  # without the border
    grid: tuple[Ints, Ints]  # where the reference blocks start: rows, columns
    settings: Pass
    variance: Tensor  # (C, 64)
    sums: Sequence[Tensor]  # like the frames of the window; with a pilot like the reference frame alone
    weights: Sequence[Tensor]
