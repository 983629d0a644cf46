import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.kernels.fac import _continue_borders, filter_adaptively
from tests.support.lednets import plain_filter


def given(channels: int, features: int, *size: int, count: int = 2, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Seeded image, features, weight and bias."""
    generator = torch.Generator().manual_seed(0)
    shapes = (count, channels, *size), (count, features, *size), (25 * channels, features, 1, 1), (25 * channels,)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def plain(image: Tensor, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return plain_filter(image, F.conv2d(features, weight, bias))


# of 2**17 elements in a band: all at once, some images at once, some rows of an image at once
@pytest.mark.parametrize(("channels", "count", "size"), [(3, 2, (5, 7)), (32, 5, (40, 50)), (48, 2, (70, 67))])
def test_equals_the_plain_form(channels, count, size):
    tensors = [tensor.requires_grad_() for tensor in given(channels, 4, *size, count=count)]
    outer = torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(1))
    found, wanted = filter_adaptively(*tensors), plain(*tensors)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)
    for mine, other in zip(*(torch.autograd.grad(out, tensors, outer) for out in (found, wanted)), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))


@pytest.mark.parametrize(("channels", "features", "size"), [(32, 64, (3, 49)), (64, 32, (7, 60)), (96, 96, (20, 6))])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_compiled_form_equals_the_plain_one_of_twice_the_digits(channels, features, size, threads, monkeypatch):
    monkeypatch.delattr(torch, "addmm")  # by which the form in torch predicts kernels
    tensors = given(channels, features, *size, count=3)
    outer = torch.randn(3, channels, *size, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        mine = [tensor.requires_grad_() for tensor in tensors]
        found = filter_adaptively(*mine)
        slopes = torch.autograd.grad(found, mine, outer)
    finally:
        torch.set_num_threads(before)
    precise = [tensor.detach().double().requires_grad_() for tensor in tensors]
    wanted = plain(*precise)
    for one, other in zip(
        (found, *slopes), (wanted, *torch.autograd.grad(wanted, precise, outer.double())), strict=True
    ):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=3e-6 * float(other.detach().abs().max()))


@pytest.mark.parametrize("size", [(1, 1), (3, 4)])
def test_gradients_of_all_inputs(size):
    tensors = [tensor.requires_grad_() for tensor in given(2, 3, *size, dtype=torch.float64)]
    assert torch.autograd.gradcheck(filter_adaptively, tensors)


def test_one_kernel_for_all_pixels_is_a_convolution_with_continued_borders():
    image, features, weight, bias = given(3, 4, 6, 8)
    found = filter_adaptively(image, features, torch.zeros_like(weight), bias)
    padded = F.pad(image, (2, 2, 2, 2), mode="replicate")
    torch.testing.assert_close(found, F.conv2d(padded, bias.view(3, 1, 5, 5), groups=3))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_keeps_layout_and_inputs(layout):
    tensors = given(3, 4, 6, 8)
    tensors[0] = tensors[0].contiguous(memory_format=layout)
    copies = [tensor.clone() for tensor in tensors]
    assert filter_adaptively(*tensors).is_contiguous(memory_format=layout)
    assert all(torch.equal(*pair) for pair in zip(tensors, copies, strict=True))


def test_no_images_are_filtered_to_none():
    tensors = [tensor.requires_grad_() for tensor in given(32, 32, 6, 8, count=0)]
    found = filter_adaptively(*tensors)
    assert found.shape == (0, 32, 6, 8)
    assert all(not slopes.any() for slopes in torch.autograd.grad(found.sum(), tensors))


def test_sizes_that_are_not_of_one_another_are_refused():
    image, features, weight, bias = given(16, 16, 6, 8)
    for wrong in (features[:, :, :5], torch.cat((features, features), 1), features[:1]):
        with pytest.raises(ValueError, match="do not fit"):
            filter_adaptively(image, wrong, weight, bias)


def test_lower_precision_stays_close():
    tensors = [tensor.requires_grad_() for tensor in given(4, 8, 12, 10)]
    wanted = plain(*tensors)
    with torch.autocast("cpu", torch.bfloat16):
        found = filter_adaptively(*tensors)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.02 * wanted.abs().max().item())
    for mine, other in zip(*(torch.autograd.grad(out.square().sum(), tensors) for out in (found, wanted)), strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, other, rtol=0, atol=0.02 * float(other.abs().max()))


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # within torch's compiler
def test_borders_are_continued_in_a_compiled_training_too():
    """With torch 2.13 the compiled gradient of F.pad's replication raised for images that lie channels-last."""
    image = torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    image = image.contiguous(memory_format=torch.channels_last).requires_grad_()
    outer = torch.rand(2, 4, 9, 10, generator=torch.Generator().manual_seed(1))
    compiled = torch.compile(lambda image: _continue_borders(2 * image, 2))
    found, wanted = compiled(image), F.pad(2 * image, (2, 2, 2, 2), mode="replicate")
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    torch.testing.assert_close(*(torch.autograd.grad(out, image, outer)[0] for out in (found, wanted)))
