"""Analytic scenes: a photograph seen by a moving camera, at any time, so that the truth between frames is known.

Time counts source frames. Positions are in pixels of the frame, right and down, from its middle; angles in radians. A
photograph is the cubic B-spline surface whose coefficients are its pixels: smooth and known exactly between them, and
soft enough (sinc^4) that one sample per pixel hardly aliases. It is mirrored beyond its borders.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear


@dataclass(frozen=True)
class Pose:
    """Where something is at one time; for a camera: the scene point in the middle of its frame, its roll and zoom."""

    x: float = 0
    y: float = 0
    angle: float = 0
    zoom: float = 1


Path = Callable[[float], Pose]


@dataclass(frozen=True)
class Lamp:
    """A disc of constant linear radiance (1 is white) with a soft rim, and a Gaussian halo.

    Fixed at (x, y) of the scene or, with a `path`, of something that moves over the frame.
    """

    x: float
    y: float
    radius: float
    radiance: tuple[float, float, float] = (8, 6, 4)
    halo: float = 0.02  # peak of the halo as a fraction of the radiance
    halo_sigma: float = 4  # in radii
    path: Path | None = None


@dataclass(frozen=True)
class Cutout:
    """A textured disc with a soft rim of one pixel that moves over the frame, in front of the photograph."""

    photo: Tensor
    radius: float
    path: Path
    density: float = 1


@dataclass(frozen=True)
class Fence:
    """Two sets of straight wires at right angles, with soft rims, that move over the frame in front of everything."""

    spacing: float
    width: float
    path: Path
    colour: tuple[float, float, float] = (0.05, 0.05, 0.06)  # sRGB


@dataclass(frozen=True)
class Scene:
    """A photograph, the camera's path, the photograph's pixels per frame pixel, and what else is to be seen.

    A `density` much above 1 aliases: `shrink` the photograph first.
    """

    photo: Tensor
    camera: Path = lambda _: Pose()
    density: float = 1
    cutouts: tuple[Cutout, ...] = ()
    fences: tuple[Fence, ...] = ()
    lamps: tuple[Lamp, ...] = ()


def as_photo(image: ArrayLike) -> Tensor:
    """An (H, W, 3) photograph, 8-bit or float in [0, 1], as a (3, H, W) float32 tensor in [0, 1]."""
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or min(array.shape[:2]) < 2:
        raise ValueError(f"a photograph is an (H, W, 3) array, got shape {array.shape}")
    scale = 255 if array.dtype == np.uint8 else 1
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1), dtype=np.float32) / np.float32(scale))


def shrink(photo: Tensor, factor: float) -> Tensor:
    """A photograph (3, H, W) made smaller by `factor`, without aliasing."""
    smaller = F.interpolate(photo[None], scale_factor=1 / factor, mode="bicubic", antialias=True)
    return smaller[0].clamp(0, 1)


def glide(x: float = 0, y: float = 0, angle: float = 0, zoom: float = 1, start: Pose | None = None) -> Path:
    """A steady motion: shift and roll per source frame, and the factor by which the zoom grows per source frame."""
    at = start or Pose()
    return lambda t: Pose(at.x + x * t, at.y + y * t, at.angle + angle * t, at.zoom * zoom**t)


def shake(
    rng: np.random.Generator,
    speed: float,
    frames: float,
    band: tuple[float, float] = (0.004, 0.048),
    roll: float = 2e-4,
    waves: int = 12,
) -> Path:
    """A hand that holds a camera: band-limited random shift and roll.

    `speed` is the fastest shift within [0, frames], in pixels per source frame; `band` is in cycles per source frame
    (1 to 12 Hz at 250 fps); `roll` is the root-mean-square turn in radians per pixel of `speed`. Velocities have a flat
    spectrum: each axis is a sum of `waves` sines with amplitude 1/frequency and random phase.
    """
    omega = 2 * math.pi * np.exp(rng.uniform(math.log(band[0]), math.log(band[1]), (3, waves)))
    phase = rng.uniform(0, 2 * math.pi, (3, waves))

    def speed_at(t: float) -> float:
        return math.hypot(*np.cos(omega[:2] * t + phase[:2]).sum(1))

    fastest = max(speed_at(t) for t in np.linspace(0, frames, max(2, math.ceil(frames * 8) + 1)))
    gain = np.array([speed / fastest, speed / fastest, speed * roll / math.sqrt(waves / 2)])

    def path(t: float) -> Pose:
        x, y, angle = gain * ((np.sin(omega * t + phase) - np.sin(phase)) / omega).sum(1)
        return Pose(float(x), float(y), float(angle))

    return path


def _grid(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixel positions from the middle, x (1, W) and y (H, 1); `size` is (height, width)."""
    height, width = size
    x = torch.arange(width, device=device, dtype=torch.float32) - (width - 1) / 2
    y = torch.arange(height, device=device, dtype=torch.float32) - (height - 1) / 2
    return x[None], y[:, None]


def _to_scene(pose: Pose, size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Scene positions, x and y (H, W), that the pixels of a camera see."""
    x, y = _grid(size, device)
    c, s = math.cos(pose.angle) / pose.zoom, math.sin(pose.angle) / pose.zoom
    return c * x - s * y + pose.x, s * x + c * y + pose.y


def displacement(camera: Path, t0: float, t1: float, size: tuple[int, int]) -> Tensor:
    """The true optical flow of the photograph from time t0 to t1: (2, H, W), x and y, in pixels.

    >>> displacement(glide(x=2.0), 0, 1, (4, 4))[:, 0, 0]
    tensor([-2.,  0.])
    """
    start, end = camera(t0), camera(t1)
    x, y = _to_scene(start, size, torch.device("cpu"))
    c, s = math.cos(end.angle) * end.zoom, math.sin(end.angle) * end.zoom
    dx, dy = x - end.x, y - end.y
    here_x, here_y = _grid(size, torch.device("cpu"))
    return torch.stack((c * dx + s * dy - here_x, c * dy - s * dx - here_y))


def _pair_taps(position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Two positions and the second's weight: linear samples there, so weighted, are the four cubic B-spline taps.

    Sigg and Hadwiger, "Fast Third-Order Texture Filtering", GPU Gems 2, chapter 20.
    """
    whole = position.floor()
    s = position - whole
    w0, w1, w3 = (1 - s) ** 3 / 6, (3 * s**3 - 6 * s**2 + 4) / 6, s**3 / 6
    weight = 1 - w0 - w1
    return whole - 1 + w1 / (w0 + w1), whole + 1 + w3 / weight, weight


def sample(photo: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The B-spline surface of a photograph (C, h, w) at pixel indices x and y, both (H, W): (C, H, W)."""
    height, width = photo.shape[-2:]
    x0, x1, weight_x = _pair_taps(x)
    y0, y1, weight_y = _pair_taps(y)

    def linear(px: Tensor, py: Tensor) -> Tensor:
        at = torch.stack((px * (2 / (width - 1)) - 1, py * (2 / (height - 1)) - 1), -1)
        return F.grid_sample(photo[None], at[None], "bilinear", "reflection", align_corners=True)[0]

    upper = torch.lerp(linear(x0, y0), linear(x1, y0), weight_x)
    lower = torch.lerp(linear(x0, y1), linear(x1, y1), weight_x)
    return torch.lerp(upper, lower, weight_y)


def _photo_at(photo: Tensor, density: float, x: Tensor, y: Tensor) -> Tensor:
    height, width = photo.shape[-2:]
    return sample(photo, x * density + (width - 1) / 2, y * density + (height - 1) / 2)


def _within(at: Pose, size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions, x and y (H, W), of the pixels of a frame within something that moves over it."""
    x, y = _grid(size, device)
    c, s = math.cos(at.angle) / at.zoom, math.sin(at.angle) / at.zoom
    dx, dy = x - at.x, y - at.y
    return c * dx - s * dy, s * dx + c * dy


def _soft(ramp: Tensor) -> Tensor:
    ramp = ramp.clamp(0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _cover(frame: Tensor, cutout: Cutout, t: float) -> Tensor:
    at = cutout.path(t)
    x, y = _within(at, (frame.shape[-2], frame.shape[-1]), frame.device)
    rim = at.zoom * (cutout.radius - torch.hypot(x, y))
    return torch.lerp(frame, _photo_at(cutout.photo, cutout.density, x, y), _soft(rim + 0.5))


def _string(frame: Tensor, fence: Fence, t: float) -> Tensor:
    at = fence.path(t)
    for across in _within(at, (frame.shape[-2], frame.shape[-1]), frame.device):
        away = (across / fence.spacing - (across / fence.spacing).round()).abs() * fence.spacing
        rim = at.zoom * (fence.width / 2 - away)
        frame = torch.lerp(frame, frame.new_tensor(fence.colour)[:, None, None], _soft(rim + 0.5))
    return frame


def _light(linear: Tensor, lamp: Lamp, x: Tensor, y: Tensor) -> Tensor:
    distance = torch.hypot(x - lamp.x, y - lamp.y)
    halo = lamp.halo * torch.exp(-0.5 * (distance / (lamp.halo_sigma * lamp.radius)) ** 2)
    radiance = linear.new_tensor(lamp.radiance)[:, None, None]
    return linear + radiance * (_soft((lamp.radius - distance) / 1.5 + 0.5) + halo)


def render(scene: Scene, t: float, size: tuple[int, int], *, clip: bool = True) -> Tensor:
    """The frame a camera captures at time t: (3, height, width), sRGB-encoded; `size` is (height, width).

    In [0, 1]; without `clip`, lamps keep their radiance above 1, on the same curve.

    >>> photo = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> render(Scene(photo, glide(x=1)), 0.5, (8, 12)).shape
    torch.Size([3, 8, 12])
    """
    x, y = _to_scene(scene.camera(t), size, scene.photo.device)
    frame = _photo_at(scene.photo, scene.density, x, y)
    for cutout in scene.cutouts:
        frame = _cover(frame, cutout, t)
    for fence in scene.fences:
        frame = _string(frame, fence, t)
    if scene.lamps:
        linear = srgb_to_linear(frame)
        for lamp in scene.lamps:
            linear = _light(linear, lamp, *(_within(lamp.path(t), size, x.device) if lamp.path else (x, y)))
        frame = linear_to_srgb(linear.clamp(max=1) if clip else linear)
    return frame
