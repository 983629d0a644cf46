import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lolblur_synth.core.threads import torch_threads
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.weights.key_maps import lednet_state
from tests.support.lednets import GOLDEN, narrow_lednet, plain, plain_forward, released_lednet


def seeded(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_is_the_authors_network():
    """With the same numbers for weights, in the network's own units, [-1, 1]."""
    with np.load(GOLDEN) as golden:
        given, restored, side = (torch.from_numpy(golden[key]) for key in ("input", "output", "side"))
    net = LEDNet()
    net.load_state_dict(lednet_state(released_lednet()))
    with torch.no_grad():
        found = net(given)
    torch.testing.assert_close(found[0], restored, rtol=0, atol=1e-5)
    torch.testing.assert_close(found[1], side, rtol=0, atol=1e-5)


def test_default_has_the_published_size():
    with torch.device("meta"):
        assert sum(p.numel() for p in LEDNet().parameters()) == 7_408_893


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (8, 8), (17, 40), (50, 33)])
def test_any_size(size):
    with torch.no_grad():
        restored, side = narrow_lednet()(seeded(2, 3, *size))
    assert restored.shape == (2, 3, *size)
    assert side.shape == (2, 3, -(-size[0] // 8), -(-size[1] // 8))
    assert restored.isfinite().all()


def test_borders_are_reflected_to_a_multiple_of_eight():
    net, image = narrow_lednet(), seeded(1, 3, 20, 30)
    with torch.no_grad():
        padded = F.pad(image, (0, 2, 0, 4), mode="reflect")
        torch.testing.assert_close(net(image)[0], net(padded)[0][..., :20, :30])


def test_signed_is_the_same_network_on_signed_values():
    net, image = narrow_lednet(), seeded(1, 3, 16, 24)
    signed = LEDNet(net.channels, signed=True)
    signed.load_state_dict(net.state_dict())
    with torch.no_grad():
        for found, inside in zip(signed(image), net(image * 2 - 1), strict=True):
            torch.testing.assert_close(found, (inside + 1) / 2)


@pytest.mark.parametrize("signed", [False, True])
def test_equals_the_plain_form_and_so_do_its_gradients(signed):
    torch.manual_seed(0)
    net, image = LEDNet((8, 12, 8, 16), signed=signed), seeded(2, 3, 32, 48)
    image.requires_grad_()
    results = []
    for outputs in (net(image), plain_forward(net, image)):
        loss = outputs[0].square().sum() + outputs[1].square().sum()
        results.append((*outputs, *torch.autograd.grad(loss, [image, *net.parameters()])))
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * max(1, float(wanted.detach().abs().max())))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_compiled_equals_the_plain_form_of_twice_the_digits(threads):
    torch.manual_seed(1)  # with others a ReLU bends so near that rounding decides
    net, image = LEDNet((32, 64, 32, 32)), seeded(2, 3, 64, 56)
    precise, twice = plain(copy.deepcopy(net)).double(), image.double().requires_grad_()
    with torch_threads(threads):
        outputs = net(image.requires_grad_())
        loss = outputs[0].square().sum() + outputs[1].square().sum()
        found = (*outputs, *torch.autograd.grad(loss, [image, *net.parameters()]))
    outputs = plain_forward(precise, twice)
    loss = outputs[0].square().sum() + outputs[1].square().sum()
    wanted = (*outputs, *torch.autograd.grad(loss, [twice, *precise.parameters()]))
    for mine, other in zip(found, wanted, strict=True):
        assert (mine - other).norm() < 1e-3 * other.norm()


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    net = LEDNet((32, 32, 32, 32))  # as few as 8 would leave some slopes without a negative value to bend
    restored, side = net(seeded(2, 3, 48, 48))
    (restored.square().mean() + side.square().mean()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_lower_precision_stays_close():
    net, image = narrow_lednet().requires_grad_(), seeded(2, 3, 32, 32)
    whole = net(image)[0]
    with torch.autocast("cpu", torch.bfloat16):
        half, side = net(image)
    torch.testing.assert_close(half.float(), whole, rtol=0, atol=0.05)
    (half.sum() + side.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_the_input_is_left_alone():
    image = seeded(1, 3, 16, 16)
    narrow_lednet().requires_grad_()(image)
    assert torch.equal(image, seeded(1, 3, 16, 16))


def test_arguments_build_the_same_network():
    net = LEDNet((4, 8, 12, 16), signed=True)
    again = LEDNet(**net.arguments())
    again.load_state_dict(net.state_dict())
    assert again.signed


@pytest.mark.parametrize("channels", [(4, 4, 4), (4, 4, 4, 3)])
def test_channels_that_make_no_network_are_refused(channels):
    with pytest.raises(ValueError, match="are not four numbers of 4 or more"):
        LEDNet(channels)
