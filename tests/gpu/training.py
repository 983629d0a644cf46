"""Steps of training, as `train-lednet` makes them: float32, bfloat16 and compiled, on pairs that are rendered."""

import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState

from lolblur_synth.config.training import RestorationNet, TrainLEDNet
from lolblur_synth.core.devices import memory_used
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.scenes import render
from lolblur_synth.train.engine.callbacks import Callbacks
from lolblur_synth.train.restoration.train import train_lednet
from lolblur_synth.video.images import quantize, write_png
from tests.gpu.operators import scene
from tests.gpu.rows import Row

KINDS: dict[str, dict[str, Any]] = {
    "float32": {"precision": "fp32"},
    "bfloat16": {"precision": "bf16"},
    "float32, compiled": {"precision": "fp32", "compile": True},
    "bfloat16, compiled": {"precision": "bf16", "compile": True},
}


def write_pairs(root: Path, size: tuple[int, int], count: int) -> None:
    """A fifth of the light as the input, the truth beside it."""
    for number in range(count):
        truth = render(scene(), 3.0 * number, size)
        for folder, picture in (("low_blur_noise", truth / 5), ("high_sharp_scaled", truth)):
            path = root / image_path("train", folder, 1, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, quantize(picture))


def rows(device: torch.device, channels: tuple[int, ...], crop: int, steps: int, kinds: list[str]) -> Iterator[Row]:
    """Each kind from the same weights: steps per second of the last half, the loss, and memory on CUDA."""
    with tempfile.TemporaryDirectory() as folder:
        write_pairs(Path(folder, "pairs"), (2 * crop, 2 * crop), 4)
        for kind in kinds:
            what = f"training, {kind}, batch 2 of {crop}x{crop}"
            if "compiled" in kind and not shutil.which("cc"):  # which torch.compile calls, on a processor and on CUDA
                yield Row("training", what, device.type, "not measured: no C compiler here")
                continue
            yield _train(Path(folder), what, device, _settings(device, channels, crop, steps, kind))


def _settings(device: torch.device, channels: tuple[int, ...], crop: int, steps: int, kind: str) -> TrainLEDNet:
    return TrainLEDNet(
        net=RestorationNet(channels=channels), steps=steps, batch=2, crop=crop, perceptual=0.0, validate_every=0,
        save_every=steps, workers=0, device=device.type, learning_rate=1e-3, **KINDS[kind],
    )  # fmt: skip


def _train(folder: Path, what: str, device: torch.device, config: TrainLEDNet) -> Row:
    seen: list[tuple[float, float]] = []

    def on_step(step: int, losses: Mapping[str, float]) -> None:
        seen.append((time.perf_counter(), losses.get("l1", math.nan)))

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    AcceleratorState._reset_state(reset_partial_state=True)  # which takes one device and one precision a process
    try:
        train_lednet(folder / "pairs", folder / "run", config, overwrite=True, callbacks=Callbacks(on_step=on_step))
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    half = len(seen) // 2
    rate = (len(seen) - half) / (seen[-1][0] - seen[half - 1][0])
    losses = [loss for _, loss in seen if not math.isnan(loss)]
    peak = f", {memory_used(device) / 1e6:.0f} MB" if device.type == "cuda" else ""
    measured = f"{rate:.3g} steps/s, L1 {losses[0]:.3f} to {losses[-1]:.3f}{peak}"
    return Row("training", what, device.type, measured, "L1 falls", losses[-1] < losses[0])
