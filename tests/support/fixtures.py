"""Fixtures of several wings."""

import zlib
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.video.images import write_png


@pytest.fixture(scope="session")
def released_state() -> dict[str, Tensor]:
    """Every weight of the released network's shape, from a generator seeded with its key."""

    def make(key: str, shape: tuple[int, ...]) -> Tensor:
        uniform = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).random(prod(shape)) * 2 - 1
        scale = np.sqrt(3 / prod(shape[1:])) if len(shape) > 1 else 0.05
        return torch.from_numpy((uniform * scale).astype(np.float32).reshape(shape))

    with torch.device("meta"):
        net = ECZeroDCE()
    return {key: make(key, tuple(value.shape)) for key, value in net.state_dict().items()}


@pytest.fixture
def no_other(monkeypatch):
    """Fail where torch's own layer is taken instead of ours."""

    def forward(*_: object) -> Tensor:
        raise AssertionError("torch's layer was asked")

    for layer in (nn.Conv2d, nn.PReLU):
        monkeypatch.setattr(layer, "forward", forward)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Five small pictures with a lamp each, in a folder and one below it."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(5):
        coarse = rng.integers(40, 200, size=(9, 12, 3), dtype=np.uint8)
        pixels = np.kron(coarse, np.ones((10, 10, 1), np.uint8))  # 90 x 120
        pixels[20:30, 50:60] = 255
        write_png(folder / ("more" if number == 4 else "") / f"{number}.png", pixels)
    return folder
