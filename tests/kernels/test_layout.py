import pytest
import torch

from lolblur_synth.kernels.layout import channels_last, flat


def test_images_that_lie_channels_last_are_not_copied():
    images = torch.rand(2, 3, 4, 5)
    laid = channels_last(images)
    assert laid.shape == (2, 4, 5, 3)
    assert laid.is_contiguous()
    assert torch.equal(laid.permute(0, 3, 1, 2), images)
    last = images.contiguous(memory_format=torch.channels_last)
    assert channels_last(last).data_ptr() == last.data_ptr()


def test_flat_memory_is_shared_and_never_strided():
    x = torch.zeros(2, 3)
    flat(x)[4] = 7
    assert x[1, 1] == 7
    with pytest.raises(RuntimeError):
        flat(x.t())
