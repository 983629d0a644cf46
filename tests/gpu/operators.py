"""Every operator on a device beside plain torch on the CPU, in float64 where it can."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import skimage.data
import torch
from torch import Tensor

from lolblur_synth.mosaic.demosaic import demosaic, mosaic
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.darken import darken, light_weight, mean_lightness
from lolblur_synth.ops.deflicker import deflicker
from lolblur_synth.ops.defocus import defocus, generalized_gaussian
from lolblur_synth.ops.denoise.anscombe import stabilize, unstabilize
from lolblur_synth.ops.denoise.denoise import denoise, find_noise
from lolblur_synth.ops.denoise.noise_model import white_noise
from lolblur_synth.ops.dim import dim
from lolblur_synth.ops.exposure import average, expose
from lolblur_synth.ops.highlights import add_highlights, clip_highlights, highlights
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import by_blending, ignore, interpolate
from lolblur_synth.ops.isp import Jpeg, compress, sharpen
from lolblur_synth.ops.lightness import lightness
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.ops.motion import coarse_flow, motion_blur
from lolblur_synth.ops.noise.bayer import capture, develop, to_raw
from lolblur_synth.ops.noise.camera import Converter, Sensor
from lolblur_synth.ops.noise.poisson import poisson
from lolblur_synth.ops.noise.shot_read import add_noise
from lolblur_synth.ops.optical_flow import estimate_flow, flow_inconsistency, pixel_grid, sample, sample_torch
from lolblur_synth.ops.response import response_curve
from lolblur_synth.scenes import Cutout, Lamp, Pose, Scene, as_photo, glide, render
from lolblur_synth.synthesis.exposure import Exposed, expose_window
from lolblur_synth.synthesis.sequences import Shutter
from tests.gpu.rows import Limit, Row, compared, plain

COLOR = ((0.8, 0.15, 0.05), (0.1, 0.7, 0.2), (0.05, 0.25, 0.7))
SENSOR = Sensor("tests", "GRBG", COLOR, 2.1, 1.7, 1e-6, -0.1, Converter(14, 512), "menon")
ROUNDING = Limit(1e-5)


def scene(speed: float = 2.0) -> Scene:
    """A photograph in front of which something passes, with two lamps."""
    disc = Cutout(as_photo(skimage.data.coffee()), 24, glide(3 * speed, speed, start=Pose(-20, 0)))
    lamps = (Lamp(0, 0, 5), Lamp(-40, 20, 3, (3, 3, 8)))
    return Scene(as_photo(skimage.data.stereo_motorcycle()[0]) * 0.8, glide(speed, 0.4), 1, (disc,), lamps=lamps)


@dataclass(frozen=True)
class Inputs:
    """What operators are given: frames (T, 3, H, W), sRGB, a field of normal numbers, noisy frames, the network."""

    frames: Tensor
    normal: Tensor
    noisy: Tensor
    net: ECZeroDCE

    @property
    def frame(self) -> Tensor:
        return self.frames[0]

    def to(self, device: torch.device, dtype: torch.dtype) -> "Inputs":
        moved = [copy.deepcopy(getattr(self, field.name)).to(device, dtype) for field in fields(self)]
        return Inputs(*moved)


def inputs(size: tuple[int, int], count: int = 5) -> Inputs:
    frames = torch.stack([render(scene(), t, size) for t in range(count)])
    generator = torch.Generator().manual_seed(0)
    normal, grain = (torch.randn(shape, generator=generator) for shape in (frames[0].shape, frames.shape))
    return Inputs(frames, normal, frames + grain * (8 / 255), load_ec_zero_dce("ec_zero_dce")[0])


@dataclass(frozen=True)
class Operator:
    run: Callable[[Inputs], Tensor]
    limit: Limit = ROUNDING
    double: bool = True  # takes float64; else the reference is plain torch in float32
    reference: Callable[[Inputs], Tensor] | None = None  # where another path is asked for than a device chooses


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def _raw(x: Inputs) -> Tensor:
    return mosaic(x.frame, "GRBG")


def _wave(x: Inputs) -> Tensor:
    """A motion that is known: of some pixels, smooth."""
    grid = pixel_grid(x.frame).to(x.frame)
    return torch.stack((3 * torch.sin(grid[1] / 17), 2 * torch.cos(grid[0] / 23)))


def _sampled(by: Callable[[Tensor, Tensor, Any], Tensor]) -> Callable[[Inputs], Tensor]:
    return lambda x: by(x.frame.contiguous(), (pixel_grid(x.frame).to(x.frame) + _wave(x)).contiguous(), "bicubic")


def _motion(x: Inputs) -> Tensor:
    told = motion_blur([coarse_flow(_wave(x), -_wave(x))] * 4)
    assert told is not None
    assert told.direction is not None
    return torch.tensor([told.mean, told.p95, told.direction, told.concentration, told.straightness])


def _inconsistency(x: Inputs) -> Tensor:
    before, after = x.frames[:2]
    return torch.tensor(flow_inconsistency(before, after, *estimate_flow(before, after)))


def _noise_level(x: Inputs) -> Tensor:
    return torch.tensor(find_noise(x.noisy, None)[0].sigma / 255)


def _sub_frames(by: Any) -> Callable[[Inputs], Tensor]:
    return lambda x: torch.stack(list(interpolate(list(x.frames[:3]), list(x.frames[:3]), 4, by)))


def _denoised(preset: Any) -> Callable[[Inputs], Tensor]:
    return lambda x: torch.stack(list(denoise(list(x.noisy), white_noise(8), "vbm4d", preset)))


def _stabilized(x: Inputs) -> Tensor:
    a = x.frame.new_tensor(0.01)
    return unstabilize(stabilize(x.frame, a, a * a), a, a * a)


def _exposed(x: Inputs) -> Tensor:
    """As the pipeline exposes: an integral on the CPU, sub-frame by sub-frame elsewhere and in the reference."""
    frames = list(x.frames[:5])
    wanted = [Exposed(frames, Linearization(0.2, 98.0, "linear"), 33)]
    return expose_window(wanted, frames, Shutter(4, 8, 16.0), by_flow, map, ignore)[0]


def _linear(*arguments: Any) -> Callable[[Inputs], Tensor]:
    return lambda x: Linearization(*arguments)(x.frame)


TABLE = ((0.0, 0.0), (0.1, 0.4), (0.5, 0.8), (1.0, 1.0))
FEW = Limit(1e-5, beyond=1e-3)  # at a threshold
OPERATORS: dict[str, Operator] = {
    "lightness": Operator(lambda x: lightness(x.frame)),
    "mean lightness": Operator(lambda x: torch.tensor(mean_lightness(x.frame))),
    "deflicker": Operator(lambda x: deflicker(x.frame, x.frame.new_tensor([0.8, 1.1, 0.9]), x.frame[0])),
    "dim": Operator(lambda x: dim(x.frame, 0.9)),
    "weight of lights": Operator(lambda x: light_weight(lightness(x.frame)[None], 0.1), Limit(1e-4)),
    "darken": Operator(lambda x: darken(x.frame, 0.1, x.net), Limit(2e-3)),
    "highlights": Operator(lambda x: add_highlights(clip_highlights(1.5 * x.frame), highlights(1.5 * x.frame))),
    "linearization, reverse clipping": Operator(_linear(0.25, 98.0, "linear"), FEW),
    "linearization, none": Operator(_linear(0.0, 100.0, "linear")),
    "average": Operator(lambda x: average(x.frames)),
    "exposure under a rolling shutter": Operator(lambda x: expose(x.frames, len(x.frames), 3, 1.5)),
    "defocus": Operator(lambda x: defocus(x.frame, generalized_gaussian(2, 1, 0.5, 1.5))),
    "response, gamma": Operator(lambda x: response_curve("gamma2.2")(x.frame)),
    "response, table": Operator(lambda x: response_curve(TABLE)(x.frame)),
    "sharpening": Operator(lambda x: sharpen(x.frame, 0.5, 1.2)),
    "JPEG": Operator(lambda x: compress(x.frame, Jpeg(90, "4:2:0")), Limit(1e-5, beyond=0.02), double=False),
    "noise, linear": Operator(lambda x: add_noise(x.frame, 1e-3, 1e-4, x.normal), Limit(1e-4)),
    "Poisson counts": Operator(lambda x: poisson(100 * x.frame, x.normal), Limit(1e-3, beyond=1e-3)),
    "mosaic, to raw light": Operator(lambda x: to_raw(x.frame, SENSOR)),
    "mosaic, noise": Operator(
        lambda x: capture(to_raw(x.frame, SENSOR), _generator(), 1e-3, 1e-5, SENSOR), Limit(1e-5, beyond=5e-3)
    ),
    "mosaic, development": Operator(lambda x: develop(_raw(x), SENSOR), Limit(1e-4, beyond=2e-3)),
    "demosaicing, bilinear": Operator(lambda x: demosaic(_raw(x), "GRBG", "bilinear")),
    "demosaicing, Malvar": Operator(lambda x: demosaic(_raw(x), "GRBG", "malvar")),
    "demosaicing, Menon": Operator(lambda x: demosaic(_raw(x), "GRBG", "menon"), Limit(1e-5, beyond=2e-3)),
    "Anscombe and back": Operator(_stabilized),
    "sampling, bicubic": Operator(_sampled(sample), Limit(1e-4), reference=_sampled(sample_torch)),
    "motion in numbers": Operator(_motion, Limit(1e-4, relative=True), double=False),
    "flow inconsistency": Operator(_inconsistency, Limit(1e-3), double=False),
    "noise estimation": Operator(_noise_level, Limit(1e-4), double=False),
    "sub-frames by blending": Operator(_sub_frames(by_blending), double=False),
    "sub-frames by flow": Operator(_sub_frames(by_flow), Limit(1, beyond=1, rms=2e-3), double=False),
    "exposure of a window": Operator(_exposed, Limit(1, beyond=1, rms=2e-3), double=False),
    "denoiser, fast": Operator(_denoised("fast"), Limit(1, beyond=1, rms=1e-4), double=False),
    "denoiser, best": Operator(_denoised("best"), Limit(1, beyond=1, rms=1e-4), double=False),
}


def rows(size: tuple[int, int], devices: Sequence[torch.device]) -> Iterator[Row]:
    """Each operator on each device."""
    given = inputs(size)
    for name, operator in OPERATORS.items():
        with plain(), torch.inference_mode():
            dtype = torch.float64 if operator.double else torch.float32
            reference = (operator.reference or operator.run)(given.to(torch.device("cpu"), dtype))
        for device in devices:
            with torch.inference_mode():
                made = operator.run(given.to(device, torch.float32))
            yield compared("operator", name, device, [made], [reference], operator.limit)
