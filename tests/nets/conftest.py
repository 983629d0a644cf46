import zlib
from math import prod

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lolblur_synth.nets.ec_zero_dce import ECZeroDCE


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
