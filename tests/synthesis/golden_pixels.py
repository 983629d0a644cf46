"""Golden pixels: one tiny sequence through the whole method, as `pipeline.VERSION` makes it.

`python -m tests.synthesis.golden_pixels` keeps them anew, which is due whenever VERSION is raised, and never otherwise.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.synthesis.clip import Clip
from lolblur_synth.synthesis.draws import Draws
from lolblur_synth.synthesis.pipeline import VERSION, Tools, denoised, estimate_noise, synthesize
from lolblur_synth.synthesis.sequences import Metering, Recipe, Shutter, Slot

DRAWS = Draws(exposure=0.12, dim=0.93, shutter_ms=24, streak=0.4, defocus=(1.2, 0.8, 0.5, 1.7), shot=6e-4, read=1e-5)
SPAN, SIZE = range(20, 30), (48, 64)


def film() -> Iterator[Tensor]:
    """Stripes, a lamp and grain that pass, 1.5 pixels a frame, below white."""
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    for number in SPAN:
        at = x + 1.5 * number
        plane = 0.45 + 0.2 * torch.sin(at / 3.1) * torch.cos(y / 4.7) + 0.1 * torch.sin((at + 2 * y) / 1.9)
        frame = torch.stack([plane, 0.9 * plane, 1 - plane]).clamp(0, 1)
        frame[:, 12:20, (60 - int(1.5 * (number - SPAN.start))) % 56 :][..., :8] = 1.0
        generator = torch.Generator().manual_seed(number)
        yield (frame + 0.015 * torch.randn(frame.shape, generator=generator)).clamp(0, 1)


def pictures(draws: Draws = DRAWS) -> dict[str, NDArray[np.uint8]]:
    """The five pictures of two pairs, (2, 3, H, W) each."""
    config = load(Config, [], ["denoise.preset=fast"])
    shutter = Shutter(gaps=4, factor=4, milliseconds=16)
    recipe = Recipe("golden", (Slot(0, 22), Slot(1, 27)), shutter, draws, Metering(0.45, 0.45))
    clip = Clip(SPAN, frozenset({26}), film)
    with ordered_map(1) as each:
        tools = Tools(load_ec_zero_dce("ec_zero_dce")[0], by_flow, OperatorTimer(torch.device("cpu")), each)
        clean = denoised(clip, estimate_noise(clip.head(6), config.denoise), config.denoise, tools)
        pairs = list(synthesize(clean, recipe, config, tools))
    names = ("high_sharp_original", "high_sharp_scaled", "low_sharp", "low_blur", "low_blur_noise")
    stacked = {name: torch.stack([getattr(pair, name) for pair in pairs]) for name in names}
    return {name: (255 * images).round().to(torch.uint8).numpy() for name, images in stacked.items()}


def path(version: int = VERSION) -> Path:
    """Where the pixels of a version are kept."""
    return Path(__file__).parents[1] / f"golden/pixels_{version}.npz"


if __name__ == "__main__":
    np.savez_compressed(path(), **pictures())
