"""How true the sub-frames are: analytic scenes at 2000 fps, of which every eighth frame is kept and the rest rebuilt.

Prints one table, a line per scene and backend. PSNR in dB against the truth: of the sub-frames between source frames
(`sub`, their mean, and the `worst`), and of the blur, which is the average of all, taken in sRGB or in linear light;
`block` is the worst of its 64x64 blocks in sRGB, where an edge that was torn cannot hide in a large picture. A border
of 16 pixels is left out, except in `full` (the sRGB blur). `lost` is the largest share of a gap's picture, in %, whose
motion cannot be trusted. Time is per sub-frame, on `--threads` threads; `peak` is the memory of the whole process, or
of the tensors on CUDA. `alone` averages the source frames as they are. A second table holds what `auto` takes on the
device against the best.

Frames are not darkened, but for `dark`: there they are moved at exposure 0.05 and brightened again to be compared.
Noise stays in what is moved, but for `denoised`: there it is measured and removed first, as in the pipeline.
Lamps that cross are brightened beyond clipping, as the pipeline does, before they are averaged. Rows of RIFE need its
weights in the cache (`lolblur-synth weights pull rife-v4.0`, with `--ncnn` for those of ncnn). `flow, integral` adds
up the blur without sub-frames, as the pipeline does.

By default the scenes that matter most, and RIFE v4.0 where motion is large; with `--all` every scene and every backend.
`python tests/bench/interpolation.py [--all] [--case NAME ...] [--backend NAME ...] [--photo FILE] [--size HxW]`
"""

import argparse
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path as FilePath

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.core.devices import memory_used
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.nets.weights.catalogue import entry
from lolblur_synth.nets.weights.ncnn import BIN, ncnn_folder
from lolblur_synth.ops.denoise.denoise import denoise, find_noise
from lolblur_synth.ops.interpolation.backends import choose_backend, open_interpolator
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import Exposure, Interpolator, integrate_exposures, interpolate
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.ops.motion import GapNote
from lolblur_synth.ops.unclip import unclip
from lolblur_synth.scenes import Cutout, Fence, Lamp, Path, Pose, Scene, as_photo, glide, render, shake
from lolblur_synth.video.images import read_image

GAPS, FACTOR, BORDER, BLOCK = 4, 8, 16, 64
AROUND = 2
MIDDLE = 4  # source frame in the middle of the exposure: there, objects that cross are near the middle of the picture
DENSITY = 1.25
STREAK = 60 / 255
RIFE = ("rife-v4.0", "rife-v4.25")
INTEGRAL = "flow, integral"
BACKENDS = ("alone", "linear", "flow", INTEGRAL, *RIFE, *(f"{name}-ncnn" for name in RIFE))
FIRST_OF_ALL = (
    *("shake 0.5 px", "shake 8 px", "rotation 0.5 deg", "zoom 1 %", "object 2 px", "object 8 px", "object 20 px"),
    *("object 60 px", "wires 3 px", "wires 8 px", "lamp 20 px, streak", "object 8 px, noise 8"),
    *("object 8 px, noise 8, denoised", "object 8 px, dark"),
)
LARGE = ("object 8 px", "object 20 px", "object 60 px", "wires 8 px", "object 8 px, dark")


@dataclass(frozen=True)
class Case:
    """A scene, and what happens to its frames before they are interpolated and afterwards."""

    scene: Scene
    noise: float = 0  # sigma, of 255, of the frames that are given
    denoised: bool = False  # and the noise is removed, of a stream that begins and ends AROUND frames farther away
    dark: bool = False  # what is moved has an exposure of 0.05, and is brightened again afterwards
    streaks: bool = False  # clipped lights are brightened before the average


def cases(picture: Tensor) -> dict[str, Callable[[], Case]]:
    """Scenes of a photograph by name; speeds are per source frame."""

    def photo(camera: Path | None = None, **others) -> Scene:
        return Scene(picture, camera or glide(), DENSITY, **others)

    def held(speed: float, seed: int = 0) -> Scene:
        return photo(shake(np.random.default_rng(seed), speed, 2 * MIDDLE))

    def across(speed: float) -> Path:
        return glide(speed * 0.95, speed * 0.3, start=Pose(-4 * speed, -speed))

    def crossing(speed: float, radius: float = 70) -> Scene:
        return photo(glide(0.5), cutouts=(Cutout(as_photo(skimage.data.coffee()), radius, across(speed), DENSITY),))

    def fenced(speed: float) -> Scene:
        path = glide(0.9 * speed, -0.3 * speed, 0.002, start=Pose(angle=0.6))
        return photo(glide(-0.5, 0.2), fences=(Fence(70, 2.5, path),))

    def lamps() -> Scene:
        lights = (Lamp(0, 0, 6), Lamp(-200, 100, 3, (3, 3, 8)), Lamp(150, -120, 12, (20, 12, 5)))
        camera = shake(np.random.default_rng(6), 6, 2 * MIDDLE)
        return Scene(picture * 0.35, camera, DENSITY, lamps=lights)

    def headlight(speed: float) -> Scene:
        light = Lamp(0, 0, 9, (20, 18, 14), path=across(speed))
        return Scene(picture * 0.35, glide(0.5), DENSITY, lamps=(light,))

    plain = {
        "still": photo,
        "shake 0.5 px": lambda: held(0.5),
        **{f"shift {s} px": lambda s=s: photo(glide(0.9 * s, 0.436 * s)) for s in (1, 2, 4, 8)},
        "rotation 0.5 deg": lambda: photo(glide(angle=math.radians(0.5))),
        "zoom 1 %": lambda: photo(glide(zoom=1.01)),
        "shake 4 px": lambda: held(4, 1),
        "shake 8 px": lambda: held(8, 2),
        **{f"object {s} px": lambda s=s: crossing(s) for s in (2, 8, 20, 60)},
        "ball 40 px": lambda: crossing(40, 18),
        **{f"wires {s} px": lambda s=s: fenced(s) for s in (3, 8)},
        "lamps, shake 6 px": lamps,
    }
    return {name: lambda make=make: Case(make()) for name, make in plain.items()} | {
        "lamp 8 px, streak": lambda: Case(headlight(8), streaks=True),
        "lamp 20 px, streak": lambda: Case(headlight(20), streaks=True),
        "shake 4 px, noise 8": lambda: Case(held(4, 1), noise=8),
        "object 8 px, noise 8": lambda: Case(crossing(8), noise=8),
        "object 8 px, noise 8, denoised": lambda: Case(crossing(8), noise=8, denoised=True),
        "object 8 px, dark": lambda: Case(crossing(8), dark=True),
        "shake 8 px, dark": lambda: Case(held(8, 2), dark=True),
    }


def psnr(one: Tensor, other: Tensor, border: int = BORDER) -> float:
    """PSNR in dB for a peak of 1; 99 for equal pictures."""
    error = (one - other)[:, border : one.shape[1] - border, border : one.shape[2] - border].double().square().mean()
    return min(-10 * math.log10(max(float(error), 1e-12)), 99.0)


def worst_block(one: Tensor, other: Tensor) -> float:
    """The lowest PSNR of any block."""
    inside = (one - other)[:, BORDER:-BORDER, BORDER:-BORDER].square().mean(0, keepdim=True)
    side = min(BLOCK, *inside.shape[1:])
    error = F.avg_pool2d(inside[None], side, side // 2).max()
    return min(-10 * math.log10(max(float(error), 1e-12)), 99.0)


@dataclass
class Sums:
    """Running means of pictures, in sRGB and in linear light, and the PSNR of each against its truth."""

    streaks: bool = False
    srgb: Tensor | float = 0.0
    linear: Tensor | float = 0.0
    count: int = 0
    scores: list[float] = field(default_factory=list)

    def add(self, frame: Tensor, truth: Tensor | None = None) -> None:
        lit = unclip(frame, STREAK, 98) if self.streaks else frame
        self.srgb, self.linear = self.srgb + lit, self.linear + srgb_to_linear(lit)
        self.count += 1
        if truth is not None:
            self.scores.append(psnr(frame, truth))

    def blur(self) -> tuple[Tensor, Tensor]:
        return (self.srgb / self.count).clamp(0, 1), (self.linear / self.count).clamp(0, 1)


def make_truth(name: str, photo: FilePath | None, size: tuple[int, int], folder: str) -> None:
    """Render a scene at 2000 fps into a folder."""
    picture = read_image(photo) if photo else as_photo(skimage.data.stereo_motorcycle()[0])
    case = cases(picture)[name]()
    scene, more = case.scene, AROUND if case.denoised else 0
    beyond = [*range(-more, 0), *range(GAPS + 1, GAPS + 1 + more)]
    for index in [*range(GAPS * FACTOR + 1), *(FACTOR * frame for frame in beyond)]:
        np.save(f"{folder}/{index}.npy", render(scene, MIDDLE - GAPS / 2 + index / FACTOR, size).numpy())


def truth_of(folder: str, index: int) -> Tensor:
    return torch.from_numpy(np.load(f"{folder}/{index}.npy"))


def timed(frames: Iterator[Tensor], spent: list[float]) -> Iterator[Tensor]:
    """Pass frames on to the CPU and add up wall and CPU seconds it took to make them."""
    while True:
        wall, cpu = time.perf_counter(), time.process_time()
        frame = next(frames, None)
        made = None if frame is None else frame.cpu()
        spent[0] += time.perf_counter() - wall
        spent[1] += time.process_time() - cpu
        if made is None:
            return
        yield made


def is_here(backend: str) -> bool:
    """Whether a row can be made: RIFE needs weights."""
    if not backend.startswith("rife"):
        return True
    name = backend.removesuffix("-ncnn")
    return (ncnn_folder(name) / BIN).is_file() if name != backend else entry(name).path.is_file()


def ready(backend: str, device: torch.device, threads: int):
    """The interpolator of a row."""
    if backend == "alone":
        return nullcontext((None, None))
    if backend == INTEGRAL:
        return nullcontext((by_flow, None))
    name = backend.removesuffix("-ncnn")
    kind = backend if not backend.startswith("rife") else "rife" if name == backend else "rife-ncnn"
    return open_interpolator(kind, name, device, threads, print, vulkan=device.type == "cuda")


def rebuild(
    by: Interpolator | None, frames: list[Tensor], guides: list[Tensor], each: Map, shares: list[float]
) -> Iterator[Tensor]:
    return (
        interpolate(frames, guides, FACTOR, by, each, lambda told: shares.append(told.inconsistency))
        if by
        else iter(frames)
    )


def score(backend: str, name: str, folder: str, device: torch.device, threads: int) -> tuple[str, str, str, float]:
    """A scene, a backend, their line of the table, and the PSNR of the blur in sRGB."""
    case = cases(torch.zeros(3, 2, 2))[name]()
    generator = torch.Generator().manual_seed(0)
    more = AROUND if case.denoised else 0
    guides = [truth_of(folder, FACTOR * index) for index in range(-more, GAPS + 1 + more)]
    guides = [g + torch.randn(g.shape, generator=generator) * (case.noise / 255) if case.noise else g for g in guides]
    if case.denoised:
        with torch.inference_mode(), ordered_map(threads) as each:
            guides = list(denoise(guides, find_noise(guides, None)[0], each=each))[more:-more]
    gain = 0.0055 / float(srgb_to_linear(guides[0]).mean())  # to L* = 5
    frames = [linear_to_srgb(srgb_to_linear(g.clamp(min=0)) * gain) for g in guides] if case.dark else guides
    guides, frames = ([frame.to(device) for frame in stack] for stack in (guides, frames))
    truth, sums, spent, shares = Sums(case.streaks), Sums(case.streaks), [0.0, 0.0], list[float]()
    for index in range(GAPS * FACTOR + 1):
        truth.add(truth_of(folder, index))
    if backend == INTEGRAL:
        return integral_score(name, frames, guides, truth, gain if case.dark else 1, threads)
    with torch.inference_mode(), ordered_map(threads) as each, ready(backend, device, threads) as (by, _):
        list(rebuild(by, frames[:2], guides[:2], each, []))  # what is compiled or loaded once is no part of the time
        step = FACTOR if backend == "alone" else 1
        for index, made in enumerate(timed(rebuild(by, frames, guides, each, shares), spent)):
            frame = linear_to_srgb(srgb_to_linear(made) / gain) if case.dark else made
            sums.add(frame, None if index * step % FACTOR == 0 else truth_of(folder, index))
    return line_of(name, backend, sums.blur(), truth.blur(), sums.scores or [math.nan], shares, spent, device)


def integral_score(
    name: str, frames: list[Tensor], guides: list[Tensor], truth: Sums, gain: float, threads: int
) -> tuple[str, str, str, float]:
    """The line of the exposure without sub-frames, as the pipeline makes it."""
    boost, blurs, notes, spent = STREAK if truth.streaks else 0, [], list[GapNote](), [0.0, 0.0]
    with torch.inference_mode(), ordered_map(threads) as each:
        for space in ("srgb", "linear"):
            to_light = Linearization(boost, 98, space)
            integrate_exposures([Exposure(frames[:2], to_light)], guides[:2], FACTOR, by_flow, each, notes.append)
            notes.clear()
            wall, cpu = time.perf_counter(), time.process_time()
            exposures = [Exposure(frames, to_light)]
            (light,) = integrate_exposures(exposures, guides, FACTOR, by_flow, each, notes.append)
            spent = [time.perf_counter() - wall, time.process_time() - cpu]
            blurs.append((light if space == "srgb" else light / gain).clamp(0, 1))
    none = [math.nan] * (GAPS * (FACTOR - 1))
    if gain != 1:  # the mean of what is dark does not tell that of what is bright
        blurs[0] = torch.full_like(blurs[0], math.nan)
    shares = [note.inconsistency for note in notes]
    return line_of(name, INTEGRAL, (blurs[0], blurs[1]), truth.blur(), none, shares, spent, torch.device("cpu"))


def line_of(name, backend, blur, true, scores, shares, spent, device) -> tuple[str, str, str, float]:
    """A line of the table."""
    (srgb, linear), (true_srgb, true_linear) = blur, true
    found = psnr(srgb, true_srgb)
    cells = (sum(scores) / len(scores), min(scores), found, psnr(linear, true_linear))
    worst = max(shares, default=math.nan)
    cells = (*cells, worst_block(srgb, true_srgb), psnr(srgb, true_srgb, 0), 100 * worst)
    cost = [1000 * seconds / len(scores) for seconds in spent]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10 if device.type == "cpu" else memory_used(device)
    figures = "".join(f"{cell:8.1f}" for cell in cells)
    return name, backend, f"{name:32s}{backend:16s}{figures}{cost[0]:8.0f}{cost[1]:8.0f}{memory / 2**20:8.0f}", found


def compare(blurs: dict[tuple[str, str], float], taken: str) -> None:
    """Print what `auto` takes against the best of each scene."""
    print(f"\n{'scene, srgb':32s}{'auto: ' + taken:>16s}{'best':>8s}{'behind':>8s}  best is")
    for scene in dict.fromkeys(name for name, _ in blurs):
        rows = {backend: blur for (name, backend), blur in blurs.items() if name == scene and backend != "alone"}
        if taken in rows:
            best = max(rows, key=rows.__getitem__)
            print(f"{scene:32s}{rows[taken]:16.1f}{rows[best]:8.1f}{rows[best] - rows[taken]:8.1f}  {best}")


def main() -> None:
    """Each scene is rendered once; each line is computed in a process of its own, for the sake of its peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(cases(torch.zeros(3, 2, 2)))
    parser.add_argument("--all", action="store_true", help="every scene by every backend whose weights are here")
    parser.add_argument("--case", nargs="+", choices=names)
    parser.add_argument("--backend", nargs="+", choices=BACKENDS)
    parser.add_argument("--photo", type=FilePath, help="a detailed photograph; scikit-image's motorcycle by default")
    parser.add_argument("--size", default="640x1120", help="height x width")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments = parser.parse_args()
    size = tuple(int(side) for side in arguments.size.split("x"))
    device = torch.device(arguments.device)

    def rows(name: str) -> list[str]:
        some = BACKENDS[: 5 if name in LARGE else 4]
        wanted = arguments.backend or (BACKENDS if arguments.all or arguments.case else some)
        return [backend for backend in wanted if is_here(backend)]

    print("not here, for want of weights:", ", ".join(b for b in BACKENDS if not is_here(b)) or "none")
    header = ("sub", "worst", "srgb", "linear", "block", "full", "lost %", "ms", "CPU ms", "peak MB")
    print(f"{'scene':32s}{'backend':16s}" + "".join(f"{name:>8s}" for name in header), flush=True)
    blurs: dict[tuple[str, str], float] = {}
    context = multiprocessing.get_context("forkserver")  # which imports torch once
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for name in arguments.case or (names if arguments.all else FIRST_OF_ALL):
            with tempfile.TemporaryDirectory() as folder:
                pool.submit(make_truth, name, arguments.photo, size, folder).result()
                row = partial(score, name=name, folder=folder, device=device, threads=arguments.threads)
                for scene, backend, line, blur in pool.map(row, rows(name)):
                    print(line, flush=True)
                    blurs[scene, backend] = blur
    chosen = choose_backend("auto", RIFE[0], device).backend
    compare(blurs, RIFE[0] if chosen == "rife" else chosen)


if __name__ == "__main__":
    main()
