"""Counter-based seeding: the generator of one purpose, keyed by seed, content and purpose."""

import json
from hashlib import blake2b

import numpy as np
import torch


def rng_for(seed: int, *key: str | int) -> np.random.Generator:
    """Random generator of one purpose: the same for the same seed and key, whatever else was drawn, and wherever.

    >>> rng_for(0, "videos/a.mp4", "exposure").uniform() == rng_for(0, "videos/a.mp4", "exposure").uniform()
    True
    """
    digest = blake2b(json.dumps(key).encode(), digest_size=16).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, dtype="<u4").tolist()])


def torch_rng_for(seed: int, *key: str | int) -> torch.Generator:
    """As `rng_for`, for fields drawn by torch; always on the CPU, so that a GPU run draws the same."""
    return torch.Generator().manual_seed(int(rng_for(seed, *key).integers(2**63)))
