"""Trainings of LEDNet that take a second."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lolblur_synth.config.training import RestorationNet, TrainLEDNet
from lolblur_synth.dataset.layout import Split, image_path
from lolblur_synth.video.images import write_png

OnStep = Callable[[int, Mapping[str, float]], None]


def write_split(root: Path, split: Split, count: int, size: tuple[int, int] = (40, 48)) -> None:
    """Pairs of coloured squares, and the same at a fifth of their brightness."""
    rng = np.random.default_rng(len(split))
    for number in range(count):
        squares = rng.integers(60, 255, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
        light = np.kron(squares, np.ones((8, 8, 1), np.uint8))
        for folder, pixels in (("low_blur_noise", light // 5), ("high_sharp_scaled", light)):
            path = root / image_path(split, folder, 1, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, pixels)


def write_dataset(root: Path) -> Path:
    """Five pairs to train on and three to test by."""
    write_split(root, "train", 5)
    write_split(root, "test", 3)
    return root


def tiny(**changes: object) -> TrainLEDNet:
    values: dict[str, object] = {
        "net": RestorationNet(channels=(4, 4, 4, 4)), "steps": 4, "batch": 2, "crop": 32, "perceptual": 0.0,
        "learning_rate": 1e-3, "validate_every": 2, "save_every": 2, "samples": 2, "workers": 0, "device": "cpu",
        **changes,
    }  # fmt: skip
    return TrainLEDNet(**values)  # type: ignore[arg-type]


def interrupt_at(step: int, number: int = signal.SIGINT) -> OnStep:
    def on_step(done: int, losses: Mapping[str, float]) -> None:
        if done == step:
            os.kill(os.getpid(), number)

    return on_step


def checkpoint(out: Path) -> dict[str, object]:
    return torch.load(out / "last.pt", weights_only=True)


def board(out: Path) -> EventAccumulator:
    found = EventAccumulator(str(out / "tensorboard"))
    found.Reload()
    return found
