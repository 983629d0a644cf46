"""Packing against copying the same files, and the trainer's loader on shards against PNG, as tables.

Makes a dataset of 1120x640 pictures in a temporary folder. Rounds are interleaved, as the disk has moods; each waits
until the disk has what it wrote. `python -m tests.bench.pack [--pairs N] [--rounds N] [--seconds S]`
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from lolblur_synth.config.loading import load_config
from lolblur_synth.core.files import flush
from lolblur_synth.dataset.layout import FOLDERS, image_path
from lolblur_synth.dataset.packs.pack import pack
from lolblur_synth.dataset.packs.plan import Options
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.train.restoration.pairs import Pairs
from lolblur_synth.video.images import encode_png
from tests.bench.loader import measure, photographs, processor_ms
from tests.support.staged import record

_KINDS = "webdataset", "lmdb", "parquet"


def make(root: Path, pairs: int) -> float:
    """Write a training split with records; returns its size in MB."""
    root.mkdir()
    write_settings(root, load_config())
    rng = np.random.default_rng(0)
    light = photographs()
    encoded = []
    for number in range(8):  # each picture of the others is one of them
        noisy = 0.2 * light[number % 4] + 0.6 * rng.standard_normal(light[0].shape, np.float32)
        encoded.append(bytes(encode_png(noisy.round().clip(0, 255).astype(np.uint8))))
    (root / "records").mkdir()
    for video in range(-(-pairs // 30)):
        numbers = tuple(range(1, 1 + min(30, pairs - 30 * video)))
        made: SequenceRecord = record(video, numbers=numbers)
        (root / "records" / f"{made.id}.json").write_text(made.model_dump_json())
        for number in numbers:
            for place, folder in enumerate(FOLDERS):
                path = root / image_path("train", folder, video, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded[(number + place) % len(encoded)])
    return sum(path.stat().st_size for path in root.glob("train/*/*/*")) / 1e6


def copy(source: Path, target: Path) -> None:
    """Copy the pictures, as `cp -r` does."""
    shutil.copytree(source / "train", target / "train", copy_function=shutil.copyfile)
    flush(target.glob("train/*/*/*"))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of processors."""
    os.sync()
    start, before = time.perf_counter(), os.times()
    work()
    os.sync()
    after = os.times()
    return time.perf_counter() - start, after.user + after.system - before.user - before.system


def main() -> None:
    """Make the data, measure in rounds, print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "data"), Path(folder, "out")
        size = make(root, arguments.pairs)
        print(f"{arguments.pairs} pairs, {size:.0f} MB")
        works: dict[str, Callable[[], object]] = {"copy": lambda: copy(root, out)}
        for kind in _KINDS:
            works[kind] = lambda kind=kind: pack(root, out, Options(kind))
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        for _ in range(arguments.rounds):
            for name, work in works.items():
                took[name].append(timed(work))
                shutil.rmtree(out)
        print("what | MB/s, best | of copying | seconds of processors")
        best = {name: min(taken) for name, taken in took.items()}
        for name, (seconds, processors) in best.items():
            print(f"{name} | {size / seconds:.0f} | {best['copy'][0] / seconds:.2f} | {processors:.1f}")
        pack(root, out, Options("webdataset"))
        print("pairs from | ms of one core | pairs/s without workers, each round")
        for _ in range(arguments.rounds):
            for name, data in (("PNG", root), ("shards", out)):
                pairs = Pairs(data)
                print(
                    f"{name} | {processor_ms(pairs):.1f} | {measure(pairs, 4, 0, arguments.seconds)[1]:.1f}", flush=True
                )


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    main()
