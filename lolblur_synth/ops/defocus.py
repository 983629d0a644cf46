"""Defocus: convolution by generalized Gaussian kernels."""

from math import ceil, cos, exp, lgamma, log, sin

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.devices import convolve

_TAIL = 1e-3  # kernel values below this share of the peak are left out


def generalized_gaussian(sigma_x: float, sigma_y: float, angle: float, shape: float) -> Tensor:
    """Generalized Gaussian kernel exp(-r^shape / scale), elliptic, as (K, K) with K odd and sum 1.

    Sigmas are standard deviations in pixels along the axes turned by `angle` radians; shape 2 is a Gaussian, 1 has long
    tails, large values come close to a disc. Each sample is the mean over its pixel's area, so that narrow kernels keep
    their width. The kernels of blind super-resolution (Real-ESRGAN, ICCVW 2021, section 3.1).

    >>> kernel = generalized_gaussian(1.5, 0.8, angle=0.3, shape=2)
    >>> kernel.shape, round(float(kernel.sum()), 4)
    (torch.Size([13, 13]), 1.0)
    """
    # For the density exp(-(r/a)^b) in the plane, E[x^2] = a^2 Gamma(4/b) / (2 Gamma(2/b)).
    scale = exp(0.5 * (log(2) + lgamma(2 / shape) - lgamma(4 / shape)))
    reach = scale * (-log(_TAIL)) ** (1 / shape) * max(sigma_x, sigma_y)
    half, fine = max(1, ceil(reach)), 9
    offsets = (torch.arange((2 * half + 1) * fine, dtype=torch.float64) - ((2 * half + 1) * fine - 1) / 2) / fine
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    along = (x * cos(angle) + y * sin(angle)) / (scale * sigma_x)
    across = (y * cos(angle) - x * sin(angle)) / (scale * sigma_y)
    density = torch.exp(-torch.hypot(along, across).pow(shape))
    kernel = F.avg_pool2d(density[None, None], fine)[0, 0]
    return (kernel / kernel.sum()).float()


def defocus(light: Tensor, kernel: Tensor | None) -> Tensor:
    """Defocus: convolve (3, H, W) with a (K, K) kernel, mirrored at the borders; None is a sharp lens.

    Applied before clipping and in the space of the average: the lens comes before the sensor.

    >>> point = torch.zeros(3, 9, 9)
    >>> point[:, 4, 4] = 1
    >>> round(float(defocus(point, generalized_gaussian(0.5, 0.5, 0, 2))[0, 4, 4]), 2)
    0.47
    """
    if kernel is None:
        return light
    half, kernels = kernel.shape[0] // 2, kernel.to(light)[None, None]
    padded = (F.pad(plane[None, None], (half, half, half, half), mode="reflect") for plane in light)
    return torch.cat([convolve(plane, kernels)[0] for plane in padded])  # at once, oneDNN takes three times the memory
