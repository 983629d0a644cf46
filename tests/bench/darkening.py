"""What EC-Zero-DCE does to photographs: `python tests/bench/darkening.py [FOLDER] [--weights FILE] [--video FILE]`.

Every number is measured on the 8-bit picture as it would be written, at the size of the data set (a long side of 1120
at most), over unsaturated pixels (input lightness up to 0.97). `asked` is min(E, mean input); `patches` is the mean
over 16x16 patches of min(E, patch mean); `off` and `off p.` are the distances from these. Without a folder: the colour
photographs of scikit-image that the bundled weights were not trained on.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.darken import SATURATED, darken
from lolblur_synth.video.images import dequantize, is_picture, quantize, read_pixels

EXPOSURES = (0.05, 0.1, 0.2, 0.3)
HEADER = f"{'picture':32}     E   mean  asked patches    off off p.  lights   rank"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--weights", default="ec_zero_dce")
    parser.add_argument("--video", type=Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    net, digest = load_ec_zero_dce(options.weights)
    print(f"weights {options.weights} sha256 {digest}\n{HEADER}")
    rows = [row for name, frame in photographs(options.folder) for row in measure(name, frame, net)]
    summarize(rows)
    for video in options.video:
        for exposure in EXPOSURES:
            every, unsaturated = flicker(video, net, exposure)
            print(f"flicker {video.name} E {exposure}: all pixels {every:.2%}, unsaturated {unsaturated:.2%}")
    print(f"1120x640: {seconds(net):.3f} s a frame on {options.threads} threads")


def photographs(folder: Path | None) -> Iterator[tuple[str, Tensor]]:
    """Every picture of a folder, (3, H, W), reduced to a long side of 1120 at most."""
    if folder is None:
        yield "motorcycle", dequantize(skimage.data.stereo_motorcycle()[0])
        yield "hubble_deep_field", dequantize(skimage.data.hubble_deep_field())
        return
    for path in sorted(filter(is_picture, folder.iterdir())):
        pixels = read_pixels(path)
        factor = 1120 / max(pixels.shape[:2])
        if factor < 1:
            pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        yield path.stem, dequantize(pixels)


def written(frame: Tensor, exposure: float, net: ECZeroDCE) -> Tensor:
    """The darkened picture after rounding to 8 bits."""
    return dequantize(quantize(darken(frame, exposure, net)))


def measure(name: str, frame: Tensor, net: ECZeroDCE) -> Iterator[tuple[float, ...]]:
    """Print and yield one row per exposure."""
    before = lightness(frame)
    dim = before <= SATURATED
    mean = float(before[dim].mean())
    for exposure in EXPOSURES:
        after = lightness(written(frame, exposure, net))
        made, asked, patches = float(after[dim].mean()), min(exposure, mean), patch_target(before, exposure)
        lights = float((after - before)[~dim].abs().max()) if bool((~dim).any()) else 0.0
        rank = float(spearmanr(before[dim].numpy(), after[dim].numpy()).statistic)
        row = (exposure, made, asked, patches, made - asked, made - patches, lights, rank)
        print(f"{name[:32]:32} {exposure:5} {made:6.3f} {asked:6.3f} {patches:7.3f} "
              f"{row[4]:+6.3f} {row[5]:+6.3f} {lights:7.4f} {rank:6.3f}")  # fmt: skip
        yield row


def patch_target(before: Tensor, exposure: float) -> float:
    """Mean over 16x16 patches of min(exposure, mean of the patch's unsaturated pixels), weighted by their number."""
    dim = (before <= SATURATED).float()
    share = F.avg_pool2d(dim[None], 16)
    means = F.avg_pool2d((before * dim)[None], 16) / share.clamp(min=1e-6)
    return float((means.clamp(max=exposure) * share).sum() / share.sum())


def summarize(rows: list[tuple[float, ...]]) -> None:
    """Print the worst and the mean of each exposure."""
    for exposure in EXPOSURES:
        chosen = np.array([row for row in rows if row[0] == exposure])
        off, off_patches = np.abs(chosen[:, 4]), np.abs(chosen[:, 5])
        print(
            f"E {exposure}: off mean {off.mean():.3f} worst {off.max():.3f}, within 0.03 {np.mean(off <= 0.03):.0%}; "
            f"patches mean {off_patches.mean():.3f} worst {off_patches.max():.3f}, "
            f"within 0.03 {np.mean(off_patches <= 0.03):.0%}; "
            f"lights worst {chosen[:, 6].max():.4f}; rank mean {chosen[:, 7].mean():.3f} worst {chosen[:, 7].min():.3f}"
        )


def flicker(video: Path, net: ECZeroDCE, exposure: float, frames: int = 60) -> tuple[float, float]:
    """Largest relative change from frame to frame beyond the input's, of all pixels' mean and of the unsaturated."""
    reader = cv2.VideoCapture(str(video))
    before, after, unsaturated = [], [], []
    while len(before) < frames and (read := reader.read())[0]:
        pixels = np.ascontiguousarray(read[1][..., ::-1])
        factor = min(1, 1120 / pixels.shape[1])
        frame = dequantize(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
        given, made = lightness(frame), lightness(darken(frame, exposure, net))
        before.append(float(given.mean()))
        after.append(float(made.mean()))
        unsaturated.append(float(made[given <= SATURATED].mean()))
    steps = [np.abs(np.diff(means)) / np.array(means)[:-1] for means in (before, after, unsaturated)]
    return float(np.max(steps[1] - steps[0])), float(np.max(steps[2] - steps[0]))


def seconds(net: ECZeroDCE, runs: int = 7) -> float:
    """Median seconds to darken one 1120x640 frame."""
    frame = torch.rand(3, 640, 1120, generator=torch.Generator().manual_seed(0))
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        darken(frame, 0.1, net)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
