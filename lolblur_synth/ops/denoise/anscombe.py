"""Variance stabilisation of signal-dependent noise: the generalized Anscombe transform and its unbiased inverse.

Noise has the variance a x + b at value x, any units. What the transform is of, in the literature, is z = x/a: a Poisson
count plus Gaussian noise of variance b/a^2. Here everything is written in a and b themselves, free of divisions by a,
and shifted so that 0 stays 0: as a goes to 0, both directions go over to the plain scaling by sqrt(b).
"""

from torch import Tensor

_LEAST = 1e-12  # of the variance at x = 0: a channel without any noise is scaled by 1e6, not by infinity
_ORIGIN = 1.5**0.5  # 2 sqrt(3/8): the literature's transform of a count of 0 without Gaussian noise


def stabilize(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Give values with noise of variance a x + b noise of variance 1: f(x) - f(0), f(x) = 2/a sqrt(a x + 3/8 a^2 + b).

    `a` and `b` broadcast against `x`, which may be of any shape; neither is negative. x / sqrt(b) where a is 0; below
    the zero of the root, the value there. Starck et al., "Image Processing and Data Analysis", 1998, eq. 2.24.

    >>> import torch
    >>> a, b = torch.tensor(0.0), torch.tensor(0.01)  # no photon noise: a plain scaling
    >>> stabilize(torch.tensor([0.0, 0.5]), a, b)
    tensor([0., 5.])
    """
    origin = (0.375 * a * a + b).clamp(min=_LEAST)
    root = origin.sqrt()
    return (x.maximum(-origin / a.clamp(min=1e-30)) * 2) / ((a * x + origin).clamp(min=0).sqrt() + root)


def unstabilize(d: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The values x whose stabilised noisy versions have the means d: the unbiased inverse of `stabilize`.

    Not the algebraic one, as the mean of a root is less than the root of the mean. It rises with d; where d lies below
    what 0 gives, it goes on below 0, so that with a = 0 it is d sqrt(b) everywhere. Off by less than 0.05 a, measured
    against sums over Poisson counts; by 0.04 a where b > 4 a^2. Mäkitalo and Foi, "Optimal Inversion of the
    Generalized Anscombe Transformation for Poisson-Gaussian Noise", TIP 2013, eq. 10, with D = d + f(0):
    x/a = D^2/4 + sqrt(3/2)/4 / D - 11/8 / D^2 + 5/8 sqrt(3/2) / D^3 - 1/8 - b/a^2.

    >>> import torch
    >>> unstabilize(torch.tensor([0.0, 5.0]), torch.tensor(0.0), torch.tensor(0.01))
    tensor([0.0000, 0.5000])
    """
    root = (0.375 * a * a + b).clamp(min=_LEAST).sqrt()
    d = d.maximum(-2 * root / a.clamp(min=1e-30))
    # 1/D, at most its value at 0 photons: below, the series turns and falls.
    inverse = (a / (a * d + 2 * root).clamp(min=1e-30)).clamp(max=1 / _ORIGIN)
    series = inverse * (_ORIGIN / 4 + inverse * (-11 / 8 + inverse * (5 / 8 * _ORIGIN)))
    return d * (root + a * d / 4) + a * (series + 0.25)
