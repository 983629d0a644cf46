"""How well and how fast footage is denoised: V-BM4D beside the BM4D package, on clips whose truth is known.

Clips are photographs under hand-shake of half a pixel a frame, and discs that cross them, 9 frames of 280x160 in RGB,
with white noise added to sRGB values. PSNR in dB over all frames, SSIM by scikit-image. `python tests/bench/denoise.py
[--part NAME ...]`; all parts take about ten minutes on two cores, most of it BM4D's.
"""

import argparse
import math
import multiprocessing
import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import skimage.data
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from lolblur_synth.core.colorimetry import OPPONENT
from lolblur_synth.core.devices import cores
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.ops.denoise.denoise import denoise
from lolblur_synth.ops.denoise.estimate import estimate_noise
from lolblur_synth.ops.denoise.noise_model import white_noise
from lolblur_synth.ops.denoise.vbm4d.passes import PRESETS
from lolblur_synth.scenes import Cutout, Pose, Scene, as_photo, glide, render, shake

FRAMES, SIZE, DENSITY, RADIUS = 9, (160, 280), 1.25, 40
PHOTOS: dict[str, Callable[[], np.ndarray]] = {
    "motorcycle": lambda: skimage.data.stereo_motorcycle()[0],
    "coffee": skimage.data.coffee,
    "astronaut": skimage.data.astronaut,
    "cat": skimage.data.chelsea,
}
SHAKES = ("motorcycle", "coffee", "astronaut")
CROSSINGS = {"motorcycle": ("coffee", 4.0), "cat": ("coffee", 8.0)}  # what crosses, and its pixels a frame
SIGMAS = (5, 10, 20)
STEPS = ((6, 6, 5), (6, 6, 6), (7, 7, 5))


def shaken(name: str, size: tuple[int, int] = SIZE, frames: int = FRAMES) -> Tensor:
    """A photograph in a hand that moves by up to half a pixel a frame, (T, 3, H, W)."""
    scene = Scene(as_photo(PHOTOS[name]()), shake(np.random.default_rng(3), 0.5, FRAMES - 1), DENSITY)
    return torch.stack([render(scene, t, size) for t in range(frames)])


def crossed(name: str) -> Tensor:
    """A disc of one photograph that crosses another."""
    other, speed = CROSSINGS[name]
    path = glide(speed * 0.95, speed * 0.3, start=Pose(-4 * speed, -speed))
    disc = Cutout(as_photo(PHOTOS[other]()), RADIUS, path, DENSITY)
    scene = Scene(as_photo(PHOTOS[name]()), glide(0.3, 0.1), DENSITY, cutouts=(disc,))
    return torch.stack([render(scene, t, SIZE) for t in range(FRAMES)])


def clips() -> dict[str, Tensor]:
    """The clips of the comparison by name."""
    return {f"{name}, shake": shaken(name) for name in SHAKES} | {
        f"{name}, crossed": crossed(name) for name in CROSSINGS
    }


def with_noise(clean: Tensor, sigma: float, seed: int = 0) -> Tensor:
    """White noise of a standard deviation, of 255, on sRGB values; not clipped."""
    return clean + sigma / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def psnr(one: Tensor, other: Tensor) -> float:
    """PSNR in dB for a peak of 1."""
    return -10 * math.log10(float((one - other).double().square().mean()))


def ssim(one: Tensor, other: Tensor) -> float:
    """Mean SSIM of the frames."""
    pairs = zip(one.numpy(), other.numpy(), strict=True)
    return float(np.mean([structural_similarity(a, b, channel_axis=0, data_range=1) for a, b in pairs]))


def ours(noisy: Tensor, sigma: float | None, preset: str) -> tuple[Tensor, float]:
    """Through V-BM4D; a sigma of None is found out. Returns the frames and the seconds it took."""
    with ordered_map(cores()) as each, torch.inference_mode():
        start = time.perf_counter()
        noise = estimate_noise(list(noisy)) if sigma is None else white_noise(sigma)
        clean = torch.stack(list(denoise(list(noisy), noise, "vbm4d", preset, each=each)))
        return clean, time.perf_counter() - start


def theirs(noisy: Tensor, sigma: float, hard_only: bool = False, as_shipped: bool = False) -> tuple[Tensor, float]:
    """The BM4D package, profile `np`, on opponent channels. `as_shipped` without telling it that the noise is white."""
    from bm4d import BM4DProfile, BM4DStages, bm4d

    profile = BM4DProfile()
    profile.num_threads = cores()
    if not as_shipped:
        profile.nf = (0, 0, 0)
    stages = BM4DStages.HARD_THRESHOLDING if hard_only else BM4DStages.ALL_STAGES
    start = time.perf_counter()
    volumes = torch.einsum("ij,tjhw->ihwt", OPPONENT, noisy)
    clean = [torch.from_numpy(bm4d(volume.numpy(), sigma / 255, profile, stages)).float() for volume in volumes]
    return torch.einsum("ij,ihwt->tjhw", OPPONENT, torch.stack(clean)), time.perf_counter() - start


def by_frame(noisy: Tensor, sigma: float) -> Tensor:
    """The package's profile for pictures, frame by frame: BM3D."""
    from bm4d import BM4DProfile2D, bm4d

    profile = BM4DProfile2D()
    profile.num_threads, profile.nf = cores(), (0, 0, 0)
    volumes = torch.einsum("ij,tjhw->tihw", OPPONENT, noisy)
    clean = [[bm4d(plane[..., None].numpy(), sigma / 255, profile)[..., 0] for plane in frame] for frame in volumes]
    return torch.einsum("ij,tihw->tjhw", OPPONENT, torch.from_numpy(np.array(clean)).float())


def compare() -> None:
    """PSNR, SSIM and time beside the package's."""
    warm_up()
    clean = shaken("motorcycle")
    noisy = with_noise(clean, 10)
    voxels = clean.numel()
    shipped, seconds = theirs(noisy, 10, as_shipped=True)
    told, quicker = theirs(noisy, 10)
    print(f"bm4d `np`, both stages, as shipped: {1e6 * seconds / voxels:.1f} us a voxel, {psnr(shipped, clean):.2f} dB")
    print(f"bm4d told that noise is white:      {1e6 * quicker / voxels:.1f} us a voxel, {psnr(told, clean):.2f} dB")
    print("PSNR / SSIM; bm4d told that noise is white; speed against bm4d as shipped\n")
    print(
        f"{'clip':22s}{'sigma':>6s}{'hard':>7s}{'bm4d':>14s}{'fast':>14s}{'best':>14s}{'fast-hard':>11s}{'best-bm4d':>11s}",
        end="",
    )
    print(f"{'fast us':>9s}{'x':>6s}{'best us':>9s}{'x':>6s}")
    for name, clean in clips().items():
        for sigma in SIGMAS:
            noisy = with_noise(clean, sigma)
            hard, both = theirs(noisy, sigma, hard_only=True)[0], theirs(noisy, sigma)[0]
            (fast, fast_s), (best, best_s) = ours(noisy, sigma, "fast"), ours(noisy, sigma, "best")
            gains = [psnr(fast, clean) - psnr(hard, clean), psnr(best, clean) - psnr(both, clean)]
            scores = "".join(f"{psnr(out, clean):8.2f} {ssim(out, clean):.3f}" for out in (both, fast, best))
            times = "".join(f"{1e6 * s / voxels:9.3f}{seconds / s:6.0f}" for s in (fast_s, best_s))
            print(
                f"{name:22s}{sigma:6d}{psnr(hard, clean):7.2f}{scores}{gains[0]:+11.2f}{gains[1]:+11.2f}{times}",
                flush=True,
            )


def warm_up() -> None:
    """Load what was compiled."""
    for preset in ("fast", "best"):
        ours(with_noise(torch.full((2, 3, 32, 32), 0.5), 5), 5, preset)


def full_size() -> None:
    """One RGB frame of 1120x640, and that time and memory do not grow with the length of a clip."""
    for preset in ("fast", "best"):
        for frames in (24, 48):
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, context) as pool:
                seconds, peak = pool.submit(_full_size, preset, frames).result()
            print(f"1120x640 RGB, {preset}, {frames} frames: {seconds:.2f} s a frame, peak {peak:.2f} GiB", flush=True)


def _full_size(preset: str, frames: int) -> tuple[float, float]:
    warm_up()
    scene = Scene(as_photo(skimage.data.stereo_motorcycle()[0]), shake(np.random.default_rng(3), 2, frames), 0.6)
    generator = torch.Generator().manual_seed(0)

    def film(t: int) -> Tensor:
        frame = render(scene, t, (640, 1120))
        return frame + 10 / 255 * torch.randn(frame.shape, generator=generator)

    with ordered_map(cores()) as each, torch.inference_mode():
        spent = 0.0
        clean = denoise((film(t) for t in range(frames)), white_noise(10), "vbm4d", preset, each=each)
        rendering = _cost(film)
        start = time.perf_counter()
        count = sum(1 for _ in clean)
        spent = time.perf_counter() - start - rendering * count
    return spent / count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _cost(film: Callable[[int], Tensor]) -> float:
    start = time.perf_counter()
    for t in range(3):
        film(t)
    return (time.perf_counter() - start) / 3


def grids() -> None:
    """What coarser grids of reference blocks save of `best`, and cost: pixels from block to block in its passes."""
    warm_up()
    usual, spent = PRESETS["best"], Counter[str]()
    kinds = {"as it is": tuple(each.step for each in usual)} | {" ".join(map(str, steps)): steps for steps in STEPS}
    print(f"{'sigma':>6s} {'steps':>10s}{'dB':>8s}{'less':>8s}{'CPU':>7s}, of that of `as it is`; means of all clips")
    for sigma in SIGMAS:
        found = {kind: list[float]() for kind in kinds}
        for clean in clips().values():
            noisy = with_noise(clean, sigma)
            for kind, steps in kinds.items():
                PRESETS["best"] = tuple(replace(each, step=step) for each, step in zip(usual, steps, strict=True))
                with ordered_map(1) as each_frame, torch.inference_mode():
                    start = time.process_time()
                    out = torch.stack(list(denoise(list(noisy), white_noise(sigma), "vbm4d", "best", each=each_frame)))
                    spent[kind] += time.process_time() - start
                found[kind].append(psnr(out, clean))
        for kind in kinds:
            score, usual_score = np.mean(found[kind]), np.mean(found["as it is"])
            share = spent[kind] / spent["as it is"]
            print(f"{sigma:6d} {kind:>10s}{score:8.2f}{usual_score - score:8.3f}{share:7.2f}", flush=True)
    PRESETS["best"] = usual


def blind() -> None:
    """Noise that has to be found out first."""
    print(f"{'clip':22s}{'sigma':>6s}{'found':>8s}{'told':>8s}{'blind':>8s}")
    for name, clean in clips().items():
        for sigma in SIGMAS:
            noisy = with_noise(clean, sigma)
            found = estimate_noise(list(noisy)).sigma
            told, auto = psnr(ours(noisy, sigma, "best")[0], clean), psnr(ours(noisy, None, "best")[0], clean)
            print(f"{name:22s}{sigma:6d}{found:8.2f}{told:8.2f}{auto:8.2f}", flush=True)
    print("\nwhite noise on a Bayer mosaic, demosaicked; `white`: told the true standard deviation, not the spectrum")
    print(f"{'clip':22s}{'sigma':>6s}{'true':>8s}{'found':>8s}{'white':>8s}{'blind':>8s}")
    for name in SHAKES:
        for sigma in SIGMAS:
            clean, noisy = mosaic(shaken(name, (320, 480)), sigma)
            true = 255 * float((noisy - clean).square().mean().sqrt())
            found = estimate_noise(list(noisy)).sigma
            white, auto = psnr(ours(noisy, true, "best")[0], clean), psnr(ours(noisy, None, "best")[0], clean)
            print(f"{name:22s}{sigma:6d}{true:8.2f}{found:8.2f}{white:8.2f}{auto:8.2f}", flush=True)


def mosaic(clean: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Frames seen through a Bayer mosaic, without and with white noise on it, demosaicked bilinearly by OpenCV."""

    def through(frame: Tensor, seed: int | None) -> Tensor:
        raw = frame[1].clone()
        raw[0::2, 0::2], raw[1::2, 1::2] = frame[0, 0::2, 0::2], frame[2, 1::2, 1::2]
        if seed is not None:
            raw = raw + sigma / 255 * torch.randn(raw.shape, generator=torch.Generator().manual_seed(seed))
        codes = (raw.clamp(0, 1) * 65535).round().numpy().astype(np.uint16)
        return torch.from_numpy(cv2.demosaicing(codes, cv2.COLOR_BayerRGGB2RGB) / np.float32(65535)).permute(2, 0, 1)

    frames = list(clean)
    return (
        torch.stack([through(frame, None) for frame in frames]),
        torch.stack([through(frame, seed) for seed, frame in enumerate(frames)]),
    )


def ghosts() -> None:
    """Within 16 pixels of the rim of a disc that crosses, beside a denoiser that sees single frames."""
    print(f"{'clip':22s}{'sigma':>6s}{'BM3D':>8s}{'bm4d':>8s}{'fast':>8s}{'best':>8s}")
    y, x = torch.meshgrid(*(torch.arange(side) - (side - 1) / 2 for side in SIZE), indexing="ij")
    for name, (_, speed) in CROSSINGS.items():
        centers = [(speed * 0.95 * t - 4 * speed, speed * 0.3 * t - speed) for t in range(FRAMES)]
        band = torch.stack([(torch.hypot(x - cx, y - cy) - RADIUS).abs() < 16 for cx, cy in centers])
        clean = crossed(name)
        for sigma in SIGMAS:
            noisy = with_noise(clean, sigma)
            outs = (
                by_frame(noisy, sigma),
                theirs(noisy, sigma)[0],
                *(ours(noisy, sigma, p)[0] for p in ("fast", "best")),
            )
            scores = [psnr(out.transpose(0, 1)[:, band], clean.transpose(0, 1)[:, band]) for out in outs]
            print(f"{name + ', rim':22s}{sigma:6d}" + "".join(f"{score:8.2f}" for score in scores), flush=True)


def still() -> None:
    """What time alone gives, where nothing moves: on texture that is noise itself, and on photographs."""
    texture = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(1))
    photos = {name: render(Scene(as_photo(PHOTOS[name]()), glide(), DENSITY), 0, SIZE) for name in SHAKES}
    print(f"{'picture':22s}{'frames':>7s}{'sigma':>6s}{'ideal dB':>10s}{'fast dB':>9s}{'best dB':>9s}")
    for name, picture in {"random texture": texture, **photos}.items():
        for frames in (4, 9):
            clean = picture.expand(frames, -1, -1, -1)
            for sigma in (5, 20):
                noisy = with_noise(clean, sigma)
                before = psnr(noisy, clean)
                gains = [psnr(ours(noisy, sigma, preset)[0], clean) - before for preset in ("fast", "best")]
                print(
                    f"{name:22s}{frames:7d}{sigma:6d}{10 * math.log10(frames):10.2f}{gains[0]:9.2f}{gains[1]:9.2f}",
                    flush=True,
                )


def main() -> None:
    """Run the parts that are asked for."""
    every = compare, grids, full_size, blind, ghosts, still
    parts = {part.__name__: part for part in every}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=parts, default=list(parts))
    for part in parser.parse_args().part:
        print(f"\n{part}: {parts[part].__doc__}\n", flush=True)
        parts[part]()


if __name__ == "__main__":
    main()
