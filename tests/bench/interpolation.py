"""How true the sub-frames are: analytic scenes at 2000 fps, of which every eighth frame is kept and the rest rebuilt.

Prints one table of PSNR in dB against the truth: of the sub-frames between source frames (`sub`, their mean, and the
`worst`), and of the blur, which is the average of all, taken in sRGB or in linear light. Frames are not darkened, which
would only raise the numbers. A border of 16 pixels is left out, except in `full` (the sRGB blur).
`python tests/bench/interpolation.py [--case NAME ...] [--photo FILE] [--size HxW]`
"""

import argparse
import math
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path as FilePath

import numpy as np
import skimage.data
import torch
from torch import Tensor

from lolblur_synth.images import read_image
from lolblur_synth.ops.color import srgb_to_linear
from lolblur_synth.ops.interpolate import interpolate
from lolblur_synth.scenes import Cutout, Lamp, Path, Pose, Scene, as_photo, glide, render, shake
from lolblur_synth.threads import ordered_map

FRAMES, FACTOR, BORDER = 9, 8, 16
DENSITY = 1.25


def cases(picture: Tensor) -> dict[str, Callable[[], Scene]]:
    """Scenes of a photograph by name; speeds are per source frame."""

    def photo(camera: Path | None = None, **others) -> Scene:
        return Scene(picture, camera or glide(), DENSITY, **others)

    def held(speed: float, seed: int = 0) -> Scene:
        return photo(shake(np.random.default_rng(seed), speed, FRAMES - 1))

    def crossing(speed: float) -> Scene:
        path = glide(speed * 0.95, speed * 0.3, start=Pose(-4 * speed, -speed))
        disc = Cutout(as_photo(skimage.data.coffee()), 70, path, DENSITY)
        return photo(glide(0.5), cutouts=(disc,))

    def lamps() -> Scene:
        lights = (Lamp(0, 0, 6), Lamp(-200, 100, 3, (3, 3, 8)), Lamp(150, -120, 12, (20, 12, 5)))
        camera = shake(np.random.default_rng(6), 6, FRAMES - 1)
        return Scene(picture * 0.35, camera, DENSITY, lamps=lights)

    shifts = {f"shift {s} px": lambda s=s: photo(glide(0.9 * s, 0.436 * s)) for s in (1, 2, 4, 8)}
    return {
        "still": photo,
        "shake 0.5 px": lambda: held(0.5),
        **shifts,
        "rotation 0.5 deg": lambda: photo(glide(angle=math.radians(0.5))),
        "zoom 1 %": lambda: photo(glide(zoom=1.01)),
        "shake 4 px": lambda: held(4, 1),
        "shake 8 px": lambda: held(8, 2),
        "object 2 px": lambda: crossing(2),
        "object 8 px": lambda: crossing(8),
        "lamps, shake 6 px": lamps,
    }


def psnr(one: Tensor, other: Tensor, border: int = BORDER) -> float:
    """PSNR in dB for a peak of 1; 99 for equal pictures."""
    error = (one - other)[:, border : one.shape[1] - border, border : one.shape[2] - border].double().square().mean()
    return min(99.0, -10 * math.log10(max(float(error), 1e-12)))


@dataclass
class Sums:
    """Running means of pictures, in sRGB and in linear light, and the PSNR of each against its truth."""

    srgb: Tensor | float = 0.0
    linear: Tensor | float = 0.0
    count: int = 0
    scores: list[float] = field(default_factory=list)

    def add(self, frame: Tensor, truth: Tensor | None = None) -> None:
        self.srgb, self.linear = self.srgb + frame, self.linear + srgb_to_linear(frame)
        self.count += 1
        if truth is not None:
            self.scores.append(psnr(frame, truth))

    def blur(self, truth: "Sums", border: int = BORDER) -> tuple[float, float]:
        return (
            psnr(self.srgb / self.count, truth.srgb / truth.count, border),
            psnr(self.linear / self.count, truth.linear / truth.count, border),
        )


def timed(frames: Iterator[Tensor], spent: list[float]) -> Iterator[Tensor]:
    """Pass frames on and add up wall and CPU seconds it took to make them."""
    while True:
        wall, cpu = time.perf_counter(), time.process_time()
        frame = next(frames, None)
        spent[0] += time.perf_counter() - wall
        spent[1] += time.process_time() - cpu
        if frame is None:
            return
        yield frame


def run(name: str, photo: FilePath | None, size: tuple[int, int]) -> str:
    """One line of the table."""
    picture = read_image(photo) if photo else as_photo(skimage.data.stereo_motorcycle()[0])
    scene = cases(picture)[name]()
    source = [render(scene, index, size) for index in range(FRAMES)]
    truth, flow, linear, alone = Sums(), Sums(), Sums(), Sums()
    spent = [0.0, 0.0]
    with ordered_map(1) as each:
        by_flow = timed(interpolate(source, source, FACTOR, "flow", each), spent)
        for index, (moved, blended) in enumerate(
            zip(by_flow, interpolate(source, source, FACTOR, "linear"), strict=True)
        ):
            between = index % FACTOR != 0
            true = render(scene, index / FACTOR, size)
            truth.add(true)
            flow.add(moved, true if between else None)
            linear.add(blended, true if between else None)
            if not between:
                alone.add(true)
    cost = [1000 * seconds / len(flow.scores) for seconds in spent]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    mean = [sum(s.scores) / len(s.scores) for s in (linear, flow)]
    cells = (*alone.blur(truth), mean[0], *linear.blur(truth), mean[1], min(flow.scores), *flow.blur(truth))
    figures = "".join(f"{cell:7.1f}" for cell in (*cells, flow.blur(truth, 0)[0]))
    return f"{name:18s}{figures}{cost[0]:8.0f}{cost[1]:6.0f}{memory:8.0f}"


def main() -> None:
    """Each case in a process of its own, for the sake of its peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(cases(torch.zeros(3, 2, 2)))
    parser.add_argument("--case", nargs="+", default=names, choices=names)
    parser.add_argument("--photo", type=FilePath, help="a detailed photograph; scikit-image's motorcycle by default")
    parser.add_argument("--size", default="640x1120", help="height x width")
    arguments = parser.parse_args()
    size = tuple(int(side) for side in arguments.size.split("x"))
    print(f"{'':18s}{'9 frames alone':>14s}{'linear':>21s}{'flow':>35s}{'flow, ms each':>15s}{'peak':>7s}")
    header = ("srgb", "linear", "sub", "srgb", "linear", "sub", "worst", "srgb", "linear", "full")
    print(f"{'case':18s}" + "".join(f"{name:>7s}" for name in header) + f"{'wall':>8s}{'CPU':>6s}{'MB':>8s}")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for line in pool.map(partial(run, photo=arguments.photo, size=size), arguments.case):
            print(line, flush=True)


if __name__ == "__main__":
    main()
