"""Networks that restore: made with first weights, or from given ones."""

from typing import TypeVar

import torch
from torch import nn

from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.rng import torch_rng_for
from lolblur_synth.kernels.fac import SIDE
from lolblur_synth.nets.lednet import Block, Curve, Down, LEDNet, PyramidPooling, Residual, Skip, Up
from lolblur_synth.nets.weights.load import load_lednet

Part = TypeVar("Part", bound=nn.Module)


def initial_network(config: TrainLEDNet, start: str | None) -> tuple[LEDNet, str | None]:
    """The network at its start, and the hash of the file that it comes from, if any."""
    if start is None:
        net = LEDNet(**config.net.model_dump())
        initialize(net, torch_rng_for(config.seed, "initial weights"))
        return net, None
    net, digest = load_lednet(start)
    wanted = config.net.model_dump(mode="json")
    if net.arguments() != wanted:
        raise UserError(
            f"of LEDNet with {net.arguments()}, the settings have {wanted}",
            where=f"weights {start}",
            advice="set net alike",
        )
    return net.requires_grad_(True), digest


@torch.no_grad()
def initialize(net: LEDNet, generator: torch.Generator) -> None:
    """Draw first weights such that the colours of a dark picture reach the last layer, brightened.

    Each convolution is drawn from N(0, g^2 2 / inputs) with g = 1 (He et al., ICCV 2015), but 3 where dark pictures
    enter, 0.1 where residuals are added, 0.3 for the two outputs, which begin at 0.3, and 1/5 for kernels of 25 taps,
    beside 1 at their centre. Three features begin as the picture and go through every change of size as they are; nine
    curves make of a value of 0.05 one of 0.3. If all is drawn, signals fade, curves clip what is left, and a short
    training learns little but a mean colour; if outputs begin as the picture too, they take longer to fit another.
    """
    gains: dict[nn.Module, float] = {net.stem: 3, net.side: 0.3, net.tail: 0.3}
    gains |= {residual.second: 0.1 for residual in _all(net, Residual)}
    gains |= {skip.kernels: 1 / SIDE for skip in _all(net, Skip)}
    for conv in (*_all(net, nn.Conv2d), *_all(net, nn.ConvTranspose2d)):
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
        conv.weight.mul_(gains.get(conv, 1))
        if conv.bias is not None:
            conv.bias.zero_()
    for skip in _all(net, Skip):
        skip.kernels.get_parameter("bias").view(-1, SIDE**2)[:, SIDE**2 // 2] = 1
    for curve in _all(net, Curve):
        curve.predict.get_parameter("4.bias").fill_(-1)
    for output in (net.side, net.tail):
        output.get_parameter("bias").fill_(0.3)
    _pass_on_the_picture(net)


def _pass_on_the_picture(net: LEDNet) -> None:
    """Let the first three features be those before the layer, where layers add nothing."""
    scales: list[Down | Up] = [*_all(net, Down), *_all(net, Up)]
    ways: list[nn.Conv2d] = [net.stem, *(block.last for block in _all(net, Block))]
    ways += [*(scale.direct for scale in scales), *(pyramid.fuse for pyramid in _all(net, PyramidPooling))]
    for conv in (*ways, *(scale.leave for scale in scales)):
        conv.weight[:3] = 0
    for conv in ways:
        middle = conv.weight.shape[-1] // 2
        conv.weight[range(3), range(3), middle, middle] += 1


def _all(net: nn.Module, kind: type[Part]) -> list[Part]:
    return [part for part in net.modules() if isinstance(part, kind)]
