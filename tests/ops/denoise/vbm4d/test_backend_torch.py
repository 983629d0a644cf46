"""The two paths of V-BM4D give the same; and both do what their names say.

Where the paths meet the same frames they differ by rounding, a few millionths of the noise. But what they search for is
a discrete choice, and sums in another order now and then prefer the other of two candidates that are as good as equal:
then a volume differs. The whole denoiser hands such a difference on, from pass to pass and through pictures of 8 bits
to the optical flow, so that only the quality of its result can be held to a narrow limit.
"""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

from lolblur_synth.kernels.jit import jit
from lolblur_synth.kernels.simd import store_rows
from lolblur_synth.ops.denoise.vbm4d import backend_cpu, backend_torch, stages, trajectories, transforms, volumes
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    FRACTIONS,
    FRAMES,
    MEMBERS,
    PAD,
    REACH,
    REACHED,
    ROW,
    SIDE,
    TEMPORAL,
    bands,
    dct_matrix,
)
from lolblur_synth.scenes import Cutout, Pose, Scene, as_photo, glide, render, shake

SIGMA = 15.0
VARIANCE = torch.full((3, 64), SIGMA**2)
CLIPS = [(47, 61, 1), (50, 67, 2), (48, 64, 5), (137, 33, 3), (39, 52, 9), (13, 35, 12)]  # height, width, frames
PATHS = ["compiled", "tensors"]


def starts_of(height: int, width: int, step: int) -> Tensor:
    """Where the blocks of a picture start, (N, 2)."""
    return torch.cartesian_prod(*(torch.from_numpy(transforms.grid(side, step)) for side in (height, width)))


@cache
def photo() -> Tensor:
    return as_photo(skimage.data.astronaut())


@cache
def clip(height: int, width: int, frames: int) -> tuple[Tensor, Tensor]:
    """A hand-held camera, and a disc that crosses what it sees: clean and noisy (T, 3, H, W).

    Where pictures are high enough to be cut into bands, the camera falls, so that blocks leave those they may add to.
    """
    start = Pose(-width / 3, -height / 8)
    disc = Cutout(as_photo(skimage.data.coffee()), min(height, width) / 4, glide(width / 11, 1.6, start=start))
    camera = shake(np.random.default_rng(0), 1.5, frames) if len(bands(height)) == 1 else glide(0.4, 11)
    scene = Scene(photo(), camera, cutouts=(disc,))
    clean = 255 * torch.stack([render(scene, t, (height, width)) for t in range(frames)])
    return clean, clean + SIGMA * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))


def denoise(noisy: Tensor, preset: stages.Preset = "best") -> Tensor:
    return torch.stack(list(stages.vbm4d(iter(noisy), VARIANCE, (0, 255), preset)))


def psnr(one: Tensor, other: Tensor) -> float:
    return 10 * math.log10(255**2 / float((one - other).square().mean()))


@pytest.mark.parametrize("which", CLIPS)
def test_each_pass_agrees_on_the_same_frames(which: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch):
    compiled = backend_cpu.work
    differences: dict[stages.Pass, list[Tensor]] = {}

    def both(job, each):
        other = replace(job, sums=[s.clone() for s in job.sums], weights=[w.clone() for w in job.weights])
        compiled(job, each)
        backend_torch.work(other, each)
        pairs = (job.sums, job.weights, other.sums, other.weights)
        sums, weights, total, weight = (torch.stack(list(frames)) for frames in pairs)
        used = weights > 0
        assert torch.equal(used, weight > 0)
        mean = ((sums[used] / weights[used] - total[used] / weight[used]) / SIGMA).abs()
        differences.setdefault(job.settings, []).append(mean.maximum((weight[used] / weights[used] - 1).abs()))

    monkeypatch.setattr(backend_cpu, "work", both)
    for preset in stages.PRESETS:
        denoise(clip(*which)[1], preset)
    assert set(differences) == {settings for passes in stages.PRESETS.values() for settings in passes}
    volume = 3 * transforms.AREA * min(which[2], FRAMES)
    for found in differences.values():
        off = torch.cat(found)
        assert (off > 2e-5).sum() <= off.numel() / 1000 + 2 * volume  # two choices between equals
        assert off.median() < 2e-6


@pytest.mark.parametrize("which", CLIPS)
def test_the_whole_agrees(which: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch):
    clean, noisy = clip(*which)
    one = denoise(noisy)
    monkeypatch.setattr(backend_cpu, "work", backend_torch.work)
    other = denoise(noisy)
    assert psnr(other, clean) == pytest.approx(psnr(one, clean), abs=0.01)
    assert psnr(other, clean) > psnr(noisy, clean) + 4
    assert ((one - other).abs() < 0.05 * SIGMA).float().mean() > 0.99


def test_objects_that_cross_end_volumes():
    _, noisy = clip(39, 52, 9)
    padded = torch.nn.functional.pad(noisy, (PAD, PAD, PAD, PAD), "replicate")
    starts = starts_of(39, 52, 4)
    flows = torch.zeros(2, 9, 10, 13, 2)
    corner = torch.tensor((39 - SIDE, 52 - SIDE))
    _, valid = backend_torch.trace(padded[:, 0], 4, starts, (flows[0], flows[1]), SIGMA**2, stages.HARD, corner)
    assert 0.05 < (~valid).float().mean() < 0.9
    assert valid[:, 4].all()


def test_sums_are_the_same_bits_on_several_threads():
    generator = torch.Generator().manual_seed(0)
    blocks, share = torch.randn(600, 1, 3, 1, 8, 8, generator=generator), torch.rand(600, 1, 3, 1, generator=generator)
    at = torch.randint(0, 9, (600, 1, 1, 2), generator=generator)

    def add(threads: int) -> Tensor:
        totals = torch.zeros(2, 1, 3, 16 + 2 * PAD, 16 + 2 * PAD)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            backend_torch._add(blocks, share, at, (totals[0], totals[1]))
        finally:
            torch.set_num_threads(before)
        return totals

    assert torch.equal(add(1), add(2))
    assert float(add(1)[1].sum()) == pytest.approx(float(share.sum()) * float(transforms.WINDOW.sum()), rel=1e-5)


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch):
    noisy = clip(50, 67, 2)[1]
    monkeypatch.setattr(backend_cpu, "work", backend_torch.work)
    at_once = denoise(noisy)
    monkeypatch.setattr(backend_torch, "BATCH", 1 << 16)
    assert ((denoise(noisy) - at_once).abs() < 1e-3 * SIGMA).float().mean() > 0.98


# Transforms


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_haar_is_the_compiled_one_and_keeps_energy():
    matrix = backend_torch.haar_matrix().numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-6)
    for values in np.eye(8, dtype=np.float32):
        np.testing.assert_allclose(transforms.haar8(tuple(values)), matrix @ values, atol=1e-6)
        np.testing.assert_allclose(transforms.ihaar8(tuple(values)), matrix.T @ values, atol=1e-6)


def test_spatial_spectrum_is_the_compiled_one_and_keeps_energy():
    matrix = backend_torch._tables(torch.device("cpu")).spatial.numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(64), atol=1e-6)
    np.testing.assert_allclose(matrix, np.kron(dct_matrix(8), dct_matrix(8)), atol=1e-7)
    blocks = numbers(64, MEMBERS)
    stack = blocks.flatten()
    transforms.to_spatial_spectrum(stack)
    np.testing.assert_allclose(stack.reshape(blocks.shape), matrix @ blocks, atol=3e-6)
    transforms.from_spatial_spectrum(stack)
    np.testing.assert_allclose(stack, blocks.flatten(), atol=3e-6)


def test_blocks_are_put_side_by_side():
    blocks, stack = numbers(MEMBERS, 64), np.zeros(ROW, np.float32)
    transforms.side_by_side(blocks.flatten(), stack)
    assert np.array_equal(stack.reshape(64, MEMBERS), blocks.T)


@pytest.mark.parametrize("count", range(1, FRAMES + 1))
def test_temporal_transform_keeps_energy(count: int):
    used = TEMPORAL[count]
    np.testing.assert_allclose(used @ used.T, np.diag(np.arange(FRAMES) < count), atol=1e-6)


@jit
def combine_apart(frames: np.ndarray, matrices: np.ndarray, r: int, out: np.ndarray) -> None:
    transforms.combine_frames(frames, volumes._factors(matrices, r), out)


def test_frames_are_combined_as_by_a_matrix():
    frames, one, factors = numbers(FRAMES, ROW), np.zeros(ROW, np.float32), numbers(FRAMES, seed=1)
    transforms.combine_frames(frames, tuple(factors), one)
    np.testing.assert_allclose(one, factors @ frames, atol=1e-5)


def test_each_volume_may_have_a_matrix_of_its_own():
    frames, one = numbers(FRAMES, ROW), np.zeros(ROW, np.float32)
    factors = numbers(FRAMES, FRAMES, MEMBERS, seed=2)
    combine_apart(frames, factors, 3, one)
    expected = np.einsum("tm,tpm->pm", factors[3], frames.reshape(FRAMES, 64, MEMBERS)).flatten()
    np.testing.assert_allclose(one, expected, atol=1e-5)
    spread = frames.copy()
    transforms.spread_over_frames(one, factors[3], 4, spread)
    expected = frames.reshape(FRAMES, 64, MEMBERS) + factors[3][:, None] * one.reshape(64, MEMBERS)
    np.testing.assert_allclose(spread[:4], expected[:4].reshape(4, ROW), atol=1e-5)
    assert np.array_equal(spread[4:], frames[4:])


def test_frames_that_are_not_valid_are_left_out():
    valid = torch.tensor([[True, False, True, True, False], [True] * 5])
    gaps, whole = backend_torch._temporal_matrices(valid).numpy()
    np.testing.assert_allclose(whole, dct_matrix(5), atol=1e-6)
    np.testing.assert_allclose(gaps[:3][:, [0, 2, 3]], dct_matrix(3), atol=1e-6)
    assert not gaps[:, [1, 4]].any()
    assert not gaps[3:].any()


# Samples


@jit
def sample_to(plane: np.ndarray, stride: int, y: float, x: float, scratch: np.ndarray, block: np.ndarray) -> None:
    store_rows(transforms.sample(plane, stride, y, x, scratch), block, 0, SIDE)


def sample(path: str, plane: np.ndarray, at: tuple[float, float], margin: int = 0) -> np.ndarray:
    if path == "tensors":
        return backend_torch.sample(torch.from_numpy(plane)[None], torch.tensor([at]), margin)[0, 0].numpy()
    side = SIDE + 2 * margin
    scratch, block = np.zeros(REACHED * (REACHED + 7), np.float32), np.zeros((side, side), np.float32)
    kernel = transforms.sample_surrounding if margin else sample_to
    kernel(plane.flatten(), plane.shape[1], *np.float32(at), scratch, block)
    return block


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("margin", [0, REACH])
@pytest.mark.parametrize("at", [(0, 0), (3, 5), (7.5, 2), (4, 9.03125), (0.40625, 11.984375), (16, 20), (15.99, 19.9)])
def test_samples_are_those_of_a_windowed_sinc(path: str, margin: int, at: tuple[float, float]):
    plane = numbers(24 + 2 * PAD, 28 + 2 * PAD)
    y, x = (np.floor(np.array(at) * FRACTIONS + 0.5) / FRACTIONS + PAD - margin)[:, None] + np.arange(8 + 2 * margin)

    def kernel(positions: np.ndarray, samples: int) -> np.ndarray:
        away = np.arange(samples) - positions[:, None]
        near = (away > -4) & (away <= 4)
        weight = np.sinc(away) * np.sinc(away / 4) * near
        for row, distance, here in zip(weight, away, near, strict=True):  # the least change that keeps ramps
            moments = np.stack((here, distance * here))
            row += np.linalg.lstsq(moments, (1, 0) - moments @ row)[0]
        return weight

    expected = kernel(y, plane.shape[0]) @ plane @ kernel(x, plane.shape[1]).T
    np.testing.assert_allclose(sample(path, plane, at, margin), expected, atol=3e-6)


@pytest.mark.parametrize("path", PATHS)
def test_whole_positions_are_copied(path: str):
    plane = numbers(24 + 2 * PAD, 28 + 2 * PAD)
    here = slice(PAD + 3, PAD + 3 + SIDE), slice(PAD + 6, PAD + 6 + SIDE)
    assert np.array_equal(sample(path, plane, (3, 6)), plane[here])


@pytest.mark.parametrize("path", PATHS)
def test_flat_planes_are_kept_and_slopes_nearly_so(path: str):
    y, x = np.mgrid[: 24 + 2 * PAD, : 28 + 2 * PAD].astype(np.float32) - PAD
    i, j = np.mgrid[:SIDE, :SIDE]
    for part in range(FRACTIONS):
        at = (3 + part / FRACTIONS, 5 - part / FRACTIONS)
        np.testing.assert_allclose(sample(path, np.ones_like(y), at), 1, atol=1e-6)
        np.testing.assert_allclose(sample(path, y, at), at[0] + i, atol=1e-5)
        np.testing.assert_allclose(sample(path, x, at), at[1] + j, atol=1e-5)
        if part % (FRACTIONS // 2) == 0:
            np.testing.assert_allclose(sample(path, y, at), at[0] + i, atol=1e-5)


# Searches


def trace(
    path: str,
    guide: Tensor,
    reference: int,
    step: int,
    flows: tuple[Tensor, Tensor],
    settings: stages.Pass,
    noise: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Starts (N, 2), places (N, T, 2) and validity (N, T) of the volumes of pictures (T, H, W)."""
    height, width = guide.shape[1:]
    ys, xs = transforms.grid(height, step), transforms.grid(width, step)
    starts = starts_of(height, width, step)
    padded = torch.nn.functional.pad(guide[:, None], (PAD, PAD, PAD, PAD), "replicate")
    bottom, right = height - SIDE, width - SIDE
    if path == "tensors":
        corner = torch.tensor((bottom, right))
        return starts, *backend_torch.trace(padded[:, 0], reference, starts, flows, noise, settings, corner)
    places = torch.zeros(len(ys), len(xs), len(guide), 2)
    valid = torch.zeros(len(ys), len(xs), len(guide), dtype=torch.bool)
    trajectories.trace(
        backend_cpu.planes(padded), padded.shape[-1], reference, ys, xs,
        flows[0].numpy(), flows[1].numpy(), noise, settings.allowed, settings.misfit, settings.wiener,
        bottom, right, places.numpy(), valid.numpy(),
    )  # fmt: skip
    return starts, places.flatten(0, 1), valid.flatten(0, 1)


def steady(shift: tuple[float, float], hint: tuple[float, float], frames: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Pictures (T, 64, 80) of a texture that moves by `shift` (y, x) a frame, and flows that say `hint`."""
    texture = torch.rand(3, 100, 120, generator=torch.Generator().manual_seed(3))
    scene = Scene(texture, glide(-shift[1], -shift[0]), density=0.4)
    pictures = torch.stack([255 * render(scene, t, (64, 80)).mean(0) for t in range(frames)])
    flow = torch.tensor(hint).flip(0).expand(frames, 16, 20, 2).contiguous()
    return pictures, (flow, -flow)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("settings", stages.PRESETS["best"][:2])
@pytest.mark.parametrize("shift", [(2.0, -3.0), (0.0, 0.0)])
def test_whole_shifts_are_found(path: str, settings: stages.Pass, shift: tuple[float, float]):
    pictures, flows = steady(shift, (shift[0] + 0.4, shift[1] - 0.4), 5)
    starts, places, valid = trace(path, pictures, 2, 4, flows, settings, 1.0)
    truth = starts[:, None] + torch.arange(-2, 3)[:, None] * torch.tensor(shift)
    inner = ((truth >= 1) & (truth <= torch.tensor((64 - SIDE - 1, 80 - SIDE - 1)))).all(2)
    assert inner.float().mean() > 0.6
    assert valid[inner].all()
    assert torch.equal(places[inner], truth[inner])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shift", [(0.5, 0.0), (-1.375, 2.71), (0.21, -0.84)])
def test_shifts_by_fractions_are_found(path: str, shift: tuple[float, float]):
    pictures, flows = steady(shift, (shift[0] + 0.3, shift[1] - 0.3), 5)
    starts, places, valid = trace(path, pictures, 2, 4, flows, stages.SINGLE, 1.0)
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
        return backend_torch.find_similar(torch.from_numpy(padded), starts, torch.tensor((height - SIDE, width - SIDE)))
    found = torch.zeros(len(starts), MEMBERS, 2, dtype=torch.int64)
    for (y, x), here in zip(starts.tolist(), found, strict=True):
        trajectories.find_similar(padded.flatten(), padded.shape[1], y, x, height - SIDE, width - SIDE, here.numpy())
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


@pytest.mark.parametrize("settings", stages.PRESETS["best"][:2])
def test_equals_are_followed_alike(settings: stages.Pass):
    flat, flow = torch.full((4, 33, 40), 7.0), torch.zeros(4, 9, 10, 2)
    flow[..., 0] = torch.tensor([0.0, 9.5, -3.5, 2.0, 0.5]).repeat(2)
    one, other = (trace(path, flat, 1, 4, (flow, -flow), settings, 1.0) for path in PATHS)
    assert torch.equal(one[1], other[1])
    assert one[2].all()
    assert other[2].all()
