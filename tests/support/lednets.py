"""A narrow LEDNet for tests, whose outputs are pictures, LEDNet in its plain form, and the released checkpoint's."""

import json
import zlib
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.kernels.prelu import PReLU
from lolblur_synth.kernels.winograd import Convolution
from lolblur_synth.nets.lednet import Block, Curve, Down, LEDNet, Residual, Up
from lolblur_synth.nets.weights.checkpoint import save_weights

GOLDEN = Path(__file__).parents[1] / "golden" / "lednet.npz"


def narrow_lednet(seed: int = 2) -> LEDNet:
    """Seeded random weights; the last layer's are such that outputs spread over [0, 1] instead of about 0."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = LEDNet((4, 4, 4, 4))
    with torch.no_grad():
        net.tail.weight.mul_(6)
        net.tail.bias.fill_(0.5)
    net.to(memory_format=torch.channels_last)  # as it is loaded: equal to the last bit
    return net.eval().requires_grad_(False)


def save_lednet(path: Path, seed: int = 2) -> Path:
    """Its file."""
    save_weights(path, narrow_lednet(seed), {})
    return path


def plain(net: LEDNet) -> LEDNet:
    """The same, with torch's layers."""
    for module in net.modules():
        for mine, other in ((Convolution, torch.nn.Conv2d), (PReLU, torch.nn.PReLU)):
            if isinstance(module, mine):
                module.forward = partial(other.forward, module)  # type: ignore[method-assign]
    return net


def plain_forward(net: LEDNet, dark: Tensor) -> tuple[Tensor, Tensor]:
    """What a LEDNet computes, written as the layers are described: every kernel of every pixel in memory at once.

    Of images whose sides are multiples of 8.
    """
    x = net.stem_slope(net.stem(dark * 2 - 1 if net.signed else dark))
    features = []
    for encode in net.encoder:
        x = _plain_curve(encode.curve, encode.pyramid(_plain_down(encode.down, _plain_block(encode.block, x))))
        features.append(x)
    side = net.side(x)
    for block in net.middle:
        x = _plain_block(block, x)
    for block in net.bottom:
        x = _plain_residual(block, x)
    for skip, decode in zip(net.skips, net.decoder, strict=True):
        kernels = skip.kernels(skip.features(features.pop()))
        x = F.leaky_relu(plain_filter(x, kernels), 0.2)
        x = _plain_up(decode.up, x)
        for block in decode.blocks:
            x = _plain_residual(block, x)
    restored = net.tail(x)
    return (restored / 2 + 0.5, side / 2 + 0.5) if net.signed else (restored, side)


def plain_filter(image: Tensor, kernels: Tensor) -> Tensor:
    """Filter (N, C, H, W) by kernels (N, 25 C, H, W)."""
    count, channels, height, width = image.shape
    seen = F.unfold(F.pad(image, (2, 2, 2, 2), mode="replicate"), 5).view(count, channels, 25, height, width)
    return (seen * kernels.view(count, channels, 25, height, width)).sum(2)


def _plain_residual(block: Residual, x: Tensor) -> Tensor:
    return block.second(block.slope(block.first(x))) + x


def _plain_block(block: Block, x: Tensor) -> Tensor:
    return block.slope(block.last(_plain_residual(block.residual, x)))


def _plain_down(down: Down, x: Tensor) -> Tensor:
    def halved(x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), down.low_pass, stride=2, groups=x.shape[1])

    body = down.slope(down.conv(down.enter_slope(down.enter(x))))
    return down.leave(halved(body)) + down.direct(halved(x))


def _plain_up(up: Up, x: Tensor) -> Tensor:
    body = up.leave(up.slope(up.conv(up.enter_slope(up.enter(x)))))
    return body + up.direct(F.interpolate(x, scale_factor=2, mode="bilinear"))


def _plain_curve(curve: Curve, x: Tensor) -> Tensor:
    curves, x = curve.predict(x), x.clamp(0, 1)
    for index in range(3):
        x = x + curves[:, index : index + 1] * x * (1 - x)
    return x


def released_lednet() -> dict[str, Tensor]:
    """A state of every key and shape of the released checkpoints, from generators seeded with the keys."""
    with np.load(GOLDEN) as golden:
        shapes = json.loads(str(golden["keys"]))
    return {key: _released_weight(key, tuple(shape)) for key, shape in shapes.items()}


def _released_weight(key: str, shape: tuple[int, ...]) -> Tensor:
    if key.endswith("filt"):
        low_pass = np.outer([1, 2, 1], [1, 2, 1]) / 16
        return torch.from_numpy(np.broadcast_to(low_pass, shape).astype(np.float32))
    if prod(shape) == 1:
        return torch.full(shape, 0.25)
    uniform = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).random(prod(shape)) * 2 - 1
    scale = np.sqrt(3 / prod(shape[1:])) if len(shape) > 1 else 0.05
    return torch.from_numpy((uniform * scale).astype(np.float32).reshape(shape))
