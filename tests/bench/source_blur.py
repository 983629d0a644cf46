"""How often the blur of footage itself is seen, and how often it is seen where there is none: scenes of known shutter.

`python tests/bench/source_blur.py [--noise SIGMA]`

Twelve pictures of scikit-image and the two of the demo, panned in three directions at 4 and 8 pixels a frame, 384x288
pixels, one pair of frames each: the hardest case, as footage has more frames, and directions that vary.
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import skimage
import torch
from torch import Tensor

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.exposure import average
from lolblur_synth.ops.optical_flow import dis_flow, grey
from lolblur_synth.ops.source_blur import SourceBlur, exposure_ratio, moving_patches
from lolblur_synth.run.seen_blur import EVIDENCE, RATIO
from lolblur_synth.scenes import Scene, glide, render
from lolblur_synth.video.images import read_image

SIZE = (288, 384)
RATIOS = (0.0, 0.3, 0.5, 0.75, 1.0)
SPEEDS = (4, 8)
PICTURES = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
    "moon.png", "page.png", "rocket.jpg", "text.png",
)  # fmt: skip


def pictures() -> Iterator[Path]:
    """Those that are installed."""
    yield from (path for name in PICTURES if (path := Path(skimage.__file__).parent / "data" / name).is_file())
    yield from sorted(PHOTOS.glob("*.jpg"))


def seen(photo: Tensor, speed: float, angle: float, ratio: float, noise: float) -> SourceBlur | None:
    """What two frames of a pan tell."""
    scene = Scene(photo, glide(speed * math.cos(angle), speed * math.sin(angle)))
    count = max(3, int(1.5 * speed * ratio)) if ratio else 1
    moments = [ratio * ((step + 0.5) / count - 0.5) for step in range(count)]
    generator = torch.Generator().manual_seed(1)

    def shot(t: float) -> Tensor:
        light = average(srgb_to_linear(render(scene, t + moment, SIZE)) for moment in moments)
        return grey((linear_to_srgb(light) + torch.randn(3, *SIZE, generator=generator) * noise / 255).clamp(0, 1))

    frames = shot(0), shot(1)
    return exposure_ratio(moving_patches(frames[0], dis_flow(*frames)))


def main() -> None:
    """Print a line for each speed and ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--noise", type=float, default=2.0, help="standard deviation, of 255")
    noise = parser.parse_args().noise
    photos = [read_image(path) for path in pictures()]
    print("speed  ratio  pans  that tell  seen as blurred  median error")
    for speed in SPEEDS:
        for ratio in RATIOS:
            angles = [math.radians(degrees) for degrees in (0, 50, 90)]
            found = [seen(photo, speed, angle, ratio, noise) for photo in photos for angle in angles]
            told = [one for one in found if one]
            blurred = sum(one.ratio >= RATIO and one.evidence >= EVIDENCE for one in told)
            error = median(abs(one.ratio - ratio) for one in told)
            print(
                f"{speed:5d}  {ratio:5.2f}  {len(found):4d}  {len(told):9d}  {blurred:15d}  {error:12.2f}", flush=True
            )


if __name__ == "__main__":
    main()
