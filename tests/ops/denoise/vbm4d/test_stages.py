"""The whole of V-BM4D: what must hold whatever is filmed."""

import gc
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import skimage.data
import torch
from torch import Tensor

from lolblur_synth.core.threads import ordered_map
from lolblur_synth.ops.denoise.vbm4d import backend_cpu
from lolblur_synth.ops.denoise.vbm4d.passes import PRESETS, Preset
from lolblur_synth.ops.denoise.vbm4d.stages import vbm4d
from lolblur_synth.scenes import Cutout, Pose, Scene, as_photo, glide, render

SPAN = (0.0, 1.0)


def film(frames: int, size: tuple[int, int] = (40, 56), speed: float = 0.4) -> Tensor:
    """A photograph in grey that glides by, (T, 1, H, W)."""
    scene = Scene(as_photo(skimage.data.astronaut()), glide(speed, 0.3 * speed, start=Pose(0, -140)), 1.2)
    return torch.stack([render(scene, t, size).mean(0, keepdim=True) for t in range(frames)])


def noisy(clean: Tensor, sigma: float, seed: int = 0) -> Tensor:
    return clean + sigma / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def denoised(frames: Tensor, sigma: float, preset: Preset = "best", threads: int = 1) -> Tensor:
    variance = torch.full((frames.shape[1], 64), (sigma / 255) ** 2)
    with ordered_map(threads) as each:
        return torch.stack(list(vbm4d(list(frames), variance, SPAN, preset, each)))


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * math.log10(float((one - other).double().square().mean()))


@pytest.mark.parametrize("sigma", [5, 20])
def test_each_preset_gains_and_the_best_gains_more(sigma: float):
    clean = film(9, (64, 96))
    frames = noisy(clean, sigma)
    before, fast, best = (psnr(out, clean) for out in (frames, *(denoised(frames, sigma, p) for p in PRESETS)))
    assert fast > before + 5
    assert best > fast + 0.5


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (7, 9), (16, 16), (17, 31), (33, 64)])
@pytest.mark.parametrize("frames", [1, 2, 10])
def test_any_size_and_length_comes_out_finite_and_cleaner(size: tuple[int, int], frames: int):
    clean = film(frames, size)
    out = denoised(noisy(clean, 10), 10)
    assert out.shape == clean.shape
    assert torch.isfinite(out).all()
    if min(size) > 1:
        assert psnr(out, clean) > psnr(noisy(clean, 10), clean)


@pytest.mark.parametrize("preset", PRESETS)
def test_threads_change_no_bit(preset: Preset):
    frames = noisy(film(10, (131, 40)), 10)  # four bands of rows
    assert torch.equal(denoised(frames, 10, preset, 1), denoised(frames, 10, preset, 2))


@pytest.mark.parametrize(("preset", "reach"), [("fast", 9), ("best", 17)])
def test_a_clip_in_pieces_equals_the_whole(preset: Preset, reach: int):
    """How many frames an earlier start changes is known, and nothing behind them changes by a bit.

    The grids of the first pass come back after as many frames as it has pixels between blocks.
    """
    start = PRESETS[preset][0].step
    frames = noisy(film(start + reach + 10, (24, 30)), 10)
    whole = denoised(frames, 10, preset)
    piece = denoised(frames[start:], 10, preset)
    assert torch.equal(whole[start + reach :], piece[reach:])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_constant_stays(preset: Preset):
    frames = torch.full((10, 3, 24, 24), 0.37)
    assert (denoised(frames, 10, preset) - frames).abs().max() < 1e-5


@pytest.mark.parametrize("frames", [4, 9])
@pytest.mark.parametrize("sigma", [5, 20])
@pytest.mark.parametrize("preset", PRESETS)
def test_what_stands_still_gains_what_averaging_would(preset: Preset, sigma: float, frames: int):
    """On texture that is noise itself nothing but time helps: 93 % of 10 log10(T) dB and more."""
    clean = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(1)).expand(frames, -1, -1, -1)
    gain = psnr(denoised(noisy(clean, sigma), sigma, preset), clean) - psnr(noisy(clean, sigma), clean)
    assert gain > 0.93 * 10 * math.log10(frames)


def test_a_disc_that_crosses_leaves_no_ghost():
    """About its rim the result is better than what single frames give, let alone than the noisy ones."""
    photo, path = as_photo(skimage.data.chelsea()), glide(6, 1, start=Pose(-24, -4))
    disc = Cutout(as_photo(skimage.data.coffee()), 16, path)
    scene = Scene(photo, glide(0.2), cutouts=(disc,))
    clean = torch.stack([render(scene, t, (64, 112)).mean(0, keepdim=True) for t in range(9)])
    frames = noisy(clean, 10)
    out, alone = denoised(frames, 10), torch.stack([denoised(frame[None], 10)[0] for frame in frames])
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(112) - 55.5, indexing="ij")
    centers = [(6 * t - 24, t - 4) for t in range(9)]
    rim = torch.stack([(torch.hypot(x - cx, y - cy) - 16).abs() < 8 for cx, cy in centers])[:, None]
    assert psnr(out[rim], clean[rim]) > psnr(alone[rim], clean[rim]) + 0.5
    assert psnr(out[rim], clean[rim]) > psnr(frames[rim], clean[rim]) + 4


def test_motion_across_the_whole_window_is_followed():
    """Texture that no single frame could tell from noise comes back although it moves by three pixels a frame."""
    generator = torch.Generator().manual_seed(2)
    texture = cv2.GaussianBlur(torch.rand(96, 160, generator=generator).numpy(), (0, 0), 0.8)
    clean = torch.stack([torch.from_numpy(texture)[None, 16:80, 8 + 3 * t : 88 + 3 * t] for t in range(9)])
    frames = noisy(clean, 10)
    assert psnr(denoised(frames, 10), clean) > psnr(frames, clean) + 6


@pytest.mark.parametrize("preset", PRESETS)
def test_coloured_noise_is_removed_by_its_spectrum(preset: Preset):
    """Noise that is blurred is taken for what it is: told its spectrum more of it goes than when told its strength."""
    clean = film(9, (64, 96))
    white = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3)) * 20 / 255
    coloured = torch.stack([torch.from_numpy(cv2.GaussianBlur(plane[0].numpy(), (0, 0), 0.7))[None] for plane in white])
    frames = clean + coloured
    blocks = coloured.unfold(2, 8, 8).unfold(3, 8, 8).flatten(0, 3).double()
    k, n = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    dct = torch.cos(math.pi * k * (2 * n + 1) / 16).double() / 2
    dct[0] /= 2**0.5
    spectrum = (dct @ blocks @ dct.T).square().mean(0).flatten()[None].float()
    told = torch.stack(list(vbm4d(list(frames), spectrum, SPAN, preset)))
    taken_for_white = torch.stack(list(vbm4d(list(frames), spectrum.mean().expand(1, 64), SPAN, preset)))
    assert psnr(told, clean) > psnr(taken_for_white, clean) + 0.5


def test_compiled_code_can_be_switched_off(monkeypatch: pytest.MonkeyPatch):
    frames = noisy(film(3, (24, 30)), 10)
    compiled = denoised(frames, 10, "fast")
    monkeypatch.setattr(backend_cpu, "filter_job", lambda *_: pytest.fail("compiled code was run"))
    monkeypatch.setenv("LOLBLUR_KERNELS", "torch")
    assert (denoised(frames, 10, "fast") - compiled).abs().max() < 1e-4


def test_nothing_is_read_before_it_is_asked_for():
    def stream() -> Iterator[Tensor]:
        pytest.fail("read too early")
        yield torch.empty(0)

    vbm4d(stream(), torch.ones(1, 64), SPAN)
    assert list(vbm4d(iter(()), torch.ones(1, 64), SPAN)) == []


@pytest.mark.parametrize(("preset", "most"), [("fast", 28), ("best", 58)])
def test_no_more_is_held_however_long_a_stream_is(preset: Preset, most: int):
    """Of `best`: 22 noisy frames, 18 sums and weights, the pilots of two windows. `itertools.tee` held up to 96."""
    stream = (torch.rand(1, 17, 19, generator=torch.Generator().manual_seed(k)) for k in range(70))
    held = []
    for _ in vbm4d(stream, torch.full((1, 64), 1e-3), SPAN, preset):
        held.append(sum(type(o) is Tensor and o.shape == (1, 41, 43) for o in gc.get_objects()))
    assert max(held) == most


def test_no_noise_at_all_is_no_fault():
    frames = film(3, (24, 24))
    assert (denoised(frames, 0.0) - frames).abs().max() < 1e-3


DENOISE = """
import hashlib, sys
import torch
from lolblur_synth.ops.denoise.vbm4d.stages import vbm4d
list(vbm4d(torch.rand(2, 3, 32, 32), torch.full((3, 64), 0.01), (0.0, 1.0)))
frames = torch.load(sys.argv[1])
clean = vbm4d(frames, torch.full((3, 64), (10 / 255) ** 2), (0.0, 1.0))
print(hashlib.sha256(torch.stack(list(clean)).numpy().tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_compiled_now_or_earlier_the_bits_are_the_same(tmp_path: Path):
    """Without `forceinline` some blocks are followed to places a step of 1/32 of a pixel apart."""
    scene = Scene(as_photo(skimage.data.stereo_motorcycle()[0]), glide(1.3, 0.8), 0.6)
    clean = torch.stack([render(scene, t, (640, 1120)) for t in range(9)])
    torch.save(clean + 10 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)), tmp_path / "in")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", DENOISE, str(tmp_path / "in")]
    runs = [subprocess.run(command, env=environment, check=True, capture_output=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
