"""LEDNet before its first step, and what one step does."""

import pytest
import torch

from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.train.engine.learning_rate import cosine_rate, set_learning_rate
from lolblur_synth.train.restoration.losses import RestorationLoss
from lolblur_synth.train.restoration.networks import initialize


@pytest.mark.parametrize("channels", [(8, 16, 32, 32), (32, 64, 128, 128)])
def test_at_first_a_dark_picture_reaches_the_output_and_filters_are_near_the_identity(channels):
    net = LEDNet(channels)
    initialize(net, torch.Generator().manual_seed(1))
    squares = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    dark = 0.1 * torch.nn.functional.interpolate(squares, scale_factor=8)
    restored, side = net(dark)
    assert all(0.05 < out.std() < 2 for out in (restored, side))
    features = torch.rand(1, channels[1], 16, 16, generator=torch.Generator().manual_seed(3))
    skip = net.skips[-1]
    assert (skip(features, features) - features).square().mean() < 0.25 * features.square().mean()


def test_first_weights_come_from_the_generator_alone():
    states = []
    for seed in (1, 1, 2):
        net = LEDNet((8, 8, 8, 8))
        initialize(net, torch.Generator().manual_seed(seed))
        states.append(torch.cat([value.flatten() for key, value in net.state_dict().items() if "slope" not in key]))
    assert torch.equal(states[0], states[1])
    assert (states[0] == states[2]).float().mean() < 0.1  # biases


@pytest.mark.slow
def test_the_network_of_the_paper_learns_one_batch_by_heart():
    generator = torch.Generator().manual_seed(0)
    squares = torch.rand(2, 3, 8, 8, generator=generator)
    light = 0.2 + 0.8 * torch.nn.functional.interpolate(squares, scale_factor=8)
    dark = 0.2 * light
    net, loss = LEDNet(), RestorationLoss(None, 0)
    initialize(net, generator)
    optimizer = torch.optim.Adam(net.parameters(), betas=(0.9, 0.99))
    for step in range(200):
        set_learning_rate(optimizer, cosine_rate(step, 200, 7e-4, warm_up=0.1))  # at 1e-3 it is a matter of rounding
        optimizer.zero_grad()
        restored, side = net(dark)
        loss(restored, side, light)["total"].backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()
    assert (net(dark)[0] - light).abs().mean() < 0.02


def test_every_weight_gets_a_gradient():
    net, loss = LEDNet((16, 16, 32, 32)), RestorationLoss(None, 0)
    initialize(net, torch.Generator().manual_seed(1))  # with some a slope sees nothing negative, and learns nothing yet
    dark = 0.2 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    restored, side = net(dark)
    loss(restored, side, 5 * dark)["total"].backward()
    without = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []
