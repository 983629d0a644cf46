"""Pairs per second of the training loader alone, by workers, with and without decoded pictures, as one table.

Makes a LOL-Blur dataset of 1120x640 PNGs from scikit-image's photographs, dark and with noise, in a temporary folder.
`python tests/bench/loader.py [--pairs N] [--batch N] [--crop N] [--seconds S] [--workers N ...]`
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray

from lolblur_synth.core.devices import cores
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.train.restoration.decoded_cache import decode_all, decoded_bytes
from lolblur_synth.train.restoration.pairs import Pairs, loader
from lolblur_synth.video.images import write_png

SIZE = (1120, 640)
FULL = 10_200  # pairs of LOL-Blur's training split


def photographs() -> list[NDArray[np.uint8]]:
    """Photographs that fill the size of a pair."""
    found = skimage.data.stereo_motorcycle()[0], skimage.data.coffee(), skimage.data.astronaut(), skimage.data.chelsea()
    return [_cover(photograph) for photograph in found]


def _cover(photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    width, height = SIZE
    factor = max(width / photograph.shape[1], height / photograph.shape[0])
    large = cv2.resize(photograph, None, fx=factor + 0.01, fy=factor + 0.01, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large[:height, :width], np.uint8)


def make(root: Path, pairs: int) -> float:
    """Write a training split; returns the megabytes of a pair."""
    rng = np.random.default_rng(0)
    bright = photographs()
    total = 0
    for number in range(pairs):
        light = np.roll(bright[number % len(bright)], 37 * number, axis=1)
        blurred = cv2.blur(light, (9, 3))
        for folder, picture, sigma in (
            ("low_blur_noise", 0.14 * blurred, 0.6),
            ("high_sharp_scaled", 0.9 * light, 0.3),
        ):
            path = root / image_path("train", folder, number // 60, number % 60)
            path.parent.mkdir(parents=True, exist_ok=True)
            noisy = picture + sigma * rng.standard_normal(picture.shape, np.float32)
            write_png(path, noisy.round().clip(0, 255).astype(np.uint8))
            total += path.stat().st_size
    return total / pairs / 1e6


def measure(pairs: Pairs, batch: int, workers: int, seconds: float) -> tuple[float, float]:
    """Seconds to the first batch, and pairs per second after it."""
    start = time.perf_counter()
    stream: Iterator[object] = iter(loader(pairs, batch, workers, torch.device("cpu")))
    next(stream)
    first = time.perf_counter() - start
    for _ in islice(stream, 4 * workers):  # what was read ahead while nobody asked
        pass
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        next(stream)
        done += batch
    return first, done / (time.perf_counter() - start)


def processor_ms(pairs: Pairs, count: int = 40) -> float:
    """Milliseconds of one core that a pair takes, however busy the others are."""
    start = time.process_time()
    for index in range(count):
        pairs[0, index % len(pairs)]
    return 1e3 * (time.process_time() - start) / count


def main() -> None:
    """Make the data, measure each case, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder, "data"), Path(folder, "cache")
        size = make(root, arguments.pairs)
        plain = Pairs(root, crop=arguments.crop)
        start = time.perf_counter()
        cached = Pairs(root, crop=arguments.crop, decode=partial(decode_all, cache))
        took = time.perf_counter() - start
        stored = decoded_bytes(cached.files) / len(cached)
        print(
            f"{len(cached)} pairs of {SIZE[0]}x{SIZE[1]}, {size:.1f} MB each as PNG, {stored / 1e6:.1f} MB decoded "
            f"({FULL * stored / 1e9:.0f} GB for LOL-Blur); decoded in {took:.1f} s; batches of {arguments.batch} crops "
            f"of {arguments.crop}; {cores()} cores"
        )
        print(f"a pair takes {processor_ms(plain):.1f} ms of one core from PNG, {processor_ms(cached):.2f} ms decoded")
        print("workers | PNG: first batch, s | pairs/s | decoded: first batch, s | pairs/s")
        for workers in arguments.workers:
            cells = [measure(pairs, arguments.batch, workers, arguments.seconds) for pairs in (plain, cached)]
            print(" | ".join([f"{workers:7d}", *(f"{first:.2f} | {rate:.1f}" for first, rate in cells)]), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    main()
