"""Shot and read noise of a sensor, in linear light."""

from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear


def add_noise(rgb: Tensor, shot: float, read: float, field: Tensor) -> Tensor:
    """Add noise of variance `shot * x + read` at linear light x to sRGB (3, H, W) in [0, 1]; clipped to [0, 1].

    `field` is standard normal, of the same shape: the Gaussian form of Poisson noise that is usual for it (Foi et al.,
    TIP 2008; Brooks et al., CVPR 2019, eq. 3).

    >>> import torch
    >>> frame = torch.full((3, 2, 2), 0.5)
    >>> torch.allclose(add_noise(frame, 1e-3, 1e-5, torch.zeros(3, 2, 2)), frame)
    True
    """
    linear = srgb_to_linear(rgb)
    noisy = linear + (shot * linear + read).sqrt() * field.to(linear.device)
    return linear_to_srgb(noisy.clamp(0, 1)).clamp(0, 1)
