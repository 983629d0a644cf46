import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lolblur_synth.kernels.prelu import PReLU


def images(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def layer(slope: float) -> PReLU:
    found = PReLU()
    nn.init.constant_(found.weight, slope)
    return found


@pytest.mark.usefixtures("no_other")
@given(
    st.integers(0, 3),
    st.sampled_from([1, 3, 16, 33]),
    st.integers(1, 40),
    st.integers(1, 70),
    st.sampled_from([0.25, -0.5, 0.0, 1.0]),
    st.sampled_from([torch.contiguous_format, torch.channels_last]),
)
def test_value_and_gradients_are_those_of_torch(count, channels, height, width, slope, layout):
    mine, x = layer(slope), images(count, channels, height, width).to(memory_format=layout).requires_grad_()
    outer = images(count, channels, height, width, seed=2)
    precise, slopes = x.detach().double().requires_grad_(), torch.tensor([slope], dtype=torch.float64).requires_grad_()
    found, wanted = mine(x), F.prelu(precise, slopes)
    to_x, to_slope = torch.autograd.grad(found, [x, mine.weight], outer)
    wanted_x, wanted_slope = torch.autograd.grad(wanted, [precise, slopes], outer.double())
    torch.testing.assert_close((found, to_x), (wanted.float(), wanted_x.float()))
    torch.testing.assert_close(to_slope, wanted_slope.float(), rtol=1e-5, atol=1e-6 * (1 + x.numel()))


@pytest.mark.usefixtures("no_other")
@pytest.mark.parametrize("times", [1, 9])  # less than a register, and some registers
def test_zero_is_not_above_zero_and_what_is_no_number_is_treated_as_torch_does(times):
    values = torch.tensor([0.0, -0.0, torch.nan, torch.inf, -torch.inf, 2.0, -2.0])
    x, mine = values.repeat(times).view(1, -1, 1, 1).requires_grad_(), layer(0.25)
    mine(x).sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [0.25, 0.25, 0.25, 1, 0.25, 1, 0.25] * times
    assert mine.weight.grad is not None
    assert mine.weight.grad.isnan()


def test_threads_do_not_change_a_bit_and_nothing_is_written_over():
    x, outer, before = images(2, 32, 70, 90).requires_grad_(), images(2, 32, 70, 90, seed=2), torch.get_num_threads()
    kept, mine, found = (x.detach().clone(), outer.clone()), layer(0.25), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(torch.autograd.grad(mine(x), [x, mine.weight], outer))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for others in found[1:] for one, other in zip(found[0], others, strict=True))
    assert torch.equal(x, kept[0])
    assert torch.equal(outer, kept[1])


@pytest.mark.parametrize("x", [images(5, 7), images(1, 2, 3, 4).double()])
def test_what_does_not_fit_is_left_to_torch(x):
    mine = layer(0.25).to(x.dtype)
    x.requires_grad_()
    mine(x).square().sum().backward()
    assert torch.equal(x.grad, torch.where(x > 0, 2 * x, 2 * 0.25**2 * x))


def test_autocast_is_left_to_torch():
    mine, x = layer(0.25), images(1, 2, 3, 4).requires_grad_()
    kept = mine(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = mine(x)
    assert found.dtype == torch.bfloat16
    assert found.grad_fn is not None
    assert kept.grad_fn is not None
    assert found.grad_fn.name() != kept.grad_fn.name()
