import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lolblur_synth.kernels.gemm import NR
from lolblur_synth.kernels.winograd import Convolution, filter_transform

SHAPES = [(1, 28, 28), (2, 30, 41), (3, 1, 200), (5, 203, 2)]  # of at least as many tiles as it pays for


def convolution(inputs: int, outputs: int, side: int = 3, bias: bool = True) -> Convolution:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Convolution(inputs, outputs, side, bias=bias)


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def twice_the_digits(layer: Convolution, x: Tensor) -> Tensor:
    """Torch's own, in float64."""
    bias = None if layer.bias is None else layer.bias.double()
    half = layer.kernel_size[0] // 2
    return F.conv2d(x.double(), layer.weight.double(), bias, padding=half)


@pytest.mark.usefixtures("no_other")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [3, 5])
def test_equals_the_plain_sum(shape, side):
    count, height, width = shape
    layer, x = convolution(64, 32, side), images(count, 64, height, width)
    with torch.inference_mode():
        found, wanted = layer(x), twice_the_digits(layer, x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.usefixtures("no_other")
@settings(max_examples=30)
@example(1, 1, 200, 32, 32, 3, True)
@example(3, 203, 2, 32, 64, 3, False)
@example(1, 5, 200, 32, 32, 5, True)
@given(
    st.integers(1, 3),
    st.integers(26, 70),
    st.integers(26, 70),
    st.sampled_from([32, 96]),
    st.sampled_from([32, 64]),
    st.sampled_from([3, 5]),
    st.booleans(),
)
def test_gradients_are_those_of_the_plain_sum(count, height, width, inputs, outputs, side, bias):
    layer, x = convolution(inputs, outputs, side, bias), images(count, inputs, height, width).requires_grad_()
    outer = images(count, outputs, height, width)
    asked = [x, *layer.parameters()]
    found = torch.autograd.grad(layer(x), asked, outer)
    wanted = torch.autograd.grad(twice_the_digits(layer, x), asked, outer.double())
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=6e-5 * float(other.abs().max()))


@pytest.mark.usefixtures("no_other")
@pytest.mark.parametrize("side", [3, 5])
def test_a_kernel_of_one_moves_images_to_the_digit_of_rounding(side):
    layer, x = convolution(32, 32, side, bias=False), images(1, 32, 29, 31)
    down, right = 0, side - 1
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(32), range(32), down, right] = 1
        found = layer(x)
    half = side // 2
    moved = F.pad(x, [half] * 4)[:, :, down : down + 29, right : right + 31]
    torch.testing.assert_close(found, moved, rtol=0, atol=2e-5)


@pytest.mark.usefixtures("no_other")
def test_threads_and_layouts_do_not_change_a_bit():
    layer, x = convolution(32, 64), images(2, 32, 50, 60)
    before, kept = torch.get_num_threads(), x.clone()
    found = []
    try:
        with torch.inference_mode():
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                found += [layer(x), layer(x.contiguous(memory_format=torch.channels_last))]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])
    assert torch.equal(x, kept)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (Convolution(32, 32), images(1, 32, 8, 8)),  # too few tiles
        (Convolution(32, 32 + NR // 2), images(1, 32, 40, 40)),  # half the columns of a product
        (Convolution(32 + NR // 2, 32), images(1, 32 + NR // 2, 40, 40)),
        (Convolution(3, 32), images(1, 3, 40, 40)),
        (Convolution(32, 32, 1), images(1, 32, 40, 40)),
        (Convolution(32, 32).double(), images(1, 32, 40, 40).double()),
        (Convolution(32, 32), images(32, 40, 40)),  # not a batch
    ],
)
def test_what_does_not_fit_is_left_to_torch(layer, x):
    assert torch.equal(layer(x), nn.Conv2d.forward(layer, x))


@pytest.mark.parametrize("channels", [8, 64])
def test_images_of_other_channels_are_refused(channels):
    with pytest.raises(RuntimeError, match="channels"):
        convolution(32, 32)(images(1, channels, 40, 40))


def test_autocast_is_left_to_torch():
    layer, x = convolution(32, 32), images(1, 32, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


def test_a_frozen_layer_passes_gradients_on():
    layer, x = convolution(32, 32).requires_grad_(False), images(1, 32, 40, 40).requires_grad_()
    layer(x).square().sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None


def test_the_transforms_of_lavin_and_gray_give_a_convolution():
    """With all digits: products at the points, by the paper's matrices, are a convolution."""
    kernel, samples = torch.tensor([2.0, -3.0, 5.0]), torch.arange(36.0).view(6, 6)
    at_points = (filter_transform(3).double() @ torch.outer(kernel, kernel).flatten().double()).view(6, 6)
    a = 0.5
    turned = torch.tensor(
        [
            [a**2, 0, -1 - a**2, 0, 1, 0],
            [0, -(a**2), -(a**2), 1, 1, 0],
            [0, a**2, -(a**2), -1, 1, 0],
            [0, -a, -1, a, 1, 0],
            [0, a, -1, -a, 1, 0],
            [0, a**2, 0, -1 - a**2, 0, 1],
        ],
        dtype=torch.float64,
    )
    points = torch.tensor([0, 1, -1, a, -a], dtype=torch.float64)
    outputs = torch.stack([*(points**k for k in range(4))])
    outputs = torch.cat((outputs, torch.tensor([[0.0], [0.0], [0.0], [1.0]])), 1)
    found = outputs @ (at_points * (turned @ samples.double() @ turned.t())) @ outputs.t()
    wanted = F.conv2d(samples[None, None].double(), torch.outer(kernel, kernel)[None, None].double())[0, 0]
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
