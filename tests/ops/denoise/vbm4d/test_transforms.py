"""Transforms and samples of blocks, compiled and in tensors."""

import numpy as np
import pytest
import torch

from lolblur_synth.kernels.jit import jit
from lolblur_synth.kernels.simd import store_rows
from lolblur_synth.ops.denoise.vbm4d import trajectories_torch, transforms, volumes
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
    dct_matrix,
)

PATHS = ["compiled", "tensors"]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_haar_is_the_compiled_one_and_keeps_energy():
    matrix = trajectories_torch.haar_matrix().numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(8), atol=1e-6)
    for values in np.eye(8, dtype=np.float32):
        np.testing.assert_allclose(transforms.haar8(tuple(values)), matrix @ values, atol=1e-6)
        np.testing.assert_allclose(transforms.ihaar8(tuple(values)), matrix.T @ values, atol=1e-6)


def test_the_spatial_dct_is_the_compiled_one_and_keeps_energy():
    matrix = trajectories_torch.device_tables(torch.device("cpu")).spatial.numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(64), atol=1e-6)
    np.testing.assert_allclose(matrix, np.kron(dct_matrix(8), dct_matrix(8)), atol=1e-7)
    blocks = numbers(64, MEMBERS)
    stack = blocks.flatten()
    transforms.spatial_dct(stack)
    np.testing.assert_allclose(stack.reshape(blocks.shape), matrix @ blocks, atol=3e-6)
    transforms.spatial_idct(stack)
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
    transforms.combine_frames(frames, volumes.temporal_factors(matrices, r), out)


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


@jit
def sample_to(plane: np.ndarray, stride: int, y: float, x: float, scratch: np.ndarray, block: np.ndarray) -> None:
    store_rows(transforms.sample(plane, stride, y, x, scratch), block, 0, SIDE)


def sample(path: str, plane: np.ndarray, at: tuple[float, float], margin: int = 0) -> np.ndarray:
    if path == "tensors":
        return trajectories_torch.sample(torch.from_numpy(plane)[None], torch.tensor([at]), margin)[0, 0].numpy()
    side = SIDE + 2 * margin
    scratch, block = np.zeros(REACHED * (REACHED + 7), np.float32), np.zeros((side, side), np.float32)
    extent = (side, side) if margin else ()
    kernel = transforms.sample_surrounding if margin else sample_to
    kernel(plane.flatten(), plane.shape[1], *np.float32(at), *extent, scratch, block)
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
