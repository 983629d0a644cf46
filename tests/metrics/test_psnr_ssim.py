import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from lolblur_synth.metrics.psnr_ssim import CONVENTIONS, describe, psnr, ssim

BT601 = np.array([65.481, 128.553, 24.966]) / 255


def pair(seed: int = 0, size: tuple[int, int] = (40, 52), noise: float = 12) -> tuple[NDArray[np.uint8], ...]:
    """A smooth picture and a darker, noisy one of it."""
    rng = np.random.default_rng(seed)
    one = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), np.uint8), (0, 0), 2)
    one = cv2.normalize(one, None, 0, 255, cv2.NORM_MINMAX)
    other = np.clip(one * 0.7 + rng.normal(0, noise, one.shape), 0, 255).round().astype(np.uint8)
    return one, other


def uniform(*color: int) -> NDArray[np.uint8]:
    return np.full((16, 16, 3), color, np.uint8)


@pytest.mark.parametrize("size", [(11, 11), (11, 300), (139, 12), (300, 40)])
def test_ssim_is_that_of_scikit_image(size):
    one, other = pair(size=size)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert ssim(one, other) == pytest.approx(structural_similarity(one, other, channel_axis=2, **settings), abs=1e-10)
    luma = [16 + picture @ BT601 for picture in (one, other)]
    assert ssim(one, other, "y") == pytest.approx(structural_similarity(*luma, **settings), abs=1e-10)


def test_ssim_is_that_of_basicsr():
    """Its own form: an 11x11 window that is no product, five filters, the border cut off."""
    one, other = pair()
    kernel = cv2.getGaussianKernel(11, 1.5)

    def mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return cv2.filter2D(image, -1, np.outer(kernel, kernel))[5:-5, 5:-5]

    values = []
    for a, b in zip(cv2.split(one.astype(np.float64)), cv2.split(other.astype(np.float64)), strict=True):
        ma, mb = mean(a), mean(b)
        va, vb, ab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
        values.append((2 * ma * mb + 6.5025) * (2 * ab + 58.5225) / ((ma**2 + mb**2 + 6.5025) * (va + vb + 58.5225)))
    assert ssim(one, other) == pytest.approx(np.mean(values), abs=1e-10)


def test_psnr_by_hand():
    assert psnr(uniform(90, 90, 90), uniform(100, 100, 100)) == pytest.approx(20 * np.log10(25.5))
    assert psnr(uniform(0, 0, 0), uniform(255, 255, 255)) == 0
    assert psnr(uniform(255, 0, 0), uniform(0, 0, 0), "rgb") == pytest.approx(10 * np.log10(3))
    assert psnr(uniform(255, 0, 0), uniform(0, 0, 0), "y") == pytest.approx(20 * np.log10(255 / 65.481))
    assert psnr(uniform(0, 0, 255), uniform(0, 0, 0), "y") == pytest.approx(20 * np.log10(255 / 24.966))


def test_luma_of_ssim_is_16_to_235():
    value = (2 * 235 * 16 + 6.5025) / (235**2 + 16**2 + 6.5025)
    assert ssim(uniform(0, 0, 0), uniform(255, 255, 255), "y") == pytest.approx(value)


def test_the_paper_adds_a_floor_to_the_error():
    one, other = pair()
    assert psnr(one, one, "paper") == pytest.approx(80)
    error = np.mean((one / 255 - other / 255) ** 2)
    assert psnr(one, other, "paper") == pytest.approx(-10 * np.log10(error + 1e-8))


def test_the_paper_exchanges_red_and_blue_and_rounds():
    """Uniform pictures: Y = 0.299 B + 0.587 G + 0.114 R, and nothing but its rounded value counts."""

    def similarity(one: float, other: float) -> float:
        return (2 * one * other + 6.5025) / (one**2 + other**2 + 6.5025)

    dark = uniform(10, 10, 10)
    assert ssim(uniform(200, 0, 0), dark, "paper") == pytest.approx(similarity(round(0.114 * 200), 10))
    assert ssim(uniform(0, 0, 200), dark, "paper") == pytest.approx(similarity(round(0.299 * 200), 10))
    one, other = pair()
    exchanged = (one[..., ::-1].copy(), other[..., ::-1].copy())
    assert psnr(one, other, "paper") == psnr(*exchanged, "paper")
    assert abs(ssim(one, other, "paper") - ssim(*exchanged, "paper")) > 1e-4


def test_the_paper_counts_opposed_structure_as_none():
    one, _ = pair()
    assert ssim(one, 255 - one, "y") < -0.1
    assert 0 <= ssim(one, 255 - one, "paper") < 0.2


@pytest.mark.parametrize("seed", range(3))
def test_the_paper_in_the_arithmetic_of_its_script(seed):
    """Single precision, a two-dimensional window, variance times similarity: what IQA-PyTorch computes."""
    one, other = pair(seed)
    a, b = (torch.from_numpy(picture[..., ::-1].astype(np.float32) / 255).permute(2, 0, 1) for picture in (one, other))
    error = (a - b).square().mean()
    assert psnr(one, other, "paper") == pytest.approx(float(10 * torch.log10(1 / (error + 1e-8))), abs=1e-4)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    x, y = ((picture * weights).sum(0).mul(255).round()[None, None] for picture in (a, b))
    axis = torch.exp(-(torch.arange(-5, 6.0) ** 2) / 4.5)
    window = torch.outer(axis, axis)[None, None] / axis.sum() ** 2
    mx, my = F.conv2d(x, window), F.conv2d(y, window)
    vx, vy, xy = (F.conv2d(p, window) - m for p, m in ((x * x, mx * mx), (y * y, my * my), (x * y, mx * my)))
    structure = F.relu((2 * xy + 0.03**2 * 255**2) / (vx + vy + 0.03**2 * 255**2))
    c1 = 0.01**2 * 255**2
    value = ((2 * mx * my + c1) / (mx * mx + my * my + c1) * structure).mean().item()
    assert ssim(one, other, "paper") == pytest.approx(value, abs=2e-4)


@given(st.integers(0, 2**32 - 1), st.sampled_from(CONVENTIONS))
def test_equal_pictures_are_best_and_order_does_not_matter(seed, convention):
    one, other = pair(seed, (12, 13))
    assert ssim(one, one, convention) == pytest.approx(1)
    assert psnr(one, one, convention) == (pytest.approx(80) if convention == "paper" else np.inf)
    assert ssim(one, other, convention) == pytest.approx(ssim(other, one, convention))
    assert psnr(one, other, convention) == psnr(other, one, convention)
    assert ssim(one, other, convention) < 1


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_deep_pictures_are_rounded_to_8_bits(convention):
    one, other = pair()
    offsets = np.random.default_rng(0).integers(-128, 129, one.shape)
    deep = np.clip(one.astype(np.int64) * 257 + offsets, 0, 65535).astype(np.uint16)
    assert psnr(deep, other, convention) == psnr(one, other, convention)
    assert ssim(other, deep, convention) == ssim(other, one, convention)


def test_a_channel_more_noisy_than_the_others_counts_by_a_third():
    one, other = pair()
    alone = [ssim(*(np.repeat(picture[..., [k]], 3, 2) for picture in (one, other))) for k in range(3)]
    assert ssim(one, other) == pytest.approx(np.mean(alone))


def test_pictures_that_cannot_be_compared():
    with pytest.raises(ValueError, match="needs 11x11 pixels; the pictures have 12x10"):
        ssim(*pair(size=(10, 12)))
    for metric in (psnr, ssim):
        with pytest.raises(ValueError, match=r"\(40, 52, 3\) and \(41, 52, 3\)"):
            metric(pair()[0], pair(size=(41, 52))[1])


def test_every_convention_says_what_it_is():
    assert len({describe(convention) for convention in CONVENTIONS}) == 3
