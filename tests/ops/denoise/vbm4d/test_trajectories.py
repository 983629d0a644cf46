"""Trajectories and grouping, compiled and in tensors: both find what is there, and the same."""

from functools import cache

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

from lolblur_synth.ops.denoise.vbm4d import (
    backend_cpu,
    passes,
    trajectories,
    trajectories_torch,
    transforms,
)
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    FRACTIONS,
    MEMBERS,
    PAD,
    SIDE,
)
from lolblur_synth.scenes import Scene, as_photo, glide, render

PATHS = ["compiled", "tensors"]


def starts_of(height: int, width: int, step: int) -> Tensor:
    """Where the blocks of a picture start, (N, 2)."""
    return torch.cartesian_prod(*(torch.from_numpy(transforms.grid(side, step)) for side in (height, width)))


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@cache
def photo() -> Tensor:
    return as_photo(skimage.data.astronaut())


def compute_trajectories(
    path: str,
    guide: Tensor,
    reference: int,
    step: int,
    flows: tuple[Tensor, Tensor],
    settings: passes.Pass,
    noise: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Starts (N, 2), places (N, T, 2) and validity (N, T) of the volumes of pictures (T, H, W)."""
    height, width = guide.shape[1:]
    ys, xs = transforms.grid(height, step), transforms.grid(width, step)
    starts = starts_of(height, width, step)
    padded = torch.nn.functional.pad(guide[:, None], (PAD, PAD, PAD, PAD), "replicate")
    bottom, right = height - SIDE, width - SIDE
    if path == "tensors":
        found = trajectories_torch.compute_trajectories(padded[:, 0], reference, starts, flows, noise, settings)
        return starts, found.places, found.valid
    followed = trajectories.nothing_followed(len(ys), len(xs), len(guide))
    trajectories.compute_trajectories(
        backend_cpu.planes(padded), padded.shape[-1], reference, ys, xs,
        flows[0].numpy(), flows[1].numpy(), noise, settings.match_tolerance, settings.slope_tolerance, settings.wiener,
        bottom, right, followed,
    )  # fmt: skip
    places, valid = (torch.from_numpy(array).flatten(0, 1) for array in (followed.places, followed.valid))
    return starts, places, valid


def steady(shift: tuple[float, float], hint: tuple[float, float], frames: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Pictures (T, 64, 80) of a texture that moves by `shift` (y, x) a frame, and flows that say `hint`."""
    texture = torch.rand(3, 100, 120, generator=torch.Generator().manual_seed(3))
    scene = Scene(texture, glide(-shift[1], -shift[0]), density=0.4)
    pictures = torch.stack([255 * render(scene, t, (64, 80)).mean(0) for t in range(frames)])
    flow = torch.tensor(hint).flip(0).expand(frames, 16, 20, 2).contiguous()
    return pictures, (flow, -flow)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("settings", passes.PRESETS["best"][:2])
@pytest.mark.parametrize("shift", [(2.0, -3.0), (0.0, 0.0)])
def test_whole_shifts_are_found(path: str, settings: passes.Pass, shift: tuple[float, float]):
    pictures, flows = steady(shift, (shift[0] + 0.4, shift[1] - 0.4), 5)
    starts, places, valid = compute_trajectories(path, pictures, 2, 4, flows, settings, 1.0)
    truth = starts[:, None] + torch.arange(-2, 3)[:, None] * torch.tensor(shift)
    inner = ((truth >= 1) & (truth <= torch.tensor((64 - SIDE - 1, 80 - SIDE - 1)))).all(2)
    assert inner.float().mean() > 0.6
    assert valid[inner].all()
    assert torch.equal(places[inner], truth[inner])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shift", [(0.5, 0.0), (-1.375, 2.71), (0.21, -0.84)])
def test_shifts_by_fractions_are_found(path: str, shift: tuple[float, float]):
    pictures, flows = steady(shift, (shift[0] + 0.3, shift[1] - 0.3), 5)
    starts, places, valid = compute_trajectories(path, pictures, 2, 4, flows, passes.SINGLE, 1.0)
    truth = starts[:, None] + torch.arange(-2, 3)[:, None] * torch.tensor(shift)
    inner = ((truth >= 1) & (truth <= torch.tensor((64 - SIDE - 1, 80 - SIDE - 1)))).all(2)
    off = (places - truth)[inner].abs()
    assert valid[inner].float().mean() > 0.99
    assert off.max() < 0.1
    assert off.median() <= 1 / FRACTIONS


def similar(path: str, plane: np.ndarray, starts: Tensor) -> Tensor:
    height, width = plane.shape
    padded = np.pad(plane, PAD, "edge")
    if path == "tensors":
        return trajectories_torch.group_similar(torch.from_numpy(padded), starts)
    found = torch.zeros(len(starts), MEMBERS, 2, dtype=torch.int64)
    for (y, x), here in zip(starts.tolist(), found, strict=True):
        trajectories.group_similar(padded.flatten(), padded.shape[1], y, x, height - SIDE, width - SIDE, here.numpy())
    return found


@pytest.mark.parametrize("path", PATHS)
def test_copies_are_found(path: str):
    """A pattern that repeats every second row and every fourth column: within reach of (3, 1) are just seven copies."""
    plane = np.tile(numbers(2, 4), (12, 12))
    found = similar(path, plane, torch.tensor([[3, 1]]))[0]
    assert found.tolist() == [[3, 1], [1, 1], [1, 5], [3, 5], [5, 1], [5, 5], [7, 1], [7, 5]]


def test_the_same_are_found_in_the_same_order():
    plane = 255 * render(Scene(photo()), 0, (57, 71)).mean(0).numpy()
    plane = plane + 5 * numbers(57, 71)
    starts = starts_of(57, 71, 6)
    one, other = similar("compiled", plane, starts), similar("tensors", plane, starts)
    assert (one == other).float().mean() > 0.998  # but for what rounding makes of two that are as good as equal


def test_equals_are_found_in_the_same_order():
    starts = starts_of(31, 40, 6)
    flat = np.full((31, 40), 7, np.float32)
    assert torch.equal(similar("compiled", flat, starts), similar("tensors", flat, starts))


@pytest.mark.parametrize("settings", passes.PRESETS["best"][:2])
def test_equals_are_followed_alike(settings: passes.Pass):
    flat, flow = torch.full((4, 33, 40), 7.0), torch.zeros(4, 9, 10, 2)
    flow[..., 0] = torch.tensor([0.0, 9.5, -3.5, 2.0, 0.5]).repeat(2)
    one, other = (compute_trajectories(path, flat, 1, 4, (flow, -flow), settings, 1.0) for path in PATHS)
    assert torch.equal(one[1], other[1])
    assert one[2].all()
    assert other[2].all()
