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

from lolblur_synth.ops.denoise.vbm4d import (
    backend_cpu,
    backend_torch,
    passes,
    stages,
    trajectories_torch,
    transforms,
)
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    FRAMES,
    PAD,
    bands,
    dct_matrix,
)
from lolblur_synth.scenes import Cutout, Pose, Scene, as_photo, glide, render, shake

SIGMA = 15.0
VARIANCE = torch.full((3, 64), SIGMA**2)
CLIPS = [(47, 61, 1), (50, 67, 2), (48, 64, 5), (137, 33, 3), (39, 52, 9), (13, 35, 12)]  # height, width, frames


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


def denoise(noisy: Tensor, preset: passes.Preset = "best") -> Tensor:
    return torch.stack(list(stages.vbm4d(iter(noisy), VARIANCE, (0, 255), preset)))


def psnr(one: Tensor, other: Tensor) -> float:
    return 10 * math.log10(255**2 / float((one - other).square().mean()))


@pytest.mark.parametrize("which", CLIPS)
def test_each_pass_agrees_on_the_same_frames(which: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch):
    compiled = backend_cpu.filter_job
    differences: dict[passes.Pass, list[Tensor]] = {}

    def both(job, each):
        other = replace(job, sums=[s.clone() for s in job.sums], weights=[w.clone() for w in job.weights])
        compiled(job, each)
        backend_torch.filter_job(other, each)
        pairs = (job.sums, job.weights, other.sums, other.weights)
        sums, weights, total, weight = (torch.stack(list(frames)) for frames in pairs)
        used = weights > 0
        assert torch.equal(used, weight > 0)
        mean = ((sums[used] / weights[used] - total[used] / weight[used]) / SIGMA).abs()
        differences.setdefault(job.settings, []).append(mean.maximum((weight[used] / weights[used] - 1).abs()))

    monkeypatch.setattr(backend_cpu, "filter_job", both)
    for preset in passes.PRESETS:
        denoise(clip(*which)[1], preset)
    assert set(differences) == {settings for passes in passes.PRESETS.values() for settings in passes}
    volume = 3 * transforms.AREA * min(which[2], FRAMES)
    for found in differences.values():
        off = torch.cat(found)
        assert (off > 2e-5).sum() <= off.numel() / 1000 + 2 * volume  # two choices between equals
        assert off.median() < 2e-6


@pytest.mark.parametrize("which", CLIPS)
def test_the_whole_agrees(which: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch):
    clean, noisy = clip(*which)
    one = denoise(noisy)
    monkeypatch.setenv("LOLBLUR_KERNELS", "torch")
    other = denoise(noisy)
    assert psnr(other, clean) == pytest.approx(psnr(one, clean), abs=0.01)
    assert psnr(other, clean) > psnr(noisy, clean) + 4
    assert ((one - other).abs() < 0.05 * SIGMA).float().mean() > 0.99


def test_objects_that_cross_end_volumes():
    _, noisy = clip(39, 52, 9)
    padded = torch.nn.functional.pad(noisy, (PAD, PAD, PAD, PAD), "replicate")
    starts = starts_of(39, 52, 4)
    flows = torch.zeros(2, 9, 10, 13, 2)
    valid = trajectories_torch.compute_trajectories(
        padded[:, 0], 4, starts, (flows[0], flows[1]), SIGMA**2, passes.HARD
    ).valid
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
            backend_torch.aggregate(blocks, share, at, (totals[0], totals[1]))
        finally:
            torch.set_num_threads(before)
        return totals

    assert torch.equal(add(1), add(2))
    assert float(add(1)[1].sum()) == pytest.approx(float(share.sum()) * float(transforms.WINDOW.sum()), rel=1e-5)


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch):
    noisy = clip(50, 67, 2)[1]
    monkeypatch.setenv("LOLBLUR_KERNELS", "torch")
    at_once = denoise(noisy)
    monkeypatch.setattr(trajectories_torch, "BATCH", 1 << 16)
    assert ((denoise(noisy) - at_once).abs() < 1e-3 * SIGMA).float().mean() > 0.98


def test_frames_that_are_not_valid_are_left_out():
    valid = torch.tensor([[True, False, True, True, False], [True] * 5])
    gaps, whole = backend_torch.temporal_matrices(valid).numpy()
    np.testing.assert_allclose(whole, dct_matrix(5), atol=1e-6)
    np.testing.assert_allclose(gaps[:3][:, [0, 2, 3]], dct_matrix(3), atol=1e-6)
    assert not gaps[:, [1, 4]].any()
    assert not gaps[3:].any()
