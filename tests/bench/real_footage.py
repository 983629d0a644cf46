"""What the integral over a gap costs on footage as it is, and how far it is from the sum over all sub-frames.

`python -m tests.bench.real_footage CLIP ... [--fps F]`, without denoising and darkening: four frames of each clip at
1120x640, as if filmed at this rate. Prints for each the share of tiles in which motions meet, PSNR in dB against the
sum in sRGB values, and CPU milliseconds of motion and of integrals per gap, on one thread.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

import cv2
import torch

from lolblur_synth.core.colorimetry import linear_to_srgb
from lolblur_synth.ops.exposure import average
from lolblur_synth.ops.interpolation.flow import by_flow, see_motion
from lolblur_synth.ops.interpolation.interpolate import Exposure, integrate_exposures, interpolate
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.bench.interpolation import psnr

FACTOR, FRAMES, SIZE = 8, 4, (1120, 640)
TO_LIGHT = Linearization(0.0, 98.0, "linear")


def measure(clip: Path, fps: float) -> str:
    """A line of the table."""
    found = scan(probe(clip, fps))
    start = max(0, (found.frames - FRAMES) // 2)
    frames = list(read_frames(found, start, start + FRAMES, SIZE))
    near, seen, whole = 0.0, 0.0, 0.0
    for _ in range(2):  # at first kernels are compiled
        near, seen, start_time = 0.0, 0.0, time.process_time()
        (light,) = integrate_exposures([Exposure(frames, TO_LIGHT)], frames, FACTOR, by_flow, map, lambda told: None)
        whole = time.process_time() - start_time
        for before, after in pairwise(frames):
            start_time = time.process_time()
            _, motion = see_motion(before, after)
            seen += time.process_time() - start_time
            near += float(motion.near.mean())
    summed = average(map(TO_LIGHT, interpolate(frames, frames, FACTOR, by_flow)))
    one, other = (linear_to_srgb(part.clamp(0, 1)) for part in (light, summed))
    gaps = FRAMES - 1
    cost = f"{1000 * seen / gaps:8.0f}{1000 * (whole - seen) / gaps:10.0f}"
    return f"{clip.name:32s}{100 * near / gaps:12.0f}{psnr(one, other, border=0):10.1f}{cost}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--fps", type=float, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f"{'clip':32s}{'tiles, %':>12s}{'PSNR':>10s}{'motion':>8s}{'integral':>10s}")
    for clip in arguments.clips:
        print(measure(clip, arguments.fps), flush=True)


if __name__ == "__main__":
    main()
