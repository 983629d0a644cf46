"""LEDNet: brightens a dark, blurred, noisy image and removes its blur and noise.

Zhou, Li and Loy, LEDNet: Joint Low-light Enhancement and Deblurring in the Dark (ECCV 2022), section 4.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from lolblur_synth.kernels.fac import SIDE, filter_adaptively
from lolblur_synth.kernels.prelu import PReLU
from lolblur_synth.kernels.winograd import Convolution

BINS = (1, 2, 3, 6)
CURVES = 3


class LEDNet(nn.Module):
    """Restored images (N, 3, H, W) and the side output (N, 3, ⌈H/8⌉, ⌈W/8⌉) from dark ones (N, 3, H, W).

    Input and outputs are sRGB in [0, 1], the outputs not clipped to it; any size, borders are reflected. `signed` says
    that the network inside works in [-1, 1]. `channels` are those at full, half, quarter and eighth size; the default
    and either `signed` is a released network. Inside, memory is channels-last, which is the faster on CPUs and GPUs.
    """

    kind: ClassVar[str] = "lednet"

    def __init__(self, channels: Sequence[int] = (32, 64, 128, 128), *, signed: bool = False) -> None:
        super().__init__()
        if len(channels) != 4 or min(channels) < 4:
            raise ValueError(f"channels {list(channels)} are not four numbers of 4 or more")
        self.channels, self.signed = tuple(channels), signed
        full, half, quarter, eighth = channels
        self.stem = Convolution(3, full)
        self.stem_slope = PReLU()
        self.encoder = nn.ModuleList([Encoder(full, half), Encoder(half, quarter), Encoder(quarter, eighth)])
        self.side = Convolution(eighth, 3)
        self.middle = nn.Sequential(Block(eighth), Block(eighth))
        self.bottom = nn.Sequential(Residual(eighth), Residual(eighth))
        self.skips = nn.ModuleList([Skip(eighth), Skip(quarter), Skip(half)])
        self.decoder = nn.ModuleList([Decoder(eighth, quarter), Decoder(quarter, half), Decoder(half, full)])
        self.tail = Convolution(full, 3)

    def forward(self, dark: Tensor) -> tuple[Tensor, Tensor]:
        """Restore; see the class for shapes."""
        height, width = dark.shape[-2:]
        image = _pad_by_reflection(dark, 8).contiguous(memory_format=torch.channels_last)
        x = self.stem_slope(self.stem(image * 2 - 1 if self.signed else image))
        features = []
        for encode in self.encoder:
            x = encode(x)
            features.append(x)
        side = self.side(x)
        x = self.bottom(self.middle(x))
        for skip, decode in zip(self.skips, self.decoder, strict=True):
            x = decode(skip(x, features.pop()))
        restored: Tensor = self.tail(x)[..., :height, :width]
        return (restored / 2 + 0.5, side / 2 + 0.5) if self.signed else (restored, side)

    def arguments(self) -> dict[str, Any]:
        """What to build the same network with, as JSON values."""
        return {"channels": list(self.channels), "signed": self.signed}


class Residual(nn.Module):
    """An image of features plus two convolutions of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(channels, channels), Convolution(channels, channels)
        self.slope = PReLU()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        body: Tensor = _prelu_recomputed(self.slope, self.first(x), self.second)
        return body.add_(x)


class Block(nn.Module):
    """A residual block and one more convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = Residual(channels)
        self.last, self.slope = Convolution(channels, channels), PReLU()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        sloped: Tensor = self.slope(self.last(self.residual(x)))
        return sloped


class Encoder(nn.Module):
    """To half the size: a block, down-sampling, what the whole image looks like, and brighter."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.block = Block(inputs)
        self.down = Down(inputs, outputs)
        self.pyramid = PyramidPooling(outputs)
        self.curve = Curve(outputs)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        brighter: Tensor = self.curve(self.pyramid(self.down(self.block(x))))
        return brighter


class Decoder(nn.Module):
    """To twice the size, and two residual blocks."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = Up(inputs, outputs)
        self.blocks = nn.Sequential(Residual(outputs), Residual(outputs))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        decoded: Tensor = self.blocks(self.up(x))
        return decoded


class Down(nn.Module):
    """Half the size, by convolutions and directly, each after the low-pass [1, 2, 1] (Zhang, ICML 2019)."""

    low_pass: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.enter, self.conv = Convolution(inputs, inputs, 1, bias=False), Convolution(inputs, inputs, bias=False)
        self.enter_slope, self.slope = PReLU(), PReLU()
        self.leave = Convolution(inputs, outputs, 1, bias=False)
        self.direct = Convolution(inputs, outputs, 1, bias=False)
        binomial = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("low_pass", torch.outer(binomial, binomial).expand(inputs, 1, 3, 3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        body = _prelu_recomputed(self.enter_slope, self.enter(x), self.conv)
        body = _prelu_recomputed(self.slope, body, lambda body: self.leave(self._halved(body)))
        return body.add_(self.direct(self._halved(x)))

    def _halved(self, x: Tensor) -> Tensor:
        # Sizes are even here: the last row and column that a reflection on all sides would add are not looked at.
        return F.conv2d(F.pad(x, (1, 0, 1, 0), mode="reflect"), self.low_pass, stride=2, groups=x.shape[1])


class Up(nn.Module):
    """Twice the size, by a transposed convolution and by interpolation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.enter = Convolution(inputs, inputs, 1, bias=False)
        self.conv = nn.ConvTranspose2d(inputs, inputs, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.enter_slope, self.slope = PReLU(), PReLU()
        self.leave = Convolution(inputs, outputs, 1, bias=False)
        self.direct = Convolution(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        body = _prelu_recomputed(self.enter_slope, self.enter(x), self.conv)
        body = _prelu_recomputed(self.slope, body, self.leave)
        # The released order, interpolation first, is the same sum with four times the work.
        return body.add_(F.interpolate(self.direct(x), scale_factor=2, mode="bilinear"))


class PyramidPooling(nn.Module):
    """Adds what means over 1, 4, 9 and 36 cells of the image tell (PSPNet, Zhao et al., CVPR 2017)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        part = channels // len(BINS)
        self.reduce = nn.ModuleList([Convolution(channels, part, 1, bias=False) for _ in BINS])
        self.reduce_slopes = nn.ModuleList([PReLU() for _ in BINS])
        self.fuse, self.slope = Convolution(channels + part * len(BINS), channels, bias=False), PReLU()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        parts = [x]
        for bins, reduce, slope in zip(BINS, self.reduce, self.reduce_slopes, strict=True):
            cells = slope(reduce(_adaptive_average(x, bins)))
            parts.append(F.interpolate(cells, x.shape[-2:], mode="bilinear", align_corners=True))
        fused: Tensor = self.slope(self.fuse(torch.cat(parts, 1)))
        return fused


def _adaptive_average(x: Tensor, bins: int) -> Tensor:
    """Over bins x bins cells; for a graph of any size, which has no operator for that, by products of matrices."""
    if not torch.compiler.is_compiling() or torch.is_grad_enabled():
        return F.adaptive_avg_pool2d(x, bins)
    down, right = (_averaging_matrix(size, bins, x) for size in x.shape[-2:])
    return down @ x @ right.t()


def _averaging_matrix(size: int, bins: int, like: Tensor) -> Tensor:
    """The matrix (bins, size) whose product with a signal is its means over adaptive cells."""
    place = torch.arange(size, device=like.device)
    cell = torch.arange(bins, device=like.device)[:, None]
    inside = (place >= cell * size // bins) & (place < ((cell + 1) * size + bins - 1) // bins)
    return inside.to(like.dtype) / inside.sum(1, keepdim=True)


class Curve(nn.Module):
    """Brightens: features in [0, 1] go three times along x + a x (1 - x), with a in [0, 1] per pixel.

    The curve non-linear unit; a sum of such curves is Zero-DCE's (Guo et al., CVPR 2020).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.predict = nn.Sequential(
            Convolution(channels, channels, 5),
            nn.ReLU(inplace=True),
            Convolution(channels, channels),
            nn.ReLU(inplace=True),
            Convolution(channels, CURVES, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        curves = self.predict(x)
        if not torch.is_grad_enabled():
            return _brighten(x, curves)
        brighter: Tensor = checkpoint(_brighten, x, curves, use_reentrant=False, preserve_rng_state=False)
        return brighter


def _brighten(x: Tensor, curves: Tensor) -> Tensor:
    x = x.clamp(0, 1)
    for curve in torch.split(curves, 1, 1):
        x = torch.addcmul(x, curve, x * (1 - x))
    return x


class Skip(nn.Module):
    """The decoder's image, filtered by kernels that the encoder's features of the same size ask for."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        convs = [layer for _ in range(3) for layer in (Convolution(channels, channels), nn.ReLU(inplace=True))]
        self.features = nn.Sequential(*convs)
        self.kernels = Convolution(channels, channels * SIDE * SIDE, 1)

    def forward(self, x: Tensor, encoded: Tensor) -> Tensor:  # noqa: D102
        assert self.kernels.bias is not None
        filtered = filter_adaptively(x, self.features(encoded), self.kernels.weight, self.kernels.bias)
        return F.leaky_relu(filtered, 0.2, inplace=True)


def _prelu_recomputed(slope: PReLU, x: Tensor, use: Callable[[Tensor], Tensor]) -> Tensor:
    """`use(slope(x))`, keeping x alone for the way back, where the slope is taken again."""
    sloped = slope(x)
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return use(sloped)
    place, kept = sloped.data_ptr(), slope.weight.to(sloped.dtype)  # another one under autocast

    def pack(saved: Tensor) -> Tensor | None:
        return None if saved.data_ptr() == place else saved

    def unpack(saved: Tensor | None) -> Tensor:
        return F.prelu(x.to(kept.dtype), kept).detach() if saved is None else saved

    with saved_tensors_hooks(pack, unpack):
        return use(sloped)


def _pad_by_reflection(image: Tensor, multiple: int) -> Tensor:
    """Extend the bottom and the right to a multiple by reflection, over and over where the image is smaller."""
    for axis in (-2, -1):
        size = image.shape[axis]
        period = max(2 * size - 2, 1)
        place = torch.arange((size + multiple - 1) // multiple * multiple, device=image.device)
        place = place % torch.full_like(place, period)
        image = image.index_select(axis, torch.minimum(place, period - place))
    return image
