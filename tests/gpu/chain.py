"""The whole chain on an analytic scene: on a device beside plain torch on the CPU; seconds of each step."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.devices import threads_for
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.scenes import render
from lolblur_synth.synthesis.clip import Clip
from lolblur_synth.synthesis.draws import Defocus, Draws
from lolblur_synth.synthesis.pipeline import Pair, Tools, denoised, estimate_noise, synthesize
from lolblur_synth.synthesis.sequences import Metering, Recipe, Shutter, Slot
from tests.gpu.operators import SENSOR, scene
from tests.gpu.rows import Limit, Row, compared, plain

PICTURES = ("high_sharp_original", "high_sharp_scaled", "low_sharp", "low_blur", "low_blur_noise")
LENS = Defocus(1.2, 0.8, 0.5, 1.7)
DRAWS = Draws(0.15, 0.93, 32, 0.3, LENS, 1e-3, 1e-5, noise="bayer", sensor=SENSOR, sharpening=0.3)
SHUTTER, FRAMES, CENTERS = Shutter(8, 8, 32.0), 12, (4, 7)
# Flow samples by splines on a processor and by a cubic convolution elsewhere; a count of electrons may be another.
LIMIT = Limit(1, beyond=1, rms=3e-3)


def clip(size: tuple[int, int], device: torch.device) -> Clip:
    """Frames of a passing thing and a moving camera, with a little noise."""

    def read() -> Iterator[Tensor]:
        for number in range(FRAMES):
            frame = render(scene(), number, size)
            noise = torch.randn(frame.shape, generator=torch.Generator().manual_seed(number))
            yield (frame + noise * (4 / 255)).clamp(0, 1).to(device)

    return Clip(range(FRAMES), frozenset(), read)


def pairs(size: tuple[int, int], device: torch.device, preset: str) -> tuple[list[Pair], dict[str, float]]:
    """The pairs of one sequence, and the seconds of each operator."""
    config = load(Config, [], [f"denoise.preset={preset}"])
    slots = tuple(Slot(number, center) for number, center in enumerate(CENTERS))
    recipe, footage = Recipe("tests", slots, SHUTTER, DRAWS, Metering(0.4, 0.4)), clip(size, device)
    with ordered_map(threads_for(1, device)) as each:
        tools = Tools(load_ec_zero_dce("ec_zero_dce", device)[0], by_flow, OperatorTimer(device), each)
        clean = denoised(footage, estimate_noise(footage.head(6), config.denoise), config.denoise, tools)
        return list(synthesize(clean, recipe, config, tools)), tools.profiler.seconds


def rows(size: tuple[int, int], devices: Sequence[torch.device], preset: str) -> Iterator[Row]:
    """Each of the five pictures, and how long each step took."""
    with plain():
        reference, _ = pairs(size, torch.device("cpu"), preset)
    for device in devices:
        pairs(size, device, preset)  # what is compiled or loaded once is no part of the time
        made, seconds = pairs(size, device, preset)
        for name in PICTURES:
            first, second = ([getattr(pair, name) for pair in stack] for stack in (made, reference))
            yield compared("chain", name, device, first, second, LIMIT)
        told = ", ".join(f"{name} {value / len(made):.2f}" for name, value in seconds.items())
        what = f"seconds a pair of {size[1]}x{size[0]}, 65 sub-frames"
        yield Row("speed", what, device.type, f"{sum(seconds.values()) / len(made):.2f} ({told})")
