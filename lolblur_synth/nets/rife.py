"""RIFE: from two frames, the motion from any moment between them to both, and how much of each to believe.

Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022; the networks are those
of Practical-RIFE's models v4.0 and v4.25. Blocks work from coarse to fine, each on the frames as moved by what is known
so far, and add to it.

A picture is made smaller by s by taking the mean of the inner 2x2 of every s x s pixels, which is what bilinear
interpolation does; so frames are moved to those only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lolblur_synth.kernels.winograd import Convolution

Version = Literal["4.0", "4.25"]


class Motion(NamedTuple):
    """Of T moments: flows in pixels from there to each frame, (T, 2, H, W), and the first one's share, (T, 1, H, W)."""

    to_before: Tensor
    to_after: Tensor
    keep_before: Tensor


@dataclass(frozen=True)
class _Form:
    """What differs between the versions."""

    widths: tuple[int, ...]  # of the blocks, from coarse to fine
    coarsest: int  # the first block sees pictures smaller by this, each further one twice as large
    encoded: int  # channels of the features of a frame
    passed: int  # channels that a block hands to the next one, beside the mask
    first: bool  # of the first kind: PReLU, one residual about all layers of a block, and masks that add up


_FORMS: dict[Version, _Form] = {
    "4.0": _Form((192, 128, 96, 64), coarsest=8, encoded=0, passed=0, first=True),
    "4.25": _Form((192, 128, 96, 64, 32), coarsest=16, encoded=4, passed=8, first=False),
}


class Residual(nn.Module):
    """A scaled convolution beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Convolution(width, width)
        self.beta = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """At the size of x."""
        y = self.conv(x)
        return F.leaky_relu(torch.addcmul(x, y, self.beta.to(y.dtype)), 0.2)


class Block(nn.Module):
    """Correct the flows (4 channels), the mask's logit, and what is passed on, of pictures at 1 / `scale`."""

    def __init__(self, form: _Form, index: int) -> None:
        super().__init__()
        width, self.first = form.widths[index], form.first
        self.scale = form.coarsest >> index
        self.grows = self.scale * (2 if form.first else 1)  # what comes out is smaller than the frames by this
        channels = 7 + 2 * form.encoded + (5 + form.passed if index else 0)
        self.enter = nn.Sequential(
            nn.Conv2d(channels, width // 2, 3, stride=2, padding=1),
            self._activation(width // 2),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
            self._activation(width),
        )
        self.body = nn.Sequential(*(self._layer(width) for _ in range(8)))
        leaving = 5 if form.first else 4 * (5 + form.passed)
        self.leave = nn.ConvTranspose2d(width, leaving, 4, stride=2, padding=1)

    def _activation(self, width: int) -> nn.Module:
        return nn.PReLU(width) if self.first else nn.LeakyReLU(0.2)

    def _layer(self, width: int) -> nn.Module:
        return nn.Sequential(Convolution(width, width), nn.PReLU(width)) if self.first else Residual(width)

    def forward(self, x: Tensor) -> Tensor:
        """The corrections, of flows in pixels of the frames, at 1 / `grows`."""
        x = self.enter(x)
        y = self.body(x)
        y = self.leave(y + x) if self.first else F.pixel_shuffle(self.leave(y), 2)
        y = y.float()
        return torch.cat((y[:, :4] * self.grows, y[:, 4:]), 1)


class IFNet(nn.Module):
    """The motion between two frames (3, H, W), sRGB in [0, 1], of any size."""

    kind: ClassVar[str] = "rife"

    def __init__(self, version: Version = "4.0") -> None:
        super().__init__()
        if version not in _FORMS:
            raise ValueError(f"versions of RIFE are {', '.join(_FORMS)}, not {version}")
        form = _FORMS[version]
        self.version, self.first, self.multiple = version, form.first, 4 * form.coarsest
        self.encoder = _encoder(form.encoded) if form.encoded else None
        self.blocks = nn.ModuleList(Block(form, index) for index in range(len(form.widths)))

    def arguments(self) -> dict[str, Any]:
        """What to build the same network with, as JSON values."""
        return {"version": self.version}

    def encode(self, frames: Tensor) -> Tensor | None:
        """Features of frames (N, 3, H, W), which both gaps of a frame can share; None for v4.0, which has none."""
        if self.encoder is None:
            return None
        with _half_on_cuda(frames):
            features: Tensor = self.encoder(self._pad(frames))
        return features.float()

    def forward(
        self, before: Tensor, after: Tensor, times: Tensor, features: tuple[Tensor, Tensor] | None = None
    ) -> Motion:
        """Estimate the motion at `times` (T,) in (0, 1) of the gap; `features` are what `encode` gave of each frame.

        The released v4.0 starts again at half the size when the second block finds more than 32 pixels in both
        directions; this one does not, as it would make the result depend on a few pixels anywhere in the frame.
        """
        height, width = before.shape[-2:]
        frames = torch.stack((before, after))
        known = self.encode(frames) if features is None else torch.stack(features)
        frames = self._pad(frames) if known is None else torch.cat((self._pad(frames), known), 1)
        with _half_on_cuda(frames):
            flows, logit = self._refine(frames, times.to(frames).view(-1, 1, 1, 1))
        flows, logit = flows[..., :height, :width], logit[..., :height, :width]
        return Motion(flows[:, :2], flows[:, 2:], logit.sigmoid())

    def _refine(self, frames: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """Flows (T, 4, H, W) and the mask's logit (T, 1, H, W), from frames with their features (2, C, H, W)."""
        size = frames.shape[-2:]
        flows, logit = (frames.new_zeros(len(times), channels, *size) for channels in (4, 1))
        given: list[Tensor] = []  # what the block before passed on
        for block in self.blocks:
            assert isinstance(block, Block)
            scale = block.scale
            seen = _warp_and_downsample(frames, flows, scale)
            time = times.expand(-1, 1, *seen.shape[-2:])
            if given:
                given.append(_downsample(flows, scale) / scale)
            change = block(_concat_channels_last(seen, time, *given))
            flows = flows + _upsample(change[:, :4], size)
            if self.first:
                logit = logit + _upsample(change[:, 4:], size)
                given = [_downsample(logit, max(1, scale // 2))]
            else:
                logit = change[:, 4:5]
                given = [_upsample(change[:, 4:], (size[0] * 2 // scale, size[1] * 2 // scale))]
        return flows, logit

    def _pad(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        return F.pad(frames, (0, right, 0, below), "replicate") if below or right else frames


_RELEASED = (
    (r"^block(\d)\.", r"blocks.\1."),
    (r"\.conv0\.0\.", ".enter."),
    (r"\.conv0\.1\.(\d)", lambda found: f".enter.{2 + int(found[1])}"),
    (r"\.convblock\.", ".body."),
    (r"\.lastconv(\.0)?\.", ".leave."),
    (r"^encode\.cnn(\d)", lambda found: f"encoder.{2 * int(found[1])}"),
)
_FOR_TRAINING = ("block_tea.", "contextnet.", "unet.", "teacher.", "caltime.")


def from_released(state: Mapping[str, Tensor]) -> tuple[Version, dict[str, Tensor]]:
    """The version of a released flownet.pkl and its state under our names, without what only its training used.

    Keys that are not known stay as they are.
    """
    version: Version = "4.25" if any(key.startswith("encode.") for key in state) else "4.0"
    renamed = {}
    for key, value in state.items():
        if not key.startswith(_FOR_TRAINING):
            for pattern, name in _RELEASED:
                key = re.sub(pattern, name, key)
            renamed[key] = value
    return version, renamed


def blend(before: Tensor, after: Tensor, motion: Motion) -> Tensor:
    """The frames (T, 3, H, W) at the moments of a motion, from two frames (3, H, W), of any range, that move so."""
    count = len(motion.keep_before)
    first = warp(before.expand(count, -1, -1, -1), motion.to_before)
    second = warp(after.expand(count, -1, -1, -1), motion.to_after)
    return torch.lerp(second, first, motion.keep_before)


def warp(frames: Tensor, flows: Tensor) -> Tensor:
    """Values of frames (N, C, H, W) at the pixels plus flows (N, 2, H, W), bilinear, the border repeated."""
    return _grid_sample(frames, _sampling_grid(flows))


def _grid_sample(frames: Tensor, places: Tensor) -> Tensor:
    return F.grid_sample(frames, places.permute(0, 2, 3, 1), "bilinear", "border", align_corners=True)


def _sampling_grid(flows: Tensor) -> Tensor:
    """Where flows (N, 2, H, W) lead, in units in which the centres of the outermost pixels are at -1 and 1."""
    height, width = flows.shape[-2:]
    x, y = (torch.linspace(-1, 1, side, device=flows.device) for side in (width, height))
    here = torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)))
    unit = flows.new_tensor((2 / max(1, width - 1), 2 / max(1, height - 1)))
    return torch.addcmul(here, flows, unit[:, None, None])


def _concat_channels_last(*parts: Tensor) -> Tensor:
    """Parts (T, C, h, w) one behind the other, channels last, as convolutions want them."""
    whole = parts[0]
    count, _, height, width = whole.shape
    channels = [part.shape[1] for part in parts]
    whole = whole.new_empty(count, height, width, sum(channels)).permute(0, 3, 1, 2)
    for part, place in zip(parts, torch.split(whole, channels, 1), strict=True):
        place.copy_(part)
    return whole


def _warp_and_downsample(frames: Tensor, flows: Tensor, scale: int) -> Tensor:
    """Both frames moved along their flows, and their features too, at 1 / scale: (T, 2 C, h, w), pictures first."""
    moved = [
        _grid_sample(frame.expand(len(flows), -1, -1, -1), _inner_2x2(_sampling_grid(flow), scale))
        for frame, flow in zip(frames, torch.split(flows, 2, 1), strict=True)
    ]
    seen = torch.cat([side[:, :3] for side in moved] + [side[:, 3:] for side in moved], 1)
    return _mean_2x2(seen, scale)


def _inner_2x2(x: Tensor, scale: int) -> Tensor:
    """The inner 2x2 of every scale x scale pixels."""
    if scale <= 2:
        return x
    *others, height, width = x.shape
    inside = slice(scale // 2 - 1, scale // 2 + 1)
    cells = x.reshape(*others, height // scale, scale, width // scale, scale)[..., inside, :, inside]
    return cells.reshape(*others, 2 * height // scale, 2 * width // scale)


def _mean_2x2(x: Tensor, scale: int) -> Tensor:
    """Of every 2x2 pixels, unless the scale is 1; sums of slices take a quarter of the time of a pooling."""
    if scale == 1:
        return x
    rows = x[..., ::2, :] + x[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def _downsample(x: Tensor, scale: int) -> Tensor:
    return _mean_2x2(_inner_2x2(x, scale), scale)


def _upsample(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=False)


def _encoder(features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        Convolution(16, 16),
        nn.LeakyReLU(0.2),
        Convolution(16, 16),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(16, features, 4, stride=2, padding=1),
    )


def _half_on_cuda(like: Tensor) -> torch.autocast:
    """Half precision in convolutions on CUDA; positions and flows stay in single precision."""
    return torch.autocast("cuda", torch.float16, enabled=like.device.type == "cuda")
