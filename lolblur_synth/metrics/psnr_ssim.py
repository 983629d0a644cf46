"""PSNR and SSIM of two pictures, by conventions that are stated: a number means little without the name of its own.

Pictures are (H, W, 3) RGB of 8 bits, as files are; the output of a network becomes one by `quantize`. Those of 16 bits
are rounded to 8.

- `rgb`: both over the three channels. BasicSR's `calculate_psnr` and `calculate_ssim`, by which LEDNet's trainer
  validates, give the same for `crop_border=0`.
- `y`: both over luma as MATLAB's rgb2ycbcr defines it (BT.601, 16 to 235), not rounded: BasicSR's `test_y_channel`.
- `paper`: as LEDNet's released scoring script prints them. It calls `psnr`, `ssim` and `lpips-vgg` of IQA-PyTorch,
  whose habits, in versions 0.1.4 and 0.1.5, are these. *Floor*: 1e-8 is added to the mean squared error of values in
  [0, 1], so that equal pictures have 80 dB. *Full-range Y*: SSIM sees the Y of YIQ, 0 to 255, rounded to integers,
  while PSNR sees the channels. *No opposites*: windows whose structure is opposed count 0 in SSIM, and not less. The
  script adds two of its own. *Exchanged channels*: it passes blue for red, so that Y is 0.299 B + 0.587 G + 0.114 R,
  and the network of LPIPS sees strange colours. *Skipping*: it leaves results without a partner out of its means in
  silence; here they are errors.

SSIM is Wang et al.'s (TIP 2004): Gaussian weights of sigma 1.5 over 11x11 pixels, population covariance, K1 = 0.01,
K2 = 0.03, peak 255, the mean of all windows inside the picture and of the channels. scikit-image gives the same for
`gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255`, in more than twice the time.
"""

from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.images import Pixels

Convention = Literal["rgb", "y", "paper"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)
WINDOW = 11  # pixels that SSIM needs, each way
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_BT601 = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # weights of R, G and B in luma above 16
_YIQ_EXCHANGED = (0.114, 0.587, 0.299)
_FLOOR = 1e-8 * 255**2
_BAND = 128  # rows at a time, so that what is computed of them stays in the cache: twice as fast

Samples = NDArray[np.float64]


def describe(convention: Convention) -> str:
    """What is computed, in a few words."""
    return {
        "rgb": "PSNR and SSIM over R, G and B",
        "y": "PSNR and SSIM over Y (BT.601, 16 to 235, not rounded)",
        "paper": "PSNR over R, G and B, SSIM over Y with red and blue exchanged, as LEDNet's released script",
    }[convention]


def eight_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Pictures of 16 bits rounded to 8, others as they are."""
    return np.asarray(pixels if pixels.dtype == np.uint8 else np.round(pixels / 257), np.uint8)


def psnr(one: Pixels, other: Pixels, convention: Convention = "rgb") -> float:
    """Peak signal-to-noise ratio in dB, peak 255; infinite for equal pictures, but 80 by `paper`; `ValueError`.

    >>> black, grey = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 16, np.uint8)
    >>> round(psnr(black, grey), 2)
    24.05
    """
    a, b = _samples(one, other)
    if convention == "y":
        a, b = (_weighted(samples, _BT601) for samples in (a, b))
    error = float(np.square(a - b).mean()) + (_FLOOR if convention == "paper" else 0)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(one: Pixels, other: Pixels, convention: Convention = "rgb") -> float:
    """Structural similarity, at most 1; raises `ValueError` for pictures that have no window of 11x11.

    >>> picture = np.arange(768, dtype=np.uint8).reshape(16, 16, 3)
    >>> round(ssim(picture, picture), 6)
    1.0
    """
    a, b = _samples(one, other)
    if min(a.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW}x{WINDOW} pixels; the pictures have {a.shape[1]}x{a.shape[0]}")
    if convention == "y":
        a, b = (16 + _weighted(samples, _BT601)[..., None] for samples in (a, b))
    if convention == "paper":
        a, b = (_weighted(samples, _YIQ_EXCHANGED).round()[..., None] for samples in (a, b))
    height, width, channels = a.shape
    rows, columns = height - WINDOW + 1, width - WINDOW + 1
    total = 0.0
    for channel in range(channels):
        for top in range(0, rows, _BAND):
            band = slice(top, top + _BAND + WINDOW - 1), slice(None), channel
            total += float(_similarities(a[band], b[band], opposites=convention != "paper").sum())
    return total / float(rows * columns * channels)


def _similarities(a: Samples, b: Samples, *, opposites: bool) -> Samples:
    """SSIM of every window of one channel; sums and differences need four filters, the channels themselves five."""
    total, difference = a + b, a - b
    t, d = _window_means(total), _window_means(difference)
    tt, dd = _window_means(total * total), _window_means(difference * difference)
    products, squares = (t * t - d * d) / 2, (t * t + d * d) / 2  # 2 mu_a mu_b, mu_a^2 + mu_b^2
    covariance, variance = (tt - dd) / 2 - products, (tt + dd) / 2 - squares  # 2 s_ab, s_a^2 + s_b^2
    structure = (covariance + _C2) / (variance + _C2)
    if not opposites:
        structure = structure.clip(min=0)
    return (products + _C1) / (squares + _C1) * structure


def _window_means(channel: Samples) -> Samples:
    kernel = cv2.getGaussianKernel(WINDOW, 1.5, cv2.CV_64F)
    inside = slice(WINDOW // 2, -(WINDOW // 2))
    return np.asarray(cv2.sepFilter2D(channel, cv2.CV_64F, kernel, kernel))[inside, inside]


def _samples(one: Pixels, other: Pixels) -> tuple[Samples, Samples]:
    if one.shape != other.shape:
        raise ValueError(f"the pictures have {one.shape} and {other.shape} samples")
    return eight_bit(one).astype(np.float64), eight_bit(other).astype(np.float64)


def _weighted(samples: Samples, weights: tuple[float, float, float]) -> Samples:
    result: NDArray[Any] = samples @ np.array(weights)
    return result
